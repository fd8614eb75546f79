#include "pipeline/population.h"

#include "base/alloc.h"

// The investors' halves of the day are kept when they fit; a larger population is worked in blocks of this size, anew for each bond.
enum { HALVES_MAX_BYTES = 192 << 20 };

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
    float *halves; // [n_block, state_floats]
    uint32_t n_block;
    bool halves_kept; // the halves are those of all investors on this day
};

static br_status allocate(br_day_population *population)
{
    const br_collapsed *collapsed = population->served->collapsed;
    population->n = br_market_n_investors(population->market);
    population->n_investor_fields = br_encoder_n_investor_fields(population->served->snapshot->encoder);
    population->codes = br_calloc(population->n, population->n_investor_fields);
    population->bond_state = br_calloc_aligned(br_collapsed_state_floats(collapsed), sizeof(float));
    population->scratch = br_calloc_aligned(br_collapsed_scratch_floats(collapsed), sizeof(float));
    size_t half_bytes = br_collapsed_state_floats(collapsed) * sizeof(float);
    size_t most = HALVES_MAX_BYTES / half_bytes;
    population->n_block = population->n < most ? population->n : (uint32_t)most;
    population->halves = br_calloc_aligned(population->n_block, half_bytes);
    if (population->codes == NULL || population->bond_state == NULL || population->scratch == NULL ||
        population->halves == NULL) {
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
    br_free((*population)->halves);
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
    population->halves_kept = false;
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
    const br_served *served = population->served;
    br_assert(population->as_of != BR_DAY_NONE);
    br_encoder_bond(served->snapshot->encoder, population->market, bond, bond_codes_out);
    br_collapsed_bond(served->collapsed, bond_codes_out, population->bond_state);
    for (uint32_t first = 0; first < population->n; first += population->n_block) {
        uint32_t n = population->n - first < population->n_block ? population->n - first : population->n_block;
        if (!population->halves_kept) {
            br_status status = br_collapsed_investors(served->collapsed,
                                                      population->codes + (size_t)first * population->n_investor_fields,
                                                      n, population->halves);
            if (status != BR_OK) {
                return status;
            }
        }
        br_collapsed_logits(served->collapsed, population->bond_state, population->halves, n, logits_out + first,
                            population->scratch);
    }
    population->halves_kept = population->n_block == population->n;
    return BR_OK;
}
