// Goal: samples are all pairs that count, in order, and thinning is exact and repeatable. Method: pairs counted anew.

#include "fixture.h"

#include "base/alloc.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

typedef struct world {
    br_market *market;
    br_encoder *encoder;
} world;

static world make_world(void)
{
    world w = {fixture_random(5, 90, 40, 900), NULL};
    cr_assert_eq(br_encoder_learn(&w.encoder, w.market, FIXTURE_BEGIN, FIXTURE_BEGIN + 200, 1), BR_OK);
    return w;
}

static void world_deinit(world *w)
{
    br_encoder_free(&w->encoder);
    br_market_free(&w->market);
}

static br_dataset *make(const world *w, const br_dataset_options *options)
{
    br_dataset *dataset = NULL;
    br_status status =
        br_dataset_new(&dataset, w->market, w->encoder, FIXTURE_BEGIN + 50, FIXTURE_BEGIN + 200, options);
    cr_assert_eq(status, BR_OK, "%s", br_why(status));
    return dataset;
}

Test(market_dataset, it_holds_every_eligible_pair_with_its_label_and_codes)
{
    BR_AUTO_DEINIT(world) w = make_world();
    BR_AUTO(br_builder) *builder = NULL;
    BR_AUTO(br_dataset) *dataset = make(&w, &(br_dataset_options){.seed = 1});
    cr_assert_eq(br_builder_new(&builder, w.market, w.encoder), BR_OK);
    uint8_t eligible[40], label[40], codes[64], bond_codes[4];
    size_t at = 0, n_positive = 0;
    for (uint32_t b = 0; b < dataset->n_bonds; b++) {
        br_day day = br_market_bond(w.market, dataset->bonds[b])->issue_day;
        cr_assert(day >= FIXTURE_BEGIN + 50 && day < FIXTURE_BEGIN + 200);
        br_market_eligible(w.market, dataset->bonds[b], day, eligible);
        br_market_bidders(w.market, dataset->bonds[b], label);
        br_encoder_bond(w.encoder, w.market, dataset->bonds[b], bond_codes);
        cr_assert_arr_eq(dataset->bond_codes + b * 4, bond_codes, 4);
        cr_assert_eq(br_builder_advance(builder, day), BR_OK);
        for (uint32_t i = 0; i < 40; i++) {
            if (!eligible[i]) {
                continue;
            }
            cr_assert(dataset->bond_of[at] == b && dataset->investor_of[at] == i && dataset->label[at] == label[i]);
            br_builder_investor(builder, i, codes);
            cr_assert_arr_eq(dataset->investor_codes + dataset->row_of[at] * dataset->n_investor_fields, codes,
                             dataset->n_investor_fields);
            n_positive += label[i];
            at++;
        }
    }
    cr_assert(at == dataset->n && at == dataset->n_pairs && n_positive == dataset->n_positive);
    cr_assert(dataset->negative_keep == 1 && dataset->n_rows <= dataset->n && n_positive > 50);
}

Test(market_dataset, rows_are_shared_by_the_bonds_of_a_day)
{
    BR_AUTO_DEINIT(world) w = make_world();
    BR_AUTO(br_dataset) *dataset = make(&w, &(br_dataset_options){.seed = 1});
    size_t shared = 0;
    for (size_t i = 0; i < dataset->n; i++) {
        for (size_t k = 0; k < i; k++) {
            br_day one = br_market_bond(w.market, dataset->bonds[dataset->bond_of[i]])->issue_day;
            br_day other = br_market_bond(w.market, dataset->bonds[dataset->bond_of[k]])->issue_day;
            bool same = one == other && dataset->investor_of[i] == dataset->investor_of[k];
            cr_assert_eq(same, dataset->row_of[i] == dataset->row_of[k]);
            shared += same;
        }
    }
    cr_assert_gt(shared, 0);
}

Test(market_dataset, thinning_keeps_all_bids_and_a_fair_share_of_the_rest)
{
    BR_AUTO_DEINIT(world) w = make_world();
    BR_AUTO(br_dataset) *whole = make(&w, &(br_dataset_options){.seed = 1});
    BR_AUTO(br_dataset) *thin = make(&w, &(br_dataset_options){.seed = 1, .max_negatives = 2});
    BR_AUTO(br_dataset) *again = make(&w, &(br_dataset_options){.seed = 1, .max_negatives = 2});
    BR_AUTO(br_dataset) *other = make(&w, &(br_dataset_options){.seed = 2, .max_negatives = 2});
    double n_negative = (double)(whole->n - whole->n_positive);
    cr_assert(thin->n_positive == whole->n_positive && thin->n_pairs == whole->n_pairs);
    cr_assert(fabs(thin->negative_keep - 2.0 * (double)whole->n_positive / n_negative) < 1e-6);
    double expected = thin->negative_keep * n_negative;
    cr_assert(fabs((double)(thin->n - thin->n_positive) - expected) < 4 * sqrt(expected), "%zu", thin->n);
    size_t positive = 0;
    for (size_t i = 0; i < thin->n; i++) {
        positive += thin->label[i];
    }
    cr_assert_eq(positive, thin->n_positive);
    cr_assert(again->n == thin->n && again->n_rows == thin->n_rows);
    cr_assert_arr_eq(again->investor_of, thin->investor_of, thin->n * sizeof *thin->investor_of);
    cr_assert_arr_eq(again->investor_codes, thin->investor_codes, thin->n_rows * thin->n_investor_fields);
    cr_assert(other->n != thin->n || memcmp(other->investor_of, thin->investor_of, thin->n * sizeof(uint32_t)) != 0);
}

Test(market_dataset, a_bound_of_bytes_holds)
{
    BR_AUTO_DEINIT(world) w = make_world();
    BR_AUTO(br_dataset) *whole = make(&w, &(br_dataset_options){.seed = 1});
    size_t bytes = whole->n * 13 + whole->n_rows * whole->n_investor_fields + whole->n_bonds * 4;
    BR_AUTO(br_dataset) *same = make(&w, &(br_dataset_options){.seed = 1, .max_bytes = bytes});
    cr_assert_eq(same->n, whole->n);
    BR_AUTO(br_dataset) *half = make(&w, &(br_dataset_options){.seed = 1, .max_bytes = bytes / 2});
    cr_assert_leq(half->n * 13 + half->n_rows * half->n_investor_fields + half->n_bonds * 4, bytes / 2);
    cr_assert(half->n_positive == whole->n_positive && half->n > whole->n / 5 && half->negative_keep < 1);
    br_dataset *none = NULL;
    cr_assert_eq(br_dataset_new(&none, w.market, w.encoder, FIXTURE_BEGIN, FIXTURE_BEGIN + 200,
                                &(br_dataset_options){.max_bytes = 100}),
                 BR_ERR_NO_MEMORY);
    cr_assert_null(none);
    cr_assert_eq(br_dataset_new(&none, w.market, w.encoder, 0, 1, &(br_dataset_options){.seed = 1}), BR_ERR_INVALID);
}

Test(market_dataset, the_split_follows_time_and_never_splits_a_day)
{
    BR_AUTO_DEINIT(world) w = make_world();
    br_split split, closed;
    cr_assert_eq(br_split_by_time(&split, w.market, 0.6, 0.2), BR_OK);
    const uint32_t *bonds;
    uint32_t n, parts[3] = {0};
    cr_assert_eq(br_market_bonds_by_issue(w.market, &bonds, &n), BR_OK);
    for (uint32_t i = 0; i < n; i++) {
        br_day day = br_market_bond(w.market, bonds[i])->issue_day;
        cr_assert(day >= split.train_from && day < split.test_until);
        parts[day < split.train_until ? 0 : day < split.valid_until ? 1 : 2]++;
    }
    cr_assert(abs((int)parts[0] - (int)(0.6 * n)) <= 3 && abs((int)parts[1] - (int)(0.2 * n)) <= 3);
    br_day day = FIXTURE_BEGIN + 150;
    cr_assert_eq(br_split_before(&closed, w.market, day, 0.25), BR_OK);
    cr_assert(closed.valid_until <= day - 5 && closed.test_until == closed.valid_until);
    cr_assert_eq(br_split_before(&closed, w.market, FIXTURE_BEGIN, 0.25), BR_ERR_INVALID);
}

Test(market_dataset, history_neither_trains_nor_tests)
{
    br_schema schema = *fixture_schema();
    br_market *market = NULL;
    schema.history_until = DAY("2024-01-12");
    cr_assert_eq(br_market_new(&market, &schema), BR_OK);
    static const char *const days[] = {"2024-01-10", "2024-01-11", "2024-01-12", "2024-01-13", "2024-01-14"};
    static const char *const ids[] = {"B1", "B2", "B3", "B4", "B5"};
    for (size_t i = 0; i < 5; i++) {
        fixture_apply(market, fixture_bond(ids[i], "S", days[i], days[i]));
    }
    br_split split;
    cr_assert_eq(br_split_by_time(&split, market, 0.34, 0.33), BR_OK);
    cr_assert(split.train_from == DAY("2024-01-12") && split.train_until == DAY("2024-01-13"));
    cr_assert_eq(br_split_by_time(&split, market, 0.1, 0.1), BR_ERR_INVALID);
    br_row row = {.kind = BR_ROW_CLOSE_DAY, .day = DAY("2024-01-13")};
    fixture_apply(market, row);
    cr_assert_eq(br_split_by_time(&split, market, 0.34, 0.33),
                 BR_ERR_INVALID); // the last bond is not issued yet
    br_market_free(&market);
}

static br_status make_once(void *context)
{
    world *w = context;
    BR_AUTO(br_dataset) *dataset = NULL;
    br_split split;
    br_status status = br_split_by_time(&split, w->market, 0.6, 0.2);
    return status != BR_OK ? status
                           : br_dataset_new(&dataset, w->market, w->encoder, split.train_from, split.train_until,
                                            &(br_dataset_options){.max_negatives = 3});
}

Test(market_dataset, every_failing_allocation_is_reported_and_leaks_nothing)
{
    BR_AUTO_DEINIT(world) w = make_world();
    const br_bid *bids;
    const uint32_t *bonds;
    uint32_t n;
    cr_assert_eq(br_market_bids(w.market, &bids, &n), BR_OK);
    cr_assert_eq(br_market_bonds_by_issue(w.market, &bonds, &n), BR_OK);
    fixture_sweep(make_once, &w);
}

Test(market_dataset, a_bond_weighs_what_the_schema_says_of_its_values)
{
    char aaa[] = "AAA", yes[] = "yes";
    br_sample_weight weights[] = {{0, aaa, 5.0}, {3, yes, 0.5}};
    br_schema schema = *fixture_schema();
    schema.sample_weights = weights;
    schema.n_sample_weights = 2;
    static const struct {
        const char *id, *rating, *listed;
        float weight;
    } bonds[] = {
        {"B1", "AAA", NULL, 5.0f}, {"B2", "AA", "yes", 0.5f}, {"B3", "AAA", "yes", 2.5f}, {"B4", "A", "no", 1.0f}};
    BR_AUTO(br_market) *market = NULL;
    cr_assert_eq(br_market_new(&market, &schema), BR_OK);
    fixture_apply(market, fixture_investor("V1", "2023-01-01"));
    for (size_t i = 0; i < 4; i++) {
        br_row row = fixture_bond(bonds[i].id, "I", "2024-01-01", "2024-01-05");
        fixture_set(&row, "rating", bonds[i].rating);
        fixture_set(&row, "listed", bonds[i].listed);
        fixture_apply(market, row);
    }
    fixture_apply(market, fixture_bid("R1", "B1", "V1", "2024-01-04"));
    BR_AUTO(br_encoder) *encoder = NULL;
    BR_AUTO(br_dataset) *dataset = NULL;
    cr_assert_eq(br_encoder_learn(&encoder, market, FIXTURE_BEGIN, FIXTURE_BEGIN + 9, 1), BR_OK);
    cr_assert_eq(
        br_dataset_new(&dataset, market, encoder, FIXTURE_BEGIN, FIXTURE_BEGIN + 9, &(br_dataset_options){.seed = 1}),
        BR_OK);
    cr_assert_eq(dataset->n_bonds, 4);
    for (size_t i = 0; i < 4; i++) {
        cr_assert_eq(dataset->bond_weights[i], bonds[i].weight, "%s", bonds[i].id);
    }
}

Test(market_dataset, replay_draws_past_pairs_uniformly_and_others_on_another_day)
{
    BR_AUTO_DEINIT(world) w = make_world();
    BR_AUTO(br_dataset) *all = make(&w, &(br_dataset_options){.seed = 1});
    br_day middle = FIXTURE_BEGIN + 150;
    BR_AUTO(br_dataset) *some = make(&w, &(br_dataset_options){.seed = 1, .replay_share = 0.5, .replay_until = middle});
    BR_AUTO(br_dataset) *moved =
        make(&w, &(br_dataset_options){.seed = 1, .replay_share = 0.5, .replay_until = middle - 1});
    BR_AUTO(br_dataset) *whole =
        make(&w, &(br_dataset_options){.seed = 1, .replay_share = 1e9, .replay_until = middle});
    size_t at = 0, n_new = 0, n_past = 0, n_past_all = 0, past_bids = 0, past_bids_all = 0, agree = 0;
    for (size_t i = 0; i < all->n; i++) {
        br_day day = br_market_bond(w.market, all->bonds[all->bond_of[i]])->issue_day;
        bool kept =
            at < some->n && some->bond_of[at] == all->bond_of[i] && some->investor_of[at] == all->investor_of[i];
        cr_assert(kept || day < middle, "a new pair is missing");
        cr_assert(!kept || some->label[at] == all->label[i]);
        n_new += day >= middle;
        n_past_all += day < middle;
        past_bids_all += day < middle && all->label[i];
        n_past += day < middle && kept;
        past_bids += day < middle && kept && all->label[i];
        at += kept;
    }
    cr_assert_eq(at, some->n);
    // Binomial: within five standard deviations.
    double share = 0.5 * (double)n_new / (double)n_past_all;
    cr_assert_lt(fabs((double)n_past - 0.5 * (double)n_new), 5 * sqrt((double)n_past_all * share * (1 - share)));
    cr_assert_lt(fabs((double)past_bids - share * (double)past_bids_all),
                 5 * sqrt((double)past_bids_all * share * (1 - share)) + 1);
    cr_assert_eq(some->n_pairs, some->n);
    cr_assert_eq(some->negative_keep, 1.0);
    cr_assert_eq(whole->n, all->n, "more than there is cannot be replayed");
    size_t other = 0;
    for (size_t i = 0; i < some->n; i++) {
        while (other < moved->n &&
               (moved->bond_of[other] < some->bond_of[i] ||
                (moved->bond_of[other] == some->bond_of[i] && moved->investor_of[other] < some->investor_of[i]))) {
            other++;
        }
        bool past = br_market_bond(w.market, some->bonds[some->bond_of[i]])->issue_day < middle - 1;
        agree += past && other < moved->n && moved->bond_of[other] == some->bond_of[i] &&
                 moved->investor_of[other] == some->investor_of[i];
    }
    cr_assert_lt(agree, n_past / 2 + n_past / 4, "%zu of %zu past pairs are those of the day before", agree, n_past);
}
