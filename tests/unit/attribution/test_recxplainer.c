// Goal: RecXPlainer's auxiliary models are what recxplainer.c says. Method: the linear one against its normal equations, solved by
// elimination; the one with a hidden layer against a twin in double, with dense inputs, and on a network whose differences between values are
// known.

#include "base/rng.h"
#include "fixture.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 6, N_BOND = 2, D = 3, MAX_COLUMNS = N_BOND * D + N * 8 + 1 };

static void add_row(double *a, double *b, const double *row, double y, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t k = 0; k < n; k++) {
            a[i * n + k] += row[i] * row[k];
        }
        b[i] += row[i] * y;
    }
}

// first[N] column of each field; returns the number of columns.
static uint32_t columns_of(const fixture *f, uint32_t *first)
{
    uint32_t n = f->model->n_bond_fields * D;
    for (uint32_t j = 0; j < N; j++) {
        first[j] = n;
        n += f->model->fields[f->model->n_bond_fields + j].n_values;
    }
    cr_assert(n < MAX_COLUMNS);
    return n;
}

// Embeddings and one-hots of a pair; the rest of row[MAX_COLUMNS] is 0.
static void put_row(const fixture *f, const uint32_t *first, const uint8_t *bond, const uint8_t *codes, double *row)
{
    memset(row, 0, MAX_COLUMNS * sizeof *row);
    for (uint32_t c = 0; c < f->model->n_bond_fields * D; c++) {
        row[c] = (double)f->model->embedding[(f->model->row_of[c / D] + bond[c / D]) * D + c % D];
    }
    for (uint32_t j = 0; j < N; j++) {
        row[first[j] + codes[j]] = 1.0;
    }
}

// x[columns]
static void linear_plain(const fixture *f, const br_attribution_options *options, double *x, uint32_t *first)
{
    uint32_t n = columns_of(f, first) + 1;
    double *a = calloc((size_t)n * n, sizeof *a);
    double b[MAX_COLUMNS] = {0};
    for (uint32_t i = 0; i < f->background.n; i++) {
        const uint8_t *bond = f->background_bonds + i * N_BOND;
        const uint8_t *codes = f->background_codes + i * N;
        double row[MAX_COLUMNS];
        put_row(f, first, bond, codes, row);
        row[n - 1] = 1.0;
        add_row(a, b, row, fixture_output(f, options->output, bond, codes, NULL), n);
    }
    for (uint32_t c = 0; c + 1 < n; c++) {
        a[c * n + c] += options->ridge;
    }
    solve_plain(a, b, n, x);
    free(a);
}

Test(recxplainer, the_linear_one_is_its_ridge_regression)
{
    const br_test_shape shape = {{.d = D, .n_cross = 2, .rank = 8, .n_hidden = 1, .hidden = {12}}, N_BOND, N, 6, 3};
    fixture f;
    fixture_init(&f, &shape, 300);
    br_attribution_options options = br_attribution_options_default(BR_ATTRIBUTION_RECXPLAINER_L, N);
    for (int output = BR_ATTRIBUTED_PROBABILITY; output <= BR_ATTRIBUTED_LOGIT; output++) {
        options.output = (br_attributed)output;
        options.ridge = output == BR_ATTRIBUTED_LOGIT ? 0.1 : 1.0;
        br_attribution *attribution = fixture_attribution(&f, &options);
        double x[MAX_COLUMNS];
        uint32_t first[N];
        linear_plain(&f, &options, x, first);
        float scores[N_INVESTORS * N];
        cr_assert_eq(br_attribution_scores(attribution, f.codes, f.keys, N_INVESTORS, scores), BR_OK);
        for (uint32_t i = 0; i < N_INVESTORS * N; i++) {
            double expected = x[first[i % N] + f.codes[i]];
            cr_expect(fabs((double)scores[i] - expected) < 1e-4, "field %u: %g, %g", i % N, (double)scores[i],
                      expected);
        }
        br_attribution_free(&attribution);
    }
    fixture_deinit(&f);
}

Test(recxplainer, the_one_with_a_hidden_layer_learns_the_differences_between_values)
{
    const br_test_shape shape = {
        {.architecture = BR_WIDE_DEEP, .d = D, .rank = 1, .n_hidden = 1, .hidden = {8}}, 0, N, 3, 4};
    fixture f;
    fixture_init(&f, &shape, MAX_BACKGROUND);
    fixture_make_additive(&f);
    br_attribution_options options = br_attribution_options_default(BR_ATTRIBUTION_RECXPLAINER_MLP, N);
    options.output = BR_ATTRIBUTED_LOGIT;
    options.n_samples = 600;
    br_attribution *attribution = fixture_attribution(&f, &options);
    for (uint32_t j = 0; j < N; j++) {
        float scores[2][N];
        uint8_t codes[N];
        for (uint8_t code = 0; code < 2; code++) {
            for (uint32_t i = 0; i < N; i++) {
                codes[i] = i == j ? code : f.codes[i];
            }
            cr_assert_eq(br_attribution_scores(attribution, codes, f.keys, 1, scores[code]), BR_OK);
        }
        double learned = (double)scores[1][j] - (double)scores[0][j];
        double expected = (double)*fixture_linear(&f, j, 1) - (double)*fixture_linear(&f, j, 0);
        cr_expect(fabs(learned - expected) < 0.05 + 0.1 * fabs(expected), "field %u: %g, %g", j, learned, expected);
    }
    br_attribution_free(&attribution);
    fixture_deinit(&f);
}

enum { H = 5, N_PAIRS = 200, N_STEP = 128, N_WEIGHTS = MAX_COLUMNS * H + 2 * H + 1 };

// The network with a hidden layer, all in double: w [MAX_COLUMNS, H], c [H], v [H], c_out.
typedef struct twin {
    double p[N_WEIGHTS];
    double gradient[N_WEIGHTS];
    double m[N_WEIGHTS];
    double u[N_WEIGHTS];
    double step;
    double y[N_PAIRS];
    double scale;
    double h[H];
} twin;

static double twin_predict(twin *t, const double *row)
{
    double prediction = t->p[N_WEIGHTS - 1];
    for (uint32_t i = 0; i < H; i++) {
        t->h[i] = t->p[MAX_COLUMNS * H + i];
        for (uint32_t c = 0; c < MAX_COLUMNS; c++) {
            t->h[i] += row[c] * t->p[c * H + i];
        }
        t->h[i] = fmax(t->h[i], 0.0);
        prediction += t->p[MAX_COLUMNS * H + H + i] * t->h[i];
    }
    return prediction;
}

static void twin_backward(twin *t, const double *row, double error)
{
    t->gradient[N_WEIGHTS - 1] += error;
    for (uint32_t i = 0; i < H; i++) {
        double dh = t->h[i] > 0.0 ? error * t->p[MAX_COLUMNS * H + H + i] : 0.0;
        t->gradient[MAX_COLUMNS * H + H + i] += error * t->h[i];
        t->gradient[MAX_COLUMNS * H + i] += dh;
        for (uint32_t c = 0; c < MAX_COLUMNS; c++) {
            t->gradient[c * H + i] += row[c] * dh;
        }
    }
}

static void twin_step(twin *t)
{
    t->step++;
    for (uint32_t i = 0; i < N_WEIGHTS; i++) {
        t->m[i] = 0.9 * t->m[i] + 0.1 * t->gradient[i];
        t->u[i] = 0.999 * t->u[i] + 0.001 * t->gradient[i] * t->gradient[i];
        double m = t->m[i] / (1.0 - pow(0.9, t->step));
        t->p[i] -= 0.001 * m / (sqrt(t->u[i] / (1.0 - pow(0.999, t->step))) + 1e-8);
        t->gradient[i] = 0.0;
    }
}

static void twin_start(const fixture *f, twin *t, uint64_t seed, uint32_t n_columns)
{
    double mean = 0.0;
    double square = 0.0;
    for (uint32_t i = 0; i < N_PAIRS; i++) {
        t->y[i] = fixture_output(f, BR_ATTRIBUTED_PROBABILITY, f->background_bonds + i * N_BOND,
                                 f->background_codes + i * N, NULL);
        mean += t->y[i] / N_PAIRS;
    }
    for (uint32_t i = 0; i < N_PAIRS; i++) {
        square += (t->y[i] - mean) * (t->y[i] - mean) / N_PAIRS;
    }
    t->scale = sqrt(square);
    for (uint32_t i = 0; i < N_PAIRS; i++) {
        t->y[i] = (t->y[i] - mean) / t->scale;
    }
    br_rng rng = br_rng_at(seed, BR_STREAM_ATTRIBUTION, 1, UINT32_MAX);
    for (uint32_t i = 0; i < n_columns * H; i++) {
        t->p[i] = br_rng_normal(&rng) / sqrt(3.0 * n_columns);
    }
    for (uint32_t i = 0; i < H; i++) {
        t->p[MAX_COLUMNS * H + H + i] = br_rng_normal(&rng) / sqrt(H);
    }
}

static void twin_learn(const fixture *f, twin *t, const uint32_t *first, uint64_t seed, uint32_t n_rounds)
{
    uint32_t order[N_PAIRS];
    br_rng rng = br_rng_at(seed, BR_STREAM_ATTRIBUTION, 2, UINT32_MAX);
    for (uint32_t i = 0; i < N_PAIRS; i++) {
        order[i] = i;
    }
    for (uint32_t round = 0; round < n_rounds; round++) {
        for (uint32_t i = N_PAIRS; i > 1; i--) {
            uint32_t other = br_rng_below(&rng, i);
            uint32_t pair = order[other];
            order[other] = order[i - 1];
            order[i - 1] = pair;
        }
        for (uint32_t i = 0; i < N_PAIRS; i++) {
            double row[MAX_COLUMNS];
            put_row(f, first, f->background_bonds + order[i] * N_BOND, f->background_codes + order[i] * N, row);
            uint32_t n = i < N_STEP ? N_STEP : N_PAIRS - N_STEP;
            double error = twin_predict(t, row) - t->y[order[i]];
            twin_backward(t, row, error / n);
            if (i + 1 == N_STEP || i + 1 == N_PAIRS) {
                twin_step(t);
            }
        }
    }
}

Test(recxplainer, the_one_with_a_hidden_layer_learns_step_by_step_as_its_twin)
{
    const br_test_shape shape = {{.d = D, .n_cross = 2, .rank = 8, .n_hidden = 1, .hidden = {12}}, N_BOND, N, 6, 3};
    static twin t;
    uint32_t first[N];
    fixture f;
    fixture_init(&f, &shape, N_PAIRS);
    br_attribution_options options = br_attribution_options_default(BR_ATTRIBUTION_RECXPLAINER_MLP, N);
    options.hidden = H;
    options.n_samples = 20;
    options.seed = 7;
    br_attribution *attribution = fixture_attribution(&f, &options);
    float scores[N_INVESTORS * N];
    cr_assert_eq(br_attribution_scores(attribution, f.codes, f.keys, N_INVESTORS, scores), BR_OK);
    twin_start(&f, &t, options.seed, columns_of(&f, first));
    twin_learn(&f, &t, first, options.seed, options.n_samples);
    for (uint32_t i = 0; i < N_INVESTORS * N; i++) {
        double row[MAX_COLUMNS];
        put_row(&f, first, f.bond, fixture_codes(&f, i / N), row);
        double all = twin_predict(&t, row);
        row[first[i % N] + f.codes[i]] = 0.0;
        double expected = t.scale * (all - twin_predict(&t, row));
        cr_expect(fabs((double)scores[i] - expected) < 1e-4 * t.scale, "field %u: %g, %g", i % N, (double)scores[i],
                  expected);
    }
    br_attribution_free(&attribution);
    fixture_deinit(&f);
}
