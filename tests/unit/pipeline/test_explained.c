// Goal: the error is the gap between what the selected sets say and the bids, over the explained entries alone. Method: lists with chosen
// logits.

#include "pipeline/explained.h"

#include "base/alloc.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { N = 5000 };

typedef struct made_list {
    br_list list;
    br_outcome outcome;
    br_list_entry entries[N];
    br_explanation explanations[N];
    uint8_t bid[N];
} made_list;

/// Every set has the same logit; one of four entries bids.
static void make(made_list *it, float logit)
{
    memset(it, 0, sizeof *it);
    for (uint32_t i = 0; i < N; i++) {
        it->entries[i].investor = i;
        it->explanations[i] = (br_explanation){.investor = i, .logit_selected = logit, .logit_all = 9.0f};
        it->bid[i] = i % 4 == 0;
    }
    it->list = (br_list){.entries = it->entries, .n_entries = N, .has_job = true};
    it->outcome = (br_outcome){.state = BR_JOB_DONE, .result = {.explanations = it->explanations, .n_explanations = N}};
}

static double error_of(const br_explained_pairs *pairs)
{
    double error = -1.0;
    cr_assert_eq(br_explained_pairs_error(pairs, &error), BR_OK);
    return error;
}

Test(pipeline_explained, the_error_is_the_gap_of_the_selected_sets)
{
    static made_list made;
    br_explained_pairs pairs = {0};
    cr_assert(isnan(error_of(&pairs)));
    make(&made, 1.0f);
    const br_calibration calibration = {.slope = 2.0, .offset = -1.0};
    cr_assert_eq(br_explained_pairs_add(&pairs, &made.list, &made.outcome, &calibration, made.bid), BR_OK);
    cr_assert_eq(pairs.n, N);
    cr_assert_float_eq(error_of(&pairs), 1.0 / (1.0 + exp(-1.0)) - 0.25, 1e-9);
    // As many that are right pull it down to the half.
    make(&made, (float)log(1.0 / 3.0));
    const br_calibration none = {.slope = 1.0};
    cr_assert_eq(br_explained_pairs_add(&pairs, &made.list, &made.outcome, &none, made.bid), BR_OK);
    cr_assert_eq(pairs.n, 2 * N);
    cr_assert_float_eq(error_of(&pairs), 0.5 * (1.0 / (1.0 + exp(-1.0)) - 0.25), 1e-3);
    br_explained_pairs_deinit(&pairs);
}

Test(pipeline_explained, entries_without_an_explanation_do_not_count)
{
    static made_list made;
    br_explained_pairs pairs = {0};
    const br_calibration none = {.slope = 1.0};
    make(&made, 0.0f);
    made.outcome.result.n_explanations = 10;
    made.explanations[3].investor = 77; // of somebody else
    cr_assert_eq(br_explained_pairs_add(&pairs, &made.list, &made.outcome, &none, made.bid), BR_OK);
    cr_assert_eq(pairs.n, 9);
    made.outcome.state = BR_JOB_TODO;
    cr_assert_eq(br_explained_pairs_add(&pairs, &made.list, &made.outcome, &none, made.bid), BR_OK);
    cr_assert_eq(pairs.n, 9);
    br_explained_pairs_deinit(&pairs);
}

Test(pipeline_explained, what_is_beyond_the_bound_is_left_out_and_a_failed_allocation_reported)
{
    static made_list made;
    br_explained_pairs pairs = {0};
    const br_calibration none = {.slope = 1.0};
    make(&made, 0.0f);
    size_t live = br_alloc_live();
    br_alloc_fail_after(1);
    cr_assert_eq(br_explained_pairs_add(&pairs, &made.list, &made.outcome, &none, made.bid), BR_ERR_NO_MEMORY);
    br_alloc_fail_after(SIZE_MAX);
    cr_assert_eq(br_alloc_live(), live);
    for (size_t n = 0; n <= BR_MAX_EXPLAINED_PAIRS; n += N) {
        cr_assert_eq(br_explained_pairs_add(&pairs, &made.list, &made.outcome, &none, made.bid), BR_OK);
    }
    cr_assert_eq(pairs.n, BR_MAX_EXPLAINED_PAIRS);
    br_explained_pairs_deinit(&pairs);
}
