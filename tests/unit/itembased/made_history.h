#ifndef BR_TESTS_MADE_HISTORY_H
#define BR_TESTS_MADE_HISTORY_H

/// Histories made up at random. Memory that cannot be had ends the process.

#include "itembased/transactions.h"

/// Each user has each item with a probability between 0 and 2 `density`, by its popularity; about one user in eight has none. Weights from 0.5 to 2.
br_history *made_history(uint32_t n_users, uint32_t n_items, double density, uint64_t seed);
void made_history_free(br_history *history);

#endif
