#include "table.h"

#include "base/alloc.h"
#include "base/utf8.h"

#include <string.h>

#define GAP 2 ///< columns between the columns of a table

static const table_cell *cells_of(const table *t)
{
    return (const table_cell *)(const void *)t->cells.data;
}

static const char *text_at(const table *t, size_t offset)
{
    return (const char *)t->text.data + offset;
}

/// The text written since `start` becomes a NUL-terminated string of its own.
static void end_string(table *t)
{
    br_buf_char(&t->text, '\0');
}

static void add_cell(table *t, size_t shown, size_t exact, bool right)
{
    table_cell cell = {shown, exact, right};
    br_buf_append(&t->cells, &cell, sizeof cell);
}

void table_text(table *t, const char *text)
{
    size_t shown = t->text.length;
    br_buf_string(&t->text, text == NULL ? "-" : text);
    end_string(t);
    size_t exact = t->text.length;
    if (text == NULL) {
        br_buf_string(&t->text, "null");
    } else {
        br_buf_json_string(&t->text, text, strlen(text));
    }
    end_string(t);
    add_cell(t, shown, exact, false);
}

void table_number(table *t, double value, int decimals)
{
    size_t shown = t->text.length;
    if (value != value) {
        br_buf_string(&t->text, "-");
    } else {
        br_buf_printf(&t->text, "%.*f", decimals, value);
    }
    end_string(t);
    size_t exact = t->text.length;
    br_buf_json_number(&t->text, value);
    end_string(t);
    add_cell(t, shown, exact, true);
}

void table_whole(table *t, uint64_t value)
{
    size_t shown = t->text.length;
    br_buf_printf(&t->text, "%llu", (unsigned long long)value);
    end_string(t);
    add_cell(t, shown, shown, true);
}

void table_flag(table *t, bool value)
{
    size_t shown = t->text.length;
    br_buf_string(&t->text, value ? "yes" : "no");
    end_string(t);
    size_t exact = t->text.length;
    br_buf_string(&t->text, value ? "true" : "false");
    end_string(t);
    add_cell(t, shown, exact, false);
}

void table_value(table *t, const char *json)
{
    size_t shown = t->text.length;
    br_buf_string(&t->text, json);
    end_string(t);
    add_cell(t, shown, shown, false);
}

size_t table_n_rows(const table *t)
{
    return t->cells.length / sizeof(table_cell) / t->n_columns;
}

static void json_object(const table *t, size_t row, br_buf *out)
{
    const table_cell *cells = cells_of(t) + row * t->n_columns;
    br_buf_char(out, '{');
    for (size_t i = 0; i < t->n_columns; i++) {
        br_buf_string(out, i == 0 ? "" : ", ");
        br_buf_json_string(out, t->columns[i], strlen(t->columns[i]));
        br_buf_string(out, ": ");
        br_buf_string(out, text_at(t, cells[i].exact));
    }
    br_buf_char(out, '}');
}

static void json_record(const table *t, br_buf *out)
{
    size_t n = table_n_rows(t);
    br_buf_char(out, '{');
    for (size_t i = 0; i < n; i++) {
        const table_cell *cells = cells_of(t) + i * t->n_columns;
        br_buf_string(out, i == 0 ? "" : ", ");
        br_buf_string(out, text_at(t, cells[0].exact));
        br_buf_string(out, ": ");
        br_buf_string(out, text_at(t, cells[1].exact));
    }
    br_buf_char(out, '}');
}

void table_json(const table *t, br_buf *out)
{
    if (t->record) {
        json_record(t, out);
        return;
    }
    size_t n = table_n_rows(t);
    br_buf_char(out, '[');
    for (size_t i = 0; i < n; i++) {
        br_buf_string(out, i == 0 ? "\n " : ",\n ");
        json_object(t, i, out);
    }
    br_buf_string(out, n == 0 ? "]" : "\n]");
}

static void write_ndjson(const table *t, br_buf *out)
{
    size_t n = table_n_rows(t);
    for (size_t i = 0; i < n; i++) {
        json_object(t, i, out);
        br_buf_char(out, '\n');
    }
}

void table_csv(const table *t, br_buf *out)
{
    for (size_t i = 0; i < t->n_columns; i++) {
        br_buf_string(out, i == 0 ? "" : ",");
        br_buf_csv_field(out, t->columns[i], strlen(t->columns[i]));
    }
    br_buf_char(out, '\n');
    size_t n = table_n_rows(t);
    for (size_t i = 0; i < n * t->n_columns; i++) {
        const table_cell *cell = cells_of(t) + i;
        bool none = strcmp(text_at(t, cell->exact), "null") == 0;
        const char *text = none ? "" : text_at(t, cell->right ? cell->exact : cell->shown);
        br_buf_string(out, i % t->n_columns == 0 ? "" : ",");
        br_buf_csv_field(out, text, strlen(text));
        br_buf_string(out, (i + 1) % t->n_columns == 0 ? "\n" : "");
    }
}

static void pad(br_buf *out, size_t n)
{
    br_buf_printf(out, "%*s", (int)n, "");
}

static void write_aligned(const char *text, bool right, size_t width, bool last, br_buf *out)
{
    size_t columns = br_utf8_columns(text, strlen(text));
    size_t missing = width > columns ? width - columns : 0;
    if (right) {
        pad(out, missing);
    }
    br_buf_string(out, text);
    if (!last) {
        pad(out, (right ? 0 : missing) + GAP);
    }
}

static size_t column_width(const table *t, size_t column)
{
    size_t width = t->record ? 0 : br_utf8_columns(t->columns[column], strlen(t->columns[column]));
    size_t n = table_n_rows(t);
    for (size_t i = 0; i < n; i++) {
        const char *text = text_at(t, cells_of(t)[i * t->n_columns + column].shown);
        size_t columns = br_utf8_columns(text, strlen(text));
        width = columns > width ? columns : width;
    }
    return width;
}

static bool column_is_right(const table *t, size_t column)
{
    return table_n_rows(t) > 0 && cells_of(t)[column].right;
}

static void write_table(const table *t, br_buf *out)
{
    size_t n = table_n_rows(t);
    for (size_t c = 0; c < t->n_columns && !t->record; c++) {
        write_aligned(t->columns[c], column_is_right(t, c), column_width(t, c), c + 1 == t->n_columns, out);
    }
    br_buf_string(out, t->record ? "" : "\n");
    BR_AUTO_DEINIT(br_buf) widths = {0};
    for (size_t c = 0; c < t->n_columns; c++) {
        size_t width = column_width(t, c);
        br_buf_append(&widths, &width, sizeof width);
    }
    if (widths.failed) {
        out->failed = true;
        return;
    }
    for (size_t i = 0; i < n * t->n_columns; i++) {
        size_t c = i % t->n_columns;
        const table_cell *cell = cells_of(t) + i;
        size_t width = ((const size_t *)(const void *)widths.data)[c];
        write_aligned(text_at(t, cell->shown), cell->right, width, c + 1 == t->n_columns, out);
        br_buf_string(out, c + 1 == t->n_columns ? "\n" : "");
    }
}

exit_code table_print(const table *t, output_format format, FILE *to)
{
    BR_AUTO_DEINIT(br_buf) out = {0};
    if (!t->text.failed && !t->cells.failed) {
        switch (format) {
        case FORMAT_JSON:
            table_json(t, &out);
            br_buf_char(&out, '\n');
            break;
        case FORMAT_NDJSON:
            if (t->record) {
                table_json(t, &out);
                br_buf_char(&out, '\n');
            } else {
                write_ndjson(t, &out);
            }
            break;
        case FORMAT_CSV:
            table_csv(t, &out);
            break;
        case FORMAT_TABLE:
        case FORMAT_NAGIOS:
            write_table(t, &out);
            break;
        }
    }
    if (out.failed || t->text.failed || t->cells.failed) {
        return cli_failed(br_no_memory("cells of the table", table_n_rows(t)), "print");
    }
    fwrite(out.data, 1, out.length, to);
    return EXIT_CODE_OK;
}

void table_deinit(table *t)
{
    br_buf_deinit(&t->text);
    br_buf_deinit(&t->cells);
}
