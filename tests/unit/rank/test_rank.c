// Goal: the list is the head of the whole order, best first, ties by id. Method: against sorting everything.

#include "base/rng.h"
#include "rank/rank.h"

#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>

enum { N = 500 };

static float logits[N];
static uint8_t eligible[N];
static uint32_t id_order[N];

static int by_rank(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    if (logits[a] != logits[b]) {
        return logits[a] > logits[b] ? -1 : 1;
    }
    return id_order[a] < id_order[b] ? -1 : 1;
}

Test(rank_rank, is_the_head_of_the_sorted_list)
{
    for (uint32_t round = 0; round < 400; round++) {
        br_rng rng = br_rng_at(1, BR_STREAM_TEST, 1, round);
        uint32_t n = br_rng_below(&rng, N), n_top = br_rng_below(&rng, 80), n_eligible = 0;
        uint32_t sorted[N], top[80];
        for (uint32_t i = 0; i < n; i++) {
            logits[i] = (float)br_rng_below(&rng, round % 2 == 0 ? 30 : 1000000) - 15.0f; // every other round: ties
            eligible[i] = br_rng_below(&rng, 10) < round % 11;
            id_order[i] = i;
        }
        for (uint32_t i = n; i > 1; i--) {
            uint32_t other = br_rng_below(&rng, i), moved = id_order[i - 1];
            id_order[i - 1] = id_order[other];
            id_order[other] = moved;
        }
        for (uint32_t i = 0; i < n; i++) {
            if (eligible[i]) {
                sorted[n_eligible++] = i;
            }
        }
        qsort(sorted, n_eligible, sizeof *sorted, by_rank);
        uint32_t expected = n_eligible < n_top ? n_eligible : n_top;
        cr_assert_eq(br_rank_top(logits, eligible, id_order, n, n_top, top), expected);
        cr_assert_arr_eq(top, sorted, expected * sizeof *top, "round %u", round);
        for (uint32_t i = 0; i < n_eligible; i++) {
            cr_assert_eq(br_rank_place(logits, eligible, id_order, n, sorted[i]), i + 1, "round %u", round);
        }
    }
}

Test(rank_rank, ties_go_to_the_lower_id)
{
    float same[4] = {1.0f, 2.0f, 1.0f, 1.0f};
    uint8_t all[4] = {1, 1, 1, 1};
    uint32_t order[4] = {3, 0, 1, 2}, top[3];
    cr_assert_eq(br_rank_top(same, all, order, 4, 3, top), 3);
    cr_assert_eq(top[0], 1);
    cr_assert_eq(top[1], 2);
    cr_assert_eq(top[2], 3);
}

Test(rank_rank, infinities_have_their_place)
{
    float ends[3] = {-INFINITY, INFINITY, 0.0f};
    uint8_t all[3] = {1, 1, 1};
    uint32_t order[3] = {0, 1, 2}, top[3];
    cr_assert_eq(br_rank_top(ends, all, order, 3, 3, top), 3);
    cr_assert_eq(top[0], 1);
    cr_assert_eq(top[1], 2);
    cr_assert_eq(top[2], 0);
}

Test(rank_rank, refuses_a_logit_that_is_no_number, .signal = SIGABRT)
{
    float wrong[2] = {0.0f, NAN};
    uint8_t all[2] = {1, 1};
    uint32_t order[2] = {0, 1}, top[2];
    br_rank_top(wrong, all, order, 2, 2, top);
}
