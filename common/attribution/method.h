#ifndef BR_ATTRIBUTION_METHOD_H
#define BR_ATTRIBUTION_METHOD_H

/// What the methods share: the network's output at many samples, and games of fields. Not for other modules.
///
/// N = investor fields, T = BR_SAMPLES.

#include "attribution/attribution.h"
#include "base/rng.h"
#include "model/gates.h"

/// Samples, rows or sets that are worked at a time.
#define BR_SAMPLES 128

/// One method. `start`, `bond` and `end` may be NULL; `end` is called after a start that failed, too.
typedef struct br_method {
    const char *name;
    bool background;    ///< needs one
    bool masked;        ///< needs fields that can be masked
    uint32_t n_samples; ///< default; 0: has none
    br_status (*start)(br_attribution *attribution);
    void (*bond)(br_attribution *attribution);
    /// scores[N] of an investor with codes[N]
    void (*score)(br_attribution *attribution, const uint8_t *codes, uint32_t key, float *scores);
    void (*end)(br_attribution *attribution);
} br_method;

extern const br_method br_method_lime;
extern const br_method br_method_kernel_shap;
extern const br_method br_method_kernel_shap_m;
extern const br_method br_method_weighted_shap;
extern const br_method br_method_ig;
extern const br_method br_method_ig_m;
extern const br_method br_method_eg;
extern const br_method br_method_recxplainer_l;
extern const br_method br_method_recxplainer_mlp;

struct br_attribution {
    const br_method *method;
    br_attribution_options options;
    br_attribution_background background; ///< n = 0: none
    const br_model *model;
    uint32_t n; ///< N
    br_gates *network;
    uint8_t *bond_codes; ///< [n_bond_fields]
    bool has_bond;
    void *own;               ///< the method's, made by its start
    uint8_t *codes;          ///< [T, N]
    uint8_t *baseline_codes; ///< [T, N]
    float *gates;            ///< [T, N]
    float *gradient;         ///< [T, N]
    float *logits;           ///< [T]
    double *outputs;         ///< [T]
    double *sums;            ///< [N]
};

/// Random numbers of an investor; `part` below BR_PART_START.
br_rng br_attribution_rng(const br_attribution *attribution, uint32_t key, uint32_t part);
/// Random numbers of the start; `part` counts its uses.
br_rng br_attribution_start_rng(const br_attribution *attribution, uint32_t part);
#define BR_PART_START UINT32_MAX

/// The output that is attributed, of a logit, and its slope there.
double br_attribution_output(const br_attribution *attribution, float logit);
double br_attribution_slope(const br_attribution *attribution, float logit);
/// outputs[n] of samples, n <= T, of the bond.
void br_attribution_outputs(br_attribution *attribution, const br_gate_samples *samples, size_t n, double *outputs);

/// A game: the players are fields of an investor, the value of a set is the output with these fields as the investor has them and the
/// others absent: masked, or as background investors have them, on average.
/// Choice: a field that is the same for all background investors is no player and its score is 0: it can change nothing.
typedef struct br_game {
    br_attribution *attribution;
    bool masked;
    uint32_t n_background; ///< 1 if masked
    uint8_t *background;   ///< [n_background, N]; NULL if masked
    const uint8_t *codes;  ///< [N] of the investor
    uint32_t n;            ///< players
    uint32_t *players;     ///< [N] their fields, in order
} br_game;

/// Draws the background investors, each at most once, or all if there are no more. Errors: BR_ERR_NO_MEMORY.
br_status br_game_init(br_game *game, br_attribution *attribution, bool masked) BR_MUST_CHECK;
void br_game_deinit(br_game *game);
/// The investor that it is about.
void br_game_of(br_game *game, const uint8_t *codes);
/// values[n_sets] of sets [n_sets, game->n] of 0 and 1, on average over background investors from .. from + n_background - 1.
void br_game_values(br_game *game, const float *sets, size_t n_sets, uint32_t from, uint32_t n_background,
                    double *values);

#endif
