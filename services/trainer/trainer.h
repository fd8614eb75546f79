#ifndef BR_TRAINER_H
#define BR_TRAINER_H

/// The trainer: learns a snapshot from the ledger, lets it through the gate or not, serves it, rolls back. Training runs in a thread of its
/// own, so that the process answers meanwhile; one training at a time.

#include "codec/control.h"
#include "pipeline/assess.h"
#include "pipeline/follow.h"
#include "pipeline/served.h"
#include "service/task.h"

#define BR_REASON_BYTES 512

typedef struct training_result {
    br_status status;
    char reason[BR_REASON_BYTES]; ///< why it failed, or why the gate refused
    bool published;
    char start[BR_REASON_BYTES]; ///< what training began with, and for a daily one from scratch why
    char version[BR_VERSION_TEXT];
    br_train_report report;
    br_assessment valid;
    uint64_t n_samples, n_positive;
    uint32_t n_new_values; ///< that the parent took for missing
    uint32_t n_bonds, n_investors, n_bids;
    double seconds;
    double issuers_seconds; ///< what past bids say of issuers
} training_result;

/// One training: filled in by the loop, worked by the task's thread, read by the loop after it has ended.
typedef struct training {
    const br_config *config;
    br_ledger *ledger;
    br_snapshots *snapshots;
    const char *models;
    br_train_request wanted;
    br_task *task;    ///< told how far it is
    int64_t began_ns; ///< the learning proper
    training_result result;
} training;

/// The whole of it, on the calling thread; the outcome is in training->result.
void training_run(training *self);

#endif
