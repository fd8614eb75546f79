#ifndef BOOKRUNNER_FINDINGS_H
#define BOOKRUNNER_FINDINGS_H

/// What `doctor` has found: one line per check.

#include "table.h"

typedef enum finding_level { FINDING_OK, FINDING_WARN, FINDING_FAIL } finding_level;

typedef struct findings {
    table t; ///< columns check, level, text
    size_t counts[3];
    char worst[240]; ///< the first line of the highest level
    finding_level highest;
} findings;

void findings_init(findings *f);
void findings_add(findings *f, finding_level level, const char *check, const char *format, ...) BR_PRINTF(4, 5);
exit_code findings_report(const findings *f, output_format format);
void findings_deinit(findings *f);

#endif
