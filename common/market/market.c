#include "market/market.h"

#include "base/alloc.h"
#include "market/exclusions.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NONE BR_INDEX_NONE

// The strings of one set of features and the rows of their values.
typedef struct value_table {
    const br_feature *features;
    uint32_t n_features;
    br_index **strings;   // [n_features] NULL for continuous features
    br_raw_value *values; // [n_rows, n_features]
} value_table;

typedef struct investor_row {
    uint32_t investor;
    br_day day;
    uint32_t next; // row of the same investor with the next earlier day, or NONE
    bool cancelled;
    uint64_t revision;
} investor_row;

// What a bond needs beyond what others see of it.
typedef struct bond_extra {
    uint32_t first_exclusion;
    uint64_t revision;
} bond_extra;

struct br_market {
    const br_schema *schema;
    br_day business_day;

    br_index *bond_ids, *investor_ids, *issuer_ids, *bid_ids;
    br_bond *bonds; // [n bonds]
    bond_extra *bond_extras;
    uint32_t bonds_capacity;
    value_table bond_values;

    uint32_t *investor_rows_of; // [n investors] latest row of each
    br_day *investors_known;    // [n investors] first day of a row that is not cancelled
    uint32_t investors_capacity;
    investor_row *investor_rows;
    uint32_t n_investor_rows, investor_rows_capacity;
    value_table investor_values;

    br_exclusions exclusions;

    br_bid *bids; // [n bid ids] in order of arrival
    uint64_t *bid_revisions;
    uint32_t bids_capacity;
    uint32_t n_live_bids;

    // Made on demand, NULL when something was applied since.
    br_bid *ordered_bids;    // [n_live_bids]
    uint32_t *bids_of;       // [n bonds + 1] first of the bond's in bond_bids
    uint32_t *bond_bids;     // [n_live_bids] places in ordered_bids
    uint32_t *ordered_bonds; // [n_ordered_bonds]
    uint32_t n_ordered_bonds;
    uint32_t *investor_order; // [n investors]
};

// --- value tables ---

static br_status add_strings(br_index *index, const br_feature *feature)
{
    static const char *const no_yes[] = {"no", "yes"};
    uint32_t n = feature->kind == BR_KIND_FLAG ? 2 : feature->n_values;
    for (uint32_t i = 0; i < n; i++) {
        const char *text = feature->kind == BR_KIND_FLAG ? no_yes[i] : feature->values[i];
        uint32_t number;
        br_status status = br_index_add(index, text, strlen(text), &number, NULL);
        if (status != BR_OK) {
            return status;
        }
    }
    return BR_OK;
}

static br_status table_init(value_table *table, const br_feature *features, uint32_t n_features)
{
    table->features = features;
    table->n_features = n_features;
    table->strings = br_calloc(n_features, sizeof *table->strings);
    if (table->strings == NULL) {
        return br_no_memory("features", n_features);
    }
    for (uint32_t i = 0; i < n_features; i++) {
        if (features[i].kind == BR_KIND_CONTINUOUS) {
            continue;
        }
        br_status status = br_index_new(&table->strings[i]);
        if (status == BR_OK) {
            status = add_strings(table->strings[i], &features[i]);
        }
        if (status != BR_OK) {
            return status;
        }
    }
    return BR_OK;
}

static void table_deinit(value_table *table)
{
    for (uint32_t i = 0; table->strings != NULL && i < table->n_features; i++) {
        br_index_free(&table->strings[i]);
    }
    br_free(table->strings);
    br_free(table->values);
}

static br_raw_value missing_of(const br_feature *feature)
{
    return feature->kind == BR_KIND_CONTINUOUS ? (br_raw_value){.number = (double)NAN} : (br_raw_value){.value = NONE};
}

static br_status value_of(value_table *table, uint32_t feature, const char *text, br_raw_value *out)
{
    const br_feature *declared = &table->features[feature];
    br_row_problem problem;
    double number = 0;
    uint32_t value = 0;
    if (!br_value_check(declared, text, &number, &value, &problem)) {
        return br_fail(BR_ERR_INVALID, "%s: %s", problem.column, problem.reason);
    }
    if (declared->kind == BR_KIND_CONTINUOUS) {
        out->number = number;
        return BR_OK;
    }
    if (declared->kind == BR_KIND_CATEGORICAL && declared->n_values == 0) {
        br_status status = br_index_add(table->strings[feature], text, strlen(text), &value, NULL);
        if (status != BR_OK) {
            return status;
        }
    }
    out->value = value;
    return BR_OK;
}

// Values of the row into values[n_features]; features the schema does not know are left out.
static br_status table_read(value_table *table, const br_row *row, br_raw_value *values)
{
    for (uint32_t i = 0; i < table->n_features; i++) {
        values[i] = missing_of(&table->features[i]);
    }
    uint32_t guess = 0; // rows give their features in the same order, mostly
    for (uint32_t i = 0; i < row->n_features; i++) {
        const br_named_value *given = &row->features[i];
        uint32_t feature = guess;
        for (uint32_t tried = 0; tried < table->n_features; tried++) {
            if (strcmp(table->features[feature].name, given->name) == 0) {
                break;
            }
            feature = feature + 1 == table->n_features ? 0 : feature + 1;
        }
        if (table->n_features == 0 || strcmp(table->features[feature].name, given->name) != 0) {
            continue;
        }
        guess = feature + 1 == table->n_features ? 0 : feature + 1;
        if (given->value == NULL || given->value[0] == '\0') {
            continue;
        }
        br_status status = value_of(table, feature, given->value, &values[feature]);
        if (status != BR_OK) {
            return status;
        }
    }
    return BR_OK;
}

// --- life ---

br_status br_market_new(br_market **out, const br_schema *schema)
{
    BR_AUTO(br_market) *market = br_calloc(1, sizeof *market);
    if (market == NULL) {
        return br_no_memory("market", 1);
    }
    market->schema = schema;
    market->business_day = BR_DAY_NONE;
    br_index **indexes[] = {&market->bond_ids, &market->investor_ids, &market->issuer_ids, &market->bid_ids};
    for (size_t i = 0; i < sizeof indexes / sizeof indexes[0]; i++) {
        br_status status = br_index_new(indexes[i]);
        if (status != BR_OK) {
            return status;
        }
    }
    br_status status = table_init(&market->bond_values, schema->bond_features, schema->n_bond_features);
    if (status == BR_OK) {
        status = table_init(&market->investor_values, schema->investor_features, schema->n_investor_features);
    }
    if (status != BR_OK) {
        return status;
    }
    *out = market;
    market = NULL;
    return BR_OK;
}

static void forget_orders(br_market *market)
{
    br_free(market->ordered_bids);
    br_free(market->bids_of);
    br_free(market->bond_bids);
    br_free(market->ordered_bonds);
    br_free(market->investor_order);
    market->ordered_bids = NULL;
    market->bids_of = NULL;
    market->bond_bids = NULL;
    market->ordered_bonds = NULL;
    market->investor_order = NULL;
}

void br_market_free(br_market **market)
{
    if (market == NULL || *market == NULL) {
        return;
    }
    br_market *dead = *market;
    forget_orders(dead);
    br_index_free(&dead->bond_ids);
    br_index_free(&dead->investor_ids);
    br_index_free(&dead->issuer_ids);
    br_index_free(&dead->bid_ids);
    table_deinit(&dead->bond_values);
    table_deinit(&dead->investor_values);
    br_free(dead->bonds);
    br_free(dead->bond_extras);
    br_free(dead->investor_rows_of);
    br_free(dead->investors_known);
    br_free(dead->investor_rows);
    br_exclusions_deinit(&dead->exclusions);
    br_free(dead->bids);
    br_free(dead->bid_revisions);
    br_free(dead);
    *market = NULL;
}

const br_schema *br_market_schema(const br_market *market)
{
    return market->schema;
}

// --- checking ---

static bool wrong(br_row_problem *problem, const char *column, const char *format, ...) BR_PRINTF(3, 4);

static bool wrong(br_row_problem *problem, const char *column, const char *format, ...)
{
    va_list arguments;
    snprintf(problem->column, sizeof problem->column, "%s", column);
    va_start(arguments, format);
    vsnprintf(problem->reason, sizeof problem->reason, format, arguments);
    va_end(arguments);
    return false;
}

static bool supersedes(const br_row *row, uint64_t known, br_row_problem *problem)
{
    return row->revision > known ||
           wrong(problem, "revision", "this %s is known with revision %llu, only a higher one supersedes it, not %llu",
                 br_row_kind_name(row->kind), (unsigned long long)known, (unsigned long long)row->revision);
}

static uint32_t find_investor_row(const br_market *market, uint32_t investor, br_day day)
{
    uint32_t row = investor == NONE ? NONE : market->investor_rows_of[investor];
    while (row != NONE && market->investor_rows[row].day != day) {
        row = market->investor_rows[row].next;
    }
    return row;
}

// The message cuts long ids; the column says which one it is.
#define ID_SHOWN 80

static bool check_pair(const br_market *market, const br_row *row, br_row_problem *problem)
{
    uint32_t investor = br_market_find_investor(market, row->investor_id);
    if (br_market_find_bond(market, row->bond_id) == NONE) {
        return wrong(problem, "bond_id", "unknown bond %.*s", ID_SHOWN, row->bond_id);
    }
    return investor != NONE || wrong(problem, "investor_id", "unknown investor %.*s", ID_SHOWN, row->investor_id);
}

static bool check_bid(const br_market *market, const br_row *row, br_row_problem *problem)
{
    char day[BR_DAY_TEXT], announced[BR_DAY_TEXT];
    if (!check_pair(market, row, problem)) {
        return false;
    }
    uint32_t known = br_index_find(market->bid_ids, row->bid_id, strlen(row->bid_id));
    if (known != NONE && !supersedes(row, market->bid_revisions[known], problem)) {
        return false;
    }
    const br_bond *bond = &market->bonds[br_market_find_bond(market, row->bond_id)];
    return row->day >= bond->announce_day ||
           wrong(problem, "bid_date", "bid dated %s before its bond %.*s was announced (%s)",
                 br_day_text(row->day, day), ID_SHOWN, row->bond_id, br_day_text(bond->announce_day, announced));
}

static bool check_issuers(const br_market *market, const br_row *row, br_row_problem *problem)
{
    if (br_market_find_issuer(market, row->issuer_id) == NONE) {
        return wrong(problem, "issuer_id", "unknown pair: there is no issuer %.*s", ID_SHOWN, row->issuer_id);
    }
    return br_market_find_issuer(market, row->note->subject) != NONE ||
           wrong(problem, "subject", "unknown pair: there is no issuer %.*s", ID_SHOWN, row->note->subject);
}

// A note may be about nobody, but not about somebody who is not there.
static bool check_mentioned(const br_market *market, const br_row *row, br_row_problem *problem)
{
    if (row->bond_id != NULL && row->bond_id[0] != '\0' && br_market_find_bond(market, row->bond_id) == NONE) {
        return wrong(problem, "bond_id", "there is no bond %.*s", ID_SHOWN, row->bond_id);
    }
    if (row->investor_id != NULL && row->investor_id[0] != '\0' &&
        br_market_find_investor(market, row->investor_id) == NONE) {
        return wrong(problem, "investor_id", "there is no investor %.*s", ID_SHOWN, row->investor_id);
    }
    return row->note->topic != BR_TOPIC_PAIR || check_issuers(market, row, problem);
}

static bool check_known(const br_market *market, const br_row *row, br_row_problem *problem)
{
    char day[BR_DAY_TEXT], closed[BR_DAY_TEXT];
    switch (row->kind) {
    case BR_ROW_BOND: {
        uint32_t bond = br_market_find_bond(market, row->bond_id);
        return bond == NONE || supersedes(row, market->bond_extras[bond].revision, problem);
    }
    case BR_ROW_INVESTOR: {
        uint32_t known = find_investor_row(market, br_market_find_investor(market, row->investor_id), row->day);
        return known == NONE || supersedes(row, market->investor_rows[known].revision, problem);
    }
    case BR_ROW_BID:
        return check_bid(market, row, problem);
    case BR_ROW_EXCLUSION: {
        if (!check_pair(market, row, problem)) {
            return false;
        }
        uint32_t known = br_exclusions_find(&market->exclusions, br_market_find_bond(market, row->bond_id),
                                            br_market_find_investor(market, row->investor_id), row->day);
        return known == NONE || supersedes(row, market->exclusions.rows[known].revision, problem);
    }
    case BR_ROW_CLOSE_DAY:
        return market->business_day == BR_DAY_NONE || row->day > market->business_day ||
               wrong(problem, "day", "%s is not after the last closed day %s", br_day_text(row->day, day),
                     br_day_text(market->business_day, closed));
    case BR_ROW_NOTE:
        return check_mentioned(market, row, problem);
    case BR_ROW_SCHEMA:
    case BR_ROW_KIND_END:
        break;
    }
    return true;
}

bool br_market_check(const br_market *market, const br_row *row, br_row_problem *problem)
{
    return br_row_check(market->schema, row, problem) && check_known(market, row, problem);
}

// --- applying ---

// Room for one more element in *array of n.
static br_status reserve(void **array, uint32_t capacity, size_t size_bytes, const char *what)
{
    void *grown = br_reallocarray(*array, capacity, size_bytes);
    if (grown == NULL) {
        return br_no_memory(what, capacity);
    }
    *array = grown;
    return BR_OK;
}

static uint32_t next_capacity(uint32_t n)
{
    return n < 64 ? 128 : n + n / 2;
}

#define RESERVE(status, array, capacity, what)                                                                         \
    do {                                                                                                               \
        void *block_ = (array);                                                                                        \
        (status) = (status) == BR_OK ? reserve(&block_, capacity, sizeof *(array), what) : (status);                   \
        (array) = block_;                                                                                              \
    } while (0)

static br_status reserve_values(value_table *table, uint32_t n_rows)
{
    size_t row_bytes = table->n_features * sizeof *table->values;
    void *block = table->values;
    br_status status = reserve(&block, n_rows, row_bytes, "rows of values");
    table->values = block;
    return status;
}

static br_status reserve_bond(br_market *market)
{
    uint32_t n = br_index_count(market->bond_ids);
    if (n < market->bonds_capacity) {
        return BR_OK;
    }
    uint32_t capacity = next_capacity(n);
    br_status status = reserve_values(&market->bond_values, capacity);
    RESERVE(status, market->bonds, capacity, "bonds");
    RESERVE(status, market->bond_extras, capacity, "bonds");
    market->bonds_capacity = status == BR_OK ? capacity : market->bonds_capacity;
    return status;
}

static br_status apply_bond(br_market *market, const br_row *row)
{
    br_raw_value values[BR_MAX_FEATURES];
    uint32_t bond, issuer;
    bool added;
    br_status status = table_read(&market->bond_values, row, values);
    if (status == BR_OK) {
        status = reserve_bond(market);
    }
    if (status == BR_OK) {
        status = br_index_add(market->issuer_ids, row->issuer_id, strlen(row->issuer_id), &issuer, NULL);
    }
    if (status == BR_OK) {
        status = br_index_add(market->bond_ids, row->bond_id, strlen(row->bond_id), &bond, &added);
    }
    if (status != BR_OK) {
        return status;
    }
    market->bonds[bond] = (br_bond){row->announce_day, row->issue_day, issuer, row->cancelled};
    market->bond_extras[bond] = (bond_extra){
        .first_exclusion = added ? NONE : market->bond_extras[bond].first_exclusion,
        .revision = row->revision,
    };
    uint32_t n_features = market->bond_values.n_features;
    memcpy(market->bond_values.values + (size_t)bond * n_features, values, n_features * sizeof *values);
    return BR_OK;
}

static br_status reserve_investor_row(br_market *market)
{
    br_status status = BR_OK;
    uint32_t n = br_index_count(market->investor_ids);
    if (n == market->investors_capacity) {
        uint32_t capacity = next_capacity(n);
        RESERVE(status, market->investor_rows_of, capacity, "investors");
        RESERVE(status, market->investors_known, capacity, "investors");
        market->investors_capacity = status == BR_OK ? capacity : market->investors_capacity;
    }
    if (status == BR_OK && market->n_investor_rows == market->investor_rows_capacity) {
        uint32_t capacity = next_capacity(market->n_investor_rows);
        status = reserve_values(&market->investor_values, capacity);
        RESERVE(status, market->investor_rows, capacity, "investor rows");
        market->investor_rows_capacity = status == BR_OK ? capacity : market->investor_rows_capacity;
    }
    return status;
}

// The investor's list of rows stays in order of days, the latest first.
static void link_investor_row(br_market *market, uint32_t investor, uint32_t row)
{
    uint32_t *link = &market->investor_rows_of[investor];
    while (*link != NONE && market->investor_rows[*link].day > market->investor_rows[row].day) {
        link = &market->investor_rows[*link].next;
    }
    market->investor_rows[row].next = *link;
    *link = row;
}

static br_day first_known(const br_market *market, uint32_t investor)
{
    br_day known = BR_DAY_NONE;
    for (uint32_t row = market->investor_rows_of[investor]; row != NONE; row = market->investor_rows[row].next) {
        known = market->investor_rows[row].cancelled ? known : market->investor_rows[row].day;
    }
    return known;
}

static br_status apply_investor(br_market *market, const br_row *row)
{
    br_raw_value values[BR_MAX_FEATURES];
    uint32_t investor;
    bool added;
    br_status status = table_read(&market->investor_values, row, values);
    if (status == BR_OK) {
        status = reserve_investor_row(market);
    }
    if (status == BR_OK) {
        status = br_index_add(market->investor_ids, row->investor_id, strlen(row->investor_id), &investor, &added);
    }
    if (status != BR_OK) {
        return status;
    }
    if (added) {
        market->investor_rows_of[investor] = NONE;
    }
    uint32_t at = find_investor_row(market, investor, row->day);
    if (at == NONE) {
        at = market->n_investor_rows++;
        market->investor_rows[at] = (investor_row){.investor = investor, .day = row->day};
        link_investor_row(market, investor, at);
    }
    market->investor_rows[at].revision = row->revision;
    market->investor_rows[at].cancelled = row->cancelled;
    uint32_t n_features = market->investor_values.n_features;
    memcpy(market->investor_values.values + (size_t)at * n_features, values, n_features * sizeof *values);
    market->investors_known[investor] = first_known(market, investor);
    return BR_OK;
}

static br_status apply_bid(br_market *market, const br_row *row)
{
    br_status status = BR_OK;
    uint32_t n = br_index_count(market->bid_ids);
    if (n == market->bids_capacity) {
        uint32_t capacity = next_capacity(n);
        RESERVE(status, market->bids, capacity, "bids");
        RESERVE(status, market->bid_revisions, capacity, "bids");
        market->bids_capacity = status == BR_OK ? capacity : market->bids_capacity;
    }
    uint32_t bid;
    bool added;
    if (status == BR_OK) {
        status = br_index_add(market->bid_ids, row->bid_id, strlen(row->bid_id), &bid, &added);
    }
    if (status != BR_OK) {
        return status;
    }
    if (!added && !market->bids[bid].cancelled) {
        market->n_live_bids--;
    }
    market->bids[bid] = (br_bid){
        .bond = br_market_find_bond(market, row->bond_id),
        .investor = br_market_find_investor(market, row->investor_id),
        .day = row->day,
        .known_from = row->known_from == BR_DAY_NONE ? row->day + 1 : row->known_from,
        .amount = row->amount,
        .cancelled = row->cancelled,
    };
    market->bid_revisions[bid] = row->revision;
    market->n_live_bids += row->cancelled ? 0 : 1;
    return BR_OK;
}

static br_status apply_exclusion(br_market *market, const br_row *row)
{
    uint32_t bond = br_market_find_bond(market, row->bond_id);
    uint32_t investor = br_market_find_investor(market, row->investor_id);
    uint32_t at = br_exclusions_find(&market->exclusions, bond, investor, row->day);
    if (at != NONE) {
        market->exclusions.rows[at].revision = row->revision;
        market->exclusions.rows[at].cancelled = row->cancelled;
        return BR_OK;
    }
    uint32_t *first = &market->bond_extras[bond].first_exclusion;
    br_status status = br_exclusions_add(&market->exclusions, &(br_exclusion){.bond = bond,
                                                                              .investor = investor,
                                                                              .day = row->day,
                                                                              .next = *first,
                                                                              .revision = row->revision,
                                                                              .cancelled = row->cancelled});
    *first = status == BR_OK ? market->exclusions.n - 1 : *first;
    return status;
}

br_status br_market_apply(br_market *market, const br_row *row)
{
    br_row_problem problem;
    if (row->kind == BR_ROW_NOTE) {
        return BR_OK;
    }
    if (!check_known(market, row, &problem)) {
        return br_fail(BR_ERR_INVALID, "%s: %s", problem.column, problem.reason);
    }
    forget_orders(market);
    switch (row->kind) {
    case BR_ROW_BOND:
        return apply_bond(market, row);
    case BR_ROW_INVESTOR:
        return apply_investor(market, row);
    case BR_ROW_BID:
        return apply_bid(market, row);
    case BR_ROW_EXCLUSION:
        return apply_exclusion(market, row);
    case BR_ROW_CLOSE_DAY:
        market->business_day = row->day;
        return BR_OK;
    case BR_ROW_NOTE:
    case BR_ROW_SCHEMA:
    case BR_ROW_KIND_END:
        break;
    }
    return BR_OK;
}

// --- reading ---

uint32_t br_market_n_bonds(const br_market *market)
{
    return br_index_count(market->bond_ids);
}

uint32_t br_market_n_investors(const br_market *market)
{
    return br_index_count(market->investor_ids);
}

uint32_t br_market_n_bids(const br_market *market)
{
    return market->n_live_bids;
}

uint32_t br_market_n_issuers(const br_market *market)
{
    return br_index_count(market->issuer_ids);
}

br_day br_market_business_day(const br_market *market)
{
    return market->business_day;
}

const br_bond *br_market_bond(const br_market *market, uint32_t bond)
{
    br_assert(bond < br_market_n_bonds(market));
    return &market->bonds[bond];
}

const char *br_market_bond_id(const br_market *market, uint32_t bond)
{
    return br_index_text(market->bond_ids, bond);
}

const char *br_market_issuer_id(const br_market *market, uint32_t issuer)
{
    return br_index_text(market->issuer_ids, issuer);
}

const char *br_market_investor_id(const br_market *market, uint32_t investor)
{
    return br_index_text(market->investor_ids, investor);
}

uint32_t br_market_find_bond(const br_market *market, const char *id)
{
    return br_index_find(market->bond_ids, id, strlen(id));
}

uint32_t br_market_find_investor(const br_market *market, const char *id)
{
    return br_index_find(market->investor_ids, id, strlen(id));
}

uint32_t br_market_find_issuer(const br_market *market, const char *id)
{
    return br_index_find(market->issuer_ids, id, strlen(id));
}

br_raw_value br_market_bond_value(const br_market *market, uint32_t bond, uint32_t feature)
{
    br_assert(bond < br_market_n_bonds(market) && feature < market->bond_values.n_features);
    return market->bond_values.values[(size_t)bond * market->bond_values.n_features + feature];
}

uint32_t br_market_investor_row(const br_market *market, uint32_t investor, br_day day)
{
    br_assert(investor < br_market_n_investors(market));
    uint32_t row = market->investor_rows_of[investor];
    while (row != NONE && (market->investor_rows[row].cancelled || market->investor_rows[row].day > day)) {
        row = market->investor_rows[row].next;
    }
    return row;
}

uint32_t br_market_n_investor_rows(const br_market *market)
{
    return market->n_investor_rows;
}

br_raw_value br_market_row_value(const br_market *market, uint32_t row, uint32_t feature)
{
    br_assert(row < market->n_investor_rows && feature < market->investor_values.n_features);
    return market->investor_values.values[(size_t)row * market->investor_values.n_features + feature];
}

br_raw_value br_market_investor_value(const br_market *market, uint32_t investor, uint32_t feature, br_day day)
{
    br_assert(feature < market->investor_values.n_features);
    uint32_t row = br_market_investor_row(market, investor, day);
    return row == NONE ? missing_of(&market->investor_values.features[feature])
                       : br_market_row_value(market, row, feature);
}

const br_index *br_market_bond_strings(const br_market *market, uint32_t feature)
{
    br_assert(feature < market->bond_values.n_features);
    return market->bond_values.strings[feature];
}

const br_index *br_market_investor_strings(const br_market *market, uint32_t feature)
{
    br_assert(feature < market->investor_values.n_features);
    return market->investor_values.strings[feature];
}

br_day br_market_investor_known(const br_market *market, uint32_t investor)
{
    br_assert(investor < br_market_n_investors(market));
    return market->investors_known[investor];
}

// --- orders ---

typedef struct sort_entry {
    int64_t major;
    const char *text; // breaks ties when not NULL
    uint32_t number;  // breaks the rest
} sort_entry;

static int compare_entries(const void *left, const void *right)
{
    const sort_entry *a = left;
    const sort_entry *b = right;
    if (a->major != b->major) {
        return a->major < b->major ? -1 : 1;
    }
    int by_text = a->text == NULL ? 0 : strcmp(a->text, b->text);
    return by_text != 0 ? by_text : (a->number > b->number) - (a->number < b->number);
}

static br_status group_bids_by_bond(br_market *market, const br_bid *ordered)
{
    uint32_t n_bonds = br_market_n_bonds(market);
    uint32_t *start = br_calloc((size_t)n_bonds + 2, sizeof *start);
    uint32_t *places = br_calloc(market->n_live_bids, sizeof *places);
    if (start == NULL || places == NULL) {
        br_free(start);
        br_free(places);
        return br_no_memory("bids by bond", market->n_live_bids);
    }
    // start[b + 1] runs from the first to behind the last place of bond b, so that it ends as the first of b + 1.
    for (uint32_t i = 0; i < market->n_live_bids; i++) {
        start[ordered[i].bond + 2]++;
    }
    for (uint32_t bond = 0; bond < n_bonds; bond++) {
        start[bond + 2] += start[bond + 1];
    }
    for (uint32_t i = 0; i < market->n_live_bids; i++) {
        places[start[ordered[i].bond + 1]++] = i;
    }
    br_free(market->bids_of);
    br_free(market->bond_bids);
    market->bids_of = start;
    market->bond_bids = places;
    return BR_OK;
}

static br_status order_bids(br_market *market)
{
    sort_entry *entries = br_calloc(market->n_live_bids, sizeof *entries);
    br_bid *ordered = br_calloc(market->n_live_bids, sizeof *ordered);
    if (entries == NULL || ordered == NULL) {
        br_free(entries);
        br_free(ordered);
        return br_no_memory("ordered bids", market->n_live_bids);
    }
    uint32_t n = 0;
    bool in_order = true;
    for (uint32_t i = 0; i < br_index_count(market->bid_ids); i++) {
        if (!market->bids[i].cancelled) {
            entries[n] = (sort_entry){market->bids[i].known_from, NULL, i};
            in_order = in_order && (n == 0 || entries[n - 1].major <= entries[n].major);
            n++;
        }
    }
    if (!in_order) {
        qsort(entries, n, sizeof *entries, compare_entries);
    }
    for (uint32_t i = 0; i < n; i++) {
        ordered[i] = market->bids[entries[i].number];
    }
    br_free(entries);
    br_status status = group_bids_by_bond(market, ordered);
    if (status != BR_OK) {
        br_free(ordered);
        return status;
    }
    market->ordered_bids = ordered;
    return BR_OK;
}

br_status br_market_bids(br_market *market, const br_bid **bids_out, uint32_t *n_out)
{
    br_status status = market->ordered_bids == NULL ? order_bids(market) : BR_OK;
    if (status == BR_OK) {
        *bids_out = market->ordered_bids;
        *n_out = market->n_live_bids;
    }
    return status;
}

// The first place from which on bids are known on `day` or later.
static uint32_t bid_place(const br_market *market, br_day day)
{
    uint32_t low = 0, high = market->n_live_bids;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (market->ordered_bids[middle].known_from < day) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const br_bid *br_market_bids_as_they_came(const br_market *market, uint32_t *n_out)
{
    *n_out = br_index_count(market->bid_ids);
    return market->bids;
}

br_status br_market_bids_known(br_market *market, br_day from, br_day until, const br_bid **bids_out, uint32_t *n_out)
{
    br_assert(from <= until);
    const br_bid *bids;
    uint32_t n;
    br_status status = br_market_bids(market, &bids, &n);
    if (status == BR_OK) {
        uint32_t first = bid_place(market, from);
        *bids_out = bids + first;
        *n_out = bid_place(market, until) - first;
    }
    return status;
}

// The numbers of `entries`, sorted, in memory of their own.
static br_status sorted_numbers(uint32_t **out, sort_entry *entries, uint32_t n)
{
    uint32_t *numbers = br_calloc(n, sizeof *numbers);
    if (numbers == NULL) {
        return br_no_memory("numbers in order", n);
    }
    qsort(entries, n, sizeof *entries, compare_entries);
    for (uint32_t i = 0; i < n; i++) {
        numbers[i] = entries[i].number;
    }
    *out = numbers;
    return BR_OK;
}

br_status br_market_bonds_by_issue(br_market *market, const uint32_t **bonds_out, uint32_t *n_out)
{
    br_status status = BR_OK;
    if (market->ordered_bonds == NULL) {
        uint32_t n_bonds = br_market_n_bonds(market);
        sort_entry *entries = br_calloc(n_bonds, sizeof *entries);
        if (entries == NULL) {
            return br_no_memory("ordered bonds", n_bonds);
        }
        uint32_t n = 0;
        for (uint32_t bond = 0; bond < n_bonds; bond++) {
            if (!market->bonds[bond].cancelled) {
                entries[n++] = (sort_entry){market->bonds[bond].issue_day, br_market_bond_id(market, bond), bond};
            }
        }
        market->n_ordered_bonds = n;
        status = sorted_numbers(&market->ordered_bonds, entries, n);
        br_free(entries);
    }
    if (status == BR_OK) {
        *bonds_out = market->ordered_bonds;
        *n_out = market->n_ordered_bonds;
    }
    return status;
}

br_status br_market_investor_order(br_market *market, const uint32_t **order_out)
{
    if (market->investor_order == NULL) {
        uint32_t n = br_market_n_investors(market);
        uint32_t *sorted = NULL;
        sort_entry *entries = br_calloc(n, sizeof *entries);
        uint32_t *order = br_calloc(n, sizeof *order);
        if (entries == NULL || order == NULL) {
            br_free(entries);
            br_free(order);
            return br_no_memory("ordered investors", n);
        }
        for (uint32_t i = 0; i < n; i++) {
            entries[i] = (sort_entry){0, br_market_investor_id(market, i), i};
        }
        br_status status = sorted_numbers(&sorted, entries, n);
        br_free(entries);
        if (status != BR_OK) {
            br_free(order);
            return status;
        }
        for (uint32_t i = 0; i < n; i++) {
            order[sorted[i]] = i;
        }
        br_free(sorted);
        market->investor_order = order;
    }
    *order_out = market->investor_order;
    return BR_OK;
}

// --- who counts ---

uint32_t br_market_eligible(const br_market *market, uint32_t bond, br_day as_of, uint8_t *eligible)
{
    br_assert(bond < br_market_n_bonds(market));
    br_day before = as_of < market->bonds[bond].issue_day ? as_of : market->bonds[bond].issue_day;
    uint32_t n_investors = br_market_n_investors(market);
    uint32_t n = 0;
    for (uint32_t i = 0; i < n_investors; i++) {
        br_day known = market->investors_known[i];
        eligible[i] = known != BR_DAY_NONE && known < before;
        n += eligible[i];
    }
    for (uint32_t at = market->bond_extras[bond].first_exclusion; at != NONE; at = market->exclusions.rows[at].next) {
        const br_exclusion *row = &market->exclusions.rows[at];
        if (!row->cancelled && row->day < as_of && eligible[row->investor]) {
            eligible[row->investor] = 0;
            n--;
        }
    }
    return n;
}

bool br_market_bid_counts(const br_market *market, const br_bid *bid)
{
    const br_bond *bond = br_market_bond(market, bid->bond);
    return !bid->cancelled && !bond->cancelled && bid->day >= bond->announce_day &&
           bid->day <= bond->issue_day + market->schema->late_days;
}

br_day br_market_bid_past_from(const br_market *market, const br_bid *bid)
{
    if (!br_market_bid_counts(market, bid)) {
        return BR_DAY_NONE;
    }
    br_day issue_day = br_market_bond(market, bid->bond)->issue_day;
    br_day day = (bid->day > issue_day ? bid->day : issue_day) + 1;
    return day > bid->known_from ? day : bid->known_from;
}

uint32_t br_market_bidders(const br_market *market, uint32_t bond, uint8_t *label)
{
    br_assert(bond < br_market_n_bonds(market) && market->ordered_bids != NULL);
    uint32_t n = 0;
    memset(label, 0, br_market_n_investors(market));
    for (uint32_t i = market->bids_of[bond]; i < market->bids_of[bond + 1]; i++) {
        const br_bid *bid = &market->ordered_bids[market->bond_bids[i]];
        if (br_market_bid_counts(market, bid) && !label[bid->investor]) {
            label[bid->investor] = 1;
            n++;
        }
    }
    return n;
}
