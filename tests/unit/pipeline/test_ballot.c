// Votes on pairs of issuers as the ledger's notes tell them: what is counted, what is refused and why, and that it comes out the same however
// it is read.

#include "pipeline/ballot.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "pipeline/follow.h"
#include "support/temp.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char SCHEMA[] = "market: m\nwindows_days: [30]\nbond_features:\n  - {name: rating, kind: categorical}\n"
                             "investor_features: []\nactivity_features: [frequency]\n";

static char *directory;
static br_ledger *ledger;
static br_ballot *ballot;
static uint64_t n_notes;

static void set_up(void)
{
    cr_assert_eq(br_hash_init(), BR_OK);
    directory = br_temp_new();
    cr_assert_eq(br_ledger_open_writer(&ledger, br_temp_path(directory, "ledger")), BR_OK);
    cr_assert_eq(br_ballot_new(&ballot), BR_OK);
    n_notes = 0;
}

static void tear_down(void)
{
    br_ballot_free(&ballot);
    br_ledger_free(&ledger);
    br_temp_remove(&directory);
}

TestSuite(pipeline_ballot, .init = set_up, .fini = tear_down, .timeout = 30);

typedef struct vote {
    const char *rater;
    const char *x;
    const char *y;
    const char *value;
} vote;

static br_row row_of(br_note *note, const vote *v)
{
    *note = (br_note){.id = br_hash_of(&n_notes, sizeof n_notes),
                      .user = v->rater,
                      .topic = BR_TOPIC_PAIR,
                      .subject = v->x,
                      .value = v->value,
                      .version = ""};
    return (br_row){.kind = BR_ROW_NOTE, .issuer_id = v->y, .rate = (double)NAN, .note = note};
}

static const char *refused(vote v)
{
    br_note note;
    const char *reason = "";
    static char told[512];
    br_row row = row_of(&note, &v);
    const char *column = br_ballot_refuse(ballot, &row, &reason);
    if (column == NULL) {
        return NULL;
    }
    snprintf(told, sizeof told, "%s: %s", column, reason);
    return told;
}

static uint64_t append(const br_row *row)
{
    uint64_t record = 0;
    cr_assert_eq(br_ledger_begin(ledger), BR_OK);
    cr_assert_eq(br_ledger_append(ledger, row, &record), BR_OK);
    cr_assert_eq(br_ledger_commit(ledger), BR_OK);
    return record;
}

// As the ingester does: asked, appended, taken in.
static void say(const char *rater, const char *x, const char *y, const char *value)
{
    br_note note;
    n_notes++;
    vote v = {rater, x, y, value};
    const char *why = refused(v);
    cr_assert_null(why, "%s %s %s %s: %s", rater, x, y, value, why);
    br_row row = row_of(&note, &v);
    cr_assert_eq(br_ballot_take(ballot, append(&row), &row), BR_OK);
}

static void expect_refused(const char *rater, const char *x, const char *y, const char *value, const char *begins)
{
    const char *why = refused((vote){rater, x, y, value});
    cr_assert_not_null(why, "%s %s %s %s is taken", rater, x, y, value);
    cr_assert_eq(strncmp(why, begins, strlen(begins)), 0, "\"%s\" instead of \"%s\"", why, begins);
}

static br_pair pair_of(const br_votes *votes, const char *x, const char *y)
{
    uint32_t pair = br_votes_find(votes, x, y);
    return pair == BR_INDEX_NONE ? (br_pair){.x = x} : br_votes_pair(votes, pair);
}

Test(pipeline_ballot, five_raters_and_no_sixth)
{
    static const char *const raters[] = {"a", "b", "c", "d", "e"};
    for (int i = 0; i < 5; i++) {
        say(raters[i], "S1", "S2", i < 3 ? "yes" : "no");
        expect_refused(raters[i], "S1", "S2", "yes", "user: this rater has voted on this pair already");
        expect_refused(raters[i], "S1", "S2", "no", "user: this rater has voted on this pair already");
        expect_refused(raters[i], "S1", "S2", "skip", "user: this rater has voted on this pair already");
    }
    expect_refused("f", "S1", "S2", "yes", "subject: the pair has its five votes");
    cr_assert_null(refused((vote){"f", "S2", "S1", "yes"}), "the other way round it is another pair");
    const br_pair pair = pair_of(br_ballot_votes(ballot), "S1", "S2");
    cr_assert(pair.n_votes == 5 && pair.n_valid == 3);
    say("a", "S1", "S2", "");
    say("f", "S1", "S2", "no");
    expect_refused("a", "S1", "S2", "yes", "subject: the pair has its five votes");
    cr_assert_eq(pair_of(br_ballot_votes(ballot), "S1", "S2").n_valid, 2);
}

Test(pipeline_ballot, verdicts_change_with_complete_pairs_alone)
{
    for (char rater[] = "a"; rater[0] <= 'd'; rater[0]++) {
        say(rater, "S1", "S2", "yes");
        say(rater, "S1", "S3", "skip");
    }
    cr_assert_eq(br_ballot_verdicts(ballot), 0);
    say("e", "S1", "S2", "yes");
    const uint64_t complete = br_ballot_verdicts(ballot);
    cr_assert_gt(complete, 0);
    say("f", "S1", "S2", "skip");
    say("f", "S2", "S1", "no");
    cr_assert_eq(br_ballot_verdicts(ballot), complete);
    say("a", "S1", "S2", "");
    cr_assert_gt(br_ballot_verdicts(ballot), complete);
}

Test(pipeline_ballot, only_what_was_said_is_taken_back)
{
    expect_refused("a", "S1", "S2", "", "value: there is nothing to take back");
    say("a", "S1", "S2", "yes");
    expect_refused("b", "S1", "S2", "", "value: there is nothing to take back");
    expect_refused("a", "S2", "S1", "", "value: there is nothing to take back");
    say("a", "S1", "S2", "");
    expect_refused("a", "S1", "S2", "", "value: there is nothing to take back");
    cr_assert_eq(pair_of(br_ballot_votes(ballot), "S1", "S2").n_votes, 0);
    say("a", "S1", "S2", "no");
    cr_assert_eq(pair_of(br_ballot_votes(ballot), "S1", "S2").n_votes, 1);
}

Test(pipeline_ballot, a_skip_is_no_vote)
{
    say("a", "S1", "S2", "skip");
    say("a", "S1", "S2", "skip");
    cr_assert_eq(pair_of(br_ballot_votes(ballot), "S1", "S2").n_votes, 0);
    say("a", "S1", "S2", "");
    expect_refused("a", "S1", "S2", "", "value: there is nothing to take back");
    say("a", "S1", "S2", "skip");
    say("a", "S1", "S2", "yes");
    say("a", "S1", "S2", "");
    expect_refused("a", "S1", "S2", "", "value: there is nothing to take back");
    for (char rater[] = "b"; rater[0] <= 'z'; rater[0]++) { // skips of many are no votes, either
        say(rater, "S1", "S2", "skip");
        say(rater, "S3", "S2", "skip");
    }
    say("a", "S1", "S2", "yes");
    say("z", "S1", "S2", "");
}

Test(pipeline_ballot, records_and_other_topics_count_once_or_not_at_all)
{
    br_note note;
    const vote v = {"a", "S1", "S2", "yes"};
    br_row row = row_of(&note, &v);
    cr_assert_eq(br_ballot_take(ballot, 7, &row), BR_OK);
    note.user = "b";
    cr_assert_eq(br_ballot_take(ballot, 7, &row), BR_OK);
    cr_assert_eq(br_ballot_take(ballot, 6, &row), BR_OK);
    cr_assert_eq(pair_of(br_ballot_votes(ballot), "S1", "S2").n_votes, 1);
    note.topic = BR_TOPIC_REASON;
    const char *reason = NULL;
    cr_assert_null(br_ballot_refuse(ballot, &row, &reason));
    cr_assert_eq(br_ballot_take(ballot, 8, &row), BR_OK);
    const br_row bid = {.kind = BR_ROW_BID, .bid_id = "r"};
    cr_assert_null(br_ballot_refuse(ballot, &bid, &reason));
    cr_assert_eq(pair_of(br_ballot_votes(ballot), "S1", "S2").n_votes, 1);
    note.topic = BR_TOPIC_PAIR; // a forged one: the rules hold when it is read, too
    note.user = "a";
    cr_assert_eq(br_ballot_take(ballot, 9, &row), BR_OK);
    cr_assert_eq(pair_of(br_ballot_votes(ballot), "S1", "S2").n_votes, 1);
}

static void write_votes(void)
{
    const br_row schema = {
        .kind = BR_ROW_SCHEMA, .yaml = SCHEMA, .yaml_bytes = sizeof SCHEMA - 1, .rate = (double)NAN, .revision = 1};
    append(&schema);
    say("a", "S1", "S2", "yes");
    say("b", "S1", "S2", "no");
    say("a", "S2", "S1", "skip");
    say("b", "S1", "S2", "");
    say("c", "S1", "S2", "yes");
}

Test(pipeline_ballot, a_ledger_that_is_read_says_what_was_said)
{
    BR_AUTO(br_votes) *votes = NULL;
    BR_AUTO(br_follower) *follower = NULL;
    write_votes();
    cr_assert_eq(br_votes_new(&votes), BR_OK);
    cr_assert_eq(br_ballot_read(votes, ledger), BR_OK);
    br_pair pair = pair_of(votes, "S1", "S2");
    cr_assert(pair.n_votes == 2 && pair.n_valid == 2);
    cr_assert_eq(br_votes_find(votes, "S2", "S1"), BR_INDEX_NONE, "a skip asks no pair");

    br_ballot_free(&ballot); // the same by a follower, which a later schema makes begin anew
    cr_assert_eq(br_ballot_new(&ballot), BR_OK);
    cr_assert_eq(br_follower_new(&follower), BR_OK);
    br_follower_notes(follower, br_ballot_take, ballot);
    cr_assert_eq(br_follower_catch_up(follower, ledger, 0, 0), BR_OK);
    const br_row schema = {
        .kind = BR_ROW_SCHEMA, .yaml = SCHEMA, .yaml_bytes = sizeof SCHEMA - 1, .rate = (double)NAN, .revision = 2};
    append(&schema);
    cr_assert_eq(br_follower_catch_up(follower, ledger, 0, 0), BR_OK);
    pair = pair_of(br_ballot_votes(ballot), "S1", "S2");
    cr_assert(pair.n_votes == 2 && pair.n_valid == 2);
    expect_refused("b", "S1", "S2", "", "value: there is nothing to take back");
    cr_assert_null(refused((vote){"a", "S2", "S1", ""}), "a skip is remembered");
}

Test(pipeline_ballot, failing_allocations_are_reported_and_leak_nothing)
{
    write_votes();
    br_ballot_free(&ballot);
    size_t live = br_alloc_live();
    br_note notes[70];
    char raters[70][8];
    for (size_t n = 0;; n++) {
        br_alloc_fail_after(n);
        br_status status = br_ballot_new(&ballot);
        for (uint32_t i = 0; i < 70 && status == BR_OK; i++) {
            snprintf(raters[i], sizeof raters[i], "r%u", i);
            const vote v = {raters[i], "S1", "S2", "skip"};
            const br_row row = row_of(&notes[i], &v);
            status = br_ballot_take(ballot, i + 1, &row);
        }
        br_alloc_fail_after(SIZE_MAX);
        br_ballot_free(&ballot);
        cr_assert_eq(br_alloc_live(), live, "after %zu allocations", n);
        if (status == BR_OK) {
            cr_assert_gt(n, 5);
            break;
        }
        cr_assert_eq(status, BR_ERR_NO_MEMORY, "%s", br_why(status));
    }
}

Test(pipeline_ballot, figures_are_told_in_words)
{
    BR_AUTO_DEINIT(br_buf) out = {0};
    br_agreement agreement = {.observed = (double)NAN, .fleiss_kappa = (double)NAN, .krippendorff_alpha = (double)NAN};
    br_ballot_words(&out, &agreement, BR_LANGUAGE_EN);
    cr_expect_str_eq(br_buf_text(&out), "\"No pair has two votes yet: nothing can be said of agreement.\"");
    agreement = (br_agreement){.observed = 0.8, .fleiss_kappa = (double)NAN, .krippendorff_alpha = 0.667};
    br_buf_clear(&out);
    br_ballot_words(&out, &agreement, BR_LANGUAGE_EN);
    cr_expect_str_eq(br_buf_text(&out),
                     "\"Two people who judge the same pair agree in 80 of 100 cases.\", "
                     "\"Krippendorff's alpha is 0.67: enough for tentative conclusions (over the pairs with two "
                     "votes or more).\"");
    static const struct {
        double kappa;
        const char *word;
    } kappas[] = {{-0.2, "no better than chance"},
                  {0.1, "slight"},
                  {0.4, "fair"},
                  {0.41, "moderate"},
                  {0.7, "substantial"},
                  {0.81, "almost perfect"},
                  {1.0, "almost perfect"}};
    for (size_t i = 0; i < sizeof kappas / sizeof kappas[0]; i++) {
        agreement.fleiss_kappa = kappas[i].kappa;
        br_buf_clear(&out);
        br_ballot_words(&out, &agreement, BR_LANGUAGE_EN);
        cr_expect_not_null(strstr(br_buf_text(&out), kappas[i].word), "%.2f: %s", kappas[i].kappa, br_buf_text(&out));
    }
    br_buf_clear(&out);
    br_ballot_words(&out, &agreement, BR_LANGUAGE_ZH);
    cr_expect_not_null(strstr(br_buf_text(&out), "几乎完全一致"));
}
