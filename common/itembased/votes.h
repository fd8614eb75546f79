#ifndef BR_ITEMBASED_VOTES_H
#define BR_ITEMBASED_VOTES_H

/// What people say of pairs: "we recommend Y because you bought X; does that make sense?" Five raters per pair; a pair is valid when at least 3, 4 or 5 of the
/// five say yes.
///
///     br_votes *votes = NULL;
///     status = br_votes_new(&votes);
///     status = br_votes_ask(votes, "shoes", "socks");          // only where pairs are fixed beforehand: see br_votes_close()
///     const char *wrong = br_votes_refuse(votes, &vote);       // NULL = fine
///     status = br_votes_add(votes, &vote);
///     br_validity validity = br_votes_validity(votes, "shoes", "socks", 3);
///
/// Pairs are directed and known by names, so that votes survive a change of the data. Memory: 44 to 88 bytes a pair with all its votes (half as much again
/// while it grows), 4 to 8 a rater, plus the names of items and raters, each once.
///
/// Source: the paper's section 3: 23,000 pairs, 400 raters, five per pair.

#include "base/index.h"

#define BR_VOTES_PER_PAIR 5
#define BR_MAX_VOTE_PAIRS (1u << 22)

typedef struct br_vote {
    const char *x;     ///< what was bought, 1 to 512 bytes
    const char *y;     ///< what is recommended for it; not x
    const char *rater; ///< 1 to 512 bytes
    bool valid;        ///< "the explanation makes sense"
} br_vote;

typedef struct br_votes br_votes;

br_status br_votes_new(br_votes **out) BR_MUST_CHECK;
void br_votes_free(br_votes **votes);

/// A pair to be asked. Asking twice is asking once. Errors: BR_ERR_INVALID (empty, too long, x = y), BR_ERR_LIMIT, BR_ERR_NO_MEMORY.
br_status br_votes_ask(br_votes *votes, const char *x, const char *y) BR_MUST_CHECK;
/// From now on only pairs that were asked may be voted on; before, a vote asks its pair itself.
void br_votes_close(br_votes *votes);
/// Why this vote is not taken, or NULL: "unknown pair: ...", "this rater has voted on this pair already: ...", "the pair has its five votes: ...", "X and Y are the same item: ...", an empty
/// or overlong name, one pair too many. It names the pair and the rater. Borrowed until the next call on these votes.
const char *br_votes_refuse(br_votes *votes, const br_vote *vote);
/// Errors: BR_ERR_INVALID with that reason (nothing is changed), BR_ERR_NO_MEMORY.
br_status br_votes_add(br_votes *votes, const br_vote *vote) BR_MUST_CHECK;
/// Take back what the rater said of the pair, which makes room for another vote; *any_out: was there something?
void br_votes_withdraw(br_votes *votes, const char *x, const char *y, const char *rater, bool *any_out);

typedef struct br_pair {
    const char *x;
    const char *y;
    uint32_t n_votes; ///< 0 to BR_VOTES_PER_PAIR
    uint32_t n_valid; ///< of them
} br_pair;

uint32_t br_votes_n_pairs(const br_votes *votes);
/// The i-th pair in the order of asking; names borrowed until the votes are freed.
br_pair br_votes_pair(const br_votes *votes, uint32_t i);
uint32_t br_votes_find(const br_votes *votes, const char *x, const char *y); ///< number of the pair, or BR_INDEX_NONE
bool br_votes_has_voted(const br_votes *votes, uint32_t pair, const char *rater);

typedef enum br_validity {
    BR_VALIDITY_OPEN, ///< fewer than five votes: nothing is known
    BR_VALIDITY_NO,
    BR_VALIDITY_YES
} br_validity;

/// With threshold 3, 4 or 5 (any from 1 to 5). Choice: a pair speaks only once it has all five votes.
br_validity br_votes_validity(const br_votes *votes, const char *x, const char *y, uint32_t threshold);

/// How far raters agree.
typedef struct br_agreement {
    uint32_t n_pairs; ///< with all five votes
    uint32_t n_votes; ///< of all pairs
    uint32_t n_raters;
    uint32_t n_valid[BR_VOTES_PER_PAIR + 1]; ///< pairs with all five votes of which so many say yes
    double share_valid;                      ///< of the votes; NAN without votes
    double observed; ///< P(a vote agrees with another of its pair), all pairs with two votes or more; NAN without one
    double fleiss_kappa;       ///< over the pairs with five votes; NAN without one or where everybody says the same
    double krippendorff_alpha; ///< nominal, over all pairs with two votes or more; NAN likewise
} br_agreement;

/// Source: metrics/agreement.h.
br_agreement br_votes_agreement(const br_votes *votes);

#endif
