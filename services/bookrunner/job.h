#ifndef BOOKRUNNER_JOB_H
#define BOOKRUNNER_JOB_H

/// The main job, step by step: what `run` has done so far and what came out.

#include "ask.h"
#include "oracle.h"
#include "stores.h"
#include "table.h"

typedef struct job {
    const arguments *args;
    char directory[BR_PATH_BYTES];
    char market[2 * BR_PATH_BYTES]; ///< folder
    bool simulated;
    bool rejected; ///< some rows were
    double import_s;
    double explain_s; ///< from the request to rank until nothing was to do
    double wall_s;
    uint64_t explanations;     ///< of the test bonds' lists
    uint64_t new_explanations; ///< of these, made by this run
    uint64_t dead;
    br_arena *arenas[3];
    br_report trained;
    br_report ranked;
    br_report evaluated;
    uint32_t n_bonds;
    uint32_t n_investors;
    uint32_t n_bids;
    uint32_t n_top; ///< length of a list
    bool has_oracle;
    oracle truth;
    char example[BR_MAX_ID_BYTES + 1]; ///< a bond of the test range with explanations
} job;

/// The steps, in order. Failures have been said on stderr.
exit_code job_find_market(job *j);
exit_code job_import(job *j);
exit_code job_train(job *j);
exit_code job_rank_and_explain(job *j);
exit_code job_evaluate(job *j);
exit_code job_measure_market(job *j);

/// The result as a record, under the names that --json has.
br_status job_result(const job *j, table *t) BR_MUST_CHECK;
void job_deinit(job *j);

#endif
