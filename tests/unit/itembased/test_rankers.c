// Goal: each of the eleven approaches scores and orders as the paper says. Method: six users and six items whose every score is worked out by hand;
// iALS and EASE also against Gaussian elimination for every user and item; properties of the order of equal scores.
//
//          bread   milk   shoes     socks     book      game         transactions; categories food, food, clothes, clothes, leisure, leisure
//     ann    2       1      2         -         1         -
//     bob    1       1      -         2         -         1
//     cat    -       1      -         2         -         -
//     dan    1       1      -         2         -         1
//     eve    -       2      -         -         3         -
//     fay    -       -      -         2         3         -
//            4       6      2         8         7         2          popularity
//            3       5      1         4         3         2          users
//
// Ann's last transactions: bread on day 3, shoes on day 4, book on day 5, milk on day 6, which is the order of her items below. Why Y = socks?

#include "itembased/rankers.h"

#include "base/alloc.h"
#include "base/rng.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DAY = 86400, N_USERS = 6, N_ITEMS = 6, ANN = 0, BOB = 1, BREAD = 0, MILK, SHOES, SOCKS, BOOK, GAME, SEED = 1 };

static const char *const users[N_USERS] = {"ann", "bob", "cat", "dan", "eve", "fay"};
static const char *const items[N_ITEMS] = {"bread", "milk", "shoes", "socks", "book", "game"};
static const char *const categories[N_ITEMS] = {"food", "food", "clothes", "clothes", "leisure", "leisure"};

typedef struct purchase {
    int user, item, day;
    float weight;
} purchase;

static const purchase purchases[] = {
    {0, BREAD, 1, 5.0f}, {0, SHOES, 2, 1.0f}, {0, BREAD, 3, 1.0f}, {0, SHOES, 4, 1.0f}, {0, BOOK, 5, 3.0f},
    {0, MILK, 6, 2.0f},  {1, SOCKS, 1, 1.0f}, {1, MILK, 2, 1.0f},  {1, SOCKS, 3, 2.0f}, {1, GAME, 7, 1.0f},
    {1, BREAD, 9, 1.0f}, {2, SOCKS, 2, 1.0f}, {2, SOCKS, 3, 1.0f}, {2, MILK, 8, 1.0f},  {3, GAME, 1, 4.0f},
    {3, BREAD, 2, 1.0f}, {3, MILK, 3, 1.0f},  {3, SOCKS, 4, 1.0f}, {3, SOCKS, 5, 1.0f}, {4, BOOK, 1, 1.0f},
    {4, BOOK, 2, 1.0f},  {4, MILK, 3, 1.0f},  {4, MILK, 4, 1.0f},  {4, BOOK, 5, 1.0f},  {5, BOOK, 1, 1.0f},
    {5, BOOK, 2, 1.0f},  {5, SOCKS, 3, 1.0f}, {5, SOCKS, 4, 1.0f}, {5, BOOK, 5, 2.0f},
};

// Two factors for each item; iALS is asked for what follows from them.
static const float factors[N_ITEMS * 2] = {-1, 0, 0, 1, 0, -1, -1, 1, 1, 0, 1, -1};

typedef struct shop {
    br_transactions *table;
    br_history *history;
    br_ials *ials;
    br_cooccurrence *counts;
    br_ease *ease;
    br_rankers *rankers;
} shop;

static void good(br_status status)
{
    cr_assert_eq(status, BR_OK, "%s", br_why(status));
}

static br_ranker_models models_of(const shop *s, uint64_t seed)
{
    return (br_ranker_models){
        .history = s->history, .ials = s->ials, .ease = s->ease, .counts = s->counts, .seed = seed};
}

static shop shop_new(void)
{
    shop s = {0};
    good(br_transactions_new(&s.table));
    for (int i = 0; i < N_ITEMS; i++) {
        good(br_transactions_category(s.table, items[i], categories[i]));
    }
    for (size_t i = 0; i < sizeof purchases / sizeof *purchases; i++) {
        const purchase *p = &purchases[i];
        br_transaction_text text = {users[p->user], items[p->item], (int64_t)p->day * DAY, p->weight};
        good(br_transactions_add(s.table, &text));
    }
    good(br_history_new(&s.history, s.table, INT64_MIN, INT64_MAX));
    good(br_ials_of(&s.ials, factors, N_ITEMS, 2, 1.0, 1.0));
    good(br_cooccurrence_new(&s.counts, s.history));
    good(br_ease_new(&s.ease, s.counts, 1.0));
    br_ranker_models models = models_of(&s, SEED);
    good(br_rankers_new(&s.rankers, &models));
    return s;
}

static void shop_deinit(shop *s)
{
    br_rankers_free(&s->rankers);
    br_ease_free(&s->ease);
    br_cooccurrence_free(&s->counts);
    br_ials_free(&s->ials);
    br_history_free(&s->history);
    br_transactions_free(&s->table);
}

// Ann's scores of Y = socks, for bread, shoes, book, milk, and the order of these four.
static void expect_ann(br_ranker ranker, const double expected[4], const uint32_t order[4], double tolerance)
{
    BR_AUTO_DEINIT(shop) s = shop_new();
    br_rankers_user(s.rankers, ANN);
    uint32_t n;
    const uint32_t *own = br_rankers_items(s.rankers, &n);
    cr_assert_eq(n, 4);
    cr_assert_arr_eq(own, ((uint32_t[]){BREAD, SHOES, BOOK, MILK}), 4 * sizeof *own);
    double scores[4];
    uint32_t got[4];
    br_rankers_score(s.rankers, ranker, SOCKS, scores);
    br_rankers_order(s.rankers, SOCKS, scores, got);
    for (int i = 0; i < 4; i++) {
        cr_expect_float_eq(scores[i], expected[i], tolerance, "%s of %s: %.17g, not %.17g", br_ranker_title(ranker),
                           items[own[i]], scores[i], expected[i]);
        cr_expect_eq(own[got[i]], order[i], "%s: place %d is %s, not %s", br_ranker_title(ranker), i,
                     items[own[got[i]]], items[order[i]]);
    }
}

// The first number of Philox4x32-10 with the key 1 and the counter (0, the stream's number 23, x, 3 = socks), over 2^32, whoever asks.
Test(rankers, random)
{
    expect_ann(BR_RANKER_RANDOM,
               (double[]){3628600695 * 0x1p-32, 1417655721 * 0x1p-32, 2924235090 * 0x1p-32, 4194566752 * 0x1p-32},
               (uint32_t[]){MILK, BREAD, BOOK, SHOES}, 0.0);
    BR_AUTO_DEINIT(shop) s = shop_new();
    br_rankers_user(s.rankers, BOB);
    double scores[4]; // of milk, socks, game, bread
    br_rankers_score(s.rankers, BR_RANKER_RANDOM, SOCKS, scores);
    cr_expect(scores[0] == 4194566752 * 0x1p-32 && scores[3] == 3628600695 * 0x1p-32);
}

// The days 3, 4, 5 and 6.
Test(rankers, chrono)
{
    expect_ann(BR_RANKER_CHRONO, (double[]){3.0 * DAY, 4.0 * DAY, 5.0 * DAY, 6.0 * DAY},
               (uint32_t[]){MILK, BOOK, SHOES, BREAD}, 0.0);
}

// Over the highest popularity, the 8 of socks: bread 4 / 8, shoes 2 / 8, book 7 / 8, milk 6 / 8.
Test(rankers, most_pop)
{
    expect_ann(BR_RANKER_MOST_POP, (double[]){0.5, 0.25, 0.875, 0.75}, (uint32_t[]){BOOK, MILK, BREAD, SHOES}, 0.0);
}

// Popularities that differ: 2 < 4 < 6 < 7 < 8, five, so that shoes (and game) add 0 / 5, bread 1 / 5, milk 2 / 5, book 3 / 5.
// Counts: bread 2, shoes 2, book 1, milk 1.
Test(rankers, person_top)
{
    expect_ann(BR_RANKER_PERSON_TOP, (double[]){2.2, 2.0, 1.6, 1.4}, (uint32_t[]){BREAD, SHOES, BOOK, MILK}, 1e-15);
}

// Of the four, shoes alone are clothes as socks are: 2 + 2 / 8.
Test(rankers, sim_cat_most_pop)
{
    expect_ann(BR_RANKER_SIM_CAT_MOST_POP, (double[]){0.5, 2.25, 0.875, 0.75}, (uint32_t[]){SHOES, BOOK, MILK, BREAD},
               0.0);
}

// Factors: bread (-1, 0), milk (0, 1), shoes (0, -1), socks (-1, 1), book (1, 0), game (1, -1).
//   Y^T Y = [4, -2; -2, 4]; Ann's c = 1 + weight of the last transaction: bread 2, shoes 2, book 4, milk 3.
//   Y^T C Y + I = [4 + 1 (bread) + 3 (book) + 1, -2; -2, 4 + 1 (shoes) + 2 (milk) + 1] = [9, -2; -2, 8], W = [8, 2; 2, 9] / 68.
//   socks W = (-8 + 2, -2 + 9) / 68 = (-6, 7) / 68.
// Parts: bread 6 / 68 x 2, shoes -7 / 68 x 2, book -6 / 68 x 4, milk 7 / 68 x 3.
Test(rankers, ials)
{
    expect_ann(BR_RANKER_IALS, (double[]){12.0 / 68, -14.0 / 68, -24.0 / 68, 21.0 / 68},
               (uint32_t[]){MILK, BREAD, SHOES, BOOK}, 1e-15);
}

// The parts above from -24 to 21, 45 wide: bread (12 + 24) / 45 = 4 / 5, shoes 2 + (-14 + 24) / 45 = 2 + 2 / 9, book 0, milk 1.
Test(rankers, sim_cat_ials)
{
    expect_ann(BR_RANKER_SIM_CAT_IALS, (double[]){4.0 / 5, 2 + 2.0 / 9, 0.0, 1.0},
               (uint32_t[]){SHOES, MILK, BREAD, BOOK}, 1e-14);
}

// Users with socks, too: of bread bob and dan, of shoes none, of book fay, of milk bob, cat and dan.
//   confidence: bread 2 / 3, shoes 0 / 1, book 1 / 3, milk 3 / 5
Test(rankers, rule_confidence)
{
    expect_ann(BR_RANKER_RULE_CONFIDENCE, (double[]){2.0 / 3, 0.0, 1.0 / 3, 3.0 / 5},
               (uint32_t[]){BREAD, MILK, BOOK, SHOES}, 1e-15);
}

//   support: of six users bread 2, shoes 0, book 1, milk 3
Test(rankers, rule_support)
{
    expect_ann(BR_RANKER_RULE_SUPPORT, (double[]){2.0 / 6, 0.0, 1.0 / 6, 3.0 / 6},
               (uint32_t[]){MILK, BREAD, BOOK, SHOES}, 1e-15);
}

//   leverage, socks having 4 users of 6: bread 2 / 6 - 3 / 6 x 4 / 6 = 0, shoes 0 - 1 / 6 x 4 / 6 = -1 / 9,
//   book 1 / 6 - 3 / 6 x 4 / 6 = -1 / 6, milk 3 / 6 - 5 / 6 x 4 / 6 = -1 / 18
Test(rankers, rule_leverage)
{
    expect_ann(BR_RANKER_RULE_LEVERAGE, (double[]){0.0, -1.0 / 9, -1.0 / 6, -1.0 / 18},
               (uint32_t[]){BREAD, MILK, SHOES, BOOK}, 1e-15);
}

// G + I counts users who have both, and one more of each alone. Its product with the column of socks of its inverse is 0 but for socks, so also with
// v = (bread -7, milk -22, shoes 19, socks 68, book -9, game -26):
//   bread  4, 3, 1, 2, 1, 2:  -28 -  66 + 19 + 136 -  9 - 52 = 0
//   milk   3, 6, 1, 3, 2, 2:  -21 - 132 + 19 + 204 - 18 - 52 = 0
//   shoes  1, 1, 2, 0, 1, 0:   -7 -  22 + 38       -  9      = 0
//   book   1, 2, 1, 1, 4, 0:   -7 -  44 + 19 +  68 - 36      = 0
//   game   2, 2, 0, 2, 0, 3:  -14 -  44      + 136      - 78 = 0
// B is -v over 68.
Test(rankers, ease)
{
    expect_ann(BR_RANKER_EASE, (double[]){7.0 / 68, -19.0 / 68, 9.0 / 68, 22.0 / 68},
               (uint32_t[]){MILK, BOOK, BREAD, SHOES}, 1e-7);
}

// Gaussian elimination with pivoting: a x = b for n x n, in place.
static void solve(double *a, double *b, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        size_t pivot = k;
        for (size_t i = k + 1; i < n; i++) {
            pivot = fabs(a[i * n + k]) > fabs(a[pivot * n + k]) ? i : pivot;
        }
        for (size_t j = 0; j < n; j++) {
            double other = a[k * n + j];
            a[k * n + j] = a[pivot * n + j];
            a[pivot * n + j] = other;
        }
        double other = b[k];
        b[k] = b[pivot];
        b[pivot] = other;
        for (size_t i = k + 1; i < n; i++) {
            double times = a[i * n + k] / a[k * n + k];
            for (size_t j = k; j < n; j++) {
                a[i * n + j] -= times * a[k * n + j];
            }
            b[i] -= times * b[k];
        }
    }
    for (size_t k = n; k-- > 0;) {
        for (size_t j = k + 1; j < n; j++) {
            b[k] -= a[k * n + j] * b[j];
        }
        b[k] /= a[k * n + k];
    }
}

// The parts of the user's items in the score of y: (Y^T C Y + I) z = y, z . y_j c_j, with C over all items.
static void ials_twin(const br_history *history, uint32_t user, uint32_t y, double *parts)
{
    double confidence[N_ITEMS] = {1, 1, 1, 1, 1, 1};
    for (size_t i = history->begin[user]; i < history->begin[user + 1]; i++) {
        confidence[history->items[i]] = 1.0 + (double)history->weights[i];
    }
    double a[4] = {1, 0, 0, 1}, z[2] = {(double)factors[2 * y], (double)factors[2 * y + 1]};
    for (int i = 0; i < N_ITEMS; i++) {
        for (int j = 0; j < 4; j++) {
            a[j] += confidence[i] * (double)factors[2 * i + j / 2] * (double)factors[2 * i + j % 2];
        }
    }
    solve(a, z, 2);
    for (size_t i = history->begin[user]; i < history->begin[user + 1]; i++) {
        uint32_t x = history->items[i];
        parts[i - history->begin[user]] =
            (z[0] * (double)factors[2 * x] + z[1] * (double)factors[2 * x + 1]) * confidence[x];
    }
}

Test(rankers, ials_of_every_user_and_item_equals_gaussian_elimination)
{
    BR_AUTO_DEINIT(shop) s = shop_new();
    for (uint32_t user = 0; user < N_USERS; user++) {
        br_rankers_user(s.rankers, user);
        uint32_t n;
        br_rankers_items(s.rankers, &n);
        for (uint32_t y = 0; y < N_ITEMS; y++) {
            double scores[N_ITEMS], parts[N_ITEMS];
            br_rankers_score(s.rankers, BR_RANKER_IALS, y, scores);
            ials_twin(s.history, user, y, parts);
            for (uint32_t i = 0; i < n; i++) {
                cr_expect_float_eq(scores[i], parts[i], 1e-14, "user %u, item %u of %u", user, i, y);
            }
        }
    }
}

// Column y of the inverse of G + I, over its own diagonal, negative: B_xy.
static void ease_twin(const br_history *history, uint32_t y, double *column)
{
    double a[N_ITEMS * N_ITEMS] = {0};
    for (uint32_t i = 0; i < N_ITEMS; i++) {
        a[i * N_ITEMS + i] = 1.0;
        column[i] = i == y ? 1.0 : 0.0;
    }
    for (uint32_t user = 0; user < N_USERS; user++) {
        for (size_t i = history->begin[user]; i < history->begin[user + 1]; i++) {
            for (size_t j = history->begin[user]; j < history->begin[user + 1]; j++) {
                a[history->items[i] * N_ITEMS + history->items[j]] += 1.0;
            }
        }
    }
    solve(a, column, N_ITEMS);
    double diagonal = column[y];
    for (uint32_t i = 0; i < N_ITEMS; i++) {
        column[i] = i == y ? 0.0 : -column[i] / diagonal;
    }
}

Test(rankers, ease_of_every_user_and_item_equals_gaussian_elimination)
{
    BR_AUTO_DEINIT(shop) s = shop_new();
    for (uint32_t y = 0; y < N_ITEMS; y++) {
        double column[N_ITEMS];
        ease_twin(s.history, y, column);
        for (uint32_t user = 0; user < N_USERS; user++) {
            br_rankers_user(s.rankers, user);
            uint32_t n;
            const uint32_t *own = br_rankers_items(s.rankers, &n);
            double scores[N_ITEMS];
            br_rankers_score(s.rankers, BR_RANKER_EASE, y, scores);
            for (uint32_t i = 0; i < n; i++) {
                cr_expect_float_eq(scores[i], column[own[i]], 1e-7, "user %u, item %u of %u", user, i, y);
            }
        }
    }
}

static uint32_t tie_draw(uint64_t seed, uint32_t x, uint32_t y)
{
    br_rng rng = br_rng_at(seed, BR_STREAM_PAIRS, x, y);
    br_rng_u32(&rng); // Random's
    return br_rng_u32(&rng);
}

// Every ranker, user and item: all positions once, by falling score, equal scores by their draw.
Test(rankers, orders_are_by_score_and_then_by_draw)
{
    BR_AUTO_DEINIT(shop) s = shop_new();
    size_t n_equal = 0;
    for (int ranker = 0; ranker < BR_RANKER_COUNT; ranker++) {
        for (uint32_t pair = 0; pair < N_USERS * N_ITEMS; pair++) {
            uint32_t user = pair / N_ITEMS, y = pair % N_ITEMS, n;
            br_rankers_user(s.rankers, user);
            const uint32_t *own = br_rankers_items(s.rankers, &n);
            double scores[N_ITEMS];
            uint32_t order[N_ITEMS];
            bool seen[N_ITEMS] = {false};
            br_rankers_score(s.rankers, (br_ranker)ranker, y, scores);
            br_rankers_order(s.rankers, y, scores, order);
            for (uint32_t i = 0; i < n; i++) {
                cr_assert(order[i] < n && !seen[order[i]] && isfinite(scores[i]));
                seen[order[i]] = true;
                if (i > 0 && scores[order[i]] == scores[order[i - 1]]) {
                    n_equal++;
                    cr_expect_lt(tie_draw(SEED, own[order[i - 1]], y), tie_draw(SEED, own[order[i]], y));
                } else if (i > 0) {
                    cr_expect_gt(scores[order[i - 1]], scores[order[i]]);
                }
            }
        }
    }
    cr_expect_gt(n_equal, 20, "%zu", n_equal);
}

// Bob's bread and milk have the same support with shoes (ann alone has them): over many seeds each is first half of the time.
Test(rankers, no_item_gains_by_the_order_of_the_input)
{
    BR_AUTO_DEINIT(shop) s = shop_new();
    enum { N_SEEDS = 1000 };
    int bread_first = 0, random_agrees = 0;
    for (uint64_t seed = 0; seed < N_SEEDS; seed++) {
        BR_AUTO(br_rankers) *rankers = NULL;
        br_ranker_models models = models_of(&s, seed);
        good(br_rankers_new(&rankers, &models));
        br_rankers_user(rankers, BOB);
        uint32_t n, order[N_ITEMS], random_order[N_ITEMS];
        const uint32_t *own = br_rankers_items(rankers, &n);
        cr_assert(n == 4 && own[0] == MILK && own[1] == SOCKS && own[2] == GAME && own[3] == BREAD);
        double scores[N_ITEMS], random_scores[N_ITEMS];
        br_rankers_score(rankers, BR_RANKER_RULE_SUPPORT, SHOES, scores);
        cr_assert(scores[0] == scores[3] && scores[0] > 0.0 && scores[1] == 0.0 && scores[2] == 0.0);
        br_rankers_order(rankers, SHOES, scores, order);
        br_rankers_score(rankers, BR_RANKER_RANDOM, SHOES, random_scores);
        br_rankers_order(rankers, SHOES, random_scores, random_order);
        bread_first += order[0] == 3;
        random_agrees += (order[0] == 3) == (random_scores[3] > random_scores[0]);
    }
    cr_expect(bread_first > 440 && bread_first < 560, "%d", bread_first); // 500 +- 16
    cr_expect(random_agrees > 440 && random_agrees < 560, "%d", random_agrees);
}

Test(rankers, without_a_category_nothing_is_alike)
{
    BR_AUTO(br_transactions) *table = NULL;
    good(br_transactions_new(&table));
    good(br_transactions_add(table, &(br_transaction_text){"u", "a", 1, 1.0f}));
    good(br_transactions_add(table, &(br_transaction_text){"u", "b", 2, 1.0f}));
    good(br_transactions_add(table, &(br_transaction_text){"v", "c", 2, 1.0f}));
    good(br_transactions_category(table, "b", "food"));
    BR_AUTO(br_history) *history = NULL;
    good(br_history_new(&history, table, INT64_MIN, INT64_MAX));
    BR_AUTO(br_rankers) *rankers = NULL;
    good(br_rankers_new(&rankers, &(br_ranker_models){.history = history}));
    br_rankers_user(rankers, 0);
    double scores[2];
    br_rankers_score(rankers, BR_RANKER_SIM_CAT_MOST_POP, 2, scores);
    cr_expect(scores[0] == 1.0 && scores[1] == 1.0, "c has none, as a");
    br_rankers_score(rankers, BR_RANKER_SIM_CAT_MOST_POP, 1, scores);
    cr_expect(scores[0] == 1.0 && scores[1] == 3.0, "b is food, as itself");
}

Test(rankers, are_there_with_their_models)
{
    BR_AUTO_DEINIT(shop) s = shop_new();
    struct {
        br_ranker_models models;
        const char *have; // of every ranker
    } cases[] = {
        {{.history = s.history}, "11111000000"},
        {{.history = s.history, .ials = s.ials}, "11111110000"},
        {{.history = s.history, .counts = s.counts}, "11111001110"},
        {{.history = s.history, .ease = s.ease}, "11111000001"},
        {models_of(&s, 3), "11111111111"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        BR_AUTO(br_rankers) *rankers = NULL;
        good(br_rankers_new(&rankers, &cases[i].models));
        for (int ranker = 0; ranker < BR_RANKER_COUNT; ranker++) {
            cr_expect_eq(br_rankers_have(rankers, (br_ranker)ranker), cases[i].have[ranker] == '1', "%zu: %s", i,
                         br_ranker_name((br_ranker)ranker));
        }
        uint32_t n;
        br_rankers_items(rankers, &n);
        cr_expect_eq(n, 0, "no user yet");
    }
    cr_expect(!br_rankers_have(s.rankers, BR_RANKER_COUNT));
}

// game W = ((8, 2) - (2, 9)) / 68 = (6, -7) / 68: the opposite of socks, so that the scores are 5 / 68 and -5 / 68.
Test(rankers, recommends_what_the_user_does_not_have)
{
    BR_AUTO_DEINIT(shop) s = shop_new();
    br_rankers_user(s.rankers, ANN);
    uint32_t top[N_ITEMS];
    cr_assert_eq(br_rankers_recommend(s.rankers, N_ITEMS, top), 2);
    cr_expect(top[0] == GAME && top[1] == SOCKS);
    cr_expect_eq(br_rankers_recommend(s.rankers, 1, top), 1);
}

// Two items whose 2^31 - 1 and 2^31 transactions are all but one of one user: popularity over the highest one would be lost behind the count.
Test(rankers, person_top_tells_high_popularities_apart)
{
    enum { N = 2 };
    br_history history = {
        .n_users = 1,
        .n_items = N,
        .begin = (size_t[]){0, N},
        .items = (uint32_t[]){0, 1},
        .times = (int64_t[]){1, 2},
        .counts = (uint32_t[]){INT32_MAX, INT32_MAX},
        .popularity = (uint64_t[]){INT32_MAX, (uint64_t)INT32_MAX + 1},
        .category = (uint32_t[]){BR_INDEX_NONE, BR_INDEX_NONE},
    };
    BR_AUTO(br_rankers) *rankers = NULL;
    good(br_rankers_new(&rankers, &(br_ranker_models){.history = &history}));
    br_rankers_user(rankers, 0);
    double scores[N];
    br_rankers_score(rankers, BR_RANKER_PERSON_TOP, 0, scores);
    cr_expect(scores[0] == INT32_MAX && scores[1] == INT32_MAX + 0.5);
}

// As many popularities that differ as 2^32 - 1 transactions allow, and the highest counts: still one number in the right order.
Test(rankers, person_top_is_exact_to_the_last_transaction)
{
    enum { N = 92682 };
    size_t begin[] = {0, N};
    uint32_t *own = calloc(N, sizeof *own), *counts = calloc(N, sizeof *counts),
             *category = calloc(N, sizeof *category);
    int64_t *times = calloc(N, sizeof *times);
    uint64_t *popularity = calloc(N, sizeof *popularity), sum = 0;
    double *scores = calloc(N, sizeof *scores);
    cr_assert(own && counts && category && times && popularity && scores);
    for (uint32_t i = 0; i < N; i++) {
        own[i] = N - 1 - i;
        popularity[i] = i;
        sum += i;
        counts[i] = UINT32_MAX;
    }
    cr_assert(sum <= BR_MAX_TRANSACTIONS && sum + N > BR_MAX_TRANSACTIONS);
    counts[0] = UINT32_MAX - 1; // of the most popular one
    br_history history = {.n_users = 1,
                          .n_items = N,
                          .begin = begin,
                          .items = own,
                          .times = times,
                          .counts = counts,
                          .popularity = popularity,
                          .category = category};
    BR_AUTO(br_rankers) *rankers = NULL;
    good(br_rankers_new(&rankers, &(br_ranker_models){.history = &history}));
    br_rankers_user(rankers, 0);
    br_rankers_score(rankers, BR_RANKER_PERSON_TOP, 0, scores);
    for (uint32_t i = 2; i < N; i++) {
        cr_assert_lt(scores[i], scores[i - 1], "item %u", own[i]);
    }
    cr_expect_lt(scores[0], scores[N - 1]);
    free(own);
    free(counts);
    free(category);
    free(times);
    free(popularity);
    free(scores);
}

Test(rankers, every_allocation_may_fail)
{
    BR_AUTO_DEINIT(shop) s = shop_new();
    br_ranker_models models = models_of(&s, SEED);
    size_t live = br_alloc_live();
    for (size_t n = 0;; n++) {
        br_rankers *rankers = NULL;
        br_alloc_fail_after(n);
        br_status status = br_rankers_new(&rankers, &models);
        br_alloc_fail_after(SIZE_MAX);
        br_rankers_free(&rankers);
        cr_assert_eq(br_alloc_live(), live, "allocation %zu leaks", n);
        if (status == BR_OK) {
            cr_expect_geq(n, 6);
            break;
        }
        cr_assert_eq(status, BR_ERR_NO_MEMORY, "allocation %zu: %s", n, br_why(status));
    }
}
