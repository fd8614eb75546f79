/// Goal: a market's counting bids, and no others, become transactions of investors and issuers, with the category of an issuer's newest bond.
/// Method: four bonds of two issuers and bids inside and outside their books.

#include "pipeline/market_pairs.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "input/schema_yaml.h"

#include <criterion/criterion.h>
#include <string.h>

static br_schema *schema;
static br_market *market;

static br_schema *read_schema(const char *features)
{
    BR_AUTO_DEINIT(br_buf) yaml = {0};
    br_buf_printf(
        &yaml,
        "market: m\nwindows_days: [30]\nlate_days: 2\nbond_features: [%s]\n"
        "investor_features: [{name: org, kind: categorical, group: attribute}]\nactivity_features: [frequency]\n",
        features);
    br_schema *read = NULL;
    cr_assert_eq(br_schema_read(&read, "schema", br_buf_text(&yaml), yaml.length), BR_OK);
    return read;
}

static void apply(br_row row)
{
    cr_assert_eq(br_market_apply(market, &row), BR_OK);
}

static void bond(const char *id, const char *issuer, br_day announce, const char *industry, uint64_t revision,
                 bool cancelled)
{
    const br_named_value value = {"industry", industry};
    apply((br_row){.kind = BR_ROW_BOND,
                   .bond_id = id,
                   .issuer_id = issuer,
                   .announce_day = announce,
                   .issue_day = announce + 10,
                   .features = &value,
                   .n_features = 1,
                   .revision = revision,
                   .cancelled = cancelled});
}

static void bid(const char *id, const char *bond_id, const char *investor, br_day day)
{
    apply((br_row){.kind = BR_ROW_BID,
                   .bid_id = id,
                   .bond_id = bond_id,
                   .investor_id = investor,
                   .day = day,
                   .known_from = BR_DAY_NONE,
                   .amount = BR_AMOUNT_NONE});
}

static void set_up(void)
{
    schema = read_schema("{name: industry, kind: categorical}");
    cr_assert_eq(br_market_new(&market, schema), BR_OK);
    apply((br_row){.kind = BR_ROW_INVESTOR, .investor_id = "V1", .day = 10});
    apply((br_row){.kind = BR_ROW_INVESTOR, .investor_id = "V2", .day = 10});
    bond("B1", "S1", 100, "steel", 0, false);
    bond("B2", "S1", 200, "rail", 0, false);
    bond("B3", "S2", 100, "", 0, false);
    bond("B4", "S1", 300, "banks", 0, false);
    bond("B5", "S3", 100, "steel", 0, false);
    bid("b1", "B1", "V1", 105);
    bid("b2", "B1", "V2", 112); // the last day of the book
    bid("b3", "B1", "V1", 113); // too late
    bid("b4", "B2", "V1", 205);
    bid("b5", "B3", "V2", 100);
    bid("b6", "B4", "V2", 305);
    bond("B4", "S1", 300, "banks", 1, true); // withdrawn with its bid
}

static void tear_down(void)
{
    br_market_free(&market);
    br_schema_free(&schema);
}

TestSuite(pipeline_market_pairs, .init = set_up, .fini = tear_down, .timeout = 30);

static void show(br_buf *out, const br_transactions *table)
{
    for (size_t i = 0; i < br_transactions_count(table); i++) {
        const br_transaction *t = &br_transactions_all(table)[i];
        br_buf_printf(out, "%s %s %lld %g;", br_transactions_user(table, t->user), br_transactions_item(table, t->item),
                      (long long)t->time, (double)t->weight);
    }
    for (uint32_t i = 0; i < br_transactions_n_items(table); i++) {
        uint32_t category = br_transactions_category_of(table, i);
        br_buf_printf(out, "%s=%s;", br_transactions_item(table, i),
                      category == BR_INDEX_NONE ? "" : br_transactions_category_name(table, category));
    }
}

Test(pipeline_market_pairs, counting_bids_are_transactions_with_the_newest_bonds_category)
{
    static const char bids[] = "V2 S2 8640000 1;V1 S1 9072000 1;V2 S1 9676800 1;V1 S1 17712000 1;";
    for (int with = 0; with < 2; with++) {
        BR_AUTO(br_transactions) *table = NULL;
        BR_AUTO_DEINIT(br_buf) seen = {0};
        cr_assert_eq(br_market_transactions(&table, market, with == 1 ? 0 : BR_INDEX_NONE), BR_OK);
        show(&seen, table);
        cr_assert(strncmp(br_buf_text(&seen), bids, strlen(bids)) == 0, "%s", br_buf_text(&seen));
        cr_expect_str_eq(br_buf_text(&seen) + strlen(bids), with == 1 ? "S2=;S1=rail;" : "S2=;S1=;");
    }
}

static void expect_feature(const char *features, const char *name, uint32_t expected)
{
    br_schema *other = read_schema(features);
    uint32_t feature = 77;
    cr_expect_eq(br_market_category_feature(&feature, other, name), BR_OK);
    cr_expect_eq(feature, expected, "%s: %u", features, feature);
    br_schema_free(&other);
}

Test(pipeline_market_pairs, the_category_is_chosen_by_name)
{
    expect_feature("{name: type, kind: categorical}, {name: Issuer_Industry, kind: categorical}", NULL, 1);
    expect_feature("{name: industry_index, kind: continuous, bins: 3}, {name: bond_type, kind: categorical}, {name: "
                   "subcategory, kind: categorical}",
                   NULL, 2);
    expect_feature("{name: region, kind: categorical}", NULL, BR_INDEX_NONE);
    expect_feature("{name: industry, kind: categorical}, {name: green, kind: flag}", "green", 1);
    br_schema *other = read_schema("{name: size, kind: continuous, bins: 3}");
    uint32_t feature = 0;
    cr_expect_eq(br_market_category_feature(&feature, other, "size"), BR_ERR_INVALID);
    cr_expect_eq(br_market_category_feature(&feature, other, "nothing"), BR_ERR_INVALID);
    br_schema_free(&other);
}

Test(pipeline_market_pairs, each_failing_allocation_is_an_error_and_leaks_nothing)
{
    const br_bid *bids = NULL;
    uint32_t n_bids = 0;
    cr_assert_eq(br_market_bids(market, &bids, &n_bids), BR_OK); // whose order the market keeps
    br_status status = BR_ERR_NO_MEMORY;
    for (size_t n = 0; status != BR_OK; n++) {
        size_t before = br_alloc_live();
        BR_AUTO(br_transactions) *table = NULL;
        br_alloc_fail_after(n);
        status = br_market_transactions(&table, market, 0);
        br_alloc_fail_after(SIZE_MAX);
        cr_assert(status == BR_OK || status == BR_ERR_NO_MEMORY);
        br_transactions_free(&table);
        cr_assert_eq(br_alloc_live(), before);
        cr_assert_lt(n, 100);
    }
}
