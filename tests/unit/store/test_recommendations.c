// Lists and jobs: the store is the queue, so what counts is that each change is whole, done once, and still there after a restart.

#include "store/recommendations.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "support/temp.h"
#include "unit/store/made.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

enum { POPULATION = 40, FIELDS = 7, LISTED = 5, REASONS = 3 };

static char *directory;
static char *path;
static br_arena *arena;

static void set_up(void)
{
    cr_assert_eq(br_hash_init(), BR_OK);
    directory = br_temp_new();
    path = br_temp_path(directory, "recommendations");
    cr_assert_eq(br_arena_new(&arena, BR_UNPACK_BYTES), BR_OK);
}

static void tear_down(void)
{
    br_arena_free(&arena);
    br_temp_remove(&directory);
}

TestSuite(store_recommendations, .init = set_up, .fini = tear_down, .timeout = 60);

static const char version[] = "00112233445566778899aabbccddeeff";

// A list with its job, all of it a function of bond, day and seed.
typedef struct made_list {
    br_list list;
    br_job_body job;
    br_list_entry entries[LISTED];
    char ids[LISTED][16];
    float scores[POPULATION];
    uint8_t eligible[POPULATION];
    uint32_t investors[LISTED];
    uint8_t codes[4];
} made_list;

static void make_list(made_list *made, const char *bond_id, br_day as_of, uint32_t seed)
{
    *made = (made_list){0};
    for (uint32_t i = 0; i < POPULATION; i++) {
        made->scores[i] = (float)(i * 7 + seed) / 16.0f;
        made->eligible[i] = i % 3 != 0;
    }
    for (uint32_t i = 0; i < LISTED; i++) {
        snprintf(made->ids[i], sizeof made->ids[i], "inv-%u", i + seed);
        made->investors[i] = 3 * i + 1;
        made->entries[i] = (br_list_entry){made->ids[i], 3 * i + 1, made->scores[3 * i + 1], 0.25};
    }
    made->job = (br_job_body){.version = version,
                              .as_of = as_of,
                              .bond_codes = {made->codes, sizeof made->codes},
                              .population = br_hash_of("codes", 5),
                              .scores = made->scores,
                              .eligible = made->eligible,
                              .n_population = POPULATION,
                              .investors = made->investors,
                              .n_investors = LISTED,
                              .objective = BR_OBJECTIVE_BACKED,
                              .n_reasons = REASONS,
                              .engine = BR_ENGINE_VERSION};
    made->list = (br_list){.bond_id = bond_id,
                           .as_of = as_of,
                           .version = version,
                           .ledger_head = 17,
                           .entries = made->entries,
                           .n_entries = LISTED,
                           .has_job = true,
                           .n_eligible = 26,
                           .population = made->job.population};
    cr_assert_eq(br_job_id(&made->list.job_id, &made->job), BR_OK);
}

static br_recommendations *writer(void)
{
    br_recommendations *store = NULL;
    br_status status = br_recommendations_open_writer(&store, path);
    cr_assert_eq(status, BR_OK, "%s", br_why(status));
    return store;
}

static void begin(br_recommendations *store)
{
    br_status status = br_recommendations_begin(store);
    cr_assert_eq(status, BR_OK, "%s", br_why(status));
}

static void commit(br_recommendations *store)
{
    br_status status = br_recommendations_commit(store);
    cr_assert_eq(status, BR_OK, "%s", br_why(status));
}

// Put in a batch of its own; was a to-do entry made?
static bool put(br_recommendations *store, const made_list *made)
{
    bool todo = false;
    begin(store);
    br_status status = br_recommendations_put_list(store, &made->list, made->list.has_job ? &made->job : NULL, &todo);
    cr_assert_eq(status, BR_OK, "%s", br_why(status));
    commit(store);
    return todo;
}

typedef struct counts {
    uint64_t lists;
    uint64_t todo;
    uint64_t results;
    uint64_t dead;
} counts;

static void expect_counts(br_recommendations *store, uint64_t lists, uint64_t todo, uint64_t results, uint64_t dead)
{
    counts found;
    cr_assert_eq(br_recommendations_counts(store, &found.lists, &found.todo, &found.results, &found.dead), BR_OK);
    cr_assert(found.lists == lists && found.todo == todo && found.results == results && found.dead == dead,
              "%llu lists, %llu to do, %llu results, %llu dead", (unsigned long long)found.lists,
              (unsigned long long)found.todo, (unsigned long long)found.results, (unsigned long long)found.dead);
}

static bool put_result(br_recommendations *store, const br_hash *job, uint32_t matching)
{
    br_explanation explanations[2] = {{.investor = 1,
                                       .n_reasons = REASONS,
                                       .reasons = {{.field = 3, .code = 2, .gain = 0.5f, .backing = 4.5f, .bids = 11},
                                                   {.field = 1, .code = 1, .gain = 0.25f},
                                                   {.field = 2, .code = 5, .gain = 0.125f}},
                                       .against = {.field = UINT32_MAX},
                                       .n_matching = matching,
                                       .certified = true},
                                      {.investor = 4,
                                       .n_reasons = REASONS,
                                       .reasons = {{.field = 1}, {.field = 2}, {.field = 3}},
                                       .against = {.field = 5, .code = 1, .gain = -0.5f}}};
    br_result result = {.job_id = *job, .explanations = explanations, .n_explanations = 2, .failure = ""};
    bool first = false;
    begin(store);
    br_status status = br_recommendations_put_result(store, &result, &first);
    cr_assert_eq(status, BR_OK, "%s", br_why(status));
    commit(store);
    return first;
}

static br_list list_of(br_recommendations *store, const char *bond_id, br_day as_of)
{
    br_list list = {0};
    br_status status = br_recommendations_list(store, arena, bond_id, as_of, &list);
    cr_assert_eq(status, BR_OK, "%s", br_why(status));
    return list;
}

Test(store_recommendations, a_list_and_its_job_come_back)
{
    br_recommendations *store = writer();
    made_list made;
    make_list(&made, "bond-1", 18000, 1);
    cr_assert(put(store, &made));
    br_recommendations_free(&store);
    store = writer();
    expect_counts(store, 1, 1, 0, 0);
    br_list list = list_of(store, "bond-1", 18000);
    cr_assert_str_eq(list.bond_id, "bond-1");
    cr_assert_eq(list.as_of, 18000);
    cr_assert_eq(list.ledger_head, 17);
    cr_assert_eq(list.n_entries, LISTED);
    cr_assert_str_eq(list.entries[4].investor_id, "inv-5");
    cr_assert(br_hash_equal(&list.job_id, &made.list.job_id));
    br_job_body job;
    cr_assert_eq(br_recommendations_job(store, arena, &list.job_id, &job), BR_OK);
    br_hash id;
    cr_assert_eq(br_job_id(&id, &job), BR_OK);
    cr_assert(br_hash_equal(&id, &made.list.job_id));
    br_hash other = br_hash_of("other", 5);
    cr_assert_eq(br_recommendations_job(store, arena, &other, &job), BR_ERR_NOT_FOUND);
    br_recommendations_free(&store);
}

Test(store_recommendations, the_last_list_up_to_a_day_is_found)
{
    br_recommendations *store = writer();
    static const char *const bonds[] = {"b", "b-2", "b\xC3\xA9", "bb"};
    made_list made;
    for (size_t i = 0; i < 4; i++) {
        for (br_day day = -10; day <= 30; day += 10) {
            make_list(&made, bonds[i], day, (uint32_t)(100 * i) + (uint32_t)(day + 10));
            put(store, &made);
        }
    }
    make_list(&made, "b", 20, 7); // another one for the same day
    put(store, &made);
    cr_assert_eq(list_of(store, "b", 9).as_of, 0);
    cr_assert_eq(list_of(store, "b", 10).as_of, 10);
    cr_assert_eq(list_of(store, "b", -1).as_of, -10);
    cr_assert_eq(list_of(store, "b", BR_DAY_MAX).as_of, 30);
    cr_assert_str_eq(list_of(store, "b", 25).entries[0].investor_id, "inv-7", "the later of two");
    cr_assert_str_eq(list_of(store, "b-2", BR_DAY_MAX).bond_id, "b-2");
    br_list list;
    cr_assert_eq(br_recommendations_list(store, arena, "b", -11, &list), BR_ERR_NOT_FOUND);
    cr_assert_eq(br_recommendations_list(store, arena, "a", BR_DAY_MAX, &list), BR_ERR_NOT_FOUND);
    cr_assert_eq(br_recommendations_list(store, arena, "b-", BR_DAY_MAX, &list), BR_ERR_NOT_FOUND);
    cr_assert_eq(br_recommendations_list(store, arena, "bbb", BR_DAY_MAX, &list), BR_ERR_NOT_FOUND);
    cr_assert_eq(br_recommendations_list(store, arena, "", BR_DAY_MAX, &list), BR_ERR_NOT_FOUND);
    br_recommendations_free(&store);
}

Test(store_recommendations, an_equal_list_changes_nothing)
{
    br_recommendations *store = writer();
    made_list made;
    make_list(&made, "bond-1", 18000, 1);
    cr_assert(put(store, &made));
    cr_assert_not(put(store, &made));
    made.list.ledger_head = 99;
    cr_assert_not(put(store, &made));
    expect_counts(store, 1, 1, 0, 0);
    made.entries[0].probability = 0.5;
    cr_assert_not(put(store, &made), "the same job is not asked for again");
    expect_counts(store, 2, 1, 0, 0);
    made.list.as_of = 18001;
    cr_assert_not(put(store, &made));
    expect_counts(store, 3, 1, 0, 0);
    br_recommendations_free(&store);
}

Test(store_recommendations, a_list_without_a_job_makes_no_work)
{
    br_recommendations *store = writer();
    made_list made;
    make_list(&made, "bond-1", 18000, 1);
    made.list.has_job = false;
    cr_assert_not(put(store, &made));
    expect_counts(store, 1, 0, 0, 0);
    cr_assert_not(list_of(store, "bond-1", 18000).has_job);
    br_recommendations_free(&store);
}

Test(store_recommendations, a_backtest_never_stands_before_the_list_that_was_live)
{
    br_recommendations *store = writer();
    made_list live, later;
    make_list(&live, "bond-1", 18000, 1);
    put(store, &live);
    br_list found;
    for (uint32_t seed = 2; seed < 4; seed++) { // one as of the same day, one as of a later one
        make_list(&later, "bond-1", 17998 + (br_day)seed, seed);
        later.list.backtest = true;
        cr_assert(put(store, &later));
        cr_assert_not(put(store, &later));
        found = list_of(store, "bond-1", BR_DAY_MAX);
        cr_assert(found.backtest, "the newest is the backtest");
        cr_assert_str_eq(found.entries[0].investor_id, later.ids[0]);
        cr_assert_eq(br_recommendations_shown_list(store, arena, "bond-1", &found), BR_OK);
        cr_assert(!found.backtest && found.as_of == 18000, "people are shown the live one");
        cr_assert_eq(br_recommendations_live_list(store, arena, "bond-1", BR_DAY_MAX, &found), BR_OK);
        cr_assert(!found.backtest && found.as_of == 18000);
        cr_assert_str_eq(found.entries[0].investor_id, live.ids[0]);
    }
    expect_counts(store, 3, 3, 0, 0);
    cr_assert_not(put(store, &live), "an event worked again finds its list");
    expect_counts(store, 3, 3, 0, 0);
    cr_assert_eq(br_recommendations_live_list(store, arena, "bond-1", 17999, &found), BR_ERR_NOT_FOUND);
    make_list(&later, "bond-2", 18000, 5);
    later.list.backtest = true;
    put(store, &later);
    cr_assert_eq(br_recommendations_live_list(store, arena, "bond-2", BR_DAY_MAX, &found), BR_ERR_NOT_FOUND);
    cr_assert_eq(br_recommendations_shown_list(store, arena, "bond-2", &found), BR_OK);
    cr_assert(found.backtest, "better than none");
    cr_assert_eq(br_recommendations_shown_list(store, arena, "bond-10", &found), BR_ERR_NOT_FOUND);
    cr_assert_eq(br_recommendations_live_list(store, arena, "bond-10", BR_DAY_MAX, &found), BR_ERR_NOT_FOUND);
    br_recommendations_free(&store);
}

Test(store_recommendations, a_result_counts_once)
{
    br_recommendations *store = writer();
    made_list made;
    make_list(&made, "bond-1", 18000, 1);
    br_hash *job = &made.list.job_id;
    cr_assert_not(put_result(store, job, 5), "nobody asked for it");
    expect_counts(store, 0, 0, 0, 0);
    put(store, &made);
    br_result result;
    bool todo = false;
    cr_assert_eq(br_recommendations_result(store, arena, job, &result), BR_ERR_NOT_FOUND);
    cr_assert_eq(br_recommendations_is_todo(store, job, &todo), BR_OK);
    cr_assert(todo);
    cr_assert(put_result(store, job, 5));
    cr_assert_not(put_result(store, job, 6), "the second one has no effect");
    expect_counts(store, 1, 0, 1, 0);
    cr_assert_eq(br_recommendations_is_todo(store, job, &todo), BR_OK);
    cr_assert_not(todo);
    cr_assert_eq(br_recommendations_result(store, arena, job, &result), BR_OK);
    cr_assert_eq(result.n_explanations, 2);
    cr_assert_eq(result.explanations[0].n_matching, 5);
    cr_assert_eq(result.explanations[0].reasons[0].bids, 11);
    br_job_body body;
    cr_assert_eq(br_recommendations_job(store, arena, job, &body), BR_OK, "kept for replay");
    made.entries[0].probability = 0.5;
    cr_assert_not(put(store, &made), "done before");
    expect_counts(store, 2, 0, 1, 0);
    br_recommendations_free(&store);
}

Test(store_recommendations, a_dead_job_leaves_the_list_of_things_to_do)
{
    br_recommendations *store = writer();
    made_list made;
    make_list(&made, "bond-1", 18000, 1);
    put(store, &made);
    br_dead_job dead = {.job_id = made.list.job_id, .reason = "five attempts", .attempts = 5};
    for (unsigned i = 0; i < 2; i++) {
        begin(store);
        cr_assert_eq(br_recommendations_put_dead(store, &dead), BR_OK);
        commit(store);
        expect_counts(store, 1, 0, 0, 1);
    }
    cr_assert_not(put_result(store, &made.list.job_id, 1), "too late");
    cr_assert_not(put(store, &made));
    expect_counts(store, 1, 0, 0, 1);
    br_recommendations_free(&store);
}

static br_status note_dead(void *context, const br_dead_job *dead)
{
    cr_assert_str_eq(dead->reason, "five attempts");
    ++*(unsigned *)context;
    return BR_OK;
}

static br_job_state state_of(br_recommendations *store, const br_list *list, br_outcome *outcome)
{
    cr_assert_eq(br_recommendations_outcome(store, arena, list, outcome), BR_OK);
    return outcome->state;
}

Test(store_recommendations, a_dead_job_can_be_asked_for_again)
{
    enum { JOBS = 3 };
    br_recommendations *store = writer();
    made_list made[JOBS];
    br_outcome outcome;
    for (uint32_t i = 0; i < JOBS; i++) {
        make_list(&made[i], "bond-1", 18000 + (br_day)i, i);
        put(store, &made[i]);
        begin(store);
        cr_assert_eq(br_recommendations_put_attempt(store, &made[i].list.job_id, 5), BR_OK);
        cr_assert_eq(br_recommendations_put_dead(store, &(br_dead_job){made[i].list.job_id, "five attempts", 5}),
                     BR_OK);
        commit(store);
    }
    unsigned n_dead = 0;
    cr_assert_eq(br_recommendations_visit_dead(store, note_dead, &n_dead), BR_OK);
    cr_assert_eq(n_dead, JOBS);
    cr_assert_eq(state_of(store, &made[1].list, &outcome), BR_JOB_DEAD);
    cr_assert_str_eq(outcome.dead.reason, "five attempts");
    for (unsigned i = 0; i < 2; i++) {
        bool again = false;
        begin(store);
        cr_assert_eq(br_recommendations_put_again(store, &made[1].list.job_id, &again), BR_OK);
        commit(store);
        cr_assert_eq(again, i == 0, "the second time it is not dead");
        expect_counts(store, JOBS, 1, 0, 2);
    }
    br_hash job;
    uint32_t attempts = 9, n = 0;
    uint64_t after = 0;
    cr_assert_eq(br_recommendations_todo(store, &after, &job, &attempts, 1, &n), BR_OK);
    cr_assert(n == 1 && attempts == 0 && br_hash_equal(&job, &made[1].list.job_id));
    cr_assert_eq(state_of(store, &made[1].list, &outcome), BR_JOB_TODO);
    cr_assert(put_result(store, &made[1].list.job_id, 5));
    cr_assert_eq(state_of(store, &made[1].list, &outcome), BR_JOB_DONE);
    cr_assert_eq(outcome.result.n_explanations, 2);
    made[0].list.has_job = false;
    cr_assert_eq(state_of(store, &made[0].list, &outcome), BR_JOB_NONE);
    br_recommendations_free(&store);
}

Test(store_recommendations, things_to_do_come_in_order_of_arrival)
{
    enum { JOBS = 25 };
    br_recommendations *store = writer();
    br_hash jobs[JOBS];
    made_list made;
    for (uint32_t i = 0; i < JOBS; i++) {
        make_list(&made, "bond-1", 18000 + (br_day)i, 50 - i);
        jobs[i] = made.list.job_id;
        cr_assert(put(store, &made));
    }
    begin(store);
    cr_assert_eq(br_recommendations_put_attempt(store, &jobs[3], 2), BR_OK);
    br_hash unknown = br_hash_of("unknown", 7);
    cr_assert_eq(br_recommendations_put_attempt(store, &unknown, 2), BR_OK);
    commit(store);
    br_hash found[10];
    uint32_t attempts[10];
    uint32_t n = 0;
    uint64_t after = 0;
    for (uint32_t seen = 0; seen < JOBS; seen += n) {
        cr_assert_eq(br_recommendations_todo(store, &after, found, attempts, 10, &n), BR_OK);
        cr_assert_eq(n, JOBS - seen < 10 ? JOBS - seen : 10);
        for (uint32_t i = 0; i < n; i++) {
            cr_assert(br_hash_equal(&found[i], &jobs[seen + i]));
            cr_assert_eq(attempts[i], seen + i == 3 ? 2 : 0);
        }
        // What was just read is done: the walk goes on where it was.
        for (uint32_t i = 0; i < n; i++) {
            cr_assert(put_result(store, &found[i], i));
        }
    }
    cr_assert_eq(br_recommendations_todo(store, &after, found, attempts, 10, &n), BR_OK);
    cr_assert_eq(n, 0);
    make_list(&made, "bond-2", 18000, 3);
    cr_assert(put(store, &made));
    cr_assert_eq(br_recommendations_todo(store, &after, found, attempts, 10, &n), BR_OK);
    cr_assert_eq(n, 1, "an arrival number is never used again");
    cr_assert_eq(br_recommendations_todo(store, &after, found, attempts, 10, &n), BR_OK);
    cr_assert_eq(n, 0, "what was given out is not given out again, though it is still to do");
    br_recommendations_free(&store);
}

Test(store_recommendations, a_batch_is_one_change)
{
    br_recommendations *store = writer();
    made_list made;
    make_list(&made, "bond-1", 18000, 1);
    uint8_t codes[2 * 3] = {1, 2, 3, 4, 5, 6};
    br_hash hash;
    bool todo = false;
    begin(store);
    cr_assert_eq(br_recommendations_put_population(store, codes, 2, 3, &hash), BR_OK);
    cr_assert_eq(br_recommendations_put_list(store, &made.list, &made.job, &todo), BR_OK);
    cr_assert_eq(br_recommendations_put_offset(store, 12), BR_OK);
    cr_assert_eq(br_recommendations_put_owed(store, 7), BR_OK);
    expect_counts(store, 1, 1, 0, 0);
    br_recommendations_abort(store);
    expect_counts(store, 0, 0, 0, 0);
    uint64_t offset = 99;
    cr_assert_eq(br_recommendations_offset(store, &offset), BR_OK);
    cr_assert_eq(offset, 0);
    cr_assert_eq(br_recommendations_owed(store, &offset), BR_OK);
    cr_assert_eq(offset, 0);
    uint8_t *back = NULL;
    br_population_info info;
    cr_assert_eq(br_recommendations_get_population(store, &hash, &back, &info), BR_ERR_NOT_FOUND);
    begin(store);
    cr_assert_eq(br_recommendations_put_offset(store, 12), BR_OK);
    commit(store);
    cr_assert_eq(br_recommendations_offset(store, &offset), BR_OK);
    cr_assert_eq(offset, 12);
    br_recommendations_free(&store);
}

Test(store_recommendations, a_population_is_kept_once_under_its_hash)
{
    br_recommendations *store = writer();
    static uint8_t codes[POPULATION * FIELDS];
    for (unsigned i = 0; i < sizeof codes; i++) {
        codes[i] = (uint8_t)(i * 31);
    }
    br_hash hash;
    br_hash again;
    cr_assert_eq(br_recommendations_put_population(store, codes, POPULATION, FIELDS, &hash), BR_OK);
    cr_assert_eq(br_recommendations_put_population(store, codes, POPULATION, FIELDS, &again), BR_OK);
    br_hash expected = br_hash_of(codes, sizeof codes);
    cr_assert(br_hash_equal(&hash, &again) && br_hash_equal(&hash, &expected));
    cr_assert_eq(br_recommendations_put_population(store, codes, FIELDS, POPULATION, &again), BR_ERR_INVALID);
    uint8_t *back = NULL;
    br_population_info info;
    cr_assert_eq(br_recommendations_get_population(store, &hash, &back, &info), BR_OK);
    cr_assert(info.n == POPULATION && info.n_investor_fields == FIELDS && br_hash_equal(&info.hash, &hash));
    cr_assert_eq(memcmp(back, codes, sizeof codes), 0);
    br_free(back);
    br_recommendations_free(&store);
}

typedef struct visited {
    uint32_t n;
    uint32_t wrong;
    char last[BR_MAX_ID_BYTES + 1];
} visited;

static br_status note(void *context, const br_list *list)
{
    visited *so_far = context;
    so_far->wrong += strcmp(so_far->last, list->bond_id) >= 0 || list->as_of != 18002;
    snprintf(so_far->last, sizeof so_far->last, "%s", list->bond_id);
    so_far->n++;
    return BR_OK;
}

static br_status note_each(void *context, const br_list *list)
{
    visited *so_far = context;
    int order = strcmp(so_far->last, list->bond_id);
    so_far->wrong += order > 0 || list->as_of != 18000 + (br_day)(so_far->n % 3);
    snprintf(so_far->last, sizeof so_far->last, "%s", list->bond_id);
    so_far->n++;
    return BR_OK;
}

static int visit_elsewhere(void *context)
{
    br_recommendations *store = NULL;
    visited so_far = {0};
    visited all = {0};
    br_status status = br_recommendations_open_reader(&store, path);
    if (status == BR_OK) {
        status = br_recommendations_visit(store, note, &so_far);
    }
    if (status == BR_OK) {
        status = br_recommendations_visit_all(store, note_each, &all);
    }
    br_recommendations_free(&store);
    return status == BR_OK && so_far.wrong == 0 && so_far.n == *(const uint32_t *)context && all.wrong == 0 &&
                   all.n == 3 * so_far.n
               ? 0
               : 1;
}

Test(store_recommendations, each_bond_is_visited_with_its_newest_list_or_with_all)
{
    enum { BONDS = 2300 }; // more than one read transaction holds
    br_recommendations *store = writer();
    uint32_t n = 0;
    cr_assert_eq(in_child(visit_elsewhere, &n), 0);
    made_list made;
    char longest[BR_MAX_ID_BYTES + 1];
    memset(longest, 'x', BR_MAX_ID_BYTES);
    longest[BR_MAX_ID_BYTES] = '\0';
    begin(store);
    for (n = 0; n < BONDS; n++) {
        char bond[32];
        snprintf(bond, sizeof bond, n % 2 == 0 ? "b%u" : "b%u-%u", n / 2, n);
        for (br_day day = 18002; day >= 18000; day--) { // the newest arrives first
            bool todo = false;
            make_list(&made, n == 0 ? longest : bond, day, n);
            made.list.has_job = false;
            cr_assert_eq(br_recommendations_put_list(store, &made.list, NULL, &todo), BR_OK);
        }
    }
    commit(store);
    cr_assert_eq(in_child(visit_elsewhere, &n), 0);
    br_recommendations_free(&store);
}

Test(store_recommendations, every_allocation_may_fail)
{
    made_list made;
    make_list(&made, "bond-1", 18000, 1);
    size_t live = br_alloc_live();
    br_status status = BR_ERR_NO_MEMORY;
    for (size_t n = 0; n < 200 && status != BR_OK; n++) {
        br_recommendations *store = NULL;
        bool todo = false;
        br_alloc_fail_after(n);
        status = br_recommendations_open_writer(&store, path);
        if (status == BR_OK) {
            status = br_recommendations_begin(store);
        }
        if (status == BR_OK) {
            status = br_recommendations_put_list(store, &made.list, &made.job, &todo);
        }
        if (status == BR_OK) {
            status = br_recommendations_commit(store);
        }
        br_alloc_fail_after(SIZE_MAX);
        cr_assert(status == BR_OK || status == BR_ERR_NO_MEMORY, "%s", br_why(status));
        br_recommendations_free(&store);
        cr_assert_eq(br_alloc_live(), live);
    }
    cr_assert_eq(status, BR_OK);
    br_recommendations *store = writer();
    expect_counts(store, 1, 1, 0, 0);
    br_recommendations_free(&store);
}
