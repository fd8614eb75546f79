// q_0 = P_0;  q_l [T, r] = P_l + sum_{m<l} q_m K_lm^T + sum over shown fields of V_lj^T (x_j * s_lj),  s_l = sum_{m<l} U_m q_m
//
// Source: DCN-V2 (ref [30]) section 3.2, low rank, without an activation inside the product; tables.h splits its sums.

#include "model/layers.h"

#include <string.h>

static br_fixed_block block_of(const br_tile *tile, br_matrix matrix, uint32_t j, size_t d)
{
    return (br_fixed_block){matrix.data + j * d * matrix.columns, d, matrix.columns,
                            tile->list + (size_t)j * BR_TILE_ROWS, tile->n_shown[j]};
}

static br_matrix u_of(const br_model *model, uint32_t m)
{
    return br_matrix_of(model->u[m], model->width, model->config.rank);
}

/// [T, columns]: a part of all rows' states.
static br_matrix part_of(const br_tile *tile, const br_tables *tables, float *states, size_t column, size_t columns)
{
    return (br_matrix){states + column, tile->n, columns, tables->layout.n};
}

static void copy_matrix(br_matrix to, br_matrix from)
{
    for (size_t t = 0; t < to.rows; t++) {
        memcpy(to.data + t * to.stride, from.data + t * from.stride, to.columns * sizeof(float));
    }
}

static void add_matrix(const br_tables *tables, br_matrix to, br_matrix from)
{
    for (size_t t = 0; t < to.rows; t++) {
        tables->kernels->add(to.data + t * to.stride, from.data + t * from.stride, to.columns);
    }
}

/// x [n, d] = x_0 of the rows that show field j; of a tabled field less the mask's.
static void take_shown(const br_tile *tile, const br_tables *tables, uint32_t j, float *x)
{
    size_t d = tables->model->config.d;
    const uint32_t *value = tile->value + (size_t)j * BR_TILE_ROWS;
    const float *from = br_is_gathered(tables, j) ? tables->model->embedding : tables->shown;
    for (size_t a = 0; a < tile->n_shown[j]; a++) {
        memcpy(x + a * d, from + value[a] * d, d * sizeof *x);
    }
}

BR_WIDE static void multiply(float *restrict y, const float *restrict x, const float *restrict s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = x[i] * s[i];
    }
}

/// What layer l's product is added to: q_l, or for a stacked tower T.
static br_matrix target_of(const br_tile *tile, const br_tables *tables, uint32_t l)
{
    const br_model *model = tables->model;
    return l < model->n_low ? br_matrix_of(tile->q[l], tile->n, model->config.rank)
                            : br_matrix_of(tile->dq[l], tile->n, model->config.hidden[0]);
}

/// Layer l's product over the fields that are shown.
static void shown_forward(br_tile *tile, const br_tables *tables, uint32_t l, float *target)
{
    const br_model *model = tables->model;
    size_t d = model->config.d;
    for (uint32_t j = 0; j < model->n_fields; j++) {
        size_t n = tile->n_shown[j] * d;
        size_t at = (size_t)j * BR_TILE_ROWS * d;
        float *s = tile->s[l] + at;
        br_fixed_block u = block_of(tile, u_of(model, l - 1), j, d);
        tables->kernels->block_dots(&u, s, tile->q[l - 1]);
        if (l > 1) {
            tables->kernels->add(s, tile->s[l - 1] + at, n);
        }
        take_shown(tile, tables, j, tile->x);
        multiply(tile->y, tile->x, s, n);
        br_fixed_block out = block_of(tile, br_inner_out(model, l), j, d);
        tables->kernels->block_spread(&out, target, tile->y);
    }
}

void br_cross_forward(br_tile *tile, const br_tables *tables)
{
    const br_model *model = tables->model;
    const br_model_config *config = &model->config;
    size_t r = config->rank;
    for (uint32_t l = 0; l < model->n_low; l++) {
        copy_matrix(br_matrix_of(tile->q[l], tile->n, r), part_of(tile, tables, tile->state, tables->layout.p[l], r));
    }
    for (uint32_t l = 1; l <= br_n_inner(model); l++) {
        br_matrix target = target_of(tile, tables, l);
        bool tower = l == model->n_low;
        if (tower) {
            memset(target.data, 0, target.rows * target.columns * sizeof(float));
        }
        for (uint32_t m = 0; m < l; m++) {
            br_gemm(target, 1.0f, br_matrix_of(tile->q[m], tile->n, r), BR_PLAIN,
                    br_matrix_of(tables->k[l][m], target.columns, r), BR_TRANSPOSED);
        }
        shown_forward(tile, tables, l, target.data);
        if (tower) {
            add_matrix(tables, part_of(tile, tables, tile->state, tables->layout.t, target.columns), target);
        }
    }
}

/// ds += x * dy, dy = s * dy (the gradient of x), y = x * s
BR_WIDE static void split(float *restrict y, float *restrict ds, float *restrict dy, const float *restrict x,
                          const float *restrict s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = x[i] * s[i];
        ds[i] += x[i] * dy[i];
        dy[i] *= s[i];
    }
}

/// d_shown[value of row a] += dx[a]
static void scatter(float *d_shown, const uint32_t *value, const float *dx, size_t n, size_t d)
{
    for (size_t a = 0; a < n; a++) {
        float *restrict to = d_shown + value[a] * d;
        for (size_t i = 0; i < d; i++) {
            to[i] += dx[a * d + i];
        }
    }
}

static void shown_backward(br_gradient_part *part, br_tile *tile, const br_tables *tables, uint32_t l)
{
    const br_model *model = tables->model;
    const br_fixed_kernels *kernels = tables->kernels;
    size_t d = model->config.d;
    br_matrix out = br_inner_out(model, l);
    for (uint32_t j = 0; j < model->n_fields; j++) {
        size_t n = tile->n_shown[j];
        size_t at = (size_t)j * BR_TILE_ROWS * d;
        br_fixed_block to_out = block_of(tile, out, j, d);
        br_fixed_block to_u = block_of(tile, u_of(model, l - 1), j, d);
        kernels->block_dots(&to_out, tile->dy, tile->dq[l]);
        take_shown(tile, tables, j, tile->x);
        if (l == br_n_inner(model)) {
            memset(tile->ds + at, 0, n * d * sizeof(float)); // no layer above has asked yet
        }
        split(tile->y, tile->ds + at, tile->dy, tile->x, tile->s[l] + at, n * d);
        kernels->block_outer(&to_out, part->out[l] + j * d * out.columns, tile->y, tile->dq[l]);
        if (br_is_gathered(tables, j)) {
            kernels->add(tile->d_gathered + at, tile->dy, n * d);
        } else {
            scatter(part->shown, tile->value + (size_t)j * BR_TILE_ROWS, tile->dy, n, d);
        }
        kernels->block_spread(&to_u, tile->dq[l - 1], tile->ds + at);
        kernels->block_outer(&to_u, part->u[l - 1] + j * d * model->config.rank, tile->ds + at, tile->q[l - 1]);
    }
}

void br_cross_backward(br_gradient_part *part, br_tile *tile, const br_tables *tables)
{
    const br_model *model = tables->model;
    const br_model_config *config = &model->config;
    size_t r = config->rank;
    if (tables->n_gathered > 0) {
        memset(tile->d_gathered, 0, model->width * BR_TILE_ROWS * sizeof(float));
    }
    if (config->stacked && model->n_low > 0) {
        copy_matrix(br_matrix_of(tile->dq[model->n_low], tile->n, config->hidden[0]),
                    part_of(tile, tables, tile->d_state, tables->layout.t, config->hidden[0]));
    }
    for (uint32_t l = br_n_inner(model); l > 0; l--) {
        br_matrix dq = br_matrix_of(tile->dq[l], tile->n, br_inner_out(model, l).columns);
        for (uint32_t m = 0; m < l; m++) {
            br_gemm(br_matrix_of(part->k[l][m], dq.columns, r), 1.0f, dq, BR_TRANSPOSED,
                    br_matrix_of(tile->q[m], tile->n, r), BR_PLAIN);
            br_gemm(br_matrix_of(tile->dq[m], tile->n, r), 1.0f, dq, BR_PLAIN,
                    br_matrix_of(tables->k[l][m], dq.columns, r), BR_PLAIN);
        }
        shown_backward(part, tile, tables, l);
    }
    for (uint32_t l = 0; l < model->n_low; l++) {
        add_matrix(tables, part_of(tile, tables, tile->d_state, tables->layout.p[l], r),
                   br_matrix_of(tile->dq[l], tile->n, r));
    }
}
