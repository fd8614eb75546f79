#include "pipeline/judged.h"

#include "base/alloc.h"
#include "metrics/hrd.h"
#include "metrics/rationality.h"
#include "pipeline/meanings.h"

#include <math.h>

struct br_judged_lists {
    const br_topics *topics;
    uint32_t n_fields;          // of an investor
    br_field_meaning *meanings; // [n_fields]
    double *mean_levels;        // [n_fields]
    br_buf claims;              // br_claim [...]
    uint32_t n_bonds;
    uint64_t n_sets;
    uint64_t n_diverse; // sets that have a diversity
    double diversity;   // sums
    uint64_t n_others;  // sets that have an esv of others
    double esv, esv_others;
};

br_status br_judged_lists_new(br_judged_lists **out, const br_encoder *encoder, const br_topics *topics)
{
    BR_AUTO(br_judged_lists) *lists = br_calloc(1, sizeof *lists);
    if (lists == NULL) {
        return br_no_memory("lists to judge", 1);
    }
    lists->topics = topics;
    lists->n_fields = br_encoder_n_investor_fields(encoder);
    lists->meanings = br_calloc(lists->n_fields, sizeof *lists->meanings);
    lists->mean_levels = br_calloc(lists->n_fields, sizeof *lists->mean_levels);
    if (lists->meanings == NULL || lists->mean_levels == NULL) {
        return br_no_memory("fields", lists->n_fields);
    }
    br_field_meanings(lists->meanings, encoder);
    *out = lists;
    lists = NULL;
    return BR_OK;
}

void br_judged_lists_free(br_judged_lists **lists)
{
    if (lists == NULL || *lists == NULL) {
        return;
    }
    br_buf_deinit(&(*lists)->claims);
    br_free((*lists)->meanings);
    br_free((*lists)->mean_levels);
    br_free(*lists);
    *lists = NULL;
}

// What one bond's explanations need while they are judged.
typedef struct judging {
    uint32_t *investors;  // [n]
    uint32_t *fields;     // [n, n_reasons]
    uint8_t *codes;       // [n_reasons] of one set
    br_sufficiency *each; // [n]
} judging;

static void judging_deinit(judging *j)
{
    br_free(j->investors);
    br_free(j->fields);
    br_free(j->codes);
    br_free(j->each);
}

static br_status copy_sets(const br_judged_lists *lists, judging *j, const br_job_body *job, const br_result *result)
{
    uint32_t n = result->n_explanations;
    uint32_t k = job->n_reasons;
    j->investors = br_calloc(n, sizeof *j->investors);
    j->fields = br_calloc((size_t)n * k, sizeof *j->fields);
    j->codes = br_calloc(k, 1);
    j->each = br_calloc(n, sizeof *j->each);
    if (j->investors == NULL || j->fields == NULL || j->codes == NULL || j->each == NULL) {
        return br_no_memory("explanations to judge", n);
    }
    for (uint32_t i = 0; i < n; i++) {
        const br_explanation *explanation = &result->explanations[i];
        if (explanation->n_reasons != k || explanation->investor >= job->n_population) {
            return br_fail(BR_ERR_INVALID, "explanation %u does not fit its job", i);
        }
        j->investors[i] = explanation->investor;
        for (uint32_t r = 0; r < k; r++) {
            uint32_t field = explanation->reasons[r].field;
            if (field >= lists->n_fields) {
                return br_fail(BR_ERR_INVALID, "explanation %u: field %u of %u", i, field, lists->n_fields);
            }
            j->fields[(size_t)i * k + r] = field;
        }
    }
    return BR_OK;
}

static void add_sets(br_judged_lists *lists, const judging *j, const br_explained_bond *bond)
{
    br_sufficiency_of(j->each, bond);
    for (uint32_t i = 0; i < bond->n_sets; i++) {
        const uint32_t *fields = bond->fields + (size_t)i * bond->n_reasons;
        for (uint32_t r = 0; r < bond->n_reasons; r++) {
            j->codes[r] = br_explained_code(bond, bond->investors[i], fields[r]);
        }
        double diversity = br_topics_diversity(lists->topics, fields, j->codes, bond->n_reasons);
        if (!isnan(diversity)) {
            lists->diversity += diversity;
            lists->n_diverse++;
        }
        if (!isnan(j->each[i].esv_others)) {
            lists->esv_others += j->each[i].esv_others;
            lists->n_others++;
        }
        lists->esv += j->each[i].esv;
        lists->n_sets++;
    }
}

br_status br_judged_lists_add(br_judged_lists *lists, const br_job_body *job, const br_result *result,
                              const uint8_t *codes, const uint8_t *bids)
{
    judging j = {.investors = NULL};
    br_status status = copy_sets(lists, &j, job, result);
    if (status == BR_OK) {
        const br_explained_bond bond = {
            .meanings = lists->meanings,
            .codes = codes,
            .eligible = job->eligible,
            .bids = bids,
            .bond_codes = job->bond_codes.data,
            .n_investors = job->n_population,
            .n_fields = lists->n_fields,
            .n_sets = result->n_explanations,
            .n_reasons = job->n_reasons,
            .investors = j.investors,
            .fields = j.fields,
        };
        br_mean_levels(lists->mean_levels, codes, job->eligible, job->n_population, lists->n_fields);
        add_sets(lists, &j, &bond);
        br_claims_append(&lists->claims, &bond, lists->n_bonds++, lists->mean_levels);
        status = lists->claims.failed ? br_no_memory("reasons", lists->claims.length) : BR_OK;
    }
    judging_deinit(&j);
    return status;
}

static double mean(double sum, uint64_t n)
{
    return n == 0 ? (double)NAN : sum / (double)n;
}

br_status br_judged_lists_figures(const br_judged_lists *lists, br_judged *out)
{
    br_rationality rationality;
    br_status status = br_rationality_of(&rationality, (const br_claim *)(const void *)lists->claims.data,
                                         lists->claims.length / sizeof(br_claim), BR_ALL_BONDS);
    if (status != BR_OK) {
        return status;
    }
    double diversity = mean(lists->diversity, lists->n_diverse);
    *out = (br_judged){
        .n_sets = lists->n_sets,
        .rationality = rationality.pooled,
        .diversity = diversity,
        .hrd = br_hrd(rationality.pooled, diversity),
        .aesv = mean(lists->esv, lists->n_sets),
        .aesv_others = mean(lists->esv_others, lists->n_others),
    };
    return BR_OK;
}
