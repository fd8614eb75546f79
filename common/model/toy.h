#ifndef BR_MODEL_TOY_H
#define BR_MODEL_TOY_H

/// The toy world of the paper's section 3 and appendix C: four features of a product, two of them the same price twice, and a label whose
/// sufficient values are known exactly. Products are the investors of a dataset without bond fields.
///
///   price1 ~ Bernoulli(0.5), 0 = low;  price2 = price1;  quality = 1 (high) with probability 0.1 where the price is low, else 0.9;
///   color ~ Bernoulli(0.5), 1 = blue;  y ~ Bernoulli(0.8 (1 - price1) + 0.1 quality + 0.1 color)

#include "market/dataset.h"
#include "model/model.h"

enum { BR_TOY_PRICE1, BR_TOY_PRICE2, BR_TOY_QUALITY, BR_TOY_COLOR, BR_TOY_FIELDS };
enum { BR_TOY_SETS = 1 << BR_TOY_FIELDS };

/// The product that is explained: price low, quality low, color blue.
extern const uint8_t br_toy_item[BR_TOY_FIELDS];
/// "price1=low", ...
extern const char *const br_toy_names[BR_TOY_FIELDS];

/// `n` samples; each `part` of a seed is another draw. Errors: BR_ERR_NO_MEMORY.
br_status br_toy_samples(br_dataset **out, size_t n, uint64_t seed, uint32_t part) BR_MUST_CHECK;
/// P(Y = 1 | the item's values of the fields in `selected`), exactly: bit j = field j, Eq. (1).
double br_toy_sufficient_value(unsigned selected);
/// A small DCN-V2 trained with masks on a million samples. br_gemm_start() must have been called. Errors: BR_ERR_NO_MEMORY, those of br_train().
br_status br_toy_learn(br_model **out, uint64_t seed, uint32_t n_threads) BR_MUST_CHECK;
/// f(x_S): the model's raw probability with only the item's fields in `selected` shown.
double br_toy_estimate(const br_model *model, unsigned selected);

#endif
