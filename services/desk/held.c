// Which notes hold, kept in memory: found by what they speak of.

#include "notes.h"

#include "base/alloc.h"
#include "base/index.h"
#include "codec/rows.h"

#include <string.h>

typedef struct held_note {
    uint64_t record;
    int64_t time_ms;
    char *texts;   // user and value, each with its NUL
    uint32_t next; // of the same bond
} held_note;

struct held_notes {
    br_index *subjects; // topic, bond, investor, subject, issuer, user if it is a choice or a pair; each with its NUL
    held_note *held;    // [count of subjects]
    uint32_t capacity;
    br_index *bonds;
    uint32_t *last; // [count of bonds] subject that was mentioned last
    uint32_t bonds_capacity;
    uint64_t *records; // [n_records] of the newest notes, oldest first
    uint32_t n_records;
    uint32_t records_capacity;
    uint64_t total;
    uint64_t seen;
    uint64_t broken;
    br_hash chain;
    br_buf packed;
    br_buf key;
};

br_status held_notes_new(held_notes **out)
{
    BR_AUTO(held_notes) *notes = br_calloc(1, sizeof *notes);
    if (notes == NULL) {
        return br_no_memory("notes", 1);
    }
    br_status status = br_index_new(&notes->subjects);
    if (status == BR_OK) {
        status = br_index_new(&notes->bonds);
    }
    if (status == BR_OK) {
        *out = notes;
        notes = NULL;
    }
    return status;
}

void held_notes_free(held_notes **notes)
{
    if (notes == NULL || *notes == NULL) {
        return;
    }
    held_notes *n = *notes;
    const uint32_t n_held = n->subjects == NULL ? 0 : br_index_count(n->subjects);
    for (uint32_t i = 0; i < n_held && i < n->capacity; i++) {
        br_free(n->held[i].texts);
    }
    br_index_free(&n->subjects);
    br_index_free(&n->bonds);
    br_free(n->held);
    br_free(n->last);
    br_free(n->records);
    br_buf_deinit(&n->packed);
    br_buf_deinit(&n->key);
    br_free(n);
    *notes = NULL;
}

// --- taking notes in ---

static void put_text(br_buf *key, const char *text)
{
    br_buf_string(key, text == NULL ? "" : text);
    br_buf_append(key, "", 1);
}

static void put_subject(br_buf *key, const desk_note_text *text)
{
    br_buf_clear(key);
    br_buf_char(key, (char)('0' + (int)text->topic));
    put_text(key, text->bond);
    put_text(key, text->investor);
    put_text(key, text->subject);
    put_text(key, text->issuer);
    put_text(key, text->topic == BR_TOPIC_CHOICE || text->topic == BR_TOPIC_PAIR ? text->user : "");
}

// Room for what will have the number `n`, zeroed.
static br_status reserve(void **array, uint32_t *capacity, size_t size, uint32_t n)
{
    if (n < *capacity) {
        return BR_OK;
    }
    const uint32_t wanted = *capacity == 0 ? 256 : 2 * *capacity;
    void *moved = br_reallocarray(*array, wanted, size);
    if (moved == NULL) {
        return br_no_memory("notes", wanted);
    }
    memset((char *)moved + size * *capacity, 0, size * (wanted - *capacity));
    *array = moved;
    *capacity = wanted;
    return BR_OK;
}

static br_status link_to_bond(held_notes *notes, uint32_t subject, const char *bond_id)
{
    uint32_t bond;
    bool added = false;
    br_status status =
        reserve((void **)&notes->last, &notes->bonds_capacity, sizeof *notes->last, br_index_count(notes->bonds));
    if (status == BR_OK) {
        status = br_index_add(notes->bonds, bond_id, strlen(bond_id), &bond, &added);
    }
    if (status == BR_OK) {
        notes->held[subject].next = added ? BR_INDEX_NONE : notes->last[bond];
        notes->last[bond] = subject;
    }
    return status;
}

// Actions are an operator's few, and he must be able to act whatever others have written.
static bool has_room_for_more(const held_notes *notes, br_topic topic)
{
    return topic == BR_TOPIC_ACTION || br_index_count(notes->subjects) < DESK_HELD_MAX;
}

static br_status hold(held_notes *notes, uint64_t record, const br_row *row)
{
    const br_note *note = row->note;
    put_subject(&notes->key, &(desk_note_text){.user = note->user,
                                               .topic = note->topic,
                                               .bond = row->bond_id,
                                               .investor = row->investor_id,
                                               .subject = note->subject,
                                               .issuer = row->issuer_id});
    if (notes->key.failed) {
        return br_no_memory("notes", 1);
    }
    uint32_t subject = br_index_find(notes->subjects, br_buf_text(&notes->key), notes->key.length);
    if (subject == BR_INDEX_NONE && !has_room_for_more(notes, note->topic)) {
        return BR_OK; // only another desk's; this one has refused it
    }
    BR_AUTO_DEINIT(br_buf) texts = {0};
    put_text(&texts, note->user);
    put_text(&texts, note->value);
    if (texts.failed) {
        return br_no_memory("notes", 1);
    }
    if (subject == BR_INDEX_NONE) {
        br_status status =
            reserve((void **)&notes->held, &notes->capacity, sizeof *notes->held, br_index_count(notes->subjects));
        if (status == BR_OK) {
            status = br_index_add(notes->subjects, br_buf_text(&notes->key), notes->key.length, &subject, NULL);
        }
        if (status == BR_OK) {
            status = link_to_bond(notes, subject, row->bond_id);
        }
        if (status != BR_OK) {
            return status;
        }
    }
    held_note *held = &notes->held[subject];
    char *copy = br_memdup(texts.data, texts.length);
    if (copy == NULL) {
        return br_no_memory("notes", 1);
    }
    br_free(held->texts);
    held->texts = copy;
    held->record = record;
    held->time_ms = note->time_ms;
    return BR_OK;
}

static br_status remember_record(held_notes *notes, uint64_t record)
{
    if (notes->n_records == DESK_AUDIT_MAX) {
        notes->n_records /= 2;
        memmove(notes->records, notes->records + notes->n_records, notes->n_records * sizeof *notes->records);
    }
    br_status status =
        reserve((void **)&notes->records, &notes->records_capacity, sizeof *notes->records, notes->n_records);
    if (status == BR_OK) {
        notes->records[notes->n_records++] = record;
        notes->total++;
    }
    return status;
}

br_status held_notes_take(void *context, uint64_t record, const br_row *row)
{
    held_notes *notes = context;
    if (record <= notes->seen) {
        return BR_OK;
    }
    br_hash chain;
    br_status status = br_note_chain(&chain, &notes->chain, row, &notes->packed);
    if (status == BR_OK) {
        status = hold(notes, record, row);
    }
    if (status == BR_OK) {
        status = remember_record(notes, record);
    }
    if (status != BR_OK) {
        return status;
    }
    if (notes->broken == 0 && !br_hash_equal(&chain, &row->note->chain)) {
        notes->broken = record;
    }
    notes->chain = row->note->chain;
    notes->seen = record;
    return BR_OK;
}

// --- asking ---

bool held_notes_has_room(const held_notes *notes, const desk_note_text *text)
{
    if (has_room_for_more(notes, text->topic)) {
        return true;
    }
    BR_AUTO_DEINIT(br_buf) key = {0};
    put_subject(&key, text);
    return !key.failed && br_index_find(notes->subjects, br_buf_text(&key), key.length) != BR_INDEX_NONE;
}

uint64_t held_notes_seen(const held_notes *notes)
{
    return notes->seen;
}

uint64_t held_notes_total(const held_notes *notes)
{
    return notes->total;
}

uint64_t held_notes_broken(const held_notes *notes)
{
    return notes->broken;
}

uint64_t held_notes_record(const held_notes *notes, uint64_t back)
{
    return back < notes->n_records ? notes->records[notes->n_records - 1 - back] : 0;
}

static const char *after(const char *text)
{
    return text + strlen(text) + 1;
}

static desk_held held_of(const held_notes *notes, uint32_t subject)
{
    const held_note *held = &notes->held[subject];
    const char *key = br_index_text(notes->subjects, subject);
    const char *bond = key + 1;
    const char *investor = after(bond);
    const char *about = after(investor);
    return (desk_held){.record = held->record,
                       .time_ms = held->time_ms,
                       .topic = (br_topic)(key[0] - '0'),
                       .user = held->texts,
                       .bond = bond,
                       .investor = investor,
                       .subject = about,
                       .issuer = after(about),
                       .value = after(held->texts)};
}

void held_notes_visit(const held_notes *notes, br_topic topic, bool withdrawn, desk_held_visitor visitor, void *context)
{
    const uint32_t n = br_index_count(notes->subjects);
    for (uint32_t i = 0; i < n; i++) {
        if (br_index_text(notes->subjects, i)[0] == (char)('0' + (int)topic)) {
            const desk_held note = held_of(notes, i);
            if (withdrawn || note.value[0] != '\0') {
                visitor(context, &note);
            }
        }
    }
}

void held_notes_of_bond(const held_notes *notes, const char *bond_id, desk_held_visitor visitor, void *context)
{
    const uint32_t bond = br_index_find(notes->bonds, bond_id, strlen(bond_id));
    uint32_t subject = bond == BR_INDEX_NONE ? BR_INDEX_NONE : notes->last[bond];
    for (; subject != BR_INDEX_NONE; subject = notes->held[subject].next) {
        const desk_held note = held_of(notes, subject);
        if (note.value[0] != '\0') {
            visitor(context, &note);
        }
    }
}
