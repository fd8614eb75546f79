#include "pipeline/explained.h"

#include "base/alloc.h"
#include "linalg/fixed.h"
#include "metrics/metrics.h"

#include <string.h>

enum { N_BINS = 20, FIRST_ROOM = 4096 };

void br_explained_pairs_deinit(br_explained_pairs *pairs)
{
    br_free(pairs->probabilities);
    br_free(pairs->bids);
    *pairs = (br_explained_pairs){0};
}

static br_status grow(br_explained_pairs *pairs)
{
    size_t room = pairs->room == 0 ? FIRST_ROOM : 2 * pairs->room;
    double *probabilities = br_calloc(room, sizeof *probabilities);
    uint8_t *bids = br_calloc(room, 1);
    if (probabilities == NULL || bids == NULL) {
        br_free(probabilities);
        br_free(bids);
        return br_no_memory("explained pairs", room);
    }
    if (pairs->n > 0) {
        memcpy(probabilities, pairs->probabilities, pairs->n * sizeof *probabilities);
        memcpy(bids, pairs->bids, pairs->n);
    }
    br_free(pairs->probabilities);
    br_free(pairs->bids);
    *pairs = (br_explained_pairs){probabilities, bids, pairs->n, room};
    return BR_OK;
}

br_status br_explained_pairs_add(br_explained_pairs *pairs, const br_list *list, const br_outcome *outcome,
                                 const br_calibration *calibration, const uint8_t *bid)
{
    const br_presented presented = {.list = list, .outcome = outcome};
    for (uint32_t i = 0; i < list->n_entries && pairs->n < BR_MAX_EXPLAINED_PAIRS; i++) {
        const br_explanation *explanation = br_present_explanation(&presented, i);
        if (explanation == NULL) {
            continue;
        }
        br_status status = pairs->n < pairs->room ? BR_OK : grow(pairs);
        if (status != BR_OK) {
            return status;
        }
        double logit = br_calibration_apply(calibration, (double)explanation->logit_selected);
        pairs->probabilities[pairs->n] = br_fixed_sigmoid(logit);
        pairs->bids[pairs->n++] = bid[i];
    }
    return BR_OK;
}

br_status br_explained_pairs_error(const br_explained_pairs *pairs, double *out)
{
    return br_calibration_error(out, pairs->probabilities, pairs->bids, pairs->n, N_BINS);
}
