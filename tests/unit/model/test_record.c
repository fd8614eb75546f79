// Goal: the record holds the formula of its header. Method: a small market with a built-in taste, the same counts from its dataset
// pair by pair.

#include "base/alloc.h"
#include "base/rng.h"
#include "market/dataset.h"
#include "model/record.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    N_INVESTORS = 40,
    N_BONDS = 90,
    N_RATINGS = 3,
    N_REGIONS = 2,
    FIRST_DAY = 18000,
    LAST_DAY = FIRST_DAY + N_BONDS
};

static br_feature bond_features[] = {
    {.name = (char *)(uintptr_t) "rating",
     .kind = BR_KIND_CATEGORICAL,
     .group = BR_GROUP_BOND,
     .max_values = 20,
     .preference = true},
    {.name = (char *)(uintptr_t) "region", .kind = BR_KIND_CATEGORICAL, .group = BR_GROUP_BOND, .max_values = 20},
};
static br_feature investor_features[] = {
    {.name = (char *)(uintptr_t) "type", .kind = BR_KIND_CATEGORICAL, .group = BR_GROUP_ATTRIBUTE, .max_values = 20},
};
static const br_schema schema = {
    .market = (char *)(uintptr_t) "test",
    .late_days = BR_DEFAULT_LATE_DAYS,
    .bond_features = bond_features,
    .n_bond_features = 2,
    .investor_features = investor_features,
    .n_investor_features = 1,
    .windows_days = {30},
    .n_windows = 1,
    .activity_windows_days = {30},
    .n_activity_windows = 1,
    .activity = {[BR_ACTIVITY_FREQUENCY] = true, [BR_ACTIVITY_RECENCY] = true},
};

static const char *const ratings[N_RATINGS] = {"AAA", "AA", "A"};
static const char *const regions[N_REGIONS] = {"north", "south"};

static void apply(br_market *market, const br_row *row)
{
    br_row_problem problem;
    cr_assert(br_market_check(market, row, &problem), "%s: %s", problem.column, problem.reason);
    br_status status = br_market_apply(market, row);
    cr_assert_eq(status, BR_OK, "%s", br_why(status));
}

/// Investors of type i % 3 bid mostly on bonds of rating i % 3; those with i % 4 = 3 never on the first rating and always on the
/// first region; all of type 1 on bonds without a region. Thus a missing value and a level "none" deviate most, and must not count.
static double bid_probability(uint32_t i, uint32_t rating, uint32_t region)
{
    if (region == N_REGIONS) {
        return i % N_RATINGS == 1 ? 0.95 : 0.0;
    }
    if (i % 4 == 3) {
        return rating != 0 && region == 0 ? 0.95 : 0.0;
    }
    return i % N_RATINGS == rating ? 0.4 : 0.05;
}

/// The last five investors arrive in the middle; one pair in forty is excluded.
static br_market *new_market(void)
{
    br_market *market = NULL;
    cr_assert_eq(br_market_new(&market, &schema), BR_OK);
    br_rng rng = br_rng_at(43, BR_STREAM_TEST, 0, 0);
    char id[3][32];
    for (uint32_t i = 0; i < N_INVESTORS; i++) {
        snprintf(id[0], sizeof id[0], "inv%u", i);
        snprintf(id[1], sizeof id[1], "type%u", i % N_RATINGS);
        const br_named_value type = {"type", id[1]};
        apply(market, &(br_row){.kind = BR_ROW_INVESTOR,
                                .investor_id = id[0],
                                .day = i < N_INVESTORS - 5 ? FIRST_DAY - 9 : FIRST_DAY + N_BONDS / 2,
                                .features = &type,
                                .n_features = 1,
                                .known_from = BR_DAY_NONE,
                                .amount = BR_AMOUNT_NONE,
                                .rate = (double)NAN});
    }
    for (uint32_t b = 0; b < N_BONDS; b++) {
        uint32_t rating = br_rng_below(&rng, N_RATINGS);
        // Two bonds a day.
        br_day issue = FIRST_DAY + (br_day)(b / 2 * 2);
        snprintf(id[0], sizeof id[0], "bond%u", b);
        uint32_t region = br_rng_below(&rng, N_REGIONS + 1);
        const br_named_value values[] = {{"rating", ratings[rating]},
                                         {"region", region == N_REGIONS ? "" : regions[region]}};
        apply(market, &(br_row){.kind = BR_ROW_BOND,
                                .bond_id = id[0],
                                .issuer_id = "issuer",
                                .announce_day = issue - 3,
                                .issue_day = issue,
                                .features = values,
                                .n_features = 2,
                                .known_from = BR_DAY_NONE,
                                .amount = BR_AMOUNT_NONE,
                                .rate = (double)NAN});
        for (uint32_t i = 0; i < N_INVESTORS; i++) {
            snprintf(id[1], sizeof id[1], "inv%u", i);
            snprintf(id[2], sizeof id[2], "bid%u-%u", b, i);
            if (br_rng_below(&rng, 40) == 0) {
                apply(market, &(br_row){.kind = BR_ROW_EXCLUSION,
                                        .bond_id = id[0],
                                        .investor_id = id[1],
                                        .day = issue - 3,
                                        .known_from = BR_DAY_NONE,
                                        .amount = BR_AMOUNT_NONE,
                                        .rate = (double)NAN});
            }
            if (br_rng_uniform(&rng) < bid_probability(i, rating, region)) {
                apply(market, &(br_row){.kind = BR_ROW_BID,
                                        .bid_id = id[2],
                                        .bond_id = id[0],
                                        .investor_id = id[1],
                                        .day = issue,
                                        .known_from = BR_DAY_NONE,
                                        .amount = 10000,
                                        .rate = (double)NAN});
            }
        }
    }
    return market;
}

/// dev and K of one cell from the pairs, with nothing shared with the walk over the days.
static double twin(const br_dataset *it, uint32_t phi, uint32_t u, uint32_t j, uint32_t v, uint32_t *bids)
{
    double all_pairs = (double)it->n, all_bids = 0.0, own_pairs = 0.0, own_bids = 0.0, k = 0.0, n = 0.0;
    static double bond_pairs[N_BONDS], bond_bids[N_BONDS];
    for (uint32_t b = 0; b < N_BONDS; b++) {
        bond_pairs[b] = bond_bids[b] = 0.0;
    }
    for (size_t i = 0; i < it->n; i++) {
        double bid = it->label[i];
        bool own = it->investor_codes[(size_t)it->row_of[i] * it->n_investor_fields + j] == v;
        bool here = it->bond_codes[(size_t)it->bond_of[i] * it->n_bond_fields + phi] == u;
        all_bids += bid;
        own_pairs += own;
        own_bids += own ? bid : 0.0;
        n += own && here;
        k += own && here ? bid : 0.0;
        bond_pairs[it->bond_of[i]] += 1.0;
        bond_bids[it->bond_of[i]] += bid;
    }
    double popularity = 0.0, n_here = 0.0;
    for (uint32_t b = 0; b < it->n_bonds; b++) {
        if (it->bond_codes[(size_t)b * it->n_bond_fields + phi] == u) {
            popularity += bond_bids[b] / bond_pairs[b];
            n_here += 1.0;
        }
    }
    popularity = n_here > 0.0 ? popularity / n_here : 0.0;
    double r = all_bids / all_pairs;
    double e = n * (own_bids + 50.0 * r) / (own_pairs + 50.0) * popularity / r;
    *bids = (uint32_t)k;
    double deviance = 2.0 * ((k + 1.0) * log((k + 1.0) / (e + 1.0)) - (k - e));
    return (k < e ? -1.0 : 1.0) * sqrt(fmax(deviance, 0.0));
}

typedef struct world {
    br_market *market;
    br_encoder *encoder;
    br_dataset *data;
    br_record *record;
} world;

static world new_world(void)
{
    world it = {.market = new_market()};
    const br_dataset_options options = {.max_bytes = 1u << 26};
    cr_assert_eq(br_encoder_learn(&it.encoder, it.market, FIRST_DAY + 10, LAST_DAY - 10, 1), BR_OK);
    cr_assert_eq(br_dataset_new(&it.data, it.market, it.encoder, FIRST_DAY + 10, LAST_DAY - 10, &options), BR_OK);
    cr_assert_eq(br_record_learn(&it.record, it.market, it.encoder, FIRST_DAY + 10, LAST_DAY - 10), BR_OK);
    cr_assert_eq(it.data->negative_keep, 1.0);
    return it;
}

static void free_world(world *it)
{
    br_record_free(&it->record);
    br_dataset_free(&it->data);
    br_encoder_free(&it->encoder);
    br_market_free(&it->market);
    cr_assert_eq(br_alloc_live(), 0);
}

static uint32_t field_named(const br_encoder *encoder, const char *name)
{
    for (uint32_t i = 0; i < encoder->n_fields; i++) {
        if (strcmp(encoder->fields[i].name, name) == 0) {
            return i;
        }
    }
    cr_assert_fail("no field %s", name);
    return 0;
}

Test(model_record, every_cell_is_the_formula_over_the_pairs)
{
    world it = new_world();
    const br_record *record = it.record;
    cr_assert_eq(record->n_bond_fields, 2);
    cr_assert_eq(record->n_investor_fields, br_encoder_n_investor_fields(it.encoder));
    for (uint32_t j = 0; j < record->n_investor_fields; j++) {
        uint8_t bond_codes[2] = {0, 0};
        uint32_t phi = record->speaks_of[j];
        for (uint32_t u = 0; u < record->bond_values[phi]; u++) {
            bond_codes[phi] = (uint8_t)u;
            for (uint32_t v = 0; v < record->n_values[j]; v++) {
                uint32_t bids;
                uint32_t expected_bids;
                double expected = twin(it.data, phi, u, j, v, &expected_bids);
                float backing = br_record_backing(record, bond_codes, j, (uint8_t)v, &bids);
                cr_assert(fabs((double)backing - expected) < 1e-4, "field %u=%u, bond %u=%u: %g, not %g", j, v, phi, u,
                          (double)backing, expected);
                cr_assert_eq(bids, expected_bids);
            }
        }
    }
    free_world(&it);
}

Test(model_record, each_field_speaks_of_what_it_deviates_on_most)
{
    world it = new_world();
    for (uint32_t j = 0; j < it.record->n_investor_fields; j++) {
        const br_field *field = &it.encoder->fields[2 + j];
        uint32_t first = field->source == BR_SOURCE_PREFERENCE || field->activity == BR_ACTIVITY_FREQUENCY ? 2 : 1;
        double best = -1e9;
        uint32_t best_phi = 0;
        for (uint32_t phi = 0; phi < 2; phi++) {
            for (uint32_t u = 1; u < it.encoder->fields[phi].n_values; u++) {
                for (uint32_t v = first; v < field->n_values; v++) {
                    uint32_t bids;
                    double dev = twin(it.data, phi, u, j, v, &bids);
                    best_phi = dev > best + 1e-9 ? phi : best_phi;
                    best = dev > best ? dev : best;
                }
            }
        }
        cr_assert_eq(it.record->speaks_of[j], best_phi, "%s", field->name);
    }
    // The taste that was built in is found without its name.
    uint32_t type = field_named(it.encoder, "type");
    uint32_t rating = field_named(it.encoder, "rating");
    cr_assert_eq(it.record->speaks_of[type - 2], rating);
    uint8_t codes[2];
    double best = 0.0;
    for (uint8_t u = 1; u < it.encoder->fields[rating].n_values; u++) {
        for (uint8_t v = 1; v < it.encoder->fields[type].n_values; v++) {
            codes[0] = codes[1] = 1;
            codes[rating] = u;
            best = fmax(best, (double)br_record_backing(it.record, codes, type - 2, v, NULL));
        }
    }
    cr_assert_gt(best, 5.0);
    free_world(&it);
}

Test(model_record, only_the_range_counts_and_an_empty_one_is_refused)
{
    world it = new_world();
    br_record *record = NULL;
    cr_assert_eq(br_record_learn(&record, it.market, it.encoder, LAST_DAY + 100, LAST_DAY + 200), BR_ERR_INVALID);
    cr_assert_null(record);
    cr_assert_eq(br_record_learn(&record, it.market, it.encoder, FIRST_DAY, FIRST_DAY + 40), BR_OK);
    uint64_t sums[2] = {0};
    for (size_t i = 0; i < record->offset[1]; i++) {
        sums[0] += record->bids[i];
    }
    for (size_t i = 0; i < it.record->offset[1]; i++) {
        sums[1] += it.record->bids[i];
    }
    cr_assert(sums[0] > 0 && sums[0] < sums[1]);
    br_record_free(&record);
    free_world(&it);
}

Test(model_record, every_failing_allocation_is_reported_and_leaves_nothing)
{
    world it = new_world();
    size_t live = br_alloc_live();
    br_status status = BR_ERR_NO_MEMORY;
    size_t n_failed = 0;
    for (size_t n = 0; status != BR_OK; n++, n_failed++) {
        br_record *record = NULL;
        br_alloc_fail_after(n);
        status = br_record_learn(&record, it.market, it.encoder, FIRST_DAY + 10, LAST_DAY - 10);
        br_alloc_fail_after(SIZE_MAX);
        cr_assert(status == BR_OK || status == BR_ERR_NO_MEMORY);
        cr_assert_eq(record == NULL, status != BR_OK);
        br_record_free(&record);
        cr_assert_eq(br_alloc_live(), live);
    }
    cr_assert_gt(n_failed, 20);
    free_world(&it);
}

// Exact intervals of a Poisson count, from the chi-squared distribution.
Test(model_record, times_have_the_interval_of_a_poisson_count)
{
    static const struct {
        uint32_t bids;
        double low, high;
    } exact[] = {{10, 4.795, 18.391}, {100, 81.364, 121.627}, {1000, 938.97, 1063.95}};
    for (size_t i = 0; i < 3; i++) {
        double k = exact[i].bids;
        double e = k / 2.5; // what is put in must come out
        double sigmas = sqrt(2.0 * ((k + 1.0) * log((k + 1.0) / (e + 1.0)) - (k - e)));
        br_record_times times = br_record_times_of(sigmas, exact[i].bids);
        cr_expect_float_eq(times.times, 2.5, 1e-6);
        cr_expect_float_eq(times.low * e, exact[i].low, 0.01 * exact[i].low);
        cr_expect_float_eq(times.high * e, exact[i].high, 0.01 * exact[i].high);
    }
    br_record_times none = br_record_times_of(0.0, 0);
    cr_expect(none.times == 0.0 && none.low == 0.0 && isfinite(none.high));
    br_record_times chance = br_record_times_of(0.0, 50);
    cr_expect_float_eq(chance.times, 1.0, 1e-6, "nothing above chance");
}
