#ifndef BR_MARKET_SIMULATE_FEATURES_H
#define BR_MARKET_SIMULATE_FEATURES_H

/// The features of the simulated market; nothing outside this module includes it.

#include "market/schema.h"

/// Bond features in the order of the schema. The first ten are those of the paper's Table 6.
typedef enum sim_bond_feature {
    SIM_PERIOD,
    SIM_SUBJECT_RATING,
    SIM_DEBT_RATING,
    SIM_TYPE,
    SIM_RENEWABLE,
    SIM_INDUSTRY,
    SIM_PROVINCE,
    SIM_PROPERTY,
    SIM_ISSUER_TYPE,
    SIM_LISTED,
    SIM_N_TASTES,
    SIM_SIZE = SIM_N_TASTES,
    SIM_SPREAD,
    SIM_TENOR,
    SIM_LEVERAGE,
    SIM_ISSUER_ASSETS,
    SIM_EARLIER_ISSUES,
    SIM_RATE_LEVEL,
    SIM_RATE_TREND,
    SIM_MONTH,
    SIM_WEEKDAY,
    SIM_QUARTER_END,
    SIM_LEAD_DAYS,
    SIM_GUARANTEE,
    SIM_CALLABLE,
    SIM_PUTTABLE,
    SIM_ROLE,
    SIM_PROCEEDS,
    SIM_VENUE,
    SIM_COUPON,
    SIM_GREEN,
    SIM_OUTLOOK,
    SIM_SLOT,
    SIM_N_BOND_FEATURES
} sim_bond_feature;

typedef enum sim_investor_feature {
    SIM_ORG_TYPE,
    SIM_HOME_PROVINCE,
    SIM_HOME_REGION,
    SIM_BUSINESS_SCORE,
    SIM_ASSET_SCORE,
    SIM_GRADE,
    SIM_RISK_APPETITE,
    SIM_STATE_OWNED,
    SIM_LICENCE,
    SIM_CITY_TIER,
    SIM_ACCOUNT_KIND,
    SIM_FISCAL_MONTH, // from here on pure noise
    SIM_CUSTODIAN,
    SIM_MANAGER,
    SIM_CHANNEL,
    SIM_LANGUAGE,
    SIM_FORM_SCORE,
    SIM_N_INVESTOR_FEATURES
} sim_investor_feature;

#define SIM_MAX_VALUES    32
#define SIM_N_TASTE_CODES 106 ///< values of the ten features together

/// Values of each of the ten features.
extern const uint32_t br_sim_n_values[SIM_N_TASTES];

/// The schema, its text included. Errors: BR_ERR_NO_MEMORY.
br_status br_simulation_schema_new(br_schema **out, br_day history_until) BR_MUST_CHECK;

#endif
