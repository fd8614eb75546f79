#include "itembased/rankers.h"

#include "base/alloc.h"
#include "base/rng.h"

#include <stdlib.h>

typedef struct ranked {
    double score;
    uint32_t draw; // of equal scores the smaller one is first
    uint32_t position;
} ranked;

struct br_rankers {
    br_ranker_models models;
    br_ials_user *ials_user; // NULL without a model
    double *popularity;      // [n_items] over the highest one, in [0, 1]
    double *place;           // [n_items] in the order of different popularities, in [0, 1)
    ranked *ranked;          // [items of the longest history]
    size_t begin;            // of the user's items in the history
    uint32_t n;
};

typedef struct popular {
    uint64_t popularity;
    uint32_t item;
} popular;

static int by_popularity(const void *a, const void *b)
{
    const popular *left = a, *right = b;
    return left->popularity < right->popularity ? -1 : left->popularity > right->popularity;
}

// PersonTop is one number, the count plus place / places in the order of popularities, so that equal counts are ordered by popularity. Exact in
// double: popularities that differ add up to at most BR_MAX_TRANSACTIONS, so that there are fewer than 2^17 places, 2^-17 apart, and a count below
// 2^32 leaves 2^-21 and more behind the point.
static br_status place_items(br_rankers *rankers)
{
    const br_history *history = rankers->models.history;
    uint32_t n = history->n_items;
    popular *items = br_calloc(n, sizeof *items);
    if (items == NULL) {
        return br_no_memory("items by popularity", n);
    }
    for (uint32_t i = 0; i < n; i++) {
        items[i] = (popular){history->popularity[i], i};
    }
    qsort(items, n, sizeof *items, by_popularity);
    uint32_t n_different = 0;
    for (uint32_t i = 0; i < n; i++) {
        n_different += i > 0 && items[i].popularity != items[i - 1].popularity;
        rankers->place[items[i].item] = n_different;
    }
    uint64_t highest = n == 0 ? 0 : items[n - 1].popularity;
    for (uint32_t i = 0; i < n; i++) {
        rankers->place[i] /= (double)n_different + 1.0;
        rankers->popularity[i] = highest == 0 ? 0.0 : (double)history->popularity[i] / (double)highest;
    }
    br_free(items);
    return BR_OK;
}

br_status br_rankers_new(br_rankers **out, const br_ranker_models *models)
{
    const br_history *history = models->history;
    br_assert(models->ials == NULL || models->ials->n_items == history->n_items);
    br_assert(models->ease == NULL || models->ease->n_items == history->n_items);
    br_assert(models->counts == NULL || models->counts->n_items == history->n_items);
    BR_AUTO(br_rankers) *rankers = br_calloc(1, sizeof *rankers);
    if (rankers == NULL) {
        return br_no_memory("rankers", 1);
    }
    rankers->models = *models;
    rankers->popularity = br_calloc(history->n_items, sizeof *rankers->popularity);
    rankers->place = br_calloc(history->n_items, sizeof *rankers->place);
    uint32_t longest = br_history_longest(history);
    rankers->ranked = br_calloc(longest, sizeof *rankers->ranked);
    if (rankers->popularity == NULL || rankers->place == NULL || rankers->ranked == NULL) {
        return br_no_memory("items to rank", (size_t)history->n_items + longest);
    }
    br_status status = place_items(rankers);
    if (status == BR_OK && models->ials != NULL) {
        status = br_ials_user_new(&rankers->ials_user, models->ials);
    }
    if (status != BR_OK) {
        return status;
    }
    *out = rankers;
    rankers = NULL;
    return BR_OK;
}

void br_rankers_free(br_rankers **rankers)
{
    if (rankers == NULL || *rankers == NULL) {
        return;
    }
    br_ials_user_free(&(*rankers)->ials_user);
    br_free((*rankers)->popularity);
    br_free((*rankers)->place);
    br_free((*rankers)->ranked);
    br_free(*rankers);
    *rankers = NULL;
}

const br_history *br_rankers_history(const br_rankers *rankers)
{
    return rankers->models.history;
}

bool br_rankers_have(const br_rankers *rankers, br_ranker ranker)
{
    switch (ranker) {
    case BR_RANKER_RANDOM:
    case BR_RANKER_CHRONO:
    case BR_RANKER_MOST_POP:
    case BR_RANKER_PERSON_TOP:
    case BR_RANKER_SIM_CAT_MOST_POP:
        return true;
    case BR_RANKER_IALS:
    case BR_RANKER_SIM_CAT_IALS:
        return rankers->models.ials != NULL;
    case BR_RANKER_RULE_CONFIDENCE:
    case BR_RANKER_RULE_SUPPORT:
    case BR_RANKER_RULE_LEVERAGE:
        return rankers->models.counts != NULL;
    case BR_RANKER_EASE:
        return rankers->models.ease != NULL;
    case BR_RANKER_COUNT:
        break;
    }
    return false;
}

void br_rankers_user(br_rankers *rankers, uint32_t user)
{
    const br_history *history = rankers->models.history;
    br_assert(user < history->n_users);
    rankers->begin = history->begin[user];
    rankers->n = (uint32_t)(history->begin[user + 1] - rankers->begin);
    if (rankers->ials_user != NULL) {
        br_ials_user_set(rankers->ials_user, history->items + rankers->begin, history->weights + rankers->begin,
                         rankers->n);
    }
}

const uint32_t *br_rankers_items(const br_rankers *rankers, uint32_t *n_out)
{
    *n_out = rankers->n;
    return rankers->models.history->items + rankers->begin;
}

// Random's score and, apart from it, the order of equal scores.
typedef struct drawn {
    double score;
    uint32_t of_equals;
} drawn;

static drawn draw(const br_rankers *rankers, uint32_t x, uint32_t y)
{
    br_rng rng = br_rng_at(rankers->models.seed, BR_STREAM_PAIRS, x, y);
    double score = br_rng_uniform(&rng);
    return (drawn){score, br_rng_u32(&rng)};
}

// No category is not a category: two items without one have nothing in common.
static double category_bonus(const br_history *history, uint32_t x, uint32_t y)
{
    return history->category[x] != BR_INDEX_NONE && history->category[x] == history->category[y] ? 2.0 : 0.0;
}

// Brought to [0, 1], all alike to 0, so that a part, which may be negative, never outweighs the category.
static void score_sim_cat_ials(br_rankers *rankers, uint32_t y, double *scores)
{
    const br_history *history = rankers->models.history;
    br_ials_user_parts(rankers->ials_user, y, scores);
    double lowest = 0.0, highest = 0.0;
    for (uint32_t i = 0; i < rankers->n; i++) {
        lowest = i == 0 || scores[i] < lowest ? scores[i] : lowest;
        highest = i == 0 || scores[i] > highest ? scores[i] : highest;
    }
    for (uint32_t i = 0; i < rankers->n; i++) {
        double part = highest > lowest ? (scores[i] - lowest) / (highest - lowest) : 0.0;
        scores[i] = category_bonus(history, history->items[rankers->begin + i], y) + part;
    }
}

static double score_of(const br_rankers *rankers, br_ranker ranker, size_t at, uint32_t y)
{
    const br_ranker_models *models = &rankers->models;
    uint32_t x = models->history->items[at];
    switch (ranker) {
    case BR_RANKER_RANDOM:
        return draw(rankers, x, y).score;
    case BR_RANKER_CHRONO:
        return (double)models->history->times[at];
    case BR_RANKER_MOST_POP:
        return rankers->popularity[x];
    case BR_RANKER_PERSON_TOP:
        return models->history->counts[at] + rankers->place[x];
    case BR_RANKER_SIM_CAT_MOST_POP:
        return category_bonus(models->history, x, y) + rankers->popularity[x];
    case BR_RANKER_RULE_CONFIDENCE:
        return br_rule_of(models->counts, x, y).confidence;
    case BR_RANKER_RULE_SUPPORT:
        return br_rule_of(models->counts, x, y).support;
    case BR_RANKER_RULE_LEVERAGE:
        return br_rule_of(models->counts, x, y).leverage;
    case BR_RANKER_EASE:
        return models->ease->weights[(size_t)x * models->ease->n_items + y];
    case BR_RANKER_IALS:
    case BR_RANKER_SIM_CAT_IALS:
    case BR_RANKER_COUNT:
        break;
    }
    br_assert(false);
}

void br_rankers_score(br_rankers *rankers, br_ranker ranker, uint32_t y, double *scores_out)
{
    br_assert(br_rankers_have(rankers, ranker) && y < rankers->models.history->n_items);
    if (ranker == BR_RANKER_IALS) {
        br_ials_user_parts(rankers->ials_user, y, scores_out);
    } else if (ranker == BR_RANKER_SIM_CAT_IALS) {
        score_sim_cat_ials(rankers, y, scores_out);
    } else {
        for (uint32_t i = 0; i < rankers->n; i++) {
            scores_out[i] = score_of(rankers, ranker, rankers->begin + i, y);
        }
    }
}

static int by_score(const void *a, const void *b)
{
    const ranked *left = a, *right = b;
    if (left->score != right->score) {
        return left->score > right->score ? -1 : 1;
    }
    if (left->draw != right->draw) {
        return left->draw < right->draw ? -1 : 1;
    }
    return left->position < right->position ? -1 : left->position > right->position;
}

void br_rankers_order(const br_rankers *rankers, uint32_t y, const double *scores, uint32_t *order_out)
{
    uint32_t n;
    const uint32_t *items = br_rankers_items(rankers, &n);
    for (uint32_t i = 0; i < n; i++) {
        rankers->ranked[i] = (ranked){scores[i], draw(rankers, items[i], y).of_equals, i};
    }
    qsort(rankers->ranked, n, sizeof *rankers->ranked, by_score);
    for (uint32_t i = 0; i < n; i++) {
        order_out[i] = rankers->ranked[i].position;
    }
}

uint32_t br_rankers_recommend(const br_rankers *rankers, uint32_t n_top, uint32_t *items_out)
{
    br_assert(rankers->ials_user != NULL);
    return br_ials_user_recommend(rankers->ials_user, NULL, n_top, items_out);
}
