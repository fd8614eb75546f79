#include "base/buf.h"

#include "base/alloc.h"
#include "base/utf8.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool reserve(br_buf *buf, size_t more)
{
    if (buf->failed) {
        return false;
    }
    size_t needed = buf->length + more + 1;
    if (needed <= buf->capacity) {
        return true;
    }
    size_t capacity = buf->capacity < 64 ? 64 : buf->capacity;
    while (capacity < needed) {
        capacity *= 2;
    }
    uint8_t *data = br_reallocarray(buf->data, capacity, 1);
    if (data == NULL) {
        buf->failed = true;
        return false;
    }
    buf->data = data;
    buf->capacity = capacity;
    return true;
}

void br_buf_append(br_buf *buf, const void *bytes, size_t n)
{
    if (!reserve(buf, n)) {
        return;
    }
    if (n > 0) {
        memcpy(buf->data + buf->length, bytes, n);
    }
    buf->length += n;
    buf->data[buf->length] = '\0';
}

void br_buf_string(br_buf *buf, const char *text)
{
    br_buf_append(buf, text, strlen(text));
}

void br_buf_char(br_buf *buf, char c)
{
    br_buf_append(buf, &c, 1);
}

void br_buf_printf(br_buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0) {
        buf->failed = true;
    } else if (reserve(buf, (size_t)n)) {
        vsnprintf((char *)buf->data + buf->length, (size_t)n + 1, format, again);
        buf->length += (size_t)n;
    }
    va_end(again);
}

const char *br_buf_text(const br_buf *buf)
{
    return buf->data == NULL ? "" : (const char *)buf->data;
}

void br_buf_clear(br_buf *buf)
{
    buf->length = 0;
    if (buf->data != NULL) {
        buf->data[0] = '\0';
    }
}

void br_buf_deinit(br_buf *buf)
{
    br_free(buf->data);
    *buf = (br_buf){0};
}

static void json_ascii(br_buf *buf, uint8_t c)
{
    switch (c) {
    case '"':
        br_buf_string(buf, "\\\"");
        break;
    case '\\':
        br_buf_string(buf, "\\\\");
        break;
    case '\n':
        br_buf_string(buf, "\\n");
        break;
    case '\r':
        br_buf_string(buf, "\\r");
        break;
    case '\t':
        br_buf_string(buf, "\\t");
        break;
    default:
        if (c < 0x20 || c == 0x7f) {
            br_buf_printf(buf, "\\u%04x", c);
        } else {
            br_buf_char(buf, (char)c);
        }
    }
}

void br_buf_json_string(br_buf *buf, const char *text, size_t n)
{
    br_buf_char(buf, '"');
    for (size_t i = 0; i < n;) {
        size_t length = br_utf8_sequence(text + i, n - i);
        if (length == 0) {
            br_buf_string(buf, "\xEF\xBF\xBD");
            i++;
        } else if (length == 1) {
            json_ascii(buf, (uint8_t)text[i]);
            i++;
        } else {
            br_buf_append(buf, text + i, length);
            i += length;
        }
    }
    br_buf_char(buf, '"');
}

void br_buf_json_number(br_buf *buf, double value)
{
    if (!isfinite(value)) {
        br_buf_string(buf, "null");
        return;
    }
    char text[32];
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        double back = strtod(text, NULL);
        if (memcmp(&back, &value, sizeof value) == 0) {
            break;
        }
    }
    br_buf_string(buf, text);
}

void br_buf_csv_field(br_buf *buf, const char *text, size_t n)
{
    bool quote = n > 0 && (text[0] == ' ' || text[n - 1] == ' ');
    for (size_t i = 0; i < n && !quote; i++) {
        quote = text[i] == ',' || text[i] == '"' || text[i] == '\n' || text[i] == '\r';
    }
    if (!quote) {
        br_buf_append(buf, text, n);
        return;
    }
    br_buf_char(buf, '"');
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '"') {
            br_buf_char(buf, '"');
        }
        br_buf_char(buf, text[i]);
    }
    br_buf_char(buf, '"');
}
