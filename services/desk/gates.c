// The gates of one search by gradient, step by step, free and with one field held shut (the paper's Figure 4).

#include "compute.h"
#include "pipeline/gate_curves.h"

#include <string.h>

static void series_json(br_buf *out, const char *name, const double *values, uint32_t n)
{
    br_buf_printf(out, ", \"%s\": [", name);
    for (uint32_t i = 0; i < n; i++) {
        br_buf_string(out, i == 0 ? "" : ", ");
        br_buf_json_number(out, values == NULL ? 0.0 : values[i]);
    }
    br_buf_char(out, ']');
}

static void curve_json(br_buf *out, const errand *e, const list_question *q, uint32_t investor, uint32_t field,
                       const double *free_gate, const double *held_gate, uint32_t n)
{
    const br_encoder *encoder = q->asked.served->snapshot->encoder;
    uint8_t code = q->asked.codes[(size_t)investor * br_encoder_n_investor_fields(encoder) + field];
    BR_AUTO_DEINIT(br_buf) tag = {0};
    br_reason_tag(&tag, encoder, field, code, e->language);
    br_buf_char(out, '{');
    json_member(out, "field", encoder->fields[encoder->n_bond_fields + field].name);
    br_buf_string(out, ", ");
    json_member(out, "tag", br_buf_text(&tag));
    series_json(out, "free", free_gate, n);
    series_json(out, "held", held_gate, n);
    br_buf_char(out, '}');
    out->failed = out->failed || tag.failed;
}

static void gates_json(br_buf *out, const errand *e, const list_question *q, const br_gate_curves *curves)
{
    const br_encoder *encoder = q->asked.served->snapshot->encoder;
    uint32_t n = curves->n_steps + 1;
    br_buf_char(out, '{');
    json_member(out, "bond", e->bond);
    br_buf_string(out, ", ");
    json_member(out, "investor", e->investor);
    br_buf_string(out, ", ");
    json_member(out, "snapshot", q->body.version);
    br_buf_string(out, ", ");
    json_member(out, "hold", encoder->fields[encoder->n_bond_fields + curves->suppressor].name);
    br_buf_string(out, ", \"steps\": [");
    for (uint32_t i = 0; i < n; i++) {
        br_buf_printf(out, "%s%u", i == 0 ? "" : ", ", i);
    }
    br_buf_string(out, "], \"curves\": [\n ");
    curve_json(out, e, q, curves->investor, curves->suppressor, curves->free_suppressor, NULL, n);
    br_buf_string(out, ",\n ");
    curve_json(out, e, q, curves->investor, curves->suppressed, curves->free_suppressed, curves->held_suppressed, n);
    br_buf_string(out, "]}\n");
}

static uint32_t find_field(const br_encoder *encoder, const char *name)
{
    for (uint32_t j = encoder->n_bond_fields; j < encoder->n_fields; j++) {
        if (strcmp(encoder->fields[j].name, name) == 0) {
            return j - encoder->n_bond_fields;
        }
    }
    return UINT32_MAX;
}

void work_gates(const errand *e, br_arena *arena, br_http_answer *answer)
{
    list_question q;
    br_gate_curves curves = {0};
    uint32_t investor = 0;
    br_status status = compute_open(e->desk, arena, e->bond, &q);
    while (status == BR_OK && investor < q.body.n_population && strcmp(q.asked.ids[investor], e->investor) != 0) {
        investor++;
    }
    if (status == BR_OK && investor == q.body.n_population) {
        status = br_fail(BR_ERR_NOT_FOUND, "the investor was not known on the day of the list");
    }
    if (status == BR_OK && q.asked.served->snapshot->facts.unmasked) {
        status = br_fail(BR_ERR_INVALID, "the snapshot was trained without masks: no gate can be shut");
    }
    if (status != BR_OK) {
        compute_failed(answer, status);
        return;
    }
    uint32_t hold = e->field[0] == '\0' ? UINT32_MAX : find_field(q.asked.served->snapshot->encoder, e->field);
    if (e->field[0] != '\0' && hold == UINT32_MAX) {
        br_http_problem(answer, 422, "Unknown field", "hold names no investor field of the snapshot");
        return;
    }
    const br_method_list list = {
        .bond_codes = q.body.bond_codes.data,
        .population = {q.asked.codes, q.body.scores, q.body.eligible, q.body.n_population},
        .investors = &investor,
        .n = 1,
        .key = q.bond,
    };
    status = br_gate_curves_of(&curves, q.asked.served, &list, q.body.n_reasons,
                               br_service_config(e->desk->service)->study.seed, hold);
    if (status == BR_OK) {
        gates_json(&answer->body, e, &q, &curves);
        br_gate_curves_deinit(&curves);
        answer_finish(answer);
    } else {
        compute_failed(answer, status);
    }
}
