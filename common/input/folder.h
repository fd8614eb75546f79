#ifndef BR_INPUT_FOLDER_H
#define BR_INPUT_FOLDER_H

/// A market folder as a stream of rows: schema.yaml, bonds, investors, bids, exclusions, each .csv or .ndjson.
///
///     br_folder_open(&folder, "DIR");                          // reads and checks schema.yaml
///     while ((status = br_folder_next(folder, &item)) == BR_OK) { ... }
///     BR_ERR_AGAIN at the end
///
/// UTF-8 or GB18030 with or without BOM, LF or CRLF, header order free. What is wrong with a line is said with
/// file, line, column and cause; the next call goes on behind it.

#include "market/row.h"

#define BR_MAX_LINE_BYTES (1u << 20) ///< a longer line is rejected without being kept in memory

typedef struct br_folder br_folder;

typedef struct br_folder_item {
    bool rejected;          ///< then `problem` and `raw` tell, else `row` is a row that br_row_check() accepts
    br_row row;             ///< borrowed: valid until the next call
    br_row_problem problem;
    const char *file; ///< name within the folder
    uint64_t line;    ///< where the row begins, from 1
    const char *raw;  ///< the line as UTF-8, cut to 1,024 bytes
} br_folder_item;

/// Errors: BR_ERR_NOT_FOUND (folder or a required file), BR_ERR_INVALID (schema, or both .csv and .ndjson present).
br_status br_folder_open(br_folder **out, const char *path) BR_MUST_CHECK;
const br_schema *br_folder_schema(const br_folder *folder);
/// BR_OK with an item; BR_ERR_AGAIN at the end; BR_ERR_INVALID when a whole file is unusable (wrong header: reason names it;
/// the next call goes on with the next file); BR_ERR_IO.
br_status br_folder_next(br_folder *folder, br_folder_item *item) BR_MUST_CHECK;
/// Bytes read so far and in all files, for progress.
void br_folder_progress(const br_folder *folder, uint64_t *done_out, uint64_t *total_out);
/// Columns that were ignored because the schema does not know them, "file: column", [n].
const char *const *br_folder_unknown_columns(const br_folder *folder, size_t *n_out);
void br_folder_free(br_folder **folder);

/// Write a market folder: one CSV per kind of row, as br_simulation_run() or a converter yields them.
typedef struct br_folder_writer br_folder_writer;
br_status br_folder_writer_open(br_folder_writer **out, const char *path, const char *schema_yaml) BR_MUST_CHECK;
br_status br_folder_writer_row(br_folder_writer *writer, const br_row *row) BR_MUST_CHECK;
br_status br_folder_writer_close(br_folder_writer **writer) BR_MUST_CHECK; ///< flushes and syncs; sets *writer to NULL

#endif
