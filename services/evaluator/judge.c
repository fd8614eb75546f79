// What a test range tells of a snapshot besides its probabilities: the explanations of its lists, and how far the market has moved on.

#include "evaluator.h"

#include "base/alloc.h"
#include "pipeline/background.h"
#include "pipeline/drift.h"
#include "pipeline/judged.h"

#include <string.h>

enum { N_TOPICS = 50, TOPICS_SEED = 1, MAX_JUDGED_BYTES = 64 << 20 };

typedef struct judge {
    evaluation_request *request;
    br_market *market;
    br_day_population *population;
    br_background background;
    br_topics *topics;
    br_judged_lists *lists; // NULL until a list of the snapshot is found: topics take seconds
    br_arena *arena;
    uint8_t *bids;
    uint8_t *block; // the population block read last: bonds of one day share it
    br_population_info block_info;
} judge;

static void judge_deinit(judge *j)
{
    br_judged_lists_free(&j->lists);
    br_topics_free(&j->topics);
    br_background_deinit(&j->background);
    br_day_population_free(&j->population);
    br_arena_free(&j->arena);
    br_free(j->bids);
    br_free(j->block);
}

static bool watch_drift(void *context, uint64_t done, uint64_t total)
{
    const evaluation_request *request = context;
    br_task_tell(request->task, "drift", done, total, 0, "bonds then and now");
    return !br_task_cancelled(request->task);
}

static br_status measure_drift(judge *j)
{
    evaluation_request *request = j->request;
    br_status status =
        br_drift_measure(&request->drift, j->market, request->served, j->population, watch_drift, request);
    return status == BR_ERR_NOT_FOUND ? BR_OK : status; // nothing came after the training range
}

static br_status learn_topics(judge *j)
{
    const br_encoder *encoder = j->request->served->snapshot->encoder;
    br_task_tell(j->request->task, "topics", 0, 0, 0, "of the training range");
    br_status status = br_background_draw(&j->background, j->market, j->request->served, j->population, TOPICS_SEED);
    if (status == BR_OK) {
        status = br_background_topics(&j->topics, &j->background, encoder, N_TOPICS, TOPICS_SEED);
    }
    return status == BR_OK ? br_judged_lists_new(&j->lists, encoder, j->topics) : status;
}

static br_status read_block(judge *j, const br_hash *hash)
{
    if (j->block != NULL && br_hash_equal(&j->block_info.hash, hash)) {
        return BR_OK;
    }
    br_free(j->block);
    j->block = NULL;
    return br_recommendations_get_population(j->request->evaluation.lists, hash, &j->block, &j->block_info);
}

static br_status judge_list(judge *j, uint32_t bond, const br_list *list, const br_result *result)
{
    br_job_body job;
    br_status status = br_recommendations_job(j->request->evaluation.lists, j->arena, &list->job_id, &job);
    if (status == BR_OK) {
        status = read_block(j, &job.population);
    }
    if (status == BR_OK && j->lists == NULL) {
        status = learn_topics(j);
    }
    uint32_t n_fields = br_encoder_n_investor_fields(j->request->served->snapshot->encoder);
    if (status == BR_OK && (j->block_info.n != job.n_population || j->block_info.n_investor_fields != n_fields ||
                            job.n_population > br_market_n_investors(j->market))) {
        status = br_fail(BR_ERR_CORRUPT, "the population of %s does not fit its job", list->bond_id);
    }
    if (status != BR_OK) {
        return status;
    }
    memset(j->bids, 0, br_market_n_investors(j->market));
    br_market_bidders(j->market, bond, j->bids);
    return br_judged_lists_add(j->lists, &job, result, j->block, j->bids);
}

// Its newest list, if the snapshot made and explained it and the book has closed since.
static br_status judge_bond(judge *j, uint32_t bond)
{
    br_recommendations *store = j->request->evaluation.lists;
    br_day issue_day = br_market_bond(j->market, bond)->issue_day;
    br_day business = br_market_business_day(j->market);
    if (business != BR_DAY_NONE && business < issue_day + br_market_schema(j->market)->late_days) {
        return BR_OK;
    }
    br_list list;
    br_outcome outcome;
    br_arena_reset(j->arena);
    br_status status = br_recommendations_list(store, j->arena, br_market_bond_id(j->market, bond), issue_day, &list);
    if (status != BR_OK) {
        return status == BR_ERR_NOT_FOUND ? BR_OK : status;
    }
    if (strcmp(list.version, j->request->version) != 0) {
        return BR_OK;
    }
    status = br_recommendations_outcome(store, j->arena, &list, &outcome);
    return status == BR_OK && outcome.state == BR_JOB_DONE ? judge_list(j, bond, &list, &outcome.result) : status;
}

static br_status judge_bonds(judge *j, br_day from, br_day until)
{
    const uint32_t *bonds;
    const br_bid *bids;
    uint32_t n = 0, n_bids = 0;
    br_status status = br_market_bonds_by_issue(j->market, &bonds, &n);
    if (status == BR_OK) {
        status = br_market_bids(j->market, &bids, &n_bids); // br_market_bidders() needs them in order
    }
    for (uint32_t i = 0; i < n && status == BR_OK; i++) {
        br_day day = br_market_bond(j->market, bonds[i])->issue_day;
        if (day >= from && day < until) {
            br_task_tell(j->request->task, "explanations", i, n, 0, "of the range");
            status = br_task_cancelled(j->request->task) ? br_fail(BR_ERR_CANCELLED, "the evaluation was stopped")
                                                         : judge_bond(j, bonds[i]);
        }
    }
    if (status == BR_OK && j->lists != NULL) {
        status = br_judged_lists_figures(j->lists, &j->request->judged);
    }
    return status;
}

br_status judge_range(evaluation_request *request, br_market *market, br_day from, br_day until)
{
    judge j = {.request = request, .market = market, .bids = br_calloc(br_market_n_investors(market), 1)};
    br_status status = j.bids == NULL ? br_no_memory("investors", br_market_n_investors(market))
                                      : br_arena_new(&j.arena, MAX_JUDGED_BYTES);
    if (status == BR_OK) {
        status = br_day_population_new(&j.population, market, request->served);
    }
    if (status == BR_OK) {
        status = measure_drift(&j);
    }
    if (status == BR_OK) {
        status = judge_bonds(&j, from, until);
    }
    judge_deinit(&j);
    return status;
}
