#ifndef BR_ATTRIBUTION_REGRESSION_H
#define BR_ATTRIBUTION_REGRESSION_H

/// Weighted least squares for the auxiliary models. Not for other modules.
///
///   ridge     min over beta, c  sum_t w_t (y_t - c - x_t . beta)^2 + ridge |beta|^2
///   with_sum  min over beta     sum_t w_t (y_t - x_t . beta)^2   where the sum of beta is given; of several the one nearest to equal parts
///
/// Rows come in portions and are forgotten: what stays is X^T W X, X^T W y and the sums of the columns.

#include "base/status.h"

#define BR_REGRESSION_ROWS 128 ///< of a portion

typedef struct br_regression {
    size_t n;        ///< columns
    float *gram;     ///< [n, n] X^T W X
    double *moment;  ///< [n] X^T W y
    double *column;  ///< [n] X^T w
    double weight;   ///< sum of w
    double target;   ///< sum of w y
    float *weighted; ///< [BR_REGRESSION_ROWS, n] W X of a portion
    double *scratch; ///< [4, n]
} br_regression;

/// Errors: BR_ERR_NO_MEMORY.
br_status br_regression_init(br_regression *regression, size_t max_columns) BR_MUST_CHECK;
void br_regression_deinit(br_regression *regression);
/// No rows yet, of `n` columns.
void br_regression_reset(br_regression *regression, size_t n);
///   x  [n_rows, n]    w, y  [n_rows]    n_rows <= BR_REGRESSION_ROWS
void br_regression_add(br_regression *regression, float *x, const double *w, const double *y, size_t n_rows);
/// beta_out[n]. The weights may not all be 0.
void br_regression_ridge(br_regression *regression, double ridge, double *beta_out);
/// beta_out[n]; n > 0.
void br_regression_with_sum(br_regression *regression, double sum, double *beta_out);

/// out = A v
typedef void (*br_apply)(const void *context, const double *v, double *out);
/// x_out[n] = A^-1 b of a symmetric, positive semi-definite A, b in its range; the shortest if there are several.
///   scratch  [3, n]
///
/// Source: Hestenes and Stiefel 1952; stops at 1e-9 of |b| or after 2 n + 20 steps.
void br_conjugate_gradients(br_apply apply, const void *context, const double *b, size_t n, double *x_out,
                            double *scratch);

#endif
