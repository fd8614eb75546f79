#ifndef BR_MODEL_EVALUATE_H
#define BR_MODEL_EVALUATE_H

/// The network on a validation set, all fields shown. Private to the module.

#include "market/dataset.h"
#include "model/network.h"

typedef struct br_evaluator {
    const br_dataset *dataset; ///< borrowed
    uint32_t *sample;          ///< [n] which of the dataset's samples stand for it
    uint8_t *label;            ///< [n]
    float *logit;              ///< [n] of the last run
    size_t n;
    double negative_weight; ///< of a sample without a bid, one with a bid weighing 1
} br_evaluator;

/// Takes at most `max_samples`, the same ones for the same seed: bids first, up to half of the room, the rest at random. Errors:
/// BR_ERR_INVALID when the dataset is empty; BR_ERR_NO_MEMORY.
br_status br_evaluator_new(br_evaluator **out, const br_dataset *dataset, size_t max_samples,
                           uint64_t seed) BR_MUST_CHECK;
void br_evaluator_free(br_evaluator **evaluator);
/// Compute all logits.
void br_evaluator_run(br_evaluator *evaluator, br_network *network);
/// Weighted mean log loss in nats after `calibration` (NULL: of the raw logits); bonds weigh as in training, so that the epoch is
/// chosen by what was learned for.
double br_evaluator_log_loss(const br_evaluator *evaluator, const br_calibration *calibration);
/// Fit on the last run's logits as br_calibrate(); the second half are the later bonds.
br_status br_evaluator_calibrate(const br_evaluator *evaluator, br_calibration_form form, br_calibration *out,
                                 bool *fitted_out) BR_MUST_CHECK;
/// As br_auc(), of the last run; no logit may be NAN.
br_status br_evaluator_auc(const br_evaluator *evaluator, double *out) BR_MUST_CHECK;

#endif
