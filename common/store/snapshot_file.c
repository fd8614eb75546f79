#include "store/snapshot_file.h"

#include "codec/stored.h"
#include "store/files.h"

#include <lmdb.h>
#include <math.h>
#include <string.h>

#define MAP_BYTES ((size_t)4 << 30) // of every snapshot file, because LMDB writes it into the file

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are stored as they are in memory");

// Beside the manifest; in the order of their names, which is the order of their hashes in the manifest.
enum { CHUNK_MEAN_BOND, CHUNK_PARAMETERS, CHUNK_HELD, CHUNK_RECORD_BIDS, CHUNK_RECORD_DEV, CHUNK_SCHEMA, N_CHUNKS };

static const char *const chunk_names[N_CHUNKS] = {"mean_bond",   "parameters", "parameters.held",
                                                  "record.bids", "record.dev", "schema"};

static size_t record_cells(const br_snapshot *snapshot)
{
    return snapshot->record->offset[snapshot->record->n_investor_fields];
}

static br_bytes bytes_of(const void *data, size_t n)
{
    return (br_bytes){.data = data, .n = n};
}

static void chunks_of(const br_snapshot *snapshot, br_bytes out[N_CHUNKS])
{
    size_t cells = record_cells(snapshot);
    out[CHUNK_MEAN_BOND] = bytes_of(snapshot->mean_bond, br_mean_bond_floats(snapshot->model) * sizeof(float));
    out[CHUNK_PARAMETERS] =
        bytes_of(snapshot->model->parameters, snapshot->model->n_parameters * sizeof *snapshot->model->parameters);
    out[CHUNK_HELD] = snapshot->held == NULL ? bytes_of("", 0) : bytes_of(snapshot->held, out[CHUNK_PARAMETERS].n);
    out[CHUNK_RECORD_BIDS] = bytes_of(snapshot->record->bids, cells * sizeof *snapshot->record->bids);
    out[CHUNK_RECORD_DEV] = bytes_of(snapshot->record->dev, cells * sizeof *snapshot->record->dev);
    out[CHUNK_SCHEMA] = bytes_of(snapshot->schema_yaml, snapshot->schema_bytes);
}

// Behind the chunks in the order of names; only where there is one.
#define TABLE_NAME "table.issuers"

static br_status pack_table(const br_snapshot *snapshot, br_buf *out, br_hash *hash_out)
{
    *hash_out = (br_hash){{0}};
    if (snapshot->issuers == NULL) {
        return BR_OK;
    }
    br_status status = br_issuer_table_pack(snapshot->issuers, out);
    if (status == BR_OK) {
        *hash_out = br_hash_of(out->data, out->length);
    }
    return status;
}

// LMDB's values are not const, though it only reads them.
static MDB_val val_of(const void *data, size_t n)
{
    union {
        const void *in;
        void *out;
    } pointer = {.in = data};
    return (MDB_val){.mv_size = n, .mv_data = pointer.out};
}

static void env_close(MDB_env **env)
{
    if (*env != NULL) {
        mdb_env_close(*env);
    }
}

#define AUTO_ENV __attribute__((cleanup(env_close))) MDB_env

static int env_open(MDB_env **out, const char *path, unsigned flags)
{
    int code = mdb_env_create(out);
    if (code == 0) {
        code = mdb_env_set_mapsize(*out, MAP_BYTES);
    }
    return code == 0 ? mdb_env_open(*out, path, MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOTLS | flags, 0600) : code;
}

// --- writing ---

static int put(MDB_txn *txn, MDB_dbi table, const char *name, br_bytes bytes)
{
    MDB_val key = val_of(name, strlen(name));
    MDB_val value = val_of(bytes.data, bytes.n);
    return mdb_put(txn, table, &key, &value, MDB_APPEND);
}

static int put_all(MDB_env *env, const br_buf *manifest, const br_bytes chunks[N_CHUNKS], const br_buf *issuers)
{
    MDB_txn *txn = NULL;
    MDB_dbi table;
    int code = mdb_txn_begin(env, NULL, 0, &txn);
    if (code != 0) {
        return code;
    }
    code = mdb_dbi_open(txn, NULL, 0, &table);
    if (code == 0) {
        code = put(txn, table, "manifest", bytes_of(manifest->data, manifest->length));
    }
    for (unsigned i = 0; i < N_CHUNKS && code == 0; i++) {
        code = put(txn, table, chunk_names[i], chunks[i]);
    }
    if (code == 0 && issuers->length > 0) {
        code = put(txn, table, TABLE_NAME, bytes_of(issuers->data, issuers->length));
    }
    if (code != 0) {
        mdb_txn_abort(txn);
        return code;
    }
    return mdb_txn_commit(txn);
}

br_status br_snapshot_file_write(const char *path, const br_snapshot *snapshot)
{
    br_bytes chunks[N_CHUNKS];
    br_hash hashes[N_CHUNKS];
    chunks_of(snapshot, chunks);
    for (unsigned i = 0; i < N_CHUNKS; i++) {
        hashes[i] = br_hash_of(chunks[i].data, chunks[i].n);
    }
    BR_AUTO_DEINIT(br_buf) manifest = {0};
    BR_AUTO_DEINIT(br_buf) issuers = {0};
    br_hash issuers_hash;
    br_status status = pack_table(snapshot, &issuers, &issuers_hash);
    if (status == BR_OK) {
        status = br_manifest_pack(snapshot, hashes, N_CHUNKS, &issuers_hash, &manifest);
    }
    if (status != BR_OK) {
        return status;
    }
    AUTO_ENV *env = NULL;
    int code = env_open(&env, path, MDB_NOSYNC);
    if (code == 0) {
        code = put_all(env, &manifest, chunks, &issuers);
    }
    return code == 0 ? BR_OK : br_store_fail(path, "write snapshot", code);
}

// --- reading ---

static br_status get(const char *path, MDB_txn *txn, MDB_dbi table, const char *name, br_bytes *out)
{
    MDB_val key = val_of(name, strlen(name));
    MDB_val value;
    int code = mdb_get(txn, table, &key, &value);
    if (code != 0) {
        return br_store_fail(path, name, code);
    }
    *out = bytes_of(value.mv_data, value.mv_size);
    return BR_OK;
}

// Copied rather than used in place: the file may be replaced on disk, and vectors want their alignment.
static br_status fill(const char *path, const char *name, br_bytes from, void *to, size_t n)
{
    if (from.n != n) {
        return br_fail(BR_ERR_CORRUPT, "%s: %s has %zu bytes where the manifest's shapes need %zu", path, name, from.n,
                       n);
    }
    if (n > 0) {
        memcpy(to, from.data, n);
    }
    return BR_OK;
}

static br_status fill_all(const char *path, br_snapshot *snapshot, const br_bytes chunks[N_CHUNKS])
{
    // The one part whose size the manifest does not know.
    snapshot->schema_yaml = br_calloc(chunks[CHUNK_SCHEMA].n + 1, 1);
    if (snapshot->schema_yaml == NULL) {
        return br_no_memory("bytes of schema", chunks[CHUNK_SCHEMA].n);
    }
    snapshot->schema_bytes = chunks[CHUNK_SCHEMA].n;
    br_status status = BR_OK;
    br_record *record = snapshot->record;
    br_model *model = snapshot->model;
    void *const to[N_CHUNKS] = {
        [CHUNK_MEAN_BOND] = snapshot->mean_bond, [CHUNK_PARAMETERS] = model->parameters,
        [CHUNK_HELD] = snapshot->held,           [CHUNK_RECORD_BIDS] = record->bids,
        [CHUNK_RECORD_DEV] = record->dev,        [CHUNK_SCHEMA] = snapshot->schema_yaml,
    };
    br_bytes expected[N_CHUNKS];
    chunks_of(snapshot, expected);
    for (unsigned i = 0; i < N_CHUNKS && status == BR_OK; i++) {
        status = fill(path, chunk_names[i], chunks[i], to[i], expected[i].n);
    }
    if (status == BR_OK && br_model_check_finite(model) != BR_OK) {
        status = br_fail(BR_ERR_CORRUPT, "%s: %s", path, br_why(BR_ERR_INVALID));
    }
    for (size_t i = 0; status == BR_OK && snapshot->held != NULL && i < model->n_parameters; i++) {
        if (!isfinite(snapshot->held[i])) {
            status = br_fail(BR_ERR_CORRUPT, "%s: held parameter %zu is not finite", path, i);
        }
    }
    return status;
}

static br_status check_hash(const char *path, const char *name, br_bytes bytes, const br_hash *told)
{
    br_hash hash = br_hash_of(bytes.data, bytes.n);
    return br_hash_equal(&hash, told)
               ? BR_OK
               : br_fail(BR_ERR_CORRUPT, "%s: the hash of %s does not match the manifest", path, name);
}

static br_status corrupt_if_invalid(const char *path, br_status status)
{
    return status == BR_ERR_INVALID ? br_fail(BR_ERR_CORRUPT, "%s: %s", path, br_why(status)) : status;
}

static br_status read_issuers(br_snapshot *snapshot, const char *path, MDB_txn *txn, MDB_dbi table, const br_hash *told)
{
    static const br_hash none = {{0}};
    br_bytes bytes = {0};
    if (br_hash_equal(told, &none)) {
        return BR_OK;
    }
    br_status status = get(path, txn, table, TABLE_NAME, &bytes);
    if (status == BR_OK) {
        status = check_hash(path, TABLE_NAME, bytes, told);
    }
    if (status == BR_OK) {
        status = br_issuer_table_unpack(&snapshot->issuers, bytes.data, bytes.n);
    }
    return corrupt_if_invalid(path, status);
}

static br_status read_all(br_snapshot **out, const char *path, MDB_txn *txn)
{
    MDB_dbi table;
    int code = mdb_dbi_open(txn, NULL, 0, &table);
    if (code != 0) {
        return br_store_fail(path, "open table", code);
    }
    br_bytes manifest = {0};
    br_status status = get(path, txn, table, "manifest", &manifest);
    br_bytes chunks[N_CHUNKS] = {0};
    for (unsigned i = 0; i < N_CHUNKS && status == BR_OK; i++) {
        status = get(path, txn, table, chunk_names[i], &chunks[i]);
    }
    if (status != BR_OK) {
        return status;
    }
    BR_AUTO(br_snapshot) *snapshot = NULL;
    br_hash hashes[N_CHUNKS];
    br_hash issuers;
    status =
        corrupt_if_invalid(path, br_manifest_unpack(&snapshot, hashes, N_CHUNKS, &issuers, manifest.data, manifest.n));
    for (unsigned i = 0; i < N_CHUNKS && status == BR_OK; i++) {
        status = check_hash(path, chunk_names[i], chunks[i], &hashes[i]);
    }
    if (status == BR_OK) {
        status = fill_all(path, snapshot, chunks);
    }
    if (status == BR_OK) {
        status = read_issuers(snapshot, path, txn, table, &issuers);
    }
    if (status == BR_OK) {
        *out = snapshot;
        snapshot = NULL;
    }
    return status;
}

br_status br_snapshot_file_read(br_snapshot **out, const char *path)
{
    AUTO_ENV *env = NULL;
    int code = env_open(&env, path, MDB_RDONLY);
    MDB_txn *txn = NULL;
    if (code == 0) {
        code = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);
    }
    if (code != 0) {
        return br_store_fail(path, "open snapshot", code);
    }
    br_status status = read_all(out, path, txn);
    mdb_txn_abort(txn);
    return status;
}
