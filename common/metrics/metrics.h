#ifndef BR_METRICS_METRICS_H
#define BR_METRICS_METRICS_H

/// How good the probabilities and the lists are. Pure functions over arrays.

#include "base/status.h"

/// Area under the ROC curve: P(score of a positive > score of a negative) + half the ties; NAN without both classes.
/// Errors: BR_ERR_NO_MEMORY.
br_status br_auc(double *out, const float *scores, const uint8_t *labels, size_t n) BR_MUST_CHECK;
/// The same by counting all pairs, O(n^2): the twin for tests.
double br_auc_plain(const float *scores, const uint8_t *labels, size_t n);
/// Mean log loss in nats of probabilities in (0, 1). Source: Eq. (3), with its minus.
double br_log_loss(const double *probabilities, const uint8_t *labels, size_t n);
/// Expected calibration error: sum over bins of |sum of p - sum of labels| / n, in [0, 1]; NAN without samples.
/// Choice: `n_bins` bins of equal count along the sorted probabilities, because those of rare events crowd near 0, where bins of equal
/// width would put them all into one. Equal probabilities share a bin, so that the order of the input does not matter.
/// Errors: BR_ERR_NO_MEMORY.
br_status br_calibration_error(double *out, const double *probabilities, const uint8_t *labels, size_t n,
                               uint32_t n_bins) BR_MUST_CHECK;
/// The same where each probability speaks of several cases alike: shares[i] in [0, 1] of them came. Every i counts once.
br_status br_calibration_error_of_shares(double *out, const double *probabilities, const double *shares, size_t n,
                                         uint32_t n_bins) BR_MUST_CHECK;

/// A bin of a reliability diagram: what was said of its cases, and what came.
typedef struct br_reliability_bin {
    double low, high; ///< the least and the highest probability in it
    uint64_t n;       ///< cases, at least 1
    double mean_probability;
    double rate; ///< share of the cases that came
} br_reliability_bin;
/// The bins of br_calibration_error(), in rising order; it is the mean of |mean_probability - rate| over their cases. Empty ones are left out.
///
///   bins_out  out  [n_bins]  *n_out of them
///
/// Errors: BR_ERR_NO_MEMORY.
br_status br_reliability(br_reliability_bin *bins_out, uint32_t *n_out, const double *probabilities,
                         const uint8_t *labels, size_t n, uint32_t n_bins) BR_MUST_CHECK;

/// One bond's list against the bids that came: recall = hits / bidders, precision = hits / n_top (always, even if the list is shorter).
typedef struct br_list_quality {
    uint32_t hits;
    uint32_t bidders; ///< eligible bidders
    double recall;    ///< NAN without bidders
    double precision;
} br_list_quality;
br_list_quality br_list_quality_of(uint32_t hits, uint32_t bidders, uint32_t n_top);

#define BR_NAME_AT_BYTES 64
/// "recall_at_50_activity" from "recall", 50 and "_activity": the name of every figure of lists, wherever it is shown. Returns `out`.
const char *br_name_at(char out[BR_NAME_AT_BYTES], const char *figure, uint32_t n_top, const char *of);

/// Mean and bootstrap interval over bonds; values that are NAN are skipped and counted.
typedef struct br_mean_interval {
    double mean;
    double low, high; ///< percentile bootstrap, 95 %
    uint32_t n;
    uint32_t skipped;
} br_mean_interval;
br_status br_mean_bootstrap(br_mean_interval *out, const double *values, uint32_t n, uint32_t n_resamples,
                            uint64_t seed) BR_MUST_CHECK;

/// The same of several figures at once, over cases that come in groups and are alike within one (the lists of a user): a figure's mean is that over all
/// cases, sum of sums / sum of counts, and intervals resample whole groups, the same ones for every figure.
///
///   sums    [n_groups, n_figures] a figure, summed over the group's cases
///   counts  [n_groups] its cases; groups without one are skipped
///   out     [n_figures] n: all cases; skipped: groups
///
/// With one group nothing is known of others: low and high are NAN. Choice: percentiles are cut at the tails of Student's t, as br_resamples_cut().
/// Cost: n_resamples x n_groups x n_figures. Memory: 8 bytes x n_resamples x n_figures and 36 bytes a group. Errors: BR_ERR_NO_MEMORY.
/// Source: Cameron, Gelbach and Miller 2008 (the bootstrap of pairs by cluster).
br_status br_means_by_group(br_mean_interval *out, const double *sums, const uint32_t *counts, uint32_t n_groups,
                            uint32_t n_figures, uint32_t n_resamples, uint64_t seed) BR_MUST_CHECK;

/// Wilson's interval for a share k of n, 95 %.
void br_wilson(uint32_t k, uint32_t n, double *low_out, double *high_out);

#endif
