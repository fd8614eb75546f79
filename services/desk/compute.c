#include "compute.h"

#include "base/alloc.h"
#include "pipeline/past.h"
#include "pipeline/study.h"

#include <stdlib.h>
#include <string.h>

br_status desk_compute_new(desk_compute **out, const char *study_methods)
{
    *out = br_calloc(1, sizeof **out);
    if (*out == NULL) {
        return br_no_memory("computing", 1);
    }
    br_status status = br_study_methods((*out)->study, study_methods);
    return status == BR_OK ? br_index_new(&(*out)->equal) : status;
}

static void forget_population(desk_compute *c)
{
    br_halves_free(&c->halves);
    br_free(c->codes);
    br_free(c->ids);
    br_free(c->id_order);
    br_buf_deinit(&c->id_bytes);
    c->codes = NULL;
    c->ids = NULL;
    c->id_order = NULL;
    c->n = 0;
}

static void forget_snapshot(desk_compute *c)
{
    forget_population(c); // its halves are of this snapshot
    br_methods_free(&c->methods);
    br_served_free(&c->served);
}

void desk_compute_free(desk_compute **compute)
{
    if (compute != NULL && *compute != NULL) {
        forget_snapshot(*compute);
        br_index_free(&(*compute)->equal);
        br_question_pool_free(&(*compute)->pool);
        br_free(*compute);
        *compute = NULL;
    }
}

// --- what a question needs ---

static br_status take_snapshot(desk *self, const char *version)
{
    desk_compute *c = self->compute;
    if (c->served != NULL && strcmp(c->served->version, version) == 0) {
        return BR_OK;
    }
    forget_snapshot(c);
    return br_served_load(&c->served, self->models, version);
}

typedef struct id_place {
    const char *id;
    uint32_t investor;
} id_place;

static int by_id(const void *left, const void *right)
{
    return strcmp(((const id_place *)left)->id, ((const id_place *)right)->id);
}

static br_status order_ids(desk_compute *c)
{
    id_place *sorted = br_calloc(c->n, sizeof *sorted);
    c->id_order = br_calloc(c->n, sizeof *c->id_order);
    if (sorted == NULL || c->id_order == NULL) {
        br_free(sorted);
        return br_no_memory("ordered investors", c->n);
    }
    for (uint32_t i = 0; i < c->n; i++) {
        sorted[i] = (id_place){c->ids[i], i};
    }
    qsort(sorted, c->n, sizeof *sorted, by_id);
    for (uint32_t i = 0; i < c->n; i++) {
        c->id_order[sorted[i].investor] = i;
    }
    br_free(sorted);
    return BR_OK;
}

/// Row i of a population is investor i of the market: copied, so that no lock is held while computing.
static br_status copy_ids(desk *self)
{
    desk_compute *c = self->compute;
    pthread_rwlock_rdlock(&self->lock);
    const br_market *market = br_follower_market(self->follower);
    bool all_there = market != NULL && br_market_n_investors(market) >= c->n;
    for (uint32_t i = 0; i < c->n && all_there; i++) {
        const char *id = br_market_investor_id(market, i);
        br_buf_append(&c->id_bytes, id, strlen(id) + 1);
    }
    pthread_rwlock_unlock(&self->lock);
    c->ids = br_calloc(c->n, sizeof *c->ids);
    if (!all_there) {
        return br_fail(BR_ERR_INVALID, "the list has investors whom the ledger has not yet shown to the desk");
    }
    if (c->ids == NULL || c->id_bytes.failed) {
        return br_no_memory("investors", c->n);
    }
    const char *at = br_buf_text(&c->id_bytes);
    for (uint32_t i = 0; i < c->n; i++) {
        c->ids[i] = at;
        at += strlen(at) + 1;
    }
    return order_ids(c);
}

static br_status load_population(desk *self, const br_job_body *body)
{
    desk_compute *c = self->compute;
    br_population_info info;
    br_status status = br_recommendations_get_population(self->recommendations, &body->population, &c->codes, &info);
    if (status != BR_OK) {
        return status;
    }
    c->n = info.n;
    c->population = body->population;
    uint32_t n_fields = br_encoder_n_investor_fields(c->served->snapshot->encoder);
    if (info.n != body->n_population || info.n_investor_fields != n_fields) {
        return br_fail(BR_ERR_INVALID, "the list's population does not fit its snapshot");
    }
    for (size_t i = 0; i < (size_t)info.n * n_fields; i++) {
        const br_field *field = &c->served->snapshot->encoder->fields[body->bond_codes.n + i % n_fields];
        if (c->codes[i] >= field->n_values) {
            return br_fail(BR_ERR_INVALID, "the list's population does not fit its snapshot");
        }
    }
    status = copy_ids(self);
    return status == BR_OK ? br_halves_new(&c->halves, c->served->collapsed, c->n, BR_HALVES_MAX_BYTES) : status;
}

static br_status take_population(desk *self, const br_job_body *body)
{
    desk_compute *c = self->compute;
    if (c->halves != NULL && br_hash_equal(&c->population, &body->population)) {
        return BR_OK;
    }
    forget_population(c);
    br_status status = load_population(self, body);
    if (status != BR_OK) {
        forget_population(c);
    }
    return status;
}

/// That the list, its job and the population are about the same investors.
static br_status check_list(const desk *self, const list_question *q)
{
    const br_encoder *encoder = self->compute->served->snapshot->encoder;
    const br_list *list = &q->stored.list;
    bool fits = q->body.bond_codes.n == encoder->n_bond_fields;
    for (uint32_t i = 0; i < encoder->n_bond_fields && fits; i++) {
        fits = q->body.bond_codes.data[i] < encoder->fields[i].n_values;
    }
    for (uint32_t i = 0; i < list->n_entries && fits; i++) {
        uint32_t investor = list->entries[i].investor;
        fits = investor < self->compute->n && strcmp(self->compute->ids[investor], list->entries[i].investor_id) == 0;
    }
    return fits ? BR_OK : br_fail(BR_ERR_INVALID, "the list and its job do not fit");
}

br_status compute_open(desk *self, br_arena *arena, const char *bond_id, list_question *out)
{
    *out = (list_question){.bond = BR_INDEX_NONE};
    br_status status = stored_list_read(self, arena, bond_id, &out->stored);
    if (status == BR_OK && !out->stored.list.has_job) {
        status = br_fail(BR_ERR_INVALID, "the list has no job: nobody was explained");
    }
    if (status == BR_OK) {
        status = br_recommendations_job(self->recommendations, arena, &out->stored.list.job_id, &out->body);
    }
    if (status == BR_OK) {
        status = take_snapshot(self, out->body.version);
    }
    if (status == BR_OK && out->body.bond_codes.n != self->compute->served->snapshot->encoder->n_bond_fields) {
        status = br_fail(BR_ERR_INVALID, "the job's codes do not fit the snapshot's fields");
    }
    if (status == BR_OK) {
        status = take_population(self, &out->body);
    }
    if (status == BR_OK) {
        status = check_list(self, out);
    }
    if (status != BR_OK) {
        return status;
    }
    pthread_rwlock_rdlock(&self->lock);
    const br_market *market = br_follower_market(self->follower);
    out->bond = market == NULL ? BR_INDEX_NONE : br_market_find_bond(market, bond_id);
    pthread_rwlock_unlock(&self->lock);
    const desk_compute *c = self->compute;
    out->asked = (br_asked){.served = c->served,
                            .body = &out->body,
                            .codes = c->codes,
                            .halves = c->halves,
                            .ids = c->ids,
                            .id_order = c->id_order};
    return BR_OK;
}

// Of the days before the list, by what the desk's market knows now.
static br_status read_past(desk *self, const list_question *q, br_arena *arena, br_job_body *body)
{
    pthread_rwlock_rdlock(&self->lock);
    // it has shown all investors of the list
    br_status status = br_past_of_job(body, arena, br_follower_market(self->follower), q->asked.served, q->bond);
    pthread_rwlock_unlock(&self->lock);
    return status;
}

static const br_past *past_in_job(const br_job_body *job, uint32_t investor)
{
    for (uint32_t i = 0; i < job->n_investors; i++) {
        if (job->investors[i] == investor) {
            return &job->past[i];
        }
    }
    return NULL;
}

br_status compute_past(desk *self, const list_question *question, br_arena *arena, br_job_body *body)
{
    const br_job_body *job = &question->body;
    br_past *past = br_arena_calloc(arena, body->n_investors, sizeof *past);
    if (job->past == NULL) {
        return BR_OK;
    }
    br_status status = past == NULL ? br_no_memory("past bids", body->n_investors) : BR_OK;
    if (status == BR_OK && question->bond == BR_INDEX_NONE) {
        status = br_fail(BR_ERR_INVALID, "the ledger has not yet shown the bond to the desk");
    }
    if (status == BR_OK) {
        status = read_past(self, question, arena, body);
    }
    if (status != BR_OK) {
        return status;
    }
    bool revised = strcmp(body->issuer, job->issuer) != 0; // then the market's is the past with another issuer
    for (uint32_t i = 0; i < body->n_investors; i++) {
        const br_past *listed = past_in_job(job, body->investors[i]);
        past[i] = listed != NULL ? *listed : revised ? (br_past){.n = 0} : body->past[i];
    }
    body->issuer = job->issuer;
    body->past = past;
    return BR_OK;
}

// As the list's job had it, or will. What cannot be read any more is no reason to give no answer.
static br_status find_start(desk *self, const list_question *q, br_arena *arena, br_job *job)
{
    br_earlier earlier;
    const br_outcome *outcome = &q->stored.outcome;
    bool warm = job->body.has_after && (outcome->state != BR_JOB_DONE || outcome->result.warm);
    br_status status = desk_earlier_read(self, arena, &job->body, warm ? &job->body.after : NULL, &earlier);
    if (status == BR_ERR_NO_MEMORY || status == BR_ERR_IO) {
        return status;
    }
    return status == BR_OK ? br_earlier_start(&job->warm_start, arena, &earlier) : BR_OK;
}

br_status compute_work(desk *self, const list_question *question, br_arena *arena, const br_job_body *body,
                       br_result *out)
{
    br_job job = {.job_id = question->stored.list.job_id, .body = *body};
    const br_served *served = question->asked.served;
    br_status status = find_start(self, question, arena, &job);
    if (status == BR_OK) {
        status = br_job_work(out, arena, served, &job, question->asked.codes,
                             br_encoder_n_investor_fields(served->snapshot->encoder), NULL, NULL);
    }
    return status == BR_OK && out->failure[0] != '\0' ? br_fail(BR_ERR_INVALID, "%.400s", out->failure) : status;
}

br_status compute_methods(desk *self, const list_question *question, br_methods **out)
{
    desk_compute *c = self->compute;
    if (c->methods != NULL && c->n_reasons != question->body.n_reasons) {
        br_methods_free(&c->methods);
    }
    br_status status = BR_OK;
    if (c->methods == NULL) {
        c->n_reasons = question->body.n_reasons;
        status =
            br_methods_new(&c->methods, c->served, NULL, c->n_reasons, br_service_config(self->service)->study.seed);
    }
    *out = c->methods;
    return status;
}

void compute_failed(br_http_answer *answer, br_status status)
{
    if (status == BR_ERR_INVALID) {
        br_http_problem(answer, 409, "Conflict", br_why(status));
    } else {
        answer_failed(answer, status);
    }
}

// --- errands ---

static void run_errand(void *state, br_http_answer *answer)
{
    errand *mine = state;
    if (answer != NULL) {
        BR_AUTO(br_arena) *arena = NULL;
        br_status status = br_arena_new(&arena, COMPUTE_ARENA_BYTES);
        if (status == BR_OK) {
            mine->work(mine, arena, answer);
        } else {
            compute_failed(answer, status);
        }
    }
    br_json_object_free(&mine->body);
    br_free(mine);
}

void errand_leave(const errand *e, br_http_answer *answer)
{
    errand *mine = br_memdup(e, sizeof *e);
    if (mine == NULL) {
        br_json_object *body = e->body;
        br_json_object_free(&body);
        br_http_problem(answer, 503, "Out of memory", "try again later");
        return;
    }
    answer->later = run_errand;
    answer->later_state = mine;
}
