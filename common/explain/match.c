#include "explain/match.h"

#include "base/alloc.h"

enum { WORD_BITS = 64 };

#define PROBABILITY_UNIT 0x1p40

br_status br_match_init(br_match *match, const br_collapsed *collapsed, const br_population *population)
{
    uint32_t n_fields = br_collapsed_n_investor_fields(collapsed);
    size_t n_codes = br_collapsed_first_code(collapsed, n_fields);
    *match = (br_match){.population = population, .collapsed = collapsed, .n_fields = n_fields};
    match->n_words = ((size_t)population->n + WORD_BITS - 1) / WORD_BITS;
    match->probability = br_calloc(population->n, sizeof *match->probability);
    match->everyone = br_calloc(match->n_words, sizeof *match->everyone);
    match->sets = br_calloc(n_codes * match->n_words, sizeof *match->sets);
    match->sums = br_calloc(n_codes, sizeof *match->sums);
    match->made = br_calloc(n_fields, sizeof *match->made);
    if (match->probability == NULL || match->everyone == NULL || match->sets == NULL || match->sums == NULL ||
        match->made == NULL) {
        return br_no_memory("words of matching investors", n_codes * match->n_words);
    }
    for (uint32_t i = 0; i < population->n; i++) {
        if (population->eligible[i] != 0) {
            match->everyone[i / WORD_BITS] |= UINT64_C(1) << (i % WORD_BITS);
            match->probability[i] =
                (uint64_t)(br_fixed_sigmoid((double)population->logits[i]) * PROBABILITY_UNIT + 0.5);
        }
    }
    return BR_OK;
}

void br_match_deinit(br_match *match)
{
    br_free(match->probability);
    br_free(match->everyone);
    br_free(match->sets);
    br_free(match->sums);
    br_free(match->made);
}

static void make(br_match *match, uint32_t j)
{
    const br_population *population = match->population;
    size_t first = br_collapsed_first_code(match->collapsed, j);
    for (uint32_t i = 0; i < population->n; i++) {
        size_t at = first + population->codes[(size_t)i * match->n_fields + j];
        uint64_t bit = population->eligible[i] != 0;
        match->sets[at * match->n_words + i / WORD_BITS] |= bit << (i % WORD_BITS);
        match->sums[at].n += (uint32_t)bit;
        match->sums[at].probability += match->probability[i];
    }
    match->made[j] = 1;
}

static size_t place(br_match *match, uint32_t j, uint8_t code)
{
    if (match->made[j] == 0) {
        make(match, j);
    }
    return br_collapsed_first_code(match->collapsed, j) + code;
}

const uint64_t *br_match_set(br_match *match, uint32_t j, uint8_t code)
{
    return match->sets + place(match, j, code) * match->n_words;
}

br_match_sum br_match_single(br_match *match, uint32_t j, uint8_t code)
{
    return match->sums[place(match, j, code)];
}

br_match_sum br_match_both(const br_match *match, const uint64_t *a, const uint64_t *b)
{
    br_match_sum sum = {0};
    for (size_t word = 0; word < match->n_words; word++) {
        for (uint64_t left = a[word] & b[word]; left != 0; left &= left - 1) {
            sum.n++;
            sum.probability += match->probability[word * WORD_BITS + (size_t)__builtin_ctzll(left)];
        }
    }
    return sum;
}

br_match_sum br_match_without(const br_match *match, br_match_sum sum, uint32_t investor)
{
    if (match->population->eligible[investor] != 0) {
        sum.n--;
        sum.probability -= match->probability[investor];
    }
    return sum;
}

double br_match_probability(br_match_sum sum)
{
    return (double)sum.probability / PROBABILITY_UNIT;
}
