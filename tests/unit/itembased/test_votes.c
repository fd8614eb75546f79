// Goal: votes are taken once, five per pair, and say what they say; all others are refused with a reason. Method: by hand, hostile names, and a plain list
// of random votes and withdrawals as the twin.

#include "base/alloc.h"
#include "base/rng.h"
#include "itembased/votes.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static br_votes *votes_new(void)
{
    br_votes *votes = NULL;
    cr_assert_eq(br_votes_new(&votes), BR_OK);
    return votes;
}

static void vote(br_votes *votes, const char *x, const char *y, const char *rater, bool valid)
{
    br_status status = br_votes_add(votes, &(br_vote){.x = x, .y = y, .rater = rater, .valid = valid});
    cr_assert_eq(status, BR_OK, "%s", br_why(status));
}

/// "10110": the votes of raters r0, r1, ...
static void vote_all(br_votes *votes, const char *x, const char *y, const char *answers)
{
    for (size_t i = 0; answers[i] != '\0'; i++) {
        char rater[24];
        snprintf(rater, sizeof rater, "r%zu", i);
        vote(votes, x, y, rater, answers[i] == '1');
    }
}

static void refused(br_votes *votes, const char *x, const char *y, const char *rater, const char *why)
{
    br_vote wrong = {.x = x, .y = y, .rater = rater, .valid = true};
    uint32_t n = br_votes_agreement(votes).n_votes;
    const char *reason = br_votes_refuse(votes, &wrong);
    cr_assert_not_null(reason, "not refused: %s", why);
    cr_expect(strstr(reason, why) == reason, "\"%s\" does not begin with \"%s\"", reason, why);
    br_status status = br_votes_add(votes, &wrong);
    cr_expect_eq(status, BR_ERR_INVALID);
    cr_expect_str_eq(br_why(status), br_votes_refuse(votes, &wrong));
    cr_expect_eq(br_votes_agreement(votes).n_votes, n);
}

Test(itembased_votes, a_pair_has_five_votes_of_five_raters)
{
    BR_AUTO(br_votes) *votes = votes_new();
    vote_all(votes, "shoes", "socks", "1101");
    refused(votes, "shoes", "socks", "r3",
            "this rater has voted on this pair already: X \"shoes\", Y \"socks\", rater \"r3\"");
    vote(votes, "shoes", "socks", "r4", false);
    refused(votes, "shoes", "socks", "r5", "the pair has its five votes: X \"shoes\", Y \"socks\", rater \"r5\"");
    refused(votes, "shoes", "socks", "r4", "this rater has voted on this pair already");
    cr_expect_null(br_votes_refuse(votes, &(br_vote){.x = "socks", .y = "shoes", .rater = "r4"}), "pairs are directed");
    cr_expect_eq(br_votes_n_pairs(votes), 1, "to be refused, or not, asks nothing");
    br_pair pair = br_votes_pair(votes, 0);
    cr_expect_str_eq(pair.x, "shoes");
    cr_expect_str_eq(pair.y, "socks");
    cr_expect(pair.n_votes == 5 && pair.n_valid == 3);
    cr_expect(br_votes_has_voted(votes, 0, "r4") && !br_votes_has_voted(votes, 0, "r5"));
}

Test(itembased_votes, names_that_cannot_be)
{
    char longest[513];
    memset(longest, 'n', 512);
    longest[512] = '\0';
    char too_long[514];
    memset(too_long, 'n', 513);
    too_long[513] = '\0';
    BR_AUTO(br_votes) *votes = votes_new();
    refused(votes, "", "y", "r", "X has no name");
    refused(votes, "x", "", "r", "Y has no name");
    refused(votes, "x", "y", "", "the rater has no name");
    refused(votes, too_long, "y", "r", "the name of X, \"nnn");
    refused(votes, "x", too_long, "r", "the name of Y, \"nnn");
    refused(votes, "x", "y", too_long, "the name of the rater, \"nnn");
    refused(votes, "x", "x", "r", "X and Y are the same item: \"x\"");
    cr_expect_eq(br_votes_ask(votes, "x", "x"), BR_ERR_INVALID);
    cr_expect_eq(br_votes_ask(votes, "", "x"), BR_ERR_INVALID);
    cr_expect_eq(br_votes_ask(votes, "x", too_long), BR_ERR_INVALID);
    cr_expect_eq(br_votes_n_pairs(votes), 0);
    vote(votes, longest, "y", longest, true);
    refused(votes, longest, "y", longest, "this rater has voted");
    cr_expect_eq(strlen(br_votes_pair(votes, 0).x), 512);
}

Test(itembased_votes, names_of_any_bytes_do_not_run_into_each_other)
{
    static const char *const pairs[][2] = {{"a", "bc"},
                                           {"ab", "c"},
                                           {"abc", "\x01"},
                                           {"\x01", "abc"},
                                           {"a\x01", "bc"},
                                           {"a\x1f", "b"},
                                           {"a", "\x1f"
                                                 "b"},
                                           {"\xff\xfe", "\xc3"},
                                           {"\xff", "\xfe\xc3"},
                                           {"a\nb", "c"},
                                           {"\"", "'"},
                                           {"%s%n", "%d"},
                                           {" ", "  "},
                                           {"a|b", "c"}};
    enum { N = sizeof pairs / sizeof pairs[0] };
    BR_AUTO(br_votes) *votes = votes_new();
    for (uint32_t i = 0; i < N; i++) {
        cr_assert_eq(br_votes_ask(votes, pairs[i][0], pairs[i][1]), BR_OK);
        cr_expect_eq(br_votes_n_pairs(votes), i + 1);
    }
    br_votes_close(votes);
    for (uint32_t i = 0; i < N; i++) {
        cr_expect_eq(br_votes_find(votes, pairs[i][0], pairs[i][1]), i);
        cr_expect_str_eq(br_votes_pair(votes, i).y, pairs[i][1]);
        vote(votes, pairs[i][0], pairs[i][1], pairs[i][0], true);
        refused(votes, pairs[i][0], pairs[i][1], pairs[i][0], "this rater has voted");
        cr_expect_eq(br_votes_pair(votes, i).n_votes, 1);
    }
    cr_expect_eq(br_votes_find(votes, "abc", ""), BR_INDEX_NONE);
    refused(votes, "c", "ab", "%s%s%s%n", "unknown pair: X \"c\", Y \"ab\", rater \"%s%s%s%n\"");
}

Test(itembased_votes, once_closed_only_what_was_asked)
{
    BR_AUTO(br_votes) *votes = votes_new();
    vote(votes, "a", "b", "ann", true);
    cr_assert_eq(br_votes_ask(votes, "a", "b"), BR_OK);
    cr_assert_eq(br_votes_ask(votes, "a", "c"), BR_OK);
    br_votes_close(votes);
    refused(votes, "b", "a", "ann", "unknown pair: X \"b\", Y \"a\", rater \"ann\"");
    refused(votes, "a", "new", "ann", "unknown pair");
    vote(votes, "a", "c", "ann", false);
    cr_assert_eq(br_votes_ask(votes, "b", "a"), BR_OK, "the one who asks still may");
    vote(votes, "b", "a", "ann", true);
    cr_expect_eq(br_votes_n_pairs(votes), 3);
}

Test(itembased_votes, what_is_withdrawn_makes_room)
{
    BR_AUTO(br_votes) *votes = votes_new();
    vote_all(votes, "x", "y", "10110");
    cr_expect_eq(br_votes_validity(votes, "x", "y", 3), BR_VALIDITY_YES);
    bool any = true;
    br_votes_withdraw(votes, "x", "y", "nobody", &any);
    cr_expect_not(any);
    br_votes_withdraw(votes, "x", "z", "r0", &any);
    cr_expect_not(any);
    br_votes_withdraw(votes, "x", "y", "r0", &any);
    cr_expect(any);
    cr_expect(br_votes_pair(votes, 0).n_votes == 4 && br_votes_pair(votes, 0).n_valid == 2);
    cr_expect_eq(br_votes_validity(votes, "x", "y", 1), BR_VALIDITY_OPEN, "four votes are not five");
    br_votes_withdraw(votes, "x", "y", "r0", &any);
    cr_expect_not(any, "once");
    vote(votes, "x", "y", "sixth", false);
    refused(votes, "x", "y", "r0", "the pair has its five votes");
    cr_expect_eq(br_votes_validity(votes, "x", "y", 3), BR_VALIDITY_NO);
    br_votes_withdraw(votes, "x", "y", "r4", &any);
    vote(votes, "x", "y", "r4", true);
    cr_expect_eq(br_votes_validity(votes, "x", "y", 3), BR_VALIDITY_YES, "the same rater may think again");
    cr_expect_eq(br_votes_agreement(votes).n_raters, 5, "r0 has no vote any more");
}

Test(itembased_votes, valid_from_the_threshold_on)
{
    static const char *const answers[] = {"00000", "01000", "00110", "11001", "11011", "11111"};
    BR_AUTO(br_votes) *votes = votes_new();
    char y[8];
    for (uint32_t yes = 0; yes <= 5; yes++) {
        snprintf(y, sizeof y, "y%u", yes);
        vote_all(votes, "x", y, answers[yes]);
        for (uint32_t threshold = 1; threshold <= 5; threshold++) {
            cr_expect_eq(br_votes_validity(votes, "x", y, threshold),
                         yes >= threshold ? BR_VALIDITY_YES : BR_VALIDITY_NO, "%u of 5 at %u", yes, threshold);
        }
    }
    cr_expect_eq(br_votes_validity(votes, "y1", "x", 3), BR_VALIDITY_OPEN);
    cr_expect_eq(br_votes_validity(votes, "x", "unknown", 3), BR_VALIDITY_OPEN);
}

Test(itembased_votes, agreement_by_hand)
{
    BR_AUTO(br_votes) *votes = votes_new();
    br_agreement a = br_votes_agreement(votes);
    cr_expect(a.n_votes == 0 && isnan(a.share_valid) && isnan(a.observed) && isnan(a.fleiss_kappa) &&
              isnan(a.krippendorff_alpha));
    vote_all(votes, "a", "b", "11111");
    a = br_votes_agreement(votes);
    cr_expect(a.observed == 1.0 && isnan(a.fleiss_kappa) && isnan(a.krippendorff_alpha), "all the same");
    vote_all(votes, "a", "c", "00001");
    vote_all(votes, "a", "d", "10");
    vote_all(votes, "a", "e", "1");
    cr_assert_eq(br_votes_ask(votes, "a", "f"), BR_OK);
    a = br_votes_agreement(votes);
    cr_expect(a.n_pairs == 2 && a.n_votes == 13 && a.n_raters == 5);
    cr_expect(a.n_valid[5] == 1 && a.n_valid[1] == 1 && a.n_valid[0] + a.n_valid[2] + a.n_valid[3] + a.n_valid[4] == 0);
    cr_expect_float_eq(a.share_valid, 8.0 / 13.0, 1e-15);
    // P_u = 1, 12/20, 0 of 5, 5 and 2 votes.
    cr_expect_float_eq(a.observed, 8.0 / 12.0, 1e-15);
    // Five votes each: observed 0.8, yes 6 of 10.
    cr_expect_float_eq(a.fleiss_kappa, (0.8 - 0.52) / 0.48, 1e-15);
    // Yes 7 of 12, no 5 of 12.
    cr_expect_float_eq(a.krippendorff_alpha, 1.0 - (4.0 / 12.0) / (1.0 - (42.0 + 20.0) / 132.0), 1e-15);
}

// Krippendorff, "Computing Krippendorff's Alpha-Reliability", part A: two observers, binary.
Test(itembased_votes, alpha_is_that_of_the_published_example)
{
    static const char *const observers[] = {"0100000010", "1110010000"};
    BR_AUTO(br_votes) *votes = votes_new();
    for (int unit = 0; unit < 10; unit++) {
        vote(votes, "x", (const char[]){(char)('a' + unit), '\0'}, "meg", observers[0][unit] == '1');
        vote(votes, "x", (const char[]){(char)('a' + unit), '\0'}, "owen", observers[1][unit] == '1');
    }
    br_agreement a = br_votes_agreement(votes);
    cr_expect_float_eq(a.krippendorff_alpha, 0.095, 0.0005, "%g", a.krippendorff_alpha);
    cr_expect_float_eq(a.observed, 0.6, 1e-15);
    cr_expect(isnan(a.fleiss_kappa), "no pair has five votes");
}

// --- a plain twin ---

enum { ITEMS = 5, RATERS = 9, STEPS = 20000 };

Test(itembased_votes, the_same_as_a_plain_table)
{
    static int said[ITEMS][ITEMS][RATERS]; // 0 nothing, 1 no, 2 yes
    BR_AUTO(br_votes) *votes = votes_new();
    br_rng rng = br_rng_at(5, BR_STREAM_TEST, 0, 0);
    for (int step = 0; step < STEPS; step++) {
        uint32_t x = br_rng_below(&rng, ITEMS), y = br_rng_below(&rng, ITEMS), r = br_rng_below(&rng, RATERS);
        bool valid = br_rng_below(&rng, 2) == 1;
        const char names[][3] = {{'i', (char)('0' + x)}, {'i', (char)('0' + y)}, {'i', (char)('0' + r)}};
        int *mine = said[x][y];
        int n = 0;
        for (int i = 0; i < RATERS; i++) {
            n += mine[i] != 0;
        }
        if (br_rng_below(&rng, 3) == 0) {
            bool any = false;
            br_votes_withdraw(votes, names[0], names[1], names[2], &any);
            cr_assert_eq(any, mine[r] != 0, "step %d", step);
            mine[r] = 0;
            continue;
        }
        bool fine = x != y && mine[r] == 0 && n < BR_VOTES_PER_PAIR;
        br_vote one = {.x = names[0], .y = names[1], .rater = names[2], .valid = valid};
        cr_assert_eq(br_votes_refuse(votes, &one) == NULL, fine, "step %d", step);
        cr_assert_eq(br_votes_add(votes, &one), fine ? BR_OK : BR_ERR_INVALID, "step %d", step);
        mine[r] = fine ? 1 + valid : mine[r];
    }
    uint32_t raters[RATERS] = {0};
    for (uint32_t i = 0; i < br_votes_n_pairs(votes); i++) {
        br_pair pair = br_votes_pair(votes, i);
        const int *mine = said[pair.x[1] - '0'][pair.y[1] - '0'];
        uint32_t n[3] = {0};
        for (int r = 0; r < RATERS; r++) {
            n[mine[r]]++;
            raters[r] += mine[r] != 0;
            cr_expect_eq(br_votes_has_voted(votes, i, (const char[]){'i', (char)('0' + r), '\0'}), mine[r] != 0);
        }
        cr_expect(pair.n_votes == n[1] + n[2] && pair.n_valid == n[2], "%s %s", pair.x, pair.y);
    }
    uint32_t n_raters = 0;
    for (int r = 0; r < RATERS; r++) {
        n_raters += raters[r] > 0;
    }
    cr_expect_eq(br_votes_agreement(votes).n_raters, n_raters);
}

// --- bounds ---

Test(itembased_votes, one_pair_too_many)
{
    enum { SIDE = 2048 };
    BR_AUTO(br_votes) *votes = votes_new();
    char x[16], y[16];
    for (uint32_t i = 0; i < BR_MAX_VOTE_PAIRS; i++) {
        snprintf(x, sizeof x, "x%u", i / SIDE);
        snprintf(y, sizeof y, "y%u", i % SIDE);
        cr_assert_eq(br_votes_ask(votes, x, y), BR_OK);
    }
    cr_expect_eq(br_votes_ask(votes, "one", "more"), BR_ERR_LIMIT);
    refused(votes, "one", "more", "r", "there are as many pairs as there may be");
    vote(votes, "x0", "y0", "r", true);
    cr_assert_eq(br_votes_ask(votes, "x7", "y7"), BR_OK, "an old one");
    cr_expect_eq(br_votes_n_pairs(votes), BR_MAX_VOTE_PAIRS);
}

Test(itembased_votes, without_memory_a_vote_is_not_half_taken)
{
    size_t before = br_alloc_live();
    for (size_t n = 0; n < 12; n++) {
        br_votes *votes = votes_new();
        br_vote one = {.x = "x", .y = "y", .rater = "r", .valid = true};
        br_alloc_fail_after(n);
        br_status status = br_votes_add(votes, &one);
        br_alloc_fail_after(SIZE_MAX);
        cr_expect(status == BR_OK || status == BR_ERR_NO_MEMORY);
        cr_expect_eq(br_votes_agreement(votes).n_votes, status == BR_OK);
        cr_expect_eq(br_votes_add(votes, &one), status == BR_OK ? BR_ERR_INVALID : BR_OK);
        br_votes_free(&votes);
    }
    cr_expect_eq(br_alloc_live(), before);
}
