#include "base/alloc.h"
#include "explain/context.h"

#include <string.h>

enum { WORD_BITS = 64 };

static bool are_apart(const br_explain_rules *rules, uint32_t a, uint32_t b)
{
    return rules->apart != NULL && (rules->apart[a * rules->n_words + b / WORD_BITS] >> (b % WORD_BITS) & 1) != 0;
}

static void set_apart(br_explain_rules *rules, uint32_t a, uint32_t b)
{
    rules->apart[a * rules->n_words + b / WORD_BITS] |= UINT64_C(1) << (b % WORD_BITS);
}

static br_status check_rules(const br_explain_options *options, uint32_t n)
{
    for (uint32_t i = 0; i < options->n_banned; i++) {
        if (options->banned[i] >= n) {
            return br_fail(BR_ERR_INVALID, "explain: banned field %u is not one of %u", options->banned[i], n);
        }
    }
    if (options->n_apart > BR_MAX_APART) {
        return br_fail(BR_ERR_INVALID, "explain: %u pairs may not stand together, at most %d can be told",
                       options->n_apart, BR_MAX_APART);
    }
    for (uint32_t i = 0; i < options->n_apart; i++) {
        uint32_t a = options->apart[2 * i];
        uint32_t b = options->apart[2 * i + 1];
        if (a >= n || b >= n || a == b) {
            return br_fail(BR_ERR_INVALID, "explain: fields %u and %u that may not stand together are not two of %u", a,
                           b, n);
        }
    }
    return BR_OK;
}

static uint32_t count_partners(const br_explain_rules *rules, uint32_t field)
{
    uint32_t count = 0;
    for (size_t word = 0; word < rules->n_words && rules->apart != NULL; word++) {
        count += (uint32_t)__builtin_popcountll(rules->apart[field * rules->n_words + word]);
    }
    return count;
}

// Fields by their number of partners, equal ones ascending: each is put where those with fewer partners end. first[0 .. n]: room.
static void order(br_explain_rules *rules, uint32_t *first)
{
    for (uint32_t j = 0; j < rules->n; j++) {
        if (!rules->banned[j]) {
            first[count_partners(rules, j) + 1]++;
            rules->n_open++;
        }
    }
    for (uint32_t partners = 1; partners < rules->n; partners++) {
        first[partners] += first[partners - 1];
    }
    for (uint32_t j = 0; j < rules->n; j++) {
        if (!rules->banned[j]) {
            rules->easiest[first[count_partners(rules, j)]++] = j;
        }
    }
}

// Can the set be filled up to k, taking the easiest fields first? What it would take first leaves the rest as it is: so once there
// is a way, one stays open.
static bool completes(const br_explain_rules *rules, const br_field_set *set, uint32_t k)
{
    br_field_set filled = *set;
    for (uint32_t i = 0; i < rules->n_open && filled.n < k; i++) {
        uint32_t field = rules->easiest[i];
        if (!br_field_set_has(&filled, field) && br_explain_beside(rules, &filled, filled.n, field)) {
            filled.fields[filled.n++] = field;
        }
    }
    return filled.n == k;
}

br_status br_explain_rules_init(br_explain_rules *rules, const br_explain_options *options, uint32_t n)
{
    br_status status = check_rules(options, n);
    if (status != BR_OK) {
        return status;
    }
    rules->n = n;
    rules->n_words = ((size_t)n + WORD_BITS - 1) / WORD_BITS;
    rules->banned = br_calloc(n, sizeof *rules->banned);
    rules->easiest = br_calloc(n, sizeof *rules->easiest);
    rules->apart = options->n_apart == 0 ? NULL : br_calloc(n * rules->n_words, sizeof *rules->apart);
    if (rules->banned == NULL || rules->easiest == NULL || (options->n_apart > 0 && rules->apart == NULL)) {
        return br_no_memory("rules of investor fields", n);
    }
    for (uint32_t i = 0; i < options->n_banned; i++) {
        rules->banned[options->banned[i]] = true;
    }
    for (uint32_t i = 0; i < options->n_apart; i++) {
        set_apart(rules, options->apart[2 * i], options->apart[2 * i + 1]);
        set_apart(rules, options->apart[2 * i + 1], options->apart[2 * i]);
    }
    uint32_t *first = br_calloc((size_t)n + 1, sizeof *first);
    if (first == NULL) {
        return br_no_memory("rules of investor fields", n);
    }
    order(rules, first);
    br_free(first);
    if (!completes(rules, &(br_field_set){0}, options->n_reasons)) {
        return br_fail(BR_ERR_INVALID,
                       "explain: %u reasons asked for, but of %u investor fields %u are not banned, and not so many of "
                       "these may stand together",
                       options->n_reasons, n, rules->n_open);
    }
    return BR_OK;
}

void br_explain_rules_deinit(br_explain_rules *rules)
{
    br_free(rules->banned);
    br_free(rules->apart);
    br_free(rules->easiest);
}

bool br_explain_beside(const br_explain_rules *rules, const br_field_set *set, uint32_t place, uint32_t field)
{
    for (uint32_t i = 0; i < set->n && rules->apart != NULL; i++) {
        if (i != place && are_apart(rules, set->fields[i], field)) {
            return false;
        }
    }
    return true;
}

bool br_explain_allowed(const br_explain_rules *rules, const br_field_set *set)
{
    for (uint32_t i = 0; i < set->n; i++) {
        if (rules->banned[set->fields[i]] || !br_explain_beside(rules, set, i, set->fields[i])) {
            return false;
        }
    }
    return true;
}

void br_explain_close(br_explain_context *context, const br_field_set *set)
{
    const br_explain_rules *rules = &context->rules;
    memcpy(context->closed, rules->banned, rules->n * sizeof *context->closed);
    for (uint32_t i = 0; i < set->n; i++) {
        context->closed[set->fields[i]] = true;
    }
    for (uint32_t j = 0; j < rules->n && rules->apart != NULL && set->n < context->options.n_reasons; j++) {
        br_field_set larger = *set;
        larger.fields[larger.n++] = j;
        context->closed[j] = context->closed[j] || !br_explain_beside(rules, set, set->n, j) ||
                             !completes(rules, &larger, context->options.n_reasons);
    }
}
