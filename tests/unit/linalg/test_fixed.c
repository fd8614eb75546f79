// Goal: all kernels of linalg/fixed.h give the same bytes, their formulas are right, and exp and log agree with libm.
// Method: random inputs of every size and alignment, denormals and infinities among them, against each other and against sums
// in double precision.

#include "base/rng.h"
#include "linalg/fixed.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N_MAX = 300, N_NAMES = 3 };

static const char *const NAMES[N_NAMES] = {"plain", "avx2", "avx512"};

static float random_float(br_rng *rng, bool wild)
{
    float value = (float)br_rng_normal(rng);
    if (!wild) {
        return value;
    }
    switch (br_rng_below(rng, 12)) {
    case 0:
        return 0.0f;
    case 1:
        return -0.0f;
    case 2:
        return value * 0x1p-140f;
    case 3:
        return value * 0x1p-75f;
    case 4:
        return value * 0x1p100f;
    case 5:
        return br_rng_below(rng, 8) == 0 ? INFINITY : value;
    default:
        return value;
    }
}

static void fill(br_rng *rng, float *x, size_t n, bool wild)
{
    for (size_t i = 0; i < n; i++) {
        x[i] = random_float(rng, wild);
    }
}

static bool same_bytes(const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (isnan(a[i]) && isnan(b[i])) {
            continue; // sign and payload of a NaN are the machine's
        }
        if (memcmp(&a[i], &b[i], sizeof *a) != 0) {
            return false;
        }
    }
    return true;
}

Test(linalg_fixed, vector_kernels_give_the_same_bytes)
{
    static float a[N_MAX + 16], b[N_MAX + 16], y[N_NAMES][N_MAX];
    const br_fixed_kernels *plain = br_fixed_by_name("plain");
    unsigned compared = 0;
    for (uint32_t round = 0; round < 6000; round++) {
        br_rng rng = br_rng_at(1, BR_STREAM_TEST, 1, round);
        bool wild = round % 2 == 1;
        size_t n = br_rng_below(&rng, N_MAX);
        size_t shift = br_rng_below(&rng, 16);
        float factor = random_float(&rng, wild);
        fill(&rng, a, N_MAX + 16, wild);
        fill(&rng, b, N_MAX + 16, wild);
        float dot = plain->dot(a + shift, b, n);
        memcpy(y[0], b, sizeof y[0]);
        plain->axpy(y[0], factor, a + shift, n);
        plain->add(y[0], a, n);
        for (size_t other = 1; other < N_NAMES; other++) {
            const br_fixed_kernels *kernels = br_fixed_by_name(NAMES[other]);
            if (kernels == NULL) {
                continue;
            }
            float other_dot = kernels->dot(a + shift, b, n);
            cr_assert(same_bytes(&dot, &other_dot, 1), "%s round %u n %zu", NAMES[other], round, n);
            memcpy(y[other], b, sizeof y[other]);
            kernels->axpy(y[other], factor, a + shift, n);
            kernels->add(y[other], a, n);
            cr_assert(same_bytes(y[0], y[other], N_MAX), "%s round %u n %zu", NAMES[other], round, n);
            compared++;
        }
    }
    cr_log_info("%u comparisons", compared);
}

Test(linalg_fixed, matrix_kernels_give_the_same_bytes)
{
    enum { SIZE = 90, STRIDE = 180 };
    static float a[SIZE * STRIDE], x[SIZE * STRIDE], start[SIZE * STRIDE], y[N_NAMES][SIZE * STRIDE];
    uint32_t list[SIZE];
    for (uint32_t round = 0; round < 300; round++) {
        br_rng rng = br_rng_at(2, BR_STREAM_TEST, 2, round);
        bool wild = round % 2 == 1;
        fill(&rng, a, SIZE * STRIDE, wild);
        fill(&rng, x, SIZE * STRIDE, wild);
        fill(&rng, start, SIZE * STRIDE, wild);
        size_t n = br_rng_below(&rng, 10);
        size_t rows = br_rng_below(&rng, 40);
        size_t columns = br_rng_below(&rng, STRIDE);
        for (size_t i = 0; i < SIZE; i++) {
            list[i] = br_rng_below(&rng, 50);
        }
        uint32_t few[40];
        size_t n_few = 0;
        for (uint32_t k = 0; k < rows; k++) {
            few[n_few] = k;
            n_few += br_rng_below(&rng, 2);
        }
        for (size_t which = 0; which < N_NAMES; which++) {
            const br_fixed_kernels *kernels = br_fixed_by_name(NAMES[which]);
            if (kernels == NULL) {
                continue;
            }
            memcpy(y[which], start, sizeof start);
            br_fixed_product product = {y[which], STRIDE, x, 50, a, STRIDE, n, rows, columns, NULL};
            kernels->product(&product);
            product.list = few;
            product.rows = n_few;
            kernels->product(&product);
            kernels->sum_rows(y[which] + 20 * STRIDE, a, list, n, columns);
            kernels->matvec(y[which] + 40 * STRIDE, a, x, rows, columns);
            cr_assert(same_bytes(y[0], y[which], SIZE * STRIDE), "%s round %u n %zu rows %zu columns %zu", NAMES[which],
                      round, n, rows, columns);
        }
    }
}

Test(linalg_fixed, kernels_compute_their_formulas)
{
    enum { SIZE = 40 };
    for (size_t which = 0; which < N_NAMES; which++) {
        const br_fixed_kernels *kernels = br_fixed_by_name(NAMES[which]);
        if (kernels == NULL) {
            continue;
        }
        cr_assert_str_eq(kernels->name, NAMES[which]);
        for (uint32_t round = 0; round < 50; round++) {
            br_rng rng = br_rng_at(3, BR_STREAM_TEST, 3, round);
            float a[SIZE * SIZE], x[SIZE * SIZE], y[SIZE * SIZE], start[SIZE * SIZE];
            fill(&rng, a, SIZE * SIZE, false);
            fill(&rng, x, SIZE * SIZE, false);
            fill(&rng, start, SIZE * SIZE, false);
            size_t n = br_rng_below(&rng, 7), rows = br_rng_below(&rng, SIZE), columns = br_rng_below(&rng, SIZE);
            memcpy(y, start, sizeof y);
            kernels->product(&(br_fixed_product){y, SIZE, x, SIZE, a, SIZE, n, rows, columns, NULL});
            for (size_t i = 0; i < SIZE; i++) {
                for (size_t c = 0; c < SIZE; c++) {
                    double sum = (double)start[i * SIZE + c];
                    for (size_t k = 0; i < n && c < columns && k < rows; k++) {
                        sum += (double)x[i * SIZE + k] * (double)a[k * SIZE + c];
                    }
                    cr_assert_float_eq((double)y[i * SIZE + c], sum, 1e-4);
                }
            }
            uint32_t list[3] = {br_rng_below(&rng, 9), br_rng_below(&rng, 9), 0};
            memcpy(y, start, sizeof y);
            kernels->sum_rows(y, a, list, 3, columns);
            for (size_t c = 0; c < columns; c++) {
                double sum = (double)start[c];
                for (size_t i = 0; i < 3; i++) {
                    sum += (double)a[list[i] * columns + c];
                }
                cr_assert_float_eq((double)y[c], sum, 1e-5);
            }
            kernels->matvec(y, a, x, rows, columns);
            for (size_t row = 0; row < rows; row++) {
                double sum = 0.0;
                for (size_t c = 0; c < columns; c++) {
                    sum += (double)a[row * columns + c] * (double)x[c];
                }
                cr_assert_float_eq((double)y[row], sum, 1e-4);
            }
        }
    }
}

Test(linalg_fixed, a_listed_product_is_that_of_the_listed_rows)
{
    enum { SIZE = 70, N = 6 };
    const br_fixed_kernels *kernels = br_fixed();
    for (uint32_t round = 0; round < 100; round++) {
        br_rng rng = br_rng_at(5, BR_STREAM_TEST, 5, round);
        static float a[SIZE * SIZE], x[N * SIZE], listed[N * SIZE], sparse[N * SIZE];
        uint32_t list[SIZE];
        size_t n_listed = 0, columns = 1 + br_rng_below(&rng, SIZE);
        fill(&rng, a, SIZE * SIZE, false);
        fill(&rng, x, N * SIZE, false);
        fill(&rng, listed, N * SIZE, false);
        memcpy(sparse, listed, sizeof sparse);
        for (uint32_t k = 0; k < SIZE; k++) {
            if (br_rng_below(&rng, 2) == 0) {
                list[n_listed++] = k;
                continue;
            }
            for (size_t i = 0; i < N; i++) {
                x[i * SIZE + k] = 0.0f;
            }
        }
        kernels->product(&(br_fixed_product){sparse, SIZE, x, SIZE, a, SIZE, N, SIZE, columns, NULL});
        for (size_t i = 0; i < N; i++) {
            for (size_t k = 0; k < SIZE; k++) {
                bool used = false;
                for (size_t l = 0; l < n_listed; l++) {
                    used = used || list[l] == k;
                }
                x[i * SIZE + k] = used ? x[i * SIZE + k] : 1e6f; // must not be read
            }
        }
        kernels->product(&(br_fixed_product){listed, SIZE, x, SIZE, a, SIZE, N, n_listed, columns, list});
        cr_assert(same_bytes(sparse, listed, N * SIZE), "round %u", round);
    }
}

/// A block of `rows` x `columns` against n of the 12 rows of x.
typedef struct block_case {
    float block[20 * 170];
    float x[12 * 170];
    float y[12 * 20];
    uint32_t list[12];
    br_fixed_block pass;
} block_case;

static void draw_block(block_case *it, uint32_t round, bool wild)
{
    br_rng rng = br_rng_at(4, BR_STREAM_TEST, 4, round);
    fill(&rng, it->block, 20 * 170, wild);
    fill(&rng, it->x, 12 * 170, wild);
    fill(&rng, it->y, 12 * 20, wild);
    size_t n = 0;
    for (uint32_t i = 0; i < 12; i++) {
        it->list[n] = i;
        n += br_rng_below(&rng, 2);
    }
    size_t rows = br_rng_below(&rng, 20), columns = br_rng_below(&rng, 170);
    if (round % 4 == 0) { // one row of whole lanes goes with eight others at a time
        rows = 1;
        columns = columns / BR_LANES * BR_LANES;
    }
    it->pass = (br_fixed_block){it->block, rows, columns, it->list, n};
}

Test(linalg_fixed, block_kernels_give_the_same_bytes)
{
    for (uint32_t round = 0; round < 2000; round++) {
        static block_case first, other;
        for (size_t which = 0; which < N_NAMES; which++) {
            const br_fixed_kernels *kernels = br_fixed_by_name(NAMES[which]);
            if (kernels == NULL) {
                continue;
            }
            block_case *it = which == 0 ? &first : &other;
            draw_block(it, round, round % 2 == 1);
            kernels->block_spread(&it->pass, it->x, it->y);
            kernels->block_outer(&it->pass, it->block, it->y, it->x);
            kernels->block_dots(&it->pass, it->y, it->x);
            cr_assert(same_bytes(first.x, it->x, 12 * 170), "%s round %u spread", NAMES[which], round);
            cr_assert(same_bytes(first.block, it->block, 20 * 170), "%s round %u outer", NAMES[which], round);
            cr_assert(same_bytes(first.y, it->y, 12 * 20), "%s round %u dots", NAMES[which], round);
        }
    }
}

Test(linalg_fixed, block_kernels_compute_their_formulas)
{
    const br_fixed_kernels *kernels = br_fixed();
    for (uint32_t round = 0; round < 300; round++) {
        static block_case before, after;
        draw_block(&before, round, false);
        draw_block(&after, round, false);
        const br_fixed_block *pass = &before.pass;
        kernels->block_dots(&after.pass, after.y, before.x);
        kernels->block_spread(pass, after.x, before.y);
        kernels->block_outer(pass, after.block, before.y, before.x);
        for (size_t a = 0; a < pass->n; a++) {
            for (size_t i = 0; i < pass->rows; i++) {
                double sum = 0.0;
                for (size_t c = 0; c < pass->columns; c++) {
                    float x = before.x[pass->list[a] * pass->columns + c];
                    sum += (double)before.block[i * pass->columns + c] * (double)x;
                }
                cr_assert_float_eq((double)after.y[a * pass->rows + i], sum, 2e-4);
            }
            for (size_t c = 0; c < pass->columns; c++) {
                size_t at = pass->list[a] * pass->columns + c;
                double sum = (double)before.x[at];
                for (size_t i = 0; i < pass->rows; i++) {
                    sum += (double)before.y[a * pass->rows + i] * (double)before.block[i * pass->columns + c];
                }
                cr_assert_float_eq((double)after.x[at], sum, 2e-4);
            }
        }
        for (size_t i = 0; i < pass->rows * pass->columns; i++) {
            double sum = (double)before.block[i];
            for (size_t a = 0; a < pass->n; a++) {
                float x = before.x[pass->list[a] * pass->columns + i % pass->columns];
                sum += (double)before.y[a * pass->rows + i / pass->columns] * (double)x;
            }
            cr_assert_float_eq((double)after.block[i], sum, 2e-4);
        }
    }
}

Test(linalg_fixed, a_dot_of_few_elements_is_exact_where_the_sum_is)
{
    float a[20], b[20];
    for (size_t i = 0; i < 20; i++) {
        a[i] = (float)(i + 1);
        b[i] = 1.0f;
    }
    for (size_t which = 0; which < N_NAMES; which++) {
        const br_fixed_kernels *kernels = br_fixed_by_name(NAMES[which]);
        for (size_t n = 0; kernels != NULL && n <= 20; n++) {
            cr_assert_eq(kernels->dot(a, b, n), (float)(n * (n + 1) / 2));
        }
    }
}

// The library's fma must round once: the product of two floats is exact in double, so is its sum with c when the exponents
// are near; where a double rounding would differ, the second test value shows it.
Test(linalg_fixed, the_plain_kernel_rounds_once)
{
    const br_fixed_kernels *plain = br_fixed_by_name("plain");
    float a = 1.0f + 0x1p-12f, one = 1.0f;
    float y = -1.0f - 0x1p-11f;
    plain->axpy(&y, a, &a, 1);
    cr_assert_eq(y, 0x1p-24f, "a rounded product would give 0");
    // 1 + 2^-24 + 2^-60 lies just above the middle of two floats; rounded to double first it is the middle.
    float tiny = 0x1p-30f;
    y = 1.0f + 0x1p-23f;
    plain->axpy(&y, tiny, &tiny, 1);
    cr_assert_eq(y, 1.0f + 0x1p-23f);
    float third = 0x1p-24f + 0x1p-47f;
    y = 1.0f;
    plain->axpy(&y, third, &one, 1);
    cr_assert_eq(y, 1.0f + 0x1p-23f);
}

Test(linalg_fixed, kernels_are_chosen_by_name)
{
    cr_assert_null(br_fixed_by_name("sse9"));
    cr_assert_not_null(br_fixed());
    cr_assert_eq(setenv("BOOKRUNNER_KERNEL", "plain", 1), 0);
    cr_assert_str_eq(br_fixed()->name, "plain");
    cr_assert_eq(setenv("BOOKRUNNER_KERNEL", "", 1), 0);
    cr_assert_not_null(br_fixed());
}

static double ulps(double value, double expected)
{
    double ulp = nextafter(fabs(expected), (double)INFINITY) - fabs(expected);
    return fabs(value - expected) / ulp;
}

Test(linalg_fixed, exp_and_log_agree_with_libm)
{
    double worst_exp = 0.0, worst_log = 0.0;
    for (int i = -700000; i <= 700000; i += 7) {
        double x = (double)i * 1e-3 + 1.234e-7;
        worst_exp = fmax(worst_exp, ulps(br_fixed_exp(x), exp(x)));
        double p = exp(x);
        worst_log = fmax(worst_log, ulps(br_fixed_log(p), log(p)));
    }
    for (int i = 1; i < 400000; i++) {
        double x = (double)i * 1e-5;
        worst_log = fmax(worst_log, ulps(br_fixed_log(x), log(x)));
        worst_exp = fmax(worst_exp, ulps(br_fixed_exp(-x), exp(-x)));
    }
    cr_assert_leq(worst_exp, 2.0, "exp is %g ulp off", worst_exp);
    cr_assert_leq(worst_log, 2.0, "log is %g ulp off", worst_log);
}

Test(linalg_fixed, exp_and_log_at_the_edges)
{
    cr_assert_eq(br_fixed_exp(0.0), 1.0);
    cr_assert_eq(br_fixed_exp(710.0), (double)INFINITY);
    cr_assert_eq(br_fixed_exp(-746.0), 0.0);
    cr_assert_eq(br_fixed_exp(-(double)INFINITY), 0.0);
    cr_assert_eq(br_fixed_exp((double)INFINITY), (double)INFINITY);
    cr_assert(isnan(br_fixed_exp((double)NAN)));
    cr_assert_float_eq(br_fixed_exp(709.7) / exp(709.7), 1.0, 1e-15);
    cr_assert_float_eq(br_fixed_exp(-740.0) / exp(-740.0), 1.0, 1e-1, "few bits are left");
    cr_assert_eq(br_fixed_log(1.0), 0.0);
    cr_assert_eq(br_fixed_log(0.0), -(double)INFINITY);
    cr_assert_eq(br_fixed_log((double)INFINITY), (double)INFINITY);
    cr_assert(isnan(br_fixed_log(-1.0)));
    cr_assert(isnan(br_fixed_log((double)NAN)));
    cr_assert_float_eq(br_fixed_log(0x1p-1060), log(0x1p-1060), 1e-12);
}

Test(linalg_fixed, sigmoid_and_logit_are_inverse)
{
    for (int i = -3000; i <= 3000; i++) {
        double x = (double)i * 1e-2;
        double p = br_fixed_sigmoid(x);
        cr_assert_float_eq(p, 1.0 / (1.0 + exp(-x)), 1e-15);
        cr_assert_float_eq(br_fixed_sigmoid(x) + br_fixed_sigmoid(-x), 1.0, 1e-15);
        if (i < 1000) {
            cr_assert_float_eq(br_fixed_logit(p), x, 1e-10);
        }
    }
    cr_assert_eq(br_fixed_sigmoid(0.0), 0.5);
    cr_assert_eq(br_fixed_logit(0.5), 0.0);
    cr_assert_eq(br_fixed_sigmoid(-800.0), 0.0);
    cr_assert_eq(br_fixed_sigmoid(800.0), 1.0);
}

static double float_ulps(float value, double expected)
{
    double ulp = (double)nextafterf((float)fabs(expected), INFINITY) - (double)(float)fabs(expected);
    return fabs((double)value - expected) / ulp;
}

Test(linalg_fixed, sigmoids_and_logs_of_many_agree_with_libm)
{
    enum { MANY = 8700 };
    static float x[2 * MANY + 1], p[2 * MANY + 1];
    double worst = 0.0, worst_log = 0.0;
    for (int i = -MANY; i <= MANY; i++) {
        x[i + MANY] = (float)i * 1e-2f + 1e-5f;
    }
    br_fixed_sigmoids(p, x, 2 * MANY + 1);
    for (int i = 0; i < 2 * MANY + 1; i++) {
        worst = fmax(worst, float_ulps(p[i], 1.0 / (1.0 + exp(-(double)x[i]))));
        x[i] = (float)exp((double)x[i]);
    }
    br_fixed_logs(p, x, 2 * MANY + 1);
    for (int i = 0; i < 2 * MANY + 1; i++) {
        worst_log = fmax(worst_log, float_ulps(p[i], log((double)x[i])));
    }
    cr_assert_leq(worst, 3.0, "sigmoid is %g ulp off", worst);
    cr_assert_leq(worst_log, 2.0, "log is %g ulp off", worst_log);
    float edges[] = {0.0f, 1000.0f, -1000.0f, 3e38f, -3e38f};
    br_fixed_sigmoids(edges, edges, 5);
    cr_assert_eq(edges[0], 0.5f);
    cr_assert(edges[1] == 1.0f && edges[3] == 1.0f);
    cr_assert(edges[2] > 0.0f && edges[2] < 1e-37f && memcmp(&edges[2], &edges[4], sizeof(float)) == 0);
}

Test(linalg_fixed, each_of_many_has_its_bytes_in_any_company)
{
    enum { MANY = 67 };
    float x[MANY], together[MANY], alone;
    for (int i = 0; i < MANY; i++) {
        x[i] = 0.37f * (float)(i + 1);
    }
    br_fixed_sigmoids(together, x, MANY);
    for (int i = 0; i < MANY; i++) {
        br_fixed_sigmoids(&alone, x + i, 1);
        cr_assert_eq(memcmp(&alone, together + i, sizeof alone), 0);
    }
    br_fixed_logs(together, x, MANY);
    for (int i = 0; i < MANY; i++) {
        br_fixed_logs(&alone, x + i, 1);
        cr_assert_eq(memcmp(&alone, together + i, sizeof alone), 0);
    }
}
