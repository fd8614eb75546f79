#ifndef BR_EXPLAIN_CONTEXT_H
#define BR_EXPLAIN_CONTEXT_H

/// What the two searches share: states of the bond, remembered evaluations, room to work. Nothing is allocated per explanation.

#include "explain/match.h"

/// A state from which sets are built, and what showing a single code gives: remembered, because all investors share it.
typedef struct br_explain_base {
    float *hidden;        ///< [state] everything hidden
    float *state;         ///< [state] being searched
    float *trial;         ///< [state] one field less
    float *single;        ///< [n_codes] logit with only this code shown
    uint8_t *single_made; ///< [n_codes]
} br_explain_base;

typedef struct br_field_set {
    uint32_t n;
    uint32_t fields[BR_MAX_REASONS];
} br_field_set;

/// The longest list is the pool of `backed` without preferences.
enum { BR_MAX_SHORTLIST = 4 * BR_MAX_REASONS };
_Static_assert(BR_EXPLAIN_POOL <= (int)BR_MAX_SHORTLIST && BR_EXPLAIN_SHORTLIST <= (int)BR_MAX_SHORTLIST &&
                   BR_EXPLAIN_AGAINST <= (int)BR_MAX_SHORTLIST,
               "lists fit");

typedef struct br_shortlist {
    uint32_t n;
    uint32_t fields[BR_MAX_SHORTLIST];
} br_shortlist;

/// Which fields may be reasons, and which together.
typedef struct br_explain_rules {
    uint32_t n;        ///< investor fields
    size_t n_words;    ///< of a set of fields
    bool *banned;      ///< [n]
    uint64_t *apart;   ///< [n, n_words] fields that may not stand beside this one; NULL: no such pairs
    uint32_t *easiest; ///< [n] fields that are not banned, those with the fewest such partners first
    uint32_t n_open;   ///< how many
} br_explain_rules;

struct br_explain_context {
    br_explain_options options;
    br_explain_bond bond;
    br_population population;
    br_match match;
    br_explain_rules rules;
    uint32_t n;     ///< investor fields
    size_t n_codes; ///< of all investor fields
    size_t n_tries; ///< that are evaluated at once, at most
    size_t n_state;
    bool *preference; ///< [n]
    uint8_t *telling; ///< [n] the first code that says something
    bool grouped;     ///< some field is a preference
    float logit_none;
    br_explain_base own;     ///< the bond
    br_explain_base mean;    ///< the average bond; `backed` only
    float *backing;          ///< [n_codes] filled for `backed`
    float *gain;             ///< [n_codes] filled for `backed`
    float *spec;             ///< [n_codes] filled for `backed` without groups
    bool *closed;            ///< [n] see br_explain_close()
    uint32_t *concept;       ///< [n] see br_encoder_concept()
    uint32_t *best_of;       ///< [n] of a concept
    bool *taken;             ///< [n] concepts, while a pool is made
    float *score;            ///< [n] what shortlists are ordered by
    float *gradient;         ///< [n]
    uint32_t *fields;        ///< [n]
    float *logits;           ///< [n_tries]
    float *mean_logits;      ///< [n]
    br_gate_change *changes; ///< [n_tries * BR_MAX_GATE_CHANGES]
    float *scratch;
    uint64_t *matching; ///< [n_words]
    // of the explanation that is being made
    uint32_t investor;
    const uint8_t *codes; ///< [n] the investor's
    uint32_t evaluations;
    bool exhausted;
};

/// May n more evaluations be made? Counts them if so; else the search is exhausted.
bool br_explain_spend(br_explain_context *context, size_t n);
bool br_field_set_has(const br_field_set *set, uint32_t field);
void br_fields_sort(uint32_t *fields, uint32_t n);
/// The `most` fields that are not in `set` with the largest finite score, in ascending order of fields; ties for a place go to the
/// lowest field.
br_shortlist br_shortlist_of(const float *score, uint32_t n, uint32_t most, const br_field_set *set);
/// base->state = everything hidden, then the fields of the set shown in ascending order.
void br_explain_build(br_explain_context *context, br_explain_base *base, const br_field_set *set);
/// base->trial = base->state with one field hidden again.
void br_explain_without(br_explain_context *context, br_explain_base *base, uint32_t field);
/// logits_out[i] = logit with the i-th field shown on top of `state`.
void br_explain_try(br_explain_context *context, const float *state, const uint32_t *fields, uint32_t n,
                    float *logits_out);
/// The same on top of nothing, remembered.
void br_explain_try_single(br_explain_context *context, br_explain_base *base, const uint32_t *fields, uint32_t n,
                           float *logits_out);
/// logits_out[i] = logit with the i-th field hidden at `state`.
void br_explain_hide(br_explain_context *context, const float *state, const uint32_t *fields, uint32_t n,
                     float *logits_out);
/// context->score[fields[i]] = scores[i], all others -INFINITY.
void br_explain_score(br_explain_context *context, const uint32_t *fields, const float *scores, uint32_t n);
/// context->score[j] = gradient of the gates of the n fields at `state`, all others -INFINITY.
void br_explain_gradient(br_explain_context *context, const float *state, const uint32_t *fields, uint32_t n);
/// The same at context->own.state, which is that of the set, for all fields that are not banned and not in the set.
void br_explain_slopes(br_explain_context *context, const br_field_set *set);

/// Errors: BR_ERR_INVALID (a field out of range, a pair of the same, fewer than k fields that may stand together as
/// they are taken in the order of `easiest`), BR_ERR_NO_MEMORY.
br_status br_explain_rules_init(br_explain_rules *rules, const br_explain_options *options, uint32_t n) BR_MUST_CHECK;
void br_explain_rules_deinit(br_explain_rules *rules);
/// May `field`, which is not banned, stand beside all of the set but the one at `place` (set->n: beside all)?
bool br_explain_beside(const br_explain_rules *rules, const br_field_set *set, uint32_t place, uint32_t field);
/// Does the set break no rule?
bool br_explain_allowed(const br_explain_rules *rules, const br_field_set *set);
/// context->closed[j]: j is banned, in the set, not allowed beside it, or leaves too few others to fill up k. Something stays open as
/// long as the set grew by open fields.
void br_explain_close(br_explain_context *context, const br_field_set *set);

/// The best swap of one field.
typedef struct br_explain_swap {
    uint32_t place; ///< in the set
    uint32_t field; ///< that takes it; UINT32_MAX: none
    double value;   ///< of the objective
} br_explain_swap;

/// The searches: `set` is the result, context->own.state its state and context->score its slopes; true if it is certified.
bool br_explain_plain(br_explain_context *context, const br_field_set *warm, br_field_set *set, double *objective_out);
bool br_explain_backed(br_explain_context *context, const br_field_set *warm, br_field_set *set, double *objective_out);
/// The objective of a set, and the best of all swaps that a certificate looks at.
double br_explain_plain_around(br_explain_context *context, br_field_set *set, br_explain_swap *best);
double br_explain_backed_around(br_explain_context *context, const br_field_set *set, br_explain_swap *best);

#endif
