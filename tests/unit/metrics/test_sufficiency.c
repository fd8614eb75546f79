// Goal: ESV counts who shares the values and bid, with and without the investor. Method: a bond of six investors by hand.

#include "base/alloc.h"
#include "metrics/metrics.h"
#include "metrics/sufficiency.h"

#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>

enum { N = 6, N_FIELDS = 3 };

static const uint8_t codes[N * N_FIELDS] = {
    1, 1, 1, //
    1, 1, 2, //
    1, 1, 3, //
    1, 2, 1, //
    1, 1, 1, // not eligible
    2, 2, 2, //
};
static const uint8_t eligible[N] = {1, 1, 1, 1, 0, 1};
static const uint8_t bids[N] = {1, 1, 0, 0, 1, 1};
static const double probabilities[N] = {0.9, 0.6, 0.3, 0.2, 0.8, 0.5};

static br_explained_bond bond_of(const uint32_t *investors, const uint32_t *fields, uint32_t n_sets, uint32_t n_reasons)
{
    return (br_explained_bond){.codes = codes,
                               .eligible = eligible,
                               .bids = bids,
                               .probabilities = probabilities,
                               .n_investors = N,
                               .n_fields = N_FIELDS,
                               .n_sets = n_sets,
                               .n_reasons = n_reasons,
                               .investors = investors,
                               .fields = fields};
}

Test(metrics_sufficiency, counts_who_matches_and_who_of_them_bid)
{
    static const uint32_t investors[] = {0, 2, 5, 0}, fields[] = {0, 1, 1, 0, 2, 0, 0, 2};
    br_explained_bond bond = bond_of(investors, fields, 4, 2);
    br_sufficiency one[4];
    br_sufficiency_of(one, &bond);
    // Investors 0, 1 and 2 share (1, 1); 4 would, too, but may not be recommended.
    cr_expect_float_eq(one[0].esv, 2.0 / 3.0, 1e-15);
    cr_expect_float_eq(one[0].esv_others, 1.0 / 2.0, 1e-15, "without his own bid");
    cr_expect_float_eq(one[0].esv_true, 1.8 / 3.0, 1e-15);
    cr_expect(one[0].n_others == 2 && one[0].n_others_bid == 1);
    double low, high;
    br_wilson(1, 2, &low, &high);
    cr_expect(one[0].low == low && one[0].high == high);
    cr_expect_float_eq(one[1].esv, 2.0 / 3.0, 1e-15);
    cr_expect_float_eq(one[1].esv_others, 1.0, 1e-15, "he did not bid");
    cr_expect(one[1].n_others == 2 && one[1].n_others_bid == 2);
    // Nobody else has (2, 2): the base rate of the other four.
    cr_expect_float_eq(one[2].esv, 1.0, 1e-15);
    cr_expect_float_eq(one[2].esv_others, 2.0 / 4.0, 1e-15);
    cr_expect_float_eq(one[2].esv_true, 0.5, 1e-15);
    cr_expect(one[2].n_others == 0 && one[2].low == 0.0 && one[2].high == 1.0);

    // Investor 3 has (1, 1) in fields 0 and 2, too, and did not bid.
    cr_expect_float_eq(one[3].esv, 0.5, 1e-15);
    cr_expect_eq(one[3].esv_others, 0.0);
    cr_expect_float_eq(one[3].esv_true, 1.1 / 2.0, 1e-15);

    br_sufficiency_means mean;
    br_sufficiency_mean(&mean, one, 4);
    cr_expect_eq(mean.n, 4);
    cr_expect_float_eq(mean.aesv, (2.0 / 3.0 + 2.0 / 3.0 + 1.0 + 0.5) / 4.0, 1e-15);
    cr_expect_float_eq(mean.aesv_others, (0.5 + 1.0 + 0.5 + 0.0) / 4.0, 1e-15);
    cr_expect_float_eq(mean.aesv_true, (0.6 + 0.6 + 0.5 + 0.55) / 4.0, 1e-15);
    cr_expect_float_eq(mean.alone, 1.0 / 4.0, 1e-15);
    cr_expect_float_eq(mean.others, 5.0 / 4.0, 1e-15);
    cr_expect_float_eq(mean.others_bid, 3.0 / 4.0, 1e-15);
    br_sufficiency_mean(&mean, one, 0);
    cr_expect(isnan(mean.aesv) && isnan(mean.alone));
}

Test(metrics_sufficiency, does_without_a_truth_and_with_a_single_investor)
{
    static const uint32_t investors[] = {5}, fields[] = {0};
    static const uint8_t only_one[N] = {0, 0, 0, 0, 0, 1};
    br_explained_bond bond = bond_of(investors, fields, 1, 1);
    bond.probabilities = NULL;
    bond.eligible = only_one;
    br_sufficiency one;
    br_sufficiency_of(&one, &bond);
    cr_expect_eq(one.esv, 1.0);
    cr_expect(isnan(one.esv_true) && isnan(one.esv_others));
}

Test(metrics_sufficiency, the_error_is_of_the_others_where_there_are_any)
{
    static const br_sufficiency all[] = {
        {.esv = 1.0, .esv_others = 0.5, .n_others = 2},
        {.esv = 1.0, .esv_others = 0.9, .n_others = 0},
        {.esv = 1.0, .esv_others = 0.0, .n_others = 1},
    };
    static const double values[] = {0.6, 0.1, 0.3};
    double error;
    cr_assert_eq(br_sufficiency_error(&error, values, all, 3, 2), BR_OK);
    cr_expect_float_eq(error, (0.1 + 0.3) / 2.0, 1e-15);
    cr_assert_eq(br_sufficiency_error(&error, values + 1, all + 1, 1, 2), BR_OK);
    cr_expect(isnan(error));
    size_t live = br_alloc_live();
    for (size_t n = 0; n < 3; n++) {
        br_alloc_fail_after(n);
        cr_expect_eq(br_sufficiency_error(&error, values, all, 3, 2), BR_ERR_NO_MEMORY);
        br_alloc_fail_after(SIZE_MAX);
        cr_expect_eq(br_alloc_live(), live);
    }
}

Test(metrics_sufficiency, an_investor_who_may_not_be_recommended_is_not_explained, .signal = SIGABRT)
{
    static const uint32_t investors[] = {4}, fields[] = {0};
    br_explained_bond bond = bond_of(investors, fields, 1, 1);
    br_sufficiency one;
    br_sufficiency_of(&one, &bond);
}
