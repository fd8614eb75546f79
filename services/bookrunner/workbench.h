#ifndef BOOKRUNNER_WORKBENCH_H
#define BOOKRUNNER_WORKBENCH_H

/// A snapshot and the market of the ledger, in this process: for commands that look closer than the services do, and change nothing.

#include "pipeline/follow.h"
#include "pipeline/served.h"
#include "service/config.h"
#include "stores.h"

typedef struct workbench {
    stores stores;
    br_config config;
    br_follower *follower;
    br_market *market; ///< the follower's, all that the ledger has
    br_served *served; ///< args->version, else the served one
} workbench;

/// `wanted`: stores beside ledger and snapshots. Errors: BR_ERR_NOT_FOUND (nothing is served yet, no market), those of the stores; BR_ERR_INVALID when
/// snapshot and market do not fit.
br_status workbench_open(workbench *out, const arguments *args, unsigned wanted) BR_MUST_CHECK;
void workbench_deinit(workbench *w);

#endif
