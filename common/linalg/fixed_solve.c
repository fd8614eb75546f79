#include "linalg/fixed_solve.h"

#include "linalg/fixed_widths.h"

#include <math.h>

enum { LANES = 8 };

SEVERAL_WIDTHS static void add_outer(double *a, double weight, const float *row, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double factor = weight * (double)row[i];
        double *to = a + i * n;
        for (size_t j = i; j < n; j++) {
            to[j] += factor * (double)row[j];
        }
    }
}

void br_fixed_add_outer(double *a, double weight, const float *row, size_t n)
{
    add_outer(a, weight, row, n);
}

void br_fixed_add_row(double *y, double a, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        y[i] += a * (double)x[i];
    }
}

static double fold(const double lanes[LANES])
{
    return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
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

SEVERAL_WIDTHS static void cholesky(double *a, size_t n, double floor)
{
    for (size_t k = 0; k < n; k++) {
        double *row = a + k * n;
        double pivot = sqrt(row[k] > floor ? row[k] : floor);
        row[k] = pivot;
        for (size_t j = k + 1; j < n; j++) {
            row[j] /= pivot;
        }
        for (size_t i = k + 1; i < n; i++) {
            double factor = row[i];
            double *below = a + i * n;
            for (size_t j = i; j < n; j++) {
                below[j] -= factor * row[j];
            }
        }
    }
}

void br_fixed_cholesky(double *a, size_t n, double floor)
{
    cholesky(a, n, floor);
}

SEVERAL_WIDTHS static void solve(const double *u, double *b, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        const double *row = u + k * n;
        b[k] /= row[k];
        double factor = b[k];
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
