/// Goal: every good row of a benchmark's files arrives as it stands there, every bad one is told with its place and cause.
/// Method: small files of both formats, right and damaged, read to a text; a long one under the eye of the memory.

#include "base/alloc.h"
#include "base/buf.h"
#include "fixture.h"
#include "input/ctr_reader.h"
#include "support/temp.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

/// All rows as "LINE LABEL VALUE,VALUE;", then "failed: REASON" or nothing, then the messages in brackets without the directory.
static void read_all(br_buf *out, const char *directory, const char *const *names, size_t n_names,
                     const br_ctr_options *options)
{
    const char *files[4];
    for (size_t i = 0; i < n_names; i++) {
        files[i] = br_temp_path(directory, names[i]);
    }
    BR_AUTO(br_ctr_reader) *reader = NULL;
    br_status status = br_ctr_reader_new(&reader, files, n_names, options);
    br_ctr_row row;
    uint64_t n_rows = 0;
    while (status == BR_OK && (status = br_ctr_reader_next(reader, &row)) == BR_OK) {
        br_buf_printf(out, "%" PRIu64 " %u ", row.line, row.label);
        for (uint32_t i = 0; i < br_ctr_reader_n_fields(reader); i++) {
            const br_ctr_value *value = &row.values[i];
            cr_assert_eq(value->n, strlen(value->text));
            bool number = br_ctr_reader_is_numeric(reader, i) && !isnan(value->number);
            cr_assert(number || isnan(value->number));
            number ? br_buf_printf(out, "#%g,", value->number) : br_buf_printf(out, "%s,", value->text);
        }
        br_buf_char(out, ';');
        n_rows += 1;
    }
    if (status != BR_ERR_AGAIN) {
        br_buf_printf(out, "failed: %s", br_why(status));
    }
    if (reader != NULL) {
        const br_ctr_tally *tally = br_ctr_reader_tally(reader);
        cr_expect_eq(tally->n_rows, n_rows);
        cr_expect_eq(tally->n_rejected, tally->n_messages);
        for (uint32_t i = 0; i < tally->n_messages; i++) {
            br_buf_printf(out, "[%s]", tally->messages[i] + strlen(directory) + 1);
        }
    }
}

static void expect_of(const char *expected, const char *const *names, const char *const *texts, size_t n,
                      const br_ctr_options *options)
{
    char *directory = br_temp_new();
    BR_AUTO_DEINIT(br_buf) text = {0};
    for (size_t i = 0; i < n; i++) {
        fixture_text(directory, names[i], texts[i]);
    }
    read_all(&text, directory, names, n, options);
    const char *seen = br_buf_text(&text);
    size_t failed = strlen("failed: ");
    bool failure = strncmp(seen, "failed: ", failed) == 0 && strncmp(seen + failed, directory, strlen(directory)) == 0;
    cr_expect_str_eq(failure ? seen + failed + strlen(directory) + 1 : seen, expected);
    br_temp_remove(&directory);
}

static void expect_csv(const char *expected, const char *text)
{
    static const char *const numeric[] = {"I1"};
    br_ctr_options options = {.numeric = numeric, .n_numeric = 1};
    expect_of(expected, (const char *const[]){"f.csv"}, &text, 1, &options);
}

static void expect_libsvm(const char *expected, const char *text)
{
    static const char *const numeric[] = {"2"};
    br_ctr_options options = {.format = BR_CTR_LIBSVM, .numeric = numeric, .n_numeric = 1};
    expect_of(expected, (const char *const[]){"f.txt"}, &text, 1, &options);
}

Test(input_ctr_reader, reads_what_a_benchmark_writes)
{
    expect_csv("2 1 #0.05,68fd1e64,,;3 0 ,,x,;4 1 #-200000,a,b,;",
               "label,I1,C1,C2\n1,0.05,68fd1e64,\n0,,,x\n1.0,-2e5,a,b\n");
    expect_libsvm("1 1 5,#1,77,;2 0 5,#0.25,9,;3 0 6,,0,;4 1 5,#-1,3,;",
                  "1 5:1 2:1 77:1\n0 5:1 2:0.25 9:1\n-1 6:1 2: 0:1.0\n+1 5:1 2:-1 3:1");
}

Test(input_ctr_reader, marks_line_ends_quotes_and_blank_lines_do_not_matter)
{
    expect_csv(
        "2 1 #1,a,b c,;4 0 #2,d\"e,f,g,;6 1 #3,two\nlines,h,;",
        "\xEF\xBB\xBFlabel,I1,C1,C2\r\n1,1,a,\"b c\"\r\n\r\n0,\"2\",\"d\"\"e\",\"f,g\"\r\n\n1,3,\"two\nlines\",h");
    expect_libsvm("2 1 5,#1,7,;4 0 6,#2,8,;", "\xEF\xBB\xBF\r\n1 5:1  2:1\t7:1 \r\n  \r\n0 6:1 2:2 8:1");
}

Test(input_ctr_reader, a_bad_row_of_a_csv_is_told_and_the_next_one_read)
{
    expect_csv(
        "2 1 #1,a,;9 0 #2,b,;"
        "[f.csv line 3, I1: 'NaN' is not a finite number]"
        "[f.csv line 4, I1: '-inf' is not a finite number]"
        "[f.csv line 5, I1: '1e999' is not a finite number]"
        "[f.csv line 6, label: '2' is not a label: 0 or 1]"
        "[f.csv line 7, label: '' is not a label: 0 or 1]"
        "[f.csv line 8: 2 fields where the header has 3]"
        "[f.csv line 10, label: '-1' is not a label: 0 or 1]"
        "[f.csv line 11: not UTF-8 at byte 5 of the line (0xFF); the file was taken for this encoding as a whole]"
        "[f.csv line 12: 4 fields where the header has 3]"
        "[f.csv line 13, I1: 'a' is not a finite number]",
        "label,I1,C1\n1,1,a\n1,NaN,a\n0,-inf,a\n0,1e999,a\n2,1,a\n,1,a\n1,1\n0,2,b\n-1,1,a\n1,1,\xFFz\n"
        "1,1,a,b\n1,a\a\x1b[0m,c\n");
}

Test(input_ctr_reader, a_message_shows_the_beginning_of_a_long_value_in_whole_characters)
{
    expect_csv("[f.csv line 2, I1: '012345678901234567890123456789012345678' is not a finite number]"
               "[f.csv line 3, I1: '0123456789012345678901234567890123456789' is not a finite number]",
               "label,I1\n1,012345678901234567890123456789012345678é\n"
               "0,01234567890123456789012345678901234567890123456789x\n");
}

Test(input_ctr_reader, a_bad_row_of_libsvm_is_told_and_the_next_one_read)
{
    expect_libsvm("1 1 5,#1,7,;12 0 6,#2,8,;"
                  "[f.txt line 2, 2: 'nan' is not a finite number]"
                  "[f.txt line 3, 1: value '0.5' of a category, which must be 1]"
                  "[f.txt line 4, 3: '7' is not INDEX:VALUE]"
                  "[f.txt line 5, 1: 'x:1' is not INDEX:VALUE]"
                  "[f.txt line 6, 1: ':1' is not INDEX:VALUE]"
                  "[f.txt line 7: 2 fields where the first row has 3]"
                  "[f.txt line 8: 4 fields where the first row has 3]"
                  "[f.txt line 9: 0 fields where the first row has 3]"
                  "[f.txt line 10, label: '0.5' is not a label: 0 or 1]"
                  "[f.txt line 11, 3: value '' of a category, which must be 1]",
                  "1 5:1 2:1 7:1\n1 5:1 2:nan 7:1\n1 5:0.5 2:1 7:1\n1 5:1 2:1 7\n1 x:1 2:1 7:1\n1 :1 2:1 7:1\n"
                  "1 5:1 2:1\n1 5:1 2:1 7:1 8:1\n1\n0.5 5:1 2:1 7:1\n1 5:1 2:1 7:\n0 6:1 2:2 8:1\n");
}

Test(input_ctr_reader, only_the_first_messages_are_kept)
{
    enum { N_BAD = 3 * BR_CTR_MAX_MESSAGES };
    char *directory = br_temp_new();
    BR_AUTO_DEINIT(br_buf) text = {0};
    br_buf_string(&text, "label,C1\n");
    for (int i = 0; i < N_BAD; i++) {
        br_buf_string(&text, "7,a\n");
    }
    br_buf_string(&text, "1,a\n");
    fixture_text(directory, "f", br_buf_text(&text));
    const char *file = br_temp_path(directory, "f");
    BR_AUTO(br_ctr_reader) *reader = NULL;
    br_ctr_row row;
    cr_assert_eq(br_ctr_reader_new(&reader, &file, 1, &(br_ctr_options){0}), BR_OK);
    cr_assert_eq(br_ctr_reader_next(reader, &row), BR_OK);
    cr_expect_eq(row.line, N_BAD + 2);
    cr_expect_eq(br_ctr_reader_next(reader, &row), BR_ERR_AGAIN);
    cr_expect_eq(br_ctr_reader_next(reader, &row), BR_ERR_AGAIN, "the end stays the end");
    cr_expect_eq(br_ctr_reader_tally(reader)->n_rejected, N_BAD);
    cr_expect_eq(br_ctr_reader_tally(reader)->n_messages, BR_CTR_MAX_MESSAGES);
    br_temp_remove(&directory);
}

Test(input_ctr_reader, fields_are_chosen_by_name_in_the_order_asked_for)
{
    static const char *const names[] = {"a.csv", "b.csv"};
    static const char *const texts[] = {"x,click,z,y\n1,0,2,3\n", "y,other,click,z\n4,5,1,6\n"};
    static const char *const fields[] = {"z", "y"};
    br_ctr_options options = {.label = "click", .fields = fields, .n_fields = 2, .numeric = &fields[1], .n_numeric = 1};
    expect_of("2 0 2,#3,;2 1 6,#4,;", names, texts, 2, &options);
}

Test(input_ctr_reader, all_files_have_the_fields_of_the_first)
{
    static const char *const names[] = {"a.csv", "b.csv"};
    static const char *const another_order[] = {"label,u,v\n1,a,b\n", "v,label,u\nd,0,c\n"};
    static const char *const more[] = {"label,u\n1,a\n", "label,u,v\n1,a,b\n"};
    static const char *const others[] = {"label,u\n1,a\n", "label,v\n1,a\n"};
    br_ctr_options options = {0};
    expect_of("2 1 a,b,;2 0 c,d,;", names, another_order, 2, &options);
    char *directory = br_temp_new();
    for (int k = 0; k < 2; k++) {
        BR_AUTO_DEINIT(br_buf) text = {0};
        fixture_text(directory, "a.csv", k == 0 ? more[0] : others[0]);
        fixture_text(directory, "b.csv", k == 0 ? more[1] : others[1]);
        read_all(&text, directory, names, 2, &options);
        cr_expect(strncmp(br_buf_text(&text), "2 1 a,;failed: ", 15) == 0, "%s", br_buf_text(&text));
        cr_expect(strstr(br_buf_text(&text), k == 0 ? "b.csv has 3 columns where" : "has no column 'u'") != NULL);
    }
    br_temp_remove(&directory);
    static const char *const rows[] = {"1 5:1 2:1\n", "0 7:1 2:2\n1 7:1\n"};
    br_ctr_options libsvm = {.format = BR_CTR_LIBSVM};
    expect_of("1 1 5,2,;[b.csv line 1, 2: value '2' of a category, which must be 1][b.csv line 2: 1 field where the "
              "first row has 2]",
              names, rows, 2, &libsvm);
}

Test(input_ctr_reader, a_file_that_cannot_be_used_is_an_error)
{
    expect_csv("f.csv is empty; its first line must name the columns", "");
    expect_csv("f.csv: the header has no column 'label'", "Label,I1\n1,2\n");
    expect_csv("f.csv: column 'a' is there twice", "label,I1,a,a\n1,2,3,4\n");
    expect_csv("f.csv has a label and no field", "label\n1\n");
    expect_csv("f.csv line 1: the header is unusable: text behind a closing quote or a quote inside an unquoted field; "
               "reading goes on at the next line",
               "label,\"I1\"x\n");
    expect_csv("failed: 'I1' is to be numeric and is not one of the 1 fields", "label,C1\n1,a\n");
    expect_csv("", "label,I1,C1\n");
    expect_libsvm("f.txt has no row", "\n \n");
    expect_libsvm("f.txt has a label and no field", "1\n");
    BR_AUTO(br_ctr_reader) *reader = NULL;
    static const char *const nowhere = "/nowhere/at/all";
    cr_expect_eq(br_ctr_reader_new(&reader, &nowhere, 1, &(br_ctr_options){0}), BR_ERR_NOT_FOUND);
    static const char *const names[] = {"f.csv"};
    static const char *const texts[] = {"label,a\n1,x\n"};
    br_ctr_options missing = {.fields = (const char *const[]){"a", "b"}, .n_fields = 2};
    expect_of("f.csv: the header has no column 'b'", names, texts, 1, &missing);
    br_ctr_options twice = {.fields = (const char *const[]){"a", "a"}, .n_fields = 2};
    expect_of("failed: field 'a' is named twice, or is the label", names, texts, 1, &twice);
    br_ctr_options label = {.fields = (const char *const[]){"label"}, .n_fields = 1};
    expect_of("failed: field 'label' is named twice, or is the label", names, texts, 1, &label);
}

Test(input_ctr_reader, more_fields_than_allowed_are_refused)
{
    for (size_t n = BR_CTR_MAX_FIELDS; n <= BR_CTR_MAX_FIELDS + 1; n++) {
        for (int format = 0; format < 2; format++) {
            char *directory = br_temp_new();
            BR_AUTO_DEINIT(br_buf) text = {0};
            br_buf_string(&text, format == BR_CTR_CSV ? "label" : "1");
            for (size_t i = 0; i < n; i++) {
                br_buf_printf(&text, format == BR_CTR_CSV ? ",c%zu" : " %zu:1", i);
            }
            fixture_text(directory, "f", br_buf_text(&text));
            const char *file = br_temp_path(directory, "f");
            BR_AUTO(br_ctr_reader) *reader = NULL;
            br_ctr_options options = {.format = (br_ctr_format)format};
            br_status status = br_ctr_reader_new(&reader, &file, 1, &options);
            cr_expect_eq(status, n > BR_CTR_MAX_FIELDS ? BR_ERR_LIMIT : BR_OK, "%zu", n);
            br_temp_remove(&directory);
        }
    }
}

static long peak_kib(void)
{
    struct rusage usage;
    br_assert(getrusage(RUSAGE_SELF, &usage) == 0);
    return usage.ru_maxrss;
}

Test(input_ctr_reader, memory_does_not_grow_with_the_file)
{
    enum { N_ROWS = 1000000, BOUND_KIB = 8 << 10 };
    char *directory = br_temp_new();
    const char *file = br_temp_path(directory, "long.csv");
    FILE *to = fopen(file, "w");
    cr_assert(to != NULL);
    fputs("label,I1,C1,C2\n", to);
    for (int i = 0; i < N_ROWS; i++) {
        fprintf(to, "%d,%d.5,%08x,user-%d\n", i % 10 == 0, i % 1000, (unsigned)i * 2654435761u, i);
    }
    cr_assert_gt(ftell(to), 3L * 1024 * BOUND_KIB);
    cr_assert_eq(fclose(to), 0);

    static const char *const numeric[] = {"I1"};
    br_ctr_options options = {.numeric = numeric, .n_numeric = 1};
    BR_AUTO(br_ctr_reader) *reader = NULL;
    br_ctr_row row;
    long before = peak_kib();
    cr_assert_eq(br_ctr_reader_new(&reader, &file, 1, &options), BR_OK);
    cr_assert_eq(br_ctr_reader_next(reader, &row), BR_OK);
    size_t live = br_alloc_live();
    uint64_t n_positive = row.label;
    double sum = row.values[0].number;
    br_status status;
    while ((status = br_ctr_reader_next(reader, &row)) == BR_OK) {
        n_positive += row.label;
        sum += row.values[0].number;
    }
    cr_expect_eq(status, BR_ERR_AGAIN);
    cr_expect_eq(br_ctr_reader_tally(reader)->n_rows, N_ROWS);
    cr_expect_eq(n_positive, N_ROWS / 10);
    cr_expect_eq(sum, N_ROWS * 500.0);
    cr_expect_eq(br_alloc_live(), live);
    cr_expect_lt(peak_kib() - before, BOUND_KIB, "%ld KiB", peak_kib() - before);
    br_temp_remove(&directory);
}

static br_status read_once(const char *directory, bool csv)
{
    const char *const files[] = {br_temp_path(directory, csv ? "a.csv" : "a.txt"),
                                 br_temp_path(directory, csv ? "b.csv" : "b.txt")};
    static const char *const fields[] = {"I1", "C1"};
    br_ctr_options options = {.format = csv ? BR_CTR_CSV : BR_CTR_LIBSVM, .fields = fields, .n_fields = csv ? 2 : 0};
    BR_AUTO(br_ctr_reader) *reader = NULL;
    br_status status = br_ctr_reader_new(&reader, files, 2, &options);
    br_ctr_row row;
    while (status == BR_OK) {
        status = br_ctr_reader_next(reader, &row);
    }
    return status;
}

Test(input_ctr_reader, each_failing_allocation_is_an_error_and_leaks_nothing)
{
    char *directory = br_temp_new();
    fixture_text(directory, "a.csv", "label,I1,C1\n1,2,a\n");
    fixture_text(directory, "b.csv", "C1,label,I1\n\"b\",0,3\n");
    fixture_text(directory, "a.txt", "1 5:1 6:1\n");
    fixture_text(directory, "b.txt", "0 7:1 6:1\n");
    for (int csv = 0; csv < 2; csv++) {
        br_status status = BR_ERR_NO_MEMORY;
        for (size_t n = 0; status != BR_ERR_AGAIN; n++) {
            size_t before = br_alloc_live();
            br_alloc_fail_after(n);
            status = read_once(directory, csv == 1);
            br_alloc_fail_after(SIZE_MAX);
            cr_assert(status == BR_ERR_AGAIN || status == BR_ERR_NO_MEMORY, "%d", (int)status);
            cr_assert_eq(br_alloc_live(), before);
            cr_assert_lt(n, 100);
        }
    }
    br_temp_remove(&directory);
}
