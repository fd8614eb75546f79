// Two methods side by side, judged blind by people (pipeline/study.h).

#include "pipeline/study.h"

#include "base/alloc.h"
#include "compute.h"
#include "notes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STUDY_TRIES      100 ///< pairs with equal sets that one request passes over
#define STUDY_EQUAL_MAX  (1u << 20)
#define MAX_MILLISECONDS 100000000
#define PAPER_FIRST      344
#define PAPER_ANSWERS    660
#define PAPER_RATERS     11
#define SUBJECT_BYTES    80

/// "backed:gumbel", what a choice is about.
static void subject_of(const desk *self, char out[SUBJECT_BYTES])
{
    snprintf(out, SUBJECT_BYTES, "%s:%s", br_method_name(self->compute->study[0]),
             br_method_name(self->compute->study[1]));
}

/// Words of a question's ticket.
enum { TICKET_VERSION, TICKET_BOND, TICKET_INVESTOR, TICKET_DROPPED };

static size_t pair_key(char key[2 * BR_MAX_ID_BYTES + 2], const char *bond, const char *investor)
{
    size_t n_bond = strlen(bond) + 1;
    size_t n_investor = strlen(investor) + 1;
    br_assert(n_bond <= BR_MAX_ID_BYTES + 1 && n_investor <= BR_MAX_ID_BYTES + 1);
    memcpy(key, bond, n_bond);
    memcpy(key + n_bond, investor, n_investor);
    return n_bond + n_investor;
}

// --- the next question ---

typedef struct candidate {
    uint64_t order;
    uint32_t list;
    uint32_t entry;
    bool swapped;
} candidate;

typedef struct drawing {
    const errand *errand;
    br_arena *arena;
    answered done;
    newest_lists newest;
    candidate *pairs; ///< [n], by order
    uint32_t n;
    uint64_t reached; ///< the highest order that was answered
    uint32_t dropped; ///< equal pairs beyond it that were passed over
} drawing;

/// The newest lists, as far as they are of one snapshot: that of the list made for the latest day.
static br_status read_lists(drawing *d)
{
    newest_lists *newest = &d->newest;
    const char *version = NULL;
    br_day day = BR_DAY_NONE;
    br_status status = newest_name(d->errand->desk, d->arena, newest);
    if (status == BR_OK) {
        status = newest_read(d->errand->desk, d->arena, newest);
    }
    for (uint32_t i = 0; i < newest->n && status == BR_OK; i++) {
        if (version == NULL || newest->lists[i].as_of > day) {
            version = newest->lists[i].version;
            day = newest->lists[i].as_of;
        }
    }
    for (uint32_t i = 0; i < newest->n && status == BR_OK; i++) {
        if (strcmp(newest->lists[i].version, version) != 0 || !newest->lists[i].has_job) {
            newest->lists[i].n_entries = 0;
        }
    }
    return status;
}

static int by_order(const void *left, const void *right)
{
    const candidate *a = left;
    const candidate *b = right;
    return a->order != b->order ? (a->order > b->order) - (a->order < b->order)
                                : (a->list != b->list ? (a->list > b->list) - (a->list < b->list)
                                                      : (a->entry > b->entry) - (a->entry < b->entry));
}

static br_status draw_pairs(drawing *d)
{
    const errand *e = d->errand;
    uint64_t seed = br_service_config(e->desk->service)->study.seed;
    uint32_t most = 0;
    for (uint32_t i = 0; i < d->newest.n; i++) {
        most += d->newest.lists[i].n_entries;
    }
    d->pairs = br_arena_calloc(d->arena, most, sizeof *d->pairs);
    if (d->pairs == NULL && most > 0) {
        return br_no_memory("pairs", most);
    }
    for (uint32_t i = 0; i < d->newest.n; i++) {
        for (uint32_t k = 0; k < d->newest.lists[i].n_entries; k++) {
            const char *investor = d->newest.lists[i].entries[k].investor_id;
            const desk_note_text about = {.bond = d->newest.bonds[i], .investor = investor, .subject = d->done.subject};
            br_study_draw draw = br_study_draw_of(seed, e->user, d->newest.bonds[i], investor);
            if (!answered_has(&d->done, &about)) {
                d->pairs[d->n++] = (candidate){draw.order, i, k, draw.swapped};
            } else if (draw.order > d->reached) {
                d->reached = draw.order;
            }
        }
    }
    if (d->n > 0) {
        qsort(d->pairs, d->n, sizeof *d->pairs, by_order);
    }
    return BR_OK;
}

/// Pairs that were found equal once are passed over without computing.
static bool known_equal(desk *self, const drawing *d, const candidate *pair, bool note)
{
    char key[BR_VERSION_TEXT + 2 * BR_MAX_ID_BYTES + 2];
    const br_list *list = &d->newest.lists[pair->list];
    size_t n = strlen(list->version) + 1;
    uint32_t number;
    memcpy(key, list->version, n);
    n += pair_key(key + n, d->newest.bonds[pair->list], list->entries[pair->entry].investor_id);
    if (note) {
        return br_index_count(self->compute->equal) < STUDY_EQUAL_MAX &&
               br_index_add(self->compute->equal, key, n, &number, NULL) == BR_OK;
    }
    return br_index_find(self->compute->equal, key, n) != BR_INDEX_NONE;
}

/// Both sets of a pair.
static br_status compute_pair(const drawing *d, br_arena *arena, const candidate *pair, list_question *q,
                              br_reason sets[2][BR_MAX_REASONS])
{
    desk *self = d->errand->desk;
    br_methods *methods = NULL;
    br_status status = compute_open(self, arena, d->newest.bonds[pair->list], q);
    if (status == BR_OK && strcmp(q->body.version, d->newest.lists[pair->list].version) != 0) {
        status = br_fail(BR_ERR_INVALID, "the list has just been made again; ask once more");
    }
    if (status == BR_OK) {
        status = compute_methods(self, q, &methods);
    }
    const br_method_list list = {
        .bond_codes = q->body.bond_codes.data,
        .population = {q->asked.codes, q->body.scores, q->body.eligible, q->body.n_population},
        .investors = &d->newest.lists[pair->list].entries[pair->entry].investor,
        .n = 1,
        .key = q->bond,
    };
    for (int m = 0; m < 2 && status == BR_OK; m++) {
        status = br_study_reasons(sets[m], methods, self->compute->study[m], q->asked.served, &list, q->body.n_reasons);
    }
    return status;
}

static void bond_of_question(br_buf *out, desk *self, const char *bond_id)
{
    br_buf_string(out, "\"bond\": ");
    pthread_rwlock_rdlock(&self->lock);
    const br_market *market = br_follower_market(self->follower);
    uint32_t bond = market == NULL ? BR_INDEX_NONE : br_market_find_bond(market, bond_id);
    if (bond == BR_INDEX_NONE) {
        br_buf_string(out, "null");
    } else {
        bond_json(out, self, bond);
    }
    pthread_rwlock_unlock(&self->lock);
}

static void set_json(br_buf *out, const errand *e, const list_question *q, const char *side, const br_reason *reasons)
{
    br_buf_printf(out, ", \"%s\": [", side);
    for (uint32_t k = 0; k < q->body.n_reasons; k++) {
        br_buf_string(out, k == 0 ? "" : ", ");
        br_present_reason(out, q->asked.served->snapshot->encoder, e->language, &reasons[k], BR_REASON_FOR);
    }
    br_buf_char(out, ']');
}

static void question_json(const drawing *d, const candidate *pair, const list_question *q,
                          br_reason sets[2][BR_MAX_REASONS], br_http_answer *answer)
{
    const errand *e = d->errand;
    const br_list_entry *entry = &d->newest.lists[pair->list].entries[pair->entry];
    char subject[SUBJECT_BYTES];
    const char *bond = d->newest.bonds[pair->list];
    ticket sealing = {0};
    BR_AUTO_DEINIT(br_buf) sealed = {0};
    snprintf(sealing.words[TICKET_VERSION], sizeof sealing.words[0], "%s", q->body.version);
    snprintf(sealing.words[TICKET_BOND], sizeof sealing.words[0], "%s", bond);
    snprintf(sealing.words[TICKET_INVESTOR], sizeof sealing.words[0], "%s", entry->investor_id);
    snprintf(sealing.words[TICKET_DROPPED], sizeof sealing.words[0], "%u", d->dropped);
    subject_of(e->desk, subject);
    ticket_write(&sealed, &sealing, &e->desk->secret, e->user, subject);
    br_buf *out = &answer->body;
    br_buf_printf(out, "{\"n\": %u, ", br_index_count(d->done.things) + 1);
    bond_of_question(out, e->desk, bond);
    br_buf_string(out, ", ");
    json_member(out, "investor", entry->investor_id);
    br_buf_string(out, ", \"probability\": ");
    br_buf_json_number(out, entry->probability);
    br_buf_string(out, ", ");
    json_member(out, "snapshot", q->body.version);
    set_json(out, e, q, "left", sets[pair->swapped ? 1 : 0]);
    set_json(out, e, q, "right", sets[pair->swapped ? 0 : 1]);
    br_buf_string(out, ", ");
    json_member(out, "ticket", br_buf_text(&sealed));
    br_buf_string(out, "}\n");
    out->failed = out->failed || sealed.failed;
    answer_finish(answer);
}

static br_status find_question(drawing *d, br_http_answer *answer)
{
    uint32_t n_tried = 0;
    for (uint32_t i = 0; i < d->n; i++) {
        const candidate *pair = &d->pairs[i];
        if (!known_equal(d->errand->desk, d, pair, false)) {
            BR_AUTO(br_arena) *arena = NULL; // each its own: a hundred jobs would not fit into one
            br_reason sets[2][BR_MAX_REASONS];
            list_question q;
            br_status status = br_arena_new(&arena, COMPUTE_ARENA_BYTES);
            if (status == BR_OK) {
                status = compute_pair(d, arena, pair, &q, sets);
            }
            if (status != BR_OK) {
                return status;
            }
            if (!br_study_equal(sets[0], sets[1], q.body.n_reasons)) {
                question_json(d, pair, &q, sets, answer);
                return BR_OK;
            }
            if (!known_equal(d->errand->desk, d, pair, true) || ++n_tried == STUDY_TRIES) {
                return br_fail(BR_ERR_LIMIT, "so far all pairs have equal sets; ask once more");
            }
        }
        d->dropped += pair->order > d->reached;
    }
    answer->code = 204;
    return BR_OK;
}

static void work_question(const errand *e, br_arena *arena, br_http_answer *answer)
{
    char subject[SUBJECT_BYTES];
    subject_of(e->desk, subject);
    drawing d = {.errand = e, .arena = arena, .done = {.user = e->user, .subject = subject}};
    br_status status = answered_read(e->desk, BR_TOPIC_CHOICE, &d.done);
    if (status == BR_OK) {
        status = read_lists(&d);
    }
    if (status == BR_OK) {
        status = draw_pairs(&d);
    }
    if (status == BR_OK) {
        status = find_question(&d, answer);
    }
    if (status != BR_OK) {
        compute_failed(answer, status);
    }
    answered_deinit(&d.done);
}

void handle_study_question(void *context, const br_http_request *request, br_http_answer *answer)
{
    errand e = {.desk = context, .language = request_language(request), .work = work_question};
    snprintf(e.user, sizeof e.user, "%s", request->user);
    errand_leave(&e, answer);
}

// --- answers ---

static bool read_choice(const char *text, bool swapped, br_study_choice *out)
{
    static const char *const names[] = {"left", "right", "tie", "skip"};
    size_t i = 0;
    while (i < sizeof names / sizeof names[0] && strcmp(names[i], text) != 0) {
        i++;
    }
    br_study_choice left = swapped ? BR_STUDY_SECOND : BR_STUDY_FIRST;
    br_study_choice right = swapped ? BR_STUDY_FIRST : BR_STUDY_SECOND;
    const br_study_choice choices[] = {left, right, BR_STUDY_TIE, BR_STUDY_SKIP};
    if (i == sizeof names / sizeof names[0]) {
        return false;
    }
    *out = choices[i];
    return true;
}

/// False: the answer is a problem.
static bool read_answer(const br_json_object *body, bool swapped, br_study_answer *out, br_http_answer *answer)
{
    br_json_value choice = br_json_member(body, "choice");
    br_json_value took = br_json_member(body, "milliseconds");
    double ms = took.kind == BR_JSON_NONE ? 0.0 : took.kind == BR_JSON_NUMBER ? took.number : -1.0;
    if (choice.kind != BR_JSON_TEXT || !read_choice(choice.text, swapped, &out->choice)) {
        br_http_problem(answer, 422, "Value out of range", "choice must be left, right, tie or skip");
        return false;
    }
    if (!(ms >= 0.0 && ms <= MAX_MILLISECONDS)) {
        br_http_problem(answer, 422, "Value out of range", "milliseconds must be a number from 0 to 100000000");
        return false;
    }
    out->swapped = swapped;
    out->milliseconds = (uint32_t)ms;
    return true;
}

void handle_study_answer(void *context, const br_http_request *request, br_http_answer *answer)
{
    desk *self = context;
    BR_AUTO(br_json_object) *body = NULL;
    BR_AUTO_DEINIT(br_buf) value = {0};
    char subject[SUBJECT_BYTES];
    ticket t;
    subject_of(self, subject);
    if (!answer_body(&body, request, answer) || !answer_ticket(&t, self, body, subject, request, answer)) {
        return;
    }
    br_study_draw draw = br_study_draw_of(br_service_config(self->service)->study.seed, request->user,
                                          t.words[TICKET_BOND], t.words[TICKET_INVESTOR]);
    br_study_answer given = {.dropped = (uint32_t)strtoul(t.words[TICKET_DROPPED], NULL, 10)};
    if (!read_answer(body, draw.swapped, &given, answer)) {
        return;
    }
    br_study_answer_write(&value, &given, self->compute->study);
    const desk_note_text note = {.user = request->user,
                                 .key = request->header(request, "Idempotency-Key"),
                                 .topic = BR_TOPIC_CHOICE,
                                 .bond = t.words[TICKET_BOND],
                                 .investor = t.words[TICKET_INVESTOR],
                                 .subject = subject,
                                 .value = br_buf_text(&value),
                                 .version = t.words[TICKET_VERSION]};
    desk_noted noted;
    br_status status = value.failed ? br_no_memory("answer", 1) : desk_note(self, &note, &noted);
    if (status == BR_OK) {
        desk_note_answer(answer, &noted, request->user);
    } else {
        desk_note_problem(answer, status);
    }
}

void handle_study_undo(void *context, const br_http_request *request, br_http_answer *answer)
{
    char subject[SUBJECT_BYTES];
    subject_of(context, subject);
    answer_undo(context, BR_TOPIC_CHOICE, subject, request, answer);
}

// --- all answers ---

static void number_member(br_buf *out, const char *name, double value)
{
    br_buf_printf(out, ", \"%s\": ", name);
    br_buf_json_number(out, value);
}

static void result_json(br_buf *out, const br_side_by_side *result, const char *first, const char *second)
{
    BR_AUTO_DEINIT(br_buf) verdict = {0};
    br_study_verdict(&verdict, result, first, second);
    br_buf_printf(out, ", \"choices\": %llu, \"first\": %llu", (unsigned long long)result->n,
                  (unsigned long long)result->first);
    number_member(out, "share", result->share);
    number_member(out, "low", result->low);
    number_member(out, "high", result->high);
    number_member(out, "p", result->p);
    br_buf_string(out, ", ");
    json_member(out, "interval", br_share_interval_name(result->interval));
    number_member(out, "design_effect", result->design_effect);
    number_member(out, "needed", result->needed);
    number_member(out, "missing", result->missing);
    br_buf_printf(out, ", \"shown\": %s, ", result->shown ? "true" : "false");
    json_member(out, "verdict", br_buf_text(&verdict));
    out->failed = out->failed || verdict.failed;
}

typedef struct counting {
    const desk *desk;
    const char *subject;
    br_study_tally tally;
    br_status status;
} counting;

static void count_choice(void *context, const desk_held *note)
{
    counting *c = context;
    br_study_answer answer;
    if (c->status == BR_OK && strcmp(note->subject, c->subject) == 0 &&
        br_study_answer_read(&answer, note->value, c->desk->compute->study)) {
        c->status = br_study_tally_add(&c->tally, note->user, &answer);
    }
}

void handle_study(void *context, const br_http_request *request, br_http_answer *answer)
{
    (void)request;
    desk *self = context;
    char subject[SUBJECT_BYTES];
    br_side_by_side result;
    const char *first = br_method_name(self->compute->study[0]);
    const char *second = br_method_name(self->compute->study[1]);
    subject_of(self, subject);
    counting c = {.desk = self, .subject = subject};
    desk_held_visit(self, BR_TOPIC_CHOICE, false, count_choice, &c);
    br_status status = c.status;
    if (status == BR_OK) {
        status = br_study_tally_result(&c.tally, br_service_config(self->service)->study.seed, &result);
    }
    if (status == BR_OK) {
        br_buf *out = &answer->body;
        br_buf_printf(out,
                      "{\"methods\": [\"%s\", \"%s\"], \"answers\": %llu, \"ties\": %llu, \"skips\": %llu, "
                      "\"equal_dropped\": %llu, \"raters\": %u",
                      first, second, (unsigned long long)c.tally.n_answers, (unsigned long long)c.tally.n_ties,
                      (unsigned long long)c.tally.n_skips, (unsigned long long)c.tally.n_dropped, result.n_raters);
        result_json(out, &result, first, second);
        br_buf_string(out, "}\n");
        answer_finish(answer);
    } else {
        answer_failed(answer, status);
    }
    br_study_tally_deinit(&c.tally);
}

void handle_study_example(void *context, const br_http_request *request, br_http_answer *answer)
{
    (void)context;
    (void)request;
    br_side_by_side result = br_side_by_side_pooled(PAPER_FIRST, PAPER_ANSWERS);
    br_buf *out = &answer->body;
    br_buf_printf(out,
                  "{\"methods\": [\"ConciseExplain\", \"IG-M\"], \"answers\": %d, \"ties\": null, \"skips\": null, "
                  "\"equal_dropped\": null, \"raters\": %d",
                  PAPER_ANSWERS, PAPER_RATERS);
    result_json(out, &result, "ConciseExplain", "IG-M");
    br_buf_string(out, "}\n");
    answer_finish(answer);
}
