// Goal: validation figures are what they say: AUC by counting pairs, a weighted log loss, a subset that stands for the whole.

#include "base/alloc.h"
#include "linalg/gemm.h"
#include "model/evaluate.h"
#include "support/samples.h"

#include <criterion/criterion.h>
#include <math.h>

enum { N = 400, N_ROWS = 30 };

static br_dataset *dataset(void)
{
    br_dataset *it = br_samples_new(
        &(br_dataset){.n_bond_fields = 1, .n_investor_fields = 2, .n_bonds = 3, .n_rows = N_ROWS, .n = N});
    br_rng rng = br_rng_at(31, BR_STREAM_TEST, 0, 0);
    for (size_t i = 0; i < N_ROWS * 2; i++) {
        it->investor_codes[i] = (uint8_t)br_rng_below(&rng, 4);
    }
    for (size_t i = 0; i < 3; i++) {
        it->bond_codes[i] = (uint8_t)br_rng_below(&rng, 2);
    }
    for (size_t i = 0; i < N; i++) {
        it->bond_of[i] = br_rng_below(&rng, 3);
        it->row_of[i] = br_rng_below(&rng, N_ROWS);
        it->label[i] = br_rng_below(&rng, 5) == 0;
        it->n_positive += it->label[i];
    }
    return it;
}

Test(model_evaluate, logits_are_the_plain_networks_whatever_the_number_of_threads)
{
    cr_assert_eq(br_gemm_start(), BR_OK);
    const br_model_config config = {.d = 2, .n_cross = 1, .rank = 2, .n_hidden = 1, .hidden = {5}};
    const br_model_field fields[] = {{2, false}, {4, true}, {4, true}};
    br_model *model = NULL;
    cr_assert_eq(br_model_new(&model, &config, fields, 3, 1), BR_OK);
    br_model_init(model, 1);
    br_dataset *it = dataset();
    for (uint32_t n_threads = 1; n_threads <= 3; n_threads++) {
        br_network *network = NULL;
        br_workers *workers = NULL;
        br_evaluator *evaluator = NULL;
        cr_assert_eq(br_workers_new(&workers, n_threads), BR_OK);
        cr_assert_eq(br_evaluator_new(&evaluator, it, N, 1), BR_OK);
        cr_assert_eq(evaluator->n, N);
        cr_assert_eq(evaluator->negative_weight, 1.0);
        cr_assert_eq(br_network_new(&network, model, workers, 8), BR_OK);
        br_evaluator_run(evaluator, network);
        for (size_t i = 0; i < N; i++) {
            uint32_t sample = evaluator->sample[i];
            double plain = br_model_logit_plain(model, it->bond_codes + it->bond_of[sample],
                                                it->investor_codes + (size_t)it->row_of[sample] * 2, NULL);
            cr_assert(fabs(plain - (double)evaluator->logit[i]) < 1e-5);
            cr_assert_eq(evaluator->label[i], it->label[sample]);
        }
        br_network_free(&network);
        br_evaluator_free(&evaluator);
        br_workers_free(&workers);
    }
    br_samples_free(&it);
    br_model_free(&model);
}

Test(model_evaluate, auc_and_log_loss_equal_their_definitions)
{
    br_dataset *it = dataset();
    it->negative_keep = 0.25;
    br_evaluator *evaluator = NULL;
    cr_assert_eq(br_evaluator_new(&evaluator, it, N, 1), BR_OK);
    br_rng rng = br_rng_at(37, BR_STREAM_TEST, 0, 0);
    for (size_t i = 0; i < N; i++) {
        // Few different values, so that ties between the labels are many.
        evaluator->logit[i] = (float)br_rng_below(&rng, 20) / 4.0f - 3.0f + (float)evaluator->label[i];
    }
    double above = 0.0, pairs = 0.0, loss = 0.0, raw = 0.0, weights = 0.0;
    const br_calibration calibration = {.slope = 0.5, .offset = 0.25};
    for (size_t i = 0; i < N; i++) {
        double p = 1.0 / (1.0 + exp(-(0.5 * (double)evaluator->logit[i] + 0.25)));
        double p_raw = 1.0 / (1.0 + exp(-(double)evaluator->logit[i]));
        loss -= evaluator->label[i] != 0 ? log(p) : 4.0 * log(1.0 - p);
        raw -= evaluator->label[i] != 0 ? log(p_raw) : 4.0 * log(1.0 - p_raw);
        weights += evaluator->label[i] != 0 ? 1.0 : 4.0;
        for (size_t k = 0; k < N; k++) {
            if (evaluator->label[i] != 0 && evaluator->label[k] == 0) {
                pairs += 1.0;
                above += evaluator->logit[i] > evaluator->logit[k]    ? 1.0
                         : evaluator->logit[i] == evaluator->logit[k] ? 0.5
                                                                      : 0.0;
            }
        }
    }
    double auc = 0.0;
    cr_assert_eq(br_evaluator_auc(evaluator, &auc), BR_OK);
    cr_assert(fabs(auc - above / pairs) < 1e-12);
    cr_assert(fabs(br_evaluator_log_loss(evaluator, &calibration) - loss / weights) < 1e-12);
    cr_assert(fabs(br_evaluator_log_loss(evaluator, NULL) - raw / weights) < 1e-12);
    for (size_t i = 0; i < N; i++) {
        evaluator->label[i] = 1;
    }
    cr_assert_eq(br_evaluator_auc(evaluator, &auc), BR_OK);
    cr_assert(isnan(auc));
    br_evaluator_free(&evaluator);
    br_samples_free(&it);
}

Test(model_evaluate, a_subset_keeps_bids_and_weighs_for_what_it_leaves_out)
{
    br_dataset *it = dataset();
    size_t n_negative = N - it->n_positive;
    br_evaluator *evaluator = NULL;
    cr_assert_eq(br_evaluator_new(&evaluator, it, 200, 1), BR_OK);
    cr_assert_eq(evaluator->n, 200);
    size_t n_positive = 0;
    for (size_t i = 0; i < evaluator->n; i++) {
        n_positive += evaluator->label[i];
        cr_assert_eq(evaluator->label[i], it->label[evaluator->sample[i]]);
    }
    cr_assert_eq(n_positive, it->n_positive);
    cr_assert_float_eq(evaluator->negative_weight, (double)n_negative / (200.0 - (double)n_positive), 1e-12);
    br_evaluator_free(&evaluator);
    // Room for fewer than the bids: half of it is theirs.
    cr_assert_eq(br_evaluator_new(&evaluator, it, 40, 1), BR_OK);
    cr_assert_eq(evaluator->n, 40);
    cr_assert_float_eq(evaluator->negative_weight, (double)n_negative / (double)it->n_positive, 1e-12);
    br_evaluator_free(&evaluator);
    br_samples_free(&it);
    br_dataset empty = {.negative_keep = 1.0};
    cr_assert_eq(br_evaluator_new(&evaluator, &empty, 40, 1), BR_ERR_INVALID);
}
