#include "codec/control.h"

#include "codec/wire.h"
#include "control.pb-c.h"

#include <math.h>

// --- hints ---

br_status br_hint_pack(const br_hint *hint, br_buf *out)
{
    br_writing writing = {0};
    Br__Hint message = BR__HINT__INIT;
    message.kind = (Br__Hint__Kind)hint->kind;
    message.number = hint->number;
    message.version = br_write_text(hint->version);
    return br_write_end(&writing, &message.base, br_message_max_bytes(BR_MSG_HINT), out);
}

br_status br_hint_unpack(br_hint *out, br_arena *arena, const uint8_t *bytes, size_t n)
{
    br_reading in = {.arena = arena};
    const Br__Hint *message = br_read_begin(&in, &br__hint__descriptor, bytes, n, br_message_max_bytes(BR_MSG_HINT));
    if (message == NULL) {
        return in.status;
    }
    br_hint hint = {
        .kind = (br_hint_kind)br_read_range(&in, "kind", (uint64_t)message->kind, BR_HINT_LEDGER_HEAD, BR_HINT_METRICS),
        .number = message->number,
        .version = br_read_text(&in, "version", message->version, BR_FORM_VERSION_OR_NONE),
    };
    if (in.status == BR_OK) {
        *out = hint;
    }
    return in.status;
}

// --- training ---

br_status br_train_request_pack(const br_train_request *request, br_buf *out)
{
    br_writing writing = {0};
    Br__TrainRequest message = BR__TRAIN_REQUEST__INIT;
    message.mode = (Br__TrainRequest__Mode)request->mode;
    message.before_day = request->before_day;
    message.seed = request->seed;
    message.max_epochs = request->max_epochs;
    message.force = request->force;
    return br_write_end(&writing, &message.base, br_message_max_bytes(BR_MSG_TRAIN_REQUEST), out);
}

br_status br_train_request_unpack(br_train_request *out, br_arena *arena, const uint8_t *bytes, size_t n)
{
    br_reading in = {.arena = arena};
    const Br__TrainRequest *message =
        br_read_begin(&in, &br__train_request__descriptor, bytes, n, br_message_max_bytes(BR_MSG_TRAIN_REQUEST));
    if (message == NULL) {
        return in.status;
    }
    br_train_request request = {
        .mode = (br_train_mode)br_read_range(&in, "mode", (uint64_t)message->mode, BR_TRAIN_STATIC, BR_TRAIN_WARM),
        .before_day =
            br_read_day(&in, "before_day", message->before_day, message->mode != BR__TRAIN_REQUEST__MODE__BEFORE),
        .seed = message->seed,
        .max_epochs = message->max_epochs,
        .force = message->force != 0,
    };
    if (in.status == BR_OK) {
        *out = request;
    }
    return in.status;
}

br_status br_rollback_request_pack(const br_rollback_request *request, br_buf *out)
{
    br_writing writing = {0};
    Br__RollbackRequest message = BR__ROLLBACK_REQUEST__INIT;
    message.version = br_write_text(request->version);
    return br_write_end(&writing, &message.base, br_message_max_bytes(BR_MSG_ROLLBACK_REQUEST), out);
}

br_status br_rollback_request_unpack(br_rollback_request *out, br_arena *arena, const uint8_t *bytes, size_t n)
{
    br_reading in = {.arena = arena};
    const Br__RollbackRequest *message =
        br_read_begin(&in, &br__rollback_request__descriptor, bytes, n, br_message_max_bytes(BR_MSG_ROLLBACK_REQUEST));
    if (message == NULL) {
        return in.status;
    }
    br_rollback_request request = {.version = br_read_text(&in, "version", message->version, BR_FORM_VERSION_OR_NONE)};
    if (in.status == BR_OK) {
        *out = request;
    }
    return in.status;
}

// --- bonds by scope ---

static ProtobufCBinaryData *write_ids(br_writing *writing, const char *const *ids, uint32_t n)
{
    ProtobufCBinaryData *list = br_write_alloc(writing, n, sizeof *list);
    for (uint32_t i = 0; list != NULL && i < n; i++) {
        list[i] = br_write_text(ids[i]);
    }
    return list;
}

static const char **read_ids(br_reading *in, const ProtobufCBinaryData *list, size_t n, bool wanted)
{
    br_read_range(in, "bond_ids", n, wanted ? 1 : 0, wanted ? BR_MAX_BOND_IDS : 0);
    const char **ids = br_read_alloc(in, n, sizeof *ids);
    for (size_t i = 0; ids != NULL && i < n; i++) {
        br_read_at(in, 0, "bond_ids", i);
        ids[i] = br_read_text(in, "id", list[i], BR_FORM_ID);
    }
    br_read_at(in, 0, NULL, 0);
    return ids;
}

br_status br_rank_request_pack(const br_rank_request *request, br_buf *out)
{
    BR_AUTO_DEINIT(br_writing) writing = {0};
    Br__RankRequest message = BR__RANK_REQUEST__INIT;
    message.scope = (Br__RankRequest__Scope)request->scope;
    message.bond_ids = write_ids(&writing, request->bond_ids, request->n_bond_ids);
    message.n_bond_ids = writing.failed ? 0 : request->n_bond_ids;
    message.explain = request->explain;
    return br_write_end(&writing, &message.base, br_message_max_bytes(BR_MSG_RANK_REQUEST), out);
}

br_status br_rank_request_unpack(br_rank_request *out, br_arena *arena, const uint8_t *bytes, size_t n)
{
    br_reading in = {.arena = arena};
    const Br__RankRequest *message =
        br_read_begin(&in, &br__rank_request__descriptor, bytes, n, br_message_max_bytes(BR_MSG_RANK_REQUEST));
    if (message == NULL) {
        return in.status;
    }
    br_rank_request request = {
        .scope = (br_scope)br_read_range(&in, "scope", (uint64_t)message->scope, BR_SCOPE_UPCOMING, BR_SCOPE_BONDS),
        .n_bond_ids = (uint32_t)message->n_bond_ids,
        .explain = message->explain != 0,
    };
    request.bond_ids = read_ids(&in, message->bond_ids, message->n_bond_ids, request.scope == BR_SCOPE_BONDS);
    if (in.status == BR_OK) {
        *out = request;
    }
    return in.status;
}

br_status br_retry_request_pack(const br_retry_request *request, br_buf *out)
{
    br_writing writing = {0};
    Br__RetryRequest message = BR__RETRY_REQUEST__INIT;
    message.job_id = br_write_bytes(request->job_id.bytes, request->all ? 0 : sizeof request->job_id.bytes);
    return br_write_end(&writing, &message.base, br_message_max_bytes(BR_MSG_RETRY_REQUEST), out);
}

br_status br_retry_request_unpack(br_retry_request *out, br_arena *arena, const uint8_t *bytes, size_t n)
{
    br_reading in = {.arena = arena};
    const Br__RetryRequest *message =
        br_read_begin(&in, &br__retry_request__descriptor, bytes, n, br_message_max_bytes(BR_MSG_RETRY_REQUEST));
    if (message == NULL) {
        return in.status;
    }
    br_retry_request request = {.all = message->job_id.len == 0};
    if (!request.all) {
        request.job_id = br_read_hash(&in, "job_id", message->job_id);
    }
    if (in.status == BR_OK) {
        *out = request;
    }
    return in.status;
}

// The two requests number their scopes for themselves.
static const struct {
    Br__EvaluateRequest__Scope wire;
    br_scope scope;
} evaluate_scopes[] = {
    {BR__EVALUATE_REQUEST__SCOPE__CLOSED, BR_SCOPE_CLOSED},
    {BR__EVALUATE_REQUEST__SCOPE__TEST_RANGE, BR_SCOPE_TEST_RANGE},
    {BR__EVALUATE_REQUEST__SCOPE__BONDS, BR_SCOPE_BONDS},
};

enum { N_EVALUATE_SCOPES = sizeof evaluate_scopes / sizeof evaluate_scopes[0] };

br_status br_evaluate_request_pack(const br_evaluate_request *request, br_buf *out)
{
    BR_AUTO_DEINIT(br_writing) writing = {0};
    Br__EvaluateRequest message = BR__EVALUATE_REQUEST__INIT;
    for (size_t i = 0; i < N_EVALUATE_SCOPES; i++) {
        if (evaluate_scopes[i].scope == request->scope) {
            message.scope = evaluate_scopes[i].wire;
        }
    }
    message.bond_ids = write_ids(&writing, request->bond_ids, request->n_bond_ids);
    message.n_bond_ids = writing.failed ? 0 : request->n_bond_ids;
    return br_write_end(&writing, &message.base, br_message_max_bytes(BR_MSG_EVALUATE_REQUEST), out);
}

br_status br_evaluate_request_unpack(br_evaluate_request *out, br_arena *arena, const uint8_t *bytes, size_t n)
{
    br_reading in = {.arena = arena};
    const Br__EvaluateRequest *message =
        br_read_begin(&in, &br__evaluate_request__descriptor, bytes, n, br_message_max_bytes(BR_MSG_EVALUATE_REQUEST));
    if (message == NULL) {
        return in.status;
    }
    br_evaluate_request request = {.n_bond_ids = (uint32_t)message->n_bond_ids};
    br_read_range(&in, "scope", (uint64_t)message->scope, BR__EVALUATE_REQUEST__SCOPE__CLOSED,
                  BR__EVALUATE_REQUEST__SCOPE__BONDS);
    for (size_t i = 0; i < N_EVALUATE_SCOPES; i++) {
        if (evaluate_scopes[i].wire == message->scope) {
            request.scope = evaluate_scopes[i].scope;
        }
    }
    request.bond_ids = read_ids(&in, message->bond_ids, message->n_bond_ids, request.scope == BR_SCOPE_BONDS);
    if (in.status == BR_OK) {
        *out = request;
    }
    return in.status;
}

// --- answers ---

br_status br_progress_pack(const br_progress *progress, br_buf *out)
{
    BR_AUTO_DEINIT(br_writing) writing = {0};
    Br__Progress message = BR__PROGRESS__INIT;
    message.stage = br_write_prose(&writing, progress->stage);
    message.done = progress->done;
    message.total = progress->total;
    message.rate = isfinite(progress->rate) ? progress->rate : 0.0;
    message.text = br_write_prose(&writing, progress->text);
    return br_write_end(&writing, &message.base, br_message_max_bytes(BR_MSG_PROGRESS), out);
}

br_status br_progress_unpack(br_progress *out, br_arena *arena, const uint8_t *bytes, size_t n)
{
    br_reading in = {.arena = arena};
    const Br__Progress *message =
        br_read_begin(&in, &br__progress__descriptor, bytes, n, br_message_max_bytes(BR_MSG_PROGRESS));
    if (message == NULL) {
        return in.status;
    }
    br_progress progress = {
        .stage = br_read_text(&in, "stage", message->stage, BR_FORM_PROSE),
        .done = message->done,
        .total = message->total,
        .rate = br_read_finite(&in, "rate", message->rate),
        .text = br_read_text(&in, "text", message->text, BR_FORM_PROSE),
    };
    if (in.status == BR_OK) {
        *out = progress;
    }
    return in.status;
}

br_status br_report_pack(const br_report *report, br_buf *out)
{
    if (report->n_figures > BR_MAX_FIGURES) {
        return br_fail(BR_ERR_LIMIT, "Report.figures: %u, at most %d are allowed", report->n_figures, BR_MAX_FIGURES);
    }
    BR_AUTO_DEINIT(br_writing) writing = {0};
    Br__Report message = BR__REPORT__INIT;
    Br__Figure *figures = br_write_alloc(&writing, report->n_figures, sizeof *figures);
    message.figures = br_write_alloc(&writing, report->n_figures, sizeof *message.figures);
    if (writing.failed) {
        return br_no_memory("figures of a report", report->n_figures);
    }
    for (uint32_t i = 0; i < report->n_figures; i++) {
        br__figure__init(&figures[i]);
        figures[i].name = br_write_text(report->figures[i].name);
        bool defined = isfinite(report->figures[i].number);
        const char *text = report->figures[i].text;
        figures[i].number = defined ? report->figures[i].number : 0.0;
        figures[i].text = br_write_prose(&writing, !defined && (text == NULL || text[0] == '\0') ? "-" : text);
        message.figures[i] = &figures[i];
    }
    message.n_figures = report->n_figures;
    message.ok = report->ok;
    message.reason = br_write_prose(&writing, report->reason);
    return br_write_end(&writing, &message.base, br_message_max_bytes(BR_MSG_REPORT), out);
}

br_status br_report_unpack(br_report *out, br_arena *arena, const uint8_t *bytes, size_t n)
{
    br_reading in = {.arena = arena};
    const Br__Report *message =
        br_read_begin(&in, &br__report__descriptor, bytes, n, br_message_max_bytes(BR_MSG_REPORT));
    if (message == NULL) {
        return in.status;
    }
    br_report report = {
        .ok = message->ok != 0,
        .reason = br_read_text(&in, "reason", message->reason, BR_FORM_PROSE),
        .n_figures = (uint32_t)br_read_range(&in, "figures", message->n_figures, 0, BR_MAX_FIGURES),
    };
    report.figures = br_read_alloc(&in, report.n_figures, sizeof *report.figures);
    for (uint32_t i = 0; i < report.n_figures && in.status == BR_OK; i++) {
        const Br__Figure *figure = message->figures[i];
        br_read_at(&in, 0, "figures", i);
        report.figures[i] = (br_figure){
            .name = br_read_text(&in, "name", figure->name, BR_FORM_ID),
            .number = br_read_finite(&in, "number", figure->number),
            .text = br_read_text(&in, "text", figure->text, BR_FORM_PROSE),
        };
    }
    if (in.status == BR_OK) {
        *out = report;
    }
    return in.status;
}
