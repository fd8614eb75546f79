#ifndef BR_METRICS_HRD_H
#define BR_METRICS_HRD_H

/// Harmonic mean of rationality and diversity: 2 R D / (R + D).
///
///   rationality  in  kappa, at most 1
///   diversity    in  in [0, 1]
///
/// Source:  Eq. (7).
/// Choice:  0 where either is not above 0: a kappa below chance has no harmonic mean. NAN stays NAN.
double br_hrd(double rationality, double diversity);

#endif
