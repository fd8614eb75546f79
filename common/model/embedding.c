// x_0 [T, F * d] = rows of one table [sum of values and masks, d]

#include "model/layers.h"

#include <string.h>

void br_embedding_rows(uint32_t *row, const br_model *model, const uint8_t *bond_codes, const uint8_t *investor_codes,
                       const uint8_t *masked)
{
    uint32_t n_bond = model->n_bond_fields;
    for (uint32_t j = 0; j < n_bond; j++) {
        row[j] = (uint32_t)model->row_of[j] + bond_codes[j];
    }
    uint32_t n_investor = model->n_fields - n_bond;
    const size_t *row_of = model->row_of + n_bond;
    const br_model_field *fields = model->fields + n_bond;
    for (uint32_t j = 0; j < n_investor; j++) {
        uint32_t code = masked != NULL && masked[j] != 0 ? fields[j].n_values : investor_codes[j];
        row[n_bond + j] = (uint32_t)row_of[j] + code;
    }
}

void br_embedding_forward(float *x0, const float *table, const uint32_t *row, size_t n, size_t d)
{
    if (d == 8) {
        // The usual size, as one copy the compiler can see through.
        for (size_t i = 0; i < n; i++) {
            memcpy(x0 + i * 8, table + (size_t)row[i] * 8, 8 * sizeof(float));
        }
        return;
    }
    for (size_t i = 0; i < n; i++) {
        memcpy(x0 + i * d, table + row[i] * d, d * sizeof(float));
    }
}

void br_embedding_backward(float *d_table, const float *dx0, const uint32_t *row, size_t n, size_t d)
{
    if (d == 8) {
        for (size_t i = 0; i < n; i++) {
            float *restrict to = d_table + (size_t)row[i] * 8;
            const float *restrict from = dx0 + i * 8;
            for (size_t k = 0; k < 8; k++) {
                to[k] += from[k];
            }
        }
        return;
    }
    for (size_t i = 0; i < n; i++) {
        float *restrict to = d_table + row[i] * d;
        const float *restrict from = dx0 + i * d;
        for (size_t k = 0; k < d; k++) {
            to[k] += from[k];
        }
    }
}
