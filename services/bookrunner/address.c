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
    if (fgets(out, BR_PATH_BYTES, file) == NULL) {
        out[0] = '\0';
    }
    out[strcspn(out, "\r\n")] = '\0';
    fclose(file);
}
