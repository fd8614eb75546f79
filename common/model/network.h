#ifndef BR_MODEL_NETWORK_H
#define BR_MODEL_NETWORK_H

/// The whole network on a step's samples: tables, threads' workspaces, logits, gradient. Private to the module.
///
/// A step's samples are cut into parts whose number depends on the largest step and the model alone; each part is one item of work, and what parts
/// leave is added in their order, so no result depends on the number of threads. Nothing is allocated per step.
///
/// Memory: per sample of the largest step 2 n + 3 F + (2 d + 1) G numbers of four bytes (n = floats of a state, F = fields, G of them
/// gathered), per part a copy of the parameters that meet the cross layers and the tower, and the tables, n floats per value of a tabled
/// field, d n per field; a gradient of all parameters, one number per row of a gathered field.

#include "base/workers.h"
#include "model/layers.h"

#define BR_MAX_PARTS 16

/// Where samples come from. Called from any of the workers' threads.
typedef struct br_sample_source {
    void *context;
    /// Embedding rows [n, F] of samples from .. from + n - 1; where `label` is not NULL also label [n] and weight [n].
    void (*load)(void *context, uint32_t worker, size_t from, size_t n, uint32_t *row, uint8_t *label, float *weight);
} br_sample_source;

typedef struct br_network br_network;

/// For steps of at most `max_samples`; model and workers borrowed. Errors: BR_ERR_NO_MEMORY.
br_status br_network_new(br_network **out, const br_model *model, br_workers *workers,
                         size_t max_samples) BR_MUST_CHECK;
void br_network_free(br_network **network);
const br_model *br_network_model(const br_network *network);

/// What is done to the tower while it learns (layers.h), and not where only logits are wanted.
typedef struct br_regularisation {
    double dropout; ///< share of a hidden layer's outputs, 0 to less than 1
    uint64_t seed;  ///< of dropout
    bool batch_norm;
} br_regularisation;

/// From here on; a network begins without. Forgets the statistics of batch norm. With batch norm, logits are worked out by running
/// means over the last steps (0 and 1 before the first).
///
/// Choice: a step weighs as many as it has samples, nine tenths of that at the next step, and so on.
void br_network_regularise(br_network *network, const br_regularisation *how);
/// Parameters of the model's form, as they are with batch norm, to those that give the same logits without it.
void br_network_fold(const br_network *network, float *parameters);

/// logits[n] of samples 0 .. n - 1 of the source, n of any size.
void br_network_logits(br_network *network, const br_sample_source *source, size_t n, float *logits);

/// The weighted sum of the log loss of sigmoid(logit + offset) over n <= max_samples samples, and its gradient by every parameter.
double br_network_gradient(br_network *network, const br_sample_source *source, size_t n, double offset);
/// What the last br_network_gradient() left; valid until the next. Of a gathered field only the touched rows hold it.
const br_model *br_network_last_gradient(const br_network *network);
/// The embedding rows of a gathered field that the last gradient has touched, [*n_out]; NULL for a tabled field: all of them.
const uint32_t *br_network_touched(const br_network *network, uint32_t j, size_t *n_out);

#endif
