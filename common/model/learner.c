#include "model/learner.h"

#include "base/alloc.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { UPDATE_PIECE = 8192 }; // parameters that one worker updates at a time

// --- memory ---

static br_status make_blocks(br_learner *it)
{
    size_t n = it->model->n_parameters;
    it->adam.m = br_calloc_aligned(n, sizeof(float));
    it->adam.v = br_calloc_aligned(n, sizeof(float));
    it->best = br_calloc_aligned(n, sizeof(float));
    if (it->adam.m == NULL || it->adam.v == NULL || it->best == NULL) {
        return br_no_memory("parameters' moments", n);
    }
    return BR_OK;
}

static br_status make_masks(br_learner *it)
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

br_status br_learner_init(br_learner *it, br_model *model, const br_train_options *options, br_train_watcher watcher,
                          void *context)
{
    *it = (br_learner){
        .model = model,
        .options = options,
        .best_score = -(double)INFINITY,
        .watcher = watcher,
        .watcher_context = context,
        .progress = {.valid_log_loss = (double)NAN, .valid_auc = (double)NAN},
    };
    br_status status = make_blocks(it);
    if (status == BR_OK) {
        status = make_masks(it);
    }
    if (status == BR_OK) {
        status = br_workers_new(&it->workers, options->n_threads);
    }
    if (status == BR_OK) {
        status = br_network_new(&it->network, model, it->workers, options->batch);
    }
    if (status == BR_OK) {
        br_regularisation how = {options->dropout, options->seed, options->batch_norm};
        br_network_regularise(it->network, &how);
    }
    return status;
}

void br_learner_deinit(br_learner *it)
{
    br_network_free(&it->network);
    br_workers_free(&it->workers);
    br_free(it->masked);
    br_free(it->maskable);
    br_free(it->adam.m);
    br_free(it->adam.v);
    br_free(it->best);
}

// --- samples ---

void br_learner_set_base_rate(br_learner *it, double positives, double negatives)
{
    if (it->model->bias[0] == 0.0f) {
        it->model->bias[0] = (float)log(positives / negatives);
    }
}

const uint8_t *br_learner_mask(const br_learner *it, uint32_t worker, uint64_t sample, const br_mask_plan *plan)
{
    if (it->n_maskable == 0) {
        return NULL;
    }
    uint32_t n_investor = it->model->n_fields - it->model->n_bond_fields;
    uint8_t *masked = it->masked + (size_t)worker * n_investor;
    // One word counts epochs in its lower half and in its upper one what a sample's number has above 32 bits.
    br_assert(it->epoch <= UINT16_MAX && sample >> 48 == 0);
    uint32_t epoch = it->epoch | (uint32_t)(sample >> 32) << 16;
    br_rng rng = br_rng_at(it->options->seed, BR_STREAM_MASKS, epoch, (uint32_t)sample);
    br_mask_draw(masked, n_investor, it->maskable, it->n_maskable, plan, &rng);
    return masked;
}

// --- a step ---

/// Adam on the rows of one field's embeddings and linear weights; the l2 term is the embeddings' alone. Rows of a gathered field that
/// the step has not seen keep their values and moments.
static void update_rows(br_learner *it, uint32_t field)
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
        br_adam_update(model->parameters, &it->adam, gradient, from * d, until * d, it->options->l2);
        if (model->linear != NULL) {
            br_adam_update(model->parameters, &it->adam, gradient, linear + from, linear + until, 0.0);
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
    br_learner *it = context;
    br_model *model = it->model;
    if (item < model->n_fields) {
        update_rows(it, item);
        return;
    }
    size_t from = n_row_parameters(model) + (size_t)(item - model->n_fields) * UPDATE_PIECE;
    size_t until = from + UPDATE_PIECE < model->n_parameters ? from + UPDATE_PIECE : model->n_parameters;
    br_adam_update(model->parameters, &it->adam, br_network_last_gradient(it->network)->parameters, from, until, 0.0);
}

static bool tell(br_learner *it)
{
    return it->watcher == NULL || it->watcher(it->watcher_context, &it->progress);
}

void br_learner_begin(br_learner *it, uint64_t n_steps)
{
    it->n_steps = n_steps;
    it->step = 0;
    it->n_in_epoch = 0;
    it->loss_sum = 0.0;
}

br_status br_learner_step(br_learner *it, const br_sample_source *samples, size_t n, double offset, double rate)
{
    const br_model *model = it->model;
    size_t n_others = model->n_parameters - n_row_parameters(model);
    uint32_t n_updates = model->n_fields + (uint32_t)((n_others + UPDATE_PIECE - 1) / UPDATE_PIECE);
    it->loss_sum += br_network_gradient(it->network, samples, n, offset) * (double)n;
    it->step++;
    if (!isfinite(it->loss_sum)) {
        return br_fail(BR_ERR_INVALID, "training: the loss is not finite in epoch %u, step %" PRIu64 " of %" PRIu64,
                       it->epoch + 1, it->step, it->n_steps);
    }
    br_adam_begin(&it->adam, rate);
    br_workers_run(it->workers, work_update, it, n_updates);
    it->n_in_epoch += n;
    it->progress.samples_done += n;
    it->progress.train_log_loss = it->loss_sum / (double)it->n_in_epoch;
    if (!tell(it)) {
        return br_fail(BR_ERR_CANCELLED, "training: cancelled in epoch %u, step %" PRIu64 " of %" PRIu64, it->epoch + 1,
                       it->step, it->n_steps);
    }
    return BR_OK;
}

// --- epochs ---

void br_learner_keep(br_learner *it)
{
    it->best_epoch = it->epoch + 1;
    memcpy(it->best, it->model->parameters, it->model->n_parameters * sizeof(float));
    br_network_fold(it->network, it->best);
}

br_status br_learner_judge(br_learner *it, double log_loss, double auc, double score)
{
    it->progress.epoch = it->epoch + 1;
    it->progress.valid_log_loss = log_loss;
    it->progress.valid_auc = auc;
    if (!isfinite(log_loss) || !isfinite(score)) {
        return br_fail(BR_ERR_INVALID, "training: the validation %s is not finite after epoch %u",
                       isfinite(log_loss) ? "AUC" : "loss", it->epoch + 1);
    }
    it->stale++;
    if (score > it->best_score) {
        it->best_score = score;
        it->stale = 0;
        br_learner_keep(it);
    }
    if (!tell(it)) {
        return br_fail(BR_ERR_CANCELLED, "training: cancelled after epoch %u", it->epoch + 1);
    }
    return BR_OK;
}

br_status br_learner_finish(br_learner *it)
{
    br_network_regularise(it->network, &(br_regularisation){0});
    memcpy(it->model->parameters, it->best, it->model->n_parameters * sizeof(float));
    return br_model_check_finite(it->model);
}
