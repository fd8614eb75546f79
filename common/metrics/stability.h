#ifndef BR_METRICS_STABILITY_H
#define BR_METRICS_STABILITY_H

/// Do two models, or two days, give the same reasons?

#include "base/status.h"

/// Mean Jaccard index of the sets at the same place of two lists: |both| / |either|, in [0, 1]; NAN without sets.
///
///   left   in  [n_sets, n_reasons]  the fields of each set, all different, in any order
///   right  in  [n_sets, n_reasons]  of the same bond and investor
double br_stability(const uint32_t *left, const uint32_t *right, size_t n_sets, uint32_t n_reasons);

#endif
