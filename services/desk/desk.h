#ifndef DESK_DESK_H
#define DESK_DESK_H

/// The desk: lists and reasons for people, over HTTP. It writes nothing itself; notes go to the ingester. The loop's thread follows the ledger; requests are answered on server
/// threads under the read side of one lock.

#include "notes.h"
#include "pipeline/ballot.h"
#include "pipeline/follow.h"
#include "pipeline/present.h"
#include "service/access.h"
#include "service/service.h"
#include "store/quality.h"
#include "store/recommendations.h"
#include "store/snapshots.h"

#include <pthread.h>

#define DESK_SNAPSHOTS  4     ///< versions whose words are kept at hand
#define DESK_KEPT_LISTS 512   ///< rendered lists at hand
#define DESK_MAX_PAGE   1000  ///< things in one answer
#define DESK_SILENT_MS  10000 ///< the ranker speaks every 2 s

/// What is known of a bond's newest list without reading it.
typedef struct listed_bond {
    br_hash identity; ///< of the list and its job
    br_day as_of;
    uint32_t n_entries;
    bool backtest;
    bool pending;
    bool dead; ///< its explanation was given up
} listed_bond;

typedef struct cached_snapshot {
    br_snapshot *snapshot;
    char version[BR_VERSION_TEXT];
    uint64_t used; ///< larger = later
    unsigned readers;
} cached_snapshot;

/// What the ranker said of its workers last.
typedef struct desk_workers {
    pthread_mutex_t lock;
    bool asking; ///< a request asks it now
    int64_t asked_ms;
    br_buf text; ///< members of a JSON object
} desk_workers;

struct desk_compute;
typedef struct kept_lists kept_lists;
typedef struct assets assets;

typedef struct desk {
    br_service *service;
    char models[BR_PATH_BYTES];
    br_ledger *ledger; ///< the loop's alone
    br_recommendations
        *recommendations; ///< read by all threads, and so are the next two: each read is a transaction of its own
    br_quality *quality;
    br_snapshots *snapshots;
    br_socket *hints;
    br_socket *ranker_hints;

    bool locks_made;
    pthread_rwlock_t lock; ///< guards the fields up to `seen`
    br_follower *follower;
    const uint32_t *bonds; ///< [n_bonds] by issue day; borrowed from the market
    uint32_t n_bonds;
    br_index *listed_ids;
    listed_bond *listed; ///< [capacity] by number in listed_ids
    uint32_t *list_of;   ///< [n_list_of] number in listed_ids by number of the bond, or BR_INDEX_NONE
    uint32_t n_list_of;
    br_buf ids;        ///< of all bonds, folded, each followed by a NUL
    uint32_t *id_ends; ///< [n_ids] by number of the bond: where its id ends in `ids`, behind the NUL
    uint64_t *id_keys; ///< [n_ids] the first eight bytes as a number, so that most ids are told apart by it
    uint32_t n_ids;
    uint32_t id_capacity;
    const br_market *ids_of;
    char served[BR_VERSION_TEXT]; ///< snapshot; "" = none
    bool ranker_silent;
    bool day_waits;       ///< a day is closed and its lists are not made yet
    uint64_t seen[4];     ///< the store's counts when `listed` was made
    uint64_t closed_head; ///< records up to the last closed day
    int64_t ranker_heard_ms;

    pthread_mutex_t cache_lock;
    cached_snapshot cache[DESK_SNAPSHOTS];
    uint64_t cache_clock;
    pthread_mutex_t earlier_lock;
    br_earlier_reader earlier; ///< under earlier_lock: what reasons are compared and begun with
    kept_lists *kept_lists;
    assets *assets;

    br_hash secret;   ///< of this process: tokens are made with it
    held_notes *held; ///< under `lock`, and so is the next one
    br_ballot *ballot;
    br_ledger *records; ///< one record at a time, under notes_lock, and so is what follows
    pthread_mutex_t notes_lock;
    pthread_cond_t notes_seen; ///< `held` has become more
    unsigned n_writing;
    uint64_t notes_head; ///< record of the last note in `held`

    desk_workers workers;
    bool acting;                  ///< an action is being done; under workers.lock
    struct desk_compute *compute; ///< the computing thread's alone
} desk;

// --- access.c ---

/// A path and who may use it. Handlers have the desk as context, and in request->user who asks.
typedef struct desk_route {
    const char *path;
    br_role role; ///< that GET needs; BR_ROLE_NONE exactly when there is none
    br_http_handler get;
    br_role post_role; ///< the same for POST
    br_http_handler post;
    bool changes; ///< POST needs an Idempotency-Key, checked before the handler sees it
} desk_route;

typedef struct desk_bound {
    struct desk *desk;
    const desk_route *route;
} desk_bound;

/// The server's routes: each asks who it is before the handler runs. `routes` and `bound` [n] stay the caller's as long as the server.
/// GET /me.
void handle_me(void *context, const br_http_request *request, br_http_answer *answer);
void desk_bind(desk *self, const desk_route *routes, size_t n, desk_bound *bound, br_http_route *out);

// --- state.c ---

br_status desk_open(desk *self) BR_MUST_CHECK;
/// Take in what is new in the ledger and among the lists.
br_status desk_refresh(desk *self) BR_MUST_CHECK;
void desk_close(desk *self);
/// The snapshot of a version, loaded once; give it back with desk_release(). Errors: those of br_snapshots_load().
br_status desk_borrow(desk *self, const char *version, cached_snapshot **out) BR_MUST_CHECK;
void desk_release(desk *self, cached_snapshot *snapshot);
/// br_earlier_of_list() and br_earlier_read(), which read few snapshots more than once this way.
br_status desk_earlier_of_list(desk *self, br_arena *arena, const br_list *list, const br_job_body *body,
                               br_earlier *out) BR_MUST_CHECK;
br_status desk_earlier_read(desk *self, br_arena *arena, const br_job_body *body, const br_hash *before,
                            br_earlier *out) BR_MUST_CHECK;
/// The version that is served now; "" = none.
void desk_served(desk *self, char out[BR_VERSION_TEXT]);

// --- operations.c ---

/// Ask a service and wait for its report, which lives in `arena`; from a server thread that holds no lock. Errors: BR_ERR_UNREACHABLE (no report
/// within wait_ms), BR_ERR_NO_MEMORY.
br_status desk_ask(const desk *self, const char *service, br_message_type type, br_span body, int64_t wait_ms,
                   br_arena *arena, br_report *out) BR_MUST_CHECK;

// --- bonds.c: under the read lock ---

/// Letters of ASCII in lower case.
char desk_folded(char c);
const char *bond_state(const br_market *market, uint32_t bond);
/// NULL when the bond has no list.
const listed_bond *bond_listed(const desk *self, uint32_t bond);
/// {"id": ..., "features": {...}}
void bond_json(br_buf *out, const desk *self, uint32_t bond);
/// {"name", "label", "kind", "value"} of one feature of a bond.
void feature_json(br_buf *out, const br_market *market, uint32_t bond, uint32_t feature, br_language language);
/// Answers a path below /bonds/ID/.
typedef void (*bond_handler)(desk *self, const br_http_request *request, br_http_answer *answer, const char *bond_id);

// --- lists.c, csv.c ---

/// The rendered lists: at most DESK_KEPT_LISTS, 64 MiB together; those asked for least lately go first.
br_status kept_lists_new(kept_lists **out) BR_MUST_CHECK;
void kept_lists_free(kept_lists **kept);

/// The list that people are shown of a bond and what has become of its explanation, in the arena. Errors: BR_ERR_NOT_FOUND without a list.
typedef struct stored_list {
    br_list list;
    br_outcome outcome;
} stored_list;
br_status stored_list_read(const desk *self, br_arena *arena, const char *bond_id, stored_list *out) BR_MUST_CHECK;

/// The same with the snapshot whose words it is told in. After BR_OK it is closed by the caller.
typedef struct open_list {
    br_arena *arena;
    stored_list stored;
    cached_snapshot *snapshot;
    br_presented presented;
} open_list;
br_status list_open(desk *self, const char *bond_id, br_language language, open_list *out) BR_MUST_CHECK;
void list_close(desk *self, open_list *list);

/// Member "past_bids" of the result's i-th investor.
void desk_past_json(desk *self, br_buf *out, const br_result *result, uint32_t i, br_language language);
void answer_recommendations(desk *self, const br_http_request *request, br_http_answer *answer, const char *bond_id);
void answer_csv(desk *self, const br_http_request *request, br_http_answer *answer, const char *bond_id);

// --- request.c ---

br_language request_language(const br_http_request *request);
/// 0 to `max`, or `otherwise` when it is absent. False: it is there and no such number; the answer is a problem then.
bool request_whole(const br_http_request *request, br_http_answer *answer, const char *name, uint32_t max,
                   uint32_t *value_io);
/// The same for a date.
bool request_day(const br_http_request *request, br_http_answer *answer, const char *name, br_day *value_io);
/// Set the tag of a finished answer, or turn it into a problem when memory ran out.
void answer_finish(br_http_answer *answer);
/// Make a finished answer one that can be given many times, with `gzip` (NULL = none) beside it; without memory it becomes a problem.
void answer_keep(br_http_answer *answer, br_buf *gzip);
/// The problem that fits a status.
void answer_failed(br_http_answer *answer, br_status status);
void json_member(br_buf *out, const char *name, const char *text);
/// "name": "2026-03-02T09:15:00.123Z", of ms since 1970.
void json_time(br_buf *out, const char *name, int64_t time_ms);
/// A further member, with its comma. A number that is not finite is null.
void json_next_number(br_buf *out, const char *name, double value);

// --- gzip.c ---

/// Append the text as gzip. Errors: BR_ERR_NO_MEMORY.
br_status desk_gzip(br_buf *out, const br_buf *text) BR_MUST_CHECK;

// --- assets.c ---

/// The built page. Without its files, or when they cannot be used (the log says why), it is empty. Errors: BR_ERR_NO_MEMORY.
br_status assets_load(assets **out) BR_MUST_CHECK;
void assets_free(assets **self);

// --- handlers: context is the desk ---

void handle_bonds(void *context, const br_http_request *request, br_http_answer *answer);
void handle_bond(void *context, const br_http_request *request, br_http_answer *answer);
void handle_daily(void *context, const br_http_request *request, br_http_answer *answer);
void handle_monthly(void *context, const br_http_request *request, br_http_answer *answer);
void handle_processes(void *context, const br_http_request *request, br_http_answer *answer);
void handle_queue(void *context, const br_http_request *request, br_http_answer *answer);
void handle_jobs(void *context, const br_http_request *request, br_http_answer *answer);
void handle_rollback(void *context, const br_http_request *request, br_http_answer *answer);
void handle_retry(void *context, const br_http_request *request, br_http_answer *answer);
void handle_rejects(void *context, const br_http_request *request, br_http_answer *answer);
void handle_snapshot_figures(void *context, const br_http_request *request, br_http_answer *answer);
void handle_calibration(void *context, const br_http_request *request, br_http_answer *answer);
void handle_drift(void *context, const br_http_request *request, br_http_answer *answer);
void handle_report(void *context, const br_http_request *request, br_http_answer *answer);
void handle_snapshots(void *context, const br_http_request *request, br_http_answer *answer);
void handle_openapi(void *context, const br_http_request *request, br_http_answer *answer);
void handle_status(void *context, const br_http_request *request, br_http_answer *answer);
void handle_home(void *context, const br_http_request *request, br_http_answer *answer);
void handle_asset(void *context, const br_http_request *request, br_http_answer *answer);

#endif
