#include "model/toy.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "model/train.h"

#include <math.h>

enum { N_TRAIN = 1000000, N_VALID = 50000 };

const uint8_t br_toy_item[BR_TOY_FIELDS] = {0, 0, 0, 1};
const char *const br_toy_names[BR_TOY_FIELDS] = {"price1=low", "price2=low", "quality=low", "color=blue"};

static double high_quality(unsigned price)
{
    return price == 0 ? 0.1 : 0.9;
}

static double bought(unsigned price, unsigned quality, unsigned color)
{
    return 0.8 * (1.0 - price) + 0.1 * quality + 0.1 * color;
}

// A row of the dataset is a cell: bit j = value of field j.
static br_dataset *allocate(size_t n)
{
    br_dataset *it = br_calloc(1, sizeof *it);
    if (it == NULL) {
        return NULL;
    }
    *it = (br_dataset){.n_investor_fields = BR_TOY_FIELDS,
                       .n_bonds = 1,
                       .n_rows = BR_TOY_SETS,
                       .n = n,
                       .n_pairs = n,
                       .negative_keep = 1.0};
    it->bonds = br_calloc(1, sizeof *it->bonds);
    it->bond_codes = br_calloc(1, 1);
    it->investor_codes = br_calloc(BR_TOY_SETS, BR_TOY_FIELDS);
    it->bond_of = br_calloc(n, sizeof *it->bond_of);
    it->row_of = br_calloc(n, sizeof *it->row_of);
    it->investor_of = br_calloc(n, sizeof *it->investor_of);
    it->label = br_calloc(n, 1);
    if (it->bonds == NULL || it->bond_codes == NULL || it->investor_codes == NULL || it->bond_of == NULL ||
        it->row_of == NULL || it->investor_of == NULL || it->label == NULL) {
        br_dataset_free(&it);
    }
    return it;
}

br_status br_toy_samples(br_dataset **out, size_t n, uint64_t seed, uint32_t part)
{
    br_dataset *it = allocate(n);
    if (it == NULL) {
        return br_no_memory("samples of the toy world", n);
    }
    for (unsigned cell = 0; cell < BR_TOY_SETS; cell++) {
        for (unsigned j = 0; j < BR_TOY_FIELDS; j++) {
            it->investor_codes[cell * BR_TOY_FIELDS + j] = (uint8_t)(cell >> j & 1);
        }
    }
    br_rng rng = br_rng_at(seed, BR_STREAM_TOY, part, 0);
    for (size_t i = 0; i < n; i++) {
        uint32_t price = br_rng_uniform(&rng) < 0.5;
        uint32_t quality = br_rng_uniform(&rng) < high_quality(price);
        uint32_t color = br_rng_uniform(&rng) < 0.5;
        it->row_of[i] =
            price << BR_TOY_PRICE1 | price << BR_TOY_PRICE2 | quality << BR_TOY_QUALITY | color << BR_TOY_COLOR;
        it->label[i] = br_rng_uniform(&rng) < bought(price, quality, color);
        it->n_positive += it->label[i];
    }
    *out = it;
    return BR_OK;
}

static bool shares_selected(unsigned selected, unsigned price, unsigned quality, unsigned color)
{
    const unsigned values[BR_TOY_FIELDS] = {price, price, quality, color};
    for (unsigned j = 0; j < BR_TOY_FIELDS; j++) {
        if ((selected >> j & 1) != 0 && values[j] != br_toy_item[j]) {
            return false;
        }
    }
    return true;
}

double br_toy_sufficient_value(unsigned selected)
{
    double weight = 0.0;
    double sum = 0.0;
    for (unsigned world = 0; world < 8; world++) {
        unsigned price = world & 1;
        unsigned quality = world >> 1 & 1;
        unsigned color = world >> 2 & 1;
        if (shares_selected(selected, price, quality, color)) {
            double p = quality == 1 ? high_quality(price) : 1.0 - high_quality(price);
            weight += p;
            sum += p * bought(price, quality, color);
        }
    }
    return sum / weight;
}

static br_status learn_from(br_model *model, const br_dataset *train, const br_dataset *valid, uint64_t seed,
                            uint32_t n_threads)
{
    br_train_options options = br_train_options_default();
    options.seed = seed;
    options.n_threads = n_threads;
    options.negatives_per_positive = 0.0;
    options.max_epochs = 6;
    options.final_epochs = 4;
    options.patience = 6;
    options.learning_rate = 4e-3;
    options.final_learning_rate = 1e-5;
    options.final_masks = options.masks;
    br_calibration calibration;
    br_model_init(model, seed);
    return br_train(model, train, valid, &options, NULL, NULL, &calibration, NULL);
}

br_status br_toy_learn(br_model **out, uint64_t seed, uint32_t n_threads)
{
    const br_model_config config = {.d = 4, .n_cross = 2, .rank = 4, .n_hidden = 2, .hidden = {16, 16}};
    const br_model_field fields[BR_TOY_FIELDS] = {{2, true}, {2, true}, {2, true}, {2, true}};
    BR_AUTO(br_dataset) *train = NULL;
    BR_AUTO(br_dataset) *valid = NULL;
    BR_AUTO(br_model) *model = NULL;
    br_status status = br_toy_samples(&train, N_TRAIN, seed, 0);
    if (status == BR_OK) {
        status = br_toy_samples(&valid, N_VALID, seed, 1);
    }
    if (status == BR_OK) {
        status = br_model_new(&model, &config, fields, BR_TOY_FIELDS, 0);
    }
    if (status == BR_OK) {
        status = learn_from(model, train, valid, seed, n_threads);
    }
    if (status == BR_OK) {
        *out = model;
        model = NULL;
    }
    return status;
}

double br_toy_estimate(const br_model *model, unsigned selected)
{
    uint8_t masked[BR_TOY_FIELDS];
    for (unsigned j = 0; j < BR_TOY_FIELDS; j++) {
        masked[j] = (selected >> j & 1) == 0;
    }
    return 1.0 / (1.0 + exp(-br_model_logit_plain(model, NULL, br_toy_item, masked)));
}
