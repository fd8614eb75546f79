// Goal: RecXPlainer's auxiliary models are what recxplainer.c says. Method: the linear one against its normal equations, solved by
// elimination; the one with a hidden layer on a network whose differences between values are known.

#include "fixture.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

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

// x[columns], first[N] column of each field.
static void linear_plain(const fixture *f, const br_attribution_options *options, double *x, uint32_t *first)
{
    const br_model *model = f->model;
    uint32_t n = N_BOND * D;
    for (uint32_t j = 0; j < N; j++) {
        first[j] = n;
        n += model->fields[N_BOND + j].n_values;
    }
    n++;
    cr_assert(n <= MAX_COLUMNS);
    double *a = calloc((size_t)n * n, sizeof *a);
    double b[MAX_COLUMNS] = {0};
    for (uint32_t i = 0; i < f->background.n; i++) {
        const uint8_t *bond = f->background_bonds + i * N_BOND;
        const uint8_t *codes = f->background_codes + i * N;
        double row[MAX_COLUMNS] = {0};
        for (uint32_t c = 0; c < N_BOND * D; c++) {
            row[c] = (double)model->embedding[(model->row_of[c / D] + bond[c / D]) * D + c % D];
        }
        for (uint32_t j = 0; j < N; j++) {
            row[first[j] + codes[j]] = 1.0;
        }
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
