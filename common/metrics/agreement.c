#include "metrics/agreement.h"

#include <math.h>

void br_ratings_add(br_ratings *ratings, const uint32_t *counts, uint64_t times)
{
    br_assert(ratings->n_categories >= 2 && ratings->n_categories <= BR_MAX_RATING_CATEGORIES);
    double n = 0.0;
    double same = 0.0;
    for (uint32_t c = 0; c < ratings->n_categories; c++) {
        n += counts[c];
        same += counts[c] * (counts[c] - 1.0);
    }
    if (n < 2.0) {
        return;
    }
    for (uint32_t c = 0; c < ratings->n_categories; c++) {
        ratings->n_of[c] += (double)times * counts[c];
    }
    ratings->n += (double)times * n;
    ratings->agreeing += (double)times * same / (n - 1.0);
}

double br_ratings_observed(const br_ratings *ratings)
{
    return ratings->n > 0.0 ? ratings->agreeing / ratings->n : (double)NAN;
}

static bool all_equal(const br_ratings *ratings)
{
    for (uint32_t c = 0; c < ratings->n_categories; c++) {
        if (ratings->n_of[c] > 0.0 && ratings->n_of[c] < ratings->n) {
            return false;
        }
    }
    return true;
}

double br_fleiss_kappa(const br_ratings *ratings)
{
    if (all_equal(ratings)) {
        return (double)NAN;
    }
    double by_chance = 0.0;
    for (uint32_t c = 0; c < ratings->n_categories; c++) {
        double share = ratings->n_of[c] / ratings->n;
        by_chance += share * share;
    }
    return (br_ratings_observed(ratings) - by_chance) / (1.0 - by_chance);
}

double br_krippendorff_alpha(const br_ratings *ratings)
{
    if (all_equal(ratings)) {
        return (double)NAN;
    }
    double by_chance = 0.0;
    for (uint32_t c = 0; c < ratings->n_categories; c++) {
        by_chance += ratings->n_of[c] / ratings->n * ((ratings->n_of[c] - 1.0) / (ratings->n - 1.0));
    }
    return 1.0 - (1.0 - br_ratings_observed(ratings)) / (1.0 - by_chance);
}
