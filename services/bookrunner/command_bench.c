#include "answer_speed.h"
#include "linalg/fixed.h"
#include "linalg/gemm.h"
#include "made_up.h"
#include "model/train.h"
#include "options.h"
#include "pairs_speed.h"
#include "progress.h"
#include "sgemm_peak.h"
#include "table.h"
#include "training_speed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    EPOCH_SAMPLES = 235000, // of the simulated market of paper size: all positives, and four negatives for each
    VALID_SAMPLES = 1000,
    MAX_LIST = 8,
};
#define PEAK_SHARE      0.25 ///< of the time of a run, for SGEMM before it
#define MAX_SECONDS     3600.0
#define TRAIN_SECONDS   3.0
#define EXPLAIN_SECONDS 1.0
#define RIVAL_SHARE     0.1 ///< of the time of a run, for the methods that explanations are compared with

/// Numbers as an option lists them.
typedef struct number_list {
    uint32_t values[MAX_LIST];
    size_t n;
} number_list;

/// A model to measure with, under the name that --only takes.
typedef struct shape {
    const char *name;
    br_model_config model;
    bool variation; ///< of the main model, to see what its numbers cost
} shape;

#define THREE(d_, r)                                                                                                   \
    {                                                                                                                  \
        .d = (d_), .n_cross = 3, .rank = (r), .n_hidden = 2, .hidden = { 256, 128 }                                    \
    }

static const shape shapes[] = {
    {"d4-r16", THREE(4, 16), true},
    {"d4-r64", THREE(4, 64), true},
    {"d4-full", THREE(4, 0), true},
    {"d8-r16", THREE(8, 16), true},
    {"d8-r64", THREE(8, 64), true},
    {"d8-full", THREE(8, 0), true},
    {"d16-r16", THREE(16, 16), true},
    {"d16-r64", THREE(16, 64), true},
    {"d16-full", THREE(16, 0), true},
    {"compact", {.d = 8, .n_cross = 2, .rank = 32, .n_hidden = 2, .hidden = {128, 64}}, false},
    {"main", THREE(8, 64), false},
};
enum { N_SHAPES = sizeof shapes / sizeof *shapes };

static br_status parse_list(number_list *out, const char *option, const char *text, uint32_t low, uint32_t high)
{
    out->n = 0;
    for (const char *at = text;; at++) {
        char *end = NULL;
        unsigned long value = *at >= '0' && *at <= '9' ? strtoul(at, &end, 10) : 0;
        if (end == NULL || (*end != ',' && *end != '\0') || value < low || value > high || out->n == MAX_LIST) {
            return br_fail(BR_ERR_INVALID, "--%s %s: at most %d numbers from %u to %u are needed, with commas between",
                           option, text, MAX_LIST, low, high);
        }
        out->values[out->n++] = (uint32_t)value;
        at = end;
        if (*at == '\0') {
            return BR_OK;
        }
    }
}

static const number_list large_batch = {{4096}, 1};
static const number_list usual_batches = {{512, 4096}, 2};

/// What the options ask for.
typedef struct bench_plan {
    const char *only; ///< NULL: all shapes
    number_list threads;
    number_list batches; ///< none: the shape's own
    double seconds;
    bool masks;
} bench_plan;

static br_status check_name(const char *only)
{
    const char *names[N_SHAPES];
    for (size_t i = 0; i < N_SHAPES; i++) {
        names[i] = shapes[i].name;
        if (strcmp(only, names[i]) == 0) {
            return BR_OK;
        }
    }
    const char *near = nearest_name(only, names, N_SHAPES);
    return br_fail(BR_ERR_INVALID, "--only %s: there is no such model%s%s", only, near == NULL ? "" : "; did you mean ",
                   near == NULL ? "" : near);
}

static br_status make_plan(bench_plan *out, const arguments *args)
{
    double usual = strcmp(args->words[0], "train") == 0 ? TRAIN_SECONDS : EXPLAIN_SECONDS;
    *out = (bench_plan){
        .only = args->only, .seconds = args->has_seconds ? args->seconds : usual, .masks = !args->no_masks};
    if (!(out->seconds > 0.0 && out->seconds <= MAX_SECONDS)) {
        return br_fail(BR_ERR_INVALID, "--seconds %g is not above 0 and at most %g", out->seconds, MAX_SECONDS);
    }
    br_status status =
        parse_list(&out->threads, "threads", args->threads == NULL ? "1,2" : args->threads, 1, BR_MAX_TRAIN_THREADS);
    if (status == BR_OK && args->batch != NULL) {
        status = parse_list(&out->batches, "batch", args->batch, BR_MIN_BATCH, BR_MAX_BATCH);
    }
    return status == BR_OK && args->only != NULL ? check_name(args->only) : status;
}

static void add_row(table *t, const shape *of, const training_speed_options *options, const training_speed *speed,
                    double peak_gflops)
{
    const br_model_config *model = &of->model;
    char hidden[16 * BR_MAX_HIDDEN] = "";
    int length = 0;
    for (uint32_t i = 0; i < model->n_hidden; i++) {
        length +=
            snprintf(hidden + length, sizeof hidden - (size_t)length, "%s%u", i == 0 ? "" : "-", model->hidden[i]);
    }
    double flop = training_dense_flop(model, MADE_UP_BOND_FIELDS + MADE_UP_INVESTOR_FIELDS);
    table_text(t, of->name);
    table_whole(t, model->d);
    table_whole(t, model->rank);
    table_whole(t, model->n_cross);
    table_text(t, hidden);
    table_whole(t, options->batch);
    table_whole(t, options->n_threads);
    table_flag(t, options->masks);
    table_number(t, speed->samples_per_s, 0);
    table_number(t, speed->samples_per_s * flop * 1e-9, 1);
    table_number(t, peak_gflops, 1);
    table_number(t, EPOCH_SAMPLES / speed->samples_per_s, 2);
    table_number(t, speed->peak_rss_mb, 0);
}

/// One model with every batch and number of threads.
static br_status measure_shape(table *t, const shape *of, const bench_plan *plan, const br_dataset *train,
                               const br_dataset *valid, progress *shown)
{
    const number_list *batches = plan->batches.n > 0 ? &plan->batches : of->variation ? &large_batch : &usual_batches;
    br_status status = BR_OK;
    for (size_t i = 0; i < batches->n * plan->threads.n && status == BR_OK; i++) {
        training_speed_options options = {
            .model = &of->model,
            .batch = batches->values[i / plan->threads.n],
            .n_threads = plan->threads.values[i % plan->threads.n],
            .masks = plan->masks,
            .seconds = plan->seconds,
        };
        training_speed speed = {0};
        double peak_gflops = 0.0;
        progress_show(shown, table_n_rows(t), 0, 0, of->name);
        status = sgemm_peak(&peak_gflops, options.n_threads, PEAK_SHARE * plan->seconds);
        if (status == BR_OK) {
            status = training_speed_measure(&speed, &options, train, valid);
        }
        if (status == BR_OK) {
            add_row(t, of, &options, &speed, peak_gflops);
        }
    }
    return status;
}

static br_status measure_training(table *t, const bench_plan *plan)
{
    BR_AUTO(br_dataset) *train = NULL;
    BR_AUTO(br_dataset) *valid = NULL;
    br_status status = br_gemm_start();
    if (status == BR_OK) {
        status = made_up_samples(&train, EPOCH_SAMPLES, 1);
    }
    if (status == BR_OK) {
        status = made_up_samples(&valid, VALID_SAMPLES, 2);
    }
    progress shown = progress_start("bench train", "runs");
    for (size_t i = 0; i < N_SHAPES && status == BR_OK; i++) {
        if (plan->only == NULL || strcmp(plan->only, shapes[i].name) == 0) {
            status = measure_shape(t, &shapes[i], plan, train, valid, &shown);
        }
    }
    progress_end(&shown);
    return status;
}

/// `facts`: what holds for all runs, as members of the JSON object.
static exit_code print_runs(const table *runs, output_format format, const char *facts)
{
    if (format != FORMAT_JSON) {
        return table_print(runs, format, stdout);
    }
    BR_AUTO_DEINIT(br_buf) out = {0};
    br_buf_printf(&out, "{%s,\n\"runs\": ", facts);
    table_json(runs, &out);
    br_buf_string(&out, "}\n");
    fwrite(out.data, 1, out.failed ? 0 : out.length, stdout);
    return out.failed ? EXIT_CODE_FAILED : EXIT_CODE_OK;
}

static exit_code bench_train(const bench_plan *plan, output_format format)
{
    char facts[160];
    BR_AUTO_DEINIT(table)
    runs = {.columns = (const char *const[]){"name", "d", "rank", "layers", "hidden", "batch", "threads", "masks",
                                             "samples_per_s", "dense_equivalent_gflops", "sgemm_peak_gflops", "epoch_s",
                                             "peak_rss_mb"},
            .n_columns = 13};
    br_status status = measure_training(&runs, plan);
    snprintf(facts, sizeof facts, "\"epoch_samples\": %d, \"blas\": \"%s\"", EPOCH_SAMPLES, br_gemm_describe());
    return status == BR_OK ? print_runs(&runs, format, facts) : cli_failed(status, "bench train");
}

// --- explain ---

// The same columns: how many, nothing about time, and what was found.
static void add_audit(table *t, const char *name, const answer_audit *audit)
{
    table_text(t, name);
    table_text(t, "audit of plain");
    table_whole(t, audit->n);
    for (uint32_t column = 0; column < 4; column++) {
        table_number(t, (double)NAN, 0);
    }
    table_number(t, (double)audit->found / (double)audit->n, 4);
    table_number(t, audit->largest_loss, 4);
}

static void add_answer(table *t, const char *name, const char *what, const answer_speed *speed)
{
    table_text(t, name);
    table_text(t, what);
    table_whole(t, speed->n);
    table_number(t, speed->p50_ms, 3);
    table_number(t, speed->p99_ms, 3);
    table_number(t, speed->per_s, speed->per_s < 10.0 ? 2 : 0);
    table_number(t, speed->evaluations, 0);
    table_number(t, (double)NAN, 4);
    table_number(t, (double)NAN, 4);
}

/// The paper's search, to compare with.
static br_status measure_gumbel(table *t, const shape *of, answer_bench *bench, double seconds)
{
    br_gumbel_options options = br_gumbel_options_default();
    answer_speed speed;
    br_status status = answer_bench_gumbel(bench, &options, 1, seconds, &speed);
    if (status == BR_OK) {
        add_answer(t, of->name, "explain gumbel, single", &speed);
        status = answer_bench_gumbel(bench, &options, ANSWER_LIST, seconds, &speed);
    }
    if (status == BR_OK) {
        add_answer(t, of->name, "explain gumbel, list", &speed);
    }
    return status;
}

/// What other methods take, one investor at a time and in lists; of a slow one in lists that the time is enough for, or one investor as both.
static br_status measure_rivals(table *t, const shape *of, answer_bench *bench, double seconds)
{
    br_status status = BR_OK;
    for (int method = BR_METHOD_LIME; method < BR_METHOD_COUNT && status == BR_OK; method++) {
        char what[64];
        answer_speed single;
        status = answer_bench_method(bench, (br_method)method, 1, seconds, &single);
        if (status != BR_OK) {
            return status;
        }
        answer_speed list = single;
        double most = fmin(seconds * 1e3 / single.p50_ms, ANSWER_LIST);
        if (most >= 2.0) {
            status = answer_bench_method(bench, (br_method)method, (uint32_t)most, seconds, &list);
        }
        if (status == BR_OK) {
            snprintf(what, sizeof what, "explain %s, single", br_method_name((br_method)method));
            add_answer(t, of->name, what, &single);
            snprintf(what, sizeof what, "explain %s, list", br_method_name((br_method)method));
            add_answer(t, of->name, what, &list);
        }
    }
    return status;
}

static br_status measure_answers(table *t, const shape *of, double seconds, progress *shown)
{
    static const struct {
        const char *what;
        br_objective objective;
        bool certify;
    } ways[] = {
        {"explain plain", BR_OBJECTIVE_PLAIN, false},
        {"explain plain certified", BR_OBJECTIVE_PLAIN, true},
        {"explain backed", BR_OBJECTIVE_BACKED, false},
        {"explain backed certified", BR_OBJECTIVE_BACKED, true},
    };
    answer_speed speed;
    BR_AUTO(answer_bench) *bench = NULL;
    progress_show(shown, table_n_rows(t), 0, 0, of->name);
    br_status status = answer_bench_new(&bench, &of->model);
    for (size_t i = 0; i < sizeof ways / sizeof *ways && status == BR_OK; i++) {
        br_explain_options options = br_explain_options_default();
        options.objective = ways[i].objective;
        options.certify = ways[i].certify;
        progress_show(shown, table_n_rows(t), 0, 0, of->name);
        status = answer_bench_explain(bench, &options, seconds, &speed);
        if (status == BR_OK) {
            add_answer(t, of->name, ways[i].what, &speed);
        }
    }
    if (status == BR_OK) {
        status = measure_gumbel(t, of, bench, seconds);
    }
    if (status == BR_OK) {
        progress_show(shown, table_n_rows(t), 0, 0, of->name);
        status = measure_rivals(t, of, bench, RIVAL_SHARE * seconds);
    }
    answer_audit audit;
    if (status == BR_OK) {
        status = answer_bench_audit(bench, seconds, &audit);
    }
    if (status == BR_OK) {
        add_audit(t, of->name, &audit);
    }
    if (status == BR_OK) {
        progress_show(shown, table_n_rows(t), 0, 0, of->name);
        status = answer_bench_what_if(bench, seconds, &speed);
    }
    if (status == BR_OK) {
        add_answer(t, of->name, "what if", &speed);
    }
    for (int new_day = 0; new_day < 2 && status == BR_OK; new_day++) {
        progress_show(shown, table_n_rows(t), 0, 0, of->name);
        status = answer_bench_rank(bench, new_day == 1, seconds, &speed);
        if (status == BR_OK) {
            add_answer(t, of->name, new_day == 1 ? "rank on a new day" : "rank", &speed);
        }
    }
    return status;
}

static exit_code bench_explain(const bench_plan *plan, output_format format)
{
    char facts[160];
    BR_AUTO_DEINIT(table)
    runs = {.columns = (const char *const[]){"name", "what", "n", "p50_ms", "p99_ms", "per_s", "evaluations", "found",
                                             "largest_loss"},
            .n_columns = 9};
    br_status status = br_gemm_start();
    progress shown = progress_start("bench explain", "runs");
    for (size_t i = 0; i < N_SHAPES && status == BR_OK; i++) {
        if (plan->only == NULL ? !shapes[i].variation : strcmp(plan->only, shapes[i].name) == 0) {
            status = measure_answers(&runs, &shapes[i], plan->seconds, &shown);
        }
    }
    progress_end(&shown);
    snprintf(facts, sizeof facts, "\"investors\": %d, \"list\": %d, \"kernels\": \"%s\"", ANSWER_INVESTORS, ANSWER_LIST,
             br_fixed()->name);
    return status == BR_OK ? print_runs(&runs, format, facts) : cli_failed(status, "bench explain");
}

// --- pairs ---

/// A run of `bench pairs`; what does not hold of it is NAN or 0.
typedef struct pairs_row {
    const char *what;
    uint32_t users, items;
    uint64_t interactions;
    uint32_t factors, own_items, threads;
    uint64_t n;
    double p50_us, p99_us, interactions_x_factors_per_s, gflops, sgemm_peak_gflops, double_peak_gflops;
} pairs_row;

static void add_count(table *t, uint64_t value)
{
    if (value == 0) {
        table_text(t, NULL);
    } else {
        table_whole(t, value);
    }
}

static void add_pairs(table *t, const pairs_row *row)
{
    table_text(t, row->what);
    add_count(t, row->users);
    add_count(t, row->items);
    add_count(t, row->interactions);
    add_count(t, row->factors);
    add_count(t, row->own_items);
    table_whole(t, row->threads);
    add_count(t, row->n);
    table_number(t, row->p50_us, 1);
    table_number(t, row->p99_us, 1);
    table_number(t, row->interactions_x_factors_per_s, 0);
    table_number(t, row->gflops, 1);
    table_number(t, row->sgemm_peak_gflops, 1);
    table_number(t, row->gflops / row->sgemm_peak_gflops, 3);
    table_number(t, row->double_peak_gflops, 1);
    table_number(t, row->gflops / row->double_peak_gflops, 3);
}

static const pairs_row nothing = {
    .threads = 1,
    .p50_us = (double)NAN,
    .p99_us = (double)NAN,
    .interactions_x_factors_per_s = (double)NAN,
    .gflops = (double)NAN,
    .sgemm_peak_gflops = (double)NAN,
    .double_peak_gflops = (double)NAN,
};

static br_status measure_ials(table *t, const bench_plan *plan, progress *shown)
{
    static const uint32_t factors[] = {32, 64, 128};
    BR_AUTO(br_history) *history = NULL;
    br_status status = made_up_history(&history);
    for (size_t i = 0; i < 3 * plan->threads.n && status == BR_OK; i++) {
        br_ials_options options = br_ials_options_default();
        options.n_factors = factors[i / plan->threads.n];
        options.n_threads = plan->threads.values[i % plan->threads.n];
        ials_speed speed = {0};
        pairs_row row = nothing;
        progress_show(shown, table_n_rows(t), 0, 0, "train iALS");
        status = sgemm_peak(&row.sgemm_peak_gflops, options.n_threads, PEAK_SHARE * plan->seconds);
        if (status == BR_OK) {
            status = ials_speed_measure(&speed, history, &options, plan->seconds);
        }
        row.what = "train iALS";
        row.users = PAIRS_USERS;
        row.items = PAIRS_ITEMS;
        row.interactions = history->begin[PAIRS_USERS];
        row.factors = options.n_factors;
        row.threads = options.n_threads;
        row.n = speed.n_sweeps;
        row.interactions_x_factors_per_s = speed.interactions_x_factors_per_s;
        row.gflops = speed.gflops;
        if (status == BR_OK) {
            add_pairs(t, &row);
        }
    }
    return status;
}

static br_status measure_ease(table *t, const bench_plan *plan, progress *shown)
{
    static const uint32_t items[] = {350, 1000, 3000};
    br_status status = BR_OK;
    for (size_t i = 0; i < sizeof items / sizeof *items && status == BR_OK; i++) {
        pairs_row row = nothing;
        row.what = "make EASE";
        row.items = items[i];
        progress_show(shown, table_n_rows(t), 0, 0, row.what);
        status = sgemm_peak(&row.sgemm_peak_gflops, 1, PEAK_SHARE * plan->seconds);
        if (status == BR_OK) {
            status = double_peak(&row.double_peak_gflops, PEAK_SHARE * plan->seconds);
        }
        if (status == BR_OK) {
            status = ease_speed_measure(&row.gflops, items[i], plan->seconds);
        }
        if (status == BR_OK) {
            add_pairs(t, &row);
        }
    }
    return status;
}

static br_status measure_users(table *t, const bench_plan *plan, progress *shown)
{
    static const char *const questions[PAIRS_QUESTION_COUNT] = {"set a user", "recommend to a user",
                                                                "explain one item to a user"};
    static const uint32_t factors[] = {32, 64};
    static const uint32_t own[] = {32, 100, 300};
    br_status status = BR_OK;
    for (size_t i = 0; i < (size_t)PAIRS_QUESTION_COUNT * 6 && status == BR_OK; i++) {
        pairs_question question = (pairs_question)(i / 6);
        user_speed speed;
        pairs_row row = nothing;
        row.what = questions[question];
        row.items = PAIRS_ITEMS;
        row.factors = factors[i / 3 % 2];
        row.own_items = own[i % 3];
        progress_show(shown, table_n_rows(t), 0, 0, row.what);
        status = user_speed_measure(&speed, question, row.factors, row.own_items, RIVAL_SHARE * plan->seconds);
        row.n = speed.n;
        row.p50_us = speed.p50_us;
        row.p99_us = speed.p99_us;
        if (status == BR_OK) {
            add_pairs(t, &row);
        }
    }
    return status;
}

static exit_code bench_pairs(const bench_plan *plan, output_format format)
{
    char facts[160];
    BR_AUTO_DEINIT(table)
    runs = {.columns =
                (const char *const[]){"what", "users", "items", "interactions", "factors", "own_items", "threads", "n",
                                      "p50_us", "p99_us", "interactions_x_factors_per_s", "gflops", "sgemm_peak_gflops",
                                      "share_of_sgemm", "double_peak_gflops", "share_of_double"},
            .n_columns = 16};
    br_status status = br_gemm_start();
    progress shown = progress_start("bench pairs", "runs");
    if (status == BR_OK) {
        status = measure_ials(&runs, plan, &shown);
    }
    if (status == BR_OK) {
        status = measure_ease(&runs, plan, &shown);
    }
    if (status == BR_OK) {
        status = measure_users(&runs, plan, &shown);
    }
    progress_end(&shown);
    snprintf(facts, sizeof facts, "\"data\": \"made up\", \"kernels\": \"%s\", \"blas\": \"%s\"", br_fixed()->name,
             br_gemm_describe());
    return status == BR_OK ? print_runs(&runs, format, facts) : cli_failed(status, "bench pairs");
}

exit_code command_bench(const arguments *args)
{
    static const struct {
        const char *name;
        exit_code (*run)(const bench_plan *plan, output_format format);
    } kinds[] = {{"train", bench_train}, {"explain", bench_explain}, {"pairs", bench_pairs}};
    size_t kind = 0;
    while (kind < 3 && strcmp(args->words[0], kinds[kind].name) != 0) {
        kind++;
    }
    bench_plan plan;
    br_status status = make_plan(&plan, args);
    if (kind == 3) {
        status = br_fail(BR_ERR_INVALID, "use `bench train`, `bench explain` or `bench pairs`");
    } else if (kind > 0 && (args->batch != NULL || args->no_masks)) {
        status = br_fail(BR_ERR_INVALID, "--batch and --no-masks are for `bench train`");
    } else if (kind == 1 && args->threads != NULL) {
        status = br_fail(BR_ERR_INVALID, "--threads is for `bench train` and `bench pairs`");
    } else if (kind == 2 && args->only != NULL) {
        status = br_fail(BR_ERR_INVALID, "--only is for `bench train` and `bench explain`");
    }
    if (status != BR_OK) {
        fprintf(stderr, "bookrunner bench: %s\n", br_why(status));
        return EXIT_CODE_USAGE;
    }
    return kinds[kind].run(&plan, args->format);
}
