#ifndef BR_MODEL_LAYERS_H
#define BR_MODEL_LAYERS_H

/// The layers of the network on a tile of rows: each forward beside its backward. Forward overwrites its output; backward adds to
/// every gradient it is given. Private to the module.
///
/// T = rows of the tile, F = fields, d = embedding size, W = F * d, r = rank, h = width of a hidden layer, n = floats of a state.

#include "base/rng.h"
#include "linalg/gemm.h"
#include "model/tables.h"
#include "model/train.h"

/// Rows of a tile: few enough that what a layer touches stays near the core, enough for the products to be worth their set-up.
#define BR_TILE_ROWS 64

/// Some samples on their way through the network; one thread's workspace.
typedef struct br_tile {
    size_t n;          ///< rows in use
    uint32_t *n_shown; ///< [F] rows in which the field is not masked
    uint32_t *list;    ///< [F, T] which rows these are
    uint32_t *value;   ///< [F, T] their rows of the tables; of a gathered field, embedding rows of all the tile's rows
    float *
        state; ///< [T, n] sums of the tables' rows; `t` and, after the cross, the P's place hold what the layers made of it
    float *d_state;              ///< [T, n]
    float *q[BR_MAX_CROSS];      ///< [T, r] V_l^T x_l
    float *dq[BR_MAX_CROSS + 1]; ///< [T, columns of l]
    float *s[BR_MAX_CROSS + 1];  ///< [F, T, d] sum_{m<l} U_m q_m where the field is shown
    float *ds;                   ///< [F, T, d]
    float *d_gathered;   ///< [F, T, d] of gathered fields: what the cross layers add to their embeddings' gradients
    const uint32_t *row; ///< [n, F] embedding rows; borrowed, of full rank
    float *xs[BR_MAX_CROSS + 1];   ///< [T, W] x_l of full rank
    float *zs[BR_MAX_CROSS + 1];   ///< [T, W] M_l x_l of full rank; the last is scratch
    float *dx;                     ///< [T, W] gradient of x_l of full rank
    float *x;                      ///< [T, d] of one field
    float *y;                      ///< likewise
    float *dy;                     ///< likewise
    float *z[BR_MAX_HIDDEN];       ///< [T, hidden[i]] of batch norm: what a layer sums up, normalised
    float *mean[BR_MAX_HIDDEN];    ///< [hidden[i]] of that over the tile's rows
    float *inverse[BR_MAX_HIDDEN]; ///< [hidden[i]] 1 / its standard deviation
    float *sums;                   ///< [2, widest hidden layer] scratch
    float *h[BR_MAX_HIDDEN];       ///< [T, hidden[i]]
    float *dh[BR_MAX_HIDDEN];      ///< likewise
    float *logit;                  ///< [T]
    float *dlogit;                 ///< [T] set by the caller before backward
    float *block;                  ///< the memory of all floats above
} br_tile;

br_status br_tile_new(br_tile **out, const br_tables *tables) BR_MUST_CHECK;
void br_tile_free(br_tile **tile);

// --- embedding.c ---

/// row[j] = embedding row of each field of one sample; masked[n_investor_fields], NULL = nothing is.
///   row  out [F]
void br_embedding_rows(uint32_t *row, const br_model *model, const uint8_t *bond_codes, const uint8_t *investor_codes,
                       const uint8_t *masked);

// --- cross.c ---

/// q_l for all layers, s, and for a stacked tower its share of T.
void br_cross_forward(br_tile *tile, const br_tables *tables);
/// From dq and, for a stacked tower, d_state's T to d_state's P, and to the part's shown, u, out and k.
void br_cross_backward(br_gradient_part *part, br_tile *tile, const br_tables *tables);

// --- full.c ---

/// The cross layers of full rank: logit += w_cross . x_L, or for a stacked tower its T. Nothing to do for other models.
void br_full_forward(br_tile *tile, const br_tables *tables);
void br_full_backward(br_gradient_part *part, br_tile *tile, const br_tables *tables);

// --- tower.c ---

/// How the tower is run. Zeros: as it is served.
typedef struct br_tower_mode {
    bool batch_norm;
    bool learning;                       ///< batch norm by the tile's own mean and deviation, and dropout
    uint32_t drop;                       ///< of 65,536 outputs
    uint64_t seed;                       ///< of dropout
    uint32_t step;                       ///< likewise
    uint32_t first;                      ///< number of the tile's first sample in the step
    const float *mean[BR_MAX_HIDDEN];    ///< [hidden[i]] where it is not learning
    const float *inverse[BR_MAX_HIDDEN]; ///< likewise
} br_tower_mode;

#define BR_NORM_EPSILON 1e-5f

/// The whole tower from T: h_1 = relu(T + c_1), h_i = relu(h_{i-1} W_i^T + c_i);  logit += w_deep . h_last
///
/// With batch norm relu(N(x) + c), N(x) = (x - mean) / sqrt(variance + BR_NORM_EPSILON), mean and variance over the tile's rows. With
/// dropout each h is 0 or h / (1 - drop / 65,536), a function of (seed, step, sample, layer).
///
/// Source: Ioffe and Szegedy 2015, Algorithm 1; Srivastava et al. 2014.
/// Choice: no scale after the normalisation: relu(a x) = a relu(x), so that the next layer has it; the shift is c.
/// Choice: over a tile, not over the step ("ghost batches", Hoffer et al. 2017): no part waits for another.
void br_tower_forward(br_tile *tile, const br_tables *tables, const br_tower_mode *mode);
/// d_state's T and the part's c, w, w_deep += from dlogit, by the mode of the forward.
void br_tower_backward(br_gradient_part *part, br_tile *tile, const br_tables *tables, const br_tower_mode *mode);
/// h[n] of one sample and layer: 0 or h / (1 - drop / 65,536).
void br_dropout(float *h, size_t n, const br_tower_mode *mode, uint32_t sample, uint32_t layer);

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
    // Of the step under way, with the bias correction of both means.
    float rate;
    float epsilon;
} br_adam;

/// Begin a step.
void br_adam_begin(br_adam *adam, double rate);
/// The step on parameters [from, until) by their gradient plus l2 times the parameter.
///
/// Source: Kingma and Ba 2015, Algorithm 1; beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8.
void br_adam_update(float *parameters, const br_adam *adam, const float *gradient, size_t from, size_t until,
                    double l2);

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

#define BR_CALIBRATION_NONE ((br_calibration){.slope = 1.0})
/// Platt's slope and offset by Newton's method on the weighted log loss; negatives weigh `negative_weight`. False, and the identity,
/// when the fit does not exist or its slope is not positive.
bool br_calibrate_platt(br_calibration *out, const float *logit, const uint8_t *label, size_t n,
                        double negative_weight);
/// As `form` says. second[i]: is sample i of the half that BR_CALIBRATION_AUTO chooses by? *fitted_out: false, and the identity, when no fit
/// exists. Errors: BR_ERR_NO_MEMORY.
br_status br_calibrate(br_calibration *out, bool *fitted_out, br_calibration_form form, const float *logit,
                       const uint8_t *label, const uint8_t *second, size_t n, double negative_weight) BR_MUST_CHECK;

#endif
