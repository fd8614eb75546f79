#ifndef BR_PIPELINE_METHODS_H
#define BR_PIPELINE_METHODS_H

/// Every way to choose k reasons, by name, on one snapshot: what `bookrunner compare` sets side by side and `bookrunner explain --method`
/// shows. Recommendations are explained by `backed` or `plain` alone.

#include "attribution/attribution.h"
#include "explain/explain.h"
#include "pipeline/served.h"

typedef enum br_method {
    BR_METHOD_BACKED, ///< the default objective of explain.h
    BR_METHOD_PLAIN,  ///< the paper's objective, by exact search
    BR_METHOD_GUMBEL, ///< the paper's objective by the paper's search; its rows of Table 4:
    BR_METHOD_GUMBEL_ZERO,
    BR_METHOD_GUMBEL_AVERAGE,
    BR_METHOD_LIME, ///< the paper's Table 3 from here on
    BR_METHOD_KERNEL_SHAP,
    BR_METHOD_WEIGHTED_SHAP,
    BR_METHOD_IG,
    BR_METHOD_EG,
    BR_METHOD_RECXPLAINER_L,
    BR_METHOD_RECXPLAINER_MLP,
    BR_METHOD_KERNEL_SHAP_M,
    BR_METHOD_IG_M,
    BR_METHOD_RANDOM,
    BR_METHOD_COUNT
} br_method;

/// "backed", "plain", "gumbel", "kernel-shap-m", ...
const char *br_method_name(br_method method);
/// False if no method has this name.
bool br_method_by_name(br_method *out, const char *name, size_t n);
/// Does it need mask embeddings that were learned (4.3)?
bool br_method_needs_masks(br_method method);

/// Does it draw on training pairs?
bool br_method_needs_background(br_method method);

typedef struct br_methods br_methods;

/// What the methods share of a snapshot; each is made ready when it is first used. `background`: training pairs that some attributions draw
/// on, NULL where none of those is used. `served`, `background`: borrowed. Serves one thread. Errors: BR_ERR_INVALID (n_reasons), BR_ERR_NO_MEMORY.
br_status br_methods_new(br_methods **out, const br_served *served, const br_attribution_background *background,
                         uint32_t n_reasons, uint64_t seed) BR_MUST_CHECK;
void br_methods_free(br_methods **methods);

/// What a method learns once, so that its first list does not pay for it; otherwise its first use does. Errors: BR_ERR_INVALID (what the
/// snapshot lacks), BR_ERR_NO_MEMORY.
br_status br_methods_prepare(br_methods *methods, br_method method) BR_MUST_CHECK;

/// The list of one bond, to be explained. Borrowed.
typedef struct br_method_list {
    const uint8_t *bond_codes;
    br_population population;
    const uint32_t *investors; ///< [n] rows of the population
    uint32_t n;
    uint32_t key; ///< of the bond: what random numbers depend on beside the seed and the investor
} br_method_list;

/// selected_out[n, n_reasons]: fields of each investor, the strongest reason first. Errors: BR_ERR_INVALID (what the snapshot lacks),
/// BR_ERR_NO_MEMORY.
br_status br_methods_select(br_methods *methods, br_method method, const br_method_list *list,
                            uint32_t *selected_out) BR_MUST_CHECK;

/// f(x_S) as a logit: the bond, and of the investor only the n_reasons selected fields.
float br_methods_sufficient(br_methods *methods, const uint8_t *bond_codes, const uint8_t *investor_codes,
                            const uint32_t *selected);

#endif
