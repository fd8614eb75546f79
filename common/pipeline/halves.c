#include "pipeline/halves.h"

#include "base/alloc.h"

struct br_halves {
    const br_collapsed *collapsed;
    uint32_t n;
    uint32_t n_block;
    bool kept;         // the halves are those of all investors
    float *bond_state; // a bond's half of a collapsed state
    float *scratch;
    float *halves; // [n_block, state_floats]
};

br_status br_halves_new(br_halves **out, const br_collapsed *collapsed, uint32_t n, size_t max_bytes)
{
    BR_AUTO(br_halves) *it = br_calloc(1, sizeof *it);
    if (it == NULL) {
        return br_no_memory("investors' halves", n);
    }
    size_t half_bytes = br_collapsed_state_floats(collapsed) * sizeof(float);
    size_t most = max_bytes / half_bytes > 0 ? max_bytes / half_bytes : 1;
    it->collapsed = collapsed;
    it->n = n;
    it->n_block = n < most ? n : (uint32_t)most;
    it->bond_state = br_calloc_aligned(br_collapsed_state_floats(collapsed), sizeof(float));
    it->scratch = br_calloc_aligned(br_collapsed_scratch_floats(collapsed), sizeof(float));
    it->halves = br_calloc_aligned(it->n_block, half_bytes);
    if (it->bond_state == NULL || it->scratch == NULL || it->halves == NULL) {
        return br_no_memory("investors' halves", n);
    }
    *out = it;
    it = NULL;
    return BR_OK;
}

void br_halves_free(br_halves **halves)
{
    if (halves == NULL || *halves == NULL) {
        return;
    }
    br_free((*halves)->bond_state);
    br_free((*halves)->scratch);
    br_free((*halves)->halves);
    br_free(*halves);
    *halves = NULL;
}

void br_halves_forget(br_halves *halves)
{
    halves->kept = false;
}

br_status br_halves_score(br_halves *halves, const uint8_t *codes, const uint8_t *bond_codes, float *logits_out)
{
    const br_collapsed *collapsed = halves->collapsed;
    uint32_t n_fields = br_collapsed_n_investor_fields(collapsed);
    br_collapsed_bond(collapsed, bond_codes, halves->bond_state);
    for (uint32_t first = 0; first < halves->n; first += halves->n_block) {
        uint32_t n = halves->n - first < halves->n_block ? halves->n - first : halves->n_block;
        if (!halves->kept) {
            br_status status = br_collapsed_investors(collapsed, codes + (size_t)first * n_fields, n, halves->halves);
            if (status != BR_OK) {
                return status;
            }
        }
        br_collapsed_logits(collapsed, halves->bond_state, halves->halves, n, logits_out + first, halves->scratch);
    }
    halves->kept = halves->n_block == halves->n;
    return BR_OK;
}
