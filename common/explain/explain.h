#ifndef BR_EXPLAIN_EXPLAIN_H
#define BR_EXPLAIN_EXPLAIN_H

/// Why this investor: the k investor features that explain best (paper 4.1 Eq. (1)), found by exact search on the collapsed
/// model. No randomness, no BLAS; the same bytes everywhere.
///
///     br_explain_context_new(&context, &bond, &population, &options);          // once per bond: the job
///     br_explain(context, investor, warm_start, &explanation);                 // for each recommended investor
///
/// An explanation depends on its investor, the context's inputs and the options; not on what was explained before.

#include "model/collapse.h"
#include "model/record.h"

#define BR_MAX_REASONS 16
#define BR_MAX_APART   65536 ///< pairs of fields that may not stand together

/// What the selected set S maximises. f is the probability of the model, f_mean that of the model with an average bond, both with
/// only the fields of S shown.
///
///   plain   logit f(x_S), over all sets of k fields: greedy from the empty set, the first field by f alone, each other the better of
///           the BR_EXPLAIN_STEEPEST steepest gates among the BR_EXPLAIN_POOL fields with the largest f alone. Then the best swap of
///           one field against the BR_EXPLAIN_SHORTLIST steepest gates of all fields; where none gains, pairs of these swaps, at most
///           BR_EXPLAIN_PAIRS, that lose together at most BR_EXPLAIN_DETOUR as far as each alone tells, the least first, until one
///           gains; again, until no such pair gains. Asked to certify, all swaps of one field are
///           evaluated; what gains is taken, and the search goes on from there.
///   backed  J(S) = logit P(S) - 0.7 logit f_mean(x_S),
///           P(S) = (5 f(x_S) + sum of f(x_i) over the OTHER eligible investors who match x_S) / (5 + their number),
///           greedily among 2 k fields: the k/2 preferences that the record backs most, of those the investor has shown by a bid, and the other fields with the largest
///           gain; of fields that differ in their window alone the best one; a group that has fewer leaves its places to the
///           other. The gain of (j, v) is d logit f / d gate_j with everything hidden. No swaps: they were seen to make its
///           explanations worse.
///           Without preference fields: among the 4 k fields with the largest gain + spec, spec = gain - gain for the average bond
///           + 0.045 backing, J(S) = logit P(S) + sum of spec over S, with 3 in the place of 10.
///
/// Banned fields leave all lists, and so does, once a field is in the set, what may not stand beside it, or what would leave too few
/// others to fill the set up. A pool in which nothing is left is made again of what may.
///
/// Ties go to the lowest field.
///
/// Source:  Eq. (1) for `plain`.
/// Differs: `backed` adds to the paper's sufficient value what the record and the other investors say: the maximum of an estimate
///          over billions of sets is too high where the estimate errs.
typedef enum br_objective {
    BR_OBJECTIVE_PLAIN = 1, ///< the paper's sufficient value f(x_S)
    BR_OBJECTIVE_BACKED,    ///< sufficient among reasons that the record backs
} br_objective;

#define BR_EXPLAIN_POOL      40
#define BR_EXPLAIN_STEEPEST  2
#define BR_EXPLAIN_SHORTLIST 12
#define BR_EXPLAIN_PAIRS     48
#define BR_EXPLAIN_DETOUR    0.3f ///< in logit
/// Pairs that are evaluated at once: the best of them is taken.
#define BR_EXPLAIN_TOGETHER 16
/// Fields that are tried as the reason against.
#define BR_EXPLAIN_AGAINST 32
/// A swap must gain more than this, in logit: less is within the rounding of the states.
#define BR_EXPLAIN_GAIN 1e-4f

typedef struct br_explain_options {
    br_objective objective;
    uint32_t n_reasons; ///< k = 6; 1 to BR_MAX_REASONS and at most the number of investor fields
    bool certify;       ///< sweep all swaps at the end
    uint32_t
        max_evaluations; ///< of f in the search; 0 = no bound. At the bound the best set so far, filled up, not certified
    float warm_margin;   ///< leave yesterday's set only for a gain in logit above this (0.02)
    const uint32_t *banned; ///< [n_banned] investor fields that are no reason, for or against; borrowed
    uint32_t n_banned;
    const uint32_t *apart; ///< [n_apart, 2] pairs of fields that are not reasons of one investor; borrowed
    uint32_t n_apart;      ///< at most BR_MAX_APART
} br_explain_options;

br_explain_options br_explain_options_default(void);

/// All investors of the bond's day: whose codes, logits and eligibility the explanation looks at.
typedef struct br_population {
    const uint8_t *codes;    ///< [n, n_investor_fields]
    const float *logits;     ///< [n] all fields shown, this bond
    const uint8_t *eligible; ///< [n]
    uint32_t n;
} br_population;

typedef struct br_reason {
    uint32_t field; ///< investor field, from 0
    uint8_t code;
    float gain;    ///< f(S) - f(S without it), in logit; against: f(S with it) - f(S)
    float backing; ///< sigmas of the record
    uint32_t bids; ///< bids behind the backing
} br_reason;

typedef struct br_explanation {
    uint32_t investor; ///< row in the population
    uint32_t n_reasons;
    br_reason reasons[BR_MAX_REASONS]; ///< by loss when removed, largest first
    br_reason against;    ///< shown as well, it would lower f(S) most (of the BR_EXPLAIN_AGAINST fields with the lowest
                          ///< gradient); field UINT32_MAX if none would
    float logit_selected; ///< f(x_S)
    float logit_all;      ///< f(x)
    float logit_none;     ///< all hidden
    double objective;     ///< the value that was maximised
    uint32_t n_matching;  ///< OTHER eligible investors of the day with the same k values
    double mean_probability_matching; ///< mean raw sigmoid(f(x_i)) of them; 0 if none
    bool certified;       ///< swept: no swap of one field gains more than BR_EXPLAIN_GAIN, also after a warm start;
                          ///< plain: any field for any other, backed: among the 2 k (4 k) fields
    uint32_t evaluations; ///< of f and f_mean, as if nothing were remembered from other investors
} br_explanation;

/// The bond and what the snapshot knows. All borrowed.
typedef struct br_explain_bond {
    const br_collapsed *collapsed;
    const br_encoder *encoder; ///< for the fields' groups
    const br_record *record;   ///< NULL: nothing is backed; `backed` needs it
    const float *mean_bond;    ///< [br_mean_bond_floats()]; NULL will do for `plain`
    const uint8_t *codes;      ///< [n_bond_fields]
} br_explain_bond;

typedef struct br_explain_context br_explain_context;

/// What is computed once per bond. All that the arguments point to is borrowed and must outlive the context, the structs themselves
/// need not. A context serves one thread.
/// Memory: the bits of (codes of all investor fields) x (investors), plus some states. Errors: BR_ERR_INVALID (k out of range, fewer
/// than k fields that may stand together are found, taking those with the fewest partners they may not stand beside first, a banned or
/// paired field or a code out of range, a logit that is not finite, something missing), BR_ERR_NO_MEMORY.
br_status br_explain_context_new(br_explain_context **out, const br_explain_bond *bond, const br_population *population,
                                 const br_explain_options *options) BR_MUST_CHECK;
/// Explain one investor of the population. warm_start: [n_reasons] different fields of an earlier explanation, or NULL. `plain` swaps
/// from there, each swap or pair of them for more than warm_margin; `backed` keeps it if its fields are still among the best 2 k and its J is
/// within warm_margin of the best found. A set that breaks the
/// rules is no start. Errors: BR_ERR_INVALID (no such investor, a field twice or out of range).
br_status br_explain(br_explain_context *context, uint32_t investor, const uint32_t *warm_start,
                     br_explanation *out) BR_MUST_CHECK;

/// A set among its neighbours, all that a certificate looks at.
typedef struct br_certificate {
    double objective; ///< of the set
    double gain; ///< of the best swap of one field; certified is at most BR_EXPLAIN_GAIN; -INFINITY: there is no swap
    uint32_t leaves; ///< field of the set
    uint32_t enters; ///< field in its place; UINT32_MAX: there is no swap
} br_certificate;

/// The best swap of one field in a set that was selected at any time, by the context's objective, without a bound of evaluations. selected:
/// [n_reasons] different fields. Errors: BR_ERR_INVALID (no such investor, a field twice or out of range, a set that breaks the rules).
br_status br_explain_certify(br_explain_context *context, uint32_t investor, const uint32_t *selected,
                             br_certificate *out) BR_MUST_CHECK;
void br_explain_context_free(br_explain_context **context);

#endif
