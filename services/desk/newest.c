// The newest lists that were explained: what people are asked about.

#include "compute.h"

#include <stdio.h>

br_status newest_name(desk *self, br_arena *arena, newest_lists *out)
{
    *out = (newest_lists){.bonds = br_arena_calloc(arena, NEWEST_LISTS, sizeof *out->bonds)};
    if (out->bonds == NULL) {
        return br_no_memory("lists", NEWEST_LISTS);
    }
    br_hasher hasher;
    br_hasher_init(&hasher);
    pthread_rwlock_rdlock(&self->lock);
    const br_market *market = br_follower_market(self->follower);
    for (uint32_t i = self->n_bonds; market != NULL && i > 0 && out->n < NEWEST_LISTS; i--) {
        const listed_bond *listed = bond_listed(self, self->bonds[i - 1]);
        if (listed != NULL && !listed->pending && !listed->dead && listed->n_entries > 0) {
            snprintf(out->bonds[out->n++], sizeof out->bonds[0], "%s", br_market_bond_id(market, self->bonds[i - 1]));
            br_hasher_update(&hasher, &listed->identity, sizeof listed->identity);
        }
    }
    pthread_rwlock_unlock(&self->lock);
    out->identity = br_hasher_final(&hasher);
    return BR_OK;
}

br_status newest_read(desk *self, br_arena *arena, newest_lists *lists)
{
    lists->lists = br_arena_calloc(arena, lists->n + 1, sizeof *lists->lists);
    br_status status = lists->lists == NULL ? br_no_memory("lists", lists->n) : BR_OK;
    for (uint32_t i = 0; i < lists->n && status == BR_OK; i++) {
        status = br_recommendations_shown_list(self->recommendations, arena, lists->bonds[i], &lists->lists[i]);
    }
    return status;
}
