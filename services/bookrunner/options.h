#ifndef BOOKRUNNER_OPTIONS_H
#define BOOKRUNNER_OPTIONS_H

/// The options of all commands in one table.

#include "cli.h"

typedef enum option_kind {
    OPTION_FLAG,
    OPTION_TEXT,
    OPTION_WHOLE,  ///< uint64_t
    OPTION_NUMBER, ///< double
    OPTION_DAY,
    OPTION_FORMAT ///< one of the choices, which are output_format in order
} option_kind;

typedef struct option_spec {
    const char *name;
    const char *value; ///< how help calls its value, or the choices with | between; NULL for a flag
    option_kind kind;
    size_t offset; ///< in arguments
    size_t given;  ///< offset of the bool that says it was given; 0 = none
    const char *help;
} option_spec;

/// Option with this name among those that `accepted` lists, or NULL.
const option_spec *option_find(const char *accepted, const char *name);
/// The i-th accepted option, or NULL behind the last. accepted: NULL = all there are.
const option_spec *option_at(const char *accepted, int i);

/// Fill `out` from argv[0..argc) (without program and command). Options and words may mix; "--" ends the options. *help_out: -h or --help was there.
/// Errors: BR_ERR_INVALID with what is wrong and, for a misspelt option, the nearest one.
br_status options_parse(arguments *out, const char *accepted, int argc, char **argv, bool *help_out) BR_MUST_CHECK;

/// The value of a whole number where 32 bits are enough for any that is meant: larger ones are the largest, and refused like it.
static inline uint32_t option_u32(uint64_t value)
{
    return value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
}

/// The name nearest to `typed` among names[0..n), or NULL when none is near enough to be meant.
const char *nearest_name(const char *typed, const char *const *names, size_t n);

#endif
