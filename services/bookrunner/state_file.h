#ifndef BOOKRUNNER_STATE_FILE_H
#define BOOKRUNNER_STATE_FILE_H

/// DIR/run/status.json: what the supervisor says of its processes, for `status`. The supervisor alone writes it, and replaces it whole. One process
/// stands on one line, so that reading it back needs no JSON library.

#include "child.h"

br_status state_file_write(const char *directory, const child *children, uint32_t n) BR_MUST_CHECK;

typedef struct process_state {
    char name[64];
    int pid;
    char state[16];
    double started_s;
    unsigned restarts;
    char text[320]; ///< what it says of itself; "" when nothing
} process_state;

/// At most `max` processes; *n_out = 0 when there is no file. Errors: BR_ERR_IO.
br_status state_file_read(const char *directory, process_state *out, uint32_t max, uint32_t *n_out) BR_MUST_CHECK;

#endif
