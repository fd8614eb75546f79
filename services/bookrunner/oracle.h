#ifndef BOOKRUNNER_ORACLE_H
#define BOOKRUNNER_ORACLE_H

/// How well somebody who knows a simulated market's truth would do on the same bonds and investors: the bound for every model.

#include "market/dataset.h"

typedef struct oracle {
    double auc;
    double log_loss;
    double recall; ///< @ n_top, mean over bonds with bidders
    double precision;
    uint64_t n_pairs;
    uint32_t n_bonds;
} oracle;

/// From FOLDER/truth over the bonds issued in [from, until), each as of its issue day.
/// Errors: BR_ERR_INVALID (the truth does not fit the market), BR_ERR_IO, BR_ERR_NO_MEMORY.
br_status oracle_read(oracle *out, const char *folder, br_market *market, br_day from, br_day until,
                      uint32_t n_top) BR_MUST_CHECK;

#endif
