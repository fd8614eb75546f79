// Tables in every form. Method: small tables with awkward cells, printed into memory, against literal text.

#include "table.h"

#include "base/alloc.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

// The program's own way to report: here no failure is expected but in the allocation sweep.
exit_code cli_failed(br_status status, const char *doing)
{
    (void)doing;
    return status == BR_OK ? EXIT_CODE_OK : EXIT_CODE_FAILED;
}

static void fill(table *t)
{
    table_text(t, "债券 A");
    table_number(t, 0.5, 2);
    table_flag(t, true);
    table_text(t, "x,\"yyyy\"");
    table_number(t, (double)NAN, 2);
    table_flag(t, false);
}

static char *printed(const table *t, output_format format)
{
    char *text = NULL;
    size_t n = 0;
    FILE *to = open_memstream(&text, &n);
    cr_assert_eq(table_print(t, format, to), EXIT_CODE_OK);
    fclose(to);
    return text;
}

static const char *const columns[] = {"name", "share", "good"};

static void expect(output_format format, const char *wanted)
{
    BR_AUTO_DEINIT(table) t = {.columns = columns, .n_columns = 3};
    fill(&t);
    char *text = printed(&t, format);
    cr_assert_str_eq(text, wanted);
    free(text);
}

Test(bookrunner_table, wide_characters_take_two_columns)
{
    expect(FORMAT_TABLE, "name      share  good\n债券 A     0.50  yes\nx,\"yyyy\"      -  no\n");
}

Test(bookrunner_table, csv_quotes_and_leaves_missing_values_empty)
{
    expect(FORMAT_CSV, "name,share,good\n债券 A,0.5,yes\n\"x,\"\"yyyy\"\"\",,no\n");
}

Test(bookrunner_table, json_has_types_and_null)
{
    expect(FORMAT_NDJSON, "{\"name\": \"债券 A\", \"share\": 0.5, \"good\": true}\n"
                          "{\"name\": \"x,\\\"yyyy\\\"\", \"share\": null, \"good\": false}\n");
}

Test(bookrunner_table, a_record_is_one_object)
{
    BR_AUTO_DEINIT(table) t = {.columns = columns, .n_columns = 2, .record = true};
    table_text(&t, "bonds");
    table_whole(&t, 3000);
    table_text(&t, "snapshot");
    table_text(&t, NULL);
    char *text = printed(&t, FORMAT_JSON);
    cr_assert_str_eq(text, "{\"bonds\": 3000, \"snapshot\": null}\n");
    free(text);
}

Test(bookrunner_table, an_empty_table_prints_its_header)
{
    BR_AUTO_DEINIT(table) t = {.columns = columns, .n_columns = 3};
    char *text = printed(&t, FORMAT_TABLE);
    cr_assert_str_eq(text, "name  share  good\n");
    free(text);
    text = printed(&t, FORMAT_JSON);
    cr_assert_str_eq(text, "[]\n");
    free(text);
}

Test(bookrunner_table, every_failed_allocation_is_reported)
{
    size_t live = br_alloc_live();
    FILE *nowhere = fopen("/dev/null", "we");
    for (size_t n = 0;; n++) {
        table t = {.columns = columns, .n_columns = 3};
        br_alloc_fail_after(n);
        fill(&t);
        exit_code code = table_print(&t, FORMAT_TABLE, nowhere);
        br_alloc_fail_after(SIZE_MAX);
        table_deinit(&t);
        cr_assert_eq(br_alloc_live(), live);
        if (code == EXIT_CODE_OK) {
            cr_assert_gt(n, 1);
            break;
        }
    }
    fclose(nowhere);
}
