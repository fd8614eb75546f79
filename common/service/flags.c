#include "base/version.h"
#include "service/internal.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_DIRECTORY "./bookrunner-data"

typedef enum flag_number { FLAG_DIR, FLAG_NAME, FLAG_LOG_LEVEL, FLAG_HELP, FLAG_VERSION, N_FLAGS } flag_number;

typedef struct flag {
    const char *name;
    const char *letter; // NULL = none
    const char *value;  // what it takes, NULL = nothing
    const char *help;
} flag;

static const flag flags_known[N_FLAGS] = {
    [FLAG_DIR] = {"--dir", NULL, "DIR", "data directory (environment BOOKRUNNER_DIR, default " DEFAULT_DIRECTORY ")"},
    [FLAG_NAME] = {"--name", NULL, "NAME", "which of several in one directory, a number from 1 as a rule"},
    [FLAG_LOG_LEVEL] = {"--log-level", NULL, "LEVEL", "debug, info, warn or error (default info)"},
    [FLAG_HELP] = {"--help", "-h", NULL, "say this"},
    [FLAG_VERSION] = {"--version", "-V", NULL, "say what was built"},
};

static const char *const level_names[] = {
    [BR_LOG_DEBUG] = "debug", [BR_LOG_INFO] = "info", [BR_LOG_WARN] = "warn", [BR_LOG_ERROR] = "error"};

static void say_help(br_buf *out, const br_service_definition *definition)
{
    br_buf_printf(out, "bookrunner-%s --dir ./bookrunner-data%s\n\n%s.\n\nUsage: bookrunner-%s [FLAGS]\n",
                  definition->name, definition->many ? " --name 1" : "", definition->description, definition->name);
    for (size_t i = 0; i < N_FLAGS; i++) {
        const flag *f = &flags_known[i];
        if (i == FLAG_NAME && !definition->many) {
            continue;
        }
        char left[48];
        snprintf(left, sizeof left, "%s%s%s%s%s", f->letter == NULL ? "" : f->letter, f->letter == NULL ? "" : ", ",
                 f->name, f->value == NULL ? "" : " ", f->value == NULL ? "" : f->value);
        br_buf_printf(out, "  %-20s %s\n", left, f->help);
    }
    br_buf_string(out,
                  "\nSIGTERM and SIGINT stop it in an orderly way. Settings: DIR/bookrunner.yaml and BOOKRUNNER_*.\n"
                  "Exit codes: 0 stopped as asked, 1 failed, 2 wrong usage, 4 something needed is not reachable.\n");
}

// Number of insertions, deletions and replacements between two short texts.
static size_t distance(const char *a, const char *b)
{
    size_t n = strlen(b);
    size_t row[32];
    if (n >= sizeof row / sizeof row[0]) {
        return n;
    }
    for (size_t j = 0; j <= n; j++) {
        row[j] = j;
    }
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t corner = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t change = corner + (a[i - 1] != b[j - 1]);
            size_t step = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            corner = row[j];
            row[j] = change < step ? change : step;
        }
    }
    return row[n];
}

static void say_unknown(br_buf *err, const char *argument, const br_service_definition *definition)
{
    char name[32];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(argument, "="), argument);
    const char *nearest = NULL;
    size_t least = 4; // farther away it is no typing error
    for (size_t i = 0; i < N_FLAGS; i++) {
        size_t d = distance(name, flags_known[i].name);
        if (d < least && (i != FLAG_NAME || definition->many)) {
            least = d;
            nearest = flags_known[i].name;
        }
    }
    br_buf_printf(err, "bookrunner-%s: unknown %s \"%.80s\"", definition->name,
                  argument[0] == '-' ? "flag" : "argument", argument);
    if (nearest != NULL && argument[0] == '-') {
        br_buf_printf(err, ", did you mean %s?", nearest);
    }
    br_buf_printf(err, " See bookrunner-%s --help.\n", definition->name);
}

static flag_number find_flag(const char *argument, const br_service_definition *definition, const char **value_out)
{
    size_t n = strcspn(argument, "=");
    *value_out = argument[n] == '=' ? argument + n + 1 : NULL;
    for (size_t i = 0; i < N_FLAGS; i++) {
        const flag *f = &flags_known[i];
        bool same = strncmp(argument, f->name, n) == 0 && f->name[n] == '\0';
        bool short_form = f->letter != NULL && strcmp(argument, f->letter) == 0;
        bool fits = f->value != NULL || *value_out == NULL;
        if ((same || short_form) && fits && (i != FLAG_NAME || definition->many)) {
            return (flag_number)i;
        }
    }
    return N_FLAGS;
}

static bool set_level(br_flags *flags, const char *text)
{
    for (size_t i = 0; i < sizeof level_names / sizeof level_names[0]; i++) {
        if (strcmp(text, level_names[i]) == 0) {
            flags->level = (br_log_level)i;
            return true;
        }
    }
    return false;
}

// A name becomes part of file names.
static bool set_name(br_flags *flags, const char *text)
{
    size_t n = strlen(text);
    if (n == 0 || n >= sizeof flags->name / 2 ||
        strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != n) {
        return false;
    }
    memcpy(flags->name, text, n + 1);
    return true;
}

static bool set_directory(br_flags *flags, const char *text)
{
    size_t n = strlen(text);
    if (n == 0 || n >= sizeof flags->directory) {
        return false;
    }
    memcpy(flags->directory, text, n + 1);
    return true;
}

static bool set_flag(br_flags *flags, flag_number number, const char *value)
{
    switch (number) {
    case FLAG_DIR:
        return set_directory(flags, value);
    case FLAG_NAME:
        return set_name(flags, value);
    case FLAG_LOG_LEVEL:
        return set_level(flags, value);
    case FLAG_HELP:
    case FLAG_VERSION:
    case N_FLAGS:
        break;
    }
    return false;
}

static bool refuse(br_buf *err, const br_service_definition *definition, const char *what, const char *value)
{
    if (value == NULL) {
        br_buf_printf(err, "bookrunner-%s: %s needs a value. See bookrunner-%s --help.\n", definition->name, what,
                      definition->name);
    } else {
        br_buf_printf(err, "bookrunner-%s: %s cannot be \"%.80s\". See bookrunner-%s --help.\n", definition->name, what,
                      value, definition->name);
    }
    return false;
}

static bool take_environment(br_flags *flags, const br_service_definition *definition, br_buf *err)
{
    const char *directory = getenv("BOOKRUNNER_DIR");
    const char *level = getenv("BOOKRUNNER_LOG_LEVEL");
    if (!set_directory(flags, directory == NULL ? DEFAULT_DIRECTORY : directory)) {
        return refuse(err, definition, "BOOKRUNNER_DIR", directory);
    }
    if (level != NULL && !set_level(flags, level)) {
        return refuse(err, definition, "BOOKRUNNER_LOG_LEVEL", level);
    }
    return true;
}

bool br_flags_parse(br_flags *flags, int argc, char **argv, const br_service_definition *definition, br_buf *out,
                    br_buf *err, int *code_out)
{
    *flags = (br_flags){.level = BR_LOG_INFO};
    *code_out = 2;
    if (!take_environment(flags, definition, err)) {
        return false;
    }
    for (int i = 1; i < argc; i++) {
        const char *value;
        flag_number number = find_flag(argv[i], definition, &value);
        if (number == FLAG_HELP || number == FLAG_VERSION) {
            *code_out = 0;
            if (number == FLAG_HELP) {
                say_help(out, definition);
            } else {
                br_buf_printf(out, "bookrunner-%s %s (commit %s, %s, libmicrohttpd %s)\n", definition->name, BR_VERSION,
                              BR_COMMIT, br_transport_describe(), MHD_get_version());
            }
            return false;
        }
        if (number == N_FLAGS) {
            say_unknown(err, argv[i], definition);
            return false;
        }
        if (value == NULL && i + 1 < argc) {
            value = argv[++i];
        }
        if (value == NULL || !set_flag(flags, number, value)) {
            return refuse(err, definition, flags_known[number].name, value);
        }
    }
    if (definition->many && flags->name[0] == '\0') {
        return refuse(err, definition, "--name", NULL);
    }
    *code_out = 0;
    return true;
}
