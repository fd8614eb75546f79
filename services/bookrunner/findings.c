#include "findings.h"

#include <stdarg.h>

static const char *const level_names[] = {"ok", "warn", "fail"};

void findings_init(findings *f)
{
    static const char *const columns[] = {"check", "level", "text"};
    *f = (findings){.t = {.columns = columns, .n_columns = 3}};
}

void findings_add(findings *f, finding_level level, const char *check, const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    table_text(&f->t, check);
    table_text(&f->t, level_names[level]);
    table_text(&f->t, text);
    f->counts[level]++;
    if (level > f->highest) {
        f->highest = level;
        snprintf(f->worst, sizeof f->worst, "%.40s: %.180s", check, text);
    }
}

exit_code findings_report(const findings *f, output_format format)
{
    if (format == FORMAT_NAGIOS) {
        // A monitoring plugin's own codes: 0 ok, 1 warning, 2 critical.
        static const char *const words[] = {"OK", "WARNING", "CRITICAL"};
        printf("BOOKRUNNER %s - %zu ok, %zu warnings, %zu failures%s%s\n", words[f->highest], f->counts[0],
               f->counts[1], f->counts[2], f->highest == FINDING_OK ? "" : "; ", f->worst);
        return (exit_code)f->highest;
    }
    exit_code code = table_print(&f->t, format, stdout);
    return code == EXIT_CODE_OK && f->highest == FINDING_FAIL ? EXIT_CODE_CHECK : code;
}

void findings_deinit(findings *f)
{
    table_deinit(&f->t);
}
