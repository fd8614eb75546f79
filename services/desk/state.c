#include "compute.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <stdio.h>
#include <string.h>

#define ARENA_BYTES (32u << 20)

static br_status open_stores(desk *self)
{
    const char *directory = br_service_directory(self->service);
    char path[BR_PATH_BYTES];
    br_status status = br_place_path(path, directory, BR_PLACE_LEDGER);
    if (status == BR_OK) {
        status = br_ledger_open_reader(&self->ledger, path);
    }
    if (status == BR_OK) {
        status = br_ledger_open_reader(&self->records, path);
    }
    if (status == BR_OK) {
        status = br_place_path(self->models, directory, BR_PLACE_MODELS);
    }
    if (status == BR_OK) {
        status = br_snapshots_open_reader(&self->snapshots, self->models);
    }
    if (status == BR_OK) {
        status = br_place_path(path, directory, BR_PLACE_RECOMMENDATIONS);
    }
    if (status == BR_OK) {
        status = br_recommendations_open_reader(&self->recommendations, path);
    }
    if (status == BR_OK) {
        status = br_place_path(path, directory, BR_PLACE_METRICS);
    }
    if (status == BR_OK) {
        status = br_quality_open_reader(&self->quality, path);
    }
    if (status == BR_ERR_NOT_FOUND) {
        br_service_not_ready(self->service, br_why(status));
        return BR_ERR_AGAIN; // each process makes its store at its first start
    }
    return status;
}

// The loop comes before requests that have not begun: a flood of them may not keep it from what is new. No request takes it twice.
static br_status make_lock(pthread_rwlock_t *lock)
{
    pthread_rwlockattr_t kind;
    if (pthread_rwlockattr_init(&kind) != 0) {
        return br_no_memory("lock", 1);
    }
    pthread_rwlockattr_setkind_np(&kind, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    int failed = pthread_rwlock_init(lock, &kind);
    pthread_rwlockattr_destroy(&kind);
    return failed == 0 ? BR_OK : br_fail(BR_ERR_IO, "cannot make a lock");
}

static br_status take_note(void *context, uint64_t record, const br_row *row)
{
    desk *self = context;
    br_status status = held_notes_take(self->held, record, row);
    return status == BR_OK ? br_ballot_take(self->ballot, record, row) : status;
}

br_status desk_open(desk *self)
{
    br_status status = open_stores(self);
    if (status == BR_OK) {
        status = make_lock(&self->lock);
    }
    if (status != BR_OK) {
        return status;
    }
    if (pthread_mutex_init(&self->cache_lock, NULL) != 0 || pthread_mutex_init(&self->workers.lock, NULL) != 0) {
        pthread_rwlock_destroy(&self->lock);
        return br_fail(BR_ERR_IO, "cannot make a lock");
    }
    pthread_mutex_init(&self->notes_lock, NULL);
    pthread_mutex_init(&self->earlier_lock, NULL);
    pthread_cond_init(&self->notes_seen, NULL);
    self->locks_made = true;
    self->earlier = (br_earlier_reader){.store = self->recommendations, .models = self->models};
    self->secret = br_hash_secret();
    self->ranker_heard_ms = br_clock_ms();
    status = assets_load(&self->assets);
    if (status == BR_OK) {
        status = kept_lists_new(&self->kept_lists);
    }
    if (status == BR_OK) {
        status = desk_compute_new(&self->compute, br_service_config(self->service)->study.methods);
    }
    if (status == BR_OK) {
        status = br_follower_new(&self->follower);
    }
    if (status == BR_OK) {
        status = held_notes_new(&self->held);
    }
    if (status == BR_OK) {
        status = br_ballot_new(&self->ballot);
    }
    if (status != BR_OK) {
        return status;
    }
    br_follower_notes(self->follower, take_note, self);
    return desk_refresh(self);
}

void desk_close(desk *self)
{
    desk_compute_free(&self->compute);
    for (size_t i = 0; i < DESK_SNAPSHOTS; i++) {
        br_snapshot_free(&self->cache[i].snapshot);
    }
    br_index_free(&self->listed_ids);
    br_free(self->listed);
    self->listed = NULL;
    br_buf_deinit(&self->ids);
    br_free(self->id_ends);
    self->id_ends = NULL;
    br_free(self->id_keys);
    self->id_keys = NULL;
    br_free(self->list_of);
    self->list_of = NULL;
    br_earlier_reader_deinit(&self->earlier);
    assets_free(&self->assets);
    kept_lists_free(&self->kept_lists);
    br_follower_free(&self->follower);
    held_notes_free(&self->held);
    br_ballot_free(&self->ballot);
    br_ledger_free(&self->records);
    br_ledger_free(&self->ledger);
    br_recommendations_free(&self->recommendations);
    br_quality_free(&self->quality);
    br_snapshots_free(&self->snapshots);
    br_buf_deinit(&self->workers.text);
    if (self->locks_made) {
        pthread_rwlock_destroy(&self->lock);
        pthread_mutex_destroy(&self->cache_lock);
        pthread_mutex_destroy(&self->notes_lock);
        pthread_mutex_destroy(&self->earlier_lock);
        pthread_cond_destroy(&self->notes_seen);
        pthread_mutex_destroy(&self->workers.lock);
        self->locks_made = false;
    }
}

// --- the newest lists ---

// What a list's answer is made of but for its language: another list, or another outcome of its explanation, is another identity.
static br_hash identity_of(const br_list *list)
{
    br_hasher hasher;
    br_hasher_init(&hasher);
    br_hasher_update(&hasher, list->version, strlen(list->version));
    br_hasher_update(&hasher, &list->as_of, sizeof list->as_of);
    br_hasher_update(&hasher, &list->ledger_head, sizeof list->ledger_head);
    br_hasher_update(&hasher, &list->backtest, sizeof list->backtest);
    br_hasher_update(&hasher, &list->job_id, list->has_job ? sizeof list->job_id : 0);
    return br_hasher_final(&hasher);
}

typedef struct listing {
    br_index *ids;
    listed_bond *bonds;
    br_hash *jobs; ///< [n] of lists with one
    uint8_t *has_job;
    uint32_t n;
    uint32_t capacity;
} listing;

static void listing_deinit(listing *l)
{
    br_index_free(&l->ids);
    br_free(l->bonds);
    br_free(l->jobs);
    br_free(l->has_job);
}

static br_status grow(listing *l)
{
    uint32_t capacity = l->capacity == 0 ? 256 : 2 * l->capacity;
    listed_bond *bonds = br_reallocarray(l->bonds, capacity, sizeof *bonds);
    l->bonds = bonds == NULL ? l->bonds : bonds;
    br_hash *jobs = br_reallocarray(l->jobs, capacity, sizeof *jobs);
    l->jobs = jobs == NULL ? l->jobs : jobs;
    uint8_t *has_job = br_reallocarray(l->has_job, capacity, 1);
    l->has_job = has_job == NULL ? l->has_job : has_job;
    if (bonds == NULL || jobs == NULL || has_job == NULL) {
        return br_no_memory("lists", capacity);
    }
    l->capacity = capacity;
    return BR_OK;
}

static void set_list(listing *l, uint32_t number, const br_list *list)
{
    l->bonds[number] = (listed_bond){
        .identity = identity_of(list), .as_of = list->as_of, .n_entries = list->n_entries, .backtest = list->backtest};
    l->jobs[number] = list->job_id;
    l->has_job[number] = list->has_job ? 1 : 0;
}

static br_status note_list(void *context, const br_list *list)
{
    listing *l = context;
    uint32_t number = 0;
    br_status status = br_index_add(l->ids, list->bond_id, strlen(list->bond_id), &number, NULL);
    if (status == BR_OK && number >= l->capacity) {
        status = grow(l);
    }
    if (status != BR_OK) {
        return status;
    }
    set_list(l, number, list);
    l->n = br_index_count(l->ids);
    return BR_OK;
}

// What was visited is the newest list; a backtest gives way to a list that was there before its day.
static br_status prefer_live(const desk *self, listing *l)
{
    BR_AUTO(br_arena) *arena = NULL;
    br_status status = br_arena_new(&arena, ARENA_BYTES);
    for (uint32_t i = 0; i < l->n && status == BR_OK; i++) {
        if (!l->bonds[i].backtest) {
            continue;
        }
        br_list list;
        br_arena_reset(arena);
        status = br_recommendations_shown_list(self->recommendations, arena, br_index_text(l->ids, i), &list);
        if (status == BR_OK) {
            set_list(l, i, &list);
        }
    }
    return status;
}

static br_status note_dead(void *context, const br_dead_job *dead)
{
    listing *l = context;
    for (uint32_t i = 0; i < l->n; i++) {
        l->bonds[i].dead = l->bonds[i].dead || (l->has_job[i] != 0 && br_hash_equal(&l->jobs[i], &dead->job_id));
    }
    return BR_OK;
}

static br_status make_listing(const desk *self, listing *l)
{
    br_status status = br_index_new(&l->ids);
    if (status == BR_OK) {
        status = br_recommendations_visit(self->recommendations, note_list, l);
    }
    if (status == BR_OK) {
        status = prefer_live(self, l);
    }
    for (uint32_t i = 0; i < l->n && status == BR_OK; i++) {
        if (l->has_job[i] != 0) {
            status = br_recommendations_is_todo(self->recommendations, &l->jobs[i], &l->bonds[i].pending);
        }
    }
    return status == BR_OK ? br_recommendations_visit_dead(self->recommendations, note_dead, l) : status;
}

// The lists by number of their bond, under the write lock: a table of all bonds asks for each of them.
static br_status number_lists(desk *self)
{
    br_market *market = br_follower_market(self->follower);
    uint32_t n = market == NULL ? 0 : br_market_n_bonds(market);
    if (n > self->n_list_of) {
        uint32_t *list_of = br_reallocarray(self->list_of, n, sizeof *list_of);
        if (list_of == NULL) {
            return br_no_memory("bonds", n);
        }
        self->list_of = list_of;
    }
    self->n_list_of = n;
    for (uint32_t i = 0; i < n; i++) {
        self->list_of[i] = BR_INDEX_NONE;
    }
    for (uint32_t i = 0; self->listed_ids != NULL && i < br_index_count(self->listed_ids); i++) {
        uint32_t bond =
            market == NULL ? BR_INDEX_NONE : br_market_find_bond(market, br_index_text(self->listed_ids, i));
        if (bond != BR_INDEX_NONE) {
            self->list_of[bond] = i;
        }
    }
    return BR_OK;
}

static uint64_t first_bytes(const char *id)
{
    uint64_t key = 0;
    for (int i = 0; i < 8; i++) {
        key = (key << 8) | (uint8_t)*id;
        id += *id == '\0' ? 0 : 1;
    }
    return key;
}

// The ids of bonds that have come, under the write lock.
static br_status take_ids(desk *self)
{
    const br_market *market = br_follower_market(self->follower);
    const uint32_t n = market == NULL ? 0 : br_market_n_bonds(market);
    if (market != self->ids_of || n < self->n_ids) {
        self->n_ids = 0; // a later schema has rebuilt the market
        br_buf_clear(&self->ids);
        self->ids_of = market;
    }
    if (n > self->id_capacity) {
        uint32_t capacity = n + n / 2;
        uint32_t *ends = br_reallocarray(self->id_ends, capacity, sizeof *ends);
        self->id_ends = ends == NULL ? self->id_ends : ends;
        uint64_t *id_keys = br_reallocarray(self->id_keys, capacity, sizeof *id_keys);
        self->id_keys = id_keys == NULL ? self->id_keys : id_keys;
        if (ends == NULL || id_keys == NULL) {
            return br_no_memory("bonds", capacity);
        }
        self->id_capacity = capacity;
    }
    for (; self->n_ids < n; self->n_ids++) {
        const char *id = br_market_bond_id(market, self->n_ids);
        self->id_keys[self->n_ids] = first_bytes(id);
        do {
            br_buf_char(&self->ids, desk_folded(*id));
        } while (*id++ != '\0');
        self->id_ends[self->n_ids] = (uint32_t)self->ids.length;
    }
    return self->ids.failed ? br_no_memory("bonds", n) : BR_OK;
}

static br_status refresh_lists(desk *self)
{
    uint64_t counts[4];
    br_status status = br_recommendations_counts(self->recommendations, &counts[0], &counts[1], &counts[2], &counts[3]);
    if (status != BR_OK || (self->listed_ids != NULL && memcmp(counts, self->seen, sizeof counts) == 0)) {
        return status;
    }
    listing l = {.ids = NULL};
    status = make_listing(self, &l);
    if (status == BR_OK) {
        pthread_rwlock_wrlock(&self->lock);
        br_index *old_ids = self->listed_ids;
        listed_bond *old_bonds = self->listed;
        self->listed_ids = l.ids;
        self->listed = l.bonds;
        status = number_lists(self);
        pthread_rwlock_unlock(&self->lock);
        l.ids = old_ids;
        l.bonds = old_bonds;
        memcpy(self->seen, counts, sizeof counts);
    }
    listing_deinit(&l);
    return status;
}

// As far as the ledger goes, and where in it the last day was closed.
static br_status catch_up(desk *self)
{
    br_status status = BR_OK;
    uint64_t before = 0;
    do {
        before = br_follower_head(self->follower);
        status = br_follower_catch_up(self->follower, self->ledger, 0, BR_KIND_BIT(BR_ROW_CLOSE_DAY));
        if (status == BR_OK && br_follower_head(self->follower) > before &&
            br_follower_last_kind(self->follower) == BR_ROW_CLOSE_DAY) {
            self->closed_head = br_follower_head(self->follower);
        }
    } while (status == BR_OK && br_follower_head(self->follower) > before);
    return status;
}

static br_status follow_ledger(desk *self)
{
    uint64_t head = 0;
    br_status status = br_ledger_head(self->ledger, &head);
    if (status != BR_OK || head == br_follower_head(self->follower)) {
        return status;
    }
    pthread_rwlock_wrlock(&self->lock);
    status = catch_up(self);
    br_market *market = br_follower_market(self->follower);
    self->bonds = NULL;
    self->n_bonds = 0;
    if (status == BR_OK && market != NULL) {
        status = br_market_bonds_by_issue(market, &self->bonds, &self->n_bonds);
    }
    if (status == BR_OK) {
        status = number_lists(self);
    }
    const uint64_t seen = held_notes_seen(self->held);
    if (status == BR_OK) {
        status = take_ids(self);
    }
    pthread_rwlock_unlock(&self->lock);
    pthread_mutex_lock(&self->notes_lock);
    self->notes_head = seen;
    pthread_cond_broadcast(&self->notes_seen);
    pthread_mutex_unlock(&self->notes_lock);
    return status;
}

// --- what is out of date ---

static br_status refresh_state(desk *self)
{
    char served[BR_VERSION_TEXT];
    uint64_t offset = 0;
    uint64_t owed = 0;
    br_status status = br_snapshots_served(self->snapshots, served);
    if (status == BR_OK) {
        status = br_recommendations_offset(self->recommendations, &offset);
    }
    if (status == BR_OK) {
        status = br_recommendations_owed(self->recommendations, &owed);
    }
    if (status != BR_OK) {
        return status;
    }
    pthread_rwlock_wrlock(&self->lock);
    memcpy(self->served, served, sizeof served);
    self->day_waits = self->closed_head > offset || (owed != 0 && owed <= self->closed_head);
    self->ranker_silent = br_clock_ms() - self->ranker_heard_ms > DESK_SILENT_MS;
    pthread_rwlock_unlock(&self->lock);
    return BR_OK;
}

br_status desk_refresh(desk *self)
{
    br_status status = follow_ledger(self);
    if (status == BR_OK) {
        status = refresh_lists(self);
    }
    return status == BR_OK ? refresh_state(self) : status;
}

// --- snapshots ---

static cached_snapshot *find_cached(desk *self, const char *version)
{
    for (size_t i = 0; i < DESK_SNAPSHOTS; i++) {
        if (self->cache[i].snapshot != NULL && strcmp(self->cache[i].version, version) == 0) {
            return &self->cache[i];
        }
    }
    return NULL;
}

/// The place to load into: an empty one, or the one used least lately that nobody reads.
static cached_snapshot *find_place(desk *self)
{
    cached_snapshot *best = NULL;
    for (size_t i = 0; i < DESK_SNAPSHOTS; i++) {
        cached_snapshot *c = &self->cache[i];
        if (c->readers == 0 &&
            (best == NULL || c->snapshot == NULL || (best->snapshot != NULL && c->used < best->used))) {
            best = c;
        }
    }
    return best;
}

br_status desk_borrow(desk *self, const char *version, cached_snapshot **out)
{
    // Loading happens under the lock: two requests for the same new version then read it once.
    pthread_mutex_lock(&self->cache_lock);
    br_status status = BR_OK;
    cached_snapshot *c = find_cached(self, version);
    if (c == NULL) {
        c = find_place(self);
        if (c == NULL) {
            status = br_fail(BR_ERR_LIMIT, "more than %d snapshots are being read at once", DESK_SNAPSHOTS);
        } else {
            br_snapshot_free(&c->snapshot);
            status = br_snapshots_load(&c->snapshot, self->models, version);
            snprintf(c->version, sizeof c->version, "%s", version);
        }
    }
    if (status == BR_OK) {
        c->readers++;
        c->used = ++self->cache_clock;
        *out = c;
    }
    pthread_mutex_unlock(&self->cache_lock);
    return status;
}

void desk_release(desk *self, cached_snapshot *snapshot)
{
    pthread_mutex_lock(&self->cache_lock);
    snapshot->readers--;
    pthread_mutex_unlock(&self->cache_lock);
}

br_status desk_earlier_of_list(desk *self, br_arena *arena, const br_list *list, const br_job_body *body,
                               br_earlier *out)
{
    pthread_mutex_lock(&self->earlier_lock);
    br_status status = br_earlier_of_list(out, &self->earlier, arena, list, body);
    pthread_mutex_unlock(&self->earlier_lock);
    return status;
}

br_status desk_earlier_read(desk *self, br_arena *arena, const br_job_body *body, const br_hash *before,
                            br_earlier *out)
{
    pthread_mutex_lock(&self->earlier_lock);
    br_status status = br_earlier_read(out, &self->earlier, arena, body, before);
    pthread_mutex_unlock(&self->earlier_lock);
    return status;
}

void desk_served(desk *self, char out[BR_VERSION_TEXT])
{
    pthread_rwlock_rdlock(&self->lock);
    memcpy(out, self->served, sizeof self->served);
    pthread_rwlock_unlock(&self->lock);
}
