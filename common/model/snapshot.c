#include "model/snapshot.h"

#include "base/alloc.h"
#include "linalg/fixed.h"

#include <string.h>

void br_issuer_table_free(br_issuer_table **table)
{
    if (table == NULL || *table == NULL) {
        return;
    }
    br_index_free(&(*table)->ids);
    br_free((*table)->factors);
    br_free(*table);
    *table = NULL;
}

void br_snapshot_free(br_snapshot **snapshot)
{
    if (snapshot == NULL || *snapshot == NULL) {
        return;
    }
    br_free((*snapshot)->schema_yaml);
    br_encoder_free(&(*snapshot)->encoder);
    br_model_free(&(*snapshot)->model);
    br_record_free(&(*snapshot)->record);
    br_free((*snapshot)->held);
    br_free((*snapshot)->mean_bond);
    br_issuer_table_free(&(*snapshot)->issuers);
    br_free(*snapshot);
    *snapshot = NULL;
}

static double mean_linear(const br_model *model, const br_dataset *dataset)
{
    double sum = 0.0;
    for (size_t at = 0; at < (size_t)dataset->n_bonds * model->n_bond_fields; at++) {
        sum += (double)model->linear[model->row_of[at % model->n_bond_fields] + dataset->bond_codes[at]];
    }
    return sum / dataset->n_bonds;
}

void br_snapshot_go_back(br_snapshot *snapshot)
{
    if (snapshot->held != NULL) {
        memcpy(snapshot->model->parameters, snapshot->held, snapshot->model->n_parameters * sizeof *snapshot->held);
        br_free(snapshot->held);
        snapshot->held = NULL;
    }
}

void br_snapshot_mean_bond(float *mean, const br_model *model, const br_dataset *dataset)
{
    br_assert(dataset->n_bond_fields == model->n_bond_fields && dataset->n_bonds > 0);
    size_t d = model->config.d;
    for (uint32_t j = 0; j < model->n_bond_fields; j++) {
        for (size_t i = 0; i < d; i++) {
            double sum = 0.0;
            for (uint32_t bond = 0; bond < dataset->n_bonds; bond++) {
                size_t row = model->row_of[j] + dataset->bond_codes[(size_t)bond * model->n_bond_fields + j];
                sum += (double)model->embedding[row * d + i];
            }
            mean[j * d + i] = (float)(sum / dataset->n_bonds);
        }
    }
    if (model->linear != NULL) {
        mean[model->n_bond_fields * d] = (float)mean_linear(model, dataset);
    }
}

double br_snapshot_probability(const br_snapshot *snapshot, double logit)
{
    return br_fixed_sigmoid(br_calibration_apply(&snapshot->calibration, logit));
}
