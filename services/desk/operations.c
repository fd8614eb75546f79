// What an operator looks at: the processes, the queue and its workers, jobs that were given up, rows that were not taken.

#include "base/alloc.h"
#include "base/clock.h"
#include "desk.h"
#include "service/processes.h"
#include "transport/client.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ASK_MS       2000 ///< a service that lives answers within milliseconds, unless it works a piece of 100 ms
#define KEEP_MS      1000 ///< the workers are asked for at most so often
#define DEFAULT_PAGE 100
#define MAX_PAGE     1000

// --- asking a service ---

// Until the report has come; what else the service says meanwhile is passed over.
static br_status receive_report(br_client *client, br_arena *arena, int64_t wait_ms, br_report *out)
{
    int64_t until_ms = br_clock_ms() + wait_ms;
    for (;;) {
        int64_t left_ms = until_ms - br_clock_ms();
        br_message message = {0};
        br_status status = br_client_receive(client, &message, left_ms > 0 ? left_ms : 0);
        if (status != BR_OK) {
            return status;
        }
        bool found = message.type == BR_MSG_REPORT;
        status = found ? br_report_unpack(out, arena, message.body, message.n_body) : BR_OK;
        br_message_deinit(&message);
        if (found || status != BR_OK) {
            return status;
        }
    }
}

br_status desk_ask(const desk *self, const char *service, br_message_type type, br_span body, int64_t wait_ms,
                   br_arena *arena, br_report *out)
{
    char endpoint[BR_PATH_BYTES];
    br_client *client = NULL;
    uint64_t request = 0;
    int pid = 0;
    br_status status = br_process_holder(br_service_directory(self->service), service, &pid);
    if (status == BR_OK && pid == 0) {
        return br_fail(BR_ERR_UNREACHABLE, "the %s is not running", service);
    }
    if (status == BR_OK) {
        status = br_endpoint(endpoint, br_service_directory(self->service), service);
    }
    if (status == BR_OK) {
        status = br_client_new(&client, endpoint);
    }
    if (status == BR_OK) {
        status = br_client_send(client, (uint16_t)type, body, &request);
    }
    if (status == BR_OK) {
        status = receive_report(client, arena, wait_ms, out);
    }
    br_client_abandon(&client);
    return status == BR_ERR_TIMEOUT || status == BR_ERR_AGAIN
               ? br_fail(BR_ERR_UNREACHABLE, "the %s does not answer", service)
               : status;
}

// --- processes ---

static const char *shown_state(const br_process_state *state)
{
    return strcmp(state->state, "stopped") == 0   ? "stopped"
           : strcmp(state->state, "waiting") == 0 ? "failing" // it has ended by itself and will be started again
                                                  : "running";
}

static void process_json(br_buf *out, const br_process_facts *facts)
{
    const br_process_state *state = &facts->state;
    bool troubled = strncmp(state->text, "not ready", 9) == 0;
    bool ready = strcmp(state->state, "ready") == 0 && !troubled;
    json_member(out, "name", state->name);
    br_buf_printf(out, ", \"pid\": %d, ", state->pid);
    json_member(out, "state", shown_state(state));
    br_buf_string(out, ", ");
    if (state->started_s > 0) {
        json_time(out, "since", (int64_t)(state->started_s * 1000.0));
    } else {
        br_buf_string(out, "\"since\": null");
    }
    br_buf_printf(out, ", \"restarts\": %u", state->restarts);
    json_next_number(out, "cpu_s", facts->cpu_s);
    json_next_number(out, "memory_bytes", floor(facts->rss_mb * 1048576.0));
    json_next_number(out, "peak_memory_bytes", floor(facts->peak_rss_mb * 1048576.0));
    br_buf_printf(out, ", \"ready\": %s, ", ready ? "true" : "false");
    json_member(out, "reason", ready ? "" : troubled || state->text[0] != '\0' ? state->text : state->state);
}

void handle_processes(void *context, const br_http_request *request, br_http_answer *answer)
{
    (void)request;
    const desk *self = context;
    uint32_t n = 0;
    br_process_facts *facts = br_calloc(BR_MAX_PROCESSES, sizeof *facts);
    br_status status = facts == NULL ? br_no_memory("processes", BR_MAX_PROCESSES)
                                     : br_processes_read(br_service_directory(self->service), facts, &n);
    br_buf_string(&answer->body, "{\"processes\": [");
    for (uint32_t i = 0; i < n; i++) {
        br_buf_string(&answer->body, i == 0 ? "\n {" : ",\n {");
        process_json(&answer->body, &facts[i]);
        br_buf_char(&answer->body, '}');
    }
    br_buf_string(&answer->body, "]}\n");
    br_free(facts);
    if (status != BR_OK) {
        answer_failed(answer, status);
        return;
    }
    answer_finish(answer);
}

// --- the queue ---

static void worker_json(br_buf *out, const br_figure *figures, uint32_t n)
{
    json_member(out, "name", figures[0].text);
    for (uint32_t i = 1; i < n && strcmp(figures[i].name, "worker") != 0; i++) {
        br_buf_string(out, ", ");
        br_buf_json_string(out, figures[i].name, strlen(figures[i].name));
        br_buf_string(out, ": ");
        br_buf_json_number(out, figures[i].number);
    }
}

static void workers_json(br_buf *out, const br_report *report)
{
    double in_flight = (double)NAN;
    br_buf_string(out, "\"workers\": [");
    for (uint32_t i = 0, n = 0; i < report->n_figures; i++) {
        if (strcmp(report->figures[i].name, "in_flight") == 0) {
            in_flight = report->figures[i].number;
        }
        if (strcmp(report->figures[i].name, "worker") == 0) {
            br_buf_string(out, n++ == 0 ? "\n {" : ",\n {");
            worker_json(out, &report->figures[i], report->n_figures - i);
            br_buf_char(out, '}');
        }
    }
    br_buf_char(out, ']');
    json_next_number(out, "in_flight", in_flight);
}

// "workers" and "in_flight" as the ranker has them, or none and why. One request at a time asks it, and others take what it said last, so that a
// ranker that hangs does not take the desk's threads one after the other.
static br_status ask_workers(desk *self, br_buf *out)
{
    BR_AUTO(br_arena) *arena = NULL;
    br_report report = {0};
    br_status status = br_arena_new(&arena, BR_UNPACK_BYTES);
    if (status == BR_OK) {
        status = desk_ask(self, "ranker", BR_MSG_STATUS_REQUEST, (br_span){0}, ASK_MS, arena, &report);
    }
    if (status == BR_OK) {
        workers_json(out, &report);
    } else if (status == BR_ERR_UNREACHABLE) {
        br_buf_string(out, "\"workers\": [], \"in_flight\": null, ");
        json_member(out, "reason", br_why(status));
        status = BR_OK;
    }
    return status == BR_OK && out->failed ? br_no_memory("workers", 1) : status;
}

static br_status read_workers(desk *self, br_buf *out)
{
    desk_workers *known = &self->workers;
    pthread_mutex_lock(&known->lock);
    bool ask = !known->asking && (known->text.length == 0 || br_clock_ms() - known->asked_ms >= KEEP_MS);
    known->asking = known->asking || ask;
    pthread_mutex_unlock(&known->lock);
    BR_AUTO_DEINIT(br_buf) news = {0};
    br_status status = ask ? ask_workers(self, &news) : BR_OK;
    pthread_mutex_lock(&known->lock);
    if (ask) {
        known->asking = false;
        known->asked_ms = br_clock_ms();
        br_buf old = known->text;
        known->text = status == BR_OK ? news : old;
        news = status == BR_OK ? old : news;
    }
    if (known->text.length == 0) {
        br_buf_string(out, "\"workers\": [], \"in_flight\": null, \"reason\": \"the ranker is being asked\"");
    } else {
        br_buf_append(out, known->text.data, known->text.length);
    }
    pthread_mutex_unlock(&known->lock);
    return status;
}

void handle_queue(void *context, const br_http_request *request, br_http_answer *answer)
{
    (void)request;
    desk *self = context;
    uint64_t lists = 0, todo = 0, done = 0, dead = 0;
    br_status status = br_recommendations_counts(self->recommendations, &lists, &todo, &done, &dead);
    br_buf_printf(&answer->body, "{\"todo\": %llu, \"done\": %llu, \"dead\": %llu, ", (unsigned long long)todo,
                  (unsigned long long)done, (unsigned long long)dead);
    if (status == BR_OK) {
        status = read_workers(self, &answer->body);
    }
    if (status != BR_OK) {
        answer_failed(answer, status);
        return;
    }
    br_buf_string(&answer->body, "}\n");
    answer_finish(answer);
}

// --- dead jobs ---

typedef struct dead_job {
    br_hash job;
    uint32_t attempts;
    char *reason;  ///< owned
    char *bond_id; ///< owned; NULL: of a list that a newer one has followed
} dead_job;

static br_status note_dead(void *context, const br_dead_job *dead)
{
    br_buf *jobs = context;
    dead_job item = {.job = dead->job_id, .attempts = dead->attempts, .reason = br_strdup(dead->reason)};
    br_buf_append(jobs, &item, sizeof item);
    if (jobs->failed) {
        br_free(item.reason);
    }
    return jobs->failed || item.reason == NULL ? br_no_memory("dead jobs", 1) : BR_OK;
}

static br_status note_bond(void *context, const br_list *list)
{
    const br_buf *jobs = context;
    dead_job *all = (dead_job *)(void *)jobs->data;
    for (size_t i = 0; list->has_job && i < jobs->length / sizeof *all; i++) {
        if (all[i].bond_id == NULL && br_hash_equal(&all[i].job, &list->job_id)) {
            all[i].bond_id = br_strdup(list->bond_id);
            return all[i].bond_id == NULL ? br_no_memory("bond id", 1) : BR_OK;
        }
    }
    return BR_OK;
}

static void jobs_json(br_buf *out, const dead_job *jobs, uint32_t n, uint32_t limit, uint32_t offset)
{
    br_buf_printf(out, "{\"total\": %u, \"limit\": %u, \"offset\": %u, \"jobs\": [", n, limit, offset);
    for (uint32_t i = offset; i < n && i - offset < limit; i++) {
        char text[BR_HASH_TEXT];
        br_hash_text(&jobs[i].job, text);
        br_buf_string(out, i == offset ? "\n {" : ",\n {");
        json_member(out, "job", text);
        br_buf_string(out, ", ");
        if (jobs[i].bond_id == NULL) {
            br_buf_string(out, "\"bond\": null");
        } else {
            json_member(out, "bond", jobs[i].bond_id);
        }
        br_buf_string(out, ", ");
        json_member(out, "reason", jobs[i].reason);
        br_buf_printf(out, ", \"attempts\": %u}", jobs[i].attempts);
    }
    br_buf_string(out, "]}\n");
}

void handle_jobs(void *context, const br_http_request *request, br_http_answer *answer)
{
    desk *self = context;
    const char *state = request->query(request, "state");
    uint32_t limit = DEFAULT_PAGE, offset = 0;
    if (state != NULL && strcmp(state, "dead") != 0) {
        br_http_problem(answer, 400, "Wrong parameter", "state must be dead: /queue counts the others");
        return;
    }
    if (!request_whole(request, answer, "limit", MAX_PAGE, &limit) ||
        !request_whole(request, answer, "offset", 100000000, &offset)) {
        return;
    }
    BR_AUTO_DEINIT(br_buf) found = {0};
    br_status status = br_recommendations_visit_dead(self->recommendations, note_dead, &found);
    if (status == BR_OK && found.length > 0) {
        status = br_recommendations_visit(self->recommendations, note_bond, &found);
    }
    dead_job *jobs = (dead_job *)(void *)found.data;
    uint32_t n = (uint32_t)(found.length / sizeof *jobs);
    if (status == BR_OK) {
        jobs_json(&answer->body, jobs, n, limit, offset);
    }
    for (uint32_t i = 0; i < n; i++) {
        br_free(jobs[i].reason);
        br_free(jobs[i].bond_id);
    }
    if (status != BR_OK) {
        answer_failed(answer, status);
        return;
    }
    answer_finish(answer);
}

// --- rejected rows ---

static br_status add_reject(void *context, const br_reject *reject)
{
    br_buf *out = context;
    br_buf_string(out, out->length == 0 ? "\n {" : ",\n {");
    json_time(out, "time", (int64_t)(reject->wall_s * 1000.0));
    const char *const members[][2] = {{"source", reject->source},
                                      {"kind", br_row_kind_name(reject->kind)},
                                      {"id", reject->id},
                                      {"column", reject->column},
                                      {"reason", reject->reason}};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        br_buf_string(out, ", ");
        json_member(out, members[i][0], members[i][1]);
    }
    br_buf_char(out, '}');
    return out->failed ? br_no_memory("rejects", 1) : BR_OK;
}

void handle_rejects(void *context, const br_http_request *request, br_http_answer *answer)
{
    const desk *self = context;
    uint32_t limit = DEFAULT_PAGE;
    if (!request_whole(request, answer, "limit", BR_LEDGER_REJECTS, &limit)) {
        return;
    }
    char path[BR_PATH_BYTES];
    BR_AUTO(br_ledger) *ledger = NULL; // the desk's own handle is the loop's
    BR_AUTO_DEINIT(br_buf) rows = {0};
    uint64_t total = 0;
    br_status status = br_place_path(path, br_service_directory(self->service), BR_PLACE_LEDGER);
    if (status == BR_OK) {
        status = br_ledger_open_reader(&ledger, path);
    }
    if (status == BR_OK) {
        status = br_ledger_visit_rejects(ledger, limit, add_reject, &rows, &total);
    }
    if (status != BR_OK) {
        answer_failed(answer, status);
        return;
    }
    br_buf_printf(&answer->body, "{\"total\": %llu, \"limit\": %u, \"rows\": [", (unsigned long long)total, limit);
    br_buf_append(&answer->body, rows.data, rows.length);
    br_buf_string(&answer->body, "]}\n");
    answer_finish(answer);
}
