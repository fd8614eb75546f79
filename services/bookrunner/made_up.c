#include "made_up.h"

#include "base/alloc.h"
#include "base/rng.h"

enum { N_FIELDS = MADE_UP_BOND_FIELDS + MADE_UP_INVESTOR_FIELDS, N_VALUES = 8, N_BONDS = 200, N_ROWS = 20000 };

static void draw_codes(uint8_t *codes, size_t n, br_rng *rng)
{
    for (size_t i = 0; i < n; i++) {
        codes[i] = (uint8_t)br_rng_below(rng, N_VALUES);
    }
}

br_status made_up_samples(br_dataset **out, size_t n, uint32_t seed)
{
    BR_AUTO(br_dataset) *data = br_calloc(1, sizeof *data);
    if (data == NULL) {
        return br_no_memory("data sets", 1);
    }
    *data = (br_dataset){
        .n_bond_fields = MADE_UP_BOND_FIELDS,
        .n_investor_fields = MADE_UP_INVESTOR_FIELDS,
        .n_bonds = N_BONDS,
        .bond_codes = br_calloc(N_BONDS, MADE_UP_BOND_FIELDS),
        .investor_codes = br_calloc(N_ROWS, MADE_UP_INVESTOR_FIELDS),
        .n_rows = N_ROWS,
        .bond_of = br_calloc(n, sizeof *data->bond_of),
        .row_of = br_calloc(n, sizeof *data->row_of),
        .investor_of = br_calloc(n, sizeof *data->investor_of),
        .label = br_calloc(n, sizeof *data->label),
        .n = n,
        .n_pairs = n,
        .negative_keep = 1.0,
    };
    if (data->bond_codes == NULL || data->investor_codes == NULL || data->bond_of == NULL || data->row_of == NULL ||
        data->investor_of == NULL || data->label == NULL) {
        return br_no_memory("samples", n);
    }
    br_rng rng = br_rng_at(seed, BR_STREAM_BENCH, 0, 0);
    draw_codes(data->bond_codes, (size_t)N_BONDS * MADE_UP_BOND_FIELDS, &rng);
    draw_codes(data->investor_codes, (size_t)N_ROWS * MADE_UP_INVESTOR_FIELDS, &rng);
    for (size_t i = 0; i < n; i++) {
        data->bond_of[i] = br_rng_below(&rng, N_BONDS);
        data->row_of[i] = br_rng_below(&rng, N_ROWS);
        data->label[i] = br_rng_below(&rng, 5) == 0;
        data->n_positive += data->label[i];
    }
    *out = data;
    data = NULL;
    return BR_OK;
}

br_status made_up_model(br_model **out, const br_model_config *config)
{
    br_model_field fields[N_FIELDS];
    for (uint32_t j = 0; j < N_FIELDS; j++) {
        fields[j] = (br_model_field){N_VALUES, j >= MADE_UP_BOND_FIELDS};
    }
    br_status status = br_model_new(out, config, fields, N_FIELDS, MADE_UP_BOND_FIELDS);
    if (status == BR_OK) {
        br_model_init(*out, 1);
    }
    return status;
}
