// The hand-made score that lists are compared with: bids in the year before a day, as far as that day knows of them.

#include "pipeline/assess.h"

#include "base/hash.h"
#include "input/schema_yaml.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char SCHEMA[] = "market: m\nwindows_days: [30]\n"
                             "bond_features:\n  - {name: rating, kind: categorical, values: [A, B]}\n"
                             "investor_features:\n  - {name: org, kind: categorical, group: attribute}\n";
enum { AS_OF = 20000, BEFORE = AS_OF - 1000 };

static void apply(br_market *market, br_row row)
{
    row.rate = (double)NAN;
    br_status status = br_market_apply(market, &row);
    cr_assert_eq(status, BR_OK, "%s", br_why(status));
}

Test(pipeline_assess, activity_counts_the_bids_of_a_year_that_the_day_knows_of)
{
    static const struct {
        br_day day, known_from;
        bool counts;
    } bids[] = {
        {AS_OF - 366, BR_DAY_NONE, false}, {AS_OF - 366, AS_OF - 1, false}, {AS_OF - 365, BR_DAY_NONE, true},
        {AS_OF - 365, AS_OF, true},        {AS_OF - 300, AS_OF, true},      {AS_OF - 300, AS_OF + 1, false},
        {AS_OF - 1, BR_DAY_NONE, true},    {AS_OF, BR_DAY_NONE, false},     {AS_OF - 900, BR_DAY_NONE, false},
    };
    enum { N = sizeof bids / sizeof bids[0] };
    cr_assert_eq(br_hash_init(), BR_OK);
    BR_AUTO(br_schema) *schema = NULL;
    BR_AUTO(br_market) *market = NULL;
    cr_assert_eq(br_schema_read(&schema, "schema.yaml", SCHEMA, strlen(SCHEMA)), BR_OK);
    cr_assert_eq(br_market_new(&market, schema), BR_OK);
    apply(market,
          (br_row){
              .kind = BR_ROW_BOND, .bond_id = "B", .issuer_id = "S", .announce_day = BEFORE, .issue_day = AS_OF + 10});
    char ids[N][8];
    for (size_t i = 0; i < N; i++) { // an investor each, so that a wrong one is named
        snprintf(ids[i], sizeof ids[i], "I%zu", i);
        apply(market, (br_row){.kind = BR_ROW_INVESTOR, .investor_id = ids[i], .day = BEFORE});
    }
    for (size_t i = N; i-- > 0;) {
        apply(market, (br_row){.kind = BR_ROW_BID,
                               .bid_id = ids[i],
                               .bond_id = "B",
                               .investor_id = ids[i],
                               .day = bids[i].day,
                               .known_from = bids[i].known_from});
    }
    float score[N];
    cr_assert_eq(br_activity_scores(market, AS_OF, score), BR_OK);
    for (size_t i = 0; i < N; i++) {
        cr_expect_eq(score[i], bids[i].counts ? 1.0f : 0.0f, "bid %zu", i);
    }
}
