#include "ask.h"
#include "base/alloc.h"
#include "stores.h"
#include "table.h"

#include <string.h>
#include <time.h>

#define ARENA_BYTES (1u << 20)

typedef struct history {
    table *t;
    char served[BR_VERSION_TEXT];
} history;

static const char *event_name(br_snapshot_event_kind kind)
{
    switch (kind) {
    case BR_SNAPSHOT_PUBLISHED:
        return "published";
    case BR_SNAPSHOT_REFUSED:
        return "refused";
    case BR_SNAPSHOT_ROLLED_BACK:
        return "rolled back to";
    }
    return "?";
}

static br_status add_event(void *context, const br_snapshot_event *event)
{
    history *h = context;
    char when[32] = "";
    time_t seconds = (time_t)event->wall_s;
    struct tm parts;
    if (gmtime_r(&seconds, &parts) != NULL) {
        strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &parts);
    }
    table_text(h->t, when);
    table_text(h->t, event_name(event->kind));
    table_text(h->t, event->version);
    table_flag(h->t, strcmp(event->version, h->served) == 0);
    table_text(h->t, event->parent);
    table_text(h->t, event->reason);
    return BR_OK;
}

static exit_code list_snapshots(const arguments *args)
{
    BR_AUTO_DEINIT(stores) s = {.ledger = NULL};
    BR_AUTO_DEINIT(table)
    t = {.columns = (const char *const[]){"time", "event", "snapshot", "served", "parent", "reason"}, .n_columns = 6};
    history h = {.t = &t};
    br_status status = stores_open(&s, args, STORE_SNAPSHOTS);
    if (status == BR_OK) {
        status = br_snapshots_served(s.snapshots, h.served);
    }
    if (status == BR_OK) {
        status = br_snapshots_history(s.snapshots, add_event, &h);
    }
    return status == BR_OK ? table_print(&t, args->format, stdout) : cli_failed(status, "snapshots");
}

static exit_code roll_back(const arguments *args)
{
    BR_AUTO(br_arena) *arena = NULL;
    BR_AUTO_DEINIT(br_buf) body = {0};
    br_rollback_request request = {.version = args->n_words > 1 ? args->words[1] : ""};
    br_status status = br_arena_new(&arena, ARENA_BYTES);
    if (status == BR_OK) {
        status = br_rollback_request_pack(&request, &body);
    }
    if (status != BR_OK) {
        return cli_failed(status, "snapshots rollback");
    }
    br_report report = {0};
    exit_code code =
        ask(args, &(question){.service = "trainer", .type = BR_MSG_ROLLBACK_REQUEST, .body = &body}, arena, &report);
    return code == EXIT_CODE_OK ? report_print(&report, args->format) : code;
}

exit_code command_snapshots(const arguments *args)
{
    if (strcmp(args->words[0], "list") == 0 && args->n_words == 1) {
        return list_snapshots(args);
    }
    if (strcmp(args->words[0], "rollback") == 0) {
        return roll_back(args);
    }
    fprintf(stderr, "bookrunner snapshots: use `snapshots list` or `snapshots rollback [VERSION]`\n");
    return EXIT_CODE_USAGE;
}
