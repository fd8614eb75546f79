#include "cli.h"
#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define DOWN_MS 60000 ///< for the supervisor to stop everything

static void say_here(void *context, bool ready, const char *text)
{
    (void)context;
    if (ready) {
        printf("ready\n%s%s", text, text[0] == '\0' ? "" : "\n");
        fflush(stdout);
    } else {
        fprintf(stderr, "bookrunner: %s\n", text);
    }
}

/// The detached process tells the one that waits: a letter and a text.
static void say_through_pipe(void *context, bool ready, const char *text)
{
    int fd = *(int *)context;
    dprintf(fd, "%c%s", ready ? 'R' : 'F', text);
    close(fd);
    *(int *)context = -1;
}

static exit_code run_here(const char *directory)
{
    br_status status = supervisor_run(directory, say_here, NULL);
    if (status == BR_ERR_UNREACHABLE) {
        return EXIT_CODE_FAILED; // say_here() has told why
    }
    if (status != BR_OK) {
        fprintf(stderr, "bookrunner up: %s\n", br_why(status));
        return EXIT_CODE_FAILED;
    }
    return EXIT_CODE_OK;
}

/// In the detached process: never returns.
static _Noreturn void run_detached(const char *directory, int pipe_fd)
{
    char path[2 * BR_PATH_BYTES];
    char logs[BR_PATH_BYTES];
    br_status status = br_place_path(logs, directory, BR_PLACE_LOG);
    if (status == BR_OK) {
        snprintf(path, sizeof path, "%s/supervisor.log", logs);
        int log = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
        setsid();
        dup2(nothing, STDIN_FILENO);
        dup2(log, STDOUT_FILENO);
        dup2(log, STDERR_FILENO);
        status = supervisor_run(directory, say_through_pipe, &pipe_fd);
    }
    if (status != BR_OK && pipe_fd >= 0) {
        say_through_pipe(&pipe_fd, false, br_why(status));
    }
    _exit(status == BR_OK ? EXIT_CODE_OK : EXIT_CODE_FAILED);
}

static exit_code detach(const char *directory)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return cli_failed(br_fail(BR_ERR_IO, "pipe: %s", strerror(errno)), "up");
    }
    pid_t pid = fork();
    if (pid < 0) {
        return cli_failed(br_fail(BR_ERR_IO, "fork: %s", strerror(errno)), "up");
    }
    if (pid == 0) {
        close(ends[0]);
        run_detached(directory, ends[1]);
    }
    close(ends[1]);
    char text[4096];
    size_t length = 0;
    ssize_t n = 0;
    while (length < sizeof text - 1 && (n = read(ends[0], text + length, sizeof text - 1 - length)) > 0) {
        length += (size_t)n;
    }
    close(ends[0]);
    text[length] = '\0';
    if (text[0] == 'R') {
        say_here(NULL, true, text + 1);
        return EXIT_CODE_OK;
    }
    waitpid(pid, NULL, 0); // then its lock is free and a second try can follow at once
    fprintf(stderr, "bookrunner up: %s\n", length > 1 ? text + 1 : "the supervisor died; see DIR/log/supervisor.log");
    return EXIT_CODE_FAILED;
}

exit_code command_up(const arguments *args)
{
    char directory[BR_PATH_BYTES];
    br_status status = cli_directory(directory, args);
    int pid = 0;
    if (status == BR_OK) {
        status = br_process_holder(directory, "supervisor", &pid);
    }
    if (status != BR_OK) {
        return cli_failed(status, "up");
    }
    if (pid != 0) {
        fprintf(stderr, "bookrunner up: it is up already in %s: process id %d; `bookrunner down` stops it\n", directory,
                pid);
        return EXIT_CODE_FAILED;
    }
    if (args->has_port) {
        char port[24];
        snprintf(port, sizeof port, "%llu", (unsigned long long)args->port);
        setenv("BOOKRUNNER_HTTP_PORT", port, 1); // above the file and below nothing: what a flag is
    }
    return args->detach ? detach(directory) : run_here(directory);
}

/// Wait for the process behind a pidfd. False when it still runs after the deadline.
static bool wait_gone(int pid_fd)
{
    struct pollfd item = {.fd = pid_fd, .events = POLLIN};
    return poll(&item, 1, DOWN_MS) > 0;
}

exit_code command_down(const arguments *args)
{
    char directory[BR_PATH_BYTES];
    br_status status = cli_directory(directory, args);
    int pid = 0;
    if (status == BR_OK) {
        status = br_process_holder(directory, "supervisor", &pid);
    }
    if (status != BR_OK) {
        return cli_failed(status, "down");
    }
    if (pid == 0) {
        fprintf(stderr, "nothing runs in %s\n", directory);
        return EXIT_CODE_OK;
    }
    int pid_fd = pidfd_open(pid, 0);
    int holder = 0;
    // Asked again with the pidfd in hand: the number cannot have passed to a stranger.
    status = br_process_holder(directory, "supervisor", &holder);
    if (status != BR_OK) {
        return cli_failed(status, "down");
    }
    if (pid_fd < 0 || holder != pid) {
        return EXIT_CODE_OK; // it has ended meanwhile
    }
    bool gone = pidfd_send_signal(pid_fd, SIGTERM, NULL, 0) == 0 && wait_gone(pid_fd);
    close(pid_fd);
    if (!gone) {
        fprintf(stderr, "bookrunner down: process %d has not stopped after %d s\n", pid, DOWN_MS / 1000);
        return EXIT_CODE_FAILED;
    }
    fprintf(stderr, "stopped\n");
    return EXIT_CODE_OK;
}
