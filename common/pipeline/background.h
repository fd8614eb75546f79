#ifndef BR_PIPELINE_BACKGROUND_H
#define BR_PIPELINE_BACKGROUND_H

/// Bonds spread over a range, and training pairs drawn from a snapshot's training range: what attributions compare with and topics are learned from.

#include "attribution/attribution.h"
#include "metrics/plsa.h"
#include "pipeline/population.h"

/// At most `most` (0 = all) of the bonds issued in [from, until), evenly spread, in order of issue day. *bonds_out: owned by the caller, br_free().
/// Errors: BR_ERR_INVALID when the range has no bond; BR_ERR_NO_MEMORY.
br_status br_bonds_spread(br_market *market, br_day from, br_day until, uint32_t most, uint32_t **bonds_out,
                          uint32_t *n_out) BR_MUST_CHECK;

typedef struct br_background {
    br_attribution_background pairs; ///< borrows the two below
    uint8_t *bond_codes;             ///< [BR_BACKGROUND_PAIRS, n_bond_fields]
    uint8_t *investor_codes;         ///< [BR_BACKGROUND_PAIRS, n_investor_fields]
} br_background;

/// Eligible pairs at random, bidders and others alike, as many of each of some 200 bonds. Moves `population` to the days of the training
/// range. Errors: BR_ERR_INVALID (no bond, nobody eligible), BR_ERR_NO_MEMORY.
#define BR_BACKGROUND_PAIRS 20000
br_status br_background_draw(br_background *out, br_market *market, const br_served *served,
                             br_day_population *population, uint64_t seed) BR_MUST_CHECK;
void br_background_deinit(br_background *background);
/// Topics of the pairs' investor fields (metrics/plsa.h). Errors: those of br_plsa_learn().
br_status br_background_topics(br_topics **out, const br_background *background, const br_encoder *encoder,
                               uint32_t n_topics, uint64_t seed) BR_MUST_CHECK;

#endif
