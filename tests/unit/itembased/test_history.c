// Goal: a history is the last transaction of every (user, item) of the range in order of time, with what was before it counted. Method: a table by
// hand, random tables against a twin that compares everything with everything, a table too large for anything quadratic.

#include "itembased/transactions.h"

#include "base/alloc.h"
#include "base/rng.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static br_transactions *table_new(void)
{
    br_transactions *table = NULL;
    br_status status = br_transactions_new(&table);
    cr_assert_eq(status, BR_OK, "%s", br_why(status));
    return table;
}

static void add(br_transactions *table, const char *user, const char *item, int64_t time, float weight)
{
    br_transaction_text text = {.user = user, .item = item, .time = time, .weight = weight};
    br_status status = br_transactions_add(table, &text);
    cr_assert_eq(status, BR_OK, "%s", br_why(status));
}

static br_history *history_of(const br_transactions *table, int64_t from, int64_t until)
{
    br_history *history = NULL;
    br_status status = br_history_new(&history, table, from, until);
    cr_assert_eq(status, BR_OK, "%s", br_why(status));
    return history;
}

typedef struct line {
    uint32_t item;
    int64_t time;
    float weight;
    uint32_t count;
} line;

static void expect_lines(const br_history *history, uint32_t user, const line *lines, size_t n)
{
    size_t begin = history->begin[user];
    cr_assert_eq(history->begin[user + 1] - begin, n, "user %u", user);
    for (size_t i = 0; i < n; i++) {
        cr_expect_eq(history->items[begin + i], lines[i].item, "user %u, place %zu", user, i);
        cr_expect_eq(history->times[begin + i], lines[i].time, "user %u, place %zu", user, i);
        cr_expect_eq(history->weights[begin + i], lines[i].weight, "user %u, place %zu", user, i);
        cr_expect_eq(history->counts[begin + i], lines[i].count, "user %u, place %zu", user, i);
    }
}

Test(history, keeps_the_last_transaction_and_counts_all)
{
    BR_AUTO(br_transactions) *table = table_new();
    add(table, "u", "a", 50, 1.0f);
    add(table, "u", "b", 20, 2.0f);
    add(table, "v", "b", -5, 3.0f);
    add(table, "u", "a", 10, 4.0f); // before the first that arrived
    add(table, "u", "c", 20, 5.0f); // the same time as b
    add(table, "u", "a", 50, 6.0f); // the same time: the one that arrived last
    add(table, "w", "d", 100, 7.0f);
    cr_assert_eq(br_transactions_category(table, "c", "food"), BR_OK);
    BR_AUTO(br_history) *all = history_of(table, INT64_MIN, INT64_MAX);
    cr_assert_eq(all->n_users, 3);
    cr_assert_eq(all->n_items, 4);
    expect_lines(all, 0, (line[]){{1, 20, 2.0f, 1}, {2, 20, 5.0f, 1}, {0, 50, 6.0f, 3}}, 3);
    expect_lines(all, 1, (line[]){{1, -5, 3.0f, 1}}, 1);
    expect_lines(all, 2, (line[]){{3, 100, 7.0f, 1}}, 1);
    static const uint64_t popularity[] = {3, 2, 1, 1};
    cr_expect_arr_eq(all->popularity, popularity, sizeof popularity);
    cr_expect_eq(all->category[0], BR_INDEX_NONE);
    cr_expect_eq(all->category[2], br_transactions_category_of(table, 2));

    BR_AUTO(br_history) *part = history_of(table, -5, 50); // from is in, until is not
    expect_lines(part, 0, (line[]){{0, 10, 4.0f, 1}, {1, 20, 2.0f, 1}, {2, 20, 5.0f, 1}}, 3);
    expect_lines(part, 1, (line[]){{1, -5, 3.0f, 1}}, 1);
    expect_lines(part, 2, NULL, 0);
    static const uint64_t popularity_of_part[] = {1, 2, 1, 0};
    cr_expect_arr_eq(part->popularity, popularity_of_part, sizeof popularity_of_part);
}

Test(history, of_nothing_is_empty)
{
    BR_AUTO(br_transactions) *table = table_new();
    BR_AUTO(br_history) *none = history_of(table, INT64_MIN, INT64_MAX);
    cr_expect(none->n_users == 0 && none->n_items == 0 && none->begin[0] == 0);
    add(table, "u", "a", 7, 1.0f);
    BR_AUTO(br_history) *before = history_of(table, INT64_MIN, 7);
    cr_expect(before->n_users == 1 && before->n_items == 1 && before->begin[1] == 0 && before->popularity[0] == 0);
    BR_AUTO(br_history) *backwards = history_of(table, 8, 7);
    cr_expect_eq(backwards->begin[1], 0);
}

// Is `a` later than `b`, which arrived at these places?
static bool later(const br_transaction *all, size_t a, size_t b)
{
    return all[a].time != all[b].time ? all[a].time > all[b].time : a > b;
}

// The twin: of every transaction, how many of the same (user, item) there are, whether one of them is later, and how many last ones of the user are before.
static void expect_twin(const br_history *history, const br_transactions *table, int64_t from, int64_t until)
{
    const br_transaction *all = br_transactions_all(table);
    size_t n = br_transactions_count(table), n_last = 0;
    bool *in = calloc(n, sizeof *in), *last = calloc(n, sizeof *last);
    uint32_t *count = calloc(n, sizeof *count);
    cr_assert(in != NULL && last != NULL && count != NULL);
    for (size_t i = 0; i < n; i++) {
        in[i] = last[i] = all[i].time >= from && all[i].time < until;
        for (size_t j = 0; j < n && in[i]; j++) {
            bool same =
                all[j].user == all[i].user && all[j].item == all[i].item && all[j].time >= from && all[j].time < until;
            count[i] += same;
            last[i] = last[i] && !(same && later(all, j, i));
        }
        n_last += last[i];
    }
    cr_assert_eq(history->begin[history->n_users], n_last);
    uint64_t total = 0;
    for (uint32_t i = 0; i < history->n_items; i++) {
        total += history->popularity[i];
    }
    for (size_t i = 0; i < n; i++) {
        total -= in[i];
        if (!last[i]) {
            continue;
        }
        size_t at = history->begin[all[i].user];
        uint64_t popularity = 0;
        for (size_t j = 0; j < n; j++) {
            at += last[j] && all[j].user == all[i].user && later(all, i, j);
            popularity += in[j] && all[j].item == all[i].item;
        }
        cr_assert(at < history->begin[all[i].user + 1]);
        cr_expect(history->items[at] == all[i].item && history->times[at] == all[i].time);
        cr_expect(history->weights[at] == all[i].weight && history->counts[at] == count[i]);
        cr_expect_eq(history->popularity[all[i].item], popularity);
    }
    cr_expect_eq(total, 0);
    free(in);
    free(last);
    free(count);
}

Test(history, equals_a_twin_on_random_tables)
{
    for (uint32_t round = 0; round < 60; round++) {
        br_rng rng = br_rng_at(6, BR_STREAM_TEST, 2, round);
        BR_AUTO(br_transactions) *table = table_new();
        uint32_t n = br_rng_below(&rng, 400), n_users = 1 + br_rng_below(&rng, 12),
                 n_items = 1 + br_rng_below(&rng, 12);
        // Times that share low digits, high ones, or none, of either sign.
        int64_t unit = (int64_t)1 << br_rng_below(&rng, 33);
        for (uint32_t i = 0; i < n; i++) {
            char user[16], item[16];
            snprintf(user, sizeof user, "u%u", br_rng_below(&rng, n_users));
            snprintf(item, sizeof item, "i%u", br_rng_below(&rng, n_items));
            add(table, user, item, ((int64_t)br_rng_below(&rng, 41) - 20) * unit, 1.0f + (float)i);
        }
        int64_t from = round % 2 == 0 ? INT64_MIN : -10 * unit, until = round % 3 == 0 ? INT64_MAX : 15 * unit;
        BR_AUTO(br_history) *history = history_of(table, from, until);
        expect_twin(history, table, from, until);
    }
}

Test(history, the_first_and_the_last_second_there_are)
{
    BR_AUTO(br_transactions) *table = table_new();
    add(table, "u", "late", BR_MAX_TRANSACTION_TIME, 1.0f);
    add(table, "u", "now", 0, 1.0f);
    add(table, "u", "early", BR_MIN_TRANSACTION_TIME, 1.0f);
    BR_AUTO(br_history) *history = history_of(table, INT64_MIN, INT64_MAX);
    expect_lines(
        history, 0,
        (line[]){{2, BR_MIN_TRANSACTION_TIME, 1.0f, 1}, {1, 0, 1.0f, 1}, {0, BR_MAX_TRANSACTION_TIME, 1.0f, 1}}, 3);
}

// Anything quadratic in the transactions of one user would not end here: 300,000 of one, falling in time, over 1,000 items.
Test(history, one_user_may_have_all)
{
    enum { N = 300000, N_ITEMS = 1000 };
    BR_AUTO(br_transactions) *table = table_new();
    for (int i = 0; i < N; i++) {
        char item[16];
        snprintf(item, sizeof item, "i%d", i % N_ITEMS);
        add(table, "u", item, N - i, 1.0f);
    }
    BR_AUTO(br_history) *history = history_of(table, INT64_MIN, INT64_MAX);
    cr_assert_eq(history->begin[1], N_ITEMS);
    for (uint32_t i = 0; i < N_ITEMS; i++) {
        cr_expect_eq(history->items[i], N_ITEMS - 1 - i);
        cr_expect_eq(history->times[i], N - (N_ITEMS - 1 - (int64_t)i));
        cr_expect_eq(history->counts[i], N / N_ITEMS);
    }
}

Test(history, every_allocation_may_fail)
{
    BR_AUTO(br_transactions) *table = table_new();
    add(table, "u", "a", 1, 1.0f);
    add(table, "v", "a", 2, 1.0f);
    size_t live = br_alloc_live();
    for (size_t n = 0;; n++) {
        br_history *history = NULL;
        br_alloc_fail_after(n);
        br_status status = br_history_new(&history, table, INT64_MIN, INT64_MAX);
        br_alloc_fail_after(SIZE_MAX);
        br_history_free(&history);
        cr_assert_eq(br_alloc_live(), live, "allocation %zu leaks", n);
        if (status == BR_OK) {
            cr_expect_eq(n, 12);
            break;
        }
        cr_assert_eq(status, BR_ERR_NO_MEMORY, "allocation %zu: %s", n, br_why(status));
    }
}
