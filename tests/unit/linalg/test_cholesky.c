// Goal: sums, solutions and inverses of symmetric matrices are what they say. Method: put them back into the equations.

#include "base/rng.h"
#include "linalg/cholesky.h"
#include "linalg/fixed_solve.h"
#include "linalg/gemm.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { MOST = 150 };

static float rows[2 * MOST * MOST];
static double given[MOST * MOST], a[MOST * MOST], b[MOST], x[MOST];

/// given = R^T R + I / 10 with R [2 n, n], both triangles; b at random.
static void make(size_t n, uint64_t seed)
{
    br_rng rng = br_rng_at(seed, BR_STREAM_TEST, (uint32_t)n, 0);
    for (size_t i = 0; i < 2 * n * n; i++) {
        rows[i] = (float)(2.0 * br_rng_uniform(&rng) - 1.0);
    }
    for (size_t i = 0; i < n; i++) {
        b[i] = br_rng_normal(&rng);
        for (size_t j = 0; j < n; j++) {
            double sum = i == j ? 0.1 : 0.0;
            for (size_t k = 0; k < 2 * n; k++) {
                sum += (double)rows[k * n + i] * (double)rows[k * n + j];
            }
            given[i * n + j] = sum;
        }
    }
}

/// In a copy in `a`, put a number below the diagonal that may not matter.
static void spoil_lower(size_t n, double with)
{
    memcpy(a, given, n * n * sizeof *a);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < i; j++) {
            a[i * n + j] = with;
        }
    }
}

static double worst_of_equations(size_t n)
{
    double worst = 0.0;
    for (size_t i = 0; i < n; i++) {
        double left = -b[i];
        for (size_t j = 0; j < n; j++) {
            left += given[i * n + j] * x[j];
        }
        worst = left == left ? fmax(worst, fabs(left)) : (double)INFINITY;
    }
    return worst;
}

static const size_t sizes[] = {1, 2, 7, 8, 9, 31, 64, 65, 150};
enum { N_SIZES = sizeof sizes / sizeof *sizes };

Test(linalg_cholesky, solves_in_a_fixed_order)
{
    for (size_t i = 0; i < N_SIZES; i++) {
        size_t n = sizes[i];
        make(n, 20 + i);
        spoil_lower(n, 1e9);
        memcpy(x, b, n * sizeof *x);
        br_fixed_cholesky(a, n, 0.1);
        br_fixed_cholesky_solve(a, x, n);
        cr_assert(worst_of_equations(n) < 1e-10, "%zu rows: %g", n, worst_of_equations(n));
    }
}

Test(linalg_cholesky, sums_in_a_fixed_order)
{
    for (size_t i = 0; i < N_SIZES; i++) {
        size_t n = sizes[i];
        make(n, 30 + i);
        memset(a, 0, sizeof a);
        memset(x, 0, sizeof x);
        double dot = 0.0;
        for (size_t k = 0; k < n; k++) {
            a[k * n + k] = 0.2;
            dot += b[k] * (double)rows[k];
        }
        for (size_t k = 0; k < 2 * n; k++) {
            br_fixed_add_outer(a, 2.0, rows + k * n, n);
        }
        br_fixed_add_row(x, 3.0, rows, n);
        cr_assert(fabs(br_fixed_dot_row(b, rows, n) - dot) < 1e-12);
        for (size_t k = 0; k < n; k++) {
            cr_assert_eq(x[k], 3.0 * (double)rows[k]);
            for (size_t j = k; j < n; j++) {
                cr_assert(fabs(a[k * n + j] - 2.0 * given[k * n + j]) < 1e-10);
            }
        }
    }
}

Test(linalg_cholesky, four_rows_at_once_give_the_bytes_of_one_after_the_other)
{
    for (size_t i = 0; i < N_SIZES; i++) {
        size_t n = sizes[i];
        make(n, 60 + i);
        const double weights[BR_FIXED_OUTERS] = {1.7, -0.3, 2.0 / 3.0, 1e5};
        const float *four[BR_FIXED_OUTERS];
        for (size_t k = 0; k < BR_FIXED_OUTERS; k++) {
            four[k] = rows + k % (2 * n) * n;
        }
        static double at_once[sizeof a / sizeof *a];
        memcpy(at_once, a, n * n * sizeof *a);
        br_fixed_add_outers(at_once, weights, four, n);
        for (size_t k = 0; k < BR_FIXED_OUTERS; k++) {
            br_fixed_add_outer(a, weights[k], four[k], n);
        }
        for (size_t k = 0; k < n; k++) {
            cr_assert_eq(memcmp(at_once + k * n + k, a + k * n + k, (n - k) * sizeof *a), 0, "%zu rows", n);
        }
    }
}

Test(linalg_cholesky, inverts_in_both_triangles)
{
    cr_assert_eq(br_gemm_start(), BR_OK);
    for (size_t i = 0; i < N_SIZES; i++) {
        size_t n = sizes[i];
        make(n, 40 + i);
        spoil_lower(n, (double)NAN);
        cr_assert_eq(br_cholesky_invert(a, n), BR_OK);
        for (size_t row = 0; row < n; row++) {
            for (size_t column = 0; column < n; column++) {
                double sum = row == column ? -1.0 : 0.0;
                for (size_t k = 0; k < n; k++) {
                    sum += given[row * n + k] * a[k * n + column];
                }
                cr_assert(fabs(sum) < 1e-9, "%zu rows: %g at %zu, %zu", n, sum, row, column);
            }
        }
    }
}

Test(linalg_cholesky, syrk_adds_to_the_upper_triangle_alone)
{
    cr_assert_eq(br_gemm_start(), BR_OK);
    static double doubles[2 * MOST * MOST];
    for (size_t i = 0; i < N_SIZES; i++) {
        size_t n = sizes[i];
        make(n, 50 + i);
        for (size_t k = 0; k < 2 * n * n; k++) {
            doubles[k] = (double)rows[k];
        }
        for (size_t k = 0; k < n * n; k++) {
            a[k] = 5.0;
        }
        br_syrk(a, doubles, 2 * n, n);
        br_syrk(a, doubles, 0, n);
        for (size_t row = 0; row < n; row++) {
            for (size_t column = 0; column < n; column++) {
                double wanted = 5.0 + (column < row ? 0.0 : given[row * n + column] - (row == column ? 0.1 : 0.0));
                cr_assert(fabs(a[row * n + column] - wanted) < 1e-10);
            }
        }
    }
}

Test(linalg_cholesky, what_is_not_positive_definite_is_refused)
{
    cr_assert_eq(br_gemm_start(), BR_OK);
    double indefinite[4] = {1.0, 2.0, 2.0, 1.0};
    cr_assert_eq(br_cholesky_invert(indefinite, 2), BR_ERR_INVALID);
    cr_assert_not_null(strstr(br_why(BR_ERR_INVALID), "2 rows is not positive definite: row 2 "));
    double singular[4] = {1.0, 1.0, 1.0, 1.0};
    cr_assert_eq(br_cholesky_invert(singular, 2), BR_ERR_INVALID);
    cr_assert_eq(br_cholesky_invert(singular, 0), BR_OK);
    double wild[4] = {(double)NAN, 1.0, 1.0, 1.0};
    cr_assert_eq(br_cholesky_invert(wild, 2), BR_ERR_INVALID);
}

// A pivot that rounding has brought below the floor is lifted to it: the result is finite.
Test(linalg_cholesky, the_floor_keeps_a_singular_matrix_solvable)
{
    double singular[4] = {4.0, 4.0, 4.0, 4.0};
    double right[2] = {2.0, 3.0};
    br_fixed_cholesky(singular, 2, 0.25);
    cr_assert_eq(singular[0], 2.0);
    cr_assert_eq(singular[1], 2.0);
    cr_assert_eq(singular[3], 0.5);
    br_fixed_cholesky_solve(singular, right, 2);
    cr_assert_eq(right[1], 4.0); // (3 - 2 * 1) / 0.5 / 0.5
    cr_assert_eq(right[0], -3.5);
}
