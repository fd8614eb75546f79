#include "metrics/redundancy.h"

void br_redundancy_add(br_redundancy *counts, const br_explained_bond *bond)
{
    for (uint32_t s = 0; s < bond->n_sets; s++) {
        const uint32_t *fields = bond->fields + (size_t)s * bond->n_reasons;
        uint32_t pairs = 0;
        for (uint32_t a = 0; a < bond->n_reasons; a++) {
            for (uint32_t b = a + 1; b < bond->n_reasons; b++) {
                pairs += bond->meanings[fields[a]].concept == bond->meanings[fields[b]].concept;
            }
        }
        counts->n_sets++;
        counts->n_redundant_sets += pairs > 0;
        counts->n_pairs += pairs;
    }
}
