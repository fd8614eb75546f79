// Goal: the interval of a share respects raters and has the coverage it claims. Method: tables of Student's t; values worked out by hand;
// raters simulated with tastes of their own, where the interval of independent answers fails.

#include "base/alloc.h"
#include "base/rng.h"
#include "metrics/metrics.h"
#include "metrics/side_by_side.h"

#include <criterion/criterion.h>
#include <math.h>

static br_side_by_side of(const br_rater_choices *raters, uint32_t n)
{
    br_side_by_side result;
    cr_assert_eq(br_side_by_side_of(&result, raters, n, 1), BR_OK);
    return result;
}

Test(metrics_side_by_side, students_t_is_that_of_the_tables)
{
    static const double tables[][2] = {{1, 12.7062}, {2, 4.3027}, {3, 3.1824}, {7, 2.3646}, {10, 2.2281}, {29, 2.0452}};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        cr_expect_float_eq(br_student_quantile(0.05, (uint32_t)tables[i][0]), tables[i][1], 1e-4, "row %zu", i);
    }
    cr_expect_float_eq(br_student_two_sided(1.0, 1), 0.5, 1e-12);
    cr_expect_float_eq(br_student_two_sided(0.0, 4), 1.0, 1e-12);
    cr_expect_float_eq(br_student_two_sided(1.96, 100000), 0.05, 1e-4);
}

Test(metrics_side_by_side, without_choices_nothing_is_known)
{
    static const br_rater_choices none[] = {{0, 0}, {0, 0}};
    br_side_by_side s = of(none, 2);
    cr_expect(isnan(s.share) && s.low == 0.0 && s.high == 1.0 && s.p == 1.0 && isnan(s.needed) && !s.shown);
    cr_expect(s.interval == BR_SHARE_NONE && s.n_raters == 0);
    s = of(NULL, 0);
    cr_expect(s.n == 0 && !s.shown);
}

Test(metrics_side_by_side, one_rater_says_nothing_of_others)
{
    static const br_rater_choices one[] = {{100, 0}, {0, 0}};
    br_side_by_side s = of(one, 2);
    cr_expect(s.interval == BR_SHARE_WILSON && s.n_raters == 1 && s.low > 0.9);
    cr_expect(!s.shown, "however much he likes it");
}

Test(metrics_side_by_side, two_who_agree_by_chance_are_no_proof)
{
    static const br_rater_choices two[] = {{1, 0}, {1, 0}};
    br_side_by_side s = of(two, 2);
    cr_expect(s.interval == BR_SHARE_T && !s.shown && s.low < 0.5, "low %g", s.low);
    cr_expect_gt(s.p, 0.05);
}

Test(metrics_side_by_side, few_raters_spread_by_students_t)
{
    static const br_rater_choices three[] = {{30, 10}, {20, 20}, {25, 15}};
    br_side_by_side s = of(three, 3);
    // Shares 0.75, 0.5, 0.625: mean 0.625, standard deviation 0.125.
    double error = 0.125 / sqrt(3.0);
    cr_expect_eq(s.interval, BR_SHARE_T);
    cr_expect_float_eq(s.share, 0.625, 1e-12);
    cr_expect_float_eq(s.low, 0.625 - 4.302653 * error, 1e-4);
    cr_expect_float_eq(s.high, 0.625 + 4.302653 * error, 1e-4);
    cr_expect_float_eq(s.p, br_student_two_sided(0.125 / error, 2), 1e-12);
    cr_expect_float_eq(s.design_effect, error * error / (0.625 * 0.375 / 120.0), 1e-9);
    br_side_by_side alone = br_side_by_side_pooled(75, 120);
    cr_expect_float_eq(s.needed, ceil(alone.needed * s.design_effect), 2.0 * s.design_effect);
    cr_expect(!s.shown && alone.shown, "independent answers would have shown it");
}

Test(metrics_side_by_side, order_of_raters_does_not_matter_and_the_first_can_be_the_worse)
{
    static const br_rater_choices up[] = {{2, 8}, {3, 9}, {1, 9}, {4, 8}, {2, 9}, {3, 7}, {2, 8}, {1, 6}, {0, 0}};
    static const br_rater_choices down[] = {{1, 6}, {2, 8}, {3, 7}, {2, 9}, {4, 8}, {1, 9}, {3, 9}, {2, 8}};
    br_side_by_side a = of(up, 9);
    br_side_by_side b = of(down, 8);
    cr_expect(a.low == b.low && a.high == b.high && a.p == b.p && a.n_raters == 8);
    cr_expect(a.interval == BR_SHARE_BOOTSTRAP && a.shown && a.high < 0.5 && a.p < 0.05);
}

Test(metrics_side_by_side, a_share_of_a_half_needs_answers_without_end)
{
    br_side_by_side s = br_side_by_side_pooled(50, 100);
    cr_expect(isinf(s.needed) && isinf(s.missing) && s.p == 1.0 && !s.shown);
    s = br_side_by_side_pooled(0, 100);
    cr_expect(s.shown && s.missing == 0.0);
}

typedef struct coverage {
    double by_raters;
    double wilson;
    double shown_and_p; ///< "shown" and p < 0.05 say the same
} coverage;

enum { SIMULATIONS = 600, ANSWERS = 40 };

/// Raters whose own share is 0.5 + or - up to 0.3: how often does the interval hold 0.5?
static coverage simulate(uint32_t n_raters)
{
    coverage c = {0};
    for (uint32_t i = 0; i < SIMULATIONS; i++) {
        br_rng rng = br_rng_at(7, BR_STREAM_TEST, i, n_raters);
        br_rater_choices raters[32] = {0};
        uint32_t n = 0, first = 0;
        for (uint32_t r = 0; r < n_raters; r++) {
            double own = 0.5 + 0.6 * (br_rng_uniform(&rng) - 0.5);
            uint32_t answers = ANSWERS / 2 + br_rng_below(&rng, ANSWERS);
            for (uint32_t a = 0; a < answers; a++) {
                bool is_first = br_rng_uniform(&rng) < own;
                raters[r].first += is_first;
                raters[r].second += !is_first;
            }
            n += answers;
            first += raters[r].first;
        }
        br_side_by_side s = of(raters, n_raters);
        br_side_by_side alone = br_side_by_side_pooled(first, n);
        c.by_raters += s.low <= 0.5 && s.high >= 0.5;
        c.wilson += alone.low <= 0.5 && alone.high >= 0.5;
        c.shown_and_p += s.shown == (s.p < 0.05);
    }
    return (coverage){c.by_raters / SIMULATIONS, c.wilson / SIMULATIONS, c.shown_and_p / SIMULATIONS};
}

Test(metrics_side_by_side, covers_what_it_claims_where_independent_answers_do_not)
{
    static const uint32_t raters[] = {3, 6, 9, 20};
    for (size_t i = 0; i < sizeof raters / sizeof raters[0]; i++) {
        coverage c = simulate(raters[i]);
        // 600 simulations of 0.93, what it is for few raters with unlike numbers of answers, have a standard error of 0.01.
        cr_expect(c.by_raters >= 0.90 && c.by_raters <= 0.99, "%u raters: %.3f", raters[i], c.by_raters);
        cr_expect(c.wilson < 0.80, "%u raters: Wilson %.3f", raters[i], c.wilson);
        cr_expect(c.shown_and_p >= 0.99, "%u raters: %.3f", raters[i], c.shown_and_p);
    }
}

Test(metrics_side_by_side, a_failed_allocation_is_reported)
{
    br_rater_choices raters[9];
    for (size_t i = 0; i < 9; i++) {
        raters[i] = (br_rater_choices){3, 1};
    }
    for (size_t allowed = 0; allowed < 2; allowed++) {
        br_side_by_side s;
        br_alloc_fail_after(allowed);
        br_status status = br_side_by_side_of(&s, raters, 9, 1);
        br_alloc_fail_after(SIZE_MAX);
        cr_expect_eq(status, BR_ERR_NO_MEMORY);
    }
    cr_expect_eq(br_alloc_live(), 0);
}
