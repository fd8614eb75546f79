#include "base/clock.h"
#include "service/processes.h"
#include "stores.h"
#include "table.h"

#include <math.h>
#include <string.h>

static void add_processes(table *t, const br_process_facts *facts, uint32_t n)
{
    double now = br_clock_wall_s();
    for (uint32_t i = 0; i < n; i++) {
        const br_process_facts *p = &facts[i];
        bool runs = p->state.pid > 0;
        table_text(t, p->state.name);
        table_whole(t, runs ? (uint64_t)p->state.pid : 0);
        table_text(t, p->state.state);
        table_number(t, runs && p->state.started_s > 0 ? now - p->state.started_s : (double)NAN, 0);
        table_number(t, runs ? p->rss_mb : (double)NAN, 1);
        table_number(t, runs ? p->peak_rss_mb : (double)NAN, 1);
        table_whole(t, p->state.restarts);
        table_text(t, p->address);
    }
}

static void add_whole(table *t, const char *name, uint64_t value)
{
    table_text(t, name);
    table_whole(t, value);
}

static br_status add_stores(table *t, stores *s)
{
    br_status status = BR_OK;
    if (s->ledger != NULL) {
        uint64_t head = 0;
        status = br_ledger_head(s->ledger, &head);
        add_whole(t, "ledger_head", head);
    }
    if (s->snapshots != NULL && status == BR_OK) {
        char served[BR_VERSION_TEXT];
        status = br_snapshots_served(s->snapshots, served);
        table_text(t, "snapshot");
        table_text(t, status == BR_OK ? served : "");
    }
    if (s->recommendations != NULL && status == BR_OK) {
        uint64_t lists = 0;
        uint64_t todo = 0;
        uint64_t results = 0;
        uint64_t dead = 0;
        uint64_t offset = 0;
        status = br_recommendations_counts(s->recommendations, &lists, &todo, &results, &dead);
        if (status == BR_OK) {
            status = br_recommendations_offset(s->recommendations, &offset);
        }
        add_whole(t, "ranker_offset", offset);
        add_whole(t, "lists", lists);
        add_whole(t, "todo", todo);
        add_whole(t, "results", results);
        add_whole(t, "dead", dead);
    }
    if (s->quality != NULL && status == BR_OK) {
        uint64_t offset = 0;
        status = br_quality_offset(s->quality, &offset);
        add_whole(t, "evaluator_offset", offset);
    }
    return status;
}

static exit_code print_status(const table *processes, const table *facts, output_format format)
{
    if (format == FORMAT_JSON) {
        BR_AUTO_DEINIT(br_buf) out = {0};
        br_buf_string(&out, "{\"processes\": ");
        table_json(processes, &out);
        br_buf_string(&out, ",\n\"stores\": ");
        table_json(facts, &out);
        br_buf_string(&out, "}\n");
        fwrite(out.data, 1, out.failed ? 0 : out.length, stdout);
        return out.failed ? EXIT_CODE_FAILED : EXIT_CODE_OK;
    }
    exit_code code = table_print(processes, format, stdout);
    if (code == EXIT_CODE_OK && format == FORMAT_TABLE && table_n_rows(facts) > 0) {
        printf("\n");
        code = table_print(facts, format, stdout);
    }
    return code;
}

exit_code command_status(const arguments *args)
{
    static br_process_facts facts[BR_MAX_PROCESSES];
    uint32_t n = 0;
    BR_AUTO_DEINIT(stores) s = {.ledger = NULL};
    BR_AUTO_DEINIT(table)
    processes = {.columns = (const char *const[]){"process", "pid", "state", "up_s", "rss_mb", "peak_rss_mb",
                                                  "restarts", "http"},
                 .n_columns = 8};
    BR_AUTO_DEINIT(table)
    known = {.columns = (const char *const[]){"name", "value"}, .n_columns = 2, .record = true};
    br_status status = stores_open_existing(&s, args);
    if (status == BR_OK) {
        status = br_processes_read(s.directory, facts, &n);
    }
    if (status == BR_OK) {
        status = add_stores(&known, &s);
    }
    if (status != BR_OK) {
        return cli_failed(status, "status");
    }
    add_processes(&processes, facts, n);
    if (n == 0) {
        fprintf(stderr, "nothing runs in %s\n", s.directory);
    }
    exit_code code = print_status(&processes, &known, args->format);
    return code == EXIT_CODE_OK && n == 0 ? EXIT_CODE_UNREACHABLE : code;
}
