#include "input/decode.h"

#include "base/alloc.h"
#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <iconv.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_BYTES   (1u << 16)
#define BUFFER_BYTES ((size_t)BR_MAX_LINE_BYTES + READ_BYTES)

struct br_lines {
    int file;
    char *name;
    char *buffer; ///< [BUFFER_BYTES + 1], the one for a NUL behind the last line
    size_t begin; ///< of what was not given out yet
    size_t end;
    bool at_end; ///< of the file
    uint64_t done;
    uint64_t number;
    br_encoding encoding;
    bool marked; ///< by a byte order mark
    iconv_t converter;
    bool converts;
    br_buf text;
    char reason[192];
};

/// A line as its bytes stand in the file.
typedef struct raw_line {
    char *bytes; ///< in the buffer; bytes[n] may be overwritten
    size_t n;
    bool too_long;
} raw_line;

static br_status refill(br_lines *lines)
{
    if (lines->begin > 0) {
        memmove(lines->buffer, lines->buffer + lines->begin, lines->end - lines->begin);
        lines->end -= lines->begin;
        lines->begin = 0;
    }
    ssize_t n;
    do {
        n = read(lines->file, lines->buffer + lines->end, BUFFER_BYTES - lines->end);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return br_fail(BR_ERR_IO, "%s: cannot read behind byte %" PRIu64 ": %s", lines->name, lines->done + lines->end,
                       strerror(errno));
    }
    lines->at_end = n == 0;
    lines->end += (size_t)n;
    return BR_OK;
}

/// Go on until a line feed or the end of the file, keeping only the first BR_MAX_RAW_BYTES of the line.
static br_status skip_long_line(br_lines *lines, raw_line *line)
{
    char *feed = NULL;
    size_t kept = BR_MAX_RAW_BYTES;
    while (feed == NULL && !lines->at_end) {
        lines->done += lines->end - lines->begin - kept;
        lines->end = lines->begin + kept;
        br_status status = refill(lines);
        if (status != BR_OK) {
            return status;
        }
        feed = memchr(lines->buffer + kept, '\n', lines->end - kept);
    }
    size_t next = feed == NULL ? lines->end : (size_t)(feed - lines->buffer) + 1;
    *line = (raw_line){.bytes = lines->buffer + lines->begin, .n = kept, .too_long = true};
    lines->done += next - lines->begin;
    lines->begin = next;
    return BR_OK;
}

static br_status next_raw(br_lines *lines, raw_line *line)
{
    size_t searched = 0;
    for (;;) {
        size_t n = lines->end - lines->begin;
        char *from = lines->buffer + lines->begin;
        char *feed = memchr(from + searched, '\n', n - searched);
        size_t length = feed == NULL ? n : (size_t)(feed - from);
        if (length > BR_MAX_LINE_BYTES) {
            if (feed == NULL) {
                return skip_long_line(lines, line);
            }
            *line = (raw_line){.bytes = from, .n = BR_MAX_RAW_BYTES, .too_long = true};
        } else if (feed != NULL || (lines->at_end && n > 0)) {
            *line = (raw_line){.bytes = from, .n = length};
        } else if (lines->at_end) {
            return BR_ERR_AGAIN;
        } else {
            searched = n;
            br_status status = refill(lines);
            if (status != BR_OK) {
                return status;
            }
            continue;
        }
        size_t taken = length + (feed != NULL);
        lines->begin += taken;
        lines->done += taken;
        return BR_OK;
    }
}

static bool is_ascii(const char *bytes, size_t n)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        uint64_t eight;
        memcpy(&eight, bytes + i, 8);
        if ((eight & UINT64_C(0x8080808080808080)) != 0) {
            return false;
        }
    }
    for (; i < n; i++) {
        if (((unsigned char)bytes[i] & 0x80) != 0) {
            return false;
        }
    }
    return true;
}

/// Bytes of the GB18030 sequence at the start, by its form alone; 0 if there is none.
static size_t gb18030_sequence(const char *text, size_t n)
{
    const uint8_t *bytes = (const uint8_t *)text;
    if (bytes[0] < 0x80) {
        return 1;
    }
    if (bytes[0] == 0x80 || bytes[0] == 0xFF || n < 2) {
        return 0;
    }
    if (bytes[1] >= 0x30 && bytes[1] <= 0x39) {
        bool four = n >= 4 && bytes[2] >= 0x81 && bytes[2] <= 0xFE && bytes[3] >= 0x30 && bytes[3] <= 0x39;
        return four ? 4 : 0;
    }
    return bytes[1] >= 0x40 && bytes[1] != 0x7F && bytes[1] != 0xFF ? 2 : 0;
}

static bool gb18030_valid(const char *text, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t length = gb18030_sequence(text + i, n - i);
        if (length == 0) {
            return false;
        }
        i += length;
    }
    return true;
}

static br_status rewind_to(br_lines *lines, off_t offset)
{
    if (lseek(lines->file, offset, SEEK_SET) != offset) {
        return br_fail(BR_ERR_IO, "%s: cannot go back to byte %lld: %s", lines->name, (long long)offset,
                       strerror(errno));
    }
    lines->begin = 0;
    lines->end = 0;
    lines->at_end = false;
    lines->done = (uint64_t)offset;
    return BR_OK;
}

/// Decide by the whole file; see the head of decode.h.
static br_status guess_encoding(br_lines *lines)
{
    uint64_t n_lines = 0;
    uint64_t n_utf8 = 0;
    uint64_t n_gb18030 = 0;
    raw_line line;
    br_status status;
    while ((status = next_raw(lines, &line)) == BR_OK) {
        if (!line.too_long && !is_ascii(line.bytes, line.n)) {
            n_lines += 1;
            n_utf8 += br_utf8_valid(line.bytes, line.n);
            n_gb18030 += gb18030_valid(line.bytes, line.n);
        }
    }
    if (status != BR_ERR_AGAIN) {
        return status;
    }
    bool utf8 = n_utf8 == n_lines || 2 * n_utf8 > n_lines || n_utf8 >= n_gb18030;
    lines->encoding = utf8 ? BR_ENCODING_UTF8 : BR_ENCODING_GB18030;
    return rewind_to(lines, 0);
}

static br_status choose_encoding(br_lines *lines)
{
    br_status status = refill(lines);
    if (status != BR_OK) {
        return status;
    }
    const char *bytes = lines->buffer;
    size_t n = lines->end;
    if (n >= 2 && (memcmp(bytes, "\xFF\xFE", 2) == 0 || memcmp(bytes, "\xFE\xFF", 2) == 0)) {
        return br_fail(BR_ERR_INVALID,
                       "%s: is UTF-16 (it begins with the bytes %02X %02X); save it as UTF-8 or GB18030", lines->name,
                       (unsigned)(uint8_t)bytes[0], (unsigned)(uint8_t)bytes[1]);
    }
    lines->marked = true;
    if (n >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0) {
        lines->encoding = BR_ENCODING_UTF8;
        return rewind_to(lines, 3);
    }
    if (n >= 4 && memcmp(bytes, "\x84\x31\x95\x33", 4) == 0) {
        lines->encoding = BR_ENCODING_GB18030;
        return rewind_to(lines, 4);
    }
    lines->marked = false;
    return guess_encoding(lines);
}

static br_status open_file(br_lines *lines, const char *path)
{
    bool same = strcmp(lines->name, path) == 0;
    const char *file = same ? "" : lines->name;
    const char *colon = same ? "" : ": ";
    // Not blocking, so that a pipe in the place of a file is refused instead of waited for.
    lines->file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (lines->file < 0) {
        return br_fail(br_errno_status(errno), "%s%scannot open %s: %s", file, colon, path, strerror(errno));
    }
    struct stat info;
    if (fstat(lines->file, &info) != 0) {
        return br_fail(BR_ERR_IO, "%s: %s", lines->name, strerror(errno));
    }
    if (!S_ISREG(info.st_mode)) {
        return br_fail(BR_ERR_INVALID, "%s%s%s is not a regular file", file, colon, path);
    }
    return BR_OK;
}

br_status br_lines_open(br_lines **out, const char *path, const char *name)
{
    br_assert(out != NULL && path != NULL && name != NULL);
    BR_AUTO(br_lines) *lines = br_calloc(1, sizeof *lines);
    if (lines == NULL) {
        return br_no_memory("line reader", 1);
    }
    lines->file = -1;
    lines->name = br_strdup(name);
    lines->buffer = br_malloc(BUFFER_BYTES + 1);
    if (lines->name == NULL || lines->buffer == NULL) {
        return br_no_memory("bytes of line buffer", BUFFER_BYTES);
    }
    br_status status = open_file(lines, path);
    if (status == BR_OK) {
        status = choose_encoding(lines);
    }
    if (status != BR_OK) {
        return status;
    }
    if (lines->encoding == BR_ENCODING_GB18030) {
        lines->converter = iconv_open("UTF-8", "GB18030");
        lines->converts = lines->converter != (iconv_t)-1;
        if (!lines->converts) {
            return br_fail(BR_ERR_IO, "%s: this system cannot convert GB18030: %s", name, strerror(errno));
        }
    }
    *out = lines;
    lines = NULL;
    return BR_OK;
}

static const char *encoding_name(br_encoding encoding)
{
    return encoding == BR_ENCODING_UTF8 ? "UTF-8" : "GB18030";
}

static void refuse(br_lines *lines, br_line *line, size_t at, uint8_t byte)
{
    snprintf(lines->reason, sizeof lines->reason, "not %s at byte %zu of the line (0x%02X); the file %s",
             encoding_name(lines->encoding), at + 1, (unsigned)byte,
             lines->marked ? "begins with the mark of this encoding" : "was taken for this encoding as a whole");
    line->reason = lines->reason;
}

/// GB18030 to UTF-8 in lines->text; what is malformed becomes U+FFFD and the first such place the line's reason.
static br_status convert(br_lines *lines, br_line *line, raw_line raw)
{
    char *from = raw.bytes;
    size_t left = raw.n;
    br_buf_clear(&lines->text);
    while (left > 0) {
        char piece[4096];
        char *to = piece;
        size_t room = sizeof piece;
        size_t converted = iconv(lines->converter, &from, &left, &to, &room);
        int cause = errno;
        br_buf_append(&lines->text, piece, sizeof piece - room);
        if (converted == (size_t)-1 && cause != E2BIG) {
            if (line->reason == NULL) {
                refuse(lines, line, raw.n - left, (uint8_t)*from);
            }
            br_buf_string(&lines->text, "\xEF\xBF\xBD");
            from += 1;
            left -= 1;
        }
    }
    line->text = br_buf_text(&lines->text);
    line->n = lines->text.length;
    return lines->text.failed ? br_no_memory("bytes of a line", raw.n) : BR_OK;
}

/// Check a UTF-8 line; one that is not gets U+FFFD for what is malformed, in lines->text.
static br_status check_utf8(br_lines *lines, br_line *line, raw_line raw)
{
    line->text = raw.bytes;
    line->n = raw.n;
    if (is_ascii(raw.bytes, raw.n) || br_utf8_valid(raw.bytes, raw.n)) {
        raw.bytes[raw.n] = '\0';
        return BR_OK;
    }
    br_buf_clear(&lines->text);
    for (size_t i = 0; i < raw.n;) {
        size_t length = br_utf8_sequence(raw.bytes + i, raw.n - i);
        if (length > 0) {
            br_buf_append(&lines->text, raw.bytes + i, length);
        } else {
            if (line->reason == NULL) {
                refuse(lines, line, i, (uint8_t)raw.bytes[i]);
            }
            br_buf_string(&lines->text, "\xEF\xBF\xBD");
        }
        i += length == 0 ? 1 : length;
    }
    line->text = br_buf_text(&lines->text);
    line->n = lines->text.length;
    return lines->text.failed ? br_no_memory("bytes of a line", raw.n) : BR_OK;
}

/// What no line of text may hold, in any encoding.
static void check_bytes(br_lines *lines, br_line *line, const raw_line *raw)
{
    const char *zero = memchr(raw->bytes, '\0', raw->n);
    const char *cr = memchr(raw->bytes, '\r', raw->n);
    if (raw->too_long) {
        line->reason = "line longer than 1,048,576 bytes";
    } else if (zero != NULL) {
        snprintf(lines->reason, sizeof lines->reason, "NUL byte at byte %zu of the line",
                 (size_t)(zero - raw->bytes) + 1);
        line->reason = lines->reason;
    } else if (cr != NULL) {
        snprintf(lines->reason, sizeof lines->reason,
                 "carriage return at byte %zu of the line; a line ends in LF or CRLF", (size_t)(cr - raw->bytes) + 1);
        line->reason = lines->reason;
    }
}

br_status br_lines_next(br_lines *lines, br_line *line)
{
    br_assert(lines != NULL && line != NULL);
    raw_line raw;
    br_status status = next_raw(lines, &raw);
    if (status != BR_OK) {
        return status;
    }
    lines->number += 1;
    if (!raw.too_long && raw.n > 0 && raw.bytes[raw.n - 1] == '\r') {
        raw.n -= 1;
    }
    *line = (br_line){.number = lines->number};
    check_bytes(lines, line, &raw);
    return lines->converts ? convert(lines, line, raw) : check_utf8(lines, line, raw);
}

br_encoding br_lines_encoding(const br_lines *lines)
{
    return lines->encoding;
}

uint64_t br_lines_done(const br_lines *lines)
{
    return lines->done;
}

void br_lines_free(br_lines **lines)
{
    br_lines *gone = *lines;
    if (gone == NULL) {
        return;
    }
    if (gone->converts) {
        iconv_close(gone->converter);
    }
    if (gone->file >= 0) {
        close(gone->file);
    }
    br_buf_deinit(&gone->text);
    br_free(gone->buffer);
    br_free(gone->name);
    br_free(gone);
    *lines = NULL;
}
