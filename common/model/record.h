#ifndef BR_MODEL_RECORD_H
#define BR_MODEL_RECORD_H

/// The record: how often investors with a feature's value bid on bonds with a value, against what chance would have it. From
/// the bonds of the training range only; part of the snapshot.
///
///   n_t[j,v] = investors with field j = v on the day of bond t;  k_t[j,v] = how many of them bid;  r = overall bid rate
///   r_jv = (sum k + 50 r) / (sum n + 50);   pop(phi,u) = mean bid rate of the bonds whose field phi has value u
///   K = sum of k_t,  E = sum of n_t r_jv pop(phi,u) / r,  both over the bonds with phi = u
///   dev[phi,u,j,v] = sign(K - E) sqrt(2 ((K+1) ln((K+1)/(E+1)) - (K - E)))     signed root of the Poisson deviance, "sigmas"
///   F(j) = the bond field with the largest dev over its values and over v other than none: learned, no table of names

#include "market/encoder.h"

typedef struct br_record {
    uint32_t n_bond_fields;
    uint32_t n_investor_fields;
    uint32_t *speaks_of;   ///< [n_investor_fields] F(j): a bond field
    uint32_t *n_values;    ///< [n_investor_fields] codes of field j
    uint32_t *bond_values; ///< [n_bond_fields] codes of bond field phi
    size_t *offset; ///< [n_investor_fields + 1] of field j in dev and bids: a table [bond_values[F(j)], n_values[j]]
    float *dev;     ///< sigmas
    uint32_t *bids; ///< K
} br_record;

/// From the bonds issued in [from, until), each with the investors eligible on its issue day.
///
/// Choice:  pop is the mean of the bonds' own bid rates, so that a bond counts alike with few or many eligible investors; a missing
///          bond value never decides F(j); ties go to the lower bond field.
/// Errors:  BR_ERR_INVALID without bond features or without a bid in the range; BR_ERR_NO_MEMORY.
br_status br_record_learn(br_record **out, br_market *market, const br_encoder *encoder, br_day from,
                          br_day until) BR_MUST_CHECK;
void br_record_free(br_record **record);
/// d_b(j, v): sigmas that back field j = code for a bond with these codes; `bids_out` may be NULL.
float br_record_backing(const br_record *record, const uint8_t *bond_codes, uint32_t j, uint8_t code,
                        uint32_t *bids_out);

/// How many times as often as chance would have it: K / E with its 95 % interval.
typedef struct br_record_times {
    double times;
    double low;
    double high;
} br_record_times;
/// From what backs a reason: dev, at least 0, and K. E is the only one that gives this dev.
///
/// Source:  the interval is Byar's approximation for a Poisson count (Breslow and Day, Statistical Methods in Cancer Research II, 1987),
///          within 1 % of the exact one from 10 bids on; bids of one investor are taken as independent.
br_record_times br_record_times_of(double sigmas, uint32_t bids);

#endif
