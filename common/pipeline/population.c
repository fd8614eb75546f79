#include "pipeline/population.h"

#include "base/alloc.h"
#include "pipeline/halves.h"

struct br_day_population {
    br_market *market;
    const br_served *served;
    br_builder *builder;
    br_day as_of;
    uint32_t n;
    uint32_t n_investor_fields;
    uint8_t *codes; // [n, n_investor_fields]
    br_halves *halves;
};

static br_status allocate(br_day_population *population)
{
    population->n = br_market_n_investors(population->market);
    population->n_investor_fields = br_encoder_n_investor_fields(population->served->snapshot->encoder);
    population->codes = br_calloc(population->n, population->n_investor_fields);
    return population->codes == NULL
               ? br_no_memory("investors' codes", population->n)
               : br_halves_new(&population->halves, population->served->collapsed, population->n, BR_HALVES_MAX_BYTES);
}

br_status br_day_population_new(br_day_population **out, br_market *market, const br_served *served)
{
    BR_AUTO(br_day_population) *population = br_calloc(1, sizeof *population);
    if (population == NULL) {
        return br_no_memory("population", 1);
    }
    population->market = market;
    population->served = served;
    population->as_of = BR_DAY_NONE;
    br_status status = allocate(population);
    if (status != BR_OK) {
        return status;
    }
    *out = population;
    population = NULL;
    return BR_OK;
}

void br_day_population_free(br_day_population **population)
{
    if (population == NULL || *population == NULL) {
        return;
    }
    br_builder_free(&(*population)->builder);
    br_free((*population)->codes);
    br_halves_free(&(*population)->halves);
    br_free(*population);
    *population = NULL;
}

br_status br_day_population_move(br_day_population *population, br_day as_of)
{
    if (as_of == population->as_of) {
        return BR_OK;
    }
    br_status status = BR_OK;
    if (population->builder == NULL || as_of < population->as_of) {
        br_builder_free(&population->builder);
        population->as_of = BR_DAY_NONE;
        status = br_builder_new(&population->builder, population->market, population->served->snapshot->encoder);
    }
    if (status == BR_OK) {
        status = br_builder_advance(population->builder, as_of);
    }
    if (status != BR_OK) {
        return status;
    }
    for (uint32_t i = 0; i < population->n; i++) {
        br_builder_investor(population->builder, i, population->codes + (size_t)i * population->n_investor_fields);
    }
    population->as_of = as_of;
    br_halves_forget(population->halves);
    return BR_OK;
}

br_day br_day_population_as_of(const br_day_population *population)
{
    return population->as_of;
}

uint32_t br_day_population_n(const br_day_population *population)
{
    return population->n;
}

const uint8_t *br_day_population_codes(const br_day_population *population)
{
    return population->codes;
}

br_status br_day_population_score(br_day_population *population, uint32_t bond, uint8_t *bond_codes_out,
                                  float *logits_out)
{
    br_assert(population->as_of != BR_DAY_NONE);
    br_encoder_bond(population->served->snapshot->encoder, population->market, bond, bond_codes_out);
    return br_halves_score(population->halves, population->codes, bond_codes_out, logits_out);
}
