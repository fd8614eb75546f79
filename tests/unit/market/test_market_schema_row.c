// Goal: every wrong declaration and every wrong row is refused with its place and cause. Method: one right one, spoilt in each way.

#include "fixture.h"

#include "base/alloc.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static char long_name[200];

typedef struct spoiler {
    const char *says;
    void (*spoil)(br_schema *schema, br_feature *bond, br_feature *investor);
} spoiler;

#define SPOIL(name, what)                                                                                              \
    static void name(br_schema *schema, br_feature *bond, br_feature *investor)                                        \
    {                                                                                                                  \
        (void)schema;                                                                                                  \
        (void)bond;                                                                                                    \
        (void)investor;                                                                                                \
        what;                                                                                                          \
    }
static char column[] = "issue_date", derived[] = "pref.x", twice[] = "rating", spaced[] = " x";
static uint32_t of_rating[] = {0}, of_twice[] = {2, 2};
SPOIL(no_market, schema->market = NULL)
SPOIL(late, schema->late_days = -1)
SPOIL(no_bond_features, schema->n_bond_features = 0)
SPOIL(bad_name, bond[0].name = long_name)
SPOIL(space_name, bond[0].name = spaced)
SPOIL(column_name, bond[0].name = column)
SPOIL(derived_name, investor[0].name = derived)
SPOIL(same_name, bond[1].name = twice)
SPOIL(bad_group, investor[0].group = BR_GROUP_BOND)
SPOIL(investor_preference, investor[0].preference = true)
SPOIL(no_max, bond[1].max_values = 0)
SPOIL(many_max, bond[1].max_values = BR_MAX_VALUES + 1)
SPOIL(one_bin, bond[2].n_bins = 1)
SPOIL(ordinal_open, bond[0].n_values = 0)
SPOIL(flag_listed, bond[0].kind = BR_KIND_FLAG)
SPOIL(same_window, schema->windows_days[1] = 30)
SPOIL(negative_window, schema->activity_windows_days[0] = -3)
SPOIL(no_windows, schema->n_windows = 0)
SPOIL(no_activity_windows, schema->n_activity_windows = 0)
SPOIL(mean_of_rating, schema->activity_of = of_rating)
SPOIL(mean_twice, (schema->activity_of = of_twice, schema->n_activity_of = 2))

static const spoiler spoilers[] = {
    {"market", no_market},
    {"late_days", late},
    {"bond_features", no_bond_features},
    {"1 to 128 bytes", bad_name},
    {"1 to 128 bytes", space_name},
    {"column", column_name},
    {"derived", derived_name},
    {"twice", same_name},
    {"group", bad_group},
    {"preferences", investor_preference},
    {"max_values", no_max},
    {"max_values", many_max},
    {"bins", one_bin},
    {"ordinal", ordinal_open},
    {"no list", flag_listed},
    {"twice", same_window},
    {"activity_windows_days", negative_window},
    {"windows_days", no_windows},
    {"activity_windows_days", no_activity_windows},
    {"continuous", mean_of_rating},
    {"twice", mean_twice},
};

Test(market_schema, every_unusable_declaration_is_refused_with_its_cause)
{
    memset(long_name, 'x', sizeof long_name - 1);
    cr_assert_eq(br_schema_check(fixture_schema()), BR_OK);
    for (size_t i = 0; i < sizeof spoilers / sizeof spoilers[0]; i++) {
        br_schema schema = *fixture_schema();
        br_feature bond[4], investor[2];
        memcpy(bond, schema.bond_features, sizeof bond);
        memcpy(investor, schema.investor_features, sizeof investor);
        schema.bond_features = bond;
        schema.investor_features = investor;
        spoilers[i].spoil(&schema, bond, investor);
        cr_assert_eq(br_schema_check(&schema), BR_ERR_INVALID, "%zu: %s", i, spoilers[i].says);
        cr_assert_not_null(strstr(br_why(BR_ERR_INVALID), spoilers[i].says), "%zu: %s", i, br_why(BR_ERR_INVALID));
    }
}

Test(market_schema, names_are_read_back)
{
    for (int i = 0; i < BR_ACTIVITY_COUNT; i++) {
        br_activity activity = BR_ACTIVITY_COUNT;
        cr_assert_eq(br_activity_parse(&activity, br_activity_name((br_activity)i)), BR_OK);
        cr_assert_eq((int)activity, i);
    }
    br_feature_kind kind = BR_KIND_FLAG;
    br_feature_group group = BR_GROUP_BOND;
    cr_assert_eq(br_feature_kind_parse(&kind, "ordinal"), BR_OK);
    cr_assert_eq(kind, BR_KIND_ORDINAL);
    cr_assert_eq(br_feature_group_parse(&group, "ability"), BR_OK);
    cr_assert_eq(group, BR_GROUP_ABILITY);
    cr_assert_eq(br_feature_kind_parse(&kind, "Ordinal"), BR_ERR_INVALID);
    cr_assert_not_null(strstr(br_why(BR_ERR_INVALID), "categorical, ordinal, continuous, flag"));
}

Test(market_schema, its_text_names_all_it_declares)
{
    BR_AUTO_DEINIT(br_buf) text = {0};
    br_schema schema = *fixture_schema();
    schema.history_until = DAY("2024-02-03");
    char value[] = "yes";
    br_sample_weight weights[] = {{.feature = 3, .value = value, .weight = 2.5}};
    schema.preference_measure = BR_PREFERENCE_COUNT;
    schema.sample_weights = weights;
    schema.n_sample_weights = 1;
    cr_assert_eq(br_schema_check(&schema), BR_OK);
    br_schema_write(&schema, &text);
    static const char *const parts[] = {"preference_measure: count\n",
                                        "sample_weights:\n  - {feature: \"listed\", value: \"yes\", weight: 2.5}\n",
                                        "market: \"test\"\n",
                                        "windows_days: [30, ever]\n",
                                        "activity_windows_days: [10, 91, ever]\n",
                                        "activity_of: [\"coupon\"]\n",
                                        "history_until: \"2024-02-03\"\n",
                                        "values: [\"AAA\", \"AA\", \"A\"]\n",
                                        "preference: true\n",
                                        "label: {en: \"bond rating\", zh: \"债项评级\"}\n",
                                        "group: ability\n",
                                        "bins: 3\n",
                                        "max_values: 2\n",
                                        "activity_features: [frequency, amount,"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        cr_assert_not_null(strstr(br_buf_text(&text), parts[i]), "%s in\n%s", parts[i], br_buf_text(&text));
    }
}

Test(market_row, amounts_are_exact_to_four_decimals)
{
    static const struct {
        const char *text;
        int64_t amount;
    } right[] = {{"0", 0},      {"12", 120000},        {"12.5", 125000},
                 {"0.0001", 1}, {"1.23450000", 12345}, {"922337203685477.5807", INT64_MAX}};
    static const char *const wrong[] = {"",
                                        "-1",
                                        "+1",
                                        "1e3",
                                        "1.",
                                        ".5",
                                        "1.00001",
                                        "1,000",
                                        "1 ",
                                        "nan",
                                        "922337203685477.5808",
                                        "99999999999999999999"};
    int64_t amount = 0;
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        cr_assert_eq(br_amount_parse(&amount, right[i].text, strlen(right[i].text)), BR_OK, "%s", right[i].text);
        cr_assert_eq(amount, right[i].amount, "%s", right[i].text);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cr_assert_eq(br_amount_parse(&amount, wrong[i], strlen(wrong[i])), BR_ERR_INVALID, "%s", wrong[i]);
    }
}

Test(market_row, numbers_are_whole_texts_and_finite)
{
    static const char *const right[] = {"1", "-2.5", "+.5", "5.", "1e-3", "1E+3", "0"};
    static const double values[] = {1, -2.5, .5, 5, 1e-3, 1e3, 0};
    static const char *const wrong[] = {"",      " 1", "1 ", "nan", "inf", "0x10", "1e",
                                        "1e999", ".",  "-",  "1,5", "1e+", "--1"};
    double number = 0;
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        cr_assert_eq(br_number_parse(&number, right[i], strlen(right[i])), BR_OK, "%s", right[i]);
        cr_assert(number == values[i], "%s", right[i]);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cr_assert_eq(br_number_parse(&number, wrong[i], strlen(wrong[i])), BR_ERR_INVALID, "%s", wrong[i]);
    }
}

static void expect_problem(br_row row, const char *column_name)
{
    br_row_problem problem = {.column = "", .reason = ""};
    cr_assert(!br_row_check(fixture_schema(), &row, &problem), "%s", column_name);
    cr_assert_str_eq(problem.column, column_name, "%s: %s", problem.column, problem.reason);
    cr_assert_gt(strlen(problem.reason), 0);
}

Test(market_row, each_wrong_column_is_named)
{
    br_row_problem problem;
    br_row right = fixture_bond("B1", "S1", "2024-01-01", "2024-01-10");
    fixture_set(&right, "rating", "AA");
    fixture_set(&right, "coupon", "3.5");
    fixture_set(&right, "listed", "TRUE");
    fixture_set(&right, "industry", "");
    fixture_set(&right, "unheard of", "x");
    cr_assert(br_row_check(fixture_schema(), &right, &problem));
    static const char *const wrong[][2] = {{"rating", "B"},   {"rating", "aa"},    {"coupon", "3,5"},
                                           {"coupon", "inf"}, {"listed", "maybe"}, {"industry", "a\tb"}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        br_row row = fixture_bond("B1", "S1", "2024-01-01", "2024-01-10");
        fixture_set(&row, wrong[i][0], wrong[i][1]);
        expect_problem(row, wrong[i][0]);
    }
    br_row row = fixture_bond("B1", "S1", "2024-01-01", "2024-01-10");
    fixture_set(&row, "rating", "AA");
    fixture_set(&row, "rating", "AA");
    expect_problem(row, "rating");
    expect_problem(fixture_bond("", "S1", "2024-01-01", "2024-01-10"), "bond_id");
    expect_problem(fixture_bond("B\n", "S1", "2024-01-01", "2024-01-10"), "bond_id");
    expect_problem(fixture_bond("B1", NULL, "2024-01-01", "2024-01-10"), "issuer_id");
    expect_problem(fixture_bond("B1", "\xff", "2024-01-01", "2024-01-10"), "issuer_id");
    expect_problem(fixture_bond("B1", "S1", "2024-01-11", "2024-01-10"), "issue_date");
    row = fixture_bid("b", "B1", "I1", "2024-01-01");
    row.known_from = row.day;
    expect_problem(row, "known_from");
    row = fixture_bid("b", "B1", "I1", "2024-01-01");
    row.amount = -2;
    expect_problem(row, "amount");
    row = fixture_bid("b", "B1", "I1", "2024-01-01");
    row.rate = (double)INFINITY;
    expect_problem(row, "rate");
    char id[BR_MAX_ID_BYTES + 2];
    memset(id, 'x', sizeof id - 1);
    id[sizeof id - 1] = '\0';
    expect_problem(fixture_investor(id, "2024-01-01"), "investor_id");
    cr_assert(br_row_check(fixture_schema(), &(br_row){.kind = BR_ROW_CLOSE_DAY, .day = 1}, &problem));
    expect_problem((br_row){.kind = BR_ROW_CLOSE_DAY, .day = BR_DAY_NONE}, "day");
    expect_problem((br_row){.kind = BR_ROW_SCHEMA}, "");
}

static void expect_note_problem(br_note note, const char *bond_id, const char *where)
{
    expect_problem((br_row){.kind = BR_ROW_NOTE, .bond_id = bond_id, .note = &note}, where);
}

Test(market_row, notes_are_checked)
{
    static const br_note good = {.user = "\xE7\x8E\x8B", .topic = BR_TOPIC_ACTION};
    char text[BR_MAX_VALUE_BYTES + 2];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    const char *const long_id = text + sizeof text - 2 - BR_MAX_ID_BYTES;
    br_row_problem problem;
    br_note note = good;
    note.time_ms = 253402300799999; // the last of the year 9999
    note.value = text + 1;
    note.subject = long_id + 1;
    cr_assert(br_row_check(NULL, &(br_row){.kind = BR_ROW_NOTE, .note = &note}, &problem), "%s", problem.column);
    expect_problem((br_row){.kind = BR_ROW_NOTE}, "note");
    expect_note_problem(good, "a\n", "bond_id");
    expect_note_problem(good, long_id, "bond_id");
#define WRONG(column, ...)                                                                                             \
    do {                                                                                                               \
        note = good;                                                                                                   \
        note.__VA_ARGS__;                                                                                              \
        expect_note_problem(note, "", column);                                                                         \
    } while (0)
    WRONG("user", user = NULL);
    WRONG("user", user = "");
    WRONG("user", user = long_id);
    WRONG("user", user = "a\x7f");
    WRONG("subject", subject = long_id);
    WRONG("subject", subject = "\xff");
    WRONG("value", value = text);
    WRONG("value", value = "a\rb");
    WRONG("version", version = long_id);
    WRONG("topic", topic = BR_TOPIC_END);
    WRONG("topic", topic = (br_topic)0);
    WRONG("time", time_ms = -1);
    WRONG("time", time_ms = 253402300800000);
#undef WRONG
    for (int topic = BR_TOPIC_CALL; topic < BR_TOPIC_END; topic++) {
        cr_assert_eq(br_topic_find(br_topic_name((br_topic)topic)), topic);
    }
    cr_assert_eq(br_topic_find(""), BR_TOPIC_END);
}

static void expect_vote(const char *x, const char *y, const char *value, const char *where)
{
    const br_note note = {.user = "mei", .topic = BR_TOPIC_PAIR, .subject = x, .value = value};
    const br_row row = {.kind = BR_ROW_NOTE, .issuer_id = y, .note = &note};
    br_row_problem problem;
    if (where == NULL) {
        cr_assert(br_row_check(NULL, &row, &problem), "%s: %s", problem.column, problem.reason);
    } else {
        expect_problem(row, where);
    }
}

Test(market_row, a_vote_on_a_pair_has_two_issuers_and_a_word)
{
    static const char *const values[] = {"yes", "no", "skip", ""};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        expect_vote("S1", "S2", values[i], NULL);
    }
    expect_vote("S1", "S2", "Yes", "value");
    expect_vote("S1", "S2", NULL, "value");
    expect_vote("S1", "S1", "yes", "subject");
    expect_vote("", "S1", "yes", "subject");
    expect_vote(NULL, "S1", "yes", "subject");
    expect_vote("S1", "", "yes", "issuer_id");
    expect_vote("S1", NULL, "yes", "issuer_id");
    expect_vote("S1", "S\n2", "yes", "issuer_id");
}

Test(market_row, keys_differ_where_rows_speak_of_different_things)
{
    br_row rows[] = {
        fixture_bond("x", "S", "2024-01-01", "2024-01-02"),
        fixture_investor("x", "2024-01-01"),
        fixture_investor("x", "2024-01-02"),
        fixture_bid("x", "B", "I", "2024-01-01"),
        fixture_bid("xB", "", "I", "2024-01-01"),
    };
    br_buf keys[5] = {{0}};
    for (size_t i = 0; i < 5; i++) {
        br_row_key(&rows[i], &keys[i]);
        for (size_t k = 0; k < i; k++) {
            cr_assert(keys[i].length != keys[k].length || memcmp(keys[i].data, keys[k].data, keys[i].length) != 0);
        }
    }
    for (size_t i = 0; i < 5; i++) {
        br_buf_deinit(&keys[i]);
    }
}
