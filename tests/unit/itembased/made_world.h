#ifndef BR_TESTS_MADE_WORLD_H
#define BR_TESTS_MADE_WORLD_H

/// Small worlds to explain recommendations in: transactions, models, rankers. Whatever fails ends the process.

#include "itembased/rankers.h"

typedef struct made_world {
    br_transactions *table;
    br_history *history;
    br_ials *ials;
    br_cooccurrence *counts; ///< NULL where only iALS is asked for
    br_ease *ease;           ///< likewise
    br_rankers *rankers;
} made_world;

/// factors [n_items]: one number for each item, in the order of made_world_buy(). The score of an item a user does not have rises with its number.
made_world made_world_new(void);
void made_world_buy(made_world *world, const char *user, const char *item, int64_t time);
void made_world_item(made_world *world, const char *item, const char *category);
void made_world_rank(made_world *world, const float *factors, uint32_t n_items);
uint32_t made_world_number(const made_world *world, const char *item);

/// n_users x n_items with probability `density`, up to three purchases each, times with many ties, four categories, three random factors, all rankers.
made_world made_world_random(uint32_t n_users, uint32_t n_items, double density, uint64_t seed);
void made_world_free(made_world *world);

#endif
