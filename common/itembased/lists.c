#include "itembased/lists.h"

#include "base/alloc.h"

br_status br_lists_visit(br_rankers *rankers, uint32_t n_top, br_list_visitor visit, void *context)
{
    const br_history *history = br_rankers_history(rankers);
    br_assert(n_top > 0 && br_rankers_have(rankers, BR_RANKER_IALS));
    uint32_t room = n_top < history->n_items ? n_top : history->n_items;
    uint32_t *recommended = br_calloc(room, sizeof *recommended);
    if (recommended == NULL && room > 0) {
        return br_no_memory("recommendations", room);
    }
    br_status status = BR_OK;
    for (uint32_t user = 0; user < history->n_users && status == BR_OK; user++) {
        if (history->begin[user] == history->begin[user + 1]) {
            continue;
        }
        br_rankers_user(rankers, user);
        uint32_t n = br_rankers_recommend(rankers, room, recommended);
        for (uint32_t i = 0; i < n && status == BR_OK; i++) {
            status = visit(context, user, recommended[i]);
        }
    }
    br_free(recommended);
    return status;
}
