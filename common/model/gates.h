#ifndef BR_MODEL_GATES_H
#define BR_MODEL_GATES_H

/// The network with a gate on every investor field, for whoever asks what a field brings: the paper's search by gradient (4.4) and the
/// attributions that walk or differentiate between a baseline and the investor.
///
///   x_0 of investor field j = (1 - s_j) baseline_j + s_j value_j;   its linear weight the same
///
/// s_j = 1 shows the field, s_j = 0 replaces it by its baseline; values between are points of the straight line. Bond fields have no
/// gates. Dense products, many samples at once, every architecture, full rank included; model/collapse.h, whose logits it equals within
/// rounding, does less for gates of 0 and 1. No BLAS: on these shapes the fixed-order kernels are faster, and the bytes of a sample's logit
/// and gradient depend neither on the other samples of the call nor on the host.
///
///     br_gates_new(&gates, model, 64);
///     br_gates_bond(gates, bond_codes);                            // all samples that follow are of this bond
///     br_gates_logits(gates, &samples, n, logits_out);
///     br_gates_gradient(gates, &samples, n, logits_out, gradient_out);
///
/// Source:  4.4 Eq. (6), x (x) s; the baselines of 5.2 and of Table 4.

#include "model/model.h"

typedef enum br_baseline {
    BR_BASELINE_MASK,    ///< the learned mask embedding (4.3): "not known"; every investor field is maskable
    BR_BASELINE_ZERO,    ///< the zero vector, as IG is used in 5.2; the linear weight 0
    BR_BASELINE_AVERAGE, ///< the mean of the embeddings of the field's values, each value alike (Table 4, "Avg embedding")
    BR_BASELINE_VALUE, ///< another investor's value
} br_baseline;

/// Samples of one bond, each an investor with gates. What the pointers point to is borrowed.
typedef struct br_gate_samples {
    const uint8_t *codes; ///< [n, n_investor_fields]
    const float *gates;   ///< [n, n_investor_fields] finite; NULL: all 1
    br_baseline baseline;
    const uint8_t *baseline_codes; ///< [n, n_investor_fields] of BR_BASELINE_VALUE; else NULL
} br_gate_samples;

typedef struct br_gates br_gates;

/// Room for `max_samples` at a time; more are worked in turns. `model`: borrowed, must outlive it and keep its parameters. Serves one
/// thread. Memory: max_samples x ((3 + n_cross) n_fields d + rank + 2 x the hidden layers' widths) floats, and another copy of the model's weights
/// without its embeddings. Errors: BR_ERR_INVALID (no investor field, no sample), BR_ERR_NO_MEMORY.
br_status br_gates_new(br_gates **out, const br_model *model, uint32_t max_samples) BR_MUST_CHECK;
void br_gates_free(br_gates **gates);
/// The bond of the samples that follow: [n_bond_fields] codes.
void br_gates_bond(br_gates *gates, const uint8_t *bond_codes);
/// logits_out[n].
void br_gates_logits(br_gates *gates, const br_gate_samples *samples, size_t n, float *logits_out);
/// gradient_out[n, n_investor_fields] = d logit / d s_j at the samples' gates; logits_out[n] may be NULL.
void br_gates_gradient(br_gates *gates, const br_gate_samples *samples, size_t n, float *logits_out,
                       float *gradient_out);

#endif
