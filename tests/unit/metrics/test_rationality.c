// Goal: rationality is Cohen's kappa of what P-reasons speak of and what bonds have. Method: tables worked out by hand, and chance
// counted over all pairs of claims.

#include "metrics/rationality.h"

#include "base/alloc.h"
#include "base/rng.h"

#include <criterion/criterion.h>
#include <math.h>

static br_rationality rationality(const br_claim *claims, size_t n, uint32_t without)
{
    br_rationality result;
    cr_assert_eq(br_rationality_of(&result, claims, n, without), BR_OK);
    return result;
}

Test(metrics_rationality, is_kappa_pooled_and_within_fields)
{
    // Field 0: claimed 1 1 2, actual 1 2 2. Field 1: claimed 1, actual 1. Three of four agree.
    static const br_claim claims[] = {{7, 0, 1, 1}, {7, 0, 1, 2}, {8, 0, 2, 2}, {8, 1, 1, 1}};
    br_rationality result = rationality(claims, 4, BR_ALL_BONDS);
    cr_expect_eq(result.n_claims, 4);
    cr_expect_eq(result.n_rational, 3);
    cr_expect_float_eq(result.agreement, 0.75, 1e-15);
    // Pooled: (0, 1) 2/4 1/4, (0, 2) 1/4 2/4, (1, 1) 1/4 1/4.
    cr_expect_float_eq(result.chance, 5.0 / 16.0, 1e-15);
    cr_expect_float_eq(result.pooled, (12.0 / 16.0 - 5.0 / 16.0) / (11.0 / 16.0), 1e-15);
    // Field 0, three quarters: 2/3 1/3 + 1/3 2/3. Field 1, one quarter: 1.
    double chance = 0.75 * 4.0 / 9.0 + 0.25;
    cr_expect_float_eq(result.chance_stratified, chance, 1e-15);
    cr_expect_float_eq(result.stratified, (0.75 - chance) / (1.0 - chance), 1e-15);
}

Test(metrics_rationality, leaves_out_a_bond)
{
    static const br_claim claims[] = {{7, 0, 1, 1}, {7, 0, 1, 2}, {8, 0, 2, 2}, {8, 1, 1, 1}};
    br_rationality left_out = rationality(claims, 4, 8);
    br_rationality alone = rationality(claims, 2, BR_ALL_BONDS);
    cr_expect_eq(left_out.n_claims, 2);
    cr_expect_eq(left_out.pooled, alone.pooled);
    cr_expect_eq(left_out.stratified, alone.stratified);
}

Test(metrics_rationality, has_no_value_without_claims_or_without_anything_to_tell_apart)
{
    static const br_claim same[] = {{0, 0, 1, 1}, {0, 0, 1, 1}};
    cr_expect(isnan(rationality(same, 0, BR_ALL_BONDS).pooled));
    cr_expect(isnan(rationality(same, 2, 0).stratified), "all left out");
    cr_expect(isnan(rationality(same, 2, BR_ALL_BONDS).pooled), "chance is certain");
}

enum { N = 400, N_FIELDS = 5, N_VALUES = 6 };

// Chance is what a claim and the bond of any claim agree on: counted pair by pair, in the claim's own field and in all.
static void twin(const br_claim *claims, double *pooled, double *stratified)
{
    double agreement = 0.0, chance = 0.0, within = 0.0;
    for (size_t i = 0; i < N; i++) {
        double met = 0.0, in_field = 0.0;
        for (size_t k = 0; k < N; k++) {
            bool same_field = claims[i].bond_field == claims[k].bond_field;
            met += same_field && claims[i].claimed == claims[k].actual;
            in_field += same_field;
        }
        agreement += (claims[i].claimed == claims[i].actual) / (double)N;
        chance += met / N / N;
        within += met / in_field / N;
    }
    *pooled = (agreement - chance) / (1.0 - chance);
    *stratified = (agreement - within) / (1.0 - within);
}

Test(metrics_rationality, equals_counting_all_pairs_and_is_nought_for_random_claims_within_fields)
{
    double mean = 0.0;
    for (uint32_t round = 0; round < 20; round++) {
        br_rng rng = br_rng_at(3, BR_STREAM_TEST, 3, round);
        br_claim claims[N];
        for (size_t i = 0; i < N; i++) {
            uint16_t field = (uint16_t)br_rng_below(&rng, N_FIELDS);
            uint8_t claimed = (uint8_t)(1 + br_rng_below(&rng, N_VALUES));
            claims[i] = (br_claim){0, field, claimed, (uint8_t)(field == 0 ? 1 : 1 + br_rng_below(&rng, N_VALUES))};
        }
        double pooled, stratified;
        twin(claims, &pooled, &stratified);
        br_rationality result = rationality(claims, N, BR_ALL_BONDS);
        cr_assert_float_eq(result.pooled, pooled, 1e-12);
        cr_assert_float_eq(result.stratified, stratified, 1e-12);
        cr_assert_gt(result.pooled, 0.08, "the bond field alone is an agreement");
        mean += result.stratified / 20;
    }
    cr_expect_lt(fabs(mean), 0.015, "%g", mean); // standard error about 0.005
}

Test(metrics_rationality, p_reasons_are_preferences_above_the_mean_of_the_eligible)
{
    // Fields: a preference for value 2 of bond field 1, one for value 1 of bond field 0, an attribute.
    static const br_field_meaning meanings[] = {{1, 2, 0, 0}, {0, 1, 1, 1}, {BR_NO_BOND_FIELD, 0, 0, 2}};
    static const uint8_t codes[] = {3, 0, 5, 1, 5, 0, 2, 0, 1, 5, 5, 5};
    static const uint8_t eligible[] = {1, 1, 1, 0}, bids[4] = {0}, bond_codes[] = {0, 2};
    static const uint32_t investors[] = {0, 1, 2}, fields[] = {0, 1, 2, 0, 1, 2, 0, 1, 2};
    br_explained_bond bond = {.meanings = meanings,
                              .codes = codes,
                              .eligible = eligible,
                              .bids = bids,
                              .bond_codes = bond_codes,
                              .n_investors = 4,
                              .n_fields = 3,
                              .n_sets = 3,
                              .n_reasons = 3,
                              .investors = investors,
                              .fields = fields};
    double means[3];
    br_mean_levels(means, codes, eligible, 4, 3);
    cr_expect_float_eq(means[0], 2.0, 1e-15);
    cr_expect_float_eq(means[1], 7.0 / 3.0, 1e-15, "no bid at all is level 1: none");
    BR_AUTO_DEINIT(br_buf) claims = {0};
    br_claims_append(&claims, &bond, 9, means);
    cr_assert_eq(claims.length, 2 * sizeof(br_claim), "the mean itself is not above it");
    const br_claim *claim = (const br_claim *)(const void *)claims.data;
    cr_expect(claim[0].bond == 9 && claim[0].bond_field == 1 && claim[0].claimed == 2 && claim[0].actual == 2);
    cr_expect(claim[1].bond == 9 && claim[1].bond_field == 0 && claim[1].claimed == 1 && claim[1].actual == 0);
    static const uint8_t nobody[4] = {0};
    br_mean_levels(means, codes, nobody, 4, 3);
    cr_expect(isnan(means[0]));
}

Test(metrics_rationality, every_failed_allocation_is_told_and_nothing_stays)
{
    static const br_claim claims[] = {{0, 3, 1, 1}};
    br_rationality result;
    size_t live = br_alloc_live();
    for (size_t n = 0; n < 2; n++) {
        br_alloc_fail_after(n);
        cr_expect_eq(br_rationality_of(&result, claims, 1, BR_ALL_BONDS), BR_ERR_NO_MEMORY);
        br_alloc_fail_after(SIZE_MAX);
        cr_expect_eq(br_alloc_live(), live);
    }
}
