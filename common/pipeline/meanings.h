#ifndef BR_PIPELINE_MEANINGS_H
#define BR_PIPELINE_MEANINGS_H

/// What the investor fields of an encoder say, for the figures of explanations (metrics/reasons.h).

#include "market/encoder.h"
#include "metrics/reasons.h"

/// out[n_investor_fields]. The concept is the number of the first field that is the same but for its window. The causal bit counts the
/// bond features that have preferences in the order of the schema, as a simulated market's truth does; BR_MAX_CAUSAL for those
/// beyond and for what is no preference.
void br_field_meanings(br_field_meaning *out, const br_encoder *encoder);

#endif
