#include "helpers.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

int br_test_connect(uint16_t port)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(port)};
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(file >= 0);
    cr_assert_eq(connect(file, (const struct sockaddr *)&name, sizeof name), 0);
    return file;
}

bool br_test_send(int file, const void *bytes, size_t n)
{
    const char *next = bytes;
    while (n > 0) {
        ssize_t sent = send(file, next, n, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        next += sent;
        n -= (size_t)sent;
    }
    return true;
}

static bool readable(int file, int64_t until_ms)
{
    struct pollfd item = {.fd = file, .events = POLLIN};
    int64_t left_ms = until_ms - br_clock_ms();
    return left_ms > 0 && poll(&item, 1, (int)left_ms) == 1;
}

int br_test_receive(int file, br_buf *out, int64_t deadline_ms)
{
    int64_t until_ms = br_clock_ms() + deadline_ms;
    char piece[4096];
    ssize_t n;
    do {
        if (!readable(file, until_ms)) {
            return -1;
        }
        n = recv(file, piece, sizeof piece, 0);
        if (n > 0) {
            br_buf_append(out, piece, (size_t)n);
        }
    } while (n > 0);
    const char *text = br_buf_text(out);
    return strncmp(text, "HTTP/1.1 ", 9) == 0 ? atoi(text + 9) : 0;
}

int br_test_request(uint16_t port, const char *request, br_buf *out)
{
    int file = br_test_connect(port);
    br_test_send(file, request, strlen(request));
    int code = br_test_receive(file, out, BR_TEST_DEADLINE_MS);
    close(file);
    return code;
}

int br_test_get(uint16_t port, const char *target, br_buf *out)
{
    BR_AUTO_DEINIT(br_buf) request = {0};
    br_buf_printf(&request, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", target);
    br_buf_clear(out);
    return br_test_request(port, br_buf_text(&request), out);
}

const char *br_test_header(const br_buf *answer, const char *name)
{
    static char values[16][256];
    static unsigned next;
    char key[64];
    snprintf(key, sizeof key, "\r\n%s: ", name);
    const char *text = br_buf_text(answer);
    const char *at = strcasestr(text, key);
    const char *end = strstr(text, "\r\n\r\n");
    if (at == NULL || end == NULL || at >= end) {
        return NULL;
    }
    at += strlen(key);
    char *value = values[next++ % 16];
    snprintf(value, sizeof values[0], "%.*s", (int)strcspn(at, "\r"), at);
    return value;
}

const char *br_test_body(const br_buf *answer)
{
    const char *end = strstr(br_buf_text(answer), "\r\n\r\n");
    return end == NULL ? "" : end + 4;
}

// --- processes ---

static int notify_socket(const char *directory)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    snprintf(name.sun_path, sizeof name.sun_path, "%s/notify", directory);
    unlink(name.sun_path);
    int file = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    cr_assert(file >= 0 && bind(file, (const struct sockaddr *)&name, sizeof name) == 0);
    setenv("NOTIFY_SOCKET", name.sun_path, 1);
    return file;
}

br_test_process br_test_spawn(const char *directory, const char *name, const char *const *flags)
{
    br_test_process process = {.notify = notify_socket(directory)};
    const char *bin = getenv("BOOKRUNNER_BIN");
    char path[512];
    snprintf(path, sizeof path, "%s/%s", bin == NULL ? "build/bin" : bin, name);
    char *arguments[16] = {path};
    for (size_t i = 0; flags[i] != NULL; i++) {
        cr_assert(i < 14);
        arguments[i + 1] = strdup(flags[i]); // execv() wants them writable; the test ends soon
    }
    int err[2], out[2];
    cr_assert(pipe(err) == 0 && pipe(out) == 0);
    process.pid = fork();
    cr_assert(process.pid >= 0);
    if (process.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(err[1], STDERR_FILENO);
        dup2(out[1], STDOUT_FILENO);
        close(err[0]);
        close(err[1]);
        close(out[0]);
        close(out[1]);
        execv(path, arguments);
        _exit(127);
    }
    for (size_t i = 1; arguments[i] != NULL; i++) {
        free(arguments[i]);
    }
    close(err[1]);
    close(out[1]);
    process.err = err[0];
    process.out = out[0];
    return process;
}

bool br_test_notified(br_test_process *process, const char *text)
{
    int64_t until_ms = br_clock_ms() + BR_TEST_DEADLINE_MS;
    struct pollfd items[] = {{.fd = process->notify, .events = POLLIN}, {.fd = process->err, .events = POLLIN}};
    while (br_clock_ms() < until_ms) {
        if (poll(items, 2, (int)(until_ms - br_clock_ms())) <= 0) {
            return false;
        }
        char datagram[1024];
        if ((items[0].revents & POLLIN) != 0) {
            ssize_t n = recv(process->notify, datagram, sizeof datagram - 1, 0);
            datagram[n < 0 ? 0 : n] = '\0';
            if (strncmp(datagram, text, strlen(text)) == 0) {
                return true;
            }
        } else if (items[1].revents != 0) {
            ssize_t n = read(process->err, datagram, sizeof datagram);
            if (n <= 0) {
                return false;
            }
            br_buf_append(&process->err_text, datagram, (size_t)n);
        }
    }
    return false;
}

static void drain_pipe(int file, br_buf *out, int64_t until_ms)
{
    char piece[4096];
    while (readable(file, until_ms)) {
        ssize_t n = read(file, piece, sizeof piece);
        if (n <= 0) {
            break;
        }
        br_buf_append(out, piece, (size_t)n);
    }
    close(file);
}

int br_test_wait(br_test_process *process)
{
    int64_t until_ms = br_clock_ms() + BR_TEST_DEADLINE_MS;
    drain_pipe(process->err, &process->err_text, until_ms);
    drain_pipe(process->out, &process->out_text, until_ms);
    close(process->notify);
    int ended = (int)syscall(SYS_pidfd_open, process->pid, 0);
    bool in_time = ended >= 0 && readable(ended, until_ms);
    if (!in_time) {
        kill(process->pid, SIGKILL);
    }
    int status = 0;
    cr_assert_eq(waitpid(process->pid, &status, 0), process->pid);
    close(ended);
    if (!in_time) {
        return -1;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

uint16_t br_test_port(const char *directory, const char *name)
{
    char path[512], text[128] = "";
    snprintf(path, sizeof path, "%s/run/%s.http", directory, name);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return 0;
    }
    const char *line = fgets(text, sizeof text, file);
    fclose(file);
    const char *colon = line == NULL ? NULL : strrchr(line, ':');
    return colon == NULL ? 0 : (uint16_t)atoi(colon + 1);
}
