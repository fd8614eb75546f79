// Goal: bytes on the wire and on disk change only on purpose.
// Method: the examples' bytes against files kept beside this test. After an intended change (with a higher version) they are made
// anew by running this test with BOOKRUNNER_WRITE_GOLDEN=1.
#include "examples.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES_PER_LINE = 32 };

static void as_hex(const br_buf *bytes, br_buf *out)
{
    for (size_t i = 0; i < bytes->length; i++) {
        br_buf_printf(out, "%02x", bytes->data[i]);
        if (i % BYTES_PER_LINE == BYTES_PER_LINE - 1 || i + 1 == bytes->length) {
            br_buf_char(out, '\n');
        }
    }
}

static FILE *open_golden(const char *name, const char *mode)
{
    const char *source = getenv("BOOKRUNNER_SOURCE");
    char path[1024];
    snprintf(path, sizeof path, "%s/tests/unit/codec/golden/%s.hex", source == NULL ? "." : source, name);
    FILE *file = fopen(path, mode);
    cr_assert(file != NULL, "%s cannot be opened", path);
    return file;
}

static void check_golden(const codec_case *c)
{
    BR_AUTO_DEINIT(br_buf) bytes = {0};
    BR_AUTO_DEINIT(br_buf) hex = {0};
    BR_AUTO_DEINIT(br_buf) golden = {0};
    cr_assert_eq(c->pack(&bytes), BR_OK);
    as_hex(&bytes, &hex);
    if (getenv("BOOKRUNNER_WRITE_GOLDEN") != NULL) {
        FILE *file = open_golden(c->name, "w");
        fputs(br_buf_text(&hex), file);
        fclose(file);
    }
    FILE *file = open_golden(c->name, "r");
    for (int byte = fgetc(file); byte != EOF; byte = fgetc(file)) {
        br_buf_char(&golden, (char)byte);
    }
    fclose(file);
    cr_expect_str_eq(br_buf_text(&hex), br_buf_text(&golden), "%s has other bytes than before:\n%s", c->name,
                     br_buf_text(&hex));
}

Test(codec_golden, every_message_has_the_bytes_it_always_had)
{
    for (size_t i = 0; i < n_codec_cases; i++) {
        check_golden(&codec_cases[i]);
    }
}

Test(codec_golden, a_job_is_named_by_its_body)
{
    br_hash first, second;
    br_job_body body = *example_br_job_body();
    cr_assert_eq(br_job_id(&first, &body), BR_OK);
    char text[BR_HASH_TEXT];
    br_hash_text(&first, text);
    cr_expect_str_eq(text, "7e26c1d03214f462eb2d041735b5bdee042ca3881d37cd6a4b3b7bbf93f3b7b0");
    body.certify = !body.certify;
    cr_assert_eq(br_job_id(&second, &body), BR_OK);
    cr_expect(!br_hash_equal(&first, &second));
}
