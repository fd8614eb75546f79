#include "input/files.h"

const br_file_kind br_file_kinds[BR_N_FILES] = {
    {"bonds", BR_ROW_BOND, true},
    {"investors", BR_ROW_INVESTOR, true},
    {"bids", BR_ROW_BID, true},
    {"exclusions", BR_ROW_EXCLUSION, false},
};
