// masked [n_fields] of one sample

#include "base/rng.h"
#include "model/layers.h"

#include <string.h>

/// Each field hidden with probability p; a 32-bit number serves two fields.
static void hide_with_probability(uint8_t *masked, const uint32_t *maskable, uint32_t n_maskable, uint32_t p16,
                                  br_rng *rng)
{
    uint32_t bits = 0;
    for (uint32_t i = 0; i < n_maskable; i++) {
        bits = i % 2 == 0 ? br_rng_u32(rng) : bits >> 16;
        masked[maskable[i]] = (bits & 0xffffu) < p16;
    }
}

/// All hidden but `n_shown`, every such set with the same probability.
static void show_few(uint8_t *masked, const uint32_t *maskable, uint32_t n_maskable, uint32_t n_shown, br_rng *rng)
{
    for (uint32_t i = 0; i < n_maskable; i++) {
        masked[maskable[i]] = 1;
    }
    // Floyd's way to draw a set: no list of what is left, no rejection.
    for (uint32_t i = n_maskable - n_shown; i < n_maskable; i++) {
        uint32_t pick = maskable[br_rng_below(rng, i + 1)];
        masked[masked[pick] != 0 ? pick : maskable[i]] = 0;
    }
}

void br_mask_draw(uint8_t *masked, uint32_t n_fields, const uint32_t *maskable, uint32_t n_maskable,
                  const br_mask_plan *plan, br_rng *rng)
{
    memset(masked, 0, n_fields);
    if (n_maskable == 0) {
        return;
    }
    double kind = br_rng_uniform(rng);
    if (kind < plan->algorithm1) {
        // p_m in 0 .. 65,536 of 65,536: both ends can be reached, as of a continuous p_m.
        uint32_t p16 = br_rng_below(rng, 65537);
        hide_with_probability(masked, maskable, n_maskable, p16, rng);
    } else if (kind < plan->algorithm1 + plan->few) {
        uint32_t most = plan->few_max < n_maskable ? plan->few_max : n_maskable;
        show_few(masked, maskable, n_maskable, 1 + br_rng_below(rng, most), rng);
    }
}
