#include "store/quality.h"

#include "store/environment.h"

#include <string.h>

enum {
    TABLE_BONDS = 1, // be32 issue day, bond id -> figures
    TABLE_DAYS,      // bond id -> be32 issue day under which its figures stand
    TABLE_REPORTS,   // name -> report
    TABLE_BACKTESTS, // as TABLE_BONDS and TABLE_DAYS, of lists made in hindsight
    TABLE_BACKTEST_DAYS,
    TABLE_CALIBRATION, // version -> bins
    TABLE_DRIFT,       // version -> drift
    MAX_NAME_BYTES = 256,
    BONDS_PER_VIEW = 10000,
    KEY_BYTES = 4 + BR_MAX_ID_BYTES
};

static const br_env_kind kind = {
    .name = "quality store",
    .format = 2,                  // 2: figures say how long the list was
    .map_bytes = (size_t)4 << 30, // a million bonds of some 200 bytes, 16 times
    .n_tables = 8,
    .tables = {"meta", "bonds", "days", "reports", "backtests", "backtest days", "calibration", "drift"},
};

static const struct {
    uint32_t bonds, days;
} tables_of[] = {
    [BR_QUALITY_LIVE] = {TABLE_BONDS, TABLE_DAYS},
    [BR_QUALITY_BACKTESTS] = {TABLE_BACKTESTS, TABLE_BACKTEST_DAYS},
};

struct br_quality {
    br_env *env;
    br_buf packed;
};

static br_status open_quality(br_quality **out, const char *directory, bool writer)
{
    BR_AUTO(br_quality) *quality = br_calloc(1, sizeof *quality);
    if (quality == NULL) {
        return br_no_memory("quality store", 1);
    }
    br_status status = writer ? br_env_open_writer(&quality->env, &kind, directory)
                              : br_env_open_reader(&quality->env, &kind, directory);
    if (status == BR_OK) {
        *out = quality;
        quality = NULL;
    }
    return status;
}

br_status br_quality_open_writer(br_quality **out, const char *directory)
{
    return open_quality(out, directory, true);
}

br_status br_quality_open_reader(br_quality **out, const char *directory)
{
    return open_quality(out, directory, false);
}

void br_quality_free(br_quality **quality)
{
    if (quality == NULL || *quality == NULL) {
        return;
    }
    br_env_free(&(*quality)->env);
    br_buf_deinit(&(*quality)->packed);
    br_free(*quality);
    *quality = NULL;
}

br_status br_quality_begin(br_quality *quality)
{
    return br_env_begin(quality->env);
}

br_status br_quality_commit(br_quality *quality)
{
    return br_env_commit(quality->env);
}

void br_quality_abort(br_quality *quality)
{
    br_env_abort(quality->env);
}

// --- writing ---

static br_bytes bond_key(uint8_t out[KEY_BYTES], uint32_t day_order, const char *bond_id)
{
    size_t n = strlen(bond_id);
    br_assert(n > 0 && n <= BR_MAX_ID_BYTES);
    br_be32_put(out, day_order);
    memcpy(out + 4, bond_id, n);
    return br_bytes_of(out, 4 + n);
}

// A bond whose issue day moved must not stand under both days.
static br_status forget_other_day(br_quality *quality, br_quality_of of, const br_bond_quality *bond)
{
    BR_AUTO_DEINIT(br_view) view = {0};
    br_bytes known;
    br_status status = br_view_init(&view, quality->env);
    if (status == BR_OK) {
        status = br_view_find(&view, tables_of[of].days, br_bytes_of(bond->bond_id, strlen(bond->bond_id)), &known);
    }
    if (status != BR_OK || known.data == NULL || known.n != 4 ||
        br_be32_get(known.data) == br_day_order(bond->issue_day)) {
        return status;
    }
    uint8_t key[KEY_BYTES];
    return br_env_delete(quality->env, tables_of[of].bonds, bond_key(key, br_be32_get(known.data), bond->bond_id));
}

static br_status put_bond(br_quality *quality, br_quality_of of, const br_bond_quality *bond)
{
    uint8_t key[KEY_BYTES];
    br_bytes place = bond_key(key, br_day_order(bond->issue_day), bond->bond_id);
    br_scratch_clear(&quality->packed);
    br_status status = br_bond_quality_pack(bond, &quality->packed);
    if (status == BR_OK) {
        status = forget_other_day(quality, of, bond);
    }
    if (status == BR_OK) {
        status = br_env_put(quality->env, tables_of[of].bonds, place,
                            br_bytes_of(quality->packed.data, quality->packed.length), BR_PUT_REPLACE);
    }
    if (status == BR_OK) {
        status = br_env_put(quality->env, tables_of[of].days, br_bytes_of(key + 4, place.n - 4), br_bytes_of(key, 4),
                            BR_PUT_REPLACE);
    }
    return status;
}

br_status br_quality_put_bond(br_quality *quality, br_quality_of of, const br_bond_quality *bond)
{
    br_assert(quality != NULL && bond != NULL && br_env_in_batch(quality->env));
    return br_env_settle(quality->env, put_bond(quality, of, bond));
}

static br_bytes name_key(const char *name)
{
    size_t n = strlen(name);
    br_assert(n > 0 && n <= MAX_NAME_BYTES);
    return br_bytes_of(name, n);
}

// Put what was packed into the scratch with `packed` as its outcome; a failure rolls the batch back.
static br_status put_named(br_quality *quality, uint32_t table, const char *name, br_status packed)
{
    br_status status = packed;
    if (status == BR_OK) {
        status = br_env_put(quality->env, table, name_key(name),
                            br_bytes_of(quality->packed.data, quality->packed.length), BR_PUT_REPLACE);
    }
    return br_env_settle(quality->env, status);
}

br_status br_quality_put_report(br_quality *quality, const char *name, const br_report *report)
{
    br_assert(quality != NULL && name != NULL && report != NULL && br_env_in_batch(quality->env));
    br_scratch_clear(&quality->packed);
    return put_named(quality, TABLE_REPORTS, name, br_report_pack(report, &quality->packed));
}

br_status br_quality_put_calibration(br_quality *quality, const br_calibration_bins *bins)
{
    br_assert(quality != NULL && bins != NULL && br_env_in_batch(quality->env));
    br_scratch_clear(&quality->packed);
    return put_named(quality, TABLE_CALIBRATION, bins->version, br_calibration_bins_pack(bins, &quality->packed));
}

br_status br_quality_put_drift(br_quality *quality, const br_drift *drift)
{
    br_assert(quality != NULL && drift != NULL && br_env_in_batch(quality->env));
    br_scratch_clear(&quality->packed);
    return put_named(quality, TABLE_DRIFT, drift->version, br_drift_pack(drift, &quality->packed));
}

br_status br_quality_put_offset(br_quality *quality, uint64_t offset)
{
    return br_env_put_number(quality->env, "offset", offset);
}

// --- reading ---

br_status br_quality_offset(br_quality *quality, uint64_t *offset_out)
{
    BR_AUTO_DEINIT(br_view) view = {0};
    br_status status = br_view_init(&view, quality->env);
    return status == BR_OK ? br_view_number(&view, "offset", offset_out) : status;
}

// What stands under a name that people ask for, so that a wrong one is not a bug. The value lives as long as the view.
static br_status find_named(br_view *view, br_quality *quality, uint32_t table, const char *name, br_bytes *value_out)
{
    size_t n_name = strlen(name);
    if (n_name == 0 || n_name > MAX_NAME_BYTES) {
        return br_fail(BR_ERR_NOT_FOUND, "no %s has a name of %zu bytes", kind.tables[table], n_name);
    }
    br_status status = br_view_init(view, quality->env);
    if (status == BR_OK) {
        status = br_view_find(view, table, name_key(name), value_out);
    }
    return status == BR_OK && value_out->data == NULL
               ? br_fail(BR_ERR_NOT_FOUND, "%s: none of \"%s\"", kind.tables[table], name)
               : status;
}

br_status br_quality_report(br_quality *quality, br_arena *arena, const char *name, br_report *out)
{
    br_assert(quality != NULL && arena != NULL && name != NULL && out != NULL);
    BR_AUTO_DEINIT(br_view) view = {0};
    br_bytes value;
    br_status status = find_named(&view, quality, TABLE_REPORTS, name, &value);
    return status == BR_OK ? br_report_unpack(out, arena, value.data, value.n) : status;
}

br_status br_quality_calibration(br_quality *quality, br_arena *arena, const char *version, br_calibration_bins *out)
{
    br_assert(quality != NULL && arena != NULL && version != NULL && out != NULL);
    BR_AUTO_DEINIT(br_view) view = {0};
    br_bytes value;
    br_status status = find_named(&view, quality, TABLE_CALIBRATION, version, &value);
    return status == BR_OK ? br_calibration_bins_unpack(out, arena, value.data, value.n) : status;
}

br_status br_quality_drift(br_quality *quality, br_arena *arena, const char *version, br_drift *out)
{
    br_assert(quality != NULL && arena != NULL && version != NULL && out != NULL);
    BR_AUTO_DEINIT(br_view) view = {0};
    br_bytes value;
    br_status status = find_named(&view, quality, TABLE_DRIFT, version, &value);
    return status == BR_OK ? br_drift_unpack(out, arena, value.data, value.n) : status;
}

typedef struct bond_walk {
    br_quality *quality;
    uint32_t table;
    br_arena *arena;
    br_bond_quality_visitor visitor;
    void *context;
    uint8_t next[KEY_BYTES + 1]; // where the next read transaction begins
    size_t next_bytes;
    uint32_t until;
    bool over;
} bond_walk;

static br_status visit_one(bond_walk *walk, const br_cursor *cursor)
{
    walk->over = cursor->key.data == NULL || cursor->key.n > KEY_BYTES || br_be32_get(cursor->key.data) >= walk->until;
    if (walk->over) {
        return BR_OK;
    }
    // The least key after this one is this one and a zero byte.
    memcpy(walk->next, cursor->key.data, cursor->key.n);
    walk->next[cursor->key.n] = 0;
    walk->next_bytes = cursor->key.n + 1;
    br_arena_reset(walk->arena);
    br_bond_quality bond;
    br_status status = br_bond_quality_unpack(&bond, walk->arena, cursor->value.data, cursor->value.n);
    return status == BR_OK ? walk->visitor(walk->context, &bond) : status;
}

static br_status visit_some(bond_walk *walk)
{
    BR_AUTO_DEINIT(br_view) view = {0};
    br_status status = br_view_init(&view, walk->quality->env);
    if (status != BR_OK) {
        return status;
    }
    BR_AUTO_DEINIT(br_cursor) cursor = {0};
    status = br_cursor_init(&cursor, &view, walk->table);
    if (status == BR_OK) {
        status = br_cursor_seek(&cursor, br_bytes_of(walk->next, walk->next_bytes));
    }
    for (unsigned n = 1; status == BR_OK; n++) {
        status = visit_one(walk, &cursor);
        if (status != BR_OK || walk->over || n == BONDS_PER_VIEW) {
            break;
        }
        status = br_cursor_next(&cursor);
    }
    return status;
}

br_status br_quality_visit(br_quality *quality, br_quality_of of, br_day from, br_day until,
                           br_bond_quality_visitor visitor, void *context)
{
    br_assert(quality != NULL && visitor != NULL);
    BR_AUTO(br_arena) *arena = NULL;
    br_status status = br_arena_new(&arena, BR_UNPACK_BYTES);
    bond_walk walk = {.quality = quality,
                      .table = tables_of[of].bonds,
                      .arena = arena,
                      .visitor = visitor,
                      .context = context,
                      .next_bytes = 4,
                      .until = br_day_order(until)};
    br_be32_put(walk.next, br_day_order(from));
    while (status == BR_OK && !walk.over) {
        status = visit_some(&walk);
    }
    return status;
}

br_status br_quality_facts(br_quality *quality, br_store_facts *out)
{
    return br_env_facts(quality->env, out);
}
