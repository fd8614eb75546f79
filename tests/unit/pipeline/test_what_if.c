// Goal: a stored job can be asked about other investors and another bond. Method: places against a sorted list, values against the
// encoder, and the unchanged bond against the job itself, byte by byte; kept halves against blocks of one investor.

#include "base/alloc.h"
#include "pipeline/what_if.h"
#include "rank/rank.h"
#include "support/bond.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { N = 80, N_TOP = 20 };

typedef struct stage {
    br_test_bond test;
    br_snapshot snapshot;
    br_served served;
    br_job_body body;
    float scores[N];
    uint32_t top[N_TOP];
    char names[N][8];
    const char *ids[N];
    uint32_t order[N];
    br_asked asked;
} stage;

static void set_up(stage *s, size_t max_bytes)
{
    br_test_shape shape = br_test_shape_compact();
    br_test_bond_init(&s->test, &shape, N, 40);
    s->snapshot = (br_snapshot){.model = s->test.model, .encoder = &s->test.encoder, .calibration = {.slope = 1.0}};
    s->served = (br_served){.version = "v1", .snapshot = &s->snapshot, .collapsed = s->test.collapsed};
    for (uint32_t i = 0; i < N; i++) {
        snprintf(s->names[i], sizeof s->names[i], "I%02u", N - i);
        s->ids[i] = s->names[i];
        s->order[i] = N - 1 - i;
    }
    s->body = (br_job_body){.version = "v1",
                            .bond_codes = {s->test.bond_codes, s->test.encoder.n_bond_fields},
                            .scores = s->scores,
                            .eligible = s->test.eligible,
                            .n_population = N,
                            .investors = s->top,
                            .n_reasons = 6};
    s->asked =
        (br_asked){.served = &s->served, .body = &s->body, .codes = s->test.codes, .ids = s->ids, .id_order = s->order};
    cr_assert_eq(br_halves_new(&s->asked.halves, s->test.collapsed, N, max_bytes), BR_OK);
    cr_assert_eq(br_halves_score(s->asked.halves, s->test.codes, s->test.bond_codes, s->scores), BR_OK);
    s->body.n_investors = br_rank_top(s->scores, s->test.eligible, s->order, N, N_TOP, s->top);
}

static void tear_down(stage *s)
{
    br_halves_free(&s->asked.halves);
    br_test_bond_deinit(&s->test);
}

Test(pipeline_what_if, places_are_those_of_the_list)
{
    static stage s;
    set_up(&s, BR_HALVES_MAX_BYTES);
    for (uint32_t i = 0; i < N_TOP; i++) {
        cr_expect_eq(br_asked_place(&s.asked, s.top[i]), i + 1);
        br_job_body alone = br_asked_for(&s.asked, &s.top[i]);
        cr_expect(alone.n_investors == 1 && alone.investors[0] == s.top[i] && alone.scores == s.scores);
    }
    uint32_t last = 0, n_eligible = 0;
    for (uint32_t i = 0; i < N; i++) {
        n_eligible += s.test.eligible[i];
        uint32_t place = br_asked_place(&s.asked, i);
        last = s.test.eligible[i] && place > last ? place : last;
    }
    cr_expect_eq(last, n_eligible);
    s.scores[s.top[0]] = s.scores[s.top[1]] = 100.0f; // ties go to the lower id
    uint32_t lower = s.order[s.top[0]] < s.order[s.top[1]] ? s.top[0] : s.top[1];
    cr_expect_eq(br_asked_place(&s.asked, lower), 1);
    tear_down(&s);
}

Test(pipeline_what_if, the_same_bond_has_the_same_list_kept_or_in_blocks)
{
    for (int round = 0; round < 2; round++) {
        static stage s;
        static float kept[N];
        set_up(&s, round == 0 ? BR_HALVES_MAX_BYTES : 1);
        if (round == 0) {
            memcpy(kept, s.scores, sizeof kept);
        }
        cr_assert_arr_eq(s.scores, kept, sizeof kept, "one investor at a time gives the same bytes");
        BR_AUTO(br_arena) *arena = NULL;
        cr_assert_eq(br_arena_new(&arena, 1u << 20), BR_OK);
        br_list list;
        br_job_body body;
        for (int again = 0; again < 2; again++) {
            cr_assert_eq(br_what_if(&list, &body, arena, &s.asked, s.test.bond_codes, N_TOP), BR_OK);
            cr_assert_eq(body.n_investors, N_TOP);
            cr_expect_arr_eq(body.scores, s.scores, sizeof s.scores);
            cr_expect_arr_eq(body.investors, s.top, sizeof s.top);
        }
        cr_expect_str_eq(list.entries[3].investor_id, s.ids[s.top[3]]);
        cr_expect_eq(list.entries[3].probability, br_asked_probability(&s.asked, s.top[3]));
        uint8_t other[64];
        memcpy(other, s.test.bond_codes, s.test.encoder.n_bond_fields);
        other[0] = other[0] == 0 ? 1 : 0;
        cr_assert_eq(br_what_if(&list, &body, arena, &s.asked, other, 5), BR_OK);
        cr_expect_eq(list.n_entries, 5);
        cr_expect_neq(memcmp(body.scores, s.scores, sizeof s.scores), 0, "another bond has other scores");
        cr_expect_eq(body.bond_codes.data[0], other[0]);
        tear_down(&s);
    }
}

// Fields own their texts, so that they are no literals.
#define TEXT(text) ((char[]){text})

static char *ratings[] = {TEXT("(missing)"), TEXT("AAA"), TEXT("AA"), TEXT("other")};
static char *others[] = {TEXT("BB"), TEXT("C")};
static char *coupons[] = {TEXT("(missing)"), TEXT("up to 2"), TEXT("above 2")};
static double cuts[] = {2.0};
static br_field fields[] = {
    {.name = TEXT("rating"),
     .kind = BR_KIND_ORDINAL,
     .n_values = 4,
     .value_names = ratings,
     .others = others,
     .n_others = 2},
    {.name = TEXT("coupon"),
     .kind = BR_KIND_CONTINUOUS,
     .n_values = 3,
     .value_names = coupons,
     .cuts = cuts,
     .n_cuts = 1},
    {.name = TEXT("org"), .n_values = 1, .value_names = ratings},
};
const br_encoder encoder = {.fields = fields, .n_fields = 3, .n_bond_fields = 2};

Test(pipeline_what_if, values_become_codes_and_unknown_ones_are_refused)
{
    static const struct {
        br_bond_value value;
        br_status status;
        uint32_t field;
        uint8_t code;
    } cases[] = {
        {{"rating", BR_VALUE_TEXT, "AA", 0}, BR_OK, 0, 2},
        {{"rating", BR_VALUE_TEXT, "C", 0}, BR_OK, 0, 3},
        {{"rating", BR_VALUE_MISSING, NULL, 0}, BR_OK, 0, 0},
        {{"coupon", BR_VALUE_NUMBER, NULL, 2.0}, BR_OK, 1, 1},
        {{"coupon", BR_VALUE_NUMBER, NULL, 1e300}, BR_OK, 1, 2},
        {{"rating", BR_VALUE_TEXT, "D", 0}, BR_ERR_INVALID, 0, 0},
        {{"rating", BR_VALUE_TEXT, "(missing)", 0}, BR_ERR_INVALID, 0, 0},
        {{"rating", BR_VALUE_TEXT, "other", 0}, BR_ERR_INVALID, 0, 0},
        {{"rating", BR_VALUE_NUMBER, NULL, 1.0}, BR_ERR_INVALID, 0, 0},
        {{"coupon", BR_VALUE_TEXT, "3", 0}, BR_ERR_INVALID, 0, 0},
        {{"coupon", BR_VALUE_NUMBER, NULL, (double)NAN}, BR_ERR_INVALID, 0, 0},
        {{"org", BR_VALUE_TEXT, "AAA", 0}, BR_ERR_INVALID, 0, 0},
        {{"", BR_VALUE_MISSING, NULL, 0}, BR_ERR_INVALID, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t field = 9;
        uint8_t code = 9;
        cr_expect_eq(br_bond_value_code(&encoder, &cases[i].value, &field, &code), cases[i].status, "case %zu", i);
        cr_expect(cases[i].status != BR_OK || (field == cases[i].field && code == cases[i].code), "case %zu", i);
    }
}
