#ifndef BOOKRUNNER_PAIRS_VOTES_H
#define BOOKRUNNER_PAIRS_VOTES_H

/// What people say of pairs, for `pairs`: votes of files, of the ledger, or of made-up raters.

#include "itembased/asking.h"
#include "itembased/pair_map.h"
#include "itembased/votes.h"
#include "pairs_data.h"

#define PAIR_POOL_BYTES ((size_t)1 << 30) ///< for pairs that are drawn from

typedef struct pairs_votes {
    br_votes *votes;
    br_pair_map *judged; ///< pairs with all their votes, by the items' numbers: how many say yes
    const char *source;  ///< "file", "ledger", "simulated"
    bool simulated;
    br_made_up_votes made_up; ///< meaningful if simulated
    uint64_t n_rejected;
    uint32_t n_elsewhere; ///< pairs of items that the data does not have
    uint32_t threshold;   ///< that pairs_votes_judge() goes by
} pairs_votes;

/// Is what the options say of votes sound? Errors: BR_ERR_INVALID: wrong usage.
br_status pairs_votes_check(const arguments *args) BR_MUST_CHECK;
/// Votes of --votes and --asked, else those of the data's ledger, if that is where it is from; else none. `out` zeroed; release with
/// pairs_votes_deinit(), also after a failure. Errors: those of the readers, BR_ERR_CANCELLED.
br_status pairs_votes_read(pairs_votes *out, const arguments *args, const pairs_data *data,
                           pairs_rejections *rejections) BR_MUST_CHECK;
/// Votes of made-up raters on a sample of pairs. Errors: BR_ERR_INVALID without categories; those of br_pairs_random().
br_status pairs_votes_simulate(pairs_votes *out, const arguments *args, const pairs_data *data,
                               br_rankers *rankers) BR_MUST_CHECK;
void pairs_votes_deinit(pairs_votes *v);

/// A br_pair_judge; context is pairs_votes.
int pairs_votes_judge(const void *votes, uint32_t x, uint32_t y);
/// "3 of 5", or NULL where the pair has no vote. Returns `out` or NULL.
#define PAIR_VOTES_TEXT 16
const char *pairs_votes_text(const pairs_votes *v, const pairs_data *data, uint32_t x, uint32_t y,
                             char out[PAIR_VOTES_TEXT]);
/// --pool and --recommendations.
br_pair_pool pairs_pool(const arguments *args);
uint32_t pairs_n_recommended(const arguments *args);

#endif
