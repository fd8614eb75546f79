#include "certify.h"

#include "base/alloc.h"
#include "pipeline/recommend.h"
#include "table.h"

#include <math.h>
#include <string.h>

typedef struct certifying {
    const explained *e;
    br_served *served;
    uint8_t *codes; ///< of the list's population
    br_population_info population;
    br_explain_context *context;
    table rows;
} certifying;

static void certifying_deinit(certifying *c)
{
    br_explain_context_free(&c->context);
    br_served_free(&c->served);
    br_free(c->codes);
    table_deinit(&c->rows);
}

static br_status prepare(certifying *c, stores *s)
{
    const br_job_body *job = &c->e->job;
    if (c->e->outcome.state != BR_JOB_DONE) {
        return br_fail(BR_ERR_NOT_FOUND, "bond %s has no reasons that could be certified", c->e->list.bond_id);
    }
    br_status status =
        br_recommendations_get_population(s->recommendations, &job->population, &c->codes, &c->population);
    if (status == BR_OK && c->population.n != job->n_population) {
        status = br_fail(BR_ERR_CORRUPT, "the job scores %u investors, its population has %u", job->n_population,
                         c->population.n);
    }
    if (status == BR_OK) {
        status = br_served_load(&c->served, s->models, job->version);
    }
    return status == BR_OK ? br_job_context(&c->context, c->served, job, c->codes, c->population.n_investor_fields)
                           : status;
}

static void add_field(certifying *c, const br_explanation *explanation, uint32_t field)
{
    const br_encoder *encoder = c->served->snapshot->encoder;
    BR_AUTO_DEINIT(br_buf) tag = {0};
    if (field == UINT32_MAX) {
        table_text(&c->rows, NULL);
        return;
    }
    const uint8_t *codes = c->codes + (size_t)explanation->investor * c->population.n_investor_fields;
    br_reason_tag(&tag, encoder, field, codes[field], BR_LANGUAGE_EN);
    table_text(&c->rows, br_buf_text(&tag));
}

static br_status certify(certifying *c, uint32_t entry, const br_explanation *explanation)
{
    uint32_t selected[BR_MAX_REASONS];
    for (uint32_t k = 0; k < explanation->n_reasons; k++) {
        selected[k] = explanation->reasons[k].field;
    }
    br_certificate certificate;
    br_status status = br_explain_certify(c->context, explanation->investor, selected, &certificate);
    if (status != BR_OK) {
        return status;
    }
    bool optimal = certificate.gain <= (double)BR_EXPLAIN_GAIN;
    table_whole(&c->rows, entry + 1);
    table_text(&c->rows, c->e->list.entries[entry].investor_id);
    table_flag(&c->rows, explanation->certified);
    table_flag(&c->rows, optimal);
    table_number(&c->rows, isfinite(certificate.gain) ? certificate.gain : (double)NAN, 5);
    add_field(c, explanation, optimal ? UINT32_MAX : certificate.leaves);
    add_field(c, explanation, optimal ? UINT32_MAX : certificate.enters);
    return BR_OK;
}

exit_code certify_explained(const explained *e, stores *s, const char *investor, output_format format)
{
    BR_AUTO_DEINIT(certifying)
    c = {
        .e = e,
        .rows = {.columns =
                     (const char *const[]){"rank", "investor", "stored", "swap_optimal", "best_swap_gain", "out", "in"},
                 .n_columns = 7},
    };
    br_presented presented = explained_presented(e, investor);
    br_status status = prepare(&c, s);
    for (uint32_t i = 0; i < e->list.n_entries && status == BR_OK; i++) {
        const br_explanation *explanation = br_present_explanation(&presented, i);
        bool wanted = investor == NULL || strcmp(investor, e->list.entries[i].investor_id) == 0;
        if (wanted && explanation != NULL) {
            status = certify(&c, i, explanation);
        }
    }
    return status == BR_OK ? table_print(&c.rows, format, stdout) : cli_failed(status, "explain");
}
