#include "model/network.h"

#include "base/alloc.h"

#include <math.h>
#include <string.h>

static const double NORM_KEPT = 0.9; // of a running mean in each step

enum {
    MIN_PARTS = 4,
    PART_SAMPLES = 512, // wished for; more parts than MIN_PARTS only where they are this large
    LOGIT_SAMPLES = 256 // a piece of work where only logits are wanted
};

/// One part of a step.
typedef struct part {
    uint32_t *row;        // [capacity, F] as loaded
    uint8_t *label;       // [capacity]
    float *weight;        // [capacity]
    uint32_t *shown;      // [capacity * F] the tables' rows that each sample shows, one sample after the other
    uint32_t *shown_from; // [capacity + 1]
    uint32_t *user;       // [capacity * F] the samples that show each of the tables' rows, one row after the other
    uint32_t *user_from;  // [n_rows + 1]
    br_states state;      // [capacity]
    br_states d_state;    // [capacity]
    float *x_gathered;    // [capacity, n_gathered * d] the gathered fields' embeddings
    float *dx_gathered;   // likewise
    double *moments;      // [2, n_hidden_units] of batch norm: sums of what the hidden layers sum up, and of its square
    size_t n;
    double loss;
} part;

struct br_network {
    const br_model *model;
    br_workers *workers;
    br_tables *tables;
    br_model *gradient;
    br_gradient_part gradient_parts[BR_MAX_PARTS];
    br_step_gradient step;
    part parts[BR_MAX_TRAIN_THREADS]; // of a step, or of each thread where only logits are wanted
    uint32_t n_parts, n_slots;
    size_t capacity; // samples of a part
    size_t max_samples;
    br_tile *tiles[BR_MAX_TRAIN_THREADS];
    float *scratch; // [n_threads, scratch_floats]
    size_t scratch_floats;
    uint32_t *mask_row; // [F] of tabled fields; UINT32_MAX: the field has none
    uint32_t *to_table; // [F] embedding row + this = row of the tables, modulo 2^32; of tabled fields
    // Rows of gathered fields that the last gradient has seen.
    uint32_t *seen_in;  // [rows of gathered fields] number of the last step that saw the row
    size_t *seen_from;  // [n_gathered] first entry of each
    uint32_t **touched; // [n_gathered][samples of a step]
    size_t *n_touched;  // [n_gathered]
    uint32_t step_number;
    // Batch norm; units of all hidden layers one after the other.
    size_t n_hidden_units;
    double *running;       // [2, n_hidden_units] sums of the units' inputs and of their squares around a step's mean
    double running_weight; // samples that they are of
    float *mean;           // [n_hidden_units] of what the running moments say
    float *inverse;        // likewise
    br_tower_mode tower;   // learning; `first` is set for each tile
    uint32_t *identity;    // [capacity] 0, 1, 2, ...
    // The work under way.
    const br_sample_source *source;
    size_t n_samples;
    double offset;
    float *logits;
};

// --- memory ---

static br_status part_init(part *it, const br_tables *tables, size_t capacity, size_t n_hidden_units)
{
    const br_state_layout *layout = &tables->layout;
    size_t n_fields = tables->model->n_fields;
    size_t n_rows = tables->n_rows;
    size_t gathered = tables->n_gathered * tables->model->config.d;
    it->row = br_calloc(capacity * n_fields, sizeof *it->row);
    it->label = br_calloc(capacity, 1);
    it->weight = br_calloc(capacity, sizeof *it->weight);
    it->shown = br_calloc(capacity * n_fields, sizeof *it->shown);
    it->shown_from = br_calloc(capacity + 1, sizeof *it->shown_from);
    it->user = br_calloc(capacity * n_fields, sizeof *it->user);
    it->user_from = br_calloc(n_rows + 1, sizeof *it->user_from);
    it->state = (br_states){br_calloc_aligned(capacity * layout->n, sizeof(float)), capacity};
    it->d_state = (br_states){br_calloc_aligned(capacity * layout->n, sizeof(float)), capacity};
    it->x_gathered = br_calloc_aligned(capacity * gathered + 1, sizeof(float));
    it->dx_gathered = br_calloc_aligned(capacity * gathered + 1, sizeof(float));
    it->moments = br_calloc(2 * n_hidden_units, sizeof *it->moments);
    if (it->moments == NULL || it->x_gathered == NULL || it->dx_gathered == NULL || it->row == NULL ||
        it->label == NULL || it->weight == NULL || it->shown == NULL || it->shown_from == NULL || it->user == NULL ||
        it->user_from == NULL || it->state.data == NULL || it->d_state.data == NULL) {
        return br_no_memory("samples of a part", capacity);
    }
    return BR_OK;
}

static void part_deinit(part *it)
{
    br_free(it->row);
    br_free(it->label);
    br_free(it->weight);
    br_free(it->shown);
    br_free(it->shown_from);
    br_free(it->user);
    br_free(it->user_from);
    br_free(it->state.data);
    br_free(it->d_state.data);
    br_free(it->x_gathered);
    br_free(it->dx_gathered);
    br_free(it->moments);
}

static br_status make_numbers(br_network *network)
{
    const br_model *model = network->model;
    network->mask_row = br_calloc(model->n_fields, sizeof *network->mask_row);
    network->to_table = br_calloc(model->n_fields, sizeof *network->to_table);
    network->identity = br_calloc(network->capacity, sizeof *network->identity);
    if (network->mask_row == NULL || network->to_table == NULL || network->identity == NULL) {
        return br_no_memory("numbers", network->capacity);
    }
    for (uint32_t j = 0; j < model->n_fields; j++) {
        const br_model_field *field = &model->fields[j];
        network->mask_row[j] = field->maskable ? (uint32_t)model->row_of[j] + field->n_values : UINT32_MAX;
        network->to_table[j] = network->tables->first[j] - (uint32_t)model->row_of[j];
    }
    for (size_t i = 0; i < network->capacity; i++) {
        network->identity[i] = (uint32_t)i;
    }
    return BR_OK;
}

static br_status make_touched(br_network *network, size_t max_samples)
{
    const br_model *model = network->model;
    const br_tables *tables = network->tables;
    size_t n_rows = 0;
    network->seen_from = br_calloc(tables->n_gathered + 1, sizeof *network->seen_from);
    network->touched = br_calloc(tables->n_gathered + 1, sizeof *network->touched);
    network->n_touched = br_calloc(tables->n_gathered + 1, sizeof *network->n_touched);
    if (network->seen_from == NULL || network->touched == NULL || network->n_touched == NULL) {
        return br_no_memory("gathered fields", tables->n_gathered);
    }
    for (uint32_t g = 0; g < tables->n_gathered; g++) {
        uint32_t j = tables->gathered[g];
        network->seen_from[g] = n_rows;
        n_rows += model->row_of[j + 1] - model->row_of[j];
        network->touched[g] = br_calloc(max_samples, sizeof **network->touched);
        if (network->touched[g] == NULL) {
            return br_no_memory("rows of a step", max_samples);
        }
    }
    network->seen_in = br_calloc(n_rows + 1, sizeof *network->seen_in);
    return network->seen_in == NULL ? br_no_memory("rows of gathered fields", n_rows) : BR_OK;
}

static br_status make_gradients(br_network *network)
{
    const br_model *model = network->model;
    br_status status =
        br_model_new(&network->gradient, &model->config, model->fields, model->n_fields, model->n_bond_fields);
    for (uint32_t k = 0; k < network->n_parts && status == BR_OK; k++) {
        status = br_gradient_part_new(&network->gradient_parts[k], network->tables);
    }
    if (status != BR_OK) {
        return status;
    }
    br_tables *tables = network->tables;
    network->step = (br_step_gradient){
        .rows = {br_calloc_aligned(tables->n_rows * tables->layout.n, sizeof(float)), tables->n_rows},
        .base = br_calloc_aligned(tables->layout.n, sizeof(float)),
        .factor = br_calloc_aligned(br_tables_factor_floats(tables), sizeof(float)),
        .parts = network->gradient_parts,
        .n_parts = network->n_parts,
    };
    network->scratch_floats = br_tables_scratch_floats(tables);
    uint32_t n_threads = br_workers_n_threads(network->workers);
    network->scratch = br_calloc_aligned(n_threads * network->scratch_floats, sizeof(float));
    if (network->step.rows.data == NULL || network->step.base == NULL || network->step.factor == NULL ||
        network->scratch == NULL) {
        return br_no_memory("floats of the tables' gradient", tables->n_rows * tables->layout.n);
    }
    return BR_OK;
}

static br_status make_norm(br_network *network)
{
    size_t n = network->n_hidden_units;
    network->running = br_calloc(2 * n, sizeof *network->running);
    network->mean = br_calloc(n, sizeof *network->mean);
    network->inverse = br_calloc(n, sizeof *network->inverse);
    if (network->running == NULL || network->mean == NULL || network->inverse == NULL) {
        return br_no_memory("moments of hidden units", n);
    }
    const br_model_config *config = &network->model->config;
    for (size_t i = 0, at = 0; i < config->n_hidden; at += config->hidden[i++]) {
        network->tower.mean[i] = network->mean + at;
        network->tower.inverse[i] = network->inverse + at;
    }
    return BR_OK;
}

static uint32_t n_parts_for(const br_model *model, size_t max_samples)
{
    bool large = model->n_low < model->config.n_cross; // a part holds a gradient of every full-rank matrix
    size_t n = large ? 0 : max_samples / PART_SAMPLES;
    return n < MIN_PARTS ? MIN_PARTS : n > BR_MAX_PARTS ? BR_MAX_PARTS : (uint32_t)n;
}

br_status br_network_new(br_network **out, const br_model *model, br_workers *workers, size_t max_samples)
{
    BR_AUTO(br_network) *network = br_calloc(1, sizeof *network);
    if (network == NULL) {
        return br_no_memory("network", 1);
    }
    uint32_t n_threads = br_workers_n_threads(workers);
    network->model = model;
    network->workers = workers;
    network->n_parts = n_parts_for(model, max_samples);
    network->n_slots = network->n_parts > n_threads ? network->n_parts : n_threads;
    network->max_samples = max_samples;
    network->capacity = (max_samples + network->n_parts - 1) / network->n_parts;
    if (network->capacity < LOGIT_SAMPLES) {
        network->capacity = LOGIT_SAMPLES;
    }
    for (uint32_t i = 0; i < model->config.n_hidden; i++) {
        network->n_hidden_units += model->config.hidden[i];
    }
    br_status status = br_tables_new(&network->tables, model);
    if (status == BR_OK) {
        status = make_norm(network);
    }
    if (status == BR_OK) {
        status = make_numbers(network);
    }
    for (uint32_t k = 0; k < network->n_slots && status == BR_OK; k++) {
        // Beyond the parts of a step, slots only serve where logits are wanted.
        size_t capacity = k < network->n_parts ? network->capacity : LOGIT_SAMPLES;
        status = part_init(&network->parts[k], network->tables, capacity, network->n_hidden_units);
    }
    for (uint32_t i = 0; i < n_threads && status == BR_OK; i++) {
        status = br_tile_new(&network->tiles[i], network->tables);
    }
    if (status == BR_OK) {
        status = make_touched(network, max_samples);
    }
    if (status == BR_OK) {
        status = make_gradients(network);
    }
    if (status == BR_OK) {
        *out = network;
        network = NULL;
    }
    return status;
}

void br_network_free(br_network **network)
{
    if (network == NULL || *network == NULL) {
        return;
    }
    br_network *it = *network;
    for (uint32_t k = 0; k < BR_MAX_TRAIN_THREADS; k++) {
        part_deinit(&it->parts[k]);
        br_tile_free(&it->tiles[k]);
    }
    for (uint32_t k = 0; k < BR_MAX_PARTS; k++) {
        br_free(it->gradient_parts[k].block);
    }
    for (uint32_t g = 0; it->touched != NULL && g < it->tables->n_gathered; g++) {
        br_free(it->touched[g]);
    }
    br_free(it->touched);
    br_free(it->n_touched);
    br_free(it->seen_from);
    br_free(it->seen_in);
    br_free(it->step.rows.data);
    br_free(it->step.factor);
    br_free(it->step.base);
    br_free(it->scratch);
    br_free(it->mask_row);
    br_free(it->to_table);
    br_free(it->identity);
    br_free(it->running);
    br_free(it->mean);
    br_free(it->inverse);
    br_model_free(&it->gradient);
    br_tables_free(&it->tables);
    br_free(it);
    *network = NULL;
}

const br_model *br_network_model(const br_network *network)
{
    return network->model;
}

// --- a part's way in: which rows it shows, and their sums ---

static void list_shown(const br_network *network, part *it)
{
    const br_tables *tables = network->tables;
    size_t n_fields = network->model->n_fields;
    uint32_t at = 0;
    for (size_t t = 0; t < it->n; t++) {
        it->shown_from[t] = at;
        for (uint32_t j = 0; j < n_fields; j++) {
            uint32_t row = it->row[t * n_fields + j];
            it->shown[at] = row + network->to_table[j];
            at += row != network->mask_row[j] && !br_is_gathered(tables, j);
        }
    }
    it->shown_from[it->n] = at;
}

/// The same pairs by row of the tables: a counting sort, so that each row's samples are in order.
static void list_users(const br_network *network, part *it)
{
    size_t n_rows = network->tables->n_rows;
    memset(it->user_from, 0, (n_rows + 1) * sizeof *it->user_from);
    for (uint32_t i = 0; i < it->shown_from[it->n]; i++) {
        it->user_from[it->shown[i]]++;
    }
    uint32_t at = 0;
    for (size_t row = 0; row <= n_rows; row++) {
        uint32_t n_users = it->user_from[row];
        it->user_from[row] = at;
        at += n_users;
    }
    for (size_t t = 0; t < it->n; t++) {
        for (uint32_t i = it->shown_from[t]; i < it->shown_from[t + 1]; i++) {
            it->user[it->user_from[it->shown[i]]++] = (uint32_t)t;
        }
    }
    // Each start has moved on to the next row's.
    memmove(it->user_from + 1, it->user_from, n_rows * sizeof *it->user_from);
    it->user_from[0] = 0;
}

static void sum_states(const br_network *network, part *it)
{
    const br_tables *tables = network->tables;
    for (size_t block = 0; block < br_state_n_blocks(&tables->layout); block++) {
        size_t columns = br_state_block_columns(&tables->layout, block);
        const float *rows = br_states_at(&tables->rows, &tables->layout, block, 0);
        for (size_t t = 0; t < it->n; t++) {
            float *state = br_states_at(&it->state, &tables->layout, block, t);
            memcpy(state, tables->base + block * BR_STATE_BLOCK, columns * sizeof *state);
            tables->kernels->sum_rows(state, rows, it->shown + it->shown_from[t],
                                      it->shown_from[t + 1] - it->shown_from[t], columns);
        }
    }
}

/// x_gathered, and what gathered fields add to the states without being linear in x_0.
static void gather(const br_network *network, part *it)
{
    const br_tables *tables = network->tables;
    const br_model *model = network->model;
    const br_state_layout *layout = &tables->layout;
    size_t d = model->config.d;
    size_t width = tables->n_gathered * d;
    for (size_t t = 0; t < it->n; t++) {
        for (uint32_t g = 0; g < tables->n_gathered; g++) {
            uint32_t row = it->row[t * model->n_fields + tables->gathered[g]];
            const float *e = model->embedding + row * d;
            memcpy(it->x_gathered + t * width + g * d, e, d * sizeof *e);
            if (model->linear != NULL) {
                *br_states_entry(&it->state, layout, t, layout->c) += model->linear[row];
            }
            if (model->config.architecture == BR_DEEPFM) {
                *br_states_entry(&it->state, layout, t, layout->f + d) += tables->kernels->dot(e, e, d);
            }
        }
    }
}

static void sum_gathered(const br_network *network, part *it)
{
    const br_tables *tables = network->tables;
    size_t width = tables->n_gathered * network->model->config.d;
    if (width == 0) {
        return;
    }
    gather(network, it);
    for (size_t block = 0; block < br_state_n_blocks(&tables->layout); block++) {
        size_t columns = br_state_block_columns(&tables->layout, block);
        br_gemm(br_matrix_of(br_states_at(&it->state, &tables->layout, block, 0), it->n, columns), 1.0f,
                br_matrix_of(it->x_gathered, it->n, width), BR_PLAIN,
                br_matrix_of(br_gathered_factor(tables, tables->factor, block), width, columns), BR_PLAIN);
    }
}

/// dx_gathered += what came through the states.
static void gathered_backward(const br_network *network, part *it)
{
    const br_tables *tables = network->tables;
    size_t width = tables->n_gathered * network->model->config.d;
    for (size_t block = 0; width > 0 && block < br_state_n_blocks(&tables->layout); block++) {
        size_t columns = br_state_block_columns(&tables->layout, block);
        br_gemm(br_matrix_of(it->dx_gathered, it->n, width), 1.0f,
                br_matrix_of(br_states_at(&it->d_state, &tables->layout, block, 0), it->n, columns), BR_PLAIN,
                br_matrix_of(br_gathered_factor(tables, tables->factor, block), width, columns), BR_TRANSPOSED);
    }
}

// --- a tile of a part ---

/// A tile's states row by row: `to_tile`, or back into the part's gradients.
static void move_states(const br_tables *tables, const br_states *states, size_t from, size_t n, float *tile_states,
                        bool to_tile)
{
    for (size_t block = 0; block < br_state_n_blocks(&tables->layout); block++) {
        size_t bytes = br_state_block_columns(&tables->layout, block) * sizeof(float);
        for (size_t t = 0; t < n; t++) {
            float *in_part = br_states_at(states, &tables->layout, block, from + t);
            float *in_tile = tile_states + t * tables->layout.n + block * BR_STATE_BLOCK;
            memcpy(to_tile ? in_tile : in_part, to_tile ? in_part : in_tile, bytes);
        }
    }
}

static void load_tile(const br_network *network, const part *it, size_t from, size_t n_rows, br_tile *tile)
{
    size_t n_fields = network->model->n_fields;
    tile->n = n_rows;
    tile->row = it->row + from * n_fields;
    move_states(network->tables, &it->state, from, tile->n, tile->state, true);
    if (br_n_inner(network->model) == 0 && network->model->n_low == network->model->config.n_cross) {
        return; // nothing asks which fields are shown
    }
    const uint32_t *row = it->row + from * n_fields;
    for (uint32_t j = 0; j < n_fields; j++) {
        uint32_t *list = tile->list + j * BR_TILE_ROWS;
        uint32_t *value = tile->value + j * BR_TILE_ROWS;
        bool gathered = br_is_gathered(network->tables, j);
        uint32_t to_table = gathered ? 0 : network->to_table[j];
        uint32_t n = 0;
        for (size_t t = 0; t < tile->n; t++) {
            uint32_t at = row[t * n_fields + j];
            list[n] = (uint32_t)t;
            value[n] = at + to_table;
            n += at != network->mask_row[j] || gathered;
        }
        tile->n_shown[j] = n;
    }
}

/// What the cross layers found for the gathered fields of a tile's rows.
static void unload_gathered(const br_network *network, const br_tile *tile, part *it, size_t from)
{
    const br_tables *tables = network->tables;
    size_t d = network->model->config.d;
    for (uint32_t g = 0; g < tables->n_gathered; g++) {
        const float *dx = tile->d_gathered + (size_t)tables->gathered[g] * BR_TILE_ROWS * d;
        for (size_t t = 0; t < tile->n; t++) {
            memcpy(it->dx_gathered + (from + t) * tables->n_gathered * d + g * d, dx + t * d, d * sizeof *dx);
        }
    }
}

static float *at_state(const br_tables *tables, float *states, size_t t, size_t column)
{
    return states + t * tables->layout.n + column;
}

/// bias + c + sum_l G_l . q_l + the pairs' inner products of DeepFM
static void linear_forward(br_tile *tile, const br_tables *tables)
{
    const br_model *model = tables->model;
    const br_model_config *config = &model->config;
    for (size_t t = 0; t < tile->n; t++) {
        float logit = model->bias[0] + *at_state(tables, tile->state, t, tables->layout.c);
        for (uint32_t l = 0; l < model->n_low && model->w_cross != NULL; l++) {
            logit += tables->kernels->dot(at_state(tables, tile->state, t, tables->layout.g[l]),
                                          tile->q[l] + t * config->rank, config->rank);
        }
        if (config->architecture == BR_DEEPFM) {
            const float *f = at_state(tables, tile->state, t, tables->layout.f);
            logit += 0.5f * (tables->kernels->dot(f, f, config->d) - f[config->d]);
        }
        tile->logit[t] = logit;
    }
}

static void linear_backward(br_gradient_part *gradient, br_tile *tile, const br_tables *tables)
{
    const br_model *model = tables->model;
    const br_model_config *config = &model->config;
    size_t r = config->rank;
    memset(tile->d_state, 0, tile->n * tables->layout.n * sizeof(float));
    for (uint32_t l = 0; l < model->n_low; l++) {
        memset(tile->dq[l], 0, tile->n * r * sizeof(float));
    }
    for (size_t t = 0; t < tile->n; t++) {
        float d = tile->dlogit[t];
        gradient->bias[0] += d;
        *at_state(tables, tile->d_state, t, tables->layout.c) = d;
        for (uint32_t l = 0; l < model->n_low && model->w_cross != NULL; l++) {
            tables->kernels->axpy(tile->dq[l] + t * r, d, at_state(tables, tile->state, t, tables->layout.g[l]), r);
            tables->kernels->axpy(at_state(tables, tile->d_state, t, tables->layout.g[l]), d, tile->q[l] + t * r, r);
        }
        if (config->architecture == BR_DEEPFM) {
            float *d_f = at_state(tables, tile->d_state, t, tables->layout.f);
            tables->kernels->axpy(d_f, d, at_state(tables, tile->state, t, tables->layout.f), config->d);
            d_f[config->d] = -0.5f * d;
        }
    }
}

static void tile_forward(br_tile *tile, const br_tables *tables, const br_tower_mode *tower)
{
    br_cross_forward(tile, tables);
    linear_forward(tile, tables);
    br_full_forward(tile, tables);
    br_tower_forward(tile, tables, tower);
}

static void tile_backward(br_gradient_part *gradient, br_tile *tile, const br_tables *tables,
                          const br_tower_mode *tower)
{
    linear_backward(gradient, tile, tables);
    br_tower_backward(gradient, tile, tables, tower);
    br_cross_backward(gradient, tile, tables);
    br_full_backward(gradient, tile, tables);
}

// --- the phases of a step, in items ---

static void update_item(void *context, uint32_t worker, uint32_t item)
{
    (void)worker;
    br_tables_update(((br_network *)context)->tables, item);
}

static void update_tables(br_network *network)
{
    br_workers_run(network->workers, update_item, network, br_tables_n_items(network->tables));
    br_tables_update_base(network->tables);
}

static void logits_item(void *context, uint32_t worker, uint32_t item)
{
    br_network *network = context;
    part *it = &network->parts[worker];
    br_tile *tile = network->tiles[worker];
    br_tower_mode tower = network->tower;
    tower.learning = false;
    size_t from = (size_t)item * LOGIT_SAMPLES;
    it->n = network->n_samples - from < LOGIT_SAMPLES ? network->n_samples - from : LOGIT_SAMPLES;
    network->source->load(network->source->context, worker, from, it->n, it->row, NULL, NULL);
    list_shown(network, it);
    sum_states(network, it);
    sum_gathered(network, it);
    for (size_t at = 0; at < it->n; at += tile->n) {
        load_tile(network, it, at, it->n - at < BR_TILE_ROWS ? it->n - at : BR_TILE_ROWS, tile);
        tile_forward(tile, network->tables, &tower);
        memcpy(network->logits + from + at, tile->logit, tile->n * sizeof(float));
    }
}

void br_network_logits(br_network *network, const br_sample_source *source, size_t n, float *logits)
{
    network->source = source;
    network->n_samples = n;
    network->logits = logits;
    update_tables(network);
    br_workers_run(network->workers, logits_item, network, (uint32_t)((n + LOGIT_SAMPLES - 1) / LOGIT_SAMPLES));
}

/// A tile's moments into the part's.
static void add_moments(part *it, const br_network *network, const br_tile *tile)
{
    const br_model_config *config = &network->model->config;
    double *sum = it->moments;
    double *square = it->moments + network->n_hidden_units;
    double n = (double)tile->n;
    for (uint32_t i = 0; i < config->n_hidden; i++) {
        for (size_t k = 0; k < config->hidden[i]; k++) {
            double mean = (double)tile->mean[i][k];
            double inverse = (double)tile->inverse[i][k];
            *sum++ += n * mean;
            *square++ += n * (1.0 / (inverse * inverse) - (double)BR_NORM_EPSILON + mean * mean);
        }
    }
}

/// Which of the step's samples are the part's: [from, until). Under batch norm small steps use fewer parts, so that no tile is tiny.
static size_t part_begin(const br_network *network, uint32_t item)
{
    size_t n_parts = network->n_parts;
    if (network->tower.batch_norm && network->n_samples / BR_TILE_ROWS < n_parts) {
        n_parts = network->n_samples < BR_TILE_ROWS ? 1 : network->n_samples / BR_TILE_ROWS;
    }
    return network->n_samples * (item < n_parts ? item : n_parts) / n_parts;
}

static void part_item(void *context, uint32_t worker, uint32_t item)
{
    br_network *network = context;
    const br_tables *tables = network->tables;
    part *it = &network->parts[item];
    br_gradient_part *gradient = &network->gradient_parts[item];
    br_tile *tile = network->tiles[worker];
    br_tower_mode tower = network->tower;
    size_t from = part_begin(network, item);
    it->n = part_begin(network, item + 1) - from;
    it->loss = 0.0;
    network->source->load(network->source->context, worker, from, it->n, it->row, it->label, it->weight);
    list_shown(network, it);
    list_users(network, it);
    sum_states(network, it);
    sum_gathered(network, it);
    memset(gradient->block, 0, gradient->n_floats * sizeof(float));
    memset(it->moments, 0, 2 * network->n_hidden_units * sizeof *it->moments);
    size_t n_tiles = (it->n + BR_TILE_ROWS - 1) / BR_TILE_ROWS;
    for (size_t k = 0, at = 0; k < n_tiles; k++, at += tile->n) {
        load_tile(network, it, at, it->n * (k + 1) / n_tiles - at, tile); // evenly cut
        tower.first = (uint32_t)(from + at);
        tile_forward(tile, tables, &tower);
        if (tower.batch_norm) {
            add_moments(it, network, tile);
        }
        it->loss += br_loss(tile->dlogit, tile->logit, it->label + at, it->weight + at, tile->n, network->offset);
        tile_backward(gradient, tile, tables, &tower);
        move_states(tables, &it->d_state, at, tile->n, tile->d_state, false);
        unload_gathered(network, tile, it, at);
    }
    gathered_backward(network, it);
}

/// One block of columns of the gradients of the tables' rows and of the base.
static void sum_gradient_block(br_network *network, size_t block)
{
    const br_tables *tables = network->tables;
    const br_state_layout *layout = &tables->layout;
    size_t columns = br_state_block_columns(layout, block);
    float *base = network->step.base + block * BR_STATE_BLOCK;
    memset(base, 0, columns * sizeof *base);
    memset(br_states_at(&network->step.rows, layout, block, 0), 0, tables->n_rows * columns * sizeof(float));
    for (uint32_t k = 0; k < network->n_parts; k++) {
        const part *it = &network->parts[k];
        const float *d_state = br_states_at(&it->d_state, layout, block, 0);
        tables->kernels->sum_rows(base, d_state, network->identity, it->n, columns);
        for (size_t row = 0; row < tables->n_rows; row++) {
            uint32_t from = it->user_from[row];
            tables->kernels->sum_rows(br_states_at(&network->step.rows, layout, block, row), d_state, it->user + from,
                                      it->user_from[row + 1] - from, columns);
        }
    }
}

/// One block of columns of the gradient of the gathered fields' A_j.
static void sum_gathered_block(br_network *network, size_t block)
{
    const br_tables *tables = network->tables;
    size_t columns = br_state_block_columns(&tables->layout, block);
    size_t width = tables->n_gathered * network->model->config.d;
    if (width == 0) {
        return;
    }
    float *sum = br_gathered_factor(tables, network->step.factor, block);
    memset(sum, 0, width * columns * sizeof *sum);
    for (uint32_t k = 0; k < network->n_parts; k++) {
        const part *it = &network->parts[k];
        if (it->n > 0) { // a step of few samples leaves parts empty
            br_gemm(br_matrix_of(sum, width, columns), 1.0f, br_matrix_of(it->x_gathered, it->n, width), BR_TRANSPOSED,
                    br_matrix_of(br_states_at(&it->d_state, &tables->layout, block, 0), it->n, columns), BR_PLAIN);
        }
    }
}

static void add_part(const br_network *network, float *to, size_t part_offset, size_t n)
{
    for (uint32_t k = 0; k < network->n_parts; k++) {
        network->tables->kernels->add(to, network->gradient_parts[k].block + part_offset, n);
    }
}

/// All parts' K into the first's, and the tower's gradients into the gradient.
static void sum_parts(br_network *network)
{
    const br_model_config *config = &network->model->config;
    br_model *gradient = network->gradient;
    br_gradient_part *first = &network->gradient_parts[0];
    for (uint32_t l = 1; l <= br_n_inner(network->model); l++) {
        size_t n = br_inner_out(network->model, l).columns * config->rank;
        for (uint32_t m = 0; m < l; m++) {
            for (uint32_t k = 1; k < network->n_parts; k++) {
                network->tables->kernels->add(first->k[l][m], network->gradient_parts[k].k[l][m], n);
            }
        }
    }
    // The tower's gradients start from nothing: only these are not written by br_tables_gradient().
    size_t n_rest = (size_t)(gradient->parameters + gradient->n_parameters - gradient->w_deep);
    memset(gradient->w_deep, 0, n_rest * sizeof(float));
    for (uint32_t i = 0; i < config->n_hidden; i++) {
        size_t n_weights = i == 0 ? 0 : (size_t)config->hidden[i] * config->hidden[i - 1];
        memset(gradient->c[i], 0, config->hidden[i] * sizeof(float));
        add_part(network, gradient->c[i], (size_t)(first->c[i] - first->block), config->hidden[i]);
        if (n_weights > 0) {
            memset(gradient->w[i], 0, n_weights * sizeof(float));
            add_part(network, gradient->w[i], (size_t)(first->w[i] - first->block), n_weights);
        }
    }
    add_part(network, gradient->w_deep, (size_t)(first->w_deep - first->block), config->hidden[config->n_hidden - 1]);
    add_part(network, gradient->bias, (size_t)(first->bias - first->block), 1);
}

static void sum_full(br_network *network)
{
    const br_model *model = network->model;
    br_model *gradient = network->gradient;
    const br_gradient_part *first = &network->gradient_parts[0];
    size_t width = model->width;
    for (uint32_t l = model->n_low; l < model->config.n_cross; l++) {
        memset(gradient->m[l], 0, width * width * sizeof(float));
        add_part(network, gradient->m[l], (size_t)(first->m[l] - first->block), width * width);
    }
}

static void sum_item(void *context, uint32_t worker, uint32_t item)
{
    (void)worker;
    br_network *network = context;
    if (item == 0) {
        sum_parts(network);
        sum_full(network);
    } else {
        sum_gradient_block(network, item - 1);
        sum_gathered_block(network, item - 1);
    }
}

/// Gradient of one gathered field's embeddings and linear weights, in the rows that the step's samples have.
static void sum_touched(br_network *network, uint32_t g)
{
    const br_tables *tables = network->tables;
    const br_state_layout *layout = &tables->layout;
    const br_model *model = network->model;
    br_model *gradient = network->gradient;
    size_t d = model->config.d;
    uint32_t j = tables->gathered[g];
    size_t n_touched = 0;
    for (uint32_t k = 0; k < network->n_parts; k++) {
        const part *it = &network->parts[k];
        for (size_t t = 0; t < it->n; t++) {
            uint32_t row = it->row[t * model->n_fields + j];
            uint32_t *seen_in = &network->seen_in[network->seen_from[g] + row - model->row_of[j]];
            float *to = gradient->embedding + row * d;
            if (*seen_in != network->step_number) {
                *seen_in = network->step_number;
                network->touched[g][n_touched++] = row;
                memset(to, 0, d * sizeof *to);
                if (model->linear != NULL) {
                    gradient->linear[row] = 0.0f;
                }
            }
            tables->kernels->add(to, it->dx_gathered + (t * tables->n_gathered + g) * d, d);
            if (model->linear != NULL) {
                gradient->linear[row] += *br_states_entry(&it->d_state, layout, t, layout->c);
            }
            if (model->config.architecture == BR_DEEPFM) {
                float d_square = *br_states_entry(&it->d_state, layout, t, layout->f + d);
                tables->kernels->axpy(to, 2.0f * d_square, model->embedding + row * d, d);
            }
        }
    }
    network->n_touched[g] = n_touched;
}

static void field_item(void *context, uint32_t worker, uint32_t item)
{
    br_network *network = context;
    uint32_t n_gathered = network->tables->n_gathered;
    if (item < n_gathered) { // the longest first
        sum_touched(network, item);
    } else {
        br_tables_gradient(network->tables, &network->step, network->gradient, item - n_gathered,
                           network->scratch + worker * network->scratch_floats);
    }
}

// --- batch norm and dropout ---

/// mean and inverse from the running moments; of none: 0 and 1.
static void read_running(br_network *network)
{
    size_t n = network->n_hidden_units;
    for (size_t k = 0; k < n; k++) {
        if (network->running_weight == 0.0) {
            network->mean[k] = 0.0f;
            network->inverse[k] = 1.0f;
            continue;
        }
        double mean = network->running[k] / network->running_weight;
        double variance = network->running[n + k] / network->running_weight;
        network->mean[k] = (float)mean;
        network->inverse[k] = (float)(1.0 / sqrt(variance + (double)BR_NORM_EPSILON));
    }
}

/// The step's mean and variance into the running ones, parts in their order.
static void update_running(br_network *network)
{
    size_t n = network->n_hidden_units;
    double n_samples = (double)network->n_samples;
    for (size_t k = 0; k < n; k++) {
        double sum = 0.0;
        double square = 0.0;
        for (uint32_t i = 0; i < network->n_parts; i++) {
            sum += network->parts[i].moments[k];
            square += network->parts[i].moments[n + k];
        }
        double around_mean = fmax(square - sum / n_samples * sum, 0.0);
        network->running[k] = NORM_KEPT * network->running[k] + sum;
        network->running[n + k] = NORM_KEPT * network->running[n + k] + around_mean;
    }
    network->running_weight = NORM_KEPT * network->running_weight + n_samples;
    read_running(network);
}

void br_network_regularise(br_network *network, const br_regularisation *how)
{
    br_assert(how->dropout >= 0.0 && how->dropout < 1.0);
    network->tower.batch_norm = how->batch_norm;
    network->tower.learning = true;
    network->tower.drop = (uint32_t)(how->dropout * 65536.0);
    network->tower.seed = how->seed;
    network->tower.step = 0;
    network->running_weight = 0.0;
    memset(network->running, 0, 2 * network->n_hidden_units * sizeof *network->running);
    read_running(network);
}

void br_network_fold(const br_network *network, float *parameters)
{
    const br_model *model = network->model;
    for (uint32_t i = 0; network->tower.batch_norm && i < model->config.n_hidden; i++) {
        size_t n = model->config.hidden[i];
        size_t n_in = i == 0 ? model->width : model->config.hidden[i - 1];
        float *w = parameters + (model->w[i] - model->parameters);
        float *c = parameters + (model->c[i] - model->parameters);
        for (size_t k = 0; k < n; k++) {
            float inverse = network->tower.inverse[i][k];
            c[k] -= network->tower.mean[i][k] * inverse;
            for (size_t in = 0; in < n_in; in++) {
                w[i == 0 ? in * n + k : k * n_in + in] *= inverse; // the first layer's stand field by field
            }
        }
    }
}

double br_network_gradient(br_network *network, const br_sample_source *source, size_t n, double offset)
{
    br_assert(n > 0 && n <= network->max_samples && network->step_number < UINT32_MAX);
    network->source = source;
    network->n_samples = n;
    network->offset = offset;
    network->step_number++;
    update_tables(network);
    br_workers_run(network->workers, part_item, network, network->n_parts);
    br_workers_run(network->workers, sum_item, network, (uint32_t)br_state_n_blocks(&network->tables->layout) + 1);
    br_workers_run(network->workers, field_item, network, network->tables->n_gathered + network->model->n_fields);
    double loss = 0.0;
    for (uint32_t k = 0; k < network->n_parts; k++) {
        loss += network->parts[k].loss;
    }
    network->tower.step++;
    if (network->tower.batch_norm) {
        update_running(network);
    }
    return loss;
}

const br_model *br_network_last_gradient(const br_network *network)
{
    return network->gradient;
}

const uint32_t *br_network_touched(const br_network *network, uint32_t j, size_t *n_out)
{
    for (uint32_t g = 0; g < network->tables->n_gathered; g++) {
        if (network->tables->gathered[g] == j) {
            *n_out = network->n_touched[g];
            return network->touched[g];
        }
    }
    return NULL;
}
