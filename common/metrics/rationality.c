#include "metrics/rationality.h"

#include "base/alloc.h"

#include <math.h>

enum { N_CODES = 256, LEVEL_NONE = 1 };

static uint8_t level_of(uint8_t code)
{
    return code < LEVEL_NONE ? LEVEL_NONE : code;
}

void br_mean_levels(double *out, const uint8_t *codes, const uint8_t *eligible, uint32_t n_investors, uint32_t n_fields)
{
    uint32_t n = 0;
    for (uint32_t j = 0; j < n_fields; j++) {
        out[j] = 0.0;
    }
    for (uint32_t i = 0; i < n_investors; i++) {
        for (uint32_t j = 0; j < n_fields && eligible[i] != 0; j++) {
            out[j] += level_of(codes[(size_t)i * n_fields + j]);
        }
        n += eligible[i] != 0;
    }
    for (uint32_t j = 0; j < n_fields; j++) {
        out[j] = n > 0 ? out[j] / n : (double)NAN;
    }
}

void br_claims_append(br_buf *claims, const br_explained_bond *bond, uint32_t number, const double *mean_levels)
{
    br_assert(number != BR_ALL_BONDS);
    for (size_t i = 0; i < (size_t)bond->n_sets * bond->n_reasons; i++) {
        uint32_t field = bond->fields[i];
        uint8_t code = br_explained_code(bond, bond->investors[i / bond->n_reasons], field);
        const br_field_meaning *meaning = &bond->meanings[field];
        if (meaning->bond_field != BR_NO_BOND_FIELD && code > mean_levels[field]) {
            br_assert(meaning->bond_field <= UINT16_MAX);
            br_claim claim = {.bond = number,
                              .bond_field = (uint16_t)meaning->bond_field,
                              .claimed = meaning->bond_code,
                              .actual = bond->bond_codes[meaning->bond_field]};
            br_buf_append(claims, &claim, sizeof claim);
        }
    }
}

// How often each rater named each (bond field, value).
typedef struct counts {
    uint32_t (*claimed)[N_CODES]; // [n_fields]
    uint32_t (*actual)[N_CODES];  // [n_fields]
    size_t n_fields;
} counts;

static void counts_deinit(counts *c)
{
    br_free(c->claimed);
    br_free(c->actual);
}

static br_status counts_init(counts *c, const br_claim *claims, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        c->n_fields = claims[i].bond_field >= c->n_fields ? (size_t)claims[i].bond_field + 1 : c->n_fields;
    }
    c->claimed = br_calloc(c->n_fields, sizeof *c->claimed);
    c->actual = br_calloc(c->n_fields, sizeof *c->actual);
    return c->claimed != NULL && c->actual != NULL ? BR_OK : br_no_memory("bond fields with claims", c->n_fields);
}

static void add_chance(br_rationality *out, const counts *c)
{
    double n = (double)out->n_claims;
    for (size_t f = 0; f < c->n_fields; f++) {
        double met = 0.0; // pairs of claims that agree
        double n_field = 0.0;
        for (size_t v = 0; v < N_CODES; v++) {
            met += (double)c->claimed[f][v] * (double)c->actual[f][v];
            n_field += c->claimed[f][v];
        }
        out->chance += met / (n * n);
        out->chance_stratified += n_field > 0.0 ? met / (n_field * n) : 0.0;
    }
}

static double kappa(double agreement, double chance)
{
    return chance < 1.0 ? (agreement - chance) / (1.0 - chance) : (double)NAN;
}

br_status br_rationality_of(br_rationality *out, const br_claim *claims, size_t n, uint32_t without)
{
    br_assert(n <= UINT32_MAX);
    BR_AUTO_DEINIT(counts) c = {.claimed = NULL};
    br_status status = counts_init(&c, claims, n);
    if (status != BR_OK) {
        return status;
    }
    br_rationality result = {0};
    for (size_t i = 0; i < n; i++) {
        if (without == BR_ALL_BONDS || claims[i].bond != without) {
            c.claimed[claims[i].bond_field][claims[i].claimed]++;
            c.actual[claims[i].bond_field][claims[i].actual]++;
            result.n_rational += claims[i].claimed == claims[i].actual;
            result.n_claims++;
        }
    }
    result.agreement = (double)result.n_rational / (double)result.n_claims;
    add_chance(&result, &c);
    result.pooled = kappa(result.agreement, result.chance);
    result.stratified = kappa(result.agreement, result.chance_stratified);
    *out = result;
    return BR_OK;
}
