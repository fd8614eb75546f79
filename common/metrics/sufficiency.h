#ifndef BR_METRICS_SUFFICIENCY_H
#define BR_METRICS_SUFFICIENCY_H

/// Empirical sufficiency: how many of those who share an explanation's values bid on the bond.
///
///     br_sufficiency_of(one, &bond);                  // one[n_sets] of each bond
///     br_sufficiency_mean(&mean, all, n);             // AESV and what stands beside it

#include "metrics/reasons.h"

/// Of one explanation. "Match": an eligible investor with the same values in all selected fields.
typedef struct br_sufficiency {
    double esv;            ///< bids / all who match, the explained investor among them
    double esv_others;     ///< the same without him; where nobody else matches: bids / all other eligible investors
    double esv_true;       ///< mean true probability of all who match; NAN if unknown
    uint32_t n_others;     ///< others who match: the support
    uint32_t n_others_bid; ///< how many of them bid
    double low, high;      ///< Wilson's interval of n_others_bid of n_others, 95 %; [0, 1] without others
} br_sufficiency;

/// out[n_sets] for the explanations of one bond.
///
/// Source:  Eq. (8): I are the investors eligible on the bond's issue day.
/// Differs: Eq. (8) counts the investor himself, so that values nobody else has are worth his own bid, and random sets that are long
///          enough reach the precision of the list. esv_others leaves him out, from the base rate, too (NAN when he is alone on that day).
void br_sufficiency_of(br_sufficiency *out, const br_explained_bond *bond);

/// Means over explanations; NAN without any.
typedef struct br_sufficiency_means {
    uint64_t n;
    double aesv;        ///< mean esv
    double aesv_others; ///< mean esv_others
    double aesv_true;   ///< mean esv_true
    double alone;       ///< share of explanations that nobody else matches
    double others;      ///< mean n_others
    double others_bid;  ///< mean n_others_bid
} br_sufficiency_means;
void br_sufficiency_mean(br_sufficiency_means *out, const br_sufficiency *all, size_t n);

/// Calibration error of what the model says of the sets that were really selected, in [0, 1]: the sufficient value against the share of the OTHERS
/// who match that bid, over the sets that others match; NAN if there are none. The maximum of an estimate over billions of sets
/// is selected where the estimate is too high; this tells by how much.
///
///   sufficient_values  in  [n]  probability given the set, calibrated
///   all                in  [n]  of the same explanations
///   n_bins             in       bins of equal count, see br_calibration_error()
///
/// Errors: BR_ERR_NO_MEMORY.
br_status br_sufficiency_error(double *out, const double *sufficient_values, const br_sufficiency *all, size_t n,
                               uint32_t n_bins) BR_MUST_CHECK;

#endif
