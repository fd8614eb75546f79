#include "input/columns.h"

#include "base/alloc.h"
#include "base/utf8.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const br_column bond_columns[] = {
    {"bond_id", BR_TARGET_BOND_ID, true, 0},
    {"issuer_id", BR_TARGET_ISSUER_ID, true, 0},
    {"announce_date", BR_TARGET_ANNOUNCE_DATE, true, 0},
    {"issue_date", BR_TARGET_ISSUE_DATE, true, 0},
    {"revision", BR_TARGET_REVISION, false, 0},
    {"cancelled", BR_TARGET_CANCELLED, false, 0},
};
static const br_column investor_columns[] = {
    {"investor_id", BR_TARGET_INVESTOR_ID, true, 0},
    {"effective_from", BR_TARGET_DAY, true, 0},
    {"revision", BR_TARGET_REVISION, false, 0},
    {"cancelled", BR_TARGET_CANCELLED, false, 0},
};
static const br_column bid_columns[] = {
    {"bid_id", BR_TARGET_BID_ID, true, 0},           {"bond_id", BR_TARGET_BOND_ID, true, 0},
    {"investor_id", BR_TARGET_INVESTOR_ID, true, 0}, {"bid_date", BR_TARGET_DAY, true, 0},
    {"amount", BR_TARGET_AMOUNT, false, 0},          {"rate", BR_TARGET_RATE, false, 0},
    {"known_from", BR_TARGET_KNOWN_FROM, false, 0},  {"revision", BR_TARGET_REVISION, false, 0},
    {"cancelled", BR_TARGET_CANCELLED, false, 0},
};
static const br_column exclusion_columns[] = {
    {"bond_id", BR_TARGET_BOND_ID, true, 0},      {"investor_id", BR_TARGET_INVESTOR_ID, true, 0},
    {"effective_from", BR_TARGET_DAY, true, 0},   {"revision", BR_TARGET_REVISION, false, 0},
    {"cancelled", BR_TARGET_CANCELLED, false, 0},
};

static const br_column *fixed_columns(br_row_kind kind, uint32_t *n_out)
{
    switch (kind) {
    case BR_ROW_BOND:
        *n_out = sizeof bond_columns / sizeof bond_columns[0];
        return bond_columns;
    case BR_ROW_INVESTOR:
        *n_out = sizeof investor_columns / sizeof investor_columns[0];
        return investor_columns;
    case BR_ROW_BID:
        *n_out = sizeof bid_columns / sizeof bid_columns[0];
        return bid_columns;
    case BR_ROW_EXCLUSION:
        *n_out = sizeof exclusion_columns / sizeof exclusion_columns[0];
        return exclusion_columns;
    case BR_ROW_SCHEMA:
    case BR_ROW_CLOSE_DAY:
    case BR_ROW_NOTE:
    case BR_ROW_KIND_END:
        break;
    }
    br_assert(false && "rows of this kind have no columns");
    return NULL;
}

/// Fill list and index from the fixed columns and the features.
static br_status fill(br_columns *columns, const br_column *fixed, uint32_t n_fixed, uint32_t n_features)
{
    for (uint32_t i = 0; i < columns->n; i++) {
        columns->list[i] = i < n_fixed ? fixed[i]
                                       : (br_column){.name = columns->features[i - n_fixed].name,
                                                     .target = BR_TARGET_FEATURE,
                                                     .required = true,
                                                     .feature = i - n_fixed};
        const char *name = columns->list[i].name;
        uint32_t number;
        bool added;
        br_status status = br_index_add(columns->by_name, name, strlen(name), &number, &added);
        if (status != BR_OK) {
            return status;
        }
        if (!added) {
            return br_fail(BR_ERR_INVALID, "the feature \"%s\" has the name of a column that every %s has", name,
                           br_row_kind_name(columns->kind));
        }
    }
    br_assert(columns->n == n_fixed + n_features);
    return BR_OK;
}

br_status br_columns_init(br_columns *columns, br_row_kind kind, const br_schema *schema)
{
    br_assert(columns != NULL && schema != NULL);
    uint32_t n_fixed;
    const br_column *fixed = fixed_columns(kind, &n_fixed);
    uint32_t n_features = 0;
    *columns = (br_columns){.kind = kind, .schema = schema};
    if (kind == BR_ROW_BOND) {
        columns->features = schema->bond_features;
        n_features = schema->n_bond_features;
    } else if (kind == BR_ROW_INVESTOR) {
        columns->features = schema->investor_features;
        n_features = schema->n_investor_features;
    }
    columns->n = n_fixed + n_features;
    columns->list = br_calloc(columns->n, sizeof *columns->list);
    br_status status = columns->list == NULL ? br_no_memory("columns", columns->n) : br_index_new(&columns->by_name);
    if (status == BR_OK) {
        status = fill(columns, fixed, n_fixed, n_features);
    }
    if (status != BR_OK) {
        br_columns_deinit(columns);
    }
    return status;
}

uint32_t br_columns_find(const br_columns *columns, const char *name, size_t n)
{
    return br_index_find(columns->by_name, name, n);
}

void br_columns_deinit(br_columns *columns)
{
    br_index_free(&columns->by_name);
    br_free(columns->list);
    *columns = (br_columns){0};
}

void br_problem_set(br_row_problem *problem, const char *column, const char *format, ...)
{
    size_t n = strlen(column);
    if (n > BR_MAX_ID_BYTES) {
        n = BR_MAX_ID_BYTES;
        while (n > 0 && ((unsigned char)column[n] & 0xC0) == 0x80) {
            n -= 1;
        }
    }
    memcpy(problem->column, column, n);
    problem->column[n] = '\0';
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(problem->reason, sizeof problem->reason, format, arguments);
    va_end(arguments);
}

void br_row_start(br_row *row, const br_columns *columns, const br_named_value *features)
{
    *row = (br_row){
        .kind = columns->kind,
        .announce_day = BR_DAY_NONE,
        .issue_day = BR_DAY_NONE,
        .day = BR_DAY_NONE,
        .known_from = BR_DAY_NONE,
        .amount = BR_AMOUNT_NONE,
        .rate = (double)NAN,
        .features = features,
    };
}

static bool set_day(br_day *day, const br_columns *columns, const br_column *column, const char *text,
                    br_row_problem *problem)
{
    const char *format = columns->schema->date_format;
    if (text[0] == '\0') {
        return true;
    }
    if (br_day_parse(day, text, strlen(text), format) != BR_OK) {
        br_problem_set(problem, column->name, "\"%.*s\" is not a day in the form %s", br_utf8_shown(text), text,
                       format == NULL ? "YYYY-MM-DD" : format);
        return false;
    }
    return true;
}

static bool set_amount(br_row *row, const br_column *column, const char *text, br_row_problem *problem)
{
    br_status status = text[0] == '\0' ? BR_OK : br_amount_parse(&row->amount, text, strlen(text));
    if (status != BR_OK) {
        br_problem_set(problem, column->name, "%s", br_why(status));
    }
    return status == BR_OK;
}

static bool set_rate(br_row *row, const br_column *column, const char *text, br_row_problem *problem)
{
    br_status status = text[0] == '\0' ? BR_OK : br_number_parse(&row->rate, text, strlen(text));
    if (status != BR_OK) {
        br_problem_set(problem, column->name, "%s", br_why(status));
    }
    return status == BR_OK;
}

static bool set_revision(br_row *row, const br_column *column, const char *text, br_row_problem *problem)
{
    if (text[0] == '\0') {
        return true;
    }
    errno = 0;
    unsigned long long value = strtoull(text, NULL, 10);
    if (strspn(text, "0123456789") != strlen(text) || errno != 0) {
        br_problem_set(problem, column->name, "\"%.*s\" is not a whole number from 0 on", br_utf8_shown(text), text);
        return false;
    }
    row->revision = value;
    return true;
}

static bool set_cancelled(br_row *row, const br_column *column, const char *text, br_row_problem *problem)
{
    static const char *const yes[] = {"1", "true", "yes", "y"};
    static const char *const no[] = {"", "0", "false", "no", "n"};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        if (strcasecmp(text, yes[i]) == 0) {
            row->cancelled = true;
            return true;
        }
    }
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
        if (strcasecmp(text, no[i]) == 0) {
            return true;
        }
    }
    br_problem_set(problem, column->name, "\"%.*s\" is neither 1 nor 0", br_utf8_shown(text), text);
    return false;
}

bool br_row_set(br_row *row, br_named_value *features, const br_columns *columns, uint32_t column, const char *text,
                br_row_problem *problem)
{
    br_assert(column < columns->n);
    const br_column *what = &columns->list[column];
    switch (what->target) {
    case BR_TARGET_BID_ID:
        row->bid_id = text;
        return true;
    case BR_TARGET_BOND_ID:
        row->bond_id = text;
        return true;
    case BR_TARGET_ISSUER_ID:
        row->issuer_id = text;
        return true;
    case BR_TARGET_INVESTOR_ID:
        row->investor_id = text;
        return true;
    case BR_TARGET_ANNOUNCE_DATE:
        return set_day(&row->announce_day, columns, what, text, problem);
    case BR_TARGET_ISSUE_DATE:
        return set_day(&row->issue_day, columns, what, text, problem);
    case BR_TARGET_DAY:
        return set_day(&row->day, columns, what, text, problem);
    case BR_TARGET_KNOWN_FROM:
        return set_day(&row->known_from, columns, what, text, problem);
    case BR_TARGET_AMOUNT:
        return set_amount(row, what, text, problem);
    case BR_TARGET_RATE:
        return set_rate(row, what, text, problem);
    case BR_TARGET_REVISION:
        return set_revision(row, what, text, problem);
    case BR_TARGET_CANCELLED:
        return set_cancelled(row, what, text, problem);
    case BR_TARGET_FEATURE:
        features[row->n_features++] = (br_named_value){what->name, text};
        return true;
    }
    br_assert(false && "a column stands for nothing");
    return false;
}
