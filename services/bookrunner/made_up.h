#ifndef BOOKRUNNER_MADE_UP_H
#define BOOKRUNNER_MADE_UP_H

/// Data for measuring speed, of the shape of the paper's market: 32 bond fields and 259 investor fields of eight values. The codes are
/// random; the figures of a model that learns them mean nothing.

#include "market/dataset.h"
#include "model/model.h"

enum { MADE_UP_BOND_FIELDS = 32, MADE_UP_INVESTOR_FIELDS = 259 };

/// `n` samples, a fifth of them positive. Errors: BR_ERR_NO_MEMORY.
br_status made_up_samples(br_dataset **out, size_t n, uint32_t seed) BR_MUST_CHECK;
/// A model with first values for these fields. Errors: as br_model_new().
br_status made_up_model(br_model **out, const br_model_config *config) BR_MUST_CHECK;

#endif
