#include "itembased/votes.h"

#include "base/alloc.h"
#include "base/utf8.h"
#include "itembased/pair_map.h"
#include "itembased/transactions.h"
#include "metrics/agreement.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { REASON_BYTES = 320 };

typedef struct pair_votes {
    uint32_t raters[BR_VOTES_PER_PAIR]; // [n]
    bool valid[BR_VOTES_PER_PAIR];      // [n]
    uint8_t n;
} pair_votes;

struct br_votes {
    br_index *items; // of both sides
    br_index *raters;
    br_pair_map *pairs;   // values: pair_votes
    uint32_t *n_of_rater; // [rater_capacity] votes
    uint32_t rater_capacity;
    uint32_t n_raters; // with a vote
    bool closed;
    char reason[REASON_BYTES];
};

br_status br_votes_new(br_votes **out)
{
    BR_AUTO(br_votes) *votes = br_calloc(1, sizeof *votes);
    if (votes == NULL) {
        return br_no_memory("votes", 1);
    }
    br_status status = br_index_new(&votes->items);
    if (status == BR_OK) {
        status = br_index_new(&votes->raters);
    }
    if (status == BR_OK) {
        status = br_pair_map_new(&votes->pairs, sizeof(pair_votes), SIZE_MAX);
    }
    if (status != BR_OK) {
        return status;
    }
    *out = votes;
    votes = NULL;
    return BR_OK;
}

void br_votes_free(br_votes **votes)
{
    if (votes == NULL || *votes == NULL) {
        return;
    }
    br_index_free(&(*votes)->items);
    br_index_free(&(*votes)->raters);
    br_pair_map_free(&(*votes)->pairs);
    br_free((*votes)->n_of_rater);
    br_free(*votes);
    *votes = NULL;
}

// --- why not ---

static const char *wrong_name(br_votes *votes, const char *what, const char *name)
{
    if (name[0] == '\0') {
        snprintf(votes->reason, sizeof votes->reason, "%s has no name", what);
        return votes->reason;
    }
    if (strnlen(name, BR_MAX_ITEM_NAME_BYTES + 1) > BR_MAX_ITEM_NAME_BYTES) {
        snprintf(votes->reason, sizeof votes->reason, "the name of %s, \"%.*s...\", has more than %d bytes", what,
                 br_utf8_shown(name), name, BR_MAX_ITEM_NAME_BYTES);
        return votes->reason;
    }
    return NULL;
}

static const char *wrong_pair(br_votes *votes, const char *x, const char *y)
{
    const char *wrong = wrong_name(votes, "X", x);
    if (wrong == NULL) {
        wrong = wrong_name(votes, "Y", y);
    }
    if (wrong == NULL && strcmp(x, y) == 0) {
        snprintf(votes->reason, sizeof votes->reason, "X and Y are the same item: \"%.*s\"", br_utf8_shown(x), x);
        wrong = votes->reason;
    }
    return wrong;
}

static pair_votes *votes_of(const br_votes *votes, uint32_t pair)
{
    return br_pair_map_value(votes->pairs, pair);
}

static uint32_t find_vote(const br_votes *votes, uint32_t pair, const char *rater)
{
    const pair_votes *of = votes_of(votes, pair);
    uint32_t number = br_index_find(votes->raters, rater, strlen(rater));
    for (uint32_t i = 0; i < of->n; i++) {
        if (of->raters[i] == number) {
            return i;
        }
    }
    return BR_INDEX_NONE;
}

const char *br_votes_refuse(br_votes *votes, const br_vote *vote)
{
    const char *wrong = wrong_pair(votes, vote->x, vote->y);
    if (wrong == NULL) {
        wrong = wrong_name(votes, "the rater", vote->rater);
    }
    if (wrong != NULL) {
        return wrong;
    }
    uint32_t pair = br_votes_find(votes, vote->x, vote->y);
    if (pair == BR_INDEX_NONE) {
        if (!votes->closed && br_votes_n_pairs(votes) < BR_MAX_VOTE_PAIRS) {
            return NULL;
        }
        wrong = votes->closed ? "unknown pair" : "there are as many pairs as there may be, and this is a new one";
    } else if (find_vote(votes, pair, vote->rater) != BR_INDEX_NONE) {
        wrong = "this rater has voted on this pair already";
    } else if (votes_of(votes, pair)->n == BR_VOTES_PER_PAIR) {
        wrong = "the pair has its five votes";
    } else {
        return NULL;
    }
    snprintf(votes->reason, sizeof votes->reason, "%s: X \"%.*s\", Y \"%.*s\", rater \"%.*s\"", wrong,
             br_utf8_shown(vote->x), vote->x, br_utf8_shown(vote->y), vote->y, br_utf8_shown(vote->rater), vote->rater);
    return votes->reason;
}

// --- pairs and votes ---

/// The number of the pair; both names are fine.
static br_status pair_of(br_votes *votes, const char *x, const char *y, uint32_t *pair_out)
{
    uint32_t item_x = BR_INDEX_NONE;
    uint32_t item_y = BR_INDEX_NONE;
    br_status status = br_index_add(votes->items, x, strlen(x), &item_x, NULL);
    if (status == BR_OK) {
        status = br_index_add(votes->items, y, strlen(y), &item_y, NULL);
    }
    if (status != BR_OK) {
        return status;
    }
    *pair_out = br_pair_map_find(votes->pairs, item_x, item_y);
    if (*pair_out != BR_INDEX_NONE) {
        return BR_OK;
    }
    if (br_votes_n_pairs(votes) == BR_MAX_VOTE_PAIRS) {
        return br_fail(BR_ERR_LIMIT, "more than %u pairs to vote on", BR_MAX_VOTE_PAIRS);
    }
    return br_pair_map_add(votes->pairs, item_x, item_y, pair_out, NULL);
}

br_status br_votes_ask(br_votes *votes, const char *x, const char *y)
{
    const char *wrong = wrong_pair(votes, x, y);
    if (wrong != NULL) {
        return br_fail(BR_ERR_INVALID, "%s", wrong);
    }
    uint32_t pair = BR_INDEX_NONE;
    return pair_of(votes, x, y, &pair);
}

void br_votes_close(br_votes *votes)
{
    votes->closed = true;
}

static br_status rater_of(br_votes *votes, const char *name, uint32_t *rater_out)
{
    br_status status = br_index_add(votes->raters, name, strlen(name), rater_out, NULL);
    if (status != BR_OK || *rater_out < votes->rater_capacity) {
        return status;
    }
    uint32_t capacity = 2 * *rater_out + 16;
    uint32_t *grown = br_reallocarray(votes->n_of_rater, capacity, sizeof *grown);
    if (grown == NULL) {
        return br_no_memory("raters", capacity);
    }
    for (uint32_t i = votes->rater_capacity; i < capacity; i++) {
        grown[i] = 0;
    }
    votes->n_of_rater = grown;
    votes->rater_capacity = capacity;
    return BR_OK;
}

br_status br_votes_add(br_votes *votes, const br_vote *vote)
{
    const char *wrong = br_votes_refuse(votes, vote);
    if (wrong != NULL) {
        return br_fail(BR_ERR_INVALID, "%s", wrong);
    }
    uint32_t rater = BR_INDEX_NONE;
    uint32_t pair = BR_INDEX_NONE;
    br_status status = rater_of(votes, vote->rater, &rater);
    if (status == BR_OK) {
        status = pair_of(votes, vote->x, vote->y, &pair);
    }
    if (status != BR_OK) {
        return status;
    }
    pair_votes *of = votes_of(votes, pair);
    of->raters[of->n] = rater;
    of->valid[of->n] = vote->valid;
    of->n++;
    votes->n_raters += votes->n_of_rater[rater]++ == 0;
    return BR_OK;
}

void br_votes_withdraw(br_votes *votes, const char *x, const char *y, const char *rater, bool *any_out)
{
    uint32_t pair = br_votes_find(votes, x, y);
    uint32_t at = pair == BR_INDEX_NONE ? BR_INDEX_NONE : find_vote(votes, pair, rater);
    *any_out = at != BR_INDEX_NONE;
    if (!*any_out) {
        return;
    }
    pair_votes *of = votes_of(votes, pair);
    votes->n_raters -= --votes->n_of_rater[of->raters[at]] == 0;
    of->n--;
    of->raters[at] = of->raters[of->n];
    of->valid[at] = of->valid[of->n];
}

// --- what they say ---

uint32_t br_votes_n_pairs(const br_votes *votes)
{
    return br_pair_map_count(votes->pairs);
}

static uint32_t n_valid(const pair_votes *of)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < of->n; i++) {
        n += of->valid[i];
    }
    return n;
}

br_pair br_votes_pair(const br_votes *votes, uint32_t i)
{
    const pair_votes *of = votes_of(votes, i);
    uint32_t x;
    uint32_t y;
    br_pair_map_pair(votes->pairs, i, &x, &y);
    return (br_pair){
        .x = br_index_text(votes->items, x),
        .y = br_index_text(votes->items, y),
        .n_votes = of->n,
        .n_valid = n_valid(of),
    };
}

uint32_t br_votes_find(const br_votes *votes, const char *x, const char *y)
{
    uint32_t item_x = br_index_find(votes->items, x, strlen(x));
    uint32_t item_y = br_index_find(votes->items, y, strlen(y));
    bool known = item_x != BR_INDEX_NONE && item_y != BR_INDEX_NONE;
    return known ? br_pair_map_find(votes->pairs, item_x, item_y) : BR_INDEX_NONE;
}

bool br_votes_has_voted(const br_votes *votes, uint32_t pair, const char *rater)
{
    br_assert(pair < br_votes_n_pairs(votes));
    return find_vote(votes, pair, rater) != BR_INDEX_NONE;
}

br_validity br_votes_validity(const br_votes *votes, const char *x, const char *y, uint32_t threshold)
{
    br_assert(threshold >= 1 && threshold <= BR_VOTES_PER_PAIR);
    uint32_t pair = br_votes_find(votes, x, y);
    if (pair == BR_INDEX_NONE || votes_of(votes, pair)->n < BR_VOTES_PER_PAIR) {
        return BR_VALIDITY_OPEN;
    }
    return n_valid(votes_of(votes, pair)) >= threshold ? BR_VALIDITY_YES : BR_VALIDITY_NO;
}

br_agreement br_votes_agreement(const br_votes *votes)
{
    br_agreement a = {.n_raters = votes->n_raters, .share_valid = (double)NAN};
    br_ratings all = {.n_categories = 2};
    br_ratings full = all;
    uint32_t n_yes = 0;
    for (uint32_t i = 0; i < br_votes_n_pairs(votes); i++) {
        const pair_votes *of = votes_of(votes, i);
        uint32_t yes = n_valid(of);
        uint32_t counts[] = {of->n - yes, yes};
        a.n_votes += of->n;
        n_yes += yes;
        br_ratings_add(&all, counts, 1);
        if (of->n == BR_VOTES_PER_PAIR) {
            br_ratings_add(&full, counts, 1);
            a.n_pairs++;
            a.n_valid[yes]++;
        }
    }
    if (a.n_votes > 0) {
        a.share_valid = (double)n_yes / a.n_votes;
    }
    a.observed = br_ratings_observed(&all);
    a.fleiss_kappa = br_fleiss_kappa(&full);
    a.krippendorff_alpha = br_krippendorff_alpha(&all);
    return a;
}
