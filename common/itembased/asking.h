#ifndef BR_ITEMBASED_ASKING_H
#define BR_ITEMBASED_ASKING_H

/// Which pairs to ask people about, when not all can be asked: drawn at random, or those that the approaches disagree on most.
///
/// Source: the paper's section 3 (random pairs); its section 7 leaves what to ask best open. Disagreement: query by committee, Seung, Opper and
/// Sompolinsky 1992.

#include "itembased/rankers.h"

typedef struct br_item_pair {
    uint32_t x;
    uint32_t y;
    double disagreement; ///< 0 to 0.5; NAN where it was not asked for
    uint32_t n_lists;    ///< (user, Y) that the pair stands in; 0 where they were not looked at
} br_item_pair;

/// Of what a pair is drawn.
typedef enum br_pair_pool {
    BR_POOL_ALL,   ///< any two items that some user has
    BR_POOL_LISTED ///< pairs that can really be shown: Y recommended to a user, X among its items
} br_pair_pool;

/// n_pairs different pairs x != y at random, each sequence of them as likely; fewer if there are fewer. With the same seed more pairs begin with the fewer.
/// pairs_out [n_pairs]; *n_out: how many.
///   rankers  with the iALS model where the pool is BR_POOL_LISTED
///   n_top    recommendations for a user, 1 or more (BR_POOL_LISTED)
/// Memory: 32 to 64 bytes for each different pair of the pool (BR_POOL_LISTED) and 24 to 48 for each that is drawn, half as much again while they grow;
/// each of the two at most `max_bytes`: BR_ERR_LIMIT beyond. 4 bytes for each item. Errors: BR_ERR_NO_MEMORY.
br_status br_pairs_random(br_item_pair *pairs_out, uint32_t *n_out, uint32_t n_pairs, br_rankers *rankers,
                          br_pair_pool pool, uint32_t n_top, uint64_t seed, size_t max_bytes) BR_MUST_CHECK;

/// The n_pairs of the listed pool that the approaches disagree on most. Each approach but Random ranks the user's items for Y; a rank r (0 = first) of n counts as
/// r / (n - 1). The disagreement of a pair in one list is the standard deviation of these over the approaches; of a pair, the mean over its lists.
/// Choice: a pair that stands in one list alone is as good as one that stands in many. Ties: drawn by the seed. Lists of one item are left out.
/// Memory and errors as above, nothing being drawn; and 100 bytes for each item of the largest history.
br_status br_pairs_disagreed(br_item_pair *pairs_out, uint32_t *n_out, uint32_t n_pairs, br_rankers *rankers,
                             uint32_t n_top, uint64_t seed, size_t max_bytes) BR_MUST_CHECK;

/// The standard deviation of ranks[n], each in [0, 1], NAN left out; NAN with fewer than two.
double br_disagreement(const double *ranks, uint32_t n);

/// Votes of made-up raters, for tests and where there are no people: simulated, and to be called so wherever they are shown. Rater r of a pair
/// says "valid" if the categories overlap, and the opposite with probability `noise`.
///
///   overlap = |A and B| / |A or B| of the categories' parts between '|';  truth = overlap >= min_overlap
///
/// What a rater says depends on (seed, x, y, rater), the categories and the options, on nothing else.
typedef struct br_made_up_votes {
    double noise;       ///< 0 to 0.5
    double min_overlap; ///< above 0, at most 1
    uint64_t seed;
} br_made_up_votes;
/// Parts count once; 0 where one category has none.
double br_category_overlap(const char *a, const char *b);
/// The votes of BR_VOTES_PER_PAIR raters on the pair; valid_out [BR_VOTES_PER_PAIR].
void br_made_up_votes_of(bool *valid_out, const br_made_up_votes *options, uint32_t x, uint32_t y,
                         const char *category_x, const char *category_y);

#endif
