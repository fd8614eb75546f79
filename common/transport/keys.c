#include "base/alloc.h"
#include "transport/socket.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { KEY_CHARACTERS = BR_KEY_TEXT - 1, MAX_CLIENTS = 4096 };

static bool is_z85(char c)
{
    return c != '\0' &&
           strchr("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#", c) != NULL;
}

static br_status read_key(char out[BR_KEY_TEXT], const char *directory, const char *name, bool secret)
{
    char path[1024];
    if (snprintf(path, sizeof path, "%s/%s", directory, name) >= (int)sizeof path) {
        return br_fail(BR_ERR_LIMIT, "%s: the path is too long", directory);
    }
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return br_fail(br_errno_status(errno), "%s: %s", path, strerror(errno));
    }
    struct stat info;
    bool open_to_others = secret && (fstat(fileno(file), &info) != 0 || (info.st_mode & 077) != 0);
    char text[BR_KEY_TEXT + 2] = "";
    size_t n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    if (open_to_others) {
        return br_fail(BR_ERR_INVALID, "%s: a secret key that others may read (chmod 600)", path);
    }
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r')) {
        text[--n] = '\0';
    }
    bool good = n == KEY_CHARACTERS;
    for (size_t i = 0; i < n && good; i++) {
        good = is_z85(text[i]);
    }
    if (!good) {
        return br_fail(BR_ERR_INVALID, "%s: not a key of %d Z85 characters", path, KEY_CHARACTERS);
    }
    memcpy(out, text, BR_KEY_TEXT);
    return BR_OK;
}

static br_status read_clients(br_curve *curve, const char *directory)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/clients", directory);
    DIR *clients = opendir(path);
    if (clients == NULL) {
        return br_fail(br_errno_status(errno), "%s: %s", path, strerror(errno));
    }
    char(*allowed)[BR_KEY_TEXT] = NULL;
    size_t n = 0;
    br_status status = BR_OK;
    for (struct dirent *entry = readdir(clients); entry != NULL && status == BR_OK; entry = readdir(clients)) {
        size_t length = strlen(entry->d_name);
        if (length < 5 || strcmp(entry->d_name + length - 4, ".pub") != 0) {
            continue;
        }
        void *more = n == MAX_CLIENTS ? NULL : br_reallocarray(allowed, n + 1, sizeof *allowed);
        if (more == NULL) {
            status = br_no_memory("client keys", n + 1);
            break;
        }
        allowed = more;
        status = read_key(allowed[n], path, entry->d_name, false);
        n += status == BR_OK;
    }
    closedir(clients);
    curve->allowed = (const char(*)[BR_KEY_TEXT])allowed;
    curve->n_allowed = n;
    return status;
}

br_status br_curve_load_server(br_curve *out, const char *directory)
{
    br_curve curve = {0};
    br_status status = read_key(curve.secret_key, directory, "server.key", true);
    if (status == BR_OK) {
        status = read_key(curve.public_key, directory, "server.pub", false);
    }
    if (status == BR_OK) {
        status = read_clients(&curve, directory);
    }
    if (status != BR_OK) {
        br_curve_deinit(&curve);
        return status;
    }
    *out = curve;
    return BR_OK;
}

br_status br_curve_load_client(br_curve *out, const char *directory)
{
    br_curve curve = {0};
    br_status status = read_key(curve.secret_key, directory, "client.key", true);
    if (status == BR_OK) {
        status = read_key(curve.public_key, directory, "client.pub", false);
    }
    if (status == BR_OK) {
        status = read_key(curve.server_key, directory, "server.pub", false);
    }
    if (status == BR_OK) {
        *out = curve;
    }
    return status;
}

void br_curve_deinit(br_curve *curve)
{
    void *allowed = (void *)(uintptr_t)curve->allowed; // ours: br_curve_load_server() made it
    br_free(allowed);
    explicit_bzero(curve, sizeof *curve);
}
