#ifndef BR_MARKET_ENCODER_H
#define BR_MARKET_ENCODER_H

/// How days, bonds and investors become small integers: the model's fields, learned on the training range and
/// stored in the snapshot.
///
/// Fields: the declared bond features, then the investor's attributes and abilities, then what is derived: activity
/// by window (group ability) and preferences `pref.FEATURE.VALUE.WINDOW`. A code is 0 for missing, 1.. for values.
/// Derived fields: 0 = the investor did nothing in the window, 1 = none, 2 to 5 = quartiles of the non-zero
/// values in training (paper 5.1, Table 2: levels 1-5).

#include "market/market.h"

typedef struct br_field {
    char *name;
    br_feature_group group;
    br_feature_kind kind;
    uint16_t n_values;  ///< codes 0 .. n_values - 1
    char **value_names; ///< [n_values] "(missing)", "AAA", "1.5 to 2.25", ...
    double *cuts;       ///< [n_cuts] ascending: bins of a continuous feature, quartiles of a derived one
    uint16_t n_cuts;
    br_label label;
    uint32_t feature;    ///< declared features: number in the schema
    int32_t window_days; ///< derived: BR_WINDOW_EVER or days; -1 where a window makes no sense
    br_activity activity;    ///< derived activity; BR_ACTIVITY_COUNT: mean of bond feature `feature`, or none
    uint32_t bond_field; ///< preferences: the bond field they speak of; UINT32_MAX for all others
    uint16_t bond_code;  ///< preferences: the code of the value they speak of
} br_field;

typedef struct br_encoder {
    br_field *fields; ///< [n_fields] bond fields first
    uint32_t n_fields;
    uint32_t n_bond_fields;
} br_encoder;

static inline uint32_t br_encoder_n_investor_fields(const br_encoder *encoder)
{
    return encoder->n_fields - encoder->n_bond_fields;
}

/// Learn fields, values, bins and levels from the bonds issued in [from, until) and the investors on their issue
/// days, each seen as of that day. At most `max_rows` (day, investor) rows are looked at, drawn by `seed`.
/// Errors: BR_ERR_INVALID when the range holds no bond; BR_ERR_NO_MEMORY.
br_status br_encoder_learn(br_encoder **out, br_market *market, br_day from, br_day until, uint64_t seed) BR_MUST_CHECK;
void br_encoder_free(br_encoder **encoder);

/// codes[n_bond_fields] of a bond. Values never seen in training map to missing (0).
void br_encoder_bond(const br_encoder *encoder, const br_market *market, uint32_t bond, uint8_t *codes);

/// Walks forward through the days and knows, on each, every investor's codes as of that day: rows and bids dated
/// (and known) before it, nothing else. Bids on a bond issued that day or later are of course dated before it
/// or not seen; the bond that is scored never counts (see DIFFERS in the source).
///
///     br_builder_new(&builder, market, encoder);
///     br_builder_advance(builder, day);                 // days may only go up
///     br_builder_investor(builder, investor, codes);    // [n_investor_fields]
typedef struct br_builder br_builder;
br_status br_builder_new(br_builder **out, br_market *market, const br_encoder *encoder) BR_MUST_CHECK;
br_status br_builder_advance(br_builder *builder, br_day as_of) BR_MUST_CHECK;
void br_builder_investor(const br_builder *builder, uint32_t investor, uint8_t *codes);
void br_builder_free(br_builder **builder);

#endif
