#include "job.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "importing.h"
#include "pipeline/follow.h"
#include "progress.h"
#include "requests.h"
#include "service/config.h"
#include "simulating.h"
#include "truth.h"
#include "watch.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define LIST_ARENA_BYTES (64u << 20)

/// What counting the explanations needs of a list.
typedef struct listed {
    char bond_id[BR_MAX_ID_BYTES + 1];
    br_hash job_id;
    uint32_t n_entries;
} listed;

typedef struct listing {
    const char *version;
    br_buf lists; ///< listed [...]
} listing;

/// Simulate aside and rename, so that a folder by this name is complete.
static br_status simulate_aside(const job *j)
{
    static const char *const names[] = {
        "README.txt",     "schema.yaml",     "bonds.csv",           "investors.csv",     "bids.csv",
        "exclusions.csv", "truth/bonds.csv", "truth/investors.csv", "truth/utility.f32", "truth/causal.u16"};
    char aside[sizeof j->market + 16];
    snprintf(aside, sizeof aside, "%s.partial", j->market);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[sizeof aside + 32];
        snprintf(path, sizeof path, "%s/%s", aside, names[i]); // left by a run that was stopped
        unlink(path);
    }
    br_status status = simulate_folder(j->args, aside);
    if (status == BR_OK && rename(aside, j->market) != 0) {
        status = br_fail(BR_ERR_IO, "%s: %s", j->market, strerror(errno));
    }
    return status;
}

exit_code job_find_market(job *j)
{
    br_status status = cli_directory(j->directory, j->args);
    if (status != BR_OK) {
        return cli_failed(status, "run");
    }
    if (j->args->market != NULL) {
        snprintf(j->market, sizeof j->market, "%s", j->args->market);
        return EXIT_CODE_OK;
    }
    j->simulated = true;
    snprintf(j->market, sizeof j->market, "%s/market-%s-%llu", j->directory, j->args->size,
             (unsigned long long)j->args->seed);
    if (access(j->market, F_OK) == 0) {
        return EXIT_CODE_OK;
    }
    status = simulate_aside(j);
    return status == BR_OK ? EXIT_CODE_OK : cli_failed(status, "simulate");
}

exit_code job_import(job *j)
{
    int64_t started = br_clock_ms();
    exit_code code = import_folder(j->args, j->market, FORMAT_TABLE, stderr);
    j->import_s = (double)(br_clock_ms() - started) / 1000.0;
    j->rejected = code == EXIT_CODE_REJECTED;
    return j->rejected ? EXIT_CODE_OK : code;
}

exit_code job_train(job *j)
{
    exit_code code = ask_train(j->args, j->arenas[0], &j->trained);
    if (code == EXIT_CODE_OK && report_number(&j->trained, "published") == 0.0) {
        fprintf(stderr, "the gate keeps the snapshot that is served: %s\n", report_text(&j->trained, "gate"));
    }
    return code;
}

static arguments test_range(const job *j)
{
    arguments args = *j->args;
    args.test = true;
    args.n_words = 0;
    return args;
}

static br_status note_list(void *context, const br_list *list)
{
    listing *to = context;
    if (!list->has_job || strcmp(list->version, to->version) != 0) {
        return BR_OK;
    }
    listed item = {.job_id = list->job_id, .n_entries = list->n_entries};
    snprintf(item.bond_id, sizeof item.bond_id, "%s", list->bond_id);
    br_buf_append(&to->lists, &item, sizeof item);
    return to->lists.failed ? br_no_memory("lists", to->lists.length / sizeof item) : BR_OK;
}

/// Explanations that stand in the store for lists of the served snapshot.
static br_status count_explanations(job *j, stores *s, const char *version, uint64_t *out)
{
    BR_AUTO(br_arena) *arena = NULL;
    listing lists = {.version = version};
    *out = 0;
    br_status status = br_arena_new(&arena, LIST_ARENA_BYTES);
    if (status == BR_OK) {
        status = br_recommendations_visit(s->recommendations, note_list, &lists);
    }
    const listed *items = (const listed *)(const void *)lists.lists.data;
    for (size_t i = 0; i < lists.lists.length / sizeof *items && status == BR_OK; i++) {
        br_result result;
        br_arena_reset(arena);
        status = br_recommendations_result(s->recommendations, arena, &items[i].job_id, &result);
        if (status == BR_OK && result.n_explanations > 0) {
            *out += result.n_explanations;
            snprintf(j->example, sizeof j->example, "%s", items[i].bond_id);
        }
        status = status == BR_ERR_NOT_FOUND ? BR_OK : status;
    }
    br_buf_deinit(&lists.lists);
    return status;
}

/// Wait until no job is to do. Time runs out only while nothing moves.
static br_status wait_explained(job *j, stores *s)
{
    BR_AUTO(watch) *w = NULL;
    br_status status = watch_new(&w, j->directory, (const char *const[]){"ranker.hints"}, 1);
    progress shown = progress_start("explain", "lists");
    uint64_t last = UINT64_MAX;
    int64_t moved_ms = br_clock_ms();
    while (status == BR_OK) {
        uint64_t lists = 0;
        uint64_t todo = 0;
        uint64_t results = 0;
        status = br_recommendations_counts(s->recommendations, &lists, &todo, &results, &j->dead);
        if (status != BR_OK || todo == 0) {
            break;
        }
        int64_t now = br_clock_ms();
        moved_ms = todo != last ? now : moved_ms;
        last = todo;
        progress_show(&shown, results, results + todo, 0, NULL);
        if ((double)(now - moved_ms) > j->args->timeout_s * 1000) {
            status = br_fail(BR_ERR_UNREACHABLE,
                             "%llu explanations are to do and none was made for %.0f s; do explainers run?",
                             (unsigned long long)todo, j->args->timeout_s);
        } else {
            status = watch_wait(w);
        }
    }
    progress_end(&shown);
    return status;
}

exit_code job_rank_and_explain(job *j)
{
    BR_AUTO_DEINIT(stores) s = {.ledger = NULL};
    char version[BR_VERSION_TEXT] = "";
    uint64_t before = 0;
    br_status status = stores_open(&s, j->args, STORE_RECOMMENDATIONS | STORE_SNAPSHOTS);
    if (status == BR_OK) {
        status = br_snapshots_served(s.snapshots, version);
    }
    if (status == BR_OK) {
        status = count_explanations(j, &s, version, &before);
    }
    if (status != BR_OK) {
        return cli_failed(status, "rank");
    }
    int64_t started = br_clock_ms();
    arguments args = test_range(j);
    exit_code code = ask_rank(&args, j->arenas[1], &j->ranked);
    if (code != EXIT_CODE_OK) {
        return code;
    }
    status = wait_explained(j, &s);
    j->explain_s = (double)(br_clock_ms() - started) / 1000.0;
    if (status == BR_OK) {
        status = count_explanations(j, &s, version, &j->explanations);
    }
    j->new_explanations = j->explanations > before ? j->explanations - before : 0;
    if (j->dead > 0) {
        fprintf(stderr, "%llu explanations could not be made; `bookrunner jobs list` says why\n",
                (unsigned long long)j->dead);
    }
    return status == BR_OK ? EXIT_CODE_OK : cli_failed(status, "explain");
}

exit_code job_evaluate(job *j)
{
    arguments args = test_range(j);
    return ask_evaluate(&args, j->arenas[2], &j->evaluated);
}

static br_status measure_truth(job *j, stores *s, br_market *market)
{
    char version[BR_VERSION_TEXT];
    BR_AUTO(br_snapshot) *snapshot = NULL;
    br_status status = br_snapshots_served(s->snapshots, version);
    if (status == BR_OK) {
        status = br_snapshots_load(&snapshot, s->models, version);
    }
    if (status == BR_OK) {
        const br_split *split = &snapshot->facts.split;
        status = oracle_read(&j->truth, j->market, market, split->valid_until, split->test_until, j->n_top);
    }
    j->has_oracle = status == BR_OK;
    return status;
}

exit_code job_measure_market(job *j)
{
    BR_AUTO_DEINIT(stores) s = {.ledger = NULL};
    BR_AUTO(br_follower) *follower = NULL;
    br_config config;
    br_status status = stores_open(&s, j->args, STORE_LEDGER | STORE_SNAPSHOTS);
    if (status == BR_OK) {
        status = br_config_load(&config, j->directory);
    }
    if (status == BR_OK) {
        status = br_follower_new(&follower);
    }
    if (status == BR_OK) {
        status = br_follower_catch_up(follower, s.ledger, 0, 0);
    }
    br_market *market = status == BR_OK ? br_follower_market(follower) : NULL;
    if (market != NULL) {
        j->n_top = config.n_top;
        j->n_bonds = br_market_n_bonds(market);
        j->n_investors = br_market_n_investors(market);
        j->n_bids = br_market_n_bids(market);
        status = truth_exists(j->market) ? measure_truth(j, &s, market) : BR_OK;
    }
    return status == BR_OK ? EXIT_CODE_OK : cli_failed(status, "run");
}

void job_deinit(job *j)
{
    for (size_t i = 0; i < sizeof j->arenas / sizeof *j->arenas; i++) {
        br_arena_free(&j->arenas[i]);
    }
}
