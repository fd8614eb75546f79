#ifndef BR_INPUT_CTR_READER_H
#define BR_INPUT_CTR_READER_H

/// Files of a click-through benchmark as a stream of rows, a label and one value per field, in memory that does not grow with them.
///
///     br_ctr_options options = {.format = BR_CTR_CSV, .numeric = numeric, .n_numeric = 13};
///     BR_AUTO(br_ctr_reader) *reader = NULL;
///     br_status status = br_ctr_reader_new(&reader, files, n_files, &options);
///     while (status == BR_OK && (status = br_ctr_reader_next(reader, &row)) == BR_OK) { ... }      // BR_ERR_AGAIN at the end
///
/// CSV has a header; a column is the label, the others are fields, as Criteo_x1, Avazu_x1, Frappe_x1 and MovielensLatest_x1 are
/// written. libsvm has a row `LABEL INDEX:VALUE INDEX:VALUE ...` per line. Encodings and ends of lines are those of decode.h.
///
/// A row with something wrong is rejected with file, line, column and cause, and the next one is read.
///
/// Choice: a field of libsvm is its place in the row, named "1", "2", ...; every row has the same number of them. A category is its
/// INDEX, and VALUE must be 1; a numeric field is its VALUE. That is how Frappe, MovieLens tag and Criteo are split for AFN.
/// Choice: -1 is a negative label in libsvm alone, where it is the custom.
/// Choice: an empty category is a value like any other; an empty number is missing.

#include "input/csv_reader.h"

#define BR_CTR_MAX_FIELDS        (BR_MAX_COLUMNS - 1)
#define BR_CTR_MAX_MESSAGES      20  ///< that are kept; rejected rows behind them are only counted
#define BR_CTR_MAX_MESSAGE_BYTES 512 ///< with the NUL

typedef enum br_ctr_format { BR_CTR_CSV, BR_CTR_LIBSVM } br_ctr_format;

/// Zeros are the defaults. Everything is borrowed while the reader is made, and copied.
typedef struct br_ctr_options {
    br_ctr_format format;
    const char *label;         ///< CSV: name of the label's column; NULL: "label"
    const char *const *fields; ///< CSV: [n_fields] columns that are fields, in this order
    size_t
        n_fields; ///< 0: all columns but the label, in the first file's order; the other files have them too and no more
    const char *const *numeric; ///< [n_numeric] names of fields that are numbers
    size_t n_numeric;
} br_ctr_options;

typedef struct br_ctr_value {
    const char *text; ///< category: NUL-terminated, "" where there is none; number: as it stands in the file
    size_t n;         ///< bytes of `text`
    double number;    ///< number: finite, or NAN where there is none; category: NAN
} br_ctr_value;

/// Borrowed: valid until the next call.
typedef struct br_ctr_row {
    const br_ctr_value *values; ///< [n_fields]
    uint8_t label;              ///< 0 or 1
    const char *file;           ///< as given
    uint64_t line;              ///< where it begins, from 1
} br_ctr_row;

typedef struct br_ctr_tally {
    uint64_t n_rows; ///< given out
    uint64_t n_rejected;
    uint32_t n_messages; ///< what was wrong with the first rejected rows
    char messages[BR_CTR_MAX_MESSAGES][BR_CTR_MAX_MESSAGE_BYTES];
} br_ctr_tally;

typedef struct br_ctr_reader br_ctr_reader;

/// Opens the first of `files` [n_files], which decides what the fields are.
/// Errors, also of br_ctr_reader_next() for a later file: BR_ERR_NOT_FOUND, BR_ERR_IO; BR_ERR_INVALID (the file is empty, the label
/// or a field is not in the header, a column or field is there twice, no field is left, a numeric field is not among the fields);
/// BR_ERR_LIMIT (more than BR_CTR_MAX_FIELDS fields); BR_ERR_NO_MEMORY.
br_status br_ctr_reader_new(br_ctr_reader **out, const char *const *files, size_t n_files,
                            const br_ctr_options *options) BR_MUST_CHECK;
/// BR_OK with a good row; BR_ERR_AGAIN behind the last file's last one.
br_status br_ctr_reader_next(br_ctr_reader *reader, br_ctr_row *row) BR_MUST_CHECK;
uint32_t br_ctr_reader_n_fields(const br_ctr_reader *reader);
const char *br_ctr_reader_name(const br_ctr_reader *reader, uint32_t i);
bool br_ctr_reader_is_numeric(const br_ctr_reader *reader, uint32_t i);
/// So far. Borrowed: valid until the reader is freed.
const br_ctr_tally *br_ctr_reader_tally(const br_ctr_reader *reader);
void br_ctr_reader_free(br_ctr_reader **reader);

#endif
