// LIME: a linear model of the network around the investor, from investors like him with some values redrawn.
//
//   z_j      1 where a sample has the investor's value of field j, else 0; the first sample is the investor
//   weight   sqrt(exp(-n_other / width^2)), n_other = fields that differ = |z - 1|^2, width = 0.75 sqrt(N)
//   score    the coefficients of the weighted ridge regression of the output on z
//
// Source:  Ribeiro, Singh, Guestrin: "Why should I trust you?", KDD 2016, Algorithm 1; for categories as its authors' program has them: each
//          field's value drawn by its frequency in training, a ridge of 1, an intercept without penalty.
// Choice:  5,000 samples and the width are that program's defaults, too. A value is drawn as that of a background investor drawn anew for each
//          field.

#include "attribution/method.h"
#include "attribution/regression.h"
#include "base/alloc.h"

#include <math.h>
#include <string.h>

typedef struct lime {
    br_regression regression;
    float *same;     // [T, N] z
    double *weights; // [T]
    double *beta;    // [N]
} lime;

static void lime_end(br_attribution *a)
{
    lime *it = a->own;
    br_regression_deinit(&it->regression);
    br_free(it->same);
    br_free(it->weights);
    br_free(it->beta);
    br_free(it);
}

static br_status lime_start(br_attribution *a)
{
    lime *it = br_calloc(1, sizeof *it);
    if (it == NULL) {
        return br_no_memory("LIME", 1);
    }
    a->own = it;
    it->same = br_calloc((size_t)BR_SAMPLES * a->n, sizeof *it->same);
    it->weights = br_calloc(BR_SAMPLES, sizeof *it->weights);
    it->beta = br_calloc(a->n, sizeof *it->beta);
    if (it->same == NULL || it->weights == NULL || it->beta == NULL) {
        return br_no_memory("samples of LIME", BR_SAMPLES);
    }
    return br_regression_init(&it->regression, a->n);
}

/// Sample t; `rng` NULL: the investor himself.
static void draw_sample(br_attribution *a, const uint8_t *codes, br_rng *rng, size_t t)
{
    lime *it = a->own;
    uint32_t n = a->n;
    uint32_t n_other = 0;
    for (uint32_t j = 0; j < n; j++) {
        uint8_t code = codes[j];
        if (rng != NULL) {
            code = a->background.investor_codes[(size_t)br_rng_below(rng, (uint32_t)a->background.n) * n + j];
        }
        bool same = code == codes[j];
        a->codes[t * n + j] = code;
        it->same[t * n + j] = same ? 1.0f : 0.0f;
        n_other += !same;
    }
    it->weights[t] = sqrt(exp(-(double)n_other / (0.75 * 0.75 * n)));
}

static void lime_score(br_attribution *a, const uint8_t *codes, uint32_t key, float *scores)
{
    lime *it = a->own;
    br_rng rng = br_attribution_rng(a, key, 0);
    br_gate_samples samples = {.codes = a->codes, .baseline = BR_BASELINE_ZERO};
    br_regression_reset(&it->regression, a->n);
    uint32_t n = a->options.n_samples;
    for (uint32_t first = 0; first < n;) {
        uint32_t some = n - first < BR_SAMPLES ? n - first : BR_SAMPLES;
        for (uint32_t t = 0; t < some; t++) {
            draw_sample(a, codes, first + t == 0 ? NULL : &rng, t);
        }
        br_attribution_outputs(a, &samples, some, a->outputs);
        br_regression_add(&it->regression, it->same, it->weights, a->outputs, some);
        first += some;
    }
    br_regression_ridge(&it->regression, a->options.ridge, it->beta);
    for (uint32_t j = 0; j < a->n; j++) {
        scores[j] = (float)it->beta[j];
    }
}

const br_method br_method_lime = {
    .name = "lime", .background = true, .n_samples = 5000, .start = lime_start, .score = lime_score, .end = lime_end};
