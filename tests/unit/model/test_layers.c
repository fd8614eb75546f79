// Goal: every layer's backward is the gradient of its forward and adds to what is there; loss and optimiser are their formulas.
// Method: central differences of a random weighting of the outputs, summed in double, over every input and parameter.

#include "model/layers.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { ROWS = 5, FIELDS = 3, D = 2, WIDTH = FIELDS * D, RANK = 4, HIDDEN = 7, TABLE_ROWS = 6, MOST = 400 };

/// A layer as a function from one flat vector (inputs and parameters) to another.
typedef struct layer_case {
    const char *name;
    size_t n_in, n_out;
    void (*forward)(const float *in, float *out);
    void (*backward)(const float *in, const float *d_out, float *d_in);
} layer_case;

static const uint32_t rows_of[ROWS * FIELDS] = {0, 2, 4, 1, 3, 5, 0, 3, 4, 0, 2, 5, 1, 2, 4};

static br_matrix matrix(const float *data, size_t rows, size_t columns)
{
    union {
        const float *in;
        float *out;
    } both = {.in = data};
    return br_matrix_of(both.out, rows, columns);
}

static void embedding_forward(const float *in, float *out)
{
    br_embedding_forward(out, in, rows_of, ROWS * FIELDS, D);
}

static void embedding_backward(const float *in, const float *d_out, float *d_in)
{
    (void)in;
    br_embedding_backward(d_in, d_out, rows_of, ROWS * FIELDS, D);
}

static void embedding8_forward(const float *in, float *out)
{
    br_embedding_forward(out, in, rows_of, ROWS * FIELDS, 8);
}

static void embedding8_backward(const float *in, const float *d_out, float *d_in)
{
    (void)in;
    br_embedding_backward(d_in, d_out, rows_of, ROWS * FIELDS, 8);
}

// The flat vector of a cross layer: x0, x, u, v, b.
enum { X0 = 0, X = ROWS * WIDTH, U = 2 * ROWS * WIDTH, V = U + WIDTH * RANK, B = V + WIDTH * RANK, CROSS = B + WIDTH };

static float q[ROWS * RANK], z[ROWS * WIDTH], dq[ROWS * RANK], next[ROWS * WIDTH], dx[ROWS * WIDTH];

static br_cross_pass cross_pass(const float *in, float *d_x0)
{
    return (br_cross_pass){
        .x0 = matrix(in + X0, ROWS, WIDTH),
        .x = matrix(in + X, ROWS, WIDTH),
        .q = br_matrix_of(q, ROWS, RANK),
        .z = br_matrix_of(z, ROWS, WIDTH),
        .next = br_matrix_of(next, ROWS, WIDTH),
        .dx = br_matrix_of(dx, ROWS, WIDTH),
        .dx0 = br_matrix_of(d_x0, ROWS, WIDTH),
        .dq = br_matrix_of(dq, ROWS, RANK),
    };
}

static br_cross_layer cross_layer(const float *in)
{
    return (br_cross_layer){matrix(in + U, WIDTH, RANK), matrix(in + V, WIDTH, RANK), matrix(in + B, 1, WIDTH).data};
}

static void cross_forward(const float *in, float *out)
{
    br_cross_pass pass = cross_pass(in, NULL);
    br_cross_layer layer = cross_layer(in);
    br_cross_forward(&pass, &layer);
    memcpy(out, next, sizeof next);
}

static void cross_backward(const float *in, const float *d_out, float *d_in)
{
    cross_forward(in, (float[ROWS * WIDTH]){0});
    br_cross_pass pass = cross_pass(in, d_in + X0);
    br_cross_layer layer = cross_layer(in);
    br_cross_layer d_layer = cross_layer(d_in);
    memcpy(dx, d_out, sizeof dx);
    br_cross_backward(&d_layer, &pass, &layer);
    for (size_t i = 0; i < ROWS * WIDTH; i++) {
        d_in[X + i] += dx[i];
    }
}

// The flat vector of a dense layer: x, w, c.
enum { DENSE_W = ROWS * WIDTH, DENSE_C = DENSE_W + HIDDEN * WIDTH, DENSE = DENSE_C + HIDDEN };

static br_dense_layer dense_layer(const float *in)
{
    return (br_dense_layer){matrix(in + DENSE_W, HIDDEN, WIDTH), matrix(in + DENSE_C, 1, HIDDEN).data};
}

static void dense_forward(const float *in, float *out)
{
    br_dense_layer layer = dense_layer(in);
    br_dense_forward(br_matrix_of(out, ROWS, HIDDEN), matrix(in, ROWS, WIDTH), &layer);
}

static void dense_backward(const float *in, const float *d_out, float *d_in)
{
    float h[ROWS * HIDDEN];
    float dh[ROWS * HIDDEN];
    dense_forward(in, h);
    memcpy(dh, d_out, sizeof dh);
    br_dense_layer layer = dense_layer(in);
    br_dense_layer d_layer = dense_layer(d_in);
    br_dense_backward(&d_layer, br_matrix_of(d_in, ROWS, WIDTH), br_matrix_of(dh, ROWS, HIDDEN),
                      br_matrix_of(h, ROWS, HIDDEN), matrix(in, ROWS, WIDTH), &layer);
}

// The flat vector of the output: x, w; wider than the lanes of its sum.
enum { OUTPUT_WIDTH = 37, OUTPUT = ROWS * OUTPUT_WIDTH + OUTPUT_WIDTH };

static void output_forward(const float *in, float *out)
{
    memset(out, 0, ROWS * sizeof *out);
    br_output_forward(out, matrix(in, ROWS, OUTPUT_WIDTH), in + ROWS * OUTPUT_WIDTH);
}

static void output_backward(const float *in, const float *d_out, float *d_in)
{
    br_output_backward(d_in + ROWS * OUTPUT_WIDTH, br_matrix_of(d_in, ROWS, OUTPUT_WIDTH), d_out,
                       matrix(in, ROWS, OUTPUT_WIDTH), in + ROWS * OUTPUT_WIDTH);
}

static const layer_case cases[] = {
    {"embedding", TABLE_ROWS *D, ROWS *WIDTH, embedding_forward, embedding_backward},
    {"embedding of 8", TABLE_ROWS * 8, ROWS *FIELDS * 8, embedding8_forward, embedding8_backward},
    {"cross", CROSS, ROWS *WIDTH, cross_forward, cross_backward},
    {"dense", DENSE, ROWS *HIDDEN, dense_forward, dense_backward},
    {"output", OUTPUT, ROWS, output_forward, output_backward},
};
enum { N_CASES = sizeof cases / sizeof cases[0] };

static void fill(float *values, size_t n, uint32_t stream)
{
    br_rng rng = br_rng_at(11, BR_STREAM_TEST, stream, 0);
    for (size_t i = 0; i < n; i++) {
        values[i] = (float)br_rng_normal(&rng);
    }
}

static double weighted(const layer_case *it, const float *in, const float *weights)
{
    float out[MOST];
    it->forward(in, out);
    double sum = 0.0;
    for (size_t i = 0; i < it->n_out; i++) {
        sum += (double)out[i] * (double)weights[i];
    }
    return sum;
}

Test(model_layers, backward_is_the_gradient_of_forward)
{
    for (size_t k = 0; k < N_CASES; k++) {
        const layer_case *it = &cases[k];
        cr_assert(it->n_in <= MOST && it->n_out <= MOST);
        float in[MOST];
        float weights[MOST];
        float gradient[MOST] = {0};
        fill(in, it->n_in, 1);
        fill(weights, it->n_out, 2);
        it->backward(in, weights, gradient);
        for (size_t i = 0; i < it->n_in; i++) {
            // Every layer is linear or quadratic in one number, so the step is bounded by the relu's kinks only.
            const float h = 0x1p-8f;
            float kept = in[i];
            in[i] = kept + h;
            double up = weighted(it, in, weights);
            double moved = (double)in[i];
            in[i] = kept - h;
            double down = weighted(it, in, weights);
            moved -= (double)in[i];
            in[i] = kept;
            double expected = (up - down) / moved;
            // Outputs of size 10 in float, over 2^-7: 10 * 2^-23 * 2^7 and some.
            cr_assert(fabs((double)gradient[i] - expected) < 2e-3 * (1.0 + fabs(expected)), "%s %zu: %g, not %g",
                      it->name, i, (double)gradient[i], expected);
        }
    }
}

Test(model_layers, backward_adds_to_what_is_there)
{
    for (size_t k = 0; k < N_CASES; k++) {
        const layer_case *it = &cases[k];
        float in[MOST];
        float weights[MOST];
        float once[MOST] = {0};
        float onto[MOST];
        fill(in, it->n_in, 3);
        fill(weights, it->n_out, 4);
        fill(onto, it->n_in, 5);
        float before[MOST];
        memcpy(before, onto, sizeof before);
        it->backward(in, weights, once);
        it->backward(in, weights, onto);
        for (size_t i = 0; i < it->n_in; i++) {
            cr_assert(fabsf(onto[i] - before[i] - once[i]) < 1e-4f, "%s %zu", it->name, i);
        }
    }
}

Test(model_layers, forward_overwrites)
{
    // The output adds by design: it sums two towers.
    for (size_t k = 0; k + 1 < N_CASES; k++) {
        const layer_case *it = &cases[k];
        float in[MOST];
        float first[MOST] = {0};
        float second[MOST];
        fill(in, it->n_in, 6);
        fill(second, it->n_out, 7);
        it->forward(in, first);
        it->forward(in, second);
        cr_assert_eq(memcmp(first, second, it->n_out * sizeof first[0]), 0, "%s", it->name);
    }
}

Test(model_layers, cross_has_the_values_worked_out_by_hand)
{
    float in[CROSS] = {0};
    // Row 0: x0 = (2, 3, 0..), x = (5, 7, 0..); U = first column (1, 2), V = first column (3, 1), b = (1, -1).
    in[X0] = 2.0f;
    in[X0 + 1] = 3.0f;
    in[X] = 5.0f;
    in[X + 1] = 7.0f;
    in[U] = 1.0f;
    in[U + RANK] = 2.0f;
    in[V] = 3.0f;
    in[V + RANK] = 1.0f;
    in[B] = 1.0f;
    in[B + 1] = -1.0f;
    float out[ROWS * WIDTH];
    cross_forward(in, out);
    // q = 15 + 7 = 22; 2 * (22 + 1) + 5 = 51; 3 * (44 - 1) + 7 = 136
    cr_assert_eq(out[0], 51.0f);
    cr_assert_eq(out[1], 136.0f);
    cr_assert_eq(out[2], 0.0f);
}

Test(model_layers, relu_lets_nan_through)
{
    float in[DENSE] = {0};
    in[0] = NAN;
    in[DENSE_W] = 1.0f;
    float out[ROWS * HIDDEN];
    dense_forward(in, out);
    cr_assert(isnan(out[0]));
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
    static float p[N], m[N], v[N], g0[N], g1[N];
    static double p_twin[N], m_twin[N], v_twin[N];
    fill(p, N, 8);
    for (size_t i = 0; i < N; i++) {
        p_twin[i] = (double)p[i];
    }
    br_adam adam = {m, v, 0};
    float *gradients[] = {g0, g1};
    for (uint32_t step = 1; step <= STEPS; step++) {
        fill(g0, N, 8 + 2 * step);
        fill(g1, N, 9 + 2 * step);
        adam.step = step;
        br_adam_step(p, &adam, gradients, 2, FROM, UNTIL, 0.01, 0.1);
        for (size_t i = FROM; i < UNTIL; i++) {
            double g = (double)g0[i] + (double)g1[i] + 0.1 * p_twin[i];
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
