// x_{l+1} [T, W] = x_0 [T, W] * (x_l [T, W] V [W, r] U^T [r, W] + b [W]) + x_l
//
// Source: DCN-V2 (ref [30]) section 3.2, low rank, without an activation inside the product.

#include "model/layers.h"

br_cross_layer br_cross_layer_of(const br_model *model, uint32_t l)
{
    br_assert(l < model->config.n_cross);
    return (br_cross_layer){
        .u = br_matrix_of(model->u[l], model->width, model->config.rank),
        .v = br_matrix_of(model->v[l], model->width, model->config.rank),
        .b = model->b[l],
    };
}

BR_WIDE static void combine(float *restrict next, const float *x0, const float *x, const float *restrict z,
                            const float *restrict b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        next[i] = x0[i] * (z[i] + b[i]) + x[i];
    }
}

void br_cross_forward(const br_cross_pass *pass, const br_cross_layer *layer)
{
    br_gemm(pass->q, 0.0f, pass->x, BR_PLAIN, layer->v, BR_PLAIN);
    br_gemm(pass->z, 0.0f, pass->q, BR_PLAIN, layer->u, BR_TRANSPOSED);
    size_t width = pass->x0.columns;
    for (size_t t = 0; t < pass->x0.rows; t++) {
        combine(pass->next.data + t * width, pass->x0.data + t * width, pass->x.data + t * width,
                pass->z.data + t * width, layer->b, width);
    }
}

/// dx0 += dx * (z + b);  z = dz = dx * x0;  db += dz, for one row
BR_WIDE static void split(float *restrict dx0, float *restrict z, float *restrict db, const float *restrict dx,
                          const float *restrict x0, const float *restrict b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float dz = dx[i] * x0[i];
        dx0[i] += dx[i] * (z[i] + b[i]);
        z[i] = dz;
        db[i] += dz;
    }
}

void br_cross_backward(br_cross_layer *d_layer, const br_cross_pass *pass, const br_cross_layer *layer)
{
    size_t width = pass->x0.columns;
    for (size_t t = 0; t < pass->x0.rows; t++) {
        split(pass->dx0.data + t * width, pass->z.data + t * width, d_layer->b, pass->dx.data + t * width,
              pass->x0.data + t * width, layer->b, width);
    }
    br_matrix dz = pass->z;
    br_gemm(d_layer->u, 1.0f, dz, BR_TRANSPOSED, pass->q, BR_PLAIN);
    br_gemm(pass->dq, 0.0f, dz, BR_PLAIN, layer->u, BR_PLAIN);
    br_gemm(d_layer->v, 1.0f, pass->x, BR_TRANSPOSED, pass->dq, BR_PLAIN);
    br_gemm(pass->dx, 1.0f, pass->dq, BR_PLAIN, layer->v, BR_TRANSPOSED);
}
