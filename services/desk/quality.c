// How good the lists were, by issue day and by month.

#include "base/alloc.h"
#include "desk.h"
#include "metrics/metrics.h"

#include <stdio.h>
#include <string.h>

#define REPORT_ARENA_BYTES (1u << 20)

// Of the intervals: the same for every request, so that the same bonds give the same bytes.
enum { N_RESAMPLES = 1000, RESAMPLE_SEED = 1 };

/// Figures of one day or month, gathered bond by bond in order of issue day.
typedef struct quality_group {
    char key[BR_DAY_TEXT]; ///< "2026-03-02" or "2026-03"; "" = none yet
    uint32_t n_bonds;      ///< with a list and bidders
    uint32_t n_skipped;    ///< without bidders
    uint32_t n_unranked;
    uint32_t hits;
    uint32_t bidders;
    uint32_t bidders_outside;
    double recall; ///< sums over bonds
    double precision;
    double recall_activity;
    double precision_activity;
    bool provisional;
} quality_group;

typedef struct gathering {
    br_buf *out;
    br_buf recalls;    ///< double [...] of the group's bonds: 16 bytes a bond of one day or month
    br_buf precisions; ///< double [...]
    size_t key_length; ///< of the day's text: 10 = day, 7 = month
    uint32_t n_top;
    quality_group group;
    bool first;
} gathering;

static void mean_json(const gathering *g, const char *figure, const char *of, double sum)
{
    char name[BR_NAME_AT_BYTES];
    br_buf_printf(g->out, ", \"%s\": ", br_name_at(name, figure, g->n_top, of));
    if (g->group.n_bonds == 0) {
        br_buf_string(g->out, "null");
    } else {
        br_buf_json_number(g->out, sum / g->group.n_bonds);
    }
}

static br_status interval_json(gathering *g, const char *figure, const br_buf *values)
{
    br_mean_interval interval;
    char name[BR_NAME_AT_BYTES];
    br_status status = br_mean_bootstrap(&interval, (const double *)(const void *)values->data, g->group.n_bonds,
                                         N_RESAMPLES, RESAMPLE_SEED);
    if (status == BR_OK) {
        snprintf(name, sizeof name, "%s_low", figure);
        json_next_number(g->out, name, interval.low);
        snprintf(name, sizeof name, "%s_high", figure);
        json_next_number(g->out, name, interval.high);
    }
    return status;
}

static br_status end_group(gathering *g)
{
    const quality_group *q = &g->group;
    if (q->key[0] == '\0') {
        return BR_OK;
    }
    br_buf_printf(g->out, "%s{\"%s\": \"%s\"", g->first ? "\n " : ",\n ", g->key_length == 7 ? "month" : "day", q->key);
    mean_json(g, "recall", "", q->recall);
    mean_json(g, "precision", "", q->precision);
    mean_json(g, "recall", "_activity", q->recall_activity);
    mean_json(g, "precision", "_activity", q->precision_activity);
    br_status status = interval_json(g, "recall", &g->recalls);
    if (status == BR_OK) {
        status = interval_json(g, "precision", &g->precisions);
    }
    br_buf_printf(g->out,
                  ", \"bonds\": %u, \"bonds_skipped\": %u, \"bonds_unranked\": %u, \"hits\": %u, \"bidders\": %u, "
                  "\"bidders_outside\": %u, \"provisional\": %s}",
                  q->n_bonds, q->n_skipped, q->n_unranked, q->hits, q->bidders, q->bidders_outside,
                  q->provisional ? "true" : "false");
    g->first = false;
    br_buf_clear(&g->recalls);
    br_buf_clear(&g->precisions);
    return status;
}

static br_status add_bond(void *context, const br_bond_quality *bond)
{
    gathering *g = context;
    if (bond->n_top != g->n_top) {
        return BR_OK; // made when lists had another length
    }
    char day[BR_DAY_TEXT];
    br_day_text(bond->issue_day, day);
    day[g->key_length] = '\0';
    if (strcmp(day, g->group.key) != 0) {
        br_status status = end_group(g);
        if (status != BR_OK) {
            return status;
        }
        g->group = (quality_group){.key = ""};
        memcpy(g->group.key, day, sizeof day);
    }
    quality_group *q = &g->group;
    q->provisional = q->provisional || bond->provisional;
    q->bidders_outside += bond->bidders_outside;
    if (bond->unranked) {
        q->n_unranked++;
        return BR_OK;
    }
    if (bond->bidders == 0) {
        q->n_skipped++;
        return BR_OK;
    }
    br_list_quality list = br_list_quality_of(bond->hits, bond->bidders, g->n_top);
    br_list_quality activity = br_list_quality_of(bond->hits_activity, bond->bidders, g->n_top);
    q->n_bonds++;
    q->hits += bond->hits;
    q->bidders += bond->bidders;
    q->recall += list.recall;
    q->precision += list.precision;
    q->recall_activity += activity.recall;
    q->precision_activity += activity.precision;
    br_buf_append(&g->recalls, &list.recall, sizeof list.recall);
    br_buf_append(&g->precisions, &list.precision, sizeof list.precision);
    bool failed = g->out->failed || g->recalls.failed || g->precisions.failed;
    return failed ? br_no_memory("figures", q->n_bonds) : BR_OK;
}

static bool request_flag(const br_http_request *request, br_http_answer *answer, const char *name, bool *value_out)
{
    const char *text = request->query(request, name);
    *value_out = text != NULL && strcmp(text, "true") == 0;
    if (text == NULL || *value_out || strcmp(text, "false") == 0) {
        return true;
    }
    char detail[120];
    snprintf(detail, sizeof detail, "%.20s must be true or false", name);
    br_http_problem(answer, 400, "Wrong parameter", detail);
    return false;
}

static void answer_series(desk *self, const br_http_request *request, br_http_answer *answer, size_t key_length)
{
    br_day from = BR_DAY_NONE + 1;
    br_day until = BR_DAY_MAX;
    bool backtests = false;
    if (!request_day(request, answer, "from", &from) || !request_day(request, answer, "until", &until) ||
        !request_flag(request, answer, "backtests", &backtests)) {
        return;
    }
    gathering g = {.out = &answer->body,
                   .key_length = key_length,
                   .n_top = br_service_config(self->service)->n_top,
                   .first = true};
    br_buf_printf(&answer->body, "{\"top\": %u, \"backtests\": %s, \"%s\": [", g.n_top, backtests ? "true" : "false",
                  key_length == 7 ? "months" : "days");
    br_status status =
        br_quality_visit(self->quality, backtests ? BR_QUALITY_BACKTESTS : BR_QUALITY_LIVE, from, until, add_bond, &g);
    if (status == BR_OK) {
        status = end_group(&g);
    }
    br_buf_deinit(&g.recalls);
    br_buf_deinit(&g.precisions);
    if (status != BR_OK) {
        answer_failed(answer, status);
        return;
    }
    br_buf_string(&answer->body, "]}\n");
    answer_finish(answer);
}

void handle_daily(void *context, const br_http_request *request, br_http_answer *answer)
{
    answer_series(context, request, answer, 10);
}

void handle_monthly(void *context, const br_http_request *request, br_http_answer *answer)
{
    answer_series(context, request, answer, 7);
}

void handle_report(void *context, const br_http_request *request, br_http_answer *answer)
{
    desk *self = context;
    BR_AUTO(br_arena) *arena = NULL;
    br_report report;
    br_status status = br_arena_new(&arena, REPORT_ARENA_BYTES);
    if (status == BR_OK) {
        status = br_quality_report(self->quality, arena, request->rest, &report);
    }
    if (status != BR_OK) {
        answer_failed(answer, status);
        return;
    }
    br_buf *out = &answer->body;
    br_buf_char(out, '{');
    for (uint32_t i = 0; i < report.n_figures; i++) {
        const br_figure *figure = &report.figures[i];
        br_buf_string(out, i == 0 ? "" : ", ");
        br_buf_json_string(out, figure->name, strlen(figure->name));
        br_buf_string(out, ": ");
        if (figure->text[0] != '\0') {
            br_buf_json_string(out, figure->text, strlen(figure->text));
        } else {
            br_buf_json_number(out, figure->number);
        }
    }
    br_buf_string(out, "}\n");
    answer_finish(answer);
}
