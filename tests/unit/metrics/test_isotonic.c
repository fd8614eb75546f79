// Goal: the isotonic line is the fit by its definition, keeps every order and comes near the truth behind the labels.
// Method: cases worked out by hand, and samples drawn from a known curve.

#include "base/alloc.h"
#include "base/rng.h"
#include "metrics/isotonic.h"
#include "metrics/metrics.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

static double sigmoid(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

/// `n_each` samples at this logit, so many of them positive.
typedef struct spot {
    float logit;
    uint32_t n_each, n_positive;
} spot;

static size_t spread(float *logits, uint8_t *labels, const spot *spots, size_t n_spots)
{
    size_t n = 0;
    for (size_t i = 0; i < n_spots; i++) {
        for (uint32_t k = 0; k < spots[i].n_each; k++) {
            logits[n] = spots[i].logit;
            labels[n++] = k < spots[i].n_positive;
        }
    }
    return n;
}

Test(metrics_isotonic, pools_what_violates_the_order_and_keeps_the_rest)
{
    // 0.3 before 0.1 becomes 0.2 of both, in the middle of them; the others stand.
    static const spot spots[] = {{2.0f, 1000, 700}, {-2.0f, 1000, 10}, {-1.0f, 1000, 300}, {0.0f, 1000, 100}};
    static float logits[4000];
    static uint8_t labels[4000];
    size_t n = spread(logits, labels, spots, 4);
    br_isotonic line;
    cr_assert_eq(br_isotonic_fit(&line, logits, labels, NULL, n), BR_OK);
    cr_assert_eq(line.n_knots, 3);
    static const double at[] = {-2.0, -0.5, 2.0};
    static const double share[] = {0.01, 0.2, 0.7};
    for (uint32_t i = 0; i < 3; i++) {
        cr_expect_float_eq(line.logits[i], at[i], 1e-12);
        cr_expect_float_eq(sigmoid(line.values[i]), share[i], 1e-12);
        cr_expect_float_eq(br_isotonic_apply(&line, at[i]), line.values[i], 1e-12);
    }
    cr_expect_float_eq(br_isotonic_apply(&line, 0.75), (line.values[1] + line.values[2]) / 2.0, 1e-12);
    cr_expect_float_eq(br_isotonic_apply(&line, -12.0), line.values[0] - 10.0 * BR_ISOTONIC_MIN_SLOPE, 1e-12);
    cr_expect_float_eq(br_isotonic_apply(&line, 12.0), line.values[2] + 10.0 * BR_ISOTONIC_MIN_SLOPE, 1e-12);
}

Test(metrics_isotonic, joins_neighbours_that_chance_explains)
{
    // 100 and 110 of 1,000 differ by chance, 10 and 100 do not.
    static const spot spots[] = {{0.0f, 1000, 10}, {1.0f, 1000, 100}, {2.0f, 1000, 110}};
    static float logits[3000];
    static uint8_t labels[3000];
    size_t n = spread(logits, labels, spots, 3);
    br_isotonic line;
    cr_assert_eq(br_isotonic_fit(&line, logits, labels, NULL, n), BR_OK);
    cr_assert_eq(line.n_knots, 2);
    cr_expect_float_eq(line.logits[1], 1.5, 1e-12);
    cr_expect_float_eq(sigmoid(line.values[1]), 0.105, 1e-12);
}

Test(metrics_isotonic, a_weight_is_a_sample_that_is_there_so_often)
{
    static const float logits[] = {0.0f, 0.0f, 1.0f, 1.0f};
    static const uint8_t labels[] = {0, 1, 0, 1};
    static const double weights[] = {900.0, 100.0, 400.0, 600.0};
    static const spot spots[] = {{0.0f, 1000, 100}, {1.0f, 1000, 600}};
    static float long_logits[2000];
    static uint8_t long_labels[2000];
    size_t n = spread(long_logits, long_labels, spots, 2);
    br_isotonic line;
    br_isotonic same;
    cr_assert_eq(br_isotonic_fit(&line, logits, labels, weights, 4), BR_OK);
    cr_assert_eq(br_isotonic_fit(&same, long_logits, long_labels, NULL, n), BR_OK);
    cr_assert_eq(line.n_knots, 2);
    cr_assert_eq(same.n_knots, 2);
    for (uint32_t i = 0; i < 2; i++) {
        cr_expect_float_eq(line.logits[i], same.logits[i], 1e-12);
        cr_expect_float_eq(line.values[i], same.values[i], 1e-12);
    }
}

Test(metrics_isotonic, stays_finite_where_one_label_is_alone)
{
    static const spot spots[] = {{0.0f, 50, 0}, {1.0f, 20, 20}};
    float logits[70];
    uint8_t labels[70];
    size_t n = spread(logits, labels, spots, 2);
    br_isotonic line;
    cr_assert_eq(br_isotonic_fit(&line, logits, labels, NULL, n), BR_OK);
    cr_assert_eq(line.n_knots, 2);
    cr_expect_float_eq(sigmoid(line.values[0]), 0.5 / 51.0, 1e-12, "half a positive, 50.5 negatives");
    cr_expect_float_eq(sigmoid(line.values[1]), 20.5 / 21.0, 1e-12);
}

Test(metrics_isotonic, half_a_sample_never_carries_a_pool_past_its_neighbour)
{
    for (uint32_t n_low = 1; n_low < 200; n_low++) {
        for (uint32_t n_high = 1; n_high < 200; n_high += 7) {
            float logits[] = {0.0f, 1.0f, 1.0f};
            uint8_t labels[] = {0, 0, 1};
            double weights[] = {n_low, n_high, 1.0};
            br_isotonic line;
            cr_assert_eq(br_isotonic_fit(&line, logits, labels, weights, 3), BR_OK);
            bool apart = line.n_knots == 2;
            cr_assert(!apart || sigmoid(line.values[1]) <= 1.0 / (n_high + 1.0) + 1e-12, "%u %u", n_low, n_high);
        }
    }
}

/// Samples whose probability is that of a curve which no slope and offset can straighten.
static double draw(float *logits, uint8_t *labels, size_t n, uint32_t round)
{
    br_rng rng = br_rng_at(5, BR_STREAM_TEST, 2, round);
    double best = 0.0;
    for (size_t i = 0; i < n; i++) {
        double x = br_rng_normal(&rng);
        double p = sigmoid(-3.0 + (x > 0.0 ? 3.0 * x : 0.3 * x));
        logits[i] = (float)x;
        labels[i] = br_rng_uniform(&rng) < p;
        best -= (labels[i] != 0 ? log(p) : log1p(-p)) / (double)n;
    }
    return best;
}

Test(metrics_isotonic, comes_near_the_curve_behind_the_labels)
{
    enum { N = 200000, N_BINS = 20 };
    float *logits = malloc(N * sizeof *logits);
    uint8_t *labels = malloc(N);
    double *said = malloc(N * sizeof *said);
    br_isotonic line;
    double error, raw_error;
    draw(logits, labels, N, 0);
    cr_assert_eq(br_isotonic_fit(&line, logits, labels, NULL, N), BR_OK);
    double best = draw(logits, labels, N, 1);
    for (size_t i = 0; i < N; i++) {
        said[i] = sigmoid((double)logits[i]);
    }
    cr_assert_eq(br_calibration_error(&raw_error, said, labels, N, N_BINS), BR_OK);
    for (size_t i = 0; i < N; i++) {
        said[i] = sigmoid(br_isotonic_apply(&line, (double)logits[i]));
    }
    cr_assert_eq(br_calibration_error(&error, said, labels, N, N_BINS), BR_OK);
    double loss = br_log_loss(said, labels, N);
    cr_expect_gt(raw_error, 0.2);
    cr_expect_lt(error, 0.004, "%g", error);
    cr_expect_lt(loss, best + 0.0005, "%g against %g", loss, best);
    free(logits);
    free(labels);
    free(said);
}

Test(metrics_isotonic, every_line_rises_strictly_with_few_knots)
{
    enum { N = 3000 };
    static float logits[N];
    static uint8_t labels[N];
    static double weights[N];
    for (uint32_t round = 0; round < 100; round++) {
        br_rng rng = br_rng_at(9, BR_STREAM_TEST, 3, round);
        size_t n = 2 + br_rng_below(&rng, N - 2);
        double steepness = (double)(round % 5) - 1.0; // also noise, and the wrong way round
        for (size_t i = 0; i < n; i++) {
            logits[i] = round % 2 == 0 ? (float)br_rng_normal(&rng) : (float)br_rng_below(&rng, 200) / 100.0f;
            labels[i] = br_rng_uniform(&rng) < sigmoid(steepness * (double)logits[i]);
            weights[i] = round % 3 == 0 ? 1e4 * (0.1 + br_rng_uniform(&rng)) : 1.0; // heavy: no two pools are alike
        }
        labels[0] = 0;
        labels[1] = 1;
        br_isotonic line;
        cr_assert_eq(br_isotonic_fit(&line, logits, labels, weights, n), BR_OK);
        cr_assert(line.n_knots >= 1 && line.n_knots <= BR_ISOTONIC_MAX_KNOTS);
        double before = -INFINITY;
        for (int x = -500; x <= 500; x++) {
            double value = br_isotonic_apply(&line, x / 100.0);
            cr_assert(isfinite(value));
            cr_assert_gt(value, before + 0.9 * BR_ISOTONIC_MIN_SLOPE / 100.0, "round %u at %d", round, x);
            before = value;
        }
    }
}

typedef struct part {
    double weight, positive, logit_sum;
} part;

static double plain_likelihood(part a)
{
    return a.positive * log(a.positive / a.weight) + (a.weight - a.positive) * log1p(-a.positive / a.weight);
}

static part plain_sum(part a, part b)
{
    return (part){a.weight + b.weight, a.positive + b.positive, a.logit_sum + b.logit_sum};
}

Test(metrics_isotonic, joins_the_least_different_neighbours_first_until_the_knots_are_few_enough)
{
    enum { N_SPOTS = 150 };
    float logits[2 * N_SPOTS];
    uint8_t labels[2 * N_SPOTS];
    double weights[2 * N_SPOTS];
    part parts[N_SPOTS];
    br_rng rng = br_rng_at(2, BR_STREAM_TEST, 4, 0);
    double share = 0.0;
    for (uint32_t i = 0; i < N_SPOTS; i++) {
        share += (0.2 + br_rng_uniform(&rng)) / (1.3 * N_SPOTS); // rising: nothing violates the order
        for (uint32_t label = 0; label < 2; label++) {
            logits[2 * i + label] = (float)i;
            labels[2 * i + label] = (uint8_t)label;
            weights[2 * i + label] = 1e9 * (label == 1 ? share : 1.0 - share);
        }
        parts[i] = (part){1e9, 1e9 * share, 1e9 * i};
    }
    size_t n = N_SPOTS;
    for (; n > BR_ISOTONIC_MAX_KNOTS; n--) {
        size_t least = 0;
        double least_cost = INFINITY;
        for (size_t i = 0; i + 1 < n; i++) {
            double cost = plain_likelihood(parts[i]) + plain_likelihood(parts[i + 1]) -
                          plain_likelihood(plain_sum(parts[i], parts[i + 1]));
            least = cost < least_cost ? i : least;
            least_cost = fmin(cost, least_cost);
        }
        parts[least] = plain_sum(parts[least], parts[least + 1]);
        for (size_t i = least + 1; i + 1 < n; i++) {
            parts[i] = parts[i + 1];
        }
    }
    br_isotonic line;
    cr_assert_eq(br_isotonic_fit(&line, logits, labels, weights, 2 * N_SPOTS), BR_OK);
    cr_assert_eq(line.n_knots, BR_ISOTONIC_MAX_KNOTS);
    for (uint32_t i = 0; i < BR_ISOTONIC_MAX_KNOTS; i++) {
        cr_expect_float_eq(line.logits[i], parts[i].logit_sum / parts[i].weight, 1e-6);
        cr_expect_float_eq(sigmoid(line.values[i]), parts[i].positive / parts[i].weight, 1e-9);
    }
}

Test(metrics_isotonic, no_piece_is_flatter_than_the_least_slope)
{
    // 0.1 and 0.1001 of a billion are told apart, but over 100 logits they are nearly one.
    static const float logits[] = {0.0f, 0.0f, 100.0f, 100.0f};
    static const uint8_t labels[] = {0, 1, 0, 1};
    static const double weights[] = {0.9e9, 0.1e9, 0.8999e9, 0.1001e9};
    br_isotonic line;
    cr_assert_eq(br_isotonic_fit(&line, logits, labels, weights, 4), BR_OK);
    cr_assert_eq(line.n_knots, 2);
    cr_expect_float_eq(line.values[1] - line.values[0], 100.0 * BR_ISOTONIC_MIN_SLOPE, 1e-12);
}

Test(metrics_isotonic, needs_both_labels)
{
    static const float logits[] = {0.0f, 1.0f};
    static const uint8_t none[] = {0, 0};
    static const uint8_t all[] = {1, 1};
    br_isotonic line;
    cr_expect_eq(br_isotonic_fit(&line, logits, none, NULL, 2), BR_ERR_INVALID);
    cr_expect_eq(br_isotonic_fit(&line, logits, all, NULL, 2), BR_ERR_INVALID);
    cr_expect_eq(br_isotonic_fit(&line, logits, all, NULL, 0), BR_ERR_INVALID);
}

Test(metrics_isotonic, each_failing_allocation_is_an_error_and_leaks_nothing)
{
    static const float logits[] = {0.0f, 1.0f};
    static const uint8_t labels[] = {0, 1};
    br_isotonic line;
    br_status status = BR_ERR_NO_MEMORY;
    for (size_t n = 0; status != BR_OK; n++) {
        size_t before = br_alloc_live();
        br_alloc_fail_after(n);
        status = br_isotonic_fit(&line, logits, labels, NULL, 2);
        br_alloc_fail_after(SIZE_MAX);
        cr_assert(status == BR_OK || status == BR_ERR_NO_MEMORY);
        cr_assert_eq(br_alloc_live(), before);
        cr_assert_lt(n, 10);
    }
}
