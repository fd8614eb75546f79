#ifndef BR_TESTS_ATTRIBUTION_FIXTURE_H
#define BR_TESTS_ATTRIBUTION_FIXTURE_H

/// A made-up model with a bond, investors and a background, and exact values of sets of fields.

#include "attribution/attribution.h"
#include "support/network.h"

enum { MAX_FIELDS = 32, N_INVESTORS = 6, MAX_BACKGROUND = 1024 };

typedef struct fixture {
    br_model *model;
    uint32_t n;
    uint8_t bond[MAX_FIELDS];
    uint8_t codes[N_INVESTORS * MAX_FIELDS]; ///< [N_INVESTORS, n]
    uint32_t keys[N_INVESTORS];
    uint8_t background_bonds[MAX_BACKGROUND * MAX_FIELDS];
    uint8_t background_codes[MAX_BACKGROUND * MAX_FIELDS];
    br_attribution_background background;
} fixture;

/// Four pairs of the background share a bond.
void fixture_init(fixture *f, const br_test_shape *shape, uint32_t n_background);
void fixture_deinit(fixture *f);
/// A model without a tower, bond fields and biases, of the linear weights alone: logit = sum_j linear[j, code_j].
void fixture_make_additive(fixture *f);
/// The linear weight of a value of investor field j.
float *fixture_linear(fixture *f, uint32_t j, uint32_t code);

/// An attribution with the fixture's bond; must succeed.
br_attribution *fixture_attribution(fixture *f, const br_attribution_options *options);
const uint8_t *fixture_codes(const fixture *f, uint32_t investor);
/// The output that is attributed at these codes, from the plain network.
double fixture_output(const fixture *f, br_attributed output, const uint8_t *bond, const uint8_t *codes,
                      const uint8_t *masked);
/// Value of a set of an investor's fields, bit j = field j: the others masked, or, on average, as all of the background has them.
double fixture_value(const fixture *f, br_attributed output, bool masked, uint32_t investor, unsigned set);
/// x[n] = A^-1 b by elimination with pivots; A [n, n] and b are overwritten.
void solve_plain(double *a, double *b, size_t n, double *x);

#endif
