#ifndef BR_PIPELINE_EARLIER_H
#define BR_PIPELINE_EARLIER_H

/// The reasons that the investors of a list were given in the bond's list before: where a search begins, and what the new reasons are
/// compared with. A job names the one before it, so that what it begins with follows from the ledger and not from who was
/// quick; what that one selected is looked up once it is done, by the ranker for an explainer and by replay in the same way.
///
///     status = br_earlier_job(store, arena, bond_id, as_of, &after, &found);      // when the list is made
///     br_earlier_reader reader = {.store = store, .models = models};
///     status = br_earlier_read(&earlier, &reader, arena, &body, &body.after); // when its job is worked
///     status = br_earlier_start(&job.warm_start, arena, &earlier);

#include "store/recommendations.h"
#include "store/snapshots.h"

#define BR_FIELD_GONE (BR_NO_FIELD - 1) ///< a reason whose field the later snapshot does not have

enum { BR_EARLIER_ENCODERS = 2 }; ///< of the list and of the one before

typedef struct br_earlier_reader {
    br_recommendations *store; ///< borrowed
    const char *models;        ///< directory of the snapshots; borrowed
    br_encoder *encoders[BR_EARLIER_ENCODERS];
    char versions[BR_EARLIER_ENCODERS][BR_VERSION_TEXT];
    uint32_t next; ///< the one to give up for another
} br_earlier_reader;

void br_earlier_reader_deinit(br_earlier_reader *reader);

/// What there was before.
typedef struct br_earlier {
    br_day as_of;     ///< of the list before
    uint32_t *fields; ///< [n, n_reasons] of the job's snapshot, or BR_FIELD_GONE; BR_NO_FIELD: he had no reasons
    uint32_t n;       ///< investors of the job; 0: there is nothing to begin or compare with
    uint32_t n_reasons;
    bool awaited; ///< of br_earlier_of_list(): there is a list before whose reasons are not there, or not yet
} br_earlier;

/// The job of the bond's last live list of an earlier day; *found_out: false if there is none. Lists are made in ledger order, so this is the
/// same whenever it is asked.
br_status br_earlier_job(br_recommendations *store, br_arena *arena, const char *bond_id, br_day as_of, br_hash *out,
                         bool *found_out) BR_MUST_CHECK;

/// What the job `before` selected for the investors of `body`; in the arena. Nothing if it is NULL or dead, or gave another number of reasons.
/// A field is the same if its name is. Errors: BR_ERR_AGAIN (it is still to do), those of the store and of br_snapshots_load().
br_status br_earlier_read(br_earlier *out, br_earlier_reader *reader, br_arena *arena, const br_job_body *body,
                          const br_hash *before) BR_MUST_CHECK;

/// What a stored list's reasons are compared with, whether its search began there or not; nothing for a backtest, or if it cannot be read: the
/// list is there all the same. `body`: of the list's job. Errors: those of br_earlier_job(), BR_ERR_NO_MEMORY.
br_status br_earlier_of_list(br_earlier *out, br_earlier_reader *reader, br_arena *arena, const br_list *list,
                             const br_job_body *body) BR_MUST_CHECK;

/// As a job's warm start, in the arena: the sets of which every field is there, once. *out = NULL if no investor has one.
br_status br_earlier_start(const uint32_t **out, br_arena *arena, const br_earlier *earlier) BR_MUST_CHECK;

/// to_out[j] = the investor field of `to` with the name of investor field j of `from`, or BR_FIELD_GONE.
///   to_out  out [br_encoder_n_investor_fields(from)]
void br_earlier_translate(const br_encoder *from, const br_encoder *to, uint32_t *to_out);

/// How many reasons of the i-th explanation were given before; BR_NO_FIELD if nothing is known of before.
uint32_t br_earlier_n_kept(const br_earlier *earlier, const br_explanation *explanation, uint32_t i);
/// Mean Jaccard index of the sets with the earlier ones, over the *n_out investors who had one; NAN without.
double br_earlier_stability(const br_earlier *earlier, const br_result *result, uint32_t *n_out);

#endif
