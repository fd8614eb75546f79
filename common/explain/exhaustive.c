#include "explain/exhaustive.h"

#include "base/alloc.h"

#include <math.h>
#include <string.h>

typedef struct walk {
    const br_collapsed *collapsed;
    const uint8_t *codes;
    const uint32_t *fields;
    uint32_t n;
    size_t n_state;
    float *scratch;
    float best;
} walk;

// The sets that add the last field to `state`, one of those from `from` on.
static void last_field(walk *w, const float *state, uint32_t from)
{
    br_gate_change changes[BR_MAX_EXHAUSTIVE];
    float logits[BR_MAX_EXHAUSTIVE];
    for (uint32_t i = from; i < w->n; i++) {
        changes[i - from] = (br_gate_change){w->fields[i], w->codes[w->fields[i]], false};
    }
    br_collapsed_logits_if(w->collapsed, state, changes, 1, w->n - from, logits, w->scratch);
    for (uint32_t i = from; i < w->n; i++) {
        w->best = logits[i - from] > w->best ? logits[i - from] : w->best;
    }
}

// The same for k fields; the states of those that were chosen follow each other.
static void descend(walk *w, float *state, uint32_t from, uint32_t k)
{
    if (k == 1) {
        last_field(w, state, from);
        return;
    }
    for (uint32_t i = from; i + k <= w->n; i++) {
        memcpy(state + w->n_state, state, w->n_state * sizeof *state);
        br_collapsed_show(w->collapsed, state + w->n_state, w->fields[i], w->codes[w->fields[i]]);
        descend(w, state + w->n_state, i + 1, k - 1);
    }
}

br_status br_explain_best_of_all(const br_collapsed *collapsed, const uint8_t *bond_codes, const uint8_t *codes,
                                 const uint32_t *fields, uint32_t n, uint32_t k, float *best_out)
{
    br_assert(k >= 1 && k <= n && n <= BR_MAX_EXHAUSTIVE);
    walk w = {.collapsed = collapsed, .codes = codes, .fields = fields, .n = n, .best = -INFINITY};
    w.n_state = br_collapsed_state_floats(collapsed);
    w.scratch = br_calloc_aligned(br_collapsed_scratch_floats(collapsed), sizeof *w.scratch);
    float *states = br_calloc_aligned((k + 1) * w.n_state, sizeof *states);
    br_status status = w.scratch == NULL || states == NULL ? br_no_memory("states", k + 1) : BR_OK;
    if (status == BR_OK) {
        br_collapsed_bond(collapsed, bond_codes, states);
        br_collapsed_add_hidden(collapsed, states);
        descend(&w, states, 0, k);
        *best_out = w.best;
    }
    br_free(w.scratch);
    br_free(states);
    return status;
}
