// Goal: a map of pairs finds what was put in and stays within its bound. Method: all pairs of a square, one by one; bounds; allocations that fail.

#include "base/alloc.h"
#include "itembased/pair_map.h"

#include <criterion/criterion.h>
#include <string.h>

enum { SIDE = 200 };

static br_pair_map *map_new(size_t value_bytes)
{
    br_pair_map *map = NULL;
    cr_assert_eq(br_pair_map_new(&map, value_bytes, SIZE_MAX), BR_OK);
    return map;
}

Test(itembased_pair_map, each_pair_has_its_number_and_its_value)
{
    BR_AUTO(br_pair_map) *map = map_new(sizeof(uint64_t));
    for (uint32_t i = 0; i < SIDE * SIDE; i++) {
        uint32_t number = BR_INDEX_NONE;
        bool added = false;
        cr_assert_eq(br_pair_map_find(map, i / SIDE, i % SIDE), BR_INDEX_NONE);
        cr_assert_eq(br_pair_map_add(map, i / SIDE, i % SIDE, &number, &added), BR_OK);
        cr_assert(added && number == i);
        uint64_t *value = br_pair_map_value(map, i);
        cr_assert_eq(*value, 0);
        *value = (uint64_t)i << 33;
    }
    for (uint32_t i = 0; i < SIDE * SIDE; i++) {
        uint32_t x = 0;
        uint32_t y = 0;
        uint32_t number = BR_INDEX_NONE;
        bool added = true;
        br_pair_map_pair(map, i, &x, &y);
        cr_assert(x == i / SIDE && y == i % SIDE);
        cr_assert_eq(br_pair_map_find(map, x, y), i);
        cr_assert_eq(br_pair_map_add(map, x, y, &number, &added), BR_OK);
        cr_assert(!added && number == i);
        cr_assert_eq(*(uint64_t *)br_pair_map_value(map, i), (uint64_t)i << 33);
    }
    cr_expect_eq(br_pair_map_count(map), SIDE * SIDE);
    cr_expect_eq(br_pair_map_find(map, SIDE, 0), BR_INDEX_NONE);
}

Test(itembased_pair_map, a_bound_is_kept_and_named)
{
    BR_AUTO(br_pair_map) *map = NULL;
    cr_expect_eq(br_pair_map_new(&map, 0, 100), BR_ERR_LIMIT);
    cr_assert_eq(br_pair_map_new(&map, 0, 4000), BR_OK);
    br_status status = BR_OK;
    uint32_t number = 0;
    uint32_t n = 0;
    while (n < 1000 && (status = br_pair_map_add(map, n, 7, &number, NULL)) == BR_OK) {
        n++;
    }
    // 128 pairs of 8 bytes and two slots of 4 are 2,048 bytes, 3,072 while it grows; 256 are twice that.
    cr_expect_eq(status, BR_ERR_LIMIT);
    cr_expect_eq(n, 128);
    cr_expect(strstr(br_why(status), "129") != NULL && strstr(br_why(status), "4000") != NULL, "%s", br_why(status));
    cr_expect_eq(br_pair_map_find(map, 127, 7), 127, "what was there stays");
    cr_expect_eq(br_pair_map_count(map), 128);
}

Test(itembased_pair_map, without_memory_nothing_is_changed)
{
    size_t before = br_alloc_live();
    for (size_t n = 0; n < 4; n++) {
        br_pair_map *map = NULL;
        br_alloc_fail_after(n);
        cr_expect_eq(br_pair_map_new(&map, 4, SIZE_MAX), BR_ERR_NO_MEMORY);
        cr_expect_null(map);
    }
    br_alloc_fail_after(SIZE_MAX);
    br_pair_map *map = map_new(4);
    for (uint32_t i = 0; i < 64; i++) {
        uint32_t number;
        cr_assert_eq(br_pair_map_add(map, i, i, &number, NULL), BR_OK);
    }
    for (size_t n = 0; n < 3; n++) {
        uint32_t number;
        br_alloc_fail_after(n);
        cr_expect_eq(br_pair_map_add(map, 64, 64, &number, NULL), BR_ERR_NO_MEMORY);
        cr_expect_eq(br_pair_map_find(map, 64, 64), BR_INDEX_NONE);
        cr_expect_eq(br_pair_map_find(map, 63, 63), 63);
    }
    br_alloc_fail_after(SIZE_MAX);
    br_pair_map_free(&map);
    cr_expect_eq(br_alloc_live(), before);
}
