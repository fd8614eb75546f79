#ifndef BR_ATTRIBUTION_ATTRIBUTION_H
#define BR_ATTRIBUTION_ATTRIBUTION_H

/// What other methods say: a score for each investor field, the k largest being the explanation (the baselines of the paper's Table 3).
///
///     br_attribution_options options = br_attribution_options_default(BR_ATTRIBUTION_IG, n_investor_fields);
///     br_attribution_new(&attribution, model, &background, &options);
///     br_attribution_bond(attribution, bond_codes);
///     br_attribution_scores(attribution, codes, keys, n, scores);
///     br_attribution_select(scores, n_investor_fields, k, fields);
///
/// An investor's scores depend on the model, the bond, the background, the options and his key: not on who else is in the call. Where
/// a method fits a regression or an auxiliary model, BLAS does, the same bytes on one machine: not the answer path.
///
/// Source:  5.2; each method's own source in the file that has it.
/// Choice:  attributed is the probability, as in the paper's Table 1, whose scores add up to differences of probabilities; the logit on
///          request, the same for all.
/// Choice:  every field is scored: what LIME and Kernel SHAP have for choosing few features before the last fit is left out, because the k
///          largest scores do that here, alike for all.

#include "model/model.h"

typedef enum br_attribution_method {
    BR_ATTRIBUTION_RANDOM,
    BR_ATTRIBUTION_LIME,           ///< lime.c
    BR_ATTRIBUTION_KERNEL_SHAP,    ///< kernel_shap.c; absent fields have the values of background investors
    BR_ATTRIBUTION_KERNEL_SHAP_M,  ///< the same; absent fields are masked
    BR_ATTRIBUTION_WEIGHTED_SHAP,  ///< weighted_shap.c
    BR_ATTRIBUTION_IG,             ///< gradients.c; from the zero vector
    BR_ATTRIBUTION_IG_M,           ///< the same; from the mask embedding
    BR_ATTRIBUTION_EG,             ///< gradients.c; from background investors
    BR_ATTRIBUTION_RECXPLAINER_L,  ///< recxplainer.c; linear auxiliary model
    BR_ATTRIBUTION_RECXPLAINER_MLP ///< the same; one hidden layer
} br_attribution_method;

#define BR_N_ATTRIBUTIONS 10

typedef enum br_attributed {
    BR_ATTRIBUTED_PROBABILITY, ///< sigmoid of the logit
    BR_ATTRIBUTED_LOGIT,
} br_attributed;

typedef struct br_attribution_options {
    br_attribution_method method;
    br_attributed output;
    uint64_t seed;
    uint32_t
        n_samples; ///< at least 1, where the method has them: ig, ig_m points of the path (50); eg draws (200); lime samples, the
    ///< investor among them (5,000); kernel_shap, kernel_shap_m sets (2 N + 2,048); weighted_shap permutations
    ///< (200); recxplainer_mlp rounds over the background (100)
    uint32_t n_background; ///< kernel_shap, weighted_shap: investors that stand for absent fields, at least 1 (10)
    double ridge;          ///< lime, recxplainer_l: penalty on the squared coefficients, above 0 (1)
    uint32_t hidden;       ///< recxplainer_mlp: width of the hidden layer, 1 to 1,024 (64)
} br_attribution_options;

/// The values in brackets; seed 0.
br_attribution_options br_attribution_options_default(br_attribution_method method, uint32_t n_investor_fields);
/// "kernel_shap_m" and the like.
const char *br_attribution_name(br_attribution_method method);

/// Pairs of training, as many as one can afford: investors to compare with, and what auxiliary models learn from. recxplainer asks the model
/// once for each; neighbours with the same bond are asked together.
typedef struct br_attribution_background {
    const uint8_t *bond_codes;     ///< [n, n_bond_fields]
    const uint8_t *investor_codes; ///< [n, n_investor_fields]
    size_t n;                      ///< at most UINT32_MAX
} br_attribution_background;

typedef struct br_attribution br_attribution;

/// `model` and what `background` points to: borrowed, must outlive it. `background` may be NULL for random, kernel_shap_m, ig and ig_m.
/// Serves one thread. Memory: the gated network's (model/gates.h) for 128 samples, 128 rows of N floats, for lime and SHAP N^2 floats; for
/// recxplainer_l some 5 doubles per code of a field, while it learns, for recxplainer_mlp 4 x hidden floats per code.
/// Errors: BR_ERR_INVALID (options out of range, no background or no masks where they are needed, codes that the model does not have),
/// BR_ERR_NO_MEMORY.
br_status br_attribution_new(br_attribution **out, const br_model *model, const br_attribution_background *background,
                             const br_attribution_options *options) BR_MUST_CHECK;
void br_attribution_free(br_attribution **attribution);
/// The bond of the investors that follow: [n_bond_fields]. Errors: BR_ERR_INVALID (a code the model does not have).
br_status br_attribution_bond(br_attribution *attribution, const uint8_t *bond_codes) BR_MUST_CHECK;
/// Allocates nothing. Errors: BR_ERR_INVALID (a code the model does not have).
///
///   codes       [n, n_investor_fields]
///   keys        [n]                     what an investor's random numbers are drawn by, with the seed
///   scores_out  [n, n_investor_fields]
br_status br_attribution_scores(br_attribution *attribution, const uint8_t *codes, const uint32_t *keys, size_t n,
                                float *scores_out) BR_MUST_CHECK;

/// fields_out[k] = the fields of the k largest scores [n_fields], largest first; of equal ones the lowest field; NaN is below all.
/// Errors: BR_ERR_INVALID (k is 0 or above n_fields).
br_status br_attribution_select(const float *scores, uint32_t n_fields, uint32_t k, uint32_t *fields_out) BR_MUST_CHECK;

#endif
