#ifndef BR_ITEMBASED_TOP_ITEMS_H
#define BR_ITEMBASED_TOP_ITEMS_H

/// The items with the highest scores, offered one after the other by rising number. Private to the module.

#include "base/status.h"

typedef struct br_top_items {
    uint32_t *items; ///< [n_top] best first, of equals the lower number; the caller's
    uint32_t n_top;
    uint32_t n;           ///< of them taken so far
    const double *scores; ///< [items]
} br_top_items;

void br_top_items_offer(br_top_items *top, uint32_t item);

#endif
