#ifndef BOOKRUNNER_PAIRS_MODELS_H
#define BOOKRUNNER_PAIRS_MODELS_H

/// What `pairs` learns from its data: the recommender, what ranks past items, and how well the recommendations came true.

#include "itembased/rankers.h"
#include "itembased/tuning.h"
#include "pairs_data.h"
#include "service/config.h"

typedef struct pairs_models {
    br_months months;
    br_history *history;     ///< what was learned from
    br_cooccurrence *counts; ///< NULL, like `ease`: too many items for a table of pairs
    br_ease *ease;
    br_ials *ials;
    br_rankers *rankers;
    br_ials_options options; ///< of `ials`
    double ease_regularization;
    bool tuned;
    uint32_t n_tuned_by; ///< users
    br_tuning *test;     ///< the recommender in the last month; NULL: not asked for, or nobody to judge by
} pairs_models;

/// Is what the options say of models sound? Errors: BR_ERR_INVALID: wrong usage.
br_status pairs_models_check(const arguments *args) BR_MUST_CHECK;
/// Tune on the month before the last what the options leave open, then learn; as many threads as options or configuration say.
///   all  from all transactions; else from those before the last month, by which the recommender is judged, too
/// `out` zeroed; release with pairs_models_deinit(), also after a failure. Errors: BR_ERR_NOT_FOUND when there is nothing to learn from, BR_ERR_CANCELLED, BR_ERR_NO_MEMORY.
br_status pairs_models_learn(pairs_models *out, const pairs_data *data, const arguments *args, const br_config *config,
                             bool all) BR_MUST_CHECK;
void pairs_models_deinit(pairs_models *m);

#endif
