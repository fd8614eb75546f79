#ifndef DESK_NOTES_H
#define DESK_NOTES_H

/// What people do: notes on their way into the ledger, and those that hold.
///
///     desk_note_text text = {.user = request->user, .key = key, .topic = BR_TOPIC_CALL, .bond = id, .investor = who, .value = "called"};
///     desk_noted noted;
///     br_status status = desk_note(self, &text, &noted);    // returns when the note is committed
///     if (status != BR_OK) { desk_note_problem(answer, status); return; }
///
/// The newest note of (topic, bond, investor, subject; for choices also user) is the one that holds; an empty value withdraws it.

#include "market/row.h"
#include "service/http.h"

struct desk;

#define DESK_HOLDING_MAX                                                                                               \
    (1u                                                                                                                \
     << 20) ///< things that notes may speak of; beyond it POST /notes is refused. At most 1.7 KiB each, 150 bytes as a rule
#define DESK_AUDIT_MAX (1u << 24) ///< notes that /audit finds, the newest; 8 bytes each

/// What is to be written down. Texts are borrowed; NULL = "".
typedef struct desk_note_text {
    const char *user; ///< request->user
    const char
        *key; ///< the Idempotency-Key, or any text that this user's request makes anew: "KEY intent", "KEY outcome"
    br_topic topic;
    const char *bond;
    const char *investor;
    const char *subject;
    const char *value;
    const char *version; ///< of the snapshot on the screen
} desk_note_text;

typedef struct desk_noted {
    char id[BR_NOTE_ID_TEXT];
    uint64_t record; ///< of the ledger
    int64_t time_ms;
    bool known; ///< the same key came with the same content before: these are its record and time
} desk_noted;

/// Write a note into the ledger, from a server thread that holds none of the desk's locks. Waits for the commit, at most DESK_NOTE_MS.
/// Errors: BR_ERR_EXISTS (the key is known with other content), BR_ERR_INVALID (the ingester refuses it; br_why() says which column and why),
/// BR_ERR_UNREACHABLE (no ingester, or no answer in time: the same key may be sent again), BR_ERR_FULL, BR_ERR_NO_MEMORY.
br_status desk_note(struct desk *self, const desk_note_text *text, desk_noted *out) BR_MUST_CHECK;
/// The problem that fits such an error: 409, 422, 503.
void desk_note_problem(br_http_answer *answer, br_status status);

/// A note that holds. Texts live during the call.
typedef struct desk_held {
    uint64_t record;
    int64_t time_ms;
    br_topic topic;
    const char *user;
    const char *bond;
    const char *investor;
    const char *subject;
    const char *value; ///< not empty
} desk_held;

typedef void (*desk_held_visitor)(void *context, const desk_held *note);
/// Visit all notes of a topic that hold, in the order in which what they speak of was first mentioned. Under the desk's read lock.
void desk_notes_visit(const struct desk *self, br_topic topic, desk_held_visitor visitor, void *context);

#endif
