// Goal: what 5.6 shows: people chose the paper's explanations in 344 of 660 cases. Method: the interval and the test of that share.

#include "metrics/side_by_side.h"

#include <criterion/criterion.h>

Test(paper_side_by_side, three_hundred_and_forty_four_of_660_do_not_show_a_preference)
{
    br_side_by_side s = br_side_by_side_pooled(344, 660);
    cr_expect_float_eq(s.share, 0.521, 0.0005);
    cr_expect_float_eq(s.low, 0.483, 0.0005);
    cr_expect_float_eq(s.high, 0.559, 0.0005);
    cr_expect_float_eq(s.p, 0.28, 0.005);
    cr_expect(s.needed > 4300.0 && s.needed < 4450.0, "%.0f needed for 80 %% power", s.needed);
    cr_expect_eq(s.missing, s.needed - 660.0);
    cr_expect(!s.shown);
    cr_expect_eq(s.interval, BR_SHARE_WILSON);
}
