#ifndef BR_INPUT_FOLDER_H
#define BR_INPUT_FOLDER_H

/// A market folder as a stream of rows: schema.yaml, bonds, investors, bids, exclusions, each .csv or .ndjson.
///
///     br_folder_open(&folder, "DIR");                          // reads and checks schema.yaml
///     while ((status = br_folder_next(folder, &item)) == BR_OK) { ... }
///     BR_ERR_AGAIN at the end
///
/// UTF-8 or GB18030 with or without BOM, LF or CRLF, header order free. What is wrong with a line is said with
/// file, line, column and cause; the next call goes on behind it. Memory is bounded by the longest line allowed.
///
/// The header of a CSV file must name the columns that every row of its kind has and every feature of the schema; a
/// feature that NDJSON does not mention is missing in that row. Optional are `revision` and `cancelled` everywhere, and
/// `amount`, `rate` and `known_from` (the first day that may know of the bid) with bids.

#include "input/decode.h"
#include "market/row.h"

#define BR_MAX_UNKNOWN_COLUMNS 1000 ///< that are named; then one more entry says that there are more

typedef struct br_folder br_folder;

typedef struct br_folder_item {
    bool rejected; ///< then `problem` and `raw` tell, else `row` is a row that br_row_check() accepts
    br_row row;    ///< borrowed: valid until the next call
    br_row_problem problem;
    const char *file; ///< name within the folder
    uint64_t line;    ///< where the row begins, from 1
    const char *raw;  ///< the line as UTF-8, cut to 1,024 bytes
} br_folder_item;

/// Bonds, investors and bids are required; exclusions are not.
/// Errors: BR_ERR_NOT_FOUND (folder or a required file), BR_ERR_INVALID (schema, or both .csv and .ndjson present),
/// BR_ERR_IO, BR_ERR_NO_MEMORY.
br_status br_folder_open(br_folder **out, const char *path) BR_MUST_CHECK;
const br_schema *br_folder_schema(const br_folder *folder);
/// BR_OK with an item: first the schema, then bonds, investors, bids and exclusions. BR_ERR_AGAIN at the end.
/// Errors: BR_ERR_INVALID when a whole file is unusable (wrong header: the reason names it, item->file is its name and item->line 1),
/// BR_ERR_IO, BR_ERR_NO_MEMORY; after each the next call goes on with the next file.
br_status br_folder_next(br_folder *folder, br_folder_item *item) BR_MUST_CHECK;
/// Bytes read so far and in all files, for progress.
void br_folder_progress(const br_folder *folder, uint64_t *done_out, uint64_t *total_out);
/// Columns that were ignored because the schema does not know them, "file: column", [n].
const char *const *br_folder_unknown_columns(const br_folder *folder, size_t *n_out);
void br_folder_free(br_folder **folder);

/// Write a market folder: one CSV per kind of row, as br_simulation_run() or a converter yields them.
///
///     BR_AUTO(br_folder_writer) *writer = NULL;
///     br_folder_writer_open(&writer, "DIR", schema_yaml);
///     br_folder_writer_row(writer, &row) for every row; a row of the schema is passed over
///     br_folder_writer_close(&writer);        // without it the files may be incomplete
typedef struct br_folder_writer br_folder_writer;

/// Makes the folder if there is none. Errors: BR_ERR_EXISTS if it holds one of the files already, BR_ERR_INVALID
/// (schema), BR_ERR_IO, BR_ERR_NO_MEMORY.
br_status br_folder_writer_open(br_folder_writer **out, const char *path, const char *schema_yaml) BR_MUST_CHECK;
/// Errors: BR_ERR_INVALID (a row that has no file, or a feature the schema does not know), BR_ERR_IO, BR_ERR_FULL.
br_status br_folder_writer_row(br_folder_writer *writer, const br_row *row) BR_MUST_CHECK;
/// Flushes and syncs files and folder. Takes ownership and sets *writer to NULL, also when it fails.
br_status br_folder_writer_close(br_folder_writer **writer) BR_MUST_CHECK;
/// Give up: what was written so far stays as it is.
void br_folder_writer_free(br_folder_writer **writer);

#endif
