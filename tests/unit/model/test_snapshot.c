// Goal: a snapshot's probability is its calibration of the logit, and the mean bond is the mean of the bonds.

#include "base/alloc.h"
#include "model/snapshot.h"
#include "support/samples.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

Test(model_snapshot, probability_is_the_calibrated_sigmoid_inside_0_and_1)
{
    br_snapshot snapshot = {.calibration = {.slope = 0.5, .offset = -1.0}};
    for (double logit = -20.0; logit <= 20.0; logit += 0.37) {
        double expected = 1.0 / (1.0 + exp(-(0.5 * logit - 1.0)));
        cr_assert(fabs(br_snapshot_probability(&snapshot, logit) - expected) < 1e-6 * expected);
    }
}

Test(model_snapshot, probability_follows_the_line_where_there_is_one)
{
    br_snapshot snapshot = {.calibration = {.slope = 1.0, .line = {2, {-2.0, 2.0}, {-3.0, 1.0}}}};
    for (double logit = -2.0; logit <= 2.0; logit += 0.25) {
        double expected = 1.0 / (1.0 + exp(-(logit - 1.0)));
        cr_assert(fabs(br_snapshot_probability(&snapshot, logit) - expected) < 1e-6);
    }
}

Test(model_snapshot, mean_bond_is_the_mean_of_the_bonds_embeddings)
{
    const br_model_config config = {.d = 2, .n_cross = 0, .rank = 1, .n_hidden = 1, .hidden = {1}};
    const br_model_field fields[] = {{3, false}, {2, false}, {2, true}};
    br_model *model = NULL;
    cr_assert_eq(br_model_new(&model, &config, fields, 3, 2), BR_OK);
    for (size_t i = 0; i < 16; i++) {
        model->embedding[i] = (float)(i * i);
    }
    br_dataset *it =
        br_samples_new(&(br_dataset){.n_bond_fields = 2, .n_investor_fields = 1, .n_bonds = 4, .n_rows = 1, .n = 1});
    const uint8_t codes[] = {0, 1, /**/ 2, 1, /**/ 2, 0, /**/ 1, 1};
    for (size_t i = 0; i < 8; i++) {
        it->bond_codes[i] = codes[i];
    }
    float mean[4];
    br_snapshot_mean_bond(mean, model, it);
    // Rows (0, 1), (4, 9), (16, 25) of field 0 with weights 1, 1, 2; rows (36, 49), (64, 81) of field 1 with 1, 3.
    cr_assert_eq(mean[0], (0.0f + 4.0f + 2.0f * 16.0f) / 4.0f);
    cr_assert_eq(mean[1], (1.0f + 9.0f + 2.0f * 25.0f) / 4.0f);
    cr_assert_eq(mean[2], (36.0f + 3.0f * 64.0f) / 4.0f);
    cr_assert_eq(mean[3], (49.0f + 3.0f * 81.0f) / 4.0f);
    br_samples_free(&it);
    br_model_free(&model);
}

Test(model_snapshot, mean_bond_has_the_mean_of_the_bonds_linear_weights)
{
    const br_model_config config = {.architecture = BR_WIDE_DEEP, .d = 1, .rank = 1, .n_hidden = 1, .hidden = {1}};
    const br_model_field fields[] = {{3, false}, {2, false}, {2, true}};
    br_model *model = NULL;
    cr_assert_eq(br_model_new(&model, &config, fields, 3, 2), BR_OK);
    for (size_t i = 0; i < 5; i++) {
        model->linear[i] = (float)(1 << i);
    }
    br_dataset *it =
        br_samples_new(&(br_dataset){.n_bond_fields = 2, .n_investor_fields = 1, .n_bonds = 4, .n_rows = 1, .n = 1});
    const uint8_t codes[] = {0, 1, /**/ 2, 1, /**/ 2, 0, /**/ 1, 1};
    memcpy(it->bond_codes, codes, sizeof codes);
    float mean[3];
    cr_assert_eq(br_mean_bond_floats(model), 3);
    br_snapshot_mean_bond(mean, model, it);
    cr_assert_eq(mean[2], (1.0f + 16.0f + 4.0f + 16.0f + 4.0f + 8.0f + 2.0f + 16.0f) / 4.0f);
    br_samples_free(&it);
    br_model_free(&model);
}
