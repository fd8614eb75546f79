// Goal: the interval of a mean over cases that are alike within a group covers the truth as often as it says. Method: by hand; simulated groups with a
// level of their own, where an interval of independent cases fails.

#include "base/alloc.h"
#include "base/rng.h"
#include "metrics/metrics.h"
#include "metrics/side_by_side.h"

#include <criterion/criterion.h>
#include <math.h>

Test(metrics_by_group, every_case_counts_once_in_the_mean)
{
    // Two figures of groups with 1, 0, 3 and 2 cases.
    static const double sums[] = {1.0, 0.5, 77.0, 77.0, 0.0, 1.5, 2.0, 1.0};
    static const uint32_t counts[] = {1, 0, 3, 2};
    br_mean_interval m[2];
    cr_assert_eq(br_means_by_group(m, sums, counts, 4, 2, 500, 1), BR_OK);
    cr_expect_float_eq(m[0].mean, 0.5, 1e-15);
    cr_expect(m[0].n == 6 && m[0].skipped == 1);
    // The first: 1, 0, 1 of the groups, so resampled means reach from 0 to 1. The second is 0.5 in each: no way to vary.
    cr_expect(m[0].low == 0.0 && m[0].high == 1.0, "%g %g", m[0].low, m[0].high);
    cr_expect(m[1].mean == 0.5 && m[1].low == 0.5 && m[1].high == 0.5);
}

Test(metrics_by_group, one_group_says_nothing_of_others)
{
    static const double sums[] = {3.0, 0.0};
    br_mean_interval m;
    cr_assert_eq(br_means_by_group(&m, sums, (const uint32_t[]){4, 0}, 2, 1, 100, 1), BR_OK);
    cr_expect(m.mean == 0.75 && isnan(m.low) && isnan(m.high) && m.n == 4 && m.skipped == 1);
    cr_assert_eq(br_means_by_group(&m, sums, (const uint32_t[]){0, 0}, 2, 1, 100, 1), BR_OK);
    cr_expect(isnan(m.mean) && isnan(m.low) && m.n == 0);
    cr_assert_eq(br_means_by_group(&m, NULL, NULL, 0, 1, 100, 1), BR_OK);
    cr_expect(isnan(m.mean) && m.n == 0);
}

Test(metrics_by_group, the_cut_widens_with_fewer_groups)
{
    cr_expect_float_eq(br_resamples_cut(1000000), 0.025, 1e-5);
    // 2.0452 (t with 29 degrees) x sqrt(30 / 29) = 2.0802: the normal tail behind it is 0.01876.
    cr_expect_float_eq(br_resamples_cut(30), 0.01876, 1e-5, "%g", br_resamples_cut(30));
    cr_expect_lt(br_resamples_cut(2), 1e-6);
}

enum { WORLDS = 400, GROUPS = 25, RESAMPLES = 400, MAX_CASES = 24 };

/// Groups of 1 to MAX_CASES cases that are 1 with a probability of the group's own, uniform in [0, 1]: the truth is 0.5.
static void one_world(br_mean_interval *by_group, br_mean_interval *alone, uint32_t world)
{
    static double values[GROUPS * MAX_CASES];
    double sums[GROUPS] = {0};
    uint32_t counts[GROUPS];
    uint32_t n = 0;
    br_rng rng = br_rng_at(3, BR_STREAM_TEST, world, 0);
    for (int g = 0; g < GROUPS; g++) {
        double level = br_rng_uniform(&rng);
        counts[g] = 1 + br_rng_below(&rng, MAX_CASES);
        for (uint32_t i = 0; i < counts[g]; i++) {
            values[n] = br_rng_uniform(&rng) < level;
            sums[g] += values[n++];
        }
    }
    cr_assert_eq(br_means_by_group(by_group, sums, counts, GROUPS, 1, RESAMPLES, world), BR_OK);
    cr_assert_eq(br_mean_bootstrap(alone, values, n, RESAMPLES, world), BR_OK);
}

Test(metrics_by_group, covers_the_truth_where_independent_cases_do_not)
{
    int covered = 0;
    int covered_alone = 0;
    for (uint32_t world = 0; world < WORLDS; world++) {
        br_mean_interval by_group, alone;
        one_world(&by_group, &alone, world);
        cr_assert_float_eq(by_group.mean, alone.mean, 1e-12);
        covered += by_group.low <= 0.5 && 0.5 <= by_group.high;
        covered_alone += alone.low <= 0.5 && 0.5 <= alone.high;
    }
    // Of 400 worlds 95 % are 380, give or take 4.4.
    cr_expect(covered >= 366 && covered <= 392, "%d of %d", covered, WORLDS);
    cr_expect_lt(covered_alone, 300, "%d of %d", covered_alone, WORLDS);
}

Test(metrics_by_group, without_memory_it_says_so)
{
    static const double sums[] = {1.0, 2.0};
    static const uint32_t counts[] = {2, 2};
    size_t before = br_alloc_live();
    for (size_t n = 0; n < 3; n++) {
        br_mean_interval m;
        br_alloc_fail_after(n);
        cr_expect_eq(br_means_by_group(&m, sums, counts, 2, 1, 10, 1), BR_ERR_NO_MEMORY);
    }
    br_alloc_fail_after(SIZE_MAX);
    cr_expect_eq(br_alloc_live(), before);
}
