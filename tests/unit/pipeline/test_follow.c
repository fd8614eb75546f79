// Following the ledger: the market is what the records up to the head amount to, whatever the steps it was read in.

#include "pipeline/follow.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "support/temp.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static const char SCHEMA[] = "market: m\nwindows_days: [30]\n"
                             "bond_features:\n"
                             "  - {name: rating, kind: categorical, values: [A, B], preference: true}\n"
                             "investor_features:\n"
                             "  - {name: org, kind: categorical, group: attribute}\n"
                             "activity_features: [frequency]\n";

static char *directory;
static br_ledger *ledger;
static br_follower *follower;

static void set_up(void)
{
    cr_assert_eq(br_hash_init(), BR_OK);
    directory = br_temp_new();
    cr_assert_eq(br_ledger_open_writer(&ledger, br_temp_path(directory, "ledger")), BR_OK);
    cr_assert_eq(br_follower_new(&follower), BR_OK);
}

static void tear_down(void)
{
    br_follower_free(&follower);
    br_ledger_free(&ledger);
    br_temp_remove(&directory);
}

TestSuite(pipeline_follow, .init = set_up, .fini = tear_down, .timeout = 30);

static br_day day(const char *text)
{
    br_day value = 0;
    cr_assert_eq(br_day_parse(&value, text, strlen(text), NULL), BR_OK);
    return value;
}

static uint64_t append(br_row row)
{
    uint64_t record = 0;
    row.rate = (double)NAN;
    cr_assert_eq(br_ledger_begin(ledger), BR_OK);
    br_status status = br_ledger_append(ledger, &row, &record);
    cr_assert_eq(status, BR_OK, "%s", br_why(status));
    cr_assert_eq(br_ledger_commit(ledger), BR_OK);
    return record;
}

static uint64_t append_schema(const char *yaml, uint64_t revision)
{
    return append((br_row){.kind = BR_ROW_SCHEMA, .yaml = yaml, .yaml_bytes = strlen(yaml), .revision = revision});
}

static uint64_t append_bond(const char *id, const char *rating)
{
    br_named_value value = {"rating", rating};
    return append((br_row){.kind = BR_ROW_BOND,
                           .bond_id = id,
                           .issuer_id = "S",
                           .announce_day = day("2024-01-01"),
                           .issue_day = day("2024-01-10"),
                           .features = &value,
                           .n_features = 1});
}

static uint64_t append_bid(const char *id, const char *date, br_day known_from)
{
    return append((br_row){.kind = BR_ROW_BID,
                           .bid_id = id,
                           .bond_id = "B1",
                           .investor_id = "I1",
                           .day = day(date),
                           .known_from = known_from,
                           .amount = BR_AMOUNT_NONE});
}

// schema, bond, investor, two bids, a closed day, a bond
static void write_some(void)
{
    append_schema(SCHEMA, 0);
    append_bond("B1", "A");
    append((br_row){.kind = BR_ROW_INVESTOR, .investor_id = "I1", .day = day("2024-01-01")});
    append_bid("b1", "2024-01-10", BR_DAY_NONE);
    append_bid("b2", "2024-01-10", day("2024-01-20"));
    append((br_row){.kind = BR_ROW_CLOSE_DAY, .day = day("2024-01-12")});
    append_bond("B2", "B");
}

Test(pipeline_follow, an_empty_ledger_has_no_market)
{
    cr_assert_eq(br_follower_catch_up(follower, ledger, 0, 0), BR_OK);
    cr_assert_null(br_follower_market(follower));
    cr_assert_eq(br_follower_head(follower), 0);
}

Test(pipeline_follow, reads_to_the_head_and_goes_on_from_there)
{
    write_some();
    cr_assert_eq(br_follower_catch_up(follower, ledger, 0, 0), BR_OK);
    br_market *market = br_follower_market(follower);
    cr_assert_eq(br_market_n_bonds(market), 2);
    cr_assert_eq(br_market_n_bids(market), 2);
    cr_assert_eq(br_market_business_day(market), day("2024-01-12"));
    uint64_t head = append_bond("B3", "A");
    cr_assert_eq(br_follower_catch_up(follower, ledger, 0, 0), BR_OK);
    cr_assert_eq(br_follower_head(follower), head);
    cr_assert_eq(br_market_n_bonds(br_follower_market(follower)), 3);
}

Test(pipeline_follow, stops_at_each_record_of_the_wanted_kinds)
{
    write_some();
    uint32_t stop = BR_KIND_BIT(BR_ROW_BOND) | BR_KIND_BIT(BR_ROW_CLOSE_DAY);
    static const br_row_kind expected[] = {BR_ROW_BOND, BR_ROW_CLOSE_DAY, BR_ROW_BOND};
    static const uint64_t records[] = {2, 6, 7};
    for (size_t i = 0; i < 3; i++) {
        cr_assert_eq(br_follower_catch_up(follower, ledger, 0, stop), BR_OK);
        cr_assert_eq(br_follower_last_kind(follower), expected[i]);
        cr_assert_eq(br_follower_head(follower), records[i]);
    }
    cr_assert_eq(br_follower_last_bond(follower), br_market_find_bond(br_follower_market(follower), "B2"));
    cr_assert_eq(br_follower_catch_up(follower, ledger, 0, stop), BR_OK);
    cr_assert_eq(br_follower_head(follower), 7, "nothing new, nothing moves");
}

Test(pipeline_follow, reads_no_further_than_asked)
{
    write_some();
    cr_assert_eq(br_follower_catch_up(follower, ledger, 3, 0), BR_OK);
    cr_assert_eq(br_follower_head(follower), 3);
    cr_assert_eq(br_market_n_bids(br_follower_market(follower)), 0);
}

Test(pipeline_follow, a_limit_leaves_out_bids_that_were_not_known)
{
    write_some();
    br_follower_limit(follower, day("2024-01-19"));
    cr_assert_eq(br_follower_catch_up(follower, ledger, 0, 0), BR_OK);
    cr_assert_eq(br_market_n_bids(br_follower_market(follower)), 1, "b2 was known from the 20th");
    br_follower_free(&follower);
    cr_assert_eq(br_follower_new(&follower), BR_OK);
    br_follower_limit(follower, day("2024-01-10"));
    cr_assert_eq(br_follower_catch_up(follower, ledger, 0, 0), BR_OK);
    cr_assert_eq(br_market_n_bids(br_follower_market(follower)), 0, "a bid is known the day after it at the earliest");
}

Test(pipeline_follow, a_later_schema_gives_earlier_rows_their_new_meaning)
{
    write_some();
    cr_assert_eq(br_follower_catch_up(follower, ledger, 0, 0), BR_OK);
    static const char later[] = "market: m\nrevision: 2\nwindows_days: [30]\n"
                                "bond_features:\n"
                                "  - {name: rating, kind: categorical}\n"
                                "  - {name: size, kind: continuous}\n"
                                "investor_features: []\n"
                                "activity_features: [frequency]\n";
    uint64_t head = append_schema(later, 2);
    br_status status = br_follower_catch_up(follower, ledger, 0, 0);
    cr_assert_eq(status, BR_OK, "%s", br_why(status));
    br_market *market = br_follower_market(follower);
    cr_assert_eq(br_market_schema(market)->n_bond_features, 2);
    cr_assert_eq(br_market_n_bonds(market), 2);
    cr_assert_eq(br_market_n_bids(market), 2);
    cr_assert_eq(br_follower_head(follower), head);
}

Test(pipeline_follow, a_later_schema_makes_no_old_record_an_event_again)
{
    uint32_t stop = BR_KIND_BIT(BR_ROW_BOND) | BR_KIND_BIT(BR_ROW_CLOSE_DAY);
    write_some();
    cr_assert_eq(br_follower_catch_up(follower, ledger, 0, 0), BR_OK);
    static const char later[] = "market: m\nrevision: 2\nwindows_days: [30]\n"
                                "bond_features:\n  - {name: rating, kind: categorical}\n"
                                "investor_features: []\nactivity_features: [frequency]\n";
    uint64_t schema = append_schema(later, 2);
    cr_assert_eq(br_follower_catch_up(follower, ledger, 0, stop), BR_OK);
    cr_assert_eq(br_follower_head(follower), schema, "it stopped at record %llu",
                 (unsigned long long)br_follower_head(follower));
    cr_assert_eq(br_follower_last_kind(follower), BR_ROW_SCHEMA);
    uint64_t bond = append_bond("B3", "A");
    append_bond("B4", "A");
    cr_assert_eq(br_follower_catch_up(follower, ledger, 0, stop), BR_OK);
    cr_assert_eq(br_follower_head(follower), bond, "what is new stops it as ever");
}

// --- notes ---

static uint64_t append_note(const char *user)
{
    const br_note note = {.id = br_hash_of(user, strlen(user)),
                          .user = user,
                          .topic = BR_TOPIC_CALL,
                          .subject = "",
                          .value = "called",
                          .version = ""};
    return append((br_row){.kind = BR_ROW_NOTE, .bond_id = "B1", .investor_id = "I1", .note = &note});
}

static br_status join_users(void *context, uint64_t record, const br_row *row)
{
    br_buf_printf(context, "%llu%s ", (unsigned long long)record, row->note->user);
    return BR_OK;
}

Test(pipeline_follow, notes_are_shown_and_make_no_other_market)
{
    BR_AUTO_DEINIT(br_buf) shown = {0};
    br_follower_notes(follower, join_users, &shown);
    write_some();
    const uint64_t last = append_bid("b3", "2024-01-11", BR_DAY_NONE);
    append_note("a");
    const uint64_t head = append_note("b");
    const uint32_t stop = BR_KIND_BIT(BR_ROW_BOND) | BR_KIND_BIT(BR_ROW_CLOSE_DAY);
    cr_assert_eq(br_follower_catch_up(follower, ledger, last, 0), BR_OK);
    const uint32_t *bonds;
    uint32_t n;
    cr_assert_eq(br_market_bonds_by_issue(br_follower_market(follower), &bonds, &n), BR_OK);
    const uint32_t *before = bonds;
    cr_assert_eq(br_follower_catch_up(follower, ledger, 0, stop), BR_OK);
    cr_assert_eq(br_follower_head(follower), head, "a note is no event");
    cr_assert_eq(br_follower_market_head(follower), last);
    cr_assert_eq(br_follower_last_kind(follower), BR_ROW_NOTE);
    cr_assert_eq(br_market_bonds_by_issue(br_follower_market(follower), &bonds, &n), BR_OK);
    cr_assert_eq(bonds, before);
    cr_assert_eq(br_market_n_bids(br_follower_market(follower)), 3);
    cr_assert_str_eq(br_buf_text(&shown), "9a 10b ");
    static const char later[] = "market: m\nrevision: 2\nwindows_days: [30]\n"
                                "bond_features:\n  - {name: rating, kind: categorical}\n"
                                "investor_features: []\nactivity_features: [frequency]\n";
    const uint64_t schema = append_schema(later, 2);
    cr_assert_eq(br_follower_catch_up(follower, ledger, 0, 0), BR_OK);
    cr_assert_str_eq(br_buf_text(&shown), "9a 10b 9a 10b ", "a later schema shows them again");
    cr_assert_eq(br_follower_market_head(follower), schema);
}

Test(pipeline_follow, a_row_before_any_schema_is_corruption)
{
    append_bond("B1", "A");
    cr_assert_eq(br_follower_catch_up(follower, ledger, 0, 0), BR_ERR_CORRUPT);
}

Test(pipeline_follow, failing_allocations_are_reported_and_leak_nothing)
{
    write_some();
    br_follower_free(&follower);
    size_t live = br_alloc_live();
    for (size_t n = 0;; n++) {
        br_alloc_fail_after(n);
        br_status status = br_follower_new(&follower);
        if (status == BR_OK) {
            status = br_follower_catch_up(follower, ledger, 0, 0);
        }
        br_alloc_fail_after(SIZE_MAX);
        br_follower_free(&follower);
        cr_assert_eq(br_alloc_live(), live, "after %zu allocations", n);
        if (status == BR_OK) {
            cr_assert_gt(n, 10);
            break;
        }
        cr_assert(status == BR_ERR_NO_MEMORY || status == BR_ERR_LIMIT, "%s", br_why(status));
    }
}
