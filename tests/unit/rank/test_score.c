// Goal: scores are the network's, whichever block an investor falls into. Method: more investors than a block, against the plain
// network.

#include "base/alloc.h"
#include "rank/rank.h"
#include "support/network.h"

#include <criterion/criterion.h>
#include <stdlib.h>

enum { N_BONDS = 3, N_INVESTORS = BR_RANK_BLOCK + 37, N_FIELDS = 9 };

static const br_test_shape SHAPE = {
    {.d = 4, .n_cross = 2, .rank = 8, .n_hidden = 2, .hidden = {24, 12}}, 4, N_FIELDS, 5, 1};

Test(rank_score, is_the_plain_network_for_every_pair)
{
    br_model *model = br_test_network(&SHAPE);
    br_collapsed *collapsed = NULL;
    static uint8_t codes[N_INVESTORS * N_FIELDS];
    static float logits[N_BONDS * N_INVESTORS];
    uint8_t bonds[N_BONDS * 4];
    br_test_bond_codes(model, 1, N_BONDS, bonds);
    br_test_investor_codes(model, 2, N_INVESTORS, codes);
    cr_assert_eq(br_collapsed_new(&collapsed, model), BR_OK);
    cr_assert_eq(br_rank_score(logits, collapsed, bonds, N_BONDS, codes, N_INVESTORS), BR_OK);
    for (size_t bond = 0; bond < N_BONDS; bond++) {
        for (size_t i = 0; i < N_INVESTORS; i++) {
            double expected = br_model_logit_plain(model, bonds + bond * 4, codes + i * N_FIELDS, NULL);
            cr_assert_float_eq((double)logits[bond * N_INVESTORS + i], expected, 1e-4);
        }
    }
    cr_assert_eq(br_rank_score(logits, collapsed, bonds, N_BONDS, codes, 0), BR_OK);
    size_t live = br_alloc_live(), n = 0;
    for (br_status status = BR_ERR_NO_MEMORY; status != BR_OK; n++) {
        br_alloc_fail_after(n);
        status = br_rank_score(logits, collapsed, bonds, N_BONDS, codes, N_INVESTORS);
        br_alloc_fail_after(SIZE_MAX);
        cr_assert(status == BR_OK || status == BR_ERR_NO_MEMORY);
        cr_assert_eq(br_alloc_live(), live);
    }
    cr_assert_gt(n, 6);
    br_collapsed_free(&collapsed);
    br_model_free(&model);
}
