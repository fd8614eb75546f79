// Goal: pairs to ask about are drawn fairly, or are those that approaches disagree on. Method: frequencies over many seeds; a list whose ranks are worked out
// by hand; a plain table over random data as the twin.

#include "base/alloc.h"
#include "base/rng.h"
#include "itembased/asking.h"
#include "made_world.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { PLENTY = 1 << 30 };

static uint32_t draw(br_item_pair *out, uint32_t n_pairs, const made_world *world, br_pair_pool pool, uint64_t seed)
{
    uint32_t n = UINT32_MAX;
    br_status status = br_pairs_random(out, &n, n_pairs, world->rankers, pool, 2, seed, PLENTY);
    cr_assert_eq(status, BR_OK, "%s", br_why(status));
    return n;
}

// --- at random ---

/// Users ann: a, b; bob: c, a; nobody: d. Recommended (two each): to ann e, c; to bob e, b.
static made_world shop(void)
{
    static const float factors[] = {1.0f, 2.0f, 3.0f, 4.0f};
    made_world world = made_world_new();
    made_world_buy(&world, "ann", "a", 1);
    made_world_buy(&world, "ann", "b", 2);
    made_world_buy(&world, "bob", "c", 1);
    made_world_buy(&world, "bob", "a", 2);
    made_world_buy(&world, "eve", "e", 2);
    made_world_item(&world, "d", "");
    made_world_rank(&world, (const float[]){factors[0], factors[1], factors[2], factors[3], 0.5f}, 5);
    return world;
}

enum { SEEDS = 12000, N_ITEMS = 5, DRAWN = 3 };

/// Each of n_pool pairs comes at each of the DRAWN places about as often: five standard deviations.
static void expect_uniform(const made_world *world, br_pair_pool pool, const char *const *pairs, int n_pool)
{
    static int counts[DRAWN][N_ITEMS][N_ITEMS];
    memset(counts, 0, sizeof counts);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        br_item_pair drawn[DRAWN];
        cr_assert_eq(draw(drawn, DRAWN, world, pool, seed), DRAWN);
        for (int i = 0; i < DRAWN; i++) {
            counts[i][drawn[i].x][drawn[i].y]++;
            for (int j = 0; j < i; j++) {
                cr_assert(drawn[i].x != drawn[j].x || drawn[i].y != drawn[j].y, "twice");
            }
        }
    }
    double expected = (double)SEEDS / n_pool;
    double reach = 5.0 * sqrt(expected * (1.0 - 1.0 / n_pool));
    for (int i = 0; i < DRAWN; i++) {
        int sum = 0;
        for (int p = 0; p < n_pool; p++) {
            const char x[] = {pairs[p][0], '\0'}, y[] = {pairs[p][1], '\0'};
            int n = counts[i][made_world_number(world, x)][made_world_number(world, y)];
            cr_expect_float_eq(n, expected, reach, "%s at place %d: %d times, not %g", pairs[p], i, n, expected);
            sum += n;
        }
        cr_expect_eq(sum, SEEDS, "other pairs at place %d", i);
    }
}

Test(itembased_asking, any_two_items_that_somebody_has)
{
    static const char *const pairs[] = {"ab", "ac", "ae", "ba", "bc", "be", "ca", "cb", "ce", "ea", "eb", "ec"};
    made_world world = shop();
    expect_uniform(&world, BR_POOL_ALL, pairs, 12);
    made_world_free(&world);
}

Test(itembased_asking, pairs_that_can_be_shown)
{
    static const char *const pairs[] = {"ae", "be", "ac", "bc", "ce", "cb", "ab", "ec", "eb"};
    made_world world = shop();
    br_item_pair drawn[20];
    cr_expect_eq(draw(drawn, 20, &world, BR_POOL_LISTED, 1), 9);
    for (int i = 0; i < 9; i++) {
        bool both = drawn[i].x == made_world_number(&world, "a") && drawn[i].y == made_world_number(&world, "e");
        cr_expect_eq(drawn[i].n_lists, both ? 2 : 1, "a and e are in ann's list and in bob's");
        cr_expect(isnan(drawn[i].disagreement));
    }
    expect_uniform(&world, BR_POOL_LISTED, pairs, 9);
    made_world_free(&world);
}

Test(itembased_asking, more_pairs_begin_with_the_fewer)
{
    made_world world = shop();
    br_item_pair few[5], all[20];
    cr_assert_eq(draw(few, 5, &world, BR_POOL_ALL, 3), 5);
    cr_assert_eq(draw(all, 20, &world, BR_POOL_ALL, 3), 12);
    bool seen[N_ITEMS][N_ITEMS] = {{false}};
    for (int i = 0; i < 12; i++) {
        cr_expect(i >= 5 || (few[i].x == all[i].x && few[i].y == all[i].y));
        cr_expect_not(seen[all[i].x][all[i].y]);
        seen[all[i].x][all[i].y] = true;
        cr_expect(all[i].x != all[i].y && all[i].n_lists == 0);
    }
    cr_expect_eq(draw(few, 0, &world, BR_POOL_ALL, 3), 0);
    made_world_free(&world);
}

static int by_pair(const void *left, const void *right)
{
    const br_item_pair *a = left, *b = right;
    return a->x != b->x ? (a->x > b->x) - (a->x < b->x) : (a->y > b->y) - (a->y < b->y);
}

Test(itembased_asking, more_pairs_than_32_bits_can_count)
{
    enum { MANY_ITEMS = 100000, MANY = 20000 };
    br_history history = {.n_items = MANY_ITEMS, .begin = (size_t[]){0}};
    history.popularity = br_calloc(MANY_ITEMS, sizeof *history.popularity);
    history.category = br_calloc(MANY_ITEMS, sizeof *history.category);
    br_item_pair *drawn = br_calloc(MANY, sizeof *drawn);
    cr_assert(history.popularity != NULL && history.category != NULL && drawn != NULL);
    for (uint32_t i = 0; i < MANY_ITEMS; i++) {
        history.popularity[i] = 1;
    }
    made_world world = {0};
    cr_assert_eq(br_rankers_new(&world.rankers, &(br_ranker_models){.history = &history}), BR_OK);
    cr_assert_eq(draw(drawn, MANY, &world, BR_POOL_ALL, 1), MANY);
    double mean_x = 0.0, mean_y = 0.0;
    for (int i = 0; i < MANY; i++) {
        mean_x += drawn[i].x / (double)MANY;
        mean_y += drawn[i].y / (double)MANY;
    }
    // Uniform: 50,000 with a standard error of 100,000 / sqrt(12 x 20,000) = 204.
    cr_expect(fabs(mean_x - 50000.0) < 1000.0 && fabs(mean_y - 50000.0) < 1000.0, "%g %g", mean_x, mean_y);
    qsort(drawn, MANY, sizeof *drawn, by_pair);
    for (int i = 1; i < MANY; i++) {
        cr_assert_neq(by_pair(&drawn[i - 1], &drawn[i]), 0);
    }
    uint32_t n = 0;
    cr_expect_eq(br_pairs_random(drawn, &n, MANY, world.rankers, BR_POOL_ALL, 1, 1, 100000), BR_ERR_LIMIT);
    br_rankers_free(&world.rankers);
    br_free(history.popularity);
    br_free(history.category);
    br_free(drawn);
}

Test(itembased_asking, where_there_is_nothing_to_ask)
{
    br_item_pair drawn[3];
    made_world none = made_world_new();
    made_world_item(&none, "a", "");
    made_world_rank(&none, (const float[]){1.0f}, 1);
    uint32_t n = 9;
    cr_expect_eq(draw(drawn, 3, &none, BR_POOL_ALL, 1), 0);
    cr_expect_eq(draw(drawn, 3, &none, BR_POOL_LISTED, 1), 0);
    cr_expect_eq(br_pairs_disagreed(drawn, &n, 3, none.rankers, 2, 1, PLENTY), BR_OK);
    cr_expect_eq(n, 0);
    made_world_free(&none);
}

// --- by disagreement ---

Test(itembased_asking, disagreement_is_the_spread_of_ranks)
{
    cr_expect_float_eq(br_disagreement((const double[]){0.0, 1.0}, 2), 0.5, 1e-15);
    cr_expect_float_eq(br_disagreement((const double[]){0.0, (double)NAN, 0.5, 1.0}, 4), sqrt(1.0 / 6.0), 1e-15);
    cr_expect_eq(br_disagreement((const double[]){0.25, 0.25, 0.25}, 3), 0.0);
    cr_expect(isnan(br_disagreement((const double[]){0.25, (double)NAN}, 2)) && isnan(br_disagreement(NULL, 0)));
}

/// Ann bought a, then b twice, then c; y is recommended to her. In popularity a, b, c; y has c's category.
static made_world ann(void)
{
    static const float factors[] = {1.0f, 3.0f, 2.0f, 4.0f};
    made_world world = made_world_new();
    made_world_buy(&world, "ann", "a", 1);
    made_world_buy(&world, "ann", "b", 2);
    made_world_buy(&world, "ann", "b", 3);
    made_world_buy(&world, "ann", "c", 4);
    made_world_buy(&world, "bob", "y", 1);
    for (int i = 0; i < 3; i++) {
        made_world_buy(&world, "bob", "a", 2 + i);
    }
    made_world_buy(&world, "bob", "b", 9);
    made_world_buy(&world, "bob", "c", 9);
    made_world_item(&world, "c", "food");
    made_world_item(&world, "y", "food");
    made_world_rank(&world, factors, 4);
    return world;
}

Test(itembased_asking, disagreement_by_hand)
{
    made_world world = ann();
    br_item_pair pairs[4];
    uint32_t n = 0;
    cr_assert_eq(br_pairs_disagreed(pairs, &n, 4, world.rankers, 1, 1, PLENTY), BR_OK);
    cr_assert_eq(n, 3, "bob has all items");
    //                  a     b     c
    // Chrono           1     1/2   0
    // MostPop          0     1/2   1
    // PersonTop        1/2   0     1       b twice; of the others a is the more popular one
    // SimCatMostPop    1/2   1     0
    // iALS             1     0     1/2     by factors: b, c, a
    // SimCat + iALS    1     1/2   0
    static const char *const order[] = {"c", "a", "b"};
    const double spreads[] = {sqrt(2.25 / 6.0 - 2.5 * 2.5 / 36.0), sqrt(3.5 / 6.0 - 4.0 * 4.0 / 36.0),
                              sqrt(1.75 / 6.0 - 2.5 * 2.5 / 36.0)};
    for (int i = 0; i < 3; i++) {
        cr_expect_eq(pairs[i].x, made_world_number(&world, order[i]), "place %d", i);
        cr_expect_eq(pairs[i].y, made_world_number(&world, "y"));
        cr_expect_float_eq(pairs[i].disagreement, spreads[i], 1e-12, "%s: %g", order[i], pairs[i].disagreement);
        cr_expect_eq(pairs[i].n_lists, 1);
    }
    made_world_free(&world);
}

enum { USERS = 50, ITEMS = 20, TOP = 4 };

Test(itembased_asking, the_same_as_a_plain_table)
{
    static double sums[ITEMS][ITEMS];
    static uint32_t lists[ITEMS][ITEMS];
    static br_item_pair all[ITEMS * ITEMS], few[ITEMS * ITEMS];
    made_world world = made_world_random(USERS, ITEMS, 0.15, 4);
    for (uint32_t user = 0; user < world.history->n_users; user++) {
        uint32_t recommended[TOP], n;
        br_rankers_user(world.rankers, user);
        const uint32_t *items = br_rankers_items(world.rankers, &n);
        uint32_t n_top = n < 2 ? 0 : br_rankers_recommend(world.rankers, TOP, recommended);
        for (uint32_t t = 0; t < n_top; t++) {
            double ranks[ITEMS][BR_RANKER_COUNT], scores[ITEMS];
            for (int r = 1; r < BR_RANKER_COUNT; r++) {
                uint32_t order[ITEMS];
                br_rankers_score(world.rankers, (br_ranker)r, recommended[t], scores);
                br_rankers_order(world.rankers, recommended[t], scores, order);
                for (uint32_t i = 0; i < n; i++) {
                    ranks[order[i]][r] = i / (n - 1.0);
                }
            }
            for (uint32_t i = 0; i < n; i++) {
                sums[items[i]][recommended[t]] += br_disagreement(ranks[i] + 1, BR_RANKER_COUNT - 1);
                lists[items[i]][recommended[t]]++;
            }
        }
    }
    uint32_t total = 0, n_all = 0, n_few = 0;
    for (int i = 0; i < ITEMS * ITEMS; i++) {
        total += lists[i / ITEMS][i % ITEMS] > 0;
    }
    cr_assert_eq(br_pairs_disagreed(all, &n_all, ITEMS * ITEMS, world.rankers, TOP, 1, PLENTY), BR_OK);
    cr_assert(n_all == total && total > 100, "%u of %u", n_all, total);
    for (uint32_t i = 0; i < n_all; i++) {
        uint32_t n = lists[all[i].x][all[i].y];
        cr_expect(all[i].n_lists == n && n > 0);
        cr_expect_float_eq(all[i].disagreement, sums[all[i].x][all[i].y] / n, 1e-12);
        cr_expect(i == 0 || all[i - 1].disagreement >= all[i].disagreement, "place %u", i);
        lists[all[i].x][all[i].y] = 0; // once
    }
    for (uint32_t n = 0; n <= total; n += 1 + n / 4) {
        cr_assert_eq(br_pairs_disagreed(few, &n_few, n, world.rankers, TOP, 1, PLENTY), BR_OK);
        cr_expect_eq(n_few, n);
        cr_expect_eq(memcmp(few, all, n * sizeof *few), 0, "the first %u of all", n);
    }
    made_world_free(&world);
}

Test(itembased_asking, ties_are_drawn_by_the_seed)
{
    made_world world = made_world_new();
    static const float factors[] = {1.0f, 1.0f, 1.0f, 1.0f, 1.0f, 1.0f, 9.0f, 8.0f};
    const char *const items[] = {"a", "b", "c", "d", "e", "f", "y", "z"};
    for (int i = 0; i < 6; i++) {
        made_world_buy(&world, "ann", items[i], 5);
    }
    made_world_buy(&world, "bob", "y", 5);
    made_world_buy(&world, "bob", "z", 5);
    made_world_rank(&world, factors, 8);
    // Ann's items are equal to each approach, and so are bob's to all but iALS: only those may disagree, so bob's are the first.
    int first[8][8] = {{0}};
    for (uint64_t seed = 0; seed < 1200; seed++) {
        br_item_pair pairs[24];
        uint32_t n;
        cr_assert_eq(br_pairs_disagreed(pairs, &n, 24, world.rankers, 2, seed, PLENTY), BR_OK);
        cr_assert_eq(n, 2 * 6 + 2 * 2);
        int i = 0;
        while (pairs[i].disagreement > 0.0) {
            i++;
        }
        cr_assert_leq(i, 4);
        first[pairs[i].x][pairs[i].y]++;
    }
    int most = 0, n_first = 0;
    for (int i = 0; i < 64; i++) {
        most = first[i / 8][i % 8] > most ? first[i / 8][i % 8] : most;
        n_first += first[i / 8][i % 8] > 0;
    }
    // 12 to 16 pairs are equal: each is the first of them about 75 to 100 times.
    cr_expect(n_first >= 12 && n_first <= 16 && most < 150, "%d pairs, one %d times", n_first, most);
    made_world_free(&world);
}

// --- bounds ---

Test(itembased_asking, the_bound_is_kept_and_named)
{
    static br_item_pair pairs[1000];
    made_world world = made_world_random(USERS, ITEMS, 0.15, 4);
    uint32_t n;
    br_status status = br_pairs_random(pairs, &n, 10, world.rankers, BR_POOL_LISTED, TOP, 1, 5000);
    cr_expect_eq(status, BR_ERR_LIMIT);
    cr_expect(strstr(br_why(status), "5000 bytes") != NULL, "%s", br_why(status));
    cr_expect_eq(br_pairs_disagreed(pairs, &n, 10, world.rankers, TOP, 1, 5000), BR_ERR_LIMIT);
    size_t before = br_alloc_live();
    size_t failed = 0;
    for (status = BR_ERR_NO_MEMORY; status != BR_OK && failed < 40; failed++) {
        br_alloc_fail_after(failed);
        status = br_pairs_disagreed(pairs, &n, 10, world.rankers, TOP, 1, PLENTY);
        br_alloc_fail_after(SIZE_MAX);
        cr_expect(status == BR_OK || status == BR_ERR_NO_MEMORY);
        cr_expect_eq(br_alloc_live(), before);
    }
    cr_expect(status == BR_OK && failed > 6);
    failed = 0;
    for (status = BR_ERR_NO_MEMORY; status != BR_OK && failed < 40; failed++) {
        br_alloc_fail_after(failed);
        status = br_pairs_random(pairs, &n, 10, world.rankers, BR_POOL_LISTED, TOP, 1, PLENTY);
        br_alloc_fail_after(SIZE_MAX);
        cr_expect(status == BR_OK || status == BR_ERR_NO_MEMORY);
        cr_expect_eq(br_alloc_live(), before);
    }
    cr_expect(status == BR_OK && failed > 6);
    made_world_free(&world);
}
