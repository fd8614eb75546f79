// Goal: training on a stream learns, stops, fails and cancels as its header says. Method: generated rows with a logistic truth over a
// tabled and two gathered fields, kept in memory and given out in batches.

#include "base/alloc.h"
#include "base/rng.h"
#include "linalg/gemm.h"
#include "metrics/metrics.h"
#include "model/train_stream.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { N_FIELDS = 3, N_TRAIN = 40000, N_VALID = 4000 };

static const uint32_t n_values[N_FIELDS] = {5, 700, 900};
static const br_model_config config = {.d = 4, .n_cross = 1, .rank = 3, .n_hidden = 1, .hidden = {16}};

typedef struct rows {
    uint32_t n;
    uint32_t *codes; // [n, N_FIELDS]
    uint8_t *labels; // [n]
    float *truth;    // [n] log-odds
    uint32_t at, max_rows;
    uint32_t n_starts;
    uint32_t largest, smallest; // batches given out
    uint32_t fail_at;           // row; 0 = never
    uint32_t missing;           // rows that do not come
} rows;

static double truth(const uint32_t *codes)
{
    return -0.5 + (codes[0] == 1 ? 1.5 : 0.0) + (codes[1] % 2 == 0 ? 1.0 : -1.0) +
           (codes[2] % 3 == codes[0] % 3 ? 1.0 : 0.0);
}

static rows rows_new(uint32_t n, uint32_t part)
{
    rows it = {.n = n};
    it.codes = br_calloc((size_t)n * N_FIELDS, sizeof *it.codes);
    it.labels = br_calloc(n, 1);
    it.truth = br_calloc(n, sizeof *it.truth);
    br_rng rng = br_rng_at(17, BR_STREAM_TEST, part, 0);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t *codes = it.codes + (size_t)i * N_FIELDS;
        for (uint32_t j = 0; j < N_FIELDS; j++) {
            // A tenth of the values makes up most of the rows.
            codes[j] = br_rng_below(&rng, br_rng_below(&rng, 8) == 0 || j == 0 ? n_values[j] : n_values[j] / 10);
        }
        it.truth[i] = (float)truth(codes);
        it.labels[i] = br_rng_uniform(&rng) < 1.0 / (1.0 + exp(-(double)it.truth[i]));
    }
    return it;
}

static void rows_deinit(rows *it)
{
    br_free(it->codes);
    br_free(it->labels);
    br_free(it->truth);
}

static br_status start(void *context, uint32_t epoch, uint32_t max_rows)
{
    (void)epoch;
    rows *it = context;
    it->at = 0;
    it->max_rows = max_rows;
    it->n_starts++;
    return BR_OK;
}

static br_status next(void *context, uint32_t n_rows, br_sample_batch *out)
{
    rows *it = context;
    cr_assert(n_rows > 0 && n_rows <= it->max_rows);
    uint32_t n = it->n - it->missing - it->at;
    n = n < n_rows ? n : n_rows;
    if (n == 0) {
        return BR_ERR_AGAIN;
    }
    if (it->fail_at > 0 && it->at + n > it->fail_at) {
        return br_fail(BR_ERR_IO, "row %u is gone", it->fail_at);
    }
    it->largest = n > it->largest ? n : it->largest;
    it->smallest = it->smallest == 0 || n < it->smallest ? n : it->smallest;
    *out = (br_sample_batch){n, it->codes + (size_t)it->at * N_FIELDS, it->labels + it->at};
    it->at += n;
    return BR_OK;
}

static br_sample_stream stream_of(rows *it)
{
    br_sample_stream stream = {.context = it, .n = it->n, .start = start, .next = next};
    for (uint32_t i = 0; i < it->n; i++) {
        stream.n_positive += it->labels[i];
    }
    return stream;
}

typedef struct bench {
    rows rows[3];
    br_sample_stream streams[3];
    br_stream_data data;
    br_model *model;
    br_train_options options;
} bench;

static void bench_init(bench *it, bool maskable)
{
    cr_assert_eq(br_gemm_start(), BR_OK);
    br_model_field fields[N_FIELDS];
    for (uint32_t j = 0; j < N_FIELDS; j++) {
        fields[j] = (br_model_field){n_values[j], maskable};
    }
    for (uint32_t k = 0; k < 3; k++) {
        it->rows[k] = rows_new(k == 0 ? N_TRAIN : N_VALID, k);
        it->streams[k] = stream_of(&it->rows[k]);
    }
    it->data = (br_stream_data){&it->streams[0], &it->streams[1], &it->streams[2]};
    it->model = NULL;
    cr_assert_eq(br_model_new(&it->model, &config, fields, N_FIELDS, 0), BR_OK);
    br_model_init(it->model, 3);
    it->options = br_train_options_default();
    it->options.batch = 512;
    it->options.learning_rate = 5e-3;
    it->options.max_epochs = 4;
    it->options.final_epochs = 0;
    it->options.patience = 2;
    it->options.l2 = 1e-6;
}

static void bench_deinit(bench *it)
{
    br_model_free(&it->model);
    for (uint32_t k = 0; k < 3; k++) {
        rows_deinit(&it->rows[k]);
    }
}

static br_status train(bench *it, br_train_watcher watcher, void *context, br_stream_report *report)
{
    return br_train_stream(it->model, &it->data, &it->options, watcher, context, report);
}

Test(model_train_stream, comes_near_the_truth_and_reports_the_best_epoch)
{
    bench it;
    bench_init(&it, false);
    br_stream_report report;
    cr_assert_eq(train(&it, NULL, NULL, &report), BR_OK);
    double best = 0.0;
    cr_assert_eq(br_auc(&best, it.rows[2].truth, it.rows[2].labels, N_VALID), BR_OK);
    cr_assert_gt(report.test_auc, best - 0.03, "%g of %g", report.test_auc, best);
    cr_assert_lt(report.test_log_loss, 0.6);
    cr_assert_eq(report.samples, (uint64_t)report.epochs * N_TRAIN);
    cr_assert(report.best_epoch >= 1 && report.best_epoch <= report.epochs);
    // 40,000 in 79 steps, not 78 of 512 and one of 64.
    cr_assert(it.rows[0].largest == 507 && it.rows[0].smallest == 506);
    cr_assert_eq(it.rows[0].n_starts, report.epochs);
    // What is in the model is what was reported: another pass without a step gives the same figures.
    bench again = it;
    br_stream_report same;
    again.options.learning_rate = 1e-12;
    again.options.max_epochs = 1;
    again.options.l2 = 0.0;
    cr_assert_eq(train(&again, NULL, NULL, &same), BR_OK);
    cr_assert_float_eq(same.valid_auc, report.valid_auc, 1e-6);
    cr_assert_float_eq(same.valid_log_loss, report.valid_log_loss, 1e-6);
    bench_deinit(&it);
}

Test(model_train_stream, no_step_is_of_a_single_sample)
{
    for (uint32_t n = 50; n < 70; n++) { // 57 in steps of 8 or less: not seven of 8 and one sample
        bench it;
        bench_init(&it, false);
        it.rows[0].n = n;
        it.streams[0] = stream_of(&it.rows[0]);
        it.options.batch = 8;
        it.options.max_epochs = 1;
        it.options.batch_norm = true;
        br_stream_report report;
        cr_assert_eq(train(&it, NULL, NULL, &report), BR_OK);
        cr_assert_eq(report.samples, n);
        cr_assert(it.rows[0].largest <= 8 && it.rows[0].smallest + 1 >= it.rows[0].largest, "%u: %u to %u", n,
                  it.rows[0].smallest, it.rows[0].largest);
        bench_deinit(&it);
    }
}

Test(model_train_stream, parameters_do_not_depend_on_the_number_of_threads)
{
    float *first = NULL;
    for (uint32_t n_threads = 1; n_threads <= 4; n_threads *= 2) {
        bench it;
        bench_init(&it, true);
        it.options.n_threads = n_threads;
        it.options.max_epochs = 1;
        it.options.dropout = 0.2;
        it.options.batch_norm = true;
        cr_assert_eq(train(&it, NULL, NULL, NULL), BR_OK);
        size_t n_bytes = it.model->n_parameters * sizeof(float);
        if (first == NULL) {
            first = br_memdup(it.model->parameters, n_bytes);
        }
        cr_assert_eq(memcmp(first, it.model->parameters, n_bytes), 0);
        bench_deinit(&it);
    }
    br_free(first);
}

Test(model_train_stream, with_dropout_and_batch_norm_what_is_left_in_the_model_is_plain)
{
    bench it;
    bench_init(&it, false);
    it.options.dropout = 0.1;
    it.options.batch_norm = true;
    br_stream_report report, same;
    cr_assert_eq(train(&it, NULL, NULL, &report), BR_OK);
    double best = 0.0;
    cr_assert_eq(br_auc(&best, it.rows[2].truth, it.rows[2].labels, N_VALID), BR_OK);
    cr_assert_gt(report.test_auc, best - 0.04, "%g of %g", report.test_auc, best);
    it.options =
        (br_train_options){.batch = 512, .n_threads = 1, .max_epochs = 1, .patience = 1, .learning_rate = 1e-12};
    cr_assert_eq(train(&it, NULL, NULL, &same), BR_OK);
    cr_assert_float_eq(same.valid_log_loss, report.valid_log_loss, 1e-5);
    cr_assert_float_eq(same.test_auc, report.test_auc, 1e-4);
    bench_deinit(&it);
}

Test(model_train_stream, where_fields_can_be_masked_the_masks_embeddings_are_learned)
{
    for (int maskable = 0; maskable <= 1; maskable++) {
        bench it;
        bench_init(&it, maskable != 0);
        it.options.masks = (br_mask_plan){.algorithm1 = 1.0};
        cr_assert_eq(train(&it, NULL, NULL, NULL), BR_OK);
        cr_assert_eq(it.model->row_of[1], n_values[0] + (uint32_t)maskable);
        if (maskable != 0) {
            // With all fields hidden the logit is that of the base rate.
            const uint8_t codes[N_FIELDS] = {0}, masked[N_FIELDS] = {1, 1, 1};
            double p = 1.0 / (1.0 + exp(-br_model_logit_plain(it.model, NULL, codes, masked)));
            cr_assert_float_eq(p, (double)it.streams[0].n_positive / N_TRAIN, 0.03, "%g", p);
        }
        bench_deinit(&it);
    }
}

typedef struct watched {
    br_model *model;
    uint32_t n_calls;
    uint32_t stop_at; // call
    uint32_t nan_at;  // call
    uint32_t epochs;
    float last;
    double moved[64]; // by the bias in each epoch
} watched;

static bool watch(void *context, const br_train_progress *progress)
{
    watched *it = context;
    it->n_calls++;
    if (progress->epoch > it->epochs) {
        it->epochs = progress->epoch;
    } else if (it->epochs < 64) {
        it->moved[it->epochs] += fabs((double)(it->model->bias[0] - it->last));
    }
    it->last = it->model->bias[0];
    if (it->n_calls == it->nan_at) {
        it->model->w_deep[0] = NAN;
    }
    return it->n_calls != it->stop_at;
}

Test(model_train_stream, the_rate_falls_on_a_plateau_and_patience_ends_it)
{
    bench it;
    bench_init(&it, false);
    // It overfits at once.
    it.streams[0].n = it.rows[0].n = 600;
    it.streams[0] = stream_of(&it.rows[0]);
    it.options.batch = 8;
    it.options.learning_rate = 0.05;
    it.options.max_epochs = 60;
    it.options.patience = 3;
    watched seen = {.model = it.model};
    br_stream_report report;
    cr_assert_eq(train(&it, watch, &seen, &report), BR_OK);
    cr_assert_eq(report.epochs, report.best_epoch + 3);
    cr_assert_lt(report.epochs, 20);
    // Behind the first stale epoch steps are a tenth, behind the second a hundredth.
    cr_assert_lt(seen.moved[report.epochs - 1], 0.05 * seen.moved[report.best_epoch]);
    bench_deinit(&it);
}

Test(model_train_stream, a_watcher_cancels_and_a_nan_ends_it_with_its_place)
{
    bench it;
    bench_init(&it, false);
    watched seen = {.model = it.model, .stop_at = 85};
    cr_assert_eq(train(&it, watch, &seen, NULL), BR_ERR_CANCELLED);
    cr_assert_eq(seen.n_calls, 85);
    cr_assert_not_null(strstr(br_why(BR_ERR_CANCELLED), "epoch 2, step 5 of 79"), "%s", br_why(BR_ERR_CANCELLED));
    seen = (watched){.model = it.model, .nan_at = 7};
    cr_assert_eq(train(&it, watch, &seen, NULL), BR_ERR_INVALID);
    cr_assert_not_null(strstr(br_why(BR_ERR_INVALID), "epoch 1, step 8 of 79"), "%s", br_why(BR_ERR_INVALID));
    bench_deinit(&it);
}

static void expect(bench *it, br_status status, const char *reason)
{
    cr_assert_eq(train(it, NULL, NULL, NULL), status, "%s", reason);
    cr_assert_not_null(strstr(br_why(status), reason), "%s", br_why(status));
}

Test(model_train_stream, what_is_wrong_with_a_stream_is_said)
{
    bench it;
    bench_init(&it, false);
    it.rows[0].fail_at = 5000;
    expect(&it, BR_ERR_IO, "row 5000 is gone");
    it.rows[0].fail_at = 0;
    it.rows[0].missing = 1;
    expect(&it, BR_ERR_INVALID, "fewer");
    it.rows[0].missing = 0;
    it.streams[1].n--;
    expect(&it, BR_ERR_INVALID, "more");
    it.streams[1].n = 0;
    expect(&it, BR_ERR_INVALID, "no sample to validate on");
    it.streams[1].n = (uint64_t)1 << 33;
    expect(&it, BR_ERR_LIMIT, "validate");
    it.streams[1].n = N_VALID;
    it.streams[0].n = (uint64_t)1 << 40;
    it.options.max_epochs = 2;
    expect(&it, BR_ERR_LIMIT, "2 epochs of 2147483648 steps");
    it.streams[0].n = N_TRAIN;
    it.streams[0].n_positive = 0;
    expect(&it, BR_ERR_INVALID, "one label alone");
    it.streams[0] = stream_of(&it.rows[0]);
    it.rows[0].codes[700 * N_FIELDS + 1] = 700;
    expect(&it, BR_ERR_INVALID, "sample 700, field 1: code 700 of 700 values");
    it.rows[0].codes[700 * N_FIELDS + 1] = 0;
    memset(it.rows[1].labels, 1, N_VALID);
    expect(&it, BR_ERR_INVALID, "AUC is not finite after epoch 1");
    bench_deinit(&it);
}

Test(model_train_stream, every_failing_allocation_is_reported_and_leaves_nothing)
{
    bench it;
    bench_init(&it, true);
    it.options.max_epochs = 1;
    it.options.batch = 8;
    for (int k = 0; k < 3; k++) {
        it.rows[k].n = 64;
        it.streams[k] = stream_of(&it.rows[k]);
    }
    size_t live = br_alloc_live();
    br_status status = BR_ERR_NO_MEMORY;
    for (size_t n = 0; status != BR_OK; n++) {
        br_alloc_fail_after(n);
        status = train(&it, NULL, NULL, NULL);
        br_alloc_fail_after(SIZE_MAX);
        cr_assert(status == BR_OK || status == BR_ERR_NO_MEMORY);
        cr_assert_eq(br_alloc_live(), live);
        cr_assert(status != BR_OK || n > 40);
    }
    bench_deinit(&it);
}
