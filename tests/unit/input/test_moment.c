/// Goal: every stated way to write a time gives its second, and nothing else is taken for a time.
/// Method: a table of texts with the seconds that `date -u -d TEXT +%s` prints.

#include "input/moment.h"

#include <criterion/criterion.h>
#include <string.h>

static void expect(const char *text, br_moment_unit unit, int64_t seconds)
{
    int64_t moment = -1;
    cr_expect_eq(br_moment_parse(&moment, text, strlen(text), unit), BR_OK, "%s", text);
    cr_expect_eq(moment, seconds, "%s: %lld", text, (long long)moment);
}

Test(input_moment, reads_every_form)
{
    expect("964982703", BR_MOMENT_BY_SIZE, 964982703);
    expect("0", BR_MOMENT_BY_SIZE, 0);
    expect("-1", BR_MOMENT_BY_SIZE, -1);
    expect("1970-01-01", BR_MOMENT_BY_SIZE, 0);
    expect("2019-08-12", BR_MOMENT_BY_SIZE, 1565568000);
    expect("2019-08-12 09:30:05", BR_MOMENT_BY_SIZE, 1565602205);
    expect("2019-08-12 09:30", BR_MOMENT_BY_SIZE, 1565602200);
    expect("2019-08-12T09:30:05Z", BR_MOMENT_BY_SIZE, 1565602205);
    expect("2019-08-12T09:30:05.999Z", BR_MOMENT_BY_SIZE, 1565602205);
    expect("2019-08-12T09:30:05+02:00", BR_MOMENT_BY_SIZE, 1565595005);
    expect("2019-08-12T09:30:05-0530", BR_MOMENT_BY_SIZE, 1565622005);
    expect("2019-08-12 09:30:05+09", BR_MOMENT_BY_SIZE, 1565569805);
    expect("2020-02-29T23:59:59Z", BR_MOMENT_BY_SIZE, 1583020799);
    expect("1969-12-31T23:59:59Z", BR_MOMENT_BY_SIZE, -1);
    expect("0001-01-01", BR_MOMENT_BY_SIZE, -62135596800);
    expect("9999-12-31T23:59:59Z", BR_MOMENT_BY_SIZE, 253402300799);
}

Test(input_moment, large_numbers_are_milliseconds_unless_the_caller_knows_better)
{
    expect("99999999999", BR_MOMENT_BY_SIZE, 99999999999);
    expect("100000000000", BR_MOMENT_BY_SIZE, 100000000);
    expect("-100000000000", BR_MOMENT_BY_SIZE, -100000000);
    expect("1565602205999", BR_MOMENT_BY_SIZE, 1565602205);
    expect("200000000000", BR_MOMENT_SECONDS, 200000000000);
    expect("86400000", BR_MOMENT_MILLISECONDS, 86400);
    expect("-1", BR_MOMENT_MILLISECONDS, -1);
    expect("-1000", BR_MOMENT_MILLISECONDS, -1);
    expect("-1001", BR_MOMENT_MILLISECONDS, -2);
    expect("2019-08-12", BR_MOMENT_MILLISECONDS, 1565568000);
}

Test(input_moment, everything_else_is_refused)
{
    static const char *const wrong[] = {
        "",
        " ",
        "-",
        "1.5",
        "1e9",
        "+5",
        "12 ",
        " 12",
        "0x10",
        "nan",
        "2019-8-12",
        "2019-13-01",
        "2019-02-29",
        "2019-08-12T",
        "2019-08-12 ",
        "2019-08-12 9:30:00",
        "2019-08-12 24:00:00",
        "2019-08-12 09:60:00",
        "2019-08-12 09:30:60",
        "2019-08-12 09:30:00.",
        "2019-08-12 09:30:00 UTC",
        "2019-08-12T09:30:00z",
        "2019-08-12T09:30:00+2",
        "2019-08-12T09:30:00+02:",
        "2019-08-12T09:30:00+02:60",
        "2019-08-12T09:30:00ZZ",
        "2019-08-12Z",
        "2019-08-12/09:30",
        "0000-01-01",
        "10000-01-01",
        "999999999999999999999",
        "9999999999999999",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        int64_t moment = 0;
        cr_expect_eq(br_moment_parse(&moment, wrong[i], strlen(wrong[i]), BR_MOMENT_BY_SIZE), BR_ERR_INVALID, "%s",
                     wrong[i]);
    }
    int64_t moment = 0;
    cr_expect_eq(br_moment_parse(&moment, "253402300800", 12, BR_MOMENT_SECONDS), BR_ERR_INVALID, "the year 10000");
    cr_expect_eq(br_moment_parse(&moment, "x", 1, BR_MOMENT_BY_SIZE), BR_ERR_INVALID);
    cr_expect(strstr(br_why(BR_ERR_INVALID), "'x' is not a time: whole seconds") != NULL, "%s", br_why(BR_ERR_INVALID));
}

Test(input_moment, what_is_written_is_read_back)
{
    static const int64_t moments[] = {-62135596800, -86401, -86400, -1, 0, 964982703, 1565602205, 253402300799};
    for (size_t i = 0; i < sizeof moments / sizeof *moments; i++) {
        char text[BR_MOMENT_TEXT];
        expect(br_moment_text(moments[i], text), BR_MOMENT_BY_SIZE, moments[i]);
    }
    char text[BR_MOMENT_TEXT];
    cr_expect_str_eq(br_moment_text(-1, text), "1969-12-31T23:59:59Z");
    cr_expect_str_eq(br_moment_text(INT64_MAX, text), "9999-12-31T23:59:59Z");
    cr_expect_str_eq(br_moment_text(INT64_MIN, text), "0001-01-01T00:00:00Z");
}
