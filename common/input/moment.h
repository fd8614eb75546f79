#ifndef BR_INPUT_MOMENT_H
#define BR_INPUT_MOMENT_H

/// Times as tables of transactions write them, as seconds since 1970 (UTC).
///
///   964982703, 964982703000                     whole seconds or milliseconds since 1970
///   2019-08-12                                  midnight
///   2019-08-12 09:30:00, 2019-08-12T09:30       a blank or T between; seconds and their fraction may be missing
///   2019-08-12T09:30:00.250Z, ...+02:00, ...-05 Z or the distance from UTC, as hours, HHMM or HH:MM
///
/// Choice: without Z and distance a time is UTC. A fraction of a second is dropped, towards the past.

#include "base/status.h"

typedef enum br_moment_unit {
    BR_MOMENT_BY_SIZE, ///< numbers of 100,000,000,000 and more (seconds of the year 5138) are milliseconds, and so below zero
    BR_MOMENT_SECONDS,
    BR_MOMENT_MILLISECONDS
} br_moment_unit;

/// The whole of text[0..n), behind which stands a NUL, must be a time of the years 1 to 9999; `unit` is of numbers. Errors: BR_ERR_INVALID
/// with the forms that are read.
br_status br_moment_parse(int64_t *out, const char *text, size_t n, br_moment_unit unit) BR_MUST_CHECK;

#define BR_MOMENT_TEXT 21 ///< bytes of "2019-08-12T09:30:00Z" with its NUL
/// Returns `out`. A time before the year 1 or behind 9999 is shown as the nearest one of these.
const char *br_moment_text(int64_t seconds, char out[BR_MOMENT_TEXT]);

#endif
