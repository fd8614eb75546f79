// parameters, m, v and the gradient: [n_parameters]

#include "model/adam.h"

#include "model/tables.h"

#include <math.h>

#define BETA1   0.9
#define BETA2   0.999
#define EPSILON 1e-8

void br_adam_begin(br_adam *adam, double rate)
{
    adam->step++;
    double correction = sqrt(1.0 - pow(BETA2, (double)adam->step));
    adam->rate = (float)(rate * correction / (1.0 - pow(BETA1, (double)adam->step)));
    adam->epsilon = (float)EPSILON * (float)correction;
}

BR_WIDE static void update(float *restrict p, float *restrict m, float *restrict v, const float *restrict g, float rate,
                           float epsilon, float l2, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float gradient = g[i] + l2 * p[i];
        m[i] = (float)BETA1 * m[i] + (float)(1.0 - BETA1) * gradient;
        v[i] = (float)BETA2 * v[i] + (float)(1.0 - BETA2) * gradient * gradient;
        p[i] -= rate * m[i] / (sqrtf(v[i]) + epsilon);
    }
}

void br_adam_update(float *parameters, const br_adam *adam, const float *gradient, size_t from, size_t until, double l2)
{
    update(parameters + from, adam->m + from, adam->v + from, gradient + from, adam->rate, adam->epsilon, (float)l2,
           until - from);
}
