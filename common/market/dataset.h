#ifndef BR_MARKET_DATASET_H
#define BR_MARKET_DATASET_H

/// Samples: (bond, investor known before the issue) with y = 1 if the investor bid (paper 5.1), split by time.
/// Investor codes are kept once per (issue day, investor), bond codes once per bond; a sample is two numbers.

#include "market/encoder.h"

/// Bonds issued before `train_until` train, before `valid_until` validate, the rest tests. A day is never split.
typedef struct br_split {
    br_day train_from;
    br_day train_until;
    br_day valid_until;
    br_day test_until; ///< exclusive
} br_split;

/// 6:2:2 (or other shares) over the bonds in order of issue date. Errors: BR_ERR_INVALID if a part would be empty.
br_status br_split_by_time(br_split *out, br_market *market, double train_share, double valid_share) BR_MUST_CHECK;
/// All bonds issued and with closed books before `day`: the last `valid_share` of them validate; test is empty.
br_status br_split_before(br_split *out, br_market *market, br_day day, double valid_share) BR_MUST_CHECK;

/// As br_split_before(), but what was issued in the last `valid_days` days up to the newest such bond validates.
br_status br_split_daily(br_split *out, br_market *market, br_day day, uint32_t valid_days) BR_MUST_CHECK;

typedef struct br_dataset {
    uint32_t n_bond_fields;
    uint32_t n_investor_fields;
    uint32_t *bonds; ///< [n_bonds] numbers in the market
    uint32_t n_bonds;
    uint8_t *bond_codes;     ///< [n_bonds, n_bond_fields]
    float *bond_weights;     ///< [n_bonds] what the schema lets a bond's samples weigh in training; NULL: all 1
    uint8_t *investor_codes; ///< [n_rows, n_investor_fields]
    size_t n_rows;
    uint32_t *bond_of;     ///< [n] row of bond_codes
    uint32_t *row_of;      ///< [n] row of investor_codes
    uint32_t *investor_of; ///< [n] investor's number in the market
    uint8_t *label;        ///< [n] 1 = bid
    size_t n;              ///< samples kept, in order (issue day, bond, investor)
    size_t n_positive;
    size_t n_pairs;       ///< eligible pairs in the range, kept or not
    double negative_keep; ///< each negative was kept with this probability; 1 = all of them
} br_dataset;

typedef struct br_dataset_options {
    size_t max_bytes;     ///< bound for codes and samples, negatives are thinned until they fit; 0 = none
    double max_negatives; ///< at most this many negatives per positive are kept; 0 = no such limit
    uint64_t seed;
    double
        replay_share; ///< > 0: of the pairs before replay_until only a uniform draw is taken, bids and others alike: so many per later one
    br_day replay_until;
} br_dataset_options;

/// All samples of the bonds issued in [from, until). Negatives are thinned uniformly (never positives) when the whole would not
/// fit; negative_keep then gives the exact shift of the logit: logit_full = logit_thinned + log(negative_keep).
/// Errors: BR_ERR_INVALID without bonds or without bids; BR_ERR_NO_MEMORY.
br_status br_dataset_new(br_dataset **out, br_market *market, const br_encoder *encoder, br_day from, br_day until,
                         const br_dataset_options *options) BR_MUST_CHECK;
void br_dataset_free(br_dataset **dataset);

#endif
