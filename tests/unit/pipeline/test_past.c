// Goal: a job carries exactly the bids that were past on its day, and what speaks for a bond follows from it and the snapshot. Method: a market written
// by hand with two groups of issuers, jobs before and after the future has come, a past of more issuers than a job may carry, and jobs that lie.

#include "pipeline/past.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "input/schema_yaml.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char SCHEMA[] = "market: m\nwindows_days: [30]\nlate_days: 2\n"
                             "bond_features:\n"
                             "  - {name: rating, kind: categorical, values: [A, B], preference: true}\n"
                             "investor_features:\n"
                             "  - {name: org, kind: categorical, group: attribute}\n"
                             "activity_features: [frequency]\n";

enum { INVESTORS = 12, DAY = 19700, AS_OF = DAY + 100 };

static br_schema *schema;
static br_market *market;
static br_arena *arena;
static br_pasts *pasts;
static unsigned n_bids;

static void apply(br_row row)
{
    br_row_problem problem = {.column = ""};
    row.rate = (double)NAN;
    row.amount = BR_AMOUNT_NONE;
    cr_assert(br_market_check(market, &row, &problem), "%s: %s", problem.column, problem.reason);
    cr_assert_eq(br_market_apply(market, &row), BR_OK);
}

static void add_bond(const char *id, const char *issuer, br_day issue)
{
    apply((br_row){.kind = BR_ROW_BOND,
                   .bond_id = id,
                   .issuer_id = issuer,
                   .announce_day = issue - 5,
                   .issue_day = issue,
                   .day = BR_DAY_NONE,
                   .known_from = BR_DAY_NONE});
}

static void add_bid(unsigned investor, const char *bond, br_day day, br_day known_from)
{
    char id[16], name[16];
    snprintf(id, sizeof id, "bid%u", n_bids++);
    snprintf(name, sizeof name, "I%u", investor);
    apply((br_row){.kind = BR_ROW_BID,
                   .bid_id = id,
                   .bond_id = bond,
                   .investor_id = name,
                   .day = day,
                   .known_from = known_from,
                   .announce_day = BR_DAY_NONE,
                   .issue_day = BR_DAY_NONE});
}

// Issuers A, B and C are bid on by even investors, D, E and F by odd ones; A two days after the others, twice by investor 0. Bond "new" is A's.
static void set_up(void)
{
    cr_assert_eq(br_hash_init(), BR_OK);
    cr_assert_eq(br_schema_read(&schema, "schema", SCHEMA, sizeof SCHEMA - 1), BR_OK);
    cr_assert_eq(br_market_new(&market, schema), BR_OK);
    cr_assert_eq(br_arena_new(&arena, BR_UNPACK_BYTES), BR_OK);
    n_bids = 0;
    for (unsigned i = 0; i < INVESTORS; i++) {
        char name[16];
        snprintf(name, sizeof name, "I%u", i);
        apply((br_row){.kind = BR_ROW_INVESTOR,
                       .investor_id = name,
                       .day = DAY - 1000,
                       .announce_day = BR_DAY_NONE,
                       .issue_day = BR_DAY_NONE,
                       .known_from = BR_DAY_NONE});
    }
    for (unsigned k = 0; k < 6; k++) {
        char bond[8], issuer[2] = {(char)('A' + k), '\0'};
        snprintf(bond, sizeof bond, "old%s", issuer);
        add_bond(bond, issuer, DAY);
        for (unsigned i = k / 3; i < INVESTORS; i += 2) {
            bool knows = i > 3 || k % 3 != 1; // of B and E the first investors know nothing
            if (knows) {
                add_bid(i, bond, k == 0 ? DAY + 2 : DAY, BR_DAY_NONE);
            }
        }
    }
    add_bid(0, "oldA", DAY - 1, BR_DAY_NONE);
    add_bond("new", "A", AS_OF + 3);
}

static void tear_down(void)
{
    br_pasts_free(&pasts);
    br_arena_free(&arena);
    br_market_free(&market);
    br_schema_free(&schema);
}

TestSuite(pipeline_past, .init = set_up, .fini = tear_down, .timeout = 30);

static br_past_issuer past_of(uint32_t investor, const char *issuer)
{
    const br_past_issuer *issuers;
    uint32_t n = br_pasts_of(pasts, investor, &issuers);
    for (uint32_t k = 0; k < n; k++) {
        cr_assert(k == 0 || issuers[k - 1].issuer < issuers[k].issuer);
        if (strcmp(br_market_issuer_id(market, issuers[k].issuer), issuer) == 0) {
            return issuers[k];
        }
    }
    return (br_past_issuer){.n_bids = 0};
}

static void look(br_day as_of)
{
    br_pasts_free(&pasts);
    cr_assert_eq(br_pasts_new(&pasts, market, as_of, NULL), BR_OK);
}

Test(pipeline_past, bids_are_counted_by_issuer)
{
    look(AS_OF);
    br_past_issuer a = past_of(0, "A");
    cr_expect(a.n_bids == 2 && a.last == DAY + 2);
    br_past_issuer c = past_of(0, "C");
    cr_expect(c.n_bids == 1 && c.last == DAY);
    cr_expect_eq(past_of(0, "D").n_bids, 0);
    cr_expect_eq(past_of(1, "D").n_bids, 1);
    cr_expect_eq(past_of(0, "B").n_bids, 0);
    const br_past_issuer *none;
    cr_expect_eq(br_pasts_of(pasts, INVESTORS, &none), 0);
    const uint8_t only[INVESTORS] = {0, 1};
    br_pasts_free(&pasts);
    cr_assert_eq(br_pasts_new(&pasts, market, AS_OF, only), BR_OK);
    cr_expect_eq(past_of(1, "D").n_bids, 1);
    cr_expect_eq(br_pasts_of(pasts, 0, &none), 0);
}

Test(pipeline_past, a_bid_is_past_once_it_is_known_and_its_bond_is_issued)
{
    add_bond("late", "G", AS_OF - 3);
    add_bid(1, "late", AS_OF - 1, BR_DAY_NONE);
    add_bid(2, "late", AS_OF - 3, AS_OF + 7);
    add_bid(3, "new", AS_OF, BR_DAY_NONE); // while the book is open
    look(DAY);
    cr_expect_eq(past_of(0, "C").n_bids, 0, "of the day itself");
    look(DAY + 1);
    cr_expect_eq(past_of(0, "C").n_bids, 1);
    cr_expect_eq(past_of(0, "A").n_bids, 1, "the one of the day after");
    look(AS_OF - 1);
    cr_expect_eq(past_of(1, "G").n_bids, 0);
    look(AS_OF);
    cr_expect_eq(past_of(1, "G").n_bids, 1);
    look(AS_OF + 6);
    cr_expect_eq(past_of(2, "G").n_bids, 0);
    look(AS_OF + 7);
    cr_expect_eq(past_of(2, "G").n_bids, 1);
    look(AS_OF + 3);
    cr_expect_eq(past_of(3, "A").n_bids, 0, "on the bond itself");
    look(AS_OF + 4);
    cr_expect_eq(past_of(3, "A").n_bids, 1);
}

// --- jobs ---

typedef struct stage {
    br_snapshot snapshot;
    br_served served;
    br_job_body body;
    uint32_t investors[3];
    float scores[INVESTORS];
    uint8_t eligible[INVESTORS];
    uint8_t code;
} stage;

static br_issuer_table *learn(uint32_t n_threads)
{
    br_issuer_table *table = NULL;
    br_ials_options options = br_ials_options_default();
    options.n_factors = 4;
    options.regularization = 0.1;
    options.n_threads = n_threads;
    look(AS_OF);
    br_status status = br_issuer_table_learn(&table, pasts, market, &options);
    cr_assert_eq(status, BR_OK, "%s", br_why(status));
    return table;
}

static void open_stage(stage *s, br_issuer_table *table)
{
    *s = (stage){.investors = {0, 1, 4}, .snapshot.issuers = table, .code = 1};
    s->served = (br_served){.version = "v1", .snapshot = &s->snapshot};
    if (table != NULL) {
        cr_assert_eq(br_ials_of(&s->served.ials, table->factors, br_index_count(table->ids), table->n_factors,
                                table->regularization, table->confidence),
                     BR_OK);
    }
    s->body = (br_job_body){.version = "v1",
                            .as_of = AS_OF,
                            .bond_codes = {&s->code, 1},
                            .scores = s->scores,
                            .eligible = s->eligible,
                            .n_population = INVESTORS,
                            .investors = s->investors,
                            .n_investors = 3,
                            .objective = BR_OBJECTIVE_BACKED,
                            .n_reasons = 6};
    look(AS_OF);
    br_status status = br_past_of_job(&s->body, arena, market, &s->served, br_market_find_bond(market, "new"));
    cr_assert_eq(status, BR_OK, "%s", br_why(status));
}

static void close_stage(stage *s)
{
    br_ials_free(&s->served.ials);
    br_issuer_table_free(&s->snapshot.issuers);
}

Test(pipeline_past, what_comes_later_changes_no_job)
{
    static stage s;
    open_stage(&s, learn(1));
    br_hash before, after;
    cr_assert_eq(br_job_id(&before, &s.body), BR_OK);
    add_bond("late", "B", AS_OF - 3);
    for (unsigned i = 0; i < INVESTORS; i++) {
        add_bid(i, "late", AS_OF - 3, AS_OF + 1);
        add_bid(i, "late", AS_OF - 1 + i % 2, AS_OF + 1);
        add_bid(i, "new", AS_OF - 1, BR_DAY_NONE);
        add_bid(i, "new", AS_OF, BR_DAY_NONE);
    }
    look(AS_OF);
    br_status status = br_past_of_job(&s.body, arena, market, &s.served, br_market_find_bond(market, "new"));
    cr_assert_eq(status, BR_OK);
    cr_assert_eq(br_job_id(&after, &s.body), BR_OK);
    cr_expect(br_hash_equal(&before, &after));
    s.body.as_of = AS_OF + 1;
    look(AS_OF + 1);
    cr_assert_eq(br_past_of_job(&s.body, arena, market, &s.served, br_market_find_bond(market, "new")), BR_OK);
    s.body.as_of = AS_OF;
    cr_assert_eq(br_job_id(&after, &s.body), BR_OK);
    cr_expect(!br_hash_equal(&before, &after), "a day later they count");
    close_stage(&s);
}

static const br_past_bid *find_bid(const br_past_bids *past, const char *issuer)
{
    for (uint32_t k = 0; k < past->n; k++) {
        if (strcmp(past->bids[k].issuer, issuer) == 0) {
            return &past->bids[k];
        }
    }
    return NULL;
}

// Weights are shares of the sum of parts, all positive here and all shown; a part counts an issuer's bids.
static void expect_shares(const stage *s, const br_past_bids *past, uint32_t n)
{
    uint32_t items[3];
    float weights[3];
    double parts[3];
    double sum = 0.0;
    cr_assert_eq(past->n, n);
    for (uint32_t k = 0; k < n; k++) {
        const char *name = past->bids[k].issuer;
        items[k] = br_index_find(s->snapshot.issuers->ids, name, strlen(name));
        weights[k] = (float)past->bids[k].n_bids;
    }
    br_ials_user *user = NULL;
    cr_assert_eq(br_ials_user_new(&user, s->served.ials), BR_OK);
    br_ials_user_set(user, items, weights, n);
    br_ials_user_parts(user, br_index_find(s->snapshot.issuers->ids, "A", 1), parts);
    br_ials_user_free(&user);
    for (uint32_t k = 0; k < n; k++) {
        sum += parts[k];
    }
    for (uint32_t k = 0; k < n; k++) {
        cr_expect_float_eq((double)past->bids[k].weight, parts[k] / sum, 1e-6);
    }
}

Test(pipeline_past, what_is_bid_on_together_speaks_for_the_bond)
{
    static stage s;
    open_stage(&s, learn(1));
    br_result result = {.n_explanations = 3};
    br_status status = br_past_explain(&result, arena, &s.served, &s.body);
    cr_assert_eq(status, BR_OK, "%s", br_why(status));
    cr_expect_str_eq(result.issuer, "A");
    const br_past_bids *first = &result.past[0];
    cr_assert_geq(first->n, 2);
    cr_expect_str_eq(first->bids[0].issuer, "A", "its own issuer comes first");
    cr_expect(first->bids[0].n_bids == 2 && first->bids[0].last == DAY + 2);
    const br_past_bid *c = find_bid(first, "C");
    cr_assert_not_null(c);
    cr_expect(c->n_bids == 1 && c->last == DAY && c->weight > 0.0f);
    const br_past_bids *third = &result.past[2];
    double sum = 0.0;
    for (uint32_t k = 0; k < third->n; k++) {
        sum += (double)third->bids[k].weight;
        cr_expect(k < 2 || third->bids[k - 1].weight >= third->bids[k].weight);
    }
    cr_expect_float_eq(sum, 1.0, 1e-6, "all of the positive parts are shown");
    cr_expect_eq(third->n, 3);
    expect_shares(&s, first, 2);
    expect_shares(&s, third, 3);
    close_stage(&s);
}

Test(pipeline_past, without_a_table_only_the_own_issuer_speaks)
{
    static stage s;
    open_stage(&s, NULL);
    br_result result = {.n_explanations = 3};
    cr_assert_eq(br_past_explain(&result, arena, &s.served, &s.body), BR_OK);
    cr_assert_eq(result.past[0].n, 1);
    cr_expect_str_eq(result.past[0].bids[0].issuer, "A");
    cr_expect(result.past[0].bids[0].n_bids == 2 && result.past[0].bids[0].weight == 0.0f);
    cr_expect_eq(result.past[1].n, 0);
    s.body.past = NULL;
    cr_assert_eq(br_past_explain(&result, arena, &s.served, &s.body), BR_OK);
    cr_expect_null(result.past);
}

Test(pipeline_past, an_issuer_the_table_does_not_know_has_no_weights)
{
    static stage s;
    br_issuer_table *table = learn(1);
    add_bond("other", "Z", AS_OF - 20);
    add_bond("newer", "Z", AS_OF + 3);
    add_bid(0, "other", AS_OF - 20, BR_DAY_NONE);
    open_stage(&s, table);
    cr_assert_eq(br_past_of_job(&s.body, arena, market, &s.served, br_market_find_bond(market, "newer")), BR_OK);
    br_result result = {.n_explanations = 3};
    cr_assert_eq(br_past_explain(&result, arena, &s.served, &s.body), BR_OK);
    cr_assert_eq(result.past[0].n, 1);
    cr_expect_str_eq(result.past[0].bids[0].issuer, "Z");
    cr_expect_eq(result.past[2].n, 0);
    close_stage(&s);
}

// The bond's own issuer, then the k-th bid shown is the k-th largest of all parts that are positive.
static void expect_best(const stage *s, const br_past *past, uint32_t i)
{
    static double parts[BR_MAX_PAST_ISSUERS];
    static float weights[BR_MAX_PAST_ISSUERS];
    static uint32_t items[BR_MAX_PAST_ISSUERS];
    br_result result = {.n_explanations = 3};
    cr_assert_eq(br_past_explain(&result, arena, &s->served, &s->body), BR_OK);
    uint32_t own = br_index_find(s->snapshot.issuers->ids, s->body.issuer, strlen(s->body.issuer));
    for (uint32_t k = 0; k < past->n; k++) {
        items[k] = past->issuers[k] == BR_OWN_ISSUER ? own : past->issuers[k];
        weights[k] = (float)past->bids[k];
    }
    br_ials_user *user = NULL;
    cr_assert_eq(br_ials_user_new(&user, s->served.ials), BR_OK);
    br_ials_user_set(user, items, weights, past->n);
    br_ials_user_parts(user, own, parts);
    br_ials_user_free(&user);
    cr_assert_eq(result.past[i].n, BR_MAX_PAST_BIDS);
    cr_expect_str_eq(result.past[i].bids[0].issuer, s->body.issuer);
    parts[past->n - 1] = 0.0; // its own
    for (uint32_t shown = 1; shown < BR_MAX_PAST_BIDS; shown++) {
        uint32_t best = 0;
        for (uint32_t k = 1; k < past->n; k++) {
            best = parts[k] > parts[best] ? k : best;
        }
        cr_expect_gt(parts[best], 0.0);
        cr_expect_str_eq(result.past[i].bids[shown].issuer,
                         br_index_text(s->snapshot.issuers->ids, past->issuers[best]));
        parts[best] = 0.0;
    }
}

Test(pipeline_past, a_job_carries_the_newest_issuers_of_a_long_past)
{
    enum { MANY = BR_MAX_PAST_ISSUERS + 40 };
    for (unsigned k = 0; k < MANY; k++) {
        char bond[16], issuer[16];
        snprintf(bond, sizeof bond, "many%u", k);
        snprintf(issuer, sizeof issuer, "many%u", k);
        br_day day = DAY - 900 + (br_day)((k * 7) % MANY); // the newest are not the last
        add_bond(bond, issuer, day);
        add_bid(1, bond, day, BR_DAY_NONE);
    }
    add_bond("again", "many0", AS_OF + 3); // of the issuer that was bid on first
    static stage s;
    open_stage(&s, learn(1));
    const br_past *past = &s.body.past[1];
    cr_assert_eq(past->n, BR_MAX_PAST_ISSUERS);
    for (uint32_t k = 0; k < past->n; k++) {
        cr_assert(k == 0 || past->issuers[k - 1] < past->issuers[k]);
        // D and F, and all but the 42 oldest of the many.
        cr_assert_leq(past->days[k], (uint32_t)(AS_OF - (DAY - 900 + 42)));
    }
    BR_AUTO_DEINIT(br_buf) packed = {0};
    br_job_body again;
    cr_assert_eq(br_job_body_pack(&s.body, &packed), BR_OK);
    br_status status = br_job_body_unpack(&again, arena, packed.data, packed.length);
    cr_assert_eq(status, BR_OK, "%s", br_why(status));
    uint32_t bond = br_market_find_bond(market, "again");
    cr_assert_eq(br_past_of_job(&s.body, arena, market, &s.served, bond), BR_OK);
    past = &s.body.past[1];
    cr_assert(past->n == BR_MAX_PAST_ISSUERS && past->issuers[past->n - 1] == BR_OWN_ISSUER);
    expect_best(&s, past, 1);
    close_stage(&s);
}

Test(pipeline_past, a_job_that_lies_is_refused)
{
    static stage s;
    open_stage(&s, learn(1));
    uint32_t own = br_index_find(s.snapshot.issuers->ids, "A", 1);
    const uint32_t beyond = br_index_count(s.snapshot.issuers->ids);
    const uint32_t one = 1;
    br_result result = {.n_explanations = 3};
    br_past past[3] = {{&beyond, &one, &one, 1}};
    s.body.past = past;
    cr_expect_eq(br_past_explain(&result, arena, &s.served, &s.body), BR_ERR_INVALID);
    past[0].issuers = &own;
    cr_expect_eq(br_past_explain(&result, arena, &s.served, &s.body), BR_ERR_INVALID);
    close_stage(&s);
}

Test(pipeline_past, a_table_has_the_issuers_with_bids_and_is_the_same_on_any_number_of_threads)
{
    BR_AUTO(br_issuer_table) *one = learn(1);
    BR_AUTO(br_issuer_table) *three = learn(3);
    cr_assert_eq(br_index_count(one->ids), 6);
    cr_expect_eq(br_index_find(one->ids, "F", 1), 5);
    cr_expect_arr_eq(one->factors, three->factors, 6u * 4u * sizeof(float));
    br_issuer_table *none = one;
    br_ials_options options = br_ials_options_default();
    look(DAY);
    cr_expect_eq(br_issuer_table_learn(&none, pasts, market, &options), BR_OK);
    cr_expect_null(none, "nobody had bid yet");
}

Test(pipeline_past, every_failed_allocation_is_a_status)
{
    size_t live = br_alloc_live();
    br_ials_options options = br_ials_options_default();
    options.n_factors = 4;
    br_status status = BR_ERR_NO_MEMORY;
    for (size_t n = 0; status != BR_OK; n++) {
        br_issuer_table *table = NULL;
        br_pasts *some = NULL;
        cr_assert_lt(n, 300);
        br_alloc_fail_after(n);
        status = br_pasts_new(&some, market, AS_OF, NULL);
        if (status == BR_OK) {
            status = br_issuer_table_learn(&table, some, market, &options);
        }
        br_alloc_fail_after(SIZE_MAX);
        br_pasts_free(&some);
        br_issuer_table_free(&table);
        cr_assert(status == BR_OK || status == BR_ERR_NO_MEMORY, "%s", br_why(status));
        cr_assert_eq(br_alloc_live(), live);
    }
}
