#include "ask.h"

#include "base/clock.h"
#include "progress.h"
#include "service/processes.h"
#include "table.h"
#include "transport/client.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SILENCE_MS 10000 ///< without a word, before the request is sent again
#define RESEND_MS  5000
#define WAIT_MS    500 ///< one wait for a message

typedef struct exchange {
    const arguments *args;
    const question *q;
    br_client *client;
    progress shown;
    int64_t heard_ms;
    int64_t sent_ms;
} exchange;

static br_status send_request(exchange *x)
{
    uint64_t request = 0;
    x->sent_ms = br_clock_ms();
    br_status status = br_client_send(x->client, (uint16_t)x->q->type, br_span_of(x->q->body), &request);
    return status == BR_ERR_AGAIN ? BR_OK : status; // a full queue: the next resend tries again
}

static br_status show_progress(exchange *x, br_arena *arena, const br_message *message)
{
    br_progress step;
    br_status status = br_progress_unpack(&step, arena, message->body, message->n_body);
    if (status == BR_OK && !x->q->quiet) {
        x->shown.what = step.stage[0] == '\0' ? x->q->service : step.stage;
        progress_show(&x->shown, step.done, step.total, step.rate, step.text);
    }
    return status;
}

/// BR_OK with a report; BR_ERR_AGAIN when none has come yet.
static br_status take_message(exchange *x, br_arena *arena, br_report *out)
{
    br_message message = {0};
    br_status status = br_client_receive(x->client, &message, WAIT_MS);
    if (status == BR_ERR_TIMEOUT) {
        return BR_ERR_AGAIN;
    }
    if (status != BR_OK) {
        return status;
    }
    x->heard_ms = br_clock_ms();
    br_arena_reset(arena);
    status = BR_ERR_AGAIN;
    if (message.type == BR_MSG_REPORT) {
        status = br_report_unpack(out, arena, message.body, message.n_body);
    } else if (message.type == BR_MSG_PROGRESS) {
        br_status shown = show_progress(x, arena, &message);
        status = shown == BR_OK ? BR_ERR_AGAIN : shown;
    }
    br_message_deinit(&message);
    return status;
}

/// A process that lives and takes nothing at the moment says why in the supervisor's file.
static br_status no_answer(const exchange *x)
{
    static br_process_state states[BR_MAX_PROCESSES];
    uint32_t n = 0;
    char directory[BR_PATH_BYTES];
    br_status status = cli_directory(directory, x->args);
    status = status == BR_OK ? br_process_states_read(directory, states, BR_MAX_PROCESSES, &n) : status;
    for (uint32_t i = 0; i < n && status == BR_OK; i++) {
        if (strcmp(states[i].name, x->q->service) == 0 && strncmp(states[i].text, "not ready", 9) == 0) {
            return br_fail(BR_ERR_UNREACHABLE, "%s does not answer: it is %s", x->q->service, states[i].text);
        }
    }
    return br_fail(BR_ERR_UNREACHABLE, "%s does not answer; is `bookrunner up` running?", x->q->service);
}

static br_status converse(exchange *x, br_arena *arena, br_report *out)
{
    br_status status = send_request(x);
    x->heard_ms = br_clock_ms();
    while (status == BR_OK) {
        br_status taken = take_message(x, arena, out);
        if (taken != BR_ERR_AGAIN) {
            return taken;
        }
        int64_t now = br_clock_ms();
        if ((double)(now - x->heard_ms) > x->args->timeout_s * 1000.0) {
            return no_answer(x);
        }
        if (now - x->heard_ms >= SILENCE_MS && now - x->sent_ms >= RESEND_MS) {
            status = send_request(x);
        }
    }
    return status;
}

exit_code ask(const arguments *args, const question *q, br_arena *arena, br_report *out)
{
    char directory[BR_PATH_BYTES];
    char endpoint[BR_PATH_BYTES];
    br_status status = cli_directory(directory, args);
    if (status == BR_OK) {
        status = br_endpoint(endpoint, directory, q->service);
    }
    BR_AUTO(br_client) *client = NULL;
    if (status == BR_OK) {
        status = br_client_new(&client, endpoint);
    }
    if (status == BR_OK) {
        exchange x = {.args = args, .q = q, .client = client, .shown = progress_start(q->service, "")};
        status = converse(&x, arena, out);
        progress_end(&x.shown);
    }
    if (status != BR_OK) {
        return cli_failed(status, q->service);
    }
    if (!out->ok) {
        fprintf(stderr, "bookrunner: %s: %s\n", q->service, out->reason);
        return EXIT_CODE_FAILED;
    }
    return EXIT_CODE_OK;
}

static const br_figure *find_figure(const br_report *report, const char *name)
{
    for (uint32_t i = 0; i < report->n_figures; i++) {
        if (strcmp(report->figures[i].name, name) == 0) {
            return &report->figures[i];
        }
    }
    return NULL;
}

double report_number(const br_report *report, const char *name)
{
    const br_figure *figure = find_figure(report, name);
    return figure == NULL || figure->text[0] != '\0' ? (double)NAN : figure->number;
}

const char *report_text(const br_report *report, const char *name)
{
    const br_figure *figure = find_figure(report, name);
    return figure == NULL ? "" : figure->text;
}

exit_code report_print(const br_report *report, output_format format)
{
    BR_AUTO_DEINIT(table)
    t = {.columns = (const char *const[]){"name", "value"}, .n_columns = 2, .record = true};
    for (uint32_t i = 0; i < report->n_figures; i++) {
        const br_figure *figure = &report->figures[i];
        table_text(&t, figure->name);
        bool whole = figure->number >= 0 && figure->number < 9e15 && figure->number == floor(figure->number);
        if (figure->text[0] != '\0') {
            table_text(&t, figure->text);
        } else if (whole) {
            table_whole(&t, (uint64_t)figure->number);
        } else {
            table_number(&t, figure->number, 4);
        }
    }
    return table_print(&t, format, stdout);
}
