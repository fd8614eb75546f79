#include "model/collapse.h"

#include "base/alloc.h"
#include "model/tables.h"
#include "model/uncollapsed.h"

#include <string.h>

// Legend: L = n_cross, R = rank rounded up to whole vectors (zeros), d = embedding size, m < l cross layers.
//
// A row (and the head of a state) is [P: L R][G: L R][T: h_1 rounded up][c, square, 14 zeros][F: d rounded up]: G only of the parallel
// BR_DCN, F and the square only of BR_DEEPFM. The rest of a state is K, one block per m: K_m [R, (L - 1 - m) R] holds K_lm^T for
// l = m + 1, ..., so that q_m K_m is what layer m adds to all later ones. For a stacked tower K_Lm^T stands in the same rows: G is
// not there, so that T follows the last P and is one of the later ones.
//
// Of full rank there is no P, no G and no K: L counts no layer, and x_0 [width] stands in K's place.

enum {
    BLOCK = 4, // states that are evaluated together: what a product keeps in registers
    MAX_BLOCK = BR_UNCOLLAPSED_STATES,
    SLICE_FLOATS = 128, // of K that br_collapsed_investors() sums in registers
    CHANGE_ROWS = 16,   // rows of K that a change works at a time
    LAYER_ROWS = 256,   // of a layer's weights that meet what comes in at a time
    GRADIENT_ROWS = 32, // of the table that meet the adjoints together
    MAX_D = 64
};

typedef struct deep_layer {
    size_t in, out; // rounded up
    float *weight;  // [in, out]
    float *bias;    // [out]
} deep_layer;

struct br_collapsed {
    const br_model *model;
    const br_fixed_kernels *kernels;
    size_t n_layers, rank, d, width; // L, R, d, n_fields * d
    size_t n_bond, n_investor;       // fields
    size_t head;                     // floats of a row
    size_t n_g, n_f;                 // floats of G and of F
    size_t at_g, at_t, at_c, at_f;   // places in a row
    size_t n_inner;                  // m < n_inner have a K_m
    size_t reach;                    // floats from P_1 on that K adds to: the later layers and a stacked T
    size_t k_at[BR_MAX_CROSS];       // places of K_m in a state
    bool uncollapsed;                // of full rank
    size_t at_x;                     // place of x_0 in its state
    size_t block;                    // BLOCK or MAX_BLOCK
    size_t state;
    size_t h1, h_max;
    uint32_t *first;                  // [n_bond + n_investor + 1] first row of each field; masks have none
    float *rows;                      // [n_rows, head]; investor fields: value - mask
    float *embedding;                 // [n_rows, d]; the same
    float *hidden;                    // [state] all investor fields hidden
    float *u;                         // [n_inner][width][R]  U_m
    float *u_columns;                 // [n_inner][R][width]  U_m^T
    float *v;                         // [width][reach]       V_1 .. V_{L-1}, and W_1 of a stacked tower, side by side
    float *v_rows;                    // [n_inner][width][next_columns()] the same, each by itself
    deep_layer layers[BR_MAX_HIDDEN]; // from the second of the deep tower on
    size_t n_deep;
    float *w_deep; // [out of the last]
    size_t bytes;
};

static size_t rounded(size_t n)
{
    return (n + BR_LANES - 1) / BR_LANES * BR_LANES;
}

static size_t k_columns(const br_collapsed *c, size_t m)
{
    return c->reach - m * c->rank;
}

// What layer m + 1 takes of it: a P, or T.
static size_t next_columns(const br_collapsed *c, size_t m)
{
    return m + 1 < c->n_layers ? c->rank : c->h1;
}

// --- tables ---

// row[n] += factor * from[n]
static void add_scaled(double *row, double factor, const float *from, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        row[k] += (double)from[k] * factor;
    }
}

// What is linear in the embedding e of one field, added to `row` in double precision.
static void head_add(const br_collapsed *c, double *row, size_t field, const double *e)
{
    const br_model *model = c->model;
    size_t r = model->config.rank;
    size_t h = model->config.hidden[0];
    for (size_t i = 0; i < c->d; i++) {
        size_t at = field * c->d + i;
        double scale = 1.0;
        for (size_t l = 0; l < c->n_layers; l++) {
            add_scaled(row + l * c->rank, e[i] * scale, model->v[l] + at * r, r);
            scale += (double)model->b[l][at];
        }
        if (model->w_cross != NULL && !c->uncollapsed) {
            double weight = (double)model->w_cross[at] * e[i];
            for (size_t l = 0; l < c->n_layers; l++) {
                add_scaled(row + c->at_g + l * c->rank, weight, model->u[l] + at * r, r);
            }
            row[c->at_c] += (double)model->w_cross[at] * (e[i] * scale);
        }
        if (br_tower_is_tabled(model)) {
            add_scaled(row + c->at_t, model->config.stacked ? e[i] * scale : e[i], model->w[0] + at * h, h);
        }
        if (c->n_f > 0) {
            row[c->at_f + i] += e[i];
        }
    }
}

static const float *embedding_of(const br_model *model, size_t field, size_t value)
{
    return model->embedding + (model->row_of[field] + value) * model->config.d;
}

static double square(const float *e, size_t d)
{
    double sum = 0.0;
    for (size_t i = 0; i < d; i++) {
        sum += (double)e[i] * (double)e[i];
    }
    return sum;
}

// What else a value brings: its linear weight and its embedding's square.
static void beside_add(const br_collapsed *c, double *row, size_t field, size_t value, double sign)
{
    if (c->model->linear != NULL) {
        row[c->at_c] += sign * (double)c->model->linear[c->model->row_of[field] + value];
    }
    if (c->n_f > 0) {
        row[c->at_c + 1] += sign * square(embedding_of(c->model, field, value), c->d);
    }
}

// K += sign * V_j^T diag(e) U_j for one field.
static void k_add(const br_collapsed *c, float *state, size_t field, const float *e, float sign)
{
    float x[CHANGE_ROWS * MAX_D];
    for (size_t m = 0; m < c->n_inner; m++) {
        const float *u = c->u_columns + m * c->rank * c->width + field * c->d;
        size_t columns = k_columns(c, m);
        for (size_t row = 0; row < c->rank; row += CHANGE_ROWS) {
            for (size_t k = 0; k < CHANGE_ROWS; k++) {
                for (size_t i = 0; i < c->d; i++) {
                    x[k * c->d + i] = sign * e[i] * u[(row + k) * c->width + i];
                }
            }
            c->kernels->product(&(br_fixed_product){
                .y = state + c->k_at[m] + row * columns,
                .y_stride = columns,
                .x = x,
                .x_stride = c->d,
                .a = c->v + field * c->d * c->reach + m * c->rank,
                .a_stride = c->reach,
                .n = CHANGE_ROWS,
                .rows = c->d,
                .columns = columns,
            });
        }
    }
}

// What a field with embedding e adds to a state behind the head: K, or of full rank x_0.
static void rest_add(const br_collapsed *c, float *state, size_t field, const float *e, float sign)
{
    if (c->uncollapsed) {
        c->kernels->axpy(state + c->at_x + field * c->d, sign, e, c->d);
    } else {
        k_add(c, state, field, e, sign);
    }
}

static void narrow(float *out, const double *in, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = (float)in[i];
    }
}

// state += the field with embedding e (not a tabled one).
static void field_add(const br_collapsed *c, float *state, size_t field, const double *e, double *row)
{
    float head[MAX_D];
    narrow(head, e, c->d);
    rest_add(c, state, field, head, 1.0f);
    head_add(c, row, field, e);
}

static void fill_tables(br_collapsed *c, double *row)
{
    double e[MAX_D];
    for (size_t field = 0; field < c->n_bond + c->n_investor; field++) {
        uint32_t n_values = c->model->fields[field].n_values;
        bool masked = field >= c->n_bond;
        for (size_t value = 0; value < n_values; value++) {
            size_t at = c->first[field] + value;
            for (size_t i = 0; i < c->d; i++) {
                e[i] = (double)embedding_of(c->model, field, value)[i];
                e[i] -= masked ? (double)embedding_of(c->model, field, n_values)[i] : 0.0;
            }
            memset(row, 0, c->head * sizeof *row);
            head_add(c, row, field, e);
            beside_add(c, row, field, value, 1.0);
            if (masked) {
                beside_add(c, row, field, n_values, -1.0);
            }
            narrow(c->rows + at * c->head, row, c->head);
            narrow(c->embedding + at * c->d, e, c->d);
        }
    }
    memset(row, 0, c->head * sizeof *row);
    for (size_t field = c->n_bond; field < c->n_bond + c->n_investor; field++) {
        uint32_t mask = c->model->fields[field].n_values;
        for (size_t i = 0; i < c->d; i++) {
            e[i] = (double)embedding_of(c->model, field, mask)[i];
        }
        field_add(c, c->hidden, field, e, row);
        beside_add(c, row, field, mask, 1.0);
    }
    narrow(c->hidden, row, c->head);
}

static void fill_layers(br_collapsed *c)
{
    const br_model_config *config = &c->model->config;
    for (size_t m = 0; m < c->n_inner; m++) {
        br_matrix out = br_inner_out(c->model, (uint32_t)m + 1);
        for (size_t at = 0; at < c->width; at++) {
            for (size_t k = 0; k < config->rank; k++) {
                float u = c->model->u[m][at * config->rank + k];
                c->u[(m * c->width + at) * c->rank + k] = u;
                c->u_columns[(m * c->rank + k) * c->width + at] = u;
            }
            for (size_t k = 0; k < out.columns; k++) {
                float v = out.data[at * out.columns + k];
                c->v[at * c->reach + m * c->rank + k] = v;
                c->v_rows[m * c->rank * c->width + at * next_columns(c, m) + k] = v;
            }
        }
    }
    for (size_t i = 0; i < c->n_deep; i++) {
        for (size_t out = 0; out < config->hidden[i + 1]; out++) {
            c->layers[i].bias[out] = c->model->c[i + 1][out];
            for (size_t in = 0; in < config->hidden[i]; in++) {
                c->layers[i].weight[in * c->layers[i].out + out] = c->model->w[i + 1][out * config->hidden[i] + in];
            }
        }
    }
    memcpy(c->w_deep, c->model->w_deep, config->hidden[config->n_hidden - 1] * sizeof *c->w_deep);
}

static void shape(br_collapsed *c, const br_model *model)
{
    const br_model_config *config = &model->config;
    br_assert(config->d >= 1 && config->d <= MAX_D && config->n_hidden >= 1 && config->n_cross <= BR_MAX_CROSS);
    c->model = model;
    c->kernels = br_fixed();
    c->uncollapsed = br_is_uncollapsed(model);
    c->block = c->uncollapsed ? MAX_BLOCK : BLOCK;
    c->n_layers = model->n_low;
    c->rank = rounded(config->rank);
    c->d = config->d;
    c->width = model->width;
    c->n_bond = model->n_bond_fields;
    c->n_investor = model->n_fields - model->n_bond_fields;
    c->h1 = rounded(config->hidden[0]);
    c->at_g = c->n_layers * c->rank;
    c->n_g = model->w_cross != NULL ? c->at_g : 0; // 0 of full rank
    c->at_t = c->at_g + c->n_g;
    c->at_c = c->at_t + c->h1;
    c->at_f = c->at_c + BR_LANES;
    c->n_f = config->architecture == BR_DEEPFM ? rounded(c->d) : 0;
    c->head = c->at_f + c->n_f;
    c->state = c->head;
    c->n_inner = br_n_inner(model);
    for (size_t m = 0; m < c->n_inner; m++) {
        c->reach += next_columns(c, m);
    }
    for (size_t m = 0; m < c->n_inner; m++) {
        c->k_at[m] = c->state;
        c->state += c->rank * k_columns(c, m);
    }
    c->at_x = c->state;
    c->state += c->uncollapsed ? rounded(c->width) : 0;
    c->h_max = c->h1;
    c->n_deep = config->n_hidden - 1;
    for (size_t i = 0; i < c->n_deep; i++) {
        c->layers[i].in = rounded(config->hidden[i]);
        c->layers[i].out = rounded(config->hidden[i + 1]);
        c->h_max = c->layers[i].out > c->h_max ? c->layers[i].out : c->h_max;
    }
}

static float *floats(br_collapsed *c, size_t n)
{
    c->bytes += n * sizeof(float);
    return br_calloc_aligned(n, sizeof(float));
}

static br_status allocate(br_collapsed *c)
{
    size_t n_fields = c->n_bond + c->n_investor;
    c->first = br_calloc(n_fields + 1, sizeof *c->first);
    if (c->first == NULL) {
        return br_no_memory("fields of a collapsed model", n_fields);
    }
    for (size_t field = 0; field < n_fields; field++) {
        c->first[field + 1] = c->first[field] + c->model->fields[field].n_values;
    }
    size_t n_rows = c->first[n_fields];
    size_t n_u = c->n_inner * c->width * c->rank;
    size_t n_v = c->reach * c->width;
    c->rows = floats(c, n_rows * c->head);
    c->embedding = floats(c, n_rows * c->d);
    c->hidden = floats(c, c->state);
    c->u = floats(c, n_u);
    c->u_columns = floats(c, n_u);
    c->v = floats(c, n_v);
    c->v_rows = floats(c, n_v);
    bool complete = c->rows != NULL && c->embedding != NULL && c->hidden != NULL && c->u != NULL &&
                    c->u_columns != NULL && c->v != NULL && c->v_rows != NULL;
    for (size_t i = 0; i < c->n_deep; i++) {
        c->layers[i].weight = floats(c, c->layers[i].in * c->layers[i].out);
        c->layers[i].bias = floats(c, c->layers[i].out);
        complete = complete && c->layers[i].weight != NULL && c->layers[i].bias != NULL;
    }
    c->w_deep = floats(c, c->h_max);
    return complete && c->w_deep != NULL ? BR_OK : br_no_memory("bytes of a collapsed model", c->bytes);
}

br_status br_collapsed_new(br_collapsed **out, const br_model *model)
{
    for (uint32_t j = model->n_bond_fields; j < model->n_fields; j++) {
        if (!model->fields[j].maskable) {
            return br_fail(BR_ERR_INVALID,
                           "model: investor field %u cannot be masked, so there is nothing to explain by", j);
        }
    }
    BR_AUTO(br_collapsed) *c = br_calloc(1, sizeof *c);
    if (c == NULL) {
        return br_no_memory("collapsed model", 1);
    }
    shape(c, model);
    br_status status = allocate(c);
    if (status != BR_OK) {
        return status;
    }
    double *row = br_calloc(c->head, sizeof *row);
    if (row == NULL) {
        return br_no_memory("numbers of a row", c->head);
    }
    fill_layers(c);
    fill_tables(c, row);
    br_free(row);
    *out = c;
    c = NULL;
    return BR_OK;
}

void br_collapsed_free(br_collapsed **collapsed)
{
    if (collapsed == NULL || *collapsed == NULL) {
        return;
    }
    br_collapsed *c = *collapsed;
    br_free(c->first);
    br_free(c->rows);
    br_free(c->embedding);
    br_free(c->hidden);
    br_free(c->u);
    br_free(c->u_columns);
    br_free(c->v);
    br_free(c->v_rows);
    for (size_t i = 0; i < c->n_deep; i++) {
        br_free(c->layers[i].weight);
        br_free(c->layers[i].bias);
    }
    br_free(c->w_deep);
    br_free(c);
    *collapsed = NULL;
}

size_t br_collapsed_bytes(const br_collapsed *c)
{
    return c->bytes;
}

uint32_t br_collapsed_n_bond_fields(const br_collapsed *c)
{
    return (uint32_t)c->n_bond;
}

uint32_t br_collapsed_n_investor_fields(const br_collapsed *c)
{
    return (uint32_t)c->n_investor;
}

size_t br_collapsed_state_floats(const br_collapsed *c)
{
    return c->state;
}

// What follows a block's heads and activations in the scratch: a layer's q for the gradient, or what full rank takes.
size_t br_collapsed_scratch_floats(const br_collapsed *c)
{
    size_t rest = c->uncollapsed ? BR_UNCOLLAPSED_SCRATCH * c->width : c->rank;
    return c->block * (c->head + 2 * c->h_max) + rest;
}

uint32_t br_collapsed_first_code(const br_collapsed *c, uint32_t j)
{
    return c->first[c->n_bond + j] - c->first[c->n_bond];
}

// --- states ---

static size_t row_of(const br_collapsed *c, size_t field, uint8_t code)
{
    br_assert(field < c->n_bond + c->n_investor && code < c->first[field + 1] - c->first[field]);
    return c->first[field] + code;
}

static void constants_add(const br_collapsed *c, float *state)
{
    for (size_t i = 0; i < c->model->config.hidden[0]; i++) {
        state[c->at_t + i] += c->model->c[0][i];
    }
    state[c->at_c] += c->model->bias[0];
}

void br_collapsed_bond(const br_collapsed *c, const uint8_t *bond_codes, float *state)
{
    memset(state, 0, c->state * sizeof *state);
    constants_add(c, state);
    for (size_t field = 0; field < c->n_bond; field++) {
        size_t row = row_of(c, field, bond_codes[field]);
        c->kernels->add(state, c->rows + row * c->head, c->head);
        rest_add(c, state, field, c->embedding + row * c->d, 1.0f);
    }
}

// state's head += one element of x_0.
static void element_add(const br_collapsed *c, float *state, size_t at, float e)
{
    const br_model *model = c->model;
    size_t r = model->config.rank;
    size_t h = model->config.hidden[0];
    float scale = 1.0f;
    for (size_t l = 0; l < c->n_layers; l++) {
        c->kernels->axpy(state + l * c->rank, e * scale, model->v[l] + at * r, r);
        scale += model->b[l][at];
    }
    if (model->w_cross != NULL && !c->uncollapsed) {
        for (size_t l = 0; l < c->n_layers; l++) {
            c->kernels->axpy(state + c->at_g + l * c->rank, e * model->w_cross[at], model->u[l] + at * r, r);
        }
        state[c->at_c] += model->w_cross[at] * (e * scale);
    }
    float to_tower = model->config.stacked ? e * scale : e;
    for (size_t k = 0; br_tower_is_tabled(model) && k < h; k++) {
        state[c->at_t + k] += model->w[0][at * h + k] * to_tower;
    }
    if (c->n_f > 0) {
        state[c->at_f + at % c->d] += e;
        state[c->at_c + 1] += e * e;
    }
}

void br_collapsed_mean_bond(const br_collapsed *c, const float *mean_bond, float *state)
{
    memset(state, 0, c->state * sizeof *state);
    constants_add(c, state);
    for (size_t field = 0; field < c->n_bond; field++) {
        const float *e = mean_bond + field * c->d;
        rest_add(c, state, field, e, 1.0f);
        for (size_t i = 0; i < c->d; i++) {
            element_add(c, state, field * c->d + i, e[i]);
        }
    }
    if (c->model->linear != NULL) {
        state[c->at_c] += mean_bond[c->n_bond * c->d];
    }
}

void br_collapsed_add_hidden(const br_collapsed *c, float *state)
{
    c->kernels->add(state, c->hidden, c->state);
}

static void change(const br_collapsed *c, float *state, uint32_t j, uint8_t code, float sign)
{
    size_t row = row_of(c, c->n_bond + j, code);
    c->kernels->axpy(state, sign, c->rows + row * c->head, c->head);
    rest_add(c, state, c->n_bond + j, c->embedding + row * c->d, sign);
}

void br_collapsed_show(const br_collapsed *c, float *state, uint32_t j, uint8_t code)
{
    change(c, state, j, code, 1.0f);
}

void br_collapsed_hide(const br_collapsed *c, float *state, uint32_t j, uint8_t code)
{
    change(c, state, j, code, -1.0f);
}

// --- investors ---

// K of a (field, value) is summed as a row, like the head; a slice of some rows of K_m is tabled for the values that occur,
// used for all investors and forgotten: the whole table would be r^2 L (L - 1) / 2 floats per value.
typedef struct k_slice {
    size_t m, row, n_rows, columns; // n_rows of K_m from `row` on
    float *table;                   // [n_values of investor fields, n_rows * columns]
} k_slice;

static void slice_fill(const br_collapsed *c, const k_slice *s, const uint8_t *present)
{
    float x[SLICE_FLOATS / BR_LANES * MAX_D];
    for (size_t field = c->n_bond; field < c->n_bond + c->n_investor; field++) {
        const float *u = c->u_columns + (s->m * c->rank + s->row) * c->width + field * c->d;
        for (size_t row = c->first[field]; row < c->first[field + 1]; row++) {
            size_t at = row - c->first[c->n_bond];
            if (!present[at]) {
                continue;
            }
            for (size_t k = 0; k < s->n_rows; k++) {
                for (size_t i = 0; i < c->d; i++) {
                    x[k * c->d + i] = c->embedding[row * c->d + i] * u[k * c->width + i];
                }
            }
            float *y = s->table + at * s->n_rows * s->columns;
            memset(y, 0, s->n_rows * s->columns * sizeof *y);
            c->kernels->product(&(br_fixed_product){
                .y = y,
                .y_stride = s->columns,
                .x = x,
                .x_stride = c->d,
                .a = c->v + field * c->d * c->reach + s->m * c->rank,
                .a_stride = c->reach,
                .n = s->n_rows,
                .rows = c->d,
                .columns = s->columns,
            });
        }
    }
}

static void slices_add(const br_collapsed *c, k_slice *s, const uint32_t *list, const uint8_t *present, size_t n,
                       float *halves)
{
    for (s->m = 0; s->m < c->n_inner; s->m++) {
        s->columns = k_columns(c, s->m);
        size_t most = s->columns >= SLICE_FLOATS ? 1 : SLICE_FLOATS / s->columns;
        for (s->row = 0; s->row < c->rank; s->row += s->n_rows) {
            s->n_rows = c->rank - s->row < most ? c->rank - s->row : most;
            slice_fill(c, s, present);
            size_t at = c->k_at[s->m] + s->row * s->columns;
            for (size_t i = 0; i < n; i++) {
                c->kernels->sum_rows(halves + i * c->state + at, s->table, list + i * c->n_investor, c->n_investor,
                                     s->n_rows * s->columns);
            }
        }
    }
}

br_status br_collapsed_investors(const br_collapsed *c, const uint8_t *investor_codes, size_t n, float *halves)
{
    size_t first = c->first[c->n_bond];
    size_t n_values = c->first[c->n_bond + c->n_investor] - first;
    size_t widest = c->n_inner == 0 ? 0 : k_columns(c, 0) > SLICE_FLOATS ? k_columns(c, 0) : SLICE_FLOATS;
    uint32_t *list = br_calloc(n * c->n_investor, sizeof *list);
    uint8_t *present = br_calloc(n_values, sizeof *present);
    k_slice s = {.table = br_calloc_aligned(n_values * widest, sizeof(float))};
    br_status status = BR_OK;
    if (list == NULL || present == NULL || s.table == NULL) {
        status = br_no_memory("investors' halves", n);
    } else {
        for (size_t i = 0; i < n; i++) {
            for (size_t j = 0; j < c->n_investor; j++) {
                uint32_t at = (uint32_t)(row_of(c, c->n_bond + j, investor_codes[i * c->n_investor + j]) - first);
                list[i * c->n_investor + j] = at;
                present[at] = 1;
            }
            memcpy(halves + i * c->state, c->hidden, c->state * sizeof *halves);
            c->kernels->sum_rows(halves + i * c->state, c->rows + first * c->head, list + i * c->n_investor,
                                 c->n_investor, c->head);
        }
        slices_add(c, &s, list, present, n, halves);
        for (size_t i = 0; c->uncollapsed && i < n * c->n_investor; i++) {
            const float *e = c->embedding + (first + list[i]) * c->d;
            rest_add(c, halves + i / c->n_investor * c->state, c->n_bond + i % c->n_investor, e, 1.0f);
        }
    }
    br_free(list);
    br_free(present);
    br_free(s.table);
    return status;
}

// --- evaluation ---

// Up to c->block states that are evaluated together. Their heads stand in the scratch; K, or x_0, is one state's, and on top of it each
// may have one of its own or changed fields.
typedef struct eval_batch {
    size_t n;
    const float *k;
    const float *k_own[MAX_BLOCK];
    size_t n_changes;              // of each
    const br_gate_change *changes; // [n, n_changes]
} eval_batch;

// out[d] = A x for the d rows of A [d, columns] of a field
static void field_dots(const br_collapsed *c, float *out, const float *rows, const float *x, size_t columns)
{
    const uint32_t only = 0;
    c->kernels->block_dots(&(br_fixed_block){.block = rows, .rows = c->d, .columns = columns, .list = &only, .n = 1},
                           out, x);
}

// What a field shown (hidden) adds to layer m + 1 through all K before it: e * sum of U_m q_m, then V, or W_1 for a stacked T.
static void changed_field_add(const br_collapsed *c, const br_gate_change *changed, float *head, size_t m, float *sum)
{
    size_t field = c->n_bond + changed->field;
    const float *e = c->embedding + row_of(c, field, changed->code) * c->d;
    float part[MAX_D];
    field_dots(c, part, c->u + (m * c->width + field * c->d) * c->rank, head + m * c->rank, c->rank);
    for (size_t i = 0; i < c->d; i++) {
        sum[i] += changed->hide ? -(e[i] * part[i]) : e[i] * part[i];
    }
    c->kernels->product(&(br_fixed_product){
        .y = head + (m + 1) * c->rank,
        .y_stride = c->rank,
        .x = sum,
        .x_stride = c->d,
        .a = c->v + field * c->d * c->reach + m * c->rank,
        .a_stride = c->reach,
        .n = 1,
        .rows = c->d,
        .columns = next_columns(c, m),
    });
}

// Heads: P becomes q, layer by layer, and a stacked T what it is.
static void cross(const br_collapsed *c, const eval_batch *batch, float *heads)
{
    float sum[MAX_BLOCK * BR_MAX_GATE_CHANGES][MAX_D];
    memset(sum, 0, batch->n * batch->n_changes * sizeof *sum);
    for (size_t m = 0; m < c->n_inner; m++) {
        br_fixed_product product = {
            .y = heads + (m + 1) * c->rank,
            .y_stride = c->head,
            .x = heads + m * c->rank,
            .x_stride = c->head,
            .a = batch->k + c->k_at[m],
            .a_stride = k_columns(c, m),
            .n = batch->n,
            .rows = c->rank,
            .columns = k_columns(c, m),
        };
        c->kernels->product(&product);
        product.n = 1;
        for (size_t i = 0; i < batch->n; i++) {
            if (batch->k_own[i] != NULL) {
                product.y = heads + i * c->head + (m + 1) * c->rank;
                product.x = heads + i * c->head + m * c->rank;
                product.a = batch->k_own[i] + c->k_at[m];
                c->kernels->product(&product);
            }
        }
        for (size_t i = 0; i < batch->n * batch->n_changes; i++) {
            changed_field_add(c, &batch->changes[i], heads + i / batch->n_changes * c->head, m, sum[i]);
        }
    }
}

// x0 [width] of a state of the batch.
static void write_x0(const br_collapsed *c, const eval_batch *batch, size_t i, float *x0)
{
    memcpy(x0, batch->k + c->at_x, c->width * sizeof *x0);
    if (batch->k_own[i] != NULL) {
        c->kernels->add(x0, batch->k_own[i] + c->at_x, c->width);
    }
    for (size_t k = 0; k < batch->n_changes; k++) {
        const br_gate_change *changed = &batch->changes[i * batch->n_changes + k];
        size_t field = c->n_bond + changed->field;
        const float *e = c->embedding + row_of(c, field, changed->code) * c->d;
        c->kernels->axpy(x0 + field * c->d, changed->hide ? -1.0f : 1.0f, e, c->d);
    }
}

// The same of full rank: c takes w_cross . x_L, or a stacked T its W_1^T x_L.
static void uncollapsed_cross(const br_collapsed *c, const eval_batch *batch, float *heads, float *room)
{
    const br_model *model = c->model;
    for (size_t i = 0; i < batch->n; i++) {
        write_x0(c, batch, i, room + i * c->width);
    }
    const float *last = br_uncollapsed_forward(model, c->kernels, batch->n, room);
    if (model->w_cross == NULL) {
        c->kernels->product(&(br_fixed_product){
            .y = heads + c->at_t,
            .y_stride = c->head,
            .x = last,
            .x_stride = c->width,
            .a = model->w[0],
            .a_stride = model->config.hidden[0],
            .n = batch->n,
            .rows = c->width,
            .columns = model->config.hidden[0],
        });
        return;
    }
    for (size_t i = 0; i < batch->n; i++) {
        heads[i * c->head + c->at_c] += c->kernels->dot(model->w_cross, last + i * c->width, c->width);
    }
}

static void relu(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        x[i] = x[i] > 0.0f ? x[i] : 0.0f;
    }
}

// list = the columns [first, first + n_columns) in which any of the n rows is not 0; returns how many. More than half of a ReLU's are not.
static size_t active_columns(const float *rows, size_t stride, size_t n, size_t first, size_t n_columns, uint32_t *list)
{
    float largest[LAYER_ROWS] = {0.0f};
    size_t n_active = 0;
    for (size_t i = 0; i < n; i++) {
        const float *row = rows + i * stride + first;
        for (size_t k = 0; k < n_columns; k++) {
            largest[k] = row[k] > largest[k] ? row[k] : largest[k];
        }
    }
    for (size_t k = 0; k < n_columns; k++) {
        list[n_active] = (uint32_t)(first + k);
        n_active += largest[k] > 0.0f;
    }
    return n_active;
}

// out[i] = relu(W in[i] + bias) for i < n; `in` went through a ReLU, too.
static void layer_forward(const br_collapsed *c, const deep_layer *layer, float *out, const float *in, size_t in_stride,
                          size_t n)
{
    for (size_t i = 0; i < n; i++) {
        memcpy(out + i * layer->out, layer->bias, layer->out * sizeof *out);
    }
    for (size_t first = 0; first < layer->in; first += LAYER_ROWS) {
        uint32_t list[LAYER_ROWS];
        size_t n_columns = layer->in - first < LAYER_ROWS ? layer->in - first : LAYER_ROWS;
        c->kernels->product(&(br_fixed_product){
            .y = out,
            .y_stride = layer->out,
            .x = in,
            .x_stride = in_stride,
            .a = layer->weight,
            .a_stride = layer->out,
            .n = n,
            .rows = active_columns(in, in_stride, n, first, n_columns, list),
            .columns = layer->out,
            .list = list,
        });
    }
    relu(out, n * layer->out);
}

static void evaluate(const br_collapsed *c, const eval_batch *batch, float *scratch, float *logits_out)
{
    float *heads = scratch;
    float *activation[2] = {scratch + c->block * c->head, scratch + c->block * (c->head + c->h_max)};
    if (c->uncollapsed) {
        uncollapsed_cross(c, batch, heads, scratch + c->block * (c->head + 2 * c->h_max));
    } else {
        cross(c, batch, heads);
    }
    for (size_t i = 0; i < batch->n; i++) {
        relu(heads + i * c->head + c->at_t, c->h1);
    }
    const float *last = heads + c->at_t;
    size_t stride = c->head;
    size_t n_last = c->h1;
    for (size_t i = 0; i < c->n_deep; i++) {
        layer_forward(c, &c->layers[i], activation[i % 2], last, stride, batch->n);
        last = activation[i % 2];
        stride = n_last = c->layers[i].out;
    }
    for (size_t i = 0; i < batch->n; i++) {
        const float *head = heads + i * c->head;
        float crossed = c->kernels->dot(head, head + c->at_g, c->n_g);
        logits_out[i] = head[c->at_c] + crossed + c->kernels->dot(c->w_deep, last + i * stride, n_last);
        if (c->n_f > 0) {
            logits_out[i] += 0.5f * (c->kernels->dot(head + c->at_f, head + c->at_f, c->n_f) - head[c->at_c + 1]);
        }
    }
}

float br_collapsed_logit(const br_collapsed *c, const float *state, float *scratch)
{
    float logit;
    memcpy(scratch, state, c->head * sizeof *scratch);
    evaluate(c, &(eval_batch){.n = 1, .k = state}, scratch, &logit);
    return logit;
}

void br_collapsed_logits_if(const br_collapsed *c, const float *state, const br_gate_change *changes, size_t n_changes,
                            size_t n, float *logits_out, float *scratch)
{
    br_assert(n_changes <= BR_MAX_GATE_CHANGES);
    for (size_t start = 0; start < n; start += c->block) {
        eval_batch batch = {.n = n - start < c->block ? n - start : c->block,
                            .k = state,
                            .n_changes = n_changes,
                            .changes = changes + start * n_changes};
        for (size_t i = 0; i < batch.n; i++) {
            float *head = scratch + i * c->head;
            memcpy(head, state, c->head * sizeof *head);
            for (size_t k = 0; k < n_changes; k++) {
                const br_gate_change *changed = &batch.changes[i * n_changes + k];
                size_t row = row_of(c, c->n_bond + changed->field, changed->code);
                c->kernels->axpy(head, changed->hide ? -1.0f : 1.0f, c->rows + row * c->head, c->head);
            }
        }
        evaluate(c, &batch, scratch, logits_out + start);
    }
}

void br_collapsed_logits(const br_collapsed *c, const float *bond_state, const float *halves, size_t n,
                         float *logits_out, float *scratch)
{
    for (size_t start = 0; start < n; start += c->block) {
        eval_batch batch = {.n = n - start < c->block ? n - start : c->block, .k = bond_state};
        for (size_t i = 0; i < batch.n; i++) {
            const float *half = halves + (start + i) * c->state;
            float *head = scratch + i * c->head;
            memcpy(head, bond_state, c->head * sizeof *head);
            c->kernels->add(head, half, c->head);
            batch.k_own[i] = half;
        }
        evaluate(c, &batch, scratch, logits_out + start);
    }
}

// --- gradient ---

// Forward and backward through the deep tower: T's adjoint replaces T in `head`.
static void deep_backward(const br_collapsed *c, float *head, float *activations)
{
    float *t = head + c->at_t;
    relu(t, c->h1);
    const float *last = t;
    for (size_t i = 0; i < c->n_deep; i++) {
        float *out = activations + (i + 1) * c->h_max;
        layer_forward(c, &c->layers[i], out, last, c->layers[i].in, 1);
        last = out;
    }
    float *adjoint = activations; // the first place is free: h_1 itself stands in the head
    size_t n = c->n_deep == 0 ? c->h1 : c->layers[c->n_deep - 1].out;
    memcpy(adjoint, c->w_deep, n * sizeof *adjoint);
    for (size_t i = c->n_deep; i-- > 0;) {
        float *out = activations + (i + 1) * c->h_max;
        for (size_t k = 0; k < c->layers[i].out; k++) {
            out[k] = out[k] > 0.0f ? adjoint[k] : 0.0f;
        }
        c->kernels->matvec(adjoint, c->layers[i].weight, out, c->layers[i].in, c->layers[i].out);
    }
    for (size_t k = 0; k < c->h1; k++) {
        t[k] = t[k] > 0.0f ? adjoint[k] : 0.0f;
    }
}

// The adjoints at a state. A row's part of the logit's derivative is row . head (P meets a_l, G meets q_m, F itself and the square
// -1/2) plus what it changes through K: e . inner, inner = sum_l (V_l a_l) * (sum_{m<l} U_m q_m) of its field.
typedef struct adjoints {
    const float *head; // begins with all a_l; a stacked T follows the last
    const float *q;
    const float *x0; // full rank: [n_investor * d] inner; else NULL
} adjoints;

// a_l = G_l + sum_{k>l} K_kl^T a_k, last layer first. `adjoint` holds T's.
static void cross_backward(const br_collapsed *c, const float *state, const float *q, float *adjoint, float *part)
{
    memset(adjoint, 0, c->at_g * sizeof *adjoint);
    c->kernels->add(adjoint, q + c->at_g, c->n_g);
    for (size_t m = c->n_inner; m-- > 0;) {
        c->kernels->matvec(part, state + c->k_at[m], adjoint + (m + 1) * c->rank, c->rank, k_columns(c, m));
        c->kernels->add(adjoint + m * c->rank, part, c->rank);
    }
}

// inner of full rank for all investor fields: the gradient by x_0 of all that c and a stacked T take from x_L.
static const float *x0_gradient(const br_collapsed *c, const float *state, const float *adjoint, float *room)
{
    const br_model *model = c->model;
    float *x0 = room;
    float *d_last = x0 + c->width;
    memcpy(x0, state + c->at_x, c->width * sizeof *x0);
    if (model->w_cross != NULL) {
        memcpy(d_last, model->w_cross, c->width * sizeof *d_last);
    } else {
        c->kernels->matvec(d_last, model->w[0], adjoint + c->at_t, c->width, model->config.hidden[0]);
    }
    return br_uncollapsed_backward(model, c->kernels, room) + c->n_bond * c->d;
}

static adjoints backward(const br_collapsed *c, const float *state, float *scratch)
{
    float *q = scratch; // a head: q in the place of P
    float *adjoint = scratch + c->head;
    float *activations = adjoint + c->head;
    float *room = scratch + c->block * (c->head + 2 * c->h_max);
    const eval_batch batch = {.n = 1, .k = state};
    memcpy(q, state, c->head * sizeof *q);
    if (!c->uncollapsed) {
        cross(c, &batch, q);
    } else if (!br_tower_is_tabled(c->model)) {
        uncollapsed_cross(c, &batch, q, room);
    }
    deep_backward(c, q, activations);
    memcpy(adjoint + c->at_t, q + c->at_t, c->h1 * sizeof *adjoint);
    cross_backward(c, state, q, adjoint, room);
    const float *x0 = c->uncollapsed ? x0_gradient(c, state, adjoint, room) : NULL;
    memcpy(adjoint + c->at_g, q, c->n_g * sizeof *adjoint);
    memset(adjoint + c->at_c, 0, BR_LANES * sizeof *adjoint);
    adjoint[c->at_c] = 1.0f;
    adjoint[c->at_c + 1] = -0.5f;
    memcpy(adjoint + c->at_f, q + c->at_f, c->n_f * sizeof *adjoint);
    return (adjoints){adjoint, q, x0};
}

// inner of one field.
static void inner_of(const br_collapsed *c, const adjoints *a, size_t field, float *inner)
{
    float u_sum[MAX_D] = {0.0f};
    float part[MAX_D];
    if (a->x0 != NULL) {
        memcpy(inner, a->x0 + (field - c->n_bond) * c->d, c->d * sizeof *inner);
        return;
    }
    memset(inner, 0, c->d * sizeof *inner);
    for (size_t m = 0; m < c->n_inner; m++) {
        size_t columns = next_columns(c, m);
        field_dots(c, part, c->u + (m * c->width + field * c->d) * c->rank, a->q + m * c->rank, c->rank);
        for (size_t i = 0; i < c->d; i++) {
            u_sum[i] += part[i];
        }
        field_dots(c, part, c->v_rows + m * c->rank * c->width + field * c->d * columns, a->head + (m + 1) * c->rank,
                   columns);
        for (size_t i = 0; i < c->d; i++) {
            inner[i] += part[i] * u_sum[i];
        }
    }
}

// What a row's derivative has beside row . head.
static float beside_head(const br_collapsed *c, const float *inner, size_t row)
{
    const float *e = c->embedding + row * c->d;
    float sum = 0.0f;
    for (size_t i = 0; i < c->d; i++) {
        sum += e[i] * inner[i];
    }
    if (c->n_f > 0) {
        // Pairs of fields are linear in each gate: the slope of a hidden one is what showing it adds, to the second order.
        const float *f = c->rows + row * c->head + c->at_f;
        sum += 0.5f * c->kernels->dot(f, f, c->n_f);
    }
    return sum;
}

// out[i] = row . head
static void head_dots(const br_collapsed *c, const adjoints *a, const uint32_t *rows, size_t n, float *out)
{
    c->kernels->block_dots(&(br_fixed_block){.block = a->head, .rows = 1, .columns = c->head, .list = rows, .n = n},
                           out, c->rows);
}

void br_collapsed_gate_gradient(const br_collapsed *c, const float *state, const uint8_t *investor_codes,
                                const uint32_t *fields, size_t n, float *gradient_out, float *scratch)
{
    adjoints a = backward(c, state, scratch);
    for (size_t start = 0; start < n; start += GRADIENT_ROWS) {
        uint32_t rows[GRADIENT_ROWS];
        size_t n_rows = n - start < GRADIENT_ROWS ? n - start : GRADIENT_ROWS;
        for (size_t i = 0; i < n_rows; i++) {
            uint32_t field = fields[start + i];
            rows[i] = (uint32_t)row_of(c, c->n_bond + field, investor_codes[field]);
        }
        head_dots(c, &a, rows, n_rows, gradient_out + start);
        for (size_t i = 0; i < n_rows; i++) {
            float inner[MAX_D];
            inner_of(c, &a, c->n_bond + fields[start + i], inner);
            gradient_out[start + i] += beside_head(c, inner, rows[i]);
        }
    }
}

void br_collapsed_gate_gradient_of_codes(const br_collapsed *c, const float *state, float *gradient_out, float *scratch)
{
    adjoints a = backward(c, state, scratch);
    size_t first = c->first[c->n_bond];
    for (size_t field = c->n_bond; field < c->n_bond + c->n_investor; field++) {
        float inner[MAX_D];
        inner_of(c, &a, field, inner);
        for (uint32_t row = c->first[field]; row < c->first[field + 1]; row++) {
            head_dots(c, &a, &row, 1, gradient_out + (row - first));
            gradient_out[row - first] += beside_head(c, inner, row);
        }
    }
}
