#ifndef BR_STORE_RECOMMENDATIONS_H
#define BR_STORE_RECOMMENDATIONS_H

/// Lists, the explanations still to do, the explanations done. Writer: the ranker. The store is the queue: a list and its to-do entry are
/// written in one transaction; a result is written and its to-do entry deleted in one transaction.
///
/// A handle that is open for reading may be shared by several threads, a writer's is used by one at a time.

#include "codec/stored.h"
#include "store/ledger.h"

typedef struct br_recommendations br_recommendations;

br_status br_recommendations_open_writer(br_recommendations **out, const char *directory) BR_MUST_CHECK;
br_status br_recommendations_open_reader(br_recommendations **out, const char *directory) BR_MUST_CHECK;
void br_recommendations_free(br_recommendations **store);

/// Store population codes [n, n_investor_fields] under their hash (br_hash_of() the n * n_investor_fields bytes), once, as part of the
/// open transaction or one of its own.
br_status br_recommendations_put_population(br_recommendations *store, const uint8_t *codes, uint32_t n,
                                            uint32_t n_investor_fields, br_hash *hash_out) BR_MUST_CHECK;
/// codes_out: allocated, owned by the caller (br_free). Errors: BR_ERR_NOT_FOUND.
br_status br_recommendations_get_population(br_recommendations *store, const br_hash *hash, uint8_t **codes_out,
                                            br_population_info *info_out) BR_MUST_CHECK;

/// Several changes in one synced transaction. Whatever fails inside rolls it back as a whole; reads inside see its changes.
br_status br_recommendations_begin(br_recommendations *store) BR_MUST_CHECK;
br_status br_recommendations_commit(br_recommendations *store) BR_MUST_CHECK;
void br_recommendations_abort(br_recommendations *store);

/// Inside begin/commit: store a list and, unless it has no job (NULL) or the job was asked for before, its to-do entry (the packed
/// job body). A list equal to the last one of its bond and as-of day (of the backtests, if it is one, else of the others), but for the
/// ledger head it saw, changes nothing.
br_status br_recommendations_put_list(br_recommendations *store, const br_list *list, const br_job_body *job,
                                      bool *todo_out) BR_MUST_CHECK; ///< *todo_out: a to-do entry was made
/// Inside begin/commit: store a result once and delete its to-do entry. *first_out: false when the result was there already or the job
/// is not in the to-do list (nothing changes then).
br_status br_recommendations_put_result(br_recommendations *store, const br_result *result,
                                        bool *first_out) BR_MUST_CHECK;
/// Inside begin/commit: move a to-do entry to the dead letters. Nothing changes if it is not in the to-do list.
br_status br_recommendations_put_dead(br_recommendations *store, const br_dead_job *dead) BR_MUST_CHECK;
/// Inside begin/commit: a dead letter becomes the last thing to do, with no attempt made. *again_out: false when the job is not dead (nothing changes
/// then).
br_status br_recommendations_put_again(br_recommendations *store, const br_hash *job, bool *again_out) BR_MUST_CHECK;
/// Inside begin/commit: set the attempt count of a to-do entry (kept from the second attempt on). Nothing changes if it is not in the
/// to-do list.
br_status br_recommendations_put_attempt(br_recommendations *store, const br_hash *job, uint32_t attempt) BR_MUST_CHECK;

/// Jobs to do, in order of arrival: the next at most `max` ids and the attempts made, after *after_io (0 = from the start), which moves on.
br_status br_recommendations_todo(br_recommendations *store, uint64_t *after_io, br_hash *jobs_out,
                                  uint32_t *attempts_out, uint32_t max, uint32_t *n_out) BR_MUST_CHECK;
/// Is this job still to do?
br_status br_recommendations_is_todo(br_recommendations *store, const br_hash *job, bool *out) BR_MUST_CHECK;
br_status br_recommendations_counts(br_recommendations *store, uint64_t *lists_out, uint64_t *todo_out,
                                    uint64_t *results_out, uint64_t *dead_out) BR_MUST_CHECK;
/// The body of a job, whether to do, done or dead, in the arena. Errors: BR_ERR_NOT_FOUND.
br_status br_recommendations_job(br_recommendations *store, br_arena *arena, const br_hash *job,
                                 br_job_body *out) BR_MUST_CHECK;
/// The result of a job. Errors: BR_ERR_NOT_FOUND while it is still to do.
br_status br_recommendations_result(br_recommendations *store, br_arena *arena, const br_hash *job,
                                    br_result *out) BR_MUST_CHECK;

/// What has become of a list's explanation.
typedef enum br_job_state { BR_JOB_NONE, BR_JOB_TODO, BR_JOB_DONE, BR_JOB_DEAD } br_job_state;
typedef struct br_outcome {
    br_job_state state;
    br_result result; ///< meaningful if done
    br_dead_job dead; ///< meaningful if dead
} br_outcome;
br_status br_recommendations_outcome(br_recommendations *store, br_arena *arena, const br_list *list,
                                     br_outcome *out) BR_MUST_CHECK;
/// Every dead letter, in order of job id. It lives during the call.
typedef br_status (*br_dead_visitor)(void *context, const br_dead_job *dead);
br_status br_recommendations_visit_dead(br_recommendations *store, br_dead_visitor visitor,
                                        void *context) BR_MUST_CHECK;

/// The last list of a bond with as_of <= `as_of` (BR_DAY_MAX: the newest). Errors: BR_ERR_NOT_FOUND.
br_status br_recommendations_list(br_recommendations *store, br_arena *arena, const char *bond_id, br_day as_of,
                                  br_list *out) BR_MUST_CHECK;
/// The same among the lists that are no backtests: the one that the desk had before it on that day.
br_status br_recommendations_live_list(br_recommendations *store, br_arena *arena, const char *bond_id, br_day as_of,
                                       br_list *out) BR_MUST_CHECK;
/// The list that people are shown: the newest that is no backtest; where there is none, the newest backtest.
br_status br_recommendations_shown_list(br_recommendations *store, br_arena *arena, const char *bond_id,
                                        br_list *out) BR_MUST_CHECK;
/// Each bond's newest list in order of bond id. The list lives during the call.
typedef br_status (*br_list_visitor)(void *context, const br_list *list);
br_status br_recommendations_visit(br_recommendations *store, br_list_visitor visitor, void *context) BR_MUST_CHECK;
/// All lists, also those that a newer one of their bond has followed, in order of bond id and as-of day.
br_status br_recommendations_visit_all(br_recommendations *store, br_list_visitor visitor, void *context) BR_MUST_CHECK;

/// A consumer's offset (records of the ledger it has acted on), kept in the same transaction as its effect.
br_status br_recommendations_put_offset(br_recommendations *store, uint64_t offset) BR_MUST_CHECK;
br_status br_recommendations_offset(br_recommendations *store, uint64_t *offset_out) BR_MUST_CHECK;
/// Inside begin/commit: the first record of the ledger whose lists could not be made for want of a snapshot; 0 once they are made.
br_status br_recommendations_put_owed(br_recommendations *store, uint64_t record) BR_MUST_CHECK;
br_status br_recommendations_owed(br_recommendations *store, uint64_t *record_out) BR_MUST_CHECK;
br_status br_recommendations_facts(br_recommendations *store, br_store_facts *out) BR_MUST_CHECK;

#endif
