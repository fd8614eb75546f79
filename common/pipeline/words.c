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

void br_reason_sentence(br_buf *out, const br_encoder *encoder, const br_reason *reason, br_language language)
{
    br_reason_tag(out, encoder, reason->field, reason->code, language);
    bool backed = reason->bids > 0;
    double gain = (double)reason->gain, backing = (double)reason->backing;
    if (language == BR_LANGUAGE_ZH) {
        br_buf_printf(out, "。去掉这一条，估计值下降 %.2f（对数几率）。", gain);
        if (backed) {
            br_buf_printf(out, "历史记录：具有该特征的投资者对此类债券投标 %u 次，与随机预期相差 %+.1f σ。", reason->bids, backing);
        }
        return;
    }
    br_buf_printf(out, ". Without it the estimate falls by %.2f (log-odds).", gain);
    if (backed) {
        br_buf_printf(out, " On record: investors like this bid %u times on such bonds, %+.1f sigma against chance.",
                      reason->bids, backing);
    }
}

const char *br_reason_category(const br_encoder *encoder, uint32_t investor_field)
{
    return br_feature_group_name(field_of(encoder, investor_field)->group);
}
