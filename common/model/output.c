// logit [T] += x [T, n] w [n]

#include "model/layers.h"

enum { LANES = 16 };

/// The lanes are written out, so that the sum's order is the same for every vector width.
BR_WIDE static float dot(const float *restrict a, const float *restrict b, size_t n)
{
    float lane[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (size_t k = 0; k < LANES; k++) {
            lane[k] += a[i + k] * b[i + k];
        }
    }
    float sum = 0.0f;
    for (; i < n; i++) {
        sum += a[i] * b[i];
    }
    for (size_t k = 0; k < LANES; k++) {
        sum += lane[k];
    }
    return sum;
}

void br_output_forward(float *logit, br_matrix x, const float *w)
{
    for (size_t t = 0; t < x.rows; t++) {
        logit[t] += dot(x.data + t * x.stride, w, x.columns);
    }
}

BR_WIDE static void add_outer(float *restrict dx, float *restrict dw, const float *restrict x, const float *restrict w,
                              float dlogit, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        dx[i] += dlogit * w[i];
        dw[i] += dlogit * x[i];
    }
}

void br_output_backward(float *dw, br_matrix dx, const float *dlogit, br_matrix x, const float *w)
{
    for (size_t t = 0; t < x.rows; t++) {
        add_outer(dx.data + t * dx.stride, dw, x.data + t * x.stride, w, dlogit[t], x.columns);
    }
}
