// Pairs for raters.

#include "base/alloc.h"
#include "options.h"
#include "pairs.h"

#include <string.h>

enum { DEFAULT_PAIRS = 100 };

br_status pairs_sample_check(const arguments *args)
{
    if (args->by != NULL && strcmp(args->by, "random") != 0 && strcmp(args->by, "disagreement") != 0) {
        return br_fail(BR_ERR_INVALID, "--by %.40s: random or disagreement", args->by);
    }
    if (args->by != NULL && strcmp(args->by, "disagreement") == 0 && pairs_pool(args) == BR_POOL_ALL) {
        return br_fail(BR_ERR_INVALID, "--by disagreement is of pairs that are listed, not of --pool all");
    }
    return args->has_rows && (args->n_rows == 0 || args->n_rows > BR_MAX_VOTE_PAIRS)
               ? br_fail(BR_ERR_INVALID, "--n is from 1 to %u", BR_MAX_VOTE_PAIRS)
               : BR_OK;
}

static void add_row(table *t, const pairs_job *job, const br_item_pair *pair)
{
    table_text(t, br_transactions_item(job->data.table, pair->x));
    table_text(t, br_transactions_item(job->data.table, pair->y));
    table_text(t, pairs_title(job, pair->x));
    table_text(t, pairs_title(job, pair->y));
    table_text(t, pairs_category(job, pair->x));
    table_text(t, pairs_category(job, pair->y));
    if (pairs_pool(job->args) == BR_POOL_LISTED) {
        table_whole(t, pair->n_lists);
    } else {
        table_text(t, NULL);
    }
    table_number(t, pair->disagreement, 4);
}

br_status pairs_sample(pairs_job *job, exit_code *code_out)
{
    const arguments *args = job->args;
    uint32_t n = args->has_rows ? option_u32(args->n_rows) : DEFAULT_PAIRS;
    uint32_t n_drawn = 0;
    br_item_pair *pairs = br_calloc(n, sizeof *pairs);
    if (pairs == NULL) {
        return br_no_memory("pairs", n);
    }
    bool by_disagreement = args->by != NULL && strcmp(args->by, "disagreement") == 0;
    br_status status = by_disagreement ? br_pairs_disagreed(pairs, &n_drawn, n, job->models.rankers,
                                                            pairs_n_recommended(args), args->seed, PAIR_POOL_BYTES)
                                       : br_pairs_random(pairs, &n_drawn, n, job->models.rankers, pairs_pool(args),
                                                         pairs_n_recommended(args), args->seed, PAIR_POOL_BYTES);
    BR_AUTO_DEINIT(table)
    t = {.columns =
             (const char *const[]){"x", "y", "x_title", "y_title", "x_category", "y_category", "lists", "disagreement"},
         .n_columns = 8};
    for (uint32_t i = 0; i < n_drawn && status == BR_OK; i++) {
        add_row(&t, job, &pairs[i]);
    }
    br_free(pairs);
    if (status == BR_OK) {
        *code_out = table_print(&t, args->format, stdout);
        if (n_drawn < n) {
            fprintf(stderr, "there are only %u such pairs, not %u\n", n_drawn, n);
        }
    }
    return status;
}
