#include "truth.h"

#include "base/alloc.h"
#include "base/index.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATH_BYTES 1200
#define LINE_BYTES 256

/// A file of one number per pair: [bonds, investors], little endian.
typedef struct pair_file {
    FILE *file;
    const char *name;
    size_t item_bytes;
    void *row; ///< [n_investors] of one bond
} pair_file;

struct truth {
    br_index *bonds;     ///< rows
    uint32_t *investors; ///< [n_investors] number in the market of each column
    uint32_t n_investors;
    pair_file utility;
    pair_file causal;
};

static void pair_file_close(pair_file *pairs)
{
    if (pairs->file != NULL) {
        fclose(pairs->file);
    }
    br_free(pairs->row);
}

void truth_free(truth **known)
{
    if (*known != NULL) {
        pair_file_close(&(*known)->utility);
        pair_file_close(&(*known)->causal);
        br_index_free(&(*known)->bonds);
        br_free((*known)->investors);
        br_free(*known);
        *known = NULL;
    }
}

bool truth_exists(const char *folder)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/truth/utility.f32", folder);
    return access(path, R_OK) == 0;
}

static br_status open_file(FILE **out, const char *folder, const char *name)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/truth/%s", folder, name);
    *out = fopen(path, "re");
    return *out != NULL ? BR_OK : br_fail(BR_ERR_IO, "%s: %s", path, strerror(errno));
}

/// Ids of a file in their order, without its header.
static br_status read_ids(br_index **out, const char *folder, const char *name)
{
    FILE *file = NULL;
    char line[LINE_BYTES];
    br_status status = open_file(&file, folder, name);
    if (status != BR_OK) {
        return status;
    }
    status = br_index_new(out);
    bool header = true;
    while (status == BR_OK && fgets(line, sizeof line, file) != NULL) {
        uint32_t number = 0;
        bool added = true;
        size_t n = strcspn(line, "\r\n");
        if (!header && n > 0) {
            status = br_index_add(*out, line, n, &number, &added);
        }
        if (status == BR_OK && !added) {
            status = br_fail(BR_ERR_INVALID, "%s/truth/%s names %.*s twice", folder, name, (int)n, line);
        }
        header = false;
    }
    fclose(file);
    return status;
}

static br_status map_investors(truth *known, const char *folder, const br_market *market)
{
    BR_AUTO(br_index) *ids = NULL;
    br_status status = read_ids(&ids, folder, "investors.csv");
    if (status != BR_OK) {
        return status;
    }
    known->n_investors = br_index_count(ids);
    if (known->n_investors != br_market_n_investors(market)) {
        return br_fail(BR_ERR_INVALID, "%s/truth speaks of %u investors, the market has %u", folder, known->n_investors,
                       br_market_n_investors(market));
    }
    known->investors = br_calloc(known->n_investors, sizeof *known->investors);
    if (known->investors == NULL) {
        return br_no_memory("investors of the truth", known->n_investors);
    }
    for (uint32_t i = 0; i < known->n_investors; i++) {
        known->investors[i] = br_market_find_investor(market, br_index_text(ids, i));
        if (known->investors[i] == BR_INDEX_NONE) {
            return br_fail(BR_ERR_INVALID, "%s/truth: investor %s is not in the market", folder, br_index_text(ids, i));
        }
    }
    return BR_OK;
}

static br_status open_pairs(pair_file *out, const truth *known, const char *folder, const char *name, size_t item_bytes)
{
    *out = (pair_file){.name = name, .item_bytes = item_bytes};
    br_status status = open_file(&out->file, folder, name);
    if (status != BR_OK) {
        return status;
    }
    out->row = br_calloc(known->n_investors, item_bytes);
    if (out->row == NULL) {
        return br_no_memory("investors of the truth", known->n_investors);
    }
    off_t expected = (off_t)br_index_count(known->bonds) * (off_t)known->n_investors * (off_t)item_bytes;
    if (fseeko(out->file, 0, SEEK_END) != 0 || ftello(out->file) != expected) {
        return br_fail(BR_ERR_INVALID, "%s/truth/%s has not the %lld bytes of %u bonds and %u investors", folder, name,
                       (long long)expected, br_index_count(known->bonds), known->n_investors);
    }
    return BR_OK;
}

br_status truth_open(truth **out, const char *folder, const br_market *market)
{
    BR_AUTO(truth) *known = br_calloc(1, sizeof *known);
    if (known == NULL) {
        return br_no_memory("truth", 1);
    }
    br_status status = read_ids(&known->bonds, folder, "bonds.csv");
    if (status == BR_OK) {
        status = map_investors(known, folder, market);
    }
    if (status == BR_OK) {
        status = open_pairs(&known->utility, known, folder, "utility.f32", sizeof(float));
    }
    if (status == BR_OK) {
        status = open_pairs(&known->causal, known, folder, "causal.u16", sizeof(uint16_t));
    }
    if (status == BR_OK) {
        *out = known;
        known = NULL;
    }
    return status;
}

static br_status read_row(const pair_file *pairs, const truth *known, uint32_t row)
{
    off_t offset = (off_t)row * (off_t)known->n_investors * (off_t)pairs->item_bytes;
    bool good = fseeko(pairs->file, offset, SEEK_SET) == 0 &&
                fread(pairs->row, pairs->item_bytes, known->n_investors, pairs->file) == known->n_investors;
    return good ? BR_OK : br_fail(BR_ERR_IO, "truth/%s cannot be read at bond %u", pairs->name, row);
}

br_status truth_read(truth *known, const br_market *market, uint32_t bond, float *utilities, uint16_t *causal)
{
    const char *id = br_market_bond_id(market, bond);
    uint32_t row = br_index_find(known->bonds, id, strlen(id));
    if (row == BR_INDEX_NONE) {
        return br_fail(BR_ERR_INVALID, "bond %s has no truth", id);
    }
    br_status status = read_row(&known->utility, known, row);
    if (status == BR_OK && causal != NULL) {
        status = read_row(&known->causal, known, row);
    }
    for (uint32_t i = 0; i < known->n_investors && status == BR_OK; i++) {
        float utility = ((const float *)known->utility.row)[i];
        if (!isfinite(utility)) {
            return br_fail(BR_ERR_INVALID, "the truth of bond %s is not a number", id);
        }
        utilities[known->investors[i]] = utility;
        if (causal != NULL) {
            causal[known->investors[i]] = ((const uint16_t *)known->causal.row)[i];
        }
    }
    return status;
}
