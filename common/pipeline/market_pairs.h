#ifndef BR_PIPELINE_MARKET_PAIRS_H
#define BR_PIPELINE_MARKET_PAIRS_H

/// A market as a table of transactions: who has bid on bonds of which issuer, and when.
///
/// A user is an investor, an item an issuer. Every bid that counts (br_market_bid_counts()) is a transaction on its day. An issuer's category is the value
/// that its newest bond (by announcement, of equals the one that arrived last; withdrawn ones do not count) has of one bond feature.

#include "itembased/transactions.h"
#include "market/market.h"

/// The bond feature whose values are categories.
///   name  NULL: the first categorical feature with "industry" in its name, else "sector", else "category", else "type", in letters of any case
/// *feature_out: its number, or BR_INDEX_NONE where `name` is NULL and there is none such.
/// Errors: BR_ERR_INVALID when there is no bond feature `name`, or its values are numbers.
br_status br_market_category_feature(uint32_t *feature_out, const br_schema *schema, const char *name) BR_MUST_CHECK;

/// Transactions in the order of br_market_bids(). feature: of br_market_category_feature(), or BR_INDEX_NONE for none.
/// Errors: BR_ERR_NO_MEMORY.
br_status br_market_transactions(br_transactions **out, br_market *market, uint32_t feature) BR_MUST_CHECK;

#endif
