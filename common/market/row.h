#ifndef BR_MARKET_ROW_H
#define BR_MARKET_ROW_H

/// One row of input, whatever it came in: a line of a file, a message, a ledger record. Everything is borrowed
/// from the reader or arena that made the row.

#include "base/buf.h"
#include "base/hash.h"
#include "market/schema.h"

#define BR_MAX_ID_BYTES    128
#define BR_MAX_VALUE_BYTES 512
#define BR_AMOUNT_SCALE    10000 ///< amounts are integers of 1/10,000
#define BR_AMOUNT_NONE     (-1)

typedef enum br_row_kind {
    BR_ROW_SCHEMA = 1, ///< schema.yaml
    BR_ROW_BOND,       ///< bonds.csv
    BR_ROW_INVESTOR,   ///< investors.csv: true from the start of effective_from
    BR_ROW_BID,        ///< bids.csv
    BR_ROW_EXCLUSION,  ///< exclusions.csv
    BR_ROW_CLOSE_DAY,  ///< the business day `day` is closed
    BR_ROW_NOTE,       ///< what a person did; no market data: nothing is learned, ranked or evaluated by it
    BR_ROW_KIND_END
} br_row_kind;

typedef enum br_topic {
    BR_TOPIC_CALL = 1, ///< an investor was called, is interested, declined
    BR_TOPIC_REASON,   ///< a reason is useful, wrong, known
    BR_TOPIC_CHOICE,   ///< one of two explanations is better
    BR_TOPIC_ACTION,   ///< something was done to the installation
    BR_TOPIC_PAIR,     ///< "the bonds of Y, because they bid on the bonds of X": does that make sense?
    BR_TOPIC_END
} br_topic;

const char *br_topic_name(br_topic topic); ///< "call", "reason", "choice", "action", "pair"
/// BR_TOPIC_END: there is none of this name.
br_topic br_topic_find(const char *name);

/// What a person did. Bond and investor, where it is about one, stand in the row, and so does the issuer Y of a pair, whose X is the subject. Its content,
/// by which a note is known again, is all but time_ms and the chain.
typedef struct br_note {
    br_hash id;       ///< the note's key
    const char *user; ///< 1 to BR_MAX_ID_BYTES bytes
    int64_t time_ms;  ///< since 1970, UTC
    br_topic topic;
    const char *subject; ///< at most BR_MAX_ID_BYTES bytes, "" = none
    const char
        *value; ///< at most BR_MAX_VALUE_BYTES bytes; "" = what was noted is withdrawn; of a pair "yes", "no", "skip"
    const char *version; ///< of the snapshot on the screen, at most BR_MAX_ID_BYTES bytes
    bool chained;
    br_hash
        chain; ///< hash of the former note's chain and of this row without it; meaningful if `chained`, which the ingester sets
} br_note;

/// A feature as it was written. An empty value is a missing one.
typedef struct br_named_value {
    const char *name;
    const char *value;
} br_named_value;

typedef struct br_row {
    br_row_kind kind;
    const char *bid_id;             ///< bids
    const char *bond_id;            ///< bonds, bids, exclusions; notes about one
    const char *issuer_id;          ///< bonds; Y of a note about a pair
    const char *investor_id;        ///< investors, bids, exclusions; notes about one
    br_day announce_day;            ///< bonds
    br_day issue_day;               ///< bonds
    br_day day;                     ///< effective_from; bid_date; the closed day
    br_day known_from;              ///< bids: the first day that may know of it; BR_DAY_NONE: the day after bid_date
    int64_t amount;                 ///< bids, in 1/BR_AMOUNT_SCALE; BR_AMOUNT_NONE if not given
    double rate;                    ///< bids; NAN if not given
    const br_named_value *features; ///< [n_features] bonds, investors
    uint32_t n_features;
    uint64_t revision; ///< 0 if not given
    bool cancelled;
    const char *yaml; ///< schema
    size_t yaml_bytes;
    const br_note *note; ///< notes; NULL elsewhere
} br_row;

/// Where a row is wrong.
typedef struct br_row_problem {
    char column[BR_MAX_ID_BYTES + 1]; ///< "" when the row as a whole is wrong
    char reason[256];
} br_row_problem;

const char *br_row_kind_name(br_row_kind kind); ///< "bond", "bid", ...

/// Is a feature's text, not empty, a value of this feature? For continuous ones `number_out`, for closed lists and flags (0 no,
/// 1 yes) `value_out` is set; both may be NULL. False: `problem` tells, with column and cause.
bool br_value_check(const br_feature *feature, const char *text, double *number_out, uint32_t *value_out,
                    br_row_problem *problem);

/// The key that tells whether two rows speak of the same thing: "bond\0ID", "investor\0ID\0DAY", ... appended to `key`.
void br_row_key(const br_row *row, br_buf *key);

/// Is the row right by itself, under this schema (unused, and may be NULL, unless the row has features)? Ids of 1 to 128 bytes of UTF-8 without control characters, days in order,
/// numbers finite, values of closed lists, no feature twice. Features the schema does not know are not an
/// error here: readers report and drop them. False and `problem` filled in when not.
bool br_row_check(const br_schema *schema, const br_row *row, br_row_problem *problem);

/// Decimal amount, not negative, to 1/10,000. Errors: BR_ERR_INVALID.
br_status br_amount_parse(int64_t *out, const char *text, size_t n) BR_MUST_CHECK;
/// A finite number, the whole text, locale-independent. Errors: BR_ERR_INVALID.
br_status br_number_parse(double *out, const char *text, size_t n) BR_MUST_CHECK;

#endif
