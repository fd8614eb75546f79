// parameters, m, v and the gradient: [n_parameters]

#include "model/adam.h"

#include "model/tables.h"

#include <math.h>

#define BETA1   0.9
#define BETA2   0.999
#define EPSILON 1e-8f

typedef struct step_constants {
    float rate;    // with the bias correction of both means
    float epsilon; // likewise
    float l2;
} step_constants;

BR_WIDE static void update(float *restrict p, float *restrict m, float *restrict v, const float *restrict g,
                           const step_constants *constants, size_t n)
{
    const float rate = constants->rate;
    const float epsilon = constants->epsilon;
    const float l2 = constants->l2;
    for (size_t i = 0; i < n; i++) {
        float gradient = g[i] + l2 * p[i];
        m[i] = (float)BETA1 * m[i] + (float)(1.0 - BETA1) * gradient;
        v[i] = (float)BETA2 * v[i] + (float)(1.0 - BETA2) * gradient * gradient;
        p[i] -= rate * m[i] / (sqrtf(v[i]) + epsilon);
    }
}

void br_adam_step(float *parameters, const br_adam *adam, const float *gradient, size_t from, size_t until, double rate,
                  double l2)
{
    double correction = sqrt(1.0 - pow(BETA2, (double)adam->step));
    step_constants constants = {
        .rate = (float)(rate * correction / (1.0 - pow(BETA1, (double)adam->step))),
        .epsilon = EPSILON * (float)correction,
        .l2 = (float)l2,
    };
    update(parameters + from, adam->m + from, adam->v + from, gradient + from, &constants, until - from);
}
