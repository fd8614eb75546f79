#ifndef BR_EXPLAIN_GUMBEL_H
#define BR_EXPLAIN_GUMBEL_H

/// The paper's own search for reasons, by gradient (4.4): every investor field has a gate that is open with a probability, and descent
/// moves the probabilities. For any architecture, the recommended investors of one bond together.
///
///   gate_prob = sigmoid(gate_logit), gate_logit = -10 at first                            A.1: z = sigmoid(z')
///   gate      = sigmoid((gate_logit + noise) / temperature)                               Gumbel-Softmax of two classes
///   loss      = -f(x (x) gate) + alpha (sum of gate_prob - k)^2                           Eq. (6)
///   f         = sigmoid(logit), the model's probability
///
///     br_gumbel_new(&gumbel, model, 50, &options);
///     br_gumbel_bond(gumbel, bond_codes);
///     br_gumbel_search(gumbel, &batch, n, fields_out);
///
/// The same inputs and seed give the same bytes. The noise of an investor depends on the seed and his key alone, so that his result does
/// not depend on who is searched for with him. Not the answer path: explain.h is faster and finds better
/// sets. 100 steps of rate 0.1 carry a gate_logit from -10 to 0 at most: on a simulated market f of the reasons is then 9 % below that of
/// `plain`, after 400 steps 4 %. Nearly all of its time are the network's products with x_0 and x_l, forward and backward: 6 MFLOP a step
/// and investor of 291 fields, d = 8, three layers of rank 64 and a tower 256-128.
///
/// Source:  4.4 Eq. (6), A.1; Maddison, Mnih, Teh 2017 and Jang, Gu, Poole 2017 for the gates.
/// Differs: A.1 writes the penalty on the gates; here it is on their probabilities. On the sampled gates, at temperature 5 nearly all
///          alike, its gradient drowns that of f.
/// Choice:  new noise for each step and field, the difference of two Gumbel variables (logistic).
/// Choice:  the temperature falls in a straight line from its first value, towards 0 at the step after the last, and stops at a floor.
/// Choice:  the k fields with the largest probability are the reasons, ties to the lowest field: after the last step the sum of the
///          probabilities is near k but no probability need be 0 or 1.

#include "explain/explain.h"
#include "model/gates.h"

/// Steps at most.
#define BR_GUMBEL_MAX_STEPS 100000

/// After `step` steps, 0 to n_steps: gate_prob[n, n_investor_fields] of investors [first, first + n) of the batch.
typedef void (*br_gumbel_observe)(void *context, uint32_t step, size_t first, size_t n, const float *gate_prob);

typedef struct br_gumbel_options {
    uint32_t n_reasons;        ///< k = 6; 1 to BR_MAX_REASONS and at most the fields that are not held shut
    uint32_t n_steps;          ///< 100; 1 to BR_GUMBEL_MAX_STEPS
    double temperature;        ///< 5, at first; at least the floor
    double temperature_floor;  ///< above 0
    double rate;               ///< 0.1, of Adam; above 0
    double alpha;              ///< 0.04; 0 or more
    br_baseline baseline;      ///< what a shut gate shows: the mask, or for Table 4 zero or the average
    uint64_t seed;             ///< of the noise
    br_gumbel_observe observe; ///< NULL: nobody
    void *observe_context;
} br_gumbel_options;

br_gumbel_options br_gumbel_options_default(void);

/// Recommended investors of one bond. What the pointers point to is borrowed.
typedef struct br_gumbel_batch {
    const uint8_t *codes;  ///< [n, n_investor_fields]
    const uint32_t *keys;  ///< [n] what the noise of each is drawn by: a number that is his, the row in the population
    const bool *held_shut; ///< [n_investor_fields] fields whose gates stay 0 (Figure 4b); NULL: none
} br_gumbel_batch;

typedef struct br_gumbel br_gumbel;

/// `model`: borrowed, must outlive it. More investors than `max_batch` are worked in turns. Serves one thread. Memory: that of br_gates of
/// `max_batch` samples and 7 max_batch x n_investor_fields floats. Errors: BR_ERR_INVALID (an option out of range, a field that has no mask
/// where the baseline is the mask), BR_ERR_NO_MEMORY.
br_status br_gumbel_new(br_gumbel **out, const br_model *model, uint32_t max_batch,
                        const br_gumbel_options *options) BR_MUST_CHECK;
void br_gumbel_free(br_gumbel **gumbel);
/// The bond of the searches that follow: [n_bond_fields] codes. Errors: BR_ERR_INVALID (a code out of range).
br_status br_gumbel_bond(br_gumbel *gumbel, const uint8_t *bond_codes) BR_MUST_CHECK;
/// fields_out[n, n_reasons]: investor fields by falling probability. Errors: BR_ERR_INVALID (a code out of range, too few fields that are
/// not held shut).
br_status br_gumbel_search(br_gumbel *gumbel, const br_gumbel_batch *batch, size_t n,
                           uint32_t *fields_out) BR_MUST_CHECK;

#endif
