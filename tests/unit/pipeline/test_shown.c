// Goal: the error with k fields shown is the gap between what the model says of these fields and the bids. Method: a model of which the
// logit is known for every set of fields.

#include "pipeline/shown.h"

#include "base/alloc.h"

#include <criterion/criterion.h>
#include <math.h>

enum { N = 3000, N_FIELDS = 2 };

// logit = bias + push for each investor field that is shown with code 1: embeddings of one number that are added up.
static br_model *push_model(float bias, float push)
{
    const br_model_config config = {.d = 1, .n_cross = 0, .rank = 1, .n_hidden = 1, .hidden = {1}};
    const br_model_field fields[] = {{2, false}, {2, true}, {2, true}};
    br_model *model = NULL;
    cr_assert_eq(br_model_new(&model, &config, fields, 1 + N_FIELDS, 1), BR_OK);
    model->bias[0] = bias;
    for (uint32_t j = 1; j <= N_FIELDS; j++) {
        model->embedding[model->row_of[j] + 1] = push;
        model->w_cross[j] = 1.0f;
    }
    return model;
}

static double sigmoid(double z)
{
    return 1.0 / (1.0 + exp(-z));
}

// Two investors of three are eligible; of these every second one bids and has code 1 in the first field; all else is 0.
static void errors_of(float bias, float push, double errors[BR_MAX_SHOWN])
{
    static uint8_t codes[N * N_FIELDS], eligible[N], bid[N];
    for (uint32_t i = 0; i < N; i++) {
        eligible[i] = i % 3 != 0;
        bid[i] = i % 3 == 1;
        codes[i * N_FIELDS] = bid[i];
    }
    br_model *model = push_model(bias, push);
    br_collapsed *collapsed = NULL;
    cr_assert_eq(br_collapsed_new(&collapsed, model), BR_OK);
    BR_AUTO(br_shown_pairs) *pairs = NULL;
    cr_assert_eq(br_shown_pairs_new(&pairs, collapsed, N, 1.0), BR_OK);
    br_shown_pairs_add(pairs, 7, (const uint8_t[]){1}, codes, eligible, bid, N);
    cr_assert_eq(br_shown_pairs_errors(pairs, &(br_calibration){.slope = 1.0}, errors), BR_OK);
    br_shown_pairs_free(&pairs);
    br_collapsed_free(&collapsed);
    br_model_free(&model);
}

Test(pipeline_shown, the_error_is_the_gap_for_each_number_of_fields)
{
    double errors[BR_MAX_SHOWN];
    errors_of(1.0f, 0.0f, errors); // always the same probability, half of the pairs bid
    cr_expect_lt(fabs(errors[0] - (sigmoid(1.0) - 0.5)), 1e-6);
    cr_expect_lt(fabs(errors[1] - (sigmoid(1.0) - 0.5)), 1e-6);
    cr_expect(isnan(errors[2]), "there are two fields");
    errors_of(-2.0f, 3.0f, errors); // who bids: 1 where the first field is shown, else -2 as who does not
    // One field: a quarter of the pairs, all bidders, show the first; of the other three one in three bids. A tolerance for the draw.
    double gap = 0.25 * (1.0 - sigmoid(1.0)) + 0.75 * (1.0 / 3.0 - sigmoid(-2.0));
    cr_expect_lt(fabs(errors[0] - gap), 0.03, "%g, not %g", errors[0], gap);
    gap = 0.5 * (1.0 - sigmoid(1.0)) + 0.5 * sigmoid(-2.0);
    cr_expect_lt(fabs(errors[1] - gap), 1e-6, "%g, not %g", errors[1], gap);
}

Test(pipeline_shown, a_share_of_the_pairs_is_taken_and_the_same_ones_again)
{
    static uint8_t codes[N * N_FIELDS], all[N], bid[N];
    for (uint32_t i = 0; i < N; i++) {
        all[i] = 1;
        bid[i] = i < N / 2;
    }
    br_model *model = push_model(0.0f, 0.0f);
    br_collapsed *collapsed = NULL;
    cr_assert_eq(br_collapsed_new(&collapsed, model), BR_OK);
    double errors[3][BR_MAX_SHOWN];
    for (int i = 0; i < 3; i++) {
        BR_AUTO(br_shown_pairs) *pairs = NULL;
        cr_assert_eq(br_shown_pairs_new(&pairs, collapsed, N, 0.3), BR_OK);
        br_shown_pairs_add(pairs, i < 2 ? 7 : 8, (const uint8_t[]){1}, codes, all, bid, N);
        cr_assert_eq(br_shown_pairs_errors(pairs, &(br_calibration){.slope = 1.0}, errors[i]), BR_OK);
    }
    // Of 3,000 pairs 900 are expected; the share of bids among them is what moves the error.
    cr_expect_eq(errors[0][0], errors[1][0]);
    cr_expect_neq(errors[0][0], errors[2][0]);
    cr_expect_lt(errors[0][0], 0.1);
    br_collapsed_free(&collapsed);
    br_model_free(&model);
}
