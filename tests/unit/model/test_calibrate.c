// Goal: calibration finds the slope and offset that labels were drawn with, and says so when there are none.

#include "model/layers.h"

#include <criterion/criterion.h>
#include <math.h>

enum { N = 60000 };

static float logit[N];
static uint8_t label[N];

/// Labels with P = sigmoid(slope * logit + offset).
static void draw(double slope, double offset)
{
    br_rng rng = br_rng_at(23, BR_STREAM_TEST, 0, 0);
    for (size_t i = 0; i < N; i++) {
        logit[i] = (float)(1.5 * br_rng_normal(&rng));
        label[i] = br_rng_uniform(&rng) < 1.0 / (1.0 + exp(-(slope * (double)logit[i] + offset)));
    }
}

Test(model_calibrate, finds_slope_and_offset)
{
    const double cases[][2] = {{1.0, 0.0}, {0.5, -1.0}, {2.0, 1.0}};
    for (size_t k = 0; k < 3; k++) {
        draw(cases[k][0], cases[k][1]);
        br_calibration found;
        cr_assert(br_calibrate_platt(&found, logit, label, N, 1.0));
        cr_assert(fabs(found.slope - cases[k][0]) < 0.06, "%g", found.slope);
        cr_assert(fabs(found.offset - cases[k][1]) < 0.06, "%g", found.offset);
    }
}

Test(model_calibrate, is_where_the_gradient_vanishes)
{
    draw(0.8, -2.0);
    br_calibration found;
    cr_assert(br_calibrate_platt(&found, logit, label, N, 3.0));
    double by_slope = 0.0;
    double by_offset = 0.0;
    for (size_t i = 0; i < N; i++) {
        double p = 1.0 / (1.0 + exp(-(found.slope * (double)logit[i] + found.offset)));
        double error = (label[i] != 0 ? 1.0 : 3.0) * (p - label[i]);
        by_slope += error * (double)logit[i];
        by_offset += error;
    }
    cr_assert(fabs(by_slope) < 1e-4 * N && fabs(by_offset) < 1e-4 * N, "%g %g", by_slope, by_offset);
}

Test(model_calibrate, weights_undo_the_thinning_of_negatives)
{
    draw(1.0, -1.0);
    size_t kept = 0;
    br_rng rng = br_rng_at(29, BR_STREAM_TEST, 0, 0);
    for (size_t i = 0; i < N; i++) {
        if (label[i] != 0 || br_rng_below(&rng, 4) == 0) {
            logit[kept] = logit[i];
            label[kept++] = label[i];
        }
    }
    br_calibration found;
    cr_assert(br_calibrate_platt(&found, logit, label, kept, 4.0));
    cr_assert(fabs(found.slope - 1.0) < 0.06 && fabs(found.offset + 1.0) < 0.06, "%g %g", found.slope, found.offset);
}

Test(model_calibrate, is_the_identity_where_no_rising_fit_exists)
{
    br_calibration found;
    draw(-1.0, 0.0);
    cr_assert_not(br_calibrate_platt(&found, logit, label, N, 1.0));
    cr_assert(found.slope == 1.0 && found.offset == 0.0);
    draw(1.0, 0.0);
    for (size_t i = 0; i < N; i++) {
        logit[i] = NAN;
    }
    cr_assert_not(br_calibrate_platt(&found, logit, label, N, 1.0));
    cr_assert(found.slope == 1.0 && found.offset == 0.0);
}

static br_calibration_form chosen(const br_calibration *found)
{
    return found->line.n_knots > 0 ? BR_CALIBRATION_ISOTONIC : BR_CALIBRATION_PLATT;
}

Test(model_calibrate, the_form_is_the_one_asked_for_or_the_one_that_fits_the_other_half)
{
    static uint8_t second[N];
    for (size_t i = 0; i < N; i++) {
        second[i] = i % 2;
    }
    br_calibration found;
    bool fitted = false;
    draw(0.8, -2.0);
    const br_calibration_form forms[] = {BR_CALIBRATION_PLATT, BR_CALIBRATION_ISOTONIC};
    for (int k = 0; k < 2; k++) {
        cr_assert_eq(br_calibrate(&found, &fitted, forms[k], logit, label, second, N, 1.0), BR_OK);
        cr_assert(fitted && chosen(&found) == forms[k]);
        // Either way it is near what the labels were drawn with, in the middle of the logits.
        cr_assert_lt(fabs(br_calibration_apply(&found, 0.5) - (0.8 * 0.5 - 2.0)), 0.2);
    }
    cr_assert_eq(br_calibrate(&found, &fitted, BR_CALIBRATION_AUTO, logit, label, second, N, 1.0), BR_OK);
    cr_assert(fitted && chosen(&found) == BR_CALIBRATION_PLATT, "labels of Platt's form");
    // A step, which no slope and offset follow.
    br_rng rng = br_rng_at(31, BR_STREAM_TEST, 0, 0);
    for (size_t i = 0; i < N; i++) {
        label[i] = br_rng_uniform(&rng) < (logit[i] > 1.0f ? 0.6 : 0.1);
    }
    cr_assert_eq(br_calibrate(&found, &fitted, BR_CALIBRATION_AUTO, logit, label, second, N, 1.0), BR_OK);
    cr_assert(fitted && chosen(&found) == BR_CALIBRATION_ISOTONIC, "labels of a step");
    cr_assert_lt(fabs(br_calibration_apply(&found, 2.0) - log(0.6 / 0.4)), 0.1);
}

Test(model_calibrate, one_label_alone_leaves_the_logits_as_they_are)
{
    static uint8_t second[N];
    draw(1.0, 0.0);
    for (size_t i = 0; i < N; i++) {
        label[i] = 0;
    }
    for (int form = BR_CALIBRATION_AUTO; form <= BR_CALIBRATION_ISOTONIC; form++) {
        br_calibration found;
        bool fitted = true;
        cr_assert_eq(br_calibrate(&found, &fitted, (br_calibration_form)form, logit, label, second, N, 1.0), BR_OK);
        cr_assert_not(fitted);
        cr_assert_eq(br_calibration_apply(&found, 1.25), 1.25);
    }
}
