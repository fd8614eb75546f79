// log loss of labels [n] under logits [n]: log(1 + exp(z)) - y z, in nats
//
// Source:  Eq. (3), (4).
// Differs: positive, where the paper's Eq. (4) has lost its minus.

#include "model/layers.h"

#include <math.h>

double br_loss(float *dlogit, const float *logit, const uint8_t *label, const float *weight, size_t n, double offset)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        double z = (double)logit[i] + offset;
        double e = exp(-fabs(z));
        double sigmoid = z >= 0.0 ? 1.0 / (1.0 + e) : e / (1.0 + e);
        double positive_part = z > 0.0 ? z : 0.0;
        double scale = (double)weight[i];
        sum += scale * (positive_part + log1p(e) - (label[i] != 0 ? z : 0.0));
        if (dlogit != NULL) {
            dlogit[i] = (float)(scale * (sigmoid - (label[i] != 0 ? 1.0 : 0.0)));
        }
    }
    return sum;
}
