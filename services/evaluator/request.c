#include "evaluator.h"

#include "base/alloc.h"

#include <math.h>
#include <stdio.h>

enum { MAX_SHOWN_PAIRS = 50000 }; // some seconds on one core at paper size
enum { RECORDS_AT_ONCE = 10000 }; // of the ledger, between two looks at whether the request is still wanted: some 10 ms

static br_status still_wanted(evaluation_request *self)
{
    return br_task_cancelled(self->task) ? br_fail(BR_ERR_CANCELLED, "the evaluation was stopped") : BR_OK;
}

static br_status read_ledger(evaluation_request *self)
{
    const evaluation *own = &self->evaluation;
    uint64_t head = 0;
    br_status status = br_ledger_head(own->ledger, &head);
    while (status == BR_OK && br_follower_head(own->follower) < head) {
        uint64_t next = br_follower_head(own->follower) + RECORDS_AT_ONCE;
        status = still_wanted(self);
        if (status == BR_OK) {
            status = br_follower_catch_up(own->follower, own->ledger, next < head ? next : head, 0);
        }
    }
    return status;
}

static bool watch(void *context, uint64_t done, uint64_t total)
{
    evaluation_request *self = context;
    br_task_tell(self->task, "assess", done, total, 0, "all pairs of the range");
    return !br_task_cancelled(self->task);
}

static br_status load_served(evaluation_request *self, const br_market *market, br_served **out)
{
    BR_AUTO(br_snapshots) *snapshots = NULL;
    br_status status = br_snapshots_open_reader(&snapshots, self->models);
    if (status == BR_OK) {
        status = br_snapshots_served(snapshots, self->version);
    }
    if (status == BR_OK && self->version[0] == '\0') {
        status = br_fail(BR_ERR_NOT_FOUND, "no snapshot is served: bookrunner train");
    }
    if (status == BR_OK) {
        status = br_served_load(out, self->models, self->version);
    }
    return status == BR_OK ? br_served_fits(*out, market) : status;
}

static br_status evaluate_range(evaluation_request *self, br_market *market, br_day from, br_day until)
{
    const uint32_t *bonds;
    uint32_t n = 0;
    br_status status = br_market_bonds_by_issue(market, &bonds, &n);
    for (uint32_t i = 0; i < n && status == BR_OK; i++) {
        br_day day = br_market_bond(market, bonds[i])->issue_day;
        if (day >= from && day < until) {
            status = still_wanted(self);
            status = status == BR_OK ? evaluate_bond(&self->evaluation, bonds[i], &self->sums) : status;
        }
    }
    return status;
}

static br_status evaluate_named(evaluation_request *self, br_market *market)
{
    for (uint32_t i = 0; i < self->wanted.n_bond_ids; i++) {
        uint32_t bond = br_market_find_bond(market, self->wanted.bond_ids[i]);
        if (bond == BR_INDEX_NONE) {
            return br_fail(BR_ERR_NOT_FOUND, "no bond %s is known", self->wanted.bond_ids[i]);
        }
        br_status status = still_wanted(self);
        status = status == BR_OK ? evaluate_bond(&self->evaluation, bond, &self->sums) : status;
        if (status != BR_OK) {
            return status;
        }
    }
    return BR_OK;
}

static br_status evaluate_closed(evaluation_request *self, br_market *market)
{
    br_day business = br_market_business_day(market);
    if (business == BR_DAY_NONE) {
        return br_fail(BR_ERR_NOT_FOUND, "no day is closed yet: bookrunner close-day DATE");
    }
    return evaluate_range(self, market, -719162, business + 1);
}

static br_status assess_range(evaluation_request *self, br_market *market, br_split *split_out)
{
    br_status status = load_served(self, market, &self->served);
    if (status != BR_OK) {
        return status;
    }
    const br_snapshot *snapshot = self->served->snapshot;
    *split_out = snapshot->facts.split;
    // Parameters that are held back are those from before the validation range was learned, too.
    br_day_text(snapshot->held == NULL ? split_out->train_until : split_out->valid_until, self->trained_until);
    br_assess_range range = {.from = split_out->valid_until,
                             .until = split_out->test_until,
                             .n_top = self->evaluation.config->n_top,
                             .max_shown = MAX_SHOWN_PAIRS};
    status = br_assess(&self->assessment, market, self->served, &range, watch, self);
    self->has_assessment = status == BR_OK;
    return status == BR_OK ? judge_range(self, market, split_out->valid_until, split_out->test_until) : status;
}

static br_status assess_bonds(evaluation_request *self, br_market *market, const uint32_t *bonds, uint32_t n)
{
    BR_AUTO(br_served) *served = NULL;
    br_status status = load_served(self, market, &served);
    if (status != BR_OK) { // what was bid is told without a snapshot, too
        return status == BR_ERR_NOT_FOUND || status == BR_ERR_INVALID ? BR_OK : status;
    }
    br_assess_range range = {
        .from = -719162, .until = BR_DAY_MAX, .n_top = self->evaluation.config->n_top, .only = bonds, .n_only = n};
    status = br_assess(&self->assessment, market, served, &range, watch, self);
    self->has_assessment =
        status == BR_OK && isfinite(self->assessment.auc); // without a bid there is nothing to tell apart
    return status;
}

// All pairs of the named bonds under the served snapshot, each bond as of its issue day.
static br_status assess_named(evaluation_request *self, br_market *market)
{
    uint32_t n = self->wanted.n_bond_ids;
    uint32_t *bonds = br_calloc(n, sizeof *bonds);
    if (bonds == NULL) {
        return br_no_memory("bonds to assess", n);
    }
    br_status status = BR_OK;
    for (uint32_t i = 0; i < n && status == BR_OK; i++) {
        bonds[i] = br_market_find_bond(market, self->wanted.bond_ids[i]);
        status = bonds[i] == BR_INDEX_NONE ? br_fail(BR_ERR_NOT_FOUND, "no bond %s is known", self->wanted.bond_ids[i])
                                           : BR_OK;
    }
    status = status == BR_OK ? assess_bonds(self, market, bonds, n) : status;
    br_free(bonds);
    return status;
}

static br_status evaluate_wanted(evaluation_request *self, br_market *market)
{
    br_split split = {0};
    br_status status = self->wanted.scope == BR_SCOPE_TEST_RANGE ? assess_range(self, market, &split)
                       : self->wanted.scope == BR_SCOPE_BONDS    ? assess_named(self, market)
                                                                 : BR_OK;
    if (status == BR_OK) {
        status = br_quality_begin(self->evaluation.quality);
    }
    if (status != BR_OK) {
        return status;
    }
    self->sums.of_newest = self->wanted.scope != BR_SCOPE_CLOSED;
    switch (self->wanted.scope) {
    case BR_SCOPE_TEST_RANGE:
        status = evaluate_range(self, market, split.valid_until, split.test_until);
        break;
    case BR_SCOPE_BONDS:
        status = evaluate_named(self, market);
        break;
    case BR_SCOPE_CLOSED:
        status = evaluate_closed(self, market);
        break;
    case BR_SCOPE_UPCOMING:
    default:
        status = br_fail(BR_ERR_INVALID, "the evaluator evaluates closed bonds, the test range, or bonds by id");
    }
    if (status != BR_OK) {
        br_quality_abort(self->evaluation.quality);
        return status;
    }
    return br_quality_commit(self->evaluation.quality);
}

void evaluation_request_run(void *request)
{
    evaluation_request *self = request;
    evaluation *own = &self->evaluation;
    br_task_tell(self->task, "read", 0, 0, 0, "the ledger");
    br_status status = read_ledger(self);
    br_market *market = br_follower_market(own->follower);
    if (status == BR_OK && market == NULL) {
        status = br_fail(BR_ERR_NOT_FOUND, "the ledger is empty: bookrunner import DIR");
    }
    if (status == BR_OK) {
        status = evaluation_fit(own);
    }
    if (status == BR_OK) {
        status = evaluate_wanted(self, market);
    }
    if (status == BR_OK) {
        status = br_explained_pairs_error(&self->sums.explained, &self->explained_error);
    }
    if (status != BR_OK) {
        snprintf(self->reason, sizeof self->reason, "%s", br_why(status));
    }
    self->status = status;
}

void evaluation_request_deinit(evaluation_request *request)
{
    br_drift_deinit(&request->drift);
    br_served_free(&request->served);
    br_arena_free(&request->arena);
    br_explained_pairs_deinit(&request->sums.explained);
    evaluation_close(&request->evaluation);
}
