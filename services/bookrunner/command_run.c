#include "base/alloc.h"
#include "base/clock.h"
#include "explained.h"
#include "job.h"
#include "metrics/metrics.h"
#include "service/processes.h"
#include "service/whole_file.h"
#include "truth.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#define ARENA_BYTES       (8u << 20)
#define EXAMPLE_INVESTORS 3

static void add_number(table *t, const char *name, double value, int decimals)
{
    table_text(t, name);
    bool whole = decimals == 0 && value >= 0 && value < 9e15;
    if (whole) {
        table_whole(t, (uint64_t)value);
    } else {
        table_number(t, value, decimals);
    }
}

static void add_quality(table *t, const job *j)
{
    static const char *const names[] = {"auc", "log_loss", "ece"};
    static const char *const of[] = {"", "_activity"};
    char recall[BR_NAME_AT_BYTES], precision[BR_NAME_AT_BYTES];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        add_number(t, names[i], report_number(&j->evaluated, names[i]), 4);
    }
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        br_name_at(recall, "recall", j->n_top, of[i]);
        br_name_at(precision, "precision", j->n_top, of[i]);
        add_number(t, recall, report_number(&j->evaluated, recall), 4);
        add_number(t, precision, report_number(&j->evaluated, precision), 4);
    }
    if (j->has_oracle) {
        add_number(t, "auc_oracle", j->truth.auc, 4);
        add_number(t, "log_loss_oracle", j->truth.log_loss, 4);
        add_number(t, br_name_at(recall, "recall", j->n_top, "_oracle"), j->truth.recall, 4);
        add_number(t, br_name_at(precision, "precision", j->n_top, "_oracle"), j->truth.precision, 4);
    }
    add_number(t, "test_bonds", report_number(&j->evaluated, "bonds"), 0);
    add_number(t, "test_bonds_skipped", report_number(&j->evaluated, "bonds_skipped"), 0);
    add_number(t, "test_pairs", report_number(&j->evaluated, "pairs"), 0);
    add_number(t, "test_bids", report_number(&j->evaluated, "bids"), 0);
}

static br_status add_memory(table *t, const job *j)
{
    static br_process_facts facts[BR_MAX_PROCESSES];
    uint32_t n = 0;
    double peak = 0;
    br_status status = br_processes_read(j->directory, facts, &n);
    for (uint32_t i = 0; i < n; i++) {
        peak = facts[i].peak_rss_mb > peak ? facts[i].peak_rss_mb : peak;
    }
    add_number(t, "peak_rss_mb", peak, 1);
    for (uint32_t i = 0; i < n; i++) {
        char name[96];
        snprintf(name, sizeof name, "peak_rss_mb_%.64s", facts[i].state.name);
        add_number(t, name, facts[i].peak_rss_mb, 1);
    }
    return status;
}

br_status job_result(const job *j, table *t)
{
    table_text(t, "market");
    table_text(t, j->market);
    table_text(t, "simulated");
    table_flag(t, truth_exists(j->market));
    table_text(t, "snapshot");
    table_text(t, report_text(&j->trained, "version"));
    add_number(t, "bonds", j->n_bonds, 0);
    add_number(t, "investors", j->n_investors, 0);
    add_number(t, "bids", j->n_bids, 0);
    add_number(t, "samples", report_number(&j->trained, "samples"), 0);
    add_number(t, "import_s", j->import_s, 2);
    add_number(t, "train_s", report_number(&j->trained, "train_s"), 2);
    add_number(t, "epochs", report_number(&j->trained, "epochs"), 0);
    add_quality(t, j);
    add_number(t, "lists", report_number(&j->ranked, "lists"), 0);
    add_number(t, "explanations", (double)j->explanations, 0);
    add_number(t, "explanations_new", (double)j->new_explanations, 0);
    add_number(t, "explain_s", j->explain_s, 2);
    // Nothing was made when everything stood in the store already: then there is no rate.
    double per_s =
        j->new_explanations > 0 && j->explain_s > 0 ? (double)j->new_explanations / j->explain_s : (double)NAN;
    add_number(t, "explanations_per_s", per_s, 1);
    add_number(t, "wall_s", j->wall_s, 2);
    return add_memory(t, j);
}

static br_status write_json(const table *result, const char *path)
{
    BR_AUTO_DEINIT(br_buf) text = {0};
    table_json(result, &text);
    br_buf_char(&text, '\n');
    return br_whole_file_write(path, &text);
}

static br_status print_example(const job *j)
{
    BR_AUTO_DEINIT(stores) s = {.ledger = NULL};
    BR_AUTO_DEINIT(explained) e = {.arena = NULL};
    BR_AUTO_DEINIT(br_buf) text = {0};
    br_status status = stores_open(&s, j->args, STORE_RECOMMENDATIONS | STORE_SNAPSHOTS);
    if (status == BR_OK) {
        status = explained_read(&e, &s, j->example);
    }
    if (status == BR_OK) {
        explained_text(&text, &e, NULL, EXAMPLE_INVESTORS);
        printf("\n%s", br_buf_text(&text));
    }
    return status;
}

static exit_code print_result(const job *j)
{
    BR_AUTO_DEINIT(table)
    t = {.columns = (const char *const[]){"name", "value"}, .n_columns = 2, .record = true};
    br_status status = job_result(j, &t);
    if (status == BR_OK && j->args->json != NULL) {
        status = write_json(&t, j->args->json);
    }
    if (status != BR_OK) {
        return cli_failed(status, "run");
    }
    exit_code code = table_print(&t, j->args->format, stdout);
    if (code == EXIT_CODE_OK && j->args->format == FORMAT_TABLE && j->example[0] != '\0') {
        status = print_example(j);
    }
    return status == BR_OK ? code : cli_failed(status, "run");
}

exit_code command_run(const arguments *args)
{
    static exit_code (*const steps[])(job * j) = {job_import, job_train, job_rank_and_explain, job_evaluate};
    BR_AUTO_DEINIT(job) j = {.args = args};
    br_status status = BR_OK;
    for (size_t i = 0; i < sizeof j.arenas / sizeof *j.arenas && status == BR_OK; i++) {
        status = br_arena_new(&j.arenas[i], ARENA_BYTES);
    }
    if (status != BR_OK) {
        return cli_failed(status, "run");
    }
    exit_code code = job_find_market(&j);
    int64_t started = br_clock_ms();
    for (size_t i = 0; i < sizeof steps / sizeof *steps && code == EXIT_CODE_OK; i++) {
        code = steps[i](&j);
    }
    j.wall_s = (double)(br_clock_ms() - started) / 1000.0;
    if (code == EXIT_CODE_OK) {
        code = job_measure_market(&j);
    }
    if (code == EXIT_CODE_OK) {
        code = print_result(&j);
    }
    return code == EXIT_CODE_OK && j.rejected ? EXIT_CODE_REJECTED : code;
}
