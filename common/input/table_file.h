#ifndef BR_INPUT_TABLE_FILE_H
#define BR_INPUT_TABLE_FILE_H

/// A CSV file of anybody's making, of which the caller names the columns it wants: row by row to a callback, bad rows to another.
///
///     static const br_table_column columns[] = {{"x", true}, {"y", true}};
///     br_table_file file = {.path = path, .columns = columns, .n_columns = 2, .take = take_pair, .context = votes};
///     status = br_table_file_read(&file, &tally);
///
/// Encodings, ends of lines and quoting are those of csv_reader.h. Columns may stand in any order; those not named are passed over. Memory: the
/// longest row allowed there.

#include "input/csv_reader.h"

#define BR_MAX_TABLE_COLUMNS 8 ///< that one reader wants

typedef struct br_table_column {
    const char *name; ///< in the header; NULL: not wanted, its text is ""
    bool required;    ///< an empty text rejects the row
} br_table_column;

/// A row that was not taken. Borrowed: valid during the call.
typedef struct br_table_rejection {
    const char *file;
    uint64_t line;      ///< where it begins, from 1
    const char *column; ///< "": the row as a whole
    const char *reason;
    const char *raw; ///< its beginning, readable
} br_table_rejection;

/// Who is told of bad rows and of progress; each may be NULL.
typedef struct br_table_listener {
    /// NULL: rejected rows are only counted. Its error ends the reading.
    br_status (*reject)(void *context, const br_table_rejection *rejection);
    /// Called now and then with the bytes read; false ends the reading with BR_ERR_CANCELLED.
    bool (*watch)(void *context, uint64_t done, uint64_t total);
    void *context;
} br_table_listener;

typedef struct br_table_file {
    const char *path;
    const char *name;               ///< what messages call the file; NULL: the path
    const br_table_column *columns; ///< [n_columns]
    uint32_t n_columns;             ///< 1 to BR_MAX_TABLE_COLUMNS
    /// A row: texts[n_columns] of UTF-8 without control characters, borrowed until the call ends. BR_ERR_INVALID or BR_ERR_EXISTS rejects
    /// the row with that reason, *column_out (n_columns: the row as a whole) being what is wrong; another error ends the reading.
    br_status (*take)(void *context, const br_csv_field *texts, uint32_t *column_out);
    void *context; ///< of take()
    br_table_listener listener;
} br_table_file;

typedef struct br_table_tally {
    uint64_t n_rows; ///< taken
    uint64_t n_rejected;
} br_table_tally;

/// Errors: BR_ERR_NOT_FOUND; BR_ERR_INVALID (no regular file, no header, a wanted column is missing, or is there twice: the reason names file, line
/// and columns); BR_ERR_IO, BR_ERR_NO_MEMORY, BR_ERR_CANCELLED; those of the callbacks.
br_status br_table_file_read(const br_table_file *file, br_table_tally *tally) BR_MUST_CHECK;

#endif
