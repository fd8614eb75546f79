#ifndef BR_PIPELINE_WHAT_IF_H
#define BR_PIPELINE_WHAT_IF_H

/// What a stored list's job can still be asked: where an investor stands who is not on the list, and who would be on it if the bond were
/// another. The job's body and its population are all that is needed; br_job_work() gives the reasons, begun where the job's own began
/// (body.after), so that an unchanged bond has the list's.
///
///     br_asked asked = {.served = served, .body = &body, .codes = codes, .halves = halves, .ids = ids, .id_order = order};
///     uint32_t rank = br_asked_place(&asked, investor);                       // why not Z
///     br_bond_value value = {.feature = "rating", .kind = BR_VALUE_TEXT, .text = "AA"};
///     status = br_bond_value_code(encoder, &value, &field, &code);
///     status = br_what_if(&list, &body_if, arena, &asked, bond_codes, 50);    // what if
///
/// Pure: the same job, population and snapshot give the same bytes.

#include "codec/stored.h"
#include "pipeline/halves.h"
#include "pipeline/served.h"

typedef struct br_asked {
    const br_served *served; ///< the job's snapshot
    const br_job_body *body;
    const uint8_t *codes;     ///< [body->n_population, n_investor_fields]
    br_halves *halves;        ///< of these codes
    const char *const *ids;   ///< [n_population]
    const uint32_t *id_order; ///< [n_population] places in the order of ids
} br_asked;

/// The investor's place among those who may be recommended, by the job's scores, whether he may be or not; 1 = the first.
uint32_t br_asked_place(const br_asked *asked, uint32_t investor);
/// The probability that a person is shown for him.
double br_asked_probability(const br_asked *asked, uint32_t investor);
/// The job for one investor alone, with nothing of his past bids; it borrows *investor.
br_job_body br_asked_for(const br_asked *asked, const uint32_t *investor);

typedef enum br_value_kind { BR_VALUE_MISSING, BR_VALUE_TEXT, BR_VALUE_NUMBER } br_value_kind;

/// A bond feature's value as a person would have it.
typedef struct br_bond_value {
    const char *feature;
    br_value_kind kind;
    const char *text; ///< of categorical, ordinal and flag ("no", "yes") features
    double number;    ///< of continuous ones; finite
} br_bond_value;

/// Its field and code. Errors: BR_ERR_INVALID when the model knows no such feature, or the feature no such value: a missing one would be
/// ranked in its place.
br_status br_bond_value_code(const br_encoder *encoder, const br_bond_value *value, uint32_t *field_out,
                             uint8_t *code_out) BR_MUST_CHECK;

/// The list of at most `n_top` that a bond with these codes would have, and the job that explains it, with nothing of past bids. What they point to lives in the arena and
/// in `asked`.
/// Errors: BR_ERR_NO_MEMORY, BR_ERR_LIMIT (arena), BR_ERR_INVALID (a logit that is no number).
br_status br_what_if(br_list *list_out, br_job_body *body_out, br_arena *arena, const br_asked *asked,
                     const uint8_t *bond_codes, uint32_t n_top) BR_MUST_CHECK;

#endif
