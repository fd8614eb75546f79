#include "pairs_votes.h"

#include "base/alloc.h"
#include "input/votes_file.h"
#include "options.h"
#include "pipeline/ballot.h"

#include <string.h>

enum { DEFAULT_SAMPLE = 23000, DEFAULT_RECOMMENDED = 10 };
#define DEFAULT_NOISE   0.1
#define DEFAULT_OVERLAP 0.5

br_pair_pool pairs_pool(const arguments *args)
{
    return args->pool != NULL && strcmp(args->pool, "all") == 0 ? BR_POOL_ALL : BR_POOL_LISTED;
}

uint32_t pairs_n_recommended(const arguments *args)
{
    return args->has_recommended ? option_u32(args->n_recommended) : DEFAULT_RECOMMENDED;
}

static br_made_up_votes made_up_of(const arguments *args)
{
    return (br_made_up_votes){.noise = args->has_noise ? args->noise : DEFAULT_NOISE,
                              .min_overlap = args->has_min_overlap ? args->min_overlap : DEFAULT_OVERLAP,
                              .seed = args->seed};
}

br_status pairs_votes_check(const arguments *args)
{
    br_made_up_votes made_up = made_up_of(args);
    if (args->simulate_votes && (args->votes != NULL || args->asked != NULL)) {
        return br_fail(BR_ERR_INVALID, "--simulate-votes and --votes or --asked exclude each other");
    }
    if (!args->simulate_votes && (args->has_sample || args->has_noise || args->has_min_overlap)) {
        return br_fail(BR_ERR_INVALID, "--sample, --noise and --min-overlap go with --simulate-votes");
    }
    if (args->asked != NULL && args->votes == NULL) {
        return br_fail(BR_ERR_INVALID, "--asked goes with --votes");
    }
    if (!(made_up.noise >= 0.0 && made_up.noise <= 0.5)) {
        return br_fail(BR_ERR_INVALID, "--noise is from 0 to 0.5");
    }
    if (!(made_up.min_overlap > 0.0 && made_up.min_overlap <= 1.0)) {
        return br_fail(BR_ERR_INVALID, "--min-overlap is above 0 and at most 1");
    }
    if (args->has_sample && (args->sample == 0 || args->sample > BR_MAX_VOTE_PAIRS)) {
        return br_fail(BR_ERR_INVALID, "--sample is from 1 to %u", BR_MAX_VOTE_PAIRS);
    }
    if (args->has_recommended && (args->n_recommended == 0 || args->n_recommended > 1000)) {
        return br_fail(BR_ERR_INVALID, "--recommendations is from 1 to 1000");
    }
    if (args->pool != NULL && strcmp(args->pool, "all") != 0 && strcmp(args->pool, "listed") != 0) {
        return br_fail(BR_ERR_INVALID, "--pool %.40s: all or listed", args->pool);
    }
    return BR_OK;
}

/// From names to the items' numbers, of pairs that have all their votes.
static br_status index_pairs(pairs_votes *v, const pairs_data *data)
{
    br_status status = br_pair_map_new(&v->judged, sizeof(uint32_t), SIZE_MAX);
    for (uint32_t i = 0; i < br_votes_n_pairs(v->votes) && status == BR_OK; i++) {
        br_pair pair = br_votes_pair(v->votes, i);
        uint32_t x = br_transactions_find_item(data->table, pair.x);
        uint32_t y = br_transactions_find_item(data->table, pair.y);
        bool here = x != BR_INDEX_NONE && y != BR_INDEX_NONE;
        uint32_t number = 0;
        v->n_elsewhere += here ? 0 : 1;
        if (here && pair.n_votes == BR_VOTES_PER_PAIR) {
            status = br_pair_map_add(v->judged, x, y, &number, NULL);
        }
        if (status == BR_OK && here && pair.n_votes == BR_VOTES_PER_PAIR) {
            *(uint32_t *)br_pair_map_value(v->judged, number) = pair.n_valid;
        }
    }
    return status;
}

static br_status read_files(pairs_votes *v, const arguments *args, pairs_rejections *rejections)
{
    br_table_tally tally = {0};
    br_table_listener listener;
    br_status status = BR_OK;
    if (args->asked != NULL) {
        listener = pairs_rejections_listener(rejections, "asked pairs");
        status = br_asked_file_read(v->votes, args->asked, &listener, &tally);
        v->n_rejected += tally.n_rejected;
    }
    if (status == BR_OK) {
        listener = pairs_rejections_listener(rejections, "votes");
        status = br_votes_file_read(v->votes, args->votes, &listener, &tally);
        v->n_rejected += tally.n_rejected;
    }
    progress_end(&rejections->shown);
    return status;
}

br_status pairs_votes_read(pairs_votes *out, const arguments *args, const pairs_data *data,
                           pairs_rejections *rejections)
{
    br_status status = br_votes_new(&out->votes);
    out->source = "file";
    if (status == BR_OK && args->votes != NULL) {
        status = read_files(out, args, rejections);
    } else if (status == BR_OK && data->stores.ledger != NULL) {
        out->source = "ledger";
        status = br_ballot_read(out->votes, data->stores.ledger);
    }
    return status == BR_OK ? index_pairs(out, data) : status;
}

static const char *category_of(const pairs_data *data, uint32_t item)
{
    uint32_t category = br_transactions_category_of(data->table, item);
    return category == BR_INDEX_NONE ? "" : br_transactions_category_name(data->table, category);
}

static br_status vote_on(pairs_votes *v, const pairs_data *data, const br_item_pair *pair)
{
    static const char *const raters[BR_VOTES_PER_PAIR] = {"simulated 1", "simulated 2", "simulated 3", "simulated 4",
                                                          "simulated 5"};
    bool valid[BR_VOTES_PER_PAIR];
    br_made_up_votes_of(valid, &v->made_up, pair->x, pair->y, category_of(data, pair->x), category_of(data, pair->y));
    br_status status = BR_OK;
    for (int r = 0; r < BR_VOTES_PER_PAIR && status == BR_OK; r++) {
        status = br_votes_add(v->votes, &(br_vote){.x = br_transactions_item(data->table, pair->x),
                                                   .y = br_transactions_item(data->table, pair->y),
                                                   .rater = raters[r],
                                                   .valid = valid[r]});
    }
    return status;
}

br_status pairs_votes_simulate(pairs_votes *out, const arguments *args, const pairs_data *data, br_rankers *rankers)
{
    out->source = "simulated";
    out->simulated = true;
    out->made_up = made_up_of(args);
    if (data->category[0] == '\0') {
        return br_fail(BR_ERR_INVALID, "made-up raters go by categories, and the data has none");
    }
    uint32_t n = args->has_sample ? option_u32(args->sample) : DEFAULT_SAMPLE;
    br_item_pair *pairs = br_calloc(n, sizeof *pairs);
    br_status status = pairs == NULL ? br_no_memory("pairs", n) : br_votes_new(&out->votes);
    uint32_t n_drawn = 0;
    if (status == BR_OK) {
        status = br_pairs_random(pairs, &n_drawn, n, rankers, pairs_pool(args), pairs_n_recommended(args), args->seed,
                                 PAIR_POOL_BYTES);
    }
    for (uint32_t i = 0; i < n_drawn && status == BR_OK; i++) {
        status = vote_on(out, data, &pairs[i]);
    }
    br_free(pairs);
    return status == BR_OK ? index_pairs(out, data) : status;
}

void pairs_votes_deinit(pairs_votes *v)
{
    br_pair_map_free(&v->judged);
    br_votes_free(&v->votes);
}

int pairs_votes_judge(const void *votes, uint32_t x, uint32_t y)
{
    const pairs_votes *v = votes;
    uint32_t number = br_pair_map_find(v->judged, x, y);
    return number == BR_INDEX_NONE ? -1 : *(uint32_t *)br_pair_map_value(v->judged, number) >= v->threshold;
}

const char *pairs_votes_text(const pairs_votes *v, const pairs_data *data, uint32_t x, uint32_t y,
                             char out[PAIR_VOTES_TEXT])
{
    uint32_t number =
        br_votes_find(v->votes, br_transactions_item(data->table, x), br_transactions_item(data->table, y));
    if (number == BR_INDEX_NONE) {
        return NULL;
    }
    br_pair pair = br_votes_pair(v->votes, number);
    snprintf(out, PAIR_VOTES_TEXT, "%u of %u", pair.n_valid, pair.n_votes);
    return pair.n_votes == 0 ? NULL : out;
}
