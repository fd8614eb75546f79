#include "pipeline/gate_curves.h"

#include "base/alloc.h"

#include <string.h>

enum { CANDIDATES = 8 };

typedef struct falling_gate {
    uint32_t place; // in the list
    uint32_t field;
    float last;
    float fall; // from its highest to its last value
} falling_gate;

typedef struct finding {
    const br_served *served;
    const br_method_list *list;
    br_gumbel *gumbel;
    uint32_t n_fields;
    uint32_t n_reasons;
    uint32_t n_steps;
    size_t n;           // investors that are searched now
    float *trace;       // [n_steps + 1, n, n_fields]
    float *held;        // [n_steps + 1, n_fields]
    float *recorded;    // one of the two
    uint8_t *codes;     // [list->n, n_fields]
    uint32_t *keys;     // [list->n]
    uint32_t *selected; // [list->n, n_reasons]
    bool *shut;         // [n_fields]
    falling_gate candidates[CANDIDATES];
    uint32_t n_candidates;
} finding;

static void record(void *context, uint32_t step, size_t first, size_t n, const float *gate_prob)
{
    finding *f = context;
    memcpy(f->recorded + ((size_t)step * f->n + first) * f->n_fields, gate_prob, n * f->n_fields * sizeof *gate_prob);
}

static void finding_deinit(finding *f)
{
    br_gumbel_free(&f->gumbel);
    br_free(f->trace);
    br_free(f->held);
    br_free(f->codes);
    br_free(f->keys);
    br_free(f->selected);
    br_free(f->shut);
}

static br_status prepare(finding *f, uint64_t seed)
{
    br_gumbel_options options = br_gumbel_options_default();
    options.n_reasons = f->n_reasons;
    options.seed = seed;
    options.observe = record;
    options.observe_context = f;
    f->n_steps = options.n_steps;
    size_t n = f->list->n;
    f->trace = br_calloc((size_t)(f->n_steps + 1) * n * f->n_fields, sizeof *f->trace);
    f->held = br_calloc((size_t)(f->n_steps + 1) * f->n_fields, sizeof *f->held);
    f->codes = br_calloc(n, f->n_fields);
    f->keys = br_calloc(n, sizeof *f->keys);
    f->selected = br_calloc(n * f->n_reasons, sizeof *f->selected);
    f->shut = br_calloc(f->n_fields, sizeof *f->shut);
    if (f->trace == NULL || f->held == NULL || f->codes == NULL || f->keys == NULL || f->selected == NULL ||
        f->shut == NULL) {
        return br_no_memory("gates of all steps", n);
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t investor = f->list->investors[i];
        memcpy(f->codes + i * f->n_fields, f->list->population.codes + (size_t)investor * f->n_fields, f->n_fields);
        f->keys[i] = f->list->key * f->list->population.n + investor;
    }
    br_status status = br_gumbel_new(&f->gumbel, f->served->snapshot->model, (uint32_t)n, &options);
    return status == BR_OK ? br_gumbel_bond(f->gumbel, f->list->bond_codes) : status;
}

// Keep the CANDIDATES largest falls, largest first.
static void consider(finding *f, falling_gate gate)
{
    uint32_t at = f->n_candidates;
    while (at > 0 && f->candidates[at - 1].fall < gate.fall) {
        at--;
    }
    if (at == CANDIDATES) {
        return;
    }
    f->n_candidates += f->n_candidates < CANDIDATES ? 1 : 0;
    memmove(f->candidates + at + 1, f->candidates + at, (f->n_candidates - at - 1) * sizeof gate);
    f->candidates[at] = gate;
}

static bool is_selected(const uint32_t *selected, uint32_t n, uint32_t field)
{
    bool found = false;
    for (uint32_t k = 0; k < n; k++) {
        found = found || selected[k] == field;
    }
    return found;
}

static void find_candidates(finding *f)
{
    for (uint32_t i = 0; i < f->n; i++) {
        for (uint32_t j = 0; j < f->n_fields; j++) {
            float highest = 0.0f;
            for (uint32_t step = 0; step <= f->n_steps; step++) {
                float gate = f->trace[((size_t)step * f->n + i) * f->n_fields + j];
                highest = gate > highest ? gate : highest;
            }
            float last = f->trace[((size_t)f->n_steps * f->n + i) * f->n_fields + j];
            if (highest > last && !is_selected(f->selected + (size_t)i * f->n_reasons, f->n_reasons, j)) {
                consider(f, (falling_gate){i, j, last, highest - last});
            }
        }
    }
}

// The investor at `place` with one field held shut, recorded in `held`.
static br_status search_without(finding *f, uint32_t place, uint32_t field, uint32_t *selected)
{
    const br_gumbel_batch batch = {
        .codes = f->codes + (size_t)place * f->n_fields, .keys = f->keys + place, .held_shut = f->shut};
    f->recorded = f->held;
    f->n = 1;
    f->shut[field] = true;
    br_status status = br_gumbel_search(f->gumbel, &batch, 1, selected);
    f->shut[field] = false;
    return status;
}

// Which selected field, held shut, lets the gate be selected and gain most? *best_out = what it gains.
static br_status search_held(finding *f, const falling_gate *gate, uint32_t *suppressor_out, float *best_out)
{
    uint32_t selected[BR_MAX_REASONS];
    br_status status = BR_OK;
    for (uint32_t k = 0; k < f->n_reasons && status == BR_OK; k++) {
        uint32_t field = f->selected[(size_t)gate->place * f->n_reasons + k];
        status = search_without(f, gate->place, field, selected);
        float gain = f->held[(size_t)f->n_steps * f->n_fields + gate->field] - gate->last;
        if (status == BR_OK && gain > *best_out && is_selected(selected, f->n_reasons, gate->field)) {
            *best_out = gain;
            *suppressor_out = field;
        }
    }
    return status;
}

static br_status keep(const finding *f, const falling_gate *gate, uint32_t suppressor, br_gate_curves *out)
{
    *out = (br_gate_curves){.investor = f->list->investors[gate->place],
                            .suppressed = gate->field,
                            .suppressor = suppressor,
                            .n_steps = f->n_steps};
    size_t n = f->n_steps + 1;
    out->free_suppressed = br_calloc(n, sizeof *out->free_suppressed);
    out->free_suppressor = br_calloc(n, sizeof *out->free_suppressor);
    out->held_suppressed = br_calloc(n, sizeof *out->held_suppressed);
    if (out->free_suppressed == NULL || out->free_suppressor == NULL || out->held_suppressed == NULL) {
        br_gate_curves_deinit(out);
        return br_no_memory("curves", n);
    }
    for (size_t step = 0; step < n; step++) {
        const float *gates = f->trace + (step * f->list->n + gate->place) * f->n_fields;
        out->free_suppressed[step] = (double)gates[gate->field];
        out->free_suppressor[step] = (double)gates[suppressor];
        out->held_suppressed[step] = (double)f->held[step * f->n_fields + gate->field];
    }
    return BR_OK;
}

static br_status find(finding *f, br_gate_curves *out)
{
    f->recorded = f->trace;
    f->n = f->list->n;
    br_status status =
        br_gumbel_search(f->gumbel, &(br_gumbel_batch){.codes = f->codes, .keys = f->keys}, f->n, f->selected);
    if (status != BR_OK) {
        return status;
    }
    find_candidates(f);
    float best = 0.0f;
    uint32_t best_candidate = 0;
    uint32_t suppressor = 0;
    for (uint32_t c = 0; c < f->n_candidates && status == BR_OK; c++) {
        float before = best;
        status = search_held(f, &f->candidates[c], &suppressor, &best);
        best_candidate = best > before ? c : best_candidate;
    }
    if (status == BR_OK && !(best > 0.0f)) {
        return br_fail(BR_ERR_NOT_FOUND, "no gate of this list that was given up would have been selected");
    }
    // The trace of the best one again: the later tries wrote over it.
    if (status == BR_OK) {
        uint32_t selected[BR_MAX_REASONS];
        status = search_without(f, f->candidates[best_candidate].place, suppressor, selected);
    }
    return status == BR_OK ? keep(f, &f->candidates[best_candidate], suppressor, out) : status;
}

typedef struct held_shut {
    uint32_t field;
    falling_gate gate; // what gained most
    float gain;
    bool taken_in; // the gate is selected now
} held_shut;

static br_status try_hold(finding *f, uint32_t field, held_shut *best)
{
    uint32_t selected[BR_MAX_REASONS];
    br_status status = search_without(f, 0, field, selected);
    for (uint32_t j = 0; j < f->n_fields && status == BR_OK; j++) {
        if (j == field) {
            continue;
        }
        size_t last = (size_t)f->n_steps * f->n_fields + j;
        float gain = f->held[last] - f->trace[last];
        bool taken_in = is_selected(selected, f->n_reasons, j) && !is_selected(f->selected, f->n_reasons, j);
        if (best->field == UINT32_MAX || taken_in > best->taken_in ||
            (taken_in == best->taken_in && gain > best->gain)) {
            *best = (held_shut){field, {.place = 0, .field = j}, gain, taken_in};
        }
    }
    return status;
}

static br_status hold_one(finding *f, uint32_t hold, br_gate_curves *out)
{
    held_shut best = {.field = UINT32_MAX};
    uint32_t selected[BR_MAX_REASONS];
    f->recorded = f->trace;
    f->n = 1;
    br_status status =
        br_gumbel_search(f->gumbel, &(br_gumbel_batch){.codes = f->codes, .keys = f->keys}, 1, f->selected);
    for (uint32_t k = 0; k < f->n_reasons && hold == UINT32_MAX && status == BR_OK; k++) {
        status = try_hold(f, f->selected[k], &best);
    }
    if (status == BR_OK && hold == UINT32_MAX) {
        status = search_without(f, 0, best.field, selected); // its trace again: the later tries wrote over it
    } else if (status == BR_OK) {
        status = try_hold(f, hold, &best);
    }
    return status == BR_OK ? keep(f, &best.gate, best.field, out) : status;
}

br_status br_gate_curves_of(br_gate_curves *out, const br_served *served, const br_method_list *list,
                            uint32_t n_reasons, uint64_t seed, uint32_t hold)
{
    uint32_t n_fields = br_encoder_n_investor_fields(served->snapshot->encoder);
    if (list->n == 0 || n_reasons >= n_fields) {
        return br_fail(BR_ERR_NOT_FOUND, "no gate can be held shut with a field to spare");
    }
    if (hold != UINT32_MAX && hold >= n_fields) {
        return br_fail(BR_ERR_INVALID, "there is no investor field %u", hold);
    }
    br_method_list one = *list;
    one.n = 1;
    finding f = {.served = served, .list = &one, .n_fields = n_fields, .n_reasons = n_reasons};
    br_status status = prepare(&f, seed);
    if (status == BR_OK) {
        status = hold_one(&f, hold, out);
    }
    finding_deinit(&f);
    return status;
}

br_status br_gate_curves_find(br_gate_curves *out, const br_served *served, const br_method_list *list,
                              uint32_t n_reasons, uint64_t seed)
{
    if (list->n == 0 || n_reasons >= br_encoder_n_investor_fields(served->snapshot->encoder)) {
        return br_fail(BR_ERR_NOT_FOUND, "no gate can be held shut with a field to spare");
    }
    finding f = {.served = served,
                 .list = list,
                 .n_fields = br_encoder_n_investor_fields(served->snapshot->encoder),
                 .n_reasons = n_reasons};
    br_status status = prepare(&f, seed);
    if (status == BR_OK) {
        status = find(&f, out);
    }
    finding_deinit(&f);
    return status;
}

void br_gate_curves_deinit(br_gate_curves *curves)
{
    br_free(curves->free_suppressed);
    br_free(curves->free_suppressor);
    br_free(curves->held_suppressed);
    *curves = (br_gate_curves){.n_steps = 0};
}
