// IG, IG-M and EG: gradients with respect to the gates, along lines from a baseline to the investor.
//
// IG    score_j = mean over s in (0, 1) of d f / d gate_j, all gates at s: the line from the baseline to the investor. In terms of
//       embeddings it is the sum over the field's d numbers of (value - baseline) times the mean gradient.
//       Source:  Sundararajan, Taly, Yan: Axiomatic attribution for deep networks, ICML 2017, Eq. (1).
//       Choice:  50 points, the middles of as many equal pieces: of the rules that ask the network once a piece the one whose error falls
//                with the square of their number. The source recommends 20 to 300 and sums at the ends.
// EG    score_j = mean over background investors and s uniform in (0, 1) of the same, from the background investor to this one.
//       Source:  Erion et al.: Improving performance of deep learning models with axiomatic attribution priors and expected gradients, Nature
//                Machine Intelligence 2021, Eq. (3).
//       Choice:  200 draws of both at once, with replacement; the source uses as many for explanations of trained models.

#include "attribution/method.h"

#include <string.h>

/// sums += slope of the output x gradient of the samples
static void add_gradients(br_attribution *a, const br_gate_samples *samples, size_t n)
{
    br_gates_gradient(a->network, samples, n, a->logits, a->gradient);
    for (size_t t = 0; t < n; t++) {
        double slope = br_attribution_slope(a, a->logits[t]);
        const float *gradient = a->gradient + t * a->n;
        for (uint32_t j = 0; j < a->n; j++) {
            a->sums[j] += slope * (double)gradient[j];
        }
    }
}

static void put_gates(br_attribution *a, size_t t, double gate)
{
    for (uint32_t j = 0; j < a->n; j++) {
        a->gates[t * a->n + j] = (float)gate;
    }
}

/// The mean gradient over n_samples points; `rng` NULL: on the line from `baseline`, else as EG draws them.
static void score_path(br_attribution *a, const uint8_t *codes, br_baseline baseline, br_rng *rng, float *scores)
{
    br_gate_samples samples = {.codes = a->codes, .gates = a->gates, .baseline = baseline};
    samples.baseline_codes = rng == NULL ? NULL : a->baseline_codes;
    uint32_t n = a->options.n_samples;
    memset(a->sums, 0, a->n * sizeof *a->sums);
    for (uint32_t first = 0; first < n;) {
        uint32_t some = n - first < BR_SAMPLES ? n - first : BR_SAMPLES;
        for (uint32_t t = 0; t < some; t++) {
            memcpy(a->codes + (size_t)t * a->n, codes, a->n);
            if (rng == NULL) {
                put_gates(a, t, ((double)(first + t) + 0.5) / n);
                continue;
            }
            size_t row = br_rng_below(rng, (uint32_t)a->background.n);
            memcpy(a->baseline_codes + (size_t)t * a->n, a->background.investor_codes + row * a->n, a->n);
            put_gates(a, t, br_rng_uniform(rng));
        }
        add_gradients(a, &samples, some);
        first += some;
    }
    for (uint32_t j = 0; j < a->n; j++) {
        scores[j] = (float)(a->sums[j] / n);
    }
}

static void ig(br_attribution *attribution, const uint8_t *codes, uint32_t key, float *scores)
{
    (void)key;
    score_path(attribution, codes, BR_BASELINE_ZERO, NULL, scores);
}

static void ig_m(br_attribution *attribution, const uint8_t *codes, uint32_t key, float *scores)
{
    (void)key;
    score_path(attribution, codes, BR_BASELINE_MASK, NULL, scores);
}

static void eg(br_attribution *attribution, const uint8_t *codes, uint32_t key, float *scores)
{
    br_rng rng = br_attribution_rng(attribution, key, 0);
    score_path(attribution, codes, BR_BASELINE_VALUE, &rng, scores);
}

const br_method br_method_ig = {.name = "ig", .n_samples = 50, .score = ig};
const br_method br_method_ig_m = {.name = "ig_m", .masked = true, .n_samples = 50, .score = ig_m};
const br_method br_method_eg = {.name = "eg", .background = true, .n_samples = 200, .score = eg};
