#include "evaluator.h"

#include "base/alloc.h"
#include "base/log.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX_REQUEST_BYTES = 16 << 20, MAX_FIGURES = 40 };

typedef struct evaluator {
    br_service *service;
    br_quality *quality;
    evaluation daily; ///< follows the closes of days
    br_socket *requests, *hints, *ingester_hints, *ranker_hints;
    char models[BR_PATH_BYTES];
    bool look;
    uint64_t offset;
    uint64_t waits_for; ///< a close that the ranker has not worked yet; 0 = none
    br_day last_close;  ///< the close before it
    br_task task;
    evaluation_request request;
    br_buf buffer;
    br_metric *evaluated, *recall, *precision, *explained_error;
} evaluator;

static br_status answer(evaluator *self, const br_message *message, const br_report *report)
{
    return br_report_send(self->requests, &message->peer, message->request, report, &self->buffer);
}

static br_status refuse(evaluator *self, const br_message *message, const char *reason)
{
    return answer(self, message, &(br_report){.ok = false, .reason = reason});
}

static br_status announce(evaluator *self)
{
    br_hint hint = {.kind = BR_HINT_METRICS, .version = ""};
    return br_hint_send(self->hints, &hint, &self->buffer);
}

// --- the latest month as gauges ---

typedef struct month_sums {
    int month; // year * 12 + month
    double recall, precision;
    uint32_t n, n_top;
} month_sums;

static br_status add_to_month(void *context, const br_bond_quality *bond)
{
    month_sums *sums = context;
    if (bond->unranked || bond->bidders == 0 || bond->n_top != sums->n_top) {
        return BR_OK;
    }
    int year;
    unsigned month, day;
    br_day_to_civil(bond->issue_day, &year, &month, &day);
    if (year * 12 + (int)month != sums->month) {
        *sums = (month_sums){.month = year * 12 + (int)month, .n_top = sums->n_top};
    }
    br_list_quality quality = br_list_quality_of(bond->hits, bond->bidders, sums->n_top);
    sums->recall += quality.recall;
    sums->precision += quality.precision;
    sums->n++;
    return BR_OK;
}

static br_status set_gauges(evaluator *self)
{
    month_sums sums = {.n_top = self->daily.config->n_top};
    br_status status = br_quality_visit(self->quality, BR_QUALITY_LIVE, -719162, BR_DAY_MAX, add_to_month, &sums);
    if (status == BR_OK) { // without a live list there is no figure, not even 0
        br_metric_set(self->recall, sums.n == 0 ? (double)NAN : sums.recall / sums.n);
        br_metric_set(self->precision, sums.n == 0 ? (double)NAN : sums.precision / sums.n);
    }
    return status;
}

// --- daily ---

// At the close of day D the bonds change that were issued since the close before it, or whose books were still open then; older ones stand.
static br_status evaluate_open_books(evaluator *self, br_market *market)
{
    br_day business = br_market_business_day(market);
    br_day late_days = br_market_schema(market)->late_days;
    br_day from = (self->last_close == BR_DAY_NONE ? business : self->last_close) - late_days;
    const uint32_t *bonds;
    uint32_t n = 0, evaluated = 0;
    br_status status = br_market_bonds_by_issue(market, &bonds, &n);
    for (uint32_t i = 0; i < n && status == BR_OK; i++) {
        br_day day = br_market_bond(market, bonds[i])->issue_day;
        if (day >= from && day <= business) {
            status = evaluate_bond(&self->daily, bonds[i], NULL);
            evaluated++;
        }
    }
    if (status == BR_OK) {
        char text[BR_DAY_TEXT];
        br_metric_add(self->evaluated, evaluated);
        br_log_info("EVALUATE-DAY", "day=%s bonds=%u", br_day_text(business, text), evaluated);
    }
    return status;
}

static br_status evaluate_close(evaluator *self)
{
    evaluation *daily = &self->daily;
    br_status status = evaluation_fit(daily);
    if (status == BR_OK) {
        status = br_quality_begin(daily->quality);
    }
    if (status != BR_OK) {
        return status;
    }
    status = evaluate_open_books(self, br_follower_market(daily->follower));
    if (status == BR_OK) {
        status = br_quality_put_offset(daily->quality, self->waits_for);
    }
    if (status != BR_OK) {
        br_quality_abort(daily->quality);
        return status;
    }
    status = br_quality_commit(daily->quality);
    if (status == BR_OK) {
        self->offset = self->waits_for;
        self->waits_for = 0;
        status = set_gauges(self);
    }
    return status == BR_OK ? announce(self) : status;
}

static br_status step_ledger(evaluator *self)
{
    evaluation *daily = &self->daily;
    uint64_t before = br_follower_head(daily->follower);
    br_market *market = br_follower_market(daily->follower);
    self->last_close = market == NULL ? BR_DAY_NONE : br_market_business_day(market);
    br_status status = br_follower_catch_up(daily->follower, daily->ledger, 0, BR_KIND_BIT(BR_ROW_CLOSE_DAY));
    if (status != BR_OK || br_follower_head(daily->follower) == before) {
        self->look = false;
        return status == BR_OK ? BR_ERR_AGAIN : status;
    }
    if (br_follower_last_kind(daily->follower) == BR_ROW_CLOSE_DAY) {
        self->waits_for = br_follower_head(daily->follower);
    }
    return BR_OK;
}

static br_status work(void *state)
{
    evaluator *self = state;
    if (!self->look || self->task.busy) { // a request writes with the same store
        return BR_ERR_AGAIN;
    }
    if (self->waits_for == 0) {
        return step_ledger(self);
    }
    // The lists of the days before the close are there once the ranker has worked it.
    uint64_t ranked = 0;
    br_status status = br_recommendations_offset(self->daily.lists, &ranked);
    if (status == BR_OK && ranked < self->waits_for) {
        self->look = false;
        return BR_ERR_AGAIN;
    }
    return status == BR_OK ? evaluate_close(self) : status;
}

// --- requests ---

// Their names live in the request.
static uint32_t fill_list_figures(evaluation_request *request, br_figure *figures)
{
    const evaluation_sums *sums = &request->sums;
    const struct {
        const char *figure, *of;
        double sum;
    } means[LIST_FIGURES] = {
        {"recall", "", sums->recall},
        {"precision", "", sums->precision},
        {"recall", "_activity", sums->recall_activity},
        {"precision", "_activity", sums->precision_activity},
    };
    for (uint32_t i = 0; i < LIST_FIGURES; i++) {
        const char *name =
            br_name_at(request->names[i], means[i].figure, request->evaluation.config->n_top, means[i].of);
        figures[i] = (br_figure){name, means[i].sum / sums->n_bonds, ""};
    }
    return LIST_FIGURES;
}

static uint32_t fill_shown_figures(const br_assessment *assessment, br_figure *figures)
{
    static const char *const names[BR_MAX_SHOWN] = {"ece_shown_1", "ece_shown_2", "ece_shown_3",
                                                    "ece_shown_4", "ece_shown_5", "ece_shown_6"};
    uint32_t n = 0;
    for (uint32_t k = 0; k < BR_MAX_SHOWN; k++) {
        if (isfinite(assessment->shown_error[k])) {
            figures[n++] = (br_figure){names[k], assessment->shown_error[k], ""};
        }
    }
    return n;
}

static uint32_t fill_judged_figures(const evaluation_request *request, br_figure *figures)
{
    const br_judged *judged = &request->judged;
    const br_figure merits[] = {{"rationality", judged->rationality, ""},
                                {"diversity", judged->diversity, ""},
                                {"hrd", judged->hrd, ""},
                                {"aesv", judged->aesv, ""},
                                {"aesv_others", judged->aesv_others, ""}};
    uint32_t n = 0;
    for (size_t k = 0; k < sizeof merits / sizeof *merits && judged->n_sets > 0; k++) {
        if (isfinite(merits[k].number)) {
            figures[n++] = merits[k];
        }
    }
    if (request->drift.n_fields > 0) {
        uint32_t n_drifted = 0;
        figures[n++] = (br_figure){"psi_max", br_drift_worst(&request->drift, &n_drifted), ""};
        figures[n++] = (br_figure){"fields_drifted", n_drifted, ""};
        figures[n++] = (br_figure){"psi_scores", request->drift.scores, ""};
    }
    if (request->trained_until[0] != '\0') {
        figures[n++] = (br_figure){"trained_until", 0, request->trained_until};
    }
    return n;
}

static uint32_t fill_figures(evaluation_request *request, br_figure *figures)
{
    const evaluation_sums *sums = &request->sums;
    uint32_t i = 0;
    figures[i++] = (br_figure){"bonds", sums->n_bonds, ""};
    figures[i++] = (br_figure){"bonds_skipped", sums->n_skipped, ""};
    figures[i++] = (br_figure){"unranked", sums->n_unranked, ""};
    figures[i++] = (br_figure){"backtests", sums->n_backtests, ""};
    figures[i++] = (br_figure){"bids", (double)sums->n_bidders, ""};
    figures[i++] = (br_figure){"bids_outside", (double)sums->n_outside, ""};
    if (sums->explained.n > 0) {
        figures[i++] = (br_figure){"explained", (double)sums->explained.n, ""};
        figures[i++] = (br_figure){"ece_explained", request->explained_error, ""};
    }
    if (sums->n_bonds > 0) {
        i += fill_list_figures(request, figures + i);
    }
    if (request->has_assessment) {
        figures[i++] = (br_figure){"pairs", (double)request->assessment.n_pairs, ""};
        figures[i++] = (br_figure){"auc", request->assessment.auc, ""};
        figures[i++] = (br_figure){"log_loss", request->assessment.log_loss, ""};
        figures[i++] = (br_figure){"ece", request->assessment.calibration_error, ""};
        i += fill_shown_figures(&request->assessment, figures + i);
        i += fill_judged_figures(request, figures + i);
        figures[i++] = (br_figure){"version", 0, request->version};
    }
    return i;
}

// Under its own name, for who asks for the last one, and under the snapshot's.
static br_status put_range(br_quality *quality, const evaluation_request *request, const br_report *report)
{
    br_assessment assessment = request->assessment;
    const br_calibration_bins bins = {request->version, assessment.bins, assessment.n_bins};
    br_status status = br_quality_put_report(quality, "test-range", report);
    if (status == BR_OK) {
        status = br_quality_put_report(quality, request->version, report);
    }
    if (status == BR_OK) {
        status = br_quality_put_calibration(quality, &bins);
    }
    return status == BR_OK && request->drift.n_fields > 0 ? br_quality_put_drift(quality, &request->drift) : status;
}

static br_status store_range(evaluator *self, const br_report *report)
{
    br_status status = br_quality_begin(self->quality);
    if (status != BR_OK) {
        return status;
    }
    status = put_range(self->quality, &self->request, report);
    if (status != BR_OK) {
        br_quality_abort(self->quality);
        return status;
    }
    return br_quality_commit(self->quality);
}

static void set_range_gauges(const br_report *report)
{
    static const char *const merits[] = {"rationality", "diversity", "hrd", "aesv"};
    for (uint32_t i = 0; i < report->n_figures; i++) {
        const br_figure *figure = &report->figures[i];
        for (size_t k = 0; k < sizeof merits / sizeof *merits; k++) {
            if (strcmp(figure->name, merits[k]) == 0) {
                char label[32];
                snprintf(label, sizeof label, "metric=\"%s\"", merits[k]);
                br_metric_set(br_gauge("bookrunner_explain_quality_ratio",
                                       "How good the explanations of the last evaluated test range are.", label),
                              figure->number);
            }
        }
        if (strcmp(figure->name, "psi_max") == 0) {
            br_metric_set(br_gauge("bookrunner_feature_psi_max",
                                   "Largest population stability index of a field since training.", ""),
                          figure->number);
        } else if (strcmp(figure->name, "fields_drifted") == 0) {
            br_metric_set(
                br_gauge("bookrunner_features_drifted", "Fields with a population stability index above 0.25.", ""),
                figure->number);
        }
    }
}

// What the last evaluation said, also one of an earlier life of the process.
static br_status restore_range_gauges(evaluator *self)
{
    BR_AUTO(br_arena) *arena = NULL;
    br_report report;
    br_status status = br_arena_new(&arena, BR_UNPACK_BYTES);
    if (status == BR_OK) {
        status = br_quality_report(self->quality, arena, "test-range", &report);
    }
    if (status == BR_OK) {
        set_range_gauges(&report);
    }
    return status == BR_ERR_NOT_FOUND ? BR_OK : status;
}

static br_status conclude(evaluator *self, br_report *report)
{
    const evaluation_request *request = &self->request;
    br_log_info("EVALUATE-END", "bonds=%u unranked=%u", request->sums.n_bonds, request->sums.n_unranked);
    br_status status = BR_OK;
    if (request->wanted.scope == BR_SCOPE_TEST_RANGE) {
        status = store_range(self, report);
        set_range_gauges(report);
    }
    status = status == BR_OK ? set_gauges(self) : status;
    if (request->sums.explained.n > 0) {
        br_metric_set(self->explained_error, request->explained_error);
    }
    return status == BR_OK ? announce(self) : status;
}

// A full store is told to the client, and then to the loop, which starts over.
static br_status finish(evaluator *self)
{
    evaluation_request *request = &self->request;
    br_figure figures[MAX_FIGURES];
    br_report report = {.ok = true, .reason = "", .figures = figures};
    if (request->status == BR_OK) {
        report.n_figures = fill_figures(request, figures);
        request->status = conclude(self, &report);
        snprintf(request->reason, sizeof request->reason, "%s",
                 request->status == BR_OK ? "" : br_why(request->status));
    }
    if (request->status != BR_OK) {
        br_log_warn("EVALUATE-FAILED", "reason=\"%s\"", request->reason);
        report = (br_report){.reason = request->reason};
    }
    br_status status = br_report_send(self->requests, &self->task.client, self->task.request, &report, &self->buffer);
    evaluation_request_deinit(request);
    self->look = true;
    return status == BR_OK && request->status == BR_ERR_FULL ? br_fail(BR_ERR_FULL, "%s", request->reason) : status;
}

static br_status begin(evaluator *self, const br_message *message)
{
    evaluation_request *request = &self->request;
    *request = (evaluation_request){.task = &self->task, .models = self->models};
    br_status status = br_arena_new(&request->arena, MAX_REQUEST_BYTES);
    if (status == BR_OK) {
        status = br_evaluate_request_unpack(&request->wanted, request->arena, message->body, message->n_body);
    }
    if (status == BR_OK) {
        status = evaluation_open(&request->evaluation, self->daily.config, self->quality);
    }
    if (status == BR_OK) {
        status = br_task_begin(&self->task, self->service, self->requests, message, evaluation_request_run, request);
    }
    if (status != BR_OK) {
        evaluation_request_deinit(request);
    }
    return status;
}

static br_status on_request(void *state, br_socket *socket, br_message *message)
{
    (void)socket;
    evaluator *self = state;
    if (message->type == BR_MSG_STATUS_REQUEST) {
        br_figure figures[] = {{"ledger_offset", (double)self->offset, ""}, {"busy", self->task.busy, ""}};
        return answer(self, message, &(br_report){.ok = true, .reason = "", .figures = figures, .n_figures = 2});
    }
    if (message->type != BR_MSG_EVALUATE_REQUEST) {
        return refuse(self, message, "the evaluator takes EVALUATE_REQUEST and STATUS_REQUEST");
    }
    if (br_task_is_for(&self->task, message)) {
        return BR_OK; // asked again while it runs
    }
    if (self->task.busy) {
        return refuse(self, message, "an evaluation runs already; ask again when it has ended");
    }
    br_status status = begin(self, message);
    return status == BR_OK ? BR_OK : refuse(self, message, br_why(status));
}

static br_status look_at_task(void *state)
{
    evaluator *self = state;
    return br_task_poll(&self->task) ? finish(self) : BR_OK;
}

static br_status look_again(void *state)
{
    ((evaluator *)state)->look = true;
    return look_at_task(state);
}

static br_status on_hint(void *state, br_socket *socket, br_message *message)
{
    (void)socket;
    (void)message; // whatever it says: the stores are asked
    ((evaluator *)state)->look = true;
    return BR_OK;
}

// --- life ---

static br_status open_sockets(evaluator *self)
{
    br_service *service = self->service;
    br_status status =
        br_service_local_socket(service, &self->requests, BR_SOCKET_ROUTER, "evaluator", true, on_request);
    if (status == BR_OK) {
        status = br_service_local_socket(service, &self->hints, BR_SOCKET_PUB, "evaluator.hints", true, NULL);
    }
    if (status == BR_OK) {
        status =
            br_service_local_socket(service, &self->ingester_hints, BR_SOCKET_SUB, "ingester.hints", false, on_hint);
    }
    if (status == BR_OK) {
        status = br_service_local_socket(service, &self->ranker_hints, BR_SOCKET_SUB, "ranker.hints", false, on_hint);
    }
    return status;
}

static br_status open_stores(evaluator *self)
{
    const br_config *config = br_service_config(self->service);
    char path[BR_PATH_BYTES];
    br_status status = br_place_path(self->models, config->directory, BR_PLACE_MODELS);
    if (status == BR_OK) {
        status = br_place_path(path, config->directory, BR_PLACE_METRICS);
    }
    if (status == BR_OK && self->quality == NULL) {
        status = br_quality_open_writer(&self->quality, path);
    }
    if (status == BR_OK) {
        status = evaluation_open(&self->daily, config, self->quality);
    }
    if (status == BR_ERR_NOT_FOUND) {
        evaluation_close(&self->daily);
        return BR_ERR_AGAIN; // ingester and ranker make their stores at their first start
    }
    if (status == BR_OK) {
        status = br_quality_offset(self->quality, &self->offset);
    }
    if (status == BR_OK && self->offset > 0) {
        status = br_follower_catch_up(self->daily.follower, self->daily.ledger, self->offset, 0);
    }
    return status;
}

static br_status start(br_service *service, void *state)
{
    evaluator *self = state;
    self->service = service;
    self->evaluated = br_counter("bookrunner_evaluated_bonds_total", "Bonds held against their bids.", "");
    char k[24];
    snprintf(k, sizeof k, "k=\"%u\"", br_service_config(service)->n_top);
    self->recall = br_gauge("bookrunner_online_recall_ratio", "Mean Recall@k of the latest issue month.", k);
    self->precision = br_gauge("bookrunner_online_precision_ratio", "Mean Precision@k of the latest issue month.", k);
    self->explained_error = br_gauge(
        "bookrunner_explained_calibration_error_ratio",
        "Gap between the probability that reasons alone give and the bids; of the last evaluation asked for.", "");
    br_status status = open_stores(self);
    if (status == BR_OK) {
        status = open_sockets(self);
    }
    if (status == BR_OK) {
        status = br_service_timer(service, 1000, look_again);
    }
    if (status == BR_OK) {
        status = set_gauges(self);
    }
    if (status == BR_OK) {
        status = restore_range_gauges(self);
    }
    if (status == BR_OK) {
        self->look = true;
        br_service_on_wake(service, look_at_task);
        br_service_idle(service, work);
    }
    return status;
}

static void stop(void *state)
{
    evaluator *self = state;
    br_task_deinit(&self->task);
    evaluation_request_deinit(&self->request);
    evaluation_close(&self->daily);
    br_quality_free(&self->quality);
    br_buf_deinit(&self->buffer);
}

int main(int argc, char **argv)
{
    return br_service_main(argc, argv,
                           &(br_service_definition){
                               .name = "evaluator",
                               .description = "holds the lists against the bids that came",
                               .state_bytes = sizeof(evaluator),
                               .start = start,
                               .stop = stop,
                           });
}
