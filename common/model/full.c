// x_{l+1} [T, W] = x_0 * (x_l M_l^T + b_l) + x_l
//
// Source: DCN-V2 (ref [30]) Eq. (1). Nothing here is a sum over fields, so all of x_l is worked out.

#include "model/layers.h"

#include <string.h>

static br_matrix wide(const br_tile *tile, const br_tables *tables, float *data)
{
    return br_matrix_of(data, tile->n, tables->model->width);
}

static br_matrix m_of(const br_model *model, float *const *m, uint32_t l)
{
    return br_matrix_of(m[l], model->width, model->width);
}

static br_matrix tower_of(const br_tile *tile, const br_tables *tables, float *states)
{
    return (br_matrix){states + tables->layout.t, tile->n, tables->model->config.hidden[0], tables->layout.n};
}

static bool is_full(const br_model *model)
{
    return model->n_low < model->config.n_cross;
}

BR_WIDE static void combine_full(float *restrict next, const float *x0, const float *x, const float *restrict z,
                                 const float *restrict b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        next[i] = x0[i] * (z[i] + b[i]) + x[i];
    }
}

void br_full_forward(br_tile *tile, const br_tables *tables)
{
    const br_model *model = tables->model;
    size_t width = model->width;
    size_t d = model->config.d;
    uint32_t n_cross = model->config.n_cross;
    if (!is_full(model)) {
        return;
    }
    for (size_t i = 0; i < tile->n * model->n_fields; i++) {
        memcpy(tile->xs[0] + i * d, model->embedding + tile->row[i] * d, d * sizeof(float));
    }
    for (uint32_t l = 0; l < n_cross; l++) {
        br_gemm(wide(tile, tables, tile->zs[l]), 0.0f, wide(tile, tables, tile->xs[l]), BR_PLAIN,
                m_of(model, model->m, l), BR_TRANSPOSED);
        for (size_t t = 0; t < tile->n; t++) {
            size_t at = t * width;
            combine_full(tile->xs[l + 1] + at, tile->xs[0] + at, tile->xs[l] + at, tile->zs[l] + at, model->b[l],
                         width);
        }
    }
    if (model->w_cross != NULL) {
        br_output_forward(tile->logit, wide(tile, tables, tile->xs[n_cross]), model->w_cross);
    } else {
        br_gemm(tower_of(tile, tables, tile->state), 1.0f, wide(tile, tables, tile->xs[n_cross]), BR_PLAIN,
                br_inner_out(model, n_cross), BR_PLAIN);
    }
}

/// dx0 += dx * (z + b);  z = dz = dx * x0;  db += dz, for one row
BR_WIDE static void split_full(float *restrict dx0, float *restrict z, float *restrict db, const float *restrict dx,
                               const float *restrict x0, const float *restrict b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float dz = dx[i] * x0[i];
        dx0[i] += dx[i] * (z[i] + b[i]);
        z[i] = dz;
        db[i] += dz;
    }
}

/// d embeddings += dx [T, W]
static void scatter(br_gradient_part *part, br_tile *tile, const br_tables *tables, const float *dx)
{
    const br_model *model = tables->model;
    size_t d = model->config.d;
    for (size_t t = 0; t < tile->n; t++) {
        for (uint32_t j = 0; j < model->n_fields; j++) {
            uint32_t row = tile->row[t * model->n_fields + j];
            float *to = br_is_gathered(tables, j) ? tile->d_gathered + ((size_t)j * BR_TILE_ROWS + t) * d
                                                  : part->embedding + (tables->first[j] + row - model->row_of[j]) * d;
            tables->kernels->add(to, dx + t * model->width + j * d, d);
        }
    }
}

void br_full_backward(br_gradient_part *part, br_tile *tile, const br_tables *tables)
{
    const br_model *model = tables->model;
    size_t width = model->width;
    uint32_t n_cross = model->config.n_cross;
    if (!is_full(model)) {
        return;
    }
    br_matrix last = wide(tile, tables, tile->xs[n_cross]);
    br_matrix dx0 = wide(tile, tables, tile->zs[n_cross]);
    float *dx = tile->dx; // runs down the layers
    memset(dx, 0, tile->n * width * sizeof *dx);
    memset(dx0.data, 0, tile->n * width * sizeof *dx);
    if (model->w_cross != NULL) {
        br_output_backward(part->w_cross, wide(tile, tables, dx), tile->dlogit, last, model->w_cross);
    } else {
        br_matrix d_tower = tower_of(tile, tables, tile->d_state);
        br_gemm(br_matrix_of(part->w_tower, width, model->config.hidden[0]), 1.0f, last, BR_TRANSPOSED, d_tower,
                BR_PLAIN);
        br_gemm(wide(tile, tables, dx), 0.0f, d_tower, BR_PLAIN, br_inner_out(model, n_cross), BR_TRANSPOSED);
    }
    for (uint32_t l = n_cross; l-- > 0;) {
        br_matrix dz = wide(tile, tables, tile->zs[l]);
        for (size_t t = 0; t < tile->n; t++) {
            size_t at = t * width;
            split_full(dx0.data + at, dz.data + at, part->b[l], dx + at, tile->xs[0] + at, model->b[l], width);
        }
        br_gemm(m_of(model, part->m, l), 1.0f, dz, BR_TRANSPOSED, wide(tile, tables, tile->xs[l]), BR_PLAIN);
        br_gemm(wide(tile, tables, dx), 1.0f, dz, BR_PLAIN, m_of(model, model->m, l), BR_PLAIN);
    }
    scatter(part, tile, tables, dx);
    scatter(part, tile, tables, dx0.data);
}
