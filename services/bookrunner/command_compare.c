// All methods of explanation on one snapshot: the paper's Table 3, 4 and figures 4, 5, with what they leave out.

#include "base/alloc.h"
#include "compared.h"
#include "linalg/fixed.h"
#include "options.h"
#include "pipeline/scored.h"
#include "progress.h"
#include "truth.h"
#include "workbench.h"

#include <math.h>
#include <string.h>

enum { DEFAULT_BONDS = 40, TOPICS = 50, MAX_CURVE_BONDS = 5, MAX_CURVE_LIST = 100 };

#define ARENA_BYTES (64u << 20)

typedef struct comparing {
    const arguments *args;
    workbench bench;
    truth *known;
    float *utilities; ///< [n_investors]
    br_method methods[BR_METHOD_COUNT];
    uint32_t n_methods;
    compared result;
    progress shown;
} comparing;

static void comparing_deinit(comparing *c)
{
    compared_deinit(&c->result);
    truth_free(&c->known);
    br_free(c->utilities);
    workbench_deinit(&c->bench);
}

static br_status add_method(comparing *c, const char *name, size_t n)
{
    br_method method;
    if (!br_method_by_name(&method, name, n)) {
        return br_fail(BR_ERR_INVALID, "there is no method %.*s; `bookrunner compare --help` names them", (int)n, name);
    }
    for (uint32_t m = 0; m < c->n_methods; m++) {
        if (c->methods[m] == method) {
            return br_fail(BR_ERR_INVALID, "method %.*s is named twice", (int)n, name);
        }
    }
    c->methods[c->n_methods++] = method;
    return BR_OK;
}

/// Those named, else all that the snapshot can do.
static br_status choose_methods(comparing *c)
{
    const char *at = c->args->methods;
    if (at == NULL) {
        for (int m = 0; m < BR_METHOD_COUNT; m++) {
            if (!c->bench.served->snapshot->facts.unmasked || !br_method_needs_masks((br_method)m)) {
                c->methods[c->n_methods++] = (br_method)m;
            }
        }
        return BR_OK;
    }
    br_status status = BR_OK;
    for (bool more = true; more && status == BR_OK;) {
        size_t n = strcspn(at, ",");
        status = add_method(c, at, n);
        more = at[n] == ',';
        at += n + 1;
    }
    return status;
}

static br_status open_truth(comparing *c)
{
    uint32_t n = br_market_n_investors(c->bench.market);
    c->utilities = br_calloc(n, sizeof *c->utilities);
    return c->utilities == NULL ? br_no_memory("utilities", n)
                                : truth_open(&c->known, c->args->market, c->bench.market);
}

static br_status tell_truth(void *context, uint32_t bond, double *probabilities_out, uint16_t *causal_out)
{
    comparing *c = context;
    const br_market *market = c->bench.market;
    br_status status = truth_read(c->known, market, bond, c->utilities, causal_out);
    for (uint32_t i = 0; i < br_market_n_investors(market) && status == BR_OK; i++) {
        probabilities_out[i] = br_fixed_sigmoid((double)c->utilities[i]);
    }
    return status;
}

static bool watch_comparison(void *context, uint64_t done, uint64_t total)
{
    comparing *c = context;
    progress_show(&c->shown, done, total, 0, NULL);
    return true;
}

/// Investors of a bond, at most all of them.
static uint32_t n_top(const comparing *c)
{
    uint32_t wanted = c->args->has_n_top ? option_u32(c->args->n_top) : c->bench.config.n_top;
    uint32_t n = br_market_n_investors(c->bench.market);
    return wanted < n ? wanted : n;
}

static br_status compare(comparing *c)
{
    const br_split *split = &c->bench.served->snapshot->facts.split;
    br_compare_options options = {
        .methods = c->methods,
        .n_methods = c->n_methods,
        .from = split->valid_until,
        .until = split->test_until,
        .n_bonds = c->args->has_n_bonds ? option_u32(c->args->n_bonds) : DEFAULT_BONDS,
        .n_top = n_top(c),
        .n_reasons = c->args->has_n_reasons ? option_u32(c->args->n_reasons) : c->bench.config.n_reasons,
        .n_topics = TOPICS,
        .seed = c->args->seed,
        .truth = c->known != NULL ? tell_truth : NULL,
        .watcher = watch_comparison,
        .context = c,
    };
    c->result.served = c->bench.served;
    c->result.market = c->bench.market;
    c->shown = progress_start("compare", "");
    br_status status = br_compare(&c->result.comparison, c->bench.market, c->bench.served, &options);
    progress_end(&c->shown);
    return status;
}

/// Lists one after the other, as much of each as the search for curves needs.
typedef struct curve_search {
    br_arena *arena;
    br_day_population *population;
    br_scored_bond scored; ///< in the arena
} curve_search;

static void curve_search_deinit(curve_search *s)
{
    br_day_population_free(&s->population);
    br_arena_free(&s->arena);
}

static br_status curves_of(comparing *c, curve_search *s, uint32_t bond)
{
    br_market *market = c->bench.market;
    br_status status = br_day_population_move(s->population, br_market_bond(market, bond)->issue_day);
    if (status == BR_OK) {
        status = br_score_bond(&s->scored, market, s->population, bond);
    }
    if (status == BR_OK && s->scored.n_top == 0) {
        status = br_fail(BR_ERR_NOT_FOUND, "nobody may be recommended for this bond");
    }
    if (status != BR_OK) {
        return status;
    }
    br_method_list list = {.bond_codes = s->scored.bond_codes,
                           .population = {.codes = br_day_population_codes(s->population),
                                          .logits = s->scored.logits,
                                          .eligible = s->scored.eligible,
                                          .n = br_day_population_n(s->population)},
                           .investors = s->scored.top,
                           .n = s->scored.n_top,
                           .key = bond};
    return br_gate_curves_find(&c->result.curves, c->bench.served, &list, c->result.comparison.n_reasons,
                               c->args->seed);
}

/// The paper's Figure 4, from the first bond that has an example.
static br_status find_curves(comparing *c)
{
    BR_AUTO_DEINIT(curve_search) s = {.arena = NULL};
    br_status status = br_day_population_new(&s.population, c->bench.market, c->bench.served);
    if (status == BR_OK) {
        status = br_arena_new(&s.arena, ARENA_BYTES);
    }
    if (status == BR_OK) {
        uint32_t most = n_top(c) < MAX_CURVE_LIST ? n_top(c) : MAX_CURVE_LIST; // every gate of every step is kept
        status = br_scored_bond_room(&s.scored, s.arena, s.population, c->bench.served, most);
    }
    for (uint32_t b = 0; b < c->result.comparison.n_bonds && b < MAX_CURVE_BONDS && status == BR_OK; b++) {
        status = curves_of(c, &s, c->result.comparison.bonds[b]);
        if (status != BR_ERR_NOT_FOUND) {
            return status;
        }
        status = BR_OK;
    }
    return status;
}

static br_status write_files(comparing *c)
{
    br_status status = c->bench.served->snapshot->facts.unmasked ? BR_OK : find_curves(c);
    return status == BR_OK ? compared_write(&c->result, c->args->out) : status;
}

static br_status prepare(comparing *c)
{
    br_status status = workbench_open(&c->bench, c->args, 0);
    if (status == BR_OK) {
        status = choose_methods(c);
    }
    if (status == BR_OK && c->args->market != NULL) {
        status = open_truth(c);
    }
    return status == BR_OK && c->args->out != NULL ? compared_directory(c->args->out) : status;
}

static exit_code print(const comparing *c)
{
    if (c->args->format == FORMAT_JSON) {
        BR_AUTO_DEINIT(br_buf) text = {0};
        compared_json(&c->result, &text);
        if (text.failed) {
            return cli_failed(br_no_memory("text", 1), "compare");
        }
        fwrite(text.data, 1, text.length, stdout);
        return EXIT_CODE_OK;
    }
    BR_AUTO_DEINIT(table) methods = {.columns = NULL};
    compared_methods(&c->result, &methods);
    exit_code code = table_print(&methods, c->args->format, stdout);
    if (code == EXIT_CODE_OK && c->args->format == FORMAT_TABLE && c->n_methods > 1) {
        BR_AUTO_DEINIT(table) ahead = {.columns = NULL};
        compared_ahead(&c->result, &ahead);
        printf("\n%s against the best of the others, error paired by bond:\n", br_method_name(c->methods[0]));
        code = table_print(&ahead, FORMAT_TABLE, stdout);
    }
    return code;
}

exit_code command_compare(const arguments *args)
{
    BR_AUTO_DEINIT(comparing) c = {.args = args};
    br_status status = prepare(&c);
    if (status == BR_OK) {
        status = compare(&c);
    }
    if (status == BR_OK && args->out != NULL) {
        status = write_files(&c);
    }
    return status == BR_OK ? print(&c) : cli_failed(status, "compare");
}
