#include "compute.h"

#include "base/alloc.h"

#include <string.h>

#define MAX_PAGE        1000
#define DEFAULT_PAGE    100
#define ARENA_BYTES     (32u << 20)
#define RECOMMENDATIONS "/recommendations"

br_status stored_list_read(const desk *self, br_arena *arena, const char *bond_id, stored_list *out)
{
    br_status status = br_recommendations_list(self->recommendations, arena, bond_id, BR_DAY_MAX, &out->list);
    return status == BR_OK ? br_recommendations_outcome(self->recommendations, arena, &out->list, &out->outcome)
                           : status;
}

static bool known_state(const char *state)
{
    return strcmp(state, "upcoming") == 0 || strcmp(state, "issued") == 0 || strcmp(state, "announced") == 0;
}

void handle_bonds(void *context, const br_http_request *request, br_http_answer *answer)
{
    desk *self = context;
    bond_filter filter = {.state = request->query(request, "state"), .limit = DEFAULT_PAGE};
    if (filter.state != NULL && !known_state(filter.state)) {
        br_http_problem(answer, 400, "Wrong parameter", "state must be upcoming, issued or announced");
        return;
    }
    if (!request_whole(request, answer, "limit", MAX_PAGE, &filter.limit) ||
        !request_whole(request, answer, "offset", 100000000, &filter.offset)) {
        return;
    }
    static _Thread_local uint32_t bonds[MAX_PAGE];
    uint32_t total = 0;
    pthread_rwlock_rdlock(&self->lock);
    uint32_t n = bonds_select(self, &filter, bonds, &total);
    br_buf_printf(&answer->body, "{\"total\": %u, \"limit\": %u, \"offset\": %u, \"bonds\": [", total, filter.limit,
                  filter.offset);
    for (uint32_t i = 0; i < n; i++) {
        br_buf_string(&answer->body, i == 0 ? "\n " : ",\n ");
        bond_json(&answer->body, self, bonds[i], false);
    }
    br_buf_string(&answer->body, "]}\n");
    pthread_rwlock_unlock(&self->lock);
    answer_finish(answer);
}

static void answer_recommendations(desk *self, const br_http_request *request, br_http_answer *answer,
                                   const char *bond_id)
{
    BR_AUTO(br_arena) *arena = NULL;
    stored_list stored;
    cached_snapshot *snapshot = NULL;
    br_status status = br_arena_new(&arena, ARENA_BYTES);
    if (status == BR_OK) {
        status = stored_list_read(self, arena, bond_id, &stored);
    }
    if (status == BR_OK) {
        status = desk_borrow(self, stored.list.version, &snapshot);
    }
    if (status != BR_OK) {
        answer_failed(answer, status);
        return;
    }
    br_presented presented = {.list = &stored.list,
                              .outcome = &stored.outcome,
                              .encoder = snapshot->snapshot->encoder,
                              .language = request_language(request)};
    br_present_json(&answer->body, &presented);
    desk_release(self, snapshot);
    answer_finish(answer);
}

static void answer_bond(desk *self, br_http_answer *answer, const char *bond_id)
{
    pthread_rwlock_rdlock(&self->lock);
    const br_market *market = br_follower_market(self->follower);
    uint32_t bond = market == NULL ? BR_INDEX_NONE : br_market_find_bond(market, bond_id);
    if (bond != BR_INDEX_NONE) {
        bond_json(&answer->body, self, bond, true);
    }
    pthread_rwlock_unlock(&self->lock);
    if (bond == BR_INDEX_NONE) {
        br_http_problem(answer, 404, "Not found", "no bond has this id");
        return;
    }
    answer_finish(answer);
}

void handle_bond(void *context, const br_http_request *request, br_http_answer *answer)
{
    if (handle_investor_of_bond(context, request, answer)) {
        return;
    }
    const char *rest = request->rest;
    size_t n = strlen(rest);
    size_t n_suffix = strlen(RECOMMENDATIONS);
    static const char notes[] = "/notes";
    const size_t n_notes = sizeof notes - 1;
    bool of_notes = n > n_notes && strcmp(rest + n - n_notes, notes) == 0;
    bool recommendations = n > n_suffix && strcmp(rest + n - n_suffix, RECOMMENDATIONS) == 0;
    size_t n_id = recommendations ? n - n_suffix : of_notes ? n - n_notes : n;
    char id[BR_MAX_ID_BYTES + 1];
    if (n_id == 0 || n_id > BR_MAX_ID_BYTES) {
        br_http_problem(answer, 404, "Not found", "a bond's id has 1 to 128 bytes");
        return;
    }
    memcpy(id, rest, n_id);
    id[n_id] = '\0';
    if (of_notes) {
        answer_notes(context, request, answer, id);
    } else if (recommendations) {
        answer_recommendations(context, request, answer, id);
    } else {
        answer_bond(context, answer, id);
    }
}

static br_status add_event(void *context, const br_snapshot_event *event)
{
    static const char *const kinds[] = {"?", "published", "refused", "rolled_back"};
    br_buf *out = context;
    br_buf_string(out, out->data[out->length - 1] == '[' ? "\n {" : ",\n {");
    json_member(out, "event", event->kind <= BR_SNAPSHOT_ROLLED_BACK ? kinds[event->kind] : kinds[0]);
    br_buf_string(out, ", ");
    json_member(out, "snapshot", event->version);
    br_buf_string(out, ", ");
    json_member(out, "parent", event->parent);
    br_buf_string(out, ", ");
    json_member(out, "reason", event->reason);
    br_buf_string(out, ", \"time_s\": ");
    br_buf_json_number(out, event->wall_s);
    br_buf_char(out, '}');
    return out->failed ? br_no_memory("history", 1) : BR_OK;
}

void handle_snapshots(void *context, const br_http_request *request, br_http_answer *answer)
{
    (void)request;
    desk *self = context;
    char served[BR_VERSION_TEXT];
    br_status status = br_snapshots_served(self->snapshots, served);
    if (status == BR_OK) {
        br_buf_char(&answer->body, '{');
        json_member(&answer->body, "served", served);
        br_buf_string(&answer->body, ", \"history\": [");
        status = answer->body.failed ? br_no_memory("history", 1)
                                     : br_snapshots_history(self->snapshots, add_event, &answer->body);
    }
    if (status != BR_OK) {
        answer_failed(answer, status);
        return;
    }
    br_buf_string(&answer->body, "]}\n");
    answer_finish(answer);
}

static void market_json(br_buf *out, desk *self)
{
    pthread_rwlock_rdlock(&self->lock);
    const br_market *market = br_follower_market(self->follower);
    br_buf_printf(out, "\"ledger_head\": %llu", (unsigned long long)br_follower_head(self->follower));
    if (market != NULL) {
        char day[BR_DAY_TEXT];
        br_day today = br_market_business_day(market);
        br_buf_string(out, ", ");
        json_member(out, "market", br_market_schema(market)->market);
        br_buf_printf(out, ", \"business_day\": %s%s%s, \"bonds\": %u, \"investors\": %u, \"bids\": %u",
                      today == BR_DAY_NONE ? "" : "\"", today == BR_DAY_NONE ? "null" : br_day_text(today, day),
                      today == BR_DAY_NONE ? "" : "\"", br_market_n_bonds(market), br_market_n_investors(market),
                      br_market_n_bids(market));
    }
    pthread_rwlock_unlock(&self->lock);
}

void handle_status(void *context, const br_http_request *request, br_http_answer *answer)
{
    (void)request;
    desk *self = context;
    uint64_t counts[4] = {0};
    uint64_t ranked = 0;
    uint64_t evaluated = 0;
    char served[BR_VERSION_TEXT];
    br_status status = br_recommendations_counts(self->recommendations, &counts[0], &counts[1], &counts[2], &counts[3]);
    if (status == BR_OK) {
        status = br_recommendations_offset(self->recommendations, &ranked);
    }
    if (status == BR_OK) {
        status = br_quality_offset(self->quality, &evaluated);
    }
    if (status == BR_OK) {
        status = br_snapshots_served(self->snapshots, served);
    }
    if (status != BR_OK) {
        answer_failed(answer, status);
        return;
    }
    br_buf *out = &answer->body;
    br_buf_char(out, '{');
    market_json(out, self);
    br_buf_string(out, ", ");
    json_member(out, "snapshot", served);
    br_buf_printf(out, ", \"lists\": %llu, \"todo\": %llu, \"results\": %llu, \"dead\": %llu",
                  (unsigned long long)counts[0], (unsigned long long)counts[1], (unsigned long long)counts[2],
                  (unsigned long long)counts[3]);
    br_buf_printf(out, ", \"ranker_offset\": %llu, \"evaluator_offset\": %llu}\n", (unsigned long long)ranked,
                  (unsigned long long)evaluated);
    answer_finish(answer);
}
