#ifndef BOOKRUNNER_REJECTS_H
#define BOOKRUNNER_REJECTS_H

/// The file of rejected lines: CSV with file, line, column, reason and the line's beginning.

#include "service/paths.h"

#include <stdio.h>

/// Where a row came from.
typedef struct row_origin {
    const char *file;
    uint64_t line;
    const char *raw;
} row_origin;

/// Zeroed, or with a path: "" writes nothing.
typedef struct rejects_file {
    char path[2 * BR_PATH_BYTES];
    FILE *file; ///< opened with the first rejected line
    uint64_t n; ///< lines written
} rejects_file;

/// Errors: BR_ERR_IO, BR_ERR_NO_MEMORY.
br_status rejects_write(rejects_file *r, const row_origin *origin, const char *column,
                        const char *reason) BR_MUST_CHECK;
/// Errors: BR_ERR_IO: what was written may not be there.
br_status rejects_close(rejects_file *r) BR_MUST_CHECK;
void rejects_deinit(rejects_file *r);

#endif
