// train, rank, evaluate, close-day: a request to a service and its report.

#include "base/clock.h"
#include "ctr.h"
#include "progress.h"
#include "requests.h"
#include "sender.h"
#include "stores.h"
#include "watch.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define ARENA_BYTES (8u << 20)

typedef exit_code (*asker)(const arguments *args, br_arena *arena, br_report *out);

static exit_code ask_and_print(const arguments *args, asker put)
{
    if (args->test && args->n_words > 0) {
        fprintf(stderr, "bookrunner: --test and named bonds exclude each other\n");
        return EXIT_CODE_USAGE;
    }
    BR_AUTO(br_arena) *arena = NULL;
    br_status status = br_arena_new(&arena, ARENA_BYTES);
    if (status != BR_OK) {
        return cli_failed(status, "ask");
    }
    br_report report = {0};
    exit_code code = put(args, arena, &report);
    return code == EXIT_CODE_OK ? report_print(&report, args->format) : code;
}

exit_code command_train(const arguments *args)
{
    if (args->ctr) {
        return train_on_rows(args);
    }
    if (args->n_words > 0) {
        fprintf(stderr, "bookrunner train: \"%.80s\" is too much; rows of a file are learned from with --ctr\n",
                args->words[0]);
        return EXIT_CODE_USAGE;
    }
    return ask_and_print(args, ask_train);
}

exit_code command_rank(const arguments *args)
{
    return ask_and_print(args, ask_rank);
}

exit_code command_evaluate(const arguments *args)
{
    return ask_and_print(args, ask_evaluate);
}

/// Have ranker and evaluator acted on the ledger up to `head`?
static br_status has_passed(const stores *s, uint64_t head, bool *out)
{
    uint64_t ranked = 0;
    uint64_t evaluated = 0;
    br_status status = br_recommendations_offset(s->recommendations, &ranked);
    if (status == BR_OK) {
        status = br_quality_offset(s->quality, &evaluated);
    }
    *out = ranked >= head && evaluated >= head;
    return status;
}

static br_status wait_passed(const arguments *args, uint64_t head)
{
    BR_AUTO_DEINIT(stores) s = {.ledger = NULL};
    BR_AUTO(watch) *w = NULL;
    br_status status = stores_open(&s, args, STORE_RECOMMENDATIONS | STORE_QUALITY);
    if (status == BR_OK) {
        status = watch_new(&w, s.directory, (const char *const[]){"ranker.hints", "evaluator.hints"}, 2);
    }
    progress shown = progress_start("close-day: ranking and evaluating", "");
    int64_t started = br_clock_ms();
    bool passed = false;
    while (status == BR_OK && !passed) {
        status = has_passed(&s, head, &passed);
        if (status == BR_OK && !passed) {
            progress_show(&shown, 0, 0, 0, NULL);
            status = watch_wait(w);
        }
        if (status == BR_OK && !passed && (double)(br_clock_ms() - started) > args->timeout_s * 1000) {
            status =
                br_fail(BR_ERR_TIMEOUT, "ranker and evaluator have not taken the day in after %.0f s", args->timeout_s);
        }
    }
    progress_end(&shown);
    return status;
}

exit_code command_close_day(const arguments *args)
{
    br_row row = {.kind = BR_ROW_CLOSE_DAY,
                  .known_from = BR_DAY_NONE,
                  .announce_day = BR_DAY_NONE,
                  .issue_day = BR_DAY_NONE,
                  .amount = BR_AMOUNT_NONE,
                  .rate = (double)NAN};
    if (br_day_parse(&row.day, args->words[0], strlen(args->words[0]), NULL) != BR_OK) {
        fprintf(stderr, "bookrunner close-day: \"%.40s\" is no date YYYY-MM-DD\n", args->words[0]);
        return EXIT_CODE_USAGE;
    }
    char directory[BR_PATH_BYTES];
    tally counts = {.n_files = 0};
    BR_AUTO(sender) *send = NULL;
    br_status status = cli_directory(directory, args);
    if (status == BR_OK) {
        status = sender_new(&send, directory, args->timeout_s, &counts);
    }
    if (status == BR_OK) {
        status = sender_row(send, &row, &(row_origin){"close-day", 1, args->words[0]});
    }
    if (status == BR_OK) {
        status = sender_finish(send);
    }
    if (status == BR_OK && tally_rejected(&counts) > 0) {
        fprintf(stderr, "bookrunner close-day: the day was refused: %s\n", counts.last_reason);
        return EXIT_CODE_REJECTED;
    }
    if (status == BR_OK && !args->no_wait) {
        status = wait_passed(args, sender_head(send));
    }
    return status == BR_OK ? EXIT_CODE_OK : cli_failed(status, "close-day");
}
