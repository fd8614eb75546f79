#ifndef BR_METRICS_TRUE_SHARE_H
#define BR_METRICS_TRUE_SHARE_H

/// How many of the preferences given as reasons are real causes: known on a simulated market only.

#include "metrics/reasons.h"

/// Counts over any number of bonds; begin with zeros.
typedef struct br_true_share {
    uint64_t n_preferences; ///< reasons that are preferences
    uint64_t n_above;       ///< of them P-reasons: their level is above the average (br_mean_levels())
    uint64_t n_rational;    ///< of those: the bond has the value that they speak of
    uint64_t n_true;        ///< of those: the value counts for the investor in the generating utility
} br_true_share;

/// Add the explanations of a bond whose `causal` is known; mean_levels: br_mean_levels() of its day.
void br_true_share_add(br_true_share *counts, const br_explained_bond *bond, const double *mean_levels);
/// n_true / n_above; NAN without P-reasons.
/// Choice: over P-reasons, as rationality. Preferences that are not above the average ("prefers AAA: none") are neither true nor false; how
///         many a method gives is n_preferences - n_above.
double br_true_share_of(const br_true_share *counts);

#endif
