#ifndef BR_METRICS_RATIONALITY_H
#define BR_METRICS_RATIONALITY_H

/// Rationality: do the preferences given as reasons speak of what the bond is (paper 5.3 and A.2)?
///
///     br_mean_levels(means, codes, eligible, n_investors, n_fields);            // of the bond's day
///     br_claims_append(&claims, &bond, number, means);                          // every bond
///     br_rationality_of(&rationality, claims.data, n_claims, BR_ALL_BONDS);

#include "base/buf.h"
#include "metrics/reasons.h"

#define BR_ALL_BONDS UINT32_MAX

/// One P-reason: a preference of the investor for a value of a bond field, and the value that the bond has.
typedef struct br_claim {
    uint32_t bond;       ///< the number that it was appended with
    uint16_t bond_field; ///< below 8192
    uint8_t claimed;     ///< the value that the reason speaks of
    uint8_t actual;      ///< the bond's; rational if equal
} br_claim;

/// out[j] = mean level of field j over the eligible investors; NAN without any. Meaningful for preferences.
///
///   codes     in   [n_investors, n_fields]
///   eligible  in   [n_investors]  0 or 1
///   out       out  [n_fields]     1 to 5 where codes are levels
///
/// Source: A.2, "the average preference level of all investors".
/// Choice: eligible investors of the bond's day. The paper's levels begin at 1 = none; code 0, no bid at all in the window, counts as 1,
///         too: with 0 "none" would be above the average of months in which most did nothing.
void br_mean_levels(double *out, const uint8_t *codes, const uint8_t *eligible, uint32_t n_investors,
                    uint32_t n_fields);

/// Append a br_claim for every P-reason of the bond's explanations: a preference whose level is above the average. A buffer without
/// room has `failed` set. Memory: 8 bytes per P-reason.
void br_claims_append(br_buf *claims, const br_explained_bond *bond, uint32_t number, const double *mean_levels);

/// kappa = (agreement - chance) / (1 - chance)
typedef struct br_rationality {
    uint64_t n_claims;
    uint64_t n_rational;
    double agreement;         ///< n_rational / n_claims; NAN without claims
    double chance;            ///< pooled: that a claim of one P-reason is the value of another one's bond, same field
    double chance_stratified; ///< the same between P-reasons of one bond field, fields by their number of P-reasons
    double pooled;            ///< kappa with `chance`: the paper's rationality; NAN where chance is 1
    double stratified;        ///< kappa with `chance_stratified`
} br_rationality;

/// Cohen's kappa of n claims, but for those of the bond `without` (BR_ALL_BONDS: all of them).
///
/// Source: 5.3, A.2; Cohen 1960.
/// Choice: two raters label every P-reason with one (bond field, value): the explanation with the value that it speaks of, the bond with the
///         value that it has. Pooled, a category is a value of any bond field, the plain reading of "over all P-reasons [...] against
///         their corresponding bond features". Both raters are told the bond field, though, so that random reasons reach 0.16 on
///         a simulated market. Stratified, chance is agreement within each bond field: random reasons get 0.03 there (those who are
///         listed do prefer such bonds), and the mean of the fields' kappas with weights n_f (1 - chance_f) is the same number.
///         The other reading, a label "the bond has it" against a prediction "it was selected" over all fields that could have been,
///         gives random reasons 0 pooled as well, and depends on k: it is not the paper's.
/// Memory: 2 KiB per bond field while it runs. Errors: BR_ERR_NO_MEMORY.
br_status br_rationality_of(br_rationality *out, const br_claim *claims, size_t n, uint32_t without) BR_MUST_CHECK;

#endif
