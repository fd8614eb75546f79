#include "pipeline/past.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

struct br_pasts {
    uint32_t n_investors;
    uint32_t n_issuers;
    size_t *begin;           // [n_investors + 1]
    br_past_issuer *issuers; // [begin[n_investors]] by investor, then by issuer
};

// --- everybody's past ---

typedef struct past_bid {
    uint32_t investor;
    uint32_t issuer;
    br_day day;
} past_bid;

// The bids that are past, as they came; returns how many.
static uint32_t take_bids(past_bid *out, const br_market *market, const br_bid *bids, uint32_t n_bids, br_day as_of,
                          const uint8_t *only)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < n_bids; i++) {
        if (only != NULL && only[bids[i].investor] == 0) {
            continue;
        }
        br_day from = br_market_bid_past_from(market, &bids[i]);
        if (from != BR_DAY_NONE && from <= as_of) {
            out[n++] = (past_bid){bids[i].investor, br_market_bond(market, bids[i].bond)->issuer, bids[i].day};
        }
    }
    return n;
}

static uint32_t key_of(const past_bid *bid, bool by_issuer)
{
    return by_issuer ? bid->issuer : bid->investor;
}

// Counting sort, stable; places: [n_keys + 1] zeros, afterwards where each key ends.
static void sort_bids(past_bid *out, const past_bid *bids, uint32_t n, bool by_issuer, size_t *places, uint32_t n_keys)
{
    for (uint32_t i = 0; i < n; i++) {
        places[key_of(&bids[i], by_issuer) + 1]++;
    }
    for (uint32_t key = 0; key < n_keys; key++) {
        places[key + 1] += places[key];
    }
    for (uint32_t i = 0; i < n; i++) {
        out[places[key_of(&bids[i], by_issuer)]++] = bids[i];
    }
}

// From bids in order of investor and issuer.
static br_status group_bids(br_pasts *pasts, const past_bid *bids, uint32_t n)
{
    size_t n_groups = 0;
    for (uint32_t i = 0; i < n; i++) {
        n_groups += i == 0 || bids[i].investor != bids[i - 1].investor || bids[i].issuer != bids[i - 1].issuer;
    }
    pasts->issuers = br_calloc(n_groups, sizeof *pasts->issuers);
    if (pasts->issuers == NULL) {
        return br_no_memory("past issuers", n_groups);
    }
    br_past_issuer *group = NULL;
    size_t n_made = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (i == 0 || bids[i].investor != bids[i - 1].investor || bids[i].issuer != bids[i - 1].issuer) {
            group = &pasts->issuers[n_made++];
            *group = (br_past_issuer){.issuer = bids[i].issuer, .last = bids[i].day};
            pasts->begin[bids[i].investor + 1]++;
        }
        group->n_bids++;
        group->last = bids[i].day > group->last ? bids[i].day : group->last;
    }
    for (uint32_t i = 0; i < pasts->n_investors; i++) {
        pasts->begin[i + 1] += pasts->begin[i];
    }
    return BR_OK;
}

static br_status order_bids(br_pasts *pasts, const br_market *market, br_day as_of, const uint8_t *only)
{
    uint32_t n_bids;
    const br_bid *bids = br_market_bids_as_they_came(market, &n_bids);
    past_bid *taken = br_calloc(n_bids, sizeof *taken);
    past_bid *sorted = br_calloc(n_bids, sizeof *sorted);
    size_t *by_issuer = br_calloc((size_t)pasts->n_issuers + 1, sizeof *by_issuer);
    size_t *by_investor = br_calloc((size_t)pasts->n_investors + 1, sizeof *by_investor);
    br_status status;
    if (taken == NULL || sorted == NULL || by_issuer == NULL || by_investor == NULL) {
        status = br_no_memory("past bids", n_bids);
    } else {
        uint32_t n = take_bids(taken, market, bids, n_bids, as_of, only);
        sort_bids(sorted, taken, n, true, by_issuer, pasts->n_issuers);
        sort_bids(taken, sorted, n, false, by_investor, pasts->n_investors);
        status = group_bids(pasts, taken, n);
    }
    br_free(taken);
    br_free(sorted);
    br_free(by_issuer);
    br_free(by_investor);
    return status;
}

br_status br_pasts_new(br_pasts **out, const br_market *market, br_day as_of, const uint8_t *only)
{
    BR_AUTO(br_pasts) *pasts = br_calloc(1, sizeof *pasts);
    if (pasts == NULL) {
        return br_no_memory("past bids", 1);
    }
    pasts->n_investors = br_market_n_investors(market);
    pasts->n_issuers = br_market_n_issuers(market);
    pasts->begin = br_calloc((size_t)pasts->n_investors + 1, sizeof *pasts->begin);
    if (pasts->begin == NULL) {
        return br_no_memory("investors", pasts->n_investors);
    }
    br_status status = order_bids(pasts, market, as_of, only);
    if (status == BR_OK) {
        *out = pasts;
        pasts = NULL;
    }
    return status;
}

void br_pasts_free(br_pasts **pasts)
{
    if (pasts == NULL || *pasts == NULL) {
        return;
    }
    br_free((*pasts)->begin);
    br_free((*pasts)->issuers);
    br_free(*pasts);
    *pasts = NULL;
}

uint32_t br_pasts_of(const br_pasts *pasts, uint32_t investor, const br_past_issuer **out)
{
    *out = NULL;
    if (investor >= pasts->n_investors) {
        return 0;
    }
    *out = pasts->issuers + pasts->begin[investor];
    return (uint32_t)(pasts->begin[investor + 1] - pasts->begin[investor]);
}

// --- learning ---

// number_of [n_issuers] in the table, or BR_INDEX_NONE.
static br_status name_issuers(br_index *ids, const br_pasts *pasts, const br_market *market, uint32_t *number_of)
{
    memset(number_of, 0, pasts->n_issuers * sizeof *number_of);
    for (size_t i = 0; i < pasts->begin[pasts->n_investors]; i++) {
        number_of[pasts->issuers[i].issuer] = 1;
    }
    br_status status = BR_OK;
    for (uint32_t i = 0; i < pasts->n_issuers && status == BR_OK; i++) {
        bool taken = number_of[i] != 0 && br_index_count(ids) < BR_MAX_TABLE_ISSUERS;
        const char *id = br_market_issuer_id(market, i);
        number_of[i] = BR_INDEX_NONE;
        status = taken ? br_index_add(ids, id, strlen(id), &number_of[i], NULL) : BR_OK;
    }
    return status;
}

typedef struct learning {
    br_history history;
    uint32_t *number_of;
    br_ials *ials;
} learning;

static void learning_deinit(learning *l)
{
    br_free(l->history.begin);
    br_free(l->history.items);
    br_free(l->history.weights);
    br_free(l->number_of);
    br_ials_free(&l->ials);
}

// Users are investors, items the table's issuers; what is not needed to learn is left out.
static br_status make_history(br_history *history, const br_pasts *pasts, const uint32_t *number_of, uint32_t n_items)
{
    size_t most = pasts->begin[pasts->n_investors];
    history->n_users = pasts->n_investors;
    history->n_items = n_items;
    history->begin = br_calloc((size_t)pasts->n_investors + 1, sizeof *history->begin);
    history->items = br_calloc(most, sizeof *history->items);
    history->weights = br_calloc(most, sizeof *history->weights);
    if (history->begin == NULL || history->items == NULL || history->weights == NULL) {
        return br_no_memory("past issuers", most);
    }
    size_t n = 0;
    for (uint32_t i = 0; i < pasts->n_investors; i++) {
        const br_past_issuer *issuers;
        uint32_t n_issuers = br_pasts_of(pasts, i, &issuers);
        for (uint32_t k = 0; k < n_issuers; k++) {
            if (number_of[issuers[k].issuer] != BR_INDEX_NONE) {
                history->items[n] = number_of[issuers[k].issuer];
                history->weights[n++] = (float)issuers[k].n_bids;
            }
        }
        history->begin[i + 1] = n;
    }
    return BR_OK;
}

static br_status learn(br_issuer_table *table, learning *l, const br_pasts *pasts, const br_ials_options *options)
{
    uint32_t n = br_index_count(table->ids);
    br_status status = make_history(&l->history, pasts, l->number_of, n);
    if (status == BR_OK) {
        status = br_ials_train(&l->ials, &l->history, options, NULL, NULL);
    }
    if (status != BR_OK) {
        return status;
    }
    table->n_factors = l->ials->n_factors;
    table->regularization = l->ials->regularization;
    table->confidence = l->ials->confidence;
    table->factors = br_memdup(l->ials->items, (size_t)n * table->n_factors * sizeof *table->factors);
    return table->factors == NULL ? br_no_memory("factors of issuers", n) : BR_OK;
}

br_status br_issuer_table_learn(br_issuer_table **out, const br_pasts *pasts, const br_market *market,
                                const br_ials_options *options)
{
    *out = NULL;
    BR_AUTO(br_issuer_table) *table = br_calloc(1, sizeof *table);
    BR_AUTO_DEINIT(learning) l = {.number_of = br_calloc(pasts->n_issuers, sizeof *l.number_of)};
    if (table == NULL || l.number_of == NULL) {
        return br_no_memory("issuers", pasts->n_issuers);
    }
    br_status status = br_index_new(&table->ids);
    if (status == BR_OK) {
        status = name_issuers(table->ids, pasts, market, l.number_of);
    }
    if (status != BR_OK || br_index_count(table->ids) < 2) {
        return status;
    }
    status = learn(table, &l, pasts, options);
    if (status == BR_OK) {
        *out = table;
        table = NULL;
    }
    return status;
}

// --- the job ---

static uint32_t number_in(const br_issuer_table *table, const char *issuer)
{
    return table == NULL ? BR_INDEX_NONE : br_index_find(table->ids, issuer, strlen(issuer));
}

// What a long past keeps: the bond's own issuer whenever it was, then the newest.
static int by_newest(const void *left, const void *right)
{
    const br_past_issuer *a = left;
    const br_past_issuer *b = right;
    if ((a->issuer == BR_OWN_ISSUER) != (b->issuer == BR_OWN_ISSUER)) {
        return a->issuer == BR_OWN_ISSUER ? -1 : 1;
    }
    return a->last != b->last ? (a->last < b->last) - (a->last > b->last)
                              : (a->issuer > b->issuer) - (a->issuer < b->issuer);
}

// By inserting: but for the bond's own issuer and a long past they are in order already.
static void order_by_number(br_past_issuer *issuers, uint32_t n)
{
    for (uint32_t k = 1; k < n; k++) {
        br_past_issuer one = issuers[k];
        uint32_t at = k;
        for (; at > 0 && issuers[at - 1].issuer > one.issuer; at--) {
            issuers[at] = issuers[at - 1];
        }
        issuers[at] = one;
    }
}

typedef struct job_past {
    const br_market *market;
    const br_pasts *pasts;
    const br_issuer_table *table;
    uint32_t own; // number of the bond's issuer in the market
    br_day as_of;
    uint32_t *number_of; // [issuers of the market] in the table, once it was looked up; NOT_LOOKED_UP before
} job_past;

#define NOT_LOOKED_UP (BR_INDEX_NONE - 1) // above every number in a table

static uint32_t number_of(const job_past *j, uint32_t issuer)
{
    if (j->number_of[issuer] == NOT_LOOKED_UP) {
        j->number_of[issuer] = number_in(j->table, br_market_issuer_id(j->market, issuer));
    }
    return j->number_of[issuer];
}

// The investor's issuers by the numbers of the job; returns how many. known: room for all of them.
static uint32_t number_issuers(const job_past *j, uint32_t investor, br_past_issuer *known)
{
    const br_past_issuer *issuers;
    uint32_t n_issuers = br_pasts_of(j->pasts, investor, &issuers);
    uint32_t n = 0;
    for (uint32_t k = 0; k < n_issuers; k++) {
        known[n] = issuers[k];
        known[n].issuer = issuers[k].issuer == j->own ? BR_OWN_ISSUER : number_of(j, issuers[k].issuer);
        n += known[n].issuer != BR_INDEX_NONE || issuers[k].issuer == j->own;
    }
    if (n > BR_MAX_PAST_ISSUERS) {
        qsort(known, n, sizeof *known, by_newest);
        n = BR_MAX_PAST_ISSUERS;
    }
    order_by_number(known, n);
    return n;
}

static br_status fill_past(br_past *out, const job_past *j, br_arena *arena, uint32_t investor)
{
    const br_past_issuer *issuers;
    uint32_t n = br_pasts_of(j->pasts, investor, &issuers);
    if (n == 0) {
        return BR_OK;
    }
    br_past_issuer *known = br_calloc(n, sizeof *known);
    if (known == NULL) {
        return br_no_memory("past issuers", n);
    }
    n = number_issuers(j, investor, known);
    uint32_t *numbers = br_arena_calloc(arena, 3 * (size_t)n, sizeof *numbers);
    for (uint32_t k = 0; k < n && numbers != NULL; k++) {
        numbers[k] = known[k].issuer;
        numbers[n + k] = known[k].n_bids;
        numbers[2 * n + k] = (uint32_t)(j->as_of - known[k].last);
    }
    br_free(known);
    if (numbers == NULL && n > 0) {
        return br_no_memory("past issuers", n);
    }
    *out = (br_past){.issuers = numbers, .bids = numbers + n, .days = numbers + 2 * (size_t)n, .n = n};
    return BR_OK;
}

static br_status fill_pasts(br_job_body *body, br_arena *arena, const br_market *market, const br_pasts *pasts,
                            const br_served *served, uint32_t bond)
{
    job_past j = {.market = market,
                  .pasts = pasts,
                  .table = served->snapshot->issuers,
                  .own = br_market_bond(market, bond)->issuer,
                  .as_of = body->as_of};
    const char *issuer = br_market_issuer_id(market, j.own);
    j.number_of = br_arena_calloc(arena, pasts->n_issuers, sizeof *j.number_of);
    for (uint32_t i = 0; i < pasts->n_issuers && j.number_of != NULL; i++) {
        j.number_of[i] = NOT_LOOKED_UP;
    }
    br_past *past = br_arena_calloc(arena, body->n_investors, sizeof *past);
    body->issuer = br_arena_strndup(arena, issuer, strlen(issuer));
    body->past = past;
    if (past == NULL || body->issuer == NULL || j.number_of == NULL) {
        return br_no_memory("past bids", body->n_investors);
    }
    br_status status = BR_OK;
    for (uint32_t i = 0; i < body->n_investors && status == BR_OK; i++) {
        status = fill_past(&past[i], &j, arena, body->investors[i]);
    }
    return status;
}

br_status br_past_of_job(br_job_body *body, br_arena *arena, const br_market *market, const br_served *served,
                         uint32_t bond)
{
    BR_AUTO(br_pasts) *pasts = NULL;
    uint8_t *only = br_arena_calloc(arena, br_market_n_investors(market), sizeof *only);
    if (only == NULL) {
        return br_no_memory("investors", br_market_n_investors(market));
    }
    for (uint32_t i = 0; i < body->n_investors; i++) {
        only[body->investors[i]] = 1;
    }
    br_status status = br_pasts_new(&pasts, market, body->as_of, only);
    return status == BR_OK ? fill_pasts(body, arena, market, pasts, served, bond) : status;
}

// --- what speaks for the bond ---

typedef struct spoken {
    uint32_t issuer; // number in the table, or BR_OWN_ISSUER
    uint32_t k;      // place in the investor's past
    double part;
} spoken;

// The bond's own issuer first.
static bool comes_before(const spoken *a, const spoken *b)
{
    if ((a->issuer == BR_OWN_ISSUER) != (b->issuer == BR_OWN_ISSUER)) {
        return a->issuer == BR_OWN_ISSUER;
    }
    return a->part > b->part || (a->part == b->part && a->issuer < b->issuer);
}

// Into the best so far, in order.
static void offer(spoken best[BR_MAX_PAST_BIDS], uint32_t *n, const spoken *one)
{
    uint32_t at = *n;
    while (at > 0 && comes_before(one, &best[at - 1])) {
        at--;
    }
    if (at < BR_MAX_PAST_BIDS) {
        *n += *n < BR_MAX_PAST_BIDS ? 1 : 0;
        memmove(best + at + 1, best + at, (*n - at - 1) * sizeof *best);
        best[at] = *one;
    }
}

typedef struct explaining {
    const br_served *served;
    const br_job_body *body;
    br_arena *arena;
    uint32_t own; // number of the bond's issuer in the table, or BR_INDEX_NONE
    br_ials_user *user;
} explaining;

// What each past issuer is worth; all 0 where the table does not know the bond's issuer.
static void weigh(const explaining *e, const br_past *past, spoken *out)
{
    uint32_t items[BR_MAX_PAST_ISSUERS];
    float weights[BR_MAX_PAST_ISSUERS];
    double parts[BR_MAX_PAST_ISSUERS] = {0};
    for (uint32_t k = 0; k < past->n; k++) {
        items[k] = past->issuers[k] == BR_OWN_ISSUER ? e->own : past->issuers[k];
        weights[k] = (float)past->bids[k];
    }
    if (e->own != BR_INDEX_NONE && past->n > 0) {
        br_ials_user_set(e->user, items, weights, past->n);
        br_ials_user_parts(e->user, e->own, parts);
    }
    for (uint32_t k = 0; k < past->n; k++) {
        out[k] = (spoken){past->issuers[k], k, parts[k]};
    }
}

static const char *issuer_name(const explaining *e, uint32_t issuer)
{
    return issuer == BR_OWN_ISSUER ? e->body->issuer : br_index_text(e->served->snapshot->issuers->ids, issuer);
}

static br_status explain_investor(br_past_bids *out, const explaining *e, const br_past *past)
{
    spoken all[BR_MAX_PAST_ISSUERS];
    spoken best[BR_MAX_PAST_BIDS];
    double sum = 0.0;
    weigh(e, past, all);
    for (uint32_t k = 0; k < past->n; k++) {
        sum += all[k].part > 0.0 ? all[k].part : 0.0;
        if (all[k].part > 0.0 || all[k].issuer == BR_OWN_ISSUER) {
            offer(best, &out->n, &all[k]);
        }
    }
    out->bids = br_arena_calloc(e->arena, out->n, sizeof *out->bids);
    if (out->bids == NULL && out->n > 0) {
        return br_no_memory("past bids", out->n);
    }
    for (uint32_t i = 0; i < out->n; i++) {
        out->bids[i] = (br_past_bid){
            .issuer = issuer_name(e, best[i].issuer),
            .n_bids = past->bids[best[i].k],
            .last = e->body->as_of - (br_day)past->days[best[i].k],
            .weight = best[i].part > 0.0 ? (float)(best[i].part / sum) : 0.0f,
        };
    }
    return BR_OK;
}

static br_status check_past(const explaining *e, const br_past *past)
{
    const br_issuer_table *table = e->served->snapshot->issuers;
    uint32_t n_issuers = table == NULL ? 0 : br_index_count(table->ids);
    for (uint32_t k = 0; k < past->n; k++) {
        uint32_t issuer = past->issuers[k];
        if (issuer != BR_OWN_ISSUER && (issuer >= n_issuers || issuer == e->own)) {
            return br_fail(BR_ERR_INVALID, "a past issuer is not in the snapshot's table");
        }
    }
    return BR_OK;
}

br_status br_past_explain(br_result *result, br_arena *arena, const br_served *served, const br_job_body *body)
{
    result->issuer = body->issuer;
    result->past = NULL;
    if (body->past == NULL) {
        return BR_OK;
    }
    explaining e = {
        .served = served, .body = body, .arena = arena, .own = number_in(served->snapshot->issuers, body->issuer)};
    result->past = br_arena_calloc(arena, body->n_investors, sizeof *result->past);
    br_status status = result->past == NULL ? br_no_memory("past bids", body->n_investors) : BR_OK;
    if (status == BR_OK && e.own != BR_INDEX_NONE) {
        status = br_ials_user_new(&e.user, served->ials);
    }
    for (uint32_t i = 0; i < body->n_investors && status == BR_OK; i++) {
        status = check_past(&e, &body->past[i]);
        if (status == BR_OK) {
            status = explain_investor(&result->past[i], &e, &body->past[i]);
        }
    }
    br_ials_user_free(&e.user);
    return status;
}
