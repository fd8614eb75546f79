#include "store/environment.h"

#include "store/handle.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MAX_WAIT_S = 1 };

static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER; // of the list, and of the transaction counts in it
static pthread_cond_t quiet = PTHREAD_COND_INITIALIZER;   // some environment has no transaction open
static br_env_shared *open_environments;

static br_status mdb_prepare(MDB_env **out, const br_env_kind *kind, const char *path)
{
    MDB_env *mdb = NULL;
    int code = mdb_env_create(&mdb);
    if (code == 0) {
        code = mdb_env_set_maxreaders(mdb, BR_ENV_MAX_READERS);
    }
    if (code == 0) {
        code = mdb_env_set_maxdbs(mdb, BR_ENV_MAX_TABLES);
    }
    if (code == 0) {
        code = mdb_env_set_mapsize(mdb, kind->map_bytes);
    }
    if (code != 0) {
        mdb_env_close(mdb);
        return br_store_fail(path, "prepare", code);
    }
    *out = mdb;
    return BR_OK;
}

// --- first creation ---

static int put_format(MDB_txn *txn, MDB_dbi meta, uint32_t format)
{
    uint8_t bytes[4];
    br_be32_put(bytes, format);
    MDB_val key = {.mv_size = 6, .mv_data = (char[]){"format"}};
    MDB_val value = {.mv_size = sizeof bytes, .mv_data = bytes};
    return mdb_put(txn, meta, &key, &value, 0);
}

static int create_tables(MDB_env *mdb, const br_env_kind *kind)
{
    MDB_txn *txn = NULL;
    int code = mdb_txn_begin(mdb, NULL, 0, &txn);
    if (code != 0) {
        return code;
    }
    MDB_dbi tables[BR_ENV_MAX_TABLES];
    for (uint32_t i = 0; i < kind->n_tables && code == 0; i++) {
        code = mdb_dbi_open(txn, kind->tables[i], MDB_CREATE, &tables[i]);
    }
    if (code == 0) {
        code = put_format(txn, tables[BR_ENV_META], kind->format);
    }
    if (code != 0) {
        mdb_txn_abort(txn);
        return code;
    }
    return mdb_txn_commit(txn);
}

// The first file is made whole under another name, so that a crash half-way leaves no file that looks like a store.
static br_status create_file(const br_env_kind *kind, const char *directory)
{
    char path[BR_STORE_PATH];
    br_status status = br_path_join(path, directory, "data.new");
    if (status != BR_OK) {
        return status;
    }
    if (unlink(path) != 0 && errno != ENOENT) {
        return br_store_fail(path, "remove what an earlier start left", errno);
    }
    MDB_env *mdb = NULL;
    status = mdb_prepare(&mdb, kind, path);
    if (status != BR_OK) {
        return status;
    }
    int code = mdb_env_open(mdb, path, MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOTLS, 0600);
    if (code == 0) {
        code = create_tables(mdb, kind);
    }
    mdb_env_close(mdb);
    return code != 0 ? br_store_fail(path, "create", code) : br_path_publish(directory, "data.new", "data.mdb");
}

// --- opening ---

static br_status check_format(MDB_txn *txn, MDB_dbi meta, const br_env_kind *kind, const char *directory)
{
    MDB_val key = {.mv_size = 6, .mv_data = (char[]){"format"}};
    MDB_val value;
    int code = mdb_get(txn, meta, &key, &value);
    if (code != 0 || value.mv_size != 4) {
        return br_fail(BR_ERR_CORRUPT, "%s: no format number: not a %s", directory, kind->name);
    }
    uint32_t format = br_be32_get(value.mv_data);
    return format == kind->format ? BR_OK
                                  : br_fail(BR_ERR_VERSION, "%s: %s format %u; this program reads %u", directory,
                                            kind->name, format, kind->format);
}

// The format comes first: another one may have other tables. Of this one, a file that an earlier program made may lack the last tables: its
// writer adds them.
static br_status open_tables(br_env_shared *shared, const char *directory)
{
    const br_env_kind *kind = shared->kind;
    MDB_txn *txn = NULL;
    int code = mdb_txn_begin(shared->mdb, NULL, shared->writable ? 0 : MDB_RDONLY, &txn);
    if (code != 0) {
        return br_store_fail(directory, "begin", code);
    }
    br_status status = BR_OK;
    for (uint32_t i = 0; i < kind->n_tables && status == BR_OK; i++) {
        bool may_add = shared->writable && i != BR_ENV_META;
        code = mdb_dbi_open(txn, kind->tables[i], may_add ? MDB_CREATE : 0, &shared->tables[i]);
        if (code == MDB_NOTFOUND && i != BR_ENV_META) {
            status = br_fail(BR_ERR_NOT_FOUND, "%s: an earlier program made this %s: its writer has yet to add \"%s\"",
                             directory, kind->name, kind->tables[i]);
        } else if (code != 0) {
            status = br_store_fail(directory, kind->tables[i], code);
        } else if (i == BR_ENV_META) {
            status = check_format(txn, shared->tables[i], kind, directory);
        }
    }
    if (status != BR_OK) {
        mdb_txn_abort(txn);
        return status;
    }
    code = mdb_txn_commit(txn); // keeps the table handles
    return code == 0 ? BR_OK : br_store_fail(directory, "open tables", code);
}

static void shared_free(br_env_shared **shared)
{
    if (*shared != NULL) {
        if ((*shared)->mdb != NULL) {
            mdb_env_close((*shared)->mdb);
        }
        br_free(*shared);
        *shared = NULL;
    }
}

static br_status shared_new(br_env_shared **out, const br_env_kind *kind, const char *directory, bool writable)
{
    br_env_shared *shared = br_calloc(1, sizeof *shared);
    if (shared == NULL) {
        return br_no_memory("environment", 1);
    }
    shared->kind = kind;
    shared->writable = writable;
    shared->process = getpid();
    br_status status = mdb_prepare(&shared->mdb, kind, directory);
    if (status == BR_OK) {
        int code = mdb_env_open(shared->mdb, directory, MDB_NOTLS | (writable ? 0u : (unsigned)MDB_RDONLY), 0600);
        status = code == 0 ? BR_OK : br_store_fail(directory, "open", code);
    }
    if (status == BR_OK) {
        int stale = 0;
        int code = mdb_reader_check(shared->mdb, &stale);
        status = code == 0 ? open_tables(shared, directory) : br_store_fail(directory, "check readers", code);
    }
    if (status != BR_OK) {
        shared_free(&shared);
        return status;
    }
    *out = shared;
    return BR_OK;
}

static br_env_shared *shared_find(const struct stat *info)
{
    br_env_shared *shared = open_environments;
    while (shared != NULL &&
           (shared->device != info->st_dev || shared->inode != info->st_ino || shared->process != getpid())) {
        shared = shared->next;
    }
    return shared;
}

static br_status attach_locked(br_env *env, const br_env_kind *kind, bool writable)
{
    struct stat info;
    if (stat(env->directory, &info) != 0) {
        return br_store_fail(env->directory, "stat", errno);
    }
    br_env_shared *shared = shared_find(&info);
    if (shared != NULL) {
        br_assert(shared->kind == kind);
        if (writable && !shared->writable) {
            return br_fail(BR_ERR_EXISTS, "%s: this process has it open for reading only", env->directory);
        }
    } else {
        br_status status = shared_new(&shared, kind, env->directory, writable);
        if (status != BR_OK) {
            return status;
        }
        shared->device = info.st_dev;
        shared->inode = info.st_ino;
        shared->next = open_environments;
        open_environments = shared;
    }
    shared->n_handles++;
    env->shared = shared;
    return BR_OK;
}

static br_status attach(br_env *env, const br_env_kind *kind, bool writable)
{
    pthread_mutex_lock(&guard);
    br_status status = attach_locked(env, kind, writable);
    pthread_mutex_unlock(&guard);
    return status;
}

static void detach(br_env *env)
{
    pthread_mutex_lock(&guard);
    br_env_shared **link = &open_environments;
    while (*link != env->shared) {
        link = &(*link)->next;
    }
    if (--env->shared->n_handles == 0) {
        *link = env->shared->next;
        shared_free(&env->shared);
    }
    pthread_mutex_unlock(&guard);
}

static br_status env_new(br_env **out, const char *directory)
{
    br_assert(out != NULL && directory != NULL);
    if (strlen(directory) >= BR_STORE_PATH) {
        return br_fail(BR_ERR_LIMIT, "path longer than %d bytes: %.200s...", BR_STORE_PATH - 1, directory);
    }
    br_env *env = br_calloc(1, sizeof *env);
    if (env == NULL) {
        return br_no_memory("store handle", 1);
    }
    env->lock_fd = -1;
    memcpy(env->directory, directory, strlen(directory) + 1);
    *out = env;
    return BR_OK;
}

static br_status file_exists(const char *directory, bool *out)
{
    char path[BR_STORE_PATH];
    br_status status = br_path_join(path, directory, "data.mdb");
    if (status == BR_OK) {
        *out = access(path, F_OK) == 0;
        if (!*out && errno != ENOENT) {
            status = br_store_fail(path, "look", errno);
        }
    }
    return status;
}

br_status br_env_open_writer(br_env **out, const br_env_kind *kind, const char *directory)
{
    BR_AUTO(br_env) *env = NULL;
    br_status status = env_new(&env, directory);
    if (status == BR_OK) {
        status = br_directory_make(directory);
    }
    if (status == BR_OK) {
        status = br_refuse_network(directory);
    }
    if (status == BR_OK) {
        status = br_directory_room(directory);
    }
    if (status == BR_OK) {
        status = br_writer_lock(directory, &env->lock_fd);
    }
    bool exists = false;
    if (status == BR_OK) {
        status = file_exists(directory, &exists);
    }
    if (status == BR_OK && !exists) {
        status = create_file(kind, directory);
    }
    if (status == BR_OK) {
        status = attach(env, kind, true);
    }
    if (status == BR_OK) {
        *out = env;
        env = NULL;
    }
    return status;
}

br_status br_env_open_reader(br_env **out, const br_env_kind *kind, const char *directory)
{
    BR_AUTO(br_env) *env = NULL;
    br_status status = env_new(&env, directory);
    bool exists = false;
    if (status == BR_OK) {
        status = file_exists(directory, &exists);
    }
    if (status == BR_OK && !exists) {
        status = br_fail(BR_ERR_NOT_FOUND, "%s: no %s here yet", directory, kind->name);
    }
    if (status == BR_OK) {
        status = br_refuse_network(directory);
    }
    if (status == BR_OK) {
        status = attach(env, kind, false);
    }
    if (status == BR_OK) {
        *out = env;
        env = NULL;
    }
    return status;
}

void br_env_free(br_env **env)
{
    if (env == NULL || *env == NULL) {
        return;
    }
    br_env_abort(*env);
    if ((*env)->shared != NULL) {
        detach(*env);
    }
    if ((*env)->lock_fd >= 0) {
        close((*env)->lock_fd); // after the environment, so that two never write
    }
    br_free(*env);
    *env = NULL;
}

const char *br_env_directory(const br_env *env)
{
    return env->directory;
}

// --- the map, and who uses it ---

// Double the map when half of it is used. Only where no transaction of this process sees it: LMDB does not check that.
static br_status grow(br_env *env)
{
    br_env_shared *shared = env->shared;
    MDB_envinfo info;
    MDB_stat stat_now;
    int code = mdb_env_info(shared->mdb, &info);
    if (code == 0) {
        code = mdb_env_stat(shared->mdb, &stat_now);
    }
    if (code == 0 && info.me_last_pgno >= info.me_mapsize / stat_now.ms_psize / 2) {
        br_assert(shared->n_transactions == 0);
        code = mdb_env_set_mapsize(shared->mdb, 2 * info.me_mapsize);
    }
    return code == 0 ? BR_OK : br_store_fail(env->directory, "enlarge the map", code);
}

// Another process has enlarged the map: it can be followed once the other threads' reads have ended, and new ones come here, too. The time
// is for a caller that reads within a read of its own.
static void wait_until_quiet(const br_env_shared *shared)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += MAX_WAIT_S;
    int late = 0;
    while (shared->n_transactions > 0 && late == 0) {
        late = pthread_cond_timedwait(&quiet, &guard, &until);
    }
}

static br_status transaction_locked(br_env *env, unsigned flags, MDB_txn **out)
{
    br_env_shared *shared = env->shared;
    br_assert(shared->process == getpid());
    if ((flags & MDB_RDONLY) == 0 && shared->n_transactions == 0) {
        br_status status = grow(env);
        if (status != BR_OK) {
            return status;
        }
    }
    int code = mdb_txn_begin(shared->mdb, NULL, flags, out);
    if (code == MDB_MAP_RESIZED) {
        wait_until_quiet(shared);
        code = shared->n_transactions == 0 ? mdb_env_set_mapsize(shared->mdb, 0) : 0;
        code = code == 0 ? mdb_txn_begin(shared->mdb, NULL, flags, out) : code;
    }
    if (code != 0) {
        return br_store_fail(env->directory, "begin", code);
    }
    shared->n_transactions++;
    return BR_OK;
}

br_status br_env_transaction(br_env *env, unsigned flags, MDB_txn **out)
{
    pthread_mutex_lock(&guard);
    br_status status = transaction_locked(env, flags, out);
    pthread_mutex_unlock(&guard);
    return status;
}

void br_env_transaction_over(br_env *env)
{
    pthread_mutex_lock(&guard);
    br_assert(env->shared->n_transactions > 0);
    if (--env->shared->n_transactions == 0) {
        pthread_cond_broadcast(&quiet);
    }
    pthread_mutex_unlock(&guard);
}

br_status br_env_facts(br_env *env, br_store_facts *out)
{
    MDB_envinfo info;
    MDB_stat stat_now;
    int stale = 0;
    int code = mdb_reader_check(env->shared->mdb, &stale);
    if (code == 0) {
        code = mdb_env_info(env->shared->mdb, &info);
    }
    if (code == 0) {
        code = mdb_env_stat(env->shared->mdb, &stat_now);
    }
    if (code != 0) {
        return br_store_fail(env->directory, "read facts", code);
    }
    *out = (br_store_facts){.used_bytes = (uint64_t)(info.me_last_pgno + 1) * stat_now.ms_psize,
                            .map_bytes = info.me_mapsize,
                            .readers = info.me_numreaders};
    return BR_OK;
}
