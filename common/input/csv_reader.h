#ifndef BR_INPUT_CSV_READER_H
#define BR_INPUT_CSV_READER_H

/// CSV (RFC 4180, strict) as records of fields, one bad record at a time.
///
/// Spaces around an unquoted field do not belong to it. A quoted field may go over several lines. If a record that does
/// so turns out to be wrong, only its first line is rejected and the lines behind it are read again as records of their
/// own: a stray quote costs one line and never the lines it would swallow.

#include "input/decode.h"

#define BR_MAX_COLUMNS 4096 ///< fields of a record that are kept

typedef struct br_csv_field {
    const char *text; ///< NUL-terminated
    size_t n;
} br_csv_field;

typedef struct br_csv_record {
    uint64_t line;      ///< where it begins, from 1
    const char *reason; ///< NULL, or why it is rejected
    size_t column;      ///< of the reason, from 1; 0: the record as a whole
    const br_csv_field *fields;
    size_t n_fields; ///< may be more than BR_MAX_COLUMNS; so many are kept
    const char *raw; ///< [n_raw] its first line
    size_t n_raw;
} br_csv_record;

typedef struct br_csv br_csv;

/// `lines` is borrowed and must outlive the reader.
br_status br_csv_new(br_csv **out, br_lines *lines) BR_MUST_CHECK;
/// The number of fields every further record must have; 0, as at the start, for any.
void br_csv_expect(br_csv *csv, size_t n_fields);
/// BR_OK with a record, good or rejected, all of it borrowed until the next call; BR_ERR_AGAIN at the end;
/// BR_ERR_IO, BR_ERR_NO_MEMORY.
br_status br_csv_next(br_csv *csv, br_csv_record *record) BR_MUST_CHECK;
void br_csv_free(br_csv **csv);

#endif
