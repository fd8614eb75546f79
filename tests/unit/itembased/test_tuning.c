// Goal: a tuning judges each point of its grid as its header says, and takes the best. Method: the same points judged by hand, with whole
// lists of scores sorted and the logarithm of the C library.

#include "base/alloc.h"
#include "itembased/tuning.h"
#include "linalg/gemm.h"
#include "made_history.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { N_USERS = 90, N_ITEMS = 40 };

/// Two histories of the same users and items, that share some.
typedef struct months {
    br_history *train;
    br_history *valid;
} months;

static months made_months(uint64_t seed)
{
    return (months){made_history(N_USERS, N_ITEMS, 0.2, seed), made_history(N_USERS, N_ITEMS, 0.1, seed + 1000)};
}

static void months_free(months *it)
{
    made_history_free(it->train);
    made_history_free(it->valid);
}

static br_tuning_options small_options(void)
{
    br_tuning_options options = br_tuning_options_default();
    options.n_factors = (br_grid_values){{3.0, 6.0}, 2};
    options.regularization = (br_grid_values){{0.5, 5.0}, 2};
    options.confidence = (br_grid_values){{1.0, 10.0, 40.0}, 3};
    options.ials.n_sweeps = 3;
    options.cut = 4;
    return options;
}

static bool has(const br_history *history, uint32_t user, uint32_t item)
{
    for (size_t i = history->begin[user]; i < history->begin[user + 1]; i++) {
        if (history->items[i] == item) {
            return true;
        }
    }
    return false;
}

typedef struct figures {
    double recall, ndcg;
    uint32_t n_users;
} figures;

/// Add one user's figures, given the scores of all items.
static void add_user(figures *sums, const months *of, uint32_t user, const double *scores, uint32_t cut)
{
    uint32_t n_new = 0;
    for (uint32_t item = 0; item < N_ITEMS; item++) {
        n_new += has(of->valid, user, item) && !has(of->train, user, item);
    }
    if (n_new == 0 || of->train->begin[user] == of->train->begin[user + 1]) {
        return;
    }
    bool taken[N_ITEMS] = {false};
    double hits = 0.0;
    double gain = 0.0;
    double best = 0.0;
    for (uint32_t place = 1; place <= cut; place++) {
        uint32_t top = N_ITEMS;
        for (uint32_t item = 0; item < N_ITEMS; item++) {
            if (!taken[item] && !has(of->train, user, item) && (top == N_ITEMS || scores[item] > scores[top])) {
                top = item;
            }
        }
        bool hit = top < N_ITEMS && has(of->valid, user, top);
        if (top < N_ITEMS) {
            taken[top] = true;
        }
        hits += hit;
        gain += hit ? 1.0 / log2(place + 1.0) : 0.0;
        best += place <= n_new ? 1.0 / log2(place + 1.0) : 0.0;
    }
    sums->recall += hits / (n_new < cut ? n_new : cut);
    sums->ndcg += gain / best;
    sums->n_users++;
}

static figures plain_ials(const months *of, const br_ials_options *options, uint32_t cut)
{
    figures sums = {0};
    BR_AUTO(br_ials) *model = NULL;
    BR_AUTO(br_ials_user) *person = NULL;
    cr_assert_eq(br_ials_train(&model, of->train, options, NULL, NULL), BR_OK);
    cr_assert_eq(br_ials_user_new(&person, model), BR_OK);
    for (uint32_t user = 0; user < N_USERS; user++) {
        double scores[N_ITEMS];
        size_t begin = of->train->begin[user];
        br_ials_user_set(person, of->train->items + begin, of->train->weights + begin,
                         (uint32_t)(of->train->begin[user + 1] - begin));
        for (uint32_t item = 0; item < N_ITEMS; item++) {
            scores[item] = br_ials_user_score(person, item);
        }
        add_user(&sums, of, user, scores, cut);
    }
    return sums;
}

static figures plain_ease(const months *of, double regularization, uint32_t cut)
{
    figures sums = {0};
    BR_AUTO(br_cooccurrence) *counts = NULL;
    BR_AUTO(br_ease) *model = NULL;
    cr_assert_eq(br_cooccurrence_new(&counts, of->train), BR_OK);
    cr_assert_eq(br_ease_new(&model, counts, regularization), BR_OK);
    for (uint32_t user = 0; user < N_USERS; user++) {
        double scores[N_ITEMS] = {0.0};
        for (size_t i = of->train->begin[user]; i < of->train->begin[user + 1]; i++) {
            for (uint32_t y = 0; y < N_ITEMS; y++) {
                scores[y] += (double)model->weights[of->train->items[i] * N_ITEMS + y];
            }
        }
        add_user(&sums, of, user, scores, cut);
    }
    return sums;
}

static void check_point(figures sums, uint32_t n_users, double recall, double ndcg)
{
    cr_assert_eq(sums.n_users, n_users);
    cr_assert(fabs(recall - sums.recall / n_users) < 1e-12, "%g, not %g", recall, sums.recall / n_users);
    cr_assert(fabs(ndcg - sums.ndcg / n_users) < 1e-12, "%g, not %g", ndcg, sums.ndcg / n_users);
}

Test(itembased_tuning, judges_every_point_and_takes_the_best)
{
    cr_assert_eq(br_gemm_start(), BR_OK);
    for (uint64_t seed = 0; seed < 3; seed++) {
        months of = made_months(seed);
        br_tuning_options options = small_options();
        options.cut = seed == 2 ? N_ITEMS + 3 : 4; // the last one more than can be recommended
        BR_AUTO(br_tuning) *tuning = NULL;
        cr_assert_eq(br_tuning_new(&tuning, of.train, of.valid, &options, NULL, NULL), BR_OK);
        cr_assert_eq(tuning->n_ials, 12);
        cr_assert_eq(tuning->n_ease, 4);
        for (uint32_t i = 0; i < tuning->n_ials; i++) {
            const br_ials_point *point = &tuning->ials[i];
            cr_assert_eq(point->options.n_factors, i < 6 ? 3 : 6);
            cr_assert_eq(point->options.regularization, i / 3 % 2 == 0 ? 0.5 : 5.0);
            cr_assert_eq(point->options.confidence, options.confidence.values[i % 3]);
            check_point(plain_ials(&of, &point->options, options.cut), tuning->n_users, point->recall, point->ndcg);
            const br_ials_point *best = &tuning->ials[tuning->best_ials];
            cr_assert(point->ndcg < best->ndcg || (point->ndcg == best->ndcg && i >= tuning->best_ials));
        }
        for (uint32_t i = 0; i < tuning->n_ease; i++) {
            const br_ease_point *point = &tuning->ease[i];
            cr_assert_eq(point->regularization, options.ease.values[i]);
            check_point(plain_ease(&of, point->regularization, options.cut), tuning->n_users, point->recall,
                        point->ndcg);
            const br_ease_point *best = &tuning->ease[tuning->best_ease];
            cr_assert(point->ndcg < best->ndcg || (point->ndcg == best->ndcg && i >= tuning->best_ease));
        }
        months_free(&of);
    }
}

static bool count_points(void *context, uint32_t done, uint32_t n)
{
    uint32_t *calls = context; // how many so far, and where to stop
    cr_assert_eq(done, calls[0]);
    cr_assert_eq(n, 16);
    calls[0]++;
    return calls[0] != calls[1];
}

Test(itembased_tuning, is_the_same_for_any_number_of_threads_and_is_watched)
{
    cr_assert_eq(br_gemm_start(), BR_OK);
    months of = made_months(7);
    br_tuning_options options = small_options();
    BR_AUTO(br_tuning) *one = NULL;
    BR_AUTO(br_tuning) *many = NULL;
    uint32_t calls[2] = {0, 0};
    cr_assert_eq(br_tuning_new(&one, of.train, of.valid, &options, count_points, calls), BR_OK);
    cr_assert_eq(calls[0], 16);
    options.ials.n_threads = 5;
    cr_assert_eq(br_tuning_new(&many, of.train, of.valid, &options, NULL, NULL), BR_OK);
    for (uint32_t i = 0; i < 12; i++) {
        cr_assert(one->ials[i].recall == many->ials[i].recall && one->ials[i].ndcg == many->ials[i].ndcg);
    }
    for (uint32_t i = 0; i < 4; i++) {
        cr_assert(one->ease[i].recall == many->ease[i].recall && one->ease[i].ndcg == many->ease[i].ndcg);
    }
    br_tuning *stopped = NULL;
    calls[0] = 0;
    calls[1] = 3;
    cr_assert_eq(br_tuning_new(&stopped, of.train, of.valid, &options, count_points, calls), BR_ERR_CANCELLED);
    cr_assert_null(stopped);
    months_free(&of);
}

Test(itembased_tuning, of_equal_points_the_first_one_wins)
{
    cr_assert_eq(br_gemm_start(), BR_OK);
    months of = made_months(10);
    br_tuning_options options = small_options();
    options.n_factors.n = 1;
    options.regularization = (br_grid_values){{5.0, 5.0, 5.0}, 3};
    options.confidence.n = 1;
    options.ease = (br_grid_values){{100.0, 100.0}, 2};
    BR_AUTO(br_tuning) *tuning = NULL;
    cr_assert_eq(br_tuning_new(&tuning, of.train, of.valid, &options, NULL, NULL), BR_OK);
    cr_assert_eq(tuning->ials[2].ndcg, tuning->ials[0].ndcg);
    cr_assert_eq(tuning->best_ials, 0);
    cr_assert_eq(tuning->best_ease, 0);
    months_free(&of);
}

Test(itembased_tuning, what_cannot_be_is_refused)
{
    months of = made_months(8);
    br_tuning_options options = small_options();
    br_tuning *tuning = NULL;
    cr_assert_eq(br_tuning_new(&tuning, of.train, of.train, &options, NULL, NULL), BR_ERR_NOT_FOUND); // nothing new
    struct {
        br_grid_values *grid;
        double value;
    } wrong[] = {{&options.n_factors, 0.5},        {&options.n_factors, 1e10},  {&options.n_factors, (double)NAN},
                 {&options.regularization, 0.0},   {&options.confidence, -1.0}, {&options.ease, 0.0},
                 {&options.ease, (double)INFINITY}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        options = small_options();
        wrong[i].grid->values[1] = wrong[i].value;
        cr_assert_eq(br_tuning_new(&tuning, of.train, of.valid, &options, NULL, NULL), BR_ERR_INVALID, "case %zu", i);
    }
    options = small_options();
    options.ease.n = BR_MAX_GRID_VALUES + 1;
    cr_assert_eq(br_tuning_new(&tuning, of.train, of.valid, &options, NULL, NULL), BR_ERR_INVALID);
    options = small_options();
    options.cut = 0;
    cr_assert_eq(br_tuning_new(&tuning, of.train, of.valid, &options, NULL, NULL), BR_ERR_INVALID);
    options = small_options();
    options.ials.n_threads = 0;
    cr_assert_eq(br_tuning_new(&tuning, of.train, of.valid, &options, NULL, NULL), BR_ERR_INVALID);
    cr_assert_null(tuning);
    months_free(&of);
}

Test(itembased_tuning, memory_that_cannot_be_had_is_said)
{
    cr_assert_eq(br_gemm_start(), BR_OK);
    months of = made_months(9);
    br_tuning_options options = small_options();
    options.n_factors.n = 1;
    options.regularization.n = 1;
    options.confidence.n = 1;
    options.ease.n = 1;
    size_t live = br_alloc_live();
    br_tuning *tuning = NULL;
    for (size_t n = 0; tuning == NULL; n++) {
        br_alloc_fail_after(n);
        br_status status = br_tuning_new(&tuning, of.train, of.valid, &options, NULL, NULL);
        br_alloc_fail_after(SIZE_MAX);
        cr_assert(status == BR_OK || (status == BR_ERR_NO_MEMORY && br_alloc_live() == live), "%s", br_why(status));
    }
    br_tuning_free(&tuning);
    cr_assert_eq(br_alloc_live(), live);
    months_free(&of);
}
