#include "state_file.h"

#include "base/buf.h"
#include "whole_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATH_BYTES (2 * BR_PATH_BYTES)
#define LINE                                                                                                           \
    "  {\"name\": \"%63[^\"]\", \"pid\": %d, \"state\": \"%15[^\"]\", \"started_s\": %lf, \"restarts\": %u, "          \
    "\"text\": \"%319[^\"]\""

br_status state_file_write(const char *directory, const child *children, uint32_t n)
{
    BR_AUTO_DEINIT(br_buf) text = {0};
    br_buf_printf(&text, "{\"pid\": %d, \"processes\": [\n", (int)getpid());
    for (uint32_t i = 0; i < n; i++) {
        const child *c = &children[i];
        br_buf_printf(&text,
                      "  {\"name\": \"%s\", \"pid\": %d, \"state\": \"%s\", \"started_s\": %.3f, "
                      "\"restarts\": %u, \"text\": ",
                      c->name, (int)c->pid, child_state_name(c->state), c->started_s, c->restarts);
        br_buf_json_string(&text, c->text, strlen(c->text));
        br_buf_string(&text, i + 1 < n ? "},\n" : "}\n");
    }
    br_buf_string(&text, "]}\n");
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/run/status.json", directory);
    return whole_file_write(path, &text);
}

br_status state_file_read(const char *directory, process_state *out, uint32_t max, uint32_t *n_out)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/run/status.json", directory);
    *n_out = 0;
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return errno == ENOENT || errno == ENOTDIR ? BR_OK : br_fail(BR_ERR_IO, "%s: %s", path, strerror(errno));
    }
    char line[1024];
    while (*n_out < max && fgets(line, sizeof line, file) != NULL) {
        process_state *p = &out[*n_out];
        p->text[0] = '\0'; // the last, and may be empty
        *n_out += sscanf(line, LINE, p->name, &p->pid, p->state, &p->started_s, &p->restarts, p->text) >= 5 ? 1 : 0;
    }
    fclose(file);
    return BR_OK;
}
