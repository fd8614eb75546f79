#ifndef BR_BASE_DAY_H
#define BR_BASE_DAY_H

/// Calendar days as numbers: days since 1970-01-01 in the market's own zone. Days come from data, never from
/// a clock.

#include "base/status.h"

typedef int32_t br_day;

#define BR_DAY_NONE ((br_day)INT32_MIN) ///< no day given
#define BR_DAY_MAX  ((br_day)2932896)   ///< 9999-12-31
#define BR_DAY_TEXT 11                  ///< bytes of "YYYY-MM-DD" with its NUL

/// Parse "YYYY-MM-DD", or `format` as strptime(3) reads it when not NULL. The whole text must match and the
/// day must exist. Errors: BR_ERR_INVALID.
br_status br_day_parse(br_day *out, const char *text, size_t n, const char *format) BR_MUST_CHECK;
/// "YYYY-MM-DD", or "-" for BR_DAY_NONE; returns `out`.
const char *br_day_text(br_day day, char out[BR_DAY_TEXT]);
br_day br_day_from_civil(int year, unsigned month, unsigned day_of_month);
void br_day_to_civil(br_day day, int *year_out, unsigned *month_out, unsigned *day_of_month_out);
/// 0 = Monday ... 6 = Sunday.
unsigned br_day_weekday(br_day day);

#endif
