#ifndef BR_ITEMBASED_IALS_H
#define BR_ITEMBASED_IALS_H

/// Implicit alternating least squares: recommends items, and says how much each past item speaks for one.
///
///     loss = sum_{u,i} c_ui (p_ui - x_u . y_i)^2 + regularization (sum_u |x_u|^2 + sum_i |y_i|^2)
///     p_ui = 1 where the user has the item, else 0;  c_ui = 1 + confidence weight_ui where it has, else 1
///
/// One sweep solves for all users, then for all items, each exactly: the loss never rises. In a score every past item j has its own part:
///
///     x_u . y_i = sum_j s_ij c_uj,   s_ij = y_i^T W_u y_j,   W_u = (Y^T C_u Y + regularization I)^-1
///
/// Source: Hu, Koren, Volinsky 2008: Eq. (3) to (5), and section 5 for the parts; the paper's section 5, "Implicit ALS".

#include "base/hash.h"
#include "itembased/transactions.h"

typedef struct br_ials_options {
    uint32_t n_factors;    ///< 1 to BR_IALS_MAX_FACTORS
    double regularization; ///< BR_IALS_MIN_STRENGTH to BR_IALS_MAX_STRENGTH
    double confidence;     ///< alpha, likewise
    uint32_t n_sweeps;     ///< 1 to BR_IALS_MAX_SWEEPS
    uint64_t seed;         ///< of the first item factors
    uint32_t n_threads;    ///< 1 to BR_IALS_MAX_THREADS; the result does not depend on it
} br_ials_options;

#define BR_IALS_MAX_FACTORS  256
#define BR_IALS_MIN_STRENGTH 1e-4
#define BR_IALS_MAX_STRENGTH 1e6
#define BR_IALS_MAX_SWEEPS   1000
#define BR_IALS_MAX_THREADS  64

/// 32 factors, regularization 10, confidence 3, 15 sweeps, seed 1, one thread. Choice: near the best on the 350 movies of MovieLens that are rated most,
/// each user's last fifth held out.
br_ials_options br_ials_options_default(void);
/// Errors: BR_ERR_INVALID with the member and its range.
br_status br_ials_options_check(const br_ials_options *options) BR_MUST_CHECK;

/// The items' side alone is enough to recommend to, and explain for, anybody whose past items are known.
typedef struct br_ials {
    uint32_t n_items;
    uint32_t n_factors;
    double regularization;
    double confidence;
    float *items; ///< [n_items, n_factors]
    double *gram; ///< [n_factors, n_factors] Y^T Y
} br_ials;

/// What a sweep came to; the loss is computed in double precision over all users and items (through Y^T Y). Return false to stop.
typedef bool (*br_ials_watcher)(void *context, uint32_t sweep, double loss);

/// Train, without BLAS, too. Memory: 4 n_factors (n_users + n_items) bytes, a second history by items (8 bytes an interaction and an item),
/// 144 n_factors^2 bytes, and per thread 12 n_factors^2 + 1,096 n_factors, however long a history is; the model comes to it. watcher: may be NULL; with one
/// the loss is computed. Errors: BR_ERR_INVALID (options), BR_ERR_NO_MEMORY, BR_ERR_CANCELLED by the watcher, BR_ERR_LIMIT (threads).
/// Choice: what is solved is summed in single precision over at most 128 rows, in double beyond, and solved in double: an error in the left side changes the loss by its
/// square only. Where rounding could reach a ten-thousandth of the regularization (extreme weights), it is summed in double throughout, some three times slower.
br_status br_ials_train(br_ials **out, const br_history *history, const br_ials_options *options,
                        br_ials_watcher watcher, void *context) BR_MUST_CHECK;
/// From stored item factors [n_items, n_factors], which are copied; the Gram matrix is made here, without BLAS: a part of the answer path.
/// Errors: BR_ERR_INVALID (not finite, out of range), BR_ERR_NO_MEMORY.
br_status br_ials_of(br_ials **out, const float *items, uint32_t n_items, uint32_t n_factors, double regularization,
                     double confidence) BR_MUST_CHECK;
void br_ials_free(br_ials **model);

/// One user as the model sees it: W_u and x_u. Answer path: no BLAS, double precision in a fixed order, the same bytes on every machine.
/// W_u stays a Cholesky factor. Cost: n n_factors^2 + n_factors^3 / 3. Memory: 8 n_factors^2 + 12 n_items bytes.
typedef struct br_ials_user br_ials_user;
br_status br_ials_user_new(br_ials_user **out, const br_ials *model) BR_MUST_CHECK; ///< room for one after the other
void br_ials_user_free(br_ials_user **user);
/// items [n] different, weights [n] or NULL (all 1). Borrowed until the next call.
void br_ials_user_set(br_ials_user *user, const uint32_t *items, const float *weights, uint32_t n);
/// x_u . y_i
double br_ials_user_score(const br_ials_user *user, uint32_t item);
/// parts_out[n] in the order of `items`: s_ij c_uj. Their sum is the score. Cost: 2 n_factors^2 + n n_factors.
void br_ials_user_parts(br_ials_user *user, uint32_t item, double *parts_out);
/// The `n_top` items with the highest scores that are not among the user's own (nor have skip[item] != 0; skip may be NULL), best first, ties by the lower
/// number. items_out [n_top]; returns how many.
uint32_t br_ials_user_recommend(const br_ials_user *user, const uint8_t *skip, uint32_t n_top, uint32_t *items_out);

#endif
