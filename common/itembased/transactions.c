#include "itembased/transactions.h"

#include "base/alloc.h"
#include "base/day.h"

#include <stdlib.h>
#include <string.h>

enum { SECONDS_PER_DAY = 86400 };

struct br_transactions {
    br_index *users;
    br_index *items;
    br_index *categories;
    uint32_t *category; // [category_capacity] of every item
    uint32_t category_capacity;
    br_transaction *all; // [capacity]
    size_t n;
    size_t capacity;
};

br_status br_transactions_new(br_transactions **out)
{
    BR_AUTO(br_transactions) *table = br_calloc(1, sizeof *table);
    if (table == NULL) {
        return br_no_memory("table of transactions", 1);
    }
    br_status status = br_index_new(&table->users);
    status = status == BR_OK ? br_index_new(&table->items) : status;
    status = status == BR_OK ? br_index_new(&table->categories) : status;
    if (status != BR_OK) {
        return status;
    }
    *out = table;
    table = NULL;
    return BR_OK;
}

void br_transactions_free(br_transactions **table)
{
    if (table == NULL || *table == NULL) {
        return;
    }
    br_index_free(&(*table)->users);
    br_index_free(&(*table)->items);
    br_index_free(&(*table)->categories);
    br_free((*table)->category);
    br_free((*table)->all);
    br_free(*table);
    *table = NULL;
}

static br_status check_name(const char *what, const char *name)
{
    size_t n = strnlen(name, BR_MAX_ITEM_NAME_BYTES + 1);
    if (n == 0) {
        return br_fail(BR_ERR_INVALID, "the %s is empty", what);
    }
    if (n > BR_MAX_ITEM_NAME_BYTES) {
        return br_fail(BR_ERR_INVALID, "the %s \"%.40s...\" has more than %d bytes", what, name,
                       BR_MAX_ITEM_NAME_BYTES);
    }
    return BR_OK;
}

static br_status add_item(br_transactions *table, const char *item, uint32_t *number_out)
{
    if (br_index_count(table->items) == table->category_capacity) {
        uint32_t capacity = table->category_capacity == 0 ? 32 : table->category_capacity * 2;
        uint32_t *category = br_reallocarray(table->category, capacity, sizeof *category);
        if (category == NULL) {
            return br_no_memory("categories of items", capacity);
        }
        table->category = category;
        table->category_capacity = capacity;
    }
    bool added = false;
    br_status status = br_index_add(table->items, item, strlen(item), number_out, &added);
    if (status == BR_OK && added) {
        table->category[*number_out] = BR_INDEX_NONE;
    }
    return status;
}

static br_status check(const br_transaction_text *transaction)
{
    br_status status = check_name("user", transaction->user);
    status = status == BR_OK ? check_name("item", transaction->item) : status;
    if (status != BR_OK) {
        return status;
    }
    if (transaction->time < BR_MIN_TRANSACTION_TIME || transaction->time > BR_MAX_TRANSACTION_TIME) {
        return br_fail(BR_ERR_INVALID, "the time %lld is not in the years -9999 to 9999, in seconds since 1970",
                       (long long)transaction->time);
    }
    if (!(transaction->weight > 0.0f && transaction->weight <= BR_MAX_TRANSACTION_WEIGHT)) {
        return br_fail(BR_ERR_INVALID, "the weight %g is not a number above 0 and at most %g",
                       (double)transaction->weight, (double)BR_MAX_TRANSACTION_WEIGHT);
    }
    return BR_OK;
}

br_status br_transactions_add(br_transactions *table, const br_transaction_text *transaction)
{
    br_status status = check(transaction);
    if (status != BR_OK) {
        return status;
    }
    if (table->n == BR_MAX_TRANSACTIONS) {
        return br_fail(BR_ERR_LIMIT, "more than %u transactions", BR_MAX_TRANSACTIONS);
    }
    if (table->n == table->capacity) {
        size_t capacity = table->capacity == 0 ? 64 : table->capacity * 2;
        br_transaction *all = br_reallocarray(table->all, capacity, sizeof *all);
        if (all == NULL) {
            return br_no_memory("transactions", capacity);
        }
        table->all = all;
        table->capacity = capacity;
    }
    br_transaction *new = &table->all[table->n];
    *new = (br_transaction){.time = transaction->time, .weight = transaction->weight};
    status = add_item(table, transaction->item, &new->item);
    if (status == BR_OK) {
        status = br_index_add(table->users, transaction->user, strlen(transaction->user), &new->user, NULL);
    }
    table->n += status == BR_OK;
    return status;
}

br_status br_transactions_category(br_transactions *table, const char *item, const char *category)
{
    br_status status = check_name("item", item);
    status = status == BR_OK && *category != '\0' ? check_name("category", category) : status;
    uint32_t number = 0;
    status = status == BR_OK ? add_item(table, item, &number) : status;
    if (status != BR_OK || *category == '\0') {
        return status;
    }
    uint32_t had = table->category[number];
    if (had != BR_INDEX_NONE && strcmp(br_index_text(table->categories, had), category) != 0) {
        return br_fail(BR_ERR_EXISTS, "the item \"%.40s\" has the category \"%.40s\" already, now \"%.40s\"", item,
                       br_index_text(table->categories, had), category);
    }
    return br_index_add(table->categories, category, strlen(category), &table->category[number], NULL);
}

uint32_t br_transactions_n_users(const br_transactions *table)
{
    return br_index_count(table->users);
}

uint32_t br_transactions_n_items(const br_transactions *table)
{
    return br_index_count(table->items);
}

size_t br_transactions_count(const br_transactions *table)
{
    return table->n;
}

const br_transaction *br_transactions_all(const br_transactions *table)
{
    return table->all;
}

const char *br_transactions_user(const br_transactions *table, uint32_t user)
{
    return br_index_text(table->users, user);
}

const char *br_transactions_item(const br_transactions *table, uint32_t item)
{
    return br_index_text(table->items, item);
}

uint32_t br_transactions_find_user(const br_transactions *table, const char *user)
{
    return br_index_find(table->users, user, strlen(user));
}

uint32_t br_transactions_find_item(const br_transactions *table, const char *item)
{
    return br_index_find(table->items, item, strlen(item));
}

uint32_t br_transactions_category_of(const br_transactions *table, uint32_t item)
{
    br_assert(item < br_index_count(table->items));
    return table->category[item];
}

const char *br_transactions_category_name(const br_transactions *table, uint32_t category)
{
    return br_index_text(table->categories, category);
}

typedef struct counted_item {
    size_t n_transactions;
    uint32_t item;
} counted_item;

static int by_transactions(const void *a, const void *b)
{
    const counted_item *left = a, *right = b;
    if (left->n_transactions != right->n_transactions) {
        return left->n_transactions > right->n_transactions ? -1 : 1;
    }
    return left->item < right->item ? -1 : left->item > right->item;
}

// What stays, made beside the table, so that a failure leaves the table as it was.
typedef struct kept {
    br_index *users;
    br_index *items;
    uint32_t *category; // [n_top]
    uint32_t *user_of;  // [users before] new number, or BR_INDEX_NONE
    uint32_t *item_of;  // [items before] likewise
} kept;

static void kept_deinit(kept *it)
{
    br_index_free(&it->users);
    br_index_free(&it->items);
    br_free(it->category);
    br_free(it->user_of);
    br_free(it->item_of);
}

static br_status keep_items(kept *it, const br_transactions *table, uint32_t n_top)
{
    uint32_t n_items = br_index_count(table->items);
    counted_item *order = br_calloc(n_items, sizeof *order);
    if (order == NULL) {
        return br_no_memory("counted items", n_items);
    }
    for (uint32_t i = 0; i < n_items; i++) {
        order[i].item = i;
        it->item_of[i] = BR_INDEX_NONE;
    }
    for (size_t t = 0; t < table->n; t++) {
        order[table->all[t].item].n_transactions++;
    }
    qsort(order, n_items, sizeof *order, by_transactions);
    br_status status = BR_OK;
    for (uint32_t i = 0; i < n_top && status == BR_OK; i++) {
        uint32_t item = order[i].item;
        const char *name = br_index_text(table->items, item);
        status = br_index_add(it->items, name, strlen(name), &it->item_of[item], NULL);
        it->category[i] = table->category[item];
    }
    br_free(order);
    return status;
}

static br_status keep_users(kept *it, const br_transactions *table)
{
    uint32_t n_users = br_index_count(table->users);
    for (uint32_t u = 0; u < n_users; u++) {
        it->user_of[u] = BR_INDEX_NONE;
    }
    for (size_t t = 0; t < table->n; t++) {
        if (it->item_of[table->all[t].item] != BR_INDEX_NONE) {
            it->user_of[table->all[t].user] = 0;
        }
    }
    br_status status = BR_OK;
    for (uint32_t u = 0; u < n_users && status == BR_OK; u++) {
        if (it->user_of[u] != BR_INDEX_NONE) {
            const char *name = br_index_text(table->users, u);
            status = br_index_add(it->users, name, strlen(name), &it->user_of[u], NULL);
        }
    }
    return status;
}

static void keep_transactions(br_transactions *table, kept *it, uint32_t n_top)
{
    size_t n = 0;
    for (size_t t = 0; t < table->n; t++) {
        br_transaction one = table->all[t];
        one.user = it->user_of[one.user];
        one.item = it->item_of[one.item];
        if (one.item != BR_INDEX_NONE) {
            table->all[n++] = one;
        }
    }
    table->n = n;
    br_index_free(&table->users);
    br_index_free(&table->items);
    br_free(table->category);
    table->users = it->users;
    table->items = it->items;
    table->category = it->category;
    table->category_capacity = n_top;
    it->users = it->items = NULL;
    it->category = NULL;
}

br_status br_transactions_keep_top(br_transactions *table, uint32_t n_top)
{
    uint32_t n_items = br_index_count(table->items);
    if (n_top == 0 || n_top >= n_items) {
        return BR_OK;
    }
    BR_AUTO_DEINIT(kept)
    it = {
        .category = br_calloc(n_top, sizeof *it.category),
        .user_of = br_calloc(br_index_count(table->users), sizeof *it.user_of),
        .item_of = br_calloc(n_items, sizeof *it.item_of),
    };
    br_status status = BR_OK;
    if (it.category == NULL || it.user_of == NULL || it.item_of == NULL) {
        status = br_no_memory("numbers of items", n_items);
    }
    status = status == BR_OK ? br_index_new(&it.users) : status;
    status = status == BR_OK ? br_index_new(&it.items) : status;
    status = status == BR_OK ? keep_items(&it, table, n_top) : status;
    status = status == BR_OK ? keep_users(&it, table) : status;
    if (status == BR_OK) {
        keep_transactions(table, &it, n_top);
    }
    return status;
}

// Months are counted from 0000-01, so that they can be added.
static br_day first_of(int month)
{
    int year = (month >= 0 ? month : month - 11) / 12;
    return br_day_from_civil(year, (unsigned)(month - year * 12 + 1), 1);
}

static br_day months_before(br_day day, int n)
{
    int year;
    unsigned month, day_of_month;
    br_day_to_civil(day, &year, &month, &day_of_month);
    int before = year * 12 + (int)month - 1 - n;
    br_day first = first_of(before);
    br_day last = first_of(before + 1) - 1;
    br_day same = first + (br_day)day_of_month - 1;
    return same < last ? same : last;
}

br_months br_transactions_months(const br_transactions *table)
{
    if (table->n == 0) {
        return (br_months){0};
    }
    int64_t last = table->all[0].time;
    for (size_t t = 1; t < table->n; t++) {
        last = table->all[t].time > last ? table->all[t].time : last;
    }
    int64_t day = (last >= 0 ? last : last - (SECONDS_PER_DAY - 1)) / SECONDS_PER_DAY;
    br_day until = (br_day)day + 1;
    return (br_months){
        .valid_from = (int64_t)months_before(until, 2) * SECONDS_PER_DAY,
        .test_from = (int64_t)months_before(until, 1) * SECONDS_PER_DAY,
        .test_until = (int64_t)until * SECONDS_PER_DAY,
    };
}
