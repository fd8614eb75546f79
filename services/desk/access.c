#include "desk.h"

#include "base/version.h"

#include <stdio.h>

// Every request passes here: a route's handler is never called by the server itself.
static void guard(const desk_bound *bound, bool post, const br_http_request *request, br_http_answer *answer)
{
    const desk_route *route = bound->route;
    const br_identity who = br_access_who(br_service_config(bound->desk->service), request);
    br_refusal refusal = who.refusal;
    const br_role needed = post ? route->post_role : route->role;
    char detail[96];
    if (refusal.code == 0 && who.role < needed) {
        snprintf(detail, sizeof detail, "this needs the role %s; yours is %s", br_role_name(needed),
                 br_role_name(who.role));
        refusal = (br_refusal){403, "Forbidden", detail};
    }
    if (refusal.code == 0 && post) {
        refusal = br_access_post(&bound->desk->secret, who.user, request, route->changes);
    }
    if (refusal.code != 0) {
        br_http_problem(answer, refusal.code, refusal.title, refusal.detail);
        return;
    }
    br_http_request mine = *request;
    mine.user = who.user;
    (post ? route->post : route->get)(bound->desk, &mine, answer);
}

static void guard_get(void *context, const br_http_request *request, br_http_answer *answer)
{
    guard(context, false, request, answer);
}

static void guard_post(void *context, const br_http_request *request, br_http_answer *answer)
{
    guard(context, true, request, answer);
}

void handle_me(void *context, const br_http_request *request, br_http_answer *answer)
{
    desk *self = context;
    const br_identity who = br_access_who(br_service_config(self->service), request);
    char token[BR_HASH_TEXT];
    br_access_token(&self->secret, who.user, token);
    answer->cache_control = "no-store"; // of this user alone
    br_buf_char(&answer->body, '{');
    json_member(&answer->body, "user", who.user);
    br_buf_string(&answer->body, ", ");
    json_member(&answer->body, "role", br_role_name(who.role));
    br_buf_string(&answer->body, ", ");
    json_member(&answer->body, "token", token);
    br_buf_string(&answer->body, ", \"languages\": [\"en\", \"zh\"], ");
    json_member(&answer->body, "version", BR_VERSION);
    br_buf_string(&answer->body, "}\n");
    answer_finish(answer);
}

void desk_bind(desk *self, const desk_route *routes, size_t n, desk_bound *bound, br_http_route *out)
{
    for (size_t i = 0; i < n; i++) {
        const desk_route *route = &routes[i];
        br_assert((route->get == NULL) == (route->role == BR_ROLE_NONE));
        br_assert((route->post == NULL) == (route->post_role == BR_ROLE_NONE));
        bound[i] = (desk_bound){self, route};
        out[i] = (br_http_route){.path = route->path,
                                 .handler = route->get == NULL ? NULL : guard_get,
                                 .context = &bound[i],
                                 .post = route->post == NULL ? NULL : guard_post};
    }
}
