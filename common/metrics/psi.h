#ifndef BR_METRICS_PSI_H
#define BR_METRICS_PSI_H

/// Population stability index: has a distribution moved? By custom below 0.1 is quiet, above 0.25 has drifted.
///
///     double psi = br_psi(of_training, of_today, n_values);
///     double chance = br_psi_by_chance(of_training, of_today, n_values, n_training, n_today);

#include "base/status.h"

#define BR_PSI_DRIFTED 0.25

/// sum_i (a_i - e_i) ln(a_i / e_i) with e_i, a_i the shares of value i; 0 when they are equal, without bound above, the same either way round. NAN if
/// either side is empty.
///
///   expected  in  [n]  how often each value was there
///   actual    in  [n]  how often it is there now
///
/// Source: Siddiqi 2006; Jeffreys' divergence of the two.
/// Choice: a value that one side lacks counts half a case there, so that the logarithm is finite and what is rare on the other side stays
///         small; one that both lack counts nothing.
double br_psi(const uint64_t *expected, const uint64_t *actual, uint32_t n);

/// What to expect where nothing has moved and only the draw differs: (k - 1) (1 / n_expected + 1 / n_actual), of the k values that are there on
/// either side. NAN if a number of draws is 0.
///
///   n_expected, n_actual  independent draws; fewer than the counts where these count one thing many times
double br_psi_by_chance(const uint64_t *expected, const uint64_t *actual, uint32_t n, double n_expected,
                        double n_actual);

#endif
