// Goal: gates on the investor's fields are what gates.h says, for every architecture and baseline, between 0 and 1 as well.
// Method: random networks against br_model_logit_plain() of a copy whose mask embeddings are the gated embeddings; against the collapsed
// model; the gradient against central differences.

#include "base/alloc.h"
#include "base/rng.h"
#include "model/collapse.h"
#include "model/gates.h"
#include "support/network.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

// Sums of floats in another order than the twin in double, in logit.
#define TOLERANCE 1e-4

enum { MAX_FIELDS = 32, N_SAMPLES = 9, MAX_SAMPLES = 6 };

static const br_test_shape SHAPES[] = {
    {{.d = 8, .n_cross = 2, .rank = 32, .n_hidden = 2, .hidden = {128, 64}}, 6, 20, 9, 1},
    {{.d = 5, .n_cross = 3, .rank = 7, .n_hidden = 3, .hidden = {33, 17, 9}}, 2, 11, 5, 2},
    {{.d = 3, .n_cross = 0, .rank = 4, .n_hidden = 1, .hidden = {20}}, 4, 9, 7, 3},
    {{.d = 8, .n_cross = 2, .rank = 16, .stacked = true, .n_hidden = 2, .hidden = {64, 32}}, 6, 20, 9, 4},
    {{.d = 4, .n_cross = 0, .rank = 1, .stacked = true, .n_hidden = 1, .hidden = {9}}, 1, 7, 4, 5},
    {{.d = 4, .n_cross = 2, .rank = 0, .n_hidden = 2, .hidden = {32, 16}}, 3, 12, 6, 6},
    {{.d = 5, .n_cross = 3, .rank = 0, .stacked = true, .n_hidden = 2, .hidden = {32, 16}}, 3, 12, 6, 7},
    {{.architecture = BR_DNN, .d = 7, .rank = 1, .n_hidden = 3, .hidden = {50, 20, 10}}, 3, 12, 6, 8},
    {{.architecture = BR_WIDE_DEEP, .d = 8, .rank = 1, .n_hidden = 2, .hidden = {40, 20}}, 5, 14, 6, 9},
    {{.architecture = BR_DEEPFM, .d = 8, .rank = 1, .n_hidden = 2, .hidden = {64, 32}}, 6, 20, 9, 10},
    {{.architecture = BR_DEEPFM, .d = 1, .rank = 1, .n_hidden = 1, .hidden = {9}}, 0, 5, 3, 11},
};

enum { N_SHAPES = sizeof SHAPES / sizeof *SHAPES };

static const br_baseline BASELINES[] = {BR_BASELINE_MASK, BR_BASELINE_ZERO, BR_BASELINE_AVERAGE, BR_BASELINE_VALUE};

enum { N_BASELINES = sizeof BASELINES / sizeof *BASELINES };

typedef struct fixture {
    br_model *model;
    br_model *twin;
    br_gates *gates;
    uint32_t n;
    uint8_t bond[MAX_FIELDS];
    uint8_t codes[N_SAMPLES * MAX_FIELDS];
    uint8_t others[N_SAMPLES * MAX_FIELDS];
    float gate[N_SAMPLES * MAX_FIELDS];
    br_gate_samples samples;
} fixture;

static void fixture_init(fixture *f, const br_test_shape *shape, br_baseline baseline)
{
    f->model = br_test_network(shape);
    f->twin = br_test_network(shape);
    f->n = shape->n_investor_fields;
    cr_assert_eq(br_gates_new(&f->gates, f->model, MAX_SAMPLES), BR_OK);
    br_test_bond_codes(f->model, shape->seed, 1, f->bond);
    br_test_investor_codes(f->model, shape->seed, N_SAMPLES, f->codes);
    br_test_investor_codes(f->model, shape->seed + 100, N_SAMPLES, f->others);
    br_gates_bond(f->gates, f->bond);
    f->samples = (br_gate_samples){f->codes, f->gate, baseline, baseline == BR_BASELINE_VALUE ? f->others : NULL};
}

static void fixture_deinit(fixture *f)
{
    br_gates_free(&f->gates);
    br_model_free(&f->model);
    br_model_free(&f->twin);
}

static void draw_gates(fixture *f, uint32_t round, bool whole)
{
    br_rng rng = br_rng_at(f->n, BR_STREAM_TEST, 3, round);
    for (uint32_t i = 0; i < N_SAMPLES * f->n; i++) {
        double u = br_rng_uniform(&rng);
        f->gate[i] = whole ? (float)(u < 0.5) : (float)u;
    }
}

// Element i of what stands for field j of a sample at gate 0, in a table of rows of `n` floats.
static double baseline_at(const fixture *f, const float *rows, uint32_t sample, uint32_t j, size_t n, size_t i)
{
    size_t first = f->model->row_of[f->model->n_bond_fields + j];
    uint32_t n_values = f->model->fields[f->model->n_bond_fields + j].n_values;
    double sum = 0.0;
    switch (f->samples.baseline) {
    case BR_BASELINE_MASK:
        return (double)rows[(first + n_values) * n + i];
    case BR_BASELINE_VALUE:
        return (double)rows[(first + f->others[sample * f->n + j]) * n + i];
    case BR_BASELINE_AVERAGE:
        for (uint32_t v = 0; v < n_values; v++) {
            sum += (double)rows[(first + v) * n + i] / n_values;
        }
        return sum;
    case BR_BASELINE_ZERO:
        break;
    }
    return 0.0;
}

static void gate_rows(const fixture *f, float *twin, const float *rows, uint32_t sample, size_t n)
{
    for (uint32_t j = 0; j < f->n; j++) {
        size_t first = f->model->row_of[f->model->n_bond_fields + j];
        uint32_t n_values = f->model->fields[f->model->n_bond_fields + j].n_values;
        double gate = (double)f->gate[sample * f->n + j];
        for (size_t i = 0; i < n; i++) {
            double value = (double)rows[(first + f->codes[sample * f->n + j]) * n + i];
            twin[(first + n_values) * n + i] =
                (float)((1.0 - gate) * baseline_at(f, rows, sample, j, n, i) + gate * value);
        }
    }
}

static double expected(fixture *f, uint32_t sample)
{
    uint8_t masked[MAX_FIELDS];
    memset(masked, 1, sizeof masked);
    gate_rows(f, f->twin->embedding, f->model->embedding, sample, f->model->config.d);
    if (f->model->linear != NULL) {
        gate_rows(f, f->twin->linear, f->model->linear, sample, 1);
    }
    return br_model_logit_plain(f->twin, f->bond, f->codes + sample * f->n, masked);
}

Test(model_gates, are_straight_lines_from_each_baseline_to_the_value)
{
    double least = 0.0, most = 0.0;
    for (size_t i = 0; i < N_SHAPES * N_BASELINES; i++) {
        fixture f;
        fixture_init(&f, &SHAPES[i / N_BASELINES], BASELINES[i % N_BASELINES]);
        for (uint32_t round = 0; round < 4; round++) {
            float logits[N_SAMPLES];
            draw_gates(&f, round, false);
            br_gates_logits(f.gates, &f.samples, N_SAMPLES, logits);
            for (uint32_t sample = 0; sample < N_SAMPLES; sample++) {
                double twin = expected(&f, sample);
                cr_assert_float_eq((double)logits[sample], twin, TOLERANCE,
                                   "shape %zu baseline %zu sample %u: %g is not %g", i / N_BASELINES, i % N_BASELINES,
                                   sample, (double)logits[sample], twin);
                least = fmin(least, twin);
                most = fmax(most, twin);
            }
        }
        fixture_deinit(&f);
    }
    cr_assert_gt(most - least, 2.0, "the networks hardly answer at all");
}

Test(model_gates, of_0_and_1_are_masks)
{
    for (size_t i = 0; i < N_SHAPES; i++) {
        fixture f;
        fixture_init(&f, &SHAPES[i], BR_BASELINE_MASK);
        for (uint32_t round = 0; round < 20; round++) {
            float logits[N_SAMPLES];
            draw_gates(&f, round, true);
            br_gates_logits(f.gates, &f.samples, N_SAMPLES, logits);
            for (uint32_t sample = 0; sample < N_SAMPLES; sample++) {
                uint8_t masked[MAX_FIELDS];
                for (uint32_t j = 0; j < f.n; j++) {
                    masked[j] = f.gate[sample * f.n + j] == 0.0f;
                }
                double twin = br_model_logit_plain(f.model, f.bond, f.codes + sample * f.n, masked);
                cr_assert_float_eq((double)logits[sample], twin, TOLERANCE, "shape %zu: %g is not %g", i,
                                   (double)logits[sample], twin);
            }
        }
        fixture_deinit(&f);
    }
}

Test(model_gates, all_open_give_the_collapsed_model)
{
    for (size_t i = 0; i < N_SHAPES; i++) {
        fixture f;
        fixture_init(&f, &SHAPES[i], BR_BASELINE_AVERAGE);
        BR_AUTO(br_collapsed) *collapsed = NULL;
        if (f.model->n_low == f.model->config.n_cross) {
            cr_assert_eq(br_collapsed_new(&collapsed, f.model), BR_OK);
            size_t n_state = br_collapsed_state_floats(collapsed);
            float *states = br_calloc_aligned((N_SAMPLES + 1) * n_state, sizeof *states);
            float *scratch = br_calloc_aligned(br_collapsed_scratch_floats(collapsed), sizeof *scratch);
            cr_assert(states != NULL && scratch != NULL);
            float logits[N_SAMPLES], collapsed_logits[N_SAMPLES];
            br_collapsed_bond(collapsed, f.bond, states);
            cr_assert_eq(br_collapsed_investors(collapsed, f.codes, N_SAMPLES, states + n_state), BR_OK);
            br_collapsed_logits(collapsed, states, states + n_state, N_SAMPLES, collapsed_logits, scratch);
            f.samples.gates = NULL;
            br_gates_logits(f.gates, &f.samples, N_SAMPLES, logits);
            for (uint32_t sample = 0; sample < N_SAMPLES; sample++) {
                cr_assert_float_eq((double)logits[sample], (double)collapsed_logits[sample], TOLERANCE, "shape %zu", i);
            }
            br_free(states);
            br_free(scratch);
        }
        fixture_deinit(&f);
    }
}

// Slopes of br_gates_logits() along each gate, by the two points at a distance of `step`.
static void slopes_of(fixture *f, float step, float *slopes)
{
    for (uint32_t j = 0; j < f->n; j++) {
        float there[N_SAMPLES], back[N_SAMPLES];
        float before[N_SAMPLES];
        for (uint32_t i = 0; i < N_SAMPLES; i++) {
            before[i] = f->gate[i * f->n + j];
            f->gate[i * f->n + j] = before[i] + step;
        }
        br_gates_logits(f->gates, &f->samples, N_SAMPLES, there);
        for (uint32_t i = 0; i < N_SAMPLES; i++) {
            f->gate[i * f->n + j] = before[i] - step;
        }
        br_gates_logits(f->gates, &f->samples, N_SAMPLES, back);
        for (uint32_t i = 0; i < N_SAMPLES; i++) {
            f->gate[i * f->n + j] = before[i];
            slopes[i * f->n + j] = (there[i] - back[i]) / (2.0f * step);
        }
    }
}

Test(model_gates, gradient_is_the_slope)
{
    for (size_t i = 0; i < N_SHAPES * N_BASELINES; i++) {
        fixture f;
        fixture_init(&f, &SHAPES[i / N_BASELINES], BASELINES[i % N_BASELINES]);
        float slopes[N_SAMPLES * MAX_FIELDS], gradient[N_SAMPLES * MAX_FIELDS];
        float logits[N_SAMPLES], alone[N_SAMPLES];
        draw_gates(&f, (uint32_t)i, false);
        slopes_of(&f, 0x1p-10f, slopes);
        br_gates_logits(f.gates, &f.samples, N_SAMPLES, alone);
        br_gates_gradient(f.gates, &f.samples, N_SAMPLES, logits, gradient);
        cr_assert_arr_eq(logits, alone, sizeof logits);
        unsigned far_off = 0;
        double largest = 0.0;
        for (uint32_t k = 0; k < N_SAMPLES * f.n; k++) {
            far_off += fabs((double)(slopes[k] - gradient[k])) > 2e-3;
            largest = fmax(largest, fabs((double)gradient[k]));
        }
        // Where a unit of the tower bends between the two points, the slope is none.
        cr_assert_leq(far_off, N_SAMPLES * f.n / 10, "shape %zu baseline %zu: %u of %u", i / N_BASELINES,
                      i % N_BASELINES, far_off, N_SAMPLES * f.n);
        cr_assert_gt(largest, 0.05);
        br_gates_gradient(f.gates, &f.samples, N_SAMPLES, NULL, slopes);
        cr_assert_arr_eq(slopes, gradient, N_SAMPLES * f.n * sizeof *slopes, "the same call, other bytes");
        fixture_deinit(&f);
    }
}

Test(model_gates, give_a_sample_the_same_bytes_in_any_company)
{
    for (size_t i = 0; i < N_SHAPES; i++) {
        fixture f;
        fixture_init(&f, &SHAPES[i], BR_BASELINE_MASK);
        float together[N_SAMPLES * MAX_FIELDS], alone[MAX_FIELDS], logits[N_SAMPLES], logit;
        draw_gates(&f, 5, false);
        br_gates_gradient(f.gates, &f.samples, N_SAMPLES, logits, together);
        for (uint32_t sample = 0; sample < N_SAMPLES; sample++) {
            br_gate_samples one = {f.codes + sample * f.n, f.gate + sample * f.n, BR_BASELINE_MASK, NULL};
            br_gates_gradient(f.gates, &one, 1, &logit, alone);
            cr_assert_arr_eq(alone, together + sample * f.n, f.n * sizeof *alone, "shape %zu sample %u", i, sample);
            cr_assert_arr_eq(&logit, &logits[sample], sizeof logit, "shape %zu sample %u", i, sample);
        }
        fixture_deinit(&f);
    }
}

Test(model_gates, follow_the_bond)
{
    fixture f;
    fixture_init(&f, &SHAPES[0], BR_BASELINE_MASK);
    draw_gates(&f, 1, false);
    float first[N_SAMPLES], second[N_SAMPLES];
    br_gates_logits(f.gates, &f.samples, N_SAMPLES, first);
    br_test_bond_codes(f.model, 77, 1, f.bond);
    br_gates_bond(f.gates, f.bond);
    br_gates_logits(f.gates, &f.samples, N_SAMPLES, second);
    for (uint32_t sample = 0; sample < N_SAMPLES; sample++) {
        cr_assert_float_eq((double)second[sample], expected(&f, sample), TOLERANCE);
        cr_assert_float_neq(first[sample], second[sample], 1e-3f);
    }
    fixture_deinit(&f);
}

Test(model_gates, refuses_nothing_to_gate_and_survives_no_memory)
{
    br_model *model = br_test_network(&SHAPES[0]);
    br_gates *gates = NULL;
    cr_assert_eq(br_gates_new(&gates, model, 0), BR_ERR_INVALID);
    br_model_field bond_field = {.n_values = 2};
    br_model *of_a_bond = NULL;
    cr_assert_eq(br_model_new(&of_a_bond, &SHAPES[0].config, &bond_field, 1, 1), BR_OK);
    cr_assert_eq(br_gates_new(&gates, of_a_bond, 1), BR_ERR_INVALID);
    br_model_free(&of_a_bond);
    size_t live = br_alloc_live();
    size_t n = 0;
    br_status status;
    do {
        br_alloc_fail_after(n++);
        status = br_gates_new(&gates, model, 3);
        br_alloc_fail_after(SIZE_MAX);
        cr_assert(status == BR_OK || (status == BR_ERR_NO_MEMORY && gates == NULL && br_alloc_live() == live));
    } while (status != BR_OK);
    cr_assert_gt(n, 2);
    br_gates_free(&gates);
    cr_assert_eq(br_alloc_live(), live);
    br_model_free(&model);
}
