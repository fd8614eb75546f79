#include "rejects.h"

#include "base/alloc.h"
#include "base/buf.h"

#include <errno.h>
#include <string.h>

static br_status failed(const rejects_file *r)
{
    return br_fail(BR_ERR_IO, "rejects file %s: %s", r->path, strerror(errno));
}

br_status rejects_write(rejects_file *r, const row_origin *origin, const char *column, const char *reason)
{
    if (r->path[0] == '\0') {
        return BR_OK;
    }
    if (r->file == NULL) {
        r->file = fopen(r->path, "we");
        if (r->file == NULL) {
            return failed(r);
        }
        fputs("file,line,column,reason,raw\n", r->file);
    }
    BR_AUTO_DEINIT(br_buf) line = {0};
    br_buf_csv_field(&line, origin->file, strlen(origin->file));
    br_buf_printf(&line, ",%llu,", (unsigned long long)origin->line);
    br_buf_csv_field(&line, column, strlen(column));
    br_buf_char(&line, ',');
    br_buf_csv_field(&line, reason, strlen(reason));
    br_buf_char(&line, ',');
    br_buf_csv_field(&line, origin->raw, strlen(origin->raw));
    br_buf_char(&line, '\n');
    if (line.failed) {
        return br_no_memory("bytes of a rejected line", 1);
    }
    r->n += 1;
    return fwrite(line.data, 1, line.length, r->file) == line.length ? BR_OK : failed(r);
}

br_status rejects_close(rejects_file *r)
{
    bool written = r->file == NULL || fclose(r->file) == 0;
    r->file = NULL;
    return written ? BR_OK : failed(r);
}

void rejects_deinit(rejects_file *r)
{
    if (r->file != NULL) {
        fclose(r->file);
        r->file = NULL;
    }
}
