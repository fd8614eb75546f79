// Goal: a job begins with what the job before it selected, or with nothing where there is nothing whole. Method: made-up encoders, and a store with two
// lists of a bond.

#include "pipeline/earlier.h"

#include "base/hash.h"
#include "support/temp.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#define TEXT(text) ((char[]){text})

enum { N = 3, K = 2 };

static br_field then_fields[] = {
    {.name = TEXT("rating")}, {.name = TEXT("a")}, {.name = TEXT("b")}, {.name = TEXT("c")}};
static br_field now_fields[] = {
    {.name = TEXT("a")}, {.name = TEXT("c")}, {.name = TEXT("rating")}, {.name = TEXT("a")}};

Test(pipeline_earlier, a_field_is_the_same_if_its_name_is)
{
    const br_encoder then = {.fields = then_fields, .n_fields = 4, .n_bond_fields = 1};
    const br_encoder now = {.fields = now_fields, .n_fields = 4, .n_bond_fields = 1};
    uint32_t to[3];
    br_earlier_translate(&then, &now, to); // a, b, c to c, rating, a
    cr_expect_eq(to[0], 2u);
    cr_expect_eq(to[1], BR_FIELD_GONE);
    cr_expect_eq(to[2], 0u);
    br_earlier_translate(&then, &then, to);
    cr_expect(to[0] == 0 && to[1] == 1 && to[2] == 2);
}

static br_arena *arena;
static char *directory;
static br_recommendations *store;

static void set_up(void)
{
    cr_assert_eq(br_hash_init(), BR_OK);
    directory = br_temp_new();
    cr_assert_eq(br_arena_new(&arena, BR_UNPACK_BYTES), BR_OK);
    cr_assert_eq(br_recommendations_open_writer(&store, directory), BR_OK);
}

static void tear_down(void)
{
    br_recommendations_free(&store);
    br_arena_free(&arena);
    br_temp_remove(&directory);
}

Test(pipeline_earlier, only_whole_sets_are_begun_with, .init = set_up, .fini = tear_down)
{
    uint32_t fields[] = {1, 0, 2, BR_FIELD_GONE, BR_NO_FIELD, BR_NO_FIELD, 3, 3, 0, 4};
    const br_earlier earlier = {.fields = fields, .n = 5, .n_reasons = K};
    const uint32_t expected[] = {1,           0,           BR_NO_FIELD, BR_NO_FIELD, BR_NO_FIELD,
                                 BR_NO_FIELD, BR_NO_FIELD, BR_NO_FIELD, 0,           4};
    const uint32_t *start = NULL;
    cr_assert_eq(br_earlier_start(&start, arena, &earlier), BR_OK);
    cr_assert_not_null(start);
    cr_expect_arr_eq(start, expected, sizeof expected);
    const br_earlier no_set = {.fields = fields + K, .n = 3, .n_reasons = K};
    cr_assert_eq(br_earlier_start(&start, arena, &no_set), BR_OK);
    cr_expect_null(start);
    cr_assert_eq(br_earlier_start(&start, arena, &(br_earlier){.n = 0}), BR_OK);
    cr_expect_null(start);
}

Test(pipeline_earlier, what_stayed_is_counted_over_those_who_had_reasons)
{
    uint32_t fields[] = {1, 0, 2, BR_FIELD_GONE, BR_NO_FIELD, BR_NO_FIELD};
    const br_earlier earlier = {.fields = fields, .n = N, .n_reasons = K};
    br_explanation explanations[N];
    for (uint32_t i = 0; i < N; i++) {
        explanations[i] = (br_explanation){.n_reasons = K, .reasons = {{.field = 0}, {.field = i == 0 ? 1 : 2}}};
    }
    const br_result result = {.explanations = explanations, .n_explanations = N};
    uint32_t n = 0;
    cr_expect_eq(br_earlier_n_kept(&earlier, &explanations[0], 0), 2u);
    cr_expect_eq(br_earlier_n_kept(&earlier, &explanations[1], 1), 1u);
    cr_expect_eq(br_earlier_n_kept(&earlier, &explanations[2], 2), BR_NO_FIELD);
    cr_expect_eq(br_earlier_n_kept(&earlier, &explanations[2], N), BR_NO_FIELD);
    cr_expect_float_eq(br_earlier_stability(&earlier, &result, &n), 0.5 * (1.0 + 1.0 / 3.0), 1e-12);
    cr_expect_eq(n, 2u);
    explanations[0].n_reasons = K - 1; // of another number
    cr_expect_eq(br_earlier_n_kept(&earlier, &explanations[0], 0), BR_NO_FIELD);
    cr_expect(isnan(br_earlier_stability(&(br_earlier){.n = 0}, &result, &n)) && n == 0);
}

typedef struct made_list {
    br_list list;
    br_job_body job;
    br_list_entry entries[N];
    uint32_t investors[N];
    float scores[10];
    uint8_t eligible[10];
    uint8_t code;
} made_list;

static const char version[] = "00112233445566778899aabbccddeeff";

// Investors `first` to first + 2, K reasons each.
static void put(made_list *made, br_day as_of, uint32_t first, bool backtest)
{
    *made = (made_list){.code = 1};
    for (uint32_t i = 0; i < N; i++) {
        made->investors[i] = first + i;
        made->entries[i] = (br_list_entry){.investor_id = "I", .investor = first + i, .probability = 0.5};
    }
    made->job = (br_job_body){.version = version,
                              .as_of = as_of,
                              .bond_codes = {&made->code, 1},
                              .scores = made->scores,
                              .eligible = made->eligible,
                              .n_population = 10,
                              .investors = made->investors,
                              .n_investors = N,
                              .objective = BR_OBJECTIVE_BACKED,
                              .n_reasons = K,
                              .engine = BR_ENGINE_VERSION};
    made->list = (br_list){.bond_id = "B1",
                           .as_of = as_of,
                           .version = version,
                           .entries = made->entries,
                           .n_entries = N,
                           .has_job = true,
                           .n_eligible = N,
                           .backtest = backtest};
    bool todo = false;
    cr_assert_eq(br_job_id(&made->list.job_id, &made->job), BR_OK);
    cr_assert_eq(br_recommendations_begin(store), BR_OK);
    cr_assert_eq(br_recommendations_put_list(store, &made->list, &made->job, &todo), BR_OK);
    cr_assert_eq(br_recommendations_commit(store), BR_OK);
    cr_assert(todo);
}

// Investor i has the reasons i and i + 1.
static void finish(const made_list *made)
{
    br_explanation explanations[N];
    for (uint32_t i = 0; i < N; i++) {
        uint32_t investor = made->investors[i];
        explanations[i] = (br_explanation){.investor = investor,
                                           .n_reasons = K,
                                           .reasons = {{.field = investor}, {.field = investor + 1}},
                                           .against = {.field = UINT32_MAX}};
    }
    bool first = false;
    const br_result result = {
        .job_id = made->list.job_id, .explanations = explanations, .n_explanations = N, .failure = ""};
    cr_assert_eq(br_recommendations_begin(store), BR_OK);
    cr_assert_eq(br_recommendations_put_result(store, &result, &first), BR_OK);
    cr_assert_eq(br_recommendations_commit(store), BR_OK);
    cr_assert(first);
}

Test(pipeline_earlier, the_one_before_is_the_last_live_list_of_an_earlier_day, .init = set_up, .fini = tear_down)
{
    static made_list early, late, backtest, same_day;
    br_hash found;
    bool is_there = true;
    cr_assert_eq(br_earlier_job(store, arena, "B1", 100, &found, &is_there), BR_OK);
    cr_expect_not(is_there);
    put(&early, 100, 0, false);
    put(&late, 102, 0, false);
    put(&backtest, 103, 0, true);
    put(&same_day, 104, 1, false);
    cr_assert_eq(br_earlier_job(store, arena, "B1", 100, &found, &is_there), BR_OK);
    cr_expect_not(is_there);
    cr_assert_eq(br_earlier_job(store, arena, "B1", 102, &found, &is_there), BR_OK);
    cr_expect(is_there && br_hash_equal(&found, &early.list.job_id));
    cr_assert_eq(br_earlier_job(store, arena, "B1", 104, &found, &is_there), BR_OK);
    cr_expect(is_there && br_hash_equal(&found, &late.list.job_id));
}

Test(pipeline_earlier, a_job_waits_for_the_one_before_but_not_for_a_dead_one, .init = set_up, .fini = tear_down)
{
    static made_list before, dead, after;
    br_earlier_reader reader = {.store = store, .models = directory};
    br_earlier earlier;
    put(&before, 100, 0, false);
    put(&dead, 101, 0, false);
    put(&after, 102, 1, false);
    const br_hash *job = &before.list.job_id;
    cr_assert_eq(br_earlier_read(&earlier, &reader, arena, &after.job, job), BR_ERR_AGAIN);
    finish(&before);
    cr_assert_eq(br_earlier_read(&earlier, &reader, arena, &after.job, job), BR_OK);
    const uint32_t expected[N * K] = {1, 2, 2, 3, BR_NO_FIELD, BR_NO_FIELD};
    cr_expect(earlier.n == N && earlier.n_reasons == K && earlier.as_of == 100);
    cr_expect_arr_eq(earlier.fields, expected, sizeof expected);
    after.job.n_reasons = K + 1;
    cr_assert_eq(br_earlier_read(&earlier, &reader, arena, &after.job, job), BR_OK);
    cr_expect_eq(earlier.n, 0u, "another number of reasons");
    after.job.n_reasons = K;
    const br_dead_job letter = {dead.list.job_id, "it hung", 5};
    cr_assert_eq(br_recommendations_begin(store), BR_OK);
    cr_assert_eq(br_recommendations_put_dead(store, &letter), BR_OK);
    cr_assert_eq(br_recommendations_commit(store), BR_OK);
    cr_assert_eq(br_earlier_read(&earlier, &reader, arena, &after.job, &dead.list.job_id), BR_OK);
    cr_expect_eq(earlier.n, 0u, "it is dead");
    after.job.version = "ffeeddccbbaa99887766554433221100"; // a snapshot that is not there
    cr_expect_eq(br_earlier_read(&earlier, &reader, arena, &after.job, job), BR_ERR_NOT_FOUND);
    cr_expect_eq(earlier.n, 0u);
    cr_assert_eq(br_earlier_read(&earlier, &reader, arena, &after.job, NULL), BR_OK);
    cr_expect_eq(earlier.n, 0u);
    br_earlier_reader_deinit(&reader);
}

Test(pipeline_earlier, a_list_is_compared_with_the_one_before_once_that_is_done, .init = set_up, .fini = tear_down)
{
    static made_list before, after, backtest;
    br_earlier_reader reader = {.store = store, .models = directory};
    br_earlier earlier;
    put(&before, 100, 0, false);
    put(&after, 102, 1, false);
    put(&backtest, 103, 0, true);
    cr_assert_eq(br_earlier_of_list(&earlier, &reader, arena, &before.list, &before.job), BR_OK);
    cr_expect(earlier.n == 0 && !earlier.awaited, "nothing is before it");
    cr_assert_eq(br_earlier_of_list(&earlier, &reader, arena, &after.list, &after.job), BR_OK);
    cr_expect(earlier.n == 0 && earlier.awaited, "it is to do");
    finish(&before);
    cr_assert_eq(br_earlier_of_list(&earlier, &reader, arena, &after.list, &after.job), BR_OK);
    cr_expect(earlier.n == N && earlier.as_of == 100 && !earlier.awaited);
    cr_assert_eq(br_earlier_of_list(&earlier, &reader, arena, &backtest.list, &backtest.job), BR_OK);
    cr_expect(earlier.n == 0 && !earlier.awaited, "nobody saw what was before it");
    after.job.version = "ffeeddccbbaa99887766554433221100"; // a snapshot that is not there
    cr_assert_eq(br_earlier_of_list(&earlier, &reader, arena, &after.list, &after.job), BR_OK);
    cr_expect_eq(earlier.n, 0u);
    br_earlier_reader_deinit(&reader);
}
