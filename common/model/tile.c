#include "base/alloc.h"
#include "model/layers.h"

/// Hand out [BR_TILE_ROWS, columns] floats on a 64-byte boundary; with a NULL block this only counts.
static float *take(float *block, size_t *used, size_t columns)
{
    float *view = block == NULL ? NULL : block + *used;
    *used += BR_TILE_ROWS * columns;
    return view;
}

static size_t place_views(br_tile *tile, const br_tables *tables, float *block)
{
    const br_model *model = tables->model;
    const br_model_config *config = &model->config;
    uint32_t n_inner = br_n_inner(model);
    size_t used = 0;
    tile->state = take(block, &used, tables->layout.n);
    tile->d_state = take(block, &used, tables->layout.n);
    for (uint32_t l = 0; l < model->n_low; l++) {
        tile->q[l] = take(block, &used, config->rank);
        tile->dq[l] = take(block, &used, config->rank);
    }
    if (config->stacked && model->n_low > 0) {
        tile->dq[model->n_low] = take(block, &used, config->hidden[0]);
    }
    for (uint32_t l = 1; l <= n_inner; l++) {
        tile->s[l] = take(block, &used, model->width);
    }
    tile->ds = n_inner > 0 ? take(block, &used, model->width) : NULL;
    for (uint32_t l = 0; model->n_low < config->n_cross && l <= config->n_cross; l++) {
        tile->xs[l] = take(block, &used, model->width);
        tile->zs[l] = take(block, &used, model->width);
    }
    tile->dx = model->n_low < config->n_cross ? take(block, &used, model->width) : NULL;
    tile->d_gathered = tables->n_gathered > 0 ? take(block, &used, model->width) : NULL;
    tile->x = take(block, &used, config->d);
    tile->y = take(block, &used, config->d);
    tile->dy = take(block, &used, config->d);
    size_t widest = 0;
    for (uint32_t i = 0; i < config->n_hidden; i++) {
        size_t columns = (config->hidden[i] + BR_TILE_ROWS - 1) / BR_TILE_ROWS; // of one row's room
        widest = columns > widest ? columns : widest;
        tile->z[i] = take(block, &used, config->hidden[i]);
        tile->mean[i] = take(block, &used, columns);
        tile->inverse[i] = take(block, &used, columns);
        tile->h[i] = take(block, &used, config->hidden[i]);
        tile->dh[i] = take(block, &used, config->hidden[i]);
    }
    tile->sums = take(block, &used, 2 * widest);
    tile->logit = take(block, &used, 1);
    tile->dlogit = take(block, &used, 1);
    return used;
}

br_status br_tile_new(br_tile **out, const br_tables *tables)
{
    BR_AUTO(br_tile) *tile = br_calloc(1, sizeof *tile);
    if (tile == NULL) {
        return br_no_memory("tile", 1);
    }
    size_t n_fields = tables->model->n_fields;
    size_t n_floats = place_views(tile, tables, NULL);
    tile->block = br_calloc_aligned(n_floats, sizeof *tile->block);
    tile->n_shown = br_calloc(n_fields, sizeof *tile->n_shown);
    tile->list = br_calloc(n_fields * BR_TILE_ROWS, sizeof *tile->list);
    tile->value = br_calloc(n_fields * BR_TILE_ROWS, sizeof *tile->value);
    if (tile->block == NULL || tile->n_shown == NULL || tile->list == NULL || tile->value == NULL) {
        return br_no_memory("floats of a tile", n_floats);
    }
    place_views(tile, tables, tile->block);
    *out = tile;
    tile = NULL;
    return BR_OK;
}

void br_tile_free(br_tile **tile)
{
    if (tile == NULL || *tile == NULL) {
        return;
    }
    br_free((*tile)->block);
    br_free((*tile)->n_shown);
    br_free((*tile)->list);
    br_free((*tile)->value);
    br_free(*tile);
    *tile = NULL;
}
