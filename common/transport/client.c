#include "transport/client.h"

#include "base/alloc.h"
#include "base/clock.h"

enum { MAX_REPLY_BYTES = 8 << 20 };

struct br_client {
    br_bus *bus;
    br_socket *socket;
    uint64_t last_request;
};

br_status br_client_new(br_client **out, const char *endpoint)
{
    BR_AUTO(br_client) *client = br_calloc(1, sizeof *client);
    if (client == NULL) {
        return br_no_memory("client", 1);
    }
    br_status status = br_bus_new(&client->bus);
    if (status == BR_OK) {
        status = br_socket_open(
            &client->socket, client->bus,
            &(br_socket_options){.kind = BR_SOCKET_DEALER, .endpoint = endpoint, .max_message_bytes = MAX_REPLY_BYTES});
    }
    if (status != BR_OK) {
        return status;
    }
    *out = client;
    client = NULL;
    return BR_OK;
}

br_status br_client_send(br_client *client, uint16_t type, br_span body, uint64_t *request_out)
{
    uint64_t request = client->last_request + 1;
    br_status status = br_socket_send(client->socket, NULL, type, request, body, (br_span){NULL, 0});
    if (status != BR_OK) {
        return status;
    }
    client->last_request = request;
    *request_out = request;
    return BR_OK;
}

br_status br_client_receive(br_client *client, br_message *out, int64_t timeout_ms)
{
    int64_t deadline_ms = br_clock_ms() + timeout_ms;
    for (;;) {
        br_status status = br_socket_receive(client->socket, out);
        if (status != BR_ERR_AGAIN) {
            return status;
        }
        int64_t left_ms = deadline_ms - br_clock_ms();
        if (left_ms <= 0) {
            return br_fail(BR_ERR_TIMEOUT, "%s: no answer within %lld ms", br_socket_endpoint(client->socket),
                           (long long)timeout_ms);
        }
        br_poll_item item = {.socket = client->socket};
        status = br_poll(&item, 1, left_ms);
        if (status != BR_OK) {
            return status;
        }
    }
}

void br_client_abandon(br_client **client)
{
    if (client != NULL && *client != NULL) {
        br_socket_abandon(&(*client)->socket);
        br_client_free(client);
    }
}

void br_client_free(br_client **client)
{
    if (client == NULL || *client == NULL) {
        return;
    }
    br_socket_free(&(*client)->socket);
    br_bus_free(&(*client)->bus);
    br_free(*client);
    *client = NULL;
}
