#include "base/rng.h"

#include <Random123/philox.h>
#include <math.h>

br_rng br_rng_at(uint64_t seed, br_stream stream, uint32_t a, uint32_t b)
{
    return (br_rng){
        .key = {(uint32_t)seed, (uint32_t)(seed >> 32)},
        .counter = {0, (uint32_t)stream, a, b},
        .used = 4,
    };
}

uint32_t br_rng_u32(br_rng *rng)
{
    if (rng->used == 4) {
        philox4x32_ctr_t counter = {{rng->counter[0], rng->counter[1], rng->counter[2], rng->counter[3]}};
        philox4x32_key_t key = {{rng->key[0], rng->key[1]}};
        philox4x32_ctr_t block = philox4x32(counter, key);
        for (size_t i = 0; i < 4; i++) {
            rng->block[i] = block.v[i];
        }
        rng->counter[0]++;
        rng->used = 0;
    }
    return rng->block[rng->used++];
}

double br_rng_uniform(br_rng *rng)
{
    return (double)br_rng_u32(rng) * 0x1p-32;
}

uint32_t br_rng_below(br_rng *rng, uint32_t n)
{
    br_assert(n > 0);
    // Lemire's multiply with rejection of the few products that would favour small results.
    uint32_t threshold = (0u - n) % n;
    uint64_t product;
    do {
        product = (uint64_t)br_rng_u32(rng) * n;
    } while ((uint32_t)product < threshold);
    return (uint32_t)(product >> 32);
}

double br_rng_normal(br_rng *rng)
{
    double radius = sqrt(-2.0 * log(((double)br_rng_u32(rng) + 1.0) * 0x1p-32));
    return radius * cos(2.0 * 3.14159265358979323846 * br_rng_uniform(rng));
}
