#include "explain/context.h"

#include <math.h>
#include <string.h>

// Evaluations of the model that the other investors' mean is worth.
static const double PRIOR_GROUPED = 5.0;
static const double PRIOR_PLAIN = 3.0;
// Share of the average bond's logit that is taken off.
static const double CONTRAST = 0.7;
// Probabilities are kept this far from 0 and 1, where the logit has no value.
static const double PROBABILITY_MIN = 1e-12;

// What is known of a set: enough for J.
typedef struct offer {
    float logit;           // f(x_S)
    float logit_mean;      // f_mean(x_S); grouped form
    double spec;           // sum over S; form without groups
    br_match_sum matching; // other eligible investors
} offer;

static double objective(const br_explain_context *context, const offer *o)
{
    double prior = context->grouped ? PRIOR_GROUPED : PRIOR_PLAIN;
    double p = (prior * br_fixed_sigmoid((double)o->logit) + br_match_probability(o->matching)) /
               (prior + (double)o->matching.n);
    p = p < PROBABILITY_MIN ? PROBABILITY_MIN : p > 1.0 - PROBABILITY_MIN ? 1.0 - PROBABILITY_MIN : p;
    return br_fixed_logit(p) + (context->grouped ? -CONTRAST * (double)o->logit_mean : o->spec);
}

static size_t code_of(const br_explain_context *context, uint32_t field)
{
    return br_collapsed_first_code(context->bond.collapsed, field) + context->codes[field];
}

// --- the pool ---

// Only the best window of a concept keeps its score, and none of one that is in the pool already.
static void keep_best_windows(br_explain_context *context)
{
    for (uint32_t j = 0; j < context->n; j++) {
        context->best_of[j] = UINT32_MAX;
    }
    for (uint32_t j = 0; j < context->n; j++) {
        uint32_t concept = context->concept[j];
        uint32_t best = context->best_of[concept];
        if (context->taken[concept] || (best != UINT32_MAX && context->score[best] >= context->score[j])) {
            context->score[j] = -INFINITY;
            continue;
        }
        if (best != UINT32_MAX) {
            context->score[best] = -INFINITY;
        }
        context->best_of[concept] = j;
    }
}

// Adds the fields of one group with the largest score, a concept once. That an investor never bid on such bonds is no preference for them, though the
// record may back it: on real primary issues many bidders are new.
static void take(br_explain_context *context, br_shortlist *pool, bool preference, uint32_t most)
{
    const float *source = preference ? context->backing : context->gain;
    for (uint32_t j = 0; j < context->n; j++) {
        bool in_group = context->preference[j] == preference && !context->closed[j] &&
                        (!preference || context->codes[j] >= context->telling[j]);
        context->score[j] = in_group ? source[code_of(context, j)] : -INFINITY;
    }
    keep_best_windows(context);
    br_shortlist list = br_shortlist_of(context->score, context->n, most, &(br_field_set){0});
    for (uint32_t i = 0; i < list.n; i++) {
        pool->fields[pool->n++] = list.fields[i];
        context->taken[context->concept[list.fields[i]]] = true;
    }
}

// Further windows of what is in the pool, where concepts are too few for k reasons.
static void fill_up(br_explain_context *context, br_shortlist *pool)
{
    br_field_set in_pool = {0};
    for (uint32_t j = 0; j < context->n; j++) {
        context->score[j] = context->closed[j] ? -INFINITY : context->gain[code_of(context, j)];
    }
    for (uint32_t i = 0; i < pool->n; i++) {
        in_pool.fields[in_pool.n++] = pool->fields[i];
    }
    br_shortlist list = br_shortlist_of(context->score, context->n, context->options.n_reasons - pool->n, &in_pool);
    for (uint32_t i = 0; i < list.n; i++) {
        pool->fields[pool->n++] = list.fields[i];
    }
}

static br_shortlist grouped_pool(br_explain_context *context)
{
    uint32_t k = context->options.n_reasons;
    br_shortlist pool = {0};
    memset(context->taken, 0, context->n * sizeof *context->taken);
    take(context, &pool, true, (k + 1) / 2);
    take(context, &pool, false, 2 * k - pool.n);
    take(context, &pool, true, 2 * k - pool.n);
    if (pool.n < k) {
        fill_up(context, &pool);
    }
    br_fields_sort(pool.fields, pool.n);
    return pool;
}

// Of what context->closed leaves.
static br_shortlist pool_of(br_explain_context *context)
{
    if (context->grouped) {
        return grouped_pool(context);
    }
    for (uint32_t j = 0; j < context->n; j++) {
        size_t at = code_of(context, j);
        context->score[j] = context->closed[j] ? -INFINITY : context->gain[at] + context->spec[at];
    }
    uint32_t most = 4 * context->options.n_reasons;
    return br_shortlist_of(context->score, context->n, most, &(br_field_set){0});
}

// --- the search ---

static uint32_t states(const br_explain_context *context)
{
    return context->grouped ? 2 : 1;
}

// context->fields: what may be added to the set.
static uint32_t open_fields(br_explain_context *context, const br_shortlist *pool, const br_field_set *set)
{
    uint32_t n = 0;
    br_explain_close(context, set);
    for (uint32_t i = 0; i < pool->n; i++) {
        if (!context->closed[pool->fields[i]]) {
            context->fields[n++] = pool->fields[i];
        }
    }
    if (n > 0) {
        return n;
    }
    br_shortlist again = pool_of(context);
    memcpy(context->fields, again.fields, again.n * sizeof *context->fields);
    return again.n;
}

// context->fields: what may take a place of the set.
static uint32_t fields_for(br_explain_context *context, const br_shortlist *pool, const br_field_set *set,
                           uint32_t place)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < pool->n; i++) {
        if (!br_field_set_has(set, pool->fields[i]) &&
            br_explain_beside(&context->rules, set, place, pool->fields[i])) {
            context->fields[n++] = pool->fields[i];
        }
    }
    return n;
}

static void match_and(br_explain_context *context, uint32_t field)
{
    const uint64_t *set = br_match_set(&context->match, field, context->codes[field]);
    for (size_t word = 0; word < context->match.n_words; word++) {
        context->matching[word] &= set[word];
    }
}

static void match_start(br_explain_context *context)
{
    memcpy(context->matching, context->match.everyone, context->match.n_words * sizeof *context->matching);
}

// The best of n fields to add to what context->matching and context->logits stand for; UINT32_MAX if none is above *best.
static uint32_t best_addition(br_explain_context *context, uint32_t n, bool first, double spec, double *best)
{
    uint32_t found = UINT32_MAX;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t field = context->fields[i];
        uint8_t code = context->codes[field];
        br_match_sum sum =
            first ? br_match_single(&context->match, field, code)
                  : br_match_both(&context->match, context->matching, br_match_set(&context->match, field, code));
        offer o = {
            .logit = context->logits[i],
            .logit_mean = context->grouped ? context->mean_logits[i] : 0.0f,
            .spec = context->grouped ? 0.0 : spec + (double)context->spec[code_of(context, field)],
            .matching = br_match_without(&context->match, sum, context->investor),
        };
        double value = objective(context, &o);
        if (value > *best) {
            *best = value;
            found = field;
        }
    }
    return found;
}

static double spec_of(const br_explain_context *context, const br_field_set *set)
{
    double sum = 0.0;
    for (uint32_t i = 0; i < set->n && !context->grouped; i++) {
        sum += (double)context->spec[code_of(context, set->fields[i])];
    }
    return sum;
}

static void try_all(br_explain_context *context, uint32_t n, bool first)
{
    if (first) {
        br_explain_try_single(context, &context->own, context->fields, n, context->logits);
    } else {
        br_explain_try(context, context->own.state, context->fields, n, context->logits);
    }
    if (context->grouped && first) {
        br_explain_try_single(context, &context->mean, context->fields, n, context->mean_logits);
    } else if (context->grouped) {
        br_explain_try(context, context->mean.state, context->fields, n, context->mean_logits);
    }
}

static void show(br_explain_context *context, uint32_t field)
{
    br_collapsed_show(context->bond.collapsed, context->own.state, field, context->codes[field]);
    if (context->grouped) {
        br_collapsed_show(context->bond.collapsed, context->mean.state, field, context->codes[field]);
    }
    match_and(context, field);
}

static void greedy(br_explain_context *context, const br_shortlist *pool, br_field_set *set)
{
    set->n = 0;
    br_explain_build(context, &context->own, set);
    if (context->grouped) {
        br_explain_build(context, &context->mean, set);
    }
    match_start(context);
    while (set->n < context->options.n_reasons) {
        uint32_t n = open_fields(context, pool, set);
        uint32_t field = context->fields[0];
        if (!context->exhausted && br_explain_spend(context, n * states(context))) {
            double best = -(double)INFINITY;
            try_all(context, n, set->n == 0);
            uint32_t found = best_addition(context, n, set->n == 0, spec_of(context, set), &best);
            field = found == UINT32_MAX ? field : found; // no J of any is a number
        }
        show(context, field);
        set->fields[set->n++] = field;
    }
}

// J of a set, from scratch: a function of the set alone. Leaves its states and its matching investors.
static double settle(br_explain_context *context, const br_field_set *set)
{
    offer o = {.spec = spec_of(context, set)};
    br_explain_build(context, &context->own, set);
    o.logit = br_collapsed_logit(context->bond.collapsed, context->own.state, context->scratch);
    if (context->grouped) {
        br_explain_build(context, &context->mean, set);
        o.logit_mean = br_collapsed_logit(context->bond.collapsed, context->mean.state, context->scratch);
    }
    match_start(context);
    for (uint32_t i = 0; i < set->n; i++) {
        match_and(context, set->fields[i]);
    }
    br_match_sum sum = br_match_both(&context->match, context->matching, context->matching);
    o.matching = br_match_without(&context->match, sum, context->investor);
    context->evaluations += states(context);
    return objective(context, &o);
}

// The best of all swaps of one field, within the pool, whose J is above best->value; false if the search is exhausted before all are seen.
static bool sweep(br_explain_context *context, const br_shortlist *pool, const br_field_set *set, br_explain_swap *best)
{
    for (uint32_t place = 0; place < set->n; place++) {
        uint32_t n = fields_for(context, pool, set, place);
        if (context->exhausted || !br_explain_spend(context, n * states(context))) {
            return false;
        }
        uint32_t out = set->fields[place];
        br_explain_without(context, &context->own, out);
        br_explain_try(context, context->own.trial, context->fields, n, context->logits);
        if (context->grouped) {
            br_explain_without(context, &context->mean, out);
            br_explain_try(context, context->mean.trial, context->fields, n, context->mean_logits);
        }
        br_field_set rest = {0};
        match_start(context);
        for (uint32_t i = 0; i < set->n; i++) {
            if (i != place) {
                rest.fields[rest.n++] = set->fields[i];
                match_and(context, set->fields[i]);
            }
        }
        uint32_t found = best_addition(context, n, false, spec_of(context, &rest), &best->value);
        if (found != UINT32_MAX) {
            best->place = place;
            best->field = found;
        }
    }
    return true;
}

static bool all_in(const br_shortlist *pool, const br_field_set *set)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < pool->n; i++) {
        n += br_field_set_has(set, pool->fields[i]);
    }
    return n == set->n;
}

bool br_explain_backed(br_explain_context *context, const br_field_set *warm, br_field_set *set, double *objective_out)
{
    br_explain_close(context, &(br_field_set){0});
    br_shortlist pool = pool_of(context);
    greedy(context, &pool, set);
    double value = settle(context, set);
    if (warm != NULL && all_in(&pool, warm)) {
        double kept = settle(context, warm);
        if (value <= kept + (double)context->options.warm_margin) {
            *set = *warm;
            value = kept;
        } else {
            value = settle(context, set);
        }
    }
    *objective_out = value;
    br_explain_swap best = {.field = UINT32_MAX, .value = value + (double)BR_EXPLAIN_GAIN};
    bool certified = context->options.certify && sweep(context, &pool, set, &best) && best.field == UINT32_MAX;
    br_explain_slopes(context, set);
    return certified;
}

double br_explain_backed_around(br_explain_context *context, const br_field_set *set, br_explain_swap *best)
{
    br_explain_close(context, &(br_field_set){0});
    br_shortlist pool = pool_of(context);
    double value = settle(context, set);
    *best = (br_explain_swap){.field = UINT32_MAX, .value = -(double)INFINITY};
    bool complete = sweep(context, &pool, set, best);
    br_assert(complete); // nothing bounds it
    return value;
}
