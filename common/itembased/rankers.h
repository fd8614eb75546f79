#ifndef BR_ITEMBASED_RANKERS_H
#define BR_ITEMBASED_RANKERS_H

/// "We recommend Y because you bought X": which of the X a user has bought explain Y best? The paper's nine approaches, eleven rows, behind one call.
///
///     br_rankers *rankers = NULL;
///     status = br_rankers_new(&rankers, &(br_ranker_models){.history = train, .ials = model, .ease = ease, .counts = counts, .seed = 1});
///     br_rankers_user(rankers, user);
///     br_rankers_score(rankers, BR_RANKER_IALS, y, scores);         // [items of the user] in the order of the history
///     br_rankers_order(rankers, y, scores, order);                  // best first
///
/// Source: the paper's section 5.

#include "itembased/ease.h"
#include "itembased/ials.h"

typedef enum br_ranker {
    BR_RANKER_RANDOM,   ///< a number drawn for (x, y): the same for every user, as the paper says of it
    BR_RANKER_CHRONO,   ///< later last purchase first: its time
    BR_RANKER_MOST_POP, ///< popularity of x over the highest one, in [0, 1]
    BR_RANKER_PERSON_TOP, ///< how often the user bought x, plus a part of one for its popularity: of equals the more popular one
    BR_RANKER_SIM_CAT_MOST_POP, ///< 2 + MostPop where x and y have the same category (none is none), else MostPop
    BR_RANKER_IALS,             ///< the part of x in the score of y (ials.h)
    BR_RANKER_SIM_CAT_IALS, ///< the same category first, then by iALS. Choice: 2 + iALS brought to [0, 1] among the user's items
    BR_RANKER_RULE_CONFIDENCE,
    BR_RANKER_RULE_SUPPORT,
    BR_RANKER_RULE_LEVERAGE,
    BR_RANKER_EASE, ///< B_xy
    BR_RANKER_COUNT
} br_ranker;

/// "random", "chrono", "most-pop", "person-top", "sim-cat-most-pop", "ials", "sim-cat-ials", "rule-confidence", "rule-support", "rule-leverage", "ease".
const char *br_ranker_name(br_ranker ranker);
/// For people: "Random", "SimCat + iALS", "AR (confidence)", ...
const char *br_ranker_title(br_ranker ranker);
bool br_ranker_by_name(br_ranker *out, const char *name, size_t n);

/// All borrowed; they must outlive the rankers. ials, ease and counts may be NULL: then their rankers are not there.
typedef struct br_ranker_models {
    const br_history *history;
    const br_ials *ials;
    const br_ease *ease;
    const br_cooccurrence *counts;
    uint64_t seed; ///< of Random, and, drawn apart from it, of the order of equal scores
} br_ranker_models;

typedef struct br_rankers br_rankers;

/// All models are of the history's items. Memory: 16 bytes for each item (32 while they are made) and for each item of the largest history, and
/// br_ials_user_new(). Errors: BR_ERR_NO_MEMORY.
br_status br_rankers_new(br_rankers **out, const br_ranker_models *models) BR_MUST_CHECK;
void br_rankers_free(br_rankers **rankers);
/// What they rank in.
const br_history *br_rankers_history(const br_rankers *rankers);
bool br_rankers_have(const br_rankers *rankers, br_ranker ranker);

/// The user whose items are ranked from now on; before, there are no items. Cost: br_ials_user_set() if there is a model.
void br_rankers_user(br_rankers *rankers, uint32_t user);
/// The user's items; *n_out of them, in the order of the history.
const uint32_t *br_rankers_items(const br_rankers *rankers, uint32_t *n_out);
/// For a ranker that is there: scores_out[n of the user's items] of the rule "Y = y because of X"; higher is better, all finite. y itself may be among them: it is scored like any other.
void br_rankers_score(br_rankers *rankers, br_ranker ranker, uint32_t y, double *scores_out);
/// order_out[n] = positions of items by falling score. Choice: equal scores in an order drawn for (x, y), so that no approach gains by the order
/// of the input.
void br_rankers_order(const br_rankers *rankers, uint32_t y, const double *scores, uint32_t *order_out);
/// The items that the iALS model recommends to this user, as br_ials_user_recommend(). Needs the model.
uint32_t br_rankers_recommend(const br_rankers *rankers, uint32_t n_top, uint32_t *items_out);

#endif
