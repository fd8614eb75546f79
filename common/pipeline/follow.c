#include "pipeline/follow.h"

#include "base/alloc.h"
#include "input/schema_yaml.h"

#include <stdio.h>

struct br_follower {
    br_schema *schema;
    br_market *market;
    uint64_t head;
    uint64_t market_head;
    uint64_t schema_record; // the market is built under the schema of this record
    br_row_kind last_kind;
    uint32_t last_bond;
    br_day limit;
    br_note_visitor visitor; // NULL: nobody wants notes
    void *visitor_context;
    uint32_t stop_kinds;
    uint64_t stop_after; // records up to this one were applied before: a later schema applies them anew without a stop
    bool stopped;        // at a record of those kinds
};

br_status br_follower_new(br_follower **out)
{
    br_follower *follower = br_calloc(1, sizeof *follower);
    if (follower == NULL) {
        return br_no_memory("follower", 1);
    }
    follower->last_kind = BR_ROW_KIND_END;
    follower->limit = BR_DAY_NONE;
    *out = follower;
    return BR_OK;
}

static void forget_market(br_follower *follower)
{
    br_market_free(&follower->market);
    br_schema_free(&follower->schema);
    follower->head = 0;
    follower->market_head = 0;
}

void br_follower_free(br_follower **follower)
{
    if (follower == NULL || *follower == NULL) {
        return;
    }
    forget_market(*follower);
    br_free(*follower);
    *follower = NULL;
}

static br_status take_schema(br_follower *follower, uint64_t record, const br_row *row)
{
    br_status status = br_schema_read(&follower->schema, "the ledger's schema", row->yaml, row->yaml_bytes);
    if (status != BR_OK) {
        return status;
    }
    follower->schema_record = record;
    return br_market_new(&follower->market, follower->schema);
}

void br_follower_limit(br_follower *follower, br_day day)
{
    follower->limit = day;
}

void br_follower_notes(br_follower *follower, br_note_visitor visitor, void *context)
{
    follower->visitor = visitor;
    follower->visitor_context = context;
}

static bool beyond_limit(const br_follower *follower, const br_row *row)
{
    br_day known = row->known_from == BR_DAY_NONE ? row->day + 1 : row->known_from;
    return row->kind == BR_ROW_BID && follower->limit != BR_DAY_NONE && known > follower->limit;
}

// A later schema can give old rows another meaning, so that it ends the walk with BR_ERR_AGAIN and the market is built anew
// under it.
br_status br_follower_take(br_follower *follower, uint64_t record, const br_row *row)
{
    br_status status = BR_OK;
    if (row->kind == BR_ROW_NOTE) {
        status = follower->visitor == NULL ? BR_OK : follower->visitor(follower->visitor_context, record, row);
    } else if (row->kind == BR_ROW_SCHEMA && record > follower->schema_record) {
        if (follower->market != NULL) {
            forget_market(follower);
            status = take_schema(follower, record, row);
            return status == BR_OK ? BR_ERR_AGAIN : status;
        }
        status = take_schema(follower, record, row);
    } else if (row->kind != BR_ROW_SCHEMA) {
        if (follower->market == NULL) {
            return br_fail(BR_ERR_CORRUPT, "ledger record %llu comes before any schema", (unsigned long long)record);
        }
        status = beyond_limit(follower, row) ? BR_OK : br_market_apply(follower->market, row);
    }
    if (status == BR_OK) {
        follower->head = record;
        follower->market_head = row->kind == BR_ROW_NOTE ? follower->market_head : record;
        follower->last_kind = row->kind;
        follower->last_bond =
            row->kind == BR_ROW_BOND ? br_market_find_bond(follower->market, row->bond_id) : BR_INDEX_NONE;
    }
    return status;
}

static br_status visit(void *context, uint64_t record, const br_row *row)
{
    br_follower *follower = context;
    br_status status = br_follower_take(follower, record, row);
    bool wanted = (follower->stop_kinds & BR_KIND_BIT(row->kind)) != 0;
    if (status == BR_OK && wanted && record > follower->stop_after) {
        follower->stopped = true;
        return BR_ERR_AGAIN;
    }
    return status;
}

br_status br_follower_catch_up(br_follower *follower, br_ledger *ledger, uint64_t until, uint32_t stop_kinds)
{
    uint64_t head = 0;
    br_status status = br_ledger_head(ledger, &head);
    if (status != BR_OK) {
        return status;
    }
    if (until == 0 || until > head) {
        until = head;
    }
    follower->stop_kinds = stop_kinds;
    follower->stop_after = follower->head;
    follower->stopped = false;
    do {
        status = follower->head < until ? br_ledger_visit(ledger, follower->head, until, visit, follower) : BR_OK;
    } while (status == BR_ERR_AGAIN && !follower->stopped);
    return follower->stopped ? BR_OK : status;
}

br_market *br_follower_market(br_follower *follower)
{
    return follower->market;
}

uint64_t br_follower_head(const br_follower *follower)
{
    return follower->head;
}

uint64_t br_follower_market_head(const br_follower *follower)
{
    return follower->market_head;
}

br_row_kind br_follower_last_kind(const br_follower *follower)
{
    return follower->last_kind;
}

uint32_t br_follower_last_bond(const br_follower *follower)
{
    return follower->last_bond;
}

// --- a schema on trial ---

typedef struct trial {
    br_market *market;
    uint64_t record; // applied last
} trial;

static br_status apply_to(void *context, uint64_t record, const br_row *row)
{
    trial *on = context;
    br_status status = row->kind == BR_ROW_SCHEMA ? BR_OK : br_market_apply(on->market, row);
    on->record = status == BR_OK ? record : on->record;
    return status;
}

br_status br_schema_try(br_market **market_out, const br_schema *schema, br_ledger *ledger, br_row_problem *problem)
{
    BR_AUTO(br_market) *market = NULL;
    *problem = (br_row_problem){{0}, {0}};
    br_status status = br_market_new(&market, schema);
    trial on = {market, 0};
    if (status == BR_OK) {
        status = br_ledger_visit(ledger, 0, UINT64_MAX, apply_to, &on);
    }
    if (status == BR_ERR_INVALID) {
        snprintf(problem->column, sizeof problem->column, "schema");
        snprintf(problem->reason, sizeof problem->reason, "ledger record %llu does not fit it: %.180s",
                 (unsigned long long)on.record + 1, br_why(status));
        br_market_free(&market);
        status = BR_OK;
    }
    if (status == BR_OK) {
        *market_out = market;
        market = NULL;
    }
    return status;
}
