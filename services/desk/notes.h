#ifndef DESK_NOTES_H
#define DESK_NOTES_H

/// What people do: notes on their way into the ledger, and those that hold.
///
///     desk_note_text text = {.user = request->user, .key = key, .topic = BR_TOPIC_CALL, .bond = id, .investor = who, .value = "called"};
///     desk_noted noted;
///     br_status status = desk_note(self, &text, &noted);    // returns when the note is committed
///     if (status != BR_OK) { desk_note_problem(answer, status); return; }
///
/// The newest note of (topic, bond, investor, subject, issuer; for choices and pairs also user) is the one that holds; an empty value withdraws it.

#include "market/row.h"
#include "pipeline/follow.h"
#include "service/http.h"

struct desk;

/// Things that notes may speak of; a note about one more is refused, unless it is of an operator's action. At most 1.7 KiB each, 200 bytes as a rule.
#define DESK_HELD_MAX      (1u << 20)
#define DESK_AUDIT_MAX     (1u << 24) ///< notes that /audit finds, the newest; 8 bytes each
#define DESK_NOTE_MS       3000       ///< a note waits so long for its commit
#define DESK_NOTES_AT_ONCE 3          ///< with an action and a question to the ranker: one of six threads stays free

// --- notes.c ---

/// What is to be written down. Texts are borrowed; NULL = "".
typedef struct desk_note_text {
    const char *user; ///< request->user
    const char
        *key; ///< the Idempotency-Key, or any text that this user's request makes anew: "KEY intent", "KEY outcome"
    br_topic topic;
    const char *bond;     ///< NULL, or one that the market has
    const char *investor; ///< the same
    const char *subject;
    const char *issuer; ///< NULL, or Y of a pair
    const char *value;
    const char *version; ///< of the snapshot on the screen
} desk_note_text;

typedef struct desk_noted {
    char id[BR_HASH_TEXT];
    uint64_t record; ///< of the ledger
    int64_t time_ms;
    bool known; ///< the same key came with the same content before: these are its record and time
} desk_noted;

/// Write a note into the ledger, from a server thread that holds none of the desk's locks. Waits for the commit, at most DESK_NOTE_MS; what
/// desk_held_visit() shows then holds the note. Errors: BR_ERR_EXISTS (the key is known with other content), BR_ERR_INVALID (br_why() says which column
/// is wrong and why), BR_ERR_UNREACHABLE (no ingester, or no answer in time: the same key may be sent again), BR_ERR_AGAIN (too many at once),
/// BR_ERR_FULL, BR_ERR_LIMIT, BR_ERR_NO_MEMORY.
br_status desk_note(struct desk *self, const desk_note_text *text, desk_noted *out) BR_MUST_CHECK;
/// The problem that fits such an error: 409, 422, 429, 503.
void desk_note_problem(br_http_answer *answer, br_status status);
/// {"id", "record", "time", "user"}: 201, or 200 when it was known.
void desk_note_answer(br_http_answer *answer, const desk_noted *noted, const char *user);

void handle_notes_post(void *context, const br_http_request *request, br_http_answer *answer);
void handle_audit(void *context, const br_http_request *request, br_http_answer *answer);
/// GET /bonds/{bond}/notes.
void answer_notes(struct desk *self, const br_http_request *request, br_http_answer *answer, const char *bond_id);

// --- held.c ---

typedef struct held_notes held_notes;

/// What is known of the notes in the ledger; of the desk's own, under its lock.
br_status held_notes_new(held_notes **out) BR_MUST_CHECK;
void held_notes_free(held_notes **notes);
/// A br_note_visitor: records that were shown before are passed over.
br_status held_notes_take(void *context, uint64_t record, const br_row *row) BR_MUST_CHECK;
/// Would a note about this find room?
bool held_notes_has_room(const held_notes *notes, const desk_note_text *text);
uint64_t held_notes_seen(const held_notes *notes);  ///< record of the last note; 0 = none
uint64_t held_notes_total(const held_notes *notes); ///< notes in the ledger
/// Record of the first note whose chain does not follow from those before it; 0 = intact.
uint64_t held_notes_broken(const held_notes *notes);
/// Record of the `back`th newest note, 0 = the newest; 0 when it is not kept.
uint64_t held_notes_record(const held_notes *notes, uint64_t back);

/// A note that holds. Texts live during the call.
typedef struct desk_held {
    uint64_t record;
    int64_t time_ms;
    br_topic topic;
    const char *user;
    const char *bond;
    const char *investor;
    const char *subject;
    const char *issuer;
    const char *value;
} desk_held;

typedef void (*desk_held_visitor)(void *context, const desk_held *note);
/// Visit all notes of a topic that hold, in the order in which what they speak of was first mentioned. `withdrawn`: also those whose value is empty.
void held_notes_visit(const held_notes *notes, br_topic topic, bool withdrawn, desk_held_visitor visitor,
                      void *context);
/// Those about a bond, of any topic, what was mentioned last first.
void held_notes_of_bond(const held_notes *notes, const char *bond_id, desk_held_visitor visitor, void *context);
/// held_notes_visit() of the desk's notes, under its read lock, which the caller must not hold.
void desk_held_visit(struct desk *self, br_topic topic, bool withdrawn, desk_held_visitor visitor, void *context);

#endif
