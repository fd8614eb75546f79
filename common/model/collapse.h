#ifndef BR_MODEL_COLLAPSE_H
#define BR_MODEL_COLLAPSE_H

/// The collapsed model: the same function as model.h, exactly, with a cost that does not grow with the number of fields.
///
/// Every x_l equals x_0 * (1 + B_l + sum_{m<l} U_m q_m) with q_m = V_m^T x_m in R^r and B_l = sum_{m<l} b_m, so only the
/// r-vectors matter, and each coefficient is linear in x_0: a sum over fields of one row each. For field j with
/// embedding e:
///
///   P_l  = V_lj^T (e * (1 + B_l))   r        K_lm = V_lj^T diag(e) U_mj   r x r, m < l
///   G_m  = U_mj^T (w_j * e)         r        c    = w_j^T (e * (1 + B_L)) 1, or the linear weight
///   T    = W_1j^T e                 h_1
///   F    = e                        d        square = |e|^2               1
///   state = sum of the rows of all fields
///   q_0 = P_0;  q_l = P_l + sum_{m<l} K_lm q_m
///
///   dnn     logit = deep(T) + bias
///   wide    logit = c + deep(T) + bias
///   deepfm  logit = c + (|F|^2 - square) / 2 + deep(T) + bias
///   dcn     logit = c + sum_{m<L} G_m . q_m + deep(T) + bias
///           stacked: T = W_1j^T (e * (1 + B_L)), K_Lm = W_1j^T diag(e) U_mj   h_1 x r
///                    logit = deep(T + sum_{m<L} K_Lm q_m) + bias
///
/// Cross layers of full rank have no short q and do not collapse: there a state holds x_0 instead of P, G and K, and a logit takes all of
/// every x_l (uncollapsed.h). The same calls, the same promises, some hundred times the time.
///
/// P, G, T, c, F and the square of every value are tabled once per model; K is worked out from U, V and e where it is needed (2 d r
/// multiplications for K q, d r^2 to change a state), so the tables stay in the cache. Investor fields are kept as
/// differences to their mask embedding. c_1 and bias are counted with the bond.
///
/// A pair of bond and investor is a sum of two states: br_collapsed_bond() + what the investor adds. The first is made once
/// per bond, the second once per day and investor:
///
///     br_collapsed_bond(collapsed, bond_codes, state);
///     status = br_collapsed_investors(collapsed, codes, n, halves);         // all fields shown
///     br_collapsed_logits(collapsed, state, halves, n, logits, scratch);    // ranking
///     br_collapsed_add_hidden(collapsed, state);                            // explaining: all fields hidden, then
///     br_collapsed_show(collapsed, state, j, code);                         // one after the other shown
///
/// Everything here is the answer path: fixed-order kernels (linalg/fixed.h), no BLAS. A state that went through many changes
/// has rounded at each; whoever searches starts again from a fresh state after a bounded number of them.
///
/// Source:  4.2, 4.3 of the paper; DCN-V2 (its ref [30]) for the layers. The collapse is algebra on them.

#include "linalg/fixed.h"
#include "model/model.h"

typedef struct br_collapsed br_collapsed;

/// Gates that a state may have changed at once: two swaps.
#define BR_MAX_GATE_CHANGES 4

/// One investor field shown (or hidden again) with `code`.
typedef struct br_gate_change {
    uint32_t field; ///< investor field, from 0
    uint8_t code;
    bool hide;
} br_gate_change;

/// Kernels as br_fixed() chooses them. `model`: borrowed, must outlive it. Memory: per value of a field 2 L r + h_1 + 2 d + 16
/// floats, and 4 L r floats per element of x_0 (stacked: 2 h_1 more). Errors: BR_ERR_NO_MEMORY, BR_ERR_INVALID
/// (an investor field cannot be masked).
br_status br_collapsed_new(br_collapsed **out, const br_model *model) BR_MUST_CHECK;
void br_collapsed_free(br_collapsed **collapsed);
size_t br_collapsed_bytes(const br_collapsed *collapsed);
uint32_t br_collapsed_n_bond_fields(const br_collapsed *collapsed);
uint32_t br_collapsed_n_investor_fields(const br_collapsed *collapsed);
/// Floats of a state, at most: 2 L r + h_1 + d + 16 + r^2 L (L - 1) / 2 (stacked: r L h_1 more), r, h_1 and d rounded up to 16; of full
/// rank h_1 + 16 + n_fields d. Callers own the memory.
size_t br_collapsed_state_floats(const br_collapsed *collapsed);
size_t br_collapsed_scratch_floats(const br_collapsed *collapsed);
/// Number of the first code of investor field j among all codes of investor fields; j = n_investor_fields: how many.
uint32_t br_collapsed_first_code(const br_collapsed *collapsed, uint32_t j);

/// state = the bond's half, [n_bond_fields] codes.
void br_collapsed_bond(const br_collapsed *collapsed, const uint8_t *bond_codes, float *state);
/// state = an average bond, `mean_bond` [br_mean_bond_floats()]: its embeddings and its linear weights in place of a bond's.
void br_collapsed_mean_bond(const br_collapsed *collapsed, const float *mean_bond, float *state);
/// state += all investor fields hidden.
void br_collapsed_add_hidden(const br_collapsed *collapsed, float *state);
/// halves[i] = what investor i adds to a bond with all fields shown: [n, state_floats], codes [n, n_investor_fields]. The bytes
/// of a half do not depend on the other investors of the call; many at once are faster. Errors: BR_ERR_NO_MEMORY.
br_status br_collapsed_investors(const br_collapsed *collapsed, const uint8_t *investor_codes, size_t n,
                                 float *halves) BR_MUST_CHECK;
/// state += row(field j shown with `code`) - row(field j hidden); j counts investor fields from 0.
void br_collapsed_show(const br_collapsed *collapsed, float *state, uint32_t j, uint8_t code);
void br_collapsed_hide(const br_collapsed *collapsed, float *state, uint32_t j, uint8_t code);

/// logit of a state. `scratch`: br_collapsed_scratch_floats() floats.
float br_collapsed_logit(const br_collapsed *collapsed, const float *state, float *scratch);
/// logits_out[i] = logit after changes[i] alone, the state unchanged: [n], each of n_changes <= BR_MAX_GATE_CHANGES fields,
/// changes [n, n_changes].
void br_collapsed_logits_if(const br_collapsed *collapsed, const float *state, const br_gate_change *changes,
                            size_t n_changes, size_t n, float *logits_out, float *scratch);
/// logits_out[i] = logit of bond_state + halves[i]: [n].
void br_collapsed_logits(const br_collapsed *collapsed, const float *bond_state, const float *halves, size_t n,
                         float *logits_out, float *scratch);
/// gradient_out[i] = d logit / d gate_j at `state` for each j = fields[i], [n] investor fields with codes[j], where x_0 of the field, and
/// its linear weight, is (1 - gate_j) mask + gate_j value. For BR_DEEPFM only of fields that are hidden at `state`: a state does not know which these are,
/// and of a shown one |value - mask|^2 is counted that does not belong there.
void br_collapsed_gate_gradient(const br_collapsed *collapsed, const float *state, const uint8_t *investor_codes,
                                const uint32_t *fields, size_t n, float *gradient_out, float *scratch);
/// The same for every code of every investor field: gradient_out[br_collapsed_first_code(j) + code].
void br_collapsed_gate_gradient_of_codes(const br_collapsed *collapsed, const float *state, float *gradient_out,
                                         float *scratch);

#endif
