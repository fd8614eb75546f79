/// Goal: every good row of a folder arrives, and every bad one comes back with file, line, column and reason.
/// Method: small folders with one thing wrong; the text of fixture_read() is what is compared.

#include "base/alloc.h"
#include "base/buf.h"
#include "base/rng.h"
#include "fixture.h"
#include "support/temp.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BID_HEADER "bid_id,bond_id,investor_id,bid_date,amount,rate\n"

/// Read a folder whose bids.csv holds these bytes; the lines about it.
static char *read_bids(const void *bytes, size_t n)
{
    char *directory = fixture_folder();
    fixture_write(directory, "bids.csv", bytes, n);
    char *text = fixture_read(directory);
    br_temp_remove(&directory);
    char *bids = strstr(text, "investors.csv:2 V1\n");
    br_assert(bids != NULL);
    bids += strlen("investors.csv:2 V1\n");
    memmove(text, bids, strlen(bids) + 1);
    return text;
}

static void expect_bids(const char *bytes, const char *expected)
{
    char *text = read_bids(bytes, strlen(bytes));
    cr_expect_str_eq(text, expected);
    free(text);
}

static void expect_folder(const char *directory, const char *expected)
{
    char *text = fixture_read(directory);
    cr_expect_str_eq(text, expected);
    free(text);
}

Test(input_folder, a_good_folder_gives_its_rows_in_order)
{
    char *directory = fixture_folder();
    fixture_text(directory, "exclusions.csv", "effective_from,bond_id,investor_id\n2019-12-01,B1,V1\n");
    BR_AUTO(br_folder) *folder = NULL;
    br_folder_item item;
    cr_assert_eq(br_folder_open(&folder, directory), BR_OK);
    cr_assert_eq(br_folder_next(folder, &item), BR_OK);
    cr_assert_eq(item.row.kind, BR_ROW_SCHEMA);
    cr_assert_eq(item.row.revision, 3);
    cr_assert_str_eq(item.row.yaml, fixture_schema);
    cr_assert_eq(br_folder_next(folder, &item), BR_OK);
    cr_assert_eq(item.row.kind, BR_ROW_BOND);
    cr_assert_str_eq(item.row.issuer_id, "I1");
    cr_assert_eq(item.row.announce_day, br_day_from_civil(2020, 1, 1));
    cr_assert_eq(item.row.issue_day, br_day_from_civil(2020, 1, 5));
    cr_assert_eq(item.row.n_features, 4);
    cr_assert_str_eq(item.row.features[2].name, "coupon");
    cr_assert_str_eq(item.row.features[2].value, "4.5");
    cr_assert_eq(br_folder_next(folder, &item), BR_OK);
    cr_assert_eq(item.row.kind, BR_ROW_INVESTOR);
    cr_assert_eq(item.row.day, br_day_from_civil(2019, 1, 1));
    cr_assert_eq(br_folder_next(folder, &item), BR_OK);
    cr_assert_eq(item.row.kind, BR_ROW_BID);
    cr_assert_eq(item.row.amount, 1005000);
    cr_assert_float_eq(item.row.rate, 4.25, 0);
    cr_assert_eq(item.row.known_from, BR_DAY_NONE);
    cr_assert_eq(br_folder_next(folder, &item), BR_OK);
    cr_assert_eq(item.row.kind, BR_ROW_EXCLUSION);
    cr_assert_str_eq(item.file, "exclusions.csv");
    cr_assert_eq(br_folder_next(folder, &item), BR_ERR_AGAIN);
    cr_assert_eq(br_folder_next(folder, &item), BR_ERR_AGAIN);
    br_temp_remove(&directory);
}

Test(input_folder, optional_columns_in_any_order_are_taken)
{
    char *directory = fixture_folder();
    fixture_text(directory, "bids.csv",
                 "\xEF\xBB\xBFknown_from,cancelled,revision,rate,bid_date,investor_id,bond_id,bid_id\r\n"
                 "2020-01-20,1,7,,2020-01-03,V1,B1,R1\r\n\r\n  \r\n,,,,2020-01-03,V1,B1, R2 ");
    BR_AUTO(br_folder) *folder = NULL;
    br_folder_item item;
    cr_assert_eq(br_folder_open(&folder, directory), BR_OK);
    for (unsigned i = 0; i < 4; i++) {
        cr_assert_eq(br_folder_next(folder, &item), BR_OK);
    }
    cr_assert_not(item.rejected, "%s", item.problem.reason);
    cr_assert_eq(item.row.known_from, br_day_from_civil(2020, 1, 20));
    cr_assert(item.row.cancelled);
    cr_assert_eq(item.row.revision, 7);
    cr_assert(isnan(item.row.rate));
    cr_assert_eq(item.row.amount, BR_AMOUNT_NONE);
    cr_assert_eq(br_folder_next(folder, &item), BR_OK);
    cr_assert_not(item.rejected, "%s", item.problem.reason);
    cr_assert_str_eq(item.row.bid_id, "R2", "spaces around a field are not part of it: '%s'", item.row.bid_id);
    cr_assert_eq(item.line, 5);
    br_temp_remove(&directory);
}

Test(input_folder, a_bad_row_comes_back_with_line_column_and_reason)
{
    static const struct {
        const char *row;
        const char *told;
    } cases[] = {
        {"R1,B1,V1,2020-13-03,1,1", "bid_date: \"2020-13-03\" is not a day in the form YYYY-MM-DD"},
        {"R1,B1,V1,,1,1", "bid_date: missing"},
        {",B1,V1,2020-01-03,1,1", "bid_id: missing"},
        {"R1,B1,V1,2020-01-03,-1,1", "amount: '-1' is not an amount"},
        {"R1,B1,V1,2020-01-03,1,x", "rate: 'x' is not a number"},
        {"R1,B1,V1,2020-01-03,1", ": 5 fields where the header has 6"},
        {"R1,B1,V1,2020-01-03,1,1,1", ": 7 fields where the header has 6"},
        {"R1,B1,V\"1,2020-01-03,1,1", "investor_id: text behind a closing quote or a quote inside"},
        {"R1,B1,\"V\"1,2020-01-03,1,1", "investor_id: text behind a closing quote or a quote inside"},
        {"R\t1,B1,V1,2020-01-03,1,1", "bid_id: has a control character"},
        {"R1,B1,V1,2020-01-03,1\r,1", ": carriage return at byte 22 of the line"},
        {"R1,B1,\xFFV1,2020-01-03,1,1", ": not UTF-8 at byte 7 of the line (0xFF)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        BR_AUTO_DEINIT(br_buf) file = {0};
        BR_AUTO_DEINIT(br_buf) expected = {0};
        // Two rows in UTF-8 beside it, so that a damaged byte does not make it a file in GB18030.
        br_buf_printf(&file, BID_HEADER "é,B1,V1,2020-01-03,,\n%s\nè,B1,V1,2020-01-03,,\n", cases[i].row);
        br_buf_printf(&expected, "bids.csv:2 é\nbids.csv:3 rejected %s", cases[i].told);
        char *text = read_bids(br_buf_text(&file), file.length);
        cr_expect(strncmp(text, br_buf_text(&expected), expected.length) == 0, "%s", text);
        cr_expect(strstr(text, "\nbids.csv:4 è\n") != NULL, "the next row is read: %s", text);
        free(text);
    }
}

Test(input_folder, a_nul_byte_rejects_its_row_alone)
{
    static const char bytes[] = BID_HEADER "R1,B1,V1,2020-\0001-03,,\nR2,B1,V1,2020-01-03,,\n";
    char *text = read_bids(bytes, sizeof bytes - 1);
    cr_expect_str_eq(text, "bids.csv:2 rejected : NUL byte at byte 15 of the line\nbids.csv:3 R2\n");
    free(text);
}

Test(input_folder, a_stray_quote_costs_one_line)
{
    expect_bids(BID_HEADER "\"R1,B1,V1,2020-01-03,,\nR2,B1,V1,2020-01-03,,\nR3,B1,V1,2020-01-03,,",
                "bids.csv:2 rejected bid_id: file ends inside a quoted field; reading goes on at line 3\n"
                "bids.csv:3 R2\nbids.csv:4 R3\n");
    expect_bids(BID_HEADER "\"R1,B1,V1,2020-01-03,,\nR2,\"B1\",V1,2020-01-03,,\nR3,B1,V1,2020-01-03,,\n",
                "bids.csv:2 rejected bid_id: line 3 has text behind a closing quote or a quote inside an unquoted "
                "field; reading goes on at line 3\nbids.csv:3 R2\nbids.csv:4 R3\n");
    expect_bids(BID_HEADER "\"R1,B1\nR2,B1,V1,2020-01-03,,\nR3\",B1,V1,2020-01-03,\n",
                "bids.csv:2 rejected : 5 fields where the header has 6; reading goes on at line 3\n"
                "bids.csv:3 R2\n"
                "bids.csv:4 rejected bid_id: text behind a closing quote or a quote inside an unquoted "
                "field; reading "
                "goes on at the next line\n");
}

Test(input_folder, an_unusable_line_inside_a_quoted_field_is_told_too)
{
    static const char bytes[] = BID_HEADER "\"R1,B1\nR2,B1,V1,2020-01-03,,\nx\0y\nR4,B1,V1,2020-01-03,,\n";
    char *text = read_bids(bytes, sizeof bytes - 1);
    cr_expect_str_eq(text, "bids.csv:2 rejected bid_id: a quoted field goes on into line 4, which is unusable; reading "
                           "goes on at line 3\nbids.csv:3 R2\n"
                           "bids.csv:4 rejected : NUL byte at byte 2 of the line\nbids.csv:5 R4\n");
    free(text);
}

Test(input_folder, a_quoted_field_may_span_lines_and_lines_are_physical)
{
    expect_bids("bid_id,bond_id,investor_id,bid_date,note\nR1,B1,V1,2020-01-03,\"a\nb "
                "\"\"c\"\"\n\nd\"\nR2,B1,V1,bad,\n",
                "bids.csv:2 R1\nbids.csv:6 rejected bid_date: \"bad\" is not a day in the form YYYY-MM-DD\n"
                "unknown bids.csv: note\n");
}

Test(input_folder, a_line_of_a_hundred_megabytes_is_rejected_in_bounded_memory)
{
    enum { PIECE = 1 << 20, PIECES = 100 };
    char *directory = fixture_folder();
    FILE *file = fopen(br_temp_path(directory, "bids.csv"), "wb");
    char *piece = malloc(PIECE);
    br_assert(file != NULL && piece != NULL);
    memset(piece, 'x', PIECE);
    fputs(BID_HEADER, file);
    for (unsigned i = 0; i < PIECES; i++) {
        br_assert(fwrite(piece, 1, PIECE, file) == PIECE);
    }
    fputs("\nR2,B1,V1,2020-01-03,,\n", file);
    br_assert(fwrite(piece, 1, PIECE, file) == PIECE);
    fputs("y\nR3,B1,V1,2020-01-03,,\n", file);
    br_assert(fwrite(piece, 1, PIECE, file) == PIECE);
    fputs("y", file);
    br_assert(fclose(file) == 0);
    free(piece);
    expect_folder(directory, "bonds.csv:2 B1\ninvestors.csv:2 V1\n"
                             "bids.csv:2 rejected : line longer than 1,048,576 bytes\nbids.csv:3 R2\n"
                             "bids.csv:4 rejected : line longer than 1,048,576 bytes\nbids.csv:5 R3\n"
                             "bids.csv:6 rejected : line longer than 1,048,576 bytes\n");
    br_temp_remove(&directory);
}

Test(input_folder, an_unusable_file_is_told_and_the_next_one_read)
{
    static const struct {
        const char *investors;
        const char *told;
    } cases[] = {
        {"", "investors.csv is empty; its first line must name the columns"},
        {"investor_id,from,org_type\n",
         "investors.csv line 1: the header lacks effective_from; it has investor_id, from, "
         "org_type"},
        {"investor_id,effective_from\n", "investors.csv line 1: the header lacks org_type; it has investor_id, "
                                         "effective_from"},
        {"investor_id,effective_from,org_type,investor_id\n",
         "investors.csv line 1: the column \"investor_id\" stands there twice"},
        {"investor_id,\"effective_from\n",
         "investors.csv line 1: the header is unusable: file ends inside a quoted field"},
        {"\xFF\xFEi\1", "investors.csv: is UTF-16 (it begins with the bytes FF FE); save it as UTF-8 or GB18030"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *directory = fixture_folder();
        fixture_text(directory, "investors.csv", cases[i].investors);
        char *text = fixture_read(directory);
        cr_expect(strstr(text, "bonds.csv:2 B1\nfailed: ") == text, "%s", text);
        cr_expect(strstr(text, cases[i].told) != NULL, "%s", text);
        cr_expect(strstr(text, "\nbids.csv:2 R1\n") != NULL, "%s", text);
        free(text);
        br_temp_remove(&directory);
    }
}

Test(input_folder, a_file_with_nothing_but_its_header_has_no_rows)
{
    expect_bids(BID_HEADER, "");
    expect_bids("bid_id,bond_id,investor_id,bid_date", "");
}

Test(input_folder, missing_and_doubled_files_are_refused)
{
    char *directory = fixture_folder();
    fixture_text(directory, "bonds.ndjson", "");
    char *text = fixture_read(directory);
    cr_expect(strstr(text, "BR_ERR_INVALID: ") == text && strstr(text, "both bonds.csv and bonds.ndjson"), "%s", text);
    free(text);
    unlink(br_temp_path(directory, "bonds.csv"));
    unlink(br_temp_path(directory, "bids.csv"));
    text = fixture_read(directory);
    cr_expect(strstr(text, "BR_ERR_NOT_FOUND: ") == text && strstr(text, "neither bids.csv nor bids.ndjson"), "%s",
              text);
    free(text);
    unlink(br_temp_path(directory, "schema.yaml"));
    text = fixture_read(directory);
    cr_expect(strstr(text, "BR_ERR_NOT_FOUND: ") == text && strstr(text, "schema.yaml"), "%s", text);
    free(text);
    br_temp_remove(&directory);
    expect_folder("/nonexistent/folder", "BR_ERR_NOT_FOUND: /nonexistent/folder: No such file or directory\n");
}

Test(input_folder, unknown_columns_are_named_once_and_ignored)
{
    expect_bids("bid_id,bond_id,investor_id,bid_date,,Amount\nR1,B1,V1,2020-01-03,z,z\nR2,B1,V1,2020-01-03,z,z\n",
                "bids.csv:2 R1\nbids.csv:3 R2\nunknown bids.csv: column 5 (no name)\nunknown bids.csv: Amount\n");
}

Test(input_folder, the_date_format_of_the_schema_applies)
{
    char *directory = fixture_folder();
    BR_AUTO_DEINIT(br_buf) yaml = {0};
    br_buf_printf(&yaml, "date_format: \"%%d.%%m.%%Y\"\n%s", fixture_schema);
    fixture_text(directory, "schema.yaml", br_buf_text(&yaml));
    fixture_text(directory, "bids.csv", BID_HEADER "R1,B1,V1,3.1.2020,,\nR2,B1,V1,2020-01-03,,\n");
    char *text = fixture_read(directory);
    cr_expect(strstr(text, "bids.csv:2 R1\nbids.csv:3 rejected bid_date: \"2020-01-03\" is not a day in the form "
                           "%d.%m.%Y\n") != NULL,
              "%s", text);
    free(text);
    br_temp_remove(&directory);
}

Test(input_folder, ndjson_gives_the_same_rows)
{
    char *directory = fixture_folder();
    unlink(br_temp_path(directory, "bonds.csv"));
    fixture_text(directory, "bonds.ndjson",
                 "{\"bond_id\":\"B1\",\"issuer_id\":17,\"announce_date\":\"2020-01-01\",\"issue_date\":\"2020-01-05\","
                 "\"coupon\":4.5,\"green\":true,\"rating\":null,\"note\":{}}\n\n"
                 "{\"bond_id\":\"B2\",\"issuer_id\":\"I\",\"announce_date\":\"2020-01-01\",\"issue_date\":\"2020-01-"
                 "05\","
                 "\"rating\":3,\"other\":\"x\"}\n"
                 "{\"bond_id\":\"B3\",\"bond_id\":\"B3\"}\n[1]\n{\"bond_id\":\n"
                 "{\"bond_id\":1.5}\n{\"bond_id\":\"B4\"}\n");
    char *text = fixture_read(directory);
    cr_expect(strstr(text, "bonds.ndjson:1 rejected note: is an array or an object where one value is expected\n"
                           "bonds.ndjson:3 B2\nbonds.ndjson:4 rejected : not JSON at column ") == text,
              "%s", text);
    cr_expect(strstr(text, "bonds.ndjson:5 rejected : not a JSON object\n") != NULL, "%s", text);
    cr_expect(strstr(text, "bonds.ndjson:7 rejected bond_id: the number 1.5 has a fraction") != NULL, "%s", text);
    cr_expect(strstr(text, "bonds.ndjson:8 rejected issuer_id: missing\n") != NULL, "%s", text);
    cr_expect(strstr(text, "unknown bonds.ndjson: other\n") != NULL, "%s", text);
    free(text);
    br_temp_remove(&directory);
}

Test(input_folder, ndjson_values_become_the_text_csv_would_hold)
{
    char *directory = fixture_folder();
    unlink(br_temp_path(directory, "bonds.csv"));
    unlink(br_temp_path(directory, "bids.csv"));
    fixture_text(directory, "bonds.ndjson",
                 "{\"bond_id\":\"B1\",\"issuer_id\":17,\"announce_date\":\"2020-01-01\",\"issue_date\":\"2020-01-05\","
                 "\"coupon\":4.50,\"green\":false,\"rating\":null}\n");
    fixture_text(directory, "bids.ndjson",
                 "{\"bid_id\":\"R\",\"bond_id\":\"B1\",\"investor_id\":\"V\",\"bid_date\":"
                 "\"2020-01-02\",\"amount\":123456789.1234,\"rate\":-1e-3,\"revision\":2}");
    BR_AUTO(br_folder) *folder = NULL;
    br_folder_item item;
    cr_assert_eq(br_folder_open(&folder, directory), BR_OK);
    cr_assert_eq(br_folder_next(folder, &item), BR_OK);
    cr_assert_eq(br_folder_next(folder, &item), BR_OK);
    cr_assert_not(item.rejected, "%s", item.problem.reason);
    cr_assert_str_eq(item.row.issuer_id, "17");
    cr_assert_eq(item.row.n_features, 3);
    cr_assert_str_eq(item.row.features[0].value, "4.5");
    cr_assert_str_eq(item.row.features[1].value, "false");
    cr_assert_str_eq(item.row.features[2].value, "");
    cr_assert_eq(br_folder_next(folder, &item), BR_OK);
    cr_assert_eq(br_folder_next(folder, &item), BR_OK);
    cr_assert_not(item.rejected, "%s", item.problem.reason);
    cr_assert_eq(item.row.amount, 1234567891234);
    cr_assert_float_eq(item.row.rate, -0.001, 0);
    cr_assert_eq(item.row.revision, 2);
    br_temp_remove(&directory);
}

Test(input_folder, raw_is_the_readable_beginning_of_the_line)
{
    char *directory = fixture_folder();
    BR_AUTO_DEINIT(br_buf) bids = {0};
    br_buf_string(&bids, BID_HEADER "x\xFFy\n中文中文\n");
    for (unsigned i = 0; i < 2000; i++) {
        br_buf_string(&bids, "中");
    }
    fixture_write(directory, "bids.csv", br_buf_text(&bids), bids.length);
    BR_AUTO(br_folder) *folder = NULL;
    br_folder_item item;
    cr_assert_eq(br_folder_open(&folder, directory), BR_OK);
    for (unsigned i = 0; i < 4; i++) {
        cr_assert_eq(br_folder_next(folder, &item), BR_OK);
    }
    cr_expect(item.rejected);
    cr_expect_str_eq(item.raw, "x\xEF\xBF\xBDy");
    cr_assert_eq(br_folder_next(folder, &item), BR_OK);
    cr_assert_eq(br_folder_next(folder, &item), BR_OK);
    cr_expect_eq(strlen(item.raw), 1023, "341 whole characters of three bytes");
    br_temp_remove(&directory);
}

Test(input_folder, mutated_lines_never_cost_another_row)
{
    enum { ROWS = 12, ROUNDS = 4000 };
    static const char spice[] = "\"\"\",,\r\n\0\xFF\x81\xC3 x0";
    char *directory = fixture_folder();
    for (uint32_t round = 0; round < ROUNDS; round++) {
        br_rng rng = br_rng_at(20200103, BR_STREAM_TEST, round, 0);
        uint32_t victim = br_rng_below(&rng, ROWS);
        BR_AUTO_DEINIT(br_buf) file = {0};
        br_buf_string(&file, BID_HEADER);
        for (uint32_t i = 0; i < ROWS; i++) {
            char row[64];
            int n = snprintf(row, sizeof row,
                             i % 3 == 0 ? "R%u,\"B1\",\"V,1\",2020-01-03,1.5," : "R%u,B1,V1,2020-01-03,,4", i);
            for (uint32_t k = 0; i == victim && k <= br_rng_below(&rng, 4); k++) {
                row[br_rng_below(&rng, (uint32_t)n)] = spice[br_rng_below(&rng, sizeof spice - 1)];
            }
            br_buf_append(&file, row, (size_t)n);
            br_buf_char(&file, '\n');
        }
        fixture_write(directory, "bids.csv", file.data, file.length);
        char *text = fixture_read(directory);
        for (uint32_t i = 0; i < ROWS; i++) {
            char id[16];
            snprintf(id, sizeof id, " R%u\n", i);
            cr_assert(i == victim || strstr(text, id) != NULL, "round %u: row %u is lost:\n%s\n%s", round, i,
                      br_buf_text(&file), text);
        }
        free(text);
    }
    br_temp_remove(&directory);
}

Test(input_folder, every_failing_allocation_is_survived)
{
    char *directory = fixture_folder();
    fixture_text(directory, "bids.csv", BID_HEADER "\"R\n1\",B1,V1,2020-01-03,,\nbad\n");
    size_t n = 0;
    br_status status;
    do {
        br_folder *folder = NULL;
        br_folder_item item;
        size_t before = br_alloc_live();
        br_alloc_fail_after(n++);
        status = br_folder_open(&folder, directory);
        while (status == BR_OK) {
            status = br_folder_next(folder, &item);
        }
        br_alloc_fail_after(SIZE_MAX);
        br_folder_free(&folder);
        cr_assert(status == BR_ERR_AGAIN || status == BR_ERR_NO_MEMORY, "after %zu: %s", n, br_why(status));
        cr_assert_eq(br_alloc_live(), before, "after %zu", n);
    } while (status != BR_ERR_AGAIN);
    cr_assert_gt(n, 40);
    br_temp_remove(&directory);
}
