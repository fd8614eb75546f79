#ifndef BR_EXPLAINER_H
#define BR_EXPLAINER_H

/// The explainer: asks the ranker's dispatcher for jobs, works them one at a time, sends results. It holds no state that is not
/// elsewhere: kill it at any moment and its jobs go to another. A job is worked on a thread of its own (work.c), so that however long it
/// takes the loop goes on saying which jobs are held.

#include "codec/work.h"
#include "pipeline/recommend.h"
#include "service/service.h"

#include <pthread.h>
#include <stdatomic.h>

enum { EXPLAINER_SNAPSHOTS = 2, EXPLAINER_POPULATIONS = 4 };

/// Population blocks it has fetched, by hash.
typedef struct held_population {
    br_hash hash;
    uint8_t *codes;
    br_population_info info;
    uint64_t used; ///< the larger, the later
} held_population;

/// The block that is being fetched, part after part: one question at a time, so that a slow link never has more than one answer to carry.
typedef struct fetched_population {
    br_population_info info; ///< n = 0: no part is there yet
    uint8_t *codes;
    size_t n_received;
    int64_t asked_ms; ///< when the next part was asked for; 0 = not yet
} fetched_population;

/// A job as it came, packed; it waits here for its population and its turn.
typedef struct held_job {
    uint8_t *bytes;
    size_t n;
    br_hash job_id;
    br_hash population;
    char version[BR_VERSION_TEXT]; ///< of the snapshot
} held_job;

/// The job under work. Until it has ended, what goes in is not touched and what comes out is the thread's.
typedef struct job_work {
    br_service *service;
    const char *models;
    const held_job *held; ///< NULL: none is under work
    const held_population *population;
    const br_served *served; ///< NULL: the thread has to load it
    int64_t until_ms;        ///< it is cancelled then
    br_served *loaded;       ///< out: what it loaded, or NULL
    br_buf result;           ///< out: packed
    uint32_t n_explained;    ///< out: 0 = the result says why not
    double seconds;          ///< out
    br_status status;        ///< out: other than BR_OK: this process failed
    char reason[512];        ///< out: why
    br_arena *arena;         ///< message, population view, result
    pthread_t thread;
    atomic_bool cancelled;
    atomic_bool ended;
} job_work;

typedef struct explainer {
    br_service *service;
    br_socket *work;
    br_curve curve;
    char models[BR_PATH_BYTES];
    br_served *served[EXPLAINER_SNAPSHOTS]; ///< newest first
    held_population populations[EXPLAINER_POPULATIONS];
    fetched_population fetched;
    uint64_t uses;
    held_job jobs[BR_MAX_HELD_JOBS]; ///< the one under work, then in order of arrival
    uint32_t n_jobs;
    job_work current;
    br_arena *arena; ///< a message that came in
    br_buf buffer;
    int64_t heard_ms;     ///< when the dispatcher was last heard
    int64_t beat_ms;      ///< when the jobs held were last named
    int64_t connected_ms; ///< when it last connected anew
    int64_t ready_ms;     ///< when it last introduced itself
    br_metric *done, *failed, *explained, *seconds;
} explainer;

/// The snapshot by version, or NULL.
const br_served *explainer_find_snapshot(const explainer *self, const char *version);
/// Keep a snapshot in place of the oldest; takes ownership and sets *served to NULL.
void explainer_keep_snapshot(explainer *self, br_served **served);
/// The population block by hash, or NULL.
const held_population *explainer_find_population(explainer *self, const br_hash *hash);
/// Is it one of the EXPLAINER_POPULATIONS that the oldest jobs need? Only those are asked for, and they are never given up for another.
bool explainer_wants(const explainer *self, const br_hash *population);
/// Which block to fetch: the one begun if it is still wanted, else the first that a job lacks, begun anew. NULL: none.
fetched_population *explainer_fetch(explainer *self);
/// Take the next part of it; another one is dropped. With the last the block is checked against its hash and kept in place of the one used
/// longest ago among those that are not wanted. Errors: BR_ERR_CORRUPT (it will be fetched anew), BR_ERR_NO_MEMORY.
br_status explainer_take_part(explainer *self, const br_population_part *part, const uint8_t *bytes,
                              size_t n) BR_MUST_CHECK;
void explainer_forget_all(explainer *self);

/// Begin with jobs[0], whose population is held. The service is woken when it has ended.
br_status explainer_begin_work(explainer *self, const held_population *population) BR_MUST_CHECK;
/// Join the thread of a job that has ended (BR_ERR_AGAIN: none has). Errors: those of the work.
br_status explainer_end_work(explainer *self) BR_MUST_CHECK;
/// Cancel and join; accepts that none is under work.
void explainer_stop_work(explainer *self);

#endif
