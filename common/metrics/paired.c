#include "metrics/paired.h"

#include <math.h>

// Welford's sums: the squares stay exact where the mean is large.
static void spread_add(br_spread *spread, double value)
{
    if (isnan(value)) {
        spread->skipped++;
        return;
    }
    spread->n++;
    double off = value - spread->mean;
    spread->mean += off / spread->n;
    spread->sd += off * (value - spread->mean);
}

static br_spread spread_end(br_spread spread)
{
    spread.mean = spread.n > 0 ? spread.mean : (double)NAN;
    spread.sd = spread.n > 1 ? sqrt(spread.sd / (spread.n - 1)) : (double)NAN;
    return spread;
}

br_difference br_paired(const double *left, const double *right, uint32_t n)
{
    br_spread differences = {0};
    for (uint32_t b = 0; b < n; b++) {
        spread_add(&differences, left[b] - right[b]);
    }
    differences = spread_end(differences);
    return (br_difference){.mean = differences.mean,
                           .standard_error = differences.sd / sqrt(differences.n),
                           .n = differences.n,
                           .skipped = differences.skipped};
}

br_spread br_spread_of(const double *values, uint32_t n)
{
    br_spread spread = {0};
    for (uint32_t i = 0; i < n; i++) {
        spread_add(&spread, values[i]);
    }
    return spread_end(spread);
}

void br_pseudo_values(double *out, double whole, const double *without, uint32_t n)
{
    for (uint32_t b = 0; b < n; b++) {
        out[b] = n * whole - (n - 1.0) * without[b];
    }
}
