#include "evaluator.h"

#include "base/alloc.h"
#include "rank/rank.h"

#include <stdio.h>
#include <string.h>

enum { MAX_LIST_BYTES = 16 << 20 };

static br_status open_readers(evaluation *self, const char *directory)
{
    char path[BR_PATH_BYTES];
    br_status status = br_place_path(path, directory, BR_PLACE_LEDGER);
    if (status == BR_OK) {
        status = br_ledger_open_reader(&self->ledger, path);
    }
    if (status == BR_OK) {
        status = br_place_path(path, directory, BR_PLACE_RECOMMENDATIONS);
    }
    if (status == BR_OK) {
        status = br_recommendations_open_reader(&self->lists, path);
    }
    return status == BR_OK ? br_place_path(self->models, directory, BR_PLACE_MODELS) : status;
}

br_status evaluation_open(evaluation *self, const br_config *config, br_quality *quality)
{
    self->config = config;
    self->quality = quality;
    br_status status = open_readers(self, config->directory);
    if (status == BR_OK) {
        status = br_follower_new(&self->follower);
    }
    if (status == BR_OK) {
        status = br_arena_new(&self->arena, MAX_LIST_BYTES);
    }
    if (status == BR_OK) {
        self->top = br_calloc(config->n_top, sizeof *self->top);
        self->listed = br_calloc(BR_MAX_JOB_INVESTORS, 1);
        status = self->top == NULL || self->listed == NULL ? br_no_memory("list entries", config->n_top) : BR_OK;
    }
    return status;
}

void evaluation_close(evaluation *self)
{
    br_follower_free(&self->follower);
    br_recommendations_free(&self->lists);
    br_ledger_free(&self->ledger);
    br_arena_free(&self->arena);
    br_free(self->activity);
    br_free(self->eligible);
    br_free(self->bid);
    br_free(self->top);
    br_free(self->listed);
    *self = (evaluation){0};
}

br_status evaluation_fit(evaluation *self)
{
    br_market *market = br_follower_market(self->follower);
    uint32_t n = market == NULL ? 0 : br_market_n_investors(market);
    if (n <= self->n_investors) {
        return BR_OK;
    }
    br_free(self->activity);
    br_free(self->eligible);
    br_free(self->bid);
    self->n_investors = n;
    self->activity = br_calloc(n, sizeof *self->activity);
    self->eligible = br_calloc(n, 1);
    self->bid = br_calloc(n, 1);
    bool good = self->activity != NULL && self->eligible != NULL && self->bid != NULL;
    return good ? BR_OK : br_no_memory("investors", n);
}

// Who bid: the eligible ones count, the others are only counted.
static br_status read_bids(evaluation *self, br_market *market, uint32_t bond, br_bond_quality *out)
{
    const br_bid *bids;
    uint32_t n_bids;
    br_status status = br_market_bids(market, &bids, &n_bids);
    if (status != BR_OK) {
        return status;
    }
    uint32_t n = br_market_n_investors(market);
    memset(self->bid, 0, n);
    uint32_t all = br_market_bidders(market, bond, self->bid);
    br_market_eligible(market, bond, out->issue_day, self->eligible);
    for (uint32_t i = 0; i < n; i++) {
        self->bid[i] &= self->eligible[i];
        out->bidders += self->bid[i];
    }
    out->bidders_outside = all - out->bidders;
    return BR_OK;
}

typedef br_status (*list_reader)(br_recommendations *store, br_arena *arena, const char *bond_id, br_day as_of,
                                 br_list *out);

static br_status take_calibration(const evaluation *self, evaluation_sums *sums, const char *version)
{
    if (strcmp(sums->version, version) == 0) {
        return BR_OK;
    }
    BR_AUTO(br_snapshot) *snapshot = NULL;
    br_status status = br_snapshots_load(&snapshot, self->models, version);
    if (status == BR_OK) {
        sums->calibration = snapshot->calibration;
        snprintf(sums->version, sizeof sums->version, "%s", version);
    }
    return status;
}

// What the list's explanations say of the investors, against what these did; self->listed is filled.
static br_status add_explained(evaluation *self, const br_list *list, evaluation_sums *sums)
{
    br_outcome outcome;
    br_status status = br_recommendations_outcome(self->lists, self->arena, list, &outcome);
    if (status != BR_OK || outcome.state != BR_JOB_DONE) {
        return status;
    }
    status = take_calibration(self, sums, list->version);
    return status == BR_OK ? br_explained_pairs_add(&sums->explained, list, &outcome, &sums->calibration, self->listed)
                           : status;
}

// `sums`: where the list's explanations count; NULL: nowhere.
static br_status count_list_hits(evaluation *self, const br_market *market, list_reader read, evaluation_sums *sums,
                                 br_bond_quality *out, bool *backtest_out)
{
    br_list list;
    br_arena_reset(self->arena);
    out->hits = 0;
    *backtest_out = false;
    br_status status = read(self->lists, self->arena, out->bond_id, out->issue_day, &list);
    out->unranked = status == BR_ERR_NOT_FOUND;
    if (status != BR_OK) {
        return out->unranked ? BR_OK : status;
    }
    *backtest_out = list.backtest;
    out->as_of = list.as_of;
    out->version = list.version;
    out->n_listed = list.n_entries;
    for (uint32_t i = 0; i < list.n_entries; i++) {
        uint32_t investor = br_market_find_investor(market, list.entries[i].investor_id);
        self->listed[i] = investor != BR_INDEX_NONE && self->bid[investor];
        out->hits += i < out->n_top && self->listed[i];
    }
    return sums == NULL || out->provisional ? BR_OK : add_explained(self, &list, sums);
}

static br_status count_activity_hits(evaluation *self, br_market *market, br_bond_quality *out)
{
    const uint32_t *id_order;
    br_status status = br_market_investor_order(market, &id_order);
    if (status == BR_OK) {
        status = br_activity_scores(market, out->issue_day, self->activity);
    }
    if (status != BR_OK) {
        return status;
    }
    uint32_t n = br_rank_top(self->activity, self->eligible, id_order, br_market_n_investors(market),
                             self->config->n_top, self->top);
    for (uint32_t i = 0; i < n; i++) {
        out->hits_activity += self->bid[self->top[i]];
    }
    return BR_OK;
}

static void add_to_sums(evaluation_sums *sums, const br_bond_quality *bond, uint32_t n_top)
{
    sums->n_bidders += bond->bidders;
    sums->n_outside += bond->bidders_outside;
    if (bond->unranked || bond->bidders == 0) {
        sums->n_unranked += bond->unranked;
        sums->n_skipped += !bond->unranked;
        return;
    }
    br_list_quality list = br_list_quality_of(bond->hits, bond->bidders, n_top);
    br_list_quality activity = br_list_quality_of(bond->hits_activity, bond->bidders, n_top);
    sums->n_bonds++;
    sums->recall += list.recall;
    sums->precision += list.precision;
    sums->recall_activity += activity.recall;
    sums->precision_activity += activity.precision;
}

br_status evaluate_bond(evaluation *self, uint32_t bond, evaluation_sums *sums)
{
    br_market *market = br_follower_market(self->follower);
    const br_bond *facts = br_market_bond(market, bond);
    br_day business = br_market_business_day(market);
    br_bond_quality quality = {
        .bond_id = br_market_bond_id(market, bond),
        .issue_day = facts->issue_day,
        .as_of = BR_DAY_NONE,
        .version = "",
        .n_top = self->config->n_top,
        .provisional = business != BR_DAY_NONE && business < facts->issue_day + br_market_schema(market)->late_days,
    };
    bool backtest = false;
    bool of_newest = sums != NULL && sums->of_newest;
    br_status status = read_bids(self, market, bond, &quality);
    if (status == BR_OK) {
        status =
            count_list_hits(self, market, br_recommendations_live_list, of_newest ? NULL : sums, &quality, &backtest);
    }
    if (status == BR_OK) {
        status = count_activity_hits(self, market, &quality);
    }
    if (status == BR_OK) {
        status = br_quality_put_bond(self->quality, BR_QUALITY_LIVE, &quality);
    }
    if (status == BR_OK && of_newest) {
        status = count_list_hits(self, market, br_recommendations_list, sums, &quality, &backtest);
    }
    if (status == BR_OK && backtest) {
        status = br_quality_put_bond(self->quality, BR_QUALITY_BACKTESTS, &quality);
    }
    if (status == BR_OK && sums != NULL) {
        sums->n_backtests += backtest;
        add_to_sums(sums, &quality, self->config->n_top);
    }
    return status;
}
