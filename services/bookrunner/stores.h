#ifndef BOOKRUNNER_STORES_H
#define BOOKRUNNER_STORES_H

/// The stores of a data directory, opened for reading. Commands look into them directly: what is asked of a service is only what it must do.

#include "cli.h"
#include "store/ledger.h"
#include "store/quality.h"
#include "store/recommendations.h"
#include "store/snapshots.h"

typedef struct stores {
    char directory[BR_PATH_BYTES];
    char models[BR_PATH_BYTES];
    br_ledger *ledger;
    br_recommendations *recommendations;
    br_quality *quality;
    br_snapshots *snapshots;
} stores;

typedef enum store_choice {
    STORE_LEDGER = 1,
    STORE_RECOMMENDATIONS = 2,
    STORE_QUALITY = 4,
    STORE_SNAPSHOTS = 8
} store_choice;

/// Open those in `wanted` (bits of store_choice). Errors: BR_ERR_NOT_FOUND when one is not there yet, and those of the stores.
br_status stores_open(stores *out, const arguments *args, unsigned wanted) BR_MUST_CHECK;
/// The same, but a store that is not there yet stays NULL.
br_status stores_open_existing(stores *out, const arguments *args) BR_MUST_CHECK;
void stores_deinit(stores *s);

#endif
