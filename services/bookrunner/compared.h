#ifndef BOOKRUNNER_COMPARED_H
#define BOOKRUNNER_COMPARED_H

/// What `compare` says of a comparison: tables, JSON, and the paper's tables and figures as files.

#include "pipeline/comparison.h"
#include "pipeline/gate_curves.h"
#include "table.h"

typedef struct compared {
    const br_served *served;
    const br_market *market;
    br_comparison comparison;
    br_gate_curves curves; ///< n_steps = 0: none
} compared;

void compared_deinit(compared *c);
/// One row per method, a column per figure.
void compared_methods(const compared *c, table *out);
/// How far the first method is ahead of the best of the others, each figure that is known, with an error paired by bond.
void compared_ahead(const compared *c, table *out);
/// Everything: figures, values by bond.
void compared_json(const compared *c, br_buf *out);
/// Make the directory that compared_write() writes into, unless it is there. Errors: BR_ERR_IO.
br_status compared_directory(const char *directory) BR_MUST_CHECK;
/// Into `directory`: methods.csv and .json, sets.csv, table3.csv, table4.csv, figure5.svg, and of the curves figure4a.svg and
/// figure4b.svg, each as far as its methods were asked for. Errors: BR_ERR_IO, BR_ERR_NO_MEMORY.
br_status compared_write(const compared *c, const char *directory) BR_MUST_CHECK;

#endif
