#include "base/day.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

// The proleptic Gregorian calendar in 400-year cycles that start in March, so that leap days come last.
br_day br_day_from_civil(int year, unsigned month, unsigned day_of_month)
{
    year -= month <= 2;
    int era = (year >= 0 ? year : year - 399) / 400;
    unsigned year_of_era = (unsigned)(year - era * 400);
    unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day_of_month - 1;
    unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + (int)day_of_era - 719468;
}

void br_day_to_civil(br_day day, int *year_out, unsigned *month_out, unsigned *day_of_month_out)
{
    int shifted = day + 719468;
    int era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    unsigned day_of_era = (unsigned)(shifted - era * 146097);
    unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned shifted_month = (5 * day_of_year + 2) / 153;
    *day_of_month_out = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    *month_out = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
    *year_out = (int)year_of_era + era * 400 + (*month_out <= 2);
}

unsigned br_day_weekday(br_day day)
{
    return (unsigned)(((day + 3) % 7 + 7) % 7); // 1970-01-01 was a Thursday
}

static bool exists(int year, unsigned month, unsigned day_of_month)
{
    if (year < 1 || year > 9999 || month < 1 || month > 12 || day_of_month < 1) {
        return false;
    }
    int back_year;
    unsigned back_month, back_day;
    br_day_to_civil(br_day_from_civil(year, month, day_of_month), &back_year, &back_month, &back_day);
    return back_year == year && back_month == month && back_day == day_of_month;
}

static bool digits(const char *text, size_t n, int *out)
{
    int value = 0;
    for (size_t i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        value = value * 10 + (text[i] - '0');
    }
    *out = value;
    return true;
}

br_status br_day_parse(br_day *out, const char *text, size_t n, const char *format)
{
    int year = 0, month = 0, day_of_month = 0;
    bool good;
    if (format == NULL) {
        good = n == 10 && text[4] == '-' && text[7] == '-' && digits(text, 4, &year) && digits(text + 5, 2, &month) &&
               digits(text + 8, 2, &day_of_month);
    } else {
        char copy[64];
        struct tm parts = {0};
        good = n < sizeof copy;
        if (good) {
            memcpy(copy, text, n);
            copy[n] = '\0';
            const char *end = strptime(copy, format, &parts);
            good = end != NULL && *end == '\0' && strlen(copy) == n;
            year = parts.tm_year + 1900;
            month = parts.tm_mon + 1;
            day_of_month = parts.tm_mday;
        }
    }
    if (!good || !exists(year, (unsigned)month, (unsigned)day_of_month)) {
        return br_fail(BR_ERR_INVALID, "\"%.*s\" is not a day in the form %s", (int)(n > 40 ? 40 : n), text,
                       format == NULL ? "YYYY-MM-DD" : format);
    }
    *out = br_day_from_civil(year, (unsigned)month, (unsigned)day_of_month);
    return BR_OK;
}

const char *br_day_text(br_day day, char out[BR_DAY_TEXT])
{
    if (day == BR_DAY_NONE || day > BR_DAY_MAX || day < -719162) {
        out[0] = '-';
        out[1] = '\0';
        return out;
    }
    int year;
    unsigned month, day_of_month;
    br_day_to_civil(day, &year, &month, &day_of_month);
    snprintf(out, BR_DAY_TEXT, "%04u-%02u-%02u", (unsigned)year % 10000, month % 100, day_of_month % 100);
    return out;
}
