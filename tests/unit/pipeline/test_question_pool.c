// Which pairs are asked about, and in which order: by hand.

#include "pipeline/question_pool.h"

#include "base/alloc.h"

#include <criterion/criterion.h>
#include <math.h>

#define NEAR(a, b) cr_assert_float_eq(a, b, 1e-12, "%.15g instead of %.15g", (double)(a), (double)(b))

static const uint64_t popularity[] = {9, 5, 5, 1, 7};

static const br_item_pair *find(const br_item_pair *pairs, uint32_t n, uint32_t x, uint32_t y)
{
    for (uint32_t i = 0; i < n; i++) {
        if (pairs[i].x == x && pairs[i].y == y) {
            return &pairs[i];
        }
    }
    return NULL;
}

Test(pipeline_question_pool, pairs_stand_in_lists_and_approaches_disagree)
{
    BR_AUTO(br_question_pool) *pool = NULL;
    const double none = (double)NAN;
    cr_assert_eq(br_question_pool_new(&pool), BR_OK);
    uint32_t n = 1;
    br_question_pool_pairs(pool, &n);
    cr_assert_eq(n, 0);
    // For 4: 0 was bid on last week and often, 3 yesterday and once. Chrono puts 3 first, PersonTop and popularity 0.
    const br_pool_past two[] = {{0, 6, 100, none}, {3, 1, 106, none}, {4, 9, 107, none}};
    cr_assert_eq(br_question_pool_add(pool, 4, two, 3, popularity), BR_OK);
    const br_item_pair *pairs = br_question_pool_pairs(pool, &n);
    cr_assert_eq(n, 2, "the bond's own issuer explains nothing");
    NEAR(find(pairs, n, 0, 4)->disagreement, sqrt(2.0) / 3.0); // of 1, 0, 0
    NEAR(find(pairs, n, 3, 4)->disagreement, sqrt(2.0) / 3.0);
    cr_assert_eq(find(pairs, n, 0, 4)->n_lists, 1);

    // With weights all four speak, and in this list they agree.
    const br_pool_past same[] = {{0, 6, 110, 0.9}, {3, 1, 106, 0.1}};
    cr_assert_eq(br_question_pool_add(pool, 4, same, 2, popularity), BR_OK);
    pairs = br_question_pool_pairs(pool, &n);
    cr_assert_eq(n, 2);
    NEAR(find(pairs, n, 0, 4)->disagreement, sqrt(2.0) / 6.0);
    cr_assert_eq(find(pairs, n, 0, 4)->n_lists, 2);

    // Alone there is nothing to disagree on; equals share their places, and of equal counts the more popular one is before.
    cr_assert_eq(br_question_pool_add(pool, 1, two, 1, popularity), BR_OK);
    const br_pool_past equal[] = {{2, 2, 100, none}, {1, 2, 100, none}, {0, 2, 101, none}};
    cr_assert_eq(br_question_pool_add(pool, 3, equal, 3, popularity), BR_OK);
    pairs = br_question_pool_pairs(pool, &n);
    cr_assert_eq(n, 6);
    cr_assert(isnan(find(pairs, n, 0, 1)->disagreement) && find(pairs, n, 0, 1)->n_lists == 0);
    NEAR(find(pairs, n, 0, 3)->disagreement, 0.0);
    NEAR(find(pairs, n, 1, 3)->disagreement, 0.0);
}

Test(pipeline_question_pool, only_the_first_of_a_list_count)
{
    BR_AUTO(br_question_pool) *pool = NULL;
    br_pool_past past[BR_POOL_PAST + 3];
    uint64_t counts[BR_POOL_PAST + 3] = {0};
    for (uint32_t i = 0; i < BR_POOL_PAST + 3; i++) {
        past[i] = (br_pool_past){.issuer = i, .n_bids = 1, .last = 0, .weight = (double)NAN};
    }
    cr_assert_eq(br_question_pool_new(&pool), BR_OK);
    cr_assert_eq(br_question_pool_add(pool, 2, past, BR_POOL_PAST + 3, counts), BR_OK);
    uint32_t n = 0;
    const br_item_pair *pairs = br_question_pool_pairs(pool, &n);
    cr_assert_eq(n, BR_POOL_PAST);
    cr_assert_null(find(pairs, n, 2, 2));
    cr_assert_not_null(find(pairs, n, BR_POOL_PAST, 2));
    cr_assert_null(find(pairs, n, BR_POOL_PAST + 1, 2));
}

Test(pipeline_question_pool, what_was_taken_back_then_what_was_begun_then_what_is_disputed)
{
    const double none = (double)NAN;
    static const br_askable back = {true, 0, 0.0, 900}, four = {false, 4, 0.0, 800}, one = {false, 1, 0.5, 1};
    const br_askable disputed = {false, 0, 0.4, 700}, less = {false, 0, 0.3, 2}, unknown = {false, 0, none, 1};
    const br_askable later = {false, 0, none, 3};
    const br_askable order[] = {back, four, one, disputed, less, unknown, later};
    for (int i = 0; i < 7; i++) {
        for (int j = 0; j < 7; j++) {
            cr_assert_eq(br_asked_before(&order[i], &order[j]), i < j, "%d and %d", i, j);
        }
    }
}

Test(pipeline_question_pool, failing_allocations_are_reported_and_leak_nothing)
{
    size_t live = br_alloc_live();
    const br_pool_past past = {0, 1, 1, 1.0};
    for (size_t n = 0; n < 2; n++) {
        br_question_pool *pool = NULL;
        br_alloc_fail_after(n);
        br_status status = br_question_pool_new(&pool);
        if (status == BR_OK) {
            status = br_question_pool_add(pool, 1, &past, 1, popularity);
        }
        br_alloc_fail_after(SIZE_MAX);
        cr_assert_eq(status, BR_ERR_NO_MEMORY);
        br_question_pool_free(&pool);
        cr_assert_eq(br_alloc_live(), live);
    }
}
