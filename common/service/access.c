#include "service/access.h"

#include "base/utf8.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

const char *br_role_name(br_role role)
{
    static const char *const names[BR_ROLE_END] = {"none", "read", "desk", "operator"};
    br_assert(role < BR_ROLE_END);
    return names[role];
}

// --- who ---

// Numeric addresses may be written in several ways.
static bool same_address(const char *a, const char *b)
{
    uint8_t first[16], second[16];
    for (int four = 0; four < 2; four++) {
        const int family = four != 0 ? AF_INET : AF_INET6;
        if (inet_pton(family, a, first) == 1 && inet_pton(family, b, second) == 1) {
            return memcmp(first, second, four != 0 ? 4 : 16) == 0;
        }
    }
    return false;
}

// Does "NAME", "NAME:PORT" or "[ADDRESS]:PORT" name this host?
static bool names_this_host(const char *host, const char *listen)
{
    char name[80];
    const bool bracketed = host[0] == '[';
    const size_t n = strcspn(host + bracketed, bracketed ? "]" : ":");
    const char *rest = host + bracketed + n;
    if (n == 0 || n >= sizeof name || (bracketed && *rest++ != ']')) {
        return false;
    }
    if (*rest != '\0' && (*rest != ':' || strspn(rest + 1, "0123456789") != strlen(rest + 1))) {
        return false;
    }
    memcpy(name, host + bracketed, n);
    name[n] = '\0';
    if (bracketed) {
        return same_address(name, "::1") || (strchr(listen, ':') != NULL && same_address(name, listen));
    }
    return strcasecmp(name, "localhost") == 0 || same_address(name, "127.0.0.1") || same_address(name, listen);
}

static bool good_user(const char *user)
{
    size_t n = strlen(user);
    return n >= 1 && n <= BR_MAX_USER_BYTES && br_utf8_valid(user, n) && !br_utf8_has_control(user, n);
}

static bool listed(const char *names, const char *user)
{
    const size_t n_user = strlen(user);
    for (const char *at = names; *at != '\0';) {
        size_t n = strcspn(at, ",");
        if (n == n_user && memcmp(at, user, n) == 0) {
            return true;
        }
        at += n + (at[n] == ',' ? 1 : 0);
    }
    return false;
}

static br_identity refused(unsigned code, const char *title, const char *detail)
{
    return (br_identity){.refusal = {code, title, detail}, .user = "", .role = BR_ROLE_NONE};
}

br_identity br_access_who(const br_config *config, const br_http_request *request)
{
    const br_access_config *access = &config->access;
    const bool by_socket = strcmp(request->peer, BR_HTTP_PEER_UNIX) == 0;
    if (access->user_header[0] == '\0') {
        const char *host = request->header(request, "Host");
        if (!by_socket && (host == NULL || !names_this_host(host, config->http.listen))) {
            return refused(421, "Misdirected Request", "this desk answers only requests that name its own host");
        }
        return (br_identity){.user = "local", .role = access->local_role};
    }
    if (!by_socket && !same_address(request->peer, access->proxy)) {
        return refused(401, "Unauthorized", "users are believed only from the proxy");
    }
    const char *user = request->header(request, access->user_header);
    if (user == NULL || !good_user(user)) {
        return refused(401, "Unauthorized", "the proxy names no user of 1 to 128 bytes of UTF-8");
    }
    br_role role = listed(access->operators, user) ? BR_ROLE_OPERATOR
                   : listed(access->desk, user)    ? BR_ROLE_DESK
                                                   : BR_ROLE_READ;
    return (br_identity){.user = user, .role = role};
}

// --- may it act ---

void br_access_token(const br_hash *secret, const char *user, char out[BR_HASH_TEXT])
{
    br_hash token = br_hash_keyed(secret, user, strlen(user));
    br_hash_text(&token, out);
}

static bool good_token(const br_hash *secret, const char *user, const char *given)
{
    br_hash told;
    br_hash token = br_hash_keyed(secret, user, strlen(user));
    return given != NULL && br_hash_parse(&told, given) == BR_OK && br_hash_equal(&told, &token);
}

static bool same_site(const br_http_request *request)
{
    const char *site = request->header(request, "Sec-Fetch-Site");
    const char *origin = request->header(request, "Origin");
    const char *host = request->header(request, "Host");
    if (site != NULL && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0) {
        return false;
    }
    if (origin == NULL) {
        return true;
    }
    const size_t n_scheme = strncmp(origin, "http://", 7) == 0 ? 7 : strncmp(origin, "https://", 8) == 0 ? 8 : 0;
    return n_scheme > 0 && host != NULL && host[0] != '\0' && strcasecmp(origin + n_scheme, host) == 0;
}

static bool is_json(const char *type)
{
    static const char json[] = "application/json";
    if (type == NULL || strncasecmp(type, json, sizeof json - 1) != 0) {
        return false;
    }
    const char *rest = type + sizeof json - 1;
    return rest[strspn(rest, " \t")] == '\0' || rest[strspn(rest, " \t")] == ';';
}

static bool good_key(const char *key)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t n = key == NULL ? 0 : strlen(key);
    return n >= 1 && n <= BR_MAX_KEY_BYTES && strspn(key, allowed) == n;
}

br_refusal br_access_post(const br_hash *secret, const char *user, const br_http_request *request, bool changes)
{
    if (!good_token(secret, user, request->header(request, "X-Bookrunner-Token"))) {
        return (br_refusal){403, "Forbidden", "X-Bookrunner-Token is missing or is not that of /api/v1/me"};
    }
    if (!same_site(request)) {
        return (br_refusal){403, "Forbidden", "the request comes from a page of another origin"};
    }
    if (!is_json(request->header(request, "Content-Type"))) {
        return (br_refusal){415, "Unsupported Media Type", "Content-Type must be application/json"};
    }
    if (changes && !good_key(request->header(request, "Idempotency-Key"))) {
        return (br_refusal){400, "Bad Request", "Idempotency-Key must be 1 to 64 of A-Z a-z 0-9 - _"};
    }
    return (br_refusal){0};
}
