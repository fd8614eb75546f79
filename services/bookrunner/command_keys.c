// Keys for explainers on other hosts. The server's directory is what the ranker reads, a client's directory is what that host gets:
//
//   DIR/server.key, server.pub, clients/NAME.pub      work.keys of the ranker's host
//   DIR/for-NAME/client.key, client.pub, server.pub   to be moved to the explainer's host, work.keys there

#include "cli.h"
#include "transport/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES   (2 * BR_PATH_BYTES)
#define MAX_NAME     64
#define FIRST_CLIENT "explainer"

static br_status join(char out[PATH_BYTES], const char *directory, const char *name)
{
    int n = snprintf(out, PATH_BYTES, "%s/%s", directory, name);
    return n < PATH_BYTES ? BR_OK : br_fail(BR_ERR_LIMIT, "%s/%s: the path is too long", directory, name);
}

/// Errors: BR_ERR_EXISTS when something is there, so that no key is ever lost to a second one.
static br_status make_directory(const char *path)
{
    if (mkdir(path, 0700) == 0) {
        return BR_OK;
    }
    return errno == EEXIST ? br_fail(BR_ERR_EXISTS, "%s is there already", path)
                           : br_fail(BR_ERR_IO, "%s: %s", path, strerror(errno));
}

static br_status write_key(const char *directory, const char *name, const char *key, mode_t mode)
{
    char path[PATH_BYTES];
    br_status status = join(path, directory, name);
    if (status != BR_OK) {
        return status;
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0) {
        return errno == EEXIST ? br_fail(BR_ERR_EXISTS, "%s is there already", path)
                               : br_fail(BR_ERR_IO, "%s: %s", path, strerror(errno));
    }
    char line[BR_KEY_TEXT + 1];
    int n = snprintf(line, sizeof line, "%s\n", key);
    bool written = write(fd, line, (size_t)n) == n && fsync(fd) == 0;
    int cause = errno;
    written = close(fd) == 0 && written;
    explicit_bzero(line, sizeof line);
    return written ? BR_OK : br_fail(BR_ERR_IO, "%s: %s", path, strerror(cause));
}

/// A pair of new keys into NAME.key and NAME.pub; the public one also into `public_out`.
static br_status write_pair(const char *directory, const char *name, char public_out[BR_KEY_TEXT])
{
    char secret[BR_KEY_TEXT];
    char file[MAX_NAME + 8];
    br_status status = br_curve_new_keys(public_out, secret);
    if (status == BR_OK) {
        snprintf(file, sizeof file, "%s.key", name);
        status = write_key(directory, file, secret, 0600);
    }
    explicit_bzero(secret, sizeof secret);
    if (status == BR_OK) {
        snprintf(file, sizeof file, "%s.pub", name);
        status = write_key(directory, file, public_out, 0644);
    }
    return status;
}

/// A name becomes part of two paths.
static br_status check_name(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    size_t n = strlen(name);
    return n > 0 && n <= MAX_NAME && strspn(name, allowed) == n
               ? BR_OK
               : br_fail(BR_ERR_INVALID, "the name \"%.80s\" is not 1 to %d letters, digits, - or _", name, MAX_NAME);
}

/// The server's directory must be whole before a client is told of it.
static br_status read_server(const char *directory, char public_out[BR_KEY_TEXT])
{
    br_curve server = {.n_allowed = 0};
    br_status status = br_curve_load_server(&server, directory);
    if (status == BR_OK) {
        memcpy(public_out, server.public_key, BR_KEY_TEXT);
    }
    br_curve_deinit(&server);
    return status;
}

static br_status add_client(const char *directory, const char *name)
{
    char server[BR_KEY_TEXT];
    char client[BR_KEY_TEXT];
    char path[PATH_BYTES];
    char file[MAX_NAME + 8];
    br_status status = check_name(name);
    if (status == BR_OK) {
        status = read_server(directory, server);
    }
    snprintf(file, sizeof file, "for-%s", status == BR_OK ? name : "");
    if (status == BR_OK) {
        status = join(path, directory, file);
    }
    if (status == BR_OK) {
        status = make_directory(path);
    }
    if (status == BR_OK) {
        status = write_pair(path, "client", client);
    }
    if (status == BR_OK) {
        status = write_key(path, "server.pub", server, 0644);
    }
    if (status != BR_OK) {
        return status;
    }
    printf("%s\n", path);
    snprintf(file, sizeof file, "%s.pub", name);
    status = join(path, directory, "clients"); // last: only a client that has all its files is let in
    return status == BR_OK ? write_key(path, file, client, 0644) : status;
}

static br_status new_server(const char *directory)
{
    char public_key[BR_KEY_TEXT];
    char clients[PATH_BYTES];
    br_status status = join(clients, directory, "clients");
    if (status == BR_OK) {
        status = make_directory(directory);
    }
    if (status == BR_OK) {
        status = make_directory(clients);
    }
    if (status == BR_OK) {
        status = write_pair(directory, "server", public_key);
    }
    if (status == BR_OK) {
        printf("%s\n", directory);
        status = add_client(directory, FIRST_CLIENT);
    }
    return status;
}

exit_code command_keys(const arguments *args)
{
    br_status status;
    if (strcmp(args->words[0], "new") == 0 && args->n_words == 2) {
        status = new_server(args->words[1]);
    } else if (strcmp(args->words[0], "add") == 0 && args->n_words == 3) {
        status = add_client(args->words[1], args->words[2]);
    } else {
        fprintf(stderr, "bookrunner keys: use `keys new DIR` or `keys add DIR NAME`\n");
        return EXIT_CODE_USAGE;
    }
    if (status != BR_OK) {
        return cli_failed(status, "keys");
    }
    fprintf(stderr, "move each for-NAME directory to its host and name it there as work.keys; the ranker "
                    "reads its list of clients "
                    "when it starts\n");
    return EXIT_CODE_OK;
}
