#ifndef BR_TESTS_MARKET_FIXTURE_H
#define BR_TESTS_MARKET_FIXTURE_H

/// A small market written by hand or drawn at random, for the tests of this module.

#include "market/dataset.h"

#define DAY(text) fixture_day(text)

br_day fixture_day(const char *text);

/// rating (ordinal AAA AA A, preference), industry (open, 2 values and other, preference), coupon (continuous, 4 bins), listed (flag,
/// preference); org (open), score (continuous, 3 bins, ability). Preferences by 30 days and ever, activity by 10, 91 days and ever.
const br_schema *fixture_schema(void);

/// Rows with those features; NULL: missing.
br_row fixture_bond(const char *id, const char *issuer, const char *announce, const char *issue);
br_row fixture_investor(const char *id, const char *from);
br_row fixture_bid(const char *id, const char *bond, const char *investor, const char *date);
/// Set one feature of a row; at most 8, kept until the process ends.
void fixture_set(br_row *row, const char *name, const char *value);

/// Check and apply; ends the test when the row is not taken.
void fixture_apply(br_market *market, br_row row);
/// Is the row refused? Then its column and reason are in `problem`.
bool fixture_refused(const br_market *market, br_row row, br_row_problem *problem);

/// Days 2024-01-01 + 0 .. 299: bonds issued all along, investors with several rows, bids that are late, cancelled, revised or known
/// later. The same seed gives the same rows.
#define FIXTURE_BEGIN fixture_day("2024-01-01")
br_market *fixture_random(uint64_t seed, uint32_t n_bonds, uint32_t n_investors, uint32_t n_bids);
/// More rows of which nothing is dated and known before `from`.
void fixture_add_future(br_market *market, uint64_t seed, br_day from, uint32_t n_bids);

/// Make allocation 0, 1, 2, ... of `attempt` fail until it succeeds; each failure must be BR_ERR_NO_MEMORY and leak nothing.
void fixture_sweep(br_status (*attempt)(void *context), void *context);

#endif
