#ifndef BR_METRICS_SIDE_BY_SIDE_H
#define BR_METRICS_SIDE_BY_SIDE_H

/// Which of two explanations do people prefer (paper 5.6)? The share of left/right choices that went to the first method, how sure it is,
/// and how many answers are still needed. Ties and skips are no choices.
///
///     br_rater_choices raters[] = {{12, 8}, {9, 11}};
///     status = br_side_by_side_of(&result, raters, 2, 1);
///
/// Answers of one rater are alike, so that 660 answers of 11 raters say less than 660 raters' would. The interval (95 %) is by
///   8 raters or more   the bootstrap of whole raters, percentiles at the tails of Student's t
///   2 to 7             Student's t with n_raters - 1 degrees of freedom on the spread of the raters about the share
///   1, or unknown      Wilson's, as if all answers were independent: it says nothing about other raters
/// Choice: it is never narrower than Wilson's: raters who agree by chance are no proof.
/// Choice: a preference is shown when 0.5 is outside of the interval, and never by one rater.
///
/// Source: 5.6 for the question. Efron 1979; Hesterberg 2015 for the tails; Tukey 1958 (the jackknife) for the spread; Kish for the
/// design effect.
/// Differs: the paper gives 344 of 660 without an interval.

#include "base/status.h"

/// Left/right choices of one rater.
typedef struct br_rater_choices {
    uint32_t first;  ///< for the first method
    uint32_t second; ///< for the second
} br_rater_choices;

typedef enum br_share_interval {
    BR_SHARE_NONE, ///< there is no choice
    BR_SHARE_WILSON,
    BR_SHARE_T,
    BR_SHARE_BOOTSTRAP
} br_share_interval;

typedef struct br_side_by_side {
    uint32_t n_raters; ///< with a choice; 0 where that is not known
    uint64_t n;        ///< choices
    uint64_t first;    ///< of them for the first method
    double share;      ///< first / n; NAN without choices
    double low, high;  ///< 0 and 1 without choices
    double p;          ///< two-sided, of "0.5"; 1 without choices
    br_share_interval interval;
    double design_effect; ///< 1 or more: variance by raters / variance of independent answers
    double needed;        ///< choices for 80 % power at 5 % if the share stays; INFINITY at 0.5, NAN without choices
    double missing;       ///< of them; not below 0
    bool shown;
} br_side_by_side;

#define BR_SIDE_BY_SIDE_RESAMPLES 4000

/// raters [n_raters], in any order: it does not matter. Errors: BR_ERR_NO_MEMORY.
br_status br_side_by_side_of(br_side_by_side *out, const br_rater_choices *raters, uint32_t n_raters,
                             uint64_t seed) BR_MUST_CHECK;
/// The same where only the sums are known. first <= n.
br_side_by_side br_side_by_side_pooled(uint64_t first, uint64_t n);
/// "cluster bootstrap by rater", "t over raters", "Wilson", "none".
const char *br_share_interval_name(br_share_interval interval);

/// Where an interval of 95 % is cut from resamples of n raters (2 or more): the share of them left out at each end. Percentiles of few lie too
/// close together, by what a normal tail is short of Student's and by sqrt(n / (n - 1)). Source: Hesterberg 2015, 4.3 and 5.1 (expanded percentiles).
double br_resamples_cut(uint32_t n);

/// P(|T| > t) with `degrees` of freedom (1 or more), t >= 0; and the t that has this probability, 0 < p < 1.
double br_student_two_sided(double t, uint32_t degrees);
double br_student_quantile(double p, uint32_t degrees);

#endif
