// A small service for the tests: echoes requests, counts, fails and waits on command.
//
//   type 1  echo the body             type 2  fail with the body as reason
//   type 3  answer with counters      type 4  echo, then find a store full

#include "base/log.h"
#include "service/service.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct echo_state {
    br_service *service;
    br_socket *socket;
    unsigned timers;
    unsigned idles;
    unsigned wakes;
    unsigned drains;
} echo_state;

static unsigned attempts;

static br_status on_message(void *state, br_socket *socket, br_message *message)
{
    echo_state *self = state;
    char text[128];
    br_span body = {message->body, message->n_body};
    if (message->type == 2) {
        return br_fail(BR_ERR_INVALID, "told to fail: %.*s", (int)message->n_body, (const char *)message->body);
    }
    if (message->type == 3) {
        int n = snprintf(text, sizeof text, "timers=%u idles=%u wakes=%u attempts=%u", self->timers, self->idles,
                         self->wakes, attempts);
        body = (br_span){text, (size_t)n};
    }
    br_status status = br_socket_send(socket, &message->peer, message->type, message->request, body, (br_span){0});
    if (message->type == 4) {
        return br_fail(BR_ERR_FULL, "no room");
    }
    return status == BR_ERR_UNREACHABLE || status == BR_ERR_AGAIN ? BR_OK : status;
}

static br_status on_timer(void *state)
{
    echo_state *self = state;
    self->timers++;
    return BR_OK;
}

static br_status on_idle(void *state)
{
    echo_state *self = state;
    self->idles++;
    return BR_ERR_AGAIN;
}

static br_status on_wake(void *state)
{
    echo_state *self = state;
    self->wakes++;
    return BR_OK;
}

static void hello(void *context, const br_http_request *request, br_http_answer *answer)
{
    echo_state *self = context;
    (void)request;
    br_service_wake(self->service);
    br_buf_string(&answer->body, "\"hello\"");
}

static bool room(void)
{
    const char *file = getenv("ECHO_FILE");
    return file != NULL && access(file, F_OK) == 0;
}

static br_status echo_start(br_service *service, void *state)
{
    echo_state *self = state;
    const char *mode = getenv("ECHO_MODE");
    attempts++;
    self->service = service;
    br_status status = br_service_local_socket(service, &self->socket, BR_SOCKET_ROUTER, "echo", true, on_message);
    if (status == BR_OK) {
        status = br_service_timer(service, 5, on_timer);
    }
    const br_http_route routes[] = {{.path = "/hello", .handler = hello, .context = self}};
    if (status == BR_OK) {
        status = br_service_routes(service, routes, 1);
    }
    if (status != BR_OK || mode == NULL) {
        br_service_idle(service, on_idle);
        br_service_on_wake(service, on_wake);
        return status;
    }
    if (strcmp(mode, "wait") == 0 && access(getenv("ECHO_FILE"), F_OK) != 0) {
        br_service_not_ready(service, "waiting for a file");
        return BR_ERR_AGAIN;
    }
    if (strcmp(mode, "full") == 0 && (attempts > 1 || getenv("ECHO_FILE") == NULL) && !room()) {
        return br_fail(BR_ERR_FULL, "still no room");
    }
    if (strcmp(mode, "fail") == 0) {
        return br_fail(BR_ERR_CORRUPT, "the store is broken");
    }
    if (strcmp(mode, "unreachable") == 0) {
        return br_fail(BR_ERR_UNREACHABLE, "nobody there");
    }
    return BR_OK;
}

static void echo_drain(void *state)
{
    echo_state *self = state;
    const char *mode = getenv("ECHO_MODE");
    self->drains++;
    if (mode == NULL || strcmp(mode, "linger") != 0) {
        br_service_finish(self->service);
    }
}

static void echo_stop(void *state)
{
    echo_state *self = state;
    if (self->drains > 0) {
        br_log_info("ECHO-STOPPED", "drains=%u", self->drains);
    }
}

// Blocks no signal, as the threads of a library that started before main().
static void *be_there(void *nothing)
{
    for (;;) {
        pause();
    }
    return nothing;
}

int main(int argc, char **argv)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, be_there, NULL) != 0) {
        return 1;
    }
    return br_service_main(argc, argv,
                           &(br_service_definition){.name = "echo",
                                                    .description = "Says what it hears",
                                                    .state_bytes = sizeof(echo_state),
                                                    .start = echo_start,
                                                    .drain = echo_drain,
                                                    .stop = echo_stop,
                                                    .many = getenv("ECHO_MANY") != NULL,
                                                    .serves_page = getenv("ECHO_PAGE") != NULL});
}
