#ifndef BR_METRICS_ISOTONIC_H
#define BR_METRICS_ISOTONIC_H

/// Isotonic calibration: a logit to the logit of the probability that the labels bear out, by a rising line of few pieces.
///
///     br_isotonic line;
///     br_status status = br_isotonic_fit(&line, logits, labels, NULL, n);
///     double probability = 1.0 / (1.0 + exp(-br_isotonic_apply(&line, logit)));

#include "base/status.h"

#define BR_ISOTONIC_MAX_KNOTS 64
#define BR_ISOTONIC_MIN_SLOPE 1e-3 ///< no piece is flatter, so that the order of the logits stays

typedef struct br_isotonic {
    uint32_t n_knots;                     ///< 1 to BR_ISOTONIC_MAX_KNOTS
    double logits[BR_ISOTONIC_MAX_KNOTS]; ///< strictly ascending
    double values
        [BR_ISOTONIC_MAX_KNOTS]; ///< calibrated logits; from knot to knot they rise by BR_ISOTONIC_MIN_SLOPE at least
} br_isotonic;

/// Fit the non-decreasing probabilities of the highest likelihood (pool adjacent violators), then join neighbouring pools down to the
/// knots: one in the mean logit of each pool.
///
///   logits   in  [n]  finite
///   labels   in  [n]  0 or 1
///   weights  in  [n]  > 0, a weight of 2 is a sample that is there twice; NULL: all 1
///
/// Source: Barlow et al. 1972; Zadrozny and Elkan 2002.
/// Choice: the pair of neighbours whose joining costs the least likelihood is joined first, until there are at most
///         BR_ISOTONIC_MAX_KNOTS and any two differ by more than chance (likelihood ratio test, 95 %): the pools of the plain fit
///         are many and follow the noise.
/// Choice: a line between the knots instead of steps, because steps tie what the model told apart.
/// Choice: a pool that lacks a label has half a sample of each on top, so that its logit is finite.
/// Errors: BR_ERR_INVALID without both labels; BR_ERR_NO_MEMORY.
br_status br_isotonic_fit(br_isotonic *out, const float *logits, const uint8_t *labels, const double *weights,
                          size_t n) BR_MUST_CHECK;

/// The calibrated logit: linear between the knots; beyond the first and the last it stays at theirs but for BR_ISOTONIC_MIN_SLOPE.
double br_isotonic_apply(const br_isotonic *line, double logit);

#endif
