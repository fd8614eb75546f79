#ifndef BOOKRUNNER_TRUTH_H
#define BOOKRUNNER_TRUTH_H

/// What the simulator knew of every pair: FOLDER/truth, as simulate_folder() writes it. Only comparisons read it, no service does.
///
///     truth_open(&known, folder, market);
///     truth_read(known, market, bond, utilities, causal);     // each bond

#include "market/market.h"

/// Has the folder a truth? It then was simulated.
bool truth_exists(const char *folder);

typedef struct truth truth;
/// Memory: the ids, and one bond's row. Errors: BR_ERR_INVALID (an investor of the market without truth or the reverse, an id twice, files that do not
/// fit each other), BR_ERR_IO, BR_ERR_NO_MEMORY.
br_status truth_open(truth **out, const char *folder, const br_market *market) BR_MUST_CHECK;
/// One bond's pairs, by the investors' numbers in the market that the truth was opened for.
///
///   utilities  out  [n_investors]  log-odds of a bid
///   causal     out  [n_investors]  bit f: the bond's value of preference feature f counts for the investor; may be NULL
///
/// Errors: BR_ERR_INVALID (no such bond, a utility that is not finite), BR_ERR_IO.
br_status truth_read(truth *known, const br_market *market, uint32_t bond, float *utilities,
                     uint16_t *causal) BR_MUST_CHECK;
void truth_free(truth **known);

#endif
