// Goal: EASE, co-occurrence and rules are their formulas. Method: a dense solution in double precision without LAPACK (Gauss-Jordan), on made-up
// data and on MovieLens.

#include "base/alloc.h"
#include "itembased/ease.h"
#include "linalg/gemm.h"
#include "made_history.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/// X [n_users, n_items], 1 where a user has an item.
static double *dense(const br_history *history)
{
    double *x = br_calloc((size_t)history->n_users * history->n_items + 1, sizeof *x);
    cr_assert_not_null(x);
    for (size_t user = 0; user < history->n_users; user++) {
        for (size_t i = history->begin[user]; i < history->begin[user + 1]; i++) {
            x[user * history->n_items + history->items[i]] = 1.0;
        }
    }
    return x;
}

/// The inverse of A [n, n] in double precision; A is used up. The largest pivot of each column.
static double *gauss_jordan_inverse(double *a, size_t n)
{
    double *out = br_calloc(n * n + 1, sizeof *out);
    cr_assert_not_null(out);
    for (size_t k = 0; k < n; k++) {
        out[k * n + k] = 1.0;
    }
    for (size_t k = 0; k < n; k++) {
        size_t best = k;
        for (size_t i = k; i < n; i++) {
            best = fabs(a[i * n + k]) > fabs(a[best * n + k]) ? i : best;
        }
        double pivot = a[best * n + k];
        for (size_t j = 0; j < n; j++) {
            double of_a = a[best * n + j];
            double of_out = out[best * n + j];
            a[best * n + j] = a[k * n + j];
            out[best * n + j] = out[k * n + j];
            a[k * n + j] = of_a / pivot;
            out[k * n + j] = of_out / pivot;
        }
        for (size_t i = 0; i < n; i++) {
            double factor = i == k ? 0.0 : a[i * n + k];
            for (size_t j = 0; j < n && factor != 0.0; j++) {
                a[i * n + j] -= factor * a[k * n + j];
                out[i * n + j] -= factor * out[k * n + j];
            }
        }
    }
    return out;
}

/// The largest difference between EASE and its formula, on dense X.
static double worst_of_ease(const br_history *history, double regularization)
{
    size_t n = history->n_items;
    BR_AUTO(br_cooccurrence) *counts = NULL;
    BR_AUTO(br_ease) *model = NULL;
    cr_assert_eq(br_cooccurrence_new(&counts, history), BR_OK);
    cr_assert_eq(br_ease_new(&model, counts, regularization), BR_OK);
    double *x = dense(history);
    double *g = br_calloc(n * n + 1, sizeof *g);
    cr_assert_not_null(g);
    for (size_t user = 0; user < history->n_users; user++) {
        for (size_t i = 0; i < n; i++) {
            for (size_t j = 0; j < n && x[user * n + i] != 0.0; j++) {
                g[i * n + j] += x[user * n + i] * x[user * n + j];
            }
        }
    }
    for (size_t i = 0; i < n * n; i++) {
        cr_assert_eq((double)counts->counts[i], g[i]);
    }
    for (size_t i = 0; i < n; i++) {
        g[i * n + i] += regularization;
    }
    double *p = gauss_jordan_inverse(g, n);
    double worst = 0.0;
    for (size_t i = 0; i < n * n; i++) {
        double wanted = i / n == i % n ? 0.0 : -p[i] / p[i % n * n + i % n];
        double error = fabs((double)model->weights[i] - wanted);
        worst = error <= worst ? worst : error;
    }
    br_free(x);
    br_free(g);
    br_free(p);
    return worst;
}

Test(itembased_ease, equals_a_dense_solution)
{
    cr_assert_eq(br_gemm_start(), BR_OK);
    static const struct {
        uint32_t n_users, n_items;
        double density, regularization;
    } cases[] = {{300, 40, 0.2, 10.0}, {50, 120, 0.3, 0.5}, {500, 9, 0.5, 100.0},
                 {4, 1, 0.5, 1.0},     {0, 3, 0.5, 1.0},    {9, 0, 0.5, 1.0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        br_history *history = made_history(cases[i].n_users, cases[i].n_items, cases[i].density, i);
        double worst = worst_of_ease(history, cases[i].regularization);
        cr_assert(worst < 1e-6, "case %zu: %g", i, worst);
        made_history_free(history);
    }
}

// --- MovieLens ---

typedef struct rating {
    uint32_t user, movie;
} rating;

static int by_movie(const void *a, const void *b)
{
    const rating *x = a;
    const rating *y = b;
    return (x->movie > y->movie) - (x->movie < y->movie);
}

static int by_user(const void *a, const void *b)
{
    const rating *x = a;
    const rating *y = b;
    return (x->user > y->user) - (x->user < y->user);
}

static size_t read_ratings(rating *out, size_t most, FILE *file)
{
    char line[256];
    size_t n = 0;
    cr_assert_not_null(fgets(line, sizeof line, file)); // the names of the columns
    while (n < most && fgets(line, sizeof line, file) != NULL) {
        char *end = NULL;
        out[n].user = (uint32_t)strtoul(line, &end, 10);
        cr_assert_eq(*end, ',');
        out[n].movie = (uint32_t)strtoul(end + 1, &end, 10);
        cr_assert_eq(*end, ',');
        n++;
    }
    return n;
}

/// The `most` movies with the most ratings get the numbers 0, 1, ...; ratings of others go. Returns how many ratings are left.
static size_t keep_top(rating *ratings, size_t n, uint32_t most)
{
    qsort(ratings, n, sizeof *ratings, by_movie);
    rating *movies = br_calloc(n + 1, sizeof *movies); // user: how many ratings
    cr_assert_not_null(movies);
    size_t n_movies = 0;
    for (size_t i = 0; i < n; i++) {
        n_movies += i == 0 || ratings[i].movie != ratings[i - 1].movie;
        movies[n_movies - 1].movie = ratings[i].movie;
        movies[n_movies - 1].user++;
    }
    qsort(movies, n_movies, sizeof *movies, by_user);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        for (uint32_t k = 0; k < most && k < n_movies; k++) {
            if (movies[n_movies - 1 - k].movie == ratings[i].movie) {
                ratings[kept++] = (rating){ratings[i].user, k};
                break;
            }
        }
    }
    br_free(movies);
    return kept;
}

Test(itembased_ease, equals_a_dense_solution_on_movielens)
{
    enum { MOST_RATINGS = 200000, TOP = 350 };
    char path[1024];
    const char *data = getenv("BOOKRUNNER_DATA");
    snprintf(path, sizeof path, "%s/ml_latest_small/ratings.csv", data == NULL ? "" : data);
    FILE *file = data == NULL ? NULL : fopen(path, "r");
    if (file == NULL) {
        cr_skip_test("no MovieLens under BOOKRUNNER_DATA");
    }
    cr_assert_eq(br_gemm_start(), BR_OK);
    rating *ratings = br_calloc(MOST_RATINGS, sizeof *ratings);
    cr_assert_not_null(ratings);
    size_t n = keep_top(ratings, read_ratings(ratings, MOST_RATINGS, file), TOP);
    fclose(file);
    qsort(ratings, n, sizeof *ratings, by_user);
    br_history *history = made_history(0, 0, 0.0, 1);
    history->n_users = ratings[n - 1].user + 1;
    history->n_items = TOP;
    history->begin = br_reallocarray(history->begin, (size_t)history->n_users + 1, sizeof *history->begin);
    history->items = br_reallocarray(history->items, n, sizeof *history->items);
    cr_assert(history->begin != NULL && history->items != NULL);
    for (uint32_t user = 0, at = 0; user <= history->n_users; user++) {
        for (; at < n && ratings[at].user < user; at++) {
            history->items[at] = ratings[at].movie;
        }
        history->begin[user] = at;
    }
    double worst = worst_of_ease(history, 100.0);
    cr_log_info("%zu ratings of %u movies: at most %.2g from the dense solution", n, history->n_items, worst);
    cr_assert(n > 30000);
    cr_assert(worst < 1e-6, "%g", worst);
    made_history_free(history);
    br_free(ratings);
}

// --- rules, and what is refused ---

// Users {0, 1}, {0, 1, 2}, {0}, {2} and one without items: P(0) = 3/4, P(1) = 2/4, P(0, 1) = 2/4.
Test(itembased_ease, rules_are_right_on_an_example_by_hand)
{
    size_t begin[] = {0, 2, 5, 6, 7, 7};
    uint32_t items[] = {1, 0, 0, 2, 1, 0, 2};
    br_history history = {.n_users = 5, .n_items = 4, .begin = begin, .items = items};
    BR_AUTO(br_cooccurrence) *counts = NULL;
    cr_assert_eq(br_cooccurrence_new(&counts, &history), BR_OK);
    static const uint32_t wanted[16] = {3, 2, 1, 0, 2, 2, 1, 0, 1, 1, 2, 0, 0, 0, 0, 0};
    cr_assert_eq(memcmp(counts->counts, wanted, sizeof wanted), 0);
    cr_assert_eq(counts->n_users, 4);
    br_rule rule = br_rule_of(counts, 0, 1);
    cr_assert_eq(rule.support, 0.5);
    cr_assert(fabs(rule.confidence - 2.0 / 3.0) < 1e-15);
    cr_assert_eq(rule.leverage, 0.5 - 0.75 * 0.5);
    cr_assert_eq(br_rule_of(counts, 1, 0).confidence, 1.0);
    cr_assert_eq(br_rule_of(counts, 3, 0).confidence, 0.0);
    cr_assert_eq(br_rule_of(counts, 2, 1).leverage, 0.0);
}

Test(itembased_ease, nobody_makes_no_rules)
{
    br_history *history = made_history(0, 2, 0.5, 1);
    BR_AUTO(br_cooccurrence) *counts = NULL;
    cr_assert_eq(br_cooccurrence_new(&counts, history), BR_OK);
    br_rule rule = br_rule_of(counts, 0, 1);
    cr_assert(rule.support == 0.0 && rule.confidence == 0.0 && rule.leverage == 0.0);
    made_history_free(history);
}

Test(itembased_ease, what_cannot_be_is_refused)
{
    br_history *history = made_history(3, BR_MAX_PAIR_ITEMS + 1, 0.001, 1);
    BR_AUTO(br_cooccurrence) *counts = NULL;
    cr_assert_eq(br_cooccurrence_new(&counts, history), BR_ERR_LIMIT);
    cr_assert_str_eq(br_why(BR_ERR_LIMIT),
                     "16385 items are more than a table of pairs takes: keep the 16384 most popular ones");
    made_history_free(history);
    history = made_history(10, 5, 0.5, 1);
    cr_assert_eq(br_cooccurrence_new(&counts, history), BR_OK);
    BR_AUTO(br_ease) *model = NULL;
    static const double wrong[] = {0.0, -1.0, (double)NAN, (double)INFINITY};
    for (size_t i = 0; i < 4; i++) {
        cr_assert_eq(br_ease_new(&model, counts, wrong[i]), BR_ERR_INVALID);
    }
    made_history_free(history);
}

Test(itembased_ease, memory_that_cannot_be_had_is_said)
{
    br_history *history = made_history(10, 5, 0.5, 1);
    size_t live = br_alloc_live();
    br_cooccurrence *counts = NULL;
    br_ease *model = NULL;
    for (size_t n = 0; model == NULL; n++) {
        br_alloc_fail_after(n);
        br_status status = br_cooccurrence_new(&counts, history);
        if (status == BR_OK) {
            status = br_ease_new(&model, counts, 1.0);
        }
        br_alloc_fail_after(SIZE_MAX);
        cr_assert(status == BR_OK || status == BR_ERR_NO_MEMORY);
        br_cooccurrence_free(&counts);
        cr_assert(status == BR_OK || br_alloc_live() == live);
    }
    br_ease_free(&model);
    cr_assert_eq(br_alloc_live(), live);
    made_history_free(history);
}
