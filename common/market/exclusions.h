#ifndef BR_MARKET_EXCLUSIONS_H
#define BR_MARKET_EXCLUSIONS_H

/// The market's exclusions: found by (bond, investor, day), walked by bond. There may be many more of them than of anything else, so
/// neither costs more for it. Nothing outside this module includes it.

#include "base/day.h"
#include "base/index.h"

typedef struct br_exclusion {
    uint32_t bond;
    uint32_t investor;
    br_day day;
    uint32_t next; ///< of the same bond, or BR_INDEX_NONE
    uint64_t revision;
    bool cancelled;
} br_exclusion;

typedef struct br_exclusions {
    br_exclusion *rows; ///< [n]
    uint32_t n;
    uint32_t capacity;
    uint32_t *slots;  ///< [n_slots] number of a row + 1, 0 when free
    uint32_t n_slots; ///< 0 or a power of two, at least 1.5 times n
} br_exclusions;

/// Number of the row with this key, or BR_INDEX_NONE.
uint32_t br_exclusions_find(const br_exclusions *list, uint32_t bond, uint32_t investor, br_day day);
/// Append a row whose key is not there yet: row->next is left as it is. Errors: BR_ERR_NO_MEMORY, BR_ERR_LIMIT.
br_status br_exclusions_add(br_exclusions *list, const br_exclusion *row) BR_MUST_CHECK;
void br_exclusions_deinit(br_exclusions *list);

#endif
