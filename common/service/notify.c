#include "service/internal.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

br_status br_notify(const char *text)
{
    const char *path = getenv("NOTIFY_SOCKET");
    if (path == NULL || path[0] == '\0') {
        return BR_OK;
    }
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    size_t n = strlen(path);
    if ((path[0] != '/' && path[0] != '@') || n >= sizeof name.sun_path) {
        return br_fail(BR_ERR_INVALID, "NOTIFY_SOCKET is neither a path nor an abstract name: %.60s", path);
    }
    memcpy(name.sun_path, path, n);
    if (path[0] == '@') {
        name.sun_path[0] = '\0';
    }
    // The supervisor's queue holds few datagrams: where many processes start at once, a word that is not waited for is lost.
    const struct timeval patience = {.tv_sec = 1};
    int file = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (file >= 0 && setsockopt(file, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0) {
        close(file);
        file = -1;
    }
    if (file < 0) {
        return br_fail(BR_ERR_IO, "no socket to notify with: %s", strerror(errno));
    }
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    ssize_t sent = sendto(file, text, strlen(text), MSG_NOSIGNAL, (const struct sockaddr *)&name, size);
    br_status status = sent < 0 ? br_fail(BR_ERR_UNREACHABLE, "cannot notify %s: %s", path, strerror(errno)) : BR_OK;
    close(file);
    return status;
}

int64_t br_notify_watchdog_ms(void)
{
    const char *microseconds = getenv("WATCHDOG_USEC");
    const char *pid = getenv("WATCHDOG_PID");
    if (microseconds == NULL || (pid != NULL && strtoll(pid, NULL, 10) != (long long)getpid())) {
        return 0;
    }
    long long value = strtoll(microseconds, NULL, 10);
    return value < 2000 ? 0 : value / 2000;
}
