#include "support/temp.h"

#include "base/status.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *br_temp_new(void)
{
    const char *base = getenv("TMPDIR");
    static char path[512];
    snprintf(path, sizeof path, "%s/bookrunner-test-XXXXXX", base == NULL ? "/tmp" : base);
    br_assert(mkdtemp(path) != NULL);
    return strdup(path);
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info;
    (void)kind;
    (void)place;
    return remove(path);
}

void br_temp_remove(char **path)
{
    if (*path != NULL) {
        nftw(*path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        free(*path);
        *path = NULL;
    }
}

char *br_temp_path(const char *directory, const char *name)
{
    static char paths[16][1024];
    static unsigned next;
    char *path = paths[next++ % 16];
    snprintf(path, sizeof paths[0], "%s/%s", directory, name);
    return path;
}
