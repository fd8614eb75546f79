#include "attribution/attribution.h"

#include "attribution/method.h"
#include "base/alloc.h"
#include "linalg/fixed.h"

#include <math.h>
#include <string.h>

#define MAX_HIDDEN 1024

static void random_scores(br_attribution *attribution, const uint8_t *codes, uint32_t key, float *scores)
{
    (void)codes;
    br_rng rng = br_attribution_rng(attribution, key, 0);
    for (uint32_t j = 0; j < attribution->n; j++) {
        scores[j] = (float)br_rng_uniform(&rng);
    }
}

static const br_method method_random = {.name = "random", .score = random_scores};

static const br_method *const methods[BR_N_ATTRIBUTIONS] = {
    [BR_ATTRIBUTION_RANDOM] = &method_random,
    [BR_ATTRIBUTION_LIME] = &br_method_lime,
    [BR_ATTRIBUTION_KERNEL_SHAP] = &br_method_kernel_shap,
    [BR_ATTRIBUTION_KERNEL_SHAP_M] = &br_method_kernel_shap_m,
    [BR_ATTRIBUTION_WEIGHTED_SHAP] = &br_method_weighted_shap,
    [BR_ATTRIBUTION_IG] = &br_method_ig,
    [BR_ATTRIBUTION_IG_M] = &br_method_ig_m,
    [BR_ATTRIBUTION_EG] = &br_method_eg,
    [BR_ATTRIBUTION_RECXPLAINER_L] = &br_method_recxplainer_l,
    [BR_ATTRIBUTION_RECXPLAINER_MLP] = &br_method_recxplainer_mlp,
};

static bool is_method(br_attribution_method method)
{
    return (unsigned)method < BR_N_ATTRIBUTIONS;
}

br_attribution_options br_attribution_options_default(br_attribution_method method, uint32_t n_investor_fields)
{
    br_assert(is_method(method));
    uint32_t n_samples = methods[method]->n_samples;
    if (method == BR_ATTRIBUTION_KERNEL_SHAP || method == BR_ATTRIBUTION_KERNEL_SHAP_M) {
        n_samples += 2 * n_investor_fields;
    }
    return (br_attribution_options){
        .method = method, .n_samples = n_samples, .n_background = 10, .ridge = 1.0, .hidden = 64};
}

const char *br_attribution_name(br_attribution_method method)
{
    br_assert(is_method(method));
    return methods[method]->name;
}

// --- what is refused ---

static br_status check_options(const br_attribution_options *options)
{
    if (!is_method(options->method)) {
        return br_fail(BR_ERR_INVALID, "attribution: there is no method %d", (int)options->method);
    }
    const char *name = methods[options->method]->name;
    if (options->output != BR_ATTRIBUTED_PROBABILITY && options->output != BR_ATTRIBUTED_LOGIT) {
        return br_fail(BR_ERR_INVALID, "%s: there is no output %d", name, (int)options->output);
    }
    if (methods[options->method]->n_samples > 0 && options->n_samples == 0) {
        return br_fail(BR_ERR_INVALID, "%s: 0 samples", name);
    }
    if (options->n_background == 0) {
        return br_fail(BR_ERR_INVALID, "%s: 0 background investors", name);
    }
    if (!(options->ridge > 0.0) || !isfinite(options->ridge)) {
        return br_fail(BR_ERR_INVALID, "%s: a ridge of %g is not above 0", name, options->ridge);
    }
    if (options->hidden == 0 || options->hidden > MAX_HIDDEN) {
        return br_fail(BR_ERR_INVALID, "%s: a hidden layer of %u is not 1 to %d", name, options->hidden, MAX_HIDDEN);
    }
    return BR_OK;
}

/// codes [n, n_fields] of fields from `first` on.
static br_status check_codes(const br_model *model, uint32_t first, uint32_t n_fields, const uint8_t *codes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (uint32_t j = 0; j < n_fields; j++) {
            if (codes[i * n_fields + j] >= model->fields[first + j].n_values) {
                return br_fail(BR_ERR_INVALID, "attribution: row %zu: field %u has no code %u", i, first + j,
                               (unsigned)codes[i * n_fields + j]);
            }
        }
    }
    return BR_OK;
}

static br_status check_background(const br_model *model, const br_attribution_background *background,
                                  const br_method *method)
{
    size_t n = background == NULL ? 0 : background->n;
    if (n > UINT32_MAX || (n == 0 && method->background)) {
        return br_fail(BR_ERR_INVALID, "%s: a background of %zu pairs, not 1 to %u", method->name, n, UINT32_MAX);
    }
    if (n == 0) {
        return BR_OK;
    }
    uint32_t n_bond = model->n_bond_fields;
    br_status status = check_codes(model, 0, n_bond, background->bond_codes, n);
    return status != BR_OK ? status
                           : check_codes(model, n_bond, model->n_fields - n_bond, background->investor_codes, n);
}

static br_status check_model(const br_model *model, const br_method *method)
{
    if (model->n_fields == model->n_bond_fields) {
        return br_fail(BR_ERR_INVALID, "%s: the model has no investor fields", method->name);
    }
    for (uint32_t j = model->n_bond_fields; method->masked && j < model->n_fields; j++) {
        if (!model->fields[j].maskable) {
            return br_fail(BR_ERR_INVALID, "%s: field %u has no mask", method->name, j);
        }
    }
    return BR_OK;
}

// --- life ---

static br_status allocate(br_attribution *a)
{
    size_t samples = (size_t)BR_SAMPLES * a->n;
    a->bond_codes = br_calloc(a->model->n_bond_fields + 1u, 1);
    a->codes = br_calloc(samples, 1);
    a->baseline_codes = br_calloc(samples, 1);
    a->gates = br_calloc(samples, sizeof *a->gates);
    a->gradient = br_calloc(samples, sizeof *a->gradient);
    a->logits = br_calloc(BR_SAMPLES, sizeof *a->logits);
    a->outputs = br_calloc(BR_SAMPLES, sizeof *a->outputs);
    a->sums = br_calloc(a->n, sizeof *a->sums);
    if (a->bond_codes == NULL || a->codes == NULL || a->baseline_codes == NULL || a->gates == NULL ||
        a->gradient == NULL || a->logits == NULL || a->outputs == NULL || a->sums == NULL) {
        return br_no_memory("fields of samples to attribute", samples);
    }
    return BR_OK;
}

br_status br_attribution_new(br_attribution **out, const br_model *model, const br_attribution_background *background,
                             const br_attribution_options *options)
{
    br_status status = check_options(options);
    status = status != BR_OK ? status : check_model(model, methods[options->method]);
    status = status != BR_OK ? status : check_background(model, background, methods[options->method]);
    if (status != BR_OK) {
        return status;
    }
    BR_AUTO(br_attribution) *a = br_calloc(1, sizeof *a);
    if (a == NULL) {
        return br_no_memory("attribution", 1);
    }
    a->method = methods[options->method];
    a->options = *options;
    a->background = background == NULL ? (br_attribution_background){0} : *background;
    a->model = model;
    a->n = model->n_fields - model->n_bond_fields;
    status = allocate(a);
    status = status != BR_OK ? status : br_gates_new(&a->network, model, BR_SAMPLES);
    if (status == BR_OK && a->method->start != NULL) {
        status = a->method->start(a);
    }
    if (status != BR_OK) {
        return status;
    }
    *out = a;
    a = NULL;
    return BR_OK;
}

void br_attribution_free(br_attribution **attribution)
{
    if (attribution == NULL || *attribution == NULL) {
        return;
    }
    br_attribution *a = *attribution;
    if (a->own != NULL) {
        a->method->end(a);
    }
    br_gates_free(&a->network);
    br_free(a->bond_codes);
    br_free(a->codes);
    br_free(a->baseline_codes);
    br_free(a->gates);
    br_free(a->gradient);
    br_free(a->logits);
    br_free(a->outputs);
    br_free(a->sums);
    br_free(a);
    *attribution = NULL;
}

br_status br_attribution_bond(br_attribution *attribution, const uint8_t *bond_codes)
{
    const br_model *model = attribution->model;
    br_status status = check_codes(model, 0, model->n_bond_fields, bond_codes, 1);
    if (status != BR_OK) {
        return status;
    }
    memcpy(attribution->bond_codes, bond_codes, model->n_bond_fields);
    attribution->has_bond = true;
    br_gates_bond(attribution->network, attribution->bond_codes);
    if (attribution->method->bond != NULL) {
        attribution->method->bond(attribution);
    }
    return BR_OK;
}

br_status br_attribution_scores(br_attribution *attribution, const uint8_t *codes, const uint32_t *keys, size_t n,
                                float *scores_out)
{
    br_assert(attribution->has_bond);
    uint32_t n_fields = attribution->n;
    br_status status = check_codes(attribution->model, attribution->model->n_bond_fields, n_fields, codes, n);
    if (status != BR_OK) {
        return status;
    }
    for (size_t i = 0; i < n; i++) {
        attribution->method->score(attribution, codes + i * n_fields, keys[i], scores_out + i * n_fields);
    }
    return BR_OK;
}

// --- the k largest ---

/// Is (a, field) before (b, other) where the largest are first?
static bool is_before(float a, uint32_t field, float b, uint32_t other)
{
    a = isnan(a) ? -INFINITY : a;
    b = isnan(b) ? -INFINITY : b;
    return a > b || (!(a < b) && field < other);
}

br_status br_attribution_select(const float *scores, uint32_t n_fields, uint32_t k, uint32_t *fields_out)
{
    if (k == 0 || k > n_fields) {
        return br_fail(BR_ERR_INVALID, "attribution: %u of %u fields", k, n_fields);
    }
    for (uint32_t i = 0; i < k; i++) {
        uint32_t best = UINT32_MAX;
        for (uint32_t j = 0; j < n_fields; j++) {
            bool is_left = i == 0 || is_before(scores[fields_out[i - 1]], fields_out[i - 1], scores[j], j);
            if (is_left && (best == UINT32_MAX || is_before(scores[j], j, scores[best], best))) {
                best = j;
            }
        }
        fields_out[i] = best;
    }
    return BR_OK;
}

// --- what the methods share ---

br_rng br_attribution_rng(const br_attribution *attribution, uint32_t key, uint32_t part)
{
    br_assert(part != BR_PART_START);
    return br_rng_at(attribution->options.seed, BR_STREAM_ATTRIBUTION, key, part);
}

br_rng br_attribution_start_rng(const br_attribution *attribution, uint32_t part)
{
    return br_rng_at(attribution->options.seed, BR_STREAM_ATTRIBUTION, part, BR_PART_START);
}

double br_attribution_output(const br_attribution *attribution, float logit)
{
    bool is_logit = attribution->options.output == BR_ATTRIBUTED_LOGIT;
    return is_logit ? (double)logit : br_fixed_sigmoid((double)logit);
}

double br_attribution_slope(const br_attribution *attribution, float logit)
{
    if (attribution->options.output == BR_ATTRIBUTED_LOGIT) {
        return 1.0;
    }
    return br_fixed_sigmoid((double)logit) * br_fixed_sigmoid(-(double)logit);
}

void br_attribution_outputs(br_attribution *attribution, const br_gate_samples *samples, size_t n, double *outputs)
{
    br_assert(n <= BR_SAMPLES);
    br_gates_logits(attribution->network, samples, n, attribution->logits);
    for (size_t i = 0; i < n; i++) {
        outputs[i] = br_attribution_output(attribution, attribution->logits[i]);
    }
}
