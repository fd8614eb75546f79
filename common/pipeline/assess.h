#ifndef BR_PIPELINE_ASSESS_H
#define BR_PIPELINE_ASSESS_H

/// How good a snapshot is on a range of bonds, all eligible pairs scored, each bond as of its issue day: what the gate and the evaluation of a
/// test range use.

#include "metrics/metrics.h"
#include "pipeline/population.h"
#include "pipeline/shown.h"

/// Bids of each investor dated in the 365 days before `as_of` and known then: the ranking to beat. [n_investors]
br_status br_activity_scores(br_market *market, br_day as_of, float *bids_out) BR_MUST_CHECK;

#define BR_ASSESS_BINS 20

typedef struct br_assessment {
    uint64_t n_pairs;
    uint64_t n_positive;
    uint32_t n_bonds;         ///< with eligible bidders
    uint32_t n_bonds_skipped; ///< without
    double auc;
    double log_loss;                         ///< calibrated, nats
    double calibration_error;                ///< ECE, BR_ASSESS_BINS bins
    br_reliability_bin bins[BR_ASSESS_BINS]; ///< [n_bins] what that is made of
    uint32_t n_bins;
    double shown_error[BR_MAX_SHOWN]; ///< ECE with 1, 2, ... random fields of the investor shown; NAN unless asked for
    double recall;                    ///< @ n_top, mean over bonds
    double precision;
    double recall_activity; ///< of ranking by bids in the last year
    double precision_activity;
} br_assessment;

/// Called now and then with bonds done and in all; false cancels (BR_ERR_CANCELLED).
typedef bool (*br_assess_watcher)(void *context, uint64_t done, uint64_t total);

/// Which bonds: those issued in [from, until), at most `max_bonds` of them (0 = all), evenly spread, so that a gate stays quick. With
/// `only`, of them those that are in this list of `n_only` bonds.
typedef struct br_assess_range {
    br_day from;
    br_day until;
    uint32_t n_top;
    uint32_t max_bonds;
    const uint32_t *only;
    uint32_t n_only;
    uint32_t max_shown; ///< at most so many pairs are looked at with few fields shown; 0 = none
} br_assess_range;

/// Errors: BR_ERR_INVALID when the range has no bond; BR_ERR_CANCELLED; BR_ERR_NO_MEMORY.
br_status br_assess(br_assessment *out, br_market *market, const br_served *served, const br_assess_range *range,
                    br_assess_watcher watcher, void *context) BR_MUST_CHECK;

#endif
