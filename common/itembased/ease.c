#include "itembased/ease.h"

#include "base/alloc.h"
#include "linalg/cholesky.h"

#include <math.h>
#include <string.h>

// --- how many users have both ---

/// Both (x, y) and (y, x): twice the additions, but each in the row of one item.
static void count_user(br_cooccurrence *counts, const uint32_t *items, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        br_assert(items[i] < counts->n_items);
        uint32_t *row = counts->counts + (size_t)items[i] * counts->n_items;
        for (size_t j = 0; j < n; j++) {
            row[items[j]]++;
        }
    }
}

br_status br_cooccurrence_new(br_cooccurrence **out, const br_history *history)
{
    uint32_t n_items = history->n_items;
    if (n_items > BR_MAX_PAIR_ITEMS) {
        return br_fail(BR_ERR_LIMIT, "%u items are more than a table of pairs takes: keep the %u most popular ones",
                       n_items, BR_MAX_PAIR_ITEMS);
    }
    BR_AUTO(br_cooccurrence) *counts = br_calloc(1, sizeof *counts);
    if (counts == NULL) {
        return br_no_memory("tables of pairs", 1);
    }
    counts->n_items = n_items;
    counts->counts = br_calloc(n_items == 0 ? 1 : (size_t)n_items * n_items, sizeof *counts->counts);
    if (counts->counts == NULL) {
        return br_no_memory("pairs of items", (size_t)n_items * n_items);
    }
    for (uint32_t user = 0; user < history->n_users; user++) {
        size_t begin = history->begin[user];
        size_t n = history->begin[user + 1] - begin;
        counts->n_users += n > 0;
        count_user(counts, history->items + begin, n);
    }
    *out = counts;
    counts = NULL;
    return BR_OK;
}

void br_cooccurrence_free(br_cooccurrence **counts)
{
    if (counts != NULL && *counts != NULL) {
        br_free((*counts)->counts);
        br_free(*counts);
        *counts = NULL;
    }
}

// --- EASE ---

static double *regularized(const br_cooccurrence *counts, double regularization)
{
    size_t n = counts->n_items;
    double *g = br_calloc_aligned(n == 0 ? 1 : n * n, sizeof *g);
    if (g == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < n * n; i++) {
        g[i] = (double)counts->counts[i];
    }
    for (size_t i = 0; i < n; i++) {
        g[i * n + i] += regularization;
    }
    return g;
}

/// B from P [n, n], in the memory of P, row after row through `row` [n]: a row of floats ends before the next one of doubles begins. diagonal [n]
static void weights_in_place(void *memory, size_t n, const double *diagonal, double *row)
{
    char *bytes = memory;
    for (size_t x = 0; x < n; x++) {
        memcpy(row, bytes + x * n * sizeof(double), n * sizeof(double));
        for (size_t y = 0; y < n; y++) {
            float weight = x == y ? 0.0f : (float)(-row[y] / diagonal[y]);
            memcpy(bytes + (x * n + y) * sizeof(float), &weight, sizeof weight);
        }
    }
}

/// Takes `p`, which holds P, and leaves B in a block that is half as large.
static br_status take_weights(br_ease *model, double *p)
{
    size_t n = model->n_items;
    double *scratch = br_malloc((2 * n + 1) * sizeof *scratch);
    if (scratch == NULL) {
        br_free(p);
        return br_no_memory("rows of item weights", 2);
    }
    for (size_t i = 0; i < n; i++) {
        scratch[i] = p[i * n + i];
    }
    weights_in_place(p, n, scratch, scratch + n);
    br_free(scratch);
    float *smaller = br_reallocarray(p, n == 0 ? 1 : n * n, sizeof *smaller);
    model->weights = smaller;
    if (smaller == NULL) {
        br_free(p);
        return br_no_memory("item weights", n * n);
    }
    return BR_OK;
}

br_status br_ease_new(br_ease **out, const br_cooccurrence *counts, double regularization)
{
    if (!(regularization > 0.0 && isfinite(regularization))) {
        return br_fail(BR_ERR_INVALID, "EASE: regularization %g is not above 0", regularization);
    }
    BR_AUTO(br_ease) *model = br_calloc(1, sizeof *model);
    if (model == NULL) {
        return br_no_memory("EASE models", 1);
    }
    model->n_items = counts->n_items;
    double *p = regularized(counts, regularization);
    if (p == NULL) {
        return br_no_memory("pairs of items", (size_t)counts->n_items * counts->n_items);
    }
    br_status status = br_cholesky_invert(p, counts->n_items);
    if (status != BR_OK) {
        br_free(p);
        return status;
    }
    status = take_weights(model, p);
    if (status == BR_OK) {
        *out = model;
        model = NULL;
    }
    return status;
}

void br_ease_free(br_ease **model)
{
    if (model != NULL && *model != NULL) {
        br_free((*model)->weights);
        br_free(*model);
        *model = NULL;
    }
}

// --- rules ---

br_rule br_rule_of(const br_cooccurrence *counts, uint32_t x, uint32_t y)
{
    size_t n_items = counts->n_items;
    br_assert(x < n_items && y < n_items);
    if (counts->n_users == 0) {
        return (br_rule){0.0, 0.0, 0.0};
    }
    double n = (double)counts->n_users;
    double both = (double)counts->counts[x * n_items + y];
    double has_x = (double)counts->counts[x * n_items + x];
    double has_y = (double)counts->counts[y * n_items + y];
    return (br_rule){
        .support = both / n,
        .confidence = has_x > 0.0 ? both / has_x : 0.0,
        .leverage = both / n - has_x / n * (has_y / n),
    };
}
