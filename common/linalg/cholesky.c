#include "linalg/cholesky.h"

#include <cblas.h>
#include <f77blas.h>
#include <limits.h>
#include <math.h>

// Row-major and upper is what LAPACK, which goes by columns, calls lower.
static char lower[] = "L";

static blasint blas_size(size_t n)
{
    br_assert(n <= INT_MAX);
    return (blasint)n;
}

void br_syrk(double *c, const double *a, size_t rows, size_t n)
{
    cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, blas_size(n), blas_size(rows), 1.0, a, blas_size(n), 1.0, c,
                blas_size(n));
}

/// LAPACK stops at a pivot that is 0 or below, but carries a NaN through: then the trace is not finite.
static br_status check(size_t n, blasint info, const double *inverse)
{
    br_assert(info >= 0); // below 0: an argument that LAPACK does not take
    double trace = 0.0;
    for (size_t i = 0; i < n && info == 0; i++) {
        trace += inverse[i * (n + 1)];
    }
    if (info == 0 && isfinite(trace)) {
        return BR_OK;
    }
    if (info == 0) {
        return br_fail(BR_ERR_INVALID, "a matrix of %zu rows has no finite inverse", n);
    }
    return br_fail(BR_ERR_INVALID, "a matrix of %zu rows is not positive definite: row %d depends on those before it",
                   n, (int)info);
}

/// Copy the upper triangle to the lower one, square by square: a column of the whole matrix at once would miss the cache at each element.
static void mirror(double *a, size_t n)
{
    enum { SQUARE = 32 };
    for (size_t top = 0; top < n; top += SQUARE) {
        for (size_t left = top; left < n; left += SQUARE) {
            for (size_t i = top; i < top + SQUARE && i < n; i++) {
                for (size_t j = left > i ? left : i + 1; j < left + SQUARE && j < n; j++) {
                    a[j * n + i] = a[i * n + j];
                }
            }
        }
    }
}

br_status br_cholesky_invert(double *a, size_t n)
{
    blasint size = blas_size(n);
    blasint info = 0;
    if (n > 0) {
        dpotrf_(lower, &size, a, &size, &info);
        if (info == 0) {
            dpotri_(lower, &size, a, &size, &info);
        }
    }
    mirror(a, n);
    return check(n, info, a);
}
