// Goal: both forms of least squares, in portions, are the solutions of their equations. Method: elimination in double.

#include "attribution/regression.h"
#include "base/rng.h"
#include "fixture.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 12, N_ROWS = 300, N_PORTION = 100 };

typedef struct drawn_rows {
    float x[N_ROWS * N];
    double w[N_ROWS];
    double y[N_ROWS];
} drawn_rows;

static void draw(drawn_rows *rows, br_regression *regression, uint32_t n_rows)
{
    br_rng rng = br_rng_at(1, BR_STREAM_TEST, 0, 0);
    for (uint32_t t = 0; t < n_rows; t++) {
        rows->w[t] = br_rng_uniform(&rng);
        rows->y[t] = br_rng_normal(&rng);
        for (uint32_t i = 0; i < N; i++) {
            rows->x[t * N + i] = br_rng_uniform(&rng) < 0.4 ? 1.0f : 0.0f;
        }
    }
    br_regression_reset(regression, N);
    for (uint32_t t = 0; t < n_rows; t += N_PORTION) {
        uint32_t some = n_rows - t < N_PORTION ? n_rows - t : N_PORTION;
        br_regression_add(regression, rows->x + t * N, rows->w + t, rows->y + t, some);
    }
}

// The normal equations with one more row and column, `last`, which multiplies each row's weight; or sums of beta.
static void solve_expected(const drawn_rows *rows, bool has_sum, double value, double *x)
{
    enum { M = N + 1 };
    double a[M * M] = {0};
    double b[M] = {0};
    for (uint32_t t = 0; t < N_ROWS; t++) {
        double row[M];
        for (uint32_t i = 0; i < M; i++) {
            row[i] = i < N ? (double)rows->x[t * N + i] : has_sum ? 0.0 : 1.0;
        }
        for (uint32_t i = 0; i < M; i++) {
            for (uint32_t k = 0; k < M; k++) {
                a[i * M + k] += rows->w[t] * row[i] * row[k];
            }
            b[i] += rows->w[t] * row[i] * rows->y[t];
        }
    }
    for (uint32_t i = 0; i < N; i++) {
        a[i * M + i] += has_sum ? 0.0 : value;
        if (has_sum) {
            a[i * M + N] = 1.0;
            a[N * M + i] = 1.0;
        }
    }
    b[N] = has_sum ? value : b[N];
    solve_plain(a, b, M, x);
}

Test(regression, both_forms_solve_their_equations)
{
    static drawn_rows drawn;
    br_regression regression;
    cr_assert_eq(br_regression_init(&regression, N + 3), BR_OK);
    double beta[N];
    double expected[N + 1];
    for (int again = 0; again < 2; again++) {
        draw(&drawn, &regression, N_ROWS);
        br_regression_ridge(&regression, 2.5, beta);
        solve_expected(&drawn, false, 2.5, expected);
        for (uint32_t i = 0; i < N; i++) {
            cr_expect_float_eq(beta[i], expected[i], 1e-5);
        }
        br_regression_with_sum(&regression, 1.7, beta);
        solve_expected(&drawn, true, 1.7, expected);
        double sum = 0.0;
        for (uint32_t i = 0; i < N; i++) {
            cr_expect_float_eq(beta[i], expected[i], 1e-5);
            sum += beta[i];
        }
        cr_expect_float_eq(sum, 1.7, 1e-12);
    }
    br_regression_deinit(&regression);
}

Test(regression, fewer_rows_than_columns_are_met_and_no_row_gives_equal_parts)
{
    static drawn_rows drawn;
    enum { FEW = 5 };
    br_regression regression;
    double beta[N];
    cr_assert_eq(br_regression_init(&regression, N), BR_OK);
    draw(&drawn, &regression, FEW);
    br_regression_with_sum(&regression, 1.7, beta);
    for (uint32_t t = 0; t < FEW; t++) {
        double prediction = 0.0;
        for (uint32_t i = 0; i < N; i++) {
            prediction += (double)drawn.x[t * N + i] * beta[i];
        }
        cr_expect_float_eq(prediction, drawn.y[t], 1e-3);
    }
    br_regression_reset(&regression, N);
    br_regression_with_sum(&regression, 6.0, beta);
    for (uint32_t i = 0; i < N; i++) {
        cr_expect_float_eq(beta[i], 0.5, 1e-12);
    }
    br_regression_deinit(&regression);
}
