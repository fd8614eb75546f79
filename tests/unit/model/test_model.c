// Goal: the model's parameters are where the header says, and the plain network is the formula. Method: values by hand,
// sweeps over bad configurations and failing allocations.

#include "base/alloc.h"
#include "model/model.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static const br_model_field fields[] = {{2, false}, {3, true}, {2, true}};
static const br_model_config tiny = {.d = 1, .n_cross = 1, .rank = 1, .n_hidden = 1, .hidden = {2}};

static br_model *new_model(const br_model_config *config)
{
    br_model *model = NULL;
    cr_assert_eq(br_model_new(&model, config, fields, 3, 1), BR_OK);
    return model;
}

Test(model_model, views_follow_each_other_and_fill_the_block)
{
    br_model_config config = {.d = 4, .n_cross = 3, .rank = 5, .n_hidden = 3, .hidden = {7, 6, 2}};
    br_model *model = new_model(&config);
    float *at = model->parameters;
    cr_assert_eq((uintptr_t)at % 64, 0);
    cr_assert_eq(model->width, 12);
    cr_assert_eq(model->row_of[0], 0);
    cr_assert_eq(model->row_of[1], 2);
    cr_assert_eq(model->row_of[2], 6);
    cr_assert_eq(model->row_of[3], 9);
    cr_assert_eq(model->embedding, at);
    at += 9 * 4;
    for (int l = 0; l < 3; l++, at += 12 * 5) {
        cr_assert_eq(model->u[l], at);
    }
    for (int l = 0; l < 3; l++, at += 12 * 5) {
        cr_assert_eq(model->v[l], at);
    }
    for (int l = 0; l < 3; l++, at += 12) {
        cr_assert_eq(model->b[l], at);
    }
    cr_assert_eq(model->w[0], at);
    cr_assert_eq(model->w[1], at + 7 * 12);
    cr_assert_eq(model->w[2], at + 7 * 12 + 6 * 7);
    at += 7 * 12 + 6 * 7 + 2 * 6;
    cr_assert_eq(model->c[0], at);
    cr_assert_eq(model->c[1], at + 7);
    cr_assert_eq(model->c[2], at + 13);
    at += 15;
    cr_assert_eq(model->w_cross, at);
    cr_assert_eq(model->w_deep, at + 12);
    cr_assert_eq(model->bias, at + 14);
    cr_assert_eq((size_t)(model->bias + 1 - model->parameters), model->n_parameters);
    br_model_free(&model);
    cr_assert_null(model);
    br_model_free(&model);
}

Test(model_model, plain_logit_has_the_value_worked_out_by_hand)
{
    br_model *model = new_model(&tiny);
    // Rows: field 0: 0, 1; field 1: 2, 3, 4, mask 5; field 2: 6, 7, mask 8.
    for (size_t row = 0; row < 9; row++) {
        model->embedding[row] = (float)row - 3.0f;
    }
    const float u[] = {1, 2, -1}, v[] = {1, 1, 1}, b[] = {0.5f, 0, 1}, w_cross[] = {1, 2, 3};
    const float w[] = {1, -1, /**/ 0, 1, /**/ 1, 0}, c[] = {1, -2};
    memcpy(model->u[0], u, sizeof u);
    memcpy(model->v[0], v, sizeof v);
    memcpy(model->b[0], b, sizeof b);
    memcpy(model->w[0], w, sizeof w);
    memcpy(model->c[0], c, sizeof c);
    memcpy(model->w_cross, w_cross, sizeof w_cross);
    model->w_deep[0] = 10.0f;
    model->w_deep[1] = 100.0f;
    model->bias[0] = 0.25f;
    const uint8_t bond[] = {1}, investor[] = {2, 0}, masked[] = {0, 1};
    // x0 = (-2, 1, 3), q = 2, x1 = x0 * (2.5, 4, -1) + x0 = (-7, 5, 0); w_cross . x1 = 3
    // h = relu(-2 + 3 + 1, 2 + 1 - 2) = (2, 1); deep = 120
    cr_assert_float_eq(br_model_logit_plain(model, bond, investor, NULL), 3.0 + 120.0 + 0.25, 1e-12);
    // Field 2 hidden: x0 = (-2, 1, 5), q = 4, x1 = x0 * (4.5, 8, -3) + x0 = (-11, 9, -10); w_cross . x1 = -23
    // h = relu(-2 + 5 + 1, 1) = (4, 1); deep = 140
    cr_assert_float_eq(br_model_logit_plain(model, bond, investor, masked), -23.0 + 140.0 + 0.25, 1e-12);
    // Bond code 0: x0 = (-3, 1, 3), h2 = relu(3 + 1 - 2) = 2, h1 = relu(1) = 1; q = 1, x1 = x0 * (1.5, 2, 0) + x0
    const uint8_t other[] = {0};
    cr_assert_float_eq(br_model_logit_plain(model, other, investor, NULL), (-7.5 + 6.0 + 9.0) + 210.0 + 0.25, 1e-12);
    br_model_free(&model);
}

Test(model_model, same_seed_same_parameters_and_every_matrix_is_drawn)
{
    br_model_config config = br_model_config_default();
    br_model *a = new_model(&config);
    br_model *b = new_model(&config);
    br_model_init(a, 5);
    br_model_init(b, 5);
    cr_assert_eq(memcmp(a->parameters, b->parameters, a->n_parameters * sizeof(float)), 0);
    br_model_init(b, 6);
    cr_assert_neq(memcmp(a->parameters, b->parameters, a->n_parameters * sizeof(float)), 0);
    float *const drawn[] = {a->embedding, a->u[0], a->u[1], a->v[0], a->v[1], a->w[0], a->w[1], a->w_cross, a->w_deep};
    for (size_t i = 0; i < sizeof drawn / sizeof drawn[0]; i++) {
        cr_assert(drawn[i][0] != 0.0f && drawn[i][1] != 0.0f);
        cr_assert(i == 0 || drawn[i][0] != drawn[i - 1][0]);
    }
    cr_assert_eq(a->bias[0], 0.0f);
    cr_assert_eq(br_model_check_finite(a), BR_OK);
    a->bias[0] = NAN;
    cr_assert_eq(br_model_check_finite(a), BR_ERR_INVALID);
    br_model_free(&a);
    br_model_free(&b);
}

// Logits that are large before anything is learned take many epochs to unlearn.
Test(model_model, every_architecture_begins_undecided)
{
    enum { N = 291, N_BOND = 32, N_CODES = 8 };
    br_model_field many[N];
    for (uint32_t j = 0; j < N; j++) {
        many[j] = (br_model_field){N_CODES, j >= N_BOND};
    }
    for (br_architecture architecture = BR_DCN; architecture <= BR_DEEPFM; architecture++) {
        br_model_config config = br_model_config_default();
        config.architecture = architecture;
        config.n_cross = architecture == BR_DCN ? config.n_cross : 0;
        br_model *model = NULL;
        cr_assert_eq(br_model_new(&model, &config, many, N, N_BOND), BR_OK);
        br_model_init(model, 1);
        for (uint8_t code = 0; code < N_CODES; code++) {
            uint8_t codes[N];
            memset(codes, code, sizeof codes);
            double logit = br_model_logit_plain(model, codes, codes + N_BOND, NULL);
            cr_assert(fabs(logit) < 1.0, "architecture %d: %g", (int)architecture, logit);
        }
        br_model_free(&model);
    }
}

Test(model_model, bad_configurations_are_refused_with_the_value)
{
    br_model_config good = br_model_config_default();
    cr_assert_eq(br_model_config_check(&good), BR_OK);
    for (int k = 0; k < 9; k++) {
        br_model_config bad = good;
        uint32_t *const members[] = {&bad.d,        &bad.d,        &bad.n_cross,   &bad.rank,     &bad.rank,
                                     &bad.n_hidden, &bad.n_hidden, &bad.hidden[1], &bad.hidden[0]};
        const uint32_t values[] = {0, 65, 9, 1000, 257, 0, 5, 0, 1025};
        *members[k] = values[k];
        cr_assert_eq(br_model_config_check(&bad), BR_ERR_INVALID, "case %d", k);
        br_model *model = NULL;
        cr_assert_eq(br_model_new(&model, &bad, fields, 3, 1), BR_ERR_INVALID);
        cr_assert_null(model);
    }
    br_model *model = NULL;
    const br_model_field masked_bond[] = {{2, true}, {2, true}};
    const br_model_field empty[] = {{0, false}};
    cr_assert_eq(br_model_new(&model, &good, fields, 0, 0), BR_ERR_INVALID);
    cr_assert_eq(br_model_new(&model, &good, fields, 3, 4), BR_ERR_INVALID);
    cr_assert_eq(br_model_new(&model, &good, masked_bond, 2, 1), BR_ERR_INVALID);
    cr_assert_eq(br_model_new(&model, &good, empty, 1, 0), BR_ERR_INVALID);
}

Test(model_model, fields_come_from_the_encoder)
{
    br_field encoded[] = {{.n_values = 4}, {.n_values = 7}, {.n_values = 2}};
    br_encoder encoder = {.fields = encoded, .n_fields = 3, .n_bond_fields = 1};
    br_model *model = NULL;
    cr_assert_eq(br_model_new_for(&model, &tiny, &encoder), BR_OK);
    cr_assert_eq(model->row_of[3], 4 + 8 + 3);
    cr_assert_not(model->fields[0].maskable);
    cr_assert(model->fields[1].maskable && model->fields[2].maskable);
    br_model_free(&model);
}

Test(model_model, every_failing_allocation_is_reported_and_leaves_nothing)
{
    br_field encoded[] = {{.n_values = 4}, {.n_values = 7}};
    br_encoder encoder = {.fields = encoded, .n_fields = 2, .n_bond_fields = 1};
    br_status status = BR_ERR_NO_MEMORY;
    size_t n_failed = 0;
    for (size_t n = 0; status != BR_OK; n++, n_failed++) {
        br_model *model = NULL;
        br_alloc_fail_after(n);
        status = br_model_new_for(&model, &tiny, &encoder);
        br_alloc_fail_after(SIZE_MAX);
        cr_assert(status == BR_OK || status == BR_ERR_NO_MEMORY);
        cr_assert_eq(model == NULL, status != BR_OK);
        br_model_free(&model);
        cr_assert_eq(br_alloc_live(), 0);
    }
    cr_assert_gt(n_failed, 4);
}

// A bond field {missing, a, other: b, c} that becomes {missing, a, b, d, other: c, e}, an investor field {missing, x} that becomes
// {missing, x, y}, and one that stays.
static void name_fields(br_field before[3], br_field now[3])
{
    static char missing[] = "(missing)", other[] = "other", a[] = "a", b[] = "b", c[] = "c", d[] = "d", e[] = "e";
    static char x[] = "x", y[] = "y";
    static char *bond_before[] = {missing, a, other}, *bond_now[] = {missing, a, b, d, other};
    static char *others_before[] = {b, c}, *others_now[] = {c, e};
    static char *investor[] = {missing, x, y};
    before[0] = (br_field){.n_values = 3, .value_names = bond_before, .others = others_before, .n_others = 2};
    now[0] = (br_field){.n_values = 5, .value_names = bond_now, .others = others_now, .n_others = 2};
    before[1] = (br_field){.n_values = 2, .value_names = investor};
    now[1] = (br_field){.n_values = 3, .value_names = investor};
    before[2] = now[2] = (br_field){.n_values = 3, .value_names = investor};
}

Test(model_model, parameters_are_taken_over_by_value)
{
    static const br_architecture architectures[] = {BR_DCN, BR_WIDE_DEEP, BR_DEEPFM};
    br_field fields_before[3], fields_now[3];
    name_fields(fields_before, fields_now);
    const br_encoder before = {fields_before, 3, 1}, now = {fields_now, 3, 1};
    for (int k = 0; k < 3; k++) {
        br_model_config config = {.architecture = architectures[k],
                                  .d = 2,
                                  .n_cross = k == 0 ? 2 : 0,
                                  .rank = 2,
                                  .n_hidden = 1,
                                  .hidden = {3}};
        br_model *from = NULL, *to = NULL;
        cr_assert_eq(br_model_new_for(&from, &config, &before), BR_OK);
        br_model_init(from, 9);
        for (size_t i = 0; from->linear != NULL && i < from->row_of[3]; i++) {
            from->linear[i] = (float)i / 7.0f;
        }
        cr_assert_eq(br_model_take_over(&to, from, &before, &now), BR_OK);
        const uint8_t bond_before[] = {0, 1, 2, 2}, bond_now[] = {0, 1, 2, 4};
        for (int bond = 0; bond < 4; bond++) {
            for (uint8_t code = 0; code < 6; code++) {
                const uint8_t codes[] = {code % 2, code % 3};
                const uint8_t masked[] = {code == 4, code == 5};
                cr_assert_eq(br_model_logit_plain(to, &bond_now[bond], codes, masked),
                             br_model_logit_plain(from, &bond_before[bond], codes, masked));
            }
        }
        // A new value of an investor is the mask, one of a bond the mean of the field's values.
        const uint8_t fresh[] = {2, 1}, hidden[] = {1, 0};
        cr_assert_eq(br_model_logit_plain(to, bond_now, fresh, NULL),
                     br_model_logit_plain(to, bond_now, fresh, hidden));
        for (int i = 0; i < 2; i++) {
            float mean = (from->embedding[i] + from->embedding[2 + i] + from->embedding[4 + i]) / 3.0f;
            cr_assert_float_eq(to->embedding[2 * 3 + i], mean, 1e-6f);
        }
        br_model_free(&to);
        cr_assert_eq(br_model_take_over(&to, from, &now, &now), BR_ERR_INVALID);
        br_model_free(&from);
    }
}
