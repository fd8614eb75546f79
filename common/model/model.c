#include "model/model.h"

#include "base/alloc.h"
#include "base/rng.h"

#include <math.h>
#include <string.h>

enum { MAX_D = 64, MAX_RANK = 256, MAX_WIDTH = 1024 };

br_model_config br_model_config_default(void)
{
    return (br_model_config){.d = 8, .n_cross = 2, .rank = 32, .n_hidden = 2, .hidden = {128, 64}};
}

static br_status check_range(const char *name, uint32_t value, uint32_t low, uint32_t high)
{
    if (value < low || value > high) {
        return br_fail(BR_ERR_INVALID, "model: %s is %u, not %u to %u", name, value, low, high);
    }
    return BR_OK;
}

br_status br_model_config_check(const br_model_config *config)
{
    br_status status = check_range("d", config->d, 1, MAX_D);
    if (status == BR_OK) {
        status = check_range("n_cross", config->n_cross, 0, config->architecture == BR_DCN ? BR_MAX_CROSS : 0);
    }
    if (status == BR_OK) {
        status = check_range("rank", config->rank, 0, MAX_RANK);
    }
    if (status == BR_OK) {
        status = check_range("n_hidden", config->n_hidden, 1, BR_MAX_HIDDEN);
    }
    for (uint32_t i = 0; status == BR_OK && i < config->n_hidden; i++) {
        status = check_range("width of a hidden layer", config->hidden[i], 1, MAX_WIDTH);
    }
    return status;
}

bool br_model_config_equal(const br_model_config *a, const br_model_config *b)
{
    bool equal = a->architecture == b->architecture && a->d == b->d && a->n_cross == b->n_cross && a->rank == b->rank &&
                 a->stacked == b->stacked && a->n_hidden == b->n_hidden;
    for (uint32_t i = 0; equal && i < a->n_hidden; i++) {
        equal = a->hidden[i] == b->hidden[i];
    }
    return equal;
}

/// Hand out the next `n` parameters; with a NULL block this only counts.
static float *take(float *block, size_t *used, size_t n)
{
    float *view = block == NULL ? NULL : block + *used;
    *used += n;
    return view;
}

static void place_views(br_model *model, float *block)
{
    const br_model_config *config = &model->config;
    size_t used = 0;
    bool has_linear = config->architecture == BR_WIDE_DEEP || config->architecture == BR_DEEPFM;
    model->embedding = take(block, &used, model->row_of[model->n_fields] * config->d);
    model->linear = has_linear ? take(block, &used, model->row_of[model->n_fields]) : NULL;
    for (uint32_t l = 0; l < model->n_low; l++) {
        model->u[l] = take(block, &used, model->width * config->rank);
    }
    for (uint32_t l = 0; l < model->n_low; l++) {
        model->v[l] = take(block, &used, model->width * config->rank);
    }
    for (uint32_t l = model->n_low; l < config->n_cross; l++) {
        model->m[l] = take(block, &used, model->width * model->width);
    }
    for (uint32_t l = 0; l < config->n_cross; l++) {
        model->b[l] = take(block, &used, model->width);
    }
    for (uint32_t i = 0; i < config->n_hidden; i++) {
        model->w[i] = take(block, &used, config->hidden[i] * (i == 0 ? model->width : config->hidden[i - 1]));
    }
    for (uint32_t i = 0; i < config->n_hidden; i++) {
        model->c[i] = take(block, &used, config->hidden[i]);
    }
    model->w_cross = config->architecture == BR_DCN && !config->stacked ? take(block, &used, model->width) : NULL;
    model->w_deep = take(block, &used, config->hidden[config->n_hidden - 1]);
    model->bias = take(block, &used, 1);
    model->n_parameters = used;
}

static br_status check_fields(const br_model_field *fields, uint32_t n_fields, uint32_t n_bond_fields)
{
    if (n_fields == 0 || n_bond_fields > n_fields) {
        return br_fail(BR_ERR_INVALID, "model: %u fields, %u of them the bond's", n_fields, n_bond_fields);
    }
    for (uint32_t j = 0; j < n_fields; j++) {
        if (fields[j].n_values == 0 || fields[j].n_values > BR_MAX_FIELD_VALUES) {
            return br_fail(BR_ERR_INVALID, "model: field %u has %u values, not 1 to %d", j, fields[j].n_values,
                           BR_MAX_FIELD_VALUES);
        }
        if (j < n_bond_fields && fields[j].maskable) {
            return br_fail(BR_ERR_INVALID, "model: bond field %u is maskable; only investor fields can be", j);
        }
    }
    return BR_OK;
}

br_status br_model_new(br_model **out, const br_model_config *config, const br_model_field *fields, uint32_t n_fields,
                       uint32_t n_bond_fields)
{
    br_status status = br_model_config_check(config);
    if (status == BR_OK) {
        status = check_fields(fields, n_fields, n_bond_fields);
    }
    if (status != BR_OK) {
        return status;
    }
    BR_AUTO(br_model) *model = br_calloc(1, sizeof *model);
    if (model == NULL) {
        return br_no_memory("model", 1);
    }
    model->n_low = config->rank == 0 ? 0 : config->n_cross;
    model->config = *config;
    model->n_fields = n_fields;
    model->n_bond_fields = n_bond_fields;
    model->width = (size_t)n_fields * config->d;
    model->fields = br_memdup(fields, n_fields * sizeof *fields);
    model->row_of = br_calloc(n_fields + 1, sizeof *model->row_of);
    if (model->fields == NULL || model->row_of == NULL) {
        return br_no_memory("fields", n_fields);
    }
    for (uint32_t j = 0; j < n_fields; j++) {
        model->row_of[j + 1] = model->row_of[j] + fields[j].n_values + (fields[j].maskable ? 1 : 0);
    }
    if (model->row_of[n_fields] >= UINT32_MAX) {
        return br_fail(BR_ERR_LIMIT, "model: %zu embedding rows, at most %u", model->row_of[n_fields], UINT32_MAX - 1);
    }
    place_views(model, NULL);
    model->parameters = br_calloc_aligned(model->n_parameters, sizeof *model->parameters);
    if (model->parameters == NULL) {
        return br_no_memory("parameters", model->n_parameters);
    }
    place_views(model, model->parameters);
    *out = model;
    model = NULL;
    return BR_OK;
}

br_status br_model_new_for(br_model **out, const br_model_config *config, const br_encoder *encoder)
{
    br_model_field *fields = br_calloc(encoder->n_fields, sizeof *fields);
    if (fields == NULL) {
        return br_no_memory("fields", encoder->n_fields);
    }
    for (uint32_t j = 0; j < encoder->n_fields; j++) {
        fields[j] = (br_model_field){encoder->fields[j].n_values, j >= encoder->n_bond_fields};
    }
    br_status status = br_model_new(out, config, fields, encoder->n_fields, encoder->n_bond_fields);
    br_free(fields);
    return status;
}

size_t br_mean_bond_floats(const br_model *model)
{
    return (size_t)model->n_bond_fields * model->config.d + (model->linear != NULL ? 1 : 0);
}

void br_model_free(br_model **model)
{
    if (model == NULL || *model == NULL) {
        return;
    }
    br_free((*model)->fields);
    br_free((*model)->row_of);
    br_free((*model)->parameters);
    br_free(*model);
    *model = NULL;
}

// rows[value of `now`] and the mask's from the rows of `before`, `n` floats each.
static void take_over_rows(float *rows, const float *before, const br_field *field, const br_field *field_before,
                           bool maskable, size_t n)
{
    size_t mask = field_before->n_values;
    for (uint32_t code = 0; code < field->n_values; code++) {
        float *row = rows + code * n;
        uint8_t old = br_field_code_before(field_before, field, (uint8_t)code);
        if (old != BR_CODE_NEW || maskable) {
            memcpy(row, before + (old != BR_CODE_NEW ? old : mask) * n, n * sizeof *row);
            continue;
        }
        for (size_t i = 0; i < n; i++) {
            double sum = 0.0;
            for (uint32_t v = 0; v < field_before->n_values; v++) {
                sum += (double)before[v * n + i];
            }
            row[i] = (float)(sum / field_before->n_values);
        }
    }
    if (maskable) {
        memcpy(rows + field->n_values * n, before + mask * n, n * sizeof *rows);
    }
}

br_status br_model_take_over(br_model **out, const br_model *from, const br_encoder *before, const br_encoder *now)
{
    bool same = from->n_fields == before->n_fields && from->n_bond_fields == before->n_bond_fields;
    for (uint32_t j = 0; same && j < from->n_fields; j++) {
        same = from->fields[j].n_values == before->fields[j].n_values;
    }
    if (!same || now->n_fields != before->n_fields || now->n_bond_fields != before->n_bond_fields) {
        return br_fail(BR_ERR_INVALID, "model: parameters of %u fields are not those of %u fields", from->n_fields,
                       now->n_fields);
    }
    br_model *model = NULL;
    br_status status = br_model_new_for(&model, &from->config, now);
    if (status != BR_OK) {
        return status;
    }
    for (uint32_t j = 0; j < model->n_fields; j++) {
        const br_field *field = &now->fields[j];
        const br_field *field_before = &before->fields[j];
        bool maskable = model->fields[j].maskable;
        take_over_rows(model->embedding + model->row_of[j] * model->config.d,
                       from->embedding + from->row_of[j] * model->config.d, field, field_before, maskable,
                       model->config.d);
        if (model->linear != NULL) {
            take_over_rows(model->linear + model->row_of[j], from->linear + from->row_of[j], field, field_before,
                           maskable, 1);
        }
    }
    // Behind the rows of values nothing depends on their number.
    size_t row_floats = model->config.d + (model->linear == NULL ? 0 : 1);
    size_t n_rest = model->n_parameters - model->row_of[model->n_fields] * row_floats;
    br_assert(n_rest == from->n_parameters - from->row_of[from->n_fields] * row_floats);
    memcpy(model->parameters + model->n_parameters - n_rest, from->parameters + from->n_parameters - n_rest,
           n_rest * sizeof *model->parameters);
    *out = model;
    return BR_OK;
}

/// values[i] ~ N(0, scale^2); `part` keeps the parts of the model from sharing numbers.
static void draw(float *values, size_t n, double scale, uint64_t seed, uint32_t part)
{
    br_rng rng = br_rng_at(seed, BR_STREAM_INIT, part, 0);
    for (size_t i = 0; i < n; i++) {
        values[i] = (float)(scale * br_rng_normal(&rng));
    }
}

void br_model_init(br_model *model, uint64_t seed)
{
    const br_model_config *config = &model->config;
    uint32_t part = 0;
    double width = (double)model->width;
    memset(model->parameters, 0, model->n_parameters * sizeof *model->parameters);
    // The sum over all pairs of fields is to start small: with 0.1 its deviation would be 6 logits for 291 fields and d = 8.
    double embedding_scale = config->architecture == BR_DEEPFM ? 0.01 : 0.1;
    draw(model->embedding, model->row_of[model->n_fields] * config->d, embedding_scale, seed, part++);
    // Glorot for what is linear, He for what a relu follows.
    double cross_scale = sqrt(2.0 / (width + config->rank));
    for (uint32_t l = 0; l < model->n_low; l++) {
        draw(model->u[l], model->width * config->rank, cross_scale, seed, part++);
        draw(model->v[l], model->width * config->rank, cross_scale, seed, part++);
    }
    for (uint32_t l = model->n_low; l < config->n_cross; l++) {
        draw(model->m[l], model->width * model->width, sqrt(1.0 / width), seed, part++);
    }
    for (uint32_t i = 0; i < config->n_hidden; i++) {
        size_t fan_in = i == 0 ? model->width : config->hidden[i - 1];
        draw(model->w[i], fan_in * config->hidden[i], sqrt(2.0 / (double)fan_in), seed, part++);
    }
    uint32_t last = config->hidden[config->n_hidden - 1];
    if (model->w_cross != NULL) {
        draw(model->w_cross, model->width, sqrt(1.0 / width), seed, part);
    }
    part++;
    draw(model->w_deep, last, sqrt(1.0 / last), seed, part++);
}

br_status br_model_check_finite(const br_model *model)
{
    for (size_t i = 0; i < model->n_parameters; i++) {
        if (!isfinite(model->parameters[i])) {
            return br_fail(BR_ERR_INVALID, "model: parameter %zu of %zu is not finite", i, model->n_parameters);
        }
    }
    return BR_OK;
}

/// rows[n_fields] = the fields' embedding rows.
static void plain_rows(const br_model *model, const uint8_t *bond_codes, const uint8_t *investor_codes,
                       const uint8_t *masked, size_t *rows)
{
    for (uint32_t j = 0; j < model->n_fields; j++) {
        bool bond = j < model->n_bond_fields;
        uint32_t code = bond ? bond_codes[j] : investor_codes[j - model->n_bond_fields];
        br_assert(code < model->fields[j].n_values);
        if (!bond && masked != NULL && masked[j - model->n_bond_fields] != 0) {
            br_assert(model->fields[j].maskable);
            code = model->fields[j].n_values;
        }
        rows[j] = model->row_of[j] + code;
    }
}

/// sum_j linear[row of j]; for BR_DEEPFM with the inner products of all pairs of embeddings.
static double plain_wide(const br_model *model, const size_t *rows, const double *x0)
{
    double sum = 0.0;
    for (uint32_t i = 0; i < model->n_fields; i++) {
        sum += (double)model->linear[rows[i]];
        for (uint32_t j = 0; model->config.architecture == BR_DEEPFM && j < i; j++) {
            for (size_t k = 0; k < model->config.d; k++) {
                sum += x0[i * model->config.d + k] * x0[j * model->config.d + k];
            }
        }
    }
    return sum;
}

/// product = b_l + U_l V_l^T x, or with full rank b_l + M_l x
static void plain_product(const br_model *model, uint32_t l, const double *x, double *product)
{
    size_t width = model->width;
    size_t rank = model->config.rank;
    for (size_t i = 0; i < width; i++) {
        product[i] = (double)model->b[l][i];
        for (size_t k = 0; l >= model->n_low && k < width; k++) {
            product[i] += (double)model->m[l][i * width + k] * x[k];
        }
    }
    for (size_t k = 0; l < model->n_low && k < rank; k++) {
        double q = 0.0;
        for (size_t i = 0; i < width; i++) {
            q += (double)model->v[l][i * rank + k] * x[i];
        }
        for (size_t i = 0; i < width; i++) {
            product[i] += (double)model->u[l][i * rank + k] * q;
        }
    }
}

/// x = x_L
static void plain_cross(const br_model *model, const double *x0, double *x, double *product)
{
    memcpy(x, x0, model->width * sizeof *x);
    for (uint32_t l = 0; l < model->config.n_cross; l++) {
        plain_product(model, l, x, product);
        for (size_t i = 0; i < model->width; i++) {
            x[i] += x0[i] * product[i];
        }
    }
}

/// w_deep . h_last; `x` is read, h and next are overwritten.
static double plain_deep(const br_model *model, const double *x, double *h, double *next)
{
    size_t n_in = model->width;
    const double *in = x;
    for (uint32_t layer = 0; layer < model->config.n_hidden; layer++) {
        size_t n_out = model->config.hidden[layer];
        for (size_t i = 0; i < n_out; i++) {
            double sum = (double)model->c[layer][i];
            for (size_t k = 0; k < n_in; k++) {
                // The first layer's weights stand field by field.
                size_t at = layer == 0 ? k * n_out + i : i * n_in + k;
                sum += (double)model->w[layer][at] * in[k];
            }
            next[i] = sum > 0.0 ? sum : 0.0;
        }
        memcpy(h, next, n_out * sizeof *h);
        in = h;
        n_in = n_out;
    }
    double sum = 0.0;
    for (size_t i = 0; i < n_in; i++) {
        sum += (double)model->w_deep[i] * in[i];
    }
    return sum;
}

double br_model_logit_plain(const br_model *model, const uint8_t *bond_codes, const uint8_t *investor_codes,
                            const uint8_t *masked)
{
    size_t room = model->width > MAX_WIDTH ? model->width : MAX_WIDTH;
    double *x0 = br_malloc(4 * room * sizeof *x0);
    size_t *rows = br_malloc(model->n_fields * sizeof *rows);
    br_assert(x0 != NULL && rows != NULL);
    plain_rows(model, bond_codes, investor_codes, masked, rows);
    for (size_t i = 0; i < model->width; i++) {
        x0[i] = (double)model->embedding[rows[i / model->config.d] * model->config.d + i % model->config.d];
    }
    double *x = x0 + room;
    double *scratch = x0 + 2 * room;
    plain_cross(model, x0, x, scratch);
    double logit = (double)model->bias[0];
    for (size_t i = 0; model->w_cross != NULL && i < model->width; i++) {
        logit += (double)model->w_cross[i] * x[i];
    }
    if (model->linear != NULL) {
        logit += plain_wide(model, rows, x0);
    }
    logit += plain_deep(model, model->config.stacked ? x : x0, scratch, scratch + room);
    br_free(rows);
    br_free(x0);
    return logit;
}
