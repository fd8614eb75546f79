#ifndef BR_ITEMBASED_PAIR_MAP_H
#define BR_ITEMBASED_PAIR_MAP_H

/// What is known of pairs of numbers (x, y): each pair gets a number 0, 1, 2, ... in order of arrival and a value of fixed size, zeroed at first.
/// Memory: value_bytes + 8 bytes for each pair that there is room for (up to twice as many as there are) and 8 of slots; half as much again while it grows.

#include "base/index.h"

typedef struct br_pair_map br_pair_map;

/// value_bytes: 0 to 64, a multiple of 4. max_bytes: at most so much, growing included; SIZE_MAX = no bound. Errors: BR_ERR_LIMIT, BR_ERR_NO_MEMORY.
br_status br_pair_map_new(br_pair_map **out, size_t value_bytes, size_t max_bytes) BR_MUST_CHECK;
void br_pair_map_free(br_pair_map **map);

/// Number of (x, y), added if it is new; `*added_out` (may be NULL) says whether it was. Errors: BR_ERR_LIMIT beyond max_bytes or 2^30 pairs,
/// BR_ERR_NO_MEMORY; nothing is changed then.
br_status br_pair_map_add(br_pair_map *map, uint32_t x, uint32_t y, uint32_t *number_out,
                          bool *added_out) BR_MUST_CHECK;
/// Number of (x, y), or BR_INDEX_NONE.
uint32_t br_pair_map_find(const br_pair_map *map, uint32_t x, uint32_t y);
void br_pair_map_pair(const br_pair_map *map, uint32_t number, uint32_t *x_out, uint32_t *y_out);
/// Borrowed: valid until the next br_pair_map_add(). On a boundary of 8 bytes if value_bytes is a multiple of 8, else of 4.
void *br_pair_map_value(const br_pair_map *map, uint32_t number);
uint32_t br_pair_map_count(const br_pair_map *map);

#endif
