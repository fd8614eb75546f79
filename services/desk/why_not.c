// Why an investor is not on a list, or why he is.

#include "compute.h"

#include <stdio.h>
#include <string.h>

#define ARENA_BYTES (32u << 20)
#define INVESTORS   "/investors/"
#define GATES       "/gates"

typedef struct standing {
    uint32_t rank; ///< 0 = he may not be recommended
    double probability;
    bool listed;
} standing;

static void why_not_json(br_buf *out, const br_list *list, const char *investor, const standing *stands)
{
    char day[BR_DAY_TEXT];
    br_buf_char(out, '{');
    json_member(out, "bond", list->bond_id);
    br_buf_string(out, ", ");
    json_member(out, "as_of", br_day_text(list->as_of, day));
    br_buf_string(out, ", ");
    json_member(out, "snapshot", list->version);
    br_buf_string(out, ", ");
    json_member(out, "investor", investor);
    br_buf_printf(out,
                  ", \"listed\": %s, \"excluded\": %s, \"eligible\": %u, \"rank\": ", stands->listed ? "true" : "false",
                  stands->rank == 0 ? "true" : "false", list->n_eligible);
    if (stands->rank == 0) {
        br_buf_string(out, "null");
    } else {
        br_buf_printf(out, "%u", stands->rank);
    }
    br_buf_string(out, ", \"probability\": ");
    br_buf_json_number(out, stands->probability);
    br_buf_printf(out, ", \"cut\": {\"rank\": %u, \"probability\": ", list->n_entries);
    br_buf_json_number(out, list->n_entries == 0 ? 0.0 : list->entries[list->n_entries - 1].probability);
    br_buf_string(out, "}");
}

/// He is on the list: what is stored is what the list says.
static void answer_listed(desk *self, const errand *e, const stored_list *stored, uint32_t i, br_http_answer *answer)
{
    const br_list_entry *entry = &stored->list.entries[i];
    const br_presented presented = {.list = &stored->list, .outcome = &stored->outcome};
    const br_explanation *explanation = br_present_explanation(&presented, i);
    cached_snapshot *snapshot = NULL;
    br_status status = desk_borrow(self, stored->list.version, &snapshot);
    if (status != BR_OK) {
        answer_failed(answer, status);
        return;
    }
    br_buf *out = &answer->body;
    const standing stands = {.rank = i + 1, .probability = entry->probability, .listed = true};
    why_not_json(out, &stored->list, e->investor, &stands);
    br_buf_printf(out, ", \"pending\": %s", stored->outcome.state == BR_JOB_TODO ? "true" : "false");
    if (stored->outcome.state == BR_JOB_DEAD) {
        br_buf_string(out, ", ");
        json_member(out, "failure", stored->outcome.dead.reason);
    }
    if (explanation != NULL) {
        br_buf_string(out, ", ");
        br_present_reasons(out, snapshot->snapshot->encoder, e->language, explanation);
        br_buf_string(out, ", ");
        desk_past_json(self, out, &stored->outcome.result, i, e->language);
    }
    br_buf_string(out, "}\n");
    desk_release(self, snapshot);
    answer_finish(answer);
}

static void work_why_not(const errand *e, br_arena *arena, br_http_answer *answer)
{
    desk *self = e->desk;
    list_question q;
    br_result result;
    uint32_t investor = BR_INDEX_NONE;
    br_status status = compute_open(self, arena, e->bond, &q);
    for (uint32_t i = 0; i < q.body.n_population && status == BR_OK && investor == BR_INDEX_NONE; i++) {
        investor = strcmp(q.asked.ids[i], e->investor) == 0 ? i : BR_INDEX_NONE;
    }
    if (status == BR_OK && investor == BR_INDEX_NONE) {
        status = br_fail(BR_ERR_NOT_FOUND, "the investor was not known on the day of the list");
    }
    if (status == BR_OK) {
        br_job_body body = br_asked_for(&q.asked, &investor);
        status = compute_past(self, &q, arena, &body);
        status = status == BR_OK ? compute_work(self, &q, arena, &body, &result) : status;
    }
    if (status != BR_OK) {
        compute_failed(answer, status);
        return;
    }
    const standing stands = {.rank = q.body.eligible[investor] ? br_asked_place(&q.asked, investor) : 0,
                             .probability = br_asked_probability(&q.asked, investor)};
    br_buf *out = &answer->body;
    why_not_json(out, &q.stored.list, e->investor, &stands);
    br_buf_string(out, ", \"pending\": false, ");
    br_present_reasons(out, q.asked.served->snapshot->encoder, e->language, &result.explanations[0]);
    br_buf_string(out, ", ");
    desk_past_json(self, out, &result, 0, e->language);
    br_buf_string(out, "}\n");
    answer_finish(answer);
}

static void answer_why_not(desk *self, const errand *e, br_http_answer *answer)
{
    BR_AUTO(br_arena) *arena = NULL;
    stored_list stored;
    br_status status = br_arena_new(&arena, ARENA_BYTES);
    if (status == BR_OK) {
        status = stored_list_read(self, arena, e->bond, &stored);
    }
    if (status != BR_OK) {
        answer_failed(answer, status);
        return;
    }
    for (uint32_t i = 0; i < stored.list.n_entries; i++) {
        if (strcmp(stored.list.entries[i].investor_id, e->investor) == 0) {
            answer_listed(self, e, &stored, i, answer);
            return;
        }
    }
    errand_leave(e, answer);
}

static bool copy_id(char out[BR_MAX_ID_BYTES + 1], const char *text, size_t n)
{
    if (n == 0 || n > BR_MAX_ID_BYTES) {
        return false;
    }
    memcpy(out, text, n);
    out[n] = '\0';
    return true;
}

static bool known_investor(desk *self, const char *id)
{
    pthread_rwlock_rdlock(&self->lock);
    const br_market *market = br_follower_market(self->follower);
    bool known = market != NULL && br_market_find_investor(market, id) != BR_INDEX_NONE;
    pthread_rwlock_unlock(&self->lock);
    return known;
}

bool handle_investor_of_bond(desk *self, const br_http_request *request, br_http_answer *answer)
{
    const char *middle = strstr(request->rest, INVESTORS);
    if (middle == NULL) {
        return false;
    }
    errand e = {.desk = self, .language = request_language(request)};
    const char *investor = middle + strlen(INVESTORS);
    size_t n = strlen(investor);
    size_t n_gates = strlen(GATES);
    bool gates = n > n_gates && strcmp(investor + n - n_gates, GATES) == 0;
    const char *hold = request->query(request, "hold");
    snprintf(e.field, sizeof e.field, "%s", hold == NULL ? "" : hold);
    e.work = gates ? work_gates : work_why_not;
    if (!copy_id(e.bond, request->rest, (size_t)(middle - request->rest)) ||
        !copy_id(e.investor, investor, gates ? n - n_gates : n)) {
        br_http_problem(answer, 404, "Not found", "an id has 1 to 128 bytes");
    } else if (!known_investor(self, e.investor)) {
        br_http_problem(answer, 404, "Not found", "no investor has this id");
    } else if (gates) {
        errand_leave(&e, answer);
    } else {
        answer_why_not(self, &e, answer);
    }
    return true;
}

void handle_investors(void *context, const br_http_request *request, br_http_answer *answer)
{
    desk *self = context;
    const char *wanted = request->query(request, "q");
    uint32_t limit = 100;
    uint32_t offset = 0;
    if (!request_whole(request, answer, "limit", 1000, &limit) ||
        !request_whole(request, answer, "offset", 100000000, &offset)) {
        return;
    }
    BR_AUTO_DEINIT(br_buf) found = {0};
    uint32_t total = 0;
    uint32_t shown = 0;
    pthread_rwlock_rdlock(&self->lock);
    const br_market *market = br_follower_market(self->follower);
    for (uint32_t i = 0; market != NULL && i < br_market_n_investors(market); i++) {
        const char *id = br_market_investor_id(market, i);
        if (wanted != NULL && strcasestr(id, wanted) == NULL) {
            continue;
        }
        if (total >= offset && shown < limit) {
            br_buf_string(&found, shown++ == 0 ? "{" : ", {");
            json_member(&found, "id", id);
            br_buf_char(&found, '}');
        }
        total++;
    }
    pthread_rwlock_unlock(&self->lock);
    br_buf_printf(&answer->body, "{\"total\": %u, \"limit\": %u, \"offset\": %u, \"investors\": [%s]}\n", total, limit,
                  offset, br_buf_text(&found));
    answer->body.failed = answer->body.failed || found.failed;
    answer_finish(answer);
}
