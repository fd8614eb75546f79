#include "oracle.h"

#include "base/alloc.h"
#include "linalg/fixed.h"
#include "metrics/metrics.h"
#include "rank/rank.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATH_BYTES 1200

typedef struct truth_reader {
    FILE *utility;
    br_index *bonds;     ///< rows of the truth
    uint32_t *investors; ///< [n_columns] number in the market of each column
    uint32_t n_columns;
    float *row;       ///< [n_columns]
    float *utilities; ///< [n_investors] of one bond, by number in the market
    uint8_t *eligible;
    uint8_t *bids;
    uint32_t *top;
    uint32_t n_top;
    br_buf scores;        ///< float [pairs]
    br_buf labels;        ///< uint8_t [pairs]
    br_buf probabilities; ///< double [pairs]
} truth_reader;

static void truth_reader_deinit(truth_reader *r)
{
    if (r->utility != NULL) {
        fclose(r->utility);
    }
    br_index_free(&r->bonds);
    br_free(r->investors);
    br_free(r->row);
    br_free(r->utilities);
    br_free(r->eligible);
    br_free(r->bids);
    br_free(r->top);
    br_buf_deinit(&r->scores);
    br_buf_deinit(&r->labels);
    br_buf_deinit(&r->probabilities);
}

bool oracle_exists(const char *folder)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/truth/utility.f32", folder);
    return access(path, R_OK) == 0;
}

static br_status open_truth(FILE **out, const char *folder, const char *name)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/truth/%s", folder, name);
    *out = fopen(path, "re");
    return *out != NULL ? BR_OK : br_fail(BR_ERR_IO, "%s: %s", path, strerror(errno));
}

/// Ids of a truth file in their order, without its header.
static br_status read_ids(br_index **out, const char *folder, const char *name)
{
    FILE *file = NULL;
    char line[256];
    br_status status = open_truth(&file, folder, name);
    if (status != BR_OK) {
        return status;
    }
    status = br_index_new(out);
    bool header = true;
    while (status == BR_OK && fgets(line, sizeof line, file) != NULL) {
        uint32_t number = 0;
        size_t n = strcspn(line, "\r\n");
        if (!header && n > 0) {
            status = br_index_add(*out, line, n, &number, NULL);
        }
        header = false;
    }
    fclose(file);
    return status;
}

static br_status map_investors(truth_reader *r, const char *folder, const br_market *market)
{
    BR_AUTO(br_index) *ids = NULL;
    br_status status = read_ids(&ids, folder, "investors.csv");
    if (status != BR_OK) {
        return status;
    }
    r->n_columns = br_index_count(ids);
    r->investors = br_calloc(r->n_columns, sizeof *r->investors);
    r->row = br_calloc(r->n_columns, sizeof *r->row);
    if (r->investors == NULL || r->row == NULL) {
        return br_no_memory("investors of the truth", r->n_columns);
    }
    for (uint32_t i = 0; i < r->n_columns; i++) {
        r->investors[i] = br_market_find_investor(market, br_index_text(ids, i));
        if (r->investors[i] == BR_INDEX_NONE) {
            return br_fail(BR_ERR_INVALID, "%s/truth: investor %s is not in the market", folder, br_index_text(ids, i));
        }
    }
    return BR_OK;
}

static br_status truth_reader_init(truth_reader *r, const char *folder, const br_market *market, uint32_t n_top)
{
    uint32_t n = br_market_n_investors(market);
    r->n_top = n_top;
    r->utilities = br_calloc(n, sizeof *r->utilities);
    r->eligible = br_calloc(n, 1);
    r->bids = br_calloc(n, 1);
    r->top = br_calloc(n_top, sizeof *r->top);
    if (r->utilities == NULL || r->eligible == NULL || r->bids == NULL || r->top == NULL) {
        return br_no_memory("investors", n);
    }
    br_status status = open_truth(&r->utility, folder, "utility.f32");
    if (status == BR_OK) {
        status = read_ids(&r->bonds, folder, "bonds.csv");
    }
    return status == BR_OK ? map_investors(r, folder, market) : status;
}

static br_status read_utilities(truth_reader *r, const br_market *market, uint32_t bond)
{
    const char *id = br_market_bond_id(market, bond);
    uint32_t row = br_index_find(r->bonds, id, strlen(id));
    if (row == BR_INDEX_NONE) {
        return br_fail(BR_ERR_INVALID, "bond %s has no truth", id);
    }
    long offset = (long)row * (long)r->n_columns * (long)sizeof(float);
    if (fseek(r->utility, offset, SEEK_SET) != 0 ||
        fread(r->row, sizeof(float), r->n_columns, r->utility) != r->n_columns) {
        return br_fail(BR_ERR_IO, "the truth ends before bond %s", id);
    }
    for (uint32_t i = 0; i < r->n_columns; i++) {
        r->utilities[r->investors[i]] = r->row[i];
    }
    return BR_OK;
}

static br_status add_bond(truth_reader *r, oracle *out, br_market *market, uint32_t bond)
{
    const uint32_t *id_order = NULL;
    uint32_t n = br_market_n_investors(market);
    br_status status = br_market_investor_order(market, &id_order);
    if (status == BR_OK) {
        status = read_utilities(r, market, bond);
    }
    if (status != BR_OK) {
        return status;
    }
    br_market_eligible(market, bond, br_market_bond(market, bond)->issue_day, r->eligible);
    memset(r->bids, 0, n);
    br_market_bidders(market, bond, r->bids);
    uint32_t bidders = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (r->eligible[i] != 0) {
            double probability = br_fixed_sigmoid((double)r->utilities[i]);
            br_buf_append(&r->scores, &r->utilities[i], sizeof r->utilities[i]);
            br_buf_append(&r->labels, &r->bids[i], 1);
            br_buf_append(&r->probabilities, &probability, sizeof probability);
            bidders += r->bids[i];
            out->n_pairs++;
        }
    }
    if (bidders == 0) {
        return BR_OK;
    }
    uint32_t n_listed = br_rank_top(r->utilities, r->eligible, id_order, n, r->n_top, r->top);
    uint32_t hits = 0;
    for (uint32_t i = 0; i < n_listed; i++) {
        hits += r->bids[r->top[i]];
    }
    br_list_quality quality = br_list_quality_of(hits, bidders, r->n_top);
    out->recall += quality.recall;
    out->precision += quality.precision;
    out->n_bonds++;
    return BR_OK;
}

static br_status summarise(truth_reader *r, oracle *out)
{
    if (r->scores.failed || r->labels.failed || r->probabilities.failed) {
        return br_no_memory("pairs", out->n_pairs);
    }
    if (out->n_bonds == 0) {
        return br_fail(BR_ERR_INVALID, "no bond of the range has bidders");
    }
    out->recall /= out->n_bonds;
    out->precision /= out->n_bonds;
    out->log_loss = br_log_loss((const double *)(const void *)r->probabilities.data, r->labels.data, out->n_pairs);
    return br_auc(&out->auc, (const float *)(const void *)r->scores.data, r->labels.data, out->n_pairs);
}

br_status oracle_read(oracle *out, const char *folder, br_market *market, br_day from, br_day until, uint32_t n_top)
{
    BR_AUTO_DEINIT(truth_reader) r = {.utility = NULL};
    const uint32_t *bonds = NULL;
    const br_bid *bids = NULL;
    uint32_t n_bonds = 0;
    uint32_t n_bids = 0;
    *out = (oracle){.n_pairs = 0};
    br_status status = truth_reader_init(&r, folder, market, n_top);
    if (status == BR_OK) {
        status = br_market_bids(market, &bids, &n_bids); // puts them in order, which br_market_bidders() needs
    }
    if (status == BR_OK) {
        status = br_market_bonds_by_issue(market, &bonds, &n_bonds);
    }
    for (uint32_t i = 0; i < n_bonds && status == BR_OK; i++) {
        br_day issued = br_market_bond(market, bonds[i])->issue_day;
        if (issued >= from && issued < until) {
            status = add_bond(&r, out, market, bonds[i]);
        }
    }
    return status == BR_OK ? summarise(&r, out) : status;
}
