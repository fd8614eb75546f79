#include "explain/context.h"

#include <math.h>
#include <string.h>

typedef struct swap {
    uint32_t place; // in the set
    uint32_t field; // that takes it; UINT32_MAX: none
    float logit;
} swap;

// Up to two swaps, one after the other.
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

// context->fields: all that may be added to the set.
static uint32_t open_fields(br_explain_context *context, const br_field_set *set)
{
    uint32_t n = 0;
    br_explain_close(context, set);
    for (uint32_t j = 0; j < context->n; j++) {
        if (!context->closed[j]) {
            context->fields[n++] = j;
        }
    }
    return n;
}

// What the next field of a greedy set is. An exhausted search takes the steepest gate.
static uint32_t next_field(br_explain_context *context, const br_field_set *set)
{
    uint32_t n = open_fields(context, set);
    if (set->n == 0 && br_explain_spend(context, n)) {
        br_explain_try_single(context, &context->own, context->fields, n, context->logits);
        return context->fields[best_of(context->logits, n)];
    }
    br_explain_gradient(context, context->own.state, context->fields, n);
    br_shortlist list = br_shortlist_of(context->score, context->n, BR_EXPLAIN_SHORTLIST, set);
    if (context->exhausted || !br_explain_spend(context, list.n)) {
        return br_shortlist_of(context->score, context->n, 1, set).fields[0];
    }
    br_explain_try(context, context->own.state, list.fields, list.n, context->logits);
    return list.fields[best_of(context->logits, list.n)];
}

static void greedy(br_explain_context *context, br_field_set *set)
{
    set->n = 0;
    memcpy(context->own.state, context->own.hidden, context->n_state * sizeof(float));
    while (set->n < context->options.n_reasons) {
        uint32_t field = next_field(context, set);
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

// The best swap of each place against the listed fields, after `first` (n = 0: none); false if the search is exhausted.
static bool look_around(br_explain_context *context, const br_field_set *set, const path *first,
                        const br_shortlist *list, swap *best)
{
    br_field_set now = after(set, first);
    swap tried[BR_MAX_REASONS * BR_EXPLAIN_SHORTLIST];
    uint32_t n = 0;
    size_t n_changes = 2 * first->n + 2;
    for (uint32_t place = 0; place < set->n; place++) {
        best[place] = (swap){place, UINT32_MAX, -INFINITY};
        for (uint32_t i = 0; i < list->n && (first->n == 0 || place != first->swaps[0].place); i++) {
            if (!br_field_set_has(&now, list->fields[i]) &&
                br_explain_beside(&context->rules, &now, place, list->fields[i])) {
                tried[n] = (swap){.place = place, .field = list->fields[i]};
                if (first->n > 0) {
                    note(context, n * n_changes, set, &first->swaps[0]);
                }
                note(context, (n + 1) * n_changes - 2, set, &tried[n]);
                n++;
            }
        }
    }
    if (context->exhausted || !br_explain_spend(context, n)) {
        return false;
    }
    br_collapsed_logits_if(context->bond.collapsed, context->own.state, context->changes, n_changes, n, context->logits,
                           context->scratch);
    for (uint32_t i = 0; i < n; i++) {
        if (context->logits[i] > best[tried[i].place].logit) {
            best[tried[i].place] = (swap){tried[i].place, tried[i].field, context->logits[i]};
        }
    }
    return true;
}

static swap best_swap(const swap *swaps, uint32_t n)
{
    uint32_t best = 0;
    for (uint32_t place = 1; place < n; place++) {
        best = swaps[place].logit > swaps[best].logit ? place : best;
    }
    return swaps[best];
}

// The best swap, or where none is above `least` the first pair of one that loses and one that more than makes up for it. False if
// there is none, or the search is exhausted.
static bool find_way(br_explain_context *context, const br_field_set *set, float least, path *way)
{
    swap firsts[BR_MAX_REASONS];
    swap seconds[BR_MAX_REASONS];
    br_explain_gradient(context, context->own.state, context->fields, open_fields(context, set));
    br_shortlist list = br_shortlist_of(context->score, context->n, BR_EXPLAIN_SHORTLIST, set);
    if (!look_around(context, set, &(path){.n = 0}, &list, firsts)) {
        return false;
    }
    *way = (path){.n = 1, .swaps = {best_swap(firsts, set->n)}};
    if (way->swaps[0].logit > least) {
        return true;
    }
    list = br_shortlist_of(context->score, context->n, BR_EXPLAIN_DETOUR, set);
    for (uint32_t place = 0; place < set->n; place++) {
        path first = {.n = 1, .swaps = {firsts[place]}};
        if (firsts[place].field == UINT32_MAX || !look_around(context, set, &first, &list, seconds)) {
            continue;
        }
        *way = (path){.n = 2, .swaps = {firsts[place], best_swap(seconds, set->n)}};
        if (way->swaps[1].logit > least) {
            return true;
        }
    }
    return false;
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
    while (find_way(context, set, *logit + margin, &way) && go(context, &way, set, logit)) {
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
