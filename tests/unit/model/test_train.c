// Goal: training learns, does not depend on threads, and says why it stops. Method: a small synthetic market whose bids depend on
// one bond field and two investor fields.

#include "base/alloc.h"
#include "base/rng.h"
#include "linalg/gemm.h"
#include "model/train.h"
#include "support/samples.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { N_BOND = 2, N_INVESTOR = 6, N_FIELDS = N_BOND + N_INVESTOR, N_VALUES = 3, N_ROWS = 500, N_BONDS = 40 };

static const br_model_config config = {.d = 3, .n_cross = 2, .rank = 4, .n_hidden = 2, .hidden = {12, 6}};

/// Log-odds of a bid.
static double truth(const uint8_t *bond, const uint8_t *investor)
{
    return -3.0 + (investor[0] == bond[0] ? 2.0 : 0.0) + (investor[3] == 2 ? 1.5 : 0.0);
}

static br_dataset *draw_samples(size_t n, uint32_t part, double negative_keep)
{
    br_dataset *it = br_samples_new(&(br_dataset){
        .n_bond_fields = N_BOND, .n_investor_fields = N_INVESTOR, .n_bonds = N_BONDS, .n_rows = N_ROWS, .n = n});
    br_rng rng = br_rng_at(41, BR_STREAM_TEST, part, 0);
    for (size_t i = 0; i < N_ROWS * N_INVESTOR; i++) {
        it->investor_codes[i] = (uint8_t)br_rng_below(&rng, N_VALUES);
    }
    for (size_t i = 0; i < N_BONDS * N_BOND; i++) {
        it->bond_codes[i] = (uint8_t)br_rng_below(&rng, N_VALUES);
    }
    it->negative_keep = negative_keep;
    for (size_t i = 0; i < n;) {
        uint32_t bond = br_rng_below(&rng, N_BONDS);
        uint32_t row = br_rng_below(&rng, N_ROWS);
        double logit = truth(it->bond_codes + (size_t)bond * N_BOND, it->investor_codes + (size_t)row * N_INVESTOR);
        bool bid = br_rng_uniform(&rng) < 1.0 / (1.0 + exp(-logit));
        if (bid || br_rng_uniform(&rng) < negative_keep) {
            it->bond_of[i] = bond;
            it->row_of[i] = row;
            it->label[i++] = bid;
        }
    }
    return it;
}

static br_model *new_model(void)
{
    br_model_field fields[N_FIELDS];
    for (uint32_t j = 0; j < N_FIELDS; j++) {
        fields[j] = (br_model_field){N_VALUES, j >= N_BOND};
    }
    br_model *model = NULL;
    cr_assert_eq(br_model_new(&model, &config, fields, N_FIELDS, N_BOND), BR_OK);
    br_model_init(model, 3);
    return model;
}

static br_train_options small_options(void)
{
    br_train_options options = br_train_options_default();
    options.seed = 5;
    options.batch = 512;
    options.max_epochs = 3;
    options.final_epochs = 1;
    options.learning_rate = 3e-3;
    return options;
}

static void start(void)
{
    cr_assert_eq(br_gemm_start(), BR_OK);
}

Test(model_train, parameters_do_not_depend_on_the_number_of_threads, .init = start)
{
    br_dataset *train = draw_samples(6000, 0, 1.0);
    br_dataset *valid = draw_samples(2000, 1, 1.0);
    br_model *first = NULL;
    br_calibration first_calibration = {0};
    const uint32_t n_threads[] = {1, 2, 4};
    for (int k = 0; k < 3; k++) {
        br_model *model = new_model();
        br_train_options options = small_options();
        options.n_threads = n_threads[k];
        br_calibration calibration;
        br_train_report report;
        cr_assert_eq(br_train(model, train, valid, &options, NULL, NULL, &calibration, &report), BR_OK);
        cr_assert_eq(report.epochs, 3);
        if (first == NULL) {
            first = model;
            first_calibration = calibration;
            continue;
        }
        cr_assert_eq(memcmp(first->parameters, model->parameters, model->n_parameters * sizeof(float)), 0);
        cr_assert(calibration.slope == first_calibration.slope && calibration.offset == first_calibration.offset);
        br_model_free(&model);
    }
    br_model *fresh = new_model();
    cr_assert_neq(memcmp(first->parameters, fresh->parameters, fresh->n_parameters * sizeof(float)), 0);
    br_model_free(&fresh);
    br_model_free(&first);
    br_samples_free(&train);
    br_samples_free(&valid);
}

Test(model_train, fixed_training_goes_through_all_epochs_from_where_the_model_is, .init = start)
{
    br_dataset *train = draw_samples(6000, 0, 1.0);
    br_dataset *valid = draw_samples(2000, 1, 1.0);
    br_train_options options = small_options();
    options.max_epochs = 1;
    br_calibration calibration;
    br_train_report report;
    br_model *chosen = new_model(), *fixed = new_model();
    // Of one epoch there is nothing to choose.
    cr_assert_eq(br_train(chosen, train, valid, &options, NULL, NULL, &calibration, NULL), BR_OK);
    cr_assert_eq(br_train_fixed(fixed, train, &options, NULL, NULL, &report), BR_OK);
    cr_assert_eq(memcmp(chosen->parameters, fixed->parameters, fixed->n_parameters * sizeof(float)), 0);
    cr_assert(report.epochs == 1 && report.samples > 0);
    options.max_epochs = 2;
    cr_assert_eq(br_train_fixed(fixed, train, &options, NULL, NULL, &report), BR_OK);
    cr_assert_eq(report.epochs, 2);
    cr_assert_neq(memcmp(chosen->parameters, fixed->parameters, fixed->n_parameters * sizeof(float)), 0);
    fixed->bias[0] = NAN;
    cr_assert_eq(br_train_fixed(fixed, train, &options, NULL, NULL, NULL), BR_ERR_INVALID);
    br_model_free(&chosen);
    br_model_free(&fixed);
    br_samples_free(&train);
    br_samples_free(&valid);
}

Test(model_train, learns_the_truth_on_its_scale_although_negatives_are_thinned_twice, .init = start)
{
    // Half of the negatives are in the dataset, 1.5 per positive of those in an epoch; the logit must not show it.
    br_dataset *train = draw_samples(60000, 0, 0.5);
    br_dataset *valid = draw_samples(20000, 1, 0.5);
    br_model *model = new_model();
    br_train_options options = small_options();
    options.n_threads = 2;
    options.negatives_per_positive = 1.5;
    options.max_epochs = 12;
    options.final_epochs = 8;
    options.patience = 12;
    br_calibration calibration;
    br_train_report report;
    cr_assert_eq(br_train(model, train, valid, &options, NULL, NULL, &calibration, &report), BR_OK);
    double error = 0.0;
    double hidden_error = 0.0;
    for (size_t row = 0; row < N_ROWS; row++) {
        const uint8_t *bond = valid->bond_codes + row % N_BONDS * N_BOND;
        const uint8_t *investor = valid->investor_codes + row * N_INVESTOR;
        error += fabs(br_model_logit_plain(model, bond, investor, NULL) - truth(bond, investor)) / N_ROWS;
        // With field 3 hidden, what is left is the mean over its three values.
        const uint8_t masked[N_INVESTOR] = {0, 0, 0, 1, 0, 0};
        double base = -3.0 + (investor[0] == bond[0] ? 2.0 : 0.0);
        double p = (2.0 / (1.0 + exp(-base)) + 1.0 / (1.0 + exp(-base - 1.5))) / 3.0;
        hidden_error += fabs(br_model_logit_plain(model, bond, investor, masked) - log(p / (1.0 - p))) / N_ROWS;
    }
    // A forgotten shift would be at least log 2.
    cr_assert_lt(error, 0.2, "%g", error);
    cr_assert_lt(hidden_error, 0.2, "%g", hidden_error);
    cr_assert(report.calibrated && fabs(calibration.slope - 1.0) < 0.15 && fabs(calibration.offset) < 0.3, "%g %g",
              calibration.slope, calibration.offset);
    cr_assert_gt(report.valid_auc, 0.7);
    br_model_free(&model);
    br_samples_free(&train);
    br_samples_free(&valid);
}

typedef struct watched {
    uint32_t n_calls;
    uint32_t epochs;
    uint32_t stop_at_call;
    double best_valid;
    double last_valid;
} watched;

static bool watch(void *context, const br_train_progress *progress)
{
    watched *it = context;
    it->n_calls++;
    if (progress->epoch > it->epochs) {
        it->epochs = progress->epoch;
        it->last_valid = progress->valid_log_loss;
        it->best_valid = it->epochs == 1 || it->last_valid < it->best_valid ? it->last_valid : it->best_valid;
        cr_assert(isfinite(progress->valid_auc));
    }
    cr_assert_leq(progress->samples_done, progress->samples_total);
    return it->n_calls != it->stop_at_call;
}

Test(model_train, the_watcher_sees_each_step_and_may_cancel, .init = start)
{
    br_dataset *train = draw_samples(6000, 0, 1.0);
    br_dataset *valid = draw_samples(500, 1, 1.0);
    br_train_options options = small_options();
    options.negatives_per_positive = 0.0;
    br_calibration calibration;
    watched all = {0};
    br_model *model = new_model();
    cr_assert_eq(br_train(model, train, valid, &options, watch, &all, &calibration, NULL), BR_OK);
    // 12 steps of 500 and one call after each of three epochs.
    cr_assert_eq(all.n_calls, 3 * 13);
    for (uint32_t at = 1; at <= 13; at += 6) {
        watched some = {.stop_at_call = at};
        cr_assert_eq(br_train(model, train, valid, &options, watch, &some, &calibration, NULL), BR_ERR_CANCELLED);
        cr_assert_eq(some.n_calls, at);
    }
    br_model_free(&model);
    br_samples_free(&train);
    br_samples_free(&valid);
}

/// Of the raw logits, by the plain network.
static double plain_log_loss(const br_model *model, const br_dataset *it)
{
    double sum = 0.0;
    for (size_t i = 0; i < it->n; i++) {
        double logit = br_model_logit_plain(model, it->bond_codes + (size_t)it->bond_of[i] * N_BOND,
                                            it->investor_codes + (size_t)it->row_of[i] * N_INVESTOR, NULL);
        sum += log1p(exp(it->label[i] != 0 ? -logit : logit));
    }
    return sum / (double)it->n;
}

Test(model_train, patience_ends_both_phases_and_the_best_epoch_is_kept, .init = start)
{
    // Few samples and a high rate: it overfits soon.
    br_dataset *train = draw_samples(300, 0, 1.0);
    br_dataset *valid = draw_samples(4000, 1, 1.0);
    br_train_options options = small_options();
    options.batch = 64;
    options.learning_rate = 0.03;
    options.final_learning_rate = 0.03;
    options.masks = (br_mask_plan){0};
    options.final_masks = (br_mask_plan){0};
    options.max_epochs = 60;
    options.final_epochs = 30;
    options.patience = 3;
    watched it = {0};
    br_calibration calibration;
    br_train_report report;
    br_model *model = new_model();
    cr_assert_eq(br_train(model, train, valid, &options, watch, &it, &calibration, &report), BR_OK);
    // Had patience not ended the first phase, there were at least its 30 epochs.
    cr_assert_lt(report.epochs, 30);
    cr_assert_eq(report.epochs, it.epochs);
    cr_assert_geq(report.epochs, report.best_epoch + 3);
    cr_assert_lt(it.best_valid, it.last_valid);
    cr_assert(fabs(plain_log_loss(model, valid) - it.best_valid) < 1e-5);
    cr_assert_leq(report.valid_log_loss, it.best_valid + 1e-12);
    br_model_free(&model);
    br_samples_free(&train);
    br_samples_free(&valid);
}

/// How far the output weights move in each step.
typedef struct moves {
    const br_model *model;
    float last[6];
    double size[64];
    uint32_t n;
} moves;

static bool measure_moves(void *context, const br_train_progress *progress)
{
    (void)progress;
    moves *it = context;
    double size = 0.0;
    for (size_t i = 0; i < 6; i++) {
        size += fabs((double)(it->model->w_deep[i] - it->last[i]));
        it->last[i] = it->model->w_deep[i];
    }
    if (size > 0.0) {
        cr_assert_lt(it->n, 64);
        it->size[it->n++] = size;
    }
    return true;
}

Test(model_train, the_rate_falls_along_a_cosine_in_the_last_phase, .init = start)
{
    br_dataset *train = draw_samples(6000, 0, 1.0);
    br_dataset *valid = draw_samples(500, 1, 1.0);
    br_train_options options = small_options();
    options.negatives_per_positive = 0.0;
    options.final_learning_rate = 1e-6;
    options.max_epochs = 2;
    options.final_epochs = 1;
    br_model *model = new_model();
    moves it = {.model = model};
    br_calibration calibration;
    cr_assert_eq(br_train(model, train, valid, &options, measure_moves, &it, &calibration, NULL), BR_OK);
    // 12 steps of each phase, and what the best epoch's return moves, if anything.
    cr_assert_geq(it.n, 24);
    cr_assert_lt(it.size[23], 0.1 * it.size[12]);
    cr_assert_gt(it.size[11], 0.2 * it.size[6]);
    br_model_free(&model);
    br_samples_free(&train);
    br_samples_free(&valid);
}

static double norm(const float *values, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)values[i] * (double)values[i];
    }
    return sqrt(sum);
}

Test(model_train, l2_shrinks_the_embeddings_and_nothing_else, .init = start)
{
    br_dataset *train = draw_samples(6000, 0, 1.0);
    br_dataset *valid = draw_samples(500, 1, 1.0);
    double embedding[2];
    double others[2];
    for (int k = 0; k < 2; k++) {
        br_train_options options = small_options();
        options.l2 = k == 0 ? 0.0 : 1.0;
        options.max_epochs = 10;
        options.final_epochs = 0;
        options.patience = 10;
        br_model *model = new_model();
        br_calibration calibration;
        cr_assert_eq(br_train(model, train, valid, &options, NULL, NULL, &calibration, NULL), BR_OK);
        embedding[k] = norm(model->embedding, (size_t)(model->u[0] - model->embedding));
        others[k] = norm(model->w[0], (size_t)(model->w[1] - model->w[0]));
        br_model_free(&model);
    }
    cr_assert_lt(embedding[1], 0.5 * embedding[0]);
    cr_assert_gt(others[1], 0.8 * others[0]);
    br_samples_free(&train);
    br_samples_free(&valid);
}

Test(model_train, a_fresh_model_starts_at_the_base_rate_and_a_warm_one_where_it_was, .init = start)
{
    br_dataset *train = draw_samples(6000, 0, 0.5);
    br_dataset *valid = draw_samples(500, 1, 0.5);
    br_train_options options = small_options();
    options.learning_rate = 1e-12;
    options.final_learning_rate = 1e-12;
    options.max_epochs = 1;
    double n_positive = 0.0;
    for (size_t i = 0; i < train->n; i++) {
        n_positive += train->label[i];
    }
    br_calibration calibration;
    br_model *model = new_model();
    cr_assert_eq(br_train(model, train, valid, &options, NULL, NULL, &calibration, NULL), BR_OK);
    cr_assert_float_eq((double)model->bias[0], log(0.5 * n_positive / (6000.0 - n_positive)), 1e-5);
    model->bias[0] = -1.25f;
    cr_assert_eq(br_train(model, train, valid, &options, NULL, NULL, &calibration, NULL), BR_OK);
    cr_assert_float_eq(model->bias[0], -1.25f, 1e-6f);
    br_model_free(&model);
    br_samples_free(&train);
    br_samples_free(&valid);
}

Test(model_train, a_model_that_bursts_in_an_epochs_last_step_is_refused, .init = start)
{
    br_dataset *train = draw_samples(600, 0, 1.0);
    br_dataset *valid = draw_samples(300, 1, 1.0);
    br_train_options options = small_options();
    options.batch = 1024; // one step: its own loss is still finite
    options.negatives_per_positive = 0.0;
    options.learning_rate = 10.0;
    br_model_config deep = config;
    deep.d = 16;
    deep.rank = 64;
    deep.n_cross = BR_MAX_CROSS;
    br_model_field fields[N_FIELDS];
    for (uint32_t j = 0; j < N_FIELDS; j++) {
        fields[j] = (br_model_field){N_VALUES, j >= N_BOND};
    }
    br_model *model = NULL;
    br_calibration calibration;
    cr_assert_eq(br_model_new(&model, &deep, fields, N_FIELDS, N_BOND), BR_OK);
    br_model_init(model, 3);
    br_status status = br_train(model, train, valid, &options, NULL, NULL, &calibration, NULL);
    cr_assert_eq(status, BR_ERR_INVALID, "%s", br_why(status));
    cr_assert_not_null(strstr(br_why(BR_ERR_INVALID), "not finite after epoch 1"), "%s", br_why(BR_ERR_INVALID));
    br_model_free(&model);
    br_samples_free(&train);
    br_samples_free(&valid);
}

Test(model_train, what_cannot_be_learned_from_is_refused_with_a_reason, .init = start)
{
    br_dataset *train = draw_samples(600, 0, 1.0);
    br_dataset *valid = draw_samples(300, 1, 1.0);
    br_train_options options = small_options();
    br_calibration calibration;
    br_model *model = new_model();
    model->w_deep[0] = NAN;
    cr_assert_eq(br_train(model, train, valid, &options, NULL, NULL, &calibration, NULL), BR_ERR_INVALID);
    br_model_init(model, 3);
    for (size_t i = 0; i < N_FIELDS * 4; i++) {
        model->embedding[i] = 1e30f; // finite, but not what is made of it
    }
    cr_assert_eq(br_train(model, train, valid, &options, NULL, NULL, &calibration, NULL), BR_ERR_INVALID);
    cr_assert_not_null(strstr(br_why(BR_ERR_INVALID), "not finite in epoch 1"));
    br_model_init(model, 3);
    train->investor_codes[7] = N_VALUES;
    cr_assert_eq(br_train(model, train, valid, &options, NULL, NULL, &calibration, NULL), BR_ERR_INVALID);
    cr_assert_not_null(strstr(br_why(BR_ERR_INVALID), "row 1, field 1"), "%s", br_why(BR_ERR_INVALID));
    train->investor_codes[7] = 0;
    valid->n_bond_fields = 1;
    cr_assert_eq(br_train(model, train, valid, &options, NULL, NULL, &calibration, NULL), BR_ERR_INVALID);
    br_model_free(&model);
    br_samples_free(&train);
    br_samples_free(&valid);
}

Test(model_train, bad_options_are_refused)
{
    br_train_options good = br_train_options_default();
    cr_assert_eq(br_train_options_check(&good), BR_OK);
    for (int k = 0; k < 13; k++) {
        br_train_options bad = good;
        switch (k) {
        case 0:
            bad.batch = 0;
            break;
        case 1:
            bad.batch = 70000;
            break;
        case 2:
            bad.n_threads = 0;
            break;
        case 3:
            bad.n_threads = BR_MAX_TRAIN_THREADS + 1;
            break;
        case 4:
            bad.max_epochs = 0;
            break;
        case 5:
            bad.final_epochs = bad.max_epochs + 1;
            break;
        case 6:
            bad.patience = 0;
            break;
        case 7:
            bad.negatives_per_positive = -1.0;
            break;
        case 8:
            bad.learning_rate = (double)NAN;
            break;
        case 9:
            bad.final_learning_rate = 2.0 * bad.learning_rate;
            break;
        case 10:
            bad.masks.few = 0.5;
            break;
        case 11:
            bad.final_masks.few_max = 0;
            break;
        default:
            bad.l2 = -1.0;
            break;
        }
        cr_assert_eq(br_train_options_check(&bad), BR_ERR_INVALID, "case %d", k);
    }
}

Test(model_train, every_failing_allocation_is_reported_and_leaves_nothing, .init = start)
{
    br_dataset *train = draw_samples(100, 0, 1.0);
    br_dataset *valid = draw_samples(100, 1, 1.0);
    br_train_options options = small_options();
    options.max_epochs = 1;
    options.n_threads = 2;
    br_calibration calibration;
    br_model *model = new_model();
    size_t live = br_alloc_live();
    br_status status = BR_ERR_NO_MEMORY;
    size_t n_failed = 0;
    for (size_t n = 0; status != BR_OK; n++, n_failed++) {
        br_alloc_fail_after(n);
        status = br_train(model, train, valid, &options, NULL, NULL, &calibration, NULL);
        br_alloc_fail_after(SIZE_MAX);
        cr_assert(status == BR_OK || status == BR_ERR_NO_MEMORY);
        cr_assert_eq(br_alloc_live(), live);
    }
    cr_assert_gt(n_failed, 40);
    br_model_free(&model);
    br_samples_free(&train);
    br_samples_free(&valid);
}
