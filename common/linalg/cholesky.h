#ifndef BR_LINALG_CHOLESKY_H
#define BR_LINALG_CHOLESKY_H

/// Symmetric positive definite matrices in double precision, by OpenBLAS and its LAPACK. Row-major, [n, n]. One thread per call, as for every
/// product (linalg/gemm.h).
///
/// Source: Anderson et al., LAPACK Users' Guide: dpotrf, dpotri.

#include "base/status.h"

/// The upper triangle of C [n, n] += A^T A, A [rows, n]; what is below the diagonal stays.
void br_syrk(double *c, const double *a, size_t rows, size_t n);
/// A^-1 in the place of A, both triangles; only the upper one is read. n^3 floating point operations.
/// Errors: BR_ERR_INVALID when A is not positive definite or not finite; then A is of no use.
br_status br_cholesky_invert(double *a, size_t n) BR_MUST_CHECK;

#endif
