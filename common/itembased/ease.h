#ifndef BR_ITEMBASED_EASE_H
#define BR_ITEMBASED_EASE_H

/// Which items go together: how many users have both, and EASE, the linear model that predicts each item from the others in closed form.
///
///     G = X^T X,   P = (G + regularization I)^-1,   B_xy = -P_xy / P_yy,   B_yy = 0
///
/// X [n_users, n_items] is 1 where a user has an item. B_xy is how much having x speaks for y.
///
/// Source: Steck 2019, Eq. (8); the paper's section 5.
/// Choice: G and its inverse in double precision (LAPACK's Cholesky): in single precision B would be wrong in the fifth digit.

#include "itembased/transactions.h"

#define BR_MAX_PAIR_ITEMS 16384u ///< items of a dense table of pairs

/// counts[x, y] = users who have x and y; [x, x] = users who have x.
typedef struct br_cooccurrence {
    uint32_t n_items;
    uint32_t n_users; ///< with at least one item
    uint32_t *counts; ///< [n_items, n_items]
} br_cooccurrence;

/// Memory: 4 n_items^2 bytes. Errors: BR_ERR_LIMIT above BR_MAX_PAIR_ITEMS (the reason says what to do), BR_ERR_NO_MEMORY.
br_status br_cooccurrence_new(br_cooccurrence **out, const br_history *history) BR_MUST_CHECK;
void br_cooccurrence_free(br_cooccurrence **counts);

typedef struct br_ease {
    uint32_t n_items;
    float *weights; ///< [n_items, n_items] B
} br_ease;

/// Memory: 8 n_items^2 bytes while it is made, 4 n_items^2 then. regularization above 0. Errors: BR_ERR_INVALID, BR_ERR_NO_MEMORY.
br_status br_ease_new(br_ease **out, const br_cooccurrence *counts, double regularization) BR_MUST_CHECK;
void br_ease_free(br_ease **model);

/// Association rules x -> y, each user's items being one basket.
/// Source: Peake and Wang 2018; Agrawal et al. 1993 (support, confidence); Piatetsky-Shapiro 1991 (leverage).
typedef struct br_rule {
    double support;    ///< P(x, y)
    double confidence; ///< P(x, y) / P(x); 0 where nobody has x
    double leverage;   ///< P(x, y) - P(x) P(y)
} br_rule;
br_rule br_rule_of(const br_cooccurrence *counts, uint32_t x, uint32_t y);

#endif
