// Goal: the smaller figures of explanations are what their definitions say. Method: values worked out by hand; the paper's
// Table 3.

#include "metrics/hrd.h"
#include "metrics/paired.h"
#include "metrics/redundancy.h"
#include "metrics/stability.h"
#include "metrics/true_share.h"

#include <criterion/criterion.h>
#include <math.h>

Test(metrics_hrd, equals_the_papers_table_3)
{
    static const double printed[][3] = {
        {0.324, 0.520, 0.399}, {0.503, 0.624, 0.557}, {0.457, 0.662, 0.540}, {0.655, 0.622, 0.638},
        {0.652, 0.566, 0.605}, {0.027, 0.577, 0.051}, {0.178, 0.404, 0.247}, {0.650, 0.603, 0.625},
        {0.659, 0.632, 0.645}, {0.695, 0.701, 0.697},
    };
    for (size_t i = 0; i < sizeof printed / sizeof printed[0]; i++) {
        // The printed numbers are cut, not rounded.
        cr_expect_float_eq(br_hrd(printed[i][0], printed[i][1]), printed[i][2], 0.001, "row %zu", i);
    }
}

Test(metrics_hrd, is_nought_at_or_below_chance)
{
    cr_expect_eq(br_hrd(-0.1, 0.5), 0.0);
    cr_expect_eq(br_hrd(0.0, 0.0), 0.0);
    cr_expect(isnan(br_hrd((double)NAN, 0.5)));
}

// Fields 0 and 1: a preference for value 2 of bond field 0 in two windows; 2: for value 1 of bond field 1; 3: an attribute.
static const br_field_meaning meanings[] = {{0, 2, 0, 0}, {0, 2, 0, 0}, {1, 1, 5, 2}, {BR_NO_BOND_FIELD, 0, 16, 3}};
static const uint8_t codes[] = {5, 5, 5, 5, 5, 1, 5, 5};
static const uint8_t bond_codes[] = {2, 3};
static const uint16_t causal[] = {1u << 0 | 1u << 5, 1u << 5};
static const double levels[] = {2.0, 2.0, 2.0, 2.0};

static br_explained_bond bond_of(const uint32_t *investors, const uint32_t *fields, uint32_t n_sets)
{
    return (br_explained_bond){.meanings = meanings,
                               .codes = codes,
                               .causal = causal,
                               .bond_codes = bond_codes,
                               .n_investors = 2,
                               .n_fields = 4,
                               .n_sets = n_sets,
                               .n_reasons = 3,
                               .investors = investors,
                               .fields = fields};
}

Test(metrics_true_share, a_reason_is_true_if_it_is_rational_and_counts_for_the_investor)
{
    static const uint32_t investors[] = {0, 1}, fields[] = {0, 2, 3, 0, 1, 2};
    br_explained_bond bond = bond_of(investors, fields, 2);
    br_true_share counts = {0};
    br_true_share_add(&counts, &bond, levels);
    cr_expect_eq(counts.n_preferences, 5);
    cr_expect_eq(counts.n_above, 4, "investor 1 is low in field 1");
    cr_expect_eq(counts.n_rational, 2, "bond field 1 is 3, not 1");
    cr_expect_eq(counts.n_true, 1, "the value counts for investor 0 only");
    cr_expect_eq(br_true_share_of(&counts), 0.25);
    cr_expect(isnan(br_true_share_of(&(br_true_share){0})));
}

Test(metrics_redundancy, counts_pairs_of_one_concept)
{
    static const uint32_t investors[] = {0, 1}, fields[] = {0, 2, 3, 0, 1, 2};
    br_explained_bond bond = bond_of(investors, fields, 2);
    br_redundancy counts = {.n_sets = 10, .n_redundant_sets = 3, .n_pairs = 4};
    br_redundancy_add(&counts, &bond);
    cr_expect(counts.n_sets == 12 && counts.n_redundant_sets == 4 && counts.n_pairs == 5);
}

Test(metrics_stability, is_the_mean_jaccard_index)
{
    static const uint32_t left[] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, right[] = {3, 1, 2, 4, 7, 8, 1, 2, 3};
    cr_expect_float_eq(br_stability(left, right, 3, 3), (1.0 + 1.0 / 5.0 + 0.0) / 3.0, 1e-15);
    cr_expect(isnan(br_stability(left, right, 0, 3)));
}

Test(metrics_paired, differences_are_of_the_same_bond)
{
    static const double left[] = {10.0, 21.0, 33.0, (double)NAN}, right[] = {9.0, 19.0, 30.0, 1.0};
    br_difference difference = br_paired(left, right, 4);
    cr_expect_float_eq(difference.mean, 2.0, 1e-15);
    cr_expect_float_eq(difference.standard_error, 1.0 / sqrt(3.0), 1e-15); // sd of 1, 2, 3 is 1
    cr_expect(difference.n == 3 && difference.skipped == 1);
    cr_expect(isnan(br_paired(left, right, 1).standard_error));
    cr_expect(isnan(br_paired(left + 3, right + 3, 1).mean));
}

Test(metrics_paired, spread_is_that_of_a_sample)
{
    static const double values[] = {1e9 + 4.0, 1e9 + 7.0, 1e9 + 13.0, 1e9 + 16.0, (double)NAN};
    br_spread spread = br_spread_of(values, 5);
    cr_expect_eq(spread.mean, 1e9 + 10.0);
    cr_expect_float_eq(spread.sd, sqrt(30.0), 1e-9);
    cr_expect(spread.n == 4 && spread.skipped == 1);
    cr_expect(isnan(br_spread_of(values, 1).sd) && isnan(br_spread_of(values, 0).mean));
}

Test(metrics_paired, pseudo_values_of_a_mean_are_its_values)
{
    static const double values[] = {1.0, 4.0, 10.0}, without[] = {7.0, 5.5, 2.5};
    double pseudo[3];
    br_pseudo_values(pseudo, 5.0, without, 3);
    for (size_t i = 0; i < 3; i++) {
        cr_expect_float_eq(pseudo[i], values[i], 1e-14);
    }
}
