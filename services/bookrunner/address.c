#include "address.h"

#include <stdio.h>
#include <string.h>

void process_address(char out[BR_PATH_BYTES], const char *directory, const char *name)
{
    char path[2 * BR_PATH_BYTES];
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
