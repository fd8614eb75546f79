#include "service/service.h"
#include "codec/codec.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/version.h"
#include "service/internal.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

// --- what a service asks for ---

const br_config *br_service_config(const br_service *service)
{
    return &service->config;
}

const char *br_service_directory(const br_service *service)
{
    return service->config.directory;
}

const char *br_service_process_name(const br_service *service)
{
    return service->process_name;
}

br_bus *br_service_bus(br_service *service)
{
    return service->bus;
}

br_status br_service_socket(br_service *service, br_socket **out, const br_socket_options *options,
                            br_socket_handler handler)
{
    if (service->n_sources == BR_SERVICE_SOCKETS) {
        return br_fail(BR_ERR_LIMIT, "a service has at most %d sockets", BR_SERVICE_SOCKETS);
    }
    br_socket *socket = NULL;
    br_status status = br_socket_open(&socket, service->bus, options);
    if (status == BR_OK) {
        service->sources[service->n_sources++] = (br_service_source){.socket = socket, .handler = handler};
        *out = socket;
    }
    return status;
}

br_status br_service_local_socket(br_service *service, br_socket **out, br_socket_kind kind, const char *name,
                                  bool bind, br_socket_handler handler)
{
    char endpoint[BR_PATH_BYTES];
    br_status status = br_endpoint(endpoint, service->config.directory, name);
    if (status != BR_OK) {
        return status;
    }
    const br_socket_options options = {
        .kind = kind, .endpoint = endpoint, .bind = bind, .max_message_bytes = BR_MAX_FRAME_BYTES};
    return br_service_socket(service, out, &options, handler);
}

br_status br_service_timer(br_service *service, int64_t period_ms, br_timer_handler handler)
{
    br_assert(period_ms > 0 && handler != NULL);
    if (service->n_alarms == BR_SERVICE_TIMERS) {
        return br_fail(BR_ERR_LIMIT, "a service has at most %d timers", BR_SERVICE_TIMERS);
    }
    service->alarms[service->n_alarms++] =
        (br_service_alarm){.period_ms = period_ms, .due_ms = br_clock_ms() + period_ms, .handler = handler};
    return BR_OK;
}

void br_service_idle(br_service *service, br_timer_handler handler)
{
    service->idle = handler;
    service->idle_wanted = true;
}

void br_service_wake(br_service *service)
{
    const uint64_t one = 1;
    // Full means that a wake-up is pending anyway.
    ssize_t written = write(service->wake_fd, &one, sizeof one);
    (void)written;
}

void br_service_on_wake(br_service *service, br_timer_handler handler)
{
    service->on_wake = handler;
}

br_status br_service_routes(br_service *service, const br_http_route *routes, size_t n)
{
    if (n > BR_SERVICE_ROUTES - service->n_routes) {
        return br_fail(BR_ERR_LIMIT, "a service has at most %d routes", BR_SERVICE_ROUTES);
    }
    memcpy(service->routes + service->n_routes, routes, n * sizeof routes[0]);
    service->n_routes += n;
    return BR_OK;
}

void br_service_store_full(br_service *service, bool full)
{
    br_metric_set(service->store_full, full ? 1 : 0);
}

bool br_service_draining(const br_service *service)
{
    return service->draining;
}

void br_service_finish(br_service *service)
{
    service->finished = true;
}

// --- telemetry's address ---

// Every process of a directory has a port of its own, the same after each start, so that a scraper can be configured.
static uint16_t telemetry_port(const br_service *service, const char *instance)
{
    static const char *const order[] = {"ingester", "trainer", "ranker", "evaluator"};
    const size_t n_order = sizeof order / sizeof order[0];
    const uint16_t first = service->config.http.telemetry_port;
    if (first == 0) {
        return 0;
    }
    for (size_t i = 0; i < n_order; i++) {
        if (strcmp(service->definition->name, order[i]) == 0) {
            return (uint16_t)(first + i);
        }
    }
    unsigned long number = strtoul(instance, NULL, 10);
    bool counted = service->definition->many && number >= 1 && number <= 256;
    return counted ? (uint16_t)(first + n_order + number - 1) : 0;
}

static br_status write_address(br_service *service, const char *address)
{
    char run[BR_PATH_BYTES], temporary[BR_PATH_BYTES], path[BR_PATH_BYTES];
    br_status status = br_place_path(run, service->config.directory, BR_PLACE_RUN);
    if (status != BR_OK) {
        return status;
    }
    int n = snprintf(path, sizeof path, "%s/%s.http", run, service->process_name);
    int n_temporary = snprintf(temporary, sizeof temporary, "%s/%s.http.new", run, service->process_name);
    if (n < 0 || n_temporary < 0 || (size_t)n_temporary >= sizeof temporary) {
        return br_fail(BR_ERR_LIMIT, "path of %s.http is too long", service->process_name);
    }
    // Written aside and renamed: who reads it finds a whole address or none.
    FILE *file = fopen(temporary, "we");
    const unsigned port = br_http_port(service->http);
    bool good = file != NULL && (br_listen_is_path(address)     ? fprintf(file, "%s\n", address)
                                 : strchr(address, ':') == NULL ? fprintf(file, "%s:%u\n", address, port)
                                                                : fprintf(file, "[%s]:%u\n", address, port)) > 0;
    good = file != NULL && fclose(file) == 0 && good;
    if (!good || rename(temporary, path) != 0) {
        return br_fail(BR_ERR_IO, "cannot write %s: %s", path, strerror(errno));
    }
    memcpy(service->http_file, path, sizeof path);
    return BR_OK;
}

static br_status start_http(br_service *service, const char *instance)
{
    const br_http_config *config = &service->config.http;
    const bool page = service->definition->serves_page;
    const br_http_options options = {
        .listen = page ? config->listen : config->telemetry_listen,
        .port = page ? config->port : telemetry_port(service, instance),
        .max_connections = page ? 512 : 0,
        .n_threads = page ? 6 : 1,
        .n_waiting = page ? 4 : 0,
    };
    br_status status = br_http_start(&service->http, &options);
    return status == BR_OK ? write_address(service, options.listen) : status;
}

// --- the life ---

static pthread_t loop_thread;

static void pass_on(int number)
{
    pthread_kill(loop_thread, number);
}

// Blocked here and in all threads from here on, so that only the loop hears them. Threads that a library started before
// main(), as OpenBLAS does, do not block them: what the system hands to one of those is passed on.
static br_status take_signals(br_service *service)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    sigset_t set;
    sigemptyset(&set);
    signal(SIGPIPE, SIG_IGN);
    loop_thread = pthread_self();
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct sigaction old, action = {.sa_handler = pass_on, .sa_flags = SA_RESTART};
        sigaddset(&set, numbers[i]);
        // What was to be ignored, as nohup(1) asks for, stays so.
        if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN) {
            sigaction(numbers[i], &action, NULL);
        }
    }
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0) {
        return br_fail(BR_ERR_IO, "cannot block signals");
    }
    service->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    service->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (service->signal_fd < 0 || service->wake_fd < 0) {
        return br_fail(BR_ERR_IO, "cannot listen to signals: %s", strerror(errno));
    }
    return BR_OK;
}

static void name_process(br_service *service, const br_flags *flags)
{
    int n = snprintf(service->process_name, sizeof service->process_name, "%s%s%s", service->definition->name,
                     flags->name[0] == '\0' ? "" : "-", flags->name);
    br_assert(n > 0 && (size_t)n < sizeof service->process_name);
}

// The real path: a service may not depend on where it was started.
static br_status resolve(char out[BR_PATH_BYTES], const char *directory)
{
    char run[BR_PATH_BYTES], real[PATH_MAX];
    br_status status = br_place_path(run, directory, BR_PLACE_RUN);
    if (status != BR_OK) {
        return status;
    }
    if (realpath(directory, real) == NULL) {
        return br_fail(BR_ERR_IO, "cannot resolve %s: %s", directory, strerror(errno));
    }
    if (strlen(real) >= BR_PATH_BYTES) {
        return br_fail(BR_ERR_LIMIT, "directory %.40s... is longer than %d bytes", real, BR_PATH_BYTES - 1);
    }
    memcpy(out, real, strlen(real) + 1);
    return BR_OK;
}

static br_status prepare(br_service *service, const br_flags *flags)
{
    char directory[BR_PATH_BYTES], log[BR_PATH_BYTES], labels[BR_MAX_NAME + 16];
    br_status status = br_hash_init();
    if (status == BR_OK) {
        status = resolve(directory, flags->directory);
    }
    if (status == BR_OK) {
        status = br_process_lock(directory, service->process_name);
    }
    if (status == BR_OK) {
        status = br_log_path(log, directory, service->process_name);
    }
    if (status == BR_OK) {
        br_log_file(log);
    }
    if (status == BR_OK) {
        status = br_config_load(&service->config, directory);
    }
    if (status == BR_OK) {
        status = br_bus_new(&service->bus);
    }
    if (status == BR_OK) {
        status = start_http(service, flags->name);
    }
    snprintf(labels, sizeof labels, "stage=\"%s\"", service->definition->name);
    service->heartbeat =
        br_gauge("bookrunner_heartbeat_timestamp_seconds", "When the loop of this process last went round.", labels);
    service->dropped = br_counter("bookrunner_messages_dropped_total",
                                  "Messages that were malformed, too large or of another protocol version.", labels);
    service->store_full = br_gauge("bookrunner_store_full", "1 while a store takes nothing more: a full disk.", labels);
    return status;
}

static void release(br_service *service)
{
    br_ready_set(false, "stopping");
    br_http_free(&service->http); // before the state that its routes use
    if (service->attempted) {
        br_service_undo(service);
    }
    if (service->http_file[0] != '\0') {
        unlink(service->http_file);
    }
    br_bus_free(&service->bus);
    if (service->signal_fd >= 0) {
        close(service->signal_fd);
    }
    if (service->wake_fd >= 0) {
        close(service->wake_fd);
    }
    br_free(service->state);
}

static br_status live(br_service *service, const br_flags *flags)
{
    br_status status = take_signals(service);
    if (status == BR_OK) {
        status = prepare(service, flags);
    }
    if (status != BR_OK) {
        return status;
    }
    br_log_info("SERVICE-START", "pid=%d version=%s commit=%s transport=\"%s\" directory=\"%s\" http_port=%u",
                (int)getpid(), BR_VERSION, BR_COMMIT, br_transport_describe(), service->config.directory,
                br_http_port(service->http));
    return br_service_loop(service);
}

static int end(br_service *service, br_status status)
{
    // First of all, because what follows may record reasons of its own.
    if (status != BR_OK) {
        br_log_error("SERVICE-FAILED", "pid=%d status=%s reason=\"%s\"", (int)getpid(), br_status_name(status),
                     br_why(status));
    }
    release(service);
    if (service->attempted) {
        br_log_info("SERVICE-STOP", "pid=%d", (int)getpid());
    }
    if (status == BR_OK) {
        return 0;
    }
    return status == BR_ERR_UNREACHABLE ? 4 : 1;
}

int br_service_main(int argc, char **argv, const br_service_definition *definition)
{
    br_flags flags;
    BR_AUTO_DEINIT(br_buf) out = {0};
    BR_AUTO_DEINIT(br_buf) err = {0};
    int code;
    bool go = br_flags_parse(&flags, argc, argv, definition, &out, &err, &code);
    fputs(br_buf_text(&out), stdout);
    fputs(br_buf_text(&err), stderr);
    if (!go) {
        return fflush(stdout) == 0 ? code : 1;
    }
    umask(077);
    br_service service = {.definition = definition, .signal_fd = -1, .wake_fd = -1};
    name_process(&service, &flags);
    br_log_open(service.process_name, flags.level);
    service.state = br_calloc(1, definition->state_bytes);
    return end(&service, service.state == NULL ? br_no_memory("bytes of state", definition->state_bytes)
                                               : live(&service, &flags));
}
