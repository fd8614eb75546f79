#include "linalg/fixed.h"

#include "linalg/fixed_tables.h"
#include "linalg/fixed_widths.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// --- choice of kernels ---

static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}

static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

const br_fixed_kernels *br_fixed_by_name(const char *name)
{
    if (strcmp(name, br_fixed_avx512.name) == 0) {
        return has_avx512() ? &br_fixed_avx512 : NULL;
    }
    if (strcmp(name, br_fixed_avx2.name) == 0) {
        return has_avx2() ? &br_fixed_avx2 : NULL;
    }
    return strcmp(name, br_fixed_plain.name) == 0 ? &br_fixed_plain : NULL;
}

const br_fixed_kernels *br_fixed(void)
{
    const char *asked = getenv("BOOKRUNNER_KERNEL");
    if (asked != NULL && asked[0] != '\0') {
        const br_fixed_kernels *kernels = br_fixed_by_name(asked);
        br_assert(kernels != NULL);
        return kernels;
    }
    return has_avx512() ? &br_fixed_avx512 : has_avx2() ? &br_fixed_avx2 : &br_fixed_plain;
}

// --- elementary functions ---
//
// Sums and products of doubles are exactly specified; without contraction (-ffp-contract=off) every compiler does the
// same ones, so nothing here needs a fused multiply-add.

static const double LN2_HIGH = 0x1.62e42fefa38p-1; // its last 11 bits are 0: times an exponent it is exact
static const double LN2_LOW = 0x1.ef35793c7673p-45;

static double power_of_two(int64_t exponent)
{
    uint64_t bits = (uint64_t)(exponent + 1023) << 52;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

double br_fixed_exp(double x)
{
    if (isnan(x)) {
        return x;
    }
    if (x > 709.79) {
        return (double)INFINITY;
    }
    if (x < -745.14) {
        return 0.0;
    }
    // x = k ln 2 + r, |r| <= ln 2 / 2: the Taylor series of degree 13 leaves 4e-18.
    double k = (x * 1.4426950408889634 + 0x1.8p52) - 0x1.8p52;
    double r = (x - k * LN2_HIGH) - k * LN2_LOW;
    static const double factors[] = {1.0 / 6227020800.0, 1.0 / 479001600.0, 1.0 / 39916800.0, 1.0 / 3628800.0,
                                     1.0 / 362880.0,     1.0 / 40320.0,     1.0 / 5040.0,     1.0 / 720.0,
                                     1.0 / 120.0,        1.0 / 24.0,        1.0 / 6.0,        0.5};
    double series = 0.0;
    for (size_t i = 0; i < sizeof factors / sizeof *factors; i++) {
        series = series * r + factors[i];
    }
    double value = 1.0 + (r + r * r * series);
    // Two steps, because 2^k alone may be out of range where the result is not.
    int64_t half = (int64_t)k / 2;
    return value * power_of_two(half) * power_of_two((int64_t)k - half);
}

double br_fixed_log(double x)
{
    if (isnan(x) || x == (double)INFINITY) {
        return x;
    }
    if (x <= 0.0) {
        return x == 0.0 ? -(double)INFINITY : (double)NAN;
    }
    int64_t exponent = 0;
    if (x < 0x1p-1022) {
        x *= 0x1p54;
        exponent = -54;
    }
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    exponent += (int64_t)(bits >> 52) - 1023;
    bits = (bits & ((UINT64_C(1) << 52) - 1)) | (UINT64_C(1023) << 52);
    double m;
    memcpy(&m, &bits, sizeof m);
    if (m > 1.4142135623730951) {
        m *= 0.5;
        exponent++;
    }
    // log m = 2 atanh(s), s = (m - 1) / (m + 1), |s| < 0.1716: eleven terms leave 1e-18 of the result.
    double f = m - 1.0;
    double s = f / (2.0 + f);
    double z = s * s;
    double series = 0.0;
    for (int i = 23; i >= 3; i -= 2) {
        series = series * z + 1.0 / (double)i;
    }
    // 2 s = f - s f keeps the large part exact.
    double k = (double)exponent;
    return k * LN2_HIGH + (f - (s * (f - 2.0 * z * series) - k * LN2_LOW));
}

double br_fixed_sigmoid(double x)
{
    if (x >= 0.0) {
        return 1.0 / (1.0 + br_fixed_exp(-x));
    }
    double e = br_fixed_exp(x);
    return e / (1.0 + e);
}

double br_fixed_logit(double p)
{
    return br_fixed_log(p / (1.0 - p));
}

// --- of many floats ---
//
// Without branches, so that compilers work several at once; each element has the same operations in every width.

SEVERAL_WIDTHS static void sigmoids(float *out, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        // Beyond 87 the result is 1 or below 1e-37; e^-x and what follows stay normal numbers.
        float y = -x[i] < 87.0f ? -x[i] : 87.0f;
        y = y > -87.0f ? y : -87.0f;
        float k = (y * 1.44269504f + 0x1.8p23f) - 0x1.8p23f;
        // The first part of ln 2 has 9 bits, so that times k it is exact.
        float r = (y - k * 0x1.63p-1f) + k * 0x1.bd0106p-13f;
        float series = 1.0f / 720.0f;
        series = series * r + 1.0f / 120.0f;
        series = series * r + 1.0f / 24.0f;
        series = series * r + 1.0f / 6.0f;
        series = series * r + 0.5f;
        int32_t bits = ((int32_t)k + 127) << 23;
        float power;
        memcpy(&power, &bits, sizeof power);
        out[i] = 1.0f / (1.0f + (1.0f + (r + r * r * series)) * power);
    }
}

void br_fixed_sigmoids(float *out, const float *x, size_t n)
{
    sigmoids(out, x, n);
}

SEVERAL_WIDTHS static void logs(float *out, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        // x = m 2^k with m in [0.707, 1.414): 0x3f3504f3 is sqrt(1/2).
        int32_t k = (bits - 0x3f3504f3) >> 23;
        bits -= k * (1 << 23);
        float m;
        memcpy(&m, &bits, sizeof m);
        // log m = 2 atanh(s), |s| < 0.1716: five terms leave 1e-9 of the result.
        float s = (m - 1.0f) / (m + 1.0f);
        float z = s * s;
        float series = 1.0f / 9.0f;
        series = series * z + 1.0f / 7.0f;
        series = series * z + 1.0f / 5.0f;
        series = series * z + 1.0f / 3.0f;
        out[i] = (float)k * 0.693147181f + (2.0f * s + 2.0f * s * z * series);
    }
}

void br_fixed_logs(float *out, const float *x, size_t n)
{
    logs(out, x, n);
}
