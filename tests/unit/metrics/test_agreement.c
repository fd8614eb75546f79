// Goal: agreement of raters as those define it who brought it up. Method: their published examples, and values worked out by hand.

#include "metrics/agreement.h"

#include <criterion/criterion.h>
#include <math.h>

// Fleiss 1971, Table 1: 30 patients, 6 psychiatrists each: depression, personality disorder, schizophrenia, neurosis, other.
enum { PATIENTS = 30, DIAGNOSES = 5 };
static const uint32_t diagnoses[PATIENTS][DIAGNOSES] = {
    {0, 0, 0, 6, 0}, {0, 3, 0, 0, 3}, {0, 1, 4, 0, 1}, {0, 0, 0, 0, 6}, {0, 3, 0, 3, 0}, {2, 0, 4, 0, 0},
    {0, 0, 4, 0, 2}, {2, 0, 3, 1, 0}, {2, 0, 0, 4, 0}, {0, 0, 0, 0, 6}, {1, 0, 0, 5, 0}, {1, 1, 0, 4, 0},
    {0, 3, 3, 0, 0}, {1, 0, 0, 5, 0}, {0, 2, 0, 3, 1}, {0, 0, 5, 0, 1}, {3, 0, 0, 1, 2}, {5, 1, 0, 0, 0},
    {0, 2, 0, 4, 0}, {1, 0, 2, 0, 3}, {0, 0, 0, 0, 6}, {0, 1, 0, 5, 0}, {0, 2, 0, 1, 3}, {2, 0, 0, 4, 0},
    {1, 0, 0, 4, 1}, {0, 5, 0, 1, 0}, {4, 0, 0, 0, 2}, {0, 2, 0, 4, 0}, {1, 0, 5, 0, 0}, {0, 0, 0, 0, 6},
};

Test(metrics_agreement, fleiss_kappa_is_that_of_his_patients)
{
    br_ratings ratings = {.n_categories = DIAGNOSES};
    for (int p = 0; p < PATIENTS; p++) {
        br_ratings_add(&ratings, diagnoses[p], 1);
    }
    static const double totals[DIAGNOSES] = {26, 26, 30, 55, 43};
    for (int c = 0; c < DIAGNOSES; c++) {
        cr_expect_eq(ratings.n_of[c], totals[c], "category %d", c);
    }
    cr_expect_float_eq(br_ratings_observed(&ratings), 0.555, 0.0015, "%g", br_ratings_observed(&ratings));
    cr_expect_float_eq(br_fleiss_kappa(&ratings), 0.430, 0.0005, "%g", br_fleiss_kappa(&ratings));
}

Test(metrics_agreement, fleiss_kappa_of_one_diagnosis_against_all_others)
{
    static const double kappas[DIAGNOSES] = {0.245, 0.245, 0.520, 0.471, 0.566};
    for (int c = 0; c < DIAGNOSES; c++) {
        br_ratings ratings = {.n_categories = 2};
        for (int p = 0; p < PATIENTS; p++) {
            br_ratings_add(&ratings, (const uint32_t[]){6 - diagnoses[p][c], diagnoses[p][c]}, 1);
        }
        cr_expect_float_eq(br_fleiss_kappa(&ratings), kappas[c], 0.0006, "%d: %g", c, br_fleiss_kappa(&ratings));
    }
}

// Krippendorff, "Computing Krippendorff's Alpha-Reliability", part C: 12 units, 4 observers, with gaps; one unit has a single value.
Test(metrics_agreement, krippendorffs_alpha_with_gaps_is_that_of_his_example)
{
    static const char *const observers[] = {"123321412...", "1233224125.3", ".3332342251.", "12332441251."};
    br_ratings ratings = {.n_categories = 5};
    for (int unit = 0; unit < 12; unit++) {
        uint32_t counts[5] = {0};
        for (int o = 0; o < 4; o++) {
            if (observers[o][unit] != '.') {
                counts[observers[o][unit] - '1']++;
            }
        }
        br_ratings_add(&ratings, counts, 1);
    }
    cr_expect_eq(ratings.n, 40.0, "the single value pairs with none");
    cr_expect_float_eq(br_krippendorff_alpha(&ratings), 0.743, 0.0005, "%g", br_krippendorff_alpha(&ratings));
}

Test(metrics_agreement, by_hand)
{
    // Units of 2, 3 and 5 ratings: [1, 1], [0, 3], [4, 1].
    br_ratings ratings = {.n_categories = 2};
    br_ratings_add(&ratings, (const uint32_t[]){1, 1}, 1);
    br_ratings_add(&ratings, (const uint32_t[]){0, 3}, 1);
    br_ratings_add(&ratings, (const uint32_t[]){4, 1}, 1);
    // P_u = 0, 1, 12/20: observed = (0 + 3 + 3) / 10. By chance, without returning: (5 x 4 + 5 x 4) / 90.
    cr_expect_float_eq(br_ratings_observed(&ratings), 0.6, 1e-15);
    cr_expect_float_eq(br_krippendorff_alpha(&ratings), 1.0 - 0.4 / (5.0 / 9.0), 1e-15);
    br_ratings twice = {.n_categories = 2};
    br_ratings_add(&twice, (const uint32_t[]){4, 1}, 2);
    br_ratings_add(&twice, (const uint32_t[]){0, 5}, 1);
    // Observed (0.6 + 0.6 + 1) / 3; yes 7 of 15.
    double by_chance = (49.0 + 64.0) / 225.0;
    cr_expect_float_eq(br_fleiss_kappa(&twice), (2.2 / 3.0 - by_chance) / (1.0 - by_chance), 1e-15);
}

Test(metrics_agreement, nothing_is_said_where_nothing_can_be)
{
    br_ratings ratings = {.n_categories = 2};
    br_ratings_add(&ratings, (const uint32_t[]){0, 1}, 9);
    cr_expect(isnan(br_ratings_observed(&ratings)) && isnan(br_fleiss_kappa(&ratings)) &&
              isnan(br_krippendorff_alpha(&ratings)));
    br_ratings_add(&ratings, (const uint32_t[]){0, 5}, 3);
    cr_expect(br_ratings_observed(&ratings) == 1.0 && isnan(br_fleiss_kappa(&ratings)) &&
              isnan(br_krippendorff_alpha(&ratings)));
    br_ratings_add(&ratings, (const uint32_t[]){5, 0}, 3);
    cr_expect(br_fleiss_kappa(&ratings) == 1.0 && br_krippendorff_alpha(&ratings) == 1.0);
}
