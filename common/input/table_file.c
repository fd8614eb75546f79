#include "input/table_file.h"

#include "base/alloc.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#define WATCHED_ROWS    4096 ///< rows between two calls of the watcher
#define LISTED_COLUMNS  12   ///< of a header, in a message
#define NOT_IN_THE_FILE SIZE_MAX

/// One reading.
typedef struct reading {
    const br_table_file *file;
    const char *name;
    br_csv *csv;
    size_t places[BR_MAX_TABLE_COLUMNS]; ///< of the wanted columns in a record
    br_buf header;                       ///< texts of the header, each closed by NUL
    size_t n_header;
    br_buf raw;
    br_table_tally *tally;
} reading;

static void reading_deinit(reading *r)
{
    br_csv_free(&r->csv);
    br_buf_deinit(&r->header);
    br_buf_deinit(&r->raw);
}

/// Append what a person may see of text[0..n): whole characters, none of control but "?" instead.
static void append_readable(br_buf *out, const char *text, size_t n, size_t max_bytes)
{
    for (size_t i = 0; i < n;) {
        size_t length = br_utf8_sequence(text + i, n - i);
        bool readable = length > 0 && (text[i] == '\t' || !br_utf8_has_control(text + i, length));
        size_t added = readable ? length : 1;
        if (out->length + added > max_bytes) {
            return;
        }
        br_buf_append(out, readable ? text + i : "?", added);
        i += length == 0 ? 1 : length;
    }
}

// --- the header ---

static const char *header_name(const reading *r, size_t place)
{
    const char *at = br_buf_text(&r->header);
    for (size_t i = 0; i < place; i++) {
        at += strlen(at) + 1;
    }
    return at;
}

static br_status missing(const reading *r, uint64_t line, const char *name)
{
    BR_AUTO_DEINIT(br_buf) has = {0};
    const char *at = br_buf_text(&r->header);
    if (r->n_header == 1 && strpbrk(at, ";\t") != NULL) {
        return br_fail(BR_ERR_INVALID,
                       "%.160s line %" PRIu64 ": the header has no column '%.80s' and no comma; columns are separated "
                       "by commas, not by semicolons or tabs",
                       r->name, line, name);
    }
    for (size_t i = 0; i < r->n_header && i < LISTED_COLUMNS; i++) {
        br_buf_printf(&has, "%s%.*s", i == 0 ? "" : ", ", br_utf8_shown(at), at);
        at += strlen(at) + 1;
    }
    return br_fail(BR_ERR_INVALID, "%.160s line %" PRIu64 ": the header has no column '%.80s'; it has %s%s", r->name,
                   line, name, br_buf_text(&has), r->n_header > LISTED_COLUMNS ? ", ..." : "");
}

static br_status place_column(reading *r, const br_csv_record *header, uint32_t i)
{
    const char *name = r->file->columns[i].name;
    r->places[i] = NOT_IN_THE_FILE;
    for (size_t k = 0; k < header->n_fields && name != NULL; k++) {
        if (strcmp(header->fields[k].text, name) != 0) {
            continue;
        }
        if (r->places[i] != NOT_IN_THE_FILE) {
            return br_fail(BR_ERR_INVALID, "%.160s line %" PRIu64 ": the column '%.80s' stands there twice", r->name,
                           header->line, name);
        }
        r->places[i] = k;
    }
    return name == NULL || r->places[i] != NOT_IN_THE_FILE ? BR_OK : missing(r, header->line, name);
}

static br_status read_header(reading *r)
{
    br_csv_record header;
    br_status status = br_csv_next(r->csv, &header);
    if (status == BR_ERR_AGAIN) {
        return br_fail(BR_ERR_INVALID, "%.160s is empty; its first line must name the columns", r->name);
    }
    if (status != BR_OK) {
        return status;
    }
    if (header.reason != NULL) {
        return br_fail(BR_ERR_INVALID, "%.160s line %" PRIu64 ": the header is unusable: %s", r->name, header.line,
                       header.reason);
    }
    if (header.n_fields > BR_MAX_COLUMNS) {
        return br_fail(BR_ERR_INVALID, "%.160s line %" PRIu64 ": %zu columns where at most %d are allowed", r->name,
                       header.line, header.n_fields, BR_MAX_COLUMNS);
    }
    r->n_header = header.n_fields;
    br_csv_expect(r->csv, header.n_fields);
    for (size_t k = 0; k < header.n_fields; k++) {
        br_buf_append(&r->header, header.fields[k].text, header.fields[k].n + 1);
    }
    if (r->header.failed) {
        return br_no_memory("bytes of a header", header.n_fields);
    }
    for (uint32_t i = 0; i < r->file->n_columns && status == BR_OK; i++) {
        status = place_column(r, &header, i);
    }
    return status;
}

// --- rows ---

static br_status reject(reading *r, const br_csv_record *record, const char *column, const char *reason)
{
    r->tally->n_rejected += 1;
    if (r->file->listener.reject == NULL) {
        return BR_OK;
    }
    BR_AUTO_DEINIT(br_buf) why = {0};
    append_readable(&why, reason, strlen(reason), SIZE_MAX);
    br_buf_clear(&r->raw);
    append_readable(&r->raw, record->raw, record->n_raw, BR_MAX_RAW_BYTES);
    if (why.failed || r->raw.failed) {
        return br_no_memory("bytes of a rejected row", record->n_raw);
    }
    br_table_rejection rejection = {.file = r->name,
                                    .line = record->line,
                                    .column = column,
                                    .reason = br_buf_text(&why),
                                    .raw = br_buf_text(&r->raw)};
    return r->file->listener.reject(r->file->listener.context, &rejection);
}

/// What is wrong with a text by itself, or NULL.
static const char *wrong_text(const br_table_column *column, const br_csv_field *text)
{
    if (column->required && text->n == 0) {
        return "nothing stands there";
    }
    return br_utf8_has_control(text->text, text->n) ? "a control character" : NULL;
}

static br_status take_row(reading *r, const br_csv_record *record)
{
    br_csv_field texts[BR_MAX_TABLE_COLUMNS];
    uint32_t n = r->file->n_columns;
    for (uint32_t i = 0; i < n; i++) {
        texts[i] = r->places[i] == NOT_IN_THE_FILE ? (br_csv_field){"", 0} : record->fields[r->places[i]];
        const char *wrong = wrong_text(&r->file->columns[i], &texts[i]);
        if (wrong != NULL) {
            return reject(r, record, r->file->columns[i].name, wrong);
        }
    }
    uint32_t column = n;
    br_status status = r->file->take(r->file->context, texts, &column);
    if (status == BR_ERR_INVALID || status == BR_ERR_EXISTS) {
        bool named = column < n && r->file->columns[column].name != NULL;
        return reject(r, record, named ? r->file->columns[column].name : "", br_why(status));
    }
    r->tally->n_rows += status == BR_OK ? 1 : 0;
    return status;
}

static br_status next_row(reading *r)
{
    br_csv_record record;
    br_status status = br_csv_next(r->csv, &record);
    if (status != BR_OK) {
        return status;
    }
    if (record.reason != NULL) {
        bool named = record.column > 0 && record.column <= r->n_header;
        return reject(r, &record, named ? header_name(r, record.column - 1) : "", record.reason);
    }
    return take_row(r, &record);
}

br_status br_table_file_read(const br_table_file *file, br_table_tally *tally)
{
    br_assert(file != NULL && tally != NULL && file->n_columns <= BR_MAX_TABLE_COLUMNS);
    *tally = (br_table_tally){0};
    BR_AUTO(br_lines) *lines = NULL;
    BR_AUTO_DEINIT(reading) r = {.file = file, .name = file->name == NULL ? file->path : file->name, .tally = tally};
    br_status status = br_lines_open(&lines, file->path, r.name);
    if (status == BR_OK) {
        status = br_csv_new(&r.csv, lines);
    }
    if (status == BR_OK) {
        status = read_header(&r);
    }
    const br_table_listener *listener = &file->listener;
    struct stat info;
    uint64_t total = stat(file->path, &info) == 0 && info.st_size > 0 ? (uint64_t)info.st_size : 0;
    for (uint64_t n = 0; status == BR_OK; n++) {
        bool watched = listener->watch != NULL && n % WATCHED_ROWS == 0;
        if (watched && !listener->watch(listener->context, br_lines_done(lines), total)) {
            return br_fail(BR_ERR_CANCELLED, "interrupted while reading %.160s", r.name);
        }
        status = next_row(&r);
    }
    return status == BR_ERR_AGAIN ? BR_OK : status;
}
