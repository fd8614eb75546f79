#ifndef BR_METRICS_PAIRED_H
#define BR_METRICS_PAIRED_H

/// Is one method ahead of another? Differences paired by bond, and their spread over seeds.
///
///     br_difference difference = br_paired(ours, theirs, n_bonds);
///     bool ahead = difference.mean > 2.0 * difference.standard_error;

#include "base/status.h"

typedef struct br_difference {
    double mean;           ///< of left - right; NAN without pairs
    double standard_error; ///< of that mean; NAN with fewer than two pairs
    uint32_t n;
    uint32_t skipped; ///< pairs with a NAN
} br_difference;

/// Mean of left[b] - right[b] over the bonds that have both: what all methods share in a bond, how hard it is, drops out.
br_difference br_paired(const double *left, const double *right, uint32_t n);

typedef struct br_spread {
    double mean; ///< NAN without values
    double sd;   ///< of the values, n - 1 in the divisor; NAN with fewer than two
    uint32_t n;
    uint32_t skipped; ///< NANs
} br_spread;

/// Mean and standard deviation, over seeds for instance.
br_spread br_spread_of(const double *values, uint32_t n);

/// out[b] = n whole - (n - 1) without[b]: values per bond of a figure that has none of its own, such as a kappa over all bonds, to
/// compare by br_paired().
///
///   whole    in   scalar  the figure over all n bonds
///   without  in   [n]     the figure without bond b; may be `out`
///
/// Source: the jackknife, Tukey 1958.
void br_pseudo_values(double *out, double whole, const double *without, uint32_t n);

#endif
