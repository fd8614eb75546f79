#include "pipeline/population.h"

#include "base/alloc.h"

struct br_day_population {
    br_market *market;
    const br_served *served;
    br_builder *builder;
    br_day as_of;
    uint32_t n;
    uint32_t n_investor_fields;
    uint8_t *codes;    // [n, n_investor_fields]
    float *bond_state; // a bond's half of a collapsed state
    float *scratch;
};

static br_status allocate(br_day_population *population)
{
    const br_collapsed *collapsed = population->served->collapsed;
    population->n = br_market_n_investors(population->market);
    population->n_investor_fields = br_encoder_n_investor_fields(population->served->snapshot->encoder);
    population->codes = br_calloc(population->n, population->n_investor_fields);
    population->bond_state = br_calloc_aligned(br_collapsed_state_floats(collapsed), sizeof(float));
    population->scratch = br_calloc_aligned(br_collapsed_scratch_floats(collapsed), sizeof(float));
    if (population->codes == NULL || population->bond_state == NULL || population->scratch == NULL) {
        return br_no_memory("investors' codes", population->n);
    }
    return BR_OK;
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
    br_free((*population)->bond_state);
    br_free((*population)->scratch);
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

br_status br_day_population_score(br_day_population *population, uint32_t bond, uint8_t *bond_codes_out, float *logits_out)
{
    const br_served *served = population->served;
    br_assert(population->as_of != BR_DAY_NONE);
    br_encoder_bond(served->snapshot->encoder, population->market, bond, bond_codes_out);
    br_collapsed_bond(served->collapsed, bond_codes_out, population->bond_state);
    br_collapsed_logits(served->collapsed, population->bond_state, population->codes, population->n, logits_out,
                        population->scratch);
    return BR_OK;
}

br_status br_day_population_activity(const br_day_population *population, float *bids_out)
{
    const br_bid *bids;
    uint32_t n_bids = 0;
    br_status status = br_market_bids(population->market, &bids, &n_bids);
    if (status != BR_OK) {
        return status;
    }
    for (uint32_t i = 0; i < population->n; i++) {
        bids_out[i] = 0.0f;
    }
    for (uint32_t i = 0; i < n_bids; i++) {
        const br_bid *bid = &bids[i];
        if (bid->known_from <= population->as_of && bid->day < population->as_of &&
            bid->day >= population->as_of - 365) {
            bids_out[bid->investor] += 1.0f;
        }
    }
    return BR_OK;
}
