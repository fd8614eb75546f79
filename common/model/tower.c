// h [T, h] = relu(x [T, n_in] W^T [n_in, h] + c [h])

#include "model/layers.h"

br_dense_layer br_dense_layer_of(const br_model *model, uint32_t i)
{
    br_assert(i < model->config.n_hidden);
    size_t n_in = i == 0 ? model->width : model->config.hidden[i - 1];
    return (br_dense_layer){br_matrix_of(model->w[i], model->config.hidden[i], n_in), model->c[i]};
}

BR_WIDE static void bias_and_relu(float *restrict h, const float *restrict c, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float value = h[i] + c[i];
        // A NaN stays a NaN: the comparison is false for it.
        h[i] = value <= 0.0f ? 0.0f : value;
    }
}

void br_dense_forward(br_matrix h, br_matrix x, const br_dense_layer *layer)
{
    br_gemm(h, 0.0f, x, BR_PLAIN, layer->w, BR_TRANSPOSED);
    for (size_t t = 0; t < h.rows; t++) {
        bias_and_relu(h.data + t * h.stride, layer->c, h.columns);
    }
}

/// dh = dh where h > 0, else 0;  dc += dh, for one row
BR_WIDE static void through_relu(float *restrict dh, float *restrict dc, const float *restrict h, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        dh[i] = h[i] > 0.0f ? dh[i] : 0.0f;
        dc[i] += dh[i];
    }
}

void br_dense_backward(br_dense_layer *d_layer, br_matrix dx, br_matrix dh, br_matrix h, br_matrix x,
                       const br_dense_layer *layer)
{
    for (size_t t = 0; t < h.rows; t++) {
        through_relu(dh.data + t * dh.stride, d_layer->c, h.data + t * h.stride, h.columns);
    }
    br_gemm(d_layer->w, 1.0f, dh, BR_TRANSPOSED, x, BR_PLAIN);
    br_gemm(dx, 1.0f, dh, BR_PLAIN, layer->w, BR_PLAIN);
}
