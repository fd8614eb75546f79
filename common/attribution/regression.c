#include "attribution/regression.h"

#include "base/alloc.h"
#include "linalg/gemm.h"

#include <string.h>

static const double TOLERANCE = 1e-9;

br_status br_regression_init(br_regression *regression, size_t max_columns)
{
    *regression = (br_regression){.n = max_columns};
    regression->gram = br_calloc(max_columns, max_columns * sizeof *regression->gram);
    regression->moment = br_calloc(max_columns, sizeof *regression->moment);
    regression->column = br_calloc(max_columns, sizeof *regression->column);
    regression->weighted = br_calloc(BR_REGRESSION_ROWS, max_columns * sizeof *regression->weighted);
    regression->scratch = br_calloc(max_columns, 4 * sizeof *regression->scratch);
    if (regression->gram == NULL || regression->moment == NULL || regression->column == NULL ||
        regression->weighted == NULL || regression->scratch == NULL) {
        return br_no_memory("columns of a regression", max_columns);
    }
    return BR_OK;
}

void br_regression_deinit(br_regression *regression)
{
    br_free(regression->gram);
    br_free(regression->moment);
    br_free(regression->column);
    br_free(regression->weighted);
    br_free(regression->scratch);
    *regression = (br_regression){0};
}

void br_regression_reset(br_regression *regression, size_t n)
{
    regression->n = n;
    memset(regression->gram, 0, n * n * sizeof *regression->gram);
    memset(regression->moment, 0, n * sizeof *regression->moment);
    memset(regression->column, 0, n * sizeof *regression->column);
    regression->weight = 0.0;
    regression->target = 0.0;
}

void br_regression_add(br_regression *regression, float *x, const double *w, const double *y, size_t n_rows)
{
    size_t n = regression->n;
    br_assert(n_rows <= BR_REGRESSION_ROWS);
    for (size_t t = 0; t < n_rows; t++) {
        regression->weight += w[t];
        regression->target += w[t] * y[t];
        for (size_t i = 0; i < n; i++) {
            double weighted = w[t] * (double)x[t * n + i];
            regression->weighted[t * n + i] = (float)weighted;
            regression->column[i] += weighted;
            regression->moment[i] += weighted * y[t];
        }
    }
    br_gemm(br_matrix_of(regression->gram, n, n), 1.0f, br_matrix_of(x, n_rows, n), BR_TRANSPOSED,
            br_matrix_of(regression->weighted, n_rows, n), BR_PLAIN);
}

/// The product may round the two halves of the symmetric matrix differently.
static void mirror(br_regression *regression)
{
    size_t n = regression->n;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < i; k++) {
            regression->gram[i * n + k] = regression->gram[k * n + i];
        }
    }
}

static void apply_gram(const br_regression *regression, const double *v, double *out)
{
    size_t n = regression->n;
    memset(out, 0, n * sizeof *out);
    for (size_t i = 0; i < n; i++) {
        const float *row = regression->gram + i * n;
        for (size_t k = 0; k < n; k++) {
            out[k] += v[i] * (double)row[k];
        }
    }
}

static double dot(const double *a, const double *b, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        sum += a[i] * b[i];
    }
    return sum;
}

// --- the two forms ---

typedef struct centred {
    const br_regression *regression;
    double ridge;
} centred;

/// The intercept is gone when columns and y are taken from their weighted means.
static void apply_centred(const void *context, const double *v, double *out)
{
    const centred *it = context;
    const br_regression *regression = it->regression;
    apply_gram(regression, v, out);
    double mean = dot(regression->column, v, regression->n) / regression->weight;
    for (size_t i = 0; i < regression->n; i++) {
        out[i] += it->ridge * v[i] - mean * regression->column[i];
    }
}

void br_regression_ridge(br_regression *regression, double ridge, double *beta_out)
{
    size_t n = regression->n;
    mirror(regression);
    double *b = regression->scratch;
    for (size_t i = 0; i < n; i++) {
        b[i] = regression->moment[i] - regression->column[i] * regression->target / regression->weight;
    }
    br_conjugate_gradients(apply_centred, &(centred){regression, ridge}, b, n, beta_out, regression->scratch + n);
}

static void subtract_mean(double *v, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        sum += v[i];
    }
    for (size_t i = 0; i < n; i++) {
        v[i] -= sum / (double)n;
    }
}

/// v and the result are what is left to distribute: their sum is 0.
static void apply_projected(const void *context, const double *v, double *out)
{
    const br_regression *regression = context;
    apply_gram(regression, v, out);
    subtract_mean(out, regression->n);
}

void br_regression_with_sum(br_regression *regression, double sum, double *beta_out)
{
    size_t n = regression->n;
    double equal = sum / (double)n;
    mirror(regression);
    double *b = regression->scratch;
    for (size_t i = 0; i < n; i++) {
        beta_out[i] = equal;
    }
    apply_gram(regression, beta_out, b);
    for (size_t i = 0; i < n; i++) {
        b[i] = regression->moment[i] - b[i];
    }
    subtract_mean(b, n);
    br_conjugate_gradients(apply_projected, regression, b, n, beta_out, regression->scratch + n);
    subtract_mean(beta_out, n);
    for (size_t i = 0; i < n; i++) {
        beta_out[i] += equal;
    }
}

void br_conjugate_gradients(br_apply apply, const void *context, const double *b, size_t n, double *x_out,
                            double *scratch)
{
    double *residual = scratch;
    double *direction = scratch + n;
    double *applied = scratch + 2 * n;
    memset(x_out, 0, n * sizeof *x_out);
    memcpy(residual, b, n * sizeof *residual);
    memcpy(direction, b, n * sizeof *direction);
    double square = dot(b, b, n);
    double enough = TOLERANCE * TOLERANCE * square;
    for (size_t step = 0; step < 2 * n + 20 && square > enough; step++) {
        apply(context, direction, applied);
        double curvature = dot(direction, applied, n);
        if (!(curvature > 0.0)) {
            return; // nothing but rounding is left
        }
        double length = square / curvature;
        for (size_t i = 0; i < n; i++) {
            x_out[i] += length * direction[i];
            residual[i] -= length * applied[i];
        }
        double before = square;
        square = dot(residual, residual, n);
        for (size_t i = 0; i < n; i++) {
            direction[i] = residual[i] + square / before * direction[i];
        }
    }
}
