// One user's past items as reasons for a recommended one, or his recommendations with the best of them.

#include "base/alloc.h"
#include "options.h"
#include "pairs.h"

#include <math.h>
#include <string.h>

enum { DEFAULT_RECOMMENDATIONS = 10, REASONS = 3, MAX_ROWS = 1000, FIXED_COLUMNS = 5 };

static br_ranker chosen_ranker(const arguments *args)
{
    br_ranker ranker = BR_RANKER_IALS;
    if (args->method != NULL) {
        bool known = br_ranker_by_name(&ranker, args->method, strlen(args->method));
        br_assert(known);
    }
    return ranker;
}

/// --threshold, else the configuration's, by which the desk goes.
static uint32_t chosen_threshold(const pairs_job *job)
{
    const char *given = job->args->threshold;
    return given != NULL ? (uint32_t)(given[0] - '0') : job->config.item_based.threshold;
}

br_status pairs_rank_check(const arguments *args)
{
    br_ranker ranker;
    if (args->method != NULL && !br_ranker_by_name(&ranker, args->method, strlen(args->method))) {
        return br_fail(BR_ERR_INVALID, "there is no approach %.40s; `bookrunner pairs --help` names them",
                       args->method);
    }
    if (args->threshold != NULL && (strlen(args->threshold) != 1 || strchr("345", args->threshold[0]) == NULL)) {
        return br_fail(BR_ERR_INVALID, "--threshold %.40s: 3, 4 or 5", args->threshold);
    }
    if (args->simulate_votes) {
        return br_fail(BR_ERR_INVALID, "--simulate-votes is for evaluate alone");
    }
    return args->has_rows && (args->n_rows == 0 || args->n_rows > MAX_ROWS)
               ? br_fail(BR_ERR_INVALID, "--n is from 1 to %d", MAX_ROWS)
               : BR_OK;
}

// --- why this item ---

/// Scores of a user's n items by every approach, and the order that each gives.
typedef struct ranking {
    uint32_t n;
    const uint32_t *items;
    double *scores;  ///< [BR_RANKER_COUNT, n]; NAN where the approach is not there
    uint32_t *ranks; ///< [BR_RANKER_COUNT, n] from 1
    uint32_t *order; ///< [n] by the approach that was chosen
    uint32_t *scrap; ///< [n]
} ranking;

static void ranking_deinit(ranking *r)
{
    br_free(r->scores);
    br_free(r->ranks);
    br_free(r->order);
    br_free(r->scrap);
}

/// The user at hand is the rankers'.
static br_status ranking_of(ranking *r, pairs_job *job, uint32_t y)
{
    br_rankers *rankers = job->models.rankers;
    r->items = br_rankers_items(rankers, &r->n);
    r->scores = br_calloc((size_t)BR_RANKER_COUNT * r->n, sizeof *r->scores);
    r->ranks = br_calloc((size_t)BR_RANKER_COUNT * r->n, sizeof *r->ranks);
    r->order = br_calloc(r->n, sizeof *r->order);
    r->scrap = br_calloc(r->n, sizeof *r->scrap);
    if (r->scores == NULL || r->ranks == NULL || r->order == NULL || r->scrap == NULL) {
        return br_no_memory("past items", r->n);
    }
    for (int k = 0; k < BR_RANKER_COUNT; k++) {
        double *scores = r->scores + (size_t)k * r->n;
        if (!br_rankers_have(rankers, (br_ranker)k)) {
            for (uint32_t i = 0; i < r->n; i++) {
                scores[i] = (double)NAN;
            }
            continue;
        }
        uint32_t *order = (br_ranker)k == chosen_ranker(job->args) ? r->order : r->scrap;
        br_rankers_score(rankers, (br_ranker)k, y, scores);
        br_rankers_order(rankers, y, scores, order);
        uint32_t rank = 0;
        for (uint32_t i = 0; i < r->n; i++) { // an item that he has already is no reason for itself
            rank += r->items[order[i]] != y;
            r->ranks[(size_t)k * r->n + order[i]] = rank;
        }
    }
    return BR_OK;
}

/// What heads the ranks in a table for people, which has to fit a screen; scores are in the formats for programs.
static const char *const short_names[BR_RANKER_COUNT] = {
    [BR_RANKER_RANDOM] = "random",
    [BR_RANKER_CHRONO] = "chrono",
    [BR_RANKER_MOST_POP] = "pop",
    [BR_RANKER_PERSON_TOP] = "person",
    [BR_RANKER_SIM_CAT_MOST_POP] = "c+pop",
    [BR_RANKER_IALS] = "ials",
    [BR_RANKER_SIM_CAT_IALS] = "c+ials",
    [BR_RANKER_RULE_CONFIDENCE] = "conf",
    [BR_RANKER_RULE_SUPPORT] = "supp",
    [BR_RANKER_RULE_LEVERAGE] = "lev",
    [BR_RANKER_EASE] = "ease",
};

static void add_ranks(table *t, const ranking *r, uint32_t i, bool for_people)
{
    for (size_t k = 0; k < BR_RANKER_COUNT; k++) {
        double score = r->scores[k * r->n + i];
        if (isnan(score)) {
            table_text(t, NULL);
        } else {
            table_whole(t, r->ranks[k * r->n + i]);
        }
        if (!for_people) {
            table_number(t, score, 6);
        }
    }
}

static void add_item(table *t, const pairs_job *job, const ranking *r, uint32_t i, size_t begin, uint32_t y)
{
    char time[BR_MOMENT_TEXT];
    char votes[PAIR_VOTES_TEXT];
    uint32_t x = r->items[i];
    bool for_people = job->args->format == FORMAT_TABLE;
    br_moment_text(job->models.history->times[begin + i], time);
    if (for_people) {
        time[strcspn(time, "T")] = '\0'; // the day is enough
    }
    table_text(t, br_transactions_item(job->data.table, x));
    table_text(t, pairs_title(job, x));
    table_text(t, pairs_category(job, x));
    table_text(t, time);
    table_text(t, pairs_votes_text(&job->votes, &job->data, x, y, votes));
    add_ranks(t, r, i, for_people);
}

static br_status rank_items(pairs_job *job, uint32_t user, uint32_t y, exit_code *code_out)
{
    static const char *columns[FIXED_COLUMNS + 2 * BR_RANKER_COUNT] = {"item", "title", "category", "time", "votes"};
    static char names[2 * BR_RANKER_COUNT][40];
    bool for_people = job->args->format == FORMAT_TABLE;
    size_t n_columns = FIXED_COLUMNS;
    for (int k = 0; k < BR_RANKER_COUNT; k++) {
        snprintf(names[2 * k], sizeof names[0], "%s%s", for_people ? short_names[k] : br_ranker_name((br_ranker)k),
                 for_people ? "" : "_rank");
        snprintf(names[2 * k + 1], sizeof names[0], "%s_score", br_ranker_name((br_ranker)k));
        columns[n_columns++] = names[2 * k];
        if (!for_people) {
            columns[n_columns++] = names[2 * k + 1];
        }
    }
    BR_AUTO_DEINIT(ranking) r = {.n = 0};
    BR_AUTO_DEINIT(table) t = {.columns = columns, .n_columns = n_columns};
    br_status status = ranking_of(&r, job, y);
    if (status != BR_OK) {
        return status;
    }
    uint32_t most = job->args->has_rows ? option_u32(job->args->n_rows) : r.n;
    if (for_people) {
        printf("Reasons to recommend %s to %s, by %s first; ranks by each approach (c: category first)\n",
               pairs_title(job, y), br_transactions_user(job->data.table, user),
               br_ranker_title(chosen_ranker(job->args)));
    }
    for (uint32_t i = 0; i < r.n && table_n_rows(&t) < most; i++) {
        if (r.items[r.order[i]] != y) {
            add_item(&t, job, &r, r.order[i], job->models.history->begin[user], y);
        }
    }
    *code_out = table_print(&t, job->args->format, stdout);
    if (table_n_rows(&t) == 0) {
        fprintf(stderr, "%s has no past item other than %s\n", br_transactions_user(job->data.table, user),
                br_transactions_item(job->data.table, y));
    }
    return BR_OK;
}

// --- what is recommended, and why ---

/// Can a score of this approach speak against an item? Those of the others only order.
static bool has_sign(br_ranker ranker)
{
    return ranker == BR_RANKER_IALS || ranker == BR_RANKER_EASE || ranker == BR_RANKER_RULE_LEVERAGE;
}

/// Up to REASONS past items that speak for y, and no votes against the pair. Choice: where people have said "no" (fewer than the threshold of
/// five), the pair is not shown; where they were not asked, it is.
static uint32_t best_reasons(pairs_job *job, uint32_t y, const double *scores, const uint32_t *order, uint32_t n,
                             uint32_t reasons_out[REASONS])
{
    uint32_t n_items = 0;
    const uint32_t *items = br_rankers_items(job->models.rankers, &n_items);
    uint32_t found = 0;
    job->votes.threshold = chosen_threshold(job);
    for (uint32_t i = 0; i < n && found < REASONS; i++) {
        uint32_t x = items[order[i]];
        bool speaks = scores[order[i]] > 0.0 || !has_sign(chosen_ranker(job->args));
        if (speaks && x != y && pairs_votes_judge(&job->votes, x, y) != 0) {
            reasons_out[found++] = x;
        }
    }
    return found;
}

static void add_recommendation(table *t, const pairs_job *job, uint32_t place, uint32_t y, const uint32_t *reasons,
                               uint32_t n_reasons)
{
    table_whole(t, place + 1);
    table_text(t, br_transactions_item(job->data.table, y));
    table_text(t, pairs_title(job, y));
    table_text(t, pairs_category(job, y));
    for (uint32_t k = 0; k < REASONS; k++) {
        bool is_there = k < n_reasons;
        if (job->args->format != FORMAT_TABLE) {
            table_text(t, is_there ? br_transactions_item(job->data.table, reasons[k]) : NULL);
        }
        table_text(t, is_there ? pairs_title(job, reasons[k]) : NULL);
    }
}

static br_status recommend(pairs_job *job, exit_code *code_out)
{
    br_rankers *rankers = job->models.rankers;
    uint32_t n_past = 0;
    br_rankers_items(rankers, &n_past);
    uint32_t recommended[MAX_ROWS];
    uint32_t wanted = job->args->has_rows ? option_u32(job->args->n_rows) : DEFAULT_RECOMMENDATIONS;
    uint32_t n = br_rankers_recommend(rankers, wanted, recommended);
    double *scores = br_calloc(n_past, sizeof *scores);
    uint32_t *order = br_calloc(n_past, sizeof *order);
    bool have = scores != NULL && order != NULL;
    static const char *const for_people[] = {"rank",      "item",      "title",    "category",
                                             "because_1", "because_2", "because_3"};
    static const char *const all[] = {"rank",      "item",
                                      "title",     "category",
                                      "because_1", "because_1_title",
                                      "because_2", "because_2_title",
                                      "because_3", "because_3_title"};
    bool shown = job->args->format == FORMAT_TABLE;
    BR_AUTO_DEINIT(table)
    t = {.columns = shown ? for_people : all,
         .n_columns = shown ? sizeof for_people / sizeof *for_people : sizeof all / sizeof *all};
    for (uint32_t i = 0; i < n && have; i++) {
        uint32_t reasons[REASONS];
        br_rankers_score(rankers, chosen_ranker(job->args), recommended[i], scores);
        br_rankers_order(rankers, recommended[i], scores, order);
        uint32_t n_reasons = best_reasons(job, recommended[i], scores, order, n_past, reasons);
        add_recommendation(&t, job, i, recommended[i], reasons, n_reasons);
    }
    br_free(scores);
    br_free(order);
    if (!have) {
        return br_no_memory("past items", n_past);
    }
    *code_out = table_print(&t, job->args->format, stdout);
    return BR_OK;
}

br_status pairs_rank(pairs_job *job, exit_code *code_out)
{
    const arguments *args = job->args;
    uint32_t user = br_transactions_find_user(job->data.table, args->words[1]);
    uint32_t y = args->n_words < 3 ? BR_INDEX_NONE : br_transactions_find_item(job->data.table, args->words[2]);
    if (user == BR_INDEX_NONE) {
        return br_fail(BR_ERR_NOT_FOUND, "there is no user \"%.80s\" in %.200s", args->words[1], job->data.place);
    }
    if (args->n_words == 3 && y == BR_INDEX_NONE) {
        return br_fail(BR_ERR_NOT_FOUND, "there is no item \"%.80s\" in %.200s", args->words[2], job->data.place);
    }
    if (!br_rankers_have(job->models.rankers, chosen_ranker(args))) {
        return br_fail(BR_ERR_LIMIT, "%s needs a table of pairs, and there are too many items; --top-items N helps",
                       br_ranker_name(chosen_ranker(args)));
    }
    br_rankers_user(job->models.rankers, user);
    return y == BR_INDEX_NONE ? recommend(job, code_out) : rank_items(job, user, y, code_out);
}
