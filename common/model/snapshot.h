#ifndef BR_MODEL_SNAPSHOT_H
#define BR_MODEL_SNAPSHOT_H

/// What one training leaves behind, whole and immutable: enough to rank and explain without the ledger's past.

#include "base/index.h"
#include "model/model.h"
#include "model/record.h"
#include "model/train.h"

#define BR_VERSION_TEXT 33 ///< a snapshot's version: 32 hexadecimal digits of the hash of its file, and NUL

typedef struct br_snapshot_facts {
    br_split split;               ///< what it was trained and validated on
    uint64_t ledger_head;         ///< records it has seen
    char parent[BR_VERSION_TEXT]; ///< the snapshot whose parameters training began with; "" = from scratch
    uint64_t seed;
    bool unmasked; ///< trained without masks: f with fields hidden means nothing, and what rests on it is refused
    uint64_t n_samples;
    uint32_t epochs;
    double valid_log_loss;
    double valid_auc;
    double valid_recall_at_50;
    char blas[64];
    char engine[32]; ///< version of the program that trained it
} br_snapshot_facts;

/// What explains a bond by an investor's past bids: the issuers' side of an iALS of investors and issuers (itembased/ials.h).
typedef struct br_issuer_table {
    br_index *ids; ///< numbers of the issuers
    uint32_t n_factors;
    double regularization;
    double confidence;
    float *factors; ///< [issuers, n_factors]
} br_issuer_table;

#define BR_MAX_TABLE_ISSUERS 65536

typedef struct br_snapshot {
    char *schema_yaml; ///< the market's schema as it was read
    size_t schema_bytes;
    br_encoder *encoder;
    br_model *model;
    br_calibration calibration;
    br_record *record;
    float *
        held; ///< [n_parameters] as they were before the validation range was learned, too: what gates compare and the next
              ///< daily training begins with; NULL: the model's, which never saw it
    float *mean_bond;         ///< [br_mean_bond_floats()] of the training bonds
    br_issuer_table *issuers; ///< NULL: an older program made it, the market has too few issuers, or nobody wanted one
    br_snapshot_facts facts;
} br_snapshot;

void br_issuer_table_free(br_issuer_table **table);
void br_snapshot_free(br_snapshot **snapshot);
/// Back to the parameters that have not seen the validation range: held becomes NULL.
void br_snapshot_go_back(br_snapshot *snapshot);
/// mean[br_mean_bond_floats()] = what an average of the dataset's bonds looks like to the model.
void br_snapshot_mean_bond(float *mean, const br_model *model, const br_dataset *dataset);
/// Probability a person sees for a raw logit; in (0, 1). Answer path.
double br_snapshot_probability(const br_snapshot *snapshot, double logit);

#endif
