#ifndef BR_SERVICE_HTTP_H
#define BR_SERVICE_HTTP_H

/// A small HTTP server over libmicrohttpd: routes to functions, limits, ETag. Plain HTTP for loopback; TLS and who may come in are a
/// proxy's business. Every process serves /livez, /readyz and /metrics with it; desk adds its own routes.

#include "base/buf.h"

#define BR_HTTP_BODY_BYTES (64u << 10) ///< the longest body of a POST
#define BR_HTTP_PEER_UNIX  "unix"      ///< the peer of a request that came over a unix socket

typedef struct br_http br_http;

/// An answer that is made once and given many times.
typedef struct br_http_kept br_http_kept;

typedef struct br_http_request {
    const char *method;
    const char *path; ///< decoded, starts with /, without "." and ".." segments
    const char *(*query)(const struct br_http_request *request, const char *name); ///< NULL if absent; valid UTF-8
    const char *rest; ///< what followed a route that ends in a slash
    const char *if_none_match;
    /// A header's value as it was sent, any bytes but NUL and line ends; "" also when it came more than once, so that nobody believes either. NULL if absent.
    const char *(*header)(const struct br_http_request *request, const char *name);
    const char
        *peer; ///< numeric address of the other side (IPv4 also where it came mapped into IPv6), or BR_HTTP_PEER_UNIX
    const uint8_t *body; ///< [n_body] of a POST, followed by a NUL; any bytes
    size_t n_body;
    const char *user; ///< who asks, set by a handler that finds out before it calls another; NULL from the server
    void *connection;
} br_http_request;

struct br_http_answer;
/// Gives the answer instead of the handler, on the one thread for what takes long; `state` is its own and it releases it. answer = NULL: nobody
/// wants it any more, only release.
typedef void (*br_http_later)(void *state, struct br_http_answer *answer);

typedef struct br_http_answer {
    unsigned code;             ///< 200 when not set
    const char *content_type;  ///< "application/json" when not set
    const char *etag;          ///< quoted; "" or NULL = none. One of if_none_match: 304 without body
    const char *cache_control; ///< "no-cache" when not set
    const char *
        content_security_policy; ///< "default-src 'none'; frame-ancestors 'none'" when not set: right for data, not for a page
    char etag_text[80];          ///< room for one
    unsigned retry_after_s; ///< 0 = not said
    const char *content_disposition;
    br_http_kept *kept; ///< given instead of all else here; held for this answer, which lets go of it
    br_http_later
        later; ///< set by a handler that would take long; the rest of the answer is then left as it came. Only with n_waiting > 0
    void *later_state;
    br_buf body;
} br_http_answer;

/// Called on a server thread; must be safe beside the other threads.
typedef void (*br_http_handler)(void *context, const br_http_request *request, br_http_answer *answer);

typedef struct br_http_route {
    const char *path;        ///< exact, or a prefix when it ends in "/"
    br_http_handler handler; ///< GET and HEAD; NULL: 405
    void *context;
    br_http_handler post; ///< POST; NULL: 405
} br_http_route;

typedef struct br_http_options {
    const char *listen;          ///< a numeric address, or unix:/PATH
    uint16_t port;               ///< 0 = any free; of a path none
    const br_http_route *routes; ///< [n_routes], borrowed
    size_t n_routes;
    uint32_t
        max_connections; ///< 0 = 256; from three quarters of them on, who comes makes the one leave that has waited longest
    uint32_t timeout_s; ///< silence after which a connection is closed, and the time a whole body may take; 0 = 10
    uint32_t n_threads; ///< 0 = 1
    uint32_t
        n_waiting; ///< requests that wait for the thread that answers later; more get 429. 0 = no handler answers later
} br_http_options;

/// /livez, /readyz and /metrics are always there. Requests are counted by route and code. Refused before any handler sees them: an end that is told in two ways (400, and the connection is closed), methods the route
/// does not take (405), bodies of GET and HEAD and those longer than BR_HTTP_BODY_BYTES (413), paths and queries that are not proper UTF-8 or hold control characters (400),
/// more than 32 arguments or 4 KiB of them (414). A body that is refused by its head is not read. Memory: at most 32 KiB and one body per connection. Errors: BR_ERR_EXISTS (port in use), BR_ERR_IO.
br_status br_http_start(br_http **out, const br_http_options *options) BR_MUST_CHECK;
/// Other routes beside the three from now on; when it returns, no thread is in a handler of the former ones.
/// Errors: BR_ERR_NO_MEMORY, the former ones stay.
br_status br_http_routes(br_http *http, const br_http_route *routes, size_t n) BR_MUST_CHECK;
uint16_t br_http_port(const br_http *http);
void br_http_free(br_http **http);

/// Keep a finished answer of code 200 (its body is moved, an etag is needed) and perhaps its body as gzip (moved; NULL = none), which goes to
/// those who take it, with a tag of its own. Nothing of it changes any more; threads share it. The caller holds it once; the last who lets go frees it, and a
/// transmission under way ends by itself. Errors: BR_ERR_NO_MEMORY, the body is lost then.
br_status br_http_keep(br_http_kept **out, br_http_answer *answer, br_buf *gzip) BR_MUST_CHECK;
br_http_kept *br_http_kept_hold(br_http_kept *kept);
void br_http_kept_free(br_http_kept **kept);
size_t br_http_kept_bytes(const br_http_kept *kept);

/// A problem as application/problem+json (RFC 9457).
void br_http_problem(br_http_answer *answer, unsigned code, const char *title, const char *detail);

/// What /readyz says: 200 when ready, else 503 with the reason. Set from any thread; the text is copied.
void br_ready_set(bool ready, const char *reason);
/// /livez answers 200 while the loop beats; 503 when the last beat is older than 10 s.
void br_live_beat(void);

#endif
