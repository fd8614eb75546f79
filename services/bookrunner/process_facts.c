#include "process_facts.h"

#include "address.h"

#include <stdio.h>
#include <string.h>

bool process_memory(int pid, double *rss_mb, double *peak_mb)
{
    char path[64];
    char line[256];
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *file = pid > 0 ? fopen(path, "re") : NULL;
    if (file == NULL) {
        return false;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        double kb = 0;
        if (sscanf(line, "VmRSS: %lf kB", &kb) == 1) {
            *rss_mb = kb / 1024.0;
        } else if (sscanf(line, "VmHWM: %lf kB", &kb) == 1) {
            *peak_mb = kb / 1024.0;
        }
    }
    fclose(file);
    return true;
}

br_status process_facts_read(const char *directory, process_facts *out, uint32_t *n_out)
{
    static process_state states[MAX_PROCESSES - 1];
    uint32_t n_states = 0;
    int supervisor = 0;
    *n_out = 0;
    br_status status = br_process_holder(directory, "supervisor", &supervisor);
    if (status == BR_OK && supervisor != 0) {
        out[(*n_out)++] = (process_facts){.state = {.name = "supervisor", .pid = supervisor, .state = "ready"}};
        status = state_file_read(directory, states, MAX_PROCESSES - 1, &n_states);
    }
    for (uint32_t i = 0; i < n_states; i++) {
        out[*n_out] = (process_facts){.state = states[i]};
        process_address(out[*n_out].address, directory, states[i].name);
        (*n_out)++;
    }
    for (uint32_t i = 0; i < *n_out; i++) {
        process_memory(out[i].state.pid, &out[i].rss_mb, &out[i].peak_rss_mb);
    }
    return status;
}
