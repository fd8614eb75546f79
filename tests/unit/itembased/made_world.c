#include "made_world.h"

#include "base/alloc.h"
#include "base/rng.h"

#include <stdio.h>

static void good(br_status status)
{
    if (status != BR_OK) {
        fprintf(stderr, "made_world: %s\n", br_why(status));
    }
    br_assert(status == BR_OK);
}

made_world made_world_new(void)
{
    made_world world = {0};
    good(br_transactions_new(&world.table));
    return world;
}

void made_world_buy(made_world *world, const char *user, const char *item, int64_t time)
{
    br_transaction_text one = {.user = user, .item = item, .time = time, .weight = 1.0f};
    good(br_transactions_add(world->table, &one));
}

void made_world_item(made_world *world, const char *item, const char *category)
{
    good(br_transactions_category(world->table, item, category));
}

static void rank(made_world *world, const float *factors, uint32_t n_factors)
{
    good(br_ials_of(&world->ials, factors, world->history->n_items, n_factors, 1.0, 1.0));
    good(br_rankers_new(
        &world->rankers,
        &(br_ranker_models){
            .history = world->history, .ials = world->ials, .counts = world->counts, .ease = world->ease, .seed = 7}));
}

void made_world_rank(made_world *world, const float *factors, uint32_t n_items)
{
    good(br_history_new(&world->history, world->table, INT64_MIN, INT64_MAX));
    br_assert(world->history->n_items == n_items);
    rank(world, factors, 1);
}

uint32_t made_world_number(const made_world *world, const char *item)
{
    uint32_t number = br_transactions_find_item(world->table, item);
    br_assert(number != BR_INDEX_NONE);
    return number;
}

made_world made_world_random(uint32_t n_users, uint32_t n_items, double density, uint64_t seed)
{
    enum { FACTORS = 3, CATEGORIES = 4, TIMES = 6 };
    made_world world = made_world_new();
    br_rng rng = br_rng_at(seed, BR_STREAM_TEST, 0, 2);
    char user[16], item[16], category[16];
    float *factors = br_calloc((size_t)n_items * FACTORS, sizeof *factors);
    br_assert(factors != NULL);
    for (uint32_t i = 0; i < n_items; i++) {
        snprintf(item, sizeof item, "i%u", i);
        snprintf(category, sizeof category, "c%u", br_rng_below(&rng, CATEGORIES));
        made_world_item(&world, item, category);
        for (uint32_t k = 0; k < FACTORS; k++) {
            factors[i * FACTORS + k] = (float)br_rng_normal(&rng);
        }
    }
    for (uint32_t cell = 0; cell < n_users * n_items; cell++) {
        snprintf(user, sizeof user, "u%u", cell / n_items);
        snprintf(item, sizeof item, "i%u", cell % n_items);
        uint32_t n = br_rng_uniform(&rng) < density ? 1 + br_rng_below(&rng, 3) : 0;
        for (uint32_t k = 0; k < n; k++) {
            made_world_buy(&world, user, item, br_rng_below(&rng, TIMES));
        }
    }
    good(br_history_new(&world.history, world.table, INT64_MIN, INT64_MAX));
    good(br_cooccurrence_new(&world.counts, world.history));
    good(br_ease_new(&world.ease, world.counts, 5.0));
    rank(&world, factors, FACTORS);
    br_free(factors);
    return world;
}

void made_world_free(made_world *world)
{
    br_rankers_free(&world->rankers);
    br_ease_free(&world->ease);
    br_cooccurrence_free(&world->counts);
    br_ials_free(&world->ials);
    br_history_free(&world->history);
    br_transactions_free(&world->table);
}
