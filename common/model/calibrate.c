// logit [n], label [n] -> slope and offset of probability = sigmoid(slope * logit + offset)
//
// Source: Platt 1999; Newton's method with halved steps as in Lin, Lin and Weng 2007.
// Choice: the labels as they are: with thousands of positives Platt's smoothed targets change nothing.

#include "model/layers.h"

#include <math.h>

enum { MAX_STEPS = 50, MAX_HALVINGS = 30 };

typedef struct fit {
    double loss;
    double gradient[2]; // slope, offset
    double hessian[3];  // slope slope, slope offset, offset offset
} fit;

static fit evaluate(const br_calibration *at, const float *logit, const uint8_t *label, size_t n,
                    double negative_weight)
{
    fit sum = {0};
    for (size_t i = 0; i < n; i++) {
        double x = (double)logit[i];
        double z = at->slope * x + at->offset;
        double e = exp(-fabs(z));
        double p = z >= 0.0 ? 1.0 / (1.0 + e) : e / (1.0 + e);
        double weight = label[i] != 0 ? 1.0 : negative_weight;
        double error = weight * (p - (label[i] != 0 ? 1.0 : 0.0));
        double curve = weight * p * (1.0 - p);
        sum.loss += weight * ((z > 0.0 ? z : 0.0) + log1p(e) - (label[i] != 0 ? z : 0.0));
        sum.gradient[0] += error * x;
        sum.gradient[1] += error;
        sum.hessian[0] += curve * x * x;
        sum.hessian[1] += curve * x;
        sum.hessian[2] += curve;
    }
    return sum;
}

bool br_calibrate(br_calibration *out, const float *logit, const uint8_t *label, size_t n, double negative_weight)
{
    br_calibration at = {1.0, 0.0};
    *out = at;
    fit here = evaluate(&at, logit, label, n, negative_weight);
    for (int step = 0; step < MAX_STEPS; step++) {
        double ridge = 1e-12 * (here.hessian[0] + here.hessian[2]);
        double a = here.hessian[0] + ridge;
        double c = here.hessian[2] + ridge;
        double determinant = a * c - here.hessian[1] * here.hessian[1];
        if (!(determinant > 0.0)) {
            return false;
        }
        double slope = (c * here.gradient[0] - here.hessian[1] * here.gradient[1]) / determinant;
        double offset = (a * here.gradient[1] - here.hessian[1] * here.gradient[0]) / determinant;
        fit next = here;
        br_calibration to = at;
        double size = 1.0;
        int halving = 0;
        do {
            to = (br_calibration){at.slope - size * slope, at.offset - size * offset};
            next = evaluate(&to, logit, label, n, negative_weight);
            size /= 2.0;
        } while (!(next.loss <= here.loss) && ++halving < MAX_HALVINGS);
        bool settled = halving == MAX_HALVINGS || here.loss - next.loss <= 1e-12 * here.loss;
        if (halving < MAX_HALVINGS) {
            at = to;
            here = next;
        }
        if (settled) {
            break;
        }
    }
    if (!(at.slope > 0.0) || !isfinite(at.slope) || !isfinite(at.offset)) {
        return false;
    }
    *out = at;
    return true;
}
