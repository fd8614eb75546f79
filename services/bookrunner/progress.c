#include "progress.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_MS    1000
#define TERMINAL_MS 100
#define PLAIN_MS    10000

progress progress_start(const char *what, const char *unit)
{
    const char *term = getenv("TERM");
    bool dumb = term != NULL && strcmp(term, "dumb") == 0;
    return (progress){
        .what = what, .unit = unit, .started_ms = br_clock_ms(), .terminal = isatty(STDERR_FILENO) == 1 && !dumb};
}

double progress_seconds(const progress *p)
{
    return (double)(br_clock_ms() - p->started_ms) / 1000.0;
}

static bool is_time(const progress *p)
{
    int64_t now = br_clock_ms();
    if (p->terminal) {
        return now - p->started_ms >= FIRST_MS && now - p->shown_ms >= TERMINAL_MS;
    }
    int64_t last = p->shown_ms == 0 ? p->started_ms : p->shown_ms;
    return now - last >= PLAIN_MS;
}

static void seconds_text(char out[32], double seconds)
{
    if (seconds >= 3600) {
        snprintf(out, 32, "%.0f h %02d min", seconds / 3600 - 0.5, (int)(seconds / 60) % 60);
    } else if (seconds >= 60) {
        snprintf(out, 32, "%d min %02d s", (int)(seconds / 60) % 60, (int)seconds % 60);
    } else {
        snprintf(out, 32, "%.0f s", seconds);
    }
}

void progress_show(progress *p, uint64_t done, uint64_t total, double rate, const char *text)
{
    if (!is_time(p)) {
        return;
    }
    p->shown_ms = br_clock_ms();
    double seconds = progress_seconds(p);
    double per_s = rate > 0 ? rate : seconds > 0 ? (double)done / seconds : 0;
    char line[400];
    int n = snprintf(line, sizeof line, "%s", p->what);
    if (total > 0) {
        double share = (double)done / (double)total;
        n += snprintf(line + n, sizeof line - (size_t)n, "  %3.0f %%  %llu of %llu %s", 100.0 * (share > 1 ? 1 : share),
                      (unsigned long long)done, (unsigned long long)total, p->unit);
    } else if (done > 0) {
        n += snprintf(line + n, sizeof line - (size_t)n, "  %llu %s", (unsigned long long)done, p->unit);
    }
    if (per_s > 0) {
        n += snprintf(line + n, sizeof line - (size_t)n, "  %.*f/s", per_s < 100 ? 1 : 0, per_s);
    }
    if (per_s > 0 && total > done) {
        char left[32];
        seconds_text(left, (double)(total - done) / per_s);
        n += snprintf(line + n, sizeof line - (size_t)n, "  %s left", left);
    }
    if (text != NULL && text[0] != '\0') {
        snprintf(line + n, sizeof line - (size_t)n, "  %.100s", text);
    }
    fprintf(stderr, p->terminal ? "\r\033[K%s" : "%s\n", line);
    p->drawn = p->terminal;
}

void progress_end(progress *p)
{
    if (p->drawn) {
        fprintf(stderr, "\r\033[K");
        p->drawn = false;
    }
}
