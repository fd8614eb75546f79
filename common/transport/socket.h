#ifndef BR_TRANSPORT_SOCKET_H
#define BR_TRANSPORT_SOCKET_H

/// Sockets with every option explicit; the only place that includes zmq.h.
///
/// A message is an envelope of 32 bytes (frame 0), a body (frame 1) and, for a few types, raw little-endian data (frame 2). Anything else from a
/// peer is dropped and counted. Local sockets are ipc:// paths inside a directory of mode 0700; every tcp socket needs keys
/// (CURVE) and a list of allowed clients, and refuses everyone when that list cannot be consulted.
///
///     br_bus_new(&bus);
///     br_socket_open(&socket, bus, &(br_socket_options){.kind = BR_SOCKET_ROUTER, .endpoint = "ipc:///run/x", .bind = true});
///     br_socket_send(socket, &peer, BR_MSG_JOB, id, body, extra);
///     while (br_socket_receive(socket, &message) == BR_OK) { ... br_message_deinit(&message); }

#include "base/buf.h"

#define BR_PEER_BYTES            64
#define BR_ENVELOPE_BYTES        32
#define BR_PROTOCOL_MAJOR        1
#define BR_PROTOCOL_MINOR        2
#define BR_KEY_TEXT              41 ///< a CURVE key as Z85 text with NUL
#define BR_DEFAULT_HIGH_WATER    1000
#define BR_DEFAULT_MESSAGE_BYTES ((size_t)1 << 20)

typedef struct br_bus br_bus; ///< one per process: the ZeroMQ context and the access control

br_status br_bus_new(br_bus **out) BR_MUST_CHECK;
/// Waits at most 2 s for what was sent. All sockets of the bus must have been freed.
void br_bus_free(br_bus **bus);

typedef enum br_socket_kind { BR_SOCKET_ROUTER, BR_SOCKET_DEALER, BR_SOCKET_PUB, BR_SOCKET_SUB } br_socket_kind;

/// Keys of a tcp socket. Servers: own secret key and the allowed clients' public keys. Clients: own keys and the server's.
typedef struct br_curve {
    char public_key[BR_KEY_TEXT];
    char secret_key[BR_KEY_TEXT];
    char server_key[BR_KEY_TEXT];       ///< clients
    const char (*allowed)[BR_KEY_TEXT]; ///< servers: [n_allowed]
    size_t n_allowed;
} br_curve;

typedef struct br_socket_options {
    br_socket_kind kind;
    const char *endpoint; ///< ipc://PATH, or tcp://HOST:PORT with `curve`
    bool bind;
    const br_curve *curve; ///< tcp only; NULL for ipc
    int high_water;        ///< messages; 0 = BR_DEFAULT_HIGH_WATER
    size_t
        max_message_bytes; ///< of one frame, 0 = BR_DEFAULT_MESSAGE_BYTES: a peer that sends a longer one is disconnected
} br_socket_options;

typedef struct br_socket br_socket;

/// A path that someone listens on is refused, one that a dead process left is taken over. Two processes that bind the same path at the same
/// moment could still both succeed, the second taking the path from the first: callers hold a lock (service/paths.h).
/// Binding narrows the process' umask for a moment, so that the socket's file is the owner's alone (mode 0700).
/// Errors: BR_ERR_EXISTS (address in use), BR_ERR_INVALID (tcp without keys, ipc with keys, no key, path relative or too
/// long), BR_ERR_IO, BR_ERR_NO_MEMORY.
br_status br_socket_open(br_socket **out, br_bus *bus, const br_socket_options *options) BR_MUST_CHECK;
/// Connect anew, forgetting what still waits to be sent. ZeroMQ connects again by itself after a broken connection, but never after what
/// it takes for an error of protocol: a refused key, a frame above the largest size. Who misses its peer for long calls this.
/// DEALER and SUB. Errors: BR_ERR_IO.
br_status br_socket_reconnect(br_socket *socket) BR_MUST_CHECK;
void br_socket_free(br_socket **socket);
/// Free it and drop what it has not sent yet, which br_socket_free() still tries for two seconds.
void br_socket_abandon(br_socket **socket);
/// The endpoint really bound (for tcp://...:*).
const char *br_socket_endpoint(const br_socket *socket);
/// How many messages were dropped: wrong number of frames, magic, major version, length or checksum. (Frames above the largest
/// size are refused below, together with their connection.)
uint64_t br_socket_dropped(const br_socket *socket);
/// The raw handle of the library behind it, for tests that look at its options.
void *br_socket_handle(br_socket *socket);

/// Who a ROUTER's message came from.
typedef struct br_peer {
    uint8_t id[BR_PEER_BYTES];
    uint8_t n;
} br_peer;

typedef struct br_message {
    br_peer peer;        ///< ROUTER only
    uint16_t type;       ///< br_message_type of codec/codec.h
    uint64_t request;    ///< the requester's number; replies repeat it
    const uint8_t *body; ///< [n_body]
    size_t n_body;
    const uint8_t *extra; ///< [n_extra]
    size_t n_extra;
    void *frames[3]; ///< owned
} br_message;

typedef struct br_span {
    const void *data;
    size_t n;
} br_span;

/// What a buffer holds, borrowed.
static inline br_span br_span_of(const br_buf *buf)
{
    return (br_span){buf->data, buf->length};
}

/// Send a copy without waiting; as a whole or not at all. `to`: ROUTER only. PUB drops what a subscriber has no room for.
/// Errors: BR_ERR_AGAIN (full), BR_ERR_UNREACHABLE (no such peer), BR_ERR_LIMIT, BR_ERR_IO.
br_status br_socket_send(br_socket *socket, const br_peer *to, uint16_t type, uint64_t request, br_span body,
                         br_span extra) BR_MUST_CHECK;
/// Receive without waiting. BR_ERR_AGAIN when there is nothing; malformed messages are dropped and counted.
br_status br_socket_receive(br_socket *socket, br_message *out) BR_MUST_CHECK;
void br_message_deinit(br_message *message);

/// New CURVE keys (Z85). Errors: BR_ERR_IO.
br_status br_curve_new_keys(char public_key[BR_KEY_TEXT], char secret_key[BR_KEY_TEXT]) BR_MUST_CHECK;

/// Read key files: one Z85 key per file, mode 0600 for secrets. DIRECTORY/server.key, server.pub and clients/*.pub on the server's side;
/// client.key, client.pub and server.pub on the client's. Errors: BR_ERR_NOT_FOUND, BR_ERR_INVALID (not a key, or a secret others can read).
/// The allowed list of a server is allocated: release with br_curve_deinit().
br_status br_curve_load_server(br_curve *out, const char *directory) BR_MUST_CHECK;
br_status br_curve_load_client(br_curve *out, const char *directory) BR_MUST_CHECK;
void br_curve_deinit(br_curve *curve);

/// Wait until one of the n sockets or file descriptors can be read or `timeout_ms` (-1 = for ever) has passed. `ready` of each item is set; none is after a signal. At most 64 items.
typedef struct br_poll_item {
    br_socket *socket; ///< or NULL and `fd`
    int fd;
    bool ready;
} br_poll_item;
br_status br_poll(br_poll_item *items, size_t n, int64_t timeout_ms) BR_MUST_CHECK;

/// "libzmq 4.3.4"
const char *br_transport_describe(void);

#endif
