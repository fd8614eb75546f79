/// Goal: what raters send back is taken vote by vote, and every vote that may not be is refused with file, line and reason.
/// Method: files with one fault each, read to a text.

#include "base/buf.h"
#include "fixture.h"
#include "input/votes_file.h"
#include "support/temp.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <string.h>

static br_status note_rejection(void *context, const br_table_rejection *rejection)
{
    const char *file = strrchr(rejection->file, '/') + 1;
    br_buf_printf(context, "[%s %" PRIu64 " %s: %s]", file, rejection->line, rejection->column, rejection->reason);
    return BR_OK;
}

/// Pairs as "X>Y VALID/VOTES;", refused votes in brackets; `asked` may be NULL.
static void expect(const char *expected, const char *asked, const char *text)
{
    char *directory = br_temp_new();
    BR_AUTO_DEINIT(br_buf) seen = {0};
    BR_AUTO(br_votes) *votes = NULL;
    cr_assert_eq(br_votes_new(&votes), BR_OK);
    br_table_listener listener = {.reject = note_rejection, .context = &seen};
    br_table_tally tally;
    if (asked != NULL) {
        fixture_text(directory, "asked.csv", asked);
        cr_assert_eq(br_asked_file_read(votes, br_temp_path(directory, "asked.csv"), &listener, &tally), BR_OK);
    }
    fixture_text(directory, "votes.csv", text);
    cr_assert_eq(br_votes_file_read(votes, br_temp_path(directory, "votes.csv"), &listener, &tally), BR_OK, "%s",
                 br_why(BR_ERR_INVALID));
    for (uint32_t i = 0; i < br_votes_n_pairs(votes); i++) {
        br_pair pair = br_votes_pair(votes, i);
        br_buf_printf(&seen, "%s>%s %u/%u;", pair.x, pair.y, pair.n_valid, pair.n_votes);
    }
    cr_expect_str_eq(br_buf_text(&seen), expected);
    br_temp_remove(&directory);
}

Test(input_votes_file, every_word_for_yes_and_no_is_read)
{
    expect("a>b 4/4;b>a 0/4;", NULL,
           "x,y,rater,vote\na,b,r1,yes\na,b,r2,1\na,b,r3,TRUE\na,b,r4,Valid\nb,a,r1,no\nb,a,r2,0\nb,a,r3,False\n"
           "b,a,r4,invalid\n");
    expect("a>b 1/1;", NULL, "title,vote,rater,y,x\nT,yes,r1,b,a\n");
}

Test(input_votes_file, a_vote_that_may_not_be_is_refused_with_its_place)
{
    expect("[votes.csv 3 vote: 'maybe' is not a vote: yes or no, 1 or 0, true or false, valid or invalid]"
           "[votes.csv 4 vote: nothing stands there][votes.csv 5 rater: nothing stands there]a>b 1/1;",
           NULL, "x,y,rater,vote\na,b,r1,yes\na,b,r2,maybe\na,b,r2,\na,b,,yes\n");
}

/// The reasons are those of br_votes_refuse(): here that they come through, with their line.
Test(input_votes_file, unknown_pair_sixth_vote_and_a_second_vote_of_a_rater)
{
    char *directory = br_temp_new();
    BR_AUTO_DEINIT(br_buf) seen = {0};
    BR_AUTO(br_votes) *votes = NULL;
    cr_assert_eq(br_votes_new(&votes), BR_OK);
    br_table_listener listener = {.reject = note_rejection, .context = &seen};
    br_table_tally tally;
    fixture_text(directory, "asked.csv", "x,y\na,b\na,b\nc,c\n");
    fixture_text(directory, "votes.csv",
                 "x,y,rater,vote\na,b,r1,yes\na,b,r1,no\na,b,r2,1\na,b,r3,1\na,b,r4,0\na,b,r5,1\na,b,r6,1\nb,a,r1,1\n");
    cr_assert_eq(br_asked_file_read(votes, br_temp_path(directory, "asked.csv"), &listener, &tally), BR_OK);
    cr_expect_eq(tally.n_rejected, 1);
    cr_assert_eq(br_votes_file_read(votes, br_temp_path(directory, "votes.csv"), &listener, &tally), BR_OK);
    cr_expect_eq(tally.n_rows, 5);
    cr_expect_eq(tally.n_rejected, 3);
    const char *text = br_buf_text(&seen);
    static const char *const places[] = {"[asked.csv 4 : ", "[votes.csv 3 : ", "[votes.csv 8 : ", "[votes.csv 9 : "};
    static const char *const reasons[] = {"same item", "already", "five votes", "unknown pair"};
    for (size_t i = 0; i < 4; i++) {
        const char *at = strstr(text, places[i]);
        cr_assert_neq(at, NULL, "%s in %s", places[i], text);
        cr_expect_neq(strstr(at, reasons[i]), NULL, "%s in %s", reasons[i], at);
        text = at + 1;
    }
    br_temp_remove(&directory);
}
