#include "metrics/true_share.h"

#include <math.h>

void br_true_share_add(br_true_share *counts, const br_explained_bond *bond, const double *mean_levels)
{
    br_assert(bond->causal != NULL);
    for (size_t i = 0; i < (size_t)bond->n_sets * bond->n_reasons; i++) {
        uint32_t investor = bond->investors[i / bond->n_reasons];
        uint32_t field = bond->fields[i];
        const br_field_meaning *meaning = &bond->meanings[field];
        if (meaning->bond_field == BR_NO_BOND_FIELD) {
            continue;
        }
        br_assert(meaning->causal_bit < BR_MAX_CAUSAL);
        bool above = br_explained_code(bond, investor, field) > mean_levels[field];
        bool rational = above && bond->bond_codes[meaning->bond_field] == meaning->bond_code;
        counts->n_preferences++;
        counts->n_above += above;
        counts->n_rational += rational;
        counts->n_true += rational && (bond->causal[investor] >> meaning->causal_bit & 1) != 0;
    }
}

double br_true_share_of(const br_true_share *counts)
{
    return counts->n_above > 0 ? (double)counts->n_true / (double)counts->n_above : (double)NAN;
}
