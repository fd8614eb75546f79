#ifndef BR_LINALG_FIXED_SOLVE_H
#define BR_LINALG_FIXED_SOLVE_H

/// Small systems of equations on the answer path: double precision, the same bytes on every machine, from every compiler. No BLAS; every element has
/// one order of operations (a chain of products and differences, nothing fused), whatever the width of the machine. Row-major; of symmetric
/// matrices [n, n] the upper triangle counts; what is below the diagonal may be anything finite before, and is of no use afterwards.

#include "base/status.h"

/// A += weight row row^T, row [n]
void br_fixed_add_outer(double *a, double weight, const float *row, size_t n);
#define BR_FIXED_OUTERS 4
/// The same of four rows, one after the other, in half the time of four calls. The same bytes.
void br_fixed_add_outers(double *a, const double weights[BR_FIXED_OUTERS], const float *const rows[BR_FIXED_OUTERS],
                         size_t n);
/// y += a x, x [n]
void br_fixed_add_row(double *y, double a, const float *x, size_t n);
/// sum_i a[i] x[i] over n, in eight lanes
double br_fixed_dot_row(const double *a, const float *x, size_t n);

/// A = U^T U, U in the place of A. No pivot is taken below `floor` (above 0), so it cannot fail. Of a positive semidefinite matrix plus
/// floor I no exact pivot is below: the floor takes back what rounding did. Where rounding is larger than `floor` itself, the floor is its size: 2^-48 of the
/// trace; else noise would be divided by less than noise.
void br_fixed_cholesky(double *a, size_t n, double floor);
/// x = A^-1 b in the place of b [n], with the U of br_fixed_cholesky().
void br_fixed_cholesky_solve(const double *u, double *b, size_t n);

#endif
