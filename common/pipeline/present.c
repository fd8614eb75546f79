#include "pipeline/present.h"

#include <math.h>
#include <string.h>

static void string_member(br_buf *out, const char *name, const char *text)
{
    br_buf_printf(out, "\"%s\": ", name);
    br_buf_json_string(out, text, strlen(text));
}

static void number_member(br_buf *out, const char *name, double value)
{
    br_buf_printf(out, "\"%s\": ", name);
    br_buf_json_number(out, value);
}

const br_explanation *br_present_explanation(const br_presented *presented, uint32_t i)
{
    const br_outcome *outcome = presented->outcome;
    if (outcome->state != BR_JOB_DONE || i >= outcome->result.n_explanations) {
        return NULL;
    }
    const br_explanation *explanation = &outcome->result.explanations[i];
    return explanation->investor == presented->list->entries[i].investor ? explanation : NULL;
}

// Below chance there is nothing that backs the reason.
static void times_json(br_buf *out, const br_reason *reason)
{
    if (reason->backing <= 0.0f) {
        br_buf_string(out, "null");
        return;
    }
    br_record_times times = br_record_times_of((double)reason->backing, reason->bids);
    br_buf_char(out, '{');
    number_member(out, "times", times.times);
    br_buf_string(out, ", ");
    number_member(out, "low", times.low);
    br_buf_string(out, ", ");
    number_member(out, "high", times.high);
    br_buf_char(out, '}');
}

void br_present_reason(br_buf *out, const br_encoder *encoder, br_language language, const br_reason *reason,
                       br_reason_role role)
{
    const br_field *field = &encoder->fields[encoder->n_bond_fields + reason->field];
    BR_AUTO_DEINIT(br_buf) text = {0};
    br_buf_char(out, '{');
    br_reason_tag(&text, encoder, reason->field, reason->code, language);
    string_member(out, "tag", br_buf_text(&text));
    br_buf_clear(&text);
    br_reason_sentence(&text, encoder, reason, role, language);
    br_buf_string(out, ", ");
    string_member(out, "sentence", br_buf_text(&text));
    br_buf_string(out, ", ");
    string_member(out, "category", br_reason_category(encoder, reason->field));
    br_buf_string(out, ", ");
    string_member(out, "field", field->name);
    br_buf_string(out, ", ");
    string_member(out, "value", reason->code < field->n_values ? field->value_names[reason->code] : "");
    br_buf_string(out, ", ");
    number_member(out, "gain", (double)reason->gain);
    br_buf_string(out, ", ");
    number_member(out, "backing", (double)reason->backing);
    br_buf_printf(out, ", \"bids\": %u, \"times\": ", reason->bids);
    times_json(out, reason);
    br_buf_char(out, '}');
    out->failed = out->failed || text.failed;
}

static bool reason_fits(const br_encoder *encoder, const br_reason *reason)
{
    return reason->field < br_encoder_n_investor_fields(encoder);
}

void br_present_reasons(br_buf *out, const br_encoder *encoder, br_language language, const br_explanation *explanation)
{
    br_buf_string(out, "\"reasons\": [");
    bool first = true;
    for (uint32_t i = 0; i < explanation->n_reasons; i++) {
        if (reason_fits(encoder, &explanation->reasons[i])) {
            br_buf_string(out, first ? "" : ", ");
            br_present_reason(out, encoder, language, &explanation->reasons[i], BR_REASON_FOR);
            first = false;
        }
    }
    br_buf_string(out, "], \"against\": ");
    if (reason_fits(encoder, &explanation->against)) {
        br_present_reason(out, encoder, language, &explanation->against, BR_REASON_AGAINST);
    } else {
        br_buf_string(out, "null");
    }
    br_buf_printf(out, ", \"support\": {\"matching\": %u, ", explanation->n_matching);
    number_member(out, "mean_probability", explanation->mean_probability_matching);
    br_buf_printf(out, "}, \"certified\": %s", explanation->certified ? "true" : "false");
}

// --- past bids ---

static uint32_t n_valid_of(const br_votes *votes, const char *x, const char *y)
{
    uint32_t number = br_votes_find(votes, x, y);
    return number == BR_INDEX_NONE ? 0 : br_votes_pair(votes, number).n_valid;
}

uint32_t br_present_past(br_shown_past out[BR_SHOWN_PAST], const br_result *result, uint32_t i, const br_votes *votes,
                         uint32_t threshold)
{
    uint32_t n = 0;
    uint32_t n_past = result->past == NULL ? 0 : result->past[i].n;
    for (uint32_t k = 0; k < n_past && n < BR_SHOWN_PAST; k++) {
        const br_past_bid *past = &result->past[i].bids[k];
        br_shown_past shown = {.past = past, .own_issuer = strcmp(past->issuer, result->issuer) == 0};
        bool valid = true;
        if (votes != NULL && !shown.own_issuer) {
            br_validity validity = br_votes_validity(votes, past->issuer, result->issuer, threshold);
            valid = validity != BR_VALIDITY_NO;
            shown.has_votes = validity == BR_VALIDITY_YES;
            shown.n_valid = shown.has_votes ? n_valid_of(votes, past->issuer, result->issuer) : 0;
        }
        if (valid) {
            out[n++] = shown;
        }
    }
    return n;
}

static void past_json(br_buf *out, const br_shown_past *shown, br_language language)
{
    const br_past_bid *past = shown->past;
    BR_AUTO_DEINIT(br_buf) sentence = {0};
    char day[BR_DAY_TEXT];
    br_past_sentence(&sentence, past, shown->own_issuer, language);
    br_buf_char(out, '{');
    string_member(out, "issuer", past->issuer);
    br_buf_printf(out, ", \"bids\": %u, ", past->n_bids);
    string_member(out, "last", br_day_text(past->last, day));
    br_buf_string(out, ", ");
    number_member(out, "weight", past->weight > 0.0f ? (double)past->weight : (double)NAN);
    br_buf_printf(out, ", \"same_issuer\": %s, ", shown->own_issuer ? "true" : "false");
    string_member(out, "sentence", br_buf_text(&sentence));
    if (shown->has_votes) {
        br_buf_printf(out, ", \"votes\": {\"valid\": %u, \"of\": %d}}", shown->n_valid, BR_VOTES_PER_PAIR);
    } else {
        br_buf_string(out, ", \"votes\": null}");
    }
    out->failed = out->failed || sentence.failed;
}

void br_present_past_json(br_buf *out, const br_shown_past *past, uint32_t n, br_language language)
{
    br_buf_string(out, "\"past_bids\": [");
    for (uint32_t i = 0; i < n; i++) {
        br_buf_string(out, i == 0 ? "" : ", ");
        past_json(out, &past[i], language);
    }
    br_buf_char(out, ']');
}

static uint32_t n_kept(const br_presented *presented, uint32_t i, const br_explanation *explanation)
{
    return presented->earlier == NULL ? BR_NO_FIELD : br_earlier_n_kept(presented->earlier, explanation, i);
}

static void stability_json(br_buf *out, const br_presented *presented)
{
    const br_earlier *earlier = presented->earlier;
    uint32_t n = 0;
    char day[BR_DAY_TEXT];
    double jaccard = br_earlier_stability(earlier, &presented->outcome->result, &n);
    if (n > 0) {
        br_buf_string(out, ", \"stability\": {");
        string_member(out, "since", br_day_text(earlier->as_of, day));
        br_buf_string(out, ", ");
        number_member(out, "jaccard", jaccard);
        br_buf_printf(out, ", \"investors\": %u}", n);
    }
}

static void entry_json(br_buf *out, const br_presented *presented, uint32_t i)
{
    const br_list_entry *entry = &presented->list->entries[i];
    const br_explanation *explanation = br_present_explanation(presented, i);
    br_buf_printf(out, "{\"rank\": %u, ", i + 1);
    string_member(out, "id", entry->investor_id);
    br_buf_string(out, ", ");
    number_member(out, "probability", entry->probability);
    if (explanation != NULL) {
        br_buf_string(out, ", ");
        br_present_reasons(out, presented->encoder, presented->language, explanation);
        br_shown_past past[BR_SHOWN_PAST];
        uint32_t n_past = br_present_past(past, &presented->outcome->result, i, presented->votes, presented->threshold);
        br_buf_string(out, ", ");
        br_present_past_json(out, past, n_past, presented->language);
        uint32_t kept = n_kept(presented, i, explanation);
        if (kept != BR_NO_FIELD) {
            br_buf_printf(out, ", \"kept\": %u", kept);
        }
    }
    br_buf_char(out, '}');
}

void br_present_members(br_buf *out, const br_presented *presented)
{
    const br_list *list = presented->list;
    char day[BR_DAY_TEXT];
    string_member(out, "bond", list->bond_id);
    br_buf_string(out, ", ");
    string_member(out, "as_of", br_day_text(list->as_of, day));
    br_buf_string(out, ", ");
    string_member(out, "snapshot", list->version);
    br_buf_printf(out, ", \"ledger_head\": %llu, \"eligible\": %u, \"backtest\": %s, \"pending\": %s",
                  (unsigned long long)list->ledger_head, list->n_eligible, list->backtest ? "true" : "false",
                  presented->outcome->state == BR_JOB_TODO ? "true" : "false");
    if (presented->outcome->state == BR_JOB_DEAD) {
        br_buf_string(out, ", ");
        string_member(out, "failure", presented->outcome->dead.reason);
    }
    br_buf_string(out, ", \"investors\": [");
    bool first = true;
    for (uint32_t i = 0; i < list->n_entries; i++) {
        const char *only = presented->only_investor;
        if (only == NULL || strcmp(only, list->entries[i].investor_id) == 0) {
            br_buf_string(out, first ? "\n " : ",\n ");
            entry_json(out, presented, i);
            first = false;
        }
    }
    br_buf_char(out, ']');
    if (presented->earlier != NULL && presented->outcome->state == BR_JOB_DONE) {
        stability_json(out, presented);
    }
}

void br_present_json(br_buf *out, const br_presented *presented)
{
    br_buf_char(out, '{');
    br_present_members(out, presented);
    br_buf_char(out, '}');
}
