/// Goal: every good row of anybody's table becomes a transaction, every bad one is told with its place and cause.
/// Method: small files, right and damaged, read to a text; each allocation failing once.

#include "base/alloc.h"
#include "base/buf.h"
#include "fixture.h"
#include "input/transactions_file.h"
#include "support/temp.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <string.h>

static br_status note_rejection(void *context, const br_table_rejection *rejection)
{
    br_buf_printf(context, "[%s %" PRIu64 " %s: %s]", rejection->file, rejection->line, rejection->column,
                  rejection->reason);
    return BR_OK;
}

/// The directory of temporary files is not for messages.
static void forget_directory(br_buf *text, const char *directory)
{
    size_t n = strlen(directory) + 1;
    for (char *at; text->length > 0 && (at = strstr((char *)text->data, directory)) != NULL;) {
        memmove(at, at + n, strlen(at + n) + 1);
        text->length -= n;
    }
}

/// All transactions as "USER ITEM TIME WEIGHT;", categories as "ITEM=CATEGORY;", bad rows in brackets, a failure as "failed: REASON".
static void show(br_buf *out, const br_transactions *table)
{
    for (size_t i = 0; i < br_transactions_count(table); i++) {
        const br_transaction *t = &br_transactions_all(table)[i];
        br_buf_printf(out, "%s %s %lld %g;", br_transactions_user(table, t->user), br_transactions_item(table, t->item),
                      (long long)t->time, (double)t->weight);
    }
    for (uint32_t i = 0; i < br_transactions_n_items(table); i++) {
        uint32_t category = br_transactions_category_of(table, i);
        if (category != BR_INDEX_NONE) {
            br_buf_printf(out, "%s=%s;", br_transactions_item(table, i),
                          br_transactions_category_name(table, category));
        }
    }
}

static void expect(const char *expected, const char *text, br_transactions_file file)
{
    char *directory = br_temp_new();
    fixture_text(directory, "t.csv", text);
    BR_AUTO_DEINIT(br_buf) seen = {0};
    BR_AUTO(br_transactions) *table = NULL;
    cr_assert_eq(br_transactions_new(&table), BR_OK);
    br_table_tally tally;
    file.path = br_temp_path(directory, "t.csv");
    file.listener = (br_table_listener){.reject = note_rejection, .context = &seen};
    br_status status = br_transactions_file_read(&file, table, &tally);
    if (status != BR_OK) {
        br_buf_printf(&seen, "failed: %s", br_why(status));
    }
    cr_expect_eq(tally.n_rows, br_transactions_count(table));
    show(&seen, table);
    forget_directory(&seen, directory);
    cr_expect_str_eq(br_buf_text(&seen), expected);
    br_temp_remove(&directory);
}

static const br_transactions_file plain = {.user = "u", .item = "i", .time = "t"};
static const br_transactions_file full = {.user = "u", .item = "i", .time = "t", .weight = "w", .category = "c"};

Test(input_transactions_file, reads_tables_of_any_shape)
{
    expect("a m1 5 1;b m2 86400 1;", "u,i,t\na,m1,5\nb,m2,1970-01-02\n", plain);
    expect("a m1 5 1;", "\xEF\xBB\xBFz,t,i,u\r\nx,5,m1,a\r\n\r\n", plain);
    expect("a m1 5 2.5;b m1 6 1;m1=food, fresh;", "u,i,t,w,c\na,m1,5,2.5,\"food, fresh\"\nb,m1,6,,\n", full);
    expect("\xE5\xBC\xA0 m1 5 1;", "u,i,t\n\xD5\xC5,m1,5\n", plain); // GB18030
    expect("", "u,i,t\n", plain);
    br_transactions_file milliseconds = plain;
    milliseconds.unit = BR_MOMENT_MILLISECONDS;
    expect("a m1 5 1;", "u,i,t\na,m1,5000\n", milliseconds);
}

Test(input_transactions_file, a_bad_row_is_told_and_the_next_one_read)
{
    expect(
        "[t.csv 2 w: '0' is not a number above 0 and at most 1e+09][t.csv 3 w: '-1' is not a number above 0 and at "
        "most 1e+09]"
        "[t.csv 4 w: 'nan' is not a number above 0 and at most 1e+09][t.csv 5 w: '1.1e9' is not a number above 0 and "
        "at most 1e+09]"
        "[t.csv 6 u: nothing stands there][t.csv 7 i: nothing stands there][t.csv 8 t: nothing stands there]"
        "[t.csv 9 : 4 fields where the header has 5]"
        "[t.csv 11 c: 'toys', and the item has the category 'food' already]"
        "[t.csv 12 i: a control character]"
        "[t.csv 13 : 2 fields where the header has 5]"
        "a m 1 1;b m 3 1;m=food;",
        "u,i,t,w,c\na,m,1,0,\na,m,1,-1,\na,m,1,nan,\na,m,1,1.1e9,\n,m,1,1,\na,,1,1,\na,m,,1,\na,m,1,1\na,m,1,1,food\n"
        "a,m,2,1,toys\na,m\a,1,1,food\n"
        "a,n\nb,m,3,1,food\n",
        full);
}

Test(input_transactions_file, a_table_that_cannot_be_used_is_an_error)
{
    expect("failed: t.csv is empty; its first line must name the columns", "", plain);
    expect("failed: t.csv line 1: the header has no column 't'; it has u, i, time", "u,i,time\n", plain);
    expect("failed: t.csv line 1: the header has no column 'u' and no comma; columns are separated by commas, not by "
           "semicolons or tabs",
           "u;i;t\na;m;1\n", plain);
    expect("failed: t.csv line 1: the header has no column 'u' and no comma; columns are separated by commas, not by "
           "semicolons or tabs",
           "u\ti\tt\na\tm\t1\n", plain);
    expect("failed: t.csv line 1: the column 'u' stands there twice", "u,i,t,u\na,b,1,c\n", plain);
    expect("a m 1 1;", "u,z,z,i,t\na,,,m,1\n", plain);
    br_transactions_file absent = plain;
    BR_AUTO(br_transactions) *table = NULL;
    cr_assert_eq(br_transactions_new(&table), BR_OK);
    absent.path = "/nowhere/at/all";
    br_table_tally tally;
    cr_expect_eq(br_transactions_file_read(&absent, table, &tally), BR_ERR_NOT_FOUND);
}

Test(input_transactions_file, long_names_are_refused)
{
    for (size_t n = BR_MAX_ITEM_NAME_BYTES; n <= BR_MAX_ITEM_NAME_BYTES + 1; n++) {
        for (int column = 0; column < 2; column++) {
            BR_AUTO_DEINIT(br_buf) text = {0};
            BR_AUTO_DEINIT(br_buf) name = {0};
            for (size_t i = 0; i < n; i++) {
                br_buf_char(&name, 'x');
            }
            br_buf_printf(&text, column == 0 ? "u,i,t\n%s,m,1\n" : "u,i,t\na,%s,1\n", br_buf_text(&name));
            BR_AUTO_DEINIT(br_buf) good = {0};
            br_buf_printf(&good, column == 0 ? "%s m 1 1;" : "a %s 1 1;", br_buf_text(&name));
            bool fits = n == BR_MAX_ITEM_NAME_BYTES;
            expect(fits          ? br_buf_text(&good)
                   : column == 0 ? "[t.csv 2 u: 513 bytes where at most 512 are allowed]"
                                 : "[t.csv 2 i: 513 bytes where at most 512 are allowed]",
                   br_buf_text(&text), plain);
        }
    }
}

static bool stop(void *context, uint64_t done, uint64_t total)
{
    (void)done;
    *(uint64_t *)context = total;
    return false;
}

Test(input_transactions_file, a_reader_can_be_stopped)
{
    uint64_t bytes = 0;
    char *directory = br_temp_new();
    fixture_text(directory, "t.csv", "u,i,t\na,b,1\n");
    BR_AUTO(br_transactions) *table = NULL;
    cr_assert_eq(br_transactions_new(&table), BR_OK);
    br_transactions_file file = plain;
    file.path = br_temp_path(directory, "t.csv");
    file.listener = (br_table_listener){.watch = stop, .context = &bytes};
    br_table_tally tally;
    cr_expect_eq(br_transactions_file_read(&file, table, &tally), BR_ERR_CANCELLED);
    cr_expect_eq(bytes, strlen("u,i,t\na,b,1\n"));
    br_temp_remove(&directory);
}

static const char *const items_text =
    "id,genre,name\nm1,Action|Comedy,One\nm1,Action|Comedy,Uno\nm2,(none),\"Two, and\"\n"
    "m1,Drama,Wrong\nm9,Drama,Nobody has it\nm3,,\n";

Test(input_transactions_file, items_have_categories_and_titles)
{
    char *directory = br_temp_new();
    fixture_text(directory, "t.csv", "u,i,t\na,m1,1\na,m2,2\na,m3,3\n");
    fixture_text(directory, "i.csv", items_text);
    BR_AUTO_DEINIT(br_buf) seen = {0};
    BR_AUTO(br_transactions) *table = NULL;
    BR_AUTO(br_item_titles) *titles = NULL;
    cr_assert_eq(br_transactions_new(&table), BR_OK);
    cr_assert_eq(br_item_titles_new(&titles), BR_OK);
    br_transactions_file file = plain;
    file.path = br_temp_path(directory, "t.csv");
    br_table_tally tally;
    cr_assert_eq(br_transactions_file_read(&file, table, &tally), BR_OK);
    br_items_file items = {.path = br_temp_path(directory, "i.csv"),
                           .item = "id",
                           .category = "genre",
                           .title = "name",
                           .none = "(none)",
                           .listener = {.reject = note_rejection, .context = &seen}};
    cr_assert_eq(br_items_file_read(&items, table, titles, &tally), BR_OK);
    cr_expect_eq(tally.n_rejected, 1);
    show(&seen, table);
    forget_directory(&seen, directory);
    cr_expect_str_eq(br_buf_text(&seen),
                     "[i.csv 5 genre: 'Drama', and the item has the category 'Action|Comedy' already]"
                     "a m1 1 1;a m2 2 1;a m3 3 1;m1=Action|Comedy;");
    cr_expect_str_eq(br_item_title(titles, "m1"), "One");
    cr_expect_str_eq(br_item_title(titles, "m2"), "Two, and");
    cr_expect_str_eq(br_item_title(titles, "m3"), "m3");
    cr_expect_str_eq(br_item_title(NULL, "m1"), "m1");
    br_temp_remove(&directory);
}

static br_status read_both(const char *directory)
{
    BR_AUTO(br_transactions) *table = NULL;
    BR_AUTO(br_item_titles) *titles = NULL;
    br_table_tally tally;
    br_transactions_file file = full;
    file.path = br_temp_path(directory, "t.csv");
    br_items_file items = {
        .path = br_temp_path(directory, "i.csv"), .item = "id", .category = "genre", .title = "name"};
    br_status status = br_transactions_new(&table);
    if (status == BR_OK) {
        status = br_item_titles_new(&titles);
    }
    if (status == BR_OK) {
        status = br_transactions_file_read(&file, table, &tally);
    }
    return status == BR_OK ? br_items_file_read(&items, table, titles, &tally) : status;
}

Test(input_transactions_file, each_failing_allocation_is_an_error_and_leaks_nothing)
{
    char *directory = br_temp_new();
    fixture_text(directory, "t.csv", "u,i,t,w,c\na,m1,1,,Action|Comedy\nb,m2,2,bad,\n");
    fixture_text(directory, "i.csv", items_text);
    br_status status = BR_ERR_NO_MEMORY;
    for (size_t n = 0; status != BR_OK; n++) {
        size_t before = br_alloc_live();
        br_alloc_fail_after(n);
        status = read_both(directory);
        br_alloc_fail_after(SIZE_MAX);
        cr_assert(status == BR_OK || status == BR_ERR_NO_MEMORY, "%s", br_why(status));
        cr_assert_eq(br_alloc_live(), before);
        cr_assert_lt(n, 200);
    }
    br_temp_remove(&directory);
}
