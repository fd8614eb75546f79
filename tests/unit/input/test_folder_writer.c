/// Goal: what the writer writes is what the reader reads, and nothing that is there is overwritten.
/// Method: rows with every awkward content through both, compared member by member.

#include "base/alloc.h"
#include "base/buf.h"
#include "fixture.h"
#include "support/temp.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static br_row empty_row(br_row_kind kind)
{
    return (br_row){.kind = kind,
                    .announce_day = BR_DAY_NONE,
                    .issue_day = BR_DAY_NONE,
                    .day = BR_DAY_NONE,
                    .known_from = BR_DAY_NONE,
                    .amount = BR_AMOUNT_NONE,
                    .rate = (double)NAN};
}

enum { N_ROWS = 6 };

static void make_rows(br_row out[N_ROWS])
{
    static const br_named_value features[] = {{"green", "no"}, {"industry", " 钢铁, \"new\" "}};
    static const br_named_value attribute[] = {{"org_type", ""}};
    out[0] = empty_row(BR_ROW_BOND);
    out[0].bond_id = " B,\"1\"";
    out[0].issuer_id = "发行人";
    out[0].announce_day = 18262;
    out[0].issue_day = 18266;
    out[0].features = features;
    out[0].n_features = 2;
    out[0].revision = 4;
    out[1] = empty_row(BR_ROW_INVESTOR);
    out[1].investor_id = "V1";
    out[1].day = 0;
    out[1].features = attribute;
    out[1].n_features = 1;
    out[2] = empty_row(BR_ROW_BID);
    out[2].bid_id = "R1";
    out[2].bond_id = out[0].bond_id;
    out[2].investor_id = "V1";
    out[2].day = 18263;
    out[3] = out[2];
    out[3].bid_id = "R2";
    out[3].known_from = 18290;
    out[3].amount = 9000000000010020;
    out[3].rate = 1.0 / 3.0;
    out[3].cancelled = true;
    out[4] = out[2];
    out[4].bid_id = "R3";
    out[4].amount = 1;
    out[4].rate = 0.0;
    out[5] = empty_row(BR_ROW_EXCLUSION);
    out[5].bond_id = out[0].bond_id;
    out[5].investor_id = "V1";
    out[5].day = 18000;
}

static void expect_text(const char *got, const char *wanted)
{
    cr_expect((got == NULL) == (wanted == NULL) && (got == NULL || strcmp(got, wanted) == 0), "%s is not %s",
              got == NULL ? "nothing" : got, wanted == NULL ? "nothing" : wanted);
}

static void expect_row(const br_row *got, const br_row *wanted)
{
    cr_expect_eq(got->kind, wanted->kind);
    expect_text(got->bid_id, wanted->bid_id);
    expect_text(got->bond_id, wanted->bond_id);
    expect_text(got->issuer_id, wanted->issuer_id);
    expect_text(got->investor_id, wanted->investor_id);
    cr_expect_eq(got->announce_day, wanted->announce_day);
    cr_expect_eq(got->issue_day, wanted->issue_day);
    cr_expect_eq(got->day, wanted->day);
    cr_expect_eq(got->known_from, wanted->known_from);
    cr_expect_eq(got->amount, wanted->amount);
    cr_expect(got->rate == wanted->rate || (isnan(got->rate) && isnan(wanted->rate)));
    cr_expect_eq(got->revision, wanted->revision);
    cr_expect_eq(got->cancelled, wanted->cancelled);
    for (uint32_t i = 0; i < wanted->n_features; i++) {
        const char *value = NULL;
        for (uint32_t k = 0; k < got->n_features; k++) {
            value = strcmp(got->features[k].name, wanted->features[i].name) == 0 ? got->features[k].value : value;
        }
        expect_text(value, wanted->features[i].value);
    }
}

static void write_folder(const char *path, const char *schema)
{
    br_row rows[N_ROWS];
    make_rows(rows);
    BR_AUTO(br_folder_writer) *writer = NULL;
    cr_assert_eq(br_folder_writer_open(&writer, path, schema), BR_OK, "%s", br_why(BR_ERR_INVALID));
    for (unsigned i = 0; i < N_ROWS; i++) {
        cr_assert_eq(br_folder_writer_row(writer, &rows[i]), BR_OK);
    }
    cr_assert_eq(br_folder_writer_close(&writer), BR_OK);
    cr_assert_null(writer);
}

static void expect_folder(const char *path)
{
    br_row rows[N_ROWS];
    make_rows(rows);
    BR_AUTO(br_folder) *folder = NULL;
    br_folder_item item;
    cr_assert_eq(br_folder_open(&folder, path), BR_OK);
    cr_assert_eq(br_folder_next(folder, &item), BR_OK);
    for (unsigned i = 0; i < N_ROWS; i++) {
        cr_assert_eq(br_folder_next(folder, &item), BR_OK);
        cr_assert_not(item.rejected, "%s: %s", item.problem.column, item.problem.reason);
        expect_row(&item.row, &rows[i]);
    }
    cr_assert_eq(br_folder_next(folder, &item), BR_ERR_AGAIN);
}

Test(input_folder_writer, what_is_written_reads_back_equal)
{
    char *directory = br_temp_new();
    write_folder(br_temp_path(directory, "market"), fixture_schema);
    expect_folder(br_temp_path(directory, "market"));
    br_temp_remove(&directory);
}

Test(input_folder_writer, days_are_spelled_as_the_schema_says)
{
    char *directory = br_temp_new();
    BR_AUTO_DEINIT(br_buf) schema = {0};
    br_buf_printf(&schema, "date_format: \"%%Y/%%m/%%d\"\n%s", fixture_schema);
    write_folder(br_temp_path(directory, "market"), br_buf_text(&schema));
    expect_folder(br_temp_path(directory, "market"));
    br_temp_remove(&directory);
}

Test(input_folder_writer, an_existing_file_is_not_overwritten)
{
    char *directory = fixture_folder();
    br_folder_writer *writer = NULL;
    cr_expect_eq(br_folder_writer_open(&writer, directory, fixture_schema), BR_ERR_EXISTS);
    cr_expect(strstr(br_why(BR_ERR_EXISTS), "schema.yaml") != NULL);
    cr_expect_null(writer);
    br_temp_remove(&directory);
}

Test(input_folder_writer, rows_without_a_place_are_refused)
{
    char *directory = br_temp_new();
    BR_AUTO(br_folder_writer) *writer = NULL;
    cr_assert_eq(br_folder_writer_open(&writer, br_temp_path(directory, "m"), fixture_schema), BR_OK);
    br_row row = empty_row(BR_ROW_CLOSE_DAY);
    cr_expect_eq(br_folder_writer_row(writer, &row), BR_ERR_INVALID);
    br_row rows[N_ROWS];
    make_rows(rows);
    const br_named_value unknown = {"colour", "red"};
    rows[0].features = &unknown;
    rows[0].n_features = 1;
    cr_expect_eq(br_folder_writer_row(writer, &rows[0]), BR_ERR_INVALID);
    cr_expect(strstr(br_why(BR_ERR_INVALID), "colour") != NULL);
    cr_expect_eq(br_folder_writer_close(&writer), BR_OK);
    br_temp_remove(&directory);
}

Test(input_folder_writer, every_failing_allocation_is_survived)
{
    size_t n = 0;
    br_status status;
    do {
        char *directory = br_temp_new();
        br_folder_writer *writer = NULL;
        size_t before = br_alloc_live();
        br_alloc_fail_after(n++);
        status = br_folder_writer_open(&writer, br_temp_path(directory, "m"), fixture_schema);
        if (status == BR_OK) {
            status = br_folder_writer_close(&writer);
        }
        br_alloc_fail_after(SIZE_MAX);
        cr_assert(status == BR_OK || status == BR_ERR_NO_MEMORY, "after %zu: %s", n, br_why(status));
        cr_assert_eq(br_alloc_live(), before, "after %zu", n);
        br_temp_remove(&directory);
    } while (status != BR_OK);
    cr_assert_gt(n, 40);
}
