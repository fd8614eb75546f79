#ifndef BR_EXPLAINER_H
#define BR_EXPLAINER_H

/// The explainer: asks the ranker's dispatcher for jobs, works them one at a time, sends results. It holds no state that is not
/// elsewhere: kill it at any moment and its jobs go to another.

#include "codec/work.h"
#include "pipeline/recommend.h"
#include "service/service.h"

enum { EXPLAINER_SNAPSHOTS = 2, EXPLAINER_POPULATIONS = 4 };

/// Population blocks it has fetched, by hash.
typedef struct held_population {
    br_hash hash;
    uint8_t *codes;
    br_population_info info;
    uint64_t used; ///< the larger, the later
} held_population;

/// A job as it came, packed; it waits here for its population and its turn.
typedef struct held_job {
    uint8_t *bytes;
    size_t n;
    br_hash job_id;
    br_hash population;
    int64_t asked_ms; ///< when the population was asked for; 0 = not yet
} held_job;

typedef struct explainer {
    br_service *service;
    br_socket *work;
    br_curve curve;
    char models[BR_PATH_BYTES];
    br_served *served[EXPLAINER_SNAPSHOTS]; ///< newest first
    held_population populations[EXPLAINER_POPULATIONS];
    uint64_t uses;
    held_job jobs[BR_MAX_CREDIT]; ///< in order of arrival
    uint32_t n_jobs;
    br_arena *arena; ///< the job in work: message, population view, result
    br_buf buffer;
    int64_t heard_ms;     ///< when the dispatcher was last heard
    int64_t said_ms;      ///< when it was last told anything
    int64_t connected_ms; ///< when it last connected anew
    int64_t ready_ms;     ///< when it last introduced itself
    br_metric *done, *failed, *explained, *seconds;
} explainer;

/// The snapshot by version, loaded and verified if it was not held. Errors: those of br_served_load().
br_status explainer_snapshot(explainer *self, const char *version, const br_served **out) BR_MUST_CHECK;
/// The population block by hash, or NULL.
const held_population *explainer_find_population(explainer *self, const br_hash *hash);
/// Is it one of the EXPLAINER_POPULATIONS that the oldest jobs need? Only those are asked for, and they are never given up for another.
bool explainer_wants(const explainer *self, const br_hash *population);
/// Keep a block, checked against its hash, in place of the one used longest ago among those that are not wanted.
br_status explainer_keep_population(explainer *self, const br_population_info *info, const uint8_t *codes,
                                    size_t n) BR_MUST_CHECK;
void explainer_forget_all(explainer *self);

#endif
