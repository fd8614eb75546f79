#include "pipeline/recommend.h"

#include "pipeline/past.h"
#include "pipeline/scored.h"

#include <string.h>

static br_status fill_list(br_list *list, br_arena *arena, const br_market *market, const br_served *served,
                           uint32_t bond, const br_scored_bond *scored)
{
    list->entries = br_arena_calloc(arena, scored->n_top, sizeof *list->entries);
    list->bond_id = br_arena_strndup(arena, br_market_bond_id(market, bond), strlen(br_market_bond_id(market, bond)));
    if (list->entries == NULL || list->bond_id == NULL) {
        return br_no_memory("list entries", scored->n_top);
    }
    list->version = served->version;
    list->n_entries = scored->n_top;
    list->n_eligible = scored->n_eligible;
    for (uint32_t i = 0; i < scored->n_top; i++) {
        uint32_t investor = scored->top[i];
        float logit = scored->logits[investor];
        list->entries[i] = (br_list_entry){
            .investor_id = br_market_investor_id(market, investor),
            .investor = investor,
            .logit = logit,
            .probability = br_snapshot_probability(served->snapshot, (double)logit),
        };
    }
    return BR_OK;
}

// All but the past bids.
static void fill_job(br_recommendation *out, const br_served *served, const br_scored_bond *scored,
                     uint32_t n_population, const br_recommend_options *options)
{
    out->job = (br_job_body){
        .version = served->version,
        .as_of = out->list.as_of,
        .bond_codes = {scored->bond_codes, served->snapshot->encoder->n_bond_fields},
        .population = out->list.population,
        .scores = scored->logits,
        .eligible = scored->eligible,
        .n_population = n_population,
        .investors = scored->top,
        .n_investors = scored->n_top,
        .objective = options->objective,
        .n_reasons = options->n_reasons,
        .engine = BR_ENGINE_VERSION,
        .certify = options->certify,
        .banned = options->banned,
        .n_banned = options->n_banned,
        .apart = options->apart,
        .n_apart = options->n_apart,
        .max_evaluations = options->max_evaluations,
        .has_after = options->after != NULL && !out->list.backtest,
    };
    if (out->job.has_after) {
        out->job.after = *options->after;
    }
}

br_status br_recommend(br_recommendation *out, br_arena *arena, br_market *market, br_day_population *population,
                       const br_served *served, uint32_t bond, const br_recommend_options *options)
{
    br_scored_bond scored;
    memset(out, 0, sizeof *out);
    br_status status = br_scored_bond_room(&scored, arena, population, served, options->n_top);
    if (status == BR_OK) {
        status = br_score_bond(&scored, market, population, bond);
    }
    if (status == BR_OK) {
        status = fill_list(&out->list, arena, market, served, bond, &scored);
    }
    if (status != BR_OK) {
        return status;
    }
    uint32_t n = br_day_population_n(population);
    br_day closed = br_market_business_day(market);
    out->list.as_of = br_day_population_as_of(population);
    out->list.backtest = closed == BR_DAY_NONE || out->list.as_of != closed + 1;
    out->list.ledger_head = options->ledger_head;
    out->list.population = br_hash_of(br_day_population_codes(population),
                                      (size_t)n * br_encoder_n_investor_fields(served->snapshot->encoder));
    if (!options->explain || scored.n_top == 0) {
        return BR_OK;
    }
    fill_job(out, served, &scored, n, options);
    status = br_past_of_job(&out->job, arena, market, served, bond);
    if (status != BR_OK) {
        return status;
    }
    out->list.has_job = true;
    return br_job_id(&out->list.job_id, &out->job);
}

// --- working a job ---

static br_status refuse(br_result *out, br_arena *arena, const char *why)
{
    *out = (br_result){.job_id = out->job_id, .warm = out->warm};
    out->failure = br_arena_strndup(arena, why, strlen(why));
    return out->failure == NULL ? br_no_memory("failure text", 1) : BR_OK;
}

static bool codes_fit(const br_served *served, const br_job_body *body, const uint8_t *codes)
{
    const br_encoder *encoder = served->snapshot->encoder;
    uint32_t n_fields = br_encoder_n_investor_fields(encoder);
    for (size_t i = 0; i < (size_t)body->n_population * n_fields; i++) {
        if (codes[i] >= encoder->fields[encoder->n_bond_fields + i % n_fields].n_values) {
            return false;
        }
    }
    return true;
}

static const char *job_problem(const br_served *served, const br_job_body *body, const uint8_t *codes,
                               uint32_t n_investor_fields)
{
    const br_encoder *encoder = served->snapshot->encoder;
    if (body->engine != BR_ENGINE_VERSION) {
        return "the job is for another version of the explaining code";
    }
    if (strcmp(body->version, served->version) != 0) {
        return "the job names another snapshot";
    }
    if (served->snapshot->facts.unmasked) {
        return "the snapshot was trained without masks: nothing is known of an investor with fields hidden";
    }
    if (body->bond_codes.n != encoder->n_bond_fields || n_investor_fields != br_encoder_n_investor_fields(encoder)) {
        return "the job's codes do not fit the snapshot's fields";
    }
    for (uint32_t i = 0; i < encoder->n_bond_fields; i++) {
        if (body->bond_codes.data[i] >= encoder->fields[i].n_values) {
            return "a bond code is out of range";
        }
    }
    for (uint32_t i = 0; i < body->n_investors; i++) {
        if (body->investors[i] >= body->n_population) {
            return "an investor is not in the population";
        }
    }
    return codes_fit(served, body, codes) ? NULL : "an investor code is out of range";
}

br_status br_job_context(br_explain_context **out, const br_served *served, const br_job_body *body,
                         const uint8_t *codes, uint32_t n_investor_fields)
{
    const char *problem = job_problem(served, body, codes, n_investor_fields);
    if (problem != NULL) {
        return br_fail(BR_ERR_INVALID, "%s", problem);
    }
    br_explain_options options = br_explain_options_default();
    options.objective = body->objective;
    options.n_reasons = body->n_reasons;
    options.certify = body->certify;
    options.max_evaluations = body->max_evaluations;
    options.banned = body->banned;
    options.n_banned = body->n_banned;
    options.apart = body->apart;
    options.n_apart = body->n_apart;
    br_population population = {
        .codes = codes, .logits = body->scores, .eligible = body->eligible, .n = body->n_population};
    br_explain_bond bond = {
        .collapsed = served->collapsed,
        .encoder = served->snapshot->encoder,
        .record = served->snapshot->record,
        .mean_bond = served->snapshot->mean_bond,
        .codes = body->bond_codes.data,
    };
    return br_explain_context_new(out, &bond, &population, &options);
}

static br_status explain_all(br_result *out, br_explain_context *explain, const br_job *job, br_job_watcher watcher,
                             void *context)
{
    const br_job_body *body = &job->body;
    for (uint32_t i = 0; i < body->n_investors; i++) {
        if (watcher != NULL && !watcher(context)) {
            return br_fail(BR_ERR_CANCELLED, "cancelled after %u of %u investors", i, body->n_investors);
        }
        const uint32_t *warm = job->warm_start == NULL ? NULL : job->warm_start + (size_t)i * body->n_reasons;
        bool cold = warm == NULL || warm[0] == BR_NO_FIELD;
        br_status status = br_explain(explain, body->investors[i], cold ? NULL : warm, &out->explanations[i]);
        if (status != BR_OK) {
            return status;
        }
    }
    out->n_explanations = body->n_investors;
    return BR_OK;
}

br_status br_job_work(br_result *out, br_arena *arena, const br_served *served, const br_job *job, const uint8_t *codes,
                      uint32_t n_investor_fields, br_job_watcher watcher, void *context)
{
    const br_job_body *body = &job->body;
    *out = (br_result){.job_id = job->job_id, .failure = "", .warm = job->warm_start != NULL};
    BR_AUTO(br_explain_context) *explain = NULL;
    br_status status = br_job_context(&explain, served, body, codes, n_investor_fields);
    if (status == BR_OK) {
        out->explanations = br_arena_calloc(arena, body->n_investors, sizeof *out->explanations);
        status = out->explanations == NULL ? br_no_memory("explanations", body->n_investors)
                                           : explain_all(out, explain, job, watcher, context);
    }
    if (status == BR_OK) {
        status = br_past_explain(out, arena, served, body);
    }
    return status == BR_ERR_INVALID ? refuse(out, arena, br_why(status)) : status;
}
