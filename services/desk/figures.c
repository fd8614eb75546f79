// Figures of whole snapshots: what their test range said, how right their probabilities were, how far the market has moved on.

#include "base/alloc.h"
#include "desk.h"
#include "metrics/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_BYTES  (1u << 20)
#define MAX_PAGE     1000
#define DEFAULT_PAGE 100

// --- snapshots ---

typedef struct published {
    char version[BR_VERSION_TEXT];
    double wall_s;
} published;

typedef struct publications {
    br_buf items; ///< published [...] in order of the history; one that was published again stands where it was last
} publications;

static br_status note_event(void *context, const br_snapshot_event *event)
{
    br_buf *items = &((publications *)context)->items;
    if (event->kind != BR_SNAPSHOT_PUBLISHED) {
        return BR_OK;
    }
    published *all = (published *)(void *)items->data;
    for (size_t i = 0; i < items->length / sizeof *all; i++) {
        if (strcmp(all[i].version, event->version) == 0) {
            memmove(&all[i], &all[i + 1], items->length - (i + 1) * sizeof *all);
            items->length -= sizeof *all;
            break;
        }
    }
    published item = {.wall_s = event->wall_s};
    memcpy(item.version, event->version, strlen(event->version) + 1);
    br_buf_append(items, &item, sizeof item);
    return items->failed ? br_no_memory("snapshots", items->length / sizeof item) : BR_OK;
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

static br_status snapshot_json(br_buf *out, desk *self, br_arena *arena, const published *item, const char *served)
{
    static const char *const names[][2] = {{"auc", "auc"},
                                           {"log_loss", "log_loss"},
                                           {"ece", "ece"},
                                           {"rationality", "rationality"},
                                           {"diversity", "diversity"},
                                           {"hrd", "hrd"},
                                           {"aesv", "aesv"},
                                           {"others", "aesv_others"}};
    char recall[BR_NAME_AT_BYTES], precision[BR_NAME_AT_BYTES];
    uint32_t n_top = br_service_config(self->service)->n_top;
    br_report report = {0};
    br_arena_reset(arena);
    br_status status = br_quality_report(self->quality, arena, item->version, &report);
    if (status != BR_OK && status != BR_ERR_NOT_FOUND) {
        return status;
    }
    json_member(out, "snapshot", item->version);
    br_buf_printf(out, ", \"served\": %s, ", strcmp(item->version, served) == 0 ? "true" : "false");
    const br_figure *until = find_figure(&report, "trained_until");
    if (until == NULL) {
        br_buf_string(out, "\"trained_until\": null");
    } else {
        json_member(out, "trained_until", until->text);
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const br_figure *figure = find_figure(&report, names[i][1]);
        json_next_number(out, names[i][0], figure == NULL ? (double)NAN : figure->number);
    }
    const br_figure *of_lists = find_figure(&report, br_name_at(recall, "recall", n_top, ""));
    json_next_number(out, "recall", of_lists == NULL ? (double)NAN : of_lists->number);
    of_lists = find_figure(&report, br_name_at(precision, "precision", n_top, ""));
    json_next_number(out, "precision", of_lists == NULL ? (double)NAN : of_lists->number);
    br_buf_string(out, ", ");
    json_time(out, "time", (int64_t)(item->wall_s * 1000.0));
    return BR_OK;
}

static br_status snapshots_json(br_buf *out, desk *self, br_arena *arena, const publications *found, uint32_t limit,
                                uint32_t offset)
{
    char served[BR_VERSION_TEXT];
    const published *all = (const published *)(const void *)found->items.data;
    uint32_t n = (uint32_t)(found->items.length / sizeof *all);
    br_status status = br_snapshots_served(self->snapshots, served);
    br_buf_printf(out, "{\"total\": %u, \"limit\": %u, \"offset\": %u, \"snapshots\": [", n, limit, offset);
    for (uint32_t i = offset; i < n && i - offset < limit && status == BR_OK; i++) {
        br_buf_string(out, i == offset ? "\n {" : ",\n {");
        status = snapshot_json(out, self, arena, &all[n - 1 - i], served);
        br_buf_char(out, '}');
    }
    br_buf_string(out, "]}\n");
    return status;
}

void handle_snapshot_figures(void *context, const br_http_request *request, br_http_answer *answer)
{
    desk *self = context;
    uint32_t limit = DEFAULT_PAGE, offset = 0;
    if (!request_whole(request, answer, "limit", MAX_PAGE, &limit) ||
        !request_whole(request, answer, "offset", 100000000, &offset)) {
        return;
    }
    BR_AUTO(br_arena) *arena = NULL;
    publications found = {0};
    br_status status = br_arena_new(&arena, ARENA_BYTES);
    if (status == BR_OK) {
        status = br_snapshots_history(self->snapshots, note_event, &found);
    }
    if (status == BR_OK) {
        status = snapshots_json(&answer->body, self, arena, &found, limit, offset);
    }
    br_buf_deinit(&found.items);
    if (status != BR_OK) {
        answer_failed(answer, status);
        return;
    }
    answer_finish(answer);
}

// --- calibration and drift: of the served snapshot, or of one that is asked for ---

static br_status wanted_version(desk *self, const br_http_request *request, char version_out[BR_VERSION_TEXT])
{
    const char *wanted = request->query(request, "snapshot");
    if (wanted == NULL) {
        return br_snapshots_served(self->snapshots, version_out);
    }
    if (strlen(wanted) != BR_VERSION_TEXT - 1 || strspn(wanted, "0123456789abcdef") != BR_VERSION_TEXT - 1) {
        return br_fail(BR_ERR_NOT_FOUND, "no snapshot has this name: one has %d hexadecimal digits",
                       BR_VERSION_TEXT - 1);
    }
    memcpy(version_out, wanted, BR_VERSION_TEXT);
    return BR_OK;
}

/// null where none is served yet.
static void version_json(br_buf *out, const char *version)
{
    if (version[0] == '\0') {
        br_buf_string(out, "\"snapshot\": null");
    } else {
        json_member(out, "snapshot", version);
    }
}

static void calibration_json(br_buf *out, const char *version, const br_calibration_bins *bins)
{
    br_buf_char(out, '{');
    version_json(out, version);
    br_buf_string(out, ", \"bins\": [");
    for (uint32_t i = 0; i < bins->n_bins; i++) {
        const br_reliability_bin *bin = &bins->bins[i];
        br_buf_printf(out, "%s{\"n\": %llu", i == 0 ? "\n " : ",\n ", (unsigned long long)bin->n);
        json_next_number(out, "low", bin->low);
        json_next_number(out, "high", bin->high);
        json_next_number(out, "mean_probability", bin->mean_probability);
        json_next_number(out, "rate", bin->rate);
        br_buf_char(out, '}');
    }
    br_buf_string(out, "]}\n");
}

void handle_calibration(void *context, const br_http_request *request, br_http_answer *answer)
{
    desk *self = context;
    BR_AUTO(br_arena) *arena = NULL;
    br_calibration_bins bins = {.n_bins = 0};
    char version[BR_VERSION_TEXT];
    br_status status = br_arena_new(&arena, ARENA_BYTES);
    if (status == BR_OK) {
        status = wanted_version(self, request, version);
    }
    if (status == BR_OK) {
        status = br_quality_calibration(self->quality, arena, version, &bins);
        status = status == BR_ERR_NOT_FOUND ? BR_OK : status; // not evaluated: no bins
    }
    if (status != BR_OK) {
        answer_failed(answer, status);
        return;
    }
    calibration_json(&answer->body, version, &bins);
    answer_finish(answer);
}

typedef struct drifted {
    uint32_t field; ///< of the encoder
    double psi;
} drifted;

static int by_psi(const void *left, const void *right)
{
    const drifted *a = left;
    const drifted *b = right;
    if (a->psi != b->psi) {
        return a->psi < b->psi ? 1 : -1;
    }
    return (a->field > b->field) - (a->field < b->field);
}

// Labels are the snapshot's: without its file, names alone.
static const char *label_of(const cached_snapshot *snapshot, uint32_t field, const char *name, br_language language)
{
    const br_encoder *encoder = snapshot == NULL ? NULL : snapshot->snapshot->encoder;
    if (encoder == NULL || field >= encoder->n_fields) {
        return name;
    }
    const br_label *label = &encoder->fields[field].label;
    const char *text = language == BR_LANGUAGE_ZH ? label->zh : label->en;
    return text == NULL ? name : text;
}

static br_status drift_json(br_buf *out, const br_drift *drift, const cached_snapshot *snapshot, br_language language)
{
    char day[BR_DAY_TEXT];
    drifted *order = br_calloc(drift->n_fields, sizeof *order);
    if (order == NULL) {
        return br_no_memory("fields", drift->n_fields);
    }
    for (uint32_t i = 0; i < drift->n_fields; i++) {
        order[i] = (drifted){i, drift->fields[i].psi};
    }
    qsort(order, drift->n_fields, sizeof *order, by_psi);
    br_buf_char(out, '{');
    json_member(out, "snapshot", drift->version);
    br_buf_string(out, ", ");
    json_member(out, "from", br_day_text(drift->from, day));
    br_buf_string(out, ", ");
    json_member(out, "until", br_day_text(drift->until, day));
    br_buf_printf(out, ", \"bonds\": %u", drift->n_bonds);
    json_next_number(out, "scores_psi", drift->scores);
    br_buf_string(out, ", \"fields\": [");
    for (uint32_t i = 0; i < drift->n_fields; i++) {
        const br_field_drift *field = &drift->fields[order[i].field];
        br_buf_string(out, i == 0 ? "\n {" : ",\n {");
        json_member(out, "field", field->field);
        br_buf_string(out, ", ");
        json_member(out, "label", label_of(snapshot, order[i].field, field->field, language));
        json_next_number(out, "psi", field->psi);
        json_next_number(out, "by_chance", field->by_chance);
        br_buf_char(out, '}');
    }
    br_buf_string(out, "]}\n");
    br_free(order);
    return BR_OK;
}

void handle_drift(void *context, const br_http_request *request, br_http_answer *answer)
{
    desk *self = context;
    BR_AUTO(br_arena) *arena = NULL;
    br_drift drift = {.n_fields = 0};
    char version[BR_VERSION_TEXT];
    br_status status = br_arena_new(&arena, 2 * ARENA_BYTES);
    if (status == BR_OK) {
        status = wanted_version(self, request, version);
    }
    if (status != BR_OK) {
        answer_failed(answer, status);
        return;
    }
    status = br_quality_drift(self->quality, arena, version, &drift);
    if (status == BR_ERR_NOT_FOUND) { // not evaluated, or nothing came after its training range
        br_buf_char(&answer->body, '{');
        version_json(&answer->body, version);
        br_buf_string(&answer->body,
                      ", \"from\": null, \"until\": null, \"bonds\": 0, \"scores_psi\": null, \"fields\": []}\n");
        answer_finish(answer);
        return;
    }
    cached_snapshot *snapshot = NULL;
    if (status == BR_OK && desk_borrow(self, version, &snapshot) != BR_OK) {
        snapshot = NULL;
    }
    if (status == BR_OK) {
        status = drift_json(&answer->body, &drift, snapshot, request_language(request));
    }
    if (snapshot != NULL) {
        desk_release(self, snapshot);
    }
    if (status != BR_OK) {
        answer_failed(answer, status);
        return;
    }
    answer_finish(answer);
}
