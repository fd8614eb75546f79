#ifndef BR_PIPELINE_STUDY_H
#define BR_PIPELINE_STUDY_H

/// Two methods side by side, judged blind by people (paper 5.6): which pair of bond and investor comes next, on which side each method
/// stands, what is shown, what an answer says, and all answers together.
///
/// Pure. A rater meets the pairs in the order of numbers drawn from (seed, rater, bond, investor), and so for the side: it depends neither on
/// which other pairs there are nor on the answers, a withdrawn answer brings the same question back, and anybody who has the seed can
/// draw it all again.
///
/// Source: 5.6: 11 raters, 60 pairs each, two sets of six features, left and right at random, equal sets left out.
/// Differs: there are ties and skips, and they are counted; the paper's raters had to choose.
/// Choice: both sets are shown in the order of what the estimate loses without a reason, so that the order does not tell the method.

#include "metrics/side_by_side.h"
#include "pipeline/methods.h"

#include "base/buf.h"
#include "base/index.h"

/// "backed,gumbel": two different methods, neither of which needs training pairs. Errors: BR_ERR_INVALID.
br_status br_study_methods(br_method out[2], const char *names) BR_MUST_CHECK;

typedef struct br_study_draw {
    uint64_t order; ///< the pair with the lowest comes first
    bool swapped;   ///< the first method stands on the right
} br_study_draw;

br_study_draw br_study_draw_of(uint64_t seed, const char *rater, const char *bond, const char *investor);

/// reasons_out[n_reasons]: what a method selects for list->investors[0], the largest loss first, with the numbers that an explanation has
/// (explain.h). `methods` was made for `served` and n_reasons. Errors: those of br_methods_select(); BR_ERR_NO_MEMORY.
br_status br_study_reasons(br_reason *reasons_out, br_methods *methods, br_method method, const br_served *served,
                           const br_method_list *list, uint32_t n_reasons) BR_MUST_CHECK;
/// Do both hold the same fields?
bool br_study_equal(const br_reason *a, const br_reason *b, uint32_t n_reasons);

typedef enum br_study_choice { BR_STUDY_FIRST, BR_STUDY_SECOND, BR_STUDY_TIE, BR_STUDY_SKIP } br_study_choice;

typedef struct br_study_answer {
    br_study_choice choice;
    bool swapped;          ///< where the first method stood
    uint32_t milliseconds; ///< from the question to the answer
    uint32_t dropped;      ///< pairs with equal sets that were passed over to get there
} br_study_answer;

/// "backed left 4210 0": winner, tie or skip; the side of the first method; milliseconds; dropped. What a note's value holds.
void br_study_answer_write(br_buf *out, const br_study_answer *answer, const br_method methods[2]);
/// False: it is no answer about these methods.
bool br_study_answer_read(br_study_answer *out, const char *text, const br_method methods[2]);

/// All answers. Zeroed = empty.
typedef struct br_study_tally {
    br_index *raters;
    br_rater_choices *choices; ///< [raters]
    uint32_t room;
    uint64_t n_answers; ///< ties and skips included
    uint64_t n_ties;
    uint64_t n_skips;
    uint64_t n_dropped;
} br_study_tally;

/// Errors: BR_ERR_NO_MEMORY.
br_status br_study_tally_add(br_study_tally *tally, const char *rater, const br_study_answer *answer) BR_MUST_CHECK;
/// The share of the first method. Errors: BR_ERR_NO_MEMORY.
br_status br_study_tally_result(const br_study_tally *tally, uint64_t seed, br_side_by_side *out) BR_MUST_CHECK;
void br_study_tally_deinit(br_study_tally *tally);

/// "not shown", "shown: backed preferred", or why nothing can be said.
void br_study_verdict(br_buf *out, const br_side_by_side *result, const char *first, const char *second);

#endif
