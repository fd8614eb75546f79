// "Recommended because they bought X": past items as reasons, how well each approach ranks them, and which pairs people should be asked about.

#include "interrupts.h"
#include "pairs.h"

#include <string.h>

static void pairs_job_deinit(pairs_job *job)
{
    pairs_votes_deinit(&job->votes);
    pairs_models_deinit(&job->models);
    pairs_data_deinit(&job->data);
    pairs_rejections_deinit(&job->rejections);
}

const char *pairs_title(const pairs_job *job, uint32_t item)
{
    return br_item_title(job->data.titles, br_transactions_item(job->data.table, item));
}

const char *pairs_category(const pairs_job *job, uint32_t item)
{
    uint32_t category = br_transactions_category_of(job->data.table, item);
    return category == BR_INDEX_NONE ? NULL : br_transactions_category_name(job->data.table, category);
}

/// One of the command's parts.
typedef struct part {
    const char *name;
    int min_words; ///< with the name
    int max_words;
    bool all; ///< learns from all transactions, else from those before the last month
    br_status (*check)(const arguments *args);
    br_status (*run)(pairs_job *job, exit_code *code_out);
} part;

static const part parts[] = {
    {"rank", 2, 3, true, pairs_rank_check, pairs_rank},
    {"evaluate", 1, 1, false, pairs_evaluate_check, pairs_evaluate},
    {"sample", 1, 1, false, pairs_sample_check, pairs_sample},
};

static const part *find_part(const char *name)
{
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (strcmp(parts[i].name, name) == 0) {
            return &parts[i];
        }
    }
    return NULL;
}

static br_status check(const part *chosen, const arguments *args)
{
    if (chosen == NULL) {
        return br_fail(BR_ERR_INVALID, "\"%.40s\" is none of rank, evaluate and sample", args->words[0]);
    }
    if (args->n_words < chosen->min_words || args->n_words > chosen->max_words) {
        return br_fail(BR_ERR_INVALID,
                       chosen->max_words == 1 ? "%s takes no more words" : "%s takes USER and perhaps ITEM",
                       chosen->name);
    }
    br_status status = pairs_data_check(args);
    if (status == BR_OK) {
        status = pairs_models_check(args);
    }
    if (status == BR_OK) {
        status = pairs_votes_check(args);
    }
    return status == BR_OK ? chosen->check(args) : status;
}

static br_status work(pairs_job *job, const part *chosen, exit_code *code_out)
{
    char directory[BR_PATH_BYTES];
    br_status status = cli_directory(directory, job->args);
    if (status == BR_OK) {
        status = br_config_load(&job->config, directory);
    }
    if (status == BR_OK) {
        status = pairs_data_read(&job->data, job->args, &job->rejections);
    }
    if (status == BR_OK) {
        status = pairs_models_learn(&job->models, &job->data, job->args, &job->config, chosen->all);
    }
    if (status == BR_OK) {
        status = job->args->simulate_votes
                     ? pairs_votes_simulate(&job->votes, job->args, &job->data, job->models.rankers)
                     : pairs_votes_read(&job->votes, job->args, &job->data, &job->rejections);
    }
    if (status == BR_OK && interrupted()) {
        status = br_fail(BR_ERR_CANCELLED, "interrupted");
    }
    return status == BR_OK ? chosen->run(job, code_out) : status;
}

exit_code command_pairs(const arguments *args)
{
    const part *chosen = find_part(args->words[0]);
    BR_AUTO_DEINIT(pairs_job) job = {.args = args};
    br_status status = check(chosen, args);
    if (status == BR_ERR_INVALID) {
        fprintf(stderr, "bookrunner pairs: %s\n", br_why(status));
        return EXIT_CODE_USAGE;
    }
    interrupts_listen();
    pairs_rejections_init(&job.rejections, args);
    exit_code code = EXIT_CODE_OK;
    if (status == BR_OK) {
        status = work(&job, chosen, &code);
    }
    br_status closed = pairs_rejections_end(&job.rejections);
    if (status != BR_OK || closed != BR_OK) {
        code = cli_failed(status != BR_OK ? status : closed, "pairs");
        return status == BR_ERR_CANCELLED ? EXIT_CODE_INTERRUPTED : code;
    }
    return code == EXIT_CODE_OK && job.rejections.n > 0 ? EXIT_CODE_REJECTED : code;
}
