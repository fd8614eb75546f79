#include "codec/stored.h"

#include "codec/wire.h"
#include "stored.pb-c.h"

// --- lists ---

static ProtobufCBinaryData write_job(const br_list *list)
{
    return br_write_bytes(list->job_id.bytes, list->has_job ? sizeof list->job_id.bytes : 0);
}

br_status br_list_pack(const br_list *list, br_buf *out)
{
    if (list->n_entries > BR_MAX_JOB_INVESTORS) {
        return br_fail(BR_ERR_LIMIT, "RecommendationList.entries: %u, at most %d are allowed", list->n_entries,
                       BR_MAX_JOB_INVESTORS);
    }
    BR_AUTO_DEINIT(br_writing) writing = {0};
    Br__RecommendationList message = BR__RECOMMENDATION_LIST__INIT;
    Br__ListEntry *entries = br_write_alloc(&writing, list->n_entries, sizeof *entries);
    message.entries = br_write_alloc(&writing, list->n_entries, sizeof *message.entries);
    if (writing.failed) {
        return br_no_memory("entries of a list", list->n_entries);
    }
    for (uint32_t i = 0; i < list->n_entries; i++) {
        br__list_entry__init(&entries[i]);
        entries[i].investor_id = br_write_text(list->entries[i].investor_id);
        entries[i].investor = list->entries[i].investor;
        entries[i].logit = list->entries[i].logit;
        entries[i].probability = list->entries[i].probability;
        message.entries[i] = &entries[i];
    }
    message.n_entries = list->n_entries;
    message.bond_id = br_write_text(list->bond_id);
    message.as_of = list->as_of;
    message.version = br_write_text(list->version);
    message.ledger_head = list->ledger_head;
    message.job_id = write_job(list);
    message.n_eligible = list->n_eligible;
    message.population = br_write_bytes(list->population.bytes, sizeof list->population.bytes);
    message.backtest = list->backtest;
    return br_write_end(&writing, &message.base, BR_MAX_STORED_BYTES, out);
}

static br_list_entry read_entry(br_reading *in, const Br__ListEntry *message)
{
    return (br_list_entry){
        .investor_id = br_read_text(in, "investor_id", message->investor_id, BR_FORM_ID),
        .investor = (uint32_t)br_read_range(in, "investor", message->investor, 0, BR_MAX_POPULATION - 1),
        .logit = (float)br_read_finite(in, "logit", (double)message->logit),
        .probability = br_read_share(in, "probability", message->probability),
    };
}

br_status br_list_unpack(br_list *out, br_arena *arena, const uint8_t *bytes, size_t n)
{
    br_reading in = {.arena = arena};
    const Br__RecommendationList *message =
        br_read_begin(&in, &br__recommendation_list__descriptor, bytes, n, BR_MAX_STORED_BYTES);
    if (message == NULL) {
        return in.status;
    }
    br_list list = {
        .bond_id = br_read_text(&in, "bond_id", message->bond_id, BR_FORM_ID),
        .as_of = br_read_day(&in, "as_of", message->as_of, false),
        .version = br_read_text(&in, "version", message->version, BR_FORM_VERSION),
        .ledger_head = message->ledger_head,
        .n_entries = (uint32_t)br_read_range(&in, "entries", message->n_entries, 0, BR_MAX_JOB_INVESTORS),
        .has_job = message->job_id.len > 0,
        .n_eligible = message->n_eligible,
        .population = br_read_hash(&in, "population", message->population),
        .backtest = message->backtest != 0,
    };
    if (list.has_job) {
        list.job_id = br_read_hash(&in, "job_id", message->job_id);
    }
    list.entries = br_read_alloc(&in, list.n_entries, sizeof *list.entries);
    for (uint32_t i = 0; i < list.n_entries && in.status == BR_OK; i++) {
        br_read_at(&in, 0, "entries", i);
        list.entries[i] = read_entry(&in, message->entries[i]);
    }
    if (in.status == BR_OK) {
        *out = list;
    }
    return in.status;
}

// --- dead letters ---

br_status br_dead_job_pack(const br_dead_job *dead, br_buf *out)
{
    BR_AUTO_DEINIT(br_writing) writing = {0};
    Br__DeadJob message = BR__DEAD_JOB__INIT;
    message.job_id = br_write_bytes(dead->job_id.bytes, sizeof dead->job_id.bytes);
    message.reason = br_write_prose(&writing, dead->reason);
    message.attempts = dead->attempts;
    return br_write_end(&writing, &message.base, BR_MAX_STORED_BYTES, out);
}

br_status br_dead_job_unpack(br_dead_job *out, br_arena *arena, const uint8_t *bytes, size_t n)
{
    br_reading in = {.arena = arena};
    const Br__DeadJob *message = br_read_begin(&in, &br__dead_job__descriptor, bytes, n, BR_MAX_STORED_BYTES);
    if (message == NULL) {
        return in.status;
    }
    br_dead_job dead = {
        .job_id = br_read_hash(&in, "job_id", message->job_id),
        .reason = br_read_text(&in, "reason", message->reason, BR_FORM_PROSE),
        .attempts = message->attempts,
    };
    if (in.status == BR_OK) {
        *out = dead;
    }
    return in.status;
}

// --- the snapshots' history ---

br_status br_snapshot_event_pack(const br_snapshot_event *event, br_buf *out)
{
    BR_AUTO_DEINIT(br_writing) writing = {0};
    Br__SnapshotEvent message = BR__SNAPSHOT_EVENT__INIT;
    message.kind = (Br__SnapshotEvent__Kind)event->kind;
    message.version = br_write_text(event->version);
    message.reason = br_write_prose(&writing, event->reason);
    message.wall_s = event->wall_s;
    message.parent = br_write_text(event->parent);
    return br_write_end(&writing, &message.base, BR_MAX_STORED_BYTES, out);
}

br_status br_snapshot_event_unpack(br_snapshot_event *out, br_arena *arena, const uint8_t *bytes, size_t n)
{
    br_reading in = {.arena = arena};
    const Br__SnapshotEvent *message =
        br_read_begin(&in, &br__snapshot_event__descriptor, bytes, n, BR_MAX_STORED_BYTES);
    if (message == NULL) {
        return in.status;
    }
    // A model that was refused may never have been written, and then has no version.
    bool refused = message->kind == BR__SNAPSHOT_EVENT__KIND__REFUSED;
    br_snapshot_event event = {
        .kind = (br_snapshot_event_kind)br_read_range(&in, "kind", (uint64_t)message->kind, BR_SNAPSHOT_PUBLISHED,
                                                      BR_SNAPSHOT_ROLLED_BACK),
        .version = br_read_text(&in, "version", message->version, refused ? BR_FORM_VERSION_OR_NONE : BR_FORM_VERSION),
        .reason = br_read_text(&in, "reason", message->reason, BR_FORM_PROSE),
        .wall_s = br_read_finite(&in, "wall_s", message->wall_s),
        .parent = br_read_text(&in, "parent", message->parent, BR_FORM_VERSION_OR_NONE),
    };
    if (in.status == BR_OK) {
        *out = event;
    }
    return in.status;
}

// --- quality ---

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

br_status br_bond_quality_pack(const br_bond_quality *quality, br_buf *out)
{
    br_writing writing = {0};
    Br__BondQuality message = BR__BOND_QUALITY__INIT;
    message.bond_id = br_write_text(quality->bond_id);
    message.issue_day = quality->issue_day;
    message.as_of = quality->as_of;
    message.version = br_write_text(quality->version);
    message.n_listed = quality->n_listed;
    message.hits = quality->hits;
    message.bidders = quality->bidders;
    message.bidders_outside = quality->bidders_outside;
    message.provisional = quality->provisional;
    message.unranked = quality->unranked;
    message.hits_activity = quality->hits_activity;
    message.n_top = quality->n_top;
    return br_write_end(&writing, &message.base, BR_MAX_STORED_BYTES, out);
}

br_status br_bond_quality_unpack(br_bond_quality *out, br_arena *arena, const uint8_t *bytes, size_t n)
{
    br_reading in = {.arena = arena};
    const Br__BondQuality *message = br_read_begin(&in, &br__bond_quality__descriptor, bytes, n, BR_MAX_STORED_BYTES);
    if (message == NULL) {
        return in.status;
    }
    bool unranked = message->unranked != 0;
    br_bond_quality quality = {
        .bond_id = br_read_text(&in, "bond_id", message->bond_id, BR_FORM_ID),
        .issue_day = br_read_day(&in, "issue_day", message->issue_day, false),
        .as_of = br_read_day(&in, "as_of", message->as_of, unranked),
        .version = br_read_text(&in, "version", message->version, unranked ? BR_FORM_VERSION_OR_NONE : BR_FORM_VERSION),
        .n_listed = (uint32_t)br_read_range(&in, "n_listed", message->n_listed, 0, BR_MAX_JOB_INVESTORS),
        .hits = (uint32_t)br_read_range(&in, "hits", message->hits, 0, smaller(message->n_listed, message->n_top)),
        .bidders = message->bidders,
        .bidders_outside = message->bidders_outside,
        .provisional = message->provisional != 0,
        .unranked = unranked,
        .hits_activity = (uint32_t)br_read_range(&in, "hits_activity", message->hits_activity, 0, message->n_top),
        .n_top = (uint32_t)br_read_range(&in, "n_top", message->n_top, 1, BR_MAX_JOB_INVESTORS),
    };
    if (in.status == BR_OK) {
        *out = quality;
    }
    return in.status;
}

// --- calibration ---

br_status br_calibration_bins_pack(const br_calibration_bins *bins, br_buf *out)
{
    if (bins->n_bins > BR_MAX_CALIBRATION_BINS) {
        return br_fail(BR_ERR_LIMIT, "CalibrationBins.bins: %u, at most %d are allowed", bins->n_bins,
                       BR_MAX_CALIBRATION_BINS);
    }
    BR_AUTO_DEINIT(br_writing) writing = {0};
    Br__CalibrationBins message = BR__CALIBRATION_BINS__INIT;
    Br__CalibrationBin *parts = br_write_alloc(&writing, bins->n_bins, sizeof *parts);
    message.bins = br_write_alloc(&writing, bins->n_bins, sizeof *message.bins);
    if (writing.failed) {
        return br_no_memory("bins", bins->n_bins);
    }
    for (uint32_t i = 0; i < bins->n_bins; i++) {
        const br_reliability_bin *bin = &bins->bins[i];
        br__calibration_bin__init(&parts[i]);
        parts[i].low = bin->low;
        parts[i].high = bin->high;
        parts[i].n = bin->n;
        parts[i].mean_probability = bin->mean_probability;
        parts[i].rate = bin->rate;
        message.bins[i] = &parts[i];
    }
    message.n_bins = bins->n_bins;
    message.version = br_write_text(bins->version);
    return br_write_end(&writing, &message.base, BR_MAX_STORED_BYTES, out);
}

br_status br_calibration_bins_unpack(br_calibration_bins *out, br_arena *arena, const uint8_t *bytes, size_t n)
{
    br_reading in = {.arena = arena};
    const Br__CalibrationBins *message =
        br_read_begin(&in, &br__calibration_bins__descriptor, bytes, n, BR_MAX_STORED_BYTES);
    if (message == NULL) {
        return in.status;
    }
    br_calibration_bins bins = {
        .version = br_read_text(&in, "version", message->version, BR_FORM_VERSION),
        .n_bins = (uint32_t)br_read_range(&in, "bins", message->n_bins, 0, BR_MAX_CALIBRATION_BINS),
    };
    bins.bins = br_read_alloc(&in, bins.n_bins, sizeof *bins.bins);
    for (uint32_t i = 0; i < bins.n_bins && in.status == BR_OK; i++) {
        const Br__CalibrationBin *bin = message->bins[i];
        br_read_at(&in, 0, "bins", i);
        bins.bins[i] = (br_reliability_bin){
            .low = br_read_share(&in, "low", bin->low),
            .high = br_read_share(&in, "high", bin->high),
            .n = br_read_range(&in, "n", bin->n, 1, UINT64_MAX),
            .mean_probability = br_read_share(&in, "mean_probability", bin->mean_probability),
            .rate = br_read_share(&in, "rate", bin->rate),
        };
    }
    if (in.status == BR_OK) {
        *out = bins;
    }
    return in.status;
}

// --- drift ---

br_status br_drift_pack(const br_drift *drift, br_buf *out)
{
    if (drift->n_fields > BR_MAX_FIELDS) {
        return br_fail(BR_ERR_LIMIT, "Drift.fields: %u, at most %d are allowed", drift->n_fields, BR_MAX_FIELDS);
    }
    BR_AUTO_DEINIT(br_writing) writing = {0};
    Br__Drift message = BR__DRIFT__INIT;
    Br__FieldDrift *parts = br_write_alloc(&writing, drift->n_fields, sizeof *parts);
    message.fields = br_write_alloc(&writing, drift->n_fields, sizeof *message.fields);
    if (writing.failed) {
        return br_no_memory("fields", drift->n_fields);
    }
    for (uint32_t i = 0; i < drift->n_fields; i++) {
        br__field_drift__init(&parts[i]);
        parts[i].field = br_write_text(drift->fields[i].field);
        parts[i].psi = drift->fields[i].psi;
        parts[i].by_chance = drift->fields[i].by_chance;
        message.fields[i] = &parts[i];
    }
    message.n_fields = drift->n_fields;
    message.version = br_write_text(drift->version);
    message.from = drift->from;
    message.until = drift->until;
    message.bonds = drift->n_bonds;
    message.scores = drift->scores;
    return br_write_end(&writing, &message.base, BR_MAX_STORED_BYTES, out);
}

br_status br_drift_unpack(br_drift *out, br_arena *arena, const uint8_t *bytes, size_t n)
{
    br_reading in = {.arena = arena};
    const Br__Drift *message = br_read_begin(&in, &br__drift__descriptor, bytes, n, BR_MAX_STORED_BYTES);
    if (message == NULL) {
        return in.status;
    }
    br_drift drift = {
        .version = br_read_text(&in, "version", message->version, BR_FORM_VERSION),
        .from = br_read_day(&in, "from", message->from, false),
        .until = br_read_day(&in, "until", message->until, false),
        .n_bonds = message->bonds,
        .n_fields = (uint32_t)br_read_range(&in, "fields", message->n_fields, 0, BR_MAX_FIELDS),
        .scores = br_read_finite(&in, "scores", message->scores),
    };
    drift.fields = br_read_alloc(&in, drift.n_fields, sizeof *drift.fields);
    for (uint32_t i = 0; i < drift.n_fields && in.status == BR_OK; i++) {
        const Br__FieldDrift *field = message->fields[i];
        br_read_at(&in, 0, "fields", i);
        drift.fields[i] = (br_field_drift){
            .field = br_read_text(&in, "field", field->field, BR_FORM_PROSE),
            .psi = br_read_finite(&in, "psi", field->psi),
            .by_chance = br_read_finite(&in, "by_chance", field->by_chance),
        };
    }
    if (in.status == BR_OK) {
        *out = drift;
    }
    return in.status;
}

// --- rejects ---

br_status br_reject_pack(const br_reject *reject, br_buf *out)
{
    BR_AUTO_DEINIT(br_writing) writing = {0};
    Br__Reject message = BR__REJECT__INIT;
    message.wall_s = reject->wall_s;
    message.source = br_write_prose(&writing, reject->source);
    message.kind = (uint32_t)reject->kind;
    message.id = br_write_prose(&writing, reject->id);
    message.column = br_write_prose(&writing, reject->column);
    message.reason = br_write_prose(&writing, reject->reason);
    return br_write_end(&writing, &message.base, BR_MAX_STORED_BYTES, out);
}

br_status br_reject_unpack(br_reject *out, br_arena *arena, const uint8_t *bytes, size_t n)
{
    br_reading in = {.arena = arena};
    const Br__Reject *message = br_read_begin(&in, &br__reject__descriptor, bytes, n, BR_MAX_STORED_BYTES);
    if (message == NULL) {
        return in.status;
    }
    br_reject reject = {
        .wall_s = br_read_finite(&in, "wall_s", message->wall_s),
        .source = br_read_text(&in, "source", message->source, BR_FORM_PROSE),
        .kind = (br_row_kind)br_read_range(&in, "kind", message->kind, BR_ROW_SCHEMA, BR_ROW_KIND_END - 1),
        .id = br_read_text(&in, "id", message->id, BR_FORM_PROSE),
        .column = br_read_text(&in, "column", message->column, BR_FORM_PROSE),
        .reason = br_read_text(&in, "reason", message->reason, BR_FORM_PROSE),
    };
    if (in.status == BR_OK) {
        *out = reject;
    }
    return in.status;
}
