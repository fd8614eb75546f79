#ifndef BR_EXPLAIN_EXHAUSTIVE_H
#define BR_EXPLAIN_EXHAUSTIVE_H

/// What the search for plain reasons is judged by: every set there is. For audits; the cost is that of n over k evaluations.

#include "model/collapse.h"

#define BR_MAX_EXHAUSTIVE 64

/// *best_out = the largest logit f(x_S) over all sets S of k of the n fields, 1 <= k <= n <= BR_MAX_EXHAUSTIVE, of the investor with
/// `codes`. Memory: k + 1 states. Errors: BR_ERR_NO_MEMORY.
br_status br_explain_best_of_all(const br_collapsed *collapsed, const uint8_t *bond_codes, const uint8_t *codes,
                                 const uint32_t *fields, uint32_t n, uint32_t k, float *best_out) BR_MUST_CHECK;

#endif
