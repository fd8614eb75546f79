#ifndef BR_METRICS_REASONS_H
#define BR_METRICS_REASONS_H

/// What the figures of explanations look at: what each field of the investor says, and the explanations of one bond.

#include "base/status.h"

#define BR_NO_BOND_FIELD UINT32_MAX
#define BR_MAX_CAUSAL    16 ///< bond features with preferences that a truth can tell of

/// What a field of the investor says.
typedef struct br_field_meaning {
    uint32_t bond_field; ///< a preference: the bond field that it speaks of; BR_NO_BOND_FIELD: no preference
    uint8_t bond_code;   ///< a preference: the value that it speaks of, never 0 (missing)
    uint8_t causal_bit;  ///< a preference: its bond feature's bit of the truth, below BR_MAX_CAUSAL
    uint32_t concept;    ///< the same for fields that measure one thing in different windows
} br_field_meaning;

/// The explanations of one bond, and what they are judged by. All borrowed.
typedef struct br_explained_bond {
    const br_field_meaning *meanings; ///< [n_fields]
    const uint8_t *codes;             ///< [n_investors, n_fields] as of the bond's issue day
    const uint8_t *eligible;          ///< [n_investors] 0 or 1
    const uint8_t *bids;              ///< [n_investors] 0 or 1: bid on this bond
    const double *probabilities;      ///< [n_investors] of a bid, in truth; NULL: unknown
    const uint16_t
        *causal; ///< [n_investors] bit f: the bond's value of feature f counts for the investor; NULL: unknown
    const uint8_t *bond_codes; ///< [n_bond_fields] 0: missing
    uint32_t n_investors;
    uint32_t n_fields;         ///< of an investor
    uint32_t n_sets;           ///< explanations
    uint32_t n_reasons;        ///< k, of each
    const uint32_t *investors; ///< [n_sets] whom each explains; eligible
    const uint32_t *fields;    ///< [n_sets, n_reasons] selected, different ones in a set
} br_explained_bond;

/// The code that an investor has in a field.
static inline uint8_t br_explained_code(const br_explained_bond *bond, uint32_t investor, uint32_t field)
{
    br_assert(investor < bond->n_investors && field < bond->n_fields);
    return bond->codes[(size_t)investor * bond->n_fields + field];
}

#endif
