#include "metrics/stability.h"

#include <math.h>

static uint32_t n_shared(const uint32_t *left, const uint32_t *right, uint32_t n)
{
    uint32_t shared = 0;
    for (uint32_t a = 0; a < n; a++) {
        for (uint32_t b = 0; b < n; b++) {
            shared += left[a] == right[b];
        }
    }
    return shared;
}

double br_stability(const uint32_t *left, const uint32_t *right, size_t n_sets, uint32_t n_reasons)
{
    br_assert(n_reasons > 0);
    double sum = 0.0;
    for (size_t s = 0; s < n_sets; s++) {
        uint32_t both = n_shared(left + s * n_reasons, right + s * n_reasons, n_reasons);
        sum += (double)both / (2 * n_reasons - both);
    }
    return n_sets > 0 ? sum / (double)n_sets : (double)NAN;
}
