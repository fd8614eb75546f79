#include "model/train.h"

#include "base/alloc.h"
#include "model/evaluate.h"
#include "model/layers.h"
#include "model/network.h"
#include "model/sampler.h"
#include "model/workers.h"

#include <math.h>
#include <string.h>

enum {
    MAX_EPOCHS = 10000,
    UPDATE_PIECE = 8192, // parameters that one worker updates at a time
};

br_train_options br_train_options_default(void)
{
    return (br_train_options){
        .seed = 1,
        .batch = 512,
        .n_threads = 1,
        .max_epochs = 10,
        .final_epochs = 4,
        .patience = 3,
        .negatives_per_positive = 4.0,
        .learning_rate = 1.5e-3,
        .final_learning_rate = 1e-4,
        .l2 = 0.0,
        .masks = {.algorithm1 = 1.0, .few = 0.0, .few_max = 20},
        .final_masks = {.algorithm1 = 0.5, .few = 0.25, .few_max = 20},
        .calibration = BR_CALIBRATION_AUTO,
    };
}

static br_status check_number(const char *name, double value, double low, double high)
{
    if (!(value >= low && value <= high)) {
        return br_fail(BR_ERR_INVALID, "training: %s is %g, not %g to %g", name, value, low, high);
    }
    return BR_OK;
}

static br_status check_plan(const char *name, const br_mask_plan *plan)
{
    if (!(plan->algorithm1 >= 0.0 && plan->few >= 0.0 && plan->algorithm1 + plan->few <= 1.0)) {
        return br_fail(BR_ERR_INVALID, "training: %s has shares %g and %g, not two of a whole", name, plan->algorithm1,
                       plan->few);
    }
    if (plan->few > 0.0 && plan->few_max == 0) {
        return br_fail(BR_ERR_INVALID, "training: %s shows few fields, but few_max is 0", name);
    }
    return BR_OK;
}

br_status br_train_options_check(const br_train_options *options)
{
    const struct {
        const char *name;
        double value, low, high;
    } numbers[] = {
        {"batch", options->batch, BR_MIN_BATCH, BR_MAX_BATCH},
        {"n_threads", options->n_threads, 1, BR_MAX_TRAIN_THREADS},
        {"max_epochs", options->max_epochs, 1, MAX_EPOCHS},
        {"final_epochs", options->final_epochs, 0, options->max_epochs},
        {"patience", options->patience, 1, MAX_EPOCHS},
        {"negatives_per_positive", options->negatives_per_positive, 0, 1e9},
        {"learning_rate", options->learning_rate, 1e-12, 10},
        {"final_learning_rate", options->final_learning_rate, 0, options->learning_rate},
        {"l2", options->l2, 0, 10},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        br_status status = check_number(numbers[i].name, numbers[i].value, numbers[i].low, numbers[i].high);
        if (status != BR_OK) {
            return status;
        }
    }
    br_status status = check_plan("masks", &options->masks);
    return status == BR_OK ? check_plan("final_masks", &options->final_masks) : status;
}

/// Everything a training holds; made once, so that steps allocate nothing.
typedef struct learner {
    br_model *model;
    const br_dataset *train;
    const br_train_options *options;
    br_sampler *sampler;
    br_evaluator *evaluator;
    br_workers *workers;
    br_network *network;
    uint8_t *masked;    // [n_threads, n_investor_fields]
    uint32_t *maskable; // [n_maskable] among the investor fields
    uint32_t n_maskable;
    br_adam adam;
    float *best; // [n_parameters]
    // The step under way.
    uint32_t epoch;
    size_t from, until; // in the sampler's order
    const br_mask_plan *plan;
    double rate;
    // What the watcher is told.
    br_train_watcher watcher;
    void *watcher_context;
    br_train_progress progress;
} learner;

static void learner_deinit(learner *it)
{
    br_network_free(&it->network);
    br_workers_free(&it->workers);
    br_sampler_free(&it->sampler);
    br_evaluator_free(&it->evaluator);
    br_free(it->masked);
    br_free(it->maskable);
    br_free(it->adam.m);
    br_free(it->adam.v);
    br_free(it->best);
}

static br_status make_blocks(learner *it)
{
    const br_model *model = it->model;
    it->adam.m = br_calloc_aligned(model->n_parameters, sizeof(float));
    it->adam.v = br_calloc_aligned(model->n_parameters, sizeof(float));
    it->best = br_calloc_aligned(model->n_parameters, sizeof(float));
    if (it->adam.m == NULL || it->adam.v == NULL || it->best == NULL) {
        return br_no_memory("parameters' moments", model->n_parameters);
    }
    return BR_OK;
}

static br_status make_masks(learner *it)
{
    const br_model *model = it->model;
    uint32_t n_investor = model->n_fields - model->n_bond_fields;
    it->masked = br_calloc((size_t)it->options->n_threads * n_investor, 1);
    it->maskable = br_calloc(n_investor, sizeof *it->maskable);
    if (it->masked == NULL || it->maskable == NULL) {
        return br_no_memory("masks", n_investor);
    }
    for (uint32_t j = 0; j < n_investor; j++) {
        if (model->fields[model->n_bond_fields + j].maskable) {
            it->maskable[it->n_maskable++] = j;
        }
    }
    return BR_OK;
}

static br_status learner_init(learner *it, const br_dataset *valid)
{
    const br_train_options *options = it->options;
    br_status status = br_sampler_new(&it->sampler, it->train, options->negatives_per_positive);
    if (status == BR_OK && valid != NULL) {
        status = br_evaluator_new(&it->evaluator, valid, BR_MAX_VALID_SAMPLES, options->seed);
    }
    if (status == BR_OK) {
        status = make_blocks(it);
    }
    if (status == BR_OK) {
        status = make_masks(it);
    }
    if (status == BR_OK) {
        status = br_workers_new(&it->workers, options->n_threads);
    }
    if (status == BR_OK) {
        status = br_network_new(&it->network, it->model, it->workers, options->batch);
    }
    return status;
}

static br_status check_codes(const char *what, const uint8_t *codes, size_t n_rows, const br_model_field *fields,
                             uint32_t n_fields)
{
    for (size_t row = 0; row < n_rows; row++) {
        for (uint32_t j = 0; j < n_fields; j++) {
            if (codes[row * n_fields + j] >= fields[j].n_values) {
                return br_fail(BR_ERR_INVALID, "training: %s row %zu, field %u: code %u of %u values", what, row, j,
                               codes[row * n_fields + j], fields[j].n_values);
            }
        }
    }
    return BR_OK;
}

/// Do the data speak of this model's fields?
static br_status check_dataset(const br_model *model, const br_dataset *dataset)
{
    if (dataset->n_bond_fields != model->n_bond_fields ||
        dataset->n_bond_fields + dataset->n_investor_fields != model->n_fields) {
        return br_fail(BR_ERR_INVALID, "training: data of %u + %u fields, model of %u + %u", dataset->n_bond_fields,
                       dataset->n_investor_fields, model->n_bond_fields, model->n_fields - model->n_bond_fields);
    }
    if (!(dataset->negative_keep > 0.0 && dataset->negative_keep <= 1.0)) {
        return br_fail(BR_ERR_INVALID, "training: negatives kept with probability %g", dataset->negative_keep);
    }
    br_status status = check_codes("bond", dataset->bond_codes, dataset->n_bonds, model->fields, model->n_bond_fields);
    if (status == BR_OK) {
        status = check_codes("investor", dataset->investor_codes, dataset->n_rows, model->fields + model->n_bond_fields,
                             dataset->n_investor_fields);
    }
    return status;
}

/// Samples of the step under way, under this epoch's masks.
static void load_samples(void *context, uint32_t worker, size_t from, size_t n, uint32_t *row, uint8_t *label,
                         float *weight)
{
    const learner *it = context;
    const br_model *model = it->model;
    const br_dataset *train = it->train;
    uint8_t *masked = it->masked + (size_t)worker * train->n_investor_fields;
    for (size_t t = 0; t < n; t++) {
        uint32_t sample = it->sampler->order[it->from + from + t];
        br_rng rng = br_rng_at(it->options->seed, BR_STREAM_MASKS, it->epoch, sample);
        br_mask_draw(masked, train->n_investor_fields, it->maskable, it->n_maskable, it->plan, &rng);
        br_embedding_rows(row + t * model->n_fields, model,
                          train->bond_codes + (size_t)train->bond_of[sample] * train->n_bond_fields,
                          train->investor_codes + (size_t)train->row_of[sample] * train->n_investor_fields, masked);
        double bond_weight = train->bond_weights == NULL ? 1.0 : (double)train->bond_weights[train->bond_of[sample]];
        label[t] = train->label[sample];
        weight[t] = (float)(bond_weight / (double)(it->until - it->from));
    }
}

/// Adam on the rows of one field's embeddings and linear weights; the l2 term is the embeddings' alone. Rows of a gathered field that
/// the step has not seen keep their values and moments.
static void update_rows(learner *it, uint32_t field)
{
    br_model *model = it->model;
    const float *gradient = br_network_last_gradient(it->network)->parameters;
    size_t d = model->config.d;
    size_t linear = model->linear == NULL ? 0 : (size_t)(model->linear - model->parameters);
    size_t n_touched = 0;
    const uint32_t *touched = br_network_touched(it->network, field, &n_touched);
    size_t n_spans = touched == NULL ? 1 : n_touched;
    for (size_t i = 0; i < n_spans; i++) {
        size_t from = touched == NULL ? model->row_of[field] : touched[i];
        size_t until = touched == NULL ? model->row_of[field + 1] : from + 1;
        br_adam_step(model->parameters, &it->adam, gradient, from * d, until * d, it->rate, it->options->l2);
        if (model->linear != NULL) {
            br_adam_step(model->parameters, &it->adam, gradient, linear + from, linear + until, it->rate, 0.0);
        }
    }
}

/// Parameters before the first that is not of a row.
static size_t n_row_parameters(const br_model *model)
{
    return model->row_of[model->n_fields] * (model->config.d + (model->linear == NULL ? 0 : 1));
}

/// Adam on one field's rows or on one piece of the other parameters.
static void work_update(void *context, uint32_t worker, uint32_t item)
{
    (void)worker;
    learner *it = context;
    br_model *model = it->model;
    if (item < model->n_fields) {
        update_rows(it, item);
        return;
    }
    size_t from = n_row_parameters(model) + (size_t)(item - model->n_fields) * UPDATE_PIECE;
    size_t until = from + UPDATE_PIECE < model->n_parameters ? from + UPDATE_PIECE : model->n_parameters;
    br_adam_step(model->parameters, &it->adam, br_network_last_gradient(it->network)->parameters, from, until, it->rate,
                 0.0);
}

static bool tell(learner *it)
{
    return it->watcher == NULL || it->watcher(it->watcher_context, &it->progress);
}

/// The learning rate `done` of the way through the epoch.
static double rate_at(const learner *it, uint32_t final_from, double done)
{
    const br_train_options *options = it->options;
    if (it->epoch < final_from) {
        return options->learning_rate;
    }
    double part = ((double)(it->epoch - final_from) + done) / options->final_epochs;
    return options->final_learning_rate +
           0.5 * (options->learning_rate - options->final_learning_rate) * (1.0 + cos(3.14159265358979323846 * part));
}

/// One pass over the epoch's samples; `final_from` is the first epoch of the last phase.
static br_status run_epoch(learner *it, uint32_t final_from)
{
    const br_train_options *options = it->options;
    br_model *model = it->model;
    br_sampler_epoch(it->sampler, options->seed, it->epoch);
    it->plan = it->epoch < final_from ? &options->masks : &options->final_masks;
    size_t n = it->sampler->n_order;
    size_t n_steps = (n + options->batch - 1) / options->batch;
    size_t n_others = model->n_parameters - n_row_parameters(model);
    uint32_t n_updates = model->n_fields + (uint32_t)((n_others + UPDATE_PIECE - 1) / UPDATE_PIECE);
    br_sample_source samples = {it, load_samples};
    double offset = -log(it->sampler->negative_keep);
    double loss_sum = 0.0;
    for (size_t step = 0; step < n_steps; step++) {
        // Steps of nearly equal size: no short last batch with a noisy gradient.
        it->from = n * step / n_steps;
        it->until = n * (step + 1) / n_steps;
        size_t n_batch = it->until - it->from;
        loss_sum += br_network_gradient(it->network, &samples, n_batch, offset) * (double)n_batch;
        if (!isfinite(loss_sum)) {
            return br_fail(BR_ERR_INVALID, "training: the loss is not finite in epoch %u, step %zu of %zu",
                           it->epoch + 1, step + 1, n_steps);
        }
        it->adam.step++;
        it->rate = rate_at(it, final_from, (double)step / (double)n_steps);
        br_workers_run(it->workers, work_update, it, n_updates);
        it->progress.samples_done += it->until - it->from;
        it->progress.train_log_loss = loss_sum / (double)it->until;
        if (!tell(it)) {
            return br_fail(BR_ERR_CANCELLED, "training: cancelled in epoch %u, step %zu of %zu", it->epoch + 1,
                           step + 1, n_steps);
        }
    }
    return BR_OK;
}

/// A fresh model starts at the base rate.
static void set_base_rate(br_model *model, const learner *it)
{
    if (model->bias[0] == 0.0f) {
        double negatives = (double)it->sampler->n_negatives / it->train->negative_keep;
        model->bias[0] = (float)log((double)it->sampler->n_positives / negatives);
    }
}

/// Both phases; on success the best epoch's parameters are in the model.
static br_status run_epochs(learner *it, br_train_report *report)
{
    const br_train_options *options = it->options;
    size_t n_bytes = it->model->n_parameters * sizeof(float);
    uint32_t final_from = options->max_epochs - options->final_epochs;
    uint32_t stale = 0;
    double best = (double)INFINITY;
    for (it->epoch = 0; it->epoch < final_from + options->final_epochs; it->epoch++) {
        br_status status = run_epoch(it, final_from);
        if (status != BR_OK) {
            return status;
        }
        br_evaluator_run(it->evaluator, it->network);
        double loss = br_evaluator_log_loss(it->evaluator, NULL);
        it->progress.epoch = it->epoch + 1;
        it->progress.valid_log_loss = loss;
        if (!isfinite(loss)) {
            return br_fail(BR_ERR_INVALID, "training: the validation loss is not finite after epoch %u", it->epoch + 1);
        }
        status = br_evaluator_auc(it->evaluator, &it->progress.valid_auc);
        if (status != BR_OK) {
            return status;
        }
        stale++;
        if (loss < best) {
            best = loss;
            stale = 0;
            report->best_epoch = it->epoch + 1;
            memcpy(it->best, it->model->parameters, n_bytes);
        }
        if (!tell(it)) {
            return br_fail(BR_ERR_CANCELLED, "training: cancelled after epoch %u", it->epoch + 1);
        }
        if (stale >= options->patience) {
            if (it->epoch >= final_from || options->final_epochs == 0) {
                it->epoch++;
                break;
            }
            final_from = it->epoch + 1;
            stale = 0;
        }
    }
    report->epochs = it->epoch;
    memcpy(it->model->parameters, it->best, n_bytes);
    return br_model_check_finite(it->model);
}

/// All epochs; the last one's parameters stay in the model.
static br_status run_fixed_epochs(learner *it, br_train_report *report)
{
    const br_train_options *options = it->options;
    for (it->epoch = 0; it->epoch < options->max_epochs; it->epoch++) {
        br_status status = run_epoch(it, options->max_epochs - options->final_epochs);
        if (status != BR_OK) {
            return status;
        }
        it->progress.epoch = it->epoch + 1;
    }
    report->epochs = it->epoch;
    report->best_epoch = it->epoch;
    report->samples = it->progress.samples_done;
    return br_model_check_finite(it->model);
}

/// Calibration and figures of the model as it is now.
static br_status conclude(learner *it, br_calibration *calibration_out, br_train_report *report)
{
    br_evaluator *evaluator = it->evaluator;
    br_evaluator_run(evaluator, it->network);
    br_status status =
        br_evaluator_calibrate(evaluator, it->options->calibration, calibration_out, &report->calibrated);
    if (status != BR_OK) {
        return status;
    }
    report->samples = it->progress.samples_done;
    report->valid_log_loss = br_evaluator_log_loss(evaluator, calibration_out);
    return br_evaluator_auc(evaluator, &report->valid_auc);
}

/// Both ways to train; `valid` may be NULL.
static br_status train_model(br_model *model, const br_dataset *train, const br_dataset *valid,
                             const br_train_options *options, br_train_watcher watcher, void *context,
                             br_calibration *calibration_out, br_train_report *report_out)
{
    br_status status = br_train_options_check(options);
    if (status == BR_OK) {
        status = check_dataset(model, train);
    }
    if (status == BR_OK && valid != NULL) {
        status = check_dataset(model, valid);
    }
    if (status == BR_OK) {
        status = br_model_check_finite(model);
    }
    if (status != BR_OK) {
        return status;
    }
    BR_AUTO_DEINIT(learner)
    it = {
        .model = model,
        .train = train,
        .options = options,
        .watcher = watcher,
        .watcher_context = context,
        .progress = {.valid_log_loss = (double)NAN, .valid_auc = (double)NAN},
    };
    status = learner_init(&it, valid);
    if (status != BR_OK) {
        return status;
    }
    it.progress.samples_total = (uint64_t)it.sampler->n_order * options->max_epochs;
    set_base_rate(model, &it);
    br_train_report report = {0};
    status = valid == NULL ? run_fixed_epochs(&it, &report) : run_epochs(&it, &report);
    if (status == BR_OK && valid != NULL) {
        status = conclude(&it, calibration_out, &report);
    }
    if (status == BR_OK && report_out != NULL) {
        *report_out = report;
    }
    return status;
}

br_status br_train(br_model *model, const br_dataset *train, const br_dataset *valid, const br_train_options *options,
                   br_train_watcher watcher, void *context, br_calibration *calibration_out,
                   br_train_report *report_out)
{
    br_assert(valid != NULL);
    return train_model(model, train, valid, options, watcher, context, calibration_out, report_out);
}

br_status br_train_fixed(br_model *model, const br_dataset *train, const br_train_options *options,
                         br_train_watcher watcher, void *context, br_train_report *report_out)
{
    return train_model(model, train, NULL, options, watcher, context, NULL, report_out);
}
