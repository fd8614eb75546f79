#include "input/folder.h"

#include "base/alloc.h"
#include "input/columns.h"
#include "input/files.h"
#include "input/schema_yaml.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FLUSH_BYTES (1u << 16)

typedef struct sink {
    int file; ///< -1: not open
    char *path;
    br_columns columns;
    br_buf text; ///< not written yet
} sink;

struct br_folder_writer {
    char *path;
    br_schema *schema;
    sink sinks[BR_N_FILES];
};

static br_status io_failed(const char *what, const char *path)
{
    return br_fail(br_errno_status(errno), "cannot %s %s: %s", what, path, strerror(errno));
}

static br_status flush(sink *to)
{
    if (to->text.failed) {
        return br_no_memory("bytes of rows", to->text.length);
    }
    for (size_t done = 0; done < to->text.length;) {
        ssize_t n = write(to->file, to->text.data + done, to->text.length - done);
        if (n < 0 && errno != EINTR) {
            return io_failed("write", to->path);
        }
        done += n < 0 ? 0 : (size_t)n;
    }
    br_buf_clear(&to->text);
    return BR_OK;
}

static br_status sync_and_close(sink *to)
{
    br_status status = flush(to);
    if (status == BR_OK && fsync(to->file) != 0) {
        status = io_failed("sync", to->path);
    }
    if (close(to->file) != 0 && status == BR_OK) {
        status = io_failed("close", to->path);
    }
    to->file = -1;
    return status;
}

/// A new file in the folder; an old one is never overwritten.
static br_status create(sink *to, const char *folder, const char *name)
{
    BR_AUTO_DEINIT(br_buf) path = {0};
    br_buf_printf(&path, "%s/%s", folder, name);
    to->path = path.failed ? NULL : br_strdup(br_buf_text(&path));
    if (to->path == NULL) {
        return br_no_memory("path", 1);
    }
    to->file = open(to->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    return to->file < 0 ? io_failed("create", to->path) : BR_OK;
}

static br_status write_schema(const char *folder, const char *yaml)
{
    sink to = {.file = -1};
    br_status status = create(&to, folder, "schema.yaml");
    if (status == BR_OK) {
        br_buf_string(&to.text, yaml);
        status = sync_and_close(&to);
    }
    br_buf_deinit(&to.text);
    br_free(to.path);
    return status;
}

static br_status open_sink(br_folder_writer *writer, unsigned i)
{
    sink *to = &writer->sinks[i];
    br_status status = br_columns_init(&to->columns, br_file_kinds[i].kind, writer->schema);
    if (status != BR_OK) {
        return status;
    }
    char name[24];
    strcpy(name, br_file_kinds[i].stem);
    strcat(name, ".csv");
    status = create(to, writer->path, name);
    if (status != BR_OK) {
        return status;
    }
    for (uint32_t c = 0; c < to->columns.n; c++) {
        const char *column = to->columns.list[c].name;
        br_buf_string(&to->text, c > 0 ? "," : "");
        br_buf_csv_field(&to->text, column, strlen(column));
    }
    br_buf_char(&to->text, '\n');
    return flush(to);
}

br_status br_folder_writer_open(br_folder_writer **out, const char *path, const char *schema_yaml)
{
    br_assert(out != NULL && path != NULL && schema_yaml != NULL);
    BR_AUTO(br_folder_writer) *writer = br_calloc(1, sizeof *writer);
    if (writer == NULL) {
        return br_no_memory("folder writer", 1);
    }
    for (unsigned i = 0; i < BR_N_FILES; i++) {
        writer->sinks[i].file = -1;
    }
    br_status status = br_schema_read(&writer->schema, "schema.yaml", schema_yaml, strlen(schema_yaml));
    if (status != BR_OK) {
        return status;
    }
    writer->path = br_strdup(path);
    if (writer->path == NULL) {
        return br_no_memory("path", 1);
    }
    if (mkdir(path, 0777) != 0 && errno != EEXIST) {
        return io_failed("make the folder", path);
    }
    status = write_schema(path, schema_yaml);
    for (unsigned i = 0; i < BR_N_FILES && status == BR_OK; i++) {
        status = open_sink(writer, i);
    }
    if (status != BR_OK) {
        return status;
    }
    *out = writer;
    writer = NULL;
    return BR_OK;
}

static br_status append_day(br_buf *text, br_day day, const char *format)
{
    if (day == BR_DAY_NONE) {
        return BR_OK;
    }
    char plain[BR_DAY_TEXT];
    if (format == NULL) {
        br_buf_string(text, br_day_text(day, plain));
        return BR_OK;
    }
    int year;
    unsigned month;
    unsigned day_of_month;
    br_day_to_civil(day, &year, &month, &day_of_month);
    struct tm parts = {.tm_year = year - 1900, .tm_mon = (int)month - 1, .tm_mday = (int)day_of_month, .tm_isdst = -1};
    char spelled[128];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    size_t n = strftime(spelled, sizeof spelled, format, &parts);
#pragma GCC diagnostic pop
    if (n == 0) {
        return br_fail(BR_ERR_INVALID, "the date_format \"%s\" makes an empty or too long day", format);
    }
    br_buf_csv_field(text, spelled, n);
    return BR_OK;
}

static void append_text(br_buf *text, const char *value)
{
    if (value != NULL) {
        br_buf_csv_field(text, value, strlen(value));
    }
}

static void append_amount(br_buf *text, int64_t amount)
{
    if (amount == BR_AMOUNT_NONE) {
        return;
    }
    br_buf_printf(text, "%" PRId64, amount / BR_AMOUNT_SCALE);
    unsigned fraction = (unsigned)(amount % BR_AMOUNT_SCALE);
    unsigned digits = 4;
    while (fraction > 0 && fraction % 10 == 0) {
        fraction /= 10;
        digits -= 1;
    }
    if (fraction > 0) {
        br_buf_printf(text, ".%0*u", (int)digits, fraction);
    }
}

static const char *feature_value(const br_row *row, const char *name)
{
    for (uint32_t i = 0; i < row->n_features; i++) {
        if (strcmp(row->features[i].name, name) == 0) {
            return row->features[i].value;
        }
    }
    return NULL;
}

static br_status append_value(br_buf *text, const br_row *row, const br_column *column, const char *date_format)
{
    switch (column->target) {
    case BR_TARGET_BID_ID:
        append_text(text, row->bid_id);
        return BR_OK;
    case BR_TARGET_BOND_ID:
        append_text(text, row->bond_id);
        return BR_OK;
    case BR_TARGET_ISSUER_ID:
        append_text(text, row->issuer_id);
        return BR_OK;
    case BR_TARGET_INVESTOR_ID:
        append_text(text, row->investor_id);
        return BR_OK;
    case BR_TARGET_ANNOUNCE_DATE:
        return append_day(text, row->announce_day, date_format);
    case BR_TARGET_ISSUE_DATE:
        return append_day(text, row->issue_day, date_format);
    case BR_TARGET_DAY:
        return append_day(text, row->day, date_format);
    case BR_TARGET_KNOWN_FROM:
        return append_day(text, row->known_from, date_format);
    case BR_TARGET_AMOUNT:
        append_amount(text, row->amount);
        return BR_OK;
    case BR_TARGET_RATE:
        if (!isnan(row->rate)) {
            br_buf_json_number(text, row->rate);
        }
        return BR_OK;
    case BR_TARGET_REVISION:
        if (row->revision > 0) {
            br_buf_printf(text, "%" PRIu64, row->revision);
        }
        return BR_OK;
    case BR_TARGET_CANCELLED:
        br_buf_string(text, row->cancelled ? "1" : "");
        return BR_OK;
    case BR_TARGET_FEATURE:
        append_text(text, feature_value(row, column->name));
        return BR_OK;
    }
    br_assert(false && "a column stands for nothing");
    return BR_OK;
}

static br_status check_features(const sink *to, const br_row *row)
{
    for (uint32_t i = 0; i < row->n_features; i++) {
        const char *name = row->features[i].name;
        uint32_t column = br_columns_find(&to->columns, name, strlen(name));
        if (column == BR_INDEX_NONE || to->columns.list[column].target != BR_TARGET_FEATURE) {
            return br_fail(BR_ERR_INVALID, "the schema has no %s feature \"%s\"", br_row_kind_name(row->kind), name);
        }
    }
    return BR_OK;
}

br_status br_folder_writer_row(br_folder_writer *writer, const br_row *row)
{
    br_assert(writer != NULL && row != NULL);
    if (row->kind == BR_ROW_SCHEMA) {
        return BR_OK;
    }
    sink *to = NULL;
    for (unsigned i = 0; i < BR_N_FILES; i++) {
        to = br_file_kinds[i].kind == row->kind ? &writer->sinks[i] : to;
    }
    if (to == NULL) {
        return br_fail(BR_ERR_INVALID, "a market folder has no file for rows of kind %s", br_row_kind_name(row->kind));
    }
    br_status status = check_features(to, row);
    size_t before = to->text.length;
    for (uint32_t c = 0; c < to->columns.n && status == BR_OK; c++) {
        br_buf_string(&to->text, c > 0 ? "," : "");
        status = append_value(&to->text, row, &to->columns.list[c], writer->schema->date_format);
    }
    if (status != BR_OK) {
        to->text.length = before;
        return status;
    }
    br_buf_char(&to->text, '\n');
    return to->text.length >= FLUSH_BYTES || to->text.failed ? flush(to) : BR_OK;
}

static br_status sync_folder(const char *path)
{
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) {
        return io_failed("open", path);
    }
    br_status status = fsync(folder) == 0 ? BR_OK : io_failed("sync", path);
    close(folder);
    return status;
}

br_status br_folder_writer_close(br_folder_writer **writer)
{
    br_assert(writer != NULL && *writer != NULL);
    br_status status = BR_OK;
    for (unsigned i = 0; i < BR_N_FILES && status == BR_OK; i++) {
        status = sync_and_close(&(*writer)->sinks[i]);
    }
    if (status == BR_OK) {
        status = sync_folder((*writer)->path);
    }
    br_folder_writer_free(writer);
    return status;
}

void br_folder_writer_free(br_folder_writer **writer)
{
    br_folder_writer *gone = *writer;
    if (gone == NULL) {
        return;
    }
    for (unsigned i = 0; i < BR_N_FILES; i++) {
        sink *to = &gone->sinks[i];
        if (to->file >= 0) {
            close(to->file);
        }
        br_free(to->path);
        br_columns_deinit(&to->columns);
        br_buf_deinit(&to->text);
    }
    br_schema_free(&gone->schema);
    br_free(gone->path);
    br_free(gone);
    *writer = NULL;
}
