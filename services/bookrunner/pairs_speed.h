#ifndef BOOKRUNNER_PAIRS_SPEED_H
#define BOOKRUNNER_PAIRS_SPEED_H

/// How fast item-based explanations are learned and given on this machine right now: wall time, made-up data of stated sizes.

#include "itembased/ials.h"

enum { PAIRS_USERS = 8000, PAIRS_ITEMS = 2000, PAIRS_DRAWN = 50, PAIRS_TOP = 10 };

/// PAIRS_USERS users who have up to 2 PAIRS_DRAWN of PAIRS_ITEMS items each, popular ones more often. Errors: BR_ERR_NO_MEMORY.
br_status made_up_history(br_history **out) BR_MUST_CHECK;

typedef struct ials_speed {
    uint64_t n_sweeps;
    double interactions_x_factors_per_s; ///< of whole sweeps, users and items; the loss after each is in the time
    double gflops;                       ///< of the arithmetic that the method needs, see ials_flop()
} ials_speed;
/// Train for at least `seconds` and two sweeps, the first of which does not count. Errors: as br_ials_train(), but BR_ERR_CANCELLED.
br_status ials_speed_measure(ials_speed *out, const br_history *history, const br_ials_options *options,
                             double seconds) BR_MUST_CHECK;
/// Floating point operations of a sweep: of symmetric matrices one half, a Cholesky factor and two triangular solutions for everybody who has something.
double ials_flop(const br_history *history, uint32_t n_factors);

/// EASE on n_items items: n_items^3 operations for the inverse; making the matrix and the weights is in the time. At least `seconds` and at least once.
/// Errors: as br_ease_new().
br_status ease_speed_measure(double *gflops_out, uint32_t n_items, double seconds) BR_MUST_CHECK;
/// GFLOP/s of products in double precision, one thread.
br_status double_peak(double *gflops_out, double seconds) BR_MUST_CHECK;

/// What one user is asked for.
typedef enum pairs_question {
    PAIRS_SET,       ///< W_u and x_u
    PAIRS_RECOMMEND, ///< the PAIRS_TOP best of PAIRS_ITEMS items
    PAIRS_PARTS,     ///< the part of each own item in the score of one
    PAIRS_QUESTION_COUNT
} pairs_question;

typedef struct user_speed {
    uint64_t n;
    double p50_us, p99_us;
} user_speed;
/// One user of n_own items after the other, one thread. Errors: BR_ERR_NO_MEMORY.
br_status user_speed_measure(user_speed *out, pairs_question question, uint32_t n_factors, uint32_t n_own,
                             double seconds) BR_MUST_CHECK;

#endif
