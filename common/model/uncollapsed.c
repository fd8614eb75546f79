#include "model/uncollapsed.h"

#include <string.h>

enum { ROWS = 8 }; // of M that are worked at a time: they stay in the cache while every state meets them

static const uint32_t all_states[BR_UNCOLLAPSED_STATES] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10,
                                                           11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
                                                           22, 23, 24, 25, 26, 27, 28, 29, 30, 31};

static br_fixed_block rows_of(const br_model *model, uint32_t l, size_t row, size_t n)
{
    size_t width = model->width;
    return (br_fixed_block){model->m[l] + row * width, width - row < ROWS ? width - row : ROWS, width, all_states, n};
}

/// mixed = M_l x + b_l;  x += x_0 * mixed: [n, W] each.
static void layer_forward(const br_model *model, const br_fixed_kernels *kernels, uint32_t l, size_t n, const float *x0,
                          float *x, float *mixed)
{
    size_t width = model->width;
    float dots[BR_UNCOLLAPSED_STATES * ROWS];
    for (size_t row = 0; row < width; row += ROWS) {
        br_fixed_block block = rows_of(model, l, row, n);
        kernels->block_dots(&block, dots, x);
        for (size_t t = 0; t < n; t++) {
            for (size_t i = 0; i < block.rows; i++) {
                mixed[t * width + row + i] = dots[t * block.rows + i] + model->b[l][row + i];
            }
        }
    }
    for (size_t i = 0; i < n * width; i++) {
        x[i] += x0[i] * mixed[i];
    }
}

const float *br_uncollapsed_forward(const br_model *model, const br_fixed_kernels *kernels, size_t n, float *scratch)
{
    br_assert(n <= BR_UNCOLLAPSED_STATES);
    const float *x0 = scratch;
    float *x = scratch + n * model->width;
    float *mixed = x + n * model->width;
    memcpy(x, x0, n * model->width * sizeof *x);
    for (uint32_t l = 0; l < model->config.n_cross; l++) {
        layer_forward(model, kernels, l, n, x0, x, mixed);
    }
    return x;
}

const float *br_uncollapsed_backward(const br_model *model, const br_fixed_kernels *kernels, float *scratch)
{
    _Static_assert(BR_MAX_CROSS + 5 <= BR_UNCOLLAPSED_SCRATCH, "all of this has room");
    size_t width = model->width;
    const float *x0 = scratch;
    float *dx = scratch + width; // runs down the layers
    float *dx0 = dx + width;
    float *dz = dx0 + width;
    float *x = dz + width;
    float *mixed = x + width; // [n_cross, W]
    memcpy(x, x0, width * sizeof *x);
    for (uint32_t l = 0; l < model->config.n_cross; l++) {
        layer_forward(model, kernels, l, 1, x0, x, mixed + l * width);
    }
    memset(dx0, 0, width * sizeof *dx0);
    for (uint32_t l = model->config.n_cross; l-- > 0;) {
        for (size_t i = 0; i < width; i++) {
            dz[i] = dx[i] * x0[i];
            dx0[i] += dx[i] * mixed[l * width + i];
        }
        for (size_t row = 0; row < width; row += ROWS) {
            br_fixed_block block = rows_of(model, l, row, 1);
            kernels->block_spread(&block, dx, dz + row);
        }
    }
    kernels->add(dx0, dx, width);
    return dx0;
}
