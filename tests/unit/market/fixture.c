#include "fixture.h"

#include "base/alloc.h"
#include "base/rng.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

br_day fixture_day(const char *text)
{
    br_day day = BR_DAY_NONE;
    cr_assert_eq(br_day_parse(&day, text, strlen(text), NULL), BR_OK);
    return day;
}

const br_schema *fixture_schema(void)
{
    static char names[6][10] = {"rating", "industry", "coupon", "listed", "org", "score"};
    static char aaa[] = "AAA", aa[] = "AA", a[] = "A", market[] = "test";
    static char en[] = "bond rating", zh[] = "债项评级";
    static char *ratings[] = {aaa, aa, a};
    static uint32_t of_coupon[] = {2};
    static br_feature of_bonds[] = {
        {names[0], BR_KIND_ORDINAL, BR_GROUP_BOND, ratings, 3, 0, 0, true, {en, zh}},
        {names[1], BR_KIND_CATEGORICAL, BR_GROUP_BOND, NULL, 0, 2, 0, true, {NULL, NULL}},
        {names[2], BR_KIND_CONTINUOUS, BR_GROUP_BOND, NULL, 0, 0, 4, false, {NULL, NULL}},
        {names[3], BR_KIND_FLAG, BR_GROUP_BOND, NULL, 0, 0, 0, true, {NULL, NULL}},
    };
    static br_feature of_investors[] = {
        {names[4], BR_KIND_CATEGORICAL, BR_GROUP_ATTRIBUTE, NULL, 0, 3, 0, false, {NULL, NULL}},
        {names[5], BR_KIND_CONTINUOUS, BR_GROUP_ABILITY, NULL, 0, 0, 3, false, {NULL, NULL}},
    };
    static br_schema schema = {
        .market = market,
        .late_days = 5,
        .bond_features = of_bonds,
        .n_bond_features = 4,
        .investor_features = of_investors,
        .n_investor_features = 2,
        .windows_days = {30, BR_WINDOW_EVER},
        .n_windows = 2,
        .activity_windows_days = {10, 91, BR_WINDOW_EVER},
        .n_activity_windows = 3,
        .history_until = BR_DAY_NONE,
        .activity = {true, true, true, true, true, true, true, true},
        .activity_of = of_coupon,
        .n_activity_of = 1,
    };
    return &schema;
}

static br_row blank(br_row_kind kind)
{
    return (br_row){
        .kind = kind,
        .announce_day = BR_DAY_NONE,
        .issue_day = BR_DAY_NONE,
        .day = BR_DAY_NONE,
        .known_from = BR_DAY_NONE,
        .amount = BR_AMOUNT_NONE,
        .rate = (double)NAN,
    };
}

br_row fixture_bond(const char *id, const char *issuer, const char *announce, const char *issue)
{
    br_row row = blank(BR_ROW_BOND);
    row.bond_id = id;
    row.issuer_id = issuer;
    row.announce_day = fixture_day(announce);
    row.issue_day = fixture_day(issue);
    return row;
}

br_row fixture_investor(const char *id, const char *from)
{
    br_row row = blank(BR_ROW_INVESTOR);
    row.investor_id = id;
    row.day = fixture_day(from);
    return row;
}

br_row fixture_bid(const char *id, const char *bond, const char *investor, const char *date)
{
    br_row row = blank(BR_ROW_BID);
    row.bid_id = id;
    row.bond_id = bond;
    row.investor_id = investor;
    row.day = fixture_day(date);
    return row;
}

void fixture_set(br_row *row, const char *name, const char *value)
{
    static br_named_value pool[4096][8];
    static size_t used;
    if (row->n_features == 0) {
        cr_assert_lt(used, sizeof pool / sizeof pool[0]);
        row->features = pool[used++];
    }
    cr_assert_lt(row->n_features, 8);
    size_t at = (size_t)(row->features - pool[0]) / 8;
    pool[at][row->n_features++] = (br_named_value){name, value};
}

bool fixture_refused(const br_market *market, br_row row, br_row_problem *problem)
{
    *problem = (br_row_problem){.column = "", .reason = ""};
    return !br_market_check(market, &row, problem);
}

void fixture_apply(br_market *market, br_row row)
{
    br_row_problem problem;
    cr_assert(!fixture_refused(market, row, &problem), "%s: %s", problem.column, problem.reason);
    cr_assert_eq(br_market_apply(market, &row), BR_OK);
}

// --- random markets ---

static void random_bond(br_market *market, br_rng *rng, uint32_t number, br_day first_issue, uint32_t span)
{
    static const char *const ratings[] = {"AAA", "AA", "A", ""};
    static const char *const industries[] = {"steel", "steel", "power", "power", "power", "ships", "trade", ""};
    char id[16], issuer[16], coupon[32];
    snprintf(id, sizeof id, "B%u", number);
    snprintf(issuer, sizeof issuer, "S%u", br_rng_below(rng, 6));
    snprintf(coupon, sizeof coupon, "%.2f", 2 + 3 * br_rng_uniform(rng));
    br_named_value values[4] = {
        {"rating", ratings[br_rng_below(rng, 4)]},
        {"industry", industries[br_rng_below(rng, 8)]},
        {"coupon", br_rng_below(rng, 8) == 0 ? "" : coupon},
        {"listed", br_rng_below(rng, 2) ? "yes" : "0"},
    };
    br_row row = blank(BR_ROW_BOND);
    row.bond_id = id;
    row.issuer_id = issuer;
    row.issue_day = first_issue + (br_day)br_rng_below(rng, span);
    row.announce_day = row.issue_day - (br_day)br_rng_below(rng, 15);
    row.features = values;
    row.n_features = 4;
    row.cancelled = br_rng_below(rng, 20) == 0;
    fixture_apply(market, row);
}

static void random_investor(br_market *market, br_rng *rng, const char *id, br_day from)
{
    static const char *const orgs[] = {"bank", "bank", "fund", "fund", "trust", "other"};
    char score[32];
    snprintf(score, sizeof score, "%u", br_rng_below(rng, 100));
    br_named_value values[2] = {{"org", orgs[br_rng_below(rng, 6)]}, {"score", score}};
    br_row row = blank(BR_ROW_INVESTOR);
    row.investor_id = id;
    row.day = from;
    row.features = values;
    row.n_features = 2;
    if (br_market_find_investor(market, id) == BR_INDEX_NONE ||
        br_market_investor_row(market, br_market_find_investor(market, id), from) == BR_INDEX_NONE) {
        fixture_apply(market, row);
        return;
    }
    row.revision = 1 + br_rng_below(rng, 1000) + (uint64_t)from * 1000;
    br_row_problem problem;
    if (!fixture_refused(market, row, &problem)) {
        fixture_apply(market, row);
    }
}

// A bid on a random bond by a random investor; with `from`, one that is dated or known on that day or later.
static void random_bid(br_market *market, br_rng *rng, const char *id, br_day from)
{
    uint32_t number = br_rng_below(rng, br_market_n_bonds(market));
    const br_bond *bond = br_market_bond(market, number);
    br_row row = blank(BR_ROW_BID);
    row.bid_id = id;
    row.bond_id = br_market_bond_id(market, number);
    // Some investors bid much more than others.
    uint32_t n = br_market_n_investors(market);
    row.investor_id = br_market_investor_id(market, br_rng_below(rng, 1 + br_rng_below(rng, n)));
    row.day = bond->announce_day + (br_day)br_rng_below(rng, (uint32_t)(bond->issue_day - bond->announce_day) + 8);
    row.amount = br_rng_below(rng, 5) == 0 ? BR_AMOUNT_NONE : (int64_t)br_rng_below(rng, 1000000);
    row.known_from = br_rng_below(rng, 4) == 0 ? row.day + 1 + (br_day)br_rng_below(rng, 60) : BR_DAY_NONE;
    row.cancelled = br_rng_below(rng, 15) == 0;
    if (from != BR_DAY_NONE && row.day < from) {
        row.known_from = from + 1 + (br_day)br_rng_below(rng, 30);
    }
    fixture_apply(market, row);
    if (br_rng_below(rng, 10) == 0) {
        row.revision = 1;
        row.amount = 77;
        fixture_apply(market, row);
    }
}

br_market *fixture_random(uint64_t seed, uint32_t n_bonds, uint32_t n_investors, uint32_t n_bids)
{
    br_market *market = NULL;
    char id[32];
    br_rng rng = br_rng_at(seed, BR_STREAM_TEST, 0, 0);
    cr_assert_eq(br_market_new(&market, fixture_schema()), BR_OK);
    for (uint32_t i = 0; i < n_bonds; i++) {
        random_bond(market, &rng, i, FIXTURE_BEGIN, 300);
    }
    for (uint32_t i = 0; i < n_investors; i++) {
        snprintf(id, sizeof id, "I%u", i);
        for (uint32_t k = br_rng_below(&rng, 3); k < 3; k++) {
            random_investor(market, &rng, id, FIXTURE_BEGIN - 100 + (br_day)br_rng_below(&rng, 350));
        }
    }
    for (uint32_t i = 0; i < n_bids; i++) {
        snprintf(id, sizeof id, "bid%u", i);
        random_bid(market, &rng, id, BR_DAY_NONE);
    }
    return market;
}

void fixture_add_future(br_market *market, uint64_t seed, br_day from, uint32_t n_bids)
{
    char id[32];
    br_rng rng = br_rng_at(seed, BR_STREAM_TEST, 1, 0);
    uint32_t n_bonds = br_market_n_bonds(market);
    for (uint32_t i = 0; i < 30; i++) {
        random_bond(market, &rng, n_bonds + i, from + 1, 40);
        snprintf(id, sizeof id, "I%u", br_rng_below(&rng, br_market_n_investors(market) + 5));
        random_investor(market, &rng, id, from + (br_day)br_rng_below(&rng, 30));
    }
    for (uint32_t i = 0; i < n_bids; i++) {
        snprintf(id, sizeof id, "later%u", i);
        random_bid(market, &rng, id, from);
    }
}

void fixture_sweep(br_status (*attempt)(void *context), void *context)
{
    size_t live = br_alloc_live();
    for (size_t n = 0;; n++) {
        br_alloc_fail_after(n);
        br_status status = attempt(context);
        br_alloc_fail_after(SIZE_MAX);
        cr_assert_eq(br_alloc_live(), live, "allocation %zu: %zu blocks leaked", n, br_alloc_live() - live);
        if (status == BR_OK) {
            cr_assert_gt(n, 0);
            return;
        }
        cr_assert_eq(status, BR_ERR_NO_MEMORY, "allocation %zu: %s", n, br_why(status));
    }
}
