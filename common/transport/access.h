#ifndef BR_TRANSPORT_ACCESS_H
#define BR_TRANSPORT_ACCESS_H

/// Who may connect to a server on tcp: ZeroMQ asks a handler (RFC 27, ZAP) about each client's key. Not for other modules.
///
/// Servers are told to refuse everyone when no handler answers (ZMQ_ZAP_ENFORCE_DOMAIN), so a handler that is late, stopped or
/// wrong closes doors and never opens them.

#include "transport/socket.h"

typedef struct br_access br_access;

/// Starts the handler's thread in this ZeroMQ context. Errors: BR_ERR_IO, BR_ERR_NO_MEMORY.
br_status br_access_new(br_access **out, void *context) BR_MUST_CHECK;
/// Stops the thread and waits for it. Every open server refuses everyone from then on.
void br_access_free(br_access **access);

/// Admit these keys to the server with this domain. Errors: BR_ERR_INVALID (no key), BR_ERR_NO_MEMORY.
br_status br_access_allow(br_access *access, const char *domain, const char (*keys)[BR_KEY_TEXT],
                          size_t n) BR_MUST_CHECK;
/// Forget the domain.
void br_access_forget(br_access *access, const char *domain);

#endif
