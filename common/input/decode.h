#ifndef BR_INPUT_DECODE_H
#define BR_INPUT_DECODE_H

/// A file as lines of UTF-8, whatever it was written in, in bounded memory.
///
///     BR_AUTO(br_lines) *lines = NULL;
///     br_status status = br_lines_open(&lines, "DIR/bids.csv", "bids.csv");
///     while ((status = br_lines_next(lines, &line)) == BR_OK) { ... }      // BR_ERR_AGAIN at the end
///
/// A byte order mark decides the encoding. Without one the whole file is looked at first: UTF-8 if it is strict UTF-8
/// throughout, else GB18030, which contains GBK and GB2312. A file that is neither throughout is read as the one that
/// fits more of its lines, so that one damaged byte does not turn every other line into other characters.
///
/// Choice: lines are cut before they are decoded, because no character of either encoding contains the byte LF: what
/// is wrong with one line stays with that line.

#include "base/buf.h"

#define BR_MAX_LINE_BYTES (1u << 20) ///< a longer line is rejected without being kept in memory
#define BR_MAX_RAW_BYTES  1024       ///< of a rejected line that are given back

typedef enum br_encoding { BR_ENCODING_UTF8, BR_ENCODING_GB18030 } br_encoding;

typedef struct br_line {
    const char *text; ///< UTF-8 without its LF or CRLF, then a NUL. Borrowed: valid until the next call
    size_t n;
    uint64_t number;    ///< from 1
    const char *reason; ///< NULL, or why the line cannot be used; then `text` is its readable beginning
} br_line;

typedef struct br_lines br_lines;

/// `name` is what reasons call the file. Errors: BR_ERR_NOT_FOUND, BR_ERR_IO, BR_ERR_INVALID (not a regular file,
/// UTF-16), BR_ERR_NO_MEMORY.
br_status br_lines_open(br_lines **out, const char *path, const char *name) BR_MUST_CHECK;
/// BR_OK with a line, usable or not; BR_ERR_AGAIN at the end; BR_ERR_IO, BR_ERR_NO_MEMORY.
br_status br_lines_next(br_lines *lines, br_line *line) BR_MUST_CHECK;
br_encoding br_lines_encoding(const br_lines *lines);
/// Bytes of the file behind the lines given out so far.
uint64_t br_lines_done(const br_lines *lines);
void br_lines_free(br_lines **lines);

#endif
