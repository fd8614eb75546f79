#include "model/record.h"

#include "base/alloc.h"

#include <math.h>
#include <string.h>

/// Pairs at the overall rate that each value's own bid rate is smoothed with.
#define PRIOR_PAIRS 50.0

/// What is counted on the walk through the training days. A "value" is a (j, v), numbered through all investor fields; a "cell" is a
/// (phi, u), numbered through all bond fields.
typedef struct tally {
    const br_encoder *encoder;
    uint32_t n_bond_fields;
    uint32_t n_investor_fields;
    size_t *value_of; ///< [n_investor_fields + 1] number of (j, 0)
    size_t *cell_of;  ///< [n_bond_fields + 1] number of (phi, 0)
    uint32_t *k;      ///< [cells, values] K
    uint64_t *n;      ///< [cells, values] sum of n_t
    uint64_t *k_sum;  ///< [values] over all bonds
    uint64_t *n_sum;  ///< [values]
    double *rates;    ///< [cells] sum of the bonds' bid rates
    uint64_t *bonds;  ///< [cells] number of bonds
    uint64_t pairs;
    uint64_t bids;
    // The bond under way.
    uint32_t n_investors;
    uint32_t n_eligible;
    uint32_t n_bidders;
    uint32_t *n_t;          ///< [values]
    uint32_t *k_t;          ///< [values]
    uint8_t *codes;         ///< [n_investors, n_investor_fields] of the day
    uint8_t *eligible;      ///< [n_investors]
    uint8_t *last_eligible; ///< [n_investors] whom n_t counts
    uint8_t *label;         ///< [n_investors]
    uint8_t *bond_codes;    ///< [n_bond_fields]
    br_day day;             ///< of `codes` and n_t
} tally;

static void tally_deinit(tally *it)
{
    br_free(it->value_of);
    br_free(it->cell_of);
    br_free(it->k);
    br_free(it->n);
    br_free(it->k_sum);
    br_free(it->n_sum);
    br_free(it->rates);
    br_free(it->bonds);
    br_free(it->n_t);
    br_free(it->k_t);
    br_free(it->codes);
    br_free(it->eligible);
    br_free(it->last_eligible);
    br_free(it->label);
    br_free(it->bond_codes);
}

/// first_of[i] = sum of the values of the fields before i; [n + 1], or NULL without memory.
static size_t *number_values(const br_field *fields, uint32_t n)
{
    size_t *first_of = br_calloc((size_t)n + 1, sizeof *first_of);
    for (uint32_t i = 0; first_of != NULL && i < n; i++) {
        first_of[i + 1] = first_of[i] + fields[i].n_values;
    }
    return first_of;
}

static br_status tally_init(tally *it, const br_market *market, const br_encoder *encoder)
{
    it->encoder = encoder;
    it->n_bond_fields = encoder->n_bond_fields;
    it->n_investor_fields = br_encoder_n_investor_fields(encoder);
    it->n_investors = br_market_n_investors(market);
    it->day = BR_DAY_NONE;
    it->cell_of = number_values(encoder->fields, it->n_bond_fields);
    it->value_of = number_values(encoder->fields + it->n_bond_fields, it->n_investor_fields);
    if (it->cell_of == NULL || it->value_of == NULL) {
        return br_no_memory("fields of the record", encoder->n_fields);
    }
    size_t n_cells = it->cell_of[it->n_bond_fields];
    size_t n_values = it->value_of[it->n_investor_fields];
    size_t n_table = n_cells * n_values;
    it->k = br_calloc(n_table, sizeof *it->k);
    it->n = br_calloc(n_table, sizeof *it->n);
    it->k_sum = br_calloc(n_values, sizeof *it->k_sum);
    it->n_sum = br_calloc(n_values, sizeof *it->n_sum);
    it->rates = br_calloc(n_cells, sizeof *it->rates);
    it->bonds = br_calloc(n_cells, sizeof *it->bonds);
    it->n_t = br_calloc(n_values, sizeof *it->n_t);
    it->k_t = br_calloc(n_values, sizeof *it->k_t);
    it->codes = br_calloc(it->n_investors, it->n_investor_fields);
    it->eligible = br_calloc(it->n_investors, 1);
    it->last_eligible = br_calloc(it->n_investors, 1);
    it->label = br_calloc(it->n_investors, 1);
    it->bond_codes = br_calloc(it->n_bond_fields, 1);
    if (it->k == NULL || it->n == NULL || it->k_sum == NULL || it->n_sum == NULL || it->rates == NULL ||
        it->bonds == NULL || it->n_t == NULL || it->k_t == NULL || it->codes == NULL || it->eligible == NULL ||
        it->last_eligible == NULL || it->label == NULL || it->bond_codes == NULL) {
        return br_no_memory("cells of the record", n_table);
    }
    return BR_OK;
}

/// counts[(j, v)] = investors marked in `who` with field j = v.
static void count_values(const tally *it, const uint8_t *who, uint32_t *counts)
{
    memset(counts, 0, it->value_of[it->n_investor_fields] * sizeof *counts);
    for (uint32_t i = 0; i < it->n_investors; i++) {
        if (who[i] == 0) {
            continue;
        }
        const uint8_t *codes = it->codes + (size_t)i * it->n_investor_fields;
        for (uint32_t j = 0; j < it->n_investor_fields; j++) {
            counts[it->value_of[j] + codes[j]]++;
        }
    }
}

/// n_t, k_t and the bond's codes.
static br_status look_at_bond(tally *it, br_market *market, br_builder *builder, uint32_t bond)
{
    br_day day = br_market_bond(market, bond)->issue_day;
    it->n_eligible = br_market_eligible(market, bond, day, it->eligible);
    bool new_day = day != it->day;
    if (new_day) {
        br_status status = br_builder_advance(builder, day);
        if (status != BR_OK) {
            return status;
        }
        it->day = day;
        for (uint32_t i = 0; i < it->n_investors; i++) {
            if (br_market_investor_known(market, i) < day) {
                br_builder_investor(builder, i, it->codes + (size_t)i * it->n_investor_fields);
            }
        }
    }
    // The bonds of a day mostly share their investors: who is eligible is counted once.
    if (new_day || memcmp(it->eligible, it->last_eligible, it->n_investors) != 0) {
        count_values(it, it->eligible, it->n_t);
        memcpy(it->last_eligible, it->eligible, it->n_investors);
    }
    br_market_bidders(market, bond, it->label);
    it->n_bidders = 0;
    for (uint32_t i = 0; i < it->n_investors; i++) {
        it->label[i] = it->label[i] != 0 && it->eligible[i] != 0;
        it->n_bidders += it->label[i];
    }
    count_values(it, it->label, it->k_t);
    br_encoder_bond(it->encoder, market, bond, it->bond_codes);
    return BR_OK;
}

static void add_bond(tally *it)
{
    size_t n_values = it->value_of[it->n_investor_fields];
    for (size_t value = 0; value < n_values; value++) {
        it->n_sum[value] += it->n_t[value];
        it->k_sum[value] += it->k_t[value];
    }
    it->pairs += it->n_eligible;
    it->bids += it->n_bidders;
    for (uint32_t phi = 0; phi < it->n_bond_fields; phi++) {
        size_t cell = it->cell_of[phi] + it->bond_codes[phi];
        uint64_t *restrict n = it->n + cell * n_values;
        uint32_t *restrict k = it->k + cell * n_values;
        for (size_t value = 0; value < n_values; value++) {
            n[value] += it->n_t[value];
            k[value] += it->k_t[value];
        }
        it->rates[cell] += (double)it->n_bidders / (double)it->n_eligible;
        it->bonds[cell]++;
    }
}

static br_status walk(tally *it, br_market *market, br_day from, br_day until)
{
    const br_bid *bids;
    const uint32_t *bonds;
    uint32_t n_bids;
    uint32_t n_bonds;
    br_status status = br_market_bids(market, &bids, &n_bids);
    if (status == BR_OK) {
        status = br_market_bonds_by_issue(market, &bonds, &n_bonds);
    }
    if (status != BR_OK) {
        return status;
    }
    BR_AUTO(br_builder) *builder = NULL;
    status = br_builder_new(&builder, market, it->encoder);
    for (uint32_t b = 0; status == BR_OK && b < n_bonds; b++) {
        br_day day = br_market_bond(market, bonds[b])->issue_day;
        if (day < from || day >= until) {
            continue;
        }
        status = look_at_bond(it, market, builder, bonds[b]);
        if (status == BR_OK && it->n_eligible > 0) {
            add_bond(it);
        }
    }
    if (status == BR_OK && it->bids == 0) {
        char text[2][BR_DAY_TEXT];
        return br_fail(BR_ERR_INVALID, "record: no bid on a bond issued from %s until %s", br_day_text(from, text[0]),
                       br_day_text(until, text[1]));
    }
    return status;
}

static double poisson_deviance(double k, double e)
{
    double deviance = 2.0 * ((k + 1.0) * log((k + 1.0) / (e + 1.0)) - (k - e));
    return deviance > 0.0 ? deviance : 0.0;
}

/// dev[(phi, u), (j, v)]: how many sigmas the bids are above what chance would have.
static double deviation(const tally *it, size_t cell, size_t value)
{
    double overall = (double)it->bids / (double)it->pairs;
    double own = ((double)it->k_sum[value] + PRIOR_PAIRS * overall) / ((double)it->n_sum[value] + PRIOR_PAIRS);
    double popularity = it->bonds[cell] == 0 ? 0.0 : it->rates[cell] / (double)it->bonds[cell];
    size_t at = cell * it->value_of[it->n_investor_fields] + value;
    double k = (double)it->k[at];
    double e = (double)it->n[at] * own * popularity / overall;
    double root = sqrt(poisson_deviance(k, e));
    return k < e ? -root : root;
}

/// F(j). Ties go to the lower bond field.
static uint32_t find_what_it_speaks_of(const tally *it, uint32_t j)
{
    const br_field *field = &it->encoder->fields[it->n_bond_fields + j];
    uint32_t best = 0;
    double best_deviation = -(double)INFINITY;
    for (uint32_t phi = 0; phi < it->n_bond_fields; phi++) {
        // Code 0 is a missing value: a bond does not become attractive by it.
        for (size_t cell = it->cell_of[phi] + 1; cell < it->cell_of[phi + 1]; cell++) {
            for (uint32_t v = br_field_first_telling(field); v < field->n_values; v++) {
                double dev = deviation(it, cell, it->value_of[j] + v);
                if (dev > best_deviation) {
                    best = phi;
                    best_deviation = dev;
                }
            }
        }
    }
    return best;
}

static br_status record_new(br_record **out, const tally *it)
{
    BR_AUTO(br_record) *record = br_calloc(1, sizeof *record);
    if (record == NULL) {
        return br_no_memory("record", 1);
    }
    record->n_bond_fields = it->n_bond_fields;
    record->n_investor_fields = it->n_investor_fields;
    record->speaks_of = br_calloc(it->n_investor_fields, sizeof *record->speaks_of);
    record->n_values = br_calloc(it->n_investor_fields, sizeof *record->n_values);
    record->bond_values = br_calloc(it->n_bond_fields, sizeof *record->bond_values);
    record->offset = br_calloc((size_t)it->n_investor_fields + 1, sizeof *record->offset);
    if (record->speaks_of == NULL || record->n_values == NULL || record->bond_values == NULL ||
        record->offset == NULL) {
        return br_no_memory("fields of the record", it->n_investor_fields);
    }
    for (uint32_t phi = 0; phi < it->n_bond_fields; phi++) {
        record->bond_values[phi] = it->encoder->fields[phi].n_values;
    }
    for (uint32_t j = 0; j < it->n_investor_fields; j++) {
        record->speaks_of[j] = find_what_it_speaks_of(it, j);
        record->n_values[j] = it->encoder->fields[it->n_bond_fields + j].n_values;
        record->offset[j + 1] =
            record->offset[j] + (size_t)record->bond_values[record->speaks_of[j]] * record->n_values[j];
    }
    size_t n = record->offset[it->n_investor_fields];
    record->dev = br_calloc(n, sizeof *record->dev);
    record->bids = br_calloc(n, sizeof *record->bids);
    if (record->dev == NULL || record->bids == NULL) {
        return br_no_memory("cells of the record", n);
    }
    *out = record;
    record = NULL;
    return BR_OK;
}

/// Keep of each investor field the table of the bond field it speaks of.
static void keep_tables(br_record *record, const tally *it)
{
    size_t n_values = it->value_of[it->n_investor_fields];
    for (uint32_t j = 0; j < it->n_investor_fields; j++) {
        uint32_t phi = record->speaks_of[j];
        size_t at = record->offset[j];
        for (size_t cell = it->cell_of[phi]; cell < it->cell_of[phi + 1]; cell++) {
            for (size_t value = it->value_of[j]; value < it->value_of[j + 1]; value++, at++) {
                record->dev[at] = (float)deviation(it, cell, value);
                record->bids[at] = it->k[cell * n_values + value];
            }
        }
    }
}

br_status br_record_learn(br_record **out, br_market *market, const br_encoder *encoder, br_day from, br_day until)
{
    if (encoder->n_bond_fields == 0) {
        return br_fail(BR_ERR_INVALID, "record: the market declares no bond features");
    }
    BR_AUTO_DEINIT(tally) it = {0};
    br_status status = tally_init(&it, market, encoder);
    if (status == BR_OK) {
        status = walk(&it, market, from, until);
    }
    br_record *record = NULL;
    if (status == BR_OK) {
        status = record_new(&record, &it);
    }
    if (status != BR_OK) {
        return status;
    }
    keep_tables(record, &it);
    *out = record;
    return BR_OK;
}

void br_record_free(br_record **record)
{
    if (record == NULL || *record == NULL) {
        return;
    }
    br_free((*record)->speaks_of);
    br_free((*record)->n_values);
    br_free((*record)->bond_values);
    br_free((*record)->offset);
    br_free((*record)->dev);
    br_free((*record)->bids);
    br_free(*record);
    *record = NULL;
}

float br_record_backing(const br_record *record, const uint8_t *bond_codes, uint32_t j, uint8_t code,
                        uint32_t *bids_out)
{
    br_assert(j < record->n_investor_fields && code < record->n_values[j]);
    uint32_t phi = record->speaks_of[j];
    br_assert(bond_codes[phi] < record->bond_values[phi]);
    size_t at = record->offset[j] + (size_t)bond_codes[phi] * record->n_values[j] + code;
    if (bids_out != NULL) {
        *bids_out = record->bids[at];
    }
    return record->dev[at];
}

br_record_times br_record_times_of(double sigmas, uint32_t bids)
{
    const double z = 1.96;
    double k = bids;
    double low_e = 0.0; // the deviance falls as E grows to K
    double high_e = k;
    for (int i = 0; i < 60; i++) {
        double e = 0.5 * (low_e + high_e);
        *(poisson_deviance(k, e) > sigmas * sigmas ? &low_e : &high_e) = e;
    }
    double e = high_e > 0.0 ? high_e : 1.0;
    double low = bids == 0 ? 0.0 : k * pow(1.0 - 1.0 / (9.0 * k) - z / (3.0 * sqrt(k)), 3.0);
    double high = (k + 1.0) * pow(1.0 - 1.0 / (9.0 * (k + 1.0)) + z / (3.0 * sqrt(k + 1.0)), 3.0);
    return (br_record_times){k / e, low / e, high / e};
}
