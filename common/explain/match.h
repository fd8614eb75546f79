#ifndef BR_EXPLAIN_MATCH_H
#define BR_EXPLAIN_MATCH_H

/// Which eligible investors share a set of values, and what the model says of them: bit sets per (field, code). Sums of
/// probabilities are integers in units of 2^-40, so they do not depend on the order of summation and an investor can be taken out
/// again exactly.

#include "explain/explain.h"

typedef struct br_match_sum {
    uint32_t n;
    uint64_t probability;
} br_match_sum;

typedef struct br_match {
    const br_population *population;
    const br_collapsed *collapsed;
    uint32_t n_fields;
    size_t n_words;        ///< of a set
    uint64_t *probability; ///< [n investors] sigmoid(logit); 0 for those that are not eligible
    uint64_t *everyone;    ///< [n_words] all eligible investors
    uint64_t *sets;        ///< [n_codes, n_words]
    br_match_sum *sums;    ///< [n_codes] of the whole sets
    uint8_t *made;         ///< [n_fields] sets of a field are made when it is first asked for
} br_match;

br_status br_match_init(br_match *match, const br_collapsed *collapsed, const br_population *population) BR_MUST_CHECK;
void br_match_deinit(br_match *match);
/// The investors with field j = code: [n_words], borrowed.
const uint64_t *br_match_set(br_match *match, uint32_t j, uint8_t code);
/// Number and probabilities of the investors with field j = code.
br_match_sum br_match_single(br_match *match, uint32_t j, uint8_t code);
/// Number and probabilities of the investors in both a and b.
br_match_sum br_match_both(const br_match *match, const uint64_t *a, const uint64_t *b);
/// The same sum without one investor who is in it if he is eligible.
br_match_sum br_match_without(const br_match *match, br_match_sum sum, uint32_t investor);
double br_match_probability(br_match_sum sum);

#endif
