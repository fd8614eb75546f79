#ifndef BOOKRUNNER_EXPLAINED_H
#define BOOKRUNNER_EXPLAINED_H

/// A bond's stored list with its reasons: what `explain` and `run` print.

#include "pipeline/present.h"
#include "stores.h"

typedef struct explained {
    br_arena *arena;
    br_list list;
    br_outcome outcome;
    br_job_body job;    ///< meaningful if the list has one
    br_earlier earlier; ///< the reasons of the bond's list before
    br_snapshot *snapshot;
    char version[BR_VERSION_TEXT]; ///< of `snapshot`; "" without one
    br_votes *votes;               ///< on pairs of issuers; NULL: not read
    uint32_t threshold;            ///< so many of five must call a pair valid
} explained;

/// Read the newest list of the bond and what has become of its explanation. Errors: BR_ERR_NOT_FOUND without a list.
br_status explained_read(explained *out, stores *s, const char *bond_id) BR_MUST_CHECK;
/// Read what people say of pairs of issuers, so that only past bids are shown that the page shows, too. Errors: those of the ledger and of the configuration.
br_status explained_votes(explained *out, stores *s) BR_MUST_CHECK;
br_presented explained_presented(const explained *e, const char *only_investor);
/// As text: at most n_investors with their reasons in words.
void explained_text(br_buf *out, const explained *e, const char *only_investor, uint32_t n_investors);
void explained_deinit(explained *e);

#endif
