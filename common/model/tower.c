// h_1 [T, h_1] = relu(T + c_1);  h_i [T, h_i] = relu(h_{i-1} W_i^T + c_i);  logit += w_deep . h_last

#include "model/layers.h"

#include <math.h>
#include <string.h>

/// h = relu(x + c) of one row.
BR_WIDE static void bias_and_relu(float *h, const float *x, const float *restrict c, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float value = x[i] + c[i];
        // A NaN stays a NaN: the comparison is false for it.
        h[i] = value <= 0.0f ? 0.0f : value;
    }
}

static br_matrix hidden_of(const br_tile *tile, const br_model *model, float *const *h, uint32_t i)
{
    return br_matrix_of(h[i], tile->n, model->config.hidden[i]);
}

static br_matrix weight_of(const br_model *model, float *const *w, uint32_t i)
{
    return br_matrix_of(w[i], model->config.hidden[i], model->config.hidden[i - 1]);
}

// --- batch norm ---

/// mean and inverse of x [n rows, columns] at `stride`.
BR_WIDE static void measure(float *restrict mean, float *restrict inverse, const float *restrict x, size_t stride,
                            size_t n_rows, size_t columns)
{
    memset(mean, 0, columns * sizeof *mean);
    memset(inverse, 0, columns * sizeof *inverse);
    const float share = 1.0f / (float)n_rows;
    for (size_t t = 0; t < n_rows; t++) {
        for (size_t i = 0; i < columns; i++) {
            mean[i] += share * x[t * stride + i];
        }
    }
    for (size_t t = 0; t < n_rows; t++) {
        for (size_t i = 0; i < columns; i++) {
            float difference = x[t * stride + i] - mean[i];
            inverse[i] += share * difference * difference;
        }
    }
    for (size_t i = 0; i < columns; i++) {
        inverse[i] = 1.0f / sqrtf(inverse[i] + BR_NORM_EPSILON);
    }
}

BR_WIDE static void normalise(float *restrict z, const float *restrict x, const float *restrict mean,
                              const float *restrict inverse, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        z[i] = (x[i] - mean[i]) * inverse[i];
    }
}

/// z of layer i from x [T, hidden[i]] at `stride`.
static void norm_forward(br_tile *tile, const br_model *model, const br_tower_mode *mode, uint32_t i, const float *x,
                         size_t stride)
{
    size_t n = model->config.hidden[i];
    const float *mean = mode->learning ? tile->mean[i] : mode->mean[i];
    const float *inverse = mode->learning ? tile->inverse[i] : mode->inverse[i];
    if (mode->learning) {
        measure(tile->mean[i], tile->inverse[i], x, stride, tile->n, n);
    }
    for (size_t t = 0; t < tile->n; t++) {
        normalise(tile->z[i] + t * n, x + t * stride, mean, inverse, n);
    }
}

BR_WIDE static void add_moments(float *restrict dz_mean, float *restrict product_mean, const float *restrict dz,
                                const float *restrict z, float share, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        dz_mean[i] += share * dz[i];
        product_mean[i] += share * dz[i] * z[i];
    }
}

BR_WIDE static void through_norm(float *restrict dz, const float *restrict z, const float *restrict inverse,
                                 const float *restrict dz_mean, const float *restrict product_mean, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        dz[i] = inverse[i] * (dz[i] - dz_mean[i] - z[i] * product_mean[i]);
    }
}

/// dh of layer i: from the gradient by z to that by x, mean and deviation being the tile's own.
static void norm_backward(br_tile *tile, const br_model *model, uint32_t i)
{
    size_t n = model->config.hidden[i];
    float *dz_mean = tile->sums;
    float *product_mean = tile->sums + n;
    memset(tile->sums, 0, 2 * n * sizeof *tile->sums);
    for (size_t t = 0; t < tile->n; t++) {
        add_moments(dz_mean, product_mean, tile->dh[i] + t * n, tile->z[i] + t * n, 1.0f / (float)tile->n, n);
    }
    for (size_t t = 0; t < tile->n; t++) {
        through_norm(tile->dh[i] + t * n, tile->z[i] + t * n, tile->inverse[i], dz_mean, product_mean, n);
    }
}

// --- dropout ---

static float kept_scale(const br_tower_mode *mode)
{
    return mode->learning ? 65536.0f / (float)(65536 - mode->drop) : 1.0f;
}

void br_dropout(float *h, size_t n, const br_tower_mode *mode, uint32_t sample, uint32_t layer)
{
    const float scale = kept_scale(mode);
    br_rng rng = br_rng_at(mode->seed, BR_STREAM_DROPOUT, mode->step, sample * BR_MAX_HIDDEN + layer);
    uint32_t bits = 0;
    for (size_t i = 0; i < n; i++) {
        // A 32-bit number serves two outputs.
        bits = i % 2 == 0 ? br_rng_u32(&rng) : bits >> 16;
        h[i] = (bits & 0xffffu) < mode->drop ? 0.0f : h[i] * scale;
    }
}

// --- the layers ---

void br_tower_forward(br_tile *tile, const br_tables *tables, const br_tower_mode *mode)
{
    const br_model *model = tables->model;
    uint32_t n_hidden = model->config.n_hidden;
    for (uint32_t i = 0; i < n_hidden; i++) {
        br_matrix h = hidden_of(tile, model, tile->h, i);
        const float *x = i == 0 ? tile->state + tables->layout.t : h.data;
        size_t stride = i == 0 ? tables->layout.n : h.columns;
        if (i > 0) {
            br_gemm(h, 0.0f, hidden_of(tile, model, tile->h, i - 1), BR_PLAIN, weight_of(model, model->w, i),
                    BR_TRANSPOSED);
        }
        if (mode->batch_norm) {
            norm_forward(tile, model, mode, i, x, stride);
            x = tile->z[i];
            stride = h.columns;
        }
        for (size_t t = 0; t < tile->n; t++) {
            float *row = h.data + t * h.columns;
            bias_and_relu(row, x + t * stride, model->c[i], h.columns);
            if (mode->learning && mode->drop > 0) {
                br_dropout(row, h.columns, mode, mode->first + (uint32_t)t, i);
            }
        }
    }
    br_output_forward(tile->logit, hidden_of(tile, model, tile->h, n_hidden - 1), model->w_deep);
}

/// dh = scale dh where h > 0, else 0;  dc += dh, for one row. What dropout has left out is 0, too.
BR_WIDE static void through_relu(float *restrict dh, float *restrict dc, const float *restrict h, float scale, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        dh[i] = h[i] > 0.0f ? scale * dh[i] : 0.0f;
        dc[i] += dh[i];
    }
}

BR_WIDE static void add(float *restrict to, const float *restrict from, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        to[i] += from[i];
    }
}

void br_tower_backward(br_gradient_part *part, br_tile *tile, const br_tables *tables, const br_tower_mode *mode)
{
    const br_model *model = tables->model;
    uint32_t n_hidden = model->config.n_hidden;
    br_matrix last = hidden_of(tile, model, tile->dh, n_hidden - 1);
    memset(last.data, 0, last.rows * last.columns * sizeof(float));
    br_output_backward(part->w_deep, last, tile->dlogit, hidden_of(tile, model, tile->h, n_hidden - 1), model->w_deep);
    for (uint32_t i = n_hidden; i-- > 0;) {
        br_matrix dh = hidden_of(tile, model, tile->dh, i);
        for (size_t t = 0; t < tile->n; t++) {
            through_relu(dh.data + t * dh.columns, part->c[i], tile->h[i] + t * dh.columns, kept_scale(mode),
                         dh.columns);
        }
        if (mode->batch_norm) {
            norm_backward(tile, model, i);
        }
        if (i > 0) {
            br_gemm(weight_of(model, part->w, i), 1.0f, dh, BR_TRANSPOSED, hidden_of(tile, model, tile->h, i - 1),
                    BR_PLAIN);
            br_gemm(hidden_of(tile, model, tile->dh, i - 1), 0.0f, dh, BR_PLAIN, weight_of(model, model->w, i),
                    BR_PLAIN);
        }
    }
    for (size_t t = 0; t < tile->n; t++) {
        size_t h = model->config.hidden[0];
        add(tile->d_state + t * tables->layout.n + tables->layout.t, tile->dh[0] + t * h, h);
    }
}
