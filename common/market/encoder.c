#include "market/encoder.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "market/levels.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LEVEL_BYTES ((size_t)128 << 20) // of the sample that levels are learned from

// What is learned from: the bonds of the range and, for each row of an investor, on how many issue days it was in effect.
typedef struct lesson {
    br_market *market;
    const br_schema *schema;
    uint32_t *bonds; // [n_bonds]
    uint32_t n_bonds;
    br_day *days; // [n_days] issue days, ascending
    uint32_t n_days;
    uint32_t *row_weights; // [investor rows]
} lesson;

// A number, and how often it was seen.
typedef struct weighted {
    double value;
    uint64_t weight;
} weighted;

// --- names ---

static char *name_of(const char *format, ...) BR_PRINTF(1, 2);

static char *name_of(const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int n = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *name = n < 0 ? NULL : br_malloc((size_t)n + 1);
    if (name != NULL) {
        vsnprintf(name, (size_t)n + 1, format, again);
    }
    va_end(again);
    return name;
}

static br_status set_value_names(br_field *field, const char *const *names, uint32_t n)
{
    field->value_names = br_calloc(n, sizeof *field->value_names);
    if (field->value_names == NULL) {
        return br_no_memory("names of values", n);
    }
    field->n_values = (uint16_t)n;
    for (uint32_t i = 0; i < n; i++) {
        field->value_names[i] = br_strdup(names[i]);
        if (field->value_names[i] == NULL) {
            return br_no_memory("names of values", n);
        }
    }
    return BR_OK;
}

static const char *label_en(const br_feature *feature)
{
    return feature->label.en == NULL ? feature->name : feature->label.en;
}

static const char *label_zh(const br_feature *feature)
{
    return feature->label.zh == NULL ? label_en(feature) : feature->label.zh;
}

// --- vocabularies ---

typedef struct counted {
    const char *text;
    uint64_t count;
} counted;

static int compare_texts(const void *left, const void *right)
{
    const counted *a = left;
    const counted *b = right;
    return strcmp(a->text, b->text);
}

static int compare_counts(const void *left, const void *right)
{
    const counted *a = left;
    const counted *b = right;
    if (a->count != b->count) {
        return a->count > b->count ? -1 : 1;
    }
    return strcmp(a->text, b->text);
}

static br_status set_others(br_field *field, counted *rest, uint32_t n)
{
    qsort(rest, n, sizeof *rest, compare_texts);
    field->others = br_calloc(n, sizeof *field->others);
    if (field->others == NULL) {
        return br_no_memory("other values", n);
    }
    field->n_others = n;
    for (uint32_t i = 0; i < n; i++) {
        field->others[i] = br_strdup(rest[i].text);
        if (field->others[i] == NULL) {
            return br_no_memory("other values", n);
        }
    }
    return BR_OK;
}

// An open list: the most frequent values, ties by their bytes.
static br_status learn_open(br_field *field, const br_index *strings, const uint64_t *counts, uint32_t max_values)
{
    const char *names[BR_MAX_VALUES + 2] = {"(missing)"};
    uint32_t n_strings = br_index_count(strings);
    counted *seen = br_calloc(n_strings, sizeof *seen);
    if (seen == NULL) {
        return br_no_memory("values", n_strings);
    }
    uint32_t n_seen = 0;
    for (uint32_t i = 0; i < n_strings; i++) {
        if (counts[i] > 0) {
            seen[n_seen++] = (counted){br_index_text(strings, i), counts[i]};
        }
    }
    qsort(seen, n_seen, sizeof *seen, compare_counts);
    uint32_t n_kept = n_seen < max_values ? n_seen : max_values;
    for (uint32_t i = 0; i < n_kept; i++) {
        names[1 + i] = seen[i].text;
    }
    uint32_t n_names = 1 + n_kept;
    br_status status = BR_OK;
    if (n_seen > n_kept) {
        names[n_names++] = "other";
        status = set_others(field, seen + n_kept, n_seen - n_kept);
    }
    if (status == BR_OK) {
        status = set_value_names(field, names, n_names);
    }
    br_free(seen);
    return status;
}

static br_status declare_values(br_field *field, const br_feature *feature)
{
    const char *names[BR_MAX_VALUES + 1] = {"(missing)", "no", "yes"};
    if (feature->kind == BR_KIND_FLAG) {
        return set_value_names(field, names, 3);
    }
    for (uint32_t i = 0; i < feature->n_values; i++) {
        names[1 + i] = feature->values[i];
    }
    return set_value_names(field, names, 1 + feature->n_values);
}

// --- bins ---

static int compare_weighted(const void *left, const void *right)
{
    const weighted *a = left;
    const weighted *b = right;
    return (a->value > b->value) - (a->value < b->value);
}

// Cuts between n_bins bins of equal weight, without those that ties would leave empty.
static br_status learn_cuts(br_field *field, weighted *samples, size_t n, uint32_t n_bins)
{
    uint64_t total = 0, below = 0;
    double cuts[BR_MAX_VALUES];
    uint16_t n_cuts = 0;
    qsort(samples, n, sizeof *samples, compare_weighted);
    for (size_t i = 0; i < n; i++) {
        total += samples[i].weight;
    }
    uint32_t next = 1;
    for (size_t i = 0; i < n && next < n_bins; i++) {
        below += samples[i].weight;
        if (below * n_bins < total * next || samples[i].value >= samples[n - 1].value) {
            continue;
        }
        if (n_cuts == 0 || cuts[n_cuts - 1] < samples[i].value) {
            cuts[n_cuts++] = samples[i].value;
        }
        while (next < n_bins && below * n_bins >= total * next) {
            next++;
        }
    }
    field->cuts = br_memdup(cuts, n_cuts * sizeof *cuts);
    if (field->cuts == NULL) {
        return br_no_memory("cuts", n_cuts);
    }
    field->n_cuts = n_cuts;
    return BR_OK;
}

// The fewest significant digits, three at least, that keep neighbouring cuts apart.
static int digits_for(const double *cuts, uint16_t n_cuts)
{
    char left[40], right[40];
    int digits = 3;
    for (uint16_t i = 1; i < n_cuts; i++) {
        for (; digits < 17; digits++) {
            snprintf(left, sizeof left, "%.*g", digits, cuts[i - 1]);
            snprintf(right, sizeof right, "%.*g", digits, cuts[i]);
            if (strcmp(left, right) != 0) {
                break;
            }
        }
    }
    return digits;
}

static br_status name_bins(br_field *field)
{
    enum { BIN_TEXT = 640 }; // two numbers of any precision
    uint32_t n = 2u + field->n_cuts;
    int digits = digits_for(field->cuts, field->n_cuts);
    char(*texts)[BIN_TEXT] = br_calloc(n, BIN_TEXT);
    const char **names = br_calloc(n, sizeof *names);
    br_status status = texts == NULL || names == NULL ? br_no_memory("names of bins", n) : BR_OK;
    for (uint32_t i = 0; status == BR_OK && i < n; i++) {
        const double *cuts = field->cuts;
        if (i == 0) {
            snprintf(texts[i], BIN_TEXT, "(missing)");
        } else if (field->n_cuts == 0) {
            snprintf(texts[i], BIN_TEXT, "any");
        } else if (i == 1) {
            snprintf(texts[i], BIN_TEXT, "up to %.*g", digits, cuts[0]);
        } else if (i == n - 1) {
            snprintf(texts[i], BIN_TEXT, "above %.*g", digits, cuts[i - 2]);
        } else {
            snprintf(texts[i], BIN_TEXT, "%.*g to %.*g", digits, cuts[i - 2], digits, cuts[i - 1]);
        }
        names[i] = texts[i];
    }
    if (status == BR_OK) {
        status = set_value_names(field, names, n);
    }
    br_free(texts);
    br_free(names);
    return status;
}

static br_status learn_bins(br_field *field, weighted *samples, size_t n, uint32_t n_bins)
{
    static const char *const missing[] = {"(missing)"};
    if (n == 0) {
        return set_value_names(field, missing, 1);
    }
    br_status status = learn_cuts(field, samples, n, n_bins);
    return status == BR_OK ? name_bins(field) : status;
}

// --- declared fields ---

// Value number `at` of the lesson and its weight, 0 when there is none.
static uint64_t lesson_value(const lesson *from, bool of_bond, uint32_t feature, uint32_t at, br_raw_value *out)
{
    if (of_bond) {
        *out = br_market_bond_value(from->market, from->bonds[at], feature);
        return 1;
    }
    if (from->row_weights[at] > 0) {
        *out = br_market_row_value(from->market, at, feature);
    }
    return from->row_weights[at];
}

static br_status learn_continuous(br_field *field, const lesson *from, bool of_bond, uint32_t n_bins)
{
    uint32_t n_at = of_bond ? from->n_bonds : br_market_n_investor_rows(from->market);
    weighted *samples = br_calloc(n_at, sizeof *samples);
    if (samples == NULL) {
        return br_no_memory("values", n_at);
    }
    size_t n = 0;
    for (uint32_t at = 0; at < n_at; at++) {
        br_raw_value value;
        uint64_t weight = lesson_value(from, of_bond, field->feature, at, &value);
        if (weight > 0 && !isnan(value.number)) {
            samples[n++] = (weighted){value.number, weight};
        }
    }
    br_status status = learn_bins(field, samples, n, n_bins);
    br_free(samples);
    return status;
}

// How often each string was seen, by its number; *counts_out is the caller's.
static br_status count_strings(const lesson *from, const br_field *field, const br_index **strings_out,
                               uint64_t **counts_out)
{
    bool of_bond = field->source == BR_SOURCE_BOND;
    const br_index *strings = of_bond ? br_market_bond_strings(from->market, field->feature)
                                      : br_market_investor_strings(from->market, field->feature);
    uint32_t n_at = of_bond ? from->n_bonds : br_market_n_investor_rows(from->market);
    uint64_t *counts = br_calloc(br_index_count(strings), sizeof *counts);
    if (counts == NULL) {
        return br_no_memory("values", br_index_count(strings));
    }
    for (uint32_t at = 0; at < n_at; at++) {
        br_raw_value value;
        uint64_t weight = lesson_value(from, of_bond, field->feature, at, &value);
        if (weight > 0 && value.value != BR_INDEX_NONE) {
            counts[value.value] += weight;
        }
    }
    *strings_out = strings;
    *counts_out = counts;
    return BR_OK;
}

static br_status learn_categorical(br_field *field, const lesson *from, uint32_t max_values)
{
    const br_index *strings;
    uint64_t *counts = NULL;
    br_status status = count_strings(from, field, &strings, &counts);
    if (status == BR_OK) {
        status = learn_open(field, strings, counts, max_values);
    }
    br_free(counts);
    return status;
}

static br_status learn_declared(br_field *field, const lesson *from, bool of_bond, uint32_t number)
{
    const br_feature *feature =
        of_bond ? &from->schema->bond_features[number] : &from->schema->investor_features[number];
    *field = (br_field){
        .name = br_strdup(feature->name),
        .source = of_bond ? BR_SOURCE_BOND : BR_SOURCE_INVESTOR,
        .group = feature->group,
        .kind = feature->kind,
        .label = {br_strdup(label_en(feature)), br_strdup(label_zh(feature))},
        .feature = number,
        .window_days = -1,
        .activity = BR_ACTIVITY_COUNT,
        .bond_field = UINT32_MAX,
    };
    if (field->name == NULL || field->label.en == NULL || field->label.zh == NULL) {
        return br_no_memory("names of a field", 3);
    }
    if (feature->kind == BR_KIND_CONTINUOUS) {
        return learn_continuous(field, from, of_bond, feature->n_bins);
    }
    if (feature->kind == BR_KIND_CATEGORICAL && feature->n_values == 0) {
        return learn_categorical(field, from, feature->max_values);
    }
    return declare_values(field, feature);
}

// --- derived fields ---

typedef struct label_text {
    const char *en;
    const char *zh;
} label_text;

static const label_text activity_labels[BR_ACTIVITY_COUNT] = {
    [BR_ACTIVITY_FREQUENCY] = {"bid frequency", "投标频次"},
    [BR_ACTIVITY_AMOUNT] = {"bid amount", "投标总额"},
    [BR_ACTIVITY_MEAN_AMOUNT] = {"mean bid amount", "平均投标金额"},
    [BR_ACTIVITY_BREADTH] = {"breadth of issuers", "投标发行人数量"},
    [BR_ACTIVITY_LOYALTY] = {"loyalty to issuers", "发行人忠诚度"},
    [BR_ACTIVITY_RECENCY] = {"time since last bid", "距上次投标时间"},
    [BR_ACTIVITY_TENURE] = {"time as client", "客户年限"},
    [BR_ACTIVITY_TREND] = {"trend of bidding", "投标趋势"},
};

static br_status name_levels(br_field *field)
{
    static const char *const levels[BR_N_LEVELS] = {"(no bids)", "none", "low", "medium", "high", "very high"};
    static const char *const fifths[BR_N_LEVELS] = {"(no bids)", "very low", "low", "medium", "high", "very high"};
    static const char *const recency[BR_N_LEVELS] = {"(no bids)", "very short", "short", "medium", "long", "very long"};
    static const char *const tenure[BR_N_LEVELS] = {"(unknown)", "very short", "short", "medium", "long", "very long"};
    if (field->name == NULL || field->label.en == NULL || field->label.zh == NULL) {
        return br_no_memory("names of a field", 3);
    }
    if (field->activity == BR_ACTIVITY_TENURE) {
        return set_value_names(field, tenure, BR_N_LEVELS);
    }
    if (field->activity == BR_ACTIVITY_RECENCY) {
        return set_value_names(field, recency, BR_N_LEVELS);
    }
    return set_value_names(field, br_field_has_none(field) ? levels : fifths, BR_N_LEVELS);
}

static void window_name(int32_t window_days, char out[16])
{
    if (window_days == BR_WINDOW_EVER) {
        snprintf(out, 16, "ever");
    } else {
        snprintf(out, 16, "%d", window_days);
    }
}

static br_status add_activity(br_encoder *encoder, br_activity activity, int32_t window_days)
{
    char window[16], en[BR_WINDOW_TEXT], zh[BR_WINDOW_TEXT];
    const label_text *label = &activity_labels[activity];
    br_field *field = &encoder->fields[encoder->n_fields++];
    *field = (br_field){
        .source = BR_SOURCE_ACTIVITY,
        .group = BR_GROUP_ABILITY,
        .kind = BR_KIND_ORDINAL,
        .feature = UINT32_MAX,
        .window_days = window_days,
        .activity = activity,
        .bond_field = UINT32_MAX,
    };
    if (window_days < 0) {
        field->name = name_of("activity.%s", br_activity_name(activity));
        field->label = (br_label){br_strdup(label->en), br_strdup(label->zh)};
    } else {
        window_name(window_days, window);
        field->name = name_of("activity.%s.%s", br_activity_name(activity), window);
        field->label.en = name_of("%s, %s", label->en, br_window_text(window_days, false, en));
        field->label.zh = name_of("%s%s", br_window_text(window_days, true, zh), label->zh);
    }
    return name_levels(field);
}

static br_status add_mean(br_encoder *encoder, const br_schema *schema, uint32_t feature, int32_t window_days)
{
    char window[16], en[BR_WINDOW_TEXT], zh[BR_WINDOW_TEXT];
    const br_feature *declared = &schema->bond_features[feature];
    br_field *field = &encoder->fields[encoder->n_fields++];
    window_name(window_days, window);
    *field = (br_field){
        .name = name_of("activity.mean.%s.%s", declared->name, window),
        .source = BR_SOURCE_MEAN,
        .group = BR_GROUP_ABILITY,
        .kind = BR_KIND_ORDINAL,
        .label = {name_of("mean %s of bids, %s", label_en(declared), br_window_text(window_days, false, en)),
                  name_of("%s投标债券平均%s", br_window_text(window_days, true, zh), label_zh(declared))},
        .feature = feature,
        .window_days = window_days,
        .activity = BR_ACTIVITY_COUNT,
        .bond_field = UINT32_MAX,
    };
    return name_levels(field);
}

static br_status add_preference(br_encoder *encoder, const br_schema *schema, uint32_t bond_field, uint16_t code,
                                int32_t window_days)
{
    char window[16], en[BR_WINDOW_TEXT], zh[BR_WINDOW_TEXT];
    const br_feature *declared = &schema->bond_features[bond_field];
    const char *value = encoder->fields[bond_field].value_names[code];
    bool flag = declared->kind == BR_KIND_FLAG;
    const char *value_zh = !flag ? value : code == 1 ? "否" : "是";
    br_field *field = &encoder->fields[encoder->n_fields++];
    window_name(window_days, window);
    *field = (br_field){
        .name = name_of("pref.%s.%s.%s", declared->name, value, window),
        .source = schema->preference_measure == BR_PREFERENCE_COUNT ? BR_SOURCE_MATCHES : BR_SOURCE_PREFERENCE,
        .group = BR_GROUP_PREFERENCE,
        .kind = BR_KIND_ORDINAL,
        .label = {name_of("prefers %s%s %s, %s", label_en(declared), flag ? ":" : "", value,
                          br_window_text(window_days, false, en)),
                  name_of("%s偏好%s：%s", br_window_text(window_days, true, zh), label_zh(declared), value_zh)},
        .feature = bond_field,
        .window_days = window_days,
        .activity = BR_ACTIVITY_COUNT,
        .bond_field = bond_field,
        .bond_code = code,
    };
    return name_levels(field);
}

// Codes that preferences are derived for: all but missing and "other".
static uint16_t n_preference_codes(const br_field *field)
{
    return (uint16_t)(field->n_values - 1 - (field->n_others > 0 ? 1 : 0));
}

static br_status add_activities(br_encoder *encoder, const br_schema *schema)
{
    br_status status = BR_OK;
    for (int a = 0; a < BR_ACTIVITY_COUNT; a++) {
        bool windowed = a < BR_ACTIVITY_RECENCY;
        for (uint32_t w = 0; schema->activity[a] && status == BR_OK && w < (windowed ? schema->n_activity_windows : 1);
             w++) {
            status = add_activity(encoder, (br_activity)a, windowed ? schema->activity_windows_days[w] : -1);
        }
    }
    for (uint32_t i = 0; i < schema->n_activity_of; i++) {
        for (uint32_t w = 0; status == BR_OK && w < schema->n_activity_windows; w++) {
            status = add_mean(encoder, schema, schema->activity_of[i], schema->activity_windows_days[w]);
        }
    }
    return status;
}

static br_status add_preferences(br_encoder *encoder, const br_schema *schema)
{
    br_status status = BR_OK;
    for (uint32_t i = 0; i < schema->n_bond_features; i++) {
        uint16_t n_codes = schema->bond_features[i].preference ? n_preference_codes(&encoder->fields[i]) : 0;
        for (uint16_t code = 1; code <= n_codes; code++) {
            for (uint32_t w = 0; status == BR_OK && w < schema->n_windows; w++) {
                status = add_preference(encoder, schema, i, code, schema->windows_days[w]);
            }
        }
    }
    return status;
}

static size_t n_derived_of(const br_encoder *encoder, const br_schema *schema)
{
    size_t n = (size_t)schema->n_activity_of * schema->n_activity_windows;
    for (int a = 0; a < BR_ACTIVITY_COUNT; a++) {
        n += !schema->activity[a] ? 0 : a < BR_ACTIVITY_RECENCY ? schema->n_activity_windows : 1;
    }
    for (uint32_t i = 0; i < schema->n_bond_features; i++) {
        n += schema->bond_features[i].preference ? (size_t)n_preference_codes(&encoder->fields[i]) * schema->n_windows
                                                 : 0;
    }
    return n;
}

// --- levels ---

// The day's investors are the first ones of `by_known`; rows are numbered day after day.
typedef struct level_rows {
    uint32_t *by_known;  // [n investors] by the day they became known
    uint64_t *first_row; // [n_days + 1] number of the day's first row
    uint32_t n_samples;
    float *values; // [n_derived, n_samples]
} level_rows;

static void level_rows_deinit(level_rows *rows)
{
    br_free(rows->by_known);
    br_free(rows->first_row);
    br_free(rows->values);
}

typedef struct known_entry {
    br_day known;
    const char *id;
    uint32_t investor;
} known_entry;

static int compare_known(const void *left, const void *right)
{
    const known_entry *a = left;
    const known_entry *b = right;
    return a->known != b->known ? (a->known < b->known ? -1 : 1) : strcmp(a->id, b->id);
}

static br_status number_rows(level_rows *rows, const lesson *from)
{
    uint32_t n_investors = br_market_n_investors(from->market);
    known_entry *entries = br_calloc(n_investors, sizeof *entries);
    rows->by_known = br_calloc(n_investors, sizeof *rows->by_known);
    rows->first_row = br_calloc((size_t)from->n_days + 1, sizeof *rows->first_row);
    if (entries == NULL || rows->by_known == NULL || rows->first_row == NULL) {
        br_free(entries);
        return br_no_memory("investors by day", n_investors);
    }
    uint32_t n = 0;
    for (uint32_t i = 0; i < n_investors; i++) {
        br_day known = br_market_investor_known(from->market, i);
        if (known != BR_DAY_NONE) {
            entries[n++] = (known_entry){known, br_market_investor_id(from->market, i), i};
        }
    }
    qsort(entries, n, sizeof *entries, compare_known);
    uint32_t n_known = 0;
    for (uint32_t day = 0; day < from->n_days; day++) {
        while (n_known < n && entries[n_known].known < from->days[day]) {
            rows->by_known[n_known] = entries[n_known].investor;
            n_known++;
        }
        rows->first_row[day + 1] = rows->first_row[day] + n_known;
    }
    br_free(entries);
    return BR_OK;
}

// One row from each of n_samples equal stretches.
static uint64_t sampled_row(uint64_t n_rows, uint32_t n_samples, uint32_t sample, uint64_t seed)
{
    uint64_t begin = n_rows * sample / n_samples;
    uint64_t end = n_rows * (sample + 1) / n_samples;
    br_rng rng = br_rng_at(seed, BR_STREAM_QUANTILES, sample, 0);
    return begin + br_rng_below(&rng, (uint32_t)(end - begin));
}

static br_status sample_rows(level_rows *rows, const lesson *from, const br_encoder *encoder, uint32_t n_derived,
                             uint64_t seed)
{
    uint64_t n_rows = rows->first_row[from->n_days];
    size_t bound = MAX_LEVEL_BYTES / sizeof(float) / n_derived;
    bound = bound < BR_MAX_LEVEL_ROWS ? bound : BR_MAX_LEVEL_ROWS;
    rows->n_samples = (uint32_t)(n_rows < bound ? n_rows : bound);
    BR_AUTO(br_builder) *builder = NULL;
    br_status status = br_builder_new(&builder, from->market, encoder);
    if (status != BR_OK) {
        return status;
    }
    rows->values = br_calloc((size_t)n_derived * rows->n_samples, sizeof *rows->values);
    float *one = br_calloc(n_derived, sizeof *one);
    if (rows->values == NULL || one == NULL) {
        br_free(one);
        return br_no_memory("rows of values", rows->n_samples);
    }
    uint32_t day = 0;
    for (uint32_t i = 0; i < rows->n_samples && status == BR_OK; i++) {
        uint64_t row = sampled_row(n_rows, rows->n_samples, i, seed);
        while (rows->first_row[day + 1] <= row) {
            day++;
        }
        status = br_builder_advance(builder, from->days[day]);
        br_builder_derived(builder, rows->by_known[row - rows->first_row[day]], one);
        for (uint32_t k = 0; k < n_derived; k++) {
            rows->values[(size_t)k * rows->n_samples + i] = one[k];
        }
    }
    br_free(one);
    return status;
}

static int compare_floats(const void *left, const void *right)
{
    float a = *(const float *)left;
    float b = *(const float *)right;
    return (a > b) - (a < b);
}

// Cut below level part `part` of `n_levels`: the largest of the sorted values whose middle rank is within the parts below it.
static double level_cut(const float *sorted, uint32_t n, uint32_t part, uint32_t n_levels)
{
    // Just below all values, for when ties push even the smallest above the cut.
    double cut = (double)nextafterf(sorted[0], -INFINITY);
    uint32_t end;
    for (uint32_t begin = 0; begin < n; begin = end) {
        end = begin + 1;
        while (end < n && sorted[end] <= sorted[begin]) {
            end++;
        }
        if ((uint64_t)(begin + end) * n_levels > 2 * (uint64_t)n * part) {
            break;
        }
        cut = (double)sorted[begin];
    }
    return cut;
}

// A field of whole numbers that are mostly small.
static bool counts(const br_field *field)
{
    return field->source == BR_SOURCE_MATCHES ||
           (field->source == BR_SOURCE_ACTIVITY &&
            (field->activity == BR_ACTIVITY_FREQUENCY || field->activity == BR_ACTIVITY_BREADTH));
}

// Cuts of sorted counts: each level takes its part of what the levels below have left, as nearly as whole values allow, and at
// least one value.
static void cut_counts(double *cuts, uint32_t n_cuts, const float *sorted, uint32_t n)
{
    uint32_t begin = 0;
    for (uint32_t i = 0; i < n_cuts; i++) {
        uint32_t target = begin + (n - begin) / (n_cuts + 1 - i);
        uint32_t end = begin;
        while (end < n) {
            uint32_t next = end + 1;
            while (next < n && sorted[next] <= sorted[end]) {
                next++;
            }
            if (end > begin &&
                (next > target ? next - target : target - next) >= (end > target ? end - target : target - end)) {
                break;
            }
            end = next;
        }
        begin = end;
        cuts[i] = (double)sorted[end - 1];
    }
}

// Cuts between the quartiles (or fifths) of a derived field's values in values[n], which are reordered.
static br_status learn_levels(br_field *field, float *values, uint32_t n)
{
    uint32_t n_levels = br_field_has_none(field) ? 4 : 5;
    uint32_t n_kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (!isnan(values[i]) && (!br_field_has_none(field) || values[i] > 0.0f)) {
            values[n_kept++] = values[i];
        }
    }
    qsort(values, n_kept, sizeof *values, compare_floats);
    field->cuts = br_calloc(n_levels - 1, sizeof *field->cuts);
    if (field->cuts == NULL) {
        return br_no_memory("cuts", n_levels - 1);
    }
    field->n_cuts = (uint16_t)(n_levels - 1);
    if (n_kept > 0 && counts(field)) {
        cut_counts(field->cuts, n_levels - 1, values, n_kept);
        return BR_OK;
    }
    for (uint32_t i = 1; i < n_levels; i++) {
        field->cuts[i - 1] = n_kept == 0 ? 0.0 : level_cut(values, n_kept, i, n_levels);
    }
    return BR_OK;
}

static br_status learn_derived(br_encoder *encoder, const lesson *from, uint32_t n_derived, uint64_t seed)
{
    BR_AUTO_DEINIT(level_rows) rows = {0};
    if (n_derived == 0) {
        return BR_OK;
    }
    br_status status = number_rows(&rows, from);
    if (status == BR_OK) {
        status = sample_rows(&rows, from, encoder, n_derived, seed);
    }
    for (uint32_t i = 0; status == BR_OK && i < n_derived; i++) {
        status = learn_levels(&encoder->fields[encoder->n_fields - n_derived + i],
                              rows.values + (size_t)i * rows.n_samples, rows.n_samples);
    }
    return status;
}

// --- the whole ---

static void lesson_deinit(lesson *from)
{
    br_free(from->bonds);
    br_free(from->days);
    br_free(from->row_weights);
}

static br_status lesson_init(lesson *from, br_market *market, br_day begin, br_day end)
{
    const uint32_t *bonds;
    uint32_t n_bonds;
    br_status status = br_market_bonds_by_issue(market, &bonds, &n_bonds);
    if (status != BR_OK) {
        return status;
    }
    from->market = market;
    from->schema = br_market_schema(market);
    from->bonds = br_calloc(n_bonds, sizeof *from->bonds);
    from->days = br_calloc(n_bonds, sizeof *from->days);
    from->row_weights = br_calloc(br_market_n_investor_rows(market), sizeof *from->row_weights);
    if (from->bonds == NULL || from->days == NULL || from->row_weights == NULL) {
        return br_no_memory("bonds to learn from", n_bonds);
    }
    for (uint32_t i = 0; i < n_bonds; i++) {
        br_day day = br_market_bond(market, bonds[i])->issue_day;
        if (day < begin || day >= end) {
            continue;
        }
        from->bonds[from->n_bonds++] = bonds[i];
        if (from->n_days == 0 || from->days[from->n_days - 1] != day) {
            from->days[from->n_days++] = day;
        }
    }
    if (from->n_bonds == 0) {
        char first[BR_DAY_TEXT], last[BR_DAY_TEXT];
        return br_fail(BR_ERR_INVALID, "no bond was issued from %s to before %s: nothing to learn from",
                       br_day_text(begin, first), br_day_text(end, last));
    }
    for (uint32_t investor = 0; investor < br_market_n_investors(market); investor++) {
        for (uint32_t day = 0; day < from->n_days; day++) {
            uint32_t row = br_market_investor_row(market, investor, from->days[day] - 1);
            if (row != BR_INDEX_NONE) {
                from->row_weights[row]++;
            }
        }
    }
    return BR_OK;
}

static br_status learn_all_declared(br_encoder *encoder, const lesson *from)
{
    br_status status = BR_OK;
    for (uint32_t i = 0; status == BR_OK && i < from->schema->n_bond_features; i++) {
        status = learn_declared(&encoder->fields[encoder->n_fields++], from, true, i);
    }
    encoder->n_bond_fields = encoder->n_fields;
    for (uint32_t i = 0; status == BR_OK && i < from->schema->n_investor_features; i++) {
        status = learn_declared(&encoder->fields[encoder->n_fields++], from, false, i);
    }
    return status;
}

static br_status make_room(br_encoder *encoder, size_t n_fields)
{
    if (n_fields > BR_MAX_FIELDS) {
        return br_fail(BR_ERR_LIMIT, "the schema amounts to %zu fields, at most %d are possible", n_fields,
                       BR_MAX_FIELDS);
    }
    br_field *fields = br_reallocarray(encoder->fields, n_fields, sizeof *fields);
    if (fields == NULL) {
        return br_no_memory("fields", n_fields);
    }
    encoder->fields = fields;
    return BR_OK;
}

br_status br_encoder_learn(br_encoder **out, br_market *market, br_day from, br_day until, uint64_t seed)
{
    BR_AUTO_DEINIT(lesson) taught = {0};
    BR_AUTO(br_encoder) *encoder = br_calloc(1, sizeof *encoder);
    if (encoder == NULL) {
        return br_no_memory("encoder", 1);
    }
    br_status status = lesson_init(&taught, market, from, until);
    if (status != BR_OK) {
        return status;
    }
    const br_schema *schema = taught.schema;
    size_t n_declared = (size_t)schema->n_bond_features + schema->n_investor_features;
    size_t n_derived = 0;
    status = make_room(encoder, n_declared);
    if (status == BR_OK) {
        status = learn_all_declared(encoder, &taught);
    }
    if (status == BR_OK) {
        n_derived = n_derived_of(encoder, schema);
        status = make_room(encoder, n_declared + n_derived);
    }
    if (status == BR_OK) {
        status = add_activities(encoder, schema);
    }
    if (status == BR_OK) {
        status = add_preferences(encoder, schema);
    }
    if (status == BR_OK) {
        status = learn_derived(encoder, &taught, (uint32_t)n_derived, seed);
    }
    if (status != BR_OK) {
        return status;
    }
    *out = encoder;
    encoder = NULL;
    return BR_OK;
}

// --- extending ---

static bool has_other(const br_field *field)
{
    return field->n_others > 0;
}

static uint32_t n_named(const br_field *field)
{
    return field->n_values - (has_other(field) ? 1u : 0u);
}

// All but the values.
static br_status copy_field(br_field *out, const br_field *field)
{
    *out = *field;
    out->value_names = NULL;
    out->others = NULL;
    out->n_values = 0;
    out->n_others = 0;
    out->cuts = field->n_cuts == 0 ? NULL : br_memdup(field->cuts, field->n_cuts * sizeof *field->cuts);
    out->name = br_strdup(field->name);
    out->label = (br_label){field->label.en == NULL ? NULL : br_strdup(field->label.en),
                            field->label.zh == NULL ? NULL : br_strdup(field->label.zh)};
    bool good = out->name != NULL && (field->n_cuts == 0 || out->cuts != NULL) &&
                (field->label.en == NULL || out->label.en != NULL) &&
                (field->label.zh == NULL || out->label.zh != NULL);
    return good ? BR_OK : br_no_memory("a field", 1);
}

// candidates[n_candidates]: strings that are not named, the most frequent first; what was "other" before stays so or gets a code.
static br_status extend_values(br_field *field, const br_field *before, counted *candidates, uint32_t n_candidates,
                               uint32_t max_values)
{
    const char *names[BR_MAX_VALUES + 2];
    uint32_t n_names = n_named(before);
    for (uint32_t i = 0; i < n_names; i++) {
        names[i] = before->value_names[i];
    }
    uint32_t room = n_names - 1 < max_values ? max_values - (n_names - 1) : 0;
    uint32_t n_own = n_candidates < room ? n_candidates : room;
    for (uint32_t i = 0; i < n_own; i++) {
        names[n_names++] = candidates[i].text;
    }
    br_status status = BR_OK;
    if (n_own < n_candidates) {
        names[n_names++] = "other";
        status = set_others(field, candidates + n_own, n_candidates - n_own);
    }
    return status == BR_OK ? set_value_names(field, names, n_names) : status;
}

// Code of a value of its own, 0 if it has none.
static uint8_t named_code(const br_field *field, const char *text)
{
    for (uint32_t code = 1; code < n_named(field); code++) {
        if (strcmp(field->value_names[code], text) == 0) {
            return (uint8_t)code;
        }
    }
    return 0;
}

static br_status extend_open(br_field *field, const br_field *before, const lesson *from, uint32_t max_values)
{
    const br_index *strings;
    uint64_t *counts = NULL;
    br_status status = count_strings(from, before, &strings, &counts);
    if (status != BR_OK) {
        return status;
    }
    uint32_t n_strings = br_index_count(strings);
    counted *candidates = br_calloc((size_t)n_strings + before->n_others, sizeof *candidates);
    uint32_t n = 0;
    for (uint32_t i = 0; candidates != NULL && i < n_strings; i++) {
        if (counts[i] > 0 && named_code(before, br_index_text(strings, i)) == 0) {
            candidates[n++] = (counted){br_index_text(strings, i), counts[i]};
        }
    }
    for (uint32_t i = 0; candidates != NULL && i < before->n_others; i++) {
        uint32_t number = br_index_find(strings, before->others[i], strlen(before->others[i]));
        if (number == BR_INDEX_NONE || counts[number] == 0) { // not seen this time
            candidates[n++] = (counted){before->others[i], 0};
        }
    }
    if (candidates == NULL) {
        status = br_no_memory("values", n_strings);
    } else {
        qsort(candidates, n, sizeof *candidates, compare_counts);
        status = extend_values(field, before, candidates, n, max_values);
    }
    br_free(candidates);
    br_free(counts);
    return status;
}

static br_status extend_field(br_field *field, const br_field *before, const lesson *from)
{
    br_status status = copy_field(field, before);
    bool declared = before->source == BR_SOURCE_BOND || before->source == BR_SOURCE_INVESTOR;
    const br_feature *feature = before->source == BR_SOURCE_BOND ? &from->schema->bond_features[before->feature]
                                : declared                       ? &from->schema->investor_features[before->feature]
                                                                 : NULL;
    if (status == BR_OK && declared && feature->kind == BR_KIND_CATEGORICAL && feature->n_values == 0) {
        return extend_open(field, before, from, feature->max_values);
    }
    return status == BR_OK ? set_value_names(field, (const char *const *)before->value_names, before->n_values)
                           : status;
}

br_status br_encoder_extend(br_encoder **out, const br_encoder *before, br_market *market, br_day from, br_day until)
{
    BR_AUTO_DEINIT(lesson) taught = {0};
    BR_AUTO(br_encoder) *encoder = br_calloc(1, sizeof *encoder);
    if (encoder == NULL) {
        return br_no_memory("encoder", 1);
    }
    br_status status = lesson_init(&taught, market, from, until);
    if (status == BR_OK) {
        status = make_room(encoder, before->n_fields);
    }
    encoder->n_bond_fields = before->n_bond_fields;
    for (uint32_t j = 0; j < before->n_fields && status == BR_OK; j++) {
        encoder->n_fields++;
        status = extend_field(&encoder->fields[j], &before->fields[j], &taught);
    }
    if (status != BR_OK) {
        return status;
    }
    *out = encoder;
    encoder = NULL;
    return BR_OK;
}

uint8_t br_field_code_before(const br_field *before, const br_field *now, uint8_t code)
{
    if (code < n_named(before)) {
        return code;
    }
    if (has_other(now) && code == now->n_values - 1) {
        return has_other(before) ? (uint8_t)(before->n_values - 1) : BR_CODE_NEW;
    }
    uint8_t old = br_field_text_code(before, now->value_names[code]);
    return old == 0 ? BR_CODE_NEW : old;
}

static bool same_but_window(const br_field *a, const br_field *b)
{
    return a->source == b->source && a->feature == b->feature && a->activity == b->activity &&
           a->bond_field == b->bond_field && a->bond_code == b->bond_code;
}

uint32_t br_encoder_concept(const br_encoder *encoder, uint32_t j)
{
    const br_field *fields = encoder->fields + encoder->n_bond_fields;
    uint32_t concept = 0;
    while (!same_but_window(&fields[concept], &fields[j])) {
        concept ++;
    }
    return concept;
}

void br_encoder_free(br_encoder **encoder)
{
    if (encoder == NULL || *encoder == NULL) {
        return;
    }
    br_encoder *dead = *encoder;
    for (uint32_t i = 0; i < dead->n_fields; i++) {
        br_field *field = &dead->fields[i];
        for (uint32_t k = 0; field->value_names != NULL && k < field->n_values; k++) {
            br_free(field->value_names[k]);
        }
        for (uint32_t k = 0; field->others != NULL && k < field->n_others; k++) {
            br_free(field->others[k]);
        }
        br_free(field->value_names);
        br_free(field->others);
        br_free(field->cuts);
        br_free(field->name);
        br_free(field->label.en);
        br_free(field->label.zh);
    }
    br_free(dead->fields);
    br_free(dead);
    *encoder = NULL;
}

// --- encoding ---

static int compare_other(const void *key, const void *element)
{
    return strcmp(key, *(char *const *)element);
}

uint8_t br_field_text_code(const br_field *field, const char *text)
{
    uint8_t code = named_code(field, text);
    bool other = code == 0 && has_other(field) &&
                 bsearch(text, field->others, field->n_others, sizeof *field->others, compare_other) != NULL;
    return other ? (uint8_t)n_named(field) : code;
}

uint8_t br_field_number_code(const br_field *field, double number)
{
    if (isnan(number) || field->n_values < 2) {
        return 0;
    }
    uint16_t low = 0,
             high = field->n_cuts; // cuts before `low` are below the number, those from `high` on are not
    while (low < high) {
        uint16_t middle = (uint16_t)((low + high) / 2);
        if (number > field->cuts[middle]) {
            low = (uint16_t)(middle + 1);
        } else {
            high = middle;
        }
    }
    return (uint8_t)(1 + low);
}

uint8_t br_field_raw_code(const br_field *field, br_raw_value value, const br_index *strings)
{
    if (field->kind == BR_KIND_CONTINUOUS) {
        return br_field_number_code(field, value.number);
    }
    return value.value == BR_INDEX_NONE ? 0 : br_field_text_code(field, br_index_text(strings, value.value));
}

void br_encoder_bond(const br_encoder *encoder, const br_market *market, uint32_t bond, uint8_t *codes)
{
    for (uint32_t i = 0; i < encoder->n_bond_fields; i++) {
        const br_field *field = &encoder->fields[i];
        codes[i] = br_field_raw_code(field, br_market_bond_value(market, bond, field->feature),
                                     br_market_bond_strings(market, field->feature));
    }
}
