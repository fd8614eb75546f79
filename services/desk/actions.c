// What an operator does: the intent is written into the ledger first, then it is done, then what became of it is written down, too.
//
// All three have a subject made of the user and the Idempotency-Key, so that the newest note under it says how far a request got that comes again: what was
// done is not done again, what was begun goes on to the target it had.

#include "base/alloc.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "desk.h"
#include "input/json_object.h"
#include "notes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ACT_MS      10000 ///< a snapshot of some 100 MB is verified before it is served
#define WORD_BYTES  (BR_HASH_TEXT)
#define ARENA_BYTES (4u << 20)
#define NOTHING     "-" ///< stands for an empty word in a note

typedef struct action action;
struct action {
    const char *name;   ///< "snapshots.rollback"
    const char *member; ///< of the request: "snapshot"
    const char *answer; ///< of the answer: "served"
    bool answer_is_text;
    size_t n_word; ///< most digits of what is wanted
    br_status (*aim)(desk *self, const char *wanted,
                     char *target_out); ///< what it will come to, before anything is done
    br_status (*act)(desk *self, const char *wanted, const char *target, char *result_out);
};

/// How far a request got: the newest note under its subject.
typedef struct progress {
    char state[8]; ///< "asked", "done", "failed"; "" = never heard of
    char wanted[WORD_BYTES];
    char rest[WORD_BYTES]; ///< asked: the target; done: the result
} progress;

typedef struct requested {
    const action *action;
    const char *user;
    const char *key;
    char subject[BR_MAX_ID_BYTES + 1];
    char wanted[WORD_BYTES]; ///< "" = all, or the one before
    char target[WORD_BYTES];
} requested;

// --- roll back ---

static br_status aim_rollback(desk *self, const char *wanted, char *target_out)
{
    char served[BR_VERSION_TEXT];
    br_status status = br_snapshots_served(self->snapshots, served);
    if (status != BR_OK) {
        return status;
    }
    if (wanted[0] == '\0') {
        return br_snapshots_previous(self->snapshots, target_out);
    }
    snprintf(target_out, WORD_BYTES, "%s", wanted);
    return strcmp(wanted, served) == 0 ? br_fail(BR_ERR_EXISTS, "snapshot %s is served already", served) : BR_OK;
}

static br_status ask_service(desk *self, const char *service, br_message_type type, const br_buf *body, br_arena *arena,
                             br_report *out)
{
    br_status status = desk_ask(self, service, type, br_span_of(body), ACT_MS, arena, out);
    return status == BR_OK && !out->ok ? br_fail(BR_ERR_INVALID, "%s", out->reason) : status;
}

static br_status act_rollback(desk *self, const char *wanted, const char *target, char *result_out)
{
    (void)wanted;
    BR_AUTO(br_arena) *arena = NULL;
    BR_AUTO_DEINIT(br_buf) body = {0};
    char served[BR_VERSION_TEXT];
    br_report report;
    br_status status = br_snapshots_served(self->snapshots, served);
    snprintf(result_out, WORD_BYTES, "%s", target);
    if (status == BR_OK && strcmp(served, target) == 0) {
        return BR_OK; // a request that was cut off has got so far
    }
    if (status == BR_OK) {
        status = br_arena_new(&arena, ARENA_BYTES);
    }
    if (status == BR_OK) {
        status = br_rollback_request_pack(&(br_rollback_request){.version = target}, &body);
    }
    return status == BR_OK ? ask_service(self, "trainer", BR_MSG_ROLLBACK_REQUEST, &body, arena, &report) : status;
}

// --- retry ---

static br_status find_dead(void *context, const br_dead_job *dead)
{
    return br_hash_equal(context, &dead->job_id) ? BR_ERR_EXISTS : BR_OK;
}

static br_status aim_retry(desk *self, const char *wanted, char *target_out)
{
    br_hash job;
    snprintf(target_out, WORD_BYTES, NOTHING);
    if (wanted[0] == '\0') {
        return BR_OK;
    }
    br_status status = br_hash_parse(&job, wanted);
    if (status == BR_OK) {
        status = br_recommendations_visit_dead(self->recommendations, find_dead, &job);
    }
    if (status == BR_OK || status == BR_ERR_INVALID) {
        status = br_fail(BR_ERR_NOT_FOUND, "no dead job has this id");
    }
    return status == BR_ERR_EXISTS ? BR_OK : status;
}

static br_status act_retry(desk *self, const char *wanted, const char *target, char *result_out)
{
    (void)target;
    BR_AUTO(br_arena) *arena = NULL;
    BR_AUTO_DEINIT(br_buf) body = {0};
    br_report report;
    br_retry_request request = {.all = wanted[0] == '\0'};
    br_status status = br_arena_new(&arena, ARENA_BYTES);
    if (status == BR_OK && !request.all) {
        status = br_hash_parse(&request.job_id, wanted);
    }
    if (status == BR_OK) {
        status = br_retry_request_pack(&request, &body);
    }
    if (status == BR_OK) {
        status = ask_service(self, "ranker", BR_MSG_RETRY_REQUEST, &body, arena, &report);
    }
    for (uint32_t i = 0; status == BR_OK && i < report.n_figures; i++) {
        if (strcmp(report.figures[i].name, "jobs") == 0) {
            snprintf(result_out, WORD_BYTES, "%.0f", report.figures[i].number);
        }
    }
    return status;
}

// --- notes of it ---

static void set_subject(requested *r)
{
    br_hasher hasher;
    char text[BR_HASH_TEXT];
    br_hasher_init(&hasher);
    br_hasher_update(&hasher, r->user, strlen(r->user) + 1);
    br_hasher_update(&hasher, r->key, strlen(r->key));
    br_hash hash = br_hasher_final(&hasher);
    br_hash_text(&hash, text);
    snprintf(r->subject, sizeof r->subject, "%s %.16s", r->action->name, text);
}

typedef struct lookup {
    const char *subject;
    progress *found;
} lookup;

static void look_at_note(void *context, const desk_held *note)
{
    const lookup *l = context;
    if (strcmp(note->subject, l->subject) != 0) {
        return;
    }
    progress *p = l->found;
    *p = (progress){.state = ""};
    if (sscanf(note->value, "%7s %64s %64s", p->state, p->wanted, p->rest) < 2) {
        *p = (progress){.state = ""};
    } else if (strcmp(p->wanted, NOTHING) == 0) {
        p->wanted[0] = '\0';
    }
}

// Prose is cut between characters.
static void cut(char *text, size_t most)
{
    size_t n = strlen(text);
    size_t kept = 0;
    while (kept < n) {
        size_t length = br_utf8_sequence(text + kept, n - kept);
        if (length == 0 || kept + length > most) {
            break;
        }
        kept += length;
    }
    text[kept] = '\0';
}

// `distinct`: what tells this note from others of the same request in the same state.
static br_status write_note(desk *self, const requested *r, const char *state, const char *rest, const char *distinct)
{
    char value[BR_MAX_VALUE_BYTES + 256];
    char key[512];
    snprintf(value, sizeof value, "%s %s %s", state, r->wanted[0] == '\0' ? NOTHING : r->wanted, rest);
    cut(value, BR_MAX_VALUE_BYTES);
    snprintf(key, sizeof key, "%s %s %s", r->key, state, distinct);
    desk_noted noted;
    return desk_note(
        self,
        &(desk_note_text){.user = r->user, .key = key, .topic = BR_TOPIC_ACTION, .subject = r->subject, .value = value},
        &noted);
}

// --- a request ---

static bool is_word(const char *text, size_t most)
{
    size_t n = strspn(text, "0123456789abcdef");
    return text[n] == '\0' && n <= most;
}

static bool read_wanted(requested *r, const br_http_request *request, br_http_answer *answer)
{
    BR_AUTO(br_json_object) *object = NULL;
    br_status status = br_json_object_read(&object, request->body, request->n_body);
    if (status == BR_ERR_INVALID) {
        br_http_problem(answer, 400, "Bad Request", br_why(status));
        return false;
    }
    if (status != BR_OK) {
        answer_failed(answer, status);
        return false;
    }
    br_json_value value = br_json_member(object, r->action->member);
    if (value.kind != BR_JSON_TEXT || !is_word(value.text, r->action->n_word)) {
        char detail[120];
        snprintf(detail, sizeof detail, "%s must be a text of at most %zu hexadecimal digits; \"\" = %s",
                 r->action->member, r->action->n_word, r->action->answer_is_text ? "the one served before" : "all");
        br_http_problem(answer, 422, "Unprocessable Content", detail);
        return false;
    }
    snprintf(r->wanted, sizeof r->wanted, "%s", value.text);
    return true;
}

static void refuse(br_http_answer *answer, br_status status)
{
    if (status == BR_ERR_NOT_FOUND) {
        br_http_problem(answer, 404, "Not Found", br_why(status));
    } else if (status == BR_ERR_EXISTS || status == BR_ERR_INVALID) {
        br_http_problem(answer, 409, "Conflict", br_why(status));
    } else {
        br_http_problem(answer, 503, "Service Unavailable", br_why(status));
        answer->retry_after_s = 5;
    }
}

static void answer_result(const action *a, const char *result, br_http_answer *answer)
{
    br_buf_char(&answer->body, '{');
    if (a->answer_is_text) {
        json_member(&answer->body, a->answer, result);
    } else {
        br_buf_printf(&answer->body, "\"%s\": %lu", a->answer, strtoul(result, NULL, 10));
    }
    br_buf_string(&answer->body, "}\n");
    answer_finish(answer);
}

static void act_and_tell(desk *self, requested *r, br_http_answer *answer)
{
    char result[WORD_BYTES] = NOTHING;
    char moment[32];
    br_status status = write_note(self, r, "asked", r->target, r->target);
    if (status != BR_OK) {
        desk_note_problem(answer, status); // nothing was done
        return;
    }
    status = r->action->act(self, r->wanted, r->target, result);
    if (status != BR_OK) {
        char why[BR_MAX_VALUE_BYTES];
        snprintf(why, sizeof why, "%s", br_why(status));
        snprintf(moment, sizeof moment, "%lld", (long long)(br_clock_wall_s() * 1000.0));
        br_status noted = write_note(self, r, "failed", why, moment);
        (void)noted; // the client learns of the failure itself
        status = br_fail(status, "%s", why);
        refuse(answer, status);
        return;
    }
    status = write_note(self, r, "done", result, "");
    if (status != BR_OK) { // the same key again writes it down, and does nothing twice
        br_http_problem(answer, 503, "Done, but not written down", br_why(status));
        answer->retry_after_s = 5;
        return;
    }
    answer_result(r->action, result, answer);
}

static void perform(desk *self, requested *r, br_http_answer *answer)
{
    progress found = {.state = ""};
    desk_held_visit(self, BR_TOPIC_ACTION, false, look_at_note, &(lookup){r->subject, &found});
    if (found.state[0] != '\0' && strcmp(found.wanted, r->wanted) != 0) {
        br_http_problem(answer, 409, "Conflict", "the Idempotency-Key was used for something else before");
        return;
    }
    if (strcmp(found.state, "done") == 0) {
        answer_result(r->action, found.rest, answer);
        return;
    }
    if (strcmp(found.state, "asked") == 0) {
        snprintf(r->target, sizeof r->target, "%s", found.rest);
    } else {
        br_status status = r->action->aim(self, r->wanted, r->target);
        if (status != BR_OK) {
            refuse(answer, status);
            return;
        }
    }
    act_and_tell(self, r, answer);
}

// One at a time: each may hold one of the server's few threads for seconds.
static void handle(desk *self, const action *a, const br_http_request *request, br_http_answer *answer)
{
    requested r = {.action = a, .user = request->user, .key = request->header(request, "Idempotency-Key")};
    if (!read_wanted(&r, request, answer)) {
        return;
    }
    set_subject(&r);
    pthread_mutex_lock(&self->workers.lock);
    bool may = !self->acting;
    self->acting = true;
    pthread_mutex_unlock(&self->workers.lock);
    if (!may) {
        br_http_problem(answer, 429, "Too Many Requests", "another action is being done");
        answer->retry_after_s = 1;
        return;
    }
    perform(self, &r, answer);
    pthread_mutex_lock(&self->workers.lock);
    self->acting = false;
    pthread_mutex_unlock(&self->workers.lock);
}

void handle_rollback(void *context, const br_http_request *request, br_http_answer *answer)
{
    static const action rollback = {.name = "snapshots.rollback",
                                    .member = "snapshot",
                                    .answer = "served",
                                    .answer_is_text = true,
                                    .n_word = BR_VERSION_TEXT - 1,
                                    .aim = aim_rollback,
                                    .act = act_rollback};
    handle(context, &rollback, request, answer);
}

void handle_retry(void *context, const br_http_request *request, br_http_answer *answer)
{
    static const action retry = {.name = "jobs.retry",
                                 .member = "job",
                                 .answer = "jobs",
                                 .n_word = BR_HASH_TEXT - 1,
                                 .aim = aim_retry,
                                 .act = act_retry};
    handle(context, &retry, request, answer);
}
