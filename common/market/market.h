#ifndef BR_MARKET_MARKET_H
#define BR_MARKET_MARKET_H

/// All that is known of a market, in memory and in columns: what the ledger's records up to some head amount to.
///
///     br_market_new(&market, schema);
///     br_market_apply(market, &row) for every accepted row, in ledger order
///
/// Bonds, investors and issuers have dense numbers in order of first arrival. Memory: about 100 bytes per bid, 8
/// per declared feature and row, plus ids.
///
/// A row with the key of a known one and a higher revision supersedes it as a whole; with `cancelled` it withdraws it. Calls
/// that only read may run in several threads; br_market_bids(), br_market_bonds_by_issue() and
/// br_market_investor_order() write when something was applied since.

#include "base/index.h"
#include "market/row.h"

typedef struct br_market br_market;

typedef struct br_bond {
    br_day announce_day;
    br_day issue_day;
    uint32_t issuer;
    bool cancelled;
} br_bond;

typedef struct br_bid {
    uint32_t bond;
    uint32_t investor;
    br_day day;        ///< bid_date
    br_day known_from; ///< first as-of day that sees it: the day after bid_date unless the row says later
    int64_t amount;    ///< BR_AMOUNT_NONE if not given
    bool cancelled;
} br_bid;

/// A declared feature's value as it is kept: a number for continuous features, else an index into the feature's strings: those of
/// a closed list in its order, "no" and "yes" of a flag, all others in order of arrival.
typedef union br_raw_value {
    double number;  ///< NAN: missing
    uint32_t value; ///< BR_INDEX_NONE: missing
} br_raw_value;

br_status br_market_new(br_market **out,
                        const br_schema *schema) BR_MUST_CHECK; ///< schema: borrowed, must outlive it
void br_market_free(br_market **market);
const br_schema *br_market_schema(const br_market *market);

/// May this row be taken, given what is known? br_row_check() and: bond and investor known, bid not before its
/// bond's announcement, day not closed twice, a revision higher than the one it supersedes. Whether a row is a
/// duplicate is the ledger's business.
bool br_market_check(const br_market *market, const br_row *row, br_row_problem *problem);
/// Take a checked row: a new one, or a revision of a known one. Errors: BR_ERR_NO_MEMORY; BR_ERR_INVALID if it was
/// not checked. Rows of kind BR_ROW_SCHEMA have no effect: the schema was given when the market was made; nor have BR_ROW_NOTE.
br_status br_market_apply(br_market *market, const br_row *row) BR_MUST_CHECK;

uint32_t br_market_n_bonds(const br_market *market);
uint32_t br_market_n_investors(const br_market *market);
uint32_t br_market_n_bids(const br_market *market); ///< superseded ones count once, cancelled ones not
uint32_t br_market_n_issuers(const br_market *market);
br_day br_market_business_day(const br_market *market); ///< last closed day, or BR_DAY_NONE

const br_bond *br_market_bond(const br_market *market, uint32_t bond);
const char *br_market_bond_id(const br_market *market, uint32_t bond);
const char *br_market_issuer_id(const br_market *market, uint32_t issuer);
const char *br_market_investor_id(const br_market *market, uint32_t investor);
uint32_t br_market_find_bond(const br_market *market, const char *id);     ///< or BR_INDEX_NONE
uint32_t br_market_find_investor(const br_market *market, const char *id); ///< or BR_INDEX_NONE
uint32_t br_market_find_issuer(const br_market *market, const char *id);   ///< or BR_INDEX_NONE
br_raw_value br_market_bond_value(const br_market *market, uint32_t bond, uint32_t feature);
/// The investor's attribute by the latest row effective on or before `day`; missing if there is none.
br_raw_value br_market_investor_value(const br_market *market, uint32_t investor, uint32_t feature, br_day day);
/// The strings behind the values of a bond (investor) feature that is not continuous.
const br_index *br_market_bond_strings(const br_market *market, uint32_t feature);
const br_index *br_market_investor_strings(const br_market *market, uint32_t feature);
/// The investor's row in effect on `day`, or BR_INDEX_NONE; rows have dense numbers too. br_market_investor_value() in two
/// steps, for those who read many features.
uint32_t br_market_investor_row(const br_market *market, uint32_t investor, br_day day);
uint32_t br_market_n_investor_rows(const br_market *market);
br_raw_value br_market_row_value(const br_market *market, uint32_t row, uint32_t feature);
/// First day the investor is known: the earliest effective_from; BR_DAY_NONE when all rows were withdrawn.
br_day br_market_investor_known(const br_market *market, uint32_t investor);

/// All bids in order of arrival, each as it was revised last, cancelled ones too. Borrowed: valid until the next apply.
const br_bid *br_market_bids_as_they_came(const br_market *market, uint32_t *n_out);
/// All bids that are not cancelled, in order (known_from, arrival). Borrowed: valid until the next apply.
/// Errors: BR_ERR_NO_MEMORY (the order is made on demand).
br_status br_market_bids(br_market *market, const br_bid **bids_out, uint32_t *n_out) BR_MUST_CHECK;
/// Those of them with known_from in [from, until), by binary search.
br_status br_market_bids_known(br_market *market, br_day from, br_day until, const br_bid **bids_out,
                               uint32_t *n_out) BR_MUST_CHECK;
/// Numbers of all bonds that are not cancelled in order (issue_day, bond_id). Borrowed as above.
br_status br_market_bonds_by_issue(br_market *market, const uint32_t **bonds_out, uint32_t *n_out) BR_MUST_CHECK;
/// rank_of[investor] in the order of ids (bytewise): the tie rule of rankings. Borrowed as above.
br_status br_market_investor_order(br_market *market, const uint32_t **order_out) BR_MUST_CHECK;

/// eligible[i] = 1 if investor i may be recommended for the bond as of `as_of`: known before that day (and
/// before the issue day) and not excluded by a row effective before it. [n_investors]; returns how many.
uint32_t br_market_eligible(const br_market *market, uint32_t bond, br_day as_of, uint8_t *eligible);
/// Does the bid count, for labels and features? It and its bond are not cancelled, and it is dated while the book was open:
/// announce to issue + late_days.
bool br_market_bid_counts(const br_market *market, const br_bid *bid);
/// The first as-of day that sees the bid as past: it counts, is known, and its bond was issued before; BR_DAY_NONE = never.
br_day br_market_bid_past_from(const br_market *market, const br_bid *bid);
/// Who bid for the bond while its book was open (announce to issue + late_days), each once: label[i] = 1. [n_investors]; returns how many.
/// Late bids are not counted. `market` must have its bids ordered (br_market_bids() called since the last apply).
uint32_t br_market_bidders(const br_market *market, uint32_t bond, uint8_t *label);

#endif
