#include "service/processes.h"

#include "base/buf.h"
#include "service/whole_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATH_BYTES (2 * BR_PATH_BYTES)
#define LINE                                                                                                           \
    "  {\"name\": \"%63[^\"]\", \"pid\": %d, \"state\": \"%15[^\"]\", \"started_s\": %lf, \"restarts\": %u, "          \
    "\"text\": \"%319[^\"]\""

// --- the supervisor's file ---

static void plain_text(char *text)
{
    for (; *text != '\0'; text++) {
        *text = *text == '"' || *text == '\\' ? '\'' : *text;
    }
}

br_status br_process_states_write(const char *directory, const br_process_state *states, uint32_t n)
{
    BR_AUTO_DEINIT(br_buf) out = {0};
    br_buf_printf(&out, "{\"pid\": %d, \"processes\": [\n", (int)getpid());
    for (uint32_t i = 0; i < n; i++) {
        br_process_state p = states[i];
        plain_text(p.text);
        br_buf_printf(&out,
                      "  {\"name\": \"%s\", \"pid\": %d, \"state\": \"%s\", \"started_s\": %.3f, "
                      "\"restarts\": %u, \"text\": ",
                      p.name, p.pid, p.state, p.started_s, p.restarts);
        br_buf_json_string(&out, p.text, strlen(p.text));
        br_buf_string(&out, i + 1 < n ? "},\n" : "}\n");
    }
    br_buf_string(&out, "]}\n");
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/run/status.json", directory);
    return br_whole_file_write(path, &out);
}

static FILE *open_states(const char *directory, br_status *status_out)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/run/status.json", directory);
    FILE *file = fopen(path, "re");
    *status_out = file != NULL || errno == ENOENT || errno == ENOTDIR
                      ? BR_OK
                      : br_fail(BR_ERR_IO, "%s: %s", path, strerror(errno));
    return file;
}

static bool next_state(FILE *file, br_process_state *out)
{
    char line[1024];
    while (fgets(line, sizeof line, file) != NULL) {
        *out = (br_process_state){.pid = 0}; // the text comes last, and may be empty
        if (sscanf(line, LINE, out->name, &out->pid, out->state, &out->started_s, &out->restarts, out->text) >= 5) {
            return true;
        }
    }
    return false;
}

br_status br_process_states_read(const char *directory, br_process_state *out, uint32_t max, uint32_t *n_out)
{
    br_status status;
    *n_out = 0;
    FILE *file = open_states(directory, &status);
    if (file == NULL) {
        return status;
    }
    while (*n_out < max && next_state(file, &out[*n_out])) {
        (*n_out)++;
    }
    fclose(file);
    return BR_OK;
}

// --- what the system knows ---

bool br_process_memory(int pid, double *rss_mb, double *peak_mb)
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

// 0 when it does not run.
static double cpu_seconds(int pid)
{
    char path[64];
    char line[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = pid > 0 ? fopen(path, "re") : NULL;
    if (file == NULL) {
        return 0.0;
    }
    const char *rest = fgets(line, sizeof line, file) == NULL ? NULL : strrchr(line, ')'); // a name may hold anything
    fclose(file);
    unsigned long long user = 0;
    unsigned long long system = 0;
    bool found =
        rest != NULL && sscanf(rest, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &system) == 2;
    return found ? (double)(user + system) / (double)sysconf(_SC_CLK_TCK) : 0.0;
}

void br_process_address(char out[BR_PATH_BYTES], const char *directory, const char *name)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/run/%s.http", directory, name);
    out[0] = '\0';
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return;
    }
    char line[128];
    if (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\r\n")] = '\0';
        snprintf(out, BR_PATH_BYTES, "%s%s", strncmp(line, "unix:", 5) == 0 ? "" : "http://", line);
    }
    fclose(file);
}

static void add_children(const char *directory, FILE *file, br_process_facts *out, uint32_t *n_io)
{
    br_process_state state;
    while (*n_io < BR_MAX_PROCESSES && next_state(file, &state)) {
        br_process_facts *facts = &out[(*n_io)++];
        *facts = (br_process_facts){.state = state};
        br_process_address(facts->address, directory, state.name);
    }
}

br_status br_processes_read(const char *directory, br_process_facts *out, uint32_t *n_out)
{
    int supervisor = 0;
    *n_out = 0;
    br_status status = br_process_holder(directory, "supervisor", &supervisor);
    if (status != BR_OK || supervisor == 0) {
        return status;
    }
    out[(*n_out)++] = (br_process_facts){.state = {.name = "supervisor", .pid = supervisor, .state = "ready"}};
    FILE *file = open_states(directory, &status);
    if (file != NULL) {
        add_children(directory, file, out, n_out);
        fclose(file);
    }
    for (uint32_t i = 0; i < *n_out; i++) {
        br_process_memory(out[i].state.pid, &out[i].rss_mb, &out[i].peak_rss_mb);
        out[i].cpu_s = cpu_seconds(out[i].state.pid);
    }
    return status;
}
