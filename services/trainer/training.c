#include "trainer.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/index.h"
#include "base/log.h"
#include "base/version.h"
#include "linalg/gemm.h"
#include "store/recommendations.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { GATE_MAX_BONDS = 250 }; // bonds the gate looks at, evenly spread: some seconds at paper size

static const double TRAIN_SHARE = 0.6, VALID_SHARE = 0.2;

// Everything a training makes on its way; released as a whole.
typedef struct workshop {
    br_follower *follower;
    br_market *market; // the follower's
    br_split split;
    br_encoder *encoder;
    br_dataset *train;
    br_dataset *valid;
    br_snapshot *snapshot;
    br_served *candidate;
    br_served *served;
} workshop;

static void workshop_deinit(workshop *w)
{
    br_served_free(&w->served);
    br_served_free(&w->candidate);
    br_snapshot_free(&w->snapshot);
    br_dataset_free(&w->train);
    br_dataset_free(&w->valid);
    br_encoder_free(&w->encoder);
    br_follower_free(&w->follower);
}

static br_status read_market(training *self, workshop *w)
{
    br_task_tell(self->task, "read", 0, 0, 0, "the ledger");
    br_status status = br_follower_new(&w->follower);
    if (status != BR_OK) {
        return status;
    }
    if (self->wanted.mode == BR_TRAIN_BEFORE) {
        br_follower_limit(w->follower, self->wanted.before_day);
    }
    status = br_follower_catch_up(w->follower, self->ledger, 0, 0);
    w->market = br_follower_market(w->follower);
    if (status == BR_OK && w->market == NULL) {
        status = br_fail(BR_ERR_NOT_FOUND, "the ledger is empty: bookrunner import DIR");
    }
    if (status != BR_OK) {
        return status;
    }
    self->result.n_bonds = br_market_n_bonds(w->market);
    self->result.n_investors = br_market_n_investors(w->market);
    self->result.n_bids = br_market_n_bids(w->market);
    return self->wanted.mode == BR_TRAIN_BEFORE
               ? br_split_before(&w->split, w->market, self->wanted.before_day, VALID_SHARE)
               : br_split_by_time(&w->split, w->market, TRAIN_SHARE, VALID_SHARE);
}

static br_status make_samples(training *self, workshop *w)
{
    br_task_tell(self->task, "prepare", 0, 0, 0, "fields and samples");
    br_dataset_options options = {
        .max_bytes = self->config->dataset_max_bytes / 4 * 3,
        .max_negatives = self->config->pool_negatives,
        .seed = self->wanted.seed,
    };
    const br_split *split = &w->split;
    br_status status =
        br_encoder_learn(&w->encoder, w->market, split->train_from, split->train_until, self->wanted.seed);
    if (status == BR_OK) {
        status = br_dataset_new(&w->train, w->market, w->encoder, split->train_from, split->train_until, &options);
    }
    options.max_bytes = self->config->dataset_max_bytes / 4;
    if (status == BR_OK) {
        status = br_dataset_new(&w->valid, w->market, w->encoder, split->train_until, split->valid_until, &options);
    }
    return status;
}

static bool watch_training(void *context, const br_train_progress *progress)
{
    training *self = context;
    double seconds = (double)(br_clock_ns() - self->began_ns) * 1e-9;
    double rate = seconds > 0 ? (double)progress->samples_done / seconds : 0;
    char text[96];
    snprintf(text, sizeof text, "epoch %u, validation log loss %.4f, AUC %.4f", progress->epoch,
             progress->valid_log_loss, progress->valid_auc);
    br_task_tell(self->task, "train", progress->samples_done, progress->samples_total, rate, text);
    return !br_task_cancelled(self->task);
}

static bool watch_assessment(void *context, uint64_t done, uint64_t total)
{
    training *self = context;
    br_task_tell(self->task, "assess", done, total, 0, "the validation range");
    return !br_task_cancelled(self->task);
}

static br_status learn(training *self, workshop *w)
{
    br_snapshot *snapshot = br_calloc(1, sizeof *snapshot);
    if (snapshot == NULL) {
        return br_no_memory("snapshot", 1);
    }
    w->snapshot = snapshot;
    br_train_options options = self->config->training;
    options.seed = self->wanted.seed;
    if (self->wanted.max_epochs > 0) {
        options.max_epochs = self->wanted.max_epochs;
    }
    br_status status = br_model_new_for(&snapshot->model, &self->config->model, w->encoder);
    if (status != BR_OK) {
        return status;
    }
    br_model_init(snapshot->model, options.seed);
    self->began_ns = br_clock_ns();
    status = br_train(snapshot->model, w->train, w->valid, &options, watch_training, self, &snapshot->calibration,
                      &self->result.report);
    self->result.seconds = (double)(br_clock_ns() - self->began_ns) * 1e-9;
    self->result.n_samples = w->train->n;
    self->result.n_positive = w->train->n_positive;
    return status;
}

static br_status complete_snapshot(training *self, workshop *w)
{
    br_task_tell(self->task, "record", 0, 0, 0, "what backs a reason");
    br_snapshot *snapshot = w->snapshot;
    const br_schema *schema = br_market_schema(w->market);
    br_status status =
        br_record_learn(&snapshot->record, w->market, w->encoder, w->split.train_from, w->split.train_until);
    if (status != BR_OK) {
        return status;
    }
    size_t mean_floats = br_mean_bond_floats(snapshot->model);
    snapshot->mean_bond = br_calloc(mean_floats, sizeof *snapshot->mean_bond);
    if (snapshot->mean_bond == NULL) {
        return br_no_memory("mean bond", mean_floats);
    }
    br_snapshot_mean_bond(snapshot->mean_bond, snapshot->model, w->train);
    snapshot->schema_bytes = schema->yaml_bytes;
    snapshot->schema_yaml = br_memdup(schema->yaml, schema->yaml_bytes);
    if (snapshot->schema_yaml == NULL) {
        return br_no_memory("schema bytes", schema->yaml_bytes);
    }
    snapshot->encoder = w->encoder;
    w->encoder = NULL;
    snapshot->facts = (br_snapshot_facts){
        .split = w->split,
        .ledger_head = br_follower_head(w->follower),
        .seed = self->wanted.seed,
        .n_samples = self->result.report.samples,
        .epochs = self->result.report.epochs,
        .valid_log_loss = self->result.report.valid_log_loss,
        .valid_auc = self->result.report.valid_auc,
    };
    snprintf(snapshot->facts.blas, sizeof snapshot->facts.blas, "%s", br_gemm_describe());
    snprintf(snapshot->facts.engine, sizeof snapshot->facts.engine, "%s", BR_VERSION);
    return br_served_new(&w->candidate, &w->snapshot);
}

static br_status assess_candidate(training *self, workshop *w)
{
    br_assess_range range = {.from = w->split.train_until,
                             .until = w->split.valid_until,
                             .n_top = self->config->n_top,
                             .max_bonds = GATE_MAX_BONDS};
    br_status status = br_assess(&self->result.valid, w->market, w->candidate, &range, watch_assessment, self);
    if (status == BR_OK) {
        br_snapshot_facts *facts = &w->candidate->snapshot->facts;
        facts->valid_log_loss = self->result.valid.log_loss;
        facts->valid_auc = self->result.valid.auc;
        facts->valid_recall_at_50 = self->result.valid.recall;
    }
    return status;
}

// The gate: finite, and on the same validation days not worse than the served snapshot by more than the margins.
static br_status pass_gate(training *self, workshop *w, bool *pass_out)
{
    const br_assessment *new = &self->result.valid;
    char *reason = self->result.reason;
    *pass_out = isfinite(new->log_loss) && isfinite(new->auc);
    if (!*pass_out) {
        snprintf(reason, BR_REASON_BYTES, "log loss %g and AUC %g on the validation range are not finite",
                 new->log_loss, new->auc);
        return BR_OK;
    }
    char version[BR_VERSION_TEXT];
    br_status status = br_snapshots_served(self->snapshots, version);
    if (status != BR_OK || version[0] == '\0') {
        snprintf(reason, BR_REASON_BYTES, "the first snapshot");
        return status;
    }
    status = br_served_load(&w->served, self->models, version);
    if (status == BR_OK) {
        status = br_served_fits(w->served, w->market);
    }
    if (status != BR_OK) {
        snprintf(reason, BR_REASON_BYTES,
                 "the served snapshot %s cannot be used (%s), so there is nothing to compare with", version,
                 br_why(status));
        return status == BR_ERR_NO_MEMORY ? status : BR_OK;
    }
    br_assessment old;
    br_assess_range range = {.from = w->split.train_until,
                             .until = w->split.valid_until,
                             .n_top = self->config->n_top,
                             .max_bonds = GATE_MAX_BONDS};
    status = br_assess(&old, w->market, w->served, &range, watch_assessment, self);
    if (status != BR_OK) {
        return status;
    }
    const br_gate_config *gate = &self->config->gate;
    // Written so that a served snapshot whose figures are not finite is no bar.
    bool loss_good = !(new->log_loss > old.log_loss * gate->max_log_loss_ratio);
    bool recall_good = !(new->recall < old.recall - gate->max_recall_drop);
    *pass_out = loss_good && recall_good;
    snprintf(reason, BR_REASON_BYTES,
             "log loss %.5f against %.5f (at most %.3f times), Recall@%u %.4f against %.4f (at most %.3f "
             "less) of %s",
             new->log_loss, old.log_loss, gate->max_log_loss_ratio, self->config->n_top, new->recall, old.recall,
             gate->max_recall_drop, version);
    return BR_OK;
}

static br_status publish(training *self, workshop *w)
{
    training_result *result = &self->result;
    bool pass = false;
    br_status status = pass_gate(self, w, &pass);
    if (status == BR_OK) {
        br_task_tell(self->task, "publish", 0, 0, 0, "the snapshot");
        status = br_snapshots_write(self->snapshots, w->candidate->snapshot, result->version);
    }
    BR_AUTO(br_snapshot) *written = NULL;
    if (status == BR_OK) { // what cannot be read back is never served
        status = br_snapshots_load(&written, self->models, result->version);
    }
    if (status != BR_OK) {
        return status;
    }
    result->published = pass || self->wanted.force;
    char reason[BR_REASON_BYTES + 64];
    snprintf(reason, sizeof reason, "%s%s",
             pass || !result->published ? "" : "forced although the gate said no: ", result->reason);
    br_snapshot_event event = {
        .kind = result->published ? BR_SNAPSHOT_PUBLISHED : BR_SNAPSHOT_REFUSED,
        .version = result->version,
        .reason = reason,
        .wall_s = br_clock_wall_s(),
    };
    return br_snapshots_record(self->snapshots, &event);
}

// --- sweeping ---

static br_status note_version(void *context, const br_list *list)
{
    return br_index_add(context, list->version, strlen(list->version), &(uint32_t){0}, NULL);
}

static bool is_named(void *context, const char *version)
{
    return br_index_find(context, version, strlen(version)) != BR_INDEX_NONE;
}

// Without the lists nothing is removed.
static br_status name_versions(const training *self, br_index *named)
{
    char path[BR_PATH_BYTES];
    BR_AUTO(br_recommendations) *lists = NULL;
    br_status status = br_place_path(path, self->config->directory, BR_PLACE_RECOMMENDATIONS);
    if (status == BR_OK) {
        status = br_recommendations_open_reader(&lists, path);
    }
    return status == BR_OK ? br_recommendations_visit_all(lists, note_version, named) : status;
}

// The training has succeeded whatever comes of this: the next one sweeps again.
static void sweep(training *self)
{
    BR_AUTO(br_index) *named = NULL;
    uint32_t n_removed = 0;
    br_status status = br_index_new(&named);
    if (status == BR_OK) {
        status = name_versions(self, named);
    }
    if (status == BR_OK) {
        status = br_snapshots_sweep(self->snapshots, self->config->snapshots_keep, is_named, named, &n_removed);
    }
    if (status != BR_OK) {
        br_log_warn("SNAPSHOT-SWEEP-FAILED", "reason=\"%s\" next=\"the next training sweeps again\"", br_why(status));
    } else if (n_removed > 0) {
        br_log_info("SNAPSHOT-SWEPT", "removed=%u keep=%u", n_removed, self->config->snapshots_keep);
    }
}

void training_run(training *self)
{
    workshop w = {0};
    static br_status (*const steps[])(training *, workshop *) = {read_market,       make_samples,     learn,
                                                                 complete_snapshot, assess_candidate, publish};
    br_status status = BR_OK;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && status == BR_OK; i++) {
        status =
            br_task_cancelled(self->task) ? br_fail(BR_ERR_CANCELLED, "the training was stopped") : steps[i](self, &w);
    }
    if (status != BR_OK) {
        snprintf(self->result.reason, sizeof self->result.reason, "%s", br_why(status));
    }
    self->result.status = status;
    workshop_deinit(&w);
    if (status == BR_OK) {
        sweep(self);
    }
}
