#ifndef BR_TESTS_SUPPORT_SAMPLES_H
#define BR_TESTS_SUPPORT_SAMPLES_H

/// Datasets filled by hand, without a market behind them.

#include "market/dataset.h"

/// A dataset with room for the codes and samples given by `shape` (its field, bond, row and sample counts); all codes,
/// links and labels 0, negative_keep 1. Release with br_samples_free().
br_dataset *br_samples_new(const br_dataset *shape);
void br_samples_free(br_dataset **dataset);

#endif
