#ifndef BR_PIPELINE_SERVED_H
#define BR_PIPELINE_SERVED_H

/// A snapshot as it is used: loaded, verified, collapsed.

#include "itembased/ials.h"
#include "model/collapse.h"
#include "store/snapshots.h"

typedef struct br_served {
    char version[BR_VERSION_TEXT];
    br_snapshot *snapshot;
    br_collapsed *collapsed;
    br_ials *ials; ///< of the snapshot's issuers; NULL without a table of them
    br_schema *schema;
} br_served;

/// Collapse a snapshot that is in memory; takes ownership of *snapshot and sets it to NULL. Its version is "" until it is written.
br_status br_served_new(br_served **out, br_snapshot **snapshot) BR_MUST_CHECK;
/// Errors: those of br_snapshots_load().
br_status br_served_load(br_served **out, const char *models_directory, const char *version) BR_MUST_CHECK;
/// Can the market's bonds and investors be put into the snapshot's codes? A later schema may add features and values; BR_ERR_INVALID names
/// what it moved, dropped or changed instead.
br_status br_served_fits(const br_served *served, const br_market *market) BR_MUST_CHECK;
void br_served_free(br_served **served);

#endif
