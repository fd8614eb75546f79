#include "input/csv_reader.h"

#include "base/alloc.h"

#include <csv.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/// Lines that were read ahead by a record of several lines, each behind the other and closed by LF.
typedef struct held_lines {
    br_buf bytes;
    size_t next;          ///< where the next line to be read again begins
    uint64_t next_number; ///< and its number
} held_lines;

struct br_csv {
    br_lines *lines;
    struct csv_parser parser;
    held_lines held;
    br_buf last_text; ///< the text of `last`, if that was kept
    char last_why[192];
    br_line last; ///< a line that ended a record by being unusable: given out when the held ones are through
    bool has_last;
    size_t n_expected;
    br_buf bytes; ///< of the record's fields, each closed by NUL
    size_t *ends; ///< [BR_MAX_COLUMNS] of fields in `bytes`, behind the NUL
    br_csv_field *fields;
    size_t n_fields;
    bool complete;
    char reason[256];
};

static int is_space(unsigned char c)
{
    return c == ' ';
}

static int is_end(unsigned char c)
{
    return c == '\n';
}

static void *resize(void *block, size_t n)
{
    return br_reallocarray(block, n, 1);
}

static void take_field(void *text, size_t n, void *context)
{
    br_csv *csv = context;
    br_buf_append(&csv->bytes, text, n);
    br_buf_char(&csv->bytes, '\0');
    if (csv->n_fields < BR_MAX_COLUMNS) {
        csv->ends[csv->n_fields] = csv->bytes.length;
    }
    csv->n_fields += 1;
}

static void take_record(int end, void *context)
{
    (void)end;
    br_csv *csv = context;
    csv->complete = true;
}

br_status br_csv_new(br_csv **out, br_lines *lines)
{
    br_assert(out != NULL && lines != NULL);
    BR_AUTO(br_csv) *csv = br_calloc(1, sizeof *csv);
    if (csv == NULL) {
        return br_no_memory("CSV reader", 1);
    }
    csv->lines = lines;
    csv_init(&csv->parser, CSV_STRICT | CSV_APPEND_NULL);
    csv_set_realloc_func(&csv->parser, resize);
    csv_set_free_func(&csv->parser, br_free);
    csv_set_space_func(&csv->parser, is_space);
    csv_set_term_func(&csv->parser, is_end);
    csv->ends = br_calloc(BR_MAX_COLUMNS, sizeof *csv->ends);
    csv->fields = br_calloc(BR_MAX_COLUMNS, sizeof *csv->fields);
    if (csv->ends == NULL || csv->fields == NULL) {
        return br_no_memory("fields of a record", BR_MAX_COLUMNS);
    }
    *out = csv;
    csv = NULL;
    return BR_OK;
}

void br_csv_expect(br_csv *csv, size_t n_fields)
{
    csv->n_expected = n_fields;
}

/// The next line: a held one, the unusable one behind them, or a new one.
static br_status next_line(br_csv *csv, br_line *line)
{
    held_lines *held = &csv->held;
    if (held->next < held->bytes.length) {
        const char *from = (const char *)held->bytes.data + held->next;
        const char *feed = memchr(from, '\n', held->bytes.length - held->next);
        *line = (br_line){.text = from, .n = (size_t)(feed - from), .number = held->next_number};
        held->next += line->n + 1;
        held->next_number += 1;
        return BR_OK;
    }
    if (csv->has_last) {
        csv->has_last = false;
        *line = csv->last;
        return BR_OK;
    }
    return br_lines_next(csv->lines, line);
}

/// Keep what is known of an unusable line until it is its turn.
static void keep_last(br_csv *csv, const br_line *line)
{
    csv->has_last = true;
    if (line->reason == csv->last_why) {
        return; // it waits already, behind held lines that are being read again
    }
    size_t n = line->n < BR_MAX_RAW_BYTES ? line->n : BR_MAX_RAW_BYTES;
    br_buf_clear(&csv->last_text);
    br_buf_append(&csv->last_text, line->text, n);
    snprintf(csv->last_why, sizeof csv->last_why, "%s", line->reason);
    csv->last = (br_line){.text = br_buf_text(&csv->last_text),
                          .n = csv->last_text.length,
                          .number = line->number,
                          .reason = csv->last_why};
}

/// Make the held lines begin with the record that begins at `line`, which may be one of them or a new one.
static void hold_from(br_csv *csv, const br_line *line)
{
    held_lines *held = &csv->held;
    bool is_held = held->next > 0 && (const char *)held->bytes.data + held->next == line->text + line->n + 1;
    if (is_held) {
        size_t begin = held->next - line->n - 1;
        memmove(held->bytes.data, held->bytes.data + begin, held->bytes.length - begin);
        held->bytes.length -= begin;
        held->next -= begin;
        return;
    }
    br_buf_clear(&held->bytes);
    br_buf_append(&held->bytes, line->text, line->n);
    br_buf_char(&held->bytes, '\n');
    held->next = held->bytes.length;
    held->next_number = line->number + 1;
}

/// Add a line that was just read to the held ones; one that is held already is only passed.
static void hold(br_csv *csv, const br_line *line, bool was_held)
{
    if (!was_held) {
        br_buf_append(&csv->held.bytes, line->text, line->n);
        br_buf_char(&csv->held.bytes, '\n');
        csv->held.next = csv->held.bytes.length;
        csv->held.next_number = line->number + 1;
    }
}

/// Feed a line to the parser. False if it is not CSV.
static bool feed(br_csv *csv, const br_line *line)
{
    return csv_parse(&csv->parser, line->text, line->n, take_field, take_record, csv) == line->n &&
           csv_parse(&csv->parser, "\n", 1, take_field, take_record, csv) == 1;
}

static void start_record(br_csv *csv)
{
    // Without its strict option this ends whatever was open and keeps the parser's memory.
    csv_fini(&csv->parser, NULL, NULL, NULL);
    br_buf_clear(&csv->bytes);
    csv->n_fields = 0;
    csv->complete = false;
}

/// Read on until the record that begins in `first` is complete. `record->reason` says why it cannot be.
static br_status read_rest(br_csv *csv, const br_line *first, br_csv_record *record)
{
    br_line line = *first;
    uint64_t number = first->number;
    while (!csv->complete) {
        bool was_held = csv->held.next < csv->held.bytes.length;
        br_status status = next_line(csv, &line);
        if (status == BR_ERR_AGAIN) {
            record->reason = "file ends inside a quoted field";
            record->column = csv->n_fields + 1;
            return BR_OK;
        }
        if (status != BR_OK) {
            return status;
        }
        if (line.reason != NULL) {
            snprintf(csv->reason, sizeof csv->reason, "a quoted field goes on into line %" PRIu64 ", which is unusable",
                     line.number);
            keep_last(csv, &line);
            record->reason = csv->reason;
            record->column = csv->n_fields + 1;
            return BR_OK;
        }
        hold(csv, &line, was_held);
        number += 1;
        if (csv->held.next > BR_MAX_LINE_BYTES) {
            snprintf(csv->reason, sizeof csv->reason,
                     "row longer than 1,048,576 bytes: a quoted field is still open on line %" PRIu64, number);
            record->reason = csv->reason;
            record->column = csv->n_fields + 1;
            return BR_OK;
        }
        if (!feed(csv, &line)) {
            if (csv_error(&csv->parser) != CSV_EPARSE) {
                return br_no_memory("bytes of a field", line.n);
            }
            snprintf(csv->reason, sizeof csv->reason,
                     "line %" PRIu64 " has text behind a closing quote or a quote inside an unquoted field", number);
            record->reason = csv->reason;
            record->column = csv->n_fields + 1;
            return BR_OK;
        }
    }
    return BR_OK;
}

static void check_count(br_csv *csv, br_csv_record *record)
{
    size_t n = csv->n_fields;
    if (record->reason == NULL && csv->n_expected != 0 && n != csv->n_expected) {
        snprintf(csv->reason, sizeof csv->reason, "%zu field%s where the header has %zu", n, n == 1 ? "" : "s",
                 csv->n_expected);
        record->reason = csv->reason;
    }
}

/// The record is wrong after several lines: have those behind its first read again, and say so.
static void read_again(br_csv *csv, br_csv_record *record)
{
    held_lines *held = &csv->held;
    held->next = record->n_raw + 1;
    held->next_number = record->line + 1;
    if (record->reason != csv->reason) {
        snprintf(csv->reason, sizeof csv->reason, "%s", record->reason);
        record->reason = csv->reason;
    }
    size_t used = strlen(csv->reason);
    snprintf(csv->reason + used, sizeof csv->reason - used, "; reading goes on at line %" PRIu64, record->line + 1);
}

static br_status finish(br_csv *csv, br_csv_record *record)
{
    if (csv->bytes.failed || csv->held.bytes.failed || csv->last_text.failed) {
        return br_no_memory("bytes of a record", csv->bytes.length);
    }
    size_t kept = csv->n_fields < BR_MAX_COLUMNS ? csv->n_fields : BR_MAX_COLUMNS;
    size_t begin = 0;
    for (size_t i = 0; i < kept; i++) {
        csv->fields[i] = (br_csv_field){(const char *)csv->bytes.data + begin, csv->ends[i] - begin - 1};
        begin = csv->ends[i];
    }
    record->fields = csv->fields;
    record->n_fields = csv->n_fields;
    return BR_OK;
}

/// A record that begins in a usable line.
static br_status read_record(br_csv *csv, const br_line *line, br_csv_record *record)
{
    start_record(csv);
    if (!feed(csv, line)) {
        if (csv_error(&csv->parser) != CSV_EPARSE) {
            return br_no_memory("bytes of a field", line->n);
        }
        record->reason = "text behind a closing quote or a quote inside an unquoted field; reading goes on "
                         "at the next line";
        record->column = csv->n_fields + 1;
        return finish(csv, record);
    }
    bool spans_lines = !csv->complete && csv->parser.quoted != 0;
    if (!csv->complete && !spans_lines) {
        return finish(csv, record); // a blank line
    }
    if (spans_lines) {
        hold_from(csv, line);
        br_status status = read_rest(csv, line, record);
        if (status != BR_OK) {
            return status;
        }
        record->raw = br_buf_text(&csv->held.bytes);
    }
    check_count(csv, record);
    if (record->reason != NULL && spans_lines) {
        read_again(csv, record);
    }
    return finish(csv, record);
}

br_status br_csv_next(br_csv *csv, br_csv_record *record)
{
    br_assert(csv != NULL && record != NULL);
    for (;;) {
        br_line line;
        br_status status = next_line(csv, &line);
        if (status != BR_OK) {
            return status;
        }
        *record = (br_csv_record){.line = line.number, .reason = line.reason, .raw = line.text, .n_raw = line.n};
        if (line.reason != NULL) {
            return BR_OK;
        }
        status = read_record(csv, &line, record);
        bool blank = status == BR_OK && !csv->complete && record->reason == NULL;
        if (!blank) {
            return status;
        }
    }
}

void br_csv_free(br_csv **csv)
{
    br_csv *gone = *csv;
    if (gone == NULL) {
        return;
    }
    csv_free(&gone->parser);
    br_buf_deinit(&gone->held.bytes);
    br_buf_deinit(&gone->last_text);
    br_buf_deinit(&gone->bytes);
    br_free(gone->ends);
    br_free(gone->fields);
    br_free(gone);
    *csv = NULL;
}
