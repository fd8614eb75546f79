#ifndef BR_SERVICE_WHOLE_FILE_H
#define BR_SERVICE_WHOLE_FILE_H

#include "base/buf.h"

/// Write the text to `path`, whole or not at all: aside first, then renamed. Errors: BR_ERR_NO_MEMORY (a text that has failed), BR_ERR_IO.
br_status br_whole_file_write(const char *path, const br_buf *text) BR_MUST_CHECK;

#endif
