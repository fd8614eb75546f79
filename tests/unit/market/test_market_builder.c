// Goal: what a day's codes say is exactly what was known before that day. Method: every derived value is computed again from the
// list of all bids, day by day, on random markets; and the future of a market is changed under the codes of its past.

#include "fixture.h"

#include "base/rng.h"
#include "market/levels.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct seen {
    const br_bid *bids;
    uint32_t n;
    const br_market *market;
    uint32_t investor;
    br_day as_of;
} seen;

// The rule, word by word.
static bool sees(const seen *s, const br_bid *bid, int32_t window_days)
{
    const br_bond *bond = br_market_bond(s->market, bid->bond);
    bool counts =
        !bid->cancelled && !bond->cancelled && bid->day >= bond->announce_day && bid->day <= bond->issue_day + 5;
    return counts && bid->investor == s->investor && bid->known_from <= s->as_of && bid->day < s->as_of &&
           bond->issue_day < s->as_of && (window_days == BR_WINDOW_EVER || bid->day >= s->as_of - window_days);
}

static double plain_count(const seen *s, int32_t window_days)
{
    double n = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        n += sees(s, &s->bids[i], window_days);
    }
    return n;
}

static double plain_breadth(const seen *s, int32_t window_days)
{
    bool issuers[64] = {false};
    double n = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        uint32_t issuer = br_market_bond(s->market, s->bids[i].bond)->issuer;
        if (sees(s, &s->bids[i], window_days) && !issuers[issuer]) {
            issuers[issuer] = true;
            n++;
        }
    }
    return n;
}

static double plain_amount(const seen *s, int32_t window_days, bool mean)
{
    double sum = 0, n = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        if (sees(s, &s->bids[i], window_days) && s->bids[i].amount != BR_AMOUNT_NONE) {
            sum += (double)s->bids[i].amount;
            n++;
        }
    }
    return !mean ? sum : n > 0 ? sum / n : 0;
}

static double plain_mean(const seen *s, int32_t window_days, uint32_t feature)
{
    double sum = 0, n = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        double value = br_market_bond_value(s->market, s->bids[i].bond, feature).number;
        if (sees(s, &s->bids[i], window_days) && !isnan(value)) {
            sum += value;
            n++;
        }
    }
    return n > 0 ? sum / n : (double)NAN;
}

static double plain_recency(const seen *s)
{
    double days = (double)NAN;
    for (uint32_t i = 0; i < s->n; i++) {
        double since = s->as_of - s->bids[i].day;
        if (sees(s, &s->bids[i], BR_WINDOW_EVER) && !(since >= days)) {
            days = since;
        }
    }
    return days;
}

static double plain_activity(const seen *s, const br_field *field)
{
    double known = s->as_of - br_market_investor_known(s->market, s->investor);
    int32_t window = field->window_days;
    double n = plain_count(s, window);
    switch (field->activity) {
    case BR_ACTIVITY_RECENCY:
        return plain_recency(s);
    case BR_ACTIVITY_TENURE:
        return known > 0 ? known : (double)NAN;
    case BR_ACTIVITY_TREND:
        n = plain_count(s, BR_WINDOW_EVER);
        return n > 0 ? plain_count(s, 10) * known / (n * 10) : (double)NAN;
    case BR_ACTIVITY_FREQUENCY:
        return n > 0 ? n : (double)NAN;
    case BR_ACTIVITY_AMOUNT:
    case BR_ACTIVITY_MEAN_AMOUNT:
        return n > 0 ? plain_amount(s, window, field->activity == BR_ACTIVITY_MEAN_AMOUNT) : (double)NAN;
    case BR_ACTIVITY_BREADTH:
        return n > 0 ? plain_breadth(s, window) : (double)NAN;
    case BR_ACTIVITY_LOYALTY:
    case BR_ACTIVITY_COUNT:
        break;
    }
    return (double)INFINITY; // depends on when bids became known: tested by hand
}

static double plain_share(const seen *s, const br_encoder *encoder, const br_field *field)
{
    uint8_t codes[8];
    double hits = 0, n = plain_count(s, field->window_days);
    for (uint32_t i = 0; i < s->n; i++) {
        if (sees(s, &s->bids[i], field->window_days)) {
            br_encoder_bond(encoder, s->market, s->bids[i].bond, codes);
            hits += codes[field->bond_field] == field->bond_code;
        }
    }
    return n > 0 ? hits / (field->source == BR_SOURCE_MATCHES ? 1 : n) : (double)NAN;
}

static double plain_value(const seen *s, const br_encoder *encoder, const br_field *field)
{
    if (br_field_is_preference(field)) {
        return plain_share(s, encoder, field);
    }
    if (field->source == BR_SOURCE_MEAN) {
        return plain_mean(s, field->window_days, field->feature);
    }
    return plain_activity(s, field);
}

static void compare_day(const br_builder *builder, const br_encoder *encoder, seen *s)
{
    enum { FIRST = 6 };
    float values[128];
    for (s->investor = 0; s->investor < br_market_n_investors(s->market); s->investor++) {
        br_builder_derived(builder, s->investor, values);
        for (uint32_t i = FIRST; i < encoder->n_fields; i++) {
            double expected = plain_value(s, encoder, &encoder->fields[i]);
            double value = (double)values[i - FIRST];
            bool same = isnan(expected) ? isnan(value)
                                        : isinf(expected) || fabs(value - expected) <= 1e-6 * (1 + fabs(expected));
            cr_assert(same, "day %d investor %u %s: %g, not %g", s->as_of, s->investor, encoder->fields[i].name, value,
                      expected);
        }
    }
}

Test(market_builder, every_value_is_what_a_plain_count_gives)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        BR_AUTO(br_market) *market = fixture_random(seed, 60, 12, 500);
        BR_AUTO(br_encoder) *encoder = NULL;
        BR_AUTO(br_builder) *builder = NULL;
        cr_assert_eq(br_encoder_learn(&encoder, market, FIXTURE_BEGIN, FIXTURE_BEGIN + 200, 1), BR_OK);
        for (uint32_t i = 0; i < encoder->n_fields && seed == 2; i++) { // once with preferences measured as counts
            br_field *field = &encoder->fields[i];
            field->source = field->source == BR_SOURCE_PREFERENCE ? BR_SOURCE_MATCHES : field->source;
        }
        cr_assert_eq(br_builder_new(&builder, market, encoder), BR_OK);
        seen s = {.market = market};
        cr_assert_eq(br_market_bids(market, &s.bids, &s.n), BR_OK);
        br_rng rng = br_rng_at(seed, BR_STREAM_TEST, 9, 9);
        for (s.as_of = FIXTURE_BEGIN - 5; s.as_of < FIXTURE_BEGIN + 420; s.as_of += 1 + (br_day)br_rng_below(&rng, 9)) {
            cr_assert_eq(br_builder_advance(builder, s.as_of), BR_OK);
            compare_day(builder, encoder, &s);
        }
    }
}

Test(market_builder, codes_do_not_depend_on_the_days_in_between)
{
    BR_AUTO(br_market) *market = fixture_random(4, 60, 12, 500);
    BR_AUTO(br_encoder) *encoder = NULL;
    BR_AUTO(br_builder) *slow = NULL;
    cr_assert_eq(br_encoder_learn(&encoder, market, FIXTURE_BEGIN, FIXTURE_BEGIN + 200, 1), BR_OK);
    cr_assert_eq(br_builder_new(&slow, market, encoder), BR_OK);
    for (br_day day = FIXTURE_BEGIN; day < FIXTURE_BEGIN + 320; day++) {
        float walked[128], leapt[128];
        BR_AUTO(br_builder) *fast = NULL;
        cr_assert_eq(br_builder_advance(slow, day), BR_OK);
        cr_assert_eq(br_builder_new(&fast, market, encoder), BR_OK);
        cr_assert_eq(br_builder_advance(fast, day), BR_OK);
        for (uint32_t i = 0; i < 12; i++) {
            br_builder_derived(slow, i, walked);
            br_builder_derived(fast, i, leapt);
            cr_assert_arr_eq(walked, leapt, (encoder->n_fields - 6) * sizeof *walked);
        }
    }
}

// Encoder and codes of the days up to `last`, in one block.
static uint8_t *codes_until(br_market *market, br_day last, uint32_t n_investors, size_t *n_out)
{
    BR_AUTO(br_encoder) *encoder = NULL;
    BR_AUTO(br_builder) *builder = NULL;
    cr_assert_eq(br_encoder_learn(&encoder, market, FIXTURE_BEGIN, FIXTURE_BEGIN + 120, 1), BR_OK);
    cr_assert_eq(br_builder_new(&builder, market, encoder), BR_OK);
    uint32_t n_fields = br_encoder_n_investor_fields(encoder);
    size_t n_days = (size_t)(last - FIXTURE_BEGIN) + 1;
    uint8_t *codes = calloc(n_days * n_investors, n_fields);
    cr_assert_not_null(codes);
    *n_out = n_days * n_investors * n_fields;
    uint8_t *next = codes;
    for (br_day day = FIXTURE_BEGIN; day <= last; day++) {
        cr_assert_eq(br_builder_advance(builder, day), BR_OK);
        for (uint32_t i = 0; i < n_investors; i++, next += n_fields) {
            br_builder_investor(builder, i, next);
        }
    }
    return codes;
}

Test(market_builder, future_rows_do_not_move_codes)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        br_day last = FIXTURE_BEGIN + 130 + (br_day)(10 * seed);
        BR_AUTO(br_market) *market = fixture_random(seed, 60, 12, 400);
        size_t n = 0, n_changed = 0;
        uint8_t *before = codes_until(market, last, 12, &n);
        fixture_add_future(market, seed, last, 600);
        uint8_t *after = codes_until(market, last, 12, &n_changed);
        cr_assert_eq(n, n_changed);
        cr_assert_arr_eq(before, after, n);
        free(before);
        free(after);
    }
}

Test(market_builder, a_row_known_in_time_does_move_codes)
{
    BR_AUTO(br_market) *market = fixture_random(1, 60, 12, 400);
    size_t n = 0;
    uint8_t *before = codes_until(market, FIXTURE_BEGIN + 140, 12, &n);
    fixture_add_future(market, 1, FIXTURE_BEGIN + 60, 600);
    uint8_t *after = codes_until(market, FIXTURE_BEGIN + 140, 12, &n);
    cr_assert_neq(memcmp(before, after, n), 0);
    free(before);
    free(after);
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

Test(market_builder, bids_on_the_scored_bond_never_count_and_loyalty_looks_back)
{
    BR_AUTO(br_market) *market = NULL;
    BR_AUTO(br_encoder) *encoder = NULL;
    BR_AUTO(br_builder) *builder = NULL;
    float values[128];
    cr_assert_eq(br_market_new(&market, fixture_schema()), BR_OK);
    fixture_apply(market, fixture_bond("B1", "S1", "2024-01-01", "2024-01-10"));
    fixture_apply(market, fixture_bond("B2", "S1", "2024-01-01", "2024-01-20"));
    fixture_apply(market, fixture_bond("B3", "S2", "2024-01-01", "2024-01-20"));
    fixture_apply(market, fixture_investor("I1", "2023-01-01"));
    fixture_apply(market, fixture_bid("a", "B1", "I1", "2024-01-02"));
    fixture_apply(market, fixture_bid("b", "B2", "I1", "2024-01-20"));
    fixture_apply(market, fixture_bid("c", "B3", "I1", "2024-01-20"));
    fixture_apply(market, fixture_bond("B4", "S2", "2024-01-01", "2024-01-20"));
    fixture_apply(market, fixture_bid("e", "B4", "I1", "2024-01-20")); // the same day is not earlier
    fixture_apply(market, fixture_bid("d", "B3", "I1", "2024-01-26")); // late
    cr_assert_eq(br_encoder_learn(&encoder, market, DAY("2024-01-01"), DAY("2024-02-01"), 1), BR_OK);
    cr_assert_eq(br_builder_new(&builder, market, encoder), BR_OK);
    uint32_t frequency = field_named(encoder, "activity.frequency.ever") - 6;
    uint32_t loyalty = field_named(encoder, "activity.loyalty.ever") - 6;
    static const struct {
        const char *day;
        float bids, loyal;
    } expected[] = {{"2024-01-10", NAN, NAN},
                    {"2024-01-11", 1, 0},
                    {"2024-01-20", 1, 0},
                    {"2024-01-21", 4, 0.25f},
                    {"2024-03-01", 4, 0.25f}};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        cr_assert_eq(br_builder_advance(builder, DAY(expected[i].day)), BR_OK);
        br_builder_derived(builder, 0, values);
        cr_assert(isnan(expected[i].bids) ? isnan(values[frequency]) : values[frequency] == expected[i].bids, "%s: %g",
                  expected[i].day, (double)values[frequency]);
        cr_assert(isnan(expected[i].loyal) ? isnan(values[loyalty]) : values[loyalty] == expected[i].loyal, "%s: %g",
                  expected[i].day, (double)values[loyalty]);
    }
}

Test(market_builder, attributes_are_those_of_the_row_before_the_day)
{
    BR_AUTO(br_market) *market = NULL;
    BR_AUTO(br_encoder) *encoder = NULL;
    BR_AUTO(br_builder) *builder = NULL;
    uint8_t codes[128];
    cr_assert_eq(br_market_new(&market, fixture_schema()), BR_OK);
    fixture_apply(market, fixture_bond("B1", "S1", "2024-01-01", "2024-01-10"));
    fixture_apply(market, fixture_bond("B2", "S1", "2024-01-01", "2024-01-20"));
    br_row row = fixture_investor("I1", "2024-01-05");
    fixture_set(&row, "org", "bank");
    fixture_apply(market, row);
    row = fixture_investor("I1", "2024-01-15");
    fixture_set(&row, "org", "fund");
    fixture_apply(market, row);
    cr_assert_eq(br_encoder_learn(&encoder, market, DAY("2024-01-01"), DAY("2024-02-01"), 1), BR_OK);
    cr_assert_eq(br_builder_new(&builder, market, encoder), BR_OK);
    static const char *const expected[][2] = {
        {"2024-01-05", "(missing)"}, {"2024-01-06", "bank"}, {"2024-01-15", "bank"}, {"2024-01-16", "fund"}};
    for (size_t i = 0; i < 4; i++) {
        cr_assert_eq(br_builder_advance(builder, DAY(expected[i][0])), BR_OK);
        br_builder_investor(builder, 0, codes);
        cr_assert_str_eq(encoder->fields[4].value_names[codes[0]], expected[i][1]);
    }
}

Test(market_builder, days_go_up_only)
{
    BR_AUTO(br_market) *market = fixture_random(1, 20, 3, 20);
    BR_AUTO(br_encoder) *encoder = NULL;
    BR_AUTO(br_builder) *builder = NULL;
    cr_assert_eq(br_encoder_learn(&encoder, market, FIXTURE_BEGIN, FIXTURE_BEGIN + 200, 1), BR_OK);
    cr_assert_eq(br_builder_new(&builder, market, encoder), BR_OK);
    cr_assert_eq(br_builder_advance(builder, FIXTURE_BEGIN + 9), BR_OK);
    cr_assert_eq(br_builder_advance(builder, FIXTURE_BEGIN + 9), BR_OK);
    cr_assert_eq(br_builder_advance(builder, FIXTURE_BEGIN + 8), BR_ERR_INVALID);
}
