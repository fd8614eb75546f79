// Goal: output, loss and optimiser are their formulas. (The layers between are tested as a whole in test_network.c.)
// Method: values in extended precision, and for the output, which is bilinear, central differences.

#include "model/layers.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { ROWS = 5 };

// The flat vector of the output: x, w; wider than the lanes of its sum.
enum { OUTPUT_WIDTH = 37, OUTPUT = ROWS * OUTPUT_WIDTH + OUTPUT_WIDTH };

static void fill(float *values, size_t n, uint32_t stream)
{
    br_rng rng = br_rng_at(11, BR_STREAM_TEST, stream, 0);
    for (size_t i = 0; i < n; i++) {
        values[i] = (float)br_rng_normal(&rng);
    }
}

Test(model_layers, the_output_adds_and_its_backward_is_its_gradient)
{
    float in[OUTPUT], weights[ROWS], gradient[OUTPUT] = {0};
    fill(in, OUTPUT, 1);
    fill(weights, ROWS, 2);
    br_matrix x = br_matrix_of(in, ROWS, OUTPUT_WIDTH);
    float logit[ROWS] = {1.0f, 2.0f, 3.0f, 4.0f, 5.0f};
    br_output_forward(logit, x, in + ROWS * OUTPUT_WIDTH);
    for (size_t round = 1; round <= 2; round++) {
        br_output_backward(gradient + ROWS * OUTPUT_WIDTH, br_matrix_of(gradient, ROWS, OUTPUT_WIDTH), weights, x,
                           in + ROWS * OUTPUT_WIDTH);
        double d_w[OUTPUT_WIDTH] = {0};
        for (size_t t = 0; t < ROWS; t++) {
            double sum = (double)t + 1.0;
            for (size_t i = 0; i < OUTPUT_WIDTH; i++) {
                double w = (double)in[ROWS * OUTPUT_WIDTH + i];
                sum += (double)in[t * OUTPUT_WIDTH + i] * w;
                d_w[i] += (double)weights[t] * (double)in[t * OUTPUT_WIDTH + i];
                cr_assert_float_eq((double)gradient[t * OUTPUT_WIDTH + i], (double)round * (double)weights[t] * w,
                                   1e-5);
            }
            cr_assert_float_eq((double)logit[t], sum, 1e-5);
        }
        for (size_t i = 0; i < OUTPUT_WIDTH; i++) {
            cr_assert_float_eq((double)gradient[ROWS * OUTPUT_WIDTH + i], (double)round * d_w[i], 1e-5);
        }
    }
}

Test(model_layers, loss_is_the_log_loss_with_its_offset)
{
    const float logit[] = {0.0f, 2.0f, -3.0f, 90.0f, -90.0f};
    const uint8_t label[] = {1, 0, 1, 1, 1};
    const float half = 0.5f, weight[] = {1.0f, 1.0f, 1.0f, 2.0f, 1.0f};
    for (size_t i = 0; i < 5; i++) {
        for (int k = -1; k <= 1; k++) {
            double offset = 0.75 * k;
            float gradient = 0.0f;
            double loss = br_loss(&gradient, logit + i, label + i, &half, 1, offset);
            long double x = (long double)logit[i] + (long double)offset;
            long double p = 1.0L / (1.0L + expl(-x));
            long double expected = label[i] != 0 ? log1pl(expl(-x)) : log1pl(expl(x));
            cr_assert(fabs(loss - 0.5 * (double)expected) < 1e-12 * (1.0 + loss));
            cr_assert(fabs((double)gradient - 0.5 * (double)(p - label[i])) < 1e-7);
        }
    }
    cr_assert(fabs(br_loss(NULL, logit, label, weight, 5, 0.0) -
                   (log(2.0) + log1p(exp(2.0)) + log1p(exp(3.0)) + 2.0 * log1p(exp(-90.0)) + 90.0)) < 1e-9);
}

Test(model_layers, adam_follows_its_formula)
{
    enum { N = 2000, STEPS = 7, FROM = 3, UNTIL = 1999 };
    static float p[N], m[N], v[N], gradient[N];
    static double p_twin[N], m_twin[N], v_twin[N];
    fill(p, N, 8);
    for (size_t i = 0; i < N; i++) {
        p_twin[i] = (double)p[i];
    }
    br_adam adam = {.m = m, .v = v};
    for (uint32_t step = 1; step <= STEPS; step++) {
        fill(gradient, N, 8 + step);
        br_adam_begin(&adam, 0.01);
        br_adam_update(p, &adam, gradient, FROM, UNTIL, 0.1);
        for (size_t i = FROM; i < UNTIL; i++) {
            double g = (double)gradient[i] + 0.1 * p_twin[i];
            m_twin[i] = 0.9 * m_twin[i] + 0.1 * g;
            v_twin[i] = 0.999 * v_twin[i] + 0.001 * g * g;
            double m_hat = m_twin[i] / (1.0 - pow(0.9, step));
            double v_hat = v_twin[i] / (1.0 - pow(0.999, step));
            p_twin[i] -= 0.01 * m_hat / (sqrt(v_hat) + 1e-8);
        }
    }
    for (size_t i = 0; i < N; i++) {
        // Seven steps of at most 0.01: a wrong formula is off by 1e-3 and more.
        cr_assert(fabs((double)p[i] - p_twin[i]) < 2e-5, "%zu: %g, not %g", i, (double)p[i], p_twin[i]);
    }
}
