#include "linalg/fixed_solve.h"

#include "linalg/fixed_widths.h"

#include <math.h>

enum { LANES = 8, PANEL = 4 };

#define ROUNDING 0x1p-48 ///< of a pivot, in units of the trace: some 32 roundings of 2^-53

/// Where a row's work begins: what is below the diagonal is worked along, so that most rows are whole vectors.
static inline size_t whole(size_t i)
{
    return i / LANES * LANES;
}

static double fold(const double lanes[LANES])
{
    return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

SEVERAL_WIDTHS static void add_outer(double *a, double weight, const float *row, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double factor = weight * (double)row[i];
        double *to = a + i * n;
        for (size_t j = whole(i); j < n; j++) {
            to[j] += factor * (double)row[j];
        }
    }
}

void br_fixed_add_outer(double *a, double weight, const float *row, size_t n)
{
    add_outer(a, weight, row, n);
}

/// Each element is read and written once for four rows, in the order of the rows.
SEVERAL_WIDTHS static void add_outers(double *a, const double weights[BR_FIXED_OUTERS],
                                      const float *const rows[BR_FIXED_OUTERS], size_t n)
{
    const float *r0 = rows[0];
    const float *r1 = rows[1];
    const float *r2 = rows[2];
    const float *r3 = rows[3];
    for (size_t i = 0; i < n; i++) {
        double f0 = weights[0] * (double)r0[i];
        double f1 = weights[1] * (double)r1[i];
        double f2 = weights[2] * (double)r2[i];
        double f3 = weights[3] * (double)r3[i];
        double *to = a + i * n;
        for (size_t j = whole(i); j < n; j++) {
            to[j] = (((to[j] + f0 * (double)r0[j]) + f1 * (double)r1[j]) + f2 * (double)r2[j]) + f3 * (double)r3[j];
        }
    }
}

void br_fixed_add_outers(double *a, const double weights[BR_FIXED_OUTERS], const float *const rows[BR_FIXED_OUTERS],
                         size_t n)
{
    add_outers(a, weights, rows, n);
}

SEVERAL_WIDTHS static void add_row(double *y, double a, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        y[i] += a * (double)x[i];
    }
}

void br_fixed_add_row(double *y, double a, const float *x, size_t n)
{
    add_row(y, a, x, n);
}

SEVERAL_WIDTHS static double dot_row(const double *a, const float *x, size_t n)
{
    double lanes[LANES] = {0.0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (size_t lane = 0; lane < LANES; lane++) {
            lanes[lane] += a[i + lane] * (double)x[i + lane];
        }
    }
    for (size_t lane = 0; i + lane < n; lane++) {
        lanes[lane] += a[i + lane] * (double)x[i + lane];
    }
    return fold(lanes);
}

double br_fixed_dot_row(const double *a, const float *x, size_t n)
{
    return dot_row(a, x, n);
}

/// Rows of U from k to end, when all rows before k have been taken off.
static inline void factor_panel(double *a, size_t n, size_t k, size_t end, double floor)
{
    for (size_t i = k; i < end; i++) {
        double *row = a + i * n;
        for (size_t above = k; above < i; above++) {
            double factor = a[above * n + i];
            for (size_t j = whole(i); j < n; j++) {
                row[j] -= factor * a[above * n + j];
            }
        }
        double pivot = sqrt(row[i] > floor ? row[i] : floor);
        double inverse = 1.0 / pivot;
        for (size_t j = whole(i); j < n; j++) {
            row[j] *= inverse;
        }
        row[i] = pivot;
    }
}

/// The rows of a whole panel are taken off all others in one pass, each element in the order of the panel's rows.
SEVERAL_WIDTHS static void cholesky(double *a, size_t n, double floor)
{
    size_t k = 0;
    for (; k + PANEL < n; k += PANEL) {
        factor_panel(a, n, k, k + PANEL, floor);
        const double *u[PANEL] = {a + k * n, a + (k + 1) * n, a + (k + 2) * n, a + (k + 3) * n};
        for (size_t i = k + PANEL; i < n; i++) {
            double *row = a + i * n;
            double factors[PANEL] = {u[0][i], u[1][i], u[2][i], u[3][i]};
            for (size_t j = whole(i); j < n; j++) {
                row[j] = (((row[j] - factors[0] * u[0][j]) - factors[1] * u[1][j]) - factors[2] * u[2][j]) -
                         factors[3] * u[3][j];
            }
        }
    }
    factor_panel(a, n, k, n, floor);
}

void br_fixed_cholesky(double *a, size_t n, double floor)
{
    double trace = 0.0;
    for (size_t i = 0; i < n; i++) {
        trace += a[i * n + i];
    }
    double rounding = trace * ROUNDING;
    cholesky(a, n, rounding > floor ? rounding : floor);
}

SEVERAL_WIDTHS static void solve(const double *u, double *b, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        const double *row = u + k * n;
        double factor = b[k] / row[k];
        b[k] = factor;
        for (size_t j = k + 1; j < n; j++) {
            b[j] -= row[j] * factor;
        }
    }
    for (size_t k = n; k-- > 0;) {
        const double *row = u + k * n;
        double lanes[LANES] = {0.0};
        size_t j = k + 1;
        for (; j + LANES <= n; j += LANES) {
            for (size_t lane = 0; lane < LANES; lane++) {
                lanes[lane] += row[j + lane] * b[j + lane];
            }
        }
        for (size_t lane = 0; j + lane < n; lane++) {
            lanes[lane] += row[j + lane] * b[j + lane];
        }
        b[k] = (b[k] - fold(lanes)) / row[k];
    }
}

void br_fixed_cholesky_solve(const double *u, double *b, size_t n)
{
    solve(u, b, n);
}
