// Explanations that are not done: what waits, what was given up and why.

#include "base/alloc.h"
#include "requests.h"
#include "stores.h"
#include "table.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_BYTES  (1u << 20)
#define TODO_AT_ONCE 1000

/// Whose explanation a job is.
typedef struct job_of {
    br_hash job;
    br_day as_of;
    char bond_id[BR_MAX_ID_BYTES + 1];
} job_of;

typedef struct listing {
    table *t;
    br_buf of; ///< job_of [...] by job, of each bond's newest list
} listing;

static br_status note_list(void *context, const br_list *list)
{
    listing *to = context;
    job_of item = {.job = list->job_id, .as_of = list->as_of};
    snprintf(item.bond_id, sizeof item.bond_id, "%s", list->bond_id);
    if (list->has_job) {
        br_buf_append(&to->of, &item, sizeof item);
    }
    return to->of.failed ? br_no_memory("lists", to->of.length / sizeof item) : BR_OK;
}

static int by_job(const void *a, const void *b)
{
    return memcmp(((const job_of *)a)->job.bytes, ((const job_of *)b)->job.bytes, BR_HASH_BYTES);
}

static void add_job(const listing *l, const br_hash *job, const char *state, uint32_t attempts, const char *reason)
{
    job_of key = {.job = *job};
    const job_of *of =
        l->of.length == 0 ? NULL : bsearch(&key, l->of.data, l->of.length / sizeof key, sizeof key, by_job);
    char text[BR_HASH_TEXT];
    char day[BR_DAY_TEXT];
    br_hash_text(job, text);
    table_text(l->t, text);
    table_text(l->t, of == NULL ? NULL : of->bond_id); // of an earlier list
    table_text(l->t, of == NULL ? NULL : br_day_text(of->as_of, day));
    table_text(l->t, state);
    table_whole(l->t, attempts);
    table_text(l->t, reason);
}

static br_status add_dead(void *context, const br_dead_job *dead)
{
    add_job(context, &dead->job_id, "dead", dead->attempts, dead->reason);
    return BR_OK;
}

static br_status add_todo(const listing *l, br_recommendations *store)
{
    static br_hash jobs[TODO_AT_ONCE];
    static uint32_t attempts[TODO_AT_ONCE];
    uint64_t after = 0;
    uint32_t n = TODO_AT_ONCE;
    br_status status = BR_OK;
    while (status == BR_OK && n == TODO_AT_ONCE) {
        status = br_recommendations_todo(store, &after, jobs, attempts, TODO_AT_ONCE, &n);
        for (uint32_t i = 0; i < n && status == BR_OK; i++) {
            add_job(l, &jobs[i], "to do", attempts[i], "");
        }
    }
    return status;
}

static exit_code list_jobs(const arguments *args)
{
    BR_AUTO_DEINIT(stores) s = {.ledger = NULL};
    BR_AUTO_DEINIT(table)
    t = {.columns = (const char *const[]){"job", "bond", "as_of", "state", "attempts", "reason"}, .n_columns = 6};
    listing l = {.t = &t};
    br_status status = stores_open(&s, args, STORE_RECOMMENDATIONS);
    if (status == BR_OK) {
        status = br_recommendations_visit(s.recommendations, note_list, &l);
    }
    if (status == BR_OK && l.of.length > 0) {
        qsort(l.of.data, l.of.length / sizeof(job_of), sizeof(job_of), by_job);
    }
    if (status == BR_OK) {
        status = br_recommendations_visit_dead(s.recommendations, add_dead, &l);
    }
    if (status == BR_OK) {
        status = add_todo(&l, s.recommendations);
    }
    br_buf_deinit(&l.of);
    return status == BR_OK ? table_print(&t, args->format, stdout) : cli_failed(status, "jobs list");
}

static exit_code retry_jobs(const arguments *args)
{
    BR_AUTO(br_arena) *arena = NULL;
    BR_AUTO_DEINIT(br_buf) body = {0};
    br_retry_request request = {.all = args->all};
    br_status status = br_arena_new(&arena, ARENA_BYTES);
    if (status == BR_OK && !args->all) {
        status = br_hash_parse(&request.job_id, args->words[1]);
    }
    if (status == BR_OK) {
        status = br_retry_request_pack(&request, &body);
    }
    if (status != BR_OK) {
        return cli_failed(status, "jobs retry");
    }
    br_report report = {0};
    exit_code code =
        ask(args, &(question){.service = "ranker", .type = BR_MSG_RETRY_REQUEST, .body = &body}, arena, &report);
    if (code == EXIT_CODE_OK && !args->all && report_number(&report, "jobs") == 0.0) {
        fprintf(stderr, "bookrunner jobs retry: no dead job has this id: bookrunner jobs list\n");
        return EXIT_CODE_FAILED;
    }
    return code == EXIT_CODE_OK ? report_print(&report, args->format) : code;
}

exit_code command_jobs(const arguments *args)
{
    if (strcmp(args->words[0], "list") == 0 && args->n_words == 1 && !args->all) {
        return list_jobs(args);
    }
    if (strcmp(args->words[0], "retry") == 0 && args->all == (args->n_words == 1)) {
        return retry_jobs(args);
    }
    fprintf(stderr, "bookrunner jobs: use `jobs list`, `jobs retry JOB` or `jobs retry --all`\n");
    return EXIT_CODE_USAGE;
}
