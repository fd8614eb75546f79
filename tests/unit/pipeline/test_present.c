// Goal: of the past bids the best three are shown, and none of a pair that people have called no reason. Method: results and votes written by hand.

#include "pipeline/present.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static br_past_bid bids[] = {{"Y", 2, 20514, 0.25f},
                             {"A", 3, 20500, 0.5f},
                             {"B", 1, 20400, 0.125f},
                             {"C", 4, 20300, 0.1f},
                             {"D", 1, 20200, 0.025f}};
static br_past_bids all[] = {{bids, 5}, {NULL, 0}};
static const br_result result = {.issuer = "Y", .past = all, .n_explanations = 2, .failure = ""};

static void vote(br_votes *votes, const char *x, unsigned n, unsigned n_valid)
{
    for (unsigned i = 0; i < n; i++) {
        char rater[16];
        snprintf(rater, sizeof rater, "r%u", i);
        const br_vote one = {.x = x, .y = "Y", .rater = rater, .valid = i < n_valid};
        cr_assert_eq(br_votes_add(votes, &one), BR_OK);
    }
}

static const char *shown(uint32_t i, const br_votes *votes, uint32_t threshold)
{
    static char text[16];
    br_shown_past past[BR_SHOWN_PAST];
    uint32_t n = br_present_past(past, &result, i, votes, threshold);
    text[0] = '\0';
    for (uint32_t k = 0; k < n; k++) {
        strcat(text, past[k].past->issuer);
    }
    return text;
}

Test(pipeline_present, the_best_three_past_bids_are_shown)
{
    cr_expect_str_eq(shown(0, NULL, 3), "YAB");
    cr_expect_str_eq(shown(1, NULL, 3), "");
    br_result old = result;
    old.past = NULL;
    br_shown_past past[BR_SHOWN_PAST];
    cr_expect_eq(br_present_past(past, &old, 0, NULL, 3), 0);
}

Test(pipeline_present, a_pair_that_people_call_no_reason_is_left_out)
{
    br_votes *votes = NULL;
    cr_assert_eq(br_votes_new(&votes), BR_OK);
    cr_expect_str_eq(shown(0, votes, 3), "YAB");
    vote(votes, "A", 4, 0); // not all of its votes yet
    vote(votes, "B", 5, 3);
    vote(votes, "C", 5, 4);
    cr_expect_str_eq(shown(0, votes, 3), "YAB");
    br_shown_past past[BR_SHOWN_PAST];
    cr_assert_eq(br_present_past(past, &result, 0, votes, 3), 3);
    cr_expect(!past[1].has_votes, "nobody is told before all have voted");
    cr_expect(past[2].has_votes && past[2].n_valid == 3);
    cr_expect_str_eq(shown(0, votes, 4), "YAC");
    cr_expect_str_eq(shown(0, votes, 5), "YAD");
    const br_vote last = {.x = "A", .y = "Y", .rater = "last", .valid = true};
    cr_assert_eq(br_votes_add(votes, &last), BR_OK);
    cr_expect_str_eq(shown(0, votes, 3), "YBC");
    cr_assert_eq(br_present_past(past, &result, 0, votes, 3), 3);
    cr_expect(past[0].own_issuer && !past[0].has_votes, "its own issuer is no pair");
    br_votes_free(&votes);
}

Test(pipeline_present, past_bids_are_said_with_their_votes)
{
    static br_past_bid known = {"X \"1\"", 3, 20514, 0.25f};
    static br_past_bid unknown = {"Y", 1, 20514, 0.0f};
    const br_shown_past past[2] = {{&unknown, true, false, 0}, {&known, false, true, 4}};
    BR_AUTO_DEINIT(br_buf) text = {0};
    br_present_past_json(&text, past, 2, BR_LANGUAGE_EN);
    cr_expect_str_eq(br_buf_text(&text),
                     "\"past_bids\": [{\"issuer\": \"Y\", \"bids\": 1, \"last\": \"2026-03-02\", \"weight\": null, "
                     "\"same_issuer\": true, \"sentence\": \"1 bid on an earlier bond of Y, the same issuer, on "
                     "2026-03-02.\", \"votes\": null}, {\"issuer\": \"X \\\"1\\\"\", \"bids\": 3, \"last\": "
                     "\"2026-03-02\", \"weight\": 0.25, \"same_issuer\": false, \"sentence\": \"3 bids on bonds of X "
                     "\\\"1\\\", the last on 2026-03-02.\", \"votes\": {\"valid\": 4, \"of\": 5}}]");
}
