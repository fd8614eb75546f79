#include "desk.h"

#include <string.h>

const char *bond_state(const br_market *market, uint32_t bond)
{
    const br_bond *b = br_market_bond(market, bond);
    br_day today = br_market_business_day(market);
    if (today == BR_DAY_NONE || b->issue_day <= today) {
        return "issued"; // without a closed day the market is a folder of the past
    }
    return b->announce_day <= today ? "upcoming" : "announced";
}

const listed_bond *bond_listed(const desk *self, uint32_t bond)
{
    const char *id = br_market_bond_id(br_follower_market(self->follower), bond);
    uint32_t number = self->listed_ids == NULL ? BR_INDEX_NONE : br_index_find(self->listed_ids, id, strlen(id));
    return number == BR_INDEX_NONE ? NULL : &self->listed[number];
}

static bool passes(const desk *self, const br_market *market, const bond_filter *filter, uint32_t bond)
{
    const char *state = bond_state(market, bond);
    if (filter->state != NULL) {
        return strcmp(state, filter->state) == 0;
    }
    return strcmp(state, "upcoming") == 0 || bond_listed(self, bond) != NULL;
}

uint32_t bonds_select(const desk *self, const bond_filter *filter, uint32_t *out, uint32_t *total_out)
{
    const br_market *market = br_follower_market(self->follower);
    uint32_t total = 0;
    uint32_t n = 0;
    for (uint32_t i = self->n_bonds; i > 0; i--) {
        uint32_t bond = self->bonds[i - 1];
        if (!passes(self, market, filter, bond)) {
            continue;
        }
        if (total >= filter->offset && n < filter->limit) {
            out[n++] = bond;
        }
        total++;
    }
    *total_out = total;
    return n;
}

static void value_json(br_buf *out, const br_market *market, uint32_t bond, uint32_t feature)
{
    const br_feature *f = &br_market_schema(market)->bond_features[feature];
    br_raw_value value = br_market_bond_value(market, bond, feature);
    br_buf_json_string(out, f->name, strlen(f->name));
    br_buf_string(out, ": ");
    if (f->kind == BR_KIND_CONTINUOUS) {
        br_buf_json_number(out, value.number);
    } else if (value.value == BR_INDEX_NONE) {
        br_buf_string(out, "null");
    } else {
        const char *text = br_index_text(br_market_bond_strings(market, feature), value.value);
        br_buf_json_string(out, text, strlen(text));
    }
}

static void features_json(br_buf *out, const br_market *market, uint32_t bond)
{
    uint32_t n = br_market_schema(market)->n_bond_features;
    br_buf_string(out, ", \"features\": {");
    for (uint32_t i = 0; i < n; i++) {
        br_buf_string(out, i == 0 ? "" : ", ");
        value_json(out, market, bond, i);
    }
    br_buf_char(out, '}');
}

void bond_json(br_buf *out, const desk *self, uint32_t bond, bool with_features)
{
    const br_market *market = br_follower_market(self->follower);
    const br_bond *b = br_market_bond(market, bond);
    const listed_bond *list = bond_listed(self, bond);
    char day[BR_DAY_TEXT];
    br_buf_char(out, '{');
    json_member(out, "id", br_market_bond_id(market, bond));
    br_buf_string(out, ", ");
    json_member(out, "issuer", br_market_issuer_id(market, b->issuer));
    br_buf_string(out, ", ");
    json_member(out, "announce_date", br_day_text(b->announce_day, day));
    br_buf_string(out, ", ");
    json_member(out, "issue_date", br_day_text(b->issue_day, day));
    br_buf_string(out, ", ");
    json_member(out, "state", bond_state(market, bond));
    br_buf_printf(out, ", \"cancelled\": %s, \"list\": ", b->cancelled ? "true" : "false");
    if (list == NULL) {
        br_buf_string(out, "null");
    } else {
        br_buf_printf(out, "{\"as_of\": \"%s\", \"investors\": %u, \"backtest\": %s, \"pending\": %s, \"dead\": %s}",
                      br_day_text(list->as_of, day), list->n_entries, list->backtest ? "true" : "false",
                      list->pending ? "true" : "false", list->dead ? "true" : "false");
    }
    if (with_features) {
        features_json(out, market, bond);
    }
    br_buf_char(out, '}');
}
