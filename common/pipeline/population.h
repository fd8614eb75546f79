#ifndef BR_PIPELINE_POPULATION_H
#define BR_PIPELINE_POPULATION_H

/// All investors as of a day, in the codes of one snapshot: made once per day and used by all bonds of that day.
/// Row i is investor number i of the market. Memory: n * n_investor_fields bytes, and at most BR_HALVES_MAX_BYTES
/// (pipeline/halves.h) of the investors' halves of collapsed states.

#include "pipeline/served.h"

typedef struct br_day_population br_day_population;

/// `market` and `served` are borrowed. Days that only go up are cheap: the walk goes on from the last one.
br_status br_day_population_new(br_day_population **out, br_market *market, const br_served *served) BR_MUST_CHECK;
void br_day_population_free(br_day_population **population);
br_status br_day_population_move(br_day_population *population, br_day as_of) BR_MUST_CHECK;

br_day br_day_population_as_of(const br_day_population *population);
uint32_t br_day_population_n(const br_day_population *population);
const uint8_t *br_day_population_codes(const br_day_population *population); ///< [n, n_investor_fields]
/// logits[n] of one bond with all fields shown; bond_codes_out [n_bond_fields] its codes.
br_status br_day_population_score(br_day_population *population, uint32_t bond, uint8_t *bond_codes_out,
                                  float *logits_out) BR_MUST_CHECK;
#endif
