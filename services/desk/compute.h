#ifndef DESK_COMPUTE_H
#define DESK_COMPUTE_H

/// What is worked out when somebody asks: why not this investor, what if the bond were another, two methods side by side, the gates of one
/// search. All from a stored list, its job and its population; market and ranker are not asked.
///
/// Handlers check what they can at once and leave the rest for later (br_http_later): one thread computes, so that nothing here is locked
/// and cached lists stay quick. Memory: one snapshot with its collapsed tables, one population with at most BR_HALVES_MAX_BYTES of halves, what the
/// study's methods need, and COMPUTE_ARENA_BYTES of one request.

#include "desk.h"
#include "input/json_object.h"
#include "pipeline/methods.h"
#include "pipeline/question_pool.h"
#include "pipeline/recommend.h"
#include "pipeline/what_if.h"

#define COMPUTE_ARENA_BYTES (64u << 20)

/// What is kept from one computation to the next.
typedef struct desk_compute {
    br_served *served;
    br_hash population; ///< meaningful while codes != NULL
    uint8_t *codes;     ///< [n, n_investor_fields]
    uint32_t n;
    br_halves *halves;
    br_buf id_bytes;     ///< ids[i] points into it
    const char **ids;    ///< [n]
    uint32_t *id_order;  ///< [n]
    br_methods *methods; ///< of the served snapshot, for `n_reasons`
    uint32_t n_reasons;
    br_method study[2];     ///< the two that people judge; read by all threads
    br_index *equal;        ///< pairs whose two sets are equal, "version bond investor", each with its NUL
    br_question_pool *pool; ///< pairs of issuers to ask about, of the lists `pool_of`; NULL: not made yet
    br_hash pool_of;
    uint32_t pool_issuers; ///< that the market had then
} desk_compute;

/// study_methods: of the configuration. Errors: BR_ERR_INVALID (they are none), BR_ERR_NO_MEMORY.
br_status desk_compute_new(desk_compute **out, const char *study_methods) BR_MUST_CHECK;
void desk_compute_free(desk_compute **compute);

/// A question about a list while it is worked.
typedef struct list_question {
    stored_list stored;
    br_job_body body;
    br_asked asked;
    uint32_t bond; ///< number in the market
} list_question;

/// The newest list of a bond with all that is needed to ask it. On the computing thread. Errors: BR_ERR_NOT_FOUND (no list), BR_ERR_INVALID (its job
/// cannot be asked; br_why() says why), those of the stores.
br_status compute_open(desk *self, br_arena *arena, const char *bond_id, list_question *out) BR_MUST_CHECK;
/// Put the past bids of the body's investors into it: of those on the list what its job had, of others what the ledger says by now of the days before
/// the list. Errors: BR_ERR_NO_MEMORY.
br_status compute_past(desk *self, const list_question *question, br_arena *arena, br_job_body *body) BR_MUST_CHECK;
/// The explanations of a job, worked here; they begin where those of the list began. Errors: BR_ERR_INVALID (the result's failure), BR_ERR_IO,
/// BR_ERR_NO_MEMORY.
br_status compute_work(desk *self, const list_question *question, br_arena *arena, const br_job_body *body,
                       br_result *out) BR_MUST_CHECK;
/// The methods of the snapshot that the question is about. Errors: those of br_methods_new().
br_status compute_methods(desk *self, const list_question *question, br_methods **out) BR_MUST_CHECK;
/// 404, 409 for what cannot be asked, 503.
void compute_failed(br_http_answer *answer, br_status status);

/// What a handler leaves for later: who is asked what. Texts are its own.
typedef struct errand {
    desk *desk;
    br_language language;
    char bond[BR_MAX_ID_BYTES + 1];
    char investor[BR_MAX_ID_BYTES + 1];
    char user[BR_MAX_ID_BYTES + 1];
    char field[256];
    uint32_t limit;
    br_json_object *body;
    void (*work)(const struct errand *e, br_arena *arena, br_http_answer *answer);
} errand;

/// Hand the errand over; a copy of it is worked and freed, and the body with it.
void errand_leave(const errand *e, br_http_answer *answer);

// --- handlers ---

/// GET /bonds/{bond}/investors/{investor}[/gates]. False: the path is another.
bool handle_investor_of_bond(desk *self, const br_http_request *request, br_http_answer *answer);
void handle_what_if(void *context, const br_http_request *request, br_http_answer *answer);
void handle_investors(void *context, const br_http_request *request, br_http_answer *answer);

void handle_study(void *context, const br_http_request *request, br_http_answer *answer);
void handle_study_example(void *context, const br_http_request *request, br_http_answer *answer);
void handle_study_question(void *context, const br_http_request *request, br_http_answer *answer);
void handle_study_answer(void *context, const br_http_request *request, br_http_answer *answer);
void handle_study_undo(void *context, const br_http_request *request, br_http_answer *answer);

void handle_pairs(void *context, const br_http_request *request, br_http_answer *answer);
void handle_pairs_table(void *context, const br_http_request *request, br_http_answer *answer);
void handle_pair_question(void *context, const br_http_request *request, br_http_answer *answer);
void handle_pair_vote(void *context, const br_http_request *request, br_http_answer *answer);
void handle_pair_undo(void *context, const br_http_request *request, br_http_answer *answer);

// --- ticket.c ---

#define TICKET_WORDS 4

/// What a rater was asked, sealed for him: nobody else can use it, and it says nothing of how others answered.
typedef struct ticket {
    char words[TICKET_WORDS][BR_MAX_ID_BYTES + 1]; ///< "" = not used
} ticket;

/// `kind`: of what question. Appends the ticket's text.
void ticket_write(br_buf *out, const ticket *given, const br_hash *secret, const char *user, const char *kind);
/// False: it is none of this process, user and kind.
bool ticket_read(ticket *out, const char *text, const br_hash *secret, const char *user, const char *kind);

// --- answered.c ---

typedef struct answered_thing {
    uint64_t record; ///< of the note; 0 = there is none
    char bond[BR_MAX_ID_BYTES + 1];
    char investor[BR_MAX_ID_BYTES + 1];
    char subject[BR_MAX_ID_BYTES + 1];
    char issuer[BR_MAX_ID_BYTES + 1];
} answered_thing;

/// What a rater has answered. Set user and subject, then answered_read(); answered_deinit() whatever it returns.
typedef struct answered {
    const char *user;
    const char *subject; ///< of the notes that count; NULL: all
    br_index *things;    ///< what they speak of; those that hold
    answered_thing last; ///< the newest answer that holds
    answered_thing back; ///< what was taken back last
    br_buf key;
    bool failed;
} answered;

/// Errors: BR_ERR_NO_MEMORY.
br_status answered_read(desk *self, br_topic topic, answered *a) BR_MUST_CHECK;
/// Has the rater answered this? By bond, investor, subject and issuer.
bool answered_has(answered *a, const desk_note_text *about);
void answered_deinit(answered *a);

/// False: the answer is a problem.
bool answer_body(br_json_object **out, const br_http_request *request, br_http_answer *answer);
bool answer_ticket(ticket *out, const desk *self, const br_json_object *body, const char *kind,
                   const br_http_request *request, br_http_answer *answer);
/// Take the rater's last answer back: {"withdrawn": was there one?}.
void answer_undo(desk *self, br_topic topic, const char *subject, const br_http_request *request,
                 br_http_answer *answer);

// --- newest.c ---

#define NEWEST_LISTS 50 ///< that questions are drawn from

/// The newest bonds with a finished list, the latest issue first.
typedef struct newest_lists {
    char (*bonds)[BR_MAX_ID_BYTES + 1]; ///< [n]
    br_list *lists;                     ///< [n] once they are read
    uint32_t n;
    br_hash identity; ///< of all of them
} newest_lists;

br_status newest_name(desk *self, br_arena *arena, newest_lists *out) BR_MUST_CHECK;
br_status newest_read(desk *self, br_arena *arena, newest_lists *lists) BR_MUST_CHECK;

// --- gates.c ---

void work_gates(const errand *e, br_arena *arena, br_http_answer *answer);

#endif
