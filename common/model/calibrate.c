// logit [n], label [n] -> slope and offset of probability = sigmoid(slope * logit + offset), or a rising line
//
// Source: Platt 1999; Newton's method with halved steps as in Lin, Lin and Weng 2007.
// Choice: the labels as they are: with thousands of positives Platt's smoothed targets change nothing.

#include "base/alloc.h"
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

bool br_calibrate_platt(br_calibration *out, const float *logit, const uint8_t *label, size_t n, double negative_weight)
{
    br_calibration at = BR_CALIBRATION_NONE;
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
            to.slope = at.slope - size * slope;
            to.offset = at.offset - size * offset;
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

double br_calibration_apply(const br_calibration *calibration, double logit)
{
    return calibration->line.n_knots > 0 ? br_isotonic_apply(&calibration->line, logit)
                                         : calibration->slope * logit + calibration->offset;
}

// What the fits of one calibration work with: the samples, those of one half first.
typedef struct samples {
    float *logit;
    uint8_t *label;
    double *weight;
    size_t n;
    size_t n_first;
} samples;

static void samples_deinit(samples *it)
{
    br_free(it->logit);
    br_free(it->label);
    br_free(it->weight);
}

static br_status samples_init(samples *it, const float *logit, const uint8_t *label, const uint8_t *second, size_t n,
                              double negative_weight)
{
    it->logit = br_calloc(n, sizeof *it->logit);
    it->label = br_calloc(n, sizeof *it->label);
    it->weight = br_calloc(n, sizeof *it->weight);
    if (it->logit == NULL || it->label == NULL || it->weight == NULL) {
        return br_no_memory("samples to calibrate by", n);
    }
    for (uint8_t half = 0; half < 2; half++) {
        for (size_t i = 0; i < n; i++) {
            if (second[i] == half) {
                it->logit[it->n] = logit[i];
                it->label[it->n] = label[i];
                it->weight[it->n] = label[i] != 0 ? 1.0 : negative_weight;
                it->n++;
            }
        }
        it->n_first = half == 0 ? it->n : it->n_first;
    }
    return BR_OK;
}

// Fit on the first `n`; *fitted_out: is there a fit?
static br_status fit_form(br_calibration *out, bool *fitted_out, br_calibration_form form, const samples *it, size_t n,
                          double negative_weight)
{
    *out = BR_CALIBRATION_NONE;
    if (form == BR_CALIBRATION_PLATT) {
        *fitted_out = br_calibrate_platt(out, it->logit, it->label, n, negative_weight);
        return BR_OK;
    }
    br_status status = br_isotonic_fit(&out->line, it->logit, it->label, it->weight, n);
    *fitted_out = status == BR_OK;
    return status == BR_ERR_INVALID ? BR_OK : status;
}

// Which form has the lower loss on the second half when fitted on the first; Platt's when that cannot be said.
static br_status choose_form(br_calibration_form *out, const samples *it, double negative_weight)
{
    static const br_calibration_form forms[] = {BR_CALIBRATION_PLATT, BR_CALIBRATION_ISOTONIC};
    double loss[2] = {0.0, 0.0};
    bool all_fitted = it->n_first > 0 && it->n_first < it->n;
    for (int k = 0; k < 2 && all_fitted; k++) {
        br_calibration trial;
        br_status status = fit_form(&trial, &all_fitted, forms[k], it, it->n_first, negative_weight);
        if (status != BR_OK) {
            return status;
        }
        for (size_t i = it->n_first; i < it->n; i++) {
            double z = br_calibration_apply(&trial, (double)it->logit[i]);
            double toward = it->label[i] != 0 ? -z : z;
            loss[k] += it->weight[i] * ((toward > 0.0 ? toward : 0.0) + log1p(exp(-fabs(z))));
        }
    }
    *out = all_fitted && loss[1] < loss[0] ? BR_CALIBRATION_ISOTONIC : BR_CALIBRATION_PLATT;
    return BR_OK;
}

br_status br_calibrate(br_calibration *out, bool *fitted_out, br_calibration_form form, const float *logit,
                       const uint8_t *label, const uint8_t *second, size_t n, double negative_weight)
{
    BR_AUTO_DEINIT(samples) it = {0};
    br_status status = samples_init(&it, logit, label, second, n, negative_weight);
    if (status == BR_OK && form == BR_CALIBRATION_AUTO) {
        status = choose_form(&form, &it, negative_weight);
    }
    return status == BR_OK ? fit_form(out, fitted_out, form, &it, it.n, negative_weight) : status;
}
