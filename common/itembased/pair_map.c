#include "itembased/pair_map.h"

#include "base/alloc.h"

#include <string.h>

enum { FIRST_CAPACITY = 64, SLOTS_PER_PAIR = 2, MAX_PAIRS = 1 << 30, MAX_VALUE_BYTES = 64 };

// Open addressing over numbers.
struct br_pair_map {
    size_t value_bytes;
    size_t max_bytes;
    uint64_t *pairs; // [capacity] x in the upper half
    uint8_t *values; // [capacity, value_bytes]
    uint32_t n;
    uint32_t capacity; // a power of two
    uint32_t *slots;   // [SLOTS_PER_PAIR * capacity] number + 1, 0 when free
};

static uint64_t key_of(uint32_t x, uint32_t y)
{
    return (uint64_t)x << 32 | y;
}

// The last step of SplitMix64: neighbours are spread over all slots.
static uint64_t mix(uint64_t key)
{
    key = (key ^ key >> 30) * 0xbf58476d1ce4e5b9u;
    key = (key ^ key >> 27) * 0x94d049bb133111ebu;
    return key ^ key >> 31;
}

static size_t find_slot(const br_pair_map *map, uint64_t key)
{
    size_t last = SLOTS_PER_PAIR * (size_t)map->capacity - 1;
    size_t at = (size_t)mix(key) & last;
    while (map->slots[at] != 0 && map->pairs[map->slots[at] - 1] != key) {
        at = (at + 1) & last;
    }
    return at;
}

/// Room for `capacity` pairs. What was there stands until all of the new is.
static br_status reserve(br_pair_map *map, uint32_t capacity)
{
    size_t each = sizeof *map->pairs + map->value_bytes + SLOTS_PER_PAIR * sizeof *map->slots;
    size_t bytes = capacity * each;
    if (capacity > MAX_PAIRS || bytes + bytes / 2 > map->max_bytes) {
        return br_fail(BR_ERR_LIMIT, "%u pairs are more than %zu bytes of memory hold", map->n + 1, map->max_bytes);
    }
    uint64_t *pairs = br_reallocarray(map->pairs, capacity, sizeof *pairs);
    if (pairs == NULL) {
        return br_no_memory("pairs", capacity);
    }
    map->pairs = pairs;
    if (map->value_bytes > 0) {
        uint8_t *values = br_reallocarray(map->values, capacity, map->value_bytes);
        if (values == NULL) {
            return br_no_memory("values of pairs", capacity);
        }
        map->values = values;
    }
    uint32_t *slots = br_calloc(SLOTS_PER_PAIR * (size_t)capacity, sizeof *slots);
    if (slots == NULL) {
        return br_no_memory("slots of pairs", capacity);
    }
    br_free(map->slots);
    map->slots = slots;
    map->capacity = capacity;
    for (uint32_t i = 0; i < map->n; i++) {
        slots[find_slot(map, pairs[i])] = i + 1;
    }
    return BR_OK;
}

br_status br_pair_map_new(br_pair_map **out, size_t value_bytes, size_t max_bytes)
{
    br_assert(value_bytes <= MAX_VALUE_BYTES && value_bytes % 4 == 0);
    BR_AUTO(br_pair_map) *map = br_calloc(1, sizeof *map);
    if (map == NULL) {
        return br_no_memory("map of pairs", 1);
    }
    map->value_bytes = value_bytes;
    map->max_bytes = max_bytes;
    br_status status = reserve(map, FIRST_CAPACITY);
    if (status != BR_OK) {
        return status;
    }
    *out = map;
    map = NULL;
    return BR_OK;
}

void br_pair_map_free(br_pair_map **map)
{
    if (map == NULL || *map == NULL) {
        return;
    }
    br_free((*map)->pairs);
    br_free((*map)->values);
    br_free((*map)->slots);
    br_free(*map);
    *map = NULL;
}

br_status br_pair_map_add(br_pair_map *map, uint32_t x, uint32_t y, uint32_t *number_out, bool *added_out)
{
    uint64_t key = key_of(x, y);
    size_t at = find_slot(map, key);
    bool is_new = map->slots[at] == 0;
    if (is_new) {
        if (map->n == map->capacity) {
            br_status status = reserve(map, 2 * map->capacity);
            if (status != BR_OK) {
                return status;
            }
            at = find_slot(map, key);
        }
        map->pairs[map->n] = key;
        if (map->value_bytes > 0) {
            memset(map->values + map->n * map->value_bytes, 0, map->value_bytes);
        }
        map->slots[at] = ++map->n;
    }
    *number_out = map->slots[at] - 1;
    if (added_out != NULL) {
        *added_out = is_new;
    }
    return BR_OK;
}

uint32_t br_pair_map_find(const br_pair_map *map, uint32_t x, uint32_t y)
{
    uint32_t found = map->slots[find_slot(map, key_of(x, y))];
    return found == 0 ? BR_INDEX_NONE : found - 1;
}

void br_pair_map_pair(const br_pair_map *map, uint32_t number, uint32_t *x_out, uint32_t *y_out)
{
    br_assert(number < map->n);
    *x_out = (uint32_t)(map->pairs[number] >> 32);
    *y_out = (uint32_t)map->pairs[number];
}

void *br_pair_map_value(const br_pair_map *map, uint32_t number)
{
    br_assert(number < map->n);
    return map->values + number * map->value_bytes;
}

uint32_t br_pair_map_count(const br_pair_map *map)
{
    return map->n;
}
