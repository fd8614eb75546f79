#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char log_stage[64] = "-";
static br_log_level log_level = BR_LOG_INFO;
static bool log_journal;

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static const int level_priorities[] = {7, 6, 4, 3};

void br_log_open(const char *stage, br_log_level level)
{
    snprintf(log_stage, sizeof log_stage, "%s", stage);
    log_level = level;
    log_journal = getenv("JOURNAL_STREAM") != NULL;
}

static void clean(char *text)
{
    for (char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            *c = '?';
        }
    }
}

void br_log(br_log_level level, const char *event, const char *format, ...)
{
    if (level < log_level) {
        return;
    }
    char message[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    clean(message);

    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct tm parts;
    gmtime_r(&now.tv_sec, &parts);
    char line[2400];
    char prefix[8] = "";
    if (log_journal) {
        snprintf(prefix, sizeof prefix, "<%d>", level_priorities[level]);
    }
    int n = snprintf(line, sizeof line, "%sts=%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ level=%s stage=%s event=%s%s%s\n",
                     prefix, parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min,
                     parts.tm_sec, now.tv_nsec / 1000000, level_names[level], log_stage, event,
                     message[0] == '\0' ? "" : " ", message);
    if (n > 0) {
        size_t length = (size_t)n < sizeof line ? (size_t)n : sizeof line - 1;
        line[length - 1] = '\n';
        // One write per line, so that lines of several processes on one terminal do not mix.
        ssize_t written = write(STDERR_FILENO, line, length);
        (void)written; // nowhere left to report to
    }
}
