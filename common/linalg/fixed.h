#ifndef BR_LINALG_FIXED_H
#define BR_LINALG_FIXED_H

/// Kernels of the answer path: the same bytes on every x86-64 host, from every compiler. No BLAS, no libm exp or log:
/// sixteen fixed lanes, fused multiply-add written out, one reduction tree. The source is compiled for AVX-512, for AVX2
/// with FMA and for plain x86-64 (where fma is computed by the library: slow, same bytes).
///
/// Every element has one order of operations, whatever the width of the machine:
///
///   dot      lane i mod 16 is a chain of fma over i = 0, 1, ...; then lanes are folded 8, 4, 2, 1 apart
///   product  y[i, c] is a chain of fma over the rows of A, starting from y[i, c]
///   sum_rows y[c] is a chain of additions in the order of the list
///   block_*  dots as dot; spread a chain of fma over the block's rows, outer one over the list, each from what is there
///
/// Only NaNs may differ, in their sign and payload.

#include "base/status.h"

#define BR_LANES 16

/// Y += X A with its shapes: y [n, columns], x [n, rows], a [rows, columns]; strides count floats from row to row. With a list only the
/// listed rows of A, and columns of X, are looked at: of finite numbers the same where x is 0 in all others, but for the sign of a 0.
typedef struct br_fixed_product {
    float *y;
    size_t y_stride;
    const float *x;
    size_t x_stride;
    const float *a;
    size_t a_stride;
    size_t n;
    size_t rows;
    size_t columns;
    const uint32_t *list; ///< [rows] ascending; NULL: all rows
} br_fixed_product;

/// A few rows of a larger matrix, and the rows of another that meet them: [rows, columns] and x[list[a]], a < n.
typedef struct br_fixed_block {
    const float *block; ///< [rows, columns]
    size_t rows;
    size_t columns;
    const uint32_t *list; ///< [n] rows of x, each at most once
    size_t n;
} br_fixed_block;

typedef struct br_fixed_kernels {
    const char *name;
    /// sum_i a[i] b[i] over n floats
    float (*dot)(const float *a, const float *b, size_t n);
    /// y[i] += x[i]
    void (*add)(float *y, const float *x, size_t n);
    /// y[i] += a x[i], fused
    void (*axpy)(float *y, float a, const float *x, size_t n);
    /// y[rows] = A[rows, columns] x, A row-major: one dot per row
    void (*matvec)(float *y, const float *a, const float *x, size_t rows, size_t columns);
    /// Y += X A
    void (*product)(const br_fixed_product *product);
    /// y[columns] += sum_i table[list[i], columns]
    void (*sum_rows)(float *y, const float *table, const uint32_t *list, size_t n, size_t columns);
    /// y[a, i] = block[i] . x[list[a]]    y [n, rows], x [.., columns]
    void (*block_dots)(const br_fixed_block *block, float *y, const float *x);
    /// x[list[a]] += sum_i y[a, i] block[i]
    void (*block_spread)(const br_fixed_block *block, float *x, const float *y);
    /// sums[i] += sum_a y[a, i] x[list[a]]    sums [rows, columns]; block->block is not read
    void (*block_outer)(const br_fixed_block *block, float *sums, const float *y, const float *x);
} br_fixed_kernels;

/// The best kernels that this host can run, or those that BOOKRUNNER_KERNEL=avx512|avx2|plain asks for (tests); never
/// NULL. Looks at the environment each time: keep the pointer.
const br_fixed_kernels *br_fixed(void);
/// The kernels by name, or NULL if this host cannot run them or there are none of this name.
const br_fixed_kernels *br_fixed_by_name(const char *name);

/// Elementary functions with one result everywhere: plain double arithmetic in a fixed order, within 2 ulp of
/// double. exp and log behave as C17 says at 0, at infinity and for NaN.
double br_fixed_exp(double x);
double br_fixed_log(double x);
/// 1 / (1 + exp(-x))
double br_fixed_sigmoid(double x);
/// log(p / (1 - p)) for p in (0, 1)
double br_fixed_logit(double p);
/// The same for many floats, faster: within 3 ulp of float. x finite; br_fixed_logs: positive and normal. `out` may be x.
void br_fixed_sigmoids(float *out, const float *x, size_t n);
void br_fixed_logs(float *out, const float *x, size_t n);

#endif
