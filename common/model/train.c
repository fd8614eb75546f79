#include "model/train.h"

#include "model/evaluate.h"
#include "model/learner.h"
#include "model/sampler.h"

#include <math.h>

enum { MAX_EPOCHS = 10000 };

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
        .dropout = 0.0,
        .batch_norm = false,
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
        {"dropout", options->dropout, 0, 0.9},
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

/// A training on a market's samples.
typedef struct market_training {
    br_learner learner;
    const br_dataset *train;
    br_sampler *sampler;
    br_evaluator *evaluator;
    // The step under way.
    size_t from, until; // in the sampler's order
    const br_mask_plan *plan;
} market_training;

static void market_training_deinit(market_training *it)
{
    br_learner_deinit(&it->learner);
    br_sampler_free(&it->sampler);
    br_evaluator_free(&it->evaluator);
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
    const market_training *it = context;
    const br_model *model = it->learner.model;
    const br_dataset *train = it->train;
    for (size_t t = 0; t < n; t++) {
        uint32_t sample = it->sampler->order[it->from + from + t];
        const uint8_t *masked = br_learner_mask(&it->learner, worker, sample, it->plan);
        br_embedding_rows(row + t * model->n_fields, model,
                          train->bond_codes + (size_t)train->bond_of[sample] * train->n_bond_fields,
                          train->investor_codes + (size_t)train->row_of[sample] * train->n_investor_fields, masked);
        double bond_weight = train->bond_weights == NULL ? 1.0 : (double)train->bond_weights[train->bond_of[sample]];
        label[t] = train->label[sample];
        weight[t] = (float)(bond_weight / (double)(it->until - it->from));
    }
}

/// The learning rate `done` of the way through the epoch.
static double rate_at(const br_train_options *options, uint32_t epoch, uint32_t final_from, double done)
{
    if (epoch < final_from) {
        return options->learning_rate;
    }
    double part = ((double)(epoch - final_from) + done) / options->final_epochs;
    return options->final_learning_rate +
           0.5 * (options->learning_rate - options->final_learning_rate) * (1.0 + cos(3.14159265358979323846 * part));
}

/// One pass over the epoch's samples; `final_from` is the first epoch of the last phase.
static br_status run_epoch(market_training *it, uint32_t final_from)
{
    br_learner *learner = &it->learner;
    const br_train_options *options = learner->options;
    br_sampler_epoch(it->sampler, options->seed, learner->epoch);
    it->plan = learner->epoch < final_from ? &options->masks : &options->final_masks;
    size_t n = it->sampler->n_order;
    size_t n_steps = (n + options->batch - 1) / options->batch;
    br_sample_source samples = {it, load_samples};
    double offset = -log(it->sampler->negative_keep);
    br_status status = BR_OK;
    br_learner_begin(learner, n_steps);
    for (size_t step = 0; step < n_steps && status == BR_OK; step++) {
        // Steps of nearly equal size: no short last batch with a noisy gradient.
        it->from = n * step / n_steps;
        it->until = n * (step + 1) / n_steps;
        double rate = rate_at(options, learner->epoch, final_from, (double)step / (double)n_steps);
        status = br_learner_step(learner, &samples, it->until - it->from, offset, rate);
    }
    return status;
}

/// Both phases; on success the best epoch's parameters are in the model.
static br_status run_epochs(market_training *it)
{
    br_learner *learner = &it->learner;
    const br_train_options *options = learner->options;
    uint32_t final_from = options->max_epochs - options->final_epochs;
    for (; learner->epoch < final_from + options->final_epochs; learner->epoch++) {
        br_status status = run_epoch(it, final_from);
        if (status != BR_OK) {
            return status;
        }
        br_evaluator_run(it->evaluator, learner->network);
        double auc = (double)NAN;
        double log_loss = br_evaluator_log_loss(it->evaluator, NULL);
        status = isfinite(log_loss) ? br_evaluator_auc(it->evaluator, &auc) : BR_OK; // the learner refuses it below
        if (status == BR_OK) {
            status = br_learner_judge(learner, log_loss, auc, -log_loss);
        }
        if (status != BR_OK) {
            return status;
        }
        if (learner->stale >= options->patience) {
            if (learner->epoch >= final_from || options->final_epochs == 0) {
                learner->epoch++;
                break;
            }
            final_from = learner->epoch + 1;
            learner->stale = 0;
        }
    }
    return br_learner_finish(learner);
}

/// All epochs; the last one's parameters stay in the model.
static br_status run_fixed_epochs(market_training *it)
{
    br_learner *learner = &it->learner;
    const br_train_options *options = learner->options;
    for (; learner->epoch < options->max_epochs; learner->epoch++) {
        br_status status = run_epoch(it, options->max_epochs - options->final_epochs);
        if (status != BR_OK) {
            return status;
        }
        learner->progress.epoch = learner->epoch + 1;
        br_learner_keep(learner);
    }
    return br_learner_finish(learner);
}

/// Calibration and figures of the model as it is now.
static br_status conclude(market_training *it, br_calibration *calibration_out, br_train_report *report)
{
    const br_learner *learner = &it->learner;
    br_evaluator *evaluator = it->evaluator;
    br_evaluator_run(evaluator, learner->network);
    br_status status =
        br_evaluator_calibrate(evaluator, learner->options->calibration, calibration_out, &report->calibrated);
    if (status != BR_OK) {
        return status;
    }
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
    BR_AUTO_DEINIT(market_training) it = {.train = train};
    status = br_sampler_new(&it.sampler, train, options->negatives_per_positive);
    if (status == BR_OK && valid != NULL) {
        status = br_evaluator_new(&it.evaluator, valid, BR_MAX_VALID_SAMPLES, options->seed);
    }
    if (status == BR_OK) {
        status = br_learner_init(&it.learner, model, options, watcher, context);
    }
    if (status != BR_OK) {
        return status;
    }
    it.learner.progress.samples_total = (uint64_t)it.sampler->n_order * options->max_epochs;
    br_learner_set_base_rate(&it.learner, (double)it.sampler->n_positives,
                             (double)it.sampler->n_negatives / train->negative_keep);
    status = valid == NULL ? run_fixed_epochs(&it) : run_epochs(&it);
    br_train_report report = {
        .epochs = it.learner.epoch, .best_epoch = it.learner.best_epoch, .samples = it.learner.progress.samples_done};
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
