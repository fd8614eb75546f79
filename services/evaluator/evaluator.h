#ifndef BR_EVALUATOR_H
#define BR_EVALUATOR_H

/// The evaluator: holds the lists, as they stood before the issue, against the bids that came; daily by itself when a day is closed, on
/// request for a test range or for named bonds, where it also scores all pairs.

#include "codec/control.h"
#include "pipeline/assess.h"
#include "pipeline/drift.h"
#include "pipeline/explained.h"
#include "pipeline/follow.h"
#include "pipeline/judged.h"
#include "service/task.h"
#include "store/quality.h"
#include "store/recommendations.h"

enum { LIST_FIGURES = 4 }; ///< Recall and Precision, each also of ranking by activity

/// What an evaluation reads and where it writes.
typedef struct evaluation {
    const br_config *config;
    br_ledger *ledger;
    br_recommendations *lists;
    br_quality *quality; ///< borrowed: the process has one
    br_follower *follower;
    br_arena *arena;
    char models[BR_PATH_BYTES];
    float *activity;   ///< [n_investors]
    uint8_t *eligible; ///< [n_investors]
    uint8_t *bid;      ///< [n_investors]
    uint32_t *top;     ///< [n_top]
    uint8_t *listed;   ///< [BR_MAX_JOB_INVESTORS] did the entry's investor bid?
    uint32_t n_investors;
} evaluation;

/// Sums over the bonds of a request.
typedef struct evaluation_sums {
    bool
        of_newest; ///< of each bond's newest list, even if it is a backtest; else of the one that stood before the issue
    uint32_t n_backtests; ///< lists of those that were
    uint32_t n_bonds;     ///< with a list and eligible bidders
    uint32_t n_skipped;   ///< without bidders
    uint32_t n_unranked;  ///< without a list
    uint64_t n_bidders, n_outside;
    double recall, precision, recall_activity, precision_activity;
    br_explained_pairs explained;  ///< of lists whose books are closed
    char version[BR_VERSION_TEXT]; ///< the snapshot whose calibration that is; "" = none yet
    br_calibration calibration;
} evaluation_sums;

br_status evaluation_open(evaluation *self, const br_config *config, br_quality *quality) BR_MUST_CHECK;
void evaluation_close(evaluation *self);
/// Make room for the market's investors; call after the follower moved.
br_status evaluation_fit(evaluation *self) BR_MUST_CHECK;
/// One bond's list against its bids, added to `sums` (may be NULL). Written into the open transaction of `quality`: the figures of the list that
/// stood before the issue, always; and, apart from them, those of its newest list, if `sums` are of these and it is a backtest.
br_status evaluate_bond(evaluation *self, uint32_t bond, evaluation_sums *sums) BR_MUST_CHECK;

/// A request, worked on the task's thread with readers of its own; the loop leaves `quality` alone meanwhile.
typedef struct evaluation_request {
    evaluation evaluation;
    br_task *task;
    const char *models;
    br_evaluate_request wanted;
    br_arena *arena; ///< of `wanted`
    bool has_assessment;
    br_assessment assessment;
    char version[BR_VERSION_TEXT];
    br_served *served; ///< of that version, in a test range
    br_judged judged;  ///< of its explanations; n_sets = 0: none to judge
    br_drift drift;    ///< no fields: not known
    char trained_until[BR_DAY_TEXT];
    evaluation_sums sums;
    double explained_error;                     ///< NAN without explained lists of closed books
    char names[LIST_FIGURES][BR_NAME_AT_BYTES]; ///< of the figures in the report
    br_status status;
    char reason[512];
} evaluation_request;

void evaluation_request_run(void *request);
/// Also of a request that was never begun.
void evaluation_request_deinit(evaluation_request *request);

// --- judge.c ---

/// Fill `judged` and `drift` of a request whose snapshot is loaded: from the bonds' newest lists of the range, and from the training range and what
/// came after it. Errors: those of the stores, BR_ERR_CANCELLED, BR_ERR_NO_MEMORY.
br_status judge_range(evaluation_request *request, br_market *market, br_day from, br_day until) BR_MUST_CHECK;

#endif
