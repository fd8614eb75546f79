// Goal: the collapsed model is the plain network, whatever the shape and whatever is hidden; its gradient is the slope of the
// network with relaxed gates; its bytes do not depend on the kernels.
// Method: random networks with every part alive, against br_model_logit_plain() and against a twin in double precision that
// interpolates between mask and value.

#include "base/alloc.h"
#include "base/rng.h"
#include "model/collapse.h"
#include "support/network.h"

#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

// The largest difference allowed between float sums in another order and the twin in double, in logit.
#define TOLERANCE 1e-4

enum { MAX_FIELDS = 300 };

typedef struct fixture {
    br_model *model;
    br_collapsed *collapsed;
    uint32_t n;
    float *state;
    float *scratch;
    uint8_t bond[MAX_FIELDS];
    uint8_t investor[MAX_FIELDS];
    uint32_t all[MAX_FIELDS]; // 0, 1, ...
} fixture;

static float *floats(size_t n)
{
    float *block = aligned_alloc(64, (n * sizeof(float) + 63) / 64 * 64);
    cr_assert_not_null(block);
    return block;
}

static void fixture_init(fixture *f, const br_test_shape *shape)
{
    f->model = br_test_network(shape);
    cr_assert_eq(br_collapsed_new(&f->collapsed, f->model), BR_OK);
    f->n = shape->n_investor_fields;
    for (uint32_t j = 0; j < f->n; j++) {
        f->all[j] = j;
    }
    f->state = floats(br_collapsed_state_floats(f->collapsed));
    f->scratch = floats(br_collapsed_scratch_floats(f->collapsed));
    br_test_bond_codes(f->model, shape->seed, 1, f->bond);
    br_test_investor_codes(f->model, shape->seed, 1, f->investor);
}

static void fixture_deinit(fixture *f)
{
    br_collapsed_free(&f->collapsed);
    br_model_free(&f->model);
    free(f->state);
    free(f->scratch);
}

static const br_test_shape SHAPES[] = {
    {{.d = 8, .n_cross = 2, .rank = 32, .n_hidden = 2, .hidden = {128, 64}}, 6, 20, 9, 1},
    {{.d = 8, .n_cross = 3, .rank = 64, .n_hidden = 2, .hidden = {256, 128}}, 5, 12, 6, 2},
    {{.d = 4, .n_cross = 2, .rank = 16, .n_hidden = 2, .hidden = {64, 32}}, 3, 30, 12, 3},
    {{.d = 5, .n_cross = 3, .rank = 7, .n_hidden = 3, .hidden = {33, 17, 9}}, 2, 11, 5, 4},
    {{.d = 1, .n_cross = 1, .rank = 1, .n_hidden = 1, .hidden = {1}}, 1, 3, 4, 5},
    {{.d = 3, .n_cross = 0, .rank = 4, .n_hidden = 1, .hidden = {20}}, 4, 9, 7, 6},
    {{.d = 16, .n_cross = 4, .rank = 20, .n_hidden = 4, .hidden = {40, 30, 20, 10}}, 3, 8, 5, 7},
    {{.d = 8, .n_cross = 2, .rank = 32, .stacked = true, .n_hidden = 2, .hidden = {128, 64}}, 6, 20, 9, 8},
    {{.d = 5, .n_cross = 3, .rank = 7, .stacked = true, .n_hidden = 3, .hidden = {33, 17, 9}}, 2, 11, 5, 9},
    {{.d = 3, .n_cross = 1, .rank = 2, .stacked = true, .n_hidden = 1, .hidden = {5}}, 2, 9, 5, 10},
    {{.d = 2, .n_cross = 8, .rank = 17, .stacked = true, .n_hidden = 2, .hidden = {300, 2}}, 1, 5, 3, 11},
    {{.d = 4, .n_cross = 0, .rank = 1, .stacked = true, .n_hidden = 1, .hidden = {3}}, 1, 7, 4, 12},
    {{.architecture = BR_DNN, .d = 7, .rank = 1, .n_hidden = 3, .hidden = {50, 20, 10}}, 3, 12, 6, 13},
    {{.architecture = BR_WIDE_DEEP, .d = 8, .rank = 1, .n_hidden = 2, .hidden = {40, 20}}, 5, 14, 6, 14},
    {{.architecture = BR_DEEPFM, .d = 8, .rank = 1, .n_hidden = 2, .hidden = {64, 32}}, 6, 20, 9, 15},
    {{.architecture = BR_DEEPFM, .d = 16, .rank = 1, .n_hidden = 1, .hidden = {17}}, 2, 8, 5, 16},
    {{.architecture = BR_DEEPFM, .d = 33, .rank = 1, .n_hidden = 1, .hidden = {9}}, 2, 5, 3, 17},
    {{.architecture = BR_WIDE_DEEP, .d = 1, .n_hidden = 1, .hidden = {2}}, 2, 5, 4, 18},
    {{.architecture = BR_DEEPFM, .d = 1, .n_hidden = 1, .hidden = {1}}, 2, 5, 4, 19},
    {{.architecture = BR_DNN, .d = 1, .n_hidden = 1, .hidden = {1}}, 1, 3, 4, 20},
    {{.d = 8, .n_cross = 2, .n_hidden = 2, .hidden = {128, 64}}, 6, 20, 9, 21},
    {{.d = 5, .n_cross = 3, .n_hidden = 3, .hidden = {33, 17, 9}}, 2, 11, 5, 22},
    {{.d = 1, .n_cross = 8, .n_hidden = 1, .hidden = {1}}, 1, 3, 4, 23},
    {{.d = 8, .n_cross = 2, .stacked = true, .n_hidden = 2, .hidden = {40, 20}}, 2, 10, 9, 24},
    {{.d = 3, .n_cross = 1, .stacked = true, .n_hidden = 1, .hidden = {17}}, 1, 60, 5, 25},
};

enum { N_SHAPES = sizeof SHAPES / sizeof *SHAPES };

// Hides each field with a probability that is itself random, as training does; `state` from fresh sums.
static double masked_twin(fixture *f, br_rng *rng)
{
    uint8_t masked[MAX_FIELDS];
    double share = br_rng_uniform(rng);
    br_collapsed_bond(f->collapsed, f->bond, f->state);
    br_collapsed_add_hidden(f->collapsed, f->state);
    for (uint32_t j = 0; j < f->n; j++) {
        masked[j] = br_rng_uniform(rng) < share;
        if (!masked[j]) {
            br_collapsed_show(f->collapsed, f->state, j, f->investor[j]);
        }
    }
    return br_model_logit_plain(f->model, f->bond, f->investor, masked);
}

Test(model_collapse, equals_the_plain_network_for_any_mask)
{
    double least = 0.0, most = 0.0;
    for (size_t i = 0; i < N_SHAPES; i++) {
        fixture f;
        fixture_init(&f, &SHAPES[i]);
        for (uint32_t round = 0; round < 1500; round++) {
            br_rng rng = br_rng_at(i, BR_STREAM_TEST, 1, round);
            br_test_bond_codes(f.model, round, 1, f.bond);
            br_test_investor_codes(f.model, round, 1, f.investor);
            double expected = masked_twin(&f, &rng);
            double logit = (double)br_collapsed_logit(f.collapsed, f.state, f.scratch);
            cr_assert_float_eq(logit, expected, TOLERANCE, "shape %zu round %u: %g is not %g", i, round, logit,
                               expected);
            least = fmin(least, expected);
            most = fmax(most, expected);
        }
        fixture_deinit(&f);
    }
    cr_assert_gt(most - least, 2.0, "the networks hardly answer at all");
}

// Parameters set one by one, as few of everything as there can be.
Test(model_collapse, the_smallest_wide_model_is_the_sum_of_its_weights)
{
    for (uint32_t n_bond = 0; n_bond <= 1; n_bond++) {
        const br_model_config config = {.architecture = BR_WIDE_DEEP, .d = 1, .n_hidden = 1, .hidden = {1}};
        const br_model_field fields[] = {{1, n_bond == 0}, {2, true}};
        br_model *model = NULL;
        cr_assert_eq(br_model_new(&model, &config, fields, 2, n_bond), BR_OK);
        for (size_t row = 0; row < model->row_of[2]; row++) {
            model->linear[row] = (float)(1u << row);
        }
        model->bias[0] = 0.5f;
        br_collapsed *collapsed = NULL;
        cr_assert_eq(br_collapsed_new(&collapsed, model), BR_OK);
        float *state = floats(br_collapsed_state_floats(collapsed));
        float *scratch = floats(br_collapsed_scratch_floats(collapsed));
        br_collapsed_bond(collapsed, (const uint8_t[]){0}, state);
        br_collapsed_add_hidden(collapsed, state);
        size_t field = model->row_of[1];
        float first = model->linear[n_bond == 0 ? 1 : 0];
        cr_assert_eq(br_collapsed_logit(collapsed, state, scratch), 0.5f + first + model->linear[field + 2]);
        br_collapsed_show(collapsed, state, 1 - n_bond, 1);
        cr_assert_eq(br_collapsed_logit(collapsed, state, scratch), 0.5f + first + model->linear[field + 1]);
        float gradient[2];
        br_collapsed_gate_gradient(collapsed, state, (const uint8_t[]){0, 0}, (const uint32_t[]){0, 1}, 2 - n_bond,
                                   gradient, scratch);
        cr_assert_eq(gradient[1 - n_bond], model->linear[field] - model->linear[field + 2]);
        br_collapsed_free(&collapsed);
        br_model_free(&model);
        free(state);
        free(scratch);
    }
}

Test(model_collapse, a_field_that_cannot_be_masked_is_refused)
{
    const br_model_config config = {.architecture = BR_WIDE_DEEP, .d = 1, .n_hidden = 1, .hidden = {1}};
    const br_model_field fields[] = {{2, false}, {2, true}, {3, false}};
    br_model *model = NULL;
    br_collapsed *collapsed = NULL;
    cr_assert_eq(br_model_new(&model, &config, fields, 3, 1), BR_OK);
    cr_assert_eq(br_collapsed_new(&collapsed, model), BR_ERR_INVALID);
    cr_assert_not_null(strstr(br_why(BR_ERR_INVALID), "field 2"), "%s", br_why(BR_ERR_INVALID));
    cr_assert_null(collapsed);
    br_model_free(&model);
}

Test(model_collapse, equals_the_plain_network_at_production_size)
{
    br_test_shape shapes[] = {br_test_shape_compact(), br_test_shape_main(),    br_test_shape_main(),
                              br_test_shape_compact(), br_test_shape_compact(), br_test_shape_compact()};
    shapes[2].config.stacked = true;
    for (size_t i = 3; i < 6; i++) {
        shapes[i].config.architecture = BR_DNN + (br_architecture)(i - 3);
        shapes[i].config.n_cross = 0;
    }
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        fixture f;
        fixture_init(&f, &shapes[i]);
        for (uint32_t round = 0; round < 20; round++) {
            br_rng rng = br_rng_at(i, BR_STREAM_TEST, 2, round);
            double expected = masked_twin(&f, &rng);
            cr_assert_float_eq((double)br_collapsed_logit(f.collapsed, f.state, f.scratch), expected, TOLERANCE);
        }
        fixture_deinit(&f);
    }
}

// A trained model's logits lie further apart than a random one's: here some 18 from the least to the largest.
static void spread(br_model *model, float factor)
{
    for (uint32_t i = 0; i < model->config.hidden[model->config.n_hidden - 1]; i++) {
        model->w_deep[i] *= factor;
    }
    for (uint32_t i = 0; i < model->width; i++) {
        model->w_cross[i] *= factor;
    }
}

Test(model_collapse, ten_thousand_masks_at_production_size_and_a_trained_models_spread)
{
    br_test_shape shape = br_test_shape_compact();
    fixture f;
    fixture_init(&f, &shape);
    spread(f.model, 3.0f);
    br_collapsed_free(&f.collapsed);
    cr_assert_eq(br_collapsed_new(&f.collapsed, f.model), BR_OK);
    double least = 0.0, most = 0.0, largest = 0.0;
    for (uint32_t round = 0; round < 10000; round++) {
        br_rng rng = br_rng_at(5, BR_STREAM_TEST, 3, round);
        if (round % 10 == 0) {
            br_test_bond_codes(f.model, round, 1, f.bond);
        }
        br_test_investor_codes(f.model, round, 1, f.investor);
        double expected = masked_twin(&f, &rng);
        largest = fmax(largest, fabs((double)br_collapsed_logit(f.collapsed, f.state, f.scratch) - expected));
        least = fmin(least, expected);
        most = fmax(most, expected);
    }
    cr_log_info("largest difference %g over logits from %g to %g", largest, least, most);
    cr_expect_leq(largest, TOLERANCE);
    cr_expect_gt(most - least, 6.0, "the logits lie closer than a trained model's: %g to %g", least, most);
    fixture_deinit(&f);
}

Test(model_collapse, an_investors_half_completes_a_bond)
{
    enum { N = 37 };
    for (size_t i = 0; i < N_SHAPES; i++) {
        fixture f;
        fixture_init(&f, &SHAPES[i]);
        size_t n_state = br_collapsed_state_floats(f.collapsed);
        static uint8_t codes[N * MAX_FIELDS];
        float *halves = floats(N * n_state), logits[N];
        br_test_investor_codes(f.model, 9, N, codes);
        cr_assert_eq(br_collapsed_investors(f.collapsed, codes, N, halves), BR_OK);
        br_collapsed_bond(f.collapsed, f.bond, f.state);
        br_collapsed_logits(f.collapsed, f.state, halves, N, logits, f.scratch);
        for (size_t k = 0; k < N; k++) {
            double expected = br_model_logit_plain(f.model, f.bond, codes + k * f.n, NULL);
            cr_assert_float_eq((double)logits[k], expected, TOLERANCE, "shape %zu investor %zu", i, k);
        }
        free(halves);
        fixture_deinit(&f);
    }
}

// Among more than are worked at a time.
static void check_company(const br_test_shape *shape)
{
    enum { N = 40 };
    fixture f;
    fixture_init(&f, shape);
    size_t n_state = br_collapsed_state_floats(f.collapsed);
    static uint8_t codes[N * MAX_FIELDS];
    float *together = floats(N * n_state), *alone = floats(n_state), logits[N], logit;
    br_test_investor_codes(f.model, 9, N, codes);
    cr_assert_eq(br_collapsed_investors(f.collapsed, codes, N, together), BR_OK);
    br_collapsed_bond(f.collapsed, f.bond, f.state);
    br_collapsed_logits(f.collapsed, f.state, together, N, logits, f.scratch);
    for (size_t i = 0; i < N; i++) {
        cr_assert_eq(br_collapsed_investors(f.collapsed, codes + i * f.n, 1, alone), BR_OK);
        cr_assert_arr_eq(alone, together + i * n_state, n_state * sizeof(float));
        br_collapsed_logits(f.collapsed, f.state, alone, 1, &logit, f.scratch);
        cr_assert_arr_eq(&logit, &logits[i], sizeof logit);
    }
    br_gate_change changes[MAX_FIELDS];
    float many[MAX_FIELDS];
    br_collapsed_add_hidden(f.collapsed, f.state);
    for (uint32_t j = 0; j < f.n; j++) {
        changes[j] = (br_gate_change){j, f.investor[j], false};
    }
    br_collapsed_logits_if(f.collapsed, f.state, changes, 1, f.n, many, f.scratch);
    for (uint32_t j = 0; j < f.n; j++) {
        br_collapsed_logits_if(f.collapsed, f.state, &changes[j], 1, 1, &logit, f.scratch);
        cr_assert_arr_eq(&logit, &many[j], sizeof logit);
    }
    free(together);
    free(alone);
    fixture_deinit(&f);
}

Test(model_collapse, bytes_do_not_depend_on_the_company_an_investor_is_in)
{
    check_company(&SHAPES[1]);
    check_company(&SHAPES[N_SHAPES - 2]); // full rank
    check_company(&SHAPES[N_SHAPES - 1]);
}

Test(model_collapse, a_change_is_foretold_as_it_comes)
{
    for (size_t i = 0; i < N_SHAPES; i++) {
        fixture f;
        fixture_init(&f, &SHAPES[i]);
        br_rng rng = br_rng_at(i, BR_STREAM_TEST, 3, 0);
        bool shown[MAX_FIELDS] = {false};
        br_collapsed_bond(f.collapsed, f.bond, f.state);
        br_collapsed_add_hidden(f.collapsed, f.state);
        for (uint32_t round = 0; round < 60; round++) {
            br_gate_change changes[BR_MAX_GATE_CHANGES];
            uint32_t n_changes = 1 + round % BR_MAX_GATE_CHANGES, first = br_rng_below(&rng, f.n);
            n_changes = n_changes < f.n ? n_changes : f.n;
            for (uint32_t k = 0; k < n_changes; k++) {
                uint32_t j = (first + k) % f.n;
                changes[k] = (br_gate_change){j, f.investor[j], shown[j]};
            }
            float foretold;
            br_collapsed_logits_if(f.collapsed, f.state, changes, n_changes, 1, &foretold, f.scratch);
            for (uint32_t k = 0; k < n_changes; k++) {
                uint32_t j = changes[k].field;
                (shown[j] ? br_collapsed_hide : br_collapsed_show)(f.collapsed, f.state, j, f.investor[j]);
                shown[j] = !shown[j];
            }
            cr_assert_float_eq((double)br_collapsed_logit(f.collapsed, f.state, f.scratch), (double)foretold, 2e-5);
        }
        fixture_deinit(&f);
    }
}

// Searches make at most a few dozen changes before they start afresh; a hundred times as many may not be felt.
Test(model_collapse, many_changes_drift_little)
{
    for (size_t i = 0; i < N_SHAPES; i++) {
        fixture f;
        fixture_init(&f, &SHAPES[i]);
        br_rng rng = br_rng_at(i, BR_STREAM_TEST, 4, 0);
        uint8_t masked[MAX_FIELDS];
        memset(masked, 1, sizeof masked);
        br_collapsed_bond(f.collapsed, f.bond, f.state);
        br_collapsed_add_hidden(f.collapsed, f.state);
        for (uint32_t round = 0; round < 4000; round++) {
            uint32_t j = br_rng_below(&rng, f.n);
            (masked[j] ? br_collapsed_show : br_collapsed_hide)(f.collapsed, f.state, j, f.investor[j]);
            masked[j] = !masked[j];
        }
        double expected = br_model_logit_plain(f.model, f.bond, f.investor, masked);
        cr_assert_float_eq((double)br_collapsed_logit(f.collapsed, f.state, f.scratch), expected, 5e-4);
        fixture_deinit(&f);
    }
}

Test(model_collapse, a_mean_bond_of_one_bond_is_that_bond)
{
    for (size_t i = 0; i < N_SHAPES; i++) {
        fixture f;
        fixture_init(&f, &SHAPES[i]);
        size_t d = f.model->config.d;
        float mean[MAX_FIELDS * 16] = {0.0f};
        for (size_t field = 0; field < f.model->n_bond_fields; field++) {
            if (f.model->linear != NULL) {
                mean[br_mean_bond_floats(f.model) - 1] += f.model->linear[f.model->row_of[field] + f.bond[field]];
            }
            memcpy(mean + field * d, f.model->embedding + (f.model->row_of[field] + f.bond[field]) * d,
                   d * sizeof *mean);
        }
        br_collapsed_mean_bond(f.collapsed, mean, f.state);
        br_collapsed_add_hidden(f.collapsed, f.state);
        br_collapsed_show(f.collapsed, f.state, 1, f.investor[1]);
        uint8_t masked[MAX_FIELDS];
        memset(masked, 1, sizeof masked);
        masked[1] = 0;
        cr_assert_float_eq((double)br_collapsed_logit(f.collapsed, f.state, f.scratch),
                           br_model_logit_plain(f.model, f.bond, f.investor, masked), TOLERANCE);
        fixture_deinit(&f);
    }
}

// --- gradient ---

// The network with relaxed gates, by putting (1 - gate) mask + gate value in the place of the value. The twin reads parameters
// as floats, so the step is as large as the curvature allows.
static double relaxed_logit(fixture *f, const double *gates)
{
    br_model *model = f->model;
    size_t d = model->config.d, first = model->n_bond_fields;
    float saved[MAX_FIELDS * 16], saved_linear[MAX_FIELDS];
    for (uint32_t j = 0; j < f->n; j++) {
        size_t row = model->row_of[first + j] + f->investor[j];
        size_t mask_row = model->row_of[first + j] + model->fields[first + j].n_values;
        float *value = model->embedding + row * d;
        const float *mask = model->embedding + mask_row * d;
        memcpy(saved + j * d, value, d * sizeof *value);
        if (model->linear != NULL) {
            float *weight = &model->linear[row];
            saved_linear[j] = *weight;
            *weight = (float)((1.0 - gates[j]) * (double)model->linear[mask_row] + gates[j] * (double)*weight);
        }
        for (size_t i = 0; i < d; i++) {
            value[i] = (float)((1.0 - gates[j]) * (double)mask[i] + gates[j] * (double)value[i]);
        }
    }
    double logit = br_model_logit_plain(model, f->bond, f->investor, NULL);
    for (uint32_t j = 0; j < f->n; j++) {
        size_t row = model->row_of[first + j] + f->investor[j];
        memcpy(model->embedding + row * d, saved + j * d, d * sizeof *saved);
        if (model->linear != NULL) {
            model->linear[row] = saved_linear[j];
        }
    }
    return logit;
}

Test(model_collapse, the_gate_gradient_is_the_slope_of_the_relaxed_network)
{
    unsigned checked = 0;
    for (size_t i = 0; i < N_SHAPES; i++) {
        fixture f;
        fixture_init(&f, &SHAPES[i]);
        for (uint32_t round = 0; round < 12; round++) {
            br_rng rng = br_rng_at(i, BR_STREAM_TEST, 5, round);
            double gates[MAX_FIELDS];
            float gradient[MAX_FIELDS];
            br_collapsed_bond(f.collapsed, f.bond, f.state);
            br_collapsed_add_hidden(f.collapsed, f.state);
            for (uint32_t j = 0; j < f.n; j++) {
                gates[j] = br_rng_below(&rng, 3) == 0;
                if (gates[j] > 0.0) {
                    br_collapsed_show(f.collapsed, f.state, j, f.investor[j]);
                }
            }
            br_collapsed_gate_gradient(f.collapsed, f.state, f.investor, f.all, f.n, gradient, f.scratch);
            for (uint32_t j = 0; j < f.n; j++) {
                if (f.model->config.architecture == BR_DEEPFM && gates[j] > 0.0) {
                    continue; // not promised
                }
                double gate = gates[j], step = 0x1p-10;
                gates[j] = gate + step;
                double above = relaxed_logit(&f, gates);
                gates[j] = gate - step;
                double below = relaxed_logit(&f, gates);
                gates[j] = gate;
                double here = relaxed_logit(&f, gates);
                if (fabs(above + below - 2.0 * here) > 1e-3 * step) {
                    continue; // a kink of the tower lies within the step
                }
                cr_assert_float_eq((double)gradient[j], (above - below) / (2.0 * step), 2e-3, "shape %zu field %u", i,
                                   j);
                checked++;
            }
        }
        fixture_deinit(&f);
    }
    cr_assert_gt(checked, 1000);
}

Test(model_collapse, the_gradient_of_all_codes_holds_each_investors)
{
    fixture f;
    fixture_init(&f, &SHAPES[0]);
    float one[MAX_FIELDS], all[MAX_FIELDS * 20];
    br_collapsed_bond(f.collapsed, f.bond, f.state);
    br_collapsed_add_hidden(f.collapsed, f.state);
    br_collapsed_gate_gradient_of_codes(f.collapsed, f.state, all, f.scratch);
    for (uint32_t round = 0; round < 20; round++) {
        br_test_investor_codes(f.model, round, 1, f.investor);
        br_collapsed_gate_gradient(f.collapsed, f.state, f.investor, f.all, f.n, one, f.scratch);
        for (uint32_t j = 0; j < f.n; j++) {
            cr_assert_eq(one[j], all[br_collapsed_first_code(f.collapsed, j) + f.investor[j]]);
        }
    }
    fixture_deinit(&f);
}

// --- kernels, memory ---

static void all_answers(const br_test_shape *shape, float *out)
{
    enum { N = 6 };
    fixture f;
    fixture_init(&f, shape);
    uint8_t codes[N * MAX_FIELDS];
    float *halves = floats(N * br_collapsed_state_floats(f.collapsed));
    br_test_investor_codes(f.model, 9, N, codes);
    cr_assert_eq(br_collapsed_investors(f.collapsed, codes, N, halves), BR_OK);
    br_collapsed_bond(f.collapsed, f.bond, f.state);
    br_collapsed_logits(f.collapsed, f.state, halves, N, out, f.scratch);
    br_collapsed_add_hidden(f.collapsed, f.state);
    br_collapsed_show(f.collapsed, f.state, 0, f.investor[0]);
    br_collapsed_show(f.collapsed, f.state, 1, f.investor[1]);
    br_collapsed_gate_gradient(f.collapsed, f.state, f.investor, f.all, f.n, out + N, f.scratch);
    br_gate_change change = {1, f.investor[1], true};
    br_collapsed_logits_if(f.collapsed, f.state, &change, 1, 1, out + N + f.n, f.scratch);
    free(halves);
    fixture_deinit(&f);
}

Test(model_collapse, all_kernels_give_the_same_bytes)
{
    static const char *const names[] = {"avx512", "avx2", "plain"};
    for (size_t i = 0; i < N_SHAPES; i++) {
        float expected[MAX_FIELDS] = {0.0f};
        cr_assert_eq(unsetenv("BOOKRUNNER_KERNEL"), 0);
        all_answers(&SHAPES[i], expected);
        for (size_t name = 0; name < 3; name++) {
            float answers[MAX_FIELDS] = {0.0f};
            if (br_fixed_by_name(names[name]) == NULL) {
                continue;
            }
            cr_assert_eq(setenv("BOOKRUNNER_KERNEL", names[name], 1), 0);
            all_answers(&SHAPES[i], answers);
            cr_assert_arr_eq(answers, expected, sizeof expected, "%s, shape %zu", names[name], i);
        }
    }
}

Test(model_collapse, survives_every_failed_allocation)
{
    br_model *model = br_test_network(&SHAPES[3]);
    uint8_t codes[MAX_FIELDS];
    br_test_investor_codes(model, 1, 1, codes);
    size_t live = br_alloc_live();
    br_status status = BR_ERR_NO_MEMORY;
    size_t n = 0;
    for (; status != BR_OK; n++) {
        br_collapsed *collapsed = NULL;
        br_alloc_fail_after(n);
        status = br_collapsed_new(&collapsed, model);
        cr_assert(status == BR_OK || status == BR_ERR_NO_MEMORY);
        cr_assert_eq(collapsed != NULL, status == BR_OK);
        if (status == BR_OK) {
            float *half = floats(br_collapsed_state_floats(collapsed));
            for (size_t left = 0; left < 3; left++) {
                br_alloc_fail_after(left);
                cr_assert_eq(br_collapsed_investors(collapsed, codes, 1, half), BR_ERR_NO_MEMORY);
            }
            br_alloc_fail_after(3);
            cr_assert_eq(br_collapsed_investors(collapsed, codes, 1, half), BR_OK);
            free(half);
        }
        br_alloc_fail_after(SIZE_MAX);
        br_collapsed_free(&collapsed);
        cr_assert_eq(br_alloc_live(), live);
    }
    cr_assert_gt(n, 10);
    br_model_free(&model);
}

Test(model_collapse, a_code_out_of_range_is_the_callers_bug, .signal = SIGABRT)
{
    fixture f;
    fixture_init(&f, &SHAPES[0]);
    br_collapsed_show(f.collapsed, f.state, 0, 200);
}
