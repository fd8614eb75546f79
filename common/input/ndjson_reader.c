#include "input/ndjson_reader.h"

#include "base/alloc.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define MAX_KEYS 4096

struct br_ndjson {
    br_lines *lines;
    json_t *object; ///< of the line given out last
    br_json_field *fields;
    size_t capacity;
    br_buf numbers; ///< text of the line's numbers, each closed by NUL
    char reason[256];
};

br_status br_ndjson_new(br_ndjson **out, br_lines *lines)
{
    br_assert(out != NULL && lines != NULL);
    BR_AUTO(br_ndjson) *ndjson = br_calloc(1, sizeof *ndjson);
    if (ndjson == NULL) {
        return br_no_memory("NDJSON reader", 1);
    }
    ndjson->lines = lines;
    *out = ndjson;
    ndjson = NULL;
    return BR_OK;
}

static bool is_blank(const br_line *line)
{
    return strspn(line->text, " \t") == line->n;
}

static br_status reserve(br_ndjson *ndjson, size_t n)
{
    if (n > ndjson->capacity) {
        br_json_field *moved = br_reallocarray(ndjson->fields, n, sizeof *moved);
        if (moved == NULL) {
            return br_no_memory("JSON fields", n);
        }
        ndjson->fields = moved;
        ndjson->capacity = n;
    }
    return BR_OK;
}

/// Text of a value; false if it has none. A number's text is filled in by point_at_numbers().
static bool take_value(br_ndjson *ndjson, br_json_field *field, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        field->text = json_string_value(value);
        field->n = json_string_length(value);
        return true;
    case JSON_INTEGER:
        br_buf_printf(&ndjson->numbers, "%" JSON_INTEGER_FORMAT "%c", json_integer_value(value), 0);
        return true;
    case JSON_REAL:
        br_buf_json_number(&ndjson->numbers, json_real_value(value));
        br_buf_char(&ndjson->numbers, '\0');
        field->is_real = true;
        return true;
    case JSON_TRUE:
    case JSON_FALSE:
        field->text = json_is_true(value) ? "true" : "false";
        field->n = strlen(field->text);
        return true;
    case JSON_NULL:
        field->text = "";
        return true;
    case JSON_ARRAY:
    case JSON_OBJECT:
        break;
    }
    return false;
}

static void point_at_numbers(br_ndjson *ndjson, size_t n_fields)
{
    const char *text = br_buf_text(&ndjson->numbers);
    for (size_t i = 0; i < n_fields; i++) {
        if (ndjson->fields[i].text == NULL) {
            ndjson->fields[i].text = text;
            ndjson->fields[i].n = strlen(text);
            text += ndjson->fields[i].n + 1;
        }
    }
}

static br_status take_fields(br_ndjson *ndjson, br_json_record *record)
{
    br_status status = reserve(ndjson, json_object_size(ndjson->object));
    if (status != BR_OK) {
        return status;
    }
    br_buf_clear(&ndjson->numbers);
    const char *name;
    json_t *value;
    size_t n = 0;
    json_object_foreach(ndjson->object, name, value)
    {
        ndjson->fields[n] = (br_json_field){.name = name};
        if (!take_value(ndjson, &ndjson->fields[n], value)) {
            record->reason = "is an array or an object where one value is expected";
            record->column = name;
            return BR_OK;
        }
        n += 1;
    }
    if (ndjson->numbers.failed) {
        return br_no_memory("numbers of a line", n);
    }
    point_at_numbers(ndjson, n);
    record->fields = ndjson->fields;
    record->n_fields = n;
    return BR_OK;
}

static br_status parse(br_ndjson *ndjson, const br_line *line, br_json_record *record)
{
    json_error_t error;
    ndjson->object = json_loadb(line->text, line->n, JSON_REJECT_DUPLICATES, &error);
    if (ndjson->object == NULL && json_error_code(&error) == json_error_out_of_memory) {
        return br_no_memory("bytes of JSON", line->n);
    }
    if (ndjson->object == NULL) {
        snprintf(ndjson->reason, sizeof ndjson->reason, "not JSON at column %d: %s", error.column, error.text);
        record->reason = ndjson->reason;
        return BR_OK;
    }
    if (!json_is_object(ndjson->object)) {
        record->reason = "not a JSON object";
        return BR_OK;
    }
    if (json_object_size(ndjson->object) > MAX_KEYS) {
        snprintf(ndjson->reason, sizeof ndjson->reason, "%zu keys where at most %d are allowed",
                 json_object_size(ndjson->object), MAX_KEYS);
        record->reason = ndjson->reason;
        return BR_OK;
    }
    return take_fields(ndjson, record);
}

br_status br_ndjson_next(br_ndjson *ndjson, br_json_record *record)
{
    br_assert(ndjson != NULL && record != NULL);
    json_decref(ndjson->object);
    ndjson->object = NULL;
    br_line line;
    br_status status;
    do {
        status = br_lines_next(ndjson->lines, &line);
    } while (status == BR_OK && line.reason == NULL && is_blank(&line));
    if (status != BR_OK) {
        return status;
    }
    *record =
        (br_json_record){.line = line.number, .reason = line.reason, .column = "", .raw = line.text, .n_raw = line.n};
    return line.reason != NULL ? BR_OK : parse(ndjson, &line, record);
}

void br_ndjson_free(br_ndjson **ndjson)
{
    br_ndjson *gone = *ndjson;
    if (gone == NULL) {
        return;
    }
    json_decref(gone->object);
    br_buf_deinit(&gone->numbers);
    br_free(gone->fields);
    br_free(gone);
    *ndjson = NULL;
}
