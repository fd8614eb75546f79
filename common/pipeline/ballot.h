#ifndef BR_PIPELINE_BALLOT_H
#define BR_PIPELINE_BALLOT_H

/// People's votes on pairs of issuers (X, Y), "the bonds of Y, because they bid on the bonds of X: does that make sense?", as the ledger's notes tell them
/// (BR_TOPIC_PAIR: Y is the row's issuer, X the note's subject).
///
///     br_votes_new(&votes);
///     br_ballot_read(votes, ledger);                          // as far as the ledger goes: who only counts
///
///     br_ballot_new(&ballot);
///     br_follower_notes(follower, br_ballot_take, ballot);    // who follows the ledger, or writes it
///     column = br_ballot_refuse(ballot, &row, &reason);       // NULL = fine
///
/// A skip is a note and no vote: the pair is not shown to this rater again, and he may still vote on it, or take the skip back.
/// Memory: that of the votes (itembased/votes.h), and about 60 bytes and three ids for each skip that was ever given.

#include "base/buf.h"
#include "itembased/votes.h"
#include "pipeline/words.h"
#include "store/ledger.h"

typedef struct br_ballot br_ballot;

br_status br_ballot_new(br_ballot **out) BR_MUST_CHECK;
void br_ballot_free(br_ballot **ballot);
/// What was voted so far; the ballot's own.
br_votes *br_ballot_votes(br_ballot *ballot);

/// Record of the last note that made a pair complete, or changed a complete one: until there is a later one every pair is as valid as it was. 0 = none.
uint64_t br_ballot_verdicts(const br_ballot *ballot);

/// Take a note of any topic in (a br_note_visitor; context is the ballot). Records that were taken before are passed over, so that a
/// follower may begin anew. Choice: a vote that the rules refuse is not counted; the ingester wrote none. Errors: BR_ERR_NO_MEMORY.
br_status br_ballot_take(void *ballot, uint64_t record, const br_row *row) BR_MUST_CHECK;
/// Why a note is not to be taken: the column, with *reason_out, borrowed until the next call; NULL = it may be. Notes of other topics may. Whether the
/// market has these issuers is br_market_check()'s to say.
const char *br_ballot_refuse(br_ballot *ballot, const br_row *row, const char **reason_out);

/// Take all votes of a ledger into `votes`. Errors: BR_ERR_NO_MEMORY, those of the ledger.
br_status br_ballot_read(br_votes *votes, br_ledger *ledger) BR_MUST_CHECK;

/// What the figures mean, for people: JSON strings with commas between, one for each that there is, or one that says there is none.
/// Source: Landis and Koch 1977 for kappa (slight, fair, moderate, substantial), Krippendorff 2004 for alpha (0.667 and 0.8).
void br_ballot_words(br_buf *out, const br_agreement *agreement, br_language language);

#endif
