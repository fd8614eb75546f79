#ifndef BR_MARKET_SIMULATE_H
#define BR_MARKET_SIMULATE_H

/// A simulated primary bond market with known truth. Everything it makes is labelled as simulated; the truth never
/// enters the pipeline, only tests and comparisons.

#include "market/row.h"

typedef struct br_simulation_options {
    uint64_t seed;
    uint32_t n_investors;
    uint32_t n_bonds; ///< in the data (years 1 to 3); a third more are simulated before as history
    uint32_t n_issuers;
    double bid_rate;     ///< mean probability of a bid: 0.022
    double combinations; ///< share of attended favourites that count only with a second bond feature
    // ... every number of the generative model is a named parameter here, with its default in br_simulation_defaults()
} br_simulation_options;

/// "small" or "paper" (1,000 investors x 3,000 bonds). Errors: BR_ERR_INVALID for another name.
br_status br_simulation_defaults(br_simulation_options *out, const char *size) BR_MUST_CHECK;

/// The truth about a pair.
typedef struct br_truth {
    float utility; ///< log-odds of a bid
    uint16_t
        causal; ///< bit f: the bond's value of preference feature f is a favourite of this investor that counts
} br_truth;

/// Called for every row in the order a ledger may take them; what it points to is valid during the call.
typedef br_status (*br_simulation_sink)(void *context, const br_row *row);

typedef struct br_simulation br_simulation;
br_status br_simulation_new(br_simulation **out, const br_simulation_options *options) BR_MUST_CHECK;
/// schema.yaml of this market (valid until the simulation is freed).
const char *br_simulation_schema(const br_simulation *simulation);
br_status br_simulation_run(br_simulation *simulation, br_simulation_sink sink, void *context) BR_MUST_CHECK;
/// After the run, for all bonds (in order of bonds.csv) and investors (in order of investors.csv): [n_bonds, n_investors].
const br_truth *br_simulation_truth(const br_simulation *simulation, uint32_t *n_bonds_out,
                                    uint32_t *n_investors_out);
void br_simulation_free(br_simulation **simulation);

#endif
