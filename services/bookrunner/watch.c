#include "watch.h"

#include "base/alloc.h"
#include "service/paths.h"

#define MAX_SOCKETS 4
#define LOOK_MS     250 ///< at least this often

struct watch {
    br_bus *bus;
    br_socket *sockets[MAX_SOCKETS];
    size_t n;
};

br_status watch_new(watch **out, const char *directory, const char *const *names, size_t n)
{
    br_assert(n <= MAX_SOCKETS);
    BR_AUTO(watch) *w = br_calloc(1, sizeof *w);
    if (w == NULL) {
        return br_no_memory("watch", 1);
    }
    br_status status = br_bus_new(&w->bus);
    for (size_t i = 0; i < n && status == BR_OK; i++) {
        char endpoint[BR_PATH_BYTES];
        status = br_endpoint(endpoint, directory, names[i]);
        if (status == BR_OK) {
            br_socket_options options = {.kind = BR_SOCKET_SUB, .endpoint = endpoint};
            status = br_socket_open(&w->sockets[w->n], w->bus, &options);
            w->n += status == BR_OK ? 1 : 0;
        }
    }
    if (status != BR_OK) {
        return status;
    }
    *out = w;
    w = NULL;
    return BR_OK;
}

br_status watch_wait(watch *w)
{
    br_poll_item items[MAX_SOCKETS] = {0};
    for (size_t i = 0; i < w->n; i++) {
        items[i] = (br_poll_item){.socket = w->sockets[i], .fd = -1};
    }
    br_status status = br_poll(items, w->n, LOOK_MS);
    for (size_t i = 0; i < w->n && status == BR_OK; i++) {
        br_message message = {0};
        while (br_socket_receive(w->sockets[i], &message) == BR_OK) {
            br_message_deinit(&message); // what it says stands in the store
        }
    }
    return status;
}

void watch_free(watch **w)
{
    if (*w != NULL) {
        for (size_t i = 0; i < (*w)->n; i++) {
            br_socket_free(&(*w)->sockets[i]);
        }
        br_bus_free(&(*w)->bus);
        br_free(*w);
        *w = NULL;
    }
}
