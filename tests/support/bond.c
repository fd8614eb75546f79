#include "support/bond.h"

#include "base/rng.h"
#include "rank/rank.h"

#include <stdlib.h>

static void *room(size_t n, size_t size_bytes)
{
    void *block = calloc(n == 0 ? 1 : n, size_bytes);
    br_assert(block != NULL);
    return block;
}

static void make_encoder(br_test_bond *test, uint32_t n_preferences)
{
    const br_model *model = test->model;
    uint32_t n = model->n_fields - model->n_bond_fields;
    test->encoder = (br_encoder){room(model->n_fields, sizeof(br_field)), model->n_fields, model->n_bond_fields};
    for (uint32_t i = 0; i < model->n_fields; i++) {
        br_field *field = &test->encoder.fields[i];
        field->n_values = (uint16_t)model->fields[i].n_values;
        field->group = BR_GROUP_BOND;
        if (i >= model->n_bond_fields) {
            uint32_t j = i - model->n_bond_fields;
            bool preference = (j + 1) * n_preferences / n > j * n_preferences / n;
            field->group = preference ? BR_GROUP_PREFERENCE : BR_GROUP_ABILITY;
            field->source = preference ? BR_SOURCE_PREFERENCE : BR_SOURCE_ACTIVITY;
            field->feature = j / 2; // two neighbours of one group are two windows of one thing
            field->window_days = j % 2 == 0 ? 30 : 365;
        }
    }
}

static void make_record(br_test_bond *test, uint64_t seed)
{
    const br_model *model = test->model;
    uint32_t n_bond = model->n_bond_fields, n = model->n_fields - n_bond;
    br_record *record = &test->record;
    *record = (br_record){
        .n_bond_fields = n_bond,
        .n_investor_fields = n,
        .speaks_of = room(n, sizeof(uint32_t)),
        .n_values = room(n, sizeof(uint32_t)),
        .bond_values = room(n_bond, sizeof(uint32_t)),
        .offset = room(n + 1, sizeof(size_t)),
    };
    br_rng rng = br_rng_at(seed, BR_STREAM_TEST, 1003, 0);
    for (uint32_t i = 0; i < n_bond; i++) {
        record->bond_values[i] = model->fields[i].n_values;
    }
    for (uint32_t j = 0; j < n; j++) {
        record->speaks_of[j] = br_rng_below(&rng, n_bond);
        record->n_values[j] = model->fields[n_bond + j].n_values;
        record->offset[j + 1] =
            record->offset[j] + (size_t)record->bond_values[record->speaks_of[j]] * record->n_values[j];
    }
    record->dev = room(record->offset[n], sizeof(float));
    record->bids = room(record->offset[n], sizeof(uint32_t));
    for (size_t at = 0; at < record->offset[n]; at++) {
        record->dev[at] = (float)(4.0 * br_rng_normal(&rng));
        record->bids[at] = br_rng_below(&rng, 500);
    }
}

static void make_mean_bond(br_test_bond *test)
{
    const br_model *model = test->model;
    size_t d = model->config.d;
    test->mean_bond = room(br_mean_bond_floats(model), sizeof(float));
    for (uint32_t field = 0; field < model->n_bond_fields; field++) {
        for (size_t at = 0; at < d * model->fields[field].n_values; at++) {
            test->mean_bond[field * d + at % d] +=
                model->embedding[model->row_of[field] * d + at] / (float)model->fields[field].n_values;
        }
        for (uint32_t value = 0; model->linear != NULL && value < model->fields[field].n_values; value++) {
            test->mean_bond[model->n_bond_fields * d] +=
                model->linear[model->row_of[field] + value] / (float)model->fields[field].n_values;
        }
    }
}

void br_test_bond_init(br_test_bond *test, const br_test_shape *shape, uint32_t n_investors, uint32_t n_preferences)
{
    *test = (br_test_bond){.model = br_test_network(shape)};
    br_status status = br_collapsed_new(&test->collapsed, test->model);
    br_assert(status == BR_OK);
    make_encoder(test, n_preferences);
    make_record(test, shape->seed);
    make_mean_bond(test);
    test->bond_codes = room(shape->n_bond_fields, 1);
    test->codes = room(n_investors, shape->n_investor_fields);
    test->eligible = room(n_investors, 1);
    test->logits = room(n_investors, sizeof(float));
    br_test_bond_codes(test->model, shape->seed, 1, test->bond_codes);
    br_test_investor_codes(test->model, shape->seed, n_investors, test->codes);
    for (uint32_t i = 0; i < n_investors; i++) {
        test->eligible[i] = i % 10 != 7;
    }
    status = br_rank_score(test->logits, test->collapsed, test->bond_codes, 1, test->codes, n_investors);
    br_assert(status == BR_OK);
    test->population = (br_population){test->codes, test->logits, test->eligible, n_investors};
    test->bond = (br_explain_bond){test->collapsed, &test->encoder, &test->record, test->mean_bond, test->bond_codes};
}

void br_test_bond_deinit(br_test_bond *test)
{
    br_collapsed_free(&test->collapsed);
    br_model_free(&test->model);
    free(test->encoder.fields);
    free(test->record.speaks_of);
    free(test->record.n_values);
    free(test->record.bond_values);
    free(test->record.offset);
    free(test->record.dev);
    free(test->record.bids);
    free(test->mean_bond);
    free(test->bond_codes);
    free(test->codes);
    free(test->eligible);
    free(test->logits);
}
