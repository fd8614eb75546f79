#ifndef BR_MARKET_SIMULATE_H
#define BR_MARKET_SIMULATE_H

/// A simulated primary bond market with known truth. Everything it makes is labelled as simulated; the truth never
/// enters the pipeline, only tests and comparisons.

#include "market/row.h"

/// Every number of the generative model. "Spread" of a distribution is its standard deviation; weights are log-odds.
///
///   u_ib = c + activity_i(t) + popularity_b + sum_f taste_if(t)[x_bf] + spread_taste_i spread_b + latent <e_i, e_j>
///   bid ~ Bernoulli(sigmoid(u_ib)), c such that the mean probability is bid_rate
///   taste_if[v] = taste_scale w_if (t_v - taste_centre sum_v' share_v' t_v'), t_v = taste_favourite or taste_other
typedef struct br_simulation_options {
    uint64_t seed;
    uint32_t n_investors;
    uint32_t n_bonds; ///< in the data (years 1 to 3); a third more are simulated before as history (year 0)
    uint32_t n_issuers;
    int first_year;      ///< year 0
    double bid_rate;     ///< mean probability of a bid
    double combinations; ///< share of attended favourites that count only with a value of a second bond feature

    double issuer_zipf;          ///< exponent of the issuers' shares of the bonds
    double quasi_public_share;   ///< of the bonds of central state-owned issuers that are quasi-public bonds
    double local_type_share;     ///< of the bonds of local state-owned issuers that are of the one type they favour
    double first_province_share; ///< of central state-owned issuers in the first province
    double same_rating_share;    ///< of bonds whose debt rating is the subject rating; half of the others have none
    double renewable_central;    ///< share of renewable bonds of central state-owned issuers
    double renewable_other;
    double spread_noise; ///< of the spread beside rating, renewable and period

    double popularity_scale; ///< popularity_b = scale (size size_b + noise N(0,1))
    double popularity_size;
    double popularity_noise;

    double org_zipf;            ///< exponent of the organisation types' shares
    double org_activity_spread; ///< of the mean activity of organisation types
    double activity_spread;     ///< of investors within one
    double month_spread;        ///< of the activity from month to month, stationary
    double month_correlation;   ///< of one month with the next
    double org_spread_taste;    ///< spread of the taste for spread between organisation types
    double spread_taste_spread; ///< within one
    double latent;              ///< weight of the product of hidden vectors in R^4

    double attention_share; ///< P(an investor attends to a feature)
    double attention_low;   ///< attention w ~ U(low, high)
    double attention_high;
    double affinity_spread;  ///< of the logarithm of an organisation type's affinity to a value
    double favourite_power;  ///< favourites are drawn in proportion to share^power x affinity
    double changes_per_year; ///< how often the favourites of an attended feature are drawn anew
    double taste_scale;
    double taste_centre;
    double taste_favourite;
    double taste_other;

    double amount_activity; ///< log amount = amount_activity activity_i + amount_noise N(0,1)
    double amount_noise;
} br_simulation_options;

/// "tiny" (300 investors x 600 bonds, for tests), "small" (1,000 x 2,000) or "paper" (1,000 x 3,000). Errors: BR_ERR_INVALID for another name.
br_status br_simulation_defaults(br_simulation_options *out, const char *size) BR_MUST_CHECK;

/// The truth about a pair.
typedef struct br_truth {
    float utility;   ///< log-odds of a bid
    uint16_t causal; ///< bit f: the bond's value of preference feature f is a favourite of this investor that counts
} br_truth;

/// Called for every row in the order a ledger may take them (bonds by announcement, investors, bids by issue day); what it
/// points to is valid during the call. A status other than BR_OK ends the run and is returned.
typedef br_status (*br_simulation_sink)(void *context, const br_row *row);

typedef struct br_simulation br_simulation;
/// Draw the market; nothing of it depends on the run. Errors: BR_ERR_INVALID (an option out of range), BR_ERR_NO_MEMORY.
br_status br_simulation_new(br_simulation **out, const br_simulation_options *options) BR_MUST_CHECK;
/// schema.yaml of this market (valid until the simulation is freed).
const char *br_simulation_schema(const br_simulation *simulation);
/// The same as a schema; history_until is the first day of the data.
const br_schema *br_simulation_declares(const br_simulation *simulation);
br_status br_simulation_run(br_simulation *simulation, br_simulation_sink sink, void *context) BR_MUST_CHECK;
/// For all bonds, those of the history included (in order of bonds.csv), and investors (in order of investors.csv):
/// [n_bonds, n_investors].
const br_truth *br_simulation_truth(const br_simulation *simulation, uint32_t *n_bonds_out, uint32_t *n_investors_out);
void br_simulation_free(br_simulation **simulation);

#endif
