#include "service/http.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "service/internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_ARGUMENTS    32
#define MAX_TARGET_BYTES 4096 // of the path, and of all arguments
#define CONNECTION_BYTES (32u << 10)
#define BACKLOG          128

static const unsigned counted_codes[] = {200, 304, 400, 404, 405, 413, 414, 500, 503};

enum { N_CODES = sizeof counted_codes / sizeof counted_codes[0] };

typedef struct route_slot {
    br_http_route route;
    br_metric *duration;
    _Atomic(br_metric *) by_code[N_CODES + 1]; // the last is for every other code
} route_slot;

struct br_http {
    struct MHD_Daemon *daemon;
    uint16_t port;
    pthread_rwlock_t lock; // handlers run under it, so that routes can be taken away
    route_slot *slots;
    size_t n_slots;
    route_slot nowhere; // requests without a route
};

typedef struct argument {
    const char *name;
    const char *value;
} argument;

// One request while it is worked.
typedef struct exchange {
    br_http_request request;
    argument arguments[MAX_ARGUMENTS];
    size_t n_arguments;
    char path[MAX_TARGET_BYTES + 1];
    char text[MAX_TARGET_BYTES + 2 * MAX_ARGUMENTS];
    size_t used;
    bool malformed;
    bool too_long;
    const char *allow;
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
        br_assert(route->path[0] == '/' && route->handler != NULL);
        slot_init(&slots[i], route);
    }
    pthread_rwlock_wrlock(&http->lock);
    route_slot *old = http->slots;
    http->slots = slots;
    http->n_slots = N_OWN + n;
    pthread_rwlock_unlock(&http->lock);
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

static bool has_body(struct MHD_Connection *connection)
{
    const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return (length != NULL && strcmp(length, "0") != 0) ||
           MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_TRANSFER_ENCODING) != NULL;
}

// The answer, and the route it counts for.
static route_slot *work(br_http *http, struct MHD_Connection *connection, exchange *e, const char *url,
                        br_http_answer *answer)
{
    read_target(e, connection, url);
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
    if (strcmp(e->request.method, "GET") != 0 && strcmp(e->request.method, "HEAD") != 0) {
        e->allow = "GET, HEAD";
        br_http_problem(answer, 405, "Method Not Allowed", "only GET and HEAD");
        return slot;
    }
    if (has_body(connection)) {
        br_http_problem(answer, 413, "Content Too Large", "a request may not have a body");
        return slot;
    }
    e->request.rest = e->path + strlen(slot->route.path);
    slot->route.handler(slot->route.context, &e->request, answer);
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
    if (answer->code == 200 && br_etag_matches(e->request.if_none_match, answer->etag)) {
        answer->code = 304;
        br_buf_clear(&answer->body);
    }
}

static bool add_headers(struct MHD_Response *response, const exchange *e, const br_http_answer *answer)
{
    const char *const headers[][2] = {
        {"X-Content-Type-Options", "nosniff"},
        {"Cache-Control", answer->cache_control == NULL ? "no-cache" : answer->cache_control},
        {"Content-Security-Policy", answer->content_security_policy == NULL
                                        ? "default-src 'none'; frame-ancestors 'none'"
                                        : answer->content_security_policy},
        {"Content-Type", answer->code == 304 ? NULL : answer->content_type},
        {"ETag", answer->etag != NULL && answer->etag[0] != '\0' ? answer->etag : NULL},
        {"Allow", e->allow},
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
    if (add_headers(response, e, answer)) {
        result = MHD_queue_response(connection, answer->code, response);
    }
    MHD_destroy_response(response);
    return result;
}

// Called once when the head of a request is there and once more when all of it is. A request with a body is answered
// at the first call, which makes the server read no more of it.
static enum MHD_Result access_handler(void *context, struct MHD_Connection *connection, const char *url,
                                      const char *method, const char *version, const char *upload, size_t *upload_bytes,
                                      void **seen)
{
    (void)version;
    (void)upload;
    static int mark;
    if (*seen == NULL && !has_body(connection)) {
        *seen = &mark;
        return MHD_YES;
    }
    if (*upload_bytes != 0) {
        return MHD_NO;
    }
    br_http *http = context;
    int64_t started_ns = br_clock_ns();
    exchange e;
    e.request = (br_http_request){
        .method = method,
        .path = e.path,
        .query = find_argument,
        .rest = "",
        .if_none_match = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_IF_NONE_MATCH),
        .connection = &e};
    e.n_arguments = 0;
    e.used = 0;
    e.malformed = false;
    e.too_long = false;
    e.allow = NULL;
    br_http_answer answer = {0};
    pthread_rwlock_rdlock(&http->lock);
    route_slot *slot = work(http, connection, &e, url, &answer);
    finish(&e, &answer);
    enum MHD_Result result = respond(connection, &e, &answer);
    count(slot, answer.code, started_ns);
    pthread_rwlock_unlock(&http->lock);
    br_buf_deinit(&answer.body);
    return result;
}

// Decoding is ours: the library's own goes on after a wrong escape.
static size_t leave_as_it_is(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    return strlen(text);
}

// --- the server ---

static br_status listen_on(int *out, uint16_t *port_out, const char *address, uint16_t port)
{
    union {
        struct sockaddr any;
        struct sockaddr_in four;
        struct sockaddr_in6 six;
    } name = {0};
    socklen_t size;
    if (inet_pton(AF_INET, address, &name.four.sin_addr) == 1) {
        name.four.sin_family = AF_INET;
        name.four.sin_port = htons(port);
        size = sizeof name.four;
    } else if (inet_pton(AF_INET6, address, &name.six.sin6_addr) == 1) {
        name.six.sin6_family = AF_INET6;
        name.six.sin6_port = htons(port);
        size = sizeof name.six;
    } else {
        return br_fail(BR_ERR_INVALID, "\"%s\" is not a numeric address to listen on", address);
    }
    int file = socket(name.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1;
    if (file < 0 || setsockopt(file, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(file, &name.any, size) != 0 || listen(file, BACKLOG) != 0 || getsockname(file, &name.any, &size) != 0) {
        br_status status = errno == EADDRINUSE
                               ? br_fail(BR_ERR_EXISTS, "%s port %u is in use by another program", address, port)
                               : br_fail(BR_ERR_IO, "cannot listen on %s port %u: %s", address, port, strerror(errno));
        if (file >= 0) {
            close(file);
        }
        return status;
    }
    *out = file;
    *port_out = ntohs(name.any.sa_family == AF_INET ? name.four.sin_port : name.six.sin6_port);
    return BR_OK;
}

static struct MHD_Daemon *start_daemon(br_http *http, int file, const br_http_options *options)
{
    const unsigned threads = options->n_threads == 0 ? 1 : options->n_threads;
    const unsigned connections = options->max_connections == 0 ? 256 : options->max_connections;
    const struct MHD_OptionItem items[] = {
        {MHD_OPTION_LISTEN_SOCKET, file, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, (intptr_t)(connections < threads ? threads : connections), NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, options->timeout_s == 0 ? 10 : (intptr_t)options->timeout_s, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_BYTES, NULL},
        {MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
        {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)leave_as_it_is, NULL},
        {MHD_OPTION_THREAD_POOL_SIZE, threads == 1 ? 0 : (intptr_t)threads, NULL},
        {MHD_OPTION_END, 0, NULL}};
    return MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, access_handler, http, MHD_OPTION_ARRAY, items,
                            MHD_OPTION_END);
}

br_status br_http_start(br_http **out, const br_http_options *options)
{
    BR_AUTO(br_http) *http = br_calloc(1, sizeof *http);
    if (http == NULL) {
        return br_no_memory("HTTP server", 1);
    }
    pthread_rwlock_init(&http->lock, NULL);
    slot_init(&http->nowhere, &(br_http_route){.path = "none"});
    br_status status = br_http_routes(http, options->routes, options->n_routes);
    if (status != BR_OK) {
        return status;
    }
    int file = -1;
    status = listen_on(&file, &http->port, options->listen, options->port);
    if (status != BR_OK) {
        return status;
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
    if ((*http)->daemon != NULL) {
        MHD_stop_daemon((*http)->daemon); // closes the listening socket as well
    }
    pthread_rwlock_destroy(&(*http)->lock);
    br_free((*http)->slots);
    br_free(*http);
    *http = NULL;
}
