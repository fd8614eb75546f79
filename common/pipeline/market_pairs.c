#include "pipeline/market_pairs.h"

#include "base/alloc.h"

#include <string.h>
#include <strings.h>

#define DAY_SECONDS 86400

static bool holds(const char *name, const char *word)
{
    size_t n = strlen(word);
    for (; strlen(name) >= n; name++) {
        if (strncasecmp(name, word, n) == 0) {
            return true;
        }
    }
    return false;
}

br_status br_market_category_feature(uint32_t *feature_out, const br_schema *schema, const char *name)
{
    static const char *const words[] = {"industry", "sector", "category", "type"};
    *feature_out = BR_INDEX_NONE;
    if (name != NULL) {
        uint32_t feature = br_schema_bond_feature(schema, name);
        if (feature == UINT32_MAX) {
            return br_fail(BR_ERR_INVALID, "there is no bond feature '%.80s'", name);
        }
        *feature_out = feature;
        return schema->bond_features[feature].kind != BR_KIND_CONTINUOUS
                   ? BR_OK
                   : br_fail(BR_ERR_INVALID, "the values of the bond feature '%.80s' are numbers, not categories",
                             name);
    }
    for (size_t w = 0; w < sizeof words / sizeof *words; w++) {
        for (uint32_t f = 0; f < schema->n_bond_features; f++) {
            const br_feature *feature = &schema->bond_features[f];
            if (feature->kind == BR_KIND_CATEGORICAL && holds(feature->name, words[w])) {
                *feature_out = f;
                return BR_OK;
            }
        }
    }
    return BR_OK;
}

static br_status add_bids(br_transactions *table, br_market *market)
{
    const br_bid *bids = NULL;
    uint32_t n = 0;
    br_status status = br_market_bids(market, &bids, &n);
    for (uint32_t i = 0; i < n && status == BR_OK; i++) {
        if (br_market_bid_counts(market, &bids[i])) {
            uint32_t issuer = br_market_bond(market, bids[i].bond)->issuer;
            status = br_transactions_add(table,
                                         &(br_transaction_text){.user = br_market_investor_id(market, bids[i].investor),
                                                                .item = br_market_issuer_id(market, issuer),
                                                                .time = DAY_SECONDS * (int64_t)bids[i].day,
                                                                .weight = 1.0f});
        }
    }
    return status;
}

/// newest[n_issuers]: number of the issuer's newest bond, or BR_INDEX_NONE.
static void find_newest(uint32_t *newest, const br_market *market)
{
    for (uint32_t i = 0; i < br_market_n_issuers(market); i++) {
        newest[i] = BR_INDEX_NONE;
    }
    for (uint32_t b = 0; b < br_market_n_bonds(market); b++) {
        const br_bond *bond = br_market_bond(market, b);
        uint32_t *known = &newest[bond->issuer];
        bool newer = *known == BR_INDEX_NONE || bond->announce_day >= br_market_bond(market, *known)->announce_day;
        if (!bond->cancelled && newer) {
            *known = b;
        }
    }
}

static br_status add_categories(br_transactions *table, const br_market *market, uint32_t feature)
{
    uint32_t n = br_market_n_issuers(market);
    uint32_t *newest = br_calloc(n, sizeof *newest);
    if (newest == NULL) {
        return br_no_memory("newest bonds of issuers", n);
    }
    find_newest(newest, market);
    const br_index *strings = br_market_bond_strings(market, feature);
    br_status status = BR_OK;
    for (uint32_t i = 0; i < n && status == BR_OK; i++) {
        const char *issuer = br_market_issuer_id(market, i);
        if (newest[i] == BR_INDEX_NONE || br_transactions_find_item(table, issuer) == BR_INDEX_NONE) {
            continue;
        }
        uint32_t value = br_market_bond_value(market, newest[i], feature).value;
        if (value != BR_INDEX_NONE) {
            status = br_transactions_category(table, issuer, br_index_text(strings, value));
        }
    }
    br_free(newest);
    return status;
}

br_status br_market_transactions(br_transactions **out, br_market *market, uint32_t feature)
{
    BR_AUTO(br_transactions) *table = NULL;
    br_status status = br_transactions_new(&table);
    if (status == BR_OK) {
        status = add_bids(table, market);
    }
    if (status == BR_OK && feature != BR_INDEX_NONE) {
        status = add_categories(table, market, feature);
    }
    if (status == BR_OK) {
        *out = table;
        table = NULL;
    }
    return status;
}
