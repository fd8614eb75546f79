#include "pipeline/what_if.h"

#include "rank/rank.h"

#include <math.h>
#include <string.h>

uint32_t br_asked_place(const br_asked *asked, uint32_t investor)
{
    const br_job_body *body = asked->body;
    return br_rank_place(body->scores, body->eligible, asked->id_order, body->n_population, investor);
}

double br_asked_probability(const br_asked *asked, uint32_t investor)
{
    return br_snapshot_probability(asked->served->snapshot, (double)asked->body->scores[investor]);
}

br_job_body br_asked_for(const br_asked *asked, const uint32_t *investor)
{
    br_job_body body = *asked->body;
    body.investors = investor;
    body.n_investors = 1;
    body.past = NULL;
    return body;
}

br_status br_bond_value_code(const br_encoder *encoder, const br_bond_value *value, uint32_t *field_out,
                             uint8_t *code_out)
{
    for (uint32_t i = 0; i < encoder->n_bond_fields; i++) {
        const br_field *field = &encoder->fields[i];
        if (strcmp(field->name, value->feature) != 0) {
            continue;
        }
        *field_out = i;
        *code_out = 0;
        if (value->kind == BR_VALUE_MISSING) {
            return BR_OK;
        }
        bool continuous = field->kind == BR_KIND_CONTINUOUS;
        if (continuous != (value->kind == BR_VALUE_NUMBER)) {
            return br_fail(BR_ERR_INVALID, "%.100s takes a %s", field->name, continuous ? "number" : "text");
        }
        *code_out = continuous ? br_field_number_code(field, value->number) : br_field_text_code(field, value->text);
        return *code_out != 0
                   ? BR_OK
                   : br_fail(BR_ERR_INVALID, "%.100s has no value of this kind that the model knows", field->name);
    }
    return br_fail(BR_ERR_INVALID, "the model knows no bond feature \"%.100s\"", value->feature);
}

static br_status fill_entries(br_list *list, br_arena *arena, const br_asked *asked, const br_job_body *body)
{
    list->entries = br_arena_calloc(arena, body->n_investors, sizeof *list->entries);
    if (list->entries == NULL && body->n_investors > 0) {
        return br_no_memory("list entries", body->n_investors);
    }
    list->n_entries = body->n_investors;
    for (uint32_t i = 0; i < body->n_investors; i++) {
        uint32_t investor = body->investors[i];
        float logit = body->scores[investor];
        list->entries[i] = (br_list_entry){
            .investor_id = asked->ids[investor],
            .investor = investor,
            .logit = logit,
            .probability = br_snapshot_probability(asked->served->snapshot, (double)logit),
        };
    }
    return BR_OK;
}

br_status br_what_if(br_list *list_out, br_job_body *body_out, br_arena *arena, const br_asked *asked,
                     const uint8_t *bond_codes, uint32_t n_top)
{
    uint32_t n = asked->body->n_population;
    br_job_body body = *asked->body;
    float *scores = br_arena_calloc(arena, n, sizeof *scores);
    uint32_t *top = br_arena_calloc(arena, n_top, sizeof *top);
    uint8_t *codes = br_arena_alloc(arena, body.bond_codes.n);
    if (scores == NULL || (top == NULL && n_top > 0) || codes == NULL) {
        return br_no_memory("scores", n);
    }
    memcpy(codes, bond_codes, body.bond_codes.n);
    br_status status = br_halves_score(asked->halves, asked->codes, codes, scores);
    for (uint32_t i = 0; i < n && status == BR_OK; i++) {
        status = isfinite(scores[i]) ? BR_OK : br_fail(BR_ERR_INVALID, "the model gives no number for such a bond");
    }
    if (status != BR_OK) {
        return status;
    }
    body.scores = scores;
    body.bond_codes.data = codes;
    body.investors = top;
    body.past = NULL;
    body.n_investors = br_rank_top(scores, body.eligible, asked->id_order, n, n_top, top);
    *list_out = (br_list){.bond_id = "", .as_of = body.as_of, .version = body.version, .population = body.population};
    for (uint32_t i = 0; i < n; i++) {
        list_out->n_eligible += body.eligible[i] != 0;
    }
    *body_out = body;
    return fill_entries(list_out, arena, asked, body_out);
}
