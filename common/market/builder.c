#include "market/levels.h"

#include "base/alloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_WINDOWS = 2 * BR_MAX_WINDOWS };

// Where a derived field finds its numbers.
typedef struct plan {
    br_field_source source;
    br_activity activity;
    uint8_t window; // place in windows[]
    uint32_t slot;  // preferences: place in a row of `shares`; means: place among the means
    bool has_none;
    const double *cuts;
    uint16_t n_cuts;
} plan;

// What an investor did in one window.
typedef struct window_total {
    uint32_t n_bids;
    uint32_t n_amounts; // of them with an amount
    int64_t amount;
    uint32_t n_issuers;
    uint32_t n_loyal;
} window_total;

typedef struct window_mean {
    double sum;
    uint32_t n;
} window_mean;

struct br_builder {
    const br_market *market;
    const br_encoder *encoder;
    br_day today;
    uint32_t n_investors, n_bonds, n_bids;
    const br_bid *bids; // [n_bids]

    int32_t windows[MAX_WINDOWS];
    uint32_t n_windows;
    uint32_t shortest, longest; // activity windows that the trend compares

    uint32_t n_declared; // investor fields that are not derived
    uint32_t n_derived;
    plan *plans;             // [n_derived]
    uint8_t *declared_codes; // [investor rows, n_declared]
    uint8_t *bond_codes;     // [n_bonds, n_bond_fields]
    uint32_t *slot_of_field; // [n_bond_fields] first slot of the field's codes, or UINT32_MAX without preferences
    uint32_t n_slots;
    uint32_t share_windows; // the first windows are those of preferences
    uint32_t n_means;
    uint32_t mean_features[BR_MAX_FEATURES];

    uint32_t *by_visible; // [n_bids] bids in the order in which they become visible
    br_day *visible;      // [n_bids] when, BR_DAY_NONE: never
    uint32_t *by_day;     // [n_bids] bids in order of their date
    uint32_t n_events;    // bids that become visible some day
    uint32_t next_visible;
    uint32_t next_expired[MAX_WINDOWS]; // place in by_day

    uint32_t *pair_of;     // [n_bids] number of the bid's (investor, issuer)
    uint32_t *pair_counts; // [n_pairs, n_windows] visible bids
    br_day *pair_first;    // [n_pairs] date of the earliest visible bid
    uint8_t *loyal;        // [n_bids] set when it became visible

    window_total *totals; // [n_investors, n_windows]
    window_mean *means;   // [n_investors, n_windows, n_means]
    uint32_t *shares;     // [n_investors, share_windows, n_slots] bids by value
    br_day *last_bid;     // [n_investors] BR_DAY_NONE: never
};

// --- making ---

static uint8_t window_number(br_builder *builder, int32_t window_days)
{
    for (uint32_t i = 0; i < builder->n_windows; i++) {
        if (builder->windows[i] == window_days) {
            return (uint8_t)i;
        }
    }
    br_assert(builder->n_windows < MAX_WINDOWS);
    builder->windows[builder->n_windows] = window_days;
    return (uint8_t)builder->n_windows++;
}

static uint32_t mean_number(br_builder *builder, uint32_t feature)
{
    uint32_t i = 0;
    while (i < builder->n_means && builder->mean_features[i] != feature) {
        i++;
    }
    if (i == builder->n_means) {
        br_assert(i < BR_MAX_FEATURES);
        builder->mean_features[builder->n_means++] = feature;
    }
    return i;
}

// Windows and slots of the preferences come first, so that the rows of `shares` hold no others.
static void plan_preferences(br_builder *builder, const br_field *fields)
{
    const br_encoder *encoder = builder->encoder;
    for (uint32_t i = 0; i < encoder->n_bond_fields; i++) {
        builder->slot_of_field[i] = UINT32_MAX;
    }
    for (uint32_t i = 0; i < builder->n_derived; i++) {
        if (!br_field_is_preference(&fields[i])) {
            continue;
        }
        br_assert(fields[i].bond_field < encoder->n_bond_fields);
        builder->plans[i].window = window_number(builder, fields[i].window_days);
        uint32_t *first = &builder->slot_of_field[fields[i].bond_field];
        if (*first == UINT32_MAX) {
            *first = builder->n_slots;
            builder->n_slots += encoder->fields[fields[i].bond_field].n_values;
        }
        builder->plans[i].slot = *first + fields[i].bond_code;
    }
    builder->share_windows = builder->n_windows;
}

static bool longer(int32_t a, int32_t b)
{
    return b != BR_WINDOW_EVER && (a == BR_WINDOW_EVER || a > b);
}

static void plan_activity(br_builder *builder, const br_field *fields)
{
    const br_schema *schema = br_market_schema(builder->market);
    for (uint32_t i = 0; i < schema->n_activity_windows; i++) {
        uint8_t window = window_number(builder, schema->activity_windows_days[i]);
        if (i == 0 || longer(builder->windows[builder->shortest], builder->windows[window])) {
            builder->shortest = window;
        }
        if (i == 0 || longer(builder->windows[window], builder->windows[builder->longest])) {
            builder->longest = window;
        }
    }
    for (uint32_t i = 0; i < builder->n_derived; i++) {
        plan *p = &builder->plans[i];
        p->source = fields[i].source;
        p->activity = fields[i].activity;
        p->has_none = br_field_has_none(&fields[i]);
        p->cuts = fields[i].cuts;
        p->n_cuts = fields[i].n_cuts;
        if (!br_field_is_preference(&fields[i]) && fields[i].window_days >= 0) {
            p->window = window_number(builder, fields[i].window_days);
        }
        if (p->source == BR_SOURCE_MEAN) {
            p->slot = mean_number(builder, fields[i].feature);
        }
    }
}

static br_status make_plans(br_builder *builder)
{
    const br_encoder *encoder = builder->encoder;
    uint32_t first = encoder->n_bond_fields;
    while (first < encoder->n_fields && encoder->fields[first].source == BR_SOURCE_INVESTOR) {
        first++;
    }
    builder->n_declared = first - encoder->n_bond_fields;
    builder->n_derived = encoder->n_fields - first;
    builder->plans = br_calloc(builder->n_derived, sizeof *builder->plans);
    builder->slot_of_field = br_calloc(encoder->n_bond_fields, sizeof *builder->slot_of_field);
    if (builder->plans == NULL || builder->slot_of_field == NULL) {
        return br_no_memory("derived fields", builder->n_derived);
    }
    plan_preferences(builder, encoder->fields + first);
    plan_activity(builder, encoder->fields + first);
    return BR_OK;
}

static br_status encode_declared(br_builder *builder)
{
    const br_encoder *encoder = builder->encoder;
    uint32_t n_rows = br_market_n_investor_rows(builder->market);
    builder->bond_codes = br_calloc(builder->n_bonds, encoder->n_bond_fields);
    builder->declared_codes = br_calloc(n_rows, builder->n_declared);
    if (builder->bond_codes == NULL || builder->declared_codes == NULL) {
        return br_no_memory("rows of codes", (size_t)n_rows + builder->n_bonds);
    }
    for (uint32_t bond = 0; bond < builder->n_bonds; bond++) {
        br_encoder_bond(encoder, builder->market, bond, builder->bond_codes + (size_t)bond * encoder->n_bond_fields);
    }
    for (uint32_t row = 0; row < n_rows; row++) {
        for (uint32_t i = 0; i < builder->n_declared; i++) {
            const br_field *field = &encoder->fields[encoder->n_bond_fields + i];
            builder->declared_codes[(size_t)row * builder->n_declared + i] =
                br_field_raw_code(field, br_market_row_value(builder->market, row, field->feature),
                                  br_market_investor_strings(builder->market, field->feature));
        }
    }
    return BR_OK;
}

typedef struct event {
    uint64_t key;
    uint32_t bid;
} event;

static int compare_events(const void *left, const void *right)
{
    const event *a = left;
    const event *b = right;
    if (a->key != b->key) {
        return a->key < b->key ? -1 : 1;
    }
    return (a->bid > b->bid) - (a->bid < b->bid);
}

// Days are at most some millions; the offset makes them positive.
static uint64_t day_key(br_day day)
{
    return (uint64_t)((int64_t)day + INT32_MAX);
}

static void order_events(br_builder *builder, event *events)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < builder->n_bids; i++) {
        builder->visible[i] = br_market_bid_past_from(builder->market, &builder->bids[i]);
        if (builder->visible[i] != BR_DAY_NONE) {
            events[n++] = (event){day_key(builder->visible[i]), i};
        }
    }
    builder->n_events = n;
    qsort(events, n, sizeof *events, compare_events);
    for (uint32_t i = 0; i < n; i++) {
        builder->by_visible[i] = events[i].bid;
    }
    for (uint32_t i = 0; i < n; i++) {
        events[i].key = day_key(builder->bids[events[i].bid].day);
    }
    qsort(events, n, sizeof *events, compare_events);
    for (uint32_t i = 0; i < n; i++) {
        builder->by_day[i] = events[i].bid;
    }
}

// Number the (investor, issuer) pairs that occur; returns how many.
static uint32_t number_pairs(br_builder *builder, event *events)
{
    uint32_t n_pairs = 0;
    for (uint32_t i = 0; i < builder->n_events; i++) {
        const br_bid *bid = &builder->bids[builder->by_day[i]];
        uint64_t issuer = br_market_bond(builder->market, bid->bond)->issuer;
        events[i] = (event){(uint64_t)bid->investor << 32 | issuer, builder->by_day[i]};
    }
    qsort(events, builder->n_events, sizeof *events, compare_events);
    for (uint32_t i = 0; i < builder->n_events; i++) {
        n_pairs += i == 0 || events[i].key != events[i - 1].key;
        builder->pair_of[events[i].bid] = n_pairs - 1;
    }
    return n_pairs;
}

static br_status make_events(br_builder *builder)
{
    uint32_t n = builder->n_bids;
    event *events = br_calloc(n, sizeof *events);
    builder->by_visible = br_calloc(n, sizeof *builder->by_visible);
    builder->visible = br_calloc(n, sizeof *builder->visible);
    builder->by_day = br_calloc(n, sizeof *builder->by_day);
    builder->pair_of = br_calloc(n, sizeof *builder->pair_of);
    builder->loyal = br_calloc(n, 1);
    uint32_t n_pairs = 0;
    bool made = events != NULL && builder->by_visible != NULL && builder->visible != NULL && builder->by_day != NULL &&
                builder->pair_of != NULL && builder->loyal != NULL;
    if (made) {
        order_events(builder, events);
        n_pairs = number_pairs(builder, events);
        builder->pair_counts = br_calloc((size_t)n_pairs * builder->n_windows, sizeof *builder->pair_counts);
        builder->pair_first = br_calloc(n_pairs, sizeof *builder->pair_first);
    }
    br_free(events);
    if (!made || builder->pair_counts == NULL || builder->pair_first == NULL) {
        return br_no_memory("bids in order", n);
    }
    for (uint32_t i = 0; i < n_pairs; i++) {
        builder->pair_first[i] = BR_DAY_NONE;
    }
    return BR_OK;
}

static br_status make_counters(br_builder *builder)
{
    size_t n_totals = (size_t)builder->n_investors * builder->n_windows;
    builder->totals = br_calloc(n_totals, sizeof *builder->totals);
    builder->means = br_calloc(n_totals * builder->n_means, sizeof *builder->means);
    builder->shares =
        br_calloc((size_t)builder->n_investors * builder->share_windows * builder->n_slots, sizeof *builder->shares);
    builder->last_bid = br_calloc(builder->n_investors, sizeof *builder->last_bid);
    if (builder->totals == NULL || builder->means == NULL || builder->shares == NULL || builder->last_bid == NULL) {
        return br_no_memory("investors' counters", builder->n_investors);
    }
    for (uint32_t i = 0; i < builder->n_investors; i++) {
        builder->last_bid[i] = BR_DAY_NONE;
    }
    return BR_OK;
}

br_status br_builder_new(br_builder **out, br_market *market, const br_encoder *encoder)
{
    BR_AUTO(br_builder) *builder = br_calloc(1, sizeof *builder);
    if (builder == NULL) {
        return br_no_memory("builder", 1);
    }
    builder->market = market;
    builder->encoder = encoder;
    builder->today = BR_DAY_NONE;
    builder->n_investors = br_market_n_investors(market);
    builder->n_bonds = br_market_n_bonds(market);
    br_status status = br_market_bids(market, &builder->bids, &builder->n_bids);
    br_status (*const steps[])(br_builder *) = {make_plans, encode_declared, make_events, make_counters};
    for (size_t i = 0; status == BR_OK && i < sizeof steps / sizeof steps[0]; i++) {
        status = steps[i](builder);
    }
    if (status != BR_OK) {
        return status;
    }
    *out = builder;
    builder = NULL;
    return BR_OK;
}

void br_builder_free(br_builder **builder)
{
    if (builder == NULL || *builder == NULL) {
        return;
    }
    br_builder *dead = *builder;
    br_free(dead->plans);
    br_free(dead->declared_codes);
    br_free(dead->bond_codes);
    br_free(dead->slot_of_field);
    br_free(dead->by_visible);
    br_free(dead->visible);
    br_free(dead->by_day);
    br_free(dead->pair_of);
    br_free(dead->pair_counts);
    br_free(dead->pair_first);
    br_free(dead->loyal);
    br_free(dead->totals);
    br_free(dead->means);
    br_free(dead->shares);
    br_free(dead->last_bid);
    br_free(dead);
    *builder = NULL;
}

// --- walking ---

// Is a bid of this date inside the window on `today`?
static bool in_window(const br_builder *builder, uint32_t window, br_day day)
{
    int32_t length = builder->windows[window];
    return length == BR_WINDOW_EVER || day >= builder->today - length;
}

static void count_values(br_builder *builder, const br_bid *bid, uint32_t window, bool enters)
{
    uint32_t n_bond_fields = builder->encoder->n_bond_fields;
    const uint8_t *codes = builder->bond_codes + (size_t)bid->bond * n_bond_fields;
    uint32_t *shares = builder->shares + ((size_t)bid->investor * builder->share_windows + window) * builder->n_slots;
    for (uint32_t i = 0; i < n_bond_fields; i++) {
        if (builder->slot_of_field[i] != UINT32_MAX) {
            shares[builder->slot_of_field[i] + codes[i]] += enters ? 1u : UINT32_MAX;
        }
    }
}

static void count_means(br_builder *builder, const br_bid *bid, uint32_t window, bool enters)
{
    window_mean *means = builder->means + ((size_t)bid->investor * builder->n_windows + window) * builder->n_means;
    for (uint32_t i = 0; i < builder->n_means; i++) {
        double value = br_market_bond_value(builder->market, bid->bond, builder->mean_features[i]).number;
        if (isnan(value)) {
            continue;
        }
        means[i].n += enters ? 1u : UINT32_MAX;
        // An empty window forgets what rounding left behind.
        means[i].sum = means[i].n == 0 ? 0.0 : means[i].sum + (enters ? value : -value);
    }
}

static void count_bid(br_builder *builder, uint32_t number, uint32_t window, bool enters)
{
    const br_bid *bid = &builder->bids[number];
    const uint32_t step = enters ? 1u : UINT32_MAX; // modulo 2^32
    window_total *total = &builder->totals[(size_t)bid->investor * builder->n_windows + window];
    uint32_t *of_issuer = &builder->pair_counts[(size_t)builder->pair_of[number] * builder->n_windows + window];
    total->n_bids += step;
    total->n_loyal += builder->loyal[number] ? step : 0;
    if (bid->amount != BR_AMOUNT_NONE) {
        total->n_amounts += step;
        total->amount += enters ? bid->amount : -bid->amount;
    }
    *of_issuer += step;
    if (*of_issuer == (enters ? 1u : 0u)) {
        total->n_issuers += step;
    }
    if (window < builder->share_windows) {
        count_values(builder, bid, window, enters);
    }
    count_means(builder, bid, window, enters);
}

static void expire(br_builder *builder)
{
    for (uint32_t window = 0; window < builder->n_windows; window++) {
        uint32_t *next = &builder->next_expired[window];
        while (*next < builder->n_events && !in_window(builder, window, builder->bids[builder->by_day[*next]].day)) {
            uint32_t number = builder->by_day[(*next)++];
            // One that becomes visible today or later never entered this window.
            if (builder->visible[number] < builder->today) {
                count_bid(builder, number, window, false);
            }
        }
    }
}

static void reveal(br_builder *builder)
{
    while (builder->next_visible < builder->n_events &&
           builder->visible[builder->by_visible[builder->next_visible]] <= builder->today) {
        uint32_t number = builder->by_visible[builder->next_visible++];
        const br_bid *bid = &builder->bids[number];
        br_day *first = &builder->pair_first[builder->pair_of[number]];
        builder->loyal[number] = *first != BR_DAY_NONE && *first < bid->day;
        *first = *first == BR_DAY_NONE || bid->day < *first ? bid->day : *first;
        br_day *last = &builder->last_bid[bid->investor];
        *last = bid->day > *last ? bid->day : *last;
        for (uint32_t window = 0; window < builder->n_windows; window++) {
            if (in_window(builder, window, bid->day)) {
                count_bid(builder, number, window, true);
            }
        }
    }
}

br_status br_builder_advance(br_builder *builder, br_day as_of)
{
    br_assert(as_of != BR_DAY_NONE);
    if (as_of < builder->today) {
        char asked[BR_DAY_TEXT], now[BR_DAY_TEXT];
        return br_fail(BR_ERR_INVALID, "the builder stands on %s and cannot go back to %s",
                       br_day_text(builder->today, now), br_day_text(as_of, asked));
    }
    // Day by day, so that sums are rounded alike whatever days were asked for; before the first bid nothing happens.
    if (builder->n_events > 0) {
        br_day first = builder->visible[builder->by_visible[0]];
        br_day day = builder->today == BR_DAY_NONE || builder->today < first ? first : builder->today + 1;
        for (; day <= as_of; day++) {
            builder->today = day;
            expire(builder);
            reveal(builder);
        }
    }
    builder->today = as_of;
    return BR_OK;
}

// --- reading ---

static float trend_of(const br_builder *builder, uint32_t investor, const window_total *totals)
{
    const window_total *near = &totals[builder->shortest];
    const window_total *far = &totals[builder->longest];
    int32_t near_days = builder->windows[builder->shortest];
    int32_t far_days = builder->windows[builder->longest];
    int32_t known_days = builder->today - br_market_investor_known(builder->market, investor);
    near_days = near_days == BR_WINDOW_EVER ? known_days : near_days;
    far_days = far_days == BR_WINDOW_EVER ? known_days : far_days;
    if (far->n_bids == 0 || near_days <= 0) {
        return NAN;
    }
    return (float)((double)near->n_bids * far_days / ((double)far->n_bids * near_days));
}

static float activity_of(const br_builder *builder, uint32_t investor, const plan *p, const window_total *totals)
{
    const window_total *total = &totals[p->window];
    if (p->activity < BR_ACTIVITY_RECENCY && total->n_bids == 0) {
        return NAN;
    }
    switch (p->activity) {
    case BR_ACTIVITY_FREQUENCY:
        return (float)total->n_bids;
    case BR_ACTIVITY_AMOUNT:
        return (float)total->amount;
    case BR_ACTIVITY_MEAN_AMOUNT:
        return total->n_amounts == 0 ? 0.0f : (float)((double)total->amount / total->n_amounts);
    case BR_ACTIVITY_BREADTH:
        return (float)total->n_issuers;
    case BR_ACTIVITY_LOYALTY:
        return (float)total->n_loyal / (float)total->n_bids;
    case BR_ACTIVITY_RECENCY:
        return builder->last_bid[investor] == BR_DAY_NONE ? NAN : (float)(builder->today - builder->last_bid[investor]);
    case BR_ACTIVITY_TENURE: {
        br_day known = br_market_investor_known(builder->market, investor);
        return known == BR_DAY_NONE || known >= builder->today ? NAN : (float)(builder->today - known);
    }
    case BR_ACTIVITY_TREND:
        return trend_of(builder, investor, totals);
    case BR_ACTIVITY_COUNT:
        break;
    }
    return NAN;
}

static float derived_value(const br_builder *builder, uint32_t investor, const plan *p)
{
    const window_total *totals = builder->totals + (size_t)investor * builder->n_windows;
    if (p->source == BR_SOURCE_PREFERENCE || p->source == BR_SOURCE_MATCHES) {
        uint32_t n_bids = totals[p->window].n_bids;
        size_t row = (size_t)investor * builder->share_windows + p->window;
        uint32_t n = builder->shares[row * builder->n_slots + p->slot];
        if (n_bids == 0 || n == 0) {
            return n_bids == 0 ? NAN : 0.0f;
        }
        return p->source == BR_SOURCE_MATCHES ? (float)n : (float)n / (float)n_bids;
    }
    if (p->source == BR_SOURCE_MEAN) {
        size_t row = (size_t)investor * builder->n_windows + p->window;
        const window_mean *mean = &builder->means[row * builder->n_means + p->slot];
        return mean->n == 0 ? NAN : (float)(mean->sum / mean->n);
    }
    return activity_of(builder, investor, p, totals);
}

void br_builder_derived(const br_builder *builder, uint32_t investor, float *values)
{
    for (uint32_t i = 0; i < builder->n_derived; i++) {
        values[i] = derived_value(builder, investor, &builder->plans[i]);
    }
}

static uint8_t level_of(const plan *p, float value)
{
    if (isnan(value)) {
        return 0;
    }
    if (p->has_none && value <= 0.0f) {
        return 1;
    }
    uint8_t level = p->has_none ? 2 : 1;
    for (uint16_t i = 0; i < p->n_cuts; i++) {
        level = (uint8_t)(level + ((double)value > p->cuts[i]));
    }
    return level;
}

void br_builder_investor(const br_builder *builder, uint32_t investor, uint8_t *codes)
{
    br_assert(investor < builder->n_investors && builder->today != BR_DAY_NONE);
    uint32_t row = br_market_investor_row(builder->market, investor, builder->today - 1);
    if (row == BR_INDEX_NONE) {
        memset(codes, 0, builder->n_declared);
    } else {
        memcpy(codes, builder->declared_codes + (size_t)row * builder->n_declared, builder->n_declared);
    }
    for (uint32_t i = 0; i < builder->n_derived; i++) {
        const plan *p = &builder->plans[i];
        codes[builder->n_declared + i] = level_of(p, derived_value(builder, investor, p));
    }
}
