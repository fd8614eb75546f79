// Goal: Algorithm 1's masks: the number of hidden fields is uniform on 0..N, sets of one size are equally likely, and a mask is a
// function of (seed, epoch, sample) alone. Method: counts over many samples against six standard errors.

#include "model/learner.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { N = 9, N_MASKABLE = 7, N_SAMPLES = 80000 };

static const uint32_t maskable[N_MASKABLE] = {0, 1, 3, 4, 5, 7, 8};
static const br_mask_plan algorithm1 = {.algorithm1 = 1.0};
static const br_mask_plan few = {.few = 1.0, .few_max = 3};

static uint32_t draw(uint8_t *masked, const br_mask_plan *plan, uint32_t epoch, uint32_t sample)
{
    br_rng rng = br_rng_at(17, BR_STREAM_MASKS, epoch, sample);
    memset(masked, 77, N);
    br_mask_draw(masked, N, maskable, N_MASKABLE, plan, &rng);
    uint32_t n = 0;
    for (uint32_t j = 0; j < N; j++) {
        cr_assert_leq(masked[j], 1);
        n += masked[j];
    }
    cr_assert(masked[2] == 0 && masked[6] == 0, "a field that is not maskable was hidden");
    return n;
}

/// Is `count` of N_SAMPLES within six standard errors of the share?
static bool near(uint32_t count, double share)
{
    double expected = share * N_SAMPLES;
    return fabs(count - expected) < 6.0 * sqrt(expected * (1.0 - share)) + 1e-9;
}

Test(model_masks, number_of_hidden_fields_is_uniform_under_algorithm_1)
{
    uint32_t counts[N_MASKABLE + 1] = {0};
    uint32_t hidden[N] = {0};
    uint32_t together = 0;
    for (uint32_t sample = 0; sample < N_SAMPLES; sample++) {
        uint8_t masked[N];
        counts[draw(masked, &algorithm1, 0, sample)]++;
        for (uint32_t j = 0; j < N; j++) {
            hidden[j] += masked[j];
        }
        together += masked[0] & masked[8];
    }
    for (uint32_t n = 0; n <= N_MASKABLE; n++) {
        cr_assert(near(counts[n], 1.0 / (N_MASKABLE + 1)), "%u hidden: %u times", n, counts[n]);
    }
    for (uint32_t i = 0; i < N_MASKABLE; i++) {
        cr_assert(near(hidden[maskable[i]], 0.5), "field %u", maskable[i]);
    }
    // Independent given p_m: E p^2 = 1/3.
    cr_assert(near(together, 1.0 / 3.0));
}

Test(model_masks, few_shows_one_to_few_max_fields_all_sets_alike)
{
    uint32_t shown_counts[N_MASKABLE + 1] = {0};
    uint32_t single[N] = {0};
    for (uint32_t sample = 0; sample < N_SAMPLES; sample++) {
        uint8_t masked[N];
        uint32_t n_shown = N_MASKABLE - draw(masked, &few, 0, sample);
        shown_counts[n_shown]++;
        for (uint32_t i = 0; i < N_MASKABLE; i++) {
            single[maskable[i]] += masked[maskable[i]] == 0;
        }
    }
    for (uint32_t n = 0; n <= N_MASKABLE; n++) {
        cr_assert(near(shown_counts[n], n >= 1 && n <= 3 ? 1.0 / 3.0 : 0.0), "%u shown: %u times", n, shown_counts[n]);
    }
    for (uint32_t i = 0; i < N_MASKABLE; i++) {
        // Two of seven on average.
        cr_assert(near(single[maskable[i]], 2.0 / 7.0), "field %u: %u", maskable[i], single[maskable[i]]);
    }
}

Test(model_masks, shares_of_a_mixed_plan_are_kept)
{
    const br_mask_plan mixed = {.algorithm1 = 0.5, .few = 0.25, .few_max = 1};
    uint32_t none = 0;
    uint32_t all_but_one = 0;
    for (uint32_t sample = 0; sample < N_SAMPLES; sample++) {
        uint8_t masked[N];
        uint32_t n = draw(masked, &mixed, 3, sample);
        none += n == 0;
        all_but_one += n == N_MASKABLE - 1;
    }
    cr_assert(near(none, 0.25 + 0.5 / (N_MASKABLE + 1)));
    cr_assert(near(all_but_one, 0.25 + 0.5 / (N_MASKABLE + 1)));
}

Test(model_masks, depend_on_epoch_and_sample_and_nothing_else)
{
    uint32_t same_as_next = 0;
    for (uint32_t sample = 0; sample < 100; sample++) {
        uint8_t a[N], b[N], next_epoch[N], next_sample[N];
        draw(a, &algorithm1, 5, sample);
        draw(next_epoch, &algorithm1, 6, sample);
        draw(next_sample, &algorithm1, 5, sample + 1);
        draw(b, &algorithm1, 5, sample);
        cr_assert_eq(memcmp(a, b, N), 0);
        same_as_next += memcmp(a, next_epoch, N) == 0;
        same_as_next += memcmp(a, next_sample, N) == 0;
    }
    cr_assert_lt(same_as_next, 60);
}

Test(model_masks, nothing_to_mask_and_few_max_beyond_the_fields_are_fine)
{
    uint8_t masked[N];
    br_rng rng = br_rng_at(1, BR_STREAM_MASKS, 0, 0);
    br_mask_draw(masked, N, NULL, 0, &algorithm1, &rng);
    for (uint32_t j = 0; j < N; j++) {
        cr_assert_eq(masked[j], 0);
    }
    const br_mask_plan many = {.few = 1.0, .few_max = 1000};
    for (uint32_t sample = 0; sample < 1000; sample++) {
        cr_assert_leq(draw(masked, &many, 0, sample), N_MASKABLE - 1);
    }
}

Test(model_masks, samples_and_epochs_have_their_own_however_many_there_are)
{
    enum { N_FIELDS = 64, N_PLACES = 6 };
    const struct {
        uint64_t sample;
        uint32_t epoch;
    } places[N_PLACES] = {{5, 0}, {5, 1}, {6, 0}, {5 + (1ull << 32), 0}, {5 + (1ull << 32), 1}, {5 + (1ull << 47), 0}};
    br_model_field fields[N_FIELDS];
    for (size_t j = 0; j < N_FIELDS; j++) {
        fields[j] = (br_model_field){2, true};
    }
    br_model *model = NULL;
    cr_assert_eq(br_model_new(&model, &(br_model_config){.d = 1, .n_hidden = 1, .hidden = {1}}, fields, N_FIELDS, 0),
                 BR_OK);
    br_train_options options = br_train_options_default();
    br_learner learner;
    cr_assert_eq(br_learner_init(&learner, model, &options, NULL, NULL), BR_OK);
    const br_mask_plan plan = {.few = 1.0, .few_max = 64};
    uint8_t drawn[N_PLACES][N_FIELDS];
    for (size_t i = 0; i < N_PLACES; i++) {
        learner.epoch = places[i].epoch;
        memcpy(drawn[i], br_learner_mask(&learner, 0, places[i].sample, &plan), N_FIELDS);
        for (size_t before = 0; before < i; before++) {
            cr_assert(memcmp(drawn[before], drawn[i], N_FIELDS) != 0, "%zu as %zu", i, before);
        }
    }
    br_learner_deinit(&learner);
    br_model_free(&model);
}
