#ifndef BR_LINALG_FIXED_H
#define BR_LINALG_FIXED_H

/// Kernels of the answer path: the same bytes on every x86-64 host, from every compiler. No BLAS, no libm exp or log:
/// sixteen fixed lanes, fused multiply-add written out, one reduction tree. Each kernel is compiled for AVX-512, for AVX2
/// with FMA and for plain x86-64 (where fma is computed by the library: slow, same bytes); the best one the host
/// has is chosen at start, BOOKRUNNER_KERNEL=avx512|avx2|plain overrides it for tests.

#include "base/status.h"

#define BR_LANES 16

typedef struct br_fixed_kernels {
    const char *name;
    /// sum_i a[i] b[i] over n floats
    float (*dot)(const float *a, const float *b, size_t n);
    /// y[i] += x[i]
    void (*add)(float *y, const float *x, size_t n);
    /// y[i] += a x[i], fused
    void (*axpy)(float *y, float a, const float *x, size_t n);
    /// y[rows] = A[rows, columns] x, A row-major
    void (*matvec)(float *y, const float *a, const float *x, size_t rows, size_t columns);
    /// y[columns] += A^T[columns, rows] x, A row-major [rows, columns]: axpy row by row
    void (*matvec_transposed_add)(float *y, const float *a, const float *x, size_t rows, size_t columns);
    // more as rank and explain need them
} br_fixed_kernels;

/// The kernels in use; never NULL.
const br_fixed_kernels *br_fixed(void);
/// The kernels by name, or NULL if this host cannot run them; for tests that compare all of them.
const br_fixed_kernels *br_fixed_by_name(const char *name);

/// Elementary functions with one result everywhere (double inside, +-2 ulp of float).
double br_fixed_exp(double x);
double br_fixed_log(double x);
/// 1 / (1 + exp(-x))
double br_fixed_sigmoid(double x);
/// log(p / (1 - p)) for p in (0, 1)
double br_fixed_logit(double p);

#endif
