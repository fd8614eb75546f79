#include "desk.h"

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

static br_status start(br_service *service, void *state)
{
    static const struct {
        const char *path;
        br_http_handler handler;
    } table[] = {
        {"/api/v1/bonds", handle_bonds},
        {"/api/v1/bonds/", handle_bond},
        {"/api/v1/metrics/daily", handle_daily},
        {"/api/v1/metrics/monthly", handle_monthly},
        {"/api/v1/metrics/reports/", handle_report},
        {"/api/v1/snapshots", handle_snapshots},
        {"/api/v1/status", handle_status},
        {"/bonds/", handle_bond_page},
        {"/style.css", handle_style},
        {"/", handle_home},
    };
    enum { N_ROUTES = sizeof table / sizeof *table };
    static br_http_route routes[N_ROUTES];
    desk *self = state;
    self->service = service;
    br_status status = desk_open(self);
    for (size_t i = 0; i < N_ROUTES; i++) {
        routes[i] = (br_http_route){table[i].path, table[i].handler, self};
    }
    if (status == BR_OK) {
        status = br_service_local_socket(service, &self->hints, BR_SOCKET_SUB, "ingester.hints", false, on_hint);
    }
    if (status == BR_OK) {
        status = br_service_local_socket(service, &self->ranker_hints, BR_SOCKET_SUB, "ranker.hints", false, on_hint);
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
