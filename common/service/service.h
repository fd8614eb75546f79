#ifndef BR_SERVICE_SERVICE_H
#define BR_SERVICE_SERVICE_H

/// The life of a process: flags, configuration, lock, sockets, ready, loop, drain, exit code.
///
///     int main(int argc, char **argv)
///     {
///         return br_service_main(argc, argv, &(br_service_definition){
///             .name = "ranker", .start = ranker_start, .stop = ranker_stop, .state_bytes = sizeof(ranker)});
///     }
///
/// Flags: --dir DIR (environment BOOKRUNNER_DIR, default ./bookrunner-data), --name NAME where several may run, --log-level LEVEL
/// (BOOKRUNNER_LOG_LEVEL), --help, --version.
/// Exit codes: 0 stopped as asked, 1 failed, 2 usage, 4 something needed is not reachable (a BR_ERR_UNREACHABLE ended it), 130 second Ctrl-C. SIGTERM,
/// SIGINT and SIGHUP drain: drain is called once, the loop goes on until br_service_finish() or 10 s have passed; a second SIGINT ends the process at
/// once. SIGPIPE is ignored. Being ready is said to $NOTIFY_SOCKET (sd_notify, with its watchdog) and on /readyz. The bound address of the process'
/// HTTP server stands in DIR/run/NAME.http as "ADDRESS:PORT", or as unix:/PATH, as long as it runs.

#include "service/config.h"
#include "service/http.h"
#include "service/telemetry.h"
#include "transport/socket.h"

typedef struct br_service br_service;

/// A handler's status other than BR_OK ends the process with exit code 1 and the reason in the log; but BR_ERR_FULL, once the process has started: then
/// it starts over within itself from what its stores hold (stop(), and start() again each second), keeps its place and its HTTP server, says so once in the log, on /readyz and as
/// bookrunner_store_full, and goes on when there is room.
typedef br_status (*br_socket_handler)(void *state, br_socket *socket, br_message *message);
typedef br_status (*br_timer_handler)(void *state);

typedef struct br_service_definition {
    const char *name;        ///< the process, its lock and its log stage; where several may run, -NAME follows
    const char *description; ///< for --help
    size_t state_bytes;
    /// Open stores and sockets, register handlers. BR_ERR_AGAIN: something it needs is not there yet; what this attempt did is undone (stop(), sockets,
    /// timers, routes, state zero again) and it is called again after 100 ms. Meanwhile the process is alive and not ready; call
    /// br_service_not_ready() before for /readyz to say why.
    br_status (*start)(br_service *service, void *state);
    void (*drain)(void *state); ///< SIGTERM: take no new work; call br_service_finish() when done. NULL: finish at once
    void (*stop)(
        void *
            state); ///< release everything; also after a failed start, and with a state of zeros. NULL: nothing to do. Sockets are still open
    bool many;      ///< several may run in one directory (explainers): needs --name
    bool serves_page; ///< listens at http.listen and http.port, not at the telemetry's (desk)
} br_service_definition;

int br_service_main(int argc, char **argv, const br_service_definition *definition);

const br_config *br_service_config(const br_service *service);
const char *br_service_directory(const br_service *service);
const char *br_service_process_name(const br_service *service); ///< "ranker", "explainer-2"
br_bus *br_service_bus(br_service *service);

/// Open a socket and have its messages handed to `handler` (NULL for sending only), at most 64 in a row. The service owns it and it owns the
/// messages: what a handler keeps it copies. At most 16 sockets.
br_status br_service_socket(br_service *service, br_socket **out, const br_socket_options *options,
                            br_socket_handler handler) BR_MUST_CHECK;
/// The same for an endpoint of DIR/run by name (paths.h).
br_status br_service_local_socket(br_service *service, br_socket **out, br_socket_kind kind, const char *name,
                                  bool bind, br_socket_handler handler) BR_MUST_CHECK;
/// Call `handler` every `period_ms` (first after one period); at most 16 timers. Periods that a busy loop missed are not made up for.
br_status br_service_timer(br_service *service, int64_t period_ms, br_timer_handler handler) BR_MUST_CHECK;
/// Call `handler` whenever the loop has nothing to receive, as long as it returns BR_OK; BR_ERR_AGAIN: not before the next event or timer.
/// While messages keep coming it has its turn once a second. Work is cut into pieces of at most some 100 ms, so that sockets are served in between.
void br_service_idle(br_service *service, br_timer_handler handler);
/// Wake the loop from another thread: `handler` of br_service_on_wake() runs on the loop's thread.
void br_service_wake(br_service *service); ///< from any thread
void br_service_on_wake(br_service *service, br_timer_handler handler);
/// Further HTTP routes (desk), at most 64; call in start, they are served when it has succeeded. The array is copied, the texts are borrowed. Handlers run on server threads until the loop has ended; none runs while or after stop() is called.
br_status br_service_routes(br_service *service, const br_http_route *routes, size_t n) BR_MUST_CHECK;
/// The process can do its work: tell the supervisor and /readyz. Called once by the loop after start; a service that is not ready by then
/// calls br_service_not_ready() in start and br_service_ready() later.
void br_service_not_ready(br_service *service, const char *reason);
void br_service_ready(br_service *service);
/// bookrunner_store_full of a service that meets a full store without ending, and so without starting over.
void br_service_store_full(br_service *service, bool full);
bool br_service_draining(const br_service *service);
void br_service_finish(br_service *service);

#endif
