#ifndef BR_MODEL_ADAM_H
#define BR_MODEL_ADAM_H

/// Adam, for parameters and for whatever else is found by descent.
///
/// Source: Kingma and Ba 2015, Algorithm 1; beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8.

#include "base/status.h"

typedef struct br_adam {
    float *m;      ///< [n_parameters] mean of the gradient
    float *v;      ///< [n_parameters] mean of its square
    uint64_t step; ///< steps done, the one under way included
    // Of the step under way, with the bias correction of both means.
    float rate;
    float epsilon;
} br_adam;

/// Begin a step.
void br_adam_begin(br_adam *adam, double rate);
/// The step on parameters [from, until) by their gradient plus l2 times the parameter.
void br_adam_update(float *parameters, const br_adam *adam, const float *gradient, size_t from, size_t until,
                    double l2);

#endif
