#include "made_history.h"

#include "base/alloc.h"
#include "base/rng.h"

br_history *made_history(uint32_t n_users, uint32_t n_items, double density, uint64_t seed)
{
    br_history *it = br_calloc(1, sizeof *it);
    size_t most = (size_t)n_users * n_items + 1;
    br_assert(it != NULL);
    it->n_users = n_users;
    it->n_items = n_items;
    it->begin = br_calloc((size_t)n_users + 1, sizeof *it->begin);
    it->items = br_calloc(most, sizeof *it->items);
    it->weights = br_calloc(most, sizeof *it->weights);
    br_assert(it->begin != NULL && it->items != NULL && it->weights != NULL);
    size_t n = 0;
    for (uint32_t user = 0; user < n_users; user++) {
        br_rng rng = br_rng_at(seed, BR_STREAM_TEST, user, 1);
        bool none = br_rng_below(&rng, 8) == 0;
        uint32_t first = n_items == 0 ? 0 : br_rng_below(&rng, n_items); // so that they do not rise by number
        for (uint32_t i = 0; i < n_items && !none; i++) {
            uint32_t item = (first + i) % n_items;
            double popularity = 2.0 * (1.0 - (double)item / n_items);
            double weight = 0.5 + 1.5 * br_rng_uniform(&rng);
            if (br_rng_uniform(&rng) < density * popularity) {
                it->items[n] = item;
                it->weights[n++] = (float)weight;
            }
        }
        it->begin[user + 1] = n;
    }
    return it;
}

void made_history_free(br_history *history)
{
    br_free(history->begin);
    br_free(history->items);
    br_free(history->weights);
    br_free(history);
}
