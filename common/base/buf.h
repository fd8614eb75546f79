#ifndef BR_BASE_BUF_H
#define BR_BASE_BUF_H

/// A growing byte buffer, and the few ways text leaves the system: JSON and CSV fields.
///
///     BR_AUTO_DEINIT(br_buf) text = {0};
///     br_buf_printf(&text, "%s=%d", name, n);
///     if (text.failed) { return br_no_memory("text", 1); }     // one check at the end is enough
///
/// After a failed allocation `failed` stays set and further appends do nothing.

#include "base/status.h"

typedef struct br_buf {
    uint8_t *data; ///< always followed by a NUL that `length` does not count, once anything was appended
    size_t length;
    size_t capacity;
    bool failed;
} br_buf;

void br_buf_append(br_buf *buf, const void *bytes, size_t n);
void br_buf_string(br_buf *buf, const char *text);
void br_buf_char(br_buf *buf, char c);
void br_buf_printf(br_buf *buf, const char *format, ...) BR_PRINTF(2, 3);
/// The text as C string; "" when nothing was appended. Borrowed: valid until the next append.
const char *br_buf_text(const br_buf *buf);
void br_buf_clear(br_buf *buf);
void br_buf_deinit(br_buf *buf);

/// Append "text" with quotes, escaped for JSON; invalid UTF-8 becomes U+FFFD.
void br_buf_json_string(br_buf *buf, const char *text, size_t n);
/// Append a double as JSON: shortest form that reads back equal; null when not finite.
void br_buf_json_number(br_buf *buf, double value);
/// Append one CSV field, quoted when it must be (RFC 4180).
void br_buf_csv_field(br_buf *buf, const char *text, size_t n);

#endif
