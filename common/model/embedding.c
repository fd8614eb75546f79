// row [F] of one sample in the table of all fields' values and masks

#include "model/layers.h"

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
