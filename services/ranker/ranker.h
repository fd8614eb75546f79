#ifndef BR_RANKER_H
#define BR_RANKER_H

/// The ranker: makes the lists (rank.c), owns the jobs that explain them and deals them out (dispatch.c).
///
/// A close of a day, or a bond that arrives between two closes, is an *event* in the ledger. Events are worked in ledger order, each with
/// exactly the records up to it, and the ledger offset moves with the last list of the event in one transaction: a killed ranker
/// does the event again and comes to the same lists.

#include "codec/work.h"
#include "pipeline/earlier.h"
#include "pipeline/follow.h"
#include "pipeline/recommend.h"
#include "pipeline/vocabulary.h"
#include "service/answer.h"
#include "service/service.h"

enum {
    RANKER_MAX_REQUESTS = 8,
    RANKER_MAX_WORKERS = 256,
    RANKER_MAX_LEASES = RANKER_MAX_WORKERS * BR_MAX_CREDIT,
};

/// One list to make.
typedef struct rank_task {
    uint32_t bond;
    br_day as_of;
} rank_task;

/// A request of a client that waits for its turn or is worked.
typedef struct rank_client {
    br_peer peer;
    uint64_t request;
    br_rank_request wanted; ///< its bond ids live in `arena`
    br_arena *arena;
} rank_client;

typedef struct worker {
    br_peer peer;
    char name[BR_MAX_NAME];
    uint32_t credit;
    uint32_t held; ///< leases
    int64_t heard_ms;
    int64_t said_ms;
} worker;

typedef struct lease {
    br_hash job;
    uint32_t attempt;
    int64_t ends_ms; ///< moved on by each heartbeat that names the job
    int64_t most_ms; ///< but never beyond this
    br_peer peer;
} lease;

typedef struct queued_job {
    br_hash job;
    uint32_t attempts; ///< made so far
} queued_job;

/// A job whose predecessor is still to do.
typedef struct waiting_job {
    queued_job job;
    br_hash after;
} waiting_job;

typedef struct pending_ack {
    br_peer peer;
    br_hash job;
} pending_ack;

typedef struct dispatcher {
    worker workers[RANKER_MAX_WORKERS];
    uint32_t n_workers;
    lease leases[RANKER_MAX_LEASES];
    uint32_t n_leases;
    queued_job *queue; ///< ring [queue_capacity]
    uint32_t queue_first, queue_n, queue_capacity;
    waiting_job *waiting; ///< [waiting_capacity] they come into the queue when what they wait for is done or dead
    uint32_t n_waiting, waiting_capacity;
    br_earlier_reader earlier;
    bool open; ///< a transaction with results is open
    pending_ack acks[RANKER_MAX_LEASES];
    uint32_t n_acks;
    uint8_t *block; ///< the population asked for last: it is read once for all its parts
    br_population_info block_info;
    br_arena *arena;
    br_buf buffer;
    br_metric *depth, *in_flight, *done, *failed, *redelivered, *dead, *workers_gauge, *compared, *jaccard;
} dispatcher;

typedef struct ranker {
    br_service *service;
    const br_config *config;
    br_ledger *ledger;
    br_snapshots *snapshots;
    br_recommendations *store;
    br_follower *follower;
    br_served *served;
    br_vocabulary vocabulary;      ///< of the served snapshot
    br_day_population *population; ///< NULL after the market or the snapshot has changed
    br_socket *requests, *hints, *work, *remote_work, *ingester_hints, *trainer_hints;
    br_curve curve;
    char models[BR_PATH_BYTES];
    bool look;        ///< something may be new in ledger or models
    rank_task *tasks; ///< [n_tasks], from next_task on still to do
    uint32_t n_tasks, next_task, tasks_capacity;
    uint64_t event; ///< ledger record the tasks belong to; 0 = a request's, or owed
    bool tasks_explain;
    bool tasks_owed; ///< the tasks are what `owed` stands for
    uint64_t owed;   ///< stored: the first event that had no snapshot it could be worked with; 0 = none
    rank_client clients[RANKER_MAX_REQUESTS];
    uint32_t n_clients; ///< clients[0] is worked once `serving`
    bool serving;
    int64_t serving_since_ms, told_ms;
    uint32_t lists_made;
    uint64_t offset; ///< stored
    br_arena *arena;
    br_buf buffer;
    dispatcher dispatcher;
    br_metric *lists, *rank_seconds;
} ranker;

/// Look at ledger and models, then do one piece of work: a list, or a step through the ledger. BR_ERR_AGAIN: nothing to do.
br_status ranker_work(ranker *self) BR_MUST_CHECK;
/// A client's request: queued, answered when done.
br_status ranker_on_request(void *state, br_socket *socket, br_message *message) BR_MUST_CHECK;
/// Tell all clients that wait why their requests are not worked. Returns `why`.
br_status ranker_refuse_all(ranker *self, br_status why) BR_MUST_CHECK;
/// Move to the served snapshot if it is another one; a snapshot that cannot be loaded is logged and the old one stays.
br_status ranker_follow_snapshot(ranker *self) BR_MUST_CHECK;

br_status dispatcher_start(ranker *self) BR_MUST_CHECK;
void dispatcher_stop(ranker *self);
/// A new to-do entry is stored.
br_status dispatcher_enqueue(ranker *self, const br_hash *job, uint32_t attempts) BR_MUST_CHECK;
/// Make dead jobs ones to do again; *n_out: how many.
br_status dispatcher_retry(ranker *self, const br_retry_request *wanted, uint32_t *n_out) BR_MUST_CHECK;
br_status dispatcher_on_message(void *state, br_socket *socket, br_message *message) BR_MUST_CHECK;
/// Commit what came in, acknowledge it, deal out what may go.
br_status dispatcher_work(ranker *self) BR_MUST_CHECK;
/// The figures of the workers, each begun by "worker" with its name as text, then "credit", "held", "heard_ms" (ago) and "engine"; returns how many.
/// The names are the dispatcher's.
#define RANKER_WORKER_FIGURES 5
uint32_t dispatcher_figures(const ranker *self, br_figure out[RANKER_MAX_WORKERS * RANKER_WORKER_FIGURES]);
/// Heartbeats, dead workers, leases that have ended.
br_status dispatcher_tick(void *state) BR_MUST_CHECK;

#endif
