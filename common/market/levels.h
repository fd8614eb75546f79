#ifndef BR_MARKET_LEVELS_H
#define BR_MARKET_LEVELS_H

/// What the encoder and the builder share; nothing outside this module includes it.

#include "market/encoder.h"

#define BR_N_LEVELS 6 ///< codes of a derived field

/// Code of a declared feature's value. 0 for what training never saw.
uint8_t br_field_raw_code(const br_field *field, br_raw_value value, const br_index *strings);

/// Values of the derived fields, in their order: [n_fields - first derived]; NAN = nothing in the window.
void br_builder_derived(const br_builder *builder, uint32_t investor, float *values);

#endif
