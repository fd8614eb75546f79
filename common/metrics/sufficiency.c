#include "metrics/sufficiency.h"

#include "base/alloc.h"
#include "metrics/metrics.h"

#include <math.h>

static bool matches(const br_explained_bond *bond, uint32_t investor, uint32_t other, const uint32_t *fields)
{
    for (uint32_t r = 0; r < bond->n_reasons; r++) {
        if (br_explained_code(bond, investor, fields[r]) != br_explained_code(bond, other, fields[r])) {
            return false;
        }
    }
    return true;
}

// Some of the eligible investors.
typedef struct group {
    uint32_t n;
    uint32_t n_bid;
    double probability; // sum
} group;

static void group_add(group *g, const br_explained_bond *bond, uint32_t investor)
{
    g->n++;
    g->n_bid += bond->bids[investor];
    g->probability += bond->probabilities == NULL ? (double)NAN : bond->probabilities[investor];
}

static double share(uint32_t k, uint32_t n)
{
    return n > 0 ? (double)k / n : (double)NAN;
}

static br_sufficiency sufficiency_of(const br_explained_bond *bond, uint32_t investor, const group *matching,
                                     const group *eligible)
{
    uint8_t own = bond->bids[investor];
    br_sufficiency result = {.esv = share(matching->n_bid, matching->n),
                             .esv_true = matching->probability / matching->n,
                             .n_others = matching->n - 1,
                             .n_others_bid = matching->n_bid - own};
    result.esv_others = result.n_others > 0 ? share(result.n_others_bid, result.n_others)
                                            : share(eligible->n_bid - own, eligible->n - 1);
    br_wilson(result.n_others_bid, result.n_others, &result.low, &result.high);
    return result;
}

void br_sufficiency_of(br_sufficiency *out, const br_explained_bond *bond)
{
    group eligible = {0};
    for (uint32_t i = 0; i < bond->n_investors; i++) {
        br_assert(bond->bids[i] <= 1);
        if (bond->eligible[i] != 0) {
            group_add(&eligible, bond, i);
        }
    }
    for (uint32_t s = 0; s < bond->n_sets; s++) {
        uint32_t investor = bond->investors[s];
        br_assert(investor < bond->n_investors && bond->eligible[investor] != 0);
        group matching = {0};
        for (uint32_t i = 0; i < bond->n_investors; i++) {
            if (bond->eligible[i] != 0 && matches(bond, investor, i, bond->fields + (size_t)s * bond->n_reasons)) {
                group_add(&matching, bond, i);
            }
        }
        out[s] = sufficiency_of(bond, investor, &matching, &eligible);
    }
}

void br_sufficiency_mean(br_sufficiency_means *out, const br_sufficiency *all, size_t n)
{
    br_sufficiency_means sum = {.n = n};
    for (size_t i = 0; i < n; i++) {
        sum.aesv += all[i].esv;
        sum.aesv_others += all[i].esv_others;
        sum.aesv_true += all[i].esv_true;
        sum.alone += all[i].n_others == 0;
        sum.others += all[i].n_others;
        sum.others_bid += all[i].n_others_bid;
    }
    double count = (double)n;
    *out = (br_sufficiency_means){.n = n,
                                  .aesv = sum.aesv / count,
                                  .aesv_others = sum.aesv_others / count,
                                  .aesv_true = sum.aesv_true / count,
                                  .alone = sum.alone / count,
                                  .others = sum.others / count,
                                  .others_bid = sum.others_bid / count};
}

br_status br_sufficiency_error(double *out, const double *sufficient_values, const br_sufficiency *all, size_t n,
                               uint32_t n_bins)
{
    double *said = br_calloc(n, sizeof *said);
    double *came = br_calloc(n, sizeof *came);
    size_t n_matched = 0;
    for (size_t i = 0; i < n && said != NULL && came != NULL; i++) {
        if (all[i].n_others > 0) {
            said[n_matched] = sufficient_values[i];
            came[n_matched++] = all[i].esv_others;
        }
    }
    br_status status = said != NULL && came != NULL ? br_calibration_error_of_shares(out, said, came, n_matched, n_bins)
                                                    : br_no_memory("explanations", n);
    br_free(said);
    br_free(came);
    return status;
}
