#ifndef BR_RANK_RANK_H
#define BR_RANK_RANK_H

/// Whom to call: the m investors with the highest logit (paper 4.1, R(b)). Ties go to the lower id.

#include "model/collapse.h"

/// logits_out[b, i] = logit of bond b and investor i, all fields shown: [n_bonds, n_investors]. Investors are worked in blocks, so that
/// memory is bounded by BR_RANK_BLOCK states; an investor's half is made once for all bonds, so the bonds of a day belong into
/// one call. A logit's bytes depend on its bond and its investor alone.
///
///   bond_codes      [n_bonds, n_bond_fields]
///   investor_codes  [n_investors, n_investor_fields]
///
/// Errors: BR_ERR_NO_MEMORY.
#define BR_RANK_BLOCK 512
br_status br_rank_score(float *logits_out, const br_collapsed *collapsed, const uint8_t *bond_codes, size_t n_bonds,
                        const uint8_t *investor_codes, size_t n_investors) BR_MUST_CHECK;

/// The first n_top of the eligible investors by logit, best first; fewer if fewer are eligible. Returns how many.
///
///   logits    [n_investors]  not NaN
///   eligible  [n_investors]  1 = may be recommended
///   id_order  [n_investors]  place of the investor in the order of ids
///   top_out   [n_top]        investors
uint32_t br_rank_top(const float *logits, const uint8_t *eligible, const uint32_t *id_order, uint32_t n_investors,
                     uint32_t n_top, uint32_t *top_out);

/// The place of one investor, whether eligible or not, among the eligible in that order: 1 = nobody is before him.
uint32_t br_rank_place(const float *logits, const uint8_t *eligible, const uint32_t *id_order, uint32_t n_investors,
                       uint32_t investor);

#endif
