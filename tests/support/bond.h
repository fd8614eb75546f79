#ifndef BR_TESTS_SUPPORT_BOND_H
#define BR_TESTS_SUPPORT_BOND_H

/// A made-up bond with its population, record and encoder, ready to be explained.

#include "explain/explain.h"
#include "support/network.h"

typedef struct br_test_bond {
    br_model *model;
    br_collapsed *collapsed;
    br_encoder encoder;
    br_record record;
    br_population population;
    br_explain_bond bond;
    float *mean_bond;
    uint8_t *bond_codes;
    uint8_t *codes;
    uint8_t *eligible;
    float *logits;
} br_test_bond;

/// `n_preferences` of the investor fields, spread over all, are preferences; nine of ten investors are eligible.
void br_test_bond_init(br_test_bond *test, const br_test_shape *shape, uint32_t n_investors, uint32_t n_preferences);
void br_test_bond_deinit(br_test_bond *test);

#endif
