#include "pipeline/served.h"

#include "base/alloc.h"
#include "input/schema_yaml.h"

#include <stdio.h>
#include <string.h>

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
    const br_issuer_table *issuers = served->snapshot->issuers;
    if (status == BR_OK && issuers != NULL) {
        status = br_ials_of(&served->ials, issuers->factors, br_index_count(issuers->ids), issuers->n_factors,
                            issuers->regularization, issuers->confidence);
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

static br_status features_fit(const br_feature *learned, uint32_t n_learned, const br_feature *now, uint32_t n_now)
{
    for (uint32_t i = 0; i < n_learned; i++) {
        if (i >= n_now || strcmp(learned[i].name, now[i].name) != 0 || learned[i].kind != now[i].kind) {
            return br_fail(BR_ERR_INVALID,
                           "the snapshot was learned under another schema, with %s feature %s as number %u",
                           br_feature_kind_name(learned[i].kind), learned[i].name, i + 1);
        }
    }
    return BR_OK;
}

br_status br_served_fits(const br_served *served, const br_market *market)
{
    const br_schema *learned = served->schema;
    const br_schema *now = br_market_schema(market);
    br_status status =
        features_fit(learned->bond_features, learned->n_bond_features, now->bond_features, now->n_bond_features);
    if (status == BR_OK) {
        status = features_fit(learned->investor_features, learned->n_investor_features, now->investor_features,
                              now->n_investor_features);
    }
    size_t window_bytes = learned->n_activity_windows * sizeof learned->activity_windows_days[0];
    bool windows_equal = learned->n_activity_windows == now->n_activity_windows &&
                         memcmp(learned->activity_windows_days, now->activity_windows_days, window_bytes) == 0;
    return status != BR_OK || windows_equal
               ? status
               : br_fail(BR_ERR_INVALID,
                         "the snapshot was learned under another schema, with other activity_windows_days");
}

void br_served_free(br_served **served)
{
    if (served == NULL || *served == NULL) {
        return;
    }
    br_collapsed_free(&(*served)->collapsed);
    br_ials_free(&(*served)->ials);
    br_snapshot_free(&(*served)->snapshot);
    br_schema_free(&(*served)->schema);
    br_free(*served);
    *served = NULL;
}
