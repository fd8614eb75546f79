// Bonds spread over a range. Method: ten bonds ten days apart, given in no order.

#include "pipeline/background.h"

#include "base/alloc.h"
#include "input/schema_yaml.h"

#include <criterion/criterion.h>
#include <string.h>

enum { N_BONDS = 10, FIRST = 20000, APART = 10 };

static br_schema *schema;
static br_market *market;

/// Bond number i is issued on the day FIRST + APART * ((7 * i) % N_BONDS).
static void set_up(void)
{
    static const char yaml[] = "market: m\nwindows_days: [30]\n"
                               "bond_features: [{name: rating, kind: categorical, values: [A, B], preference: true}]\n"
                               "investor_features: [{name: org, kind: categorical, group: attribute}]\n"
                               "activity_features: [frequency]\n";
    cr_assert_eq(br_schema_read(&schema, "schema", yaml, strlen(yaml)), BR_OK);
    cr_assert_eq(br_market_new(&market, schema), BR_OK);
    for (int i = 0; i < N_BONDS; i++) {
        const br_named_value rating = {"rating", "A"};
        const char id[] = {'B', (char)('0' + i), '\0'};
        const br_row row = {.kind = BR_ROW_BOND,
                            .bond_id = id,
                            .issuer_id = "S",
                            .announce_day = FIRST - 5,
                            .issue_day = FIRST + APART * (7 * i % N_BONDS),
                            .features = &rating,
                            .n_features = 1};
        cr_assert_eq(br_market_apply(market, &row), BR_OK);
    }
}

static void tear_down(void)
{
    br_market_free(&market);
    br_schema_free(&schema);
}

TestSuite(pipeline_background, .init = set_up, .fini = tear_down, .timeout = 30);

/// The places, counted in order of issue, of what is spread over [from, until) of them.
static void check(br_day from, br_day until, uint32_t most, const br_day *places, uint32_t n_places)
{
    uint32_t *bonds = NULL;
    uint32_t n = 0;
    cr_assert_eq(br_bonds_spread(market, from, until, most, &bonds, &n), BR_OK);
    cr_assert_eq(n, n_places);
    for (uint32_t i = 0; i < n; i++) {
        cr_assert_eq(br_market_bond(market, bonds[i])->issue_day, FIRST + APART * places[i], "bond %u", i);
    }
    br_free(bonds);
}

Test(pipeline_background, bonds_are_evenly_spread_in_order_of_issue)
{
    check(FIRST, FIRST + 1000, 0, (const br_day[]){0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, 10);
    check(FIRST, FIRST + 1000, 99, (const br_day[]){0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, 10);
    check(FIRST, FIRST + 1000, 5, (const br_day[]){0, 2, 4, 6, 8}, 5);
    check(FIRST, FIRST + 1000, 3, (const br_day[]){0, 3, 6}, 3);
}

Test(pipeline_background, a_range_has_its_first_day_and_not_its_last)
{
    check(FIRST + 20, FIRST + 50, 0, (const br_day[]){2, 3, 4}, 3);
    check(FIRST + 21, FIRST + 51, 2, (const br_day[]){3, 4}, 2);
    uint32_t *bonds = NULL;
    uint32_t n = 0;
    cr_assert_eq(br_bonds_spread(market, FIRST + 21, FIRST + 30, 0, &bonds, &n), BR_ERR_INVALID);
    cr_assert_null(bonds);
}

Test(pipeline_background, memory_that_runs_out_is_told)
{
    uint32_t *bonds = NULL;
    uint32_t n = 0;
    check(FIRST, FIRST + 1000, 1, (const br_day[]){0}, 1);
    size_t live = br_alloc_live();
    br_alloc_fail_after(0);
    cr_assert_eq(br_bonds_spread(market, FIRST, FIRST + 1000, 3, &bonds, &n), BR_ERR_NO_MEMORY);
    br_alloc_fail_after(SIZE_MAX);
    cr_assert_eq(br_alloc_live(), live);
}
