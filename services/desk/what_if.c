// What if the bond had other features: who would be on its list, and why.

#include "base/alloc.h"
#include "base/clock.h"
#include "compute.h"

#include <string.h>

#define SUFFIX        "/what-if"
#define DEFAULT_LIMIT 50
#define MAX_CHANGES   256

/// A feature as it is and as it is asked for.
typedef struct change {
    br_bond_value from;
    br_bond_value to;
} change;

typedef struct changing {
    const errand *errand;
    const list_question *question;
    br_arena *arena;
    br_http_answer *answer;
    uint8_t *codes;  ///< [n_bond_fields]
    change *changes; ///< [MAX_CHANGES]
    uint32_t n;
} changing;

static br_status refuse(changing *c, const char *detail)
{
    br_http_problem(c->answer, 422, "Value out of range", detail);
    return BR_ERR_INVALID;
}

/// The bond's own value of the feature, in the arena.
static br_status read_from(changing *c, const br_field *field, br_bond_value *out)
{
    desk *self = c->errand->desk;
    *out = (br_bond_value){.feature = field->name, .kind = BR_VALUE_MISSING};
    bool full = false;
    pthread_rwlock_rdlock(&self->lock);
    const br_market *market = br_follower_market(self->follower);
    uint32_t bond = c->question->bond;
    if (market != NULL && bond < br_market_n_bonds(market) &&
        field->feature < br_market_schema(market)->n_bond_features) {
        br_raw_value value = br_market_bond_value(market, bond, field->feature);
        if (field->kind == BR_KIND_CONTINUOUS) {
            out->kind = value.number == value.number ? BR_VALUE_NUMBER : BR_VALUE_MISSING;
            out->number = value.number;
        } else if (value.value != BR_INDEX_NONE) {
            const char *text = br_index_text(br_market_bond_strings(market, field->feature), value.value);
            out->kind = BR_VALUE_TEXT;
            out->text = br_arena_strndup(c->arena, text, strlen(text));
            full = out->text == NULL;
        }
    }
    pthread_rwlock_unlock(&self->lock);
    return full ? br_no_memory("values", 1) : BR_OK;
}

static bool same_value(const br_bond_value *a, const br_bond_value *b)
{
    return a->kind == b->kind && (a->kind != BR_VALUE_TEXT || strcmp(a->text, b->text) == 0) &&
           (a->kind != BR_VALUE_NUMBER || a->number == b->number);
}

static bool wanted_value(const br_json_value *json, const char *name, br_bond_value *out)
{
    *out = (br_bond_value){.feature = name, .kind = BR_VALUE_MISSING, .text = json->text, .number = json->number};
    switch (json->kind) {
    case BR_JSON_NULL:
        return true;
    case BR_JSON_TEXT:
        out->kind = BR_VALUE_TEXT;
        return true;
    case BR_JSON_NUMBER:
        out->kind = BR_VALUE_NUMBER;
        return true;
    case BR_JSON_FLAG:
        out->kind = BR_VALUE_TEXT;
        out->text = json->flag ? "yes" : "no";
        return true;
    case BR_JSON_NONE:
    case BR_JSON_ARRAY:
    case BR_JSON_OBJECT:
        break;
    }
    return false;
}

static br_status take_change(void *context, const char *name, const br_json_value *value)
{
    changing *c = context;
    const br_encoder *encoder = c->question->asked.served->snapshot->encoder;
    change wanted;
    uint32_t field = 0;
    uint8_t code = 0;
    if (!wanted_value(value, name, &wanted.to)) {
        return refuse(c, "a feature's value is a text, a number, true, false or null");
    }
    if (c->n == MAX_CHANGES) {
        return refuse(c, "at most 256 features can be changed at once");
    }
    if (br_bond_value_code(encoder, &wanted.to, &field, &code) != BR_OK) {
        return refuse(c, br_why(BR_ERR_INVALID));
    }
    br_status status = read_from(c, &encoder->fields[field], &wanted.from);
    // A bond that was revised since has its own value by now, and the list another.
    if (status == BR_OK && (!same_value(&wanted.from, &wanted.to) || c->codes[field] != code)) {
        c->codes[field] = code;
        c->changes[c->n++] = wanted;
    }
    return status;
}

// --- the answer ---

static void value_json(br_buf *out, const br_bond_value *value)
{
    switch (value->kind) {
    case BR_VALUE_MISSING:
        br_buf_string(out, "null");
        break;
    case BR_VALUE_NUMBER:
        br_buf_json_number(out, value->number);
        break;
    case BR_VALUE_TEXT:
        br_buf_json_string(out, value->text, strlen(value->text));
        break;
    }
}

static void changes_json(br_buf *out, const changing *c)
{
    br_buf_string(out, ", \"changed\": {");
    for (uint32_t i = 0; i < c->n; i++) {
        const change *one = &c->changes[i];
        br_buf_string(out, i == 0 ? "" : ", ");
        br_buf_json_string(out, one->to.feature, strlen(one->to.feature));
        br_buf_string(out, ": [");
        value_json(out, &one->from);
        br_buf_string(out, ", ");
        value_json(out, &one->to);
        br_buf_char(out, ']');
    }
    br_buf_char(out, '}');
}

static void investor_json(br_buf *out, const changing *c, const br_list *list, const br_result *result, uint32_t i)
{
    const br_asked *asked = &c->question->asked;
    const br_list_entry *entry = &list->entries[i];
    br_buf_printf(out, "%s{\"rank\": %u, ", i == 0 ? "\n " : ",\n ", i + 1);
    json_member(out, "id", entry->investor_id);
    br_buf_string(out, ", \"probability\": ");
    br_buf_json_number(out, entry->probability);
    br_buf_string(out, ", ");
    br_present_reasons(out, asked->served->snapshot->encoder, c->errand->language, &result->explanations[i]);
    br_buf_string(out, ", ");
    desk_past_json(c->errand->desk, out, result, i, c->errand->language);
    br_buf_printf(out, ", \"was\": {\"rank\": %u, \"probability\": ", br_asked_place(asked, entry->investor));
    br_buf_json_number(out, br_asked_probability(asked, entry->investor));
    br_buf_string(out, "}}");
}

static br_status find_list(const changing *c, br_list *list, br_result *result)
{
    const list_question *q = c->question;
    br_job_body body;
    uint32_t n = c->errand->limit < q->stored.list.n_entries ? c->errand->limit : q->stored.list.n_entries;
    br_status status = br_what_if(list, &body, c->arena, &q->asked, c->codes, n);
    if (status == BR_OK) {
        status = compute_past(c->errand->desk, q, c->arena, &body);
    }
    return status == BR_OK ? compute_work(c->errand->desk, q, c->arena, &body, result) : status;
}

static void what_if_json(const changing *c, const br_list *list, const br_result *result, int64_t started_ns)
{
    const br_list *stored = &c->question->stored.list;
    br_buf *out = &c->answer->body;
    char day[BR_DAY_TEXT];
    br_buf_char(out, '{');
    json_member(out, "bond", stored->bond_id);
    br_buf_string(out, ", ");
    json_member(out, "as_of", br_day_text(stored->as_of, day));
    br_buf_string(out, ", ");
    json_member(out, "snapshot", stored->version);
    br_buf_printf(out, ", \"eligible\": %u", stored->n_eligible);
    changes_json(out, c);
    br_buf_string(out, ", \"investors\": [");
    for (uint32_t i = 0; i < list->n_entries; i++) {
        investor_json(out, c, list, result, i);
    }
    br_buf_string(out, "], \"milliseconds\": ");
    br_buf_json_number(out, (double)((br_clock_ns() - started_ns) / 1000) * 1e-3);
    br_buf_string(out, "}\n");
}

static void work_what_if(const errand *e, br_arena *arena, br_http_answer *answer)
{
    int64_t started_ns = br_clock_ns();
    list_question q;
    br_list list;
    br_result result;
    changing c = {.errand = e, .question = &q, .arena = arena, .answer = answer};
    br_status status = compute_open(e->desk, arena, e->bond, &q);
    if (status == BR_OK) {
        c.codes = br_arena_alloc(arena, q.body.bond_codes.n + 1);
        c.changes = br_arena_calloc(arena, MAX_CHANGES, sizeof *c.changes);
        status = c.codes == NULL || c.changes == NULL ? br_no_memory("changes", MAX_CHANGES) : BR_OK;
    }
    if (status == BR_OK) {
        memcpy(c.codes, q.body.bond_codes.data, q.body.bond_codes.n);
        status = br_json_visit(br_json_member(e->body, "features").object, take_change, &c);
    }
    if (status == BR_OK) {
        status = find_list(&c, &list, &result);
    }
    if (status == BR_OK) {
        what_if_json(&c, &list, &result, started_ns);
        answer_finish(answer);
    } else if (answer->code != 422) {
        compute_failed(answer, status);
    }
}

static bool read_limit(const br_json_object *body, uint32_t *limit_out)
{
    br_json_value limit = br_json_member(body, "limit");
    *limit_out = DEFAULT_LIMIT;
    if (limit.kind == BR_JSON_NONE) {
        return true;
    }
    if (limit.kind != BR_JSON_NUMBER || !(limit.number >= 1.0 && limit.number <= BR_MAX_JOB_INVESTORS)) {
        return false;
    }
    *limit_out = (uint32_t)limit.number;
    return (double)*limit_out == limit.number;
}

void handle_what_if(void *context, const br_http_request *request, br_http_answer *answer)
{
    errand e = {.desk = context, .language = request_language(request), .work = work_what_if};
    size_t n = strlen(request->rest);
    size_t n_suffix = strlen(SUFFIX);
    if (n <= n_suffix || n - n_suffix > BR_MAX_ID_BYTES || strcmp(request->rest + n - n_suffix, SUFFIX) != 0) {
        br_http_problem(answer, 404, "Not found", "POST goes to /bonds/{bond}/what-if");
        return;
    }
    memcpy(e.bond, request->rest, n - n_suffix);
    if (br_json_object_read(&e.body, request->body, request->n_body) != BR_OK) {
        br_http_problem(answer, 400, "Malformed body", br_why(BR_ERR_INVALID));
        return;
    }
    if (br_json_member(e.body, "features").kind != BR_JSON_OBJECT || !read_limit(e.body, &e.limit)) {
        br_json_object_free(&e.body);
        br_http_problem(answer, 422, "Value out of range",
                        "features must be an object, limit a whole number from 1 to 1000");
        return;
    }
    errand_leave(&e, answer);
}
