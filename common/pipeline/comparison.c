#include "pipeline/comparison.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "linalg/fixed.h"
#include "metrics/hrd.h"
#include "metrics/plsa.h"
#include "metrics/rationality.h"
#include "metrics/redundancy.h"
#include "metrics/sufficiency.h"
#include "metrics/true_share.h"
#include "pipeline/meanings.h"
#include "pipeline/scored.h"

#include <math.h>
#include <string.h>

#define ARENA_BYTES (64u << 20)

const char *br_merit_name(br_merit merit)
{
    static const char *const names[BR_MERIT_COUNT] = {
        "rationality", "stratified", "diversity", "hrd",     "aesv",  "aesv_others", "aesv_true",
        "sufficient",  "true_share", "weak",      "support", "alone", "redundant",
    };
    return names[merit];
}

// What a bond adds to the means of a method.
typedef struct bond_sums {
    double sum[BR_MERIT_COUNT];
    double n[BR_MERIT_COUNT];
} bond_sums;

// Of one method, while bonds are worked.
typedef struct tally {
    br_buf claims;   // br_claim [...]
    bond_sums *sums; // [n_bonds]
    int64_t ns;
} tally;

typedef struct comparing {
    br_market *market;
    const br_served *served;
    const br_compare_options *options;
    br_comparison *out;
    br_day_population *population;
    br_methods *methods;
    br_topics *topics;
    br_background background;
    br_field_meaning *meanings; // [n_investor_fields]
    double *mean_levels;        // [n_investor_fields]
    tally *tallies;             // [n_methods]
    // of the bond that is worked
    br_arena *arena;
    br_scored_bond bond; // in the arena
    uint8_t *bids;
    double *probabilities;
    uint16_t *causal;
    uint8_t *codes;       // [n_reasons] of one set
    br_sufficiency *each; // [n_top]
} comparing;

static void comparing_deinit(comparing *c)
{
    br_methods_free(&c->methods);
    br_arena_free(&c->arena);
    br_background_deinit(&c->background);
    br_topics_free(&c->topics);
    br_day_population_free(&c->population);
    for (uint32_t m = 0; c->tallies != NULL && m < c->options->n_methods; m++) {
        br_buf_deinit(&c->tallies[m].claims);
        br_free(c->tallies[m].sums);
    }
    void *owned[] = {c->meanings, c->mean_levels, c->tallies, c->bids, c->probabilities, c->causal, c->codes, c->each};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) {
        br_free(owned[i]);
    }
}

static br_status allocate_bond(comparing *c)
{
    const br_encoder *encoder = c->served->snapshot->encoder;
    uint32_t n_fields = br_encoder_n_investor_fields(encoder);
    uint32_t n = br_market_n_investors(c->market);
    c->meanings = br_calloc(n_fields, sizeof *c->meanings);
    c->mean_levels = br_calloc(n_fields, sizeof *c->mean_levels);
    c->bids = br_calloc(n, 1);
    c->probabilities = br_calloc(n, sizeof *c->probabilities);
    c->causal = br_calloc(n, sizeof *c->causal);
    c->codes = br_calloc(c->options->n_reasons, 1);
    c->each = br_calloc(c->options->n_top, sizeof *c->each);
    if (c->meanings == NULL || c->mean_levels == NULL || c->bids == NULL || c->probabilities == NULL ||
        c->causal == NULL || c->codes == NULL || c->each == NULL) {
        return br_no_memory("investors of a bond", n);
    }
    br_field_meanings(c->meanings, encoder);
    return BR_OK;
}

// --- a bond ---

static void count(bond_sums *sums, br_merit merit, double value)
{
    if (!isnan(value)) {
        sums->sum[merit] += value;
        sums->n[merit] += 1.0;
    }
}

static void judge_set(comparing *c, bond_sums *sums, const br_explained_bond *bond, uint32_t i, float *logit_out)
{
    const uint32_t *fields = bond->fields + (size_t)i * bond->n_reasons;
    for (uint32_t k = 0; k < bond->n_reasons; k++) {
        c->codes[k] = br_explained_code(bond, bond->investors[i], fields[k]);
    }
    *logit_out = br_methods_sufficient(c->methods, bond->bond_codes,
                                       bond->codes + (size_t)bond->investors[i] * bond->n_fields, fields);
    const br_sufficiency *s = &c->each[i];
    count(sums, BR_MERIT_DIVERSITY, br_topics_diversity(c->topics, fields, c->codes, bond->n_reasons));
    count(sums, BR_MERIT_AESV, s->esv);
    count(sums, BR_MERIT_AESV_OTHERS, s->esv_others);
    count(sums, BR_MERIT_AESV_TRUE, s->esv_true);
    count(sums, BR_MERIT_SUFFICIENT, br_fixed_sigmoid((double)*logit_out));
    count(sums, BR_MERIT_SUPPORT, s->n_others);
    count(sums, BR_MERIT_ALONE, s->n_others == 0 ? 1.0 : 0.0);
}

static double count_preferences(const br_explained_bond *bond)
{
    double n = 0.0;
    for (size_t i = 0; i < (size_t)bond->n_sets * bond->n_reasons; i++) {
        n += bond->meanings[bond->fields[i]].bond_field != BR_NO_BOND_FIELD;
    }
    return n;
}

static br_status judge(comparing *c, uint32_t method, uint32_t place, const br_explained_bond *bond)
{
    tally *t = &c->tallies[method];
    bond_sums *sums = &t->sums[place];
    br_sufficiency_of(c->each, bond);
    for (uint32_t i = 0; i < bond->n_sets; i++) {
        judge_set(c, sums, bond, i, &c->out->methods[method].logits[c->out->first_set[place] + i]);
    }
    size_t n_before = t->claims.length;
    br_claims_append(&t->claims, bond, place, c->mean_levels);
    double n_preferences = count_preferences(bond);
    sums->sum[BR_MERIT_WEAK] = n_preferences - (double)((t->claims.length - n_before) / sizeof(br_claim));
    sums->n[BR_MERIT_WEAK] = n_preferences;
    br_redundancy redundancy = {0};
    br_redundancy_add(&redundancy, bond);
    sums->sum[BR_MERIT_REDUNDANT] = (double)redundancy.n_redundant_sets;
    sums->n[BR_MERIT_REDUNDANT] = (double)redundancy.n_sets;
    if (bond->causal != NULL) {
        br_true_share truth = {0};
        br_true_share_add(&truth, bond, c->mean_levels);
        sums->sum[BR_MERIT_TRUE_SHARE] = (double)truth.n_true;
        sums->n[BR_MERIT_TRUE_SHARE] = (double)truth.n_above;
    }
    return t->claims.failed ? br_no_memory("reasons", t->claims.length) : BR_OK;
}

// The list of the bond, the bids and the truth.
static br_status set_bond(comparing *c, uint32_t bond)
{
    br_status status = br_day_population_move(c->population, br_market_bond(c->market, bond)->issue_day);
    if (status == BR_OK) {
        status = br_score_bond(&c->bond, c->market, c->population, bond);
    }
    if (status != BR_OK) {
        return status;
    }
    uint32_t n = br_day_population_n(c->population);
    memset(c->bids, 0, n);
    br_market_bidders(c->market, bond, c->bids);
    br_mean_levels(c->mean_levels, br_day_population_codes(c->population), c->bond.eligible, n,
                   br_encoder_n_investor_fields(c->served->snapshot->encoder));
    return c->options->truth == NULL ? BR_OK
                                     : c->options->truth(c->options->context, bond, c->probabilities, c->causal);
}

static br_status work_method(comparing *c, uint32_t method, uint32_t place, const br_method_list *list)
{
    br_method_result *result = &c->out->methods[method];
    uint32_t *selected = result->selected + (size_t)c->out->first_set[place] * c->options->n_reasons;
    int64_t begun = br_clock_ns();
    br_status status = br_methods_select(c->methods, result->method, list, selected);
    c->tallies[method].ns += br_clock_ns() - begun;
    if (status != BR_OK) {
        return status;
    }
    bool known = c->options->truth != NULL;
    return judge(c, method, place,
                 &(br_explained_bond){
                     .meanings = c->meanings,
                     .codes = list->population.codes,
                     .eligible = c->bond.eligible,
                     .bids = c->bids,
                     .probabilities = known ? c->probabilities : NULL,
                     .causal = known ? c->causal : NULL,
                     .bond_codes = c->bond.bond_codes,
                     .n_investors = list->population.n,
                     .n_fields = br_encoder_n_investor_fields(c->served->snapshot->encoder),
                     .n_sets = list->n,
                     .n_reasons = c->options->n_reasons,
                     .investors = list->investors,
                     .fields = selected,
                 });
}

static br_status work_bond(comparing *c, uint32_t place)
{
    const br_compare_options *options = c->options;
    uint32_t bond = c->out->bonds[place];
    br_status status = set_bond(c, bond);
    uint32_t n_top = status == BR_OK ? c->bond.n_top : 0;
    c->out->first_set[place + 1] = c->out->first_set[place] + n_top;
    memcpy(c->out->investors + c->out->first_set[place], c->bond.top, n_top * sizeof *c->bond.top);
    br_method_list list = {
        .bond_codes = c->bond.bond_codes,
        .population = {.codes = br_day_population_codes(c->population),
                       .logits = c->bond.logits,
                       .eligible = c->bond.eligible,
                       .n = br_day_population_n(c->population)},
        .investors = c->bond.top,
        .n = n_top,
        .key = bond,
    };
    for (uint32_t m = 0; m < options->n_methods && status == BR_OK && n_top > 0; m++) {
        status = work_method(c, m, place, &list);
        uint64_t done = (uint64_t)place * options->n_methods + m + 1;
        if (status == BR_OK && options->watcher != NULL &&
            !options->watcher(options->context, done, (uint64_t)c->out->n_bonds * options->n_methods)) {
            status = br_fail(BR_ERR_CANCELLED, "cancelled at bond %u of %u", place + 1, c->out->n_bonds);
        }
    }
    return status;
}

// --- figures ---

// Of all bonds but one.
static br_status merits_without(const comparing *c, const tally *t, uint32_t without, double *merits_out)
{
    br_rationality rationality;
    br_status status = br_rationality_of(&rationality, (const br_claim *)(const void *)t->claims.data,
                                         t->claims.length / sizeof(br_claim), without);
    if (status != BR_OK) {
        return status;
    }
    for (int f = 0; f < BR_MERIT_COUNT; f++) {
        double sum = 0.0;
        double n = 0.0;
        for (uint32_t b = 0; b < c->out->n_bonds; b++) {
            sum += b == without ? 0.0 : t->sums[b].sum[f];
            n += b == without ? 0.0 : t->sums[b].n[f];
        }
        merits_out[f] = n > 0.0 ? sum / n : (double)NAN;
    }
    merits_out[BR_MERIT_RATIONALITY] = rationality.pooled;
    merits_out[BR_MERIT_STRATIFIED] = rationality.stratified;
    merits_out[BR_MERIT_HRD] = br_hrd(rationality.pooled, merits_out[BR_MERIT_DIVERSITY]);
    return BR_OK;
}

static br_status summarise(comparing *c, uint32_t method)
{
    br_method_result *result = &c->out->methods[method];
    const tally *t = &c->tallies[method];
    double without[BR_MERIT_COUNT];
    uint32_t n = c->out->n_bonds;
    uint32_t n_sets = c->out->first_set[n];
    br_status status = merits_without(c, t, BR_ALL_BONDS, result->merits);
    for (uint32_t b = 0; b < n && status == BR_OK; b++) {
        status = merits_without(c, t, b, without);
        for (int f = 0; f < BR_MERIT_COUNT; f++) {
            result->by_bond[(size_t)f * n + b] = without[f];
        }
    }
    for (int f = 0; f < BR_MERIT_COUNT && status == BR_OK; f++) {
        double *values = result->by_bond + (size_t)f * n;
        br_pseudo_values(values, result->merits[f], values, n);
    }
    result->ms = n_sets == 0 ? (double)NAN : (double)t->ns / 1e6 / n_sets;
    return status;
}

br_difference br_comparison_difference(const br_comparison *comparison, br_merit merit, uint32_t left, uint32_t right)
{
    size_t at = (size_t)merit * comparison->n_bonds;
    br_difference difference =
        br_paired(comparison->methods[left].by_bond + at, comparison->methods[right].by_bond + at, comparison->n_bonds);
    difference.mean = comparison->methods[left].merits[merit] - comparison->methods[right].merits[merit];
    return difference;
}

// --- all of it ---

static br_status allocate_results(comparing *c)
{
    const br_compare_options *options = c->options;
    br_comparison *out = c->out;
    out->n_methods = options->n_methods;
    out->n_reasons = options->n_reasons;
    out->first_set = br_calloc((size_t)out->n_bonds + 1, sizeof *out->first_set);
    out->methods = br_calloc(options->n_methods, sizeof *out->methods);
    c->tallies = br_calloc(options->n_methods, sizeof *c->tallies);
    size_t n_sets = (size_t)out->n_bonds * options->n_top;
    out->investors = br_calloc(n_sets, sizeof *out->investors);
    bool good = out->first_set != NULL && out->investors != NULL && out->methods != NULL && c->tallies != NULL;
    for (uint32_t m = 0; m < options->n_methods && good; m++) {
        br_method_result *result = &out->methods[m];
        result->method = options->methods[m];
        result->by_bond = br_calloc((size_t)BR_MERIT_COUNT * out->n_bonds, sizeof *result->by_bond);
        result->selected = br_calloc(n_sets * options->n_reasons, sizeof *result->selected);
        result->logits = br_calloc(n_sets, sizeof *result->logits);
        c->tallies[m].sums = br_calloc(out->n_bonds, sizeof *c->tallies[m].sums);
        good =
            result->by_bond != NULL && result->selected != NULL && result->logits != NULL && c->tallies[m].sums != NULL;
    }
    return good ? BR_OK : br_no_memory("explanations", n_sets);
}

static br_status prepare(comparing *c)
{
    const br_compare_options *options = c->options;
    const br_bid *bids;
    uint32_t n_bids;
    br_status status = options->n_methods == 0 || options->n_top == 0
                           ? br_fail(BR_ERR_INVALID, "nothing to compare: no methods, or lists without investors")
                           : br_market_bids(c->market, &bids, &n_bids); // br_market_bidders() needs them in order
    // First, since it says how many reasons there can be; it looks at the pairs only when a method is prepared.
    if (status == BR_OK) {
        status = br_methods_new(&c->methods, c->served, &c->background.pairs, options->n_reasons, options->seed);
    }
    if (status == BR_OK) {
        status = br_bonds_spread(c->market, options->from, options->until, options->n_bonds, &c->out->bonds,
                                 &c->out->n_bonds);
    }
    if (status == BR_OK) {
        status = allocate_results(c);
    }
    if (status == BR_OK) {
        status = allocate_bond(c);
    }
    if (status == BR_OK) {
        status = br_day_population_new(&c->population, c->market, c->served);
    }
    if (status == BR_OK) {
        status = br_arena_new(&c->arena, ARENA_BYTES);
    }
    if (status == BR_OK) {
        status = br_scored_bond_room(&c->bond, c->arena, c->population, c->served, options->n_top);
    }
    if (status == BR_OK) {
        status = br_background_draw(&c->background, c->market, c->served, c->population, options->seed);
    }
    if (status == BR_OK) {
        status = br_background_topics(&c->topics, &c->background, c->served->snapshot->encoder, options->n_topics,
                                      options->seed);
    }
    for (uint32_t m = 0; m < options->n_methods && status == BR_OK; m++) {
        status = br_methods_prepare(c->methods, options->methods[m]);
    }
    return status;
}

br_status br_compare(br_comparison *out, br_market *market, const br_served *served, const br_compare_options *options)
{
    *out = (br_comparison){.n_methods = 0};
    comparing c = {.market = market, .served = served, .options = options, .out = out};
    br_status status = prepare(&c);
    for (uint32_t b = 0; b < out->n_bonds && status == BR_OK; b++) {
        status = work_bond(&c, b);
    }
    for (uint32_t m = 0; m < options->n_methods && status == BR_OK; m++) {
        status = summarise(&c, m);
    }
    comparing_deinit(&c);
    if (status != BR_OK) {
        br_comparison_deinit(out);
    }
    return status;
}

void br_comparison_deinit(br_comparison *comparison)
{
    for (uint32_t m = 0; comparison->methods != NULL && m < comparison->n_methods; m++) {
        br_free(comparison->methods[m].by_bond);
        br_free(comparison->methods[m].selected);
        br_free(comparison->methods[m].logits);
    }
    br_free(comparison->bonds);
    br_free(comparison->first_set);
    br_free(comparison->investors);
    br_free(comparison->methods);
    *comparison = (br_comparison){.n_methods = 0};
}
