#ifndef BR_PIPELINE_GATE_CURVES_H
#define BR_PIPELINE_GATE_CURVES_H

/// How the search by gradient gives up a spurious reason (the paper's Figure 4): the gates of two correlated fields step by step, once free,
/// once with the one held shut.

#include "explain/gumbel.h"
#include "pipeline/methods.h"

typedef struct br_gate_curves {
    uint32_t investor;   ///< row of the population
    uint32_t suppressed; ///< the field whose gate rises and is given up
    uint32_t suppressor; ///< the selected field without which it would have been selected
    uint32_t n_steps;
    double *free_suppressed; ///< [n_steps + 1] gate probabilities
    double *free_suppressor; ///< [n_steps + 1]
    double *held_suppressed; ///< [n_steps + 1] the same with the suppressor's gate held shut
} br_gate_curves;

/// The clearest example among the investors of a list: of the fields whose gates fell most, the one that gains most when one of the selected
/// fields is held shut. Memory: (steps + 1) x investors x fields floats. Errors: BR_ERR_NOT_FOUND when no gate that fell would have been selected;
/// those of the search.
br_status br_gate_curves_find(br_gate_curves *out, const br_served *served, const br_method_list *list,
                              uint32_t n_reasons, uint64_t seed) BR_MUST_CHECK;
/// The same for the first investor of a list, who may have no clear example: of what changes when one field is held shut, the gate that gains
/// most, the fields that are selected then before all others. hold: an investor field; UINT32_MAX: the selected one that gives the largest gain.
/// Memory: 2 (steps + 1) x fields floats. Errors: BR_ERR_INVALID (no such field), BR_ERR_NOT_FOUND (no field to spare), those of the search.
br_status br_gate_curves_of(br_gate_curves *out, const br_served *served, const br_method_list *list,
                            uint32_t n_reasons, uint64_t seed, uint32_t hold) BR_MUST_CHECK;
void br_gate_curves_deinit(br_gate_curves *curves);

#endif
