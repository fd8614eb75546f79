#include "attribution/method.h"
#include "base/alloc.h"

#include <string.h>

/// Knuth's algorithm S: each set of n_background rows with the same probability, in their order.
static void draw_background(br_game *game)
{
    const br_attribution *a = game->attribution;
    br_rng rng = br_attribution_start_rng(a, 0);
    uint32_t left = (uint32_t)a->background.n;
    uint32_t taken = 0;
    for (size_t i = 0; taken < game->n_background; i++, left--) {
        if (br_rng_below(&rng, left) < game->n_background - taken) {
            memcpy(game->background + (size_t)taken * a->n, a->background.investor_codes + i * a->n, a->n);
            taken++;
        }
    }
}

br_status br_game_init(br_game *game, br_attribution *attribution, bool masked)
{
    *game = (br_game){.attribution = attribution, .masked = masked, .n_background = 1};
    game->players = br_calloc(attribution->n, sizeof *game->players);
    if (game->players == NULL) {
        return br_no_memory("players", attribution->n);
    }
    if (masked) {
        return BR_OK;
    }
    size_t most = attribution->background.n;
    uint32_t asked = attribution->options.n_background;
    game->n_background = asked < most ? asked : (uint32_t)most;
    game->background = br_calloc(game->n_background, attribution->n);
    if (game->background == NULL) {
        return br_no_memory("background investors", game->n_background);
    }
    draw_background(game);
    return BR_OK;
}

void br_game_deinit(br_game *game)
{
    br_free(game->players);
    br_free(game->background);
    *game = (br_game){0};
}

static bool is_player(const br_game *game, uint32_t j)
{
    bool differs = game->masked;
    for (uint32_t b = 0; b < game->n_background && !differs; b++) {
        differs = game->background[(size_t)b * game->attribution->n + j] != game->codes[j];
    }
    return differs;
}

void br_game_of(br_game *game, const uint8_t *codes)
{
    game->codes = codes;
    game->n = 0;
    for (uint32_t j = 0; j < game->attribution->n; j++) {
        if (is_player(game, j)) {
            game->players[game->n++] = j;
        }
    }
}

/// Sample t of the attribution's: the fields of `set` as the investor has them, the others absent.
static void put_sample(br_game *game, size_t t, const float *set, const uint8_t *background)
{
    br_attribution *a = game->attribution;
    uint8_t *codes = a->codes + t * a->n;
    if (game->masked) {
        memcpy(codes, game->codes, a->n);
        memcpy(a->gates + t * a->n, set, a->n * sizeof *set); // all fields are players
        return;
    }
    memcpy(codes, background, a->n);
    for (uint32_t i = 0; i < game->n; i++) {
        uint32_t j = game->players[i];
        codes[j] = set[i] > 0.0f ? game->codes[j] : codes[j];
    }
}

void br_game_values(br_game *game, const float *sets, size_t n_sets, uint32_t from, uint32_t n_background,
                    double *values)
{
    br_attribution *a = game->attribution;
    br_gate_samples samples = {.codes = a->codes, .baseline = BR_BASELINE_ZERO};
    if (game->masked) {
        samples.gates = a->gates;
        samples.baseline = BR_BASELINE_MASK;
    }
    for (size_t i = 0; i < n_sets; i++) {
        values[i] = 0.0;
    }
    size_t n = n_sets * n_background;
    for (size_t first = 0; first < n; first += BR_SAMPLES) {
        size_t some = n - first < BR_SAMPLES ? n - first : BR_SAMPLES;
        for (size_t t = 0; t < some; t++) {
            size_t set = (first + t) / n_background;
            size_t row = from + (first + t) % n_background;
            put_sample(game, t, sets + set * game->n, game->masked ? NULL : game->background + row * a->n);
        }
        br_attribution_outputs(a, &samples, some, a->outputs);
        for (size_t t = 0; t < some; t++) {
            values[(first + t) / n_background] += a->outputs[t] / n_background;
        }
    }
}
