#include "base/alloc.h"
#include "base/clock.h"
#include "certify.h"
#include "explain_by_method.h"
#include "explained.h"
#include "progress.h"
#include "requests.h"
#include "table.h"
#include "watch.h"

#include <string.h>

#define ARENA_BYTES (8u << 20)

/// Is there a list that has, or waits for, an explanation?
static br_status has_job(stores *s, const char *bond_id, bool *out)
{
    BR_AUTO(br_arena) *arena = NULL;
    br_status status = br_arena_new(&arena, ARENA_BYTES);
    br_list list;
    if (status == BR_OK) {
        status = br_recommendations_list(s->recommendations, arena, bond_id, BR_DAY_MAX, &list);
    }
    *out = status == BR_OK && list.has_job;
    return status == BR_ERR_NOT_FOUND ? BR_OK : status;
}

static exit_code have_ranked(const arguments *args, const char *bond_id)
{
    BR_AUTO(br_arena) *arena = NULL;
    br_status status = br_arena_new(&arena, ARENA_BYTES);
    if (status != BR_OK) {
        return cli_failed(status, "explain");
    }
    char bond[BR_MAX_ID_BYTES + 1];
    snprintf(bond, sizeof bond, "%s", bond_id);
    char *words[] = {bond};
    arguments request = *args;
    request.words = words;
    request.n_words = 1;
    br_report report = {0};
    return ask_rank(&request, arena, &report);
}

/// Wait until the explanation of the bond's list is there, or given up.
static br_status wait_explained(explained *e, stores *s, const arguments *args)
{
    BR_AUTO(watch) *w = NULL;
    br_status status = watch_new(&w, s->directory, (const char *const[]){"ranker.hints"}, 1);
    if (status == BR_OK) {
        status = explained_read(e, s, args->words[0]);
    }
    progress shown = progress_start("explain", "");
    int64_t started = br_clock_ms();
    while (status == BR_OK && e->outcome.state == BR_JOB_TODO) {
        progress_show(&shown, 0, 0, 0, NULL);
        if ((double)(br_clock_ms() - started) > args->timeout_s * 1000) {
            status = br_fail(BR_ERR_TIMEOUT, "the explanation is still to do after %.0f s; do explainers run?",
                             args->timeout_s);
        }
        if (status == BR_OK) {
            status = watch_wait(w);
        }
        if (status == BR_OK) {
            status = explained_read(e, s, args->words[0]);
        }
    }
    progress_end(&shown);
    return status;
}

static bool has_investor(const br_list *list, const char *id)
{
    for (uint32_t i = 0; i < list->n_entries; i++) {
        if (strcmp(list->entries[i].investor_id, id) == 0) {
            return true;
        }
    }
    return false;
}

static void add_reason_row(table *t, const explained *e, uint32_t entry, uint32_t number, const br_reason *reason)
{
    const br_encoder *encoder = e->snapshot->encoder;
    BR_AUTO_DEINIT(br_buf) sentence = {0};
    br_reason_sentence(&sentence, encoder, reason, BR_REASON_FOR, BR_LANGUAGE_EN);
    table_text(t, e->list.bond_id);
    table_whole(t, entry + 1);
    table_text(t, e->list.entries[entry].investor_id);
    table_number(t, e->list.entries[entry].probability, 4);
    table_whole(t, number);
    table_text(t, br_reason_category(encoder, reason->field));
    table_text(t, encoder->fields[encoder->n_bond_fields + reason->field].name);
    table_text(t, br_buf_text(&sentence));
    table_number(t, (double)reason->gain, 4);
    table_number(t, (double)reason->backing, 2);
    table_whole(t, reason->bids);
}

/// The same columns: of a past bid the field is the issuer.
static void add_past_row(table *t, const explained *e, uint32_t entry, uint32_t number, const br_shown_past *shown)
{
    BR_AUTO_DEINIT(br_buf) sentence = {0};
    br_past_sentence(&sentence, shown->past, shown->own_issuer, BR_LANGUAGE_EN);
    table_text(t, e->list.bond_id);
    table_whole(t, entry + 1);
    table_text(t, e->list.entries[entry].investor_id);
    table_number(t, e->list.entries[entry].probability, 4);
    table_whole(t, number);
    table_text(t, "past bids");
    table_text(t, shown->past->issuer);
    table_text(t, br_buf_text(&sentence));
    table_text(t, NULL);
    table_text(t, NULL);
    table_whole(t, shown->past->n_bids);
}

static void add_rows(table *t, const explained *e, uint32_t entry, const br_explanation *explanation)
{
    for (uint32_t k = 0; k < explanation->n_reasons; k++) {
        add_reason_row(t, e, entry, k + 1, &explanation->reasons[k]);
    }
    br_shown_past past[BR_SHOWN_PAST];
    uint32_t n = br_present_past(past, &e->outcome.result, entry, e->votes, e->threshold);
    for (uint32_t k = 0; k < n; k++) {
        add_past_row(t, e, entry, explanation->n_reasons + k + 1, &past[k]);
    }
}

/// One row per reason, then one per issuer bid on before.
static exit_code print_rows(const explained *e, const char *investor, output_format format)
{
    BR_AUTO_DEINIT(table)
    t = {.columns = (const char *const[]){"bond", "rank", "investor", "probability", "reason", "category", "field",
                                          "sentence", "gain", "backing", "bids"},
         .n_columns = 11};
    br_presented presented = explained_presented(e, investor);
    for (uint32_t i = 0; i < e->list.n_entries; i++) {
        const br_explanation *explanation = br_present_explanation(&presented, i);
        bool wanted = investor == NULL || strcmp(investor, e->list.entries[i].investor_id) == 0;
        if (wanted && explanation != NULL) {
            add_rows(&t, e, i, explanation);
        }
    }
    return table_print(&t, format, stdout);
}

static exit_code print_explained(const explained *e, const char *investor, output_format format)
{
    if (format == FORMAT_CSV || format == FORMAT_NDJSON) {
        return print_rows(e, investor, format);
    }
    BR_AUTO_DEINIT(br_buf) text = {0};
    if (format == FORMAT_JSON) {
        br_presented presented = explained_presented(e, investor);
        br_present_json(&text, &presented);
        br_buf_char(&text, '\n');
    } else {
        explained_text(&text, e, investor, UINT32_MAX);
    }
    if (text.failed) {
        return cli_failed(br_no_memory("text", 1), "explain");
    }
    fwrite(text.data, 1, text.length, stdout);
    return EXIT_CODE_OK;
}

exit_code command_explain(const arguments *args)
{
    if (args->method != NULL || args->has_n_reasons || args->version != NULL) {
        if (args->certify) {
            fprintf(stderr,
                    "bookrunner explain: --certify is about what is stored, not about --method, --k or --version\n");
            return EXIT_CODE_USAGE;
        }
        return explain_by_method(args);
    }
    BR_AUTO_DEINIT(stores) s = {.ledger = NULL};
    BR_AUTO_DEINIT(explained) e = {.arena = NULL};
    const char *investor = args->n_words > 1 ? args->words[1] : NULL;
    br_status status = stores_open(&s, args, STORE_LEDGER | STORE_RECOMMENDATIONS | STORE_SNAPSHOTS);
    bool made = false;
    if (status == BR_OK) {
        status = has_job(&s, args->words[0], &made);
    }
    if (status == BR_OK && !made) {
        exit_code code = have_ranked(args, args->words[0]);
        if (code != EXIT_CODE_OK) {
            return code;
        }
    }
    if (status == BR_OK) {
        status = wait_explained(&e, &s, args);
    }
    if (status == BR_OK) {
        status = explained_votes(&e, &s);
    }
    if (status == BR_OK && investor != NULL && !has_investor(&e.list, investor)) {
        status = br_fail(BR_ERR_NOT_FOUND, "investor %s is not among the %u recommended for bond %s", investor,
                         e.list.n_entries, args->words[0]);
    }
    if (status != BR_OK) {
        return cli_failed(status, "explain");
    }
    return args->certify ? certify_explained(&e, &s, investor, args->format)
                         : print_explained(&e, investor, args->format);
}
