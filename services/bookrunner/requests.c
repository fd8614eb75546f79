#include "requests.h"

#include "options.h"

exit_code ask_train(const arguments *args, br_arena *arena, br_report *out)
{
    br_train_request request = {.mode = args->warm                    ? BR_TRAIN_WARM
                                        : args->daily                 ? BR_TRAIN_DAILY
                                        : args->before == BR_DAY_NONE ? BR_TRAIN_STATIC
                                                                      : BR_TRAIN_BEFORE,
                                .before_day = args->before,
                                .seed = args->seed,
                                .max_epochs = option_u32(args->epochs),
                                .force = args->force};
    BR_AUTO_DEINIT(br_buf) body = {0};
    br_status status = br_train_request_pack(&request, &body);
    if (status != BR_OK) {
        return cli_failed(status, "train");
    }
    return ask(args, &(question){.service = "trainer", .type = BR_MSG_TRAIN_REQUEST, .body = &body}, arena, out);
}

static br_scope scope_of(const arguments *args, br_scope otherwise)
{
    return args->test ? BR_SCOPE_TEST_RANGE : args->n_words > 0 ? BR_SCOPE_BONDS : otherwise;
}

/// The words as bond ids, in the arena.
static br_status bond_ids(const arguments *args, br_arena *arena, const char ***out)
{
    *out = NULL;
    if (args->n_words == 0) {
        return BR_OK;
    }
    const char **ids = br_arena_calloc(arena, (size_t)args->n_words, sizeof *ids);
    if (ids == NULL) {
        return br_no_memory("bond ids", (size_t)args->n_words);
    }
    for (int i = 0; i < args->n_words; i++) {
        ids[i] = args->words[i];
    }
    *out = ids;
    return BR_OK;
}

exit_code ask_rank(const arguments *args, br_arena *arena, br_report *out)
{
    br_rank_request request = {
        .scope = scope_of(args, BR_SCOPE_UPCOMING), .n_bond_ids = (uint32_t)args->n_words, .explain = true};
    BR_AUTO_DEINIT(br_buf) body = {0};
    br_status status = bond_ids(args, arena, &request.bond_ids);
    if (status == BR_OK) {
        status = br_rank_request_pack(&request, &body);
    }
    if (status != BR_OK) {
        return cli_failed(status, "rank");
    }
    return ask(args, &(question){.service = "ranker", .type = BR_MSG_RANK_REQUEST, .body = &body}, arena, out);
}

exit_code ask_evaluate(const arguments *args, br_arena *arena, br_report *out)
{
    br_evaluate_request request = {.scope = scope_of(args, BR_SCOPE_CLOSED), .n_bond_ids = (uint32_t)args->n_words};
    BR_AUTO_DEINIT(br_buf) body = {0};
    br_status status = bond_ids(args, arena, &request.bond_ids);
    if (status == BR_OK) {
        status = br_evaluate_request_pack(&request, &body);
    }
    if (status != BR_OK) {
        return cli_failed(status, "evaluate");
    }
    return ask(args, &(question){.service = "evaluator", .type = BR_MSG_EVALUATE_REQUEST, .body = &body}, arena, out);
}
