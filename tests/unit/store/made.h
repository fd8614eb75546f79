#ifndef BR_TESTS_UNIT_STORE_MADE_H
#define BR_TESTS_UNIT_STORE_MADE_H

/// Rows that are a function of a number, so that a test can say what record n must hold without keeping it.

#include "market/row.h"

typedef struct made_row {
    br_row row; ///< borrows from the rest
    char id[32];
    char other_id[32];
    char values[3][48];
    br_named_value features[3];
} made_row;

/// Row number n: bonds, investors, bids and exclusions in turn, each with a key of its own.
void made_row_init(made_row *made, uint64_t n);
/// Are the rows equal in all that a ledger keeps?
bool made_row_equal(const br_row *a, const br_row *b);

/// Run `body` in a child process and return its exit code, or minus the signal that ended it. The child's stderr goes nowhere.
int in_child(int (*body)(void *context), void *context);

#endif
