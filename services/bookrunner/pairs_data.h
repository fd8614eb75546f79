#ifndef BOOKRUNNER_PAIRS_DATA_H
#define BOOKRUNNER_PAIRS_DATA_H

/// Where `pairs` gets users, items and times from: a table (--table), a MovieLens folder (--movielens), a market folder (--market), else the ledger of
/// the data directory.

#include "input/transactions_file.h"
#include "progress.h"
#include "rejects.h"
#include "stores.h"

#define MAX_TOLD_REJECTIONS 20 ///< on stderr

/// Bad rows of all files of a run: told, counted, and written to --rejects.
typedef struct pairs_rejections {
    rejects_file file;
    uint64_t n;
    progress shown;
} pairs_rejections;

void pairs_rejections_init(pairs_rejections *r, const arguments *args);
/// Progress of the file `what` that is read next, and its bad rows. Borrows `r`.
br_table_listener pairs_rejections_listener(pairs_rejections *r, const char *what);
/// What happens to one bad row. Errors: those of rejects_write().
br_status pairs_rejections_take(void *rejections, const br_table_rejection *rejection) BR_MUST_CHECK;
/// The file is through. Say how many bad rows were not told. Errors: those of rejects_close().
br_status pairs_rejections_end(pairs_rejections *r) BR_MUST_CHECK;
void pairs_rejections_deinit(pairs_rejections *r);

typedef struct pairs_data {
    br_transactions *table;
    br_item_titles *titles; ///< NULL: items are called by their names
    const char *source;     ///< "table", "movielens", "market", "ledger"
    char place[BR_PATH_BYTES];
    char category[BR_MAX_ITEM_NAME_BYTES]; ///< what categories are: a column, a bond feature; "" = there are none
    uint32_t n_items;                      ///< before --top-items
    stores stores;                         ///< of the ledger, where that is the source
} pairs_data;

/// Is what the options say of the source sound? Errors: BR_ERR_INVALID: wrong usage.
br_status pairs_data_check(const arguments *args) BR_MUST_CHECK;
/// `out` zeroed; release with pairs_data_deinit(), also after a failure. Errors: those of the readers, BR_ERR_CANCELLED, BR_ERR_NOT_FOUND when there is no
/// transaction.
br_status pairs_data_read(pairs_data *out, const arguments *args, pairs_rejections *rejections) BR_MUST_CHECK;
void pairs_data_deinit(pairs_data *data);

#endif
