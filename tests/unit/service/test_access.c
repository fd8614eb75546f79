// Goal: nobody is taken for another, and nothing is written for a page that is not the desk's. Method: requests made up of headers, kind
// and hostile ones, each with the decision that must follow.

#include "base/hash.h"
#include "service/access.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

typedef struct made_request {
    br_http_request request;
    const char *headers[8][2];
} made_request;

static const char *made_header(const br_http_request *request, const char *name)
{
    const made_request *made = (const made_request *)request;
    for (size_t i = 0; i < 8 && made->headers[i][0] != NULL; i++) {
        if (strcmp(made->headers[i][0], name) == 0) {
            return made->headers[i][1];
        }
    }
    return NULL;
}

static br_config with_proxy(void)
{
    br_config config = br_config_default();
    snprintf(config.access.user_header, sizeof config.access.user_header, "X-User");
    snprintf(config.access.proxy, sizeof config.access.proxy, "2001:db8::1");
    snprintf(config.access.desk, sizeof config.access.desk, "ann,\xE7\x8E\x8B,both");
    snprintf(config.access.operators, sizeof config.access.operators, "both,root");
    return config;
}

static br_identity who(const br_config *config, const char *peer, const char *header, const char *value)
{
    const made_request made = {.request = {.header = made_header, .peer = peer}, .headers = {{header, value}}};
    br_identity identity = br_access_who(config, &made.request);
    cr_assert_eq(identity.refusal.code == 0, identity.role != BR_ROLE_NONE, "no role with a refusal, and none without");
    return identity;
}

Test(service_access, a_user_is_whom_the_proxy_names)
{
    static const struct {
        const char *peer;
        const char *user;
        br_role role; // BR_ROLE_NONE: 401
    } cases[] = {
        {"2001:db8::1", "ann", BR_ROLE_DESK},       {"2001:db8:0:0:0:0:0:1", "ann", BR_ROLE_DESK},
        {BR_HTTP_PEER_UNIX, "ann", BR_ROLE_DESK},   {"2001:db8::1", "\xE7\x8E\x8B", BR_ROLE_DESK},
        {"2001:db8::1", "both", BR_ROLE_OPERATOR},  {"2001:db8::1", "root", BR_ROLE_OPERATOR},
        {"2001:db8::1", "an", BR_ROLE_READ},        {"2001:db8::1", "annn", BR_ROLE_READ},
        {"2001:db8::1", "ANN", BR_ROLE_READ},       {"2001:db8::1", "ann,both", BR_ROLE_READ},
        {"2001:db8::1", "local", BR_ROLE_READ},     {"2001:db8::2", "ann", BR_ROLE_NONE},
        {"127.0.0.1", "ann", BR_ROLE_NONE},         {"", "ann", BR_ROLE_NONE},
        {"2001:db8::1", "", BR_ROLE_NONE},          {"2001:db8::1", NULL, BR_ROLE_NONE},
        {"2001:db8::1", "a\xFF", BR_ROLE_NONE},     {"2001:db8::1", "a\x01", BR_ROLE_NONE},
        {"2001:db8::1", "a\xC2\x85", BR_ROLE_NONE},
    };
    const br_config config = with_proxy();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        br_identity identity = who(&config, cases[i].peer, "X-User", cases[i].user);
        cr_assert_eq(identity.role, cases[i].role, "%s from %s", cases[i].user, cases[i].peer);
        cr_assert_eq(identity.refusal.code, cases[i].role == BR_ROLE_NONE ? 401 : 0);
        cr_assert_str_eq(identity.user, cases[i].role == BR_ROLE_NONE ? "" : cases[i].user);
    }
    char name[BR_MAX_USER_BYTES + 2];
    memset(name, 'a', sizeof name);
    name[BR_MAX_USER_BYTES] = '\0';
    cr_assert_eq(who(&config, "2001:db8::1", "X-User", name).refusal.code, 0);
    name[BR_MAX_USER_BYTES] = 'a';
    name[BR_MAX_USER_BYTES + 1] = '\0';
    cr_assert_eq(who(&config, "2001:db8::1", "X-User", name).refusal.code, 401);
}

Test(service_access, without_a_proxy_only_this_host_is_answered)
{
    static const struct {
        const char *host;
        const char *listen;
        unsigned code;
    } cases[] = {
        {"localhost", "127.0.0.1", 0},
        {"LocalHost:8080", "127.0.0.1", 0},
        {"127.0.0.1:1", "127.0.0.1", 0},
        {"[::1]", "127.0.0.1", 0},
        {"[::1]:8080", "127.0.0.1", 0},
        {"10.0.0.5:8080", "10.0.0.5", 0},
        {"[2001:db8::5]:8080", "2001:db8::5", 0},
        {"10.0.0.6", "10.0.0.5", 421},
        {"[2001:db8::6]", "2001:db8::5", 421},
        {"evil.example", "127.0.0.1", 421},
        {"localhost.evil.example", "127.0.0.1", 421},
        {"localhost:80@evil.example", "127.0.0.1", 421},
        {"localhost:8080x", "127.0.0.1", 421},
        {"127.0.0.1.evil.example", "127.0.0.1", 421},
        {"[::1]evil", "127.0.0.1", 421},
        {"[::1", "127.0.0.1", 421},
        {":8080", "127.0.0.1", 421},
        {"", "127.0.0.1", 421},
        {NULL, "127.0.0.1", 421},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        br_config config = br_config_default();
        config.access.local_role = BR_ROLE_DESK;
        snprintf(config.http.listen, sizeof config.http.listen, "%s", cases[i].listen);
        br_identity identity = who(&config, "127.0.0.1", "Host", cases[i].host);
        cr_assert_eq(identity.refusal.code, cases[i].code, "%s", cases[i].host);
        cr_assert_eq(identity.role, cases[i].code == 0 ? BR_ROLE_DESK : BR_ROLE_NONE);
    }
    const br_config config = br_config_default();
    br_identity identity = who(&config, BR_HTTP_PEER_UNIX, "Host", "anything");
    cr_assert_str_eq(identity.user, "local");
    cr_assert_eq(identity.role, BR_ROLE_READ);
}

Test(service_access, what_writes_has_a_token_and_comes_from_here)
{
    cr_assert_eq(br_hash_init(), BR_OK);
    const br_hash secret = br_hash_secret();
    char token[BR_HASH_TEXT], foreign[BR_HASH_TEXT], wrong[BR_HASH_TEXT];
    br_access_token(&secret, "ann", token);
    br_access_token(&secret, "bob", foreign);
    const br_hash other = br_hash_secret();
    br_access_token(&other, "ann", wrong);
    const struct {
        const char *token, *site, *origin, *host, *type, *key;
        unsigned code;
    } cases[] = {
        {token, NULL, NULL, "d:80", "application/json", "a-Z_0", 0},
        {token, "same-origin", "http://d:80", "d:80", "Application/JSON; charset=utf-8", "k", 0},
        {token, "none", "https://D:80", "d:80", "application/json", "k", 0},
        {NULL, NULL, NULL, "d:80", "application/json", "k", 403},
        {"", NULL, NULL, "d:80", "application/json", "k", 403},
        {foreign, NULL, NULL, "d:80", "application/json", "k", 403},
        {wrong, NULL, NULL, "d:80", "application/json", "k", 403},
        {token, "cross-site", NULL, "d:80", "application/json", "k", 403},
        {token, "same-site", NULL, "d:80", "application/json", "k", 403},
        {token, "", NULL, "d:80", "application/json", "k", 403},
        {token, NULL, "http://evil", "d:80", "application/json", "k", 403},
        {token, NULL, "http://d", "d:80", "application/json", "k", 403},
        {token, NULL, "null", "d:80", "application/json", "k", 403},
        {token, NULL, "", "d:80", "application/json", "k", 403},
        {token, NULL, "http://", "", "application/json", "k", 403},
        {token, NULL, NULL, "d:80", NULL, "k", 415},
        {token, NULL, NULL, "d:80", "text/plain", "k", 415},
        {token, NULL, NULL, "d:80", "application/jsonp", "k", 415},
        {token, NULL, NULL, "d:80", "application/json", NULL, 400},
        {token, NULL, NULL, "d:80", "application/json", "", 400},
        {token, NULL, NULL, "d:80", "application/json", "a b", 400},
        {token, NULL, NULL, "d:80", "application/json",
         "0123456789012345678901234567890123456789012345678901234567890123", 0},
        {token, NULL, NULL, "d:80", "application/json",
         "01234567890123456789012345678901234567890123456789012345678901234", 400},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const made_request made = {.request = {.header = made_header, .peer = "127.0.0.1"},
                                   .headers = {{"X-Bookrunner-Token", cases[i].token},
                                               {"Sec-Fetch-Site", cases[i].site},
                                               {"Origin", cases[i].origin},
                                               {"Host", cases[i].host},
                                               {"Content-Type", cases[i].type},
                                               {"Idempotency-Key", cases[i].key}}};
        br_refusal refusal = br_access_post(&secret, "ann", &made.request, true);
        cr_assert_eq(refusal.code, cases[i].code, "case %zu: %u", i, refusal.code);
        refusal = br_access_post(&secret, "ann", &made.request, false);
        cr_assert_eq(refusal.code, cases[i].code == 400 ? 0 : cases[i].code, "case %zu: %u", i, refusal.code);
    }
}
