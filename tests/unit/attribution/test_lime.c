// Goal: LIME is the ridge regression that lime.c describes. Method: the same samples drawn again, valued by the plain network, their normal
// equations solved by elimination; an additive network, where the coefficients are known.

#include "base/rng.h"
#include "fixture.h"

#include <criterion/criterion.h>
#include <math.h>

enum { N = 9, N_SAMPLES = 700 };

// beta[N + 1], intercept last.
static void lime_plain(const fixture *f, const br_attribution_options *options, const uint8_t *codes, uint32_t key,
                       double *beta)
{
    double a[(N + 1) * (N + 1)] = {0};
    double b[N + 1] = {0};
    br_rng rng = br_rng_at(options->seed, BR_STREAM_ATTRIBUTION, key, 0);
    for (uint32_t t = 0; t < N_SAMPLES; t++) {
        uint8_t sample[N];
        double z[N + 1] = {[N] = 1.0};
        double square = 0.0;
        for (uint32_t j = 0; j < N; j++) {
            uint32_t row = t == 0 ? 0 : br_rng_below(&rng, (uint32_t)f->background.n);
            sample[j] = t == 0 ? codes[j] : f->background_codes[row * N + j];
            z[j] = sample[j] == codes[j];
            square += (1.0 - z[j]) * (1.0 - z[j]);
        }
        double width = 0.75 * sqrt(N);
        double weight = sqrt(exp(-square / (width * width)));
        double y = fixture_output(f, options->output, f->bond, sample, NULL);
        for (uint32_t i = 0; i <= N; i++) {
            for (uint32_t k = 0; k <= N; k++) {
                a[i * (N + 1) + k] += weight * z[i] * z[k];
            }
            b[i] += weight * z[i] * y;
        }
    }
    for (uint32_t i = 0; i < N; i++) {
        a[i * (N + 1) + i] += options->ridge;
    }
    solve_plain(a, b, N + 1, beta);
}

Test(lime, is_the_ridge_regression_of_its_samples)
{
    const br_test_shape shape = {{.d = 4, .n_cross = 2, .rank = 8, .n_hidden = 2, .hidden = {24, 12}}, 3, N, 5, 1};
    fixture f;
    fixture_init(&f, &shape, 100);
    br_attribution_options options = br_attribution_options_default(BR_ATTRIBUTION_LIME, N);
    options.n_samples = N_SAMPLES;
    options.seed = 3;
    br_attribution *attribution = fixture_attribution(&f, &options);
    float scores[N_INVESTORS * N];
    cr_assert_eq(br_attribution_scores(attribution, f.codes, f.keys, N_INVESTORS, scores), BR_OK);
    for (uint32_t i = 0; i < N_INVESTORS; i++) {
        double beta[N + 1];
        lime_plain(&f, &options, fixture_codes(&f, i), f.keys[i], beta);
        for (uint32_t j = 0; j < N; j++) {
            cr_expect(fabs((double)scores[i * N + j] - beta[j]) < 1e-5, "field %u: %g, %g", j,
                      (double)scores[i * N + j], beta[j]);
        }
    }
    br_attribution_free(&attribution);
    fixture_deinit(&f);
}

Test(lime, of_an_additive_network_with_two_values_each_coefficient_is_the_difference)
{
    const br_test_shape shape = {
        {.architecture = BR_WIDE_DEEP, .d = 3, .rank = 1, .n_hidden = 1, .hidden = {8}}, 2, N, 2, 4};
    fixture f;
    fixture_init(&f, &shape, 100);
    fixture_make_additive(&f);
    br_attribution_options options = br_attribution_options_default(BR_ATTRIBUTION_LIME, N);
    options.output = BR_ATTRIBUTED_LOGIT;
    options.ridge = 1e-6;
    br_attribution *attribution = fixture_attribution(&f, &options);
    float scores[N];
    cr_assert_eq(br_attribution_scores(attribution, f.codes, f.keys, 1, scores), BR_OK);
    for (uint32_t j = 0; j < N; j++) {
        double expected = (double)*fixture_linear(&f, j, f.codes[j]) - (double)*fixture_linear(&f, j, 1u - f.codes[j]);
        cr_expect(fabs((double)scores[j] - expected) < 1e-4, "field %u: %g, %g", j, (double)scores[j], expected);
    }
    br_attribution_free(&attribution);
    fixture_deinit(&f);
}
