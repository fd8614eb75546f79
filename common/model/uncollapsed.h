#ifndef BR_MODEL_UNCOLLAPSED_H
#define BR_MODEL_UNCOLLAPSED_H

/// Cross layers of full rank behind collapse.h: they have no short q, so that a state carries x_0 itself, a sum over fields like the rest
/// of it, and each logit takes all of x_l. Fixed-order kernels, no BLAS. Private to the module.
///
///   x_{l+1} = x_0 * (M_l x_l + b_l) + x_l
///
/// Many states at once read each M_l once: with 291 fields, d = 8 and two layers a logit takes 0.6 ms among many, 3 ms alone (Zen 4, shared).
/// W = n_fields * d.
///
/// Source: DCN-V2 (ref [30]) Eq. (1).

#include "linalg/fixed.h"
#include "model/model.h"

#define BR_UNCOLLAPSED_STATES 32 ///< at a time

static inline bool br_is_uncollapsed(const br_model *model)
{
    return model->n_low < model->config.n_cross;
}

/// Scratch of both functions: so many times W floats.
#define BR_UNCOLLAPSED_SCRATCH (3 * (size_t)BR_UNCOLLAPSED_STATES)

/// x_L of n states, [n, W] in the scratch, which begins with their x_0 [n, W].
const float *br_uncollapsed_forward(const br_model *model, const br_fixed_kernels *kernels, size_t n, float *scratch);
/// The gradient by x_0 [W] of one state, in the scratch, which begins with its x_0 [W] and the gradient by x_L [W].
const float *br_uncollapsed_backward(const br_model *model, const br_fixed_kernels *kernels, float *scratch);

#endif
