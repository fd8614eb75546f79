// Goal: the simulated market has the shape of the paper's and the difficulty it was tuned to. Method: the small market whole, and the
// oracle (the true log-odds) against the bids that were drawn.

#include "fixture.h"

#include "market/simulate.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static br_status take(void *context, const br_row *row)
{
    br_row_problem problem;
    cr_assert(br_market_check(context, row, &problem), "%s: %s", problem.column, problem.reason);
    return br_market_apply(context, row);
}

static br_simulation *simulate(const char *size, uint64_t seed, double combinations, br_market **market)
{
    br_simulation_options options;
    br_simulation *simulation = NULL;
    cr_assert_eq(br_simulation_defaults(&options, size), BR_OK);
    options.seed = seed;
    options.combinations = combinations;
    cr_assert_eq(br_simulation_new(&simulation, &options), BR_OK);
    cr_assert_eq(br_schema_check(br_simulation_declares(simulation)), BR_OK, "%s", br_why(BR_ERR_INVALID));
    cr_assert_eq(br_market_new(market, br_simulation_declares(simulation)), BR_OK);
    cr_assert_eq(br_simulation_run(simulation, take, *market), BR_OK);
    return simulation;
}

Test(market_simulate, the_schema_amounts_to_32_and_259_features)
{
    BR_AUTO(br_market) *market = NULL;
    BR_AUTO(br_encoder) *encoder = NULL;
    BR_AUTO(br_simulation) *simulation = simulate("tiny", 1, 0, &market);
    br_split split;
    cr_assert_eq(br_split_by_time(&split, market, 0.6, 0.2), BR_OK);
    cr_assert_eq(br_encoder_learn(&encoder, market, split.train_from, split.train_until, 1), BR_OK);
    cr_assert_eq(encoder->n_bond_fields, 32);
    cr_assert_eq(br_encoder_n_investor_fields(encoder), 259);
    uint32_t counts[BR_SOURCE_COUNT] = {0};
    for (uint32_t i = 0; i < encoder->n_fields; i++) {
        counts[encoder->fields[i].source]++;
        cr_assert_leq(encoder->fields[i].n_values, 254);
        cr_assert(encoder->fields[i].label.en != NULL && encoder->fields[i].label.zh != NULL);
    }
    cr_assert_eq(counts[BR_SOURCE_PREFERENCE], 212);
    cr_assert_eq(counts[BR_SOURCE_ACTIVITY] + counts[BR_SOURCE_MEAN], 30);
    cr_assert_eq(counts[BR_SOURCE_INVESTOR], 17);
    cr_assert_gt(strlen(br_simulation_schema(simulation)), 1000);
}

Test(market_simulate, days_keep_their_order_and_history_is_a_third_more)
{
    BR_AUTO(br_market) *market = NULL;
    BR_AUTO(br_simulation) *simulation = simulate("tiny", 2, 0, &market);
    br_day history_until = br_simulation_declares(simulation)->history_until;
    br_day last = BR_DAY_NONE;
    uint32_t n_history = 0;
    cr_assert_eq(br_market_n_bonds(market), 800);
    cr_assert_eq(br_market_n_investors(market), 300);
    for (uint32_t i = 0; i < 800; i++) {
        const br_bond *bond = br_market_bond(market, i);
        cr_assert(bond->announce_day >= last && br_day_weekday(bond->issue_day) < 5);
        cr_assert(bond->issue_day - bond->announce_day >= 7 && bond->issue_day - bond->announce_day <= 21);
        last = bond->announce_day;
        n_history += bond->issue_day < history_until;
    }
    cr_assert_eq(n_history, 200);
    const br_bid *bids;
    uint32_t n;
    cr_assert_eq(br_market_bids(market, &bids, &n), BR_OK);
    for (uint32_t i = 0; i < n; i++) {
        cr_assert_eq(bids[i].day, br_market_bond(market, bids[i].bond)->issue_day);
        cr_assert_gt(bids[i].amount, -1);
    }
}

Test(market_simulate, the_same_seed_gives_the_same_market_and_another_does_not)
{
    BR_AUTO(br_market) *one = NULL;
    BR_AUTO(br_market) *same = NULL;
    BR_AUTO(br_market) *other = NULL;
    BR_AUTO(br_simulation) *a = simulate("tiny", 3, 0.5, &one);
    BR_AUTO(br_simulation) *b = simulate("tiny", 3, 0.5, &same);
    BR_AUTO(br_simulation) *c = simulate("tiny", 4, 0.5, &other);
    uint32_t n_bonds, n_investors;
    const br_truth *ta = br_simulation_truth(a, &n_bonds, &n_investors);
    const br_truth *tb = br_simulation_truth(b, &n_bonds, &n_investors);
    const br_truth *tc = br_simulation_truth(c, &n_bonds, &n_investors);
    uint32_t differ = 0;
    for (size_t i = 0; i < (size_t)n_bonds * n_investors; i++) {
        cr_assert(ta[i].utility == tb[i].utility && ta[i].causal == tb[i].causal);
        differ += ta[i].utility != tc[i].utility;
    }
    cr_assert_gt(differ, n_bonds * n_investors / 2);
    const br_bid *ba, *bb;
    uint32_t na, nb;
    cr_assert_eq(br_market_bids(one, &ba, &na), BR_OK);
    cr_assert_eq(br_market_bids(same, &bb, &nb), BR_OK);
    cr_assert_eq(na, nb);
    for (uint32_t i = 0; i < na; i++) {
        cr_assert(ba[i].bond == bb[i].bond && ba[i].investor == bb[i].investor && ba[i].amount == bb[i].amount);
    }
}

typedef struct scored {
    float score;
    uint8_t bid;
} scored;

static int by_score(const void *left, const void *right)
{
    float a = ((const scored *)left)->score, b = ((const scored *)right)->score;
    return (a < b) - (a > b);
}

static double auc_of(scored *pairs, size_t n)
{
    double positive = 0, negative = 0, ordered = 0;
    qsort(pairs, n, sizeof *pairs, by_score);
    for (size_t i = 0; i < n; i++) {
        ordered += pairs[i].bid ? 0 : positive;
        positive += pairs[i].bid;
        negative += !pairs[i].bid;
    }
    return ordered / (positive * negative);
}

// Recall of the 50 best of the bond's investors by score.
static double recall_of(scored *pairs, uint32_t n, double n_bidders)
{
    double hits = 0;
    qsort(pairs, n, sizeof *pairs, by_score);
    for (uint32_t i = 0; i < 50; i++) {
        hits += pairs[i].bid;
    }
    return hits / n_bidders;
}

static void count_bids(const br_bid *bids, uint32_t n_bids, br_day day, scored *pairs, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        pairs[i].score = -(float)i * 1e-6f;
    }
    for (uint32_t i = 0; i < n_bids; i++) {
        pairs[bids[i].investor].score += bids[i].day < day && bids[i].day >= day - 365;
    }
}

typedef struct hardness {
    double rate;     // bids per pair
    double auc;      // of the true log-odds
    double oracle;   // Recall@50 by them
    double activity; // by bids in the last year
} hardness;

// On the last fifth of the bonds of the paper's size.
static hardness hardness_of(double combinations)
{
    BR_AUTO(br_market) *market = NULL;
    BR_AUTO(br_simulation) *simulation = simulate("paper", 1, combinations, &market);
    uint32_t n_bonds, n_investors, n_bids, n_data;
    const br_truth *truth = br_simulation_truth(simulation, &n_bonds, &n_investors);
    const br_bid *bids;
    const uint32_t *bonds;
    br_split split;
    cr_assert_eq(br_split_by_time(&split, market, 0.6, 0.2), BR_OK);
    cr_assert_eq(br_market_bids(market, &bids, &n_bids), BR_OK);
    cr_assert_eq(br_market_bonds_by_issue(market, &bonds, &n_data), BR_OK);
    scored *all = calloc((size_t)n_bonds * n_investors, sizeof *all);
    scored *pairs = calloc(n_investors, sizeof *pairs);
    uint8_t *label = calloc(n_investors, 1);
    cr_assert(all != NULL && pairs != NULL && label != NULL);
    double oracle = 0, activity = 0, n_tested = 0;
    size_t n = 0;
    for (uint32_t b = 0; b < n_data; b++) {
        br_day day = br_market_bond(market, bonds[b])->issue_day;
        uint32_t n_bidders = br_market_bidders(market, bonds[b], label);
        if (day < split.valid_until || n_bidders == 0) {
            continue;
        }
        for (uint32_t i = 0; i < n_investors; i++) {
            pairs[i] = all[n++] = (scored){truth[(size_t)bonds[b] * n_investors + i].utility, label[i]};
        }
        oracle += recall_of(pairs, n_investors, n_bidders);
        for (uint32_t i = 0; i < n_investors; i++) {
            pairs[i].bid = label[i];
        }
        count_bids(bids, n_bids, day, pairs, n_investors);
        activity += recall_of(pairs, n_investors, n_bidders);
        n_tested++;
    }
    hardness result = {.rate = (double)n_bids / ((double)n_bonds * n_investors),
                       .auc = auc_of(all, n),
                       .oracle = oracle / n_tested,
                       .activity = activity / n_tested};
    free(all);
    free(pairs);
    free(label);
    return result;
}

// The figures the model was tuned to.
Test(market_simulate, the_paper_size_is_as_hard_as_it_should_be)
{
    hardness plain = hardness_of(0);
    cr_assert(fabs(plain.rate - 0.022) < 0.0005, "%g", plain.rate);
    cr_assert(fabs(plain.auc - 0.968) < 0.005, "%g", plain.auc);
    cr_assert(fabs(plain.oracle - 0.764) < 0.03, "%g", plain.oracle);
    cr_assert(fabs(plain.activity - 0.35) < 0.03, "%g", plain.activity);
}

Test(market_simulate, combinations_leave_the_market_as_hard_for_who_knows_the_truth)
{
    hardness combined = hardness_of(0.5);
    cr_assert(fabs(combined.rate - 0.022) < 0.0005, "%g", combined.rate);
    cr_assert(fabs(combined.auc - 0.968) < 0.005, "%g", combined.auc);
    cr_assert(fabs(combined.oracle - 0.764) < 0.03, "%g", combined.oracle);
}

Test(market_simulate, combinations_make_favourites_count_less_often)
{
    BR_AUTO(br_market) *plain = NULL;
    BR_AUTO(br_market) *combined = NULL;
    BR_AUTO(br_simulation) *a = simulate("tiny", 1, 0, &plain);
    BR_AUTO(br_simulation) *b = simulate("tiny", 1, 1, &combined);
    uint32_t n_bonds, n_investors, n_a = 0, n_b = 0;
    const br_truth *ta = br_simulation_truth(a, &n_bonds, &n_investors);
    const br_truth *tb = br_simulation_truth(b, &n_bonds, &n_investors);
    for (size_t i = 0; i < (size_t)n_bonds * n_investors; i++) {
        n_a += (uint32_t)__builtin_popcount(ta[i].causal);
        n_b += (uint32_t)__builtin_popcount(tb[i].causal);
    }
    cr_assert(n_b > 0 && n_b < n_a / 2, "%u, %u", n_a, n_b);
}

static br_status make_tiny(void *context)
{
    BR_AUTO(br_simulation) *simulation = NULL;
    return br_simulation_new(&simulation, context);
}

Test(market_simulate, wrong_options_and_failing_allocations_are_reported)
{
    br_simulation_options options;
    br_simulation *simulation = NULL;
    cr_assert_eq(br_simulation_defaults(&options, "huge"), BR_ERR_INVALID);
    cr_assert_eq(br_simulation_defaults(&options, "tiny"), BR_OK);
    options.n_investors = 2;
    options.n_bonds = 6;
    options.n_issuers = 3;
    fixture_sweep(make_tiny, &options);
    options.bid_rate = 0;
    cr_assert_eq(br_simulation_new(&simulation, &options), BR_ERR_INVALID);
    cr_assert_null(simulation);
}
