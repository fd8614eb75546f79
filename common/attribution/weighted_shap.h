#ifndef BR_ATTRIBUTION_WEIGHTED_SHAP_H
#define BR_ATTRIBUTION_WEIGHTED_SHAP_H

/// The weights of sizes that Weighted SHAP chooses from. Not for other modules.

#include <stdint.h>

/// Beta semivalues (alpha, beta), from those that look at small sets to those that look at large ones; the middle one is Shapley's.
#define BR_N_SEMIVALUES 11

/// weights_out[s], s = 0 .. n_players - 1: what a player's contribution to a set of s others counts; the sum is 1.
///
///   C(n - 1, s) B(s + beta, n - 1 - s + alpha) / B(alpha, beta)
void br_semivalue_weights(uint32_t semivalue, uint32_t n_players, double *weights_out);

#endif
