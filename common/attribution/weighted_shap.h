#ifndef BR_ATTRIBUTION_WEIGHTED_SHAP_H
#define BR_ATTRIBUTION_WEIGHTED_SHAP_H

/// What Weighted SHAP chooses from. Not for other modules.

#include "attribution/attribution.h"

/// Beta semivalues (alpha, beta), from those that look at small sets to those that look at large ones; the middle one is Shapley's.
#define BR_N_SEMIVALUES 11
/// With the contributions to nobody, and to all others, alone.
#define BR_N_CANDIDATES (BR_N_SEMIVALUES + 2)

/// weights_out[s], s = 0 .. n_players - 1: what a player's contribution to a set of s others counts; the sum is 1.
///
///   C(n - 1, s) B(s + beta, n - 1 - s + alpha) / B(alpha, beta)
void br_semivalue_weights(uint32_t semivalue, uint32_t n_players, double *weights_out);

/// Every candidate's phi of an investor's players: [BR_N_CANDIDATES, *n_players_out], in the order of their fields. Borrowed: valid until the
/// next investor. `attribution` is one of BR_ATTRIBUTION_WEIGHTED_SHAP.
const double *br_weighted_shap_candidates(br_attribution *attribution, const uint8_t *codes, uint32_t key,
                                          uint32_t *n_players_out);

#endif
