#include "base/clock.h"
#include "service/internal.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void notify(const char *text)
{
    br_status status = br_notify(text);
    if (status != BR_OK) {
        br_log_warn("SERVICE-NOTIFY", "reason=\"%s\" next=\"going on without\"", br_why(status));
    }
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

// --- readiness ---

void br_service_not_ready(br_service *service, const char *reason)
{
    service->withheld = true;
    service->ready = false;
    br_ready_set(false, reason);
    char text[320];
    snprintf(text, sizeof text, "STATUS=not ready: %.250s", reason);
    notify(text);
}

void br_service_ready(br_service *service)
{
    service->withheld = false;
    if (service->ready || service->draining || service->full || !service->started) {
        return; // inside start(), and while a store is full, the loop says it afterwards
    }
    service->ready = true;
    br_ready_set(true, "");
    notify("READY=1\nSTATUS=ready");
    br_log_info("SERVICE-READY", "pid=%d http_port=%u", (int)getpid(), br_http_port(service->http));
}

// --- starting ---

void br_service_undo(br_service *service)
{
    if (service->definition->stop != NULL) {
        service->definition->stop(service->state);
    }
    for (size_t i = 0; i < service->n_sources; i++) {
        br_socket_free(&service->sources[i].socket);
    }
    memset(service->state, 0, service->definition->state_bytes);
    service->n_sources = 0;
    service->n_alarms = 0;
    service->n_routes = 0;
    service->idle = NULL;
    service->on_wake = NULL;
}

static br_status start(br_service *service, int64_t now_ms)
{
    service->attempted = true;
    service->withheld = false;
    br_status status = service->definition->start(service, service->state);
    if (status == BR_ERR_AGAIN) {
        bool withheld = service->withheld;
        br_service_undo(service);
        if (!withheld && !service->full) {
            br_ready_set(false, "starting");
        }
        service->retry_ms = now_ms + BR_SERVICE_RETRY_MS;
        return BR_OK;
    }
    if (status == BR_OK && service->n_routes > 0) {
        status = br_http_routes(service->http, service->routes, service->n_routes);
    }
    if (status != BR_OK) {
        return status;
    }
    service->started = true;
    service->started_ms = now_ms;
    service->idle_wanted = true;
    if (!service->withheld) {
        br_service_ready(service);
    }
    return BR_OK;
}

// --- a store that is full ---

static void say_full(br_service *service, const char *reason)
{
    br_service_not_ready(service, reason);
    if (!service->full) {
        service->full = true;
        br_service_store_full(service, true);
        br_log_error("SERVICE-STORE-FULL",
                     "pid=%d reason=\"%s\" next=\"starts over within the process until there is room\"", (int)getpid(),
                     reason);
    }
}

// What was not stored did not happen, so that the process starts over from its stores, as after a crash, but keeps its place.
static br_status start_over_if_full(br_service *service, br_status status)
{
    if (status != BR_ERR_FULL || !(service->started || service->full)) {
        return status;
    }
    if (service->draining) {
        service->finished = true;
        return BR_OK;
    }
    say_full(service, br_why(status));
    service->started = false;
    service->retry_ms = br_clock_ms() + BR_SERVICE_FULL_MS;
    status = br_http_routes(service->http, NULL, 0);
    if (status == BR_OK) {
        br_service_undo(service);
    }
    return status;
}

static void see_room(br_service *service, int64_t now_ms)
{
    if (!service->full || !service->started || now_ms - service->started_ms < BR_SERVICE_ROOM_MS) {
        return;
    }
    service->full = false;
    br_service_store_full(service, false);
    br_log_info("SERVICE-STORE-ROOM", "pid=%d", (int)getpid());
    if (!service->withheld) {
        br_service_ready(service);
    }
}

// --- stopping ---

static void end_at_once(int signal)
{
    (void)signal;
    _exit(130);
}

// From now on a second Ctrl-C ends the process whatever the loop is doing.
static void arm_second_interrupt(void)
{
    struct sigaction action = {.sa_handler = end_at_once};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaction(SIGINT, &action, NULL);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void drain(br_service *service, int64_t now_ms, unsigned signal)
{
    service->draining = true;
    service->ready = false;
    service->drain_until_ms = now_ms + BR_SERVICE_DRAIN_MS;
    br_ready_set(false, "stopping");
    notify("STOPPING=1\nSTATUS=stopping");
    br_log_info("SERVICE-DRAIN", "pid=%d signal=%u", (int)getpid(), signal);
    if (!service->started || service->definition->drain == NULL) {
        service->finished = true;
    } else {
        service->definition->drain(service->state);
    }
}

static void read_signals(br_service *service, int64_t now_ms)
{
    struct signalfd_siginfo info;
    while (read(service->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGINT && !service->heard_int) {
            service->heard_int = true;
            arm_second_interrupt();
        }
        if (!service->draining) {
            drain(service, now_ms, info.ssi_signo);
        }
    }
}

// --- one round ---

// At most BR_SERVICE_MESSAGES, so that a flood on one socket does not shut out the others.
static br_status receive(br_service *service, br_service_source *source)
{
    for (int i = 0; i < BR_SERVICE_MESSAGES; i++) {
        br_message message = {0};
        br_status status = br_socket_receive(source->socket, &message);
        if (status == BR_ERR_AGAIN) {
            return BR_OK;
        }
        if (status != BR_OK) {
            return status;
        }
        service->idle_wanted = true;
        status = source->handler(service->state, source->socket, &message);
        br_message_deinit(&message);
        if (status != BR_OK) {
            return status;
        }
    }
    return BR_OK;
}

static br_status wake(br_service *service)
{
    uint64_t n;
    if (read(service->wake_fd, &n, sizeof n) != (ssize_t)sizeof n || service->on_wake == NULL) {
        return BR_OK;
    }
    service->idle_wanted = true;
    return service->on_wake(service->state);
}

static br_status ring(br_service *service, int64_t now_ms)
{
    for (size_t i = 0; i < service->n_alarms; i++) {
        br_service_alarm *alarm = &service->alarms[i];
        if (now_ms < alarm->due_ms) {
            continue;
        }
        // A loop that was held up rings once, not once for every period it missed.
        alarm->due_ms = now_ms + alarm->period_ms;
        service->idle_wanted = true;
        br_status status = alarm->handler(service->state);
        if (status != BR_OK) {
            return status;
        }
    }
    return BR_OK;
}

static void tick(br_service *service, int64_t now_ms)
{
    if (service->watchdog_ms > 0 && now_ms >= service->watchdog_due_ms) {
        service->watchdog_due_ms = now_ms + service->watchdog_ms;
        notify("WATCHDOG=1");
    }
    if (now_ms < service->tick_ms) {
        return;
    }
    service->tick_ms = now_ms + BR_SERVICE_TICK_MS;
    see_room(service, now_ms);
    br_metric_set(service->heartbeat, br_clock_wall_s());
    for (size_t i = 0; i < service->n_sources; i++) {
        br_service_source *source = &service->sources[i];
        uint64_t dropped = br_socket_dropped(source->socket);
        if (dropped > source->dropped) {
            br_metric_add(service->dropped, (double)(dropped - source->dropped));
            source->dropped = dropped;
        }
    }
}

static br_status be_idle(br_service *service)
{
    service->idle_ms = br_clock_ms();
    br_status status = service->idle(service->state);
    if (status == BR_ERR_AGAIN) {
        service->idle_wanted = false;
        return BR_OK;
    }
    return status;
}

static bool idle_waits(const br_service *service)
{
    return service->idle != NULL && service->idle_wanted;
}

static int64_t time_to_wait(const br_service *service, int64_t now_ms)
{
    if (idle_waits(service)) {
        return 0;
    }
    int64_t due_ms = service->tick_ms;
    if (service->watchdog_ms > 0) {
        due_ms = sooner(due_ms, service->watchdog_due_ms);
    }
    if (!service->started) {
        due_ms = sooner(due_ms, service->retry_ms);
    }
    if (service->draining) {
        due_ms = sooner(due_ms, service->drain_until_ms);
    }
    for (size_t i = 0; i < service->n_alarms; i++) {
        due_ms = sooner(due_ms, service->alarms[i].due_ms);
    }
    return due_ms > now_ms ? due_ms - now_ms : 0;
}

static br_status serve(br_service *service, int64_t now_ms)
{
    enum { SIGNALS, WAKE, FIRST };
    br_poll_item items[FIRST + BR_SERVICE_SOCKETS] = {
        [SIGNALS] = {.fd = service->signal_fd}, [WAKE] = {.fd = service->wake_fd}};
    br_service_source *sources[BR_SERVICE_SOCKETS];
    size_t n = 0;
    for (size_t i = 0; i < service->n_sources; i++) {
        if (service->sources[i].handler != NULL) {
            sources[n] = &service->sources[i];
            items[FIRST + n++].socket = service->sources[i].socket;
        }
    }
    br_status status = br_poll(items, FIRST + n, time_to_wait(service, now_ms));
    if (status != BR_OK) {
        return status;
    }
    br_live_beat();
    now_ms = br_clock_ms();
    if (items[SIGNALS].ready) {
        read_signals(service, now_ms);
    }
    if (items[WAKE].ready && status == BR_OK) {
        status = wake(service);
    }
    bool quiet = true;
    for (size_t i = 0; i < n && status == BR_OK && !service->finished; i++) {
        if (items[FIRST + i].ready) {
            quiet = false;
            status = receive(service, sources[i]);
        }
    }
    if (status == BR_OK && !service->finished) {
        status = ring(service, now_ms);
    }
    if (status == BR_OK && !service->finished && idle_waits(service) &&
        (quiet || now_ms - service->idle_ms >= BR_SERVICE_IDLE_MS)) {
        status = be_idle(service);
    }
    return status;
}

br_status br_service_loop(br_service *service)
{
    service->watchdog_ms = br_notify_watchdog_ms();
    br_live_beat();
    br_status status = BR_OK;
    while (status == BR_OK && !service->finished) {
        int64_t now_ms = br_clock_ms();
        tick(service, now_ms);
        if (!service->started && !service->draining && now_ms >= service->retry_ms) {
            status = start(service, now_ms);
        }
        if (service->draining && now_ms >= service->drain_until_ms) {
            br_log_warn("SERVICE-DRAIN", "pid=%d reason=\"not done after %d ms\" next=\"stopping all the same\"",
                        (int)getpid(), BR_SERVICE_DRAIN_MS);
            break;
        }
        if (status == BR_OK && !service->finished) {
            status = serve(service, now_ms);
        }
        status = start_over_if_full(service, status);
    }
    return status;
}
