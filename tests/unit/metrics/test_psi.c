// Goal: the index is the sum that it is defined by. Method: a table worked out by hand, and draws of one distribution.

#include "base/rng.h"
#include "metrics/psi.h"

#include <criterion/criterion.h>
#include <math.h>

Test(metrics_psi, is_the_sum_of_a_hand_table)
{
    // Shares .5 .3 .2 against .4 .4 .2: -.1 ln .8 + .1 ln (4/3) + 0.
    static const uint64_t expected[] = {50, 30, 20}, actual[] = {400, 400, 200};
    double psi = br_psi(expected, actual, 3);
    cr_expect_float_eq(psi, 0.0223143551314 + 0.0287682072452, 1e-12);
    cr_expect_float_eq(br_psi(actual, expected, 3), psi, 1e-15, "the same either way round");
    cr_expect_eq(br_psi(expected, expected, 3), 0.0);
}

Test(metrics_psi, a_value_that_one_side_lacks_counts_half_a_case)
{
    static const uint64_t expected[] = {10, 0, 10, 0}, actual[] = {10, 10, 0, 0};
    // (.5 - .025) ln 20 from the second and (.025 - .5) ln (1/20) from the third; the last counts nothing.
    cr_expect_float_eq(br_psi(expected, actual, 4), 2.0 * 0.475 * log(20.0), 1e-12);
    static const uint64_t none[4] = {0};
    cr_expect(isnan(br_psi(none, actual, 4)) && isnan(br_psi(actual, none, 4)));
}

Test(metrics_psi, by_chance_is_the_mean_of_draws_that_differ_by_chance_alone)
{
    enum { K = 5, N = 400, M = 200, ROUNDS = 2000 };
    double sum = 0.0;
    uint64_t counts[2][K];
    for (uint32_t round = 0; round < ROUNDS; round++) {
        br_rng rng = br_rng_at(5, BR_STREAM_TEST, round, 0);
        for (uint32_t k = 0; k < K; k++) {
            counts[0][k] = counts[1][k] = 0;
        }
        for (uint32_t i = 0; i < N + M; i++) {
            counts[i < N ? 0 : 1][br_rng_below(&rng, K)]++;
        }
        sum += br_psi(counts[0], counts[1], K);
    }
    double chance = br_psi_by_chance(counts[0], counts[1], K, N, M);
    cr_expect_float_eq(chance, 4.0 * (1.0 / N + 1.0 / M), 1e-15);
    cr_expect_float_eq(sum / ROUNDS, chance, 0.05 * chance);
    cr_expect(isnan(br_psi_by_chance(counts[0], counts[1], K, 0.0, M)));
    static const uint64_t one[] = {0, 7};
    cr_expect_eq(br_psi_by_chance(one, one, 2, 7.0, 7.0), 0.0);
}
