// Goal: iALS finds what its formulas say. Method: against a solver in double precision without BLAS, written from the formulas: dense matrices,
// Gauss-Jordan, the loss summed over all users and items.

#include "base/alloc.h"
#include "base/rng.h"
#include "itembased/ials.h"
#include "linalg/fixed.h"
#include "made_history.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SWEEPS = 12 };

// --- the plain twin ---

typedef struct plain {
    const br_history *history;
    const br_ials_options *options;
    double *c; // [n_users, n_items]
    double *p; // [n_users, n_items]
    double *x; // [n_users, n_factors]
    double *y; // [n_items, n_factors]
} plain;

static double *doubles(size_t n)
{
    double *it = br_calloc(n + 1, sizeof *it);
    cr_assert_not_null(it);
    return it;
}

static plain plain_new(const br_history *history, const br_ials_options *options)
{
    size_t n_items = history->n_items;
    size_t n_factors = options->n_factors;
    plain it = {history,
                options,
                doubles(history->n_users * n_items),
                doubles(history->n_users * n_items),
                doubles(history->n_users * n_factors),
                doubles(n_items * n_factors)};
    for (size_t i = 0; i < history->n_users * n_items; i++) {
        it.c[i] = 1.0;
    }
    for (size_t user = 0; user < history->n_users; user++) {
        for (size_t i = history->begin[user]; i < history->begin[user + 1]; i++) {
            it.c[user * n_items + history->items[i]] += options->confidence * (double)history->weights[i];
            it.p[user * n_items + history->items[i]] = 1.0;
        }
    }
    for (uint32_t item = 0; item < n_items; item++) {
        br_rng rng = br_rng_at(options->seed, BR_STREAM_INIT, item, 0);
        for (size_t k = 0; k < n_factors; k++) {
            it.y[item * n_factors + k] = (double)(float)(0.1 * br_rng_normal(&rng));
        }
    }
    return it;
}

static void plain_free(plain *it)
{
    br_free(it->c);
    br_free(it->p);
    br_free(it->x);
    br_free(it->y);
}

/// x = A^-1 b in the place of b; A [n, n] is used up. The largest pivot of each column.
static void gauss_jordan(double *a, double *b, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        size_t best = k;
        for (size_t i = k; i < n; i++) {
            best = fabs(a[i * n + k]) > fabs(a[best * n + k]) ? i : best;
        }
        for (size_t j = 0; j < n; j++) {
            double kept = a[k * n + j];
            a[k * n + j] = a[best * n + j];
            a[best * n + j] = kept;
        }
        double kept = b[k];
        b[k] = b[best];
        b[best] = kept;
        for (size_t i = 0; i < n; i++) {
            double factor = i == k ? 0.0 : a[i * n + k] / a[k * n + k];
            for (size_t j = k; j < n; j++) {
                a[i * n + j] -= factor * a[k * n + j];
            }
            b[i] -= factor * b[k];
        }
    }
    for (size_t k = 0; k < n; k++) {
        b[k] /= a[k * n + k];
    }
}

/// One row of x from all of y, or with `turned` one row of y from all of x.
static void plain_solve(const plain *it, size_t number, bool turned)
{
    size_t n = it->options->n_factors;
    size_t n_items = it->history->n_items;
    double *a = doubles(n * n);
    double *out = turned ? it->y + number * n : it->x + number * n;
    memset(out, 0, n * sizeof *out);
    for (size_t k = 0; k < n; k++) {
        a[k * n + k] = it->options->regularization;
    }
    for (size_t other = 0; other < (turned ? it->history->n_users : n_items); other++) {
        size_t at = turned ? other * n_items + number : number * n_items + other;
        const double *y = turned ? it->x + other * n : it->y + other * n;
        for (size_t i = 0; i < n; i++) {
            out[i] += it->c[at] * it->p[at] * y[i];
            for (size_t j = 0; j < n; j++) {
                a[i * n + j] += it->c[at] * y[i] * y[j];
            }
        }
    }
    gauss_jordan(a, out, n);
    br_free(a);
}

static void plain_half(const plain *it, bool turned)
{
    for (size_t i = 0; i < (turned ? it->history->n_items : it->history->n_users); i++) {
        plain_solve(it, i, turned);
    }
}

static double plain_loss(const plain *it)
{
    size_t n = it->options->n_factors;
    double loss = 0.0;
    for (size_t user = 0; user < it->history->n_users; user++) {
        for (size_t item = 0; item < it->history->n_items; item++) {
            size_t at = user * it->history->n_items + item;
            double score = 0.0;
            for (size_t k = 0; k < n; k++) {
                score += it->x[user * n + k] * it->y[item * n + k];
            }
            loss += it->c[at] * (it->p[at] - score) * (it->p[at] - score);
        }
    }
    for (size_t i = 0; i < it->history->n_users * n; i++) {
        loss += it->options->regularization * it->x[i] * it->x[i];
    }
    for (size_t i = 0; i < it->history->n_items * n; i++) {
        loss += it->options->regularization * it->y[i] * it->y[i];
    }
    return loss;
}

// --- training ---

typedef struct losses {
    double of[MOST_SWEEPS];
    uint32_t n;
    uint32_t stop_at;
} losses;

static bool watch(void *context, uint32_t sweep, double loss)
{
    losses *it = context;
    cr_assert_eq(sweep, it->n);
    it->of[it->n++] = loss;
    return it->n != it->stop_at;
}

typedef struct shape {
    uint32_t n_users, n_items, n_factors;
    double density, regularization, confidence;
} shape;

static const shape shapes[] = {
    {40, 25, 3, 0.2, 1.0, 10.0},  {7, 60, 8, 0.3, 0.5, 40.0},   {200, 12, 5, 0.4, 5.0, 1.0},
    {30, 20, 33, 0.2, 0.1, 20.0}, {300, 40, 16, 0.5, 2.0, 5.0}, {1, 5, 2, 0.5, 1.0, 2.0},
};
enum { N_SHAPES = sizeof shapes / sizeof *shapes, SEEDS = 3 };

static br_ials_options options_of(const shape *of, uint64_t seed)
{
    br_ials_options options = br_ials_options_default();
    options.n_factors = of->n_factors;
    options.regularization = of->regularization;
    options.confidence = of->confidence;
    options.seed = seed;
    options.n_sweeps = 5;
    return options;
}

static br_ials *trained(const br_history *history, const br_ials_options *options, losses *seen)
{
    br_ials *model = NULL;
    cr_assert_eq(br_ials_train(&model, history, options, seen == NULL ? NULL : watch, seen), BR_OK, "%s",
                 br_why(BR_ERR_INVALID));
    return model;
}

static double largest(const float *values, size_t n)
{
    double most = 0.0;
    for (size_t i = 0; i < n; i++) {
        most = fmax(most, fabs((double)values[i]));
    }
    return most;
}

// Sums and factors in single precision leave 1e-6 of the loss, and of the factors 1e-5 of the largest one; 1e-3 where there are more of them than users, so
// that the equations are all but singular.
Test(itembased_ials, equals_a_plain_solver_in_double_precision)
{
    for (size_t i = 0; i < N_SHAPES * SEEDS; i++) {
        const shape *of = &shapes[i / SEEDS];
        br_history *history = made_history(of->n_users, of->n_items, of->density, 100 + i);
        br_ials_options options = options_of(of, i);
        losses seen = {0};
        br_ials *model = trained(history, &options, &seen);
        plain twin = plain_new(history, &options);
        for (uint32_t sweep = 0; sweep < options.n_sweeps; sweep++) {
            plain_half(&twin, false);
            plain_half(&twin, true);
            double loss = plain_loss(&twin);
            cr_assert(fabs(seen.of[sweep] - loss) <= 1e-6 * loss, "case %zu sweep %u: %.12g, not %.12g", i, sweep,
                      seen.of[sweep], loss);
        }
        size_t n = (size_t)of->n_items * of->n_factors;
        double most = largest(model->items, n);
        for (size_t k = 0; k < n; k++) {
            cr_assert(fabs((double)model->items[k] - twin.y[k]) <=
                          (of->n_factors > of->n_users ? 1e-3 : 1e-5) * most + 1e-12,
                      "case %zu: %g, not %g", i, (double)model->items[k], twin.y[k]);
        }
        plain_free(&twin);
        br_ials_free(&model);
        made_history_free(history);
    }
}

// The users' half is not seen from outside, but it is given by the items before it: solved here in double precision from the model of one sweep
// less.
Test(itembased_ials, the_loss_falls_in_every_half_sweep)
{
    for (size_t i = 0; i < N_SHAPES * SEEDS; i++) {
        const shape *of = &shapes[i / SEEDS];
        br_history *history = made_history(of->n_users, of->n_items, of->density, 200 + i);
        br_ials_options options = options_of(of, 50 + i);
        losses seen = {0};
        options.n_sweeps = MOST_SWEEPS;
        br_ials *model = trained(history, &options, &seen);
        cr_assert_eq(seen.n, MOST_SWEEPS);
        br_ials_free(&model);
        for (uint32_t sweep = 1; sweep < MOST_SWEEPS; sweep++) {
            options.n_sweeps = sweep;
            model = trained(history, &options, NULL);
            plain twin = plain_new(history, &options);
            for (size_t k = 0; k < (size_t)of->n_items * of->n_factors; k++) {
                twin.y[k] = (double)model->items[k];
            }
            plain_half(&twin, false);
            double half = plain_loss(&twin);
            // What rounding the factors to single precision costs is of second order: below 1e-12 of the loss.
            cr_assert(half <= seen.of[sweep - 1] * (1.0 + 1e-12), "case %zu sweep %u users: %.15g after %.15g", i,
                      sweep, half, seen.of[sweep - 1]);
            cr_assert(seen.of[sweep] <= half * (1.0 + 1e-12), "case %zu sweep %u items: %.15g after %.15g", i, sweep,
                      seen.of[sweep], half);
            plain_free(&twin);
            br_ials_free(&model);
        }
        made_history_free(history);
    }
}

// With weights up to a million, single precision would lose the regularization (measured: the loss rose); sums in double keep it.
Test(itembased_ials, the_loss_falls_with_extreme_weights)
{
    br_history *history = made_history(300, 60, 0.3, 9);
    for (size_t i = 0; i < history->begin[300]; i++) {
        history->weights[i] = (float)pow(10.0, 6.0 * ((double)history->weights[i] - 0.5) / 1.5);
    }
    br_ials_options options = br_ials_options_default();
    options.n_factors = 80;
    options.regularization = 0.1;
    options.confidence = 10.0;
    options.n_sweeps = MOST_SWEEPS;
    losses seen = {0};
    br_ials *model = trained(history, &options, &seen);
    for (uint32_t sweep = 1; sweep < MOST_SWEEPS; sweep++) {
        cr_assert(seen.of[sweep] <= seen.of[sweep - 1], "sweep %u: %.12g after %.12g", sweep, seen.of[sweep],
                  seen.of[sweep - 1]);
    }
    br_ials_free(&model);
    made_history_free(history);
}

// c / regularization is 1e19 here, more than a double has digits: what is left of the small pivots is rounding, and may not be divided by less.
Test(itembased_ials, the_largest_weights_make_a_model_with_any_options)
{
    br_history *history = made_history(40, 20, 0.4, 9);
    for (size_t i = 0; i < history->begin[40]; i++) {
        history->weights[i] = i % 4 == 0 ? BR_MAX_TRANSACTION_WEIGHT : 1.0f;
    }
    br_ials_options options = br_ials_options_default();
    options.n_factors = 16;
    options.regularization = BR_IALS_MIN_STRENGTH;
    options.confidence = BR_IALS_MAX_STRENGTH;
    br_ials *model = trained(history, &options, NULL);
    for (size_t k = 0; k < (size_t)model->n_items * model->n_factors; k++) {
        cr_assert_lt(fabs((double)model->items[k]), 1e3);
    }
    br_ials_free(&model);
    made_history_free(history);
}

Test(itembased_ials, is_the_same_with_every_kernel)
{
    static const char *const kernels[] = {"avx512", "avx2", "plain"};
    br_history *history = made_history(150, 45, 0.3, 10);
    br_ials_options options = br_ials_options_default();
    options.n_factors = 37;
    options.n_sweeps = 2;
    br_ials *first = NULL;
    for (size_t i = 0; i < 3; i++) {
        if (br_fixed_by_name(kernels[i]) == NULL) {
            continue;
        }
        setenv("BOOKRUNNER_KERNEL", kernels[i], 1);
        br_ials *model = trained(history, &options, NULL);
        unsetenv("BOOKRUNNER_KERNEL");
        if (first == NULL) {
            first = model;
            continue;
        }
        cr_assert_eq(memcmp(model->items, first->items, 45 * 37 * sizeof(float)), 0, "%s", kernels[i]);
        br_ials_free(&model);
    }
    br_ials_free(&first);
    made_history_free(history);
}

Test(itembased_ials, is_the_same_for_any_number_of_threads)
{
    br_history *history = made_history(700, 150, 0.1, 3);
    br_ials_options options = br_ials_options_default();
    options.n_sweeps = 3;
    losses one = {0};
    br_ials *model = trained(history, &options, &one);
    for (uint32_t n_threads = 2; n_threads <= 7; n_threads += 5) {
        losses many = {0};
        options.n_threads = n_threads;
        br_ials *other = trained(history, &options, &many);
        cr_assert_eq(memcmp(model->items, other->items, 150 * 32 * sizeof(float)), 0);
        cr_assert_eq(memcmp(model->gram, other->gram, 32 * 32 * sizeof(double)), 0);
        cr_assert_eq(memcmp(one.of, many.of, sizeof one.of), 0);
        br_ials_free(&other);
    }
    br_ials_free(&model);
    made_history_free(history);
}

Test(itembased_ials, items_that_nobody_has_get_no_factors_and_long_histories_are_taken_in_pieces)
{
    br_history *history = made_history(400, 30, 0.4, 4); // items met by more than 128 users
    history->n_items = 31;
    br_ials_options options = options_of(&shapes[0], 4);
    options.n_sweeps = 1;
    br_ials *model = trained(history, &options, NULL);
    plain twin = plain_new(history, &options);
    plain_half(&twin, false);
    plain_half(&twin, true);
    for (size_t k = 0; k < 31 * 3; k++) {
        cr_assert(fabs((double)model->items[k] - twin.y[k]) < 1e-6);
    }
    cr_assert_eq(largest(model->items + 30 * 3, 3), 0.0);
    plain_free(&twin);
    br_ials_free(&model);
    history->n_items = 30;
    made_history_free(history);
}

Test(itembased_ials, nobody_and_nothing_can_be_trained)
{
    for (uint32_t i = 0; i < 4; i++) {
        br_history *history = made_history(i % 2 * 3, i / 2 * 2, 0.0, 5);
        br_ials_options options = br_ials_options_default();
        br_ials *model = trained(history, &options, NULL);
        cr_assert_eq(model->n_items, i / 2 * 2);
        br_ials_free(&model);
        made_history_free(history);
    }
}

Test(itembased_ials, stops_when_the_watcher_says_so)
{
    br_history *history = made_history(20, 10, 0.3, 6);
    br_ials_options options = br_ials_options_default();
    losses seen = {.stop_at = 2};
    br_ials *model = NULL;
    size_t live = br_alloc_live();
    cr_assert_eq(br_ials_train(&model, history, &options, watch, &seen), BR_ERR_CANCELLED);
    cr_assert_null(model);
    cr_assert_eq(seen.n, 2);
    cr_assert_eq(br_alloc_live(), live);
    made_history_free(history);
}

Test(itembased_ials, memory_that_cannot_be_had_is_said)
{
    br_history *history = made_history(20, 10, 0.3, 7);
    br_ials_options options = br_ials_options_default();
    br_ials *model = NULL;
    br_ials_user *user = NULL;
    size_t live = br_alloc_live();
    br_status status = BR_ERR_NO_MEMORY;
    for (size_t n = 0; status != BR_OK; n++) {
        cr_assert_lt(n, 100);
        br_alloc_fail_after(n);
        status = br_ials_train(&model, history, &options, NULL, NULL);
        br_alloc_fail_after(SIZE_MAX);
        cr_assert(status == BR_OK || (status == BR_ERR_NO_MEMORY && br_alloc_live() == live));
    }
    live = br_alloc_live();
    for (size_t n = 0; user == NULL; n++) {
        br_alloc_fail_after(n);
        status = br_ials_user_new(&user, model);
        br_alloc_fail_after(SIZE_MAX);
        cr_assert(status == BR_OK || (status == BR_ERR_NO_MEMORY && br_alloc_live() == live));
    }
    br_ials_user_free(&user);
    br_ials_free(&model);
    made_history_free(history);
}

Test(itembased_ials, options_out_of_range_are_refused)
{
    static const struct {
        const char *name;
        br_ials_options options;
    } wrong[] = {
        {"n_factors", {0, 1.0, 1.0, 1, 1, 1}},      {"n_factors", {257, 1.0, 1.0, 1, 1, 1}},
        {"regularization", {8, 0.0, 1.0, 1, 1, 1}}, {"regularization", {8, NAN, 1.0, 1, 1, 1}},
        {"confidence", {8, 1.0, -1.0, 1, 1, 1}},    {"confidence", {8, 1.0, INFINITY, 1, 1, 1}},
        {"n_sweeps", {8, 1.0, 1.0, 0, 1, 1}},       {"n_sweeps", {8, 1.0, 1.0, 1001, 1, 1}},
        {"n_threads", {8, 1.0, 1.0, 1, 1, 0}},      {"n_threads", {8, 1.0, 1.0, 1, 1, 65}},
    };
    br_ials_options options = br_ials_options_default();
    cr_assert_eq(br_ials_options_check(&options), BR_OK);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cr_assert_eq(br_ials_options_check(&wrong[i].options), BR_ERR_INVALID);
        cr_assert_not_null(strstr(br_why(BR_ERR_INVALID), wrong[i].name), "%s", br_why(BR_ERR_INVALID));
    }
    float items[4] = {1.0f, 2.0f, NAN, 0.0f};
    br_ials *model = NULL;
    cr_assert_eq(br_ials_of(&model, items, 2, 2, 1.0, 1.0), BR_ERR_INVALID);
    cr_assert_str_eq(br_why(BR_ERR_INVALID), "iALS: factor 0 of item 1 is not finite");
}
