#ifndef BR_PIPELINE_HALVES_H
#define BR_PIPELINE_HALVES_H

/// Scores of a population's investors for one bond after the other. What an investor adds to a collapsed state is made once and kept when
/// all fit; a larger population is worked in blocks, anew for each bond.

#include "model/collapse.h"

#define BR_HALVES_MAX_BYTES ((size_t)192 << 20)

typedef struct br_halves br_halves;

/// Room for n investors: at most `max_bytes` (at least one investor's half). `collapsed`: borrowed. Errors: BR_ERR_NO_MEMORY.
br_status br_halves_new(br_halves **out, const br_collapsed *collapsed, uint32_t n, size_t max_bytes) BR_MUST_CHECK;
void br_halves_free(br_halves **halves);
/// The investors' codes have changed: forget what was kept.
void br_halves_forget(br_halves *halves);
/// logits_out[n] of one bond with all fields shown. The same bytes, kept or not.
///
///   codes       [n, n_investor_fields]  the same in each call unless forgotten
///   bond_codes  [n_bond_fields]
///
/// Errors: BR_ERR_NO_MEMORY.
br_status br_halves_score(br_halves *halves, const uint8_t *codes, const uint8_t *bond_codes,
                          float *logits_out) BR_MUST_CHECK;

#endif
