#include "ctr.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"
#include "interrupts.h"
#include "linalg/gemm.h"
#include "options.h"
#include "progress.h"
#include "service/config.h"
#include "service/processes.h"
#include "table.h"

#include <inttypes.h>
#include <math.h>
#include <unistd.h>

typedef struct ctr_job {
    const arguments *args;
    ctr_request request;
    br_config config;
    ctr_data data;
    br_model *model;
    br_stream_report report;
    uint64_t n_values;
    double read_s, train_s;
    uint32_t epochs_told;
    progress shown;
} ctr_job;

static void ctr_job_deinit(ctr_job *it)
{
    br_model_free(&it->model);
    ctr_data_deinit(&it->data);
    ctr_request_deinit(&it->request);
}

/// The configuration under the options.
static br_status configure(ctr_job *it)
{
    const arguments *args = it->args;
    char directory[BR_PATH_BYTES];
    br_status status = cli_directory(directory, args);
    if (status == BR_OK) {
        status = br_config_load(&it->config, directory);
    }
    br_train_options *training = &it->config.training;
    if (args->has_seed) {
        training->seed = args->seed;
    }
    if (args->epochs > 0) {
        training->max_epochs = option_u32(args->epochs);
    }
    if (args->has_threads) {
        training->n_threads = option_u32(args->n_threads);
    }
    return status == BR_OK ? br_gemm_start() : status;
}

static br_status make_model(ctr_job *it)
{
    const br_ctr_vocabulary *vocabulary = it->data.vocabulary;
    br_model_field *fields = br_calloc(vocabulary->n_fields, sizeof *fields);
    if (fields == NULL) {
        return br_no_memory("fields", vocabulary->n_fields);
    }
    for (uint32_t j = 0; j < vocabulary->n_fields; j++) {
        fields[j] = (br_model_field){vocabulary->fields[j].n_values, it->request.masks};
        it->n_values += fields[j].n_values;
    }
    br_status status = br_model_new(&it->model, &it->config.model, fields, vocabulary->n_fields, 0);
    br_free(fields);
    if (status == BR_OK) {
        br_model_init(it->model, it->config.training.seed);
    }
    return status;
}

static bool watch(void *context, const br_train_progress *now)
{
    ctr_job *it = context;
    if (now->epoch > it->epochs_told) {
        it->epochs_told = now->epoch;
        progress_end(&it->shown);
        fprintf(stderr, "epoch %u  log loss %.6f  validation log loss %.6f  validation AUC %.6f  %.1f s\n", now->epoch,
                now->train_log_loss, now->valid_log_loss, now->valid_auc, progress_seconds(&it->shown));
    }
    char text[64];
    snprintf(text, sizeof text, "epoch %u, log loss %.4f", now->epoch + 1, now->train_log_loss);
    progress_show(&it->shown, now->samples_done, now->samples_total, 0, text);
    return !interrupted();
}

static br_status learn(ctr_job *it)
{
    br_sample_stream streams[CTR_PARTS];
    for (uint32_t k = 0; k < CTR_PARTS; k++) {
        if (it->data.parts[k].file != NULL) {
            streams[k] = ctr_data_stream(&it->data.parts[k]);
        }
    }
    br_stream_data data = {.train = &streams[CTR_TRAIN],
                           .valid = &streams[CTR_VALID],
                           .test = it->data.parts[CTR_TEST].file == NULL ? NULL : &streams[CTR_TEST]};
    it->shown = progress_start("train", "samples");
    br_status status = br_train_stream(it->model, &data, &it->config.training, watch, it, &it->report);
    it->train_s = progress_seconds(&it->shown);
    progress_end(&it->shown);
    return status;
}

// --- the result ---

static void add_whole(table *t, const char *name, uint64_t value)
{
    table_text(t, name);
    table_whole(t, value);
}

static void add_number(table *t, const char *name, double value, int decimals)
{
    table_text(t, name);
    table_number(t, value, decimals);
}

static void add_text(table *t, const char *name, const char *value)
{
    table_text(t, name);
    table_text(t, value);
}

static exit_code print_result(ctr_job *it)
{
    BR_AUTO_DEINIT(table)
    t = {.columns = (const char *const[]){"name", "value"}, .n_columns = 2, .record = true};
    static const char *const rows[] = {"train_rows", "valid_rows", "test_rows"};
    for (uint32_t k = 0; k < CTR_PARTS; k++) {
        add_whole(&t, rows[k], it->data.parts[k].file == NULL ? 0 : br_ctr_file_n_rows(it->data.parts[k].file));
    }
    add_whole(&t, "rejected_rows", it->data.n_rejected);
    add_whole(&t, "fields", it->model->n_fields);
    add_whole(&t, "values", it->n_values);
    add_whole(&t, "parameters", it->model->n_parameters);
    add_whole(&t, "epochs", it->report.epochs);
    add_whole(&t, "best_epoch", it->report.best_epoch);
    add_number(&t, "valid_log_loss", it->report.valid_log_loss, 6);
    add_number(&t, "valid_auc", it->report.valid_auc, 6);
    add_number(&t, "test_log_loss", it->report.test_log_loss, 6);
    add_number(&t, "test_auc", it->report.test_auc, 6);
    add_number(&t, "read_s", it->read_s, 2);
    add_number(&t, "train_s", it->train_s, 2);
    add_number(&t, "samples_per_s", it->train_s > 0 ? (double)it->report.samples / it->train_s : (double)NAN, 0);
    double rss_mb = (double)NAN;
    double peak_mb = (double)NAN;
    br_process_memory(getpid(), &rss_mb, &peak_mb);
    add_number(&t, "peak_rss_mb", peak_mb, 1);
    char hash[BR_HASH_TEXT];
    br_hash of = br_hash_of(it->model->parameters, it->model->n_parameters * sizeof *it->model->parameters);
    br_hash_text(&of, hash);
    add_text(&t, "parameters_hash", hash);
    return table_print(&t, it->args->format, stdout);
}

exit_code train_on_rows(const arguments *args)
{
    BR_AUTO_DEINIT(ctr_job) it = {.args = args};
    br_status status = ctr_request_init(&it.request, args);
    if (status == BR_ERR_INVALID) {
        fprintf(stderr, "bookrunner train: %s\n", br_why(status));
        return EXIT_CODE_USAGE;
    }
    if (status == BR_OK) {
        status = configure(&it);
    }
    interrupts_listen();
    int64_t started = br_clock_ms();
    if (status == BR_OK) {
        status = ctr_data_read(&it.data, &it.request, it.config.training.seed);
    }
    it.read_s = (double)(br_clock_ms() - started) / 1000.0;
    if (status == BR_OK) {
        status = make_model(&it);
    }
    if (status == BR_OK) {
        status = learn(&it);
    }
    if (status != BR_OK) {
        exit_code code = cli_failed(status, "train");
        return status == BR_ERR_CANCELLED ? EXIT_CODE_INTERRUPTED : code;
    }
    exit_code code = print_result(&it);
    return code == EXIT_CODE_OK && it.data.n_rejected > 0 ? EXIT_CODE_REJECTED : code;
}
