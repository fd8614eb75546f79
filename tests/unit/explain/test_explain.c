// Goal: the searches do what explain.h says, on any kernels, whatever was asked before.
// Method: small networks where all sets can be tried; every value again from its definition, by the plain network in double
// precision.

#include "base/alloc.h"
#include "base/rng.h"
#include "explain/exhaustive.h"
#include "support/bond.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N_FIELDS = 11, N_INVESTORS = 60, K = 3 };

// Differences between float states and the twin in double, in logit.
#define TOLERANCE 3e-4

static br_test_shape small_shape(uint64_t seed, uint32_t n_fields)
{
    return (br_test_shape){
        .config = {.d = 4, .n_cross = 2 + (uint32_t)seed % 2, .rank = 8, .n_hidden = 2, .hidden = {24, 12}},
        .n_bond_fields = 4,
        .n_investor_fields = n_fields,
        .max_values = 5,
        .seed = seed,
    };
}

// The same with another architecture for each n: all four, and the stacked tower.
static br_test_shape shape_of(uint32_t n, uint64_t seed, uint32_t n_fields)
{
    br_test_shape shape = small_shape(seed, n_fields);
    shape.config.stacked = n % 5 == 4;
    if (!shape.config.stacked && n % 5 != BR_DCN) {
        shape.config.architecture = (br_architecture)(n % 5);
        shape.config.n_cross = 0;
    }
    return shape;
}

static br_explain_options options_of(br_objective objective, uint32_t k)
{
    br_explain_options options = br_explain_options_default();
    options.objective = objective;
    options.n_reasons = k;
    return options;
}

static br_explanation explain_one(const br_test_bond *test, const br_explain_options *options, uint32_t investor,
                                  const uint32_t *warm)
{
    BR_AUTO(br_explain_context) *context = NULL;
    br_explanation out;
    cr_assert_eq(br_explain_context_new(&context, &test->bond, &test->population, options), BR_OK);
    cr_assert_eq(br_explain(context, investor, warm, &out), BR_OK);
    return out;
}

// The certificate of an explanation.
static br_certificate certify_one(const br_test_bond *test, const br_explain_options *options,
                                  const br_explanation *explanation)
{
    BR_AUTO(br_explain_context) *context = NULL;
    br_certificate out;
    uint32_t selected[BR_MAX_REASONS];
    for (uint32_t i = 0; i < explanation->n_reasons; i++) {
        selected[i] = explanation->reasons[i].field;
    }
    cr_assert_eq(br_explain_context_new(&context, &test->bond, &test->population, options), BR_OK);
    cr_assert_eq(br_explain_certify(context, explanation->investor, selected, &out), BR_OK);
    return out;
}

static const uint8_t *codes_of(const br_test_bond *test, uint32_t investor)
{
    return test->codes + (size_t)investor * br_collapsed_n_investor_fields(test->collapsed);
}

// logit f(x_S), S as bits.
static double plain_logit(const br_test_bond *test, const br_model *model, uint32_t investor, uint32_t set)
{
    uint8_t masked[32];
    for (uint32_t j = 0; j < 32; j++) {
        masked[j] = (set >> j & 1) == 0;
    }
    return br_model_logit_plain(model, test->bond_codes, codes_of(test, investor), masked);
}

static uint32_t bits_of(const br_explanation *explanation)
{
    uint32_t set = 0;
    for (uint32_t i = 0; i < explanation->n_reasons; i++) {
        cr_assert_eq(set >> explanation->reasons[i].field & 1, 0, "a field is there twice");
        set |= 1u << explanation->reasons[i].field;
    }
    return set;
}

static bool same_reason(const br_reason *a, const br_reason *b)
{
    return a->field == b->field && a->code == b->code && memcmp(&a->gain, &b->gain, sizeof a->gain) == 0 &&
           memcmp(&a->backing, &b->backing, sizeof a->backing) == 0 && a->bids == b->bids;
}

static bool same(const br_explanation *a, const br_explanation *b)
{
    bool equal = a->investor == b->investor && a->n_reasons == b->n_reasons && same_reason(&a->against, &b->against) &&
                 memcmp(&a->logit_selected, &b->logit_selected, sizeof(float)) == 0 &&
                 memcmp(&a->logit_all, &b->logit_all, sizeof(float)) == 0 &&
                 memcmp(&a->logit_none, &b->logit_none, sizeof(float)) == 0 &&
                 memcmp(&a->objective, &b->objective, sizeof(double)) == 0 && a->n_matching == b->n_matching &&
                 memcmp(&a->mean_probability_matching, &b->mean_probability_matching, sizeof(double)) == 0 &&
                 a->certified == b->certified && a->evaluations == b->evaluations;
    for (uint32_t i = 0; i < a->n_reasons; i++) {
        equal = equal && same_reason(&a->reasons[i], &b->reasons[i]);
    }
    return equal;
}

// --- plain ---

Test(explain_plain, is_the_best_of_all_sets_nearly_always)
{
    unsigned found = 0, tried = 0;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        br_test_bond test;
        br_test_shape shape = small_shape(seed, N_FIELDS);
        br_test_bond_init(&test, &shape, N_INVESTORS, 0);
        br_explain_options options = options_of(BR_OBJECTIVE_PLAIN, K);
        for (uint32_t investor = 0; investor < 8; investor++) {
            double best = -1e30;
            for (uint32_t set = 0; set < 1u << N_FIELDS; set++) {
                if (__builtin_popcount(set) == K) {
                    best = fmax(best, plain_logit(&test, test.model, investor, set));
                }
            }
            br_explanation out = explain_one(&test, &options, investor, NULL);
            cr_assert_eq(out.n_reasons, K);
            double reached = plain_logit(&test, test.model, investor, bits_of(&out));
            cr_assert_float_eq((double)out.logit_selected, reached, TOLERANCE);
            cr_assert_eq(out.objective, (double)out.logit_selected);
            cr_assert_leq(reached, best);
            found += reached > best - TOLERANCE;
            tried++;
        }
        br_test_bond_deinit(&test);
    }
    cr_assert_geq(found * 100, tried * 97, "only %u of %u", found, tried);
}

Test(explain_plain, a_certificate_means_that_no_swap_gains)
{
    unsigned certified = 0;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        br_test_bond test;
        br_test_shape shape = small_shape(seed, 25);
        br_test_bond_init(&test, &shape, N_INVESTORS, 0);
        br_explain_options options = options_of(BR_OBJECTIVE_PLAIN, 5);
        options.certify = true;
        for (uint32_t investor = 0; investor < 4; investor++) {
            br_explanation out = explain_one(&test, &options, investor, NULL);
            uint32_t set = bits_of(&out);
            double reached = plain_logit(&test, test.model, investor, set);
            certified += out.certified;
            for (uint32_t swap = 0; swap < 25 * 25 && out.certified; swap++) {
                uint32_t leaves = swap / 25, comes = swap % 25;
                if ((set >> leaves & 1) == 1 && (set >> comes & 1) == 0) {
                    double other = plain_logit(&test, test.model, investor, (set & ~(1u << leaves)) | 1u << comes);
                    cr_assert_leq(other, reached + (double)BR_EXPLAIN_GAIN + TOLERANCE);
                }
            }
        }
        br_test_bond_deinit(&test);
    }
    cr_assert_eq(certified, 24);
}

Test(explain_plain, a_certificate_names_the_best_swap)
{
    br_test_bond test;
    br_test_shape shape = small_shape(2, 25);
    br_test_bond_init(&test, &shape, N_INVESTORS, 0);
    br_explain_options options = options_of(BR_OBJECTIVE_PLAIN, 5);
    options.max_evaluations = 3; // of the search, not of the certificate
    br_explanation some = {.investor = 1, .n_reasons = 5};
    for (uint32_t i = 0; i < 5; i++) {
        some.reasons[i].field = 24 - 3 * i;
    }
    br_certificate certificate = certify_one(&test, &options, &some);
    uint32_t set = bits_of(&some);
    double reached = plain_logit(&test, test.model, 1, set), best = -INFINITY;
    for (uint32_t swap = 0; swap < 25 * 25; swap++) {
        uint32_t leaves = swap / 25, comes = swap % 25;
        if ((set >> leaves & 1) == 1 && (set >> comes & 1) == 0) {
            best = fmax(best, plain_logit(&test, test.model, 1, (set & ~(1u << leaves)) | 1u << comes));
        }
    }
    cr_assert_float_eq(certificate.objective, reached, TOLERANCE);
    cr_assert_float_eq(certificate.gain, best - reached, TOLERANCE);
    cr_assert_gt(certificate.gain, 0.01);
    cr_assert_float_eq(
        plain_logit(&test, test.model, 1, (set & ~(1u << certificate.leaves)) | 1u << certificate.enters), best,
        TOLERANCE);
    br_test_bond_deinit(&test);
}

Test(explain_certify, what_is_no_set_is_refused)
{
    br_test_bond test;
    br_test_shape shape = small_shape(1, N_FIELDS);
    br_test_bond_init(&test, &shape, N_INVESTORS, 0);
    br_explain_options options = options_of(BR_OBJECTIVE_PLAIN, 3);
    const uint32_t banned[1] = {4}, twice[3] = {1, 2, 1}, beyond[3] = {1, 2, N_FIELDS}, rules[3] = {1, 2, 4};
    options.banned = banned;
    options.n_banned = 1;
    BR_AUTO(br_explain_context) *context = NULL;
    br_certificate out;
    cr_assert_eq(br_explain_context_new(&context, &test.bond, &test.population, &options), BR_OK);
    cr_expect_eq(br_explain_certify(context, 0, twice, &out), BR_ERR_INVALID);
    cr_expect_eq(br_explain_certify(context, 0, beyond, &out), BR_ERR_INVALID);
    cr_expect_eq(br_explain_certify(context, 0, rules, &out), BR_ERR_INVALID);
    cr_expect_eq(br_explain_certify(context, N_INVESTORS, (uint32_t[]){1, 2, 3}, &out), BR_ERR_INVALID);
    br_test_bond_deinit(&test);
}

Test(explain_plain, is_not_certified_unless_asked)
{
    br_test_bond test;
    br_test_shape shape = small_shape(1, N_FIELDS);
    br_test_bond_init(&test, &shape, N_INVESTORS, 0);
    br_explain_options options = options_of(BR_OBJECTIVE_PLAIN, K);
    cr_assert_not(explain_one(&test, &options, 0, NULL).certified);
    br_test_bond_deinit(&test);
}

Test(explain_plain, a_warm_start_is_left_only_for_a_gain_above_its_margin)
{
    unsigned stayed = 0, left = 0, certified = 0;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        br_test_bond test;
        br_test_shape shape = small_shape(seed, N_FIELDS);
        br_test_bond_init(&test, &shape, N_INVESTORS, 0);
        br_explain_options options = options_of(BR_OBJECTIVE_PLAIN, K);
        options.certify = true;
        options.warm_margin = 0.1f;
        for (uint32_t first = 0; first + K <= N_FIELDS; first++) {
            uint32_t warm[K] = {first + 2, first, first + 1};
            uint32_t set = 7u << first;
            double before = plain_logit(&test, test.model, 0, set), one = -1e30, two = -1e30;
            for (uint32_t other = 0; other < 1u << N_FIELDS; other++) {
                int n_new = __builtin_popcount(other & ~set);
                if (__builtin_popcount(other) == K && n_new > 0 && n_new <= 2) {
                    double *gain = n_new == 1 ? &one : &two;
                    *gain = fmax(*gain, plain_logit(&test, test.model, 0, other) - before);
                }
            }
            br_explanation out = explain_one(&test, &options, 0, warm);
            cr_assert(one <= 0.1 + TOLERANCE || bits_of(&out) != set, "a swap gains %g", one);
            cr_assert(fmax(one, two) >= 0.1 - TOLERANCE || bits_of(&out) == set, "a pair of swaps gains %g", two);
            stayed += bits_of(&out) == set;
            left += bits_of(&out) != set;
            double gain = certify_one(&test, &options, &out).gain;
            cr_assert_eq(out.certified, gain <= (double)BR_EXPLAIN_GAIN, "a swap gains %g", gain);
            certified += out.certified;
        }
        br_test_bond_deinit(&test);
    }
    cr_assert(certified > 0 && certified < stayed + left, "%u of %u", certified, stayed + left);
    cr_assert(stayed > 0 && left > 0, "%u stayed, %u left", stayed, left);
}

static void copy_field(br_model *model, uint32_t to, uint32_t from)
{
    size_t d = model->config.d, r = model->config.rank;
    size_t rows = model->row_of[from + 1] - model->row_of[from];
    cr_assert_eq(rows, model->row_of[to + 1] - model->row_of[to]);
    memcpy(model->embedding + model->row_of[to] * d, model->embedding + model->row_of[from] * d, rows * d * 4);
    for (uint32_t l = 0; l < model->config.n_cross; l++) {
        memcpy(model->u[l] + to * d * r, model->u[l] + from * d * r, d * r * 4);
        memcpy(model->v[l] + to * d * r, model->v[l] + from * d * r, d * r * 4);
        memcpy(model->b[l] + to * d, model->b[l] + from * d, d * 4);
    }
    memcpy(model->w_cross + to * d, model->w_cross + from * d, d * 4);
    size_t h = model->config.hidden[0];
    memcpy(model->w[0] + to * d * h, model->w[0] + from * d * h, d * h * 4);
}

Test(explain_plain, ties_go_to_the_lowest_field)
{
    for (uint32_t objective = BR_OBJECTIVE_PLAIN; objective <= BR_OBJECTIVE_BACKED; objective++) {
        br_test_bond test;
        br_test_shape shape = small_shape(3, N_FIELDS);
        shape.max_values = 2;
        br_test_bond_init(&test, &shape, N_INVESTORS, 0);
        for (uint32_t j = 1; j < N_FIELDS; j++) {
            copy_field(test.model, 4 + j, 4);
        }
        for (size_t at = 0; at < test.record.offset[N_FIELDS]; at++) {
            test.record.dev[at] = 1.0f;
        }
        memset(test.codes, 1, (size_t)N_INVESTORS * N_FIELDS);
        br_collapsed_free(&test.collapsed);
        cr_assert_eq(br_collapsed_new(&test.collapsed, test.model), BR_OK);
        test.bond.collapsed = test.collapsed;
        br_explain_options options = options_of((br_objective)objective, K);
        br_explanation out = explain_one(&test, &options, 0, NULL);
        cr_assert_eq(bits_of(&out), 7, "fields 0, 1 and 2 are as good as any other, not %x", bits_of(&out));
        cr_assert(out.reasons[0].field == 0 || out.reasons[0].gain > out.reasons[1].gain);
        br_test_bond_deinit(&test);
    }
}

Test(explain_exhaustive, sees_every_set)
{
    br_test_bond test;
    br_test_shape shape = small_shape(4, N_FIELDS);
    br_test_bond_init(&test, &shape, N_INVESTORS, 0);
    static const uint32_t fields[] = {0, 2, 3, 5, 6, 7, 10};
    for (uint32_t k = 1; k <= 7; k++) {
        double want = -1e30;
        for (uint32_t set = 0; set < 1u << N_FIELDS; set++) {
            if (__builtin_popcount(set) == (int)k && (set & ~0x4edu) == 0) {
                want = fmax(want, plain_logit(&test, test.model, 2, set));
            }
        }
        float best;
        cr_assert_eq(br_explain_best_of_all(test.collapsed, test.bond_codes, codes_of(&test, 2), fields, 7, k, &best),
                     BR_OK);
        cr_assert_float_eq((double)best, want, TOLERANCE);
    }
    br_test_bond_deinit(&test);
}

Test(explain_plain, finds_the_best_of_all_134596_sets_of_six_of_24)
{
    enum { N = 24, SIX = 6 };
    unsigned tried = 0, found = 0;
    double worst = 0.0;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        br_test_bond test;
        br_test_shape shape = small_shape(seed, N);
        br_test_bond_init(&test, &shape, N_INVESTORS, 0);
        uint32_t all[N];
        for (uint32_t j = 0; j < N; j++) {
            all[j] = j;
        }
        br_explain_options options = options_of(BR_OBJECTIVE_PLAIN, SIX);
        for (uint32_t investor = 0; investor < 3; investor++) {
            float best;
            cr_assert_eq(
                br_explain_best_of_all(test.collapsed, test.bond_codes, codes_of(&test, investor), all, N, SIX, &best),
                BR_OK);
            double loss = (double)best - explain_one(&test, &options, investor, NULL).objective;
            cr_assert_geq(loss, -TOLERANCE);
            found += loss < TOLERANCE;
            worst = fmax(worst, loss);
            tried++;
        }
        br_test_bond_deinit(&test);
    }
    cr_assert_geq(found * 100, tried * 85, "%u of %u, worst %g", found, tried, worst);
}

// --- backed ---

typedef struct twin {
    const br_test_bond *test;
    br_model *mean; // the network with the mean bond in the place of each value
    float gain[N_FIELDS * 8];
    float gain_mean[N_FIELDS * 8];
    uint32_t k;
    bool grouped;
} twin;

static void twin_init(twin *t, const br_test_bond *test, uint32_t k, bool grouped)
{
    size_t d = test->model->config.d;
    *t = (twin){.test = test, .k = k, .grouped = grouped};
    cr_assert_eq(br_model_new(&t->mean, &test->model->config, test->model->fields, test->model->n_fields,
                              test->model->n_bond_fields),
                 BR_OK);
    memcpy(t->mean->parameters, test->model->parameters, test->model->n_parameters * sizeof(float));
    for (uint32_t field = 0; field < test->model->n_bond_fields; field++) {
        for (size_t row = t->mean->row_of[field]; row < t->mean->row_of[field + 1]; row++) {
            memcpy(t->mean->embedding + row * d, test->mean_bond + field * d, d * sizeof(float));
            if (t->mean->linear != NULL) {
                t->mean->linear[row] = field == 0 ? test->mean_bond[test->model->n_bond_fields * d] : 0.0f;
            }
        }
    }
    float *state = aligned_alloc(64, (br_collapsed_state_floats(test->collapsed) + 15) / 16 * 64);
    float *scratch = aligned_alloc(64, (br_collapsed_scratch_floats(test->collapsed) + 15) / 16 * 64);
    br_collapsed_bond(test->collapsed, test->bond_codes, state);
    br_collapsed_add_hidden(test->collapsed, state);
    br_collapsed_gate_gradient_of_codes(test->collapsed, state, t->gain, scratch);
    br_collapsed_mean_bond(test->collapsed, test->mean_bond, state);
    br_collapsed_add_hidden(test->collapsed, state);
    br_collapsed_gate_gradient_of_codes(test->collapsed, state, t->gain_mean, scratch);
    free(state);
    free(scratch);
}

static double sigmoid(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

static double twin_spec(const twin *t, uint32_t investor, uint32_t j)
{
    uint8_t code = codes_of(t->test, investor)[j];
    size_t at = br_collapsed_first_code(t->test->collapsed, j) + code;
    double backing = (double)br_record_backing(&t->test->record, t->test->bond_codes, j, code, NULL);
    return (double)t->gain[at] - (double)t->gain_mean[at] + 0.045 * backing;
}

static uint32_t twin_matching(const br_test_bond *test, uint32_t investor, uint32_t set, double *sum_out)
{
    uint32_t n = 0;
    *sum_out = 0.0;
    for (uint32_t other = 0; other < N_INVESTORS; other++) {
        bool match = other != investor && test->eligible[other] != 0;
        for (uint32_t j = 0; j < N_FIELDS; j++) {
            match = match && ((set >> j & 1) == 0 || codes_of(test, other)[j] == codes_of(test, investor)[j]);
        }
        n += match;
        *sum_out += match ? sigmoid((double)test->logits[other]) : 0.0;
    }
    return n;
}

static double twin_objective(const twin *t, uint32_t investor, uint32_t set)
{
    double sum, spec = 0.0, prior = t->grouped ? 5.0 : 3.0;
    double n = (double)twin_matching(t->test, investor, set, &sum);
    double p = (prior * sigmoid(plain_logit(t->test, t->test->model, investor, set)) + sum) / (prior + n);
    for (uint32_t j = 0; j < N_FIELDS; j++) {
        spec += (set >> j & 1) != 0 ? twin_spec(t, investor, j) : 0.0;
    }
    return log(p / (1.0 - p)) + (t->grouped ? -0.7 * plain_logit(t->test, t->mean, investor, set) : spec);
}

static uint32_t twin_concepts(const twin *t, uint32_t fields)
{
    uint32_t concepts = 0;
    for (uint32_t j = 0; j < N_FIELDS; j++) {
        concepts |= (fields >> j & 1) << br_encoder_concept(&t->test->encoder, j);
    }
    return concepts;
}

// The allowed fields with the largest value, as bits; `once`: none whose concept is in the set already.
static uint32_t twin_top(const twin *t, const double *value, uint32_t allowed, uint32_t most, bool once, uint32_t set)
{
    for (uint32_t n = 0; n < most; n++) {
        uint32_t best = UINT32_MAX;
        for (uint32_t j = 0; j < N_FIELDS; j++) {
            bool taken = once && (twin_concepts(t, set) >> br_encoder_concept(&t->test->encoder, j) & 1) != 0;
            if ((allowed & ~set) >> j & 1 && !taken && (best == UINT32_MAX || value[j] > value[best])) {
                best = j;
            }
        }
        set |= best == UINT32_MAX ? 0 : 1u << best;
    }
    return set;
}

static uint32_t size_of(uint32_t set)
{
    return (uint32_t)__builtin_popcount(set);
}

static uint32_t twin_pool(const twin *t, uint32_t investor)
{
    double backing[N_FIELDS], gain[N_FIELDS], spec[N_FIELDS];
    uint32_t preferences = 0, shown = 0, all = (1u << N_FIELDS) - 1;
    for (uint32_t j = 0; j < N_FIELDS; j++) {
        uint8_t code = codes_of(t->test, investor)[j];
        backing[j] = (double)br_record_backing(&t->test->record, t->test->bond_codes, j, code, NULL);
        gain[j] = (double)t->gain[br_collapsed_first_code(t->test->collapsed, j) + code];
        spec[j] = gain[j] + twin_spec(t, investor, j);
        const br_field *field = &t->test->encoder.fields[4 + j];
        preferences |= (uint32_t)(field->group == BR_GROUP_PREFERENCE) << j;
        shown |= (uint32_t)(field->group == BR_GROUP_PREFERENCE && code >= br_field_first_telling(field)) << j;
    }
    if (!t->grouped) {
        return twin_top(t, spec, all, 4 * t->k, false, 0);
    }
    uint32_t pool = twin_top(t, backing, shown, (t->k + 1) / 2, true, 0);
    pool = twin_top(t, gain, all & ~preferences, 2 * t->k - size_of(pool), true, pool);
    pool = twin_top(t, backing, shown, 2 * t->k - size_of(pool), true, pool);
    return size_of(pool) < t->k ? twin_top(t, gain, all, t->k - size_of(pool), false, pool) : pool;
}

static uint32_t twin_greedy(const twin *t, uint32_t investor, uint32_t pool)
{
    uint32_t set = 0;
    for (uint32_t step = 0; step < t->k; step++) {
        uint32_t best = 0;
        double value = -1e30;
        for (uint32_t j = 0; j < N_FIELDS; j++) {
            if ((pool & ~set) >> j & 1 && twin_objective(t, investor, set | 1u << j) > value) {
                best = j;
                value = twin_objective(t, investor, set | 1u << j);
            }
        }
        set |= 1u << best;
    }
    return set;
}

static void compare_with_twin(const br_test_shape *shape, uint32_t k, uint32_t n_preferences)
{
    br_test_bond test;
    twin t;
    br_test_bond_init(&test, shape, N_INVESTORS, n_preferences);
    twin_init(&t, &test, k, n_preferences > 0);
    br_explain_options options = options_of(BR_OBJECTIVE_BACKED, k);
    options.certify = true;
    for (uint32_t investor = 0; investor < 20; investor++) {
        br_explanation out = explain_one(&test, &options, investor, NULL);
        uint32_t pool = twin_pool(&t, investor), set = bits_of(&out);
        double reached = twin_objective(&t, investor, set);
        cr_assert_eq(set, twin_greedy(&t, investor, pool), "seed %u investor %u: %x is not %x", (unsigned)shape->seed,
                     investor, set, twin_greedy(&t, investor, pool));
        cr_assert_float_eq(out.objective, reached, TOLERANCE);
        double best = -INFINITY;
        for (uint32_t swap = 0; swap < N_FIELDS * N_FIELDS; swap++) {
            uint32_t leaves = swap / N_FIELDS, comes = swap % N_FIELDS;
            if ((set >> leaves & 1) == 1 && ((pool & ~set) >> comes & 1) == 1) {
                uint32_t other = (set & ~(1u << leaves)) | 1u << comes;
                best = fmax(best, twin_objective(&t, investor, other));
            }
        }
        br_certificate certificate = certify_one(&test, &options, &out);
        cr_assert_eq(out.certified, best <= reached + (double)BR_EXPLAIN_GAIN);
        cr_assert_float_eq(certificate.objective, reached, TOLERANCE);
        if (isinf(best)) { // the pool is the set
            cr_assert(isinf(certificate.gain) && certificate.gain < 0 && certificate.enters == UINT32_MAX);
            continue;
        }
        cr_assert_float_eq(certificate.gain, best - reached, TOLERANCE);
        uint32_t other = (set & ~(1u << certificate.leaves)) | 1u << certificate.enters;
        cr_assert_float_eq(twin_objective(&t, investor, other), best, TOLERANCE);
    }
    br_model_free(&t.mean);
    br_test_bond_deinit(&test);
}

Test(explain_backed, does_what_its_definition_says)
{
    for (uint64_t seed = 1; seed <= 8; seed++) {
        br_test_shape shape = small_shape(seed, N_FIELDS);
        compare_with_twin(&shape, K, 6);
    }
}

Test(explain_backed, does_so_in_every_architecture)
{
    for (uint32_t n = 0; n < 5; n++) {
        br_test_shape shape = shape_of(n, 1, N_FIELDS);
        compare_with_twin(&shape, K, 6);
        compare_with_twin(&shape, K, 0);
    }
}

Test(explain_backed, a_small_group_leaves_its_places_to_the_other)
{
    static const uint32_t cases[][2] = {{K, 1}, {K, 10}, {K, 11}, {8, 5}}; // reasons, preferences
    for (uint32_t i = 0; i < 4; i++) {
        br_test_shape shape = small_shape(i + 1, N_FIELDS);
        compare_with_twin(&shape, cases[i][0], cases[i][1]);
    }
}

Test(explain_backed, has_a_form_without_preferences)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        br_test_shape shape = small_shape(seed, N_FIELDS);
        compare_with_twin(&shape, 2, 0);
        compare_with_twin(&shape, K, 0);
    }
}

Test(explain_backed, keeps_a_warm_start_within_the_margin)
{
    br_test_bond test;
    br_test_shape shape = small_shape(2, N_FIELDS);
    br_test_bond_init(&test, &shape, N_INVESTORS, 6);
    br_explain_options options = options_of(BR_OBJECTIVE_BACKED, K);
    br_explanation best = explain_one(&test, &options, 1, NULL);
    uint32_t warm[K], other = 0;
    for (; bits_of(&best) >> other & 1; other++) {
    }
    for (uint32_t i = 0; i < K; i++) {
        warm[i] = best.reasons[i].field;
    }
    br_explanation again = explain_one(&test, &options, 1, warm);
    cr_assert_eq(bits_of(&again), bits_of(&best));
    unsigned kept = 0, refused = 0;
    for (other = 0; other < N_FIELDS; other++) {
        if (bits_of(&best) >> other & 1) {
            continue;
        }
        warm[0] = other;
        uint32_t set = 1u << warm[0] | 1u << warm[1] | 1u << warm[2];
        options.warm_margin = 100.0f;
        again = explain_one(&test, &options, 1, warm);
        bool is_kept = bits_of(&again) == set; // unless the field is not among the best 2 k
        cr_assert(is_kept || bits_of(&again) == bits_of(&best));
        kept += is_kept;
        options.warm_margin = 0.0f;
        again = explain_one(&test, &options, 1, warm);
        cr_assert(bits_of(&again) == bits_of(&best) || again.objective >= best.objective);
        refused += !is_kept;
    }
    cr_assert_eq(kept, K);
    cr_assert_eq(refused, N_FIELDS - 2 * K);
    br_test_bond_deinit(&test);
}

// --- both ---

Test(explain_explain, what_is_said_of_a_set_is_true)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        br_test_bond test;
        br_test_shape shape = shape_of((uint32_t)seed, seed, N_FIELDS);
        shape.max_values = 3;
        br_test_bond_init(&test, &shape, N_INVESTORS, 5);
        br_explain_options options = options_of(seed % 2 == 0 ? BR_OBJECTIVE_PLAIN : BR_OBJECTIVE_BACKED, 2);
        for (uint32_t investor = 0; investor < 20; investor++) {
            br_explanation out = explain_one(&test, &options, investor, NULL);
            uint32_t set = bits_of(&out);
            double all = plain_logit(&test, test.model, investor, UINT32_MAX), sum;
            double selected = plain_logit(&test, test.model, investor, set), lowest = selected;
            cr_assert_eq(out.investor, investor);
            cr_assert_float_eq((double)out.logit_all, all, TOLERANCE);
            cr_assert_float_eq((double)out.logit_none, plain_logit(&test, test.model, investor, 0), TOLERANCE);
            for (uint32_t i = 0; i < 2; i++) {
                const br_reason *reason = &out.reasons[i];
                double without = plain_logit(&test, test.model, investor, set & ~(1u << reason->field));
                uint32_t bids;
                cr_assert_float_eq((double)reason->gain, selected - without, TOLERANCE);
                cr_assert_eq(reason->code, codes_of(&test, investor)[reason->field]);
                cr_assert_eq(reason->backing,
                             br_record_backing(&test.record, test.bond_codes, reason->field, reason->code, &bids));
                cr_assert_eq(reason->bids, bids);
            }
            cr_assert_geq(out.reasons[0].gain, out.reasons[1].gain);
            for (uint32_t j = 0; j < N_FIELDS; j++) {
                lowest = fmin(lowest, plain_logit(&test, test.model, investor, set | 1u << j));
            }
            if (out.against.field == UINT32_MAX) {
                cr_assert_geq(lowest, selected - TOLERANCE);
            } else {
                cr_assert_float_eq((double)out.against.gain, lowest - selected, TOLERANCE);
                cr_assert_eq(set >> out.against.field & 1, 0);
            }
            uint32_t n = twin_matching(&test, investor, set, &sum);
            cr_assert_eq(out.n_matching, n);
            cr_assert_float_eq(out.mean_probability_matching, n == 0 ? 0.0 : sum / (double)n, 1e-9);
        }
        br_test_bond_deinit(&test);
    }
}

Test(explain_explain, does_not_depend_on_what_was_explained_before)
{
    for (uint32_t objective = BR_OBJECTIVE_PLAIN; objective <= BR_OBJECTIVE_BACKED; objective++) {
        br_test_bond test;
        br_test_shape shape = small_shape(5, 30);
        br_test_bond_init(&test, &shape, N_INVESTORS, 12);
        br_explain_options options = options_of((br_objective)objective, 6);
        BR_AUTO(br_explain_context) *context = NULL;
        cr_assert_eq(br_explain_context_new(&context, &test.bond, &test.population, &options), BR_OK);
        for (uint32_t investor = N_INVESTORS; investor-- > 0;) {
            br_explanation out, alone = explain_one(&test, &options, investor, NULL);
            cr_assert_eq(br_explain(context, investor, NULL, &out), BR_OK);
            cr_assert(same(&out, &alone), "investor %u", investor);
        }
        br_test_bond_deinit(&test);
    }
}

Test(explain_explain, all_kernels_give_the_same_bytes)
{
    static const char *const names[] = {"avx512", "avx2", "plain"};
    for (uint32_t objective = BR_OBJECTIVE_PLAIN; objective <= BR_OBJECTIVE_BACKED; objective++) {
        br_explanation first[10];
        unsigned n_kernels = 0;
        for (size_t name = 0; name < 3; name++) {
            if (br_fixed_by_name(names[name]) == NULL) {
                continue;
            }
            br_test_bond test;
            br_test_shape shape = small_shape(7, 40);
            cr_assert_eq(setenv("BOOKRUNNER_KERNEL", names[name], 1), 0);
            br_test_bond_init(&test, &shape, N_INVESTORS, 20);
            br_explain_options options = options_of((br_objective)objective, 6);
            options.certify = true;
            for (uint32_t investor = 0; investor < 10; investor++) {
                br_explanation out = explain_one(&test, &options, investor, NULL);
                cr_assert(n_kernels == 0 || same(&out, &first[investor]), "%s", names[name]);
                first[investor] = out;
            }
            n_kernels++;
            br_test_bond_deinit(&test);
        }
    }
}

// May these fields be reasons of one investor? Bits of banned fields, and pairs.
static bool obeys(uint32_t set, const br_explain_options *options)
{
    for (uint32_t i = 0; i < options->n_banned; i++) {
        if (set >> options->banned[i] & 1) {
            return false;
        }
    }
    for (uint32_t i = 0; i < options->n_apart; i++) {
        uint32_t pair = 1u << options->apart[2 * i] | 1u << options->apart[2 * i + 1];
        if ((set & pair) == pair) {
            return false;
        }
    }
    return true;
}

Test(explain_rules, no_explanation_breaks_them)
{
    // Fields 0 to 5 exclude each other, 6 excludes 7 and 8: at most one of the first, so that 2 and more others are needed.
    uint32_t banned[2] = {9, 10}, apart[2 * 17], n_apart = 0;
    for (uint32_t a = 0; a < 6; a++) {
        for (uint32_t b = a + 1; b < 6; b++) {
            apart[2 * n_apart] = a;
            apart[2 * n_apart++ + 1] = b;
        }
    }
    memcpy(apart + 30, (uint32_t[]){6, 7, 8, 6}, 4 * sizeof *apart);
    unsigned obeyed_anyway = 0, tried = 0;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        br_test_bond test;
        br_test_shape shape = small_shape(seed, N_FIELDS);
        br_test_bond_init(&test, &shape, N_INVESTORS, seed % 3 == 0 ? 0 : 6);
        br_explain_options rules = options_of(seed % 2 == 0 ? BR_OBJECTIVE_PLAIN : BR_OBJECTIVE_BACKED, K), free_choice;
        rules.certify = true;
        free_choice = rules;
        rules.banned = banned;
        rules.n_banned = 2;
        rules.apart = apart;
        rules.n_apart = 17;
        for (uint32_t investor = 0; investor < 10; investor++) {
            br_explanation out = explain_one(&test, &rules, investor, NULL);
            cr_assert_eq(__builtin_popcount(bits_of(&out)), K);
            cr_assert(obeys(bits_of(&out), &rules), "%x", bits_of(&out));
            cr_assert(out.against.field == UINT32_MAX || obeys(bits_of(&out) | 1u << out.against.field, &rules));
            br_explanation any = explain_one(&test, &free_choice, investor, NULL);
            obeyed_anyway += obeys(bits_of(&any), &rules);
            tried++;
            uint32_t warm[K] = {1, 3, 7};
            rules.warm_margin = 100.0f;
            br_explanation again = explain_one(&test, &rules, investor, warm);
            cr_assert(same(&again, &out), "a warm set that breaks the rules was used");
            rules.max_evaluations = 1;
            cr_assert(obeys(bits_of(&(br_explanation[]){explain_one(&test, &rules, investor, NULL)}[0]), &rules));
            rules.max_evaluations = 0;
            rules.warm_margin = 0.02f;
        }
        br_test_bond_deinit(&test);
    }
    cr_assert_lt(obeyed_anyway, tried / 2);
}

Test(explain_rules, plain_is_the_best_of_the_sets_that_obey)
{
    const uint32_t banned[1] = {2}, apart[6] = {0, 1, 1, 5, 4, 6};
    unsigned found = 0, tried = 0;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        br_test_bond test;
        br_test_shape shape = small_shape(seed, N_FIELDS);
        br_test_bond_init(&test, &shape, N_INVESTORS, 0);
        br_explain_options options = options_of(BR_OBJECTIVE_PLAIN, K);
        options.banned = banned;
        options.n_banned = 1;
        options.apart = apart;
        options.n_apart = 3;
        for (uint32_t investor = 0; investor < 6; investor++) {
            double best = -1e30;
            for (uint32_t set = 0; set < 1u << N_FIELDS; set++) {
                if (__builtin_popcount(set) == K && obeys(set, &options)) {
                    best = fmax(best, plain_logit(&test, test.model, investor, set));
                }
            }
            br_explanation out = explain_one(&test, &options, investor, NULL);
            found += (double)out.logit_selected > best - TOLERANCE;
            tried++;
        }
        br_test_bond_deinit(&test);
    }
    cr_assert_geq(found * 100, tried * 90, "%u of %u", found, tried);
}

Test(explain_rules, that_leave_too_little_are_refused)
{
    br_test_bond test;
    br_test_shape shape = small_shape(1, N_FIELDS);
    br_test_bond_init(&test, &shape, N_INVESTORS, 4);
    br_explain_context *context = NULL;
    br_explain_options options = options_of(BR_OBJECTIVE_BACKED, K);
    uint32_t banned[9] = {0, 1, 2, 3, 4, 5, 6, 7, 8}, apart[4] = {9, 10, 8, 9};
    options.banned = banned;
    options.n_banned = 9;
    cr_assert_eq(br_explain_context_new(&context, &test.bond, &test.population, &options), BR_ERR_INVALID);
    cr_assert_not_null(
        strstr(br_why(BR_ERR_INVALID), "3 reasons asked for, but of 11 investor fields 2 are not banned"));
    options.n_banned = 8;
    cr_assert_eq(bits_of(&(br_explanation[]){explain_one(&test, &options, 0, NULL)}[0]), 0x700);
    options.apart = apart;
    options.n_apart = 1;
    cr_assert_eq(br_explain_context_new(&context, &test.bond, &test.population, &options), BR_ERR_INVALID);
    options.n_banned = 7;
    options.n_apart = 2;
    cr_assert_eq(bits_of(&(br_explanation[]){explain_one(&test, &options, 0, NULL)}[0]), 0x580);
    banned[0] = N_FIELDS;
    cr_assert_eq(br_explain_context_new(&context, &test.bond, &test.population, &options), BR_ERR_INVALID);
    cr_assert_not_null(strstr(br_why(BR_ERR_INVALID), "banned field 11"));
    banned[0] = 0;
    apart[1] = 9;
    cr_assert_eq(br_explain_context_new(&context, &test.bond, &test.population, &options), BR_ERR_INVALID);
    br_test_bond_deinit(&test);
}

Test(explain_explain, stops_at_its_budget_with_a_whole_set)
{
    for (uint32_t objective = BR_OBJECTIVE_PLAIN; objective <= BR_OBJECTIVE_BACKED; objective++) {
        br_test_bond test;
        br_test_shape shape = small_shape(5, 30);
        br_test_bond_init(&test, &shape, N_INVESTORS, 12);
        br_explain_options options = options_of((br_objective)objective, 6);
        options.certify = true;
        unsigned worse = 0;
        for (uint32_t investor = 0; investor < 10; investor++) {
            options.max_evaluations = 0;
            br_explanation best = explain_one(&test, &options, investor, NULL);
            for (uint32_t budget = 1; budget < 1000; budget += 37) {
                options.max_evaluations = budget;
                br_explanation out = explain_one(&test, &options, investor, NULL);
                cr_assert_eq(__builtin_popcount(bits_of(&out)), 6);
                cr_assert_leq(out.evaluations, budget + 6 + BR_EXPLAIN_AGAINST + 2);
                cr_assert(!out.certified || out.evaluations == best.evaluations);
                worse += out.objective < best.objective - TOLERANCE;
            }
        }
        cr_assert_gt(worse, 0);
        options.max_evaluations = 1;
        cr_assert_not(explain_one(&test, &options, 3, NULL).certified);
        br_test_bond_deinit(&test);
    }
}

Test(explain_explain, says_what_is_wrong_with_its_input)
{
    br_test_bond test;
    br_test_shape shape = small_shape(1, N_FIELDS);
    br_test_bond_init(&test, &shape, N_INVESTORS, 4);
    br_explain_context *context = NULL;
    br_explain_options options = options_of(BR_OBJECTIVE_BACKED, 0);
    size_t live = br_alloc_live();
    cr_assert_eq(br_explain_context_new(&context, &test.bond, &test.population, &options), BR_ERR_INVALID);
    cr_assert_not_null(strstr(br_why(BR_ERR_INVALID), "0 reasons"));
    options.n_reasons = N_FIELDS + 1;
    cr_assert_eq(br_explain_context_new(&context, &test.bond, &test.population, &options), BR_ERR_INVALID);
    cr_assert_not_null(strstr(br_why(BR_ERR_INVALID), "12 reasons asked for, 1 to 11"));
    options = options_of((br_objective)7, K);
    cr_assert_eq(br_explain_context_new(&context, &test.bond, &test.population, &options), BR_ERR_INVALID);
    options = options_of(BR_OBJECTIVE_BACKED, K);
    options.warm_margin = -1.0f;
    cr_assert_eq(br_explain_context_new(&context, &test.bond, &test.population, &options), BR_ERR_INVALID);
    options.warm_margin = 0.0f;
    test.bond.record = NULL;
    cr_assert_eq(br_explain_context_new(&context, &test.bond, &test.population, &options), BR_ERR_INVALID);
    test.bond.record = &test.record;
    test.codes[5 * N_FIELDS + 2] = 99;
    cr_assert_eq(br_explain_context_new(&context, &test.bond, &test.population, &options), BR_ERR_INVALID);
    cr_assert_not_null(strstr(br_why(BR_ERR_INVALID), "investor 5, field 2 has code 99"));
    test.codes[5 * N_FIELDS + 2] = 0;
    test.logits[8] = NAN;
    cr_assert_eq(br_explain_context_new(&context, &test.bond, &test.population, &options), BR_ERR_INVALID);
    test.logits[8] = 0.0f;
    test.bond_codes[1] = 200;
    cr_assert_eq(br_explain_context_new(&context, &test.bond, &test.population, &options), BR_ERR_INVALID);
    test.bond_codes[1] = 0;
    cr_assert_null(context);
    cr_assert_eq(br_alloc_live(), live);
    cr_assert_eq(br_explain_context_new(&context, &test.bond, &test.population, &options), BR_OK);
    br_explanation out;
    uint32_t twice[K] = {1, 2, 1}, outside[K] = {1, 2, N_FIELDS};
    cr_assert_eq(br_explain(context, N_INVESTORS, NULL, &out), BR_ERR_INVALID);
    cr_assert_eq(br_explain(context, 0, twice, &out), BR_ERR_INVALID);
    cr_assert_eq(br_explain(context, 0, outside, &out), BR_ERR_INVALID);
    br_explain_context_free(&context);
    br_test_bond_deinit(&test);
}

Test(explain_explain, survives_every_failed_allocation)
{
    br_test_bond test;
    br_test_shape shape = small_shape(1, N_FIELDS);
    br_test_bond_init(&test, &shape, N_INVESTORS, 4);
    br_explain_options options = options_of(BR_OBJECTIVE_BACKED, K);
    size_t live = br_alloc_live(), n = 0;
    for (br_status status = BR_ERR_NO_MEMORY; status != BR_OK; n++) {
        br_explain_context *context = NULL;
        br_alloc_fail_after(n);
        status = br_explain_context_new(&context, &test.bond, &test.population, &options);
        cr_assert(status == BR_OK || status == BR_ERR_NO_MEMORY);
        if (status == BR_OK) {
            br_explanation out;
            br_alloc_fail_after(0);
            cr_assert_eq(br_explain(context, 0, NULL, &out), BR_OK, "an explanation allocates");
        }
        br_alloc_fail_after(SIZE_MAX);
        br_explain_context_free(&context);
        cr_assert_eq(br_alloc_live(), live);
    }
    cr_assert_gt(n, 20);
    br_test_bond_deinit(&test);
}
