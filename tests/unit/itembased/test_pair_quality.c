// Goal: Algorithm 1 to the letter. Method: figures of a list by hand; a user whose order is known; a twin that follows the algorithm's lines one by one
// over random data, for every approach.

#include "base/alloc.h"
#include "base/rng.h"
#include "itembased/pair_quality.h"
#include "made_world.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { NO = 0, YES = 1, OPEN = -1 };

// 1 / log2(k + 1)
#define GAIN_1 1.0
#define GAIN_2 0.63092975357145735
#define GAIN_3 0.5
#define GAIN_4 0.43067655807339306

static void figures(const char *labels, uint32_t cut, double recall, double ndcg, double map)
{
    uint8_t bits[16];
    uint32_t n = (uint32_t)strlen(labels);
    for (uint32_t i = 0; i < n; i++) {
        bits[i] = labels[i] == '1';
    }
    br_ranked_quality q = br_ranked_quality_of(bits, n, cut);
    cr_expect_float_eq(q.recall, recall, 1e-14, "%s recall at %u: %g", labels, cut, q.recall);
    cr_expect_float_eq(q.ndcg, ndcg, 1e-14, "%s ndcg at %u: %g", labels, cut, q.ndcg);
    cr_expect_float_eq(q.map, map, 1e-14, "%s map at %u: %g", labels, cut, q.map);
}

Test(itembased_pair_quality, figures_of_a_list_by_hand)
{
    figures("0101", 1, 0.0, 0.0, 0.0);
    figures("0101", 2, 0.5, GAIN_2 / (GAIN_1 + GAIN_2), 0.25);
    figures("0101", 3, 0.5, GAIN_2 / (GAIN_1 + GAIN_2), 0.25);
    figures("0101", 4, 1.0, (GAIN_2 + GAIN_4) / (GAIN_1 + GAIN_2), (1.0 / 2.0 + 2.0 / 4.0) / 2.0);
    figures("1011", 1, 1.0, 1.0, 1.0);
    figures("1011", 2, 0.5, GAIN_1 / (GAIN_1 + GAIN_2), 0.5);
    figures("1011", 3, 2.0 / 3.0, (GAIN_1 + GAIN_3) / (GAIN_1 + GAIN_2 + GAIN_3), (1.0 + 2.0 / 3.0) / 3.0);
    figures("0001", 3, 0.0, 0.0, 0.0);
}

Test(itembased_pair_quality, zeros_stand_behind_the_end)
{
    figures("1", 3, 1.0, 1.0, 1.0);
    figures("01", 10, 1.0, GAIN_2, 0.5);
    figures("11", 8, 1.0, 1.0, 1.0);
}

Test(itembased_pair_quality, without_a_valid_one_there_is_no_figure)
{
    br_ranked_quality q = br_ranked_quality_of((const uint8_t[]){0, 0}, 2, 1);
    cr_expect(isnan(q.recall) && isnan(q.ndcg) && isnan(q.map));
    q = br_ranked_quality_of(NULL, 0, 3);
    cr_expect(isnan(q.recall) && isnan(q.ndcg) && isnan(q.map));
}

// --- one user ---

// Ann bought a, b, c, d in this order and is recommended y, then z; bob, who bought d twice and y, is recommended others.
typedef struct judgement {
    const made_world *world;
    const char *pairs; // "ay1 by0 ": X, Y, 1 or 0; all others are not judged
} judgement;

static int judge(const void *context, uint32_t x, uint32_t y)
{
    const judgement *j = context;
    const char *name_x = br_transactions_item(j->world->table, x);
    const char *name_y = br_transactions_item(j->world->table, y);
    cr_assert_neq(x, y);
    for (const char *pair = j->pairs; *pair != '\0'; pair += 4) {
        if (pair[0] == name_x[0] && pair[1] == name_y[0]) {
            return pair[2] == '1' ? YES : NO;
        }
    }
    return OPEN;
}

static made_world ann(void)
{
    static const float factors[] = {1.0f, 2.0f, 3.0f, 4.0f, 6.0f, 5.0f};
    made_world world = made_world_new();
    const char *const items[] = {"a", "b", "c", "d"};
    for (int i = 0; i < 4; i++) {
        made_world_buy(&world, "ann", items[i], 100 + i);
    }
    made_world_buy(&world, "bob", "y", 1);
    made_world_buy(&world, "bob", "z", 2);
    made_world_rank(&world, factors, 6);
    return world;
}

static const br_pair_quality_options by_default = {
    .n_top = 1, .cuts = {1, 2, 3}, .n_cuts = 3, .min_candidates = 1, .n_resamples = 50, .seed = 1};

static br_pair_quality quality_of(made_world *world, const char *pairs, br_pair_quality_options options)
{
    br_pair_quality q;
    br_status status =
        br_pair_quality_of(&q, world->rankers, judge, &(judgement){.world = world, .pairs = pairs}, &options);
    cr_assert_eq(status, BR_OK, "%s", br_why(status));
    return q;
}

static void expect_figures(const br_pair_figures *f, uint32_t c, double recall, double ndcg, double map)
{
    cr_expect_float_eq(f->recall[c].mean, recall, 1e-14, "recall %g", f->recall[c].mean);
    cr_expect_float_eq(f->ndcg[c].mean, ndcg, 1e-14, "ndcg %g", f->ndcg[c].mean);
    cr_expect_float_eq(f->map[c].mean, map, 1e-14, "map %g", f->map[c].mean);
}

Test(itembased_pair_quality, one_user_by_hand)
{
    made_world world = ann();
    // Chrono: d, c, b, a, of which c is not judged: 0 1 1. iALS: d, c, b, a, too, as their factors rise.
    br_pair_quality q = quality_of(&world, "dy0 by1 ay1 az1 ", by_default);
    cr_expect(q.n_users == 1 && q.n_lists == 1 && q.n_without_valid == 0);
    cr_expect_eq(q.n_unjudged, 1, "bob's");
    cr_expect(q.candidates_mean == 3.0 && q.valid_mean == 2.0);
    const br_ranker same[] = {BR_RANKER_CHRONO, BR_RANKER_IALS};
    for (int r = 0; r < 2; r++) {
        expect_figures(&q.of[same[r]], 0, 0.0, 0.0, 0.0);
        expect_figures(&q.of[same[r]], 1, 0.5, GAIN_2 / (GAIN_1 + GAIN_2), 0.25);
        expect_figures(&q.of[same[r]], 2, 1.0, (GAIN_2 + GAIN_3) / (GAIN_1 + GAIN_2), (1.0 / 2.0 + 2.0 / 3.0) / 2.0);
    }
    double over = q.of[BR_RANKER_CHRONO].recall[1].mean - q.of[BR_RANKER_RANDOM].recall[1].mean;
    cr_expect_float_eq(q.of[BR_RANKER_CHRONO].over_random[1].mean, over, 1e-15);
    cr_expect_eq(q.of[BR_RANKER_RANDOM].over_random[1].mean, 0.0);
    cr_expect(isnan(q.of[BR_RANKER_CHRONO].recall[1].low), "one user says nothing of others");
    cr_expect(isnan(q.of[BR_RANKER_EASE].recall[0].mean) && q.of[BR_RANKER_EASE].recall[0].n == 0, "not there");
    cr_expect(isnan(q.of[BR_RANKER_CHRONO].recall[3].mean), "not a cut that was asked for");
    made_world_free(&world);
}

Test(itembased_pair_quality, which_lists_count)
{
    made_world world = ann();
    br_pair_quality_options two = by_default;
    two.n_top = 2;
    br_pair_quality q = quality_of(&world, "dy0 by1 az1 dz0 cz0 ", two);
    cr_expect(q.n_users == 1 && q.n_lists == 2 && q.candidates_mean == 2.5 && q.valid_mean == 1.0);
    // y: 0 1; z: 0 0 1.
    expect_figures(&q.of[BR_RANKER_CHRONO], 1, 0.5, GAIN_2 / 2.0, 0.25);
    cr_expect_eq(q.of[BR_RANKER_CHRONO].map[1].n, 2);
    q = quality_of(&world, "dy0 by1 az0 dz0 ", two);
    cr_expect(q.n_lists == 1 && q.n_without_valid == 1 && q.n_unjudged == 2, "z has none that is valid");
    q = quality_of(&world, "by1 ", two);
    cr_expect(q.n_lists == 1 && q.of[BR_RANKER_CHRONO].recall[0].mean == 1.0, "one candidate is a list");
    two.min_candidates = 2;
    q = quality_of(&world, "dy0 by1 az1 ", two);
    cr_expect(q.n_lists == 1 && q.n_unjudged == 3 && q.candidates_mean == 2.0, "z has one candidate only");
    q = quality_of(&world, "", two);
    cr_expect(q.n_users == 0 && q.n_lists == 0 && q.n_unjudged == 4 && isnan(q.candidates_mean));
    cr_expect(isnan(q.of[BR_RANKER_IALS].recall[0].mean) && isnan(q.of[BR_RANKER_IALS].recall[0].low));
    made_world_free(&world);
}

Test(itembased_pair_quality, options_that_cannot_be)
{
    made_world world = ann();
    br_pair_quality_options wrong[6];
    for (int i = 0; i < 6; i++) {
        wrong[i] = by_default;
    }
    wrong[0].n_top = 0;
    wrong[1].n_cuts = 0;
    wrong[2].n_cuts = BR_MAX_CUTS + 1;
    wrong[3].cuts[1] = 0;
    wrong[4].min_candidates = 0;
    wrong[5].n_resamples = 0;
    judgement none = {.world = &world, .pairs = ""};
    for (int i = 0; i < 6; i++) {
        br_pair_quality q;
        cr_expect_eq(br_pair_quality_of(&q, world.rankers, judge, &none, &wrong[i]), BR_ERR_INVALID, "%d", i);
    }
    made_world_free(&world);
}

// --- the twin ---

enum { USERS = 60, ITEMS = 24, TOP = 5 };

static int random_judge(const void *context, uint32_t x, uint32_t y)
{
    br_rng rng = br_rng_at(*(const uint64_t *)context, BR_STREAM_TEST, x, y);
    double u = br_rng_uniform(&rng);
    cr_assert_neq(x, y);
    return u < 0.6 ? OPEN : u < 0.75 ? YES : NO;
}

typedef struct twin {
    double recall, ndcg, map;
    uint32_t n_users, n_lists, n_unjudged, n_without_valid, n_candidates, n_valid;
} twin;

/// Figures of the labels 0 and 1, padded to K, as the definitions read.
static void twin_figures(twin *t, const int *labels, int n, int k)
{
    int padded[ITEMS + TOP] = {0}, best[ITEMS + TOP] = {0};
    int valid = 0;
    for (int i = 0; i < n; i++) {
        padded[i] = labels[i];
        valid += labels[i];
    }
    for (int i = 0; i < valid; i++) {
        best[i] = 1;
    }
    double among = 0.0, dcg = 0.0, ideal = 0.0, precisions = 0.0;
    for (int i = 0; i < k; i++) {
        among += padded[i];
        dcg += padded[i] / log2(i + 2.0);
        ideal += best[i] / log2(i + 2.0);
        precisions += padded[i] * among / (i + 1.0);
    }
    t->recall += among / fmin(k, valid);
    t->ndcg += dcg / ideal;
    t->map += precisions / fmin(k, valid);
}

static twin twin_of(made_world *world, uint64_t seed, br_ranker ranker, int k, uint32_t min_candidates)
{
    twin t = {0};
    for (uint32_t user = 0; user < world->history->n_users; user++) {
        uint32_t recommended[TOP], n_items, before = t.n_lists;
        br_rankers_user(world->rankers, user);
        const uint32_t *items = br_rankers_items(world->rankers, &n_items);
        uint32_t n_top = n_items == 0 ? 0 : br_rankers_recommend(world->rankers, TOP, recommended);
        for (uint32_t i = 0; i < n_top; i++) {
            double scores[ITEMS];
            uint32_t order[ITEMS];
            int labels[ITEMS], n = 0, valid = 0;
            br_rankers_score(world->rankers, ranker, recommended[i], scores);
            br_rankers_order(world->rankers, recommended[i], scores, order);
            for (uint32_t j = 0; j < n_items; j++) {
                int said = random_judge(&seed, items[order[j]], recommended[i]);
                if (said != OPEN) {
                    labels[n++] = said;
                    valid += said;
                }
            }
            if (n == 0 || (uint32_t)n < min_candidates) {
                t.n_unjudged++;
            } else if (valid == 0) {
                t.n_without_valid++;
            } else {
                twin_figures(&t, labels, n, k);
                t.n_lists++;
                t.n_candidates += (uint32_t)n;
                t.n_valid += (uint32_t)valid;
            }
        }
        t.n_users += t.n_lists > before;
    }
    return t;
}

Test(itembased_pair_quality, the_same_as_the_algorithm_line_by_line)
{
    static const uint32_t cuts[] = {1, 2, 3, 7};
    for (uint64_t seed = 1; seed <= 3; seed++) {
        made_world world = made_world_random(USERS, ITEMS, 0.2, seed);
        br_pair_quality_options options = {
            .n_top = TOP, .cuts = {1, 2, 3, 7}, .n_cuts = 4, .min_candidates = (uint32_t)seed, .n_resamples = 200};
        br_pair_quality q;
        cr_assert_eq(br_pair_quality_of(&q, world.rankers, random_judge, &seed, &options), BR_OK);
        cr_expect(q.n_lists > 50 && q.n_unjudged > 5 && q.n_without_valid > 5, "%u lists", q.n_lists);
        for (int r = 0; r < BR_RANKER_COUNT; r++) {
            for (int c = 0; c < 4; c++) {
                twin t = twin_of(&world, seed, (br_ranker)r, (int)cuts[c], (uint32_t)seed);
                twin random = twin_of(&world, seed, BR_RANKER_RANDOM, (int)cuts[c], (uint32_t)seed);
                expect_figures(&q.of[r], (uint32_t)c, t.recall / t.n_lists, t.ndcg / t.n_lists, t.map / t.n_lists);
                cr_expect_float_eq(q.of[r].over_random[c].mean, (t.recall - random.recall) / t.n_lists, 1e-14);
                const br_mean_interval *ndcg = &q.of[r].ndcg[c];
                cr_expect(ndcg->low < ndcg->mean && ndcg->mean < ndcg->high && ndcg->n == t.n_lists);
                cr_expect(q.n_users == t.n_users && q.n_lists == t.n_lists && q.n_unjudged == t.n_unjudged &&
                          q.n_without_valid == t.n_without_valid);
                cr_expect_float_eq(q.candidates_mean, (double)t.n_candidates / t.n_lists, 1e-14);
                cr_expect_float_eq(q.valid_mean, (double)t.n_valid / t.n_lists, 1e-14);
            }
        }
        made_world_free(&world);
    }
}

Test(itembased_pair_quality, without_memory_it_says_so)
{
    made_world world = made_world_random(USERS, ITEMS, 0.2, 1);
    uint64_t seed = 1;
    size_t before = br_alloc_live();
    br_status status = BR_ERR_NO_MEMORY;
    size_t n = 0;
    for (; status != BR_OK && n < 50; n++) {
        br_pair_quality q;
        br_alloc_fail_after(n);
        status = br_pair_quality_of(&q, world.rankers, random_judge, &seed, &by_default);
        br_alloc_fail_after(SIZE_MAX);
        cr_expect(status == BR_OK || status == BR_ERR_NO_MEMORY);
        cr_expect_eq(br_alloc_live(), before);
    }
    cr_expect(status == BR_OK && n > 8, "%zu", n);
    made_world_free(&world);
}
