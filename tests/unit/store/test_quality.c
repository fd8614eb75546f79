// Quality figures: one per bond, in order of the issue day, replaced and never doubled.

#include "store/quality.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "support/temp.h"
#include "unit/store/made.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static char *directory;
static char *path;

static void set_up(void)
{
    cr_assert_eq(br_hash_init(), BR_OK);
    directory = br_temp_new();
    path = br_temp_path(directory, "metrics");
}

static void tear_down(void)
{
    br_temp_remove(&directory);
}

TestSuite(store_quality, .init = set_up, .fini = tear_down, .timeout = 60);

static br_quality *writer(void)
{
    br_quality *quality = NULL;
    br_status status = br_quality_open_writer(&quality, path);
    cr_assert_eq(status, BR_OK, "%s", br_why(status));
    return quality;
}

static br_bond_quality figures(const char *bond_id, br_day issue_day, uint32_t hits)
{
    return (br_bond_quality){.bond_id = bond_id,
                             .issue_day = issue_day,
                             .as_of = issue_day,
                             .version = "00112233445566778899aabbccddeeff",
                             .n_listed = 50,
                             .hits = hits,
                             .bidders = hits + 3,
                             .n_top = 50,
                             .provisional = true};
}

static void put(br_quality *quality, const char *bond_id, br_day issue_day, uint32_t hits)
{
    br_bond_quality bond = figures(bond_id, issue_day, hits);
    cr_assert_eq(br_quality_begin(quality), BR_OK);
    br_status status = br_quality_put_bond(quality, BR_QUALITY_LIVE, &bond);
    cr_assert_eq(status, BR_OK, "%s", br_why(status));
    cr_assert_eq(br_quality_commit(quality), BR_OK);
}

static br_status write_down(void *context, const br_bond_quality *bond)
{
    br_buf_printf(context, "%d %s %u;", (int)bond->issue_day, bond->bond_id, bond->hits);
    return BR_OK;
}

static void expect(br_quality *quality, br_day from, br_day until, const char *text)
{
    BR_AUTO_DEINIT(br_buf) found = {0};
    cr_assert_eq(br_quality_visit(quality, BR_QUALITY_LIVE, from, until, write_down, &found), BR_OK);
    cr_assert_str_eq(br_buf_text(&found), text);
}

Test(store_quality, bonds_come_in_order_of_issue_day_and_id)
{
    br_quality *quality = writer();
    expect(quality, BR_DAY_NONE, BR_DAY_MAX, "");
    put(quality, "b", 20, 1);
    put(quality, "a", 20, 2);
    put(quality, "z", -5, 3);
    put(quality, "ab", 20, 4);
    put(quality, "c", 30, 5);
    expect(quality, BR_DAY_NONE, BR_DAY_MAX, "-5 z 3;20 a 2;20 ab 4;20 b 1;30 c 5;");
    expect(quality, 20, 30, "20 a 2;20 ab 4;20 b 1;");
    expect(quality, 21, 30, "");
    expect(quality, 30, 30, "");
    br_quality_free(&quality);
}

Test(store_quality, a_later_figure_replaces_the_earlier_one)
{
    br_quality *quality = writer();
    put(quality, "a", 20, 1);
    put(quality, "a", 20, 2);
    expect(quality, 0, 100, "20 a 2;");
    put(quality, "a", 25, 3); // its issue day was corrected
    expect(quality, 0, 100, "25 a 3;");
    put(quality, "a", 20, 4);
    expect(quality, 0, 100, "20 a 4;");
    br_quality_free(&quality);
}

Test(store_quality, backtests_stand_apart)
{
    br_quality *quality = writer();
    BR_AUTO_DEINIT(br_buf) found = {0};
    put(quality, "a", 20, 1);
    br_bond_quality moved = figures("a", 25, 9);
    cr_assert_eq(br_quality_begin(quality), BR_OK);
    cr_assert_eq(br_quality_put_bond(quality, BR_QUALITY_BACKTESTS, &moved), BR_OK);
    cr_assert_eq(br_quality_commit(quality), BR_OK);
    expect(quality, 0, 100, "20 a 1;");
    cr_assert_eq(br_quality_visit(quality, BR_QUALITY_BACKTESTS, 0, 100, write_down, &found), BR_OK);
    cr_assert_str_eq(br_buf_text(&found), "25 a 9;");
    put(quality, "a", 30, 2);
    br_buf_clear(&found);
    cr_assert_eq(br_quality_visit(quality, BR_QUALITY_BACKTESTS, 0, 100, write_down, &found), BR_OK);
    cr_assert_str_eq(br_buf_text(&found), "25 a 9;", "a live figure moves no backtest");
    br_quality_free(&quality);
}

Test(store_quality, all_figures_of_a_bond_come_back)
{
    br_quality *quality = writer();
    br_bond_quality bond = figures("a", 20, 9);
    bond.bidders_outside = 2;
    bond.unranked = true;
    bond.hits_activity = 7;
    bond.as_of = 18;
    cr_assert_eq(br_quality_begin(quality), BR_OK);
    cr_assert_eq(br_quality_put_bond(quality, BR_QUALITY_LIVE, &bond), BR_OK);
    br_quality_abort(quality);
    expect(quality, 0, 100, "");
    cr_assert_eq(br_quality_begin(quality), BR_OK);
    cr_assert_eq(br_quality_put_bond(quality, BR_QUALITY_LIVE, &bond), BR_OK);
    expect(quality, 0, 100, "20 a 9;");
    cr_assert_eq(br_quality_commit(quality), BR_OK);
    br_quality_free(&quality);
}

Test(store_quality, a_walk_longer_than_one_read_transaction_is_whole)
{
    enum { BONDS = 20500 };
    br_quality *quality = writer();
    cr_assert_eq(br_quality_begin(quality), BR_OK);
    BR_AUTO_DEINIT(br_buf) expected = {0};
    for (uint32_t i = 0; i < BONDS; i++) {
        char id[16];
        snprintf(id, sizeof id, "b%05u", i);
        br_bond_quality bond = figures(id, (br_day)(i / 100), i % 40);
        cr_assert_eq(br_quality_put_bond(quality, BR_QUALITY_LIVE, &bond), BR_OK);
        cr_assert_eq(write_down(&expected, &bond), BR_OK);
    }
    cr_assert_eq(br_quality_commit(quality), BR_OK);
    expect(quality, 0, BR_DAY_MAX, br_buf_text(&expected));
    br_quality_free(&quality);
}

static int read_elsewhere(void *context)
{
    (void)context;
    br_quality *quality = NULL;
    uint64_t offset = 0;
    BR_AUTO(br_arena) *arena = NULL;
    br_report report;
    bool right = br_quality_open_reader(&quality, path) == BR_OK && br_arena_new(&arena, BR_UNPACK_BYTES) == BR_OK &&
                 br_quality_offset(quality, &offset) == BR_OK && offset == 1234 &&
                 br_quality_report(quality, arena, "test range", &report) == BR_OK && report.n_figures == 2 &&
                 strcmp(report.figures[1].name, "log_loss") == 0 && report.figures[1].number < 0.2 &&
                 br_quality_report(quality, arena, "another", &report) == BR_ERR_NOT_FOUND;
    br_quality_free(&quality);
    return right ? 0 : 1;
}

Test(store_quality, reports_and_offset_are_read_by_another_process)
{
    br_quality *quality = writer();
    br_figure numbers[2] = {{"auc", 0.9, ""}, {"log_loss", 0.5, ""}};
    br_report report = {.ok = true, .reason = "", .figures = numbers, .n_figures = 2};
    cr_assert_eq(br_quality_begin(quality), BR_OK);
    cr_assert_eq(br_quality_put_report(quality, "test range", &report), BR_OK);
    numbers[1].number = 0.125;
    cr_assert_eq(br_quality_put_report(quality, "test range", &report), BR_OK);
    cr_assert_eq(br_quality_put_offset(quality, 1234), BR_OK);
    cr_assert_eq(br_quality_commit(quality), BR_OK);
    cr_assert_eq(in_child(read_elsewhere, NULL), 0);
    br_quality_free(&quality);
}

Test(store_quality, a_name_that_no_report_can_have_is_not_found)
{
    br_quality *quality = writer();
    BR_AUTO(br_arena) *arena = NULL;
    br_report report;
    char longest[4096];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    cr_assert_eq(br_arena_new(&arena, 1 << 20), BR_OK);
    cr_assert_eq(br_quality_report(quality, arena, "", &report), BR_ERR_NOT_FOUND);
    cr_assert_eq(br_quality_report(quality, arena, longest, &report), BR_ERR_NOT_FOUND);
    br_quality_free(&quality);
}

Test(store_quality, every_allocation_may_fail)
{
    size_t live = br_alloc_live();
    br_status status = BR_ERR_NO_MEMORY;
    for (size_t n = 0; n < 20 && status != BR_OK; n++) {
        br_quality *quality = NULL;
        br_alloc_fail_after(n);
        status = br_quality_open_writer(&quality, path);
        br_alloc_fail_after(SIZE_MAX);
        cr_assert(status == BR_OK || status == BR_ERR_NO_MEMORY, "%s", br_why(status));
        br_quality_free(&quality);
        cr_assert_eq(br_alloc_live(), live);
    }
    cr_assert_eq(status, BR_OK);
}
