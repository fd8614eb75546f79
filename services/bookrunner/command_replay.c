// A stored list and its explanations made again from the ledger and the snapshot, and compared byte by byte.

#include "base/alloc.h"
#include "base/index.h"
#include "pipeline/earlier.h"
#include "pipeline/follow.h"
#include "pipeline/recommend.h"
#include "progress.h"
#include "service/config.h"
#include "stores.h"
#include "table.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_BYTES (128u << 20)

/// A list to make again.
typedef struct replayed_list {
    char bond_id[BR_MAX_ID_BYTES + 1];
    char version[BR_VERSION_TEXT];
    br_day as_of;
    uint64_t head;
} replayed_list;

typedef struct replay {
    stores stores;
    br_config config;
    br_buf lists; ///< replayed_list [...]
    br_follower *follower;
    br_served *served;
    br_earlier_reader earlier;
    br_day_population *population;
    br_arena *stored;
    br_arena *made;
    char difference[200];
} replay;

static void replay_deinit(replay *r)
{
    br_day_population_free(&r->population);
    br_served_free(&r->served);
    br_earlier_reader_deinit(&r->earlier);
    br_follower_free(&r->follower);
    br_arena_free(&r->stored);
    br_arena_free(&r->made);
    br_buf_deinit(&r->lists);
    stores_deinit(&r->stores);
}

static br_status note_list(void *context, const br_list *list)
{
    replay *r = context;
    replayed_list item = {.as_of = list->as_of, .head = list->ledger_head};
    snprintf(item.bond_id, sizeof item.bond_id, "%s", list->bond_id);
    snprintf(item.version, sizeof item.version, "%s", list->version);
    br_buf_append(&r->lists, &item, sizeof item);
    return r->lists.failed ? br_no_memory("lists", r->lists.length / sizeof item) : BR_OK;
}

/// By ledger head, so that the market only grows; then by snapshot and day, so that a population serves many bonds.
static int compare_lists(const void *a, const void *b)
{
    const replayed_list *x = a;
    const replayed_list *y = b;
    if (x->head != y->head) {
        return x->head < y->head ? -1 : 1;
    }
    int versions = strcmp(x->version, y->version);
    if (versions != 0) {
        return versions;
    }
    if (x->as_of != y->as_of) {
        return x->as_of < y->as_of ? -1 : 1;
    }
    return strcmp(x->bond_id, y->bond_id);
}

/// The market as it stood at `item->head`, its snapshot, and the population of its day.
static br_status set_stage(replay *r, const replayed_list *item)
{
    br_status status = BR_OK;
    if (br_follower_head(r->follower) < item->head) {
        br_day_population_free(&r->population); // it borrows a market that now moves on
        status = br_follower_catch_up(r->follower, r->stores.ledger, item->head, 0);
    }
    if (status == BR_OK && br_follower_head(r->follower) != item->head) {
        status = br_fail(BR_ERR_CORRUPT, "the ledger ends at record %llu, the list saw %llu",
                         (unsigned long long)br_follower_head(r->follower), (unsigned long long)item->head);
    }
    if (status == BR_OK && (r->served == NULL || strcmp(r->served->version, item->version) != 0)) {
        br_day_population_free(&r->population);
        br_served_free(&r->served);
        status = br_served_load(&r->served, r->stores.models, item->version);
    }
    br_market *market = br_follower_market(r->follower);
    if (status == BR_OK && market == NULL) {
        status = br_fail(BR_ERR_CORRUPT, "the ledger has no schema up to record %llu", (unsigned long long)item->head);
    }
    if (status == BR_OK && r->population == NULL) {
        status = br_day_population_new(&r->population, market, r->served);
    }
    return status == BR_OK ? br_day_population_move(r->population, item->as_of) : status;
}

typedef struct stored_list {
    br_list list;
    br_job_body job;
    br_outcome outcome;
} stored_list;

static br_status read_stored(replay *r, const replayed_list *item, stored_list *out)
{
    *out = (stored_list){.outcome.state = BR_JOB_NONE};
    br_recommendations *store = r->stores.recommendations;
    br_status status = br_recommendations_list(store, r->stored, item->bond_id, item->as_of, &out->list);
    if (status != BR_OK || !out->list.has_job) {
        return status;
    }
    status = br_recommendations_job(store, r->stored, &out->list.job_id, &out->job);
    return status == BR_OK ? br_recommendations_outcome(store, r->stored, &out->list, &out->outcome) : status;
}

/// Where two byte strings differ first; true when they are equal.
static bool same_bytes(replay *r, const char *what, const br_buf *stored, const br_buf *made)
{
    size_t n = stored->length < made->length ? stored->length : made->length;
    size_t i = 0;
    while (i < n && stored->data[i] == made->data[i]) {
        i++;
    }
    if (i == n && stored->length == made->length) {
        return true;
    }
    snprintf(r->difference, sizeof r->difference, "%s differs at byte %zu (stored %zu bytes, made again %zu)", what, i,
             stored->length, made->length);
    return false;
}

/// The first entry in which the lists differ, in words; the bytes are compared all the same.
static void name_list_difference(replay *r, const br_list *stored, const br_list *made)
{
    uint32_t n = stored->n_entries < made->n_entries ? stored->n_entries : made->n_entries;
    for (uint32_t i = 0; i < n; i++) {
        const br_list_entry *a = &stored->entries[i];
        const br_list_entry *b = &made->entries[i];
        if (strcmp(a->investor_id, b->investor_id) != 0 || a->logit != b->logit) {
            snprintf(r->difference, sizeof r->difference,
                     "list: place %u is %.40s with logit %.9g, made again %.40s with %.9g", i + 1, a->investor_id,
                     (double)a->logit, b->investor_id, (double)b->logit);
            return;
        }
    }
}

static br_status compare_list(replay *r, const br_list *stored, const br_list *made, bool *equal)
{
    BR_AUTO_DEINIT(br_buf) a = {0};
    BR_AUTO_DEINIT(br_buf) b = {0};
    br_status status = br_list_pack(stored, &a);
    if (status == BR_OK) {
        status = br_list_pack(made, &b);
    }
    if (status == BR_OK && !same_bytes(r, "list", &a, &b)) {
        *equal = false;
        name_list_difference(r, stored, made);
    }
    return status;
}

/// What the stored explanation began with; nothing if it began with nothing.
static br_status find_start(replay *r, const stored_list *stored, br_job *job)
{
    br_earlier earlier;
    if (!stored->outcome.result.warm) {
        return BR_OK;
    }
    br_status status = br_earlier_read(&earlier, &r->earlier, r->made, &job->body, &job->body.after);
    return status == BR_OK ? br_earlier_start(&job->warm_start, r->made, &earlier) : status;
}

static br_status compare_result(replay *r, const stored_list *stored, const br_recommendation *made, bool *equal)
{
    br_job job = {.job_id = made->list.job_id, .body = made->job};
    const br_encoder *encoder = r->served->snapshot->encoder;
    br_result result = {.failure = ""};
    br_status status = find_start(r, stored, &job);
    if (status == BR_OK) {
        status = br_job_work(&result, r->made, r->served, &job, br_day_population_codes(r->population),
                             br_encoder_n_investor_fields(encoder), NULL, NULL);
    }
    result.job_id = job.job_id;
    BR_AUTO_DEINIT(br_buf) a = {0};
    BR_AUTO_DEINIT(br_buf) b = {0};
    if (status == BR_OK) {
        status = br_result_pack(&stored->outcome.result, &a);
    }
    if (status == BR_OK) {
        status = br_result_pack(&result, &b);
    }
    *equal = status == BR_OK && same_bytes(r, "result", &a, &b);
    return status;
}

/// The options of the stored list; `after`: room for the job before.
static br_status options_of(const replay *r, const stored_list *stored, br_hash *after, br_recommend_options *out)
{
    bool full = stored->list.n_entries < stored->list.n_eligible; // then its length is what was asked for
    *out = (br_recommend_options){.n_top = full ? stored->list.n_entries : r->config.n_top,
                                  .n_reasons = r->config.n_reasons,
                                  .objective = r->config.objective,
                                  .explain = stored->list.has_job,
                                  .ledger_head = stored->list.ledger_head};
    out->n_top = out->n_top < stored->list.n_entries ? stored->list.n_entries : out->n_top;
    if (!stored->list.has_job) {
        return BR_OK;
    }
    out->n_reasons = stored->job.n_reasons;
    out->objective = stored->job.objective;
    out->certify = stored->job.certify;
    out->banned = stored->job.banned;
    out->n_banned = stored->job.n_banned;
    out->apart = stored->job.apart;
    out->n_apart = stored->job.n_apart;
    out->max_evaluations = stored->job.max_evaluations;
    if (!stored->job.has_after) {
        return BR_OK;
    }
    bool found = false;
    br_status status =
        br_earlier_job(r->stores.recommendations, r->made, stored->list.bond_id, stored->list.as_of, after, &found);
    out->after = found ? after : NULL;
    return status;
}

/// Make one list again and compare. *equal says how it went; r->difference where not.
static br_status replay_list(replay *r, const replayed_list *item, bool *equal)
{
    stored_list stored;
    br_recommendation made;
    *equal = true;
    br_arena_reset(r->stored);
    br_arena_reset(r->made);
    br_status status = set_stage(r, item);
    if (status == BR_OK) {
        status = read_stored(r, item, &stored);
    }
    if (status != BR_OK) {
        return status;
    }
    br_market *market = br_follower_market(r->follower);
    uint32_t bond = br_market_find_bond(market, item->bond_id);
    if (bond == BR_INDEX_NONE) {
        return br_fail(BR_ERR_CORRUPT, "bond %s is not in the ledger up to record %llu", item->bond_id,
                       (unsigned long long)item->head);
    }
    br_hash after;
    br_recommend_options options;
    status = options_of(r, &stored, &after, &options);
    if (status != BR_OK) {
        return status;
    }
    status = br_recommend(&made, r->made, market, r->population, r->served, bond, &options);
    if (status == BR_OK) {
        status = compare_list(r, &stored.list, &made.list, equal);
    }
    if (status == BR_OK && *equal && stored.outcome.state == BR_JOB_DONE) {
        status = compare_result(r, &stored, &made, equal);
    }
    return status;
}

static br_status choose_lists(replay *r, const arguments *args)
{
    if (args->all) {
        return br_recommendations_visit(r->stores.recommendations, note_list, r);
    }
    br_list list;
    br_status status =
        br_recommendations_list(r->stores.recommendations, r->stored, args->words[0], args->as_of, &list);
    return status == BR_OK ? note_list(r, &list) : status;
}

static br_status open_replay(replay *r, const arguments *args)
{
    br_status status = stores_open(&r->stores, args, STORE_LEDGER | STORE_RECOMMENDATIONS | STORE_SNAPSHOTS);
    if (status == BR_OK) {
        status = br_config_load(&r->config, r->stores.directory);
    }
    if (status == BR_OK) {
        status = br_arena_new(&r->stored, ARENA_BYTES);
    }
    if (status == BR_OK) {
        status = br_arena_new(&r->made, ARENA_BYTES);
    }
    if (status == BR_OK) {
        r->earlier = (br_earlier_reader){.store = r->stores.recommendations, .models = r->stores.models};
        status = br_follower_new(&r->follower);
    }
    return status == BR_OK ? choose_lists(r, args) : status;
}

static br_status replay_lists(replay *r, table *t, size_t *n_different)
{
    replayed_list *lists = (replayed_list *)(void *)r->lists.data;
    size_t n = r->lists.length / sizeof *lists;
    progress shown = progress_start("replay", "lists");
    if (n > 1) {
        qsort(lists, n, sizeof *lists, compare_lists);
    }
    br_status status = BR_OK;
    for (size_t i = 0; i < n && status == BR_OK; i++) {
        bool equal = false;
        char day[BR_DAY_TEXT];
        status = replay_list(r, &lists[i], &equal);
        if (status == BR_OK) {
            table_text(t, lists[i].bond_id);
            table_text(t, br_day_text(lists[i].as_of, day));
            table_text(t, lists[i].version);
            table_flag(t, equal);
            table_text(t, equal ? "equal" : r->difference);
            *n_different += equal ? 0 : 1;
        }
        progress_show(&shown, i + 1, n, 0, NULL);
    }
    progress_end(&shown);
    return status;
}

exit_code command_replay(const arguments *args)
{
    if (args->all == (args->n_words == 1)) {
        fprintf(stderr, "bookrunner replay: name a bond, or use --all\n");
        return EXIT_CODE_USAGE;
    }
    BR_AUTO_DEINIT(replay) r = {.follower = NULL};
    BR_AUTO_DEINIT(table)
    t = {.columns = (const char *const[]){"bond", "as_of", "snapshot", "equal", "difference"}, .n_columns = 5};
    size_t n_different = 0;
    br_status status = open_replay(&r, args);
    if (status == BR_OK) {
        status = replay_lists(&r, &t, &n_different);
    }
    if (status != BR_OK) {
        return cli_failed(status, "replay");
    }
    exit_code code = table_print(&t, args->format, stdout);
    fprintf(stderr, "%zu of %zu lists equal, byte by byte\n", table_n_rows(&t) - n_different, table_n_rows(&t));
    return code == EXIT_CODE_OK && n_different > 0 ? EXIT_CODE_CHECK : code;
}
