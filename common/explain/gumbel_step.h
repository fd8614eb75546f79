#ifndef BR_EXPLAIN_GUMBEL_STEP_H
#define BR_EXPLAIN_GUMBEL_STEP_H

/// One step of gumbel.h, taken apart. Private to the module and its tests.

#include "explain/gumbel.h"
#include "model/adam.h"

/// T = max_batch, N = investor fields.
struct br_gumbel {
    const br_model *model;
    br_gumbel_options options;
    br_gates *gates;
    uint32_t n; ///< investor fields
    size_t max_batch;
    bool *held_shut; ///< [N]
    br_adam adam;
    float temperature;
    float *noise;      ///< [T, N] logistic
    float *gate_logit; ///< [T, N] what descends
    float *gate_prob;  ///< [T, N]
    float *gate;       ///< [T, N] a sample of them
    float *gradient;   ///< [T, N]
    float *logit;      ///< [T]
    float *block;      ///< the memory of all floats
};

/// noise of investors with `keys`[n] in a step.
void br_gumbel_draw(br_gumbel *gumbel, const uint32_t *keys, size_t n, uint32_t step);
/// gate_prob and gate, from gate_logit, noise and temperature; 0 where held shut.
void br_gumbel_open(br_gumbel *gumbel, size_t n);
/// gradient = d loss / d gate_logit where br_gumbel_open() left the gates; loss_out[n], NULL: not asked for.
void br_gumbel_slope(br_gumbel *gumbel, const uint8_t *codes, size_t n, double *loss_out);

#endif
