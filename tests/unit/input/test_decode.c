/// Goal: a file arrives as UTF-8 whatever it was written in, and damage stays where it is.
/// Method: the same rows written in each encoding, with and without mark, and damaged by one byte.

#include "base/buf.h"
#include "fixture.h"
#include "input/decode.h"
#include "support/temp.h"

#include <criterion/criterion.h>
#include <iconv.h>
#include <string.h>
#include <sys/stat.h>

static const char rows[] = "id,债券评级\nB1,中国银行\r\nB2,钢铁\nB3,€😀é\n\nlast,行业";
static const char decoded[] = "id,债券评级|B1,中国银行|B2,钢铁|B3,€😀é||last,行业|";

static br_buf in_gb18030(const char *text)
{
    br_buf out = {0};
    iconv_t converter = iconv_open("GB18030", "UTF-8");
    char copy[512];
    char room[1024];
    char *from = copy;
    char *to = room;
    size_t left = strlen(text);
    size_t free_bytes = sizeof room;
    br_assert(left < sizeof copy);
    memcpy(copy, text, left);
    br_assert(iconv(converter, &from, &left, &to, &free_bytes) == 0 && left == 0);
    br_buf_append(&out, room, sizeof room - free_bytes);
    iconv_close(converter);
    return out;
}

/// The lines of a file with these bytes, each behind the other and closed by |; a rejected one as "!REASON|".
static void read_lines(br_buf *out, br_encoding *encoding, const void *bytes, size_t n)
{
    char *directory = br_temp_new();
    fixture_write(directory, "f", bytes, n);
    BR_AUTO(br_lines) *lines = NULL;
    cr_assert_eq(br_lines_open(&lines, br_temp_path(directory, "f"), "f"), BR_OK);
    *encoding = br_lines_encoding(lines);
    br_line line;
    uint64_t number = 0;
    while (br_lines_next(lines, &line) == BR_OK) {
        br_buf_printf(out, "%s%s|", line.reason == NULL ? "" : "!", line.reason == NULL ? line.text : line.reason);
        cr_assert_eq(line.number, ++number);
        cr_assert_eq(line.n, strlen(line.text));
    }
    cr_assert_eq(br_lines_done(lines), n);
    br_temp_remove(&directory);
}

static void expect_lines(const char *mark, const void *bytes, size_t n, br_encoding expected)
{
    BR_AUTO_DEINIT(br_buf) file = {0};
    BR_AUTO_DEINIT(br_buf) text = {0};
    br_encoding encoding;
    br_buf_string(&file, mark);
    br_buf_append(&file, bytes, n);
    read_lines(&text, &encoding, file.data, file.length);
    cr_expect_eq(encoding, expected);
    cr_expect_str_eq(br_buf_text(&text), decoded);
}

Test(input_decode, each_encoding_gives_the_same_lines)
{
    BR_AUTO_DEINIT(br_buf) chinese = in_gb18030(rows);
    expect_lines("", rows, strlen(rows), BR_ENCODING_UTF8);
    expect_lines("\xEF\xBB\xBF", rows, strlen(rows), BR_ENCODING_UTF8);
    expect_lines("", chinese.data, chinese.length, BR_ENCODING_GB18030);
    expect_lines("\x84\x31\x95\x33", chinese.data, chinese.length, BR_ENCODING_GB18030);
}

Test(input_decode, one_damaged_byte_does_not_change_the_encoding_of_the_rest)
{
    static const char bytes[] = "B1,中国银行\nB2,钢\xFF铁\nB3,行业\n";
    BR_AUTO_DEINIT(br_buf) text = {0};
    br_encoding encoding;
    read_lines(&text, &encoding, bytes, sizeof bytes - 1);
    cr_expect_eq(encoding, BR_ENCODING_UTF8);
    cr_expect_str_eq(br_buf_text(&text), "B1,中国银行|!not UTF-8 at byte 7 of the line (0xFF); the file was taken for "
                                         "this encoding as a whole|B3,行业|");
}

Test(input_decode, most_lines_decide_even_if_all_could_be_gb18030)
{
    // Two characters of three bytes are three pairs of GB18030 as well.
    static const char bytes[] = "B1,钢铁\nB2,行业\nB3,\xD6\xD0\n";
    BR_AUTO_DEINIT(br_buf) text = {0};
    br_encoding encoding;
    read_lines(&text, &encoding, bytes, sizeof bytes - 1);
    cr_expect_eq(encoding, BR_ENCODING_UTF8);
    cr_expect(strncmp(br_buf_text(&text), "B1,钢铁|B2,行业|!", strlen("B1,钢铁|B2,行业|!")) == 0);
}

Test(input_decode, damage_in_gb18030_rejects_its_line)
{
    BR_AUTO_DEINIT(br_buf) file = in_gb18030("B1,中国银行\nB2,钢铁\n");
    br_buf_append(&file, "B3,\xD6\xD0\xFF\nB4\n", 10);
    BR_AUTO_DEINIT(br_buf) text = {0};
    br_encoding encoding;
    read_lines(&text, &encoding, file.data, file.length);
    cr_expect_eq(encoding, BR_ENCODING_GB18030);
    cr_expect_str_eq(br_buf_text(&text), "B1,中国银行|B2,钢铁|!not GB18030 at byte 6 of the line (0xFF); the file was "
                                         "taken for this encoding as a whole|B4|");
}

Test(input_decode, a_mark_binds_even_when_the_rest_is_damaged)
{
    static const char bytes[] = "\xEF\xBB\xBF\xD6\xD0\xB9\xFA\na\n";
    BR_AUTO_DEINIT(br_buf) text = {0};
    br_encoding encoding;
    read_lines(&text, &encoding, bytes, sizeof bytes - 1);
    cr_expect_str_eq(br_buf_text(&text),
                     "!not UTF-8 at byte 1 of the line (0xD6); the file begins with the mark of this "
                     "encoding|a|");
}

Test(input_decode, lines_up_to_the_limit_pass_wherever_they_lie)
{
    enum { LINES = 6 };
    static const size_t lengths[LINES] = {BR_MAX_LINE_BYTES,      3, BR_MAX_LINE_BYTES + 1, BR_MAX_LINE_BYTES - 70000,
                                          3u * BR_MAX_LINE_BYTES, 0};
    BR_AUTO_DEINIT(br_buf) file = {0};
    for (size_t i = 0; i < LINES; i++) {
        for (size_t k = 0; k < lengths[i]; k++) {
            br_buf_char(&file, (char)('a' + i));
        }
        br_buf_char(&file, '\n');
    }
    char *directory = br_temp_new();
    fixture_write(directory, "f", file.data, file.length);
    BR_AUTO(br_lines) *lines = NULL;
    br_line line;
    cr_assert_eq(br_lines_open(&lines, br_temp_path(directory, "f"), "f"), BR_OK);
    for (size_t i = 0; i < LINES; i++) {
        cr_assert_eq(br_lines_next(lines, &line), BR_OK);
        cr_expect_eq(line.reason != NULL, lengths[i] > BR_MAX_LINE_BYTES);
        cr_expect_eq(line.n, lengths[i] > BR_MAX_LINE_BYTES ? BR_MAX_RAW_BYTES : lengths[i]);
        cr_expect(line.n == 0 || line.text[line.n - 1] == (char)('a' + i));
    }
    cr_expect_eq(br_lines_next(lines, &line), BR_ERR_AGAIN);
    cr_expect_eq(br_lines_done(lines), file.length);
    br_temp_remove(&directory);
}

Test(input_decode, what_is_no_file_of_text_is_refused)
{
    char *directory = br_temp_new();
    BR_AUTO(br_lines) *lines = NULL;
    cr_expect_eq(br_lines_open(&lines, directory, "f"), BR_ERR_INVALID);
    cr_expect_eq(br_lines_open(&lines, br_temp_path(directory, "none"), "f"), BR_ERR_NOT_FOUND);
    cr_assert_eq(mkfifo(br_temp_path(directory, "pipe"), 0600), 0);
    cr_expect_eq(br_lines_open(&lines, br_temp_path(directory, "pipe"), "f"), BR_ERR_INVALID);
    fixture_write(directory, "f", "\xFE\xFF\0a", 4);
    cr_expect_eq(br_lines_open(&lines, br_temp_path(directory, "f"), "f"), BR_ERR_INVALID);
    cr_expect(strstr(br_why(BR_ERR_INVALID), "UTF-16") != NULL);
    br_temp_remove(&directory);
}
