#ifndef BR_MODEL_LEARNER_H
#define BR_MODEL_LEARNER_H

/// What every training holds and does, wherever its samples come from: network, Adam, masks, the best epoch, the watcher. Private to the
/// module.
///
///     br_learner_init(&it, model, options, watcher, context);
///     for each epoch:
///         br_learner_begin(&it, n_steps);
///         for each step:   br_learner_step(&it, &samples, n, offset, rate)
///         br_learner_judge(&it, log_loss, auc, score)         // best parameters kept
///     br_learner_finish(&it);                                 // and put into the model

#include "model/layers.h"
#include "model/network.h"

typedef struct br_learner {
    br_model *model;                 ///< borrowed
    const br_train_options *options; ///< borrowed
    br_workers *workers;
    br_network *network;
    br_adam adam;
    uint8_t *masked;    ///< [n_threads, n_investor_fields] scratch of br_learner_mask()
    uint32_t *maskable; ///< [n_maskable] among the investor fields
    uint32_t n_maskable;
    uint32_t epoch;      ///< under way, from 0
    uint64_t n_steps;    ///< of it
    uint64_t step;       ///< of it, those done
    uint64_t n_in_epoch; ///< samples of the steps done
    double loss_sum;     ///< over them
    float *best;         ///< [n_parameters]
    double best_score;
    uint32_t best_epoch; ///< from 1; 0 = none
    uint32_t stale;      ///< epochs since the best, or since the caller has set it to 0
    br_train_watcher watcher;
    void *watcher_context;
    br_train_progress progress;
} br_learner;

/// `it` is overwritten; release with br_learner_deinit(), also after a failure. Errors: BR_ERR_NO_MEMORY, BR_ERR_LIMIT.
br_status br_learner_init(br_learner *it, br_model *model, const br_train_options *options, br_train_watcher watcher,
                          void *context) BR_MUST_CHECK;
void br_learner_deinit(br_learner *it);

/// Start a fresh model at the base rate; a warm one keeps its bias.
void br_learner_set_base_rate(br_learner *it, double positives, double negatives);
/// masked[n_investor_fields] of a sample (less than 2^48) of the epoch under way, in the worker's scratch; NULL when no field can be masked.
const uint8_t *br_learner_mask(const br_learner *it, uint32_t worker, uint64_t sample, const br_mask_plan *plan);

/// Begin epoch it->epoch, of n_steps steps.
void br_learner_begin(br_learner *it, uint64_t n_steps);
/// One step on the source's n samples. Errors: BR_ERR_INVALID (the loss is not finite), BR_ERR_CANCELLED; both name epoch and step.
br_status br_learner_step(br_learner *it, const br_sample_source *samples, size_t n, double offset,
                          double rate) BR_MUST_CHECK;
/// End the epoch: keep the parameters if `score` is above the best so far, tell the watcher. Errors: BR_ERR_INVALID (log loss or score
/// is not finite), BR_ERR_CANCELLED.
br_status br_learner_judge(br_learner *it, double log_loss, double auc, double score) BR_MUST_CHECK;
/// Keep the parameters as they are now, as the best epoch's.
void br_learner_keep(br_learner *it);
/// The best epoch's parameters into the model, batch norm folded in; the network is that from now on. Errors: BR_ERR_INVALID when one of them is not finite.
br_status br_learner_finish(br_learner *it) BR_MUST_CHECK;

#endif
