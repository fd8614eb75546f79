#include "model/gates.h"

#include "base/alloc.h"
#include "linalg/fixed.h"
#include "model/layers.h"

#include <string.h>

enum { TILE_ROWS = 4 };

/// Samples are worked in whole tiles of the kernels, one alone in none: what stands in the rows beyond is of no account.
static size_t rows_of(size_t n)
{
    return n == 1 ? 1 : (n + TILE_ROWS - 1) / TILE_ROWS * TILE_ROWS;
}

/// W = width, n = investor fields, T = rows_of(max_samples).
struct br_gates {
    const br_model *model;
    const br_fixed_kernels *kernels;
    uint32_t n;
    size_t max_samples;
    size_t bond_width;
    float *zero;               ///< [d]
    float *average;            ///< [n, d] mean of the embeddings of a field's values
    float *average_linear;     ///< [n] mean of their linear weights
    float *u_t[BR_MAX_CROSS];  ///< [r, W] U_l^T: the kernels take no transposed weights
    float *v_t[BR_MAX_CROSS];  ///< [r, W]
    float *m_t[BR_MAX_CROSS];  ///< [W, W]
    float *w_t[BR_MAX_HIDDEN]; ///< [hidden[0], W]; [hidden[i - 1], hidden[i]]
    float *bond_q;             ///< [r] V_0^T of the bond's part of x_0
    float *bond_tower;         ///< [hidden[0]] W_1 of it, and c_1
    float bond_linear;         ///< its linear weights and the model's bias
    float *x0;                 ///< [T, W] the bond's part stands in every row
    float *x;                  ///< [T, W] x_l on its way up, its gradient on its way down
    float *dx0;                ///< [T, W] what does not come by x_1
    float *z[BR_MAX_CROSS];    ///< [T, W] what layer l multiplies x_0 with
    float *q;                  ///< [T, r]
    float *h[BR_MAX_HIDDEN];   ///< [T, hidden[i]]
    float *dh[BR_MAX_HIDDEN];  ///< likewise
    float *sum;                ///< [d] of all embeddings of a sample, of BR_DEEPFM
    float *logit;              ///< [T]
    float *block;              ///< the memory of all floats above
};

// --- its memory ---

/// Hand out the next `n` floats, on a cache line; with a NULL block this only counts.
static float *take(float *block, size_t *used, size_t n)
{
    float *view = block == NULL ? NULL : block + *used;
    *used += (n + BR_LANES - 1) / BR_LANES * BR_LANES;
    return view;
}

static size_t place(br_gates *gates, float *block)
{
    const br_model_config *config = &gates->model->config;
    size_t width = gates->model->width;
    size_t rows = rows_of(gates->max_samples);
    size_t wide = rows * width;
    size_t used = 0;
    gates->zero = take(block, &used, config->d);
    gates->average = take(block, &used, (size_t)gates->n * config->d);
    gates->average_linear = take(block, &used, gates->n);
    for (uint32_t l = 0; l < config->n_cross; l++) {
        bool low = l < gates->model->n_low;
        gates->u_t[l] = take(block, &used, low ? width * config->rank : 0);
        gates->v_t[l] = take(block, &used, low ? width * config->rank : 0);
        gates->m_t[l] = take(block, &used, low ? 0 : width * width);
    }
    for (uint32_t i = 0; i < config->n_hidden; i++) {
        gates->w_t[i] = take(block, &used, config->hidden[i] * (i == 0 ? width : config->hidden[i - 1]));
    }
    gates->bond_q = take(block, &used, config->rank);
    gates->bond_tower = take(block, &used, config->hidden[0]);
    gates->x0 = take(block, &used, wide);
    gates->x = take(block, &used, wide);
    gates->dx0 = take(block, &used, wide);
    for (uint32_t l = 0; l < config->n_cross; l++) {
        gates->z[l] = take(block, &used, wide);
    }
    gates->q = take(block, &used, rows * config->rank);
    for (uint32_t i = 0; i < config->n_hidden; i++) {
        gates->h[i] = take(block, &used, rows * config->hidden[i]);
        gates->dh[i] = take(block, &used, rows * config->hidden[i]);
    }
    gates->sum = take(block, &used, config->d);
    gates->logit = take(block, &used, rows);
    return used;
}

static void average_values(br_gates *gates)
{
    const br_model *model = gates->model;
    size_t d = model->config.d;
    for (uint32_t j = 0; j < gates->n; j++) {
        uint32_t field = model->n_bond_fields + j;
        uint32_t n_values = model->fields[field].n_values;
        size_t first = model->row_of[field];
        for (size_t i = 0; i < d; i++) {
            double sum = 0.0;
            for (uint32_t v = 0; v < n_values; v++) {
                sum += (double)model->embedding[(first + v) * d + i];
            }
            gates->average[j * d + i] = (float)(sum / n_values);
        }
        double sum = 0.0;
        for (uint32_t v = 0; model->linear != NULL && v < n_values; v++) {
            sum += (double)model->linear[first + v];
        }
        gates->average_linear[j] = (float)(sum / n_values);
    }
}

/// to [columns, rows] = from [rows, columns]
static void transpose(float *to, const float *from, size_t rows, size_t columns)
{
    for (size_t row = 0; row < rows; row++) {
        for (size_t column = 0; column < columns; column++) {
            to[column * rows + row] = from[row * columns + column];
        }
    }
}

static void transpose_weights(br_gates *gates)
{
    const br_model *model = gates->model;
    const br_model_config *config = &model->config;
    for (uint32_t l = 0; l < model->n_low; l++) {
        transpose(gates->u_t[l], model->u[l], model->width, config->rank);
        transpose(gates->v_t[l], model->v[l], model->width, config->rank);
    }
    for (uint32_t l = model->n_low; l < config->n_cross; l++) {
        transpose(gates->m_t[l], model->m[l], model->width, model->width);
    }
    transpose(gates->w_t[0], model->w[0], model->width, config->hidden[0]);
    for (uint32_t i = 1; i < config->n_hidden; i++) {
        transpose(gates->w_t[i], model->w[i], config->hidden[i], config->hidden[i - 1]);
    }
}

br_status br_gates_new(br_gates **out, const br_model *model, uint32_t max_samples)
{
    uint32_t n = model->n_fields - model->n_bond_fields;
    if (n == 0 || max_samples == 0) {
        return br_fail(BR_ERR_INVALID, "gates of %u fields for %u samples", n, max_samples);
    }
    BR_AUTO(br_gates) *gates = br_calloc(1, sizeof *gates);
    if (gates == NULL) {
        return br_no_memory("gates", 1);
    }
    gates->model = model;
    gates->kernels = br_fixed();
    gates->n = n;
    gates->max_samples = max_samples;
    gates->bond_width = (size_t)model->n_bond_fields * model->config.d;
    size_t n_floats = place(gates, NULL);
    gates->block = br_calloc_aligned(n_floats, sizeof *gates->block);
    if (gates->block == NULL) {
        return br_no_memory("floats of gates", n_floats);
    }
    place(gates, gates->block);
    average_values(gates);
    transpose_weights(gates);
    *out = gates;
    gates = NULL;
    return BR_OK;
}

void br_gates_free(br_gates **gates)
{
    if (gates == NULL || *gates == NULL) {
        return;
    }
    br_free((*gates)->block);
    br_free(*gates);
    *gates = NULL;
}

// --- views ---

static br_matrix whole(const br_gates *gates, float *data, size_t n)
{
    return br_matrix_of(data, n, gates->model->width);
}

/// The columns of the investor's fields.
static br_matrix investor(const br_gates *gates, float *data, size_t n)
{
    size_t width = gates->model->width;
    return (br_matrix){data + gates->bond_width, n, width - gates->bond_width, width};
}

static br_matrix hidden(const br_gates *gates, float *const *h, uint32_t i, size_t n)
{
    return br_matrix_of(h[i], n, gates->model->config.hidden[i]);
}

/// Columns of A that are worked together: all rows of X meet them while they are in the second cache.
static size_t panel_columns(size_t rows)
{
    enum { PANEL_FLOATS = 1 << 16, LEAST = 64 };
    size_t columns = PANEL_FLOATS / rows / LEAST * LEAST;
    return columns < LEAST ? LEAST : columns;
}

/// Y += X A, of rows that do not depend on each other. A begins at `a`: [x.columns, y.columns] of rows of `a_stride` floats.
static void product(const br_gates *gates, br_matrix y, br_matrix x, const float *a, size_t a_stride)
{
    br_assert(y.rows == x.rows && x.columns > 0);
    size_t step = panel_columns(x.columns);
    for (size_t column = 0; column < y.columns; column += step) {
        br_fixed_product it = {.y = y.data + column,
                               .y_stride = y.stride,
                               .x = x.data,
                               .x_stride = x.stride,
                               .a = a + column,
                               .a_stride = a_stride,
                               .n = y.rows,
                               .rows = x.columns,
                               .columns = y.columns - column < step ? y.columns - column : step};
        gates->kernels->product(&it);
    }
}

static void fill_rows(br_matrix y, const float *row)
{
    for (size_t t = 0; t < y.rows; t++) {
        memcpy(y.data + t * y.stride, row, y.columns * sizeof *row);
    }
}

static void clear(br_matrix y)
{
    memset(y.data, 0, y.rows * y.columns * sizeof *y.data);
}

/// What a field's gate leads from and to.
typedef struct gate_ends {
    const float *baseline; ///< [d]
    const float *value;    ///< [d]
    float baseline_linear;
    float value_linear;
} gate_ends;

/// Of field j of sample i.
static gate_ends ends_of(const br_gates *gates, const br_gate_samples *samples, size_t i, uint32_t j)
{
    const br_model *model = gates->model;
    const br_model_field *field = &model->fields[model->n_bond_fields + j];
    size_t d = model->config.d;
    size_t first = model->row_of[model->n_bond_fields + j];
    size_t value = first + samples->codes[i * gates->n + j];
    br_assert(value - first < field->n_values);
    gate_ends ends = {.value = model->embedding + value * d,
                      .value_linear = model->linear == NULL ? 0 : model->linear[value]};
    switch (samples->baseline) {
    case BR_BASELINE_ZERO:
        ends.baseline = gates->zero;
        return ends;
    case BR_BASELINE_AVERAGE:
        ends.baseline = gates->average + j * d;
        ends.baseline_linear = gates->average_linear[j];
        return ends;
    case BR_BASELINE_MASK:
    case BR_BASELINE_VALUE:
        break;
    }
    bool mask = samples->baseline == BR_BASELINE_MASK;
    size_t code = mask ? field->n_values : samples->baseline_codes[i * gates->n + j];
    br_assert(mask ? field->maskable : code < field->n_values);
    ends.baseline = model->embedding + (first + code) * d;
    ends.baseline_linear = model->linear == NULL ? 0 : model->linear[first + code];
    return ends;
}

// --- forward ---

void br_gates_bond(br_gates *gates, const uint8_t *bond_codes)
{
    const br_model *model = gates->model;
    size_t d = model->config.d;
    gates->bond_linear = model->bias[0];
    for (uint32_t j = 0; j < model->n_bond_fields; j++) {
        br_assert(bond_codes[j] < model->fields[j].n_values);
        size_t row = model->row_of[j] + bond_codes[j];
        memcpy(gates->x0 + j * d, model->embedding + row * d, d * sizeof(float));
        gates->bond_linear += model->linear == NULL ? 0 : model->linear[row];
    }
    for (size_t t = 1; t < rows_of(gates->max_samples); t++) {
        memcpy(gates->x0 + t * model->width, gates->x0, gates->bond_width * sizeof(float));
    }
    br_matrix x = br_matrix_of(gates->x0, 1, gates->bond_width);
    br_matrix q = br_matrix_of(gates->bond_q, 1, model->config.rank);
    br_matrix tower = br_matrix_of(gates->bond_tower, 1, model->config.hidden[0]);
    if (model->n_low > 0) {
        clear(q);
    }
    if (model->n_low > 0 && x.columns > 0) {
        product(gates, q, x, model->v[0], q.columns);
    }
    fill_rows(tower, model->c[0]);
    if (x.columns > 0) {
        product(gates, tower, x, model->w[0], tower.columns);
    }
}

/// x_0 of the investor's fields, and the logit's linear part.
static void fill(br_gates *gates, const br_gate_samples *samples, size_t n)
{
    const br_model *model = gates->model;
    size_t d = model->config.d;
    for (size_t t = 0; t < n; t++) {
        float *x0 = gates->x0 + t * model->width + gates->bond_width;
        float linear = gates->bond_linear;
        for (uint32_t j = 0; j < gates->n; j++) {
            gate_ends ends = ends_of(gates, samples, t, j);
            float gate = samples->gates == NULL ? 1.0f : samples->gates[t * gates->n + j];
            for (size_t i = 0; i < d; i++) {
                x0[j * d + i] = (1.0f - gate) * ends.baseline[i] + gate * ends.value[i];
            }
            linear += (1.0f - gate) * ends.baseline_linear + gate * ends.value_linear;
        }
        gates->logit[t] = linear;
    }
}

/// Y = the bond's + X_0 A of the investor's fields, A [W, y.columns]
static void first_product(const br_gates *gates, br_matrix y, const float *bond, const float *a)
{
    fill_rows(y, bond);
    product(gates, y, investor(gates, gates->x0, y.rows), a + gates->bond_width * y.columns, y.columns);
}

/// x += x_0 * z
BR_WIDE static void combine_gated(float *restrict x, const float *restrict x0, const float *restrict z, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        x[i] += x0[i] * z[i];
    }
}

/// x = x_L
static void cross_forward(br_gates *gates, size_t n)
{
    const br_model *model = gates->model;
    size_t width = model->width;
    br_matrix x = whole(gates, gates->x, n);
    br_matrix q = br_matrix_of(gates->q, n, model->config.rank);
    memcpy(gates->x, gates->x0, n * width * sizeof *gates->x);
    for (uint32_t l = 0; l < model->config.n_cross; l++) {
        br_matrix z = whole(gates, gates->z[l], n);
        fill_rows(z, model->b[l]);
        if (l >= model->n_low) {
            product(gates, z, x, gates->m_t[l], width);
        } else {
            if (l == 0) {
                first_product(gates, q, gates->bond_q, model->v[0]);
            } else {
                clear(q);
                product(gates, q, x, model->v[l], q.columns);
            }
            product(gates, z, q, gates->u_t[l], width);
        }
        combine_gated(gates->x, gates->x0, z.data, n * width);
    }
}

/// h = relu(h)
BR_WIDE static void relu(float *h, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        // A NaN stays a NaN: the comparison is false for it.
        h[i] = h[i] <= 0.0f ? 0.0f : h[i];
    }
}

static void tower_forward(br_gates *gates, size_t n)
{
    const br_model *model = gates->model;
    const br_model_config *config = &model->config;
    for (uint32_t i = 0; i < config->n_hidden; i++) {
        br_matrix h = hidden(gates, gates->h, i, n);
        if (i > 0) {
            fill_rows(h, model->c[i]);
            product(gates, h, hidden(gates, gates->h, i - 1, n), gates->w_t[i], h.columns);
        } else if (config->stacked) {
            fill_rows(h, model->c[0]);
            product(gates, h, whole(gates, gates->x, n), model->w[0], h.columns);
        } else {
            first_product(gates, h, gates->bond_tower, model->w[0]);
        }
        relu(h.data, n * h.columns);
    }
    br_output_forward(gates->logit, hidden(gates, gates->h, config->n_hidden - 1, n), model->w_deep);
}

/// sum = sum_j x_0j of one sample; returns sum_{i<j} x_0i . x_0j = (|sum|^2 - sum_j |x_0j|^2) / 2
static float sum_and_pairs(const br_gates *gates, const float *x0)
{
    size_t d = gates->model->config.d;
    double squares = 0.0;
    memset(gates->sum, 0, d * sizeof *gates->sum);
    for (size_t i = 0; i < gates->model->width; i++) {
        gates->sum[i % d] += x0[i];
        squares += (double)x0[i] * (double)x0[i];
    }
    double pairs = -squares;
    for (size_t i = 0; i < d; i++) {
        pairs += (double)gates->sum[i] * (double)gates->sum[i];
    }
    return (float)(0.5 * pairs);
}

/// Of n <= max_samples samples.
static void forward(br_gates *gates, const br_gate_samples *samples, size_t n)
{
    const br_model *model = gates->model;
    fill(gates, samples, n);
    n = rows_of(n);
    if (model->config.n_cross > 0 || model->config.stacked || model->w_cross != NULL) {
        cross_forward(gates, n);
    }
    if (model->w_cross != NULL) {
        br_output_forward(gates->logit, whole(gates, gates->x, n), model->w_cross);
    }
    for (size_t t = 0; model->config.architecture == BR_DEEPFM && t < n; t++) {
        gates->logit[t] += sum_and_pairs(gates, gates->x0 + t * model->width);
    }
    tower_forward(gates, n);
}

// --- backward, of each sample's logit ---

/// dh = dh where h > 0, else 0
BR_WIDE static void through_relu_gated(float *restrict dh, const float *restrict h, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        dh[i] = h[i] > 0.0f ? dh[i] : 0.0f;
    }
}

/// dh of the first layer.
static void tower_backward(br_gates *gates, size_t n)
{
    const br_model *model = gates->model;
    uint32_t last = model->config.n_hidden - 1;
    fill_rows(hidden(gates, gates->dh, last, n), model->w_deep);
    for (uint32_t i = last + 1; i-- > 0;) {
        br_matrix dh = hidden(gates, gates->dh, i, n);
        through_relu_gated(dh.data, gates->h[i], n * dh.columns);
        if (i > 0) {
            br_matrix before = hidden(gates, gates->dh, i - 1, n);
            clear(before);
            product(gates, before, dh, model->w[i], before.columns);
        }
    }
}

/// dx0 += dx * z;  z = dz = dx * x_0
BR_WIDE static void split_gated(float *restrict dx0, float *restrict z, const float *restrict dx,
                                const float *restrict x0, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        dx0[i] += dx[i] * z[i];
        z[i] = dx[i] * x0[i];
    }
}

/// From x, the gradient of x_L, to dx0 and the gradient that comes to x_0 by x_1.
static void cross_backward(br_gates *gates, size_t n)
{
    const br_model *model = gates->model;
    size_t width = model->width;
    br_matrix dx = whole(gates, gates->x, n);
    br_matrix dq = br_matrix_of(gates->q, n, model->config.rank);
    for (uint32_t l = model->config.n_cross; l-- > 0;) {
        br_matrix dz = whole(gates, gates->z[l], n);
        split_gated(gates->dx0, dz.data, gates->x, gates->x0, n * width);
        if (l >= model->n_low) {
            product(gates, dx, dz, model->m[l], width);
        } else {
            clear(dq);
            product(gates, dq, dz, model->u[l], dq.columns);
            product(gates, dx, dq, gates->v_t[l], width);
        }
    }
}

BR_WIDE static void add_gated(float *restrict to, const float *restrict from, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        to[i] += from[i];
    }
}

/// dx0 = gradient of x_0, of the investor's fields.
static void backward(br_gates *gates, size_t n)
{
    const br_model *model = gates->model;
    size_t width = model->width, d = model->config.d;
    br_matrix dh = hidden(gates, gates->dh, 0, n);
    tower_backward(gates, n);
    clear(whole(gates, gates->dx0, n));
    if (model->config.stacked) {
        clear(whole(gates, gates->x, n));
        product(gates, whole(gates, gates->x, n), dh, gates->w_t[0], width);
    } else {
        product(gates, investor(gates, gates->dx0, n), dh, gates->w_t[0] + gates->bond_width, width);
    }
    if (model->w_cross != NULL) {
        fill_rows(whole(gates, gates->x, n), model->w_cross);
    }
    if (model->config.stacked || model->w_cross != NULL) {
        cross_backward(gates, n);
        add_gated(gates->dx0, gates->x, n * width);
    }
    for (size_t t = 0; model->config.architecture == BR_DEEPFM && t < n; t++) {
        const float *x0 = gates->x0 + t * width;
        sum_and_pairs(gates, x0);
        for (size_t i = 0; i < width; i++) {
            gates->dx0[t * width + i] += gates->sum[i % d] - x0[i];
        }
    }
}

/// From the gradient of x_0 to that of the gates.
static void to_gates(const br_gates *gates, const br_gate_samples *samples, size_t n, float *gradient)
{
    const br_model *model = gates->model;
    size_t d = model->config.d;
    for (size_t t = 0; t < n; t++) {
        const float *dx0 = gates->dx0 + t * model->width + gates->bond_width;
        for (uint32_t j = 0; j < gates->n; j++) {
            gate_ends ends = ends_of(gates, samples, t, j);
            float sum = ends.value_linear - ends.baseline_linear;
            for (size_t i = 0; i < d; i++) {
                sum += dx0[j * d + i] * (ends.value[i] - ends.baseline[i]);
            }
            gradient[t * gates->n + j] = sum;
        }
    }
}

static void run(br_gates *gates, const br_gate_samples *samples, size_t n, float *logits_out, float *gradient_out)
{
    for (size_t first = 0; first < n; first += gates->max_samples) {
        size_t n_turn = n - first < gates->max_samples ? n - first : gates->max_samples;
        size_t at = first * gates->n;
        br_gate_samples turn = *samples;
        turn.codes += at;
        turn.gates = samples->gates == NULL ? NULL : samples->gates + at;
        turn.baseline_codes = samples->baseline_codes == NULL ? NULL : samples->baseline_codes + at;
        forward(gates, &turn, n_turn);
        if (logits_out != NULL) {
            memcpy(logits_out + first, gates->logit, n_turn * sizeof *logits_out);
        }
        if (gradient_out != NULL) {
            backward(gates, rows_of(n_turn));
            to_gates(gates, &turn, n_turn, gradient_out + at);
        }
    }
}

void br_gates_logits(br_gates *gates, const br_gate_samples *samples, size_t n, float *logits_out)
{
    run(gates, samples, n, logits_out, NULL);
}

void br_gates_gradient(br_gates *gates, const br_gate_samples *samples, size_t n, float *logits_out,
                       float *gradient_out)
{
    run(gates, samples, n, logits_out, gradient_out);
}
