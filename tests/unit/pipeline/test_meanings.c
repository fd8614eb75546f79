// Goal: the meanings of fields are those of the encoder. Method: fields by hand, and the simulated market, of which the features, and so the bits
// of its truth, are known.

#include "pipeline/meanings.h"

#include "base/hash.h"
#include "market/dataset.h"
#include "market/simulate.h"

#include <criterion/criterion.h>
#include <string.h>

enum { N_INVESTOR_FIELDS = 9 };

Test(pipeline_meanings, fields_by_hand)
{
    const br_field no = {.feature = UINT32_MAX, .activity = BR_ACTIVITY_COUNT, .bond_field = UINT32_MAX};
    br_field fields[1 + N_INVESTOR_FIELDS] = {no};
    for (size_t i = 1; i <= N_INVESTOR_FIELDS; i++) {
        fields[i] = no;
        fields[i].window_days = i % 2 == 0 ? 30 : 365;
    }
    br_field *field = fields + 1;
    field[0].source = BR_SOURCE_INVESTOR;
    field[0].feature = 0;
    field[1].source = BR_SOURCE_INVESTOR;
    field[1].feature = 1;
    field[2].source = field[3].source = BR_SOURCE_ACTIVITY;
    field[2].activity = field[3].activity = BR_ACTIVITY_AMOUNT;
    field[4].source = BR_SOURCE_MEAN; // of the bond feature that a preference speaks of, too
    field[4].feature = 3;
    for (size_t i = 5; i < N_INVESTOR_FIELDS; i++) {
        field[i].source = BR_SOURCE_MATCHES;
        field[i].feature = field[i].bond_field = i < 8 ? 3 : 7;
        field[i].bond_code = i == 7 ? 2 : 1;
    }
    const br_encoder encoder = {.fields = fields, .n_fields = 1 + N_INVESTOR_FIELDS, .n_bond_fields = 1};
    static const br_field_meaning expected[N_INVESTOR_FIELDS] = {
        {BR_NO_BOND_FIELD, 0, BR_MAX_CAUSAL, 0},
        {BR_NO_BOND_FIELD, 0, BR_MAX_CAUSAL, 1},
        {BR_NO_BOND_FIELD, 0, BR_MAX_CAUSAL, 2},
        {BR_NO_BOND_FIELD, 0, BR_MAX_CAUSAL, 2},
        {BR_NO_BOND_FIELD, 0, BR_MAX_CAUSAL, 4},
        {3, 1, 0, 5},
        {3, 1, 0, 5},
        {3, 2, 0, 7},
        {7, 1, 1, 8},
    };
    br_field_meaning meanings[N_INVESTOR_FIELDS];
    br_field_meanings(meanings, &encoder);
    for (size_t j = 0; j < N_INVESTOR_FIELDS; j++) {
        cr_expect_eq(meanings[j].bond_field, expected[j].bond_field, "field %zu", j);
        cr_expect_eq(meanings[j].bond_code, expected[j].bond_code, "field %zu", j);
        cr_expect_eq(meanings[j].causal_bit, expected[j].causal_bit, "field %zu", j);
        cr_expect_eq(meanings[j].concept, expected[j].concept, "field %zu", j);
    }
}

Test(pipeline_meanings, bond_features_beyond_the_truth_have_no_bit)
{
    enum { N = BR_MAX_CAUSAL + 2 };
    br_field fields[N];
    br_field_meaning meanings[N];
    for (uint32_t j = 0; j < N; j++) {
        fields[j] = (br_field){.source = BR_SOURCE_PREFERENCE, .feature = j, .bond_field = j, .bond_code = 1};
    }
    br_field_meanings(meanings, &(br_encoder){.fields = fields, .n_fields = N});
    cr_expect_eq(meanings[BR_MAX_CAUSAL - 1].causal_bit, BR_MAX_CAUSAL - 1);
    cr_expect_eq(meanings[BR_MAX_CAUSAL].causal_bit, BR_MAX_CAUSAL);
    cr_expect_eq(meanings[BR_MAX_CAUSAL + 1].causal_bit, BR_MAX_CAUSAL);
}

static br_status take(void *market, const br_row *row)
{
    return br_market_apply(market, row);
}

// The name without its window.
static size_t stem(const br_field *field)
{
    const char *dot = strrchr(field->name, '.');
    return dot != NULL && field->window_days >= 0 ? (size_t)(dot - field->name) : strlen(field->name);
}

Test(pipeline_meanings, concepts_and_bits_are_those_of_the_simulated_market)
{
    br_simulation_options options;
    BR_AUTO(br_simulation) *simulation = NULL;
    BR_AUTO(br_market) *market = NULL;
    BR_AUTO(br_encoder) *encoder = NULL;
    br_split split;
    cr_assert_eq(br_hash_init(), BR_OK);
    cr_assert_eq(br_simulation_defaults(&options, "tiny"), BR_OK);
    cr_assert_eq(br_simulation_new(&simulation, &options), BR_OK);
    cr_assert_eq(br_market_new(&market, br_simulation_declares(simulation)), BR_OK);
    cr_assert_eq(br_simulation_run(simulation, take, market), BR_OK);
    cr_assert_eq(br_split_by_time(&split, market, 0.6, 0.2), BR_OK);
    cr_assert_eq(br_encoder_learn(&encoder, market, split.train_from, split.train_until, 1), BR_OK);
    br_field_meaning meanings[259];
    cr_assert_eq(br_encoder_n_investor_fields(encoder), 259);
    br_field_meanings(meanings, encoder);
    const br_field *fields = encoder->fields + encoder->n_bond_fields;
    uint32_t n_preferences = 0;
    for (uint32_t a = 0; a < 259; a++) {
        if (meanings[a].bond_field != BR_NO_BOND_FIELD) {
            cr_assert_eq(meanings[a].causal_bit, meanings[a].bond_field, "the ten features stand first");
            n_preferences++;
        }
        for (uint32_t b = 0; b < a; b++) {
            bool same =
                stem(&fields[a]) == stem(&fields[b]) && strncmp(fields[a].name, fields[b].name, stem(&fields[a])) == 0;
            cr_assert_eq(meanings[a].concept == meanings[b].concept, same, "%s, %s", fields[a].name, fields[b].name);
        }
    }
    cr_expect_eq(n_preferences, 212);
}
