// Goal: the figures of quality are what their definitions say. Method: values worked out by hand, and counting all pairs.

#include "base/alloc.h"
#include "base/rng.h"
#include "metrics/metrics.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

Test(metrics_auc, counts_ties_as_half)
{
    float scores[] = {0.9f, 0.5f, 0.5f, 0.1f};
    uint8_t labels[] = {1, 1, 0, 0};
    double auc;
    cr_assert_eq(br_auc(&auc, scores, labels, 4), BR_OK);
    cr_assert_eq(auc, 3.5 / 4.0);
    uint8_t turned[] = {0, 0, 1, 1};
    cr_assert_eq(br_auc(&auc, scores, turned, 4), BR_OK);
    cr_assert_eq(auc, 0.5 / 4.0);
}

Test(metrics_auc, equals_counting_all_pairs)
{
    for (uint32_t round = 0; round < 300; round++) {
        br_rng rng = br_rng_at(1, BR_STREAM_TEST, 1, round);
        float scores[200];
        uint8_t labels[200];
        size_t n = 2 + br_rng_below(&rng, 198);
        for (size_t i = 0; i < n; i++) {
            float score = (float)br_rng_normal(&rng) * (round % 3 == 0 ? 1e-38f : 1e3f);
            scores[i] = round % 2 == 0 ? score : (float)((int)br_rng_below(&rng, 9) - 4); // every other round: ties
            labels[i] = br_rng_below(&rng, 4) == 0;
        }
        labels[0] = 1;
        labels[1] = 0;
        scores[n - 1] = -0.0f;
        double auc;
        cr_assert_eq(br_auc(&auc, scores, labels, n), BR_OK);
        cr_assert_float_eq(auc, br_auc_plain(scores, labels, n), 1e-13, "round %u", round);
    }
}

Test(metrics_auc, orders_infinities_and_equal_zeros)
{
    float scores[] = {INFINITY, -0.0f, 0.0f, -INFINITY};
    uint8_t labels[] = {1, 1, 0, 0};
    double auc;
    cr_assert_eq(br_auc(&auc, scores, labels, 4), BR_OK);
    cr_assert_eq(auc, 3.5 / 4.0);
}

Test(metrics_auc, has_no_value_without_both_classes)
{
    float scores[] = {0.1f, 0.2f};
    uint8_t labels[] = {1, 1};
    double auc = 0.0;
    cr_assert_eq(br_auc(&auc, scores, labels, 2), BR_OK);
    cr_assert(isnan(auc));
    cr_assert_eq(br_auc(&auc, scores, labels, 0), BR_OK);
    cr_assert(isnan(auc));
    cr_assert(isnan(br_auc_plain(scores, labels, 2)));
}

Test(metrics_auc, takes_millions)
{
    enum { N = 7000000 };
    float *scores = malloc(N * sizeof *scores);
    uint8_t *labels = malloc(N);
    cr_assert(scores != NULL && labels != NULL);
    for (uint32_t i = 0; i < N; i++) {
        scores[i] = (float)(i * 2654435761u >> 8); // a permutation's upper bits: nearly no ties
        labels[i] = scores[i] > 8388608.0f;
    }
    double auc;
    cr_assert_eq(br_auc(&auc, scores, labels, N), BR_OK);
    cr_assert_eq(auc, 1.0);
    free(scores);
    free(labels);
}

Test(metrics_log_loss, is_the_mean_in_nats)
{
    double probabilities[] = {0.5, 0.25, 0.8};
    uint8_t labels[] = {1, 0, 1};
    cr_assert_float_eq(br_log_loss(probabilities, labels, 3), (log(2.0) - log(0.75) - log(0.8)) / 3.0, 1e-15);
    cr_assert(isnan(br_log_loss(probabilities, labels, 0)));
}

Test(metrics_calibration, is_the_gap_between_said_and_come)
{
    // Two bins of two: said 0.1 + 0.3 against 1, said 0.6 + 0.8 against 1.
    double probabilities[] = {0.8, 0.1, 0.6, 0.3};
    uint8_t labels[] = {1, 0, 0, 1};
    double error;
    cr_assert_eq(br_calibration_error(&error, probabilities, labels, 4, 2), BR_OK);
    cr_assert_float_eq(error, (0.6 + 0.4) / 4.0, 1e-15);
    cr_assert_eq(br_calibration_error(&error, probabilities, labels, 4, 1), BR_OK);
    cr_assert_float_eq(error, 0.2 / 4.0, 1e-15);
    cr_assert_eq(br_calibration_error(&error, probabilities, labels, 3, 10), BR_OK, "empty bins do not count");
    cr_assert_float_eq(error, (0.2 + 0.1 + 0.6) / 3.0, 1e-15);
}

Test(metrics_calibration, bins_of_the_reliability_diagram_by_hand)
{
    double probabilities[] = {0.8, 0.1, 0.6, 0.3, 0.6};
    uint8_t labels[] = {1, 0, 0, 1, 1};
    br_reliability_bin bins[2];
    uint32_t n = 0;
    cr_assert_eq(br_reliability(bins, &n, probabilities, labels, 5, 2), BR_OK);
    cr_assert_eq(n, 2);
    cr_expect(bins[0].n == 2 && bins[0].low == 0.1 && bins[0].high == 0.3 && bins[0].rate == 0.5);
    cr_expect_float_eq(bins[0].mean_probability, 0.2, 1e-15);
    cr_expect(bins[1].n == 3 && bins[1].low == 0.6 && bins[1].high == 0.8);
    cr_expect_float_eq(bins[1].mean_probability, 2.0 / 3.0, 1e-15);
    cr_expect_float_eq(bins[1].rate, 2.0 / 3.0, 1e-15);
    // Equal ones share a bin, and the bins that this empties are not told of.
    double same[] = {0.5, 0.5, 0.5};
    cr_assert_eq(br_reliability(bins, &n, same, labels, 3, 2), BR_OK);
    cr_expect(n == 1 && bins[0].n == 3 && bins[0].low == 0.5 && bins[0].high == 0.5);
    cr_assert_eq(br_reliability(bins, &n, same, labels, 0, 2), BR_OK);
    cr_expect_eq(n, 0);
}

Test(metrics_calibration, error_is_what_the_bins_say)
{
    enum { N = 500, BINS = 7 };
    double probabilities[N], error, sum = 0.0;
    uint8_t labels[N];
    br_reliability_bin bins[BINS];
    uint32_t n = 0;
    for (uint32_t i = 0; i < N; i++) {
        br_rng rng = br_rng_at(3, BR_STREAM_TEST, 0, i);
        probabilities[i] = (1.0 + br_rng_below(&rng, 90)) / 100.0; // many are equal
        labels[i] = br_rng_below(&rng, 3) == 0;
    }
    cr_assert_eq(br_reliability(bins, &n, probabilities, labels, N, BINS), BR_OK);
    cr_assert_eq(br_calibration_error(&error, probabilities, labels, N, BINS), BR_OK);
    for (uint32_t i = 0; i < n; i++) {
        sum += (double)bins[i].n * fabs(bins[i].mean_probability - bins[i].rate);
        cr_expect(i == 0 || bins[i].low > bins[i - 1].high);
    }
    cr_assert_float_eq(error, sum / N, 1e-14);
}

Test(metrics_calibration, takes_shares_of_several_cases)
{
    double probabilities[] = {0.8, 0.1, 0.6, 0.3};
    double shares[] = {0.5, 0.0, 1.0, 0.25};
    double error;
    cr_assert_eq(br_calibration_error_of_shares(&error, probabilities, shares, 4, 2), BR_OK);
    cr_assert_float_eq(error, (0.15 + 0.1) / 4.0, 1e-15);
}

Test(metrics_calibration, does_not_depend_on_the_order_of_equal_probabilities)
{
    // One probability, borne out as a whole: the two halves of the input alone would be off by a half each.
    double same[] = {0.5, 0.5, 0.5, 0.5};
    uint8_t labels[] = {0, 0, 1, 1};
    double error;
    cr_assert_eq(br_calibration_error(&error, same, labels, 4, 2), BR_OK);
    cr_assert_eq(error, 0.0);
    // The first bin takes the third 0.25 along, the second has what is left of it.
    double some[] = {0.25, 0.25, 0.25, 0.75};
    uint8_t came[] = {1, 0, 0, 0};
    cr_assert_eq(br_calibration_error(&error, some, came, 4, 2), BR_OK);
    cr_assert_eq(error, (0.25 + 0.75) / 4.0);
}

Test(metrics_lists, recall_is_of_bidders_and_precision_of_the_places)
{
    br_list_quality quality = br_list_quality_of(6, 8, 50);
    cr_assert_eq(quality.recall, 0.75);
    cr_assert_eq(quality.precision, 0.12);
    quality = br_list_quality_of(0, 0, 50);
    cr_assert(isnan(quality.recall));
    cr_assert_eq(quality.precision, 0.0);
}

Test(metrics_bootstrap, covers_the_mean_as_often_as_it_says)
{
    unsigned covered = 0;
    double width = 0.0;
    for (uint32_t round = 0; round < 1000; round++) {
        br_rng rng = br_rng_at(2, BR_STREAM_TEST, 2, round);
        double values[60];
        for (size_t i = 0; i < 60; i++) {
            values[i] = i < 50 ? 3.0 + br_rng_normal(&rng) : (double)NAN;
        }
        br_mean_interval interval;
        cr_assert_eq(br_mean_bootstrap(&interval, values, 60, 400, round), BR_OK);
        cr_assert_eq(interval.n, 50);
        cr_assert_eq(interval.skipped, 10);
        covered += interval.low <= 3.0 && 3.0 <= interval.high;
        width += (interval.high - interval.low) / 1000.0;
    }
    // Percentile intervals of 50 values cover a little less than 95 %: their variance is that of the sample, not corrected.
    cr_assert(covered >= 900 && covered <= 960, "%u of 1000", covered);
    cr_assert_float_eq(width, 2.0 * 1.96 / sqrt(50.0), 0.03);
}

Test(metrics_bootstrap, is_the_same_for_the_same_seed)
{
    double values[] = {1.0, 2.0, 4.0, 8.0};
    br_mean_interval a, b, c;
    cr_assert_eq(br_mean_bootstrap(&a, values, 4, 100, 7), BR_OK);
    cr_assert_eq(br_mean_bootstrap(&b, values, 4, 100, 7), BR_OK);
    cr_assert_eq(br_mean_bootstrap(&c, values, 4, 100, 8), BR_OK);
    cr_assert_eq(a.mean, 3.75);
    cr_assert(a.low == b.low && a.high == b.high);
    cr_assert(a.low != c.low || a.high != c.high);
    values[0] = values[1] = values[2] = values[3] = (double)NAN;
    cr_assert_eq(br_mean_bootstrap(&a, values, 4, 100, 7), BR_OK);
    cr_assert(isnan(a.mean) && isnan(a.low) && isnan(a.high) && a.n == 0 && a.skipped == 4);
}

Test(metrics_wilson, is_the_interval_of_the_textbook)
{
    double low, high;
    br_wilson(10, 100, &low, &high);
    cr_assert_float_eq(low, 0.05522914, 1e-7);
    cr_assert_float_eq(high, 0.17436566, 1e-7);
    br_wilson(0, 10, &low, &high);
    cr_assert_eq(low, 0.0);
    cr_assert_float_eq(high, 0.27753280, 1e-7);
    br_wilson(10, 10, &low, &high);
    cr_assert_eq(high, 1.0);
    br_wilson(0, 0, &low, &high);
    cr_assert(low == 0.0 && high == 1.0);
}

Test(metrics_lists, a_figure_is_named_by_the_length_of_its_list)
{
    char name[BR_NAME_AT_BYTES];
    cr_assert_str_eq(br_name_at(name, "recall", 50, ""), "recall_at_50");
    cr_assert_str_eq(br_name_at(name, "precision", 20, "_activity"), "precision_at_20_activity");
}

Test(metrics_memory, failed_allocations_are_said_and_leave_nothing)
{
    float scores[] = {0.9f, 0.1f};
    double values[] = {0.9, 0.1}, out;
    uint8_t labels[] = {1, 0};
    br_mean_interval interval;
    for (size_t n = 0; n < 2; n++) {
        br_alloc_fail_after(n);
        cr_assert_eq(br_auc(&out, scores, labels, 2), BR_ERR_NO_MEMORY);
        br_alloc_fail_after(n);
        cr_assert_eq(br_mean_bootstrap(&interval, values, 2, 10, 1), BR_ERR_NO_MEMORY);
        cr_assert_eq(br_alloc_live(), 0);
    }
    br_alloc_fail_after(0);
    cr_assert_eq(br_calibration_error(&out, values, labels, 2, 1), BR_ERR_NO_MEMORY);
    br_alloc_fail_after(SIZE_MAX);
    cr_assert_eq(br_auc(&out, scores, labels, 2), BR_OK);
    cr_assert_eq(br_alloc_live(), 0);
}
