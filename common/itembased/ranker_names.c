#include "itembased/rankers.h"

#include <string.h>

static const struct {
    const char *name;
    const char *title;
} names[BR_RANKER_COUNT] = {
    [BR_RANKER_RANDOM] = {"random", "Random"},
    [BR_RANKER_CHRONO] = {"chrono", "Chrono"},
    [BR_RANKER_MOST_POP] = {"most-pop", "MostPop"},
    [BR_RANKER_PERSON_TOP] = {"person-top", "PersonTop"},
    [BR_RANKER_SIM_CAT_MOST_POP] = {"sim-cat-most-pop", "SimCatMostPop"},
    [BR_RANKER_IALS] = {"ials", "iALS"},
    [BR_RANKER_SIM_CAT_IALS] = {"sim-cat-ials", "SimCat + iALS"},
    [BR_RANKER_RULE_CONFIDENCE] = {"rule-confidence", "AR (confidence)"},
    [BR_RANKER_RULE_SUPPORT] = {"rule-support", "AR (support)"},
    [BR_RANKER_RULE_LEVERAGE] = {"rule-leverage", "AR (leverage)"},
    [BR_RANKER_EASE] = {"ease", "EASE"},
};

const char *br_ranker_name(br_ranker ranker)
{
    return ranker < BR_RANKER_COUNT ? names[ranker].name : "?";
}

const char *br_ranker_title(br_ranker ranker)
{
    return ranker < BR_RANKER_COUNT ? names[ranker].title : "?";
}

bool br_ranker_by_name(br_ranker *out, const char *name, size_t n)
{
    for (int i = 0; i < BR_RANKER_COUNT; i++) {
        if (strlen(names[i].name) == n && memcmp(names[i].name, name, n) == 0) {
            *out = (br_ranker)i;
            return true;
        }
    }
    return false;
}
