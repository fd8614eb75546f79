#include "linalg/gemm.h"

#include <cblas.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>

/// The self-test's shape: odd numbers, so that every kernel's edges are taken.
enum { TEST_ROWS = 37, TEST_COLUMNS = 29, TEST_INNER = 67 };

static pthread_once_t described = PTHREAD_ONCE_INIT;
static char description[64];

static void describe(void)
{
    char name[24] = "OpenBLAS";
    char version[16] = "?";
    sscanf(openblas_get_config(), "%23s %15s", name, version);
    snprintf(description, sizeof description, "%s %s %.20s", name, version, openblas_get_corename());
}

const char *br_gemm_describe(void)
{
    pthread_once(&described, describe);
    return description;
}

static blasint blas_size(size_t n)
{
    br_assert(n <= INT_MAX);
    return (blasint)n;
}

void br_gemm(br_matrix c, float beta, br_matrix a, br_transpose op_a, br_matrix b, br_transpose op_b)
{
    size_t inner = op_a == BR_PLAIN ? a.columns : a.rows;
    br_assert((op_a == BR_PLAIN ? a.rows : a.columns) == c.rows);
    br_assert((op_b == BR_PLAIN ? b.columns : b.rows) == c.columns);
    br_assert((op_b == BR_PLAIN ? b.rows : b.columns) == inner);
    br_assert(a.stride >= a.columns && b.stride >= b.columns && c.stride >= c.columns);
    cblas_sgemm(CblasRowMajor, op_a == BR_PLAIN ? CblasNoTrans : CblasTrans,
                op_b == BR_PLAIN ? CblasNoTrans : CblasTrans, blas_size(c.rows), blas_size(c.columns), blas_size(inner),
                1.0f, a.data, blas_size(a.stride), b.data, blas_size(b.stride), beta, c.data, blas_size(c.stride));
}

/// A number in [-1, 1] that looks random, without a generator: the test has to be the same on every start.
static float test_value(size_t i)
{
    return (float)((i * 2654435761u) % 2001u) / 1000.0f - 1.0f;
}

/// Element (row, column) of op(m), in double.
static double element(br_matrix m, br_transpose op, size_t row, size_t column)
{
    return (double)(op == BR_PLAIN ? m.data[row * m.stride + column] : m.data[column * m.stride + row]);
}

/// Largest difference between `c` and 1 + op(A) op(B) computed in double.
static double worst_error(br_matrix c, br_matrix a, br_transpose op_a, br_matrix b, br_transpose op_b)
{
    double worst = 0.0;
    for (size_t row = 0; row < TEST_ROWS; row++) {
        for (size_t column = 0; column < TEST_COLUMNS; column++) {
            double sum = 1.0;
            for (size_t k = 0; k < TEST_INNER; k++) {
                sum += element(a, op_a, row, k) * element(b, op_b, k, column);
            }
            double error = fabs(element(c, BR_PLAIN, row, column) - sum);
            // The comparison is written so that a NaN counts as an error.
            worst = error <= worst ? worst : error;
        }
    }
    return worst;
}

br_status br_gemm_start(void)
{
    openblas_set_num_threads(1);
    float a[TEST_ROWS * TEST_INNER];
    float b[TEST_INNER * TEST_COLUMNS];
    float c[TEST_ROWS * TEST_COLUMNS];
    for (size_t i = 0; i < TEST_ROWS * TEST_INNER; i++) {
        a[i] = test_value(i);
    }
    for (size_t i = 0; i < TEST_INNER * TEST_COLUMNS; i++) {
        b[i] = test_value(i + TEST_ROWS * TEST_INNER);
    }
    for (int form = 0; form < 4; form++) {
        br_transpose op_a = form % 2 == 0 ? BR_PLAIN : BR_TRANSPOSED;
        br_transpose op_b = form / 2 == 0 ? BR_PLAIN : BR_TRANSPOSED;
        br_matrix ma =
            op_a == BR_PLAIN ? br_matrix_of(a, TEST_ROWS, TEST_INNER) : br_matrix_of(a, TEST_INNER, TEST_ROWS);
        br_matrix mb =
            op_b == BR_PLAIN ? br_matrix_of(b, TEST_INNER, TEST_COLUMNS) : br_matrix_of(b, TEST_COLUMNS, TEST_INNER);
        for (size_t i = 0; i < TEST_ROWS * TEST_COLUMNS; i++) {
            c[i] = 1.0f;
        }
        br_matrix mc = br_matrix_of(c, TEST_ROWS, TEST_COLUMNS);
        br_gemm(mc, 1.0f, ma, op_a, mb, op_b);
        double worst = worst_error(mc, ma, op_a, mb, op_b);
        // 67 products of numbers below 1 are within 67 * 67 * 2^-24 in any order of summation.
        if (!(worst < 67.0 * 67.0 * 0x1p-24)) {
            return br_fail(BR_ERR_CORRUPT, "%s computes a product wrong by %g", br_gemm_describe(), worst);
        }
    }
    return BR_OK;
}
