// Goal: codes, names, bins and levels are those of the training range. Method: small markets whose answer is known.

#include "fixture.h"

#include "base/alloc.h"
#include "market/levels.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

// Ten bonds a day apart: industries steel x4, power x3, ships, trade x2 by day, coupons 1 to 10; and one after training.
static br_market *ten_bonds(void)
{
    static const char *const industries[] = {"steel", "power", "steel", "trade", "power",
                                             "steel", "ships", "trade", "power", "steel"};
    static char ids[11][16], days[11][32], coupons[11][16];
    br_market *market = NULL;
    cr_assert_eq(br_market_new(&market, fixture_schema()), BR_OK);
    for (int i = 0; i < 11; i++) {
        snprintf(ids[i], sizeof ids[i], "B%d", i);
        snprintf(days[i], sizeof days[i], "2024-01-%02d", 10 + i);
        snprintf(coupons[i], sizeof coupons[i], "%d", i + 1);
        br_row row = fixture_bond(ids[i], "S1", "2024-01-01", days[i]);
        fixture_set(&row, "industry", i < 10 ? industries[i] : "new");
        fixture_set(&row, "coupon", coupons[i]);
        fixture_set(&row, "rating", i < 10 ? "A" : "");
        fixture_set(&row, "listed", i % 2 == 0 ? "y" : "n");
        fixture_apply(market, row);
    }
    return market;
}

Test(market_encoder, values_bins_and_names_come_from_training)
{
    BR_AUTO(br_market) *market = ten_bonds();
    BR_AUTO(br_encoder) *encoder = NULL;
    uint8_t codes[4];
    cr_assert_eq(br_encoder_learn(&encoder, market, DAY("2024-01-10"), DAY("2024-01-20"), 1), BR_OK);
    cr_assert_eq(encoder->n_bond_fields, 4);
    const br_field *rating = &encoder->fields[0], *industry = &encoder->fields[1], *coupon = &encoder->fields[2];
    cr_assert_eq(rating->n_values, 4);
    cr_assert_str_eq(rating->value_names[1], "AAA");
    cr_assert_eq(industry->n_values, 4);
    cr_assert_str_eq(industry->value_names[0], "(missing)");
    cr_assert_str_eq(industry->value_names[1], "steel");
    cr_assert_str_eq(industry->value_names[2], "power");
    cr_assert_str_eq(industry->value_names[3], "other");
    cr_assert_eq(industry->n_others, 2);
    cr_assert_str_eq(industry->others[0], "ships");
    cr_assert_eq(coupon->n_cuts, 3);
    cr_assert(coupon->cuts[0] == 3 && coupon->cuts[1] == 5 && coupon->cuts[2] == 8);
    cr_assert_str_eq(coupon->value_names[1], "up to 3");
    cr_assert_str_eq(coupon->value_names[2], "3 to 5");
    cr_assert_str_eq(coupon->value_names[4], "above 8");
    static const uint8_t expected[][4] = {{3, 1, 1, 2}, {3, 2, 1, 1}, {3, 1, 1, 2}, {3, 3, 2, 1}};
    for (uint32_t i = 0; i < 4; i++) {
        br_encoder_bond(encoder, market, i, codes);
        cr_assert_arr_eq(codes, expected[i], 4, "bond %u", i);
    }
    br_encoder_bond(encoder, market, 10, codes);
    cr_assert_arr_eq(codes, ((uint8_t[]){0, 0, 4, 2}), 4); // an industry that training never saw is missing
}

static void expect_values(const br_field *field, const char *const *names, uint32_t n, const char *others)
{
    cr_assert_eq(field->n_values, n);
    for (uint32_t i = 0; i < n; i++) {
        cr_expect_str_eq(field->value_names[i], names[i]);
    }
    char joined[64] = "";
    for (uint32_t i = 0; i < field->n_others; i++) {
        strncat(joined, field->others[i], sizeof joined - strlen(joined) - 2);
        strncat(joined, " ", 2);
    }
    cr_expect_str_eq(joined, others);
}

Test(market_encoder, an_extension_keeps_codes_and_bins_and_gives_new_values_codes_as_long_as_there_is_room)
{
    BR_AUTO(br_market) *market = ten_bonds();
    BR_AUTO(br_encoder) *before = NULL;
    BR_AUTO(br_encoder) *now = NULL;
    BR_AUTO(br_encoder) *again = NULL;
    // The first bond alone: steel. Two values may have a code, so that the more frequent of the new ones gets the other.
    cr_assert_eq(br_encoder_learn(&before, market, DAY("2024-01-10"), DAY("2024-01-11"), 1), BR_OK);
    expect_values(&before->fields[1], (const char *const[]){"(missing)", "steel"}, 2, "");
    cr_assert_eq(br_encoder_extend(&now, before, market, DAY("2024-01-10"), DAY("2024-01-21")), BR_OK);
    static const char *const names[] = {"(missing)", "steel", "power", "other"};
    expect_values(&now->fields[1], names, 4, "new ships trade ");
    cr_assert_eq(now->n_fields, before->n_fields);
    cr_assert_eq(now->n_bond_fields, before->n_bond_fields);
    for (uint32_t j = 0; j < now->n_fields; j++) {
        const br_field *a = &before->fields[j], *b = &now->fields[j];
        cr_assert(strcmp(a->name, b->name) == 0 && strcmp(a->label.zh, b->label.zh) == 0 && a->n_cuts == b->n_cuts);
        cr_assert(a->n_cuts == 0 || memcmp(a->cuts, b->cuts, a->n_cuts * sizeof *a->cuts) == 0);
        cr_assert(a->source == b->source && a->bond_field == b->bond_field && a->bond_code == b->bond_code);
        cr_assert(j == 1 || a->n_values == b->n_values);
    }
    // What is no longer seen stays what it was.
    cr_assert_eq(br_encoder_extend(&again, now, market, DAY("2024-01-11"), DAY("2024-01-12")), BR_OK);
    expect_values(&again->fields[1], names, 4, "new ships trade ");
}

Test(market_encoder, the_code_before_an_extension_is_known)
{
    BR_AUTO(br_market) *market = ten_bonds();
    BR_AUTO(br_encoder) *first = NULL;
    BR_AUTO(br_encoder) *second = NULL;
    BR_AUTO(br_encoder) *third = NULL;
    cr_assert_eq(br_encoder_learn(&first, market, DAY("2024-01-10"), DAY("2024-01-11"), 1), BR_OK);
    cr_assert_eq(br_encoder_extend(&second, first, market, DAY("2024-01-10"), DAY("2024-01-21")), BR_OK);
    cr_assert_eq(br_encoder_extend(&third, second, market, DAY("2024-01-10"), DAY("2024-01-21")), BR_OK);
    const uint8_t from_first[] = {0, 1, BR_CODE_NEW, BR_CODE_NEW}, from_second[] = {0, 1, 2, 3};
    for (uint8_t code = 0; code < 4; code++) {
        cr_assert_eq(br_field_code_before(&first->fields[1], &second->fields[1], code), from_first[code]);
        cr_assert_eq(br_field_code_before(&second->fields[1], &third->fields[1], code), from_second[code]);
    }
    cr_assert_eq(br_field_code_before(&first->fields[2], &second->fields[2], 1), 1);
}

Test(market_encoder, fields_follow_the_schema)
{
    BR_AUTO(br_market) *market = ten_bonds();
    BR_AUTO(br_encoder) *encoder = NULL;
    cr_assert_eq(br_encoder_learn(&encoder, market, DAY("2024-01-10"), DAY("2024-01-20"), 1), BR_OK);
    static const char *const names[] = {"rating",
                                        "industry",
                                        "coupon",
                                        "listed",
                                        "org",
                                        "score",
                                        "activity.frequency.10",
                                        "activity.frequency.91",
                                        "activity.frequency.ever",
                                        "activity.amount.10",
                                        "activity.amount.91",
                                        "activity.amount.ever",
                                        "activity.mean_amount.10",
                                        "activity.mean_amount.91",
                                        "activity.mean_amount.ever",
                                        "activity.breadth.10",
                                        "activity.breadth.91",
                                        "activity.breadth.ever",
                                        "activity.loyalty.10",
                                        "activity.loyalty.91",
                                        "activity.loyalty.ever",
                                        "activity.recency",
                                        "activity.tenure",
                                        "activity.trend",
                                        "activity.mean.coupon.10",
                                        "activity.mean.coupon.91",
                                        "activity.mean.coupon.ever",
                                        "pref.rating.AAA.30",
                                        "pref.rating.AAA.ever",
                                        "pref.rating.AA.30",
                                        "pref.rating.AA.ever",
                                        "pref.rating.A.30",
                                        "pref.rating.A.ever",
                                        "pref.industry.steel.30",
                                        "pref.industry.steel.ever",
                                        "pref.industry.power.30",
                                        "pref.industry.power.ever",
                                        "pref.listed.no.30",
                                        "pref.listed.no.ever",
                                        "pref.listed.yes.30",
                                        "pref.listed.yes.ever"};
    cr_assert_eq(encoder->n_fields, sizeof names / sizeof names[0]);
    for (uint32_t i = 0; i < encoder->n_fields; i++) {
        cr_assert_str_eq(encoder->fields[i].name, names[i]);
        cr_assert_leq(encoder->fields[i].n_values, 254);
    }
    const br_field *prefers = &encoder->fields[27];
    cr_assert_str_eq(prefers->label.en, "prefers bond rating AAA, last month");
    cr_assert_str_eq(prefers->label.zh, "近一月偏好债项评级：AAA");
    cr_assert(prefers->bond_field == 0 && prefers->bond_code == 1 && prefers->window_days == 30);
    cr_assert(prefers->group == BR_GROUP_PREFERENCE && prefers->n_values == 6);
    cr_assert_str_eq(prefers->value_names[1], "none");
    cr_assert_str_eq(encoder->fields[38].label.en, "prefers listed: no, ever");
    cr_assert_str_eq(encoder->fields[7].label.en, "bid frequency, last 91 days");
}

Test(market_encoder, a_range_without_bonds_is_refused)
{
    BR_AUTO(br_market) *market = ten_bonds();
    br_encoder *encoder = NULL;
    cr_assert_eq(br_encoder_learn(&encoder, market, DAY("2025-01-10"), DAY("2025-01-20"), 1), BR_ERR_INVALID);
    cr_assert_null(encoder);
}

Test(market_encoder, levels_are_quarters_of_what_is_not_zero)
{
    BR_AUTO(br_market) *market = fixture_random(3, 80, 30, 2500);
    BR_AUTO(br_encoder) *encoder = NULL;
    BR_AUTO(br_builder) *builder = NULL;
    br_day until = FIXTURE_BEGIN + 300;
    cr_assert_eq(br_encoder_learn(&encoder, market, FIXTURE_BEGIN + 60, until, 1), BR_OK);
    cr_assert_eq(br_builder_new(&builder, market, encoder), BR_OK);
    const uint32_t n_fields = br_encoder_n_investor_fields(encoder);
    uint32_t counts[128][BR_N_LEVELS] = {{0}};
    const uint32_t *bonds;
    uint32_t n_bonds;
    br_day last = BR_DAY_NONE;
    cr_assert_eq(br_market_bonds_by_issue(market, &bonds, &n_bonds), BR_OK);
    for (uint32_t b = 0; b < n_bonds; b++) {
        br_day day = br_market_bond(market, bonds[b])->issue_day;
        if (day < FIXTURE_BEGIN + 60 || day >= until || day == last) {
            continue;
        }
        last = day;
        cr_assert_eq(br_builder_advance(builder, day), BR_OK);
        for (uint32_t i = 0; i < 30; i++) {
            uint8_t codes[128];
            float values[128];
            br_builder_investor(builder, i, codes);
            br_builder_derived(builder, i, values);
            for (uint32_t k = 2; k < n_fields && br_market_investor_known(market, i) < day; k++) {
                const br_field *field = &encoder->fields[4 + k];
                cr_assert_eq(codes[k] == 0, isnan(values[k - 2]));
                cr_assert(!br_field_has_none(field) || (codes[k] == 1) == (values[k - 2] == 0));
                counts[k][codes[k]]++;
            }
        }
    }
    // The mean coupon of all bids takes many values, so its fifths are nearly equal; so are the quarters of amounts.
    for (uint32_t k = 2; k < n_fields; k++) {
        bool amount = strcmp(encoder->fields[4 + k].name, "activity.amount.91") == 0;
        bool mean = strcmp(encoder->fields[4 + k].name, "activity.mean.coupon.ever") == 0;
        uint32_t first = amount ? 2 : 1;
        uint32_t total = 0;
        for (uint32_t level = first; level < BR_N_LEVELS; level++) {
            total += counts[k][level];
        }
        for (uint32_t level = first; (amount || mean) && level < BR_N_LEVELS; level++) {
            double share = (double)counts[k][level] / total;
            cr_assert(fabs(share - 1.0 / (BR_N_LEVELS - first)) < 0.03, "%s %u: %g", encoder->fields[4 + k].name, level,
                      share);
        }
    }
}

Test(market_encoder, a_tied_value_has_the_level_of_its_middle_rank)
{
    BR_AUTO(br_market) *market = ten_bonds();
    BR_AUTO(br_encoder) *encoder = NULL;
    BR_AUTO(br_builder) *builder = NULL;
    uint8_t codes[64];
    fixture_apply(market, fixture_investor("I1", "2023-01-01"));
    fixture_apply(market, fixture_bid("a", "B0", "I1", "2024-01-10"));
    cr_assert_eq(br_encoder_learn(&encoder, market, DAY("2024-01-10"), DAY("2024-01-20"), 1), BR_OK);
    cr_assert_eq(br_builder_new(&builder, market, encoder), BR_OK);
    cr_assert_eq(br_builder_advance(builder, DAY("2024-01-15")), BR_OK);
    br_builder_investor(builder, 0, codes);
    for (uint32_t i = 4; i < encoder->n_fields; i++) {
        if (strcmp(encoder->fields[i].name, "pref.rating.A.ever") == 0) {
            cr_assert_eq(codes[i - 4], 3); // the only value there is: its middle rank is a half
        }
        if (strcmp(encoder->fields[i].name, "pref.rating.AA.ever") == 0) {
            cr_assert_eq(codes[i - 4], 1);
        }
    }
}

Test(market_encoder, ties_make_fewer_bins_and_none_of_them_empty)
{
    static const char *const days[] = {"2024-01-10", "2024-01-11", "2024-01-12", "2024-01-13", "2024-01-14"};
    static const char *const ids[] = {"B1", "B2", "B3", "B4", "B5"};
    BR_AUTO(br_market) *market = NULL;
    BR_AUTO(br_encoder) *encoder = NULL;
    cr_assert_eq(br_market_new(&market, fixture_schema()), BR_OK);
    for (size_t i = 0; i < 5; i++) {
        br_row row = fixture_bond(ids[i], "S", days[i], days[i]);
        fixture_set(&row, "coupon", i < 2 ? "1" : "2");
        fixture_apply(market, row);
    }
    cr_assert_eq(br_encoder_learn(&encoder, market, DAY("2024-01-01"), DAY("2024-02-01"), 1), BR_OK);
    const br_field *coupon = &encoder->fields[2];
    cr_assert_eq(coupon->n_values, 3);
    cr_assert_str_eq(coupon->value_names[1], "up to 1");
    cr_assert_str_eq(coupon->value_names[2], "above 1");
}

typedef struct sweep_context {
    br_market *market;
    br_encoder *encoder;
} sweep_context;

static br_status learn_once(void *context)
{
    sweep_context *c = context;
    BR_AUTO(br_encoder) *encoder = NULL;
    return br_encoder_learn(&encoder, c->market, FIXTURE_BEGIN, FIXTURE_BEGIN + 200, 1);
}

static br_status build_once(void *context)
{
    sweep_context *c = context;
    BR_AUTO(br_builder) *builder = NULL;
    return br_builder_new(&builder, c->market, c->encoder);
}

static br_status extend_once(void *context)
{
    sweep_context *c = context;
    BR_AUTO(br_encoder) *encoder = NULL;
    return br_encoder_extend(&encoder, c->encoder, c->market, FIXTURE_BEGIN, FIXTURE_BEGIN + 200);
}

Test(market_encoder, every_failing_allocation_is_reported_and_leaks_nothing)
{
    BR_AUTO(br_market) *market = fixture_random(1, 20, 5, 40);
    BR_AUTO(br_encoder) *encoder = NULL;
    const br_bid *bids;
    const uint32_t *bonds;
    uint32_t n;
    cr_assert_eq(br_encoder_learn(&encoder, market, FIXTURE_BEGIN, FIXTURE_BEGIN + 200, 1), BR_OK);
    cr_assert_eq(br_market_bids(market, &bids, &n), BR_OK);
    cr_assert_eq(br_market_bonds_by_issue(market, &bonds, &n), BR_OK);
    sweep_context context = {market, encoder};
    fixture_sweep(learn_once, &context);
    fixture_sweep(build_once, &context);
    fixture_sweep(extend_once, &context);
}

Test(market_encoder, levels_of_counts_keep_one_two_and_three_apart)
{
    BR_AUTO(br_market) *market = NULL;
    BR_AUTO(br_encoder) *encoder = NULL;
    cr_assert_eq(br_market_new(&market, fixture_schema()), BR_OK);
    fixture_apply(market, fixture_bond("B0", "I", "2024-01-01", "2024-01-05"));
    fixture_apply(market, fixture_bond("B9", "I", "2024-02-01", "2024-02-05"));
    static const uint32_t n_with[] = {0, 16, 3, 2, 1, 1}; // investors with so many bids
    uint32_t investor = 0, bid = 0;
    for (uint32_t n_bids = 1; n_bids <= 5; n_bids++) {
        for (uint32_t i = 0; i < n_with[n_bids]; i++) {
            char id[16], bid_id[16];
            snprintf(id, sizeof id, "V%u", investor++);
            fixture_apply(market, fixture_investor(id, "2023-01-01"));
            for (uint32_t k = 0; k < n_bids; k++) {
                snprintf(bid_id, sizeof bid_id, "R%u", bid++);
                fixture_apply(market, fixture_bid(bid_id, "B0", id, "2024-01-04"));
            }
        }
    }
    br_day day = DAY("2024-02-05");
    cr_assert_eq(br_encoder_learn(&encoder, market, day, day + 1, 1), BR_OK);
    bool seen = false;
    for (uint32_t i = 0; i < encoder->n_fields; i++) {
        const br_field *field = &encoder->fields[i];
        if (strcmp(field->name, "activity.frequency.ever") == 0) {
            seen = true;
            cr_assert(field->n_cuts == 3 && field->cuts[0] == 1 && field->cuts[1] == 2 && field->cuts[2] == 3);
        }
    }
    cr_assert(seen);
}

Test(market_encoder, the_windows_of_a_thing_share_a_concept_and_no_two_things_do)
{
    BR_AUTO(br_market) *market = ten_bonds();
    BR_AUTO(br_encoder) *encoder = NULL;
    cr_assert_eq(br_encoder_learn(&encoder, market, DAY("2024-01-10"), DAY("2024-01-20"), 1), BR_OK);
    uint32_t n = br_encoder_n_investor_fields(encoder);
    uint32_t n_shared = 0;
    for (uint32_t i = 0; i < n; i++) {
        const br_field *a = &encoder->fields[encoder->n_bond_fields + i];
        cr_assert_leq(br_encoder_concept(encoder, i), i, "the first of its kind");
        for (uint32_t j = 0; j < i; j++) {
            const br_field *b = &encoder->fields[encoder->n_bond_fields + j];
            // A name is what it tells of and, behind the last dot, its window.
            size_t of_a = a->window_days == -1 ? strlen(a->name) : (size_t)(strrchr(a->name, '.') - a->name);
            size_t of_b = b->window_days == -1 ? strlen(b->name) : (size_t)(strrchr(b->name, '.') - b->name);
            bool same = of_a == of_b && strncmp(a->name, b->name, of_a) == 0;
            n_shared += same;
            cr_assert_eq(br_encoder_concept(encoder, i) == br_encoder_concept(encoder, j), same, "%s, %s", a->name,
                         b->name);
        }
    }
    cr_assert_geq(n_shared, 10);
}
