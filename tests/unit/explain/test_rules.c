// Goal: fields are ordered by how many they may not stand beside, also very many with many pairs. Method: against a sort by definition.

#include "base/rng.h"
#include "explain/context.h"

#include <criterion/criterion.h>

enum { N = 2000, PAIRS = 60000 };

Test(explain_rules, the_easiest_fields_come_first)
{
    static uint32_t apart[2 * PAIRS];
    static bool met[N][N];
    uint32_t partners[N] = {0}, banned[] = {7, 1999};
    br_rng rng = br_rng_at(1, BR_STREAM_TEST, 6, 0);
    for (uint32_t i = 0; i < PAIRS; i++) {
        uint32_t a = br_rng_below(&rng, 1 + br_rng_below(&rng, N - 2)); // low fields more often
        uint32_t b = a + 1 + br_rng_below(&rng, N - 1 - a);
        apart[2 * i] = i % 2 == 0 ? a : b;
        apart[2 * i + 1] = i % 2 == 0 ? b : a;
        partners[a] += !met[a][b];
        partners[b] += !met[a][b];
        met[a][b] = true;
    }
    br_explain_options options = br_explain_options_default();
    options.apart = apart;
    options.n_apart = PAIRS;
    options.banned = banned;
    options.n_banned = 2;
    br_explain_rules rules = {.n = 0};
    cr_assert_eq(br_explain_rules_init(&rules, &options, N), BR_OK);
    cr_assert_eq(rules.n_open, N - 2);
    for (uint32_t i = 0; i < rules.n_open; i++) {
        uint32_t field = rules.easiest[i];
        cr_assert(field != 7 && field != 1999);
        uint32_t next = i + 1 < rules.n_open ? rules.easiest[i + 1] : UINT32_MAX;
        cr_assert(next == UINT32_MAX || partners[field] < partners[next] ||
                  (partners[field] == partners[next] && field < next));
    }
    br_explain_rules_deinit(&rules);
}
