#ifndef BR_TESTS_SUPPORT_NETWORK_H
#define BR_TESTS_SUPPORT_NETWORK_H

/// Made-up networks and codes for the tests of the answer path. Memory that cannot be had ends the process.

#include "model/model.h"

typedef struct br_test_shape {
    br_model_config config;
    uint32_t n_bond_fields;
    uint32_t n_investor_fields;
    uint32_t max_values; ///< fields have 2 to max_values codes
    uint64_t seed;
} br_test_shape;

/// A network with random parameters, larger than at the start of training, so that every part of it matters: logits vary
/// by about one.
br_model *br_test_network(const br_test_shape *shape);
/// Random codes [n, n_fields of one kind] for the model's bond or investor fields; small codes are frequent.
void br_test_bond_codes(const br_model *model, uint64_t seed, size_t n, uint8_t *codes);
void br_test_investor_codes(const br_model *model, uint64_t seed, size_t n, uint8_t *codes);

/// Shapes that are used in production: 32 bond and 259 investor fields.
br_test_shape br_test_shape_compact(void);
br_test_shape br_test_shape_main(void);

#endif
