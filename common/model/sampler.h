#ifndef BR_MODEL_SAMPLER_H
#define BR_MODEL_SAMPLER_H

/// Which samples an epoch sees, and in what order. Private to the module.

#include "market/dataset.h"

typedef struct br_sampler {
    uint32_t *positives; ///< [n_positives]
    uint32_t *negatives; ///< [n_negatives] their order is a state: each epoch shuffles on
    uint32_t *order;     ///< [n_order] this epoch's samples
    size_t n_positives;
    size_t n_negatives;
    size_t n_order;
    double negative_keep; ///< probability that a pair without a bid is in an epoch, thinning by the dataset included
} br_sampler;

/// Errors: BR_ERR_INVALID without both labels; BR_ERR_NO_MEMORY.
br_status br_sampler_new(br_sampler **out, const br_dataset *dataset, double negatives_per_positive) BR_MUST_CHECK;
/// Fill `order`: all positives and this epoch's negatives. Epochs must be asked for in order.
void br_sampler_epoch(br_sampler *sampler, uint64_t seed, uint32_t epoch);
void br_sampler_free(br_sampler **sampler);

#endif
