// Goal: the server answers what it should and survives what it gets. Method: bytes over real sockets, kind and hostile
// ones; after each hostile request a kind one.

#include "helpers.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "service/http.h"
#include "service/telemetry.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static br_http *server;

static void echo(void *context, const br_http_request *request, br_http_answer *answer)
{
    (void)context;
    const char *q = request->query(request, "q");
    br_buf_printf(&answer->body, "{\"path\":\"%s\",\"rest\":\"%s\",\"q\":\"%s\",\"method\":\"%s\"}", request->path,
                  request->rest, q == NULL ? "-" : q, request->method);
}

static void tagged(void *context, const br_http_request *request, br_http_answer *answer)
{
    (void)context;
    (void)request;
    snprintf(answer->etag_text, sizeof answer->etag_text, "\"v%d\"", 1);
    answer->etag = answer->etag_text;
    answer->content_type = "text/html; charset=utf-8";
    answer->content_security_policy = "default-src 'self'";
    answer->cache_control = "max-age=60";
    br_buf_string(&answer->body, "<p>page</p>");
}

static void large(void *context, const br_http_request *request, br_http_answer *answer)
{
    (void)context;
    (void)request;
    for (int i = 0; i < 100000; i++) {
        br_buf_string(&answer->body, "0123456789");
    }
}

static void starved(void *context, const br_http_request *request, br_http_answer *answer)
{
    (void)context;
    (void)request;
    br_buf_string(&answer->body, "half an answer");
    answer->body.failed = true;
}

static void missing(void *context, const br_http_request *request, br_http_answer *answer)
{
    (void)context;
    (void)request;
    br_buf_string(&answer->body, "forget this");
    br_http_problem(answer, 404, "No such bond", "there is no bond \"x\"");
}

static void posted(void *context, const br_http_request *request, br_http_answer *answer)
{
    (void)context;
    const char *one = request->header(request, "x-ONE");
    answer->code = 201;
    answer->etag = "\"v1\"";
    answer->retry_after_s = 7;
    br_buf_printf(&answer->body, "%s %zu %d %s|", request->method, request->n_body, request->body[request->n_body],
                  one == NULL ? "-" : one);
    br_buf_append(&answer->body, request->body, request->n_body < 64 ? request->n_body : 64);
}

static void say_peer(void *context, const br_http_request *request, br_http_answer *answer)
{
    (void)context;
    br_buf_string(&answer->body, request->peer);
}

static const br_http_route routes[] = {
    {.path = "/post", .post = posted},        {.path = "/both/", .handler = echo, .post = posted},
    {.path = "/peer", .handler = say_peer},   {.path = "/echo", .handler = echo},
    {.path = "/tree/", .handler = echo},      {.path = "/tree/inner/", .handler = missing},
    {.path = "/page", .handler = tagged},     {.path = "/large", .handler = large},
    {.path = "/starved", .handler = starved},
};

static const br_http_options options = {.listen = "127.0.0.1",
                                        .routes = routes,
                                        .n_routes = sizeof routes / sizeof routes[0],
                                        .timeout_s = 1,
                                        .n_threads = 2};

static void set_up(void)
{
    cr_assert_eq(br_http_start(&server, &options), BR_OK, "%s", br_why(BR_ERR_IO));
}

static void tear_down(void)
{
    br_http_free(&server);
}

TestSuite(service_http, .init = set_up, .fini = tear_down);

static int get(const char *target, br_buf *out)
{
    return br_test_get(br_http_port(server), target, out);
}

static void expect_serving(const char *after)
{
    BR_AUTO_DEINIT(br_buf) answer = {0};
    cr_assert_eq(get("/echo", &answer), 200, "no answer after %s", after);
}

Test(service_http, a_route_gets_path_rest_and_arguments)
{
    static const char *const cases[][2] = {
        {"/echo", "{\"path\":\"/echo\",\"rest\":\"\",\"q\":\"-\",\"method\":\"GET\"}"},
        {"/echo?q=a%20b+c%2Bd&p=1", "{\"path\":\"/echo\",\"rest\":\"\",\"q\":\"a b c+d\",\"method\":\"GET\"}"},
        {"/echo?q", "{\"path\":\"/echo\",\"rest\":\"\",\"q\":\"\",\"method\":\"GET\"}"},
        {"/echo?x=%E5%80%BA&q=1&q=2", "{\"path\":\"/echo\",\"rest\":\"\",\"q\":\"1\",\"method\":\"GET\"}"},
        {"/%65cho", "{\"path\":\"/echo\",\"rest\":\"\",\"q\":\"-\",\"method\":\"GET\"}"},
        {"/tree/", "{\"path\":\"/tree/\",\"rest\":\"\",\"q\":\"-\",\"method\":\"GET\"}"},
        {"/tree/%E5%80%BA/x", "{\"path\":\"/tree/\xE5\x80\xBA/x\",\"rest\":\"\xE5\x80\xBA/x\",\"q\":\"-\","
                              "\"method\":\"GET\"}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        BR_AUTO_DEINIT(br_buf) answer = {0};
        cr_assert_eq(get(cases[i][0], &answer), 200, "%s", cases[i][0]);
        cr_assert_str_eq(br_test_body(&answer), cases[i][1]);
        cr_assert_str_eq(br_test_header(&answer, "Content-Type"), "application/json");
        cr_assert_str_eq(br_test_header(&answer, "X-Content-Type-Options"), "nosniff");
        cr_assert_str_eq(br_test_header(&answer, "Cache-Control"), "no-cache");
        cr_assert_not_null(strstr(br_test_header(&answer, "Content-Security-Policy"), "default-src 'none'"));
    }
}

static void expect_problem(const br_buf *answer, unsigned code)
{
    char wanted[32];
    snprintf(wanted, sizeof wanted, "\"status\":%u,", code);
    cr_assert_str_eq(br_test_header(answer, "Content-Type"), "application/problem+json");
    cr_assert_not_null(strstr(br_test_body(answer), wanted), "%s", br_test_body(answer));
    cr_assert_not_null(strstr(br_test_body(answer), "\"title\":\""));
}

Test(service_http, what_is_wrong_is_a_problem)
{
    static const struct {
        const char *target;
        int code;
    } cases[] = {
        {"/nothing", 404},       {"/", 404},
        {"/echo/", 404},         {"/tree", 404},
        {"/tree/inner/x", 404},  {"/%", 400},
        {"/echo%zz", 400},       {"/echo%00", 400},
        {"/%C0%AF", 400},        {"/tree/../echo", 400},
        {"/tree/%2e%2e/x", 400}, {"/tree/%2E", 400},
        {"/echo?q=%00", 400},    {"/echo?q=%f", 400},
        {"/echo?%ff=1", 400},    {"/echo?q=%0d%0a", 400},
        {"/starved", 500},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        BR_AUTO_DEINIT(br_buf) answer = {0};
        cr_assert_eq(get(cases[i].target, &answer), cases[i].code, "%s: %s", cases[i].target, br_buf_text(&answer));
        expect_problem(&answer, (unsigned)cases[i].code);
    }
    BR_AUTO_DEINIT(br_buf) answer = {0};
    cr_assert_eq(get("/tree/inner/x", &answer), 404);
    cr_assert_str_eq(br_test_body(&answer), "{\"type\":\"about:blank\",\"status\":404,\"title\":\"No such bond\","
                                            "\"detail\":\"there is no bond \\\"x\\\"\"}\n");
}

Test(service_http, long_targets_and_many_arguments_are_414)
{
    BR_AUTO_DEINIT(br_buf) target = {0};
    BR_AUTO_DEINIT(br_buf) answer = {0};
    br_buf_string(&target, "/tree/");
    for (int i = 0; i < 4090; i++) {
        br_buf_char(&target, 'a');
    }
    cr_assert_eq(get(br_buf_text(&target), &answer), 200, "4096 bytes are allowed");
    br_buf_char(&target, 'a');
    cr_assert_eq(get(br_buf_text(&target), &answer), 414);
    expect_problem(&answer, 414);
    for (int n = 32; n <= 33; n++) {
        br_buf_clear(&target);
        br_buf_string(&target, "/echo?q=1");
        for (int i = 1; i < n; i++) {
            br_buf_printf(&target, "&a%d=%d", i, i);
        }
        cr_assert_eq(get(br_buf_text(&target), &answer), n == 32 ? 200 : 414, "%d arguments", n);
    }
    br_buf_clear(&target);
    br_buf_string(&target, "/echo?q=");
    for (int i = 0; i < 5000; i++) {
        br_buf_char(&target, 'a');
    }
    cr_assert_eq(get(br_buf_text(&target), &answer), 414);
}

Test(service_http, only_get_and_head_are_allowed)
{
    static const char *const methods[] = {"POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        for (int with_body = 0; with_body < 2; with_body++) {
            BR_AUTO_DEINIT(br_buf) request = {0};
            BR_AUTO_DEINIT(br_buf) answer = {0};
            br_buf_printf(&request, "%s /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%s\r\n%s", methods[i],
                          with_body == 0 ? "" : "Content-Length: 5\r\n", with_body == 0 ? "" : "hello");
            cr_assert_eq(br_test_request(br_http_port(server), br_buf_text(&request), &answer), 405, "%s", methods[i]);
            cr_assert_str_eq(br_test_header(&answer, "Allow"), "GET, HEAD");
            expect_problem(&answer, 405);
        }
    }
    BR_AUTO_DEINIT(br_buf) answer = {0};
    cr_assert_eq(
        br_test_request(br_http_port(server), "HEAD /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", &answer),
        200);
    cr_assert_str_eq(br_test_header(&answer, "Content-Length"), "1000000");
    cr_assert_str_eq(br_test_body(&answer), "");
}

Test(service_http, a_body_is_refused)
{
    BR_AUTO_DEINIT(br_buf) answer = {0};
    cr_assert_eq(br_test_request(br_http_port(server),
                                 "GET /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\nabc", &answer),
                 413);
    br_buf_clear(&answer);
    cr_assert_eq(br_test_request(br_http_port(server),
                                 "GET /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
                                 &answer),
                 413);
    expect_serving("bodies");
}

// --- bodies ---

static int post(const char *head, const char *body, size_t n, br_buf *answer)
{
    BR_AUTO_DEINIT(br_buf) request = {0};
    br_buf_printf(&request, "POST %s\r\nConnection: close\r\n\r\n", head);
    br_buf_append(&request, body, n);
    int file = br_test_connect(br_http_port(server));
    br_test_send(file, request.data, request.length);
    int code = br_test_receive(file, answer, BR_TEST_DEADLINE_MS);
    close(file);
    return code;
}

Test(service_http, a_post_brings_its_body)
{
    static const char *const cases[][3] = {
        {"/post HTTP/1.1\r\nHost: a\r\nContent-Length: 5", "hello", "POST 5 0 -|hello"},
        {"/post HTTP/1.1\r\nHost: a\r\nX-One: \xE5\x80\xBA \xFF\r\nContent-Length: 0", "",
         "POST 0 0 \xE5\x80\xBA \xFF|"},
        {"/post HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nx-one: 2", "", "POST 0 0 |"},
        {"/both/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked", "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
         "POST 5 0 -|abcde"},
        {"/both/ HTTP/1.1\r\nHost: a\r\nIf-None-Match: \"v1\"\r\nContent-Length: 1", "x", "POST 1 0 -|x"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        BR_AUTO_DEINIT(br_buf) answer = {0};
        cr_assert_eq(post(cases[i][0], cases[i][1], strlen(cases[i][1]), &answer), 201, "%zu", i);
        cr_assert_str_eq(br_test_body(&answer), cases[i][2]);
        cr_assert_str_eq(br_test_header(&answer, "Retry-After"), "7");
    }
    BR_AUTO_DEINIT(br_buf) answer = {0};
    cr_assert_eq(get("/both/x", &answer), 200);
    cr_assert_eq(get("/post", &answer), 405);
    cr_assert_str_eq(br_test_header(&answer, "Allow"), "POST");
    br_buf_clear(&answer);
    cr_assert_eq(br_test_request(br_http_port(server), "PUT /both/ HTTP/1.1\r\nHost: a\r\n\r\n", &answer), 405);
    cr_assert_str_eq(br_test_header(&answer, "Allow"), "GET, HEAD, POST");
}

Test(service_http, a_body_has_at_most_64_KiB)
{
    BR_AUTO_DEINIT(br_buf) body = {0};
    for (size_t i = 0; i <= BR_HTTP_BODY_BYTES; i++) {
        br_buf_char(&body, 'a');
    }
    for (int chunked = 0; chunked < 2; chunked++) {
        for (int more = 0; more < 2; more++) {
            char head[128];
            BR_AUTO_DEINIT(br_buf) framed = {0};
            BR_AUTO_DEINIT(br_buf) answer = {0};
            const size_t n = BR_HTTP_BODY_BYTES + (size_t)more;
            snprintf(head, sizeof head, "/post HTTP/1.1\r\nHost: a\r\n%s%zu",
                     chunked == 0 ? "Content-Length: " : "Transfer-Encoding: chunked\r\nX-Bytes: ", n);
            if (chunked != 0) {
                br_buf_printf(&framed, "%zx\r\n", n);
            }
            br_buf_append(&framed, body.data, n);
            br_buf_string(&framed, chunked == 0 ? "" : "\r\n0\r\n\r\n");
            cr_assert_eq(post(head, br_buf_text(&framed), framed.length, &answer), more == 0 ? 201 : 413, "%s", head);
            if (more != 0) {
                expect_problem(&answer, 413);
            }
        }
    }
}

Test(service_http, a_body_that_nobody_wants_is_not_read)
{
    static const char *const heads[] = {"/post HTTP/1.1\r\nHost: a\r\nContent-Length: 65537",
                                        "/post HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000000",
                                        "/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10",
                                        "/nothing HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked"};
    static const int codes[] = {413, 413, 405, 404};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        BR_AUTO_DEINIT(br_buf) answer = {0};
        cr_assert_eq(post(heads[i], "", 0, &answer), codes[i], "%s", heads[i]); // without a byte of the body
        cr_assert_null(strstr(br_buf_text(&answer), "100 Continue"));
    }
    BR_AUTO_DEINIT(br_buf) answer = {0};
    cr_assert_eq(post("/post HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 65537", "", 0, &answer),
                 413);
}

Test(service_http, a_body_without_an_end_is_given_up)
{
    static const char head[] = "POST /post HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    BR_AUTO_DEINIT(br_buf) answer = {0};
    static char chunk[8 + (64 << 10)];
    memcpy(chunk, "10000\r\n", 7);
    memset(chunk + 7, 'a', 64 << 10);
    memcpy(chunk + 7 + (64 << 10), "\r", 1);
    int file = br_test_connect(br_http_port(server));
    size_t n_sent = 0;
    bool open = br_test_send(file, head, sizeof head - 1);
    while (open && n_sent < 1u << 30) {
        open = br_test_send(file, chunk, sizeof chunk) && br_test_send(file, "\n", 1);
        n_sent += sizeof chunk;
    }
    cr_assert_not(open, "a gigabyte was taken");
    close(file);
    // Dripping: each byte comes before the silence is over, the whole never does.
    file = br_test_connect(br_http_port(server));
    open = br_test_send(file, head, sizeof head - 1);
    int64_t started_ms = br_clock_ms();
    while (open && br_clock_ms() - started_ms < 10000) {
        open = br_test_send(file, "1\r\na\r\n", 6);
        br_test_receive(file, &answer, 50);
    }
    cr_assert_not(open);
    close(file);
    expect_serving("bodies without an end");
}

Test(service_http, a_peer_is_an_address)
{
    BR_AUTO_DEINIT(br_buf) answer = {0};
    cr_assert_eq(get("/peer", &answer), 200);
    cr_assert_str_eq(br_test_body(&answer), "127.0.0.1");
}

Test(service_http, a_known_tag_is_304_without_body)
{
    static const struct {
        const char *tag;
        int code;
    } cases[] = {{"\"v1\"", 304}, {"W/\"v1\"", 304}, {"\"v0\", \"v1\"", 304}, {"*", 304}, {"\"v2\"", 200}, {"v1", 200}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char request[256];
        BR_AUTO_DEINIT(br_buf) answer = {0};
        snprintf(request, sizeof request,
                 "GET /page HTTP/1.1\r\nHost: a\r\nConnection: close\r\nIf-None-Match: %s\r\n\r\n", cases[i].tag);
        cr_assert_eq(br_test_request(br_http_port(server), request, &answer), cases[i].code, "%s", cases[i].tag);
        cr_assert_str_eq(br_test_body(&answer), cases[i].code == 304 ? "" : "<p>page</p>");
        cr_assert_str_eq(br_test_header(&answer, "ETag"), "\"v1\"");
        cr_assert_str_eq(br_test_header(&answer, "Content-Security-Policy"), "default-src 'self'");
        cr_assert_str_eq(br_test_header(&answer, "Cache-Control"), "max-age=60");
    }
}

Test(service_http, a_connection_serves_several_requests)
{
    BR_AUTO_DEINIT(br_buf) answer = {0};
    cr_assert_eq(br_test_request(br_http_port(server),
                                 "GET /echo?q=1 HTTP/1.1\r\nHost: a\r\n\r\nGET /page HTTP/1.1\r\nHost: a\r\n\r\n"
                                 "GET /echo?q=3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
                                 &answer),
                 200);
    cr_assert_not_null(strstr(br_buf_text(&answer), "\"q\":\"1\""));
    cr_assert_not_null(strstr(br_buf_text(&answer), "<p>page</p>"));
    cr_assert_not_null(strstr(br_buf_text(&answer), "\"q\":\"3\""));
}

Test(service_http, hostile_bytes_do_not_stop_it)
{
    static const struct {
        const char *bytes;
        size_t n;
    } cases[] = {
#define BYTES(text) {text, sizeof text - 1}
        BYTES("\r\n\r\n\r\n"),
        BYTES("\0\0\0\0\r\n\r\n"),
        BYTES("GET\r\n\r\n"),
        BYTES("GET  HTTP/1.1\r\n\r\n"),
        BYTES("GET /ec\0ho HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
        BYTES("GET /echo HTTP/9.9\r\nHost: a\r\n\r\n"),
        BYTES("GET /echo\r\n\r\n"),
        BYTES("GET http://evil/echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
        BYTES("GET * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
        BYTES("GET /../../etc/passwd HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
        BYTES("GET /echo HTTP/1.1\r\nHost a\r\nConnection: close\r\n\r\n"),
        BYTES("GET /echo HTTP/1.1\r\nContent-Length: -5\r\nHost: a\r\n\r\n"),
        BYTES("GET /echo HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\nHost: a\r\n\r\n"),
        BYTES("GET /echo?%%%%%%%%=%&&&&===?? HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
        BYTES("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
        BYTES("GET /echo HTTP/1.1\r\nHost: a\r\nIf-None-Match: \"\"\"\"\",,,,W/W/\"\r\nConnection: "
              "close\r\n\r\n"),
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int file = br_test_connect(br_http_port(server));
        BR_AUTO_DEINIT(br_buf) answer = {0};
        br_test_send(file, cases[i].bytes, cases[i].n);
        shutdown(file, SHUT_WR);
        cr_assert_neq(br_test_receive(file, &answer, BR_TEST_DEADLINE_MS), -1, "case %zu is left hanging", i);
        cr_assert_null(strstr(br_buf_text(&answer), "root:"));
        close(file);
        expect_serving(cases[i].bytes);
    }
}

Test(service_http, a_megabyte_of_headers_is_refused)
{
    BR_AUTO_DEINIT(br_buf) request = {0};
    BR_AUTO_DEINIT(br_buf) answer = {0};
    br_buf_string(&request, "GET /echo HTTP/1.1\r\nHost: a\r\n");
    while (request.length < 1u << 20) {
        br_buf_string(&request, "X-Header: 0123456789012345678901234567890123456789\r\n");
    }
    br_buf_string(&request, "\r\n");
    int file = br_test_connect(br_http_port(server));
    br_test_send(file, request.data, request.length);
    int code = br_test_receive(file, &answer, BR_TEST_DEADLINE_MS);
    close(file);
    cr_assert(code == 0 || (code >= 400 && code < 500), "%d", code); // 0: closed in the face of the sender
    expect_serving("a megabyte of headers");
}

Test(service_http, slow_and_silent_connections_end_and_hold_up_nobody)
{
    enum { N = 40 };
    int files[N];
    int64_t started_ms = br_clock_ms();
    for (int i = 0; i < N; i++) {
        files[i] = br_test_connect(br_http_port(server));
        const char *part = i % 2 == 0 ? "" : "GET /echo HTTP/1.1\r\nHos";
        br_test_send(files[i], part, strlen(part));
    }
    expect_serving("forty silent connections");
    for (int i = 0; i < N; i++) {
        BR_AUTO_DEINIT(br_buf) answer = {0};
        cr_assert_neq(br_test_receive(files[i], &answer, BR_TEST_DEADLINE_MS), -1, "connection %d stays", i);
        cr_assert_neq(br_test_receive(files[i], &answer, 1), 200);
        close(files[i]);
    }
    cr_assert_lt(br_clock_ms() - started_ms, 10000, "the timeout was set to 1 s");
}

Test(service_http, requests_are_counted_by_route_and_code)
{
    BR_AUTO_DEINIT(br_buf) answer = {0};
    for (int i = 0; i < 3; i++) {
        get("/tree/a", &answer);
    }
    get("/unknown/1", &answer);
    get("/unknown/2", &answer);
    get("/%zz", &answer);
    cr_assert_eq(get("/metrics", &answer), 200);
    cr_assert_str_eq(br_test_header(&answer, "Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
    const char *body = br_test_body(&answer);
    cr_assert_not_null(strstr(body, "\nbookrunner_http_requests_total{route=\"/tree/\",code=\"200\"} 3\n"), "%s", body);
    cr_assert_not_null(strstr(body, "\nbookrunner_http_requests_total{route=\"none\",code=\"404\"} 2\n"));
    cr_assert_not_null(strstr(body, "\nbookrunner_http_requests_total{route=\"none\",code=\"400\"} 1\n"));
    cr_assert_not_null(strstr(body, "\nbookrunner_http_request_duration_seconds_count{route=\"/tree/\"} 3\n"));
    cr_assert_null(strstr(body, "unknown"), "what clients send is no label");
}

Test(service_http, health_says_what_was_set)
{
    BR_AUTO_DEINIT(br_buf) answer = {0};
    cr_assert_eq(get("/livez", &answer), 503);
    br_live_beat();
    cr_assert_eq(get("/livez", &answer), 200);
    cr_assert_str_eq(br_test_body(&answer), "ok\n");
    cr_assert_eq(get("/readyz", &answer), 503);
    br_ready_set(false, "no snapshot yet");
    cr_assert_eq(get("/readyz", &answer), 503);
    cr_assert_str_eq(br_test_body(&answer), "not ready: no snapshot yet\n");
    br_ready_set(true, "");
    cr_assert_eq(get("/readyz", &answer), 200);
    cr_assert_eq(get("/readyz?verbose", &answer), 200);
    cr_assert_not_null(strstr(br_test_body(&answer), "[+] ready: yes\n"), "%s", br_test_body(&answer));
    cr_assert_eq(get("/livez?verbose=1", &answer), 200);
    cr_assert_not_null(strstr(br_test_body(&answer), "[+] live: last beat "));
    cr_assert_not_null(strstr(br_test_body(&answer), "version: 0."));
}

Test(service_http, a_taken_port_is_said_with_its_number)
{
    br_http *second = NULL;
    br_http_options same = options;
    same.port = br_http_port(server);
    char number[16];
    snprintf(number, sizeof number, "%u", same.port);
    cr_assert_eq(br_http_start(&second, &same), BR_ERR_EXISTS);
    cr_assert_not_null(strstr(br_why(BR_ERR_EXISTS), number));
    same.listen = "localhost";
    cr_assert_eq(br_http_start(&second, &same), BR_ERR_INVALID);
    same.listen = "192.0.2.1";
    cr_assert_eq(br_http_start(&second, &same), BR_ERR_IO);
    cr_assert_null(second);
}

// --- routes that change ---

static atomic_bool entered, may_leave, left;

static void wait_inside(void *context, const br_http_request *request, br_http_answer *answer)
{
    (void)context;
    (void)request;
    (void)answer;
    atomic_store(&entered, true);
    while (!atomic_load(&may_leave)) {
    }
    atomic_store(&left, true);
}

static void *ask(void *argument)
{
    BR_AUTO_DEINIT(br_buf) answer = {0};
    (void)argument;
    get("/slow", &answer);
    return NULL;
}

static void *let_go(void *argument)
{
    (void)argument;
    atomic_store(&may_leave, true);
    return NULL;
}

Test(service_http, routes_go_only_when_nobody_is_inside)
{
    const br_http_route slow[] = {{.path = "/slow", .handler = wait_inside}};
    cr_assert_eq(br_http_routes(server, slow, 1), BR_OK);
    pthread_t asker, opener;
    cr_assert_eq(pthread_create(&asker, NULL, ask, NULL), 0);
    while (!atomic_load(&entered)) {
    }
    cr_assert_eq(pthread_create(&opener, NULL, let_go, NULL), 0);
    cr_assert_eq(br_http_routes(server, NULL, 0), BR_OK);
    cr_assert(atomic_load(&left));
    pthread_join(asker, NULL);
    pthread_join(opener, NULL);
    BR_AUTO_DEINIT(br_buf) answer = {0};
    cr_assert_eq(get("/slow", &answer), 404);
    cr_assert_eq(get("/metrics", &answer), 200);
}

Test(service_http_memory, no_allocation_that_fails_is_lost)
{
    // Metrics live as long as the process: registered once before anything is counted.
    br_http *http = NULL;
    cr_assert_eq(br_http_start(&http, &options), BR_OK);
    br_http_free(&http);
    size_t live = br_alloc_live();
    size_t n = 0;
    br_status status;
    do {
        br_alloc_fail_after(n++);
        status = br_http_start(&http, &options);
        br_alloc_fail_after(SIZE_MAX);
        cr_assert(status == BR_OK || status == BR_ERR_NO_MEMORY);
        br_http_free(&http);
        cr_assert_eq(br_alloc_live(), live, "after %zu", n);
    } while (status != BR_OK && n < 100);
    cr_assert_geq(n, 3);
}
