#include "market/simulate.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "market/simulate_features.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    N_LATENT = 4,
    N_ORGS = 12,
    N_YEARS = 4, // the first is history
    N_GRADES = 5,
    MAX_DAYS_KNOWN = 3650, // all investors exist from the start, some for long
    QUASI_PUBLIC = 1,      // the type that central state-owned issuers favour
    LOCAL_TYPE = 4,        // and local ones
    CENTRAL = 0,
    LOCAL = 1,       // properties
    NO_RATING = 6,   // of the debt
    LONG_PERIOD = 4, // periods from here on are long
    MAX_FAVOURITES = 5,
};

// Parts of the streams, so that two uses never share numbers.
enum { DRAW_TABLES, DRAW_ISSUER, DRAW_ORGS, DRAW_RATES };
enum { DRAW_BOND, DRAW_BOND_FEATURES };
enum { DRAW_INVESTOR, DRAW_TASTE, DRAW_MONTHS };
enum { DRAW_BID, DRAW_FIRST_AMOUNT };

typedef struct sim_tables {
    double industry[7][24]; // by property; rows are shares
    double issuer_type[24][6];
    double type[7][14];
    double period[14][6];
    double province[32];
} sim_tables;

typedef struct sim_issuer {
    uint32_t values[SIM_N_TASTES];
    double latent[N_LATENT];
    double leverage;
    double assets;
    uint32_t n_issues;
} sim_issuer;

typedef struct sim_bond {
    uint32_t issuer;
    br_day announce_day;
    br_day issue_day;
    uint32_t values[SIM_N_TASTES];
    double size;   // standard normal, more for the best rating
    double spread; // standardised
    double popularity;
    double raw[SIM_N_BOND_FEATURES]; // as written: the number, or the number of the value
} sim_bond;

typedef struct sim_investor {
    uint32_t org;
    double activity;
    double spread_taste;
    double latent[N_LATENT];
    uint32_t days_known; // before the first day of the history
    double raw[SIM_N_INVESTOR_FEATURES];
} sim_investor;

// An organisation type.
typedef struct sim_org {
    double activity;
    double spread_taste;
    double state_share;
    double affinity[SIM_N_TASTES][SIM_MAX_VALUES];
} sim_org;

struct br_simulation {
    br_simulation_options options;
    br_schema *schema;
    br_day first_day;
    br_day data_from;
    uint32_t n_bonds;
    sim_issuer *issuers;     // [n_issuers]
    sim_bond *bonds;         // [n_bonds] by announcement
    uint32_t *by_issue;      // [n_bonds] bonds by issue day
    sim_investor *investors; // [n_investors]
    sim_org orgs[N_ORGS];
    double share[SIM_N_TASTES][SIM_MAX_VALUES]; // of the bonds
    double *rates;                              // [days] market rate
    uint32_t n_days;
    br_truth *truth; // [n_bonds, n_investors]
};

br_status br_simulation_defaults(br_simulation_options *out, const char *size)
{
    // A tiny market is for tests: a higher bid rate, so that it, too, has bids to learn from.
    static const struct {
        const char *name;
        uint32_t n_investors, n_bonds, n_issuers;
        double bid_rate;
    } sizes[] = {{"tiny", 300, 600, 180, 0.05}, {"small", 1000, 2000, 600, 0.022}, {"paper", 1000, 3000, 900, 0.022}};
    enum { N_SIZES = sizeof sizes / sizeof sizes[0] };
    size_t i = 0;
    while (i < N_SIZES && strcmp(size, sizes[i].name) != 0) {
        i++;
    }
    if (i == N_SIZES) {
        return br_fail(BR_ERR_INVALID, "'%.32s' is no size of a market: there are tiny, small, paper", size);
    }
    *out = (br_simulation_options){
        .seed = 1,
        .n_investors = sizes[i].n_investors,
        .n_bonds = sizes[i].n_bonds,
        .n_issuers = sizes[i].n_issuers,
        .first_year = 2021,
        .bid_rate = sizes[i].bid_rate,
        .combinations = 0,
        .issuer_zipf = 0.6,
        .quasi_public_share = 0.5,
        .local_type_share = 0.4,
        .first_province_share = 0.55,
        .same_rating_share = 0.7,
        .renewable_central = 0.3,
        .renewable_other = 0.07,
        .spread_noise = 0.7,
        .popularity_scale = 0.7,
        .popularity_size = 0.6,
        .popularity_noise = 0.8,
        .org_zipf = 0.7,
        .org_activity_spread = 0.5,
        .activity_spread = 1.9,
        .month_spread = 0.5,
        .month_correlation = 0.7,
        .org_spread_taste = 0.3,
        .spread_taste_spread = 0.4,
        .latent = 0.15,
        .attention_share = 0.4,
        .attention_low = 0.6,
        .attention_high = 1.4,
        .affinity_spread = 0.8,
        .favourite_power = 0.6,
        .changes_per_year = 0.2,
        .taste_scale = 1.1,
        .taste_centre = 0.5,
        .taste_favourite = 1.5,
        .taste_other = -0.9,
        .amount_activity = 0.4,
        .amount_noise = 0.5,
    };
    return BR_OK;
}

// --- draws ---

// Gamma(shape, 1).
// Source: Marsaglia and Tsang, A simple method for generating gamma variables, 2000; shapes below 1 by their boost.
static double draw_gamma(br_rng *rng, double shape)
{
    double boost = 1;
    if (shape < 1) {
        boost = pow(((double)br_rng_u32(rng) + 1) * 0x1p-32, 1 / shape);
        shape += 1;
    }
    double d = shape - 1.0 / 3;
    double c = 1 / sqrt(9 * d);
    for (;;) {
        double x = br_rng_normal(rng);
        double v = 1 + c * x;
        if (v <= 0) {
            continue;
        }
        v = v * v * v;
        double u = ((double)br_rng_u32(rng) + 1) * 0x1p-32;
        if (log(u) < 0.5 * x * x + d - d * v + d * log(v)) {
            return boost * d * v;
        }
    }
}

// Shares of a Zipf law: rank^-exponent, or equal ones for exponent 0.
static void fill_zipf(double *shares, uint32_t n, double exponent)
{
    double total = 0;
    for (uint32_t i = 0; i < n; i++) {
        shares[i] = pow(i + 1.0, -exponent);
        total += shares[i];
    }
    for (uint32_t i = 0; i < n; i++) {
        shares[i] /= total;
    }
}

// shares ~ Dirichlet(alpha n Zipf(n, exponent)).
static void draw_shares(br_rng *rng, double *shares, uint32_t n, double alpha, double exponent)
{
    double total = 0;
    fill_zipf(shares, n, exponent);
    for (uint32_t i = 0; i < n; i++) {
        shares[i] = draw_gamma(rng, alpha * n * shares[i]) + 1e-300;
        total += shares[i];
    }
    for (uint32_t i = 0; i < n; i++) {
        shares[i] /= total;
    }
}

// One of n in proportion to weights.
static uint32_t draw_one(br_rng *rng, const double *weights, uint32_t n)
{
    double total = 0;
    for (uint32_t i = 0; i < n; i++) {
        total += weights[i];
    }
    double left = br_rng_uniform(rng) * total;
    for (uint32_t i = 0; i + 1 < n; i++) {
        left -= weights[i];
        if (left < 0) {
            return i;
        }
    }
    return n - 1;
}

static double draw_between(br_rng *rng, double low, double high)
{
    return low + (high - low) * br_rng_uniform(rng);
}

static bool draw_yes(br_rng *rng, double probability)
{
    return br_rng_uniform(rng) < probability;
}

// --- issuers ---

static void draw_tables(const br_simulation *sim, sim_tables *tables)
{
    br_rng rng = br_rng_at(sim->options.seed, BR_STREAM_SIM_MARKET, DRAW_TABLES, 0);
    for (uint32_t i = 0; i < 7; i++) {
        draw_shares(&rng, tables->industry[i], 24, 0.6, 0.8);
    }
    for (uint32_t i = 0; i < 24; i++) {
        draw_shares(&rng, tables->issuer_type[i], 6, 0.5, 1.6);
    }
    for (uint32_t i = 0; i < 7; i++) {
        draw_shares(&rng, tables->type[i], 14, 0.35, 0.5);
    }
    for (uint32_t i = 0; i < 14; i++) {
        draw_shares(&rng, tables->period[i], 6, 0.8, 0);
    }
    fill_zipf(tables->province, 32, 0.7);
    // The couplings that make features spurious.
    for (uint32_t i = 0; i < 14; i++) {
        tables->type[CENTRAL][i] *= 1 - sim->options.quasi_public_share;
        tables->type[LOCAL][i] *= 1 - sim->options.local_type_share;
    }
    tables->type[CENTRAL][QUASI_PUBLIC] += sim->options.quasi_public_share;
    tables->type[LOCAL][LOCAL_TYPE] += sim->options.local_type_share;
}

static void draw_issuer(const br_simulation *sim, const sim_tables *tables, uint32_t number, sim_issuer *issuer)
{
    static const double properties[7] = {.18, .47, .20, .05, .04, .03, .03};
    static const double listed[7] = {.45, .15, .5, .5, .3, .3, .3};
    static const double ratings[7][6] = {
        {.75, .15, .05, .03, .01, .01}, {.30, .38, .24, .05, .02, .01}, {.30, .30, .25, .08, .04, .03},
        {.50, .30, .10, .05, .03, .02}, {.20, .30, .30, .10, .05, .05}, {.20, .30, .30, .10, .05, .05},
        {.20, .30, .30, .10, .05, .05},
    };
    br_rng rng = br_rng_at(sim->options.seed, BR_STREAM_SIM_MARKET, DRAW_ISSUER, number);
    uint32_t property = draw_one(&rng, properties, 7);
    uint32_t industry = draw_one(&rng, tables->industry[property], 24);
    bool first = property == CENTRAL && draw_yes(&rng, sim->options.first_province_share);
    issuer->values[SIM_PROPERTY] = property;
    issuer->values[SIM_INDUSTRY] = industry;
    issuer->values[SIM_PROVINCE] = first ? 0 : draw_one(&rng, tables->province, 32);
    issuer->values[SIM_ISSUER_TYPE] = draw_one(&rng, tables->issuer_type[industry], 6);
    issuer->values[SIM_LISTED] = draw_yes(&rng, listed[property]);
    issuer->values[SIM_SUBJECT_RATING] = draw_one(&rng, ratings[property], 6);
    for (uint32_t i = 0; i < N_LATENT; i++) {
        issuer->latent[i] = br_rng_normal(&rng);
    }
    issuer->leverage = 62 + 9 * br_rng_normal(&rng) - 2 * (issuer->values[SIM_SUBJECT_RATING] == 0);
    issuer->assets = exp(6 + 0.9 * br_rng_normal(&rng) - 0.5 * issuer->values[SIM_SUBJECT_RATING]);
}

// --- bonds ---

// A weekday in [from, until), uniform.
static br_day draw_weekday(br_rng *rng, br_day from, br_day until)
{
    br_day day;
    do {
        day = from + (br_day)br_rng_below(rng, (uint32_t)(until - from));
    } while (br_day_weekday(day) > 4);
    return day;
}

static void draw_bond(const br_simulation *sim, const sim_tables *tables, const double *issuer_shares, uint32_t number,
                      sim_bond *bond)
{
    const br_simulation_options *o = &sim->options;
    br_rng rng = br_rng_at(o->seed, BR_STREAM_SIM_BOND, DRAW_BOND, number);
    bool history = number >= o->n_bonds;
    bond->issuer = draw_one(&rng, issuer_shares, o->n_issuers);
    bond->issue_day = history ? draw_weekday(&rng, sim->first_day, sim->data_from)
                              : draw_weekday(&rng, sim->data_from, sim->first_day + (br_day)sim->n_days);
    bond->announce_day = bond->issue_day - 7 - (br_day)br_rng_below(&rng, 15);
    memcpy(bond->values, sim->issuers[bond->issuer].values, sizeof bond->values);
    uint32_t property = bond->values[SIM_PROPERTY];
    uint32_t rating = bond->values[SIM_SUBJECT_RATING];
    bond->values[SIM_TYPE] = draw_one(&rng, tables->type[property], 14);
    bond->values[SIM_PERIOD] = draw_one(&rng, tables->period[bond->values[SIM_TYPE]], 6);
    bond->values[SIM_RENEWABLE] = draw_yes(&rng, property == CENTRAL ? o->renewable_central : o->renewable_other);
    bool same = draw_yes(&rng, o->same_rating_share);
    uint32_t worse = rating + 1 < NO_RATING ? rating + 1 : rating;
    bond->values[SIM_DEBT_RATING] = same ? rating : draw_yes(&rng, 0.5) ? NO_RATING : worse;
    bond->size = br_rng_normal(&rng) + 0.5 * (rating == 0);
    bond->spread = 0.8 * ((double)rating - 1) + 0.3 * bond->values[SIM_RENEWABLE] +
                   0.3 * (bond->values[SIM_PERIOD] >= LONG_PERIOD) + o->spread_noise * br_rng_normal(&rng);
    bond->popularity =
        o->popularity_scale * (o->popularity_size * bond->size + o->popularity_noise * br_rng_normal(&rng));
}

static int compare_bonds(const void *left, const void *right)
{
    const sim_bond *a = left;
    const sim_bond *b = right;
    if (a->announce_day != b->announce_day) {
        return a->announce_day < b->announce_day ? -1 : 1;
    }
    if (a->issue_day != b->issue_day) {
        return a->issue_day < b->issue_day ? -1 : 1;
    }
    if (a->issuer != b->issuer) {
        return a->issuer < b->issuer ? -1 : 1;
    }
    return (a->spread > b->spread) - (a->spread < b->spread);
}

typedef struct dated {
    br_day day;
    uint32_t bond;
} dated;

static int compare_dated(const void *left, const void *right)
{
    const dated *a = left;
    const dated *b = right;
    if (a->day != b->day) {
        return a->day < b->day ? -1 : 1;
    }
    return (a->bond > b->bond) - (a->bond < b->bond);
}

static br_status order_by_issue(br_simulation *sim)
{
    dated *order = br_calloc(sim->n_bonds, sizeof *order);
    if (order == NULL) {
        return br_no_memory("bonds in order", sim->n_bonds);
    }
    for (uint32_t i = 0; i < sim->n_bonds; i++) {
        order[i] = (dated){sim->bonds[i].issue_day, i};
    }
    qsort(order, sim->n_bonds, sizeof *order, compare_dated);
    for (uint32_t i = 0; i < sim->n_bonds; i++) {
        sim->by_issue[i] = order[i].bond;
    }
    br_free(order);
    return BR_OK;
}

static void standardise_spreads(br_simulation *sim)
{
    double sum = 0, squares = 0;
    for (uint32_t i = 0; i < sim->n_bonds; i++) {
        sum += sim->bonds[i].spread;
        squares += sim->bonds[i].spread * sim->bonds[i].spread;
    }
    double mean = sum / sim->n_bonds;
    double deviation = sqrt(squares / sim->n_bonds - mean * mean);
    for (uint32_t i = 0; i < sim->n_bonds; i++) {
        sim->bonds[i].spread = (sim->bonds[i].spread - mean) / deviation;
    }
}

static void draw_rates(br_simulation *sim)
{
    br_rng rng = br_rng_at(sim->options.seed, BR_STREAM_SIM_MARKET, DRAW_RATES, 0);
    double rate = 2.8;
    for (uint32_t i = 0; i < sim->n_days; i++) {
        rate += 0.002 * (2.6 - rate) + 0.02 * br_rng_normal(&rng);
        sim->rates[i] = rate;
    }
}

// Features that follow from the bond's day and its issuer.
static void set_context(br_simulation *sim, sim_bond *bond)
{
    int year;
    unsigned month, day_of_month;
    uint32_t day = (uint32_t)(bond->issue_day - sim->first_day);
    sim_issuer *issuer = &sim->issuers[bond->issuer];
    br_day_to_civil(bond->issue_day, &year, &month, &day_of_month);
    bond->raw[SIM_LEVERAGE] = issuer->leverage;
    bond->raw[SIM_ISSUER_ASSETS] = issuer->assets;
    bond->raw[SIM_EARLIER_ISSUES] = issuer->n_issues++;
    bond->raw[SIM_RATE_LEVEL] = sim->rates[day];
    bond->raw[SIM_RATE_TREND] = sim->rates[day] - sim->rates[day < 30 ? 0 : day - 30];
    bond->raw[SIM_MONTH] = month - 1;
    bond->raw[SIM_WEEKDAY] = br_day_weekday(bond->issue_day);
    bond->raw[SIM_QUARTER_END] = month % 3 == 0 && day_of_month > 15;
    bond->raw[SIM_LEAD_DAYS] = bond->issue_day - bond->announce_day;
}

// Features that carry nothing a bid depends on, or only what others carry better.
static void set_rest(const br_simulation *sim, uint32_t number, sim_bond *bond)
{
    static const double years[6] = {0.5, 1, 2, 3, 5, 10};
    static const double guarantee[3] = {.8, .15, .05}, role[3] = {.5, .35, .15}, coupon[3] = {.9, .04, .06};
    static const double proceeds[5] = {.5, .25, .15, .05, .05}, outlook[3] = {.03, .92, .05};
    br_rng rng = br_rng_at(sim->options.seed, BR_STREAM_SIM_BOND, DRAW_BOND_FEATURES, number);
    for (uint32_t f = 0; f < SIM_N_TASTES; f++) {
        bond->raw[f] = bond->values[f];
    }
    bond->raw[SIM_SIZE] = exp(2.3 + 0.5 * bond->size);
    bond->raw[SIM_SPREAD] = 95 + 45 * bond->spread;
    bond->raw[SIM_TENOR] = years[bond->values[SIM_PERIOD]] * draw_between(&rng, 0.9, 1.0);
    bond->raw[SIM_GUARANTEE] = draw_one(&rng, guarantee, 3);
    bond->raw[SIM_CALLABLE] = draw_yes(&rng, bond->values[SIM_RENEWABLE] ? 0.9 : 0.1);
    bond->raw[SIM_PUTTABLE] = draw_yes(&rng, bond->values[SIM_PERIOD] >= LONG_PERIOD ? 0.4 : 0.05);
    bond->raw[SIM_ROLE] = draw_one(&rng, role, 3);
    bond->raw[SIM_PROCEEDS] = draw_one(&rng, proceeds, 5);
    bond->raw[SIM_VENUE] = draw_yes(&rng, 0.6) ? 0 : 1 + br_rng_below(&rng, 2);
    bond->raw[SIM_COUPON] = draw_one(&rng, coupon, 3);
    bond->raw[SIM_GREEN] = draw_yes(&rng, 0.06);
    bond->raw[SIM_OUTLOOK] = draw_one(&rng, outlook, 3);
    bond->raw[SIM_SLOT] = br_rng_below(&rng, 3);
}

static br_status draw_bonds(br_simulation *sim)
{
    const br_simulation_options *o = &sim->options;
    sim_tables tables;
    double *issuer_shares = br_calloc(o->n_issuers, sizeof *issuer_shares);
    if (issuer_shares == NULL) {
        return br_no_memory("issuers", o->n_issuers);
    }
    draw_tables(sim, &tables);
    for (uint32_t i = 0; i < o->n_issuers; i++) {
        draw_issuer(sim, &tables, i, &sim->issuers[i]);
    }
    fill_zipf(issuer_shares, o->n_issuers, o->issuer_zipf);
    for (uint32_t i = 0; i < sim->n_bonds; i++) {
        draw_bond(sim, &tables, issuer_shares, i, &sim->bonds[i]);
    }
    br_free(issuer_shares);
    qsort(sim->bonds, sim->n_bonds, sizeof *sim->bonds, compare_bonds);
    standardise_spreads(sim);
    draw_rates(sim);
    br_status status = order_by_issue(sim);
    for (uint32_t i = 0; status == BR_OK && i < sim->n_bonds; i++) {
        set_context(sim, &sim->bonds[sim->by_issue[i]]);
        set_rest(sim, i, &sim->bonds[i]);
        for (uint32_t f = 0; f < SIM_N_TASTES; f++) {
            sim->share[f][sim->bonds[i].values[f]] += 1.0 / sim->n_bonds;
        }
    }
    return status;
}

// --- investors ---

static void draw_orgs(br_simulation *sim)
{
    const br_simulation_options *o = &sim->options;
    for (uint32_t i = 0; i < N_ORGS; i++) {
        br_rng rng = br_rng_at(o->seed, BR_STREAM_SIM_MARKET, DRAW_ORGS, i);
        sim_org *org = &sim->orgs[i];
        org->activity = o->org_activity_spread * br_rng_normal(&rng);
        org->spread_taste = o->org_spread_taste * br_rng_normal(&rng);
        org->state_share = br_rng_uniform(&rng);
        for (uint32_t f = 0; f < SIM_N_TASTES; f++) {
            for (uint32_t v = 0; v < br_sim_n_values[f]; v++) {
                org->affinity[f][v] = exp(o->affinity_spread * br_rng_normal(&rng));
            }
        }
    }
}

// Attributes: readings of what drives the investor, what follows from them, and noise.
static void set_attributes(const sim_org *org, br_rng *rng, sim_investor *investor)
{
    static const double tiers[3][3] = {{.8, .15, .05}, {.2, .6, .2}, {.05, .35, .6}};
    static const double languages[3] = {.8, .05, .15};
    double provinces[32];
    fill_zipf(provinces, 32, 0.7);
    uint32_t province = draw_one(rng, provinces, 32);
    double *raw = investor->raw;
    raw[SIM_ORG_TYPE] = investor->org;
    raw[SIM_HOME_PROVINCE] = province;
    raw[SIM_HOME_REGION] = province * 5 % 7;
    raw[SIM_BUSINESS_SCORE] = 50 + 10 * (investor->activity + br_rng_normal(rng));
    raw[SIM_ASSET_SCORE] = 50 + 10 * (investor->activity + 2 * br_rng_normal(rng));
    double grade = investor->activity / 1.5 + 0.7 / 1.5 * br_rng_normal(rng) + N_GRADES / 2.0;
    raw[SIM_GRADE] = grade < 0 ? 0 : grade >= N_GRADES ? N_GRADES - 1 : floor(grade);
    raw[SIM_RISK_APPETITE] = 50 + 20 * (investor->spread_taste + 0.3 * br_rng_normal(rng));
    raw[SIM_STATE_OWNED] = draw_yes(rng, org->state_share);
    raw[SIM_LICENCE] = draw_yes(rng, 0.8) ? investor->org % 4 : br_rng_below(rng, 4);
    raw[SIM_CITY_TIER] = draw_one(rng, tiers[province < 4 ? 0 : province < 14 ? 1 : 2], 3);
    raw[SIM_ACCOUNT_KIND] = draw_yes(rng, 0.7) ? investor->org % 3 : br_rng_below(rng, 3);
    raw[SIM_FISCAL_MONTH] = br_rng_below(rng, 12);
    raw[SIM_CUSTODIAN] = br_rng_below(rng, 10);
    raw[SIM_MANAGER] = br_rng_below(rng, 12);
    raw[SIM_CHANNEL] = br_rng_below(rng, 4);
    raw[SIM_LANGUAGE] = draw_one(rng, languages, 3);
    raw[SIM_FORM_SCORE] = 50 + 10 * br_rng_normal(rng);
}

static void draw_investors(br_simulation *sim)
{
    const br_simulation_options *o = &sim->options;
    double org_shares[N_ORGS];
    fill_zipf(org_shares, N_ORGS, o->org_zipf);
    for (uint32_t i = 0; i < o->n_investors; i++) {
        br_rng rng = br_rng_at(o->seed, BR_STREAM_SIM_INVESTOR, DRAW_INVESTOR, i);
        sim_investor *investor = &sim->investors[i];
        investor->org = draw_one(&rng, org_shares, N_ORGS);
        const sim_org *org = &sim->orgs[investor->org];
        investor->activity = org->activity + o->activity_spread * br_rng_normal(&rng);
        investor->spread_taste = org->spread_taste + o->spread_taste_spread * br_rng_normal(&rng);
        for (uint32_t k = 0; k < N_LATENT; k++) {
            investor->latent[k] = br_rng_normal(&rng);
        }
        investor->days_known = br_rng_below(&rng, MAX_DAYS_KNOWN);
        set_attributes(org, &rng, investor);
    }
}

// --- taste ---

// A favourite that may count only together with a value of a second feature.
typedef struct favourite {
    uint32_t value;
    uint32_t second; // feature, or SIM_N_TASTES for none
    uint32_t second_value;
} favourite;

// What one investor thinks of one feature until the next change.
typedef struct taste {
    br_rng rng;
    double attention; // 0: does not attend
    double next_change;
    favourite favourites[MAX_FAVOURITES];
    uint32_t n_favourites;
    double centre; // the part of the taste that all values share
} taste;

static void draw_favourites(const br_simulation *sim, const sim_org *org, uint32_t feature, taste *t)
{
    static const uint32_t max_favourites[SIM_N_TASTES] = {2, 2, 2, 3, 1, 4, 5, 2, 1, 1};
    const br_simulation_options *o = &sim->options;
    double weights[SIM_MAX_VALUES];
    for (uint32_t v = 0; v < br_sim_n_values[feature]; v++) {
        weights[v] = pow(sim->share[feature][v], o->favourite_power) * org->affinity[feature][v];
    }
    t->n_favourites = 1 + br_rng_below(&t->rng, max_favourites[feature]);
    double mean = o->taste_other;
    for (uint32_t i = 0; i < t->n_favourites; i++) {
        favourite *f = &t->favourites[i];
        *f = (favourite){draw_one(&t->rng, weights, br_sim_n_values[feature]), SIM_N_TASTES, 0};
        weights[f->value] = 0;
        double counts = sim->share[feature][f->value];
        if (draw_yes(&t->rng, o->combinations)) {
            f->second = (feature + 1 + br_rng_below(&t->rng, SIM_N_TASTES - 1)) % SIM_N_TASTES;
            f->second_value = draw_one(&t->rng, sim->share[f->second], br_sim_n_values[f->second]);
            counts *= sim->share[f->second][f->second_value];
        }
        mean += counts * (o->taste_favourite - o->taste_other);
    }
    t->centre = o->taste_centre * mean;
}

static double until_change(const br_simulation *sim, taste *t)
{
    double per_day = sim->options.changes_per_year / 365.25;
    double u = ((double)br_rng_u32(&t->rng) + 1) * 0x1p-32;
    return per_day > 0 ? -log(u) / per_day : (double)INFINITY;
}

static void start_tastes(const br_simulation *sim, uint32_t number, taste *tastes)
{
    const br_simulation_options *o = &sim->options;
    const sim_org *org = &sim->orgs[sim->investors[number].org];
    for (uint32_t f = 0; f < SIM_N_TASTES; f++) {
        taste *t = &tastes[f];
        *t = (taste){.rng = br_rng_at(o->seed, BR_STREAM_SIM_INVESTOR, DRAW_TASTE, number * SIM_N_TASTES + f)};
        bool attends = draw_yes(&t->rng, o->attention_share);
        t->attention = attends ? draw_between(&t->rng, o->attention_low, o->attention_high) : 0;
        draw_favourites(sim, org, f, t);
        t->next_change = sim->first_day + until_change(sim, t);
    }
}

static void drift(const br_simulation *sim, uint32_t number, br_day day, taste *tastes)
{
    const sim_org *org = &sim->orgs[sim->investors[number].org];
    for (uint32_t f = 0; f < SIM_N_TASTES; f++) {
        while (tastes[f].attention > 0 && tastes[f].next_change <= day) {
            draw_favourites(sim, org, f, &tastes[f]);
            tastes[f].next_change += until_change(sim, &tastes[f]);
        }
    }
}

static bool counts(const taste *t, uint32_t feature, const sim_bond *bond)
{
    for (uint32_t i = 0; i < t->n_favourites; i++) {
        const favourite *f = &t->favourites[i];
        if (f->value == bond->values[feature]) {
            return f->second == SIM_N_TASTES || bond->values[f->second] == f->second_value;
        }
    }
    return false;
}

static double utility(const br_simulation *sim, uint32_t number, const taste *tastes, const sim_bond *bond,
                      uint16_t *causal)
{
    const br_simulation_options *o = &sim->options;
    const sim_investor *investor = &sim->investors[number];
    const double *latent = sim->issuers[bond->issuer].latent;
    double u = investor->activity + bond->popularity + investor->spread_taste * bond->spread;
    *causal = 0;
    for (uint32_t f = 0; f < SIM_N_TASTES; f++) {
        if (tastes[f].attention > 0) {
            bool favours = counts(&tastes[f], f, bond);
            u += o->taste_scale * tastes[f].attention *
                 ((favours ? o->taste_favourite : o->taste_other) - tastes[f].centre);
            *causal = (uint16_t)(*causal | (favours ? 1u << f : 0u));
        }
    }
    for (uint32_t k = 0; k < N_LATENT; k++) {
        u += o->latent * investor->latent[k] * latent[k];
    }
    return u;
}

static void set_utilities(br_simulation *sim, uint32_t number)
{
    const br_simulation_options *o = &sim->options;
    br_rng rng = br_rng_at(o->seed, BR_STREAM_SIM_INVESTOR, DRAW_MONTHS, number);
    taste tastes[SIM_N_TASTES];
    double mood = o->month_spread * br_rng_normal(&rng);
    double step = o->month_spread * sqrt(1 - o->month_correlation * o->month_correlation);
    int month_now = 0;
    start_tastes(sim, number, tastes);
    for (uint32_t i = 0; i < sim->n_bonds; i++) {
        const sim_bond *bond = &sim->bonds[sim->by_issue[i]];
        int year;
        unsigned month, day_of_month;
        br_day_to_civil(bond->issue_day, &year, &month, &day_of_month);
        int months = (year - o->first_year) * 12 + (int)month - 1;
        for (; month_now < months; month_now++) {
            mood = o->month_correlation * mood + step * br_rng_normal(&rng);
        }
        drift(sim, number, bond->issue_day, tastes);
        br_truth *truth = &sim->truth[(size_t)sim->by_issue[i] * o->n_investors + number];
        truth->utility = (float)(mood + utility(sim, number, tastes, bond, &truth->causal));
    }
}

// --- the mean rate of bids ---

enum { HISTOGRAM_BINS = 8192 };
#define HISTOGRAM_LOW  (-32.0)
#define HISTOGRAM_STEP (64.0 / HISTOGRAM_BINS)

static double mean_rate(const double *histogram, double shift)
{
    double sum = 0;
    for (uint32_t i = 0; i < HISTOGRAM_BINS; i++) {
        double u = HISTOGRAM_LOW + HISTOGRAM_STEP * (i + 0.5) + shift;
        sum += histogram[i] / (1 + exp(-u));
    }
    return sum;
}

// Add the constant that makes the mean probability of a bid the wanted one; found on a histogram, whose bins are narrow
// enough for an error of the rate below 1e-6.
static br_status shift_utilities(br_simulation *sim)
{
    size_t n = (size_t)sim->n_bonds * sim->options.n_investors;
    double *histogram = br_calloc(HISTOGRAM_BINS, sizeof *histogram);
    if (histogram == NULL) {
        return br_no_memory("bins", HISTOGRAM_BINS);
    }
    for (size_t i = 0; i < n; i++) {
        double place = ((double)sim->truth[i].utility - HISTOGRAM_LOW) / HISTOGRAM_STEP;
        place = place < 0 ? 0 : place > HISTOGRAM_BINS - 1 ? HISTOGRAM_BINS - 1 : place;
        histogram[(size_t)place] += 1.0 / (double)n;
    }
    double low = -64, high = 64;
    for (int i = 0; i < 50; i++) {
        double middle = (low + high) / 2;
        if (mean_rate(histogram, middle) < sim->options.bid_rate) {
            low = middle;
        } else {
            high = middle;
        }
    }
    br_free(histogram);
    for (size_t i = 0; i < n; i++) {
        sim->truth[i].utility += (float)low;
    }
    return BR_OK;
}

// --- life ---

static br_status check_options(const br_simulation_options *o)
{
    if (o->n_investors < 1 || o->n_investors > 100000 || o->n_bonds < 1 || o->n_bonds > 100000 || o->n_issuers < 1 ||
        o->n_issuers > 100000) {
        return br_fail(BR_ERR_INVALID,
                       "a simulated market has 1 to 100000 investors, bonds and issuers, not %u, %u, %u",
                       o->n_investors, o->n_bonds, o->n_issuers);
    }
    if (!(o->bid_rate > 0 && o->bid_rate < 1) || !(o->combinations >= 0 && o->combinations <= 1)) {
        return br_fail(BR_ERR_INVALID, "bid_rate %g must be between 0 and 1, combinations %g from 0 to 1", o->bid_rate,
                       o->combinations);
    }
    if (o->first_year < 1900 || o->first_year > 9000) {
        return br_fail(BR_ERR_INVALID, "first_year %d is not from 1900 to 9000", o->first_year);
    }
    return BR_OK;
}

static br_status make_room(br_simulation *sim)
{
    const br_simulation_options *o = &sim->options;
    sim->issuers = br_calloc(o->n_issuers, sizeof *sim->issuers);
    sim->bonds = br_calloc(sim->n_bonds, sizeof *sim->bonds);
    sim->by_issue = br_calloc(sim->n_bonds, sizeof *sim->by_issue);
    sim->investors = br_calloc(o->n_investors, sizeof *sim->investors);
    sim->rates = br_calloc(sim->n_days, sizeof *sim->rates);
    sim->truth = br_calloc((size_t)sim->n_bonds * o->n_investors, sizeof *sim->truth);
    bool made = sim->issuers != NULL && sim->bonds != NULL && sim->by_issue != NULL && sim->investors != NULL &&
                sim->rates != NULL && sim->truth != NULL;
    return made ? BR_OK : br_no_memory("simulated bonds", sim->n_bonds);
}

br_status br_simulation_new(br_simulation **out, const br_simulation_options *options)
{
    br_status status = check_options(options);
    if (status != BR_OK) {
        return status;
    }
    BR_AUTO(br_simulation) *sim = br_calloc(1, sizeof *sim);
    if (sim == NULL) {
        return br_no_memory("simulation", 1);
    }
    sim->options = *options;
    sim->first_day = br_day_from_civil(options->first_year, 1, 1);
    sim->data_from = br_day_from_civil(options->first_year + 1, 1, 1);
    sim->n_days = (uint32_t)(br_day_from_civil(options->first_year + N_YEARS, 1, 1) - sim->first_day);
    sim->n_bonds = options->n_bonds + options->n_bonds / 3;
    status = br_simulation_schema_new(&sim->schema, sim->data_from);
    if (status == BR_OK) {
        status = make_room(sim);
    }
    if (status == BR_OK) {
        status = draw_bonds(sim);
    }
    if (status != BR_OK) {
        return status;
    }
    draw_orgs(sim);
    draw_investors(sim);
    for (uint32_t i = 0; i < options->n_investors; i++) {
        set_utilities(sim, i);
    }
    status = shift_utilities(sim);
    if (status != BR_OK) {
        return status;
    }
    *out = sim;
    sim = NULL;
    return BR_OK;
}

void br_simulation_free(br_simulation **simulation)
{
    if (simulation == NULL || *simulation == NULL) {
        return;
    }
    br_simulation *dead = *simulation;
    br_schema_free(&dead->schema);
    br_free(dead->issuers);
    br_free(dead->bonds);
    br_free(dead->by_issue);
    br_free(dead->investors);
    br_free(dead->rates);
    br_free(dead->truth);
    br_free(dead);
    *simulation = NULL;
}

const char *br_simulation_schema(const br_simulation *simulation)
{
    return simulation->schema->yaml;
}

const br_schema *br_simulation_declares(const br_simulation *simulation)
{
    return simulation->schema;
}

const br_truth *br_simulation_truth(const br_simulation *simulation, uint32_t *n_bonds_out, uint32_t *n_investors_out)
{
    *n_bonds_out = simulation->n_bonds;
    *n_investors_out = simulation->options.n_investors;
    return simulation->truth;
}

// --- rows ---

enum { ID_TEXT = 24, NUMBER_TEXT = 32 };

typedef struct row_texts {
    br_named_value values[SIM_N_BOND_FEATURES];
    char numbers[SIM_N_BOND_FEATURES][NUMBER_TEXT];
} row_texts;

static void write_values(const br_feature *features, uint32_t n, const double *raw, row_texts *texts)
{
    for (uint32_t i = 0; i < n; i++) {
        const br_feature *feature = &features[i];
        const char *text = texts->numbers[i];
        if (feature->kind == BR_KIND_CONTINUOUS) {
            snprintf(texts->numbers[i], NUMBER_TEXT, "%.3f", raw[i]);
        } else if (feature->kind == BR_KIND_FLAG) {
            text = raw[i] > 0 ? "yes" : "no";
        } else {
            text = feature->values[(uint32_t)raw[i]];
        }
        texts->values[i] = (br_named_value){feature->name, text};
    }
}

static br_row empty_row(br_row_kind kind)
{
    return (br_row){
        .kind = kind,
        .announce_day = BR_DAY_NONE,
        .issue_day = BR_DAY_NONE,
        .day = BR_DAY_NONE,
        .known_from = BR_DAY_NONE,
        .amount = BR_AMOUNT_NONE,
        .rate = (double)NAN,
    };
}

static void bond_id(uint32_t number, char out[ID_TEXT])
{
    snprintf(out, ID_TEXT, "B%05u", number + 1);
}

static void investor_id(uint32_t number, char out[ID_TEXT])
{
    snprintf(out, ID_TEXT, "I%05u", number + 1);
}

static br_status send_bonds(const br_simulation *sim, br_simulation_sink sink, void *context)
{
    row_texts texts;
    char id[ID_TEXT], issuer[ID_TEXT];
    br_status status = BR_OK;
    for (uint32_t i = 0; i < sim->n_bonds && status == BR_OK; i++) {
        const sim_bond *bond = &sim->bonds[i];
        br_row row = empty_row(BR_ROW_BOND);
        bond_id(i, id);
        snprintf(issuer, sizeof issuer, "S%04u", bond->issuer + 1);
        row.bond_id = id;
        row.issuer_id = issuer;
        row.announce_day = bond->announce_day;
        row.issue_day = bond->issue_day;
        write_values(sim->schema->bond_features, SIM_N_BOND_FEATURES, bond->raw, &texts);
        row.features = texts.values;
        row.n_features = SIM_N_BOND_FEATURES;
        status = sink(context, &row);
    }
    return status;
}

static br_status send_investors(const br_simulation *sim, br_simulation_sink sink, void *context)
{
    row_texts texts;
    char id[ID_TEXT];
    br_status status = BR_OK;
    for (uint32_t i = 0; i < sim->options.n_investors && status == BR_OK; i++) {
        br_row row = empty_row(BR_ROW_INVESTOR);
        investor_id(i, id);
        row.investor_id = id;
        row.day = sim->first_day - 1 - (br_day)sim->investors[i].days_known;
        write_values(sim->schema->investor_features, SIM_N_INVESTOR_FEATURES, sim->investors[i].raw, &texts);
        row.features = texts.values;
        row.n_features = SIM_N_INVESTOR_FEATURES;
        status = sink(context, &row);
    }
    return status;
}

static br_status send_bid(const br_simulation *sim, uint32_t bond, uint32_t investor, br_simulation_sink sink,
                          void *context)
{
    const br_simulation_options *o = &sim->options;
    char id[3 * ID_TEXT], of_bond[ID_TEXT], by_investor[ID_TEXT];
    br_rng rng = br_rng_at(o->seed, BR_STREAM_SIM_BID, bond, DRAW_FIRST_AMOUNT + investor);
    double million =
        exp(o->amount_noise * br_rng_normal(&rng) + o->amount_activity * sim->investors[investor].activity);
    br_row row = empty_row(BR_ROW_BID);
    bond_id(bond, of_bond);
    investor_id(investor, by_investor);
    snprintf(id, sizeof id, "%s-%s", of_bond, by_investor);
    row.bid_id = id;
    row.bond_id = of_bond;
    row.investor_id = by_investor;
    row.day = sim->bonds[bond].issue_day;
    row.amount = llround(1000 * million) * (BR_AMOUNT_SCALE / 10); // in hundredths of what `million` counts, at least 0
    double rate = sim->bonds[bond].raw[SIM_RATE_LEVEL] + sim->bonds[bond].raw[SIM_SPREAD] / 100;
    row.rate = round(100 * (rate + 0.05 * br_rng_normal(&rng))) / 100;
    return sink(context, &row);
}

static br_status send_bids(const br_simulation *sim, br_simulation_sink sink, void *context)
{
    br_status status = BR_OK;
    for (uint32_t i = 0; i < sim->n_bonds && status == BR_OK; i++) {
        uint32_t bond = sim->by_issue[i];
        const br_truth *truth = sim->truth + (size_t)bond * sim->options.n_investors;
        br_rng rng = br_rng_at(sim->options.seed, BR_STREAM_SIM_BID, bond, DRAW_BID);
        for (uint32_t k = 0; k < sim->options.n_investors && status == BR_OK; k++) {
            if (draw_yes(&rng, 1 / (1 + exp(-(double)truth[k].utility)))) {
                status = send_bid(sim, bond, k, sink, context);
            }
        }
    }
    return status;
}

br_status br_simulation_run(br_simulation *simulation, br_simulation_sink sink, void *context)
{
    br_status status = send_bonds(simulation, sink, context);
    if (status == BR_OK) {
        status = send_investors(simulation, sink, context);
    }
    return status == BR_OK ? send_bids(simulation, sink, context) : status;
}
