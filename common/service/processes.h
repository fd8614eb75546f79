#ifndef BR_SERVICE_PROCESSES_H
#define BR_SERVICE_PROCESSES_H

/// The processes of a data directory, as the supervisor and the system know them: for `bookrunner status` and for the desk.

#include "service/paths.h"

#define BR_MAX_PROCESSES 129 ///< the supervisor and its children

/// What the supervisor says of a process.
typedef struct br_process_state {
    char name[64];
    int pid;          ///< 0 when it does not run
    char state[16];   ///< "waiting" (to be started again), "starting", "ready", "stopping", "stopped"
    double started_s; ///< wall clock; 0 = not known
    unsigned restarts;
    char text[320]; ///< what it says of itself; "" when nothing, "not ready: WHY" when it cannot work
} br_process_state;

typedef struct br_process_facts {
    br_process_state state;
    char address[BR_PATH_BYTES]; ///< of its HTTP server; "" when it has not said
    double rss_mb;               ///< 0 when it does not run
    double peak_rss_mb;          ///< VmHWM
    double cpu_s;                ///< user and system
} br_process_facts;

/// DIR/run/status.json: what the supervisor says of its processes. It alone writes it, and replaces it whole. One process stands on one line, so that
/// reading it back needs no JSON library; quotes and backslashes of texts become apostrophes.
br_status br_process_states_write(const char *directory, const br_process_state *states, uint32_t n) BR_MUST_CHECK;
/// At most `max` processes; *n_out = 0 when there is no file. Errors: BR_ERR_IO.
br_status br_process_states_read(const char *directory, br_process_state *out, uint32_t max,
                                 uint32_t *n_out) BR_MUST_CHECK;

/// The supervisor (first, if it runs) and its processes as they are now, at most BR_MAX_PROCESSES; any thread may ask. Errors: BR_ERR_IO.
br_status br_processes_read(const char *directory, br_process_facts *out, uint32_t *n_out) BR_MUST_CHECK;

/// Resident memory of a process, now and at most. False when it does not run.
bool br_process_memory(int pid, double *rss_mb, double *peak_mb);
/// Where a process serves HTTP, as it wrote into DIR/run: "http://127.0.0.1:8080"; "" when it has not said.
void br_process_address(char out[BR_PATH_BYTES], const char *directory, const char *name);

#endif
