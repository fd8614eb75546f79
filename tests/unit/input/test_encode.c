#include "input/encode.h"

#include <criterion/criterion.h>
#include <string.h>

Test(input_encode, what_has_two_and_four_bytes_and_a_long_text)
{
    BR_AUTO_DEINIT(br_buf) out = {0};
    cr_assert_eq(br_encode_gb18030(&out, "a\xE5\x88\xB8\xF0\xA0\xAE\xB7", 8),
                 BR_OK); // a, the character of bonds, one beyond 16 bits
    cr_assert_eq(out.length, 7);
    cr_assert_eq(memcmp(out.data, "a\xC8\xAF\x95\x34\xB2\x35", 7), 0);
    char text[9000];
    for (size_t i = 0; i < sizeof text; i += 3) {
        memcpy(text + i, "\xE5\x88\xB8", 3);
    }
    br_buf_clear(&out);
    cr_assert_eq(br_encode_gb18030(&out, text, sizeof text), BR_OK);
    cr_assert_eq(out.length, 6000);
    for (size_t i = 0; i < out.length; i += 2) {
        cr_assert_eq(memcmp(out.data + i, "\xC8\xAF", 2), 0, "at %zu", i);
    }
}

Test(input_encode, what_is_no_utf8_is_refused)
{
    BR_AUTO_DEINIT(br_buf) out = {0};
    cr_assert_eq(br_encode_gb18030(&out, "a\xFF", 2), BR_ERR_INVALID);
    cr_assert_eq(br_encode_gb18030(&out, "a\xE5\x88", 3), BR_ERR_INVALID);
    cr_assert_eq(br_encode_gb18030(&out, "", 0), BR_OK);
}
