#include "pairs_models.h"

#include "interrupts.h"
#include "linalg/gemm.h"
#include "options.h"

#define DEFAULT_EASE 300.0 ///< where there is nobody to tune by

/// The options of iALS that were given, over `base`.
static br_ials_options given_options(const arguments *args, br_ials_options base)
{
    base.n_factors = args->has_factors ? option_u32(args->n_factors) : base.n_factors;
    base.regularization = args->has_regularization ? args->regularization : base.regularization;
    base.confidence = args->has_confidence ? args->confidence : base.confidence;
    base.seed = args->seed;
    return base;
}

br_status pairs_models_check(const arguments *args)
{
    br_ials_options options = given_options(args, br_ials_options_default());
    if (args->has_ease_regularization && !(args->ease_regularization > 0.0)) {
        return br_fail(BR_ERR_INVALID, "--ease-regularization is above 0");
    }
    return br_ials_options_check(&options);
}

static bool all_given(const arguments *args)
{
    return args->has_factors && args->has_regularization && args->has_confidence;
}

// --- tuning ---

static void fix(br_grid_values *grid, bool given, double value)
{
    if (given) {
        *grid = (br_grid_values){{value}, 1};
    }
}

static bool watch_tuning(void *context, uint32_t done, uint32_t n)
{
    progress_show(context, done, n, 0, NULL);
    return !interrupted();
}

/// Judge by the month in [from, until) what is learned from the time before it.
static br_status judge(br_tuning **out, const pairs_data *data, int64_t from, int64_t until,
                       const br_tuning_options *options, const char *what)
{
    BR_AUTO(br_history) *before = NULL;
    BR_AUTO(br_history) *month = NULL;
    br_status status = br_history_new(&before, data->table, INT64_MIN, from);
    if (status == BR_OK) {
        status = br_history_new(&month, data->table, from, until);
    }
    progress shown = progress_start(what, "models");
    if (status == BR_OK) {
        status = br_tuning_new(out, before, month, options, watch_tuning, &shown);
    }
    progress_end(&shown);
    return status;
}

static br_status tune(pairs_models *m, const pairs_data *data, const arguments *args, bool with_ease)
{
    br_tuning_options grid = br_tuning_options_default();
    grid.ials = m->options;
    fix(&grid.n_factors, args->has_factors, m->options.n_factors);
    fix(&grid.regularization, args->has_regularization, args->regularization);
    fix(&grid.confidence, args->has_confidence, args->confidence);
    grid.n_factors.n = all_given(args) ? 0 : grid.n_factors.n;
    grid.ease.n = with_ease && !args->has_ease_regularization ? grid.ease.n : 0;
    if (grid.n_factors.n == 0 && grid.ease.n == 0) {
        return BR_OK;
    }
    BR_AUTO(br_tuning) *tuning = NULL;
    br_status status = judge(&tuning, data, m->months.valid_from, m->months.test_from, &grid, "tune");
    if (status == BR_ERR_NOT_FOUND) {
        fprintf(stderr, "not tuned: %s; the defaults are taken\n", br_why(status));
        return BR_OK;
    }
    if (status != BR_OK) {
        return status;
    }
    m->tuned = true;
    m->n_tuned_by = tuning->n_users;
    m->options = tuning->n_ials > 0 ? tuning->ials[tuning->best_ials].options : m->options;
    m->ease_regularization =
        tuning->n_ease > 0 ? tuning->ease[tuning->best_ease].regularization : m->ease_regularization;
    return BR_OK;
}

/// How the recommender did in the last month: a tuning with one point.
static br_status judge_recommender(pairs_models *m, const pairs_data *data)
{
    br_tuning_options one = br_tuning_options_default();
    one.ials = m->options;
    fix(&one.n_factors, true, m->options.n_factors);
    fix(&one.regularization, true, m->options.regularization);
    fix(&one.confidence, true, m->options.confidence);
    one.ease.n = 0;
    br_status status = judge(&m->test, data, m->months.test_from, m->months.test_until, &one, "test");
    return status == BR_ERR_NOT_FOUND ? BR_OK : status;
}

// --- learning ---

static bool watch_sweep(void *context, uint32_t sweep, double loss)
{
    (void)loss;
    progress_show(context, sweep, 0, 0, NULL);
    return !interrupted();
}

static br_status learn_ials(pairs_models *m)
{
    progress shown = progress_start("iALS", "sweeps");
    br_status status = br_ials_train(&m->ials, m->history, &m->options, watch_sweep, &shown);
    progress_end(&shown);
    return status;
}

static br_status learn_ease(pairs_models *m)
{
    br_status status = br_cooccurrence_new(&m->counts, m->history);
    return status == BR_OK ? br_ease_new(&m->ease, m->counts, m->ease_regularization) : status;
}

/// The options under which is learned and tuned.
static br_status configure(pairs_models *m, const arguments *args, const br_config *config)
{
    uint32_t n_threads = config->training.n_threads;
    n_threads = n_threads < BR_IALS_MAX_THREADS ? n_threads : BR_IALS_MAX_THREADS;
    m->options = given_options(args, br_ials_options_default());
    m->options.n_threads = args->has_threads ? option_u32(args->n_threads) : n_threads;
    m->ease_regularization = args->has_ease_regularization ? args->ease_regularization : DEFAULT_EASE;
    br_status status = br_ials_options_check(&m->options);
    return status == BR_OK ? br_gemm_start() : status;
}

br_status pairs_models_learn(pairs_models *out, const pairs_data *data, const arguments *args, const br_config *config,
                             bool all)
{
    uint32_t n_items = br_transactions_n_items(data->table);
    bool with_ease = n_items <= BR_MAX_PAIR_ITEMS;
    if (!with_ease) {
        fprintf(stderr,
                "%u items are too many for a table of pairs (at most %u): EASE and the rules are left out; --top-items "
                "N takes them in\n",
                n_items, BR_MAX_PAIR_ITEMS);
    }
    out->months = br_transactions_months(data->table);
    br_status status = configure(out, args, config);
    if (status == BR_OK) {
        status = tune(out, data, args, with_ease);
    }
    if (status == BR_OK && !all) {
        status = judge_recommender(out, data);
    }
    if (status == BR_OK) {
        status = br_history_new(&out->history, data->table, INT64_MIN, all ? INT64_MAX : out->months.test_from);
    }
    if (status == BR_OK && out->history->begin[out->history->n_users] == 0) {
        status = br_fail(BR_ERR_NOT_FOUND, "there is no transaction before the last month to learn from");
    }
    if (status == BR_OK) {
        status = learn_ials(out);
    }
    if (status == BR_OK && with_ease) {
        status = learn_ease(out);
    }
    br_ranker_models models = {
        .history = out->history, .ials = out->ials, .ease = out->ease, .counts = out->counts, .seed = args->seed};
    return status == BR_OK ? br_rankers_new(&out->rankers, &models) : status;
}

void pairs_models_deinit(pairs_models *m)
{
    br_rankers_free(&m->rankers);
    br_ials_free(&m->ials);
    br_ease_free(&m->ease);
    br_cooccurrence_free(&m->counts);
    br_history_free(&m->history);
    br_tuning_free(&m->test);
}
