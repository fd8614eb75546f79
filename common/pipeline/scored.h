#ifndef BR_PIPELINE_SCORED_H
#define BR_PIPELINE_SCORED_H

/// A bond's investors scored and its list drawn up: what recommendations, comparisons and explanations on request begin with.
///
///     br_scored_bond_room(&scored, arena, population, served, n_top);
///     br_score_bond(&scored, market, population, bond);      // as of the population's day; any number of bonds

#include "base/alloc.h"
#include "pipeline/population.h"

typedef struct br_scored_bond {
    uint8_t *bond_codes; ///< [n_bond_fields]
    float *logits;       ///< [n_investors] all fields shown
    uint8_t *eligible;   ///< [n_investors]
    uint32_t n_eligible;
    uint32_t *top; ///< [n_top] investors, the highest first
    uint32_t n_top;
    uint32_t most; ///< room of the list
} br_scored_bond;

/// Room for bonds of this population and lists of `most`, in the arena. Errors: BR_ERR_NO_MEMORY.
br_status br_scored_bond_room(br_scored_bond *out, br_arena *arena, const br_day_population *population,
                              const br_served *served, uint32_t most) BR_MUST_CHECK;
br_status br_score_bond(br_scored_bond *scored, br_market *market, br_day_population *population,
                        uint32_t bond) BR_MUST_CHECK;

#endif
