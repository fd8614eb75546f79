#include "base/utf8.h"

#include <string.h>

static bool continues(const uint8_t *bytes, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        if ((bytes[i] & 0xC0) != 0x80) {
            return false;
        }
    }
    return true;
}

size_t br_utf8_sequence(const char *text, size_t n)
{
    const uint8_t *bytes = (const uint8_t *)text;
    if (n == 0) {
        return 0;
    }
    uint8_t first = bytes[0];
    if (first < 0x80) {
        return 1;
    }
    size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || n < length || !continues(bytes, 1, length)) {
        return 0;
    }
    bool overlong = (first == 0xE0 && bytes[1] < 0xA0) || (first == 0xF0 && bytes[1] < 0x90);
    bool surrogate = first == 0xED && bytes[1] > 0x9F;
    bool too_large = first == 0xF4 && bytes[1] > 0x8F;
    return overlong || surrogate || too_large ? 0 : length;
}

bool br_utf8_valid(const char *text, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t length = br_utf8_sequence(text + i, n - i);
        if (length == 0) {
            return false;
        }
        i += length;
    }
    return true;
}

bool br_utf8_has_control(const char *text, size_t n)
{
    const uint8_t *bytes = (const uint8_t *)text;
    for (size_t i = 0; i < n; i++) {
        bool c1 = bytes[i] == 0xC2 && i + 1 < n && bytes[i + 1] < 0xA0;
        if (bytes[i] < 0x20 || bytes[i] == 0x7F || c1) {
            return true;
        }
    }
    return false;
}

static uint32_t decode(const uint8_t *bytes, size_t length)
{
    static const uint8_t lead[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    uint32_t code = bytes[0] & lead[length];
    for (size_t i = 1; i < length; i++) {
        code = code << 6 | (bytes[i] & 0x3Fu);
    }
    return code;
}

size_t br_utf8_columns(const char *text, size_t n)
{
    size_t columns = 0;
    for (size_t i = 0; i < n;) {
        size_t length = br_utf8_sequence(text + i, n - i);
        if (length == 0) {
            return columns + (n - i);
        }
        uint32_t code = decode((const uint8_t *)text + i, length);
        bool wide = (code >= 0x1100 && code <= 0x115F) || (code >= 0x2E80 && code <= 0xA4CF) ||
                    (code >= 0xAC00 && code <= 0xD7A3) || (code >= 0xF900 && code <= 0xFAFF) ||
                    (code >= 0xFE30 && code <= 0xFE6F) || (code >= 0xFF00 && code <= 0xFF60) ||
                    (code >= 0xFFE0 && code <= 0xFFE6) || (code >= 0x20000 && code <= 0x3FFFD);
        columns += wide ? 2 : 1;
        i += length;
    }
    return columns;
}

int br_utf8_shown(const char *text)
{
    enum { MAX_SHOWN_BYTES = 40 };
    size_t n = 0;
    for (size_t length; text[n] != '\0'; n += length) {
        length = br_utf8_sequence(text + n, strnlen(text + n, 4));
        if (length == 0 || n + length > MAX_SHOWN_BYTES || br_utf8_has_control(text + n, length)) {
            break;
        }
    }
    return (int)n;
}
