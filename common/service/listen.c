#include "service/internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 1024

typedef union socket_name {
    struct sockaddr any;
    struct sockaddr_in four;
    struct sockaddr_in6 six;
    struct sockaddr_un local;
} socket_name;

bool br_listen_is_path(const char *address)
{
    const size_t n = strlen(address);
    return strncmp(address, BR_LISTEN_PATH "/", sizeof BR_LISTEN_PATH) == 0 &&
           n - strlen(BR_LISTEN_PATH) < sizeof((struct sockaddr_un *)NULL)->sun_path;
}

/// The length of the name, 0 if the address is none.
static socklen_t name_of(socket_name *name, const char *address, uint16_t port)
{
    *name = (socket_name){0};
    if (br_listen_is_path(address)) {
        name->local.sun_family = AF_UNIX;
        memcpy(name->local.sun_path, address + strlen(BR_LISTEN_PATH), strlen(address) - strlen(BR_LISTEN_PATH) + 1);
        return sizeof name->local;
    }
    if (inet_pton(AF_INET, address, &name->four.sin_addr) == 1) {
        name->four.sin_family = AF_INET;
        name->four.sin_port = htons(port);
        return sizeof name->four;
    }
    if (inet_pton(AF_INET6, address, &name->six.sin6_addr) == 1) {
        name->six.sin6_family = AF_INET6;
        name->six.sin6_port = htons(port);
        return sizeof name->six;
    }
    return 0;
}

// What a dead process left in the way of a socket is taken away, what someone listens on, or what is no socket, is not.
static void clear_path(const socket_name *name)
{
    struct stat facts;
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (probe >= 0 && lstat(name->local.sun_path, &facts) == 0 && S_ISSOCK(facts.st_mode) &&
        connect(probe, &name->any, sizeof name->local) != 0 && errno == ECONNREFUSED) {
        unlink(name->local.sun_path);
    }
    if (probe >= 0) {
        close(probe);
    }
}

static bool open_name(int file, socket_name *name, socklen_t size)
{
    const bool local = name->any.sa_family == AF_UNIX;
    int on = 1;
    return file >= 0 && setsockopt(file, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
           bind(file, &name->any, size) == 0 && (!local || chmod(name->local.sun_path, 0660) == 0) &&
           listen(file, BACKLOG) == 0 && (local || getsockname(file, &name->any, &size) == 0);
}

br_status br_listen(int *out, uint16_t *port_out, const char *address, uint16_t port)
{
    socket_name name;
    const socklen_t size = name_of(&name, address, port);
    if (size == 0) {
        return br_fail(BR_ERR_INVALID, "\"%s\" is not a numeric address or unix:/PATH to listen on", address);
    }
    if (name.any.sa_family == AF_UNIX) {
        clear_path(&name);
    }
    int file = socket(name.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (!open_name(file, &name, size)) {
        br_status status = errno == EADDRINUSE
                               ? br_fail(BR_ERR_EXISTS, "%s port %u is in use by another program", address, port)
                               : br_fail(BR_ERR_IO, "cannot listen on %s port %u: %s", address, port, strerror(errno));
        if (file >= 0) {
            close(file);
        }
        return status;
    }
    *out = file;
    *port_out = name.any.sa_family == AF_INET    ? ntohs(name.four.sin_port)
                : name.any.sa_family == AF_INET6 ? ntohs(name.six.sin6_port)
                                                 : 0;
    return BR_OK;
}
