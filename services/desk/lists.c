// A bond's newest list with its reasons. It is rendered once for each language and kept as the bytes that go out.

#include "desk.h"

#include "base/alloc.h"

#include <string.h>

#define ARENA_BYTES (32u << 20)
#define CACHE_BYTES (64u << 20)

br_status stored_list_read(const desk *self, br_arena *arena, const char *bond_id, stored_list *out)
{
    br_status status = br_recommendations_shown_list(self->recommendations, arena, bond_id, &out->list);
    return status == BR_OK ? br_recommendations_outcome(self->recommendations, arena, &out->list, &out->outcome)
                           : status;
}

// --- what is kept ---

struct kept_lists {
    pthread_mutex_t lock;
    br_hash keys[DESK_KEPT_LISTS];
    br_http_kept *lists[DESK_KEPT_LISTS]; // NULL = free
    uint64_t used[DESK_KEPT_LISTS];       // larger = later
    uint64_t clock;
    size_t bytes;
};

br_status kept_lists_new(kept_lists **out)
{
    kept_lists *kept = br_calloc(1, sizeof *kept);
    if (kept == NULL) {
        return br_no_memory("kept lists", DESK_KEPT_LISTS);
    }
    if (pthread_mutex_init(&kept->lock, NULL) != 0) {
        br_free(kept);
        return br_fail(BR_ERR_IO, "cannot make a lock");
    }
    *out = kept;
    return BR_OK;
}

void kept_lists_free(kept_lists **kept)
{
    if (kept == NULL || *kept == NULL) {
        return;
    }
    for (size_t i = 0; i < DESK_KEPT_LISTS; i++) {
        br_http_kept_free(&(*kept)->lists[i]);
    }
    pthread_mutex_destroy(&(*kept)->lock);
    br_free(*kept);
    *kept = NULL;
}

// Some hundred keys side by side are searched faster than a request is read. Under the lock, as the next one.
static size_t find_kept(const kept_lists *kept, const br_hash *key)
{
    size_t i = 0;
    while (i < DESK_KEPT_LISTS && !(kept->lists[i] != NULL && memcmp(&kept->keys[i], key, sizeof *key) == 0)) {
        i++;
    }
    return i;
}

static size_t least_used(const kept_lists *kept)
{
    size_t best = 0;
    for (size_t i = 1; i < DESK_KEPT_LISTS; i++) {
        best = kept->used[i] < kept->used[best] ? i : best;
    }
    return best;
}

static void drop(kept_lists *kept, size_t i)
{
    kept->bytes -= br_http_kept_bytes(kept->lists[i]);
    kept->used[i] = 0;
    br_http_kept_free(&kept->lists[i]);
}

/// Held for the caller; NULL when it is not there.
static br_http_kept *kept_get(kept_lists *kept, const br_hash *key)
{
    br_http_kept *found = NULL;
    pthread_mutex_lock(&kept->lock);
    size_t i = find_kept(kept, key);
    if (i < DESK_KEPT_LISTS) {
        kept->used[i] = ++kept->clock;
        found = br_http_kept_hold(kept->lists[i]);
    }
    pthread_mutex_unlock(&kept->lock);
    return found;
}

static void kept_put(kept_lists *kept, const br_hash *key, br_http_kept *list)
{
    pthread_mutex_lock(&kept->lock);
    if (find_kept(kept, key) == DESK_KEPT_LISTS && br_http_kept_bytes(list) <= CACHE_BYTES / 4) {
        size_t i = least_used(kept);
        if (kept->lists[i] != NULL) {
            drop(kept, i);
        }
        kept->lists[i] = br_http_kept_hold(list);
        kept->keys[i] = *key;
        kept->bytes += br_http_kept_bytes(list);
        kept->used[i] = ++kept->clock;
        while (kept->bytes > CACHE_BYTES) {
            size_t oldest = DESK_KEPT_LISTS;
            for (size_t k = 0; k < DESK_KEPT_LISTS; k++) {
                bool older = oldest == DESK_KEPT_LISTS || kept->used[k] < kept->used[oldest];
                oldest = kept->lists[k] != NULL && older ? k : oldest;
            }
            drop(kept, oldest);
        }
    }
    pthread_mutex_unlock(&kept->lock);
}

// --- requests ---

/// All that an answer about a bond's list depends on, but for what the store says of it.
typedef struct list_view {
    bool listed; ///< the bond is known to have a list; else the store may still hold one that has just come
    br_hash identity;
    char served[BR_VERSION_TEXT];
    const char *stale; ///< reason in the language of the request, or NULL
    uint64_t verdicts; ///< of votes on pairs, which say what past bids are shown
} list_view;

static list_view view_list(desk *self, const char *bond_id, br_language language)
{
    static const char *const reasons[][2] = {
        {"The ranker has not been heard of for more than 10 seconds: the list may be out of date.",
         "排序进程已超过 10 秒没有消息：名单可能已过时。"},
        {"A later day has been closed, and its list is not made yet.", "新的营业日已结束，其名单尚未生成。"}};
    list_view view = {.listed = false};
    pthread_rwlock_rdlock(&self->lock);
    const br_market *market = br_follower_market(self->follower);
    uint32_t bond = market == NULL ? BR_INDEX_NONE : br_market_find_bond(market, bond_id);
    const listed_bond *list = bond == BR_INDEX_NONE ? NULL : bond_listed(self, bond);
    if (list != NULL) {
        view.listed = true;
        br_hasher hasher;
        br_hasher_init(&hasher);
        br_hasher_update(&hasher, &list->identity, sizeof list->identity);
        br_hasher_update(&hasher, &list->pending, sizeof list->pending);
        br_hasher_update(&hasher, &list->dead, sizeof list->dead);
        view.identity = br_hasher_final(&hasher);
    }
    memcpy(view.served, self->served, sizeof view.served);
    view.verdicts = br_ballot_verdicts(self->ballot);
    const bool day_waits = self->day_waits && bond != BR_INDEX_NONE && strcmp(bond_state(market, bond), "issued") != 0;
    if (self->ranker_silent || day_waits) {
        view.stale = reasons[self->ranker_silent ? 0 : 1][language == BR_LANGUAGE_ZH ? 1 : 0];
    }
    pthread_rwlock_unlock(&self->lock);
    return view;
}

static br_hash key_of(const list_view *view, const char *bond_id, br_language language)
{
    const char *stale = view->stale == NULL ? "" : view->stale;
    br_hasher hasher;
    br_hasher_init(&hasher);
    br_hasher_update(&hasher, &view->identity, sizeof view->identity);
    br_hasher_update(&hasher, &view->verdicts, sizeof view->verdicts);
    br_hasher_update(&hasher, &language, sizeof language);
    br_hasher_update(&hasher, view->served, strlen(view->served) + 1);
    br_hasher_update(&hasher, stale, strlen(stale) + 1);
    br_hasher_update(&hasher, bond_id, strlen(bond_id));
    return br_hasher_final(&hasher);
}

br_status list_open(desk *self, const char *bond_id, br_language language, open_list *out)
{
    *out = (open_list){.arena = NULL};
    br_status status = br_arena_new(&out->arena, ARENA_BYTES);
    if (status == BR_OK) {
        status = stored_list_read(self, out->arena, bond_id, &out->stored);
    }
    if (status == BR_OK) {
        status = desk_borrow(self, out->stored.list.version, &out->snapshot);
    }
    if (status != BR_OK) {
        list_close(self, out);
        return status;
    }
    out->presented = (br_presented){.list = &out->stored.list,
                                    .outcome = &out->stored.outcome,
                                    .encoder = out->snapshot->snapshot->encoder,
                                    .language = language,
                                    .threshold = br_service_config(self->service)->item_based.threshold};
    return BR_OK;
}

void desk_past_json(desk *self, br_buf *out, const br_result *result, uint32_t i, br_language language)
{
    br_shown_past past[BR_SHOWN_PAST];
    const uint32_t threshold = br_service_config(self->service)->item_based.threshold;
    pthread_rwlock_rdlock(&self->lock);
    uint32_t n = br_present_past(past, result, i, br_ballot_votes(self->ballot), threshold);
    pthread_rwlock_unlock(&self->lock);
    br_present_past_json(out, past, n, language);
}

void list_close(desk *self, open_list *list)
{
    if (list->snapshot != NULL) {
        desk_release(self, list->snapshot);
    }
    br_arena_free(&list->arena);
}

/// What its reasons are compared with. Nothing if it cannot be read: the list is there all the same.
static br_earlier read_earlier(desk *self, open_list *list)
{
    br_job_body body;
    br_earlier earlier = {.as_of = BR_DAY_NONE};
    const stored_list *stored = &list->stored;
    if (stored->outcome.state != BR_JOB_DONE || !stored->list.has_job) {
        return earlier;
    }
    br_status status = br_recommendations_job(self->recommendations, list->arena, &stored->list.job_id, &body);
    if (status == BR_OK) {
        status = desk_earlier_of_list(self, list->arena, &stored->list, &body, &earlier);
    }
    return status == BR_OK ? earlier : (br_earlier){.as_of = BR_DAY_NONE, .awaited = true};
}

/// *settled_out: it says the same as long as the view is the same.
static br_status render(desk *self, br_buf *out, const char *bond_id, const list_view *view, br_language language,
                        bool *settled_out)
{
    open_list list;
    br_status status = list_open(self, bond_id, language, &list);
    if (status != BR_OK) {
        return status;
    }
    const br_earlier earlier = read_earlier(self, &list);
    list.presented.earlier = &earlier;
    *settled_out = !earlier.awaited; // a job that was given up may be done after all
    br_buf_char(out, '{');
    pthread_rwlock_rdlock(&self->lock);
    list.presented.votes = br_ballot_votes(self->ballot);
    br_present_members(out, &list.presented);
    pthread_rwlock_unlock(&self->lock);
    br_buf_printf(
        out, ", \"served\": %s, \"stale\": ", strcmp(list.stored.list.version, view->served) == 0 ? "true" : "false");
    if (view->stale == NULL) {
        br_buf_string(out, "null}\n");
    } else {
        br_buf_char(out, '{');
        json_member(out, "reason", view->stale);
        br_buf_string(out, "}}\n");
    }
    list_close(self, &list);
    return BR_OK;
}

void answer_recommendations(desk *self, const br_http_request *request, br_http_answer *answer, const char *bond_id)
{
    const br_language language = request_language(request);
    const list_view view = view_list(self, bond_id, language);
    const br_hash key = key_of(&view, bond_id, language);
    answer->kept = view.listed ? kept_get(self->kept_lists, &key) : NULL;
    if (answer->kept != NULL) {
        return;
    }
    bool settled = false;
    br_status status = render(self, &answer->body, bond_id, &view, language, &settled);
    if (status != BR_OK) {
        answer_failed(answer, status);
        return;
    }
    answer_finish(answer);
    if (view.listed && settled && answer->code == 0) {
        BR_AUTO_DEINIT(br_buf) gzip = {0};
        status = desk_gzip(&gzip, &answer->body);
        answer_keep(answer, status == BR_OK ? &gzip : NULL);
        if (answer->kept != NULL) {
            kept_put(self->kept_lists, &key, answer->kept);
        }
    }
}
