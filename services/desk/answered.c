// What a rater has answered, and how an answer is taken back: the same for all questions that people are asked.

#include "base/alloc.h"
#include "compute.h"

#include <stdio.h>
#include <string.h>

// What a note speaks of, each part with its NUL.
static void name_thing(br_buf *key, const desk_note_text *about)
{
    const char *const parts[] = {about->bond, about->investor, about->subject, about->issuer};
    br_buf_clear(key);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        br_buf_string(key, parts[i] == NULL ? "" : parts[i]);
        br_buf_append(key, "", 1);
    }
}

static void take(void *context, const desk_held *note)
{
    answered *a = context;
    if (strcmp(note->user, a->user) != 0 || (a->subject != NULL && strcmp(note->subject, a->subject) != 0)) {
        return;
    }
    const bool holds = note->value[0] != '\0';
    const desk_note_text about = {
        .bond = note->bond, .investor = note->investor, .subject = note->subject, .issuer = note->issuer};
    uint32_t number = 0;
    if (holds) {
        name_thing(&a->key, &about);
        a->failed = a->failed || a->key.failed ||
                    br_index_add(a->things, br_buf_text(&a->key), a->key.length, &number, NULL) != BR_OK;
    }
    answered_thing *newest = holds ? &a->last : &a->back;
    if (note->record > newest->record) {
        newest->record = note->record;
        snprintf(newest->bond, sizeof newest->bond, "%s", note->bond);
        snprintf(newest->investor, sizeof newest->investor, "%s", note->investor);
        snprintf(newest->subject, sizeof newest->subject, "%s", note->subject);
        snprintf(newest->issuer, sizeof newest->issuer, "%s", note->issuer);
    }
}

br_status answered_read(desk *self, br_topic topic, answered *a)
{
    br_status status = br_index_new(&a->things);
    if (status == BR_OK) {
        desk_held_visit(self, topic, true, take, a);
    }
    return a->failed ? br_no_memory("answers", 1) : status;
}

bool answered_has(answered *a, const desk_note_text *about)
{
    name_thing(&a->key, about);
    return br_index_find(a->things, br_buf_text(&a->key), a->key.length) != BR_INDEX_NONE;
}

void answered_deinit(answered *a)
{
    br_index_free(&a->things);
    br_buf_deinit(&a->key);
}

bool answer_body(br_json_object **out, const br_http_request *request, br_http_answer *answer)
{
    br_status status = br_json_object_read(out, request->body, request->n_body);
    if (status != BR_OK) {
        br_http_problem(answer, 400, "Malformed body", br_why(status));
    }
    return status == BR_OK;
}

bool answer_ticket(ticket *out, const desk *self, const br_json_object *body, const char *kind,
                   const br_http_request *request, br_http_answer *answer)
{
    br_json_value text = br_json_member(body, "ticket");
    bool good = text.kind == BR_JSON_TEXT && ticket_read(out, text.text, &self->secret, request->user, kind);
    if (!good) {
        br_http_problem(answer, 409, "Conflict",
                        "this ticket is not yours or is of an earlier run; ask for the question again");
    }
    return good;
}

void answer_undo(desk *self, br_topic topic, const char *subject, const br_http_request *request,
                 br_http_answer *answer)
{
    BR_AUTO(br_json_object) *body = NULL;
    // A key of its own kind: the same request once more is known by it, though another answer is the last one by then.
    char key[160];
    if (!answer_body(&body, request, answer)) {
        return;
    }
    snprintf(key, sizeof key, "%.100s undo", request->header(request, "Idempotency-Key"));
    answered done = {.user = request->user, .subject = subject};
    br_status status = answered_read(self, topic, &done);
    const bool any = done.last.record != 0;
    if (status == BR_OK && any) {
        const desk_note_text note = {.user = request->user,
                                     .key = key,
                                     .topic = topic,
                                     .bond = done.last.bond,
                                     .investor = done.last.investor,
                                     .subject = done.last.subject,
                                     .issuer = done.last.issuer,
                                     .value = ""};
        desk_noted noted;
        status = desk_note(self, &note, &noted);
    }
    answered_deinit(&done);
    if (status == BR_OK || status == BR_ERR_EXISTS) {
        br_buf_printf(&answer->body, "{\"withdrawn\": %s}\n", any ? "true" : "false");
        answer_finish(answer);
    } else {
        desk_note_problem(answer, status);
    }
}
