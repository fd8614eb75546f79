#include "answer_speed.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "market/simulate.h"
#include "pipeline/background.h"
#include "pipeline/population.h"
#include "pipeline/recommend.h"
#include "pipeline/what_if.h"
#include "rank/rank.h"
#include "search_audit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N_BONDS = 150, SEED = 1, MAX_NEGATIVES = 4, MAX_BYTES = 256 << 20, LEARNED_PAIRS = 2000 };
static const double TRAIN_SHARE = 0.6, VALID_SHARE = 0.2;

struct answer_bench {
    br_simulation *simulation;
    br_market *market;
    br_split split;
    br_served *served;
    br_day_population *population;
    const uint32_t *order; ///< all bonds by issue day
    uint32_t n_bonds;
    uint32_t at;         ///< place in `order` of the bond that is asked for next
    uint32_t first;      ///< and of the first one of the test range
    uint8_t *bond_codes; ///< of the last bond
    float *logits;       ///< [n investors]
    uint8_t *eligible;   ///< [n investors]
    uint32_t *top;       ///< [ANSWER_LIST]
    uint32_t n_top;
    br_background background;
    br_methods *methods; ///< NULL until one is measured
};

static br_status take_row(void *context, const br_row *row)
{
    return br_market_apply(context, row);
}

static br_status simulate(answer_bench *it)
{
    br_simulation_options options;
    br_status status = br_simulation_defaults(&options, "small");
    options.n_investors = ANSWER_INVESTORS;
    options.n_bonds = N_BONDS;
    options.seed = SEED;
    if (status == BR_OK) {
        status = br_simulation_new(&it->simulation, &options);
    }
    if (status == BR_OK) {
        status = br_market_new(&it->market, br_simulation_declares(it->simulation));
    }
    if (status == BR_OK) {
        status = br_simulation_run(it->simulation, take_row, it->market);
    }
    return status == BR_OK ? br_split_by_time(&it->split, it->market, TRAIN_SHARE, VALID_SHARE) : status;
}

/// One epoch, and what backs a reason.
static br_status learn_from(answer_bench *it, br_snapshot *snapshot, const br_model_config *model)
{
    BR_AUTO(br_dataset) *train = NULL;
    BR_AUTO(br_dataset) *valid = NULL;
    const br_split *split = &it->split;
    br_dataset_options samples = {.max_bytes = MAX_BYTES, .max_negatives = MAX_NEGATIVES, .seed = SEED};
    br_train_options options = br_train_options_default();
    options.max_epochs = 1;
    options.final_epochs = 0;
    snapshot->facts.split = *split;
    br_status status = br_encoder_learn(&snapshot->encoder, it->market, split->train_from, split->train_until, SEED);
    if (status == BR_OK) {
        status = br_dataset_new(&train, it->market, snapshot->encoder, split->train_from, split->train_until, &samples);
    }
    if (status == BR_OK) {
        status =
            br_dataset_new(&valid, it->market, snapshot->encoder, split->train_until, split->valid_until, &samples);
    }
    if (status == BR_OK) {
        status = br_model_new_for(&snapshot->model, model, snapshot->encoder);
    }
    if (status == BR_OK) {
        br_model_init(snapshot->model, SEED);
        status = br_train(snapshot->model, train, valid, &options, NULL, NULL, &snapshot->calibration, NULL);
    }
    if (status == BR_OK) {
        status =
            br_record_learn(&snapshot->record, it->market, snapshot->encoder, split->train_from, split->train_until);
    }
    if (status == BR_OK) {
        size_t n = br_mean_bond_floats(snapshot->model);
        snapshot->mean_bond = br_calloc(n, sizeof *snapshot->mean_bond);
        if (snapshot->mean_bond == NULL) {
            return br_no_memory("mean bond", n);
        }
        br_snapshot_mean_bond(snapshot->mean_bond, snapshot->model, train);
    }
    return status;
}

static br_status learn(answer_bench *it, const br_model_config *model)
{
    BR_AUTO(br_snapshot) *snapshot = br_calloc(1, sizeof *snapshot);
    if (snapshot == NULL) {
        return br_no_memory("snapshot", 1);
    }
    const br_schema *schema = br_simulation_declares(it->simulation);
    snapshot->schema_bytes = schema->yaml_bytes;
    snapshot->schema_yaml = br_memdup(schema->yaml, schema->yaml_bytes);
    if (snapshot->schema_yaml == NULL) {
        return br_no_memory("schema bytes", schema->yaml_bytes);
    }
    br_status status = learn_from(it, snapshot, model);
    return status == BR_OK ? br_served_new(&it->served, &snapshot) : status;
}

/// The list of the next bond of the test range.
static br_status rank_next(answer_bench *it)
{
    const uint32_t *id_order;
    uint32_t bond = it->order[it->at];
    it->at = it->at + 1 < it->n_bonds ? it->at + 1 : it->first;
    br_status status = br_market_investor_order(it->market, &id_order);
    if (status == BR_OK) {
        status = br_day_population_score(it->population, bond, it->bond_codes, it->logits);
    }
    if (status == BR_OK) {
        br_market_eligible(it->market, bond, br_day_population_as_of(it->population), it->eligible);
        it->n_top =
            br_rank_top(it->logits, it->eligible, id_order, br_day_population_n(it->population), ANSWER_LIST, it->top);
    }
    return status;
}

/// The investors as of the first day of the test range.
static br_status gather(answer_bench *it)
{
    br_status status = br_market_bonds_by_issue(it->market, &it->order, &it->n_bonds);
    if (status == BR_OK) {
        status = br_day_population_new(&it->population, it->market, it->served);
    }
    if (status == BR_OK) {
        status = br_day_population_move(it->population, it->split.valid_until);
    }
    if (status != BR_OK) {
        return status;
    }
    while (br_market_bond(it->market, it->order[it->first])->issue_day < it->split.valid_until) {
        it->first++;
    }
    it->at = it->first;
    uint32_t n = br_day_population_n(it->population);
    it->bond_codes = br_calloc(it->served->snapshot->encoder->n_bond_fields, 1);
    it->logits = br_calloc(n, sizeof *it->logits);
    it->eligible = br_calloc(n, 1);
    it->top = br_calloc(ANSWER_LIST, sizeof *it->top);
    if (it->bond_codes == NULL || it->logits == NULL || it->eligible == NULL || it->top == NULL) {
        return br_no_memory("scores", n);
    }
    return rank_next(it); // the first list of a day also makes the investors' halves
}

br_status answer_bench_new(answer_bench **out, const br_model_config *model)
{
    BR_AUTO(answer_bench) *it = br_calloc(1, sizeof *it);
    if (it == NULL) {
        return br_no_memory("markets", 1);
    }
    br_status status = simulate(it);
    if (status == BR_OK) {
        status = learn(it, model);
    }
    if (status == BR_OK) {
        status = gather(it);
    }
    if (status == BR_OK) {
        *out = it;
        it = NULL;
    }
    return status;
}

static double ms_since(int64_t start_ns)
{
    return (double)(br_clock_ns() - start_ns) * 1e-6;
}

static int by_value(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

/// From the milliseconds of each, and of all.
static br_status conclude(answer_speed *out, br_buf *each_ms, double all_ms, uint64_t evaluations)
{
    if (each_ms->failed) {
        return br_no_memory("times", each_ms->length);
    }
    size_t n = each_ms->length / sizeof(double);
    br_assert(n > 0);
    double *ms = (double *)(void *)each_ms->data;
    qsort(ms, n, sizeof *ms, by_value);
    *out = (answer_speed){
        .n = n,
        .p50_ms = ms[n / 2],
        .p99_ms = ms[n * 99 / 100],
        .per_s = (double)n / (all_ms * 1e-3),
        .evaluations = evaluations == 0 ? (double)NAN : (double)evaluations / (double)n,
    };
    return BR_OK;
}

br_status answer_bench_rank(answer_bench *bench, bool new_day, double seconds, answer_speed *out)
{
    BR_AUTO_DEINIT(br_buf) each_ms = {0};
    double all_ms = 0.0;
    do {
        int64_t start_ns = br_clock_ns();
        br_status status = BR_OK;
        if (new_day) {
            status = br_day_population_move(bench->population, br_day_population_as_of(bench->population) + 1);
        }
        if (status == BR_OK) {
            status = rank_next(bench);
        }
        if (status != BR_OK) {
            return status;
        }
        double ms = ms_since(start_ns);
        br_buf_append(&each_ms, &ms, sizeof ms);
        all_ms += ms;
    } while (all_ms < seconds * 1e3);
    return conclude(out, &each_ms, all_ms, 0);
}

static br_explain_bond bond_of(const answer_bench *it)
{
    const br_snapshot *snapshot = it->served->snapshot;
    return (br_explain_bond){it->served->collapsed, snapshot->encoder, snapshot->record, snapshot->mean_bond,
                             it->bond_codes};
}

static br_population population_of(const answer_bench *it)
{
    return (br_population){br_day_population_codes(it->population), it->logits, it->eligible,
                           br_day_population_n(it->population)};
}

/// The list that was ranked last.
static br_status explain_list(answer_bench *it, const br_explain_options *options, br_buf *each_ms,
                              uint64_t *evaluations)
{
    br_explain_bond bond = bond_of(it);
    br_population population = population_of(it);
    BR_AUTO(br_explain_context) *context = NULL;
    br_status status = br_explain_context_new(&context, &bond, &population, options);
    for (uint32_t i = 0; i < it->n_top && status == BR_OK; i++) {
        br_explanation explanation;
        int64_t start_ns = br_clock_ns();
        status = br_explain(context, it->top[i], NULL, &explanation);
        double ms = ms_since(start_ns);
        br_buf_append(each_ms, &ms, sizeof ms);
        *evaluations += explanation.evaluations;
    }
    return status;
}

br_status answer_bench_explain(answer_bench *bench, const br_explain_options *options, double seconds,
                               answer_speed *out)
{
    BR_AUTO_DEINIT(br_buf) each_ms = {0};
    double all_ms = 0.0;
    uint64_t evaluations = 0;
    do {
        br_status status = rank_next(bench);
        int64_t start_ns = br_clock_ns();
        if (status == BR_OK) {
            status = explain_list(bench, options, &each_ms, &evaluations);
        }
        if (status != BR_OK) {
            return status;
        }
        all_ms += ms_since(start_ns);
    } while (all_ms < seconds * 1e3);
    return conclude(out, &each_ms, all_ms, evaluations);
}

/// The list that was ranked last.
static br_status search_list(answer_bench *it, br_gumbel *gumbel, uint32_t batch, br_buf *each_ms)
{
    uint32_t n_fields = it->served->snapshot->encoder->n_fields - it->served->snapshot->encoder->n_bond_fields;
    const uint8_t *codes = br_day_population_codes(it->population);
    BR_AUTO_DEINIT(br_buf) of_list = {0};
    uint32_t fields[ANSWER_LIST * BR_MAX_REASONS];
    for (uint32_t i = 0; i < it->n_top; i++) {
        br_buf_append(&of_list, codes + (size_t)it->top[i] * n_fields, n_fields);
    }
    if (of_list.failed) {
        return br_no_memory("codes of a list", it->n_top);
    }
    br_status status = br_gumbel_bond(gumbel, it->bond_codes);
    for (uint32_t first = 0; first < it->n_top && status == BR_OK; first += batch) {
        uint32_t n = it->n_top - first < batch ? it->n_top - first : batch;
        br_gumbel_batch investors = {.codes = of_list.data + (size_t)first * n_fields, .keys = it->top + first};
        int64_t start_ns = br_clock_ns();
        status = br_gumbel_search(gumbel, &investors, n, fields);
        double ms = ms_since(start_ns) / n;
        for (uint32_t i = 0; i < n; i++) {
            br_buf_append(each_ms, &ms, sizeof ms);
        }
    }
    return status;
}

br_status answer_bench_gumbel(answer_bench *bench, const br_gumbel_options *options, uint32_t batch, double seconds,
                              answer_speed *out)
{
    BR_AUTO_DEINIT(br_buf) each_ms = {0};
    BR_AUTO(br_gumbel) *gumbel = NULL;
    double all_ms = 0.0;
    br_status status = br_gumbel_new(&gumbel, bench->served->snapshot->model, batch, options);
    do {
        if (status == BR_OK) {
            status = rank_next(bench);
        }
        int64_t start_ns = br_clock_ns();
        if (status == BR_OK) {
            status = search_list(bench, gumbel, batch, &each_ms);
        }
        if (status != BR_OK) {
            return status;
        }
        all_ms += ms_since(start_ns);
    } while (all_ms < seconds * 1e3);
    return conclude(out, &each_ms, all_ms, (uint64_t)options->n_steps * (each_ms.length / sizeof(double)));
}

/// The background is of other days: back to this one.
static br_status prepare_method(answer_bench *it, br_method method)
{
    if (it->methods != NULL) {
        return br_methods_prepare(it->methods, method);
    }
    br_day as_of = br_day_population_as_of(it->population);
    br_attribution_background *pairs = &it->background.pairs;
    br_status status = br_background_draw(&it->background, it->market, it->served, it->population, SEED);
    if (status == BR_OK) {
        status = br_day_population_move(it->population, as_of);
    }
    if (status == BR_OK) {
        pairs->n = pairs->n < LEARNED_PAIRS ? pairs->n : LEARNED_PAIRS;
        status = br_methods_new(&it->methods, it->served, pairs, br_explain_options_default().n_reasons, SEED);
    }
    return status == BR_OK ? br_methods_prepare(it->methods, method) : status;
}

/// As much as there is time for of the list that was ranked last.
static br_status select_list(answer_bench *it, br_method method, uint32_t batch, double most_ms, br_buf *each_ms,
                             double *all_ms)
{
    uint32_t selected[ANSWER_LIST * BR_MAX_REASONS];
    br_method_list list = {.bond_codes = it->bond_codes, .population = population_of(it), .key = it->order[it->at]};
    br_status status = BR_OK;
    for (uint32_t first = 0; first < it->n_top && *all_ms < most_ms && status == BR_OK; first += list.n) {
        list.investors = it->top + first;
        list.n = it->n_top - first < batch ? it->n_top - first : batch;
        int64_t start_ns = br_clock_ns();
        status = br_methods_select(it->methods, method, &list, selected);
        double ms = ms_since(start_ns);
        *all_ms += ms;
        ms /= list.n;
        for (uint32_t i = 0; i < list.n; i++) {
            br_buf_append(each_ms, &ms, sizeof ms);
        }
    }
    return status;
}

br_status answer_bench_method(answer_bench *bench, br_method method, uint32_t batch, double seconds, answer_speed *out)
{
    BR_AUTO_DEINIT(br_buf) each_ms = {0};
    double all_ms = 0.0;
    br_status status = prepare_method(bench, method);
    do {
        if (status == BR_OK) {
            status = rank_next(bench);
        }
        if (status == BR_OK) {
            status = select_list(bench, method, batch, seconds * 1e3, &each_ms, &all_ms);
        }
        if (status != BR_OK) {
            return status;
        }
    } while (all_ms < seconds * 1e3);
    return conclude(out, &each_ms, all_ms, 0);
}

/// The list that was ranked last as a stored job.
static br_job_body body_of(const answer_bench *it)
{
    br_explain_options options = br_explain_options_default();
    return (br_job_body){
        .version = it->served->version,
        .bond_codes = {it->bond_codes, it->served->snapshot->encoder->n_bond_fields},
        .scores = it->logits,
        .eligible = it->eligible,
        .n_population = br_day_population_n(it->population),
        .investors = it->top,
        .n_investors = it->n_top,
        .objective = options.objective,
        .n_reasons = options.n_reasons,
        .engine = BR_ENGINE_VERSION,
    };
}

/// One answer: the first bond feature at its next value.
static br_status ask_what_if(const answer_bench *it, const br_asked *asked, br_arena *arena)
{
    const br_encoder *encoder = it->served->snapshot->encoder;
    br_list list;
    br_result result;
    br_job job = {.attempt = 1};
    uint8_t *codes = br_arena_alloc(arena, encoder->n_bond_fields);
    if (codes == NULL) {
        return br_no_memory("codes", encoder->n_bond_fields);
    }
    memcpy(codes, it->bond_codes, encoder->n_bond_fields);
    codes[0] = (uint8_t)((codes[0] + 1) % encoder->fields[0].n_values);
    br_status status = br_what_if(&list, &job.body, arena, asked, codes, ANSWER_LIST);
    if (status == BR_OK) {
        status = br_job_work(&result, arena, it->served, &job, asked->codes, br_encoder_n_investor_fields(encoder),
                             NULL, NULL);
    }
    return status == BR_OK && result.failure[0] != '\0' ? br_fail(BR_ERR_INVALID, "%.400s", result.failure) : status;
}

static br_status time_what_if(answer_bench *it, br_asked *asked, br_arena *arena, double seconds, answer_speed *out)
{
    BR_AUTO_DEINIT(br_buf) each_ms = {0};
    double all_ms = 0.0;
    br_status status = ask_what_if(it, asked, arena); // the first one makes the investors' halves
    do {
        if (status == BR_OK) {
            status = rank_next(it);
        }
        br_job_body body = body_of(it);
        asked->body = &body;
        br_arena_reset(arena);
        int64_t start_ns = br_clock_ns();
        if (status == BR_OK) {
            status = ask_what_if(it, asked, arena);
        }
        if (status != BR_OK) {
            return status;
        }
        double ms = ms_since(start_ns);
        br_buf_append(&each_ms, &ms, sizeof ms);
        all_ms += ms;
    } while (all_ms < seconds * 1e3);
    return conclude(out, &each_ms, all_ms, 0);
}

br_status answer_bench_what_if(answer_bench *bench, double seconds, answer_speed *out)
{
    BR_AUTO(br_arena) *arena = NULL;
    BR_AUTO(br_halves) *halves = NULL;
    const uint32_t *id_order;
    uint32_t n = br_day_population_n(bench->population);
    const char **ids = br_calloc(n, sizeof *ids);
    br_status status = ids == NULL ? br_no_memory("investors", n) : br_arena_new(&arena, MAX_BYTES);
    for (uint32_t i = 0; i < n && status == BR_OK; i++) {
        ids[i] = br_market_investor_id(bench->market, i);
    }
    if (status == BR_OK) {
        status = br_market_investor_order(bench->market, &id_order);
    }
    if (status == BR_OK) {
        status = br_halves_new(&halves, bench->served->collapsed, n, BR_HALVES_MAX_BYTES);
    }
    if (status == BR_OK) {
        br_job_body body = body_of(bench);
        br_asked asked = {bench->served, &body, br_day_population_codes(bench->population), halves, ids, id_order};
        status = time_what_if(bench, &asked, arena, seconds, out);
    }
    br_free(ids);
    return status;
}

br_status answer_bench_audit(answer_bench *bench, double seconds, answer_audit *out)
{
    *out = (answer_audit){0};
    int64_t start_ns = br_clock_ns();
    do {
        br_status status = rank_next(bench);
        br_explain_bond bond = bond_of(bench);
        br_population population = population_of(bench);
        for (uint32_t i = 0; i < bench->n_top && status == BR_OK; i++) {
            double loss = 0.0;
            status = search_audit(&bond, &population, bench->top[i], &loss);
            out->n++;
            out->found += loss <= (double)BR_EXPLAIN_GAIN;
            out->largest_loss = loss > out->largest_loss ? loss : out->largest_loss;
        }
        if (status != BR_OK) {
            return status;
        }
    } while (ms_since(start_ns) < seconds * 1e3);
    return BR_OK;
}

void answer_bench_free(answer_bench **bench)
{
    if (bench == NULL || *bench == NULL) {
        return;
    }
    answer_bench *it = *bench;
    br_methods_free(&it->methods);
    br_background_deinit(&it->background);
    br_day_population_free(&it->population);
    br_served_free(&it->served);
    br_market_free(&it->market);
    br_simulation_free(&it->simulation);
    br_free(it->bond_codes);
    br_free(it->logits);
    br_free(it->eligible);
    br_free(it->top);
    br_free(it);
    *bench = NULL;
}
