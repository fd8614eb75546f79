#include "support/network.h"

#include "base/rng.h"

#include <math.h>
#include <stdlib.h>

static void scale(float *values, size_t n, double factor)
{
    for (size_t i = 0; i < n; i++) {
        values[i] *= (float)factor;
    }
}

static void draw(br_rng *rng, float *values, size_t n, double deviation)
{
    for (size_t i = 0; i < n; i++) {
        values[i] = (float)(deviation * br_rng_normal(rng));
    }
}

br_model *br_test_network(const br_test_shape *shape)
{
    uint32_t n_fields = shape->n_bond_fields + shape->n_investor_fields;
    br_model_field *fields = calloc(n_fields, sizeof *fields);
    br_assert(fields != NULL);
    br_rng rng = br_rng_at(shape->seed, BR_STREAM_TEST, 1000, 0);
    for (uint32_t j = 0; j < n_fields; j++) {
        fields[j].n_values = 2 + br_rng_below(&rng, shape->max_values - 1);
        fields[j].maskable = j >= shape->n_bond_fields;
    }
    br_model *model = NULL;
    br_status status = br_model_new(&model, &shape->config, fields, n_fields, shape->n_bond_fields);
    br_assert(status == BR_OK);
    free(fields);
    br_model_init(model, shape->seed);
    // The sum over all pairs of fields grows with their number.
    bool pairs = model->config.architecture == BR_DEEPFM;
    scale(model->embedding, model->row_of[n_fields] * model->config.d,
          pairs ? 200.0 / sqrt((double)model->width) : 5.0);
    if (model->linear != NULL) {
        draw(&rng, model->linear, model->row_of[n_fields], 1.0 / sqrt(n_fields));
    }
    for (uint32_t l = 0; l < model->config.n_cross; l++) {
        draw(&rng, model->b[l], model->width, 0.1);
    }
    for (uint32_t i = 0; i < model->config.n_hidden; i++) {
        draw(&rng, model->c[i], model->config.hidden[i], 0.2);
    }
    scale(model->w_deep, model->config.hidden[model->config.n_hidden - 1], 2.0);
    model->bias[0] = -0.7f;
    return model;
}

static void draw_codes(const br_model_field *fields, uint32_t n_fields, br_rng *rng, uint8_t *codes)
{
    for (uint32_t j = 0; j < n_fields; j++) {
        uint32_t a = br_rng_below(rng, fields[j].n_values);
        uint32_t b = br_rng_below(rng, fields[j].n_values);
        codes[j] = (uint8_t)(a < b ? a : b);
    }
}

void br_test_bond_codes(const br_model *model, uint64_t seed, size_t n, uint8_t *codes)
{
    for (size_t i = 0; i < n; i++) {
        br_rng rng = br_rng_at(seed, BR_STREAM_TEST, 1001, (uint32_t)i);
        draw_codes(model->fields, model->n_bond_fields, &rng, codes + i * model->n_bond_fields);
    }
}

void br_test_investor_codes(const br_model *model, uint64_t seed, size_t n, uint8_t *codes)
{
    uint32_t n_fields = model->n_fields - model->n_bond_fields;
    for (size_t i = 0; i < n; i++) {
        br_rng rng = br_rng_at(seed, BR_STREAM_TEST, 1002, (uint32_t)i);
        draw_codes(model->fields + model->n_bond_fields, n_fields, &rng, codes + i * n_fields);
    }
}

br_test_shape br_test_shape_compact(void)
{
    return (br_test_shape){
        .config = {.d = 8, .n_cross = 2, .rank = 32, .n_hidden = 2, .hidden = {128, 64}},
        .n_bond_fields = 32,
        .n_investor_fields = 259,
        .max_values = 10,
        .seed = 1,
    };
}

br_test_shape br_test_shape_main(void)
{
    br_test_shape shape = br_test_shape_compact();
    shape.config = (br_model_config){.d = 8, .n_cross = 3, .rank = 64, .n_hidden = 2, .hidden = {256, 128}};
    return shape;
}
