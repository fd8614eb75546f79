#ifndef BOOKRUNNER_ASK_H
#define BOOKRUNNER_ASK_H

/// A request to a service, its progress, and its report.

#include "base/alloc.h"
#include "cli.h"
#include "codec/control.h"

typedef struct question {
    const char *service; ///< endpoint of DIR/run: "trainer"
    br_message_type type;
    const br_buf *body;
    bool quiet; ///< show no progress
} question;

/// Ask and wait for the report, which lives in `arena`. When nothing was heard for 10 s the request is sent again every 5 s (a request may arrive
/// twice), and after --timeout seconds of silence the service counts as unreachable.
/// Every failure has been said on stderr when the code is not EXIT_CODE_OK; a report that says "not ok" is EXIT_CODE_FAILED.
exit_code ask(const arguments *args, const question *q, br_arena *arena, br_report *out);

/// Number of a figure, or NAN.
double report_number(const br_report *report, const char *name);
/// Text of a figure, or "".
const char *report_text(const br_report *report, const char *name);
/// The figures as a record in the asked form.
exit_code report_print(const br_report *report, output_format format);

#endif
