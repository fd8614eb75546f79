#include "search_audit.h"

#include "base/alloc.h"
#include "explain/exhaustive.h"

typedef struct room {
    float *state;
    float *scratch;
    float *gradient;  // [n]
    uint32_t *fields; // [n] the audited ones first, then all others
} room;

static br_status room_init(room *r, const br_collapsed *collapsed)
{
    uint32_t n = br_collapsed_n_investor_fields(collapsed);
    r->state = br_calloc_aligned(br_collapsed_state_floats(collapsed), sizeof *r->state);
    r->scratch = br_calloc_aligned(br_collapsed_scratch_floats(collapsed), sizeof *r->scratch);
    r->gradient = br_calloc(n, sizeof *r->gradient);
    r->fields = br_calloc(n, sizeof *r->fields);
    bool complete = r->state != NULL && r->scratch != NULL && r->gradient != NULL && r->fields != NULL;
    return complete ? BR_OK : br_no_memory("fields to audit", n);
}

static void room_deinit(room *r)
{
    br_free(r->state);
    br_free(r->scratch);
    br_free(r->gradient);
    br_free(r->fields);
}

// Brings the steepest to the front.
static void choose(room *r, const br_explain_bond *bond, const uint8_t *codes)
{
    uint32_t n = br_collapsed_n_investor_fields(bond->collapsed);
    for (uint32_t j = 0; j < n; j++) {
        r->fields[j] = j;
    }
    br_collapsed_bond(bond->collapsed, bond->codes, r->state);
    br_collapsed_add_hidden(bond->collapsed, r->state);
    br_collapsed_gate_gradient(bond->collapsed, r->state, codes, r->fields, n, r->gradient, r->scratch);
    for (uint32_t place = 0; place < SEARCH_AUDIT_FIELDS; place++) {
        uint32_t best = place;
        for (uint32_t i = place + 1; i < n; i++) {
            best = r->gradient[r->fields[i]] > r->gradient[r->fields[best]] ? i : best;
        }
        uint32_t field = r->fields[best];
        r->fields[best] = r->fields[place];
        r->fields[place] = field;
    }
}

static br_status audit(room *r, const br_explain_bond *bond, const br_population *population, uint32_t investor,
                       double *loss_out)
{
    uint32_t n = br_collapsed_n_investor_fields(bond->collapsed);
    const uint8_t *codes = population->codes + (size_t)investor * n;
    choose(r, bond, codes);
    br_explain_options options = br_explain_options_default();
    options.objective = BR_OBJECTIVE_PLAIN;
    options.banned = r->fields + SEARCH_AUDIT_FIELDS;
    options.n_banned = n - SEARCH_AUDIT_FIELDS;
    BR_AUTO(br_explain_context) *context = NULL;
    br_explanation explanation;
    float best = 0.0f;
    br_status status = br_explain_context_new(&context, bond, population, &options);
    if (status == BR_OK) {
        status = br_explain(context, investor, NULL, &explanation);
    }
    if (status == BR_OK) {
        status = br_explain_best_of_all(bond->collapsed, bond->codes, codes, r->fields, SEARCH_AUDIT_FIELDS,
                                        options.n_reasons, &best);
    }
    if (status == BR_OK) {
        *loss_out = (double)best - explanation.objective;
    }
    return status;
}

br_status search_audit(const br_explain_bond *bond, const br_population *population, uint32_t investor,
                       double *loss_out)
{
    if (br_collapsed_n_investor_fields(bond->collapsed) < SEARCH_AUDIT_FIELDS) {
        return br_fail(BR_ERR_INVALID, "the search is audited among %d investor fields, there are fewer",
                       SEARCH_AUDIT_FIELDS);
    }
    room r = {0};
    br_status status = room_init(&r, bond->collapsed);
    if (status == BR_OK) {
        status = audit(&r, bond, population, investor, loss_out);
    }
    room_deinit(&r);
    return status;
}
