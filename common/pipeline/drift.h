#ifndef BR_PIPELINE_DRIFT_H
#define BR_PIPELINE_DRIFT_H

/// Do the newest bonds and their investors still look like those that the snapshot was trained on?

#include "codec/stored.h"
#include "pipeline/population.h"

#define BR_DRIFT_BONDS 200 ///< at most so many on either side
#define BR_DRIFT_DAYS                                                                                                  \
    50 ///< and the investors of at most so many of them, evenly spread: they change slowly, and a day of them takes some 10 ms
#define BR_DRIFT_BINS 10 ///< of the scores: deciles of the training range

/// false cancels (BR_ERR_CANCELLED).
typedef bool (*br_drift_watcher)(void *context, uint64_t done, uint64_t total);

/// The PSI of every field and of the logits: bonds spread over the training range, each as of its issue day, against the newest bonds that were issued, or are
/// announced and not yet issued, after it, as of their issue day or, if that is still to come, of the day behind the business day. A bond's fields count
/// once for each bond, an investor's and the logits for each bond that he is eligible for.
///
/// by_chance counts as independent the bonds, or the investors: the same investors come again with every bond.
///
/// out->fields [n_fields] is owned by the caller (br_drift_deinit()), its names and version belong to `served`. Moves `population`.
/// Memory: 4 KiB a field, and 4 bytes a pair. Errors: BR_ERR_NOT_FOUND (no bond after the training range), BR_ERR_INVALID (none in
/// it), BR_ERR_CANCELLED, BR_ERR_NO_MEMORY.
br_status br_drift_measure(br_drift *out, br_market *market, const br_served *served, br_day_population *population,
                           br_drift_watcher watcher, void *context) BR_MUST_CHECK;
void br_drift_deinit(br_drift *drift);

/// The largest PSI of a field, and how many are above BR_PSI_DRIFTED. 0 without fields.
double br_drift_worst(const br_drift *drift, uint32_t *n_drifted_out);

#endif
