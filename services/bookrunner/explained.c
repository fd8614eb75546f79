#include "explained.h"

#include "base/alloc.h"
#include "pipeline/ballot.h"
#include "service/config.h"

#include <stdio.h>
#include <string.h>

#define ARENA_BYTES (32u << 20)

static br_status read_earlier(explained *out, stores *s)
{
    br_earlier_reader reader = {.store = s->recommendations, .models = s->models};
    br_status status = br_earlier_of_list(&out->earlier, &reader, out->arena, &out->list, &out->job);
    br_earlier_reader_deinit(&reader);
    return status;
}

br_status explained_read(explained *out, stores *s, const char *bond_id)
{
    br_status status = out->arena == NULL ? br_arena_new(&out->arena, ARENA_BYTES) : BR_OK;
    if (status != BR_OK) {
        return status;
    }
    br_arena_reset(out->arena);
    status = br_recommendations_list(s->recommendations, out->arena, bond_id, BR_DAY_MAX, &out->list);
    if (status == BR_OK) {
        status = br_recommendations_outcome(s->recommendations, out->arena, &out->list, &out->outcome);
    }
    if (status == BR_OK && out->list.has_job) {
        status = br_recommendations_job(s->recommendations, out->arena, &out->list.job_id, &out->job);
    }
    if (status == BR_OK) {
        status = read_earlier(out, s);
    }
    if (status == BR_OK && strcmp(out->version, out->list.version) != 0) {
        br_snapshot_free(&out->snapshot);
        status = br_snapshots_load(&out->snapshot, s->models, out->list.version);
        snprintf(out->version, sizeof out->version, "%s", status == BR_OK ? out->list.version : "");
    }
    return status;
}

br_presented explained_presented(const explained *e, const char *only_investor)
{
    return (br_presented){.list = &e->list,
                          .outcome = &e->outcome,
                          .encoder = e->snapshot->encoder,
                          .language = BR_LANGUAGE_EN,
                          .only_investor = only_investor,
                          .earlier = &e->earlier,
                          .votes = e->votes,
                          .threshold = e->threshold};
}

br_status explained_votes(explained *out, stores *s)
{
    br_config config;
    br_status status = br_config_load(&config, s->directory);
    if (status == BR_OK) {
        out->threshold = config.item_based.threshold;
        br_votes_free(&out->votes);
        status = br_votes_new(&out->votes);
    }
    return status == BR_OK ? br_ballot_read(out->votes, s->ledger) : status;
}

static void reason_text(br_buf *out, const explained *e, const char *lead, const br_reason *reason, br_reason_role role)
{
    BR_AUTO_DEINIT(br_buf) sentence = {0};
    br_reason_sentence(&sentence, e->snapshot->encoder, reason, role, BR_LANGUAGE_EN);
    br_buf_printf(out, "      %s%s\n", lead, br_buf_text(&sentence));
}

static void past_text(br_buf *out, const explained *e, uint32_t entry)
{
    br_shown_past past[BR_SHOWN_PAST];
    uint32_t n = br_present_past(past, &e->outcome.result, entry, e->votes, e->threshold);
    for (uint32_t i = 0; i < n; i++) {
        BR_AUTO_DEINIT(br_buf) sentence = {0};
        br_past_sentence(&sentence, past[i].past, past[i].own_issuer, BR_LANGUAGE_EN);
        br_buf_printf(out, "      because they bid on %s: %s\n", past[i].past->issuer, br_buf_text(&sentence));
    }
}

static void explanation_text(br_buf *out, const explained *e, uint32_t entry, const br_explanation *explanation)
{
    for (uint32_t i = 0; i < explanation->n_reasons; i++) {
        char lead[16];
        snprintf(lead, sizeof lead, "%u. ", i + 1);
        reason_text(out, e, lead, &explanation->reasons[i], BR_REASON_FOR);
    }
    if (explanation->against.field != UINT32_MAX) {
        reason_text(out, e, "against: ", &explanation->against, BR_REASON_AGAINST);
    }
    past_text(out, e, entry);
    br_buf_printf(out, "      %u other investors share these reasons", explanation->n_matching);
    uint32_t kept = br_earlier_n_kept(&e->earlier, explanation, entry);
    if (kept != BR_NO_FIELD) {
        char day[BR_DAY_TEXT];
        br_buf_printf(out, "; %u of %u as on %s", kept, explanation->n_reasons, br_day_text(e->earlier.as_of, day));
    }
    br_buf_printf(out, "; %s\n",
                  explanation->certified ? "certified: no swap of one reason does better"
                  : e->job.certify       ? "not certified: a swap of one may do better, see --certify"
                                         : "not certified");
}

void explained_text(br_buf *out, const explained *e, const char *only_investor, uint32_t n_investors)
{
    char day[BR_DAY_TEXT];
    br_presented presented = explained_presented(e, only_investor);
    br_buf_printf(out, "Bond %s as of %s: %u of %u eligible investors, snapshot %.12s%s\n", e->list.bond_id,
                  br_day_text(e->list.as_of, day), e->list.n_entries, e->list.n_eligible, e->list.version,
                  e->list.backtest ? "; a backtest, made in hindsight" : "");
    if (e->outcome.state == BR_JOB_DEAD) {
        char job[BR_HASH_TEXT];
        br_hash_text(&e->list.job_id, job);
        br_buf_printf(out, "There are no reasons, %u attempts failed: %s\nTry again: bookrunner jobs retry %s\n",
                      e->outcome.dead.attempts, e->outcome.dead.reason, job);
    }
    for (uint32_t i = 0, shown = 0; i < e->list.n_entries && shown < n_investors; i++) {
        const br_list_entry *entry = &e->list.entries[i];
        if (only_investor != NULL && strcmp(only_investor, entry->investor_id) != 0) {
            continue;
        }
        shown++;
        br_buf_printf(out, "%4u  %s  %.1f %%\n", i + 1, entry->investor_id, 100.0 * entry->probability);
        const br_explanation *explanation = br_present_explanation(&presented, i);
        if (explanation != NULL) {
            explanation_text(out, e, i, explanation);
        }
    }
}

void explained_deinit(explained *e)
{
    br_arena_free(&e->arena);
    br_snapshot_free(&e->snapshot);
    br_votes_free(&e->votes);
}
