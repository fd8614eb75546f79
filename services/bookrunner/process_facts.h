#ifndef BOOKRUNNER_PROCESS_FACTS_H
#define BOOKRUNNER_PROCESS_FACTS_H

#include "state_file.h"

#define MAX_PROCESSES 129 ///< the supervisor and its children

typedef struct process_facts {
    process_state state;
    char address[BR_PATH_BYTES];
    double rss_mb;      ///< 0 when it does not run
    double peak_rss_mb; ///< VmHWM
} process_facts;

/// The supervisor (first, if it runs) and its processes as they are now. Errors: BR_ERR_IO.
br_status process_facts_read(const char *directory, process_facts *out, uint32_t *n_out) BR_MUST_CHECK;

/// Resident memory of a process, now and at most. False when it does not run.
bool process_memory(int pid, double *rss_mb, double *peak_mb);

#endif
