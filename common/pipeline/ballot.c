#include "pipeline/ballot.h"

#include "base/alloc.h"

#include <math.h>
#include <string.h>

struct br_ballot {
    br_votes *votes;
    br_index *skips; // "X Y rater", each with its NUL
    bool *skipped;   // [room] by number: does it hold?
    uint32_t room;
    uint64_t seen;     // record of the last note
    uint64_t verdicts; // of the last one that a complete pair came of, or went by
    br_buf key;
};

br_status br_ballot_new(br_ballot **out)
{
    BR_AUTO(br_ballot) *ballot = br_calloc(1, sizeof *ballot);
    if (ballot == NULL) {
        return br_no_memory("ballot", 1);
    }
    br_status status = br_votes_new(&ballot->votes);
    if (status == BR_OK) {
        status = br_index_new(&ballot->skips);
    }
    if (status == BR_OK) {
        *out = ballot;
        ballot = NULL;
    }
    return status;
}

void br_ballot_free(br_ballot **ballot)
{
    if (ballot == NULL || *ballot == NULL) {
        return;
    }
    br_votes_free(&(*ballot)->votes);
    br_index_free(&(*ballot)->skips);
    br_free((*ballot)->skipped);
    br_buf_deinit(&(*ballot)->key);
    br_free(*ballot);
    *ballot = NULL;
}

br_votes *br_ballot_votes(br_ballot *ballot)
{
    return ballot->votes;
}

uint64_t br_ballot_verdicts(const br_ballot *ballot)
{
    return ballot->verdicts;
}

// --- a note as a vote ---

static bool is_pair(const br_row *row)
{
    return row->kind == BR_ROW_NOTE && row->note->topic == BR_TOPIC_PAIR;
}

static bool says(const br_row *row, const char *value)
{
    return strcmp(row->note->value, value) == 0;
}

static br_vote vote_of(const br_row *row)
{
    return (br_vote){.x = row->note->subject, .y = row->issuer_id, .rater = row->note->user, .valid = says(row, "yes")};
}

static br_status count(br_votes *votes, const br_row *row)
{
    const br_vote vote = vote_of(row);
    bool any = false;
    if (says(row, "")) {
        br_votes_withdraw(votes, vote.x, vote.y, vote.rater, &any);
        return BR_OK;
    }
    return says(row, "skip") || br_votes_refuse(votes, &vote) != NULL ? BR_OK : br_votes_add(votes, &vote);
}

static bool is_complete(const br_votes *votes, const br_row *row)
{
    uint32_t pair = br_votes_find(votes, row->note->subject, row->issuer_id);
    return pair != BR_INDEX_NONE && br_votes_pair(votes, pair).n_votes == BR_VOTES_PER_PAIR;
}

// --- skips ---

static br_status name_skip(br_ballot *ballot, const br_vote *vote)
{
    br_buf_clear(&ballot->key);
    br_buf_append(&ballot->key, vote->x, strlen(vote->x) + 1);
    br_buf_append(&ballot->key, vote->y, strlen(vote->y) + 1);
    br_buf_append(&ballot->key, vote->rater, strlen(vote->rater) + 1);
    return ballot->key.failed ? br_no_memory("skips", 1) : BR_OK;
}

static bool has_skipped(const br_ballot *ballot)
{
    uint32_t number = br_index_find(ballot->skips, br_buf_text(&ballot->key), ballot->key.length);
    return number != BR_INDEX_NONE && ballot->skipped[number];
}

static br_status note_skip(br_ballot *ballot, const br_row *row)
{
    const br_vote vote = vote_of(row);
    bool skips = says(row, "skip");
    br_status status = name_skip(ballot, &vote);
    if (status != BR_OK || has_skipped(ballot) == skips) {
        return status;
    }
    uint32_t n = br_index_count(ballot->skips);
    if (n == ballot->room) {
        uint32_t room = n == 0 ? 64 : 2 * n;
        bool *skipped = br_reallocarray(ballot->skipped, room, sizeof *skipped);
        if (skipped == NULL) {
            return br_no_memory("skips", room);
        }
        ballot->skipped = skipped;
        ballot->room = room;
    }
    uint32_t number = 0;
    status = br_index_add(ballot->skips, br_buf_text(&ballot->key), ballot->key.length, &number, NULL);
    if (status == BR_OK) {
        ballot->skipped[number] = skips;
    }
    return status;
}

br_status br_ballot_take(void *context, uint64_t record, const br_row *row)
{
    br_ballot *ballot = context;
    if (record <= ballot->seen) {
        return BR_OK;
    }
    if (is_pair(row)) {
        const bool was_complete = is_complete(ballot->votes, row);
        br_status status = note_skip(ballot, row);
        if (status == BR_OK) {
            status = count(ballot->votes, row);
        }
        if (status != BR_OK) {
            return status;
        }
        ballot->verdicts = was_complete != is_complete(ballot->votes, row) ? record : ballot->verdicts;
    }
    ballot->seen = record;
    return BR_OK;
}

static const char *refuse_withdrawal(br_ballot *ballot, const br_vote *vote)
{
    uint32_t pair = br_votes_find(ballot->votes, vote->x, vote->y);
    if (pair != BR_INDEX_NONE && br_votes_has_voted(ballot->votes, pair, vote->rater)) {
        return NULL;
    }
    if (name_skip(ballot, vote) != BR_OK) {
        return br_why(BR_ERR_NO_MEMORY);
    }
    return has_skipped(ballot) ? NULL : "there is nothing to take back: this rater has said nothing of this pair";
}

const char *br_ballot_refuse(br_ballot *ballot, const br_row *row, const char **reason_out)
{
    if (!is_pair(row)) {
        return NULL;
    }
    const br_vote vote = vote_of(row);
    uint32_t pair = BR_INDEX_NONE;
    if (says(row, "")) {
        *reason_out = refuse_withdrawal(ballot, &vote);
        return *reason_out == NULL ? NULL : "value";
    }
    if (says(row, "skip")) { // also where the pair is complete: only who has voted cannot skip
        pair = br_votes_find(ballot->votes, vote.x, vote.y);
        *reason_out = pair != BR_INDEX_NONE && br_votes_has_voted(ballot->votes, pair, vote.rater)
                          ? "this rater has voted on this pair already"
                          : NULL;
        return *reason_out == NULL ? NULL : "user";
    }
    *reason_out = br_votes_refuse(ballot->votes, &vote);
    if (*reason_out == NULL) {
        return NULL;
    }
    pair = br_votes_find(ballot->votes, vote.x, vote.y);
    return pair != BR_INDEX_NONE && br_votes_has_voted(ballot->votes, pair, vote.rater) ? "user" : "subject";
}

// --- a whole ledger ---

static br_status count_row(void *context, uint64_t record, const br_row *row)
{
    (void)record;
    return is_pair(row) ? count(context, row) : BR_OK;
}

br_status br_ballot_read(br_votes *votes, br_ledger *ledger)
{
    return br_ledger_visit(ledger, 0, UINT64_MAX, count_row, votes);
}

// --- in words ---

static const char *kappa_word(double kappa, bool chinese)
{
    static const struct {
        double up_to;
        const char *words[2];
    } steps[] = {{0.0, {"no better than chance", "不高于偶然"}}, {0.2, {"slight agreement", "轻微一致"}},
                 {0.4, {"fair agreement", "尚可一致"}},          {0.6, {"moderate agreement", "中等一致"}},
                 {0.8, {"substantial agreement", "高度一致"}},   {1.0, {"almost perfect agreement", "几乎完全一致"}}};
    size_t i = 0;
    while (i + 1 < sizeof steps / sizeof steps[0] && kappa > steps[i].up_to) {
        i++;
    }
    return steps[i].words[chinese ? 1 : 0];
}

static const char *alpha_word(double alpha, bool chinese)
{
    if (alpha >= 0.8) {
        return chinese ? "足以下结论" : "enough to draw conclusions from";
    }
    if (alpha >= 0.667) {
        return chinese ? "只够下初步结论" : "enough for tentative conclusions";
    }
    return chinese ? "不足以下结论" : "too low to draw conclusions from";
}

static void put_sentence(br_buf *out, const br_buf *sentence)
{
    br_buf_string(out, out->length > 0 && out->data[out->length - 1] == '"' ? ", " : "");
    br_buf_json_string(out, br_buf_text(sentence), sentence->length);
    out->failed = out->failed || sentence->failed;
}

void br_ballot_words(br_buf *out, const br_agreement *agreement, br_language language)
{
    const bool zh = language == BR_LANGUAGE_ZH;
    BR_AUTO_DEINIT(br_buf) text = {0};
    if (isnan(agreement->observed)) {
        br_buf_string(&text, zh ? "尚无一对发行人有两票，一致性无从谈起。"
                                : "No pair has two votes yet: nothing can be said of agreement.");
        put_sentence(out, &text);
        return;
    }
    br_buf_printf(&text,
                  zh ? "对同一对发行人，两位评审意见相同的占 %.0f %%。"
                     : "Two people who judge the same pair agree in %.0f of 100 cases.",
                  100.0 * agreement->observed);
    put_sentence(out, &text);
    if (!isnan(agreement->fleiss_kappa)) {
        br_buf_clear(&text);
        br_buf_printf(
            &text,
            zh ? "Fleiss κ = %.2f：%s（0 为偶然水平，1 为完全一致；按已有五票的各对计算）。"
               : "Fleiss' kappa is %.2f: %s (0 is what chance gives, 1 is always; over the pairs with all five votes).",
            agreement->fleiss_kappa, kappa_word(agreement->fleiss_kappa, zh));
        put_sentence(out, &text);
    }
    if (!isnan(agreement->krippendorff_alpha)) {
        br_buf_clear(&text);
        br_buf_printf(&text,
                      zh ? "Krippendorff α = %.2f：%s（按至少有两票的各对计算）。"
                         : "Krippendorff's alpha is %.2f: %s (over the pairs with two votes or more).",
                      agreement->krippendorff_alpha, alpha_word(agreement->krippendorff_alpha, zh));
        put_sentence(out, &text);
    }
}
