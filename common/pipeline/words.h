#ifndef BR_PIPELINE_WORDS_H
#define BR_PIPELINE_WORDS_H

/// Reasons in words: what the page, the API and the commands show.

#include "codec/work.h"
#include "market/encoder.h"

typedef enum br_language { BR_LANGUAGE_EN, BR_LANGUAGE_ZH } br_language;
typedef enum br_reason_role { BR_REASON_FOR, BR_REASON_AGAINST } br_reason_role;

/// A short tag: "prefers bond rating AAA, last year", "organisation type: bank". What an investor thinks of a bond's value is said as strongly as it
/// is: avoids, seldom bids on, bids on, prefers, strongly prefers.
void br_reason_tag(br_buf *out, const br_encoder *encoder, uint32_t investor_field, uint8_t code, br_language language);
/// The full sentence with its numbers. For: what the odds of a bid, seen by these reasons alone, lose without it; and what the record says, with its
/// 95 % interval, if it backs the reason by two sigmas or more. Against: what the odds would lose if it were seen as well.
void br_reason_sentence(br_buf *out, const br_encoder *encoder, const br_reason *reason, br_reason_role role,
                        br_language language);
/// "3 bids on bonds of X, the last on 2026-03-02."; own_issuer: X has issued the bond itself.
void br_past_sentence(br_buf *out, const br_past_bid *past, bool own_issuer, br_language language);
/// "preference", "attribute" or "ability".
const char *br_reason_category(const br_encoder *encoder, uint32_t investor_field);

#endif
