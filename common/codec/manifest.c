#include "codec/stored.h"

#include "codec/wire.h"
#include "stored.pb-c.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    MANIFEST_FORMAT = 3,
    MAX_FIELD_VALUES = 255,
    MAX_FIELD_OTHERS = 100000,
    MAX_CHUNKS = 64,
};

#define MAX_MANIFEST_BYTES ((size_t)16 << 20)
#define MANIFEST_ARENA     (16 * MAX_MANIFEST_BYTES)
#define MAX_PARAMETERS     ((uint64_t)1 << 26) // 256 MiB
#define MAX_RECORD_CELLS   ((uint64_t)1 << 25) // 256 MiB in two tables

// --- packing ---

static ProtobufCBinaryData *write_texts(br_writing *writing, char *const *texts, size_t n)
{
    ProtobufCBinaryData *list = br_write_alloc(writing, n, sizeof *list);
    for (size_t i = 0; list != NULL && i < n; i++) {
        list[i] = br_write_text(texts[i]);
    }
    return list;
}

static double *write_doubles(br_writing *writing, const double *values, size_t n)
{
    double *list = br_write_alloc(writing, n, sizeof *list);
    for (size_t i = 0; list != NULL && i < n; i++) {
        list[i] = values[i];
    }
    return list;
}

static uint32_t *write_numbers(br_writing *writing, const uint32_t *values, size_t n)
{
    uint32_t *list = br_write_alloc(writing, n, sizeof *list);
    for (size_t i = 0; list != NULL && i < n; i++) {
        list[i] = values[i];
    }
    return list;
}

static Br__Field *write_field(br_writing *writing, const br_field *field)
{
    Br__Field *message = br_write_alloc(writing, 1, sizeof *message);
    Br__Label *label = br_write_alloc(writing, 1, sizeof *label);
    if (message == NULL || label == NULL) {
        return NULL;
    }
    br__label__init(label);
    label->en = br_write_text(field->label.en);
    label->zh = br_write_text(field->label.zh);
    br__field__init(message);
    message->name = br_write_text(field->name);
    message->group = (uint32_t)field->group;
    message->kind = (uint32_t)field->kind;
    message->value_names = write_texts(writing, field->value_names, field->n_values);
    message->cuts = write_doubles(writing, field->cuts, field->n_cuts);
    message->label = label;
    message->feature = field->feature;
    message->window_days = field->window_days;
    message->activity = (uint32_t)field->activity;
    message->bond_field = field->bond_field;
    message->bond_code = field->bond_code;
    message->source = (uint32_t)field->source;
    message->others = write_texts(writing, field->others, field->n_others);
    if (writing->failed) {
        return NULL;
    }
    message->n_value_names = field->n_values;
    message->n_cuts = field->n_cuts;
    message->n_others = field->n_others;
    return message;
}

static void fill_encoder(br_writing *writing, const br_encoder *encoder, Br__Encoder *message)
{
    message->n_bond_fields = encoder->n_bond_fields;
    message->fields = br_write_alloc(writing, encoder->n_fields, sizeof *message->fields);
    for (uint32_t j = 0; !writing->failed && j < encoder->n_fields; j++) {
        message->fields[j] = write_field(writing, &encoder->fields[j]);
        message->n_fields = j + 1;
    }
}

static void fill_model(br_writing *writing, const br_model *model, Br__ModelShape *message)
{
    message->d = model->config.d;
    message->n_cross = model->config.n_cross;
    message->rank = model->config.rank;
    message->architecture = model->config.architecture;
    message->stacked = model->config.stacked;
    message->hidden = write_numbers(writing, model->config.hidden, model->config.n_hidden);
    message->n_hidden = model->config.n_hidden;
    message->n_parameters = model->n_parameters;
}

static void fill_record(br_writing *writing, const br_record *record, Br__RecordShape *message)
{
    message->speaks_of = write_numbers(writing, record->speaks_of, record->n_investor_fields);
    message->n_speaks_of = record->n_investor_fields;
    message->n_values = write_numbers(writing, record->n_values, record->n_investor_fields);
    message->n_n_values = record->n_investor_fields;
    message->bond_values = write_numbers(writing, record->bond_values, record->n_bond_fields);
    message->n_bond_values = record->n_bond_fields;
}

static void fill_calibration(br_writing *writing, const br_calibration *calibration, Br__Manifest *message)
{
    uint32_t n = calibration->line.n_knots;
    message->calibration_slope = calibration->slope;
    message->calibration_offset = calibration->offset;
    message->calibration_logits = write_doubles(writing, calibration->line.logits, n);
    message->calibration_values = write_doubles(writing, calibration->line.values, n);
    message->n_calibration_logits = writing->failed ? 0 : n;
    message->n_calibration_values = writing->failed ? 0 : n;
}

static void fill_facts(const br_snapshot *snapshot, Br__Manifest *message)
{
    const br_snapshot_facts *facts = &snapshot->facts;
    message->parent = br_write_text(facts->parent);
    message->held = snapshot->held != NULL;
    message->unmasked = facts->unmasked;
    message->train_from = facts->split.train_from;
    message->train_until = facts->split.train_until;
    message->valid_until = facts->split.valid_until;
    message->test_until = facts->split.test_until;
    message->ledger_head = facts->ledger_head;
    message->seed = facts->seed;
    message->n_samples = facts->n_samples;
    message->epochs = facts->epochs;
    message->valid_log_loss = facts->valid_log_loss;
    message->valid_auc = facts->valid_auc;
    message->valid_recall_at_50 = facts->valid_recall_at_50;
    message->blas = br_write_text(facts->blas);
    message->engine = br_write_text(facts->engine);
}

// What could not be read back is not written.
static br_status check_finite(const br_snapshot *snapshot)
{
    const struct {
        const char *name;
        double value;
    } numbers[] = {
        {"calibration_slope", snapshot->calibration.slope},
        {"calibration_offset", snapshot->calibration.offset},
        {"valid_log_loss", snapshot->facts.valid_log_loss},
        {"valid_auc", snapshot->facts.valid_auc},
        {"valid_recall_at_50", snapshot->facts.valid_recall_at_50},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (!isfinite(numbers[i].value)) {
            return br_fail(BR_ERR_INVALID, "Manifest.%s: not a finite number", numbers[i].name);
        }
    }
    for (uint32_t i = 0; i < snapshot->calibration.line.n_knots; i++) {
        if (!isfinite(snapshot->calibration.line.logits[i]) || !isfinite(snapshot->calibration.line.values[i])) {
            return br_fail(BR_ERR_INVALID, "Manifest.calibration_logits: knot %u is not finite", i);
        }
    }
    return BR_OK;
}

static bool is_zero(const br_hash *hash)
{
    static const br_hash zero = {{0}};
    return br_hash_equal(hash, &zero);
}

br_status br_manifest_pack(const br_snapshot *snapshot, const br_hash *chunk_hashes, uint32_t n_chunks,
                           const br_hash *issuers, br_buf *out)
{
    br_assert(n_chunks <= MAX_CHUNKS);
    br_status status = check_finite(snapshot);
    if (status != BR_OK) {
        return status;
    }
    BR_AUTO_DEINIT(br_writing) writing = {0};
    Br__Manifest message = BR__MANIFEST__INIT;
    Br__Encoder encoder = BR__ENCODER__INIT;
    Br__ModelShape model = BR__MODEL_SHAPE__INIT;
    Br__RecordShape record = BR__RECORD_SHAPE__INIT;
    ProtobufCBinaryData hashes[MAX_CHUNKS];
    message.format = MANIFEST_FORMAT;
    message.encoder = &encoder;
    message.model = &model;
    message.record = &record;
    fill_encoder(&writing, snapshot->encoder, &encoder);
    fill_model(&writing, snapshot->model, &model);
    fill_record(&writing, snapshot->record, &record);
    fill_calibration(&writing, &snapshot->calibration, &message);
    fill_facts(snapshot, &message);
    for (uint32_t i = 0; i < n_chunks; i++) {
        hashes[i] = br_write_bytes(chunk_hashes[i].bytes, sizeof chunk_hashes[i].bytes);
    }
    message.chunk_hashes = hashes;
    message.n_chunk_hashes = n_chunks;
    message.issuers = br_write_bytes(issuers->bytes, is_zero(issuers) ? 0 : sizeof issuers->bytes);
    return br_write_end(&writing, &message.base, MAX_MANIFEST_BYTES, out);
}

// --- reading: the encoder ---

static void out_of_memory(br_reading *in, const char *what, size_t n)
{
    if (in->status == BR_OK) {
        in->status = br_no_memory(what, n);
    }
}

static char *own_text(br_reading *in, const char *name, ProtobufCBinaryData value, br_form form)
{
    const char *text = br_read_text(in, name, value, form);
    if (in->status != BR_OK) {
        return NULL;
    }
    char *copy = br_strdup(text);
    if (copy == NULL) {
        out_of_memory(in, "texts", 1);
    }
    return copy;
}

static char **own_texts(br_reading *in, const char *name, const ProtobufCBinaryData *values, size_t n)
{
    if (n == 0 || in->status != BR_OK) {
        return NULL;
    }
    char **texts = br_calloc(n, sizeof *texts);
    if (texts == NULL) {
        out_of_memory(in, "texts", n);
        return NULL;
    }
    for (size_t i = 0; i < n && in->status == BR_OK; i++) {
        br_read_at(in, 1, name, i);
        texts[i] = own_text(in, "text", values[i], BR_FORM_PROSE);
    }
    br_read_at(in, 1, NULL, 0);
    return texts; // what is missing after a failure is NULL, which br_encoder_free() accepts
}

static double *own_cuts(br_reading *in, const double *cuts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(cuts[i]) || (i > 0 && cuts[i] < cuts[i - 1])) {
            br_read_fail(in, "cuts", "number %zu is not finite or below the one before", i);
        }
    }
    if (n == 0 || in->status != BR_OK) {
        return NULL;
    }
    double *copy = br_memdup(cuts, n * sizeof *cuts);
    if (copy == NULL) {
        out_of_memory(in, "cuts", n);
    }
    return copy;
}

static void check_numbers(br_reading *in, const Br__Field *message)
{
    br_read_range(in, "group", message->group, 0, BR_GROUP_COUNT - 1);
    br_read_range(in, "kind", message->kind, 0, BR_KIND_COUNT - 1);
    br_read_range(in, "source", message->source, 0, BR_SOURCE_COUNT - 1);
    br_read_range(in, "activity", message->activity, 0, BR_ACTIVITY_COUNT);
    br_read_range(in, "value_names", message->n_value_names, 1, MAX_FIELD_VALUES);
    br_read_range(in, "others", message->n_others, 0, MAX_FIELD_OTHERS);
    br_read_range(in, "cuts", message->n_cuts, 0, MAX_FIELD_VALUES);
    br_read_range(in, "bond_code", message->bond_code, 0, MAX_FIELD_VALUES);
    if (message->window_days < -1) {
        br_read_fail(in, "window_days", "%d is no window", message->window_days);
    }
    if (message->feature != UINT32_MAX) {
        br_read_range(in, "feature", message->feature, 0, BR_MAX_FEATURES - 1);
    }
}

static void read_field(br_reading *in, const Br__Field *message, br_field *field)
{
    check_numbers(in, message);
    if (in->status != BR_OK) {
        return;
    }
    field->group = (br_feature_group)message->group;
    field->kind = (br_feature_kind)message->kind;
    field->source = (br_field_source)message->source;
    field->activity = (br_activity)message->activity;
    field->feature = message->feature;
    field->window_days = message->window_days;
    field->bond_field = message->bond_field;
    field->bond_code = (uint16_t)message->bond_code;
    field->name = own_text(in, "name", message->name, BR_FORM_PROSE);
    if (message->label != NULL && message->label->en.len > 0) {
        field->label.en = own_text(in, "label.en", message->label->en, BR_FORM_PROSE);
    }
    if (message->label != NULL && message->label->zh.len > 0) {
        field->label.zh = own_text(in, "label.zh", message->label->zh, BR_FORM_PROSE);
    }
    field->value_names = own_texts(in, "value_names", message->value_names, message->n_value_names);
    field->n_values = field->value_names == NULL ? 0 : (uint16_t)message->n_value_names;
    field->others = own_texts(in, "others", message->others, message->n_others);
    field->n_others = field->others == NULL ? 0 : (uint32_t)message->n_others;
    field->cuts = own_cuts(in, message->cuts, message->n_cuts);
    field->n_cuts = field->cuts == NULL ? 0 : (uint16_t)message->n_cuts;
}

// A preference speaks of a value that its bond field has.
static void check_preferences(br_reading *in, const br_encoder *encoder)
{
    for (uint32_t j = 0; j < encoder->n_fields; j++) {
        const br_field *field = &encoder->fields[j];
        br_read_at(in, 0, "fields", j);
        if (field->bond_field == UINT32_MAX) {
            continue;
        }
        if (field->bond_field >= encoder->n_bond_fields) {
            br_read_fail(in, "bond_field", "%u of %u", field->bond_field, encoder->n_bond_fields);
        } else if (field->bond_code >= encoder->fields[field->bond_field].n_values) {
            br_read_fail(in, "bond_code", "%u of %u", field->bond_code, encoder->fields[field->bond_field].n_values);
        }
    }
    br_read_at(in, 0, NULL, 0);
}

static void read_encoder(br_reading *in, const Br__Encoder *message, br_snapshot *snapshot)
{
    if (message == NULL) {
        br_read_fail(in, "encoder", "is missing");
        return;
    }
    br_read_range(in, "encoder.fields", message->n_fields, 1, BR_MAX_FIELDS);
    br_read_range(in, "encoder.n_bond_fields", message->n_bond_fields, 0, message->n_fields);
    if (in->status != BR_OK) {
        return;
    }
    br_encoder *encoder = br_calloc(1, sizeof *encoder);
    snapshot->encoder = encoder;
    if (encoder != NULL) {
        encoder->fields = br_calloc(message->n_fields, sizeof *encoder->fields);
    }
    if (encoder == NULL || encoder->fields == NULL) {
        out_of_memory(in, "fields", message->n_fields);
        return;
    }
    encoder->n_fields = (uint32_t)message->n_fields;
    encoder->n_bond_fields = message->n_bond_fields;
    for (uint32_t j = 0; j < encoder->n_fields && in->status == BR_OK; j++) {
        br_read_at(in, 0, "fields", j);
        read_field(in, message->fields[j], &encoder->fields[j]);
    }
    br_read_at(in, 0, NULL, 0);
    if (in->status == BR_OK) {
        check_preferences(in, encoder);
    }
}

// --- reading: the shapes ---

// An upper bound of what the model will allocate, before it does; in 64 bits nothing here can overflow.
static uint64_t parameters_of(const br_model_config *config, const br_encoder *encoder)
{
    uint64_t rows = 0;
    for (uint32_t j = 0; j < encoder->n_fields; j++) {
        rows += (uint64_t)encoder->fields[j].n_values + 1;
    }
    uint64_t width = (uint64_t)encoder->n_fields * config->d;
    uint64_t product = config->rank == 0 ? width : 2 * (uint64_t)config->rank;
    uint64_t n = rows * (config->d + 1) + config->n_cross * (width * product + width) + width;
    uint64_t below = width;
    for (uint32_t i = 0; i < config->n_hidden; i++) {
        n += (below + 2) * config->hidden[i];
        below = config->hidden[i];
    }
    return n + 1;
}

static void read_model(br_reading *in, const Br__ModelShape *message, br_snapshot *snapshot)
{
    if (message == NULL) {
        br_read_fail(in, "model", "is missing");
        return;
    }
    br_read_range(in, "model.hidden", message->n_hidden, 1, BR_MAX_HIDDEN);
    br_read_range(in, "model.architecture", message->architecture, 0, BR_DEEPFM);
    if (in->status != BR_OK) {
        return;
    }
    br_model_config config = {
        .architecture = (br_architecture)message->architecture,
        .d = message->d,
        .n_cross = message->n_cross,
        .rank = message->rank,
        .stacked = message->stacked != 0,
        .n_hidden = (uint32_t)message->n_hidden,
    };
    memcpy(config.hidden, message->hidden, message->n_hidden * sizeof *message->hidden);
    in->status = br_model_config_check(&config);
    if (in->status != BR_OK) {
        return;
    }
    br_read_range(in, "model.n_parameters", parameters_of(&config, snapshot->encoder), 1, MAX_PARAMETERS);
    if (in->status != BR_OK) {
        return;
    }
    in->status = br_model_new_for(&snapshot->model, &config, snapshot->encoder);
    if (in->status == BR_OK && snapshot->model->n_parameters != message->n_parameters) {
        br_read_fail(in, "model.n_parameters", "%llu, this shape has %zu", (unsigned long long)message->n_parameters,
                     snapshot->model->n_parameters);
    }
}

static void check_record(br_reading *in, const Br__RecordShape *message, const br_encoder *encoder)
{
    uint32_t n_bond = encoder->n_bond_fields;
    uint32_t n_investor = br_encoder_n_investor_fields(encoder);
    br_read_range(in, "record.speaks_of", message->n_speaks_of, n_investor, n_investor);
    br_read_range(in, "record.n_values", message->n_n_values, n_investor, n_investor);
    br_read_range(in, "record.bond_values", message->n_bond_values, n_bond, n_bond);
    if (in->status != BR_OK) {
        return;
    }
    for (uint32_t phi = 0; phi < n_bond; phi++) {
        uint16_t n = encoder->fields[phi].n_values;
        br_read_range(in, "record.bond_values", message->bond_values[phi], n, n);
    }
    uint64_t cells = 0;
    for (uint32_t j = 0; j < n_investor && in->status == BR_OK; j++) {
        uint16_t n = encoder->fields[n_bond + j].n_values;
        br_read_range(in, "record.n_values", message->n_values[j], n, n);
        if (message->speaks_of[j] >= n_bond) {
            br_read_fail(in, "record.speaks_of", "%u of %u bond fields", message->speaks_of[j], n_bond);
            return;
        }
        cells += (uint64_t)n * message->bond_values[message->speaks_of[j]];
    }
    br_read_range(in, "record cells", cells, 0, MAX_RECORD_CELLS);
}

static void fill_record_shape(br_record *record, const Br__RecordShape *message)
{
    size_t cells = 0;
    for (uint32_t phi = 0; phi < record->n_bond_fields; phi++) {
        record->bond_values[phi] = message->bond_values[phi];
    }
    for (uint32_t j = 0; j < record->n_investor_fields; j++) {
        record->speaks_of[j] = message->speaks_of[j];
        record->n_values[j] = message->n_values[j];
        record->offset[j] = cells;
        cells += (size_t)message->n_values[j] * message->bond_values[message->speaks_of[j]];
    }
    record->offset[record->n_investor_fields] = cells;
}

static void read_record(br_reading *in, const Br__RecordShape *message, br_snapshot *snapshot)
{
    if (message == NULL) {
        br_read_fail(in, "record", "is missing");
        return;
    }
    check_record(in, message, snapshot->encoder);
    if (in->status != BR_OK) {
        return;
    }
    br_record *record = br_calloc(1, sizeof *record);
    snapshot->record = record;
    if (record == NULL) {
        out_of_memory(in, "record", 1);
        return;
    }
    record->n_bond_fields = snapshot->encoder->n_bond_fields;
    record->n_investor_fields = br_encoder_n_investor_fields(snapshot->encoder);
    record->speaks_of = br_calloc(record->n_investor_fields, sizeof *record->speaks_of);
    record->n_values = br_calloc(record->n_investor_fields, sizeof *record->n_values);
    record->bond_values = br_calloc(record->n_bond_fields, sizeof *record->bond_values);
    record->offset = br_calloc((size_t)record->n_investor_fields + 1, sizeof *record->offset);
    if (record->speaks_of == NULL || record->n_values == NULL || record->bond_values == NULL ||
        record->offset == NULL) {
        out_of_memory(in, "shapes of the record", record->n_investor_fields);
        return;
    }
    fill_record_shape(record, message);
    size_t cells = record->offset[record->n_investor_fields];
    record->dev = br_calloc(cells, sizeof *record->dev);
    record->bids = br_calloc(cells, sizeof *record->bids);
    if (record->dev == NULL || record->bids == NULL) {
        out_of_memory(in, "cells of the record", cells);
    }
}

// --- reading: the rest ---

static void read_label(br_reading *in, const char *name, ProtobufCBinaryData value, char *out, size_t n)
{
    const char *text = br_read_text(in, name, value, BR_FORM_PROSE);
    if (value.len >= n) {
        br_read_fail(in, name, "%zu bytes, at most %zu are allowed", value.len, n - 1);
        return;
    }
    snprintf(out, n, "%s", text);
}

// Values that fell would turn the order of the logits round.
static void read_calibration(br_reading *in, const Br__Manifest *message, br_calibration *calibration)
{
    size_t n = message->n_calibration_logits;
    calibration->slope = br_read_finite(in, "calibration_slope", message->calibration_slope);
    calibration->offset = br_read_finite(in, "calibration_offset", message->calibration_offset);
    br_read_range(in, "calibration_logits", n, 0, BR_ISOTONIC_MAX_KNOTS);
    br_read_range(in, "calibration_values", message->n_calibration_values, n, n);
    for (size_t i = 0; i < n && in->status == BR_OK; i++) {
        double logit = br_read_finite(in, "calibration_logits", message->calibration_logits[i]);
        double value = br_read_finite(in, "calibration_values", message->calibration_values[i]);
        if (i > 0 && (logit <= message->calibration_logits[i - 1] || value < message->calibration_values[i - 1])) {
            br_read_fail(in, "calibration_logits", "knot %zu does not rise from the one before", i);
        }
        calibration->line.logits[i] = logit;
        calibration->line.values[i] = value;
    }
    calibration->line.n_knots = in->status == BR_OK ? (uint32_t)n : 0;
}

static void read_facts(br_reading *in, const Br__Manifest *message, br_snapshot *snapshot)
{
    br_snapshot_facts *facts = &snapshot->facts;
    read_calibration(in, message, &snapshot->calibration);
    snprintf(facts->parent, sizeof facts->parent, "%s",
             br_read_text(in, "parent", message->parent, BR_FORM_VERSION_OR_NONE));
    facts->split.train_from = br_read_day(in, "train_from", message->train_from, true);
    facts->split.train_until = br_read_day(in, "train_until", message->train_until, true);
    facts->split.valid_until = br_read_day(in, "valid_until", message->valid_until, true);
    facts->split.test_until = br_read_day(in, "test_until", message->test_until, true);
    facts->ledger_head = message->ledger_head;
    facts->seed = message->seed;
    facts->unmasked = message->unmasked != 0;
    facts->n_samples = message->n_samples;
    facts->epochs = message->epochs;
    facts->valid_log_loss = br_read_finite(in, "valid_log_loss", message->valid_log_loss);
    facts->valid_auc = br_read_finite(in, "valid_auc", message->valid_auc);
    facts->valid_recall_at_50 = br_read_finite(in, "valid_recall_at_50", message->valid_recall_at_50);
    read_label(in, "blas", message->blas, facts->blas, sizeof facts->blas);
    read_label(in, "engine", message->engine, facts->engine, sizeof facts->engine);
}

static void read_hashes(br_reading *in, const Br__Manifest *message, br_hash *hashes, uint32_t n)
{
    br_read_range(in, "chunk_hashes", message->n_chunk_hashes, n, n);
    for (uint32_t i = 0; i < n && in->status == BR_OK; i++) {
        hashes[i] = br_read_hash(in, "chunk_hashes", message->chunk_hashes[i]);
    }
}

static br_status read_snapshot(br_reading *in, const Br__Manifest *message, br_snapshot **out)
{
    BR_AUTO(br_snapshot) *snapshot = br_calloc(1, sizeof *snapshot);
    if (snapshot == NULL) {
        return br_no_memory("snapshot", 1);
    }
    read_facts(in, message, snapshot);
    if (in->status == BR_OK) {
        read_encoder(in, message->encoder, snapshot);
    }
    if (in->status == BR_OK) {
        read_model(in, message->model, snapshot);
    }
    if (in->status == BR_OK) {
        read_record(in, message->record, snapshot);
    }
    if (in->status != BR_OK) {
        return in->status;
    }
    snapshot->mean_bond = br_calloc_aligned(br_mean_bond_floats(snapshot->model), sizeof *snapshot->mean_bond);
    if (snapshot->mean_bond == NULL) {
        return br_no_memory("mean bond", snapshot->encoder->n_bond_fields);
    }
    if (message->held != 0) {
        snapshot->held = br_calloc_aligned(snapshot->model->n_parameters, sizeof *snapshot->held);
        if (snapshot->held == NULL) {
            return br_no_memory("parameters", snapshot->model->n_parameters);
        }
    }
    *out = snapshot;
    snapshot = NULL;
    return BR_OK;
}

br_status br_manifest_unpack(br_snapshot **out, br_hash *chunk_hashes, uint32_t n_chunks, br_hash *issuers,
                             const uint8_t *bytes, size_t n)
{
    br_assert(n_chunks <= MAX_CHUNKS);
    BR_AUTO(br_arena) *arena = NULL;
    br_status status = br_arena_new(&arena, MANIFEST_ARENA);
    if (status != BR_OK) {
        return status;
    }
    br_reading in = {.arena = arena};
    const Br__Manifest *message = br_read_begin(&in, &br__manifest__descriptor, bytes, n, MAX_MANIFEST_BYTES);
    if (message == NULL) {
        return in.status;
    }
    if (message->format != MANIFEST_FORMAT) {
        return br_fail(BR_ERR_VERSION, "Manifest.format: %u, this program reads %d", message->format, MANIFEST_FORMAT);
    }
    br_hash hashes[MAX_CHUNKS];
    br_hash table = {{0}};
    read_hashes(&in, message, hashes, n_chunks);
    if (message->issuers.len > 0) {
        table = br_read_hash(&in, "issuers", message->issuers);
    }
    if (in.status == BR_OK) {
        status = read_snapshot(&in, message, out);
    }
    if (in.status != BR_OK || status != BR_OK) {
        return in.status != BR_OK ? in.status : status;
    }
    memcpy(chunk_hashes, hashes, n_chunks * sizeof *hashes);
    *issuers = table;
    return BR_OK;
}
