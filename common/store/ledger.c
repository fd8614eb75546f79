#include "store/ledger.h"

#include "store/environment.h"

#include <stdlib.h>
#include <string.h>

enum {
    TABLE_RECORDS = 1, // be64 record number -> packed row
    TABLE_KEYS,        // row's key, 0, be64 revision -> be64 record number, content
    TABLE_REJECTS,     // be64 number -> packed reject; the last BR_LEDGER_REJECTS
    CONTENT_BYTES = BR_CHECKSUM_BYTES,
    REVISION_BYTES = 8,
    KNOWN_BYTES = 8 + CONTENT_BYTES,
    RECORDS_PER_VIEW = 10000, // a visitor's read transaction ends after so many: pages it sees are not reused
};

static const br_env_kind kind = {
    .name = "ledger",
    .format = 1,
    .map_bytes = (size_t)64 << 30, // 10 million rows of some 400 bytes, 16 times
    .n_tables = 4,
    .tables = {"meta", "records", "keys", "rejects"},
};

struct br_ledger {
    br_env *env;
    uint64_t head; // of the open batch: its last record
    br_buf packed;
    br_buf key;
    br_named_value *features; // scratch: a row's features in order of name
    uint32_t features_capacity;
};

// What the ledger needs to know of a row before it can look it up. The key is kept as it is, not as a hash: ids that arrive in
// order then stand side by side, and a batch changes few pages.
typedef struct row_name {
    br_bytes key; // of TABLE_KEYS; in the ledger's scratch
    uint8_t content[CONTENT_BYTES];
} row_name;

// --- opening ---

static br_status open_ledger(br_ledger **out, const char *directory, bool writer)
{
    BR_AUTO(br_ledger) *ledger = br_calloc(1, sizeof *ledger);
    if (ledger == NULL) {
        return br_no_memory("ledger", 1);
    }
    br_status status = writer ? br_env_open_writer(&ledger->env, &kind, directory)
                              : br_env_open_reader(&ledger->env, &kind, directory);
    if (status != BR_OK) {
        return status;
    }
    *out = ledger;
    ledger = NULL;
    return BR_OK;
}

br_status br_ledger_open_writer(br_ledger **out, const char *directory)
{
    return open_ledger(out, directory, true);
}

br_status br_ledger_open_reader(br_ledger **out, const char *directory)
{
    return open_ledger(out, directory, false);
}

void br_ledger_free(br_ledger **ledger)
{
    if (ledger == NULL || *ledger == NULL) {
        return;
    }
    br_env_free(&(*ledger)->env);
    br_buf_deinit(&(*ledger)->packed);
    br_buf_deinit(&(*ledger)->key);
    br_free((*ledger)->features);
    br_free(*ledger);
    *ledger = NULL;
}

// --- what a row is called, and what it says ---

static int by_name(const void *a, const void *b)
{
    const br_named_value *left = a;
    const br_named_value *right = b;
    return strcmp(left->name, right->name);
}

// The row as its content counts: features in order of name, without missing ones, no revision. So a file with its columns in
// another order says the same, and so does a note that is sent again later.
static br_status plain_row(br_ledger *ledger, const br_row *row, br_row *out, br_note *note)
{
    *out = *row;
    out->revision = 0;
    if (row->note != NULL) {
        *note = *row->note;
        note->time_ms = 0;
        note->chained = false;
        out->note = note;
    }
    if (row->n_features == 0) {
        return BR_OK;
    }
    if (row->n_features > ledger->features_capacity) {
        br_named_value *more = br_reallocarray(ledger->features, row->n_features, sizeof *more);
        if (more == NULL) {
            return br_no_memory("features", row->n_features);
        }
        ledger->features = more;
        ledger->features_capacity = row->n_features;
    }
    uint32_t n = 0;
    for (uint32_t i = 0; i < row->n_features; i++) {
        if (row->features[i].value != NULL && row->features[i].value[0] != '\0') {
            ledger->features[n++] = row->features[i];
        }
    }
    qsort(ledger->features, n, sizeof *ledger->features, by_name);
    out->features = ledger->features;
    out->n_features = n;
    return BR_OK;
}

static br_status name_row(br_ledger *ledger, const br_row *row, row_name *out)
{
    br_row plain;
    br_note note;
    br_status status = plain_row(ledger, row, &plain, &note);
    if (status != BR_OK) {
        return status;
    }
    br_scratch_clear(&ledger->packed);
    status = br_row_pack(&plain, &ledger->packed);
    if (status != BR_OK) {
        return status;
    }
    br_scratch_clear(&ledger->key);
    br_row_key(row, &ledger->key);
    uint8_t revision[1 + REVISION_BYTES] = {0}; // the zero byte: no key is the beginning of another
    br_be64_put(revision + 1, row->revision);
    br_buf_append(&ledger->key, revision, sizeof revision);
    if (ledger->key.failed) {
        return br_no_memory("row key", 1);
    }
    out->key = br_bytes_of(ledger->key.data, ledger->key.length);
    br_checksum(out->content, ledger->packed.data, ledger->packed.length);
    return BR_OK;
}

// --- looking ---

// Is the cursor on an entry of this row's key, whatever its revision?
static bool same_key(const br_cursor *cursor, const row_name *name)
{
    return cursor->key.data != NULL && cursor->key.n == name->key.n && cursor->value.n == KNOWN_BYTES &&
           memcmp(cursor->key.data, name->key.data, name->key.n - REVISION_BYTES) == 0;
}

static br_status look(br_cursor *cursor, const row_name *name, br_ledger_known *out, uint64_t *record_out)
{
    br_status status = br_cursor_seek(cursor, name->key);
    if (status != BR_OK) {
        return status;
    }
    bool same_revision = same_key(cursor, name) && memcmp(cursor->key.data, name->key.data, name->key.n) == 0;
    bool higher_known = same_key(cursor, name) && !same_revision;
    if (!same_revision) {
        // The newest revision of this key, if there is one.
        uint8_t end[BR_ENV_MAX_KEY];
        br_assert(name->key.n <= sizeof end);
        memcpy(end, name->key.data, name->key.n - REVISION_BYTES);
        memset(end + name->key.n - REVISION_BYTES, 0xff, REVISION_BYTES);
        status = br_cursor_before(cursor, br_bytes_of(end, name->key.n));
        if (status != BR_OK) {
            return status;
        }
    }
    if (!same_key(cursor, name)) {
        *out = BR_LEDGER_NEW;
        *record_out = 0;
        return BR_OK;
    }
    *record_out = br_be64_get(cursor->value.data);
    if (!same_revision && !higher_known) {
        *out = BR_LEDGER_SUPERSEDES;
    } else {
        bool equal = memcmp(cursor->value.data + 8, name->content, CONTENT_BYTES) == 0;
        *out = equal ? BR_LEDGER_DUPLICATE : BR_LEDGER_CONFLICT;
    }
    return BR_OK;
}

br_status br_ledger_look(br_ledger *ledger, const br_row *row, br_ledger_known *out, uint64_t *record_out)
{
    br_assert(ledger != NULL && row != NULL && out != NULL && record_out != NULL);
    row_name name;
    br_status status = name_row(ledger, row, &name);
    if (status != BR_OK) {
        return status;
    }
    BR_AUTO_DEINIT(br_view) view = {0};
    status = br_view_init(&view, ledger->env);
    if (status != BR_OK) {
        return status;
    }
    BR_AUTO_DEINIT(br_cursor) cursor = {0};
    status = br_cursor_init(&cursor, &view, TABLE_KEYS);
    return status == BR_OK ? look(&cursor, &name, out, record_out) : status;
}

// --- appending ---

// The head as the counter has it; the last record must be it, or records were lost.
static br_status read_head(const br_view *view, uint64_t *head_out)
{
    uint64_t head = 0;
    br_status status = br_view_number(view, "head", &head);
    if (status != BR_OK) {
        return status;
    }
    BR_AUTO_DEINIT(br_cursor) cursor = {0};
    status = br_cursor_init(&cursor, view, TABLE_RECORDS);
    if (status == BR_OK) {
        status = br_cursor_last(&cursor);
    }
    if (status != BR_OK) {
        return status;
    }
    uint64_t last = cursor.key.n == 8 ? br_be64_get(cursor.key.data) : 0;
    if (last != head) {
        return br_fail(BR_ERR_CORRUPT, "%s: head is %llu, but the last record is %llu", br_env_directory(view->env),
                       (unsigned long long)head, (unsigned long long)last);
    }
    *head_out = head;
    return BR_OK;
}

br_status br_ledger_begin(br_ledger *ledger)
{
    br_assert(ledger != NULL);
    br_status status = br_env_begin(ledger->env);
    if (status != BR_OK) {
        return status;
    }
    BR_AUTO_DEINIT(br_view) view = {0};
    status = br_view_init(&view, ledger->env);
    if (status == BR_OK) {
        status = read_head(&view, &ledger->head);
    }
    return br_env_settle(ledger->env, status);
}

static br_status append(br_ledger *ledger, const br_row *row)
{
    row_name name;
    br_status status = name_row(ledger, row, &name);
    if (status != BR_OK) {
        return status;
    }
    br_scratch_clear(&ledger->packed);
    status = br_row_pack(row, &ledger->packed);
    if (status != BR_OK) {
        return status;
    }
    uint8_t record[8];
    br_be64_put(record, ledger->head + 1);
    status = br_env_put(ledger->env, TABLE_RECORDS, br_bytes_of(record, sizeof record),
                        br_bytes_of(ledger->packed.data, ledger->packed.length), BR_PUT_APPEND);
    if (status != BR_OK) {
        return status;
    }
    uint8_t known[KNOWN_BYTES];
    memcpy(known, record, sizeof record);
    memcpy(known + sizeof record, name.content, CONTENT_BYTES);
    return br_env_put(ledger->env, TABLE_KEYS, name.key, br_bytes_of(known, sizeof known), BR_PUT_NEW);
}

br_status br_ledger_append(br_ledger *ledger, const br_row *row, uint64_t *record_out)
{
    br_assert(ledger != NULL && row != NULL && record_out != NULL && br_env_in_batch(ledger->env));
    br_status status = br_env_settle(ledger->env, append(ledger, row));
    if (status == BR_OK) {
        *record_out = ++ledger->head;
    }
    return status;
}

br_status br_ledger_commit(br_ledger *ledger)
{
    br_assert(ledger != NULL && br_env_in_batch(ledger->env));
    br_status status = br_env_put_number(ledger->env, "head", ledger->head);
    return status == BR_OK ? br_env_commit(ledger->env) : status;
}

void br_ledger_abort(br_ledger *ledger)
{
    br_assert(ledger != NULL);
    br_env_abort(ledger->env);
}

// --- reading ---

br_status br_ledger_head(br_ledger *ledger, uint64_t *head_out)
{
    br_assert(ledger != NULL && head_out != NULL);
    BR_AUTO_DEINIT(br_view) view = {0};
    br_status status = br_view_init_committed(&view, ledger->env);
    return status == BR_OK ? read_head(&view, head_out) : status;
}

typedef struct record_walk {
    br_ledger *ledger;
    br_arena *arena;
    br_ledger_visitor visitor;
    void *context;
    uint64_t record; // visited so far
    uint64_t until;
} record_walk;

static br_status visit_one(record_walk *walk, const br_cursor *cursor)
{
    uint64_t record = walk->record + 1;
    if (cursor->key.n != 8 || br_be64_get(cursor->key.data) != record) {
        return br_fail(BR_ERR_CORRUPT, "%s: record %llu is missing", br_env_directory(walk->ledger->env),
                       (unsigned long long)record);
    }
    br_arena_reset(walk->arena);
    br_row row;
    br_status status = br_row_unpack(&row, walk->arena, cursor->value.data, cursor->value.n);
    if (status == BR_OK) {
        walk->record = record;
        status = walk->visitor(walk->context, record, &row);
    }
    return status;
}

// Name the record that could not be read.
static br_status read_record(const record_walk *walk, br_status status)
{
    return status != BR_ERR_CORRUPT
               ? status
               : br_fail(status, "record %llu: %s", (unsigned long long)walk->record + 1, br_why(status));
}

// One read transaction's worth of records.
static br_status visit_some(record_walk *walk)
{
    BR_AUTO_DEINIT(br_view) view = {0};
    br_status status = br_view_init_committed(&view, walk->ledger->env);
    uint64_t head = 0;
    if (status == BR_OK) {
        status = br_view_number(&view, "head", &head);
    }
    if (status != BR_OK) {
        return status;
    }
    walk->until = walk->until < head ? walk->until : head;
    if (walk->record >= walk->until) {
        return BR_OK;
    }
    BR_AUTO_DEINIT(br_cursor) cursor = {0};
    status = br_cursor_init(&cursor, &view, TABLE_RECORDS);
    if (status != BR_OK) {
        return status;
    }
    uint8_t first[8];
    br_be64_put(first, walk->record + 1);
    status = read_record(walk, br_cursor_seek(&cursor, br_bytes_of(first, sizeof first)));
    for (unsigned n = 1; status == BR_OK; n++) {
        status = visit_one(walk, &cursor);
        if (status != BR_OK || n == RECORDS_PER_VIEW || walk->record == walk->until) {
            break;
        }
        status = read_record(walk, br_cursor_next(&cursor));
    }
    return status;
}

br_status br_ledger_visit(br_ledger *ledger, uint64_t after, uint64_t until, br_ledger_visitor visitor, void *context)
{
    br_assert(ledger != NULL && visitor != NULL);
    BR_AUTO(br_arena) *arena = NULL;
    br_status status = br_arena_new(&arena, BR_UNPACK_BYTES);
    record_walk walk = {
        .ledger = ledger, .arena = arena, .visitor = visitor, .context = context, .record = after, .until = until};
    while (status == BR_OK && walk.record < walk.until) {
        status = visit_some(&walk);
    }
    return status;
}

// --- rejects ---

static br_status last_reject(br_ledger *ledger, uint64_t *number_out)
{
    BR_AUTO_DEINIT(br_view) view = {0};
    br_status status = br_view_init(&view, ledger->env);
    if (status != BR_OK) {
        return status;
    }
    BR_AUTO_DEINIT(br_cursor) cursor = {0};
    status = br_cursor_init(&cursor, &view, TABLE_REJECTS);
    if (status == BR_OK) {
        status = br_cursor_last(&cursor);
    }
    *number_out = status == BR_OK && cursor.key.n == 8 ? br_be64_get(cursor.key.data) : 0;
    return status;
}

static br_status put_reject(br_ledger *ledger, const br_reject *reject)
{
    uint64_t number = 0;
    uint8_t key[8];
    br_scratch_clear(&ledger->packed);
    br_status status = br_reject_pack(reject, &ledger->packed);
    if (status == BR_OK) {
        status = last_reject(ledger, &number);
    }
    if (status == BR_OK) {
        br_be64_put(key, number + 1);
        status = br_env_put(ledger->env, TABLE_REJECTS, br_bytes_of(key, sizeof key),
                            br_bytes_of(ledger->packed.data, ledger->packed.length), BR_PUT_APPEND);
    }
    if (status == BR_OK && number >= BR_LEDGER_REJECTS) {
        br_be64_put(key, number + 1 - BR_LEDGER_REJECTS);
        status = br_env_delete(ledger->env, TABLE_REJECTS, br_bytes_of(key, sizeof key));
    }
    return status;
}

br_status br_ledger_put_reject(br_ledger *ledger, const br_reject *reject)
{
    br_assert(ledger != NULL && reject != NULL && br_env_in_batch(ledger->env));
    return br_env_settle(ledger->env, put_reject(ledger, reject));
}

static br_status visit_rejects(const br_view *view, br_arena *arena, uint32_t max, br_reject_visitor visitor,
                               void *context)
{
    BR_AUTO_DEINIT(br_cursor) cursor = {0};
    br_status status = br_cursor_init(&cursor, view, TABLE_REJECTS);
    if (status == BR_OK) {
        status = br_cursor_last(&cursor);
    }
    for (uint32_t n = 0; n < max && status == BR_OK && cursor.key.data != NULL; n++) {
        uint8_t key[8];
        br_reject reject;
        if (cursor.key.n != sizeof key) {
            return br_fail(BR_ERR_CORRUPT, "%s: a reject under a key of %zu bytes", br_env_directory(view->env),
                           cursor.key.n);
        }
        memcpy(key, cursor.key.data, sizeof key);
        br_arena_reset(arena);
        status = br_reject_unpack(&reject, arena, cursor.value.data, cursor.value.n);
        status = status == BR_OK ? visitor(context, &reject) : status;
        status = status == BR_OK ? br_cursor_before(&cursor, br_bytes_of(key, sizeof key)) : status;
    }
    return status;
}

br_status br_ledger_visit_rejects(br_ledger *ledger, uint32_t max, br_reject_visitor visitor, void *context,
                                  uint64_t *total_out)
{
    br_assert(ledger != NULL && visitor != NULL && total_out != NULL);
    BR_AUTO(br_arena) *arena = NULL;
    BR_AUTO_DEINIT(br_view) view = {0};
    br_status status = br_arena_new(&arena, BR_UNPACK_BYTES);
    if (status == BR_OK) {
        status = br_view_init_committed(&view, ledger->env);
    }
    if (status == BR_OK) {
        status = br_view_count(&view, TABLE_REJECTS, total_out);
    }
    return status == BR_OK ? visit_rejects(&view, arena, max, visitor, context) : status;
}

br_status br_ledger_facts(br_ledger *ledger, br_store_facts *out)
{
    br_assert(ledger != NULL && out != NULL);
    return br_env_facts(ledger->env, out);
}
