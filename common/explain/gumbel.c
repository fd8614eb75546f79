#include "base/alloc.h"
#include "base/rng.h"
#include "explain/gumbel_step.h"
#include "linalg/fixed.h"

#include <math.h>
#include <string.h>

#define FIRST_GATE_LOGIT (-10.0f)

br_gumbel_options br_gumbel_options_default(void)
{
    return (br_gumbel_options){
        .n_reasons = 6,
        .n_steps = 100,
        .temperature = 5.0,
        .temperature_floor = 0.1,
        .rate = 0.1,
        .alpha = 0.04,
        .baseline = BR_BASELINE_MASK,
        .seed = 1,
    };
}

static br_status check(const br_model *model, uint32_t max_batch, const br_gumbel_options *options)
{
    uint32_t n = model->n_fields - model->n_bond_fields;
    if (options->n_reasons == 0 || options->n_reasons > BR_MAX_REASONS || options->n_reasons > n) {
        return br_fail(BR_ERR_INVALID, "%u reasons, not 1 to %d of %u fields", options->n_reasons, BR_MAX_REASONS, n);
    }
    if (max_batch == 0 || options->n_steps == 0 || options->n_steps > BR_GUMBEL_MAX_STEPS) {
        return br_fail(BR_ERR_INVALID, "%u steps (1 to %d) for %u investors", options->n_steps, BR_GUMBEL_MAX_STEPS,
                       max_batch);
    }
    // Written so that a NaN is refused, too.
    bool ranges = options->temperature_floor > 0.0 && options->temperature >= options->temperature_floor &&
                  isfinite(options->temperature) && options->rate > 0.0 && isfinite(options->rate) &&
                  options->alpha >= 0.0 && isfinite(options->alpha);
    if (!ranges) {
        return br_fail(BR_ERR_INVALID, "temperature %g down to %g, rate %g, alpha %g", options->temperature,
                       options->temperature_floor, options->rate, options->alpha);
    }
    if (options->baseline == BR_BASELINE_VALUE) {
        return br_fail(BR_ERR_INVALID, "gates from another investor's values are no explanation");
    }
    for (uint32_t j = model->n_bond_fields; options->baseline == BR_BASELINE_MASK && j < model->n_fields; j++) {
        if (!model->fields[j].maskable) {
            return br_fail(BR_ERR_INVALID, "field %u has no mask", j);
        }
    }
    return BR_OK;
}

br_status br_gumbel_new(br_gumbel **out, const br_model *model, uint32_t max_batch, const br_gumbel_options *options)
{
    br_status status = check(model, max_batch, options);
    if (status != BR_OK) {
        return status;
    }
    BR_AUTO(br_gumbel) *gumbel = br_calloc(1, sizeof *gumbel);
    if (gumbel == NULL) {
        return br_no_memory("search by gradient", 1);
    }
    gumbel->model = model;
    gumbel->options = *options;
    gumbel->n = model->n_fields - model->n_bond_fields;
    gumbel->max_batch = max_batch;
    status = br_gates_new(&gumbel->gates, model, max_batch);
    if (status != BR_OK) {
        return status;
    }
    size_t n_gates = gumbel->max_batch * gumbel->n;
    gumbel->held_shut = br_calloc(gumbel->n, sizeof *gumbel->held_shut);
    gumbel->block = br_calloc_aligned(7 * n_gates + max_batch, sizeof *gumbel->block);
    if (gumbel->held_shut == NULL || gumbel->block == NULL) {
        return br_no_memory("gates", 7 * n_gates);
    }
    float **arrays[] = {&gumbel->noise,    &gumbel->gate_logit, &gumbel->gate_prob, &gumbel->gate,
                        &gumbel->gradient, &gumbel->adam.m,     &gumbel->adam.v,    &gumbel->logit};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        *arrays[i] = gumbel->block + i * n_gates;
    }
    *out = gumbel;
    gumbel = NULL;
    return BR_OK;
}

void br_gumbel_free(br_gumbel **gumbel)
{
    if (gumbel == NULL || *gumbel == NULL) {
        return;
    }
    br_gates_free(&(*gumbel)->gates);
    br_free((*gumbel)->held_shut);
    br_free((*gumbel)->block);
    br_free(*gumbel);
    *gumbel = NULL;
}

static br_status check_codes(const br_model_field *fields, uint32_t n_fields, const uint8_t *codes)
{
    for (uint32_t j = 0; j < n_fields; j++) {
        if (codes[j] >= fields[j].n_values) {
            return br_fail(BR_ERR_INVALID, "code %u of a field with %u values", codes[j], fields[j].n_values);
        }
    }
    return BR_OK;
}

br_status br_gumbel_bond(br_gumbel *gumbel, const uint8_t *bond_codes)
{
    const br_model *model = gumbel->model;
    br_status status = check_codes(model->fields, model->n_bond_fields, bond_codes);
    if (status == BR_OK) {
        br_gates_bond(gumbel->gates, bond_codes);
    }
    return status;
}

// --- a step ---

void br_gumbel_draw(br_gumbel *gumbel, const uint32_t *keys, size_t n, uint32_t step)
{
    for (size_t t = 0; t < n; t++) {
        br_rng rng = br_rng_at(gumbel->options.seed, BR_STREAM_GUMBEL, keys[t], step);
        for (uint32_t j = 0; j < gumbel->n; j++) {
            // u / (1 - u) for u in the middle of 2^-32, so that it is never 0 or 1.
            uint32_t bits = br_rng_u32(&rng);
            gumbel->noise[t * gumbel->n + j] = ((float)bits + 0.5f) / ((float)~bits + 0.5f);
        }
    }
    br_fixed_logs(gumbel->noise, gumbel->noise, n * gumbel->n);
}

void br_gumbel_open(br_gumbel *gumbel, size_t n)
{
    size_t n_gates = n * gumbel->n;
    for (size_t i = 0; i < n_gates; i++) {
        gumbel->gate[i] = (gumbel->gate_logit[i] + gumbel->noise[i]) / gumbel->temperature;
    }
    br_fixed_sigmoids(gumbel->gate, gumbel->gate, n_gates);
    br_fixed_sigmoids(gumbel->gate_prob, gumbel->gate_logit, n_gates);
    for (uint32_t j = 0; j < gumbel->n; j++) {
        for (size_t t = 0; t < n && gumbel->held_shut[j]; t++) {
            gumbel->gate[t * gumbel->n + j] = 0.0f;
            gumbel->gate_prob[t * gumbel->n + j] = 0.0f;
        }
    }
}

void br_gumbel_slope(br_gumbel *gumbel, const uint8_t *codes, size_t n, double *loss_out)
{
    br_gate_samples samples = {.codes = codes, .gates = gumbel->gate, .baseline = gumbel->options.baseline};
    br_gates_gradient(gumbel->gates, &samples, n, gumbel->logit, gumbel->gradient);
    for (size_t t = 0; t < n; t++) {
        const float *gate = gumbel->gate + t * gumbel->n;
        const float *gate_prob = gumbel->gate_prob + t * gumbel->n;
        float *gradient = gumbel->gradient + t * gumbel->n;
        double f = br_fixed_sigmoid((double)gumbel->logit[t]);
        double excess = -(double)gumbel->options.n_reasons;
        for (uint32_t j = 0; j < gumbel->n; j++) {
            excess += (double)gate_prob[j];
        }
        float by_gate = (float)(-f * (1.0 - f)) / gumbel->temperature;
        float by_prob = (float)(2.0 * gumbel->options.alpha * excess);
        for (uint32_t j = 0; j < gumbel->n; j++) {
            gradient[j] =
                by_gate * gradient[j] * gate[j] * (1.0f - gate[j]) + by_prob * gate_prob[j] * (1.0f - gate_prob[j]);
        }
        if (loss_out != NULL) {
            loss_out[t] = -f + gumbel->options.alpha * excess * excess;
        }
    }
}

// --- the search ---

static float temperature_at(const br_gumbel_options *options, uint32_t step)
{
    double falling = options->temperature * (1.0 - (double)step / options->n_steps);
    return (float)(falling > options->temperature_floor ? falling : options->temperature_floor);
}

/// gate_logit of investors [first, first + n) of the batch, n <= max_batch.
static void descend(br_gumbel *gumbel, const br_gumbel_batch *batch, size_t first, size_t n)
{
    const br_gumbel_options *options = &gumbel->options;
    size_t n_gates = n * gumbel->n;
    for (size_t i = 0; i < n_gates; i++) {
        gumbel->gate_logit[i] = FIRST_GATE_LOGIT;
    }
    memset(gumbel->adam.m, 0, n_gates * sizeof(float));
    memset(gumbel->adam.v, 0, n_gates * sizeof(float));
    gumbel->adam.step = 0;
    for (uint32_t step = 0; step <= options->n_steps; step++) {
        gumbel->temperature = temperature_at(options, step);
        br_gumbel_draw(gumbel, batch->keys + first, n, step);
        br_gumbel_open(gumbel, n);
        if (options->observe != NULL) {
            options->observe(options->observe_context, step, first, n, gumbel->gate_prob);
        }
        if (step == options->n_steps) {
            return;
        }
        br_gumbel_slope(gumbel, batch->codes + first * gumbel->n, n, NULL);
        br_adam_begin(&gumbel->adam, options->rate);
        br_adam_update(gumbel->gate_logit, &gumbel->adam, gumbel->gradient, 0, n_gates, 0.0);
    }
}

/// fields[n_reasons] = those with the largest gate_logit: where probabilities are equal by rounding, their logits need not be.
static void select_fields(const br_gumbel *gumbel, const float *gate_logit, uint32_t *fields)
{
    for (uint32_t i = 0; i < gumbel->options.n_reasons; i++) {
        uint32_t best = UINT32_MAX;
        for (uint32_t j = 0; j < gumbel->n; j++) {
            bool taken = gumbel->held_shut[j];
            for (uint32_t other = 0; other < i; other++) {
                taken = taken || fields[other] == j;
            }
            if (!taken && (best == UINT32_MAX || gate_logit[j] > gate_logit[best])) {
                best = j;
            }
        }
        fields[i] = best;
    }
}

static br_status hold_shut(br_gumbel *gumbel, const bool *held_shut)
{
    uint32_t n_open = gumbel->n;
    for (uint32_t j = 0; j < gumbel->n; j++) {
        gumbel->held_shut[j] = held_shut != NULL && held_shut[j];
        n_open -= gumbel->held_shut[j];
    }
    if (n_open < gumbel->options.n_reasons) {
        return br_fail(BR_ERR_INVALID, "%u reasons of %u fields that are not held shut", gumbel->options.n_reasons,
                       n_open);
    }
    return BR_OK;
}

br_status br_gumbel_search(br_gumbel *gumbel, const br_gumbel_batch *batch, size_t n, uint32_t *fields_out)
{
    const br_model *model = gumbel->model;
    br_status status = hold_shut(gumbel, batch->held_shut);
    for (size_t i = 0; status == BR_OK && i < n; i++) {
        status = check_codes(model->fields + model->n_bond_fields, gumbel->n, batch->codes + i * gumbel->n);
    }
    for (size_t first = 0; status == BR_OK && first < n; first += gumbel->max_batch) {
        size_t n_turn = n - first < gumbel->max_batch ? n - first : gumbel->max_batch;
        descend(gumbel, batch, first, n_turn);
        for (size_t t = 0; t < n_turn; t++) {
            select_fields(gumbel, gumbel->gate_logit + t * gumbel->n,
                          fields_out + (first + t) * gumbel->options.n_reasons);
        }
    }
    return status;
}
