#ifndef BR_MODEL_TRAIN_STREAM_H
#define BR_MODEL_TRAIN_STREAM_H

/// Learning from samples that need not fit into memory: they come in batches, once per epoch, from wherever the caller has them.
///
///     br_sample_stream train = {.context = file, .n = n, .n_positive = n_positive, .start = start, .next = next};
///     br_train_stream(model, &(br_stream_data){&train, &valid, &test}, &options, watcher, context, &report);
///
/// Memory: five copies of the parameters, what network.h says of a step, and 21 bytes per sample of the larger of `valid` and `test`.

#include "model/train.h"

/// Borrowed: valid until the stream's next call.
typedef struct br_sample_batch {
    uint32_t n;            ///< from 1
    const uint32_t *codes; ///< [n, n_fields]
    const uint8_t *labels; ///< [n] 0 or 1
} br_sample_batch;

typedef struct br_sample_stream {
    void *context;
    uint64_t n;          ///< samples of an epoch, from 1
    uint64_t n_positive; ///< of them; asked for of the training's stream alone
    /// Begin an epoch (from 0), in batches of at most `max_rows`; the same order for the same epoch.
    br_status (*start)(void *context, uint32_t epoch, uint32_t max_rows);
    /// The next `n_rows` samples (1 to max_rows), fewer only where they end. BR_ERR_AGAIN when all have come.
    br_status (*next)(void *context, uint32_t n_rows, br_sample_batch *out);
} br_sample_stream;

typedef struct br_stream_data {
    const br_sample_stream *train;
    const br_sample_stream *valid; ///< 2^32 samples at most, with both labels
    const br_sample_stream *test;  ///< likewise, but any labels; NULL = none
} br_stream_data;

typedef struct br_stream_report {
    uint32_t epochs;
    uint32_t best_epoch; ///< from 1
    uint64_t samples;
    double valid_log_loss; ///< of the best epoch, all fields shown
    double valid_auc;
    double test_log_loss; ///< NAN without `test`
    double test_auc;      ///< NAN without `test` or without both labels in it
} br_stream_report;

/// Train `model` (initialised or warm, n_bond_fields = 0), leave the parameters of the epoch with the best validation AUC in it. Fields
/// that are maskable are masked by options->masks; the learning rate falls to a tenth after each epoch without a better AUC, and
/// options->patience such epochs in a row end the training. The options of the last phase and of negatives are without effect.
/// The result depends on samples, their order, options and BLAS kernel, not on threads. br_gemm_start() must have been called. Watcher
/// and report may be NULL. What a call that fails leaves in the model is not to be used.
///
/// The steps of an epoch differ by one sample at most.
///
/// Choice: AUC for the best epoch and a rate that falls on a plateau, as the settings of Criteo_x1 and its like in FuxiCTR have it.
/// Errors: those of the streams, unchanged; BR_ERR_CANCELLED; BR_ERR_INVALID when the loss is not finite (with epoch and step), a code is
///         none of its field (with sample and field), a stream is empty, does not end where it said, or has only one label;
///         BR_ERR_NO_MEMORY; BR_ERR_LIMIT when a thread cannot be started, `valid` or `test` is too long, or the training would have 2^32 steps.
br_status br_train_stream(br_model *model, const br_stream_data *data, const br_train_options *options,
                          br_train_watcher watcher, void *context, br_stream_report *report_out) BR_MUST_CHECK;

#endif
