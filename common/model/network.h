#ifndef BR_MODEL_NETWORK_H
#define BR_MODEL_NETWORK_H

/// The whole network on a tile of rows: one thread's workspace, forward, backward. Private to the module.

#include "model/layers.h"

/// Rows of a tile: few enough that what a layer touches stays near the core, enough for the products to be worth their packing.
#define BR_TILE_ROWS 64

typedef struct br_network {
    const br_model *model;      ///< borrowed
    uint32_t *row;              ///< [T, F] embedding rows; filled by the caller
    float *x[BR_MAX_CROSS + 1]; ///< [T, W]
    float *z[BR_MAX_CROSS];     ///< [T, W]
    float *q[BR_MAX_CROSS];     ///< [T, r]
    float *h[BR_MAX_HIDDEN];    ///< [T, hidden[i]]
    float *dh[BR_MAX_HIDDEN];   ///< [T, hidden[i]]
    float *dx;                  ///< [T, W] gradient that runs down the cross layers
    float *dx0;                 ///< [T, W] gradient at the embeddings
    float *dq;                  ///< [T, r]
    float *logit;               ///< [T]
    float *dlogit;              ///< [T] set by the caller before backward
    float *block;               ///< the memory of all floats above
} br_network;

br_status br_network_new(br_network **out, const br_model *model) BR_MUST_CHECK;
void br_network_free(br_network **network);
/// logit[n_rows] from row[n_rows, F]
void br_network_forward(br_network *network, size_t n_rows);
/// gradient += d (sum_t dlogit[t] logit[t]) / d parameters, after a forward of the same rows.
void br_network_backward(br_network *network, br_model *gradient, size_t n_rows);

#endif
