// Goal: what the model says to one user, and why. Method: the definition, x_u = (Y^T C Y + regularization I)^-1 Y^T C p, checked by what it must fulfil;
// parts sum to the score; the bytes are golden, and those of the same source compiled otherwise.

#include "base/alloc.h"
#include "base/hash.h"
#include "base/rng.h"
#include "itembased/ials.h"
#include "linalg/fixed_solve.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { N_ITEMS = 90, MOST_OWN = 40 };

// The kernels once more, as this test's own: -O1, for the plainest machine.
#define BR_LINALG_FIXED_WIDTHS_H
#define SEVERAL_WIDTHS
#define br_fixed_add_outer      twin_add_outer
#define br_fixed_add_outers     twin_add_outers
#define br_fixed_add_row        twin_add_row
#define br_fixed_dot_row        twin_dot_row
#define br_fixed_cholesky       twin_cholesky
#define br_fixed_cholesky_solve twin_cholesky_solve
void twin_add_outer(double *a, double weight, const float *row, size_t n);
void twin_add_outers(double *a, const double weights[BR_FIXED_OUTERS], const float *const rows[BR_FIXED_OUTERS],
                     size_t n);
void twin_add_row(double *y, double a, const float *x, size_t n);
double twin_dot_row(const double *a, const float *x, size_t n);
void twin_cholesky(double *a, size_t n, double floor);
void twin_cholesky_solve(const double *u, double *b, size_t n);
#include "../../../common/linalg/fixed_solve.c"
#undef br_fixed_add_outer
#undef br_fixed_add_outers
#undef br_fixed_add_row
#undef br_fixed_dot_row
#undef br_fixed_cholesky
#undef br_fixed_cholesky_solve

typedef struct person {
    uint32_t items[MOST_OWN];
    float weights[MOST_OWN];
    uint32_t n;
} person;

static br_ials *made_model(uint32_t n_factors, double regularization, uint64_t seed)
{
    static float items[N_ITEMS * BR_IALS_MAX_FACTORS];
    br_rng rng = br_rng_at(seed, BR_STREAM_TEST, 1, 0);
    for (size_t i = 0; i < (size_t)N_ITEMS * n_factors; i++) {
        items[i] = (float)(br_rng_uniform(&rng) - 0.5);
    }
    br_ials *model = NULL;
    cr_assert_eq(br_ials_of(&model, items, N_ITEMS, n_factors, regularization, 10.0), BR_OK);
    return model;
}

static person made_person(uint32_t n, uint64_t seed)
{
    person it = {.n = n};
    br_rng rng = br_rng_at(seed, BR_STREAM_TEST, 2, 0);
    for (uint32_t i = 0; i < n; i++) {
        it.items[i] = (i * 37 + (uint32_t)seed) % N_ITEMS; // 37 and 90 share no factor: all different
        it.weights[i] = (float)(0.5 + br_rng_uniform(&rng));
    }
    return it;
}

static br_ials_user *user_of(const br_ials *model)
{
    br_ials_user *user = NULL;
    cr_assert_eq(br_ials_user_new(&user, model), BR_OK);
    return user;
}

/// x_u, read from the scores: item k of the model's twin has 1 as its factor k.
static void read_x(double *x, const br_ials *model, const person *of)
{
    size_t n = model->n_factors;
    float *items = br_calloc((N_ITEMS + n) * n, sizeof *items);
    cr_assert_not_null(items);
    memcpy(items, model->items, N_ITEMS * n * sizeof *items);
    for (size_t k = 0; k < n; k++) {
        items[(N_ITEMS + k) * n + k] = 1.0f;
    }
    br_ials twin = *model;
    twin.n_items = N_ITEMS + (uint32_t)n;
    twin.items = items;
    br_ials_user *user = user_of(&twin);
    br_ials_user_set(user, of->items, of->weights, of->n);
    for (size_t k = 0; k < n; k++) {
        x[k] = br_ials_user_score(user, N_ITEMS + (uint32_t)k);
    }
    br_ials_user_free(&user);
    br_free(items);
}

Test(itembased_ials_user, solves_the_equations_of_a_user)
{
    static const uint32_t sizes[] = {1, 2, 7, 8, 9, 32, 65, 256};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        br_ials *model = made_model(sizes[i], 0.7, i);
        person of = made_person((uint32_t)(i * 5), i);
        double x[BR_IALS_MAX_FACTORS];
        read_x(x, model, &of);
        double left[BR_IALS_MAX_FACTORS]; // (Y^T C Y + regularization I) x - Y^T C p
        for (size_t k = 0; k < sizes[i]; k++) {
            left[k] = 0.7 * x[k];
        }
        for (uint32_t item = 0; item < N_ITEMS; item++) {
            double c = 1.0;
            double p = 0.0;
            for (uint32_t j = 0; j < of.n; j++) {
                c += of.items[j] == item ? 10.0 * (double)of.weights[j] : 0.0;
                p = of.items[j] == item ? 1.0 : p;
            }
            const float *y = model->items + (size_t)item * sizes[i];
            double score = 0.0;
            for (size_t k = 0; k < sizes[i]; k++) {
                score += (double)y[k] * x[k];
            }
            for (size_t k = 0; k < sizes[i]; k++) {
                left[k] += c * (score - p) * (double)y[k];
            }
        }
        for (size_t k = 0; k < sizes[i]; k++) {
            cr_assert(fabs(left[k]) < 1e-10, "%u factors: %g is left of equation %zu", sizes[i], left[k], k);
        }
        br_ials_free(&model);
    }
}

Test(itembased_ials_user, parts_sum_to_the_score)
{
    for (uint32_t trial = 0; trial < 20; trial++) {
        br_ials *model = made_model(1 + trial * 5, 0.1 + trial, trial);
        br_ials_user *user = user_of(model);
        person of = made_person(trial * 2, trial);
        const float *weights = trial % 2 == 0 ? of.weights : NULL;
        double parts[MOST_OWN];
        br_ials_user_set(user, of.items, weights, of.n);
        for (uint32_t item = 0; item < N_ITEMS; item++) {
            br_ials_user_parts(user, item, parts);
            double sum = 0.0;
            for (uint32_t j = 0; j < of.n; j++) {
                sum += parts[j];
            }
            cr_assert(fabs(sum - br_ials_user_score(user, item)) < 1e-9);
        }
        br_ials_user_free(&user);
        br_ials_free(&model);
    }
}

// Two items with one factor each, 1 and 2; the user has the second with weight 1. Confidence 10, regularization 1:
// W = 1 / (1 + 11 * 4 + 1) = 1 / 46, x = 11 * 2 / 46; of item 0: s = 1 * 2 / 46, c = 11.
Test(itembased_ials_user, is_right_on_an_example_by_hand)
{
    float items[2] = {1.0f, 2.0f};
    uint32_t own = 1;
    double part = 0.0;
    br_ials *model = NULL;
    cr_assert_eq(br_ials_of(&model, items, 2, 1, 1.0, 10.0), BR_OK);
    cr_assert_eq(model->gram[0], 5.0);
    br_ials_user *user = user_of(model);
    cr_assert_eq(br_ials_user_score(user, 0), 0.0);
    br_ials_user_set(user, &own, NULL, 1);
    br_ials_user_parts(user, 0, &part);
    cr_assert(fabs(br_ials_user_score(user, 0) - 22.0 / 46.0) < 1e-15);
    cr_assert(fabs(part - 22.0 / 46.0) < 1e-15);
    br_ials_user_free(&user);
    br_ials_free(&model);
}

Test(itembased_ials_user, recommends_the_highest_scores_that_are_not_its_own)
{
    br_ials *model = made_model(8, 1.0, 3);
    memcpy(model->items + 50 * 8, model->items + 49 * 8, 8 * sizeof(float)); // two equal ones
    br_ials_user *user = user_of(model);
    uint8_t skip[N_ITEMS] = {0};
    for (uint32_t trial = 0; trial < 30; trial++) {
        person of = made_person(trial, trial);
        uint32_t top[N_ITEMS + 5];
        uint32_t n_top = trial == 29 ? N_ITEMS + 5 : trial % 13;
        memset(skip, 0, sizeof skip);
        skip[trial] = trial % 3 == 0;
        br_ials_user_set(user, of.items, of.weights, of.n);
        uint32_t n = br_ials_user_recommend(user, trial % 2 == 0 ? skip : NULL, n_top, top);
        uint8_t out[N_ITEMS] = {0}; // 1: may not be recommended, 2: was
        uint32_t n_free = N_ITEMS;
        for (uint32_t item = 0; item < N_ITEMS; item++) {
            out[item] = trial % 2 == 0 && skip[item] != 0;
            for (uint32_t j = 0; j < of.n; j++) {
                out[item] |= of.items[j] == item;
            }
            n_free -= out[item];
        }
        cr_assert_eq(n, n_free < n_top ? n_free : n_top);
        for (uint32_t i = 0; i < n; i++) {
            cr_assert_eq(out[top[i]], 0);
            out[top[i]] = 2;
            // No other free item is better, or as good and has a lower number.
            for (uint32_t item = 0; item < N_ITEMS; item++) {
                double than = br_ials_user_score(user, item) - br_ials_user_score(user, top[i]);
                cr_assert(out[item] != 0 || than < 0.0 || (than == 0.0 && item > top[i]));
            }
        }
    }
    br_ials_user_free(&user);
    br_ials_free(&model);
}

/// What twin kernels make of the same user: x in scores, then the parts of item 0.
static void twin_answer(double *out, const br_ials *model, const person *of)
{
    size_t n = model->n_factors;
    double *a = br_memdup(model->gram, n * n * sizeof *a);
    double *x = br_calloc(n, sizeof *x);
    cr_assert(a != NULL && x != NULL);
    for (size_t k = 0; k < n; k++) {
        a[k * n + k] += model->regularization;
    }
    for (uint32_t j = 0; j < of->n; j++) {
        double c = 1.0 + model->confidence * (double)of->weights[j];
        twin_add_outer(a, c - 1.0, model->items + of->items[j] * n, n);
        twin_add_row(x, c, model->items + of->items[j] * n, n);
    }
    twin_cholesky(a, n, model->regularization);
    twin_cholesky_solve(a, x, n);
    for (size_t item = 0; item < N_ITEMS; item++) {
        out[item] = twin_dot_row(x, model->items + item * n, n);
    }
    for (size_t k = 0; k < n; k++) {
        x[k] = (double)model->items[k];
    }
    twin_cholesky_solve(a, x, n);
    for (uint32_t j = 0; j < of->n; j++) {
        double c = 1.0 + model->confidence * (double)of->weights[j];
        out[N_ITEMS + j] = twin_dot_row(x, model->items + of->items[j] * n, n) * c;
    }
    br_free(a);
    br_free(x);
}

Test(itembased_ials_user, answers_have_the_same_bytes_everywhere)
{
    static const uint32_t sizes[] = {1, 5, 32, 61, 128};
    double all[5][N_ITEMS + MOST_OWN] = {{0.0}};
    char text[BR_HASH_TEXT];
    cr_assert_eq(br_hash_init(), BR_OK);
    for (uint32_t i = 0; i < 5; i++) {
        double *out = all[i];
        double twin[N_ITEMS + MOST_OWN] = {0.0};
        br_ials *model = made_model(sizes[i], 0.3, 20 + i);
        br_ials_user *user = user_of(model);
        person of = made_person(MOST_OWN, i);
        br_ials_user_set(user, of.items, of.weights, of.n);
        for (uint32_t item = 0; item < N_ITEMS; item++) {
            out[item] = br_ials_user_score(user, item);
        }
        br_ials_user_parts(user, 0, out + N_ITEMS);
        twin_answer(twin, model, &of);
        cr_assert_eq(memcmp(out, twin, sizeof twin), 0, "%u factors", sizes[i]);
        br_ials_user_free(&user);
        br_ials_free(&model);
    }
    br_hash hash = br_hash_of(all, sizeof all);
    br_hash_text(&hash, text);
    cr_assert_str_eq(text, "77cdb0c2137b11057505fd2f952828146d5c513bda49cbb233d377896dea53f8");
}
