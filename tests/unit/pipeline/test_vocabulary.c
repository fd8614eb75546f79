// Goal: names of the configuration become the fields they stand for, once each and in order. Method: a small encoder by hand.

#include "pipeline/vocabulary.h"

#include "base/alloc.h"

#include <criterion/criterion.h>
#include <string.h>

static br_field fields[] = {{.name = (char[]){"rating"}},       {.name = (char[]){"org_type"}},
                            {.name = (char[]){"act.1"}},        {.name = (char[]){"act.2"}},
                            {.name = (char[]){"pref.AA+.365"}}, {.name = (char[]){"pref.AA+.all"}},
                            {.name = (char[]){"act"}}};
static const br_encoder encoder = {.fields = fields, .n_fields = 7, .n_bond_fields = 1};

Test(pipeline_vocabulary, names_are_found_and_those_that_fit_nothing_are_told)
{
    br_vocabulary got;
    cr_assert_eq(br_vocabulary_init(&got, &encoder, " act.* ,org_type,rating, act.1,,nothing*", ""), BR_OK);
    cr_assert_eq(got.n_banned, 3);
    cr_assert_arr_eq(got.banned, ((uint32_t[]){0, 1, 2}), 3 * sizeof(uint32_t));
    cr_assert_eq(got.n_apart, 0);
    cr_assert_str_eq(br_buf_text(&got.unknown), "rating, nothing*");
    br_vocabulary_deinit(&got);
}

Test(pipeline_vocabulary, pairs_are_each_with_each_and_none_twice)
{
    br_vocabulary got;
    cr_assert_eq(br_vocabulary_init(&got, &encoder, "", "pref.AA+.* + act.*, act.1 + act.2,act.* + act.*,x + act"),
                 BR_OK);
    static const uint32_t want[] = {1, 2, 1, 3, 1, 4, 2, 3, 2, 4};
    cr_assert_eq(got.n_apart, 5);
    cr_assert_arr_eq(got.apart, want, sizeof want);
    cr_assert_str_eq(br_buf_text(&got.unknown), "x");
    br_vocabulary_deinit(&got);
}

Test(pipeline_vocabulary, what_is_no_pair_is_refused_and_nothing_leaks)
{
    br_vocabulary got;
    size_t live = br_alloc_live();
    cr_assert_eq(br_vocabulary_init(&got, &encoder, "act", "act.1+act.2"), BR_ERR_INVALID);
    cr_assert_not_null(strstr(br_why(BR_ERR_INVALID), "\"act.1+act.2\" is not NAME + NAME"));
    for (size_t n = 0; n < 3; n++) {
        br_alloc_fail_after(n);
        cr_assert_eq(br_vocabulary_init(&got, &encoder, "act", "act.1 + act.2"), BR_ERR_NO_MEMORY);
    }
    br_alloc_fail_after(SIZE_MAX);
    cr_assert_eq(br_alloc_live(), live);
}
