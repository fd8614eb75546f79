#include "compute.h"

#include "base/clock.h"
#include "base/log.h"

static br_status refresh(void *state)
{
    return desk_refresh(state);
}

static br_status on_hint(void *state, br_socket *socket, br_message *message)
{
    (void)socket;
    (void)message; // whatever it says: the stores are asked
    return desk_refresh(state);
}

static br_status on_ranker(void *state, br_socket *socket, br_message *message)
{
    desk *self = state;
    self->ranker_heard_ms = br_clock_ms();
    return on_hint(state, socket, message);
}

static br_status start(br_service *service, void *state)
{
    static const desk_route table[] = {
        {.path = "/api/v1/me", .role = BR_ROLE_READ, .get = handle_me},
        {.path = "/api/v1/notes", .post_role = BR_ROLE_DESK, .post = handle_notes_post, .changes = true},
        {.path = "/api/v1/audit", .role = BR_ROLE_OPERATOR, .get = handle_audit},
        {.path = "/api/v1/bonds", .role = BR_ROLE_READ, .get = handle_bonds},
        {.path = "/api/v1/bonds/",
         .role = BR_ROLE_READ,
         .get = handle_bond,
         .post_role = BR_ROLE_READ,
         .post = handle_what_if},
        {.path = "/api/v1/investors", .role = BR_ROLE_READ, .get = handle_investors},
        {.path = "/api/v1/study", .role = BR_ROLE_READ, .get = handle_study},
        {.path = "/api/v1/study/example", .role = BR_ROLE_READ, .get = handle_study_example},
        {.path = "/api/v1/study/question", .role = BR_ROLE_DESK, .get = handle_study_question},
        {.path = "/api/v1/study/answers", .post_role = BR_ROLE_DESK, .post = handle_study_answer, .changes = true},
        {.path = "/api/v1/study/undo", .post_role = BR_ROLE_DESK, .post = handle_study_undo, .changes = true},
        {.path = "/api/v1/pairs", .role = BR_ROLE_READ, .get = handle_pairs},
        {.path = "/api/v1/pairs/table", .role = BR_ROLE_READ, .get = handle_pairs_table},
        {.path = "/api/v1/pairs/question", .role = BR_ROLE_DESK, .get = handle_pair_question},
        {.path = "/api/v1/pairs/votes", .post_role = BR_ROLE_DESK, .post = handle_pair_vote, .changes = true},
        {.path = "/api/v1/pairs/undo", .post_role = BR_ROLE_DESK, .post = handle_pair_undo, .changes = true},
        {.path = "/api/v1/metrics/daily", .role = BR_ROLE_READ, .get = handle_daily},
        {.path = "/api/v1/metrics/monthly", .role = BR_ROLE_READ, .get = handle_monthly},
        {.path = "/api/v1/processes", .role = BR_ROLE_READ, .get = handle_processes},
        {.path = "/api/v1/queue", .role = BR_ROLE_READ, .get = handle_queue},
        {.path = "/api/v1/jobs", .role = BR_ROLE_READ, .get = handle_jobs},
        {.path = "/api/v1/jobs/retry", .post_role = BR_ROLE_OPERATOR, .post = handle_retry, .changes = true},
        {.path = "/api/v1/snapshots/rollback", .post_role = BR_ROLE_OPERATOR, .post = handle_rollback, .changes = true},
        {.path = "/api/v1/rejects", .role = BR_ROLE_READ, .get = handle_rejects},
        {.path = "/api/v1/metrics/snapshots", .role = BR_ROLE_READ, .get = handle_snapshot_figures},
        {.path = "/api/v1/metrics/calibration", .role = BR_ROLE_READ, .get = handle_calibration},
        {.path = "/api/v1/metrics/drift", .role = BR_ROLE_READ, .get = handle_drift},
        {.path = "/api/v1/metrics/reports/", .role = BR_ROLE_READ, .get = handle_report},
        {.path = "/api/v1/snapshots", .role = BR_ROLE_READ, .get = handle_snapshots},
        {.path = "/api/v1/status", .role = BR_ROLE_READ, .get = handle_status},
        {.path = "/api/v1/openapi.json", .role = BR_ROLE_READ, .get = handle_openapi},
        {.path = "/assets/", .role = BR_ROLE_READ, .get = handle_asset},
        {.path = "/", .role = BR_ROLE_READ, .get = handle_home},
    };
    enum { N_ROUTES = sizeof table / sizeof *table };
    static br_http_route routes[N_ROUTES];
    static desk_bound bound[N_ROUTES];
    desk *self = state;
    self->service = service;
    br_status status = desk_open(self);
    desk_bind(self, table, N_ROUTES, bound, routes);
    if (status == BR_OK) {
        status = br_service_local_socket(service, &self->hints, BR_SOCKET_SUB, "ingester.hints", false, on_hint);
    }
    if (status == BR_OK) {
        status = br_service_local_socket(service, &self->ranker_hints, BR_SOCKET_SUB, "ranker.hints", false, on_ranker);
    }
    if (status == BR_OK) {
        status = br_service_timer(service, 1000, refresh);
    }
    if (status == BR_OK) {
        status = br_service_routes(service, routes, N_ROUTES);
    }
    return status;
}

static void stop(void *state)
{
    desk_close(state);
}

int main(int argc, char **argv)
{
    return br_service_main(argc, argv,
                           &(br_service_definition){
                               .name = "desk",
                               .description = "the page and the API: whom to call and why",
                               .state_bytes = sizeof(desk),
                               .start = start,
                               .stop = stop,
                               .serves_page = true,
                           });
}
