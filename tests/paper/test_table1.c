// Goal: Table 1: what attributions say of section 3's toy world, the two prices first, and quality above colour where absent fields are
// masked. Method: one model trained with masks; Kernel SHAP-M against the Shapley values of the exact sufficient values.
// The numbers of the table are those of one model of the authors', so that its order is compared, and sums, which no model changes.

#include "attribution/attribution.h"
#include "base/alloc.h"
#include "linalg/gemm.h"
#include "model/toy.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { N_BACKGROUND = 4000 };

typedef struct row {
    br_attribution_method method;
    bool colour_first; ///< before quality, in the table
    bool adds_up;      ///< to f(x) - mean f = 0.9 - 0.5
} row;

// IG's order of colour and quality is left out: from the zero vector, which no training knows, it differs between models.
static const row rows[] = {
    {BR_ATTRIBUTION_LIME, true, false},
    {BR_ATTRIBUTION_KERNEL_SHAP, true, true},
    {BR_ATTRIBUTION_EG, true, true},
    {BR_ATTRIBUTION_WEIGHTED_SHAP, true, false},
    {BR_ATTRIBUTION_KERNEL_SHAP_M, false, true},
};

static void score(const br_model *model, const br_attribution_background *background, br_attribution_method method,
                  float *scores)
{
    br_attribution_options options = br_attribution_options_default(method, BR_TOY_FIELDS);
    options.n_background = 200;
    options.n_samples = method == BR_ATTRIBUTION_EG ? 20000 : options.n_samples;
    BR_AUTO(br_attribution) *attribution = NULL;
    uint32_t key = 1;
    cr_assert_eq(br_attribution_new(&attribution, model, background, &options), BR_OK);
    cr_assert_eq(br_attribution_bond(attribution, (const uint8_t[1]){0}), BR_OK);
    cr_assert_eq(br_attribution_scores(attribution, br_toy_item, &key, 1, scores), BR_OK);
}

static double exact_shapley(unsigned j)
{
    const double weights[BR_TOY_FIELDS] = {1.0 / 4.0, 1.0 / 12.0, 1.0 / 12.0, 1.0 / 4.0};
    double sum = 0.0;
    for (unsigned set = 0; set < BR_TOY_SETS; set++) {
        if ((set >> j & 1u) == 0) {
            sum += weights[__builtin_popcount(set)] *
                   (br_toy_sufficient_value(set | 1u << j) - br_toy_sufficient_value(set));
        }
    }
    return sum;
}

Test(paper_table1, attributions_order_the_toy_features_as_the_paper_says)
{
    static uint8_t codes[N_BACKGROUND * BR_TOY_FIELDS];
    BR_AUTO(br_model) *model = NULL;
    br_dataset *samples = NULL;
    cr_assert_eq(br_gemm_start(), BR_OK);
    cr_assert_eq(br_toy_learn(&model, 2, 2), BR_OK);
    cr_assert_eq(br_toy_samples(&samples, N_BACKGROUND, 2, 7), BR_OK);
    for (size_t i = 0; i < N_BACKGROUND; i++) {
        memcpy(codes + i * BR_TOY_FIELDS, samples->investor_codes + (size_t)samples->row_of[i] * BR_TOY_FIELDS,
               BR_TOY_FIELDS);
    }
    br_attribution_background background = {codes, codes, N_BACKGROUND};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        float scores[BR_TOY_FIELDS];
        score(model, &background, rows[i].method, scores);
        const char *name = br_attribution_name(rows[i].method);
        float lowest = fminf(scores[BR_TOY_PRICE1], scores[BR_TOY_PRICE2]);
        cr_expect(lowest > scores[BR_TOY_QUALITY] && lowest > scores[BR_TOY_COLOR], "%s", name);
        cr_expect_eq(scores[BR_TOY_COLOR] > scores[BR_TOY_QUALITY], rows[i].colour_first, "%s", name);
        double sum = 0.0;
        for (unsigned j = 0; j < BR_TOY_FIELDS; j++) {
            sum += (double)scores[j];
            cr_expect(rows[i].method != BR_ATTRIBUTION_KERNEL_SHAP_M ||
                          fabs((double)scores[j] - exact_shapley(j)) < 0.02,
                      "%g, exactly %g", (double)scores[j], exact_shapley(j));
        }
        cr_expect(!rows[i].adds_up || fabs(sum - 0.4) < 0.05, "%s adds up to %g", name, sum);
    }
    br_dataset_free(&samples);
}
