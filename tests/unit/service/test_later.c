// Goal: what takes long is answered later and holds up nobody. Method: one server thread, work that waits until it is let go; more requests
// than there is room for; routes taken away meanwhile; a client that leaves; clients that go on asking while the server stops.

#include "helpers.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "service/http.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static br_http *server;
static sem_t entered, may_leave;
static atomic_int n_running, n_released;
static int marks[8];

static void work(void *state, br_http_answer *answer)
{
    if (answer != NULL) {
        cr_assert_eq(atomic_fetch_add(&n_running, 1), 0, "one at a time");
        sem_post(&entered);
        sem_wait(&may_leave);
        atomic_fetch_sub(&n_running, 1);
        answer->code = 201;
        answer->etag = "\"v1\"";
        br_buf_printf(&answer->body, "worked %d", *(int *)state);
    }
    atomic_fetch_add(&n_released, 1);
}

static void slow(void *context, const br_http_request *request, br_http_answer *answer)
{
    (void)context;
    int which = request->n_body > 0 ? request->body[0] - '0' : 0;
    marks[which] = which;
    answer->later = work;
    answer->later_state = &marks[which];
}

static void quick(void *context, const br_http_request *request, br_http_answer *answer)
{
    (void)context;
    (void)request;
    br_buf_string(&answer->body, "quick");
}

static const br_http_route routes[] = {{.path = "/slow", .handler = slow, .post = slow},
                                       {.path = "/quick", .handler = quick}};

static void set_up(void)
{
    static const br_http_options options = {
        .listen = "127.0.0.1", .routes = routes, .n_routes = 2, .n_threads = 1, .n_waiting = 2};
    sem_init(&entered, 0, 0);
    sem_init(&may_leave, 0, 0);
    cr_assert_eq(br_http_start(&server, &options), BR_OK);
}

static void tear_down(void)
{
    br_http_free(&server);
}

TestSuite(service_later, .init = set_up, .fini = tear_down, .timeout = 60);

/// Sends a request and does not wait for its answer.
static int ask(char which)
{
    char request[160];
    int file = br_test_connect(br_http_port(server));
    int n =
        snprintf(request, sizeof request,
                 "POST /slow HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 1\r\n\r\n%c", which);
    cr_assert(br_test_send(file, request, (size_t)n));
    return file;
}

static int answer_of(int file, br_buf *out)
{
    br_buf_clear(out);
    int code = br_test_receive(file, out, BR_TEST_DEADLINE_MS);
    close(file);
    return code;
}

static int get(const char *target, br_buf *out)
{
    br_buf_clear(out);
    return br_test_get(br_http_port(server), target, out);
}

Test(service_later, long_work_waits_in_a_short_queue_and_holds_up_nobody)
{
    BR_AUTO_DEINIT(br_buf) answer = {0};
    int files[3];
    files[0] = ask('1');
    sem_wait(&entered);
    // The server's one thread takes requests in order: a quick one that is answered comes after those that were sent before it.
    for (int i = 1; i < 3; i++) {
        files[i] = ask((char)('1' + i));
        cr_expect_eq(get("/quick", &answer), 200);
    }
    cr_expect_eq(get("/slow", &answer), 429, "no room for a third that waits");
    cr_expect_str_eq(br_test_header(&answer, "Retry-After"), "1");
    cr_expect_eq(atomic_load(&n_released), 1, "what is refused is released");
    for (int i = 0; i < 3; i++) {
        char wanted[24];
        sem_post(&may_leave);
        cr_expect_eq(answer_of(files[i], &answer), 201);
        snprintf(wanted, sizeof wanted, "worked %d", i + 1);
        cr_expect_str_eq(br_test_body(&answer), wanted, "in order of arrival");
        cr_expect_str_eq(br_test_header(&answer, "ETag"), "\"v1\"");
    }
    sem_post(&may_leave);
    cr_expect_eq(get("/slow", &answer), 201, "a GET as well");
    cr_expect_eq(atomic_load(&n_released), 5);
    cr_expect_eq(get("/metrics", &answer), 200);
    cr_expect_not_null(strstr(br_buf_text(&answer), "route=\"/slow\",code=\"201\"} 4"), "counted by their codes");
    cr_expect_not_null(strstr(br_buf_text(&answer), "route=\"/slow\",code=\"429\"} 1"));
}

Test(service_later, a_client_that_leaves_takes_nothing_with_him)
{
    BR_AUTO_DEINIT(br_buf) answer = {0};
    int first = ask('1');
    sem_wait(&entered);
    int second = ask('2');
    cr_expect_eq(get("/quick", &answer), 200);
    close(first);
    close(second);
    sem_post(&may_leave);
    sem_post(&may_leave);
    sem_post(&may_leave);
    cr_expect_eq(get("/slow", &answer), 201);
    cr_expect_eq(atomic_load(&n_released), 3);
}

Test(service_later, what_waits_is_given_up_when_the_routes_go)
{
    BR_AUTO_DEINIT(br_buf) answer = {0};
    int first = ask('1');
    sem_wait(&entered);
    int second = ask('2');
    cr_expect_eq(get("/quick", &answer), 200);
    sem_post(&may_leave);
    sem_post(&may_leave); // should the second begin
    cr_assert_eq(br_http_routes(server, NULL, 0), BR_OK);
    cr_expect_eq(atomic_load(&n_released), 2, "nobody is inside any more");
    cr_expect_eq(answer_of(first, &answer), 201);
    int code = answer_of(second, &answer);
    cr_expect(code == 503 || code == 201, "%d: given up, unless it had begun", code);
}

// --- stopping ---

enum { N_ASKING = 6, WORK_MS = 3, STOPS = 20 };

static atomic_bool stopped;
static atomic_int n_given, n_ended;

static void short_work(void *state, br_http_answer *answer)
{
    (void)state;
    if (answer != NULL) {
        sem_post(&entered);
        const int64_t until_ns = br_clock_ns() + WORK_MS * 1000000;
        while (br_clock_ns() < until_ns) {
        }
        br_buf_string(&answer->body, "worked");
    }
    atomic_fetch_add(&n_ended, 1);
}

static void give(void *context, const br_http_request *request, br_http_answer *answer)
{
    (void)context;
    (void)request;
    atomic_fetch_add(&n_given, 1);
    answer->later = short_work;
}

static void *go_on_asking(void *context)
{
    static const char request[] = "GET /give HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(*(const uint16_t *)context)};
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    BR_AUTO_DEINIT(br_buf) answer = {0};
    while (!atomic_load(&stopped)) {
        int file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        br_buf_clear(&answer);
        if (connect(file, (const struct sockaddr *)&name, sizeof name) == 0 &&
            br_test_send(file, request, sizeof request - 1)) {
            br_test_receive(file, &answer, BR_TEST_DEADLINE_MS);
        }
        close(file);
    }
    return NULL;
}

Test(service_later, it_stops_while_clients_go_on_asking)
{
    static const br_http_route given[] = {{.path = "/give", .handler = give}};
    static const br_http_options options = {
        .listen = "127.0.0.1", .routes = given, .n_routes = 1, .n_threads = 4, .n_waiting = 4};
    for (int round = 0; round < STOPS; round++) {
        br_http *asked = NULL;
        sem_init(&entered, 0, 0);
        pthread_t threads[N_ASKING];
        cr_assert_eq(br_http_start(&asked, &options), BR_OK);
        uint16_t port = br_http_port(asked);
        atomic_store(&stopped, false);
        for (int i = 0; i < N_ASKING; i++) {
            cr_assert_eq(pthread_create(&threads[i], NULL, go_on_asking, &port), 0);
        }
        for (int i = 0; i < N_ASKING; i++) {
            sem_wait(&entered); // now requests are in every place that they can be in
        }
        const int64_t since_ms = br_clock_ms();
        br_http_free(&asked);
        cr_expect_lt(br_clock_ms() - since_ms, 5000, "no new work comes in while it stops");
        atomic_store(&stopped, true);
        for (int i = 0; i < N_ASKING; i++) {
            pthread_join(threads[i], NULL);
        }
        cr_expect_eq(atomic_load(&n_given), atomic_load(&n_ended), "each is released once");
    }
    cr_expect_gt(atomic_load(&n_given), 0);
}
