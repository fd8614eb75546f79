// Notes: written through the ingester, read from what the ledger holds.

#include "notes.h"

#include "base/clock.h"
#include "codec/control.h"
#include "codec/rows.h"
#include "desk.h"
#include "input/json_object.h"
#include "transport/client.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define ARENA_BYTES (8u << 20)
#define SEEN_MS     1000 // that a committed note may take to be seen in the ledger by the loop

// --- to the ingester ---

// The same user with the same key means the same note.
static br_hash name_note(const desk_note_text *text)
{
    br_hasher hasher;
    br_hasher_init(&hasher);
    br_hasher_update(&hasher, text->user, strlen(text->user) + 1);
    br_hasher_update(&hasher, text->key, strlen(text->key));
    return br_hasher_final(&hasher);
}

static const char *or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

static br_row row_of(const desk_note_text *text, const br_note *note)
{
    return (br_row){.kind = BR_ROW_NOTE,
                    .bond_id = or_empty(text->bond),
                    .issuer_id = or_empty(text->issuer),
                    .investor_id = or_empty(text->investor),
                    .announce_day = BR_DAY_NONE,
                    .issue_day = BR_DAY_NONE,
                    .day = BR_DAY_NONE,
                    .known_from = BR_DAY_NONE,
                    .amount = BR_AMOUNT_NONE,
                    .rate = (double)NAN,
                    .note = note};
}

static br_status take_result(const br_row_result *result, desk_noted *out)
{
    if (result->outcome == BR_OUTCOME_REJECTED) {
        return result->conflict ? br_fail(BR_ERR_EXISTS, "the Idempotency-Key was used for something else before")
                                : br_fail(BR_ERR_INVALID, "%s: %s", result->column, result->reason);
    }
    out->record = result->record;
    out->known = result->outcome == BR_OUTCOME_DUPLICATE;
    return BR_OK;
}

// Until the answer to this one request; its connection knows no other.
static br_status wait_for_reply(br_client *client, br_arena *arena, desk_noted *out)
{
    BR_AUTO_DEINIT(br_message) message = {0};
    br_status status = br_client_receive(client, &message, DESK_NOTE_MS);
    if (status == BR_ERR_TIMEOUT) {
        return br_fail(BR_ERR_UNREACHABLE, "the ingester has not answered within %d ms", DESK_NOTE_MS);
    }
    if (status != BR_OK) {
        return status;
    }
    if (message.type == BR_MSG_REPORT) { // a full disk, for example: nothing was taken
        br_report report;
        status = br_report_unpack(&report, arena, message.body, message.n_body);
        return status == BR_OK ? br_fail(BR_ERR_FULL, "the ingester refused: %s", report.reason) : status;
    }
    br_row_batch_reply reply;
    status = message.type == BR_MSG_ROW_BATCH_REPLY
                 ? br_row_batch_reply_unpack(&reply, arena, message.body, message.n_body)
                 : BR_ERR_INVALID;
    if (status != BR_OK || reply.n_results != 1) {
        return br_fail(BR_ERR_UNREACHABLE, "the ingester gave an answer of another kind");
    }
    return take_result(&reply.results[0], out);
}

static br_status send_row(desk *self, br_row *row, desk_noted *out)
{
    BR_AUTO(br_arena) *arena = NULL;
    BR_AUTO_DEINIT(br_buf) packed = {0};
    const char *directory = br_service_directory(self->service);
    char endpoint[BR_PATH_BYTES];
    int pid = 0;
    br_status status = br_process_holder(directory, "ingester", &pid);
    if (status == BR_OK && pid == 0) {
        return br_fail(BR_ERR_UNREACHABLE, "the ingester is not running");
    }
    if (status == BR_OK) {
        status = br_arena_new(&arena, ARENA_BYTES);
    }
    if (status == BR_OK) {
        status = br_row_batch_pack(&(br_row_batch){.rows = row, .n_rows = 1, .source = "desk"}, &packed);
    }
    if (status == BR_OK) {
        status = br_endpoint(endpoint, directory, "ingester");
    }
    br_client *client = NULL;
    if (status == BR_OK) {
        status = br_client_new(&client, endpoint);
    }
    uint64_t request = 0;
    if (status == BR_OK) {
        status = br_client_send(client, BR_MSG_ROW_BATCH, br_span_of(&packed), &request);
    }
    if (status == BR_OK) {
        status = wait_for_reply(client, arena, out);
    }
    br_client_abandon(&client);
    return status;
}

static br_status read_time(void *context, uint64_t record, const br_row *row)
{
    (void)record;
    *(int64_t *)context = row->kind == BR_ROW_NOTE ? row->note->time_ms : 0;
    return BR_OK;
}

// A note that was known has the time of its first coming.
static br_status read_known(desk *self, desk_noted *out)
{
    if (!out->known) {
        return BR_OK;
    }
    pthread_mutex_lock(&self->notes_lock);
    br_status status = br_ledger_visit(self->records, out->record - 1, out->record, read_time, &out->time_ms);
    pthread_mutex_unlock(&self->notes_lock);
    return status;
}

// Who writes and then reads finds what was written. Without it the note is in the ledger all the same.
static void wait_until_seen(desk *self, uint64_t record)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += SEEN_MS / 1000;
    pthread_mutex_lock(&self->notes_lock);
    while (self->notes_head < record && pthread_cond_timedwait(&self->notes_seen, &self->notes_lock, &until) == 0) {
    }
    pthread_mutex_unlock(&self->notes_lock);
}

static br_status enter(desk *self, const desk_note_text *text)
{
    pthread_rwlock_rdlock(&self->lock);
    bool room = held_notes_has_room(self->held, text);
    pthread_rwlock_unlock(&self->lock);
    if (!room) {
        return br_fail(BR_ERR_FULL, "there are notes about %u things, more are not kept", DESK_HELD_MAX);
    }
    pthread_mutex_lock(&self->notes_lock);
    bool may = self->n_writing < DESK_NOTES_AT_ONCE;
    self->n_writing += may ? 1 : 0;
    pthread_mutex_unlock(&self->notes_lock);
    return may ? BR_OK : br_fail(BR_ERR_LIMIT, "%d notes are being written at the moment", DESK_NOTES_AT_ONCE);
}

static void leave(desk *self)
{
    pthread_mutex_lock(&self->notes_lock);
    self->n_writing--;
    pthread_mutex_unlock(&self->notes_lock);
}

br_status desk_note(desk *self, const desk_note_text *text, desk_noted *out)
{
    const br_note note = {.id = name_note(text),
                          .user = text->user,
                          .time_ms = (int64_t)(br_clock_wall_s() * 1000.0),
                          .topic = text->topic,
                          .subject = or_empty(text->subject),
                          .value = or_empty(text->value),
                          .version = or_empty(text->version)};
    br_row row = row_of(text, &note);
    br_row_problem problem;
    if (!br_row_check(NULL, &row, &problem)) {
        return br_fail(BR_ERR_INVALID, "%s: %s", problem.column, problem.reason);
    }
    *out = (desk_noted){.time_ms = note.time_ms};
    br_hash_text(&note.id, out->id);
    br_status status = enter(self, text);
    if (status != BR_OK) {
        return status;
    }
    status = send_row(self, &row, out);
    if (status == BR_OK) {
        status = read_known(self, out);
        wait_until_seen(self, out->record);
    }
    leave(self);
    return status;
}

void desk_note_problem(br_http_answer *answer, br_status status)
{
    if (status == BR_ERR_EXISTS) {
        br_http_problem(answer, 409, "Conflict", br_why(status));
    } else if (status == BR_ERR_INVALID) {
        br_http_problem(answer, 422, "Unprocessable Content", br_why(status));
    } else if (status == BR_ERR_LIMIT) {
        br_http_problem(answer, 429, "Too Many Requests", br_why(status));
        answer->retry_after_s = 1;
    } else {
        br_http_problem(answer, 503, "The note was not written", br_why(status));
        answer->retry_after_s = 5;
    }
}

void desk_note_answer(br_http_answer *answer, const desk_noted *noted, const char *user)
{
    br_buf *out = &answer->body;
    answer->code = noted->known ? 200 : 201;
    br_buf_char(out, '{');
    json_member(out, "id", noted->id);
    br_buf_printf(out, ", \"record\": %llu, ", (unsigned long long)noted->record);
    json_time(out, "time", noted->time_ms);
    br_buf_string(out, ", ");
    json_member(out, "user", user);
    br_buf_string(out, "}\n");
}

// --- POST /notes ---

static const char *const call_values[] = {"called", "interested", "declined", "", NULL};
static const char *const reason_values[] = {"useful", "wrong", "known", "", NULL};

static bool one_of(const char *value, const char *const *values)
{
    while (*values != NULL && strcmp(value, *values) != 0) {
        values++;
    }
    return *values != NULL;
}

static bool refuse(br_http_answer *answer, const char *detail)
{
    br_http_problem(answer, 422, "Unprocessable Content", detail);
    return false;
}

// NULL with a problem set: it is there and no text, or it is missing and must not be.
static const char *member_text(const br_json_object *object, const char *name, bool needed, br_http_answer *answer)
{
    const br_json_value value = br_json_member(object, name);
    char detail[96];
    if (value.kind == BR_JSON_TEXT) {
        return value.text;
    }
    if (!needed && (value.kind == BR_JSON_NONE || value.kind == BR_JSON_NULL)) {
        return "";
    }
    snprintf(detail, sizeof detail, "%s must be a text", name);
    refuse(answer, detail);
    return NULL;
}

static bool read_note(const br_json_object *object, desk_note_text *out, br_http_answer *answer)
{
    const char *topic = member_text(object, "topic", true, answer);
    if (topic == NULL || (out->bond = member_text(object, "bond", true, answer)) == NULL ||
        (out->investor = member_text(object, "investor", true, answer)) == NULL ||
        (out->value = member_text(object, "value", true, answer)) == NULL ||
        (out->subject = member_text(object, "subject", false, answer)) == NULL ||
        (out->version = member_text(object, "snapshot", false, answer)) == NULL) {
        return false;
    }
    out->topic = br_topic_find(topic);
    if (out->topic == BR_TOPIC_CALL) {
        return (one_of(out->value, call_values) ||
                refuse(answer, "value must be called, interested, declined or empty")) &&
               (out->subject[0] == '\0' || refuse(answer, "a note of topic call has no subject"));
    }
    if (out->topic == BR_TOPIC_REASON) {
        return (one_of(out->value, reason_values) || refuse(answer, "value must be useful, wrong, known or empty")) &&
               (out->subject[0] != '\0' || refuse(answer, "subject must name the reason's field"));
    }
    return refuse(answer, "topic must be call or reason");
}

static bool both_exist(desk *self, const desk_note_text *text, br_http_answer *answer)
{
    pthread_rwlock_rdlock(&self->lock);
    const br_market *market = br_follower_market(self->follower);
    const bool bond = market != NULL && br_market_find_bond(market, text->bond) != BR_INDEX_NONE;
    const bool investor = market != NULL && br_market_find_investor(market, text->investor) != BR_INDEX_NONE;
    pthread_rwlock_unlock(&self->lock);
    if (!bond || !investor) {
        br_http_problem(answer, 404, "Not Found", bond ? "there is no such investor" : "there is no such bond");
    }
    return bond && investor;
}

void handle_notes_post(void *context, const br_http_request *request, br_http_answer *answer)
{
    desk *self = context;
    BR_AUTO(br_json_object) *object = NULL;
    br_status status = br_json_object_read(&object, request->body, request->n_body);
    if (status == BR_ERR_INVALID) {
        br_http_problem(answer, 400, "Bad Request", br_why(status));
        return;
    }
    if (status != BR_OK) {
        answer_failed(answer, status);
        return;
    }
    desk_note_text text = {.user = request->user, .key = request->header(request, "Idempotency-Key")};
    if (!read_note(object, &text, answer) || !both_exist(self, &text, answer)) {
        return;
    }
    desk_noted noted;
    status = desk_note(self, &text, &noted);
    if (status == BR_OK) {
        desk_note_answer(answer, &noted, text.user);
    } else {
        desk_note_problem(answer, status);
    }
}

// --- reading ---

void desk_held_visit(desk *self, br_topic topic, bool withdrawn, desk_held_visitor visitor, void *context)
{
    pthread_rwlock_rdlock(&self->lock);
    held_notes_visit(self->held, topic, withdrawn, visitor, context);
    pthread_rwlock_unlock(&self->lock);
}

static void add_held(void *context, const desk_held *note)
{
    br_buf *out = context;
    if (note->topic == BR_TOPIC_CHOICE) { // who compares explanations is not to know what others chose
        return;
    }
    br_buf_string(out, out->data[out->length - 1] == '[' ? "\n {" : ",\n {");
    json_member(out, "topic", br_topic_name(note->topic));
    br_buf_string(out, ", ");
    json_member(out, "investor", note->investor);
    br_buf_string(out, ", ");
    json_member(out, "subject", note->subject);
    br_buf_string(out, ", ");
    json_member(out, "value", note->value);
    br_buf_string(out, ", ");
    json_member(out, "user", note->user);
    br_buf_string(out, ", ");
    json_time(out, "time", note->time_ms);
    br_buf_char(out, '}');
}

void answer_notes(desk *self, const br_http_request *request, br_http_answer *answer, const char *bond_id)
{
    (void)request;
    br_buf_string(&answer->body, "{\"notes\": [");
    if (answer->body.failed) {
        answer_finish(answer);
        return;
    }
    pthread_rwlock_rdlock(&self->lock);
    const br_market *market = br_follower_market(self->follower);
    const bool known = market != NULL && br_market_find_bond(market, bond_id) != BR_INDEX_NONE;
    if (known) {
        held_notes_of_bond(self->held, bond_id, add_held, &answer->body);
    }
    pthread_rwlock_unlock(&self->lock);
    if (!known) {
        br_http_problem(answer, 404, "Not Found", "there is no such bond");
        return;
    }
    br_buf_string(&answer->body, "]}\n");
    answer_finish(answer);
}

static br_status add_audited(void *context, uint64_t record, const br_row *row)
{
    br_buf *out = context;
    const br_note *note = row->note;
    if (row->kind != BR_ROW_NOTE) {
        return br_fail(BR_ERR_CORRUPT, "ledger record %llu is no note", (unsigned long long)record);
    }
    char id[BR_HASH_TEXT], chain[BR_HASH_TEXT];
    br_hash_text(&note->id, id);
    br_hash_text(&note->chain, chain);
    const char *const members[][2] = {
        {"id", id},
        {"user", note->user},
        {"topic", br_topic_name(note->topic)},
        {"bond", row->bond_id},
        {"investor", row->investor_id},
        {"subject", note->subject},
        {"issuer", row->issuer_id},
        {"value", note->value},
        {"snapshot", note->version},
        {"chain", chain},
    };
    br_buf_printf(out, "%s\n {\"record\": %llu, ", out->data[out->length - 1] == '[' ? "" : ",",
                  (unsigned long long)record);
    json_time(out, "time", note->time_ms);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        br_buf_string(out, ", ");
        json_member(out, members[i][0], members[i][1]);
    }
    br_buf_char(out, '}');
    return out->failed ? br_no_memory("notes", 1) : BR_OK;
}

// The records of a page, newest first: [at most limit].
static uint32_t audit_page(desk *self, br_buf *out, uint32_t limit, uint32_t offset, uint64_t *records)
{
    pthread_rwlock_rdlock(&self->lock);
    const uint64_t broken = held_notes_broken(self->held);
    br_buf_printf(out, "{\"total\": %llu, \"limit\": %u, \"offset\": %u, \"intact\": %s, \"broken_record\": ",
                  (unsigned long long)held_notes_total(self->held), limit, offset, broken == 0 ? "true" : "false");
    br_buf_printf(out, broken == 0 ? "null" : "%llu", (unsigned long long)broken);
    uint32_t n = 0;
    while (n < limit && (records[n] = held_notes_record(self->held, (uint64_t)offset + n)) != 0) {
        n++;
    }
    pthread_rwlock_unlock(&self->lock);
    return n;
}

void handle_audit(void *context, const br_http_request *request, br_http_answer *answer)
{
    desk *self = context;
    uint64_t records[1000];
    uint32_t limit = 100, offset = 0;
    if (!request_whole(request, answer, "limit", 1000, &limit) ||
        !request_whole(request, answer, "offset", 100000000, &offset)) {
        return;
    }
    const uint32_t n = audit_page(self, &answer->body, limit, offset, records);
    br_buf_string(&answer->body, ", \"notes\": [");
    br_status status = answer->body.failed ? br_no_memory("notes", n) : BR_OK;
    pthread_mutex_lock(&self->notes_lock);
    for (uint32_t i = 0; i < n && status == BR_OK; i++) {
        status = br_ledger_visit(self->records, records[i] - 1, records[i], add_audited, &answer->body);
    }
    pthread_mutex_unlock(&self->notes_lock);
    if (status != BR_OK) {
        answer_failed(answer, status);
        return;
    }
    br_buf_string(&answer->body, "]}\n");
    answer_finish(answer);
}
