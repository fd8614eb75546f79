#include "workbench.h"

#include "linalg/gemm.h"

static br_status load_snapshot(workbench *w, const char *wanted)
{
    char version[BR_VERSION_TEXT];
    if (wanted != NULL) {
        return br_served_load(&w->served, w->stores.models, wanted);
    }
    br_status status = br_snapshots_served(w->stores.snapshots, version);
    if (status == BR_OK && version[0] == '\0') {
        status = br_fail(BR_ERR_NOT_FOUND, "no snapshot is served yet; `bookrunner train` makes one");
    }
    return status == BR_OK ? br_served_load(&w->served, w->stores.models, version) : status;
}

static br_status read_market(workbench *w)
{
    br_status status = br_follower_new(&w->follower);
    if (status == BR_OK) {
        status = br_follower_catch_up(w->follower, w->stores.ledger, 0, 0);
    }
    if (status != BR_OK) {
        return status;
    }
    w->market = br_follower_market(w->follower);
    return w->market == NULL ? br_fail(BR_ERR_NOT_FOUND, "the ledger has no market yet; `bookrunner import` brings one")
                             : br_served_fits(w->served, w->market);
}

br_status workbench_open(workbench *out, const arguments *args, unsigned wanted)
{
    br_status status = br_gemm_start();
    if (status == BR_OK) {
        status = stores_open(&out->stores, args, STORE_LEDGER | STORE_SNAPSHOTS | wanted);
    }
    if (status == BR_OK) {
        status = br_config_load(&out->config, out->stores.directory);
    }
    if (status == BR_OK) {
        status = load_snapshot(out, args->version);
    }
    return status == BR_OK ? read_market(out) : status;
}

void workbench_deinit(workbench *w)
{
    br_served_free(&w->served);
    br_follower_free(&w->follower);
    stores_deinit(&w->stores);
}
