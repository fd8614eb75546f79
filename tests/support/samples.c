#include "support/samples.h"

#include "base/alloc.h"

br_dataset *br_samples_new(const br_dataset *shape)
{
    br_dataset *it = br_calloc(1, sizeof *it);
    br_assert(it != NULL);
    *it = (br_dataset){
        .n_bond_fields = shape->n_bond_fields,
        .n_investor_fields = shape->n_investor_fields,
        .n_bonds = shape->n_bonds,
        .n_rows = shape->n_rows,
        .n = shape->n,
        .n_pairs = shape->n,
        .negative_keep = 1.0,
    };
    it->bonds = br_calloc(it->n_bonds, sizeof *it->bonds);
    it->bond_codes = br_calloc(it->n_bonds, it->n_bond_fields);
    it->investor_codes = br_calloc(it->n_rows, it->n_investor_fields);
    it->bond_of = br_calloc(it->n, sizeof *it->bond_of);
    it->row_of = br_calloc(it->n, sizeof *it->row_of);
    it->investor_of = br_calloc(it->n, sizeof *it->investor_of);
    it->label = br_calloc(it->n, 1);
    br_assert(it->bonds != NULL && it->bond_codes != NULL && it->investor_codes != NULL && it->bond_of != NULL &&
              it->row_of != NULL && it->investor_of != NULL && it->label != NULL);
    return it;
}

void br_samples_free(br_dataset **dataset)
{
    br_dataset *it = *dataset;
    if (it == NULL) {
        return;
    }
    br_free(it->bonds);
    br_free(it->bond_codes);
    br_free(it->investor_codes);
    br_free(it->bond_of);
    br_free(it->row_of);
    br_free(it->investor_of);
    br_free(it->label);
    br_free(it);
    *dataset = NULL;
}
