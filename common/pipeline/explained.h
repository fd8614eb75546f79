#ifndef BR_PIPELINE_EXPLAINED_H
#define BR_PIPELINE_EXPLAINED_H

/// Is the probability right that an explanation stands on, f(x_S) of the very set it selected? The selected sets of lists against the bids
/// that came. (pipeline/shown.h asks the same of random sets; a search picks sets where the estimate is high.)
///
///     br_explained_pairs pairs = {0};
///     status = br_explained_pairs_add(&pairs, &list, &outcome, &snapshot->calibration, bid);      // for each list with a closed book
///     status = br_explained_pairs_error(&pairs, &error);
///     br_explained_pairs_deinit(&pairs);
///
/// Memory: 18 bytes per explained entry of a list.

#include "pipeline/present.h"
#include "store/snapshots.h"

#define BR_MAX_EXPLAINED_PAIRS (1u << 20) ///< what comes after them is left out

typedef struct br_explained_pairs {
    double *probabilities; ///< [room]
    uint8_t *bids;         ///< [room]
    size_t n;
    size_t room;
} br_explained_pairs;

void br_explained_pairs_deinit(br_explained_pairs *pairs);
/// The entries of the list that have an explanation. Errors: BR_ERR_NO_MEMORY.
///   calibration  of the list's snapshot
///   bid          [n_entries] did the entry's investor bid?
br_status br_explained_pairs_add(br_explained_pairs *pairs, const br_list *list, const br_outcome *outcome,
                                 const br_calibration *calibration, const uint8_t *bid) BR_MUST_CHECK;
/// Expected calibration error (20 bins); NAN without pairs. Errors: BR_ERR_NO_MEMORY.
br_status br_explained_pairs_error(const br_explained_pairs *pairs, double *out) BR_MUST_CHECK;

#endif
