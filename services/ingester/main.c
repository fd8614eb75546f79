#include "ingester.h"

#include "base/clock.h"
#include "base/log.h"
#include "codec/control.h"

#include <stdio.h>

enum { MAX_MESSAGE_BYTES = 64 << 20, MAX_ROUND_BYTES = 512 << 20 };

static br_status answer_report(ingester *self, const pending_reply *to, bool ok, const char *reason)
{
    br_report report = {.ok = ok, .reason = reason};
    return br_report_send(self->requests, &to->peer, to->request, &report, &self->buffer);
}

// A client that has gone away resends when it comes back, so that an answer it cannot get is no failure.
static void answer(ingester *self, const pending_reply *to)
{
    br_status status = br_socket_send(self->requests, &to->peer, BR_MSG_ROW_BATCH_REPLY, to->request,
                                      br_span_of(&self->buffer), (br_span){0});
    if (status != BR_OK) {
        br_log_info("INGEST-REPLY-LOST", "reason=\"%s\" next=\"the client resends\"", br_why(status));
    }
}

static br_status tell_others(ingester *self, uint64_t head)
{
    br_hint hint = {.kind = BR_HINT_LEDGER_HEAD, .number = head, .version = ""};
    return br_hint_send(self->hints, &hint, &self->buffer);
}

static br_status answer_all(ingester *self, uint64_t head)
{
    for (uint32_t i = 0; i < self->n_pending; i++) {
        self->pending[i].reply.head = head;
        br_buf_clear(&self->buffer);
        br_status status = br_row_batch_reply_pack(&self->pending[i].reply, &self->buffer);
        if (status != BR_OK) {
            return status;
        }
        answer(self, &self->pending[i]);
    }
    self->n_pending = 0;
    return BR_OK;
}

br_status ingester_commit(ingester *self)
{
    if (!self->open) {
        return BR_OK;
    }
    int64_t start = br_clock_ns();
    self->open = false;
    br_status status = br_ledger_commit(self->ledger);
    if (status != BR_OK) {
        return status;
    }
    br_service_store_full(self->service, false);
    br_metric_observe(self->commit_seconds, (double)(br_clock_ns() - start) * 1e-9);
    uint64_t head = 0;
    status = br_ledger_head(self->ledger, &head);
    if (status == BR_OK) {
        br_metric_set(self->head, (double)head);
        status = tell_others(self, head);
    }
    return status;
}

// The market may hold rows of the lost batch: it is read again from the ledger, which holds what is true.
static br_status forget_batch(ingester *self)
{
    if (self->open) {
        br_ledger_abort(self->ledger);
        self->open = false;
    }
    return ingester_read_ledger(self);
}

br_status ingester_refuse(ingester *self, br_status why)
{
    br_log_error("INGEST-REFUSED", "status=%s reason=\"%s\" messages=%u next=\"not acknowledged; clients resend\"",
                 br_status_name(why), br_why(why), self->n_pending);
    br_service_store_full(self->service, why == BR_ERR_FULL);
    for (uint32_t i = 0; i < self->n_pending; i++) {
        br_status status = answer_report(self, &self->pending[i], false, br_why(why));
        if (status != BR_OK) {
            return status;
        }
    }
    self->n_pending = 0;
    br_arena_reset(self->round);
    return forget_batch(self);
}

// A full disk ends no process: nothing is acknowledged, and it may have room again at the next try.
static br_status refuse_or_fail(ingester *self, br_status status)
{
    bool may_pass = status == BR_ERR_FULL || status == BR_ERR_NO_MEMORY || status == BR_ERR_LIMIT;
    return may_pass ? ingester_refuse(self, status) : status;
}

static br_status end_round(void *state)
{
    ingester *self = state;
    if (self->n_pending == 0) {
        return BR_ERR_AGAIN;
    }
    br_status status = ingester_commit(self);
    if (status == BR_OK) {
        uint64_t head = 0;
        status = br_ledger_head(self->ledger, &head);
        if (status == BR_OK) {
            status = answer_all(self, head);
        }
    }
    if (status != BR_OK) {
        status = refuse_or_fail(self, status);
    }
    br_arena_reset(self->round);
    return status == BR_OK ? BR_ERR_AGAIN : status;
}

// What the row is about, for people.
static void row_id(const br_row *row, char *out, size_t room)
{
    const bool pair = row->note != NULL && row->note->topic == BR_TOPIC_PAIR;
    const char *ids[] = {pair ? row->note->subject : row->bid_id, pair ? row->issuer_id : row->bond_id,
                         pair ? row->note->user : row->investor_id};
    out[0] = '\0';
    if (row->kind == BR_ROW_CLOSE_DAY) {
        br_day_text(row->day, out);
        return;
    }
    for (size_t i = 0, n = 0; i < sizeof ids / sizeof *ids && n < room; i++) {
        if (ids[i] != NULL && ids[i][0] != '\0') {
            n += (size_t)snprintf(out + n, room - n, "%s%s", n == 0 ? "" : " ", ids[i]);
        }
    }
}

// A row that is refused leaves the batch open.
static br_status keep_reject(ingester *self, const br_row *row, const char *source, const br_row_result *result)
{
    char id[3 * BR_MAX_ID_BYTES + 4];
    row_id(row, id, sizeof id);
    return br_ledger_put_reject(self->ledger, &(br_reject){.wall_s = br_clock_wall_s(),
                                                           .source = source,
                                                           .kind = row->kind,
                                                           .id = id,
                                                           .column = result->column,
                                                           .reason = result->reason});
}

static br_status take_batch(ingester *self, const br_row_batch *batch, br_row_batch_reply *reply)
{
    reply->results = br_arena_calloc(self->round, batch->n_rows, sizeof *reply->results);
    if (reply->results == NULL) {
        return br_no_memory("results", batch->n_rows);
    }
    reply->n_results = batch->n_rows;
    for (uint32_t i = 0; i < batch->n_rows; i++) {
        br_status status = ingester_take_row(self, &batch->rows[i], &reply->results[i]);
        if (status == BR_OK && reply->results[i].outcome == BR_OUTCOME_REJECTED) {
            status = keep_reject(self, &batch->rows[i], batch->source, &reply->results[i]);
        }
        if (status != BR_OK) {
            return status;
        }
    }
    return BR_OK;
}

static br_status on_batch(ingester *self, const br_message *message, pending_reply *to)
{
    br_row_batch batch;
    br_arena_reset(self->message);
    br_status status = br_row_batch_unpack(&batch, self->message, message->body, message->n_body);
    if (status != BR_OK) {
        return answer_report(self, to, false, br_why(status));
    }
    self->pending[self->n_pending++] = *to;
    status = take_batch(self, &batch, &self->pending[self->n_pending - 1].reply);
    if (status != BR_OK) {
        return refuse_or_fail(self, status);
    }
    return self->n_pending < BR_MAX_ROUND ? BR_OK : (status = end_round(self)) == BR_ERR_AGAIN ? BR_OK : status;
}

static br_status on_status(ingester *self, const pending_reply *to)
{
    uint64_t head = 0;
    br_status status = br_ledger_head(self->ledger, &head);
    if (status != BR_OK) {
        return status;
    }
    br_figure figures[] = {{"head", (double)head, ""}};
    br_report report = {.ok = true, .reason = "", .figures = figures, .n_figures = 1};
    return br_report_send(self->requests, &to->peer, to->request, &report, &self->buffer);
}

static br_status on_request(void *state, br_socket *socket, br_message *message)
{
    (void)socket;
    ingester *self = state;
    pending_reply to = {.peer = message->peer, .request = message->request};
    switch (message->type) {
    case BR_MSG_ROW_BATCH:
        return on_batch(self, message, &to);
    case BR_MSG_STATUS_REQUEST:
        return on_status(self, &to);
    default:
        return answer_report(self, &to, false, "the ingester takes ROW_BATCH and STATUS_REQUEST");
    }
}

static br_status once_a_second(void *state)
{
    ingester *self = state;
    br_store_facts facts;
    br_status status = br_ledger_facts(self->ledger, &facts);
    if (status != BR_OK) {
        return status;
    }
    br_metric_set(br_gauge("bookrunner_store_used_bytes", "Bytes in use in a store.", "store=\"ledger\""),
                  (double)facts.used_bytes);
    br_metric_set(br_gauge("bookrunner_store_readers", "Readers of a store.", "store=\"ledger\""),
                  (double)facts.readers);
    return BR_OK;
}

static void register_metrics(ingester *self)
{
    static const char name[] = "bookrunner_import_rows_total";
    static const char help[] = "Rows received, by what became of them.";
    self->accepted = br_counter(name, help, "outcome=\"accepted\"");
    self->duplicates = br_counter(name, help, "outcome=\"duplicate\"");
    self->rejected = br_counter(name, help, "outcome=\"rejected\"");
    self->commit_seconds =
        br_histogram_seconds("bookrunner_ledger_commit_seconds", "Time of a synced commit of the ledger.", "");
    self->head = br_gauge("bookrunner_ledger_head", "Number of the last record of the ledger.", "");
}

static br_status open_stores(ingester *self)
{
    char path[BR_PATH_BYTES];
    br_status status = br_place_path(path, br_service_directory(self->service), BR_PLACE_LEDGER);
    if (status == BR_OK) {
        status = br_ledger_open_writer(&self->ledger, path);
    }
    if (status == BR_OK) {
        status = ingester_read_ledger(self);
    }
    if (status == BR_OK) {
        status = br_arena_new(&self->round, MAX_ROUND_BYTES);
    }
    if (status == BR_OK) {
        status = br_arena_new(&self->message, MAX_MESSAGE_BYTES);
    }
    return status;
}

static br_status start(br_service *service, void *state)
{
    ingester *self = state;
    self->service = service;
    register_metrics(self);
    br_status status = open_stores(self);
    if (status == BR_OK) {
        status = br_service_local_socket(service, &self->requests, BR_SOCKET_ROUTER, "ingester", true, on_request);
    }
    if (status == BR_OK) {
        status = br_service_local_socket(service, &self->hints, BR_SOCKET_PUB, "ingester.hints", true, NULL);
    }
    if (status == BR_OK) {
        status = br_service_timer(service, 1000, once_a_second);
    }
    if (status == BR_OK) {
        br_service_idle(service, end_round);
        br_metric_set(self->head, (double)br_follower_head(self->follower));
    }
    return status;
}

static void stop(void *state)
{
    ingester *self = state;
    if (self->open) {
        br_ledger_abort(self->ledger);
    }
    br_follower_free(&self->follower);
    br_ballot_free(&self->ballot);
    br_ledger_free(&self->ledger);
    br_arena_free(&self->round);
    br_arena_free(&self->message);
    br_buf_deinit(&self->buffer);
    br_buf_deinit(&self->packed);
}

int main(int argc, char **argv)
{
    return br_service_main(argc, argv,
                           &(br_service_definition){
                               .name = "ingester",
                               .description = "takes rows into the ledger",
                               .state_bytes = sizeof(ingester),
                               .start = start,
                               .stop = stop,
                           });
}
