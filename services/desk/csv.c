// A list as a file for a spreadsheet.

#include "desk.h"

#include "base/index.h"
#include "input/encode.h"

#include <stdio.h>
#include <string.h>

static const char *const columns[][2] = {
    {"rank", "排名"},
    {"investor", "投资者"},
    {"probability", "概率"},
    {"reason", "理由"},
    {"against", "反对理由"},
    {"sentence", "说明"},
    {"because they bid on", "因为曾投标"},
    {"marked", "标记"},
};
enum {
    COLUMN_RANK,
    COLUMN_INVESTOR,
    COLUMN_PROBABILITY,
    COLUMN_REASON,
    COLUMN_AGAINST,
    COLUMN_SENTENCE,
    COLUMN_PAST,
    COLUMN_MARKED
};

/// What an investor may be marked as.
static const struct {
    const char *value;
    const char *words[2];
} marks[] = {
    {"called", {"called", "已联系"}}, {"interested", {"interested", "有意向"}}, {"declined", {"declined", "已拒绝"}}};

/// A spreadsheet takes a cell that begins so for a formula; the wide forms are those of Chinese keyboards.
static bool begins_formula(const char *text)
{
    static const char *const starts[] = {"=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        if (strncmp(text, starts[i], strlen(starts[i])) == 0) {
            return true;
        }
    }
    return false;
}

static void put_cell(br_buf *out, const char *text)
{
    BR_AUTO_DEINIT(br_buf) cell = {0};
    if (begins_formula(text)) {
        br_buf_char(&cell, '\'');
    }
    br_buf_string(&cell, text);
    br_buf_csv_field(out, br_buf_text(&cell), cell.length);
    out->failed = out->failed || cell.failed;
}

static void put_titles(br_buf *out, uint32_t n_reasons, int language)
{
    br_buf_printf(out, "%s,%s,%s", columns[COLUMN_RANK][language], columns[COLUMN_INVESTOR][language],
                  columns[COLUMN_PROBABILITY][language]);
    for (uint32_t i = 0; i < n_reasons; i++) {
        br_buf_printf(out, ",%s %u", columns[COLUMN_REASON][language], i + 1);
    }
    br_buf_printf(out, ",%s", columns[COLUMN_AGAINST][language]);
    for (uint32_t i = 0; i < n_reasons; i++) {
        br_buf_printf(out, ",%s %u", columns[COLUMN_SENTENCE][language], i + 1);
    }
    br_buf_printf(out, ",%s,%s\r\n", columns[COLUMN_PAST][language], columns[COLUMN_MARKED][language]);
}

/// One cell, empty without a reason.
static void put_reason(br_buf *out, const br_presented *presented, const br_reason *reason, bool sentence)
{
    BR_AUTO_DEINIT(br_buf) text = {0};
    if (reason != NULL && reason->field < br_encoder_n_investor_fields(presented->encoder)) {
        if (sentence) {
            br_reason_sentence(&text, presented->encoder, reason, BR_REASON_FOR, presented->language);
        } else {
            br_reason_tag(&text, presented->encoder, reason->field, reason->code, presented->language);
        }
    }
    br_buf_char(out, ',');
    put_cell(out, br_buf_text(&text));
    out->failed = out->failed || text.failed;
}

/// One cell: "X (3), Y (1)", with the number of bids.
static void put_past(br_buf *out, const br_presented *presented, uint32_t i)
{
    BR_AUTO_DEINIT(br_buf) text = {0};
    br_shown_past past[BR_SHOWN_PAST];
    uint32_t n = br_present_explanation(presented, i) == NULL
                     ? 0
                     : br_present_past(past, &presented->outcome->result, i, presented->votes, presented->threshold);
    for (uint32_t k = 0; k < n; k++) {
        br_buf_printf(&text, "%s%s (%u)", k == 0 ? "" : ", ", past[k].past->issuer, past[k].past->n_bids);
    }
    br_buf_char(out, ',');
    put_cell(out, br_buf_text(&text));
    out->failed = out->failed || text.failed;
}

static void put_investor(br_buf *out, const br_presented *presented, uint32_t i, uint32_t n_reasons, const char *mark)
{
    const br_list_entry *entry = &presented->list->entries[i];
    const br_explanation *explanation = br_present_explanation(presented, i);
    const uint32_t n = explanation == NULL ? 0 : explanation->n_reasons;
    br_buf_printf(out, "%u,", i + 1);
    put_cell(out, entry->investor_id);
    br_buf_char(out, ',');
    br_buf_json_number(out, entry->probability);
    for (uint32_t k = 0; k < n_reasons; k++) {
        put_reason(out, presented, k < n ? &explanation->reasons[k] : NULL, false);
    }
    put_reason(out, presented, explanation == NULL ? NULL : &explanation->against, false);
    for (uint32_t k = 0; k < n_reasons; k++) {
        put_reason(out, presented, k < n ? &explanation->reasons[k] : NULL, true);
    }
    put_past(out, presented, i);
    br_buf_printf(out, ",%s\r\n", mark);
}

// --- marks ---

typedef struct marking {
    br_index *investors; ///< ids in the order of the list
    const char **marks;  ///< [n] words, "" = none
    int language;
} marking;

static void take_mark(void *context, const desk_held *note)
{
    const marking *m = context;
    uint32_t i = note->topic == BR_TOPIC_CALL ? br_index_find(m->investors, note->investor, strlen(note->investor))
                                              : BR_INDEX_NONE;
    for (size_t k = 0; k < sizeof marks / sizeof *marks && i != BR_INDEX_NONE; k++) {
        m->marks[i] = strcmp(note->value, marks[k].value) == 0 ? marks[k].words[m->language] : m->marks[i];
    }
}

/// As the notes are now; in the arena but for m->investors, which the caller frees.
static br_status read_marks(marking *m, desk *self, br_arena *arena, const br_list *list)
{
    m->marks = br_arena_calloc(arena, list->n_entries + 1u, sizeof *m->marks);
    br_status status = m->marks == NULL ? br_no_memory("marks", list->n_entries) : br_index_new(&m->investors);
    for (uint32_t i = 0; i < list->n_entries && status == BR_OK; i++) {
        const char *id = list->entries[i].investor_id;
        uint32_t number;
        m->marks[i] = "";
        status = br_index_add(m->investors, id, strlen(id), &number, NULL);
    }
    if (status == BR_OK) {
        pthread_rwlock_rdlock(&self->lock);
        held_notes_of_bond(self->held, list->bond_id, take_mark, m);
        pthread_rwlock_unlock(&self->lock);
    }
    return status;
}

static void put_list(br_buf *out, const br_presented *presented, const marking *m, uint32_t n_reasons)
{
    for (uint32_t i = 0; i < presented->list->n_entries; i++) {
        const br_explanation *explanation = br_present_explanation(presented, i);
        n_reasons = explanation != NULL && explanation->n_reasons > n_reasons ? explanation->n_reasons : n_reasons;
    }
    put_titles(out, n_reasons, presented->language == BR_LANGUAGE_ZH ? 1 : 0);
    for (uint32_t i = 0; i < presented->list->n_entries; i++) {
        put_investor(out, presented, i, n_reasons, m->marks[i]);
    }
}

/// `attachment` with the bond's id as name, every byte but letters and digits as %XX (RFC 8187).
static const char *disposition_of(const char *bond_id)
{
    static _Thread_local char text[64 + 3 * BR_MAX_ID_BYTES]; // for as long as this thread's answer
    int n = snprintf(text, sizeof text, "attachment; filename=\"list.csv\"; filename*=UTF-8''");
    for (const unsigned char *c = (const unsigned char *)bond_id; *c != '\0'; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9');
        n += snprintf(text + n, sizeof text - (size_t)n, plain ? "%c" : "%%%02X", *c);
    }
    snprintf(text + n, sizeof text - (size_t)n, ".csv");
    return text;
}

static br_status render(desk *self, br_buf *out, const char *bond_id, br_language language)
{
    open_list list;
    marking m = {.language = language == BR_LANGUAGE_ZH ? 1 : 0};
    br_status status = list_open(self, bond_id, language, &list);
    if (status != BR_OK) {
        return status;
    }
    status = read_marks(&m, self, list.arena, &list.stored.list);
    if (status == BR_OK) {
        pthread_rwlock_rdlock(&self->lock);
        list.presented.votes = br_ballot_votes(self->ballot);
        put_list(out, &list.presented, &m, br_service_config(self->service)->n_reasons);
        pthread_rwlock_unlock(&self->lock);
    }
    br_index_free(&m.investors);
    list_close(self, &list);
    return status;
}

void answer_csv(desk *self, const br_http_request *request, br_http_answer *answer, const char *bond_id)
{
    const char *encoding = request->query(request, "encoding");
    const bool gb18030 = encoding != NULL && strcmp(encoding, "gb18030") == 0;
    if (encoding != NULL && !gb18030 && strcmp(encoding, "utf-8") != 0) {
        br_http_problem(answer, 400, "Wrong parameter", "encoding must be utf-8 or gb18030");
        return;
    }
    BR_AUTO_DEINIT(br_buf) text = {0};
    br_status status = render(self, &text, bond_id, request_language(request));
    if (status == BR_OK && gb18030) {
        status = br_encode_gb18030(&answer->body, br_buf_text(&text), text.length);
    } else if (status == BR_OK) {
        br_buf_string(&answer->body, "\xEF\xBB\xBF");
        br_buf_append(&answer->body, text.data, text.length);
    }
    if (status != BR_OK) {
        answer_failed(answer, status);
        return;
    }
    answer->body.failed = answer->body.failed || text.failed;
    answer->content_type = gb18030 ? "text/csv; charset=gb18030" : "text/csv; charset=utf-8";
    answer->content_disposition = disposition_of(bond_id);
    answer_finish(answer);
}
