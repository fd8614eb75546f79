// Goal: section 3's toy world and Table 9: a model trained with masks estimates the sufficient values, and the sets that maximise
// them are the ones the paper expects. Method: a million samples as section 3 draws them, five seeds, all sets enumerated.

#include "base/alloc.h"
#include "linalg/gemm.h"
#include "model/toy.h"

#include <criterion/criterion.h>
#include <math.h>

enum {
    PRICE1 = 1 << BR_TOY_PRICE1,
    PRICE2 = 1 << BR_TOY_PRICE2,
    QUALITY = 1 << BR_TOY_QUALITY,
    COLOR = 1 << BR_TOY_COLOR,
    N_SEEDS = 5
};
/// The rows of Table 9: a set and its exact sufficient value for price low, quality low, colour blue.
static const struct {
    unsigned set;
    double value;
} table9[] = {
    {PRICE1, 0.86},
    {PRICE2, 0.86},
    {QUALITY, 0.77},
    {COLOR, 0.55},
    {PRICE1 | COLOR, 0.91},
    {PRICE2 | COLOR, 0.91},
    {PRICE1 | PRICE2, 0.86},
    {PRICE1 | QUALITY, 0.85},
    {PRICE2 | QUALITY, 0.85},
    {PRICE1 | PRICE2 | COLOR, 0.91},
    {PRICE1 | QUALITY | COLOR, 0.90},
    {PRICE2 | QUALITY | COLOR, 0.90},
    {PRICE1 | PRICE2 | QUALITY, 0.85},
};

Test(paper_toy, exact_sufficient_values_are_those_of_table_9)
{
    for (size_t i = 0; i < sizeof table9 / sizeof table9[0]; i++) {
        double value = br_toy_sufficient_value(table9[i].set);
        cr_assert(fabs(value - table9[i].value) <= 0.005 + 1e-9, "row %zu: %.4f, printed %.2f", i, value,
                  table9[i].value);
    }
}

static unsigned best_set(const br_model *model, int size)
{
    unsigned best = 0;
    double best_value = -1.0;
    for (unsigned set = 0; set < BR_TOY_SETS; set++) {
        double value = br_toy_estimate(model, set);
        if (__builtin_popcount(set) == size && value > best_value) {
            best = set;
            best_value = value;
        }
    }
    return best;
}

Test(paper_toy, sufficient_values_and_best_sets_are_those_of_the_paper)
{
    cr_assert_eq(br_gemm_start(), BR_OK);
    int n_expected = 0;
    for (uint64_t seed = 1; seed <= N_SEEDS; seed++) {
        BR_AUTO(br_model) *model = NULL;
        br_status status = br_toy_learn(&model, seed, 2);
        cr_assert_eq(status, BR_OK, "%s", br_why(status));
        for (size_t i = 0; i < sizeof table9 / sizeof table9[0]; i++) {
            double value = br_toy_estimate(model, table9[i].set);
            cr_assert(fabs(value - table9[i].value) < 0.03, "seed %d, row %zu of Table 9: %.4f, not %.2f", (int)seed, i,
                      value, table9[i].value);
        }
        unsigned one = best_set(model, 1);
        unsigned two = best_set(model, 2);
        unsigned three = best_set(model, 3);
        n_expected += (one == PRICE1 || one == PRICE2) && (two == (PRICE1 | COLOR) || two == (PRICE2 | COLOR)) &&
                      three == (PRICE1 | PRICE2 | COLOR);
    }
    cr_assert_geq(n_expected, 4, "the paper's sets came out for %d of %d seeds", n_expected, N_SEEDS);
}
