#ifndef BR_INPUT_FILES_H
#define BR_INPUT_FILES_H

/// The files with rows that a market folder has, in the order they are read in.

#include "market/row.h"

#define BR_N_FILES 4

typedef struct br_file_kind {
    const char *stem; ///< of "bonds.csv" and "bonds.ndjson"
    br_row_kind kind;
    bool required;
} br_file_kind;

extern const br_file_kind br_file_kinds[BR_N_FILES];

#endif
