// Goal: what attribution.h promises of all methods. Method: each of the ten on small networks; a network in which two fields matter and
// nothing else, which all but the random one must find.

#include "base/alloc.h"
#include "fixture.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static const br_test_shape SMALL = {{.d = 4, .n_cross = 2, .rank = 8, .n_hidden = 2, .hidden = {24, 12}}, 3, 14, 5, 1};
static const br_test_shape WIDE = {
    {.architecture = BR_WIDE_DEEP, .d = 3, .rank = 1, .n_hidden = 1, .hidden = {8}}, 2, 12, 4, 2};

static br_attribution_options quick_options(br_attribution_method method, uint32_t n)
{
    br_attribution_options options = br_attribution_options_default(method, n);
    options.seed = 5;
    options.n_samples = options.n_samples > 300 ? 300 : options.n_samples;
    return options;
}

static void score(br_attribution *attribution, const fixture *f, uint32_t investor, uint32_t key, float *scores)
{
    cr_assert_eq(br_attribution_scores(attribution, fixture_codes(f, investor), &key, 1, scores), BR_OK);
}

Test(attribution, the_two_fields_that_matter_are_found_by_all_but_the_random_one)
{
    fixture f;
    fixture_init(&f, &WIDE, 512);
    fixture_make_additive(&f);
    memset(f.model->linear, 0, f.model->row_of[f.model->n_fields] * sizeof *f.model->linear);
    memset(f.model->embedding, 0, f.model->row_of[f.model->n_fields] * f.model->config.d * sizeof *f.model->embedding);
    uint8_t codes[MAX_FIELDS] = {0};
    *fixture_linear(&f, 3, 0) = 2.0f;
    *fixture_linear(&f, 10, 0) = 2.0f;
    for (int method = 0; method < BR_N_ATTRIBUTIONS; method++) {
        for (br_attributed output = BR_ATTRIBUTED_PROBABILITY; output <= BR_ATTRIBUTED_LOGIT; output++) {
            br_attribution_options options = quick_options((br_attribution_method)method, f.n);
            options.output = output;
            options.n_background = 50;
            options.n_samples = method == BR_ATTRIBUTION_RECXPLAINER_MLP ? 300 : options.n_samples;
            br_attribution *attribution = fixture_attribution(&f, &options);
            float scores[MAX_FIELDS];
            uint32_t fields[2];
            uint32_t n_found = 0;
            for (uint32_t key = 0; key < 8; key++) {
                cr_assert_eq(br_attribution_scores(attribution, codes, &key, 1, scores), BR_OK);
                cr_assert_eq(br_attribution_select(scores, f.n, 2, fields), BR_OK);
                n_found += (fields[0] == 3 && fields[1] == 10) || (fields[0] == 10 && fields[1] == 3);
            }
            cr_expect_eq(n_found == 8, method != BR_ATTRIBUTION_RANDOM, "%s: %u of 8",
                         br_attribution_name(options.method), n_found);
            br_attribution_free(&attribution);
        }
    }
    fixture_deinit(&f);
}

// Are any scores others than `before` with keys that much higher?
static bool changes(br_attribution *attribution, const fixture *f, uint32_t higher, const float *before)
{
    bool is_other = false;
    for (uint32_t i = 0; i < N_INVESTORS; i++) {
        float scores[MAX_FIELDS];
        score(attribution, f, i, f->keys[i] + higher, scores);
        is_other = is_other || memcmp(scores, before + i * f->n, f->n * sizeof *scores) != 0;
    }
    return is_other;
}

Test(attribution, scores_depend_on_key_and_seed_and_not_on_the_batch)
{
    fixture f;
    fixture_init(&f, &SMALL, 64);
    for (int method = 0; method < BR_N_ATTRIBUTIONS; method++) {
        br_attribution_options options = quick_options((br_attribution_method)method, f.n);
        br_attribution *together = fixture_attribution(&f, &options);
        br_attribution *alone = fixture_attribution(&f, &options);
        float all[N_INVESTORS * MAX_FIELDS];
        float one[MAX_FIELDS];
        cr_assert_eq(br_attribution_scores(together, f.codes, f.keys, N_INVESTORS, all), BR_OK);
        for (uint32_t i = N_INVESTORS; i-- > 0;) {
            score(alone, &f, i, f.keys[i], one);
            cr_expect_arr_eq(one, all + i * f.n, f.n * sizeof *one, "%s", br_attribution_name(options.method));
        }
        bool is_drawn = method <= BR_ATTRIBUTION_WEIGHTED_SHAP || method == BR_ATTRIBUTION_EG;
        bool is_seeded = is_drawn || method == BR_ATTRIBUTION_RECXPLAINER_MLP;
        cr_expect_eq(changes(alone, &f, 1, all), is_drawn, "%s", br_attribution_name(options.method));
        br_attribution_free(&alone);
        options.seed++;
        alone = fixture_attribution(&f, &options);
        cr_expect_eq(changes(alone, &f, 0, all), is_seeded, "%s", br_attribution_name(options.method));
        br_attribution_free(&alone);
        br_attribution_free(&together);
    }
    fixture_deinit(&f);
}

Test(attribution, the_bond_counts_and_the_last_one_given)
{
    fixture f;
    fixture_init(&f, &SMALL, 64);
    for (int method = BR_ATTRIBUTION_LIME; method < BR_N_ATTRIBUTIONS; method++) {
        br_attribution_options options = quick_options((br_attribution_method)method, f.n);
        br_attribution *attribution = fixture_attribution(&f, &options);
        float first[MAX_FIELDS];
        float other[MAX_FIELDS];
        float again[MAX_FIELDS];
        score(attribution, &f, 0, 1, first);
        cr_assert_eq(br_attribution_bond(attribution, f.background_bonds), BR_OK);
        score(attribution, &f, 0, 1, other);
        cr_assert_eq(br_attribution_bond(attribution, f.bond), BR_OK);
        score(attribution, &f, 0, 1, again);
        cr_expect_arr_eq(first, again, f.n * sizeof *first, "%s", br_attribution_name(options.method));
        // Without products of inputs the linear auxiliary model says the same of every bond.
        cr_expect_eq(memcmp(first, other, f.n * sizeof *first) == 0, method == BR_ATTRIBUTION_RECXPLAINER_L, "%s",
                     br_attribution_name(options.method));
        br_attribution_free(&attribution);
    }
    fixture_deinit(&f);
}

Test(attribution, random_selects_each_field_once_and_all_alike)
{
    fixture f;
    fixture_init(&f, &SMALL, 1);
    br_attribution_options options = br_attribution_options_default(BR_ATTRIBUTION_RANDOM, f.n);
    br_attribution *attribution = fixture_attribution(&f, &options);
    uint32_t n_first[MAX_FIELDS] = {0};
    enum { N_KEYS = 2800 };
    for (uint32_t key = 0; key < N_KEYS; key++) {
        float scores[MAX_FIELDS];
        uint32_t fields[MAX_FIELDS];
        bool seen[MAX_FIELDS] = {false};
        score(attribution, &f, 0, key, scores);
        cr_assert_eq(br_attribution_select(scores, f.n, f.n, fields), BR_OK);
        for (uint32_t i = 0; i < f.n; i++) {
            cr_assert(fields[i] < f.n && !seen[fields[i]]);
            seen[fields[i]] = true;
        }
        n_first[fields[0]]++;
    }
    for (uint32_t j = 0; j < f.n; j++) {
        cr_expect(fabs(n_first[j] - (double)N_KEYS / f.n) < 5.0 * sqrt((double)N_KEYS / f.n), "%u", n_first[j]);
    }
    br_attribution_free(&attribution);
    fixture_deinit(&f);
}

Test(attribution, the_k_largest_are_selected_and_ties_go_to_the_lowest_field)
{
    const float scores[] = {1.0f, 3.0f, NAN, 3.0f, -2.0f, -INFINITY, INFINITY, 1.0f};
    const uint32_t order[] = {6, 1, 3, 0, 7, 4, 2, 5};
    for (uint32_t k = 1; k <= 8; k++) {
        uint32_t fields[8];
        cr_assert_eq(br_attribution_select(scores, 8, k, fields), BR_OK);
        cr_expect_arr_eq(fields, order, k * sizeof *fields);
    }
    uint32_t fields[9];
    cr_expect_eq(br_attribution_select(scores, 8, 0, fields), BR_ERR_INVALID);
    cr_expect_eq(br_attribution_select(scores, 8, 9, fields), BR_ERR_INVALID);
}

static void expect_invalid(const fixture *f, const br_attribution_background *background,
                           const br_attribution_options *options, const char *why)
{
    br_attribution *attribution = NULL;
    size_t live = br_alloc_live();
    cr_expect_eq(br_attribution_new(&attribution, f->model, background, options), BR_ERR_INVALID, "%s", why);
    cr_expect_not_null(strstr(br_why(BR_ERR_INVALID), why), "%s: %s", why, br_why(BR_ERR_INVALID));
    cr_expect_null(attribution);
    cr_expect_eq(br_alloc_live(), live);
}

Test(attribution, wrong_options_are_refused)
{
    fixture f;
    fixture_init(&f, &SMALL, 8);
    br_attribution_options right = br_attribution_options_default(BR_ATTRIBUTION_KERNEL_SHAP, f.n);
    br_attribution_options wrong = right;
    wrong.n_samples = 0;
    expect_invalid(&f, &f.background, &wrong, "0 samples");
    wrong = right;
    wrong.n_background = 0;
    expect_invalid(&f, &f.background, &wrong, "0 background");
    wrong = right;
    wrong.method = (br_attribution_method)BR_N_ATTRIBUTIONS;
    expect_invalid(&f, &f.background, &wrong, "no method");
    wrong = right;
    wrong.output = (br_attributed)2;
    expect_invalid(&f, &f.background, &wrong, "no output");
    wrong = right;
    wrong.ridge = 0.0;
    expect_invalid(&f, &f.background, &wrong, "ridge");
    wrong.ridge = NAN;
    expect_invalid(&f, &f.background, &wrong, "ridge");
    wrong = right;
    wrong.hidden = 1025;
    expect_invalid(&f, &f.background, &wrong, "hidden layer");
    expect_invalid(&f, &(br_attribution_background){0}, &right, "background of 0 pairs");
    f.background_codes[5] = 200;
    expect_invalid(&f, &f.background, &right, "no code 200");
    f.background_codes[5] = 0;
    f.background_bonds[4] = 201;
    expect_invalid(&f, &f.background, &right, "no code 201");
    f.model->fields[4].maskable = false;
    right.method = BR_ATTRIBUTION_IG_M;
    expect_invalid(&f, NULL, &right, "field 4 has no mask");
    fixture_deinit(&f);
}

Test(attribution, codes_that_the_model_does_not_have_are_refused)
{
    fixture f;
    fixture_init(&f, &SMALL, 8);
    br_attribution_options options = br_attribution_options_default(BR_ATTRIBUTION_IG, f.n);
    br_attribution *attribution = NULL;
    cr_assert_eq(br_attribution_new(&attribution, f.model, NULL, &options), BR_OK);
    uint8_t bond[MAX_FIELDS] = {0, 77};
    cr_expect_eq(br_attribution_bond(attribution, bond), BR_ERR_INVALID);
    cr_assert_eq(br_attribution_bond(attribution, f.bond), BR_OK);
    float scores[N_INVESTORS * MAX_FIELDS];
    f.codes[f.n + 2] = (uint8_t)f.model->fields[3 + 2].n_values;
    cr_expect_eq(br_attribution_scores(attribution, f.codes, f.keys, 2, scores), BR_ERR_INVALID);
    cr_expect_eq(br_attribution_scores(attribution, f.codes, f.keys, 1, scores), BR_OK);
    br_attribution_free(&attribution);
    fixture_deinit(&f);
}

Test(attribution, memory_that_cannot_be_had_is_an_error_and_scores_need_none)
{
    fixture f;
    fixture_init(&f, &SMALL, 8);
    for (int method = 0; method < BR_N_ATTRIBUTIONS; method++) {
        br_attribution_options options = quick_options((br_attribution_method)method, f.n);
        options.n_samples = 3;
        br_attribution *attribution = NULL;
        size_t live = br_alloc_live();
        br_status status = BR_ERR_NO_MEMORY;
        for (size_t n = 0; status != BR_OK; n++) {
            cr_assert_eq(status, BR_ERR_NO_MEMORY);
            cr_assert_eq(br_alloc_live(), live, "%s, allocation %zu", br_attribution_name(options.method), n);
            br_alloc_fail_after(n);
            status = br_attribution_new(&attribution, f.model, &f.background, &options);
            br_alloc_fail_after(SIZE_MAX);
        }
        br_alloc_fail_after(0);
        float scores[N_INVESTORS * MAX_FIELDS];
        cr_expect_eq(br_attribution_bond(attribution, f.bond), BR_OK);
        live = br_alloc_live();
        cr_expect_eq(br_attribution_scores(attribution, f.codes, f.keys, N_INVESTORS, scores), BR_OK);
        cr_expect_eq(br_alloc_live(), live);
        br_alloc_fail_after(SIZE_MAX);
        br_attribution_free(&attribution);
    }
    fixture_deinit(&f);
}

Test(attribution, every_method_has_a_name_and_defaults_that_are_taken)
{
    fixture f;
    fixture_init(&f, &SMALL, 8);
    for (int method = 0; method < BR_N_ATTRIBUTIONS; method++) {
        br_attribution_options options = br_attribution_options_default((br_attribution_method)method, f.n);
        for (int other = 0; other < method; other++) {
            cr_expect_str_neq(br_attribution_name(options.method), br_attribution_name((br_attribution_method)other));
        }
        br_attribution *attribution = fixture_attribution(&f, &options);
        br_attribution_free(&attribution);
        cr_expect_null(attribution);
    }
    cr_expect_eq(br_attribution_options_default(BR_ATTRIBUTION_KERNEL_SHAP, 259).n_samples, 2566);
    fixture_deinit(&f);
}
