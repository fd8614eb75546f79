#include "input/schema_yaml.h"

#include "base/alloc.h"
#include "base/utf8.h"

#include <cyaml/cyaml.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/// The document as it is written, before defaults and cross references.
typedef struct yaml_label {
    char *en;
    char *zh;
} yaml_label;

typedef struct yaml_feature {
    char *name;
    int kind;
    int group;
    char **values;
    uint32_t values_count;
    uint32_t *max_values; ///< NULL: not given
    uint32_t *bins;
    int preference;
    yaml_label label;
} yaml_feature;

typedef struct yaml_weight {
    char *feature;
    char *value;
    double weight;
} yaml_weight;

typedef struct yaml_schema {
    char *market;
    uint64_t revision;
    char *date_format;
    uint32_t *late_days;
    char *history_until;
    char **windows_days;
    uint32_t windows_days_count;
    char **activity_windows_days;
    uint32_t activity_windows_days_count;
    int preference_measure;
    yaml_feature *bond_features;
    uint32_t bond_features_count;
    yaml_feature *investor_features;
    uint32_t investor_features_count;
    int *activity_features;
    uint32_t activity_features_count;
    char **activity_of;
    uint32_t activity_of_count;
    yaml_weight *sample_weights;
    uint32_t sample_weights_count;
} yaml_schema;

// A boolean of libcyaml takes any word for true; these are all there are.
static const cyaml_strval_t booleans[] = {{"false", 0}, {"true", 1}, {"no", 0}, {"yes", 1}};
static const cyaml_strval_t kinds[] = {{"categorical", BR_KIND_CATEGORICAL},
                                       {"ordinal", BR_KIND_ORDINAL},
                                       {"continuous", BR_KIND_CONTINUOUS},
                                       {"flag", BR_KIND_FLAG}};
// 0, what a group that is not given is read as, stands for none.
static const cyaml_strval_t groups[] = {{"attribute", BR_GROUP_ATTRIBUTE}, {"ability", BR_GROUP_ABILITY}};
static const cyaml_strval_t measures[] = {{"share", BR_PREFERENCE_SHARE}, {"count", BR_PREFERENCE_COUNT}};
static const cyaml_strval_t activities[] = {
    {"frequency", BR_ACTIVITY_FREQUENCY}, {"amount", BR_ACTIVITY_AMOUNT},   {"mean_amount", BR_ACTIVITY_MEAN_AMOUNT},
    {"breadth", BR_ACTIVITY_BREADTH},     {"loyalty", BR_ACTIVITY_LOYALTY}, {"recency", BR_ACTIVITY_RECENCY},
    {"tenure", BR_ACTIVITY_TENURE},       {"trend", BR_ACTIVITY_TREND},
};

static const cyaml_schema_value_t text_value = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED),
};

static const cyaml_schema_value_t activity_value = {
    CYAML_VALUE_ENUM(CYAML_FLAG_STRICT, int, activities, CYAML_ARRAY_LEN(activities)),
};

static const cyaml_schema_field_t label_fields[] = {
    CYAML_FIELD_STRING_PTR("en", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, yaml_label, en, 1, 512),
    CYAML_FIELD_STRING_PTR("zh", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, yaml_label, zh, 1, 512),
    CYAML_FIELD_END,
};

#define FEATURE_FIELDS                                                                                                 \
    CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, yaml_feature, name, 1, BR_MAX_NAME_BYTES),                      \
        CYAML_FIELD_ENUM("kind", CYAML_FLAG_STRICT, yaml_feature, kind, kinds, CYAML_ARRAY_LEN(kinds)),                \
        CYAML_FIELD_SEQUENCE("values", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, yaml_feature, values, &text_value, 1, \
                             BR_MAX_VALUES),                                                                           \
        CYAML_FIELD_UINT_PTR("max_values", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, yaml_feature, max_values),        \
        CYAML_FIELD_UINT_PTR("bins", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, yaml_feature, bins),                    \
        CYAML_FIELD_MAPPING("label", CYAML_FLAG_OPTIONAL, yaml_feature, label, label_fields)

static const cyaml_schema_field_t bond_fields[] = {
    FEATURE_FIELDS,
    CYAML_FIELD_ENUM("preference", CYAML_FLAG_STRICT | CYAML_FLAG_OPTIONAL, yaml_feature, preference, booleans,
                     CYAML_ARRAY_LEN(booleans)),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t investor_fields[] = {
    FEATURE_FIELDS,
    CYAML_FIELD_ENUM("group", CYAML_FLAG_STRICT | CYAML_FLAG_OPTIONAL, yaml_feature, group, groups,
                     CYAML_ARRAY_LEN(groups)),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t bond_value = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, yaml_feature, bond_fields),
};

static const cyaml_schema_value_t investor_value = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, yaml_feature, investor_fields),
};

static const cyaml_schema_field_t weight_fields[] = {
    CYAML_FIELD_STRING_PTR("feature", CYAML_FLAG_POINTER, yaml_weight, feature, 1, BR_MAX_NAME_BYTES),
    CYAML_FIELD_STRING_PTR("value", CYAML_FLAG_POINTER, yaml_weight, value, 1, 512),
    CYAML_FIELD_FLOAT("weight", CYAML_FLAG_DEFAULT, yaml_weight, weight),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t weight_value = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, yaml_weight, weight_fields),
};

#define OPTIONAL_POINTER (CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL)

static const cyaml_schema_field_t schema_fields[] = {
    CYAML_FIELD_STRING_PTR("market", CYAML_FLAG_POINTER, yaml_schema, market, 1, 128),
    CYAML_FIELD_UINT("revision", CYAML_FLAG_OPTIONAL, yaml_schema, revision),
    CYAML_FIELD_STRING_PTR("date_format", OPTIONAL_POINTER, yaml_schema, date_format, 1, 64),
    CYAML_FIELD_UINT_PTR("late_days", OPTIONAL_POINTER, yaml_schema, late_days),
    CYAML_FIELD_STRING_PTR("history_until", OPTIONAL_POINTER, yaml_schema, history_until, 1, 32),
    CYAML_FIELD_SEQUENCE("windows_days", OPTIONAL_POINTER, yaml_schema, windows_days, &text_value, 0, BR_MAX_WINDOWS),
    CYAML_FIELD_SEQUENCE("activity_windows_days", OPTIONAL_POINTER, yaml_schema, activity_windows_days, &text_value, 0,
                         BR_MAX_WINDOWS),
    CYAML_FIELD_ENUM("preference_measure", CYAML_FLAG_STRICT | CYAML_FLAG_OPTIONAL, yaml_schema, preference_measure,
                     measures, CYAML_ARRAY_LEN(measures)),
    CYAML_FIELD_SEQUENCE("bond_features", CYAML_FLAG_POINTER, yaml_schema, bond_features, &bond_value, 1,
                         BR_MAX_FEATURES),
    CYAML_FIELD_SEQUENCE("investor_features", OPTIONAL_POINTER, yaml_schema, investor_features, &investor_value, 0,
                         BR_MAX_FEATURES),
    CYAML_FIELD_SEQUENCE("activity_features", OPTIONAL_POINTER, yaml_schema, activity_features, &activity_value, 0,
                         BR_ACTIVITY_COUNT),
    CYAML_FIELD_SEQUENCE("activity_of", OPTIONAL_POINTER, yaml_schema, activity_of, &text_value, 0, BR_MAX_FEATURES),
    CYAML_FIELD_SEQUENCE("sample_weights", OPTIONAL_POINTER, yaml_schema, sample_weights, &weight_value, 0,
                         BR_MAX_SAMPLE_WEIGHTS),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t document = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, yaml_schema, schema_fields),
};

/// What libcyaml says: its first line is the cause, the backtrace behind it begins at the innermost place.
static void take_log(cyaml_log_t level, void *context, const char *format, va_list arguments)
{
    (void)level;
    char line[512];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    vsnprintf(line, sizeof line, format, arguments);
#pragma GCC diagnostic pop
    br_buf_string(context, line);
}

static void *resize(void *context, void *block, size_t n)
{
    (void)context;
    if (n == 0) {
        br_free(block);
        return NULL;
    }
    return br_reallocarray(block, n, 1);
}

typedef struct place {
    unsigned long line; ///< from 1; 0: not known
    unsigned long column;
} place;

/// libcyaml places a wrong key where the value before it ends: move on to the key itself.
static place place_of_key(const char *yaml, place before, const char *key, size_t n)
{
    place here = {.line = 1, .column = 1};
    for (const char *at = yaml; *at != '\0'; at++) {
        bool behind = here.line > before.line || (here.line == before.line && here.column >= before.column);
        bool begins = at == yaml || strchr(" \t\n{,\"'", at[-1]) != NULL;
        if (behind && begins && strncmp(at, key, n) == 0 && strchr(" \t:\"'", at[n]) != NULL) {
            return here;
        }
        here.column += 1;
        if (*at == '\n') {
            here.line += 1;
            here.column = 1;
        }
    }
    return before;
}

/// "Load: Unexpected key: x\n...  in mapping field 'y' (line: 3, column: 5)\n" as "NAME line 3, column 5: ...".
static br_status log_failed(const char *name, const char *yaml, cyaml_err_t error, const br_buf *log)
{
    const char *text = br_buf_text(log);
    const char *prefix = "Load: ";
    const char *cause = strncmp(text, prefix, strlen(prefix)) == 0 ? text + strlen(prefix) : text;
    size_t n_cause = strcspn(cause, "\n");
    const char *line = strstr(text, "(line: ");
    const char *column = line == NULL ? NULL : strstr(line, "column: ");
    if (error == CYAML_ERR_OOM || log->failed) {
        return br_no_memory("schema", 1);
    }
    if (n_cause == 0) {
        cause = cyaml_strerror(error);
        n_cause = strlen(cause);
    }
    if (column == NULL) {
        return br_fail(BR_ERR_INVALID, "%s: %.*s", name, (int)n_cause, cause);
    }
    place where = {strtoul(line + strlen("(line: "), NULL, 10), strtoul(column + strlen("column: "), NULL, 10)};
    static const char *const about_keys[] = {"Unexpected key: ", "Mapping field already seen: "};
    for (size_t i = 0; i < sizeof about_keys / sizeof about_keys[0]; i++) {
        size_t n = strlen(about_keys[i]);
        if (strncmp(cause, about_keys[i], n) == 0) {
            where = place_of_key(yaml, where, cause + n, n_cause - n);
        }
    }
    return br_fail(BR_ERR_INVALID, "%s line %lu, column %lu: %.*s (%s)", name, where.line, where.column, (int)n_cause,
                   cause, cyaml_strerror(error));
}

/// Line that declares `key`, or the feature of this name, from 1; 0 if there is none.
static unsigned line_of(const char *yaml, const char *key, bool of_feature)
{
    unsigned number = 1;
    for (const char *at = yaml; at != NULL && *at != '\0'; number++) {
        const char *text = at + strspn(at, " -\t{");
        if (of_feature && strncmp(text, "name:", strlen("name:")) == 0) {
            text += strlen("name:");
            text += strspn(text, " \"'");
        }
        if (strncmp(text, key, strlen(key)) == 0 && strchr(" :,\"'\r\n", text[strlen(key)]) != NULL) {
            return number;
        }
        at = strchr(at, '\n');
        at = at == NULL ? NULL : at + 1;
    }
    return 0;
}

static br_status copy_text(char **out, const char *text)
{
    if (text == NULL) {
        return BR_OK;
    }
    *out = br_strdup(text);
    return *out == NULL ? br_no_memory("text of a schema", 1) : BR_OK;
}

static br_status copy_feature(br_feature *to, const yaml_feature *from, bool of_bond)
{
    to->kind = (br_feature_kind)from->kind;
    to->group = of_bond ? BR_GROUP_BOND : from->group == 0 ? BR_GROUP_ATTRIBUTE : (br_feature_group)from->group;
    to->max_values = from->max_values == NULL ? BR_DEFAULT_MAX_VALUES : *from->max_values;
    to->n_bins = from->bins == NULL ? BR_DEFAULT_BINS : *from->bins;
    to->preference = from->preference != 0;
    br_status status = copy_text(&to->name, from->name);
    if (status == BR_OK) {
        status = copy_text(&to->label.en, from->label.en);
    }
    if (status == BR_OK) {
        status = copy_text(&to->label.zh, from->label.zh);
    }
    if (status == BR_OK && from->values_count > 0) {
        to->values = br_calloc(from->values_count, sizeof *to->values);
        status = to->values == NULL ? br_no_memory("values of a feature", from->values_count) : BR_OK;
    }
    for (uint32_t i = 0; i < from->values_count && status == BR_OK; i++) {
        status = copy_text(&to->values[i], from->values[i]);
        to->n_values = i + 1;
    }
    return status;
}

static br_status copy_features(br_feature **out, uint32_t *n_out, const yaml_feature *from, uint32_t n, bool of_bond)
{
    if (n == 0) {
        return BR_OK;
    }
    *out = br_calloc(n, sizeof **out);
    if (*out == NULL) {
        return br_no_memory("features", n);
    }
    br_status status = BR_OK;
    for (uint32_t i = 0; i < n && status == BR_OK; i++) {
        status = copy_feature(&(*out)[i], &from[i], of_bond);
        *n_out = i + 1;
    }
    return status;
}

static br_status copy_windows(int32_t *out, uint32_t *n_out, char *const *from, uint32_t n, const char *key)
{
    for (uint32_t i = 0; i < n; i++) {
        char *end = NULL;
        long days = strcmp(from[i], "ever") == 0 ? BR_WINDOW_EVER : strtol(from[i], &end, 10);
        bool number = end != NULL && end != from[i] && *end == '\0' && days > 0 && days <= BR_MAX_WINDOW_DAYS;
        if (end != NULL && !number) {
            return br_fail(BR_ERR_INVALID, "%s: \"%.40s\" is neither a number of days from 1 to %d nor `ever`", key,
                           from[i], BR_MAX_WINDOW_DAYS);
        }
        out[i] = (int32_t)days;
        *n_out = i + 1;
    }
    return BR_OK;
}

static br_status copy_activity(br_schema *schema, const yaml_schema *yaml)
{
    for (uint32_t i = 0; i < yaml->activity_features_count; i++) {
        int activity = yaml->activity_features[i];
        if (schema->activity[activity]) {
            return br_fail(BR_ERR_INVALID, "activity_features: names %s twice",
                           br_activity_name((br_activity)activity));
        }
        schema->activity[activity] = true;
    }
    if (yaml->activity_of_count == 0) {
        return BR_OK;
    }
    schema->activity_of = br_calloc(yaml->activity_of_count, sizeof *schema->activity_of);
    if (schema->activity_of == NULL) {
        return br_no_memory("activity_of", yaml->activity_of_count);
    }
    for (uint32_t i = 0; i < yaml->activity_of_count; i++) {
        schema->activity_of[i] = br_schema_bond_feature(schema, yaml->activity_of[i]);
        if (schema->activity_of[i] == UINT32_MAX) {
            return br_fail(BR_ERR_INVALID, "activity_of: there is no bond feature \"%.80s\"", yaml->activity_of[i]);
        }
        schema->n_activity_of = i + 1;
    }
    return BR_OK;
}

static br_status copy_sample_weights(br_schema *schema, const yaml_schema *yaml)
{
    if (yaml->sample_weights_count == 0) {
        return BR_OK;
    }
    schema->sample_weights = br_calloc(yaml->sample_weights_count, sizeof *schema->sample_weights);
    if (schema->sample_weights == NULL) {
        return br_no_memory("sample_weights", yaml->sample_weights_count);
    }
    br_status status = BR_OK;
    for (uint32_t i = 0; i < yaml->sample_weights_count && status == BR_OK; i++) {
        const yaml_weight *from = &yaml->sample_weights[i];
        br_sample_weight *to = &schema->sample_weights[i];
        to->feature = br_schema_bond_feature(schema, from->feature);
        to->weight = from->weight;
        if (to->feature == UINT32_MAX) {
            return br_fail(BR_ERR_INVALID, "sample_weights: there is no bond feature \"%.80s\"", from->feature);
        }
        status = copy_text(&to->value, from->value);
        schema->n_sample_weights = i + 1;
    }
    return status;
}

static br_status copy_scalars(br_schema *schema, const yaml_schema *yaml)
{
    bool late = yaml->late_days != NULL;
    if (late && *yaml->late_days > BR_MAX_LATE_DAYS) {
        return br_fail(BR_ERR_INVALID, "late_days: is %u, possible are 0 to %d", *yaml->late_days, BR_MAX_LATE_DAYS);
    }
    schema->late_days = late ? (int32_t)*yaml->late_days : BR_DEFAULT_LATE_DAYS;
    schema->revision = yaml->revision;
    schema->preference_measure = (br_preference_measure)yaml->preference_measure;
    schema->history_until = BR_DAY_NONE;
    const char *until = yaml->history_until;
    if (until != NULL && br_day_parse(&schema->history_until, until, strlen(until), NULL) != BR_OK) {
        return br_fail(BR_ERR_INVALID, "history_until: \"%.40s\" is not a day in the form YYYY-MM-DD", until);
    }
    br_status status = copy_text(&schema->market, yaml->market);
    return status != BR_OK ? status : copy_text(&schema->date_format, yaml->date_format);
}

static br_status copy_schema(br_schema *schema, const yaml_schema *yaml)
{
    br_status status = copy_scalars(schema, yaml);
    if (status == BR_OK) {
        status = copy_features(&schema->bond_features, &schema->n_bond_features, yaml->bond_features,
                               yaml->bond_features_count, true);
    }
    if (status == BR_OK) {
        status = copy_features(&schema->investor_features, &schema->n_investor_features, yaml->investor_features,
                               yaml->investor_features_count, false);
    }
    if (status == BR_OK) {
        status = copy_windows(schema->windows_days, &schema->n_windows, yaml->windows_days, yaml->windows_days_count,
                              "windows_days");
    }
    if (status == BR_OK && yaml->activity_windows_days != NULL) {
        status = copy_windows(schema->activity_windows_days, &schema->n_activity_windows, yaml->activity_windows_days,
                              yaml->activity_windows_days_count, "activity_windows_days");
    } else if (status == BR_OK) {
        memcpy(schema->activity_windows_days, schema->windows_days, sizeof schema->windows_days);
        schema->n_activity_windows = schema->n_windows;
    }
    if (status == BR_OK) {
        status = copy_activity(schema, yaml);
    }
    return status == BR_OK ? copy_sample_weights(schema, yaml) : status;
}

/// The reason of a declaration that cannot be used begins with its key or quotes its feature: say where that stands.
static br_status place_failure(br_status status, const char *name, const char *yaml)
{
    char reason[512];
    char word[BR_MAX_NAME_BYTES + 1];
    snprintf(reason, sizeof reason, "%s", br_why(status));
    const char *feature = strstr(reason, "feature '");
    const char *from = feature == NULL ? reason : feature + strlen("feature '");
    size_t n = strcspn(from, feature == NULL ? ": " : "'");
    snprintf(word, sizeof word, "%.*s", (int)(n < sizeof word ? n : 0), from);
    unsigned line = word[0] == '\0' ? 0 : line_of(yaml, word, feature != NULL);
    if (line == 0) {
        return br_fail(status, "%s: %s", name, reason);
    }
    return br_fail(status, "%s line %u: %s", name, line, reason);
}

static br_status check_text(const char *name, const char *yaml, size_t n)
{
    unsigned line = 1;
    for (size_t i = 0; i < n;) {
        size_t length = br_utf8_sequence(yaml + i, n - i);
        if (length == 0 || yaml[i] == '\0') {
            return br_fail(BR_ERR_INVALID, "%s line %u: byte 0x%02X is not UTF-8 text", name, line,
                           (unsigned)(uint8_t)yaml[i]);
        }
        line += yaml[i] == '\n';
        i += length;
    }
    return BR_OK;
}

static br_status build(br_schema **out, const yaml_schema *yaml, const char *name, const char *text, size_t n)
{
    BR_AUTO(br_schema) *schema = br_calloc(1, sizeof *schema);
    if (schema == NULL) {
        return br_no_memory("schema", 1);
    }
    br_status status = copy_schema(schema, yaml);
    if (status == BR_OK) {
        status = br_schema_check(schema);
    }
    if (status == BR_ERR_INVALID) {
        return place_failure(status, name, text);
    }
    if (status != BR_OK) {
        return status;
    }
    schema->yaml = br_memdup(text, n + 1);
    if (schema->yaml == NULL) {
        return br_no_memory("bytes of schema", n);
    }
    schema->yaml_bytes = n;
    *out = schema;
    schema = NULL;
    return BR_OK;
}

br_status br_schema_read(br_schema **out, const char *name, const char *yaml, size_t n)
{
    br_assert(out != NULL && name != NULL && yaml != NULL);
    br_status status = check_text(name, yaml, n);
    if (status != BR_OK) {
        return status;
    }
    BR_AUTO_DEINIT(br_buf) log = {0};
    BR_AUTO_DEINIT(br_buf) text = {0};
    br_buf_append(&text, yaml, n);
    if (text.failed) {
        return br_no_memory("bytes of schema", n);
    }
    const cyaml_config_t config = {
        .log_fn = take_log,
        .log_ctx = &log,
        .mem_fn = resize,
        .log_level = CYAML_LOG_ERROR,
        .flags = CYAML_CFG_NO_ALIAS,
    };
    cyaml_data_t *data = NULL;
    cyaml_err_t error = cyaml_load_data((const uint8_t *)br_buf_text(&text), n, &config, &document, &data, NULL);
    if (error != CYAML_OK) {
        return log_failed(name, br_buf_text(&text), error, &log);
    }
    if (data == NULL) {
        return br_fail(BR_ERR_INVALID, "%s: holds no mapping", name);
    }
    status = build(out, data, name, br_buf_text(&text), n);
    cyaml_free(&config, &document, data, 0);
    return status;
}
