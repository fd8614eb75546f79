#include "input/ctr_reader.h"

#include "base/alloc.h"
#include "base/index.h"
#include "base/utf8.h"
#include "market/row.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct ctr_field {
    char *name;
    bool numeric;
    size_t column; // CSV: in the current file, from 0
} ctr_field;

struct br_ctr_reader {
    br_ctr_format format;
    char **files; // [n_files]
    size_t n_files;
    size_t n_opened;
    char *label;
    bool takes_all;    // columns of a CSV
    ctr_field *fields; // [n_fields]
    uint32_t n_fields;
    br_ctr_value *values; // [n_fields] of the row given out
    br_lines *lines;      // of the current file
    br_csv *csv;          // of the current file, if it is CSV
    size_t label_column;
    br_line first; // libsvm: the line that told the number of fields
    bool has_first;
    br_buf text; // libsvm: the row's line, cut into its parts
    br_ctr_tally tally;
};

static const char *current_file(const br_ctr_reader *reader)
{
    return reader->files[reader->n_opened - 1];
}

// Count a row that is wrong, and say why if there is room. `column` may be NULL.
static void reject(br_ctr_reader *reader, uint64_t line, const char *column, const char *format, ...) BR_PRINTF(4, 5);
static void reject(br_ctr_reader *reader, uint64_t line, const char *column, const char *format, ...)
{
    br_ctr_tally *tally = &reader->tally;
    tally->n_rejected += 1;
    if (tally->n_messages == BR_CTR_MAX_MESSAGES) {
        return;
    }
    char why[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    char *message = tally->messages[tally->n_messages++];
    snprintf(message, BR_CTR_MAX_MESSAGE_BYTES, "%.160s line %" PRIu64 "%s%.*s: %s", current_file(reader), line,
             column == NULL ? "" : ", ", column == NULL ? 0 : br_utf8_shown(column), column == NULL ? "" : column, why);
}

// --- fields ---

static br_status make_fields(br_ctr_reader *reader, size_t n)
{
    if (n == 0) {
        return br_fail(BR_ERR_INVALID, "%s has a label and no field", reader->files[0]);
    }
    if (n > BR_CTR_MAX_FIELDS) {
        return br_fail(BR_ERR_LIMIT, "%zu fields where at most %d are allowed", n, BR_CTR_MAX_FIELDS);
    }
    reader->fields = br_calloc(n, sizeof *reader->fields);
    reader->values = br_calloc(n, sizeof *reader->values);
    if (reader->fields == NULL || reader->values == NULL) {
        return br_no_memory("fields", n);
    }
    reader->n_fields = (uint32_t)n;
    return BR_OK;
}

static br_status name_field(br_ctr_reader *reader, uint32_t i, const char *name)
{
    reader->fields[i].name = br_strdup(name);
    return reader->fields[i].name == NULL ? br_no_memory("name of a field", 1) : BR_OK;
}

// The names of fields that the caller chose; those of a header are looked at there.
static br_status name_chosen(br_ctr_reader *reader, const br_ctr_options *options)
{
    br_status status = make_fields(reader, options->n_fields);
    for (uint32_t i = 0; i < reader->n_fields && status == BR_OK; i++) {
        const char *name = options->fields[i];
        bool twice = strcmp(name, reader->label) == 0;
        for (uint32_t k = 0; k < i; k++) {
            twice = twice || strcmp(name, reader->fields[k].name) == 0;
        }
        status = twice ? br_fail(BR_ERR_INVALID, "field '%s' is named twice, or is the label", name)
                       : name_field(reader, i, name);
    }
    return status;
}

static br_status mark_numeric(br_ctr_reader *reader, const br_ctr_options *options)
{
    for (size_t k = 0; k < options->n_numeric; k++) {
        uint32_t i = 0;
        while (i < reader->n_fields && strcmp(reader->fields[i].name, options->numeric[k]) != 0) {
            i++;
        }
        if (i == reader->n_fields) {
            return br_fail(BR_ERR_INVALID, "'%s' is to be numeric and is not one of the %u fields", options->numeric[k],
                           reader->n_fields);
        }
        reader->fields[i].numeric = true;
    }
    return BR_OK;
}

// Set a field's value. False, and the row rejected, if it is not what the field takes.
static bool set_value(br_ctr_reader *reader, uint32_t i, const char *text, uint64_t line)
{
    size_t n = strlen(text);
    reader->values[i] = (br_ctr_value){.text = text, .n = n, .number = (double)NAN};
    bool good = !reader->fields[i].numeric || n == 0 || br_number_parse(&reader->values[i].number, text, n) == BR_OK;
    if (!good) {
        reject(reader, line, reader->fields[i].name, "'%.*s' is not a finite number", br_utf8_shown(text), text);
    }
    return good;
}

static bool set_label(br_ctr_reader *reader, br_ctr_row *row, const char *text)
{
    double number;
    bool good = br_number_parse(&number, text, strlen(text)) == BR_OK;
    double negative = reader->format == BR_CTR_LIBSVM && good && number == -1.0 ? -1.0 : 0.0;
    if (!good || (number != negative && number != 1.0)) {
        reject(reader, row->line, reader->label, "'%.*s' is not a label: 0 or 1", br_utf8_shown(text), text);
        return false;
    }
    row->label = number == 1.0;
    return true;
}

// --- CSV ---

static br_status index_header(br_ctr_reader *reader, const br_csv_record *header, br_index *columns)
{
    for (size_t i = 0; i < header->n_fields; i++) {
        const br_csv_field *name = &header->fields[i];
        uint32_t number;
        bool added;
        br_status status = br_index_add(columns, name->text, name->n, &number, &added);
        if (status != BR_OK) {
            return status;
        }
        if (!added) {
            return br_fail(BR_ERR_INVALID, "%s: column '%s' is there twice", current_file(reader), name->text);
        }
    }
    return BR_OK;
}

static br_status find_column(br_ctr_reader *reader, const br_index *columns, const char *name, size_t *column_out)
{
    uint32_t column = br_index_find(columns, name, strlen(name));
    if (column == BR_INDEX_NONE) {
        return br_fail(BR_ERR_INVALID, "%s: the header has no column '%s'", current_file(reader), name);
    }
    *column_out = column;
    return BR_OK;
}

// The first header decides what all columns but the label are; a later one may order them in another way.
static br_status take_all(br_ctr_reader *reader, const br_csv_record *header)
{
    if (reader->n_fields > 0) {
        return header->n_fields == reader->n_fields + (size_t)1
                   ? BR_OK
                   : br_fail(BR_ERR_INVALID, "%s has %zu columns where %s has %u", current_file(reader),
                             header->n_fields, reader->files[0], reader->n_fields + 1);
    }
    br_status status = make_fields(reader, header->n_fields - 1);
    for (size_t column = 0, i = 0; column < header->n_fields && status == BR_OK; column++) {
        if (column != reader->label_column) {
            status = name_field(reader, (uint32_t)i++, header->fields[column].text);
        }
    }
    return status;
}

static br_status place_columns(br_ctr_reader *reader, const br_csv_record *header)
{
    BR_AUTO(br_index) *columns = NULL;
    br_status status = br_index_new(&columns);
    if (status == BR_OK) {
        status = index_header(reader, header, columns);
    }
    if (status == BR_OK) {
        status = find_column(reader, columns, reader->label, &reader->label_column);
    }
    if (status == BR_OK && reader->takes_all) {
        status = take_all(reader, header);
    }
    for (uint32_t i = 0; i < reader->n_fields && status == BR_OK; i++) {
        status = find_column(reader, columns, reader->fields[i].name, &reader->fields[i].column);
    }
    return status;
}

static br_status read_header(br_ctr_reader *reader)
{
    br_csv_record header;
    br_status status = br_csv_next(reader->csv, &header);
    if (status == BR_ERR_AGAIN) {
        return br_fail(BR_ERR_INVALID, "%s is empty; its first line must name the columns", current_file(reader));
    }
    if (status != BR_OK) {
        return status;
    }
    if (header.reason != NULL) {
        return br_fail(BR_ERR_INVALID, "%s line %" PRIu64 ": the header is unusable: %s", current_file(reader),
                       header.line, header.reason);
    }
    if (header.n_fields > BR_MAX_COLUMNS) {
        return br_fail(BR_ERR_LIMIT, "%s: %zu columns where at most %d are allowed", current_file(reader),
                       header.n_fields, BR_MAX_COLUMNS);
    }
    br_csv_expect(reader->csv, header.n_fields);
    return place_columns(reader, &header);
}

static br_status next_csv(br_ctr_reader *reader, br_ctr_row *row, bool *good_out)
{
    br_csv_record record;
    br_status status = br_csv_next(reader->csv, &record);
    if (status != BR_OK) {
        return status;
    }
    row->line = record.line;
    bool good = record.reason == NULL;
    if (!good) {
        reject(reader, record.line, NULL, "%s", record.reason);
    }
    good = good && set_label(reader, row, record.fields[reader->label_column].text);
    for (uint32_t i = 0; i < reader->n_fields && good; i++) {
        good = set_value(reader, i, record.fields[reader->fields[i].column].text, record.line);
    }
    *good_out = good;
    return BR_OK;
}

// --- libsvm ---

static const char blanks[] = " \t";

static br_status next_line(br_ctr_reader *reader, br_line *line)
{
    if (reader->has_first) {
        reader->has_first = false;
        *line = reader->first;
        return BR_OK;
    }
    return br_lines_next(reader->lines, line);
}

// The first line with something in it tells the number of fields. Lines that are unusable as a whole are rejected on the way.
static br_status count_fields(br_ctr_reader *reader)
{
    size_t n_parts = 0;
    while (n_parts == 0) {
        br_status status = br_lines_next(reader->lines, &reader->first);
        if (status != BR_OK) {
            return status == BR_ERR_AGAIN ? br_fail(BR_ERR_INVALID, "%s has no row", current_file(reader)) : status;
        }
        if (reader->first.reason != NULL) {
            reject(reader, reader->first.number, NULL, "%s", reader->first.reason);
            continue;
        }
        const char *at = reader->first.text;
        for (at += strspn(at, blanks); *at != '\0'; at += strspn(at, blanks)) {
            at += strcspn(at, blanks);
            n_parts += 1;
        }
    }
    reader->has_first = true;
    br_status status = make_fields(reader, n_parts - 1);
    for (uint32_t i = 0; i < reader->n_fields && status == BR_OK; i++) {
        char name[16];
        snprintf(name, sizeof name, "%u", i + 1);
        status = name_field(reader, i, name);
    }
    return status;
}

// INDEX:VALUE of field i, which it cuts in two.
static bool set_part(br_ctr_reader *reader, uint32_t i, char *part, uint64_t line)
{
    char *colon = strchr(part, ':');
    double number;
    if (colon == NULL || colon == part || strspn(part, "0123456789") != (size_t)(colon - part)) {
        reject(reader, line, reader->fields[i].name, "'%.*s' is not INDEX:VALUE", br_utf8_shown(part), part);
        return false;
    }
    *colon = '\0';
    const char *value = colon + 1;
    if (reader->fields[i].numeric) {
        return set_value(reader, i, value, line);
    }
    if (br_number_parse(&number, value, strlen(value)) != BR_OK || number != 1.0) {
        reject(reader, line, reader->fields[i].name, "value '%.*s' of a category, which must be 1",
               br_utf8_shown(value), value);
        return false;
    }
    return set_value(reader, i, part, line);
}

// False, and the row rejected, if the line in `text` is not a row.
static bool take_parts(br_ctr_reader *reader, br_ctr_row *row, char *label, char *rest)
{
    if (!set_label(reader, row, label)) {
        return false;
    }
    uint32_t n = 0;
    for (char *part = strtok_r(NULL, blanks, &rest); part != NULL; part = strtok_r(NULL, blanks, &rest), n++) {
        if (n < reader->n_fields && !set_part(reader, n, part, row->line)) {
            return false;
        }
    }
    if (n != reader->n_fields) {
        reject(reader, row->line, NULL, "%u field%s where the first row has %u", n, n == 1 ? "" : "s",
               reader->n_fields);
    }
    return n == reader->n_fields;
}

static br_status next_libsvm(br_ctr_reader *reader, br_ctr_row *row, bool *good_out)
{
    br_line line;
    br_status status = next_line(reader, &line);
    if (status != BR_OK) {
        return status;
    }
    row->line = line.number;
    *good_out = false;
    if (line.reason != NULL) {
        reject(reader, line.number, NULL, "%s", line.reason);
        return BR_OK;
    }
    br_buf_clear(&reader->text);
    br_buf_append(&reader->text, line.text, line.n + 1);
    if (reader->text.failed) {
        return br_no_memory("bytes of a row", line.n);
    }
    char *rest = NULL;
    char *label = strtok_r((char *)reader->text.data, blanks, &rest);
    *good_out = label != NULL && take_parts(reader, row, label, rest); // NULL: a blank line
    return BR_OK;
}

// --- files ---

static void close_file(br_ctr_reader *reader)
{
    br_csv_free(&reader->csv);
    br_lines_free(&reader->lines);
}

static br_status open_next(br_ctr_reader *reader)
{
    const char *file = reader->files[reader->n_opened++];
    br_status status = br_lines_open(&reader->lines, file, file);
    if (status == BR_OK && reader->format == BR_CTR_CSV) {
        status = br_csv_new(&reader->csv, reader->lines);
        status = status == BR_OK ? read_header(reader) : status;
    } else if (status == BR_OK && reader->n_fields == 0) {
        status = count_fields(reader);
    }
    if (status != BR_OK) {
        close_file(reader);
    }
    return status;
}

static br_status copy_options(br_ctr_reader *reader, const char *const *files, size_t n_files,
                              const br_ctr_options *options)
{
    bool csv = options->format == BR_CTR_CSV;
    reader->format = options->format;
    reader->takes_all = csv && options->n_fields == 0;
    reader->files = br_calloc(n_files, sizeof *reader->files);
    reader->label = br_strdup(csv && options->label != NULL ? options->label : "label");
    if (reader->files == NULL || reader->label == NULL) {
        return br_no_memory("names of files", n_files);
    }
    for (reader->n_files = 0; reader->n_files < n_files; reader->n_files++) {
        reader->files[reader->n_files] = br_strdup(files[reader->n_files]);
        if (reader->files[reader->n_files] == NULL) {
            return br_no_memory("names of files", n_files);
        }
    }
    return csv && !reader->takes_all ? name_chosen(reader, options) : BR_OK;
}

br_status br_ctr_reader_new(br_ctr_reader **out, const char *const *files, size_t n_files,
                            const br_ctr_options *options)
{
    br_assert(out != NULL && files != NULL && n_files > 0 && options != NULL);
    br_assert(options->format == BR_CTR_CSV || options->n_fields == 0);
    BR_AUTO(br_ctr_reader) *reader = br_calloc(1, sizeof *reader);
    if (reader == NULL) {
        return br_no_memory("CTR reader", 1);
    }
    br_status status = copy_options(reader, files, n_files, options);
    if (status == BR_OK) {
        status = open_next(reader);
    }
    if (status == BR_OK) {
        status = mark_numeric(reader, options);
    }
    if (status == BR_OK) {
        *out = reader;
        reader = NULL;
    }
    return status;
}

br_status br_ctr_reader_next(br_ctr_reader *reader, br_ctr_row *row)
{
    for (;;) {
        bool good = false;
        *row = (br_ctr_row){.values = reader->values, .file = current_file(reader)};
        br_status status = reader->lines == NULL          ? BR_ERR_AGAIN
                           : reader->format == BR_CTR_CSV ? next_csv(reader, row, &good)
                                                          : next_libsvm(reader, row, &good);
        if (status == BR_ERR_AGAIN && reader->n_opened < reader->n_files) {
            close_file(reader);
            status = open_next(reader);
        }
        if (status != BR_OK || good) {
            reader->tally.n_rows += good;
            return status;
        }
    }
}

uint32_t br_ctr_reader_n_fields(const br_ctr_reader *reader)
{
    return reader->n_fields;
}

const char *br_ctr_reader_name(const br_ctr_reader *reader, uint32_t i)
{
    br_assert(i < reader->n_fields);
    return reader->fields[i].name;
}

bool br_ctr_reader_is_numeric(const br_ctr_reader *reader, uint32_t i)
{
    br_assert(i < reader->n_fields);
    return reader->fields[i].numeric;
}

const br_ctr_tally *br_ctr_reader_tally(const br_ctr_reader *reader)
{
    return &reader->tally;
}

void br_ctr_reader_free(br_ctr_reader **reader)
{
    br_ctr_reader *gone = *reader;
    if (gone == NULL) {
        return;
    }
    close_file(gone);
    for (size_t i = 0; i < gone->n_files; i++) {
        br_free(gone->files[i]);
    }
    for (uint32_t i = 0; i < gone->n_fields; i++) {
        br_free(gone->fields[i].name);
    }
    br_buf_deinit(&gone->text);
    br_free(gone->files);
    br_free(gone->fields);
    br_free(gone->values);
    br_free(gone->label);
    br_free(gone);
    *reader = NULL;
}
