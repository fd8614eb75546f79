#include "model/sampler.h"

#include "base/alloc.h"
#include "base/rng.h"

#include <math.h>
#include <string.h>

br_status br_sampler_new(br_sampler **out, const br_dataset *dataset, double negatives_per_positive)
{
    if (dataset->n > UINT32_MAX) {
        return br_fail(BR_ERR_LIMIT, "training: %zu samples, at most %u", dataset->n, UINT32_MAX);
    }
    BR_AUTO(br_sampler) *sampler = br_calloc(1, sizeof *sampler);
    if (sampler == NULL) {
        return br_no_memory("sampler", 1);
    }
    sampler->positives = br_calloc(dataset->n, sizeof *sampler->positives);
    sampler->negatives = br_calloc(dataset->n, sizeof *sampler->negatives);
    if (sampler->positives == NULL || sampler->negatives == NULL) {
        return br_no_memory("samples", dataset->n);
    }
    for (size_t i = 0; i < dataset->n; i++) {
        if (dataset->label[i] != 0) {
            sampler->positives[sampler->n_positives++] = (uint32_t)i;
        } else {
            sampler->negatives[sampler->n_negatives++] = (uint32_t)i;
        }
    }
    if (sampler->n_positives == 0 || sampler->n_negatives == 0) {
        return br_fail(BR_ERR_INVALID, "training: %zu samples with a bid and %zu without; both are needed",
                       sampler->n_positives, sampler->n_negatives);
    }
    size_t n_drawn = sampler->n_negatives;
    if (negatives_per_positive > 0.0) {
        double wanted = ceil(negatives_per_positive * (double)sampler->n_positives);
        n_drawn = wanted < (double)n_drawn ? (size_t)wanted : n_drawn;
    }
    sampler->n_order = sampler->n_positives + n_drawn;
    sampler->negative_keep = dataset->negative_keep * (double)n_drawn / (double)sampler->n_negatives;
    sampler->order = br_calloc(sampler->n_order, sizeof *sampler->order);
    if (sampler->order == NULL) {
        return br_no_memory("samples of an epoch", sampler->n_order);
    }
    *out = sampler;
    sampler = NULL;
    return BR_OK;
}

void br_sampler_free(br_sampler **sampler)
{
    if (sampler == NULL || *sampler == NULL) {
        return;
    }
    br_free((*sampler)->positives);
    br_free((*sampler)->negatives);
    br_free((*sampler)->order);
    br_free(*sampler);
    *sampler = NULL;
}

/// Bring a uniformly drawn set of n_front of the items, in random order, to the front (Fisher and Yates).
static void shuffle_front(uint32_t *items, size_t n, size_t n_front, br_rng *rng)
{
    for (size_t i = 0; i < n_front && i + 1 < n; i++) {
        size_t other = i + br_rng_below(rng, (uint32_t)(n - i));
        uint32_t kept = items[i];
        items[i] = items[other];
        items[other] = kept;
    }
}

void br_sampler_epoch(br_sampler *sampler, uint64_t seed, uint32_t epoch)
{
    size_t n_drawn = sampler->n_order - sampler->n_positives;
    br_rng negatives = br_rng_at(seed, BR_STREAM_NEGATIVES, epoch, 0);
    if (n_drawn < sampler->n_negatives) {
        shuffle_front(sampler->negatives, sampler->n_negatives, n_drawn, &negatives);
    }
    memcpy(sampler->order, sampler->positives, sampler->n_positives * sizeof *sampler->order);
    memcpy(sampler->order + sampler->n_positives, sampler->negatives, n_drawn * sizeof *sampler->order);
    br_rng order = br_rng_at(seed, BR_STREAM_SHUFFLE, epoch, 0);
    shuffle_front(sampler->order, sampler->n_order, sampler->n_order, &order);
}
