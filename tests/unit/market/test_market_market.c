// Goal: what is taken, what supersedes what, and who counts. Method: small markets by hand; the sweep of failing allocations.

#include "fixture.h"

#include "base/alloc.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static br_market *two_bonds(void)
{
    br_market *market = NULL;
    cr_assert_eq(br_market_new(&market, fixture_schema()), BR_OK);
    br_row row = fixture_bond("B1", "S1", "2024-01-05", "2024-01-20");
    fixture_set(&row, "rating", "AA");
    fixture_set(&row, "industry", "steel");
    fixture_set(&row, "coupon", "3.5");
    fixture_apply(market, row);
    fixture_apply(market, fixture_bond("B2", "S2", "2024-01-01", "2024-01-10"));
    fixture_apply(market, fixture_investor("I2", "2023-06-01"));
    fixture_apply(market, fixture_investor("I1", "2024-01-08"));
    return market;
}

Test(market_market, wrong_bids_are_refused_with_the_days)
{
    BR_AUTO(br_market) *market = two_bonds();
    br_row_problem problem;
    cr_assert(fixture_refused(market, fixture_bid("b", "B1", "I1", "2024-01-02"), &problem));
    cr_assert_str_eq(problem.column, "bid_date");
    cr_assert_str_eq(problem.reason, "bid dated 2024-01-02 before its bond B1 was announced (2024-01-05)");
    cr_assert(fixture_refused(market, fixture_bid("b", "B9", "I1", "2024-01-06"), &problem));
    cr_assert_str_eq(problem.reason, "unknown bond B9");
    cr_assert(fixture_refused(market, fixture_bid("b", "B1", "I9", "2024-01-06"), &problem));
    cr_assert_str_eq(problem.reason, "unknown investor I9");
    cr_assert(!fixture_refused(market, fixture_bid("b", "B1", "I1", "2024-01-05"), &problem));
    br_row row = fixture_bid("b", "B9", "I1", "2024-01-06");
    cr_assert_eq(br_market_apply(market, &row), BR_ERR_INVALID);
}

Test(market_market, a_pair_is_of_issuers_that_are_there)
{
    BR_AUTO(br_market) *market = two_bonds();
    br_row_problem problem;
    br_note note = {.user = "mei", .topic = BR_TOPIC_PAIR, .subject = "S2", .value = "yes"};
    br_row row = {.kind = BR_ROW_NOTE, .issuer_id = "S1", .note = &note};
    cr_assert(!fixture_refused(market, row, &problem));
    cr_assert_eq(br_market_find_issuer(market, "S2"), 1);
    row.issuer_id = "S9";
    cr_assert(fixture_refused(market, row, &problem));
    cr_assert_str_eq(problem.column, "issuer_id");
    cr_assert_str_eq(problem.reason, "unknown pair: there is no issuer S9");
    row.issuer_id = "S1";
    note.subject = "B1";
    cr_assert(fixture_refused(market, row, &problem));
    cr_assert_str_eq(problem.column, "subject");
    cr_assert_str_eq(problem.reason, "unknown pair: there is no issuer B1");
    note.topic = BR_TOPIC_REASON;
    row.issuer_id = NULL;
    cr_assert(!fixture_refused(market, row, &problem), "of other topics the subject is a text");
}

Test(market_market, days_close_once_and_in_order)
{
    BR_AUTO(br_market) *market = two_bonds();
    br_row_problem problem;
    br_row row = {.kind = BR_ROW_CLOSE_DAY, .day = DAY("2024-01-05")};
    cr_assert_eq(br_market_business_day(market), BR_DAY_NONE);
    fixture_apply(market, row);
    cr_assert_eq(br_market_business_day(market), DAY("2024-01-05"));
    cr_assert(fixture_refused(market, row, &problem));
    cr_assert_str_eq(problem.reason, "2024-01-05 is not after the last closed day 2024-01-05");
    row.day += 3;
    cr_assert(!fixture_refused(market, row, &problem));
}

Test(market_market, only_a_higher_revision_supersedes_and_it_does_so_as_a_whole)
{
    BR_AUTO(br_market) *market = two_bonds();
    br_row_problem problem;
    br_row row = fixture_bond("B1", "S2", "2024-01-06", "2024-01-21");
    fixture_set(&row, "industry", "power");
    cr_assert(fixture_refused(market, row, &problem));
    cr_assert_str_eq(problem.column, "revision");
    row.revision = 3;
    fixture_apply(market, row);
    cr_assert(fixture_refused(market, row, &problem));
    cr_assert_eq(br_market_n_bonds(market), 2);
    cr_assert_eq(br_market_bond(market, 0)->issue_day, DAY("2024-01-21"));
    cr_assert_str_eq(br_market_issuer_id(market, br_market_bond(market, 0)->issuer), "S2");
    cr_assert_eq(br_market_bond_value(market, 0, 0).value, BR_INDEX_NONE);
    cr_assert_str_eq(br_index_text(br_market_bond_strings(market, 1), br_market_bond_value(market, 0, 1).value),
                     "power");
    const uint32_t *bonds;
    uint32_t n = 0;
    cr_assert_eq(br_market_bonds_by_issue(market, &bonds, &n), BR_OK);
    cr_assert(n == 2 && bonds[0] == 1 && bonds[1] == 0);
    row.revision = 4;
    row.cancelled = true;
    fixture_apply(market, row);
    cr_assert_eq(br_market_bonds_by_issue(market, &bonds, &n), BR_OK);
    cr_assert(n == 1 && bonds[0] == 1);
}

Test(market_market, cancelled_bids_leave_and_the_order_is_that_of_knowledge)
{
    BR_AUTO(br_market) *market = two_bonds();
    const br_bid *bids;
    uint32_t n = 0;
    br_row late = fixture_bid("late", "B1", "I1", "2024-01-06");
    late.known_from = DAY("2024-02-01");
    late.amount = 5;
    fixture_apply(market, late);
    fixture_apply(market, fixture_bid("b", "B1", "I2", "2024-01-07"));
    fixture_apply(market, fixture_bid("a", "B2", "I2", "2024-01-06"));
    cr_assert_eq(br_market_bids(market, &bids, &n), BR_OK);
    cr_assert(n == 3 && bids[0].bond == 1 && bids[1].investor == 0 && bids[2].amount == 5);
    cr_assert_eq(bids[0].known_from, DAY("2024-01-07"));
    late.revision = 1;
    late.cancelled = true;
    fixture_apply(market, late);
    cr_assert_eq(br_market_n_bids(market), 2);
    cr_assert_eq(br_market_bids(market, &bids, &n), BR_OK);
    cr_assert_eq(n, 2);
    late.revision = 2;
    late.cancelled = false;
    fixture_apply(market, late);
    cr_assert_eq(br_market_n_bids(market), 3);
}

Test(market_market, bids_known_in_a_range_are_those_a_walk_over_all_finds)
{
    BR_AUTO(br_market) *market = fixture_random(3, 30, 12, 400);
    const br_bid *all, *some;
    uint32_t n_all, n_some;
    cr_assert_eq(br_market_bids(market, &all, &n_all), BR_OK);
    for (br_day from = FIXTURE_BEGIN - 5; from < FIXTURE_BEGIN + 400; from += 7) {
        for (br_day until = from; until < from + 90; until += 13) {
            uint32_t expected = 0;
            for (uint32_t i = 0; i < n_all; i++) {
                expected += all[i].known_from >= from && all[i].known_from < until;
            }
            cr_assert_eq(br_market_bids_known(market, from, until, &some, &n_some), BR_OK);
            cr_assert_eq(n_some, expected);
            cr_assert(n_some == 0 || (some[0].known_from >= from && some[n_some - 1].known_from < until));
        }
    }
}

Test(market_market, attributes_are_those_in_effect_on_the_day)
{
    BR_AUTO(br_market) *market = two_bonds();
    br_row row = fixture_investor("I1", "2024-03-01");
    fixture_set(&row, "score", "7");
    fixture_apply(market, row);
    row = fixture_investor("I1", "2024-02-01"); // arrives later, is effective earlier
    fixture_set(&row, "org", "bank");
    fixture_apply(market, row);
    uint32_t i1 = br_market_find_investor(market, "I1");
    cr_assert_eq(br_market_investor_known(market, i1), DAY("2024-01-08"));
    cr_assert_eq(br_market_investor_row(market, i1, DAY("2024-01-07")), BR_INDEX_NONE);
    cr_assert_eq(br_market_investor_value(market, i1, 0, DAY("2024-01-31")).value, BR_INDEX_NONE);
    cr_assert_eq(br_market_investor_value(market, i1, 0, DAY("2024-02-01")).value, 0);
    cr_assert_eq(br_market_investor_value(market, i1, 0, DAY("2024-03-01")).value, BR_INDEX_NONE);
    cr_assert(br_market_investor_value(market, i1, 1, DAY("2024-03-01")).number == 7);
    row = fixture_investor("I1", "2024-01-08");
    row.revision = 1;
    row.cancelled = true;
    fixture_apply(market, row);
    cr_assert_eq(br_market_investor_known(market, i1), DAY("2024-02-01"));
}

Test(market_market, eligible_are_known_before_and_not_excluded)
{
    BR_AUTO(br_market) *market = two_bonds();
    uint8_t eligible[2];
    uint32_t b1 = br_market_find_bond(market, "B1"), b2 = br_market_find_bond(market, "B2");
    cr_assert_eq(br_market_eligible(market, b1, DAY("2024-01-08"), eligible), 1); // I1 becomes known that day
    cr_assert(eligible[0] == 1 && eligible[1] == 0);
    cr_assert_eq(br_market_eligible(market, b1, DAY("2024-01-09"), eligible), 2);
    cr_assert_eq(br_market_eligible(market, b2, DAY("2024-03-01"), eligible), 2);
    br_row row = fixture_bid("", "B1", "I2", "2024-01-10");
    row.kind = BR_ROW_EXCLUSION;
    fixture_apply(market, row);
    cr_assert_eq(br_market_eligible(market, b1, DAY("2024-01-10"), eligible), 2);
    cr_assert_eq(br_market_eligible(market, b1, DAY("2024-01-11"), eligible), 1);
    cr_assert_eq(eligible[0], 0);
    cr_assert_eq(br_market_eligible(market, b2, DAY("2024-01-11"), eligible), 2);
    row.revision = 1;
    row.cancelled = true;
    fixture_apply(market, row);
    cr_assert_eq(br_market_eligible(market, b1, DAY("2024-01-11"), eligible), 2);
    fixture_apply(market, fixture_investor("I3", "2024-01-20"));
    uint8_t three[3];
    cr_assert_eq(br_market_eligible(market, b1, DAY("2024-03-01"), three), 2); // I3 came on the issue day
}

Test(market_market, bidders_are_those_of_the_open_book_once_each)
{
    BR_AUTO(br_market) *market = two_bonds();
    const br_bid *bids;
    uint32_t n;
    uint8_t label[2];
    fixture_apply(market, fixture_bid("a", "B1", "I1", "2024-01-25"));
    fixture_apply(market, fixture_bid("b", "B1", "I1", "2024-01-20"));
    fixture_apply(market, fixture_bid("c", "B1", "I2", "2024-01-26")); // late
    fixture_apply(market, fixture_bid("d", "B2", "I2", "2024-01-15"));
    cr_assert_eq(br_market_bids(market, &bids, &n), BR_OK);
    cr_assert_eq(br_market_bidders(market, 0, label), 1);
    cr_assert(label[0] == 0 && label[1] == 1);
    cr_assert_eq(br_market_bidders(market, 1, label), 1);
    cr_assert(label[0] == 1 && label[1] == 0);
}

Test(market_market, investors_are_ordered_by_id)
{
    BR_AUTO(br_market) *market = two_bonds();
    const uint32_t *order;
    cr_assert_eq(br_market_investor_order(market, &order), BR_OK);
    cr_assert(order[0] == 1 && order[1] == 0);
}

static br_status make_whole(void *context)
{
    (void)context;
    BR_AUTO(br_market) *market = NULL;
    const br_bid *bids;
    const uint32_t *order;
    uint32_t n;
    br_status status = br_market_new(&market, fixture_schema());
    br_row rows[] = {fixture_bond("B1", "S1", "2024-01-05", "2024-01-20"), fixture_investor("I1", "2024-01-01"),
                     fixture_bid("b", "B1", "I1", "2024-01-10"), fixture_bid("", "B1", "I1", "2024-01-10")};
    rows[3].kind = BR_ROW_EXCLUSION;
    for (size_t i = 0; i < 4 && status == BR_OK; i++) {
        status = br_market_apply(market, &rows[i]);
    }
    status = status == BR_OK ? br_market_bids(market, &bids, &n) : status;
    status = status == BR_OK ? br_market_bonds_by_issue(market, &order, &n) : status;
    return status == BR_OK ? br_market_investor_order(market, &order) : status;
}

Test(market_market, every_failing_allocation_is_reported_and_leaks_nothing)
{
    fixture_sweep(make_whole, NULL);
}

Test(market_market, many_exclusions_are_found_again)
{
    enum { BONDS = 7, INVESTORS = 60 };
    BR_AUTO(br_market) *market = NULL;
    cr_assert_eq(br_market_new(&market, fixture_schema()), BR_OK);
    char bond[8], investor[8];
    for (unsigned b = 0; b < BONDS; b++) {
        snprintf(bond, sizeof bond, "B%u", b);
        fixture_apply(market, fixture_bond(bond, "I", "2024-01-01", "2024-01-05"));
    }
    for (unsigned i = 0; i < INVESTORS; i++) {
        snprintf(investor, sizeof investor, "V%u", i);
        fixture_apply(market, fixture_investor(investor, "2023-01-01"));
    }
    // Every second investor is excluded from every bond, twice; then each first row is withdrawn, and of every fourth investor both.
    for (uint64_t revision = 0; revision < 2; revision++) {
        for (unsigned n = 0; n < BONDS * INVESTORS; n++) {
            snprintf(bond, sizeof bond, "B%u", n % BONDS);
            snprintf(investor, sizeof investor, "V%u", n / BONDS);
            br_row row = {.kind = BR_ROW_EXCLUSION,
                          .bond_id = bond,
                          .investor_id = investor,
                          .revision = revision,
                          .cancelled = revision > 0,
                          .known_from = BR_DAY_NONE,
                          .amount = BR_AMOUNT_NONE};
            for (unsigned k = 0; k < 2 && n / BONDS % 2 == 0; k++) {
                row.day = DAY("2023-06-01") + (br_day)k;
                if (revision == 0 || k == 0 || n / BONDS % 4 == 0) {
                    fixture_apply(market, row);
                    br_row_problem problem;
                    cr_assert(fixture_refused(market, row, &problem), "a known row needs a higher revision");
                }
            }
        }
        for (uint32_t b = 0; b < BONDS; b++) {
            uint8_t eligible[INVESTORS];
            uint32_t n = br_market_eligible(market, b, DAY("2024-01-05"), eligible);
            cr_assert_eq(n, revision == 0 ? INVESTORS / 2 : INVESTORS * 3 / 4);
        }
    }
}
