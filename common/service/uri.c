#include "base/utf8.h"
#include "service/internal.h"

#include <string.h>
#include <strings.h>

static int hex(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool br_uri_decode(char *out, const char *text, size_t n)
{
    size_t length = 0;
    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        if (c == '%') {
            int high = n - i > 2 ? hex(text[i + 1]) : -1;
            int low = high < 0 ? -1 : hex(text[i + 2]);
            if (low < 0) {
                return false;
            }
            c = (char)(high * 16 + low);
            i += 2;
        }
        out[length++] = c;
    }
    out[length] = '\0';
    return memchr(out, '\0', length) == NULL && br_utf8_valid(out, length) && !br_utf8_has_control(out, length);
}

bool br_uri_climbs(const char *path)
{
    for (const char *segment = path; segment != NULL; segment = strchr(segment, '/')) {
        segment += *segment == '/';
        size_t n = strcspn(segment, "/");
        if ((n == 1 && segment[0] == '.') || (n == 2 && segment[0] == '.' && segment[1] == '.')) {
            return true;
        }
    }
    return false;
}

bool br_etag_matches(const char *if_none_match, const char *etag)
{
    if (if_none_match == NULL || etag == NULL || etag[0] == '\0') {
        return false;
    }
    if (strcmp(if_none_match, "*") == 0) {
        return true;
    }
    size_t n = strlen(etag);
    for (const char *tag = if_none_match; *tag != '\0';) {
        tag += strspn(tag, " \t,");
        // Whether a tag is weak does not matter here: the comparison of this header is the weak one.
        if (strncmp(tag, "W/", 2) == 0) {
            tag += 2;
        }
        if (*tag != '"') {
            return false;
        }
        const char *end = strchr(tag + 1, '"');
        if (end == NULL) {
            return false;
        }
        if ((size_t)(end + 1 - tag) == n && strncmp(tag, etag, n) == 0) {
            return true;
        }
        tag = end + 1;
    }
    return false;
}

bool br_accepts_gzip(const char *accept_encoding)
{
    static const char *const names[] = {"gzip", "x-gzip", "*"};
    for (const char *item = accept_encoding; item != NULL && *item != '\0';) {
        item += strspn(item, " \t,");
        size_t n = strcspn(item, " \t,;");
        size_t n_item = strcspn(item, ",");
        bool named = false;
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            named = named || (n == strlen(names[i]) && strncasecmp(item, names[i], n) == 0);
        }
        if (named) {
            // A weight that begins with 0 and has no other digit refuses it.
            const char *weight = memchr(item, '=', n_item);
            return weight == NULL || strcspn(weight, "123456789") < (size_t)(item + n_item - weight);
        }
        item += n_item;
    }
    return false;
}
