#ifndef BR_PIPELINE_COMPARISON_H
#define BR_PIPELINE_COMPARISON_H

/// Methods of explanation side by side: the same snapshot, bonds and lists, every figure of quality (the paper's Table 3 and what it leaves out).
///
///     br_compare(&comparison, market, served, &options);
///     comparison.methods[0].merits[BR_MERIT_HRD]

#include "metrics/paired.h"
#include "metrics/reasons.h"
#include "pipeline/background.h"
#include "pipeline/methods.h"

typedef enum br_merit {
    BR_MERIT_RATIONALITY, ///< pooled kappa (A.2)
    BR_MERIT_STRATIFIED,  ///< kappa with chance within each bond field
    BR_MERIT_DIVERSITY,   ///< 5.3, A.3
    BR_MERIT_HRD,         ///< Eq. (7), with the pooled kappa
    BR_MERIT_AESV,        ///< Eq. (8)
    BR_MERIT_AESV_OTHERS, ///< leaving the investor out
    BR_MERIT_AESV_TRUE,   ///< with true probabilities; NAN unless known
    BR_MERIT_SUFFICIENT,  ///< mean f(x_S), the model's estimate
    BR_MERIT_TRUE_SHARE,  ///< P-reasons that are rational and causal, of all given; NAN unless known
    BR_MERIT_WEAK,      ///< share of the preferences given that are no P-reasons: their level is not above the average
    BR_MERIT_SUPPORT,   ///< mean number of others who match
    BR_MERIT_ALONE,     ///< share of sets that nobody else matches
    BR_MERIT_REDUNDANT, ///< share of sets with a pair that differs in its window alone
    BR_MERIT_COUNT
} br_merit;

/// "rationality", "aesv_others", ...: the name wherever it is printed.
const char *br_merit_name(br_merit merit);

typedef struct br_method_result {
    br_method method;
    double merits[BR_MERIT_COUNT];
    double *by_bond;    ///< [BR_MERIT_COUNT, n_bonds] pseudo-values of the jackknife, for errors paired by bond
    double ms;          ///< mean time of an explanation, the list's made together, without what a method learns once
    uint32_t *selected; ///< [n_sets, n_reasons] fields, bond after bond
    float *logits;      ///< [n_sets] f(x_S)
} br_method_result;

typedef struct br_comparison {
    uint32_t n_bonds;
    uint32_t n_reasons;
    uint32_t *bonds;           ///< [n_bonds] numbers in the market
    uint32_t *first_set;       ///< [n_bonds + 1] of each bond
    uint32_t *investors;       ///< [n_sets] whom each set explains, by number in the market
    br_method_result *methods; ///< [n_methods] in the order asked for
    uint32_t n_methods;
} br_comparison;

/// The truth of a bond: probabilities_out and causal_out [n_investors] by number in the market.
typedef br_status (*br_truth_teller)(void *context, uint32_t bond, double *probabilities_out, uint16_t *causal_out);
/// Called after each method of each bond; false cancels (BR_ERR_CANCELLED).
typedef bool (*br_compare_watcher)(void *context, uint64_t done, uint64_t total);

typedef struct br_compare_options {
    const br_method *methods; ///< [n_methods]
    uint32_t n_methods;
    br_day from; ///< bonds issued in [from, until), evenly spread
    br_day until;
    uint32_t n_bonds; ///< at most; 0 = all
    uint32_t n_top;   ///< investors of a bond, the highest first
    uint32_t n_reasons;
    uint32_t n_topics;          ///< of the diversity
    uint64_t seed;              ///< of what methods draw
    br_truth_teller truth;      ///< NULL: unknown
    br_compare_watcher watcher; ///< may be NULL
    void *context;              ///< of both
} br_compare_options;

/// Each bond as of its issue day. Memory: of a bond and method n_top sets and what is known of each; a draw of BR_BACKGROUND_PAIRS training
/// pairs. Errors: BR_ERR_INVALID (no bond in the range, no methods, what a method lacks), BR_ERR_CANCELLED, BR_ERR_NO_MEMORY, those of the
/// truth.
br_status br_compare(br_comparison *out, br_market *market, const br_served *served,
                     const br_compare_options *options) BR_MUST_CHECK;
void br_comparison_deinit(br_comparison *comparison);

/// Left - right of one figure, paired by bond: the methods' numbers in the comparison.
br_difference br_comparison_difference(const br_comparison *comparison, br_merit merit, uint32_t left, uint32_t right);

#endif
