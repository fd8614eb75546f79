// Goal: IG, IG-M and EG are complete: their scores add up to what lies between baseline and investor. Method: random networks of every
// architecture against the plain network; many points of the path. An additive network, where every score is known.

#include "fixture.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static const br_test_shape SHAPES[] = {
    {{.d = 4, .n_cross = 2, .rank = 8, .n_hidden = 2, .hidden = {24, 12}}, 3, 10, 5, 1},
    {{.d = 4, .n_cross = 2, .rank = 0, .n_hidden = 1, .hidden = {16}}, 2, 8, 4, 2},
    {{.architecture = BR_DNN, .d = 3, .rank = 1, .n_hidden = 2, .hidden = {16, 8}}, 2, 9, 4, 3},
    {{.architecture = BR_WIDE_DEEP, .d = 3, .rank = 1, .n_hidden = 1, .hidden = {8}}, 2, 9, 4, 4},
    {{.architecture = BR_DEEPFM, .d = 3, .rank = 1, .n_hidden = 1, .hidden = {8}}, 2, 9, 4, 5},
};

enum { N_SHAPES = sizeof SHAPES / sizeof *SHAPES };

static double sum_of_scores(fixture *f, const br_attribution_options *options, uint32_t investor)
{
    br_attribution *attribution = fixture_attribution(f, options);
    float scores[MAX_FIELDS];
    cr_assert_eq(br_attribution_scores(attribution, fixture_codes(f, investor), f->keys, 1, scores), BR_OK);
    br_attribution_free(&attribution);
    double sum = 0.0;
    for (uint32_t j = 0; j < f->n; j++) {
        sum += (double)scores[j];
    }
    return sum;
}

// The output with all masked; for IG the mask embeddings are made zero.
static double at_baseline(fixture *f, const br_attribution_options *options)
{
    uint8_t masked[MAX_FIELDS];
    memset(masked, 1, sizeof masked);
    size_t d = f->model->config.d;
    for (uint32_t j = f->model->n_bond_fields; options->method == BR_ATTRIBUTION_IG && j < f->model->n_fields; j++) {
        size_t row = f->model->row_of[j] + f->model->fields[j].n_values;
        memset(f->model->embedding + row * d, 0, d * sizeof *f->model->embedding);
        if (f->model->linear != NULL) {
            f->model->linear[row] = 0.0f;
        }
    }
    return fixture_output(f, options->output, f->bond, fixture_codes(f, 0), masked);
}

Test(gradients, ig_adds_up_to_what_lies_between_baseline_and_investor)
{
    for (int shape = 0; shape < N_SHAPES; shape++) {
        for (int method = BR_ATTRIBUTION_IG; method <= BR_ATTRIBUTION_IG_M; method++) {
            fixture f;
            fixture_init(&f, &SHAPES[shape], 1);
            br_attribution_options options = br_attribution_options_default((br_attribution_method)method, f.n);
            options.n_samples = 4000;
            for (int output = BR_ATTRIBUTED_PROBABILITY; output <= BR_ATTRIBUTED_LOGIT; output++) {
                options.output = (br_attributed)output;
                double sum = sum_of_scores(&f, &options, 0);
                double all = fixture_output(&f, options.output, f.bond, fixture_codes(&f, 0), NULL);
                double expected = all - at_baseline(&f, &options);
                cr_expect(fabs(sum - expected) < 1e-3 * fmax(1.0, fabs(expected)), "shape %d, %s, output %d: %g, %g",
                          shape, br_attribution_name(options.method), output, sum, expected);
            }
            fixture_deinit(&f);
        }
    }
}

// On a smooth path. Sums at the ends of the pieces are off by 1/100 of the difference of the slopes, those at their middles by the square.
Test(gradients, fifty_points_are_near_the_sum)
{
    fixture f;
    fixture_init(&f, &SHAPES[3], 1);
    fixture_make_additive(&f);
    br_attribution_options options = br_attribution_options_default(BR_ATTRIBUTION_IG_M, f.n);
    for (uint32_t investor = 0; investor < N_INVESTORS; investor++) {
        double sum = sum_of_scores(&f, &options, investor);
        double all = fixture_output(&f, options.output, f.bond, fixture_codes(&f, investor), NULL);
        cr_expect(fabs(sum - (all - 0.5)) < 1e-5, "%g, %g", sum, all - 0.5);
    }
    fixture_deinit(&f);
}

Test(gradients, eg_adds_up_to_what_lies_between_the_background_and_the_investor_in_the_mean)
{
    for (int shape = 0; shape < N_SHAPES; shape++) {
        fixture f;
        fixture_init(&f, &SHAPES[shape], 40);
        br_attribution_options options = br_attribution_options_default(BR_ATTRIBUTION_EG, f.n);
        options.n_samples = 60000;
        double sum = sum_of_scores(&f, &options, 1);
        double all = fixture_output(&f, options.output, f.bond, fixture_codes(&f, 1), NULL);
        double expected = all - fixture_value(&f, options.output, false, 1, 0);
        // The sum of one draw varies by about 0.6.
        cr_expect(fabs(sum - expected) < 5.0 * 0.6 / sqrt(60000.0), "shape %d: %g, %g", shape, sum, expected);
        fixture_deinit(&f);
    }
}

Test(gradients, of_an_additive_network_every_score_is_known)
{
    fixture f;
    fixture_init(&f, &SHAPES[3], 40);
    fixture_make_additive(&f);
    br_attribution_options options = br_attribution_options_default(BR_ATTRIBUTION_IG, f.n);
    options.output = BR_ATTRIBUTED_LOGIT;
    options.n_samples = 1;
    br_attribution *ig = fixture_attribution(&f, &options);
    options.method = BR_ATTRIBUTION_EG;
    options.n_samples = 20000;
    br_attribution *eg = fixture_attribution(&f, &options);
    float of_ig[MAX_FIELDS];
    float of_eg[MAX_FIELDS];
    cr_assert_eq(br_attribution_scores(ig, f.codes, f.keys, 1, of_ig), BR_OK);
    cr_assert_eq(br_attribution_scores(eg, f.codes, f.keys, 1, of_eg), BR_OK);
    for (uint32_t j = 0; j < f.n; j++) {
        double own = (double)*fixture_linear(&f, j, f.codes[j]);
        double mean = 0.0;
        for (uint32_t b = 0; b < 40; b++) {
            mean += (double)*fixture_linear(&f, j, f.background_codes[b * f.n + j]) / 40.0;
        }
        cr_expect_float_eq((double)of_ig[j], own, 1e-6);
        cr_expect(fabs((double)of_eg[j] - (own - mean)) < 0.02, "field %u: %g, %g", j, (double)of_eg[j], own - mean);
    }
    br_attribution_free(&ig);
    br_attribution_free(&eg);
    fixture_deinit(&f);
}
