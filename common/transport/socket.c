#include "transport/socket.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "transport/access.h"
#include "transport/envelope.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

// In libzmq's stable library, yet only in the header of its drafts.
enum { OPTION_ZAP_ENFORCE_DOMAIN = 93 };

enum {
    LINGER_MS = 2000,
    HEARTBEAT_MS = 1000,
    HEARTBEAT_TIMEOUT_MS = 3000,
    HANDSHAKE_MS = 5000,
    RECONNECT_MS = 100,
    RECONNECT_MAX_MS = 2000,
    BACKLOG = 128,
    KEEPALIVE_IDLE_S = 30,
    KEEPALIVE_INTERVAL_S = 10,
    KEEPALIVE_COUNT = 3,
    MAX_SOCKETS = 64,
    MAX_FRAMES = 3,
    MAX_DROPS_PER_CALL = 64, // then others get their turn
    ENDPOINT_TEXT = 512,
    MAX_POLL = 64,
};

struct br_bus {
    void *context;
    br_access *access; // from the first server on tcp on
    size_t n_sockets;
    unsigned n_domains;
};

struct br_socket {
    void *handle;
    br_bus *bus;
    br_socket_kind kind;
    char endpoint[ENDPOINT_TEXT];
    char domain[32]; // "" unless this is a server on tcp
    uint64_t dropped;
};

static br_status zmq_failed(const char *what, const char *endpoint)
{
    return br_fail(BR_ERR_IO, "%s: %s: %s", endpoint, what, zmq_strerror(zmq_errno()));
}

// --- the bus ---

br_status br_bus_new(br_bus **out)
{
    br_status status = br_hash_init();
    if (status != BR_OK) {
        return status;
    }
    br_bus *bus = br_calloc(1, sizeof *bus);
    if (bus == NULL) {
        return br_no_memory("bus", 1);
    }
    bus->context = zmq_ctx_new();
    if (bus->context == NULL || zmq_ctx_set(bus->context, ZMQ_IO_THREADS, 1) != 0 ||
        zmq_ctx_set(bus->context, ZMQ_MAX_SOCKETS, MAX_SOCKETS) != 0) {
        status = br_fail(BR_ERR_IO, "ZeroMQ context: %s", zmq_strerror(zmq_errno()));
        br_bus_free(&bus);
        return status;
    }
    *out = bus;
    return BR_OK;
}

void br_bus_free(br_bus **bus)
{
    if (bus == NULL || *bus == NULL) {
        return;
    }
    br_assert((*bus)->n_sockets == 0); // the end of the context would wait for them for ever
    br_access_free(&(*bus)->access);
    if ((*bus)->context != NULL) {
        while (zmq_ctx_term((*bus)->context) != 0 && zmq_errno() == EINTR) {
        }
    }
    br_free(*bus);
    *bus = NULL;
}

const char *br_transport_describe(void)
{
    static _Thread_local char text[32];
    int major, minor, patch;
    zmq_version(&major, &minor, &patch);
    snprintf(text, sizeof text, "libzmq %d.%d.%d", major, minor, patch);
    return text;
}

br_status br_curve_new_keys(char public_key[BR_KEY_TEXT], char secret_key[BR_KEY_TEXT])
{
    return zmq_curve_keypair(public_key, secret_key) == 0
               ? BR_OK
               : br_fail(BR_ERR_IO, "new CURVE keys: %s", zmq_strerror(zmq_errno()));
}

// --- options ---

typedef struct int_option {
    int option;
    int value;
} int_option;

static br_status set_ints(br_socket *socket, const int_option *options, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (zmq_setsockopt(socket->handle, options[i].option, &options[i].value, sizeof options[i].value) != 0) {
            char what[32];
            snprintf(what, sizeof what, "option %d", options[i].option);
            return zmq_failed(what, socket->endpoint);
        }
    }
    return BR_OK;
}

static br_status set_options(br_socket *socket, const br_socket_options *options, bool tcp)
{
    int high_water = options->high_water == 0 ? BR_DEFAULT_HIGH_WATER : options->high_water;
    int64_t max_bytes =
        (int64_t)(options->max_message_bytes == 0 ? BR_DEFAULT_MESSAGE_BYTES : options->max_message_bytes);
    const int_option common[] = {
        {ZMQ_LINGER, LINGER_MS},
        {ZMQ_SNDHWM, high_water},
        {ZMQ_RCVHWM, high_water},
        {ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS},
        {ZMQ_RECONNECT_IVL, RECONNECT_MS},
        {ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS},
        {ZMQ_BACKLOG, BACKLOG},
        {ZMQ_IPV6, 0},
        // A request made just before its service listens, or while it restarts, is delivered when it does.
        {ZMQ_IMMEDIATE, 0},
        // A local peer's end is seen at once; on a network only silence tells.
        {ZMQ_HEARTBEAT_IVL, tcp ? HEARTBEAT_MS : 0},
        {ZMQ_HEARTBEAT_TIMEOUT, tcp ? HEARTBEAT_TIMEOUT_MS : 0},
        {ZMQ_HEARTBEAT_TTL, tcp ? HEARTBEAT_TIMEOUT_MS : 0},
        {ZMQ_TCP_KEEPALIVE, 1},
        {ZMQ_TCP_KEEPALIVE_IDLE, KEEPALIVE_IDLE_S},
        {ZMQ_TCP_KEEPALIVE_INTVL, KEEPALIVE_INTERVAL_S},
        {ZMQ_TCP_KEEPALIVE_CNT, KEEPALIVE_COUNT},
    };
    br_status status = set_ints(socket, common, sizeof common / sizeof common[0]);
    if (status == BR_OK && socket->kind == BR_SOCKET_ROUTER) {
        const int_option router[] = {{ZMQ_ROUTER_MANDATORY, 1}, {ZMQ_ROUTER_HANDOVER, 0}};
        status = set_ints(socket, router, 2);
    }
    if (status == BR_OK && zmq_setsockopt(socket->handle, ZMQ_MAXMSGSIZE, &max_bytes, sizeof max_bytes) != 0) {
        status = zmq_failed("largest frame", socket->endpoint);
    }
    if (status == BR_OK && socket->kind == BR_SOCKET_SUB && zmq_setsockopt(socket->handle, ZMQ_SUBSCRIBE, "", 0) != 0) {
        status = zmq_failed("subscription", socket->endpoint);
    }
    return status;
}

// --- keys ---

static bool is_key(const char key[BR_KEY_TEXT])
{
    uint8_t raw[32];
    return strnlen(key, BR_KEY_TEXT) == BR_KEY_TEXT - 1 && zmq_z85_decode(raw, key) != NULL;
}

static br_status set_text(br_socket *socket, int option, const char *text, const char *what)
{
    return zmq_setsockopt(socket->handle, option, text, strlen(text)) == 0 ? BR_OK : zmq_failed(what, socket->endpoint);
}

// The order is what keeps the door shut: list, domain and enforcement stand before the socket is a server.
static br_status set_server_keys(br_socket *socket, const br_curve *curve)
{
    br_bus *bus = socket->bus;
    br_status status = bus->access == NULL ? br_access_new(&bus->access, bus->context) : BR_OK;
    if (status != BR_OK) {
        return status;
    }
    char domain[sizeof socket->domain];
    snprintf(domain, sizeof domain, "bookrunner.%u", bus->n_domains++);
    status = br_access_allow(bus->access, domain, curve->allowed, curve->n_allowed);
    if (status != BR_OK) {
        return status;
    }
    memcpy(socket->domain, domain, sizeof domain); // from here on the socket's end forgets it
    const int_option server[] = {{OPTION_ZAP_ENFORCE_DOMAIN, 1}, {ZMQ_CURVE_SERVER, 1}};
    status = set_text(socket, ZMQ_ZAP_DOMAIN, domain, "access domain");
    if (status == BR_OK) {
        status = set_ints(socket, server, 2);
    }
    return status == BR_OK ? set_text(socket, ZMQ_CURVE_SECRETKEY, curve->secret_key, "own secret key") : status;
}

static br_status set_client_keys(br_socket *socket, const br_curve *curve)
{
    if (!is_key(curve->public_key) || !is_key(curve->server_key)) {
        return br_fail(BR_ERR_INVALID, "%s: a client needs its public key and the server's, %d characters each",
                       socket->endpoint, BR_KEY_TEXT - 1);
    }
    br_status status = set_text(socket, ZMQ_CURVE_SERVERKEY, curve->server_key, "server's key");
    if (status == BR_OK) {
        status = set_text(socket, ZMQ_CURVE_PUBLICKEY, curve->public_key, "own public key");
    }
    return status == BR_OK ? set_text(socket, ZMQ_CURVE_SECRETKEY, curve->secret_key, "own secret key") : status;
}

static br_status set_keys(br_socket *socket, const br_socket_options *options)
{
    if (!is_key(options->curve->secret_key)) {
        return br_fail(BR_ERR_INVALID, "%s: the secret key is no CURVE key of %d characters", socket->endpoint,
                       BR_KEY_TEXT - 1);
    }
    return options->bind ? set_server_keys(socket, options->curve) : set_client_keys(socket, options->curve);
}

// --- binding and connecting ---

// A second bind would take the path from a live server without an error, so someone who answers there is an error here.
static bool answers(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0) {
        return false;
    }
    // EAGAIN: its queue of connections is full, so it lives.
    bool alive =
        connect(probe, (const struct sockaddr *)(const void *)&address, sizeof address) == 0 || errno == EAGAIN;
    close(probe);
    return alive;
}

static br_status bind_socket(br_socket *socket, const char *path)
{
    if (path != NULL && answers(path)) {
        return br_fail(BR_ERR_EXISTS, "%s: another process listens there", socket->endpoint);
    }
    // The socket's file gets its mode from the process' mask while it is made.
    mode_t before = umask(0077);
    int failed = zmq_bind(socket->handle, socket->endpoint);
    int error = zmq_errno();
    umask(before);
    if (failed != 0 && error == EADDRINUSE) {
        return br_fail(BR_ERR_EXISTS, "%s: address in use", socket->endpoint);
    }
    if (failed != 0) {
        return br_fail(BR_ERR_IO, "%s: bind: %s", socket->endpoint, zmq_strerror(error));
    }
    size_t n = sizeof socket->endpoint;
    if (zmq_getsockopt(socket->handle, ZMQ_LAST_ENDPOINT, socket->endpoint, &n) != 0) {
        return zmq_failed("address after bind", socket->endpoint);
    }
    return BR_OK;
}

static br_status check_endpoint(const br_socket_options *options)
{
    bool ipc = strncmp(options->endpoint, "ipc://", 6) == 0;
    bool tcp = strncmp(options->endpoint, "tcp://", 6) == 0;
    struct sockaddr_un address;
    if (ipc && (options->endpoint[6] != '/' || strlen(options->endpoint + 6) >= sizeof address.sun_path)) {
        return br_fail(BR_ERR_INVALID, "%s: an absolute path of at most %zu bytes is needed", options->endpoint,
                       sizeof address.sun_path - 1);
    }
    if (!ipc && !tcp) {
        return br_fail(BR_ERR_INVALID, "%s: neither ipc:// nor tcp://", options->endpoint);
    }
    if (tcp != (options->curve != NULL)) {
        return br_fail(BR_ERR_INVALID, tcp ? "%s: tcp needs keys" : "%s: keys are for tcp", options->endpoint);
    }
    if (strlen(options->endpoint) >= ENDPOINT_TEXT) {
        return br_fail(BR_ERR_INVALID, "an endpoint of %zu bytes", strlen(options->endpoint));
    }
    return BR_OK;
}

static int zmq_kind(br_socket_kind kind)
{
    switch (kind) {
    case BR_SOCKET_ROUTER:
        return ZMQ_ROUTER;
    case BR_SOCKET_DEALER:
        return ZMQ_DEALER;
    case BR_SOCKET_PUB:
        return ZMQ_PUB;
    case BR_SOCKET_SUB:
        return ZMQ_SUB;
    }
    return -1;
}

br_status br_socket_open(br_socket **out, br_bus *bus, const br_socket_options *options)
{
    br_status status = check_endpoint(options);
    if (status != BR_OK) {
        return status;
    }
    BR_AUTO(br_socket) *socket = br_calloc(1, sizeof *socket);
    if (socket == NULL) {
        return br_no_memory("socket", 1);
    }
    bool tcp = options->curve != NULL;
    snprintf(socket->endpoint, sizeof socket->endpoint, "%s", options->endpoint);
    socket->bus = bus;
    bus->n_sockets++;
    socket->kind = options->kind;
    socket->handle = zmq_socket(bus->context, zmq_kind(options->kind));
    if (socket->handle == NULL) {
        return zmq_failed("socket", socket->endpoint);
    }
    status = set_options(socket, options, tcp);
    if (status == BR_OK && tcp) {
        status = set_keys(socket, options);
    }
    if (status != BR_OK) {
        return status;
    }
    if (options->bind) {
        status = bind_socket(socket, tcp ? NULL : options->endpoint + 6);
    } else if (zmq_connect(socket->handle, socket->endpoint) != 0) {
        status = zmq_failed("connect", socket->endpoint);
    }
    if (status != BR_OK) {
        return status;
    }
    *out = socket;
    socket = NULL;
    return BR_OK;
}

br_status br_socket_reconnect(br_socket *socket)
{
    br_assert(socket->kind == BR_SOCKET_DEALER || socket->kind == BR_SOCKET_SUB);
    // ENOENT: the connection was given up, which is what this is for.
    if (zmq_disconnect(socket->handle, socket->endpoint) != 0 && zmq_errno() != ENOENT) {
        return zmq_failed("disconnect", socket->endpoint);
    }
    return zmq_connect(socket->handle, socket->endpoint) == 0 ? BR_OK : zmq_failed("connect", socket->endpoint);
}

void br_socket_free(br_socket **socket)
{
    if (socket == NULL || *socket == NULL) {
        return;
    }
    if ((*socket)->handle != NULL) {
        zmq_close((*socket)->handle);
    }
    if ((*socket)->domain[0] != '\0') {
        br_access_forget((*socket)->bus->access, (*socket)->domain);
    }
    (*socket)->bus->n_sockets--;
    br_free(*socket);
    *socket = NULL;
}

void br_socket_abandon(br_socket **socket)
{
    const int none = 0;
    if (socket != NULL && *socket != NULL && (*socket)->handle != NULL) {
        zmq_setsockopt((*socket)->handle, ZMQ_LINGER, &none, sizeof none);
    }
    br_socket_free(socket);
}

const char *br_socket_endpoint(const br_socket *socket)
{
    return socket->endpoint;
}

uint64_t br_socket_dropped(const br_socket *socket)
{
    return socket->dropped;
}

void *br_socket_handle(br_socket *socket)
{
    return socket->handle;
}

// --- sending ---

static int send_part(br_socket *socket, const void *data, size_t n, int more)
{
    int sent;
    do {
        sent = zmq_send(socket->handle, n == 0 ? "" : data, n, ZMQ_DONTWAIT | more);
    } while (sent < 0 && zmq_errno() == EINTR);
    return sent;
}

static br_status send_failed(const br_socket *socket)
{
    switch (zmq_errno()) {
    case EAGAIN:
        return BR_ERR_AGAIN;
    case EHOSTUNREACH:
        return br_fail(BR_ERR_UNREACHABLE, "%s: no such peer", socket->endpoint);
    default:
        return zmq_failed("send", socket->endpoint);
    }
}

br_status br_socket_send(br_socket *socket, const br_peer *to, uint16_t type, uint64_t request, br_span body,
                         br_span extra)
{
    br_assert((to != NULL) == (socket->kind == BR_SOCKET_ROUTER) && socket->kind != BR_SOCKET_SUB);
    uint8_t envelope[BR_ENVELOPE_BYTES];
    br_status status = br_envelope_write(envelope, type, request, body, extra);
    if (status != BR_OK) {
        return status;
    }
    if (to != NULL && send_part(socket, to->id, to->n, ZMQ_SNDMORE) < 0) {
        return send_failed(socket);
    }
    // Whether there is room is decided with the first part; the others then go with it.
    if (send_part(socket, envelope, sizeof envelope, ZMQ_SNDMORE) < 0 ||
        send_part(socket, body.data, body.n, extra.n > 0 ? ZMQ_SNDMORE : 0) < 0 ||
        (extra.n > 0 && send_part(socket, extra.data, extra.n, 0) < 0)) {
        return send_failed(socket);
    }
    return BR_OK;
}

// --- receiving ---

static void free_frame(void **frame)
{
    if (*frame != NULL) {
        zmq_msg_close(*frame);
        br_free(*frame);
        *frame = NULL;
    }
}

void br_message_deinit(br_message *message)
{
    for (size_t i = 0; i < MAX_FRAMES; i++) {
        free_frame(&message->frames[i]);
    }
    *message = (br_message){0};
}

static br_status receive_frame(br_socket *socket, zmq_msg_t *frame)
{
    zmq_msg_init(frame);
    while (zmq_msg_recv(frame, socket->handle, ZMQ_DONTWAIT) < 0) {
        if (zmq_errno() == EINTR) {
            continue;
        }
        br_status status = zmq_errno() == EAGAIN ? BR_ERR_AGAIN : zmq_failed("receive", socket->endpoint);
        zmq_msg_close(frame);
        return status;
    }
    return BR_OK;
}

static br_status receive_peer(br_socket *socket, br_message *message, bool *more_out, bool *good_out)
{
    zmq_msg_t frame;
    br_status status = receive_frame(socket, &frame);
    if (status != BR_OK) {
        return status;
    }
    size_t n = zmq_msg_size(&frame);
    *good_out = n <= sizeof message->peer.id;
    if (*good_out) {
        memcpy(message->peer.id, zmq_msg_data(&frame), n);
        message->peer.n = (uint8_t)n;
    }
    *more_out = zmq_msg_more(&frame) != 0;
    zmq_msg_close(&frame);
    return BR_OK;
}

// All parts of one message; *n_out counts them, only the first three are kept.
static br_status receive_parts(br_socket *socket, br_message *message, size_t *n_out)
{
    size_t n = 0;
    for (bool more = true; more; n++) {
        zmq_msg_t frame;
        br_status status = receive_frame(socket, &frame);
        if (status != BR_OK) {
            return status;
        }
        more = zmq_msg_more(&frame) != 0;
        zmq_msg_t *kept = n < MAX_FRAMES ? br_malloc(sizeof *kept) : NULL;
        if (kept == NULL) {
            zmq_msg_close(&frame);
            if (n < MAX_FRAMES) {
                n = MAX_FRAMES; // without memory it is dropped like any other that cannot be taken
            }
            continue;
        }
        zmq_msg_init(kept);
        zmq_msg_move(kept, &frame);
        message->frames[n] = kept;
    }
    *n_out = n;
    return BR_OK;
}

static br_span frame_span(void *frame)
{
    return frame == NULL ? (br_span){NULL, 0} : (br_span){zmq_msg_data(frame), zmq_msg_size(frame)};
}

static bool open_envelope(br_message *message, size_t n_parts)
{
    if (n_parts < 2 || n_parts > MAX_FRAMES) {
        return false;
    }
    br_span body = frame_span(message->frames[1]);
    br_span extra = frame_span(message->frames[2]);
    br_envelope envelope;
    // A third part that is empty would be a second way to say the same.
    if ((n_parts == MAX_FRAMES) != (extra.n > 0) ||
        !br_envelope_read(&envelope, frame_span(message->frames[0]), body, extra)) {
        return false;
    }
    message->type = envelope.type;
    message->request = envelope.request;
    message->body = body.data;
    message->n_body = body.n;
    message->extra = extra.data;
    message->n_extra = extra.n;
    return true;
}

// One message, right or not: *good_out tells. A status other than BR_OK: there was none.
static br_status receive_one(br_socket *socket, br_message *message, bool *good_out)
{
    bool more = true;
    bool good = true;
    br_status status = socket->kind == BR_SOCKET_ROUTER ? receive_peer(socket, message, &more, &good) : BR_OK;
    size_t n_parts = 0;
    if (status == BR_OK && more) {
        status = receive_parts(socket, message, &n_parts);
    }
    *good_out = good && status == BR_OK && open_envelope(message, n_parts);
    return status;
}

br_status br_socket_receive(br_socket *socket, br_message *out)
{
    br_assert(socket->kind != BR_SOCKET_PUB);
    for (int i = 0; i < MAX_DROPS_PER_CALL; i++) {
        br_message message = {0};
        bool good;
        br_status status = receive_one(socket, &message, &good);
        if (status == BR_OK && good) {
            *out = message;
            return BR_OK;
        }
        br_message_deinit(&message);
        if (status != BR_OK) {
            return status;
        }
        socket->dropped++;
    }
    return BR_ERR_AGAIN;
}

br_status br_poll(br_poll_item *items, size_t n, int64_t timeout_ms)
{
    br_assert(n <= MAX_POLL);
    zmq_pollitem_t polled[MAX_POLL];
    for (size_t i = 0; i < n; i++) {
        items[i].ready = false;
        polled[i] = (zmq_pollitem_t){
            .socket = items[i].socket == NULL ? NULL : items[i].socket->handle,
            .fd = items[i].fd,
            .events = ZMQ_POLLIN,
        };
    }
    long timeout = timeout_ms < 0 ? -1 : timeout_ms > INT_MAX ? INT_MAX : (long)timeout_ms;
    if (zmq_poll(polled, (int)n, timeout) < 0) {
        // A signal: the caller sees that nothing is ready and asks again.
        return zmq_errno() == EINTR ? BR_OK : br_fail(BR_ERR_IO, "poll: %s", zmq_strerror(zmq_errno()));
    }
    for (size_t i = 0; i < n; i++) {
        items[i].ready = polled[i].revents != 0;
    }
    return BR_OK;
}
