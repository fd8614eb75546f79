#include "base/hash.h"
#include "store/environment.h"
#include "store/handle.h"

#include <stdio.h>
#include <string.h>

enum { MAX_NUMBER_NAME = 32 };

static void seal(uint8_t out[BR_CHECKSUM_BYTES], uint32_t table, br_bytes key, br_bytes value)
{
    // The table and the key's length go in too, so that no entry can pass for another one.
    const uint8_t head[4] = {(uint8_t)table, (uint8_t)(key.n >> 8), (uint8_t)key.n, 0};
    br_hasher hasher;
    br_hasher_init(&hasher);
    br_hasher_update(&hasher, head, sizeof head);
    br_hasher_update(&hasher, key.data, key.n);
    br_hasher_update(&hasher, value.data, value.n);
    br_hash hash = br_hasher_final(&hasher);
    memcpy(out, hash.bytes, BR_CHECKSUM_BYTES);
}

static br_status broken(const br_env *env, uint32_t table, br_bytes key, const char *cause)
{
    char text[2 * 40 + 1] = "";
    for (size_t i = 0; i < key.n && i < 40; i++) {
        snprintf(text + 2 * i, 3, "%02x", key.data[i]);
    }
    return br_fail(BR_ERR_CORRUPT, "%s: table %s, key %s: %s", env->directory, env->shared->kind->tables[table], text,
                   cause);
}

// The bytes behind the checksum, once it was found right.
static br_status unseal(const br_env *env, uint32_t table, br_bytes key, const MDB_val *stored, br_bytes *value_out)
{
    if (stored->mv_size < BR_CHECKSUM_BYTES) {
        return broken(env, table, key, "shorter than its checksum");
    }
    const uint8_t *bytes = stored->mv_data;
    br_bytes value = br_bytes_of(bytes + BR_CHECKSUM_BYTES, stored->mv_size - BR_CHECKSUM_BYTES);
    uint8_t expected[BR_CHECKSUM_BYTES];
    seal(expected, table, key, value);
    if (memcmp(expected, bytes, sizeof expected) != 0) {
        return broken(env, table, key, "its checksum does not match");
    }
    *value_out = value;
    return BR_OK;
}

// LMDB's values are not const, though it only reads keys.
static MDB_val val_of(br_bytes bytes)
{
    br_assert(bytes.n > 0 && bytes.n <= BR_ENV_MAX_KEY);
    union {
        const uint8_t *in;
        void *out;
    } pointer = {.in = bytes.data};
    return (MDB_val){.mv_size = bytes.n, .mv_data = pointer.out};
}

// --- writing ---

br_status br_env_begin(br_env *env)
{
    br_assert(env->lock_fd >= 0 && env->batch == NULL);
    return br_env_transaction(env, 0, &env->batch);
}

br_status br_env_commit(br_env *env)
{
    br_assert(env->batch != NULL);
    int code = mdb_txn_commit(env->batch); // the transaction is gone, whatever comes back
    env->batch = NULL;
    br_env_transaction_over(env);
    return code == 0 ? BR_OK : br_store_fail(env->directory, "commit", code);
}

void br_env_abort(br_env *env)
{
    if (env->batch != NULL) {
        mdb_txn_abort(env->batch);
        env->batch = NULL;
        br_env_transaction_over(env);
    }
}

bool br_env_in_batch(const br_env *env)
{
    return env->batch != NULL;
}

br_status br_env_settle(br_env *env, br_status status)
{
    if (status != BR_OK) {
        br_env_abort(env);
    }
    return status;
}

br_status br_env_put(br_env *env, uint32_t table, br_bytes key, br_bytes value, br_put_mode mode)
{
    br_assert(env->batch != NULL && table < env->shared->kind->n_tables);
    unsigned flags = MDB_RESERVE;
    if (mode == BR_PUT_NEW) {
        flags |= MDB_NOOVERWRITE;
    } else if (mode == BR_PUT_APPEND) {
        flags |= MDB_APPEND;
    }
    MDB_val mdb_key = val_of(key);
    MDB_val space = {.mv_size = BR_CHECKSUM_BYTES + value.n, .mv_data = NULL};
    int code = mdb_put(env->batch, env->shared->tables[table], &mdb_key, &space, flags);
    if (code == MDB_KEYEXIST) {
        return br_env_settle(env, broken(env, table, key, "is there already, or is not the highest"));
    }
    if (code != 0) {
        return br_env_settle(env, br_store_fail(env->directory, "put", code));
    }
    uint8_t *bytes = space.mv_data;
    seal(bytes, table, key, value);
    if (value.n > 0) {
        memcpy(bytes + BR_CHECKSUM_BYTES, value.data, value.n);
    }
    return BR_OK;
}

br_status br_env_delete(br_env *env, uint32_t table, br_bytes key)
{
    br_assert(env->batch != NULL && table < env->shared->kind->n_tables);
    MDB_val mdb_key = val_of(key);
    int code = mdb_del(env->batch, env->shared->tables[table], &mdb_key, NULL);
    return code == 0 || code == MDB_NOTFOUND ? BR_OK
                                             : br_env_settle(env, br_store_fail(env->directory, "delete", code));
}

br_status br_env_put_number(br_env *env, const char *name, uint64_t number)
{
    uint8_t bytes[8];
    br_be64_put(bytes, number);
    return br_env_put(env, BR_ENV_META, br_bytes_of(name, strnlen(name, MAX_NUMBER_NAME)),
                      br_bytes_of(bytes, sizeof bytes), BR_PUT_REPLACE);
}

// --- reading ---

br_status br_view_init(br_view *view, br_env *env)
{
    if (env->batch != NULL) {
        *view = (br_view){.env = env, .txn = env->batch};
        return BR_OK;
    }
    return br_view_init_committed(view, env);
}

br_status br_view_init_committed(br_view *view, br_env *env)
{
    *view = (br_view){.env = env};
    br_status status = br_env_transaction(env, MDB_RDONLY, &view->txn);
    view->owned = status == BR_OK;
    return status;
}

void br_view_deinit(br_view *view)
{
    if (view->owned) {
        mdb_txn_abort(view->txn);
        br_env_transaction_over(view->env);
    }
    *view = (br_view){0};
}

br_status br_view_find(const br_view *view, uint32_t table, br_bytes key, br_bytes *value_out)
{
    MDB_val mdb_key = val_of(key);
    MDB_val stored;
    int code = mdb_get(view->txn, view->env->shared->tables[table], &mdb_key, &stored);
    *value_out = (br_bytes){0};
    if (code == MDB_NOTFOUND) {
        return BR_OK;
    }
    return code == 0 ? unseal(view->env, table, key, &stored, value_out)
                     : br_store_fail(view->env->directory, "get", code);
}

br_status br_view_number(const br_view *view, const char *name, uint64_t *number_out)
{
    br_bytes key = br_bytes_of(name, strnlen(name, MAX_NUMBER_NAME));
    br_bytes value = {0};
    br_status status = br_view_find(view, BR_ENV_META, key, &value);
    if (status != BR_OK) {
        return status;
    }
    if (value.data != NULL && value.n != 8) {
        return broken(view->env, BR_ENV_META, key, "not a number");
    }
    *number_out = value.data == NULL ? 0 : br_be64_get(value.data);
    return BR_OK;
}

br_status br_view_count(const br_view *view, uint32_t table, uint64_t *count_out)
{
    MDB_stat facts;
    int code = mdb_stat(view->txn, view->env->shared->tables[table], &facts);
    if (code != 0) {
        return br_store_fail(view->env->directory, "count", code);
    }
    *count_out = facts.ms_entries;
    return BR_OK;
}

// --- cursors ---

br_status br_cursor_init(br_cursor *cursor, const br_view *view, uint32_t table)
{
    *cursor = (br_cursor){.view = view, .table = table};
    int code = mdb_cursor_open(view->txn, view->env->shared->tables[table], &cursor->cursor);
    return code == 0 ? BR_OK : br_store_fail(view->env->directory, "open cursor", code);
}

void br_cursor_deinit(br_cursor *cursor)
{
    if (cursor->cursor != NULL) {
        mdb_cursor_close(cursor->cursor);
    }
    *cursor = (br_cursor){0};
}

static br_status arrived(br_cursor *cursor, int code, const MDB_val *key, const MDB_val *stored)
{
    cursor->key = (br_bytes){0};
    cursor->value = (br_bytes){0};
    if (code != 0) {
        return code == MDB_NOTFOUND ? BR_OK : br_store_fail(cursor->view->env->directory, "walk", code);
    }
    br_bytes found = br_bytes_of(key->mv_data, key->mv_size);
    br_status status = unseal(cursor->view->env, cursor->table, found, stored, &cursor->value);
    if (status == BR_OK) {
        cursor->key = found;
    }
    return status;
}

br_status br_cursor_seek(br_cursor *cursor, br_bytes key)
{
    MDB_val mdb_key = val_of(key);
    MDB_val stored;
    int code = mdb_cursor_get(cursor->cursor, &mdb_key, &stored, MDB_SET_RANGE);
    return arrived(cursor, code, &mdb_key, &stored);
}

br_status br_cursor_before(br_cursor *cursor, br_bytes key)
{
    MDB_val mdb_key = val_of(key);
    MDB_val stored;
    int code = mdb_cursor_get(cursor->cursor, &mdb_key, &stored, MDB_SET_RANGE);
    if (code == 0 || code == MDB_NOTFOUND) {
        code = mdb_cursor_get(cursor->cursor, &mdb_key, &stored, code == 0 ? MDB_PREV : MDB_LAST);
    }
    return arrived(cursor, code, &mdb_key, &stored);
}

br_status br_cursor_last(br_cursor *cursor)
{
    MDB_val key;
    MDB_val stored;
    int code = mdb_cursor_get(cursor->cursor, &key, &stored, MDB_LAST);
    return arrived(cursor, code, &key, &stored);
}

br_status br_cursor_next(br_cursor *cursor)
{
    MDB_val key;
    MDB_val stored;
    int code = mdb_cursor_get(cursor->cursor, &key, &stored, MDB_NEXT);
    return arrived(cursor, code, &key, &stored);
}
