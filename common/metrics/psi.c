#include "metrics/psi.h"

#include <math.h>

static double total(const uint64_t *counts, uint32_t n)
{
    double sum = 0.0;
    for (uint32_t i = 0; i < n; i++) {
        sum += (double)counts[i];
    }
    return sum;
}

static double at_least_half(uint64_t count)
{
    return count == 0 ? 0.5 : (double)count;
}

double br_psi(const uint64_t *expected, const uint64_t *actual, uint32_t n)
{
    double n_expected = total(expected, n);
    double n_actual = total(actual, n);
    if (n_expected == 0.0 || n_actual == 0.0) {
        return (double)NAN;
    }
    double sum = 0.0;
    for (uint32_t i = 0; i < n; i++) {
        if (expected[i] > 0 || actual[i] > 0) {
            double e = at_least_half(expected[i]) / n_expected;
            double a = at_least_half(actual[i]) / n_actual;
            sum += (a - e) * log(a / e);
        }
    }
    return sum;
}

double br_psi_by_chance(const uint64_t *expected, const uint64_t *actual, uint32_t n, double n_expected,
                        double n_actual)
{
    if (!(n_expected > 0.0) || !(n_actual > 0.0)) {
        return (double)NAN;
    }
    double k = 0.0;
    for (uint32_t i = 0; i < n; i++) {
        k += expected[i] > 0 || actual[i] > 0 ? 1.0 : 0.0;
    }
    return k < 1.0 ? 0.0 : (k - 1.0) * (1.0 / n_expected + 1.0 / n_actual);
}
