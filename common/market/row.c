#include "market/row.h"

#include "base/utf8.h"

#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_NUMBER_BYTES = 128, AMOUNT_DECIMALS = 4 };

static const char *const kind_names[BR_ROW_KIND_END] = {
    [BR_ROW_SCHEMA] = "schema", [BR_ROW_BOND] = "bond",           [BR_ROW_INVESTOR] = "investor",
    [BR_ROW_BID] = "bid",       [BR_ROW_EXCLUSION] = "exclusion", [BR_ROW_CLOSE_DAY] = "close-day",
    [BR_ROW_NOTE] = "note",
};

const char *br_row_kind_name(br_row_kind kind)
{
    br_assert(kind >= BR_ROW_SCHEMA && kind < BR_ROW_KIND_END);
    return kind_names[kind];
}

static const char *const topic_names[BR_TOPIC_END] = {
    [BR_TOPIC_CALL] = "call",     [BR_TOPIC_REASON] = "reason", [BR_TOPIC_CHOICE] = "choice",
    [BR_TOPIC_ACTION] = "action", [BR_TOPIC_PAIR] = "pair",
};

const char *br_topic_name(br_topic topic)
{
    br_assert(topic >= BR_TOPIC_CALL && topic < BR_TOPIC_END);
    return topic_names[topic];
}

br_topic br_topic_find(const char *name)
{
    br_topic topic = BR_TOPIC_CALL;
    while (topic < BR_TOPIC_END && strcmp(topic_names[topic], name) != 0) {
        topic++;
    }
    return topic;
}

static void key_part(br_buf *key, const char *text)
{
    br_buf_append(key, "", 1);
    br_buf_string(key, text);
}

static void key_day(br_buf *key, br_day day)
{
    char text[BR_DAY_TEXT];
    key_part(key, br_day_text(day, text));
}

static void key_hash(br_buf *key, const br_hash *hash)
{
    char text[BR_HASH_TEXT];
    br_hash_text(hash, text);
    key_part(key, text);
}

void br_row_key(const br_row *row, br_buf *key)
{
    br_buf_string(key, br_row_kind_name(row->kind));
    switch (row->kind) {
    case BR_ROW_BOND:
        key_part(key, row->bond_id);
        break;
    case BR_ROW_INVESTOR:
        key_part(key, row->investor_id);
        key_day(key, row->day);
        break;
    case BR_ROW_BID:
        key_part(key, row->bid_id);
        break;
    case BR_ROW_EXCLUSION:
        key_part(key, row->bond_id);
        key_part(key, row->investor_id);
        key_day(key, row->day);
        break;
    case BR_ROW_CLOSE_DAY:
        key_day(key, row->day);
        break;
    case BR_ROW_NOTE:
        key_hash(key, &row->note->id);
        break;
    case BR_ROW_SCHEMA:
    case BR_ROW_KIND_END:
        break;
    }
}

// --- values ---

static size_t skip_digits(const char *text, size_t n, size_t at)
{
    while (at < n && text[at] >= '0' && text[at] <= '9') {
        at++;
    }
    return at;
}

// [+-] digits [. digits] [e [+-] digits], with a digit before or after the point.
static bool is_number(const char *text, size_t n)
{
    size_t at = n > 0 && (text[0] == '-' || text[0] == '+') ? 1 : 0;
    size_t whole = skip_digits(text, n, at);
    size_t n_digits = whole - at;
    at = whole;
    if (at < n && text[at] == '.') {
        size_t end = skip_digits(text, n, at + 1);
        n_digits += end - at - 1;
        at = end;
    }
    if (n_digits == 0) {
        return false;
    }
    if (at < n && (text[at] == 'e' || text[at] == 'E')) {
        at++;
        at += at < n && (text[at] == '-' || text[at] == '+') ? 1 : 0;
        size_t end = skip_digits(text, n, at);
        return end > at && end == n;
    }
    return at == n;
}

br_status br_number_parse(double *out, const char *text, size_t n)
{
    char copy[MAX_NUMBER_BYTES + 1];
    if (n > MAX_NUMBER_BYTES || !is_number(text, n)) {
        return br_fail(BR_ERR_INVALID, "'%.*s' is not a number", (int)(n < 64 ? n : 64), text);
    }
    memcpy(copy, text, n);
    copy[n] = '\0';
    // The process' locale may write decimals with a comma; the C locale is static in glibc, so this allocates nothing.
    locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    br_assert(c_locale != (locale_t)0);
    double value = strtod_l(copy, NULL, c_locale);
    freelocale(c_locale);
    if (!isfinite(value)) {
        return br_fail(BR_ERR_INVALID, "'%.64s' is too large for a number", copy);
    }
    *out = value;
    return BR_OK;
}

static bool amount_add(int64_t *units, char digit)
{
    return !__builtin_mul_overflow(*units, 10, units) && !__builtin_add_overflow(*units, digit - '0', units);
}

br_status br_amount_parse(int64_t *out, const char *text, size_t n)
{
    size_t whole = skip_digits(text, n, 0);
    size_t end = whole < n && text[whole] == '.' ? skip_digits(text, n, whole + 1) : whole;
    bool point = end > whole;
    bool fits = true;
    int64_t units = 0;
    if (end != n || whole == 0 || (point && end == whole + 1)) {
        return br_fail(BR_ERR_INVALID, "'%.*s' is not an amount: digits with at most %d decimals",
                       (int)(n < 64 ? n : 64), text, AMOUNT_DECIMALS);
    }
    for (size_t i = 0; i < whole && fits; i++) {
        fits = amount_add(&units, text[i]);
    }
    for (size_t i = 1; i <= AMOUNT_DECIMALS && fits; i++) {
        fits = amount_add(&units, whole + i < end ? text[whole + i] : '0');
    }
    for (size_t i = whole + 1 + AMOUNT_DECIMALS; i < end && fits; i++) {
        if (text[i] != '0') {
            return br_fail(BR_ERR_INVALID, "'%.*s' has more than %d decimals", (int)(n < 64 ? n : 64), text,
                           AMOUNT_DECIMALS);
        }
    }
    if (!fits) {
        return br_fail(BR_ERR_INVALID, "'%.*s' is too large for an amount", (int)(n < 64 ? n : 64), text);
    }
    *out = units;
    return BR_OK;
}

// --- checks ---

static bool wrong(br_row_problem *problem, const char *column, const char *format, ...) BR_PRINTF(3, 4);

static bool wrong(br_row_problem *problem, const char *column, const char *format, ...)
{
    va_list arguments;
    snprintf(problem->column, sizeof problem->column, "%s", column);
    va_start(arguments, format);
    vsnprintf(problem->reason, sizeof problem->reason, format, arguments);
    va_end(arguments);
    return false;
}

static bool check_id(const char *id, const char *column, br_row_problem *problem)
{
    size_t n = id == NULL ? 0 : strlen(id);
    if (n == 0) {
        return wrong(problem, column, "missing");
    }
    if (n > BR_MAX_ID_BYTES) {
        return wrong(problem, column, "%zu bytes long, at most %d are possible", n, BR_MAX_ID_BYTES);
    }
    if (!br_utf8_valid(id, n)) {
        return wrong(problem, column, "not UTF-8");
    }
    return !br_utf8_has_control(id, n) || wrong(problem, column, "has a control character");
}

static bool check_day(br_day day, const char *column, br_row_problem *problem)
{
    if (day == BR_DAY_NONE) {
        return wrong(problem, column, "missing");
    }
    // Days before the year 1 and after 9999 have no text that could be read back.
    return (day >= br_day_from_civil(1, 1, 1) && day <= BR_DAY_MAX) ||
           wrong(problem, column, "day number %d is outside the calendar", day);
}

static bool parse_flag(const char *text, uint32_t *out)
{
    static const char *const no_yes[][2] = {{"0", "1"}, {"no", "yes"}, {"false", "true"}, {"n", "y"}};
    for (size_t i = 0; i < sizeof no_yes / sizeof no_yes[0]; i++) {
        for (uint32_t value = 0; value < 2; value++) {
            if (strcasecmp(text, no_yes[i][value]) == 0) {
                *out = value;
                return true;
            }
        }
    }
    return false;
}

static bool check_listed(const br_feature *feature, const char *text, uint32_t *value_out, br_row_problem *problem)
{
    for (uint32_t i = 0; i < feature->n_values; i++) {
        if (strcmp(text, feature->values[i]) == 0) {
            *value_out = i;
            return true;
        }
    }
    char known[160] = "";
    for (uint32_t i = 0; i < feature->n_values; i++) {
        size_t length = strlen(known);
        if (length + strlen(feature->values[i]) + 8 > sizeof known) {
            snprintf(known + length, sizeof known - length, ", ...");
            break;
        }
        snprintf(known + length, sizeof known - length, "%s%s", i == 0 ? "" : ", ", feature->values[i]);
    }
    return wrong(problem, feature->name, "'%.48s' is not one of %s", text, known);
}

bool br_value_check(const br_feature *feature, const char *text, double *number_out, uint32_t *value_out,
                    br_row_problem *problem)
{
    size_t n = strlen(text);
    double number = 0;
    uint32_t value = 0;
    if (n > BR_MAX_VALUE_BYTES) {
        return wrong(problem, feature->name, "%zu bytes long, at most %d are possible", n, BR_MAX_VALUE_BYTES);
    }
    if (!br_utf8_valid(text, n)) {
        return wrong(problem, feature->name, "not UTF-8");
    }
    if (br_utf8_has_control(text, n)) {
        return wrong(problem, feature->name, "has a control character");
    }
    if (feature->kind == BR_KIND_CONTINUOUS && br_number_parse(&number, text, n) != BR_OK) {
        return wrong(problem, feature->name, "'%.48s' is not a finite number", text);
    }
    if (feature->kind == BR_KIND_FLAG && !parse_flag(text, &value)) {
        return wrong(problem, feature->name, "'%.48s' is not yes or no (1/0, true/false, yes/no, y/n)", text);
    }
    if (feature->n_values > 0 && !check_listed(feature, text, &value, problem)) {
        return false;
    }
    if (number_out != NULL) {
        *number_out = number;
    }
    if (value_out != NULL) {
        *value_out = value;
    }
    return true;
}

static bool check_features(const br_schema *schema, const br_row *row, br_row_problem *problem)
{
    bool seen[BR_MAX_FEATURES] = {false};
    bool of_bond = row->kind == BR_ROW_BOND;
    const br_feature *features = of_bond ? schema->bond_features : schema->investor_features;
    for (uint32_t i = 0; i < row->n_features; i++) {
        const br_named_value *given = &row->features[i];
        uint32_t feature =
            of_bond ? br_schema_bond_feature(schema, given->name) : br_schema_investor_feature(schema, given->name);
        if (feature == UINT32_MAX) {
            continue;
        }
        if (seen[feature]) {
            return wrong(problem, given->name, "given twice");
        }
        seen[feature] = true;
        if (given->value != NULL && given->value[0] != '\0' &&
            !br_value_check(&features[feature], given->value, NULL, NULL, problem)) {
            return false;
        }
    }
    return true;
}

static bool check_bond(const br_schema *schema, const br_row *row, br_row_problem *problem)
{
    char announce[BR_DAY_TEXT], issue[BR_DAY_TEXT];
    if (!check_id(row->bond_id, "bond_id", problem) || !check_id(row->issuer_id, "issuer_id", problem) ||
        !check_day(row->announce_day, "announce_date", problem) || !check_day(row->issue_day, "issue_date", problem)) {
        return false;
    }
    if (row->issue_day < row->announce_day) {
        return wrong(problem, "issue_date", "%s is before the announce date %s", br_day_text(row->issue_day, issue),
                     br_day_text(row->announce_day, announce));
    }
    return check_features(schema, row, problem);
}

static bool check_bid(const br_row *row, br_row_problem *problem)
{
    char known[BR_DAY_TEXT], day[BR_DAY_TEXT];
    if (!check_id(row->bid_id, "bid_id", problem) || !check_id(row->bond_id, "bond_id", problem) ||
        !check_id(row->investor_id, "investor_id", problem) || !check_day(row->day, "bid_date", problem)) {
        return false;
    }
    if (row->known_from != BR_DAY_NONE && row->known_from <= row->day) {
        return wrong(problem, "known_from", "%s is not after the bid date %s", br_day_text(row->known_from, known),
                     br_day_text(row->day, day));
    }
    if (row->amount < 0 && row->amount != BR_AMOUNT_NONE) {
        return wrong(problem, "amount", "negative");
    }
    return !isinf(row->rate) || wrong(problem, "rate", "not a finite number");
}

static bool check_text(const char *text, size_t max_bytes, const char *column, br_row_problem *problem)
{
    size_t n = text == NULL ? 0 : strlen(text);
    if (n > max_bytes) {
        return wrong(problem, column, "%zu bytes long, at most %zu are possible", n, max_bytes);
    }
    if (!br_utf8_valid(text, n)) {
        return wrong(problem, column, "not UTF-8");
    }
    return !br_utf8_has_control(text, n) || wrong(problem, column, "has a control character");
}

static bool check_vote(const br_row *row, br_row_problem *problem)
{
    static const char *const values[] = {"yes", "no", "skip", ""};
    const br_note *note = row->note;
    if (!check_id(row->issuer_id, "issuer_id", problem) || !check_id(note->subject, "subject", problem)) {
        return false;
    }
    if (strcmp(row->issuer_id, note->subject) == 0) {
        return wrong(problem, "subject", "X and Y are the same issuer");
    }
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        if (note->value != NULL && strcmp(note->value, values[i]) == 0) {
            return true;
        }
    }
    return wrong(problem, "value", "neither yes, no, skip nor empty");
}

static bool check_note(const br_row *row, br_row_problem *problem)
{
    const br_note *note = row->note;
    if (note == NULL) {
        return wrong(problem, "note", "missing");
    }
    if (!check_id(note->user, "user", problem) || !check_text(row->bond_id, BR_MAX_ID_BYTES, "bond_id", problem) ||
        !check_text(row->investor_id, BR_MAX_ID_BYTES, "investor_id", problem) ||
        !check_text(note->subject, BR_MAX_ID_BYTES, "subject", problem) ||
        !check_text(note->value, BR_MAX_VALUE_BYTES, "value", problem) ||
        !check_text(note->version, BR_MAX_ID_BYTES, "version", problem)) {
        return false;
    }
    if (note->topic < BR_TOPIC_CALL || note->topic >= BR_TOPIC_END) {
        return wrong(problem, "topic", "there is no topic %d", (int)note->topic);
    }
    if (note->topic == BR_TOPIC_PAIR && !check_vote(row, problem)) {
        return false;
    }
    const int64_t last_ms = ((int64_t)BR_DAY_MAX + 1) * 86400000 - 1;
    return (note->time_ms >= 0 && note->time_ms <= last_ms) ||
           wrong(problem, "time", "%lld ms is outside the calendar", (long long)note->time_ms);
}

bool br_row_check(const br_schema *schema, const br_row *row, br_row_problem *problem)
{
    switch (row->kind) {
    case BR_ROW_SCHEMA:
        return (row->yaml != NULL && row->yaml_bytes > 0) || wrong(problem, "", "an empty schema");
    case BR_ROW_BOND:
        return check_bond(schema, row, problem);
    case BR_ROW_INVESTOR:
        return check_id(row->investor_id, "investor_id", problem) && check_day(row->day, "effective_from", problem) &&
               check_features(schema, row, problem);
    case BR_ROW_BID:
        return check_bid(row, problem);
    case BR_ROW_EXCLUSION:
        return check_id(row->bond_id, "bond_id", problem) && check_id(row->investor_id, "investor_id", problem) &&
               check_day(row->day, "effective_from", problem);
    case BR_ROW_CLOSE_DAY:
        return check_day(row->day, "day", problem);
    case BR_ROW_NOTE:
        return check_note(row, problem);
    case BR_ROW_KIND_END:
        break;
    }
    return wrong(problem, "", "a row of the unknown kind %d", (int)row->kind);
}
