#ifndef BR_MODEL_TABLES_H
#define BR_MODEL_TABLES_H

/// What every first product of the network comes to, tabled per value of a field: made once per step of training and shared by
/// all its samples. Private to the module.
///
/// All first products are linear in x_0, hence sums over fields of one row each. The row of a value with embedding e of field j:
///
///   T     W_1j^T e                  h_1   (the tower's first layer; for a stacked tower of e * (1 + B_L))
///   P_l   V_lj^T (e * (1 + B_l))    r     l < L, B_l = sum_{m<l} b_m
///   G_m   U_mj^T (w_j * e)          r     m < L
///   c     w_j . (e * (1 + B_L))     1     or the linear weight
///   F     e                         d     BR_DEEPFM, with |e|^2 after it
///
/// So rows = E_j A_j with A_j [d, n] a rearrangement of the parameters of field j. Rows of a maskable field's values are kept as
/// differences to the row of its mask; the sum of all masks' rows is `base`, so a masked field costs a sample nothing.
///
/// A field of very many values is not tabled: its samples' embeddings are gathered into a matrix that meets A_j in one product, its mask
/// is a value like the others, and its gradient and optimiser touch the rows a step has seen, no others.
///
/// The cross layers' inner products V_l^T (x_0 * U_m q_m) are split the same way: K_lm for all fields masked, tabled here, and what
/// the shown fields add, which cross.c works out.
///
/// Source: DCN-V2 (ref [30]); the sums are algebra on it, as in collapse.h.

#include "linalg/fixed.h"
#include "linalg/gemm.h"
#include "model/model.h"

/// Element-wise loops are compiled for several vector widths and chosen at start; they hold no reductions, so the result is the
/// same in each. Clang gives what chooses the width an external name: names differ between files, though the functions are static.
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define BR_WIDE __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define BR_WIDE
#endif

#define BR_TABLED_ROWS 512 ///< a field with more embedding rows is gathered
#define BR_STATE_BLOCK 64  ///< columns that are worked together: a table's block of them fits the second cache

/// Where the parts of a row or a state begin, in floats; each begins on a multiple of BR_LANES.
typedef struct br_state_layout {
    size_t t;
    size_t p[BR_MAX_CROSS];
    size_t g[BR_MAX_CROSS];
    size_t c;
    size_t f; ///< of BR_DEEPFM; the square follows at f + d
    size_t n; ///< floats, a multiple of BR_LANES
} br_state_layout;

br_state_layout br_state_layout_of(const br_model *model);
size_t br_state_n_blocks(const br_state_layout *layout);
size_t br_state_block_columns(const br_state_layout *layout, size_t block);

/// An array of states or rows, blocks of columns one after the other: [block][capacity, columns of the block].
typedef struct br_states {
    float *data;
    size_t capacity;
} br_states;

/// First float of row `i` in a block.
static inline float *br_states_at(const br_states *states, const br_state_layout *layout, size_t block, size_t i)
{
    return states->data + states->capacity * BR_STATE_BLOCK * block + i * br_state_block_columns(layout, block);
}

/// Are T and c sums over fields? Not where they come from x_L of full-rank layers.
static inline bool br_tower_is_tabled(const br_model *model)
{
    return !(model->config.stacked && model->n_low < model->config.n_cross);
}

/// The inner products that are not sums over fields: x_0 * sum_{m<l} U_m q_m goes into V_l for 1 <= l < L, and for a stacked tower,
/// as layer L, into W_1.
static inline uint32_t br_n_inner(const br_model *model)
{
    uint32_t n_low = model->n_low;
    return model->config.stacked || n_low == 0 ? n_low : n_low - 1;
}

/// What layer l = 1 .. br_n_inner() multiplies with: [width, columns].
static inline br_matrix br_inner_out(const br_model *model, uint32_t l)
{
    return l < model->n_low ? br_matrix_of(model->v[l], model->width, model->config.rank)
                            : br_matrix_of(model->w[0], model->width, model->config.hidden[0]);
}

/// The number in one column of row `i`.
static inline float *br_states_entry(const br_states *states, const br_state_layout *layout, size_t i, size_t column)
{
    return br_states_at(states, layout, column / BR_STATE_BLOCK, i) + column % BR_STATE_BLOCK;
}

typedef struct br_tables {
    const br_model *model; ///< borrowed
    const br_fixed_kernels *kernels;
    br_state_layout layout;
    size_t n_rows;      ///< of all tabled fields
    uint32_t *first;    ///< [n_fields] the tables' first row of a tabled field, UINT32_MAX of a gathered one
    uint32_t *gathered; ///< [n_gathered] the gathered fields
    uint32_t n_gathered;
    uint32_t *identity; ///< 0, 1, 2, ... up to the most rows of a tabled field, d, r or h_1
    br_states rows;     ///< [n_rows]
    float *base;        ///< [n] every maskable tabled field masked
    float *shown;       ///< [n_rows, d] x_0 of a value less x_0 of its mask; of a mask itself
    float *factor;      ///< A_j by blocks of columns: [n_fields][d, n], then all gathered ones block by block
    float *k[BR_MAX_CROSS + 1][BR_MAX_CROSS]; ///< k[l][m] [columns of l, r], m < l: every maskable field masked
    float *masked_out[BR_MAX_CROSS + 1];      ///< [width, columns of l] scratch of K
} br_tables;

static inline bool br_is_gathered(const br_tables *tables, uint32_t j)
{
    return tables->first[j] == UINT32_MAX;
}

/// All gathered fields' A_j in one block: [n_gathered * d, columns of the block], in an array of the tables' factor's form.
float *br_gathered_factor(const br_tables *tables, float *factor, size_t block);
size_t br_tables_factor_floats(const br_tables *tables);

/// Errors: BR_ERR_NO_MEMORY.
br_status br_tables_new(br_tables **out, const br_model *model) BR_MUST_CHECK;
void br_tables_free(br_tables **tables);

/// Bring the tables up to the model's parameters: items 0 .. br_tables_n_items() - 1 in any order and thread, then the base.
uint32_t br_tables_n_items(const br_tables *tables);
void br_tables_update(br_tables *tables, uint32_t item);
void br_tables_update_base(br_tables *tables);

/// The gradient that a part of a step's samples leaves beside the states; parts are added in their order.
typedef struct br_gradient_part {
    float *shown;                             ///< [tables' n_rows, d] of the tables' `shown`
    float *embedding;                         ///< [tables' n_rows, d] of the embeddings themselves; of full rank
    float *m[BR_MAX_CROSS];                   ///< [width, width] of full rank
    float *w_cross;                           ///< [width] of full rank
    float *b[BR_MAX_CROSS];                   ///< [width] of full rank
    float *w_tower;                           ///< [width, h_1] of a tower on full rank
    float *u[BR_MAX_CROSS];                   ///< [width, r] of what meets the shown fields, m < br_n_inner()
    float *out[BR_MAX_CROSS + 1];             ///< [width, columns of l] likewise
    float *k[BR_MAX_CROSS + 1][BR_MAX_CROSS]; ///< [columns of l, r]
    float *w[BR_MAX_HIDDEN];                  ///< the tower's, from w[1] on
    float *c[BR_MAX_HIDDEN];                  ///< likewise, from c[0] on
    float *w_deep;
    float *bias;
    float *block; ///< the memory of all of them
    size_t n_floats;
} br_gradient_part;

/// Errors: BR_ERR_NO_MEMORY.
br_status br_gradient_part_new(br_gradient_part *out, const br_tables *tables) BR_MUST_CHECK;

/// What a whole step leaves.
typedef struct br_step_gradient {
    br_states rows; ///< [n_rows] of the tables' rows; those of masks are written by br_tables_gradient()
    float *base;    ///< [n]
    float *factor;  ///< the form of the tables' factor; only the gathered fields' part is used
    const br_gradient_part *parts;
    size_t n_parts;
} br_step_gradient;

/// Floats of one thread's scratch for br_tables_gradient().
size_t br_tables_scratch_floats(const br_tables *tables);
/// gradient's parameters of field j (embedding and linear of a tabled one, u, v, b, w[0], w_cross) = what `from` comes to; `from`
/// holds the sum of all parts' k in the first. Fields in any order and thread.
void br_tables_gradient(const br_tables *tables, const br_step_gradient *from, br_model *gradient, uint32_t j,
                        float *scratch);

#endif
