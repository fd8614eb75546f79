#ifndef BR_BASE_WORKERS_H
#define BR_BASE_WORKERS_H

/// Threads that wait for work in numbered items. Which thread takes which item is left to chance, so items must not depend on it.

#include "base/status.h"

typedef struct br_workers br_workers;
/// Do item `item`; `worker` in 0 .. n_threads - 1 says whose scratch memory to use.
typedef void (*br_work)(void *context, uint32_t worker, uint32_t item);

/// n_threads counts the caller, who works too. Errors: BR_ERR_NO_MEMORY; BR_ERR_LIMIT when a thread cannot be started.
br_status br_workers_new(br_workers **out, uint32_t n_threads) BR_MUST_CHECK;
uint32_t br_workers_n_threads(const br_workers *workers);
/// Do items 0 .. n_items - 1; returns when all are done.
void br_workers_run(br_workers *workers, br_work work, void *context, uint32_t n_items);
void br_workers_free(br_workers **workers);

#endif
