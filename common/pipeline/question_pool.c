#include "pipeline/question_pool.h"

#include "base/alloc.h"

#include <math.h>
#include <stdlib.h>

enum { N_APPROACHES = 4 };

struct br_question_pool {
    br_item_pair *pairs; // [n], each once and in order up to n_merged; n_lists: with a disagreement
    uint32_t n;
    uint32_t n_merged;
    uint32_t room;
};

br_status br_question_pool_new(br_question_pool **out)
{
    *out = br_calloc(1, sizeof **out);
    return *out == NULL ? br_no_memory("pairs", 1) : BR_OK;
}

void br_question_pool_free(br_question_pool **pool)
{
    if (pool == NULL || *pool == NULL) {
        return;
    }
    br_free((*pool)->pairs);
    br_free(*pool);
    *pool = NULL;
}

// --- one recommendation ---

// The score of past[i] by an approach; higher is better.
static double score_of(const br_pool_past *past, uint32_t approach, const uint64_t *popularity)
{
    const double popular = (double)popularity[past->issuer];
    switch (approach) {
    case 0:
        return past->last;
    case 1:
        return past->n_bids + popular / (popular + 1.0); // the fraction decides between equals
    case 2:
        return popular;
    default:
        return past->weight;
    }
}

static double rank_of(const double *scores, uint32_t n, uint32_t at)
{
    double before = 0.0;
    for (uint32_t i = 0; i < n; i++) {
        before += scores[i] > scores[at] ? 1.0 : i != at && scores[i] == scores[at] ? 0.5 : 0.0;
    }
    return before / (n - 1);
}

// disagreements_out[n]; NAN where there is one alone.
static void disagree(double *disagreements_out, const br_pool_past *past, uint32_t n, const uint64_t *popularity)
{
    double ranks[BR_POOL_PAST][N_APPROACHES];
    double scores[BR_POOL_PAST];
    for (uint32_t approach = 0; approach < N_APPROACHES; approach++) {
        bool known = true;
        for (uint32_t i = 0; i < n; i++) {
            scores[i] = score_of(&past[i], approach, popularity);
            known = known && !isnan(scores[i]);
        }
        for (uint32_t i = 0; i < n; i++) {
            ranks[i][approach] = known && n > 1 ? rank_of(scores, n, i) : (double)NAN;
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        disagreements_out[i] = br_disagreement(ranks[i], N_APPROACHES);
    }
}

br_status br_question_pool_add(br_question_pool *pool, uint32_t y, const br_pool_past *past, uint32_t n,
                               const uint64_t *popularity)
{
    br_pool_past others[BR_POOL_PAST];
    double disagreements[BR_POOL_PAST];
    uint32_t n_others = 0;
    for (uint32_t i = 0; i < n && n_others < BR_POOL_PAST; i++) {
        if (past[i].issuer != y) {
            others[n_others++] = past[i];
        }
    }
    if (pool->n + n_others > pool->room) {
        uint32_t room = 2 * pool->room + 1024;
        br_item_pair *pairs = br_reallocarray(pool->pairs, room, sizeof *pairs);
        if (pairs == NULL) {
            return br_no_memory("pairs", room);
        }
        pool->pairs = pairs;
        pool->room = room;
    }
    disagree(disagreements, others, n_others, popularity);
    for (uint32_t i = 0; i < n_others; i++) {
        pool->pairs[pool->n++] = (br_item_pair){.x = others[i].issuer,
                                                .y = y,
                                                .disagreement = disagreements[i],
                                                .n_lists = isnan(disagreements[i]) ? 0u : 1u};
    }
    return BR_OK;
}

// --- all of them ---

static int by_pair(const void *left, const void *right)
{
    const br_item_pair *a = left;
    const br_item_pair *b = right;
    return a->y != b->y ? (a->y > b->y) - (a->y < b->y) : (a->x > b->x) - (a->x < b->x);
}

// Sums come out the same whatever the order of arrival.
static int by_pair_and_disagreement(const void *left, const void *right)
{
    const br_item_pair *a = left;
    const br_item_pair *b = right;
    const double x = a->n_lists == 0 ? -1.0 : a->disagreement;
    const double y = b->n_lists == 0 ? -1.0 : b->disagreement;
    const int pairs = by_pair(left, right);
    return pairs != 0 ? pairs : (x > y) - (x < y);
}

// The same pair twice: the mean over the lists of both. Lists are few, so that a running mean loses nothing.
static void merge(br_item_pair *into, const br_item_pair *from)
{
    if (from->n_lists == 0) {
        return;
    }
    const uint32_t n = into->n_lists + from->n_lists;
    const double kept = into->n_lists == 0 ? 0.0 : into->disagreement * into->n_lists;
    into->disagreement = (kept + from->disagreement * from->n_lists) / n;
    into->n_lists = n;
}

const br_item_pair *br_question_pool_pairs(br_question_pool *pool, uint32_t *n_out)
{
    if (pool->n_merged < pool->n) {
        qsort(pool->pairs, pool->n, sizeof *pool->pairs, by_pair_and_disagreement);
        uint32_t n = 0;
        for (uint32_t i = 0; i < pool->n; i++) {
            if (n > 0 && by_pair(&pool->pairs[n - 1], &pool->pairs[i]) == 0) {
                merge(&pool->pairs[n - 1], &pool->pairs[i]);
            } else {
                pool->pairs[n++] = pool->pairs[i];
            }
        }
        pool->n = n;
        pool->n_merged = n;
    }
    *n_out = pool->n;
    return pool->pairs;
}

bool br_asked_before(const br_askable *a, const br_askable *b)
{
    if (a->back != b->back) {
        return a->back;
    }
    if (a->n_votes != b->n_votes) {
        return a->n_votes > b->n_votes;
    }
    const double left = isnan(a->disagreement) ? -1.0 : a->disagreement;
    const double right = isnan(b->disagreement) ? -1.0 : b->disagreement;
    return left != right ? left > right : a->order < b->order;
}
