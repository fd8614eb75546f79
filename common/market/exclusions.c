#include "market/exclusions.h"

#include "base/alloc.h"

// The finishing mix of splitmix64 over the key's three numbers.
static uint32_t hash_key(uint32_t bond, uint32_t investor, br_day day)
{
    uint64_t h = ((uint64_t)bond << 32 | investor) ^ (uint64_t)(uint32_t)day * 0x9e3779b97f4a7c15u;
    h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9u;
    h = (h ^ h >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)(h ^ h >> 31);
}

// The slot of this key, or the free one where it would go.
static uint32_t find_slot(const br_exclusions *list, uint32_t bond, uint32_t investor, br_day day)
{
    uint32_t at = hash_key(bond, investor, day) & (list->n_slots - 1);
    while (list->slots[at] != 0) {
        const br_exclusion *row = &list->rows[list->slots[at] - 1];
        if (row->bond == bond && row->investor == investor && row->day == day) {
            break;
        }
        at = (at + 1) & (list->n_slots - 1);
    }
    return at;
}

uint32_t br_exclusions_find(const br_exclusions *list, uint32_t bond, uint32_t investor, br_day day)
{
    if (list->n_slots == 0) {
        return BR_INDEX_NONE;
    }
    uint32_t slot = list->slots[find_slot(list, bond, investor, day)];
    return slot == 0 ? BR_INDEX_NONE : slot - 1;
}

static br_status grow_rows(br_exclusions *list)
{
    uint32_t capacity = list->n < 64 ? 128 : list->n + list->n / 2;
    br_exclusion *rows = br_reallocarray(list->rows, capacity, sizeof *rows);
    if (rows == NULL) {
        return br_no_memory("exclusions", capacity);
    }
    list->rows = rows;
    list->capacity = capacity;
    return BR_OK;
}

static br_status grow_slots(br_exclusions *list)
{
    uint32_t n_slots = list->n_slots == 0 ? 256 : list->n_slots * 2;
    uint32_t *slots = br_calloc(n_slots, sizeof *slots);
    if (slots == NULL) {
        return br_no_memory("slots of exclusions", n_slots);
    }
    br_free(list->slots);
    list->slots = slots;
    list->n_slots = n_slots;
    for (uint32_t i = 0; i < list->n; i++) {
        const br_exclusion *row = &list->rows[i];
        slots[find_slot(list, row->bond, row->investor, row->day)] = i + 1;
    }
    return BR_OK;
}

br_status br_exclusions_add(br_exclusions *list, const br_exclusion *row)
{
    if (list->n >= UINT32_MAX / 4) {
        return br_fail(BR_ERR_LIMIT, "more than %u exclusions", list->n);
    }
    br_status status = list->n == list->capacity ? grow_rows(list) : BR_OK;
    if (status == BR_OK && list->n + list->n / 2 >= list->n_slots) {
        status = grow_slots(list);
    }
    if (status != BR_OK) {
        return status;
    }
    uint32_t at = find_slot(list, row->bond, row->investor, row->day);
    br_assert(list->slots[at] == 0);
    list->rows[list->n] = *row;
    list->slots[at] = ++list->n;
    return BR_OK;
}

void br_exclusions_deinit(br_exclusions *list)
{
    br_free(list->rows);
    br_free(list->slots);
    *list = (br_exclusions){0};
}
