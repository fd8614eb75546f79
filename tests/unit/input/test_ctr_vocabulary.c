/// Goal: a value's code depends on how often training saw it and on nothing else; memory has the stated bound.
/// Method: small files with known counts in several orders, columns of known quantiles, and more values than memory is allowed for.

#include "base/alloc.h"
#include "base/buf.h"
#include "base/rng.h"
#include "fixture.h"
#include "input/ctr_vocabulary.h"
#include "support/temp.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

static const char *const numeric[] = {"x"};

/// A reader of these lines behind the header "label,c,x"; `x` is a number.
static br_ctr_reader *open_text(const char *directory, const char *lines)
{
    BR_AUTO_DEINIT(br_buf) text = {0};
    br_buf_printf(&text, "label,c,x\n%s", lines);
    fixture_text(directory, "f.csv", br_buf_text(&text));
    const char *file = br_temp_path(directory, "f.csv");
    br_ctr_reader *reader = NULL;
    cr_assert_eq(br_ctr_reader_new(&reader, &file, 1, &(br_ctr_options){.numeric = numeric, .n_numeric = 1}), BR_OK);
    return reader;
}

static br_status learn_from(br_ctr_vocabulary **out, br_ctr_reader *reader, const br_ctr_vocabulary_options *options)
{
    BR_AUTO(br_ctr_counter) *counter = NULL;
    br_ctr_row row;
    br_status status = br_ctr_counter_new(&counter, reader, options);
    while (status == BR_OK && (status = br_ctr_reader_next(reader, &row)) == BR_OK) {
        status = br_ctr_counter_add(counter, &row);
    }
    status = status == BR_ERR_AGAIN ? br_ctr_counter_finish(&counter, out) : status;
    return status;
}

static br_ctr_vocabulary *learn(const char *lines, const br_ctr_vocabulary_options *options)
{
    char *directory = br_temp_new();
    BR_AUTO(br_ctr_reader) *reader = open_text(directory, lines);
    br_ctr_vocabulary *vocabulary = NULL;
    cr_assert_eq(learn_from(&vocabulary, reader, options), BR_OK);
    br_temp_remove(&directory);
    return vocabulary;
}

static uint32_t code_of(const br_ctr_vocabulary *vocabulary, const char *category)
{
    br_ctr_value values[] = {{category, strlen(category), (double)NAN}, {"", 0, (double)NAN}};
    uint32_t codes[] = {UINT32_MAX, UINT32_MAX};
    br_ctr_vocabulary_encode(vocabulary, &(br_ctr_row){.values = values}, codes);
    cr_expect_eq(codes[1], 0, "a missing number");
    return codes[0];
}

static uint32_t bin_of(const br_ctr_vocabulary *vocabulary, double number)
{
    br_ctr_value values[] = {{"", 0, (double)NAN}, {"?", 1, number}};
    uint32_t codes[] = {UINT32_MAX, UINT32_MAX};
    br_ctr_vocabulary_encode(vocabulary, &(br_ctr_row){.values = values}, codes);
    return codes[1];
}

Test(input_ctr_vocabulary, the_most_frequent_values_have_the_first_codes_whatever_the_order_of_rows)
{
    static const char *const orders[] = {"1,b,\n0,a,\n0,c,\n0,c,\n0,b,\n0,once,\n0,c,\n1,a,\n0,,\n1,,\n",
                                         "0,once,\n1,,\n0,,\n1,a,\n0,a,\n0,c,\n0,b,\n0,c,\n0,c,\n1,b,\n"};
    br_ctr_vocabulary_options options = br_ctr_vocabulary_defaults();
    for (int i = 0; i < 2; i++) {
        BR_AUTO(br_ctr_vocabulary) *vocabulary = learn(orders[i], &options);
        const br_ctr_field *field = &vocabulary->fields[0];
        cr_assert_eq(vocabulary->n_fields, 2);
        cr_expect_eq(vocabulary->n_rows, 10);
        cr_expect_eq(vocabulary->n_positive, 3);
        cr_expect_str_eq(field->name, "c");
        cr_expect_eq(field->n_values, 5);
        cr_expect_eq(code_of(vocabulary, "c"), 1);
        cr_expect_eq(code_of(vocabulary, ""), 2, "of equal counts the bytewise smaller");
        cr_expect_eq(code_of(vocabulary, "a"), 3);
        cr_expect_eq(code_of(vocabulary, "b"), 4);
        cr_expect_eq(code_of(vocabulary, "once"), 0, "rare");
        cr_expect_eq(code_of(vocabulary, "never"), 0, "unknown");
        cr_expect_str_eq(br_index_text(field->values, 3 - 1), "a", "number c - 1 is the value of code c");
    }
}

Test(input_ctr_vocabulary, rare_values_and_those_beyond_the_limit_have_no_code)
{
    static const char lines[] = "0,a,\n0,a,\n0,a,\n0,b,\n0,b,\n0,c,\n";
    br_ctr_vocabulary_options options = br_ctr_vocabulary_defaults();
    for (uint32_t limit = 1; limit <= 4; limit++) {
        options.min_count = 1;
        options.max_values = limit;
        BR_AUTO(br_ctr_vocabulary) *few = learn(lines, &options);
        cr_expect_eq(few->fields[0].n_values, (limit < 3 ? limit : 3) + 1);
        cr_expect_eq(code_of(few, "b"), limit >= 2 ? 2 : 0);
        options.min_count = limit;
        options.max_values = 10;
        BR_AUTO(br_ctr_vocabulary) *frequent = learn(lines, &options);
        cr_expect_eq(frequent->fields[0].n_values, 4 - (limit - 1));
        cr_expect_eq(code_of(frequent, "b"), limit <= 2 ? 2 : 0);
        cr_expect_eq(code_of(frequent, "a"), limit <= 3 ? 1 : 0);
    }
}

/// The number written so often.
static void repeat(br_buf *lines, double number, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        br_buf_printf(lines, "0,a,%g\n", number);
    }
}

Test(input_ctr_vocabulary, bins_hold_equal_parts)
{
    BR_AUTO_DEINIT(br_buf) lines = {0};
    for (uint32_t i = 0; i < 1000; i++) {
        repeat(&lines, (i * 7) % 1000, 1);
    }
    br_ctr_vocabulary_options options = br_ctr_vocabulary_defaults();
    options.n_bins = 10;
    BR_AUTO(br_ctr_vocabulary) *vocabulary = learn(br_buf_text(&lines), &options);
    cr_expect_eq(vocabulary->fields[1].n_values, 11);
    cr_expect_null(vocabulary->fields[1].values);
    for (int i = 0; i < 1000; i++) {
        cr_assert_eq(bin_of(vocabulary, i), 1 + i / 100, "%d", i);
    }
    cr_expect_eq(bin_of(vocabulary, -1e300), 1);
    cr_expect_eq(bin_of(vocabulary, 1e300), 10);
}

Test(input_ctr_vocabulary, a_frequent_number_does_not_use_up_the_bins_of_the_others)
{
    BR_AUTO_DEINIT(br_buf) lines = {0};
    repeat(&lines, 0.0, 900);
    for (int i = 1; i <= 90; i++) {
        repeat(&lines, i, 1);
    }
    br_ctr_vocabulary_options options = br_ctr_vocabulary_defaults();
    options.n_bins = 10;
    BR_AUTO(br_ctr_vocabulary) *vocabulary = learn(br_buf_text(&lines), &options);
    cr_assert_eq(vocabulary->fields[1].n_values, 11);
    cr_expect_eq(bin_of(vocabulary, 0.0), 1);
    for (int i = 1; i <= 90; i++) {
        cr_assert_eq(bin_of(vocabulary, i), 2 + (i - 1) / 10, "%d", i);
    }
}

Test(input_ctr_vocabulary, numbers_that_are_few_or_missing_have_fewer_bins)
{
    br_ctr_vocabulary_options options = br_ctr_vocabulary_defaults();
    BR_AUTO(br_ctr_vocabulary) *two = learn("0,a,5\n0,a,5\n1,a,\n0,a,7\n", &options);
    cr_expect_eq(two->fields[1].n_values, 3);
    cr_expect_eq(bin_of(two, 5.0), 1);
    cr_expect_eq(bin_of(two, 5.1), 2);
    cr_expect_eq(bin_of(two, (double)NAN), 0);
    BR_AUTO(br_ctr_vocabulary) *none = learn("0,a,\n1,a,\n", &options);
    cr_expect_eq(none->fields[1].n_values, 2);
    cr_expect_eq(bin_of(none, 3.0), 1);
}

Test(input_ctr_vocabulary, cuts_are_those_of_all_rows_though_learned_from_some)
{
    // The later rows are the larger ones: a sample of the first would put nearly all of them into the last bin.
    enum { N_ROWS = 4 * BR_CTR_SAMPLE_ROWS };
    char *directory = br_temp_new();
    BR_AUTO(br_ctr_reader) *reader = open_text(directory, "");
    BR_AUTO(br_ctr_counter) *counter = NULL;
    br_ctr_vocabulary_options options = br_ctr_vocabulary_defaults();
    options.n_bins = 10;
    cr_assert_eq(br_ctr_counter_new(&counter, reader, &options), BR_OK);
    for (int i = 0; i < N_ROWS; i++) {
        br_ctr_value values[] = {{"", 0, (double)NAN}, {"?", 1, i}};
        cr_assert_eq(br_ctr_counter_add(counter, &(br_ctr_row){.values = values}), BR_OK);
    }
    BR_AUTO(br_ctr_vocabulary) *vocabulary = NULL;
    cr_assert_eq(br_ctr_counter_finish(&counter, &vocabulary), BR_OK);
    cr_assert_null(counter);
    cr_assert_eq(vocabulary->fields[1].n_cuts, 9);
    for (int i = 0; i < 9; i++) { // a cut of 50,000 drawn rows has a standard error of 0.0022 of the range at most
        cr_expect_float_eq(vocabulary->fields[1].cuts[i] / N_ROWS, (i + 1) / 10.0, 0.01);
    }
    br_temp_remove(&directory);
}

static long peak_kib(void)
{
    struct rusage usage;
    br_assert(getrusage(RUSAGE_SELF, &usage) == 0);
    return usage.ru_maxrss;
}

Test(input_ctr_vocabulary, more_values_than_memory_is_allowed_for_are_an_error)
{
    char *directory = br_temp_new();
    BR_AUTO(br_ctr_reader) *reader = open_text(directory, "");
    BR_AUTO(br_ctr_counter) *counter = NULL;
    br_ctr_vocabulary_options options = br_ctr_vocabulary_defaults();
    options.max_bytes = 100;
    cr_expect_eq(br_ctr_counter_new(&counter, reader, &options), BR_ERR_LIMIT, "not even the sample fits");
    options.max_bytes = 64u << 20;
    long before = peak_kib();
    cr_assert_eq(br_ctr_counter_new(&counter, reader, &options), BR_OK);
    br_status status = BR_OK;
    size_t n = 0;
    for (; status == BR_OK && n < 10000000; n++) {
        char text[32];
        int length = snprintf(text, sizeof text, "user-%zu", n);
        br_ctr_value values[] = {{text, (size_t)length, (double)NAN}, {"", 0, (double)NAN}};
        status = br_ctr_counter_add(counter, &(br_ctr_row){.values = values});
    }
    cr_expect_eq(status, BR_ERR_LIMIT);
    size_t n_possible = (options.max_bytes - 8 * BR_CTR_SAMPLE_ROWS) / (72 + 16);
    cr_expect_eq(n, n_possible + 1);
    cr_expect(strstr(br_why(status), "field 'c' has the most") != NULL, "%s", br_why(status));
    cr_expect_lt(peak_kib() - before, (long)(options.max_bytes >> 10), "%ld KiB", peak_kib() - before);
    br_temp_remove(&directory);
}

Test(input_ctr_vocabulary, needs_rows_and_the_same_fields)
{
    br_ctr_vocabulary_options options = br_ctr_vocabulary_defaults();
    char *directory = br_temp_new();
    BR_AUTO(br_ctr_reader) *reader = open_text(directory, "");
    BR_AUTO(br_ctr_vocabulary) *vocabulary = NULL;
    cr_expect_eq(learn_from(&vocabulary, reader, &options), BR_ERR_INVALID);
    vocabulary = learn("1,a,2\n", &options);
    cr_expect_eq(br_ctr_vocabulary_check(vocabulary, reader), BR_OK);

    static const char *const others[] = {"label,x,c\n", "label,x\n", "label,z,x\n"};
    const char *file = br_temp_path(directory, "f.csv");
    for (int i = 0; i < 3; i++) {
        BR_AUTO(br_ctr_reader) *other = NULL;
        fixture_text(directory, "f.csv", others[i]);
        cr_assert_eq(br_ctr_reader_new(&other, &file, 1, &(br_ctr_options){.numeric = numeric, .n_numeric = 1}), BR_OK);
        cr_expect_eq(br_ctr_vocabulary_check(vocabulary, other), BR_ERR_INVALID, "%s", others[i]);
    }
    BR_AUTO(br_ctr_reader) *texts = NULL;
    fixture_text(directory, "f.csv", "label,c,x\n");
    cr_assert_eq(br_ctr_reader_new(&texts, &file, 1, &(br_ctr_options){0}), BR_OK);
    cr_expect_eq(br_ctr_vocabulary_check(vocabulary, texts), BR_ERR_INVALID, "a number there, a category here");
    br_temp_remove(&directory);
}

Test(input_ctr_vocabulary, each_failing_allocation_is_an_error_and_leaks_nothing)
{
    br_ctr_vocabulary_options options = br_ctr_vocabulary_defaults();
    options.min_count = 1;
    char *directory = br_temp_new();
    BR_AUTO_DEINIT(br_buf) lines = {0};
    for (int i = 0; i < 100; i++) {
        br_buf_printf(&lines, "1,v%d,%d\n", i, i);
    }
    br_status status = BR_ERR_NO_MEMORY;
    for (size_t n = 0; status != BR_OK; n++) {
        size_t before = br_alloc_live();
        br_ctr_reader *reader = open_text(directory, br_buf_text(&lines));
        br_ctr_vocabulary *vocabulary = NULL;
        br_alloc_fail_after(n);
        status = learn_from(&vocabulary, reader, &options);
        br_alloc_fail_after(SIZE_MAX);
        cr_assert(status == BR_OK || status == BR_ERR_NO_MEMORY);
        cr_assert((vocabulary != NULL) == (status == BR_OK));
        br_ctr_vocabulary_free(&vocabulary);
        br_ctr_reader_free(&reader);
        cr_assert_eq(br_alloc_live(), before, "%zu", n);
        cr_assert_lt(n, 200);
    }
    br_temp_remove(&directory);
}
