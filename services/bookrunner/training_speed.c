#include "training_speed.h"

#include "base/clock.h"
#include "made_up.h"
#include "model/train.h"
#include "service/processes.h"

#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

enum { MANY_EPOCHS = 10000 }; // the stopwatch ends the training

typedef struct stopwatch {
    int64_t wanted_ns;
    int64_t timed_ns;
    int64_t last_ns; ///< of the last call; 0 = none yet
    uint64_t last_done;
    uint64_t timed_samples;
    uint32_t epoch;
} stopwatch;

/// Each step takes the time since the step, or the validation, before it.
static bool watch(void *context, const br_train_progress *progress)
{
    stopwatch *it = context;
    int64_t now_ns = br_clock_ns();
    bool step = progress->epoch == it->epoch;
    if (step && it->last_ns != 0) {
        it->timed_ns += now_ns - it->last_ns;
        it->timed_samples += progress->samples_done - it->last_done;
    }
    it->last_ns = now_ns;
    it->last_done = progress->samples_done;
    it->epoch = progress->epoch;
    return it->timed_ns < it->wanted_ns || it->timed_samples == 0;
}

/// Let VmHWM begin anew at what is resident now. False where the system does not allow it.
static bool reset_peak_memory(void)
{
    malloc_trim(0);
    FILE *file = fopen("/proc/self/clear_refs", "we");
    if (file == NULL) {
        return false;
    }
    bool written = fputs("5\n", file) >= 0;
    return fclose(file) == 0 && written;
}

br_status training_speed_measure(training_speed *out, const training_speed_options *options, const br_dataset *train,
                                 const br_dataset *valid)
{
    bool reset = reset_peak_memory();
    BR_AUTO(br_model) *model = NULL;
    br_status status = made_up_model(&model, options->model);
    if (status != BR_OK) {
        return status;
    }
    br_train_options training = br_train_options_default();
    training.batch = options->batch;
    training.n_threads = options->n_threads;
    training.max_epochs = MANY_EPOCHS;
    training.final_epochs = 0;
    training.patience = MANY_EPOCHS;
    training.negatives_per_positive = 0.0;
    training.masks.algorithm1 = options->masks ? 1.0 : 0.0;
    stopwatch timing = {.wanted_ns = (int64_t)(options->seconds * 1e9)};
    br_calibration calibration;
    status = br_train(model, train, valid, &training, watch, &timing, &calibration, NULL);
    if (status != BR_OK && status != BR_ERR_CANCELLED) {
        return status;
    }
    double rss_mb = 0.0;
    if (!br_process_memory(getpid(), &rss_mb, &out->peak_rss_mb) || !reset) {
        out->peak_rss_mb = (double)NAN;
    }
    out->samples_per_s = (double)timing.timed_samples / ((double)timing.timed_ns * 1e-9);
    return BR_OK;
}

double training_dense_flop(const br_model_config *config, size_t n_fields)
{
    double width = (double)n_fields * config->d;
    double mixed = config->rank == 0 ? width : 2.0 * config->rank; // products per element of a cross layer
    double products = config->n_cross * width * mixed + width;
    double below = width;
    for (uint32_t i = 0; i < config->n_hidden; i++) {
        products += below * config->hidden[i];
        below = config->hidden[i];
    }
    products += below;
    double cross = config->n_cross * 3.0 * width; // x_0 * (z + b) + x
    return 3.0 * (2.0 * products + cross);
}
