// Goal: the fast network is the plain one, and its gradient that of the loss. Method: random models of every architecture and several
// shapes against br_model_logit_plain() and its central differences, in double.

#include "base/alloc.h"
#include "model/network.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { N_FIELDS = 5, N_BOND = 2, N_INVESTOR = 3, N = 300, N_DIFFERENCES = 70 };

// All tabled, and with two fields of so many values that they are gathered.
static const br_model_field few[N_FIELDS] = {{3, false}, {2, false}, {4, true}, {2, true}, {3, false}};
static const br_model_field many[N_FIELDS] = {{3, false}, {2, false}, {4, true}, {600, true}, {700, false}};
static const br_model_field *const fields_of[] = {few, many};

static const br_model_config shapes[] = {
    {.d = 8, .n_cross = 2, .rank = 3, .n_hidden = 2, .hidden = {9, 4}},
    {.d = 8, .n_cross = 3, .rank = 16, .n_hidden = 1, .hidden = {17}},
    {.d = 3, .n_cross = 4, .rank = 2, .n_hidden = 1, .hidden = {7}},
    {.d = 2, .n_cross = 0, .rank = 1, .n_hidden = 3, .hidden = {5, 4, 3}},
    {.d = 2, .n_cross = 1, .rank = 7, .n_hidden = 1, .hidden = {1}},
    {.d = 3, .n_cross = 2, .rank = 3, .stacked = true, .n_hidden = 2, .hidden = {6, 4}},
    {.d = 8, .n_cross = 3, .rank = 5, .stacked = true, .n_hidden = 1, .hidden = {20}},
    {.d = 4, .n_cross = 0, .rank = 1, .stacked = true, .n_hidden = 1, .hidden = {3}},
    {.d = 2, .n_cross = 2, .rank = 0, .n_hidden = 2, .hidden = {6, 4}},
    {.d = 3, .n_cross = 2, .rank = 0, .stacked = true, .n_hidden = 2, .hidden = {6, 4}},
    {.architecture = BR_DNN, .d = 5, .rank = 1, .n_hidden = 2, .hidden = {6, 4}},
    {.architecture = BR_WIDE_DEEP, .d = 4, .rank = 1, .n_hidden = 2, .hidden = {80, 4}},
    {.architecture = BR_DEEPFM, .d = 5, .rank = 1, .n_hidden = 2, .hidden = {6, 4}},
};
enum { N_SHAPES = sizeof shapes / sizeof shapes[0] };

typedef struct samples {
    const br_model *model;
    uint8_t bond[N][N_BOND];
    uint8_t investor[N][N_INVESTOR];
    uint8_t masked[N][N_INVESTOR];
    uint8_t label[N];
    float weight[N];
} samples;

static br_model *new_model(const br_model_config *config, const br_model_field *fields)
{
    br_model *model = NULL;
    cr_assert_eq(br_model_new(&model, config, fields, N_FIELDS, N_BOND), BR_OK);
    br_rng rng = br_rng_at(2, BR_STREAM_TEST, 0, 0);
    for (size_t i = 0; i < model->n_parameters; i++) {
        model->parameters[i] = (float)(0.3 * br_rng_normal(&rng));
    }
    return model;
}

static void draw_samples(samples *it, const br_model *model)
{
    br_rng rng = br_rng_at(4, BR_STREAM_TEST, 0, 0);
    it->model = model;
    for (size_t t = 0; t < N; t++) {
        for (uint32_t j = 0; j < N_FIELDS; j++) {
            uint32_t n_values = model->fields[j].n_values;
            uint8_t code = (uint8_t)br_rng_below(&rng, n_values < 9 ? n_values : 9);
            if (j < N_BOND) {
                it->bond[t][j] = code;
            } else {
                it->investor[t][j - N_BOND] = code;
                it->masked[t][j - N_BOND] = model->fields[j].maskable && br_rng_below(&rng, 2) == 0;
            }
        }
        it->label[t] = br_rng_below(&rng, 2) == 0;
        it->weight[t] = (float)br_rng_uniform(&rng);
    }
}

static void load(void *context, uint32_t worker, size_t from, size_t n, uint32_t *row, uint8_t *label, float *weight)
{
    (void)worker;
    const samples *it = context;
    for (size_t t = 0; t < n; t++) {
        br_embedding_rows(row + t * N_FIELDS, it->model, it->bond[from + t], it->investor[from + t],
                          it->masked[from + t]);
        if (label != NULL) {
            label[t] = it->label[from + t];
            weight[t] = it->weight[from + t];
        }
    }
}

static double plain_loss(const samples *it, size_t n, double offset)
{
    double sum = 0.0;
    for (size_t t = 0; t < n; t++) {
        double z = br_model_logit_plain(it->model, it->bond[t], it->investor[t], it->masked[t]) + offset;
        sum += (double)it->weight[t] * log1p(exp(it->label[t] != 0 ? -z : z));
    }
    return sum;
}

typedef struct bench {
    br_model *model;
    br_workers *workers;
    br_network *network;
    samples samples;
    br_sample_source source;
} bench;

enum { N_CASES = 2 * N_SHAPES };

/// Shape k / 2 with tabled fields, or for odd k with gathered ones as well.
static void bench_init(bench *it, size_t k, uint32_t n_threads)
{
    cr_assert_eq(br_gemm_start(), BR_OK);
    it->model = new_model(&shapes[k / 2], fields_of[k % 2]);
    draw_samples(&it->samples, it->model);
    it->source = (br_sample_source){&it->samples, load};
    cr_assert_eq(br_workers_new(&it->workers, n_threads), BR_OK);
    cr_assert_eq(br_network_new(&it->network, it->model, it->workers, N), BR_OK);
}

static void bench_deinit(bench *it)
{
    br_network_free(&it->network);
    br_workers_free(&it->workers);
    br_model_free(&it->model);
}

/// Is parameter i one that the step says nothing of: a gathered field's in a row that no sample has?
static bool untouched(const bench *it, size_t i)
{
    const br_model *model = it->model;
    size_t n_rows = model->row_of[N_FIELDS];
    size_t row = i / model->config.d;
    if (row >= n_rows) {
        row = i - n_rows * model->config.d;
        if (model->linear == NULL || row >= n_rows) {
            return false;
        }
    }
    uint32_t j = 0;
    while (model->row_of[j + 1] <= row) {
        j++;
    }
    size_t n = 0;
    const uint32_t *touched = br_network_touched(it->network, j, &n);
    cr_assert_eq(touched != NULL, model->fields[j].n_values > 500);
    bool found = touched == NULL;
    for (size_t k = 0; k < n; k++) {
        found = found || touched[k] == row;
    }
    return !found;
}

Test(model_network, forward_equals_the_plain_network)
{
    for (size_t k = 0; k < N_CASES; k++) {
        static bench it;
        bench_init(&it, k, 2);
        float logit[N];
        br_network_logits(it.network, &it.source, N, logit);
        for (size_t t = 0; t < N; t++) {
            double plain =
                br_model_logit_plain(it.model, it.samples.bond[t], it.samples.investor[t], it.samples.masked[t]);
            cr_assert(fabs((double)logit[t] - plain) < 1e-5 * (1.0 + fabs(plain)), "case %zu row %zu: %g, not %g", k, t,
                      (double)logit[t], plain);
        }
        bench_deinit(&it);
    }
}

Test(model_network, gradient_is_that_of_the_plain_network)
{
    for (size_t k = 0; k < N_CASES; k++) {
        static bench it;
        bench_init(&it, k, 2);
        br_model *model = it.model;
        double loss = br_network_gradient(it.network, &it.source, N_DIFFERENCES, -0.5);
        double plain = plain_loss(&it.samples, N_DIFFERENCES, -0.5);
        cr_assert(fabs(loss - plain) < 1e-5 * plain, "case %zu: %g, not %g", k, loss, plain);
        const float *gradient = br_network_last_gradient(it.network)->parameters;
        for (size_t i = 0; i < model->n_parameters; i++) {
            bool skipped = untouched(&it, i);
            if (skipped && i % 97 != 0) {
                continue;
            }
            const float h = 0x1p-17f;
            float kept = model->parameters[i];
            model->parameters[i] = kept + h;
            double moved = (double)model->parameters[i];
            double up = plain_loss(&it.samples, N_DIFFERENCES, -0.5);
            model->parameters[i] = kept - h;
            moved -= (double)model->parameters[i];
            double down = plain_loss(&it.samples, N_DIFFERENCES, -0.5);
            model->parameters[i] = kept;
            double expected = (up - down) / moved;
            // Float products against doubles; a kink of a relu within h of the point is not met with this seed.
            cr_assert(skipped ? expected == 0.0 : fabs((double)gradient[i] - expected) < 1e-4 * (1.0 + fabs(expected)),
                      "case %zu parameter %zu of %zu: %g, not %g", k, i, model->n_parameters, (double)gradient[i],
                      expected);
        }
        bench_deinit(&it);
    }
}

Test(model_network, threads_do_not_change_a_bit_and_a_step_leaves_nothing_to_the_next)
{
    for (size_t k = 0; k < N_CASES; k++) {
        static bench it;
        float *first = NULL;
        for (uint32_t n_threads = 1; n_threads <= 4; n_threads++) {
            bench_init(&it, k, n_threads);
            size_t n_bytes = it.model->n_parameters * sizeof(float);
            for (uint32_t step = 0; step < n_threads; step++) {
                (void)br_network_gradient(it.network, &it.source, N - step, 0.0);
            }
            (void)br_network_gradient(it.network, &it.source, N, 0.0);
            const float *gradient = br_network_last_gradient(it.network)->parameters;
            if (first == NULL) {
                first = br_memdup(gradient, n_bytes);
            }
            for (size_t i = 0; i < it.model->n_parameters; i++) {
                cr_assert(untouched(&it, i) || memcmp(first + i, gradient + i, sizeof *first) == 0,
                          "case %zu parameter %zu, %u threads", k, i, n_threads);
            }
            bench_deinit(&it);
        }
        br_free(first);
    }
}

Test(model_network, a_nan_reaches_the_logit)
{
    static bench it;
    bench_init(&it, 0, 1);
    it.model->c[0][2] = NAN;
    float logit[N];
    br_network_logits(it.network, &it.source, N, logit);
    cr_assert(isnan(logit[0]));
    bench_deinit(&it);
}

Test(model_network, every_failing_allocation_is_reported_and_leaves_nothing)
{
    br_model *model = new_model(&shapes[0], many);
    br_workers *workers = NULL;
    cr_assert_eq(br_workers_new(&workers, 2), BR_OK);
    size_t live = br_alloc_live();
    br_status status = BR_ERR_NO_MEMORY;
    size_t n_failed = 0;
    for (size_t n = 0; status != BR_OK; n++, n_failed++) {
        br_network *network = NULL;
        br_alloc_fail_after(n);
        status = br_network_new(&network, model, workers, 8);
        br_alloc_fail_after(SIZE_MAX);
        cr_assert(status == BR_OK || status == BR_ERR_NO_MEMORY);
        cr_assert_eq(network == NULL, status != BR_OK);
        br_network_free(&network);
        cr_assert_eq(br_alloc_live(), live);
    }
    cr_assert_gt(n_failed, 40);
    br_workers_free(&workers);
    br_model_free(&model);
}
