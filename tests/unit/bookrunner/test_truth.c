// A truth is read by the market's own numbers, and refused where it does not fit the market. Method: files written by hand.

#include "truth.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "input/schema_yaml.h"
#include "support/temp.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { DAY = 20000 };

static const char SCHEMA[] = "market: m\nwindows_days: [30]\n"
                             "bond_features:\n  - {name: rating, kind: categorical, values: [A, B]}\n"
                             "investor_features:\n  - {name: org, kind: categorical, group: attribute}\n";

/// Bonds B1, B2; investors I1, I2, I3. The truth has them in another order.
typedef struct world {
    char *folder;
    br_schema *schema;
    br_market *market;
} world;

static void write_file(const world *w, const char *name, const void *bytes, size_t n)
{
    char path[64];
    snprintf(path, sizeof path, "truth/%s", name);
    FILE *file = fopen(br_temp_path(w->folder, path), "we");
    cr_assert_not_null(file);
    cr_assert_eq(fwrite(bytes, 1, n, file), n);
    cr_assert_eq(fclose(file), 0);
}

static void write_text(const world *w, const char *name, const char *text)
{
    write_file(w, name, text, strlen(text));
}

static void apply(br_market *market, br_row row)
{
    row.rate = (double)NAN;
    cr_assert_eq(br_market_apply(market, &row), BR_OK);
}

static const float utilities[] = {1.0f, 2.0f, 3.0f, -1.0f, -2.0f, -3.0f};
static const uint16_t causal[] = {1, 2, 0x8000, 4, 5, 6};

static world world_new(void)
{
    world w = {.folder = br_temp_new()};
    cr_assert_eq(br_hash_init(), BR_OK);
    cr_assert_eq(br_schema_read(&w.schema, "schema.yaml", SCHEMA, strlen(SCHEMA)), BR_OK);
    cr_assert_eq(br_market_new(&w.market, w.schema), BR_OK);
    const char *bonds[] = {"B1", "B2"}, *investors[] = {"I1", "I2", "I3"};
    for (size_t i = 0; i < 2; i++) {
        apply(w.market,
              (br_row){
                  .kind = BR_ROW_BOND, .bond_id = bonds[i], .issuer_id = "S", .announce_day = DAY, .issue_day = DAY});
    }
    for (size_t i = 0; i < 3; i++) {
        apply(w.market, (br_row){.kind = BR_ROW_INVESTOR, .investor_id = investors[i], .day = DAY - 9});
    }
    cr_assert_not(truth_exists(w.folder));
    cr_assert_eq(mkdir(br_temp_path(w.folder, "truth"), 0700), 0);
    write_text(&w, "bonds.csv", "bond_id\nB2\nB1\n");
    write_text(&w, "investors.csv", "investor_id\r\nI3\r\nI1\r\nI2\r\n");
    write_file(&w, "utility.f32", utilities, sizeof utilities);
    write_file(&w, "causal.u16", causal, sizeof causal);
    return w;
}

static void world_deinit(world *w)
{
    br_market_free(&w->market);
    br_schema_free(&w->schema);
    br_temp_remove(&w->folder);
}

Test(bookrunner_truth, is_read_by_the_numbers_of_the_market)
{
    BR_AUTO_DEINIT(world) w = world_new();
    BR_AUTO(truth) *known = NULL;
    cr_assert(truth_exists(w.folder));
    cr_assert_eq(truth_open(&known, w.folder, w.market), BR_OK, "%s", br_why(BR_ERR_INVALID));
    float u[3];
    uint16_t c[3];
    cr_assert_eq(truth_read(known, w.market, 0, u, c), BR_OK);
    cr_expect(u[0] == -2.0f && u[1] == -3.0f && u[2] == -1.0f);
    cr_expect(c[0] == 5 && c[1] == 6 && c[2] == 4);
    cr_assert_eq(truth_read(known, w.market, 1, u, NULL), BR_OK);
    cr_expect(u[0] == 2.0f && u[1] == 3.0f && u[2] == 1.0f);
    cr_expect_eq(c[0], 5);
}

/// Replace a file, expect a refusal at the opening.
static void refused(const char *name, const void *bytes, size_t n, br_status expected)
{
    BR_AUTO_DEINIT(world) w = world_new();
    write_file(&w, name, bytes, n);
    truth *known = NULL;
    size_t live = br_alloc_live();
    cr_expect_eq(truth_open(&known, w.folder, w.market), expected, "%s", name);
    cr_expect_null(known);
    cr_expect_eq(br_alloc_live(), live);
}

Test(bookrunner_truth, is_refused_where_it_does_not_fit)
{
    static const char other[] = "investor_id\nI3\nI1\nI9\n", twice[] = "investor_id\nI3\nI1\nI3\nI2\n",
                      more[] = "bond_id\nB2\nB1\nB3\n";
    refused("investors.csv", other, sizeof other - 1, BR_ERR_INVALID);
    refused("investors.csv", twice, sizeof twice - 1, BR_ERR_INVALID);
    refused("bonds.csv", more, sizeof more - 1, BR_ERR_INVALID);
    refused("utility.f32", utilities, sizeof utilities - 1, BR_ERR_INVALID);
    refused("causal.u16", causal, sizeof causal - 2, BR_ERR_INVALID);
}

Test(bookrunner_truth, must_speak_of_every_investor)
{
    BR_AUTO_DEINIT(world) w = world_new();
    write_text(&w, "investors.csv", "investor_id\nI3\nI1\n");
    write_file(&w, "utility.f32", utilities, 4 * sizeof *utilities);
    write_file(&w, "causal.u16", causal, 4 * sizeof *causal);
    BR_AUTO(truth) *known = NULL;
    cr_expect_eq(truth_open(&known, w.folder, w.market), BR_ERR_INVALID);
}

Test(bookrunner_truth, a_missing_bond_and_a_utility_that_is_no_number_are_told)
{
    BR_AUTO_DEINIT(world) w = world_new();
    static const float broken[] = {1.0f, NAN, 3.0f, -1.0f, -2.0f, -3.0f};
    write_file(&w, "utility.f32", broken, sizeof broken);
    write_text(&w, "bonds.csv", "bond_id\nB2\nB7\n");
    BR_AUTO(truth) *known = NULL;
    cr_assert_eq(truth_open(&known, w.folder, w.market), BR_OK);
    float u[3];
    cr_expect_eq(truth_read(known, w.market, 0, u, NULL), BR_ERR_INVALID);
    cr_expect_eq(truth_read(known, w.market, 1, u, NULL), BR_ERR_INVALID);
    BR_AUTO(truth) *absent = NULL;
    cr_expect_eq(truth_open(&absent, br_temp_path(w.folder, "nowhere"), w.market), BR_ERR_IO);
}

Test(bookrunner_truth, every_failed_allocation_is_told_and_nothing_stays)
{
    BR_AUTO_DEINIT(world) w = world_new();
    size_t live = br_alloc_live();
    br_status status = BR_ERR_NO_MEMORY;
    for (size_t n = 0; status != BR_OK; n++) {
        truth *known = NULL;
        br_alloc_fail_after(n);
        status = truth_open(&known, w.folder, w.market);
        br_alloc_fail_after(SIZE_MAX);
        cr_assert(status == BR_OK || status == BR_ERR_NO_MEMORY);
        truth_free(&known);
        cr_assert_eq(br_alloc_live(), live);
    }
}
