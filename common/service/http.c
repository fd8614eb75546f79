#include "service/http.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "service/internal.h"
#include "service/later.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_ARGUMENTS    32
#define MAX_TARGET_BYTES 4096 // of the path, and of all arguments
#define CONNECTION_BYTES (32u << 10)
#define MAX_IGNORED      (1u << 20) // bytes of a body without a length that is too long, before the connection is closed

static const unsigned counted_codes[] = {200, 201, 204, 304, 400, 401, 403, 404, 405,
                                         409, 413, 414, 415, 421, 422, 429, 500, 503};

enum { N_CODES = sizeof counted_codes / sizeof counted_codes[0] };

typedef struct route_slot {
    br_http_route route;
    br_metric *duration;
    _Atomic(br_metric *) by_code[N_CODES + 1]; // the last is for every other code
} route_slot;

struct br_http {
    struct MHD_Daemon *daemon;
    br_crowd *crowd;
    char path[108]; // of a unix socket; "" = none
    uint16_t port;
    int64_t body_ns;       // a body that takes longer is given up
    pthread_rwlock_t lock; // handlers run under it, so that routes can be taken away
    route_slot *slots;
    size_t n_slots;
    route_slot nowhere; // requests without a route
    br_later *later;    // NULL: no handler answers later
    atomic_bool stopping;
};

typedef struct argument {
    const char *name;
    const char *value;
} argument;

// A body on its way in.
typedef struct upload {
    br_buf body;
    size_t n_seen; // counted also when it is too long to keep
    int64_t started_ns;
    struct deferred *deferred; // its answer comes later
} upload;

// A request that the thread for long ones works; its connection is suspended meanwhile.
typedef struct deferred {
    br_later_work work; // first: the one is found by the other
    struct MHD_Connection *connection;
    route_slot *slot;
    int64_t started_ns;
} deferred;

static upload no_upload; // marks a request without a body; never written

// One request while it is worked.
typedef struct exchange {
    br_http_request request;
    struct MHD_Connection *connection;
    void **seen; // the library's place for what is kept of a request
    char peer[INET6_ADDRSTRLEN];
    argument arguments[MAX_ARGUMENTS];
    size_t n_arguments;
    char path[MAX_TARGET_BYTES + 1];
    char text[MAX_TARGET_BYTES + 2 * MAX_ARGUMENTS];
    size_t used;
    bool malformed;
    bool too_long;
    const char *allow;
    bool close; // nothing more is read of this connection
} exchange;

// --- routes ---

static void metrics_route(void *context, const br_http_request *request, br_http_answer *answer)
{
    (void)context;
    (void)request;
    answer->content_type = "text/plain; version=0.0.4; charset=utf-8";
    br_telemetry_text(&answer->body);
}

static const br_http_route own_routes[] = {
    {.path = "/livez", .handler = br_livez},
    {.path = "/readyz", .handler = br_readyz},
    {.path = "/metrics", .handler = metrics_route},
};

enum { N_OWN = sizeof own_routes / sizeof own_routes[0] };

static void slot_init(route_slot *slot, const br_http_route *route)
{
    char labels[160];
    slot->route = *route;
    int n = snprintf(labels, sizeof labels, "route=\"%s\"", route->path);
    br_assert(n > 0 && (size_t)n < sizeof labels);
    slot->duration =
        br_histogram_seconds("bookrunner_http_request_duration_seconds", "Time to answer a request.", labels);
}

static route_slot *find_route(br_http *http, const char *path)
{
    route_slot *best = &http->nowhere;
    size_t best_length = 0;
    for (size_t i = 0; i < http->n_slots; i++) {
        const char *route = http->slots[i].route.path;
        size_t n = strlen(route);
        if (strcmp(route, path) == 0) {
            return &http->slots[i];
        }
        if (route[n - 1] == '/' && strncmp(route, path, n) == 0 && n > best_length) {
            best = &http->slots[i];
            best_length = n;
        }
    }
    return best;
}

static void count(route_slot *slot, unsigned code, int64_t started_ns)
{
    size_t at = 0;
    while (at < N_CODES && counted_codes[at] != code) {
        at++;
    }
    br_metric *counter = atomic_load(&slot->by_code[at]);
    if (counter == NULL) {
        char labels[192], number[16];
        snprintf(number, sizeof number, "%u", code);
        snprintf(labels, sizeof labels, "route=\"%s\",code=\"%s\"", slot->route.path, at == N_CODES ? "other" : number);
        counter = br_counter("bookrunner_http_requests_total", "Requests answered.", labels);
        atomic_store(&slot->by_code[at], counter);
    }
    br_metric_add(counter, 1);
    br_metric_observe(slot->duration, (double)(br_clock_ns() - started_ns) * 1e-9);
}

br_status br_http_routes(br_http *http, const br_http_route *routes, size_t n)
{
    route_slot *slots = br_calloc(N_OWN + n, sizeof *slots);
    if (slots == NULL) {
        return br_no_memory("routes", N_OWN + n);
    }
    for (size_t i = 0; i < N_OWN + n; i++) {
        const br_http_route *route = i < N_OWN ? &own_routes[i] : &routes[i - N_OWN];
        br_assert(route->path[0] == '/' && (route->handler != NULL || route->post != NULL));
        slot_init(&slots[i], route);
    }
    pthread_rwlock_wrlock(&http->lock);
    route_slot *old = http->slots;
    http->slots = slots;
    http->n_slots = N_OWN + n;
    pthread_rwlock_unlock(&http->lock);
    if (http->later != NULL) {
        br_later_drain(http->later);
    }
    br_free(old);
    return BR_OK;
}

// --- requests ---

static const char *find_argument(const br_http_request *request, const char *name)
{
    const exchange *e = request->connection;
    for (size_t i = 0; i < e->n_arguments; i++) {
        if (strcmp(e->arguments[i].name, name) == 0) {
            return e->arguments[i].value;
        }
    }
    return NULL;
}

static const char *keep(exchange *e, const char *text, size_t n)
{
    if (n + 1 > sizeof e->text - e->used) {
        e->too_long = true;
        return NULL;
    }
    char *copy = e->text + e->used;
    if (!br_uri_decode(copy, text, n)) {
        e->malformed = true;
        return NULL;
    }
    e->used += strlen(copy) + 1;
    return copy;
}

static enum MHD_Result take_argument(void *context, enum MHD_ValueKind kind, const char *key, size_t key_size,
                                     const char *value, size_t value_size)
{
    (void)kind;
    exchange *e = context;
    if (e->n_arguments == MAX_ARGUMENTS) {
        e->too_long = true;
        return MHD_NO;
    }
    argument *next = &e->arguments[e->n_arguments];
    next->name = keep(e, key, key_size);
    next->value = next->name == NULL ? NULL : keep(e, value == NULL ? "" : value, value == NULL ? 0 : value_size);
    if (next->value == NULL) {
        return MHD_NO;
    }
    e->n_arguments++;
    return MHD_YES;
}

static void read_target(exchange *e, struct MHD_Connection *connection, const char *url)
{
    size_t n = strlen(url);
    if (n > MAX_TARGET_BYTES) {
        e->too_long = true;
        return;
    }
    if (!br_uri_decode(e->path, url, n) || e->path[0] != '/' || br_uri_climbs(e->path)) {
        e->malformed = true;
        return;
    }
    MHD_get_connection_values_n(connection, MHD_GET_ARGUMENT_KIND, take_argument, e);
}

typedef struct header_search {
    const char *name;
    const char *value;
    unsigned n;
} header_search;

static enum MHD_Result take_header(void *context, enum MHD_ValueKind kind, const char *key, const char *value)
{
    (void)kind;
    header_search *search = context;
    if (strcasecmp(key, search->name) == 0) {
        search->value = value == NULL ? "" : value;
        search->n++;
    }
    return MHD_YES;
}

static const char *find_header(const br_http_request *request, const char *name)
{
    const exchange *e = request->connection;
    header_search search = {.name = name};
    MHD_get_connection_values(e->connection, MHD_HEADER_KIND, take_header, &search);
    return search.n > 1 ? "" : search.value;
}

typedef struct framing {
    unsigned n; // headers that tell where the request ends
    bool wrong;
} framing;

static enum MHD_Result take_framing(void *context, enum MHD_ValueKind kind, const char *key, const char *value)
{
    (void)kind;
    framing *f = context;
    const char *text = value == NULL ? "" : value;
    const bool length = strcasecmp(key, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0;
    const bool coding = strcasecmp(key, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0;
    f->n += length || coding ? 1 : 0;
    f->wrong = f->wrong || key[strcspn(key, " \t")] != '\0' || (coding && strcasecmp(text, "chunked") != 0) ||
               (length && (text[0] == '\0' || text[strspn(text, "0123456789")] != '\0'));
    return MHD_YES;
}

// Where a request ends must be said in one way, or a server in front could see another end and take what follows for
// someone else's request.
static bool is_ambiguous(struct MHD_Connection *connection)
{
    framing f = {0};
    MHD_get_connection_values(connection, MHD_HEADER_KIND, take_framing, &f);
    return f.wrong || f.n > 1;
}

static void read_peer(exchange *e)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(e->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *address = info == NULL ? NULL : info->client_addr;
    e->peer[0] = '\0';
    if (address == NULL) {
        return;
    }
    if (address->sa_family == AF_UNIX) {
        snprintf(e->peer, sizeof e->peer, BR_HTTP_PEER_UNIX);
    } else if (address->sa_family == AF_INET) {
        inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, e->peer, sizeof e->peer);
    } else if (address->sa_family == AF_INET6) {
        const struct in6_addr *six = &((const struct sockaddr_in6 *)address)->sin6_addr;
        if (IN6_IS_ADDR_V4MAPPED(six)) {
            inet_ntop(AF_INET, &six->s6_addr[12], e->peer, sizeof e->peer);
        } else {
            inet_ntop(AF_INET6, six, e->peer, sizeof e->peer);
        }
    }
}

// Bytes of the body as the head tells, SIZE_MAX when it tells only that there is one.
static size_t told_length(struct MHD_Connection *connection)
{
    if (MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_TRANSFER_ENCODING) != NULL) {
        return SIZE_MAX;
    }
    const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return length == NULL ? 0 : strtoull(length, NULL, 10); // the library has refused what is no number
}

static void refuse_method(exchange *e, const route_slot *slot, br_http_answer *answer)
{
    e->allow = slot->route.post == NULL ? "GET, HEAD" : slot->route.handler == NULL ? "POST" : "GET, HEAD, POST";
    char detail[64];
    snprintf(detail, sizeof detail, "only %s", e->allow);
    br_http_problem(answer, 405, "Method Not Allowed", detail);
}

static bool body_is_too_long(const exchange *e, const upload *body, bool post)
{
    size_t told = told_length(e->connection);
    if (!post) {
        return told > 0;
    }
    return (told != SIZE_MAX && told > BR_HTTP_BODY_BYTES) || body->n_seen > BR_HTTP_BODY_BYTES;
}

// The route a request counts for, and the handler that is to answer it; NULL when the answer is there already.
static route_slot *find_work(br_http *http, exchange *e, const upload *body, const char *url, br_http_answer *answer,
                             br_http_handler *handler_out)
{
    *handler_out = NULL;
    if (is_ambiguous(e->connection)) {
        e->close = true;
        br_http_problem(answer, 400, "Bad Request", "Content-Length or Transfer-Encoding: chunked, once");
        return &http->nowhere;
    }
    if (atomic_load(&http->stopping)) {
        e->close = true;
        br_http_problem(answer, 503, "Service Unavailable", "the service is stopping");
        return &http->nowhere;
    }
    read_target(e, e->connection, url);
    if (e->too_long) {
        br_http_problem(answer, 414, "URI Too Long", "path and arguments may have 4096 bytes, 32 arguments");
        return &http->nowhere;
    }
    if (e->malformed) {
        br_http_problem(answer, 400, "Bad Request",
                        "path and arguments must be percent-encoded UTF-8 without control characters and '..'");
        return &http->nowhere;
    }
    route_slot *slot = find_route(http, e->path);
    if (slot == &http->nowhere) {
        br_http_problem(answer, 404, "Not Found", "there is nothing at this path");
        return slot;
    }
    const bool post = strcmp(e->request.method, "POST") == 0;
    const bool get = strcmp(e->request.method, "GET") == 0 || strcmp(e->request.method, "HEAD") == 0;
    br_http_handler handler = post ? slot->route.post : get ? slot->route.handler : NULL;
    if (handler == NULL) {
        refuse_method(e, slot, answer);
    } else if (body_is_too_long(e, body, post)) {
        br_http_problem(answer, 413, "Content Too Large",
                        post ? "a body may have 65536 bytes" : "a request of this method may not have a body");
    } else if (body->body.failed) {
        br_http_problem(answer, 500, "Internal Server Error", "no memory for the body");
    } else {
        *handler_out = handler;
    }
    return slot;
}

// --- answers ---

void br_http_problem(br_http_answer *answer, unsigned code, const char *title, const char *detail)
{
    answer->code = code;
    answer->content_type = "application/problem+json";
    answer->etag = NULL;
    br_buf_clear(&answer->body);
    br_buf_printf(&answer->body, "{\"type\":\"about:blank\",\"status\":%u,\"title\":", code);
    br_buf_json_string(&answer->body, title, strlen(title));
    br_buf_string(&answer->body, ",\"detail\":");
    br_buf_json_string(&answer->body, detail, strlen(detail));
    br_buf_string(&answer->body, "}\n");
}

static void finish(const exchange *e, br_http_answer *answer)
{
    if (answer->body.failed) {
        // Without memory even this may fail; then the body is empty and the code says it all.
        br_buf_deinit(&answer->body);
        br_http_problem(answer, 500, "Internal Server Error", "no memory for the answer");
    }
    if (answer->code == 0) {
        answer->code = 200;
    }
    if (answer->content_type == NULL) {
        answer->content_type = "application/json";
    }
    if (answer->code == 200 && strcmp(e->request.method, "POST") != 0 &&
        br_etag_matches(e->request.if_none_match, answer->etag)) {
        answer->code = 304;
        br_buf_clear(&answer->body);
    }
}

bool br_http_headers(struct MHD_Response *response, const br_http_answer *answer, const char *allow)
{
    char retry[16];
    snprintf(retry, sizeof retry, "%u", answer->retry_after_s);
    const char *const headers[][2] = {
        {"X-Content-Type-Options", "nosniff"},
        {"Cache-Control", answer->cache_control == NULL ? "no-cache" : answer->cache_control},
        {"Content-Security-Policy", answer->content_security_policy == NULL
                                        ? "default-src 'none'; frame-ancestors 'none'"
                                        : answer->content_security_policy},
        {"Content-Type", answer->code == 304 ? NULL : answer->content_type},
        {"ETag", answer->etag != NULL && answer->etag[0] != '\0' ? answer->etag : NULL},
        {"Allow", allow},
        {"Content-Disposition", answer->content_disposition},
        {"Retry-After", answer->retry_after_s == 0 ? NULL : retry},
    };
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        if (headers[i][1] != NULL && MHD_add_response_header(response, headers[i][0], headers[i][1]) != MHD_YES) {
            return false;
        }
    }
    return true;
}

static enum MHD_Result respond(struct MHD_Connection *connection, const exchange *e, br_http_answer *answer)
{
    static char nothing[1];
    struct MHD_Response *response;
    if (answer->kept != NULL) {
        answer->code = br_http_kept_give(answer->kept, connection, e->request.if_none_match);
        br_http_kept_free(&answer->kept);
        return answer->code == 0 ? MHD_NO : MHD_YES;
    }
    if (answer->body.length == 0) {
        response = MHD_create_response_from_buffer(0, nothing, MHD_RESPMEM_PERSISTENT);
    } else {
        response = MHD_create_response_from_buffer_with_free_callback(answer->body.length, answer->body.data, br_free);
        if (response != NULL) {
            answer->body = (br_buf){0}; // the response's now
        }
    }
    if (response == NULL) {
        return MHD_NO;
    }
    enum MHD_Result result = MHD_NO;
    if (br_http_headers(response, answer, e->allow) &&
        (!e->close || MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close") == MHD_YES)) {
        result = MHD_queue_response(connection, answer->code, response);
    }
    MHD_destroy_response(response);
    return result;
}

// --- bodies ---

static enum MHD_Result take_body(const br_http *http, upload *body, const char *bytes, size_t *n_io)
{
    body->n_seen += *n_io;
    if (body->n_seen > MAX_IGNORED || br_clock_ns() - body->started_ns > http->body_ns) {
        return MHD_NO; // no answer can be sent in the midst of a body
    }
    if (body->n_seen <= BR_HTTP_BODY_BYTES) {
        br_buf_append(&body->body, bytes, *n_io);
    } else {
        br_buf_deinit(&body->body);
    }
    *n_io = 0;
    return MHD_YES;
}

static void forget_body(void *context, struct MHD_Connection *connection, void **seen,
                        enum MHD_RequestTerminationCode how)
{
    (void)how;
    const br_http *http = context;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    br_crowd_served(http->crowd, info == NULL ? NULL : info->socket_context);
    upload *body = *seen;
    if (body != NULL && body != &no_upload) {
        br_buf_deinit(&body->body);
        if (body->deferred != NULL) {
            br_buf_deinit(&body->deferred->work.answer.body);
            br_free(body->deferred);
        }
        br_free(body);
    }
    *seen = NULL;
    // Threads that share a core take turns by the request: whole time slices of each would be what the slowest answers take.
    sched_yield();
}

static void exchange_init(exchange *e, struct MHD_Connection *connection, const char *method, const upload *body)
{
    e->connection = connection;
    e->request = (br_http_request){
        .method = method,
        .path = e->path,
        .query = find_argument,
        .rest = "",
        .if_none_match = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_IF_NONE_MATCH),
        .header = find_header,
        .peer = e->peer,
        .body = (const uint8_t *)br_buf_text(&body->body),
        .n_body = body->body.length,
        .connection = e};
    e->n_arguments = 0;
    e->used = 0;
    e->malformed = false;
    e->too_long = false;
    e->allow = NULL;
    e->close = false;
    read_peer(e);
}

// --- answers that come later ---

static void count_deferred(br_later_work *work)
{
    deferred *d = (deferred *)work;
    count(d->slot, work->answer.code == 0 ? 200 : work->answer.code, d->started_ns);
}

static void suspend(void *context)
{
    MHD_suspend_connection(((deferred *)context)->connection);
}

static void resume(br_later_work *work)
{
    MHD_resume_connection(((deferred *)work)->connection);
}

// True: the connection sleeps until the answer is there. False: a problem is the answer, or there was nothing to defer.
static bool defer(br_http *http, const exchange *e, route_slot *slot, int64_t started_ns, br_http_answer *answer)
{
    if (answer->later == NULL) {
        return false;
    }
    br_assert(http->later != NULL);
    deferred *d = br_calloc(1, sizeof *d);
    if (*e->seen == &no_upload) {
        void *own = br_calloc(1, sizeof(upload));
        *e->seen = own == NULL ? &no_upload : own;
    }
    bool room = d != NULL && *e->seen != &no_upload;
    if (room) {
        *d = (deferred){
            .work = {.run = answer->later, .state = answer->later_state, .count = count_deferred, .done = resume},
            .connection = e->connection,
            .slot = slot,
            .started_ns = started_ns};
        ((upload *)*e->seen)->deferred = d;
        room = br_later_put(http->later, &d->work, suspend, d);
    }
    if (room) {
        return true;
    }
    if (*e->seen != &no_upload) {
        ((upload *)*e->seen)->deferred = NULL;
    }
    br_free(d);
    answer->later(answer->later_state, NULL);
    br_http_problem(answer, 429, "Too Many Requests", "others are being worked; try again in a moment");
    answer->retry_after_s = 1;
    return false;
}

static enum MHD_Result answer_deferred(struct MHD_Connection *connection, const char *method, upload *body)
{
    exchange e;
    exchange_init(&e, connection, method, body);
    finish(&e, &body->deferred->work.answer);
    return respond(connection, &e, &body->deferred->work.answer);
}

// Answers a request; one that is not complete only if its head alone decides.
static enum MHD_Result answer_request(br_http *http, exchange *e, const upload *body, const char *url, bool complete,
                                      bool *answered_out)
{
    int64_t started_ns = br_clock_ns();
    br_http_answer answer = {0};
    br_http_handler handler = NULL;
    enum MHD_Result result = MHD_YES;
    pthread_rwlock_rdlock(&http->lock);
    route_slot *slot = find_work(http, e, body, url, &answer, &handler);
    *answered_out = complete || handler == NULL;
    if (*answered_out) {
        if (handler != NULL) {
            e->request.rest = e->path + strlen(slot->route.path);
            handler(slot->route.context, &e->request, &answer);
        }
        if (!defer(http, e, slot, started_ns, &answer)) {
            finish(e, &answer);
            result = respond(e->connection, e, &answer);
            count(slot, answer.code, started_ns);
        }
    }
    pthread_rwlock_unlock(&http->lock);
    br_buf_deinit(&answer.body);
    return result;
}

// Called once when the head of a request is there, for each piece of a body, and once more when all of it is. A request
// whose body nobody wants is answered at the first call, which makes the server read no more of it.
static enum MHD_Result access_handler(void *context, struct MHD_Connection *connection, const char *url,
                                      const char *method, const char *version, const char *piece, size_t *piece_bytes,
                                      void **seen)
{
    (void)version;
    br_http *http = context;
    upload *body = *seen;
    const bool complete = body != NULL;
    if (!complete && told_length(connection) == 0) {
        *seen = &no_upload;
        return MHD_YES;
    }
    if (body != NULL && body->deferred != NULL) {
        return answer_deferred(connection, method, body);
    }
    if (*piece_bytes != 0) {
        return body == NULL || body == &no_upload ? MHD_NO : take_body(http, body, piece, piece_bytes);
    }
    exchange e;
    exchange_init(&e, connection, method, complete ? body : &no_upload);
    e.seen = seen;
    bool answered = false;
    enum MHD_Result result = answer_request(http, &e, complete ? body : &no_upload, url, complete, &answered);
    if (answered) {
        return result;
    }
    body = br_calloc(1, sizeof *body);
    if (body == NULL) {
        return MHD_NO;
    }
    body->started_ns = br_clock_ns();
    *seen = body;
    return MHD_YES;
}

// Decoding is ours: the library's own goes on after a wrong escape.
static size_t leave_as_it_is(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    return strlen(text);
}

// --- the server ---

// Who comes while it is crowded is let in, and who has waited longest goes: a flood of connections that ask for nothing
// shuts nobody out.
static void note_connection(void *context, struct MHD_Connection *connection, void **member,
                            enum MHD_ConnectionNotificationCode what)
{
    br_http *http = context;
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        br_crowd_leave(http->crowd, *member);
        *member = NULL;
        return;
    }
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    *member = info == NULL ? NULL : br_crowd_enter(http->crowd, info->connect_fd);
}

static unsigned n_connections(const br_http_options *options)
{
    return options->max_connections == 0 ? 256 : options->max_connections;
}

static struct MHD_Daemon *start_daemon(br_http *http, int file, const br_http_options *options)
{
    const unsigned threads = options->n_threads == 0 ? 1 : options->n_threads;
    const unsigned connections = n_connections(options);
    const struct MHD_OptionItem items[] = {
        {MHD_OPTION_LISTEN_SOCKET, file, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, (intptr_t)(connections < threads ? threads : connections), NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, options->timeout_s == 0 ? 10 : (intptr_t)options->timeout_s, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_BYTES, NULL},
        {MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
        {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)leave_as_it_is, NULL},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)forget_body, http},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)note_connection, http},
        {MHD_OPTION_THREAD_POOL_SIZE, threads == 1 ? 0 : (intptr_t)threads, NULL},
        {MHD_OPTION_END, 0, NULL}};
    return MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, access_handler,
                            http, MHD_OPTION_ARRAY, items, MHD_OPTION_END);
}

br_status br_http_start(br_http **out, const br_http_options *options)
{
    BR_AUTO(br_http) *http = br_calloc(1, sizeof *http);
    if (http == NULL) {
        return br_no_memory("HTTP server", 1);
    }
    pthread_rwlock_init(&http->lock, NULL);
    http->body_ns = (int64_t)(options->timeout_s == 0 ? 10 : options->timeout_s) * 1000000000;
    slot_init(&http->nowhere, &(br_http_route){.path = "none"});
    br_status status = br_http_routes(http, options->routes, options->n_routes);
    if (status == BR_OK && options->n_waiting > 0) {
        status = br_later_new(&http->later, options->n_waiting);
    }
    if (status != BR_OK) {
        return status;
    }
    // A quarter is room for those who come before others have left.
    status = br_crowd_new(&http->crowd, n_connections(options) - n_connections(options) / 4);
    if (status != BR_OK) {
        return status;
    }
    int file = -1;
    status = br_listen(&file, &http->port, options->listen, options->port);
    if (status != BR_OK) {
        return status;
    }
    if (br_listen_is_path(options->listen)) {
        snprintf(http->path, sizeof http->path, "%s", options->listen + strlen(BR_LISTEN_PATH));
    }
    http->daemon = start_daemon(http, file, options);
    if (http->daemon == NULL) {
        close(file);
        return br_fail(BR_ERR_IO, "cannot start the HTTP server on %s port %u", options->listen, http->port);
    }
    *out = http;
    http = NULL;
    return BR_OK;
}

uint16_t br_http_port(const br_http *http)
{
    return http->port;
}

void br_http_free(br_http **http)
{
    if (http == NULL || *http == NULL) {
        return;
    }
    // Nobody is in a handler, and none comes to one, so that what is given up now is all that was left for later.
    atomic_store(&(*http)->stopping, true);
    pthread_rwlock_wrlock(&(*http)->lock);
    pthread_rwlock_unlock(&(*http)->lock);
    br_later_free(&(*http)->later); // resumes every connection, as the library wants
    if ((*http)->daemon != NULL) {
        MHD_stop_daemon((*http)->daemon); // closes the listening socket as well
    }
    if ((*http)->path[0] != '\0') {
        unlink((*http)->path);
    }
    br_crowd_free(&(*http)->crowd);
    pthread_rwlock_destroy(&(*http)->lock);
    br_free((*http)->slots);
    br_free(*http);
    *http = NULL;
}
