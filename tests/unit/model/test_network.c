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

// --- dropout and batch norm ---

enum { MAX_UNITS = 80, MAX_X = 64 };

static const br_regularisation regular[] = {{0.3, 5, false}, {0.0, 5, true}, {0.3, 5, true}};
enum { N_REGULAR = sizeof regular / sizeof regular[0] };

/// What the tower stands on: x_0, or x_L of a stacked one.
static void tower_input(const samples *it, size_t t, double *x)
{
    const br_model *model = it->model;
    const size_t d = model->config.d;
    uint32_t row[N_FIELDS];
    double x0[MAX_X];
    br_embedding_rows(row, model, it->bond[t], it->investor[t], it->masked[t]);
    for (size_t i = 0; i < model->width; i++) {
        x0[i] = x[i] = (double)model->embedding[row[i / d] * d + i % d];
    }
    for (uint32_t l = 0; model->config.stacked && l < model->config.n_cross; l++) {
        const size_t rank = model->config.rank;
        double product[MAX_X];
        for (size_t i = 0; i < model->width; i++) {
            product[i] = (double)model->b[l][i];
        }
        for (size_t i = 0; i < model->width; i++) {
            for (size_t k = 0; rank == 0 && k < model->width; k++) {
                product[i] += (double)model->m[l][i * model->width + k] * x[k];
            }
        }
        for (size_t k = 0; k < rank; k++) {
            double q = 0.0;
            for (size_t i = 0; i < model->width; i++) {
                q += (double)model->v[l][i * rank + k] * x[i];
            }
            for (size_t i = 0; i < model->width; i++) {
                product[i] += (double)model->u[l][i * rank + k] * q;
            }
        }
        for (size_t i = 0; i < model->width; i++) {
            x[i] += x0[i] * product[i];
        }
    }
}

/// a [n, n_units] of one layer over `n` rows: normalised, shifted, through relu and dropout.
static void twin_layer(double (*a)[MAX_UNITS], size_t n, const br_model *model, uint32_t layer, bool normed,
                       const br_tower_mode *drop, size_t first)
{
    for (size_t i = 0; i < model->config.hidden[layer]; i++) {
        double mean = 0.0;
        double variance = 0.0;
        for (size_t t = 0; t < n; t++) {
            mean += a[t][i] / (double)n;
        }
        for (size_t t = 0; t < n; t++) {
            variance += (a[t][i] - mean) * (a[t][i] - mean) / (double)n;
        }
        for (size_t t = 0; t < n; t++) {
            double z = normed ? (a[t][i] - mean) / sqrt(variance + 1e-5) : a[t][i];
            z += (double)model->c[layer][i];
            a[t][i] = z > 0.0 ? z : 0.0;
        }
    }
    for (size_t t = 0; t < n && drop != NULL && drop->drop > 0; t++) {
        float kept[MAX_UNITS];
        for (size_t i = 0; i < MAX_UNITS; i++) {
            kept[i] = 1.0f;
        }
        br_dropout(kept, model->config.hidden[layer], drop, (uint32_t)(first + t), layer);
        for (size_t i = 0; i < model->config.hidden[layer]; i++) {
            a[t][i] *= (double)kept[i];
        }
    }
}

/// Logits of rows first .. first + n - 1, which are normalised together.
static void twin_logits(bench *it, size_t first, size_t n, bool normed, const br_tower_mode *drop, double *logits)
{
    static double in[N][MAX_UNITS], out[N][MAX_UNITS];
    br_model *model = it->model;
    uint32_t last = model->config.hidden[model->config.n_hidden - 1];
    float w_deep[MAX_UNITS];
    memcpy(w_deep, model->w_deep, last * sizeof(float));
    memset(model->w_deep, 0, last * sizeof(float));
    for (size_t t = 0; t < n; t++) {
        const samples *rows = &it->samples;
        logits[t] =
            br_model_logit_plain(model, rows->bond[first + t], rows->investor[first + t], rows->masked[first + t]);
        tower_input(rows, first + t, in[t]);
    }
    memcpy(model->w_deep, w_deep, last * sizeof(float));
    size_t n_in = model->width;
    for (uint32_t layer = 0; layer < model->config.n_hidden; layer++) {
        size_t n_out = model->config.hidden[layer];
        for (size_t t = 0; t < n; t++) {
            for (size_t i = 0; i < n_out; i++) {
                out[t][i] = 0.0;
                for (size_t k = 0; k < n_in; k++) {
                    out[t][i] += (double)model->w[layer][layer == 0 ? k * n_out + i : i * n_in + k] * in[t][k];
                }
            }
        }
        twin_layer(out, n, model, layer, normed, drop, first);
        memcpy(in, out, sizeof in);
        n_in = n_out;
    }
    for (size_t t = 0; t < n; t++) {
        for (size_t k = 0; k < n_in; k++) {
            logits[t] += (double)model->w_deep[k] * in[t][k];
        }
    }
}

/// Of the first N_DIFFERENCES samples, which are two tiles of one part under batch norm.
static double twin_loss(bench *it, const br_regularisation *how)
{
    const br_tower_mode drop = {.learning = true, .drop = (uint32_t)(how->dropout * 65536.0), .seed = how->seed};
    double sum = 0.0;
    for (size_t first = 0; first < N_DIFFERENCES; first += N_DIFFERENCES / 2) {
        double logits[N_DIFFERENCES];
        twin_logits(it, first, N_DIFFERENCES / 2, how->batch_norm, &drop, logits);
        for (size_t t = 0; t < N_DIFFERENCES / 2; t++) {
            double z = logits[t];
            sum += (double)it->samples.weight[first + t] * log1p(exp(it->samples.label[first + t] != 0 ? -z : z));
        }
    }
    return sum;
}

Test(model_network, gradient_under_dropout_and_batch_norm_is_that_of_the_twin)
{
    for (size_t k = 0; k < N_CASES * N_REGULAR; k++) {
        static bench it;
        bench_init(&it, k / N_REGULAR, 2);
        const br_regularisation *how = &regular[k % N_REGULAR];
        br_model *model = it.model;
        br_network_regularise(it.network, how);
        double loss = br_network_gradient(it.network, &it.source, N_DIFFERENCES, 0.0);
        double twin = twin_loss(&it, how);
        cr_assert(fabs(loss - twin) < 1e-5 * twin, "case %zu: %g, not %g", k, loss, twin);
        const float *gradient = br_network_last_gradient(it.network)->parameters;
        // Each case looks at other parameters, every kind of which is there in many cases.
        for (size_t i = k % 11; i < model->n_parameters; i += 11) {
            if (untouched(&it, i)) {
                continue;
            }
            const float h = 0x1p-21f; // so small that no relu is met at its kink
            float kept = model->parameters[i];
            model->parameters[i] = kept + h;
            double moved = (double)model->parameters[i];
            double up = twin_loss(&it, how);
            model->parameters[i] = kept - h;
            moved -= (double)model->parameters[i];
            double down = twin_loss(&it, how);
            model->parameters[i] = kept;
            double expected = (up - down) / moved;
            cr_assert(fabs((double)gradient[i] - expected) < 2e-4 * (1.0 + fabs(expected)),
                      "case %zu parameter %zu of %zu: %g, not %g", k, i, model->n_parameters, (double)gradient[i],
                      expected);
        }
        bench_deinit(&it);
    }
}

Test(model_network, batch_norm_is_folded_into_the_parameters)
{
    for (size_t k = 0; k < N_CASES; k++) {
        static bench it;
        static double twin[N];
        bench_init(&it, k, 2);
        br_network_regularise(it.network, &(br_regularisation){0.4, 1, false});
        float plain[N], normed[N], folded[N];
        br_network_logits(it.network, &it.source, N, plain);
        br_network_regularise(it.network, &(br_regularisation){0.0, 1, true});
        br_network_logits(it.network, &it.source, N, normed);
        // Before the first step the running means are 0 and 1, and where only logits are wanted nothing is dropped.
        cr_assert_eq(memcmp(plain, normed, sizeof plain), 0);
        for (uint32_t step = 0; step < 3; step++) {
            (void)br_network_gradient(it.network, &it.source, N, 0.0);
        }
        br_network_logits(it.network, &it.source, N, normed);
        br_network_fold(it.network, it.model->parameters);
        br_network_regularise(it.network, &(br_regularisation){0});
        br_network_logits(it.network, &it.source, N, folded);
        double distance = 0.0;
        for (size_t t = 0; t < N; t++) {
            cr_assert(fabs((double)folded[t] - (double)normed[t]) < 2e-4 * (1.0 + fabs((double)normed[t])),
                      "case %zu row %zu: %g, not %g", k, t, (double)folded[t], (double)normed[t]);
            distance += fabs((double)plain[t] - (double)normed[t]);
        }
        cr_assert_gt(distance, 1.0);
        // Three times the same step: the first layer's running means are those of its samples. (A later layer's hang on its tiles.)
        if (it.model->config.n_hidden == 1) {
            br_model *model = it.model;
            br_model *before = new_model(&shapes[k / 2], fields_of[k % 2]);
            memcpy(model->parameters, before->parameters, model->n_parameters * sizeof(float));
            twin_logits(&it, 0, N, true, NULL, twin);
            for (size_t t = 0; t < N; t++) {
                cr_assert(fabs((double)normed[t] - twin[t]) < 2e-4 * (1.0 + fabs(twin[t])),
                          "case %zu row %zu: %g, not %g", k, t, (double)normed[t], twin[t]);
            }
            br_model_free(&before);
        }
        bench_deinit(&it);
    }
}

/// Running mean and variance of each unit of the first layer, as folding shows them.
static void read_moments(const bench *it, double *mean, double *variance)
{
    const br_model *model = it->model;
    float *folded = br_memdup(model->parameters, model->n_parameters * sizeof(float));
    cr_assert_not_null(folded);
    br_network_fold(it->network, folded);
    for (size_t k = 0; k < model->config.hidden[0]; k++) {
        double inverse = (double)folded[model->w[0] + k - model->parameters] / (double)model->w[0][k];
        mean[k] = ((double)model->c[0][k] - (double)folded[model->c[0] + k - model->parameters]) / inverse;
        variance[k] = 1.0 / (inverse * inverse);
    }
    br_free(folded);
}

Test(model_network, a_step_weighs_in_batch_norm_as_many_as_it_has_samples)
{
    enum { UNITS = 17, FEW = 20, MANY = 300 };
    double moments[3][2][UNITS];
    static bench it;
    bench_init(&it, 2, 1);
    for (size_t k = 0; k < 3; k++) { // the step of few samples, the one of many, both
        br_network_regularise(it.network, &(br_regularisation){.batch_norm = true});
        if (k != 1) {
            (void)br_network_gradient(it.network, &it.source, FEW, 0.0);
        }
        if (k != 0) {
            (void)br_network_gradient(it.network, &it.source, MANY, 0.0);
        }
        read_moments(&it, moments[k][0], moments[k][1]);
    }
    double kept = 0.9 * FEW / (0.9 * FEW + MANY);
    for (size_t k = 0; k < 2 * UNITS; k++) {
        double small = moments[0][k / UNITS][k % UNITS];
        double large = moments[1][k / UNITS][k % UNITS];
        double both = moments[2][k / UNITS][k % UNITS];
        cr_assert_float_eq(both, kept * small + (1.0 - kept) * large, 1e-4, "%zu: %g of %g and %g", k, both, small,
                           large);
    }
    bench_deinit(&it);
}

Test(model_network, threads_do_not_change_a_bit_of_dropout_and_batch_norm)
{
    static bench it;
    static float first[2][N];
    for (uint32_t n_threads = 1; n_threads <= 4; n_threads++) {
        bench_init(&it, 0, n_threads);
        br_network_regularise(it.network, &regular[2]);
        for (size_t step = 0; step < 3; step++) {
            (void)br_network_gradient(it.network, &it.source, N - 40 * step, 0.0);
        }
        float logits[N];
        br_network_logits(it.network, &it.source, N, logits);
        const float *gradient = br_network_last_gradient(it.network)->w_deep;
        if (n_threads == 1) {
            memcpy(first[0], logits, sizeof logits);
            memcpy(first[1], gradient, 4 * sizeof(float));
        }
        cr_assert_eq(memcmp(first[0], logits, sizeof logits), 0);
        cr_assert_eq(memcmp(first[1], gradient, 4 * sizeof(float)), 0);
        bench_deinit(&it);
    }
}

Test(model_network, dropout_keeps_its_share_and_differs_by_step_sample_and_layer)
{
    enum { UNITS = 20001 };
    static float first[UNITS], other[UNITS];
    const br_tower_mode modes[] = {{.learning = true, .drop = 16384, .seed = 9, .step = 3},
                                   {.learning = true, .drop = 16384, .seed = 9, .step = 4}};
    for (uint32_t k = 0; k < 4; k++) {
        double n_kept = 0.0;
        double n_equal = 0.0;
        float *h = k == 0 ? first : other;
        for (size_t i = 0; i < UNITS; i++) {
            h[i] = 3.0f;
        }
        br_dropout(h, UNITS, &modes[k == 1], k == 2, k == 3);
        for (size_t i = 0; i < UNITS; i++) {
            cr_assert(h[i] == 0.0f || h[i] == 4.0f);
            n_kept += h[i] != 0.0f;
            n_equal += h[i] == first[i];
        }
        cr_assert_float_eq(n_kept / UNITS, 0.75, 0.015);
        cr_assert(k == 0 || fabs(n_equal / UNITS - 0.625) < 0.02);
    }
}

Test(model_network, a_step_of_few_samples_knows_nothing_of_the_one_before)
{
    for (size_t k = 0; k < N_CASES; k++) {
        static bench used, fresh;
        bench_init(&used, k, 1);
        bench_init(&fresh, k, 1);
        (void)br_network_gradient(used.network, &used.source, N, 0.0);
        for (size_t n = 1; n < 6; n++) { // fewer than there are parts, so that some are empty
            double loss = br_network_gradient(used.network, &used.source, n, 0.0);
            cr_assert_eq(loss, br_network_gradient(fresh.network, &fresh.source, n, 0.0));
            const float *gradient = br_network_last_gradient(used.network)->parameters;
            const float *expected = br_network_last_gradient(fresh.network)->parameters;
            for (size_t i = 0; i < used.model->n_parameters; i++) {
                cr_assert(gradient[i] == expected[i] || untouched(&used, i), "case %zu: %zu of %zu", k, i,
                          used.model->n_parameters);
            }
        }
        bench_deinit(&used);
        bench_deinit(&fresh);
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
