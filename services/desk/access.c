#include "desk.h"

#include <string.h>

// Every request passes here: a route's handler is never called by the server itself.
static void guard(const desk_bound *bound, bool post, const br_http_request *request, br_http_answer *answer)
{
    const desk_route *route = bound->route;
    br_http_request mine = *request;
    mine.user = "local";
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
