#ifndef BR_MARKET_SCHEMA_H
#define BR_MARKET_SCHEMA_H

/// What a market declares: its bond and investor features, and what is derived from them.
/// Read from schema.yaml by input/schema_yaml.h; checked here, so that every way in is checked alike.

#include "base/buf.h"
#include "base/day.h"

#define BR_MAX_FEATURES       512 ///< declared features of one kind
#define BR_MAX_VALUES         250 ///< values of one feature, so that a code fits a byte with missing, other and mask
#define BR_MAX_NAME_BYTES     128 ///< of a feature
#define BR_MAX_WINDOWS        8
#define BR_MAX_SAMPLE_WEIGHTS 64
#define BR_MAX_SAMPLE_WEIGHT  1000.0
#define BR_MAX_WINDOW_DAYS    36500
#define BR_WINDOW_EVER        0 ///< a window without begin
#define BR_DEFAULT_MAX_VALUES 50
#define BR_DEFAULT_BINS       10
#define BR_DEFAULT_LATE_DAYS  5
#define BR_MAX_LATE_DAYS      365

typedef enum br_feature_kind {
    BR_KIND_CATEGORICAL,
    BR_KIND_ORDINAL,
    BR_KIND_CONTINUOUS,
    BR_KIND_FLAG, ///< yes or no: 1/0, true/false, yes/no, y/n
    BR_KIND_COUNT
} br_feature_kind;

typedef enum br_feature_group {
    BR_GROUP_BOND,
    BR_GROUP_ATTRIBUTE,
    BR_GROUP_ABILITY,
    BR_GROUP_PREFERENCE,
    BR_GROUP_COUNT
} br_feature_group;

/// What the market derives from an investor's bids; the mean of a continuous bond feature is separate.
typedef enum br_activity {
    BR_ACTIVITY_FREQUENCY,   ///< bids in the window
    BR_ACTIVITY_AMOUNT,      ///< sum of amounts in the window
    BR_ACTIVITY_MEAN_AMOUNT, ///< mean amount in the window
    BR_ACTIVITY_BREADTH,     ///< distinct issuers bid on in the window
    BR_ACTIVITY_LOYALTY,     ///< share of the window's bids that went to an issuer bid on before
    BR_ACTIVITY_RECENCY,     ///< days since the last bid (no window)
    BR_ACTIVITY_TENURE,      ///< days since the investor became known (no window)
    BR_ACTIVITY_TREND,       ///< bids per day in the shortest window over those in the longest (no window)
    BR_ACTIVITY_COUNT
} br_activity;

/// What a preference counts of the window's bids.
typedef enum br_preference_measure {
    BR_PREFERENCE_SHARE, ///< the share that went to bonds with the value: what the investor prefers when it bids
    BR_PREFERENCE_COUNT, ///< how many went there: how much the investor bids on such bonds
    BR_PREFERENCE_MEASURES
} br_preference_measure;

typedef struct br_label {
    char *en; ///< NULL: the feature's name
    char *zh;
} br_label;

typedef struct br_feature {
    char *name;
    br_feature_kind kind;
    br_feature_group group; ///< BR_GROUP_BOND, BR_GROUP_ATTRIBUTE or BR_GROUP_ABILITY
    char **values;          ///< [n_values] the closed list; n_values = 0: open, learned from training
    uint32_t n_values;
    uint32_t max_values; ///< open categorical: the most frequent in training, the rest becomes "other"
    uint32_t n_bins;     ///< continuous
    bool preference;     ///< bond features: derive the investor's preference for each of its values
    br_label label;
} br_feature;

/// Samples of bonds whose feature has this value weigh so much in training; a bond that several of them name, their product.
typedef struct br_sample_weight {
    uint32_t feature; ///< number of the bond feature
    char *value;
    double weight;
} br_sample_weight;

typedef struct br_schema {
    char *market;
    uint64_t revision;         ///< a later schema needs a higher one
    char *date_format;         ///< strptime form of dates in files; NULL: YYYY-MM-DD
    int32_t late_days;         ///< the book is open from announce to issue + late_days
    br_feature *bond_features; ///< [n_bond_features]
    uint32_t n_bond_features;
    br_feature *investor_features;
    uint32_t n_investor_features;
    int32_t windows_days[BR_MAX_WINDOWS]; ///< of preferences; BR_WINDOW_EVER for all of the past
    uint32_t n_windows;
    int32_t activity_windows_days[BR_MAX_WINDOWS];
    uint32_t n_activity_windows;
    br_day history_until; ///< bonds issued before it only feed features: they neither train nor test. BR_DAY_NONE: none
    br_preference_measure preference_measure;
    br_sample_weight *sample_weights; ///< [n_sample_weights]
    uint32_t n_sample_weights;
    bool activity[BR_ACTIVITY_COUNT];
    uint32_t *activity_of; ///< [n_activity_of] indexes of continuous bond features
    uint32_t n_activity_of;
    char *yaml; ///< the text it was read from, kept in the ledger and in snapshots
    size_t yaml_bytes;
} br_schema;

/// Name of an activity as schema.yaml spells it; parse gives BR_ERR_INVALID with the names that exist.
const char *br_activity_name(br_activity activity);
br_status br_activity_parse(br_activity *out, const char *name) BR_MUST_CHECK;
const char *br_feature_kind_name(br_feature_kind kind);
br_status br_feature_kind_parse(br_feature_kind *out, const char *name) BR_MUST_CHECK;
const char *br_feature_group_name(br_feature_group group);
br_status br_feature_group_parse(br_feature_group *out, const char *name) BR_MUST_CHECK;

/// "last month" (30), "last year" (365), "last 91 days", "ever", or its Chinese twin; returns `out`.
#define BR_WINDOW_TEXT 32
const char *br_window_text(int32_t window_days, bool chinese, char out[BR_WINDOW_TEXT]);

/// Is the schema usable? Names unique and well formed, windows positive and different, closed lists where they
/// are required, limits kept. Errors: BR_ERR_INVALID with the feature and the cause.
br_status br_schema_check(const br_schema *schema) BR_MUST_CHECK;
/// Number of the bond (investor) feature with this name, or UINT32_MAX.
uint32_t br_schema_bond_feature(const br_schema *schema, const char *name);
uint32_t br_schema_investor_feature(const br_schema *schema, const char *name);
/// Append the schema as schema.yaml spells it, every text quoted; reading it back gives an equal schema.
void br_schema_write(const br_schema *schema, br_buf *out);
/// Everything in a schema is owned by it and was made by base/alloc.h.
void br_schema_free(br_schema **schema);

#endif
