#include "service/paths.h"

#include "base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const char *const place_names[] = {
    [BR_PLACE_LEDGER] = "ledger",   [BR_PLACE_MODELS] = "models", [BR_PLACE_RECOMMENDATIONS] = "recommendations",
    [BR_PLACE_METRICS] = "metrics", [BR_PLACE_RUN] = "run",       [BR_PLACE_LOG] = "log",
};

#define SCHEME "ipc://"

static br_status join(char out[BR_PATH_BYTES], const char *directory, const char *name)
{
    int n = snprintf(out, BR_PATH_BYTES, "%s/%s", directory, name);
    if (n < 0 || n >= BR_PATH_BYTES) {
        return br_fail(BR_ERR_LIMIT, "path %.40s.../%s is longer than %d bytes", directory, name, BR_PATH_BYTES - 1);
    }
    return BR_OK;
}

static br_status make_directory(const char *path)
{
    struct stat info;
    if (mkdir(path, 0700) == 0) {
        return BR_OK;
    }
    if (errno != EEXIST) {
        return br_fail(BR_ERR_IO, "cannot make directory %s: %s", path, strerror(errno));
    }
    if (stat(path, &info) != 0) {
        return br_fail(BR_ERR_IO, "cannot look at %s: %s", path, strerror(errno));
    }
    if (!S_ISDIR(info.st_mode)) {
        return br_fail(BR_ERR_IO, "%s is not a directory", path);
    }
    return BR_OK;
}

// Who can reach a local socket can speak to the process behind it: nobody else may enter its directory, and nobody
// may have put a link in its place.
static br_status make_private(const char *path)
{
    br_status status = make_directory(path);
    if (status != BR_OK) {
        return status;
    }
    struct stat info;
    if (lstat(path, &info) != 0) {
        return br_fail(BR_ERR_IO, "cannot look at %s: %s", path, strerror(errno));
    }
    if (!S_ISDIR(info.st_mode) || info.st_uid != geteuid()) {
        return br_fail(BR_ERR_IO, "%s must be a directory of user %u, it is %s of user %u", path, (unsigned)geteuid(),
                       S_ISDIR(info.st_mode) ? "one" : "something else", (unsigned)info.st_uid);
    }
    if ((info.st_mode & 077) != 0 && chmod(path, 0700) != 0) {
        return br_fail(BR_ERR_IO, "cannot close %s to others: %s", path, strerror(errno));
    }
    return BR_OK;
}

br_status br_place_path(char out[BR_PATH_BYTES], const char *directory, br_place place)
{
    br_assert((unsigned)place < sizeof place_names / sizeof place_names[0]);
    char path[BR_PATH_BYTES];
    br_status status = join(path, directory, place_names[place]);
    if (status == BR_OK) {
        status = make_directory(directory);
    }
    if (status == BR_OK) {
        status = place == BR_PLACE_RUN ? make_private(path) : make_directory(path);
    }
    if (status == BR_OK) {
        memcpy(out, path, sizeof path);
    }
    return status;
}

br_status br_log_path(char out[BR_PATH_BYTES], const char *directory, const char *name)
{
    int n = snprintf(out, BR_PATH_BYTES, "%s/%s/%s.log", directory, place_names[BR_PLACE_LOG], name);
    return n > 0 && n < BR_PATH_BYTES
               ? BR_OK
               : br_fail(BR_ERR_LIMIT, "the path of %s.log is longer than %d bytes", name, BR_PATH_BYTES - 1);
}

// --- endpoints ---

// The directory under $XDG_RUNTIME_DIR or /tmp that stands for a run directory whose path is too long.
static br_status short_directory(char out[BR_PATH_BYTES], const char *real)
{
    const char *base = getenv("XDG_RUNTIME_DIR");
    if (base == NULL || base[0] != '/' || strlen(base) > 40) {
        base = "/tmp";
    }
    br_hash hash = br_hash_of(real, strlen(real));
    char text[BR_HASH_TEXT];
    br_hash_text(&hash, text);
    snprintf(out, BR_PATH_BYTES, "%s/bookrunner-%u-%.16s", base, (unsigned)geteuid(), text);
    return make_private(out);
}

br_status br_endpoint(char out[BR_PATH_BYTES], const char *directory, const char *name)
{
    char run[BR_PATH_BYTES];
    br_status status = br_place_path(run, directory, BR_PLACE_RUN);
    if (status != BR_OK) {
        return status;
    }
    // The real path, so that every process finds the same endpoint from wherever it was started.
    char real[PATH_MAX];
    if (realpath(run, real) == NULL) {
        return br_fail(BR_ERR_IO, "cannot resolve %s: %s", run, strerror(errno));
    }
    const size_t longest = sizeof((struct sockaddr_un *)NULL)->sun_path - 1;
    if (strlen(real) + 1 + strlen(name) > longest) {
        status = short_directory(run, real);
        if (status != BR_OK) {
            return status;
        }
    } else {
        memcpy(run, real, strlen(real) + 1);
    }
    size_t length = strlen(run) + 1 + strlen(name);
    if (length > longest) {
        return br_fail(BR_ERR_LIMIT, "endpoint name %.40s... needs %zu bytes, a socket address holds %zu", name, length,
                       longest);
    }
    snprintf(out, BR_PATH_BYTES, SCHEME "%.*s/%s", (int)strlen(run), run, name);
    return BR_OK;
}

// --- one process of a name per directory ---

static br_status lock_path(char out[BR_PATH_BYTES], const char *directory, const char *name)
{
    char file[BR_PATH_BYTES];
    int n = snprintf(file, sizeof file, "%s/%s.lock", place_names[BR_PLACE_RUN], name);
    br_assert(n > 0 && n < BR_PATH_BYTES);
    return join(out, directory, file);
}

// Choice: locks of the open file description: unlike flock() they can be asked about without being taken, so that
// looking at a process never keeps it from starting, and unlike a process' locks no other close() drops them.
static struct flock whole_file(void)
{
    return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
}

static int read_pid(int file)
{
    char text[32] = "";
    ssize_t n = pread(file, text, sizeof text - 1, 0);
    if (n <= 0) {
        return 0;
    }
    long pid = strtol(text, NULL, 10);
    return pid > 0 && pid <= INT_MAX ? (int)pid : 0;
}

static br_status refuse(int file, const char *directory, const char *name)
{
    int pid = read_pid(file);
    if (pid == 0) {
        return br_fail(BR_ERR_EXISTS, "%s runs already in %s", name, directory);
    }
    return br_fail(BR_ERR_EXISTS, "%s runs already in %s with process id %d", name, directory, pid);
}

br_status br_process_lock(const char *directory, const char *name)
{
    char path[BR_PATH_BYTES];
    br_status status = br_place_path(path, directory, BR_PLACE_RUN);
    if (status == BR_OK) {
        status = lock_path(path, directory, name);
    }
    if (status != BR_OK) {
        return status;
    }
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) {
        return br_fail(BR_ERR_IO, "cannot open %s: %s", path, strerror(errno));
    }
    struct flock lock = whole_file();
    if (fcntl(file, F_OFD_SETLK, &lock) != 0) {
        status = errno == EAGAIN || errno == EACCES ? refuse(file, directory, name)
                                                    : br_fail(BR_ERR_IO, "cannot lock %s: %s", path, strerror(errno));
        close(file);
        return status;
    }
    char text[32];
    int n = snprintf(text, sizeof text, "%d\n", (int)getpid());
    if (ftruncate(file, 0) != 0 || pwrite(file, text, (size_t)n, 0) != n) {
        status = br_fail(BR_ERR_IO, "cannot write %s: %s", path, strerror(errno));
        close(file);
    }
    return status; // the file stays open, and with it the lock, until the process ends
}

br_status br_process_holder(const char *directory, const char *name, int *pid_out)
{
    char path[BR_PATH_BYTES];
    br_status status = lock_path(path, directory, name);
    if (status != BR_OK) {
        return status;
    }
    int file = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (file < 0) {
        if (errno != ENOENT && errno != ENOTDIR) {
            return br_fail(BR_ERR_IO, "cannot open %s: %s", path, strerror(errno));
        }
        *pid_out = 0;
        return BR_OK;
    }
    struct flock lock = whole_file();
    if (fcntl(file, F_OFD_GETLK, &lock) != 0) {
        status = br_fail(BR_ERR_IO, "cannot ask for the holder of %s: %s", path, strerror(errno));
    } else {
        *pid_out = lock.l_type == F_UNLCK ? 0 : read_pid(file);
    }
    close(file);
    return status;
}
