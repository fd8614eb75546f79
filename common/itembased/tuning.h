#ifndef BR_ITEMBASED_TUNING_H
#define BR_ITEMBASED_TUNING_H

/// Which options suit the data: those whose recommendations come true in the month behind the training.
///
///     br_tuning_options options = br_tuning_options_default();
///     br_tuning *tuning = NULL;
///     status = br_tuning_new(&tuning, before_valid_from, of_the_month, &options, NULL, NULL);
///     br_ials_options best = tuning->ials[tuning->best_ials].options;
///
/// At each point of the grid a model is trained on what is before the month. It recommends K items to every user who has items before and new ones in
/// the month (items that the user did not have). Means over these users of
///
///     Recall@K  hits / min(K, new items)
///     NDCG@K    sum over the hits of 1 / log2(place + 1), over that of the best order; places from 1
///
/// Source: the paper's section 6, the last month but one as validation set "to determine the best model hyperparameters".
/// Choice: the paper names neither grid nor figure: the highest NDCG@K wins; of equals the first one. Sweeps are not searched: the loss only falls.
/// Choice: users without items before the month are left out: for them both models are silent.

#include "itembased/ease.h"
#include "itembased/ials.h"

#define BR_MAX_GRID_VALUES 16

typedef struct br_grid_values {
    double values[BR_MAX_GRID_VALUES];
    uint32_t n;
} br_grid_values;

typedef struct br_tuning_options {
    br_grid_values n_factors;      ///< of iALS, whole numbers; none: iALS is not tuned
    br_grid_values regularization; ///< of iALS
    br_grid_values confidence;     ///< of iALS
    br_grid_values ease;           ///< regularization of EASE; none: EASE is not tuned
    br_ials_options ials;          ///< n_sweeps, seed and n_threads; the rest is of the grid
    uint32_t cut;                  ///< K, 1 to 1,000
} br_tuning_options;

/// 18 points of iALS around br_ials_options_default() and 4 of EASE, K = 10.
br_tuning_options br_tuning_options_default(void);

typedef struct br_ials_point {
    br_ials_options options;
    double recall, ndcg;
} br_ials_point;

typedef struct br_ease_point {
    double regularization;
    double recall, ndcg;
} br_ease_point;

typedef struct br_tuning {
    br_ials_point *ials; ///< [n_ials] in the order of the grid: factors, then regularization, then confidence
    uint32_t n_ials;
    uint32_t best_ials;
    br_ease_point *ease; ///< [n_ease]
    uint32_t n_ease;
    uint32_t best_ease;
    uint32_t n_users; ///< judged by
} br_tuning;

/// Called before each point: `done` of `n` are behind. Return false to stop.
typedef bool (*br_tuning_watcher)(void *context, uint32_t done, uint32_t n);

/// Same histories and options, same tuning, whatever n_threads. train and valid: of the same table.
/// Memory: the largest training (br_ials_train(); the table of pairs and br_ease_new()), 20 bytes a user, and per thread 8 n_factors^2 + 21 n_items.
/// Errors: BR_ERR_INVALID (options), BR_ERR_NOT_FOUND when no user can be judged by, BR_ERR_CANCELLED by the watcher, BR_ERR_LIMIT (items of EASE,
/// threads), BR_ERR_NO_MEMORY.
br_status br_tuning_new(br_tuning **out, const br_history *train, const br_history *valid,
                        const br_tuning_options *options, br_tuning_watcher watcher, void *context) BR_MUST_CHECK;
void br_tuning_free(br_tuning **tuning);

#endif
