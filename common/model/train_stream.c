#include "model/train_stream.h"

#include "base/alloc.h"
#include "metrics/metrics.h"
#include "model/learner.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/// What a plateau leaves of the learning rate, and where that ends.
static const double PLATEAU_FACTOR = 0.1, MIN_RATE = 1e-6;

typedef struct stream_training {
    br_learner learner;
    const br_stream_data *data;
    double rate;
    br_sample_batch batch; // under way
    uint64_t first;        // number of its first sample in the epoch
    uint64_t n_batches;    // of the pass under way
    uint64_t n_asked;      // of them
    // Of validation and test: [their samples].
    float *logit;
    uint8_t *label;
    float *ones; // [batch] weights
} stream_training;

static void stream_training_deinit(stream_training *it)
{
    br_learner_deinit(&it->learner);
    br_free(it->logit);
    br_free(it->label);
    br_free(it->ones);
}

// --- checks and memory ---

static br_status check_stream(const char *what, const br_sample_stream *stream, uint64_t most)
{
    if (stream->n == 0) {
        return br_fail(BR_ERR_INVALID, "training: no sample to %s", what);
    }
    if (stream->n > most) {
        return br_fail(BR_ERR_LIMIT, "training: %" PRIu64 " samples to %s, more than %" PRIu64, stream->n, what, most);
    }
    return BR_OK;
}

static uint64_t n_batches(const br_train_options *options, const br_sample_stream *stream)
{
    return stream->n / options->batch + (stream->n % options->batch > 0);
}

static br_status check(const br_model *model, const br_stream_data *data, const br_train_options *options)
{
    br_assert(model->n_bond_fields == 0);
    br_train_options used = *options;
    used.final_epochs = 0;
    used.final_learning_rate = 0.0;
    used.final_masks = (br_mask_plan){0};
    br_status status = br_train_options_check(&used);
    if (status == BR_OK) {
        status = check_stream("train on", data->train, UINT64_MAX);
    }
    // Masks, dropout and the rows that a step has seen are told apart by the number of the step.
    if (status == BR_OK && n_batches(options, data->train) > UINT32_MAX / options->max_epochs) {
        status = br_fail(BR_ERR_LIMIT, "training: %u epochs of %" PRIu64 " steps, more than %u steps",
                         options->max_epochs, n_batches(options, data->train), UINT32_MAX);
    }
    if (status == BR_OK && (data->train->n_positive == 0 || data->train->n_positive >= data->train->n)) {
        status = br_fail(BR_ERR_INVALID, "training: %" PRIu64 " of %" PRIu64 " samples are positive: one label alone",
                         data->train->n_positive, data->train->n);
    }
    if (status == BR_OK) {
        status = check_stream("validate on", data->valid, UINT32_MAX);
    }
    if (status == BR_OK && data->test != NULL) {
        status = check_stream("test on", data->test, UINT32_MAX);
    }
    return status == BR_OK ? br_model_check_finite(model) : status;
}

static br_status make_room(stream_training *it, uint32_t batch)
{
    const br_stream_data *data = it->data;
    uint64_t n = data->test != NULL && data->test->n > data->valid->n ? data->test->n : data->valid->n;
    it->logit = br_calloc(n, sizeof *it->logit);
    it->label = br_calloc(n, 1);
    it->ones = br_calloc(batch, sizeof *it->ones);
    if (it->logit == NULL || it->label == NULL || it->ones == NULL) {
        return br_no_memory("logits", n);
    }
    for (uint32_t i = 0; i < batch; i++) {
        it->ones[i] = 1.0f;
    }
    return BR_OK;
}

// --- batches ---

static br_status start(stream_training *it, const br_sample_stream *stream)
{
    it->n_batches = n_batches(it->learner.options, stream);
    it->n_asked = 0;
    it->batch.n = 0;
    it->first = 0;
    uint64_t most = stream->n / it->n_batches + (stream->n % it->n_batches > 0);
    return stream->start(stream->context, it->learner.epoch, (uint32_t)most);
}

/// How many samples the next batch has. All have nearly the same: no short last one with a noisy gradient, and none of a single sample,
/// which batch norm would take to zeros.
static uint32_t next_size(stream_training *it, const br_sample_stream *stream)
{
    uint64_t left_over = stream->n % it->n_batches;
    return (uint32_t)(stream->n / it->n_batches + (it->n_asked++ < left_over));
}

static br_status check_codes(const stream_training *it)
{
    const br_model *model = it->learner.model;
    for (uint32_t t = 0; t < it->batch.n; t++) {
        const uint32_t *codes = it->batch.codes + (size_t)t * model->n_fields;
        for (uint32_t j = 0; j < model->n_fields; j++) {
            if (codes[j] >= model->fields[j].n_values) {
                return br_fail(BR_ERR_INVALID, "training: sample %" PRIu64 ", field %u: code %u of %u values",
                               it->first + t, j, codes[j], model->fields[j].n_values);
            }
        }
    }
    return BR_OK;
}

/// Bring the next batch. BR_ERR_AGAIN when exactly the promised samples have come.
static br_status next(stream_training *it, const br_sample_stream *stream)
{
    it->first += it->batch.n;
    it->batch.n = 0;
    bool complete = it->first == stream->n;
    uint32_t n = complete ? 1 : next_size(it, stream);
    br_status status = stream->next(stream->context, n, &it->batch);
    bool more = status == BR_OK && complete;
    bool fewer = status == BR_OK ? it->batch.n < n : status == BR_ERR_AGAIN && !complete;
    if (more || fewer) {
        return br_fail(BR_ERR_INVALID, "training: a stream of %" PRIu64 " samples has %s", stream->n,
                       more ? "more" : "fewer");
    }
    if (status != BR_OK) {
        return status;
    }
    br_assert(it->batch.n == n);
    return check_codes(it);
}

/// Samples of the batch under way; where labels are wanted, it is training.
static void load_samples(void *context, uint32_t worker, size_t from, size_t n, uint32_t *row, uint8_t *label,
                         float *weight)
{
    const stream_training *it = context;
    const br_model *model = it->learner.model;
    for (size_t t = 0; t < n; t++) {
        size_t sample = from + t;
        const uint32_t *codes = it->batch.codes + sample * model->n_fields;
        const uint8_t *masked = NULL;
        if (label != NULL) {
            masked = br_learner_mask(&it->learner, worker, it->first + sample, &it->learner.options->masks);
            label[t] = it->batch.labels[sample];
            weight[t] = 1.0f / (float)it->batch.n;
        }
        for (uint32_t j = 0; j < model->n_fields; j++) {
            bool hidden = masked != NULL && masked[j] != 0;
            row[t * model->n_fields + j] = (uint32_t)model->row_of[j] + (hidden ? model->fields[j].n_values : codes[j]);
        }
    }
}

// --- passes ---

static br_status run_epoch(stream_training *it)
{
    const br_sample_stream *stream = it->data->train;
    br_sample_source samples = {it, load_samples};
    br_learner_begin(&it->learner, n_batches(it->learner.options, stream));
    br_status status = start(it, stream);
    while (status == BR_OK && (status = next(it, stream)) == BR_OK) {
        status = br_learner_step(&it->learner, &samples, it->batch.n, 0.0, it->rate);
    }
    return status == BR_ERR_AGAIN ? BR_OK : status;
}

static br_status evaluate(stream_training *it, const br_sample_stream *stream, double *log_loss_out, double *auc_out)
{
    br_sample_source samples = {it, load_samples};
    double loss = 0.0;
    br_status status = start(it, stream);
    while (status == BR_OK && (status = next(it, stream)) == BR_OK) {
        float *logit = it->logit + it->first;
        br_network_logits(it->learner.network, &samples, it->batch.n, logit);
        memcpy(it->label + it->first, it->batch.labels, it->batch.n);
        loss += br_loss(NULL, logit, it->batch.labels, it->ones, it->batch.n, 0.0);
    }
    if (status != BR_ERR_AGAIN) {
        return status;
    }
    *log_loss_out = loss / (double)stream->n;
    if (!isfinite(loss)) { // br_auc() takes no NAN
        *auc_out = (double)NAN;
        return BR_OK;
    }
    return br_auc(auc_out, it->logit, it->label, stream->n);
}

static br_status run_epochs(stream_training *it, br_stream_report *report)
{
    br_learner *learner = &it->learner;
    const br_train_options *options = learner->options;
    it->rate = options->learning_rate;
    while (learner->epoch < options->max_epochs && learner->stale < options->patience) {
        double log_loss, auc;
        br_status status = run_epoch(it);
        if (status == BR_OK) {
            status = evaluate(it, it->data->valid, &log_loss, &auc);
        }
        if (status == BR_OK) {
            status = br_learner_judge(learner, log_loss, auc, auc);
        }
        if (status != BR_OK) {
            return status;
        }
        learner->epoch++;
        if (learner->stale == 0) {
            report->valid_log_loss = log_loss;
            report->valid_auc = auc;
        } else {
            it->rate = fmax(PLATEAU_FACTOR * it->rate, fmin(MIN_RATE, options->learning_rate));
        }
    }
    return br_learner_finish(learner);
}

br_status br_train_stream(br_model *model, const br_stream_data *data, const br_train_options *options,
                          br_train_watcher watcher, void *context, br_stream_report *report_out)
{
    br_status status = check(model, data, options);
    if (status != BR_OK) {
        return status;
    }
    BR_AUTO_DEINIT(stream_training) it = {.data = data};
    br_stream_report report = {.test_log_loss = (double)NAN, .test_auc = (double)NAN};
    status = br_learner_init(&it.learner, model, options, watcher, context);
    if (status == BR_OK) {
        status = make_room(&it, options->batch);
    }
    if (status != BR_OK) {
        return status;
    }
    it.learner.progress.samples_total = data->train->n * options->max_epochs;
    br_learner_set_base_rate(&it.learner, (double)data->train->n_positive,
                             (double)(data->train->n - data->train->n_positive));
    status = run_epochs(&it, &report);
    if (status == BR_OK && data->test != NULL) {
        status = evaluate(&it, data->test, &report.test_log_loss, &report.test_auc);
    }
    report.epochs = it.learner.epoch;
    report.best_epoch = it.learner.best_epoch;
    report.samples = it.learner.progress.samples_done;
    if (status == BR_OK && report_out != NULL) {
        *report_out = report;
    }
    return status;
}
