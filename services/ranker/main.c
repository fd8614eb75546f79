#include "ranker.h"

#include "base/alloc.h"

enum { MAX_LIST_BYTES = 64 << 20, SPEAK_MS = 2000 };

static br_status look_again(void *state)
{
    ranker *self = state;
    self->look = true;
    br_store_facts facts;
    br_status status = br_recommendations_facts(self->store, &facts);
    if (status != BR_OK) {
        return status;
    }
    br_metric_set(br_gauge("bookrunner_store_used_bytes", "Bytes in use in a store.", "store=\"recommendations\""),
                  (double)facts.used_bytes);
    return BR_OK;
}

static br_status on_hint(void *state, br_socket *socket, br_message *message)
{
    (void)socket;
    (void)message; // whatever it says: the stores are asked
    ((ranker *)state)->look = true;
    return BR_OK;
}

static br_status work(void *state)
{
    ranker *self = state;
    br_status status = dispatcher_work(self);
    status = status == BR_OK ? ranker_work(self) : status;
    return status == BR_ERR_FULL ? ranker_refuse_all(self, status) : status;
}

static br_status open_stores(ranker *self)
{
    const char *directory = br_service_directory(self->service);
    char path[BR_PATH_BYTES];
    br_status status = br_place_path(path, directory, BR_PLACE_LEDGER);
    if (status == BR_OK) {
        status = br_ledger_open_reader(&self->ledger, path);
    }
    if (status == BR_OK) {
        status = br_place_path(self->models, directory, BR_PLACE_MODELS);
    }
    if (status == BR_OK) {
        status = br_snapshots_open_reader(&self->snapshots, self->models);
    }
    if (status == BR_ERR_NOT_FOUND) {
        return BR_ERR_AGAIN; // ingester and trainer make their stores at their first start
    }
    if (status == BR_OK) {
        status = br_place_path(path, directory, BR_PLACE_RECOMMENDATIONS);
    }
    if (status == BR_OK) {
        status = br_recommendations_open_writer(&self->store, path);
    }
    if (status == BR_OK) {
        status = br_recommendations_offset(self->store, &self->offset);
    }
    if (status == BR_OK) {
        status = br_recommendations_owed(self->store, &self->owed);
    }
    return status;
}

static br_status catch_up(ranker *self)
{
    br_status status = br_arena_new(&self->arena, MAX_LIST_BYTES);
    if (status == BR_OK) {
        status = br_follower_new(&self->follower);
    }
    if (status == BR_OK && self->offset > 0) {
        status = br_follower_catch_up(self->follower, self->ledger, self->offset, 0);
    }
    return status;
}

static br_status open_sockets(ranker *self)
{
    br_service *service = self->service;
    br_status status =
        br_service_local_socket(service, &self->requests, BR_SOCKET_ROUTER, "ranker", true, ranker_on_request);
    if (status == BR_OK) {
        status = br_service_local_socket(service, &self->hints, BR_SOCKET_PUB, "ranker.hints", true, NULL);
    }
    if (status == BR_OK) {
        status =
            br_service_local_socket(service, &self->ingester_hints, BR_SOCKET_SUB, "ingester.hints", false, on_hint);
    }
    if (status == BR_OK) {
        status = br_service_local_socket(service, &self->trainer_hints, BR_SOCKET_SUB, "trainer.hints", false, on_hint);
    }
    return status;
}

static void close_stores(ranker *self)
{
    br_day_population_free(&self->population);
    br_served_free(&self->served);
    br_vocabulary_deinit(&self->vocabulary);
    br_follower_free(&self->follower);
    br_recommendations_free(&self->store);
    br_snapshots_free(&self->snapshots);
    br_ledger_free(&self->ledger);
    br_arena_free(&self->arena);
}

// Whoever shows lists can tell by it that they are still taken care of.
static br_status speak(void *state)
{
    ranker *self = state;
    br_hint hint = {.kind = BR_HINT_RECOMMENDATIONS, .version = ""};
    return br_hint_send(self->hints, &hint, &self->buffer);
}

static br_status start(br_service *service, void *state)
{
    ranker *self = state;
    self->service = service;
    self->config = br_service_config(service);
    self->lists = br_counter("bookrunner_lists_total", "Recommendation lists made.", "");
    self->rank_seconds =
        br_histogram_seconds("bookrunner_stage_duration_seconds", "Time of one piece of work.", "stage=\"rank\"");
    br_status status = open_stores(self);
    if (status != BR_OK) {
        close_stores(self); // it is tried again
        return status;
    }
    status = catch_up(self);
    if (status == BR_OK) {
        status = dispatcher_start(self);
    }
    if (status == BR_OK) {
        status = open_sockets(self);
    }
    if (status == BR_OK) {
        status = br_service_timer(service, 1000, look_again);
    }
    if (status == BR_OK) {
        status = br_service_timer(service, SPEAK_MS, speak);
    }
    if (status == BR_OK) {
        self->look = true;
        br_service_idle(service, work);
    }
    return status;
}

static void stop(void *state)
{
    ranker *self = state;
    dispatcher_stop(self);
    for (uint32_t i = 0; i < self->n_clients; i++) {
        br_arena_free(&self->clients[i].arena);
    }
    br_free(self->tasks);
    br_buf_deinit(&self->buffer);
    close_stores(self);
}

int main(int argc, char **argv)
{
    return br_service_main(argc, argv,
                           &(br_service_definition){
                               .name = "ranker",
                               .description = "ranks investors and deals out their explanation",
                               .state_bytes = sizeof(ranker),
                               .start = start,
                               .stop = stop,
                           });
}
