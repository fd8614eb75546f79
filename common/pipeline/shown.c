#include "pipeline/shown.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "linalg/fixed.h"
#include "metrics/metrics.h"

#include <math.h>
#include <string.h>

enum { N_BINS = 20 };

struct br_shown_pairs {
    const br_collapsed *collapsed;
    double share;
    size_t n;
    size_t capacity;
    uint32_t n_shown;            // most fields that are shown
    float *logits[BR_MAX_SHOWN]; // [capacity]
    uint8_t *labels;             // [capacity]
    float *hidden;               // a state: the bond, nothing shown
    float *state;
    float *scratch;
};

br_status br_shown_pairs_new(br_shown_pairs **out, const br_collapsed *collapsed, size_t capacity, double share)
{
    BR_AUTO(br_shown_pairs) *pairs = br_calloc(1, sizeof *pairs);
    if (pairs == NULL) {
        return br_no_memory("pairs to show", 1);
    }
    uint32_t n_fields = br_collapsed_n_investor_fields(collapsed);
    pairs->collapsed = collapsed;
    pairs->share = share;
    pairs->capacity = capacity;
    pairs->n_shown = n_fields < BR_MAX_SHOWN ? n_fields : BR_MAX_SHOWN;
    pairs->labels = br_calloc(capacity, 1);
    pairs->hidden = br_calloc_aligned(br_collapsed_state_floats(collapsed), sizeof(float));
    pairs->state = br_calloc_aligned(br_collapsed_state_floats(collapsed), sizeof(float));
    pairs->scratch = br_calloc_aligned(br_collapsed_scratch_floats(collapsed), sizeof(float));
    bool good = pairs->labels != NULL && pairs->hidden != NULL && pairs->state != NULL && pairs->scratch != NULL;
    for (uint32_t k = 0; k < pairs->n_shown && good; k++) {
        pairs->logits[k] = br_calloc(capacity, sizeof *pairs->logits[k]);
        good = pairs->logits[k] != NULL;
    }
    if (!good) {
        return br_no_memory("pairs to show", capacity);
    }
    *out = pairs;
    pairs = NULL;
    return BR_OK;
}

void br_shown_pairs_free(br_shown_pairs **pairs)
{
    if (pairs == NULL || *pairs == NULL) {
        return;
    }
    for (uint32_t k = 0; k < BR_MAX_SHOWN; k++) {
        br_free((*pairs)->logits[k]);
    }
    br_free((*pairs)->labels);
    br_free((*pairs)->hidden);
    br_free((*pairs)->state);
    br_free((*pairs)->scratch);
    br_free(*pairs);
    *pairs = NULL;
}

// A field that is not among the first `n` of `shown`.
static uint32_t draw_field(const uint32_t *shown, uint32_t n, uint32_t n_fields, br_rng *rng)
{
    for (;;) {
        uint32_t field = br_rng_below(rng, n_fields);
        bool fresh = true;
        for (uint32_t i = 0; i < n; i++) {
            fresh = fresh && shown[i] != field;
        }
        if (fresh) {
            return field;
        }
    }
}

static void show_pair(br_shown_pairs *pairs, const uint8_t *codes, br_rng *rng)
{
    uint32_t shown[BR_MAX_SHOWN];
    memcpy(pairs->state, pairs->hidden, br_collapsed_state_floats(pairs->collapsed) * sizeof(float));
    for (uint32_t k = 0; k < pairs->n_shown; k++) {
        shown[k] = draw_field(shown, k, br_collapsed_n_investor_fields(pairs->collapsed), rng);
        br_collapsed_show(pairs->collapsed, pairs->state, shown[k], codes[shown[k]]);
        pairs->logits[k][pairs->n] = br_collapsed_logit(pairs->collapsed, pairs->state, pairs->scratch);
    }
}

void br_shown_pairs_add(br_shown_pairs *pairs, uint32_t bond, const uint8_t *bond_codes, const uint8_t *codes,
                        const uint8_t *eligible, const uint8_t *bid, uint32_t n)
{
    br_rng rng = br_rng_at(0, BR_STREAM_SHOWN, bond, 0);
    br_collapsed_bond(pairs->collapsed, bond_codes, pairs->hidden);
    br_collapsed_add_hidden(pairs->collapsed, pairs->hidden);
    for (uint32_t i = 0; i < n && pairs->n < pairs->capacity; i++) {
        if (eligible[i] && br_rng_uniform(&rng) < pairs->share) {
            show_pair(pairs, codes + (size_t)i * br_collapsed_n_investor_fields(pairs->collapsed), &rng);
            pairs->labels[pairs->n++] = bid[i];
        }
    }
}

br_status br_shown_pairs_errors(const br_shown_pairs *pairs, const br_calibration *calibration,
                                double errors[BR_MAX_SHOWN])
{
    double *probabilities = br_calloc(pairs->n, sizeof *probabilities);
    br_status status = probabilities == NULL ? br_no_memory("probabilities", pairs->n) : BR_OK;
    for (uint32_t k = 0; k < BR_MAX_SHOWN && status == BR_OK; k++) {
        errors[k] = (double)NAN;
        for (size_t i = 0; i < pairs->n && k < pairs->n_shown; i++) {
            probabilities[i] = br_fixed_sigmoid(br_calibration_apply(calibration, (double)pairs->logits[k][i]));
        }
        if (k < pairs->n_shown) {
            status = br_calibration_error(&errors[k], probabilities, pairs->labels, pairs->n, N_BINS);
        }
    }
    br_free(probabilities);
    return status;
}
