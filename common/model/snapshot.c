#include "model/snapshot.h"

#include "base/alloc.h"
#include "linalg/fixed.h"

void br_snapshot_free(br_snapshot **snapshot)
{
    if (snapshot == NULL || *snapshot == NULL) {
        return;
    }
    br_schema_free(&(*snapshot)->schema);
    br_encoder_free(&(*snapshot)->encoder);
    br_model_free(&(*snapshot)->model);
    br_record_free(&(*snapshot)->record);
    br_free((*snapshot)->mean_bond);
    br_free(*snapshot);
    *snapshot = NULL;
}

double br_snapshot_probability(const br_snapshot *snapshot, double logit)
{
    return br_fixed_sigmoid(snapshot->calibration.slope * logit + snapshot->calibration.offset);
}
