#include "compute.h"

#include "base/alloc.h"

#include <string.h>

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
