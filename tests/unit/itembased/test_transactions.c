// Goal: a table is what was put into it, bad rows are refused with the field and the reason, and the months are those of the calendar.
// Method: small tables, random times against the calendar's own rules, every allocation failing once.

#include "itembased/transactions.h"

#include "base/alloc.h"
#include "base/day.h"
#include "base/rng.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SECONDS_PER_DAY = 86400 };

static br_transactions *table_new(void)
{
    br_transactions *table = NULL;
    br_status status = br_transactions_new(&table);
    cr_assert_eq(status, BR_OK, "%s", br_why(status));
    return table;
}

static br_status try_add(br_transactions *table, const char *user, const char *item, int64_t time)
{
    return br_transactions_add(table, &(br_transaction_text){.user = user, .item = item, .time = time, .weight = 1.0f});
}

static void add(br_transactions *table, const char *user, const char *item, int64_t time)
{
    br_status status = try_add(table, user, item, time);
    cr_assert_eq(status, BR_OK, "%s", br_why(status));
}

static void refused(br_status status, br_status expected, const char *reason)
{
    cr_expect_eq(status, expected, "%s", br_why(status));
    cr_expect(strstr(br_why(status), reason) != NULL, "\"%s\" does not say \"%s\"", br_why(status), reason);
}

Test(transactions, keeps_what_is_added_in_order_of_arrival)
{
    BR_AUTO(br_transactions) *table = table_new();
    cr_expect_eq(br_transactions_count(table), 0);
    add(table, "u2", "b", 30);
    add(table, "u1", "a", -10);
    br_status status =
        br_transactions_add(table, &(br_transaction_text){.user = "u2", .item = "a", .time = 20, .weight = 2.5f});
    cr_assert_eq(status, BR_OK);
    cr_expect_eq(br_transactions_count(table), 3);
    cr_expect_eq(br_transactions_n_users(table), 2);
    cr_expect_eq(br_transactions_n_items(table), 2);
    cr_expect_str_eq(br_transactions_user(table, 0), "u2");
    cr_expect_str_eq(br_transactions_item(table, 1), "a");
    cr_expect_eq(br_transactions_find_user(table, "u1"), 1);
    cr_expect_eq(br_transactions_find_item(table, "b"), 0);
    cr_expect_eq(br_transactions_find_user(table, "a"), BR_INDEX_NONE);
    cr_expect_eq(br_transactions_find_item(table, "u1"), BR_INDEX_NONE);
    const br_transaction *all = br_transactions_all(table);
    cr_expect(all[0].user == 0 && all[0].item == 0 && all[0].time == 30 && all[0].weight == 1.0f);
    cr_expect(all[1].user == 1 && all[1].item == 1 && all[1].time == -10 && all[1].weight == 1.0f);
    cr_expect(all[2].user == 0 && all[2].item == 1 && all[2].time == 20 && all[2].weight == 2.5f);
}

Test(transactions, bad_rows_are_refused_and_change_nothing)
{
    BR_AUTO(br_transactions) *table = table_new();
    char name[BR_MAX_ITEM_NAME_BYTES + 2];
    memset(name, 'n', sizeof name);
    name[BR_MAX_ITEM_NAME_BYTES + 1] = '\0';
    refused(try_add(table, "", "a", 0), BR_ERR_INVALID, "the user is empty");
    refused(try_add(table, "u", "", 0), BR_ERR_INVALID, "the item is empty");
    refused(try_add(table, name, "a", 0), BR_ERR_INVALID, "the user \"nnn");
    refused(try_add(table, "u", name, 0), BR_ERR_INVALID, "the item \"nnn");
    const int64_t times[] = {INT64_MIN, BR_MIN_TRANSACTION_TIME - 1, BR_MAX_TRANSACTION_TIME + 1, INT64_MAX};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        refused(try_add(table, "u", "a", times[i]), BR_ERR_INVALID, "the time ");
    }
    const float weights[] = {0.0f, -1.0f, NAN, INFINITY, -INFINITY, nextafterf(BR_MAX_TRANSACTION_WEIGHT, INFINITY)};
    for (size_t i = 0; i < sizeof weights / sizeof *weights; i++) {
        br_transaction_text text = {.user = "u", .item = "a", .time = 0, .weight = weights[i]};
        refused(br_transactions_add(table, &text), BR_ERR_INVALID, "the weight ");
    }
    cr_expect_eq(br_transactions_count(table), 0);
    cr_expect_eq(br_transactions_n_users(table), 0);
    cr_expect_eq(br_transactions_n_items(table), 0);
    name[BR_MAX_ITEM_NAME_BYTES] = '\0';
    add(table, name, name, BR_MIN_TRANSACTION_TIME);
    add(table, name, name, BR_MAX_TRANSACTION_TIME);
    cr_expect_eq(br_transactions_count(table), 2);
}

Test(transactions, an_item_has_one_category)
{
    BR_AUTO(br_transactions) *table = table_new();
    add(table, "u", "a", 0);
    cr_expect_eq(br_transactions_category_of(table, 0), BR_INDEX_NONE);
    cr_assert_eq(br_transactions_category(table, "b", "food"), BR_OK);
    cr_assert_eq(br_transactions_category(table, "a", ""), BR_OK);
    cr_expect_eq(br_transactions_category_of(table, 0), BR_INDEX_NONE);
    cr_assert_eq(br_transactions_category(table, "a", "food"), BR_OK);
    cr_assert_eq(br_transactions_category(table, "a", "food"), BR_OK);
    cr_assert_eq(br_transactions_category(table, "a", ""), BR_OK);
    cr_expect_eq(br_transactions_n_items(table), 2, "an item without a transaction is kept");
    cr_expect_eq(br_transactions_category_of(table, 0), br_transactions_category_of(table, 1));
    cr_expect_str_eq(br_transactions_category_name(table, br_transactions_category_of(table, 0)), "food");
    refused(br_transactions_category(table, "a", "shoes"), BR_ERR_EXISTS, "has the category \"food\" already");
    refused(br_transactions_category(table, "", "shoes"), BR_ERR_INVALID, "the item is empty");
    char name[BR_MAX_ITEM_NAME_BYTES + 2];
    memset(name, 'n', sizeof name);
    name[BR_MAX_ITEM_NAME_BYTES + 1] = '\0';
    refused(br_transactions_category(table, "a", name), BR_ERR_INVALID, "the category \"nnn");
    cr_expect_str_eq(br_transactions_category_name(table, br_transactions_category_of(table, 0)), "food");
}

// a is bought twice, b once, c three times, d twice, e never.
static void add_five_items(br_transactions *table)
{
    add(table, "u1", "a", 1);
    add(table, "u2", "b", 2);
    add(table, "u3", "c", 3);
    add(table, "u1", "c", 4);
    add(table, "u4", "d", 5);
    add(table, "u3", "c", 6);
    add(table, "u1", "a", 7);
    add(table, "u4", "d", 8);
    cr_assert_eq(br_transactions_category(table, "e", "none wants it"), BR_OK);
    cr_assert_eq(br_transactions_category(table, "d", "food"), BR_OK);
}

Test(transactions, keep_top_numbers_items_by_transactions_and_drops_users_without)
{
    BR_AUTO(br_transactions) *table = table_new();
    add_five_items(table);
    cr_assert_eq(br_transactions_keep_top(table, 3), BR_OK);
    cr_assert_eq(br_transactions_n_items(table), 3);
    cr_expect_str_eq(br_transactions_item(table, 0), "c");
    cr_expect_str_eq(br_transactions_item(table, 1), "a", "as many as d, and first");
    cr_expect_str_eq(br_transactions_item(table, 2), "d");
    cr_expect_eq(br_transactions_find_item(table, "b"), BR_INDEX_NONE);
    cr_assert_eq(br_transactions_n_users(table), 3, "u2 bought b alone");
    cr_expect_str_eq(br_transactions_user(table, 0), "u1");
    cr_expect_str_eq(br_transactions_user(table, 1), "u3");
    cr_expect_str_eq(br_transactions_user(table, 2), "u4");
    cr_expect_eq(br_transactions_category_of(table, 0), BR_INDEX_NONE);
    cr_expect_str_eq(br_transactions_category_name(table, br_transactions_category_of(table, 2)), "food");
    static const br_transaction expected[] = {{0, 1, 1, 1.0f}, {1, 0, 3, 1.0f}, {0, 0, 4, 1.0f}, {2, 2, 5, 1.0f},
                                              {1, 0, 6, 1.0f}, {0, 1, 7, 1.0f}, {2, 2, 8, 1.0f}};
    const br_transaction *all = br_transactions_all(table);
    cr_assert_eq(br_transactions_count(table), sizeof expected / sizeof *expected);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        cr_expect(all[i].user == expected[i].user && all[i].item == expected[i].item && all[i].time == expected[i].time,
                  "transaction %zu", i);
    }
    add(table, "u2", "b", 9);
    cr_expect_eq(br_transactions_find_item(table, "b"), 3);
    cr_expect_eq(br_transactions_category_of(table, 3), BR_INDEX_NONE);
    cr_expect_eq(br_transactions_find_user(table, "u2"), 3);
}

Test(transactions, keep_top_of_none_or_all_changes_nothing)
{
    BR_AUTO(br_transactions) *table = table_new();
    cr_expect_eq(br_transactions_keep_top(table, 1), BR_OK);
    add_five_items(table);
    const uint32_t n_tops[] = {0, 5, 6, UINT32_MAX};
    for (size_t i = 0; i < sizeof n_tops / sizeof *n_tops; i++) {
        cr_assert_eq(br_transactions_keep_top(table, n_tops[i]), BR_OK);
        cr_expect_eq(br_transactions_n_items(table), 5);
        cr_expect_eq(br_transactions_count(table), 8);
        cr_expect_str_eq(br_transactions_item(table, 0), "a");
    }
}

static br_months months_of(int64_t time)
{
    BR_AUTO(br_transactions) *table = table_new();
    add(table, "u", "a", time);
    add(table, "u", "b", BR_MIN_TRANSACTION_TIME);
    return br_transactions_months(table);
}

static int64_t midnight(int year, unsigned month, unsigned day_of_month)
{
    return (int64_t)br_day_from_civil(year, month, day_of_month) * SECONDS_PER_DAY;
}

typedef struct edge {
    const char *what;
    int last[3]; // the day of the last transaction
    int valid_from[3], test_from[3], test_until[3];
} edge;

static int64_t of(const int day[3])
{
    return midnight(day[0], (unsigned)day[1], (unsigned)day[2]);
}

Test(transactions, months_at_the_edges)
{
    static const edge edges[] = {
        {"a month's end", {2018, 9, 30}, {2018, 8, 1}, {2018, 9, 1}, {2018, 10, 1}},
        {"a year's end", {2018, 12, 31}, {2018, 11, 1}, {2018, 12, 1}, {2019, 1, 1}},
        {"the middle", {2018, 9, 24}, {2018, 7, 25}, {2018, 8, 25}, {2018, 9, 25}},
        {"the new year", {2019, 1, 4}, {2018, 11, 5}, {2018, 12, 5}, {2019, 1, 5}},
        {"end of February", {2018, 2, 28}, {2018, 1, 1}, {2018, 2, 1}, {2018, 3, 1}},
        {"end of February in a leap year", {2020, 2, 29}, {2020, 1, 1}, {2020, 2, 1}, {2020, 3, 1}},
        {"the day before it", {2020, 2, 28}, {2019, 12, 29}, {2020, 1, 29}, {2020, 2, 29}},
        {"no 30th of February", {2018, 3, 29}, {2018, 1, 30}, {2018, 2, 28}, {2018, 3, 30}},
        {"no 31st of February, a leap year", {2020, 3, 30}, {2020, 1, 31}, {2020, 2, 29}, {2020, 3, 31}},
        {"no leap year: 1900", {1900, 3, 29}, {1900, 1, 30}, {1900, 2, 28}, {1900, 3, 30}},
        {"a leap year: 2000", {2000, 3, 29}, {2000, 1, 30}, {2000, 2, 29}, {2000, 3, 30}},
        {"no 31st of April and February", {2018, 4, 29}, {2018, 2, 28}, {2018, 3, 30}, {2018, 4, 30}},
        {"no 31st of June", {2018, 7, 30}, {2018, 5, 31}, {2018, 6, 30}, {2018, 7, 31}},
        {"before 1970", {1969, 12, 31}, {1969, 11, 1}, {1969, 12, 1}, {1970, 1, 1}},
        {"the year 0, a leap year", {0, 2, 29}, {0, 1, 1}, {0, 2, 1}, {0, 3, 1}},
        {"before the year 0", {-1, 12, 31}, {-1, 11, 1}, {-1, 12, 1}, {0, 1, 1}},
        {"the last day", {9999, 12, 31}, {9999, 11, 1}, {9999, 12, 1}, {10000, 1, 1}},
        {"the first day", {-9999, 1, 1}, {-10000, 11, 2}, {-10000, 12, 2}, {-9999, 1, 2}},
    };
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) {
        const edge *e = &edges[i];
        const int64_t seconds[] = {0, 1, SECONDS_PER_DAY / 2, SECONDS_PER_DAY - 1};
        for (size_t s = 0; s < sizeof seconds / sizeof *seconds; s++) {
            br_months months = months_of(of(e->last) + seconds[s]);
            cr_expect_eq(months.valid_from, of(e->valid_from), "%s: validation", e->what);
            cr_expect_eq(months.test_from, of(e->test_from), "%s: test", e->what);
            cr_expect_eq(months.test_until, of(e->test_until), "%s: end", e->what);
        }
    }
}

Test(transactions, months_of_nothing_are_the_same_time)
{
    BR_AUTO(br_transactions) *table = table_new();
    cr_assert_eq(br_transactions_category(table, "a", "food"), BR_OK);
    br_months months = br_transactions_months(table);
    cr_expect_eq(months.valid_from, months.test_from);
    cr_expect_eq(months.test_from, months.test_until);
}

// Every day of 800 years, and random seconds of all years: in order, and each border the same day of its month or that month's last.
static void check_months(int64_t time)
{
    br_months months = months_of(time);
    cr_assert(months.valid_from < months.test_from && months.test_from < months.test_until, "%lld", (long long)time);
    cr_assert(time < months.test_until && months.test_until - time <= SECONDS_PER_DAY, "%lld", (long long)time);
    const int64_t borders[] = {months.test_until, months.test_from, months.valid_from};
    int year[3];
    unsigned month[3], day_of_month[3], tomorrow;
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(borders[i] % SECONDS_PER_DAY, 0);
        br_day day = (br_day)(borders[i] / SECONDS_PER_DAY);
        br_day_to_civil(day, &year[i], &month[i], &day_of_month[i]);
        cr_assert_eq(year[0] * 12 + (int)month[0] - i, year[i] * 12 + (int)month[i]);
        int next_year;
        unsigned next_month;
        br_day_to_civil(day + 1, &next_year, &next_month, &tomorrow);
        cr_assert(day_of_month[i] == day_of_month[0] || (day_of_month[i] < day_of_month[0] && tomorrow == 1), "%lld",
                  (long long)time);
    }
}

Test(transactions, months_are_in_order_whenever_the_data_end)
{
    for (br_day day = br_day_from_civil(1600, 1, 1); day < br_day_from_civil(2400, 1, 1); day += 3) {
        check_months((int64_t)day * SECONDS_PER_DAY);
    }
    br_rng rng = br_rng_at(5, BR_STREAM_TEST, 1, 1);
    for (int i = 0; i < 20000; i++) {
        double span = (double)(BR_MAX_TRANSACTION_TIME - BR_MIN_TRANSACTION_TIME);
        check_months(BR_MIN_TRANSACTION_TIME + (int64_t)(br_rng_uniform(&rng) * span));
    }
}

Test(transactions, the_last_transaction_need_not_arrive_last)
{
    BR_AUTO(br_transactions) *table = table_new();
    add(table, "u", "a", midnight(2018, 1, 1));
    add(table, "u", "b", midnight(2018, 9, 30));
    add(table, "u", "c", midnight(2017, 1, 1));
    cr_expect_eq(br_transactions_months(table).test_until, midnight(2018, 10, 1));
}

static br_status build(void)
{
    BR_AUTO(br_transactions) *table = NULL;
    br_status status = br_transactions_new(&table);
    for (int i = 0; i < 200 && status == BR_OK; i++) {
        char user[16], item[16];
        snprintf(user, sizeof user, "u%d", i % 70);
        snprintf(item, sizeof item, "i%d", i % 90);
        status = try_add(table, user, item, i);
        status = status == BR_OK ? br_transactions_category(table, item, i % 2 == 0 ? "even" : "odd") : status;
    }
    if (status != BR_OK) {
        return status;
    }
    status = br_transactions_keep_top(table, 40);
    cr_assert(status == BR_OK || (br_transactions_count(table) == 200 && br_transactions_n_items(table) == 90 &&
                                  br_transactions_n_users(table) == 70),
              "a failure changes nothing");
    return status;
}

Test(transactions, every_allocation_may_fail)
{
    size_t live = br_alloc_live();
    for (size_t n = 0;; n++) {
        br_alloc_fail_after(n);
        br_status status = build();
        br_alloc_fail_after(SIZE_MAX);
        cr_assert_eq(br_alloc_live(), live, "allocation %zu leaks", n);
        if (status == BR_OK) {
            cr_expect_gt(n, 20);
            break;
        }
        cr_assert_eq(status, BR_ERR_NO_MEMORY, "allocation %zu: %s", n, br_why(status));
    }
}
