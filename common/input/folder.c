#include "input/folder.h"

#include "base/alloc.h"
#include "base/utf8.h"
#include "input/columns.h"
#include "input/csv_reader.h"
#include "input/files.h"
#include "input/ndjson_reader.h"
#include "input/schema_yaml.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_SCHEMA_BYTES    (1u << 20)
#define SHOWN_UNKNOWN_BYTES BR_MAX_ID_BYTES

/// One of the files with rows.
typedef struct source {
    char name[24]; ///< "bonds.ndjson"; "" if there is none
    bool ndjson;
    uint64_t bytes;
} source;

/// A column of a CSV header.
typedef struct header_column {
    uint32_t name;   ///< in br_folder.header_names
    uint32_t column; ///< of br_folder.columns, or BR_INDEX_NONE
} header_column;

struct br_folder {
    char *path;
    br_schema *schema;
    bool schema_given;
    source sources[BR_N_FILES];
    unsigned current;
    uint64_t done;   ///< bytes of the files before the current one
    br_lines *lines; ///< NULL until the current file is open
    br_csv *csv;
    br_ndjson *ndjson;
    br_columns columns;
    br_index *header_names;
    header_column *header; ///< [n_header]
    size_t n_header;
    br_named_value *features; ///< of the row given out last
    br_buf raw;
    br_index *unknown;
    const char **unknown_list; ///< [count of unknown], capacity BR_MAX_UNKNOWN_COLUMNS + 1
};

static const br_file_kind *kind_of(unsigned i)
{
    return &br_file_kinds[i];
}

/// Size of a file of the folder; BR_ERR_NOT_FOUND without a reason if there is none.
static br_status size_of(const br_folder *folder, const char *name, uint64_t *bytes_out)
{
    BR_AUTO_DEINIT(br_buf) path = {0};
    br_buf_printf(&path, "%s/%s", folder->path, name);
    if (path.failed) {
        return br_no_memory("path", 1);
    }
    struct stat info;
    if (stat(br_buf_text(&path), &info) != 0) {
        return br_fail(br_errno_status(errno), "%s: %s", br_buf_text(&path), strerror(errno));
    }
    *bytes_out = info.st_size > 0 ? (uint64_t)info.st_size : 0;
    return BR_OK;
}

static br_status find_source(br_folder *folder, unsigned i)
{
    char csv[24];
    char ndjson[24];
    uint64_t csv_bytes = 0;
    uint64_t ndjson_bytes = 0;
    snprintf(csv, sizeof csv, "%s.csv", kind_of(i)->stem);
    snprintf(ndjson, sizeof ndjson, "%s.ndjson", kind_of(i)->stem);
    br_status has_csv = size_of(folder, csv, &csv_bytes);
    br_status has_ndjson = size_of(folder, ndjson, &ndjson_bytes);
    if (has_csv != BR_OK && has_csv != BR_ERR_NOT_FOUND) {
        return has_csv;
    }
    if (has_ndjson != BR_OK && has_ndjson != BR_ERR_NOT_FOUND) {
        return has_ndjson;
    }
    if (has_csv == BR_OK && has_ndjson == BR_OK) {
        return br_fail(BR_ERR_INVALID, "%s holds both %s and %s: one of them must go", folder->path, csv, ndjson);
    }
    source *found = &folder->sources[i];
    if (has_csv != BR_OK && has_ndjson != BR_OK) {
        return kind_of(i)->required ? br_fail(BR_ERR_NOT_FOUND, "%s has neither %s nor %s", folder->path, csv, ndjson)
                                    : BR_OK;
    }
    found->ndjson = has_ndjson == BR_OK;
    found->bytes = found->ndjson ? ndjson_bytes : csv_bytes;
    memcpy(found->name, found->ndjson ? ndjson : csv, sizeof found->name);
    return BR_OK;
}

static br_status read_text(const char *path, br_buf *text)
{
    FILE *file = fopen(path, "rbe");
    if (file == NULL) {
        return br_fail(br_errno_status(errno), "%s: %s", path, strerror(errno));
    }
    char piece[4096];
    size_t n;
    while (text->length <= MAX_SCHEMA_BYTES && (n = fread(piece, 1, sizeof piece, file)) > 0) {
        br_buf_append(text, piece, n);
    }
    int cause = errno;
    bool bad = ferror(file) != 0;
    fclose(file);
    if (bad) {
        return br_fail(BR_ERR_IO, "%s: %s", path, strerror(cause));
    }
    if (text->length > MAX_SCHEMA_BYTES) {
        return br_fail(BR_ERR_LIMIT, "%s is larger than %u bytes", path, MAX_SCHEMA_BYTES);
    }
    return text->failed ? br_no_memory("bytes of schema", text->length) : BR_OK;
}

static br_status read_schema(br_folder *folder)
{
    BR_AUTO_DEINIT(br_buf) path = {0};
    BR_AUTO_DEINIT(br_buf) text = {0};
    br_buf_printf(&path, "%s/schema.yaml", folder->path);
    if (path.failed) {
        return br_no_memory("path", 1);
    }
    br_status status = read_text(br_buf_text(&path), &text);
    return status != BR_OK ? status : br_schema_read(&folder->schema, "schema.yaml", br_buf_text(&text), text.length);
}

static br_status check_directory(const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0) {
        return br_fail(br_errno_status(errno), "%s: %s", path, strerror(errno));
    }
    return S_ISDIR(info.st_mode) ? BR_OK : br_fail(BR_ERR_NOT_FOUND, "%s is not a folder", path);
}

static br_status allocate(br_folder *folder, const char *path)
{
    folder->path = br_strdup(path);
    folder->features = br_calloc(2 * BR_MAX_FEATURES, sizeof *folder->features);
    folder->header = br_calloc(BR_MAX_COLUMNS, sizeof *folder->header);
    folder->unknown_list = br_calloc(BR_MAX_UNKNOWN_COLUMNS + 1, sizeof *folder->unknown_list);
    bool have =
        folder->path != NULL && folder->features != NULL && folder->header != NULL && folder->unknown_list != NULL;
    return have ? br_index_new(&folder->unknown) : br_no_memory("columns of a market folder", BR_MAX_COLUMNS);
}

br_status br_folder_open(br_folder **out, const char *path)
{
    br_assert(out != NULL && path != NULL);
    br_status status = check_directory(path);
    if (status != BR_OK) {
        return status;
    }
    BR_AUTO(br_folder) *folder = br_calloc(1, sizeof *folder);
    if (folder == NULL) {
        return br_no_memory("market folder", 1);
    }
    status = allocate(folder, path);
    if (status == BR_OK) {
        status = read_schema(folder);
    }
    for (unsigned i = 0; i < BR_N_FILES && status == BR_OK; i++) {
        status = find_source(folder, i);
    }
    if (status != BR_OK) {
        return status;
    }
    *out = folder;
    folder = NULL;
    return BR_OK;
}

const br_schema *br_folder_schema(const br_folder *folder)
{
    return folder->schema;
}

/// Remember a name that was ignored, once per file.
static br_status note_unknown(br_folder *folder, const char *name)
{
    uint32_t n = br_index_count(folder->unknown);
    if (n > BR_MAX_UNKNOWN_COLUMNS) {
        return BR_OK;
    }
    BR_AUTO_DEINIT(br_buf) text = {0};
    size_t shown = 0;
    size_t length;
    while ((length = br_utf8_sequence(name + shown, strlen(name + shown))) > 0 &&
           shown + length <= SHOWN_UNKNOWN_BYTES) {
        shown += length;
    }
    if (n == BR_MAX_UNKNOWN_COLUMNS) {
        br_buf_string(&text, "more unknown columns than are named here");
    } else {
        br_buf_printf(&text, "%s: %.*s", folder->sources[folder->current].name, (int)shown, name);
    }
    if (text.failed) {
        return br_no_memory("name of an unknown column", 1);
    }
    uint32_t number;
    bool added;
    br_status status = br_index_add(folder->unknown, br_buf_text(&text), text.length, &number, &added);
    if (status == BR_OK && added) {
        folder->unknown_list[number] = br_index_text(folder->unknown, number);
    }
    return status;
}

/// Take one name of the header.
static br_status take_name(br_folder *folder, size_t i, const br_csv_field *name)
{
    const char *file = folder->sources[folder->current].name;
    header_column *column = &folder->header[i];
    bool added;
    br_status status = br_index_add(folder->header_names, name->text, name->n, &column->name, &added);
    if (status != BR_OK) {
        return status;
    }
    if (!added && name->n > 0) {
        return br_fail(BR_ERR_INVALID, "%s line 1: the column \"%.80s\" stands there twice", file, name->text);
    }
    column->column = br_columns_find(&folder->columns, name->text, name->n);
    if (column->column != BR_INDEX_NONE) {
        return BR_OK;
    }
    char unnamed[40];
    snprintf(unnamed, sizeof unnamed, "column %zu (no name)", i + 1);
    return note_unknown(folder, name->n > 0 ? name->text : unnamed);
}

/// Are all columns there that must be? Errors: BR_ERR_INVALID with the missing and the present ones.
static br_status check_header(const br_folder *folder, uint64_t line)
{
    BR_AUTO_DEINIT(br_buf) missing = {0};
    BR_AUTO_DEINIT(br_buf) present = {0};
    for (uint32_t i = 0; i < folder->columns.n; i++) {
        const br_column *column = &folder->columns.list[i];
        if (column->required &&
            br_index_find(folder->header_names, column->name, strlen(column->name)) == BR_INDEX_NONE) {
            br_buf_printf(&missing, "%s%s", missing.length > 0 ? ", " : "", column->name);
        }
    }
    for (size_t i = 0; i < folder->n_header; i++) {
        br_buf_printf(&present, "%s%s", i > 0 ? ", " : "", br_index_text(folder->header_names, folder->header[i].name));
    }
    if (missing.failed || present.failed) {
        return br_no_memory("names of columns", folder->n_header);
    }
    return missing.length == 0
               ? BR_OK
               : br_fail(BR_ERR_INVALID, "%s line %" PRIu64 ": the header lacks %s; it has %s",
                         folder->sources[folder->current].name, line, br_buf_text(&missing), br_buf_text(&present));
}

static br_status read_header(br_folder *folder)
{
    const char *file = folder->sources[folder->current].name;
    br_csv_record record;
    br_status status = br_csv_next(folder->csv, &record);
    if (status == BR_ERR_AGAIN) {
        return br_fail(BR_ERR_INVALID, "%s is empty; its first line must name the columns", file);
    }
    if (status != BR_OK) {
        return status;
    }
    if (record.reason != NULL) {
        return br_fail(BR_ERR_INVALID, "%s line %" PRIu64 ": the header is unusable: %s", file, record.line,
                       record.reason);
    }
    if (record.n_fields > BR_MAX_COLUMNS) {
        return br_fail(BR_ERR_INVALID, "%s line %" PRIu64 ": %zu columns where at most %d are allowed", file,
                       record.line, record.n_fields, BR_MAX_COLUMNS);
    }
    folder->n_header = record.n_fields;
    br_csv_expect(folder->csv, record.n_fields);
    for (size_t i = 0; i < record.n_fields && status == BR_OK; i++) {
        status = take_name(folder, i, &record.fields[i]);
    }
    return status != BR_OK ? status : check_header(folder, record.line);
}

static void close_source(br_folder *folder)
{
    br_csv_free(&folder->csv);
    br_ndjson_free(&folder->ndjson);
    br_lines_free(&folder->lines);
    br_columns_deinit(&folder->columns);
    br_index_free(&folder->header_names);
    folder->n_header = 0;
    folder->done += folder->sources[folder->current].bytes;
    folder->current += 1;
}

static br_status open_source(br_folder *folder)
{
    const source *file = &folder->sources[folder->current];
    BR_AUTO_DEINIT(br_buf) path = {0};
    br_buf_printf(&path, "%s/%s", folder->path, file->name);
    if (path.failed) {
        return br_no_memory("path", 1);
    }
    br_status status = br_columns_init(&folder->columns, kind_of(folder->current)->kind, folder->schema);
    if (status == BR_OK) {
        status = br_lines_open(&folder->lines, br_buf_text(&path), file->name);
    }
    if (status == BR_OK && file->ndjson) {
        return br_ndjson_new(&folder->ndjson, folder->lines);
    }
    if (status == BR_OK) {
        status = br_index_new(&folder->header_names);
    }
    if (status == BR_OK) {
        status = br_csv_new(&folder->csv, folder->lines);
    }
    return status != BR_OK ? status : read_header(folder);
}

/// The beginning of a line for people: no NUL, whole characters.
static br_status show_raw(br_folder *folder, br_folder_item *item, const char *raw, size_t n)
{
    br_buf_clear(&folder->raw);
    for (size_t i = 0; i < n && folder->raw.length < BR_MAX_RAW_BYTES;) {
        size_t length = br_utf8_sequence(raw + i, n - i);
        bool readable = length > 0 && raw[i] != '\0';
        size_t added = readable ? length : 3;
        if (folder->raw.length + added > BR_MAX_RAW_BYTES) {
            break;
        }
        br_buf_append(&folder->raw, readable ? raw + i : "\xEF\xBF\xBD", added);
        i += length == 0 ? 1 : length;
    }
    item->raw = br_buf_text(&folder->raw);
    return folder->raw.failed ? br_no_memory("bytes of a line", n) : BR_OK;
}

/// Make the item a rejected one. Its reason quotes the input, perhaps cut within a character: only whole ones stay.
static br_status reject(br_folder *folder, br_folder_item *item, const char *raw, size_t n)
{
    item->rejected = true;
    char *reason = item->problem.reason;
    size_t left = strlen(reason);
    for (size_t length; left > 0; reason += length, left -= length) {
        length = br_utf8_sequence(reason, left);
        if (length == 0) {
            *reason = '?';
            length = 1;
        }
    }
    return show_raw(folder, item, raw, n);
}

static br_status next_csv(br_folder *folder, br_folder_item *item)
{
    br_csv_record record;
    br_status status = br_csv_next(folder->csv, &record);
    if (status != BR_OK) {
        return status;
    }
    item->line = record.line;
    br_row_start(&item->row, &folder->columns, folder->features);
    bool good = record.reason == NULL;
    if (!good) {
        bool named = record.column > 0 && record.column <= folder->n_header;
        const char *column = named ? br_index_text(folder->header_names, folder->header[record.column - 1].name) : "";
        br_problem_set(&item->problem, column, "%s", record.reason);
    }
    for (size_t i = 0; i < folder->n_header && good; i++) {
        uint32_t column = folder->header[i].column;
        if (column != BR_INDEX_NONE) {
            good = br_row_set(&item->row, folder->features, &folder->columns, column, record.fields[i].text,
                              &item->problem);
        }
    }
    good = good && br_row_check(folder->schema, &item->row, &item->problem);
    return good ? show_raw(folder, item, record.raw, record.n_raw) : reject(folder, item, record.raw, record.n_raw);
}

/// May this column be a number with a fraction?
static bool takes_real(const br_columns *columns, const br_column *column)
{
    return column->target == BR_TARGET_AMOUNT || column->target == BR_TARGET_RATE ||
           (column->target == BR_TARGET_FEATURE && columns->features[column->feature].kind == BR_KIND_CONTINUOUS);
}

/// Set one value of an object. *good_out = false and the item's problem if it is not right.
static br_status set_json(br_folder *folder, br_folder_item *item, const br_json_field *field, bool *good_out)
{
    const br_columns *columns = &folder->columns;
    uint32_t column = br_columns_find(columns, field->name, strlen(field->name));
    if (column == BR_INDEX_NONE) {
        return note_unknown(folder, field->name);
    }
    if (field->is_real && !takes_real(columns, &columns->list[column])) {
        br_problem_set(&item->problem, field->name,
                       "the number %s has a fraction or exponent, where text or a whole number is expected",
                       field->text);
        *good_out = false;
        return BR_OK;
    }
    *good_out = br_row_set(&item->row, folder->features, columns, column, field->text, &item->problem);
    return BR_OK;
}

static br_status next_ndjson(br_folder *folder, br_folder_item *item)
{
    br_json_record record;
    br_status status = br_ndjson_next(folder->ndjson, &record);
    if (status != BR_OK) {
        return status;
    }
    item->line = record.line;
    br_row_start(&item->row, &folder->columns, folder->features);
    bool good = record.reason == NULL;
    if (!good) {
        br_problem_set(&item->problem, record.column, "%s", record.reason);
    }
    for (size_t i = 0; i < record.n_fields && good && status == BR_OK; i++) {
        status = set_json(folder, item, &record.fields[i], &good);
    }
    if (status != BR_OK) {
        return status;
    }
    good = good && br_row_check(folder->schema, &item->row, &item->problem);
    return good ? show_raw(folder, item, record.raw, record.n_raw) : reject(folder, item, record.raw, record.n_raw);
}

static br_status next_of_source(br_folder *folder, br_folder_item *item)
{
    br_status status = folder->lines == NULL ? open_source(folder) : BR_OK;
    if (status != BR_OK) {
        return status;
    }
    return folder->ndjson != NULL ? next_ndjson(folder, item) : next_csv(folder, item);
}

br_status br_folder_next(br_folder *folder, br_folder_item *item)
{
    br_assert(folder != NULL && item != NULL);
    *item = (br_folder_item){.raw = "", .file = "schema.yaml", .line = 1};
    if (!folder->schema_given) {
        folder->schema_given = true;
        item->row = (br_row){
            .kind = BR_ROW_SCHEMA,
            .announce_day = BR_DAY_NONE,
            .issue_day = BR_DAY_NONE,
            .day = BR_DAY_NONE,
            .known_from = BR_DAY_NONE,
            .amount = BR_AMOUNT_NONE,
            .revision = folder->schema->revision,
            .yaml = folder->schema->yaml,
            .yaml_bytes = folder->schema->yaml_bytes,
        };
        return BR_OK;
    }
    while (folder->current < BR_N_FILES) {
        if (folder->sources[folder->current].name[0] == '\0') {
            folder->current += 1;
            continue;
        }
        item->file = folder->sources[folder->current].name; // also of one that cannot be used
        br_status status = next_of_source(folder, item);
        if (status == BR_OK) {
            return BR_OK;
        }
        close_source(folder);
        if (status != BR_ERR_AGAIN) {
            return status;
        }
    }
    return BR_ERR_AGAIN;
}

void br_folder_progress(const br_folder *folder, uint64_t *done_out, uint64_t *total_out)
{
    *total_out = 0;
    for (unsigned i = 0; i < BR_N_FILES; i++) {
        *total_out += folder->sources[i].bytes;
    }
    *done_out = folder->done + (folder->lines == NULL ? 0 : br_lines_done(folder->lines));
}

const char *const *br_folder_unknown_columns(const br_folder *folder, size_t *n_out)
{
    *n_out = br_index_count(folder->unknown);
    return folder->unknown_list;
}

void br_folder_free(br_folder **folder)
{
    br_folder *gone = *folder;
    if (gone == NULL) {
        return;
    }
    br_csv_free(&gone->csv);
    br_ndjson_free(&gone->ndjson);
    br_lines_free(&gone->lines);
    br_columns_deinit(&gone->columns);
    br_index_free(&gone->header_names);
    br_index_free(&gone->unknown);
    br_schema_free(&gone->schema);
    br_buf_deinit(&gone->raw);
    br_free(gone->unknown_list);
    br_free(gone->header);
    br_free(gone->features);
    br_free(gone->path);
    br_free(gone);
    *folder = NULL;
}
