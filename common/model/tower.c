// h_1 [T, h_1] = relu(T + c_1);  h_i [T, h_i] = relu(h_{i-1} W_i^T + c_i);  logit += w_deep . h_last

#include "model/layers.h"

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

void br_tower_forward(br_tile *tile, const br_tables *tables)
{
    const br_model *model = tables->model;
    uint32_t n_hidden = model->config.n_hidden;
    for (uint32_t i = 0; i < n_hidden; i++) {
        br_matrix h = hidden_of(tile, model, tile->h, i);
        if (i > 0) {
            br_gemm(h, 0.0f, hidden_of(tile, model, tile->h, i - 1), BR_PLAIN, weight_of(model, model->w, i),
                    BR_TRANSPOSED);
        }
        for (size_t t = 0; t < tile->n; t++) {
            const float *x = i == 0 ? tile->state + t * tables->layout.n + tables->layout.t : h.data + t * h.columns;
            bias_and_relu(h.data + t * h.columns, x, model->c[i], h.columns);
        }
    }
    br_output_forward(tile->logit, hidden_of(tile, model, tile->h, n_hidden - 1), model->w_deep);
}

/// dh = dh where h > 0, else 0;  dc += dh, for one row
BR_WIDE static void through_relu(float *restrict dh, float *restrict dc, const float *restrict h, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        dh[i] = h[i] > 0.0f ? dh[i] : 0.0f;
        dc[i] += dh[i];
    }
}

BR_WIDE static void add(float *restrict to, const float *restrict from, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        to[i] += from[i];
    }
}

void br_tower_backward(br_gradient_part *part, br_tile *tile, const br_tables *tables)
{
    const br_model *model = tables->model;
    uint32_t n_hidden = model->config.n_hidden;
    br_matrix last = hidden_of(tile, model, tile->dh, n_hidden - 1);
    memset(last.data, 0, last.rows * last.columns * sizeof(float));
    br_output_backward(part->w_deep, last, tile->dlogit, hidden_of(tile, model, tile->h, n_hidden - 1), model->w_deep);
    for (uint32_t i = n_hidden; i-- > 0;) {
        br_matrix dh = hidden_of(tile, model, tile->dh, i);
        for (size_t t = 0; t < tile->n; t++) {
            through_relu(dh.data + t * dh.columns, part->c[i], tile->h[i] + t * dh.columns, dh.columns);
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
