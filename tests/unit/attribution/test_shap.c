// Goal: Kernel SHAP with all sets is the Shapley value, with some of them near it; Weighted SHAP's candidates are the semivalues and the one
// with the smallest recovery error is taken. Method: all sets of few fields, valued by the plain network.

#include "attribution/weighted_shap.h"
#include "fixture.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { FEW = 10, N_BACKGROUND = 5 };

static const br_test_shape SHAPES[] = {
    {{.d = 4, .n_cross = 2, .rank = 8, .n_hidden = 2, .hidden = {24, 12}}, 3, FEW, 6, 1},
    {{.d = 4, .n_cross = 2, .rank = 0, .n_hidden = 1, .hidden = {16}}, 2, 9, 4, 2},
    {{.architecture = BR_DEEPFM, .d = 3, .rank = 1, .n_hidden = 1, .hidden = {8}}, 2, 8, 4, 5},
    {{.architecture = BR_DNN, .d = 3, .rank = 1, .n_hidden = 1, .hidden = {8}}, 0, 2, 4, 6},
    {{.architecture = BR_DNN, .d = 3, .rank = 1, .n_hidden = 1, .hidden = {8}}, 1, 1, 4, 7},
};

enum { N_SHAPES = sizeof SHAPES / sizeof *SHAPES };

// Values of all sets of an investor's fields.
static void value_sets(const fixture *f, br_attributed output, bool masked, uint32_t investor, double *values)
{
    for (unsigned set = 0; set < 1u << f->n; set++) {
        values[set] = fixture_value(f, output, masked, investor, set);
    }
}

// The mean of j's contributions to sets of each size, weighted by weights[n].
static double semivalue(const double *values, uint32_t n, uint32_t j, const double *weights)
{
    double sums[FEW + 4] = {0};
    uint32_t counts[FEW + 4] = {0};
    for (unsigned set = 0; set < 1u << n; set++) {
        if ((set >> j & 1u) == 0) {
            int size = __builtin_popcount(set);
            sums[size] += values[set | 1u << j] - values[set];
            counts[size]++;
        }
    }
    double sum = 0.0;
    for (uint32_t s = 0; s < n; s++) {
        sum += weights[s] * sums[s] / counts[s];
    }
    return sum;
}

static double shapley(const double *values, uint32_t n, uint32_t j)
{
    double weights[FEW + 4];
    for (uint32_t s = 0; s < n; s++) {
        weights[s] = 1.0 / n;
    }
    return semivalue(values, n, j, weights);
}

Test(kernel_shap, all_sets_give_the_shapley_value)
{
    static double values[1u << FEW];
    for (int shape = 0; shape < N_SHAPES; shape++) {
        for (int masked = 0; masked < 2; masked++) {
            fixture f;
            fixture_init(&f, &SHAPES[shape], N_BACKGROUND);
            br_attribution_options options =
                br_attribution_options_default(masked ? BR_ATTRIBUTION_KERNEL_SHAP_M : BR_ATTRIBUTION_KERNEL_SHAP, f.n);
            options.output = shape % 2 == 0 ? BR_ATTRIBUTED_PROBABILITY : BR_ATTRIBUTED_LOGIT;
            br_attribution *attribution = fixture_attribution(&f, &options);
            float scores[MAX_FIELDS];
            for (uint32_t investor = 0; investor < 2; investor++) {
                value_sets(&f, options.output, masked, investor, values);
                cr_assert_eq(br_attribution_scores(attribution, fixture_codes(&f, investor), f.keys, 1, scores), BR_OK);
                for (uint32_t j = 0; j < f.n; j++) {
                    double exact = shapley(values, f.n, j);
                    cr_expect(fabs((double)scores[j] - exact) < 1e-4, "shape %d, masked %d, field %u: %g, exactly %g",
                              shape, masked, j, (double)scores[j], exact);
                }
            }
            br_attribution_free(&attribution);
            fixture_deinit(&f);
        }
    }
}

Test(kernel_shap, some_sets_come_near_it_and_the_sum_is_kept)
{
    enum { N = 14 };
    static double values[1u << N];
    const br_test_shape shape = {{.d = 4, .n_cross = 2, .rank = 8, .n_hidden = 2, .hidden = {24, 12}}, 3, N, 6, 9};
    fixture f;
    fixture_init(&f, &shape, 1);
    value_sets(&f, BR_ATTRIBUTED_LOGIT, true, 0, values);
    br_attribution_options options = br_attribution_options_default(BR_ATTRIBUTION_KERNEL_SHAP_M, f.n);
    options.output = BR_ATTRIBUTED_LOGIT;
    double worst[2];
    for (int few = 0; few < 2; few++) {
        options.n_samples = few ? 300 : 3000;
        br_attribution *attribution = fixture_attribution(&f, &options);
        worst[few] = 0.0;
        for (uint32_t key = 0; key < 4; key++) {
            float scores[MAX_FIELDS];
            double sum = 0.0;
            cr_assert_eq(br_attribution_scores(attribution, f.codes, &key, 1, scores), BR_OK);
            for (uint32_t j = 0; j < N; j++) {
                sum += (double)scores[j];
                worst[few] = fmax(worst[few], fabs((double)scores[j] - shapley(values, N, j)));
            }
            cr_expect_float_eq(sum, values[(1u << N) - 1] - values[0], 1e-4);
        }
        br_attribution_free(&attribution);
    }
    cr_expect(worst[0] < 0.02 && worst[1] < 0.1 && worst[0] < worst[1], "%g, %g", worst[0], worst[1]);
    fixture_deinit(&f);
}

Test(kernel_shap, a_field_that_all_of_the_background_shares_scores_0)
{
    fixture f;
    fixture_init(&f, &SHAPES[0], N_BACKGROUND);
    for (int method = BR_ATTRIBUTION_KERNEL_SHAP; method <= BR_ATTRIBUTION_WEIGHTED_SHAP; method++) {
        if (method == BR_ATTRIBUTION_KERNEL_SHAP_M) {
            continue;
        }
        br_attribution_options options = br_attribution_options_default((br_attribution_method)method, f.n);
        br_attribution *attribution = fixture_attribution(&f, &options);
        br_attribution_free(&attribution);
        for (uint32_t b = 0; b < N_BACKGROUND; b++) {
            f.background_codes[b * f.n + 4] = f.codes[4];
        }
        attribution = fixture_attribution(&f, &options);
        float scores[MAX_FIELDS];
        cr_assert_eq(br_attribution_scores(attribution, f.codes, f.keys, 1, scores), BR_OK);
        for (uint32_t j = 0; j < f.n; j++) {
            cr_expect_eq(scores[j] == 0.0f, j == 4, "field %u: %g", j, (double)scores[j]);
        }
        cr_assert_eq(br_attribution_scores(attribution, f.background_codes, f.keys, 1, scores), BR_OK);
        br_attribution_free(&attribution);
        f.background.n = 1;
        attribution = fixture_attribution(&f, &options);
        cr_assert_eq(br_attribution_scores(attribution, f.background_codes, f.keys, 1, scores), BR_OK);
        for (uint32_t j = 0; j < f.n; j++) {
            cr_expect_eq(scores[j], 0.0f);
        }
        br_attribution_free(&attribution);
        f.background.n = N_BACKGROUND;
    }
    fixture_deinit(&f);
}

Test(kernel_shap, background_investors_are_drawn_once_each)
{
    fixture f;
    fixture_init(&f, &SHAPES[2], 40);
    br_attribution_options options = br_attribution_options_default(BR_ATTRIBUTION_KERNEL_SHAP, f.n);
    options.n_background = 39;
    double none = fixture_value(&f, options.output, false, 0, 0) * 40.0;
    double all = fixture_value(&f, options.output, false, 0, (1u << f.n) - 1);
    bool is_left_out[40] = {false};
    uint32_t n_left_out = 0;
    for (uint64_t seed = 0; seed < 30; seed++) {
        options.seed = seed;
        br_attribution *attribution = fixture_attribution(&f, &options);
        float scores[MAX_FIELDS];
        double sum = 0.0;
        cr_assert_eq(br_attribution_scores(attribution, f.codes, f.keys, 1, scores), BR_OK);
        for (uint32_t j = 0; j < f.n; j++) {
            sum += (double)scores[j];
        }
        // What one background investor left out adds to the mean of the others.
        double nearest = INFINITY;
        uint32_t left_out = 0;
        for (uint32_t b = 0; b < 40; b++) {
            double own = fixture_output(&f, options.output, f.bond, f.background_codes + b * f.n, NULL);
            double error = fabs(all - (none - own) / 39.0 - sum);
            left_out = error < nearest ? b : left_out;
            nearest = fmin(nearest, error);
        }
        cr_expect(nearest < 1e-5, "%g", nearest);
        n_left_out += !is_left_out[left_out];
        is_left_out[left_out] = true;
        br_attribution_free(&attribution);
    }
    // Thirty draws of forty leave out 21 different ones on average.
    cr_expect(n_left_out >= 13, "%u", n_left_out);
    fixture_deinit(&f);
}

Test(weighted_shap, weights_are_those_of_beta_semivalues)
{
    for (uint32_t n = 1; n < 300; n = 2 * n + 1) {
        for (uint32_t c = 0; c < BR_N_SEMIVALUES; c++) {
            double alpha = c < 5 ? ldexp(1.0, 5 - (int)c) : 1.0;
            double beta = c > 5 ? ldexp(1.0, (int)c - 5) : 1.0;
            double weights[300];
            double sum = 0.0;
            br_semivalue_weights(c, n, weights);
            for (uint32_t s = 0; s < n; s++) {
                double a = s + beta;
                double b = n - 1.0 - s + alpha;
                double log_weight = lgamma(n) - lgamma(s + 1.0) - lgamma(n - s) + lgamma(a) + lgamma(b) -
                                    lgamma(a + b) - lgamma(alpha) - lgamma(beta) + lgamma(alpha + beta);
                cr_expect_float_eq(weights[s], exp(log_weight), 1e-9);
                sum += weights[s];
            }
            cr_expect_float_eq(sum, 1.0, 1e-12);
        }
    }
}

// |f - values of the sets of the largest |phi|| along the way.
static double recovery_error(const double *values, const double *phi, uint32_t n)
{
    unsigned set = 0;
    double error = 0.0;
    for (uint32_t k = 0; k < n; k++) {
        uint32_t best = UINT32_MAX;
        for (uint32_t j = 0; j < n; j++) {
            if ((set >> j & 1u) == 0 && (best == UINT32_MAX || fabs(phi[j]) > fabs(phi[best]))) {
                best = j;
            }
        }
        set |= 1u << best;
        error += fabs(values[(1u << n) - 1] - values[set]);
    }
    return error;
}

Test(weighted_shap, candidates_are_semivalues_and_the_best_is_chosen)
{
    enum { N = 6, N_PERMUTATIONS = 20000 };
    const br_test_shape shape = {{.d = 4, .n_cross = 2, .rank = 8, .n_hidden = 1, .hidden = {12}}, 2, N, 6, 11};
    double values[1u << N];
    fixture f;
    fixture_init(&f, &shape, N_BACKGROUND);
    for (uint32_t j = 0; j < N; j++) {
        for (uint32_t i = 0; i < N_INVESTORS; i++) {
            f.codes[i * N + j] = f.codes[i * N + j] == 0; // all differ from somebody
        }
        f.background_codes[j] = 1;
        f.background_codes[N + j] = 0;
    }
    br_attribution_options options = br_attribution_options_default(BR_ATTRIBUTION_WEIGHTED_SHAP, N);
    options.n_samples = N_PERMUTATIONS;
    br_attribution *attribution = fixture_attribution(&f, &options);
    for (uint32_t investor = 0; investor < 2; investor++) {
        value_sets(&f, options.output, false, investor, values);
        uint32_t n;
        const double *phi = br_weighted_shap_candidates(attribution, fixture_codes(&f, investor), f.keys[investor], &n);
        cr_assert_eq(n, N);
        uint32_t best = 0;
        for (uint32_t c = 0; c < BR_N_CANDIDATES; c++) {
            double weights[N] = {0};
            bool is_end = c >= BR_N_SEMIVALUES;
            if (is_end) {
                weights[c == BR_N_SEMIVALUES ? 0 : N - 1] = 1.0;
            } else {
                br_semivalue_weights(c, N, weights);
            }
            double sum = 0.0;
            for (uint32_t j = 0; j < N; j++) {
                double exact = semivalue(values, N, j, weights);
                sum += phi[c * N + j];
                cr_expect(fabs(phi[c * N + j] - exact) < (is_end ? 1e-5 : 0.005), "candidate %u, field %u: %g, %g", c,
                          j, phi[c * N + j], exact);
            }
            // Each permutation of Shapley's adds up exactly.
            cr_expect(c != BR_N_SEMIVALUES / 2 || fabs(sum - (values[(1u << N) - 1] - values[0])) < 1e-5);
            best = recovery_error(values, phi + c * N, N) < recovery_error(values, phi + best * N, N) ? c : best;
        }
        double chosen[N];
        memcpy(chosen, phi + best * N, sizeof chosen);
        float scores[N];
        cr_assert_eq(br_attribution_scores(attribution, fixture_codes(&f, investor), f.keys + investor, 1, scores),
                     BR_OK);
        for (uint32_t j = 0; j < N; j++) {
            cr_expect_float_eq((double)scores[j], chosen[j], 1e-6, "investor %u", investor);
        }
    }
    br_attribution_free(&attribution);
    fixture_deinit(&f);
}
