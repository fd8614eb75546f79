#include "pipeline/background.h"

#include "base/alloc.h"
#include "base/rng.h"

#include <string.h>

enum { N_BONDS = 200 };

br_status br_bonds_spread(br_market *market, br_day from, br_day until, uint32_t most, uint32_t **bonds_out,
                          uint32_t *n_out)
{
    const uint32_t *order;
    uint32_t n_all = 0;
    br_status status = br_market_bonds_by_issue(market, &order, &n_all);
    if (status != BR_OK) {
        return status;
    }
    uint32_t first = 0;
    while (first < n_all && br_market_bond(market, order[first])->issue_day < from) {
        first++;
    }
    uint32_t last = first;
    while (last < n_all && br_market_bond(market, order[last])->issue_day < until) {
        last++;
    }
    uint32_t n = last - first;
    if (n == 0) {
        return br_fail(BR_ERR_INVALID, "no bond is issued in the range");
    }
    uint32_t wanted = most == 0 || n < most ? n : most;
    uint32_t *bonds = br_calloc(wanted, sizeof *bonds);
    if (bonds == NULL) {
        return br_no_memory("bonds", wanted);
    }
    for (uint32_t i = 0; i < wanted; i++) {
        bonds[i] = order[first + (uint32_t)((uint64_t)i * n / wanted)];
    }
    *bonds_out = bonds;
    *n_out = wanted;
    return BR_OK;
}

typedef struct drawing {
    br_background *out;
    br_market *market;
    const br_encoder *encoder;
    br_day_population *population;
    uint8_t *eligible; // [n_investors]
    br_rng rng;
} drawing;

// Eligible investors of one bond at random.
static void draw_pairs(drawing *d, uint32_t bond, size_t n_wanted)
{
    size_t n_bond = d->encoder->n_bond_fields;
    size_t n_fields = br_encoder_n_investor_fields(d->encoder);
    uint32_t n = br_day_population_n(d->population);
    const uint8_t *codes = br_day_population_codes(d->population);
    if (br_market_eligible(d->market, bond, br_day_population_as_of(d->population), d->eligible) == 0) {
        return;
    }
    for (size_t i = 0; i < n_wanted; i++) {
        uint32_t investor = br_rng_below(&d->rng, n);
        while (d->eligible[investor] == 0) {
            investor = br_rng_below(&d->rng, n);
        }
        size_t at = d->out->pairs.n++;
        br_encoder_bond(d->encoder, d->market, bond, d->out->bond_codes + at * n_bond);
        memcpy(d->out->investor_codes + at * n_fields, codes + investor * n_fields, n_fields);
    }
}

static br_status draw(drawing *d, const br_split *split)
{
    uint32_t *bonds = NULL;
    uint32_t n = 0;
    br_status status = br_bonds_spread(d->market, split->train_from, split->train_until, N_BONDS, &bonds, &n);
    for (uint32_t i = 0; i < n && status == BR_OK; i++) {
        status = br_day_population_move(d->population, br_market_bond(d->market, bonds[i])->issue_day);
        if (status == BR_OK) {
            draw_pairs(d, bonds[i], BR_BACKGROUND_PAIRS / n);
        }
    }
    br_free(bonds);
    return status == BR_OK && d->out->pairs.n == 0
               ? br_fail(BR_ERR_INVALID, "nobody was eligible in the training range")
               : status;
}

br_status br_background_draw(br_background *out, br_market *market, const br_served *served,
                             br_day_population *population, uint64_t seed)
{
    const br_encoder *encoder = served->snapshot->encoder;
    *out = (br_background){
        .bond_codes = br_calloc(BR_BACKGROUND_PAIRS, encoder->n_bond_fields),
        .investor_codes = br_calloc(BR_BACKGROUND_PAIRS, br_encoder_n_investor_fields(encoder)),
    };
    out->pairs = (br_attribution_background){.bond_codes = out->bond_codes, .investor_codes = out->investor_codes};
    drawing d = {.out = out,
                 .market = market,
                 .encoder = encoder,
                 .population = population,
                 .eligible = br_calloc(br_market_n_investors(market), 1),
                 .rng = br_rng_at(seed, BR_STREAM_BACKGROUND, 0, 0)};
    br_status status = out->bond_codes == NULL || out->investor_codes == NULL || d.eligible == NULL
                           ? br_no_memory("training pairs", BR_BACKGROUND_PAIRS)
                           : draw(&d, &served->snapshot->facts.split);
    br_free(d.eligible);
    if (status != BR_OK) {
        br_background_deinit(out);
    }
    return status;
}

void br_background_deinit(br_background *background)
{
    br_free(background->bond_codes);
    br_free(background->investor_codes);
    *background = (br_background){.bond_codes = NULL};
}

br_status br_background_topics(br_topics **out, const br_background *background, const br_encoder *encoder,
                               uint32_t n_topics, uint64_t seed)
{
    uint32_t n_fields = br_encoder_n_investor_fields(encoder);
    uint16_t *n_values = br_calloc(n_fields, sizeof *n_values);
    if (n_values == NULL) {
        return br_no_memory("fields", n_fields);
    }
    for (uint32_t j = 0; j < n_fields; j++) {
        n_values[j] = encoder->fields[encoder->n_bond_fields + j].n_values;
    }
    br_plsa_options options = br_plsa_options_default();
    options.n_topics = n_topics;
    options.seed = seed;
    br_status status = br_plsa_learn(
        out,
        &(br_plsa_documents){
            .codes = background->investor_codes, .n_values = n_values, .n = background->pairs.n, .n_fields = n_fields},
        &options);
    br_free(n_values);
    return status;
}
