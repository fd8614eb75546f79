#ifndef BR_SERVICE_INTERNAL_H
#define BR_SERVICE_INTERNAL_H

/// What the files of this module share and nobody else sees.

#include "base/log.h"
#include "service/service.h"

// --- process.c ---

/// process_* in the text format, from /proc/self.
void br_process_text(br_buf *out);

// --- health.c ---

void br_livez(void *context, const br_http_request *request, br_http_answer *answer);
void br_readyz(void *context, const br_http_request *request, br_http_answer *answer);

// --- uri.c ---

/// Percent-decode text[0..n) into out (room for n + 1 bytes). False: a bad escape, a NUL, a control character or bytes that are
/// not UTF-8.
bool br_uri_decode(char *out, const char *text, size_t n);
/// Is there a segment "." or ".." in a decoded path?
bool br_uri_climbs(const char *path);
/// Does If-None-Match name this tag (RFC 9110 13.1.2: lists, W/, *)?
bool br_etag_matches(const char *if_none_match, const char *etag);

/// Does Accept-Encoding take gzip (RFC 9110 12.5.3)? NULL: no.
bool br_accepts_gzip(const char *accept_encoding);

// --- listen.c ---

#define BR_LISTEN_PATH "unix:" ///< what an absolute path of a socket follows

/// Is it unix:/PATH, short enough for a socket's name?
bool br_listen_is_path(const char *address);
/// A socket that listens: at a numeric address, or at unix:/PATH, made with mode 0660. port_out: the one that was taken, 0 of a path.
/// Errors: BR_ERR_EXISTS (in use), BR_ERR_INVALID, BR_ERR_IO.
br_status br_listen(int *out, uint16_t *port_out, const char *address, uint16_t port) BR_MUST_CHECK;

// --- crowd.c ---

/// The connections of a server. When more than `most` are there, each that enters makes the one leave that has waited longest since it came or was
/// answered. Safe from any thread. About 50 bytes per connection.
typedef struct br_crowd br_crowd;
br_status br_crowd_new(br_crowd **out, unsigned most) BR_MUST_CHECK;
void br_crowd_free(br_crowd **crowd); ///< when all have left
/// file: its socket, which stays open until br_crowd_leave() was called. NULL without memory, which the next two take.
void *br_crowd_enter(br_crowd *crowd, int file);
void br_crowd_served(br_crowd *crowd, void *member);
void br_crowd_leave(br_crowd *crowd, void *member);

// --- http.c, kept.c ---

struct MHD_Connection;
struct MHD_Response;

/// The headers of every answer; allow: NULL or what 405 says. False: no memory.
bool br_http_headers(struct MHD_Response *response, const br_http_answer *answer, const char *allow);
/// Give the request what was kept: its code, or 0 when it could not be given.
unsigned br_http_kept_give(br_http_kept *kept, struct MHD_Connection *connection, const char *if_none_match);

// --- flags.c ---

typedef struct br_flags {
    char directory[BR_PATH_BYTES];
    char name[BR_MAX_NAME]; ///< --name, "" without it
    br_log_level level;
} br_flags;

/// Command line over environment over defaults. False: there is nothing to start (--help, --version, wrong usage), the texts are in
/// `out` and `err` and the exit code is in *code_out.
bool br_flags_parse(br_flags *flags, int argc, char **argv, const br_service_definition *definition, br_buf *out,
                    br_buf *err, int *code_out);

// --- notify.c ---

/// One datagram to $NOTIFY_SOCKET (sd_notify(3)); nothing without it.
br_status br_notify(const char *text);
/// Half of $WATCHDOG_USEC in ms; 0 when no watchdog waits for this process.
int64_t br_notify_watchdog_ms(void);

// --- loop.c ---

#define BR_SERVICE_SOCKETS  16
#define BR_SERVICE_TIMERS   16
#define BR_SERVICE_ROUTES   64
#define BR_SERVICE_MESSAGES 64 ///< of one socket in a row before the others have their turn
#define BR_SERVICE_DRAIN_MS 10000
#define BR_SERVICE_RETRY_MS 100  ///< between two attempts to start
#define BR_SERVICE_FULL_MS  1000 ///< between two while a store is full
#define BR_SERVICE_ROOM_MS  5000 ///< up for so long without meeting a full store: there is room again
#define BR_SERVICE_TICK_MS  1000 ///< heartbeat, watchdog, counters
#define BR_SERVICE_IDLE_MS  1000 ///< idle work has its turn at least this often, however many messages come

typedef struct br_service_source {
    br_socket *socket;
    br_socket_handler handler;
    uint64_t dropped; ///< as far as it has been counted
} br_service_source;

typedef struct br_service_alarm {
    int64_t period_ms;
    int64_t due_ms;
    br_timer_handler handler;
} br_service_alarm;

struct br_service {
    const br_service_definition *definition;
    void *state;
    br_config config;
    char process_name[BR_MAX_NAME * 2];
    br_bus *bus;
    br_http *http;
    char http_file[BR_PATH_BYTES]; ///< "" until it is written
    br_service_source sources[BR_SERVICE_SOCKETS];
    size_t n_sources;
    br_service_alarm alarms[BR_SERVICE_TIMERS];
    size_t n_alarms;
    br_http_route
        routes[BR_SERVICE_ROUTES]; ///< served as soon as start() has succeeded, so that none meets a half-made state
    size_t n_routes;
    br_timer_handler idle;
    br_timer_handler on_wake;
    bool idle_wanted; ///< something happened since idle work had nothing to do
    int64_t idle_ms;  ///< when it last had its turn
    int signal_fd;
    int wake_fd;
    bool attempted; ///< start() was called, so stop() has to be
    bool started;
    int64_t started_ms;
    bool full;     ///< a store was, and it has not been up for BR_SERVICE_ROOM_MS since
    bool withheld; ///< the service says itself when it is ready
    bool ready;
    bool draining;
    bool finished;
    bool heard_int;
    int64_t retry_ms;
    int64_t drain_until_ms;
    int64_t tick_ms;
    int64_t watchdog_ms; ///< between two, 0 = none
    int64_t watchdog_due_ms;
    br_metric *heartbeat;
    br_metric *dropped;
    br_metric *store_full;
};

/// Start, serve, drain. BR_OK: stopped as asked.
br_status br_service_loop(br_service *service);
/// Undo what start() did: the service's own state, sockets, timers. The HTTP server is gone by then or has no routes of the service.
void br_service_undo(br_service *service);

#endif
