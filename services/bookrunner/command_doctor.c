#include "base/alloc.h"
#include "base/clock.h"
#include "base/version.h"
#include "child.h"
#include "codec/control.h"
#include "findings.h"
#include "linalg/fixed.h"
#include "linalg/gemm.h"
#include "pipeline/vocabulary.h"
#include "service/config.h"
#include "service/processes.h"
#include "stores.h"
#include "transport/client.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define PATH_BYTES     (2 * BR_PATH_BYTES)
#define ANSWER_MS      2000
#define LAST_RECORDS   10000
#define WARN_FREE_MB   2048
#define FAIL_FREE_MB   256
#define EARLIEST_CLOCK 1735689600.0 ///< 2025-01-01: an earlier clock is not set

static void check_programs(findings *f)
{
    static const char *const names[] = {"ingester", "trainer", "ranker", "explainer", "evaluator", "desk"};
    char directory[BR_PATH_BYTES];
    br_status status = programs_directory(directory);
    if (status != BR_OK) {
        findings_add(f, FINDING_FAIL, "programs", "%s", br_why(status));
        return;
    }
    size_t n_found = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[PATH_BYTES];
        snprintf(path, sizeof path, "%s/bookrunner-%s", directory, names[i]);
        if (access(path, X_OK) != 0) {
            findings_add(f, FINDING_FAIL, "programs", "%s: %s", path, strerror(errno));
        } else {
            n_found++;
        }
    }
    if (n_found == sizeof names / sizeof *names) {
        findings_add(f, FINDING_OK, "programs", "version %s (%s), all %zu in %s", BR_VERSION, BR_COMMIT, n_found,
                     directory);
    }
}

static void check_arithmetic(findings *f)
{
    br_status status = br_gemm_start();
    if (status == BR_OK) {
        findings_add(f, FINDING_OK, "blas", "%s multiplies right", br_gemm_describe());
    } else {
        findings_add(f, FINDING_FAIL, "blas", "%s", br_why(status));
    }
    const char *kernel = br_fixed()->name;
    bool slow = strcmp(kernel, "plain") == 0;
    findings_add(f, slow ? FINDING_WARN : FINDING_OK, "kernels", "%s%s", kernel,
                 slow ? ": right but slow; this host has no AVX2" : "");
    findings_add(f, FINDING_OK, "messages", "%s", br_transport_describe());
}

static void check_config(findings *f, const char *directory)
{
    br_config config;
    br_status status = br_config_load(&config, directory);
    if (status == BR_OK) {
        findings_add(f, FINDING_OK, "configuration", "%u explainers, lists of %u, %u reasons", config.n_explainers,
                     config.n_top, config.n_reasons);
    } else {
        findings_add(f, FINDING_FAIL, "configuration", "%s", br_why(status));
    }
}

static void check_space(findings *f, const char *directory)
{
    struct statvfs info;
    if (statvfs(directory, &info) != 0) {
        findings_add(f, FINDING_FAIL, "disk", "%s: %s", directory, strerror(errno));
        return;
    }
    double free_mb = (double)info.f_bavail * (double)info.f_frsize / 1048576.0;
    finding_level level = free_mb < FAIL_FREE_MB ? FINDING_FAIL : free_mb < WARN_FREE_MB ? FINDING_WARN : FINDING_OK;
    findings_add(f, level, "disk", "%.0f MB free", free_mb);
}

/// False when there is no directory to look into further.
static bool check_directory(findings *f, const char *directory)
{
    struct stat info;
    char run[PATH_BYTES];
    if (stat(directory, &info) != 0) {
        findings_add(f, FINDING_FAIL, "directory", "%s: %s", directory, strerror(errno));
        return false;
    }
    if (access(directory, R_OK | W_OK | X_OK) != 0) {
        findings_add(f, FINDING_FAIL, "directory", "%s: %s", directory, strerror(errno));
        return false;
    }
    snprintf(run, sizeof run, "%s/run", directory);
    if (stat(run, &info) == 0 && ((info.st_mode & 077) != 0 || info.st_uid != geteuid())) {
        findings_add(f, FINDING_FAIL, "directory", "%s must belong to user %u with mode 0700, it is %03o of user %u",
                     run, (unsigned)geteuid(), (unsigned)info.st_mode & 0777, (unsigned)info.st_uid);
    } else {
        findings_add(f, FINDING_OK, "directory", "%s", directory);
    }
    check_space(f, directory);
    return true;
}

static void check_clock(findings *f, const char *directory)
{
    double now = br_clock_wall_s();
    struct stat info;
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/ledger", directory);
    if (now < EARLIEST_CLOCK) {
        findings_add(f, FINDING_FAIL, "clock", "it stands before 2025; times in logs and telemetry are wrong");
    } else if (stat(path, &info) == 0 && (double)info.st_mtime > now + 60) {
        findings_add(f, FINDING_WARN, "clock", "the ledger was changed %.0f s in the future",
                     (double)info.st_mtime - now);
    } else {
        findings_add(f, FINDING_OK, "clock", "plausible");
    }
}

static br_status count_record(void *context, uint64_t record, const br_row *row)
{
    (void)record;
    (void)row;
    ++*(uint64_t *)context;
    return BR_OK;
}

static void check_ledger(findings *f, br_ledger *ledger, bool full)
{
    uint64_t head = 0;
    uint64_t n = 0;
    br_status status = br_ledger_head(ledger, &head);
    uint64_t after = full || head < LAST_RECORDS ? 0 : head - LAST_RECORDS;
    if (status == BR_OK) {
        status = br_ledger_visit(ledger, after, head, count_record, &n);
    }
    if (status == BR_OK) {
        findings_add(f, FINDING_OK, "ledger", "head %llu, checksums of %llu records right", (unsigned long long)head,
                     (unsigned long long)n);
    } else {
        findings_add(f, FINDING_FAIL, "ledger", "%s", br_why(status));
    }
}

/// Do the configured names of fields exist in the served snapshot?
static void check_vocabulary(findings *f, const char *directory, const br_encoder *encoder)
{
    br_config config;
    br_vocabulary vocabulary = {0};
    br_status status = br_config_load(&config, directory);
    if (status != BR_OK) {
        return; // a finding of its own
    }
    status = br_vocabulary_init(&vocabulary, encoder, config.explain.banned, config.explain.not_together);
    if (status != BR_OK) {
        findings_add(f, FINDING_FAIL, "vocabulary", "%s", br_why(status));
    } else if (vocabulary.unknown.length > 0) {
        findings_add(f, FINDING_FAIL, "vocabulary", "no investor field of the snapshot is named %s",
                     br_buf_text(&vocabulary.unknown));
    } else if (vocabulary.n_banned + vocabulary.n_apart > 0) {
        findings_add(f, FINDING_OK, "vocabulary", "%u fields banned, %u pairs kept apart", vocabulary.n_banned,
                     vocabulary.n_apart);
    }
    br_vocabulary_deinit(&vocabulary);
}

static void check_snapshot(findings *f, const stores *s)
{
    char served[BR_VERSION_TEXT];
    br_status status = br_snapshots_served(s->snapshots, served);
    if (status == BR_OK && served[0] == '\0') {
        findings_add(f, FINDING_WARN, "snapshot", "none is served yet; `bookrunner train` makes one");
        return;
    }
    BR_AUTO(br_snapshot) *snapshot = NULL;
    if (status == BR_OK) {
        status = br_snapshots_load(&snapshot, s->models, served);
    }
    if (status == BR_OK) {
        findings_add(f, FINDING_OK, "snapshot", "%s is what its hash says", served);
        check_vocabulary(f, s->directory, snapshot->encoder);
    } else {
        findings_add(f, FINDING_FAIL, "snapshot", "%s", br_why(status));
    }
}

static void check_recommendations(findings *f, br_recommendations *store)
{
    uint64_t lists = 0;
    uint64_t todo = 0;
    uint64_t results = 0;
    uint64_t dead = 0;
    br_status status = br_recommendations_counts(store, &lists, &todo, &results, &dead);
    if (status != BR_OK) {
        findings_add(f, FINDING_FAIL, "recommendations", "%s", br_why(status));
        return;
    }
    findings_add(f, dead > 0 ? FINDING_WARN : FINDING_OK, "recommendations",
                 "%llu lists, %llu to do, %llu results, %llu dead", (unsigned long long)lists, (unsigned long long)todo,
                 (unsigned long long)results, (unsigned long long)dead);
}

static void check_stores(findings *f, const arguments *args)
{
    BR_AUTO_DEINIT(stores) s = {.ledger = NULL};
    br_status status = stores_open_existing(&s, args);
    if (status != BR_OK) {
        findings_add(f, FINDING_FAIL, "stores", "%s", br_why(status));
    }
    if (s.ledger != NULL) {
        check_ledger(f, s.ledger, args->full);
    }
    if (s.snapshots != NULL) {
        check_snapshot(f, &s);
    }
    if (s.recommendations != NULL) {
        check_recommendations(f, s.recommendations);
    }
    uint64_t offset = 0;
    if (s.quality != NULL && (status = br_quality_offset(s.quality, &offset)) != BR_OK) {
        findings_add(f, FINDING_FAIL, "metrics", "%s", br_why(status));
    } else if (s.quality != NULL) {
        findings_add(f, FINDING_OK, "metrics", "as far as record %llu", (unsigned long long)offset);
    }
}

static br_status wait_answer(br_client *client)
{
    uint64_t request = 0;
    br_message message = {0};
    br_status status = br_client_send(client, BR_MSG_STATUS_REQUEST, (br_span){"", 0}, &request);
    if (status == BR_OK) {
        status = br_client_receive(client, &message, ANSWER_MS);
    }
    if (status != BR_OK) {
        return status;
    }
    status = message.type == BR_MSG_REPORT
                 ? BR_OK
                 : br_fail(BR_ERR_INVALID, "answered with %s", br_message_type_name((br_message_type)message.type));
    br_message_deinit(&message);
    return status;
}

static void check_socket(findings *f, const char *directory, const char *name)
{
    char endpoint[BR_PATH_BYTES];
    BR_AUTO(br_client) *client = NULL;
    int64_t started = br_clock_ms();
    br_status status = br_endpoint(endpoint, directory, name);
    if (status == BR_OK) {
        status = br_client_new(&client, endpoint);
    }
    if (status == BR_OK) {
        status = wait_answer(client);
    }
    if (status == BR_OK) {
        findings_add(f, FINDING_OK, name, "answers after %lld ms", (long long)(br_clock_ms() - started));
    } else {
        findings_add(f, FINDING_FAIL, name, "%s", br_why(status));
    }
}

static void check_processes(findings *f, const char *directory)
{
    static const char *const names[] = {"ingester", "trainer", "ranker", "evaluator"};
    static br_process_facts facts[BR_MAX_PROCESSES];
    uint32_t n = 0;
    br_status status = br_processes_read(directory, facts, &n);
    if (status != BR_OK) {
        findings_add(f, FINDING_FAIL, "processes", "%s", br_why(status));
        return;
    }
    uint32_t n_ready = 0;
    uint32_t n_restarts = 0;
    for (uint32_t i = 0; i < n; i++) {
        n_ready += strcmp(facts[i].state.state, "ready") == 0 ? 1 : 0;
        n_restarts += facts[i].state.restarts;
    }
    finding_level level = n_ready < n || n == 0 || n_restarts > 0 ? FINDING_WARN : FINDING_OK;
    if (n == 0) {
        findings_add(f, level, "processes", "no supervisor runs here");
        return;
    }
    findings_add(f, level, "processes", "%u of %u ready, %u restarts", n_ready, n, n_restarts);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        check_socket(f, directory, names[i]);
    }
}

exit_code command_doctor(const arguments *args)
{
    char directory[BR_PATH_BYTES];
    br_status status = cli_directory(directory, args);
    if (status != BR_OK) {
        return cli_failed(status, "doctor");
    }
    BR_AUTO_DEINIT(findings) f;
    findings_init(&f);
    check_programs(&f);
    check_arithmetic(&f);
    if (check_directory(&f, directory)) {
        check_config(&f, directory);
        check_clock(&f, directory);
        check_stores(&f, args);
        check_processes(&f, directory);
    }
    return findings_report(&f, args->format);
}
