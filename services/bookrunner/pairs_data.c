#include "pairs_data.h"

#include "base/utf8.h"
#include "checker.h"
#include "input/folder.h"
#include "interrupts.h"
#include "options.h"
#include "pipeline/market_pairs.h"

#include <inttypes.h>
#include <string.h>

// --- rejections ---

void pairs_rejections_init(pairs_rejections *r, const arguments *args)
{
    *r = (pairs_rejections){.n = 0};
    if (args->rejects != NULL) {
        snprintf(r->file.path, sizeof r->file.path, "%s", args->rejects);
    }
}

br_status pairs_rejections_take(void *rejections, const br_table_rejection *rejection)
{
    pairs_rejections *r = rejections;
    r->n += 1;
    if (r->n <= MAX_TOLD_REJECTIONS) {
        progress_end(&r->shown);
        fprintf(stderr, "rejected: %s line %" PRIu64 "%s%s: %s\n", rejection->file, rejection->line,
                rejection->column[0] == '\0' ? "" : ", ", rejection->column, rejection->reason);
    }
    return rejects_write(&r->file, &(row_origin){rejection->file, rejection->line, rejection->raw}, rejection->column,
                         rejection->reason);
}

static bool watch(void *context, uint64_t done, uint64_t total)
{
    pairs_rejections *r = context;
    progress_show(&r->shown, done, total, 0, NULL);
    return !interrupted();
}

br_table_listener pairs_rejections_listener(pairs_rejections *r, const char *what)
{
    progress_end(&r->shown);
    r->shown = progress_start(what, "bytes");
    return (br_table_listener){.reject = pairs_rejections_take, .watch = watch, .context = r};
}

br_status pairs_rejections_end(pairs_rejections *r)
{
    progress_end(&r->shown);
    if (r->n > MAX_TOLD_REJECTIONS) {
        fprintf(stderr, "rejected: %" PRIu64 " more rows\n", r->n - MAX_TOLD_REJECTIONS);
    }
    if (r->file.n > 0) {
        fprintf(stderr, "%" PRIu64 " rejected, each with its reason in %s\n", r->file.n, r->file.path);
    }
    return rejects_close(&r->file);
}

void pairs_rejections_deinit(pairs_rejections *r)
{
    progress_end(&r->shown);
    rejects_deinit(&r->file);
}

// --- columns that the caller names ---

typedef struct named_column {
    const char *role;
    char name[BR_MAX_ITEM_NAME_BYTES];
    bool required;
} named_column;

/// "user=userId,item=movieId": columns[n] with their roles in, with their names out; "" where none was given.
static br_status parse_columns(named_column *columns, size_t n, const char *option, const char *text)
{
    for (const char *at = text; at != NULL && *at != '\0';) {
        size_t length = strcspn(at, ",");
        size_t role = strcspn(at, "=,");
        named_column *column = NULL;
        for (size_t i = 0; i < n; i++) {
            bool same = strlen(columns[i].role) == role && strncmp(columns[i].role, at, role) == 0;
            column = same ? &columns[i] : column;
        }
        if (column == NULL || role + 1 >= length || length - role > sizeof column->name) {
            return br_fail(BR_ERR_INVALID, "--%s: '%.*s' is not one of its ROLE=COLUMN; see --help", option,
                           (int)(length < 60 ? length : 60), at);
        }
        if (column->name[0] != '\0') {
            return br_fail(BR_ERR_INVALID, "--%s names the column of %s twice", option, column->role);
        }
        memcpy(column->name, at + role + 1, length - role - 1);
        at += length + (at[length] == ',' ? 1 : 0);
    }
    for (size_t i = 0; i < n; i++) {
        if (columns[i].required && columns[i].name[0] == '\0') {
            return br_fail(BR_ERR_INVALID, "--%s names no column for %s: %s=COLUMN is needed", option, columns[i].role,
                           columns[i].role);
        }
    }
    return BR_OK;
}

static const char *name_or_null(const named_column *column)
{
    return column->name[0] == '\0' ? NULL : column->name;
}

enum { USER, ITEM, TIME, WEIGHT, CATEGORY, N_TABLE_COLUMNS };
enum { ITEMS_ITEM, ITEMS_CATEGORY, ITEMS_TITLE, N_ITEMS_COLUMNS };

typedef struct table_columns {
    named_column table[N_TABLE_COLUMNS];
    named_column items[N_ITEMS_COLUMNS];
    br_moment_unit unit;
} table_columns;

static br_status parse_table_columns(table_columns *out, const arguments *args)
{
    *out = (table_columns){
        .table = {[USER] = {.role = "user", .required = true},
                  [ITEM] = {.role = "item", .required = true},
                  [TIME] = {.role = "time", .required = true},
                  [WEIGHT] = {.role = "weight"},
                  [CATEGORY] = {.role = "category"}},
        .items = {[ITEMS_ITEM] = {.role = "item", .required = true},
                  [ITEMS_CATEGORY] = {.role = "category"},
                  [ITEMS_TITLE] = {.role = "title"}},
    };
    static const char *const units[] = {[BR_MOMENT_SECONDS] = "seconds", [BR_MOMENT_MILLISECONDS] = "milliseconds"};
    for (int unit = BR_MOMENT_SECONDS; unit <= BR_MOMENT_MILLISECONDS && args->time_unit != NULL; unit++) {
        out->unit = strcmp(args->time_unit, units[unit]) == 0 ? (br_moment_unit)unit : out->unit;
    }
    if (args->time_unit != NULL && out->unit == BR_MOMENT_BY_SIZE) {
        return br_fail(BR_ERR_INVALID, "--time-unit %.40s: seconds or milliseconds", args->time_unit);
    }
    br_status status =
        parse_columns(out->table, N_TABLE_COLUMNS, "columns", args->columns == NULL ? "" : args->columns);
    return status != BR_OK || args->items == NULL ? status
                                                  : parse_columns(out->items, N_ITEMS_COLUMNS, "item-columns",
                                                                  args->item_columns == NULL ? "" : args->item_columns);
}

br_status pairs_data_check(const arguments *args)
{
    int n_sources = (args->table != NULL) + (args->movielens != NULL) + (args->market != NULL);
    if (n_sources > 1) {
        return br_fail(BR_ERR_INVALID, "--table, --movielens and --market exclude each other");
    }
    bool of_table =
        args->columns != NULL || args->items != NULL || args->item_columns != NULL || args->time_unit != NULL;
    if (of_table && args->table == NULL) {
        return br_fail(BR_ERR_INVALID, "--columns, --items, --item-columns and --time-unit go with --table");
    }
    if (args->item_columns != NULL && args->items == NULL) {
        return br_fail(BR_ERR_INVALID, "--item-columns goes with --items");
    }
    if (args->category != NULL && (args->table != NULL || args->movielens != NULL)) {
        return br_fail(BR_ERR_INVALID, "--category goes with a market; the category of a table is one of its columns");
    }
    table_columns columns;
    return args->table == NULL ? BR_OK : parse_table_columns(&columns, args);
}

// --- tables ---

static br_status read_items(pairs_data *data, br_items_file *file, pairs_rejections *rejections)
{
    br_table_tally tally;
    br_status status = br_item_titles_new(&data->titles);
    if (status == BR_OK) {
        file->listener = pairs_rejections_listener(rejections, "items");
        status = br_items_file_read(file, data->table, data->titles, &tally);
    }
    return status;
}

static br_status read_table(pairs_data *data, const arguments *args, pairs_rejections *rejections)
{
    table_columns columns;
    br_table_tally tally;
    br_status status = parse_table_columns(&columns, args);
    br_transactions_file file = {.path = args->table,
                                 .user = columns.table[USER].name,
                                 .item = columns.table[ITEM].name,
                                 .time = columns.table[TIME].name,
                                 .weight = name_or_null(&columns.table[WEIGHT]),
                                 .category = name_or_null(&columns.table[CATEGORY]),
                                 .unit = columns.unit,
                                 .listener = pairs_rejections_listener(rejections, "table")};
    data->source = "table";
    snprintf(data->place, sizeof data->place, "%s", args->table);
    const named_column *category =
        columns.items[ITEMS_CATEGORY].name[0] != '\0' ? &columns.items[ITEMS_CATEGORY] : &columns.table[CATEGORY];
    snprintf(data->category, sizeof data->category, "%s", category->name);
    if (status == BR_OK) {
        status = br_transactions_file_read(&file, data->table, &tally);
    }
    if (status != BR_OK || args->items == NULL) {
        return status;
    }
    br_items_file items = {.path = args->items,
                           .item = columns.items[ITEMS_ITEM].name,
                           .category = name_or_null(&columns.items[ITEMS_CATEGORY]),
                           .title = name_or_null(&columns.items[ITEMS_TITLE])};
    return read_items(data, &items, rejections);
}

static br_status read_movielens(pairs_data *data, const arguments *args, pairs_rejections *rejections)
{
    char ratings[BR_PATH_BYTES + 16];
    char movies[BR_PATH_BYTES + 16];
    data->source = "movielens";
    snprintf(data->place, sizeof data->place, "%s", args->movielens);
    snprintf(data->category, sizeof data->category, "genres");
    snprintf(ratings, sizeof ratings, "%s/ratings.csv", data->place);
    snprintf(movies, sizeof movies, "%s/movies.csv", data->place);
    br_transactions_file file = {.path = ratings,
                                 .user = "userId",
                                 .item = "movieId",
                                 .time = "timestamp",
                                 .weight = "rating",
                                 .unit = BR_MOMENT_SECONDS,
                                 .listener = pairs_rejections_listener(rejections, "ratings")};
    br_items_file items = {
        .path = movies, .item = "movieId", .category = "genres", .title = "title", .none = "(no genres listed)"};
    br_table_tally tally;
    br_status status = br_transactions_file_read(&file, data->table, &tally);
    return status == BR_OK ? read_items(data, &items, rejections) : status;
}

// --- markets ---

/// `data->table` of the market, in place of the empty one.
static br_status take_market(pairs_data *data, const arguments *args, br_market *market)
{
    const br_schema *schema = br_market_schema(market);
    uint32_t feature = BR_INDEX_NONE;
    br_status status = br_market_category_feature(&feature, schema, args->category);
    if (status == BR_OK && feature != BR_INDEX_NONE) {
        snprintf(data->category, sizeof data->category, "%s", schema->bond_features[feature].name);
    }
    br_transactions_free(&data->table);
    return status == BR_OK ? br_market_transactions(&data->table, market, feature) : status;
}

static br_status put_item(checker *check, const br_folder_item *item, pairs_rejections *rejections)
{
    br_row_result result = {
        .outcome = BR_OUTCOME_REJECTED, .column = item->problem.column, .reason = item->problem.reason};
    br_status status = item->rejected ? BR_OK : checker_row(check, &item->row, &result);
    if (status != BR_OK || result.outcome != BR_OUTCOME_REJECTED) {
        return status;
    }
    return pairs_rejections_take(rejections, &(br_table_rejection){.file = item->file,
                                                                   .line = item->line,
                                                                   .column = result.column,
                                                                   .reason = result.reason,
                                                                   .raw = item->raw == NULL ? "" : item->raw});
}

static br_status read_folder(checker *check, br_folder *folder, pairs_rejections *rejections)
{
    br_table_listener listener = pairs_rejections_listener(rejections, "market");
    br_status status = BR_OK;
    while (status == BR_OK) {
        br_folder_item item = {0};
        uint64_t done = 0;
        uint64_t total = 0;
        br_folder_progress(folder, &done, &total);
        status = listener.watch(listener.context, done, total) ? br_folder_next(folder, &item)
                                                               : br_fail(BR_ERR_CANCELLED, "interrupted while reading");
        if (status == BR_OK) {
            status = put_item(check, &item, rejections);
        }
    }
    return status == BR_ERR_AGAIN ? BR_OK : status;
}

static br_status read_market(pairs_data *data, const arguments *args, pairs_rejections *rejections)
{
    data->source = "market";
    snprintf(data->place, sizeof data->place, "%s", args->market);
    BR_AUTO(br_folder) *folder = NULL;
    BR_AUTO(checker) *check = NULL;
    br_status status = br_folder_open(&folder, args->market);
    if (status == BR_OK) {
        status = checker_new(&check, br_folder_schema(folder));
    }
    if (status == BR_OK) {
        status = read_folder(check, folder, rejections);
    }
    return status == BR_OK ? take_market(data, args, checker_market(check)) : status;
}

static br_status read_ledger(pairs_data *data, const arguments *args)
{
    data->source = "ledger";
    BR_AUTO(br_follower) *follower = NULL;
    br_status status = stores_open(&data->stores, args, STORE_LEDGER);
    snprintf(data->place, sizeof data->place, "%s", data->stores.directory);
    if (status == BR_OK) {
        status = br_follower_new(&follower);
    }
    if (status == BR_OK) {
        status = br_follower_catch_up(follower, data->stores.ledger, 0, 0);
    }
    if (status == BR_OK && br_follower_market(follower) == NULL) {
        status = br_fail(BR_ERR_NOT_FOUND, "the ledger has no market yet; `bookrunner import` brings one");
    }
    return status == BR_OK ? take_market(data, args, br_follower_market(follower)) : status;
}

br_status pairs_data_read(pairs_data *out, const arguments *args, pairs_rejections *rejections)
{
    br_status status = br_transactions_new(&out->table);
    if (status != BR_OK) {
        return status;
    }
    if (args->table != NULL) {
        status = read_table(out, args, rejections);
    } else if (args->movielens != NULL) {
        status = read_movielens(out, args, rejections);
    } else if (args->market != NULL) {
        status = read_market(out, args, rejections);
    } else {
        status = read_ledger(out, args);
    }
    progress_end(&rejections->shown);
    if (status == BR_OK && br_transactions_count(out->table) == 0) {
        status = br_fail(BR_ERR_NOT_FOUND, "there is no transaction in %.200s", out->place);
    }
    if (status == BR_OK) {
        out->n_items = br_transactions_n_items(out->table);
        status = br_transactions_keep_top(out->table, option_u32(args->top_items));
    }
    return status;
}

void pairs_data_deinit(pairs_data *data)
{
    br_transactions_free(&data->table);
    br_item_titles_free(&data->titles);
    stores_deinit(&data->stores);
}
