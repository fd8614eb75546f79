#ifndef BR_MODEL_TRAIN_H
#define BR_MODEL_TRAIN_H

/// Learning: mask training (Algorithm 1), Adam, early stopping, calibration.

#include "market/dataset.h"
#include "metrics/isotonic.h"
#include "model/model.h"

/// How much of an investor a training sample shows. Shares of the samples; what is left of 1 is shown whole.
typedef struct br_mask_plan {
    double algorithm1; ///< p_m ~ U(0, 1) per sample, each investor field hidden with probability p_m
    double few;        ///< only 1 to `few_max` fields shown, as explanations do
    uint32_t few_max;
} br_mask_plan;

typedef enum br_calibration_form {
    BR_CALIBRATION_AUTO, ///< what has the lower log loss on the second half of the validation's bonds when fitted on the first
    BR_CALIBRATION_PLATT,
    BR_CALIBRATION_ISOTONIC
} br_calibration_form;

typedef struct br_train_options {
    uint64_t seed;
    uint32_t batch;        ///< samples per step, 8 to 65,536
    uint32_t n_threads;    ///< the result does not depend on it
    uint32_t max_epochs;   ///< of both phases
    uint32_t final_epochs; ///< of them in the last phase, at most max_epochs
    uint32_t
        patience; ///< epochs without better validation log loss: the first phase gives way to the last, the last ends
    double negatives_per_positive; ///< drawn anew each epoch; 0 = all
    double learning_rate;          ///< of the first phase
    double final_learning_rate;    ///< where the last phase's cosine ends
    double l2;                     ///< on embeddings
    double dropout;                ///< share of the hidden layers' outputs that a step leaves out, 0 to 0.9
    bool
        batch_norm; ///< normalise what hidden layers sum up; folded into the parameters in the end. A warm model begins elsewhere by it
    br_mask_plan masks;       ///< first phase
    br_mask_plan final_masks; ///< last phase: the end of training, where full samples matter most
    br_calibration_form calibration;
} br_train_options;

/// Batch 512, 4 negatives per positive, 6 epochs of Algorithm 1 at 1.5e-3, then 4 with mixed masks down to 1e-4. Larger batches give a
/// faster epoch but too few steps: on the simulated market of the paper's size 4,096 ends at a test AUC of 0.898, 512 at 0.903.
br_train_options br_train_options_default(void);
/// Errors: BR_ERR_INVALID with the option, its value and its range.
br_status br_train_options_check(const br_train_options *options) BR_MUST_CHECK;

#define BR_MIN_BATCH         8
#define BR_MAX_BATCH         65536
#define BR_MAX_TRAIN_THREADS 64
#define BR_MAX_VALID_SAMPLES 200000 ///< above this, a fixed draw of the validation negatives stands for all of them

typedef struct br_train_progress {
    uint32_t epoch; ///< epochs done
    uint64_t samples_done;
    uint64_t samples_total; ///< if no early stop comes
    double train_log_loss;  ///< mean of this epoch so far, under masks and with sampled negatives
    double valid_log_loss;  ///< NAN before the first validation
    double valid_auc;
} br_train_progress;

/// Called after each step and after each epoch's validation; returning false cancels. There is no clock in here: who wants a rate
/// measures between calls.
typedef bool (*br_train_watcher)(void *context, const br_train_progress *progress);

/// probability = sigmoid(line(logit)), and Platt's form where there is no line: sigmoid(slope * logit + offset).
typedef struct br_calibration {
    double slope;
    double offset;
    br_isotonic line; ///< n_knots = 0: none; then slope and offset are 1 and 0
} br_calibration;

/// The calibrated logit.
double br_calibration_apply(const br_calibration *calibration, double logit);

typedef struct br_train_report {
    uint32_t epochs;
    uint32_t best_epoch; ///< from 1
    uint64_t samples;
    double valid_log_loss; ///< calibrated, all fields shown
    double valid_auc;
    bool calibrated; ///< false: no fit existed or Platt's slope was not positive; the calibration is the identity
} br_train_report;

/// Train `model` (initialised or warm) on `train`, stop by `valid`, leave the best epoch's parameters in it and fit the calibration
/// on `valid`. Nothing is allocated per step. The result depends on data, options and BLAS kernel, not on threads. What a call that
/// fails leaves in the model is not to be used: those of a step, with batch norm not folded in. br_gemm_start() must have been called. Watcher and report may be NULL.
///
/// Negatives that dataset and epoch leave out shift the logit by exactly -log(share kept) while training, so that the model's own
/// logit is on the true scale.
///
/// Source:  Algorithm 1; Eq. (3), (4).
/// Choice:  a bias of exactly 0, a fresh model's, starts at the base rate's logit: Adam would need thousands of steps to get there.
/// Differs: the loss is the positive log loss in nats (the paper's CE lacks its minus in Eq. (4)).
/// Errors:  BR_ERR_CANCELLED; BR_ERR_INVALID when the loss is not finite or the data do not fit the model; BR_ERR_NO_MEMORY;
///          BR_ERR_LIMIT when a thread cannot be started.
br_status br_train(br_model *model, const br_dataset *train, const br_dataset *valid, const br_train_options *options,
                   br_train_watcher watcher, void *context, br_calibration *calibration_out,
                   br_train_report *report_out) BR_MUST_CHECK;
/// The same without validation: all of `max_epochs`, and the last one's parameters stay. In the report the validation's figures are 0.
br_status br_train_fixed(br_model *model, const br_dataset *train, const br_train_options *options,
                         br_train_watcher watcher, void *context, br_train_report *report_out) BR_MUST_CHECK;

#endif
