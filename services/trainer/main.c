#include "trainer.h"

#include "base/clock.h"
#include "base/log.h"
#include "linalg/gemm.h"

#include <stdio.h>
#include <string.h>

enum { MAX_REQUEST_BYTES = 1 << 20 };

typedef struct trainer {
    br_service *service;
    br_ledger *ledger;       // the training's while one runs
    br_snapshots *snapshots; // the training's while one runs
    br_snapshots *registry;  // the loop's own, because a handle is used by one thread at a time
    br_socket *requests, *hints;
    char models[BR_PATH_BYTES];
    br_arena *arena;
    br_buf buffer;
    br_task task;
    training training;
    br_metric *trained, *refused, *failed, *seconds, *last_success;
} trainer;

static br_status answer(trainer *self, const br_peer *peer, uint64_t request, const br_report *report)
{
    return br_report_send(self->requests, peer, request, report, &self->buffer);
}

static br_status refuse(trainer *self, const br_message *message, const char *reason)
{
    return answer(self, &message->peer, message->request, &(br_report){.ok = false, .reason = reason});
}

static br_status announce(trainer *self, const char *version)
{
    br_hint hint = {.kind = BR_HINT_SNAPSHOT, .version = version};
    return br_hint_send(self->hints, &hint, &self->buffer);
}

// --- a training and its end ---

static void run(void *argument)
{
    training_run(argument);
}

// The same request over the same data gives the same snapshot, so that a client may ask twice.
static br_status begin(trainer *self, const br_message *message, const br_train_request *wanted)
{
    self->training = (training){
        .config = br_service_config(self->service),
        .ledger = self->ledger,
        .snapshots = self->snapshots,
        .models = self->models,
        .wanted = *wanted,
        .task = &self->task,
    };
    static const char *const modes[] = {"?", "static", "before", "daily", "warm"};
    br_log_info("TRAIN-BEGIN", "mode=%s seed=%llu", modes[wanted->mode], (unsigned long long)wanted->seed);
    return br_task_begin(&self->task, self->service, self->requests, message, run, &self->training);
}

static br_status report_result(trainer *self)
{
    const training_result *r = &self->training.result;
    char recall[BR_NAME_AT_BYTES];
    br_figure figures[] = {
        {"version", 0, r->version},
        {"published", r->published, ""},
        {"gate", 0, r->reason},
        {"start", 0, r->start},
        {"new_values", r->n_new_values, ""},
        {"bonds", r->n_bonds, ""},
        {"investors", r->n_investors, ""},
        {"bids", r->n_bids, ""},
        {"samples", (double)r->n_samples, ""},
        {"positives", (double)r->n_positive, ""},
        {"samples_seen", (double)r->report.samples, ""},
        {"epochs", r->report.epochs, ""},
        {"best_epoch", r->report.best_epoch, ""},
        {"train_s", r->seconds, ""},
        {"issuers_s", r->issuers_seconds, ""},
        {"valid_auc", r->valid.auc, ""},
        {"valid_log_loss", r->valid.log_loss, ""},
        {br_name_at(recall, "valid_recall", br_service_config(self->service)->n_top, ""), r->valid.recall, ""},
    };
    br_report report = {.ok = r->status == BR_OK,
                        .reason = r->status == BR_OK ? "" : r->reason,
                        .figures = figures,
                        .n_figures = r->status == BR_OK ? sizeof figures / sizeof figures[0] : 0};
    return answer(self, &self->task.client, self->task.request, &report);
}

static br_status finish(trainer *self)
{
    const training_result *r = &self->training.result;
    if (r->status != BR_OK) {
        br_metric_add(self->failed, 1);
        br_log_error("TRAIN-FAILED", "status=%s reason=\"%s\" next=\"the served snapshot stays\"",
                     br_status_name(r->status), r->reason);
        br_status status = report_result(self);
        return status == BR_OK && r->status == BR_ERR_FULL ? br_fail(BR_ERR_FULL, "%s", r->reason) : status;
    }
    br_metric_add(r->published ? self->trained : self->refused, 1);
    br_metric_set(self->seconds, r->seconds);
    br_log_info("TRAIN-END",
                "model=%s published=%d start=\"%s\" dur_s=%.1f epochs=%u valid_auc=%.4f valid_log_loss_nats=%.5f "
                "gate=\"%s\"",
                r->version, r->published, r->start, r->seconds, r->report.epochs, r->valid.auc, r->valid.log_loss,
                r->reason);
    br_status status = BR_OK;
    if (r->published) {
        br_metric_set(self->last_success, br_clock_wall_s());
        status = announce(self, r->version);
    }
    return status == BR_OK ? report_result(self) : status;
}

static br_status look_at_task(void *state)
{
    trainer *self = state;
    return br_task_poll(&self->task) ? finish(self) : BR_OK;
}

// --- requests ---

static br_status on_train(trainer *self, const br_message *message)
{
    br_train_request wanted;
    br_status status = br_train_request_unpack(&wanted, self->arena, message->body, message->n_body);
    if (status != BR_OK) {
        return refuse(self, message, br_why(status));
    }
    if (br_task_is_for(&self->task, message)) {
        return BR_OK; // asked again while it runs
    }
    if (self->task.busy) {
        return refuse(self, message, "a training runs already; ask again when it has ended");
    }
    status = begin(self, message, &wanted);
    return status == BR_OK ? BR_OK : refuse(self, message, br_why(status));
}

static br_status roll_back(trainer *self, const char *wanted, char version[BR_VERSION_TEXT])
{
    br_status status = BR_OK;
    if (wanted[0] == '\0') {
        status = br_snapshots_previous(self->snapshots, version);
    } else {
        snprintf(version, BR_VERSION_TEXT, "%s", wanted);
    }
    BR_AUTO(br_snapshot) *snapshot = NULL;
    if (status == BR_OK) { // verified before it is served
        status = br_snapshots_load(&snapshot, self->models, version);
    }
    if (status != BR_OK) {
        return status;
    }
    br_snapshot_event event = {.kind = BR_SNAPSHOT_ROLLED_BACK,
                               .version = version,
                               .reason = "asked for",
                               .wall_s = br_clock_wall_s(),
                               .parent = snapshot->facts.parent};
    return br_snapshots_record(self->snapshots, &event);
}

static br_status on_rollback(trainer *self, const br_message *message)
{
    br_rollback_request wanted;
    char version[BR_VERSION_TEXT] = "";
    br_status status = br_rollback_request_unpack(&wanted, self->arena, message->body, message->n_body);
    if (status != BR_OK) {
        return refuse(self, message, br_why(status));
    }
    if (self->task.busy) {
        return refuse(self, message, "a training runs; roll back when it has ended");
    }
    status = roll_back(self, wanted.version, version);
    if (status != BR_OK) {
        return refuse(self, message, br_why(status));
    }
    br_log_info("SNAPSHOT-ROLLED-BACK", "model=%s", version);
    status = announce(self, version);
    br_figure figures[] = {{"version", 0, version}};
    return status != BR_OK ? status
                           : answer(self, &message->peer, message->request,
                                    &(br_report){.ok = true, .reason = "", .figures = figures, .n_figures = 1});
}

static br_status on_status(trainer *self, const br_message *message)
{
    char version[BR_VERSION_TEXT];
    br_figure figures[] = {{"busy", self->task.busy, ""}, {"version", 0, version}};
    br_status status = br_snapshots_served(self->registry, version);
    return status != BR_OK ? status
                           : answer(self, &message->peer, message->request,
                                    &(br_report){.ok = true, .reason = "", .figures = figures, .n_figures = 2});
}

static br_status on_request(void *state, br_socket *socket, br_message *message)
{
    (void)socket;
    trainer *self = state;
    br_arena_reset(self->arena);
    switch (message->type) {
    case BR_MSG_TRAIN_REQUEST:
        return on_train(self, message);
    case BR_MSG_ROLLBACK_REQUEST:
        return on_rollback(self, message);
    case BR_MSG_STATUS_REQUEST:
        return on_status(self, message);
    default:
        return refuse(self, message, "the trainer takes TRAIN_REQUEST, ROLLBACK_REQUEST and STATUS_REQUEST");
    }
}

// --- life ---

static void register_metrics(trainer *self)
{
    static const char name[] = "bookrunner_job_records_total";
    static const char help[] = "Trainings, by what became of them.";
    self->trained = br_counter(name, help, "job=\"train\",outcome=\"published\"");
    self->refused = br_counter(name, help, "job=\"train\",outcome=\"refused\"");
    self->failed = br_counter(name, help, "job=\"train\",outcome=\"failed\"");
    self->seconds = br_gauge("bookrunner_job_duration_seconds", "Time of the last one.", "job=\"train\"");
    self->last_success =
        br_gauge("bookrunner_job_last_success_timestamp_seconds", "When it last succeeded.", "job=\"train\"");
}

static br_status open_stores(trainer *self)
{
    const char *directory = br_service_directory(self->service);
    char path[BR_PATH_BYTES];
    br_status status = br_place_path(self->models, directory, BR_PLACE_MODELS);
    if (status == BR_OK) {
        status = br_snapshots_open_writer(&self->snapshots, self->models);
    }
    if (status == BR_OK) {
        status = br_snapshots_open_reader(&self->registry, self->models);
    }
    if (status == BR_OK) {
        status = br_place_path(path, directory, BR_PLACE_LEDGER);
    }
    if (status == BR_OK) {
        status = br_ledger_open_reader(&self->ledger, path);
    }
    return status == BR_ERR_NOT_FOUND ? BR_ERR_AGAIN : status;
}

static br_status start(br_service *service, void *state)
{
    trainer *self = state;
    self->service = service;
    br_status status = open_stores(self);
    if (status == BR_OK) {
        status = br_gemm_start();
    }
    if (status == BR_OK) {
        status = br_arena_new(&self->arena, MAX_REQUEST_BYTES);
    }
    if (status == BR_OK) {
        status = br_service_local_socket(service, &self->requests, BR_SOCKET_ROUTER, "trainer", true, on_request);
    }
    if (status == BR_OK) {
        status = br_service_local_socket(service, &self->hints, BR_SOCKET_PUB, "trainer.hints", true, NULL);
    }
    if (status == BR_OK) {
        status = br_service_timer(service, 1000, look_at_task);
    }
    if (status == BR_OK) {
        register_metrics(self);
        br_service_on_wake(service, look_at_task);
    }
    return status;
}

// A training that is stopped leaves nothing behind; the client asks again.
static void drain(void *state)
{
    trainer *self = state;
    br_task_cancel(&self->task);
    br_service_finish(self->service);
}

static void stop(void *state)
{
    trainer *self = state;
    br_task_deinit(&self->task);
    br_snapshots_free(&self->registry);
    br_snapshots_free(&self->snapshots);
    br_ledger_free(&self->ledger);
    br_arena_free(&self->arena);
    br_buf_deinit(&self->buffer);
}

int main(int argc, char **argv)
{
    return br_service_main(argc, argv,
                           &(br_service_definition){
                               .name = "trainer",
                               .description = "learns snapshots and serves the ones that pass the gate",
                               .state_bytes = sizeof(trainer),
                               .start = start,
                               .drain = drain,
                               .stop = stop,
                           });
}
