#include "pipeline/assess.h"

#include "base/alloc.h"
#include "rank/rank.h"

#include <math.h>
#include <string.h>

enum { ACTIVITY_DAYS = 365 };

br_status br_activity_scores(br_market *market, br_day as_of, float *bids_out)
{
    const br_bid *bids;
    uint32_t n_bids = 0;
    // A bid is known after its own day, so that what was known before the window began is dated before it, too.
    br_status status = br_market_bids_known(market, as_of - ACTIVITY_DAYS, as_of + 1, &bids, &n_bids);
    if (status != BR_OK) {
        return status;
    }
    for (uint32_t i = 0; i < br_market_n_investors(market); i++) {
        bids_out[i] = 0.0f;
    }
    for (uint32_t i = 0; i < n_bids; i++) {
        bids_out[bids[i].investor] += bids[i].day >= as_of - ACTIVITY_DAYS ? 1.0f : 0.0f;
    }
    return BR_OK;
}

// All pairs of the range and the lists' hits, gathered bond by bond.
typedef struct gathering {
    float *logits;   // [capacity] of all eligible pairs
    uint8_t *labels; // [capacity]
    size_t n;
    size_t capacity;
    float *bond_logits; // [n_investors]
    float *activity;    // [n_investors]
    uint8_t *eligible;  // [n_investors]
    uint8_t *bid;       // [n_investors]
    uint8_t *bond_codes;
    uint32_t *top; // [n_top]
    uint32_t n_top;
    br_shown_pairs *shown;                                         // NULL: not asked for
    double recall, precision, recall_activity, precision_activity; // sums over bonds
} gathering;

static void gathering_deinit(gathering *g)
{
    br_free(g->logits);
    br_free(g->labels);
    br_free(g->bond_logits);
    br_free(g->activity);
    br_free(g->eligible);
    br_free(g->bid);
    br_free(g->bond_codes);
    br_free(g->top);
    br_shown_pairs_free(&g->shown);
}

static br_status gathering_init(gathering *g, const br_market *market, const br_served *served, uint32_t n_top)
{
    uint32_t n = br_market_n_investors(market);
    *g = (gathering){.n_top = n_top};
    g->bond_logits = br_calloc(n, sizeof *g->bond_logits);
    g->activity = br_calloc(n, sizeof *g->activity);
    g->eligible = br_calloc(n, 1);
    g->bid = br_calloc(n, 1);
    g->bond_codes = br_calloc(served->snapshot->encoder->n_bond_fields, 1);
    g->top = br_calloc(n_top, sizeof *g->top);
    bool good = g->bond_logits != NULL && g->activity != NULL && g->eligible != NULL && g->bid != NULL &&
                g->bond_codes != NULL && g->top != NULL;
    return good ? BR_OK : br_no_memory("investors to assess", n);
}

static br_status gathering_reserve(gathering *g, size_t more)
{
    if (g->n + more <= g->capacity) {
        return BR_OK;
    }
    size_t capacity = g->capacity == 0 ? more * 16 : g->capacity * 2;
    capacity = capacity < g->n + more ? g->n + more : capacity;
    float *logits = br_reallocarray(g->logits, capacity, sizeof *logits);
    if (logits == NULL) {
        return br_no_memory("pairs to assess", capacity);
    }
    g->logits = logits;
    uint8_t *labels = br_reallocarray(g->labels, capacity, 1);
    if (labels == NULL) {
        return br_no_memory("pairs to assess", capacity);
    }
    g->labels = labels;
    g->capacity = capacity;
    return BR_OK;
}

static uint32_t count_hits(const gathering *g, const float *scores, const uint32_t *id_order, uint32_t n_investors)
{
    uint32_t n = br_rank_top(scores, g->eligible, id_order, n_investors, g->n_top, g->top);
    uint32_t hits = 0;
    for (uint32_t i = 0; i < n; i++) {
        hits += g->bid[g->top[i]];
    }
    return hits;
}

static br_status gather_bond(gathering *g, br_assessment *out, br_market *market, br_day_population *population,
                             uint32_t bond)
{
    uint32_t n = br_day_population_n(population);
    const uint32_t *id_order;
    br_status status = br_market_investor_order(market, &id_order);
    if (status == BR_OK) {
        status = br_day_population_score(population, bond, g->bond_codes, g->bond_logits);
    }
    if (status == BR_OK) {
        status = gathering_reserve(g, n);
    }
    if (status == BR_OK) {
        status = br_activity_scores(market, br_day_population_as_of(population), g->activity);
    }
    if (status != BR_OK) {
        return status;
    }
    br_market_eligible(market, bond, br_day_population_as_of(population), g->eligible);
    memset(g->bid, 0, n);
    br_market_bidders(market, bond, g->bid);
    uint32_t bidders = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (g->eligible[i]) {
            g->logits[g->n] = g->bond_logits[i];
            g->labels[g->n] = g->bid[i];
            bidders += g->bid[i];
            g->n++;
        }
    }
    out->n_positive += bidders;
    if (g->shown != NULL) {
        br_shown_pairs_add(g->shown, bond, g->bond_codes, br_day_population_codes(population), g->eligible, g->bid, n);
    }
    if (bidders == 0) {
        out->n_bonds_skipped++;
        return BR_OK;
    }
    out->n_bonds++;
    br_list_quality model = br_list_quality_of(count_hits(g, g->bond_logits, id_order, n), bidders, g->n_top);
    br_list_quality activity = br_list_quality_of(count_hits(g, g->activity, id_order, n), bidders, g->n_top);
    g->recall += model.recall;
    g->precision += model.precision;
    g->recall_activity += activity.recall;
    g->precision_activity += activity.precision;
    return BR_OK;
}

static br_status summarise(br_assessment *out, const gathering *g, const br_snapshot *snapshot)
{
    out->n_pairs = g->n;
    double n_bonds = out->n_bonds == 0 ? (double)NAN : (double)out->n_bonds;
    out->recall = g->recall / n_bonds;
    out->precision = g->precision / n_bonds;
    out->recall_activity = g->recall_activity / n_bonds;
    out->precision_activity = g->precision_activity / n_bonds;
    br_status status = br_auc(&out->auc, g->logits, g->labels, g->n);
    if (status != BR_OK) {
        return status;
    }
    double *probabilities = br_calloc(g->n, sizeof *probabilities);
    if (probabilities == NULL) {
        return br_no_memory("probabilities", g->n);
    }
    for (size_t i = 0; i < g->n; i++) {
        probabilities[i] = br_snapshot_probability(snapshot, (double)g->logits[i]);
    }
    out->log_loss = br_log_loss(probabilities, g->labels, g->n);
    status = br_calibration_error(&out->calibration_error, probabilities, g->labels, g->n, BR_ASSESS_BINS);
    if (status == BR_OK) {
        status = br_reliability(out->bins, &out->n_bins, probabilities, g->labels, g->n, BR_ASSESS_BINS);
    }
    br_free(probabilities);
    for (uint32_t k = 0; k < BR_MAX_SHOWN; k++) {
        out->shown_error[k] = (double)NAN;
    }
    return status == BR_OK && g->shown != NULL
               ? br_shown_pairs_errors(g->shown, &snapshot->calibration, out->shown_error)
               : status;
}

// The place of every bond of the range among all bonds by issue day.
static void find_range(const br_market *market, const uint32_t *bonds, uint32_t n, br_day from, br_day until,
                       uint32_t *first_out, uint32_t *n_out)
{
    uint32_t first = 0;
    while (first < n && br_market_bond(market, bonds[first])->issue_day < from) {
        first++;
    }
    uint32_t last = first;
    while (last < n && br_market_bond(market, bonds[last])->issue_day < until) {
        last++;
    }
    *first_out = first;
    *n_out = last - first;
}

static bool is_wanted(const br_assess_range *range, uint32_t bond)
{
    bool found = range->only == NULL;
    for (uint32_t i = 0; i < range->n_only && !found; i++) {
        found = range->only[i] == bond;
    }
    return found;
}

static br_status gather_range(gathering *g, br_assessment *out, br_market *market, const br_served *served,
                              const br_assess_range *range, br_assess_watcher watcher, void *context)
{
    const uint32_t *bonds;
    uint32_t n_all = 0, first = 0, n = 0;
    br_status status = br_market_bonds_by_issue(market, &bonds, &n_all);
    if (status != BR_OK) {
        return status;
    }
    find_range(market, bonds, n_all, range->from, range->until, &first, &n);
    if (n == 0) {
        return br_fail(BR_ERR_INVALID, "no bond is issued in the range to assess");
    }
    uint32_t step = range->max_bonds == 0 || n <= range->max_bonds ? 1 : (n + range->max_bonds - 1) / range->max_bonds;
    BR_AUTO(br_day_population) *population = NULL;
    status = br_day_population_new(&population, market, served);
    if (status == BR_OK && range->max_shown > 0) {
        double n_bonds = range->only == NULL ? (double)((n + step - 1) / step) : (double)range->n_only;
        // A tenth below the bound, so that chance does not cut off the last bonds.
        double share = 0.9 * range->max_shown / (n_bonds * br_market_n_investors(market));
        status = br_shown_pairs_new(&g->shown, served->collapsed, range->max_shown, share);
    }
    for (uint32_t i = 0; i < n && status == BR_OK; i += step) {
        uint32_t bond = bonds[first + i];
        if (!is_wanted(range, bond)) {
            continue;
        }
        status = br_day_population_move(population, br_market_bond(market, bond)->issue_day);
        if (status == BR_OK) {
            status = gather_bond(g, out, market, population, bond);
        }
        if (status == BR_OK && watcher != NULL && !watcher(context, i, n)) {
            status = br_fail(BR_ERR_CANCELLED, "the assessment was cancelled after %u of %u bonds", i, n);
        }
    }
    return status;
}

br_status br_assess(br_assessment *out, br_market *market, const br_served *served, const br_assess_range *range,
                    br_assess_watcher watcher, void *context)
{
    br_assessment result = {0};
    gathering g;
    const br_bid *bids;
    uint32_t n_bids;
    br_status status = br_market_bids(market, &bids, &n_bids); // br_market_bidders() needs them in order
    if (status != BR_OK) {
        return status;
    }
    status = gathering_init(&g, market, served, range->n_top);
    if (status == BR_OK) {
        status = gather_range(&g, &result, market, served, range, watcher, context);
    }
    if (status == BR_OK) {
        status = summarise(&result, &g, served->snapshot);
    }
    gathering_deinit(&g);
    if (status == BR_OK) {
        *out = result;
    }
    return status;
}
