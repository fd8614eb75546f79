#include "explain/context.h"

#include <math.h>
#include <string.h>

typedef struct swap {
    uint32_t place; // in the set
    uint32_t field; // that takes it; UINT32_MAX: none
    float logit;
} swap;

// Up to two swaps at once.
typedef struct path {
    swap swaps[2];
    uint32_t n;
} path;

// The field of the list with the largest logit; ties go to the lowest, because lists ascend.
static uint32_t best_of(const float *logits, uint32_t n)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < n; i++) {
        if (logits[i] > logits[best]) {
            best = i;
        }
    }
    return best;
}

// --- greedy ---

// context->fields: all that may be added to the set, of the pool while it lasts.
static uint32_t open_fields(br_explain_context *context, const br_shortlist *pool, const br_field_set *set)
{
    uint32_t n = 0;
    br_explain_close(context, set);
    for (uint32_t i = 0; i < pool->n; i++) {
        if (!context->closed[pool->fields[i]]) {
            context->fields[n++] = pool->fields[i];
        }
    }
    bool left = n > 0;
    for (uint32_t j = 0; j < context->n && !left; j++) {
        if (!context->closed[j]) {
            context->fields[n++] = j;
        }
    }
    return n;
}

// The best field alone, and the pool of those that follow.
static uint32_t first_field(br_explain_context *context, uint32_t n, br_shortlist *pool)
{
    br_explain_try_single(context, &context->own, context->fields, n, context->logits);
    br_explain_score(context, context->fields, context->logits, n);
    *pool = br_shortlist_of(context->score, context->n, BR_EXPLAIN_POOL, &(br_field_set){0});
    return context->fields[best_of(context->logits, n)];
}

// What the next field of a greedy set is. An exhausted search takes the steepest gate.
static uint32_t next_field(br_explain_context *context, const br_field_set *set, br_shortlist *pool)
{
    uint32_t n = open_fields(context, pool, set);
    if (set->n == 0 && br_explain_spend(context, n)) {
        return first_field(context, n, pool);
    }
    br_explain_gradient(context, context->own.state, context->fields, n);
    br_shortlist list = br_shortlist_of(context->score, context->n, BR_EXPLAIN_STEEPEST, set);
    if (context->exhausted || !br_explain_spend(context, list.n)) {
        return br_shortlist_of(context->score, context->n, 1, set).fields[0];
    }
    br_explain_try(context, context->own.state, list.fields, list.n, context->logits);
    return list.fields[best_of(context->logits, list.n)];
}

static void greedy(br_explain_context *context, br_field_set *set)
{
    br_shortlist pool = {0};
    set->n = 0;
    memcpy(context->own.state, context->own.hidden, context->n_state * sizeof(float));
    while (set->n < context->options.n_reasons) {
        uint32_t field = next_field(context, set, &pool);
        br_collapsed_show(context->bond.collapsed, context->own.state, field, context->codes[field]);
        set->fields[set->n++] = field;
    }
}

// --- swaps ---

// State and logit of the set, from scratch: a function of the set alone.
static float settle(br_explain_context *context, br_field_set *set)
{
    br_fields_sort(set->fields, set->n);
    br_explain_build(context, &context->own, set);
    context->evaluations++;
    return br_collapsed_logit(context->bond.collapsed, context->own.state, context->scratch);
}

static br_field_set after(const br_field_set *set, const path *p)
{
    br_field_set result = *set;
    for (uint32_t i = 0; i < p->n; i++) {
        result.fields[p->swaps[i].place] = p->swaps[i].field;
    }
    return result;
}

// Adds to context->changes what the swap does, as change number `at` and the next.
static void note(br_explain_context *context, size_t at, const br_field_set *set, const swap *s)
{
    uint32_t leaves = set->fields[s->place];
    context->changes[at] = (br_gate_change){leaves, context->codes[leaves], true};
    context->changes[at + 1] = (br_gate_change){s->field, context->codes[s->field], false};
}

// f after the swap of each place for each field of the list, allowed or not: what pairs of them promise is read from it.
typedef struct swap_table {
    br_shortlist list;
    float logit[BR_MAX_REASONS][BR_EXPLAIN_SHORTLIST];
} swap_table;

// False if the search is exhausted.
static bool try_swaps(br_explain_context *context, const br_field_set *set, swap_table *table)
{
    uint32_t n = set->n * table->list.n;
    if (context->exhausted || !br_explain_spend(context, n)) {
        return false;
    }
    for (uint32_t at = 0; at < n; at++) {
        note(context, 2 * (size_t)at, set,
             &(swap){.place = at / table->list.n, .field = table->list.fields[at % table->list.n]});
    }
    br_collapsed_logits_if(context->bond.collapsed, context->own.state, context->changes, 2, n, context->logits,
                           context->scratch);
    for (uint32_t at = 0; at < n; at++) {
        table->logit[at / table->list.n][at % table->list.n] = context->logits[at];
    }
    return true;
}

// False if no swap of one field is above `least`.
static bool best_swap(const br_explain_context *context, const br_field_set *set, const swap_table *table, float least,
                      path *way)
{
    swap best = {.field = UINT32_MAX, .logit = least};
    for (uint32_t place = 0; place < set->n; place++) {
        for (uint32_t i = 0; i < table->list.n; i++) {
            if (table->logit[place][i] > best.logit &&
                br_explain_beside(&context->rules, set, place, table->list.fields[i])) {
                best = (swap){place, table->list.fields[i], table->logit[place][i]};
            }
        }
    }
    *way = (path){.n = 1, .swaps = {best}};
    return best.field != UINT32_MAX;
}

// Pairs of swaps, the most promising first: what they gain if each gains what it does alone.
typedef struct pair_list {
    uint32_t n;
    struct {
        float promise;
        path way;
    } pairs[BR_EXPLAIN_PAIRS];
} pair_list;

static void add_pair(pair_list *list, float promise, const path *way)
{
    bool full = list->n == BR_EXPLAIN_PAIRS;
    if (full && !(promise > list->pairs[list->n - 1].promise)) {
        return;
    }
    uint32_t place = full ? list->n - 1 : list->n++;
    for (; place > 0 && promise > list->pairs[place - 1].promise; place--) {
        list->pairs[place] = list->pairs[place - 1];
    }
    list->pairs[place].promise = promise;
    list->pairs[place].way = *way;
}

// The pairs of swaps of two places against two fields: which takes whose place is all the same.
static void pair_up(const br_explain_context *context, const br_field_set *set, const swap_table *table, float logit,
                    const uint32_t *places, pair_list *pairs)
{
    const float *first = table->logit[places[0]];
    const float *second = table->logit[places[1]];
    for (uint32_t i = 0; i < table->list.n; i++) {
        for (uint32_t j = i + 1; j < table->list.n; j++) {
            float straight = first[i] + second[j];
            float crossed = first[j] + second[i];
            float promise = (straight > crossed ? straight : crossed) - 2.0f * logit;
            path way = {.n = 2,
                        .swaps = {{.place = places[0], .field = table->list.fields[i]},
                                  {.place = places[1], .field = table->list.fields[j]}}};
            if (promise > -BR_EXPLAIN_DETOUR) {
                br_field_set next = after(set, &way);
                if (br_explain_allowed(&context->rules, &next)) {
                    add_pair(pairs, promise, &way);
                }
            }
        }
    }
}

// The best of the first few pairs of which one is above `least`; false if there is none, or the search is exhausted.
static bool best_pair(br_explain_context *context, const br_field_set *set, const pair_list *pairs, float least,
                      path *way)
{
    for (uint32_t start = 0; start < pairs->n; start += BR_EXPLAIN_TOGETHER) {
        uint32_t n = pairs->n - start < BR_EXPLAIN_TOGETHER ? pairs->n - start : BR_EXPLAIN_TOGETHER;
        if (!br_explain_spend(context, n)) {
            return false;
        }
        for (uint32_t i = 0; i < n; i++) {
            note(context, 4 * (size_t)i, set, &pairs->pairs[start + i].way.swaps[0]);
            note(context, 4 * (size_t)i + 2, set, &pairs->pairs[start + i].way.swaps[1]);
        }
        br_collapsed_logits_if(context->bond.collapsed, context->own.state, context->changes, 4, n, context->logits,
                               context->scratch);
        uint32_t best = best_of(context->logits, n);
        if (context->logits[best] > least) {
            *way = pairs->pairs[start + best].way;
            return true;
        }
    }
    return false;
}

// The best swap, or where none is above `least` a pair of swaps that is. False if there is none, or the search is exhausted. Leaves
// the slopes at the state.
static bool find_way(br_explain_context *context, const br_field_set *set, float logit, float least, path *way)
{
    swap_table table;
    pair_list pairs = {.n = 0};
    br_explain_slopes(context, set);
    table.list = br_shortlist_of(context->score, context->n, BR_EXPLAIN_SHORTLIST, set);
    if (!try_swaps(context, set, &table)) {
        return false;
    }
    if (best_swap(context, set, &table, least, way)) {
        return true;
    }
    for (uint32_t place = 0; place < set->n; place++) {
        for (uint32_t other = place + 1; other < set->n; other++) {
            pair_up(context, set, &table, logit, (const uint32_t[]){place, other}, &pairs);
        }
    }
    return best_pair(context, set, &pairs, least, way);
}

// Goes the way; back, and false, if f from scratch is not larger: of very large logits rounding is more than the margin.
static bool go(br_explain_context *context, const path *way, br_field_set *set, float *logit)
{
    br_field_set next = after(set, way);
    float value = settle(context, &next);
    if (!(value > *logit)) {
        br_explain_build(context, &context->own, set);
        return false;
    }
    *set = next;
    *logit = value;
    return true;
}

// Takes swaps, and pairs of them, until none gains more than `margin`; each makes f larger, so it ends.
static void climb(br_explain_context *context, float margin, br_field_set *set, float *logit)
{
    path way;
    while (find_way(context, set, *logit, *logit + margin, &way) && go(context, &way, set, logit)) {
    }
}

// The best of all swaps of one field, against any other; false if the search is exhausted before all are seen.
static bool sweep(br_explain_context *context, const br_field_set *set, swap *best)
{
    for (uint32_t place = 0; place < set->n; place++) {
        uint32_t n = 0;
        for (uint32_t j = 0; j < context->n; j++) {
            if (!context->rules.banned[j] && !br_field_set_has(set, j) &&
                br_explain_beside(&context->rules, set, place, j)) {
                context->fields[n++] = j;
            }
        }
        if (context->exhausted || !br_explain_spend(context, n)) {
            return false;
        }
        br_explain_without(context, &context->own, set->fields[place]);
        br_explain_try(context, context->own.trial, context->fields, n, context->logits);
        uint32_t at = n == 0 ? 0 : best_of(context->logits, n);
        if (n > 0 && context->logits[at] > best->logit) {
            *best = (swap){place, context->fields[at], context->logits[at]};
        }
    }
    return true;
}

bool br_explain_plain(br_explain_context *context, const br_field_set *warm, br_field_set *set, double *objective_out)
{
    float margin = BR_EXPLAIN_GAIN;
    if (warm != NULL) {
        *set = *warm;
        margin = context->options.warm_margin > margin ? context->options.warm_margin : margin;
    } else {
        greedy(context, set);
    }
    float logit = settle(context, set);
    for (;;) {
        climb(context, margin, set, &logit);
        path way = {.n = 1, .swaps = {{.logit = logit + BR_EXPLAIN_GAIN, .field = UINT32_MAX}}};
        bool complete = context->options.certify && sweep(context, set, &way.swaps[0]);
        bool best = way.swaps[0].field == UINT32_MAX;
        if (best || way.swaps[0].logit <= logit + margin || !go(context, &way, set, &logit)) {
            *objective_out = (double)logit;
            return best && complete;
        }
    }
}

double br_explain_plain_around(br_explain_context *context, br_field_set *set, br_explain_swap *best)
{
    float logit = settle(context, set);
    swap found = {.field = UINT32_MAX, .logit = -INFINITY};
    bool complete = sweep(context, set, &found);
    br_assert(complete); // nothing bounds it
    *best = (br_explain_swap){found.place, found.field, (double)found.logit};
    return (double)logit;
}
