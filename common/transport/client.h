#ifndef BR_TRANSPORT_CLIENT_H
#define BR_TRANSPORT_CLIENT_H

/// A request and its answers over one DEALER: what commands use to talk to services.

#include "transport/socket.h"

typedef struct br_client br_client;

/// Connects lazily; whether someone listens shows with the first answer (of at most 8 MiB). Errors: as br_socket_open().
br_status br_client_new(br_client **out, const char *endpoint) BR_MUST_CHECK;
/// Requests are numbered 1, 2, ...; answers repeat the number. Errors: as br_socket_send().
br_status br_client_send(br_client *client, uint16_t type, br_span body, uint64_t *request_out) BR_MUST_CHECK;
/// The next message from the service. Errors: BR_ERR_TIMEOUT.
br_status br_client_receive(br_client *client, br_message *out, int64_t timeout_ms) BR_MUST_CHECK;
void br_client_free(br_client **client);
/// Free it and drop requests that have not left yet, so that none is worked after its sender gave up.
void br_client_abandon(br_client **client);

#endif
