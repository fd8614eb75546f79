#include "model/evaluate.h"

#include "base/alloc.h"
#include "metrics/metrics.h"

#include <math.h>

/// Take k of the n samples with this label, each set of k with the same probability, in their order (Knuth's algorithm S).
static void take_some(br_evaluator *evaluator, bool label, size_t n, size_t k, br_rng *rng)
{
    const br_dataset *dataset = evaluator->dataset;
    for (size_t i = 0; i < dataset->n && k > 0; i++) {
        if ((dataset->label[i] != 0) != label) {
            continue;
        }
        if (k == n || br_rng_below(rng, (uint32_t)n) < k) {
            evaluator->sample[evaluator->n] = (uint32_t)i;
            evaluator->label[evaluator->n] = label;
            evaluator->n++;
            k--;
        }
        n--;
    }
}

br_status br_evaluator_new(br_evaluator **out, const br_dataset *dataset, size_t max_samples, uint64_t seed)
{
    if (dataset->n == 0 || dataset->n > UINT32_MAX) {
        return br_fail(BR_ERR_INVALID, "validation: %zu samples, not 1 to %u", dataset->n, UINT32_MAX);
    }
    BR_AUTO(br_evaluator) *evaluator = br_calloc(1, sizeof *evaluator);
    if (evaluator == NULL) {
        return br_no_memory("evaluator", 1);
    }
    size_t n_positive = 0;
    for (size_t i = 0; i < dataset->n; i++) {
        n_positive += dataset->label[i] != 0;
    }
    size_t n_negative = dataset->n - n_positive;
    size_t k_positive = n_positive < max_samples / 2 ? n_positive : max_samples / 2;
    size_t k_negative = n_negative < max_samples - k_positive ? n_negative : max_samples - k_positive;
    size_t room = k_positive + k_negative;
    evaluator->dataset = dataset;
    evaluator->sample = br_calloc(room, sizeof *evaluator->sample);
    evaluator->label = br_calloc(room, sizeof *evaluator->label);
    evaluator->logit = br_calloc(room, sizeof *evaluator->logit);
    if (evaluator->sample == NULL || evaluator->label == NULL || evaluator->logit == NULL) {
        return br_no_memory("validation samples", room);
    }
    br_rng rng = br_rng_at(seed, BR_STREAM_NEGATIVES, UINT32_MAX, 0);
    take_some(evaluator, true, n_positive, k_positive, &rng);
    take_some(evaluator, false, n_negative, k_negative, &rng);
    evaluator->negative_weight = 1.0 / dataset->negative_keep;
    if (k_positive > 0 && k_negative > 0) {
        double positives = (double)n_positive / (double)k_positive;
        evaluator->negative_weight *= (double)n_negative / (double)k_negative / positives;
    }
    *out = evaluator;
    evaluator = NULL;
    return BR_OK;
}

void br_evaluator_free(br_evaluator **evaluator)
{
    if (evaluator == NULL || *evaluator == NULL) {
        return;
    }
    br_free((*evaluator)->sample);
    br_free((*evaluator)->label);
    br_free((*evaluator)->logit);
    br_free(*evaluator);
    *evaluator = NULL;
}

typedef struct evaluation {
    const br_evaluator *evaluator;
    const br_model *model;
} evaluation;

static void load_samples(void *context, uint32_t worker, size_t from, size_t n, uint32_t *row, uint8_t *label,
                         float *weight)
{
    (void)worker;
    (void)label;
    (void)weight;
    const evaluation *it = context;
    const br_dataset *dataset = it->evaluator->dataset;
    for (size_t t = 0; t < n; t++) {
        size_t sample = it->evaluator->sample[from + t];
        br_embedding_rows(row + t * it->model->n_fields, it->model,
                          dataset->bond_codes + (size_t)dataset->bond_of[sample] * dataset->n_bond_fields,
                          dataset->investor_codes + (size_t)dataset->row_of[sample] * dataset->n_investor_fields, NULL);
    }
}

void br_evaluator_run(br_evaluator *evaluator, br_network *network)
{
    evaluation it = {evaluator, br_network_model(network)};
    br_network_logits(network, &(br_sample_source){&it, load_samples}, evaluator->n, evaluator->logit);
}

static double bond_weight(const br_evaluator *evaluator, size_t i)
{
    const br_dataset *dataset = evaluator->dataset;
    return dataset->bond_weights == NULL ? 1.0 : (double)dataset->bond_weights[dataset->bond_of[evaluator->sample[i]]];
}

double br_evaluator_log_loss(const br_evaluator *evaluator, const br_calibration *calibration)
{
    double loss = 0.0;
    double weights = 0.0;
    for (size_t i = 0; i < evaluator->n; i++) {
        double z = (double)evaluator->logit[i];
        if (calibration != NULL) {
            z = br_calibration_apply(calibration, z);
        }
        double weight = (evaluator->label[i] != 0 ? 1.0 : evaluator->negative_weight) * bond_weight(evaluator, i);
        double toward = evaluator->label[i] != 0 ? -z : z;
        loss += weight * ((toward > 0.0 ? toward : 0.0) + log1p(exp(-fabs(z))));
        weights += weight;
    }
    return loss / weights;
}

br_status br_evaluator_calibrate(const br_evaluator *evaluator, br_calibration_form form, br_calibration *out,
                                 bool *fitted_out)
{
    const br_dataset *dataset = evaluator->dataset;
    uint8_t *second = br_calloc(evaluator->n, 1);
    if (second == NULL) {
        return br_no_memory("validation samples", evaluator->n);
    }
    for (size_t i = 0; i < evaluator->n; i++) {
        second[i] = dataset->bond_of[evaluator->sample[i]] >= dataset->n_bonds / 2;
    }
    br_status status = br_calibrate(out, fitted_out, form, evaluator->logit, evaluator->label, second, evaluator->n,
                                    evaluator->negative_weight);
    br_free(second);
    return status;
}

br_status br_evaluator_auc(const br_evaluator *evaluator, double *out)
{
    return br_auc(out, evaluator->logit, evaluator->label, evaluator->n);
}
