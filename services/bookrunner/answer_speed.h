#ifndef BOOKRUNNER_ANSWER_SPEED_H
#define BOOKRUNNER_ANSWER_SPEED_H

/// How fast bonds are ranked and lists explained on this machine right now: one thread, wall time. The market is simulated, with
/// ANSWER_INVESTORS investors, and the model has learned from it for one epoch.

#include "explain/explain.h"
#include "explain/gumbel.h"
#include "pipeline/methods.h"

enum { ANSWER_INVESTORS = 3000, ANSWER_LIST = 50 };

typedef struct answer_speed {
    uint64_t n; ///< rankings or explanations that were measured
    double p50_ms;
    double p99_ms;
    double per_s;       ///< explanations: with what is done once per bond
    double evaluations; ///< mean of explanations; NAN for rankings
} answer_speed;

typedef struct answer_bench answer_bench;
/// Simulates, learns. br_gemm_start() must have been called. Errors: as br_train() and what it is given; BR_ERR_NO_MEMORY.
br_status answer_bench_new(answer_bench **out, const br_model_config *model) BR_MUST_CHECK;
/// All investors scored for a bond and the first ANSWER_LIST of them found, for at least `seconds` and at least once. new_day: each on a
/// day of its own, whose codes and halves of all investors are made first.
br_status answer_bench_rank(answer_bench *bench, bool new_day, double seconds, answer_speed *out) BR_MUST_CHECK;
/// The lists of bonds, for at least `seconds` and at least one list. Errors: as br_explain_context_new() and br_explain().
br_status answer_bench_explain(answer_bench *bench, const br_explain_options *options, double seconds,
                               answer_speed *out) BR_MUST_CHECK;
/// The same lists by the paper's search, `batch` investors at a time, 1 to ANSWER_LIST; the time of each is its share of the batch's.
/// `evaluations` are steps. Errors: as br_gumbel_new() and br_gumbel_search().
br_status answer_bench_gumbel(answer_bench *bench, const br_gumbel_options *options, uint32_t batch, double seconds,
                              answer_speed *out) BR_MUST_CHECK;
/// What if the bond were another: all investors scored for a bond with one feature changed, the list found and explained as recommendations are,
/// for at least `seconds` and at least once; the time of each is that of a whole answer. Errors: as br_what_if() and br_job_work().
br_status answer_bench_what_if(answer_bench *bench, double seconds, answer_speed *out) BR_MUST_CHECK;
/// The same lists by any method, `batch` investors at a time; what it learns first is not measured. `evaluations` is NAN. Errors: as
/// br_background_draw(), br_methods_new() and br_methods_select().
br_status answer_bench_method(answer_bench *bench, br_method method, uint32_t batch, double seconds,
                              answer_speed *out) BR_MUST_CHECK;
/// How often the search for plain reasons finds the best of all sets, among SEARCH_AUDIT_FIELDS fields (search_audit.h).
typedef struct answer_audit {
    uint64_t n;          ///< investors
    uint64_t found;      ///< for whom nothing is better by more than BR_EXPLAIN_GAIN
    double largest_loss; ///< of f, in logit
} answer_audit;
/// For at least `seconds` and at least one list. Errors: as answer_bench_explain().
br_status answer_bench_audit(answer_bench *bench, double seconds, answer_audit *out) BR_MUST_CHECK;
void answer_bench_free(answer_bench **bench);

#endif
