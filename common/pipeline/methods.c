#include "pipeline/methods.h"

#include "base/alloc.h"
#include "explain/gumbel.h"

#include <string.h>

enum { BATCH = 50 };

typedef enum method_family { FAMILY_SEARCH, FAMILY_GUMBEL, FAMILY_ATTRIBUTION } method_family;

// What a method is made of.
static const struct {
    const char *name;
    method_family family;
    br_objective objective;            // of a search
    br_baseline baseline;              // of the search by gradient
    br_attribution_method attribution; // of an attribution
    bool needs_masks;
} made_of[BR_METHOD_COUNT] = {
    [BR_METHOD_BACKED] = {"backed", .family = FAMILY_SEARCH, .objective = BR_OBJECTIVE_BACKED, .needs_masks = true},
    [BR_METHOD_PLAIN] = {"plain", .family = FAMILY_SEARCH, .objective = BR_OBJECTIVE_PLAIN, .needs_masks = true},
    [BR_METHOD_GUMBEL] = {"gumbel", .family = FAMILY_GUMBEL, .baseline = BR_BASELINE_MASK, .needs_masks = true},
    [BR_METHOD_GUMBEL_ZERO] = {"gumbel-zero", .family = FAMILY_GUMBEL, .baseline = BR_BASELINE_ZERO},
    [BR_METHOD_GUMBEL_AVERAGE] = {"gumbel-average", .family = FAMILY_GUMBEL, .baseline = BR_BASELINE_AVERAGE},
    [BR_METHOD_LIME] = {"lime", .family = FAMILY_ATTRIBUTION, .attribution = BR_ATTRIBUTION_LIME},
    [BR_METHOD_KERNEL_SHAP] = {"kernel-shap", .family = FAMILY_ATTRIBUTION, .attribution = BR_ATTRIBUTION_KERNEL_SHAP},
    [BR_METHOD_WEIGHTED_SHAP] = {"weighted-shap", .family = FAMILY_ATTRIBUTION,
                                 .attribution = BR_ATTRIBUTION_WEIGHTED_SHAP},
    [BR_METHOD_IG] = {"ig", .family = FAMILY_ATTRIBUTION, .attribution = BR_ATTRIBUTION_IG},
    [BR_METHOD_EG] = {"eg", .family = FAMILY_ATTRIBUTION, .attribution = BR_ATTRIBUTION_EG},
    [BR_METHOD_RECXPLAINER_L] = {"recxplainer-l", .family = FAMILY_ATTRIBUTION,
                                 .attribution = BR_ATTRIBUTION_RECXPLAINER_L},
    [BR_METHOD_RECXPLAINER_MLP] = {"recxplainer-mlp", .family = FAMILY_ATTRIBUTION,
                                   .attribution = BR_ATTRIBUTION_RECXPLAINER_MLP},
    [BR_METHOD_KERNEL_SHAP_M] = {"kernel-shap-m", .family = FAMILY_ATTRIBUTION,
                                 .attribution = BR_ATTRIBUTION_KERNEL_SHAP_M, .needs_masks = true},
    [BR_METHOD_IG_M] = {"ig-m", .family = FAMILY_ATTRIBUTION, .attribution = BR_ATTRIBUTION_IG_M, .needs_masks = true},
    [BR_METHOD_RANDOM] = {"random", .family = FAMILY_ATTRIBUTION, .attribution = BR_ATTRIBUTION_RANDOM},
};

struct br_methods {
    const br_served *served;
    const br_attribution_background *background;
    uint32_t n_reasons;
    uint64_t seed;
    uint32_t n_fields;
    br_gumbel *gumbel[BR_METHOD_COUNT];           // of those that are searched by gradient
    br_attribution *attribution[BR_METHOD_COUNT]; // of attributions
    uint8_t *codes;                               // [BATCH, n_fields]
    uint32_t *keys;                               // [BATCH]
    float *state;                                 // of f(x_S)
    float *scratch;
    float *scores; // [BATCH, n_fields]
};

const char *br_method_name(br_method method)
{
    return made_of[method].name;
}

bool br_method_by_name(br_method *out, const char *name, size_t n)
{
    for (int m = 0; m < BR_METHOD_COUNT; m++) {
        if (strlen(made_of[m].name) == n && memcmp(made_of[m].name, name, n) == 0) {
            *out = (br_method)m;
            return true;
        }
    }
    return false;
}

bool br_method_needs_masks(br_method method)
{
    return made_of[method].needs_masks;
}

bool br_method_needs_background(br_method method)
{
    return made_of[method].family == FAMILY_ATTRIBUTION && method != BR_METHOD_RANDOM && method != BR_METHOD_IG &&
           method != BR_METHOD_IG_M && method != BR_METHOD_KERNEL_SHAP_M;
}

br_status br_methods_new(br_methods **out, const br_served *served, const br_attribution_background *background,
                         uint32_t n_reasons, uint64_t seed)
{
    uint32_t n_fields = br_encoder_n_investor_fields(served->snapshot->encoder);
    if (n_reasons == 0 || n_reasons > BR_MAX_REASONS || n_reasons > n_fields) {
        return br_fail(BR_ERR_INVALID, "%u reasons asked for, there can be 1 to %u", n_reasons,
                       n_fields < BR_MAX_REASONS ? n_fields : BR_MAX_REASONS);
    }
    BR_AUTO(br_methods) *it = br_calloc(1, sizeof *it);
    if (it == NULL) {
        return br_no_memory("methods", 1);
    }
    it->served = served;
    it->background = background;
    it->n_reasons = n_reasons;
    it->seed = seed;
    it->n_fields = n_fields;
    it->codes = br_calloc(BATCH, n_fields);
    it->keys = br_calloc(BATCH, sizeof *it->keys);
    it->scores = br_calloc((size_t)BATCH * n_fields, sizeof *it->scores);
    it->state = br_calloc_aligned(br_collapsed_state_floats(served->collapsed), sizeof(float));
    it->scratch = br_calloc_aligned(br_collapsed_scratch_floats(served->collapsed), sizeof(float));
    if (it->codes == NULL || it->keys == NULL || it->scores == NULL || it->state == NULL || it->scratch == NULL) {
        return br_no_memory("investors to explain", BATCH);
    }
    *out = it;
    it = NULL;
    return BR_OK;
}

void br_methods_free(br_methods **methods)
{
    if (methods == NULL || *methods == NULL) {
        return;
    }
    for (int m = 0; m < BR_METHOD_COUNT; m++) {
        br_gumbel_free(&(*methods)->gumbel[m]);
        br_attribution_free(&(*methods)->attribution[m]);
    }
    br_free((*methods)->codes);
    br_free((*methods)->keys);
    br_free((*methods)->scores);
    br_free((*methods)->state);
    br_free((*methods)->scratch);
    br_free(*methods);
    *methods = NULL;
}

// --- the searches ---

static br_status search(br_methods *it, br_method method, const br_method_list *list, uint32_t *selected_out)
{
    const br_snapshot *snapshot = it->served->snapshot;
    br_explain_options options = br_explain_options_default();
    options.objective = made_of[method].objective;
    options.n_reasons = it->n_reasons;
    BR_AUTO(br_explain_context) *context = NULL;
    br_explain_bond bond = {.collapsed = it->served->collapsed,
                            .encoder = snapshot->encoder,
                            .record = snapshot->record,
                            .mean_bond = snapshot->mean_bond,
                            .codes = list->bond_codes};
    br_status status = br_explain_context_new(&context, &bond, &list->population, &options);
    for (uint32_t i = 0; i < list->n && status == BR_OK; i++) {
        br_explanation explanation;
        status = br_explain(context, list->investors[i], NULL, &explanation);
        for (uint32_t k = 0; k < it->n_reasons && status == BR_OK; k++) {
            selected_out[(size_t)i * it->n_reasons + k] = explanation.reasons[k].field;
        }
    }
    return status;
}

// --- in batches ---

// Codes and keys of investors [first, first + n) of the list.
static void fill_batch(br_methods *it, const br_method_list *list, uint32_t first, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t investor = list->investors[first + i];
        memcpy(it->codes + (size_t)i * it->n_fields, list->population.codes + (size_t)investor * it->n_fields,
               it->n_fields);
        it->keys[i] = list->key * list->population.n + investor;
    }
}

static br_status prepare_gumbel(br_methods *it, br_method method)
{
    if (it->gumbel[method] != NULL) {
        return BR_OK;
    }
    br_gumbel_options options = br_gumbel_options_default();
    options.n_reasons = it->n_reasons;
    options.baseline = made_of[method].baseline;
    options.seed = it->seed;
    return br_gumbel_new(&it->gumbel[method], it->served->snapshot->model, BATCH, &options);
}

static br_status search_by_gradient(br_methods *it, br_method method, const br_method_list *list,
                                    uint32_t *selected_out)
{
    br_status status = br_gumbel_bond(it->gumbel[method], list->bond_codes);
    for (uint32_t first = 0; first < list->n && status == BR_OK; first += BATCH) {
        uint32_t n = list->n - first < BATCH ? list->n - first : BATCH;
        fill_batch(it, list, first, n);
        status = br_gumbel_search(it->gumbel[method], &(br_gumbel_batch){.codes = it->codes, .keys = it->keys}, n,
                                  selected_out + (size_t)first * it->n_reasons);
    }
    return status;
}

static br_status prepare_attribution(br_methods *it, br_method method)
{
    if (it->attribution[method] != NULL) {
        return BR_OK;
    }
    br_attribution_options options = br_attribution_options_default(made_of[method].attribution, it->n_fields);
    options.seed = it->seed;
    return br_attribution_new(&it->attribution[method], it->served->snapshot->model, it->background, &options);
}

static br_status attribute(br_methods *it, br_method method, const br_method_list *list, uint32_t *selected_out)
{
    br_status status = br_attribution_bond(it->attribution[method], list->bond_codes);
    for (uint32_t first = 0; first < list->n && status == BR_OK; first += BATCH) {
        uint32_t n = list->n - first < BATCH ? list->n - first : BATCH;
        fill_batch(it, list, first, n);
        status = br_attribution_scores(it->attribution[method], it->codes, it->keys, n, it->scores);
        for (uint32_t i = 0; i < n && status == BR_OK; i++) {
            status = br_attribution_select(it->scores + (size_t)i * it->n_fields, it->n_fields, it->n_reasons,
                                           selected_out + (size_t)(first + i) * it->n_reasons);
        }
    }
    return status;
}

br_status br_methods_prepare(br_methods *it, br_method method)
{
    if (made_of[method].needs_masks && it->served->snapshot->facts.unmasked) {
        return br_fail(BR_ERR_INVALID, "%s needs mask embeddings, and the snapshot was trained without masks",
                       made_of[method].name);
    }
    switch (made_of[method].family) {
    case FAMILY_GUMBEL:
        return prepare_gumbel(it, method);
    case FAMILY_ATTRIBUTION:
        return prepare_attribution(it, method);
    case FAMILY_SEARCH:
        break;
    }
    return BR_OK;
}

br_status br_methods_select(br_methods *it, br_method method, const br_method_list *list, uint32_t *selected_out)
{
    br_status status = br_methods_prepare(it, method);
    if (status != BR_OK) {
        return status;
    }
    switch (made_of[method].family) {
    case FAMILY_SEARCH:
        return search(it, method, list, selected_out);
    case FAMILY_GUMBEL:
        return search_by_gradient(it, method, list, selected_out);
    case FAMILY_ATTRIBUTION:
        break;
    }
    return attribute(it, method, list, selected_out);
}

float br_methods_sufficient(br_methods *it, const uint8_t *bond_codes, const uint8_t *investor_codes,
                            const uint32_t *selected)
{
    const br_collapsed *collapsed = it->served->collapsed;
    br_collapsed_bond(collapsed, bond_codes, it->state);
    br_collapsed_add_hidden(collapsed, it->state);
    for (uint32_t k = 0; k < it->n_reasons; k++) {
        br_collapsed_show(collapsed, it->state, selected[k], investor_codes[selected[k]]);
    }
    return br_collapsed_logit(collapsed, it->state, it->scratch);
}
