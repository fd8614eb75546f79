#ifndef BOOKRUNNER_TRAINING_SPEED_H
#define BOOKRUNNER_TRAINING_SPEED_H

/// How fast a training is on this machine right now, in wall time.

#include "market/dataset.h"
#include "model/model.h"

typedef struct training_speed_options {
    const br_model_config *model;
    uint32_t batch;
    uint32_t n_threads;
    bool masks;     ///< Algorithm 1
    double seconds; ///< measured for at least this long, and at least one step
} training_speed_options;

typedef struct training_speed {
    double
        samples_per_s;  ///< of whole steps, and of drawing an epoch's order; the first step and validation do not count
    double peak_rss_mb; ///< this process's highest resident memory in the meantime; NAN where it cannot be reset
} training_speed;

/// br_gemm_start() must have been called. Errors: as br_train(), but BR_ERR_CANCELLED.
br_status training_speed_measure(training_speed *out, const training_speed_options *options, const br_dataset *train,
                                 const br_dataset *valid) BR_MUST_CHECK;

/// Floating point operations of a training step per sample when every layer of BR_DCN in parallel is computed densely: the forward
/// pass, and twice as much backward.
double training_dense_flop(const br_model_config *config, size_t n_fields);

#endif
