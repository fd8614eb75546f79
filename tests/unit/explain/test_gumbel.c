// Goal: the paper's search by gradient does what gumbel.h says, for every architecture, whoever is in the batch.
// Method: small networks where all sets can be tried; the gradient of a step against differences of its loss, the loss against Eq. (6).

#include "base/alloc.h"
#include "base/rng.h"
#include "explain/gumbel_step.h"
#include "support/network.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { N_FIELDS = 11, N_INVESTORS = 13, K = 3, MAX_BATCH = 5 };

typedef struct fixture {
    br_model *model;
    br_gumbel *gumbel;
    br_gumbel_options options;
    uint32_t keys[N_INVESTORS];
    uint8_t bond[8];
    uint8_t codes[N_INVESTORS * N_FIELDS];
    br_gumbel_batch batch;
} fixture;

// Another architecture for each n.
static br_test_shape shape_of(uint32_t n, uint64_t seed)
{
    br_test_shape shape = {
        .config = {.d = 4, .n_cross = 2, .rank = 8, .n_hidden = 2, .hidden = {24, 12}},
        .n_bond_fields = 4,
        .n_investor_fields = N_FIELDS,
        .max_values = 5,
        .seed = seed,
    };
    shape.config.stacked = n % 6 == 4;
    shape.config.rank = n % 6 == 5 ? 0 : 8;
    if (n % 6 > 0 && n % 6 < 4) {
        shape.config.architecture = (br_architecture)(n % 6);
        shape.config.n_cross = 0;
    }
    return shape;
}

enum { N_ARCHITECTURES = 6 };

static void restart(fixture *f, uint32_t max_batch)
{
    br_gumbel_free(&f->gumbel);
    cr_assert_eq(br_gumbel_new(&f->gumbel, f->model, max_batch, &f->options), BR_OK);
    cr_assert_eq(br_gumbel_bond(f->gumbel, f->bond), BR_OK);
}

static void fixture_init(fixture *f, uint32_t n, uint64_t seed)
{
    br_test_shape shape = shape_of(n, seed);
    memset(f, 0, sizeof *f);
    f->model = br_test_network(&shape);
    f->options = br_gumbel_options_default();
    f->options.n_reasons = K;
    br_test_bond_codes(f->model, seed, 1, f->bond);
    br_test_investor_codes(f->model, seed, N_INVESTORS, f->codes);
    for (uint32_t i = 0; i < N_INVESTORS; i++) {
        f->keys[i] = 1000 + 7 * i;
    }
    f->batch = (br_gumbel_batch){f->codes, f->keys, NULL};
    restart(f, MAX_BATCH);
}

static void fixture_deinit(fixture *f)
{
    br_gumbel_free(&f->gumbel);
    br_model_free(&f->model);
}

// f(x_S) of one investor, S as bits.
static double f_of(const fixture *f, uint32_t investor, uint32_t set)
{
    uint8_t masked[N_FIELDS];
    for (uint32_t j = 0; j < N_FIELDS; j++) {
        masked[j] = (set >> j & 1) == 0;
    }
    return 1.0 / (1.0 + exp(-br_model_logit_plain(f->model, f->bond, f->codes + investor * N_FIELDS, masked)));
}

static uint32_t bits_of(const uint32_t *fields)
{
    uint32_t set = 0;
    for (uint32_t i = 0; i < K; i++) {
        cr_assert_lt(fields[i], N_FIELDS);
        cr_assert_eq(set >> fields[i] & 1, 0, "a field is there twice");
        set |= 1u << fields[i];
    }
    return set;
}

// --- what it finds ---

typedef struct shortfall {
    unsigned near; ///< within 0.02 of the best f
    unsigned n;
    double below; ///< the best f - f(x_S), summed
    double span;  ///< the best f - the mean over all sets, summed
} shortfall;

static void fall_short(shortfall *it, const fixture *f, uint32_t investor, const uint32_t *fields)
{
    double best = 0.0, sum = 0.0;
    unsigned n_sets = 0;
    for (uint32_t set = 0; set < 1u << N_FIELDS; set++) {
        if (__builtin_popcount(set) == K) {
            double value = f_of(f, investor, set);
            best = fmax(best, value);
            sum += value;
            n_sets++;
        }
    }
    double found = f_of(f, investor, bits_of(fields));
    it->near += found > best - 0.02;
    it->n++;
    it->below += best - found;
    it->span += best - sum / n_sets;
}

// 100 steps of rate 0.1 carry a gate_logit from -10 to 0 at most: whoever asks for the optimum has to give more.
static void search_long(fixture *f, shortfall *it)
{
    uint32_t fields[N_INVESTORS * K];
    f->options.n_steps = 400;
    restart(f, MAX_BATCH);
    cr_assert_eq(br_gumbel_search(f->gumbel, &f->batch, N_INVESTORS, fields), BR_OK);
    for (uint32_t investor = 0; investor < N_INVESTORS; investor++) {
        fall_short(it, f, investor, fields + investor * K);
    }
}

Test(explain_gumbel, finds_the_best_of_all_sets_where_fields_add_up)
{
    shortfall it = {0};
    for (uint64_t seed = 1; seed <= 6; seed++) {
        fixture f;
        fixture_init(&f, BR_WIDE_DEEP, seed);
        memset(f.model->w_deep, 0, f.model->config.hidden[1] * sizeof(float));
        search_long(&f, &it);
        fixture_deinit(&f);
    }
    cr_assert_geq(it.near * 100, it.n * 95, "%u of %u", it.near, it.n);
}

Test(explain_gumbel, is_near_the_best_of_all_sets_on_any_network)
{
    for (uint32_t n = 0; n < N_ARCHITECTURES; n++) {
        shortfall it = {0};
        for (uint64_t seed = 1; seed <= 3; seed++) {
            fixture f;
            fixture_init(&f, n, seed * N_ARCHITECTURES + n);
            search_long(&f, &it);
            fixture_deinit(&f);
        }
        cr_assert_lt(it.below, 0.15 * it.span, "architecture %u: %g of %g", n, it.below, it.span);
        cr_assert_gt(it.near * 2, it.n, "architecture %u: %u of %u", n, it.near, it.n);
    }
}

Test(explain_gumbel, is_the_same_in_any_batch)
{
    for (uint32_t n = 0; n < N_ARCHITECTURES; n++) {
        fixture f;
        uint32_t together[N_INVESTORS * K], turned[N_INVESTORS * K], alone[N_INVESTORS * K];
        fixture_init(&f, n, 20 + n);
        cr_assert_eq(br_gumbel_search(f.gumbel, &f.batch, N_INVESTORS, together), BR_OK);
        cr_assert_eq(br_gumbel_search(f.gumbel, &f.batch, N_INVESTORS, turned), BR_OK);
        cr_assert_arr_eq(together, turned, sizeof together, "the second search differs");
        restart(&f, 3);
        cr_assert_eq(br_gumbel_search(f.gumbel, &f.batch, N_INVESTORS, turned), BR_OK);
        for (uint32_t i = 0; i < N_INVESTORS; i++) {
            br_gumbel_batch one = {f.codes + i * N_FIELDS, f.keys + i, NULL};
            cr_assert_eq(br_gumbel_search(f.gumbel, &one, 1, alone + i * K), BR_OK);
        }
        cr_assert_arr_eq(together, turned, sizeof together);
        cr_assert_arr_eq(together, alone, sizeof together);
        fixture_deinit(&f);
    }
}

Test(explain_gumbel, never_opens_what_is_held_shut)
{
    fixture f;
    uint32_t before[N_INVESTORS * K], after[N_INVESTORS * K];
    fixture_init(&f, 0, 3);
    cr_assert_eq(br_gumbel_search(f.gumbel, &f.batch, N_INVESTORS, before), BR_OK);
    bool held_shut[N_FIELDS] = {false};
    held_shut[before[0]] = held_shut[before[1]] = true;
    f.batch.held_shut = held_shut;
    cr_assert_eq(br_gumbel_search(f.gumbel, &f.batch, N_INVESTORS, after), BR_OK);
    for (uint32_t i = 0; i < N_INVESTORS * K; i++) {
        cr_assert_not(held_shut[after[i]]);
    }
    f.batch.held_shut = NULL;
    cr_assert_eq(br_gumbel_search(f.gumbel, &f.batch, N_INVESTORS, after), BR_OK);
    cr_assert_arr_eq(before, after, sizeof before, "it is remembered");
    fixture_deinit(&f);
}

// --- a step ---

// Gates somewhere on their way.
static void set_out(fixture *f, float temperature)
{
    br_rng rng = br_rng_at(1, BR_STREAM_TEST, 5, 0);
    f->gumbel->temperature = temperature;
    for (uint32_t i = 0; i < MAX_BATCH * N_FIELDS; i++) {
        f->gumbel->gate_logit[i] = (float)(3.0 * br_rng_normal(&rng));
    }
    br_gumbel_draw(f->gumbel, f->keys, MAX_BATCH, 4);
}

static void losses_of(fixture *f, double *losses)
{
    br_gumbel_open(f->gumbel, MAX_BATCH);
    br_gumbel_slope(f->gumbel, f->codes, MAX_BATCH, losses);
}

Test(explain_gumbel, loss_is_equation_6)
{
    fixture f;
    fixture_init(&f, 0, 4);
    set_out(&f, 0.001f); // gates are 0 or 1
    double losses[MAX_BATCH];
    losses_of(&f, losses);
    for (uint32_t i = 0; i < MAX_BATCH; i++) {
        double sum = 0.0;
        uint32_t set = 0;
        for (uint32_t j = 0; j < N_FIELDS; j++) {
            double gate_logit = (double)f.gumbel->gate_logit[i * N_FIELDS + j];
            sum += 1.0 / (1.0 + exp(-gate_logit));
            set |= (uint32_t)(gate_logit + (double)f.gumbel->noise[i * N_FIELDS + j] > 0.0) << j;
        }
        double expected = -f_of(&f, i, set) + 0.04 * (sum - K) * (sum - K);
        cr_assert_float_eq(losses[i], expected, 1e-5, "%g is not %g", losses[i], expected);
    }
    fixture_deinit(&f);
}

// d loss / d gate_logit by differences: [MAX_BATCH, N_FIELDS].
static void slopes_of(fixture *f, double *slopes)
{
    static const float STEP = 0x1p-8f;
    for (uint32_t j = 0; j < N_FIELDS; j++) {
        double there[MAX_BATCH], back[MAX_BATCH];
        float before[MAX_BATCH];
        for (uint32_t i = 0; i < MAX_BATCH; i++) {
            before[i] = f->gumbel->gate_logit[i * N_FIELDS + j];
            f->gumbel->gate_logit[i * N_FIELDS + j] = before[i] + STEP;
        }
        losses_of(f, there);
        for (uint32_t i = 0; i < MAX_BATCH; i++) {
            f->gumbel->gate_logit[i * N_FIELDS + j] = before[i] - STEP;
        }
        losses_of(f, back);
        for (uint32_t i = 0; i < MAX_BATCH; i++) {
            f->gumbel->gate_logit[i * N_FIELDS + j] = before[i];
            slopes[i * N_FIELDS + j] = (there[i] - back[i]) / (2.0 * (double)STEP);
        }
    }
}

Test(explain_gumbel, gradient_is_the_slope_of_the_loss)
{
    for (uint32_t n = 0; n < 2 * N_ARCHITECTURES; n++) {
        fixture f;
        fixture_init(&f, n, 5);
        set_out(&f, n < N_ARCHITECTURES ? 5.0f : 0.8f);
        double slopes[MAX_BATCH * N_FIELDS];
        double losses[MAX_BATCH];
        slopes_of(&f, slopes);
        losses_of(&f, losses);
        double largest = 0.0;
        unsigned far_off = 0;
        for (uint32_t i = 0; i < MAX_BATCH * N_FIELDS; i++) {
            far_off += fabs(slopes[i] - (double)f.gumbel->gradient[i]) > 1e-4;
            largest = fmax(largest, fabs(slopes[i]));
        }
        // Where a unit of the tower bends between the two points, the slope is none.
        cr_assert_leq(far_off, MAX_BATCH * N_FIELDS / 20, "architecture %u: %u differ", n, far_off);
        cr_assert_gt(largest, 0.02);
        fixture_deinit(&f);
    }
}

Test(explain_gumbel, noise_is_logistic_and_an_investors_own)
{
    fixture f;
    fixture_init(&f, 0, 6);
    enum { STEPS = 2000 };
    double sum = 0.0, squares = 0.0;
    for (uint32_t step = 0; step < STEPS; step++) {
        br_gumbel_draw(f.gumbel, f.keys, MAX_BATCH, step);
        for (uint32_t i = 0; i < MAX_BATCH * N_FIELDS; i++) {
            double noise = (double)f.gumbel->noise[i];
            sum += noise;
            squares += noise * noise;
        }
    }
    double n = (double)STEPS * MAX_BATCH * N_FIELDS;
    cr_assert_lt(fabs(sum / n), 0.03);
    cr_assert_float_eq(squares / n, 9.8696044 / 3.0, 0.1); // pi^2 / 3
    float third[N_FIELDS];
    memcpy(third, f.gumbel->noise + 2 * N_FIELDS, sizeof third);
    br_gumbel_draw(f.gumbel, f.keys + 2, 1, STEPS - 1);
    cr_assert_arr_eq(f.gumbel->noise, third, sizeof third);
    br_gumbel_draw(f.gumbel, f.keys + 2, 1, STEPS);
    cr_assert(memcmp(f.gumbel->noise, third, sizeof third) != 0, "every step the same noise");
    f.options.seed++;
    restart(&f, MAX_BATCH);
    br_gumbel_draw(f.gumbel, f.keys + 2, 1, STEPS - 1);
    cr_assert(memcmp(f.gumbel->noise, third, sizeof third) != 0, "every seed the same noise");
    fixture_deinit(&f);
}

Test(explain_gumbel, descends_by_adam_while_the_temperature_falls)
{
    enum { STEPS = 50, N = MAX_BATCH * N_FIELDS };
    fixture f;
    uint32_t fields[MAX_BATCH * K];
    float searched[N];
    double at[N], m[N] = {0}, v[N] = {0};
    fixture_init(&f, 0, 11);
    f.options.n_steps = STEPS;
    restart(&f, MAX_BATCH);
    cr_assert_eq(br_gumbel_search(f.gumbel, &f.batch, MAX_BATCH, fields), BR_OK);
    memcpy(searched, f.gumbel->gate_logit, sizeof searched);
    for (uint32_t i = 0; i < N; i++) {
        at[i] = -10.0;
    }
    for (uint32_t step = 0; step < STEPS; step++) {
        for (uint32_t i = 0; i < N; i++) {
            f.gumbel->gate_logit[i] = (float)at[i];
        }
        f.gumbel->temperature = (float)fmax(0.1, 5.0 * (STEPS - step) / STEPS);
        br_gumbel_draw(f.gumbel, f.keys, MAX_BATCH, step);
        losses_of(&f, (double[MAX_BATCH]){0});
        for (uint32_t i = 0; i < N; i++) {
            double gradient = (double)f.gumbel->gradient[i];
            m[i] = 0.9 * m[i] + 0.1 * gradient;
            v[i] = 0.999 * v[i] + 0.001 * gradient * gradient;
            double m_hat = m[i] / (1.0 - pow(0.9, step + 1.0));
            double v_hat = v[i] / (1.0 - pow(0.999, step + 1.0));
            at[i] -= 0.1 * m_hat / (sqrt(v_hat) + 1e-8);
        }
    }
    for (uint32_t i = 0; i < N; i++) {
        cr_assert_float_eq((double)searched[i], at[i], 0.01, "%g is not %g", (double)searched[i], at[i]);
    }
    fixture_deinit(&f);
}

// --- the curves of Figure 4 ---

enum { MAX_CALLS = 200 };

typedef struct seen {
    uint32_t n_calls;
    uint32_t steps[MAX_CALLS];
    size_t firsts[MAX_CALLS];
    float last[N_INVESTORS * N_FIELDS];
    float largest_at_first;
    float largest_of_zero; // gate_prob of field 0
} seen;

static void look(void *context, uint32_t step, size_t first, size_t n, const float *gate_prob)
{
    seen *it = context;
    cr_assert_lt(it->n_calls, MAX_CALLS);
    it->steps[it->n_calls] = step;
    it->firsts[it->n_calls++] = first;
    memcpy(it->last + first * N_FIELDS, gate_prob, n * N_FIELDS * sizeof *gate_prob);
    for (size_t i = 0; i < n * N_FIELDS; i++) {
        it->largest_at_first = step == 0 ? fmaxf(it->largest_at_first, gate_prob[i]) : it->largest_at_first;
        it->largest_of_zero = i % N_FIELDS == 0 ? fmaxf(it->largest_of_zero, gate_prob[i]) : it->largest_of_zero;
    }
}

Test(explain_gumbel, shows_every_step_of_every_investor)
{
    fixture f;
    seen it = {0};
    uint32_t fields[N_INVESTORS * K];
    bool held_shut[N_FIELDS] = {true};
    fixture_init(&f, 0, 7);
    f.options.n_steps = 40;
    f.options.observe = look;
    f.options.observe_context = &it;
    restart(&f, 7);
    f.batch.held_shut = held_shut;
    cr_assert_eq(br_gumbel_search(f.gumbel, &f.batch, N_INVESTORS, fields), BR_OK);
    cr_assert_eq(it.n_calls, 2 * 41);
    for (uint32_t i = 0; i < it.n_calls; i++) {
        cr_assert_eq(it.steps[i], i % 41);
        cr_assert_eq(it.firsts[i], i / 41 * 7);
    }
    cr_assert_float_eq((double)it.largest_at_first, 1.0 / (1.0 + exp(10.0)), 1e-9);
    cr_assert_eq(it.largest_of_zero, 0.0f, "a field that is held shut has no probability");
    for (uint32_t i = 0; i < N_INVESTORS; i++) {
        uint32_t set = bits_of(fields + i * K);
        float least = it.last[i * N_FIELDS + fields[i * K + K - 1]];
        for (uint32_t j = 0; j < N_FIELDS; j++) {
            cr_assert((set >> j & 1) == 1 ? it.last[i * N_FIELDS + j] >= least : it.last[i * N_FIELDS + j] <= least);
        }
    }
    fixture_deinit(&f);
}

// --- options ---

Test(explain_gumbel, of_the_zero_baseline_is_that_of_masks_that_are_zero)
{
    fixture f;
    uint32_t zero[N_INVESTORS * K], mask[N_INVESTORS * K], average[N_INVESTORS * K];
    fixture_init(&f, 0, 8);
    f.options.baseline = BR_BASELINE_AVERAGE;
    restart(&f, MAX_BATCH);
    cr_assert_eq(br_gumbel_search(f.gumbel, &f.batch, N_INVESTORS, average), BR_OK);
    f.options.baseline = BR_BASELINE_ZERO;
    restart(&f, MAX_BATCH);
    cr_assert_eq(br_gumbel_search(f.gumbel, &f.batch, N_INVESTORS, zero), BR_OK);
    size_t d = f.model->config.d;
    for (uint32_t j = f.model->n_bond_fields; j < f.model->n_fields; j++) {
        memset(f.model->embedding + (f.model->row_of[j] + f.model->fields[j].n_values) * d, 0, d * sizeof(float));
    }
    f.options.baseline = BR_BASELINE_MASK;
    restart(&f, MAX_BATCH);
    cr_assert_eq(br_gumbel_search(f.gumbel, &f.batch, N_INVESTORS, mask), BR_OK);
    cr_assert_arr_eq(zero, mask, sizeof zero);
    cr_assert(memcmp(zero, average, sizeof zero) != 0);
    fixture_deinit(&f);
}

Test(explain_gumbel, refuses_what_is_out_of_range)
{
    fixture f;
    fixture_init(&f, 0, 9);
    br_gumbel *none = NULL;
    const br_gumbel_options good = f.options;
    br_gumbel_options bad[12];
    for (size_t i = 0; i < 12; i++) {
        bad[i] = good;
    }
    bad[0].n_reasons = 0;
    bad[1].n_reasons = N_FIELDS + 1;
    bad[2].n_reasons = BR_MAX_REASONS + 1;
    bad[3].n_steps = 0;
    bad[4].n_steps = BR_GUMBEL_MAX_STEPS + 1;
    bad[5].temperature = (double)NAN;
    bad[6].temperature = bad[6].temperature_floor / 2;
    bad[7].temperature_floor = 0.0;
    bad[8].rate = 0.0;
    bad[9].alpha = -1.0;
    bad[10].alpha = (double)INFINITY;
    bad[11].baseline = BR_BASELINE_VALUE;
    for (size_t i = 0; i < 12; i++) {
        cr_assert_eq(br_gumbel_new(&none, f.model, 1, &bad[i]), BR_ERR_INVALID, "options %zu", i);
    }
    cr_assert_eq(br_gumbel_new(&none, f.model, 0, &good), BR_ERR_INVALID);
    f.model->fields[f.model->n_bond_fields].maskable = false;
    cr_assert_eq(br_gumbel_new(&none, f.model, 1, &good), BR_ERR_INVALID);
    f.model->fields[f.model->n_bond_fields].maskable = true;
    uint32_t fields[N_INVESTORS * K];
    bool held_shut[N_FIELDS] = {false};
    memset(held_shut, true, N_FIELDS - K + 1);
    f.batch.held_shut = held_shut;
    cr_assert_eq(br_gumbel_search(f.gumbel, &f.batch, N_INVESTORS, fields), BR_ERR_INVALID);
    held_shut[0] = false;
    cr_assert_eq(br_gumbel_search(f.gumbel, &f.batch, N_INVESTORS, fields), BR_OK);
    f.codes[N_INVESTORS * N_FIELDS - 1] = 200;
    cr_assert_eq(br_gumbel_search(f.gumbel, &f.batch, N_INVESTORS, fields), BR_ERR_INVALID);
    f.bond[1] = 200;
    cr_assert_eq(br_gumbel_bond(f.gumbel, f.bond), BR_ERR_INVALID);
    fixture_deinit(&f);
}

Test(explain_gumbel, survives_no_memory)
{
    fixture f;
    fixture_init(&f, 0, 10);
    br_gumbel_free(&f.gumbel);
    size_t live = br_alloc_live();
    size_t n = 0;
    br_status status;
    do {
        br_alloc_fail_after(n++);
        status = br_gumbel_new(&f.gumbel, f.model, 3, &f.options);
        br_alloc_fail_after(SIZE_MAX);
        cr_assert(status == BR_OK || (status == BR_ERR_NO_MEMORY && f.gumbel == NULL && br_alloc_live() == live));
    } while (status != BR_OK);
    cr_assert_gt(n, 4);
    fixture_deinit(&f);
}
