// What people did, as the ledger has it, and whether its chain is whole.

#include "base/hash.h"
#include "codec/rows.h"
#include "stores.h"
#include "table.h"

#include <string.h>
#include <time.h>

typedef struct audit {
    stores stores;
    table t;
    br_buf packed;
    br_hash chain;   ///< of the last note
    uint64_t broken; ///< record of the first whose chain does not follow; 0 = none
    char broken_id[BR_HASH_TEXT];
} audit;

static void add_time(table *t, int64_t time_ms)
{
    char day[24] = "", text[40];
    const time_t seconds = (time_t)(time_ms / 1000);
    struct tm parts;
    if (gmtime_r(&seconds, &parts) != NULL) {
        strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &parts);
    }
    snprintf(text, sizeof text, "%s.%03dZ", day, (int)(time_ms % 1000));
    table_text(t, text);
}

static br_status check_chain(audit *a, uint64_t record, const br_row *row)
{
    br_hash expected;
    br_status status = br_note_chain(&expected, &a->chain, row, &a->packed);
    if (status != BR_OK) {
        return status;
    }
    if (a->broken == 0 && !br_hash_equal(&expected, &row->note->chain)) {
        a->broken = record;
        br_hash_text(&row->note->id, a->broken_id);
    }
    a->chain = row->note->chain;
    return BR_OK;
}

static br_status add_note(void *context, uint64_t record, const br_row *row)
{
    audit *a = context;
    if (row->kind != BR_ROW_NOTE) {
        return BR_OK;
    }
    char chain[BR_HASH_TEXT];
    br_hash_text(&row->note->chain, chain);
    table_whole(&a->t, record);
    add_time(&a->t, row->note->time_ms);
    table_text(&a->t, row->note->user);
    table_text(&a->t, br_topic_name(row->note->topic));
    table_text(&a->t, row->bond_id);
    table_text(&a->t, row->investor_id);
    table_text(&a->t, row->note->subject);
    table_text(&a->t, row->issuer_id);
    table_text(&a->t, row->note->value);
    table_text(&a->t, row->note->version);
    table_text(&a->t, chain);
    return check_chain(a, record, row);
}

static exit_code report(const audit *a, br_status status, const arguments *args)
{
    if (status == BR_ERR_CORRUPT) { // the record's own checksum already says so
        fprintf(stderr, "bookrunner: audit: %s\n", br_why(status));
        return EXIT_CODE_CHECK;
    }
    if (status != BR_OK) {
        return cli_failed(status, "audit");
    }
    exit_code code = table_print(&a->t, args->format, stdout);
    if (code != EXIT_CODE_OK) {
        return code;
    }
    if (a->broken != 0) {
        fprintf(stderr,
                "bookrunner: audit: the chain is broken at ledger record %llu (note %s): it, or a note before it, was "
                "changed, put in or taken away\n",
                (unsigned long long)a->broken, a->broken_id);
        return EXIT_CODE_CHECK;
    }
    char last[BR_HASH_TEXT];
    br_hash_text(&a->chain, last);
    fprintf(stderr, "bookrunner: audit: %zu notes, the chain is intact; it ends with %s\n", table_n_rows(&a->t), last);
    return EXIT_CODE_OK;
}

exit_code command_audit(const arguments *args)
{
    audit a = {.t = {.columns = (const char *const[]){"record", "time", "user", "topic", "bond", "investor", "subject",
                                                      "issuer", "value", "snapshot", "chain"},
                     .n_columns = 11}};
    uint64_t head = 0;
    br_status status = stores_open(&a.stores, args, STORE_LEDGER);
    if (status == BR_OK) {
        status = br_ledger_head(a.stores.ledger, &head);
    }
    if (status == BR_OK) {
        status = br_ledger_visit(a.stores.ledger, 0, head, add_note, &a);
    }
    exit_code code = report(&a, status, args);
    stores_deinit(&a.stores);
    br_buf_deinit(&a.packed);
    table_deinit(&a.t);
    return code;
}
