#include "codec/rows.h"

#include "codec/wire.h"
#include "rows.pb-c.h"

#include <math.h>

// --- rows ---

static bool fill_note(br_writing *writing, const br_note *note, Br__Row *message)
{
    Br__Note *made = br_write_alloc(writing, 1, sizeof *made);
    if (writing->failed) {
        return false;
    }
    br__note__init(made);
    made->note_id = br_write_bytes(note->id.bytes, sizeof note->id.bytes);
    made->user = br_write_text(note->user);
    made->time_ms = note->time_ms;
    made->topic = (Br__Note__Topic)note->topic;
    made->subject = br_write_text(note->subject);
    made->value = br_write_text(note->value);
    made->version = br_write_text(note->version);
    made->chain = br_write_bytes(note->chain.bytes, note->chained ? sizeof note->chain.bytes : 0);
    message->note = made;
    return true;
}

static bool fill_row(br_writing *writing, const br_row *row, Br__Row *message)
{
    br__row__init(message);
    message->kind = (Br__Row__Kind)row->kind;
    message->bid_id = br_write_text(row->bid_id);
    message->bond_id = br_write_text(row->bond_id);
    message->issuer_id = br_write_text(row->issuer_id);
    message->investor_id = br_write_text(row->investor_id);
    message->announce_day = row->announce_day;
    message->issue_day = row->issue_day;
    message->day = row->day;
    message->known_from = row->known_from;
    message->amount = row->amount;
    message->has_rate = !isnan(row->rate);
    message->rate = message->has_rate ? row->rate : 0.0;
    message->revision = row->revision;
    message->cancelled = row->cancelled;
    message->yaml = br_write_bytes(row->yaml, row->yaml_bytes);
    Br__NamedValue *values = br_write_alloc(writing, row->n_features, sizeof *values);
    message->features = br_write_alloc(writing, row->n_features, sizeof *message->features);
    if (writing->failed || (row->note != NULL && !fill_note(writing, row->note, message))) {
        return false;
    }
    for (uint32_t i = 0; i < row->n_features; i++) {
        br__named_value__init(&values[i]);
        values[i].name = br_write_text(row->features[i].name);
        values[i].value = br_write_text(row->features[i].value);
        message->features[i] = &values[i];
    }
    message->n_features = row->n_features;
    return true;
}

br_status br_row_pack(const br_row *row, br_buf *out)
{
    BR_AUTO_DEINIT(br_writing) writing = {0};
    Br__Row message;
    if (!fill_row(&writing, row, &message)) {
        return br_no_memory("features of a row", row->n_features);
    }
    return br_write_end(&writing, &message.base, br_message_max_bytes(BR_MSG_ROW_BATCH), out);
}

static void read_features(br_reading *in, unsigned depth, const Br__Row *message, br_row *out)
{
    if (message->n_features > BR_MAX_FEATURES) {
        br_read_fail(in, "features", "%zu, at most %d are allowed", message->n_features, BR_MAX_FEATURES);
        return;
    }
    br_named_value *features = br_read_alloc(in, message->n_features, sizeof *features);
    if (features == NULL) {
        return;
    }
    for (size_t i = 0; i < message->n_features; i++) {
        br_read_at(in, depth, "features", i);
        features[i].name = br_read_text(in, "name", message->features[i]->name, BR_FORM_ID);
        features[i].value = br_read_text(in, "value", message->features[i]->value, BR_FORM_VALUE);
    }
    br_read_at(in, depth, NULL, 0);
    out->features = features;
    out->n_features = (uint32_t)message->n_features;
}

// A row has a note exactly if it is one.
static void read_note(br_reading *in, const Br__Row *message, br_row *out)
{
    const Br__Note *note = message->note;
    if ((note != NULL) != (out->kind == BR_ROW_NOTE)) {
        br_read_fail(in, "note", note == NULL ? "missing" : "in a row of another kind");
    }
    br_note *made = note == NULL ? NULL : br_read_alloc(in, 1, sizeof *made);
    if (made == NULL) {
        return;
    }
    *made = (br_note){
        .id = br_read_hash(in, "note.note_id", note->note_id),
        .user = br_read_text(in, "note.user", note->user, BR_FORM_ID),
        .time_ms = note->time_ms,
        .topic = (br_topic)br_read_range(in, "note.topic", (uint64_t)note->topic, BR_TOPIC_CALL, BR_TOPIC_END - 1),
        .subject = br_read_text(in, "note.subject", note->subject, BR_FORM_ID_OR_NONE),
        .value = br_read_text(in, "note.value", note->value, BR_FORM_VALUE),
        .version = br_read_text(in, "note.version", note->version, BR_FORM_ID_OR_NONE),
        .chained = note->chain.len > 0,
    };
    if (made->chained) {
        made->chain = br_read_hash(in, "note.chain", note->chain);
    }
    out->note = made;
}

static br_row read_row(br_reading *in, unsigned depth, const Br__Row *message)
{
    br_row row = {
        .kind = (br_row_kind)br_read_range(in, "kind", (uint64_t)message->kind, BR_ROW_SCHEMA, BR_ROW_KIND_END - 1),
        .bid_id = br_read_text(in, "bid_id", message->bid_id, BR_FORM_ID_OR_NONE),
        .bond_id = br_read_text(in, "bond_id", message->bond_id, BR_FORM_ID_OR_NONE),
        .issuer_id = br_read_text(in, "issuer_id", message->issuer_id, BR_FORM_ID_OR_NONE),
        .investor_id = br_read_text(in, "investor_id", message->investor_id, BR_FORM_ID_OR_NONE),
        .announce_day = br_read_day(in, "announce_day", message->announce_day, true),
        .issue_day = br_read_day(in, "issue_day", message->issue_day, true),
        .day = br_read_day(in, "day", message->day, true),
        .known_from = br_read_day(in, "known_from", message->known_from, true),
        .amount = message->amount,
        .rate = message->has_rate ? br_read_finite(in, "rate", message->rate) : (double)NAN,
        .revision = message->revision,
        .cancelled = message->cancelled != 0,
        .yaml = br_read_text(in, "yaml", message->yaml, BR_FORM_YAML),
        .yaml_bytes = message->yaml.len,
    };
    if (message->amount < BR_AMOUNT_NONE) {
        br_read_fail(in, "amount", "%lld is negative", (long long)message->amount);
    }
    read_features(in, depth, message, &row);
    read_note(in, message, &row);
    return row;
}

br_status br_row_unpack(br_row *out, br_arena *arena, const uint8_t *bytes, size_t n)
{
    br_reading in = {.arena = arena};
    const Br__Row *message = br_read_begin(&in, &br__row__descriptor, bytes, n, br_message_max_bytes(BR_MSG_ROW_BATCH));
    if (message == NULL) {
        return in.status;
    }
    br_row row = read_row(&in, 0, message);
    if (in.status == BR_OK) {
        *out = row;
    }
    return in.status;
}

br_status br_note_chain(br_hash *out, const br_hash *former, const br_row *row, br_buf *scratch)
{
    br_assert(row->kind == BR_ROW_NOTE && row->note != NULL);
    br_note note = *row->note;
    note.chained = false;
    br_row bare = *row;
    bare.note = &note;
    br_buf_clear(scratch);
    br_status status = br_row_pack(&bare, scratch);
    if (status != BR_OK) {
        return status;
    }
    br_hasher hasher;
    br_hasher_init(&hasher);
    br_hasher_update(&hasher, former->bytes, sizeof former->bytes);
    br_hasher_update(&hasher, scratch->data, scratch->length);
    *out = br_hasher_final(&hasher);
    return BR_OK;
}

// --- batches ---

br_status br_row_batch_pack(const br_row_batch *batch, br_buf *out)
{
    if (batch->n_rows > BR_MAX_BATCH_ROWS) {
        return br_fail(BR_ERR_LIMIT, "RowBatch.rows: %u, at most %d are allowed", batch->n_rows, BR_MAX_BATCH_ROWS);
    }
    BR_AUTO_DEINIT(br_writing) writing = {0};
    Br__RowBatch message = BR__ROW_BATCH__INIT;
    Br__Row *rows = br_write_alloc(&writing, batch->n_rows, sizeof *rows);
    message.rows = br_write_alloc(&writing, batch->n_rows, sizeof *message.rows);
    if (writing.failed) {
        return br_no_memory("rows of a batch", batch->n_rows);
    }
    for (uint32_t i = 0; i < batch->n_rows; i++) {
        if (!fill_row(&writing, &batch->rows[i], &rows[i])) {
            return br_no_memory("rows of a batch", batch->n_rows);
        }
        message.rows[i] = &rows[i];
    }
    message.n_rows = batch->n_rows;
    message.source = br_write_prose(&writing, batch->source);
    return br_write_end(&writing, &message.base, br_message_max_bytes(BR_MSG_ROW_BATCH), out);
}

br_status br_row_batch_unpack(br_row_batch *out, br_arena *arena, const uint8_t *bytes, size_t n)
{
    br_reading in = {.arena = arena};
    const Br__RowBatch *message =
        br_read_begin(&in, &br__row_batch__descriptor, bytes, n, br_message_max_bytes(BR_MSG_ROW_BATCH));
    if (message == NULL) {
        return in.status;
    }
    br_row_batch batch = {
        .n_rows = (uint32_t)br_read_range(&in, "rows", message->n_rows, 0, BR_MAX_BATCH_ROWS),
        .source = br_read_text(&in, "source", message->source, BR_FORM_PROSE),
    };
    batch.rows = br_read_alloc(&in, batch.n_rows, sizeof *batch.rows);
    for (uint32_t i = 0; i < batch.n_rows && in.status == BR_OK; i++) {
        br_read_at(&in, 0, "rows", i);
        batch.rows[i] = read_row(&in, 1, message->rows[i]);
    }
    if (in.status == BR_OK) {
        *out = batch;
    }
    return in.status;
}

// --- replies ---

br_status br_row_batch_reply_pack(const br_row_batch_reply *reply, br_buf *out)
{
    if (reply->n_results > BR_MAX_BATCH_ROWS) {
        return br_fail(BR_ERR_LIMIT, "RowBatchReply.results: %u, at most %d are allowed", reply->n_results,
                       BR_MAX_BATCH_ROWS);
    }
    BR_AUTO_DEINIT(br_writing) writing = {0};
    Br__RowBatchReply message = BR__ROW_BATCH_REPLY__INIT;
    Br__RowResult *results = br_write_alloc(&writing, reply->n_results, sizeof *results);
    message.results = br_write_alloc(&writing, reply->n_results, sizeof *message.results);
    if (writing.failed) {
        return br_no_memory("results of a batch", reply->n_results);
    }
    for (uint32_t i = 0; i < reply->n_results; i++) {
        br__row_result__init(&results[i]);
        results[i].outcome = (Br__RowResult__Outcome)reply->results[i].outcome;
        results[i].column = br_write_text(reply->results[i].column);
        results[i].reason = br_write_prose(&writing, reply->results[i].reason);
        results[i].record = reply->results[i].record;
        results[i].conflict = reply->results[i].conflict;
        message.results[i] = &results[i];
    }
    message.n_results = reply->n_results;
    message.head = reply->head;
    return br_write_end(&writing, &message.base, br_message_max_bytes(BR_MSG_ROW_BATCH_REPLY), out);
}

br_status br_row_batch_reply_unpack(br_row_batch_reply *out, br_arena *arena, const uint8_t *bytes, size_t n)
{
    br_reading in = {.arena = arena};
    const Br__RowBatchReply *message =
        br_read_begin(&in, &br__row_batch_reply__descriptor, bytes, n, br_message_max_bytes(BR_MSG_ROW_BATCH_REPLY));
    if (message == NULL) {
        return in.status;
    }
    br_row_batch_reply reply = {
        .n_results = (uint32_t)br_read_range(&in, "results", message->n_results, 0, BR_MAX_BATCH_ROWS),
        .head = message->head,
    };
    reply.results = br_read_alloc(&in, reply.n_results, sizeof *reply.results);
    for (uint32_t i = 0; i < reply.n_results && in.status == BR_OK; i++) {
        const Br__RowResult *result = message->results[i];
        br_read_at(&in, 0, "results", i);
        reply.results[i] = (br_row_result){
            .outcome = (br_row_outcome)br_read_range(&in, "outcome", (uint64_t)result->outcome, BR_OUTCOME_ACCEPTED,
                                                     BR_OUTCOME_REJECTED),
            .column = br_read_text(&in, "column", result->column, BR_FORM_ID_OR_NONE),
            .reason = br_read_text(&in, "reason", result->reason, BR_FORM_PROSE),
            .record = result->record,
            .conflict = result->conflict != 0,
        };
    }
    if (in.status == BR_OK) {
        *out = reply;
    }
    return in.status;
}
