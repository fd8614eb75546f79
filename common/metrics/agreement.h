#ifndef BR_METRICS_AGREEMENT_H
#define BR_METRICS_AGREEMENT_H

/// How far raters agree who put units into categories, each unit rated by some of them: Fleiss' kappa and Krippendorff's alpha for nominal data.
///
///     br_ratings ratings = {.n_categories = 2};
///     br_ratings_add(&ratings, (const uint32_t[]){1, 4}, 1);     // of five raters one said no, four said yes
///     double kappa = br_fleiss_kappa(&ratings);
///
///     observed = sum_u n_u P_u / sum_u n_u,   P_u = sum_c n_uc (n_uc - 1) / (n_u (n_u - 1))
///     kappa    = (observed - sum_c p_c^2) / (1 - sum_c p_c^2),   p_c = n_c / n
///     alpha    = 1 - (1 - observed) / (1 - sum_c n_c (n_c - 1) / (n (n - 1)))
///
/// Source: Fleiss 1971, Eq. (1) to (7); Krippendorff 2004, 11.3: nominal data, any number of observers.

#include "base/status.h"

#define BR_MAX_RATING_CATEGORIES 8

/// The sums that both need. Start from {.n_categories = ...}, 2 to BR_MAX_RATING_CATEGORIES.
typedef struct br_ratings {
    uint32_t n_categories;
    double n_of[BR_MAX_RATING_CATEGORIES]; ///< ratings of each category
    double n;                              ///< ratings of all
    double agreeing;                       ///< sum_u n_u P_u
} br_ratings;

/// `times` units, each with counts[n_categories] ratings. Units of fewer than two ratings say nothing and are left out.
void br_ratings_add(br_ratings *ratings, const uint32_t *counts, uint64_t times);

/// P(a rating agrees with another one of the same unit); NAN without units.
double br_ratings_observed(const br_ratings *ratings);
/// All units must have the same number of ratings. NAN without units, or where all ratings are equal.
double br_fleiss_kappa(const br_ratings *ratings);
/// NAN likewise.
double br_krippendorff_alpha(const br_ratings *ratings);

#endif
