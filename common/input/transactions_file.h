#ifndef BR_INPUT_TRANSACTIONS_FILE_H
#define BR_INPUT_TRANSACTIONS_FILE_H

/// Any CSV table of who bought what when, into br_transactions; and the items' categories and titles from a second file.
///
///     br_transactions_file file = {.path = "ratings.csv", .user = "userId", .item = "movieId", .time = "timestamp", .weight = "rating"};
///     status = br_transactions_file_read(&file, table, &tally);
///     br_items_file items = {.path = "movies.csv", .item = "movieId", .category = "genres", .title = "title"};
///     status = br_items_file_read(&items, table, titles, &tally);
///
/// A row with something wrong is told with its place and cause and left out; the others are taken.

#include "input/moment.h"
#include "input/table_file.h"
#include "itembased/transactions.h"

typedef struct br_transactions_file {
    const char *path;
    const char *user; ///< names of columns
    const char *item;
    const char *time;
    const char *weight;   ///< NULL: all weights are 1, and so where nothing stands
    const char *category; ///< NULL: none. A row that gives an item another category than it has is rejected
    br_moment_unit unit;  ///< of times that are numbers
    br_table_listener listener;
} br_transactions_file;

/// Adds to `table`. Errors: those of br_table_file_read(), BR_ERR_NO_MEMORY.
br_status br_transactions_file_read(const br_transactions_file *file, br_transactions *table,
                                    br_table_tally *tally) BR_MUST_CHECK;

/// What people call items. Memory: the texts and about 50 bytes each.
typedef struct br_item_titles br_item_titles;
br_status br_item_titles_new(br_item_titles **out) BR_MUST_CHECK;
void br_item_titles_free(br_item_titles **titles);
/// The title, or the item's own name where there is none or `titles` is NULL. Borrowed: valid until titles are added.
const char *br_item_title(const br_item_titles *titles, const char *item);

typedef struct br_items_file {
    const char *path;
    const char *item;     ///< names of columns
    const char *category; ///< NULL: none
    const char *title;    ///< NULL: none; of an item that is named several times the first
    const char *none;     ///< a category that says there is none ("(no genres listed)"), or NULL
    br_table_listener listener;
} br_items_file;

/// Items that have no transaction in `table` are passed over. A row that gives an item another category than it has is rejected. titles: may be NULL.
/// Errors as above.
br_status br_items_file_read(const br_items_file *file, br_transactions *table, br_item_titles *titles,
                             br_table_tally *tally) BR_MUST_CHECK;

#endif
