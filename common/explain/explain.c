#include "explain/explain.h"

#include "base/alloc.h"
#include "explain/context.h"

#include <math.h>
#include <string.h>

// Weight of a sigma of the record against a logit of gain, in the form without groups.
static const float BACKING_WEIGHT = 0.045f;

br_explain_options br_explain_options_default(void)
{
    return (br_explain_options){.objective = BR_OBJECTIVE_BACKED, .n_reasons = 6, .warm_margin = 0.02f};
}

// States with more than one field changed that are evaluated at once.
enum { MOST_SWAPS = BR_MAX_REASONS * BR_EXPLAIN_SHORTLIST };
enum { MOST_CHANGED = MOST_SWAPS > BR_EXPLAIN_TOGETHER ? MOST_SWAPS : BR_EXPLAIN_TOGETHER };

// --- what the searches share ---

bool br_explain_spend(br_explain_context *context, size_t n)
{
    uint32_t most = context->options.max_evaluations;
    if (context->exhausted || (most > 0 && context->evaluations + n > most)) {
        context->exhausted = true;
        return false;
    }
    context->evaluations += (uint32_t)n;
    return true;
}

bool br_field_set_has(const br_field_set *set, uint32_t field)
{
    for (uint32_t i = 0; i < set->n; i++) {
        if (set->fields[i] == field) {
            return true;
        }
    }
    return false;
}

void br_fields_sort(uint32_t *fields, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++) {
        uint32_t field = fields[i];
        uint32_t place = i;
        for (; place > 0 && fields[place - 1] > field; place--) {
            fields[place] = fields[place - 1];
        }
        fields[place] = field;
    }
}

br_shortlist br_shortlist_of(const float *score, uint32_t n, uint32_t most, const br_field_set *set)
{
    br_shortlist list = {0};
    br_assert(most <= BR_MAX_SHORTLIST);
    for (uint32_t j = 0; j < n && most > 0; j++) {
        bool full = list.n == most;
        if (!isfinite(score[j]) || (full && score[j] <= score[list.fields[list.n - 1]]) || br_field_set_has(set, j)) {
            continue;
        }
        uint32_t place = full ? list.n - 1 : list.n++;
        for (; place > 0 && score[j] > score[list.fields[place - 1]]; place--) {
            list.fields[place] = list.fields[place - 1];
        }
        list.fields[place] = j;
    }
    br_fields_sort(list.fields, list.n);
    return list;
}

void br_explain_build(br_explain_context *context, br_explain_base *base, const br_field_set *set)
{
    br_field_set sorted = *set;
    br_fields_sort(sorted.fields, sorted.n);
    memcpy(base->state, base->hidden, context->n_state * sizeof *base->state);
    for (uint32_t i = 0; i < sorted.n; i++) {
        br_collapsed_show(context->bond.collapsed, base->state, sorted.fields[i], context->codes[sorted.fields[i]]);
    }
}

void br_explain_without(br_explain_context *context, br_explain_base *base, uint32_t field)
{
    memcpy(base->trial, base->state, context->n_state * sizeof *base->trial);
    br_collapsed_hide(context->bond.collapsed, base->trial, field, context->codes[field]);
}

static void changes_of(br_explain_context *context, const uint32_t *fields, uint32_t n, bool hide)
{
    for (uint32_t i = 0; i < n; i++) {
        context->changes[i] = (br_gate_change){fields[i], context->codes[fields[i]], hide};
    }
}

static void logits_if(br_explain_context *context, const float *state, const uint32_t *fields, uint32_t n, bool hide,
                      float *logits_out)
{
    changes_of(context, fields, n, hide);
    br_collapsed_logits_if(context->bond.collapsed, state, context->changes, 1, n, logits_out, context->scratch);
}

void br_explain_try(br_explain_context *context, const float *state, const uint32_t *fields, uint32_t n,
                    float *logits_out)
{
    logits_if(context, state, fields, n, false, logits_out);
}

void br_explain_hide(br_explain_context *context, const float *state, const uint32_t *fields, uint32_t n,
                     float *logits_out)
{
    logits_if(context, state, fields, n, true, logits_out);
}

void br_explain_try_single(br_explain_context *context, br_explain_base *base, const uint32_t *fields, uint32_t n,
                           float *logits_out)
{
    uint32_t n_new = 0;
    for (uint32_t i = 0; i < n; i++) {
        size_t at = br_collapsed_first_code(context->bond.collapsed, fields[i]) + context->codes[fields[i]];
        if (base->single_made[at] == 0) {
            context->changes[n_new++] = (br_gate_change){fields[i], context->codes[fields[i]], false};
        }
    }
    br_collapsed_logits_if(context->bond.collapsed, base->hidden, context->changes, 1, n_new, logits_out,
                           context->scratch);
    for (uint32_t i = 0; i < n_new; i++) {
        const br_gate_change *change = &context->changes[i];
        size_t at = br_collapsed_first_code(context->bond.collapsed, change->field) + change->code;
        base->single[at] = logits_out[i];
        base->single_made[at] = 1;
    }
    for (uint32_t i = 0; i < n; i++) {
        size_t at = br_collapsed_first_code(context->bond.collapsed, fields[i]) + context->codes[fields[i]];
        logits_out[i] = base->single[at];
    }
}

void br_explain_score(br_explain_context *context, const uint32_t *fields, const float *scores, uint32_t n)
{
    for (uint32_t j = 0; j < context->n; j++) {
        context->score[j] = -INFINITY;
    }
    for (uint32_t i = 0; i < n; i++) {
        context->score[fields[i]] = scores[i];
    }
}

void br_explain_gradient(br_explain_context *context, const float *state, const uint32_t *fields, uint32_t n)
{
    br_collapsed_gate_gradient(context->bond.collapsed, state, context->codes, fields, n, context->gradient,
                               context->scratch);
    br_explain_score(context, fields, context->gradient, n);
}

void br_explain_slopes(br_explain_context *context, const br_field_set *set)
{
    uint32_t n = 0;
    for (uint32_t j = 0; j < context->n; j++) {
        if (!context->rules.banned[j] && !br_field_set_has(set, j)) {
            context->fields[n++] = j;
        }
    }
    br_explain_gradient(context, context->own.state, context->fields, n);
}

// --- context ---

static br_status check_options(const br_explain_options *options, uint32_t n_fields)
{
    if (options->objective != BR_OBJECTIVE_PLAIN && options->objective != BR_OBJECTIVE_BACKED) {
        return br_fail(BR_ERR_INVALID, "explain: no objective has number %d", (int)options->objective);
    }
    uint32_t most = n_fields < BR_MAX_REASONS ? n_fields : BR_MAX_REASONS;
    if (options->n_reasons < 1 || options->n_reasons > most) {
        return br_fail(BR_ERR_INVALID, "explain: %u reasons asked for, 1 to %u can be given of %u investor fields",
                       options->n_reasons, most, n_fields);
    }
    if (!(options->warm_margin >= 0.0f)) {
        return br_fail(BR_ERR_INVALID, "explain: a warm margin of %g logit", (double)options->warm_margin);
    }
    return BR_OK;
}

static br_status check_bond(const br_explain_bond *bond, const br_explain_options *options, uint32_t n_fields)
{
    const br_encoder *encoder = bond->encoder;
    if (br_encoder_n_investor_fields(encoder) != n_fields) {
        return br_fail(BR_ERR_INVALID, "explain: the encoder has %u investor fields, the model %u",
                       br_encoder_n_investor_fields(encoder), n_fields);
    }
    for (uint32_t i = 0; i < encoder->n_bond_fields; i++) {
        if (bond->codes[i] >= encoder->fields[i].n_values) {
            return br_fail(BR_ERR_INVALID, "explain: bond field %u has code %u, its codes end at %u", i, bond->codes[i],
                           encoder->fields[i].n_values - 1u);
        }
    }
    if (bond->record != NULL && bond->record->n_investor_fields != n_fields) {
        return br_fail(BR_ERR_INVALID, "explain: the record has %u investor fields, the model %u",
                       bond->record->n_investor_fields, n_fields);
    }
    if (options->objective == BR_OBJECTIVE_BACKED && (bond->record == NULL || bond->mean_bond == NULL)) {
        return br_fail(BR_ERR_INVALID, "explain: the backed objective needs a record and a mean bond");
    }
    return BR_OK;
}

static br_status check_population(const br_collapsed *collapsed, const br_population *population)
{
    uint32_t n = br_collapsed_n_investor_fields(collapsed);
    for (uint32_t i = 0; i < population->n; i++) {
        if (!isfinite(population->logits[i])) {
            return br_fail(BR_ERR_INVALID, "explain: the logit of investor %u is not finite", i);
        }
    }
    for (uint32_t j = 0; j < n; j++) {
        uint32_t n_values = br_collapsed_first_code(collapsed, j + 1) - br_collapsed_first_code(collapsed, j);
        for (uint32_t i = 0; i < population->n; i++) {
            uint8_t code = population->codes[(size_t)i * n + j];
            if (code >= n_values) {
                return br_fail(BR_ERR_INVALID, "explain: investor %u, field %u has code %u, its codes end at %u", i, j,
                               code, n_values - 1);
            }
        }
    }
    return BR_OK;
}

static bool base_init(const br_explain_context *context, br_explain_base *base)
{
    base->hidden = br_calloc_aligned(context->n_state, sizeof *base->hidden);
    base->state = br_calloc_aligned(context->n_state, sizeof *base->state);
    base->trial = br_calloc_aligned(context->n_state, sizeof *base->trial);
    base->single = br_calloc(context->n_codes, sizeof *base->single);
    base->single_made = br_calloc(context->n_codes, sizeof *base->single_made);
    return base->hidden != NULL && base->state != NULL && base->trial != NULL && base->single != NULL &&
           base->single_made != NULL;
}

static void base_deinit(br_explain_base *base)
{
    br_free(base->hidden);
    br_free(base->state);
    br_free(base->trial);
    br_free(base->single);
    br_free(base->single_made);
}

static br_status allocate(br_explain_context *context)
{
    br_status status = br_match_init(&context->match, context->bond.collapsed, &context->population);
    if (status != BR_OK) {
        return status;
    }
    size_t n = context->n;
    context->preference = br_calloc(n, sizeof *context->preference);
    context->telling = br_calloc(n, sizeof *context->telling);
    context->closed = br_calloc(n, sizeof *context->closed);
    context->taken = br_calloc(n, sizeof *context->taken);
    context->concept = br_calloc(n, sizeof *context->concept);
    context->best_of = br_calloc(n, sizeof *context->best_of);
    context->backing = br_calloc(context->n_codes, sizeof *context->backing);
    context->gain = br_calloc(context->n_codes, sizeof *context->gain);
    context->spec = br_calloc(context->n_codes, sizeof *context->spec);
    context->score = br_calloc(n, sizeof *context->score);
    context->gradient = br_calloc(n, sizeof *context->gradient);
    context->fields = br_calloc(n, sizeof *context->fields);
    context->logits = br_calloc(context->n_tries, sizeof *context->logits);
    context->mean_logits = br_calloc(n, sizeof *context->mean_logits);
    context->changes = br_calloc(context->n_tries * BR_MAX_GATE_CHANGES, sizeof *context->changes);
    context->scratch = br_calloc_aligned(br_collapsed_scratch_floats(context->bond.collapsed), sizeof(float));
    context->matching = br_calloc(context->match.n_words, sizeof *context->matching);
    bool complete = base_init(context, &context->own) && context->preference != NULL && context->telling != NULL &&
                    context->taken != NULL && context->concept != NULL && context->best_of != NULL &&
                    context->backing != NULL && context->gain != NULL && context->spec != NULL &&
                    context->score != NULL && context->closed != NULL && context->gradient != NULL &&
                    context->fields != NULL && context->logits != NULL && context->mean_logits != NULL &&
                    context->changes != NULL && context->scratch != NULL && context->matching != NULL;
    if (context->options.objective == BR_OBJECTIVE_BACKED) {
        complete = complete && base_init(context, &context->mean);
    }
    return complete ? BR_OK : br_no_memory("investor fields to explain", n);
}

// Backing and gain of every code, and what is specific to this bond.
static void prepare_backed(br_explain_context *context)
{
    const br_explain_bond *bond = &context->bond;
    br_collapsed_mean_bond(bond->collapsed, bond->mean_bond, context->mean.hidden);
    br_collapsed_add_hidden(bond->collapsed, context->mean.hidden);
    for (uint32_t j = 0; j < context->n; j++) {
        uint32_t first = br_collapsed_first_code(bond->collapsed, j);
        uint32_t end = br_collapsed_first_code(bond->collapsed, j + 1);
        for (uint32_t at = first; at < end; at++) {
            context->backing[at] = br_record_backing(bond->record, bond->codes, j, (uint8_t)(at - first), NULL);
        }
    }
    br_collapsed_gate_gradient_of_codes(bond->collapsed, context->own.hidden, context->gain, context->scratch);
    if (context->grouped) {
        return;
    }
    br_collapsed_gate_gradient_of_codes(bond->collapsed, context->mean.hidden, context->spec, context->scratch);
    for (size_t at = 0; at < context->n_codes; at++) {
        context->spec[at] = context->gain[at] - context->spec[at] + BACKING_WEIGHT * context->backing[at];
    }
}

static void prepare(br_explain_context *context)
{
    const br_explain_bond *bond = &context->bond;
    for (uint32_t j = 0; j < context->n; j++) {
        const br_field *field = &bond->encoder->fields[bond->encoder->n_bond_fields + j];
        context->preference[j] = field->group == BR_GROUP_PREFERENCE;
        context->telling[j] = br_field_first_telling(field);
        context->concept[j] = br_encoder_concept(bond->encoder, j);
        context->grouped = context->grouped || context->preference[j];
    }
    br_collapsed_bond(bond->collapsed, bond->codes, context->own.hidden);
    br_collapsed_add_hidden(bond->collapsed, context->own.hidden);
    context->logit_none = br_collapsed_logit(bond->collapsed, context->own.hidden, context->scratch);
    if (context->options.objective == BR_OBJECTIVE_BACKED) {
        prepare_backed(context);
    }
}

br_status br_explain_context_new(br_explain_context **out, const br_explain_bond *bond, const br_population *population,
                                 const br_explain_options *options)
{
    uint32_t n = br_collapsed_n_investor_fields(bond->collapsed);
    br_status status = check_options(options, n);
    status = status != BR_OK ? status : check_bond(bond, options, n);
    status = status != BR_OK ? status : check_population(bond->collapsed, population);
    if (status != BR_OK) {
        return status;
    }
    BR_AUTO(br_explain_context) *context = br_calloc(1, sizeof *context);
    if (context == NULL) {
        return br_no_memory("bond to explain", 1);
    }
    context->options = *options;
    context->bond = *bond;
    context->population = *population;
    context->n = n;
    context->n_codes = br_collapsed_first_code(bond->collapsed, n);
    context->n_tries = n > MOST_CHANGED ? n : MOST_CHANGED;
    context->n_state = br_collapsed_state_floats(bond->collapsed);
    status = br_explain_rules_init(&context->rules, options, n);
    status = status != BR_OK ? status : allocate(context);
    if (status != BR_OK) {
        return status;
    }
    prepare(context);
    *out = context;
    context = NULL;
    return BR_OK;
}

void br_explain_context_free(br_explain_context **context)
{
    if (context == NULL || *context == NULL) {
        return;
    }
    br_explain_context *c = *context;
    br_match_deinit(&c->match);
    br_explain_rules_deinit(&c->rules);
    base_deinit(&c->own);
    base_deinit(&c->mean);
    br_free(c->preference);
    br_free(c->telling);
    br_free(c->closed);
    br_free(c->taken);
    br_free(c->concept);
    br_free(c->best_of);
    br_free(c->backing);
    br_free(c->gain);
    br_free(c->spec);
    br_free(c->score);
    br_free(c->gradient);
    br_free(c->fields);
    br_free(c->logits);
    br_free(c->mean_logits);
    br_free(c->changes);
    br_free(c->scratch);
    br_free(c->matching);
    br_free(c);
    *context = NULL;
}

// --- one explanation ---

static br_reason reason_of(const br_explain_context *context, uint32_t field, float gain)
{
    br_reason reason = {.field = field, .code = context->codes[field], .gain = gain};
    if (context->bond.record != NULL) {
        reason.backing = br_record_backing(context->bond.record, context->bond.codes, field, reason.code, &reason.bids);
    }
    return reason;
}

// Reasons by what is lost without them; ties go to the lowest field.
static void describe_reasons(br_explain_context *context, br_field_set *set, br_explanation *out)
{
    br_fields_sort(set->fields, set->n);
    br_explain_hide(context, context->own.state, set->fields, set->n, context->logits);
    context->evaluations += set->n;
    for (uint32_t i = 0; i < set->n; i++) {
        br_reason reason = reason_of(context, set->fields[i], out->logit_selected - context->logits[i]);
        uint32_t place = i;
        for (; place > 0 && out->reasons[place - 1].gain < reason.gain; place--) {
            out->reasons[place] = out->reasons[place - 1];
        }
        out->reasons[place] = reason;
    }
}

// From the slopes that the search has left.
static void describe_against(br_explain_context *context, const br_field_set *set, br_explanation *out)
{
    out->against.field = UINT32_MAX;
    for (uint32_t j = 0; j < context->n; j++) {
        bool open = isfinite(context->score[j]) && br_explain_beside(&context->rules, set, set->n, j);
        context->score[j] = open ? -context->score[j] : -INFINITY;
    }
    br_shortlist list = br_shortlist_of(context->score, context->n, BR_EXPLAIN_AGAINST, set);
    br_explain_try(context, context->own.state, list.fields, list.n, context->logits);
    context->evaluations += list.n;
    float lowest = out->logit_selected;
    for (uint32_t i = 0; i < list.n; i++) {
        if (context->logits[i] < lowest) {
            lowest = context->logits[i];
            out->against = reason_of(context, list.fields[i], lowest - out->logit_selected);
        }
    }
}

static void describe_matching(br_explain_context *context, const br_field_set *set, br_explanation *out)
{
    memcpy(context->matching, context->match.everyone, context->match.n_words * sizeof *context->matching);
    for (uint32_t i = 0; i < set->n; i++) {
        const uint64_t *same = br_match_set(&context->match, set->fields[i], context->codes[set->fields[i]]);
        for (size_t word = 0; word < context->match.n_words; word++) {
            context->matching[word] &= same[word];
        }
    }
    br_match_sum sum = br_match_both(&context->match, context->matching, context->matching);
    sum = br_match_without(&context->match, sum, context->investor);
    out->n_matching = sum.n;
    out->mean_probability_matching = sum.n == 0 ? 0.0 : br_match_probability(sum) / (double)sum.n;
}

static br_status read_set(const br_explain_context *context, const uint32_t *fields, br_field_set *out)
{
    for (uint32_t i = 0; i < context->options.n_reasons; i++) {
        if (fields[i] >= context->n || br_field_set_has(out, fields[i])) {
            return br_fail(BR_ERR_INVALID, "explain: field %u of a set is twice there or not one of %u", fields[i],
                           context->n);
        }
        out->fields[out->n++] = fields[i];
    }
    return BR_OK;
}

static br_status turn_to(br_explain_context *context, uint32_t investor)
{
    if (investor >= context->population.n) {
        return br_fail(BR_ERR_INVALID, "explain: there is no investor %u of %u", investor, context->population.n);
    }
    context->investor = investor;
    context->codes = context->population.codes + (size_t)investor * context->n;
    context->evaluations = 0;
    context->exhausted = false;
    return BR_OK;
}

br_status br_explain(br_explain_context *context, uint32_t investor, const uint32_t *warm_start, br_explanation *out)
{
    br_field_set warm = {0};
    br_status status = turn_to(context, investor);
    if (status == BR_OK && warm_start != NULL) {
        status = read_set(context, warm_start, &warm);
    }
    if (status != BR_OK) {
        return status;
    }
    br_field_set set = {0};
    bool is_warm = warm_start != NULL && br_explain_allowed(&context->rules, &warm);
    memset(out, 0, sizeof *out);
    bool plain = context->options.objective == BR_OBJECTIVE_PLAIN;
    out->certified =
        (plain ? br_explain_plain : br_explain_backed)(context, is_warm ? &warm : NULL, &set, &out->objective);
    out->investor = investor;
    out->n_reasons = set.n;
    out->logit_selected = br_collapsed_logit(context->bond.collapsed, context->own.state, context->scratch);
    out->logit_all = context->population.logits[investor];
    out->logit_none = context->logit_none;
    describe_reasons(context, &set, out);
    describe_against(context, &set, out);
    describe_matching(context, &set, out);
    out->evaluations = context->evaluations;
    return BR_OK;
}

br_status br_explain_certify(br_explain_context *context, uint32_t investor, const uint32_t *selected,
                             br_certificate *out)
{
    br_field_set set = {0};
    br_status status = turn_to(context, investor);
    if (status == BR_OK) {
        status = read_set(context, selected, &set);
    }
    if (status == BR_OK && !br_explain_allowed(&context->rules, &set)) {
        status = br_fail(BR_ERR_INVALID, "explain: a set to certify breaks the rules");
    }
    if (status != BR_OK) {
        return status;
    }
    br_explain_swap best;
    uint32_t bound = context->options.max_evaluations;
    context->options.max_evaluations = 0;
    bool plain = context->options.objective == BR_OBJECTIVE_PLAIN;
    double value =
        plain ? br_explain_plain_around(context, &set, &best) : br_explain_backed_around(context, &set, &best);
    context->options.max_evaluations = bound;
    bool any = best.field != UINT32_MAX;
    *out = (br_certificate){.objective = value,
                            .gain = best.value - value,
                            .leaves = any ? set.fields[best.place] : UINT32_MAX,
                            .enters = best.field};
    return BR_OK;
}
