// How many samples per second a training takes in, on a synthetic market of the paper's shape: 32 bond fields and 259 investor
// fields of 8 values. Prints one line per configuration and thread count; the numbers mean nothing as a model.

#include "base/alloc.h"
#include "base/clock.h"
#include "base/rng.h"
#include "linalg/gemm.h"
#include "model/train.h"

#include <stdio.h>
#include <stdlib.h>

enum { N_BOND_FIELDS = 32, N_INVESTOR_FIELDS = 259, N_FIELDS = 291, N_VALUES = 8, N_BONDS = 200, N_ROWS = 20000 };

static void fill_codes(uint8_t *codes, size_t n, br_rng *rng)
{
    for (size_t i = 0; i < n; i++) {
        codes[i] = (uint8_t)br_rng_below(rng, N_VALUES);
    }
}

static br_dataset *synthetic(size_t n, uint32_t seed)
{
    br_rng rng = br_rng_at(seed, BR_STREAM_TEST, 0, 0);
    br_dataset *data = br_calloc(1, sizeof *data);
    br_assert(data != NULL);
    *data = (br_dataset){
        .n_bond_fields = N_BOND_FIELDS,
        .n_investor_fields = N_INVESTOR_FIELDS,
        .n_bonds = N_BONDS,
        .bond_codes = br_malloc((size_t)N_BONDS * N_BOND_FIELDS),
        .investor_codes = br_malloc((size_t)N_ROWS * N_INVESTOR_FIELDS),
        .n_rows = N_ROWS,
        .bond_of = br_calloc(n, sizeof(uint32_t)),
        .row_of = br_calloc(n, sizeof(uint32_t)),
        .investor_of = br_calloc(n, sizeof(uint32_t)),
        .label = br_malloc(n),
        .n = n,
        .n_pairs = n,
        .negative_keep = 1.0,
    };
    fill_codes(data->bond_codes, (size_t)N_BONDS * N_BOND_FIELDS, &rng);
    fill_codes(data->investor_codes, (size_t)N_ROWS * N_INVESTOR_FIELDS, &rng);
    for (size_t i = 0; i < n; i++) {
        data->bond_of[i] = br_rng_below(&rng, N_BONDS);
        data->row_of[i] = br_rng_below(&rng, N_ROWS);
        data->label[i] = br_rng_below(&rng, 5) == 0;
        data->n_positive += data->label[i];
    }
    return data;
}

static void free_dataset(br_dataset *data)
{
    br_free(data->bond_codes);
    br_free(data->investor_codes);
    br_free(data->bond_of);
    br_free(data->row_of);
    br_free(data->investor_of);
    br_free(data->label);
    br_free(data);
}

typedef struct stopwatch {
    int64_t start_ns;
    int64_t stop_ns;
    uint64_t samples_before; // in the first step
    uint64_t samples;
} stopwatch;

/// Times the steps after the first up to the last of the epoch.
static bool watch(void *context, const br_train_progress *progress)
{
    stopwatch *it = context;
    if (progress->epoch == 0) {
        int64_t now_ns = br_clock_ns();
        if (it->start_ns == 0) {
            it->start_ns = now_ns;
            it->samples_before = progress->samples_done;
        }
        it->stop_ns = now_ns;
        it->samples = progress->samples_done - it->samples_before;
    }
    return true;
}

static void run(const char *name, const br_model_config *config, uint32_t n_threads, const br_dataset *train,
                const br_dataset *valid)
{
    br_model_field fields[N_FIELDS];
    for (uint32_t j = 0; j < N_FIELDS; j++) {
        fields[j] = (br_model_field){N_VALUES, j >= N_BOND_FIELDS};
    }
    BR_AUTO(br_model) *model = NULL;
    br_status status = br_model_new(&model, config, fields, N_FIELDS, N_BOND_FIELDS);
    br_assert(status == BR_OK);
    br_model_init(model, 1);
    br_train_options options = br_train_options_default();
    options.n_threads = n_threads;
    options.max_epochs = 1;
    options.final_epochs = 0;
    options.negatives_per_positive = 0.0;
    stopwatch timing = {0};
    br_calibration calibration;
    status = br_train(model, train, valid, &options, watch, &timing, &calibration, NULL);
    br_assert(status == BR_OK);
    double seconds = (double)(timing.stop_ns - timing.start_ns) * 1e-9;
    printf("%s threads=%u parameters=%zu samples_per_s=%.0f\n", name, n_threads, model->n_parameters,
           (double)timing.samples / seconds);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000;
    br_status status = br_gemm_start();
    br_assert(status == BR_OK);
    br_dataset *train = synthetic(n, 1);
    br_dataset *valid = synthetic(1000, 2);
    const br_model_config compact = br_model_config_default();
    const br_model_config main_model = {.d = 8, .n_cross = 3, .rank = 64, .n_hidden = 2, .hidden = {256, 128}};
    for (uint32_t n_threads = 1; n_threads <= 2; n_threads++) {
        run("compact", &compact, n_threads, train, valid);
        run("main", &main_model, n_threads, train, valid);
    }
    free_dataset(train);
    free_dataset(valid);
    return 0;
}
