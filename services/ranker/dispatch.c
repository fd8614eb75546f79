#include "ranker.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

enum {
    HEARTBEAT_MS = 1000,
    DEAD_MS = 3000, // three heartbeats missed
    MAX_MESSAGE_BYTES = 64 << 20,
    STARTUP_TODO = 4096, // to-do entries read at once
};

static bool same_peer(const br_peer *a, const br_peer *b)
{
    return a->n == b->n && memcmp(a->id, b->id, a->n) == 0;
}

static worker *find_worker(dispatcher *d, const br_peer *peer)
{
    for (uint32_t i = 0; i < d->n_workers; i++) {
        if (same_peer(&d->workers[i].peer, peer)) {
            return &d->workers[i];
        }
    }
    return NULL;
}

// Workers come in over the local and, if configured, the remote socket; a peer is known on one of them.
static br_status say(ranker *self, const br_peer *peer, br_message_type type, br_span body, br_span extra)
{
    br_status status = br_socket_send(self->work, peer, (uint16_t)type, 0, body, extra);
    if (status == BR_ERR_UNREACHABLE && self->remote_work != NULL) {
        status = br_socket_send(self->remote_work, peer, (uint16_t)type, 0, body, extra);
    }
    worker *to = find_worker(&self->dispatcher, peer);
    if (status == BR_OK && to != NULL) {
        to->said_ms = br_clock_ms();
    }
    return status;
}

static void count_gauges(dispatcher *d)
{
    br_metric_set(d->depth, d->queue_n + d->n_waiting);
    br_metric_set(d->in_flight, d->n_leases);
    br_metric_set(d->workers_gauge, d->n_workers);
}

static br_status commit_results(ranker *self);

// --- the queue: job ids in memory, the truth in the store ---

static br_status grow_queue(dispatcher *d)
{
    uint32_t capacity = d->queue_capacity == 0 ? 1024 : d->queue_capacity * 2;
    queued_job *queue = br_calloc(capacity, sizeof *queue);
    if (queue == NULL) {
        return br_no_memory("queued jobs", capacity);
    }
    for (uint32_t i = 0; i < d->queue_n; i++) {
        queue[i] = d->queue[(d->queue_first + i) % d->queue_capacity];
    }
    br_free(d->queue);
    d->queue = queue;
    d->queue_first = 0;
    d->queue_capacity = capacity;
    return BR_OK;
}

br_status dispatcher_enqueue(ranker *self, const br_hash *job, uint32_t attempts)
{
    dispatcher *d = &self->dispatcher;
    br_status status = d->queue_n == d->queue_capacity ? grow_queue(d) : BR_OK;
    if (status == BR_OK) {
        d->queue[(d->queue_first + d->queue_n++) % d->queue_capacity] = (queued_job){*job, attempts};
        count_gauges(d);
    }
    return status;
}

static queued_job take_from_queue(dispatcher *d)
{
    queued_job job = d->queue[d->queue_first];
    d->queue_first = (d->queue_first + 1) % d->queue_capacity;
    d->queue_n--;
    return job;
}

// --- jobs that wait for the one whose reasons they begin with ---

static br_status park(ranker *self, const queued_job *job, const br_hash *after)
{
    dispatcher *d = &self->dispatcher;
    if (d->n_waiting == d->waiting_capacity) {
        uint32_t capacity = d->waiting_capacity == 0 ? 64 : d->waiting_capacity * 2;
        waiting_job *waiting = br_reallocarray(d->waiting, capacity, sizeof *waiting);
        if (waiting == NULL) {
            return br_no_memory("waiting jobs", capacity);
        }
        d->waiting = waiting;
        d->waiting_capacity = capacity;
    }
    d->waiting[d->n_waiting++] = (waiting_job){*job, *after};
    count_gauges(d);
    return BR_OK;
}

// `ended` is done or dead.
static br_status release(ranker *self, const br_hash *ended)
{
    dispatcher *d = &self->dispatcher;
    br_status status = BR_OK;
    for (uint32_t i = 0; i < d->n_waiting && status == BR_OK;) {
        if (br_hash_equal(&d->waiting[i].after, ended)) {
            queued_job job = d->waiting[i].job;
            d->waiting[i] = d->waiting[--d->n_waiting];
            status = dispatcher_enqueue(self, &job.job, job.attempts);
        } else {
            i++;
        }
    }
    return status;
}

static br_status bury(ranker *self, const br_hash *job, uint32_t attempts, const char *reason)
{
    br_dead_job dead = {.job_id = *job, .reason = reason, .attempts = attempts};
    br_status status = br_recommendations_begin(self->store);
    if (status == BR_OK) {
        status = br_recommendations_put_dead(self->store, &dead);
        status = status == BR_OK ? br_recommendations_commit(self->store) : status;
    }
    char text[BR_HASH_TEXT];
    br_hash_text(job, text);
    br_metric_add(self->dispatcher.dead, 1);
    br_log_error("DISPATCH-DEAD-LETTER", "job=%s attempts=%u reason=\"%s\" next=\"kept aside; others go on\"", text,
                 attempts, reason);
    return status == BR_OK ? release(self, job) : status;
}

static br_status redeliver(ranker *self, const br_hash *job, uint32_t attempts, const char *reason)
{
    if (attempts >= self->config->work.max_attempts) {
        return bury(self, job, attempts, reason);
    }
    br_metric_add(self->dispatcher.redelivered, 1);
    br_log_info("DISPATCH-REDELIVER", "attempts=%u reason=\"%s\"", attempts, reason);
    return dispatcher_enqueue(self, job, attempts);
}

// --- leases ---

static void drop_lease(dispatcher *d, uint32_t at)
{
    worker *holder = find_worker(d, &d->leases[at].peer);
    if (holder != NULL) {
        holder->held--;
    }
    d->leases[at] = d->leases[--d->n_leases];
}

static void end_lease_of(dispatcher *d, const br_hash *job)
{
    for (uint32_t i = 0; i < d->n_leases; i++) {
        if (br_hash_equal(&d->leases[i].job, job)) {
            drop_lease(d, i);
            return;
        }
    }
}

// An explainer works its jobs one after the other, each for max_work_ms at most: what it names it may hold for as long as all of them take.
static lease lease_of(const ranker *self, const worker *to, const queued_job *queued, uint32_t attempt)
{
    const br_work_config *config = &self->config->work;
    int64_t now = br_clock_ms();
    return (lease){.job = queued->job,
                   .attempt = attempt,
                   .ends_ms = now + config->lease_ms,
                   .most_ms = now + (int64_t)config->max_work_ms * (to->credit + 1),
                   .peer = to->peer};
}

static void prolong(ranker *self, const br_peer *peer, const br_hash *job)
{
    dispatcher *d = &self->dispatcher;
    int64_t ends_ms = br_clock_ms() + self->config->work.lease_ms;
    for (uint32_t i = 0; i < d->n_leases; i++) {
        lease *held = &d->leases[i];
        if (br_hash_equal(&held->job, job) && same_peer(&held->peer, peer)) {
            held->ends_ms = ends_ms < held->most_ms ? ends_ms : held->most_ms;
            return;
        }
    }
}

static br_status take_back(ranker *self, uint32_t at, const char *reason)
{
    lease ended = self->dispatcher.leases[at];
    drop_lease(&self->dispatcher, at);
    return redeliver(self, &ended.job, ended.attempt, reason);
}

// `blameless`: the worker lives and has dropped what it held, so that nothing speaks against its jobs.
static br_status forget_worker(ranker *self, worker *gone, const char *reason, bool blameless)
{
    dispatcher *d = &self->dispatcher;
    br_peer peer = gone->peer;
    br_log_info("DISPATCH-WORKER-GONE", "worker=%s held=%u reason=\"%s\"", gone->name, gone->held, reason);
    br_status status = commit_results(self); // a job that is given up needs a transaction of its own
    for (uint32_t i = 0; i < d->n_leases && status == BR_OK;) {
        if (same_peer(&d->leases[i].peer, &peer)) {
            d->leases[i].attempt -= blameless ? 1 : 0;
            status = take_back(self, i, reason);
        } else {
            i++;
        }
    }
    *find_worker(d, &peer) = d->workers[d->n_workers - 1];
    d->n_workers--;
    count_gauges(d);
    return status;
}

// --- dealing out ---

static worker *most_free(dispatcher *d)
{
    worker *best = NULL;
    for (uint32_t i = 0; i < d->n_workers; i++) {
        worker *w = &d->workers[i];
        if (w->held < w->credit && (best == NULL || w->held < best->held)) {
            best = w;
        }
    }
    return best;
}

// What the job before selected; BR_ERR_AGAIN while that is to do. What cannot be read any more is no reason to do without an explanation.
static br_status read_earlier(ranker *self, const br_job_body *body, br_earlier *out)
{
    br_status status = br_earlier_read(out, &self->dispatcher.earlier, self->dispatcher.arena, body,
                                       body->has_after ? &body->after : NULL);
    if (status == BR_OK || status == BR_ERR_AGAIN || status == BR_ERR_NO_MEMORY || status == BR_ERR_IO) {
        return status;
    }
    br_log_warn("DISPATCH-EARLIER-UNREADABLE", "reason=\"%s\" next=\"the reasons are found without\"", br_why(status));
    *out = (br_earlier){.as_of = BR_DAY_NONE};
    return BR_OK;
}

// The message into d->buffer. BR_ERR_AGAIN: it waits for job.body.after.
static br_status pack_job(ranker *self, br_job *job)
{
    dispatcher *d = &self->dispatcher;
    br_earlier earlier;
    br_arena_reset(d->arena);
    br_buf_clear(&d->buffer);
    br_status status = br_recommendations_job(self->store, d->arena, &job->job_id, &job->body);
    if (status == BR_OK) {
        status = read_earlier(self, &job->body, &earlier);
    }
    if (status == BR_OK) {
        status = br_earlier_start(&job->warm_start, d->arena, &earlier);
    }
    return status == BR_OK ? br_job_pack(job, &d->buffer) : status;
}

static br_status send_job(ranker *self, worker *to, const queued_job *queued)
{
    dispatcher *d = &self->dispatcher;
    br_job job = {.job_id = queued->job, .attempt = queued->attempts + 1, .lease_ms = self->config->work.lease_ms};
    br_status status = pack_job(self, &job);
    if (status == BR_ERR_AGAIN) {
        return park(self, queued, &job.body.after);
    }
    if (status == BR_ERR_CORRUPT || status == BR_ERR_INVALID || status == BR_ERR_LIMIT) {
        return bury(self, &queued->job, queued->attempts,
                    br_why(status)); // it would stop every ranker after this one, too
    }
    if (status != BR_OK) {
        return status;
    }
    if (job.attempt > 1) { // a job that kills its workers is found out even if it takes the ranker along
        status = br_recommendations_begin(self->store);
        if (status == BR_OK) {
            status = br_recommendations_put_attempt(self->store, &queued->job, job.attempt);
            status = status == BR_OK ? br_recommendations_commit(self->store) : status;
        }
        if (status != BR_OK) {
            return status;
        }
    }
    br_peer peer = to->peer;
    status = say(self, &peer, BR_MSG_JOB, br_span_of(&d->buffer), (br_span){0});
    if (status == BR_ERR_UNREACHABLE || status == BR_ERR_AGAIN) {
        status = forget_worker(self, to, br_status_name(status), false);
        return status == BR_OK ? dispatcher_enqueue(self, &queued->job, queued->attempts) : status;
    }
    if (status == BR_OK) {
        d->leases[d->n_leases++] = lease_of(self, to, queued, job.attempt);
        to->held++;
        count_gauges(d);
    }
    return status;
}

static br_status deal_out(ranker *self)
{
    dispatcher *d = &self->dispatcher;
    br_status status = BR_OK;
    while (status == BR_OK && d->queue_n > 0 && d->n_leases < RANKER_MAX_LEASES) {
        worker *to = most_free(d);
        if (to == NULL) {
            return BR_OK;
        }
        queued_job queued = take_from_queue(d);
        bool todo = false;
        status = br_recommendations_is_todo(self->store, &queued.job, &todo);
        if (status == BR_OK && todo) { // a late result may have come while it waited here
            status = send_job(self, to, &queued);
        }
    }
    return status;
}

// --- results ---

static br_status commit_results(ranker *self)
{
    dispatcher *d = &self->dispatcher;
    if (!d->open) {
        return BR_OK;
    }
    d->open = false;
    br_status status = br_recommendations_commit(self->store);
    for (uint32_t i = 0; i < d->n_acks && status == BR_OK; i++) {
        br_result_ack ack = {.job_id = d->acks[i].job};
        br_buf_clear(&d->buffer);
        status = br_result_ack_pack(&ack, &d->buffer);
        if (status == BR_OK) {
            status = release(self, &ack.job_id);
        }
        if (status == BR_OK) {
            br_status sent = say(self, &d->acks[i].peer, BR_MSG_RESULT_ACK, br_span_of(&d->buffer), (br_span){0});
            (void)sent; // the worker keeps nothing that waits for it
        }
    }
    d->n_acks = 0;
    return status;
}

static br_status count_stability(ranker *self, const br_job_body *job, const br_result *result)
{
    br_earlier earlier;
    uint32_t n = 0;
    br_status status = read_earlier(self, job, &earlier);
    if (status == BR_OK) {
        double mean = br_earlier_stability(&earlier, result, &n);
        br_metric_add(self->dispatcher.compared, n);
        br_metric_add(self->dispatcher.jaccard, n > 0 ? mean * n : 0.0);
    }
    return status == BR_ERR_AGAIN ? BR_OK : status; // it is to do again
}

static br_status take_result(ranker *self, const br_peer *peer, const br_job_body *job, const br_result *result)
{
    dispatcher *d = &self->dispatcher;
    end_lease_of(d, &result->job_id);
    if (!d->open) {
        br_status status = br_recommendations_begin(self->store);
        if (status != BR_OK) {
            return status;
        }
        d->open = true;
    }
    bool first = false;
    br_status status = br_recommendations_put_result(self->store, result, &first);
    if (status != BR_OK) {
        return status;
    }
    if (first) {
        br_metric_add(d->done, 1);
        status = count_stability(self, job, result);
    }
    d->acks[d->n_acks++] = (pending_ack){*peer, result->job_id};
    count_gauges(d);
    return status == BR_OK && d->n_acks == RANKER_MAX_LEASES ? commit_results(self) : status;
}

// --- dead letters ---

static br_status note_dead(void *context, const br_dead_job *dead)
{
    br_buf *jobs = context;
    br_buf_append(jobs, &dead->job_id, sizeof dead->job_id);
    return jobs->failed ? br_no_memory("dead jobs", jobs->length / sizeof dead->job_id) : BR_OK;
}

// Those of `jobs` that are dead stay in it, *n_io of them.
static br_status put_again(ranker *self, br_hash *jobs, uint32_t *n_io)
{
    br_status status = br_recommendations_begin(self->store);
    if (status != BR_OK) {
        return status;
    }
    uint32_t n = 0;
    for (uint32_t i = 0; i < *n_io && status == BR_OK; i++) {
        bool again = false;
        status = br_recommendations_put_again(self->store, &jobs[i], &again);
        if (again) {
            jobs[n++] = jobs[i];
        }
    }
    if (status != BR_OK) {
        br_recommendations_abort(self->store);
        return status;
    }
    *n_io = n;
    return br_recommendations_commit(self->store);
}

br_status dispatcher_retry(ranker *self, const br_retry_request *wanted, uint32_t *n_out)
{
    BR_AUTO_DEINIT(br_buf) found = {0};
    br_status status = commit_results(self);
    if (status == BR_OK && wanted->all) {
        status = br_recommendations_visit_dead(self->store, note_dead, &found);
    } else if (status == BR_OK) {
        status = note_dead(&found, &(br_dead_job){.job_id = wanted->job_id});
    }
    br_hash *jobs = (br_hash *)(void *)found.data;
    uint32_t n = (uint32_t)(found.length / sizeof *jobs);
    if (status == BR_OK) {
        status = put_again(self, jobs, &n);
    }
    for (uint32_t i = 0; i < n && status == BR_OK; i++) {
        status = dispatcher_enqueue(self, &jobs[i], 0);
    }
    if (status == BR_OK) {
        br_log_info("DISPATCH-RETRY", "jobs=%u", n);
        *n_out = n;
    }
    return status;
}

// A worker's word is taken only as far as it fits the job: one explanation per investor, in the job's order.
static bool fits_job(const br_result *result, const br_job_body *job)
{
    if (result->n_explanations != job->n_investors) {
        return false;
    }
    for (uint32_t i = 0; i < job->n_investors; i++) {
        const br_explanation *explanation = &result->explanations[i];
        if (explanation->investor != job->investors[i] || explanation->n_reasons != job->n_reasons) {
            return false;
        }
    }
    return true;
}

static br_status on_result(ranker *self, const br_message *message)
{
    dispatcher *d = &self->dispatcher;
    br_result result;
    br_job_body job;
    br_arena_reset(d->arena);
    br_status status = br_result_unpack(&result, d->arena, message->body, message->n_body);
    if (status == BR_OK) {
        status = br_recommendations_job(self->store, d->arena, &result.job_id, &job);
    }
    if (status == BR_ERR_INVALID || status == BR_ERR_NOT_FOUND || status == BR_ERR_LIMIT) {
        br_log_warn("DISPATCH-RESULT-BAD", "reason=\"%s\" next=\"dropped; the job's lease ends\"", br_why(status));
        return BR_OK;
    }
    if (status != BR_OK) {
        return status;
    }
    bool failed = result.failure[0] != '\0';
    if (!failed && fits_job(&result, &job)) {
        return take_result(self, &message->peer, &job, &result);
    }
    br_metric_add(d->failed, 1);
    for (uint32_t i = 0; i < d->n_leases; i++) {
        if (br_hash_equal(&d->leases[i].job, &result.job_id) && same_peer(&d->leases[i].peer, &message->peer)) {
            status = commit_results(self);
            return status == BR_OK ? take_back(self, i, failed ? result.failure : "the result does not fit the job")
                                   : status;
        }
    }
    return BR_OK;
}

// --- workers ---

static br_status on_ready(ranker *self, const br_message *message)
{
    dispatcher *d = &self->dispatcher;
    br_ready ready;
    br_arena_reset(d->arena);
    br_status status = br_ready_unpack(&ready, d->arena, message->body, message->n_body);
    if (status != BR_OK || ready.engine != BR_ENGINE_VERSION) {
        br_log_warn("DISPATCH-WORKER-REFUSED", "reason=\"%s\"",
                    status != BR_OK ? br_why(status) : "another engine version");
        return status == BR_ERR_NO_MEMORY ? status : BR_OK;
    }
    worker *known = find_worker(d, &message->peer);
    if (known != NULL) { // it says READY again because it has dropped what it held
        status = forget_worker(self, known, "introduced itself again", true);
    }
    if (status != BR_OK || d->n_workers == RANKER_MAX_WORKERS) {
        return status;
    }
    worker *added = &d->workers[d->n_workers++];
    *added = (worker){.peer = message->peer, .credit = ready.credit, .heard_ms = br_clock_ms()};
    snprintf(added->name, sizeof added->name, "%s", ready.name);
    br_log_info("DISPATCH-WORKER-READY", "worker=%s credit=%u workers=%u", added->name, added->credit, d->n_workers);
    count_gauges(d);
    br_status sent = say(self, &message->peer, BR_MSG_HEARTBEAT, (br_span){0}, (br_span){0});
    return sent == BR_ERR_AGAIN || sent == BR_ERR_UNREACHABLE ? BR_OK : sent;
}

static br_status on_heartbeat(ranker *self, const br_message *message)
{
    br_heartbeat heartbeat;
    br_arena_reset(self->dispatcher.arena);
    br_status status = br_heartbeat_unpack(&heartbeat, self->dispatcher.arena, message->body, message->n_body);
    if (status != BR_OK) {
        br_log_warn("DISPATCH-MESSAGE-BAD", "reason=\"%s\" next=\"dropped\"", br_why(status));
        return status == BR_ERR_NO_MEMORY ? status : BR_OK;
    }
    for (uint32_t i = 0; i < heartbeat.n_jobs; i++) {
        prolong(self, &message->peer, &heartbeat.jobs[i]);
    }
    return BR_OK;
}

static br_status read_block(ranker *self, const br_hash *hash)
{
    dispatcher *d = &self->dispatcher;
    if (d->block != NULL && br_hash_equal(&d->block_info.hash, hash)) {
        return BR_OK;
    }
    br_free(d->block);
    d->block = NULL;
    return br_recommendations_get_population(self->store, hash, &d->block, &d->block_info);
}

static br_status send_part(ranker *self, const br_peer *peer, const br_population_part *part, br_span bytes)
{
    dispatcher *d = &self->dispatcher;
    br_buf_clear(&d->buffer);
    br_status status = br_population_part_pack(part, &d->buffer);
    if (status == BR_OK) {
        br_status sent = say(self, peer, BR_MSG_POPULATION, br_span_of(&d->buffer), bytes);
        (void)sent; // a worker that is gone asks again when it is back
    }
    return status;
}

static br_status on_population_get(ranker *self, const br_message *message)
{
    dispatcher *d = &self->dispatcher;
    br_population_get get;
    br_arena_reset(d->arena);
    br_status status = br_population_get_unpack(&get, d->arena, message->body, message->n_body);
    if (status == BR_OK) {
        status = read_block(self, &get.hash);
    }
    if (status == BR_ERR_NOT_FOUND) {
        br_log_warn("DISPATCH-POPULATION-UNKNOWN", "reason=\"%s\" next=\"the job fails\"", br_why(status));
        return send_part(self, &message->peer, &(br_population_part){.info.hash = get.hash}, (br_span){0});
    }
    size_t n = status == BR_OK ? (size_t)d->block_info.n * d->block_info.n_investor_fields : 0;
    if (status == BR_OK && get.offset >= n) {
        status = br_fail(BR_ERR_INVALID, "the part from byte %u of a block of %zu", get.offset, n);
    }
    if (status == BR_ERR_INVALID) {
        br_log_warn("DISPATCH-MESSAGE-BAD", "reason=\"%s\" next=\"dropped\"", br_why(status));
        return BR_OK;
    }
    if (status != BR_OK) {
        return status;
    }
    size_t rest = n - get.offset;
    return send_part(self, &message->peer, &(br_population_part){d->block_info, get.offset},
                     (br_span){d->block + get.offset, rest < BR_MAX_PART_BYTES ? rest : BR_MAX_PART_BYTES});
}

br_status dispatcher_on_message(void *state, br_socket *socket, br_message *message)
{
    ranker *self = state;
    worker *from = find_worker(&self->dispatcher, &message->peer);
    if (from != NULL) {
        from->heard_ms = br_clock_ms();
    } else if (message->type != BR_MSG_READY) {
        // After a restart nobody is known; whoever speaks first is asked to introduce itself.
        br_status sent = br_socket_send(socket, &message->peer, BR_MSG_INTRODUCE, 0, (br_span){0}, (br_span){0});
        (void)sent; // it will say READY by itself when it hears nothing
    }
    switch (message->type) {
    case BR_MSG_READY:
        return on_ready(self, message);
    case BR_MSG_RESULT:
        return on_result(self, message);
    case BR_MSG_POPULATION_GET:
        return on_population_get(self, message);
    case BR_MSG_STOPPING:
        if (from != NULL) {
            from->credit = 0; // it finishes what it holds
        }
        return BR_OK;
    case BR_MSG_HEARTBEAT:
        return on_heartbeat(self, message);
    default:
        br_log_warn("DISPATCH-MESSAGE-UNKNOWN", "type=%u next=\"dropped\"", message->type);
        return BR_OK;
    }
}

br_status dispatcher_work(ranker *self)
{
    br_status status = commit_results(self);
    return status == BR_OK ? deal_out(self) : status;
}

uint32_t dispatcher_figures(const ranker *self, br_figure out[RANKER_MAX_WORKERS * RANKER_WORKER_FIGURES])
{
    const dispatcher *d = &self->dispatcher;
    int64_t now = br_clock_ms();
    uint32_t n = 0;
    for (uint32_t i = 0; i < d->n_workers; i++) {
        const worker *w = &d->workers[i];
        out[n++] = (br_figure){"worker", 0, w->name[0] == '\0' ? "?" : w->name};
        out[n++] = (br_figure){"credit", w->credit, ""};
        out[n++] = (br_figure){"held", w->held, ""};
        out[n++] = (br_figure){"heard_ms", (double)(now - w->heard_ms), ""};
        out[n++] = (br_figure){"engine", BR_ENGINE_VERSION, ""}; // others are refused
    }
    return n;
}

static br_status end_late_leases(ranker *self, int64_t now)
{
    dispatcher *d = &self->dispatcher;
    br_status status = BR_OK;
    for (uint32_t i = 0; i < d->n_leases && status == BR_OK;) {
        if (now > d->leases[i].ends_ms) {
            status = take_back(self, i, "its lease ended");
        } else {
            i++;
        }
    }
    return status;
}

br_status dispatcher_tick(void *state)
{
    ranker *self = state;
    dispatcher *d = &self->dispatcher;
    int64_t now = br_clock_ms();
    br_status status = commit_results(self);
    for (uint32_t i = 0; i < d->n_workers && status == BR_OK;) {
        worker *w = &d->workers[i];
        if (now - w->heard_ms > DEAD_MS) {
            status = forget_worker(self, w, "no heartbeat for 3 s", false);
            continue;
        }
        if (now - w->said_ms >= HEARTBEAT_MS) {
            br_peer peer = w->peer;
            br_status sent = say(self, &peer, BR_MSG_HEARTBEAT, (br_span){0}, (br_span){0});
            if (sent == BR_ERR_UNREACHABLE) {
                status = forget_worker(self, w, "its connection is gone", false);
                continue;
            }
        }
        i++;
    }
    return status == BR_OK ? end_late_leases(self, now) : status;
}

// --- start and stop ---

static br_status load_todo(ranker *self)
{
    br_hash *jobs = br_calloc(STARTUP_TODO, sizeof *jobs);
    uint32_t *attempts = br_calloc(STARTUP_TODO, sizeof *attempts);
    br_status status = jobs == NULL || attempts == NULL ? br_no_memory("to-do entries", STARTUP_TODO) : BR_OK;
    uint64_t after = 0;
    uint32_t n = STARTUP_TODO;
    while (status == BR_OK && n == STARTUP_TODO) {
        status = br_recommendations_todo(self->store, &after, jobs, attempts, STARTUP_TODO, &n);
        for (uint32_t i = 0; i < n && status == BR_OK; i++) {
            status = dispatcher_enqueue(self, &jobs[i], attempts[i]);
        }
    }
    br_free(jobs);
    br_free(attempts);
    return status;
}

static void register_metrics(dispatcher *d)
{
    static const char messages[] = "bookrunner_messages_total";
    static const char messages_help[] = "Messages worked, by what became of them.";
    d->done = br_counter(messages, messages_help, "stage=\"dispatch\",outcome=\"done\"");
    d->failed = br_counter(messages, messages_help, "stage=\"dispatch\",outcome=\"failed\"");
    d->depth = br_gauge("bookrunner_queue_depth", "Jobs that wait for a worker.", "stage=\"explain\"");
    d->in_flight = br_gauge("bookrunner_messages_in_flight", "Jobs that workers hold.", "stage=\"explain\"");
    d->redelivered = br_counter("bookrunner_redeliveries_total", "Jobs dealt out again.", "stage=\"explain\"");
    d->dead = br_counter("bookrunner_dead_letters_total", "Jobs given up.", "stage=\"explain\"");
    d->compared = br_counter("bookrunner_explanations_compared_total",
                             "Explanations of investors who had one in the bond's list before.", "");
    d->jaccard = br_counter("bookrunner_explanations_jaccard_total",
                            "Sum over them of the Jaccard index of the reasons with those before.", "");
    d->workers_gauge = br_gauge("bookrunner_explainers", "Explainers that are known and alive.", "");
}

static br_status open_remote(ranker *self)
{
    const br_work_config *work = &self->config->work;
    if (work->listen[0] == '\0') {
        return BR_OK;
    }
    br_status status = br_curve_load_server(&self->curve, work->keys);
    return status != BR_OK
               ? status
               : br_service_socket(self->service, &self->remote_work,
                                   &(br_socket_options){.kind = BR_SOCKET_ROUTER,
                                                        .endpoint = work->listen,
                                                        .bind = true,
                                                        .curve = &self->curve,
                                                        .max_message_bytes = br_message_max_bytes(BR_MSG_RESULT)},
                                   dispatcher_on_message);
}

br_status dispatcher_start(ranker *self)
{
    register_metrics(&self->dispatcher);
    self->dispatcher.earlier = (br_earlier_reader){.store = self->store, .models = self->models};
    br_status status = br_arena_new(&self->dispatcher.arena, MAX_MESSAGE_BYTES);
    if (status == BR_OK) {
        status = load_todo(self);
    }
    if (status == BR_OK) {
        status =
            br_service_local_socket(self->service, &self->work, BR_SOCKET_ROUTER, "work", true, dispatcher_on_message);
    }
    if (status == BR_OK) {
        status = open_remote(self);
    }
    return status == BR_OK ? br_service_timer(self->service, HEARTBEAT_MS / 4, dispatcher_tick) : status;
}

void dispatcher_stop(ranker *self)
{
    dispatcher *d = &self->dispatcher;
    if (d->open) {
        br_recommendations_abort(self->store);
    }
    br_curve_deinit(&self->curve);
    br_free(d->queue);
    br_free(d->waiting);
    br_free(d->block);
    br_earlier_reader_deinit(&d->earlier);
    br_arena_free(&d->arena);
    br_buf_deinit(&d->buffer);
}
