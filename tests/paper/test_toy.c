// Goal: section 3's toy world and Table 9: a model trained with masks estimates the sufficient values, and the sets that maximise
// them are the ones the paper expects. Method: a million samples as section 3 draws them, five seeds, all sets enumerated.

#include "base/rng.h"
#include "linalg/gemm.h"
#include "model/train.h"
#include "support/samples.h"

#include <criterion/criterion.h>
#include <math.h>

enum { PRICE1 = 1, PRICE2 = 2, QUALITY = 4, COLOR = 8, N_FIELDS = 4, N_CELLS = 16, N_SEEDS = 5 };
enum { N_TRAIN = 1000000, N_VALID = 50000 };

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

/// The item that is explained: price low (0), quality low (0), colour blue (1).
static const uint8_t item[N_FIELDS] = {0, 0, 0, 1};

static br_dataset *draw_world(size_t n, uint64_t seed, uint32_t part)
{
    br_dataset *it =
        br_samples_new(&(br_dataset){.n_investor_fields = N_FIELDS, .n_bonds = 1, .n_rows = N_CELLS, .n = n});
    for (uint8_t cell = 0; cell < N_CELLS; cell++) {
        for (uint32_t j = 0; j < N_FIELDS; j++) {
            it->investor_codes[cell * N_FIELDS + j] = (uint8_t)(cell >> j & 1);
        }
    }
    br_rng rng = br_rng_at(seed, BR_STREAM_TEST, part, 0);
    for (size_t i = 0; i < n; i++) {
        uint32_t price = br_rng_uniform(&rng) < 0.5;
        uint32_t quality = br_rng_uniform(&rng) < (price == 0 ? 0.1 : 0.9);
        uint32_t color = br_rng_uniform(&rng) < 0.5;
        double p = 0.8 * (1.0 - price) + 0.1 * quality + 0.1 * color;
        it->row_of[i] = price | price << 1 | quality << 2 | color << 3;
        it->label[i] = br_rng_uniform(&rng) < p;
        it->n_positive += it->label[i];
    }
    return it;
}

static br_model *train_toy(uint64_t seed)
{
    const br_model_config config = {.d = 4, .n_cross = 2, .rank = 4, .n_hidden = 2, .hidden = {16, 16}};
    const br_model_field fields[N_FIELDS] = {{2, true}, {2, true}, {2, true}, {2, true}};
    br_dataset *train = draw_world(N_TRAIN, seed, 0);
    br_dataset *valid = draw_world(N_VALID, seed, 1);
    br_model *model = NULL;
    cr_assert_eq(br_model_new(&model, &config, fields, N_FIELDS, 0), BR_OK);
    br_model_init(model, seed);
    br_train_options options = br_train_options_default();
    options.seed = seed;
    options.n_threads = 2;
    options.negatives_per_positive = 0.0;
    options.max_epochs = 6;
    options.final_epochs = 4;
    options.patience = 6;
    options.learning_rate = 4e-3;
    options.final_learning_rate = 1e-5;
    options.final_masks = options.masks;
    br_calibration calibration;
    br_status status = br_train(model, train, valid, &options, NULL, NULL, &calibration, NULL);
    cr_assert_eq(status, BR_OK, "%s", br_why(status));
    br_samples_free(&train);
    br_samples_free(&valid);
    return model;
}

/// f(x_S): the raw probability when only the fields of `set` are shown.
static double sufficient_value(const br_model *model, unsigned set)
{
    uint8_t masked[N_FIELDS];
    for (unsigned j = 0; j < N_FIELDS; j++) {
        masked[j] = (set >> j & 1) == 0;
    }
    return 1.0 / (1.0 + exp(-br_model_logit_plain(model, NULL, item, masked)));
}

static unsigned best_set(const br_model *model, int size)
{
    unsigned best = 0;
    double best_value = -1.0;
    for (unsigned set = 0; set < N_CELLS; set++) {
        double value = sufficient_value(model, set);
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
        br_model *model = train_toy(seed);
        for (size_t i = 0; i < sizeof table9 / sizeof table9[0]; i++) {
            double value = sufficient_value(model, table9[i].set);
            cr_assert(fabs(value - table9[i].value) < 0.03, "seed %d, row %zu of Table 9: %.4f, not %.2f", (int)seed, i,
                      value, table9[i].value);
        }
        unsigned one = best_set(model, 1);
        unsigned two = best_set(model, 2);
        unsigned three = best_set(model, 3);
        n_expected += (one == PRICE1 || one == PRICE2) && (two == (PRICE1 | COLOR) || two == (PRICE2 | COLOR)) &&
                      three == (PRICE1 | PRICE2 | COLOR);
        br_model_free(&model);
    }
    cr_assert_geq(n_expected, 4, "the paper's sets came out for %d of %d seeds", n_expected, N_SEEDS);
}
