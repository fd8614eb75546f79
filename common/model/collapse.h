#ifndef BR_MODEL_COLLAPSE_H
#define BR_MODEL_COLLAPSE_H

/// The collapsed model: the same function as model.h, exactly, with a cost that does not grow with the number of fields.
///
/// Every x_l equals x_0 * (1 + B_l + sum_{m<l} U_m q_m) with q_m = V_m^T x_m in R^r and B_l = sum_{m<l} b_m, so only the r-vectors matter, and each
/// coefficient is linear in x_0: a sum over fields of rows of a table made once per snapshot. For field j with embedding e:
///
///   P_l  = V_lj^T (e * (1 + B_l))   r        K_lm = V_lj^T diag(e) U_mj   r x r, m < l
///   G_m  = U_mj^T (w_j * e)         r        c    = w_j^T (e * (1 + B_L)) 1
///   T    = W_1j^T e                 h_1
///   state = sum of the rows of all fields
///   q_0 = P_0;  q_l = P_l + sum_{m<l} K_lm q_m
///   logit = c + sum_{m<L} G_m . q_m + deep(T) + bias
///
/// Everything here is the answer path: fixed-order kernels (linalg/fixed.h), no BLAS.

#include "model/model.h"

typedef struct br_collapsed br_collapsed;

/// Errors: BR_ERR_NO_MEMORY.
br_status br_collapsed_new(br_collapsed **out, const br_model *model) BR_MUST_CHECK;
void br_collapsed_free(br_collapsed **collapsed);
size_t br_collapsed_bytes(const br_collapsed *collapsed);
/// Floats of a state; callers own the memory (64-byte aligned).
size_t br_collapsed_state_floats(const br_collapsed *collapsed);

/// state = the bond's half, [n_bond_fields] codes.
void br_collapsed_bond(const br_collapsed *collapsed, const uint8_t *bond_codes, float *state);
/// state = an average bond: the bond fields' embeddings replaced by `mean_embedding` [n_bond_fields * d].
void br_collapsed_mean_bond(const br_collapsed *collapsed, const float *mean_embedding, float *state);
/// state += all investor fields hidden. The constant is made once with the tables.
void br_collapsed_add_hidden(const br_collapsed *collapsed, float *state);
/// state += the investor's half with all fields shown.
void br_collapsed_add_investor(const br_collapsed *collapsed, const uint8_t *investor_codes, float *state);
/// state += row(field j shown with `code`) - row(field j hidden); j counts investor fields from 0.
void br_collapsed_show(const br_collapsed *collapsed, float *state, uint32_t j, uint8_t code);
void br_collapsed_hide(const br_collapsed *collapsed, float *state, uint32_t j, uint8_t code);

/// logit of a state. `scratch`: br_collapsed_scratch_floats() floats.
float br_collapsed_logit(const br_collapsed *collapsed, const float *state, float *scratch);
/// logit after showing investor field j with `code`, the state unchanged.
float br_collapsed_logit_if_shown(const br_collapsed *collapsed, const float *state, uint32_t j, uint8_t code,
                                  float *scratch);
/// logits of n investors of one bond, all fields shown: [n]. bond_state from br_collapsed_bond().
void br_collapsed_logits(const br_collapsed *collapsed, const float *bond_state, const uint8_t *investor_codes, size_t n,
                         float *logits_out, float *scratch);
/// gradient[j] = d logit / d gate_j at `state` for each investor field j with codes[j], gate_j = 0 hidden, 1 shown (for
/// shortlists).
void br_collapsed_gate_gradient(const br_collapsed *collapsed, const float *state, const uint8_t *investor_codes,
                                float *gradient_out, float *scratch);
size_t br_collapsed_scratch_floats(const br_collapsed *collapsed);

#endif
