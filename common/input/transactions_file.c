#include "input/transactions_file.h"

#include "base/alloc.h"
#include "base/utf8.h"
#include "market/row.h"

#include <string.h>

// --- titles ---

struct br_item_titles {
    br_index *items;
    br_index *titles;
    uint32_t *title_of; ///< [room] by number of the item
    uint32_t room;
};

br_status br_item_titles_new(br_item_titles **out)
{
    BR_AUTO(br_item_titles) *titles = br_calloc(1, sizeof *titles);
    if (titles == NULL) {
        return br_no_memory("titles", 1);
    }
    br_status status = br_index_new(&titles->items);
    if (status == BR_OK) {
        status = br_index_new(&titles->titles);
    }
    if (status == BR_OK) {
        *out = titles;
        titles = NULL;
    }
    return status;
}

void br_item_titles_free(br_item_titles **titles)
{
    if (*titles != NULL) {
        br_index_free(&(*titles)->items);
        br_index_free(&(*titles)->titles);
        br_free((*titles)->title_of);
        br_free(*titles);
        *titles = NULL;
    }
}

static br_status titles_grow(br_item_titles *titles)
{
    uint32_t room = titles->room == 0 ? 1024 : 2 * titles->room;
    uint32_t *grown = br_reallocarray(titles->title_of, room, sizeof *grown);
    if (grown == NULL) {
        return br_no_memory("titles", room);
    }
    titles->title_of = grown;
    titles->room = room;
    return BR_OK;
}

static br_status titles_add(br_item_titles *titles, const br_csv_field *item, const br_csv_field *title)
{
    uint32_t number = 0;
    bool added = false;
    br_status status = br_index_count(titles->items) < titles->room ? BR_OK : titles_grow(titles);
    if (status == BR_OK) {
        status = br_index_add(titles->items, item->text, item->n, &number, &added);
    }
    return status == BR_OK && added
               ? br_index_add(titles->titles, title->text, title->n, &titles->title_of[number], NULL)
               : status;
}

const char *br_item_title(const br_item_titles *titles, const char *item)
{
    uint32_t number = titles == NULL ? BR_INDEX_NONE : br_index_find(titles->items, item, strlen(item));
    return number == BR_INDEX_NONE ? item : br_index_text(titles->titles, titles->title_of[number]);
}

// --- transactions ---

enum { USER, ITEM, TIME, WEIGHT, CATEGORY, N_TRANSACTION_COLUMNS };

typedef struct taking_transactions {
    const br_transactions_file *file;
    br_transactions *table;
} taking_transactions;

static br_status parse_weight(float *out, const br_csv_field *text)
{
    double weight = 1.0;
    bool good = text->n == 0 || br_number_parse(&weight, text->text, text->n) == BR_OK;
    float kept = (float)weight;
    if (!good || !(kept > 0.0f && kept <= BR_MAX_TRANSACTION_WEIGHT)) {
        return br_fail(BR_ERR_INVALID, "'%.*s' is not a number above 0 and at most %g", br_utf8_shown(text->text),
                       text->text, (double)BR_MAX_TRANSACTION_WEIGHT);
    }
    *out = kept;
    return BR_OK;
}

/// Would this category contradict the one that the item has?
static br_status check_category(const br_transactions *table, const char *item, const br_csv_field *category)
{
    uint32_t number = category->n == 0 ? BR_INDEX_NONE : br_transactions_find_item(table, item);
    uint32_t known = number == BR_INDEX_NONE ? BR_INDEX_NONE : br_transactions_category_of(table, number);
    const char *name = known == BR_INDEX_NONE ? NULL : br_transactions_category_name(table, known);
    return name == NULL || strcmp(name, category->text) == 0
               ? BR_OK
               : br_fail(BR_ERR_INVALID, "'%.*s', and the item has the category '%.*s' already",
                         br_utf8_shown(category->text), category->text, br_utf8_shown(name), name);
}

static br_status check_length(const br_csv_field *text, uint32_t column, uint32_t *column_out)
{
    *column_out = column;
    return text->n <= BR_MAX_ITEM_NAME_BYTES
               ? BR_OK
               : br_fail(BR_ERR_INVALID, "%zu bytes where at most %d are allowed", text->n, BR_MAX_ITEM_NAME_BYTES);
}

static br_status take_transaction(void *context, const br_csv_field *texts, uint32_t *column_out)
{
    taking_transactions *t = context;
    br_transaction_text row = {.user = texts[USER].text, .item = texts[ITEM].text};
    static const uint32_t names[] = {USER, ITEM, CATEGORY};
    br_status status = BR_OK;
    for (size_t i = 0; i < sizeof names / sizeof *names && status == BR_OK; i++) {
        status = check_length(&texts[names[i]], names[i], column_out);
    }
    if (status == BR_OK) {
        *column_out = TIME;
        status = br_moment_parse(&row.time, texts[TIME].text, texts[TIME].n, t->file->unit);
    }
    if (status == BR_OK) {
        *column_out = WEIGHT;
        status = parse_weight(&row.weight, &texts[WEIGHT]);
    }
    if (status == BR_OK) {
        *column_out = CATEGORY;
        status = check_category(t->table, row.item, &texts[CATEGORY]);
    }
    if (status == BR_OK) {
        *column_out = N_TRANSACTION_COLUMNS;
        status = br_transactions_add(t->table, &row);
    }
    return status == BR_OK && texts[CATEGORY].n > 0 ? br_transactions_category(t->table, row.item, texts[CATEGORY].text)
                                                    : status;
}

br_status br_transactions_file_read(const br_transactions_file *file, br_transactions *table, br_table_tally *tally)
{
    br_assert(file->user != NULL && file->item != NULL && file->time != NULL);
    taking_transactions t = {file, table};
    const br_table_column columns[N_TRANSACTION_COLUMNS] = {[USER] = {file->user, true},
                                                            [ITEM] = {file->item, true},
                                                            [TIME] = {file->time, true},
                                                            [WEIGHT] = {file->weight, false},
                                                            [CATEGORY] = {file->category, false}};
    return br_table_file_read(&(br_table_file){.path = file->path,
                                               .columns = columns,
                                               .n_columns = N_TRANSACTION_COLUMNS,
                                               .take = take_transaction,
                                               .context = &t,
                                               .listener = file->listener},
                              tally);
}

// --- items ---

enum { ITEMS_ITEM, ITEMS_CATEGORY, ITEMS_TITLE, N_ITEM_COLUMNS };

typedef struct taking_items {
    const br_items_file *file;
    br_transactions *table;
    br_item_titles *titles;
} taking_items;

static br_status take_item(void *context, const br_csv_field *texts, uint32_t *column_out)
{
    taking_items *t = context;
    const char *item = texts[ITEMS_ITEM].text;
    if (br_transactions_find_item(t->table, item) == BR_INDEX_NONE) {
        return BR_OK;
    }
    br_csv_field category = texts[ITEMS_CATEGORY];
    if (t->file->none != NULL && strcmp(category.text, t->file->none) == 0) {
        category = (br_csv_field){"", 0};
    }
    br_status status = check_length(&category, ITEMS_CATEGORY, column_out);
    if (status == BR_OK) {
        status = check_length(&texts[ITEMS_TITLE], ITEMS_TITLE, column_out);
    }
    if (status == BR_OK) {
        *column_out = ITEMS_CATEGORY;
        status = check_category(t->table, item, &category);
    }
    if (status == BR_OK && category.n > 0) {
        status = br_transactions_category(t->table, item, category.text);
    }
    bool titled = t->titles != NULL && texts[ITEMS_TITLE].n > 0;
    return status == BR_OK && titled ? titles_add(t->titles, &texts[ITEMS_ITEM], &texts[ITEMS_TITLE]) : status;
}

br_status br_items_file_read(const br_items_file *file, br_transactions *table, br_item_titles *titles,
                             br_table_tally *tally)
{
    br_assert(file->item != NULL);
    taking_items t = {file, table, titles};
    const br_table_column columns[N_ITEM_COLUMNS] = {[ITEMS_ITEM] = {file->item, true},
                                                     [ITEMS_CATEGORY] = {file->category, false},
                                                     [ITEMS_TITLE] = {file->title, false}};
    return br_table_file_read(&(br_table_file){.path = file->path,
                                               .columns = columns,
                                               .n_columns = N_ITEM_COLUMNS,
                                               .take = take_item,
                                               .context = &t,
                                               .listener = file->listener},
                              tally);
}
