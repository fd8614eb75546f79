#ifndef BR_PIPELINE_FOLLOW_H
#define BR_PIPELINE_FOLLOW_H

/// The market as the ledger tells it, up to a record: what every process but the ingester reads.
///
///     br_follower_new(&follower);
///     br_follower_catch_up(follower, ledger, 0, 0);       // as far as the ledger goes
///     br_market *market = br_follower_market(follower);   // NULL while the ledger has no schema

#include "store/ledger.h"

typedef struct br_follower br_follower;

/// Called for each note in order, once more for all of them when a later schema begins the ledger anew; the row lives during the call.
typedef br_status (*br_note_visitor)(void *context, uint64_t record, const br_row *row);

br_status br_follower_new(br_follower **out) BR_MUST_CHECK;
void br_follower_free(br_follower **follower);
/// From now on leave out bids that were not known before `day` (BR_DAY_NONE: take all), so that a training of the past cannot see them.
void br_follower_limit(br_follower *follower, br_day day);
/// Show every note from now on to `visitor`. The market does not have them.
void br_follower_notes(br_follower *follower, br_note_visitor visitor, void *context);
/// Apply the records up to `until` (0 = the head), or through the first one whose kind is in `stop_kinds` (bits BR_KIND_BIT(kind)). A later
/// schema rebuilds the market under it, without a stop at what was applied before. Errors: those of the ledger.
#define BR_KIND_BIT(kind) (1u << (unsigned)(kind))
br_status br_follower_catch_up(br_follower *follower, br_ledger *ledger, uint64_t until,
                               uint32_t stop_kinds) BR_MUST_CHECK;
/// Apply one record that the caller has just appended itself (the ingester, inside its batch). The same errors as a catch-up; a later schema
/// gives BR_ERR_AGAIN: commit, then catch up.
br_status br_follower_take(br_follower *follower, uint64_t record, const br_row *row) BR_MUST_CHECK;
/// Would what the ledger holds fit this schema? *market_out: the market of all its records under `schema`, owned by the caller, who keeps the schema
/// as long; NULL when a record does not fit, and *problem says which and why. Errors: BR_ERR_NO_MEMORY, those of the ledger.
br_status br_schema_try(br_market **market_out, const br_schema *schema, br_ledger *ledger,
                        br_row_problem *problem) BR_MUST_CHECK;
/// Borrowed; a catch-up that meets a later schema replaces it.
br_market *br_follower_market(br_follower *follower);
uint64_t br_follower_head(const br_follower *follower);
/// The last record among these that is no note: notes do not make another market of it.
uint64_t br_follower_market_head(const br_follower *follower);
/// Kind of the last record applied; BR_ROW_KIND_END before the first.
br_row_kind br_follower_last_kind(const br_follower *follower);
/// Number of the bond that the last record was about; meaningful if its kind is BR_ROW_BOND.
uint32_t br_follower_last_bond(const br_follower *follower);

#endif
