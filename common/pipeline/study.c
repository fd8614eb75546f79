#include "pipeline/study.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "base/rng.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

br_status br_study_methods(br_method out[2], const char *names)
{
    uint32_t n = 0;
    for (const char *at = names; *at != '\0';) {
        at += strspn(at, ", ");
        size_t length = strcspn(at, ", ");
        if (length == 0) {
            break;
        }
        if (n == 2 || !br_method_by_name(&out[n], at, length)) {
            return br_fail(BR_ERR_INVALID,
                           "study.methods: \"%.60s\" are not two methods; `bookrunner compare --help` names them",
                           names);
        }
        if (br_method_needs_background(out[n])) {
            return br_fail(BR_ERR_INVALID, "study.methods: %s needs training pairs, which the desk does not have",
                           br_method_name(out[n]));
        }
        n++;
        at += length;
    }
    return n == 2 && out[0] != out[1]
               ? BR_OK
               : br_fail(BR_ERR_INVALID, "study.methods: \"%.60s\" are not two different methods", names);
}

// --- drawing ---

static void hash_text(br_hasher *hasher, const char *text)
{
    size_t n = strlen(text);
    uint8_t length[4] = {(uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16), (uint8_t)(n >> 24)};
    br_hasher_update(hasher, length, sizeof length); // so that no two triples run together
    br_hasher_update(hasher, text, n);
}

br_study_draw br_study_draw_of(uint64_t seed, const char *rater, const char *bond, const char *investor)
{
    br_hasher hasher;
    br_hasher_init(&hasher);
    hash_text(&hasher, rater);
    hash_text(&hasher, bond);
    hash_text(&hasher, investor);
    br_hash hash = br_hasher_final(&hasher);
    uint32_t place[2];
    memcpy(place, hash.bytes, sizeof place);
    br_rng rng = br_rng_at(seed, BR_STREAM_STUDY, place[0], place[1]);
    uint64_t high = br_rng_u32(&rng);
    uint64_t low = br_rng_u32(&rng);
    return (br_study_draw){.order = high << 32 | low, .swapped = br_rng_below(&rng, 2) == 1};
}

// --- what is shown ---

static int by_gain(const void *left, const void *right)
{
    const br_reason *a = left;
    const br_reason *b = right;
    return a->gain != b->gain ? (a->gain < b->gain) - (a->gain > b->gain)
                              : (a->field > b->field) - (a->field < b->field);
}

static br_status describe(br_reason *reasons, const br_served *served, const uint8_t *bond_codes, uint32_t n)
{
    const br_collapsed *collapsed = served->collapsed;
    float *state = br_calloc_aligned(br_collapsed_state_floats(collapsed), sizeof *state);
    float *scratch = br_calloc_aligned(br_collapsed_scratch_floats(collapsed), sizeof *scratch);
    float *hidden = br_calloc_aligned(br_collapsed_state_floats(collapsed), sizeof *hidden);
    br_status status = state == NULL || scratch == NULL || hidden == NULL ? br_no_memory("states", 2) : BR_OK;
    size_t bytes = br_collapsed_state_floats(collapsed) * sizeof *state;
    float whole = 0.0f;
    if (status == BR_OK) {
        br_collapsed_bond(collapsed, bond_codes, hidden);
        br_collapsed_add_hidden(collapsed, hidden);
    }
    // Without field `left_out` and at last with all of them.
    for (uint32_t left_out = 0; left_out <= n && status == BR_OK; left_out++) {
        memcpy(state, hidden, bytes);
        for (uint32_t k = 0; k < n; k++) {
            if (k != left_out) {
                br_collapsed_show(collapsed, state, reasons[k].field, reasons[k].code);
            }
        }
        float logit = br_collapsed_logit(collapsed, state, scratch);
        if (left_out < n) {
            reasons[left_out].gain = -logit;
        } else {
            whole = logit;
        }
    }
    for (uint32_t k = 0; k < n && status == BR_OK; k++) {
        reasons[k].gain += whole;
        reasons[k].backing = served->snapshot->record == NULL
                                 ? 0.0f
                                 : br_record_backing(served->snapshot->record, bond_codes, reasons[k].field,
                                                     reasons[k].code, &reasons[k].bids);
    }
    br_free(state);
    br_free(scratch);
    br_free(hidden);
    return status;
}

br_status br_study_reasons(br_reason *reasons_out, br_methods *methods, br_method method, const br_served *served,
                           const br_method_list *list, uint32_t n_reasons)
{
    uint32_t selected[BR_MAX_REASONS];
    br_assert(n_reasons <= BR_MAX_REASONS && list->n > 0);
    br_method_list one = *list;
    one.n = 1;
    br_status status = br_methods_select(methods, method, &one, selected);
    if (status != BR_OK) {
        return status;
    }
    const uint8_t *codes =
        list->population.codes + (size_t)list->investors[0] * br_encoder_n_investor_fields(served->snapshot->encoder);
    for (uint32_t k = 0; k < n_reasons; k++) {
        reasons_out[k] = (br_reason){.field = selected[k], .code = codes[selected[k]]};
    }
    status = describe(reasons_out, served, list->bond_codes, n_reasons);
    if (status == BR_OK) {
        qsort(reasons_out, n_reasons, sizeof *reasons_out, by_gain);
    }
    return status;
}

bool br_study_equal(const br_reason *a, const br_reason *b, uint32_t n_reasons)
{
    for (uint32_t i = 0; i < n_reasons; i++) {
        bool found = false;
        for (uint32_t j = 0; j < n_reasons; j++) {
            found = found || a[i].field == b[j].field;
        }
        if (!found) {
            return false;
        }
    }
    return true;
}

// --- answers ---

static const char *choice_name(br_study_choice choice, const br_method methods[2])
{
    switch (choice) {
    case BR_STUDY_FIRST:
        return br_method_name(methods[0]);
    case BR_STUDY_SECOND:
        return br_method_name(methods[1]);
    case BR_STUDY_TIE:
        return "tie";
    case BR_STUDY_SKIP:
        break;
    }
    return "skip";
}

void br_study_answer_write(br_buf *out, const br_study_answer *answer, const br_method methods[2])
{
    br_buf_printf(out, "%s %s %u %u", choice_name(answer->choice, methods), answer->swapped ? "right" : "left",
                  answer->milliseconds, answer->dropped);
}

bool br_study_answer_read(br_study_answer *out, const char *text, const br_method methods[2])
{
    char choice[32];
    char side[8];
    int end = 0;
    br_study_answer answer = {0};
    if (sscanf(text, "%31[a-z-] %7[a-z] %9u %9u%n", choice, side, &answer.milliseconds, &answer.dropped, &end) != 4 ||
        text[end] != '\0') {
        return false;
    }
    answer.swapped = strcmp(side, "right") == 0;
    bool known = answer.swapped || strcmp(side, "left") == 0;
    for (answer.choice = BR_STUDY_FIRST; strcmp(choice_name(answer.choice, methods), choice) != 0; answer.choice++) {
        if (answer.choice == BR_STUDY_SKIP) {
            return false;
        }
    }
    *out = answer;
    return known;
}

br_status br_study_tally_add(br_study_tally *tally, const char *rater, const br_study_answer *answer)
{
    uint32_t number = 0;
    br_status status = tally->raters == NULL ? br_index_new(&tally->raters) : BR_OK;
    if (status == BR_OK) {
        status = br_index_add(tally->raters, rater, strlen(rater), &number, NULL);
    }
    if (status == BR_OK && number >= tally->room) {
        uint32_t room = tally->room == 0 ? 16 : 2 * tally->room;
        br_rater_choices *choices = br_reallocarray(tally->choices, room, sizeof *choices);
        if (choices == NULL) {
            return br_no_memory("raters", room);
        }
        memset(choices + tally->room, 0, (room - tally->room) * sizeof *choices);
        tally->choices = choices;
        tally->room = room;
    }
    if (status != BR_OK) {
        return status;
    }
    tally->n_answers++;
    tally->n_dropped += answer->dropped;
    tally->n_ties += answer->choice == BR_STUDY_TIE;
    tally->n_skips += answer->choice == BR_STUDY_SKIP;
    tally->choices[number].first += answer->choice == BR_STUDY_FIRST;
    tally->choices[number].second += answer->choice == BR_STUDY_SECOND;
    return BR_OK;
}

br_status br_study_tally_result(const br_study_tally *tally, uint64_t seed, br_side_by_side *out)
{
    uint32_t n = tally->raters == NULL ? 0 : br_index_count(tally->raters);
    return br_side_by_side_of(out, tally->choices, n, seed);
}

void br_study_tally_deinit(br_study_tally *tally)
{
    br_index_free(&tally->raters);
    br_free(tally->choices);
    *tally = (br_study_tally){0};
}

void br_study_verdict(br_buf *out, const br_side_by_side *result, const char *first, const char *second)
{
    if (result->n == 0) {
        br_buf_string(out, "not shown: nobody has chosen yet");
    } else if (result->n_raters == 1) {
        br_buf_string(out, "not shown: one rater says nothing of others");
    } else if (!result->shown) {
        br_buf_string(out, "not shown");
    } else {
        br_buf_printf(out, "shown: %s preferred", result->share > 0.5 ? first : second);
    }
}
