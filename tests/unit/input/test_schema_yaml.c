/// Goal: schema.yaml becomes the schema it declares, or an error that names file, line and cause.
/// Method: one document with every key; then the same document with one word changed.

#include "base/alloc.h"
#include "base/buf.h"
#include "fixture.h"
#include "input/schema_yaml.h"

#include <criterion/criterion.h>
#include <string.h>

Test(input_schema_yaml, every_key_arrives)
{
    br_schema *schema = NULL;
    cr_assert_eq(br_schema_read(&schema, "s", fixture_schema, strlen(fixture_schema)), BR_OK, "%s",
                 br_why(BR_ERR_INVALID));
    cr_assert_str_eq(schema->market, "test-market");
    cr_assert_eq(schema->revision, 3);
    cr_assert_eq(schema->late_days, 7);
    cr_assert_eq(schema->history_until, br_day_from_civil(2019, 1, 1));
    cr_assert_eq(schema->n_windows, 3);
    cr_assert_eq(schema->windows_days[1], 365);
    cr_assert_eq(schema->windows_days[2], BR_WINDOW_EVER);
    cr_assert_eq(schema->n_activity_windows, 2);
    cr_assert_eq(schema->activity_windows_days[1], 91);
    cr_assert(schema->activity[BR_ACTIVITY_FREQUENCY] && schema->activity[BR_ACTIVITY_TENURE]);
    cr_assert_not(schema->activity[BR_ACTIVITY_AMOUNT]);
    cr_assert_eq(schema->n_activity_of, 1);
    cr_assert_eq(schema->activity_of[0], 2);
    cr_assert_eq(schema->preference_measure, BR_PREFERENCE_COUNT);
    cr_assert_eq(schema->n_sample_weights, 2);
    cr_assert_eq(schema->sample_weights[1].feature, 3);
    cr_assert_str_eq(schema->sample_weights[1].value, "yes");
    cr_assert_eq(schema->sample_weights[1].weight, 2.5);
    cr_assert_eq(schema->n_bond_features, 4);
    const br_feature *rating = &schema->bond_features[0];
    cr_assert_eq(rating->kind, BR_KIND_ORDINAL);
    cr_assert_eq(rating->group, BR_GROUP_BOND);
    cr_assert_eq(rating->n_values, 4);
    cr_assert_str_eq(rating->values[2], "no", "words of YAML stay text");
    cr_assert_str_eq(rating->values[3], "3");
    cr_assert(rating->preference);
    cr_assert_str_eq(rating->label.zh, "债项评级");
    cr_assert_null(schema->bond_features[1].label.en);
    cr_assert_eq(schema->bond_features[1].max_values, 20);
    cr_assert_eq(schema->bond_features[2].n_bins, 12);
    cr_assert_eq(schema->bond_features[0].n_bins, BR_DEFAULT_BINS);
    cr_assert_eq(schema->investor_features[0].group, BR_GROUP_ABILITY);
    cr_assert_eq(schema->yaml_bytes, strlen(fixture_schema));
    cr_assert_str_eq(schema->yaml, fixture_schema);
    br_schema_free(&schema);
}

Test(input_schema_yaml, what_is_left_out_has_its_default)
{
    const char *yaml = "market: m\nwindows_days: [30]\nbond_features:\n- {name: a, kind: categorical}\n"
                       "investor_features:\n- {name: b, kind: flag}\n";
    br_schema *schema = NULL;
    cr_assert_eq(br_schema_read(&schema, "s", yaml, strlen(yaml)), BR_OK, "%s", br_why(BR_ERR_INVALID));
    cr_assert_eq(schema->late_days, BR_DEFAULT_LATE_DAYS);
    cr_assert_eq(schema->revision, 0);
    cr_assert_eq(schema->history_until, BR_DAY_NONE);
    cr_assert_null(schema->date_format);
    cr_assert_eq(schema->n_activity_windows, 1);
    cr_assert_eq(schema->activity_windows_days[0], 30);
    cr_assert_eq(schema->bond_features[0].max_values, BR_DEFAULT_MAX_VALUES);
    cr_assert_eq(schema->investor_features[0].group, BR_GROUP_ATTRIBUTE);
    cr_assert_not(schema->bond_features[0].preference);
    br_schema_free(&schema);
}

static void replace(br_buf *out, const char *text, const char *old, const char *new)
{
    const char *at = strstr(text, old);
    br_assert(at != NULL);
    br_buf_clear(out);
    br_buf_append(out, text, (size_t)(at - text));
    br_buf_string(out, new);
    br_buf_string(out, at + strlen(old));
}

Test(input_schema_yaml, a_wrong_word_is_an_error_with_line_and_cause)
{
    static const struct {
        const char *old;
        const char *new;
        const char *place;
        const char *cause;
    } cases[] = {
        {"bins: 12", "bin: 12", "s line 17, column 5", "bin"},
        {"bins: 12", "bins: twelve", "s line 17", "twelve"},
        {"bins: 12", "bins: -1", "s line 17", "-1"},
        {"bins: 12", "bins: 12\n    bins: 13", "s line 18, column 5", "already seen: bins"},
        {"bins: 12", "bins: 1", "s line 15", "bins is 1"},
        {"preference: true", "preference: maybe", "s line 10", "maybe"},
        {"kind: flag", "kind: flug", "s line 19", "flug"},
        {"[30, 365, ever]", "[30, never]", "s line 5", "never"},
        {"[30, 365, ever]", "[30, -3]", "s line 5", "-3"},
        {"[30, 365, ever]", "[30, 30]", "s line 5", "twice"},
        {"[30, 365, ever]", "{a: 1}", "s line 5", "MAPPING"},
        {"late_days: 7", "late_days: 4000000000", "s line 3", "late_days"},
        {"2019-01-01", "2019-02-30", "s line 4", "2019-02-30"},
        {"feature: rating", "feature: ratings", "s line 28", "ratings"},
        {"value: AA+", "value: BBB", "s line 28", "BBB"},
        {"feature: rating", "feature: coupon", "s line 28", "coupon"},
        {"weight: 5", "weight: 0", "s line 28", "weight"},
        {"activity_of: [coupon]", "activity_of: [cupon]", "s line 26", "cupon"},
        {"activity_of: [coupon]", "activity_of: [rating]", "s line 26", "rating"},
        {"[frequency, tenure]", "[frequency, tenor]", "s line 24", "tenor"},
        {"[frequency, tenure]", "[tenure, tenure]", "s line 24", "tenure twice"},
        {"    values: [AAA, AA+, no, 3]\n", "", "s line 7", "rating"},
        {"name: industry", "name: rating", "s line 6", "twice"},
        {"name: industry", "name: bond_id", "s line 6", "bond_id"},
        {"name: coupon", "name: rating", "s line 26", "coupon"},
        {"group: ability", "preference: true", "s line 23, column 5", "preference"},
        {"market: test-market\n", "", "s line", "market"},
        {"en: bond", "de: bond", "s line 11, column 13", "de"},
        {"en: bond rating", "en: \"bond rating", "s line", "libyaml"},
        {"test-market", "\xFF", "s line 1", "UTF-8"},
    };
    BR_AUTO_DEINIT(br_buf) yaml = {0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        br_schema *schema = NULL;
        replace(&yaml, fixture_schema, cases[i].old, cases[i].new);
        br_status status = br_schema_read(&schema, "s", br_buf_text(&yaml), yaml.length);
        cr_assert_eq(status, BR_ERR_INVALID, "%s", cases[i].new);
        const char *why = br_why(status);
        cr_expect(strncmp(why, cases[i].place, strlen(cases[i].place)) == 0 && strstr(why, cases[i].cause), "%s: %s",
                  cases[i].new, why);
    }
    cr_assert_eq(br_alloc_live(), 1, "only the text of this test lives");
}

Test(input_schema_yaml, every_failing_allocation_is_survived)
{
    size_t n = 0;
    br_status status;
    do {
        br_schema *schema = NULL;
        size_t before = br_alloc_live();
        br_alloc_fail_after(n++);
        status = br_schema_read(&schema, "s", fixture_schema, strlen(fixture_schema));
        br_alloc_fail_after(SIZE_MAX);
        br_schema_free(&schema);
        cr_assert(status == BR_OK || status == BR_ERR_NO_MEMORY, "after %zu: %s", n, br_why(status));
        cr_assert_eq(br_alloc_live(), before, "after %zu", n);
    } while (status != BR_OK);
    cr_assert_gt(n, 30);
}
