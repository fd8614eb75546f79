#include "rank/rank.h"

#include "base/alloc.h"

typedef struct room {
    float *bonds;  // [n_bonds, state]
    float *halves; // [BR_RANK_BLOCK, state]
    float *scratch;
} room;

static void score_block(float *logits_out, const br_collapsed *collapsed, const room *r, size_t n_bonds, size_t n,
                        size_t stride)
{
    size_t n_state = br_collapsed_state_floats(collapsed);
    for (size_t bond = 0; bond < n_bonds; bond++) {
        br_collapsed_logits(collapsed, r->bonds + bond * n_state, r->halves, n, logits_out + bond * stride, r->scratch);
    }
}

br_status br_rank_score(float *logits_out, const br_collapsed *collapsed, const uint8_t *bond_codes, size_t n_bonds,
                        const uint8_t *investor_codes, size_t n_investors)
{
    size_t n_state = br_collapsed_state_floats(collapsed);
    size_t block = n_investors < BR_RANK_BLOCK ? n_investors : BR_RANK_BLOCK;
    room r = {
        .bonds = br_calloc_aligned(n_bonds * n_state, sizeof(float)),
        .halves = br_calloc_aligned(block * n_state, sizeof(float)),
        .scratch = br_calloc_aligned(br_collapsed_scratch_floats(collapsed), sizeof(float)),
    };
    br_status status = BR_OK;
    if (r.bonds == NULL || r.halves == NULL || r.scratch == NULL) {
        status = br_no_memory("states to rank with", n_bonds + block);
    }
    for (size_t bond = 0; bond < n_bonds && status == BR_OK; bond++) {
        br_collapsed_bond(collapsed, bond_codes + bond * br_collapsed_n_bond_fields(collapsed),
                          r.bonds + bond * n_state);
    }
    for (size_t start = 0; start < n_investors && status == BR_OK; start += block) {
        size_t n = n_investors - start < block ? n_investors - start : block;
        const uint8_t *codes = investor_codes + start * br_collapsed_n_investor_fields(collapsed);
        status = br_collapsed_investors(collapsed, codes, n, r.halves);
        if (status == BR_OK) {
            score_block(logits_out + start, collapsed, &r, n_bonds, n, n_investors);
        }
    }
    br_free(r.bonds);
    br_free(r.halves);
    br_free(r.scratch);
    return status;
}
