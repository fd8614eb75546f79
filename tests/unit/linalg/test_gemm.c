// Goal: br_gemm is the product it says, for every form, edge shape and stride. Method: against sums in double.

#include "base/rng.h"
#include "linalg/gemm.h"

#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>
#include <string.h>

enum { MOST = 48, STRIDE = 53 };

static float a_memory[MOST * STRIDE], b_memory[MOST * STRIDE], c_memory[MOST * STRIDE], before[MOST * STRIDE];

static void fill(float *memory, br_rng *rng)
{
    for (size_t i = 0; i < MOST * STRIDE; i++) {
        memory[i] = (float)(2.0 * br_rng_uniform(rng) - 1.0);
    }
}

static br_matrix shaped(float *memory, size_t rows, size_t columns, br_transpose op)
{
    return op == BR_PLAIN ? (br_matrix){memory, rows, columns, STRIDE} : (br_matrix){memory, columns, rows, STRIDE};
}

static double at(br_matrix m, br_transpose op, size_t row, size_t column)
{
    return (double)(op == BR_PLAIN ? m.data[row * m.stride + column] : m.data[column * m.stride + row]);
}

Test(linalg_gemm, start_passes_its_self_test)
{
    cr_assert_eq(br_gemm_start(), BR_OK);
    cr_assert_eq(strncmp(br_gemm_describe(), "OpenBLAS ", 9), 0, "%s", br_gemm_describe());
}

Test(linalg_gemm, equals_sums_in_double_and_leaves_the_gap_between_rows)
{
    br_rng rng = br_rng_at(3, BR_STREAM_TEST, 0, 0);
    for (int trial = 0; trial < 200; trial++) {
        size_t rows = 1 + br_rng_below(&rng, MOST);
        size_t columns = 1 + br_rng_below(&rng, MOST);
        size_t inner = 1 + br_rng_below(&rng, MOST);
        br_transpose op_a = trial % 2 == 0 ? BR_PLAIN : BR_TRANSPOSED;
        br_transpose op_b = trial / 2 % 2 == 0 ? BR_PLAIN : BR_TRANSPOSED;
        float beta = (float)(trial / 4 % 3) * 0.5f;
        fill(a_memory, &rng);
        fill(b_memory, &rng);
        fill(c_memory, &rng);
        memcpy(before, c_memory, sizeof before);
        br_matrix a = shaped(a_memory, rows, inner, op_a);
        br_matrix b = shaped(b_memory, inner, columns, op_b);
        br_matrix c = shaped(c_memory, rows, columns, BR_PLAIN);
        br_gemm(c, beta, a, op_a, b, op_b);
        for (size_t row = 0; row < MOST; row++) {
            for (size_t column = 0; column < STRIDE; column++) {
                size_t i = row * STRIDE + column;
                if (row >= rows || column >= columns) {
                    cr_assert_eq(c_memory[i], before[i]);
                    continue;
                }
                double sum = (double)beta * (double)before[i];
                for (size_t k = 0; k < inner; k++) {
                    sum += at(a, op_a, row, k) * at(b, op_b, k, column);
                }
                // 48 products below 1 in float: 48 * 48 * 2^-24 bounds the rounding of any order.
                cr_assert(fabs((double)c_memory[i] - sum) < 1.5e-4);
            }
        }
    }
}

Test(linalg_gemm, shapes_that_do_not_fit_abort, .signal = SIGABRT)
{
    br_gemm(br_matrix_of(c_memory, 3, 3), 0.0f, br_matrix_of(a_memory, 3, 4), BR_PLAIN, br_matrix_of(b_memory, 5, 3),
            BR_PLAIN);
}
