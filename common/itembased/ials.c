#include "itembased/ials.h"

#include "base/alloc.h"
#include "itembased/top_items.h"
#include "linalg/fixed_solve.h"

#include <math.h>
#include <string.h>

// --- options ---

br_ials_options br_ials_options_default(void)
{
    return (br_ials_options){
        .n_factors = 32, .regularization = 10.0, .confidence = 3.0, .n_sweeps = 15, .seed = 1, .n_threads = 1};
}

static br_status check_range(const char *name, double value, double low, double high)
{
    if (!(value >= low && value <= high)) {
        return br_fail(BR_ERR_INVALID, "iALS: %s %g is not from %g to %g", name, value, low, high);
    }
    return BR_OK;
}

static br_status check_model(double n_factors, double regularization, double confidence)
{
    br_status status = check_range("n_factors", n_factors, 1, BR_IALS_MAX_FACTORS);
    if (status == BR_OK) {
        status = check_range("regularization", regularization, BR_IALS_MIN_STRENGTH, BR_IALS_MAX_STRENGTH);
    }
    if (status == BR_OK) {
        status = check_range("confidence", confidence, BR_IALS_MIN_STRENGTH, BR_IALS_MAX_STRENGTH);
    }
    return status;
}

br_status br_ials_options_check(const br_ials_options *options)
{
    br_status status = check_model(options->n_factors, options->regularization, options->confidence);
    if (status == BR_OK) {
        status = check_range("n_sweeps", options->n_sweeps, 1, BR_IALS_MAX_SWEEPS);
    }
    if (status == BR_OK) {
        status = check_range("n_threads", options->n_threads, 1, BR_IALS_MAX_THREADS);
    }
    return status;
}

// --- the model ---

static void make_gram(br_ials *model)
{
    size_t n = model->n_factors;
    for (size_t item = 0; item < model->n_items; item++) {
        br_fixed_add_outer(model->gram, 1.0, model->items + item * n, n);
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < i; j++) {
            model->gram[i * n + j] = model->gram[j * n + i];
        }
    }
}

static br_status check_items(const float *items, uint32_t n_items, uint32_t n_factors)
{
    for (size_t i = 0; i < (size_t)n_items * n_factors; i++) {
        if (!isfinite(items[i])) {
            return br_fail(BR_ERR_INVALID, "iALS: factor %zu of item %zu is not finite", i % n_factors, i / n_factors);
        }
    }
    return BR_OK;
}

br_status br_ials_of(br_ials **out, const float *items, uint32_t n_items, uint32_t n_factors, double regularization,
                     double confidence)
{
    br_status status = check_model(n_factors, regularization, confidence);
    if (status == BR_OK) {
        status = check_items(items, n_items, n_factors);
    }
    if (status != BR_OK) {
        return status;
    }
    BR_AUTO(br_ials) *model = br_calloc(1, sizeof *model);
    if (model == NULL) {
        return br_no_memory("iALS models", 1);
    }
    *model = (br_ials){
        .n_items = n_items, .n_factors = n_factors, .regularization = regularization, .confidence = confidence};
    size_t n = (size_t)n_items * n_factors;
    model->items = br_malloc((n == 0 ? 1 : n) * sizeof *model->items);
    model->gram = br_calloc((size_t)n_factors * n_factors, sizeof *model->gram);
    if (model->items == NULL || model->gram == NULL) {
        return br_no_memory("item factors", n);
    }
    if (n > 0) {
        memcpy(model->items, items, n * sizeof *items);
    }
    make_gram(model);
    *out = model;
    model = NULL;
    return BR_OK;
}

void br_ials_free(br_ials **model)
{
    if (model != NULL && *model != NULL) {
        br_free((*model)->items);
        br_free((*model)->gram);
        br_free(*model);
        *model = NULL;
    }
}

// --- one user ---

struct br_ials_user {
    const br_ials *model;
    const uint32_t *items;
    const float *weights; // or NULL: all 1
    uint32_t n;
    uint32_t round;   // how often a user was set
    uint32_t *set_in; // [n_items] the round in which the item was last the user's own
    double *factor;   // [n_factors, n_factors] of W_u^-1, br_fixed_cholesky()
    double *x;        // [n_factors] x_u
    double *solved;   // [n_factors] W_u y_i
    double *scores;   // [n_items] of a recommendation
};

static const float *factors_of(const br_ials *model, uint32_t item)
{
    br_assert(item < model->n_items);
    return model->items + (size_t)item * model->n_factors;
}

/// c_uj of the j-th item
static double confidence_of(const br_ials_user *user, uint32_t j)
{
    return 1.0 + user->model->confidence * (user->weights == NULL ? 1.0 : (double)user->weights[j]);
}

br_status br_ials_user_new(br_ials_user **out, const br_ials *model)
{
    size_t n_factors = model->n_factors;
    size_t n_items = model->n_items == 0 ? 1 : model->n_items;
    BR_AUTO(br_ials_user) *user = br_calloc(1, sizeof *user);
    if (user == NULL) {
        return br_no_memory("users", 1);
    }
    user->model = model;
    user->set_in = br_calloc(n_items, sizeof *user->set_in);
    user->factor = br_calloc_aligned(n_factors * n_factors, sizeof *user->factor);
    user->x = br_calloc_aligned(n_factors, sizeof *user->x);
    user->solved = br_calloc_aligned(n_factors, sizeof *user->solved);
    user->scores = br_malloc(n_items * sizeof *user->scores);
    if (user->set_in == NULL || user->factor == NULL || user->x == NULL || user->solved == NULL ||
        user->scores == NULL) {
        return br_no_memory("scores of a user", n_items);
    }
    br_ials_user_set(user, NULL, NULL, 0);
    *out = user;
    user = NULL;
    return BR_OK;
}

void br_ials_user_free(br_ials_user **user)
{
    if (user != NULL && *user != NULL) {
        br_free((*user)->set_in);
        br_free((*user)->factor);
        br_free((*user)->x);
        br_free((*user)->solved);
        br_free((*user)->scores);
        br_free(*user);
        *user = NULL;
    }
}

static void next_round(br_ials_user *user)
{
    user->round++;
    if (user->round == 0) { // after 2^32 users: what the numbers say of earlier ones would be taken for this one
        memset(user->set_in, 0, user->model->n_items * sizeof *user->set_in);
        user->round = 1;
    }
}

/// What items j to j + n - 1 add to W_u^-1 and to C_u p_u.
static void add_items(br_ials_user *user, uint32_t j, uint32_t n)
{
    const size_t n_factors = user->model->n_factors;
    const float *rows[BR_FIXED_OUTERS];
    double weights[BR_FIXED_OUTERS];
    for (uint32_t k = 0; k < n; k++) {
        const uint32_t item = user->items[j + k];
        const double c = confidence_of(user, j + k);
        br_assert(user->set_in[item] != user->round);
        user->set_in[item] = user->round;
        rows[k] = factors_of(user->model, item);
        weights[k] = c - 1.0;
        br_fixed_add_row(user->x, c, rows[k], n_factors);
    }
    if (n == BR_FIXED_OUTERS) {
        br_fixed_add_outers(user->factor, weights, rows, n_factors);
    }
    for (uint32_t k = 0; k < n && n < BR_FIXED_OUTERS; k++) {
        br_fixed_add_outer(user->factor, weights[k], rows[k], n_factors);
    }
}

void br_ials_user_set(br_ials_user *user, const uint32_t *items, const float *weights, uint32_t n)
{
    const br_ials *model = user->model;
    size_t n_factors = model->n_factors;
    user->items = items;
    user->weights = weights;
    user->n = n;
    next_round(user);
    memcpy(user->factor, model->gram, n_factors * n_factors * sizeof *user->factor);
    memset(user->x, 0, n_factors * sizeof *user->x);
    for (size_t i = 0; i < n_factors; i++) {
        user->factor[i * n_factors + i] += model->regularization;
    }
    for (uint32_t j = 0; j < n; j += BR_FIXED_OUTERS) {
        add_items(user, j, n - j < BR_FIXED_OUTERS ? n - j : BR_FIXED_OUTERS);
    }
    br_fixed_cholesky(user->factor, n_factors, model->regularization);
    br_fixed_cholesky_solve(user->factor, user->x, n_factors);
}

double br_ials_user_score(const br_ials_user *user, uint32_t item)
{
    return br_fixed_dot_row(user->x, factors_of(user->model, item), user->model->n_factors);
}

void br_ials_user_parts(br_ials_user *user, uint32_t item, double *parts_out)
{
    const br_ials *model = user->model;
    const float *y = factors_of(model, item);
    for (size_t i = 0; i < model->n_factors; i++) {
        user->solved[i] = (double)y[i];
    }
    br_fixed_cholesky_solve(user->factor, user->solved, model->n_factors);
    for (uint32_t j = 0; j < user->n; j++) {
        double s = br_fixed_dot_row(user->solved, factors_of(model, user->items[j]), model->n_factors);
        parts_out[j] = s * confidence_of(user, j);
    }
}

uint32_t br_ials_user_recommend(const br_ials_user *user, const uint8_t *skip, uint32_t n_top, uint32_t *items_out)
{
    br_top_items top = {.items = items_out, .n_top = n_top, .scores = user->scores};
    for (uint32_t item = 0; item < user->model->n_items; item++) {
        if (user->set_in[item] != user->round && (skip == NULL || skip[item] == 0)) {
            user->scores[item] = br_ials_user_score(user, item);
            br_top_items_offer(&top, item);
        }
    }
    return top.n;
}
