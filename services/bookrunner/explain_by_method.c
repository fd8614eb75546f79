#include "explain_by_method.h"

#include "base/alloc.h"
#include "options.h"
#include "pipeline/background.h"
#include "pipeline/methods.h"
#include "pipeline/scored.h"
#include "pipeline/words.h"
#include "table.h"
#include "workbench.h"

#include <string.h>

#define ARENA_BYTES (64u << 20)

typedef struct explaining {
    const arguments *args;
    workbench bench;
    br_method method;
    uint32_t n_reasons;
    uint32_t bond;
    br_day_population *population;
    br_background background;
    br_methods *methods;
    br_arena *arena;
    br_scored_bond scored;
    br_method_list list;
    uint32_t investor;  ///< the one that was asked for
    uint32_t *selected; ///< [list.n, n_reasons], in the arena
} explaining;

static void explaining_deinit(explaining *e)
{
    br_methods_free(&e->methods);
    br_background_deinit(&e->background);
    br_day_population_free(&e->population);
    br_arena_free(&e->arena);
    workbench_deinit(&e->bench);
}

static br_status choose_method(explaining *e)
{
    const char *name = e->args->method;
    e->n_reasons = e->args->has_n_reasons ? option_u32(e->args->n_reasons) : e->bench.config.n_reasons;
    e->method = e->bench.config.objective == BR_OBJECTIVE_PLAIN ? BR_METHOD_PLAIN : BR_METHOD_BACKED;
    return name == NULL || br_method_by_name(&e->method, name, strlen(name))
               ? BR_OK
               : br_fail(BR_ERR_INVALID, "there is no method %s; `bookrunner compare --help` names them", name);
}

/// The day the list is of: a bond that is issued already is seen as of its issue day.
static br_status set_day(explaining *e)
{
    br_market *market = e->bench.market;
    e->bond = br_market_find_bond(market, e->args->words[0]);
    if (e->bond == BR_INDEX_NONE) {
        return br_fail(BR_ERR_NOT_FOUND, "bond %s is not in the ledger", e->args->words[0]);
    }
    br_day day = br_market_bond(market, e->bond)->issue_day;
    br_day business = br_market_business_day(market);
    day = business != BR_DAY_NONE && business + 1 < day ? business + 1 : day;
    br_status status = br_day_population_new(&e->population, market, e->bench.served);
    if (status == BR_OK && br_method_needs_background(e->method)) {
        status = br_background_draw(&e->background, market, e->bench.served, e->population, e->args->seed);
    }
    return status == BR_OK ? br_day_population_move(e->population, day) : status;
}

/// The list, or the one investor that was asked for.
static br_status choose_investors(explaining *e)
{
    const char *id = e->args->n_words > 1 ? e->args->words[1] : NULL;
    e->list.investors = e->scored.top;
    e->list.n = e->scored.n_top;
    if (id == NULL) {
        return e->list.n > 0 ? BR_OK
                             : br_fail(BR_ERR_NOT_FOUND, "nobody may be recommended for bond %s", e->args->words[0]);
    }
    e->investor = br_market_find_investor(e->bench.market, id);
    if (e->investor == BR_INDEX_NONE) {
        return br_fail(BR_ERR_NOT_FOUND, "investor %s is not in the ledger", id);
    }
    if (e->scored.eligible[e->investor] == 0) {
        return br_fail(BR_ERR_INVALID, "investor %s may not be recommended for bond %s", id, e->args->words[0]);
    }
    e->list.investors = &e->investor;
    e->list.n = 1;
    return BR_OK;
}

static br_status explain(explaining *e)
{
    br_status status = br_arena_new(&e->arena, ARENA_BYTES);
    if (status == BR_OK) {
        status = br_scored_bond_room(&e->scored, e->arena, e->population, e->bench.served, e->bench.config.n_top);
    }
    if (status == BR_OK) {
        status = br_score_bond(&e->scored, e->bench.market, e->population, e->bond);
    }
    if (status == BR_OK) {
        status = choose_investors(e);
    }
    if (status == BR_OK) {
        status = br_methods_new(&e->methods, e->bench.served, &e->background.pairs, e->n_reasons, e->args->seed);
    }
    if (status != BR_OK) {
        return status;
    }
    e->list.bond_codes = e->scored.bond_codes;
    e->list.population = (br_population){.codes = br_day_population_codes(e->population),
                                         .logits = e->scored.logits,
                                         .eligible = e->scored.eligible,
                                         .n = br_day_population_n(e->population)};
    e->list.key = e->bond;
    e->selected = br_arena_calloc(e->arena, (size_t)e->list.n * e->n_reasons, sizeof *e->selected);
    return e->selected == NULL ? br_no_memory("reasons", e->list.n)
                               : br_methods_select(e->methods, e->method, &e->list, e->selected);
}

static void add_investor(const explaining *e, table *t, uint32_t i)
{
    const br_snapshot *snapshot = e->bench.served->snapshot;
    const br_encoder *encoder = snapshot->encoder;
    uint32_t investor = e->list.investors[i];
    const uint8_t *codes = e->list.population.codes + (size_t)investor * br_encoder_n_investor_fields(encoder);
    const uint32_t *selected = e->selected + (size_t)i * e->n_reasons;
    double f = (double)br_methods_sufficient(e->methods, e->list.bond_codes, codes, selected);
    for (uint32_t k = 0; k < e->n_reasons; k++) {
        BR_AUTO_DEINIT(br_buf) tag = {0};
        br_reason_tag(&tag, encoder, selected[k], codes[selected[k]], BR_LANGUAGE_EN);
        table_text(t, br_market_investor_id(e->bench.market, investor));
        table_number(t, br_snapshot_probability(snapshot, (double)e->scored.logits[investor]), 4);
        table_number(t, br_snapshot_probability(snapshot, f), 4);
        table_whole(t, k + 1);
        table_text(t, br_reason_category(encoder, selected[k]));
        table_text(t, encoder->fields[encoder->n_bond_fields + selected[k]].name);
        table_text(t, br_buf_text(&tag));
    }
}

exit_code explain_by_method(const arguments *args)
{
    BR_AUTO_DEINIT(explaining) e = {.args = args};
    br_status status = workbench_open(&e.bench, args, 0);
    if (status == BR_OK) {
        status = choose_method(&e);
    }
    if (status == BR_OK) {
        status = set_day(&e);
    }
    if (status == BR_OK) {
        status = explain(&e);
    }
    if (status != BR_OK) {
        return cli_failed(status, "explain");
    }
    BR_AUTO_DEINIT(table)
    t = {.columns =
             (const char *const[]){"investor", "probability", "sufficient", "reason", "category", "field", "tag"},
         .n_columns = 7};
    for (uint32_t i = 0; i < e.list.n; i++) {
        add_investor(&e, &t, i);
    }
    return table_print(&t, args->format, stdout);
}
