#include "ranker.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint32_t EVENT_KINDS = BR_KIND_BIT(BR_ROW_CLOSE_DAY) | BR_KIND_BIT(BR_ROW_BOND);

// --- answers to clients; one that has gone away asks again ---

static br_status answer(ranker *self, const rank_client *client, const br_report *report)
{
    return br_report_send(self->requests, &client->peer, client->request, report, &self->buffer);
}

static br_status refuse(ranker *self, const rank_client *client, const char *reason)
{
    return answer(self, client, &(br_report){.ok = false, .reason = reason});
}

static br_status tell_progress(ranker *self)
{
    int64_t now = br_clock_ms();
    if (!self->serving || now - self->told_ms < 500) {
        return BR_OK;
    }
    self->told_ms = now;
    double seconds = (double)(now - self->serving_since_ms) * 1e-3;
    br_progress progress = {.stage = "rank",
                            .done = self->next_task,
                            .total = self->n_tasks,
                            .rate = seconds > 0 ? self->next_task / seconds : 0,
                            .text = "lists"};
    return br_progress_send(self->requests, &self->clients[0].peer, self->clients[0].request, &progress, &self->buffer);
}

static br_status finish_client(ranker *self)
{
    double seconds = (double)(br_clock_ms() - self->serving_since_ms) * 1e-3;
    br_figure figures[] = {
        {"bonds", self->n_tasks, ""},
        {"lists", self->lists_made, ""},
        {"rank_s", seconds, ""},
        {"version", 0, self->served->version},
    };
    br_status status =
        answer(self, &self->clients[0], &(br_report){.ok = true, .reason = "", .figures = figures, .n_figures = 4});
    br_log_info("RANK-REQUEST-END", "lists=%u dur_s=%.3f model=%s", self->lists_made, seconds, self->served->version);
    br_arena_free(&self->clients[0].arena);
    memmove(self->clients, self->clients + 1, (RANKER_MAX_REQUESTS - 1) * sizeof self->clients[0]);
    self->n_clients--;
    self->clients[self->n_clients] = (rank_client){0};
    self->serving = false;
    return status;
}

br_status ranker_refuse_all(ranker *self, br_status why)
{
    char reason[512];
    snprintf(reason, sizeof reason, "%s", br_why(why));
    for (uint32_t i = 0; i < self->n_clients; i++) {
        br_status status = refuse(self, &self->clients[i], reason);
        if (status != BR_OK) {
            return status;
        }
    }
    return br_fail(why, "%s", reason);
}

static br_status keep_client(ranker *self, const br_message *message)
{
    rank_client client = {.peer = message->peer, .request = message->request};
    for (uint32_t i = 0; i < self->n_clients; i++) {
        bool same = self->clients[i].request == client.request && self->clients[i].peer.n == client.peer.n &&
                    memcmp(self->clients[i].peer.id, client.peer.id, client.peer.n) == 0;
        if (same) {
            return BR_OK; // asked again while it waits
        }
    }
    if (self->n_clients == RANKER_MAX_REQUESTS) {
        return refuse(self, &client, "too many requests wait; ask again later");
    }
    br_status status = br_arena_new(&client.arena, 16u << 20);
    if (status == BR_OK) {
        status = br_rank_request_unpack(&client.wanted, client.arena, message->body, message->n_body);
    }
    if (status != BR_OK) {
        br_arena_free(&client.arena);
        return status == BR_ERR_NO_MEMORY ? status : refuse(self, &client, br_why(status));
    }
    self->clients[self->n_clients++] = client;
    return BR_OK;
}

static br_status retry(ranker *self, const rank_client *client, const br_message *message)
{
    br_retry_request wanted;
    uint32_t n = 0;
    br_arena_reset(self->arena);
    br_status status = br_retry_request_unpack(&wanted, self->arena, message->body, message->n_body);
    if (status == BR_ERR_INVALID || status == BR_ERR_LIMIT) {
        return refuse(self, client, br_why(status));
    }
    if (status == BR_OK) {
        status = dispatcher_retry(self, &wanted, &n);
    }
    if (status != BR_OK) {
        return status;
    }
    br_figure figures[] = {{"jobs", n, ""}};
    return answer(self, client, &(br_report){.ok = true, .reason = "", .figures = figures, .n_figures = 1});
}

static br_status answer_status(ranker *self, const rank_client *client)
{
    enum { OWN = 5 };
    static br_figure figures[OWN + RANKER_MAX_WORKERS * RANKER_WORKER_FIGURES];
    const br_figure own[OWN] = {
        {"ledger_offset", (double)br_follower_head(self->follower), ""},
        {"queue", self->dispatcher.queue_n + self->dispatcher.n_waiting, ""},
        {"in_flight", self->dispatcher.n_leases, ""},
        {"workers", self->dispatcher.n_workers, ""},
        {"version", 0, self->served == NULL ? "-" : self->served->version},
    };
    memcpy(figures, own, sizeof own);
    uint32_t n = OWN + dispatcher_figures(self, figures + OWN);
    return answer(self, client, &(br_report){.ok = true, .reason = "", .figures = figures, .n_figures = n});
}

br_status ranker_on_request(void *state, br_socket *socket, br_message *message)
{
    (void)socket;
    ranker *self = state;
    rank_client client = {.peer = message->peer, .request = message->request};
    if (message->type == BR_MSG_RANK_REQUEST) {
        self->look = true;
        return keep_client(self, message);
    }
    if (message->type == BR_MSG_RETRY_REQUEST) {
        return retry(self, &client, message);
    }
    if (message->type != BR_MSG_STATUS_REQUEST) {
        return refuse(self, &client, "the ranker takes RANK_REQUEST, RETRY_REQUEST and STATUS_REQUEST");
    }
    return answer_status(self, &client);
}

// --- snapshots ---

br_status ranker_follow_snapshot(ranker *self)
{
    char version[BR_VERSION_TEXT];
    br_status status = br_snapshots_served(self->snapshots, version);
    if (status != BR_OK) {
        return status;
    }
    if (version[0] == '\0' || (self->served != NULL && strcmp(version, self->served->version) == 0)) {
        return BR_OK;
    }
    br_served *served = NULL;
    br_vocabulary vocabulary = {0};
    status = br_served_load(&served, self->models, version);
    if (status == BR_OK) {
        status = br_vocabulary_init(&vocabulary, served->snapshot->encoder, self->config->explain.banned,
                                    self->config->explain.not_together);
    }
    if (status != BR_OK) {
        br_served_free(&served);
        br_log_error("RANK-SNAPSHOT-UNUSABLE", "model=%s reason=\"%s\" next=\"the one before stays\"", version,
                     br_why(status));
        return status == BR_ERR_NO_MEMORY ? status : BR_OK;
    }
    if (vocabulary.unknown.length > 0) {
        br_log_warn("RANK-FIELDS-UNKNOWN", "model=%s names=\"%s\" next=\"they forbid nothing\"", version,
                    br_buf_text(&vocabulary.unknown));
    }
    br_day_population_free(&self->population);
    br_served_free(&self->served);
    br_vocabulary_deinit(&self->vocabulary);
    self->served = served;
    self->vocabulary = vocabulary;
    br_log_info("RANK-SNAPSHOT-SERVED", "model=%s", version);
    br_service_ready(self->service);
    return BR_OK;
}

static br_status can_rank(const ranker *self, const br_market *market)
{
    return self->served == NULL ? br_fail(BR_ERR_NOT_FOUND, "no snapshot is served: bookrunner train")
                                : br_served_fits(self->served, market);
}

// --- what to do next ---

static br_status add_task(ranker *self, uint32_t bond, br_day as_of)
{
    if (self->n_tasks == self->tasks_capacity) {
        uint32_t capacity = self->tasks_capacity == 0 ? 256 : self->tasks_capacity * 2;
        rank_task *tasks = br_reallocarray(self->tasks, capacity, sizeof *tasks);
        if (tasks == NULL) {
            return br_no_memory("lists to make", capacity);
        }
        self->tasks = tasks;
        self->tasks_capacity = capacity;
    }
    self->tasks[self->n_tasks++] = (rank_task){bond, as_of};
    return BR_OK;
}

static void clear_tasks(ranker *self)
{
    self->n_tasks = 0;
    self->next_task = 0;
    self->event = 0;
    self->lists_made = 0;
    self->tasks_explain = true;
    self->tasks_owed = false;
}

static br_status add_upcoming(ranker *self, br_market *market)
{
    br_day business = br_market_business_day(market);
    const uint32_t *bonds;
    uint32_t n = 0;
    br_status status = br_market_bonds_by_issue(market, &bonds, &n);
    for (uint32_t i = 0; i < n && status == BR_OK; i++) {
        const br_bond *bond = br_market_bond(market, bonds[i]);
        if (bond->announce_day <= business && bond->issue_day > business) {
            status = add_task(self, bonds[i], business + 1);
        }
    }
    return status;
}

// Each as of its issue day, or of today while that is not reached.
static br_day day_of(const br_market *market, uint32_t bond)
{
    br_day business = br_market_business_day(market);
    br_day issue = br_market_bond(market, bond)->issue_day;
    return business != BR_DAY_NONE && business + 1 < issue ? business + 1 : issue;
}

static br_status add_range(ranker *self, br_market *market, br_day from, br_day until)
{
    const uint32_t *bonds;
    uint32_t n = 0;
    br_status status = br_market_bonds_by_issue(market, &bonds, &n);
    for (uint32_t i = 0; i < n && status == BR_OK; i++) {
        br_day day = br_market_bond(market, bonds[i])->issue_day;
        if (day >= from && day < until) {
            status = add_task(self, bonds[i], day_of(market, bonds[i]));
        }
    }
    return status;
}

static int by_day(const void *a, const void *b)
{
    const rank_task *x = a, *y = b;
    if (x->as_of != y->as_of) {
        return x->as_of < y->as_of ? -1 : 1;
    }
    return x->bond < y->bond ? -1 : x->bond > y->bond;
}

static br_status add_named(ranker *self, br_market *market, const br_rank_request *wanted)
{
    for (uint32_t i = 0; i < wanted->n_bond_ids; i++) {
        uint32_t bond = br_market_find_bond(market, wanted->bond_ids[i]);
        if (bond == BR_INDEX_NONE || br_market_bond(market, bond)->cancelled) {
            return br_fail(BR_ERR_NOT_FOUND, "no bond %s is known", wanted->bond_ids[i]);
        }
        br_status status = add_task(self, bond, day_of(market, bond));
        if (status != BR_OK) {
            return status;
        }
    }
    qsort(self->tasks, self->n_tasks, sizeof *self->tasks, by_day); // days that only go up are cheap
    return BR_OK;
}

static br_status add_wanted(ranker *self, br_market *market, const br_rank_request *wanted)
{
    const br_split *split = &self->served->snapshot->facts.split;
    switch (wanted->scope) {
    case BR_SCOPE_UPCOMING:
        return br_market_business_day(market) == BR_DAY_NONE
                   ? br_fail(BR_ERR_NOT_FOUND,
                             "no day is closed yet, so no bond is upcoming: bookrunner close-day DATE")
                   : add_upcoming(self, market);
    case BR_SCOPE_TEST_RANGE:
        return add_range(self, market, split->valid_until, split->test_until);
    case BR_SCOPE_BONDS:
        return add_named(self, market, wanted);
    case BR_SCOPE_CLOSED:
    default:
        return br_fail(BR_ERR_INVALID, "the ranker ranks upcoming bonds, the test range, or bonds by id");
    }
}

static br_status begin_client(ranker *self)
{
    br_market *market = br_follower_market(self->follower);
    rank_client *client = &self->clients[0];
    clear_tasks(self);
    self->serving = true;
    self->serving_since_ms = br_clock_ms();
    self->told_ms = 0;
    br_status status = market == NULL ? br_fail(BR_ERR_NOT_FOUND, "the ledger is empty: bookrunner import DIR")
                                      : can_rank(self, market);
    if (status == BR_OK) {
        self->tasks_explain = client->wanted.explain;
        status = add_wanted(self, market, &client->wanted);
    }
    if (status == BR_OK || status == BR_ERR_NO_MEMORY) {
        return status;
    }
    clear_tasks(self);
    status = refuse(self, client, br_why(status));
    br_arena_free(&client->arena);
    memmove(self->clients, self->clients + 1, (RANKER_MAX_REQUESTS - 1) * sizeof self->clients[0]);
    self->clients[--self->n_clients] = (rank_client){0};
    self->serving = false;
    return status;
}

// --- events of the ledger ---

static br_status move_offset(ranker *self, uint64_t offset)
{
    if (offset == self->offset) {
        return BR_OK;
    }
    br_status status = br_recommendations_begin(self->store);
    if (status == BR_OK) {
        status = br_recommendations_put_offset(self->store, offset);
        status = status == BR_OK ? br_recommendations_commit(self->store) : status;
    }
    if (status == BR_OK) {
        self->offset = offset;
    }
    return status;
}

static br_status put_owed(ranker *self, uint64_t record)
{
    br_status status = br_recommendations_begin(self->store);
    if (status == BR_OK) {
        status = br_recommendations_put_owed(self->store, record);
        status = status == BR_OK ? br_recommendations_commit(self->store) : status;
    }
    if (status == BR_OK) {
        self->owed = record;
    }
    return status;
}

// Stored, so that the first snapshot with which it can be done finds it to do whatever was killed meanwhile, and does it once.
static br_status owe_event(ranker *self, const char *reason)
{
    if (self->owed != 0) {
        return BR_OK;
    }
    uint64_t record = br_follower_head(self->follower);
    br_log_warn("RANK-EVENT-OWED",
                "record=%llu reason=\"%s\" next=\"upcoming bonds are ranked with the next snapshot\"",
                (unsigned long long)record, reason);
    return put_owed(self, record);
}

static br_status take_event(ranker *self)
{
    br_market *market = br_follower_market(self->follower);
    br_day business = br_market_business_day(market);
    clear_tasks(self);
    if (business == BR_DAY_NONE) {
        return BR_OK;
    }
    br_status able = can_rank(self, market);
    if (able != BR_OK) {
        return owe_event(self, br_why(able));
    }
    self->event = br_follower_head(self->follower);
    if (br_follower_last_kind(self->follower) == BR_ROW_CLOSE_DAY) {
        return add_upcoming(self, market);
    }
    uint32_t number = br_follower_last_bond(self->follower);
    const br_bond *bond = br_market_bond(market, number);
    // It is open on the day after the close at the latest, or the close of a later day finds it.
    bool upcoming = !bond->cancelled && bond->issue_day > business && bond->announce_day <= business + 1;
    return upcoming ? add_task(self, number, business + 1) : BR_OK;
}

static br_status step_ledger(ranker *self)
{
    uint64_t head = 0;
    br_status status = br_ledger_head(self->ledger, &head);
    if (status != BR_OK) {
        return status;
    }
    if (br_follower_head(self->follower) >= head) {
        status = move_offset(self, head);
        return status == BR_OK ? BR_ERR_AGAIN : status;
    }
    br_day_population_free(&self->population);
    status = br_follower_catch_up(self->follower, self->ledger, 0, EVENT_KINDS);
    br_row_kind kind = br_follower_last_kind(self->follower);
    if (status == BR_OK && (kind == BR_ROW_CLOSE_DAY || kind == BR_ROW_BOND)) {
        status = take_event(self);
    }
    return status;
}

// --- making a list ---

static br_status store_list(ranker *self, const br_recommendation *made, bool last)
{
    bool ends_event = last && self->event != 0;
    bool ends_owed = last && self->tasks_owed;
    br_status status = br_recommendations_begin(self->store);
    if (status != BR_OK) {
        return status;
    }
    br_hash stored;
    status = br_recommendations_put_population(self->store, br_day_population_codes(self->population),
                                               br_day_population_n(self->population),
                                               br_encoder_n_investor_fields(self->served->snapshot->encoder), &stored);
    bool is_new = false;
    if (status == BR_OK) {
        status = br_recommendations_put_list(self->store, &made->list, made->list.has_job ? &made->job : NULL, &is_new);
    }
    if (status == BR_OK && ends_event) {
        status = br_recommendations_put_offset(self->store, self->event);
    }
    if (status == BR_OK && ends_owed) {
        status = br_recommendations_put_owed(self->store, 0);
    }
    if (status != BR_OK) {
        br_recommendations_abort(self->store);
        return status;
    }
    status = br_recommendations_commit(self->store);
    if (status == BR_OK) {
        self->offset = ends_event ? self->event : self->offset;
        self->owed = ends_owed ? 0 : self->owed;
    }
    return status == BR_OK && is_new ? dispatcher_enqueue(self, &made->list.job_id, 0) : status;
}

static const char *bond_id_of(ranker *self, const rank_task *task)
{
    return br_market_bond_id(br_follower_market(self->follower), task->bond);
}

static br_status make_list(ranker *self)
{
    br_market *market = br_follower_market(self->follower);
    const rank_task *task = &self->tasks[self->next_task];
    int64_t start = br_clock_ns();
    br_status status = BR_OK;
    if (self->population == NULL) {
        status = br_day_population_new(&self->population, market, self->served);
    }
    if (status == BR_OK) {
        status = br_day_population_move(self->population, task->as_of);
    }
    br_recommendation made;
    br_hash after;
    bool is_warm = false;
    br_recommend_options options = {
        .n_top = self->config->n_top,
        .n_reasons = self->config->n_reasons,
        .objective = self->config->objective,
        .certify = self->config->certify,
        .banned = self->vocabulary.banned,
        .n_banned = self->vocabulary.n_banned,
        .apart = self->vocabulary.apart,
        .n_apart = self->vocabulary.n_apart,
        .max_evaluations = self->config->explain.max_evaluations,
        .explain = self->tasks_explain,
        .ledger_head = br_follower_market_head(self->follower),
    };
    br_arena_reset(self->arena);
    if (status == BR_OK && self->config->warm_start) {
        status = br_earlier_job(self->store, self->arena, bond_id_of(self, task), task->as_of, &after, &is_warm);
        options.after = is_warm ? &after : NULL;
    }
    if (status == BR_OK) {
        status = br_recommend(&made, self->arena, market, self->population, self->served, task->bond, &options);
    }
    self->next_task++;
    if (status == BR_OK) {
        status = store_list(self, &made, self->next_task == self->n_tasks);
    }
    if (status == BR_OK) {
        self->lists_made++;
        br_metric_add(self->lists, 1);
        br_metric_observe(self->rank_seconds, (double)(br_clock_ns() - start) * 1e-9);
        status = tell_progress(self);
    }
    return status;
}

static br_status end_tasks(ranker *self)
{
    if (self->event != 0) {
        br_log_info("RANK-EVENT-END", "record=%llu lists=%u", (unsigned long long)self->event, self->lists_made);
    }
    br_status status = self->serving ? finish_client(self) : BR_OK;
    clear_tasks(self);
    br_hint hint = {.kind = BR_HINT_RECOMMENDATIONS, .version = ""};
    return status == BR_OK ? br_hint_send(self->hints, &hint, &self->buffer) : status;
}

// The bonds of events that came before a snapshot could be used: those that are upcoming still are ranked now.
static br_status begin_owed(ranker *self, br_market *market)
{
    clear_tasks(self);
    br_status status = add_upcoming(self, market);
    self->tasks_owed = status == BR_OK && self->n_tasks > 0;
    return status == BR_OK && self->n_tasks == 0 ? put_owed(self, 0) : status;
}

br_status ranker_work(ranker *self)
{
    if (self->next_task < self->n_tasks) {
        return make_list(self);
    }
    if (self->n_tasks > 0 || self->serving) {
        return end_tasks(self);
    }
    if (!self->look) {
        return BR_ERR_AGAIN;
    }
    br_status status = ranker_follow_snapshot(self);
    if (status == BR_OK) {
        status = step_ledger(self);
    }
    if (status != BR_ERR_AGAIN) {
        return status;
    }
    br_market *market = br_follower_market(self->follower);
    if (self->owed != 0 && market != NULL && can_rank(self, market) == BR_OK) {
        return begin_owed(self, market);
    }
    if (self->n_clients > 0) {
        return begin_client(self);
    }
    self->look = false;
    return BR_ERR_AGAIN;
}
