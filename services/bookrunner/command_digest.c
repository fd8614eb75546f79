// What the stores hold, as hashes: two installations that were fed the same and worked the same print the same.

#include "base/alloc.h"
#include "base/hash.h"
#include "codec/rows.h"
#include "stores.h"
#include "table.h"

#include <string.h>

#define ARENA_BYTES (64u << 20)

typedef struct digest {
    stores stores;
    table t;
    br_arena *arena;
    br_buf packed;
    br_buf key;
} digest;

static br_status add(digest *d, const char *kind, const char *key, const br_buf *content)
{
    br_hash hash = br_hash_of(content->data, content->length);
    char text[BR_HASH_TEXT];
    br_hash_text(&hash, text);
    table_text(&d->t, kind);
    table_text(&d->t, key);
    table_text(&d->t, text);
    return content->failed ? br_no_memory("digest lines", table_n_rows(&d->t)) : BR_OK;
}

static br_status add_record(void *context, uint64_t record, const br_row *row)
{
    (void)record; // the order of arrival is not part of what is known
    digest *d = context;
    br_buf_clear(&d->packed);
    br_buf_clear(&d->key);
    br_row_key(row, &d->key);
    for (size_t i = 0; i < d->key.length; i++) {
        if (d->key.data[i] == '\0') {
            d->key.data[i] = ' ';
        }
    }
    if (row->revision > 0) {
        br_buf_printf(&d->key, " revision %llu", (unsigned long long)row->revision);
    }
    br_status status = br_row_pack(row, &d->packed);
    return status == BR_OK ? add(d, "row", br_buf_text(&d->key), &d->packed) : status;
}

static br_status add_result(digest *d, const char *kind, const br_list *list, const char *key)
{
    br_result result;
    br_status status = br_recommendations_result(d->stores.recommendations, d->arena, &list->job_id, &result);
    if (status == BR_ERR_NOT_FOUND) {
        return BR_OK; // still to do
    }
    br_buf_clear(&d->packed);
    if (status == BR_OK) {
        status = br_result_pack(&result, &d->packed);
    }
    return status == BR_OK ? add(d, kind, key, &d->packed) : status;
}

static br_status add_list(digest *d, const br_list *list, const char *key)
{
    br_buf_clear(&d->packed);
    br_status status = br_list_pack(list, &d->packed);
    if (status == BR_OK) {
        status = add(d, list->backtest ? "backtest" : "list", key, &d->packed);
    }
    return status == BR_OK && list->has_job
               ? add_result(d, list->backtest ? "backtest explanations" : "explanations", list, key)
               : status;
}

// The newest list, that of the same day which a backtest hides, and then the one before them.
static br_status add_lists_of(digest *d, const char *bond_id, br_day as_of)
{
    char key[BR_MAX_ID_BYTES + BR_DAY_TEXT + 2];
    char day[BR_DAY_TEXT];
    for (;;) {
        br_list list;
        br_arena_reset(d->arena);
        br_status status = br_recommendations_list(d->stores.recommendations, d->arena, bond_id, as_of, &list);
        if (status != BR_OK) {
            return status == BR_ERR_NOT_FOUND ? BR_OK : status;
        }
        snprintf(key, sizeof key, "%s %s", list.bond_id, br_day_text(list.as_of, day));
        as_of = list.as_of;
        status = add_list(d, &list, key);
        if (status == BR_OK && list.backtest) {
            status = br_recommendations_live_list(d->stores.recommendations, d->arena, bond_id, as_of, &list);
            status = status == BR_OK && list.as_of == as_of ? add_list(d, &list, key) : status;
        }
        if (status != BR_OK && status != BR_ERR_NOT_FOUND) {
            return status;
        }
        as_of--;
    }
}

static br_status add_bond(void *context, const br_list *list)
{
    return add_lists_of(context, list->bond_id, BR_DAY_MAX);
}

static br_status add_figures(digest *d, const char *what, const br_bond_quality *bond)
{
    br_buf_clear(&d->packed);
    br_status status = br_bond_quality_pack(bond, &d->packed);
    return status == BR_OK ? add(d, what, bond->bond_id, &d->packed) : status;
}

static br_status add_quality(void *context, const br_bond_quality *bond)
{
    return add_figures(context, "quality", bond);
}

static br_status add_backtest(void *context, const br_bond_quality *bond)
{
    return add_figures(context, "backtest", bond);
}

static br_status add_all(digest *d)
{
    uint64_t head = 0;
    br_status status = br_ledger_head(d->stores.ledger, &head);
    if (status == BR_OK) {
        status = br_ledger_visit(d->stores.ledger, 0, head, add_record, d);
    }
    if (status == BR_OK && d->stores.recommendations != NULL) {
        status = br_recommendations_visit(d->stores.recommendations, add_bond, d);
    }
    if (status == BR_OK && d->stores.quality != NULL) {
        status = br_quality_visit(d->stores.quality, BR_QUALITY_LIVE, -719162, BR_DAY_MAX, add_quality, d);
    }
    if (status == BR_OK && d->stores.quality != NULL) {
        status = br_quality_visit(d->stores.quality, BR_QUALITY_BACKTESTS, -719162, BR_DAY_MAX, add_backtest, d);
    }
    return status;
}

exit_code command_digest(const arguments *args)
{
    digest d = {.t = {.columns = (const char *const[]){"what", "key", "hash"}, .n_columns = 3}};
    br_status status = br_arena_new(&d.arena, ARENA_BYTES);
    if (status == BR_OK) {
        status = stores_open_existing(&d.stores, args);
    }
    if (status == BR_OK && d.stores.ledger == NULL) {
        status = br_fail(BR_ERR_NOT_FOUND, "there is no ledger yet");
    }
    if (status == BR_OK) {
        status = add_all(&d);
    }
    exit_code code = status == BR_OK ? table_print(&d.t, args->format, stdout) : cli_failed(status, "digest");
    stores_deinit(&d.stores);
    br_arena_free(&d.arena);
    br_buf_deinit(&d.packed);
    br_buf_deinit(&d.key);
    table_deinit(&d.t);
    return code;
}
