// Goal: an epoch holds all bids and the stated number of other pairs, each once, anew in every epoch; the share kept is exact.

#include "base/alloc.h"
#include "model/sampler.h"
#include "support/samples.h"

#include <criterion/criterion.h>
#include <string.h>

enum { N = 1000, N_POSITIVE = 50 };

static br_dataset *dataset(void)
{
    br_dataset *it = br_samples_new(&(br_dataset){.n_investor_fields = 1, .n_bonds = 1, .n_rows = 1, .n = N});
    for (size_t i = 0; i < N; i++) {
        it->label[i] = i % (N / N_POSITIVE) == 3;
    }
    return it;
}

static size_t check_epoch(const br_sampler *sampler, const br_dataset *it, uint8_t *seen)
{
    size_t n_positive = 0;
    memset(seen, 0, N);
    for (size_t i = 0; i < sampler->n_order; i++) {
        uint32_t sample = sampler->order[i];
        cr_assert_lt(sample, N);
        cr_assert_eq(seen[sample], 0, "sample %u twice", sample);
        seen[sample] = 1;
        n_positive += it->label[sample];
    }
    cr_assert_eq(n_positive, N_POSITIVE);
    return sampler->n_order - n_positive;
}

Test(model_sampler, takes_all_bids_and_the_stated_share_of_the_rest)
{
    br_dataset *it = dataset();
    it->negative_keep = 0.5;
    br_sampler *sampler = NULL;
    cr_assert_eq(br_sampler_new(&sampler, it, 4.0), BR_OK);
    cr_assert_float_eq(sampler->negative_keep, 0.5 * 200.0 / 950.0, 1e-12);
    static uint8_t seen[N], before[N];
    uint32_t often[N] = {0};
    for (uint32_t epoch = 0; epoch < 200; epoch++) {
        br_sampler_epoch(sampler, 9, epoch);
        cr_assert_eq(check_epoch(sampler, it, seen), 200);
        cr_assert_neq(memcmp(seen, before, N), 0, "epoch %u draws what the last one drew", epoch);
        memcpy(before, seen, N);
        for (size_t i = 0; i < N; i++) {
            often[i] += seen[i];
        }
    }
    for (size_t i = 0; i < N; i++) {
        // 200 epochs at 0.21: mean 42, standard deviation 5.8.
        cr_assert(it->label[i] != 0 || (often[i] > 8 && often[i] < 76), "sample %zu was drawn %u times", i, often[i]);
    }
    br_sampler_free(&sampler);
    br_samples_free(&it);
}

Test(model_sampler, zero_or_too_many_negatives_means_all_in_a_new_order)
{
    br_dataset *it = dataset();
    const double rates[] = {0.0, 1000.0};
    for (int k = 0; k < 2; k++) {
        br_sampler *sampler = NULL;
        cr_assert_eq(br_sampler_new(&sampler, it, rates[k]), BR_OK);
        cr_assert_eq(sampler->negative_keep, 1.0);
        static uint8_t seen[N];
        br_sampler_epoch(sampler, 9, 0);
        cr_assert_eq(check_epoch(sampler, it, seen), N - N_POSITIVE);
        uint32_t first[N];
        memcpy(first, sampler->order, sizeof first);
        br_sampler_epoch(sampler, 9, 1);
        cr_assert_eq(check_epoch(sampler, it, seen), N - N_POSITIVE);
        cr_assert_neq(memcmp(first, sampler->order, sizeof first), 0);
        br_sampler_free(&sampler);
    }
    br_samples_free(&it);
}

Test(model_sampler, one_label_alone_is_refused)
{
    br_dataset *it = dataset();
    br_sampler *sampler = NULL;
    memset(it->label, 0, N);
    cr_assert_eq(br_sampler_new(&sampler, it, 4.0), BR_ERR_INVALID);
    memset(it->label, 1, N);
    cr_assert_eq(br_sampler_new(&sampler, it, 4.0), BR_ERR_INVALID);
    cr_assert_null(sampler);
    br_samples_free(&it);
}
