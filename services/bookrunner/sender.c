#include "sender.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "codec/control.h"
#include "transport/client.h"

#include <string.h>

#define WINDOW          8
#define RESEND_MS       5000
#define WAIT_MS         500
#define MAX_BATCH_BYTES (512u << 10) ///< by estimate; leaves room for the encoding below the limit of a frame
#define ARENA_BYTES     (64u << 20)
#define MAX_SENDS       64 ///< times a batch is sent before giving up

typedef struct batch {
    br_arena *arena; ///< of rows and origins until sent; origins live until answered
    br_row *rows;    ///< [n_rows]
    row_origin *origins;
    uint8_t *accepted; ///< [n_rows] an answer that came out of order said so
    uint32_t n_rows;
    size_t estimated_bytes;
    br_buf packed;
    uint64_t requests[MAX_SENDS];
    uint32_t n_sends;
    int64_t sent_ms;
} batch;

struct sender {
    br_client *client;
    tally *counts;
    double timeout_s;
    int64_t heard_ms;
    uint64_t head;
    br_arena *replies;
    batch batches[WINDOW]; ///< a ring: [first, first + n_unanswered) were sent, the next is being filled
    uint32_t first;
    uint32_t n_unanswered;
};

static batch *at(sender *s, uint32_t i)
{
    return &s->batches[(s->first + i) % WINDOW];
}

static br_status begin_batch(batch *b)
{
    br_arena_reset(b->arena);
    br_buf_clear(&b->packed);
    b->n_rows = 0;
    b->n_sends = 0;
    b->estimated_bytes = 0;
    b->rows = br_arena_calloc(b->arena, BR_MAX_BATCH_ROWS, sizeof *b->rows);
    b->origins = br_arena_calloc(b->arena, BR_MAX_BATCH_ROWS, sizeof *b->origins);
    b->accepted = br_arena_calloc(b->arena, BR_MAX_BATCH_ROWS, 1);
    return b->rows == NULL || b->origins == NULL || b->accepted == NULL
               ? br_no_memory("rows of a batch", BR_MAX_BATCH_ROWS)
               : BR_OK;
}

br_status sender_new(sender **out, const char *directory, double timeout_s, tally *counts)
{
    BR_AUTO(sender) *s = br_calloc(1, sizeof *s);
    if (s == NULL) {
        return br_no_memory("sender", 1);
    }
    s->counts = counts;
    s->timeout_s = timeout_s;
    s->heard_ms = br_clock_ms();
    char endpoint[BR_PATH_BYTES];
    br_status status = br_endpoint(endpoint, directory, "ingester");
    if (status == BR_OK) {
        status = br_client_new(&s->client, endpoint);
    }
    if (status == BR_OK) {
        status = br_arena_new(&s->replies, ARENA_BYTES);
    }
    for (uint32_t i = 0; i < WINDOW && status == BR_OK; i++) {
        status = br_arena_new(&s->batches[i].arena, ARENA_BYTES);
    }
    if (status == BR_OK) {
        status = begin_batch(at(s, 0));
    }
    if (status != BR_OK) {
        return status;
    }
    *out = s;
    s = NULL;
    return BR_OK;
}

void sender_free(sender **out)
{
    sender *s = *out;
    if (s == NULL) {
        return;
    }
    br_client_free(&s->client);
    br_arena_free(&s->replies);
    for (uint32_t i = 0; i < WINDOW; i++) {
        br_arena_free(&s->batches[i].arena);
        br_buf_deinit(&s->batches[i].packed);
    }
    br_free(s);
    *out = NULL;
}

/// Copy of `text`, counted; NULL stays NULL. On a full arena *failed is set.
static const char *keep(batch *b, const char *text, bool *failed)
{
    if (text == NULL) {
        return NULL;
    }
    size_t n = strlen(text);
    b->estimated_bytes += n + 8;
    const char *copy = br_arena_strndup(b->arena, text, n);
    *failed = *failed || copy == NULL;
    return copy;
}

static br_status keep_features(batch *b, const br_row *row, br_row *copy)
{
    if (row->n_features == 0) {
        copy->features = NULL;
        return BR_OK;
    }
    bool failed = false;
    br_named_value *features = br_arena_calloc(b->arena, row->n_features, sizeof *features);
    for (uint32_t i = 0; i < row->n_features && features != NULL; i++) {
        features[i].name = keep(b, row->features[i].name, &failed);
        features[i].value = keep(b, row->features[i].value, &failed);
    }
    copy->features = features;
    return features == NULL || failed ? br_no_memory("features of a row", row->n_features) : BR_OK;
}

static br_status keep_row(batch *b, const br_row *row, const row_origin *origin)
{
    bool failed = false;
    br_row *copy = &b->rows[b->n_rows];
    *copy = *row;
    copy->bid_id = keep(b, row->bid_id, &failed);
    copy->bond_id = keep(b, row->bond_id, &failed);
    copy->issuer_id = keep(b, row->issuer_id, &failed);
    copy->investor_id = keep(b, row->investor_id, &failed);
    if (row->yaml != NULL) {
        copy->yaml = br_arena_strndup(b->arena, row->yaml, row->yaml_bytes);
        b->estimated_bytes += row->yaml_bytes;
        failed = failed || copy->yaml == NULL;
    }
    row_origin *from = &b->origins[b->n_rows];
    from->file = br_arena_strndup(b->arena, origin->file, strlen(origin->file));
    from->line = origin->line;
    from->raw = br_arena_strndup(b->arena, origin->raw, strlen(origin->raw));
    if (failed || from->file == NULL || from->raw == NULL) {
        return br_no_memory("bytes of a batch", ARENA_BYTES);
    }
    b->estimated_bytes += 64;
    br_status status = keep_features(b, row, copy);
    b->n_rows += status == BR_OK ? 1 : 0;
    return status;
}

static br_status transmit(sender *s, batch *b)
{
    if (b->n_sends == MAX_SENDS) {
        return br_fail(BR_ERR_UNREACHABLE, "ingester gave no answer to a batch that was sent %d times", MAX_SENDS);
    }
    b->sent_ms = br_clock_ms();
    br_status status = br_client_send(s->client, BR_MSG_ROW_BATCH, br_span_of(&b->packed), &b->requests[b->n_sends]);
    if (status == BR_ERR_AGAIN) {
        return BR_OK; // the queue is full: the resend comes later
    }
    b->n_sends += status == BR_OK ? 1 : 0;
    return status;
}

static br_status transmit_all(sender *s)
{
    br_status status = BR_OK;
    for (uint32_t i = 0; i < s->n_unanswered && status == BR_OK; i++) {
        status = transmit(s, at(s, i));
    }
    return status;
}

/// Which unanswered batch the request belongs to; n_unanswered if none.
static uint32_t batch_of(sender *s, uint64_t request)
{
    for (uint32_t i = 0; i < s->n_unanswered; i++) {
        const batch *b = at(s, i);
        for (uint32_t k = 0; k < b->n_sends; k++) {
            if (b->requests[k] == request) {
                return i;
            }
        }
    }
    return s->n_unanswered;
}

static br_status count_reply(sender *s, batch *b, const br_row_batch_reply *reply)
{
    br_status status = BR_OK;
    for (uint32_t i = 0; i < b->n_rows && status == BR_OK; i++) {
        br_row_result result = reply->results[i];
        if (result.outcome == BR_OUTCOME_DUPLICATE && b->accepted[i] != 0) {
            result.outcome = BR_OUTCOME_ACCEPTED; // by the answer that came out of order
        }
        status = tally_row(s->counts, &b->origins[i], &result);
    }
    s->head = reply->head;
    s->first = (s->first + 1) % WINDOW;
    s->n_unanswered--;
    return status;
}

static br_status take_reply(sender *s, const br_message *message)
{
    uint32_t i = batch_of(s, message->request);
    if (i == s->n_unanswered) {
        return BR_OK; // the answer to a resend of a batch answered before
    }
    batch *b = at(s, i);
    br_row_batch_reply reply;
    br_arena_reset(s->replies);
    br_status status = br_row_batch_reply_unpack(&reply, s->replies, message->body, message->n_body);
    if (status != BR_OK) {
        return status;
    }
    if (reply.n_results != b->n_rows) {
        return br_fail(BR_ERR_INVALID, "ingester answered %u of %u rows", reply.n_results, b->n_rows);
    }
    if (i == 0) {
        return count_reply(s, b, &reply);
    }
    for (uint32_t k = 0; k < b->n_rows; k++) {
        b->accepted[k] |= reply.results[k].outcome == BR_OUTCOME_ACCEPTED ? 1 : 0;
    }
    return transmit_all(s);
}

/// The ingester cannot take rows now: a full disk, for one. What it acknowledged stays; the rest can be imported again.
static br_status take_refusal(sender *s, const br_message *message)
{
    br_report report;
    br_arena_reset(s->replies);
    br_status status = br_report_unpack(&report, s->replies, message->body, message->n_body);
    return status == BR_OK ? br_fail(BR_ERR_IO, "the ingester takes no rows: %s", report.reason) : status;
}

/// Wait for a message once; resend when the oldest batch has waited too long.
static br_status step(sender *s)
{
    br_message message = {0};
    br_status status = br_client_receive(s->client, &message, WAIT_MS);
    if (status == BR_OK) {
        s->heard_ms = br_clock_ms();
        if (message.type == BR_MSG_ROW_BATCH_REPLY) {
            status = take_reply(s, &message);
        } else if (message.type == BR_MSG_REPORT) {
            status = take_refusal(s, &message);
        }
        br_message_deinit(&message);
        return status;
    }
    if (status != BR_ERR_TIMEOUT) {
        return status;
    }
    int64_t now = br_clock_ms();
    if ((double)(now - s->heard_ms) > s->timeout_s * 1000) {
        return br_fail(BR_ERR_UNREACHABLE, "ingester does not answer; is `bookrunner up` running?");
    }
    return s->n_unanswered > 0 && now - at(s, 0)->sent_ms >= RESEND_MS ? transmit_all(s) : BR_OK;
}

/// Send the batch that was being filled and begin the next.
static br_status send_batch(sender *s)
{
    batch *b = at(s, s->n_unanswered);
    br_status status = br_row_batch_pack(&(br_row_batch){b->rows, b->n_rows, "bookrunner import"}, &b->packed);
    if (status != BR_OK) {
        return status;
    }
    if (s->n_unanswered == 0) {
        s->heard_ms = br_clock_ms();
    }
    s->n_unanswered++;
    status = transmit(s, b);
    while (status == BR_OK && s->n_unanswered == WINDOW) {
        status = step(s);
    }
    return status == BR_OK ? begin_batch(at(s, s->n_unanswered)) : status;
}

br_status sender_row(sender *s, const br_row *row, const row_origin *origin)
{
    batch *b = at(s, s->n_unanswered);
    br_status status = keep_row(b, row, origin);
    if (status != BR_OK) {
        return status;
    }
    bool full = b->n_rows == BR_MAX_BATCH_ROWS || b->estimated_bytes >= MAX_BATCH_BYTES;
    return full ? send_batch(s) : BR_OK;
}

br_status sender_finish(sender *s)
{
    br_status status = at(s, s->n_unanswered)->n_rows > 0 ? send_batch(s) : BR_OK;
    while (status == BR_OK && s->n_unanswered > 0) {
        status = step(s);
    }
    return status;
}

uint64_t sender_head(const sender *s)
{
    return s->head;
}
