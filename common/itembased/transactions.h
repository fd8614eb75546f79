#ifndef BR_ITEMBASED_TRANSACTIONS_H
#define BR_ITEMBASED_TRANSACTIONS_H

/// Who bought what when: any table of users, items and times, in the words of the paper. In a bond market a user is an investor, an item an
/// issuer, a transaction a bid.
///
///     br_transactions *table = NULL;
///     status = br_transactions_new(&table);
///     status = br_transactions_add(table, &(br_transaction_text){.user = "u1", .item = "m1", .time = 964982703, .weight = 1.0f});
///     status = br_transactions_category(table, "m1", "grocery");
///     br_months months = br_transactions_months(table);
///     br_history *train = NULL;
///     status = br_history_new(&train, table, INT64_MIN, months.test_from);
///
/// Source: Krasilnikov et al. 2022 ("item-based explanations of merchant recommendations"), sections 3, 4 and 6.

#include "base/index.h"

typedef struct br_transaction {
    uint32_t user;
    uint32_t item;
    int64_t time; ///< seconds since 1970, UTC; BR_MIN_TRANSACTION_TIME to BR_MAX_TRANSACTION_TIME
    float weight; ///< above 0, at most BR_MAX_TRANSACTION_WEIGHT; 1 where nothing is said
} br_transaction;

typedef struct br_transactions br_transactions;

#define BR_MAX_ITEM_NAME_BYTES    512                    ///< of a user, an item, a category
#define BR_MIN_TRANSACTION_TIME   INT64_C(-377705116800) ///< midnight of -9999-01-01
#define BR_MAX_TRANSACTION_TIME   INT64_C(253402300799)  ///< the last second of 9999-12-31
#define BR_MAX_TRANSACTIONS       UINT32_MAX             ///< of one table
#define BR_MAX_TRANSACTION_WEIGHT 1e9f ///< iALS stays solvable in double precision whatever its options

/// Memory: at most 48 bytes for each transaction (72 while room is made), once there are some, and for each user, item and category its name and about 50
/// bytes.
br_status br_transactions_new(br_transactions **out) BR_MUST_CHECK;
void br_transactions_free(br_transactions **table);

typedef struct br_transaction_text {
    const char *user; ///< 1 to BR_MAX_ITEM_NAME_BYTES bytes
    const char *item; ///< the same
    int64_t time;
    float weight;
} br_transaction_text;

/// Users and items get dense numbers in order of arrival. Errors: BR_ERR_INVALID (which field is wrong and why), BR_ERR_LIMIT (transactions,
/// names), BR_ERR_NO_MEMORY. Then the transaction is not there; after the last two its item may be.
br_status br_transactions_add(br_transactions *table, const br_transaction_text *transaction) BR_MUST_CHECK;
/// The item's category; "" says nothing of it and changes none. An item that no transaction has is kept all the same. Errors: BR_ERR_EXISTS when it
/// has another category already, BR_ERR_INVALID, BR_ERR_LIMIT, BR_ERR_NO_MEMORY.
br_status br_transactions_category(br_transactions *table, const char *item, const char *category) BR_MUST_CHECK;

uint32_t br_transactions_n_users(const br_transactions *table);
uint32_t br_transactions_n_items(const br_transactions *table);
size_t br_transactions_count(const br_transactions *table);
const br_transaction *
br_transactions_all(const br_transactions *table); ///< in order of arrival; borrowed until the next add or keep_top
const char *br_transactions_user(const br_transactions *table, uint32_t user);
const char *br_transactions_item(const br_transactions *table, uint32_t item);
uint32_t br_transactions_find_user(const br_transactions *table, const char *user); ///< or BR_INDEX_NONE
uint32_t br_transactions_find_item(const br_transactions *table, const char *item); ///< or BR_INDEX_NONE
uint32_t br_transactions_category_of(const br_transactions *table, uint32_t item);  ///< number, or BR_INDEX_NONE
const char *br_transactions_category_name(const br_transactions *table, uint32_t category);

/// Keep the `n_top` items with the most transactions (ties: the one that came first) and number them anew in that order; users without a transaction
/// left go, too; the others keep their order. 0 or at least as many as there are: nothing changes. Categories keep their numbers. Names that were
/// borrowed are gone.
/// Memory while it runs: the names once more, 24 bytes for each item, 4 for each user. Errors: BR_ERR_NO_MEMORY; then nothing is changed.
/// Source: section 3, the 350 most popular merchants.
br_status br_transactions_keep_top(br_transactions *table, uint32_t n_top) BR_MUST_CHECK;

/// Where training ends, validation begins and ends: [.., valid_from) [valid_from, test_from) [test_from, test_until).
typedef struct br_months {
    int64_t valid_from;
    int64_t test_from;
    int64_t test_until; ///< the midnight (UTC) behind the last transaction
} br_months;

/// Choice: one and two months go back from the midnight behind the last transaction to the same day of an earlier month (its last day where it has
/// none such), so that months of the calendar come out where the data end with one, and whole months where they do not.
/// valid_from < test_from < test_until, and the last transaction is before test_until; all three 0 without transactions. A transaction at
/// midnight belongs to the day that begins.
/// Source: section 6, the last month for tests and the one before for validation.
br_months br_transactions_months(const br_transactions *table);

/// What is learned from: of a range of time only the last transaction of each (user, item), by user in order of time.
typedef struct br_history {
    uint32_t n_users;     ///< as in the table; some may have no item
    uint32_t n_items;     ///< likewise
    size_t *begin;        ///< [n_users + 1] where a user's items begin
    uint32_t *items;      ///< [n] earliest last transaction first; of equal times the one that arrived first
    int64_t *times;       ///< [n] of the last transaction
    float *weights;       ///< [n] of the last transaction; of equal times the one that arrived last
    uint32_t *counts;     ///< [n] how many transactions there were before only the last was kept
    uint64_t *popularity; ///< [n_items] transactions of all users, before only the last was kept
    uint32_t *category;   ///< [n_items] BR_INDEX_NONE = none
} br_history;

/// Transactions with time in [from, until). Choice: popularity counts every transaction, "the total number of transactions" (section 5), not users.
/// Cost: linear in transactions, users and items. Memory: 20 bytes for each (user, item), 8 for each user, 12 for each item; while it is made 48 for each
/// transaction of the range, 8 for each user, 8 for each item. Errors: BR_ERR_NO_MEMORY.
br_status br_history_new(br_history **out, const br_transactions *table, int64_t from, int64_t until) BR_MUST_CHECK;
void br_history_free(br_history **history);
/// Items of the user who has most.
uint32_t br_history_longest(const br_history *history);

#endif
