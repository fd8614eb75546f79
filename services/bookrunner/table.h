#ifndef BOOKRUNNER_TABLE_H
#define BOOKRUNNER_TABLE_H

/// Rows of cells, printed as an aligned table, JSON, NDJSON or CSV.
///
///     BR_AUTO_DEINIT(table) t = {.columns = (const char *[]){"bond", "recall"}, .n_columns = 2};
///     table_text(&t, "B1"); table_number(&t, 0.5, 4);
///     exit_code code = table_print(&t, args->format, stdout);

#include "base/buf.h"
#include "cli.h"

#include <stdio.h>

typedef struct table_cell {
    size_t shown; ///< offset in `text` of what people see
    size_t exact; ///< offset of the JSON value
    bool right;   ///< aligned right
} table_cell;

typedef struct table {
    const char *const *columns; ///< [n_columns] names, also the JSON keys
    size_t n_columns;
    bool record; ///< two columns, name and value: JSON is one object
    br_buf text;
    br_buf cells; ///< table_cell [...]
} table;

void table_text(table *t, const char *text); ///< NULL: no value
void table_number(table *t, double value, int decimals);
void table_whole(table *t, uint64_t value);
void table_flag(table *t, bool value);
void table_value(table *t, const char *json); ///< a JSON value, shown as it stands

size_t table_n_rows(const table *t);
/// EXIT_CODE_FAILED with a message when memory ran out.
exit_code table_print(const table *t, output_format format, FILE *to);
/// Append the table as JSON: an array of objects, or one object when it is a record.
void table_json(const table *t, br_buf *out);
/// Append the table as CSV, with a line of column names.
void table_csv(const table *t, br_buf *out);
void table_deinit(table *t);

#endif
