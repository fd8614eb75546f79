#include "explainer.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

enum {
    HEARTBEAT_MS = 1000,
    DEAD_MS = 3000,       // three heartbeats missed
    ASK_AGAIN_MS = 10000, // for a part of a population block
    RECONNECT_MS = 5000,  // without a word from the dispatcher
    HUNG_MS = 10000,      // after a job had to end
};

static br_status say(explainer *self, br_message_type type)
{
    br_status status = br_socket_send(self->work, NULL, (uint16_t)type, 0,
                                      (br_span){self->buffer.data, self->buffer.length}, (br_span){0});
    // What cannot be said now is said again: READY by its timer, results by the job's next lease.
    return status == BR_ERR_AGAIN || status == BR_ERR_UNREACHABLE ? BR_OK : status;
}

static br_status say_empty(explainer *self, br_message_type type)
{
    br_buf_clear(&self->buffer);
    return say(self, type);
}

static br_status say_ready(explainer *self)
{
    const char *versions[EXPLAINER_SNAPSHOTS];
    uint32_t n = 0;
    for (size_t i = 0; i < EXPLAINER_SNAPSHOTS; i++) {
        if (self->served[i] != NULL) {
            versions[n++] = self->served[i]->version;
        }
    }
    br_ready ready = {
        .name = br_service_process_name(self->service),
        .credit = br_service_config(self->service)->work.credit,
        .engine = BR_ENGINE_VERSION,
        .versions = versions,
        .n_versions = n,
    };
    br_buf_clear(&self->buffer);
    br_status status = br_ready_pack(&ready, &self->buffer);
    return status == BR_OK ? say(self, BR_MSG_READY) : status;
}

static uint32_t n_under_work(const explainer *self)
{
    return self->current.held != NULL ? 1 : 0;
}

// Before READY whatever waits is dropped: the dispatcher has given it to others, or will. What is under work may still be the first result.
static br_status introduce(explainer *self)
{
    self->ready_ms = br_clock_ms();
    self->fetched.asked_ms = 0;
    while (self->n_jobs > n_under_work(self)) {
        br_free(self->jobs[--self->n_jobs].bytes);
    }
    return say_ready(self);
}

static br_status name_jobs(explainer *self, int64_t now)
{
    br_hash jobs[BR_MAX_HELD_JOBS];
    for (uint32_t i = 0; i < self->n_jobs; i++) {
        jobs[i] = self->jobs[i].job_id;
    }
    self->beat_ms = now;
    br_buf_clear(&self->buffer);
    br_status status = br_heartbeat_pack(&(br_heartbeat){jobs, self->n_jobs}, &self->buffer);
    return status == BR_OK ? say(self, BR_MSG_HEARTBEAT) : status;
}

static br_status reconnect(explainer *self, int64_t now)
{
    int64_t since = self->connected_ms > self->heard_ms ? self->connected_ms : self->heard_ms;
    if (now - since < RECONNECT_MS) {
        return BR_OK;
    }
    br_log_info("EXPLAIN-RECONNECT", "unheard_ms=%lld", (long long)(now - self->heard_ms));
    self->connected_ms = now;
    return br_socket_reconnect(self->work);
}

// The dispatcher forgets a worker it has not heard for DEAD_MS, and a restarted one knows nobody: whoever misses its heartbeat
// introduces itself again.
static br_status beat(void *state)
{
    explainer *self = state;
    int64_t now = br_clock_ms();
    if (self->current.held != NULL && now > self->current.until_ms + HUNG_MS) {
        return br_fail(BR_ERR_TIMEOUT, "one job hangs; its process ends, so that the others get done");
    }
    if (!br_service_draining(self->service) && now - self->heard_ms > DEAD_MS) {
        br_ready_set(false, "the ranker's dispatcher is not heard");
        br_status status = reconnect(self, now);
        return status == BR_OK ? introduce(self) : status;
    }
    return now - self->beat_ms >= HEARTBEAT_MS ? name_jobs(self, now) : BR_OK;
}

// Ask for the next part of a block that a job lacks; again when no answer has come for a time that a slow link can keep, because question or answer
// may be lost with a connection.
static br_status ask_population(explainer *self)
{
    int64_t now = br_clock_ms();
    fetched_population *wanted = explainer_fetch(self);
    if (wanted == NULL || (wanted->asked_ms != 0 && now - wanted->asked_ms < ASK_AGAIN_MS)) {
        return BR_OK;
    }
    wanted->asked_ms = now;
    br_population_get get = {.hash = wanted->info.hash, .offset = (uint32_t)wanted->n_received};
    br_buf_clear(&self->buffer);
    br_status status = br_population_get_pack(&get, &self->buffer);
    return status == BR_OK ? say(self, BR_MSG_POPULATION_GET) : status;
}

static bool holds(const explainer *self, const br_hash *job)
{
    for (uint32_t i = 0; i < self->n_jobs; i++) {
        if (br_hash_equal(&self->jobs[i].job_id, job)) {
            return true;
        }
    }
    return false;
}

static br_status on_job(explainer *self, const br_message *message)
{
    br_job job;
    br_arena_reset(self->arena);
    br_status status = br_job_unpack(&job, self->arena, message->body, message->n_body);
    if (status != BR_OK) {
        br_log_error("EXPLAIN-JOB-BAD", "reason=\"%s\" next=\"dropped\"", br_why(status));
        return status == BR_ERR_NO_MEMORY ? status : BR_OK;
    }
    if (holds(self, &job.job_id)) {
        return BR_OK; // its lease ended while it waited here: one result answers both
    }
    if (self->n_jobs == BR_MAX_HELD_JOBS) {
        br_log_warn("EXPLAIN-JOB-OVER-CREDIT", "jobs=%u next=\"dropped; its lease ends\"", self->n_jobs);
        return BR_OK;
    }
    uint8_t *bytes = br_memdup(message->body, message->n_body);
    if (bytes == NULL) {
        return br_no_memory("job bytes", message->n_body);
    }
    held_job *held = &self->jobs[self->n_jobs++];
    *held = (held_job){.bytes = bytes, .n = message->n_body, .job_id = job.job_id, .population = job.body.population};
    snprintf(held->version, sizeof held->version, "%s", job.body.version);
    return BR_OK;
}

static void remove_job(explainer *self, uint32_t at)
{
    br_free(self->jobs[at].bytes);
    memmove(self->jobs + at, self->jobs + at + 1, (self->n_jobs - at - 1) * sizeof self->jobs[0]);
    self->n_jobs--;
}

// The dispatcher does not have the block either: its jobs cannot be done.
static br_status fail_jobs_of(explainer *self, const br_hash *population)
{
    br_status status = BR_OK;
    for (uint32_t i = self->n_jobs; i > n_under_work(self) && status == BR_OK; i--) {
        if (br_hash_equal(&self->jobs[i - 1].population, population)) {
            br_result result = {.job_id = self->jobs[i - 1].job_id, .failure = "its population block is not to be had"};
            br_metric_add(self->failed, 1);
            br_buf_clear(&self->buffer);
            status = br_result_pack(&result, &self->buffer);
            status = status == BR_OK ? say(self, BR_MSG_RESULT) : status;
            remove_job(self, i - 1);
        }
    }
    return status;
}

static br_status on_population(explainer *self, const br_message *message)
{
    br_population_part part;
    br_arena_reset(self->arena);
    br_status status = br_population_part_unpack(&part, self->arena, message->body, message->n_body);
    if (status == BR_OK && part.info.n == 0) {
        return fail_jobs_of(self, &part.info.hash);
    }
    if (status == BR_OK) {
        status = explainer_take_part(self, &part, message->extra, message->n_extra);
    }
    if (status == BR_ERR_NO_MEMORY) {
        return status;
    }
    if (status != BR_OK) {
        br_log_error("EXPLAIN-POPULATION-BAD", "reason=\"%s\" next=\"dropped and fetched anew\"", br_why(status));
    }
    return BR_OK;
}

static br_status on_message(void *state, br_socket *socket, br_message *message)
{
    (void)socket;
    explainer *self = state;
    self->heard_ms = br_clock_ms();
    br_ready_set(true, "");
    switch (message->type) {
    case BR_MSG_JOB:
        return br_service_draining(self->service) ? BR_OK : on_job(self, message);
    case BR_MSG_POPULATION:
        return on_population(self, message);
    case BR_MSG_INTRODUCE: {
        // Each message to a restarted dispatcher is answered with this one; a READY that was just sent answers them all.
        bool said = self->heard_ms - self->ready_ms < HEARTBEAT_MS;
        return br_service_draining(self->service) || said ? BR_OK : introduce(self);
    }
    case BR_MSG_RESULT_ACK:
    case BR_MSG_HEARTBEAT:
        return BR_OK;
    default:
        br_log_warn("EXPLAIN-MESSAGE-UNKNOWN", "type=%u next=\"dropped\"", message->type);
        return BR_OK;
    }
}

static br_status finish_job(explainer *self)
{
    const job_work *work = &self->current;
    br_metric_add(work->n_explained > 0 ? self->done : self->failed, 1);
    br_metric_add(self->explained, work->n_explained);
    br_metric_observe(self->seconds, work->seconds);
    remove_job(self, 0);
    br_buf_clear(&self->buffer);
    br_buf_append(&self->buffer, work->result.data, work->result.length);
    return self->buffer.failed ? br_no_memory("result bytes", work->result.length) : say(self, BR_MSG_RESULT);
}

// The first job whose population is there goes to the front and is begun.
static br_status begin_next(explainer *self)
{
    for (uint32_t i = 0; i < self->n_jobs; i++) {
        const held_population *population = explainer_find_population(self, &self->jobs[i].population);
        if (population != NULL) {
            held_job next = self->jobs[i];
            memmove(self->jobs + 1, self->jobs, i * sizeof next);
            self->jobs[0] = next;
            return explainer_begin_work(self, population);
        }
    }
    return BR_OK;
}

static br_status work_next(void *state)
{
    explainer *self = state;
    br_status status = explainer_end_work(self);
    if (status == BR_OK) {
        status = finish_job(self);
    }
    if (status != BR_OK && status != BR_ERR_AGAIN) {
        return status;
    }
    if (br_service_draining(self->service) && self->n_jobs == 0) {
        br_service_finish(self->service);
        return BR_OK;
    }
    status = ask_population(self);
    if (status == BR_OK && self->current.held == NULL) {
        status = begin_next(self);
    }
    return status == BR_OK ? BR_ERR_AGAIN : status; // a message, the end of the job or a timer come next
}

static br_status on_wake(void *state)
{
    br_status status = work_next(state);
    return status == BR_ERR_AGAIN ? BR_OK : status;
}

static br_status open_work(explainer *self)
{
    const br_config *config = br_service_config(self->service);
    if (config->work.connect[0] == '\0') {
        return br_service_local_socket(self->service, &self->work, BR_SOCKET_DEALER, "work", false, on_message);
    }
    br_status status = br_curve_load_client(&self->curve, config->work.keys);
    if (status != BR_OK) {
        return status;
    }
    return br_service_socket(self->service, &self->work,
                             &(br_socket_options){
                                 .kind = BR_SOCKET_DEALER,
                                 .endpoint = config->work.connect,
                                 .curve = &self->curve,
                                 .max_message_bytes = BR_MAX_FRAME_BYTES,
                             },
                             on_message);
}

static void register_metrics(explainer *self)
{
    static const char name[] = "bookrunner_messages_total";
    static const char help[] = "Messages worked, by what became of them.";
    self->done = br_counter(name, help, "stage=\"explain\",outcome=\"done\"");
    self->failed = br_counter(name, help, "stage=\"explain\",outcome=\"failed\"");
    self->explained = br_counter("bookrunner_explanations_total", "Explanations made.", "");
    self->seconds =
        br_histogram_seconds("bookrunner_explain_job_duration_seconds", "Time of one job: one bond's list.", "");
}

static br_status start(br_service *service, void *state)
{
    explainer *self = state;
    self->service = service;
    register_metrics(self);
    br_status status = br_place_path(self->models, br_service_directory(service), BR_PLACE_MODELS);
    if (status == BR_OK) {
        status = br_arena_new(&self->arena, BR_UNPACK_BYTES);
    }
    if (status == BR_OK) {
        status = open_work(self);
    }
    if (status == BR_OK) {
        status = br_service_timer(service, HEARTBEAT_MS / 2, beat);
    }
    if (status != BR_OK) {
        return status;
    }
    self->heard_ms = br_clock_ms();
    br_service_on_wake(service, on_wake);
    br_service_idle(service, work_next);
    return introduce(self);
}

static void drain(void *state)
{
    explainer *self = state;
    br_status status = say_empty(self, BR_MSG_STOPPING);
    if (status != BR_OK || self->n_jobs == 0) {
        br_service_finish(self->service);
    }
}

static void stop(void *state)
{
    explainer *self = state;
    explainer_stop_work(self);
    explainer_forget_all(self);
    br_arena_free(&self->arena);
    br_buf_deinit(&self->buffer);
}

int main(int argc, char **argv)
{
    return br_service_main(argc, argv,
                           &(br_service_definition){
                               .name = "explainer",
                               .description = "explains recommendations; any number may run",
                               .state_bytes = sizeof(explainer),
                               .start = start,
                               .drain = drain,
                               .stop = stop,
                               .many = true,
                           });
}
