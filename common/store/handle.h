#ifndef BR_STORE_HANDLE_H
#define BR_STORE_HANDLE_H

/// What is behind the handles of environment.h; seen by environment.c (opening) and transaction.c (reading, writing) alone.

#include "store/environment.h"
#include "store/files.h"

#include <sys/types.h>

/// One open environment of this process, shared by its handles.
typedef struct br_env_shared {
    struct br_env_shared *next;
    const br_env_kind *kind;
    dev_t device; ///< with `inode`: which directory, whatever path it was opened by
    ino_t inode;
    pid_t process; ///< after fork() the child must not use it
    MDB_env *mdb;
    MDB_dbi tables[BR_ENV_MAX_TABLES];
    bool writable;
    unsigned n_handles;
    unsigned n_transactions; ///< open ones: the map may only change when there is none
} br_env_shared;

struct br_env {
    br_env_shared *shared;
    int lock_fd; ///< -1: a reader
    MDB_txn *batch;
    char directory[BR_STORE_PATH];
};

/// Begin a transaction, following a map that another process has enlarged.
br_status br_env_transaction(br_env *env, unsigned flags, MDB_txn **out) BR_MUST_CHECK;
/// The transaction has ended.
void br_env_transaction_over(br_env *env);

#endif
