#ifndef BR_MODEL_LAYERS_H
#define BR_MODEL_LAYERS_H

/// The layers of the network on a tile of rows: each forward beside its backward. Forward overwrites its output; backward adds to
/// every gradient it is given. Private to the module.
///
/// T = rows of the tile, F = fields, d = embedding size, W = F * d, r = rank, h = width of a hidden layer.

#include "base/rng.h"
#include "linalg/gemm.h"
#include "model/train.h"

/// Element-wise loops are compiled for several vector widths and chosen at start; they hold no reductions, so the result is the
/// same in each.
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define BR_WIDE __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define BR_WIDE
#endif

// --- embedding.c ---

/// row[j] = embedding row of each field of one sample; masked[n_investor_fields], NULL = nothing is.
///   row  out [F]
void br_embedding_rows(uint32_t *row, const br_model *model, const uint8_t *bond_codes, const uint8_t *investor_codes,
                       const uint8_t *masked);
/// x_0 = the rows' embeddings.
///   x0  out [n, d]    table  in [rows of the table, d]    row  in [n]    n = T * F
void br_embedding_forward(float *x0, const float *table, const uint32_t *row, size_t n, size_t d);
/// d_table[row[i]] += dx0[i]
void br_embedding_backward(float *d_table, const float *dx0, const uint32_t *row, size_t n, size_t d);

// --- cross.c ---

typedef struct br_cross_layer {
    br_matrix u; ///< [W, r]
    br_matrix v; ///< [W, r]
    float *b;    ///< [W]
} br_cross_layer;

br_cross_layer br_cross_layer_of(const br_model *model, uint32_t l);

/// What one layer's pass works on.
typedef struct br_cross_pass {
    br_matrix x0;   ///< [T, W]
    br_matrix x;    ///< [T, W] x_l
    br_matrix q;    ///< [T, r] V^T x_l
    br_matrix z;    ///< [T, W] U q; backward leaves its gradient here
    br_matrix next; ///< [T, W] x_{l+1}; forward only
    br_matrix dx;   ///< [T, W] backward: in d x_{l+1}, out d x_l (d x_{l+1} passes through and is added to)
    br_matrix dx0;  ///< [T, W] backward adds
    br_matrix dq;   ///< [T, r] backward's scratch
} br_cross_pass;

/// x_{l+1} = x_0 * (U V^T x_l + b) + x_l
void br_cross_forward(const br_cross_pass *pass, const br_cross_layer *layer);
void br_cross_backward(br_cross_layer *d_layer, const br_cross_pass *pass, const br_cross_layer *layer);

// --- tower.c ---

typedef struct br_dense_layer {
    br_matrix w; ///< [h, n_in]
    float *c;    ///< [h]
} br_dense_layer;

br_dense_layer br_dense_layer_of(const br_model *model, uint32_t i);

/// h = relu(x W^T + c)
///   h  out [T, h]    x  in [T, n_in]
void br_dense_forward(br_matrix h, br_matrix x, const br_dense_layer *layer);
/// dh is turned into the gradient before the relu; dx += and d_layer +=.
void br_dense_backward(br_dense_layer *d_layer, br_matrix dx, br_matrix dh, br_matrix h, br_matrix x,
                       const br_dense_layer *layer);

// --- output.c ---

/// logit[t] += x[t] . w
///   logit  in,out [T]    x  in [T, n]    w  in [n]
void br_output_forward(float *logit, br_matrix x, const float *w);
/// dx[t] += dlogit[t] w;  dw += sum_t dlogit[t] x[t]
void br_output_backward(float *dw, br_matrix dx, const float *dlogit, br_matrix x, const float *w);

// --- loss.c ---

/// Weighted sum over rows of the log loss in nats of sigmoid(logit + offset), and its gradient.
///   logit  in [n]    label  in [n] 0 or 1    weight  in [n]    dlogit  out [n], may be NULL
double br_loss(float *dlogit, const float *logit, const uint8_t *label, const float *weight, size_t n, double offset);

// --- adam.c ---

typedef struct br_adam {
    float *m;      ///< [n_parameters] mean of the gradient
    float *v;      ///< [n_parameters] mean of its square
    uint64_t step; ///< steps done, the one under way included
} br_adam;

/// One step on parameters [from, until): the gradient is the sum of `n_gradients` blocks in their order, plus l2 times the parameter.
///
/// Source: Kingma and Ba 2015, Algorithm 1; beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8.
void br_adam_step(float *parameters, const br_adam *adam, float *const *gradients, size_t n_gradients, size_t from,
                  size_t until, double rate, double l2);

// --- masks.c ---

/// masked[n_fields]: which of a sample's maskable fields are hidden, a function of (seed, epoch, sample) and the plan alone.
///
///   maskable  in [n_maskable] their numbers among the n_fields investor fields
///
/// Source: Algorithm 1.
/// Choice: one 16-bit number per field against p_m in 1/65,536, so that a block of the generator serves eight fields.
void br_mask_draw(uint8_t *masked, uint32_t n_fields, const uint32_t *maskable, uint32_t n_maskable,
                  const br_mask_plan *plan, br_rng *rng);

// --- calibrate.c ---

/// Platt's slope and offset by Newton's method on the weighted log loss; negatives weigh `negative_weight`. False, and the identity,
/// when the fit does not exist or its slope is not positive.
bool br_calibrate(br_calibration *out, const float *logit, const uint8_t *label, size_t n, double negative_weight);

#endif
