#include "trainer.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/index.h"
#include "base/log.h"
#include "base/version.h"
#include "linalg/gemm.h"
#include "pipeline/past.h"
#include "store/recommendations.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { GATE_MAX_BONDS = 250 }; // bonds the gate looks at, evenly spread: some seconds at paper size

static const double TRAIN_SHARE = 0.6, VALID_SHARE = 0.2;

// Everything a training makes on its way; released as a whole.
typedef struct workshop {
    br_follower *follower;
    br_market *market;   // the follower's
    br_snapshot *parent; // with the parameters that training begins with; NULL: from scratch
    char parent_version[BR_VERSION_TEXT];
    br_split split;
    br_encoder *encoder;
    br_dataset *train; // what was learned from last
    br_dataset *valid;
    br_snapshot *snapshot;
    br_served *candidate;
    br_served *served; // while the gate looks
    bool pass;
} workshop;

static void workshop_deinit(workshop *w)
{
    br_served_free(&w->served);
    br_served_free(&w->candidate);
    br_snapshot_free(&w->snapshot);
    br_snapshot_free(&w->parent);
    br_dataset_free(&w->train);
    br_dataset_free(&w->valid);
    br_encoder_free(&w->encoder);
    br_follower_free(&w->follower);
}

static bool is_daily(const training *self)
{
    return self->wanted.mode == BR_TRAIN_DAILY || self->wanted.mode == BR_TRAIN_WARM;
}

static br_status read_market(training *self, workshop *w)
{
    br_task_tell(self->task, "read", 0, 0, 0, "the ledger");
    br_status status = br_follower_new(&w->follower);
    if (status != BR_OK) {
        return status;
    }
    if (self->wanted.mode != BR_TRAIN_STATIC && self->wanted.before_day != BR_DAY_NONE) {
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
    return BR_OK;
}

// --- what training begins with ---

// Why a training cannot begin with this snapshot; NULL if it can.
static const char *why_not(const training *self, const br_snapshot *parent, const br_schema *schema)
{
    if (parent->schema_bytes != schema->yaml_bytes ||
        memcmp(parent->schema_yaml, schema->yaml, schema->yaml_bytes) != 0) {
        return "it was learned under another schema";
    }
    return br_model_config_equal(&parent->model->config, &self->config->model)
               ? NULL
               : "the configuration asks for another model";
}

// The served snapshot, with the parameters that have not seen its validation days.
static br_status choose_parent(training *self, workshop *w)
{
    bool warm = self->wanted.mode == BR_TRAIN_WARM ||
                (self->wanted.mode == BR_TRAIN_DAILY && self->config->daily.start == BR_DAILY_WARM);
    snprintf(self->result.start, sizeof self->result.start, "from scratch");
    if (!warm) {
        return BR_OK;
    }
    char version[BR_VERSION_TEXT];
    br_status status = br_snapshots_served(self->snapshots, version);
    const char *why = version[0] == '\0' ? "none is served" : NULL;
    if (status == BR_OK && why == NULL) {
        br_status loaded = br_snapshots_load(&w->parent, self->models, version);
        status = loaded == BR_ERR_NO_MEMORY ? loaded : BR_OK;
        why = loaded != BR_OK ? br_why(loaded) : why_not(self, w->parent, br_market_schema(w->market));
    }
    if (status != BR_OK) {
        return status;
    }
    if (why != NULL) {
        snprintf(self->result.start, sizeof self->result.start, "from scratch, not from the served snapshot%s%s: %s",
                 version[0] == '\0' ? "" : " ", version, why);
        br_log_warn("TRAIN-NOT-WARM", "model=%s reason=\"%s\" next=\"trained from scratch\"", version, why);
        br_snapshot_free(&w->parent);
        return BR_OK;
    }
    br_snapshot_go_back(w->parent);
    snprintf(w->parent_version, sizeof w->parent_version, "%s", version);
    snprintf(self->result.start, sizeof self->result.start, "from %s", version);
    return BR_OK;
}

// --- the ranges ---

static br_status split_daily(const training *self, workshop *w)
{
    br_day day = self->wanted.before_day;
    if (day == BR_DAY_NONE) {
        day = br_market_business_day(w->market);
        if (day == BR_DAY_NONE) {
            return br_fail(BR_ERR_NOT_FOUND, "no day is closed yet: bookrunner close-day DATE, or train with --before");
        }
        day++;
    }
    br_status status = br_split_daily(&w->split, w->market, day, self->config->daily.validation_days);
    if (status != BR_OK || w->parent == NULL) {
        return status;
    }
    const br_split *learned = &w->parent->facts.split;
    if (learned->valid_until > w->split.valid_until) {
        char seen[BR_DAY_TEXT], closed[BR_DAY_TEXT];
        return br_fail(BR_ERR_INVALID,
                       "the served snapshot knows bonds issued until %s, but books are closed only of those until %s: "
                       "train from scratch",
                       br_day_text(learned->valid_until - 1, seen), br_day_text(w->split.valid_until - 1, closed));
    }
    // Days that the parent's parameters have seen do not validate.
    if (learned->train_until > w->split.train_until) {
        w->split.train_until = learned->train_until;
    }
    return BR_OK;
}

static br_status split_market(training *self, workshop *w)
{
    switch (self->wanted.mode) {
    case BR_TRAIN_STATIC:
        return br_split_by_time(&w->split, w->market, TRAIN_SHARE, VALID_SHARE);
    case BR_TRAIN_BEFORE:
        return br_split_before(&w->split, w->market, self->wanted.before_day, VALID_SHARE);
    case BR_TRAIN_DAILY:
    case BR_TRAIN_WARM:
        break;
    }
    return split_daily(self, w);
}

// The first day that is new to the parent's parameters; where no bond was issued since, the newest issue day.
static br_status find_new_days(workshop *w, br_day *out)
{
    const uint32_t *bonds;
    uint32_t n;
    br_status status = br_market_bonds_by_issue(w->market, &bonds, &n);
    br_day newest = w->split.train_from;
    for (uint32_t i = 0; i < n && status == BR_OK; i++) {
        br_day day = br_market_bond(w->market, bonds[i])->issue_day;
        newest = day < w->split.train_until && day > newest ? day : newest;
    }
    br_day since = w->parent->facts.split.train_until;
    *out = since < newest ? since : newest;
    return status;
}

// Samples of [new_from, until), and a draw of the earlier ones.
static br_status make_train(const training *self, workshop *w, br_day new_from, br_day until)
{
    double share = self->config->daily.replay_share;
    br_dataset_options options = {
        .max_bytes = self->config->dataset_max_bytes / 4 * 3,
        .max_negatives = self->config->pool_negatives,
        .seed = self->wanted.seed,
        .replay_share = share,
        .replay_until = new_from,
    };
    br_dataset_free(&w->train);
    return br_dataset_new(&w->train, w->market, w->encoder, share > 0.0 ? w->split.train_from : new_from, until,
                          &options);
}

static uint32_t count_new_values(const br_encoder *before, const br_encoder *now)
{
    uint32_t n = 0;
    for (uint32_t j = 0; j < now->n_fields; j++) {
        for (uint32_t code = 0; code < now->fields[j].n_values; code++) {
            n += br_field_code_before(&before->fields[j], &now->fields[j], (uint8_t)code) == BR_CODE_NEW;
        }
    }
    return n;
}

static br_status make_samples(training *self, workshop *w)
{
    br_task_tell(self->task, "prepare", 0, 0, 0, "fields and samples");
    const br_split *split = &w->split;
    br_day new_from = split->train_from;
    br_status status;
    if (w->parent == NULL) {
        status = br_encoder_learn(&w->encoder, w->market, split->train_from, split->train_until, self->wanted.seed);
    } else {
        status = br_encoder_extend(&w->encoder, w->parent->encoder, w->market, split->train_from, split->valid_until);
        status = status == BR_OK ? find_new_days(w, &new_from) : status;
        self->result.n_new_values = status == BR_OK ? count_new_values(w->parent->encoder, w->encoder) : 0;
    }
    if (status == BR_OK) {
        status = make_train(self, w, new_from, split->train_until);
    }
    br_dataset_options options = {
        .max_bytes = self->config->dataset_max_bytes / 4,
        .max_negatives = self->config->pool_negatives,
        .seed = self->wanted.seed,
    };
    if (status == BR_OK) {
        status = br_dataset_new(&w->valid, w->market, w->encoder, split->train_until, split->valid_until, &options);
    }
    return status;
}

// --- learning ---

static bool watch_training(void *context, const br_train_progress *progress)
{
    training *self = context;
    double seconds = (double)(br_clock_ns() - self->began_ns) * 1e-9;
    double rate = seconds > 0 ? (double)progress->samples_done / seconds : 0;
    char text[96];
    if (isnan(progress->valid_log_loss)) {
        snprintf(text, sizeof text, "epoch %u", progress->epoch);
    } else {
        snprintf(text, sizeof text, "epoch %u, validation log loss %.4f, AUC %.4f", progress->epoch,
                 progress->valid_log_loss, progress->valid_auc);
    }
    br_task_tell(self->task, "train", progress->samples_done, progress->samples_total, rate, text);
    return !br_task_cancelled(self->task);
}

static bool watch_assessment(void *context, uint64_t done, uint64_t total)
{
    training *self = context;
    br_task_tell(self->task, "assess", done, total, 0, "the validation range");
    return !br_task_cancelled(self->task);
}

// Options of `epochs` epochs on a model that has learned before: all as in the last phase.
static br_train_options further_options(const training *self, uint32_t epochs)
{
    br_train_options options = self->config->training;
    options.seed = self->wanted.seed;
    options.max_epochs = epochs;
    options.final_epochs = epochs;
    options.learning_rate = self->config->daily.learning_rate;
    options.final_learning_rate = fmin(options.final_learning_rate, options.learning_rate);
    return options;
}

static br_train_options first_options(const training *self, const workshop *w)
{
    uint32_t wanted = self->wanted.max_epochs;
    if (w->parent != NULL) {
        return further_options(self, wanted > 0 ? wanted : self->config->daily.epochs);
    }
    br_train_options options = self->config->training;
    options.seed = self->wanted.seed;
    options.max_epochs = wanted > 0 ? wanted : options.max_epochs;
    return options;
}

static br_status learn(training *self, workshop *w)
{
    br_snapshot *snapshot = br_calloc(1, sizeof *snapshot);
    if (snapshot == NULL) {
        return br_no_memory("snapshot", 1);
    }
    w->snapshot = snapshot;
    br_train_options options = first_options(self, w);
    br_status status;
    if (w->parent == NULL) {
        status = br_model_new_for(&snapshot->model, &self->config->model, w->encoder);
    } else {
        status = br_model_take_over(&snapshot->model, w->parent->model, w->parent->encoder, w->encoder);
    }
    if (status != BR_OK) {
        return status;
    }
    if (w->parent == NULL) {
        br_model_init(snapshot->model, options.seed);
    }
    self->began_ns = br_clock_ns();
    status = br_train(snapshot->model, w->train, w->valid, &options, watch_training, self, &snapshot->calibration,
                      &self->result.report);
    self->result.seconds = (double)(br_clock_ns() - self->began_ns) * 1e-9;
    self->result.n_samples = w->train->n;
    self->result.n_positive = w->train->n_positive;
    return status;
}

static bool has_masks(const br_mask_plan *plan)
{
    return plan->algorithm1 > 0.0 || plan->few > 0.0;
}

// What a masked parent knew of hidden fields stays, more or less.
static bool learns_without_masks(const training *self, const workshop *w)
{
    const br_train_options *options = &self->config->training;
    bool parent_knows = w->parent != NULL && !w->parent->facts.unmasked;
    return !parent_knows && !has_masks(&options->masks) && !has_masks(&options->final_masks);
}

// The candidate as it can be assessed.
static br_status make_candidate(training *self, workshop *w)
{
    br_snapshot *snapshot = w->snapshot;
    const br_schema *schema = br_market_schema(w->market);
    snapshot->schema_bytes = schema->yaml_bytes;
    snapshot->schema_yaml = br_memdup(schema->yaml, schema->yaml_bytes);
    if (snapshot->schema_yaml == NULL) {
        return br_no_memory("schema bytes", schema->yaml_bytes);
    }
    snapshot->encoder = w->encoder;
    w->encoder = NULL;
    snapshot->facts = (br_snapshot_facts){
        .split = w->split,
        .ledger_head = br_follower_market_head(w->follower),
        .seed = self->wanted.seed,
        .unmasked = learns_without_masks(self, w),
        .epochs = self->result.report.epochs,
        .valid_log_loss = self->result.report.valid_log_loss,
        .valid_auc = self->result.report.valid_auc,
    };
    snprintf(snapshot->facts.parent, sizeof snapshot->facts.parent, "%s", w->parent_version);
    snprintf(snapshot->facts.blas, sizeof snapshot->facts.blas, "%s", br_gemm_describe());
    snprintf(snapshot->facts.engine, sizeof snapshot->facts.engine, "%s", BR_VERSION);
    return br_served_new(&w->candidate, &w->snapshot);
}

// What is learned of the validation days once they have validated.
static br_status take_in(training *self, workshop *w)
{
    uint32_t epochs = self->config->daily.take_in_epochs;
    if (!is_daily(self) || epochs == 0) {
        return BR_OK;
    }
    br_snapshot *snapshot = w->candidate->snapshot;
    size_t n = snapshot->model->n_parameters;
    snapshot->held = br_calloc_aligned(n, sizeof *snapshot->held);
    if (snapshot->held == NULL) {
        return br_no_memory("parameters", n);
    }
    memcpy(snapshot->held, snapshot->model->parameters, n * sizeof *snapshot->held);
    w->encoder = snapshot->encoder;
    br_status status = make_train(self, w, w->split.train_until, w->split.valid_until);
    w->encoder = NULL;
    br_train_options options = further_options(self, epochs);
    br_train_report report = {0};
    int64_t began_ns = br_clock_ns();
    if (status == BR_OK) {
        status = br_train_fixed(snapshot->model, w->train, &options, watch_training, self, &report);
    }
    self->result.seconds += (double)(br_clock_ns() - began_ns) * 1e-9;
    self->result.report.samples += report.samples;
    return status;
}

// What past bids say of issuers, from all that the snapshot has learned.
static br_status learn_issuers(training *self, workshop *w, br_day until)
{
    const br_item_based_config *wanted = &self->config->item_based;
    if (wanted->n_factors == 0) {
        return BR_OK;
    }
    br_task_tell(self->task, "issuers", 0, 0, 0, "what past bids say of them");
    br_ials_options options = br_ials_options_default();
    options.n_factors = wanted->n_factors;
    options.regularization = wanted->regularization;
    options.confidence = wanted->confidence;
    options.n_sweeps = wanted->n_sweeps;
    options.seed = self->wanted.seed;
    uint32_t n_threads = self->config->training.n_threads;
    options.n_threads = n_threads < BR_IALS_MAX_THREADS ? n_threads : BR_IALS_MAX_THREADS;
    BR_AUTO(br_pasts) *pasts = NULL;
    int64_t began_ns = br_clock_ns();
    br_status status = br_pasts_new(&pasts, w->market, until, NULL);
    if (status == BR_OK) {
        status = br_issuer_table_learn(&w->candidate->snapshot->issuers, pasts, w->market, &options);
    }
    self->result.issuers_seconds = (double)(br_clock_ns() - began_ns) * 1e-9;
    return status;
}

static br_status complete_snapshot(training *self, workshop *w)
{
    br_task_tell(self->task, "record", 0, 0, 0, "what backs a reason");
    br_snapshot *snapshot = w->candidate->snapshot;
    snapshot->facts.n_samples = self->result.report.samples;
    br_day until = snapshot->held != NULL ? w->split.valid_until : w->split.train_until;
    br_status status = br_record_learn(&snapshot->record, w->market, snapshot->encoder, w->split.train_from, until);
    if (status == BR_OK) {
        status = learn_issuers(self, w, until);
    }
    if (status != BR_OK) {
        return status;
    }
    size_t mean_floats = br_mean_bond_floats(snapshot->model);
    snapshot->mean_bond = br_calloc(mean_floats, sizeof *snapshot->mean_bond);
    if (snapshot->mean_bond == NULL) {
        return br_no_memory("mean bond", mean_floats);
    }
    br_snapshot_mean_bond(snapshot->mean_bond, snapshot->model, w->train);
    return BR_OK;
}

// --- the gate ---

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

// The served snapshot, as it was before it learned its own validation days.
static br_status load_rival(const training *self, workshop *w, const char *version)
{
    br_snapshot *snapshot = NULL;
    br_status status = br_snapshots_load(&snapshot, self->models, version);
    if (status == BR_OK) {
        br_snapshot_go_back(snapshot);
        status = br_served_new(&w->served, &snapshot);
    }
    return status == BR_OK ? br_served_fits(w->served, w->market) : status;
}

// The gate: finite, and on the same validation days not worse than the served snapshot by more than the margins. Neither has
// learned these days when the served one was made by daily training, too.
static br_status compare(training *self, workshop *w, bool *pass_out)
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
    status = load_rival(self, w, version);
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

static br_status pass_gate(training *self, workshop *w)
{
    br_status status = compare(self, w, &w->pass);
    br_served_free(&w->served);
    return status;
}

static br_status publish(training *self, workshop *w)
{
    training_result *result = &self->result;
    bool pass = w->pass;
    br_task_tell(self->task, "publish", 0, 0, 0, "the snapshot");
    br_status status = br_snapshots_write(self->snapshots, w->candidate->snapshot, result->version);
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
        .parent = w->parent_version,
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
    static br_status (*const steps[])(training *, workshop *) = {
        read_market,      choose_parent, split_market, make_samples,      learn,  make_candidate,
        assess_candidate, pass_gate,     take_in,      complete_snapshot, publish};
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
