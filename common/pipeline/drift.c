#include "pipeline/drift.h"

#include "base/alloc.h"
#include "metrics/psi.h"
#include "pipeline/background.h"

#include <stdlib.h>
#include <string.h>

enum { N_CODES = 256 };

// One side of the comparison.
typedef struct side {
    uint64_t (*counts)[N_CODES]; // [n_fields]
    float *logits;               // [n_logits]
    size_t n_logits;
    size_t room;
    double n_bonds;
    double n_investors; // eligible for any of the bonds
} side;

typedef struct measuring {
    br_market *market;
    const br_served *served;
    br_day_population *population;
    br_drift_watcher watcher;
    void *context;
    uint64_t done, total;
    side sides[2]; // training, newest
    uint8_t *bond_codes;
    uint8_t *eligible; // [n_investors]
    uint8_t *seen;     // [n_investors]
    float *logits;     // [n_investors]
} measuring;

static void measuring_deinit(measuring *m)
{
    for (size_t i = 0; i < 2; i++) {
        br_free(m->sides[i].counts);
        br_free(m->sides[i].logits);
    }
    br_free(m->bond_codes);
    br_free(m->eligible);
    br_free(m->seen);
    br_free(m->logits);
}

static br_status measuring_init(measuring *m)
{
    const br_encoder *encoder = m->served->snapshot->encoder;
    uint32_t n = br_market_n_investors(m->market);
    for (size_t i = 0; i < 2; i++) {
        m->sides[i].counts = br_calloc(encoder->n_fields, sizeof *m->sides[i].counts);
    }
    m->bond_codes = br_calloc(encoder->n_bond_fields, 1);
    m->eligible = br_calloc(n, 1);
    m->seen = br_calloc(n, 1);
    m->logits = br_calloc(n, sizeof *m->logits);
    bool good = m->sides[0].counts != NULL && m->sides[1].counts != NULL && m->bond_codes != NULL &&
                m->eligible != NULL && m->seen != NULL && m->logits != NULL;
    return good ? BR_OK : br_no_memory("fields and investors", (size_t)encoder->n_fields + n);
}

static br_status reserve(side *to, size_t more)
{
    if (to->n_logits + more <= to->room) {
        return BR_OK;
    }
    size_t room = 2 * (to->n_logits + more);
    float *logits = br_reallocarray(to->logits, room, sizeof *logits);
    if (logits == NULL) {
        return br_no_memory("logits", room);
    }
    to->logits = logits;
    to->room = room;
    return BR_OK;
}

static void count_bond(const measuring *m, side *to, uint32_t bond)
{
    const br_encoder *encoder = m->served->snapshot->encoder;
    br_encoder_bond(encoder, m->market, bond, m->bond_codes);
    for (uint32_t j = 0; j < encoder->n_bond_fields; j++) {
        to->counts[j][m->bond_codes[j]]++;
    }
    to->n_bonds += 1.0;
}

static void count_investors(measuring *m, side *to)
{
    const br_encoder *encoder = m->served->snapshot->encoder;
    uint32_t n_fields = br_encoder_n_investor_fields(encoder);
    const uint8_t *codes = br_day_population_codes(m->population);
    for (uint32_t i = 0; i < br_day_population_n(m->population); i++) {
        if (m->eligible[i] == 0) {
            continue;
        }
        to->n_investors += m->seen[i] == 0 ? 1.0 : 0.0;
        m->seen[i] = 1;
        to->logits[to->n_logits++] = m->logits[i];
        for (uint32_t j = 0; j < n_fields; j++) {
            to->counts[encoder->n_bond_fields + j][codes[(size_t)i * n_fields + j]]++;
        }
    }
}

static br_status add_investors(measuring *m, side *to, uint32_t bond, br_day as_of)
{
    br_status status = br_day_population_move(m->population, as_of);
    if (status == BR_OK) {
        status = br_day_population_score(m->population, bond, m->bond_codes, m->logits);
    }
    if (status == BR_OK) {
        status = reserve(to, br_day_population_n(m->population));
    }
    if (status != BR_OK) {
        return status;
    }
    br_market_eligible(m->market, bond, as_of, m->eligible);
    count_investors(m, to);
    return BR_OK;
}

// Number `i` of the `n` bonds of a side.
static br_status add_bond(measuring *m, side *to, uint32_t bond, br_day as_of, uint32_t i, uint32_t n)
{
    count_bond(m, to, bond);
    m->done++;
    if (m->watcher != NULL && !m->watcher(m->context, m->done, m->total)) {
        return br_fail(BR_ERR_CANCELLED, "the drift was cancelled");
    }
    uint32_t step = (n + BR_DRIFT_DAYS - 1) / BR_DRIFT_DAYS;
    return i % step == 0 ? add_investors(m, to, bond, as_of) : BR_OK;
}

static br_status add_training(measuring *m)
{
    const br_split *split = &m->served->snapshot->facts.split;
    uint32_t *bonds = NULL;
    uint32_t n = 0;
    br_status status = br_bonds_spread(m->market, split->train_from, split->train_until, BR_DRIFT_BONDS, &bonds, &n);
    m->total += n;
    for (uint32_t i = 0; i < n && status == BR_OK; i++) {
        status = add_bond(m, &m->sides[0], bonds[i], br_market_bond(m->market, bonds[i])->issue_day, i, n);
    }
    br_free(bonds);
    memset(m->seen, 0, br_market_n_investors(m->market));
    return status;
}

static bool is_known(const measuring *m, uint32_t bond)
{
    const br_bond *facts = br_market_bond(m->market, bond);
    br_day business = br_market_business_day(m->market);
    return !facts->cancelled && facts->issue_day >= m->served->snapshot->facts.split.train_until &&
           (business == BR_DAY_NONE || facts->announce_day <= business);
}

// The last BR_DRIFT_BONDS by issue day of those that are known.
static br_status add_newest(measuring *m, br_drift *out)
{
    const uint32_t *bonds;
    uint32_t n = 0, n_known = 0;
    br_day business = br_market_business_day(m->market);
    br_status status = br_market_bonds_by_issue(m->market, &bonds, &n);
    uint32_t first = status == BR_OK ? n : 0;
    while (first > 0 && n_known < BR_DRIFT_BONDS) {
        first--;
        n_known += is_known(m, bonds[first]) ? 1 : 0;
    }
    if (status == BR_OK && n_known == 0) {
        status = br_fail(BR_ERR_NOT_FOUND, "no bond is known that is issued after the training range");
    }
    m->total += n_known;
    for (uint32_t i = first; i < n && status == BR_OK; i++) {
        if (!is_known(m, bonds[i])) {
            continue;
        }
        br_day issue = br_market_bond(m->market, bonds[i])->issue_day;
        out->from = out->n_bonds == 0 ? issue : out->from;
        out->until = issue + 1;
        br_day as_of = business != BR_DAY_NONE && issue > business ? business + 1 : issue;
        status = add_bond(m, &m->sides[1], bonds[i], as_of, out->n_bonds++, n_known);
    }
    return status;
}

static int by_value(const void *left, const void *right)
{
    float a = *(const float *)left;
    float b = *(const float *)right;
    return (a > b) - (a < b);
}

static void count_bins(const side *from, const float cuts[BR_DRIFT_BINS - 1], uint64_t counts[BR_DRIFT_BINS])
{
    for (size_t i = 0; i < from->n_logits; i++) {
        uint32_t bin = 0;
        while (bin < BR_DRIFT_BINS - 1 && from->logits[i] >= cuts[bin]) {
            bin++;
        }
        counts[bin]++;
    }
}

static double psi_of_scores(measuring *m)
{
    side *training = &m->sides[0];
    float cuts[BR_DRIFT_BINS - 1];
    uint64_t counts[2][BR_DRIFT_BINS] = {{0}};
    qsort(training->logits, training->n_logits, sizeof *training->logits, by_value);
    for (uint32_t k = 0; k < BR_DRIFT_BINS - 1; k++) {
        cuts[k] = training->logits[training->n_logits * (k + 1) / BR_DRIFT_BINS];
    }
    count_bins(training, cuts, counts[0]);
    count_bins(&m->sides[1], cuts, counts[1]);
    return br_psi(counts[0], counts[1], BR_DRIFT_BINS);
}

static br_status summarise(measuring *m, br_drift *out)
{
    const br_encoder *encoder = m->served->snapshot->encoder;
    const side *a = &m->sides[0];
    const side *b = &m->sides[1];
    if (a->n_logits == 0 || b->n_logits == 0) {
        return br_fail(BR_ERR_INVALID, "nobody was eligible for the bonds of one side");
    }
    out->fields = br_calloc(encoder->n_fields, sizeof *out->fields);
    if (out->fields == NULL) {
        return br_no_memory("fields", encoder->n_fields);
    }
    out->version = m->served->version;
    out->n_fields = encoder->n_fields;
    out->scores = psi_of_scores(m);
    for (uint32_t j = 0; j < encoder->n_fields; j++) {
        bool of_bond = j < encoder->n_bond_fields;
        out->fields[j] = (br_field_drift){
            .field = encoder->fields[j].name,
            .psi = br_psi(a->counts[j], b->counts[j], N_CODES),
            .by_chance = br_psi_by_chance(a->counts[j], b->counts[j], N_CODES, of_bond ? a->n_bonds : a->n_investors,
                                          of_bond ? b->n_bonds : b->n_investors),
        };
    }
    return BR_OK;
}

br_status br_drift_measure(br_drift *out, br_market *market, const br_served *served, br_day_population *population,
                           br_drift_watcher watcher, void *context)
{
    *out = (br_drift){.version = ""};
    measuring m = {
        .market = market, .served = served, .population = population, .watcher = watcher, .context = context};
    br_status status = measuring_init(&m);
    if (status == BR_OK) {
        status = add_training(&m);
    }
    if (status == BR_OK) {
        status = add_newest(&m, out);
    }
    if (status == BR_OK) {
        status = summarise(&m, out);
    }
    measuring_deinit(&m);
    if (status != BR_OK) {
        br_drift_deinit(out);
    }
    return status;
}

void br_drift_deinit(br_drift *drift)
{
    br_free(drift->fields);
    *drift = (br_drift){.version = ""};
}

double br_drift_worst(const br_drift *drift, uint32_t *n_drifted_out)
{
    double worst = 0.0;
    uint32_t n = 0;
    for (uint32_t i = 0; i < drift->n_fields; i++) {
        worst = drift->fields[i].psi > worst ? drift->fields[i].psi : worst;
        n += drift->fields[i].psi > BR_PSI_DRIFTED ? 1 : 0;
    }
    *n_drifted_out = n;
    return worst;
}
