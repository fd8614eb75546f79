#include "base/alloc.h"
#include "linalg/gemm.h"
#include "made_up.h"
#include "model/train.h"
#include "options.h"
#include "progress.h"
#include "sgemm_peak.h"
#include "table.h"
#include "training_speed.h"

#include <stdlib.h>
#include <string.h>

enum {
    EPOCH_SAMPLES =
        235000, // all positives and four sampled negatives for each, of the simulated market of the paper's size
    VALID_SAMPLES = 1000,
    MAX_LIST = 8,
};
#define PEAK_SHARE  0.25 ///< of the time of a run, for SGEMM before it
#define MAX_SECONDS 3600.0

/// A list of numbers, as options give it.
typedef struct number_list {
    uint32_t values[MAX_LIST];
    size_t n;
} number_list;

typedef struct shape {
    const char *name;
    br_model_config model;
    number_list batches;
} shape;

#define TOWER .n_hidden = 2, .hidden = {256, 128}
#define LARGE                                                                                                          \
    {                                                                                                                  \
        {4096}, 1                                                                                                      \
    }
#define USUAL                                                                                                          \
    {                                                                                                                  \
        {512, 4096}, 2                                                                                                 \
    }
#define THREE(d_, r)                                                                                                   \
    {                                                                                                                  \
        .d = (d_), .n_cross = 3, .rank = (r), TOWER                                                                    \
    }

static const shape shapes[] = {
    {"d4-r16", THREE(4, 16), LARGE},
    {"d4-r64", THREE(4, 64), LARGE},
    {"d8-r16", THREE(8, 16), LARGE},
    {"d8-r64", THREE(8, 64), LARGE},
    {"d16-r16", THREE(16, 16), LARGE},
    {"d16-r64", THREE(16, 64), LARGE},
    {"compact", {.d = 8, .n_cross = 2, .rank = 32, .n_hidden = 2, .hidden = {128, 64}}, USUAL},
    {"main", THREE(8, 64), USUAL},
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

/// What the options ask for.
typedef struct bench_plan {
    const char *only; ///< NULL: all shapes
    number_list threads;
    number_list batches; ///< none: each shape's own
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
    *out = (bench_plan){.only = args->only, .seconds = args->seconds, .masks = !args->no_masks};
    if (!(args->seconds > 0.0 && args->seconds <= MAX_SECONDS)) {
        return br_fail(BR_ERR_INVALID, "--seconds %g is not above 0 and at most %g", args->seconds, MAX_SECONDS);
    }
    br_status status = parse_list(&out->threads, "threads", args->threads, 1, BR_MAX_TRAIN_THREADS);
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
    const number_list *batches = plan->batches.n > 0 ? &plan->batches : &of->batches;
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

static exit_code print_runs(const table *runs, output_format format)
{
    if (format != FORMAT_JSON) {
        return table_print(runs, format, stdout);
    }
    BR_AUTO_DEINIT(br_buf) out = {0};
    const char *blas = br_gemm_describe();
    br_buf_printf(&out, "{\"epoch_samples\": %d, \"blas\": ", EPOCH_SAMPLES);
    br_buf_json_string(&out, blas, strlen(blas));
    br_buf_string(&out, ",\n\"runs\": ");
    table_json(runs, &out);
    br_buf_string(&out, "}\n");
    fwrite(out.data, 1, out.failed ? 0 : out.length, stdout);
    return out.failed ? EXIT_CODE_FAILED : EXIT_CODE_OK;
}

static exit_code bench_train(const arguments *args)
{
    bench_plan plan;
    br_status status = make_plan(&plan, args);
    if (status != BR_OK) {
        fprintf(stderr, "bookrunner bench: %s\n", br_why(status));
        return EXIT_CODE_USAGE;
    }
    BR_AUTO_DEINIT(table)
    runs = {.columns = (const char *const[]){"name", "d", "rank", "layers", "hidden", "batch", "threads", "masks",
                                             "samples_per_s", "dense_equivalent_gflops", "sgemm_peak_gflops", "epoch_s",
                                             "peak_rss_mb"},
            .n_columns = 13};
    status = measure_training(&runs, &plan);
    return status == BR_OK ? print_runs(&runs, args->format) : cli_failed(status, "bench train");
}

exit_code command_bench(const arguments *args)
{
    if (strcmp(args->words[0], "train") == 0) {
        return bench_train(args);
    }
    fprintf(stderr, "bookrunner bench: use `bench train`\n");
    return EXIT_CODE_USAGE;
}
