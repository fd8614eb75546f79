#ifndef BR_INPUT_NDJSON_READER_H
#define BR_INPUT_NDJSON_READER_H

/// NDJSON: one JSON object per line, no key twice, its values as text.
///
/// Choice: null is a missing value; true and false are the words; a whole number is its decimal form, so that an id or a
/// category written as a number means what it means in CSV; a number with a fraction or exponent is its shortest form
/// and is marked, because only a field that is a number may take it. Arrays and objects are rejected.

#include "input/decode.h"

typedef struct br_json_field {
    const char *name;
    const char *text; ///< "" for null
    size_t n;
    bool is_real; ///< a number with a fraction or an exponent
} br_json_field;

typedef struct br_json_record {
    uint64_t line;
    const char *reason; ///< NULL, or why the line is rejected
    const char *column; ///< of the reason; "": the line as a whole
    const br_json_field *fields;
    size_t n_fields;
    const char *raw; ///< [n_raw]
    size_t n_raw;
} br_json_record;

typedef struct br_ndjson br_ndjson;

/// `lines` is borrowed and must outlive the reader.
br_status br_ndjson_new(br_ndjson **out, br_lines *lines) BR_MUST_CHECK;
/// BR_OK with a record, good or rejected, borrowed until the next call; BR_ERR_AGAIN at the end; BR_ERR_IO,
/// BR_ERR_NO_MEMORY. Blank lines are passed over.
br_status br_ndjson_next(br_ndjson *ndjson, br_json_record *record) BR_MUST_CHECK;
void br_ndjson_free(br_ndjson **ndjson);

#endif
