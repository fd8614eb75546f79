#include "pipeline/earlier.h"

#include "metrics/stability.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void br_earlier_reader_deinit(br_earlier_reader *reader)
{
    for (uint32_t i = 0; i < BR_EARLIER_ENCODERS; i++) {
        br_encoder_free(&reader->encoders[i]);
    }
}

br_status br_earlier_job(br_recommendations *store, br_arena *arena, const char *bond_id, br_day as_of, br_hash *out,
                         bool *found_out)
{
    br_list list;
    br_status status = br_recommendations_live_list(store, arena, bond_id, as_of - 1, &list);
    *found_out = status == BR_OK && list.has_job;
    if (*found_out) {
        *out = list.job_id;
    }
    return status == BR_ERR_NOT_FOUND ? BR_OK : status;
}

// --- fields of one snapshot and of another ---

static br_status encoder_of(br_earlier_reader *reader, const char *version, const br_encoder **out)
{
    for (uint32_t i = 0; i < BR_EARLIER_ENCODERS; i++) {
        if (reader->encoders[i] != NULL && strcmp(reader->versions[i], version) == 0) {
            *out = reader->encoders[i];
            return BR_OK;
        }
    }
    BR_AUTO(br_snapshot) *snapshot = NULL;
    br_status status = br_snapshots_load(&snapshot, reader->models, version);
    if (status != BR_OK) {
        return status;
    }
    uint32_t at = reader->next;
    reader->next = (at + 1) % BR_EARLIER_ENCODERS;
    br_encoder_free(&reader->encoders[at]);
    reader->encoders[at] = snapshot->encoder;
    snapshot->encoder = NULL;
    snprintf(reader->versions[at], sizeof reader->versions[at], "%s", version);
    *out = reader->encoders[at];
    return BR_OK;
}

void br_earlier_translate(const br_encoder *from, const br_encoder *to, uint32_t *to_out)
{
    uint32_t n_from = br_encoder_n_investor_fields(from);
    uint32_t n_to = br_encoder_n_investor_fields(to);
    for (uint32_t j = 0; j < n_from; j++) {
        const char *name = from->fields[from->n_bond_fields + j].name;
        to_out[j] = BR_FIELD_GONE;
        for (uint32_t i = 0; i < n_to && to_out[j] == BR_FIELD_GONE; i++) {
            // Most fields stay where they were.
            uint32_t at = (i + j) % n_to;
            to_out[j] = strcmp(name, to->fields[to->n_bond_fields + at].name) == 0 ? at : BR_FIELD_GONE;
        }
    }
}

// [*n_out] what a field of `from` is in `to`; NULL: the same.
static br_status field_map(br_earlier_reader *reader, br_arena *arena, const char *from, const char *to, uint32_t **out,
                           uint32_t *n_out)
{
    *out = NULL;
    *n_out = BR_MAX_FIELDS;
    if (strcmp(from, to) == 0) {
        return BR_OK;
    }
    const br_encoder *then = NULL;
    const br_encoder *now = NULL;
    br_status status = encoder_of(reader, from, &then);
    if (status == BR_OK) {
        status = encoder_of(reader, to, &now);
    }
    if (status != BR_OK) {
        return status;
    }
    *n_out = br_encoder_n_investor_fields(then);
    *out = br_arena_calloc(arena, *n_out, sizeof **out);
    if (*out == NULL) {
        return br_no_memory("investor fields", *n_out);
    }
    br_earlier_translate(then, now, *out);
    return BR_OK;
}

// --- the sets ---

static const br_explanation *find_explanation(const br_result *result, uint32_t investor, uint32_t n_reasons)
{
    for (uint32_t i = 0; i < result->n_explanations; i++) {
        if (result->explanations[i].investor == investor) {
            return result->explanations[i].n_reasons == n_reasons ? &result->explanations[i] : NULL;
        }
    }
    return NULL;
}

// Of a set in other fields, too.
static void fill_set(uint32_t *set, const br_explanation *was, uint32_t k, const uint32_t *map, uint32_t n_map)
{
    for (uint32_t i = 0; i < k; i++) {
        uint32_t field = was == NULL ? BR_NO_FIELD : was->reasons[i].field;
        if (was != NULL && (map != NULL || field >= n_map)) {
            field = field < n_map ? map[field] : BR_FIELD_GONE;
        }
        set[i] = field;
    }
}

static br_status fill(br_earlier *out, br_arena *arena, const br_job_body *body, const br_result *before,
                      const uint32_t *map, uint32_t n_map)
{
    uint32_t k = body->n_reasons;
    out->fields = br_arena_calloc(arena, (size_t)body->n_investors * k, sizeof *out->fields);
    if (out->fields == NULL) {
        return br_no_memory("earlier reasons", body->n_investors);
    }
    out->n = body->n_investors;
    out->n_reasons = k;
    for (uint32_t i = 0; i < out->n; i++) {
        const br_explanation *was = find_explanation(before, body->investors[i], k);
        fill_set(out->fields + (size_t)i * k, was, k, map, n_map);
    }
    return BR_OK;
}

br_status br_earlier_read(br_earlier *out, br_earlier_reader *reader, br_arena *arena, const br_job_body *body,
                          const br_hash *before)
{
    *out = (br_earlier){.as_of = BR_DAY_NONE};
    if (before == NULL) {
        return BR_OK;
    }
    bool todo = false;
    br_status status = br_recommendations_is_todo(reader->store, before, &todo);
    if (status != BR_OK || todo) {
        return status != BR_OK ? status : BR_ERR_AGAIN;
    }
    br_result result;
    br_job_body job;
    status = br_recommendations_result(reader->store, arena, before, &result);
    if (status == BR_OK) {
        status = br_recommendations_job(reader->store, arena, before, &job);
    }
    if (status != BR_OK || job.n_reasons != body->n_reasons) {
        return status == BR_ERR_NOT_FOUND ? BR_OK : status; // it is dead, or has nothing that could be compared
    }
    uint32_t *map = NULL;
    uint32_t n_map = 0;
    status = field_map(reader, arena, job.version, body->version, &map, &n_map);
    out->as_of = job.as_of;
    return status == BR_OK ? fill(out, arena, body, &result, map, n_map) : status;
}

br_status br_earlier_of_list(br_earlier *out, br_earlier_reader *reader, br_arena *arena, const br_list *list,
                             const br_job_body *body)
{
    bool found = false;
    br_hash before;
    *out = (br_earlier){.as_of = BR_DAY_NONE};
    br_status status = BR_OK;
    if (list->has_job && !list->backtest) {
        status = br_earlier_job(reader->store, arena, list->bond_id, list->as_of, &before, &found);
    }
    if (status == BR_OK && found) {
        status = br_earlier_read(out, reader, arena, body, &before);
        out->awaited = out->n == 0;
        status = status == BR_ERR_NO_MEMORY ? status : BR_OK;
    }
    return status;
}

static bool is_whole(const uint32_t *set, uint32_t k)
{
    for (uint32_t i = 0; i < k; i++) {
        bool twice = false;
        for (uint32_t j = 0; j < i; j++) {
            twice = twice || set[j] == set[i];
        }
        if (set[i] >= BR_FIELD_GONE || twice) {
            return false;
        }
    }
    return true;
}

br_status br_earlier_start(const uint32_t **out, br_arena *arena, const br_earlier *earlier)
{
    *out = NULL;
    if (earlier->n == 0) {
        return BR_OK;
    }
    uint32_t k = earlier->n_reasons;
    size_t n = (size_t)earlier->n * k;
    uint32_t *start = br_arena_calloc(arena, n, sizeof *start);
    if (start == NULL) {
        return br_no_memory("warm starts", n);
    }
    for (size_t i = 0; i < n; i += k) {
        bool whole = is_whole(earlier->fields + i, k);
        for (uint32_t j = 0; j < k; j++) {
            start[i + j] = whole ? earlier->fields[i + j] : BR_NO_FIELD;
        }
        *out = whole ? start : *out;
    }
    return BR_OK;
}

// --- comparing ---

// The set of the i-th investor, or NULL.
static const uint32_t *set_before(const br_earlier *earlier, uint32_t i, uint32_t k)
{
    const uint32_t *set = i < earlier->n && k == earlier->n_reasons ? earlier->fields + (size_t)i * k : NULL;
    return set == NULL || set[0] == BR_NO_FIELD ? NULL : set;
}

uint32_t br_earlier_n_kept(const br_earlier *earlier, const br_explanation *explanation, uint32_t i)
{
    uint32_t k = explanation->n_reasons;
    const uint32_t *before = set_before(earlier, i, k);
    uint32_t n = 0;
    for (uint32_t at = 0; at < k * k && before != NULL; at++) {
        n += explanation->reasons[at / k].field == before[at % k];
    }
    return before == NULL ? BR_NO_FIELD : n;
}

double br_earlier_stability(const br_earlier *earlier, const br_result *result, uint32_t *n_out)
{
    double sum = 0.0;
    *n_out = 0;
    for (uint32_t i = 0; i < result->n_explanations; i++) {
        const br_explanation *explanation = &result->explanations[i];
        const uint32_t *before = set_before(earlier, i, explanation->n_reasons);
        uint32_t now[BR_MAX_REASONS];
        for (uint32_t k = 0; k < explanation->n_reasons; k++) {
            now[k] = explanation->reasons[k].field;
        }
        if (before != NULL) {
            sum += br_stability(before, now, 1, explanation->n_reasons);
            *n_out += 1;
        }
    }
    return *n_out == 0 ? (double)NAN : sum / *n_out;
}
