#include "itembased/pair_quality.h"

#include "base/alloc.h"
#include "itembased/lists.h"

#include <math.h>

// What a list is measured by, for each approach and cut.
enum { RECALL, NDCG, MAP, OVER_RANDOM, FIGURES };

enum { MAX_RESAMPLES = 100000 };

typedef struct tally {
    br_rankers *rankers;
    br_pair_judge judge;
    const void *context;
    const br_pair_quality_options *options;
    br_ranker present[BR_RANKER_COUNT]; // Random first
    uint32_t n_present;
    // the list at hand, all [items of the user who has most]
    int8_t *judged;  // of each item: 1, 0, -1
    double *scores;  // of each item
    uint32_t *order; // positions of items
    uint8_t *labels; // of the candidates in that order
    // users with a list that counts
    double *sums;     // [capacity, n_present, FIGURES, n_cuts] over the user's lists
    uint32_t *counts; // [capacity] lists
    uint32_t capacity;
    uint32_t last_user; // whose sums are the last
    br_pair_quality *out;
    uint64_t n_candidates;
    uint64_t n_valid;
} tally;

br_ranked_quality br_ranked_quality_of(const uint8_t *labels, uint32_t n, uint32_t cut)
{
    br_assert(cut > 0);
    uint32_t hits = 0;
    uint32_t n_valid = 0;
    double gain = 0.0;
    double best = 0.0;
    double precisions = 0.0;
    for (uint32_t k = 0; k < n; k++) {
        n_valid += labels[k] != 0;
        if (labels[k] != 0 && k < cut) {
            hits++;
            gain += 1.0 / log2(k + 2.0);
            precisions += hits / (k + 1.0);
        }
    }
    if (n_valid == 0) {
        return (br_ranked_quality){(double)NAN, (double)NAN, (double)NAN};
    }
    uint32_t reachable = n_valid < cut ? n_valid : cut;
    for (uint32_t k = 0; k < reachable; k++) {
        best += 1.0 / log2(k + 2.0);
    }
    return (br_ranked_quality){hits / (double)reachable, gain / best, precisions / reachable};
}

// --- one list ---

/// The user's candidates; how many of them are valid is *n_valid_out.
static uint32_t judge_items(tally *t, uint32_t y, uint32_t *n_valid_out)
{
    uint32_t n;
    const uint32_t *items = br_rankers_items(t->rankers, &n);
    uint32_t n_candidates = 0;
    *n_valid_out = 0;
    for (uint32_t i = 0; i < n; i++) {
        br_assert(items[i] != y); // what the user has is not recommended
        int said = t->judge(t->context, items[i], y);
        br_assert(said >= -1 && said <= 1);
        t->judged[i] = (int8_t)said;
        n_candidates += said >= 0;
        *n_valid_out += said == 1;
    }
    return n_candidates;
}

static void rank_labels(tally *t, br_ranker ranker, uint32_t y)
{
    uint32_t n;
    br_rankers_items(t->rankers, &n);
    br_rankers_score(t->rankers, ranker, y, t->scores);
    br_rankers_order(t->rankers, y, t->scores, t->order);
    uint32_t n_labels = 0;
    for (uint32_t i = 0; i < n; i++) {
        int8_t said = t->judged[t->order[i]];
        if (said >= 0) {
            t->labels[n_labels++] = (uint8_t)said;
        }
    }
}

static size_t n_figures(const tally *t)
{
    return (size_t)t->n_present * FIGURES * t->options->n_cuts;
}

/// The sums of this user, the last one's or new ones.
static br_status sums_of(tally *t, uint32_t user, double **sums_out)
{
    uint32_t n = t->out->n_users;
    size_t width = n_figures(t);
    if (n > 0 && t->last_user == user) {
        *sums_out = t->sums + (n - 1) * width;
        return BR_OK;
    }
    if (n == t->capacity) {
        uint32_t capacity = 2 * n + 16;
        double *sums = br_reallocarray(t->sums, capacity, width * sizeof *sums);
        t->sums = sums != NULL ? sums : t->sums;
        uint32_t *counts = br_reallocarray(t->counts, capacity, sizeof *counts);
        t->counts = counts != NULL ? counts : t->counts;
        if (sums == NULL || counts == NULL) {
            return br_no_memory("figures of users", capacity);
        }
        t->capacity = capacity;
    }
    *sums_out = t->sums + n * width;
    for (size_t i = 0; i < width; i++) {
        (*sums_out)[i] = 0.0;
    }
    t->counts[n] = 0;
    t->last_user = user;
    t->out->n_users++;
    return BR_OK;
}

static void add_figures(tally *t, uint32_t y, uint32_t n_candidates, double *sums)
{
    uint32_t n_cuts = t->options->n_cuts;
    double random[BR_MAX_CUTS];
    for (uint32_t r = 0; r < t->n_present; r++) {
        rank_labels(t, t->present[r], y);
        for (uint32_t c = 0; c < n_cuts; c++, sums++) {
            br_ranked_quality q = br_ranked_quality_of(t->labels, n_candidates, t->options->cuts[c]);
            random[c] = r == 0 ? q.recall : random[c];
            sums[RECALL * n_cuts] += q.recall;
            sums[NDCG * n_cuts] += q.ndcg;
            sums[MAP * n_cuts] += q.map;
            sums[OVER_RANDOM * n_cuts] += q.recall - random[c];
        }
        sums += (FIGURES - 1) * n_cuts;
    }
}

static br_status add_list(void *context, uint32_t user, uint32_t y)
{
    tally *t = context;
    uint32_t n_valid;
    uint32_t n_candidates = judge_items(t, y, &n_valid);
    if (n_candidates < t->options->min_candidates) {
        t->out->n_unjudged++;
        return BR_OK;
    }
    if (n_valid == 0) {
        t->out->n_without_valid++;
        return BR_OK;
    }
    double *sums = NULL;
    br_status status = sums_of(t, user, &sums);
    if (status != BR_OK) {
        return status;
    }
    add_figures(t, y, n_candidates, sums);
    t->counts[t->out->n_users - 1]++;
    t->out->n_lists++;
    t->n_candidates += n_candidates;
    t->n_valid += n_valid;
    return BR_OK;
}

// --- all of them ---

static br_status check(const br_pair_quality_options *options)
{
    if (options->n_top == 0) {
        return br_fail(BR_ERR_INVALID, "recommendations for a user: 0, at least 1");
    }
    if (options->n_cuts == 0 || options->n_cuts > BR_MAX_CUTS) {
        return br_fail(BR_ERR_INVALID, "%u values of K, from 1 to %d", options->n_cuts, BR_MAX_CUTS);
    }
    for (uint32_t c = 0; c < options->n_cuts; c++) {
        if (options->cuts[c] == 0) {
            return br_fail(BR_ERR_INVALID, "K is 0, at least 1");
        }
    }
    if (options->min_candidates == 0) {
        return br_fail(BR_ERR_INVALID, "candidates of a list: 0, at least 1");
    }
    if (options->n_resamples == 0 || options->n_resamples > MAX_RESAMPLES) {
        return br_fail(BR_ERR_INVALID, "%u resamples, from 1 to %d", options->n_resamples, MAX_RESAMPLES);
    }
    return BR_OK;
}

static br_status prepare(tally *t)
{
    for (int r = 0; r < BR_RANKER_COUNT; r++) {
        if (br_rankers_have(t->rankers, (br_ranker)r)) {
            t->present[t->n_present++] = (br_ranker)r;
        }
    }
    br_assert(t->present[0] == BR_RANKER_RANDOM);
    size_t n = (size_t)br_history_longest(br_rankers_history(t->rankers)) + 1; // never 0
    t->judged = br_calloc(n, sizeof *t->judged);
    t->scores = br_calloc(n, sizeof *t->scores);
    t->order = br_calloc(n, sizeof *t->order);
    t->labels = br_calloc(n, sizeof *t->labels);
    bool complete = t->judged != NULL && t->scores != NULL && t->order != NULL && t->labels != NULL;
    return complete ? BR_OK : br_no_memory("candidates of a list", n);
}

static void fill(tally *t, const br_mean_interval *means)
{
    static const br_mean_interval none = {.mean = (double)NAN, .low = (double)NAN, .high = (double)NAN};
    for (int r = 0; r < BR_RANKER_COUNT; r++) {
        bool present = br_rankers_have(t->rankers, (br_ranker)r);
        br_pair_figures *figures = &t->out->of[r];
        br_mean_interval *const of[FIGURES] = {figures->recall, figures->ndcg, figures->map, figures->over_random};
        for (int f = 0; f < FIGURES; f++) {
            for (uint32_t c = 0; c < BR_MAX_CUTS; c++) {
                of[f][c] = present && c < t->options->n_cuts ? *means++ : none;
            }
        }
    }
}

static br_status summarise(tally *t)
{
    size_t n = n_figures(t);
    br_mean_interval *means = br_calloc(n, sizeof *means);
    if (means == NULL) {
        return br_no_memory("figures", n);
    }
    br_status status = br_means_by_group(means, t->sums, t->counts, t->out->n_users, (uint32_t)n,
                                         t->options->n_resamples, t->options->seed);
    if (status == BR_OK) {
        fill(t, means);
        t->out->candidates_mean = (double)t->n_candidates / t->out->n_lists;
        t->out->valid_mean = (double)t->n_valid / t->out->n_lists;
    }
    br_free(means);
    return status;
}

br_status br_pair_quality_of(br_pair_quality *out, br_rankers *rankers, br_pair_judge judge, const void *context,
                             const br_pair_quality_options *options)
{
    br_status status = check(options);
    if (status != BR_OK) {
        return status;
    }
    *out = (br_pair_quality){0};
    tally t = {.rankers = rankers, .judge = judge, .context = context, .options = options, .out = out};
    status = prepare(&t);
    if (status == BR_OK) {
        status = br_lists_visit(rankers, options->n_top, add_list, &t);
    }
    if (status == BR_OK) {
        status = summarise(&t);
    }
    br_free(t.judged);
    br_free(t.scores);
    br_free(t.order);
    br_free(t.labels);
    br_free(t.sums);
    br_free(t.counts);
    return status;
}
