#include "codec/work.h"

#include "codec/wire.h"
#include "work.pb-c.h"

// --- an explainer's life ---

br_status br_ready_pack(const br_ready *ready, br_buf *out)
{
    BR_AUTO_DEINIT(br_writing) writing = {0};
    Br__Ready message = BR__READY__INIT;
    message.name = br_write_prose(&writing, ready->name);
    message.credit = ready->credit;
    message.engine = ready->engine;
    message.versions = br_write_alloc(&writing, ready->n_versions, sizeof *message.versions);
    for (uint32_t i = 0; message.versions != NULL && i < ready->n_versions; i++) {
        message.versions[i] = br_write_text(ready->versions[i]);
        message.n_versions = i + 1;
    }
    return br_write_end(&writing, &message.base, br_message_max_bytes(BR_MSG_READY), out);
}

br_status br_ready_unpack(br_ready *out, br_arena *arena, const uint8_t *bytes, size_t n)
{
    br_reading in = {.arena = arena};
    const Br__Ready *message = br_read_begin(&in, &br__ready__descriptor, bytes, n, br_message_max_bytes(BR_MSG_READY));
    if (message == NULL) {
        return in.status;
    }
    br_ready ready = {
        .name = br_read_text(&in, "name", message->name, BR_FORM_PROSE),
        .credit = (uint32_t)br_read_range(&in, "credit", message->credit, 1, BR_MAX_CREDIT),
        .engine = message->engine,
        .n_versions = (uint32_t)br_read_range(&in, "versions", message->n_versions, 0, BR_MAX_VERSIONS),
    };
    ready.versions = br_read_alloc(&in, ready.n_versions, sizeof *ready.versions);
    for (uint32_t i = 0; i < ready.n_versions && in.status == BR_OK; i++) {
        br_read_at(&in, 0, "versions", i);
        ready.versions[i] = br_read_text(&in, "version", message->versions[i], BR_FORM_VERSION);
    }
    if (in.status == BR_OK) {
        *out = ready;
    }
    return in.status;
}

// --- jobs ---

// Packing only reads, though protobuf-c's struct has no const.
static uint32_t *numbers_of(const uint32_t *numbers)
{
    return (uint32_t *)(void *)br_write_bytes(numbers, 0).data;
}

static void fill_past(br_writing *writing, const br_job_body *body, Br__JobBody *message)
{
    uint32_t n = body->past == NULL ? 0 : body->n_investors;
    Br__Past *pasts = br_write_alloc(writing, n, sizeof *pasts);
    message->past = br_write_alloc(writing, n, sizeof *message->past);
    message->issuer = br_write_text(body->issuer);
    message->n_past = writing->failed ? 0 : n;
    for (uint32_t i = 0; i < message->n_past; i++) {
        const br_past *past = &body->past[i];
        br__past__init(&pasts[i]);
        pasts[i].n_issuers = pasts[i].n_bids = pasts[i].n_days = past->n;
        pasts[i].issuers = numbers_of(past->issuers);
        pasts[i].bids = numbers_of(past->bids);
        pasts[i].days = numbers_of(past->days);
        message->past[i] = &pasts[i];
    }
}

// Borrows everything from `body`.
static void fill_body(br_writing *writing, const br_job_body *body, Br__JobBody *message)
{
    br__job_body__init(message);
    message->version = br_write_text(body->version);
    message->as_of = body->as_of;
    message->bond_codes = br_write_bytes(body->bond_codes.data, body->bond_codes.n);
    message->population = br_write_bytes(body->population.bytes, sizeof body->population.bytes);
    message->scores = br_write_bytes(body->scores, body->n_population * sizeof *body->scores);
    message->n_investors = body->n_investors;
    message->investors = numbers_of(body->investors);
    message->objective = (uint32_t)body->objective;
    message->n_reasons = body->n_reasons;
    message->engine = body->engine;
    message->certify = body->certify;
    message->eligible = br_write_bytes(body->eligible, body->n_population);
    message->n_banned = body->n_banned;
    message->banned = numbers_of(body->banned);
    message->n_apart = (size_t)body->n_apart * 2;
    message->apart = numbers_of(body->apart);
    message->max_evaluations = body->max_evaluations;
    message->after = br_write_bytes(body->after.bytes, body->has_after ? sizeof body->after.bytes : 0);
    fill_past(writing, body, message);
}

br_status br_job_body_pack(const br_job_body *body, br_buf *out)
{
    BR_AUTO_DEINIT(br_writing) writing = {0};
    Br__JobBody message;
    fill_body(&writing, body, &message);
    return br_write_end(&writing, &message.base, br_message_max_bytes(BR_MSG_JOB), out);
}

static void read_population(br_reading *in, const Br__JobBody *message, br_job_body *body)
{
    size_t n = message->eligible.len;
    body->n_population = (uint32_t)br_read_range(in, "eligible", n, 1, BR_MAX_POPULATION);
    if (message->scores.len != n * sizeof(float)) {
        br_read_fail(in, "scores", "%zu bytes for %zu investors", message->scores.len, n);
    }
    if (in->status != BR_OK) {
        return;
    }
    body->scores = (const float *)(const void *)message->scores.data; // the arena aligns for it
    body->eligible = message->eligible.data;
    for (size_t i = 0; i < n; i++) {
        br_read_at(in, 1, "scores", i);
        br_read_finite(in, "logit", (double)body->scores[i]);
        br_read_at(in, 1, "eligible", i);
        br_read_range(in, "flag", body->eligible[i], 0, 1);
    }
    br_read_at(in, 1, NULL, 0);
}

static void read_investors(br_reading *in, const Br__JobBody *message, br_job_body *body)
{
    body->n_investors = (uint32_t)br_read_range(in, "investors", message->n_investors, 1, BR_MAX_JOB_INVESTORS);
    body->n_reasons = (uint32_t)br_read_range(in, "n_reasons", message->n_reasons, 1, BR_MAX_REASONS);
    if (in->status != BR_OK) {
        return;
    }
    body->investors = message->investors;
    for (size_t i = 0; i < message->n_investors; i++) {
        br_read_range(in, "investors", message->investors[i], 0, body->n_population - 1);
    }
}

static void read_rules(br_reading *in, const Br__JobBody *message, br_job_body *body)
{
    body->n_banned = (uint32_t)br_read_range(in, "banned", message->n_banned, 0, BR_MAX_FIELDS);
    body->n_apart = (uint32_t)br_read_range(in, "apart", message->n_apart, 0, (uint64_t)BR_MAX_APART * 2) / 2;
    if (message->n_apart % 2 != 0) {
        br_read_fail(in, "apart", "%zu fields are not pairs", message->n_apart);
    }
    for (size_t i = 0; i < message->n_banned && in->status == BR_OK; i++) {
        br_read_range(in, "banned", message->banned[i], 0, BR_MAX_FIELDS - 1);
    }
    for (size_t i = 0; i < message->n_apart && in->status == BR_OK; i++) {
        br_read_range(in, "apart", message->apart[i], 0, BR_MAX_FIELDS - 1);
    }
    body->banned = message->banned;
    body->apart = message->apart;
}

static br_past read_past_of(br_reading *in, const Br__Past *message)
{
    uint32_t n = (uint32_t)br_read_range(in, "issuers", message->n_issuers, 0, BR_MAX_PAST_ISSUERS);
    if (message->n_bids != n || message->n_days != n) {
        br_read_fail(in, "bids", "%zu bids and %zu days of %u issuers", message->n_bids, message->n_days, n);
    }
    for (uint32_t k = 0; k < n && in->status == BR_OK; k++) {
        uint32_t issuer = message->issuers[k];
        br_read_range(in, "issuers", issuer, k == 0 ? 0 : (uint64_t)message->issuers[k - 1] + 1,
                      issuer == BR_OWN_ISSUER ? BR_OWN_ISSUER : BR_MAX_TABLE_ISSUERS - 1);
        br_read_range(in, "bids", message->bids[k], 1, UINT32_MAX);
        br_read_range(in, "days", message->days[k], 1, INT32_MAX);
    }
    return (br_past){.issuers = message->issuers, .bids = message->bids, .days = message->days, .n = n};
}

static void read_past(br_reading *in, const Br__JobBody *message, br_job_body *body)
{
    body->issuer = br_read_text(in, "issuer", message->issuer, BR_FORM_ID_OR_NONE);
    uint32_t n =
        (uint32_t)br_read_range(in, "past", message->n_past, 0, message->issuer.len == 0 ? 0 : BR_MAX_JOB_INVESTORS);
    if (n != 0 && n != body->n_investors) {
        br_read_fail(in, "past", "of %u investors, the job has %u", n, body->n_investors);
    }
    br_past *past = br_read_alloc(in, n, sizeof *past);
    for (uint32_t i = 0; i < n && in->status == BR_OK; i++) {
        br_read_at(in, 1, "past", i);
        past[i] = read_past_of(in, message->past[i]);
    }
    br_read_at(in, 1, NULL, 0);
    body->past = past;
}

static br_job_body read_body(br_reading *in, const Br__JobBody *message)
{
    br_job_body body = {
        .version = br_read_text(in, "version", message->version, BR_FORM_VERSION),
        .as_of = br_read_day(in, "as_of", message->as_of, false),
        .bond_codes = {message->bond_codes.data,
                       (size_t)br_read_range(in, "bond_codes", message->bond_codes.len, 1, BR_MAX_FEATURES)},
        .population = br_read_hash(in, "population", message->population),
        .objective =
            (br_objective)br_read_range(in, "objective", message->objective, BR_OBJECTIVE_PLAIN, BR_OBJECTIVE_BACKED),
        .engine = message->engine,
        .certify = message->certify != 0,
        .max_evaluations = message->max_evaluations,
        .has_after = message->after.len > 0,
    };
    if (body.has_after) {
        body.after = br_read_hash(in, "after", message->after);
    }
    read_population(in, message, &body);
    read_investors(in, message, &body);
    read_rules(in, message, &body);
    read_past(in, message, &body);
    return body;
}

br_status br_job_body_unpack(br_job_body *out, br_arena *arena, const uint8_t *bytes, size_t n)
{
    br_reading in = {.arena = arena};
    const Br__JobBody *message =
        br_read_begin(&in, &br__job_body__descriptor, bytes, n, br_message_max_bytes(BR_MSG_JOB));
    if (message == NULL) {
        return in.status;
    }
    br_job_body body = read_body(&in, message);
    if (in.status == BR_OK) {
        *out = body;
    }
    return in.status;
}

br_status br_job_id(br_hash *out, const br_job_body *body)
{
    BR_AUTO_DEINIT(br_buf) bytes = {0};
    br_status status = br_job_body_pack(body, &bytes);
    if (status != BR_OK) {
        return status;
    }
    *out = br_hash_of(bytes.data, bytes.length);
    return BR_OK;
}

br_status br_job_pack(const br_job *job, br_buf *out)
{
    BR_AUTO_DEINIT(br_writing) writing = {0};
    Br__JobBody body;
    fill_body(&writing, &job->body, &body);
    Br__Job message = BR__JOB__INIT;
    message.job_id = br_write_bytes(job->job_id.bytes, sizeof job->job_id.bytes);
    message.body = &body;
    message.attempt = job->attempt;
    message.lease_ms = job->lease_ms;
    message.n_warm_start = job->warm_start == NULL ? 0 : (size_t)job->body.n_investors * job->body.n_reasons;
    message.warm_start = numbers_of(job->warm_start);
    return br_write_end(&writing, &message.base, br_message_max_bytes(BR_MSG_JOB), out);
}

// Fields that a newer peer added to the body are packed too, so its id is still right.
static void check_job_id(br_reading *in, const Br__JobBody *body, const br_hash *job_id)
{
    size_t n = protobuf_c_message_get_packed_size(&body->base);
    uint8_t *bytes = br_read_alloc(in, n, 1);
    if (bytes == NULL) {
        return;
    }
    br_hash hash = br_hash_of(bytes, protobuf_c_message_pack(&body->base, bytes));
    if (!br_hash_equal(&hash, job_id)) {
        br_read_fail(in, "job_id", "is not the hash of the body");
    }
}

// A set is whole or missing.
static void read_warm_start(br_reading *in, const Br__Job *message, br_job *job)
{
    uint32_t k = job->body.n_reasons;
    size_t n = message->n_warm_start;
    if (n != 0 && n != (size_t)job->body.n_investors * k) {
        br_read_fail(in, "warm_start", "%zu fields for %u investors with %u reasons each", n, job->body.n_investors, k);
    }
    for (size_t i = 0; i < n && in->status == BR_OK; i++) {
        bool missing = message->warm_start[i - i % k] == BR_NO_FIELD;
        br_read_range(in, "warm_start", message->warm_start[i], missing ? BR_NO_FIELD : 0,
                      missing ? BR_NO_FIELD : BR_MAX_FIELDS - 1);
    }
    job->warm_start = n == 0 ? NULL : message->warm_start;
}

br_status br_job_unpack(br_job *out, br_arena *arena, const uint8_t *bytes, size_t n)
{
    br_reading in = {.arena = arena};
    const Br__Job *message = br_read_begin(&in, &br__job__descriptor, bytes, n, br_message_max_bytes(BR_MSG_JOB));
    if (message == NULL) {
        return in.status;
    }
    br_job job = {
        .job_id = br_read_hash(&in, "job_id", message->job_id),
        .attempt = (uint32_t)br_read_range(&in, "attempt", message->attempt, 1, UINT32_MAX),
        .lease_ms = (uint32_t)br_read_range(&in, "lease_ms", message->lease_ms, 1, BR_MAX_LEASE_MS),
    };
    if (message->body == NULL) {
        br_read_fail(&in, "body", "is missing");
        return in.status;
    }
    br_read_at(&in, 0, "body", 0);
    job.body = read_body(&in, message->body);
    br_read_at(&in, 0, NULL, 0);
    read_warm_start(&in, message, &job);
    check_job_id(&in, message->body, &job.job_id);
    if (in.status == BR_OK) {
        *out = job;
    }
    return in.status;
}

// --- results ---

static void fill_reason(const br_reason *reason, Br__Reason *message)
{
    br__reason__init(message);
    message->field = reason->field;
    message->code = reason->code;
    message->gain = reason->gain;
    message->backing = reason->backing;
    message->bids = reason->bids;
}

static bool fill_explanation(br_writing *writing, const br_explanation *explanation, Br__Explanation *message)
{
    br_assert(explanation->n_reasons <= BR_MAX_REASONS);
    Br__Reason *reasons = br_write_alloc(writing, explanation->n_reasons + 1, sizeof *reasons);
    Br__Reason **list = br_write_alloc(writing, explanation->n_reasons + 1, sizeof *list);
    if (writing->failed) {
        return false;
    }
    br__explanation__init(message);
    message->investor = explanation->investor;
    for (uint32_t i = 0; i < explanation->n_reasons; i++) {
        fill_reason(&explanation->reasons[i], &reasons[i]);
        list[i] = &reasons[i];
    }
    message->n_reasons = explanation->n_reasons;
    message->reasons = list;
    if (explanation->against.field != UINT32_MAX) {
        message->against = &reasons[explanation->n_reasons];
        fill_reason(&explanation->against, message->against);
    }
    message->logit_selected = explanation->logit_selected;
    message->logit_all = explanation->logit_all;
    message->logit_none = explanation->logit_none;
    message->objective_value = explanation->objective;
    message->n_matching = explanation->n_matching;
    message->mean_probability_matching = explanation->mean_probability_matching;
    message->certified = explanation->certified;
    message->evaluations = explanation->evaluations;
    return true;
}

static Br__PastBids *write_past_bids(br_writing *writing, const br_past_bids *past)
{
    br_assert(past->n <= BR_MAX_PAST_BIDS);
    Br__PastBids *message = br_write_alloc(writing, 1, sizeof *message);
    Br__PastBid *bids = br_write_alloc(writing, past->n, sizeof *bids);
    Br__PastBid **list = br_write_alloc(writing, past->n, sizeof *list);
    if (writing->failed) {
        return NULL;
    }
    br__past_bids__init(message);
    for (uint32_t k = 0; k < past->n; k++) {
        br__past_bid__init(&bids[k]);
        bids[k].issuer = br_write_text(past->bids[k].issuer);
        bids[k].bids = past->bids[k].n_bids;
        bids[k].last = past->bids[k].last;
        bids[k].weight = past->bids[k].weight;
        list[k] = &bids[k];
    }
    message->bids = list;
    message->n_bids = past->n;
    return message;
}

static bool fill_past_bids(br_writing *writing, const br_result *result, Br__Result *message)
{
    uint32_t n = result->past == NULL ? 0 : result->n_explanations;
    message->issuer = br_write_text(result->issuer);
    message->past = br_write_alloc(writing, n, sizeof *message->past);
    for (uint32_t i = 0; i < n && !writing->failed; i++) {
        message->past[i] = write_past_bids(writing, &result->past[i]);
    }
    message->n_past = n;
    return !writing->failed;
}

br_status br_result_pack(const br_result *result, br_buf *out)
{
    if (result->n_explanations > BR_MAX_JOB_INVESTORS) {
        return br_fail(BR_ERR_LIMIT, "Result.explanations: %u, at most %d are allowed", result->n_explanations,
                       BR_MAX_JOB_INVESTORS);
    }
    BR_AUTO_DEINIT(br_writing) writing = {0};
    Br__Result message = BR__RESULT__INIT;
    Br__Explanation *explanations = br_write_alloc(&writing, result->n_explanations, sizeof *explanations);
    message.explanations = br_write_alloc(&writing, result->n_explanations, sizeof *message.explanations);
    if (writing.failed) {
        return br_no_memory("explanations of a result", result->n_explanations);
    }
    for (uint32_t i = 0; i < result->n_explanations; i++) {
        if (!fill_explanation(&writing, &result->explanations[i], &explanations[i])) {
            return br_no_memory("explanations of a result", result->n_explanations);
        }
        message.explanations[i] = &explanations[i];
    }
    message.n_explanations = result->n_explanations;
    if (!fill_past_bids(&writing, result, &message)) {
        return br_no_memory("past bids of a result", result->n_explanations);
    }
    message.job_id = br_write_bytes(result->job_id.bytes, sizeof result->job_id.bytes);
    message.failure = br_write_prose(&writing, result->failure);
    message.warm = result->warm;
    return br_write_end(&writing, &message.base, br_message_max_bytes(BR_MSG_RESULT), out);
}

static void read_past_bids(br_reading *in, const Br__PastBids *message, br_past_bids *out)
{
    out->n = (uint32_t)br_read_range(in, "bids", message->n_bids, 0, BR_MAX_PAST_BIDS);
    out->bids = br_read_alloc(in, out->n, sizeof *out->bids);
    for (uint32_t k = 0; k < out->n && in->status == BR_OK; k++) {
        const Br__PastBid *bid = message->bids[k];
        br_read_at(in, 1, "bids", k);
        out->bids[k] = (br_past_bid){
            .issuer = br_read_text(in, "issuer", bid->issuer, BR_FORM_ID),
            .n_bids = (uint32_t)br_read_range(in, "bids", bid->bids, 1, UINT32_MAX),
            .last = br_read_day(in, "last", bid->last, false),
            .weight = (float)br_read_share(in, "weight", (double)bid->weight),
        };
    }
    br_read_at(in, 1, NULL, 0);
}

static void read_past_of_all(br_reading *in, const Br__Result *message, br_result *result)
{
    result->issuer = br_read_text(in, "issuer", message->issuer, BR_FORM_ID_OR_NONE);
    uint32_t n =
        (uint32_t)br_read_range(in, "past", message->n_past, 0, message->issuer.len == 0 ? 0 : BR_MAX_JOB_INVESTORS);
    if (n != 0 && n != result->n_explanations) {
        br_read_fail(in, "past", "of %u investors, %u are explained", n, result->n_explanations);
    }
    result->past = br_read_alloc(in, n, sizeof *result->past);
    for (uint32_t i = 0; i < n && in->status == BR_OK; i++) {
        br_read_at(in, 0, "past", i);
        read_past_bids(in, message->past[i], &result->past[i]);
    }
    br_read_at(in, 0, NULL, 0);
}

static br_reason read_reason(br_reading *in, const Br__Reason *message)
{
    return (br_reason){
        .field = (uint32_t)br_read_range(in, "field", message->field, 0, BR_MAX_FIELDS - 1),
        .code = (uint8_t)br_read_range(in, "code", message->code, 0, UINT8_MAX),
        .gain = (float)br_read_finite(in, "gain", (double)message->gain),
        .backing = (float)br_read_finite(in, "backing", (double)message->backing),
        .bids = message->bids,
    };
}

static void read_explanation(br_reading *in, const Br__Explanation *message, br_explanation *out)
{
    *out = (br_explanation){
        .investor = (uint32_t)br_read_range(in, "investor", message->investor, 0, BR_MAX_POPULATION - 1),
        .n_reasons = (uint32_t)br_read_range(in, "reasons", message->n_reasons, 1, BR_MAX_REASONS),
        .against = {.field = UINT32_MAX},
        .logit_selected = (float)br_read_finite(in, "logit_selected", (double)message->logit_selected),
        .logit_all = (float)br_read_finite(in, "logit_all", (double)message->logit_all),
        .logit_none = (float)br_read_finite(in, "logit_none", (double)message->logit_none),
        .objective = br_read_finite(in, "objective_value", message->objective_value),
        .n_matching = (uint32_t)br_read_range(in, "n_matching", message->n_matching, 0, BR_MAX_POPULATION),
        .mean_probability_matching = br_read_share(in, "mean_probability_matching", message->mean_probability_matching),
        .certified = message->certified != 0,
        .evaluations = message->evaluations,
    };
    for (uint32_t i = 0; i < out->n_reasons && in->status == BR_OK; i++) {
        br_read_at(in, 1, "reasons", i);
        out->reasons[i] = read_reason(in, message->reasons[i]);
    }
    if (message->against != NULL) {
        br_read_at(in, 1, "against", 0);
        out->against = read_reason(in, message->against);
    }
    br_read_at(in, 1, NULL, 0);
}

br_status br_result_unpack(br_result *out, br_arena *arena, const uint8_t *bytes, size_t n)
{
    br_reading in = {.arena = arena};
    const Br__Result *message =
        br_read_begin(&in, &br__result__descriptor, bytes, n, br_message_max_bytes(BR_MSG_RESULT));
    if (message == NULL) {
        return in.status;
    }
    br_result result = {
        .job_id = br_read_hash(&in, "job_id", message->job_id),
        .n_explanations =
            (uint32_t)br_read_range(&in, "explanations", message->n_explanations, 0, BR_MAX_JOB_INVESTORS),
        .failure = br_read_text(&in, "failure", message->failure, BR_FORM_PROSE),
        .warm = message->warm != 0,
    };
    if ((result.n_explanations == 0) != (message->failure.len > 0)) {
        br_read_fail(&in, "failure", "%s",
                     result.n_explanations == 0 ? "missing, though nothing is explained"
                                                : "given together with explanations");
    }
    result.explanations = br_read_alloc(&in, result.n_explanations, sizeof *result.explanations);
    for (uint32_t i = 0; i < result.n_explanations && in.status == BR_OK; i++) {
        br_read_at(&in, 0, "explanations", i);
        read_explanation(&in, message->explanations[i], &result.explanations[i]);
    }
    br_read_at(&in, 0, NULL, 0);
    read_past_of_all(&in, message, &result);
    if (in.status == BR_OK) {
        *out = result;
    }
    return in.status;
}

br_status br_result_ack_pack(const br_result_ack *ack, br_buf *out)
{
    br_writing writing = {0};
    Br__ResultAck message = BR__RESULT_ACK__INIT;
    message.job_id = br_write_bytes(ack->job_id.bytes, sizeof ack->job_id.bytes);
    return br_write_end(&writing, &message.base, br_message_max_bytes(BR_MSG_RESULT_ACK), out);
}

br_status br_result_ack_unpack(br_result_ack *out, br_arena *arena, const uint8_t *bytes, size_t n)
{
    br_reading in = {.arena = arena};
    const Br__ResultAck *message =
        br_read_begin(&in, &br__result_ack__descriptor, bytes, n, br_message_max_bytes(BR_MSG_RESULT_ACK));
    if (message == NULL) {
        return in.status;
    }
    br_result_ack ack = {.job_id = br_read_hash(&in, "job_id", message->job_id)};
    if (in.status == BR_OK) {
        *out = ack;
    }
    return in.status;
}

// --- heartbeats ---

br_status br_heartbeat_pack(const br_heartbeat *heartbeat, br_buf *out)
{
    br_assert(heartbeat->n_jobs <= BR_MAX_HELD_JOBS);
    br_writing writing = {0};
    Br__Heartbeat message = BR__HEARTBEAT__INIT;
    ProtobufCBinaryData jobs[BR_MAX_HELD_JOBS];
    for (uint32_t i = 0; i < heartbeat->n_jobs; i++) {
        jobs[i] = br_write_bytes(heartbeat->jobs[i].bytes, sizeof heartbeat->jobs[i].bytes);
    }
    message.jobs = jobs;
    message.n_jobs = heartbeat->n_jobs;
    return br_write_end(&writing, &message.base, br_message_max_bytes(BR_MSG_HEARTBEAT), out);
}

br_status br_heartbeat_unpack(br_heartbeat *out, br_arena *arena, const uint8_t *bytes, size_t n)
{
    br_reading in = {.arena = arena};
    const Br__Heartbeat *message =
        br_read_begin(&in, &br__heartbeat__descriptor, bytes, n, br_message_max_bytes(BR_MSG_HEARTBEAT));
    if (message == NULL) {
        return in.status;
    }
    uint32_t n_jobs = (uint32_t)br_read_range(&in, "jobs", message->n_jobs, 0, BR_MAX_HELD_JOBS);
    br_hash *jobs = br_read_alloc(&in, n_jobs, sizeof *jobs);
    for (uint32_t i = 0; i < n_jobs && in.status == BR_OK; i++) {
        br_read_at(&in, 0, "jobs", i);
        jobs[i] = br_read_hash(&in, "id", message->jobs[i]);
    }
    if (in.status == BR_OK) {
        *out = (br_heartbeat){jobs, n_jobs};
    }
    return in.status;
}

// --- populations ---

br_status br_population_get_pack(const br_population_get *get, br_buf *out)
{
    br_writing writing = {0};
    Br__PopulationGet message = BR__POPULATION_GET__INIT;
    message.hash = br_write_bytes(get->hash.bytes, sizeof get->hash.bytes);
    message.offset = get->offset;
    return br_write_end(&writing, &message.base, br_message_max_bytes(BR_MSG_POPULATION_GET), out);
}

br_status br_population_get_unpack(br_population_get *out, br_arena *arena, const uint8_t *bytes, size_t n)
{
    br_reading in = {.arena = arena};
    const Br__PopulationGet *message =
        br_read_begin(&in, &br__population_get__descriptor, bytes, n, br_message_max_bytes(BR_MSG_POPULATION_GET));
    if (message == NULL) {
        return in.status;
    }
    br_population_get get = {
        .hash = br_read_hash(&in, "hash", message->hash),
        .offset = (uint32_t)br_read_range(&in, "offset", message->offset, 0, BR_MAX_POPULATION_BYTES),
    };
    if (in.status == BR_OK) {
        *out = get;
    }
    return in.status;
}

br_status br_population_part_pack(const br_population_part *part, br_buf *out)
{
    br_writing writing = {0};
    Br__Population message = BR__POPULATION__INIT;
    message.hash = br_write_bytes(part->info.hash.bytes, sizeof part->info.hash.bytes);
    message.n = part->info.n;
    message.n_investor_fields = part->info.n_investor_fields;
    message.offset = part->offset;
    return br_write_end(&writing, &message.base, br_message_max_bytes(BR_MSG_POPULATION), out);
}

br_status br_population_part_unpack(br_population_part *out, br_arena *arena, const uint8_t *bytes, size_t n)
{
    br_reading in = {.arena = arena};
    const Br__Population *message =
        br_read_begin(&in, &br__population__descriptor, bytes, n, br_message_max_bytes(BR_MSG_POPULATION));
    if (message == NULL) {
        return in.status;
    }
    br_population_info info = {
        .hash = br_read_hash(&in, "hash", message->hash),
        .n = (uint32_t)br_read_range(&in, "n", message->n, 0, BR_MAX_POPULATION),
        .n_investor_fields =
            (uint32_t)br_read_range(&in, "n_investor_fields", message->n_investor_fields, 0, BR_MAX_FIELDS),
    };
    if ((size_t)info.n * info.n_investor_fields > BR_MAX_POPULATION_BYTES) {
        br_read_fail(&in, "n", "%u investors of %u fields are more than %zu bytes", info.n, info.n_investor_fields,
                     (size_t)BR_MAX_POPULATION_BYTES);
    }
    uint32_t offset =
        (uint32_t)br_read_range(&in, "offset", message->offset, 0, (uint64_t)info.n * info.n_investor_fields);
    if (in.status == BR_OK) {
        *out = (br_population_part){info, offset};
    }
    return in.status;
}
