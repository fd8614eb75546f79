#ifndef BR_PIPELINE_SHOWN_H
#define BR_PIPELINE_SHOWN_H

/// Are probabilities right when only a few fields of an investor are shown, as explanations do? A draw of pairs, each with 1, 2, ... random
/// fields shown, against the bids.

#include "model/collapse.h"
#include "model/train.h"

#define BR_MAX_SHOWN 6 ///< as many fields as a default explanation has

typedef struct br_shown_pairs br_shown_pairs;

/// Each pair is taken with probability `share`, at most `capacity` of them. `collapsed`: borrowed. Errors: BR_ERR_NO_MEMORY.
br_status br_shown_pairs_new(br_shown_pairs **out, const br_collapsed *collapsed, size_t capacity,
                             double share) BR_MUST_CHECK;
void br_shown_pairs_free(br_shown_pairs **pairs);
/// The draw of one bond's pairs, a function of the bond's number alone: further fields are shown beside those shown before.
///
///   bond_codes  [n_bond_fields]    codes  [n, n_investor_fields]    eligible  [n]    bid  [n]
void br_shown_pairs_add(br_shown_pairs *pairs, uint32_t bond, const uint8_t *bond_codes, const uint8_t *codes,
                        const uint8_t *eligible, const uint8_t *bid, uint32_t n);
/// errors[k - 1] = expected calibration error (20 bins) with k fields shown; NAN where there are fewer fields or no pairs.
br_status br_shown_pairs_errors(const br_shown_pairs *pairs, const br_calibration *calibration,
                                double errors[BR_MAX_SHOWN]) BR_MUST_CHECK;

#endif
