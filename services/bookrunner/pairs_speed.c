#include "pairs_speed.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/rng.h"
#include "itembased/ease.h"
#include "linalg/cholesky.h"

#include <stdlib.h>
#include <string.h>

enum { MANY_SWEEPS = BR_IALS_MAX_SWEEPS, PEAK_SIDE = 1024, MAX_TIMES = 100000, EASE_USERS = 2000 };

// --- made-up data ---

static br_status history_room(br_history **out, uint32_t n_users, uint32_t n_items, size_t most)
{
    BR_AUTO(br_history) *it = br_calloc(1, sizeof *it);
    if (it == NULL) {
        return br_no_memory("histories", 1);
    }
    it->n_users = n_users;
    it->n_items = n_items;
    it->begin = br_calloc((size_t)n_users + 1, sizeof *it->begin);
    it->items = br_calloc(most, sizeof *it->items);
    it->weights = br_calloc(most, sizeof *it->weights);
    if (it->begin == NULL || it->items == NULL || it->weights == NULL) {
        return br_no_memory("interactions", most);
    }
    *out = it;
    it = NULL;
    return BR_OK;
}

/// Up to 2 n_drawn - 1 items for each user; an item that is drawn again is left out.
static br_status draw_history(br_history **out, uint32_t n_users, uint32_t n_items, uint32_t n_drawn)
{
    uint32_t *drawn_by = br_calloc(n_items, sizeof *drawn_by); // user + 1
    br_status status = drawn_by == NULL ? br_no_memory("items", n_items)
                                        : history_room(out, n_users, n_items, (size_t)n_users * 2 * n_drawn);
    size_t n = 0;
    for (uint32_t user = 0; status == BR_OK && user < n_users; user++) {
        br_rng rng = br_rng_at(1, BR_STREAM_BENCH, user, n_items);
        uint32_t draws = 1 + br_rng_below(&rng, 2 * n_drawn - 1);
        for (uint32_t i = 0; i < draws; i++) {
            double place = br_rng_uniform(&rng);
            uint32_t item = (uint32_t)(place * place * n_items);
            if (drawn_by[item] != user + 1) {
                drawn_by[item] = user + 1;
                (*out)->items[n] = item;
                (*out)->weights[n++] = 1.0f;
            }
        }
        (*out)->begin[user + 1] = n;
    }
    br_free(drawn_by);
    return status;
}

br_status made_up_history(br_history **out)
{
    return draw_history(out, PAIRS_USERS, PAIRS_ITEMS, PAIRS_DRAWN);
}

// --- iALS ---

typedef struct stopwatch {
    int64_t wanted_ns;
    int64_t began_ns; ///< when the first sweep had ended
    int64_t timed_ns;
    uint64_t n_sweeps;
} stopwatch;

static bool watch(void *context, uint32_t sweep, double loss)
{
    (void)loss;
    stopwatch *it = context;
    int64_t now_ns = br_clock_ns();
    if (sweep == 0) {
        it->began_ns = now_ns;
        return true;
    }
    it->n_sweeps++;
    it->timed_ns = now_ns - it->began_ns;
    return it->timed_ns < it->wanted_ns;
}

double ials_flop(const br_history *history, uint32_t n_factors)
{
    uint8_t *met = br_calloc((size_t)history->n_items + 1, 1);
    double n = (double)history->begin[history->n_users];
    double n_equations = 0.0;
    double f = n_factors;
    for (uint32_t user = 0; user < history->n_users; user++) {
        n_equations += history->begin[user + 1] > history->begin[user];
    }
    for (size_t i = 0; met != NULL && i < history->begin[history->n_users]; i++) {
        n_equations += met[history->items[i]] == 0;
        met[history->items[i]] = 1;
    }
    br_free(met);
    return 2.0 * n * f * (f + 1.0) + n_equations * (f * f * f / 3.0 + 2.0 * f * f);
}

br_status ials_speed_measure(ials_speed *out, const br_history *history, const br_ials_options *options, double seconds)
{
    BR_AUTO(br_ials) *model = NULL;
    br_ials_options training = *options;
    stopwatch timing = {.wanted_ns = (int64_t)(seconds * 1e9)};
    training.n_sweeps = MANY_SWEEPS;
    br_status status = br_ials_train(&model, history, &training, watch, &timing);
    if (status != BR_OK && status != BR_ERR_CANCELLED) {
        return status;
    }
    double per_s = (double)timing.n_sweeps / ((double)timing.timed_ns * 1e-9);
    *out = (ials_speed){
        .n_sweeps = timing.n_sweeps,
        .interactions_x_factors_per_s = (double)history->begin[history->n_users] * training.n_factors * per_s,
        .gflops = ials_flop(history, training.n_factors) * per_s * 1e-9,
    };
    return BR_OK;
}

// --- EASE ---

br_status ease_speed_measure(double *gflops_out, uint32_t n_items, double seconds)
{
    BR_AUTO(br_history) *history = NULL;
    BR_AUTO(br_cooccurrence) *counts = NULL;
    br_status status = draw_history(&history, EASE_USERS, n_items, PAIRS_DRAWN);
    if (status == BR_OK) {
        status = br_cooccurrence_new(&counts, history);
    }
    double n = 0.0;
    int64_t start_ns = br_clock_ns();
    int64_t now_ns = start_ns;
    while (status == BR_OK && (n == 0.0 || (double)(now_ns - start_ns) < seconds * 1e9)) {
        BR_AUTO(br_ease) *model = NULL;
        status = br_ease_new(&model, counts, 100.0);
        n += 1.0;
        now_ns = br_clock_ns();
    }
    *gflops_out = n * (double)n_items * n_items * n_items / (double)(now_ns - start_ns);
    return status;
}

br_status double_peak(double *gflops_out, double seconds)
{
    size_t n = (size_t)PEAK_SIDE * PEAK_SIDE;
    double *memory = br_calloc_aligned(2 * n, sizeof *memory);
    if (memory == NULL) {
        return br_no_memory("matrix elements", 2 * n);
    }
    for (size_t i = 0; i < n; i++) {
        memory[i] = (double)(i % 7) - 3.0;
    }
    br_syrk(memory + n, memory, PEAK_SIDE, PEAK_SIDE); // the first one also makes OpenBLAS's buffers
    double n_products = 0.0;
    int64_t start_ns = br_clock_ns();
    int64_t now_ns = start_ns;
    do {
        br_syrk(memory + n, memory, PEAK_SIDE, PEAK_SIDE);
        n_products += 1.0;
        now_ns = br_clock_ns();
    } while ((double)(now_ns - start_ns) < seconds * 1e9);
    *gflops_out = n_products * (double)n * (PEAK_SIDE + 1.0) / (double)(now_ns - start_ns);
    br_free(memory);
    return BR_OK;
}

// --- one user ---

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/// One question to one user, in microseconds. items: its own.
static double ask(br_ials_user *user, pairs_question question, const uint32_t *items, uint32_t n_own, double *parts)
{
    uint32_t top[PAIRS_TOP];
    if (question != PAIRS_SET) {
        br_ials_user_set(user, items, NULL, n_own);
    }
    int64_t start_ns = br_clock_ns();
    if (question == PAIRS_SET) {
        br_ials_user_set(user, items, NULL, n_own);
    } else if (question == PAIRS_RECOMMEND) {
        br_ials_user_recommend(user, NULL, PAIRS_TOP, top);
    } else {
        br_ials_user_parts(user, items[n_own], parts);
    }
    return (double)(br_clock_ns() - start_ns) * 1e-3;
}

static br_status made_up_factors(br_ials **out, uint32_t n_factors)
{
    float *items = br_calloc((size_t)PAIRS_ITEMS * n_factors, sizeof *items);
    if (items == NULL) {
        return br_no_memory("item factors", PAIRS_ITEMS);
    }
    br_rng rng = br_rng_at(1, BR_STREAM_BENCH, 0, 0);
    for (size_t i = 0; i < (size_t)PAIRS_ITEMS * n_factors; i++) {
        items[i] = (float)(br_rng_uniform(&rng) - 0.5);
    }
    br_status status = br_ials_of(out, items, PAIRS_ITEMS, n_factors, 10.0, 3.0);
    br_free(items);
    return status;
}

br_status user_speed_measure(user_speed *out, pairs_question question, uint32_t n_factors, uint32_t n_own,
                             double seconds)
{
    BR_AUTO(br_ials) *model = NULL;
    BR_AUTO(br_ials_user) *user = NULL;
    uint32_t items[2 * PAIRS_ITEMS]; // twice the same order: any run of n_own + 1 is different ones
    double *times = br_malloc(MAX_TIMES * sizeof *times);
    double *parts = br_malloc(PAIRS_ITEMS * sizeof *parts);
    br_status status = times == NULL || parts == NULL ? br_no_memory("times", MAX_TIMES) : BR_OK;
    if (status == BR_OK) {
        status = made_up_factors(&model, n_factors);
    }
    if (status == BR_OK) {
        status = br_ials_user_new(&user, model);
    }
    for (uint32_t i = 0; i < 2 * PAIRS_ITEMS; i++) {
        items[i] = i * 1237 % PAIRS_ITEMS; // they share no factor
    }
    out->n = 0;
    int64_t until_ns = br_clock_ns() + (int64_t)(seconds * 1e9);
    while (status == BR_OK && out->n < MAX_TIMES && (out->n == 0 || br_clock_ns() < until_ns)) {
        times[out->n] = ask(user, question, items + out->n * 31 % PAIRS_ITEMS, n_own, parts);
        out->n++;
    }
    if (status == BR_OK) {
        qsort(times, out->n, sizeof *times, by_value);
        out->p50_us = times[out->n / 2];
        out->p99_us = times[out->n * 99 / 100];
    }
    br_free(times);
    br_free(parts);
    return status;
}
