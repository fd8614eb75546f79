#include "input/moment.h"

#include "base/day.h"
#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

#define DAY_SECONDS  86400
#define FIRST_MOMENT (-62135596800) ///< the first second of the year 1
#define LAST_MOMENT  253402300799   ///< the last one of 9999
#define FIRST_MILLIS 100000000000   ///< BR_MOMENT_BY_SIZE: from here on milliseconds
#define MAX_DIGITS   15

static bool in_range(int64_t seconds)
{
    return seconds >= FIRST_MOMENT && seconds <= LAST_MOMENT;
}

/// -?[0-9]{1,15}. False: something else.
static bool parse_number(int64_t *out, const char *text, size_t n)
{
    size_t from = n > 0 && text[0] == '-' ? 1 : 0;
    int64_t value = 0;
    if (n == from || n - from > MAX_DIGITS) {
        return false;
    }
    for (size_t i = from; i < n; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        value = 10 * value + (text[i] - '0');
    }
    *out = from == 1 ? -value : value;
    return true;
}

static int64_t in_seconds(int64_t number, br_moment_unit unit)
{
    bool by_size = unit == BR_MOMENT_BY_SIZE && (number >= FIRST_MILLIS || number <= -FIRST_MILLIS);
    if (!by_size && unit != BR_MOMENT_MILLISECONDS) {
        return number;
    }
    return number / 1000 - (number % 1000 < 0 ? 1 : 0);
}

/// Exactly two digits, at most `most`, at *at, which moves behind them.
static bool take_two(int *out, const char *text, size_t n, size_t *at, int most)
{
    if (n - *at < 2 || text[*at] < '0' || text[*at] > '9' || text[*at + 1] < '0' || text[*at + 1] > '9') {
        return false;
    }
    *out = 10 * (text[*at] - '0') + text[*at + 1] - '0';
    *at += 2;
    return *out <= most;
}

static bool take_char(const char *text, size_t n, size_t *at, char c)
{
    bool is_there = *at < n && text[*at] == c;
    *at += is_there ? 1 : 0;
    return is_there;
}

/// HH:MM[:SS[.fraction]]
static bool take_clock(int64_t *seconds_out, const char *text, size_t n, size_t *at)
{
    int hours = 0;
    int minutes = 0;
    int seconds = 0;
    if (!take_two(&hours, text, n, at, 23) || !take_char(text, n, at, ':') || !take_two(&minutes, text, n, at, 59)) {
        return false;
    }
    if (take_char(text, n, at, ':')) {
        if (!take_two(&seconds, text, n, at, 59)) {
            return false;
        }
        if (take_char(text, n, at, '.')) {
            size_t from = *at;
            while (*at < n && text[*at] >= '0' && text[*at] <= '9') {
                *at += 1;
            }
            if (*at == from) {
                return false;
            }
        }
    }
    *seconds_out = 3600 * (int64_t)hours + 60 * (int64_t)minutes + seconds;
    return true;
}

/// Nothing, Z, or the distance from UTC.
static bool take_zone(int64_t *ahead_out, const char *text, size_t n, size_t *at)
{
    *ahead_out = 0;
    if (*at == n || take_char(text, n, at, 'Z')) {
        return true;
    }
    int hours = 0;
    int minutes = 0;
    bool behind = take_char(text, n, at, '-');
    if ((!behind && !take_char(text, n, at, '+')) || !take_two(&hours, text, n, at, 23)) {
        return false;
    }
    bool colon = take_char(text, n, at, ':');
    if ((colon || *at < n) && !take_two(&minutes, text, n, at, 59)) {
        return false;
    }
    *ahead_out = (behind ? -1 : 1) * (3600 * (int64_t)hours + 60 * (int64_t)minutes);
    return true;
}

static bool parse_written(int64_t *out, const char *text, size_t n)
{
    enum { DATE_BYTES = BR_DAY_TEXT - 1 };
    br_day day;
    if (n < DATE_BYTES || br_day_parse(&day, text, DATE_BYTES, NULL) != BR_OK) {
        return false;
    }
    size_t at = DATE_BYTES;
    int64_t clock = 0;
    int64_t ahead = 0;
    if (at < n) {
        bool parted = take_char(text, n, &at, 'T') || take_char(text, n, &at, ' ');
        if (!parted || !take_clock(&clock, text, n, &at) || !take_zone(&ahead, text, n, &at)) {
            return false;
        }
    }
    *out = DAY_SECONDS * (int64_t)day + clock - ahead;
    return at == n;
}

br_status br_moment_parse(int64_t *out, const char *text, size_t n, br_moment_unit unit)
{
    int64_t value = 0;
    bool good = parse_number(&value, text, n);
    if (good) {
        value = in_seconds(value, unit);
    } else {
        good = parse_written(&value, text, n);
    }
    if (!good || !in_range(value)) {
        return br_fail(
            BR_ERR_INVALID,
            "'%.*s' is not a time: whole seconds or milliseconds since 1970, YYYY-MM-DD, YYYY-MM-DD HH:MM:SS, or "
            "YYYY-MM-DDTHH:MM:SS with Z or +HH:MM",
            br_utf8_shown(text), text);
    }
    *out = value;
    return BR_OK;
}

const char *br_moment_text(int64_t seconds, char out[BR_MOMENT_TEXT])
{
    seconds = seconds < FIRST_MOMENT ? FIRST_MOMENT : seconds > LAST_MOMENT ? LAST_MOMENT : seconds;
    int64_t day = seconds / DAY_SECONDS - (seconds % DAY_SECONDS < 0 ? 1 : 0);
    unsigned rest = (unsigned)(seconds - DAY_SECONDS * day);
    char date[BR_DAY_TEXT];
    br_day_text((br_day)day, date);
    snprintf(out, BR_MOMENT_TEXT, "%.10sT%02u:%02u:%02uZ", date, rest / 3600 % 24, rest / 60 % 60, rest % 60);
    return out;
}
