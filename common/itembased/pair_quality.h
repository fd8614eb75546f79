#ifndef BR_ITEMBASED_PAIR_QUALITY_H
#define BR_ITEMBASED_PAIR_QUALITY_H

/// How well does an approach put pairs that make sense to people before those that do not? The paper's Algorithm 1.
///
///     for each user u, for each of the n_top items Y that the model recommends to u:
///         candidates = { X in u's items : people have judged (X, Y) }
///         without one, or without a valid one: the list is left out
///         sort them by the approach; figures at K of the 0s and 1s in that order, zeros behind the end
///
///   Recall@K  valid among the first K / min(K, valid)
///   NDCG@K    sum over the first K of valid_k / log2(k + 1), over that of the best order
///   MAP@K     sum over the first K of valid_k x Precision@k, over min(K, valid)
///
/// Choice: min(K, valid) in Recall, too. The paper reads its Recall@1 of 0.37 as "63 % of the first pairs were wrong", which holds only so.
/// Choice: lists of one candidate count, as Algorithm 1 says; the text speaks of two or more: min_candidates.
/// Choice: the mean is over lists; intervals (95 %) resample whole users, whose lists are alike: br_means_by_group(). With one user they are NAN.
/// They say how sure the figures are for other users; what people said of the pairs is taken as it is.
///
/// Source: Algorithm 1; section 6 for the padding and for the lists left out.

#include "itembased/rankers.h"
#include "metrics/metrics.h"

#define BR_MAX_CUTS 8

typedef struct br_pair_quality_options {
    uint32_t n_top;             ///< recommendations for a user, 1 or more
    uint32_t cuts[BR_MAX_CUTS]; ///< K, 1 or more
    uint32_t n_cuts;            ///< 1 to BR_MAX_CUTS
    uint32_t min_candidates;    ///< 1 or more
    uint32_t n_resamples;       ///< 1 to 100,000
    uint64_t seed;              ///< of the resamples
} br_pair_quality_options;

/// What people say of (x, y): 1 valid, 0 not, -1 not judged. x and y differ, as nothing is recommended to whom has it.
typedef int (*br_pair_judge)(const void *context, uint32_t x, uint32_t y);

typedef struct br_pair_figures {
    br_mean_interval recall[BR_MAX_CUTS];
    br_mean_interval ndcg[BR_MAX_CUTS];
    br_mean_interval map[BR_MAX_CUTS];
    br_mean_interval over_random[BR_MAX_CUTS]; ///< Recall minus that of Random, in the same lists
} br_pair_figures;

typedef struct br_pair_quality {
    br_pair_figures of[BR_RANKER_COUNT]; ///< NAN where a ranker is not there, a cut not asked for
    uint32_t n_users;                    ///< with a list that counts
    uint32_t n_lists;                    ///< that count
    uint32_t n_unjudged;                 ///< lists left out: no candidate is judged, or fewer than min_candidates
    uint32_t n_without_valid;            ///< lists left out: candidates are judged, none of them valid
    double candidates_mean;              ///< of a list that counts; NAN without one
    double valid_mean;                   ///< likewise
} br_pair_quality;

/// The rankers must have the iALS model. Memory: 8 bytes for each ranker that is there, figure (4) and cut, times users with a list that counts (twice that
/// while they grow) and resamples. Cost: for each list one scoring and sorting by each ranker; n_resamples sums of the figures over the users.
/// Errors: BR_ERR_INVALID (options), BR_ERR_NO_MEMORY.
br_status br_pair_quality_of(br_pair_quality *out, br_rankers *rankers, br_pair_judge judge, const void *context,
                             const br_pair_quality_options *options) BR_MUST_CHECK;

/// The three figures of one list: labels [n] in the approach's order, best first.
typedef struct br_ranked_quality {
    double recall, ndcg, map; ///< NAN where no label is 1
} br_ranked_quality;
br_ranked_quality br_ranked_quality_of(const uint8_t *labels, uint32_t n, uint32_t cut);

#endif
