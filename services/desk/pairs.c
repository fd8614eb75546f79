// Pairs of issuers, judged by people (pipeline/ballot.h): "the bonds of Y, because they bid on the bonds of X: does that make sense?"

#include "pipeline/study.h"

#include "compute.h"
#include "notes.h"
#include "pipeline/market_pairs.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define TICKET_KIND "pair"

/// Words of a question's ticket.
enum { TICKET_X, TICKET_Y };

// --- what may be asked ---

/// popularity_out[issuers]: bids on their bonds.
static br_status count_bids(br_market *market, uint64_t *popularity_out)
{
    const br_bid *bids = NULL;
    uint32_t n_bids = 0;
    br_status status = br_market_bids(market, &bids, &n_bids); // put in order by this thread alone
    for (uint32_t i = 0; i < n_bids && status == BR_OK; i++) {
        if (br_market_bid_counts(market, &bids[i])) {
            popularity_out[br_market_bond(market, bids[i].bond)->issuer]++;
        }
    }
    return status;
}

/// What a result says of past bids. Issuers that the desk does not know yet come with the next lists.
static br_status pool_result(br_question_pool *pool, const br_market *market, const br_result *result,
                             const uint64_t *popularity)
{
    br_status status = BR_OK;
    const bool told = result->past != NULL && result->issuer != NULL;
    uint32_t y = told ? br_market_find_issuer(market, result->issuer) : BR_INDEX_NONE;
    for (uint32_t i = 0; i < result->n_explanations && y != BR_INDEX_NONE && status == BR_OK; i++) {
        br_pool_past past[BR_MAX_PAST_BIDS];
        uint32_t n = 0;
        for (uint32_t k = 0; k < result->past[i].n && n < BR_MAX_PAST_BIDS; k++) {
            const br_past_bid *bid = &result->past[i].bids[k];
            uint32_t issuer = br_market_find_issuer(market, bid->issuer);
            if (issuer != BR_INDEX_NONE) {
                past[n++] = (br_pool_past){issuer, bid->n_bids, bid->last, (double)bid->weight};
            }
        }
        status = br_question_pool_add(pool, y, past, n, popularity);
    }
    return status;
}

/// Each list in an arena of its own: fifty long ones would not fit into one.
static br_status pool_list(desk *self, br_question_pool *pool, const char *bond_id, const uint64_t *popularity,
                           uint32_t n_issuers)
{
    BR_AUTO(br_arena) *arena = NULL;
    stored_list stored;
    br_status status = br_arena_new(&arena, COMPUTE_ARENA_BYTES);
    if (status == BR_OK) {
        status = stored_list_read(self, arena, bond_id, &stored);
    }
    if (status != BR_OK || stored.outcome.state != BR_JOB_DONE) {
        return status;
    }
    pthread_rwlock_rdlock(&self->lock);
    const br_market *market = br_follower_market(self->follower);
    if (market != NULL && br_market_n_issuers(market) == n_issuers) { // else the next question makes the pool anew
        status = pool_result(pool, market, &stored.outcome.result, popularity);
    }
    pthread_rwlock_unlock(&self->lock);
    return status;
}

/// The pairs of the newest lists, made anew when these, or the issuers, are others.
static br_status refresh_pool(desk *self, br_arena *arena)
{
    desk_compute *c = self->compute;
    newest_lists newest;
    BR_AUTO(br_question_pool) *pool = NULL;
    br_status status = newest_name(self, arena, &newest);
    pthread_rwlock_rdlock(&self->lock);
    br_market *market = br_follower_market(self->follower);
    const uint32_t n_issuers = market == NULL ? 0 : br_market_n_issuers(market);
    const bool known = c->pool != NULL && c->pool_issuers == n_issuers && br_hash_equal(&c->pool_of, &newest.identity);
    uint64_t *popularity = NULL;
    if (status == BR_OK && !known) {
        popularity = br_arena_calloc(arena, n_issuers + 1, sizeof *popularity);
        status = popularity == NULL ? br_no_memory("issuers", n_issuers)
                 : market == NULL   ? BR_OK
                                    : count_bids(market, popularity);
    }
    pthread_rwlock_unlock(&self->lock);
    if (status != BR_OK || known) {
        return status;
    }
    status = br_question_pool_new(&pool);
    for (uint32_t i = 0; i < newest.n && status == BR_OK; i++) {
        status = pool_list(self, pool, newest.bonds[i], popularity, n_issuers);
    }
    if (status == BR_OK) {
        br_question_pool_free(&c->pool);
        c->pool = pool;
        c->pool_of = newest.identity;
        c->pool_issuers = n_issuers;
        pool = NULL;
    }
    return status;
}

// --- the next question ---

typedef struct choosing {
    const errand *errand;
    const br_item_based_config *config;
    const br_market *market;
    const br_votes *votes;
    answered done;
    br_askable best;
    uint32_t x; ///< issuers of the best one
    uint32_t y;
    bool found;
} choosing;

static void consider(choosing *c, uint32_t x, uint32_t y, double disagreement)
{
    const char *names[2] = {br_market_issuer_id(c->market, x), br_market_issuer_id(c->market, y)};
    const desk_note_text about = {.subject = names[0], .issuer = names[1]};
    uint32_t pair = br_votes_find(c->votes, names[0], names[1]);
    const uint32_t n_votes = pair == BR_INDEX_NONE ? 0 : br_votes_pair(c->votes, pair).n_votes;
    if (n_votes == BR_VOTES_PER_PAIR || answered_has(&c->done, &about)) {
        return;
    }
    const answered_thing *back = &c->done.back;
    const br_askable this = {
        .back = back->record > c->done.last.record && strcmp(back->subject, names[0]) == 0 &&
                strcmp(back->issuer, names[1]) == 0,
        .n_votes = n_votes,
        .disagreement = c->config->sampling == BR_SAMPLING_DISAGREEMENT ? disagreement : (double)NAN,
        .order = br_study_draw_of(c->config->seed, "", names[0], names[1]).order,
    };
    if (!c->found || br_asked_before(&this, &c->best)) {
        c->best = this;
        c->x = x;
        c->y = y;
        c->found = true;
    }
}

/// The pairs of the newest lists, and those that were begun and stand in none of them any more. The second time a pair is looked at it is the same.
static void choose(choosing *c, br_question_pool *pool)
{
    uint32_t n = 0;
    const br_item_pair *pairs = br_question_pool_pairs(pool, &n);
    for (uint32_t i = 0; i < n; i++) {
        consider(c, pairs[i].x, pairs[i].y, pairs[i].disagreement);
    }
    for (uint32_t i = 0; i < br_votes_n_pairs(c->votes); i++) {
        const br_pair pair = br_votes_pair(c->votes, i);
        uint32_t x = br_market_find_issuer(c->market, pair.x);
        uint32_t y = br_market_find_issuer(c->market, pair.y);
        if (pair.n_votes > 0 && x != BR_INDEX_NONE && y != BR_INDEX_NONE) {
            consider(c, x, y, (double)NAN);
        }
    }
}

/// How many investors bid on bonds of the issuer, each once.
static br_status count_investors(br_market *market, br_arena *arena, uint32_t issuer, uint32_t *n_out)
{
    const br_bid *bids = NULL;
    uint32_t n_bids = 0;
    br_status status = br_market_bids(market, &bids, &n_bids);
    uint8_t *seen = br_arena_calloc(arena, br_market_n_investors(market) + 1, 1);
    if (status != BR_OK || seen == NULL) {
        return status != BR_OK ? status : br_no_memory("investors", br_market_n_investors(market));
    }
    *n_out = 0;
    for (uint32_t i = 0; i < n_bids; i++) {
        if (seen[bids[i].investor] == 0 && br_market_bond(market, bids[i].bond)->issuer == issuer &&
            br_market_bid_counts(market, &bids[i])) {
            seen[bids[i].investor] = 1;
            *n_out += 1;
        }
    }
    return BR_OK;
}

/// What the issuer's bond says of it.
static void category_json(br_buf *out, const br_market *market, uint32_t bond, br_language language)
{
    uint32_t feature = BR_INDEX_NONE;
    br_status status = br_market_category_feature(&feature, br_market_schema(market), NULL);
    uint32_t value = status != BR_OK || feature == BR_INDEX_NONE || bond == BR_INDEX_NONE
                         ? BR_INDEX_NONE
                         : br_market_bond_value(market, bond, feature).value;
    if (value == BR_INDEX_NONE) {
        br_buf_string(out, "null");
    } else {
        feature_json(out, market, bond, feature, language);
    }
}

/// An issuer as people see it.
static br_status side_json(br_buf *out, const errand *e, br_arena *arena, br_market *market, const char *side,
                           uint32_t issuer)
{
    uint32_t n_investors = 0;
    uint32_t n_bonds = 0;
    uint32_t latest = BR_INDEX_NONE;
    br_status status = count_investors(market, arena, issuer, &n_investors);
    for (uint32_t i = 0; i < e->desk->n_bonds; i++) {
        if (br_market_bond(market, e->desk->bonds[i])->issuer == issuer) {
            n_bonds++;
            latest = e->desk->bonds[i];
        }
    }
    br_buf_printf(out, ", \"%s\": {", side);
    json_member(out, "issuer", br_market_issuer_id(market, issuer));
    br_buf_printf(out, ", \"bonds\": %u, \"investors\": %u, \"category\": ", n_bonds, n_investors);
    category_json(out, market, latest, e->language);
    br_buf_string(out, ", \"latest\": ");
    if (latest == BR_INDEX_NONE) {
        br_buf_string(out, "null}");
        return status;
    }
    char day[BR_DAY_TEXT];
    br_buf_char(out, '{');
    json_member(out, "id", br_market_bond_id(market, latest));
    br_buf_string(out, ", ");
    json_member(out, "issue_date", br_day_text(br_market_bond(market, latest)->issue_day, day));
    br_buf_string(out, ", \"features\": [");
    for (uint32_t i = 0; i < br_market_schema(market)->n_bond_features; i++) {
        br_buf_string(out, i == 0 ? "" : ", ");
        feature_json(out, market, latest, i, e->language);
    }
    br_buf_string(out, "]}}");
    return status;
}

static br_status ask(choosing *c, br_arena *arena, br_market *market, br_http_answer *answer)
{
    const errand *e = c->errand;
    BR_AUTO_DEINIT(br_buf) sealed = {0};
    ticket sealing = {0};
    snprintf(sealing.words[TICKET_X], sizeof sealing.words[0], "%s", br_market_issuer_id(market, c->x));
    snprintf(sealing.words[TICKET_Y], sizeof sealing.words[0], "%s", br_market_issuer_id(market, c->y));
    ticket_write(&sealed, &sealing, &e->desk->secret, e->user, TICKET_KIND);
    br_buf *out = &answer->body;
    br_buf_printf(out, "{\"n\": %u", br_index_count(c->done.things) + 1);
    br_status status = side_json(out, e, arena, market, "x", c->x);
    if (status == BR_OK) {
        status = side_json(out, e, arena, market, "y", c->y);
    }
    br_buf_string(out, ", ");
    json_member(out, "ticket", br_buf_text(&sealed));
    br_buf_string(out, "}\n");
    out->failed = out->failed || sealed.failed;
    return status;
}

static void work_question(const errand *e, br_arena *arena, br_http_answer *answer)
{
    desk *self = e->desk;
    choosing c = {.errand = e, .config = &br_service_config(self->service)->item_based, .done = {.user = e->user}};
    br_status status = answered_read(self, BR_TOPIC_PAIR, &c.done);
    if (status == BR_OK) {
        status = refresh_pool(self, arena);
    }
    pthread_rwlock_rdlock(&self->lock);
    br_market *market = br_follower_market(self->follower);
    if (status == BR_OK && market != NULL) {
        c.market = market;
        c.votes = br_ballot_votes(self->ballot);
        choose(&c, self->compute->pool);
        status = c.found ? ask(&c, arena, market, answer) : BR_OK;
    }
    pthread_rwlock_unlock(&self->lock);
    if (status != BR_OK) {
        br_buf_clear(&answer->body);
        compute_failed(answer, status);
    } else if (c.found) {
        answer_finish(answer);
    } else {
        answer->code = 204;
    }
    answered_deinit(&c.done);
}

void handle_pair_question(void *context, const br_http_request *request, br_http_answer *answer)
{
    errand e = {.desk = context, .language = request_language(request), .work = work_question};
    snprintf(e.user, sizeof e.user, "%s", request->user);
    errand_leave(&e, answer);
}

// --- votes ---

static const char *read_vote(const br_json_object *body, br_http_answer *answer)
{
    static const char *const votes[] = {"yes", "no", "skip"};
    br_json_value vote = br_json_member(body, "vote");
    for (size_t i = 0; i < sizeof votes / sizeof votes[0] && vote.kind == BR_JSON_TEXT; i++) {
        if (strcmp(vote.text, votes[i]) == 0) {
            return votes[i];
        }
    }
    br_http_problem(answer, 422, "Value out of range", "vote must be yes, no or skip");
    return NULL;
}

void handle_pair_vote(void *context, const br_http_request *request, br_http_answer *answer)
{
    desk *self = context;
    BR_AUTO(br_json_object) *body = NULL;
    ticket t;
    const char *vote = NULL;
    if (!answer_body(&body, request, answer) || !answer_ticket(&t, self, body, TICKET_KIND, request, answer) ||
        (vote = read_vote(body, answer)) == NULL) {
        return;
    }
    const desk_note_text note = {.user = request->user,
                                 .key = request->header(request, "Idempotency-Key"),
                                 .topic = BR_TOPIC_PAIR,
                                 .subject = t.words[TICKET_X],
                                 .issuer = t.words[TICKET_Y],
                                 .value = vote};
    desk_noted noted;
    br_status status = desk_note(self, &note, &noted);
    if (status == BR_OK) {
        desk_note_answer(answer, &noted, request->user);
    } else if (status ==
               BR_ERR_INVALID) { // the pair was good when it was asked: others, or he himself, have voted meanwhile
        br_http_problem(answer, 409, "Conflict", br_why(status));
    } else {
        desk_note_problem(answer, status);
    }
}

void handle_pair_undo(void *context, const br_http_request *request, br_http_answer *answer)
{
    answer_undo(context, BR_TOPIC_PAIR, NULL, request, answer);
}

// --- all votes ---

void handle_pairs(void *context, const br_http_request *request, br_http_answer *answer)
{
    desk *self = context;
    const br_language language = request_language(request);
    pthread_rwlock_rdlock(&self->lock);
    const br_votes *votes = br_ballot_votes(self->ballot);
    const br_agreement agreement = br_votes_agreement(votes);
    uint32_t n_begun = 0;
    for (uint32_t i = 0; i < br_votes_n_pairs(votes); i++) {
        n_begun += br_votes_pair(votes, i).n_votes > 0 ? 1 : 0;
    }
    pthread_rwlock_unlock(&self->lock);
    br_buf *out = &answer->body;
    br_buf_printf(out, "{\"pairs\": %u, \"complete\": %u, \"votes\": %u, \"raters\": %u, \"valid\": {", n_begun,
                  agreement.n_pairs, agreement.n_votes, agreement.n_raters);
    uint32_t n_valid = 0;
    for (uint32_t threshold = BR_VOTES_PER_PAIR; threshold >= 3; threshold--) {
        n_valid += agreement.n_valid[threshold];
        br_buf_printf(out, "\"%u\": %u%s", threshold, n_valid, threshold == 3 ? "}" : ", ");
    }
    br_buf_printf(out, ", \"threshold\": %u", br_service_config(self->service)->item_based.threshold);
    json_next_number(out, "share_valid", agreement.share_valid);
    json_next_number(out, "observed", agreement.observed);
    json_next_number(out, "fleiss_kappa", agreement.fleiss_kappa);
    json_next_number(out, "krippendorff_alpha", agreement.krippendorff_alpha);
    br_buf_string(out, ", \"words\": [");
    br_ballot_words(out, &agreement, language);
    br_buf_string(out, "]}\n");
    answer_finish(answer);
}

/// How a pair stands while it is open is nobody's to know: he may still have to vote on it.
static void row_json(br_buf *out, const br_votes *votes, const br_pair *pair, uint32_t threshold)
{
    static const char *const names[] = {
        [BR_VALIDITY_OPEN] = "open", [BR_VALIDITY_NO] = "no", [BR_VALIDITY_YES] = "yes"};
    br_buf_string(out, "\n {");
    json_member(out, "x", pair->x);
    br_buf_string(out, ", ");
    json_member(out, "y", pair->y);
    br_buf_printf(out, ", \"votes\": %u, \"yes\": ", pair->n_votes);
    if (pair->n_votes == BR_VOTES_PER_PAIR) {
        br_buf_printf(out, "%u, ", pair->n_valid);
    } else {
        br_buf_string(out, "null, ");
    }
    json_member(out, "valid", names[br_votes_validity(votes, pair->x, pair->y, threshold)]);
    br_buf_char(out, '}');
}

void handle_pairs_table(void *context, const br_http_request *request, br_http_answer *answer)
{
    desk *self = context;
    uint32_t limit = 100;
    uint32_t offset = 0;
    uint32_t threshold = br_service_config(self->service)->item_based.threshold;
    if (!request_whole(request, answer, "limit", DESK_MAX_PAGE, &limit) ||
        !request_whole(request, answer, "offset", 100000000, &offset) ||
        !request_whole(request, answer, "threshold", BR_VOTES_PER_PAIR, &threshold)) {
        return;
    }
    if (threshold == 0) {
        br_http_problem(answer, 400, "Wrong parameter", "threshold must be a whole number from 1 to 5");
        return;
    }
    BR_AUTO_DEINIT(br_buf) rows = {0};
    uint32_t total = 0;
    pthread_rwlock_rdlock(&self->lock);
    const br_votes *votes = br_ballot_votes(self->ballot);
    for (uint32_t i = 0; i < br_votes_n_pairs(votes); i++) {
        const br_pair pair = br_votes_pair(votes, i);
        if (pair.n_votes > 0) {
            if (total >= offset && total - offset < limit) {
                br_buf_string(&rows, total == offset ? "" : ",");
                row_json(&rows, votes, &pair, threshold);
            }
            total++;
        }
    }
    pthread_rwlock_unlock(&self->lock);
    br_buf_printf(&answer->body, "{\"total\": %u, \"limit\": %u, \"offset\": %u, \"threshold\": %u, \"pairs\": [",
                  total, limit, offset, threshold);
    br_buf_append(&answer->body, rows.data, rows.length);
    br_buf_string(&answer->body, "]}\n");
    answer->body.failed = answer->body.failed || rows.failed;
    answer_finish(answer);
}
