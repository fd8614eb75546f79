#ifndef BR_MODEL_MODEL_H
#define BR_MODEL_MODEL_H

/// The recommendation model f: embeddings of categorical fields, one of four architectures (the paper's Table 7), one logit.
///
///   x_0     [n_fields * d]  the fields' embeddings, masked investor fields by their mask embedding (4.3)
///   deep    h_1 = relu(W_1 x_0 + c_1), h_2 = relu(W_2 h_1 + c_2), ..., w_deep . h_last
///
///   dnn     logit = deep + bias
///   wide    logit = deep + sum_j linear[j, value of j] + bias                                     Wide & Deep (ref [4])
///   deepfm  logit = wide + sum_{i<j} x_0i . x_0j                                                  DeepFM (ref [13])
///   dcn     x_{l+1} = x_0 * (U_l V_l^T x_l + b_l) + x_l;  logit = w_cross . x_L + deep + bias     DCN-V2 (ref [30]);
///           full rank: x_{l+1} = x_0 * (M_l x_l + b_l) + x_l
///           stacked: logit = deep + bias with h_1 = relu(W_1 x_L + c_1)
///
/// Source:  4.2 Eq. (2), 4.3, 5.5; DCN-V2 sections 3.2 and 3.3 of ref [30].
/// Choice:  the paper names DCN-V2 without its form; low rank and parallel, because its state is the smaller one (collapse.h).

#include "market/encoder.h"

#define BR_MAX_HIDDEN       4
#define BR_MAX_CROSS        8
#define BR_MAX_FIELD_VALUES (1 << 24) ///< of a field; codes of a market's fields have eight bits

typedef enum br_architecture { BR_DCN, BR_DNN, BR_WIDE_DEEP, BR_DEEPFM } br_architecture;

typedef struct br_model_config {
    br_architecture architecture;
    uint32_t d;                     ///< embedding size, 1 to 64
    uint32_t n_cross;               ///< cross layers of BR_DCN, 0 to BR_MAX_CROSS; 0 elsewhere
    uint32_t rank;                  ///< r of the low-rank product, 1 to 256; 0 = full rank
    bool stacked;                   ///< of BR_DCN: the tower stands on x_L instead of beside it
    uint32_t n_hidden;              ///< layers of the deep tower, 1 to BR_MAX_HIDDEN
    uint32_t hidden[BR_MAX_HIDDEN]; ///< their widths, 1 to 1,024
} br_model_config;

/// d = 8, two cross layers, r = 32, tower 128-64.
br_model_config br_model_config_default(void);
/// Errors: BR_ERR_INVALID with the value and its range.
br_status br_model_config_check(const br_model_config *config) BR_MUST_CHECK;

bool br_model_config_equal(const br_model_config *a, const br_model_config *b);

/// What the model knows of a field.
typedef struct br_model_field {
    uint32_t n_values; ///< codes 0 .. n_values - 1, at most BR_MAX_FIELD_VALUES
    bool maskable;     ///< then row n_values of its table is the mask embedding
} br_model_field;

/// All parameters in one block with named views. The order of the block is the order of the views.
typedef struct br_model {
    br_model_config config;
    uint32_t n_fields;
    uint32_t n_bond_fields; ///< the first fields; the others are the investor's
    br_model_field *fields; ///< [n_fields]
    size_t *row_of;         ///< [n_fields + 1] first embedding row of each field; the last is the number of rows
    size_t width;           ///< n_fields * d
    size_t n_parameters;
    float *parameters;      ///< [n_parameters], 64-byte aligned
    float *embedding;       ///< [row_of[n_fields], d]
    float *linear;          ///< [row_of[n_fields]] of BR_WIDE_DEEP and BR_DEEPFM; NULL elsewhere
    uint32_t n_low;         ///< cross layers of low rank: n_cross, or 0 with full rank
    float *u[BR_MAX_CROSS]; ///< [width, rank], l < n_low
    float *v[BR_MAX_CROSS]; ///< [width, rank], l < n_low
    float *m[BR_MAX_CROSS]; ///< [width, width] of full rank, l < n_cross
    float *b[BR_MAX_CROSS]; ///< [width]
    float
        *w[BR_MAX_HIDDEN]; ///< w[0]: [width, hidden[0]], a field's rows side by side; w[i]: [hidden[i], hidden[i - 1]]
    float *c[BR_MAX_HIDDEN]; ///< [hidden[i]]
    float *w_cross;          ///< [width] of BR_DCN in parallel; NULL elsewhere
    float *w_deep;           ///< [hidden[last]]
    float *bias;             ///< [1]
} br_model;

/// A model with zero parameters. Errors: BR_ERR_INVALID (config, no fields), BR_ERR_LIMIT (2^32 embedding rows), BR_ERR_NO_MEMORY.
br_status br_model_new(br_model **out, const br_model_config *config, const br_model_field *fields, uint32_t n_fields,
                       uint32_t n_bond_fields) BR_MUST_CHECK;
/// Fields as the encoder has them: all investor fields maskable.
br_status br_model_new_for(br_model **out, const br_model_config *config, const br_encoder *encoder) BR_MUST_CHECK;
/// First values by `seed`.
void br_model_init(br_model *model, uint64_t seed);
void br_model_free(br_model **model);
/// A model for `now`, an extension (br_encoder_extend()) of `before`, which `from` was learned under: all its parameters, so that logits are
/// the same wherever codes are.
/// Choice: a value that had been "other" starts as "other" did; one never seen starts as its field's mask embedding, which is learned to
///         stand for any value, or, of a bond field, as the mean of the field's values.
/// Errors: BR_ERR_INVALID when `before` is not the encoder of `from`; BR_ERR_NO_MEMORY.
br_status br_model_take_over(br_model **out, const br_model *from, const br_encoder *before,
                             const br_encoder *now) BR_MUST_CHECK;
/// BR_OK if every parameter is finite; BR_ERR_INVALID names the first that is not.
br_status br_model_check_finite(const br_model *model) BR_MUST_CHECK;
/// Floats of an average bond: [n_bond_fields * d] mean embeddings; of BR_WIDE_DEEP and BR_DEEPFM the mean sum of the bond fields' linear
/// weights after them.
size_t br_mean_bond_floats(const br_model *model);

/// The plain network, one sample at a time in double precision, without BLAS: the twin every fast path is tested against.
///
///   bond_codes      [n_bond_fields]
///   investor_codes  [n_fields - n_bond_fields]
///   masked          [n_fields - n_bond_fields]  1 = hidden (row n_values); NULL = nothing is
double br_model_logit_plain(const br_model *model, const uint8_t *bond_codes, const uint8_t *investor_codes,
                            const uint8_t *masked);

#endif
