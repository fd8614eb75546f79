#include "base/alloc.h"
#include "base/rng.h"
#include "base/workers.h"
#include "itembased/ials.h"
#include "linalg/fixed.h"
#include "linalg/fixed_solve.h"

#include <string.h>

// Everybody's equations are solved on their own, and what is summed over all users or items is summed over parts that depend on their number
// alone: no result depends on the number of threads. The kernels of the answer path serve here, too: on the few rows of one history their
// product is faster than BLAS, which packs its operands first.

enum {
    CHUNK = 128,  // rows of a history for one product
    TURNED = 144, // floats from one turned row to the next: no power of two, or they would share places in the cache
    STRIP = 16,   // rows of a product: left of the diagonal at most one strip is computed in vain
    AHEAD = 8,    // rows from the one that is gathered to the one that is asked for
    BLOCK = 16,   // equations of one item of work
    PARTS = 16,   // of a sum over all users or all items
};
#define FIRST_DEVIATION 0.1  // of the first item factors
#define MAX_ROUNDING    1e-4 // in A, in units of the regularization

/// Users or items.
typedef struct side {
    uint32_t n;
    const size_t *begin;    // [n + 1]
    const uint32_t *others; // of the other side, those that each one meets
    const float *weights;
    float *factors; // [n, n_factors]
    double *gram;   // [n_factors, n_factors] upper triangle of factors^T factors
} side;

/// A worker's own memory.
typedef struct desk {
    double *a;     // [n_factors, n_factors]
    double *b;     // [n_factors]
    float *rows;   // [CHUNK, n_factors] gathered
    float *turned; // [n_factors, TURNED] the same, times what the confidence is above 1
    float *sums;   // [n_factors, n_factors] of one chunk
} desk;

typedef struct trainer {
    const br_ials_options *options;
    br_workers *workers;
    const br_fixed_kernels *kernels;
    side users;
    side items;
    size_t *item_begin;   // [n_items + 1] the second history
    uint32_t *item_users; // [n]
    float *item_weights;  // [n]
    double *memory;       // of all desks
    desk *desks;          // [n_threads]
    double *part_grams;   // [PARTS, n_factors, n_factors]
    double part_losses[PARTS];
    side *to;         // the side that is worked on
    const side *from; // the other one
} trainer;

static void trainer_deinit(trainer *it)
{
    br_workers_free(&it->workers);
    br_free(it->item_begin);
    br_free(it->item_users);
    br_free(it->item_weights);
    br_free(it->users.factors);
    br_free(it->items.factors);
    br_free(it->users.gram);
    br_free(it->items.gram);
    br_free(it->memory);
    br_free(it->desks);
    br_free(it->part_grams);
}

// --- preparation ---

/// The history by items, users in rising order.
static br_status turn_history(trainer *it, const br_history *history)
{
    size_t n = history->begin[history->n_users];
    it->item_begin = br_calloc((size_t)history->n_items + 2, sizeof *it->item_begin);
    it->item_users = br_malloc((n + 1) * sizeof *it->item_users);
    it->item_weights = br_malloc((n + 1) * sizeof *it->item_weights);
    if (it->item_begin == NULL || it->item_users == NULL || it->item_weights == NULL) {
        return br_no_memory("interactions by item", n);
    }
    // Counted two places further on, so that what is filled in below leaves each item's begin where it belongs.
    size_t *next = it->item_begin + 1;
    for (size_t i = 0; i < n; i++) {
        br_assert(history->items[i] < history->n_items);
        next[history->items[i] + 1]++;
    }
    for (size_t item = 0; item < history->n_items; item++) {
        next[item + 1] += next[item];
    }
    for (uint32_t user = 0; user < history->n_users; user++) {
        for (size_t i = history->begin[user]; i < history->begin[user + 1]; i++) {
            size_t at = next[history->items[i]]++;
            it->item_users[at] = user;
            it->item_weights[at] = history->weights[i];
        }
    }
    return BR_OK;
}

static br_status side_init(side *it, uint32_t n, size_t n_factors)
{
    it->n = n;
    it->factors = br_calloc_aligned(n == 0 ? 1 : n * n_factors, sizeof *it->factors);
    it->gram = br_calloc_aligned(n_factors * n_factors, sizeof *it->gram);
    return it->factors == NULL || it->gram == NULL ? br_no_memory("factors", n * n_factors) : BR_OK;
}

static br_status make_desks(trainer *it)
{
    size_t n = it->options->n_factors;
    size_t doubles = n * n + n;
    size_t floats = n * n + (CHUNK + TURNED) * n;
    size_t bytes = (doubles * sizeof(double) + floats * sizeof(float) + 63) / 64 * 64; // whole cache lines
    it->desks = br_calloc(it->options->n_threads, sizeof *it->desks);
    it->memory = br_calloc_aligned(it->options->n_threads, bytes);
    it->part_grams = br_calloc_aligned(PARTS * n * n, sizeof *it->part_grams);
    if (it->desks == NULL || it->memory == NULL || it->part_grams == NULL) {
        return br_no_memory("threads", it->options->n_threads);
    }
    for (size_t i = 0; i < it->options->n_threads; i++) {
        double *a = (double *)((char *)it->memory + i * bytes);
        float *rows = (float *)(a + doubles);
        it->desks[i] = (desk){a, a + n * n, rows, rows + CHUNK * n, rows + (CHUNK + TURNED) * n};
    }
    return BR_OK;
}

static void first_factors(const side *items, const br_ials_options *options)
{
    for (uint32_t item = 0; item < items->n; item++) {
        br_rng rng = br_rng_at(options->seed, BR_STREAM_INIT, item, 0);
        for (size_t k = 0; k < options->n_factors; k++) {
            items->factors[item * (size_t)options->n_factors + k] = (float)(FIRST_DEVIATION * br_rng_normal(&rng));
        }
    }
}

static br_status trainer_init(trainer *it, const br_history *history, const br_ials_options *options)
{
    it->options = options;
    it->kernels = br_fixed();
    br_status status = br_workers_new(&it->workers, options->n_threads);
    if (status == BR_OK) {
        status = turn_history(it, history);
    }
    if (status == BR_OK) {
        status = side_init(&it->users, history->n_users, options->n_factors);
    }
    if (status == BR_OK) {
        status = side_init(&it->items, history->n_items, options->n_factors);
    }
    if (status == BR_OK) {
        status = make_desks(it);
    }
    if (status != BR_OK) {
        return status;
    }
    it->users.begin = history->begin;
    it->users.others = history->items;
    it->users.weights = history->weights;
    it->items.begin = it->item_begin;
    it->items.others = it->item_users;
    it->items.weights = it->item_weights;
    first_factors(&it->items, options);
    return BR_OK;
}

// --- sums over a whole side ---

static size_t part_begin(size_t n, uint32_t part)
{
    return n * part / PARTS;
}

static void gram_part(void *context, uint32_t worker, uint32_t part)
{
    (void)worker;
    trainer *it = context;
    size_t n_factors = it->options->n_factors;
    double *gram = it->part_grams + part * n_factors * n_factors;
    size_t end = part_begin(it->to->n, part + 1);
    memset(gram, 0, n_factors * n_factors * sizeof *gram);
    for (size_t i = part_begin(it->to->n, part); i < end; i++) {
        br_fixed_add_outer(gram, 1.0, it->to->factors + i * n_factors, n_factors);
    }
}

static void make_gram(trainer *it, side *to)
{
    size_t size = (size_t)it->options->n_factors * it->options->n_factors;
    it->to = to;
    br_workers_run(it->workers, gram_part, it, PARTS);
    memset(to->gram, 0, size * sizeof *to->gram);
    for (size_t part = 0; part < PARTS; part++) {
        for (size_t i = 0; i < size; i++) {
            to->gram[i] += it->part_grams[part * size + i];
        }
    }
}

// --- half a sweep ---

/// A += sum (c - 1) y y^T over the `n` rows at hand, summed in single precision: what that leaves in A changes the loss by its square.
static void add_chunk(const trainer *it, const desk *at, size_t n)
{
    size_t n_factors = it->options->n_factors;
    memset(at->sums, 0, n_factors * n_factors * sizeof *at->sums);
    for (size_t i = 0; i < n_factors; i += STRIP) {
        br_fixed_product product = {
            .y = at->sums + i * n_factors + i,
            .y_stride = n_factors,
            .x = at->turned + i * TURNED,
            .x_stride = TURNED,
            .a = at->rows + i,
            .a_stride = n_factors,
            .n = n_factors - i < STRIP ? n_factors - i : STRIP,
            .rows = n,
            .columns = n_factors - i,
        };
        it->kernels->product(&product);
    }
    for (size_t i = 0; i < n_factors; i++) {
        size_t diagonal = i * n_factors + i;
        br_fixed_add_row(at->a + diagonal, 1.0, at->sums + diagonal, n_factors - i);
    }
}

/// Ask for a row that is read soon: rows lie all over the memory.
static void fetch(const trainer *it, uint32_t other)
{
    enum { LINE = 16 }; // floats
    const float *row = it->from->factors + other * (size_t)it->options->n_factors;
    for (size_t k = 0; k < it->options->n_factors; k += LINE) {
        __builtin_prefetch(row + k);
    }
}

/// A = gram + regularization I, b = 0
static void clear(const trainer *it, const desk *at)
{
    size_t n_factors = it->options->n_factors;
    memcpy(at->a, it->from->gram, n_factors * n_factors * sizeof *at->a);
    memset(at->b, 0, n_factors * sizeof *at->b);
    for (size_t k = 0; k < n_factors; k++) {
        at->a[k * n_factors + k] += it->options->regularization;
    }
}

/// What is said about one of a side: A = gram + regularization I + sum (c - 1) y y^T, b = sum c y.
static void gather(const trainer *it, uint32_t number, const desk *at)
{
    const side *to = it->to;
    size_t n_factors = it->options->n_factors;
    size_t end = to->begin[number + 1];
    clear(it, at);
    for (size_t i = to->begin[number]; i < end; i += CHUNK) {
        size_t n = end - i < CHUNK ? end - i : CHUNK;
        for (size_t row = 0; row < n; row++) {
            const float *y = it->from->factors + to->others[i + row] * n_factors;
            double more = it->options->confidence * (double)to->weights[i + row];
            if (i + row + AHEAD < to->begin[to->n]) {
                fetch(it, to->others[i + row + AHEAD]);
            }
            memcpy(at->rows + row * n_factors, y, n_factors * sizeof *y);
            br_fixed_add_row(at->b, 1.0 + more, y, n_factors);
            for (size_t k = 0; k < n_factors; k++) {
                at->turned[k * TURNED + row] = (float)more * y[k];
            }
        }
        add_chunk(it, at, n);
    }
}

/// Is what rounding may have left in A, of the order of 2^-24 of the trace that was added, small beside the least eigenvalue? That is at least the
/// regularization.
static bool is_exact_enough(const trainer *it, const desk *at)
{
    size_t n_factors = it->options->n_factors;
    double trace = 0.0;
    for (size_t k = 0; k < n_factors; k++) {
        size_t diagonal = k * n_factors + k;
        trace += at->a[diagonal] - it->from->gram[diagonal] - it->options->regularization;
    }
    return trace * 0x1p-24 <= MAX_ROUNDING * it->options->regularization;
}

/// The same row by row, in double precision throughout: slower.
static void gather_exactly(const trainer *it, uint32_t number, const desk *at)
{
    const side *to = it->to;
    size_t n_factors = it->options->n_factors;
    clear(it, at);
    for (size_t i = to->begin[number]; i < to->begin[number + 1]; i++) {
        const float *y = it->from->factors + to->others[i] * n_factors;
        double more = it->options->confidence * (double)to->weights[i];
        br_fixed_add_row(at->b, 1.0 + more, y, n_factors);
        br_fixed_add_outer(at->a, more, y, n_factors);
    }
}

static void solve_block(void *context, uint32_t worker, uint32_t block)
{
    trainer *it = context;
    size_t n_factors = it->options->n_factors;
    const desk *at = &it->desks[worker];
    uint32_t begin = block * BLOCK;
    uint32_t end = it->to->n - begin < BLOCK ? it->to->n : begin + BLOCK;
    for (uint32_t number = begin; number < end; number++) {
        float *x = it->to->factors + number * n_factors;
        if (it->to->begin[number] == it->to->begin[number + 1]) {
            memset(x, 0, n_factors * sizeof *x); // b is 0
            continue;
        }
        gather(it, number, at);
        if (!is_exact_enough(it, at)) {
            gather_exactly(it, number, at);
        }
        br_fixed_cholesky(at->a, n_factors, it->options->regularization);
        br_fixed_cholesky_solve(at->a, at->b, n_factors);
        for (size_t k = 0; k < n_factors; k++) {
            x[k] = (float)at->b[k];
        }
    }
}

static void solve_side(trainer *it, side *to, const side *from)
{
    it->to = to;
    it->from = from;
    br_workers_run(it->workers, solve_block, it, to->n / BLOCK + (to->n % BLOCK != 0));
    make_gram(it, to);
}

// --- loss ---

/// Of some users: sum over their items of c (1 - s)^2 - s^2; the s^2 of all pairs come from the Gram matrices.
static void loss_part(void *context, uint32_t worker, uint32_t part)
{
    trainer *it = context;
    double *x = it->desks[worker].b;
    const side *users = &it->users;
    size_t n_factors = it->options->n_factors;
    double sum = 0.0;
    for (size_t user = part_begin(users->n, part); user < part_begin(users->n, part + 1); user++) {
        for (size_t k = 0; k < n_factors; k++) {
            x[k] = (double)users->factors[user * n_factors + k];
        }
        for (size_t i = users->begin[user]; i < users->begin[user + 1]; i++) {
            const float *y = it->items.factors + users->others[i] * n_factors;
            double score = br_fixed_dot_row(x, y, n_factors);
            double c = 1.0 + it->options->confidence * (double)users->weights[i];
            sum += c * (1.0 - score) * (1.0 - score) - score * score;
        }
    }
    it->part_losses[part] = sum;
}

static double loss_of(trainer *it)
{
    size_t n = it->options->n_factors;
    const double *users = it->users.gram;
    const double *items = it->items.gram;
    br_workers_run(it->workers, loss_part, it, PARTS);
    double loss = 0.0;
    for (size_t part = 0; part < PARTS; part++) {
        loss += it->part_losses[part];
    }
    for (size_t i = 0; i < n; i++) {
        loss += users[i * n + i] * items[i * n + i];
        loss += it->options->regularization * (users[i * n + i] + items[i * n + i]);
        for (size_t j = i + 1; j < n; j++) {
            loss += 2.0 * users[i * n + j] * items[i * n + j];
        }
    }
    return loss;
}

static br_status sweep_all(trainer *it, br_ials_watcher watcher, void *context)
{
    make_gram(it, &it->items);
    for (uint32_t sweep = 0; sweep < it->options->n_sweeps; sweep++) {
        solve_side(it, &it->users, &it->items);
        solve_side(it, &it->items, &it->users);
        if (watcher != NULL && !watcher(context, sweep, loss_of(it))) {
            return br_fail(BR_ERR_CANCELLED, "stopped after sweep %u", sweep + 1);
        }
    }
    return BR_OK;
}

br_status br_ials_train(br_ials **out, const br_history *history, const br_ials_options *options,
                        br_ials_watcher watcher, void *context)
{
    br_status status = br_ials_options_check(options);
    if (status != BR_OK) {
        return status;
    }
    BR_AUTO_DEINIT(trainer) it = {0};
    status = trainer_init(&it, history, options);
    if (status == BR_OK) {
        status = sweep_all(&it, watcher, context);
    }
    if (status != BR_OK) {
        return status;
    }
    return br_ials_of(out, it.items.factors, it.items.n, options->n_factors, options->regularization,
                      options->confidence);
}
