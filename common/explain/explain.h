#ifndef BR_EXPLAIN_EXPLAIN_H
#define BR_EXPLAIN_EXPLAIN_H

/// Why this investor: the k investor features that explain best (paper 4.1 Eq. (1)), found by exact search on the collapsed
/// model. No randomness, no BLAS; the same bytes everywhere.
///
///     br_explain_bond_new(&context, snapshot parts, population, options);      // once per bond: the job
///     for each recommended investor: br_explain(context, investor, warm_start, &explanation);

#include "model/collapse.h"
#include "model/record.h"

#define BR_MAX_REASONS 16

typedef enum br_objective {
    BR_OBJECTIVE_PLAIN = 1, ///< the paper's sufficient value f(x_S)
    BR_OBJECTIVE_BACKED,    ///< sufficient among reasons that the record backs
} br_objective;

typedef struct br_explain_options {
    br_objective objective;
    uint32_t n_reasons;      ///< k = 6; 1 to BR_MAX_REASONS and at most the number of investor fields
    bool certify;            ///< sweep all k (N - k) swaps at the end
    uint32_t budget_us;      ///< 0 = none; at the budget the best set so far, not certified
    float warm_margin;       ///< leave yesterday's set only for a gain in logit above this (0.02)
} br_explain_options;

br_explain_options br_explain_options_default(void);

/// All investors of the bond's day: whose codes, logits and eligibility the explanation looks at.
typedef struct br_population {
    const uint8_t *codes;    ///< [n, n_investor_fields]
    const float *logits;     ///< [n] all fields shown, this bond
    const uint8_t *eligible; ///< [n]
    uint32_t n;
} br_population;

typedef struct br_reason {
    uint32_t field;   ///< investor field, from 0
    uint8_t code;
    float gain;       ///< f(S) - f(S without it), in logit
    float backing;    ///< sigmas of the record
    uint32_t bids;    ///< bids behind the backing
} br_reason;

typedef struct br_explanation {
    uint32_t investor;    ///< row in the population
    uint32_t n_reasons;
    br_reason reasons[BR_MAX_REASONS]; ///< by loss when removed, largest first
    br_reason against;    ///< shown as well, it would lower f(S) most; field UINT32_MAX if none would
    float logit_selected; ///< f(x_S)
    float logit_all;      ///< f(x)
    float logit_none;     ///< all hidden
    double objective;     ///< the value that was maximised
    uint32_t n_matching;  ///< OTHER eligible investors of the day with the same k values
    double mean_probability_matching; ///< mean raw sigmoid(f(x_i)) of them; 0 if none
    bool certified;       ///< swap-optimal: no single swap gains
    uint32_t evaluations; ///< of f
} br_explanation;

typedef struct br_explain_context br_explain_context;

/// What is computed once per bond. Everything passed is borrowed and must outlive the context.
/// Errors: BR_ERR_INVALID (k out of range, codes out of range), BR_ERR_NO_MEMORY.
br_status br_explain_context_new(br_explain_context **out, const br_collapsed *collapsed, const br_encoder *encoder,
                                 const br_record *record, const float *mean_bond, const uint8_t *bond_codes,
                                 const br_population *population, const br_explain_options *options) BR_MUST_CHECK;
/// Explain one investor of the population. warm_start: [n_reasons] fields of an earlier explanation, or NULL.
br_status br_explain(br_explain_context *context, uint32_t investor, const uint32_t *warm_start,
                     br_explanation *out) BR_MUST_CHECK;
void br_explain_context_free(br_explain_context **context);

#endif
