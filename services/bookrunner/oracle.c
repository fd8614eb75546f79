#include "oracle.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "linalg/fixed.h"
#include "metrics/metrics.h"
#include "rank/rank.h"
#include "truth.h"

#include <string.h>

/// Room for a bond, and all pairs so far.
typedef struct pairs {
    truth *known;
    float *utilities; ///< [n_investors] of one bond
    uint8_t *eligible;
    uint8_t *bids;
    uint32_t *top;
    uint32_t n_top;
    br_buf scores;        ///< float [pairs]
    br_buf labels;        ///< uint8_t [pairs]
    br_buf probabilities; ///< double [pairs]
} pairs;

static void pairs_deinit(pairs *p)
{
    truth_free(&p->known);
    br_free(p->utilities);
    br_free(p->eligible);
    br_free(p->bids);
    br_free(p->top);
    br_buf_deinit(&p->scores);
    br_buf_deinit(&p->labels);
    br_buf_deinit(&p->probabilities);
}

static br_status pairs_init(pairs *p, const char *folder, const br_market *market, uint32_t n_top)
{
    uint32_t n = br_market_n_investors(market);
    p->n_top = n_top;
    p->utilities = br_calloc(n, sizeof *p->utilities);
    p->eligible = br_calloc(n, 1);
    p->bids = br_calloc(n, 1);
    p->top = br_calloc(n_top, sizeof *p->top);
    if (p->utilities == NULL || p->eligible == NULL || p->bids == NULL || p->top == NULL) {
        return br_no_memory("investors", n);
    }
    return truth_open(&p->known, folder, market);
}

static br_status add_bond(pairs *p, oracle *out, br_market *market, uint32_t bond)
{
    const uint32_t *id_order = NULL;
    uint32_t n = br_market_n_investors(market);
    br_status status = br_market_investor_order(market, &id_order);
    if (status == BR_OK) {
        status = truth_read(p->known, market, bond, p->utilities, NULL);
    }
    if (status != BR_OK) {
        return status;
    }
    br_market_eligible(market, bond, br_market_bond(market, bond)->issue_day, p->eligible);
    memset(p->bids, 0, n);
    br_market_bidders(market, bond, p->bids);
    uint32_t bidders = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (p->eligible[i] != 0) {
            double probability = br_fixed_sigmoid((double)p->utilities[i]);
            br_buf_append(&p->scores, &p->utilities[i], sizeof p->utilities[i]);
            br_buf_append(&p->labels, &p->bids[i], 1);
            br_buf_append(&p->probabilities, &probability, sizeof probability);
            bidders += p->bids[i];
            out->n_pairs++;
        }
    }
    if (bidders == 0) {
        return BR_OK;
    }
    uint32_t n_listed = br_rank_top(p->utilities, p->eligible, id_order, n, p->n_top, p->top);
    uint32_t hits = 0;
    for (uint32_t i = 0; i < n_listed; i++) {
        hits += p->bids[p->top[i]];
    }
    br_list_quality quality = br_list_quality_of(hits, bidders, p->n_top);
    out->recall += quality.recall;
    out->precision += quality.precision;
    out->n_bonds++;
    return BR_OK;
}

static br_status summarise(pairs *p, oracle *out)
{
    if (p->scores.failed || p->labels.failed || p->probabilities.failed) {
        return br_no_memory("pairs", out->n_pairs);
    }
    if (out->n_bonds == 0) {
        return br_fail(BR_ERR_INVALID, "no bond of the range has bidders");
    }
    out->recall /= out->n_bonds;
    out->precision /= out->n_bonds;
    out->log_loss = br_log_loss((const double *)(const void *)p->probabilities.data, p->labels.data, out->n_pairs);
    return br_auc(&out->auc, (const float *)(const void *)p->scores.data, p->labels.data, out->n_pairs);
}

br_status oracle_read(oracle *out, const char *folder, br_market *market, br_day from, br_day until, uint32_t n_top)
{
    BR_AUTO_DEINIT(pairs) p = {.known = NULL};
    const uint32_t *bonds = NULL;
    const br_bid *bids = NULL;
    uint32_t n_bonds = 0;
    uint32_t n_bids = 0;
    *out = (oracle){.n_pairs = 0};
    br_status status = pairs_init(&p, folder, market, n_top);
    if (status == BR_OK) {
        status = br_market_bids(market, &bids, &n_bids); // puts them in order, which br_market_bidders() needs
    }
    if (status == BR_OK) {
        status = br_market_bonds_by_issue(market, &bonds, &n_bonds);
    }
    for (uint32_t i = 0; i < n_bonds && status == BR_OK; i++) {
        br_day issued = br_market_bond(market, bonds[i])->issue_day;
        if (issued >= from && issued < until) {
            status = add_bond(&p, out, market, bonds[i]);
        }
    }
    return status == BR_OK ? summarise(&p, out) : status;
}
