#ifndef BR_STORE_ENVIRONMENT_H
#define BR_STORE_ENVIRONMENT_H

/// Private to store/: the one wrapper around LMDB environments that are written while others read (ledger, recommendations,
/// quality, registry). Immutable snapshot files are opened by snapshots.c itself.
///
///     br_env_open_writer(&env, &kind, directory);
///     br_env_begin(env); br_env_put(env, TABLE, key, value, BR_PUT_REPLACE); br_env_commit(env);
///     BR_AUTO_DEINIT(br_view) view = {0};
///     br_view_init(&view, env); br_view_find(&view, TABLE, key, &value);
///
/// Always: sync mode (a commit that returned is on the disk), no WRITEMAP (a full disk would be SIGBUS), NOTLS, no DUPSORT. Every value
/// carries a 16-byte checksum over its table, key and bytes, verified on each read: LMDB has none of its own. A bit flip
/// inside LMDB's page structure may end the process, but never gives other data than was stored.
///
/// A writer's handle is used by one thread at a time. A reader's holds nothing that a read changes: several threads may share it, each
/// read being a transaction of its own that belongs to no thread (NOTLS). LMDB forbids to open an environment twice in one process, so handles to the same directory share
/// it; after fork() a child opens its own and leaves inherited handles alone.

#include "codec/codec.h"
#include "store/ledger.h"

#include <lmdb.h>

#define BR_ENV_MAX_TABLES  10
#define BR_ENV_MAX_KEY     511 ///< LMDB's bound, bytes
#define BR_ENV_MAX_READERS 512
#define BR_ENV_META        0 ///< table 0 of every kind: "meta", holds the format number and counters

/// What is in an environment. Numbers and order of the tables are part of the format; tables may be added at the end of the same format: the first
/// writer that knows them makes them, and until then readers that do find nothing (BR_ERR_NOT_FOUND).
typedef struct br_env_kind {
    const char *name; ///< for reasons: "ledger"
    uint32_t format;  ///< raised when old files cannot be read any more
    size_t map_bytes; ///< first map size: 16 times what is expected, sparse; it doubles when half is used
    uint32_t n_tables;
    const char *tables[BR_ENV_MAX_TABLES]; ///< tables[0] = "meta"
} br_env_kind;

typedef struct br_env br_env;

/// Open for writing; the directory and the first file are made when missing, complete and synced before they have their name.
/// Errors: BR_ERR_EXISTS when another process (or this one) writes it, or when this process has it open for reading only;
/// BR_ERR_INVALID on a network file system; BR_ERR_VERSION; BR_ERR_CORRUPT; BR_ERR_FULL without room for a batch (BR_STORE_ROOM); BR_ERR_IO.
br_status br_env_open_writer(br_env **out, const br_env_kind *kind, const char *directory) BR_MUST_CHECK;
/// Errors: BR_ERR_NOT_FOUND when there is none yet; else as above.
br_status br_env_open_reader(br_env **out, const br_env_kind *kind, const char *directory) BR_MUST_CHECK;
/// Rolls an open batch back.
void br_env_free(br_env **env);
const char *br_env_directory(const br_env *env);

/// One write transaction. A failing br_env_put(), br_env_delete() or br_env_commit() has rolled the batch back; br_env_abort() then
/// does nothing.
br_status br_env_begin(br_env *env) BR_MUST_CHECK;
br_status br_env_commit(br_env *env) BR_MUST_CHECK;
void br_env_abort(br_env *env);
bool br_env_in_batch(const br_env *env);
/// For functions made of several steps: roll back if `status` is not BR_OK, and return it.
br_status br_env_settle(br_env *env, br_status status);

typedef enum br_put_mode {
    BR_PUT_REPLACE, ///< insert or replace
    BR_PUT_NEW,     ///< the key must not be there (asserted)
    BR_PUT_APPEND   ///< as BR_PUT_NEW, and the key is the highest of its table: fills pages whole
} br_put_mode;
br_status br_env_put(br_env *env, uint32_t table, br_bytes key, br_bytes value, br_put_mode mode) BR_MUST_CHECK;
/// Nothing happens if the key is not there.
br_status br_env_delete(br_env *env, uint32_t table, br_bytes key) BR_MUST_CHECK;
/// A counter in "meta".
br_status br_env_put_number(br_env *env, const char *name, uint64_t number) BR_MUST_CHECK;

/// What reads see: the handle's open batch, else the last commit at the time of br_view_init(). Values are borrowed: valid until the
/// view ends or the batch writes again. Keep it short: pages that it sees are not reused meanwhile.
typedef struct br_view {
    br_env *env;
    MDB_txn *txn;
    bool owned;
} br_view;
br_status br_view_init(br_view *view, br_env *env) BR_MUST_CHECK;
/// The last commit, also while the handle has an open batch.
br_status br_view_init_committed(br_view *view, br_env *env) BR_MUST_CHECK;
void br_view_deinit(br_view *view);
/// value_out->data = NULL when the key is not there. Errors: BR_ERR_CORRUPT.
br_status br_view_find(const br_view *view, uint32_t table, br_bytes key, br_bytes *value_out) BR_MUST_CHECK;
/// 0 when the counter was never written.
br_status br_view_number(const br_view *view, const char *name, uint64_t *number_out) BR_MUST_CHECK;
br_status br_view_count(const br_view *view, uint32_t table, uint64_t *count_out) BR_MUST_CHECK;

/// A place in a table; key.data = NULL past either end. Ends before its view.
typedef struct br_cursor {
    const br_view *view;
    MDB_cursor *cursor;
    uint32_t table;
    br_bytes key;
    br_bytes value;
} br_cursor;
br_status br_cursor_init(br_cursor *cursor, const br_view *view, uint32_t table) BR_MUST_CHECK;
void br_cursor_deinit(br_cursor *cursor);
/// The first entry with a key at or after `key`.
br_status br_cursor_seek(br_cursor *cursor, br_bytes key) BR_MUST_CHECK;
/// The last entry with a key before `key`.
br_status br_cursor_before(br_cursor *cursor, br_bytes key) BR_MUST_CHECK;
br_status br_cursor_last(br_cursor *cursor) BR_MUST_CHECK;
br_status br_cursor_next(br_cursor *cursor) BR_MUST_CHECK;

/// Facts for telemetry; also frees the places of readers that died, so that their pages can be reused: call it each second.
br_status br_env_facts(br_env *env, br_store_facts *out) BR_MUST_CHECK;

static inline br_bytes br_bytes_of(const void *data, size_t n)
{
    return (br_bytes){.data = (const uint8_t *)data, .n = n};
}

/// Empty a buffer that is used again and again, also after it ran out of memory.
static inline void br_scratch_clear(br_buf *buf)
{
    if (buf->failed) {
        br_buf_deinit(buf);
    }
    br_buf_clear(buf);
}

/// Big-endian numbers: their bytes sort as they do.
static inline void br_be64_put(uint8_t out[8], uint64_t number)
{
    for (unsigned i = 0; i < 8; i++) {
        out[i] = (uint8_t)(number >> (56 - 8 * i));
    }
}

static inline uint64_t br_be64_get(const uint8_t in[8])
{
    uint64_t number = 0;
    for (unsigned i = 0; i < 8; i++) {
        number = number << 8 | in[i];
    }
    return number;
}

static inline void br_be32_put(uint8_t out[4], uint32_t number)
{
    for (unsigned i = 0; i < 4; i++) {
        out[i] = (uint8_t)(number >> (24 - 8 * i));
    }
}

static inline uint32_t br_be32_get(const uint8_t in[4])
{
    return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

/// A day as a number that sorts as days do.
static inline uint32_t br_day_order(br_day day)
{
    return (uint32_t)day ^ 0x80000000u;
}

#endif
