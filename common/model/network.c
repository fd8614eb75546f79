#include "model/network.h"

#include "base/alloc.h"

#include <string.h>

/// Hand out [BR_TILE_ROWS, columns] floats on a 64-byte boundary; with a NULL block this only counts.
static float *take(float *block, size_t *used, size_t columns)
{
    float *view = block == NULL ? NULL : block + *used;
    *used += (BR_TILE_ROWS * columns + 15) / 16 * 16;
    return view;
}

static size_t place_views(br_network *network, float *block)
{
    const br_model_config *config = &network->model->config;
    size_t width = network->model->width;
    size_t used = 0;
    network->x[0] = take(block, &used, width);
    for (uint32_t l = 0; l < config->n_cross; l++) {
        network->x[l + 1] = take(block, &used, width);
        network->z[l] = take(block, &used, width);
        network->q[l] = take(block, &used, config->rank);
    }
    for (uint32_t i = 0; i < config->n_hidden; i++) {
        network->h[i] = take(block, &used, config->hidden[i]);
        network->dh[i] = take(block, &used, config->hidden[i]);
    }
    network->dx = take(block, &used, width);
    network->dx0 = take(block, &used, width);
    network->dq = take(block, &used, config->rank);
    network->logit = take(block, &used, 1);
    network->dlogit = take(block, &used, 1);
    return used;
}

br_status br_network_new(br_network **out, const br_model *model)
{
    BR_AUTO(br_network) *network = br_calloc(1, sizeof *network);
    if (network == NULL) {
        return br_no_memory("network", 1);
    }
    network->model = model;
    size_t n_floats = place_views(network, NULL);
    network->block = br_calloc_aligned(n_floats, sizeof *network->block);
    network->row = br_calloc((size_t)BR_TILE_ROWS * model->n_fields, sizeof *network->row);
    if (network->block == NULL || network->row == NULL) {
        return br_no_memory("floats of a network's workspace", n_floats);
    }
    place_views(network, network->block);
    *out = network;
    network = NULL;
    return BR_OK;
}

void br_network_free(br_network **network)
{
    if (network == NULL || *network == NULL) {
        return;
    }
    br_free((*network)->block);
    br_free((*network)->row);
    br_free(*network);
    *network = NULL;
}

static br_cross_pass cross_pass(const br_network *network, uint32_t l, size_t n_rows)
{
    size_t width = network->model->width;
    size_t rank = network->model->config.rank;
    return (br_cross_pass){
        .x0 = br_matrix_of(network->x[0], n_rows, width),
        .x = br_matrix_of(network->x[l], n_rows, width),
        .q = br_matrix_of(network->q[l], n_rows, rank),
        .z = br_matrix_of(network->z[l], n_rows, width),
        .next = br_matrix_of(network->x[l + 1], n_rows, width),
        .dx = br_matrix_of(network->dx, n_rows, width),
        .dx0 = br_matrix_of(network->dx0, n_rows, width),
        .dq = br_matrix_of(network->dq, n_rows, rank),
    };
}

void br_network_forward(br_network *network, size_t n_rows)
{
    br_assert(n_rows <= BR_TILE_ROWS);
    const br_model *model = network->model;
    const br_model_config *config = &model->config;
    br_embedding_forward(network->x[0], model->embedding, network->row, n_rows * model->n_fields, config->d);
    for (uint32_t l = 0; l < config->n_cross; l++) {
        br_cross_layer layer = br_cross_layer_of(model, l);
        br_cross_pass pass = cross_pass(network, l, n_rows);
        br_cross_forward(&pass, &layer);
    }
    br_matrix in = br_matrix_of(network->x[0], n_rows, model->width);
    for (uint32_t i = 0; i < config->n_hidden; i++) {
        br_dense_layer layer = br_dense_layer_of(model, i);
        br_matrix h = br_matrix_of(network->h[i], n_rows, config->hidden[i]);
        br_dense_forward(h, in, &layer);
        in = h;
    }
    for (size_t t = 0; t < n_rows; t++) {
        network->logit[t] = model->bias[0];
    }
    br_output_forward(network->logit, br_matrix_of(network->x[config->n_cross], n_rows, model->width), model->w_cross);
    br_output_forward(network->logit, in, model->w_deep);
}

/// From d logit down the tower into dx0.
static void tower_backward(br_network *network, br_model *gradient, size_t n_rows)
{
    const br_model *model = network->model;
    const br_model_config *config = &model->config;
    uint32_t last = config->n_hidden - 1;
    for (uint32_t i = 0; i <= last; i++) {
        memset(network->dh[i], 0, n_rows * config->hidden[i] * sizeof(float));
    }
    br_output_backward(gradient->w_deep, br_matrix_of(network->dh[last], n_rows, config->hidden[last]), network->dlogit,
                       br_matrix_of(network->h[last], n_rows, config->hidden[last]), model->w_deep);
    for (uint32_t i = config->n_hidden; i-- > 0;) {
        size_t n_in = i == 0 ? model->width : config->hidden[i - 1];
        br_matrix x = br_matrix_of(i == 0 ? network->x[0] : network->h[i - 1], n_rows, n_in);
        br_matrix dx = br_matrix_of(i == 0 ? network->dx0 : network->dh[i - 1], n_rows, n_in);
        br_matrix h = br_matrix_of(network->h[i], n_rows, config->hidden[i]);
        br_matrix dh = br_matrix_of(network->dh[i], n_rows, config->hidden[i]);
        br_dense_layer layer = br_dense_layer_of(model, i);
        br_dense_layer d_layer = br_dense_layer_of(gradient, i);
        br_dense_backward(&d_layer, dx, dh, h, x, &layer);
    }
}

void br_network_backward(br_network *network, br_model *gradient, size_t n_rows)
{
    const br_model *model = network->model;
    const br_model_config *config = &model->config;
    size_t n = n_rows * model->width;
    memset(network->dx, 0, n * sizeof(float));
    memset(network->dx0, 0, n * sizeof(float));
    for (size_t t = 0; t < n_rows; t++) {
        gradient->bias[0] += network->dlogit[t];
    }
    tower_backward(network, gradient, n_rows);
    br_output_backward(gradient->w_cross, br_matrix_of(network->dx, n_rows, model->width), network->dlogit,
                       br_matrix_of(network->x[config->n_cross], n_rows, model->width), model->w_cross);
    for (uint32_t l = config->n_cross; l-- > 0;) {
        br_cross_layer layer = br_cross_layer_of(model, l);
        br_cross_layer d_layer = br_cross_layer_of(gradient, l);
        br_cross_pass pass = cross_pass(network, l, n_rows);
        br_cross_backward(&d_layer, &pass, &layer);
    }
    // What ran down the cross layers ends at x_0 as well.
    br_embedding_backward(gradient->embedding, network->dx, network->row, n_rows * model->n_fields, config->d);
    br_embedding_backward(gradient->embedding, network->dx0, network->row, n_rows * model->n_fields, config->d);
}
