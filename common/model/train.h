#ifndef BR_MODEL_TRAIN_H
#define BR_MODEL_TRAIN_H

/// Learning: mask training (Algorithm 1), Adam, early stopping, calibration.

#include "market/dataset.h"
#include "model/model.h"

/// How much of an investor a training sample shows. Shares of the samples; what is left of 1 is shown whole.
typedef struct br_mask_plan {
    double algorithm1; ///< p_m ~ U(0, 1) per sample, each investor field hidden with probability p_m
    double few;        ///< only 1 to `few_max` fields shown, as explanations do
    uint32_t few_max;
} br_mask_plan;

typedef struct br_train_options {
    uint64_t seed;
    uint32_t batch;           ///< samples per step, a multiple of BR_TRAIN_SHARDS
    uint32_t n_threads;       ///< the result does not depend on it
    uint32_t max_epochs;
    uint32_t patience;        ///< epochs without better validation log loss before it stops (or lowers the rate)
    double negatives_per_positive; ///< drawn anew each epoch; 0 = all
    double learning_rate;
    double final_learning_rate;
    double l2;                ///< on embeddings
    br_mask_plan masks;       ///< first phase
    br_mask_plan final_masks; ///< last phase: the end of training, where full samples matter most
    // extended as the learner needs
} br_train_options;

br_train_options br_train_options_default(void);
br_status br_train_options_check(const br_train_options *options) BR_MUST_CHECK;

#define BR_TRAIN_SHARDS 8 ///< parts of a batch that are worked separately and added in order

typedef struct br_train_progress {
    uint32_t epoch;
    uint64_t samples_done;
    uint64_t samples_total; ///< if no early stop comes
    double samples_per_s;
    double train_log_loss;
    double valid_log_loss; ///< NAN before the first validation
    double valid_auc;
} br_train_progress;

/// Called at least once a second and after each epoch; returning false cancels.
typedef bool (*br_train_watcher)(void *context, const br_train_progress *progress);

/// Platt's form: probability = sigmoid(slope * logit + offset).
typedef struct br_calibration {
    double slope;
    double offset;
} br_calibration;

typedef struct br_train_report {
    uint32_t epochs;
    uint32_t best_epoch;
    uint64_t samples;
    double seconds;
    double valid_log_loss; ///< calibrated, all fields shown
    double valid_auc;
} br_train_report;

/// Train `model` (initialised or warm) on `train`, stop by `valid`, leave the best epoch's parameters in it and fit the calibration
/// on `valid`. Nothing is allocated per step. The result depends on data, options and BLAS kernel, not on threads.
///
/// Source:  Algorithm 1; Eq. (3), (4).
/// Differs: the loss is the positive log loss in nats (the paper's CE lacks its minus in Eq. (4)).
/// Errors:  BR_ERR_CANCELLED; BR_ERR_INVALID when the loss is not finite; BR_ERR_NO_MEMORY.
br_status br_train(br_model *model, const br_dataset *train, const br_dataset *valid, const br_train_options *options,
                   br_train_watcher watcher, void *context, br_calibration *calibration_out,
                   br_train_report *report_out) BR_MUST_CHECK;

#endif
