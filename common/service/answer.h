#ifndef BR_SERVICE_ANSWER_H
#define BR_SERVICE_ANSWER_H

/// What services say to clients and to each other. Nothing here waits, and a message that cannot be sent is no failure: a client that has
/// gone away asks again, and whoever misses a hint looks into the store once a second anyway. Errors are those of packing.
/// `buffer` is scratch.

#include "codec/control.h"
#include "transport/socket.h"

/// The end of a request.
br_status br_report_send(br_socket *socket, const br_peer *peer, uint64_t request, const br_report *report,
                         br_buf *buffer) BR_MUST_CHECK;
/// How far a request is.
br_status br_progress_send(br_socket *socket, const br_peer *peer, uint64_t request, const br_progress *progress,
                           br_buf *buffer) BR_MUST_CHECK;
/// Something is new in a store.
br_status br_hint_send(br_socket *socket, const br_hint *hint, br_buf *buffer) BR_MUST_CHECK;

#endif
