#ifndef BR_RANK_RANK_H
#define BR_RANK_RANK_H

/// Whom to call: the m investors with the highest logit (paper 4.1, R(b)). Ties go to the lower id.

#include "model/collapse.h"

/// The first n_top of the eligible investors by logit, best first; fewer if fewer are eligible. Returns how many.
///
///   logits    [n_investors]
///   eligible  [n_investors]  1 = may be recommended
///   id_order  [n_investors]  place of the investor in the order of ids
///   top_out   [n_top]        investors
uint32_t br_rank_top(const float *logits, const uint8_t *eligible, const uint32_t *id_order, uint32_t n_investors,
                     uint32_t n_top, uint32_t *top_out);

#endif
