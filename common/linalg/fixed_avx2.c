#include "linalg/fixed_tables.h"

#include <immintrin.h>

typedef struct lanes {
    __m256 low;
    __m256 high;
} lanes;

static inline lanes lanes_zero(void)
{
    return (lanes){_mm256_setzero_ps(), _mm256_setzero_ps()};
}

static inline lanes lanes_load(const float *p)
{
    return (lanes){_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}

static inline void lanes_store(float *p, lanes a)
{
    _mm256_storeu_ps(p, a.low);
    _mm256_storeu_ps(p + 8, a.high);
}

// The first n of eight lanes, n of any sign.
static inline __m256i first(int n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

static inline lanes lanes_load_some(const float *p, size_t n)
{
    return (lanes){_mm256_maskload_ps(p, first((int)n)), _mm256_maskload_ps(p + 8, first((int)n - 8))};
}

static inline void lanes_store_some(float *p, lanes a, size_t n)
{
    _mm256_maskstore_ps(p, first((int)n), a.low);
    _mm256_maskstore_ps(p + 8, first((int)n - 8), a.high);
}

static inline lanes lanes_all(float x)
{
    return (lanes){_mm256_set1_ps(x), _mm256_set1_ps(x)};
}

static inline lanes lanes_add(lanes a, lanes b)
{
    return (lanes){_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)};
}

static inline lanes lanes_fma(lanes a, lanes b, lanes c)
{
    return (lanes){_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
}

static inline float lanes_sum(lanes a)
{
    __m256 eight = _mm256_add_ps(a.low, a.high);
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

static inline void lanes_sums(float *y, const lanes *a)
{
    __m256 eight[8];
    for (size_t i = 0; i < 8; i++) {
        eight[i] = _mm256_add_ps(a[i].low, a[i].high);
    }
    __m256 four[4]; // two sums each: lanes of a[2 i], then of a[2 i + 1]
    for (size_t i = 0; i < 4; i++) {
        four[i] = _mm256_add_ps(_mm256_permute2f128_ps(eight[2 * i], eight[2 * i + 1], 0x20),
                                _mm256_permute2f128_ps(eight[2 * i], eight[2 * i + 1], 0x31));
    }
    __m256 low = _mm256_add_ps(_mm256_shuffle_ps(four[0], four[1], 0x44), _mm256_shuffle_ps(four[0], four[1], 0xee));
    __m256 high = _mm256_add_ps(_mm256_shuffle_ps(four[2], four[3], 0x44), _mm256_shuffle_ps(four[2], four[3], 0xee));
    __m256 one = _mm256_add_ps(_mm256_shuffle_ps(low, high, 0x88), _mm256_shuffle_ps(low, high, 0xdd));
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    _mm256_storeu_ps(y, _mm256_permutevar8x32_ps(one, order));
}

#define TILE_LANES   1
#define KERNELS      br_fixed_avx2
#define KERNELS_NAME "avx2"
#include "linalg/fixed_kernels.inc"
