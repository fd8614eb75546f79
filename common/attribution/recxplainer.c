// RecXPlainer: an auxiliary model of the recommender, whose prediction is asked with a feature taken away.
//
//   inputs   the bond's embeddings and the one-hot codes of the investor's fields
//   learned  the recommender's output on the pairs of the background
//   score    prediction - prediction with the field's one-hot set to the zero vector
//
// linear  prediction = e . w_bond + sum_j w[j, code_j] + c, ridge regression; the score is w[j, code_j], whatever the bond
// mlp     prediction = v . relu(e W_bond + sum_j W[j, code_j] + c) + c_out
//
// Source:  Verma, Beniwal, Sadagopan, Seshadri: RecXPlainer: post-hoc attribute-based explanations for recommender systems, 2022, as the
//          paper's section 2 describes it; bonds are what users are there.
// Choice:  the source leaves the sizes open. Ridge 1 as for LIME; one hidden layer of 64, Adam with a rate of 0.001 in steps of 128 pairs on the
//          squared error of the standardised output, 100 rounds.

#include "attribution/method.h"
#include "attribution/regression.h"
#include "base/alloc.h"
#include "linalg/gemm.h"
#include "model/adam.h"

#include <math.h>
#include <string.h>

#define LEARNING_RATE 0.001

/// Columns of the inputs: the bond's embeddings, one per code of each investor field.
typedef struct aux_inputs {
    size_t n_bond;
    size_t *first; // [N + 1] first column of a field
} aux_inputs;

static size_t n_columns(const aux_inputs *inputs, uint32_t n)
{
    return inputs->first[n];
}

static br_status inputs_init(aux_inputs *inputs, const br_attribution *a)
{
    const br_model *model = a->model;
    inputs->n_bond = (size_t)model->n_bond_fields * model->config.d;
    inputs->first = br_calloc(a->n + 1u, sizeof *inputs->first);
    if (inputs->first == NULL) {
        return br_no_memory("columns of fields", a->n);
    }
    inputs->first[0] = inputs->n_bond;
    for (uint32_t j = 0; j < a->n; j++) {
        uint32_t n_values = model->fields[model->n_bond_fields + j].n_values;
        inputs->first[j + 1] = inputs->first[j] + (n_values < UINT8_MAX + 1 ? n_values : UINT8_MAX + 1);
    }
    return BR_OK;
}

/// e [n_bond] of a bond.
static void embed_bond(const br_model *model, const uint8_t *bond_codes, float *e)
{
    size_t d = model->config.d;
    for (uint32_t j = 0; j < model->n_bond_fields; j++) {
        memcpy(e + j * d, model->embedding + (model->row_of[j] + bond_codes[j]) * d, d * sizeof *e);
    }
}

/// outputs[n] of the background's pairs; neighbours with the same bond at once.
static void ask_model(br_attribution *a, double *outputs)
{
    const br_attribution_background *pairs = &a->background;
    size_t n_bond = a->model->n_bond_fields;
    for (size_t i = 0; i < pairs->n;) {
        const uint8_t *bond = pairs->bond_codes + i * n_bond;
        size_t n = 1;
        while (n < BR_SAMPLES && i + n < pairs->n && memcmp(bond, bond + n * n_bond, n_bond) == 0) {
            n++;
        }
        br_gates_bond(a->network, bond);
        br_gate_samples samples = {.codes = pairs->investor_codes + i * a->n, .baseline = BR_BASELINE_ZERO};
        br_attribution_outputs(a, &samples, n, outputs + i);
        i += n;
    }
}

// --- the linear one ---

typedef struct linear {
    aux_inputs inputs;
    float *weights; // [columns]
} linear;

/// The normal equations, intercept last, without the matrix.
typedef struct normal_equations {
    const br_attribution *a;
    const aux_inputs *inputs;
    float *e; // [n_bond]
} normal_equations;

/// row of a pair . v
static double row_dot(const normal_equations *it, size_t pair, const double *v)
{
    const br_attribution *a = it->a;
    const uint8_t *codes = a->background.investor_codes + pair * a->n;
    double sum = v[n_columns(it->inputs, a->n)];
    for (size_t c = 0; c < it->inputs->n_bond; c++) {
        sum += (double)it->e[c] * v[c];
    }
    for (uint32_t j = 0; j < a->n; j++) {
        sum += v[it->inputs->first[j] + codes[j]];
    }
    return sum;
}

/// out += factor * row of a pair
static void row_add(const normal_equations *it, size_t pair, double factor, double *out)
{
    const br_attribution *a = it->a;
    const uint8_t *codes = a->background.investor_codes + pair * a->n;
    out[n_columns(it->inputs, a->n)] += factor;
    for (size_t c = 0; c < it->inputs->n_bond; c++) {
        out[c] += factor * (double)it->e[c];
    }
    for (uint32_t j = 0; j < a->n; j++) {
        out[it->inputs->first[j] + codes[j]] += factor;
    }
}

static void embed_pair(const normal_equations *it, size_t pair)
{
    const br_attribution *a = it->a;
    embed_bond(a->model, a->background.bond_codes + pair * a->model->n_bond_fields, it->e);
}

static void apply_equations(const void *context, const double *v, double *out)
{
    const normal_equations *it = context;
    size_t n = n_columns(it->inputs, it->a->n);
    for (size_t c = 0; c < n; c++) {
        out[c] = it->a->options.ridge * v[c];
    }
    out[n] = 0.0;
    for (size_t i = 0; i < it->a->background.n; i++) {
        embed_pair(it, i);
        row_add(it, i, row_dot(it, i, v), out);
    }
}

static void linear_end(br_attribution *a)
{
    linear *it = a->own;
    br_free(it->inputs.first);
    br_free(it->weights);
    br_free(it);
}

/// weights from `outputs`; the vectors of the solution are in `work` [5, columns + 1].
static void solve(br_attribution *a, const normal_equations *equations, const double *outputs, double *work)
{
    linear *it = a->own;
    size_t n = n_columns(&it->inputs, a->n) + 1;
    double *b = work;
    double *x = work + n;
    for (size_t i = 0; i < a->background.n; i++) {
        embed_pair(equations, i);
        row_add(equations, i, outputs[i], b);
    }
    br_conjugate_gradients(apply_equations, equations, b, n, x, work + 2 * n);
    for (size_t c = 0; c + 1 < n; c++) {
        it->weights[c] = (float)x[c];
    }
}

static br_status linear_start(br_attribution *a)
{
    linear *it = br_calloc(1, sizeof *it);
    if (it == NULL) {
        return br_no_memory("linear auxiliary model", 1);
    }
    a->own = it;
    br_status status = inputs_init(&it->inputs, a);
    if (status != BR_OK) {
        return status;
    }
    size_t n = n_columns(&it->inputs, a->n);
    it->weights = br_calloc(n, sizeof *it->weights);
    double *outputs = br_calloc(a->background.n, sizeof *outputs);
    double *work = br_calloc(n + 1, 5 * sizeof *work);
    normal_equations equations = {a, &it->inputs, br_calloc(it->inputs.n_bond + 1, sizeof *equations.e)};
    if (it->weights == NULL || outputs == NULL || work == NULL || equations.e == NULL) {
        status = br_no_memory("columns of an auxiliary model", n);
    } else {
        ask_model(a, outputs);
        solve(a, &equations, outputs, work);
    }
    br_free(outputs);
    br_free(work);
    br_free(equations.e);
    return status;
}

static void linear_score(br_attribution *a, const uint8_t *codes, uint32_t key, float *scores)
{
    (void)key;
    const linear *it = a->own;
    for (uint32_t j = 0; j < a->n; j++) {
        scores[j] = it->weights[it->inputs.first[j] + codes[j]];
    }
}

const br_method br_method_recxplainer_l = {
    .name = "recxplainer_l", .background = true, .start = linear_start, .score = linear_score, .end = linear_end};

// --- the one with a hidden layer, H = hidden ---

/// Views into one block of parameters, or of their gradient.
typedef struct layers {
    float *w;     // [columns, H]
    float *c;     // [H]
    float *v;     // [H]
    float *c_out; // [1]
} layers;

typedef struct mlp {
    aux_inputs inputs;
    size_t width; // H
    size_t n_parameters;
    float *parameters;
    float *hidden; // [T, H]
    double scale;  // an output is mean + scale x prediction
    float *base;   // [H] of the bond, before relu
    float *bond;   // [T, n_bond]
} mlp;

/// What only training needs.
typedef struct mlp_lesson {
    double *outputs; // [pairs]
    uint32_t *order; // [pairs]
    float *gradient; // [n_parameters]
    br_adam adam;
    float error[BR_SAMPLES];
} mlp_lesson;

static layers layers_of(const mlp *it, const br_attribution *a, float *block)
{
    float *c = block + n_columns(&it->inputs, a->n) * it->width;
    return (layers){.w = block, .c = c, .v = c + it->width, .c_out = c + 2 * it->width};
}

static void mlp_end(br_attribution *a)
{
    mlp *it = a->own;
    br_free(it->inputs.first);
    br_free(it->parameters);
    br_free(it->hidden);
    br_free(it->base);
    br_free(it->bond);
    br_free(it);
}

static br_matrix bond_rows(const mlp *it, size_t n)
{
    return br_matrix_of(it->bond, n, it->inputs.n_bond);
}

/// h [n, H] += bond[n] W_bond
static void add_bonds(const mlp *it, float *w, size_t n, float *h)
{
    if (it->inputs.n_bond > 0) {
        br_gemm(br_matrix_of(h, n, it->width), 1.0f, bond_rows(it, n), BR_PLAIN,
                br_matrix_of(w, it->inputs.n_bond, it->width), BR_PLAIN);
    }
}

/// h [H] += the fields' rows
static void add_fields(const mlp *it, const br_attribution *a, const float *w, const uint8_t *codes, float *h)
{
    for (uint32_t j = 0; j < a->n; j++) {
        const float *row = w + (it->inputs.first[j] + codes[j]) * it->width;
        for (size_t i = 0; i < it->width; i++) {
            h[i] += row[i];
        }
    }
}

/// error[n] = prediction - standardised output of the pairs order[0 .. n - 1]; hidden[n] after relu.
static void forward(br_attribution *a, mlp_lesson *lesson, const uint32_t *order, size_t n)
{
    mlp *it = a->own;
    layers p = layers_of(it, a, it->parameters);
    for (size_t t = 0; t < n; t++) {
        embed_bond(a->model, a->background.bond_codes + (size_t)order[t] * a->model->n_bond_fields,
                   it->bond + t * it->inputs.n_bond);
        memcpy(it->hidden + t * it->width, p.c, it->width * sizeof *it->hidden);
    }
    add_bonds(it, p.w, n, it->hidden);
    for (size_t t = 0; t < n; t++) {
        float *h = it->hidden + t * it->width;
        add_fields(it, a, p.w, a->background.investor_codes + (size_t)order[t] * a->n, h);
        double prediction = (double)p.c_out[0];
        for (size_t i = 0; i < it->width; i++) {
            h[i] = h[i] > 0.0f ? h[i] : 0.0f;
            prediction += (double)(h[i] * p.v[i]);
        }
        lesson->error[t] = (float)(prediction - lesson->outputs[order[t]]);
    }
}

/// The gradient of the mean squared error / 2; hidden[n] becomes its gradient.
static void backward(br_attribution *a, mlp_lesson *lesson, const uint32_t *order, size_t n)
{
    mlp *it = a->own;
    layers p = layers_of(it, a, it->parameters);
    layers g = layers_of(it, a, lesson->gradient);
    memset(lesson->gradient, 0, it->n_parameters * sizeof *lesson->gradient);
    for (size_t t = 0; t < n; t++) {
        float *h = it->hidden + t * it->width;
        const uint8_t *codes = a->background.investor_codes + (size_t)order[t] * a->n;
        float error = lesson->error[t] / (float)n;
        g.c_out[0] += error;
        for (size_t i = 0; i < it->width; i++) {
            g.v[i] += error * h[i];
            h[i] = h[i] > 0.0f ? error * p.v[i] : 0.0f;
            g.c[i] += h[i];
        }
        for (uint32_t j = 0; j < a->n; j++) {
            float *row = g.w + (it->inputs.first[j] + codes[j]) * it->width;
            for (size_t i = 0; i < it->width; i++) {
                row[i] += h[i];
            }
        }
    }
    if (it->inputs.n_bond > 0) {
        br_gemm(br_matrix_of(g.w, it->inputs.n_bond, it->width), 1.0f, bond_rows(it, n), BR_TRANSPOSED,
                br_matrix_of(it->hidden, n, it->width), BR_PLAIN);
    }
}

static void standardise(mlp *it, double *outputs, size_t n)
{
    double mean = 0.0;
    double square = 0.0;
    for (size_t i = 0; i < n; i++) {
        mean += outputs[i] / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        square += (outputs[i] - mean) * (outputs[i] - mean) / (double)n;
    }
    it->scale = sqrt(square);
    for (size_t i = 0; i < n; i++) {
        outputs[i] = it->scale > 0.0 ? (outputs[i] - mean) / it->scale : 0.0;
    }
}

/// Small: what a field's codes have in common is never corrected by learning, because one of them is always there, but is counted when the
/// one-hot is set to zero.
static void first_values(br_attribution *a)
{
    mlp *it = a->own;
    layers p = layers_of(it, a, it->parameters);
    br_rng rng = br_attribution_start_rng(a, 1);
    double deviation = 1.0 / sqrt(3.0 * (double)n_columns(&it->inputs, a->n));
    for (size_t i = 0; i < n_columns(&it->inputs, a->n) * it->width; i++) {
        p.w[i] = (float)(deviation * br_rng_normal(&rng));
    }
    for (size_t i = 0; i < it->width; i++) {
        p.v[i] = (float)(br_rng_normal(&rng) / sqrt((double)it->width));
    }
}

static void learn(br_attribution *a, mlp_lesson *lesson)
{
    mlp *it = a->own;
    uint32_t n = (uint32_t)a->background.n;
    ask_model(a, lesson->outputs);
    standardise(it, lesson->outputs, n);
    first_values(a);
    br_rng rng = br_attribution_start_rng(a, 2);
    for (uint32_t i = 0; i < n; i++) {
        lesson->order[i] = i;
    }
    for (uint32_t round = 0; round < a->options.n_samples; round++) {
        for (uint32_t i = n; i > 1; i--) {
            uint32_t other = br_rng_below(&rng, i);
            uint32_t pair = lesson->order[other];
            lesson->order[other] = lesson->order[i - 1];
            lesson->order[i - 1] = pair;
        }
        for (size_t first = 0; first < n; first += BR_SAMPLES) {
            size_t some = n - first < BR_SAMPLES ? n - first : BR_SAMPLES;
            forward(a, lesson, lesson->order + first, some);
            backward(a, lesson, lesson->order + first, some);
            br_adam_begin(&lesson->adam, LEARNING_RATE);
            br_adam_update(it->parameters, &lesson->adam, lesson->gradient, 0, it->n_parameters, 0.0);
        }
    }
}

static br_status train(br_attribution *a)
{
    const mlp *it = a->own;
    size_t n = a->background.n;
    mlp_lesson lesson = {
        .outputs = br_calloc(n, sizeof *lesson.outputs),
        .order = br_calloc(n, sizeof *lesson.order),
        .gradient = br_calloc(it->n_parameters, sizeof *lesson.gradient),
        .adam = {.m = br_calloc(it->n_parameters, sizeof(float)), .v = br_calloc(it->n_parameters, sizeof(float))},
    };
    br_status status = BR_OK;
    if (lesson.outputs == NULL || lesson.order == NULL || lesson.gradient == NULL || lesson.adam.m == NULL ||
        lesson.adam.v == NULL) {
        status = br_no_memory("parameters of an auxiliary model to learn", it->n_parameters);
    } else {
        learn(a, &lesson);
    }
    br_free(lesson.outputs);
    br_free(lesson.order);
    br_free(lesson.gradient);
    br_free(lesson.adam.m);
    br_free(lesson.adam.v);
    return status;
}

static br_status mlp_start(br_attribution *a)
{
    mlp *it = br_calloc(1, sizeof *it);
    if (it == NULL) {
        return br_no_memory("auxiliary model", 1);
    }
    a->own = it;
    br_status status = inputs_init(&it->inputs, a);
    if (status != BR_OK) {
        return status;
    }
    it->width = a->options.hidden;
    it->n_parameters = (n_columns(&it->inputs, a->n) + 2) * it->width + 1;
    it->parameters = br_calloc(it->n_parameters, sizeof *it->parameters);
    it->hidden = br_calloc(BR_SAMPLES, it->width * sizeof *it->hidden);
    it->base = br_calloc(it->width, sizeof *it->base);
    it->bond = br_calloc(BR_SAMPLES, (it->inputs.n_bond + 1) * sizeof *it->bond);
    if (it->parameters == NULL || it->hidden == NULL || it->base == NULL || it->bond == NULL) {
        return br_no_memory("parameters of an auxiliary model", it->n_parameters);
    }
    return train(a);
}

static void mlp_bond(br_attribution *a)
{
    mlp *it = a->own;
    layers p = layers_of(it, a, it->parameters);
    embed_bond(a->model, a->bond_codes, it->bond);
    memcpy(it->base, p.c, it->width * sizeof *it->base);
    add_bonds(it, p.w, 1, it->base);
}

static void mlp_score(br_attribution *a, const uint8_t *codes, uint32_t key, float *scores)
{
    (void)key;
    const mlp *it = a->own;
    layers p = layers_of(it, a, it->parameters);
    float *h = it->hidden;
    memcpy(h, it->base, it->width * sizeof *h);
    add_fields(it, a, p.w, codes, h);
    for (uint32_t j = 0; j < a->n; j++) {
        const float *row = p.w + (it->inputs.first[j] + codes[j]) * it->width;
        double drop = 0.0;
        for (size_t i = 0; i < it->width; i++) {
            float without = h[i] - row[i];
            drop += (double)(p.v[i] * ((h[i] > 0.0f ? h[i] : 0.0f) - (without > 0.0f ? without : 0.0f)));
        }
        scores[j] = (float)(it->scale * drop);
    }
}

const br_method br_method_recxplainer_mlp = {.name = "recxplainer_mlp",
                                             .background = true,
                                             .n_samples = 100,
                                             .start = mlp_start,
                                             .bond = mlp_bond,
                                             .score = mlp_score,
                                             .end = mlp_end};
