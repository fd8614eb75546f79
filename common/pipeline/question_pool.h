#ifndef BR_PIPELINE_QUESTION_POOL_H
#define BR_PIPELINE_QUESTION_POOL_H

/// Which pairs of issuers (X, Y) people are asked about: those that stand in shown explanations, "the bonds of Y, because they bid on the bonds of X".
///
///     br_question_pool_new(&pool);
///     br_question_pool_add(pool, y, past, n, popularity) for each recommended investor
///     pairs = br_question_pool_pairs(pool, &n)
///
/// Pure. In one recommendation four approaches rank the investor's n past issuers: latest bid first (Chrono), most bids first (PersonTop; of equals the more popular one), most
/// popular first, largest weight first (iALS). A rank r (0 = first, of equals the mean) counts as r / (n - 1); the disagreement of a pair is the mean of
/// br_disagreement() over the recommendations that it stands in with another past issuer.
///
/// Source: itembased/asking.h, for lists as the desk shows them.

#include "base/day.h"
#include "itembased/asking.h"

#define BR_POOL_PAST 8 ///< past issuers of one recommendation that count

typedef struct br_pool_past {
    uint32_t issuer;
    uint32_t n_bids;
    br_day last;
    double weight; ///< NAN: not known
} br_pool_past;

typedef struct br_question_pool br_question_pool;

br_status br_question_pool_new(br_question_pool **out) BR_MUST_CHECK;
void br_question_pool_free(br_question_pool **pool);
/// past [n], of which the first BR_POOL_PAST that are not y count; popularity [issuers]. Memory: 24 bytes for each pair of a recommendation.
/// Errors: BR_ERR_NO_MEMORY.
br_status br_question_pool_add(br_question_pool *pool, uint32_t y, const br_pool_past *past, uint32_t n,
                               const uint64_t *popularity) BR_MUST_CHECK;
/// Each pair once, in order of (y, x). Borrowed until the next add.
const br_item_pair *br_question_pool_pairs(br_question_pool *pool, uint32_t *n_out);

/// A pair that may be asked.
typedef struct br_askable {
    bool back;           ///< this rater has just taken his answer back
    uint32_t n_votes;    ///< less than five
    double disagreement; ///< NAN: does not matter, or is not known
    uint64_t order;      ///< drawn for (seed, pair)
} br_askable;

/// Is `a` asked before `b`? What was taken back; then what has most votes, so that fives get complete; then what approaches disagree on most; then the
/// lower order.
bool br_asked_before(const br_askable *a, const br_askable *b);

#endif
