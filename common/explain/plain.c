#include "explain/context.h"

#include <string.h>

typedef struct swap {
    uint32_t place; // in the set
    uint32_t field; // that takes it
    float logit;
} swap;

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

static uint32_t first_field(br_explain_context *context)
{
    for (uint32_t j = 0; j < context->n; j++) {
        context->fields[j] = j;
    }
    br_explain_try_single(context, &context->own, context->fields, context->n, context->logits);
    return best_of(context->logits, context->n);
}

// What the next field of a greedy set is. An exhausted search takes the steepest gate.
static uint32_t next_field(br_explain_context *context, const br_field_set *set)
{
    if (set->n == 0 && br_explain_spend(context, context->n)) {
        return first_field(context);
    }
    br_explain_gradient(context, context->own.state);
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

// The best swap against the listed fields; false if the search is exhausted before all are seen.
static bool best_swap(br_explain_context *context, const br_field_set *set, const uint32_t *fields, uint32_t n,
                      swap *best)
{
    for (uint32_t place = 0; place < set->n; place++) {
        if (!br_explain_spend(context, n)) {
            return false;
        }
        br_explain_without(context, &context->own, set->fields[place]);
        br_explain_try(context, context->own.trial, fields, n, context->logits);
        for (uint32_t i = 0; i < n; i++) {
            if (context->logits[i] > best->logit) {
                *best = (swap){place, fields[i], context->logits[i]};
            }
        }
    }
    return true;
}

// State and logit of the set, from scratch: a function of the set alone.
static float settle(br_explain_context *context, const br_field_set *set)
{
    br_explain_build(context, &context->own, set);
    context->evaluations++;
    return br_collapsed_logit(context->bond.collapsed, context->own.state, context->scratch);
}

static uint32_t others(br_explain_context *context, const br_field_set *set)
{
    uint32_t n = 0;
    for (uint32_t j = 0; j < context->n; j++) {
        if (!br_field_set_has(set, j)) {
            context->fields[n++] = j;
        }
    }
    return n;
}

// Takes swaps until none gains more than `margin`; each makes f larger, so it ends. Then, if asked for, the same against all
// fields instead of a shortlist: true if that found nothing.
static bool swaps(br_explain_context *context, br_field_set *set, float *logit, float margin)
{
    bool certifying = false;
    for (;;) {
        swap best = {.logit = *logit + margin, .field = UINT32_MAX};
        bool complete;
        if (certifying) {
            complete = best_swap(context, set, context->fields, others(context, set), &best);
        } else {
            br_explain_gradient(context, context->own.state);
            br_shortlist list = br_shortlist_of(context->score, context->n, BR_EXPLAIN_SHORTLIST, set);
            complete = best_swap(context, set, list.fields, list.n, &best);
        }
        if (best.field == UINT32_MAX) {
            if (!complete || certifying) {
                return complete;
            }
            if (!context->options.certify) {
                return false;
            }
            certifying = true;
            continue;
        }
        set->fields[best.place] = best.field;
        br_fields_sort(set->fields, set->n);
        *logit = settle(context, set);
        if (!complete) {
            return false;
        }
    }
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
    br_fields_sort(set->fields, set->n);
    float logit = settle(context, set);
    bool certified = swaps(context, set, &logit, margin);
    *objective_out = (double)logit;
    return certified;
}
