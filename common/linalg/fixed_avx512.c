#include "linalg/fixed_tables.h"

#include <immintrin.h>

typedef __m512 lanes;

static inline lanes lanes_zero(void)
{
    return _mm512_setzero_ps();
}

static inline lanes lanes_load(const float *p)
{
    return _mm512_loadu_ps(p);
}

static inline void lanes_store(float *p, lanes a)
{
    _mm512_storeu_ps(p, a);
}

static inline lanes lanes_load_some(const float *p, size_t n)
{
    return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
}

static inline void lanes_store_some(float *p, lanes a, size_t n)
{
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), a);
}

static inline lanes lanes_all(float x)
{
    return _mm512_set1_ps(x);
}

static inline lanes lanes_add(lanes a, lanes b)
{
    return _mm512_add_ps(a, b);
}

static inline lanes lanes_fma(lanes a, lanes b, lanes c)
{
    return _mm512_fmadd_ps(a, b, c);
}

static inline float lanes_sum(lanes a)
{
    __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

static inline void lanes_sums(float *y, const lanes *a)
{
    __m512 eight[4]; // two sums each: lanes of a[2 i], then of a[2 i + 1]
    for (size_t i = 0; i < 4; i++) {
        eight[i] = _mm512_add_ps(_mm512_shuffle_f32x4(a[2 * i], a[2 * i + 1], 0x44),
                                 _mm512_shuffle_f32x4(a[2 * i], a[2 * i + 1], 0xee));
    }
    __m512 low = _mm512_add_ps(_mm512_shuffle_f32x4(eight[0], eight[1], 0x88),
                               _mm512_shuffle_f32x4(eight[0], eight[1], 0xdd)); // four lanes each of a[0] .. a[3]
    __m512 high =
        _mm512_add_ps(_mm512_shuffle_f32x4(eight[2], eight[3], 0x88), _mm512_shuffle_f32x4(eight[2], eight[3], 0xdd));
    __m512 two = _mm512_add_ps(_mm512_shuffle_ps(low, high, 0x44), _mm512_shuffle_ps(low, high, 0xee));
    __m512 one = _mm512_add_ps(_mm512_shuffle_ps(two, two, 0x88), _mm512_shuffle_ps(two, two, 0xdd));
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 0, 0, 0, 0, 0, 0, 0, 0);
    _mm256_storeu_ps(y, _mm512_castps512_ps256(_mm512_permutexvar_ps(order, one)));
}

#define TILE_LANES   4
#define KERNELS      br_fixed_avx512
#define KERNELS_NAME "avx512"
#include "linalg/fixed_kernels.inc"
