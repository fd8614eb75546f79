#include "pipeline/words.h"

#include "model/record.h"

#include <math.h>
#include <string.h>

#define N_LEVELS 6 // codes of a derived field, see market/encoder.h

static const br_field *field_of(const br_encoder *encoder, uint32_t investor_field)
{
    br_assert(investor_field < br_encoder_n_investor_fields(encoder));
    return &encoder->fields[encoder->n_bond_fields + investor_field];
}

static const char *label_of(const br_field *field, br_language language)
{
    const char *label = language == BR_LANGUAGE_ZH ? field->label.zh : field->label.en;
    if (label == NULL) {
        label = field->label.en;
    }
    return label == NULL ? field->name : label;
}

// Levels and flags are the system's own words; every other value is the data's and stays as it was written.
static const char *chinese_value(const br_field *field, uint8_t code)
{
    static const char *const levels[][2] = {{"(no bids)", "无投标"}, {"none", "无"},         {"very low", "很低"},
                                            {"low", "低"},           {"medium", "中"},       {"high", "高"},
                                            {"very high", "很高"},   {"very short", "很短"}, {"short", "短"},
                                            {"long", "长"},          {"very long", "很长"}};
    if (field->kind == BR_KIND_FLAG && (code == 1 || code == 2)) {
        return code == 1 ? "否" : "是";
    }
    for (size_t i = 0; i < sizeof levels / sizeof levels[0] && field->source >= BR_SOURCE_ACTIVITY; i++) {
        if (strcmp(field->value_names[code], levels[i][0]) == 0) {
            return levels[i][1];
        }
    }
    return field->value_names[code];
}

// Bins are named by the system, too: "up to 2", "2 to 4", "above 4".
static void put_chinese_bin(br_buf *out, const char *name)
{
    const char *middle = strstr(name, " to ");
    if (strncmp(name, "up to ", 6) == 0) {
        br_buf_printf(out, "至多 %s", name + 6);
    } else if (strncmp(name, "above ", 6) == 0) {
        br_buf_printf(out, "高于 %s", name + 6);
    } else if (middle != NULL) {
        br_buf_append(out, name, (size_t)(middle - name));
        br_buf_printf(out, " 至 %s", middle + 4);
    } else {
        br_buf_string(out, name);
    }
}

static void put_value(br_buf *out, const br_field *field, uint8_t code, br_language language)
{
    if (code >= field->n_values) {
        br_buf_char(out, '?');
    } else if (language == BR_LANGUAGE_EN) {
        br_buf_string(out, field->value_names[code]);
    } else if (field->kind == BR_KIND_CONTINUOUS) {
        put_chinese_bin(out, field->value_names[code]);
    } else {
        br_buf_string(out, chinese_value(field, code));
    }
}

// How an investor's bids of the window went to bonds with the value: by code, the value's place is %s.
static const char *const preferences[N_LEVELS][2] = {
    {"no bids at all, so none on %s", "无投标（%s）"},
    {"avoids %s", "未投%s"},
    {"seldom bids on %s", "少投%s"},
    {"bids on %s", "投过%s"},
    {"prefers %s", "偏好%s"},
    {"strongly prefers %s", "强烈偏好%s"},
};

static void preference_tag(br_buf *out, const br_encoder *encoder, const br_field *field, uint8_t code, bool chinese)
{
    const br_field *bond_field = &encoder->fields[field->bond_field];
    const char *text = preferences[code][chinese ? 1 : 0];
    size_t before = strcspn(text, "%");
    char window[BR_WINDOW_TEXT];
    br_window_text(field->window_days, chinese, window);
    if (chinese) {
        br_buf_string(out, window);
    }
    br_buf_append(out, text, before);
    br_language language = chinese ? BR_LANGUAGE_ZH : BR_LANGUAGE_EN;
    br_buf_string(out, label_of(bond_field, language));
    br_buf_string(out, chinese ? "：" : bond_field->kind == BR_KIND_FLAG ? ": " : " ");
    put_value(out, bond_field, (uint8_t)field->bond_code, language);
    br_buf_string(out, text + before + 2);
    if (!chinese) {
        br_buf_printf(out, ", %s", window);
    }
}

void br_reason_tag(br_buf *out, const br_encoder *encoder, uint32_t investor_field, uint8_t code, br_language language)
{
    const br_field *field = field_of(encoder, investor_field);
    bool chinese = language == BR_LANGUAGE_ZH;
    if (br_field_is_preference(field) && code < N_LEVELS) {
        preference_tag(out, encoder, field, code, chinese);
        return;
    }
    br_buf_string(out, label_of(field, language));
    br_buf_string(out, chinese ? "：" : ": ");
    put_value(out, field, code, language);
}

// A record within two sigmas of chance says nothing.
static const float BACKED_SIGMAS = 2.0f;

/// By how many per cent the odds fall when this much log-odds is taken; at most 99.
static int percent_of_odds(double loss)
{
    double percent = 100.0 * (1.0 - exp(-loss));
    return percent > 99.0 ? 99 : (int)(percent + 0.5);
}

static void record_sentence(br_buf *out, const br_reason *reason, br_language language)
{
    br_record_times t = br_record_times_of((double)reason->backing, reason->bids);
    br_buf_printf(
        out,
        language == BR_LANGUAGE_ZH
            ? "。此类投资者对此类债券的投标是随机预期的 %.1f 倍（95%%：%.1f 至 %.1f；%u 次投标）"
            : ". Investors like this bid %.1f times as often on such bonds as chance would have it (95 %%: %.1f "
              "to %.1f; %u bids)",
        t.times, t.low, t.high, reason->bids);
}

static void sentence_for(br_buf *out, const br_reason *reason, br_language language)
{
    bool chinese = language == BR_LANGUAGE_ZH;
    int falls = percent_of_odds((double)reason->gain);
    int rises = percent_of_odds(-(double)reason->gain);
    if (falls > 0) {
        br_buf_printf(
            out, chinese ? "。去掉这一条，投标的胜算（odds）下降 %d%%" : ". Without it the odds of a bid fall by %d %%",
            falls);
    } else if (rises > 0) {
        br_buf_printf(out, chinese ? "。去掉这一条，投标的胜算（odds）并不下降"
                                   : ". Without it the odds of a bid do not fall");
    }
    if (reason->backing >= BACKED_SIGMAS) {
        record_sentence(out, reason, language);
    }
    br_buf_string(out, chinese ? "。" : ".");
}

static void sentence_against(br_buf *out, const br_reason *reason, br_language language)
{
    br_buf_printf(out,
                  language == BR_LANGUAGE_ZH ? "。若一并考虑，投标的胜算（odds）将下降 %d%%。"
                                             : ". Seen as well, it lowers the odds of a bid by %d %%.",
                  percent_of_odds(-(double)reason->gain));
}

void br_reason_sentence(br_buf *out, const br_encoder *encoder, const br_reason *reason, br_reason_role role,
                        br_language language)
{
    br_reason_tag(out, encoder, reason->field, reason->code, language);
    if (role == BR_REASON_AGAINST) {
        sentence_against(out, reason, language);
    } else {
        sentence_for(out, reason, language);
    }
}

void br_past_sentence(br_buf *out, const br_past_bid *past, bool own_issuer, br_language language)
{
    char day[BR_DAY_TEXT];
    br_day_text(past->last, day);
    if (language == BR_LANGUAGE_ZH) {
        br_buf_printf(out, own_issuer ? "曾投标本债券发行人 %s 的债券 %u 次" : "曾投标 %s 的债券 %u 次", past->issuer,
                      past->n_bids);
        br_buf_printf(out, past->n_bids == 1 ? "，时间为 %s。" : "，最近一次为 %s。", day);
        return;
    }
    bool once = past->n_bids == 1;
    br_buf_printf(out, "%u %s%s of %s%s, %son %s.", past->n_bids, once ? "bid on " : "bids on ",
                  once ? (own_issuer ? "an earlier bond" : "a bond") : (own_issuer ? "earlier bonds" : "bonds"),
                  past->issuer, own_issuer ? ", the same issuer" : "", once ? "" : "the last ", day);
}

const char *br_reason_category(const br_encoder *encoder, uint32_t investor_field)
{
    return br_feature_group_name(field_of(encoder, investor_field)->group);
}
