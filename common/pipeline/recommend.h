#ifndef BR_PIPELINE_RECOMMEND_H
#define BR_PIPELINE_RECOMMEND_H

/// From a bond to its list and the job that explains it; from a job to its result. The ranker, the explainers and replay share this,
/// which is why a stored recommendation can be made again byte for byte.

#include "pipeline/population.h"
#include "store/recommendations.h"

typedef struct br_recommend_options {
    uint32_t n_top;
    uint32_t n_reasons;
    br_objective objective;
    bool certify;
    const uint32_t *banned; ///< [n_banned] see br_explain_options; borrowed by the job
    uint32_t n_banned;
    const uint32_t *apart; ///< [n_apart, 2]
    uint32_t n_apart;
    uint32_t max_evaluations;
    const br_hash *after; ///< the job before (pipeline/earlier.h), or NULL; a backtest has none
    bool explain;         ///< make a job
    uint64_t ledger_head; ///< what the market has seen
} br_recommend_options;

typedef struct br_recommendation {
    br_list list;
    br_job_body job; ///< meaningful if list.has_job
} br_recommendation;

/// The list of `bond` as of the population's day; a backtest unless the market's last closed day is the one before. What the result points to lives in `arena`, in `market` and in `served`.
/// Errors: BR_ERR_NO_MEMORY, BR_ERR_LIMIT (arena).
br_status br_recommend(br_recommendation *out, br_arena *arena, br_market *market, br_day_population *population,
                       const br_served *served, uint32_t bond, const br_recommend_options *options) BR_MUST_CHECK;

/// What explains the job's bond; `codes` is its population block [n, n_investor_fields]. All arguments are borrowed. Errors: BR_ERR_INVALID (the
/// job cannot be done: values out of range, another snapshot or engine), BR_ERR_NO_MEMORY.
br_status br_job_context(br_explain_context **out, const br_served *served, const br_job_body *body,
                         const uint8_t *codes, uint32_t n_investor_fields) BR_MUST_CHECK;

/// Asked before each investor: false ends the work.
typedef bool (*br_job_watcher)(void *context);

/// Work a job; watcher may be NULL. A job that cannot be done (see br_job_context(); a warm start that is no set) gives a result with
/// `failure`; a status other than BR_OK means this process failed, or BR_ERR_CANCELLED by the watcher.
br_status br_job_work(br_result *out, br_arena *arena, const br_served *served, const br_job *job, const uint8_t *codes,
                      uint32_t n_investor_fields, br_job_watcher watcher, void *context) BR_MUST_CHECK;

#endif
