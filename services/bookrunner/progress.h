#ifndef BOOKRUNNER_PROGRESS_H
#define BOOKRUNNER_PROGRESS_H

/// How far long work is, on stderr: one line that is drawn again on a terminal (after a second, ten times a second at most), else a line
/// every ten seconds.

#include "base/status.h"

typedef struct progress {
    const char *what; ///< "import"
    const char *unit; ///< "bytes"; "" = none
    int64_t started_ms;
    int64_t shown_ms;
    bool terminal;
    bool drawn; ///< a line stands on the terminal
} progress;

progress progress_start(const char *what, const char *unit);
/// rate: per second, or 0 to have it computed from `done`. text: said behind it, or NULL.
void progress_show(progress *p, uint64_t done, uint64_t total, double rate, const char *text);
/// Clear the line, so that what follows begins at the left.
void progress_end(progress *p);
/// Seconds since the start.
double progress_seconds(const progress *p);

#endif
