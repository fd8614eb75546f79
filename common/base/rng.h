#ifndef BR_BASE_RNG_H
#define BR_BASE_RNG_H

/// Counter-based random numbers (Philox4x32-10, Salmon et al. 2011, from Random123): the n-th number of a
/// stream is a function of (seed, stream, n), so any thread may draw any part and the result does not
/// depend on who drew what.
///
///     br_rng rng = br_rng_at(seed, BR_STREAM_MASKS, epoch, sample);
///     double u = br_rng_uniform(&rng);

#include "base/status.h"

/// What the numbers are for: two uses never share numbers.
typedef enum br_stream {
    BR_STREAM_TEST = 1,
    BR_STREAM_INIT,      ///< first values of parameters
    BR_STREAM_SHUFFLE,   ///< order of samples in an epoch
    BR_STREAM_NEGATIVES, ///< which negatives an epoch takes
    BR_STREAM_MASKS,     ///< mask training
    BR_STREAM_QUANTILES, ///< rows that bins are learned from
    BR_STREAM_BOOTSTRAP,
    BR_STREAM_SIM_MARKET, ///< simulator: issuers, investors, tables
    BR_STREAM_SIM_BOND,
    BR_STREAM_SIM_INVESTOR,
    BR_STREAM_SIM_BID,
    BR_STREAM_BENCH,       ///< made-up data to measure speed with
    BR_STREAM_SHOWN,       ///< fields that are shown where small sets are assessed
    BR_STREAM_REPLAY,      ///< past samples that a daily training sees again
    BR_STREAM_DROPOUT,     ///< hidden units that a step leaves out
    BR_STREAM_SPLIT,       ///< which part a row of a file belongs to
    BR_STREAM_TOY,         ///< samples of the toy world
    BR_STREAM_BACKGROUND,  ///< training pairs that attributions compare with
    BR_STREAM_TOPICS,      ///< documents and first words of topics
    BR_STREAM_ATTRIBUTION, ///< what attributions sample
    BR_STREAM_GUMBEL,      ///< gates of the search by gradient
    BR_STREAM_STUDY,       ///< order and sides of what raters are asked
    BR_STREAM_PAIRS,       ///< pairs of items: Random, and the order of equal scores
    BR_STREAM_ASKING,      ///< which pairs of items to ask people about
    BR_STREAM_VOTES        ///< what made-up raters say
} br_stream;

typedef struct br_rng {
    uint32_t key[2];
    uint32_t counter[4];
    uint32_t block[4];
    unsigned used; ///< of the four numbers in `block`
} br_rng;

/// The generator for (seed, stream, a, b): 2^32 blocks of four numbers each.
br_rng br_rng_at(uint64_t seed, br_stream stream, uint32_t a, uint32_t b);
uint32_t br_rng_u32(br_rng *rng);
/// Uniform in [0, 1), 32 bits.
double br_rng_uniform(br_rng *rng);
/// Uniform in {0, ..., n - 1}, without bias; n > 0.
uint32_t br_rng_below(br_rng *rng, uint32_t n);
/// Standard normal (Box-Muller, one value per two draws).
double br_rng_normal(br_rng *rng);

#endif
