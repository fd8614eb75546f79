#include "pipeline/served.h"

#include "base/alloc.h"
#include "input/schema_yaml.h"

#include <stdio.h>

br_status br_served_new(br_served **out, br_snapshot **snapshot)
{
    BR_AUTO(br_served) *served = br_calloc(1, sizeof *served);
    if (served == NULL) {
        return br_no_memory("served snapshot", 1);
    }
    served->snapshot = *snapshot;
    *snapshot = NULL;
    br_status status = br_schema_read(&served->schema, "the snapshot's schema", served->snapshot->schema_yaml,
                                      served->snapshot->schema_bytes);
    if (status == BR_OK) {
        status = br_collapsed_new(&served->collapsed, served->snapshot->model);
    }
    if (status != BR_OK) {
        return status;
    }
    *out = served;
    served = NULL;
    return BR_OK;
}

br_status br_served_load(br_served **out, const char *models_directory, const char *version)
{
    BR_AUTO(br_snapshot) *snapshot = NULL;
    br_served *served = NULL;
    br_status status = br_snapshots_load(&snapshot, models_directory, version);
    if (status == BR_OK) {
        status = br_served_new(&served, &snapshot);
    }
    if (status != BR_OK) {
        return status;
    }
    snprintf(served->version, sizeof served->version, "%s", version);
    *out = served;
    return BR_OK;
}

void br_served_free(br_served **served)
{
    if (served == NULL || *served == NULL) {
        return;
    }
    br_collapsed_free(&(*served)->collapsed);
    br_snapshot_free(&(*served)->snapshot);
    br_schema_free(&(*served)->schema);
    br_free(*served);
    *served = NULL;
}
