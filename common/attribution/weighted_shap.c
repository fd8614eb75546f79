// Weighted SHAP: the semivalue whose ranking recovers the output with the fewest fields.
//
//   contribution  v(set with i) - v(set), the set being who comes before i in a permutation
//   semivalue     phi_i = mean of i's contributions, weighted by the size of the set
//   chosen        the one with the smallest  sum_k |f(x) - v(the k players with the largest |phi|)|, for each investor
//
// Source:  Kwon and Zou: WeightedSHAP: analyzing and improving Shapley based feature attributions, NeurIPS 2022, section 4, and Kwon and Zou: Beta
//          Shapley, AISTATS 2022, for the weights. Thirteen candidates as in the authors' program: Beta(1, 2^e) and Beta(2^e, 1), e <= 5, and
//          the contributions to the empty set and to all others alone. There, too, the choice is made for each row anew.
// Differs: v is the mean over background investors, where the source trains a second model for what fields alone predict: the mask
//          embedding would be that, but the paper counts this method among those without it, and trains it on models without masks (A.5).
// Choice:  200 permutations, the least that the authors' program takes; each with one background investor, all in turn. They give few or no
//          contributions for a player and one size, so that phi is the weighted mean over what there is, not of means by size. The
//          two contributions at the ends are asked of all players and background investors.

#include "attribution/weighted_shap.h"

#include "attribution/method.h"
#include "base/alloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct ranked {
    double size; // |phi|
    uint32_t player;
} ranked;

typedef struct weighted_shap {
    br_game game;
    float *sets;        // [N + 1, N]
    double *values;     // [N + 1]
    uint32_t *order;    // [N]
    double *weights;    // [BR_N_SEMIVALUES, N]
    double *phi;        // [BR_N_CANDIDATES, N]
    double *sum_weight; // [BR_N_SEMIVALUES, N]
    ranked *ranking;    // [N]
} weighted_shap;

static void weighted_shap_end(br_attribution *a)
{
    weighted_shap *it = a->own;
    br_game_deinit(&it->game);
    br_free(it->sets);
    br_free(it->values);
    br_free(it->order);
    br_free(it->weights);
    br_free(it->phi);
    br_free(it->sum_weight);
    br_free(it->ranking);
    br_free(it);
}

static br_status weighted_shap_start(br_attribution *a)
{
    weighted_shap *it = br_calloc(1, sizeof *it);
    if (it == NULL) {
        return br_no_memory("Weighted SHAP", 1);
    }
    a->own = it;
    size_t n = a->n;
    it->sets = br_calloc(n + 1, n * sizeof *it->sets);
    it->values = br_calloc(n + 1, sizeof *it->values);
    it->order = br_calloc(n, sizeof *it->order);
    it->weights = br_calloc(n, BR_N_SEMIVALUES * sizeof *it->weights);
    it->phi = br_calloc(n, BR_N_CANDIDATES * sizeof *it->phi);
    it->sum_weight = br_calloc(n, BR_N_SEMIVALUES * sizeof *it->sum_weight);
    it->ranking = br_calloc(n, sizeof *it->ranking);
    if (it->sets == NULL || it->values == NULL || it->order == NULL || it->weights == NULL || it->phi == NULL ||
        it->sum_weight == NULL || it->ranking == NULL) {
        return br_no_memory("players of Weighted SHAP", n);
    }
    return br_game_init(&it->game, a, false);
}

void br_semivalue_weights(uint32_t semivalue, uint32_t n_players, double *weights_out)
{
    br_assert(semivalue < BR_N_SEMIVALUES && n_players > 0);
    const uint32_t middle = BR_N_SEMIVALUES / 2;
    double alpha = semivalue < middle ? (double)(1u << (middle - semivalue)) : 1.0;
    double beta = semivalue > middle ? (double)(1u << (semivalue - middle)) : 1.0;
    double n_others = (double)n_players - 1.0;
    double weight = 1.0;
    double sum = 0.0;
    for (uint32_t s = 0; s < n_players; s++) {
        weights_out[s] = weight;
        sum += weight;
        weight *= (n_others - s) / (s + 1.0) * (beta + s) / (alpha + n_others - s - 1.0);
    }
    for (uint32_t s = 0; s < n_players; s++) {
        weights_out[s] /= sum;
    }
}

// --- contributions ---

/// sets[k] = the first k players of order[], k = 0 .. n
static void put_prefixes(weighted_shap *it)
{
    uint32_t n = it->game.n;
    memset(it->sets, 0, n * sizeof *it->sets);
    for (uint32_t k = 1; k <= n; k++) {
        memcpy(it->sets + (size_t)k * n, it->sets + (size_t)(k - 1) * n, n * sizeof *it->sets);
        it->sets[(size_t)k * n + it->order[k - 1]] = 1.0f;
    }
}

static void shuffle(weighted_shap *it, br_rng *rng)
{
    for (uint32_t i = 0; i < it->game.n; i++) {
        it->order[i] = i;
    }
    for (uint32_t i = it->game.n; i > 1; i--) {
        uint32_t other = br_rng_below(rng, i);
        uint32_t player = it->order[other];
        it->order[other] = it->order[i - 1];
        it->order[i - 1] = player;
    }
}

static void add_permutation(weighted_shap *it, uint32_t background)
{
    uint32_t n = it->game.n;
    put_prefixes(it);
    br_game_values(&it->game, it->sets, n + 1, background, 1, it->values);
    for (uint32_t s = 0; s < n; s++) {
        uint32_t player = it->order[s];
        double contribution = it->values[s + 1] - it->values[s];
        for (uint32_t c = 0; c < BR_N_SEMIVALUES; c++) {
            double weight = it->weights[(size_t)c * n + s];
            it->phi[(size_t)c * n + player] += weight * contribution;
            it->sum_weight[(size_t)c * n + player] += weight;
        }
    }
}

/// phi of the last two candidates: contributions to the empty set, and to all others.
static void add_ends(weighted_shap *it)
{
    uint32_t n = it->game.n;
    for (uint32_t last = 0; last < 2; last++) {
        for (uint32_t k = 0; k <= n; k++) {
            float *set = it->sets + (size_t)k * n;
            for (uint32_t i = 0; i < n; i++) {
                set[i] = (last != 0) != (i == k) ? 1.0f : 0.0f; // k = n: nobody differs
            }
        }
        br_game_values(&it->game, it->sets, n + 1, 0, it->game.n_background, it->values);
        double *phi = it->phi + (size_t)(BR_N_SEMIVALUES + last) * n;
        for (uint32_t i = 0; i < n; i++) {
            phi[i] = last != 0 ? it->values[n] - it->values[i] : it->values[i] - it->values[n];
        }
    }
}

const double *br_weighted_shap_candidates(br_attribution *attribution, const uint8_t *codes, uint32_t key,
                                          uint32_t *n_players_out)
{
    weighted_shap *it = attribution->own;
    br_game_of(&it->game, codes);
    uint32_t n = it->game.n;
    *n_players_out = n;
    if (n == 0) {
        return it->phi;
    }
    memset(it->phi, 0, (size_t)n * BR_N_CANDIDATES * sizeof *it->phi);
    memset(it->sum_weight, 0, (size_t)n * BR_N_SEMIVALUES * sizeof *it->sum_weight);
    for (uint32_t c = 0; c < BR_N_SEMIVALUES; c++) {
        br_semivalue_weights(c, n, it->weights + (size_t)c * n);
    }
    for (uint32_t p = 0; p < attribution->options.n_samples; p++) {
        br_rng rng = br_attribution_rng(attribution, key, p);
        shuffle(it, &rng);
        add_permutation(it, p % it->game.n_background);
    }
    for (size_t i = 0; i < (size_t)n * BR_N_SEMIVALUES; i++) {
        it->phi[i] /= it->sum_weight[i];
    }
    add_ends(it);
    return it->phi;
}

// --- the choice ---

static int by_size(const void *a, const void *b)
{
    const ranked *first = a;
    const ranked *second = b;
    if (first->size != second->size) {
        return first->size > second->size ? -1 : 1;
    }
    return first->player < second->player ? -1 : first->player > second->player;
}

static double recovery_error(weighted_shap *it, const double *phi)
{
    uint32_t n = it->game.n;
    for (uint32_t i = 0; i < n; i++) {
        it->ranking[i] = (ranked){fabs(phi[i]), i};
    }
    qsort(it->ranking, n, sizeof *it->ranking, by_size);
    for (uint32_t i = 0; i < n; i++) {
        it->order[i] = it->ranking[i].player;
    }
    put_prefixes(it);
    br_game_values(&it->game, it->sets, n + 1, 0, it->game.n_background, it->values);
    double error = 0.0;
    for (uint32_t k = 1; k < n; k++) {
        error += fabs(it->values[n] - it->values[k]);
    }
    return error;
}

static void weighted_shap_score(br_attribution *a, const uint8_t *codes, uint32_t key, float *scores)
{
    weighted_shap *it = a->own;
    uint32_t n;
    const double *phi = br_weighted_shap_candidates(a, codes, key, &n);
    uint32_t best = 0;
    double least = (double)INFINITY;
    for (uint32_t c = 0; c < BR_N_CANDIDATES && n > 0; c++) {
        double error = recovery_error(it, phi + (size_t)c * n);
        best = error < least ? c : best;
        least = error < least ? error : least;
    }
    memset(scores, 0, a->n * sizeof *scores);
    for (uint32_t i = 0; i < n; i++) {
        scores[it->game.players[i]] = (float)phi[(size_t)best * n + i];
    }
}

const br_method br_method_weighted_shap = {.name = "weighted_shap",
                                           .background = true,
                                           .n_samples = 200,
                                           .start = weighted_shap_start,
                                           .score = weighted_shap_score,
                                           .end = weighted_shap_end};
