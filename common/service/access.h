#ifndef BR_SERVICE_ACCESS_H
#define BR_SERVICE_ACCESS_H

/// Who asks, and what that user may do. Decisions only: configuration and headers in, a user and a role or a refusal out.
///
/// A person logs in at a proxy in front, which names the user in a header (access.user_header). That header is believed from the proxy's
/// address (access.proxy) and from a unix socket. Without a proxy everyone who reaches the port is the user "local" with access.local_role,
/// and only requests that name this host are answered: a foreign page whose name was made to point here gets nothing.

#include "service/config.h"
#include "service/http.h"

#define BR_MAX_USER_BYTES 128
#define BR_MAX_KEY_BYTES  64 ///< of an Idempotency-Key

typedef struct br_refusal {
    unsigned code; ///< 0 = none
    const char *title;
    const char *detail;
} br_refusal;

typedef struct br_identity {
    br_refusal refusal; ///< 401 without a user who can be believed, 421 when the request names another host
    const char *user;   ///< 1 to 128 bytes of UTF-8 without control characters; borrowed from the request
    br_role role;
} br_identity;

br_identity br_access_who(const br_config *config, const br_http_request *request);

const char *br_role_name(br_role role); ///< "none", "read", "desk", "operator"

/// What lets a page of this desk write, and no other: made of the user with a secret of the process.
void br_access_token(const br_hash *secret, const char *user, char out[BR_HASH_TEXT]);
/// May this POST of `user` act? It needs the token (403), must come from a page of the same origin (403) and be JSON (415); with
/// `changes` it also needs a key of 1 to BR_MAX_KEY_BYTES of A-Z, a-z, 0-9, - and _ (400). No code: it may.
br_refusal br_access_post(const br_hash *secret, const char *user, const br_http_request *request, bool changes);

#endif
