// Goal: questions are drawn blind and can be drawn again, answers mean what they say. Method: draws over many pairs; texts there and back;
// reasons against a bond of a made-up market of codes.

#include "base/alloc.h"
#include "base/hash.h"
#include "pipeline/study.h"
#include "support/bond.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

static const br_method methods[2] = {BR_METHOD_BACKED, BR_METHOD_GUMBEL};

Test(pipeline_study, two_methods_are_named)
{
    br_method read[2];
    cr_expect_eq(br_study_methods(read, "backed, gumbel"), BR_OK);
    cr_expect(read[0] == BR_METHOD_BACKED && read[1] == BR_METHOD_GUMBEL);
    static const char *const wrong[] = {"",           "backed", "backed,backed", "backed,gumbel,ig", "backed,magic",
                                        "backed,lime"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cr_expect_eq(br_study_methods(read, wrong[i]), BR_ERR_INVALID, "%s", wrong[i]);
    }
}

Test(pipeline_study, draws_depend_on_all_they_name_and_on_nothing_else)
{
    cr_assert_eq(br_hash_init(), BR_OK);
    br_study_draw one = br_study_draw_of(1, "ann", "B1", "I1");
    br_study_draw same = br_study_draw_of(1, "ann", "B1", "I1");
    cr_expect(one.order == same.order && one.swapped == same.swapped);
    cr_expect_neq(one.order, br_study_draw_of(2, "ann", "B1", "I1").order);
    cr_expect_neq(one.order, br_study_draw_of(1, "bob", "B1", "I1").order);
    cr_expect_neq(one.order, br_study_draw_of(1, "ann", "B2", "I1").order);
    cr_expect_neq(one.order, br_study_draw_of(1, "ann", "B1", "I2").order);
    cr_expect_neq(br_study_draw_of(1, "a", "bc", "d").order, br_study_draw_of(1, "ab", "c", "d").order);
    unsigned swapped = 0, early = 0, both = 0;
    for (unsigned i = 0; i < 4000; i++) {
        char investor[16];
        snprintf(investor, sizeof investor, "I%u", i);
        br_study_draw draw = br_study_draw_of(1, "ann", "B1", investor);
        bool first_half = draw.order < UINT64_C(1) << 63;
        swapped += draw.swapped;
        early += first_half;
        both += draw.swapped && first_half;
    }
    // Four standard deviations of 4,000 fair coins are 126.
    cr_expect(swapped > 1874 && swapped < 2126, "%u of 4000", swapped);
    cr_expect(early > 1874 && early < 2126, "%u of 4000", early);
    cr_expect(both > 890 && both < 1110, "sides do not go with the order: %u", both);
}

Test(pipeline_study, an_answer_comes_back_from_its_text)
{
    for (int choice = BR_STUDY_FIRST; choice <= BR_STUDY_SKIP; choice++) {
        BR_AUTO_DEINIT(br_buf) text = {0};
        br_study_answer answer = {(br_study_choice)choice, choice % 2 == 1, 4210, 3};
        br_study_answer back;
        br_study_answer_write(&text, &answer, methods);
        cr_assert(br_study_answer_read(&back, br_buf_text(&text), methods), "%s", br_buf_text(&text));
        cr_expect(back.choice == answer.choice && back.swapped == answer.swapped && back.milliseconds == 4210 &&
                  back.dropped == 3);
    }
    BR_AUTO_DEINIT(br_buf) text = {0};
    br_study_answer_write(&text, &(br_study_answer){BR_STUDY_SECOND, true, 1, 0}, methods);
    cr_expect_str_eq(br_buf_text(&text), "gumbel right 1 0");
    static const char *const wrong[] = {
        "", "backed", "plain left 1 0", "backed up 1 0", "backed left 1", "backed left 1 0 2", "backed left x 0"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        br_study_answer back;
        cr_expect_not(br_study_answer_read(&back, wrong[i], methods), "%s", wrong[i]);
    }
}

Test(pipeline_study, the_tally_counts_by_rater_and_says_it_in_words)
{
    BR_AUTO_DEINIT(br_study_tally) tally = {0};
    br_side_by_side result;
    BR_AUTO_DEINIT(br_buf) text = {0};
    cr_assert_eq(br_study_tally_result(&tally, 1, &result), BR_OK);
    br_study_verdict(&text, &result, "backed", "gumbel");
    cr_expect_str_eq(br_buf_text(&text), "not shown: nobody has chosen yet");
    for (unsigned i = 0; i < 400; i++) {
        char rater[16];
        snprintf(rater, sizeof rater, "rater %u", i % 20);
        br_study_choice choice = i % 5 == 0 ? BR_STUDY_TIE : i % 7 == 0 ? BR_STUDY_FIRST : BR_STUDY_SECOND;
        cr_assert_eq(br_study_tally_add(&tally, rater, &(br_study_answer){choice, false, 1, i % 2}), BR_OK);
    }
    cr_assert_eq(br_study_tally_result(&tally, 1, &result), BR_OK);
    cr_expect(tally.n_answers == 400 && tally.n_ties == 80 && tally.n_dropped == 200 && tally.n_skips == 0);
    cr_expect(result.n == 320 && result.n_raters == 16, "those who always tie chose nothing: %u", result.n_raters);
    br_buf_clear(&text);
    br_study_verdict(&text, &result, "backed", "gumbel");
    cr_expect_str_eq(br_buf_text(&text), "shown: gumbel preferred");
}

Test(pipeline_study, reasons_have_the_numbers_of_an_explanation)
{
    br_test_shape shape = br_test_shape_compact();
    br_test_bond test;
    br_test_bond_init(&test, &shape, 60, 40);
    br_snapshot snapshot = {.model = test.model,
                            .encoder = (br_encoder *)&test.encoder,
                            .record = &test.record,
                            .mean_bond = test.mean_bond};
    br_served served = {.snapshot = &snapshot, .collapsed = test.collapsed};
    BR_AUTO(br_methods) *made = NULL;
    cr_assert_eq(br_methods_new(&made, &served, NULL, 6, 1), BR_OK);
    BR_AUTO(br_explain_context) *context = NULL;
    br_explain_options options = br_explain_options_default();
    cr_assert_eq(br_explain_context_new(&context, &test.bond, &test.population, &options), BR_OK);
    for (uint32_t investor = 0; investor < 10; investor++) {
        br_method_list list = {test.bond_codes, test.population, &investor, 1, 0};
        br_reason reasons[6], others[6];
        br_explanation explanation;
        cr_assert_eq(br_study_reasons(reasons, made, BR_METHOD_BACKED, &served, &list, 6), BR_OK);
        cr_assert_eq(br_explain(context, investor, NULL, &explanation), BR_OK);
        for (uint32_t k = 0; k < 6; k++) {
            const br_reason *wanted = NULL;
            for (uint32_t j = 0; j < 6; j++) {
                wanted = explanation.reasons[j].field == reasons[k].field ? &explanation.reasons[j] : wanted;
            }
            cr_assert_not_null(wanted, "investor %u: field %u", investor, reasons[k].field);
            cr_expect(wanted->code == reasons[k].code && wanted->bids == reasons[k].bids &&
                      wanted->backing == reasons[k].backing);
            cr_expect_float_eq(wanted->gain, reasons[k].gain, 1e-3);
            cr_expect(k == 0 || reasons[k - 1].gain >= reasons[k].gain);
        }
        cr_expect(br_study_equal(reasons, explanation.reasons, 6), "in whatever order");
        cr_assert_eq(br_study_reasons(others, made, BR_METHOD_RANDOM, &served, &list, 6), BR_OK);
        cr_expect_not(br_study_equal(reasons, others, 6));
    }
    br_test_bond_deinit(&test);
}
