#include "supervisor.h"

#include "base/clock.h"
#include "base/log.h"
#include "child.h"
#include "service/config.h"
#include "service/processes.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_CHILDREN   128
#define FIRST_BACK_OFF 200    ///< ms
#define MAX_BACK_OFF   10000  ///< ms
#define HEALTHY_MS     30000  ///< after this long a failure counts as the first
#define READY_MS       120000 ///< for all to become ready the first time
#define STOP_MS        12000  ///< between SIGTERM and SIGKILL

typedef struct supervisor {
    char directory[BR_PATH_BYTES];
    char programs[BR_PATH_BYTES];
    char notify[BR_PATH_BYTES];
    child children[MAX_CHILDREN]; ///< in the order of starting; stopped in the reverse
    uint32_t n;
    int signal_fd;
    int notify_fd;
    unsigned n_signals;
    bool was_ready;
    bool stopping;
    bool failed;
    char failure[2000]; ///< why, told when everything has stopped
    supervisor_speaker speaker;
    void *context;
} supervisor;

static void add_child(supervisor *s, const char *kind, uint32_t number)
{
    br_assert(s->n < MAX_CHILDREN);
    child *c = &s->children[s->n++];
    *c = (child){.pid_fd = -1, .back_off_ms = FIRST_BACK_OFF, .number = number, .state = CHILD_WAITING};
    snprintf(c->program, sizeof c->program, "bookrunner-%s", kind);
    if (number > 0) {
        snprintf(c->name, sizeof c->name, "%s-%u", kind, number);
    } else {
        snprintf(c->name, sizeof c->name, "%s", kind);
    }
}

static void add_children(supervisor *s, uint32_t n_explainers)
{
    static const char *const first[] = {"ingester", "trainer", "evaluator", "ranker"};
    for (size_t i = 0; i < sizeof first / sizeof *first; i++) {
        add_child(s, first[i], 0);
    }
    uint32_t room = MAX_CHILDREN - s->n - 1;
    for (uint32_t k = 1; k <= n_explainers && k <= room; k++) {
        add_child(s, "explainer", k);
    }
    add_child(s, "desk", 0);
}

static void write_state(supervisor *s)
{
    static br_process_state states[MAX_CHILDREN];
    for (uint32_t i = 0; i < s->n; i++) {
        const child *c = &s->children[i];
        br_process_state *state = &states[i];
        *state = (br_process_state){.pid = (int)c->pid, .started_s = c->started_s, .restarts = c->restarts};
        snprintf(state->name, sizeof state->name, "%s", c->name);
        snprintf(state->state, sizeof state->state, "%s", child_state_name(c->state));
        snprintf(state->text, sizeof state->text, "%s", c->text);
    }
    br_status status = br_process_states_write(s->directory, states, s->n);
    if (status != BR_OK) {
        br_log_warn("STATUS-FILE-FAILED", "reason=\"%s\"", br_why(status));
    }
}

static void say(supervisor *s, bool ready, const char *text)
{
    if (s->speaker != NULL) {
        s->speaker(s->context, ready, text);
        s->speaker = NULL; // once
    }
}

static void fail(supervisor *s, const char *text)
{
    s->failed = true;
    s->n_signals = s->n_signals == 0 ? 1 : s->n_signals;
    snprintf(s->failure, sizeof s->failure, "%s", text);
    br_log_error("START-FAILED", "reason=\"%s\"", text);
}

/// Start what is due. A process that cannot even be forked waits its back-off like one that ended.
static void start_due(supervisor *s)
{
    int64_t now = br_clock_ms();
    nursery where = {s->directory, s->programs, s->notify};
    bool changed = false;
    for (uint32_t i = 0; i < s->n; i++) {
        child *c = &s->children[i];
        if (c->state != CHILD_WAITING || now < c->restart_ms) {
            continue;
        }
        changed = true;
        br_status status = child_start(c, &where);
        if (status == BR_OK) {
            br_log_info("PROCESS-STARTED", "name=%s pid=%d restarts=%u", c->name, (int)c->pid, c->restarts);
            continue;
        }
        br_log_error("PROCESS-START-FAILED", "name=%s reason=\"%s\" next_ms=%lld", c->name, br_why(status),
                     (long long)c->back_off_ms);
        c->restart_ms = now + c->back_off_ms;
    }
    if (changed) {
        write_state(s);
    }
}

static void child_ended(supervisor *s, child *c)
{
    char how[80];
    bool by_itself = child_reap(c, how, sizeof how);
    int64_t now = br_clock_ms();
    if (s->stopping) {
        c->state = CHILD_STOPPED;
        br_log_info("PROCESS-STOPPED", "name=%s how=\"%s\"", c->name, how);
        return;
    }
    if (!s->was_ready && by_itself) {
        char tail[1600];
        char text[2000];
        child_log_tail(c, s->directory, tail, sizeof tail);
        snprintf(text, sizeof text, "%s failed with %s; the last lines of %.80s/log/%s.log:\n%s", c->name, how,
                 s->directory, c->name, tail);
        c->state = CHILD_STOPPED;
        fail(s, text);
        return;
    }
    if (now - c->started_ms >= HEALTHY_MS) {
        c->back_off_ms = FIRST_BACK_OFF;
    }
    c->state = CHILD_WAITING;
    c->restart_ms = now + c->back_off_ms;
    c->restarts++;
    br_log_warn("PROCESS-ENDED", "name=%s how=\"%s\" restart_in_ms=%lld", c->name, how, (long long)c->back_off_ms);
    c->back_off_ms = 2 * c->back_off_ms < MAX_BACK_OFF ? 2 * c->back_off_ms : MAX_BACK_OFF;
    write_state(s);
}

static void check_all_ready(supervisor *s)
{
    for (uint32_t i = 0; i < s->n; i++) {
        if (s->children[i].state != CHILD_READY) {
            return;
        }
    }
    if (!s->was_ready) {
        s->was_ready = true;
        char address[BR_PATH_BYTES];
        char text[BR_PATH_BYTES + 16];
        br_process_address(address, s->directory, "desk");
        snprintf(text, sizeof text, "%s", address);
        br_log_info("ALL-READY", "processes=%u page=%s", s->n, address);
        say(s, true, text);
    }
}

/// One datagram of sd_notify(3): lines of KEY=VALUE.
static void take_notice(supervisor *s, pid_t pid, char *text)
{
    child *c = NULL;
    for (uint32_t i = 0; i < s->n; i++) {
        c = s->children[i].pid == pid ? &s->children[i] : c;
    }
    if (c == NULL) {
        return; // not one of ours, or of one that has ended
    }
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        if (strcmp(line, "READY=1") == 0 && c->state == CHILD_STARTING) {
            c->state = CHILD_READY;
            br_log_info("PROCESS-READY", "name=%s after_ms=%lld", c->name, (long long)(br_clock_ms() - c->started_ms));
        } else if (strncmp(line, "STATUS=", 7) == 0) {
            snprintf(c->text, sizeof c->text, "%s", line + 7);
        }
    }
    write_state(s);
    check_all_ready(s);
}

static void read_notices(supervisor *s)
{
    for (;;) {
        char text[1024];
        _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct ucred))];
        struct iovec part = {text, sizeof text - 1};
        struct msghdr message = {
            .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
        ssize_t n = recvmsg(s->notify_fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (n < 0) {
            return;
        }
        text[n] = '\0';
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        if (header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_CREDENTIALS) {
            struct ucred from;
            memcpy(&from, CMSG_DATA(header), sizeof from);
            take_notice(s, from.pid, text);
        }
    }
}

static void read_signals(supervisor *s)
{
    struct signalfd_siginfo info;
    while (read(s->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        s->n_signals++;
        br_log_info("STOP-REQUESTED", "signal=%u by_pid=%u", info.ssi_signo, info.ssi_pid);
    }
}

/// Wait for events until `until_ms` at most (-1: until one comes) and take them.
static void wait_events(supervisor *s, int64_t until_ms)
{
    struct pollfd items[MAX_CHILDREN + 2] = {{.fd = s->signal_fd, .events = POLLIN},
                                             {.fd = s->notify_fd, .events = POLLIN}};
    for (uint32_t i = 0; i < s->n; i++) {
        items[i + 2] = (struct pollfd){.fd = s->children[i].pid == 0 ? -1 : s->children[i].pid_fd, .events = POLLIN};
    }
    int64_t left = until_ms - br_clock_ms();
    int timeout = until_ms < 0 ? -1 : left < 0 ? 0 : left > 60000 ? 60000 : (int)left;
    if (poll(items, s->n + 2, timeout) <= 0) {
        return;
    }
    if (items[0].revents != 0) {
        read_signals(s);
    }
    if (items[1].revents != 0) {
        read_notices(s); // before the ends: the notices of one that has ended are its last words
    }
    for (uint32_t i = 0; i < s->n; i++) {
        if (items[i + 2].fd >= 0 && items[i + 2].revents != 0) {
            child_ended(s, &s->children[i]);
        }
    }
}

static int64_t next_start_ms(const supervisor *s)
{
    int64_t next = -1;
    for (uint32_t i = 0; i < s->n; i++) {
        const child *c = &s->children[i];
        if (c->state == CHILD_WAITING && (next < 0 || c->restart_ms < next)) {
            next = c->restart_ms;
        }
    }
    return next;
}

static void give_up_waiting(supervisor *s)
{
    char text[400];
    int n = snprintf(text, sizeof text, "not ready after %d s:", READY_MS / 1000);
    for (uint32_t i = 0; i < s->n && n < (int)sizeof text; i++) {
        const child *c = &s->children[i];
        if (c->state != CHILD_READY) {
            n += snprintf(text + n, sizeof text - (size_t)n, " %s (%s%s%.60s)", c->name, child_state_name(c->state),
                          c->text[0] == '\0' ? "" : ": ", c->text);
        }
    }
    fail(s, text);
}

static void supervise(supervisor *s)
{
    int64_t ready_until = br_clock_ms() + READY_MS;
    while (s->n_signals == 0) {
        start_due(s);
        int64_t until = next_start_ms(s);
        if (!s->was_ready && (until < 0 || ready_until < until)) {
            until = ready_until;
        }
        wait_events(s, until);
        if (!s->was_ready && s->n_signals == 0 && br_clock_ms() >= ready_until) {
            give_up_waiting(s);
        }
    }
}

static bool any_runs(const supervisor *s, uint32_t from, uint32_t until)
{
    for (uint32_t i = from; i < until; i++) {
        if (s->children[i].pid != 0) {
            return true;
        }
    }
    return false;
}

/// Stop the children [from, until) together: SIGTERM, and SIGKILL for those that do not end in time or after a further signal.
static void stop_stage(supervisor *s, uint32_t from, uint32_t until)
{
    for (uint32_t i = from; i < until; i++) {
        child *c = &s->children[i];
        c->state = c->pid == 0 ? CHILD_STOPPED : CHILD_STOPPING;
        child_signal(c, SIGTERM);
    }
    write_state(s);
    unsigned signals = s->n_signals;
    int64_t deadline = br_clock_ms() + STOP_MS;
    while (any_runs(s, from, until) && br_clock_ms() < deadline && s->n_signals == signals) {
        wait_events(s, deadline);
    }
    for (uint32_t i = from; i < until; i++) {
        if (s->children[i].pid != 0) {
            br_log_warn("PROCESS-KILLED", "name=%s pid=%d waited_ms=%d", s->children[i].name, (int)s->children[i].pid,
                        STOP_MS);
            child_signal(&s->children[i], SIGKILL);
        }
    }
    while (any_runs(s, from, until)) {
        wait_events(s, -1);
    }
}

static void stop_all(supervisor *s)
{
    s->stopping = true;
    uint32_t until = s->n;
    while (until > 0) {
        uint32_t from = until - 1;
        while (from > 0 && strcmp(s->children[from - 1].program, s->children[until - 1].program) == 0) {
            from--;
        }
        stop_stage(s, from, until);
        until = from;
    }
    write_state(s);
}

static br_status open_notify(supervisor *s)
{
    char endpoint[BR_PATH_BYTES];
    br_status status = br_endpoint(endpoint, s->directory, "notify");
    if (status != BR_OK) {
        return status;
    }
    snprintf(s->notify, sizeof s->notify, "%s", endpoint + strlen("ipc://"));
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(s->notify) >= sizeof address.sun_path) {
        return br_fail(BR_ERR_LIMIT, "%s is too long for a socket", s->notify);
    }
    strcpy(address.sun_path, s->notify);
    unlink(s->notify); // left by one that was killed: we hold the lock
    s->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int on = 1;
    if (s->notify_fd < 0 || bind(s->notify_fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        setsockopt(s->notify_fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0) {
        return br_fail(BR_ERR_IO, "socket %s: %s", s->notify, strerror(errno));
    }
    return BR_OK;
}

static br_status open_signals(supervisor *s)
{
    signal(SIGPIPE, SIG_IGN); // who reads the messages may go; the processes stay up
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return s->signal_fd >= 0 ? BR_OK : br_fail(BR_ERR_IO, "signalfd: %s", strerror(errno));
}

br_status supervisor_run(const char *directory, supervisor_speaker speaker, void *context)
{
    static supervisor s; // too large for a stack that others size; there is one per process
    s = (supervisor){.signal_fd = -1, .notify_fd = -1, .speaker = speaker, .context = context};
    snprintf(s.directory, sizeof s.directory, "%s", directory);
    br_config config;
    br_status status = br_config_load(&config, directory);
    if (status == BR_OK) {
        status = programs_directory(s.programs);
    }
    if (status == BR_OK) {
        status = br_process_lock(directory, "supervisor");
    }
    if (status == BR_OK) {
        status = open_signals(&s);
    }
    if (status == BR_OK) {
        status = open_notify(&s);
    }
    if (status != BR_OK) {
        return status;
    }
    char log[BR_PATH_BYTES];
    status = br_log_path(log, directory, "supervisor");
    if (status != BR_OK) {
        return status;
    }
    br_log_open("supervisor", BR_LOG_INFO);
    br_log_file(log);
    add_children(&s, config.n_explainers);
    supervise(&s);
    stop_all(&s);
    unlink(s.notify);
    if (s.failed) {
        say(&s, false, s.failure);
    }
    return s.failed ? br_fail(BR_ERR_UNREACHABLE, "not everything became ready") : BR_OK;
}
