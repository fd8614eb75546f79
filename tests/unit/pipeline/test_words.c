// Reasons in words: what people read says what the numbers say.

#include "pipeline/words.h"

#include <criterion/criterion.h>
#include <string.h>

// Fields own their texts, so that they are no literals.
#define TEXT(text) ((char[]){text})

static char *levels[] = {TEXT("(no bids)"), TEXT("none"), TEXT("low"), TEXT("medium"), TEXT("high"), TEXT("very high")};
static char *types[] = {TEXT("(missing)"), TEXT("bank"), TEXT("fund")};
static char *ratings[] = {TEXT("(missing)"), TEXT("AAA")};
static char *bins[] = {TEXT("(missing)"), TEXT("up to 2.5"), TEXT("2.5 to 4"), TEXT("above 4")};
static char *lengths[] = {TEXT("(no bids)"), TEXT("very short"), TEXT("short"),
                          TEXT("medium"),    TEXT("long"),       TEXT("very long")};

static br_field fields[] = {
    {.name = TEXT("rating"),
     .group = BR_GROUP_BOND,
     .n_values = 2,
     .value_names = ratings,
     .window_days = -1,
     .bond_field = UINT32_MAX},
    {.name = TEXT("pref.rating.AAA.365"),
     .source = BR_SOURCE_PREFERENCE,
     .bond_field = 0,
     .bond_code = 1,
     .group = BR_GROUP_PREFERENCE,
     .n_values = 6,
     .value_names = levels,
     .window_days = 365,
     .label = {.en = TEXT("prefers rating AAA, last year"), .zh = TEXT("近一年偏好AAA")}},
    {.name = TEXT("org"),
     .group = BR_GROUP_ATTRIBUTE,
     .n_values = 3,
     .value_names = types,
     .window_days = -1,
     .bond_field = UINT32_MAX},
    {.name = TEXT("recency"),
     .source = BR_SOURCE_ACTIVITY,
     .group = BR_GROUP_ABILITY,
     .n_values = 6,
     .value_names = lengths,
     .window_days = -1,
     .bond_field = UINT32_MAX,
     .label = {.en = TEXT("time since the last bid"), .zh = TEXT("距上次投标")}},
    {.name = TEXT("assets"),
     .kind = BR_KIND_CONTINUOUS,
     .group = BR_GROUP_ABILITY,
     .n_values = 4,
     .value_names = bins,
     .window_days = -1,
     .bond_field = UINT32_MAX},
};
static const br_encoder encoder = {.fields = fields, .n_fields = 5, .n_bond_fields = 1};

static const char *past(uint32_t n_bids, bool own_issuer, br_language language)
{
    static br_buf text;
    const br_past_bid bid = {.issuer = "Bank of X", .n_bids = n_bids, .last = 20514};
    br_buf_clear(&text);
    br_past_sentence(&text, &bid, own_issuer, language);
    return br_buf_text(&text);
}

Test(pipeline_words, past_bids_are_counted_and_dated)
{
    cr_expect_str_eq(past(3, false, BR_LANGUAGE_EN), "3 bids on bonds of Bank of X, the last on 2026-03-02.");
    cr_expect_str_eq(past(1, false, BR_LANGUAGE_EN), "1 bid on a bond of Bank of X, on 2026-03-02.");
    cr_expect_str_eq(past(2, true, BR_LANGUAGE_EN),
                     "2 bids on earlier bonds of Bank of X, the same issuer, the last on 2026-03-02.");
    cr_expect_str_eq(past(3, false, BR_LANGUAGE_ZH), "曾投标 Bank of X 的债券 3 次，最近一次为 2026-03-02。");
    cr_expect_str_eq(past(1, true, BR_LANGUAGE_ZH), "曾投标本债券发行人 Bank of X 的债券 1 次，时间为 2026-03-02。");
}

static const char *tag(uint32_t field, uint8_t code, br_language language)
{
    static br_buf text;
    br_buf_clear(&text);
    br_reason_tag(&text, &encoder, field, code, language);
    return br_buf_text(&text);
}

static const char *sentence(br_reason reason, br_language language)
{
    static br_buf text;
    br_buf_clear(&text);
    br_reason_sentence(&text, &encoder, &reason, BR_REASON_FOR, language);
    return br_buf_text(&text);
}

Test(pipeline_words, a_tag_is_label_and_value)
{
    cr_expect_str_eq(tag(2, 2, BR_LANGUAGE_EN), "time since the last bid: short");
    cr_expect_str_eq(tag(2, 2, BR_LANGUAGE_ZH), "距上次投标：短");
    cr_expect_str_eq(tag(3, 2, BR_LANGUAGE_EN), "assets: 2.5 to 4");
    cr_expect_str_eq(tag(3, 1, BR_LANGUAGE_ZH), "assets：至多 2.5");
    cr_expect_str_eq(tag(3, 2, BR_LANGUAGE_ZH), "assets：2.5 至 4");
    cr_expect_str_eq(tag(3, 3, BR_LANGUAGE_ZH), "assets：高于 4");
    cr_expect_str_eq(tag(1, 2, BR_LANGUAGE_EN), "org: fund", "without a label the name serves");
    cr_expect_str_eq(tag(1, 2, BR_LANGUAGE_ZH), "org：fund", "the data's own words stay as they are");
}

Test(pipeline_words, a_preference_is_said_as_strongly_as_it_is)
{
    static const char *const en[] = {"no bids at all, so none on rating AAA, last year",
                                     "avoids rating AAA, last year",
                                     "seldom bids on rating AAA, last year",
                                     "bids on rating AAA, last year",
                                     "prefers rating AAA, last year",
                                     "strongly prefers rating AAA, last year"};
    for (uint8_t code = 0; code < 6; code++) {
        cr_expect_str_eq(tag(0, code, BR_LANGUAGE_EN), en[code]);
    }
    cr_expect_str_eq(tag(0, 4, BR_LANGUAGE_ZH), "近一年偏好rating：AAA");
    cr_expect_str_eq(tag(0, 0, BR_LANGUAGE_ZH), "近一年无投标（rating：AAA）");
}

Test(pipeline_words, a_sentence_tells_a_loss_as_a_loss_and_a_gain_as_none)
{
    br_reason reason = {.field = 0, .code = 4, .gain = 0.35f, .backing = 17.8f, .bids = 412};
    const char *text = sentence(reason, BR_LANGUAGE_EN);
    cr_expect(strstr(text, "the odds of a bid fall by 30 %.") != NULL, "%s", text);
    cr_expect(strstr(text, "bid 2.8 times as often") != NULL && strstr(text, "2.5 to 3.1; 412 bids") != NULL, "%s",
              text);
    reason.gain = -0.07f;
    text = sentence(reason, BR_LANGUAGE_EN);
    cr_expect(strstr(text, "fall by") == NULL && strstr(text, "do not fall") != NULL, "%s", text);
    reason.gain = 0.001f;
    cr_expect(strstr(sentence(reason, BR_LANGUAGE_EN), "odds") == NULL, "less than half a per cent is not told");
}

Test(pipeline_words, a_reason_against_says_what_it_would_take)
{
    static br_buf text;
    br_reason against = {.field = 1, .code = 2, .gain = -0.3f};
    br_reason_sentence(&text, &encoder, &against, BR_REASON_AGAINST, BR_LANGUAGE_EN);
    cr_expect_str_eq(br_buf_text(&text), "org: fund. Seen as well, it lowers the odds of a bid by 26 %.");
}

Test(pipeline_words, a_record_that_does_not_back_the_reason_is_not_claimed_to)
{
    br_reason reason = {.field = 0, .code = 4, .gain = 0.35f, .backing = -1.5f, .bids = 35};
    cr_expect(strstr(sentence(reason, BR_LANGUAGE_EN), "chance") == NULL);
    cr_expect(strstr(sentence(reason, BR_LANGUAGE_ZH), "随机") == NULL);
}

Test(pipeline_words, categories_are_the_papers_three)
{
    cr_expect_str_eq(br_reason_category(&encoder, 0), "preference");
    cr_expect_str_eq(br_reason_category(&encoder, 1), "attribute");
}
