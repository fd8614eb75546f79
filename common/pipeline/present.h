#ifndef BR_PIPELINE_PRESENT_H
#define BR_PIPELINE_PRESENT_H

/// A stored list with its reasons as JSON: what the API answers and what the command prints.
///
///     {"bond": ..., "as_of": ..., "snapshot": ..., "backtest": false, "pending": false, "investors": [{"rank": 1, "id": ..., "probability": ...,
///       "reasons": [{"tag": ..., "sentence": ..., "category": ..., "field": ..., "value": ..., "gain": ..., "backing": ..., "bids": ...,
///         "times": {"times": 2.8, "low": 2.5, "high": 3.1} or null}],
///       "against": {...} or null, "support": {"matching": 12, "mean_probability": 0.1}, "certified": true,
///       "past_bids": [{"issuer": ..., "bids": 3, "last": "2026-03-02", "weight": 0.21 or null, "same_issuer": false, "sentence": ...,
///         "votes": {"valid": 4, "of": 5} or null}], "kept": 5}], "stability": {"since": ..., "jaccard": 0.9, "investors": 48}}
///
/// "kept" of the reasons were given in the bond's list before, too (pipeline/earlier.h), and "stability" is the mean over the investors who were on it;
/// both are there if it is.
/// "times" is how many times as often as chance would have it investors with the reason's value bid on such bonds (model/record.h).
/// "past_bids" is what the investor bid on before that speaks for the bond (pipeline/past.h): at most BR_SHOWN_PAST after those that people have called
/// no reason; without them where the result is of a program that knew none.
/// "votes" are told once a pair has all of them, so that nobody is told how others vote before he has voted.
/// "pending" while the explanation is to do; "failure" says why there will be none unless its job is asked for again.

#include "itembased/votes.h"
#include "pipeline/earlier.h"
#include "pipeline/words.h"
#include "store/recommendations.h"

typedef struct br_presented {
    const br_list *list;
    const br_outcome *outcome; ///< of its explanation
    const br_encoder *encoder; ///< of the list's snapshot
    br_language language;
    const char *only_investor; ///< NULL: all of them
    const br_earlier *earlier; ///< what the reasons are compared with; NULL: nothing
    const br_votes *votes;     ///< of people on pairs of issuers (X = bid on, Y = the bond's); NULL: none
    uint32_t threshold;        ///< a pair with all its votes of which fewer say yes is not shown; unused without votes
} br_presented;

void br_present_json(br_buf *out, const br_presented *presented);
/// The same without the outer braces, for an answer that says more.
void br_present_members(br_buf *out, const br_presented *presented);
/// Parts of it. One reason: {"tag": ...}.
void br_present_reason(br_buf *out, const br_encoder *encoder, br_language language, const br_reason *reason,
                       br_reason_role role);
/// Members, without braces: "reasons", "against", "support", "certified".
void br_present_reasons(br_buf *out, const br_encoder *encoder, br_language language,
                        const br_explanation *explanation);

#define BR_SHOWN_PAST 3

/// Past bids as they are shown, borrowed from a result.
typedef struct br_shown_past {
    const br_past_bid *past;
    bool own_issuer;
    bool has_votes;   ///< the pair has all of them: before, nobody is told how others vote
    uint32_t n_valid; ///< of BR_VOTES_PER_PAIR
} br_shown_past;

/// Of the result's i-th investor; votes and threshold as in br_presented. Returns how many.
uint32_t br_present_past(br_shown_past out[BR_SHOWN_PAST], const br_result *result, uint32_t i, const br_votes *votes,
                         uint32_t threshold);
/// Member "past_bids", without braces.
void br_present_past_json(br_buf *out, const br_shown_past *past, uint32_t n, br_language language);
/// The explanation of the i-th entry of the list; NULL when there is none (yet).
const br_explanation *br_present_explanation(const br_presented *presented, uint32_t i);

#endif
