#include "input/encode.h"

#include <errno.h>
#include <iconv.h>

br_status br_encode_gb18030(br_buf *out, const char *text, size_t n)
{
    iconv_t converter = iconv_open("GB18030", "UTF-8");
    if (converter == (iconv_t)-1) {
        return br_fail(BR_ERR_IO, "this system does not know GB18030");
    }
    union {
        const char *kept;
        char *given; // iconv() changes the pointer, not the text
    } from = {.kept = text};
    br_status status = BR_OK;
    while (n > 0 && status == BR_OK) {
        char piece[4096];
        char *to = piece;
        size_t room = sizeof piece;
        if (iconv(converter, &from.given, &n, &to, &room) == (size_t)-1 && errno != E2BIG) {
            status = br_fail(BR_ERR_INVALID, "the text is no UTF-8");
        }
        br_buf_append(out, piece, sizeof piece - room);
    }
    iconv_close(converter);
    return status;
}
