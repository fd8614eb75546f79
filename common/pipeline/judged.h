#ifndef BR_PIPELINE_JUDGED_H
#define BR_PIPELINE_JUDGED_H

/// How good the explanations of stored lists are: the figures of pipeline/comparison.h that need no other method beside it, from jobs and results
/// alone.
///
///     br_judged_lists_new(&lists, encoder, topics);
///     br_judged_lists_add(lists, &job, &result, codes, bids);       // for each list with a closed book
///     br_judged_lists_figures(lists, &judged);

#include "codec/work.h"
#include "market/encoder.h"
#include "metrics/plsa.h"
#include "metrics/sufficiency.h"

typedef struct br_judged_lists br_judged_lists;

typedef struct br_judged {
    uint64_t n_sets;    ///< explanations
    double rationality; ///< pooled kappa (A.2)
    double diversity;   ///< 5.3, A.3
    double hrd;         ///< Eq. (7)
    double aesv;        ///< Eq. (8)
    double aesv_others; ///< leaving the investor out
} br_judged;

/// Of one snapshot's lists: `encoder` and `topics` are its own, and borrowed. Memory: that of br_claims_append(). Errors: BR_ERR_NO_MEMORY.
br_status br_judged_lists_new(br_judged_lists **out, const br_encoder *encoder, const br_topics *topics) BR_MUST_CHECK;
void br_judged_lists_free(br_judged_lists **lists);

/// The explanations of one bond. `job` and `result` belong together (what a stored result is).
///
///   codes  [job->n_population, n_investor_fields]  the population block of the job
///   bids   [job->n_population]                     0 or 1: bid on the bond
///
/// Errors: BR_ERR_INVALID (a field that the encoder does not have, another number of reasons than the job asked for), BR_ERR_NO_MEMORY.
br_status br_judged_lists_add(br_judged_lists *lists, const br_job_body *job, const br_result *result,
                              const uint8_t *codes, const uint8_t *bids) BR_MUST_CHECK;

/// NAN where there is nothing to take a mean of. Errors: BR_ERR_NO_MEMORY.
br_status br_judged_lists_figures(const br_judged_lists *lists, br_judged *out) BR_MUST_CHECK;

#endif
