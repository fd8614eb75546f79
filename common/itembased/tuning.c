#include "itembased/tuning.h"

#include "base/alloc.h"
#include "base/workers.h"
#include "itembased/top_items.h"
#include "linalg/fixed.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 16, MAX_CUT = 1000 }; // users of one item of work

// --- options ---

br_tuning_options br_tuning_options_default(void)
{
    return (br_tuning_options){
        .n_factors = {{16.0, 32.0}, 2},
        .regularization = {{3.0, 10.0, 30.0}, 3},
        .confidence = {{1.0, 3.0, 10.0}, 3},
        .ease = {{30.0, 100.0, 300.0, 1000.0}, 4},
        .ials = br_ials_options_default(),
        .cut = 10,
    };
}

static uint32_t n_ials_points(const br_tuning_options *options)
{
    return options->n_factors.n * options->regularization.n * options->confidence.n;
}

static br_ials_options options_at(const br_tuning_options *options, uint32_t point)
{
    br_ials_options at = options->ials;
    uint32_t n_confidences = options->confidence.n;
    uint32_t n_regularizations = options->regularization.n;
    at.confidence = options->confidence.values[point % n_confidences];
    at.regularization = options->regularization.values[point / n_confidences % n_regularizations];
    at.n_factors = (uint32_t)options->n_factors.values[point / n_confidences / n_regularizations];
    return at;
}

static br_status check_grid(const br_tuning_options *options)
{
    const br_grid_values *grids[] = {&options->n_factors, &options->regularization, &options->confidence,
                                     &options->ease};
    for (size_t i = 0; i < sizeof grids / sizeof *grids; i++) {
        if (grids[i]->n > BR_MAX_GRID_VALUES) {
            return br_fail(BR_ERR_INVALID, "tuning: %u values of an option, at most %d", grids[i]->n,
                           BR_MAX_GRID_VALUES);
        }
    }
    for (uint32_t i = 0; i < options->n_factors.n; i++) {
        double value = options->n_factors.values[i];
        if (!(value >= 1.0 && value <= BR_IALS_MAX_FACTORS)) {
            return br_fail(BR_ERR_INVALID, "tuning: n_factors %g is not from 1 to %d", value, BR_IALS_MAX_FACTORS);
        }
    }
    for (uint32_t i = 0; i < options->ease.n; i++) {
        double value = options->ease.values[i];
        if (!(value > 0.0 && isfinite(value))) {
            return br_fail(BR_ERR_INVALID, "tuning: the regularization of EASE %g is not above 0", value);
        }
    }
    return BR_OK;
}

static br_status check_options(const br_tuning_options *options)
{
    if (options->cut == 0 || options->cut > MAX_CUT) {
        return br_fail(BR_ERR_INVALID, "tuning: %u recommendations are not from 1 to %d", options->cut, MAX_CUT);
    }
    br_status status = check_grid(options);
    for (uint32_t i = 0; i < n_ials_points(options) && status == BR_OK; i++) {
        br_ials_options at = options_at(options, i);
        status = br_ials_options_check(&at);
    }
    return status == BR_OK ? br_ials_options_check(&options->ials) : status;
}

// --- judging one model ---

/// What an item is to the user at hand.
enum { UNKNOWN, OWN, NEW };

/// A thread's own memory.
typedef struct desk {
    br_ials_user *user; // of the model at hand, where it is iALS
    uint8_t *what;      // [n_items]
    double *scores;     // [n_items]
    uint32_t *top;      // [cut]
} desk;

typedef struct tuner {
    const br_history *train;
    const br_history *valid;
    const br_tuning_options *options;
    br_workers *workers;
    desk *desks;     // [n_threads]
    uint32_t *users; // [n_users] that can be judged by
    double *recalls; // [n_users]
    double *ndcgs;   // [n_users]
    uint32_t n_users;
    const br_ease *ease; // the model at hand, NULL: iALS
} tuner;

static size_t n_of(const br_history *history, uint32_t user)
{
    return history->begin[user + 1] - history->begin[user];
}

/// Mark what the user has and what is new in the month; returns how many are new.
static uint32_t mark(const tuner *it, uint32_t user, uint8_t *what)
{
    uint32_t n_new = 0;
    for (size_t i = it->train->begin[user]; i < it->train->begin[user + 1]; i++) {
        what[it->train->items[i]] = OWN;
    }
    for (size_t i = it->valid->begin[user]; i < it->valid->begin[user + 1]; i++) {
        uint32_t item = it->valid->items[i];
        n_new += what[item] == UNKNOWN;
        what[item] = what[item] == UNKNOWN ? NEW : what[item];
    }
    return n_new;
}

static void unmark(const tuner *it, uint32_t user, uint8_t *what)
{
    for (size_t i = it->train->begin[user]; i < it->train->begin[user + 1]; i++) {
        what[it->train->items[i]] = UNKNOWN;
    }
    for (size_t i = it->valid->begin[user]; i < it->valid->begin[user + 1]; i++) {
        what[it->valid->items[i]] = UNKNOWN;
    }
}

/// The score of y is the sum of B_xy over the user's x.
static uint32_t recommend_by_ease(const tuner *it, uint32_t user, const desk *at)
{
    size_t n_items = it->train->n_items;
    br_top_items top = {.items = at->top, .n_top = it->options->cut, .scores = at->scores};
    memset(at->scores, 0, n_items * sizeof *at->scores);
    for (size_t i = it->train->begin[user]; i < it->train->begin[user + 1]; i++) {
        const float *row = it->ease->weights + it->train->items[i] * n_items;
        for (size_t y = 0; y < n_items; y++) {
            at->scores[y] += (double)row[y];
        }
    }
    for (uint32_t y = 0; y < n_items; y++) {
        if (at->what[y] != OWN) {
            br_top_items_offer(&top, y);
        }
    }
    return top.n;
}

static uint32_t recommend(const tuner *it, uint32_t user, const desk *at)
{
    if (it->ease != NULL) {
        return recommend_by_ease(it, user, at);
    }
    size_t begin = it->train->begin[user];
    br_ials_user_set(at->user, it->train->items + begin, it->train->weights + begin, (uint32_t)n_of(it->train, user));
    return br_ials_user_recommend(at->user, NULL, it->options->cut, at->top);
}

static void judge_user(const tuner *it, uint32_t number, const desk *at)
{
    uint32_t user = it->users[number];
    uint32_t n_new = mark(it, user, at->what);
    uint32_t n = recommend(it, user, at);
    uint32_t most = n_new < it->options->cut ? n_new : it->options->cut;
    uint32_t hits = 0;
    double gain = 0.0;
    double best = 0.0;
    for (uint32_t i = 0; i < it->options->cut; i++) {
        double worth = 1.0 / br_fixed_log((double)i + 2.0); // the base of the logarithm cancels out
        bool hit = i < n && at->what[at->top[i]] == NEW;
        hits += hit;
        gain += hit ? worth : 0.0;
        best += i < most ? worth : 0.0;
    }
    it->recalls[number] = (double)hits / most;
    it->ndcgs[number] = gain / best;
    unmark(it, user, at->what);
}

static void judge_block(void *context, uint32_t worker, uint32_t block)
{
    const tuner *it = context;
    uint32_t begin = block * BLOCK;
    for (uint32_t i = begin; i < it->n_users && i < begin + BLOCK; i++) {
        judge_user(it, i, &it->desks[worker]);
    }
}

static double mean(const double *values, uint32_t n)
{
    double sum = 0.0;
    for (uint32_t i = 0; i < n; i++) {
        sum += values[i];
    }
    return sum / n;
}

static void judge(tuner *it, double *recall_out, double *ndcg_out)
{
    br_workers_run(it->workers, judge_block, it, it->n_users / BLOCK + (it->n_users % BLOCK != 0));
    *recall_out = mean(it->recalls, it->n_users);
    *ndcg_out = mean(it->ndcgs, it->n_users);
}

// --- one point of the grid ---

static br_status judge_ials(tuner *it, br_ials_point *point)
{
    BR_AUTO(br_ials) *model = NULL;
    br_status status = br_ials_train(&model, it->train, &point->options, NULL, NULL);
    for (uint32_t i = 0; i < it->options->ials.n_threads && status == BR_OK; i++) {
        status = br_ials_user_new(&it->desks[i].user, model);
    }
    if (status == BR_OK) {
        judge(it, &point->recall, &point->ndcg);
    }
    for (uint32_t i = 0; i < it->options->ials.n_threads; i++) {
        br_ials_user_free(&it->desks[i].user);
    }
    return status;
}

static br_status judge_ease(tuner *it, const br_cooccurrence *counts, br_ease_point *point)
{
    BR_AUTO(br_ease) *model = NULL;
    br_status status = br_ease_new(&model, counts, point->regularization);
    if (status == BR_OK) {
        it->ease = model;
        judge(it, &point->recall, &point->ndcg);
        it->ease = NULL;
    }
    return status;
}

// --- the whole grid ---

static void tuner_deinit(tuner *it)
{
    for (uint32_t i = 0; it->desks != NULL && i < it->options->ials.n_threads; i++) {
        br_free(it->desks[i].what);
        br_free(it->desks[i].scores);
        br_free(it->desks[i].top);
    }
    br_free(it->desks);
    br_free(it->users);
    br_free(it->recalls);
    br_free(it->ndcgs);
    br_workers_free(&it->workers);
}

static br_status make_desks(tuner *it)
{
    uint32_t n_threads = it->options->ials.n_threads;
    size_t n_items = it->train->n_items;
    it->desks = br_calloc(n_threads, sizeof *it->desks);
    for (uint32_t i = 0; it->desks != NULL && i < n_threads; i++) {
        desk *at = &it->desks[i];
        at->what = br_calloc(n_items + 1, sizeof *at->what);
        at->scores = br_calloc(n_items + 1, sizeof *at->scores);
        at->top = br_calloc(it->options->cut, sizeof *at->top);
        if (at->what == NULL || at->scores == NULL || at->top == NULL) {
            return br_no_memory("scores", n_items);
        }
    }
    return it->desks == NULL ? br_no_memory("threads", n_threads) : BR_OK;
}

/// The users who have items before the month and new ones in it.
static br_status find_users(tuner *it)
{
    size_t n = (size_t)it->train->n_users + 1;
    it->users = br_malloc(n * sizeof *it->users);
    it->recalls = br_malloc(n * sizeof *it->recalls);
    it->ndcgs = br_malloc(n * sizeof *it->ndcgs);
    if (it->users == NULL || it->recalls == NULL || it->ndcgs == NULL) {
        return br_no_memory("users", n);
    }
    for (uint32_t user = 0; user < it->train->n_users; user++) {
        if (n_of(it->train, user) > 0 && mark(it, user, it->desks[0].what) > 0) {
            it->users[it->n_users++] = user;
        }
        unmark(it, user, it->desks[0].what);
    }
    if (it->n_users == 0) {
        return br_fail(BR_ERR_NOT_FOUND, "no user has items before the validation month and new ones in it");
    }
    return BR_OK;
}

static br_status tuning_init(br_tuning *out, const br_tuning_options *options)
{
    out->n_ials = n_ials_points(options);
    out->n_ease = options->ease.n;
    out->ials = br_calloc((size_t)out->n_ials + 1, sizeof *out->ials);
    out->ease = br_calloc((size_t)out->n_ease + 1, sizeof *out->ease);
    if (out->ials == NULL || out->ease == NULL) {
        return br_no_memory("points of a grid", (size_t)out->n_ials + out->n_ease);
    }
    for (uint32_t i = 0; i < out->n_ials; i++) {
        out->ials[i].options = options_at(options, i);
    }
    for (uint32_t i = 0; i < out->n_ease; i++) {
        out->ease[i].regularization = options->ease.values[i];
    }
    return BR_OK;
}

static br_status judge_all(tuner *it, br_tuning *out, br_tuning_watcher watcher, void *context)
{
    BR_AUTO(br_cooccurrence) *counts = NULL;
    uint32_t n = out->n_ials + out->n_ease;
    br_status status = out->n_ease == 0 ? BR_OK : br_cooccurrence_new(&counts, it->train);
    for (uint32_t i = 0; i < n && status == BR_OK; i++) {
        if (watcher != NULL && !watcher(context, i, n)) {
            return br_fail(BR_ERR_CANCELLED, "stopped after %u of %u points", i, n);
        }
        if (i < out->n_ials) {
            status = judge_ials(it, &out->ials[i]);
            out->best_ials = out->ials[i].ndcg > out->ials[out->best_ials].ndcg ? i : out->best_ials;
        } else {
            uint32_t at = i - out->n_ials;
            status = judge_ease(it, counts, &out->ease[at]);
            out->best_ease = out->ease[at].ndcg > out->ease[out->best_ease].ndcg ? at : out->best_ease;
        }
    }
    return status;
}

br_status br_tuning_new(br_tuning **out, const br_history *train, const br_history *valid,
                        const br_tuning_options *options, br_tuning_watcher watcher, void *context)
{
    br_assert(train->n_users == valid->n_users && train->n_items == valid->n_items);
    br_status status = check_options(options);
    if (status != BR_OK) {
        return status;
    }
    BR_AUTO(br_tuning) *tuning = br_calloc(1, sizeof *tuning);
    if (tuning == NULL) {
        return br_no_memory("tunings", 1);
    }
    BR_AUTO_DEINIT(tuner) it = {.train = train, .valid = valid, .options = options};
    status = br_workers_new(&it.workers, options->ials.n_threads);
    if (status == BR_OK) {
        status = make_desks(&it);
    }
    if (status == BR_OK) {
        status = find_users(&it);
    }
    if (status == BR_OK) {
        status = tuning_init(tuning, options);
    }
    if (status == BR_OK) {
        status = judge_all(&it, tuning, watcher, context);
    }
    if (status == BR_OK) {
        tuning->n_users = it.n_users;
        *out = tuning;
        tuning = NULL;
    }
    return status;
}

void br_tuning_free(br_tuning **tuning)
{
    if (tuning != NULL && *tuning != NULL) {
        br_free((*tuning)->ials);
        br_free((*tuning)->ease);
        br_free(*tuning);
        *tuning = NULL;
    }
}
