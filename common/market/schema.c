#include "market/schema.h"

#include "base/alloc.h"
#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

static const char *const activity_names[BR_ACTIVITY_COUNT] = {
    [BR_ACTIVITY_FREQUENCY] = "frequency", [BR_ACTIVITY_AMOUNT] = "amount",   [BR_ACTIVITY_MEAN_AMOUNT] = "mean_amount",
    [BR_ACTIVITY_BREADTH] = "breadth",     [BR_ACTIVITY_LOYALTY] = "loyalty", [BR_ACTIVITY_RECENCY] = "recency",
    [BR_ACTIVITY_TENURE] = "tenure",       [BR_ACTIVITY_TREND] = "trend",
};

static const char *const kind_names[BR_KIND_COUNT] = {
    [BR_KIND_CATEGORICAL] = "categorical",
    [BR_KIND_ORDINAL] = "ordinal",
    [BR_KIND_CONTINUOUS] = "continuous",
    [BR_KIND_FLAG] = "flag",
};

static const char *const measure_names[BR_PREFERENCE_MEASURES] = {
    [BR_PREFERENCE_SHARE] = "share",
    [BR_PREFERENCE_COUNT] = "count",
};

static const char *const group_names[BR_GROUP_COUNT] = {
    [BR_GROUP_BOND] = "bond",
    [BR_GROUP_ATTRIBUTE] = "attribute",
    [BR_GROUP_ABILITY] = "ability",
    [BR_GROUP_PREFERENCE] = "preference",
};

// The columns of the files that are no features: a feature may not take their names.
static const char *const bond_columns[] = {"bond_id",    "issuer_id", "announce_date",
                                           "issue_date", "revision",  "cancelled"};
static const char *const investor_columns[] = {"investor_id", "effective_from", "revision", "cancelled"};

// What the names of derived fields begin with.
static const char *const derived_prefixes[] = {"pref.", "activity."};

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

static br_status parse_name(unsigned *out, const char *name, const char *const *names, unsigned n, const char *what)
{
    char known[256] = "";
    for (unsigned i = 0; i < n; i++) {
        if (strcmp(name, names[i]) == 0) {
            *out = i;
            return BR_OK;
        }
        size_t length = strlen(known);
        snprintf(known + length, sizeof known - length, "%s%s", i == 0 ? "" : ", ", names[i]);
    }
    return br_fail(BR_ERR_INVALID, "'%.64s' is no %s: there are %s", name, what, known);
}

const char *br_activity_name(br_activity activity)
{
    br_assert(activity < BR_ACTIVITY_COUNT);
    return activity_names[activity];
}

br_status br_activity_parse(br_activity *out, const char *name)
{
    unsigned number = 0;
    br_status status = parse_name(&number, name, activity_names, BR_ACTIVITY_COUNT, "activity feature");
    if (status == BR_OK) {
        *out = (br_activity)number;
    }
    return status;
}

const char *br_feature_kind_name(br_feature_kind kind)
{
    br_assert(kind < BR_KIND_COUNT);
    return kind_names[kind];
}

br_status br_feature_kind_parse(br_feature_kind *out, const char *name)
{
    unsigned number = 0;
    br_status status = parse_name(&number, name, kind_names, BR_KIND_COUNT, "kind of feature");
    if (status == BR_OK) {
        *out = (br_feature_kind)number;
    }
    return status;
}

const char *br_feature_group_name(br_feature_group group)
{
    br_assert(group < BR_GROUP_COUNT);
    return group_names[group];
}

br_status br_feature_group_parse(br_feature_group *out, const char *name)
{
    unsigned number = 0;
    br_status status = parse_name(&number, name, group_names, BR_GROUP_COUNT, "group of features");
    if (status == BR_OK) {
        *out = (br_feature_group)number;
    }
    return status;
}

const char *br_window_text(int32_t window_days, bool chinese, char out[BR_WINDOW_TEXT])
{
    if (window_days == BR_WINDOW_EVER) {
        snprintf(out, BR_WINDOW_TEXT, "%s", chinese ? "有记录以来" : "ever");
    } else if (window_days == 30) {
        snprintf(out, BR_WINDOW_TEXT, "%s", chinese ? "近一月" : "last month");
    } else if (window_days == 365) {
        snprintf(out, BR_WINDOW_TEXT, "%s", chinese ? "近一年" : "last year");
    } else {
        snprintf(out, BR_WINDOW_TEXT, chinese ? "近%d天" : "last %d days", window_days);
    }
    return out;
}

// --- checks ---

static bool text_ok(const char *text, size_t max_bytes)
{
    size_t n = text == NULL ? 0 : strlen(text);
    return n > 0 && n <= max_bytes && br_utf8_valid(text, n) && !br_utf8_has_control(text, n) && text[0] != ' ' &&
           text[n - 1] != ' ';
}

static br_status check_name(const char *name, const char *const *columns, size_t n_columns, const char *where)
{
    if (!text_ok(name, BR_MAX_NAME_BYTES)) {
        return br_fail(BR_ERR_INVALID,
                       "%s: a name is 1 to %d bytes of UTF-8 without control characters, '%.64s' is not", where,
                       BR_MAX_NAME_BYTES, name == NULL ? "" : name);
    }
    for (size_t i = 0; i < n_columns; i++) {
        if (strcmp(name, columns[i]) == 0) {
            return br_fail(BR_ERR_INVALID, "%s: '%s' is a column of the file, no feature", where, name);
        }
    }
    for (size_t i = 0; i < N_OF(derived_prefixes); i++) {
        if (strncmp(name, derived_prefixes[i], strlen(derived_prefixes[i])) == 0) {
            return br_fail(BR_ERR_INVALID, "%s: '%s' begins like the derived features '%s...'", where, name,
                           derived_prefixes[i]);
        }
    }
    return BR_OK;
}

static br_status check_values(const br_feature *feature)
{
    bool listed = feature->kind == BR_KIND_CATEGORICAL || feature->kind == BR_KIND_ORDINAL;
    if (feature->n_values > 0 && !listed) {
        return br_fail(BR_ERR_INVALID, "feature '%s' is %s and has no list of values", feature->name,
                       kind_names[feature->kind]);
    }
    if (feature->kind == BR_KIND_ORDINAL && feature->n_values == 0) {
        return br_fail(BR_ERR_INVALID, "feature '%s' is ordinal and needs its values in order", feature->name);
    }
    if (feature->n_values > BR_MAX_VALUES) {
        return br_fail(BR_ERR_INVALID, "feature '%s' has %u values, at most %d are possible", feature->name,
                       feature->n_values, BR_MAX_VALUES);
    }
    for (uint32_t i = 0; i < feature->n_values; i++) {
        if (!text_ok(feature->values[i], 512)) {
            return br_fail(BR_ERR_INVALID, "feature '%s': value %u is not 1 to 512 bytes of plain UTF-8", feature->name,
                           i + 1);
        }
        for (uint32_t k = 0; k < i; k++) {
            if (strcmp(feature->values[i], feature->values[k]) == 0) {
                return br_fail(BR_ERR_INVALID, "feature '%s' lists the value '%.64s' twice", feature->name,
                               feature->values[i]);
            }
        }
    }
    return BR_OK;
}

static br_status check_feature(const br_feature *feature, bool of_bond)
{
    if (feature->kind >= BR_KIND_COUNT) {
        return br_fail(BR_ERR_INVALID, "feature '%s' has the unknown kind %d", feature->name, (int)feature->kind);
    }
    bool group_ok = of_bond ? feature->group == BR_GROUP_BOND
                            : feature->group == BR_GROUP_ATTRIBUTE || feature->group == BR_GROUP_ABILITY;
    if (!group_ok) {
        return br_fail(BR_ERR_INVALID, "%s feature '%s' cannot belong to group %d", of_bond ? "bond" : "investor",
                       feature->name, (int)feature->group);
    }
    if (feature->preference && !of_bond) {
        return br_fail(BR_ERR_INVALID, "investor feature '%s': preferences are derived from bond features",
                       feature->name);
    }
    bool open = feature->kind == BR_KIND_CATEGORICAL && feature->n_values == 0;
    if (open && (feature->max_values < 1 || feature->max_values > BR_MAX_VALUES)) {
        return br_fail(BR_ERR_INVALID, "feature '%s': max_values is %u, possible are 1 to %d", feature->name,
                       feature->max_values, BR_MAX_VALUES);
    }
    if (feature->kind == BR_KIND_CONTINUOUS && (feature->n_bins < 2 || feature->n_bins > BR_MAX_VALUES)) {
        return br_fail(BR_ERR_INVALID, "feature '%s': bins is %u, possible are 2 to %d", feature->name, feature->n_bins,
                       BR_MAX_VALUES);
    }
    return check_values(feature);
}

static br_status check_features(const br_feature *features, uint32_t n, bool of_bond)
{
    const char *where = of_bond ? "bond_features" : "investor_features";
    if (n > BR_MAX_FEATURES) {
        return br_fail(BR_ERR_INVALID, "%s declares %u features, at most %d are possible", where, n, BR_MAX_FEATURES);
    }
    for (uint32_t i = 0; i < n; i++) {
        br_status status = of_bond ? check_name(features[i].name, bond_columns, N_OF(bond_columns), where)
                                   : check_name(features[i].name, investor_columns, N_OF(investor_columns), where);
        for (uint32_t k = 0; status == BR_OK && k < i; k++) {
            if (strcmp(features[i].name, features[k].name) == 0) {
                status = br_fail(BR_ERR_INVALID, "%s declares '%s' twice", where, features[i].name);
            }
        }
        if (status == BR_OK) {
            status = check_feature(&features[i], of_bond);
        }
        if (status != BR_OK) {
            return status;
        }
    }
    return BR_OK;
}

static br_status check_windows(const int32_t *windows, uint32_t n, const char *where)
{
    if (n > BR_MAX_WINDOWS) {
        return br_fail(BR_ERR_INVALID, "%s has %u windows, at most %d are possible", where, n, BR_MAX_WINDOWS);
    }
    for (uint32_t i = 0; i < n; i++) {
        if (windows[i] < 0 || windows[i] > BR_MAX_WINDOW_DAYS) {
            return br_fail(BR_ERR_INVALID, "%s: a window is 1 to %d days or ever, not %d", where, BR_MAX_WINDOW_DAYS,
                           windows[i]);
        }
        for (uint32_t k = 0; k < i; k++) {
            if (windows[i] == windows[k]) {
                return br_fail(BR_ERR_INVALID, "%s names the window %d twice", where, windows[i]);
            }
        }
    }
    return BR_OK;
}

static br_status check_derived(const br_schema *schema)
{
    bool windowed = schema->n_activity_of > 0 || schema->activity[BR_ACTIVITY_TREND];
    for (unsigned i = 0; i < BR_ACTIVITY_RECENCY; i++) {
        windowed = windowed || schema->activity[i];
    }
    if (windowed && schema->n_activity_windows == 0) {
        return br_fail(BR_ERR_INVALID, "activity features need at least one window in activity_windows_days");
    }
    for (uint32_t i = 0; i < schema->n_activity_of; i++) {
        uint32_t feature = schema->activity_of[i];
        if (feature >= schema->n_bond_features || schema->bond_features[feature].kind != BR_KIND_CONTINUOUS) {
            return br_fail(BR_ERR_INVALID, "activity_of: '%s' is no continuous bond feature",
                           feature < schema->n_bond_features ? schema->bond_features[feature].name : "?");
        }
        for (uint32_t k = 0; k < i; k++) {
            if (schema->activity_of[k] == feature) {
                return br_fail(BR_ERR_INVALID, "activity_of names '%s' twice", schema->bond_features[feature].name);
            }
        }
    }
    for (uint32_t i = 0; i < schema->n_bond_features; i++) {
        if (schema->bond_features[i].preference && schema->n_windows == 0) {
            return br_fail(BR_ERR_INVALID, "preferences for '%s' need at least one window in windows_days",
                           schema->bond_features[i].name);
        }
    }
    return BR_OK;
}

static bool has_value(const br_feature *feature, const char *value)
{
    if (feature->kind == BR_KIND_FLAG) {
        return strcmp(value, "no") == 0 || strcmp(value, "yes") == 0;
    }
    bool found = feature->n_values == 0;
    for (uint32_t i = 0; i < feature->n_values; i++) {
        found = found || strcmp(value, feature->values[i]) == 0;
    }
    return found;
}

static br_status check_sample_weights(const br_schema *schema)
{
    if (schema->n_sample_weights > BR_MAX_SAMPLE_WEIGHTS) {
        return br_fail(BR_ERR_INVALID, "sample_weights has %u entries, at most %d are possible",
                       schema->n_sample_weights, BR_MAX_SAMPLE_WEIGHTS);
    }
    for (uint32_t i = 0; i < schema->n_sample_weights; i++) {
        const br_sample_weight *entry = &schema->sample_weights[i];
        if (entry->feature >= schema->n_bond_features ||
            schema->bond_features[entry->feature].kind == BR_KIND_CONTINUOUS) {
            return br_fail(BR_ERR_INVALID, "sample_weights: '%s' is no bond feature with values",
                           entry->feature < schema->n_bond_features ? schema->bond_features[entry->feature].name : "?");
        }
        const br_feature *feature = &schema->bond_features[entry->feature];
        if (!text_ok(entry->value, 512) || !has_value(feature, entry->value)) {
            return br_fail(BR_ERR_INVALID, "sample_weights: '%s' has no value '%.64s'", feature->name,
                           entry->value == NULL ? "" : entry->value);
        }
        if (!(entry->weight > 0 && entry->weight <= BR_MAX_SAMPLE_WEIGHT)) {
            return br_fail(BR_ERR_INVALID, "sample_weights: the weight of '%s' is %g, not above 0 to %g", feature->name,
                           entry->weight, BR_MAX_SAMPLE_WEIGHT);
        }
    }
    return BR_OK;
}

br_status br_schema_check(const br_schema *schema)
{
    if (!text_ok(schema->market, 128)) {
        return br_fail(BR_ERR_INVALID, "market: a name of 1 to 128 bytes is needed");
    }
    if (schema->late_days < 0 || schema->late_days > BR_MAX_LATE_DAYS) {
        return br_fail(BR_ERR_INVALID, "late_days is %d, possible are 0 to %d", schema->late_days, BR_MAX_LATE_DAYS);
    }
    if (schema->n_bond_features == 0) {
        return br_fail(BR_ERR_INVALID, "bond_features declares no feature");
    }
    br_status status = check_features(schema->bond_features, schema->n_bond_features, true);
    if (status == BR_OK) {
        status = check_features(schema->investor_features, schema->n_investor_features, false);
    }
    if (status == BR_OK) {
        status = check_windows(schema->windows_days, schema->n_windows, "windows_days");
    }
    if (status == BR_OK) {
        status = check_windows(schema->activity_windows_days, schema->n_activity_windows, "activity_windows_days");
    }
    if (status == BR_OK) {
        status = check_derived(schema);
    }
    return status == BR_OK ? check_sample_weights(schema) : status;
}

static uint32_t find_feature(const br_feature *features, uint32_t n, const char *name)
{
    for (uint32_t i = 0; i < n; i++) {
        if (strcmp(features[i].name, name) == 0) {
            return i;
        }
    }
    return UINT32_MAX;
}

uint32_t br_schema_bond_feature(const br_schema *schema, const char *name)
{
    return find_feature(schema->bond_features, schema->n_bond_features, name);
}

uint32_t br_schema_investor_feature(const br_schema *schema, const char *name)
{
    return find_feature(schema->investor_features, schema->n_investor_features, name);
}

// --- writing ---

static void write_text(br_buf *out, const char *text)
{
    br_buf_json_string(out, text, strlen(text));
}

static void write_windows(br_buf *out, const char *key, const int32_t *windows, uint32_t n)
{
    br_buf_printf(out, "%s: [", key);
    for (uint32_t i = 0; i < n; i++) {
        br_buf_string(out, i == 0 ? "" : ", ");
        if (windows[i] == BR_WINDOW_EVER) {
            br_buf_string(out, "ever");
        } else {
            br_buf_printf(out, "%d", windows[i]);
        }
    }
    br_buf_string(out, "]\n");
}

static void write_feature(br_buf *out, const br_feature *feature)
{
    br_buf_string(out, "  - name: ");
    write_text(out, feature->name);
    br_buf_printf(out, "\n    kind: %s\n", kind_names[feature->kind]);
    if (feature->group != BR_GROUP_BOND) {
        br_buf_printf(out, "    group: %s\n", group_names[feature->group]);
    }
    if (feature->n_values > 0) {
        br_buf_string(out, "    values: [");
        for (uint32_t i = 0; i < feature->n_values; i++) {
            br_buf_string(out, i == 0 ? "" : ", ");
            write_text(out, feature->values[i]);
        }
        br_buf_string(out, "]\n");
    } else if (feature->kind == BR_KIND_CATEGORICAL) {
        br_buf_printf(out, "    max_values: %u\n", feature->max_values);
    } else if (feature->kind == BR_KIND_CONTINUOUS) {
        br_buf_printf(out, "    bins: %u\n", feature->n_bins);
    }
    if (feature->preference) {
        br_buf_string(out, "    preference: true\n");
    }
    if (feature->label.en != NULL || feature->label.zh != NULL) {
        br_buf_string(out, "    label: {");
        if (feature->label.en != NULL) {
            br_buf_string(out, "en: ");
            write_text(out, feature->label.en);
        }
        if (feature->label.zh != NULL) {
            br_buf_string(out, feature->label.en == NULL ? "zh: " : ", zh: ");
            write_text(out, feature->label.zh);
        }
        br_buf_string(out, "}\n");
    }
}

static void write_features(br_buf *out, const char *key, const br_feature *features, uint32_t n)
{
    if (n > 0) {
        br_buf_printf(out, "%s:\n", key);
    }
    for (uint32_t i = 0; i < n; i++) {
        write_feature(out, &features[i]);
    }
}

static void write_activity(br_buf *out, const br_schema *schema)
{
    const char *separator = "activity_features: [";
    for (unsigned i = 0; i < BR_ACTIVITY_COUNT; i++) {
        if (schema->activity[i]) {
            br_buf_printf(out, "%s%s", separator, activity_names[i]);
            separator = ", ";
        }
    }
    br_buf_string(out, separator[0] == ',' ? "]\n" : "");
    if (schema->n_activity_windows > 0) {
        write_windows(out, "activity_windows_days", schema->activity_windows_days, schema->n_activity_windows);
    }
    for (uint32_t i = 0; i < schema->n_activity_of; i++) {
        br_buf_string(out, i == 0 ? "activity_of: [" : ", ");
        write_text(out, schema->bond_features[schema->activity_of[i]].name);
    }
    br_buf_string(out, schema->n_activity_of > 0 ? "]\n" : "");
}

static void write_sample_weights(br_buf *out, const br_schema *schema)
{
    br_buf_string(out, schema->n_sample_weights > 0 ? "sample_weights:\n" : "");
    for (uint32_t i = 0; i < schema->n_sample_weights; i++) {
        const br_sample_weight *entry = &schema->sample_weights[i];
        br_buf_string(out, "  - {feature: ");
        write_text(out, schema->bond_features[entry->feature].name);
        br_buf_string(out, ", value: ");
        write_text(out, entry->value);
        br_buf_string(out, ", weight: ");
        br_buf_json_number(out, entry->weight);
        br_buf_string(out, "}\n");
    }
}

void br_schema_write(const br_schema *schema, br_buf *out)
{
    char day[BR_DAY_TEXT];
    br_buf_string(out, "market: ");
    write_text(out, schema->market);
    br_buf_string(out, "\n");
    if (schema->revision > 0) {
        br_buf_printf(out, "revision: %llu\n", (unsigned long long)schema->revision);
    }
    if (schema->date_format != NULL) {
        br_buf_string(out, "date_format: ");
        write_text(out, schema->date_format);
        br_buf_string(out, "\n");
    }
    br_buf_printf(out, "late_days: %d\n", schema->late_days);
    if (schema->history_until != BR_DAY_NONE) {
        br_buf_printf(out, "history_until: \"%s\"\n", br_day_text(schema->history_until, day));
    }
    if (schema->n_windows > 0) {
        write_windows(out, "windows_days", schema->windows_days, schema->n_windows);
    }
    if (schema->preference_measure != BR_PREFERENCE_SHARE) {
        br_buf_printf(out, "preference_measure: %s\n", measure_names[schema->preference_measure]);
    }
    write_features(out, "bond_features", schema->bond_features, schema->n_bond_features);
    write_features(out, "investor_features", schema->investor_features, schema->n_investor_features);
    write_activity(out, schema);
    write_sample_weights(out, schema);
}

// --- release ---

static void free_features(br_feature *features, uint32_t n)
{
    for (uint32_t i = 0; features != NULL && i < n; i++) {
        for (uint32_t k = 0; features[i].values != NULL && k < features[i].n_values; k++) {
            br_free(features[i].values[k]);
        }
        br_free(features[i].values);
        br_free(features[i].name);
        br_free(features[i].label.en);
        br_free(features[i].label.zh);
    }
    br_free(features);
}

void br_schema_free(br_schema **schema)
{
    if (schema == NULL || *schema == NULL) {
        return;
    }
    br_schema *dead = *schema;
    free_features(dead->bond_features, dead->n_bond_features);
    free_features(dead->investor_features, dead->n_investor_features);
    br_free(dead->market);
    br_free(dead->date_format);
    br_free(dead->activity_of);
    for (uint32_t i = 0; dead->sample_weights != NULL && i < dead->n_sample_weights; i++) {
        br_free(dead->sample_weights[i].value);
    }
    br_free(dead->sample_weights);
    br_free(dead->yaml);
    br_free(dead);
    *schema = NULL;
}
