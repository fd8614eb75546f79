// Kernel SHAP and Kernel SHAP-M: Shapley values of the game of fields as a weighted regression on sets of fields.
//
//   score   argmin over phi  sum over sets z  pi(z) (v(z) - v(none) - z . phi)^2   where the sum of phi is v(all) - v(none)
//   pi(z)   (M - 1) / (C(M, |z|) |z| (M - |z|)),  M = players
//
// Source:  Lundberg and Lee: A unified approach to interpreting model predictions, NIPS 2017, Theorem 2; the sets as its authors' program
//          takes them: 2 N + 2,048; a size and its complement together, from the smallest on, all sets while the sets left over would reach
//          for it, then drawn by what is left of pi, each with its complement. With all sets the result is the Shapley value.
// Source:  the paper's 5.2 for -M: absent fields are masked.
// Choice:  a set that is drawn twice is asked twice. Ten background investors, which is what the paper's times suggest: its Kernel SHAP takes
//          ten times as long as its -M.

#include "attribution/method.h"
#include "attribution/regression.h"
#include "base/alloc.h"

#include <string.h>

typedef struct kernel_shap {
    br_game game;
    br_regression regression;
    float *sets;     // [T, N]
    double *weights; // [T]
    double *values;  // [T]
    size_t n_sets;   // of the portion
    double none;     // v(none)
    double *phi;     // [N]
    uint32_t *order; // [N] players, of which the first are drawn or enumerated
} kernel_shap;

static void kernel_shap_end(br_attribution *a)
{
    kernel_shap *it = a->own;
    br_game_deinit(&it->game);
    br_regression_deinit(&it->regression);
    br_free(it->sets);
    br_free(it->weights);
    br_free(it->values);
    br_free(it->phi);
    br_free(it->order);
    br_free(it);
}

static br_status start(br_attribution *a, bool masked)
{
    kernel_shap *it = br_calloc(1, sizeof *it);
    if (it == NULL) {
        return br_no_memory("Kernel SHAP", 1);
    }
    a->own = it;
    it->sets = br_calloc((size_t)BR_SAMPLES * a->n, sizeof *it->sets);
    it->weights = br_calloc(BR_SAMPLES, sizeof *it->weights);
    it->values = br_calloc(BR_SAMPLES, sizeof *it->values);
    it->phi = br_calloc(a->n, sizeof *it->phi);
    it->order = br_calloc(a->n, sizeof *it->order);
    if (it->sets == NULL || it->weights == NULL || it->values == NULL || it->phi == NULL || it->order == NULL) {
        return br_no_memory("sets of Kernel SHAP", BR_SAMPLES);
    }
    br_status status = br_game_init(&it->game, a, masked);
    return status != BR_OK ? status : br_regression_init(&it->regression, a->n);
}

static br_status start_background(br_attribution *attribution)
{
    return start(attribution, false);
}

static br_status start_masked(br_attribution *attribution)
{
    return start(attribution, true);
}

static void flush(kernel_shap *it)
{
    br_game_values(&it->game, it->sets, it->n_sets, 0, it->game.n_background, it->values);
    for (size_t i = 0; i < it->n_sets; i++) {
        it->values[i] -= it->none;
    }
    br_regression_add(&it->regression, it->sets, it->weights, it->values, it->n_sets);
    it->n_sets = 0;
}

/// The set of the players order[0 .. size - 1], or of all others.
static void add_set(kernel_shap *it, uint32_t size, bool others, double weight)
{
    uint32_t n = it->game.n;
    float *set = it->sets + it->n_sets * n;
    for (uint32_t i = 0; i < n; i++) {
        set[i] = others ? 1.0f : 0.0f;
    }
    for (uint32_t i = 0; i < size; i++) {
        set[it->order[i]] = others ? 0.0f : 1.0f;
    }
    it->weights[it->n_sets++] = weight;
    if (it->n_sets == BR_SAMPLES) {
        flush(it);
    }
}

/// Has a size a complement of another size?
static bool is_paired(const kernel_shap *it, uint32_t size)
{
    return 2 * size != it->game.n;
}

/// pi of all sets of a size, and of its complement.
static double weight_of_size(const kernel_shap *it, uint32_t size)
{
    double n = it->game.n;
    return (is_paired(it, size) ? 2.0 : 1.0) * (n - 1.0) / (size * (n - size));
}

/// All sets of a size, in the order of their players, each with its complement. Together they weigh `weight`.
static void enumerate_sets(kernel_shap *it, uint32_t size, double n_sets, double weight)
{
    uint32_t n = it->game.n;
    for (uint32_t i = 0; i < size; i++) {
        it->order[i] = i;
    }
    for (;;) {
        add_set(it, size, false, weight / n_sets);
        if (is_paired(it, size)) {
            add_set(it, size, true, weight / n_sets);
        }
        uint32_t i = size;
        while (i > 0 && it->order[i - 1] == n - size + i - 1) {
            i--;
        }
        if (i == 0) {
            return;
        }
        it->order[i - 1]++;
        for (; i < size; i++) {
            it->order[i] = it->order[i - 1] + 1;
        }
    }
}

/// The first of order[] become a set of the size, each with the same probability.
static void draw_set(kernel_shap *it, uint32_t size, br_rng *rng)
{
    for (uint32_t i = 0; i < size; i++) {
        uint32_t other = i + br_rng_below(rng, it->game.n - i);
        uint32_t player = it->order[other];
        it->order[other] = it->order[i];
        it->order[i] = player;
    }
}

/// n_sets sets of the sizes from .. n / 2, a size by its weight; together they weigh `weight`.
static void draw_sets(kernel_shap *it, uint32_t from, uint32_t n_sets, double weight, br_rng *rng)
{
    for (uint32_t i = 0; i < it->game.n; i++) {
        it->order[i] = i;
    }
    for (uint32_t i = 0; i < n_sets;) {
        double place = br_rng_uniform(rng) * weight;
        uint32_t size = from;
        for (; size < it->game.n / 2 && place >= weight_of_size(it, size); size++) {
            place -= weight_of_size(it, size);
        }
        draw_set(it, size, rng);
        add_set(it, size, false, weight / n_sets);
        i++;
        if (is_paired(it, size) && i < n_sets) {
            add_set(it, size, true, weight / n_sets);
            i++;
        }
    }
}

static void take_sets(kernel_shap *it, uint32_t n_samples, br_rng *rng)
{
    uint32_t n = it->game.n;
    double weight_left = 0.0;
    for (uint32_t size = 1; size <= n / 2; size++) {
        weight_left += weight_of_size(it, size);
    }
    double n_of_size = 1.0; // C(n, size)
    uint32_t size = 1;
    for (; size <= n / 2; size++) {
        double weight = weight_of_size(it, size);
        n_of_size *= (double)(n - size + 1) / size;
        double n_sets = n_of_size * (is_paired(it, size) ? 2.0 : 1.0);
        // Drawn, each of its sets would come up once or more; the last size has all that is left, whatever the rounding.
        if (n_sets > n_samples || (size < n / 2 && n_samples * weight / weight_left < n_sets)) {
            break;
        }
        enumerate_sets(it, size, n_sets, weight);
        n_samples -= (uint32_t)(n_sets + 0.5);
        weight_left -= weight;
    }
    if (size <= n / 2 && n_samples > 0) {
        draw_sets(it, size, n_samples, weight_left, rng);
    }
    if (it->n_sets > 0) {
        flush(it);
    }
}

static void kernel_shap_score(br_attribution *a, const uint8_t *codes, uint32_t key, float *scores)
{
    kernel_shap *it = a->own;
    br_rng rng = br_attribution_rng(a, key, 0);
    br_game_of(&it->game, codes);
    uint32_t n = it->game.n;
    memset(scores, 0, a->n * sizeof *scores);
    if (n == 0) {
        return;
    }
    double all;
    for (uint32_t i = 0; i < 2 * n; i++) {
        it->sets[i] = i < n ? 0.0f : 1.0f;
    }
    br_game_values(&it->game, it->sets, 1, 0, it->game.n_background, &it->none);
    br_game_values(&it->game, it->sets + n, 1, 0, it->game.n_background, &all);
    br_regression_reset(&it->regression, n);
    it->n_sets = 0;
    take_sets(it, a->options.n_samples, &rng);
    br_regression_with_sum(&it->regression, all - it->none, it->phi);
    for (uint32_t i = 0; i < n; i++) {
        scores[it->game.players[i]] = (float)it->phi[i];
    }
}

const br_method br_method_kernel_shap = {.name = "kernel_shap",
                                         .background = true,
                                         .n_samples = 2048,
                                         .start = start_background,
                                         .score = kernel_shap_score,
                                         .end = kernel_shap_end};
const br_method br_method_kernel_shap_m = {.name = "kernel_shap_m",
                                           .masked = true,
                                           .n_samples = 2048,
                                           .start = start_masked,
                                           .score = kernel_shap_score,
                                           .end = kernel_shap_end};
