#include "child.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATH_BYTES (2 * BR_PATH_BYTES)
#define TAIL_BYTES 1500

const char *child_state_name(child_state state)
{
    static const char *const names[] = {"waiting", "starting", "ready", "stopping", "stopped"};
    return names[state];
}

br_status programs_directory(char out[BR_PATH_BYTES])
{
    const char *given = getenv("BOOKRUNNER_BIN");
    if (given != NULL && given[0] != '\0') {
        int n = snprintf(out, BR_PATH_BYTES, "%s", given);
        return n < BR_PATH_BYTES ? BR_OK
                                 : br_fail(BR_ERR_LIMIT, "BOOKRUNNER_BIN is longer than %d bytes", BR_PATH_BYTES - 1);
    }
    ssize_t n = readlink("/proc/self/exe", out, BR_PATH_BYTES - 1);
    if (n <= 0) {
        return br_fail(BR_ERR_IO, "cannot find this program's directory: %s", strerror(errno));
    }
    out[n] = '\0';
    char *slash = strrchr(out, '/');
    if (slash == NULL) {
        return br_fail(BR_ERR_IO, "cannot find the directory of %s", out);
    }
    *slash = '\0';
    return BR_OK;
}

/// In the new process: never returns.
static _Noreturn void become(const child *c, const nursery *where, const char *program, int log, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) {
        _exit(EXIT_FAILURE); // the parent died before the line above
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    // A group of its own: Ctrl-C on the terminal is for the supervisor, which stops the others in order.
    setpgid(0, 0);
    int nothing = open("/dev/null", O_RDONLY);
    dup2(nothing, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    setenv("NOTIFY_SOCKET", where->notify, 1);
    unsetenv("WATCHDOG_USEC");
    unsetenv("JOURNAL_STREAM");
    if (c->number != 0) {
        char number[16];
        snprintf(number, sizeof number, "%u", c->number);
        execl(program, program, "--dir", where->directory, "--name", number, (char *)NULL);
    } else {
        execl(program, program, "--dir", where->directory, (char *)NULL);
    }
    fprintf(stderr, "cannot start %s: %s\n", program, strerror(errno));
    _exit(EXIT_FAILURE);
}

br_status child_start(child *c, const nursery *where)
{
    char logs[BR_PATH_BYTES];
    br_status status = br_place_path(logs, where->directory, BR_PLACE_LOG);
    if (status != BR_OK) {
        return status;
    }
    char path[BR_PATH_BYTES];
    char program[PATH_BYTES];
    status = br_log_path(path, where->directory, c->name);
    if (status != BR_OK) {
        return status;
    }
    snprintf(program, sizeof program, "%s/%s", where->programs, c->program);
    int log = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (log < 0) {
        return br_fail(BR_ERR_IO, "%s: %s", path, strerror(errno));
    }
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        become(c, where, program, log, parent);
    }
    close(log);
    if (pid < 0) {
        return br_fail(BR_ERR_IO, "cannot start %s: %s", c->name, strerror(errno));
    }
    c->pid_fd = pidfd_open(pid, 0);
    if (c->pid_fd < 0) {
        int cause = errno;
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        return br_fail(BR_ERR_IO, "cannot watch %s: %s", c->name, strerror(cause));
    }
    c->pid = pid;
    c->state = CHILD_STARTING;
    c->started_ms = br_clock_ms();
    c->started_s = br_clock_wall_s();
    c->text[0] = '\0';
    return BR_OK;
}

bool child_reap(child *c, char *how, size_t room)
{
    int status = 0;
    waitpid(c->pid, &status, 0);
    close(c->pid_fd);
    c->pid_fd = -1;
    c->pid = 0;
    if (WIFSIGNALED(status)) {
        snprintf(how, room, "signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
        return false;
    }
    snprintf(how, room, "exit code %d", WEXITSTATUS(status));
    return WEXITSTATUS(status) != 0;
}

void child_signal(const child *c, int signal)
{
    if (c->pid != 0) {
        pidfd_send_signal(c->pid_fd, signal, NULL, 0);
    }
}

void child_log_tail(const child *c, const char *directory, char *out, size_t room)
{
    char path[BR_PATH_BYTES];
    out[0] = '\0';
    FILE *file = br_log_path(path, directory, c->name) == BR_OK ? fopen(path, "re") : NULL;
    if (file == NULL) {
        return;
    }
    char text[TAIL_BYTES + 1];
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    fseek(file, size > TAIL_BYTES ? size - TAIL_BYTES : 0, SEEK_SET);
    size_t n = fread(text, 1, TAIL_BYTES, file);
    fclose(file);
    text[n] = '\0';
    const char *begin = text;
    int lines = 0;
    for (size_t i = n; i > 0 && begin == text; i--) {
        lines += text[i - 1] == '\n' && i < n ? 1 : 0;
        begin = lines == 5 ? text + i : begin;
    }
    snprintf(out, room, "%s", begin);
}
