#ifndef BR_MARKET_ENCODER_H
#define BR_MARKET_ENCODER_H

/// How days, bonds and investors become small integers: the model's fields, learned on the training range and
/// stored in the snapshot.
///
/// Fields: the declared bond features, then the investor's attributes and abilities, then what is derived: activity
/// (`activity.NAME.WINDOW`, `activity.mean.FEATURE.WINDOW`, group ability) and preferences (`pref.FEATURE.VALUE.WINDOW`), in
/// the order of the schema. A code is 0 for missing, 1.. for values.
///
/// Levels of derived fields: 0 = the investor did nothing in the window, 1 = none (zero), 2 to 5 = quartiles of the non-zero
/// values in training (paper 5.1, Table 2: levels 1-5).
/// Choice: recency, tenure and means of a bond feature have no zero that means "none": their levels 1 to 5 are the fifths
/// of their values in training.
/// Choice: a value that many share belongs to the level of its middle rank, so that all bids on one kind of bond, the most
/// frequent share of some kinds, is high. Ties can leave levels empty.
/// Choice: counts of bids, of issuers and of matching bids are mostly small, and quartiles of ties would put one bid on one level and
/// all else on another. Each level takes its part of what the levels below it have left, but at least one value: one bid is
/// low, and two are already medium where one is the most frequent number.
/// Choice: an open list that was cut to max_values has a last code "other" for values seen in training; values
/// never seen there are missing (0), and so is every value of a feature that had none in training.

#include "market/market.h"

#define BR_MAX_FIELDS     8192  ///< of an encoder
#define BR_MAX_LEVEL_ROWS 50000 ///< (day, investor) rows that levels are learned from

/// Where a field's value comes from.
typedef enum br_field_source {
    BR_SOURCE_BOND,       ///< declared bond feature
    BR_SOURCE_INVESTOR,   ///< declared investor feature
    BR_SOURCE_ACTIVITY,   ///< derived: `activity`
    BR_SOURCE_MEAN,       ///< derived: mean of continuous bond feature `feature` over the investor's bids
    BR_SOURCE_PREFERENCE, ///< derived: share of the bids on bonds with `bond_field` = `bond_code`
    BR_SOURCE_MATCHES,    ///< derived: the same as a number of bids, where the schema measures preferences so
    BR_SOURCE_COUNT
} br_field_source;

typedef struct br_field {
    char *name;
    br_field_source source;
    br_feature_group group;
    br_feature_kind kind;
    uint16_t n_values;  ///< codes 0 .. n_values - 1
    char **value_names; ///< [n_values] "(missing)", "AAA", "1.5 to 2.25", ...
    char **others; ///< [n_others] bytewise ascending: the values behind the last code "other"; 0: there is no such code
    uint32_t n_others;
    double *cuts; ///< [n_cuts] ascending: bins of a continuous feature, quartiles or fifths of a derived one
    uint16_t n_cuts;
    br_label label;
    uint32_t feature;     ///< number in the schema: declared features, means and preferences
    int32_t window_days;  ///< derived: BR_WINDOW_EVER or days; -1 where a window makes no sense
    br_activity activity; ///< BR_SOURCE_ACTIVITY; BR_ACTIVITY_COUNT for all others
    uint32_t bond_field;  ///< preferences: the bond field they speak of; UINT32_MAX for all others
    uint16_t bond_code;   ///< preferences: the code of the value they speak of
} br_field;

/// Is it a preference, however measured?
static inline bool br_field_is_preference(const br_field *field)
{
    return field->source == BR_SOURCE_PREFERENCE || field->source == BR_SOURCE_MATCHES;
}

/// Has the field a zero that means "none", with a level of its own?
static inline bool br_field_has_none(const br_field *field)
{
    return br_field_is_preference(field) ||
           (field->source == BR_SOURCE_ACTIVITY && field->activity != BR_ACTIVITY_RECENCY &&
            field->activity != BR_ACTIVITY_TENURE);
}

/// The first code of a field that says something: not missing, and not that there was nothing.
static inline uint8_t br_field_first_telling(const br_field *field)
{
    return br_field_has_none(field) ? 2 : 1;
}

/// Everything in an encoder is owned by it and was made by base/alloc.h.
typedef struct br_encoder {
    br_field *fields; ///< [n_fields] bond fields first
    uint32_t n_fields;
    uint32_t n_bond_fields;
} br_encoder;

static inline uint32_t br_encoder_n_investor_fields(const br_encoder *encoder)
{
    return encoder->n_fields - encoder->n_bond_fields;
}

/// The first investor field that is the same as investor field j but for its window: what tells of one thing in several windows has one
/// concept. Investor fields are counted from 0.
uint32_t br_encoder_concept(const br_encoder *encoder, uint32_t j);

/// Learn fields, values, bins and levels from the bonds issued in [from, until) and the investors on their issue
/// days, each seen as of that day. Levels are learned from at most BR_MAX_LEVEL_ROWS (day, investor) rows, drawn by `seed`: one
/// from each of as many equal stretches of the rows in order (day, first known).
/// Errors: BR_ERR_INVALID when the range holds no bond; BR_ERR_LIMIT; BR_ERR_NO_MEMORY.
br_status br_encoder_learn(br_encoder **out, br_market *market, br_day from, br_day until, uint64_t seed) BR_MUST_CHECK;
/// The fields of `before` with the values of open lists that it does not name and that are seen in [from, until): each gets a code of its own
/// behind those of the known values, the most frequent first, as far as max_values goes; the rest becomes "other". Named values keep their
/// codes, bins and levels stay. The market must have the schema that `before` was learned under.
/// Errors: as br_encoder_learn().
br_status br_encoder_extend(br_encoder **out, const br_encoder *before, br_market *market, br_day from,
                            br_day until) BR_MUST_CHECK;
#define BR_CODE_NEW 255
/// What `before` said for this code of `now`, its extension; BR_CODE_NEW for a value that it took for missing.
uint8_t br_field_code_before(const br_field *before, const br_field *now, uint8_t code);
void br_encoder_free(br_encoder **encoder);

/// Code of a declared feature's value: a text, or a number for continuous features (NAN: missing). 0 for what training never saw.
uint8_t br_field_text_code(const br_field *field, const char *text);
uint8_t br_field_number_code(const br_field *field, double number);
/// codes[n_bond_fields] of a bond. Values never seen in training map to missing (0).
void br_encoder_bond(const br_encoder *encoder, const br_market *market, uint32_t bond, uint8_t *codes);

/// Walks forward through the days and knows, on each, every investor's codes as of that day: rows and bids dated
/// (and known) before it, nothing else. A window of w days holds the bids dated in [as_of - w, as_of).
///
/// Choice: a bid becomes visible on the first day that is on or after its known_from and after both its own date and the issue
/// day of its bond. Bids on the very bond that is scored may never count as features, but the codes of a day are shared by all its
/// bonds; a bond is scored up to its issue day and the book is not public before, so this rule keeps them out exactly.
/// Bids that do not count (br_market_bid_counts()) are never seen.
/// Choice: loyalty is the share of the window's bids on an issuer that the investor bid on at an earlier date. The trend
/// compares the shortest of the activity windows with the longest.
///
///     br_builder_new(&builder, market, encoder);
///     br_builder_advance(builder, day);                 // days may only go up
///     br_builder_investor(builder, investor, codes);    // [n_investor_fields]
///
/// The market is borrowed and may not change while the builder lives. br_builder_investor() may run in several threads
/// between two advances; its cost does not depend on the number of bids. The codes of a day do not depend on which days the
/// builder was advanced to before it.
typedef struct br_builder br_builder;
br_status br_builder_new(br_builder **out, br_market *market, const br_encoder *encoder) BR_MUST_CHECK;
br_status br_builder_advance(br_builder *builder, br_day as_of) BR_MUST_CHECK;
void br_builder_investor(const br_builder *builder, uint32_t investor, uint8_t *codes);
void br_builder_free(br_builder **builder);

#endif
