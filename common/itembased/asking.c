#include "itembased/asking.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "itembased/lists.h"
#include "itembased/pair_map.h"

#include <math.h>

// What is known of a listed pair.
typedef struct listed {
    double disagreement; // summed over its lists
    uint32_t n_lists;
    uint32_t unused;
} listed;

// --- a draw without repetition ---

static uint64_t below(br_rng *rng, uint64_t n)
{
    uint64_t threshold = (0u - n) % n;
    uint64_t drawn;
    do {
        drawn = (uint64_t)br_rng_u32(rng) << 32;
        drawn |= br_rng_u32(rng);
    } while (drawn < threshold);
    return drawn % n;
}

static br_item_pair number_as_pair(uint64_t number)
{
    return (br_item_pair){.x = (uint32_t)(number >> 32), .y = (uint32_t)number, .disagreement = (double)NAN};
}

static uint64_t number_of(const br_item_pair *pair)
{
    return (uint64_t)pair->x << 32 | pair->y;
}

/// numbers_out[n] of 0 to total - 1, each sequence as likely; a longer one begins with the shorter one. Fisher and Yates' shuffle, of which only the places
/// that were touched are kept: moved[place] = the number that stands there now.
static br_status draw(br_item_pair *numbers_out, uint32_t n, uint64_t total, uint64_t seed, size_t max_bytes)
{
    BR_AUTO(br_pair_map) *moved = NULL;
    br_status status = br_pair_map_new(&moved, sizeof(uint64_t), max_bytes);
    br_rng rng = br_rng_at(seed, BR_STREAM_ASKING, 0, 0);
    for (uint64_t i = 0; i < n && status == BR_OK; i++) {
        br_item_pair place = number_as_pair(i + below(&rng, total - i));
        br_item_pair first = number_as_pair(i);
        uint32_t at = 0;
        bool untouched = false;
        status = br_pair_map_add(moved, place.x, place.y, &at, &untouched);
        if (status == BR_OK) {
            uint64_t *number = br_pair_map_value(moved, at);
            *number = untouched ? number_of(&place) : *number;
            numbers_out[i] = number_as_pair(*number);
            at = br_pair_map_find(moved, first.x, first.y);
            *number = at == BR_INDEX_NONE ? i : *(const uint64_t *)br_pair_map_value(moved, at);
        }
    }
    return status;
}

// --- at random ---

static br_status draw_of_all(br_item_pair *pairs_out, uint32_t *n_out, uint32_t n_pairs, const br_history *history,
                             uint64_t seed, size_t max_bytes)
{
    uint32_t *had = br_calloc((size_t)history->n_items + 1, sizeof *had); // items that some user has
    if (had == NULL) {
        return br_no_memory("items", history->n_items);
    }
    uint64_t n_had = 0;
    for (uint32_t i = 0; i < history->n_items; i++) {
        had[n_had] = i;
        n_had += history->popularity[i] > 0;
    }
    uint64_t total = n_had == 0 ? 0 : n_had * (n_had - 1);
    uint32_t n = n_pairs < total ? n_pairs : (uint32_t)total;
    br_status status = draw(pairs_out, n, total, seed, max_bytes);
    for (uint32_t i = 0; i < n && status == BR_OK; i++) {
        uint64_t x = number_of(&pairs_out[i]) / (n_had - 1);
        uint64_t y = number_of(&pairs_out[i]) % (n_had - 1);
        pairs_out[i].x = had[x];
        pairs_out[i].y = had[y < x ? y : y + 1];
    }
    *n_out = n;
    br_free(had);
    return status;
}

typedef struct pool {
    br_rankers *rankers;
    br_pair_map *pairs; // values: listed
    // for disagreement only
    br_ranker approaches[BR_RANKER_COUNT];
    uint32_t n_approaches;
    double *scores;  // [items of the user who has most]
    uint32_t *order; // likewise
    double *ranks;   // [.., n_approaches]
} pool;

static br_status list_pair(pool *p, uint32_t x, uint32_t y, double disagreement)
{
    br_assert(x != y); // what the user has is not recommended
    uint32_t number = 0;
    br_status status = br_pair_map_add(p->pairs, x, y, &number, NULL);
    if (status == BR_OK) {
        listed *pair = br_pair_map_value(p->pairs, number);
        pair->disagreement += disagreement;
        pair->n_lists++;
    }
    return status;
}

static br_status list_pairs(void *context, uint32_t user, uint32_t y)
{
    (void)user;
    pool *p = context;
    uint32_t n;
    const uint32_t *items = br_rankers_items(p->rankers, &n);
    br_status status = BR_OK;
    for (uint32_t i = 0; i < n && status == BR_OK; i++) {
        status = list_pair(p, items[i], y, (double)NAN);
    }
    return status;
}

// The mean is rounded to 2^-40: what differs by the order of sums alone is equal.
static br_item_pair listed_pair(const br_pair_map *pairs, uint32_t number)
{
    const listed *known = br_pair_map_value(pairs, number);
    double mean = known->disagreement / known->n_lists;
    br_item_pair pair = {.disagreement = round(mean * 0x1p40) * 0x1p-40, .n_lists = known->n_lists};
    br_pair_map_pair(pairs, number, &pair.x, &pair.y);
    return pair;
}

br_status br_pairs_random(br_item_pair *pairs_out, uint32_t *n_out, uint32_t n_pairs, br_rankers *rankers,
                          br_pair_pool pool_of, uint32_t n_top, uint64_t seed, size_t max_bytes)
{
    if (pool_of == BR_POOL_ALL) {
        return draw_of_all(pairs_out, n_out, n_pairs, br_rankers_history(rankers), seed, max_bytes);
    }
    pool p = {.rankers = rankers};
    br_status status = br_pair_map_new(&p.pairs, sizeof(listed), max_bytes);
    if (status == BR_OK) {
        status = br_lists_visit(rankers, n_top, list_pairs, &p);
    }
    if (status == BR_OK) {
        uint32_t total = br_pair_map_count(p.pairs);
        *n_out = n_pairs < total ? n_pairs : total;
        status = draw(pairs_out, *n_out, total, seed, max_bytes);
        for (uint32_t i = 0; i < *n_out && status == BR_OK; i++) {
            pairs_out[i] = listed_pair(p.pairs, (uint32_t)number_of(&pairs_out[i]));
        }
    }
    br_pair_map_free(&p.pairs);
    return status;
}

// --- by disagreement ---

double br_disagreement(const double *ranks, uint32_t n)
{
    double sum = 0.0;
    uint32_t n_there = 0;
    for (uint32_t i = 0; i < n; i++) {
        sum += isnan(ranks[i]) ? 0.0 : ranks[i];
        n_there += isnan(ranks[i]) ? 0 : 1;
    }
    double squares = 0.0;
    for (uint32_t i = 0; i < n; i++) {
        double off = isnan(ranks[i]) ? 0.0 : ranks[i] - sum / n_there;
        squares += off * off;
    }
    return n_there < 2 ? (double)NAN : sqrt(squares / n_there);
}

static br_status compare_approaches(void *context, uint32_t user, uint32_t y)
{
    (void)user;
    pool *p = context;
    uint32_t n;
    const uint32_t *items = br_rankers_items(p->rankers, &n);
    if (n < 2) {
        return BR_OK;
    }
    for (uint32_t a = 0; a < p->n_approaches; a++) {
        br_rankers_score(p->rankers, p->approaches[a], y, p->scores);
        br_rankers_order(p->rankers, y, p->scores, p->order);
        for (uint32_t rank = 0; rank < n; rank++) {
            p->ranks[(size_t)p->order[rank] * p->n_approaches + a] = rank / (n - 1.0);
        }
    }
    br_status status = BR_OK;
    for (uint32_t i = 0; i < n && status == BR_OK; i++) {
        const double *ranks = p->ranks + (size_t)i * p->n_approaches;
        status = list_pair(p, items[i], y, br_disagreement(ranks, p->n_approaches));
    }
    return status;
}

static bool asked_before(const br_item_pair *a, const br_item_pair *b, uint64_t seed)
{
    if (a->disagreement != b->disagreement) {
        return a->disagreement > b->disagreement;
    }
    br_rng of_a = br_rng_at(seed, BR_STREAM_ASKING, a->x, a->y);
    br_rng of_b = br_rng_at(seed, BR_STREAM_ASKING, b->x, b->y);
    uint32_t draw_a = br_rng_u32(&of_a);
    uint32_t draw_b = br_rng_u32(&of_b);
    return draw_a != draw_b ? draw_a < draw_b : number_of(a) < number_of(b);
}

/// A heap whose first is asked last.
static void sift(br_item_pair *heap, uint32_t n, uint32_t at, uint64_t seed)
{
    for (uint32_t child = 2 * at + 1; child < n; child = 2 * at + 1) {
        if (child + 1 < n && asked_before(&heap[child], &heap[child + 1], seed)) {
            child++;
        }
        if (asked_before(&heap[child], &heap[at], seed)) {
            return;
        }
        br_item_pair later = heap[child];
        heap[child] = heap[at];
        heap[at] = later;
        at = child;
    }
}

/// The n of all pairs that are asked first, in that order.
static void choose(br_item_pair *pairs_out, uint32_t n, const br_pair_map *pairs, uint64_t seed)
{
    for (uint32_t i = 0; i < n; i++) {
        pairs_out[i] = listed_pair(pairs, i);
    }
    for (uint32_t i = n / 2; i-- > 0;) {
        sift(pairs_out, n, i, seed);
    }
    for (uint32_t i = n; i < br_pair_map_count(pairs) && n > 0; i++) {
        br_item_pair pair = listed_pair(pairs, i);
        if (asked_before(&pair, &pairs_out[0], seed)) {
            pairs_out[0] = pair;
            sift(pairs_out, n, 0, seed);
        }
    }
    for (uint32_t left = n; left > 1; left--) {
        br_item_pair last = pairs_out[0];
        pairs_out[0] = pairs_out[left - 1];
        pairs_out[left - 1] = last;
        sift(pairs_out, left - 1, 0, seed);
    }
}

static br_status prepare(pool *p, size_t max_bytes)
{
    for (int r = 0; r < BR_RANKER_COUNT; r++) {
        if (r != BR_RANKER_RANDOM && br_rankers_have(p->rankers, (br_ranker)r)) {
            p->approaches[p->n_approaches++] = (br_ranker)r;
        }
    }
    size_t n = (size_t)br_history_longest(br_rankers_history(p->rankers)) + 1; // never 0
    p->scores = br_calloc(n, sizeof *p->scores);
    p->order = br_calloc(n, sizeof *p->order);
    p->ranks = br_calloc(n * p->n_approaches, sizeof *p->ranks);
    if (p->scores == NULL || p->order == NULL || p->ranks == NULL) {
        return br_no_memory("ranks of items", n);
    }
    return br_pair_map_new(&p->pairs, sizeof(listed), max_bytes);
}

br_status br_pairs_disagreed(br_item_pair *pairs_out, uint32_t *n_out, uint32_t n_pairs, br_rankers *rankers,
                             uint32_t n_top, uint64_t seed, size_t max_bytes)
{
    pool p = {.rankers = rankers};
    br_status status = prepare(&p, max_bytes);
    if (status == BR_OK) {
        status = br_lists_visit(rankers, n_top, compare_approaches, &p);
    }
    if (status == BR_OK) {
        uint32_t total = br_pair_map_count(p.pairs);
        *n_out = n_pairs < total ? n_pairs : total;
        choose(pairs_out, *n_out, p.pairs, seed);
    }
    br_pair_map_free(&p.pairs);
    br_free(p.scores);
    br_free(p.order);
    br_free(p.ranks);
    return status;
}
