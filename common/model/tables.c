#include "model/tables.h"

#include "base/alloc.h"

#include <string.h>

enum { MAX_STATE = 1024 + 2 * BR_MAX_CROSS * 256 + 256 }; // floats of the widest row

static size_t rounded(size_t n)
{
    return (n + BR_LANES - 1) / BR_LANES * BR_LANES;
}

// --- layout ---

br_state_layout br_state_layout_of(const br_model *model)
{
    const br_model_config *config = &model->config;
    br_state_layout layout = {0};
    size_t n = rounded(config->hidden[0]);
    for (uint32_t l = 0; l < model->n_low; l++) {
        layout.p[l] = n;
        n += rounded(config->rank);
    }
    for (uint32_t l = 0; l < model->n_low && model->w_cross != NULL; l++) {
        layout.g[l] = n;
        n += rounded(config->rank);
    }
    layout.c = n;
    n += BR_LANES;
    layout.f = n;
    n += config->architecture == BR_DEEPFM ? rounded(config->d + 1) : 0;
    layout.n = n;
    return layout;
}

size_t br_state_n_blocks(const br_state_layout *layout)
{
    return (layout->n + BR_STATE_BLOCK - 1) / BR_STATE_BLOCK;
}

size_t br_state_block_columns(const br_state_layout *layout, size_t block)
{
    size_t left = layout->n - block * BR_STATE_BLOCK;
    return left < BR_STATE_BLOCK ? left : BR_STATE_BLOCK;
}

// --- memory ---

static size_t n_rows_of(const br_model *model, uint32_t j)
{
    return model->row_of[j + 1] - model->row_of[j];
}

static size_t most_rows(const br_model *model)
{
    size_t most = 0;
    for (uint32_t j = 0; j < model->n_fields; j++) {
        size_t n_rows = n_rows_of(model, j);
        most = n_rows <= BR_TABLED_ROWS && n_rows > most ? n_rows : most;
    }
    return most;
}

/// Which fields are tabled, and where.
static br_status place_fields(br_tables *tables)
{
    const br_model *model = tables->model;
    tables->first = br_calloc(model->n_fields, sizeof *tables->first);
    tables->gathered = br_calloc(model->n_fields, sizeof *tables->gathered);
    if (tables->first == NULL || tables->gathered == NULL) {
        return br_no_memory("fields", model->n_fields);
    }
    for (uint32_t j = 0; j < model->n_fields; j++) {
        if (n_rows_of(model, j) > BR_TABLED_ROWS) {
            tables->first[j] = UINT32_MAX;
            tables->gathered[tables->n_gathered++] = j;
        } else {
            tables->first[j] = (uint32_t)tables->n_rows;
            tables->n_rows += n_rows_of(model, j);
        }
    }
    return BR_OK;
}

static br_status make_identity(br_tables *tables)
{
    const br_model_config *config = &tables->model->config;
    size_t n = most_rows(tables->model) + config->d + config->rank + config->hidden[0];
    tables->identity = br_calloc(n, sizeof *tables->identity);
    if (tables->identity == NULL) {
        return br_no_memory("numbers", n);
    }
    for (size_t i = 0; i < n; i++) {
        tables->identity[i] = (uint32_t)i;
    }
    return BR_OK;
}

static br_status make_k(br_tables *tables)
{
    const br_model *model = tables->model;
    for (uint32_t l = 1; l <= br_n_inner(model); l++) {
        br_matrix out = br_inner_out(model, l);
        tables->masked_out[l] = br_calloc_aligned(out.rows * out.columns, sizeof(float));
        bool made = tables->masked_out[l] != NULL;
        for (uint32_t m = 0; m < l; m++) {
            tables->k[l][m] = br_calloc_aligned(out.columns * model->config.rank, sizeof(float));
            made = made && tables->k[l][m] != NULL;
        }
        if (!made) {
            return br_no_memory("floats of K", out.rows * out.columns);
        }
    }
    return BR_OK;
}

br_status br_tables_new(br_tables **out, const br_model *model)
{
    BR_AUTO(br_tables) *tables = br_calloc(1, sizeof *tables);
    if (tables == NULL) {
        return br_no_memory("tables", 1);
    }
    tables->model = model;
    tables->kernels = br_fixed();
    tables->layout = br_state_layout_of(model);
    br_assert(tables->layout.n <= MAX_STATE);
    br_status status = place_fields(tables);
    if (status != BR_OK) {
        return status;
    }
    tables->rows.capacity = tables->n_rows;
    tables->rows.data = br_calloc_aligned(tables->n_rows * tables->layout.n, sizeof(float));
    tables->base = br_calloc_aligned(tables->layout.n, sizeof(float));
    tables->shown = br_calloc_aligned(tables->n_rows * model->config.d, sizeof(float));
    tables->factor = br_calloc_aligned(br_tables_factor_floats(tables), sizeof(float));
    if (tables->rows.data == NULL || tables->base == NULL || tables->shown == NULL || tables->factor == NULL) {
        return br_no_memory("floats of the tables", (tables->n_rows + model->width) * tables->layout.n);
    }
    status = make_identity(tables);
    if (status == BR_OK) {
        status = make_k(tables);
    }
    if (status == BR_OK) {
        *out = tables;
        tables = NULL;
    }
    return status;
}

void br_tables_free(br_tables **tables)
{
    if (tables == NULL || *tables == NULL) {
        return;
    }
    br_tables *it = *tables;
    for (uint32_t l = 0; l <= BR_MAX_CROSS; l++) {
        br_free(it->masked_out[l]);
        for (uint32_t m = 0; m < BR_MAX_CROSS; m++) {
            br_free(it->k[l][m]);
        }
    }
    br_free(it->first);
    br_free(it->gathered);
    br_free(it->identity);
    br_free(it->rows.data);
    br_free(it->base);
    br_free(it->shown);
    br_free(it->factor);
    br_free(it);
    *tables = NULL;
}

/// Hand out the next `n` floats; with a NULL block this only counts.
static float *take(float *block, size_t *used, size_t n)
{
    float *view = block == NULL ? NULL : block + *used;
    *used += rounded(n);
    return view;
}

static size_t place_part(br_gradient_part *part, const br_tables *tables, float *block)
{
    const br_model *model = tables->model;
    const br_model_config *config = &model->config;
    size_t used = 0;
    part->shown = take(block, &used, tables->n_rows * config->d);
    for (uint32_t l = 1; l <= br_n_inner(model); l++) {
        size_t columns = br_inner_out(model, l).columns;
        part->u[l - 1] = take(block, &used, model->width * config->rank);
        part->out[l] = take(block, &used, model->width * columns);
        for (uint32_t m = 0; m < l; m++) {
            part->k[l][m] = take(block, &used, columns * config->rank);
        }
    }
    if (model->n_low < config->n_cross) {
        part->embedding = take(block, &used, tables->n_rows * config->d);
        part->w_cross = take(block, &used, model->w_cross == NULL ? 0 : model->width);
        part->w_tower = take(block, &used, config->stacked ? model->width * config->hidden[0] : 0);
        for (uint32_t l = 0; l < config->n_cross; l++) {
            part->m[l] = take(block, &used, model->width * model->width);
            part->b[l] = take(block, &used, model->width);
        }
    }
    for (uint32_t i = 0; i < config->n_hidden; i++) {
        part->w[i] = i == 0 ? NULL : take(block, &used, config->hidden[i] * config->hidden[i - 1]);
        part->c[i] = take(block, &used, config->hidden[i]);
    }
    part->w_deep = take(block, &used, config->hidden[config->n_hidden - 1]);
    part->bias = take(block, &used, 1);
    return used;
}

br_status br_gradient_part_new(br_gradient_part *out, const br_tables *tables)
{
    out->n_floats = place_part(out, tables, NULL);
    out->block = br_calloc_aligned(out->n_floats, sizeof(float));
    if (out->block == NULL) {
        return br_no_memory("floats of a gradient", out->n_floats);
    }
    place_part(out, tables, out->block);
    return BR_OK;
}

// --- from parameters to tables ---

/// 1 + B_l of one element of x_0.
static float scale_at(const br_model *model, uint32_t l, size_t at)
{
    float scale = 1.0f;
    for (uint32_t m = 0; m < l; m++) {
        scale += model->b[m][at];
    }
    return scale;
}

BR_WIDE static void scaled(float *restrict out, const float *restrict in, float factor, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = factor * in[i];
    }
}

/// row [n] = the row of A for one element of x_0.
static void factor_row(const br_tables *tables, size_t at, float *row)
{
    const br_model *model = tables->model;
    const br_model_config *config = &model->config;
    const br_state_layout *layout = &tables->layout;
    size_t r = config->rank;
    memset(row, 0, layout->n * sizeof *row);
    bool full = model->n_low < config->n_cross;
    float whole = scale_at(model, model->n_low, at);
    float tower = !br_tower_is_tabled(model) ? 0.0f : config->stacked ? whole : 1.0f;
    scaled(row + layout->t, model->w[0] + at * config->hidden[0], tower, config->hidden[0]);
    for (uint32_t l = 0; l < model->n_low; l++) {
        scaled(row + layout->p[l], model->v[l] + at * r, scale_at(model, l, at), r);
        if (model->w_cross != NULL) {
            scaled(row + layout->g[l], model->u[l] + at * r, model->w_cross[at], r);
        }
    }
    if (model->w_cross != NULL && !full) {
        row[layout->c] = model->w_cross[at] * whole;
    }
    if (config->architecture == BR_DEEPFM) {
        row[layout->f + at % config->d] = 1.0f;
    }
}

/// A_j in one block of an array of the tables' factor's form: [d, columns of the block].
static float *factor_block(const br_tables *tables, float *factor, uint32_t j, size_t block)
{
    size_t d = tables->model->config.d;
    if (!br_is_gathered(tables, j)) {
        return factor + j * d * tables->layout.n + block * d * BR_STATE_BLOCK;
    }
    uint32_t g = 0;
    while (tables->gathered[g] != j) {
        g++;
    }
    return br_gathered_factor(tables, factor, block) + g * d * br_state_block_columns(&tables->layout, block);
}

float *br_gathered_factor(const br_tables *tables, float *factor, size_t block)
{
    return factor + tables->model->width * tables->layout.n +
           tables->n_gathered * tables->model->config.d * BR_STATE_BLOCK * block;
}

size_t br_tables_factor_floats(const br_tables *tables)
{
    return (tables->model->width + tables->n_gathered * tables->model->config.d) * tables->layout.n;
}

static void update_factor(br_tables *tables, uint32_t j)
{
    size_t d = tables->model->config.d;
    float row[MAX_STATE];
    for (size_t i = 0; i < d; i++) {
        factor_row(tables, j * d + i, row);
        for (size_t block = 0; block < br_state_n_blocks(&tables->layout); block++) {
            size_t columns = br_state_block_columns(&tables->layout, block);
            memcpy(factor_block(tables, tables->factor, j, block) + i * columns, row + block * BR_STATE_BLOCK,
                   columns * sizeof *row);
        }
    }
}

static void update_shown(br_tables *tables, uint32_t j)
{
    const br_model *model = tables->model;
    size_t d = model->config.d;
    const float *embedding = model->embedding + model->row_of[j] * d;
    float *shown = tables->shown + tables->first[j] * d;
    memcpy(shown, embedding, n_rows_of(model, j) * d * sizeof *shown);
    for (size_t v = 0; model->fields[j].maskable && v < model->fields[j].n_values; v++) {
        for (size_t i = 0; i < d; i++) {
            shown[v * d + i] -= embedding[model->fields[j].n_values * d + i];
        }
    }
}

static float square(const float *e, size_t d)
{
    float sum = 0.0f;
    for (size_t i = 0; i < d; i++) {
        sum += e[i] * e[i];
    }
    return sum;
}

/// What is in a row without being linear in x_0: linear weights and squares, less those of the mask.
static void add_beside(br_tables *tables, uint32_t j)
{
    const br_model *model = tables->model;
    size_t d = model->config.d;
    size_t first = model->row_of[j];
    size_t mask = first + model->fields[j].n_values;
    if (model->linear == NULL) {
        return;
    }
    for (size_t row = first; row < model->row_of[j + 1]; row++) {
        bool difference = model->fields[j].maskable && row != mask;
        size_t at = tables->first[j] + row - first;
        *br_states_entry(&tables->rows, &tables->layout, at, tables->layout.c) +=
            model->linear[row] - (difference ? model->linear[mask] : 0.0f);
        if (model->config.architecture == BR_DEEPFM) {
            *br_states_entry(&tables->rows, &tables->layout, at, tables->layout.f + d) +=
                square(model->embedding + row * d, d) - (difference ? square(model->embedding + mask * d, d) : 0.0f);
        }
    }
}

static void update_field(br_tables *tables, uint32_t j)
{
    const br_model *model = tables->model;
    size_t d = model->config.d;
    size_t n_rows = n_rows_of(model, j);
    update_factor(tables, j);
    if (br_is_gathered(tables, j)) {
        return;
    }
    size_t first = tables->first[j];
    update_shown(tables, j);
    for (size_t block = 0; block < br_state_n_blocks(&tables->layout); block++) {
        size_t columns = br_state_block_columns(&tables->layout, block);
        float *rows = br_states_at(&tables->rows, &tables->layout, block, first);
        const float *factor = factor_block(tables, tables->factor, j, block);
        memset(rows, 0, n_rows * columns * sizeof *rows);
        tables->kernels->block_spread(&(br_fixed_block){factor, d, columns, tables->identity, n_rows}, rows,
                                      tables->shown + first * d);
    }
    add_beside(tables, j);
}

/// Is a masked sample's x_0 part of the base?
static bool in_base(const br_tables *tables, uint32_t j)
{
    return tables->model->fields[j].maskable && !br_is_gathered(tables, j);
}

/// K_lm = V_l^T diag(x_0 of the masks) U_m for all m < l.
static void update_k(br_tables *tables, uint32_t l)
{
    const br_model *model = tables->model;
    size_t d = model->config.d;
    br_matrix out = br_inner_out(model, l);
    br_matrix masked = br_matrix_of(tables->masked_out[l], out.rows, out.columns);
    for (uint32_t j = 0; j < model->n_fields; j++) {
        const float *mask = model->embedding + (model->row_of[j] + model->fields[j].n_values) * d;
        for (size_t i = 0; i < d; i++) {
            size_t at = (j * d + i) * out.columns;
            scaled(masked.data + at, out.data + at, in_base(tables, j) ? mask[i] : 0.0f, out.columns);
        }
    }
    for (uint32_t m = 0; m < l; m++) {
        br_gemm(br_matrix_of(tables->k[l][m], out.columns, model->config.rank), 0.0f, masked, BR_TRANSPOSED,
                br_matrix_of(model->u[m], model->width, model->config.rank), BR_PLAIN);
    }
}

uint32_t br_tables_n_items(const br_tables *tables)
{
    return tables->model->n_fields + br_n_inner(tables->model);
}

void br_tables_update(br_tables *tables, uint32_t item)
{
    uint32_t n_inner = br_n_inner(tables->model);
    if (item < n_inner) {
        update_k(tables, item + 1);
    } else {
        update_field(tables, item - n_inner);
    }
}

void br_tables_update_base(br_tables *tables)
{
    const br_model *model = tables->model;
    memset(tables->base, 0, tables->layout.n * sizeof(float));
    for (uint32_t j = 0; j < model->n_fields; j++) {
        if (!in_base(tables, j)) {
            continue;
        }
        for (size_t block = 0; block < br_state_n_blocks(&tables->layout); block++) {
            tables->kernels->add(
                tables->base + block * BR_STATE_BLOCK,
                br_states_at(&tables->rows, &tables->layout, block, tables->first[j] + model->fields[j].n_values),
                br_state_block_columns(&tables->layout, block));
        }
    }
}

// --- from the tables' gradients to the parameters' ---

typedef struct field_scratch {
    float *a;       // [d, n] gradient of A_j, by blocks, then by rows
    float *d_shown; // [rows of the field, d]
    float *part;    // [rows of the field or d, most of d and columns]
} field_scratch;

static size_t part_floats(const br_model *model)
{
    size_t columns = model->config.rank > model->config.hidden[0] ? model->config.rank : model->config.hidden[0];
    size_t rows = most_rows(model) * model->config.d;
    return rows > columns * model->config.d ? rows : columns * model->config.d;
}

size_t br_tables_scratch_floats(const br_tables *tables)
{
    const br_model *model = tables->model;
    size_t d = model->config.d;
    return rounded(d * tables->layout.n) + rounded(most_rows(model) * d) + rounded(part_floats(model));
}

/// d_shown and the gradient of A_j from the gradients of the field's rows.
static void rows_backward(const br_tables *tables, const br_step_gradient *from, uint32_t j, const field_scratch *it)
{
    const br_model *model = tables->model;
    const br_state_layout *layout = &tables->layout;
    size_t d = model->config.d;
    size_t first = tables->first[j];
    size_t n_rows = n_rows_of(model, j);
    memset(it->a, 0, d * layout->n * sizeof(float));
    memset(it->d_shown, 0, n_rows * d * sizeof(float));
    for (size_t block = 0; block < br_state_n_blocks(layout); block++) {
        size_t columns = br_state_block_columns(layout, block);
        float *rows = br_states_at(&from->rows, layout, block, first);
        if (model->fields[j].maskable) {
            memcpy(rows + (n_rows - 1) * columns, from->base + block * BR_STATE_BLOCK, columns * sizeof(float));
        }
        br_fixed_block pass = {factor_block(tables, tables->factor, j, block), d, columns, tables->identity, n_rows};
        tables->kernels->block_dots(&pass, it->part, rows);
        tables->kernels->add(it->d_shown, it->part, n_rows * d);
        tables->kernels->block_outer(&pass, it->a + block * d * BR_STATE_BLOCK, tables->shown + first * d, rows);
    }
    for (size_t k = 0; k < from->n_parts; k++) {
        tables->kernels->add(it->d_shown, from->parts[k].shown + first * d, n_rows * d);
    }
}

/// Gradient of the row of A for element i of the field: [n], from its blocks.
static void gather_row(const br_tables *tables, const float *a, size_t i, float *row)
{
    for (size_t block = 0; block < br_state_n_blocks(&tables->layout); block++) {
        size_t columns = br_state_block_columns(&tables->layout, block);
        memcpy(row + block * BR_STATE_BLOCK, a + block * tables->model->config.d * BR_STATE_BLOCK + i * columns,
               columns * sizeof *row);
    }
}

/// factor_row() backward: gradients of w[0], v, u, b and w_cross at one element of x_0.
static void factor_backward(const br_tables *tables, const float *row, br_model *gradient, size_t at)
{
    const br_model *model = tables->model;
    const br_model_config *config = &model->config;
    const br_state_layout *layout = &tables->layout;
    uint32_t n_cross = model->n_low;
    bool full = n_cross < config->n_cross;
    size_t r = config->rank;
    size_t h = config->hidden[0];
    float whole = scale_at(model, n_cross, at);
    float d_scale[BR_MAX_CROSS + 1] = {0}; // of 1 + B_l
    float tower = !br_tower_is_tabled(model) ? 0.0f : config->stacked ? whole : 1.0f;
    scaled(gradient->w[0] + at * h, row + layout->t, tower, h);
    if (config->stacked) {
        d_scale[n_cross] = tables->kernels->dot(row + layout->t, model->w[0] + at * h, h);
    }
    float d_w = 0.0f;
    for (uint32_t l = 0; l < n_cross; l++) {
        scaled(gradient->v[l] + at * r, row + layout->p[l], scale_at(model, l, at), r);
        d_scale[l] = tables->kernels->dot(row + layout->p[l], model->v[l] + at * r, r);
        if (model->w_cross != NULL) {
            scaled(gradient->u[l] + at * r, row + layout->g[l], model->w_cross[at], r);
            d_w += tables->kernels->dot(row + layout->g[l], model->u[l] + at * r, r);
        } else {
            memset(gradient->u[l] + at * r, 0, r * sizeof(float));
        }
    }
    if (model->w_cross != NULL && !full) {
        gradient->w_cross[at] = d_w + row[layout->c] * whole;
        d_scale[n_cross] += row[layout->c] * model->w_cross[at];
    }
    for (uint32_t m = n_cross; m-- > 0;) {
        // 1 + B_l holds b_m for every l > m.
        gradient->b[m][at] = d_scale[m + 1] + (m + 1 < n_cross ? gradient->b[m + 1][at] : 0.0f);
    }
}

/// Gradients that full-rank layers leave beside the tables.
static void full_backward(const br_tables *tables, const br_step_gradient *from, br_model *gradient, uint32_t j,
                          float *d_embedding)
{
    const br_model *model = tables->model;
    const br_model_config *config = &model->config;
    size_t d = config->d;
    size_t at = j * d;
    for (uint32_t l = model->n_low; l < config->n_cross; l++) {
        memset(gradient->b[l] + at, 0, d * sizeof(float));
    }
    if (model->w_cross != NULL && model->n_low < config->n_cross) {
        memset(gradient->w_cross + at, 0, d * sizeof(float));
    }
    for (size_t k = 0; k < from->n_parts && model->n_low < config->n_cross; k++) {
        const br_gradient_part *part = &from->parts[k];
        for (uint32_t l = 0; l < config->n_cross; l++) {
            tables->kernels->add(gradient->b[l] + at, part->b[l] + at, d);
        }
        if (model->w_cross != NULL) {
            tables->kernels->add(gradient->w_cross + at, part->w_cross + at, d);
        } else {
            size_t h = config->hidden[0];
            tables->kernels->add(gradient->w[0] + at * h, part->w_tower + at * h, d * h);
        }
        if (!br_is_gathered(tables, j)) {
            tables->kernels->add(d_embedding, part->embedding + tables->first[j] * d, n_rows_of(model, j) * d);
        }
    }
}

/// What the shown fields' inner products left: u and out += the parts'.
static void parts_backward(const br_tables *tables, const br_step_gradient *from, br_model *gradient, uint32_t j)
{
    const br_model *model = tables->model;
    size_t d = model->config.d;
    for (uint32_t l = 1; l <= br_n_inner(model); l++) {
        br_matrix d_out = br_inner_out(gradient, l);
        for (size_t k = 0; k < from->n_parts; k++) {
            const br_gradient_part *part = &from->parts[k];
            size_t at = j * d * d_out.columns;
            tables->kernels->add(d_out.data + at, part->out[l] + at, d * d_out.columns);
            at = j * d * model->config.rank;
            tables->kernels->add(gradient->u[l - 1] + at, part->u[l - 1] + at, d * model->config.rank);
        }
    }
}

/// K_lm backward for one field: d_mask [d], gradient's out and u += what dK [columns of l, r] (all parts') comes to.
static void k_backward(const br_tables *tables, const float *d_k, uint32_t l, uint32_t m, uint32_t j,
                       br_model *gradient, float *d_mask, const field_scratch *it)
{
    const br_model *model = tables->model;
    size_t d = model->config.d;
    size_t r = model->config.rank;
    br_matrix out = br_inner_out(model, l);
    br_matrix d_out = br_inner_out(gradient, l);
    const float *mask = model->embedding + (model->row_of[j] + model->fields[j].n_values) * d;
    const float *u = model->u[m] + j * d * r;
    float *x = it->part; // [d, columns] = U_mj dK^T
    tables->kernels->block_dots(&(br_fixed_block){d_k, out.columns, r, tables->identity, d}, x, u);
    for (size_t i = 0; i < d; i++) {
        size_t at = (j * d + i) * out.columns;
        d_mask[i] += tables->kernels->dot(out.data + at, x + i * out.columns, out.columns);
        tables->kernels->axpy(d_out.data + at, mask[i], x + i * out.columns, out.columns);
    }
    float *y = it->part; // [d, r] = V_lj dK
    memset(y, 0, d * r * sizeof(float));
    tables->kernels->block_spread(&(br_fixed_block){d_k, out.columns, r, tables->identity, d}, y,
                                  out.data + j * d * out.columns);
    for (size_t i = 0; i < d; i++) {
        tables->kernels->axpy(gradient->u[m] + (j * d + i) * r, mask[i], y + i * r, r);
    }
}

/// Gradients of the linear weights and, for DeepFM, what the squares add to d_shown's embeddings.
static void beside_backward(const br_tables *tables, const br_step_gradient *from, br_model *gradient, uint32_t j)
{
    const br_model *model = tables->model;
    const br_state_layout *layout = &tables->layout;
    size_t d = model->config.d;
    size_t first = model->row_of[j];
    size_t n_rows = n_rows_of(model, j);
    bool maskable = model->fields[j].maskable;
    if (model->linear == NULL) {
        return;
    }
    size_t mask = first + n_rows - 1;
    float d_linear = 0.0f;
    float d_square = 0.0f;
    for (size_t row = first; row < first + n_rows; row++) {
        size_t at = tables->first[j] + row - first;
        float c = *br_states_entry(&from->rows, layout, at, layout->c);
        float s =
            model->config.architecture == BR_DEEPFM ? *br_states_entry(&from->rows, layout, at, layout->f + d) : 0.0f;
        gradient->linear[row] = c;
        // The values' rows hold the mask's with a minus.
        bool difference = maskable && row != mask;
        d_linear -= difference ? c : 0.0f;
        d_square -= difference ? s : 0.0f;
        float own = s + (maskable && row == mask ? d_square : 0.0f);
        for (size_t i = 0; i < d; i++) {
            gradient->embedding[row * d + i] += 2.0f * own * model->embedding[row * d + i];
        }
    }
    if (maskable) {
        gradient->linear[mask] += d_linear;
    }
}

/// gradient's embedding rows of the field from d_shown.
static void shown_backward(const br_model *model, uint32_t j, const float *d_shown, br_model *gradient)
{
    size_t d = model->config.d;
    size_t first = model->row_of[j];
    size_t n_rows = n_rows_of(model, j);
    memcpy(gradient->embedding + first * d, d_shown, n_rows * d * sizeof(float));
    if (!model->fields[j].maskable) {
        return;
    }
    float *mask = gradient->embedding + (first + n_rows - 1) * d;
    for (size_t v = 0; v + 1 < n_rows; v++) {
        for (size_t i = 0; i < d; i++) {
            mask[i] -= d_shown[v * d + i];
        }
    }
}

/// What the step's samples found of a gathered field's A_j.
static void take_gathered(const br_tables *tables, const br_step_gradient *from, uint32_t j, float *a)
{
    size_t d = tables->model->config.d;
    for (size_t block = 0; block < br_state_n_blocks(&tables->layout); block++) {
        memcpy(a + block * d * BR_STATE_BLOCK, factor_block(tables, from->factor, j, block),
               d * br_state_block_columns(&tables->layout, block) * sizeof *a);
    }
}

void br_tables_gradient(const br_tables *tables, const br_step_gradient *from, br_model *gradient, uint32_t j,
                        float *scratch)
{
    const br_model *model = tables->model;
    size_t d = model->config.d;
    field_scratch it = {.a = scratch};
    it.d_shown = it.a + rounded(d * tables->layout.n);
    it.part = it.d_shown + rounded(most_rows(model) * d);
    bool gathered = br_is_gathered(tables, j);
    if (gathered) {
        take_gathered(tables, from, j, it.a);
    } else {
        rows_backward(tables, from, j, &it);
    }
    float row[MAX_STATE];
    for (size_t i = 0; i < d; i++) {
        gather_row(tables, it.a, i, row);
        factor_backward(tables, row, gradient, j * d + i);
    }
    parts_backward(tables, from, gradient, j);
    if (gathered) {
        full_backward(tables, from, gradient, j, NULL);
        return;
    }
    if (model->fields[j].maskable) {
        float *d_mask = it.d_shown + (n_rows_of(model, j) - 1) * d;
        for (uint32_t l = 1; l <= br_n_inner(model); l++) {
            for (uint32_t m = 0; m < l; m++) {
                k_backward(tables, from->parts[0].k[l][m], l, m, j, gradient, d_mask, &it);
            }
        }
    }
    shown_backward(model, j, it.d_shown, gradient);
    full_backward(tables, from, gradient, j, gradient->embedding + model->row_of[j] * d);
    beside_backward(tables, from, gradient, j);
}
