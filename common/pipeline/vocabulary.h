#ifndef BR_PIPELINE_VOCABULARY_H
#define BR_PIPELINE_VOCABULARY_H

/// What a desk does not want to read as a reason, in fields of a snapshot: a list of names, and a list of pairs that are not to be
/// reasons of one investor, as the configuration writes them.
///
///     "org_type, activity.amount.*"                       // `*` at the end: all fields whose names begin so
///     "activity.frequency.30 + activity.frequency.365"    // on both sides names, each with each

#include "base/buf.h"
#include "market/encoder.h"

typedef struct br_vocabulary {
    uint32_t *banned; ///< [n_banned] investor fields from 0, ascending, none twice
    uint32_t n_banned;
    uint32_t *apart; ///< [n_apart, 2] the lower field first, pairs ascending, none twice
    uint32_t n_apart;
    br_buf unknown; ///< names that fit no investor field, with commas between; empty if there are none
} br_vocabulary;

/// Errors: BR_ERR_INVALID (a pair without " + " or with an empty side), BR_ERR_LIMIT (more than BR_MAX_APART pairs), BR_ERR_NO_MEMORY. On
/// an error *out is as empty as a zeroed one.
br_status br_vocabulary_init(br_vocabulary *out, const br_encoder *encoder, const char *banned,
                             const char *not_together) BR_MUST_CHECK;
void br_vocabulary_deinit(br_vocabulary *vocabulary);

#endif
