#include "pipeline/words.h"

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

// The five levels are the system's own words; every other value is the data's and stays as it was written.
static const char *value_of(const br_field *field, uint8_t code, br_language language)
{
    static const char *const zh_levels[] = {"无记录", "无", "低", "中", "高", "很高"};
    if (code >= field->n_values) {
        return "?";
    }
    bool derived = field->group == BR_GROUP_PREFERENCE || field->window_days >= 0;
    if (language == BR_LANGUAGE_ZH && derived && field->n_values <= 6) {
        return zh_levels[code];
    }
    return field->value_names[code];
}

void br_reason_tag(br_buf *out, const br_encoder *encoder, uint32_t investor_field, uint8_t code, br_language language)
{
    const br_field *field = field_of(encoder, investor_field);
    br_buf_string(out, label_of(field, language));
    br_buf_string(out, language == BR_LANGUAGE_ZH ? "：" : ": ");
    br_buf_string(out, value_of(field, code, language));
}

// A record within two sigmas of chance says nothing.
static const float BACKED_SIGMAS = 2.0f;
// Less would be told as 0.00.
static const double TOLD_GAIN = 0.005;

static void sentence_en(br_buf *out, const br_reason *reason)
{
    double gain = (double)reason->gain;
    if (gain >= TOLD_GAIN) {
        br_buf_printf(out, ". Without it the estimate (log-odds) falls by %.2f", gain);
    } else if (gain <= -TOLD_GAIN) {
        br_buf_printf(out, ". Without it the estimate (log-odds) rises by %.2f", -gain);
    }
    if (reason->backing >= BACKED_SIGMAS) {
        br_buf_printf(out,
                      ". Investors like this bid more on such bonds than chance would have it: %u bids, %.1f sigma",
                      reason->bids, (double)reason->backing);
    }
    br_buf_char(out, '.');
}

static void sentence_zh(br_buf *out, const br_reason *reason)
{
    double gain = (double)reason->gain;
    if (gain >= TOLD_GAIN || gain <= -TOLD_GAIN) {
        br_buf_printf(out, "。去掉这一条，估计值（对数几率）%s %.2f", gain > 0 ? "下降" : "上升",
                      gain > 0 ? gain : -gain);
    }
    if (reason->backing >= BACKED_SIGMAS) {
        br_buf_printf(out, "。此类投资者对此类债券的投标多于随机预期：%u 次，%.1f σ", reason->bids,
                      (double)reason->backing);
    }
    br_buf_string(out, "。");
}

static void sentence_against(br_buf *out, const br_reason *reason, br_language language)
{
    br_buf_printf(out,
                  language == BR_LANGUAGE_ZH ? "。若一并考虑，估计值（对数几率）将下降 %.2f。"
                                             : ". Seen as well, it would lower the estimate (log-odds) by %.2f.",
                  -(double)reason->gain);
}

void br_reason_sentence(br_buf *out, const br_encoder *encoder, const br_reason *reason, br_reason_role role,
                        br_language language)
{
    br_reason_tag(out, encoder, reason->field, reason->code, language);
    if (role == BR_REASON_AGAINST) {
        sentence_against(out, reason, language);
    } else if (language == BR_LANGUAGE_ZH) {
        sentence_zh(out, reason);
    } else {
        sentence_en(out, reason);
    }
}

const char *br_reason_category(const br_encoder *encoder, uint32_t investor_field)
{
    return br_feature_group_name(field_of(encoder, investor_field)->group);
}
