// Goal: messages arrive whole, wrong ones are dropped and counted, and only listed keys get in. Method: real ipc and tcp
// sockets, hostile peers through the raw library, no sleeps: everything waits by poll with a deadline.
#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"
#include "support/temp.h"
#include "transport/access.h"
#include "transport/client.h"
#include "transport/envelope.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

enum { DEADLINE_MS = 10000, OPTION_ZAP_ENFORCE_DOMAIN = 93 };

static char *directory;
static br_bus *bus;

static void set_up(void)
{
    directory = br_temp_new();
    cr_assert_eq(br_bus_new(&bus), BR_OK);
}

static void tear_down(void)
{
    br_bus_free(&bus);
    br_temp_remove(&directory);
}

TestSuite(transport_socket, .init = set_up, .fini = tear_down, .timeout = 60);

static const char *ipc_endpoint(const char *name)
{
    static char text[4][128];
    static unsigned next;
    char *endpoint = text[next++ % 4];
    snprintf(endpoint, sizeof text[0], "ipc://%s/%s", directory, name);
    return endpoint;
}

static br_socket *open_or_fail(const br_socket_options *options)
{
    br_socket *socket = NULL;
    br_status status = br_socket_open(&socket, bus, options);
    cr_assert_eq(status, BR_OK, "%s", br_why(status));
    return socket;
}

static br_socket *open_local(br_socket_kind kind, const char *endpoint, bool bind)
{
    return open_or_fail(&(br_socket_options){.kind = kind, .endpoint = endpoint, .bind = bind});
}

/// The next message within `timeout_ms`; BR_ERR_TIMEOUT if none comes.
static br_status receive_within(br_socket *socket, br_message *out, int64_t timeout_ms)
{
    int64_t deadline = br_clock_ms() + timeout_ms;
    for (;;) {
        br_status status = br_socket_receive(socket, out);
        int64_t left = deadline - br_clock_ms();
        if (status != BR_ERR_AGAIN || left <= 0) {
            return status == BR_ERR_AGAIN ? BR_ERR_TIMEOUT : status;
        }
        br_poll_item item = {.socket = socket};
        cr_assert_eq(br_poll(&item, 1, left), BR_OK);
    }
}

static void receive_or_fail(br_socket *socket, br_message *out)
{
    br_status status = receive_within(socket, out, DEADLINE_MS);
    cr_assert_eq(status, BR_OK, "%s", br_status_name(status));
}

static br_span span_of(const char *text)
{
    return (br_span){text, strlen(text)};
}

static const br_span nothing = {NULL, 0};

Test(transport_socket, a_request_and_its_reply_come_through)
{
    br_socket *server = open_local(BR_SOCKET_ROUTER, ipc_endpoint("s"), true);
    br_socket *client = open_local(BR_SOCKET_DEALER, ipc_endpoint("s"), false);
    cr_assert_eq(br_socket_send(client, NULL, 37, UINT64_MAX, span_of("body"), span_of("extra")), BR_OK);
    br_message message;
    receive_or_fail(server, &message);
    cr_expect_eq(message.type, 37);
    cr_expect_eq(message.request, UINT64_MAX);
    cr_expect_eq(message.n_body, 4);
    cr_expect_arr_eq(message.body, "body", 4);
    cr_expect_eq(message.n_extra, 5);
    cr_expect_arr_eq(message.extra, "extra", 5);
    cr_assert_gt(message.peer.n, 0);
    br_peer peer = message.peer;
    br_message_deinit(&message);
    cr_assert_eq(br_socket_send(server, &peer, 34, 9, nothing, nothing), BR_OK);
    receive_or_fail(client, &message);
    cr_expect_eq(message.type, 34);
    cr_expect_eq(message.request, 9);
    cr_expect_eq(message.n_body, 0);
    cr_expect_eq(message.n_extra, 0);
    br_message_deinit(&message);
    cr_expect_eq(br_socket_receive(client, &message), BR_ERR_AGAIN);
    cr_expect_eq(br_socket_dropped(server) + br_socket_dropped(client), 0);
    br_socket_free(&client);
    br_socket_free(&server);
}

Test(transport_socket, a_large_third_frame_arrives_whole)
{
    enum { N = 8 << 20 };
    br_socket_options options = {.kind = BR_SOCKET_ROUTER, .endpoint = ipc_endpoint("s"), .bind = true};
    options.max_message_bytes = N;
    br_socket *server = open_or_fail(&options);
    br_socket *client = open_local(BR_SOCKET_DEALER, ipc_endpoint("s"), false);
    uint8_t *block = br_malloc(N);
    cr_assert(block != NULL);
    for (size_t i = 0; i < N; i++) {
        block[i] = (uint8_t)(i * 31 >> 3);
    }
    cr_assert_eq(br_socket_send(client, NULL, 37, 1, span_of("b"), (br_span){block, N}), BR_OK);
    br_message message;
    receive_or_fail(server, &message);
    cr_expect(message.n_extra == N && memcmp(message.extra, block, N) == 0);
    br_message_deinit(&message);
    br_free(block);
    br_socket_free(&client);
    br_socket_free(&server);
}

Test(transport_socket, hints_reach_every_subscriber)
{
    br_socket *pub = open_local(BR_SOCKET_PUB, ipc_endpoint("h"), true);
    br_socket *subs[] = {open_local(BR_SOCKET_SUB, ipc_endpoint("h"), false),
                         open_local(BR_SOCKET_SUB, ipc_endpoint("h"), false)};
    for (size_t i = 0; i < 2; i++) {
        // A subscriber that has just come misses what was said before: say it until it is heard.
        br_message message;
        br_status status = BR_ERR_TIMEOUT;
        int64_t deadline = br_clock_ms() + DEADLINE_MS;
        while (status != BR_OK && br_clock_ms() < deadline) {
            cr_assert_eq(br_socket_send(pub, NULL, 10, 0, span_of("hint"), nothing), BR_OK);
            status = receive_within(subs[i], &message, 10);
        }
        cr_assert_eq(status, BR_OK);
        cr_expect_eq(message.type, 10);
        br_message_deinit(&message);
    }
    br_socket_free(&subs[0]);
    br_socket_free(&subs[1]);
    br_socket_free(&pub);
}

Test(transport_socket, an_unknown_peer_is_an_error_and_not_a_silent_loss)
{
    br_socket *server = open_local(BR_SOCKET_ROUTER, ipc_endpoint("s"), true);
    br_peer nobody = {.id = {0, 1, 2, 3, 4}, .n = 5};
    cr_expect_eq(br_socket_send(server, &nobody, 31, 1, span_of("x"), nothing), BR_ERR_UNREACHABLE);
    br_socket_free(&server);
}

Test(transport_socket, a_full_queue_says_again)
{
    br_socket_options options = {.kind = BR_SOCKET_DEALER, .endpoint = ipc_endpoint("nobody"), .high_water = 3};
    br_socket *client = open_or_fail(&options);
    br_status status = BR_OK;
    int sent = 0;
    for (; status == BR_OK && sent < 100; sent++) {
        status = br_socket_send(client, NULL, 1, 1, span_of("x"), nothing);
    }
    cr_expect_eq(status, BR_ERR_AGAIN);
    cr_expect_eq(sent, 4, "%d", sent);
    br_socket_free(&client);
}

// --- hostile peers ---

typedef struct raw_peer {
    void *context;
    void *socket;
} raw_peer;

static raw_peer raw_connect(const char *endpoint)
{
    raw_peer peer = {.context = zmq_ctx_new()};
    peer.socket = zmq_socket(peer.context, ZMQ_DEALER);
    int linger = 0, timeout = DEADLINE_MS;
    zmq_setsockopt(peer.socket, ZMQ_LINGER, &linger, sizeof linger);
    zmq_setsockopt(peer.socket, ZMQ_SNDTIMEO, &timeout, sizeof timeout);
    cr_assert_eq(zmq_connect(peer.socket, endpoint), 0);
    return peer;
}

static void raw_close(raw_peer *peer)
{
    zmq_close(peer->socket);
    zmq_ctx_term(peer->context);
}

static void raw_send(raw_peer *peer, const void *bytes, size_t n, bool more)
{
    cr_assert_eq(zmq_send(peer->socket, bytes, n, more ? ZMQ_SNDMORE : 0), (int)n);
}

/// Sends a right envelope for `body` and `extra`, changed at `at` by xor with `with`, and then `n_parts` frames in all.
static void raw_message(raw_peer *peer, size_t at, uint8_t with, size_t n_bytes, int n_parts)
{
    uint8_t envelope[BR_ENVELOPE_BYTES + 1] = {0};
    br_span extra = n_parts > 2 ? span_of("x") : nothing;
    cr_assert_eq(br_envelope_write(envelope, 1, 7, span_of("body"), extra), BR_OK);
    envelope[at] ^= with;
    raw_send(peer, envelope, n_bytes, n_parts > 1);
    for (int i = 2; i <= n_parts; i++) {
        raw_send(peer, i == 2 ? "body" : "x", i == 2 ? 4 : 1, i < n_parts);
    }
}

static void expect_right_message(br_socket *server, uint64_t dropped)
{
    br_message message;
    receive_or_fail(server, &message);
    cr_expect_eq(message.request, 7);
    br_message_deinit(&message);
    cr_expect_eq(br_socket_dropped(server), dropped, "%zu dropped, not %zu", (size_t)br_socket_dropped(server),
                 (size_t)dropped);
}

Test(transport_socket, malformed_messages_are_dropped_and_counted)
{
    br_socket *server = open_local(BR_SOCKET_ROUTER, ipc_endpoint("s"), true);
    raw_peer peer = raw_connect(ipc_endpoint("s"));
    uint64_t dropped = 0;
    // Every bit of the envelope but those of the minor version (byte 5) matters.
    for (size_t at = 0; at < BR_ENVELOPE_BYTES; at++) {
        if (at != 5) {
            raw_message(&peer, at, (uint8_t)(1u << (at % 8)), BR_ENVELOPE_BYTES, 2);
            dropped++;
        }
    }
    raw_message(&peer, 0, 0, BR_ENVELOPE_BYTES, 2);
    expect_right_message(server, dropped);
    static const struct {
        size_t n_bytes;
        int n_parts;
    } shapes[] = {{0, 2}, {31, 2}, {33, 2}, {32, 1}, {32, 4}, {32, 100}, {0, 1}};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        raw_message(&peer, 0, 0, shapes[i].n_bytes, shapes[i].n_parts);
    }
    dropped += sizeof shapes / sizeof shapes[0];
    raw_message(&peer, 0, 0, BR_ENVELOPE_BYTES, 3);
    expect_right_message(server, dropped);
    raw_close(&peer);
    br_socket_free(&server);
}

Test(transport_socket, changed_parts_are_dropped)
{
    br_socket *server = open_local(BR_SOCKET_ROUTER, ipc_endpoint("s"), true);
    raw_peer peer = raw_connect(ipc_endpoint("s"));
    uint8_t envelope[BR_ENVELOPE_BYTES];
    cr_assert_eq(br_envelope_write(envelope, 1, 7, span_of("body"), nothing), BR_OK);
    raw_send(&peer, envelope, sizeof envelope, true);
    raw_send(&peer, "bodY", 4, false);
    uint8_t with_extra[BR_ENVELOPE_BYTES];
    cr_assert_eq(br_envelope_write(with_extra, 1, 7, span_of("body"), span_of("extra")), BR_OK);
    raw_send(&peer, with_extra, sizeof with_extra, true);
    raw_send(&peer, "body", 4, true);
    raw_send(&peer, "Extra", 5, false);
    raw_send(&peer, envelope, sizeof envelope, true); // an empty third frame says nothing, in a second way
    raw_send(&peer, "body", 4, true);
    raw_send(&peer, "", 0, false);
    raw_send(&peer, envelope, sizeof envelope, true); // and so do two
    raw_send(&peer, "body", 4, true);
    raw_send(&peer, "", 0, true);
    raw_send(&peer, "", 0, false);
    raw_message(&peer, 0, 0, BR_ENVELOPE_BYTES, 2);
    expect_right_message(server, 4);
    raw_close(&peer);
    br_socket_free(&server);
}

Test(transport_socket, an_unknown_minor_version_is_understood)
{
    br_socket *server = open_local(BR_SOCKET_ROUTER, ipc_endpoint("s"), true);
    raw_peer peer = raw_connect(ipc_endpoint("s"));
    uint8_t bytes[BR_ENVELOPE_BYTES] = "BKRN";
    bytes[4] = BR_PROTOCOL_MAJOR;
    bytes[5] = 200;
    bytes[6] = 1;
    bytes[16] = 7;
    br_hash hash = br_hash_of(bytes, 24);
    memcpy(bytes + 24, hash.bytes, 8);
    raw_send(&peer, bytes, sizeof bytes, true);
    raw_send(&peer, "", 0, false);
    expect_right_message(server, 0);
    raw_close(&peer);
    br_socket_free(&server);
}

Test(transport_socket, an_oversize_frame_ends_its_connection_and_no_other)
{
    br_socket_options options = {.kind = BR_SOCKET_ROUTER, .endpoint = ipc_endpoint("s"), .bind = true};
    options.max_message_bytes = 1000;
    br_socket *server = open_or_fail(&options);
    raw_peer greedy = raw_connect(ipc_endpoint("s"));
    raw_peer polite = raw_connect(ipc_endpoint("s"));
    char *large = br_calloc(1001, 1);
    cr_assert(large != NULL);
    uint8_t envelope[BR_ENVELOPE_BYTES];
    cr_assert_eq(br_envelope_write(envelope, 1, 8, (br_span){large, 1001}, nothing), BR_OK);
    raw_send(&greedy, envelope, sizeof envelope, true);
    raw_send(&greedy, large, 1001, false);
    raw_message(&polite, 0, 0, BR_ENVELOPE_BYTES, 2);
    expect_right_message(server, 0);
    br_message message;
    cr_expect_eq(br_socket_receive(server, &message), BR_ERR_AGAIN);
    br_free(large);
    raw_close(&greedy);
    raw_close(&polite);
    br_socket_free(&server);
}

/// Until the socket has no connection left and says so.
static void wait_until_cut_off(br_socket *socket)
{
    int64_t deadline = br_clock_ms() + DEADLINE_MS;
    while (br_socket_send(socket, NULL, 34, 0, nothing, nothing) != BR_ERR_AGAIN) {
        br_poll_item item = {.socket = socket};
        cr_assert_eq(br_poll(&item, 1, 5), BR_OK);
        cr_assert_lt(br_clock_ms(), deadline, "the library connects again by itself");
    }
}

Test(transport_socket, a_client_that_was_cut_off_for_good_connects_anew)
{
    br_socket *server = open_local(BR_SOCKET_ROUTER, ipc_endpoint("s"), true);
    br_socket *client = open_or_fail(
        &(br_socket_options){.kind = BR_SOCKET_DEALER, .endpoint = ipc_endpoint("s"), .max_message_bytes = 1000});
    char *large = br_calloc(1001, 1);
    cr_assert(large != NULL);
    br_message message;
    cr_assert_eq(br_socket_send(client, NULL, 37, 1, nothing, nothing), BR_OK);
    receive_or_fail(server, &message);
    cr_assert_eq(br_socket_send(server, &message.peer, 34, 1, (br_span){large, 1001}, nothing), BR_OK);
    br_message_deinit(&message);
    wait_until_cut_off(client);
    cr_assert_eq(br_socket_reconnect(client), BR_OK);
    cr_assert_eq(br_socket_send(client, NULL, 37, 2, nothing, nothing), BR_OK);
    uint64_t request = 0;
    while (request != 2) { // behind what was sent before the end was seen
        receive_or_fail(server, &message);
        request = message.request;
        br_message_deinit(&message);
    }
    br_free(large);
    br_socket_free(&client);
    br_socket_free(&server);
}

// --- options ---

static int option_of(br_socket *socket, int option)
{
    int value = -12345;
    size_t n = sizeof value;
    cr_assert_eq(zmq_getsockopt(br_socket_handle(socket), option, &value, &n), 0, "option %d", option);
    return value;
}

static int64_t max_message_of(br_socket *socket)
{
    int64_t value = 0;
    size_t n = sizeof value;
    cr_assert_eq(zmq_getsockopt(br_socket_handle(socket), ZMQ_MAXMSGSIZE, &value, &n), 0);
    return value;
}

static void expect_options(br_socket *socket, bool tcp)
{
    cr_expect_eq(option_of(socket, ZMQ_LINGER), 2000);
    cr_expect_eq(option_of(socket, ZMQ_SNDHWM), BR_DEFAULT_HIGH_WATER);
    cr_expect_eq(option_of(socket, ZMQ_RCVHWM), BR_DEFAULT_HIGH_WATER);
    cr_expect_eq(option_of(socket, ZMQ_HANDSHAKE_IVL), 5000);
    cr_expect_eq(option_of(socket, ZMQ_RECONNECT_IVL), 100);
    cr_expect_eq(option_of(socket, ZMQ_RECONNECT_IVL_MAX), 2000);
    cr_expect_eq(option_of(socket, ZMQ_IPV6), 0);
    cr_expect_eq(option_of(socket, ZMQ_IMMEDIATE), 0);
    cr_expect_eq(option_of(socket, ZMQ_TCP_KEEPALIVE), 1);
    cr_expect_eq(option_of(socket, ZMQ_TCP_KEEPALIVE_IDLE), 30);
    cr_expect_eq(option_of(socket, ZMQ_HEARTBEAT_IVL), tcp ? 1000 : 0);
    cr_expect_eq(option_of(socket, ZMQ_HEARTBEAT_TIMEOUT), tcp ? 3000 : 0);
    cr_expect_eq(option_of(socket, ZMQ_MECHANISM), tcp ? ZMQ_CURVE : ZMQ_NULL);
    cr_expect_eq(max_message_of(socket), 1 << 20);
}

static br_curve new_keys(void)
{
    br_curve curve = {0};
    cr_assert_eq(br_curve_new_keys(curve.public_key, curve.secret_key), BR_OK);
    return curve;
}

Test(transport_socket, every_option_is_set_on_every_kind)
{
    static const char *const names[] = {"router", "dealer", "pub", "sub"};
    static const br_socket_kind kinds[] = {BR_SOCKET_ROUTER, BR_SOCKET_DEALER, BR_SOCKET_PUB, BR_SOCKET_SUB};
    br_curve curve = new_keys();
    memcpy(curve.server_key, curve.public_key, BR_KEY_TEXT);
    for (size_t i = 0; i < 4; i++) {
        br_socket *local = open_local(kinds[i], ipc_endpoint(names[i]), i % 2 == 0);
        expect_options(local, false);
        br_socket_options options = {.kind = kinds[i], .endpoint = "tcp://127.0.0.1:*", .bind = true, .curve = &curve};
        br_socket *server = open_or_fail(&options);
        expect_options(server, true);
        cr_expect_eq(option_of(server, OPTION_ZAP_ENFORCE_DOMAIN), 1);
        cr_expect_eq(option_of(server, ZMQ_CURVE_SERVER), 1);
        br_socket_free(&local);
        br_socket_free(&server);
    }
}

Test(transport_socket, limits_that_are_asked_for_are_set)
{
    br_socket_options options = {.kind = BR_SOCKET_ROUTER, .endpoint = ipc_endpoint("s"), .bind = true};
    options.high_water = 17;
    options.max_message_bytes = (size_t)64 << 20;
    br_socket *socket = open_or_fail(&options);
    cr_expect_eq(option_of(socket, ZMQ_SNDHWM), 17);
    cr_expect_eq(option_of(socket, ZMQ_RCVHWM), 17);
    cr_expect_eq(max_message_of(socket), 64 << 20);
    br_socket_free(&socket);
}

// --- endpoints ---

Test(transport_socket, a_local_sockets_file_is_its_owners_alone)
{
    umask(0);
    br_socket *socket = open_local(BR_SOCKET_ROUTER, ipc_endpoint("s"), true);
    struct stat info;
    cr_assert_eq(stat(br_temp_path(directory, "s"), &info), 0);
    cr_expect_eq(info.st_mode & 0777, 0700, "%o", info.st_mode & 0777u);
    cr_expect_eq(umask(0), 0, "the mask is as it was");
    br_socket_free(&socket);
}

Test(transport_socket, a_live_path_is_refused_and_a_dead_one_taken_over)
{
    br_socket *first = open_local(BR_SOCKET_ROUTER, ipc_endpoint("s"), true);
    br_socket *second = NULL;
    br_socket_options options = {.kind = BR_SOCKET_ROUTER, .endpoint = ipc_endpoint("s"), .bind = true};
    cr_expect_eq(br_socket_open(&second, bus, &options), BR_ERR_EXISTS);
    cr_expect_null(second);
    br_socket *client = open_local(BR_SOCKET_DEALER, ipc_endpoint("s"), false);
    cr_assert_eq(br_socket_send(client, NULL, 1, 7, nothing, nothing), BR_OK);
    expect_right_message(first, 0);
    br_socket_free(&first);
    br_socket_free(&client);
    // What a killed process leaves: a file that nobody listens on.
    FILE *file = fopen(br_temp_path(directory, "dead"), "w");
    cr_assert(file != NULL);
    fclose(file);
    second = open_local(BR_SOCKET_ROUTER, ipc_endpoint("dead"), true);
    br_socket_free(&second);
}

Test(transport_socket, wrong_endpoints_and_keys_are_refused_with_a_reason)
{
    char path[200] = "ipc:///";
    memset(path + 7, 'a', 107);
    br_curve curve = new_keys();
    br_curve torn = curve;
    torn.secret_key[5] = '\0';
    static const char wrong_list[1][BR_KEY_TEXT] = {"short"};
    br_curve listed = curve;
    listed.allowed = wrong_list;
    listed.n_allowed = 1;
    const br_socket_options wrong[] = {
        {.endpoint = path, .bind = true},
        {.endpoint = "ipc://relative", .bind = true},
        {.endpoint = "ipc://@abstract", .bind = true},
        {.endpoint = "inproc://x", .bind = true},
        {.endpoint = "tcp://127.0.0.1:*", .bind = true},
        {.endpoint = "ipc:///tmp/x", .bind = true, .curve = &curve},
        {.endpoint = "tcp://127.0.0.1:*", .bind = true, .curve = &torn},
        {.endpoint = "tcp://127.0.0.1:1", .curve = &curve}, // no server key
        {.endpoint = "tcp://127.0.0.1:*", .bind = true, .curve = &listed},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        br_socket *socket = NULL;
        br_status status = br_socket_open(&socket, bus, &wrong[i]);
        cr_expect_eq(status, BR_ERR_INVALID, "%zu: %s", i, br_why(status));
        cr_expect_null(socket);
    }
}

Test(transport_socket, a_port_in_use_is_refused)
{
    br_curve curve = new_keys();
    br_socket_options options = {.kind = BR_SOCKET_ROUTER, .bind = true, .curve = &curve};
    options.endpoint = "tcp://127.0.0.1:*";
    br_socket *first = open_or_fail(&options);
    options.endpoint = br_socket_endpoint(first);
    cr_expect(strncmp(options.endpoint, "tcp://127.0.0.1:", 16) == 0 && options.endpoint[16] != '*');
    br_socket *second = NULL;
    cr_expect_eq(br_socket_open(&second, bus, &options), BR_ERR_EXISTS);
    br_socket_free(&first);
}

// --- keys ---

typedef struct door {
    char keys[2][BR_KEY_TEXT];
    br_curve server_curve;
    br_socket *server;
} door;

static void open_door(door *d, const br_curve *allowed)
{
    d->server_curve = new_keys();
    memcpy(d->keys[0], new_keys().public_key, BR_KEY_TEXT);
    memcpy(d->keys[1], allowed->public_key, BR_KEY_TEXT);
    d->server_curve.allowed = (const char(*)[BR_KEY_TEXT])d->keys;
    d->server_curve.n_allowed = 2;
    br_socket_options options = {
        .kind = BR_SOCKET_ROUTER, .endpoint = "tcp://127.0.0.1:*", .bind = true, .curve = &d->server_curve};
    d->server = open_or_fail(&options);
}

static br_socket *knock(const door *d, br_curve client)
{
    memcpy(client.server_key, d->server_curve.public_key, BR_KEY_TEXT);
    br_socket_options options = {.kind = BR_SOCKET_DEALER, .endpoint = br_socket_endpoint(d->server), .curve = &client};
    br_socket *socket = open_or_fail(&options);
    cr_assert_eq(br_socket_send(socket, NULL, 1, 7, nothing, nothing), BR_OK);
    return socket;
}

Test(transport_socket, a_listed_key_comes_in)
{
    br_curve client = new_keys();
    door d;
    open_door(&d, &client);
    br_socket *socket = knock(&d, client);
    expect_right_message(d.server, 0);
    br_socket_free(&socket);
    br_socket_free(&d.server);
}

// A raw client, so that its context is its own and can be thrown away with what it still wants to send.
static raw_peer knock_raw(const door *d, const br_curve *client)
{
    raw_peer peer = {.context = zmq_ctx_new()};
    peer.socket = zmq_socket(peer.context, ZMQ_DEALER);
    int linger = 0;
    zmq_setsockopt(peer.socket, ZMQ_LINGER, &linger, sizeof linger);
    if (client != NULL) {
        zmq_setsockopt(peer.socket, ZMQ_CURVE_SERVERKEY, d->server_curve.public_key, BR_KEY_TEXT);
        zmq_setsockopt(peer.socket, ZMQ_CURVE_PUBLICKEY, client->public_key, BR_KEY_TEXT);
        zmq_setsockopt(peer.socket, ZMQ_CURVE_SECRETKEY, client->secret_key, BR_KEY_TEXT);
    }
    cr_assert_eq(zmq_connect(peer.socket, br_socket_endpoint(d->server)), 0);
    raw_message(&peer, 0, 0, BR_ENVELOPE_BYTES, 2);
    return peer;
}

static void expect_refused(const door *d, const br_curve *client)
{
    br_poll_item item = {.socket = d->server};
    raw_peer peer = knock_raw(d, client);
    // Three tries of the client's reconnecting library, each of which would bring the message if it came in.
    int64_t deadline = br_clock_ms() + 700;
    while (br_clock_ms() < deadline) {
        cr_assert_eq(br_poll(&item, 1, deadline - br_clock_ms()), BR_OK);
        cr_assert(!item.ready, "a client came in");
    }
    raw_close(&peer);
}

Test(transport_socket, an_unlisted_key_is_refused)
{
    br_curve client = new_keys();
    br_curve stranger = new_keys();
    door d;
    open_door(&d, &client);
    expect_refused(&d, &stranger);
    br_socket *socket = knock(&d, client); // and the listed one still comes in
    expect_right_message(d.server, 0);
    br_socket_free(&socket);
    br_socket_free(&d.server);
}

Test(transport_socket, a_key_of_another_server_is_refused)
{
    br_curve client = new_keys();
    br_curve other_client = new_keys();
    door d, other;
    open_door(&d, &client);
    open_door(&other, &other_client);
    expect_refused(&d, &other_client);
    br_socket_free(&d.server);
    br_socket_free(&other.server);
}

Test(transport_socket, a_client_without_keys_is_refused)
{
    br_curve client = new_keys();
    door d;
    open_door(&d, &client);
    expect_refused(&d, NULL);
    br_socket_free(&d.server);
}

Test(transport_socket, an_empty_list_admits_nobody)
{
    br_curve client = new_keys();
    door d = {.server_curve = new_keys()};
    br_socket_options options = {
        .kind = BR_SOCKET_ROUTER, .endpoint = "tcp://127.0.0.1:*", .bind = true, .curve = &d.server_curve};
    d.server = open_or_fail(&options);
    expect_refused(&d, &client);
    br_socket_free(&d.server);
}

Test(transport_socket, without_a_handler_even_listed_keys_are_refused)
{
    // A server as br_socket_open() makes it, in a context where the handler has ended.
    br_curve client = new_keys();
    br_curve server_keys = new_keys();
    void *context = zmq_ctx_new();
    br_access *access = NULL;
    cr_assert_eq(br_access_new(&access, context), BR_OK);
    cr_assert_eq(br_access_allow(access, "door", (const char(*)[BR_KEY_TEXT])client.public_key, 1), BR_OK);
    void *server = zmq_socket(context, ZMQ_ROUTER);
    int one = 1, zero = 0;
    char endpoint[64];
    size_t n = sizeof endpoint;
    zmq_setsockopt(server, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt(server, ZMQ_ZAP_DOMAIN, "door", 4);
    cr_assert_eq(zmq_setsockopt(server, OPTION_ZAP_ENFORCE_DOMAIN, &one, sizeof one), 0);
    cr_assert_eq(zmq_setsockopt(server, ZMQ_CURVE_SERVER, &one, sizeof one), 0);
    cr_assert_eq(zmq_setsockopt(server, ZMQ_CURVE_SECRETKEY, server_keys.secret_key, BR_KEY_TEXT - 1), 0);
    cr_assert_eq(zmq_bind(server, "tcp://127.0.0.1:*"), 0);
    cr_assert_eq(zmq_getsockopt(server, ZMQ_LAST_ENDPOINT, endpoint, &n), 0);
    for (int handler = 1; handler >= 0; handler--) {
        if (!handler) {
            br_access_free(&access);
        }
        raw_peer peer = {.context = zmq_ctx_new()};
        peer.socket = zmq_socket(peer.context, ZMQ_DEALER);
        zmq_setsockopt(peer.socket, ZMQ_LINGER, &zero, sizeof zero);
        zmq_setsockopt(peer.socket, ZMQ_CURVE_SERVERKEY, server_keys.public_key, BR_KEY_TEXT - 1);
        zmq_setsockopt(peer.socket, ZMQ_CURVE_PUBLICKEY, client.public_key, BR_KEY_TEXT - 1);
        zmq_setsockopt(peer.socket, ZMQ_CURVE_SECRETKEY, client.secret_key, BR_KEY_TEXT - 1);
        cr_assert_eq(zmq_connect(peer.socket, endpoint), 0);
        cr_assert_eq(zmq_send(peer.socket, "hello", 5, 0), 5);
        zmq_pollitem_t item = {server, 0, ZMQ_POLLIN, 0};
        cr_expect_eq(zmq_poll(&item, 1, handler ? DEADLINE_MS : 700), handler, "with %d handlers", handler);
        for (int more = handler; more;) {
            char frame[64];
            cr_assert_geq(zmq_recv(server, frame, sizeof frame, 0), 0);
            size_t more_bytes = sizeof more;
            zmq_getsockopt(server, ZMQ_RCVMORE, &more, &more_bytes);
        }
        raw_close(&peer);
    }
    zmq_close(server);
    zmq_ctx_term(context);
}

// --- poll, client, memory ---

Test(transport_socket, poll_sees_sockets_and_file_descriptors)
{
    br_socket *server = open_local(BR_SOCKET_ROUTER, ipc_endpoint("s"), true);
    br_socket *client = open_local(BR_SOCKET_DEALER, ipc_endpoint("s"), false);
    int fd = eventfd(0, EFD_CLOEXEC);
    br_poll_item items[] = {{.socket = server}, {.fd = fd}, {.socket = client}};
    cr_assert_eq(br_poll(items, 3, 0), BR_OK);
    cr_expect(!items[0].ready && !items[1].ready && !items[2].ready);
    cr_assert_eq(eventfd_write(fd, 1), 0);
    cr_assert_eq(br_poll(items, 3, DEADLINE_MS), BR_OK);
    cr_expect(!items[0].ready && items[1].ready && !items[2].ready);
    eventfd_t value;
    cr_assert_eq(eventfd_read(fd, &value), 0);
    cr_assert_eq(br_socket_send(client, NULL, 1, 7, nothing, nothing), BR_OK);
    cr_assert_eq(br_poll(items, 3, DEADLINE_MS), BR_OK);
    cr_expect(items[0].ready && !items[1].ready && !items[2].ready);
    expect_right_message(server, 0);
    close(fd);
    br_socket_free(&client);
    br_socket_free(&server);
}

Test(transport_socket, a_client_numbers_its_requests_and_gets_its_answers)
{
    br_socket *server = open_local(BR_SOCKET_ROUTER, ipc_endpoint("s"), true);
    br_client *client = NULL;
    cr_assert_eq(br_client_new(&client, ipc_endpoint("s")), BR_OK);
    for (uint64_t want = 1; want <= 3; want++) {
        uint64_t request = 0;
        cr_assert_eq(br_client_send(client, 15, span_of("status?"), &request), BR_OK);
        cr_expect_eq(request, want);
        br_message message;
        receive_or_fail(server, &message);
        cr_expect_eq(message.request, want);
        cr_assert_eq(br_socket_send(server, &message.peer, 17, message.request, span_of("fine"), nothing), BR_OK);
        br_message_deinit(&message);
        cr_assert_eq(br_client_receive(client, &message, DEADLINE_MS), BR_OK);
        cr_expect_eq(message.request, want);
        cr_expect_eq(message.type, 17);
        br_message_deinit(&message);
    }
    br_client_free(&client);
    cr_expect_null(client);
    br_client_free(&client);
    br_socket_free(&server);
}

Test(transport_socket, a_silent_service_is_a_timeout)
{
    br_client *client = NULL;
    cr_assert_eq(br_client_new(&client, ipc_endpoint("nobody")), BR_OK);
    br_message message;
    int64_t before = br_clock_ms();
    cr_expect_eq(br_client_receive(client, &message, 50), BR_ERR_TIMEOUT);
    cr_expect_geq(br_clock_ms() - before, 50);
    br_client_free(&client);
}

Test(transport_socket, a_request_made_before_the_service_listens_is_delivered)
{
    br_socket *client = open_local(BR_SOCKET_DEALER, ipc_endpoint("late"), false);
    cr_assert_eq(br_socket_send(client, NULL, 1, 7, nothing, nothing), BR_OK);
    br_socket *server = open_local(BR_SOCKET_ROUTER, ipc_endpoint("late"), true);
    expect_right_message(server, 0);
    br_socket_free(&client);
    br_socket_free(&server);
}

Test(transport_socket, every_failed_allocation_is_a_status_and_nothing_leaks)
{
    br_curve curve = new_keys();
    br_socket_options options = {
        .kind = BR_SOCKET_ROUTER, .endpoint = "tcp://127.0.0.1:*", .bind = true, .curve = &curve};
    size_t live = br_alloc_live();
    br_status status = BR_ERR_NO_MEMORY;
    size_t n = 0;
    for (; status != BR_OK; n++) {
        br_bus *other = NULL;
        br_socket *socket = NULL;
        br_alloc_fail_after(n);
        status = br_bus_new(&other);
        if (status == BR_OK) {
            status = br_socket_open(&socket, other, &options);
        }
        br_alloc_fail_after(SIZE_MAX);
        cr_assert(status == BR_OK || status == BR_ERR_NO_MEMORY, "%s", br_why(status));
        br_socket_free(&socket);
        br_bus_free(&other);
        cr_assert_eq(br_alloc_live(), live, "allocation %zu", n);
    }
    cr_expect_gt(n, 4);
}

Test(transport_socket, a_bus_with_an_open_socket_may_not_end, .signal = SIGABRT)
{
    br_socket *socket = open_local(BR_SOCKET_DEALER, ipc_endpoint("s"), false);
    br_bus_free(&bus);
    br_socket_free(&socket);
}

Test(transport_socket, the_librarys_version_is_told)
{
    cr_expect(strncmp(br_transport_describe(), "libzmq 4.", 9) == 0);
}
