#include "linalg/fixed_tables.h"

typedef struct lanes {
    float at[BR_LANES];
} lanes;

static inline lanes lanes_zero(void)
{
    return (lanes){{0.0f}};
}

static inline lanes lanes_load(const float *p)
{
    lanes a;
    for (size_t i = 0; i < BR_LANES; i++) {
        a.at[i] = p[i];
    }
    return a;
}

static inline void lanes_store(float *p, lanes a)
{
    for (size_t i = 0; i < BR_LANES; i++) {
        p[i] = a.at[i];
    }
}

static inline lanes lanes_load_some(const float *p, size_t n)
{
    lanes a = lanes_zero();
    for (size_t i = 0; i < n; i++) {
        a.at[i] = p[i];
    }
    return a;
}

static inline void lanes_store_some(float *p, lanes a, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        p[i] = a.at[i];
    }
}

static inline lanes lanes_all(float x)
{
    lanes a;
    for (size_t i = 0; i < BR_LANES; i++) {
        a.at[i] = x;
    }
    return a;
}

static inline lanes lanes_add(lanes a, lanes b)
{
    for (size_t i = 0; i < BR_LANES; i++) {
        a.at[i] += b.at[i];
    }
    return a;
}

static inline lanes lanes_fma(lanes a, lanes b, lanes c)
{
    for (size_t i = 0; i < BR_LANES; i++) {
        c.at[i] = __builtin_fmaf(a.at[i], b.at[i], c.at[i]);
    }
    return c;
}

static inline float lanes_sum(lanes a)
{
    for (size_t distance = BR_LANES / 2; distance > 0; distance /= 2) {
        for (size_t i = 0; i < distance; i++) {
            a.at[i] += a.at[i + distance];
        }
    }
    return a.at[0];
}

static inline void lanes_sums(float *y, const lanes *a)
{
    for (size_t i = 0; i < 8; i++) {
        y[i] = lanes_sum(a[i]);
    }
}

#define TILE_LANES   1
#define KERNELS      br_fixed_plain
#define KERNELS_NAME "plain"
#include "linalg/fixed_kernels.inc"
