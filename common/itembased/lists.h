#ifndef BR_ITEMBASED_LISTS_H
#define BR_ITEMBASED_LISTS_H

/// The lists that explanations are about: a user, an item Y that the iALS model recommends to the user, and the user's items X that may explain it.

#include "itembased/rankers.h"

/// One list: the user is set in the rankers. Another status than BR_OK ends the walk.
typedef br_status (*br_list_visitor)(void *context, uint32_t user, uint32_t y);

/// All lists, users in order, each user's best recommendation first. Users without items have none. The rankers must have the iALS model; n_top: 1 or more.
/// Errors: BR_ERR_NO_MEMORY, the visitor's.
br_status br_lists_visit(br_rankers *rankers, uint32_t n_top, br_list_visitor visit, void *context) BR_MUST_CHECK;

#endif
