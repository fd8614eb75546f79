#include "service/whole_file.h"

#include "base/alloc.h"
#include "service/paths.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

br_status br_whole_file_write(const char *path, const br_buf *text)
{
    if (text->failed) {
        return br_no_memory("bytes of a file", text->length);
    }
    char aside[2 * BR_PATH_BYTES];
    if (snprintf(aside, sizeof aside, "%s.new", path) >= (int)sizeof aside) {
        return br_fail(BR_ERR_IO, "%s: %s", path, strerror(ENAMETOOLONG));
    }
    FILE *file = fopen(aside, "we");
    bool written = file != NULL && fwrite(text->data, 1, text->length, file) == text->length;
    written = file != NULL && fclose(file) == 0 && written;
    if (!written || rename(aside, path) != 0) {
        br_status status = br_fail(BR_ERR_IO, "%s: %s", path, strerror(errno));
        remove(aside);
        return status;
    }
    return BR_OK;
}
