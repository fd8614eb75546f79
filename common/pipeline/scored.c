#include "pipeline/scored.h"

#include "rank/rank.h"

br_status br_scored_bond_room(br_scored_bond *out, br_arena *arena, const br_day_population *population,
                              const br_served *served, uint32_t most)
{
    uint32_t n = br_day_population_n(population);
    *out = (br_scored_bond){
        .bond_codes = br_arena_alloc(arena, served->snapshot->encoder->n_bond_fields),
        .logits = br_arena_calloc(arena, n, sizeof *out->logits),
        .eligible = br_arena_alloc(arena, n),
        .top = br_arena_calloc(arena, most, sizeof *out->top),
        .most = most,
    };
    return out->bond_codes == NULL || out->logits == NULL || out->eligible == NULL || out->top == NULL
               ? br_no_memory("scores", n)
               : BR_OK;
}

br_status br_score_bond(br_scored_bond *scored, br_market *market, br_day_population *population, uint32_t bond)
{
    const uint32_t *id_order;
    br_status status = br_market_investor_order(market, &id_order);
    if (status == BR_OK) {
        status = br_day_population_score(population, bond, scored->bond_codes, scored->logits);
    }
    if (status != BR_OK) {
        return status;
    }
    scored->n_eligible = br_market_eligible(market, bond, br_day_population_as_of(population), scored->eligible);
    scored->n_top = br_rank_top(scored->logits, scored->eligible, id_order, br_day_population_n(population),
                                scored->most, scored->top);
    return BR_OK;
}
