#ifndef BR_METRICS_REDUNDANCY_H
#define BR_METRICS_REDUNDANCY_H

/// Redundant reasons that need no topics to be seen: the same thing measured in two windows, both in one explanation.

#include "metrics/reasons.h"

/// Counts over any number of bonds; begin with zeros.
typedef struct br_redundancy {
    uint64_t n_sets;
    uint64_t n_redundant_sets; ///< with at least one redundant pair
    uint64_t n_pairs;          ///< pairs of reasons of one set with the same concept
} br_redundancy;

/// Source: 1, "Invest Frequency Last Year" and "Invest Frequency Last Month"; Figure 3's braces.
void br_redundancy_add(br_redundancy *counts, const br_explained_bond *bond);

#endif
